#!/usr/bin/env bats
# otr-compact.bats - otr-compact from outside: what stays, what goes, locks, crashes, disks.

load tools

# history FILE [COMMITS]: a series with a past: rows that ride, come late, are replaced; full groups; several log pages; kept roots; metadata.
history() {
	otr-create --page-size 4Ki --meta place=cellar "$1" temp on:bool n:i64
	awk -v n="${2:-120}" 'BEGIN { srand(11)
		for (i = 0; i < n; i++) {
			late = rand() < 0.1 ? int(rand() * 3000) : rand() < 0.3 ? int(rand() * 40) : 0
			print "C " i; k = int(1 + rand() * 6)
			for (j = 0; j < k; j++)
				printf "%d.%03d,%s,%d,%d\n", 1700000000 + i * 60 + j * 10 - late * 20, int(rand() * 1000), rand() < 0.1 ? "" : 20 + int(rand() * 1000) / 100, j % 2, i * 10 + j
		} }' >rows.txt
	awk -v f="$1" '/^C/ { if (NR > 1) close(cmd); cmd = "otr-append -q -N -m \"commit " $2 "\" --author tester " f " -"; next } { print | cmd }' rows.txt
	awk 'BEGIN { for (i = 0; i < 6000; i++) printf "%d,%g,%d,%d\n", 1710000000 + i * 60, 20 + i % 7 / 8, i % 2, i }' | otr-append -N "$1"
	for i in 1 2 3 4 5; do
		echo "$((1712000000 + i * 60 - (i == 3) * 100)),21.$i,1,7" | otr-append -N "$1"
	done
}

# versions FILE [UP TO]: every version as it reads, rows and windows.
versions() {
	local v last=${2:-$(newest "$1")}
	for ((v = 0; v <= last; v++)); do
		echo "version $v"
		otr-dump --at "$v" "$1"
		otr-query --at "$v" -w 1h -a count,mean,min,last "$1"
	done
}

newest() {
	otr-stat "$1" | sed -n 's/^version: \([0-9]*\) .*/\1/p'
}

pages() {
	otr-stat "$1" | sed -n 's/^pages: \([0-9]*\), \([0-9]*\) live, \([0-9]*\) free/\1 \2 \3/p'
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-compact
}

@test "usage errors: status 2, two lines, nothing on stdout, the file untouched" {
	pump a.otr
	sha256sum a.otr >sum
	usage 'no IN' otr-compact
	usage 'more than two files' otr-compact a.otr b.otr c.otr
	usage 'unknown option' otr-compact --no-such a.otr
	usage 'deflate.*without --drop-history' otr-compact --deflate a.otr
	usage 'page-size.*without --drop-history' otr-compact --page-size 8Ki a.otr
	usage 'not a page size' otr-compact --drop-history --page-size 8000 a.otr
	usage 'downsample.*without --older-than' otr-compact --downsample 1h a.otr
	usage 'older-than.*without --downsample' otr-compact --older-than 1d a.otr
	usage 'aggregate.*without --downsample' otr-compact -a min a.otr
	usage 'timezone.*without --older-than' otr-compact -z UTC a.otr
	usage 'median' otr-compact --downsample 1h --older-than 1d -a median a.otr
	usage 'one for all columns' otr-compact --downsample 1h --older-than 1d -a min,max a.otr
	usage 'not an aggregate' otr-compact --downsample 1h --older-than 1d -a p95 a.otr
	usage 'downsample' otr-compact --downsample 1mo --older-than 1d a.otr
	usage 'downsample' otr-compact --downsample 90 --older-than 1d a.otr
	usage 'older-than' otr-compact --downsample 1h --older-than 90 a.otr
	usage 'force.*without OUT' otr-compact -f a.otr
	usage 'wait.*no lock' otr-compact -W 1 a.otr b.otr
	usage 'print-version.*dry-run' otr-compact --dry-run --print-version a.otr
	usage 'pipe' otr-compact - b.otr
	usage 'is the file' otr-compact -f a.otr a.otr
	sha256sum --quiet -c sum
	[ ! -e b.otr ]
}

