#!/usr/bin/env python3
"""Files that the tools write, read by tests/otr_reader.py and appendix B, which were written from SPEC.md alone.

Random schemas, policies and appends, in order and not; after each commit otr-dump is kept. Then the foreign reader verifies the
file (statistics bit for bit) and gives every version. SEEDS=1,2,3 chooses the runs.
"""
import os
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import spec_check as spec  # noqa: E402

BIN = os.environ.get('OTR_BIN', os.path.join(spec.TOP, 'build/release'))


def tool(name, *argv, text=None):
    return subprocess.run([os.path.join(BIN, name), *argv], input=text, capture_output=True, encoding='utf-8')


def foreign(*argv):
    """(status, stdout, stderr) of the independent reader."""
    return spec.run(spec.reader.main, list(argv))


def value(rnd, typ):
    if rnd.random() < .1:
        return ''
    if typ == 'bool':
        return str(rnd.randrange(2))
    if typ in ('i32', 'i64'):
        half = 2 ** 31 if typ == 'i32' else 2 ** 63
        return str(rnd.choice([rnd.randrange(-5, 100), rnd.randrange(-half, half)]))
    tiny = ['5e-324', '1e-300'] if typ == 'f64' else ['1e-45', '1e-40']
    return rnd.choice(['NaN', 'inf', '-inf', '-0', '0.1', repr(rnd.uniform(-100, 100)), '%.2f' % rnd.uniform(0, 50),
                       '%.1f' % rnd.uniform(0, 50)] + tiny)


def run(seed, folder):
    """What was wrong, or ''."""
    rnd = random.Random(seed)
    path = os.path.join(folder, '%d.otr' % seed)
    count = rnd.randrange(1, 5)
    columns = [('c%d' % i, rnd.choice(['bool', 'i32', 'i64', 'f32', 'f64'])) for i in range(count)]
    options = ['--duplicates', rnd.choice(['replace', 'keep', 'first'])]
    if rnd.random() < .5:
        options += ['--gap', '20s']
    if rnd.random() < .4:
        options += ['--page-size', {1: '4Ki', 2: '8Ki', 3: '8Ki', 4: '16Ki'}[count]]
    r = tool('otr-create', *options, path, *['%s:%s' % c for c in columns])
    if r.returncode:
        return 'otr-create: ' + r.stderr
    versions, t = {}, 1700000000
    for _ in range(rnd.randrange(5, 40)):
        rows = []
        late = rnd.random() < .2
        for _ in range(rnd.choice([1, 1, 1, 2, 3, 5, rnd.randrange(1, 2000)])):
            at = t
            if late and rnd.random() < .3:
                at = t - rnd.randrange(200)
            else:
                t += rnd.choice([1, 1, 1, 0, 5, 50])
                at = t
            part = rnd.choice(['', '', '.5', '.000001']) if seed % 3 == 0 else ''
            rows.append('@%d%s,%s' % (at, part, ','.join(value(rnd, typ) for _, typ in columns)))
        r = tool('otr-append', '--print-version', '-N', '--author', 'me', path, text='\n'.join(rows) + '\n')
        if r.returncode:
            return 'otr-append: ' + r.stderr
        versions[r.stdout.split()[-1]] = tool('otr-dump', path).stdout
    spec.reader.parsed = {}                             # versions share pages
    status, out, err = foreign('--verify', path)
    if status or err:
        return 'verify: ' + out + err
    for v, want in versions.items():
        status, out, err = foreign('--at', v, path)
        if status or out != want:
            return 'version %s: status %d, or it differs: %s' % (v, status, err)
    newest = list(versions.values())[-1]
    status, out, err = spec.run(spec.appendix_b, [path])
    if out != newest:
        return 'appendix B: ' + err
    return ''


def main():
    seeds = [int(s) for s in os.environ.get('SEEDS', '2,3,9,11').split(',')]
    print('1..%d' % len(seeds))
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for n, seed in enumerate(seeds, 1):
            wrong = run(seed, folder)
            print('%s %d - a file of the tools, read by a reader from SPEC.md alone (seed %d)' % ('not ok' if wrong else 'ok', n, seed))
            for line in wrong.splitlines()[:10]:
                print('#   ' + line)
            bad += bool(wrong)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
