#!/usr/bin/env bats
# otr-verify.bats - otr-verify from outside: findings and statuses, bit flips, beside a writer.

load tools

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-verify
}

@test "usage errors: status 2, two lines, nothing on stdout" {
	usage 'no FILE' otr-verify
	usage 'unknown option' otr-verify --rescue x a.otr
	usage 'one FILE' otr-verify --salvage x a.otr b.otr
	usage 'no FILE' otr-verify --salvage x
	usage 'no effect' otr-verify -f a.otr
	usage 'no file name' otr-verify --salvage '' a.otr
	usage 'to a pipe' otr-verify --salvage - a.otr
	usage 'no effect' otr-verify -q --json a.otr
	usage 'takes no value' otr-verify --json=1 a.otr
	refuse 2 'seekable' bash -c 'cat /dev/null | otr-verify -'
}

@test "a sound file prints nothing, under -v one line; stdin where it can seek; closed stdout does not matter" {
	pump a.otr 3000
	expect 0 otr-verify a.otr
	[ ! -s out ] && [ ! -s err ]
	expect 0 otr-verify -v a.otr
	[ ! -s out ]
	says '^otr-verify: a.otr: sound$'
	expect 0 otr-verify - <a.otr
	otr-verify a.otr >&-
	{ cat a.otr; echo junk; } >tail.otr
	expect 0 otr-verify -v tail.otr
	says 'note: file: 5 bytes behind'
}

@test "findings: one a line on stdout, status 1; --json an object a line; -q says nothing; a full disk 5" {
	pump 'a
b.otr' 3000
	local f=$'a\nb.otr'
	python3 - "$f" <<'PY'
import sys
b = bytearray(open(sys.argv[1], 'rb').read())
b[-4000] ^= 1
b[20] ^= 1
open(sys.argv[1], 'wb').write(b)
PY
	expect 1 otr-verify "$f"
	[ "$(wc -l <out)" -ge 2 ]
	plain out
	! grep -v '^a\\x0ab.otr: ' out || false
	grep -Eq '^a\\x0ab.otr: page [0-9]+: .*\(SPEC [0-9.-]+\)$' out
	grep -Eq '^a\\x0ab.otr: header: .*\(SPEC [0-9.-]+\)$' out
	expect 1 otr-verify --json "$f"
	python3 - <<'PY'
import json
for line in open('out'):
    o = json.loads(line)
    assert list(o) == ['file', 'where', 'number', 'what', 'spec'] and o['file'] == 'a\nb.otr' and o['where'] in ('file', 'header', 'slot', 'page'), o
    assert (o['number'] is None) == (o['where'] == 'file'), o
PY
	expect 1 otr-verify -q "$f"
	[ ! -s out ]
	refuse_full otr-verify "$f"
}

@test "of three FILEs one is missing, one damaged, one no OTR file: the rest is done, the highest status wins" {
	pump a.otr 3000
	cp a.otr bad.otr
	printf X | dd of=bad.otr bs=1 seek=$(($(stat -c %s a.otr) - 4000)) conv=notrunc 2>/dev/null
	echo text >text
	expect 1 otr-verify a.otr bad.otr a.otr
	expect 4 otr-verify text bad.otr a.otr
	grep -q '^bad.otr: page' out
	expect 5 otr-verify text no.otr bad.otr
	grep -q '^bad.otr: page' out
	says 'no.otr: .*No such file'
	: >empty
	expect 4 otr-verify empty
	head -c 8000 a.otr >short
	expect 1 otr-verify short || expect 4 otr-verify short
	head -c 20000 a.otr >"cut"
	expect 1 otr-verify cut
	grep -q '^cut: file: truncated' out
}