@test "rows, windows and every version are the same after it, in place and as a copy; one record more" {
	history a.otr
	cp a.otr before.otr
	versions a.otr >want
	expect 0 otr-compact -v -m tidy --author me --print-version a.otr
	same "$(($(newest before.otr) + 1))" out
	says 'bytes, before'
	sound a.otr
	versions a.otr "$(newest before.otr)" >got
	cmp want got
	otr-stat a.otr >stat
	grep -q 'compact by me' stat
	expect 0 otr-compact before.otr b.otr
	sound b.otr
	versions b.otr "$(newest before.otr)" >got
	cmp want got
	otr-dump a.otr | cmp - <(otr-dump b.otr)
	[ "$(pages b.otr | cut -d' ' -f3)" = 0 ]
	# once more, and writers after it
	expect 0 otr-compact b.otr
	echo '1712009999,1,1,1' | otr-append -N b.otr
	echo '1700000001,1,1,1' | otr-append -N b.otr
	sound b.otr
	versions b.otr "$(newest before.otr)" >got
	cmp want got
}

@test "a reader written from SPEC.md alone finds no fault, and the same rows and log" {
	history a.otr 40
	for option in '' '--drop-history --deflate' '--downsample 1h --older-than 2024-03-10'; do
		# shellcheck disable=SC2086
		expect 0 otr-compact -f $option a.otr b.otr
		expect 0 python3 "$OTR_ROOT/tests/otr_reader.py" --verify b.otr
		[ ! -s out ]
		python3 "$OTR_ROOT/tests/otr_reader.py" b.otr | cmp - <(otr-dump b.otr)
	done
	expect 0 otr-compact -f a.otr b.otr
	python3 "$OTR_ROOT/tests/otr_reader.py" --log a.otr >want
	python3 "$OTR_ROOT/tests/otr_reader.py" --log b.otr >got
	diff <(tail -n 5 want) <(tail -n 5 got)
	[ "$(wc -l <got)" = $(($(wc -l <want) + 1)) ]
}

@test "an empty series, and one whose rows all ride, are compacted too" {
	otr-create a.otr temp
	expect 0 otr-compact --print-version a.otr
	same 1 out
	sound a.otr
	echo '1700000000,1' | otr-append -N a.otr
	expect 0 otr-compact a.otr
	sound a.otr
	[ "$(rows a.otr)" = 1 ]
	expect 0 otr-compact --drop-history a.otr
	sound a.otr
	[ "$(rows a.otr)" = 1 ]
	otr-create b.otr temp
	expect 0 otr-compact --drop-history --deflate b.otr
	sound b.otr
}

@test "11.3: the inner pages lie behind the header, the leaves behind them, each in one range" {
	history a.otr 40
	awk 'BEGIN { srand(2); for (i = 0; i < 20000; i++) printf "%d,%s,1,%d\n", 1720000000 + i * 60, rand(), i * i }' | otr-append -N --any-time a.otr
	expect 0 otr-compact a.otr
	"$OTR_ROOT/tests/layout.py" a.otr >layout
	[ "$(wc -l <layout)" -ge 3 ]
	[ -z "$(grep -v 'ranges 1,' layout)" ]
	[ "$(sed -n '1s/.*first \([0-9]*\),.*/\1/p' layout)" = 4 ]
	for option in --drop-history '--drop-history --deflate' '--downsample 1h --older-than 2024-03-10' '--drop-history --downsample 1h --older-than 2024-03-10'; do
		# shellcheck disable=SC2086
		expect 0 otr-compact -f $option a.otr b.otr
		sound b.otr
		"$OTR_ROOT/tests/layout.py" b.otr >layout
		[ -z "$(grep -v 'ranges 1,' layout)" ]
	done
}

@test "9.8-3: --drop-history: one record, the same rows and metadata, no free page; appends go on" {
	history a.otr 40
	otr-dump a.otr >want
	n=$(($(newest a.otr) + 1))
	expect 0 otr-compact --drop-history a.otr b.otr
	sound b.otr
	otr-dump b.otr | cmp want
	otr-stat b.otr >stat
	grep -q "^version: $n (oldest kept $n)" stat
	grep -q '^place: cellar\|place.*cellar' stat
	[ "$(pages b.otr | cut -d' ' -f3)" = 0 ]
	[ "$(stat -c %s b.otr)" -lt "$(stat -c %s a.otr)" ]
	refuse 2 'oldest kept' otr-dump --at 3 b.otr
	echo '1712009999,1,1,1' | otr-append -N b.otr
	sound b.otr
	[ "$(otr-dump --at "$n" b.otr | cmp - want && echo same)" = same ]
}

