#!/usr/bin/env bats
# otr-query.bats - otr-query from outside: what may be asked, several files, sums over partitions, comparison with plain loops.

load tools

# field N: of the first data row of out.
field() {
	sed -n 2p out | cut -d, -f"$1"
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-query
}

@test "usage errors: status 2, two lines, nothing on stdout" {
	pump a.otr
	usage 'no FILE' otr-query
	usage 'unknown option' otr-query --where 'temp > 5' a.otr
	usage 'window' otr-query -w 5M a.otr
	usage '90m' otr-query -w 1.5h a.otr
	usage 'window' otr-query -w 90 a.otr
	usage 'window' otr-query -w 0s a.otr
	usage 'window' otr-query -w -5m a.otr
	usage 'window' otr-query -w '' a.otr
	usage 'window' otr-query -w 30m1h a.otr
	usage '24h' otr-query -w 1d a.otr
	usage 'points' otr-query --points 0 a.otr
	usage 'points' otr-query --points x a.otr
	usage 'aggregate' otr-query -a mean,average a.otr
	usage 'aggregate' otr-query -a '' a.otr
	usage 'last' otr-query --last -5 a.otr
	usage 'nearest' otr-query --nearest nonsense a.otr
	usage 'origin' otr-query --origin x -w 1h a.otr
	usage 'no effect' otr-query --origin @0 a.otr
	usage 'no effect' otr-query --before a.otr
	usage '' otr-query -w 1h --points 5 a.otr
	usage '' otr-query --last 5 --nearest @5 a.otr
	usage '' otr-query --last 5 -a mean a.otr
	usage '' otr-query --last 5 -w 1h a.otr
	usage '' otr-query --nearest @5 -w 1h a.otr
	usage 'not a format' otr-query -F binary a.otr
	usage 'given twice' otr-query -w 1h -w 2h a.otr
	usage 'limit' otr-query -w 1h -n '' a.otr
	usage 'perhaps Europe/Berlin' otr-query -z Europe/Berln a.otr
	refuse 2 'no column "tmp"; columns are: temp, on' otr-query -c tmp a.otr
	refuse 2 '' otr-query --points 241 -s @1700000000 -e @1700000000.000000240 a.otr
	refuse 2 '' otr-query --at 9 a.otr
	expect 0 otr-query -n 010 -w 1s a.otr
	[ "$(wc -l <out)" -eq 6 ]
}

@test "of several FILEs one is missing, one no OTR file: the others are answered, the highest status wins" {
	pump a.otr
	pump b.otr 3
	echo text >text
	expect 5 otr-query -c temp -a count a.otr no.otr b.otr
	same $'file,time,temp_count\na.otr,2023-11-14T22:13:20Z,5\nb.otr,2023-11-14T22:13:20Z,3' out
	says '^otr-query: no.otr: .*No such file'
	[ "$(wc -l <err)" -eq 1 ]
	expect 4 otr-query -c temp -a count a.otr text b.otr
	[ "$(wc -l <out)" -eq 3 ]
	expect 5 otr-query -c temp -a count no.otr text
	expect 0 otr-query --last 1 a.otr b.otr
	same $'file,time,temp,on\na.otr,2023-11-14T22:17:20Z,22,0\nb.otr,2023-11-14T22:15:20Z,21,0' out
	otr-create c.otr hum
	expect 0 otr-query -a count a.otr c.otr
	head -n 1 out | grep -qx 'file,time,temp_count,on_count,hum_count'
	expect 0 otr-query -a count 'a.otr' ./a.otr
	cp a.otr 'x,"y.otr'
	expect 0 otr-query -c temp -a count 'x,"y.otr' a.otr
	sed -n 2p out | grep -qF '"x,""y.otr",2023'
}

