#!/usr/bin/env python3
"""The numbered cases of behaviour, through the tools: inputs and the answers that OTR must give.

    tests/cases/cases.py CASE        one case; says what differs and ends with status 1 if anything does
    tests/cases/cases.py --list      their names, each with its sentence

The expected numbers stand here as they were computed by brute force, in exact arithmetic, over plain lists; none comes from OTR.  The tools are
found in OTR_BIN, or build/release.  Scratch files go to TMPDIR (under bats: BATS_TEST_TMPDIR).
"""
import fcntl
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = os.environ.get('OTR_ROOT') or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get('OTR_BIN') or os.path.join(ROOT, 'build', 'release')
TMIN, TMAX = -2**63 + 1, 2**63 - 2
problems = []
CASES = {}
tmp = None


def case(sentence):
    def add(f):
        CASES[f.__name__] = (sentence, f)
        return f
    return add


def check(good, what, *detail):
    if not good:
        problems.append(what + ''.join('\n    %s' % (d,) for d in detail))
    return good


def same(got, want, what):
    return check(got == want, what, 'got      %r' % (got,), 'expected %r' % (want,))


# ---- the tools --------------------------------------------------------------------------------------------------------------

class Ran:
    def __init__(self, args, p):
        self.args, self.status = args, p.returncode
        self.raw, self.err = p.stdout, p.stderr.decode('utf-8', 'replace')

    @property
    def out(self):
        return self.raw.decode('utf-8', 'replace')

    def __repr__(self):
        return '%s: status %d, stdout %r, stderr %r' % (' '.join(self.args), self.status, self.raw[:300], self.err[:300])


