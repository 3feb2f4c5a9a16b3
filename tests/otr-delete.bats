#!/usr/bin/env bats
# otr-delete.bats - otr-delete from outside: what goes, what stays, and what is refused.

load tools

# five FILE: 1 .. 5 in v at 1 .. 5 s, 2 being null and 4 NaN; n is the number itself.
five() {
	otr-create "$1" v n:i64
	printf '%s\n' time,v,n 1,1,1 2,,2 3,3,3 4,NaN,4 5,5,5 | otr-append --any-time "$1"
}

# left FILE NUMBERS: what is in n now.
left() {
	[ "$(otr-dump -N -c n "$1" | cut -d, -f2 | paste -sd' ')" = "$2" ] || { otr-dump "$1"; return 1; }
	sound "$1"
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-delete
}

@test "usage errors: status 2, two lines, nothing on stdout, the file untouched" {
	five a.otr
	sha256sum a.otr >sum
	usage 'no FILE' otr-delete
	usage 'no limit' otr-delete a.otr
	usage 'more than one FILE' otr-delete --all a.otr b.otr
	usage 'cannot be stdin' otr-delete --all -
	usage 'beside a limit' otr-delete --all -s @2 a.otr
	usage 'beside a limit' otr-delete --all --where 'v > 1' a.otr
	usage 'unknown option' otr-delete -n 5 a.otr
	usage 'after the end' otr-delete -s @3 -e @2 a.otr
	usage 'start' otr-delete -s nonsense a.otr
	usage 'end is not known' otr-delete -s end-1s a.otr
	usage 'timezone: has no effect' otr-delete -z UTC --all a.otr
	usage 'timezone: has no effect' otr-delete -z UTC --where 'v > 1' a.otr
	usage 'dst: has no effect' otr-delete --dst later -s @1 a.otr
	usage 'message' otr-delete -m $'\033' --all a.otr
	usage 'wait' otr-delete -W soon --all a.otr
	usage 'given twice' otr-delete --where 'v > 1' --where 'v < 1' a.otr
	sha256sum --quiet -c sum
}

@test "--where that is wrong: status 2, and where it is" {
	five a.otr
	sha256sum a.otr >sum
	usage 'where: at the end: a column' otr-delete --where '' a.otr
	usage 'where: character 4: not a value: "> 5"' otr-delete --where 'v >> 5' a.otr
	usage 'where: at the end: a value is missing' otr-delete --where 'v >' a.otr
	usage 'where: character 5: nothing compares with null.*is null' otr-delete --where 'v = null' a.otr
	usage 'where: character 1: .*not closed' otr-delete --where '(v > 5' a.otr
	usage 'a.otr: --where: character 5: not a number: "x"' otr-delete --where 'v > x' a.otr
	usage 'a.otr: --where: character 5: not a number: "1,5" \(the decimal sign is a point\)' otr-delete --where 'v > 1,5' a.otr
	usage 'no column "tmp"; columns are: v, n' otr-delete --where 'tmp > 5' a.otr
	usage 'where: character 6: .*"\\x1b' otr-delete --where $'v > 5\033[31m' a.otr || usage 'not a number: "5\\x1b' otr-delete --where $'v > 5\033[31m' a.otr
	usage 'character 5: ' otr-delete --where '°C° x' a.otr
	sha256sum --quiet -c sum
}

@test "a range is half-open; either bound alone; first, last, lengths of time" {
	five a.otr
	expect 0 otr-delete -s @2 -e @4 a.otr
	[ ! -s out ] && [ ! -s err ]
	left a.otr '1 4 5'
	expect 0 otr-delete -e @2 a.otr
	left a.otr '4 5'
	expect 0 otr-delete -s last a.otr
	left a.otr 4
	five b.otr
	expect 0 otr-delete -s first+1s -e last b.otr
	left b.otr '1 5'
	expect 0 otr-delete -e now-7d b.otr
	left b.otr ''
	five c.otr
	expect 0 otr-delete -s 1970-01-01T01:00:03 -e start+1s -z Europe/Berlin c.otr
	left c.otr '1 2 4 5'
	five d.otr
	expect 0 otr-delete --since=@2 --until @3 d.otr
	left d.otr '1 3 4 5'
}

@test "--where: comparisons, null, NaN, and, or, parentheses, quoted names" {
	five a.otr
	expect 0 otr-delete --where 'v > 3 or v is null' a.otr
	left a.otr '1 3 4'
	expect 0 otr-delete --where 'v is nan' a.otr
	left a.otr '1 3'
	five b.otr
	expect 0 otr-delete --where 'v != 1' b.otr
	left b.otr '1 2 4'
	five c.otr
	expect 0 otr-delete -s @2 --where '"n" >= 1.5 and (v is not null and v is not nan)' c.otr
	left c.otr '1 2 4'
	otr-create d.otr 'odd name:f32' 'and:bool'
	printf '%s\n' 'time,odd name,and' 1,0.1,1 2,0.2,0 | otr-append --any-time d.otr
	expect 0 otr-delete --where '"odd name" = 0.1 and "and" = true' d.otr
	[ "$(otr-dump -N d.otr)" = '1970-01-01T00:00:02Z,0.2,0' ]
}

