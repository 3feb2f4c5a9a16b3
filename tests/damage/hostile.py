#!/usr/bin/env python3
"""hostile.py FOLDER: sound files of at most 1 MiB that are made to be slow to check, the same bytes each time.

Their pages come from the texts of tests/mkotr, one of each kind, and are put many times into a file, each with a number, a generation and a checksum of its own. All that
a reader can check is right, but for what the name says (`shared`, `named`: the same child named over and over).
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
        self.generation = 1

    def template(self, text):
        """One page by its text, as number first_page: bytes and what its parent has to know."""
        maker = mkotr.Maker(self.text + text, '.')
        return maker.page(maker.first_page)

    def add(self, page, info, generation=None):
        """The page once more, under the next number."""
        generation = self.generation if generation is None else generation
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

    def parent(self, children):
        """An inner page over these."""
        s = mkotr.Section('page', [str(self.next), 'inner'])
        s.lines = [['child', str(c)] for c in children]
        b = bytearray(self.page_size)
        info = self.inner(s, b)
        info['data'] = []
        b[4], b[5] = 2, info['level']
        b[16:32] = self.file_id
        return self.add(b, info)

    def tree(self, leaves):
        """Inner pages over all leaves, as few as may be; the root."""
        fan = (self.page_size - 48) // (48 + 120 * len(self.columns))
        while len(leaves) > 1:
            leaves = [self.parent(leaves[i:i + fan]) for i in range(0, len(leaves), fan)]
        return leaves[0]

    def write(self, path, fields, records, other=None):
        """Slot 1 by its fields and records; slot 0 likewise, or it is of the creation."""
        lines = 'slot 0\n' + (other or '  version 0\n  live_pages 0\n  page_count %d\n  record create\n    version 0\n    rows 0\n' % self.first_page)
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


BARE = struct.pack('<BBbBIIHH', 0, 0, 0, 0, 16, 0, 0, 0)
NAMES = ('version commit_ns kind time_digits rows_ever rows added removed author message row_count has_root root_page root_generation root_crc root_base_row '
         'root_tree_rows group_record group_records group_tree_end group_carried group_duplicates string_bytes row_times').split()
LOG_RECORDS = 4096          # that a log page may have


def number_chunk(v, n):
    """n numbers: (first, step), or all of them."""
    if n == 0:
        return BARE
    if isinstance(v, tuple):
        return cheap_chunk([v[0], v[0] + v[1]], n, int(v[1] != 0 and n > 1), False)
    return mkotr.make_chunk(list(v), 3, ['INT', 'PACK', 'order=0'])


def log_pages(m, pages, each, groups=0, rows=0, kept=0, values=lambda i, version: {}):
    """A chain of so many log pages of so many records each; what values(page, first version) leaves out is zero. The number of the newest and the version after it."""
    chain, skips = [], []
    C = len(m.columns)
    for i in range(pages):
        version = i * each
        b = bytearray(m.page_size)
        v = {n: (0, 0) for n in NAMES}
        v.update(version=(version, 1), commit_ns=(1700000000 + version, 1), kind=(5, 0), group_record=(0, 1), group_records=(1, 0))
        v.update(values(i, version))
        counts = [each] * 12 + [kept] * 5 + [groups] * 5 + [1, rows]
        chunks = [number_chunk(v[name], n) for name, n in zip(NAMES, counts)] + [cheap_chunk([7], rows, 0, False, 1) if rows else BARE] * C
        count = 24 + C
        at = 208 + 4 * count + (-4 * count % 8)
        offsets = []
        for c in chunks:
            offsets.append(at)
            b[at:at + len(c)] = c
            at += len(c)
        rewrite, before = (version + each - 1, max(version - 1, 0)) if kept else (0, 0)
        mkotr.put(b, 40, '7I', at, 0, each, groups, kept, 1, rows)
        mkotr.put(b, 72, 'QQQqqQ', i, version, version + each - 1, 1700000000 + version, 1700000000 + version + each - 1, rewrite)
        if i > 0:
            b[120:144] = m.ref([str(chain[-1])])
            # 4.5-3
            p, q = i - 1, skips[i - 1]
            k = skips[q] if q is not None and skips[q] is not None and p - q == q - skips[q] else p
            skips.append(k)
            b[152:176] = m.ref([str(chain[k])])
            mkotr.put(b, 144, 'Q', before)
            mkotr.put(b, 176, 'QQqQ', (k + 1) * each - 1, (k + 1) * each - 1 if kept else 0, 1700000000 + (k + 1) * each, k)
        else:
            skips.append(None)
            mkotr.put(b, 192, 'q', 1700000000)
        mkotr.put(b, 208, '%dI' % count, *offsets)
        assert at <= m.page_size, at
        b[4], b[5] = 3, 0
        b[16:32] = m.file_id
        chain.append(m.add(b, {'data': []}, version + each))
    return chain[-1], pages * each


def log_alone(path, each):
    """Log pages and nothing else, that both slots reach."""
    m = Hostile(12, ['f64'])
    newest, version = log_pages(m, m.room, each)
    slot = '  version %d\n  log %d\n  record meta\n    version %d\n    rows 0\n'
    m.write(path, '', slot % (version + 1, newest, version + 1), slot % (version, newest, version))


def log_over(path, columns, trees, pages, added=lambda n: 0, **parts):
    """Log pages (-n: all there is room for but n) over the tree that trees(m) makes, which both slots have: values(m, root, its info, page, first version).
    added: by the newest record, of the tree's rows."""
    m = Hostile(12, columns)
    m.generation = 0        # so that the first record may keep a root
    root, info = trees(m)
    values = parts.pop('values')
    newest, version = log_pages(m, pages if pages > 0 else m.first_page + m.room - m.next + pages, values=lambda i, n: values(m, root, info, i, n), **parts)
    n = info['rows']
    added = added(n)
    slot = ('  version %%d\n  root %d\n  log %d\n  rows %d\n  first_ns %d\n  last_ns %d\n  time_digits 9\n  duplicates keep\n  newest_rewrite %d\n  record append\n    version %%d\n    rows %d\n'
            '    rows_ever %d\n    added %d\n    time_digits 9\n') % (root, newest, n, info['first'], info['last'], version - 1 if parts.get('kept') else 0, n, n, added)
    m.write(path, '', slot % ((version + 1,) * 2), slot % (version, version))