@test "--deflate and --page-size: fewer bytes, the same dump, and plain appends after it" {
	otr-create a.otr v:f64 w:i64
	awk 'BEGIN { srand(3); for (i = 0; i < 60000; i++) { v += int(rand() * rand() * 9) - 2; printf "%d,%.2f,%s\n", 1700000000 + i, v / 100, i % 9 ? int(i / 50) * 7 : "" } }' |
		otr-append -N a.otr
	otr-dump a.otr >want
	expect 0 otr-compact --drop-history a.otr plain.otr
	for size in 4Ki 8Ki 16Ki 32Ki 64Ki; do
		expect 0 otr-compact -f --drop-history --deflate --page-size $size a.otr b.otr
		sound b.otr
		otr-dump b.otr | cmp want
		otr-stat b.otr | grep -q "^page-size: ${size%Ki}.0 KiB"
	done
	expect 0 otr-compact -f --drop-history --deflate a.otr b.otr
	[ "$(stat -c %s b.otr)" -lt "$(stat -c %s plain.otr)" ]
	echo '1800000000,1,1' | otr-append -N --any-time b.otr
	echo '1700000000,5,5' | otr-append -N b.otr
	sound b.otr
	expect 0 otr-compact --drop-history --page-size 4Ki b.otr
	sound b.otr
}

