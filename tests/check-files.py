#!/usr/bin/env python3
"""The tools over the sample files of tests/files: what they print is what the files beside the texts say, which no tool made.

Every kept version of every file, by number and by time, the log, the metadata; each bad file's status and answer.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import spec_check as spec  # noqa: E402

BIN = os.environ.get('OTR_BIN', os.path.join(spec.TOP, 'build/release'))


def tool(name, *argv):
    r = subprocess.run([os.path.join(BIN, name)] + list(argv), capture_output=True, encoding='utf-8', errors='replace')
    return r.returncode, r.stdout, r.stderr


def own(out):
    """otr-meta shows the policies, too."""
    return ''.join(line for line in out.splitlines(True) if not line.startswith('otr.'))


def good(folder, say):
    for n in spec.names('good-'):
        status, out, err = tool('otr-dump', os.path.join(folder, n + '.otr'))
        says, fault = spec.expect(n)[1:3]
        if status or not spec.same_csv(n, out) or says and not err or err and not says and not fault:
            say(n, 'status %d, or not as the .csv, or said: %s' % (status, err))


def versions(folder, say):
    for n in spec.names('good-'):
        path, kept = os.path.join(folder, n + '.otr'), spec.Versions(n)
        if not kept.want:
            continue
        log = spec.commits(n)
        for at, v in [(str(v), v) for v in kept.want] + [(t, spec.as_of(log, t)) for _, t in log]:
            status, out, err = tool('otr-dump', '--at', at, path)
            if status or not kept.same(v, out):
                say(n, '--at %s: status %d, or not version %d: %s' % (at, status, v, err))
        first = min(kept.want)
        if first and tool('otr-dump', '--at', str(first - 1), path)[0] != 2:
            say(n, 'version %d is read, though it is pruned' % (first - 1))


def log_meta(folder, say):
    for n in spec.names('good-'):
        path = os.path.join(folder, n + '.otr')
        wanted = []
        if os.path.exists(os.path.join(spec.TEXTS, n + '.log')):
            wanted.append((('otr-log', path), spec.text_of(n + '.log')))
        if os.path.exists(os.path.join(spec.TEXTS, n + '.meta')):
            wanted.append((('otr-meta', path), spec.text_of(n + '.meta')))
        if os.path.exists(os.path.join(spec.TEXTS, n + '.metas')):
            wanted += [(('otr-meta', '--at', v, path), want) for v, want in spec.parts(n + '.metas')]
        for argv, want in wanted:
            status, out, err = tool(*argv)
            if status or own(out) != want:
                say(n, '%s: status %d, or it differs: %s' % (' '.join(argv[:-1]), status, err))


def verify(folder, say):
    for n in spec.names(''):
        status, out, err = tool('otr-verify', '--json', os.path.join(folder, n + '.otr'))
        _, _, want, rules = spec.expect(n)
        found = [json.loads(line) for line in out.splitlines()]
        found = [((f['where'], str(f.get('number', ''))), f['spec']) for f in found]
        if status != want:
            say(n, 'status %d, want %d: %s%s' % (status, want, out, err))
        elif rules and status and not spec.names_one(rules, err) and not any(rule in rules for _, rule in found):
            say(n, 'SPEC %s is not named: %s%s' % (' or '.join(rules), out, err))
        elif not spec.same_place(n, found):
            say(n, 'the fault is said to lie elsewhere than in %s: %s' % (' or '.join(map(' '.join, spec.places(n))), out))


def bad(folder, say):
    for n in spec.names('bad-') + spec.names('unsupported-'):
        path = os.path.join(folder, n + '.otr')
        status, says = spec.expect(n)[:2]
        for what, v, status, says in [('dump', '', status, says)] + spec.asked(n):
            argv = {'dump': ['otr-dump'], 'at': ['otr-dump', '--at', v], 'meta': ['otr-meta', '--at', v], 'log': ['otr-log']}[what]
            got, out, err = tool(*argv, path)
            if got != status or status and says not in err and not ('cannot be read' in err and 'is read' in err):     # 10.4-4
                say(n, '%s: status %d, want %d %s: %s' % (' '.join(argv), got, status, says, err))


EXACT = [('count', 'count'), ('nans', 'nans'), ('min', 'min'), ('max', 'max'), ('first', 'first'), ('last', 'last'), ('t_first', 'tfirst'), ('t_last', 'tlast')]


def near(have, want, bound):
    """Whether a printed number is want within a bound, and the rounding of what was added and printed."""
    return want is None or have != '' and abs(float(have) - want) <= bound + abs(want) * 2.0 ** -51


def differences(want, have, typ, edges):
    """What otr-query says (by the names of --aggregate) beside a line of NAME.stat: 6.9-1."""
    out = [name for name, theirs in EXACT if str(want.get(name, '')) != have[theirs]]
    if int(have['nulls']) != want['rows'] - want['count'] - want['nans']:
        out.append('nulls')
    if not near(have['covered'], want['covered'] / 1e9, 0):
        out.append('covered')
    rise = want.get('rise', 2 ** 64 - 1)                        # none, or more than it can hold: empty
    if have['rise'] != '' if rise == 2 ** 64 - 1 else have['rise'] != str(rise) if typ[0] != 'f' else not near(have['rise'], rise, rise * 1e-12):
        out.append('rise')
    if 'sum' in want:
        if typ[0] != 'f':
            out += ['sum'] * (have['sum'] != str(want['sum']))
        elif not near(have['sum'], want['sum'], (want['sum_size'] or 0) * 2.0 ** -75):
            out.append('sum')
        if want['m2'] is not None and not near(have['var'], want['m2'] / want['count'], 1e-11 * want['m2'] / want['count']):
            out.append('var')
    if want['covered'] and want['area'] is not None:
        # An edge pair adds the rounding of its own.
        if not near(have['area'], want['area'] / 1e9, want['area_size'] / 1e9 * (2.0 ** -49 if edges else 2.0 ** -75)):
            out.append('area')
    return out


def at(ns):
    return '@%s%d.%09d' % ('-' * (ns < 0), *divmod(abs(ns), 10 ** 9))


def stat(folder, say):
    """otr-query over the whole series and over two ranges, otr-stat over the whole."""
    names = [n for n in spec.names('good-')]
    told = dict(zip(names, map(json.loads, tool('otr-stat', '--json', '-q', *(os.path.join(folder, n + '.otr') for n in names))[1].splitlines())))
    for n in names:
        lines = [json.loads(line) for line in spec.text_of(n + '.stat').splitlines()]
        types = {c['name']: c['type'] for c in told[n]['columns']}
        for start, end in dict.fromkeys((w['start'], w['end']) for w in lines):
            argv = ['--start=' + at(start)] * (start != spec.reader.TMIN) + ['--end=' + at(end)] * (end != spec.reader.TMAX)
            status, out, err = tool('otr-query', '-q', '--time-format=ns', '-d', 'tab', '-a', 'count,nulls,nans,min,max,first,last,tfirst,tlast,sum,var,area,covered,rise',
                                    *argv, os.path.join(folder, n + '.otr'))
            head, row = [line.split('\t') for line in out.splitlines()] if out.count('\n') == 2 else ([], [])
            have = dict(zip(head, row))
            for want in lines:
                if (want['start'], want['end']) == (start, end):
                    mine = {k[len(want['column']) + 1:]: v for k, v in have.items() if k.startswith(want['column'] + '_')}
                    wrong = differences(want, mine, types[want['column']], bool(argv)) if mine else ['status %d: %s' % (status, err)]
                    if wrong:
                        say(n, 'column %s from %s to %s: %s: %s, want %s' % (want['column'], start, end, ', '.join(wrong), mine, want))
        for want in lines:
            if (want['start'], want['end']) == (spec.reader.TMIN, spec.reader.TMAX):
                have = next(c for c in told[n]['columns'] if c['name'] == want['column'])
                if (have['count'], have['nans'], have['nulls'], told[n]['rows']) != (want['count'], want['nans'], want['rows'] - want['count'] - want['nans'], want['rows']):
                    say(n, 'otr-stat: %s, want %s' % (have, want))


TESTS = [(good, 'otr-dump prints each good file as its .csv, and warns where it should'),
         (versions, 'otr-dump --at prints every kept version, by number and by time'),
         (log_meta, 'otr-log and otr-meta print the log and the metadata of each version'),
         (stat, '6.9-1: otr-query and otr-stat tell the statistics of .stat: exact, or within the bounds'),
         (verify, 'otr-verify finds what .expect says, rule and place, and nothing else'),
         (bad, 'bad and unsupported files: status and answer')]


def main():
    failed = 0
    print('1..%d' % len(TESTS))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(spec.TOP, 'tests/mkotr'), '-a', spec.TEXTS, folder], check=True)
        for n, (test, name) in enumerate(TESTS, 1):
            wrong = []
            test(folder, lambda file, text: wrong.append('%s: %s' % (file, text.strip())))
            print('%s %d - %s' % ('not ok' if wrong else 'ok', n, name), flush=True)
            for text in wrong[:20]:
                print('#   ' + text.replace('\n', '\n#     '))
            failed += bool(wrong)
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
