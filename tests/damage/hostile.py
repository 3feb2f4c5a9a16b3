#!/usr/bin/env python3
"""hostile.py FOLDER: sound files of at most 1 MiB that are made to be slow to check, the same bytes each time.

Their pages come from the texts of tests/mkotr, one of each kind, and are put many times into a file, each with a number, a generation and a checksum of its own. All that
a reader can check is right, but for what the name says (`shared`: the same child named over and over).
"""
import importlib.machinery
import importlib.util
import os
import struct
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader('mkotr', os.path.join(HERE, '..', 'mkotr'))
mkotr = importlib.util.module_from_spec(importlib.util.spec_from_loader('mkotr', loader))
loader.exec_module(mkotr)
SIZE = 1 << 20


class Hostile(mkotr.Maker):
    """A file whose pages are made here; the text has header and slots."""

    def __init__(self, exponent, columns):
        text = 'header\n  page_exponent %d\n' % exponent + ''.join('  column %s linear c%d\n' % (t, i) for i, t in enumerate(columns))
        self.text = text
        super().__init__(text, '.')
        self.room = SIZE // self.page_size - self.first_page        # pages
        self.next = self.first_page

    def template(self, text):
        """One page by its text, as number first_page: bytes and what its parent has to know."""
        maker = mkotr.Maker(self.text + text, '.')
        return maker.page(maker.first_page)

    def add(self, page, info, generation=1):
        """The page once more, under the next number."""
        b = bytearray(page)
        mkotr.put(b, 8, 'Q', self.next)
        mkotr.put(b, 32, 'Q', generation)
        mkotr.put(b, 0, 'I', mkotr.crc(b[4:]))
        self.built[self.next] = bytes(b), dict(info, generation=generation)
        self.pages[self.next] = mkotr.Section('page', [str(self.next), 'leaf'])
        if generation > 1:
            self.pages[self.next].lines.append(['generation', str(generation)])
        self.next += 1
        return self.next - 1

    def parent(self, children, generation=1):
        """An inner page over these."""
        s = mkotr.Section('page', [str(self.next), 'inner'])
        s.lines = [['child', str(c)] for c in children]
        b = bytearray(self.page_size)
        info = self.inner(s, b)
        info['data'] = []
        b[4], b[5] = 2, info['level']
        b[16:32] = self.file_id
        return self.add(b, info, generation)

    def tree(self, leaves):
        """Inner pages over all leaves, as few as may be; the root."""
        fan = (self.page_size - 48) // (48 + 120 * len(self.columns))
        while len(leaves) > 1:
            leaves = [self.parent(leaves[i:i + fan]) for i in range(0, len(leaves), fan)]
        return leaves[0]

    def write(self, path, fields, records):
        lines = 'slot 0\n  version 0\n  live_pages 0\n  page_count %d\n  record create\n    version 0\n    rows 0\n' % self.first_page
        self.sections += mkotr.parse(lines + 'slot 1\n' + fields + records, '.')
        data = self.file()
        assert len(data) <= SIZE, (path, len(data))
        with open(path, 'wb') as f:
            f.write(data)


APPEND = '  record create\n    version 0\n    rows 0\n  record append\n    version 1\n    rows %d\n    rows_ever %d\n    added %d\n'


