#!/usr/bin/env bats
# otr-rollback.bats - otr-rollback from outside: versions named in each way, what comes back, what is refused.

load tools

# Versions 0 to 4: created, a row, a second with metadata changed, a third, the first deleted.
grown() {
	otr-create --meta site=mill "$1" v
	echo 1,1 | otr-append -N --any-time "$1"
	echo 2,2 | otr-append -N --any-time "$1"
	otr-meta "$1" site=dam keep=yes
	otr-delete -e @2 "$1"
}

values() {
	otr-dump -N "$@" | cut -d, -f2 | paste -sd' '
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-rollback
}

@test "usage errors: status 2, two lines, nothing on stdout, the file untouched" {
	grown a.otr
	sha256sum a.otr >sum
	usage 'no FILE' otr-rollback
	usage 'no VERSION' otr-rollback a.otr
	usage 'more than one VERSION' otr-rollback a.otr 1 2
	usage 'cannot be stdin' otr-rollback - 1
	usage 'unknown option' otr-rollback --at 1 a.otr
	usage 'VERSION: not a version: "newest-x"' otr-rollback a.otr newest-x
	usage 'VERSION: neither a version nor a time: "1.5"' otr-rollback a.otr 1.5
	usage 'VERSION: ' otr-rollback a.otr yesterdy
	usage 'VERSION: ' otr-rollback a.otr ''
	usage 'timezone: has no effect' otr-rollback -z UTC a.otr 1
	usage 'no version 9; versions are 0 to 4' otr-rollback a.otr 9
	usage 'newest-5 lies before the first version' otr-rollback a.otr newest-5
	usage 'oldest kept is 0' otr-rollback a.otr 2001-01-01
	usage 'no version' otr-rollback --dry-run a.otr 9
	sha256sum --quiet -c sum
}

@test "a version by number, from the newest, by time: rows and metadata are those of then" {
	grown a.otr
	expect 0 otr-rollback a.otr 2
	[ ! -s out ] && [ ! -s err ]
	[ "$(values a.otr)" = '1 2' ]
	[ "$(otr-meta a.otr site)" = mill ]
	expect 1 otr-meta a.otr keep
	sound a.otr
	expect 0 otr-rollback --print-version a.otr newest-1
	same 6 out
	[ "$(values a.otr)" = 2 ]
	[ "$(otr-meta a.otr site)" = dam ]
	sleep 0.1
	expect 0 otr-rollback --print-version a.otr 0
	same 7 out
	[ "$(values a.otr)" = '' ]
	expect 0 otr-rollback -v a.otr -- -0.05s || expect 0 otr-rollback -v a.otr now-50ms
	sound a.otr
	local v
	for v in '0 ' '1 1' '2 1 2' '3 1 2' '4 2' '5 1 2' '6 2' '7 '; do
		[ "$(values --at "${v%% *}" a.otr)" = "${v#* }" ]
	done
}

@test "a time means the newest version committed by then" {
	otr-create a.otr v
	echo 1,1 | otr-append -N --any-time a.otr
	local then
	then=$(otr-stat --json a.otr | python3 -c 'import json, sys; print(json.load(sys.stdin)["commit"]["time"])')
	sleep 0.01
	echo 2,2 | otr-append -N --any-time a.otr
	expect 0 otr-rollback -v a.otr "$then"
	says '^otr-rollback: a.otr: 2 rows became 1, those of version 1; version 3$'
	expect 0 otr-rollback -v -z Europe/Berlin a.otr now
	says 'those of version 3; version 4'
}

@test "always a commit, also to the newest version; it has kind, author, message" {
	grown a.otr
	otr-dump a.otr >before
	expect 0 otr-rollback -v --print-version -m 'as it was' --author eva a.otr newest
	says '^otr-rollback: a.otr: 1 rows became 1, those of version 4; version 5$'
	same 5 out
	otr-dump a.otr | diff before -
	otr-stat --json a.otr | python3 -c '
import json, sys
c = json.load(sys.stdin)["commit"]
assert (c["kind"], c["author"], c["message"], c["rows"], c["version"]) == ("rollback", "eva", "as it was", 1, 5), c'
	sound a.otr
}

