#!/usr/bin/env python3
"""coverage.py BUILD: how much of lib/ and tools/ the tests that ran in BUILD (compiled with --coverage) have taken, beside tests/coverage.txt.  TAP.

    --write    writes tests/coverage.txt anew instead

Lines and branches of each file, by gcov.  A line that ends in `/* not taken: REASON */` holds a branch that no input can take: its branches are counted apart.
Coverage must not fall: a file with more branches left out than in coverage.txt, by more than one in a hundred of its branches, fails; so does the sum by one in a thousand (two runs differ by two branches).
"""
import gzip
import json
import os
import subprocess
import sys

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
BASE = os.path.join(TOP, 'tests/coverage.txt')


def measured(build):
    """{file: [branches, taken, lines, run, marked]}"""
    lines, branches = {}, {}
    for folder in ('lib', 'tools'):
        at = os.path.join(build, folder)
        for name in sorted(os.listdir(at)):
            if not name.endswith('.gcda'):
                continue
            out = subprocess.run(['gcov', '-b', '-j', '-t', os.path.join(at, name)], cwd=TOP, capture_output=True, check=True).stdout
            if out[:2] == b'\x1f\x8b':
                out = gzip.decompress(out)
            for f in json.loads(out)['files']:
                path = os.path.relpath(os.path.join(TOP, f['file']), TOP)
                if not path.startswith(('lib/', 'tools/')) or not path.endswith('.c'):
                    continue
                for line in f['lines']:
                    key = path, line['line_number']
                    lines[key] = max(lines.get(key, 0), line['count'])
                    taken = [b['count'] for b in line['branches']]
                    have = branches.setdefault(key, [0] * len(taken))
                    branches[key] = [max(a, b) for a, b in zip(have, taken)]
    out = {}
    for path in sorted({p for p, _ in lines}):
        with open(os.path.join(TOP, path), encoding='utf-8') as f:
            marked = {n for n, text in enumerate(f, 1) if '/* not taken: ' in text}
        counted = [b for (p, n), bs in branches.items() if p == path and n not in marked for b in bs]
        out[path] = [len(counted), sum(b > 0 for b in counted), sum(p == path for p, _ in lines), sum(p == path and c > 0 for (p, _), c in lines.items()),
                     sum(len(bs) for (p, n), bs in branches.items() if p == path and n in marked)]
    return out


def summed(files, prefix):
    rows = [v for k, v in files.items() if k.startswith(prefix)]
    return [sum(c) for c in zip(*rows)] if rows else [0] * 5


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def row(name, v):
    return '%-24s %6d %6d %7.2f %% %6d %6d %7.2f %% %4d' % (name, v[0], v[1], percent(v[1], v[0]), v[2], v[3], percent(v[3], v[2]), v[4])


def main():
    files = measured(sys.argv[-1])
    gcc = subprocess.run(['gcc', '-dumpversion'], capture_output=True, text=True, check=True).stdout.split('.')[0].strip()
    text = ['# measured with gcc %s: another one has other branches' % gcc, '# file                  branches  taken          lines    run           marked']
    text += [row(name, v) for name, v in files.items()]
    text += [row('all of ' + d, summed(files, d)) for d in ('lib/', 'tools/')]
    if '--write' in sys.argv:
        with open(BASE, 'w', encoding='utf-8') as f:
            f.write('\n'.join(text) + '\n')
        return 0
    before = {}
    with open(BASE, encoding='utf-8') as f:
        for line in f:
            words = line.split()
            if line.startswith('# measured with gcc') and words[4].rstrip(':') != gcc:
                print('1..0 # SKIP tests/coverage.txt was measured with gcc %s, this is %s' % (words[4].rstrip(':'), gcc))
                return 0
            if line.startswith(('lib/', 'tools/')):
                before[words[0]] = (int(words[1]), int(words[2]))
    worse = ['%s: nothing of it ran' % name for name in before if name not in files and os.path.exists(os.path.join(TOP, name))]
    for name, v in files.items():
        was = before.get(name)
        if was and v[0] - v[1] > was[0] - was[1] + max(2, v[0] // 100):
            worse.append('%s: %d of %d branches are not taken, %d of %d were not' % (name, v[0] - v[1], v[0], was[0] - was[1], was[0]))
        if not was and percent(v[1], v[0]) < 80:
            worse.append('%s is new, and %d of its %d branches are not taken' % (name, v[0] - v[1], v[0]))
    for d in ('lib/', 'tools/'):
        now, was = summed(files, d), [sum(c) for c in zip(*(v for k, v in before.items() if k.startswith(d)))]
        if percent(now[1], now[0]) < percent(was[1], was[0]) - 0.1:
            worse.append('%s: %.2f %% of the branches, %.2f %% before' % (d, percent(now[1], now[0]), percent(was[1], was[0])))
        print('# %s %.2f %% of %d branches, %.2f %% of %d lines; %.2f %% of the branches before' % (d, percent(now[1], now[0]), now[0], percent(now[3], now[2]), now[2],
                                                                                         percent(was[1], was[0])))
    print('%sok 1 - branch coverage has not fallen' % ('not ' if worse else ''))
    for line in worse:
        print('#   ' + line)
    print('1..1')
    return bool(worse)


if __name__ == '__main__':
    sys.exit(main())
