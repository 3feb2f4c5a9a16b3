#!/usr/bin/env python3
"""otr_dump.py FILE: the rows of the newest version as CSV. Class R0 of SPEC.md; it checks what it needs, not all that a file must obey."""
import datetime, decimal, struct, sys, zlib

WIDTH = {1: 1, 2: 4, 3: 8, 4: 4, 5: 8}                  # column types: bool, i32, i64, f32, f64
CODE = {1: 'B', 2: 'i', 3: 'q', 4: 'I', 5: 'Q'}         # floats stay bits

get = lambda fmt, b, at=0: struct.unpack_from('<' + fmt, b, at)
pad = lambda n: (n + 7) & ~7
signed = lambda x: x - (1 << 64) if x >> 63 else x
def stop(text):                                         # four answers: not OTR, truncated, damaged, too new; and unsupported
    print('otr_dump: %s: %s' % (sys.argv[1], text), file=sys.stderr)
    sys.exit(4)
def need(ok, text):                                     # 2: what is damaged is refused, and said
    return ok or stop('damaged: ' + text)
class Cursor:                                           # takes bytes from a part, never beyond its end
    def __init__(self, b, at=0):
        self.b, self.at = b, at
    def take(self, n):
        self.at += n
        need(self.at <= len(self.b), 'a part is cut short')
        return self.b[self.at - n:self.at]
    def array(self, fmt, n):                            # n numbers, padded to 8
        b = self.take(pad(n * struct.calcsize(fmt)))
        need(not any(b[n * struct.calcsize(fmt):]), 'padding is not zero')
        return list(get('%d%s' % (n, fmt), b))