def long_leaf(m, start=0, step=1):
    """A leaf of as many rows as one may have, so many ns apart from start on."""
    C = len(m.columns)
    n = min(65535, (1 << 18) // (C + 1))
    if not hasattr(m, 'long'):
        m.long = m.template('page %d leaf\n  chunk times INT PACK order=1\n' % m.first_page + ''.join('  chunk c%d DECIMAL 2 PACK order=0\n' % i for i in range(C)) +
                            '  gen %d t=i*%d ' % (n, step) + ' '.join('c%d=0.01' % i for i in range(C)) + '\n')
    page, info = m.long
    b = bytearray(page)
    offset = struct.unpack_from('<I', b, 48)[0]
    mkotr.put(b, offset + 16 + 8, 'q', start)
    stats = [dict(s, t_first=start, t_last=start + step * (n - 1)) for s in info['stats']()]
    return m.add(b, dict(info, data=[], first=start, last=start + step * (n - 1), stats=lambda: stats))


def one_leaf(m):
    leaf = long_leaf(m)
    return leaf, m.built[leaf][1]


def many_leaves(n):
    def trees(m):
        rows = min(65535, (1 << 18) // (len(m.columns) + 1))
        root = m.tree([long_leaf(m, i * rows) for i in range(n)])
        return root, m.built[root][1]
    return trees


def roots_over_leaves(leaves, roots):
    """So many roots of one level, all over the same leaves; the slots have the last."""
    def trees(m):
        rows = min(65535, (1 << 18) // (len(m.columns) + 1))
        all_of_them = [long_leaf(m, i * rows) for i in range(leaves)]
        m.roots = [m.parent(all_of_them) for _ in range(roots)]
        return m.roots[-1], m.built[m.roots[-1]][1]
    return trees


def crc_of(m, n):
    return struct.unpack_from('<I', m.built[n][0])[0]


def tower(m):
    """Fifteen levels of one page each over a long leaf."""
    node = long_leaf(m)
    for _ in range(15):
        node = m.parent([node])
    return node, m.built[node][1]


def cheap_chunk(first, n, order, whole, transform=0):
    """INT (or DECIMAL 0), PACK of order 0 or 1 whose numbers are all one, or one apart; `whole` where they are neither."""
    if whole:
        return mkotr.make_chunk(whole, 3, ['INT', 'RUN', 'order=0'])
    seeds = first[:order]
    base = first[0] if order == 0 else (first[1] - first[0])
    body = struct.pack('<BBHI', order, 0, 0, 0) + b''.join(struct.pack('<Q', s) for s in seeds) + struct.pack('<Q', base & mkotr.M64)
    return struct.pack('<BBbBIIHH', transform, 1, 0, 0, 16 + len(body), n, 0, n) + body


def named(path):
    """Pages of 64 KiB that name one long leaf as often as they can."""
    m = Hostile(16, ['f64'] * 3)
    leaf = long_leaf(m, 0, 0)
    root = m.parent([m.parent([leaf] * 160) for _ in range(13)])
    n = m.built[root][1]['rows']
    m.write(path, '  version 1\n  root %d\n  rows %d\n  first_ns 0\n  last_ns 0\n  time_digits 9\n  duplicates keep\n' % (root, n),
            (APPEND % (n, n, n)).replace('    added', '    time_digits 9\n    added'))


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
    log_alone(to('log-chain'), 1)
    log_alone(to('log-records'), LOG_RECORDS)
    # every record keeps a root: the same one, or another one than the one before
    same = {'kind': (2, 0), 'has_root': (1, 0)}
    log_over(to('kept-root'), ['f64'] * 3, one_leaf, 0, each=LOG_RECORDS, kept=LOG_RECORDS, values=lambda m, root, info, i, version: dict(
        same, rows=(info['rows'], 0), rows_ever=(info['rows'], 0), root_page=(root, 0), root_crc=(crc_of(m, root), 0), root_tree_rows=(info['rows'], 0)))
    log_over(to('kept-roots'), ['f64'], roots_over_leaves(24, 2), 0, each=700, kept=700, values=lambda m, root, info, i, version: dict(
        same, rows=(info['rows'], 0), rows_ever=(info['rows'], 0), root_page=m.roots * 350,
        root_crc=[crc_of(m, n) for n in m.roots] * 350, root_tree_rows=(info['rows'], 0)))
    # roots that share their leaves
    log_over(to('shared-leaves'), ['f64'], roots_over_leaves(24, 225), 1, each=226, kept=226, values=lambda m, root, info, i, version: dict(
        same, rows=(info['rows'], 0), rows_ever=(info['rows'], 0), root_page=m.roots[:1] + m.roots,
        root_crc=[crc_of(m, n) for n in m.roots[:1] + m.roots], root_tree_rows=(info['rows'], 0)))
    # groups of as many rows as they may have, in no order
    for name, first, step in ('group-rows', 5, 0x9e3779b97f4a7c15), ('group-backwards', 65535, -1):
        log_over(to(name), ['f64'] * 3, one_leaf, 0, each=130, groups=130, rows=130 * 504, values=lambda m, root, info, i, version: {
            'rows': (1, 0), 'rows_ever': (504, 0), 'row_count': (504, 0), 'row_times': (first, step)}, added=lambda n: n - 1)
    # one long group without rows
    log_over(to('group-empty'), ['f64'], one_leaf, 0, each=LOG_RECORDS, groups=1, values=lambda m, root, info, i, version: {
        'rows': (info['rows'], 0), 'rows_ever': (info['rows'], 0), 'group_records': (LOG_RECORDS, 0)})
    # groups of a row each that rode behind any leaf, before its last row
    def groups(m, root, info, i, version):
        step = info['rows'] // LOG_RECORDS
        return {'rows': (1, 0), 'rows_ever': (step + 1, step), 'row_count': (1, 0), 'group_tree_end': (step, step), 'row_times': (step, step)}
    log_over(to('group-leaves'), ['f64'], many_leaves(115), 0, added=lambda n: n - 1, each=LOG_RECORDS, groups=LOG_RECORDS, rows=LOG_RECORDS, values=groups)
    log_over(to('group-tower'), ['f64'], tower, 0, added=lambda n: n - 1, each=LOG_RECORDS, groups=LOG_RECORDS, rows=LOG_RECORDS, values=groups)
    named(to('named'))
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
