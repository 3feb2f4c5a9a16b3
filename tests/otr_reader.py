#!/usr/bin/env python3
"""An independent reader of OTR files, written from SPEC.md alone.

Classes R0, R1, R2, D and V of SPEC.md section 12; shares no code with lib/.

    otr_reader.py FILE                    rows of the newest version as CSV
    otr_reader.py --at V|TIME FILE        rows of an older version
    otr_reader.py --columns A,B FILE      these columns only
    otr_reader.py --log FILE              commits, newest first; times of 9 digits: they are readings of a clock
    otr_reader.py --meta [--at V] FILE    metadata as of a version
    otr_reader.py --stat [--at V] FILE    statistics of the version and of two ranges of it, as JSON lines
    otr_reader.py --verify FILE           every rule it can check; findings on stdout

Status: 0 done, 1 verify has findings (4: none, but it met what it does not know), 2 wrong command or no such version,
4 not OTR, truncated, damaged, too new or unsupported, 5 the file cannot be read.
"""
import bisect
import functools
import os
import re
import struct
import sys
import zlib
from fractions import Fraction

MAGIC = bytes([0x89, 0x4F, 0x54, 0x52, 0x0D, 0x0A, 0x1A, 0x0A])
BOOL, I32, I64, F32, F64 = 1, 2, 3, 4, 5
TYPE_NAMES = {BOOL: 'bool', I32: 'i32', I64: 'i64', F32: 'f32', F64: 'f64'}
KINDS = ['create', 'append', 'merge', 'delete', 'rollback', 'meta', 'compact']
REWRITES = (2, 3, 4, 6)
M64 = (1 << 64) - 1
TMIN, TMAX = -(1 << 63), (1 << 63) - 1
NOWHERE = (0, 0, 0)
REPLACE, KEEP, FIRST, ERROR = 0, 1, 2, 3


class OtrError(Exception):
    """kind is one of: not an OTR file, truncated, damaged, too new, unsupported, pruned, argument."""

    def __init__(self, kind, where, what, rule):
        super().__init__('%s: %s: %s (SPEC %s)' % (kind, where, what, rule))
        self.kind, self.where, self.what, self.rule = kind, where, what, rule


def damaged(where, what, rule):
    raise OtrError('damaged', where, what, rule)


# ---------------------------------------------------------------- numbers (2.2)

def u8(b, o):
    return b[o]


def u16(b, o):
    return struct.unpack_from('<H', b, o)[0]


def u32(b, o):
    return struct.unpack_from('<I', b, o)[0]


def u64(b, o):
    return struct.unpack_from('<Q', b, o)[0]


def i64(b, o):
    return struct.unpack_from('<q', b, o)[0]


def pad8(n):
    return (n + 7) & ~7


def signed(x):
    return x - (1 << 64) if x >> 63 else x


def bits64(f):
    return struct.unpack('<Q', struct.pack('<d', f))[0]


def f64_of(bits):
    return struct.unpack('<d', struct.pack('<Q', bits))[0]


def f32_of(bits):
    return struct.unpack('<f', struct.pack('<I', bits))[0]


def f32_bits(f):
    """f64 to f32, rounded to nearest even; beyond the range: infinity."""
    try:
        return struct.unpack('<I', struct.pack('<f', f))[0]
    except OverflowError:
        return 0x7F800000 if f > 0 else 0xFF800000


def crc32(b):
    return zlib.crc32(b) & 0xFFFFFFFF


def reserved_time(t):
    return t == TMIN or t == TMAX


def zero(b, a, e, where, rule='2.4'):
    if any(b[a:e]):
        damaged(where, 'bytes %d..%d are not zero' % (a, e - 1), rule)


def is_float(typ):
    return typ in (F32, F64)


def is_nan(typ, bits):
    if typ == F32:
        return bits & 0x7FFFFFFF > 0x7F800000
    return bits & 0x7FFFFFFFFFFFFFFF > 0x7FF0000000000000


def total_order(typ, bits):
    """A key that orders float bits as IEEE totalOrder does."""
    top = 1 << (31 if typ == F32 else 63)
    return (top - 1) - (bits - top) if bits & top else bits + top - 0


def ref_at(b, o, where):
    """A reference (5.2): (page, generation, crc)."""
    zero(b, o + 20, o + 24, where, '5.2')
    return u64(b, o), u64(b, o + 8), u32(b, o + 16)


# ---------------------------------------------------------------- header (3)

class Column:
    def __init__(self, name, typ, step):
        self.name, self.type, self.step = name, typ, step

    @property
    def known(self):
        return self.type in TYPE_NAMES

    @property
    def width(self):
        """Bytes of a value in a row block and in RAW."""
        return {BOOL: 1, I32: 4, F32: 4}.get(self.type, 8)


CONTROL = {allowed: re.compile('[\x00-\x1f\x7f-\x9f]' if not allowed else '[\x00-\x08\x0b-\x1f\x7f-\x9f]') for allowed in ('', '\n\t')}


def control(s, allowed=''):
    return CONTROL[allowed].search(s) is not None


def text_at(b, where, rule, allowed=''):
    try:
        s = bytes(b).decode('utf-8')
    except UnicodeDecodeError:
        damaged(where, 'text is not UTF-8', rule)
    if control(s, allowed):
        damaged(where, 'text has control characters', rule)
    return s


