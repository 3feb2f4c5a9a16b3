#!/usr/bin/env python3
"""The reading tools as programs over a damaged file: one bit flipped at the first byte of each page, the bytes beside it, and at random places.

Each tool ends with a status that is not 0 and says why, or with status 0 and exactly what it prints of the sound file, and a warning if it read what was damaged;
rows of another version only where a message says so. Never a signal, never wrong rows. test_damage does the same to every bit, in one process.

FULL=1: 500 places instead of 60, and every tool at every place. SEED=n.
"""
import os
import random
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get('OTR_BIN', os.path.join(TOP, 'build/release'))
FILES = os.environ.get('OTR_FUZZ_FILES', os.path.join(TOP, 'build/fuzz/files'))
PAGE, PAGES = 4096, 11
FREE = range(10 * PAGE, 11 * PAGE)              # nothing reaches this page
COPY = range(12288, 16384)                      # of the header: readers do not need it
TOOLS = {
    'dump': ['otr-dump', 'F'],
    'dump as of version 1': ['otr-dump', '--at', '1', 'F'],
    'query': ['otr-query', '-w', '4s', '-a', 'count,min,max,mean,sum,stddev,area', 'F'],
    'stat': ['otr-stat', '--scan', 'F'],
    'log': ['otr-log', 'F'],
    'diff': ['otr-diff', '--rows', 'F', '1', '6'],
    'meta': ['otr-meta', 'F'],
    'verify': ['otr-verify', 'F'],
}


def run(argv, path):
    r = subprocess.run([os.path.join(BIN, argv[0])] + [path if a == 'F' else a for a in argv[1:]], capture_output=True)
    return r.returncode, r.stdout, r.stderr


def older(whole):
    """The file in the state of its other slot, in both slots."""
    newest = max((0, 1), key=lambda i: whole[4096 * (i + 1) + 24])
    other = whole[4096 * (2 - newest):4096 * (3 - newest)]
    return whole[:4096] + other + other + whole[12288:]


def fault(name, got, want, before, at):
    """What is wrong with an answer, or None."""
    status, out, err = got
    if status < 0 or status >= 128:
        return 'ended by signal %d' % -status
    if name == 'verify':
        if at in FREE:
            return None if got == want else 'a page that nothing reaches'
        return None if status in (1, 4) and (out if status == 1 else err) else 'not found: status %d' % status
    if not any(whole.startswith(out) for whole in (want[1], before[1])):
        return 'status %d and other rows: %r' % (status, out[-80:])
    if status == 0:
        if out != want[1] and not (out == before[1] and err):
            return 'status 0 without all rows'
        if out == want[1] and not err and at < 12288:
            return 'the damage of header or slot is not said'
        return None
    return None if status == 4 and err.count(b'\n') >= 1 else 'status %d, said: %r' % (status, err)


def main():
    full = 'FULL' in os.environ
    seed = int(os.environ.get('SEED', time.time_ns() % 10 ** 9))
    print('# SEED=%d' % seed)
    rng = random.Random(seed)
    with open(os.path.join(FILES, 'good-089-all.otr'), 'rb') as f:
        whole = f.read()
    places = [p for n in range(PAGES + 1) for p in (n * PAGE - 1, n * PAGE, n * PAGE + 1) if 0 <= p < len(whole)]
    places += [rng.randrange(len(whole)) for _ in range(500 if full else 60)]
    wrong, asked, refused, said = [], 0, 0, 0
    with tempfile.TemporaryDirectory(prefix='otr-damage-') as folder:
        path = os.path.join(folder, 'x.otr')

        def put(data):
            with open(path, 'wb') as f:
                f.write(data)

        put(older(whole))
        before = {name: run(argv, path) for name, argv in TOOLS.items()}
        put(whole)
        want = {name: run(argv, path) for name, argv in TOOLS.items()}
        for name, argv in TOOLS.items():
            if want[name][0] != (1 if name == 'diff' else 0) or want[name][2]:
                wrong.append('%s of the sound file: %r' % (name, want[name]))
        for k, at in enumerate(places):
            bit = rng.randrange(8)
            data = bytearray(whole)
            data[at] ^= 1 << bit
            put(data)
            for i, (name, argv) in enumerate(TOOLS.items()):
                # in a sample each place is asked of two tools and verify, by turns
                if not full and name != 'verify' and (i - k) % 7 > 1:
                    continue
                got = run(argv, path)
                if name == 'diff' and got[0] == 1:      # they differ: that is its success
                    got = (0,) + got[1:]
                asked += 1
                refused += got[0] != 0
                said += got[0] == 0 and got[2] != b''
                what = fault(name, got, want[name], before[name], at)
                if what:
                    wrong.append('bit %d of byte %d: %s: %s' % (bit, at, name, what))
    print('# %d places, %d answers: %d refused or found, %d with a warning' % (len(places), asked, refused, said))
    print('%s 1 - each tool says what it met, and prints nothing that is not so' % ('not ok' if wrong else 'ok'))
    for line in wrong[:20]:
        print('#   ' + line)
    print('1..1')
    return bool(wrong)


sys.exit(main())