def run(tool, *args, data=None):
    args = [os.path.join(BIN, 'otr-' + tool)] + [str(a) for a in args]
    if isinstance(data, str):
        data = data.encode()
    p = subprocess.run(args, input=data if data is not None else b'', stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    args[0] = os.path.basename(args[0])
    r = Ran(args, p)
    check(p.returncode >= 0, 'a tool died', r)
    return r


def ok(tool, *args, data=None):
    r = run(tool, *args, data=data)
    check(r.status == 0, 'a tool failed', r)
    return r


def refused(status, tool, *args, data=None, says=None):
    r = run(tool, *args, data=data)
    check(r.status == status, 'expected status %d' % status, r)
    check(r.raw == b'', 'a refusal prints nothing on stdout', r)
    if says is not None:
        check(re.search(says, r.err) is not None, 'the message should say %r' % says, r)
    return r


def can(tool, option):
    """Whether this release of a tool has an option."""
    return re.search(r'(^|[\s,\[])%s\b' % re.escape(option), run(tool, '--help').out, re.M) is not None


def forms(*wanted):
    """Those of the formats that this release has."""
    f = fresh('form')
    ok('create', f, 'v')
    return [w for w in wanted if run('dump', '-F', w, f).status == 0]


def day():
    """A window of a day of UTC: 1d, or 24h where this release has no calendar."""
    f = fresh('day')
    ok('create', f, 'v')
    return '1d' if run('query', '-w', '1d', f).status == 0 else '24h'


def there(tool):
    """Whether this release has a tool."""
    return os.path.exists(os.path.join(BIN, 'otr-' + tool))


def stat(path, *args):
    return json.loads(ok('stat', '--json', *args, path).out)


def difference(path, a, b):
    """otr-diff of two versions, as (start, end, rows before, rows after); None without that tool."""
    if not there('diff'):
        return None
    r = run('diff', *(('--time-format', 'ns') if can('diff', '--time-format') else ()), path, a, b)
    got = [tuple(int(x) if x.lstrip('-').isdigit() else x for x in line.split(',')) for line in r.out.splitlines()[1:]]
    check(r.status == (1 if got else 0), 'otr-diff %s %s: status' % (a, b), r)
    return got


def fresh(name='a'):
    path = os.path.join(tmp, name + '.otr')
    if os.path.exists(path):
        os.unlink(path)
    return path


def sound(path):
    r = run('verify', path)
    check(r.status == 0 and r.raw == b'', 'otr-verify is to find nothing', r)


def t9(ns):
    """An option value that means ns."""
    return '@%s%d.%09d' % ('-' if ns < 0 else '', abs(ns) // 10**9, abs(ns) % 10**9)


# ---- feeds in several shapes -------------------------------------------------------------------------------------------------
# (time in ns, value text) in one column v; the shapes put the same rows into the slot, into leaves, into deep trees, in one commit or many.

SHAPES = ('ride', 'each', 'spilled', 'reverse')


def text_of(rows, columns=('v',)):
    return 'time_ns,%s\n%s' % (','.join(columns), ''.join('%d,%s\n' % (r[0], ','.join(str(x) for x in r[1:])) for r in rows))


def append(path, rows, *more, columns=('v',)):
    return ok('append', '--any-time', *more, path, data=text_of(rows, columns))


def make(rows, shape='ride', columns=('v',), name='a', options=()):
    """A file of these rows.  spilled: each commit is so large that only the last few ride; reverse: each row comes before those that are there."""
    path = fresh(name)
    page = ('--page-size', '4Ki') if shape in ('spilled', 'reverse') and '--page-size' not in options and len(columns) < 3 else ()
    ok('create', *options, *page, path, *columns)
    names = [c.split(':')[0] for c in columns]
    if shape == 'ride':
        append(path, rows, columns=names)
    elif shape == 'each':
        append(path, rows, '--commit-every', '1', columns=names)
    elif shape == 'spilled':
        append(path, rows, '--commit-every', '1', '-m', 'm' * 1000, columns=names)
    else:
        append(path, rows[::-1], '--commit-every', '1', '-m', 'm' * 1000, columns=names)
    sound(path)
    return path


def query(path, *args):
    """Rows of an answer, as dictionaries; times as integers of ns."""
    r = ok('query', '--time-format', 'ns', *args, path)
    return table(r.out)


def table(text):
    lines = text.splitlines()
    if not lines:
        return []
    head = lines[0].split(',')
    return [dict(zip(head, line.split(','))) for line in lines[1:]]


def dump(path, *args):
    return ok('dump', '-N', '--time-format', 'ns', *args, path).out


def rows_of(path, *args):
    return [tuple(line.split(',')) for line in dump(path, *args).splitlines()]


def windows(path, a, b, w, aggregates='count', *more):
    """W[a,b) w as a list of (start, field, ...)."""
    args = []
    if a is not None:
        args += ['-s', t9(a)]
    if b is not None:
        args += ['-e', t9(b)]
    got = query(path, *args, '-w', w if isinstance(w, str) else '%dns' % w, '-a', aggregates, *more)
    return [tuple([int(r['time_ns'])] + [r['v_' + x] for x in aggregates.split(',')]) for r in got]


def counts(path, a, b, w, *more):
    return [(t, int(n)) for t, n in windows(path, a, b, w, 'count', *more)]


def one(path, aggregates, *args):
    """The one row of an answer without windows: the fields, as text."""
    got = query(path, '-a', aggregates, *args)
    if not check(len(got) == 1, 'one row expected', got):
        return [''] * len(aggregates.split(','))
    return [got[0].get('v_' + x) for x in aggregates.split(',')]


def near(got, want, what, relative=1e-12):
    try:
        x = float(got)
    except (TypeError, ValueError):
        return check(False, what, 'got %r, expected %r' % (got, want))
    return check(abs(x - want) <= relative * abs(want), what, 'got      %r' % got, 'expected %r' % want)


# ---- A ---------------------------------------------------------------------------------------------------------------------------

FIVE = [(1, '2'), (4, '7.5'), (6, '2.5'), (13, '8'), (15, '6')]


@case('A: five rows: ranges, nearest, windows, points')
def a_five():
    for shape in SHAPES:
        f = make(FIVE, shape)
        for a, b, want in ((0, 16, FIVE), (1, 15, FIVE[:4]), (4, 6, FIVE[1:2]), (15, 15, []), (16, 99, [])):
            same(rows_of(f, '-s', t9(a), '-e', t9(b)), [(str(t), v) for t, v in want], '%s: rows [%d,%d)' % (shape, a, b))
        refused(2, 'dump', '-s', t9(16), '-e', t9(15), f)
        for t, want in ((0, 1), (2, 4), (12, 13), (13, 13), (16, None)):
            got = [int(r['time_ns']) for r in query(f, '--nearest', t9(t))]
            same(got, [] if want is None else [want], '%s: nearest %d' % (shape, t))
        for t, want in ((0, None), (2, 1), (12, 6), (13, 6), (16, 15)):
            got = [int(r['time_ns']) for r in query(f, '--nearest', t9(t), '--before')]
            same(got, [] if want is None else [want], '%s: nearest before %d' % (shape, t))
        same(windows(f, 0, 16, 4, 'count,min,mean,max'), [(0, '1', '2', '2', '2'), (4, '2', '2.5', '5', '7.5'), (12, '2', '6', '7', '8')], shape + ': W[0,16) 4')
        if can('query', '--fill'):
            same(windows(f, 0, 16, 4, 'count,min,mean,max', '--fill', 'null')[2], (8, '0', '', '', ''), shape + ': window 8, filled')
        same(windows(f, 0, 14, 5, 'count,mean'), [(0, '2', '4.75'), (5, '1', '2.5'), (10, '1', '8')], shape + ': W[0,14) 5')
        same(windows(f, 2, 14, 5, 'count,mean'), [(0, '1', '7.5'), (5, '1', '2.5'), (10, '1', '8')], shape + ': W[2,14) 5')
        same(counts(f, 0, 13, 5), [(0, 2), (5, 1)], shape + ': W[0,13) 5')
        same(counts(f, 0, 16, 100), [(0, 5)], shape + ': W[0,16) 100')
        for n, want in ((1, [(1, 5)]), (2, [(1, 3), (8, 2)]), (3, [(1, 2), (6, 1), (11, 2)]), (4, [(1, 1), (4, 2), (12, 2)])):
            got = [(int(r['time_ns']), int(r['v_count'])) for r in query(f, '--points', n, '-a', 'count')]
            same(got, want, '%s: --points %d' % (shape, n))
        refused(2, 'query', '--points', 16, f)


@case('A: five rows: every aggregate of the whole')
def a_whole():
    want = {'count': '5', 'nulls': '0', 'nans': '0', 'min': '2', 'mean': '5.2', 'max': '8', 'sum': '26', 'range': '6', 'first': '2', 'last': '6', 'tmin': '1', 'tmax': '13',
            'tfirst': '1', 'tlast': '15'}
    quantiles = {'p0': '2', 'p10': '2.2', 'p25': '2.5', 'median': '6', 'p75': '7.5', 'p90': '7.8', 'p99.9': '7.998', 'p100': '8'}
    for shape in SHAPES:
        f = make(FIVE, shape)
        same(dict(zip(want, one(f, ','.join(want)))), want, shape + ': exact aggregates')
        near(one(f, 'var')[0], 6.26, shape + ': var')
        near(one(f, 'stddev')[0], 2.5019992006393608, shape + ': stddev')
        if run('query', '-a', 'median', f).status == 0:
            same(dict(zip(quantiles, one(f, ','.join(quantiles)))), quantiles, shape + ': quantiles')


@case('A: five rows, in seconds: area, covered, time-weighted mean, gaps')
def a_area():
    rows = [(t * 10**9, v) for t, v in FIVE]
    for shape in ('ride', 'spilled', 'reverse'):
        for options, want in (((), ('75', '14', '5.357142857142857')),
                              (('--step-column', 'v'), ('54.5', '14', '3.892857142857143')),
                              (('--gap', '3s'), ('38.25', '7', '5.464285714285714')),
                              (('--gap', '5s'), ('38.25', '7', '5.464285714285714')),
                              (('--gap', '2s'), ('24', '4', '6')),
                              (('--gap', '3s', '--step-column', 'v'), ('37', '7', '5.285714285714286')),
                              (('--gap', '5s', '--step-column', 'v'), ('37', '7', '5.285714285714286')),
                              (('--gap', '2s', '--step-column', 'v'), ('31', '4', '7.75'))):
            f = make(rows, shape, options=options)
            area, covered, twa, rise = one(f, 'area,covered,twa,rise')
            same((area, float(covered), twa, rise), (want[0], float(want[1]), want[2], '19.5'), '%s %s: area, covered, twa, rise' % (shape, ' '.join(options)))


@case('A: five rows: a range deleted, and the version before')
def a_delete():
    for shape in SHAPES:
        f = make(FIVE, shape)
        before = stat(f)['version']
        ok('delete', '-s', t9(2), '-e', t9(8), f)
        same(rows_of(f), [('1', '2'), ('13', '8'), ('15', '6')], shape + ': [2,8) deleted')
        same(rows_of(f, '--at', before), [(str(t), v) for t, v in FIVE], shape + ': the version before')
        same(one(f, 'count,sum,min,max,first,last'), ['3', '16', '2', '8', '2', '6'], shape + ': aggregates of what is left')
        if there('diff'):
            same(difference(f, before, before), [], shape + ': otr-diff of a version with itself')
            same(difference(f, before, before + 1), [(4, 7, 2, 0)], shape + ': otr-diff over the deletion')
        sound(f)


# ---- B ---------------------------------------------------------------------------------------------------------------------------

@case('B: 4096 rows: windows of every power of two')
def b_powers():
    rows = [(i, i) for i in range(4096)]
    for columns, options in ((('v',), ()), (('v',), ('--page-size', '4Ki')), (('v:i64',), ('--page-size', '4Ki'))):
        f = make(rows, 'ride', columns=columns, options=options)
        for p in range(63):
            got = windows(f, 0, 4096, 2**p, 'count,sum')
            n = max(1, 4096 >> p)
            check(len(got) == n and [t for t, _, _ in got] == [i << p for i in range(n)] and all(c == str(2**min(p, 12)) for _, c, _ in got) and
                  sum(float(s) for _, _, s in got) == 8386560, '%s %s: windows of 2^%d ns' % (columns, options, p), got[:4])
        same(counts(f, 0, 4096, 1000), [(0, 1000), (1000, 1000), (2000, 1000), (3000, 1000), (4000, 96)], 'W[0,4096) 1000')
        same(counts(f, 1, 4095, 1024), [(0, 1023), (1024, 1024), (2048, 1024), (3072, 1023)], 'W[1,4095) 1024')
        same(counts(f, 1000, 3000, 1024), [(0, 24), (1024, 1024), (2048, 952)], 'W[1000,3000) 1024')
        same(one(f, 'sum,mean'), ['8386560', '2047.5'], 'sum, mean')
        near(one(f, 'var')[0], 1398101.25, 'var')
        near(one(f, 'stddev')[0], 1182.413316061689, 'stddev')
        for w in ('0ns', '-1ns', '9223372036854775808ns'):
            refused(2, 'query', '-w', w, f)
        same(rows_of(f, '-s', t9(77), '-e', t9(78)), [('77', '77')], 'a range of 1 ns that holds a row')
        sound(f)


# ---- C ---------------------------------------------------------------------------------------------------------------------------

def nearest(f, t, *more):
    return [int(r['time_ns']) for r in query(f, '--nearest', t9(t), *more)]


@case('C: nearest: far apart, over page boundaries, at time 0, in an empty series')
def c_nearest():
    u = 2**56
    for shape in SHAPES:
        f = make([(u, 1), (2 * u, 2), (3 * u, 3)], shape)
        for t, want in ((0, u), (u, u), (2 * u, 2 * u), (2 * u + 1, 3 * u), (3 * u, 3 * u), (4 * u, None)):
            same(nearest(f, t), [] if want is None else [want], '%s: at or after %d' % (shape, t))
        for t, want in ((0, None), (u, None), (2 * u, u), (2 * u + 1, 2 * u), (3 * u, 2 * u), (4 * u, 3 * u)):
            same(nearest(f, t, '--before'), [] if want is None else [want], '%s: before %d' % (shape, t))
    f = make([], 'ride')
    same(query(f, '--nearest', '@0'), [], 'nearest in an empty series')
    if can('query', '--fail-empty') or can('query', '-E'):
        check(run('query', '--nearest', '@0', '-E', f).status == 1, 'nearest -E in an empty series')
    check(run('dump', '-E', f).status == 1, 'otr-dump -E of an empty series')
    same(dump(f), '', 'an empty series')
    for shape in ('ride', 'spilled'):
        f = make([(0, 5), (10, 6), (20, 7)], shape)
        same(rows_of(f, '-s', '@0', '-n', '1'), [('0', '5')], 'the row at time 0')
        same(nearest(f, 0), [0], 'nearest 0')
        same(one(f, 'first,tfirst'), ['5', '0'], 'first is at 0')
        f = make([(-20, 5), (-10, 6), (0, 7)], shape)
        same(one(f, 'last,tlast'), ['7', '0'], 'last is at 0')
    # over every boundary of a deep tree: noise, so that leaves are small
    r = random.Random(5)
    times = sorted(r.sample(range(10**7), 20000))
    f = make([(t, r.getrandbits(62)) for t in times], 'ride', columns=('v:i64',), options=('--page-size', '4Ki'))
    for i in sorted(r.sample(range(1, 19999), 60)):
        t = times[i]
        same((nearest(f, t), nearest(f, t + 1), nearest(f, t, '--before'), nearest(f, t + 1, '--before')), ([t], [times[i + 1]], [times[i - 1]], [t]),
             'nearest around %d' % t)


def inner_nodes(path):
    """Of the newest tree, the first inner node of each level, from the root: its children as (first, last, rows)."""
    sys.path.insert(0, os.path.join(ROOT, 'tests'))
    import otr_reader
    o = otr_reader.Otr(path)
    ref, nodes = o.tree_of(o.slot.version)[0], []
    while True:
        page = o.page(ref, (1, 2), None, o.slot.version)
        if page[4] == 1:
            break
        entries = o.parse_inner(page, 'page')
        nodes.append([(first, last, rows) for _, rows, first, last, _ in entries])
        ref = entries[0][0]
    os.close(o.fd)
    return nodes


@case('C: every pair of children at every level, all else deleted: each finds the other')
def c_pairs():
    r = random.Random(6)
    times = sorted(r.sample(range(0, 10**7, 3), 13000))
    columns = ('v:i64', 'w:i64', 'x:i64')
    f = make([(t, r.getrandbits(62), r.getrandbits(62), r.getrandbits(62)) for t in times], 'ride', columns=columns, options=('--page-size', '4Ki'))
    nodes = inner_nodes(f)
    check(len(nodes) >= 3, 'a tree of three inner levels', [len(n) for n in nodes])
    g = os.path.join(tmp, 'pair.otr')
    for level, children in enumerate(nodes):
        for i in range(len(children)):
            for j in range(i + 1, len(children)):
                (first_i, last_i, rows_i), (first_j, last_j, rows_j) = children[i], children[j]
                what = 'level %d from the root, children %d and %d' % (level, i, j)
                shutil.copyfile(f, g)
                ok('delete', '-e', t9(first_i), g)
                ok('delete', '-s', t9(last_i + 1), '-e', t9(first_j), g)
                ok('delete', '-s', t9(last_j + 1), g)
                same((nearest(g, first_j, '--before'), nearest(g, last_i + 1), nearest(g, first_i, '--before'), nearest(g, last_j + 1)),
                     ([last_i], [first_j], [], []), what)
                same(one(g, 'count'), [str(rows_i + rows_j)], what + ': rows')
                if i == 0 or j == len(children) - 1:
                    sound(g)
    sound(f)


# ---- D ---------------------------------------------------------------------------------------------------------------------------

@case('D: the limits of time')
def d_limits():
    rows = [(TMIN, 1), (0, 2), (TMAX, 3)]
    names = ('1677-09-21T00:12:43.145224193Z', '1970-01-01T00:00:00.000000000Z', '2262-04-11T23:47:16.854775806Z')
    for shape in ('ride', 'each', 'spilled', 'reverse'):
        for options, area, twa in (((), '36893488147.419106', '2'), (('--step-column', 'v'), '27670116110.564327', '1.5')):
            f = make(rows, shape, options=options)
            same(one(f, 'area,covered,twa'), [area, '18446744073.709551613', twa], '%s %s: area, covered, twa' % (shape, options))
        same(ok('dump', '-N', f).out, ''.join('%s,%d\n' % (n, v) for n, (_, v) in zip(names, rows)), shape + ': printed')
        same(rows_of(f), [(str(t), str(v)) for t, v in rows], shape + ': as ns')
        for n, (t, v) in zip(names, rows):
            same(rows_of(f, '-s', n, '-n', '1'), [(str(t), str(v))], 'found by %s' % n)
            same(nearest(f, t), [t], 'nearest %d' % t)
        check(len(query(f, '-w', '1000000000000000000ns')) == 3, shape + ': windows of 10^18 ns')
        check(len(query(f, '-w', day())) == 3, shape + ': windows of a day')
        got = counts(f, None, None, 2**62)
        check(len(got) == 3 and got[0][0] in (TMIN, -2**63), shape + ': windows of 2^62 ns', got)
        same(got[0][0], TMIN, shape + ': the first start is the least time')
        if can('query', '--fill'):
            check(len(query(f, '-w', '1000000000000000000ns', '--fill', 'null')) == 20, 'windows of 10^18 ns, filled')
            check(len(query(f, '-w', day(), '--fill', 'null')) == 213504, 'windows of a day, filled')
            check(len(query(f, '-w', '4611686018427387904ns', '--fill', 'null')) == 4, 'windows of 2^62 ns, filled')
    f = make(rows, 'ride')
    before = open(f, 'rb').read()
    for t in ('-9223372036854775808', '9223372036854775807'):
        refused(3, 'append', '--any-time', f, data='time_ns,v\n%s,1\n' % t)
    for t in ('1677-09-21T00:12:43.145224192Z', '2262-04-11T23:47:16.854775807Z'):
        refused(3, 'append', f, data='time,v\n%s,1\n' % t)
    check(open(f, 'rb').read() == before, 'a refusal stores nothing')


@case('D: times in text, leap seconds, negative times')
def d_text():
    for text, ns in (('1969-12-31T23:59:59.999999999Z', -1), ('2038-01-19T03:14:07Z', (2**31 - 1) * 10**9), ('2038-01-19T03:14:08Z', 2**31 * 10**9),
                     ('2106-02-07T06:28:15Z', (2**32 - 1) * 10**9), ('1901-12-13T20:45:52Z', -2**31 * 10**9), ('1969-07-20T20:17:40Z', -14182940 * 10**9),
                     ('2000-02-29T00:00:00Z', 951782400 * 10**9)):
        f = make([], 'ride')
        ok('append', f, data='time,v\n%s,1\n' % text)
        same(rows_of(f), [(str(ns), '1')], text)
        same(ok('dump', '-N', f).out, text + ',1\n', text)
        same(rows_of(f, '-s', text, '-n', '1'), [(str(ns), '1')], '-s ' + text)
    f = make([], 'ride')
    ok('append', f, data='time,v\n1900-02-28T23:59:59Z,1\n2100-02-28T00:00:00Z,2\n')
    same(query(f, '--nearest', '1900-03-01')[0]['time_ns'], str(4107456000 * 10**9), '2100-02-28')
    same(rows_of(f, '-s', '1900-02-28T23:59:59Z', '-e', '1900-03-01'), [(str(-2203891201 * 10**9), '1')], '1900 has no 29 February')
    for bad in ('1900-02-29T00:00:00Z', '2100-02-29T00:00:00Z', '2023-02-31T00:00:00Z', '2016-12-31T23:58:60Z', '2016-12-31T22:59:60Z',
                '2016-12-31T23:59:61Z', '2023-01-01T24:00:00Z', '2023-01-01T00:00:00.0000000001Z'):
        refused(3, 'append', f, data='time,v\n%s,1\n' % bad, says=r':2:')
    f = make([], 'ride')
    ok('append', f, data='time,v\n2016-12-31T23:59:60Z,1\n2017-01-01T00:00:00Z,2\n')
    same(rows_of(f), [('1483228800000000000', '2')], 'a leap second is the next second; replace keeps the later in the input')
    for shape in SHAPES:
        f = make([(i, i) for i in range(-5, 6)], shape)
        same(counts(f, -5, 6, 4), [(-8, 1), (-4, 4), (0, 4), (4, 2)], shape + ': W[-5,6) 4')
        same(counts(f, -5, 6, 7), [(-7, 5), (0, 6)], shape + ': W[-5,6) 7')


# ---- E ---------------------------------------------------------------------------------------------------------------------------

TEXTS = {0x7fefffffffffffff: '1.7976931348623157e308', 0x3fb999999999999a: '0.1', 1: '5e-324', 0x3fd3333333333334: '0.30000000000000004',
         0x0010000000000000: '2.2250738585072014e-308', 0x3ee4f8b588e368f1: '0.00001', 0x000fffffffffffff: '2.225073858507201e-308', 0x3e7ad7f29abcaf48: '1e-7',
         0x8000000000000000: '-0', 0x4345ee2a2eb5a5c4: '12345678901234568', 0xfff0000000000000: '-inf', 0x4376345785d8a000: '1e17', 0x7ff8000000000000: 'NaN',
         0x44b52d02c7e14af6: '1e23', 0xfff8000000000000: 'NaN(0xfff8000000000000)', 0x437b69b4ba630f35: '1.2345678901234568e17',
         0x7ff5dbb0554c0010: 'NaN(0x7ff5dbb0554c0010)', 0x4011666666666666: '4.35', 0x7ff0000000000000: 'inf'}
PATTERNS = list(TEXTS) + [0x7ffbadc0ffee7ea5, 0xfffbabb1edbee71e, 0xfff501aceca571e5, 0x7ff0000000000001]
PATTERNS += [p ^ 2**63 for p in PATTERNS if p ^ 2**63 not in PATTERNS]
TEXTS32 = {0x3dcccccd: '0.1', 0x3eaaaaab: '0.33333334', 1: '1e-45', 0x7f7fffff: '3.4028235e38', 0x7fa00001: 'NaN(0x7fa00001)', 0x7fc00000: 'NaN', 0x80000000: '-0',
           0xff800000: '-inf', 0x3f800001: '1.0000001', 0x4b800000: '16777216'}
TYPES = {'bool': 1, 'i32': 2, 'i64': 3, 'f32': 4, 'f64': 5}
WIDTH = {1: 1, 2: 4, 3: 8, 4: 4, 5: 8}


def pad(b):
    return b + bytes(-len(b) % 8)


def binary(columns, rows):
    """A stream of SPEC appendix C.  rows: (time, bits or None, ...)"""
    out = bytes([0x89, 0x4f, 0x54, 0x52, 0x42, 0x0d, 0x0a, 0x1a]) + struct.pack('<HHI', 1, len(columns), 0)
    for name, kind in columns:
        n = name.encode()
        out += pad(struct.pack('<BBH', TYPES[kind], 0, len(n)) + n)
    for at in range(0, len(rows), 4096):
        part = rows[at:at + 4096]
        out += struct.pack('<II', len(part), 0) + b''.join(struct.pack('<q', r[0]) for r in part)
        for c, (_, kind) in enumerate(columns):
            width, present, values = WIDTH[TYPES[kind]], bytearray((len(part) + 7) // 8), b''
            for i, r in enumerate(part):
                v = r[c + 1]
                if v is not None:
                    present[i // 8] |= 1 << i % 8
                values += (v or 0).to_bytes(8, 'little')[:width]
            out += pad(bytes(present)) + pad(values)
    return out + struct.pack('<IIQ', 0, 0, len(rows))


def rows_in(stream):
    """(columns, rows) of a binary stream; rows as binary() takes them."""
    columns, rows, at = [], [], 16
    n = struct.unpack_from('<H', stream, 10)[0]
    names = {v: k for k, v in TYPES.items()}
    for _ in range(n):
        kind, _, size = struct.unpack_from('<BBH', stream, at)
        columns.append((stream[at + 4:at + 4 + size].decode(), names[kind]))
        at += (4 + size + 7) // 8 * 8
    while True:
        n = struct.unpack_from('<I', stream, at)[0]
        if n == 0:
            total = struct.unpack_from('<Q', stream, at + 8)[0]
            if total != len(rows) or at + 16 != len(stream):
                return None
            return columns, rows
        at += 8
        fields = [struct.unpack_from('<%dq' % n, stream, at)]
        at += 8 * n
        for _, kind in columns:
            width = WIDTH[TYPES[kind]]
            present = stream[at:at + (n + 7) // 8]
            at += (len(present) + 7) // 8 * 8
            fields.append([int.from_bytes(stream[at + i * width:at + i * width + width], 'little') if present[i // 8] >> i % 8 & 1 else None for i in range(n)])
            at += (n * width + 7) // 8 * 8
        rows.extend(zip(*fields))


@case('E: floats in text: the shortest digits that give the bits back')
def e_text():
    bits = list(TEXTS)
    f = fresh()
    ok('create', f, 'v')
    ok('append', '-F', 'binary', f, data=binary([('v', 'f64')], [(i, b) for i, b in enumerate(bits)]))
    same([v for _, v in rows_of(f)], [TEXTS[b] for b in bits], 'f64 out')
    g = make([(i, TEXTS[b]) for i, b in enumerate(bits)], 'ride', name='b')
    same(rows_in(ok('dump', '-F', 'binary', g).raw), rows_in(ok('dump', '-F', 'binary', f).raw), 'f64 in')
    bits = list(TEXTS32)
    f = fresh()
    ok('create', f, 'v:f32')
    ok('append', '-F', 'binary', f, data=binary([('v', 'f32')], [(i, b) for i, b in enumerate(bits)]))
    same([v for _, v in rows_of(f)], [TEXTS32[b] for b in bits], 'f32 out')
    g = make([(i, TEXTS32[b]) for i, b in enumerate(bits)], 'ride', name='b', columns=('v:f32',))
    same(rows_in(ok('dump', '-F', 'binary', g).raw), rows_in(ok('dump', '-F', 'binary', f).raw), 'f32 in')
    g = make([(0, '1.00000017881393432617187499'), (1, '16777217'), (2, '1.000000178813934326171875')], 'ride', name='b', columns=('v:f32',))
    same([v for _, v in rows_of(g)], ['1.0000001', '16777216', '1.0000002'], 'text to f32 rounds once')
    g = make([(0, '9007199254740993'), (1, '-9223372036854775808'), (2, '9223372036854775807')], 'ride', name='b', columns=('v:i64',))
    same([v for _, v in rows_of(g)], ['9007199254740993', '-9223372036854775808', '9223372036854775807'], 'i64 is exact')
    for text, want in (('Infinity', 'inf'), ('-INF', '-inf'), ('nan', 'NaN'), ('1E5', '100000'), ('+1.50', '1.5'), ('.5', '0.5'), ('1e-400', '0'), ('-1e-400', '-0')):
        r = run('append', '--any-time', g, data='')
        g = make([], 'ride', name='b')
        r = run('append', '--any-time', g, data='time_ns,v\n5,%s\n' % text)
        if r.status == 0:
            same([v for _, v in rows_of(g)], [want], 'text %s' % text)
        else:
            check(text in ('.5', '+1.50'), 'text %s was refused' % text, r)
    g = make([(1, 1)], 'ride', name='b')
    before = open(g, 'rb').read()
    for bad in ('1e400', '0x10', '1_000', '1.5.2', 'abc', '--1', '1e', '"1,5"', 'NaN(1)', 'NaN(0x3ff0000000000000)'):
        refused(3, 'append', '--any-time', g, data='time_ns,v\n2,3\n4,%s\n' % bad, says=r':3:')
    refused(3, 'append', '--any-time', g, data='time_ns,v\n2,3\n4,1,5\n', says=r':3:')
    check(open(g, 'rb').read() == before, 'a refused input stores nothing')
    for kind, bads in (('i32', ('2147483648', '-2147483649', '1.5', '1e3')), ('i64', ('9223372036854775808', '1.0', '')), ('bool', ('2', 'yes', '-1')), ('f32', ('3.5e38',))):
        g = make([], 'ride', name='b', columns=('v:' + kind,))
        for bad in bads:
            if bad:
                refused(3, 'append', '--any-time', g, data='time_ns,v\n4,%s\n' % bad, says=r':2:')
    g = make([], 'ride', name='b', columns=('v:bool',))
    ok('append', '--any-time', g, data='time_ns,v\n1,true\n2,false\n3,1\n4,0\n')
    same([v for _, v in rows_of(g)], ['1', '0', '1', '0'], 'bools')


@case('E: bits are kept through csv, tsv, jsonl, binary, and through every encoding')
def e_bits():
    r = random.Random(11)
    special = {'f64': PATTERNS, 'f32': list(TEXTS32) + [b ^ 2**31 for b in TEXTS32], 'i64': [0, 1, 2**64 - 1, 2**63, 2**63 - 1, 2**53 + 1], 'bool': [0, 1],
               'i32': [0, 1, 2**64 - 1, 2**31 - 1, 2**64 - 2**31]}
    columns = [(k, k) for k in special]

    def some(kind, i):
        if kind == 'f64':
            return special[kind][i] if i < len(special[kind]) else r.getrandbits(64)
        if kind == 'f32':
            return special[kind][i] if i < len(special[kind]) else r.getrandbits(32)
        if kind == 'i64':
            return special[kind][i] if i < len(special[kind]) else r.getrandbits(64)
        if kind == 'i32':
            return special[kind][i] if i < len(special[kind]) else (r.getrandbits(32) - 2**31) & (2**64 - 1)
        return r.getrandbits(1)
    # random; a few of each again and again; constant; slowly rising; with nulls
    styles = [[(i,) + tuple(some(k, i) for k in special) for i in range(3000)],
              [(i // 2,) + tuple(special[k][i * 7 % len(special[k])] for k in special) for i in range(3000)],
              [(i * 1000,) + tuple(special[k][1] for k in special) for i in range(3000)],
              [(i * 60 * 10**9, struct.unpack('<Q', struct.pack('<d', i // 3 / 100))[0], struct.unpack('<I', struct.pack('<f', i / 8))[0], i * 17, i % 2, i) for i in range(3000)],
              [(i * 5,) + tuple(None if (i + c) % 3 == 0 or c == i // 700 else some(k, i) for c, k in enumerate(special)) for i in range(3000)]]
    for number, rows in enumerate(styles):
        f = fresh()
        ok('create', '--duplicates', 'keep', f, *['%s:%s' % c for c in columns])
        stream = binary(columns, rows)
        ok('append', '-F', 'binary', f, data=stream)
        sound(f)
        stream = rows_in(stream)
        check(rows_in(ok('dump', '-F', 'binary', f).raw) == stream, 'style %d: binary in, binary out' % number)
        for form in forms('csv', 'tsv', 'jsonl', 'binary'):
            g = fresh('b')
            ok('create', '--like', f, g)
            r1 = ok('append', '--any-time', '-F', form, g, data=ok('dump', '-F', form, f).raw) if form != 'binary' else \
                ok('append', '-F', form, g, data=ok('dump', '-F', form, f).raw)
            check(rows_in(ok('dump', '-F', 'binary', g).raw) == stream, 'style %d: through %s' % (number, form), r1)


@case('E: zeros with a sign, infinities, overflow of sums, sums beyond 64 bits')
def e_sums():
    for shape in ('ride', 'spilled', 'reverse'):
        f = make([(1, '0'), (2, '-0'), (3, '0')], shape)
        same(one(f, 'min,max'), ['-0', '0'], shape + ': min -0, max 0')
        f = make([(1, '1.7976931348623157e308'), (2, '1.7976931348623157e308')], shape)
        same(one(f, 'sum,mean,stddev'), ['inf', 'inf', 'NaN'], shape + ': two of the greatest')
        f = make([(1, 'inf'), (2, '1')], shape)
        same(one(f, 'min,max,sum'), ['1', 'inf', 'inf'], shape + ': inf and 1')
        f = make([(1, 'inf'), (2, '-inf')], shape)
        same(one(f, 'sum'), ['NaN'], shape + ': inf and -inf')
        f = make([(0, '1'), (10**9, '3'), (2 * 10**9, 'inf'), (3 * 10**9, '5'), (4 * 10**9, '7')], shape)
        got = one(f, 'area,covered,rise')
        same((got[0], float(got[1]), got[2]), ('8', 2.0, '4'), shape + ': pairs with an infinite end add nothing')
        same(windows(f, 0, 5 * 10**9, 2 * 10**9, 'sum'), [(0, '4'), (2 * 10**9, 'inf'), (4 * 10**9, '7')], shape + ': windows without the infinity are untouched')
        f = make([(i, 2**63 - 1) for i in range(3)], shape, columns=('v:i64',))
        same([one(f, 'sum')[0], float(one(f, 'mean')[0])], ['27670116110564327421', 9.223372036854776e18], shape + ': three times 2^63-1')
        f = make([(1, -2**63), (2, 2**63 - 1)], shape, columns=('v:i64',))
        same(one(f, 'sum,mean,range'), ['-1', '-0.5', '18446744073709551615'], shape + ': both ends of i64')
        near(one(f, 'var')[0], 8.507059173023462e37, shape + ': var')
        near(one(f, 'stddev')[0], 9.223372036854776e18, shape + ': stddev')


# ---- F ---------------------------------------------------------------------------------------------------------------------------

@case('F: windows at odd bounds')
def f_rounding():
    for options in ((), ('--page-size', '4Ki')):
        f = make([(t, 1.5) for t in range(10000, 20000, 10)], 'ride', options=options)
        eight = [(11136, 6), (11200, 7), (11264, 6), (11328, 7), (11392, 6), (11456, 6), (11520, 7), (11584, 6)]
        same(counts(f, 11136, 11647, 64), eight, 'W[11136,11647) 64')
        same(counts(f, 11136, 11584, 64), eight[:7], 'to 11584')
        same(counts(f, 11137, 11201, 64), [(11136, 6), (11200, 1)], 'W[11137,11201)')
        same(counts(f, 11199, 11200, 64), [], 'W[11199,11200)')
        same(counts(f, 11136, 11199, 64), [(11136, 6)], 'W[11136,11199)')
        for a, b, n in ((12001, 12010, 0), (12000, 12010, 1), (12000, 12001, 1), (10000, 19990, 999), (10000, 19991, 1000)):
            same(len(rows_of(f, '-s', t9(a), '-e', t9(b))), n, 'rows [%d,%d)' % (a, b))
        f = make([(-t, 1.5) for t in range(20000, 10000, -10)], 'ride', options=options)
        same(counts(f, -18864, -18353, 64), [(-18880, 5), (-18816, 6), (-18752, 7), (-18688, 6), (-18624, 6), (-18560, 7), (-18496, 6), (-18432, 7), (-18368, 1)], 'mirrored')


# ---- G ---------------------------------------------------------------------------------------------------------------------------

@case('G: holes')
def g_holes():
    fill = can('query', '--fill')
    for shape in SHAPES:
        f = make([(1, 1000), (2, 1500), (3, 2000)], shape)
        same(counts(f, 0, 10, 1), [(1, 1), (2, 1), (3, 1)], shape + ': W[0,10) 1')
        if fill:
            for how, means in (('null', ['', '1000', '1500', '2000'] + [''] * 6), ('prev', ['', '1000', '1500', '2000'] + ['2000'] * 6), ('0', ['0', '1000', '1500', '2000'] + ['0'] * 6)):
                got = windows(f, 0, 10, 1, 'count,mean', '--fill', how)
                same([r[1] for r in got], list('0111000000'), 'counts, --fill ' + how)
                same([r[2] for r in got], means, 'means, --fill ' + how)
    for n, options in ((500, ()), (500, ('--page-size', '4Ki')), (100000, ())):
        gap = 1000000 // n
        f = make([(i * gap, i) for i in range(n)] + [(1100000 + i * gap, i) for i in range(n)], 'ride', options=options)
        k = n // 500
        same(counts(f, 0, 2100000, 100000), [(t, 50 * k) for t in range(0, 2100000, 100000) if t != 1000000], '%d rows a run: windows of 100000' % n)
        same(counts(f, 0, 2100000, 250000), [(0, 125 * k), (250000, 125 * k), (500000, 125 * k), (750000, 125 * k), (1000000, 75 * k), (1250000, 125 * k),
                                             (1500000, 125 * k), (1750000, 125 * k), (2000000, 50 * k)], '%d rows a run: windows of 250000' % n)
        if fill:
            same(len(query(f, '-s', '@0', '-e', t9(2100000), '-w', '100000ns', '--fill', 'null')), 21, 'filled')
    f = make([], 'ride')
    same(counts(f, 0, 100, 7), [], 'an empty series')
    f = make([(100, 1), (200, 2)], 'ride')
    same((counts(f, 0, 100, 7), counts(f, 201, 300, 7)), ([], []), 'ranges beside the rows')
    got = query(f, '-s', t9(0), '-e', t9(50), '-a', 'count,min,sum,mean,covered,first,tmin')
    same([(int(r['time_ns']), r['v_count'], r['v_min'], r['v_mean'], r['v_first'], r['v_tmin']) for r in got], [(0, '0', '', '', '', '')], 'one row for an empty range')
    check(run('query', '-s', t9(0), '-e', t9(50), '-E', f).status == 1, '-E of an empty range')


# ---- H, M ------------------------------------------------------------------------------------------------------------------------

def ten_thousand():
    x, rows = 1, []
    for i in range(10000):
        x = (6364136223846793005 * x + 1442695040888963407) % 2**64
        m = (x >> 33) % 2000001 - 1000000
        rows.append((100 + 99999999999990 * i, m))
    return rows


def thousandths(m):
    return '%s%d.%03d' % ('-' if m < 0 else '', abs(m) // 1000, abs(m) % 1000)


def feed_h(rows):
    return 'time_ns,v\n' + ''.join('%d,%s\n' % (t, thousandths(m)) for t, m in rows)


H_WINDOWS = [(2**48, 3553, 999799117276250112, '290969d6'), (2**49, 1777, 999799117276250112, '4151e558'), (2**50, 889, 999799117276250112, '87d51c4b'),
             (2**51, 445, 999799117276250112, '4f56957b'), (2**52, 223, 999799117276250112, '634dcc6f'), (99999999999990, 10000, 999899999999900010, '77acdb16'),
             (10**14, 9999, 999800000000000000, '89dc36b6'), (199999999999999, 5000, 999799999999995001, '7fe038ec'), (2 * 10**14, 5000, 999800000000000000, '08279b46'),
             (22 * 10**13, 4545, 999680000000000000, '9365ff69'), (3184713375796179, 314, 996815286624204027, 'a972c2ad'), (76923076923076915, 13, 923076923076922980, '6b98805c'),
             (99999999999999, 9999, 999799999999990002, '8007129b'), (10**18, 1, 0, 'fea02f17')]


def check_h_windows(f, which, what):
    for w, n, last, crc in which:
        got = windows(f, 0, 10**18, w, 'count,min,max,sum')
        # count,min,max,sum in thousandths: exact, since the sums are
        lines = ''.join('%d,%s,%d,%d,%d\n' % (t, c, round(float(a) * 1000), round(float(b) * 1000), round(float(s) * 1000)) for t, c, a, b, s in got)
        same((len(got), got[-1][0] if got else None, '%08x' % zlib.crc32(lines.encode())), (n, last, crc), '%s: windows of %d' % (what, w))


def check_h(f, what):
    text = ok('dump', '-N', '--time-format', 'ns', f).raw
    same((len(text), '%08x' % zlib.crc32(text)), (271643, 'e4a577f4'), what + ': dump')
    same(one(f, 'count,min,max,sum,mean'), ['10000', '-999.873', '999.895', '-8785.964', '-0.8785964'], what + ': count, min, max, sum, mean')
    near(one(f, 'stddev')[0], 576.3856943786604, what + ': stddev')
    got = one(f, 'covered,area,twa,rise,first,last,tfirst,tlast')
    same((float(got[0]), got[1], got[2]), (999899999.9999, '-889378649.9999111', '-0.889467596759676'), what + ': covered, area, twa')
    near(got[3], 3734323.221, what + ': rise')
    same(got[4:], ['-165.68', '381.325', '100', '999899999999900110'], what + ': first, last')


@case('H: ten thousand rows: dump, aggregates, windows')
def h_rows():
    rows = ten_thousand()
    for options in ((), ('--page-size', '4Ki'), ('--page-size', '64Ki')):
        f = fresh()
        ok('create', *options, f, 'v')
        ok('append', '--any-time', f, data=feed_h(rows))
        check_h(f, str(options))
        first = ok('dump', '-N', '--time-format', 'ns', '-n', '500', f).raw
        same((len(first), '%08x' % zlib.crc32(first)), (13022, '8e3440dd'), 'the first 500 rows')
        check_h_windows(f, H_WINDOWS, str(options))
        same([c for _, c in counts(f, 300000000000005, 700000000000000003, 76923076923076915)], [767, 769, 769, 769, 770, 769, 769, 769, 770, 77], 'clipped')
        sound(f)
    f = fresh()
    ok('create', '--step-column', 'v', f, 'v')
    ok('append', '--any-time', f, data=feed_h(rows))
    same(one(f, 'twa'), ['-0.9168205820582058'], 'step: twa')


@case('M: the order of arrival does not matter')
def m_order():
    rows = ten_thousand()
    r = random.Random(3)
    for number, batch in enumerate((30, 1024, 1025, 4096, 10000)):
        shuffled = rows[:]
        r.shuffle(shuffled)
        f = fresh()
        ok('create', *(('--page-size', '4Ki') if number % 2 else ()), f, 'v')
        ok('append', '--any-time', '--commit-every', batch, f, data=feed_h(shuffled))
        check_h(f, 'batches of %d' % batch)
        check_h_windows(f, H_WINDOWS[number::5] + H_WINDOWS[-1:], 'batches of %d' % batch)
        sound(f)
        same(json.loads(ok('stat', '--json', f).out)['version'], -(-10000 // batch), 'batches of %d: versions' % batch)
    for batch in (1, 7):
        shuffled = rows[:500]
        r.shuffle(shuffled)
        f = fresh()
        ok('create', f, 'v')
        ok('append', '--any-time', '--commit-every', batch, f, data=feed_h(shuffled))
        text = ok('dump', '-N', '--time-format', 'ns', f).raw
        same((len(text), '%08x' % zlib.crc32(text)), (13022, '8e3440dd'), 'batches of %d: dump' % batch)
        sound(f)
        same(json.loads(ok('stat', '--json', f).out)['version'], -(-500 // batch), 'batches of %d: versions' % batch)


# ---- I ---------------------------------------------------------------------------------------------------------------------------

@case('I: standard deviation and cancellation')
def i_deviation():
    base = 15 * 10**17
    rows = [(base + i * 10**8, i + 1) for i in range(10)]
    for shape in SHAPES:
        f = make(rows, shape)
        got = windows(f, base, base + 10**9, 2**28, 'count,mean,stddev')
        same([r[:3] for r in got], [(1499999999814008832, '1', '1'), (1500000000082444288, '3', '3'), (1500000000350879744, '3', '6'), (1500000000619315200, '2', '8.5'),
                                    (1500000000887750656, '1', '10')], shape + ': windows of 2^28')
        for r, want in zip(got, (0, 0.816496580927726, 0.816496580927726, 0.5, 0)):
            near(r[3], want, shape + ': stddev at %d' % r[0])
        same([n for _, n in counts(f, base, base + 10**9, 300000000)], [3, 3, 3, 1], shape + ': windows of 300 ms')
        same([n for _, n in counts(f, base, base + 10**9, 250000000)], [3, 2, 3, 2], shape + ': windows of 250 ms')
        near(one(f, 'var')[0], 8.25, shape + ': var')
        near(one(f, 'stddev')[0], 2.8722813232690143, shape + ': stddev')
        for b, columns in ((0, ('v',)), (10**9, ('v',)), (10**12, ('v',)), (10**15, ('v',)), (2**62, ('v:i64',))):
            g = make([(i, b + x) for i, x in enumerate((4, 7, 13, 16))], shape, columns=columns)
            near(one(g, 'var')[0], 22.5, '%s: var at %d' % (shape, b))
            near(one(g, 'stddev')[0], 4.743416490252569, '%s: stddev at %d' % (shape, b))
    for options in ((), ('--page-size', '4Ki')):
        for batch in ((), ('--commit-every', '37')):
            def series(values):
                path = fresh('i')
                ok('create', *options, path, 'v')
                append(path, list(enumerate(values)), *batch)
                return path
            f = series(['0.1'] * 1000)
            same(one(f, 'sum,mean,stddev'), ['100', '0.1', '0'], '0.1 a thousand times')
            f = series(['1e16', '1', '-1e16'] * 1000)
            same(one(f, 'sum,mean'), ['1000', '0.3333333333333333'], 'cancellation')
            near(one(f, 'stddev')[0], 8164965809277260, 'cancellation: stddev')
            f = series(['1000000000.%03d' % (k % 7) for k in range(10000)])
            same(one(f, 'sum,mean'), ['10000000000029.994', '1000000000.0029994'], 'a large offset')
            near(one(f, 'stddev')[0], 0.001999949703162909, 'a large offset: stddev')


# ---- K ---------------------------------------------------------------------------------------------------------------------------

@case('K: duplicate times under each policy')
def k_policies():
    rows = [(100, 1), (105, 2), (110, 3), (110, 4), (120, 5)]
    want = {'replace': (4, '4', '12', 1.5811388300841898, '6.75e-8'), 'first': (4, '3', '11', 1.479019945774904, '6e-8'), 'keep': (5, None, '15', 1.4142135623730951, '6.5e-8')}
    for policy, (n, at110, total, deviation, area) in want.items():
        for cut in (5, 3, 1):
            for more in ((), ('-m', 'm' * 1000)):
                f = fresh()
                ok('create', '--duplicates', policy, f, 'v')
                for i in range(0, 5, cut):
                    append(f, rows[i:i + cut], *more)
                got = rows_of(f)
                what = '%s, %d at once' % (policy, cut)
                same(len(got), n, what + ': rows')
                if at110 is None:
                    same([v for t, v in got if t == '110'], ['3', '4'], what + ': both, in order')
                    same([r['v'] for r in query(f, '--nearest', t9(111), '--before')], ['4'], what + ': before 111')
                    same([r['v'] for r in query(f, '--nearest', t9(110))], ['3'], what + ': at or after 110')
                else:
                    same([v for t, v in got if t == '110'], [at110], what + ': the row at 110')
                same(one(f, 'sum,area'), [total, area], what + ': sum, area')
                near(one(f, 'stddev')[0], deviation, what + ': stddev')
                sound(f)
    f = fresh()
    ok('create', '--duplicates', 'keep', '--step-column', 'v', f, 'v')
    append(f, rows)
    same(one(f, 'area'), ['5.5e-8'], 'keep, step: area')
    f = fresh()
    ok('create', '--duplicates', 'error', f, 'v')
    before = open(f, 'rb').read()
    refused(3, 'append', '--any-time', f, data=text_of(rows), says=r':5:(.|\n)*1970-01-01T00:00:00\.00000011|:5:(.|\n)*110')
    check(open(f, 'rb').read() == before, 'error: nothing is stored')
    append(f, rows[:3])
    before = open(f, 'rb').read()
    refused(3, 'append', '--any-time', f, data=text_of(rows[3:]), says=r':2:')
    check(open(f, 'rb').read() == before, 'error, in a later commit: nothing is stored')


@case('K: thousands of rows of one time')
def k_many():
    for n, total, deviation in ((1025, '524800', 295.89187214251086), (10000, '49995000', 2886.751331514372)):
        for batch in ((), ('--commit-every', '999')):
            f = fresh()
            ok('create', '--duplicates', 'keep', '--page-size', '4Ki', f, 'v:i64')
            append(f, [(1000, i) for i in range(n)], *batch)
            same([int(v) for _, v in rows_of(f)], list(range(n)), '%d rows %s: all, in order' % (n, batch))
            same(one(f, 'count,sum'), [str(n), total], '%d rows: sum' % n)
            near(one(f, 'stddev')[0], deviation, '%d rows: stddev' % n)
            same([r['v'] for r in query(f, '--nearest', t9(1000))], ['0'], '%d rows: nearest' % n)
            same([r['v'] for r in query(f, '--nearest', t9(1001), '--before')], [str(n - 1)], '%d rows: before' % n)
            same([v for _, v in rows_of(f, '-r', '-n', '3')], [str(n - 1), str(n - 2), str(n - 3)], '%d rows: backwards' % n)
            sound(f)
    for step, area in (((), '4.998e-6'), (('--step-column', 'v'), '9.998e-6')):
        for late in (False, True):
            f = fresh()
            ok('create', '--duplicates', 'keep', '--page-size', '4Ki', *step, f, 'v')
            parts = [[(999, -1)], [(1000, i) for i in range(10000)], [(1001, -2)]]
            for part in parts[::-1] if late else parts:
                append(f, part)
            same(len(rows_of(f)), 10002, 'with neighbours')
            got = one(f, 'area,covered')
            same((got[0], float(got[1])), (area, 2e-9), 'with neighbours %s late %s: area, covered' % (step, late))
            append(f, [(2000 + i, i) for i in range(1000)])
            same([int(t) for t, _ in rows_of(f, '-s', t9(1001))], [1001] + list(range(2000, 3000)), 'later rows are intact')
            sound(f)
    for policy, value in (('replace', '9999'), ('first', '0')):
        f = fresh()
        ok('create', '--duplicates', policy, f, 'v')
        append(f, [(1000, i) for i in range(10000)])
        same(rows_of(f), [('1000', value)], policy + ': one row')
    for policy, want in (('replace', ('5', '', '2')), ('first', ('5', '1', ''))):
        for cut in (1, 2):
            f = fresh()
            ok('create', '--duplicates', policy, f, 'a', 'b')
            for i in range(0, 2, cut):
                append(f, [(5, '1', ''), (5, '', '2')][i:i + cut], columns=('a', 'b'))
            same(rows_of(f), [want], policy + ': whole rows, never merged cell by cell')


@case('K: thousands of rows of one time deleted; keep changed to replace')
def k_changes():
    for n in (1025, 10000):
        f, other = fresh(), fresh('other')
        for g in (f, other):
            ok('create', '--duplicates', 'keep', '--page-size', '4Ki', g, 'v:i64')
            append(g, [(999, -1)] + [(1000, i) for i in range(n)] + [(1001, -2)])
        untouched = open(other, 'rb').read()
        ok('delete', '-s', t9(1000), '-e', t9(1001), f)
        same(rows_of(f), [('999', '-1'), ('1001', '-2')], '%d rows of one time: all are removed' % n)
        check(open(other, 'rb').read() == untouched, 'another file is untouched')
        same(len(rows_of(f, '--at', 1)), n + 2, '%d rows of one time: the version before' % n)
        sound(f)
    for more in ((), ('-m', 'm' * 1000)):
        f = fresh()
        ok('create', '--duplicates', 'keep', f, 'v')
        append(f, [(1, 1), (2, 2)], *more)
        append(f, [(2, 3), (2, 4), (5, 5), (5, 6)], *more)
        ok('meta', f, 'otr.duplicates=replace')
        same([v for _, v in rows_of(f)], list('123456'), 'keep changed to replace: equal rows stay')
        append(f, [(5, 7)], *more)
        same([v for _, v in rows_of(f)], list('12347'), 'a new row replaces all of its time')
        append(f, [(2, 8)], *more)
        same([v for _, v in rows_of(f)], list('187'), 'a late row too')
        for at, want in ((1, '12'), (2, '123456'), (3, '123456'), (4, '12347')):
            same([v for _, v in rows_of(f, '--at', at)], list(want), 'version %d' % at)
        sound(f)


# ---- L ---------------------------------------------------------------------------------------------------------------------------

@case('L: every version stays exact')
def l_versions():
    s = 10**9
    for message in ('', 'm' * 1000):
        for page in ((), ('--page-size', '4Ki')):
            f = fresh()
            ok('create', *page, f, 'v')
            steps = [(0, 0.0, 'create'), (100, 4950.0, 'append'), (110, 5995.0, 'append'), (110, 5939.0, 'merge'), (110, 5938.0, 'merge'), (120, 7083.0, 'append')]
            feeds = [[(i * s, i) for i in range(100)], [(i * s, i) for i in range(100, 110)], [(55 * s, -1)], [(55 * s, -2)], [(i * s, i) for i in range(110, 120)]]
            dumps, times = [dump(f)], []
            commit = json.loads(ok('stat', '--json', f).out)['commit']
            times.append(commit['time'])
            for k, part in enumerate(feeds):
                append(f, part, '-m', message, '--author', 'me')
                dumps.append(dump(f))
                commit = json.loads(ok('stat', '--json', f).out)['commit']
                times.append(commit['time'])
                same((commit['kind'], commit['rows'], commit['version'], commit['message'], commit['author']), (steps[k + 1][2], steps[k + 1][0], k + 1, message, 'me'),
                     'commit %d' % (k + 1))
            append(f, feeds[-1])                                    # the same feed: no version
            for k, (n, total, kind) in enumerate(steps):
                same(dump(f, '--at', k), dumps[k], 'dump --at %d' % k)
                same(dump(f, '--at', times[k]), dumps[k], 'dump --at the time of %d' % k)
                got = one(f, 'count,sum', '--at', k)
                same((int(got[0]), got[1] if n else ''), (n, '%g' % total if n else ''), 'aggregates --at %d' % k)
                same(json.loads(ok('stat', '--json', '--at', k, f).out)['rows'], n, 'otr-stat --at %d' % k)
            same(dump(f, '--at', 'newest-1'), dumps[-2], '--at newest-1')
            same(dump(f, '--at', 'newest'), dumps[-1], '--at newest')
            refused(2, 'dump', '--at', 6, f)
            refused(2, 'dump', '--at', '2001-01-01', f)
            same(json.loads(ok('stat', '--json', f).out)['version'], 5, 'a feed that changes nothing makes no version')
            sound(f)


@case('L: small commits out of order, resent and corrected rows: each version exact before and after the spill')
def l_riding():
    r = random.Random(8)
    for policy in ('replace', 'keep', 'first'):
        f = fresh()
        ok('create', '--duplicates', policy, '--page-size', '4Ki', f, 'v:i64')
        model, dumps = [], ['']
        t = 1000
        for k in range(90):
            kind = r.randrange(5)
            if kind == 0 and model:
                row = (model[-1][0], r.randrange(100))                # the newest row corrected
            elif kind == 1 and model:
                row = model[-1 - r.randrange(min(3, len(model)))]     # resent
            elif kind == 2 and model:
                row = (t - r.randrange(40), r.randrange(100))         # a little late
            else:
                t += 10
                row = (t, r.randrange(100))
            append(f, [row])
            at = [i for i, x in enumerate(model) if x[0] == row[0]]
            if policy == 'keep' or not at:
                i = len([x for x in model if x[0] <= row[0]])
                model.insert(i, row)
            elif policy == 'replace':
                model[at[0]] = row
            text = ''.join('%d,%d\n' % x for x in model)
            if text != dumps[-1]:
                dumps.append(text)
            elif policy == 'keep':
                dumps.append(text)
        same(json.loads(ok('stat', '--json', f).out)['version'], len(dumps) - 1, policy + ': versions')
        for v, text in enumerate(dumps):
            same(dump(f, '--at', v), text, '%s: version %d' % (policy, v))
        sound(f)


# version: what makes it, kind, rows, sum, otr-diff from the one before
def l_table(s):
    def feed(*rows):
        return [(t * s, v) for t, v in rows]
    return [(None, 'create', 0, None, None),
            (feed(*[(i, i) for i in range(100)]), 'append', 100, 4950, [(0, 99, 0, 100)]),
            (feed(*[(i, i) for i in range(100, 110)]), 'append', 110, 5995, [(100, 109, 0, 10)]),
            (('delete', '-s', '@50', '-e', '@60'), 'delete', 100, 5450, [(50, 59, 10, 0)]),
            (feed((55, -1)), 'merge', 101, 5449, [(55, 55, 0, 1)]),
            (feed((55, -2)), 'merge', 101, 5448, [(55, 55, 1, 1)]),
            (('rollback', 2), 'rollback', 110, 5995, [(50, 59, 1, 10)]),
            (feed(*[(i, i) for i in range(110, 120)]), 'append', 120, 7140, [(110, 119, 0, 10)])]


# what each commit of the table becomes: its rows ride; a message drives them out of the slot; they are too many bytes for it; deep trees
LAYOUTS = (('riding', ('v',), (), ''), ('spilled', ('v',), (), 'm' * 1000), ('spilled, small pages', ('v',), ('--page-size', '4Ki'), 'm' * 1000),
           ('large', ('v',) + tuple('x%d:i64' % i for i in range(12)), (), ''),
           ('large, small pages', ('v',) + tuple('x%d:i64' % i for i in range(12)), ('--page-size', '16Ki'), ''))


@case('L: append, delete, merge, rollback: every version at every later time')
def l_changes():
    s = 10**9
    r = random.Random(3)
    for name, columns, options, message in LAYOUTS:
        f = fresh()
        ok('create', *options, f, *columns)
        names = [c.split(':')[0] for c in columns]
        steps, dumps, times = l_table(s), [], []
        for v, (work, kind, n, total, _) in enumerate(steps):
            what = '%s: version %d' % (name, v)
            if isinstance(work, list):
                append(f, [row + tuple(r.getrandbits(60) for _ in columns[1:]) for row in work], '-m', message, columns=names)
            elif work:
                ok(work[0], f, *work[1:], '-m', message)
            now = stat(f)
            commit = now['commit']
            same((commit['version'], commit['kind'], commit['rows'], commit['message']), (v, kind, n, message if v else ''), what)
            dumps.append(dump(f))
            times.append(commit['time'])
            for w in range(v + 1):
                same(dump(f, '--at', w), dumps[w], '%s: --at %d at %d' % (name, w, v))
                got = one(f, 'count,sum', '--at', w)
                same((int(got[0]), got[1] if steps[w][2] else ''), (steps[w][2], str(steps[w][3]) if steps[w][2] else ''), '%s: aggregates --at %d at %d' % (name, w, v))
            sound(f)
        same(dumps[6], dumps[2], name + ': the rollback restores every bit')
        for w in range(8):
            same(dump(f, '--at', times[w]), dumps[w], '%s: --at the time of %d' % (name, w))
        refused(2, 'dump', '--at', 8, f)
        refused(2, 'rollback', f, 8)
        refused(2, 'dump', '--at', '2001-01-01', f)
        if there('diff'):
            for v in range(1, 8):
                want = [(a * s, b * s + 1, x, y) for a, b, x, y in steps[v][4]]
                same(difference(f, v - 1, v), want, '%s: otr-diff %d %d' % (name, v - 1, v))
                same(difference(f, v, v - 1), [(a, b, y, x) for a, b, x, y in want], '%s: otr-diff %d %d' % (name, v, v - 1))
            for a, b, want in ((2, 6, []), (2, 5, [(50, 59, 10, 1)]), (3, 7, [(50, 59, 0, 10), (110, 119, 0, 10)]), (0, 7, [(0, 119, 0, 120)])):
                same(difference(f, a, b), [(x * s, y * s + 1, m, n) for x, y, m, n in want], '%s: otr-diff %d %d' % (name, a, b))
        if there('log'):
            got = table(ok('log', f).out)
            same([(g['version'], g['kind'], g['rows']) for g in got], [(str(v), steps[v][1], str(steps[v][2])) for v in range(7, -1, -1)], name + ': otr-log')
    f = fresh()
    ok('create', f, 'v')
    append(f, [(i * s, i) for i in range(100)])
    ok('delete', '--where', 'v = 10 or v >= 20 and v <= 21', f)
    if there('diff'):
        same(difference(f, 1, 2), [(10 * s, 10 * s + 1, 1, 0), (20 * s, 21 * s + 1, 2, 0)], 'rows 10, 20, 21 deleted')


@case('L: nothing deleted, everything deleted, rolled back')
def l_all():
    s = 10**9
    for name, columns, options, message in LAYOUTS:
        f = fresh()
        ok('create', *options, '--meta', 'a=1', f, *columns)
        names = [c.split(':')[0] for c in columns]
        rows = [(i * s, i) + tuple(i * 10**12 for _ in columns[1:]) for i in range(400)]
        append(f, rows[:300], '-m', message, columns=names)
        append(f, rows[300:], '-m', message, columns=names)
        whole = dump(f)
        before = open(f, 'rb').read()
        ok('delete', '-s', '@1000', f)
        ok('delete', '--where', 'v > 1000', f)
        check(open(f, 'rb').read() == before, name + ': nothing deleted: no version, the same bytes')
        ok('delete', '--all', '-m', message, f)
        now = stat(f)
        same((now['version'], now['rows'], now['first'], now['last'], [c['count'] for c in now['columns']]), (3, 0, None, None, [0] * len(columns)), name + ': --all')
        same(dump(f), '', name + ': --all: no rows')
        ok('delete', '--all', f)
        same(stat(f)['version'], 3, name + ': --all again: no version')
        append(f, [rows[5]], '-m', message, columns=names)
        same(dump(f), whole.splitlines()[5] + '\n', name + ': an append after --all is visible')
        ok('meta', f, 'a=2', 'otr.duplicates=first', '-m', message)
        ok('rollback', f, 2, '-m', message)
        same(dump(f), whole, name + ': rollback after --all restores every bit')
        same((ok('meta', f, 'a').out, ok('meta', f, 'otr.duplicates').out), ('1\n', 'first\n'), name + ': metadata come back, policies do not')
        ok('rollback', f, 'newest', '-m', message)
        same((stat(f)['version'], dump(f) == whole), (7, True), name + ': rollback to the newest version is a commit')
        for at, want in ((0, ''), (2, whole), (3, ''), (4, whole.splitlines()[5] + '\n'), (6, whole)):
            same(dump(f, '--at', at), want, '%s: --at %d' % (name, at))
        sound(f)


@case('L: random commits of every kind: each version stays what it was')
def l_random():
    for seed, (policy, message, page) in enumerate((p, m, g) for p in ('replace', 'keep', 'first') for m in ('', 'm' * 1000) for g in ((), ('--page-size', '4Ki'))):
        r = random.Random(seed)
        f = fresh()
        ok('create', '--duplicates', policy, *page, f, 'v:i64')
        model, versions, big = [], [[]], seed % 3 == 0
        for k in range(45):
            old, kind = list(model), r.randrange(10)
            if kind < 6:
                end = model[-1][0] if model else 1000
                n = r.choice((1, 1, 2, 7, 60) + ((900,) if big else ()))
                new = [(end + r.randrange(-30, 60) if kind < 3 else end + 1 + i, r.getrandbits(r.choice((4, 62)))) for i in range(n)]
                append(f, new, '-m', message)
                for row in new:
                    at = [i for i, x in enumerate(model) if x[0] == row[0]]
                    if policy == 'keep' or not at:
                        model.insert(len([x for x in model if x[0] <= row[0]]), row)
                    elif policy == 'replace':
                        model[at[0]] = row
            elif kind < 9 and model:
                a, b = sorted(r.choice(model)[0] + r.randrange(-1, 2) for _ in range(2))
                if kind == 6:
                    ok('delete', '-s', t9(a), '-e', t9(b), f, '-m', message)
                    model = [x for x in model if not a <= x[0] < b]
                elif kind == 7:
                    v = r.choice(model)[1]
                    ok('delete', '--where', 'v = %d or v < %d' % (v, r.randrange(6)) if r.randrange(2) else 'v == %d' % v, '-s', t9(a), f, '-m', message)
                    model = None
                else:
                    ok('delete', '-s', t9(b), f, '-m', message)
                    model = [x for x in model if x[0] < b]
            elif kind == 9:
                v = r.randrange(len(versions))
                ok('rollback', f, v, '-m', message)
                model = list(versions[v])
                versions.append(list(model))
                continue
            if model is None:                                       # counted by what is seen: a deletion by value, checked beside the old rows
                model = [(int(t), int(v)) for t, v in rows_of(f)]
                it = iter(old)
                check(all(x in it for x in model), 'seed %d, step %d: a deletion adds no row' % (seed, k))
            if model != old or stat(f)['version'] == len(versions):
                versions.append(list(model))
        what = 'seed %d, %s' % (seed, policy)
        same(stat(f)['version'], len(versions) - 1, what + ': versions')
        for v, rows in enumerate(versions):
            same(dump(f, '--at', v), ''.join('%d,%d\n' % x for x in rows), '%s: version %d' % (what, v))
        sound(f)


# ---- N ---------------------------------------------------------------------------------------------------------------------------

@case('N: several files')
def n_files():
    a = make([(t, t) for t in (100, 105, 110, 115, 120)], 'ride', name='s1')
    b = make([(t, -t) for t in (101, 106, 110, 114, 119)], 'spilled', name='s2')
    missing = os.path.join(tmp, 's3.otr')
    r = run('query', '--time-format', 'ns', '-w', '10ns', '-a', 'count', a, b)
    same([(x['file'], int(x['time_ns']), x['v_count']) for x in table(r.out)], [(a, 100, '2'), (a, 110, '2'), (a, 120, '1'), (b, 100, '2'), (b, 110, '3')], 'windows of two files')
    r = run('query', '--time-format', 'ns', '-w', '10ns', '-a', 'count', a, missing, b)
    same(r.status, 5, 'a missing file among three')
    same(len(table(r.out)), 5, 'the others are answered')
    check(missing in r.err, 'the missing file is named', r)


# ---- O ---------------------------------------------------------------------------------------------------------------------------

@case('O: creating: what is refused leaves nothing behind')
def o_create():
    f = make([(1, 1)], 'ride')
    before = open(f, 'rb').read()
    check(run('create', f, 'v').status == 5, 'an existing file is refused')
    check(open(f, 'rb').read() == before, 'and unchanged')
    ino = os.stat(f).st_ino
    ok('create', '-f', f, 'w')
    check(os.stat(f).st_ino != ino, '-f replaces it by a rename')
    same(dump(f), '', 'the new file is empty')
    d = os.path.join(tmp, 'dir')
    os.mkdir(d)
    os.symlink(f, os.path.join(d, 'link'))
    os.symlink(os.path.join(d, 'nowhere'), os.path.join(d, 'dangling'))
    os.mkdir(os.path.join(d, 'sub'))
    names = sorted(os.listdir(d))
    for path in ('link', 'dangling', 'sub'):
        for force in ((), ('-f',)):
            check(run('create', *force, os.path.join(d, path), 'v').status == 5, '%s %s is refused' % (path, force))
    check(run('create', os.path.join(d, 'no', 'a.otr'), 'v').status == 5, 'a missing directory')
    check(run('create', '-f', '/dev/null', 'v').status == 5, 'a device')
    new = os.path.join(d, 'new.otr')
    for args in (('v', 'v'), ['c%d' % i for i in range(65)], ('--page-size', '3000', 'v'), ('--page-size', '2Ki', 'v'), ('--page-size', '128Ki', 'v'), ('v:f16',), ('time',),
                 ('time_ms',), ('file',), ('a,b',), (' a',), ('a"b',), ('a=b',), ('',), ('--gap', '0s', 'v'), ('--gap', '1mo', 'v'), ('--duplicates', 'maybe', 'v'),
                 ('--step-column', 'w', 'v'), ()):
        check(run('create', new, *args).status == 2, 'refused: %r' % (args,)[:1])
    same(sorted(os.listdir(d)), names, 'nothing is left behind')
    os.mkdir(os.path.join(d, 'full'))
    for n, least in ((1, 32), (3, 32), (8, 32), (16, 8), (64, 8)):
        g = fresh('g')
        ok('create', g, *['c%d' % i for i in range(n)])
        page = json.loads(ok('stat', '--json', g).out)['page_size']
        check((page - 48) // (48 + 120 * n) >= least, '%d columns: page of %d' % (n, page))
    g = fresh('g')
    ok('create', g, *['c%02d' % i for i in range(64)])
    same(len(json.loads(ok('stat', '--json', g).out)['columns']), 64, 'sixty-four columns')


@case('O: create --like, dump, append: no difference')
def o_round_trip():
    special = {'f64': PATTERNS, 'f32': list(TEXTS32), 'i64': [0, 2**64 - 1, 2**63, 2**63 - 1], 'bool': [0, 1], 'i32': [0, 2**64 - 1, 2**31 - 1, 2**64 - 2**31]}

    def back(f, what):
        want = rows_in(ok('dump', '-F', 'binary', f).raw)
        for form in forms('csv', 'tsv', 'jsonl', 'binary'):
            g = fresh('b')
            ok('create', '--like', f, g)
            ok('append', '-F', form, g, data=ok('dump', '-F', form, f).raw)
            check(rows_in(ok('dump', '-F', 'binary', g).raw) == want, '%s: through %s' % (what, form))
            sound(g)
            a, b = (json.loads(ok('stat', '--json', x).out) for x in (f, g))
            same([(c['name'], c['type'], c.get('unit')) for c in a['columns']], [(c['name'], c['type'], c.get('unit')) for c in b['columns']], what + ': --like')
            same((a['policy'], a['gap'], a['meta'], a['page_size']), (b['policy'], b['gap'], b['meta'], b['page_size']), what + ': --like')
    for kind, bits in special.items():
        f = fresh()
        ok('create', '--duplicates', 'keep', f, 'v:' + kind)
        rows = [(i // 2 * 10**9, b) for i, b in enumerate(bits)] + [(10**12, None), (TMAX, bits[0])]
        ok('append', '-F', 'binary', f, data=binary([('v', kind)], [(TMIN, None)] + rows))
        back(f, kind)
    f = fresh()
    ok('create', '--gap', '90s', '--meta', 'site=north', f, 'v:f64:°C')
    back(f, 'an empty series')
    f = fresh()
    names = ['inner blank', 'måling', '温度', 'a.b', "it's"]
    ok('create', f, *[n + ':i32:m/s' for n in names])
    ok('append', '-F', 'binary', f, data=binary([(n, 'i32') for n in names], [(5, 1, 2, 3, 4, 5), (6, None, None, None, None, None)]))
    same(len(rows_of(f)), 2, 'a row of nulls is a row')
    back(f, 'names')
    f = fresh()
    ok('create', f, *['c%02d' % i for i in range(64)])
    ok('append', '-F', 'binary', f, data=binary([('c%02d' % i, 'f64') for i in range(64)], [(t,) + tuple(None if (t + i) % 5 == 0 else PATTERNS[(t + i) % len(PATTERNS)] for i in range(64)) for t in range(300)]))
    back(f, 'sixty-four columns')


# ---- P ---------------------------------------------------------------------------------------------------------------------------

def file_x():
    f = fresh('x')
    ok('create', '--page-size', '4Ki', f, 'v')
    append(f, [(i * 1000, '%.2f' % (20 + (i * 37 % 100) / 100)) for i in range(1000)])
    check(os.path.getsize(f) == 20480, 'file X has 20,480 bytes', os.path.getsize(f))
    return f


@case('P: single bits flipped: none silent')
def p_bits():
    f = file_x()
    whole = open(f, 'rb').read()
    right, empty = ok('dump', f).out, 'time,v\n'
    agg = ok('query', '-a', 'count,sum', f).out
    g = fresh('y')
    r = random.Random(13)
    places = {0, 7, 8, 12, 15, 64, 127, 128, 4095, 4096, 4100, 4608 - 8, 8191, 8192, 8196, 8200, 8704 - 8, 12287, 12288, 12300, 16383, 16384, 16388, 16400, 16423, 20479}
    places |= {r.randrange(20480) for _ in range(60)}
    for at in sorted(places):
        data = bytearray(whole)
        data[at] ^= 1 << r.randrange(8)
        with open(g, 'wb') as out:
            out.write(data)
        v, d, q, s = run('verify', g), run('dump', g), run('query', '-a', 'count,sum', g), run('stat', g)
        check(v.status in (1, 4), 'byte %d: otr-verify' % at, v)
        where = 'byte %d' % at
        if at < 8:
            for x in (d, q, s):
                check(x.status == 4 and x.raw == b'' and re.search('not an? OTR|not OTR', x.err) is not None, where + ': not OTR', x)
        elif at < 4096:
            check(d.status == 0 and d.out == right and q.status == 0 and q.out == agg and s.status == 0, where + ': the copy of the header serves', d, q, s)
            check(d.err.count('\n') == 1, where + ': one warning', d)
        elif 12288 <= at < 16384:
            check(d.status == 0 and d.out == right and q.out == agg and d.err == '', where + ': only verify reads the copy', d)
        elif at < 12288:
            # which of the slots holds the newest version is the writer's choice
            newest = struct.unpack_from('<Q', whole, 4096 + 504)[0] == 2
            if (at < 8192) == newest:
                flipped_stamp = at % 512 >= 504
                if d.status == 0:
                    # a flipped stamp alone is mended (SPEC 4.2-2)
                    check(flipped_stamp and d.out == right and 'warning' in d.err, where + ': the newest slot', d)
                else:
                    check(d.status == 4 and d.out == '' and q.status == 4 and q.out == '' and s.status == 4, where + ': the newest slot is damaged', d, q, s)
                    check('0' in d.err and 'damaged' in d.err, where + ': version 0 is named', d)
                    a = run('dump', '--at', '0', g)
                    check(a.status in (0, 4) and a.out == empty, where + ': --at 0', a)
            else:
                check(d.status == 0 and d.out == right and d.err.count('\n') == 1, where + ': the older slot, one warning', d)
        else:
            check(d.status == 4 and q.status == 4 and right != d.out and d.out in ('', empty), where + ': the root page: the older version, said', d)
            check(re.search(r'\b0\b', d.err) is not None and re.search(r'\b1\b', d.err) is not None, where + ': both versions are named', d)


@case('P: a file cut at any length, junk behind it')
def p_cut():
    f = file_x()
    whole = open(f, 'rb').read()
    right = ok('dump', f).out
    g = fresh('y')
    for length in (0, 1, 7, 8, 9, 100, 4095, 4096, 4097, 8191, 8192, 12287, 12288, 16383, 16384, 16385, 18000, 20479):
        with open(g, 'wb') as out:
            out.write(whole[:length])
        d, v = run('dump', g), run('verify', g)
        check(v.status in (1, 4), 'cut at %d: otr-verify' % length, v)
        check(d.status == 4, 'cut at %d: status 4' % length, d)
        if length < 16384:
            check(d.raw == b'' and re.search('truncated|not an? OTR|not OTR', d.err) is not None, 'cut at %d' % length, d)
            if length >= 8:
                check('truncated' in d.err, 'cut at %d: truncated' % length, d)
        else:
            check(d.out == 'time,v\n' and re.search(r'\b0\b', d.err) is not None and re.search(r'\b1\b', d.err) is not None, 'cut at %d: version 0, both named' % length, d)
    for junk in (b'x', b'\0' * 511, os.urandom(4096), os.urandom(5000)):
        with open(g, 'wb') as out:
            out.write(whole + junk)
        d, v, n = run('dump', g), run('verify', g), run('verify', '-v', g)
        check(d.status == 0 and d.out == right and d.err == '', 'junk of %d bytes: otr-dump' % len(junk), d)
        check(v.status == 0 and v.raw == b'' and n.status == 0, 'junk of %d bytes: otr-verify' % len(junk), v)
        check(n.err.count('\n') + n.out.count('\n') > 1 or 'behind' in n.err + n.out or 'beyond' in n.err + n.out, 'junk of %d bytes: a note under -v' % len(junk), n)
        a = append(g, [(10**7, 1)])
        same(dump(g), dump(f) + '10000000,1\n', 'junk of %d bytes: the next append' % len(junk))
        sound(g)
    for text in (b'time,v\n1,2\n' * 2000, b'\0' * 20480, b'\x89PNG\r\n\x1a\n' + b'\0' * 20480):
        with open(g, 'wb') as out:
            out.write(text)
        for tool in ('dump', 'query', 'stat', 'verify'):
            x = run(tool, g)
            check(x.status == 4 and x.raw == b'', 'not an OTR file: otr-' + tool, x)


@case('P: torn and damaged slots')
def p_slots():
    f = fresh('x')
    ok('create', '--page-size', '4Ki', f, 'v')
    append(f, [(i * 1000, i) for i in range(1000)])
    one_state = open(f, 'rb').read()
    append(f, [(10**7, 1)], '-m', 'm' * 1000)
    two = open(f, 'rb').read()
    right1 = None
    g = fresh('y')

    def put(data):
        with open(g, 'wb') as out:
            out.write(data)
    put(one_state)
    right1 = dump(g)
    right2 = right1 + '10000000,1\n'
    # version 1 is in one slot, version 2 in the other: over version 0
    slot2 = 4096 if struct.unpack_from('<Q', two, 4096 + 504)[0] == 3 else 8192
    assert struct.unpack_from('<Q', two, slot2 + 504)[0] == 3
    for k in range(1, 8):
        torn = bytearray(two)
        torn[slot2 + 512 * k:slot2 + 4096] = one_state[slot2 + 512 * k:slot2 + 4096]
        put(torn)
        # where only stamps differ all of the commit is there, and it is used (SPEC 4.2-2)
        complete = all(torn[slot2 + i] == two[slot2 + i] for i in range(4096) if i % 512 < 504)
        right = right2 if complete else right1
        d = run('dump', '-N', '--time-format', 'ns', g)
        check(d.status == 0 and d.out == right and 'warning' in d.err, '%d new sectors: torn, a warning' % k, d)
        check(complete == (k > 2), '%d new sectors: how much the commit fills' % k)
        append(g, [(2 * 10**7, 2)])
        d = run('dump', '-N', '--time-format', 'ns', g)
        check(d.status == 0 and d.out == right + '20000000,2\n', '%d new sectors: the next commit' % k, d)
        if not complete:
            check(d.err == '', '%d new sectors: no warning after the next commit' % k, d)
            sound(g)
        torn = bytearray(two)
        torn[slot2:slot2 + 512 * k] = one_state[slot2:slot2 + 512 * k]
        put(torn)
        d = run('dump', '-N', '--time-format', 'ns', g)
        check(d.status == 0 and d.out == right1 and 'warning' in d.err, '%d old sectors: torn, a warning, version 1' % k, d)
    damaged = bytearray(two)
    damaged[slot2 + 100] ^= 4
    put(damaged)
    for tool in ('dump', 'query', 'stat'):
        d = run(tool, g)
        check(d.status == 4 and d.raw == b'' and 'damaged' in d.err, 'a damaged newest slot: otr-' + tool, d)
    a = run('dump', '-N', '--time-format', 'ns', '--at', '1', g)
    check(a.out == right1 and a.status in (0, 4), 'a damaged newest slot: --at 1 is answered', a)
    w = run('append', '--any-time', g, data='time_ns,v\n30000000,1\n')
    check(w.status == 4 and open(g, 'rb').read() == bytes(damaged), 'a damaged newest slot: a writer writes nothing', w)
    # the older slot damaged: a warning; the number of the next version is as after any good one
    slot1 = 12288 - slot2
    damaged = bytearray(two)
    damaged[slot1 + 100] ^= 4
    put(damaged)
    d = run('dump', '-N', '--time-format', 'ns', g)
    check(d.status == 0 and d.out == right2 and d.err.count('\n') == 1, 'a damaged older slot: a warning', d)
    # both slots bad
    damaged[slot2 + 100] ^= 4
    put(damaged)
    d = run('dump', g)
    check(d.status == 4 and d.raw == b'', 'both slots bad', d)
    # equal bytes in both: read, with a warning
    twice = bytearray(two)
    twice[slot1:slot1 + 4096] = two[slot2:slot2 + 4096]
    put(twice)
    d = run('dump', '-N', '--time-format', 'ns', g)
    check(d.status == 0 and d.out == right2 and 'warning' in d.err, 'two equal slots: a warning', d)
    # both headers bad
    data = bytearray(two)
    data[100] ^= 1
    data[12288 + 100] ^= 1
    put(data)
    d = run('dump', g)
    check(d.status == 4 and d.raw == b'', 'both headers bad', d)


@case('P: a bad page is met where it is; pages not read do not matter')
def p_pages():
    f = fresh('x')
    ok('create', '--page-size', '4Ki', f, 'v')
    r = random.Random(2)
    append(f, [(i * 1000, r.getrandbits(40)) for i in range(5000)])
    append(f, [(5000 * 1000 + i, i) for i in range(500)])
    whole = open(f, 'rb').read()
    right = dump(f)
    g = fresh('y')
    pages = len(whole) // 4096
    stopped = served = 0
    for p in list(range(4, pages)):
        data = bytearray(whole)
        data[p * 4096 + r.randrange(4096)] ^= 16
        with open(g, 'wb') as out:
            out.write(data)
        d = run('dump', '-N', '--time-format', 'ns', g)
        v = run('verify', g)
        check(d.status in (0, 4), 'page %d: status' % p, d)
        if d.status == 0:
            check(d.out == right, 'page %d: a page that is not read' % p, d)
            served += 1
        else:
            check(right.startswith(d.out) or d.err, 'page %d: only right rows before it' % p, d)
            if not right.startswith(d.out):
                check('version' in d.err, 'page %d: another version, said' % p, d)
            stopped += 1
            check(v.status in (1, 4), 'page %d: otr-verify' % p, v)
    check(stopped > 5, 'pages that matter', stopped, served)


@case('P: killed at any moment: the old version or the new one, and what was acknowledged is there')
def p_kill():
    r = random.Random(6)
    feed = text_of([(i * 1000, i) for i in range(20000)]).encode()
    for cycle in range(30):
        f = fresh()
        ok('create', '--page-size', '4Ki', f, 'v:i64')
        batch = r.choice((7, 50, 700, 20000))
        p = subprocess.Popen([os.path.join(BIN, 'otr-append'), '--any-time', '--print-version', '--commit-every', str(batch), f], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        sig = r.choice((9, 9, 15, 2))
        try:
            p.stdin.write(feed)
            p.stdin.flush()
            time.sleep(r.random() * 0.02)
        except BrokenPipeError:
            pass
        p.send_signal(sig)
        out, err = p.communicate()
        acknowledged = max([0] + [int(x) for x in out.decode().split('\n')[:-1] if x])
        sound(f)
        got = rows_of(f)
        what = 'cycle %d: batches of %d, signal %d' % (cycle, batch, sig)
        check(got == [(str(i * 1000), str(i)) for i in range(len(got))], what + ': the first rows, without a hole')
        # INT and TERM end the input: what was read by then is a commit, too, which need not be a whole batch
        least = acknowledged * batch if sig == 9 else (acknowledged - 1) * batch + 1
        check(len(got) >= min(least, 20000), what + ': %d rows, version %d was acknowledged' % (len(got), acknowledged))
        check(sig != 9 or len(got) % batch == 0 or len(got) == 20000, what + ': whole batches', len(got))
        append(f, [(i * 1000, i) for i in range(20000)])
        same(len(rows_of(f)), 20000, what + ': the next append')
        sound(f)


@case('P: no room on the disk: status 5, the version before is intact, the next append works')
def p_full():
    for room in (0, 512, 4096, 5000, 20000, 40960):
        f = fresh()
        ok('create', '--page-size', '4Ki', f, 'v')
        append(f, [(i, i) for i in range(100)])
        before = dump(f)
        limit = os.path.getsize(f) + room
        rows = text_of([(10**6 + i, i * i * 77 % 1000003) for i in range(60000)])
        p = subprocess.run(['bash', '-c', 'trap "" XFSZ; exec prlimit --fsize=%d "$0" --any-time "$1"' % limit, os.path.join(BIN, 'otr-append'), f], input=rows.encode(),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(p.returncode == 5, '%d bytes of room: status 5' % room, p.returncode, p.stderr)
        same(dump(f), before, '%d bytes of room: the version before' % room)
        sound(f)
        ok('append', '--any-time', f, data=rows)
        same(len(rows_of(f)), 60100, '%d bytes of room: the next append' % room)
        sound(f)
    for tool, args in (('dump', (f,)), ('query', (f,)), ('stat', (f,)), ('dump', ('--help',)), ('append', ('--version',))):
        p = subprocess.run(['bash', '-c', '"$0" "$@" > /dev/full', os.path.join(BIN, 'otr-' + tool)] + list(args), stderr=subprocess.PIPE)
        check(p.returncode == 5, 'otr-%s %s to a full disk: status 5' % (tool, args), p.returncode, p.stderr)


@case('P: four writers, a held lock, a copy taken beside a writer')
def p_writers():
    f = fresh()
    ok('create', f, 'v:i64')
    script = 'for i in $(seq 0 49); do echo "time_ns,v\n$((i * 4 + $2)),$i" | sed "s/\\\\n/\\n/" | "$0" -q --any-time "$1" || exit 1; done'
    writers = [subprocess.Popen(['bash', '-c', script, os.path.join(BIN, 'otr-append'), f, str(k)], stderr=subprocess.PIPE) for k in range(4)]
    copies = 0
    while any(w.poll() is None for w in writers):
        g = os.path.join(tmp, 'copy.otr')
        shutil.copyfile(f, g)
        d = run('dump', '-N', '--time-format', 'ns', g)
        check(d.status in (0, 4) and (d.status == 0 or d.err), 'a copy opens at some commit, or says what is missing', d)
        copies += 1
    for w in writers:
        check(w.wait() == 0, 'a writer failed', w.stderr.read())
    same(rows_of(f), [(str(t), str(t // 4)) for t in range(200)], 'four writers: all rows')
    same(json.loads(ok('stat', '--json', f).out)['version'], 200, 'four writers: a version each')
    sound(f)
    fcntl_lock = struct.pack('hhqqi', 1, 0, 0, 0, 0)                  # F_WRLCK on the whole file
    with open(f, 'r+b') as held:
        fcntl.fcntl(held, 37, fcntl_lock)                            # F_OFD_SETLK
        start = time.time()
        r = run('append', '--any-time', '-W', '0', f, data='time_ns,v\n1000,1\n')
        check(r.status == 6 and time.time() - start < 0.7, 'a held lock: -W 0 gives 6 at once', r)
        start = time.time()
        r = run('append', '--any-time', '-W', '1', f, data='time_ns,v\n1000,1\n')
        check(r.status == 6 and 0.9 < time.time() - start < 2.5, 'a held lock: -W 1 gives 6 after a second', r)
        same(len(rows_of(f)), 200, 'a held lock does not keep readers away')
    append(f, [(1000, 1)])
    same(len(rows_of(f)), 201, 'the lock is free again')


# ---- R, S, T ---------------------------------------------------------------------------------------------------------------------

@case('R: counters')
def r_counters():
    s = 10**9
    values = (100, 110, 115, 3, 8, 8, 2, 9)
    for shape in SHAPES:
        for columns in (('v:i64',), ('v',), ('v:i32',)):
            f = make([(60 * s * i, v) for i, v in enumerate(values)], shape, columns=columns)
            same(one(f, 'rise'), ['32'], '%s %s: rise' % (shape, columns))
            near(one(f, 'rate')[0], 0.0761904761904762, shape + ': rate', 1e-15)
            same([v for _, v in windows(f, 0, 420 * s + 1, '2m', 'rise')], ['10', '8', '5', '9'], shape + ': W 2m')
            same([v for _, v in windows(f, 0, 420 * s + 1, '90s', 'rise')], ['10', '5', '8', '0', '9'], shape + ': W 90s')
            same(one(f, 'rise', '-s', '@90', '-e', '@270'), ['13'], shape + ': [90 s, 270 s)')
        f = make([(3600 * s * i, v) for i, v in enumerate((1000, 1010, 1030, 1060))], shape, columns=('v:i64',))
        got = [v for _, v in windows(f, 0, 4 * 3600 * s, '1h', 'rise')]
        check(got in (['0', '10', '20', '30'], ['', '10', '20', '30']), shape + ': an hourly meter', got)
        f = make([(i * s, v) for i, v in enumerate(('5', '', '7', 'NaN', '1'))], shape)
        same(one(f, 'rise'), ['3'], shape + ': nulls and NaNs are transparent')
        f = make([(i * s, v) for i, v in enumerate((-5, -3, -4))], shape)
        same(one(f, 'rise'), ['2'], shape + ': negative values')
        f = make([(i * 10**6 * s, v) for i, v in enumerate(values)], shape, columns=('v:i64',), options=('--gap', '1s'))
        same(one(f, 'rise'), ['32'], shape + ': across gaps')
    r = random.Random(4)
    x, want, rows = 0, 0, []
    for i in range(30000):
        y = r.randrange(50) if r.randrange(97) == 0 else x + r.randrange(1000)
        if i > 0:
            want += y - x if y >= x else y
        x = y
        rows.append((i * s, x))
    f = make(rows, 'ride', columns=('v:i64',), options=('--page-size', '4Ki'))
    append(f, [(30000 * s, x + 5)])
    same(one(f, 'rise'), [str(want + 5)], 'across leaves, inner pages and the slot')


@case('S: time-weighted means')
def s_twa():
    s = 10**9
    rows = [(0, 10), (10 * s, 20), (40 * s, 20), (100 * s, 0)]
    table_s = [((None, None), (1350, 100, 13.5), (750, 40, 18.75), (1900, 100, 19), (700, 40, 17.5)),
               ((5, 25), (387.5, 20, 19.375), (387.5, 20, 19.375), (350, 20, 17.5), (350, 20, 17.5)),
               ((20, 30), (200, 10, 20), (200, 10, 20), (200, 10, 20), (200, 10, 20)),
               ((50, 80), (350, 30, 11.666666666666666), None, (600, 30, 20), None),
               ((-50, 5), (62.5, 5, 12.5), (62.5, 5, 12.5), (50, 5, 10), (50, 5, 10)),
               ((90, 200), (16.666666666666668, 10, 1.6666666666666667), None, (200, 10, 20), None)]
    kinds = ((), ('--gap', '30s'), ('--step-column', 'v'), ('--step-column', 'v', '--gap', '30s'))
    for shape in SHAPES:
        for k, options in enumerate(kinds):
            f = make(rows, shape, options=options)
            for (a, b), *want in table_s:
                args = ([] if a is None else ['-s', '@%d' % a]) + ([] if b is None else ['-e', '@%d' % b])
                area, covered, twa = one(f, 'area,covered,twa', *args)
                w = want[k]
                what = '%s %s [%s,%s)' % (shape, ' '.join(options), a, b)
                if w is None:
                    same((area, float(covered), twa), ('', 0.0, ''), what)
                else:
                    same((float(area), float(covered), float(twa)), tuple(float(x) for x in w), what)
            got = [(t // s, float(x) if x else None) for t, x in windows(f, 0, 101 * s, '25s', 'area')]
            want = ([(0, 450.0), (25, 483.3333333333333), (50, 312.5), (75, 104.16666666666667), (100, None)], [(0, 450.0), (25, 300.0), (100, None)],
                    [(0, 400.0), (25, 500.0), (50, 500.0), (75, 500.0), (100, None)], [(0, 400.0), (25, 300.0), (100, None)])[k]
            same(got, want, '%s %s: W 25s' % (shape, ' '.join(options)))
        f = make(rows, shape, options=('--gap', '29s'))
        got = one(f, 'area,covered,twa')
        same((got[0], float(got[1]), got[2]), ('150', 10.0, '15'), shape + ': gap 29s')


@case('T: a duty cycle')
def t_duty():
    s = 10**9
    rows = [(0, 1), (300 * s, 0), (1500 * s, 1), (1800 * s, 1), (3000 * s, 0), (3600 * s, 0)]
    for shape in SHAPES:
        f = make(rows, shape, columns=('v:bool',))
        for a, b, twa in ((0, 3600, '0.5'), (0, 1800, '0.3333333333333333'), (1800, 3600, '0.6666666666666666'), (600, 1600, '0.1')):
            same(one(f, 'twa', '-s', '@%d' % a, '-e', '@%d' % b), [twa], '%s: [%d,%d)' % (shape, a, b))
        same(one(f, 'mean', '-s', '@0', '-e', '@3600'), ['0.6'], shape + ': mean of the rows')
        same(one(f, 'mean', '-s', '@600', '-e', '@1600'), ['1'], shape + ': mean of the rows in [600,1600)')
        got = one(f, 'area,covered', '-s', '@0', '-e', '@7200')
        same((float(got[0]), float(got[1])), (1800.0, 3600.0), shape + ': nothing after the last row')
        f = make(rows, shape, columns=('v:bool',), options=('--gap', '600s'))
        got = one(f, 'area,covered,twa')
        same((float(got[0]), float(got[1]), got[2]), (600.0, 1200.0, '0.5'), shape + ': gap 600s')


# ---- V ---------------------------------------------------------------------------------------------------------------------------

@case('V: a feed replayed')
def v_replay():
    feed = [(i * 10**9, i * i % 1000) for i in range(1000)]
    for policy, n, version in (('replace', 1000, 1), ('first', 1000, 1), ('keep', 2000, 2), ('error', 1000, 1)):
        for batch in ((), ('--commit-every', '100')):
            f = fresh()
            ok('create', '--duplicates', policy, f, 'v')
            append(f, feed, *batch)
            before = open(f, 'rb').read()
            r = run('append', '--any-time', f, data=text_of(feed))
            same(r.status, 3 if policy == 'error' else 0, policy + ': status of the second time')
            same(len(rows_of(f)), n, policy + ': rows')
            if policy != 'keep':
                check(open(f, 'rb').read() == before, policy + ': the same bytes')
            if not batch:
                same(json.loads(ok('stat', '--json', f).out)['version'], version, policy + ': version')
            sound(f)
    f = make(feed, 'ride')
    append(f, [(i * 10**9, i * i % 1000) for i in range(900, 1100)])
    same(len(rows_of(f)), 1100, '0..999, then 900..1099')
    changed = [(t, v if i != 500 else -7) for i, (t, v) in enumerate(feed)]
    old = dump(f)
    append(f, changed)
    new = dump(f)
    same([y for x, y in zip(old.splitlines(), new.splitlines()) if x != y], ['500000000000,-7'], 'one value changed: that row differs')
    f = make(feed, 'ride')
    r = append(f, feed[-10:] + [(i * 10**9, 1) for i in range(1000, 1005)], '-v')
    same(len(rows_of(f)), 1005, 'a restarted writer: five new rows')
    check(re.search(r'15 rows = 5 new \+ 0 replaced \+ 10 skipped', r.err) is not None, '-v balances', r)


@case('V: NaN and null in statistics')
def v_nan():
    s = 10**9
    rows = [(0, 'NaN'), (s, '1'), (2 * s, '2'), (3 * s, 'NaN'), (4 * s, '3'), (5 * s, '')]
    want = {'count': '3', 'nans': '2', 'nulls': '1', 'min': '1', 'max': '3', 'sum': '6', 'first': '1', 'tfirst': '1000000000', 'area': '6.5', 'rise': '2'}
    for shape in SHAPES:
        for options in ((), ('--step-column', 'v')):
            f = make(rows, shape, options=options)
            w = dict(want, area='5') if options else want
            same(dict(zip(w, one(f, ','.join(w)))), w, '%s %s' % (shape, options))
            near(one(f, 'stddev')[0], 0.816496580927726, shape + ': stddev')
            same(float(one(f, 'covered')[0]), 3.0, shape + ': covered')
    values = [(i, 'NaN' if i % 1000 == 0 or 20000 <= i < 40000 else i % 977) for i in range(100000)]
    for options in ((), ('--page-size', '4Ki')):
        f = make(values, 'ride', options=options)
        same(one(f, 'count,nans,sum'), ['79920', '20080', '38808211'], 'a hundred thousand rows')
        got = windows(f, 0, 100000, '10us', 'count,nans,min,max,sum')
        for t, count, nans, low, high, total in got:
            if t in (20000, 30000):
                same((count, nans, low, high, total), ('0', '10000', '', '', ''), 'window %d' % t)
            else:
                same((count, nans, high), ('9990', '10', '976'), 'window %d' % t)
        same(len(got), 10, 'windows of 10 us')


@case('V: clocks that are wrong')
def v_clocks():
    s = 10**9
    rows = [((1700000000 + i) * s, i) for i in range(2000)]
    rows[1000] = (2646685800 * s, -1)
    for batch in ((), ('--commit-every', '7')):
        for options in ((), ('--gap', '60s')):
            f = fresh()
            ok('create', *options, f, 'v')
            append(f, rows, *batch)
            same(len(rows_of(f)), 2000, 'a clock thirty years ahead for one row')
            same([n for _, n in counts(f, None, None, day())], [1999, 1], 'windows of a day')
            same(len(query(f, '-w', '1s')), 2000, 'windows of a second, at once')
            area, covered, twa = one(f, 'area,covered,twa')
            if options:
                same((float(covered), area, twa), (1999.0, '1998000.5', '999.5'), 'gap 60s')
            else:
                same((float(covered), twa), (946685800.0, '999.0000010557885'), 'no gap')
            if can('query', '--fill'):
                same(len(query(f, '-w', day(), '--fill', 'null')), 10958, 'windows of a day, filled')
            ok('delete', '--where', 'v < 0', f)
            same(one(f, 'count,sum'), ['1999', str(sum(range(2000)) - 1000)], 'the row of the wrong clock deleted')
            sound(f)
    f = fresh()
    ok('create', '--retain', '90d', f, 'v')
    now = int(time.time())
    append(f, [((now - 10 + i) * s, i) for i in range(10)])
    append(f, [((now + 30 * 366 * 86400) * s, -1)])
    same(len(rows_of(f)), 11, '--retain 90d expires nothing: the clock is earlier than the stray row')
    f = make([], 'ride')
    refused(3, 'append', f, data='time,v\n2646685800,-1\n')
    refused(3, 'append', f, data='time,v\n1700000010000,1\n', says=r'\bms\b')
    refused(3, 'append', '--time-unit', 'ms', f, data='time,v\n1700000010,1\n', says=r'\bs\b|second')
    ok('append', '--time-unit', 'ms', f, data='time,v\n1700000010000,1\n')
    same(ok('dump', '-N', f).out, '2023-11-14T22:13:30Z,1\n', 'a stamp in ms')
    for unit, scale in (('s', 1), ('ms', 10**3), ('us', 10**6), ('ns', 10**9)):
        g = make([], 'ride', name='b')
        ok('append', g, data='time_%s,v\n%d,1\n' % (unit, 1700000010 * scale))
        same(ok('dump', '-N', g).out, '2023-11-14T22:13:30Z,1\n', 'the unit in the name time_%s' % unit)


@case('V: round robin: a file of a fixed size keeps the newest rows; --retain those of a time')
def v_round_robin():
    s = 10**9
    r = random.Random(11)
    values = [r.getrandbits(62) for _ in range(300000)]
    f = fresh()
    refused(2, 'create', '--max-size', '32Ki', f, 'v:i64', says='at least')
    ok('create', '--max-size', '1Mi', '--page-size', '4Ki', f, 'v:i64')
    first = -1
    for k in range(0, len(values), 1000):
        append(f, [((k + i) * s, values[k + i]) for i in range(1000)])
        check(os.path.getsize(f) <= 2**20, 'the file is never beyond its size', os.path.getsize(f))
        if k % 10000 == 9000:
            sound(f)
            got = one(f, 'count,sum,tfirst,tlast')
            n, begin, end = int(got[0]), int(got[2]) // s, int(got[3]) // s
            check(begin >= first and end == k + 999 and n == end - begin + 1, 'the newest rows without a hole, the first moves forward only', got)
            same(got[1], str(sum(values[begin:end + 1])), 'the sum of the rows kept')
            first = begin
    check(first > 100000, 'rows went', first)
    info = stat(f)
    for v in {info['oldest_version'], info['version'] - 5, info['version'] - 1}:
        same([int(t) // s for t, _ in rows_of(f, '--at', v, '-n', 1)], [first] if v * 1000 > first else [], 'rows gone are gone at version %d' % v)
    if info['oldest_version'] > 0:
        refused(2, 'dump', '--at', info['oldest_version'] - 1, f, says='oldest kept is %d' % info['oldest_version'])
    r1 = append(f, [(5 * s, 1)], '-v')
    check('0 new + 0 replaced + 1 skipped' in r1.err, 'a late row before the horizon is skipped and counted', r1)
    g = fresh('b')
    ok('create', '--max-size', '1Mi', '--page-size', '4Ki', g, 'v:i64')
    append(g, [(i * s, v) for i, v in enumerate(values)])
    got = one(g, 'count,sum,tfirst,tlast')
    n, begin = int(got[0]), int(got[2]) // s
    same((got[1], int(got[3]) // s, n), (str(sum(values[begin:])), len(values) - 1, len(values) - begin), 'the same in one input')
    check(os.path.getsize(g) <= 2**20 and begin > 100000, 'the same in one input: size, rows gone', os.path.getsize(g), begin)
    sound(g)
    # deletion and rollback in such a file
    ok('delete', '--where', 'v < %d' % 2**61, g)
    left = [(int(t) // s, int(v)) for t, v in rows_of(g)]
    check(left and left == [(i, values[i]) for i in range(left[0][0], len(values)) if values[i] >= 2**61], 'a deletion in a file of a fixed size')
    check(os.path.getsize(g) <= 2**20, 'its size after a deletion', os.path.getsize(g))
    sound(g)
    ok('rollback', g, 'newest-1')
    sound(g)
    # rows of one time go together
    ok('create', '--max-size', '1Mi', '--page-size', '4Ki', '--duplicates', 'keep', '-f', g, 'v:i64')
    append(g, [(i // 500 * s, v) for i, v in enumerate(values)])
    kept = {}
    for t, _ in rows_of(g):
        kept[t] = kept.get(t, 0) + 1
    same(set(kept.values()), {500}, 'equal times are never split between kept and gone')
    sound(g)
    # by time
    for layout in ((), ('-m', 'm' * 1000)):
        f = fresh()
        ok('create', '--retain', '1h', f, 'v')
        for k in range(0, 20000, 500):
            append(f, [((k + i) * s, k + i) for i in range(500)], *layout)
            begin = max(0, k + 499 - 3600)
            got = one(f, 'count,tfirst')
            check(int(got[0]) <= 3601 + 500 and int(got[1]) // s <= begin or begin == 0 or int(got[1]) // s == begin, '--retain 1h: rows kept', k, got)
        got = rows_of(f)
        check(3600 <= len(got) <= 3601 and got == [(str(i * s), str(i)) for i in range(20000 - len(got), 20000)], '--retain 1h: what is there', len(got))
        before = stat(f)['version']
        append(f, [(100 * s, 1)])
        same(stat(f)['version'], before, '--retain 1h: a row before the horizon makes no version')
        sound(f)


def main(argv):
    global tmp
    if argv == ['--list']:
        for name, (sentence, _) in CASES.items():
            print('%s\t%s' % (name, sentence))
        return 0
    if len(argv) != 1 or argv[0] not in CASES:
        sys.stderr.write(__doc__)
        return 2
    where = os.environ.get('BATS_TEST_TMPDIR') or tempfile.gettempdir()
    if os.access('/dev/shm', os.W_OK):
        where = '/dev/shm'
    tmp = tempfile.mkdtemp(prefix='otr-cases-', dir=where)
    try:
        CASES[argv[0]][1]()
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    for p in problems[:8]:
        print(p[:1500])
    if problems:
        print('%d differences' % len(problems))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