# fold AGGREGATE SECONDS LIMIT: the rows of a dump (time_s, v f64 linear, k i64 step) as plain loops fold them.
fold() {
	python3 - "$@" <<'PY'
import csv, sys
from fractions import Fraction
how, width, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
limit = limit // width * width
rows = [(int(r[0]), r[1], r[2]) for r in csv.reader(open('raw.csv'))]
def one(values, how, cast):
    values = [cast(v) for v in values if v != '']
    if not values:
        return ''
    if how == 'mean':
        m = sum(map(Fraction, values)) / len(values)
        return round(m) if cast is int else repr(float(m))
    v = {'min': min, 'max': max, 'first': lambda v: v[0], 'last': lambda v: v[-1]}[how](values)
    return v if cast is int else repr(v)
out, windows = [], {}
for t, v, k in rows:
    if t < limit:
        windows.setdefault(t // width * width, []).append((v, k))
for t in sorted(windows):
    w = windows[t]
    a, b = ('mean', 'last') if how == 'default' else (how, how)
    out.append('%d,%s,%s' % (t, one([x[0] for x in w], a, float), one([x[1] for x in w], b, int)))
for t, v, k in rows:
    if t >= limit:
        out.append('%d,%s,%s' % (t, repr(float(v)) if v else '', k))
print('\n'.join(out))
PY
}

# as_floats: a dump with its second field as python writes it.
as_floats() {
	python3 -c 'import sys
for line in sys.stdin:
    t, v, k = line.rstrip("\n").split(",")
    print("%s,%s,%s" % (t, repr(float(v)) if v else "", k))'
}

@test "--downsample equals plain loops, for each aggregate; raw rows stay in the history unless dropped" {
	otr-create a.otr v:f64 k:i64
	awk 'BEGIN { srand(5); for (i = 0; i < 9000; i++) printf "%d,%s,%s\n", 1700000000 + i * 7, rand() < 0.2 || i < 40 ? "" : int(rand() * 4000 - 2000) / 4, rand() < 0.1 ? "" : int(rand() * 21) - 10 }' >raw.csv
	head -n 8990 raw.csv | otr-append -N a.otr
	tail -n 10 raw.csv | while read -r line; do echo "$line" | otr-append -N a.otr; done
	otr-dump a.otr >want
	for how in default mean min max first last; do
		limit=1700030000
		fold $how 3600 $limit >plain
		aggregate=(-a "$how")
		[ $how != default ] || aggregate=()
		expect 0 otr-compact -f "${aggregate[@]}" --downsample 1h --older-than @$limit a.otr b.otr
		sound b.otr
		otr-dump -N --time-format s b.otr | as_floats | diff plain - >&2
		otr-dump --at newest-1 b.otr | cmp want
		expect 0 otr-compact -f "${aggregate[@]}" --drop-history --downsample 1h --older-than @$limit a.otr c.otr
		sound c.otr
		otr-dump b.otr | cmp - <(otr-dump c.otr)
	done
	# all of it, the riding rows too
	fold mean 60 1800000000 >plain
	expect 0 otr-compact -v -a mean --downsample 1m --older-than 1d a.otr
	says '9000 rows became [0-9]+$'
	sound a.otr
	otr-dump -N --time-format s a.otr | as_floats | diff plain - >&2
	expect 0 otr-compact --downsample 1h --older-than 1971-01-01 a.otr
	sound a.otr
}

@test "--dry-run tells what would be done, and does nothing" {
	pump a.otr 100
	sha256sum a.otr >sum
	expect 0 otr-compact --dry-run --downsample 1h --older-than 2023-11-14T23:30 a.otr
	[ ! -s out ]
	says '100 rows'
	says '47 rows would be downsampled'
	sha256sum --quiet -c sum
}

@test "an existing OUT is refused (5) unless -f, which keeps its mode; IN is never changed" {
	pump a.otr
	sha256sum a.otr >sum
	echo hello >b.otr
	chmod 640 b.otr
	refuse 5 'exists' otr-compact a.otr b.otr
	same hello b.otr
	expect 0 otr-compact -f a.otr b.otr
	[ "$(stat -c %a b.otr)" = 640 ]
	sound b.otr
	sha256sum --quiet -c sum
	mkdir d
	refuse 5 'regular' otr-compact -f a.otr d
	refuse 5 '.' otr-compact a.otr nowhere/b.otr
	refuse 5 '.' otr-compact none.otr
	[ -z "$(find . -name '.otr-*')" ]
}

@test "through a symbolic link the file is replaced, not the link" {
	mkdir d
	pump d/a.otr
	ln -s d/a.otr link.otr
	expect 0 otr-compact link.otr
	[ -L link.otr ]
	sound link.otr
	[ "$(newest d/a.otr)" = 2 ]
}

@test "what is damaged, cut or no series is refused with 4 and left as it is" {
	history a.otr 30
	"$OTR_ROOT/tests/layout.py" a.otr >layout
	leaf=$(sed -n 's/^level 0:.*first \([0-9]*\),.*/\1/p' layout)
	for options in '' '--drop-history' '--downsample 1h --older-than 2024-03-10'; do
		cp a.otr bad.otr
		printf '\377' | dd of=bad.otr bs=1 seek=$((leaf * 4096 + 2000)) conv=notrunc status=none
		sha256sum bad.otr >sum
		# shellcheck disable=SC2086
		refuse 4 "damaged" otr-compact $options bad.otr
		# shellcheck disable=SC2086
		refuse 4 "damaged" otr-compact $options bad.otr out.otr
		[ ! -e out.otr ]
		sha256sum --quiet -c sum
	done
	truncate -s 50000 a.otr
	refuse 4 'truncated' otr-compact a.otr
	echo text >t.otr
	refuse 4 'not an OTR' otr-compact t.otr
	[ -z "$(find . -name '.otr-*')" ]
}

# held FILE: holds the writer lock of FILE until the file `go` is there.
held() {
	python3 - "$1" <<'PY' &
import fcntl, os, struct, sys, time
f = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(f, 37, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0) + b'\0' * 4)   # F_OFD_SETLK
open('held', 'w').close()
while not os.path.exists('go'):
    time.sleep(0.01)
PY
	while [ ! -e held ]; do sleep 0.01; done
}

@test "a held lock: 6 at once with -W 0; with OUT no lock is needed" {
	[ "$(uname)" = Linux ] || skip 'locks of open files are Linux'
	pump a.otr
	held a.otr
	refuse 6 'lock' otr-compact -W 0 a.otr
	refuse 6 'lock' otr-compact -W 300ms a.otr
	expect 0 otr-compact a.otr b.otr
	refuse 6 '^otr-compact: a\.otr: .*lock' otr-compact -f -W 0 b.otr a.otr
	touch go
	wait
	expect 0 otr-compact a.otr
	[ -z "$(find . -name '.otr-*')" ]
}

@test "writers beside it go on in the new file: no row is lost" {
	pump a.otr 2000
	for w in 1 2; do
		for ((i = 0; i < 60; i++)); do
			echo "$((1710000000 + w * 1000000 + i)),$w,0" | otr-append -q -W 60 -N a.otr || echo "append $w $i" >>failed
		done &
	done
	for ((i = 0; i < 15; i++)); do
		otr-compact -W 60 a.otr
		otr-compact -W 60 --drop-history a.otr
		otr-compact -f a.otr "copy.otr"
		otr-verify copy.otr
	done
	wait
	[ ! -e failed ]
	sound a.otr
	[ "$(rows a.otr)" = 2120 ]
	[ -z "$(find . -name '.otr-*')" ]
}