@test "policies are not rolled back" {
	grown a.otr
	otr-meta a.otr otr.duplicates=keep
	expect 0 otr-rollback a.otr 1
	[ "$(otr-meta a.otr otr.duplicates)" = keep ]
	sound a.otr
}

@test "--dry-run tells the counts and writes nothing" {
	grown a.otr
	sha256sum a.otr >sum
	expect 0 otr-rollback --dry-run a.otr 2
	says '^otr-rollback: a.otr: 1 rows would become 2, those of version 2$'
	expect 0 otr-rollback --dry-run --print-version a.otr newest-4
	says '1 rows would become 0, those of version 0'
	same 4 out
	chmod 444 a.otr
	expect 0 otr-rollback --dry-run -q a.otr 2
	[ ! -s err ]
	sha256sum --quiet -c sum
}

@test "all rows deleted come back, every bit, from a tree too" {
	pump a.otr 20000
	otr-dump -F binary a.otr >before
	otr-delete --all a.otr
	expect 0 otr-rollback a.otr 1
	otr-dump -F binary a.otr | cmp before -
	sound a.otr
	otr-delete --where 'on = 1' a.otr
	echo 1700000000,99,1 | otr-append -N a.otr
	expect 0 otr-rollback a.otr newest-2
	otr-dump -F binary a.otr | cmp before -
	sound a.otr
}

@test "the lock of another writer: 6; no room on the disk: 5; the file is as it was" {
	grown a.otr
	sha256sum a.otr >sum
	hold a.otr
	refuse 6 '' otr-rollback -W 0 a.otr 1
	release
	sha256sum --quiet -c sum
	needs prlimit
	refuse 5 '' limited 4096 otr-rollback a.otr 1
	sound a.otr
	[ "$(values a.otr)" = 2 ]
}

@test "the newest version's root page is bad: the one before, named by its number, comes back" {
	pump a.otr 20000
	otr-dump a.otr >before
	otr-delete --where 'on = 1' a.otr
	cp a.otr b.otr
	# a bit in each page that only the newest version has, until its root is hit
	local page pages got
	pages=$(($(stat -c %s a.otr) / 16384))
	for page in $(seq $((pages - 1)) -1 1); do
		cp b.otr a.otr
		python3 - a.otr $((page * 16384 + 100)) <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)
    f.seek(int(sys.argv[2]))
    f.write(bytes([b[0] ^ 1]))
PY
		got=0
		otr-stat a.otr >out 2>err || got=$?
		[ "$got" -ne 4 ] || ! grep -q warning err || break
	done
	[ "$got" -eq 4 ]
	local change
	echo 0,0,0 >new
	for change in 'otr-append --any-time -N a.otr new' 'otr-delete --all a.otr' "otr-delete -e last a.otr" 'otr-meta a.otr k=v' 'otr-meta a.otr --unset k' 'otr-rollback a.otr newest-1'; do
		sha256sum a.otr >sum
		# shellcheck disable=SC2086
		refuse 4 'nothing was written .otr-rollback a.otr 1 .*otr-verify --salvage' $change
		sha256sum --quiet -c sum
	done
	expect 0 otr-rollback a.otr 1
	otr-dump a.otr | diff -q before -
	expect 0 otr-stat a.otr
}

@test "not OTR, truncated, missing: 4 and 5" {
	grown a.otr
	echo text >text
	refuse 4 'not an OTR file' otr-rollback text 0
	head -c 15000 a.otr >cut
	refuse 4 'truncated' otr-rollback cut 0
	refuse 5 'cannot open' otr-rollback no.otr 0
}