@test "every answer equals a plain loop over the rows: random rows, windows, ranges, all aggregates" {
	cat >loop.py <<'PY'
import csv, io, math, random, subprocess
r = random.Random(11)
S = 10**9
rows, t = [], 1700000000 * S
for i in range(3000):
    t += r.choice((1, 5, 10, 10, 10, 10, 60, 4000)) * S + r.choice((0, 0, 0, r.randrange(S)))
    rows.append((t, r.choice((None, 'NaN', *([round(r.gauss(20, 50), r.randrange(4))] * 12))), None if r.random() < .1 else r.randrange(-1000, 1000)))
text = 'time_ns,x,n\n' + ''.join('%d,%s,%s\n' % tuple('' if v is None else v for v in row) for row in rows)
subprocess.run(['otr-create', '--page-size', '4Ki', '--gap', '1h', 'a.otr', 'x', 'n:i64'], check=True)
subprocess.run(['otr-append', 'a.otr'], input=text.encode(), check=True)
NAMES = 'count,nulls,nans,min,mean,max,range,first,last,sum,tmin,tmax,tfirst,tlast,var,stddev,rise'.split(',')

def loop(part, k):
    v = [(row[0], float(row[k]) if row[k] is not None else None) for row in part]
    good = [(t, x) for t, x in v if x is not None and not math.isnan(x)]
    out = dict.fromkeys(NAMES)
    out.update(count=len(good), nulls=sum(x is None for _, x in v), nans=sum(x is not None and math.isnan(x) for _, x in v))
    if good:
        xs = [x for _, x in good]
        m = math.fsum(xs) / len(xs)
        out.update(min=min(xs), max=max(xs), range=max(xs) - min(xs), first=xs[0], last=xs[-1], sum=math.fsum(xs), mean=m,
            tmin=next(t for t, x in good if x == min(xs)), tmax=next(t for t, x in good if x == max(xs)), tfirst=good[0][0], tlast=good[-1][0],
            var=math.fsum((x - m)**2 for x in xs) / len(xs))
        out['stddev'] = math.sqrt(out['var'])
    return out

def ask(*args):
    p = subprocess.run(['otr-query', '--time-format', 'ns', '-a', ','.join(NAMES), *args, 'a.otr'], stdout=subprocess.PIPE, check=True)
    return list(csv.DictReader(io.StringIO(p.stdout.decode())))

def check(got, part, what):
    for k, c in ((1, 'x'), (2, 'n')):
        want = loop(part, k)
        for name in NAMES:
            if name == 'rise':
                continue
            g, w = got['%s_%s' % (c, name)], want[name]
            assert (g == '') == (w is None), (what, c, name, g, w)
            if w is not None:
                exact = isinstance(w, int) or name in ('min', 'max', 'first', 'last')
                scale = 1e-12 * max(abs(w), 1e-3 * len(part) if name == 'sum' else 1e-3)
                assert (float(g) == w if exact and not name.startswith('t') else int(g) == w if name.startswith('t') else abs(float(g) - w) <= scale), (what, c, name, g, w)

t0, t1 = rows[0][0], rows[-1][0]
for turn in range(60):
    a, b = sorted((r.choice(rows)[0] + r.choice((0, 0, 1, -1)), r.choice(rows)[0] + r.choice((0, 0, 1))))
    w = r.choice((1, 7, 60, 3600, 86400, 12345)) * S * r.choice((1, 1, 10))
    if (b - a) // w > 30000:
        continue
    opts = ['-s', '@%d.%09d' % divmod(a, S), '-e', '@%d.%09d' % divmod(b, S)]
    inside = [row for row in rows if a <= row[0] < b]
    whole = ask(*opts)
    assert len(whole) == 1
    check(whole[0], inside, (a, b))
    windows = {}
    for row in inside:
        windows.setdefault(row[0] // w * w, []).append(row)
    got = ask(*opts, '-w', '%dns' % w)
    assert {int(g['time_ns']) for g in got} == set(windows), (a, b, w)
    for g in got:
        check(g, windows[int(g['time_ns'])], (a, b, w))
    assert sum(int(g['x_count']) for g in got) == int(whole[0]['x_count'])
    for c in 'xn':
        rise = math.fsum(float(g[c + '_rise'] or 0) for g in got)
        assert abs(rise - float(whole[0][c + '_rise'] or 0)) <= 1e-9 * max(1, rise), (a, b, w, c)
    n = r.choice((1, 7, 100))
    if b - a >= n:
        got = ask(*opts, '--points', str(n))
        bounds = [a + i * (b - a) // n for i in range(n + 1)]
        for g in got:
            i = bounds.index(int(g['time_ns']))
            check(g, [row for row in inside if bounds[i] <= row[0] < bounds[i + 1]], (a, b, n))
        assert sum(int(g['n_count']) for g in got) == int(whole[0]['n_count'])
PY
	python3 loop.py
}

@test "over any partition of a range, count, sum, area, covered, rise add up to those of the whole" {
	local step gap
	for gap in none 90s; do
		for step in '' '--step-column temp'; do
			# shellcheck disable=SC2086
			otr-create -f --gap $gap $step a.otr temp
			awk 'BEGIN { srand(5); print "time,temp"; t = 1700000000; for (i = 0; i < 4000; i++) { t += int(rand() * 120) + 1; print t "," int(rand() * 1000) / 8 } }' | otr-append a.otr
			python3 - <<'PY'
import random, subprocess
r = random.Random(2)
names = 'count,sum,area,covered,rise'
def ask(*args):
    p = subprocess.run(['otr-query', '-N', '-a', names, *args, 'a.otr'], stdout=subprocess.PIPE, check=True)
    return [[float(x or 0) for x in line.split(',')[1:]] for line in p.stdout.decode().splitlines()]
a, b = 1700000100, 1700230000
whole = ask('-s', '@%d' % a, '-e', '@%d' % b)[0]
cuts = [a] + sorted(r.sample(range(a + 1, b), 12)) + [b]
parts = [ask('-s', '@%d' % s, '-e', '@%d' % e)[0] for s, e in zip(cuts, cuts[1:])]
for got in (parts, ask('-s', '@%d' % a, '-e', '@%d' % b, '-w', '1h'), ask('-s', '@%d' % a, '-e', '@%d' % b, '-w', '7m', '--origin', '@13'),
            ask('-s', '@%d' % a, '-e', '@%d' % b, '--points', '1000')):
    for i, name in enumerate(names.split(',')):
        total = sum(p[i] for p in got)
        assert abs(total - whole[i]) <= 1e-9 * max(1, abs(whole[i])), (name, total, whole[i])
PY
		done
	done
}

@test "an infinity or a NaN spoils no other window" {
	otr-create --page-size 4Ki a.otr v
	awk 'BEGIN { print "time,v"; for (i = 0; i < 5000; i++) print 1700000000 + i "," (i == 777 ? "inf" : i == 3333 ? "NaN" : i == 3334 ? "-inf" : i % 10) }' | otr-append a.otr
	otr-query -N --origin @1700000000 -w 10s -a sum,mean,max,var,area a.otr >out
	[ "$(wc -l <out)" -eq 500 ]
	[ "$(grep -c ',45,4.5,9,8.25,' out)" -eq 498 ]
	[ "$(grep -c inf out)" -eq 2 ]
}

@test "windows before 1970 floor downward; --origin starts one; the range clips, time stays the start" {
	otr-create a.otr v
	printf 'time,v\n-3601,1\n-1,2\n0,3\n3599,4\n3600,5\n' | otr-append --any-time a.otr
	otr-query -N -w 1h -a count a.otr >out
	same $'1969-12-31T22:00:00Z,1\n1969-12-31T23:00:00Z,1\n1970-01-01T00:00:00Z,2\n1970-01-01T01:00:00Z,1' out
	otr-query -N -w 1h -s @-1 -e @1 -a count --time-format s a.otr >out
	same $'-3600,1\n0,1' out
	otr-query -N -w 1h --origin @-1 -a count --time-format s a.otr >out
	same $'-3601,1\n-1,2\n3599,2' out
	[ "$(otr-query -N -w 5m a.otr | cksum)" = "$(otr-query -N -w 300s a.otr | cksum)" ]
	otr-query -N -w 1h -r -n 1 -a count --time-format s a.otr >out
	same 3600,1 out
}

@test "an empty range: one row, windows none, status 0; with -E 1" {
	pump a.otr
	expect 0 otr-query -a count,min,sum,covered -c temp -s @1700000060 -e @1700000060 a.otr
	same $'time,temp_count,temp_min,temp_sum,temp_covered\n2023-11-14T22:14:20Z,0,,,0' out
	expect 1 otr-query -E -c temp -s @1700000060 -e @1700000060 a.otr
	expect 0 otr-query -w 1h -s @5 -e @60 a.otr
	[ "$(wc -l <out)" -eq 1 ]
	expect 1 otr-query -E -w 1h -s @5 -e @60 a.otr
	expect 1 otr-query -E --last 0 a.otr
	expect 1 otr-query -E --nearest @1700001000 a.otr
	expect 0 otr-query -E --nearest @1700000000 a.otr
	otr-create e.otr v
	expect 0 otr-query -a count e.otr
	same $'time,v_count\n,0' out
}

@test "-E: a range without a row that two rows about it cover is an answer, as a window is; uncovered it is none" {
	otr-create --gap 10s a.otr v w
	printf '%s\n' @1700000000,1, @1700000010,3, @1700000030,5, | otr-append -N a.otr
	expect 0 otr-query -E -a twa -s @1700000004 -e @1700000006 a.otr
	same $'time,v_twa,w_twa\n2023-11-14T22:13:24Z,2,' out
	expect 0 otr-query -E -a twa -w 2s -s @1700000004 -e @1700000006 a.otr
	expect 1 otr-query -E -a mean -s @1700000004 -e @1700000006 a.otr
	expect 1 otr-query -E -a twa -c w -s @1700000004 -e @1700000006 a.otr
	expect 1 otr-query -E -a twa -s @1700000014 -e @1700000016 a.otr
	expect 1 otr-query -E -a twa -w 2s -s @1700000014 -e @1700000016 a.otr
}

@test "a rise of whole numbers beyond 64 bits is not known, nor is its rate: both null" {
	otr-create a.otr v:i64
	printf '%s\n' @1700000000,-9223372036854775808 @1700000010,9223372036854775806 | otr-append -N a.otr
	otr-query -N -a rise,rate --time-format s a.otr >out
	same 1700000000,18446744073709551614,1.8446744073709553e18 out
	printf '%s\n' @1700000020,-1 @1700000030,9223372036854775807 | otr-append -N a.otr
	otr-query -N -a rise,rate --time-format s a.otr >out
	same 1700000000,, out
	otr-query -N -a rise,rate --time-format s -s @1700000011 a.otr >out
	same 1700000011,9223372036854775808,4.611686018427388e17 out
}

@test "--nearest, --before at, between, before and after all rows, with -n" {
	pump a.otr 2000
	near() {
		otr-query -N --time-format s -c temp "$@" a.otr | cut -d, -f1 | paste -sd' '
	}
	[ "$(near --nearest @1700000060)" = 1700000060 ]
	[ "$(near --nearest @1700000060 --before)" = 1700000000 ]
	[ "$(near --nearest @1700000061)" = 1700000120 ]
	[ "$(near --nearest @1700000061 --before)" = 1700000060 ]
	[ "$(near --nearest @0)" = 1700000000 ]
	[ "$(near --nearest @0 --before)" = '' ]
	[ "$(near --nearest @1800000000)" = '' ]
	[ "$(near --nearest @1800000000 --before)" = 1700119940 ]
	[ "$(near --nearest last)" = 1700119940 ]
	[ "$(near --nearest @1700000061 -n 2)" = '1700000120 1700000180' ]
	[ "$(near --nearest @1700000181 --before -n 2)" = '1700000120 1700000180' ]
	[ "$(near --last 3)" = '1700119820 1700119880 1700119940' ]
}

@test "--explain tells the pages read, fewer for a narrow range, on stderr only" {
	otr-create --page-size 4Ki a.otr v
	awk 'BEGIN { srand(3); print "time,v"; for (i = 0; i < 50000; i++) print 1700000000 + i "," rand() }' | otr-append a.otr
	otr-query --last 3 a.otr >plain
	expect 0 otr-query --explain --last 3 a.otr
	cmp out plain
	says '^otr-query: a.otr: read [0-9]+ leaf, [0-9]+ inner'
	expect 0 otr-query --explain -a mean -s @1700000100 -e @1700000200 a.otr
	[ "$(grep -oE 'read [0-9]+' err | cut -d' ' -f2)" -le 2 ]
	expect 0 otr-query --explain -w 1m -a stddev a.otr
	[ "$(grep -oE 'read [0-9]+' err | cut -d' ' -f2)" -gt 20 ]
}

@test "SIGPIPE: dies of it without a word, also when started with it ignored; a full or a closed stdout is 5" {
	pump a.otr 100000
	silent_pipe otr-query -w 1m a.otr
	refuse_full otr-query a.otr
	refuse_full otr-query -w 1m a.otr
	local got=0
	otr-query a.otr >&- 2>err || got=$?
	[ "$got" -eq 5 ]
}

@test "a damaged page: 4, no wrong row; where the answer does not need it, 0" {
	otr-create --page-size 4Ki a.otr v
	awk 'BEGIN { srand(3); print "time,v"; for (i = 0; i < 20000; i++) print 1700000000 + i "," rand() }' | otr-append a.otr
	otr-query -w 10s -a stddev a.otr >whole
	python3 - <<'PY'
b = bytearray(open('a.otr', 'rb').read())
b[len(b) // 2] ^= 16
open('bad.otr', 'wb').write(b)
PY
	expect 4 otr-query -w 10s -a stddev bad.otr
	head -n -1 out >sure
	head -c "$(stat -c %s sure)" whole | cmp - sure
	says 'crc|damaged|page'
	expect 0 otr-query -w 10s -a stddev -e @1700000100 bad.otr
	cp out few
	head -n "$(wc -l <few)" whole | head -n -1 | cmp - <(head -n -1 few)
	expect 4 otr-query bad.otr a.otr -w 10s -a stddev
	grep -q '^a.otr,' out
}

@test "no file is made; -o appears whole or not at all; the same bytes under every locale and TZ" {
	pump a.otr 1000
	if unsanitized && command -v strace >/dev/null; then
		made otr-query -w 1m a.otr >names
		[ ! -s names ]
	fi
	expect 0 otr-query -o x -w 1m a.otr
	otr-query -w 1m a.otr | cmp - x
	refuse 5 exists otr-query -o x a.otr
	refuse 2 'no column' otr-query -c none -o y a.otr
	refuse 5 'No such file' otr-query -o y no.otr
	[ ! -e y ]
	everywhere otr-query -w 5m a.otr
	everywhere otr-query -a mean,stddev,tmin -F tsv -d ';' a.otr
	everywhere otr-query -a mean,stddev,tmin -F tsv a.otr
}

@test "--at: the answer of then" {
	pump a.otr
	otr-query a.otr >before
	printf 'time,temp\n1700000060,500\n' | otr-append -q a.otr
	expect 0 otr-query --at 1 a.otr
	cmp out before
	expect 0 otr-query --at newest-1 a.otr
	cmp out before
	expect 0 otr-query a.otr
	grep -q 500 out
}

@test "popt's own traps: a hostile ~/.popt changes nothing, !#:+ is text" {
	pump a.otr
	mkdir home
	printf '%s\n' 'otr-query alias -a --columns' >home/.popt
	HOME=$PWD/home expect 0 otr-query -a count -c temp a.otr
	same $'time,temp_count\n2023-11-14T22:13:20Z,5' out
	usage 'aggregate.*"?!#:[+]' otr-query -a '!#:+' a.otr
	refuse 2 'no column "!#:[+]"' otr-query -c '!#:+' a.otr
}

@test "-o never replaces a FILE that is read, under any name" {
	never_onto_itself otr-query
}