def pack(c, m):                                         # 7.2, 7.3: m values modulo 2^64
    o, w, y, rest = get('BBHI', c.take(8))
    need(o <= 2 and o < m and w <= 64 and y <= m - o and rest == 0 and not (w == 64 and y), 'a PACK body')
    seeds, base, at, big = c.array('Q', o), c.array('Q', 1)[0], c.array('H', y), c.array('Q', y)
    stream = int.from_bytes(c.take(((m - o) * w + 63) // 64 * 8), 'little')
    r = [stream >> (i * w) & (1 << w) - 1 for i in range(m - o)]
    need(stream >> ((m - o) * w) == 0 and at == sorted(set(at)) and all(v >> w for v in big), 'a PACK body')
    for p, v in zip(at, big):
        need(p < m - o and r[p] == 0, 'an outlier')
        r[p] = v
    d = [(v + base) % 2**64 for v in r]
    for seed in reversed(seeds):
        d.insert(0, seed)
        for i in range(1, len(d)):
            d[i] = (d[i] + d[i - 1]) % 2**64
    return d

def f32_bits(x):                                        # beyond 3.4028235677973366e38 is infinite
    return get('I', struct.pack('<f', x if abs(x) < 2.0**128 - 2.0**103 else x * 1e999))[0]

def chunk(b, typ, rows, times=False, dictionary=False):  # 7.1: values; None where null
    T, packing, par, flags, size, n, x, B = get('BBbBIIHH', b)
    need(size == len(b) and flags <= 3 and n <= rows and (n < rows) == (flags & 1), 'a chunk header')
    (T > 4 or packing > 2 or flags & 2) and stop('unsupported: transform %d, packing %d, flags %d' % (T, packing, flags))
    need(T in ((0, 4) if times else (1, 2, 3, 4) if typ > 3 else (0, 3, 4)), 'transform for the type')
    need((packing == 0) == (T == 4 or n == 0) and (1 <= B <= n if packing == 1 else B == 0), 'packing or block')
    need(not (dictionary and (T == 3 or packing == 2 or flags or x or not n)) and not (times and flags), 'a chunk header')
    W, c, present, xs = 8 * WIDTH[typ], Cursor(b, 16), None, []
    need(-22 <= par <= 22 if T == 1 else 0 <= par < W if T == 2 else par == 0, 'parameter')
    if flags & 1:
        present = int.from_bytes(bytes(c.array('B', (rows + 7) // 8)), 'little')
        need(present >> rows == 0 and bin(present).count('1') == n, 'presence bits')
    at, odd = c.array('H', x), c.array('Q', x)
    need(at == sorted(set(at)) and all(p < n for p in at) and all(v >> W == 0 for v in odd) and (T == 1 or not x), 'exceptions')
    if T == 3 and n:                                    # 7.6
        head = c.take(16)
        size, count = get('II', head, 4)
        words = need(size >= 16 and count <= n, 'a dictionary') and chunk(head + c.take(size - 16), typ, count, False, True)
    if n and T == 4:
        xs = c.array(CODE[typ], n)
    elif packing == 1:
        xs = [v for i in range(0, n, B) for v in pack(c, min(B, n - i))]
    elif packing == 2:                                  # 7.4
        runs, size = get('II', c.take(8))
        lengths = need(1 <= runs <= n, 'runs') and pack(c, runs)
        need(sum(lengths) + runs == n, 'run lengths')
        xs = [v for length, v in zip(lengths, pack(c, runs)) for _ in range(length + 1)]
    need(c.at == len(b), 'bytes are left over')
    if T <= 1:                                          # 7.5
        xs = [signed(v) for v in xs]
    if T == 1:
        ten = need(all(abs(v) <= 2**53 for v in xs), 'DECIMAL beyond 2^53') and float('1e%d' % abs(par))
        xs = [float(v) / ten if par >= 0 else float(v) * ten for v in xs]
        odd = dict(zip(at, odd))
        xs = [odd.get(i, f32_bits(v) if typ == 4 else get('Q', struct.pack('<d', v))[0]) for i, v in enumerate(xs)]
    elif T == 2:
        k = need(not any(v >> (W - par) for v in xs), 'BITS') and W - par
        xs = [(v ^ 1 << (k - 1) if v >> (k - 1) else v ^ (1 << k) - 1) << par for v in xs]
    elif T == 3 and n:
        xs = need(max(xs) < count, 'DICT') and [words[v] for v in xs]
    need(typ > 2 or all(0 <= v <= 1 if typ == 1 else abs(2 * v + 1) < 2**32 for v in xs), 'range of the type')
    need(not times or xs == sorted(xs) and xs[0] > -2**63 and xs[-1] < 2**63 - 1, 'times')
    it = iter(xs)
    return xs if present is None else [next(it) if present >> i & 1 else None for i in range(rows)]

def walk(ref, level, limit, expect):                    # 5: rows of a subtree, in order; level None: the root
    n, generation, crc = ref
    need(first_page <= n < page_count, 'page number %d' % n)
    (n + 1) * PAGE <= len(data) or stop('truncated: page %d lies beyond the end' % n)
    b, C = data[n * PAGE:(n + 1) * PAGE], len(columns)
    need(get('I', b)[0] == crc == zlib.crc32(b[4:]) and b[4:8] == bytes([2 if b[5] else 1, b[5], 0, 0]), 'page %d' % n)
    need(get('Q', b, 8)[0] == n and b[16:32] == file_id and get('Q', b, 32)[0] == generation <= limit, 'page %d' % n)
    need(b[5] <= 15 if level is None else b[5] == level, 'level of page %d' % n)
    if b[5] == 0:                                       # 5.5
        rows, used = get('II', b, 40)
        at = list(get('%dI' % (C + 1), b, 48)) + [used]
        need(1 <= rows <= 65535 and rows * (C + 1) <= 2**18 and used <= PAGE and not any(b[used:]), 'leaf %d' % n)
        need(at[0] == 48 + pad(4 * C + 4) and all(p % 8 == 0 and p + 16 <= q for p, q in zip(at, at[1:])), 'offsets')
        times = chunk(b[at[0]:at[1]], 3, rows, True)
        cells = [chunk(b[at[i + 1]:at[i + 2]], columns[i][1], rows) for i in range(C)]
        need(expect in ((rows, times[0], times[-1]), (rows,)), 'leaf %d is not what its parent says' % n)
        return zip(times, zip(*cells))
    count = get('I', b, 40)[0]                          # 5.4
    need(1 <= count <= (PAGE - 48) // (48 + 120 * C) and not any(b[44:48]), 'entries of page %d' % n)
    entries = [get('QQIIQqq', b, 48 + i * (48 + 120 * C)) for i in range(count)]
    need(expect in ((sum(e[4] for e in entries), entries[0][5], entries[-1][6]), (sum(e[4] for e in entries),)), 'entries')
    need(all(p[6] <= q[5] for p, q in zip(entries, entries[1:])), 'order of entries')
    return (row for e in entries if e[6] >= horizon     # 8.5: what has expired may be gone
            for row in walk(e[:3], b[5] - 1, generation, e[4:]))

def read_slot(at):                                      # 4.1, 4.2: (version, body, stamps); no body: not sound
    raw = data[at:at + 4096]
    stamps, version = [get('Q', raw, 504 + 512 * i)[0] for i in range(8)], get('Q', raw, 24)[0]
    good = b''.join(raw[i:i + 504] + struct.pack('<Q', (version + 1) % 2**64) for i in range(0, 4096, 512))
    flip = [bin(s ^ version + 1).count('1') for s in stamps if s != version + 1] == [1]     # 4.2-2
    sound = get('I', good)[0] == zlib.crc32(good[4:]) and (flip or not any(0 < s - version - 1 <= 65536 for s in stamps))
    return (version, b''.join(good[i:i + 504] for i in range(0, 4096, 512)), stamps) if sound and good[8:24] == file_id else (-1, None, stamps)

def riding(body):                                       # 4.3, 4.4, 4.6: the rows that ride in the slot
    freed, _, area, carried = get('HHHB', body, 256)
    c, out = Cursor(body[:264 + 8 * freed + area], 264 + 8 * freed), []
    while c.at < len(c.b):
        if not carried:
            size, _, flags, _, author, message = get('HBBBBH', c.take(56))
            c.take(pad(author + message) + (40 if flags == 2 else 0))
        for _ in range(1 if carried or flags == 1 else 0):
            n = get('Q', c.take(8))[0]
            need(1 <= n <= 4096, 'a row block')
            times, cells = c.array('q', n), []
            for _, typ in columns:
                present = int.from_bytes(bytes(c.array('B', (n + 7) // 8)), 'little')
                cells.append([v if present >> i & 1 else None for i, v in enumerate(c.array(CODE[typ], n))])
            for row in zip(times, zip(*cells)):
                i = sum(r[0] <= row[0] for r in out)
                if body[224] == 1 or not i or out[i - 1][0] != row[0]:
                    out.insert(i, row)                  # keep, or a new time
                elif body[224] == 0:
                    out[i - 1] = row                    # replace
        carried = 0
    return out

def value(v, typ):                                      # shortest digits that read back the same
    if v is None or typ <= 3:
        return '' if v is None else str(v)
    x, quiet = (get('f', struct.pack('<I', v))[0], 0x7FC00000) if typ == 4 else (get('d', struct.pack('<Q', v))[0], 0x7FF8 << 48)
    if x != x or x in (1e999, -1e999):
        return str(x) if x == x else 'NaN' if v == quiet else 'NaN(0x%0*x)' % (2 * WIDTH[typ], v)
    tries = (decimal.Context(p, r).create_decimal(x) for p in range(1, 18) for r in (decimal.ROUND_HALF_EVEN, decimal.ROUND_UP))
    d = next(d for d in tries if (f32_bits(float(d)) if typ == 4 else get('Q', struct.pack('<d', d))[0]) == v)
    digits, e, sign = ''.join(map(str, d.as_tuple().digits)).rstrip('0') or '0', d.adjusted(), '-' * d.is_signed()
    if not -5 <= e < 17:
        return sign + digits[0] + ('.' + digits[1:]).rstrip('.') + 'e%d' % e
    digits, e = ('0' * -e + digits, 0) if e < 0 else (digits.ljust(e + 1, '0'), e)
    return sign + (digits[:e + 1] + '.' + digits[e + 1:]).rstrip('.')

def time(t, digits):
    day = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=t // 10**9)
    return day.isoformat() + ('.%09d' % (t % 10**9))[:digits + 1 if digits else 0] + 'Z'

try:
    data, magic = open(sys.argv[1], 'rb').read(), b'\x89OTR\r\n\x1a\n'
    data[:8] == magic[:len(data)] or stop('not an OTR file')
    len(data) >= 16384 or stop('truncated')
    heads = [data[at:at + 4096] for at in (0, 12288)]   # 3.2: the header, or its copy
    heads = [h for h in heads if h[:8] == magic and get('I', h, 8)[0] == zlib.crc32(h[12:])]
    need(heads, 'both headers')
    h = heads[0]
    if get('H', h, 12)[0] != 1 or get('Q', h, 32)[0]:
        stop('too new: format version %d.%d, incompat %x' % get('HHxxxxxxxxxxxxxxxxQ', h, 12))
    PAGE, file_id, columns, at = 1 << h[64], h[40:56], [], 128
    for _ in range(h[65]):
        columns.append((h[at + 8:at + 8 + get('H', h, at + 2)[0]].decode(), h[at]))
        at += pad(8 + get('H', h, at + 2)[0])
    all(typ in CODE for _, typ in columns) or stop('unsupported: a column type')
    old, new = sorted((read_slot(4096), read_slot(8192)), key=lambda s: s[0])
    need(new[1] and (new[0] > old[0] or new[1] == old[1]), 'both slots')
    if not old[1] and set(old[2]) != {2**64 - 1}:       # 4.2-3 to 4.2-6
        later = [new[0] + 2 <= s <= new[0] + 65537 for s in old[2]]
        before = [1 <= s <= new[0] or s == 2**64 - 1 for s in old[2]]
        torn = any(later) and len(set(old[2])) > 1 and all(p or q for p, q in zip(later, before))
        need(torn or any(before) and not any(later), 'a slot; version %d is sound' % new[0])
        print('otr_dump: warning: a slot is bad; version %d is read' % new[0], file=sys.stderr)
    body = new[1]
    get('Q', body, 56)[0] and stop('too new: incompat %x' % get('Q', body, 56))
    horizon, page_count, first_page = get('q', body, 200)[0], get('Q', body, 208)[0], max(1, 16384 // PAGE)
    print(','.join(['time'] + [name for name, _ in columns]))
    root, rows = get('QQI', body, 64), get('Q', body, 96)[0]
    for part in (walk(root, None, new[0], (rows,)) if rows else [], riding(body)):
        for t, cells in part:
            if t >= horizon:
                print(','.join([time(t, body[5])] + [value(v, columns[i][1]) for i, v in enumerate(cells)]))
except (ValueError, IndexError, struct.error) as error:
    stop('damaged: %s' % error)