@test "kill -9 at any moment leaves the rows as they are; TERM leaves no file behind" {
	history a.otr 30
	awk 'BEGIN { for (i = 0; i < 200000; i++) printf "%d,%g,%d,%d\n", 1720000000 + i * 60, 20 + i % 7 / 8, i % 2, i }' | otr-append -N --any-time a.otr
	otr-dump a.otr | sha256sum >want
	for ((i = 0; i < 12; i++)); do
		options=$([ $((i % 3)) = 0 ] && echo '' || echo '--drop-history --deflate')
		# shellcheck disable=SC2086
		otr-compact $options a.otr &
		pid=$!
		sleep "0.0$((RANDOM % 60 + 10))"
		kill -9 $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		sound a.otr
		otr-dump a.otr | sha256sum | cmp - want
	done
	find . -name '.otr-*' -delete
	sha256sum a.otr >sum
	otr-compact --drop-history --deflate a.otr b.otr 2>err &
	pid=$!
	sleep 0.05
	kill -TERM $pid 2>/dev/null || :
	got=0
	wait $pid || got=$?
	[ $got = 143 ] || [ $got = 0 ]
	[ -z "$(find . -name '.otr-*')" ]
	sha256sum --quiet -c sum
}

@test "a full disk: 5, IN as it was, no temporary file" {
	pump a.otr 20000
	sha256sum a.otr >sum
	for options in '' '--drop-history'; do
		got=0
		# shellcheck disable=SC2086
		(ulimit -f 20; trap '' XFSZ; exec otr-compact $options a.otr) >out 2>err || got=$?
		[ $got = 5 ]
		says 'cannot write|too large'
		[ -z "$(find . -name '.otr-*')" ]
		sha256sum --quiet -c sum
	done
	[ "$(id -u)" = 0 ] || skip 'a small file system needs root'
	mkdir disk
	mount -t tmpfs -o "size=$(($(stat -c %s a.otr) * 3 / 2))" none disk 2>/dev/null || skip 'no tmpfs here'
	cp a.otr disk/a.otr
	sha256sum disk/a.otr >sum
	refuse 5 'No space' otr-compact disk/a.otr
	[ "$(ls -A disk)" = a.otr ]
	sha256sum --quiet -c sum
}

@test "larger pages than a fixed size has room for: refused if asked for, else not taken" {
	otr-create --page-size 4Ki --max-size 512Ki a.otr v:f64
	awk 'BEGIN { srand(5); for (i = 0; i < 60000; i++) printf "%d,%.17g\n", 1700000000 + i, rand() }' >in.csv
	otr-append -N a.otr in.csv
	sha256sum a.otr >sum
	refuse 2 'at least 6307840 with pages of 65536' otr-compact --drop-history --page-size 64Ki a.otr
	sha256sum --quiet -c sum
	otr-dump a.otr >before
	otr-compact --drop-history --deflate a.otr
	otr-dump a.otr | cmp - before
	otr-stat a.otr | grep -q '^page-size: 4.0 KiB'
	echo 1700060000,1 | otr-append -N a.otr
	[ "$(otr-dump -N a.otr | tail -n 1 | cut -d, -f2)" = 1 ]
	otr-verify a.otr
}