def leaves(path, exponent, columns, leaf, rows):
    """As many leaves of so many rows as fit, all at one time, under inner pages."""
    m = Hostile(exponent, columns)
    page, info = m.template('page %d leaf\n%s' % (m.first_page, leaf))
    info = dict(info, data=[])
    fan = (m.page_size - 48) // (48 + 120 * len(m.columns))
    n = m.room
    while n + sum(-(-n // fan ** k) for k in range(1, 8) if n > fan ** (k - 1)) > m.room:
        n -= 1
    root = m.tree([m.add(page, info) for _ in range(n)])
    total = info['rows'] * n
    fields = '  version 1\n  root %d\n  rows %d\n  first_ns %d\n  last_ns %d\n  time_digits 9\n  duplicates keep\n' % (
        root, total, info['first'], info['last'])
    records = (APPEND % (total, total, total)).replace('    added', '    time_digits 9\n    added')
    m.write(path, fields, records)


def deep(path):
    """Fifteen levels, each page with one child, but for the lowest, which has all it can hold; as many such towers as fit under the root."""
    m = Hostile(12, ['f64'])
    page, info = m.template('page 4 leaf\n  row 100s 1\n')
    info = dict(info, data=[])
    towers = []
    while m.next + 15 < m.first_page + m.room and len(towers) < 24:
        node = m.add(page, info)
        for _ in range(14):
            node = m.parent([node])
        towers.append(node)
    root = m.parent(towers)
    n = len(towers)
    m.write(path, '  version 1\n  root %d\n  rows %d\n  first_ns 100s\n  last_ns 100s\n  duplicates keep\n' % (root, n), APPEND % (n, n, n))


def shared(path):
    """Every inner page names one child as often as it can, on thirteen levels: 24^13 rows in 15 pages, were each visit a new one."""
    m = Hostile(12, ['f64'])
    page, info = m.template('page 4 leaf\n  row 100s 1\n')
    node = m.add(page, dict(info, data=[]))
    for _ in range(13):
        node = m.parent([node] * 24)
    n = m.built[node][1]['rows']
    m.write(path, '  version 1\n  root %d\n  rows %d\n  first_ns 100s\n  last_ns 100s\n  duplicates keep\n' % (node, n), APPEND % (n, n, n))


def log_pages(path, exponent, each, pages=None):
    """A chain of log pages of so many records each, that change nothing; chunks of one value or one distance take 40 bytes."""
    m = Hostile(exponent, ['f64'])
    chain, version, skips = [], 0, []
    for i in range(pages or m.room):
        values = {'version': range(version, version + each), 'commit_ns': range(1700000000 + version, 1700000000 + version + each),
                  'kind': [5] * each, 'time_digits': [0] * each, 'rows_ever': [0] * each, 'rows': [0] * each, 'added': [0] * each,
                  'removed': [0] * each, 'author': [0] * each, 'message': [0] * each, 'row_count': [0] * each, 'has_root': [0] * each}
        if i == 0:
            values['kind'] = [0] + [5] * (each - 1)
        b = bytearray(m.page_size)
        chunks = []
        bare = struct.pack('<BBbBIIHH', 0, 0, 0, 0, 16, 0, 0, 0)
        for name, v in values.items():
            o = 1 if name in ('version', 'commit_ns') and each > 1 else 0
            chunks.append(cheap_chunk(list(v[:3]) if each > 3 else list(v), each, o, v[0] != v[-1] and o == 0 and list(v)))
        chunks += [bare] * 10 + [cheap_chunk([0], 1, 0, False)] + [bare] * (1 + len(m.columns))
        count = 24 + len(m.columns)
        at = 208 + 4 * count + (-4 * count % 8)
        offsets = []
        for c in chunks:
            offsets.append(at)
            b[at:at + len(c)] = c
            at += len(c)
        mkotr.put(b, 40, '7I', at, 0, each, 0, 0, 1, 0)
        mkotr.put(b, 72, 'QQQqqQ', i, version, version + each - 1, 1700000000 + version, 1700000000 + version + each - 1, 0)
        if i > 0:
            b[120:144] = m.ref([str(chain[-1])])
            j = i - 1
            # 4.5-3
            p, q = i - 1, skips[i - 1]
            k = skips[q] if q is not None and skips[q] is not None and p - q == q - skips[q] else p
            skips.append(k)
            b[152:176] = m.ref([str(chain[k])])
            mkotr.put(b, 176, 'QQqQ', (k + 1) * each - 1, 0, 1700000000 + (k + 1) * each, k)
        else:
            skips.append(None)
            mkotr.put(b, 192, 'q', 1700000000)
        mkotr.put(b, 208, '%dI' % count, *offsets)
        assert at <= m.page_size, at
        b[4], b[5] = 3, 0
        b[16:32] = m.file_id
        version += each
        chain.append(m.add(b, {'data': []}, version))
    m.write(path, '  version %d\n  log %d\n' % (version, chain[-1]), '  record meta\n    version %d\n    rows 0\n' % version)


def cheap_chunk(first, n, order, whole):
    """INT, PACK of order 0 or 1 whose numbers are all one, or one apart; `whole` where they are neither."""
    if whole:
        return mkotr.make_chunk(whole, 3, ['INT', 'RUN', 'order=0'])
    seeds = first[:order]
    base = first[0] if order == 0 else (first[1] - first[0])
    body = struct.pack('<BBHI', order, 0, 0, 0) + b''.join(struct.pack('<Q', s) for s in seeds) + struct.pack('<Q', base)
    return struct.pack('<BBbBIIHH', 0, 1, 0, 0, 16 + len(body), n, 0, n) + body


def metadata(path):
    """Metadata of as many short entries as the file holds, in a chain of pages."""
    m = Hostile(12, ['f64'])
    stream, i = b'', 0
    while len(stream) + 12 < (m.room - 1) * 4000:
        stream += struct.pack('<HHI', 5, 0, 1) + b'%05x' % i + b'x'
        i += 1
    parts = [stream[k:k + 4000] for k in range(0, len(stream), 4000)]
    following = None
    for k in range(len(parts) - 1, -1, -1):
        b = bytearray(m.page_size)
        if following is not None:
            b[40:64] = m.ref([str(following)])
        mkotr.put(b, 88, 'II', len(parts) - 1 - k, len(parts[k]))
        b[96:96 + len(parts[k])] = parts[k]
        b[4] = 4
        b[16:32] = m.file_id
        following = m.add(b, {'data': []})
    m.write(path, '  version 1\n  metadata %d\n' % following, '  record create\n    version 0\n    rows 0\n  record meta\n    version 1\n    rows 0\n')


LONG = '  chunk times INT PACK order=0\n'


def main(folder):
    os.makedirs(folder, exist_ok=True)

    def to(name):
        return os.path.join(folder, name + '.otr')

    deep(to('deep'))
    shared(to('shared'))
    log_pages(to('log-chain'), 12, 1)
    log_pages(to('log-records'), 12, 65535)
    metadata(to('metadata'))
    gen = '  gen 65535 t=100*s '
    leaves(to('leaves-int'), 12, ['i64'] * 3, LONG + ''.join('  chunk c%d INT PACK order=0\n' % i for i in range(3)) + gen + 'c0=7 c1=8 c2=9\n', 65535)
    leaves(to('leaves-run'), 12, ['i64'] * 3, LONG + ''.join('  chunk c%d INT RUN order=0\n' % i for i in range(3)) + gen + 'c0=7 c1=8 c2=9\n', 65535)
    leaves(to('leaves-decimal'), 12, ['f64'] * 3, LONG + ''.join('  chunk c%d DECIMAL 2 PACK order=0\n' % i for i in range(3)) + gen + 'c0=0.01 c1=0.02 c2=0.03\n', 65535)
    leaves(to('leaves-bits'), 12, ['f64'] * 3, LONG + ''.join('  chunk c%d BITS 48 PACK order=0\n' % i for i in range(3)) + gen + 'c0=0.5 c1=0.25 c2=2\n', 65535)
    leaves(to('leaves-dict'), 12, ['f64'] * 3, LONG + ''.join('  chunk c%d DICT PACK order=0 dict=RAW\n' % i for i in range(3)) + gen + 'c0=0.5 c1=0.25 c2=2\n', 65535)
    leaves(to('leaves-raw'), 16, ['f64'], '  chunk c0 RAW\n  gen 4000 t=100*s c0=i/7\n', 4000)
    leaves(to('columns'), 16, ['f64'] * 64, LONG + ''.join('  chunk c%d DECIMAL 2 PACK order=0\n' % i for i in range(64)) +
           '  gen 4032 t=100*s ' + ' '.join('c%d=0.01' % i for i in range(64)) + '\n', 4032)


if __name__ == '__main__':
    main(sys.argv[1])
