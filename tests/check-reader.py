#!/usr/bin/env python3
"""Files that the model test makes are read alike by three readers: the model's own formatter, otr-dump, and otr_reader.py, which was written from
SPEC.md alone.  Each file at several of its versions.  SEED=n FILES=n choose.  TAP.
"""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import spec_check as spec  # noqa: E402

BIN = os.environ.get('OTR_BIN', os.path.join(spec.TOP, 'build/release'))
MODEL = os.path.join(BIN, 'tests/model/test_model')


def first_difference(have, want):
    have, want = have.split('\n'), want.split('\n')
    k = next((i for i, (a, b) in enumerate(zip(have, want)) if a != b), min(len(have), len(want)))
    return 'line %d: %s, want %s' % (k + 1, have[k:k + 1], want[k:k + 1])


def main():
    if not os.access(MODEL, os.X_OK):
        print('1..0 # SKIP %s is not built' % MODEL)
        return 0
    seed, most = os.environ.get('SEED', '1'), int(os.environ.get('FILES', 16))
    print('# SEED=%s FILES=%d' % (seed, most))
    wrong, versions = {'dump': [], 'reader': [], 'verify': []}, 0
    with tempfile.TemporaryDirectory(prefix='otr-reader-', dir='/dev/shm' if os.path.isdir('/dev/shm') else None) as folder:
        made = subprocess.run([MODEL, 'SEED=' + seed, 'OPS=%d' % (most * 150), '--keep', folder], capture_output=True, encoding='utf-8')
        if made.returncode:
            print(made.stdout + made.stderr)
            return 1
        files = {}
        for csv in sorted(n for n in os.listdir(folder) if n.endswith('.csv')):
            base, version, _ = csv.rsplit('.', 2)
            files.setdefault(base, []).append(version)
        for base in list(files)[:most]:
            path = os.path.join(folder, base + '.otr')
            spec.reader.parsed = {}                             # versions share pages
            status, out, err = spec.run(spec.reader.main, ['--verify', path])
            if status:
                wrong['verify'].append('%s: %s' % (base, out + err))
            for version in files[base]:
                versions += 1
                with open(os.path.join(folder, '%s.%s.csv' % (base, version)), encoding='utf-8', newline='') as f:
                    want = f.read()
                r = subprocess.run([os.path.join(BIN, 'otr-dump'), '--at', version, path], capture_output=True)
                if r.stdout != want.encode():
                    wrong['dump'].append('--at %s of %s: %s%s' % (version, base, r.stderr.decode(), first_difference(r.stdout.decode(errors='replace'), want)))
                status, out, err = spec.run(spec.reader.main, ['--at', version, path])
                if out != want:
                    wrong['reader'].append('--at %s of %s: %s%s' % (version, base, err, first_difference(out, want)))
        print('# %d files, %d versions' % (min(most, len(files)), versions))
    for n, (what, name) in enumerate((('dump', 'otr-dump prints each version as the model does'),
                                      ('reader', 'the reader written from SPEC.md prints each version as the model does'),
                                      ('verify', 'the reader written from SPEC.md finds no fault in any file')), 1):
        print('%sok %d - %s (%d differ)' % ('not ' if wrong[what] or not versions else '', n, name, len(wrong[what])))
        for text in wrong[what][:3]:
            print('#   ' + text.strip().replace('\n', '\n#   '))
    print('1..3')
    return 1 if any(wrong.values()) or not versions else 0


if __name__ == '__main__':
    sys.exit(main())