class Header:
    def __init__(self, b, where):
        self.raw = bytes(b)
        if u32(b, 8) != crc32(b[12:4096]):
            damaged(where, 'crc is wrong', '3')
        self.major, self.minor = u16(b, 12), u16(b, 14)
        self.compat, self.ro_compat, self.incompat = u64(b, 16), u64(b, 24), u64(b, 32)
        if self.major != 1:
            raise OtrError('too new', where, 'format version %d.%d; this reader reads 1.0' % (self.major, self.minor), '3.2-4')
        if self.incompat:
            raise OtrError('too new', where, 'incompat features %x of format version %d.%d; this reader reads 1.0'
                           % (self.incompat, self.major, self.minor), '3.2-4')
        self.file_id = bytes(b[40:56])
        if not any(self.file_id):
            damaged(where, 'file_id is zero', '3')
        if reserved_time(i64(b, 56)):
            damaged(where, 'created_ns is no time', '3')
        if not 12 <= b[64] <= 16:
            damaged(where, 'page_exponent is %d' % b[64], '3')
        self.page_size = 1 << b[64]
        count = b[65]
        if not 1 <= count <= 64:
            damaged(where, 'columns is %d' % count, '3')
        if (self.page_size - 48) // (48 + 120 * count) < 8:
            damaged(where, 'page size %d is too small for %d columns' % (self.page_size, count), '3.4')
        zero(b, 67, 72, where, '3')
        zero(b, 80, 128, where, '3')
        gap = u64(b, 72)
        if b[66] > 1 or (b[66] == 1 and not 1 <= gap <= TMAX - 1) or (b[66] == 0 and gap):
            damaged(where, 'has_gap %d, gap_ns %d' % (b[66], gap), '3')
        self.gap = gap if b[66] else None
        self.columns = []
        at = 128
        for _ in range(count):
            if at + 8 > 4096:
                damaged(where, 'column table is too long', '3.4')
            typ, step, size = b[at], b[at + 1], u16(b, at + 2)
            zero(b, at + 4, at + 8, where, '3.4')
            if step > 1:
                damaged(where, 'interpolation is %d' % step, '3.4')
            if not 1 <= size <= 255 or at + pad8(8 + size) > 4096:
                damaged(where, 'name_bytes is %d' % size, '3.4')
            name = text_at(b[at + 8:at + 8 + size], where, '2.5')
            if re.search('[,:="]', name) or name != name.strip(' ') or re.fullmatch('file|time(_(s|ms|us|ns))?', name) \
                    or name in [c.name for c in self.columns]:
                damaged(where, 'column name %r' % name, '2.5')
            zero(b, at + 8 + size, at + pad8(8 + size), where, '3.4')
            at += pad8(8 + size)
            self.columns.append(Column(name, typ, step == 1))
        zero(b, at, 4096, where, '3.4')
        self.first_page = max(1, 16384 // self.page_size)


# ---------------------------------------------------------------- chunks (7)

def unpack_bits(b, at, m, w, where):
    """m numbers of w bits (7.2)."""
    words = (m * w + 63) // 64
    if w == 0:
        return [0] * m
    out, mask = [], (1 << w) - 1
    for i in range(0, m, 64):                       # 64 numbers fill w words exactly
        k = min(64, m - i)
        n = (k * w + 63) // 64
        x = int.from_bytes(b[at + i * w // 8:at + i * w // 8 + 8 * n], 'little')
        out += [(x >> (j * w)) & mask for j in range(k)]
        if x >> (k * w):
            damaged(where, 'spare bits of packed numbers are not zero', '7.2')
    assert at + 8 * words <= len(b)
    return out


class Cursor:
    """Takes bytes from [at, end) and never beyond."""

    def __init__(self, b, at, end, where):
        self.b, self.at, self.end, self.where = b, at, end, where

    def take(self, n, rule):
        if n > self.end - self.at:
            damaged(self.where, '%d bytes are needed, %d are left' % (n, self.end - self.at), rule)
        at = self.at
        self.at += n
        return at

    def padded(self, n, rule):
        at = self.take(pad8(n), rule)
        zero(self.b, at + n, at + pad8(n), self.where, rule)
        return at

    def positions(self, count, limit, what, rule):
        at = self.padded(2 * count, rule)
        out = list(struct.unpack_from('<%dH' % count, self.b, at))
        if any(a >= b for a, b in zip(out, out[1:])) or (out and out[-1] >= limit):
            damaged(self.where, 'positions of %s do not ascend below %d' % (what, limit), rule)
        return out

    def words(self, count, rule):
        at = self.take(8 * count, rule)
        return list(struct.unpack_from('<%dQ' % count, self.b, at))


def pack_body(c, m, deflated):
    """m values of a PACK body (7.3), modulo 2^64."""
    at = c.take(8, '7.3')
    order, w, y, layout = c.b[at], c.b[at + 1], u16(c.b, at + 2), c.b[at + 4]
    zero(c.b, at + 5, at + 8, c.where, '7.3')
    if order > 2 or order >= m:
        damaged(c.where, 'order %d of %d values' % (order, m), '7.3')
    if w > 64 or y > m - order or (w == 64 and y):
        damaged(c.where, 'width %d, %d outliers' % (w, y), '7.3')
    if layout > 1 or (layout == 1 and (not deflated or w % 8)):
        damaged(c.where, 'layout %d' % layout, '7.3')
    seeds = c.words(order, '7.3')
    base = c.words(1, '7.3')[0]
    k = m - order
    pos = c.positions(y, k, 'outliers', '7.3')
    big = c.words(y, '7.3')
    if layout == 0:
        at = c.take(8 * ((k * w + 63) // 64), '7.3')
        r = unpack_bits(c.b, at, k, w, c.where)
        if any(v >> w == 0 for v in big):
            damaged(c.where, 'an outlier fits into the width', '7.3')
    else:
        at = c.padded(k * (w // 8), '7.3')
        r = [sum(c.b[at + p * k + i] << (8 * p) for p in range(w // 8)) for i in range(k)]
    for p, v in zip(pos, big):
        if r[p]:
            damaged(c.where, 'the residual under an outlier is not zero', '7.3')
        r[p] = v
    if layout == 1:
        r = [(v >> 1) ^ (-(v & 1) & M64) for v in r]
    d = [(v + base) & M64 for v in r]
    for seed in reversed(seeds):
        x = [seed]
        for v in d:
            x.append((x[-1] + v) & M64)
        d = x
    return d


def run_body(c, n, deflated):
    at = c.take(8, '7.4')
    runs, size = u32(c.b, at), u32(c.b, at + 4)
    if not 1 <= runs <= n:
        damaged(c.where, '%d runs of %d values' % (runs, n), '7.4')
    start = c.at
    lengths = pack_body(c, runs, deflated)
    if c.at - start != size:
        damaged(c.where, 'size of the lengths is %d, not %d' % (size, c.at - start), '7.4')
    if sum(v + 1 for v in lengths) != n:
        damaged(c.where, 'run lengths do not sum up to %d' % n, '7.4')
    values = pack_body(c, runs, deflated)
    out = []
    for k, v in zip(lengths, values):
        out += [v] * (k + 1)
    return out


ALLOWED = {'time': (0, 4), BOOL: (0, 3, 4), I32: (0, 3, 4), I64: (0, 3, 4), F32: (1, 2, 3, 4), F64: (1, 2, 3, 4)}
TRANSFORMS = ['INT', 'DECIMAL', 'BITS', 'DICT', 'RAW']
STATS_ENCODINGS = {}


def decode_chunk(b, at, end, typ, rows, where, use='leaf', deflate=True, log=False):
    """The values of a chunk, None where null; floats as their bits. use: leaf, time, log (i64 field), dict."""
    if end - at < 16:
        damaged(where, 'a chunk of %d bytes' % (end - at), '7.1')
    transform, packing, flags = b[at], b[at + 1], b[at + 3]
    parameter = struct.unpack_from('<b', b, at + 2)[0]
    size, n, x, block = u32(b, at + 4), u32(b, at + 8), u16(b, at + 12), u16(b, at + 14)
    if use == 'dict':
        if size % 8 or size > end - at or size < 16:
            damaged(where, 'size of the dictionary is %d' % size, '7.6')
        end = at + size
        if not 1 <= n <= rows:
            damaged(where, 'dictionary of %d values for %d' % (n, rows), '7.6')
        rows = n
    if size != end - at or size % 8:
        damaged(where, 'size is %d where the offsets give %d' % (size, end - at), '7.1')
    if transform > 4:
        raise OtrError('unsupported', where, 'transform %d' % transform, '7.1')
    if packing > 2:
        raise OtrError('unsupported', where, 'packing %d' % packing, '7.1')
    if flags > 3:
        damaged(where, 'flags %#x' % flags, '7.1')
    if use == 'log' and rows == 0:
        if (transform, packing, parameter, flags, size, n, x, block) != (0, 0, 0, 0, 16, 0, 0, 0):
            damaged(where, 'a chunk of no values is not a bare header', '4.5-1')
        return []
    content = 'time' if use == 'time' or use == 'log' else typ
    if transform not in ALLOWED[content]:
        damaged(where, 'transform %s for %s' % (TRANSFORMS[transform], TYPE_NAMES.get(content, content)), '7.5')
    if use in ('time', 'log') and flags & 1:
        damaged(where, 'presence bits', '7.5')
    if log and flags & 2:
        damaged(where, 'a deflated chunk in a log page', '4.5')
    if use == 'dict' and (transform == 3 or packing == 2 or flags or x):
        damaged(where, 'a dictionary with DICT, RUN, flags or exceptions', '7.6')
    if n > rows or (not flags & 1 and n != rows) or (flags & 1 and n == rows):
        damaged(where, 'n is %d of %d rows' % (n, rows), '7.1')
    if (packing == 0) != (transform == 4 or n == 0):
        damaged(where, 'packing %d with transform %s, n %d' % (packing, TRANSFORMS[transform], n), '7.1')
    width = 32 if typ == F32 else 64
    if transform == 1 and not -22 <= parameter <= 22 or transform == 2 and not 0 <= parameter < width \
            or transform not in (1, 2) and parameter:
        damaged(where, 'parameter %d of %s' % (parameter, TRANSFORMS[transform]), '7.5')
    if x > n or (x and transform != 1):
        damaged(where, '%d exceptions' % x, '7.1')
    if (packing == 1 and not 1 <= block <= n) or (packing != 1 and block):
        damaged(where, 'block %d of %d values' % (block, n), '7.1')
    deflated = bool(flags & 2)
    if deflated:
        if not deflate:
            raise OtrError('unsupported', where, 'a deflated chunk', '7.7')
        if end - at < 24:
            damaged(where, 'a deflated chunk of %d bytes' % size, '7.7')
        raw, small = u32(b, at + 16), u32(b, at + 20)
        if raw > min(65536, 64 + 20 * rows) or pad8(24 + small) != size:
            damaged(where, 'raw size %d, deflated size %d' % (raw, small), '7.7')
        zero(b, at + 24 + small, end, where, '7.7')
        z = zlib.decompressobj(-15)
        try:
            out = z.decompress(bytes(b[at + 24:at + 24 + small]), raw + 1)
        except zlib.error:
            damaged(where, 'the deflate stream is bad', '7.7')
        if len(out) != raw or not z.eof or z.unused_data or z.unconsumed_tail:
            damaged(where, 'the deflate stream does not end at both sizes', '7.7')
        c = Cursor(out, 0, raw, where)
    else:
        c = Cursor(b, at + 16, end, where)
    present = None
    if flags & 1:
        p = c.padded((rows + 7) // 8, '7.1')
        bits = int.from_bytes(c.b[p:p + (rows + 7) // 8], 'little')
        if bits >> rows or bin(bits).count('1') != n:
            damaged(where, 'presence bits do not count %d of %d rows' % (n, rows), '7.1')
        present = bits
    if n == 0:
        values = []
    else:
        values = chunk_values(c, transform, packing, parameter, typ, n, x, block, deflated, where, use)
    if c.at != c.end:
        damaged(where, '%d bytes are left over' % (c.end - c.at), '7.1')
    if use == 'time' or use == 'log':
        values = [signed(v) for v in values]
    if present is None:
        return values
    it = iter(values)
    return [next(it) if present >> i & 1 else None for i in range(rows)]


def chunk_values(c, transform, packing, parameter, typ, n, x, block, deflated, where, use):
    pos = c.positions(x, n, 'exceptions', '7.1')
    odd = c.words(x, '7.1')
    if typ == F32 and any(v >> 32 for v in odd):
        damaged(where, 'an exception of more than 32 bits', '7.1')
    dictionary = None
    if transform == 3:
        at = c.take(16, '7.6')
        size = u32(c.b, at + 4)
        c.at = at
        dictionary = decode_chunk(c.b, at, c.end, typ, n, where + ' dictionary', 'dict')
        c.at += size
        keys = [total_order(typ, v) for v in dictionary] if is_float(typ) else dictionary
        if any(a >= b for a, b in zip(keys, keys[1:])):
            damaged(where, 'the dictionary does not ascend', '7.6')
    if transform == 4:
        w = {BOOL: 1, I32: 4, F32: 4}.get(typ, 8) if use not in ('time', 'log') else 8
        at = c.padded(n * w, '7.1')
        xs = [int.from_bytes(c.b[at + i * w:at + i * w + w], 'little') for i in range(n)]
        if use in ('time', 'log'):
            return xs
        if typ == BOOL and any(v > 1 for v in xs):
            damaged(where, 'a bool that is not 0 or 1', '7.5')
        if typ == I32:
            return [v - (1 << 32) if v >> 31 else v for v in xs]
        if typ == I64:
            return [signed(v) for v in xs]
        return xs
    if packing == 1:
        xs = []
        for i in range(0, n, block):
            xs += pack_body(c, min(block, n - i), deflated)
    else:
        xs = run_body(c, n, deflated)
    if transform == 0:
        if use in ('time', 'log'):
            return xs
        xs = [signed(v) for v in xs]
        lo, hi = {BOOL: (0, 1), I32: (-(1 << 31), (1 << 31) - 1)}.get(typ, (TMIN, TMAX))
        if any(not lo <= v <= hi for v in xs):
            damaged(where, 'a value out of the range of %s' % TYPE_NAMES[typ], '7.5')
        return xs
    if transform == 1:
        ks = [signed(v) for v in xs]
        if any(abs(k) > 1 << 53 for k in ks):
            damaged(where, 'a DECIMAL integer beyond 2^53', '7.5')
        power = float('1e%d' % abs(parameter))
        vs = [float(k) / power if parameter >= 0 else float(k) * power for k in ks]
        vs = [f32_bits(v) if typ == F32 else bits64(v) for v in vs]
        for p, v in zip(pos, odd):
            vs[p] = v
        return vs
    if transform == 2:
        k = (32 if typ == F32 else 64) - parameter
        if any(v >> k for v in xs):
            damaged(where, 'a BITS integer of more than %d bits' % k, '7.5')
        top, mask = 1 << (k - 1), (1 << k) - 1
        return [((v ^ top) if v & top else (~v & mask)) << parameter for v in xs]
    if any(v >= len(dictionary) for v in xs):
        damaged(where, 'an index beyond the dictionary', '7.5')
    return [dictionary[v] for v in xs]


# ---------------------------------------------------------------- row blocks (4.4)

def row_block(c, columns):
    """Rows [(time, [values])]; unknown columns are None throughout."""
    at = c.take(8, '4.4')
    n = u32(c.b, at)
    zero(c.b, at + 4, at + 8, c.where, '4.4')
    if not 1 <= n <= 4096:
        damaged(c.where, 'a row block of %d rows' % n, '4.4')
    times = [signed(t) for t in c.words(n, '4.4')]
    if any(reserved_time(t) for t in times):
        damaged(c.where, 'a reserved time', '2.3')
    out = [[] for _ in range(n)]
    for col in columns:
        p = c.padded((n + 7) // 8, '4.4')
        bits = int.from_bytes(c.b[p:p + (n + 7) // 8], 'little')
        if bits >> n:
            damaged(c.where, 'spare presence bits', '4.4')
        w = col.width
        at = c.padded(n * w, '4.4')
        for i in range(n):
            v = int.from_bytes(c.b[at + i * w:at + i * w + w], 'little')
            if not bits >> i & 1:
                if v:
                    damaged(c.where, 'a value where there is none', '4.4')
                out[i].append(None)
            elif not col.known:
                out[i].append(None)
            else:
                if col.type == BOOL and v > 1:
                    damaged(c.where, 'a bool that is not 0 or 1', '4.4')
                if col.type == I32 and v >> 31:
                    v -= 1 << 32
                out[i].append(signed(v) if col.type == I64 else v)
    return list(zip(times, out))


def join_riding(rows, policy):
    """Riding rows, one after another, put in order under the duplicate policy (4.6)."""
    out = []
    for row in rows:
        i = len(out)
        while i and out[i - 1][0] > row[0]:
            i -= 1
        equal = i > 0 and out[i - 1][0] == row[0]
        if policy == KEEP or not equal:
            out.insert(i, row)
        elif policy == REPLACE:
            out[i - 1] = row
    return out


# ---------------------------------------------------------------- slots and records (4)

class Record:
    rows_list = None            # the riding rows, in order of input
    kept = None                 # (ref, base_row, tree_rows)


def parse_record(c, columns):
    r = Record()
    start = c.take(56, '4.3')
    b = c.b
    size = u16(b, start)
    r.kind, r.flags, r.time_digits = b[start + 2], b[start + 3], b[start + 4]
    a, m = b[start + 5], u16(b, start + 6)
    if size % 8 or size < 56 or size > c.end - start:
        damaged(c.where, 'record_bytes %d' % size, '4.3')
    if r.kind > 6:
        damaged(c.where, 'record kind %d' % r.kind, '4.3')
    if r.flags > 2:
        damaged(c.where, 'record flags %#x' % r.flags, '4.3')
    if r.time_digits not in (0, 3, 6, 9):
        damaged(c.where, 'time_digits %d' % r.time_digits, '4.1')
    if m > 1024:
        damaged(c.where, 'message_bytes %d' % m, '4.3')
    r.version, r.rows_ever, r.rows = u64(b, start + 8), u64(b, start + 24), u64(b, start + 32)
    r.commit_ns, r.added, r.removed = i64(b, start + 16), u64(b, start + 40), u64(b, start + 48)
    if reserved_time(r.commit_ns) or r.version >> 63 or r.rows_ever >> 63 or r.rows > r.rows_ever:
        damaged(c.where, 'version, commit_ns, rows or rows_ever of a record', '4.3')
    end = start + size
    c = Cursor(b, start + 56, end, c.where)
    at = c.padded(a + m, '4.3')
    r.author = text_at(b[at:at + a], c.where, '4.3')
    r.message = text_at(b[at + a:at + a + m], c.where, '4.3', '\n\t')
    r.rows_list = []
    if r.flags == 2:
        at = c.take(40, '4.3')
        r.kept = (ref_at(b, at, c.where), u64(b, at + 24), u64(b, at + 32))
        if r.kept[0] == NOWHERE or r.kept[2] == 0:
            damaged(c.where, 'an empty kept root', '8.2')
        if r.kind not in REWRITES:
            damaged(c.where, 'a kept root in a record of kind %s' % KINDS[r.kind], '8.2')
    if r.flags == 1:
        r.rows_list = row_block(c, columns)
    if c.at != end:
        damaged(c.where, '%d bytes are left over in a record' % (end - c.at), '4.3')
    return r, end


class Slot:
    """A sound slot; the constructor refuses whatever 4.1 and 4.3 forbid."""

    def __init__(self, raw, header, where):
        self.raw = raw
        b = b''.join(raw[512 * i:512 * i + 504] for i in range(8))
        self.version = u64(b, 24)
        self.minor, self.compat, self.ro_compat, self.incompat = u16(b, 6), u64(b, 40), u64(b, 48), u64(b, 56)
        if self.incompat:
            raise OtrError('too new', where, 'incompat features %x of format version 1.%d; this reader reads 1.0'
                           % (self.incompat, self.minor), '3.2-4')

        def need(ok, what, rule='4.1'):
            if not ok:
                damaged(where, what, rule)
        self.self_synced, self.time_digits = b[4], b[5]
        need(b[4] <= 1, 'self_synced')
        need(b[5] in (0, 3, 6, 9), 'time_digits')
        need(self.version < 1 << 63, 'version', '2.5')
        self.commit_ns = i64(b, 32)
        need(not reserved_time(self.commit_ns), 'commit_ns')
        self.root, self.base_row, self.tree_rows = ref_at(b, 64, where), u64(b, 88), u64(b, 96)
        self.rows, self.rows_ever = u64(b, 104), u64(b, 112)
        self.first_ns, self.last_ns = i64(b, 120), i64(b, 128)
        self.newest_rewrite, self.log, self.oldest = u64(b, 136), ref_at(b, 144, where), u64(b, 168)
        self.metadata, self.horizon = ref_at(b, 176, where), i64(b, 200)
        self.page_count, self.live_pages = u64(b, 208), u64(b, 216)
        self.duplicates, self.history = b[224], b[227]
        need(b[224] <= 3, 'duplicates')
        need(b[225] <= 1 and b[226] <= 1 and b[227] <= 3, 'has_max_size, has_retain or history')
        zero(b, 228, 232, where, '4.1')
        self.max_size, self.retain, self.history_value = u64(b, 232), u64(b, 240), u64(b, 248)
        need(b[225] or not self.max_size, 'max_size')
        need(1 <= self.retain <= TMAX - 1 if b[226] else self.retain == 0, 'retain_ns')
        need(self.history in (1, 2) or self.history_value == 0, 'history_value')
        need(self.rows <= self.rows_ever and self.base_row <= self.rows_ever, 'rows or base_row', '4.1-1')
        need(self.rows_ever < 1 << 63, 'rows_ever', '2.5')
        need((self.root == NOWHERE) == (self.tree_rows == 0), 'root and tree_rows', '4.1-1')
        need(self.base_row + self.tree_rows <= self.rows_ever, 'rows_ever')
        need(self.page_count * header.page_size >= 16384 and self.page_count < 1 << 52, 'page_count', '4.1-1')
        need(self.horizon != TMAX, 'horizon_ns')
        if self.rows == 0:
            need(self.first_ns == 0 and self.last_ns == 0, 'first_ns or last_ns of no rows')
        else:
            need(not reserved_time(self.first_ns) and not reserved_time(self.last_ns)
                 and self.first_ns <= self.last_ns, 'first_ns or last_ns')
            need(self.first_ns >= self.horizon, 'the first row is before the horizon', '4.1-1')
        need(self.newest_rewrite <= self.version and self.oldest <= self.version, 'newest_rewrite or oldest_version', '4.1-1')
        f, self.freed_now, area = u16(b, 256), u16(b, 258), u16(b, 260)
        need(f <= 64 and self.freed_now <= f, 'freed')
        need(area % 8 == 0 and 264 + 8 * f + area <= 4032, 'area_bytes')
        need(b[262] <= 1 and b[263] == 0, 'has_carried')
        self.freed = [u64(b, 264 + 8 * i) for i in range(f)]
        need(len(set(self.freed)) == f and all(header.first_page <= p < self.page_count for p in self.freed),
             'freed pages')
        need(self.page_count - header.first_page - self.live_pages >= f, 'live_pages', '4.1-2')
        for r in (self.root, self.log, self.metadata):
            need(r == NOWHERE or header.first_page <= r[0] < self.page_count, 'a reference to page %d' % r[0], '5.2')
        end = 264 + 8 * f + area
        zero(b, end, 4032, where, '4.1')
        c = Cursor(b, 264 + 8 * f, end, where + ' record area')
        self.carried = []
        if b[262]:
            self.carried = row_block(c, header.columns)
            ts = [t for t, _ in self.carried]
            need(all(x <= y for x, y in zip(ts, ts[1:])), 'carried rows are not in order', '4.4')
            need(self.duplicates == KEEP or len(set(ts)) == len(ts), 'carried rows of equal time', '4.4')
        self.records = []
        while c.at < end:
            r, c.at = parse_record(c, header.columns)
            need(not self.records or r.version > self.records[-1].version, 'record versions do not ascend', '4.3')
            self.records.append(r)
        need(self.records, 'no record', '4.3')
        last = self.records[-1]
        need(last.version == self.version, "the last record's version is not the slot's", '4.3')
        need((last.commit_ns, last.rows, last.rows_ever, last.time_digits) ==
             (self.commit_ns, self.rows, self.rows_ever, self.time_digits), 'the last record differs from the slot', '4.1')
        riding = list(self.carried)
        seen = bool(riding)
        for r in self.records:
            riding += r.rows_list
            seen = seen or bool(r.rows_list)
            if seen:
                need(r.kept is None, 'a kept root after riding rows', '4.6-3')
                n = len(join_riding(riding, self.duplicates))
                need(r.rows_ever == self.base_row + self.tree_rows + n, 'rows_ever of record %d' % r.version, '4.6')
        self.riding = join_riding(riding, self.duplicates)
        need(self.rows_ever == self.base_row + self.tree_rows + len(self.riding), 'rows_ever', '4.1')

    def first_riding(self):
        """Index of the first record from which on rows ride, or None (8.3-1)."""
        if self.carried:
            return 0
        for i, r in enumerate(self.records):
            if r.rows_list:
                return i
        return None


SOUND, UNWRITTEN, BAD = 'sound', 'unwritten', 'bad'


class SlotView:
    """What can be told of a slot without the other one."""

    def __init__(self, raw, header, number):
        self.where = 'slot %d' % number
        self.number, self.raw = number, raw
        self.stamps = [u64(raw, 512 * i + 504) for i in range(8)]
        self.state, self.flipped, self.cut, self.slot, self.error = BAD, False, False, None, None
        stamps_ok = False
        version = u64(raw, 24)
        right = u32(raw, 0) == crc32(raw[4:])
        if right and raw[8:24] == header.file_id and self.stamps == [M64] * 8 \
                and not any(raw[i] for i in range(4096) if i >= 4 and not 8 <= i < 24 and i % 512 < 504):
            self.state = UNWRITTEN
            return
        if not right and version < 1 << 63:
            whole = b''.join(raw[512 * i:512 * i + 504] + struct.pack('<Q', version + 1) for i in range(8))
            wrong = [s for s in self.stamps if s != version + 1]
            over = any(1 <= s - version - 1 <= 65536 for s in wrong) and \
                not (len(wrong) == 1 and bin(wrong[0] ^ (version + 1)).count('1') == 1)
            self.cut = all(1 <= s <= version or s == M64 for s in wrong) and \
                not (len(wrong) == 1 and bin(wrong[0] ^ (version + 1)).count('1') == 1)
            if u32(whole, 0) == crc32(whole[4:]) and not over:
                raw, right, self.flipped = whole, True, True
                self.raw, stamps_ok = whole, True
        if not right:
            self.error = OtrError('damaged', self.where, 'crc is wrong', '4.2')
            return
        if raw[8:24] != header.file_id:
            self.error = OtrError('damaged', self.where, 'file_id is not the header\'s', '4.2')
            return
        if not stamps_ok and self.stamps != [version + 1] * 8:
            self.error = OtrError('damaged', self.where, 'stamps are not version plus one', '4.2')
            return
        try:
            self.slot = Slot(raw, header, self.where)
            self.state = SOUND
        except OtrError as e:
            self.error = e

    def verdict(self, good):
        """A bad slot beside the good one: torn, old or damaged (4.2-3 to 4.2-6)."""
        v = good.version
        fresh = v == 0 or good.records[-1].kind in (0, 6)

        def new(s):
            return v + 2 <= s <= v + 65537

        def old(s):
            return 1 <= s <= v or (fresh and s == M64)
        if len(set(self.stamps)) > 1 and all(new(s) or old(s) for s in self.stamps) and any(map(new, self.stamps)):
            return 'torn'
        if not any(map(new, self.stamps)) and any(map(old, self.stamps)):
            return 'old'
        return 'damaged'


# ---------------------------------------------------------------- log pages (4.5)

class LogPage:
    pass


LOG_FIELDS = ['version', 'commit_ns', 'kind', 'time_digits', 'rows_ever', 'rows', 'added', 'removed', 'author',
              'message', 'row_count', 'has_root']
ROOT_FIELDS = ['root_page', 'root_generation', 'root_crc', 'root_base_row', 'root_tree_rows']
GROUP_FIELDS = ['group_record', 'group_records', 'group_tree_end', 'group_carried', 'group_duplicates']


def parse_log_page(b, header, where):
    p = LogPage()
    columns = header.columns
    used, text_bytes, R, G, K, S, N = struct.unpack_from('<7I', b, 40)
    zero(b, 68, 72, where, '4.5')

    def need(ok, what, rule='4.5'):
        if not ok:
            damaged(where, what, rule)
    need(1 <= R <= 4096 and G <= R and K <= R and S <= 2 * R and N <= 65535 and N * (len(columns) + 1) <= 1 << 18,
         'counts of a log page')
    p.index, p.first_version, p.last_version = u64(b, 72), u64(b, 80), u64(b, 88)
    p.least, p.greatest, p.rewrite = i64(b, 96), i64(b, 104), u64(b, 112)
    p.prev, p.prev_rewrite = ref_at(b, 120, where), u64(b, 144)
    p.skip, p.skip_version, p.skip_rewrite = ref_at(b, 152, where), u64(b, 176), u64(b, 184)
    p.skip_least, p.skip_index = i64(b, 192), u64(b, 200)
    if p.index == 0:
        need((p.prev, p.prev_rewrite, p.skip, p.skip_version, p.skip_rewrite, p.skip_least, p.skip_index)
             == (NOWHERE, 0, NOWHERE, 0, 0, p.least, 0), 'links of log page 0')
    else:
        need(p.prev != NOWHERE and p.skip != NOWHERE and p.skip_index < p.index, 'links of log page %d' % p.index)
    count = 24 + len(columns)
    need(used % 8 == 0 and 208 + pad8(4 * count) <= used <= len(b), 'used %d' % used)
    zero(b, used, len(b), where)
    zero(b, 208 + 4 * count, 208 + pad8(4 * count), where)
    heap = used - pad8(text_bytes)
    need(heap >= 208, 'text_bytes %d' % text_bytes)
    zero(b, heap + text_bytes, used, where)
    offsets = list(struct.unpack_from('<%dI' % count, b, 208)) + [heap]
    need(offsets[0] == 208 + pad8(4 * count), 'the first chunk is not right after the offsets')
    need(all(o % 8 == 0 for o in offsets) and all(x < y for x, y in zip(offsets, offsets[1:])), 'chunk offsets')
    counts = [R] * 12 + [K] * 5 + [G] * 5 + [S, N] + [N] * len(columns)
    names = LOG_FIELDS + ROOT_FIELDS + GROUP_FIELDS + ['string_bytes', 'row times'] + [c.name for c in columns]
    f = {}
    cols = []
    for i in range(count):
        w = '%s chunk %s' % (where, names[i])
        if i < 24:
            f[names[i]] = decode_chunk(b, offsets[i], offsets[i + 1], I64, counts[i], w, 'log', log=True)
        elif N == 0:
            decode_chunk(b, offsets[i], offsets[i + 1], I64, 0, w, 'log')
            cols.append([])
        elif not columns[i - 24].known:
            cols.append([None] * N)
        else:
            cols.append(decode_chunk(b, offsets[i], offsets[i + 1], columns[i - 24].type, N, w, log=True))
    times = f['row times']
    need(not any(reserved_time(t) for t in times), 'a reserved time', '2.3')
    rows = [(t, [col[i] for col in cols]) for i, t in enumerate(times)]
    strings, at = [], heap
    for size in f['string_bytes']:
        need(0 <= size <= heap + text_bytes - at, 'string_bytes')
        strings.append(bytes(b[at:at + size]))
        at += size
    need(at == heap + text_bytes, 'strings do not sum up to text_bytes')
    p.records = []
    kept = 0
    for i in range(R):
        r = Record()
        for name in LOG_FIELDS:
            setattr(r, name, f[name][i])
        need(0 <= r.kind <= 6 and r.time_digits in (0, 3, 6, 9) and r.has_root in (0, 1), 'a field of record %d' % i, '4.3')
        need(0 <= r.version and 0 <= r.rows <= r.rows_ever and r.added >= 0 and r.removed >= 0 and r.row_count >= 0
             and not reserved_time(r.commit_ns), 'a field of record %d' % i, '4.3')
        need(0 <= r.author < S and 0 <= r.message < S, 'a string of record %d' % i)
        need(len(strings[r.author]) <= 255 and len(strings[r.message]) <= 1024, 'a long string of record %d' % i, '2.5')
        r.author = text_at(strings[r.author], where, '4.3')
        r.message = text_at(strings[r.message], where, '4.3', '\n\t')
        need(not p.records or r.version > p.records[-1].version, 'record versions do not ascend', '4.3')
        if r.has_root:
            need(kept < K, 'kept roots')
            x = [f[name][kept] for name in ROOT_FIELDS]
            need(x[0] >= header.first_page, 'a kept root is page %d' % x[0], '5.2')
            need(0 <= x[2] < 1 << 32 and x[1] >= 0 and x[3] >= 0 and x[4] > 0, 'a kept root')
            need(r.kind in REWRITES, 'a kept root in a record of kind %s' % KINDS[r.kind], '8.2')
            r.kept = ((x[0], x[1], x[2]), x[3], x[4])
            kept += 1
        p.records.append(r)
    need(kept == K, 'kept roots')
    p.groups = []
    at, done, in_group = 0, 0, set()
    for i in range(G):
        first, number, tree_end, carried, policy = [f[name][i] for name in GROUP_FIELDS]
        need(done <= first and 1 <= number <= R - first, 'a group of records', '4.5-2')
        need(tree_end >= 0 and 0 <= carried <= N - at and 0 <= policy <= 3, 'a group', '4.5')
        g = LogPage()
        g.first, g.end, g.tree_end, g.policy = first, first + number, tree_end, policy
        g.carried = rows[at:at + carried]
        ts = [t for t, _ in g.carried]
        need(all(x <= y for x, y in zip(ts, ts[1:])), 'carried rows are not in order', '4.4')
        at += carried
        for r in p.records[first:first + number]:
            need(r.row_count <= N - at, 'row_count', '4.5-2')
            r.rows_list = rows[at:at + r.row_count]
            at += r.row_count
            carried += r.row_count
        need(carried <= 504, 'a group of more rows than a slot holds', '4.5-2')
        in_group |= set(range(first, first + number))
        done = first + number
        g.riding_from = first if g.carried else next((k for k in range(first, g.end) if p.records[k].row_count), g.end)
        p.groups.append(g)
    need(at == N, 'rows of groups do not sum up', '4.5-2')
    need(all(r.row_count == 0 for i, r in enumerate(p.records) if i not in in_group), 'row_count outside groups', '4.5-2')
    need((p.first_version, p.last_version) == (p.records[0].version, p.records[-1].version), 'first_version or last_version')
    ts = [r.commit_ns for r in p.records]
    need((p.least, p.greatest) == (min(ts), max(ts)), 'least_ns or greatest_ns')
    own = [r.version for r in p.records if r.kept]
    need(p.rewrite == (own[-1] if own else p.prev_rewrite), 'rewrite')
    return p


# ---------------------------------------------------------------- statistics (6)

NAN = f64_of(0x7FF8000000000000)
INF = float('inf')


def finite(x):
    return x - x == 0


def two_sum(a, b):
    s = a + b
    if not finite(s):
        return s, 0.0
    t = s - a
    return s, (a - (s - t)) + (b - t)


def fast_sum(a, b):
    s = a + b
    if not finite(s):
        return s, 0.0
    return s, b - (s - a)


BIG, SMALL = 2.0 ** 900, 2.0 ** -900


def two_prod(a, b):
    p = a * b
    if not SMALL <= abs(p) < BIG:
        return p, 0.0
    c = 134217729.0 * a
    ah = c - (c - a)
    al = a - ah
    c = 134217729.0 * b
    bh = c - (c - b)
    bl = b - bh
    e = al * bl - (((p - ah * bh) - al * bh) - ah * bl)
    return p, e if finite(e) else 0.0


def dd_add(A, B):
    s, e = two_sum(A[0], B[0])
    t, f = two_sum(A[1], B[1])
    s, e = fast_sum(s, e + t)
    return dd_norm(fast_sum(s, e + f))


def dd_norm(A):
    if not finite(A[0]):
        return (NAN if A[0] != A[0] else A[0]), 0.0
    return A


def t8(x):
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]))


def join_lanes(hi, lo):
    total = None
    for h, l in zip(hi, lo):
        lane = dd_norm(fast_sum(h, l))
        total = lane if total is None else dd_add(total, lane)
    return dd_norm(total)


class Stat:
    """The words of one column (6). Floats are Python floats, integers are ints."""

    def __init__(self):
        self.count = self.nans = 0

    def words(self, floats):
        """The fifteen words as they are stored."""
        if self.count == 0:
            return [0, self.nans] + [0] * 13

        def f(x):
            return 0x7FF8000000000000 if x != x else bits64(x)

        def v(x):
            return f(x) if floats else x & M64
        s = [f(self.sum[0]), f(self.sum[1])] if floats else [self.sum & M64, self.sum >> 64 & M64]
        return [self.count, self.nans, v(self.min), v(self.max), *s, f(self.m2), v(self.first), v(self.last),
                self.t_first & M64, self.t_last & M64, f(self.area[0]), f(self.area[1]), self.covered, v(self.rise)]


def stat_of_words(w, floats):
    s = Stat()
    s.count, s.nans = w[0], w[1]
    if s.count:
        v = f64_of if floats else signed
        s.min, s.max, s.first, s.last = v(w[2]), v(w[3]), v(w[7]), v(w[8])
        s.sum = (f64_of(w[4]), f64_of(w[5])) if floats else (w[4] | signed(w[5]) << 64)
        s.m2, s.t_first, s.t_last = f64_of(w[6]), signed(w[9]), signed(w[10])
        s.area, s.covered = (f64_of(w[11]), f64_of(w[12])), w[13]
        s.rise = f64_of(w[14]) if floats else w[14]
    return s


def pair(t0, v0, t1, v1, step, gap):
    """p, g, dt of a pair that adds to area, or None (6.7)."""
    dt = t1 - t0
    if dt <= 0 or (gap is not None and dt > gap):
        return None
    v0, v1 = float(v0), float(v1)
    if not (finite(v0) and finite(v1)):
        return None
    h, l = (v0, 0.0) if step else two_sum(v0 / 2, v1 / 2)
    d = float(dt)
    p, e = two_prod(h, d)
    return p, e + l * d, dt


def pair_rise(v0, v1, floats):
    if floats and not (finite(v0) and finite(v1)):
        return 0.0
    zero_ = 0.0 if floats else 0
    if v1 > v0:
        return v1 - v0
    if v1 < v0:
        return max(v1, zero_)
    return zero_


def order_key(x):
    return total_order(F64, bits64(x))


def leaf_stat(times, values, typ, step, gap):
    """Statistics of a leaf's column (6.6), values as decode_chunk gives them."""
    floats = is_float(typ)
    s = Stat()
    hi, lo, ahi, alo = [0.0] * 8, [0.0] * 8, [0.0] * 8, [0.0] * 8
    rises = [0.0] * 8 if floats else [0] * 8
    counted = []
    s.covered = 0
    exact = 0
    last = None
    j = -1
    for t, v in zip(times, values):
        if v is None:
            continue
        j += 1
        if floats:
            if is_nan(typ, v):
                s.nans += 1
                continue
            v = f32_of(v) if typ == F32 else f64_of(v)
            lane = j & 7
            hi[lane], e = two_sum(hi[lane], v)
            lo[lane] = lo[lane] + e
        else:
            exact += v
        lane = j & 7
        counted.append((lane, v))
        if last is None:
            s.first, s.t_first = v, t
        else:
            P = pair(last[0], last[1], t, v, step, gap)
            if P:
                ahi[lane], f = two_sum(ahi[lane], P[0])
                alo[lane] = alo[lane] + (f + P[1])
                s.covered += P[2]
            rises[lane] += pair_rise(last[1], v, floats)
        last = (t, v)
    s.count = n = len(counted)
    if n == 0:
        return s
    s.last, s.t_last = last[1], last[0]
    vs = [v for _, v in counted]
    s.min, s.max = (min(vs, key=order_key), max(vs, key=order_key)) if floats else (min(vs), max(vs))
    S1, S2 = [0.0] * 8, [0.0] * 8
    if floats:
        s.sum = join_lanes(hi, lo)
        mean = s.sum[0] / n
    else:
        s.sum = exact
        mean = exact // n
    if floats and not finite(mean):
        s.m2 = NAN
    else:
        for lane, v in counted:
            d = v - mean if floats else float(v - mean)
            S1[lane] += d
            S2[lane] += d * d
        s1, s2 = t8(S1), t8(S2)
        s.m2 = s2 - (s1 * s1) / n
        if s.m2 < 0:
            s.m2 = 0.0
    s.area = join_lanes(ahi, alo)
    s.rise = t8(rises) if floats else min(sum(rises), M64)
    return s


def merge_stat(A, B, typ, step, gap):
    """A earlier, B later (6.6)."""
    s = Stat()
    if A.count == 0 or B.count == 0:
        s.__dict__.update((B if A.count == 0 else A).__dict__)
        s.nans = A.nans + B.nans
        return s
    floats = is_float(typ)
    s.count, s.nans = A.count + B.count, A.nans + B.nans
    if floats:
        s.min, s.max = min(A.min, B.min, key=order_key), max(A.max, B.max, key=order_key)
        s.sum = dd_add(A.sum, B.sum)
    else:
        s.min, s.max, s.sum = min(A.min, B.min), max(A.max, B.max), A.sum + B.sum
    nA, nB, N = float(A.count), float(B.count), float(s.count)

    def mean(S, n):
        if floats:
            q = S.sum[0] / n
            p, e = two_prod(q, n)
            return q, (((S.sum[0] - p) - e) + S.sum[1]) / n
        q = S.sum // S.count
        return q, float(S.sum - q * S.count) / n
    qA, rA = mean(A, nA)
    qB, rB = mean(B, nB)
    delta = (qB - qA if floats else float(qB - qA)) + (rB - rA)
    s.m2 = (A.m2 + B.m2) + (delta * delta) * ((nA / N) * nB)
    if floats and not finite(s.sum[0] / N):
        s.m2 = NAN
    s.first, s.t_first, s.last, s.t_last = A.first, A.t_first, B.last, B.t_last
    P = pair(A.t_last, A.last, B.t_first, B.first, step, gap)
    area, s.covered = A.area, A.covered + B.covered
    if P:
        area = dd_add(area, dd_norm(fast_sum(P[0], P[1])))
        s.covered += P[2]
    s.area = dd_add(area, B.area)
    rise = pair_rise(A.last, B.first, floats)
    s.rise = (A.rise + rise) + B.rise if floats else min(A.rise + rise + B.rise, M64)
    return s


# ---------------------------------------------------------------- the file

class Leaf:
    pass


# Pages that were parsed and found sound, by their bytes and the header's: a program that asks for many versions in one process sets it to {}.
parsed = None


def once(key, parse, *args):
    """parse(*args), or what it gave before for the same key."""
    if parsed is None:
        return parse(*args)
    if key not in parsed:
        parsed[key] = parse(*args)
    return parsed[key]


class Otr:
    def __init__(self, path, warn=None, deflate=True):
        self.warnings = []
        self.notes = []
        self.say = warn or (lambda text: None)
        self.deflate = deflate
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self.fd).st_size
        self.status = 0
        self.open()

    def warning(self, text):
        self.warnings.append(text)
        self.say('warning: ' + text)

    def read(self, at, n):
        b = b''
        while len(b) < n:
            more = os.pread(self.fd, n - len(b), at + len(b))
            if not more:
                break
            b += more
        return b

    # ---- opening (3.2, 4.2)

    def open(self):
        start = self.read(0, 16384)
        if start[:8] != MAGIC:
            if len(start) < 8 and MAGIC.startswith(start):
                raise OtrError('truncated', 'file', '%d bytes' % len(start), '3.2-2')
            raise OtrError('not an OTR file', 'file', 'the first bytes are not the magic', '3.2-1')
        if len(start) < 16384:
            raise OtrError('truncated', 'file', '%d bytes' % len(start), '3.2-2')
        self.start = start
        self.header_error = None
        try:
            self.header = Header(start[:4096], 'header')
        except OtrError as e:
            if e.kind != 'damaged':
                raise
            self.header_error = e
            copy = start[12288:]
            try:
                if copy[:8] != MAGIC:
                    damaged('header copy', 'magic is wrong', '3')
                self.header = Header(copy, 'header copy')
            except OtrError as e2:
                if e2.kind != 'damaged':
                    raise
                raise e
            self.warning('%s; its copy at 12288 is used' % e)
        self.columns = self.header.columns
        self.choose()

    def choose(self):
        h = self.header
        views = []
        for i in (0, 1):
            v = SlotView(self.start[4096 + 4096 * i:8192 + 4096 * i], h, i)
            if v.state == BAD:                                  # a writer may be in the middle of it
                v = SlotView(self.read(4096 + 4096 * i, 4096), h, i)
            views.append(v)
        self.views = views
        self.other = None               # the other slot, if it is sound
        self.damaged_slot = None        # set where 4.2-6 holds
        self.verdicts = {}
        good = [v for v in views if v.state == SOUND]
        for v in views:
            if v.error and v.error.kind == 'too new':
                if all(g.slot.version < u64(v.raw, 24) for g in good):
                    raise v.error
        if not good:
            bad = [v for v in views if v.state == BAD]
            e = bad[0].error
            raise OtrError('damaged', 'both slots', e.what, '4.2-7' if e.rule == '4.2' else e.rule)
        if len(good) == 2:
            a, b = sorted(good, key=lambda v: v.slot.version)
            if a.slot.version == b.slot.version:
                if a.raw != b.raw:
                    raise OtrError('damaged', 'slots', 'two different slots of version %d' % a.slot.version, '4.2-1')
                self.warning('both slots have version %d' % a.slot.version)
            state = b
            self.other = a.slot
        else:
            state = good[0]
            bad = views[1 - state.number]
            if bad.state == BAD:
                verdict = bad.verdict(state.slot)
                self.verdicts[bad.number] = verdict
                if verdict == 'torn':
                    self.warning('slot %d is torn; version %d is the state' % (bad.number, state.slot.version))
                elif verdict == 'old':
                    self.warning('slot %d, the older one, is damaged' % bad.number)
                else:
                    self.damaged_slot = OtrError('damaged', bad.where, '%s; a commit may be lost; version %d is sound (otr-rollback to it)'
                                                 % (bad.error.what if bad.error else 'noise', state.slot.version), '4.2-6')
        if state.flipped:
            self.warning('slot %d %s' % (state.number, 'was cut, nothing missing but stamps' if state.cut else 'has a flipped stamp'))
        self.state_number = state.number
        self.slot = state.slot
        self.in_force()

    def in_force(self):
        self.ro = self.header.ro_compat | self.slot.ro_compat

    # ---- pages (5.1, 5.2)

    def page(self, ref, types, level, limit, where=None):
        """The bytes of a page after all checks of 5.2-1. level None: a root, any that suits its type."""
        n, generation, crc = ref
        where = where or 'page %d' % n
        size = self.header.page_size
        if not self.header.first_page <= n < self.slot.page_count:
            damaged(where, 'the number is out of range', '5.2')
        if (n + 1) * size > self.size:
            raise OtrError('truncated', where, 'lies beyond the end of the file', '5.2-2')
        b = self.read(n * size, size)
        if len(b) < size:
            raise OtrError('truncated', where, 'lies beyond the end of the file', '5.2-2')
        if u32(b, 0) != crc32(b[4:]):
            damaged(where, 'crc is wrong', '5.2-1')
        if u32(b, 0) != crc:
            damaged(where, 'crc is not the one of the reference', '5.2-1')
        if u64(b, 8) != n:
            damaged(where, 'is page %d' % u64(b, 8), '5.2-1')
        if b[16:32] != self.header.file_id:
            damaged(where, 'is of another file', '5.2-1')
        if u64(b, 32) != generation:
            damaged(where, 'generation is %d, not %d' % (u64(b, 32), generation), '5.2-1')
        if b[4] not in types:
            damaged(where, 'type is %d' % b[4], '5.2-1')
        if level is None:
            if (b[4] == 1) != (b[5] == 0) or b[5] > 15:
                damaged(where, 'type %d of level %d' % (b[4], b[5]), '5.3-1')
        elif b[5] != level:
            damaged(where, 'level is %d, not %d' % (b[5], level), '5.3-1')
        zero(b, 6, 8, where, '5.1')
        if generation > limit:
            damaged(where, 'generation %d is greater than %d' % (generation, limit), '5.3-2')
        return b

    def parse_leaf(self, b, where):
        return once((self.deflate, self.header.raw, b), self.new_leaf, b, where)

    def new_leaf(self, b, where):
        C = len(self.columns)
        rows, used = u32(b, 40), u32(b, 44)
        if not 1 <= rows <= 65535 or rows * (C + 1) > 1 << 18:
            damaged(where, '%d rows in a leaf' % rows, '5.5')
        first = 48 + pad8(4 * (1 + C))
        if used % 8 or not first <= used <= len(b):
            damaged(where, 'used %d' % used, '5.5')
        zero(b, used, len(b), where)
        zero(b, 48 + 4 * (1 + C), first, where, '5.5')
        offsets = list(struct.unpack_from('<%dI' % (1 + C), b, 48)) + [used]
        if offsets[0] != first or any(o % 8 for o in offsets) or any(x >= y for x, y in zip(offsets, offsets[1:])):
            damaged(where, 'chunk offsets', '5.5')
        leaf = Leaf()
        leaf.rows = rows
        leaf.unsupported = {}
        leaf.times = decode_chunk(b, offsets[0], offsets[1], I64, rows, where + ' times', 'time', self.deflate)
        if any(x > y for x, y in zip(leaf.times, leaf.times[1:])):
            damaged(where, 'times decrease', '7.5')
        if reserved_time(leaf.times[0]) or reserved_time(leaf.times[-1]):
            damaged(where, 'a reserved time', '2.3')
        leaf.columns = []
        for i, col in enumerate(self.columns):
            w = '%s column "%s"' % (where, col.name)
            values = [None] * rows
            if not col.known:
                leaf.unsupported[i] = OtrError('unsupported', w, 'column type %d' % col.type, '3.4')
            else:
                try:
                    values = decode_chunk(b, offsets[i + 1], offsets[i + 2], col.type, rows, w, 'leaf', self.deflate)
                except OtrError as e:
                    if e.kind != 'unsupported':
                        raise
                    leaf.unsupported[i] = e
            leaf.columns.append(values)
        return leaf

    def parse_inner(self, b, where):
        """[(ref, rows, first, last, [15 words a column])]"""
        C = len(self.columns)
        size = 48 + 120 * C
        count = u32(b, 40)
        if not 1 <= count <= (len(b) - 48) // size:
            damaged(where, '%d entries' % count, '5.4')
        zero(b, 44, 48, where, '5.4')
        zero(b, 48 + count * size, len(b), where)
        out = []
        for i in range(count):
            at = 48 + i * size
            ref = ref_at(b, at, where)
            rows, first, last = u64(b, at + 24), i64(b, at + 32), i64(b, at + 40)
            if rows < 1 or first > last or reserved_time(first) or reserved_time(last):
                damaged(where, 'rows or times of entry %d' % i, '5.4')
            if out and out[-1][3] > first:
                damaged(where, 'entry %d begins before the one before ends' % i, '5.3-4')
            words = [list(struct.unpack_from('<15Q', b, at + 48 + 120 * k)) for k in range(C)]
            out.append((ref, rows, first, last, words))
        return out

    def leaves(self, root, tree_rows, limit, wanted=None):
        """Leaves of a tree in order; entries that end before the horizon are not followed: (rows, None). wanted: only the one with that row is."""
        budget = [self.slot.page_count]
        passed = [0]

        def walk(ref, level, limit, expect):
            budget[0] -= 1
            if budget[0] < 0:
                damaged('page %d' % ref[0], 'the walk visits more pages than the file has', '5.3-6')
            where = 'page %d' % ref[0]
            b = self.page(ref, (1,) if level == 0 else (2,) if level else (1, 2), level, limit, where)
            if b[4] == 1:
                leaf = self.parse_leaf(b, where)
                if expect and (leaf.rows, leaf.times[0], leaf.times[-1]) != expect:
                    damaged(where, "rows or times are not the parent's", '5.3-3')
                if level is None and leaf.rows != tree_rows:
                    damaged(where, 'rows of the root are not tree_rows', '5.3-7')
                passed[0] += leaf.rows
                yield leaf.rows, leaf
                return
            entries = self.parse_inner(b, where)
            total = sum(e[1] for e in entries)
            if expect and (total, entries[0][2], entries[-1][3]) != expect:
                damaged(where, "rows or times are not the parent's", '5.3-3')
            if level is None and total != tree_rows:
                damaged(where, 'rows of the root are not tree_rows', '5.3-7')
            for ref, rows, first, last, _ in entries:
                if last < self.slot.horizon or wanted is not None and not passed[0] <= wanted < passed[0] + rows:
                    passed[0] += rows
                    yield rows, None
                else:
                    yield from walk(ref, b[5] - 1, u64(b, 32), (rows, first, last))
        if root != NOWHERE:
            yield from walk(root, None, limit, None)

    # ---- versions (8)

    def log_page(self, ref, limit):
        where = 'page %d' % ref[0]
        b = self.page(ref, (3,), 0, limit, where)
        p = once((LogPage, self.header.raw, b), parse_log_page, b, self.header, where)
        p.ref, p.where = ref, where
        if p.prev != NOWHERE and p.prev[1] >= ref[1] or p.skip != NOWHERE and p.skip[1] >= ref[1]:
            damaged(where, 'a link to a page that is not older', '4.5-4')
        return p

    def newest_log(self):
        if self.slot.log == NOWHERE:
            return None
        p = self.log_page(self.slot.log, self.slot.version)
        if p.last_version >= self.slot.records[0].version:
            damaged(p.where, 'the log overlaps the record area', '4.3')
        return p

    def log_step(self, p, skip=False):
        """The log page that prev or skip leads to; it must be what p says of it."""
        ref = p.skip if skip else p.prev
        q = self.log_page(ref, ref[1])
        if q.index != (p.skip_index if skip else p.index - 1):
            damaged(p.where, '%s leads to log page %d' % ('skip' if skip else 'prev', q.index), '4.5')
        if q.rewrite != (p.skip_rewrite if skip else p.prev_rewrite):
            damaged(p.where, 'skip_rewrite' if skip else 'prev_rewrite', '4.5')
        if q.last_version >= p.first_version or skip and q.last_version != p.skip_version:
            damaged(p.where, 'skip_version' if skip else 'overlaps the page before', '4.5')
        return q

    def find(self, V):
        """(record, log page or None, index) of version V."""
        s = self.slot
        if V < s.oldest:                # its record may still be there
            raise OtrError('pruned', 'version %d' % V, 'is no longer kept; the oldest is %d' % s.oldest, '8.8')
        for i, r in enumerate(s.records):
            if r.version == V:
                return r, None, i
        p = self.newest_log() if V < s.records[0].version else None
        while p and V < p.first_version:
            if p.index == 0:
                p = None
            else:
                p = self.log_step(p, V <= p.skip_version)
        for i, r in enumerate(p.records if p else []):
            if r.version == V:
                return r, p, i
        raise OtrError('argument', 'version %d' % V, 'there is no such version', '8.7')

    def find_time(self, T):
        for r in reversed(self.slot.records):
            if r.commit_ns <= T and r.version >= self.slot.oldest:
                return r.version
        p = self.newest_log()
        while p:
            if p.least <= T:
                for r in reversed(p.records):
                    if r.commit_ns <= T:
                        if r.version < self.slot.oldest:
                            p = None
                            break
                        return r.version
                break
            if p.index == 0 or p.first_version <= self.slot.oldest:
                break
            p = self.log_step(p, p.skip_least > T)
        raise OtrError('argument', 'time', 'no version that is kept is as old as that', '8.4')

    def tree_of(self, V):
        """(root, base_row, tree_rows, greatest generation) of the tree that V reads from (8.2, 8.7)."""
        s = self.slot
        if V < s.newest_rewrite:
            p = self.newest_log() if V < s.records[0].version else None
            if p and p.rewrite > V:
                while True:
                    if p.index and p.skip_rewrite > V:
                        p = self.log_step(p, True)
                    elif p.index and p.prev_rewrite > V:
                        p = self.log_step(p)
                    else:
                        break
                for r in p.records:
                    if r.kept and r.version > V:
                        return r.kept + (r.version,)
                damaged(p.where, 'the kept root is not there', '8.7')
            for r in s.records:
                if r.kept and r.version > V:
                    return r.kept + (r.version,)
        return s.root, s.base_row, s.tree_rows, s.version

    def time_of_row(self, root, tree_rows, limit, k):
        """The time of row k of a tree; None if it has expired."""
        for n, leaf in self.leaves(root, tree_rows, limit, k):
            if k < n:
                return leaf and leaf.times[k]
            k -= n

    def snapshot(self, V):
        """(record, root, base_row, tree_rows, limit, number of tree rows to take, riding rows joined)."""
        s = self.slot
        rec, p, i = self.find(V)
        root, base, tree_rows, limit = self.tree_of(V)
        riding = []
        if p is None:
            first = s.first_riding()
            if first is not None and i >= first:
                riding = list(s.carried)
                for r in s.records[:i + 1]:
                    riding += r.rows_list
                riding = join_riding(riding, s.duplicates)
                end = s.base_row + s.tree_rows
            else:
                end = rec.rows_ever
        else:
            end = rec.rows_ever
            for g in p.groups:
                if g.first <= i < g.end and i >= g.riding_from:
                    riding = list(g.carried)
                    for r in p.records[g.first:i + 1]:
                        riding += r.rows_list
                    riding = join_riding(riding, g.policy)
                    end = g.tree_end
                    if end + len(riding) != rec.rows_ever:
                        damaged(p.where, 'rows_ever of version %d does not follow from its group' % V, '8.3')
        if rec.rows == 0:
            return rec, NOWHERE, base, 0, limit, 0, []
        take = max(0, end - base)
        if take > tree_rows:
            damaged('version %d' % V, 'has %d rows in a tree of %d' % (take, tree_rows), '8.3-4')
        return rec, root, base, tree_rows, limit, take, riding

    def rows_of(self, V):
        """(record, iterator of (time, values), unsupported columns seen so far)"""
        rec, root, base, tree_rows, limit, take, riding = self.snapshot(V)
        unsupported = {}
        horizon = self.slot.horizon

        def rows():
            left, last = take, None
            for n, leaf in self.leaves(root, tree_rows, limit) if take else []:
                if left <= 0:
                    break
                if leaf is not None:
                    unsupported.update(leaf.unsupported)
                    if last is not None and leaf.times[0] < last:
                        damaged('tree', 'times decrease from leaf to leaf', '5.3-4')
                    last = leaf.times[min(n, left) - 1]
                    for k in range(min(n, left)):
                        if leaf.times[k] >= horizon:
                            yield leaf.times[k], [c[k] for c in leaf.columns]
                left -= n
            for i, col in enumerate(self.columns):
                if not col.known and riding:
                    unsupported[i] = OtrError('unsupported', 'column "%s"' % col.name, 'column type %d' % col.type, '3.4')
            for t, v in riding:
                if last is not None and t < last:
                    damaged('riding rows', 'are before the end of the tree', '4.6-2')
                if t >= horizon:
                    yield t, v
        return rec, rows(), unsupported

    def log_records(self):
        """All records that are kept, newest first."""
        for r in reversed(self.slot.records):
            if r.version < self.slot.oldest:
                return
            yield r
        p = self.newest_log()
        while p:
            for r in reversed(p.records):
                if r.version < self.slot.oldest:
                    return
                yield r
            if p.index == 0 or p.first_version <= self.slot.oldest:
                return
            p = self.log_step(p)

    # ---- metadata (5.6)

    def meta_page(self, ref, limit):
        where = 'page %d' % ref[0]
        b = self.page(ref, (4,), 0, limit, where)
        size = u32(b, 92)
        if size > len(b) - 96:
            damaged(where, 'bytes %d' % size, '5.6')
        zero(b, 96 + size, len(b), where)
        return b, ref_at(b, 40, where), ref_at(b, 64, where), u32(b, 88), b[96:96 + size], where

    def meta_chain(self, ref, limit):
        """(bytes of the stream, previous, pages)"""
        generation = ref[1]
        b, nxt, previous, remaining, data, where = self.meta_page(ref, limit)
        pages = [ref[0]]
        room = len(b) - 96
        if previous != NOWHERE and previous[1] >= generation:
            damaged(where, 'previous is not older', '5.6-2')
        if remaining * room > 1 << 20:
            damaged(where, 'remaining %d' % remaining, '5.6')
        while True:
            if (nxt == NOWHERE) != (remaining == 0):
                damaged(where, 'next and remaining', '5.6-2')
            if nxt == NOWHERE:
                break
            if len(data) % room:
                damaged(where, 'a page that is not the last is not full', '5.6')
            if nxt[1] != generation:
                damaged(where, 'next is of another generation', '5.6-2')
            b, nxt2, prev2, rem2, more, where = self.meta_page(nxt, limit)
            if rem2 != remaining - 1 or prev2 != NOWHERE:
                damaged(where, 'remaining or previous', '5.6-2')
            pages.append(nxt[0])
            data += more
            nxt, remaining = nxt2, rem2
        if len(data) > 1 << 20:
            damaged(where, '%d bytes of metadata' % len(data), '2.5')
        return data, previous, pages

    def parse_meta(self, data, where='metadata'):
        out, at = [], 0
        while at < len(data):
            if len(data) - at < 8:
                damaged(where, 'an entry is cut', '5.6-1')
            k, z, v = u16(data, at), u16(data, at + 2), u32(data, at + 4)
            if z or not 1 <= k <= 512 or k + v > len(data) - at - 8:
                damaged(where, 'key_bytes %d, value_bytes %d' % (k, v), '5.6-1')
            key, value = data[at + 8:at + 8 + k], data[at + 8 + k:at + 8 + k + v]
            try:
                text, value = key.decode(), value.decode()
            except UnicodeDecodeError:
                damaged(where, 'text is not UTF-8', '5.6-1')
            if out and key <= out[-1][2]:
                damaged(where, 'keys do not ascend', '5.6-1')
            if not re.fullmatch('[A-Za-z0-9._-]+', text) \
                    and not (text.startswith('unit.') and text[5:] in [c.name for c in self.columns]):
                damaged(where, 'key %r' % text, '5.6-1')
            if text.startswith('otr.'):
                damaged(where, 'key %r' % text, '5.6-3')
            if '\0' in value:
                damaged(where, 'NUL in a value', '5.6-1')
            out.append((text, value, key))
            at += 8 + k + v
        return [(k, v) for k, v, _ in out]

    def meta_of(self, V):
        ref = self.slot.metadata
        limit = self.slot.version
        while ref != NOWHERE and ref[1] > V:
            b, _, previous, _, _, where = self.meta_page(ref, limit)
            if previous != NOWHERE and previous[1] >= ref[1]:
                damaged(where, 'previous is not older', '5.6-2')
            limit, ref = ref[1], previous
        if ref == NOWHERE:
            return []
        return self.parse_meta(self.meta_chain(ref, limit)[0], 'page %d' % ref[0])


# ---------------------------------------------------------------- verify (class V)

class Verify:
    """Collects findings; never stops at the first."""

    def __init__(self, otr):
        self.o = otr
        self.findings = []
        self.notes = []
        self.unsupported = []
        self.seen = {}          # page number -> (ref, summary or None)
        self.reached = set()    # pages reached by the state, the log, kept roots, metadata

    def find(self, where, what, rule):
        text = '%s: %s (SPEC %s)' % (where, what, rule)
        if text not in self.findings:
            self.findings.append(text)

    def tried(self, f, *args):
        try:
            return f(*args)
        except OtrError as e:
            self.error(e)
            return None

    def error(self, e):
        if e.kind == 'unsupported':                 # no fault of the file, but not verified either
            if str(e) not in self.unsupported:
                self.unsupported.append(str(e))
        else:
            self.find(e.where, e.what if e.kind == 'damaged' else e.kind + ': ' + e.what, e.rule)

    def run(self):
        o = self.o
        s = o.slot
        if o.header_error:
            self.find('header', o.header_error.what, o.header_error.rule)
        for at in (0, 12288):
            b = o.start[at:at + 4096]
            if b[:8] != MAGIC or u32(b, 8) != crc32(b[12:]):
                self.find('header' if at == 0 else 'header copy', 'magic or crc is wrong', '3')
        if o.start[:4096] != o.start[12288:]:
            self.find('header', 'the two headers differ', '3')
        if o.other and o.other.version == s.version:
            self.find('slots', 'both have version %d' % s.version, '4.2-1')
        for v in o.views:
            if v.flipped and v.cut:
                self.notes.append('%s: cut, nothing missing but stamps (SPEC 4.2-2)' % v.where)
            elif v.flipped:
                self.find(v.where, 'a flipped stamp', '4.2-2')
            if v.state == BAD:
                verdict = o.verdicts.get(v.number)
                if verdict == 'torn':
                    self.notes.append('%s: torn (SPEC 4.2-4)' % v.where)
                elif verdict == 'old':
                    self.find(v.where, 'older and damaged: ' + v.error.what, '4.2-5')
                else:
                    self.find(v.where, v.error.what, v.error.rule)
        if o.damaged_slot:
            self.find(o.damaged_slot.where, o.damaged_slot.what, '4.2-6')
        size = o.header.page_size
        if size > 16384:
            if any(o.read(16384, size - 16384)):
                self.find('file', 'bytes 16384..%d are not zero' % (size - 1), '5.1')
        if o.size > s.page_count * size:
            self.notes.append('file: %d bytes behind the last page' % (o.size - s.page_count * size))
        elif o.size < s.page_count * size:
            self.find('file', 'shorter than page_count', '5.2-2')
        self.state(s, True)
        other = o.other
        if other and other.version < s.version:
            # the older slot's state must stand whole (9.1)
            kept, o.slot = o.slot, other
            mark = len(self.findings)
            self.reached_new = self.reached
            self.reached = set()
            if other.horizon != kept.horizon:
                self.seen = {}                                  # what is followed depends on it
            self.state(other, False)
            self.findings[mark:] = ['slot of version %d: %s' % (other.version, f) for f in self.findings[mark:]]
            o.slot = kept
            usable = s.freed[s.freed_now:]
            for n in usable:
                if n in self.reached:
                    self.find('slot %d' % o.state_number, 'freed page %d is reached by the version before' % n, '9.2')
            self.reached = self.reached_new
        return self.findings

    def state(self, s, newest):
        o = self.o
        # the present tree
        visited = set()
        top = self.tried(self.tree, s.root, s.version, s.tree_rows, visited, s.horizon) if s.tree_rows else None
        if top:
            rows, first, last, _, _ = top
            if s.riding:
                t = s.riding[0][0]
                if t < last or (t == last and s.duplicates != KEEP):
                    self.find('slot', 'a riding row is not after the tree', '4.6-2')
        # the log, its kept roots, metadata
        records = self.tried(self.log, s) or []
        records += [(r, None, i) for i, r in enumerate(s.records)]
        kept = [(r.version, r.kept) for r, _, _ in records if r.kept]
        for i, (r, p, k) in enumerate(records):
            if r.kept and r.version > s.oldest:
                self.tried(self.tree, r.kept[0], r.version, r.kept[2], set(), s.horizon)
            if i:
                q = records[i - 1][0]
                if s.horizon == TMIN and r.rows != q.rows + r.added - r.removed:
                    self.find('record of version %d' % r.version, 'rows, added and removed do not balance', '4.3-2')
        rewrites = [r.version for r, _, _ in records if r.kept]
        may = [r.version for r, _, _ in records if r.kind in REWRITES]
        if rewrites and s.newest_rewrite < rewrites[-1] or s.newest_rewrite >= max(1, s.oldest) and s.newest_rewrite not in may:
            self.find('slot', 'newest_rewrite %d' % s.newest_rewrite, '4.1')
        if records and s.oldest < records[0][0].version:
            self.find('slot', 'oldest_version %d is not in the log' % s.oldest, '4.1')
        for r, p, i in records:
            if r.version >= s.oldest:
                self.tried(self.version, r, p, i)
        self.metadata(s)
        self.rows(s)
        lazy = s.horizon != TMIN or s.oldest > 0 or s.history != 0      # 4.1-2: what went may still count
        if len(self.reached) > s.live_pages or len(self.reached) < s.live_pages and not lazy:
            self.find('slot', 'live_pages is %d, %d are reached' % (s.live_pages, len(self.reached)), '4.1-2')
        for n in s.freed:
            if n in self.reached:
                self.find('slot', 'freed page %d is in use' % n, '9.2')

    def version(self, r, p, i):
        rec, root, base, tree_rows, limit, take, riding = self.o.snapshot(r.version)
        policy = next((g.policy for g in p.groups if g.first <= i < g.end), REPLACE) if p else self.o.slot.duplicates
        n = take + len(riding)
        if self.o.slot.horizon == TMIN and n != rec.rows:
            self.find('version %d' % r.version, 'has %d rows, its record says %d' % (n, rec.rows), '8.3-4')
        if riding and take:
            last = self.o.time_of_row(root, tree_rows, limit, take - 1)
            if last is not None and (riding[0][0] < last or riding[0][0] == last and policy != KEEP):
                self.find('version %d' % r.version, 'a riding row is not after the tree', '4.6-2')

    def rows(self, s):
        o = self.o

        def work():
            _, it, _ = o.rows_of(s.version)
            n, first, last, digits = 0, 0, 0, 0
            for t, _ in it:
                if n == 0:
                    first = t
                n, last = n + 1, t
                digits = max(digits, 0 if t % 10 ** 9 == 0 else 3 if t % 10 ** 6 == 0 else 6 if t % 1000 == 0 else 9)
            if n != s.rows:
                self.find('slot', 'rows is %d, there are %d' % (s.rows, n), '4.1')
            elif (first, last) != (s.first_ns, s.last_ns):
                self.find('slot', 'first_ns or last_ns', '4.1')
            if digits > s.time_digits:
                self.find('slot', 'time_digits %d, times have %d' % (s.time_digits, digits), '4.1')
        self.tried(work)

    def metadata(self, s):
        ref, limit = s.metadata, s.version
        newest = True
        while ref != NOWHERE:
            if not newest and self.next_needed < s.oldest:
                break
            got = self.tried(self.o.meta_chain, ref, limit)
            if got is None:
                break
            data, previous, pages = got
            for n in pages:
                self.claim(n)
            self.tried(self.o.parse_meta, data, 'page %d' % ref[0])
            self.next_needed = ref[1] - 1       # versions before this generation read the chain before
            newest = False
            limit, ref = ref[1], previous

    def claim(self, n):
        self.reached.add(n)

    def log(self, s):
        o = self.o
        out, pages = [], []
        p = o.newest_log()
        while p:
            self.claim(p.ref[0])
            pages.append(p)
            out = [(r, p, i) for i, r in enumerate(p.records)] + out
            if p.index == 0 or p.first_version <= s.oldest:
                break
            p = o.log_step(p)
        by_index = {p.index: p for p in pages}
        for p in pages:
            if p.index == 0:
                continue
            if p.skip_index != skip_of(p.index) if s.oldest == 0 else p.skip_index >= p.index:
                self.find(p.where, 'skip_index %d, not %d' % (p.skip_index, skip_of(p.index)), '4.5-3')
            q = by_index.get(p.skip_index)
            if q:
                if (p.skip, p.skip_version, p.skip_rewrite) != (q.ref, q.last_version, q.rewrite):
                    self.find(p.where, 'skip, skip_version or skip_rewrite', '4.5')
                least = min(x.least for x in pages if q.index < x.index <= p.index)
                if p.skip_least != least:
                    self.find(p.where, 'skip_least_ns', '4.5')
        return [x for x in out]

    def tree(self, ref, limit, tree_rows, visited, horizon):
        """Checks a tree and gives (rows, first, last, stats, unsupported columns)."""
        got = self.node(ref, None, limit, visited, horizon)
        if got and got[0] != tree_rows:
            self.find('page %d' % ref[0], 'rows of the root are %d, tree_rows is %d' % (got[0], tree_rows), '5.3-7')
        return got

    def node(self, ref, level, limit, visited, horizon):
        o = self.o
        where = 'page %d' % ref[0]
        if ref[0] in visited:
            damaged(where, 'is referred to twice', '5.3-6')
        self.claim(ref[0])
        old = self.seen.get(ref)
        if old:
            pages, got, deep = old
            if ref[1] > limit:
                damaged(where, 'generation %d is greater than %d' % (ref[1], limit), '5.3-2')
            if level is not None and deep != level:
                damaged(where, 'level is %d, not %d' % (deep, level), '5.3-1')
            if pages & visited:
                self.find(where, 'pages under it are referred to twice', '5.3-6')
            visited |= pages
            self.reached |= pages
            return got
        mine = {ref[0]}
        visited.add(ref[0])
        b = o.page(ref, (1,) if level == 0 else (2,) if level else (1, 2), level, limit, where)
        if b[4] == 1:
            leaf = o.parse_leaf(b, where)
            stats = []
            for i, col in enumerate(o.columns):
                if i in leaf.unsupported:
                    self.error(leaf.unsupported[i])
                    stats.append(None)
                else:
                    stats.append(leaf_stat(leaf.times, leaf.columns[i], col.type, col.step, o.header.gap))
            got = (leaf.rows, leaf.times[0], leaf.times[-1], stats, None)
        else:
            stats = None
            entries = o.parse_inner(b, where)
            for k, (child, rows, first, last, words) in enumerate(entries):
                below = None
                inner = set(visited)
                if last < horizon:
                    pass                    # its pages may be gone (8.5)
                else:
                    before = set(visited)
                    below = self.tried(self.node, child, b[5] - 1, ref[1], visited, horizon)
                    mine |= visited - before
                claims = [stat_of_words(w, is_float(c.type)) for w, c in zip(words, o.columns)]
                for i, col in enumerate(o.columns):
                    if col.known:
                        self.tried(self.stat_rules, words[i], rows, col, '%s entry %d column "%s"' % (where, k, col.name))
                if below:
                    if below[:3] != (rows, first, last):
                        self.find(where, 'entry %d: rows or times differ from page %d' % (k, child[0]), '5.3-3')
                    for i, col in enumerate(o.columns):
                        if not col.known or below[3][i] is None:
                            continue
                        w = below[3][i].words(is_float(col.type))
                        for j in range(15):
                            if w[j] != words[i][j]:
                                self.find(where, 'entry %d column "%s" word %d is %016x, recomputed %016x'
                                          % (k, col.name, j, words[i][j], w[j]), '5.3-3')
                                break
                if stats is None:
                    stats = claims
                else:
                    stats = [merge_stat(x, y, c.type, c.step, o.header.gap) if c.known else None
                             for x, y, c in zip(stats, claims, o.columns)]
            got = (sum(e[1] for e in entries), entries[0][2], entries[-1][3], stats, None)
        self.seen[ref] = (mine, got, b[5])
        return got

    def stat_rules(self, w, rows, col, where):
        if w[0] + w[1] > rows or (w[1] and not is_float(col.type)):
            damaged(where, 'count %d, nans %d of %d rows' % (w[0], w[1], rows), '6-2')
        if w[0] == 0 and any(w[2:]):
            damaged(where, 'words of nothing counted', '6-3')


def skip_of(i):
    """Index of the page that page i skips to (4.5-3)."""
    skips = {}
    for k in range(1, i + 1):
        p = k - 1
        q = skips.get(p)
        r = skips.get(q) if q is not None else None
        skips[k] = r if q is not None and r is not None and p - q == q - r else p
    return skips[i]


# ---------------------------------------------------------------- text

def civil(days):
    z = days + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    m = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (m <= 2), m, doy - (153 * mp + 2) // 5 + 1


@functools.lru_cache(65536)                        # versions of a file have the same rows
def second_text(s):
    d, s = divmod(s, 86400)
    y, m, day = civil(d)
    return '%04d-%02d-%02dT%02d:%02d:%02d' % (y, m, day, s // 3600, s // 60 % 60, s % 60)


def time_text(t, digits):
    s, ns = divmod(t, 10 ** 9)
    return '%s.%sZ' % (second_text(s), ('%09d' % ns)[:digits]) if digits else second_text(s) + 'Z'


def shape(digits, e, neg):
    """Digits d1d2.. x 10^e as in d1.d2 x 10^e: plain from 1e-5 to below 1e17."""
    if -5 <= e < 17:
        if e < 0:
            text = '0.' + '0' * (-e - 1) + digits
        elif len(digits) <= e + 1:
            text = digits + '0' * (e + 1 - len(digits))
        else:
            text = digits[:e + 1] + '.' + digits[e + 1:]
    else:
        text = digits[0] + ('.' + digits[1:] if len(digits) > 1 else '') + 'e%d' % e
    return ('-' if neg else '') + text


def shortest32(bits):
    """Shortest digits and exponent of a positive finite f32."""
    if bits & 0x7FFFFF and bits < 0x7F7FFFFF:           # as far below as above: the nearest number of p digits is the one, if any is
        v = f32_of(bits)
        lo, hi = (f32_of(bits - 1) + v) / 2, (v + f32_of(bits + 1)) / 2
        for p in range(9):
            text = '%.*e' % (p, v)
            x = float(text)
            if x in (lo, hi):                           # which side of it the digits are, a float does not tell
                break
            if lo < x < hi:
                digits, _, e = text.partition('e')
                return digits.replace('.', '').rstrip('0'), int(e)
    v = Fraction(f32_of(bits))
    below = Fraction(f32_of(bits - 1))
    above = Fraction(f32_of(bits + 1)) if bits + 1 < 0x7F800000 else v + (v - below)
    lo, hi, even = (v + below) / 2, (v + above) / 2, bits % 2 == 0
    e = 0
    while v >= Fraction(10) ** (e + 1):
        e += 1
    while v < Fraction(10) ** e:
        e -= 1
    for p in range(1, 10):
        unit = Fraction(10) ** (e - p + 1)
        k = v // unit
        fits = [n for n in (k, k + 1) if n and (lo < n * unit < hi or even and n * unit in (lo, hi))]
        if fits:
            n = min(fits, key=lambda n: (abs(n * unit - v), n % 2))
            text = str(int(n))
            e += len(text) - p
            return text.rstrip('0'), e
    raise AssertionError


@functools.lru_cache(65536)
def float_text(typ, bits):
    wide = typ == F64
    inf, quiet = (0x7FF0000000000000, 0x7FF8000000000000) if wide else (0x7F800000, 0x7FC00000)
    top = 1 << (63 if wide else 31)
    neg, size = bool(bits & top), bits & (top - 1)
    if size > inf:
        return 'NaN' if bits == quiet else 'NaN(0x%0*x)' % (16 if wide else 8, bits)
    if size == inf:
        return '-inf' if neg else 'inf'
    if size == 0:
        return '-0' if neg else '0'
    if not wide:
        digits, e = shortest32(size)
        return shape(digits, e, neg)
    m, _, e = repr(f64_of(size)).partition('e')
    a, _, b = m.partition('.')
    digits = (a + b).lstrip('0')
    e = int(e or 0) + len(a) - 1 if a.strip('0') else int(e or 0) - 1 - (len(b) - len(b.lstrip('0')))
    return shape(digits.rstrip('0'), e, neg)


def value_text(typ, v):
    if v is None:
        return ''
    return float_text(typ, v) if is_float(typ) else str(v)


def quoted(s):
    return '"' + s.replace('"', '""') + '"' if re.search('[,"\r\n]', s) else s


def parse_time(s):
    m = re.fullmatch(r'(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z)?', s)
    if m:
        import datetime
        y, mo, d = int(m[1]), int(m[2]), int(m[3])
        days = datetime.date(y, mo, d).toordinal() - 719163
        secs = int(m[4] or 0) * 3600 + int(m[5] or 0) * 60 + int(m[6] or 0)
        return (days * 86400 + secs) * 10 ** 9 + int((m[7] or '').ljust(9, '0') or 0)
    m = re.fullmatch(r'@(-?)(\d+)(?:\.(\d{1,9}))?', s)
    if not m:
        raise OtrError('argument', s, 'neither a version nor a time', '8.4')
    ns = int(m[2]) * 10 ** 9 + int((m[3] or '').ljust(9, '0') or 0)
    return -ns if m[1] else ns


# ---------------------------------------------------------------- program

def dump(o, V, names, out):
    rec, rows, unsupported = o.rows_of(V)
    which = list(range(len(o.columns)))
    if names is not None:
        have = [c.name for c in o.columns]
        for n in names:
            if n not in have:
                raise OtrError('argument', 'column "%s"' % n, 'there is no such column', '3.4')
        which = [have.index(n) for n in names]
    for i in which:
        if not o.columns[i].known:
            raise OtrError('unsupported', 'column "%s"' % o.columns[i].name, 'column type %d' % o.columns[i].type, '3.4')
    out.write(','.join(['time'] + [quoted(o.columns[i].name) for i in which]) + '\n')
    columns, digits = [(i, o.columns[i].type) for i in which], rec.time_digits
    for t, values in rows:
        if unsupported:
            for i in which:
                if i in unsupported:
                    raise unsupported[i]
        out.write(','.join([time_text(t, digits)] + [value_text(typ, values[i]) for i, typ in columns]) + '\n')


def root_is_bad(o):
    """10.4-4: the error of the root page, or None."""
    try:
        if o.slot.root != NOWHERE:
            b = o.page(o.slot.root, (1, 2), None, o.slot.version)
            w = 'page %d' % o.slot.root[0]
            try:
                o.parse_leaf(b, w) if b[4] == 1 else o.parse_inner(b, w)
            except OtrError as e:
                if e.kind == 'unsupported':
                    return None
                raise
    except OtrError as e:
        return e
    return None


def print_log(o, out):
    records = list(o.log_records())
    out.write('version,time,author,kind,rows,message\n')
    for r in records:
        out.write('%d,%s,%s,%s,%d,%s\n' % (r.version, time_text(r.commit_ns, 9), quoted(r.author), KINDS[r.kind],
                                           r.rows, quoted(r.message)))


ONE = 1074                      # a double is an integer over 2^ONE


def whole(x):
    """x 2^ONE, an integer."""
    n, d = float(x).as_integer_ratio()
    return n << (ONE + 1 - d.bit_length())


def rounded(n, d):
    """n / d, rounded once; None beyond the range of a double."""
    try:
        return n / d
    except OverflowError:
        return None


def range_stat(col, rows, before, after, start, end, gap):
    """What 6.9 tells of a column in [start, end), from the rows, in exact arithmetic. rows: [(time, bits)] counted, before and after: the
    counted values beside the range, or None."""
    floats = is_float(col.type)
    number = (f32_of if col.type == F32 else f64_of) if floats else int
    xs = [number(v) for _, v in rows]
    ends = [x for x in (before, *rows, after) if x]
    area = size = covered = 0           # over 2^(ONE + 1), times ns; size: the sum of magnitudes
    rise, last = None, None
    for t, v in ends:
        y = number(v)
        if last is not None:
            t0, x = last
            a, b = max(t0, start), min(t, end)
            if t > t0 and (gap is None or t - t0 <= gap) and finite(float(x)) and finite(float(y)) and a < b:
                X, Y, dt = whole(x), whole(y), t - t0
                part = 2 * X * (b - a) if col.step else (X + Y) * dt if (a, b) == (t0, t) else \
                    Fraction((b - a) * (2 * X * dt + (Y - X) * (a + b - 2 * t0)), dt)
                area, size, covered = area + part, size + abs(part), covered + b - a
            if start <= t < end:
                rise = (rise or 0) + pair_rise(x, y, floats)
        last = t, y
    out = {'count': len(xs)}
    if xs:
        order = order_key if floats else int
        for name, x in (('min', min(xs, key=order)), ('max', max(xs, key=order)), ('first', xs[0]), ('last', xs[-1])):
            out[name] = value_text(col.type, (f32_bits(x) if col.type == F32 else bits64(x)) if floats else x)
        out['t_first'], out['t_last'] = rows[0][0], rows[-1][0]
        if all(map(finite, map(float, xs))):
            X = [whole(x) for x in xs] if floats else xs
            unit, n, total = 1 << ONE if floats else 1, len(xs), sum(X)
            out['sum'] = rounded(total, unit) if floats else total
            out['sum_size'] = rounded(sum(map(abs, X)), unit)
            out['m2'] = rounded(n * sum(x * x for x in X) - total * total, n * unit * unit)
    if rise is not None:
        out['rise'] = rise if floats else min(rise, M64)
    out['covered'] = covered
    for name, x in (('area', Fraction(area)), ('area_size', Fraction(size))):
        out[name] = rounded(x.numerator, x.denominator << ONE + 1)
    return out


def print_stat(o, V, out):
    """Statistics as JSON lines, in exact arithmetic: of the whole version, of its middle half, and from there on. Areas are times nanoseconds."""
    import json
    rec, rows, unsupported = o.rows_of(V)
    rows = list(rows)
    ranges = [(TMIN, TMAX)]
    if len(rows) > 1 and len(o.columns) <= 16:
        first, last = rows[0][0], rows[-1][0]
        a, b = first + (last - first) // 4, first + 3 * (last - first) // 4 + 1
        ranges += [(a, b), (b, TMAX)]
    times = [t for t, _ in rows]
    for start, end in ranges:
        i, k = bisect.bisect_left(times, start), bisect.bisect_left(times, end)
        for c, col in enumerate(o.columns):
            if not col.known or c in unsupported:
                continue
            counted = [(t, v[c]) for t, v in rows[i:k] if v[c] is not None and not (is_float(col.type) and is_nan(col.type, v[c]))]

            def beside(some):
                return next(((t, v[c]) for t, v in some if v[c] is not None and not (is_float(col.type) and is_nan(col.type, v[c]))), None)
            nans = sum(1 for _, v in rows[i:k] if v[c] is not None) - len(counted)
            got = {'start': start, 'end': end, 'column': col.name, 'rows': k - i, 'nans': nans}
            got.update(range_stat(col, counted, beside(reversed(rows[:i])), beside(rows[k:]), start, end, o.header.gap))
            out.write(json.dumps(got, ensure_ascii=False) + '\n')


def main(argv):
    args, opts = [], {}
    it = iter(argv)
    for a in it:
        if a in ('--verify', '--log', '--meta', '--no-deflate', '--stat', '--notes'):
            opts[a] = True
        elif a in ('--at', '--columns'):
            opts[a] = next(it, None)
        elif a.startswith('--at=') or a.startswith('--columns='):
            k, _, v = a.partition('=')
            opts[k] = v
        elif a.startswith('-'):
            sys.stderr.write(__doc__)
            return 2
        else:
            args.append(a)
    if len(args) != 1:
        sys.stderr.write(__doc__)
        return 2

    def say(text):
        sys.stderr.write('otr_reader: %s: %s\n' % (args[0], text))
    out = sys.stdout
    status = 0
    try:
        try:
            o = Otr(args[0], say, '--no-deflate' not in opts)
        except OtrError as e:
            if '--verify' not in opts or e.kind not in ('damaged', 'truncated'):
                raise
            out.write('%s: %s: %s (SPEC %s)\n' % (args[0], e.where, e.what if e.kind == 'damaged' else e.kind + ': ' + e.what, e.rule))
            return 1
        if '--verify' in opts:
            v = Verify(o)
            for line in v.run():
                out.write('%s: %s\n' % (args[0], line))
            for line in v.notes:
                say('note: ' + line)
            for line in v.unsupported:
                say(line)
            return 1 if v.findings else 4 if v.unsupported else 0
        at = opts.get('--at')
        if o.damaged_slot:
            if not (at and re.fullmatch('[0-9]+', at) and int(at) <= o.slot.version):
                raise o.damaged_slot
            say(str(o.damaged_slot))
        if '--log' in opts:
            print_log(o, out)
            return 0
        bad = root_is_bad(o)
        if bad:
            if o.other is None or o.other.version == o.slot.version:
                raise bad
            newest = o.slot
            o.slot = o.other
            if root_is_bad(o):
                raise bad
            say('%s; version %d is read in place of %d' % (bad, o.slot.version, newest.version))
            status = 4
        V = o.slot.version
        if at is not None:
            V = int(at) if re.fullmatch('[0-9]+', at) else o.find_time(parse_time(at))
        if '--meta' in opts:
            out.write('key,value\n')
            for k, v in o.meta_of(o.find(V)[0].version):
                out.write('%s,%s\n' % (quoted(k), quoted(v)))
        elif '--stat' in opts:
            print_stat(o, V, out)
        else:
            names = opts['--columns'].split(',') if '--columns' in opts else None
            dump(o, V, names, out)
        return status
    except OtrError as e:
        out.flush()
        say(str(e))
        return 2 if e.kind in ('argument', 'pruned') else 4
    except OSError as e:
        say(str(e))
        return 5


if __name__ == '__main__':
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 141
    sys.exit(code)
