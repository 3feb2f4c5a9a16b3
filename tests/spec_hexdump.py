#!/usr/bin/env python3
"""The parts of SPEC.md that are made, not typed: the chunk examples of 7.9, appendix A, appendix B.

    tests/spec_hexdump.py            compares SPEC.md with what it should say; status 1 and a diff if it differs
    tests/spec_hexdump.py --write    puts it there
    tests/spec_hexdump.py --reader   prints appendix B as SPEC.md has it
"""
import difflib
import importlib.machinery
import importlib.util
import os
import struct
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True


def load(name, path):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(TOP, path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


mkotr = load('mkotr', 'tests/mkotr')
reader = load('otr_reader', 'tests/otr_reader.py')
S = 10 ** 9

EXAMPLES = [
    ('five times from 2023-11-14T22:13:20Z, one second apart: INT, PACK of order 1, w = 0; 40 bytes for any n', 3, 'times',
     'INT PACK order=1', [1700000000 * S + i * S for i in range(5)]),
    ('i64 7, 8, 6, 1000, 7: INT, PACK of order 0, base 6, w = 2, an outlier at 3', 3, 'leaf', 'INT PACK order=0 outliers=3',
     [7, 8, 6, 1000, 7]),
    ('i64 3, 5, 9, 15, 23: INT, PACK of order 2, seeds 3 and 2, base 2, w = 0', 3, 'leaf', 'INT PACK order=2', [3, 5, 9, 15, 23]),
    ('f64 20.01, 20.02, NaN, 20.04: DECIMAL 2, an exception at 2, base 2001, w = 2', 5, 'leaf', 'DECIMAL 2 PACK under=2001',
     ['20.01', '20.02', 'NaN', '20.04']),
    ('f64 1.5, -1.5, 2.0: BITS 48, integers BFF8, 4007, C000, base 4007, w = 15', 5, 'leaf', 'BITS 48 PACK', ['1.5', '-1.5', '2.0']),
    ('i64 null, 5, 5, null, 9 in two blocks: presence bits 16 hex, B = 2', 3, 'leaf', 'INT PACK block=2', [None, 5, 5, None, 9]),
    ('bool 0, 0, 0, 1, 1: INT, RUN: lengths 3 and 2 (less 1: 2 and 1), values 0 and 1', 1, 'leaf', 'INT RUN', [0, 0, 0, 1, 1]),
    ('i64 -1, 40, -1: DICT with a RAW dictionary of two, indexes 0, 1, 0', 3, 'leaf', 'DICT PACK', [-1, 40, -1]),
    ('f32 -2.5, 0.1: RAW', 4, 'leaf', 'RAW', ['-2.5', '0.1']),
    ('i64 1, 2, 4 deflated, a stored block of 25 bytes: PACK of order 0, byte planes, w = 8, zigzag, base 0', 3, 'leaf', 'INT PACK base=0 layout=1 deflate=1',
     [1, 2, 4]),
]


def words(b):
    return ' '.join(b[i:i + 8].hex() for i in range(0, len(b), 8))


def chunk_examples():
    out = []
    for what, typ, use, spec, values in EXAMPLES:
        values = [mkotr.value(v, typ) for v in values]
        b = mkotr.make_chunk(values, typ, spec.split())
        back = reader.decode_chunk(b, 0, len(b), typ, len(values), what, 'time' if use == 'times' else use)
        assert back == values, (what, back, values)
        out.append('    %s' % what)
        line = words(b).split(' ')
        for i in range(0, len(line), 8):
            out.append('    %s' % ' '.join(line[i:i + 8]))
    return out


# ---- appendix A

class Dump:
    def __init__(self, b):
        self.b, self.at, self.out = b, 0, []

    def field(self, n, name, fmt=None, show=None):
        raw = self.b[self.at:self.at + n]
        text = ''
        if show is not None:
            text = ' = ' + show
        elif fmt:
            text = ' = %d' % struct.unpack('<' + fmt, raw)[0]
        data = raw.hex() if n <= 16 else raw[:16].hex()
        self.out.append('%6d  %-33s %s%s' % (self.at, data, name, text))
        for i in range(16, n, 16):
            self.out.append('%6s  %s' % ('', raw[i:i + 16].hex()))
        self.at += n

    def zeros(self, to, name='zero'):
        assert not any(self.b[self.at:to]), (self.at, to)
        if to > self.at:
            self.out.append('%6d  %-33s %s' % (self.at, '00 x %d' % (to - self.at), name))
        self.at = to

    def title(self, text):
        self.out.append('')
        self.out.append(text)

    def reference(self, name):
        n, g, c = struct.unpack_from('<QQI', self.b, self.at)
        self.field(24, name, show='page %d, generation %d, crc %08x' % (n, g, c) if n else 'none')

    def header(self):
        self.title('Header, section 3')
        self.field(8, 'magic')
        self.field(4, 'crc', show='%08x' % struct.unpack_from('<I', self.b, self.at)[0])
        self.field(2, 'major', 'H')
        self.field(2, 'minor', 'H')
        self.zeros(40, 'compat, ro_compat, incompat')
        self.field(16, 'file_id')
        self.field(8, 'created_ns', 'q')
        self.field(1, 'page_exponent', 'B')
        self.field(1, 'columns', 'B')
        self.field(1, 'has_gap', 'B')
        self.zeros(80, 'zero; gap_ns')
        self.zeros(128)
        self.field(1, 'type', show='5, f64')
        self.field(1, 'interpolation', show='0, linear')
        self.field(2, 'name_bytes', 'H')
        self.zeros(136)
        self.field(4, 'name', show='temp')
        self.zeros(4096)

    def slot(self, number):
        start = self.at
        self.title('Slot %d, section 4.1; all of its body is in the first sector, so body offset = file offset - %d' % (number, start))
        self.field(4, 'crc', show='%08x' % struct.unpack_from('<I', self.b, self.at)[0])
        for n, name, fmt in ((1, 'self_synced', 'B'), (1, 'time_digits', 'B'), (2, 'minor', 'H'), (16, 'file_id', None), (8, 'version', 'Q'),
                             (8, 'commit_ns', 'q')):
            self.field(n, name, fmt)
        self.zeros(start + 64, 'compat, ro_compat, incompat')
        if number == 0:
            self.zeros(start + 200, 'root .. metadata')
        else:
            self.reference('root')
            for name in ('base_row', 'tree_rows', 'rows', 'rows_ever', 'first_ns', 'last_ns'):
                self.field(8, name, 'q')
            self.zeros(start + 200, 'newest_rewrite, log, oldest_version, metadata')
        self.field(8, 'horizon_ns', show='INT64_MIN')
        self.field(8, 'page_count', 'Q')
        self.field(8, 'live_pages', 'Q')
        self.zeros(start + 256, 'duplicates .. history_value')
        self.zeros(start + 260, 'freed, freed_now')
        area = struct.unpack_from('<H', self.b, self.at)[0]
        self.field(2, 'area_bytes', 'H')
        self.zeros(start + 264, 'has_carried; zero')
        end = self.at + area
        while self.at < end:
            self.record()
        self.zeros(start + 504, 'zero')
        stamp = struct.unpack_from('<Q', self.b, self.at)[0]
        self.field(8, 'stamp', 'Q')
        for sector in range(1, 8):
            assert not any(self.b[self.at:self.at + 504]) and self.b[self.at + 504:self.at + 512] == struct.pack('<Q', stamp)
            self.at += 512
        self.out.append('%6d  %-33s seven more sectors: 504 zeros and the stamp' % (start + 512, '..'))

    def record(self):
        a, m = self.b[self.at + 5], struct.unpack_from('<H', self.b, self.at + 6)[0]
        self.field(2, 'record_bytes', 'H')
        self.field(1, 'kind', show='%d, %s' % (self.b[self.at], reader.KINDS[self.b[self.at]]))
        for n, name, fmt in ((1, 'flags', 'B'), (1, 'time_digits', 'B'), (1, 'author_bytes', 'B'), (2, 'message_bytes', 'H'), (8, 'version', 'Q'),
                             (8, 'commit_ns', 'q'), (8, 'rows_ever', 'Q'), (8, 'rows', 'Q'), (8, 'added', 'Q'), (8, 'removed', 'Q')):
            self.field(n, name, fmt)
        self.field(a, 'author', show=self.b[self.at:self.at + a].decode())
        if m:
            self.field(m, 'message', show=self.b[self.at:self.at + m].decode())
        self.zeros(self.at + -(a + m) % 8, 'padding')

    def leaf(self, n):
        self.title('Page %d, a leaf: sections 5.1 and 5.5' % n)
        start = self.at
        self.field(4, 'crc', show='%08x' % struct.unpack_from('<I', self.b, self.at)[0])
        self.field(1, 'type', show='1, leaf')
        self.field(1, 'level', 'B')
        self.zeros(self.at + 2)
        self.field(8, 'page', 'Q')
        self.field(16, 'file_id')
        self.field(8, 'generation', 'Q')
        self.field(4, 'rows', 'I')
        used = struct.unpack_from('<I', self.b, self.at)[0]
        self.field(4, 'used', 'I')
        self.field(4, 'offset of times', 'I')
        self.field(4, 'offset of temp', 'I')
        self.chunk('times')
        self.field(8, 'PACK: order 1, width 0, no outliers, layout 0')
        self.field(8, 'seed', 'Q')
        self.field(8, 'base', 'Q')
        self.chunk('temp')
        self.field(1, 'presence', show='rows 0, 1, 3')
        self.zeros(self.at + 7, 'padding')
        self.field(8, 'PACK: order 0, width 2, no outliers, layout 0')
        self.field(8, 'base', 'Q')
        self.field(8, 'residuals', show='0, 1, 3')
        assert self.at == start + used
        self.zeros(start + 4096)

    def chunk(self, name):
        t = self.b[self.at]
        self.field(1, 'chunk of %s: transform' % name, show='%d, %s' % (t, reader.TRANSFORMS[t]))
        self.field(1, 'packing', show='1, PACK')
        for n, what, fmt in ((1, 'parameter', 'b'), (1, 'flags', 'B'), (4, 'size', 'I'), (4, 'n', 'I'), (2, 'exceptions', 'H'), (2, 'block', 'H')):
            self.field(n, what, fmt)


def hexdump():
    name = os.path.join(TOP, 'tests/files/good-003-smallest.txt')
    with open(name) as f:
        b = mkotr.Maker(f.read(), os.path.dirname(name)).file()
    d = Dump(b)
    d.header()
    d.slot(0)
    d.slot(1)
    assert b[12288:16384] == b[:4096]
    d.title('The header again')
    d.out.append(' 12288  as 0 .. 4095')
    d.at = 16384
    d.leaf(4)
    assert d.at == len(b) == 20480
    return [('    ' + line).rstrip() for line in d.out[1:]]


def appendix_b():
    with open(os.path.join(TOP, 'examples/otr_dump.py')) as f:
        return ['```python'] + f.read().rstrip('\n').split('\n') + ['```']


PARTS = {'chunks': chunk_examples, 'hexdump': hexdump, 'reader': appendix_b}


def main(argv):
    path = os.path.join(TOP, 'SPEC.md')
    with open(path) as f:
        old = f.read().split('\n')
    if argv == ['--reader']:
        a, e = old.index('<!-- begin reader -->') + 2, old.index('<!-- end reader -->') - 1
        print('\n'.join(old[a:e]))
        return 0
    new = list(old)
    for name, make in PARTS.items():
        a, e = new.index('<!-- begin %s -->' % name), new.index('<!-- end %s -->' % name)
        new[a + 1:e] = make()
    if new == old:
        return 0
    if argv == ['--write']:
        with open(path + '.new', 'w') as f:
            f.write('\n'.join(new))
        os.replace(path + '.new', path)
        return 0
    sys.stdout.writelines(line + '\n' for line in difflib.unified_diff(old, new, 'SPEC.md', 'as it should be', lineterm=''))
    return 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