@test "a sample of single-bit flips in headers, slots in use and reachable pages: each is found" {
	otr-create --page-size 4Ki a.otr v n:i64
	awk 'BEGIN { srand(4); print "time,v,n"; for (i = 0; i < 1500; i++) print 1700000000 + i "," rand() "," i }' | otr-append a.otr
	printf 'time,v,n\n1800000000,1,1\n' | otr-append --any-time a.otr
	printf 'time,v,n\n1700000500,1,1\n' | otr-append a.otr
	sound a.otr
	python3 - <<'PY'
import random, subprocess, sys
good = open('a.otr', 'rb').read()
r = random.Random(35)
missed, tried = [], 0
places = [r.randrange(0, 4096) for _ in range(25)] + [r.randrange(4096, 12288) for _ in range(40)] + [r.randrange(12288, 16384) for _ in range(25)] + \
    [r.randrange(16384, len(good)) for _ in range(130)]
for at in places:
    b = bytearray(good)
    b[at] ^= 1 << r.randrange(8)
    open('b.otr', 'wb').write(b)
    p = subprocess.run(['otr-verify', 'b.otr'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tried += 1
    if p.returncode not in (1, 4) or p.returncode == 1 and not p.stdout:
        missed.append((at, p.returncode))
    d = subprocess.run(['otr-dump', 'b.otr'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert d.returncode in (0, 4) and (d.returncode == 0 or d.stderr), (at, d)
# pages that are free, and a slot's stamp outside what is used, are not reachable
free = [m for m in missed if m[0] < 16384]
sys.exit('%d missed of %d: %s' % (len(missed), tried, missed[:8]) if free or len(missed) > tried // 3 else 0)
PY
}

@test "beside a busy writer it stays at 0" {
	otr-create --page-size 4Ki a.otr v:i64
	awk 'BEGIN { srand(2); print "time,v"; for (i = 0; i < 60000; i++) printf "%d,%d\n", 1700000000 + (i % 5 ? i : i / 2), rand() * 1e9 }' >in.csv
	otr-append -q --commit-every 20 a.otr in.csv 3>&- &
	local pid=$! n=0
	while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 60 ]; do
		expect 0 otr-verify a.otr
		expect 0 otr-dump -n 100 a.otr
		expect 0 otr-query a.otr
		n=$((n + 1))
	done
	kill "$pid" 2>/dev/null || :
	wait "$pid" || :
	[ "$n" -ge 3 ]
	sound a.otr
}

@test "no file is made, the same bytes under every locale and TZ, a hostile ~/.popt changes nothing" {
	pump a.otr 3000
	if unsanitized && command -v strace >/dev/null; then
		made otr-verify a.otr >names
		[ ! -s names ]
	fi
	cp a.otr bad.otr
	printf X | dd of=bad.otr bs=1 seek=$(($(stat -c %s a.otr) - 4000)) conv=notrunc 2>/dev/null
	everywhere otr-verify -v bad.otr a.otr
	mkdir home
	printf '%s\n' 'otr-verify alias -q --json' >home/.popt
	HOME=$PWD/home expect 1 otr-verify -q bad.otr
	[ ! -s out ]
	cp a.otr '!#:+'
	expect 0 otr-verify -v '!#:+' a.otr
	says '^otr-verify: !#:[+]: sound'
}

# 3000 rows a second apart in pages of 4 KiB; every one a time, a noise, a number.
noisy() {
	otr-create --page-size 4Ki --meta site=roof "$1" v n:i64
	awk 'BEGIN { srand(4); print "time,v,n"; for (i = 0; i < 3000; i++) print 1700000000 + i "," rand() "," i }' | otr-append "$1"
}

# spoil FILE OFFSET: changes a byte.
spoil() {
	printf X | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

@test "--salvage of a sound file: the same rows, columns and metadata, status 0, no word; under -v one line" {
	noisy a.otr
	expect 0 otr-verify --salvage b.otr a.otr
	[ ! -s out ] && [ ! -s err ]
	expect 0 otr-diff a.otr b.otr
	same roof <(otr-meta b.otr site)
	sound b.otr
	expect 0 otr-verify -v --salvage c.otr a.otr
	[ ! -s out ]
	says '^otr-verify: c.otr: 3000 rows of version 1$'
	expect 0 otr-verify --salvage d.otr - <a.otr
	sound d.otr
	[ "$(rows d.otr)" = 3000 ]
	refuse 2 'seekable' bash -c 'cat a.otr | otr-verify --salvage e.otr -'
	# the new file is one like others
	printf 'time,v,n\n1700003000,1,3000\n' | otr-append b.otr
	[ "$(rows b.otr)" = 3001 ]
	sound b.otr
	# without its metadata
	spoil a.otr 18000
	expect 1 otr-verify -f --salvage b.otr a.otr
	grep -Eq '^a.otr: page 4: the metadata are lost: ' out
	[ "$(wc -l <out)" -eq 1 ]
	[ "$(rows b.otr)" = 3000 ]
}

@test "--salvage of a file with one bad leaf: all rows but that leaf's, and the range that is lost" {
	noisy a.otr
	cp a.otr bad.otr
	spoil bad.otr 22000
	expect 1 otr-verify --salvage b.otr bad.otr
	says '^otr-verify: b.otr: [0-9]+ rows of version 1$'
	[ "$(wc -l <out)" -eq 2 ]
	grep -Eq '^bad.otr: page 5: .*\(SPEC 5.2-1\)$' out
	local lost
	lost=$(sed -n 's/^bad.otr: file: rows lost from 2023-11-14T22:13:20Z to .*Z: \([0-9]*\) (SPEC 10.5)$/\1/p' out)
	[ "$lost" -gt 100 ]
	otr-dump -N --time-format s a.otr | tail -n +$((lost + 1)) | diff - <(otr-dump -N --time-format s b.otr)
	grep -q "to $(otr-dump -N a.otr | sed -n "${lost}s/,.*//p"): " out
	expect 1 otr-verify --json -f --salvage b.otr bad.otr
	python3 - <<'PY'
import json
lines = [json.loads(l) for l in open('out')]
assert [o['where'] for o in lines] == ['page', 'file'] and all(list(o) == ['file', 'where', 'number', 'what', 'spec'] for o in lines), lines
PY
	expect 1 otr-verify -q -f --salvage b.otr bad.otr
	[ ! -s out ] && [ ! -s err ]
	refuse_full otr-verify -f --salvage b.otr bad.otr
	cmp <(head -c 30000 bad.otr) <(python3 -c "
b = bytearray(open('a.otr', 'rb').read()); b[22000:22001] = b'X'
import sys; sys.stdout.buffer.write(b[:30000])")
}

@test "--salvage: both slots, a header, the inner pages, the end of the file: what is left comes out" {
	noisy a.otr
	cp a.otr slots.otr
	dd if=/dev/zero of=slots.otr bs=4096 seek=1 count=2 conv=notrunc 2>/dev/null
	refuse 4 'both slots' otr-dump slots.otr
	expect 1 otr-verify --salvage b.otr slots.otr
	says '0 rows; 3000 more from pages that nothing sound leads to'
	otr-dump a.otr | diff - <(otr-dump b.otr)
	cp a.otr header.otr
	dd if=/dev/zero of=header.otr bs=4096 count=1 conv=notrunc 2>/dev/null
	expect 1 otr-verify -f --salvage b.otr header.otr
	grep -q '^header.otr: header: ' out
	expect 0 otr-diff a.otr b.otr
	dd if=/dev/zero of=header.otr bs=4096 seek=3 count=1 conv=notrunc 2>/dev/null
	refuse 4 'not an OTR file' otr-verify -f --salvage b.otr header.otr
	expect 0 otr-diff a.otr b.otr
	python3 - <<'PY'
b = bytearray(open('a.otr', 'rb').read())
for at in range(16384, len(b), 4096):
    if b[at + 4] == 2:
        b[at + 3000] ^= 1
open('inner.otr', 'wb').write(b)
PY
	expect 4 otr-dump inner.otr
	expect 1 otr-verify -f --salvage b.otr inner.otr
	grep -q '^inner.otr: file: rows lost from 2023-11-14T22:13:20Z to 2023-11-14T23:03:19Z: 3000; 3000 rows of that range found' out
	expect 0 otr-diff a.otr b.otr
	head -c 30000 a.otr >"cut"
	expect 1 otr-verify -f --salvage b.otr "cut"
	[ "$(rows b.otr)" -gt 300 ] && [ "$(rows b.otr)" -lt 3000 ]
	[ -z "$(comm -13 <(otr-dump -N a.otr) <(otr-dump -N b.otr))" ]
	sound b.otr
}

@test "--salvage: rows that ride in the slot come out; deleted ones do not" {
	noisy a.otr
	printf 'time,v,n\n1700003000,1,3000\n' | otr-append a.otr
	otr-delete a.otr -s 2023-11-14T22:50Z -e 2023-11-14T22:55Z
	printf 'time,v,n\n1700003001,1,3001\n' | otr-append a.otr
	otr-dump a.otr >want
	spoil a.otr 22000
	expect 1 otr-verify --salvage b.otr a.otr
	otr-dump b.otr >got
	[ -z "$(comm -13 want got)" ]
	tail -n 2 want | diff - <(tail -n 2 got)
	[ "$(wc -l <got)" -gt 1000 ]
	sound b.otr
}

@test "--salvage: OUT that exists, is FILE itself or cannot be made; FILE that is no OTR file; a signal leaves no file" {
	noisy a.otr
	echo keep >b.otr
	refuse 5 'b.otr: exists \(--force' otr-verify --salvage b.otr a.otr
	same keep b.otr
	refuse 5 'no regular file|not a regular file' otr-verify -f --salvage . a.otr
	refuse 5 'No such file' otr-verify --salvage none/b.otr a.otr
	refuse 5 'No such file' otr-verify --salvage c.otr none.otr
	refuse 2 'itself' otr-verify -f --salvage a.otr a.otr
	echo text >text
	refuse 4 'not an OTR file' otr-verify --salvage c.otr text
	head -c 9000 a.otr >short
	refuse 4 'truncated' otr-verify --salvage c.otr short
	[ ! -e c.otr ]
	[ "$(find . -name '.*' -type f | wc -l)" = 0 ]
	expect 0 otr-verify -f --salvage b.otr a.otr
	sound b.otr
}

@test "--salvage beside a busy writer in a file of fixed size: a whole version each time, or status 6" {
	otr-create --page-size 4Ki --max-size 1Mi a.otr n:i64
	awk 'BEGIN { srand(7); print "time,n"; for (i = 0; i < 400000; i++) printf "%d,%d\n", 1700000000 + i, rand() * 1e9 }' >in.csv
	otr-append -q --commit-every 500 a.otr in.csv 3>&- &
	local pid=$! n=0 status
	while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 12 ]; do
		status=0
		otr-verify -f --salvage b.otr a.otr >out 2>err || status=$?
		[ "$status" -eq 0 ] || [ "$status" -eq 6 ] || { cat out err; return 1; }
		if [ "$status" -eq 0 ]; then
			[ ! -s out ]
			sound b.otr
			n=$((n + 1))
		fi
	done
	kill "$pid" 2>/dev/null || :
	wait "$pid" || :
	[ "$n" -ge 1 ]
	otr-verify -f --salvage b.otr a.otr
	otr-dump a.otr | diff -q - <(otr-dump b.otr)
}

@test "SIGUSR1 asks how far a check or a salvage is" {
	python3 "$OTR_ROOT/tests/progress.py" verify
}

@test "--progress and --no-progress exclude each other, and --progress says no to -q" {
	usage '--progress: has no effect with --no-progress' otr-verify --progress --no-progress a.otr
	usage '--progress: has no effect with --quiet' otr-verify -q --progress a.otr
}