@test "SPEC 9.4: a file of fixed size holds old rows and their windows only as far as both fit; it never becomes longer than it may" {
	otr-create --page-size 4Ki --max-size 412Ki a.otr v
	awk 'BEGIN { srand(5); for (i = 0; i < 60000; i++) printf "%d.%d,%.17g\n", 1700000000 + int(i / 2), 5 * (i % 2), rand() }' >rows.csv
	otr-append -q -N a.otr rows.csv
	otr-dump a.otr >before
	[ "$(stat -c %s a.otr)" -le $((412 * 1024)) ]
	# windows of one row each: another tree of the same size, for which there is no room beside the old one
	cp a.otr b.otr
	expect 0 otr-compact --downsample 500ms --older-than 2026-01-01 b.otr
	[ "$(stat -c %s b.otr)" -le $((412 * 1024)) ]
	otr-dump b.otr | cut -d, -f2 | cmp - <(cut -d, -f2 before)
	refuse 2 'pruned' otr-dump --at newest-1 b.otr
	sound b.otr
	# few windows: both fit
	cp a.otr b.otr
	expect 0 otr-compact --downsample 1m --older-than 2026-01-01 b.otr
	[ "$(stat -c %s b.otr)" -le $((412 * 1024)) ]
	otr-dump --at newest-1 b.otr | cmp - before
	sound b.otr
	awk 'BEGIN { for (i = 0; i < 9000; i++) print 1800000000 + i "," i * i * 0.001 }' >rows.csv
	otr-append -q --any-time -N b.otr rows.csv
	[ "$(stat -c %s b.otr)" -le $((412 * 1024)) ]
	sound b.otr
	# means that take more room than the rows, which are whole numbers: refused, whether history stays or not
	otr-create -f --page-size 4Ki --max-size 412Ki a.otr v
	awk 'BEGIN { for (i = 0; i < 200000; i++) print 1700000000 + i "," (i * i) % 7 + i }' | otr-append -q -N a.otr
	cp a.otr b.otr
	refuse 5 'more room than the file may have' otr-compact --downsample 3s --older-than 2026-01-01 b.otr
	cmp a.otr b.otr
	refuse 5 'pages of 4096 bytes, more than the file may have' otr-compact --drop-history --downsample 3s --older-than 2026-01-01 b.otr
	cmp a.otr b.otr
}

@test "SIGUSR1 asks how far it is; the rows are the same" {
	python3 "$OTR_ROOT/tests/progress.py" compact
}

@test "--progress and --no-progress exclude each other, and --progress says no to -q" {
	usage '--progress: has no effect with --no-progress' otr-compact --progress --no-progress a.otr
	usage '--progress: has no effect with --quiet' otr-compact -q --progress a.otr
	usage '--progress: has no effect with --dry-run' otr-compact --dry-run --progress a.otr
}

@test "the bits of another owner's rights do not stay where the owner cannot be kept; the others do" {
	[ "$(id -u)" -eq 0 ] || skip "only root gives files away"
	needs setpriv
	setpriv --bounding-set=-chown true || skip "no way to be without root's rights"
	pump a.otr
	chown 1:2 a.otr
	chmod 6666 a.otr
	expect 0 setpriv --bounding-set=-chown otr-compact a.otr
	[ "$(stat -c '%a %u' a.otr)" = '666 0' ]
	chown 1:2 a.otr
	chmod 640 a.otr
	expect 0 otr-compact a.otr
	[ "$(stat -c '%a %u %g' a.otr)" = '640 1 2' ]
}

@test "an access list of the file that is replaced stays, and one that the directory gives does not come: nobody else is let in, nobody locked out" {
	cat >rights.py <<'PY'
import os, struct, subprocess, sys
def pack(*entries):
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in entries)
def mode_of(path):
    return os.stat(path).st_mode & 0o777
ANY, ACCESS, DEFAULT = 0xffffffff, 'system.posix_acl_access', 'system.posix_acl_default'
# the owner and the user 65534 read and write, the group nothing: the mask is what the mode shows as the group's
listed = pack((1, 6, ANY), (2, 6, 65534), (4, 0, ANY), (16, 6, ANY), (32, 0, ANY))
try:
    os.setxattr('a.otr', ACCESS, listed)
except OSError:
    sys.exit(77)
for command in (['otr-compact', 'a.otr'], ['otr-compact', '-f', 'b.otr', 'a.otr'], ['otr-create', '-f', 'a.otr', 'v']):
    subprocess.check_call(command)
    assert os.getxattr('a.otr', ACCESS) == listed and mode_of('a.otr') == 0o660, command
os.mkdir('d')
os.rename('b.otr', 'd/b.otr')
os.chmod('d/b.otr', 0o660)
os.setxattr('d', DEFAULT, pack((1, 7, ANY), (2, 7, 65534), (4, 5, ANY), (16, 7, ANY), (32, 5, ANY)))
subprocess.check_call(['otr-compact', 'd/b.otr'])
assert ACCESS not in os.listxattr('d/b.otr') and mode_of('d/b.otr') == 0o660, os.listxattr('d/b.otr')
PY
	pump a.otr
	pump b.otr
	local got=0
	python3 rights.py || got=$?
	[ "$got" -ne 77 ] || skip "no access lists on this file system"
	[ "$got" -eq 0 ]
}
