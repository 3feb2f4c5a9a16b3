#!/usr/bin/env bats
# otr-verify.bats - otr-verify from outside: findings and statuses, bit flips, beside a writer.

load tools

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-verify
}

@test "usage errors: status 2, two lines, nothing on stdout" {
	usage 'no FILE' otr-verify
	usage 'unknown option' otr-verify --salvage x a.otr
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
