#!/usr/bin/env bats
# otr-log.bats - otr-log from outside: columns, order, ranges of commit times, formats, hostile text, damaged files.

load tools

# three FILE: a creation and two commits, by different authors.
three() {
	otr-create --author ann -m $'made\nfor\t"pump"\\3' "$1" v
	printf '1700000000,1\n' | otr-append -N --author bob "$1"
	printf '1700000001,2\n1700000002,2\n' | otr-append -N --author 'x, y' -m 'två' "$1"
}

# field N: of the lines of out.
field() {
	cut -d, -f"$1" out | paste -sd' '
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-log
}

@test "usage errors: status 2, two lines, nothing on stdout" {
	three a.otr
	usage 'no FILE' otr-log
	usage 'more than one' otr-log a.otr a.otr
	usage 'unknown option' otr-log --no-such a.otr
	usage 'limit: not a number: "010x"' otr-log -n 010x a.otr
	usage 'limit: not a number: ""' otr-log -n '' a.otr
	usage 'given twice' otr-log -n 1 -n 2 a.otr
	usage 'not a time: "nonsense"' otr-log -s nonsense a.otr
	usage 'perhaps Europe/Berlin' otr-log -z Europe/Berln a.otr
	usage 'write --start' otr-log -start a.otr
	usage 'after the end' otr-log -s @5 -e @4 a.otr
	usage 'not a format: "binary"' otr-log -F binary a.otr
	usage 'no effect' otr-log -d , -F tsv a.otr
	usage 'no effect' otr-log -N --json a.otr
	usage 'no effect' otr-log --json -F csv a.otr
	usage 'at' otr-log --at newest-x a.otr
	refuse 2 '' otr-log --at 7 a.otr
	refuse 2 'newest-9' otr-log --at newest-9 a.otr
	refuse 2 'seekable' bash -c 'cat a.otr | otr-log -'
	refuse 5 'No such file' otr-log no.otr
}

@test "version, time, author, kind, rows, message; newest first, -r oldest first, -n after that; --at ends it" {
	three a.otr
	expect 0 otr-log -N a.otr
	[ "$(grep -Ec '^[0-2],20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z,' out)" -eq 3 ]
	sed 's/,20[^,]*Z,/,T,/' out >cut
	same $'2,T,"x, y",append,3,två\n1,T,bob,append,1,\n0,T,ann,create,0,"made\nfor\t""pump""\\3"' cut
	expect 0 otr-log a.otr
	[ "$(head -n 1 out)" = version,time,author,kind,rows,message ]
	expect 0 otr-log -N -n 1 a.otr
	[ "$(field 1)" = 2 ]
	expect 0 otr-log -N -r -n 2 -F csv a.otr
	[ "$(grep -c '^[01],' out)" -eq 2 ]
	expect 0 otr-log -N --at 1 -n 1 a.otr
	[ "$(field 1)" = 1 ]
	expect 0 otr-log -N --at newest-2 -d ';' a.otr
	[ "$(cut -d';' -f1,4,5 out | head -n 1)" = '0;create;0' ]
	expect 0 otr-log -n 0 a.otr
	same version,time,author,kind,rows,message out
	expect 0 otr-log -F tsv -N -r -n 1 a.otr
	[ "$(cut -f 6 out)" = 'made\nfor\t"pump"\\3' ]
	expect 0 otr-log - <a.otr
	expect 0 otr-log -v -n 1 a.otr
	says '1 commits up to version 2; the oldest kept is 0'
}

@test "--json is -F jsonl: a strict object a line, with added and removed" {
	three a.otr
	printf '1700000000,9\n' | otr-append -N a.otr
	expect 0 otr-log --json a.otr
	cp out json
	expect 0 otr-log -F jsonl a.otr
	cmp out json
	python3 - <<'PY'
import json
rows = [json.loads(line) for line in open('out')]
keys = 'version time author kind rows added removed message'.split()
assert all(list(r) == keys for r in rows)
assert [r['version'] for r in rows] == [3, 2, 1, 0]
assert [(r['kind'], r['rows'], r['added'], r['removed']) for r in rows] == [('merge', 3, 1, 1), ('append', 3, 2, 0), ('append', 1, 1, 0), ('create', 0, 0, 0)]
assert rows[3]['message'] == 'made\nfor\t"pump"\\3' and rows[1]['author'] == 'x, y'
PY
	expect 0 otr-log --json --time-format s -n 1 a.otr
	grep -Eq '"time":[0-9]{10}\.[0-9]{9},' out
}

@test "-s and -e are of the commit time, half open; no commit in the range: the header, status 0" {
	three a.otr
	local t
	t=$(otr-log -N --at 1 -n 1 a.otr | cut -d, -f2)
	expect 0 otr-log -N -s "$t" a.otr
	[ "$(field 1)" = '2 1' ]
	expect 0 otr-log -N -r -s "$t" -e start+1ns a.otr
	[ "$(field 1)" = 1 ]
	expect 0 otr-log -N -e "$t" -F tsv a.otr
	[ "$(cut -f1 out)" = 0 ]
	expect 0 otr-log -s 2001-01-01 -e 2001-02-01 a.otr
	same version,time,author,kind,rows,message out
	expect 0 otr-log -N -s -1h a.otr
	[ "$(grep -Ec '^[012],' out)" -eq 3 ]
}

@test "controls of direction in authors and messages never come out raw; messages keep newline and tab" {
	otr-create --author $'a\xe2\x80\xaeb' -m $'c\xe2\x81\xa6d\te\nf\xe2\x80\xae' a.otr v
	expect 0 otr-log -N a.otr
	[ "$(LC_ALL=C grep -c $'\xe2' out)" = 0 ]
	sed 's/,20[^,]*Z,/,T,/' out >cut
	same $'0,T,a\\xe2\\x80\\xaeb,create,0,"c\\xe2\\x81\\xa6d\te\nf\\xe2\\x80\\xae"' cut
	expect 0 otr-log --json a.otr
	grep -q 'd\\u0009e\\u000af' out
}

@test "13-4: what a spreadsheet takes for a formula is written as it is, and the manuals say so" {
	otr-create --author @a -m '=1+1' a.otr v
	expect 0 otr-log -N a.otr
	sed 's/,20[^,]*Z,/,T,/' out >cut
	same '0,T,@a,create,0,=1+1' cut
	for page in otr-log otr-meta otr-dump; do
		tr '\n' ' ' <"$OTR_ROOT/man/$page.1" | grep -q 'Ql = , + , - or .Ql @ is a formula to some spreadsheets'
	done
}

@test "the same bytes in every locale and zone; a closed pipe ends it without a word; 5 on a full disk" {
	three a.otr
	everywhere otr-log a.otr
	refuse_full otr-log a.otr
	seq 1700000000 1700002000 | sed 's/$/,1/' | otr-append -N --commit-every 1 a.otr 2>/dev/null
	[ "$(otr-log -N -r a.otr | grep -Ec '^[0-9]+,20')" -eq "$(otr-log -N a.otr | grep -Ec '^[0-9]+,20')" ]
	silent_pipe otr-log a.otr
	[ "$(otr-log -N -n 1 a.otr | cut -d, -f1)" = "$(otr-stat --json a.otr | grep -o '"version":[0-9]*' | head -n 1 | cut -d: -f2)" ]
}

@test "empty file, text file, truncated file: 4, distinct messages, nothing on stdout" {
	three a.otr
	: >empty
	echo hello >text
	head -c 9000 a.otr >cut
	refuse 4 'empty' otr-log empty
	refuse 4 'not an OTR file' otr-log text
	refuse 4 'truncated' otr-log cut
}
