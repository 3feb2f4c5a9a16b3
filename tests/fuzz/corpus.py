#!/usr/bin/env python3
"""corpus.py OUT: the inputs that fuzzing begins with, into OUT/files and OUT/corpus/TARGET.

OUT/files has the sample files of tests/files, assembled by mkotr; out of each come its header, slots, records, pages and chunks. The rest stands as text in
corpus/TARGET.txt, one input a line:

    NAME: hex digits, "a string", u8:N u16:N u32:N u64:N i64:N (little-endian), any of them with *COUNT behind it; # begins a comment

An input that was a find stands there with a name that says what it broke.
"""
import os
import re
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
NUMBER = {'u8': '<B', 'u16': '<H', 'u32': '<I', 'u64': '<Q', 'i64': '<q'}
KINDS = {'good': 0, 'bad': 1000, 'unsupported': 2000}
PAGES = {1: 'leaf', 2: 'inner', 3: 'log', 4: 'meta'}
TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(u8|u16|u32|u64|i64):(-?\w+)|((?:[0-9a-f]{2})+)|(#.*))(?:\*(\d+))?')


def parse(text, where):
    out, at = b'', 0
    while text[at:].strip():
        m = TOKEN.match(text, at)
        if not m:
            sys.exit('%s: not understood: %s' % (where, text[at:]))
        string, kind, number, digits, comment, count = m.groups()
        if comment is None:
            one = (bytes.fromhex(digits) if digits else struct.pack(NUMBER[kind], int(number, 0)) if kind else
                   string.encode().decode('unicode_escape').encode('latin-1'))
            out += one * int(count or 1)
        at = m.end()
    return out


def u(b, at, form):
    return struct.unpack_from('<' + form, b, at)[0]


class Corpus:
    def __init__(self, out):
        self.out, self.seen = out, set()

    def put(self, target, name, data):
        if (target, data) in self.seen:
            return
        self.seen.add((target, data))
        folder = os.path.join(self.out, target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(data)

    def texts(self):
        for f in sorted(os.listdir(os.path.join(HERE, 'corpus'))):
            with open(os.path.join(HERE, 'corpus', f), encoding='utf-8') as lines:
                for n, line in enumerate(lines, 1):
                    if line.strip() and not line.startswith('#'):
                        name, text = line.split(':', 1)
                        for target in f[:-4].split('+'):
                            self.put(target, 'text-' + name.strip(), parse(text, '%s:%d' % (f, n)))

    def pieces(self, name, b):
        """What a file is made of, each for its own target."""
        kind, number = name.split('-')[:2]
        whole = struct.pack('<HB', KINDS[kind] + int(number), 0)
        self.put('file', name, whole)
        if kind == 'good':
            for op in range(9):
                if (int(number) + op) % 9 == 0 or int(number) > 130:
                    self.put('repaired', '%s-op%d' % (name, op), whole + bytes([op, 1, 1, 0, 3, 7]))
        if len(b) < 16384 or u(b, 64, 'B') not in range(12, 17):
            return
        self.put('header', name, b'\0' + b[:4096].rstrip(b'\0'))
        size, columns, gap = 1 << b[64], b[65], b[66]
        if not 1 <= columns <= 64:
            return
        types, at = [], 128
        for _ in range(columns):
            types.append((b[at], b[at + 1]))
            at += 8 + (u(b, at + 2, 'H') + 7) // 8 * 8
            if at > 4000:
                return
        schema = bytes([b[64] - 12, columns - 1 | (gap & 1) << 7] + [(t - 1) % 5 | (s & 1) << 7 for t, s in types])
        for slot in (4096, 8192):
            raw = b[slot:slot + 4096]
            body = b''.join(raw[512 * i:512 * i + 504] for i in range(8))
            name_at = '%s-%d' % (name, slot)
            self.put('slot', name_at, schema + b'\0' + body.rstrip(b'\0'))
            begin, length = 264 + 8 * u(body, 256, 'H'), u(body, 260, 'H')
            self.put('record', name_at, schema + bytes([body[262] & 1]) + body[begin:begin + length])
        for page in range(max(1, 16384 // size), len(b) // size):
            p = b[page * size:page * size + size]
            target, name_at = PAGES.get(p[4]), '%s-p%d' % (name, page)
            if target is None or page > 40:
                continue
            if target != 'meta' or size == 4096:
                self.put(target, name_at, (b'\0' if target == 'meta' else schema) + p[32:].rstrip(b'\0'))
            if target == 'leaf':
                self.chunks(name_at, p, [t for t, _ in types])

    def chunks(self, name, p, types):
        rows, used = u(p, 40, 'I'), u(p, 44, 'I')
        at = [u(p, 48 + 4 * i, 'I') for i in range(1 + len(types))] + [used]
        for i, (a, e) in enumerate(zip(at, at[1:])):
            if a < e <= len(p) and rows <= 65535:
                self.put('chunk', '%s-%d' % (name, i), struct.pack('<BH', 0 if i == 0 else types[i - 1] % 6, rows) + p[a:e])


def main(out):
    files = os.path.join(out, 'files')
    shutil.rmtree(files, ignore_errors=True)
    shutil.rmtree(os.path.join(out, 'corpus'), ignore_errors=True)
    subprocess.run([sys.executable, os.path.join(TESTS, 'mkotr'), '-a', os.path.join(TESTS, 'files'), files], check=True)
    corpus = Corpus(os.path.join(out, 'corpus'))
    corpus.texts()
    for f in sorted(os.listdir(files)):
        with open(os.path.join(files, f), 'rb') as whole:
            corpus.pieces(f[:-4], whole.read())


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