@test "none match: no version, the same bytes, status 0, or 1 under -E" {
	five a.otr
	sha256sum a.otr >sum
	expect 0 otr-delete -s @6 a.otr
	expect 0 otr-delete --where 'v > 9' --print-version a.otr
	same 1 out
	expect 1 otr-delete -E -s @2 -e @2 a.otr
	expect 0 otr-delete -v -e @1 a.otr
	says '^otr-delete: a.otr: 0 of 5 rows deleted; version 1$'
	sha256sum --quiet -c sum
	otr-create e.otr v
	sha256sum e.otr >sum
	expect 1 otr-delete -E --all e.otr
	expect 0 otr-delete -s first -e last+1s e.otr
	sha256sum --quiet -c sum
}

@test "from a file of fixed size in pieces: the first and the last version are told" {
	otr-create --page-size 4Ki --max-size 512Ki a.otr v
	python3 -c 'import random
random.seed(1)
for i in range(20000): print(f"{i},{random.random()}")' | otr-append -N --any-time a.otr
	local first last
	first=$(($(otr-log -n 1 -N a.otr | cut -d, -f1) + 1))
	expect 0 otr-delete -v --where 'v < 0.5' --print-version a.otr
	last=$(otr-log -n 1 -N a.otr | cut -d, -f1)
	[ "$last" -gt $((first + 1)) ]
	seq "$first" "$last" | diff - out
	says "^otr-delete: a.otr: [0-9]+ of 20000 rows deleted; versions $first to $last\$"
	[ "$(rows a.otr)" -lt 12000 ]
	sound a.otr
}

@test "--all empties the series; again makes no version; then rows are added as before" {
	five a.otr
	expect 0 otr-delete --all -v a.otr
	says '^otr-delete: a.otr: 5 of 5 rows deleted; version 2$'
	left a.otr ''
	expect 0 otr-stat --json a.otr
	grep -q '"rows":0,"first":null,"last":null' out
	expect 0 otr-delete --all --print-version a.otr
	same 2 out
	echo 7,7,7 | otr-append -N --any-time a.otr
	left a.otr 7
	[ "$(otr-dump -N --at 1 a.otr | wc -l)" -eq 5 ]
}

@test "the versions before keep the rows; the commit has kind, author, message" {
	five a.otr
	otr-dump a.otr >before
	expect 0 otr-delete -s @2 -e @4 -m 'wrong sensor' --author eva --print-version a.otr
	same 2 out
	otr-dump --at 1 a.otr | diff before -
	otr-stat --json a.otr | python3 -c '
import json, sys
c = json.load(sys.stdin)["commit"]
assert (c["kind"], c["author"], c["message"], c["rows"], c["version"]) == ("delete", "eva", "wrong sensor", 3, 2), c'
}

@test "--dry-run tells the counts and writes nothing" {
	five a.otr
	sha256sum a.otr >sum
	expect 0 otr-delete --dry-run -s @2 -e @4 a.otr
	says '^otr-delete: a.otr: 2 of 5 rows would be deleted$'
	[ ! -s out ]
	expect 0 otr-delete --dry-run --where 'v > 1' -m m --print-version a.otr
	says ' 2 of 5 rows'
	same 1 out
	expect 1 otr-delete --dry-run -q -E --where 'v > 9' a.otr
	[ ! -s err ]
	chmod 444 a.otr
	expect 0 otr-delete --dry-run --all a.otr
	says ' 5 of 5 rows'
	chmod 644 a.otr
	hold a.otr
	expect 0 otr-delete --dry-run --all -W 0 a.otr
	release
	sha256sum --quiet -c sum
}

@test "the lock of another writer: 6 after the wait, the file untouched" {
	five a.otr
	sha256sum a.otr >sum
	hold a.otr
	local start=$SECONDS
	refuse 6 '' otr-delete -W 0 --all a.otr
	[ $((SECONDS - start)) -le 1 ]
	refuse 6 '' otr-delete -W 1 --all a.otr
	release
	sha256sum --quiet -c sum
	expect 0 otr-delete -W 0 --all a.otr
}

@test "no room on the disk: 5, the version before is intact, and the next delete works" {
	needs prlimit
	pump a.otr 20000
	otr-dump a.otr >before
	local size
	size=$(stat -c %s a.otr)
	refuse 5 '' limited "$size" otr-delete --where 'temp > 1000 and on = 1' a.otr
	sound a.otr
	otr-dump a.otr | diff -q before -
	expect 0 otr-delete -v --where 'temp > 1000 and on = 1' a.otr
	says '9020 of 20000'
	sound a.otr
}

@test "not OTR, truncated, missing, a directory: 4 and 5, distinct messages" {
	five a.otr
	echo text >text
	refuse 4 'not an OTR file' otr-delete --all text
	head -c 15000 a.otr >cut
	refuse 4 'truncated' otr-delete --all cut
	refuse 5 'cannot open' otr-delete --all no.otr
	mkdir dir
	refuse 5 '' otr-delete --all dir
	: >empty
	refuse 4 '' otr-delete --all empty
}

@test "killed at any moment: the old rows or the new ones" {
	pump a.otr 30000
	cp a.otr whole
	local k rows
	for k in 1 2 3 5 8 13 21 34; do
		cp whole a.otr
		otr-delete --where 'on = 1' a.otr &
		sleep "0.0$k" 2>/dev/null || :
		kill -9 $! 2>/dev/null || :
		wait $! 2>/dev/null || :
		rows=$(rows a.otr)
		[ "$rows" = 30000 ] || [ "$rows" = 15000 ] || { echo "$rows rows"; false; }
		sound a.otr
	done
}

@test "the same bytes under every locale and TZ" {
	five a.otr
	everywhere otr-delete --dry-run -s 1970-01-01T00:00:02 --where 'v > 0.5' a.otr
}
