#!/usr/bin/env bats
# otr-meta.bats - otr-meta from outside: metadata and policies shown and set.

load tools

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-meta
}

@test "usage errors: status 2, two lines, nothing on stdout, the file untouched" {
	otr-create --meta a=1 a.otr v
	sha256sum a.otr >sum
	usage 'no FILE' otr-meta
	usage 'KEY is shown' otr-meta a.otr a b
	usage 'KEY is shown' otr-meta a.otr a=1 b
	usage 'KEY is shown' otr-meta a.otr b --unset a
	usage 'not a key' otr-meta a.otr 'a b'
	usage 'not a key' otr-meta a.otr 'a b=1'
	usage 'not a key' otr-meta a.otr =1
	usage 'not a key' otr-meta a.otr ''
	usage 'not a key' otr-meta a.otr 'ä=1'
	usage 'not a key' otr-meta a.otr "$(head -c 513 /dev/zero | tr '\0' x)=1"
	usage 'given twice: "b"' otr-meta a.otr b=1 b=2
	usage 'given twice: "b"' otr-meta a.otr b=1 --unset b
	usage 'not UTF-8' otr-meta a.otr $'b=\033'
	usage 'not UTF-8' otr-meta a.otr $'b=\xff'
	usage 'no policy: "otr.foo" .*otr.retain' otr-meta a.otr otr.foo=1
	usage 'no policy' otr-meta a.otr otr.foo
	usage 'fixed for life: "otr.gap"' otr-meta a.otr otr.gap=5s
	usage 'fixed for life: "otr.page-size"' otr-meta a.otr otr.page-size=4Ki
	usage 'unset: a policy always has a value' otr-meta a.otr --unset otr.retain
	usage 'otr.duplicates: not a policy: "last"' otr-meta a.otr otr.duplicates=last
	usage 'otr.retain: ' otr-meta a.otr otr.retain=90
	usage 'otr.retain: .*month' otr-meta a.otr otr.retain=3mo
	usage 'otr.retain: out of range' otr-meta a.otr otr.retain=0s
	usage 'otr.max-size: not a number' otr-meta a.otr otr.max-size=big
	usage 'otr.history: ' otr-meta a.otr otr.history=-1
	usage 'cannot keep all history within a fixed size' otr-meta a.otr otr.history=all otr.max-size=1Gi
	usage 'without a max-size' otr-meta a.otr otr.history=fits
	usage 'at least' otr-meta a.otr otr.max-size=32Ki
	usage 'message: has no effect' otr-meta -m m a.otr
	usage 'print-version: has no effect' otr-meta --print-version a.otr a
	usage 'at: has no effect' otr-meta --at 0 a.otr b=1
	usage 'json: has no effect' otr-meta --json a.otr a
	usage 'format: has no effect' otr-meta -F tsv --json a.otr
	usage 'timezone: has no effect' otr-meta -z UTC a.otr
	usage 'cannot be stdin' otr-meta - a=1
	sha256sum --quiet -c sum
}

@test "the listing is sorted by key, policies among them; csv, tsv, JSON Lines" {
	otr-create --meta zone=north --meta 'a=x, "y"' --meta $'note=one\n\ttwo' a.otr v:f64:°C
	expect 0 otr-meta a.otr
	printf '%s\n' key,value 'a,"x, ""y"""' $'note,"one\n\ttwo"' otr.duplicates,replace otr.history,all otr.max-size,none otr.retain,none unit.v,°C zone,north |
		diff - out
	expect 0 otr-meta -N -F tsv a.otr
	sed -n 2p out | grep -qxF 'note	one\n\ttwo'
	expect 0 otr-meta -d ';' a.otr
	head -n 1 out | grep -qx 'key;value'
	expect 0 otr-meta --json a.otr
	python3 - <<'PY'
import json
got = [json.loads(line) for line in open('out')]
assert [g['key'] for g in got] == sorted(g['key'] for g in got) and len(got) == 8
assert {g['key']: g['value'] for g in got}['note'] == 'one\n\ttwo'
PY
	expect 0 otr-meta - <a.otr
	grep -q '^zone,north$' out
}

@test "one key: its value and a newline; absent: 1 and no word" {
	otr-create --meta $'note=one\ntwo' --meta empty= a.otr v
	expect 0 otr-meta a.otr note
	printf 'one\ntwo\n' | cmp - out
	expect 0 otr-meta a.otr empty
	printf '\n' | cmp - out
	expect 0 otr-meta a.otr otr.retain
	same none out
	expect 1 otr-meta a.otr nope
	[ ! -s out ] && [ ! -s err ]
	expect 1 otr-meta a.otr unit.v
}

@test "settings are one commit; what is set already makes none" {
	otr-create --meta old=1 a.otr v
	expect 0 otr-meta -v --print-version -m why --author eva a.otr site=mill 'text=a=b c' empty= unit.v=degC --unset old
	says '^otr-meta: a.otr: changed; version 1$'
	same 1 out
	expect 0 otr-meta -N a.otr
	[ "$(grep -v ^otr out | paste -sd' ')" = 'empty, site,mill text,a=b c unit.v,degC' ]
	otr-stat --json a.otr | grep -q '"commit":{"version":1,.*"author":"eva","kind":"meta","rows":0,"message":"why"}'
	sha256sum a.otr >sum
	expect 0 otr-meta -v a.otr site=mill empty=
	says 'nothing changed; version 1'
	expect 0 otr-meta --print-version a.otr otr.duplicates=replace
	same 1 out
	sha256sum --quiet -c sum
	sound a.otr
}

@test "--unset of a key that is not there: 1, a word, nothing is written" {
	otr-create --meta a=1 a.otr v
	sha256sum a.otr >sum
	refuse 1 'no such key: "b"' otr-meta a.otr --unset b
	refuse 1 'no such key: "b"' otr-meta a.otr c=1 --unset a --unset b
	sha256sum --quiet -c sum
	expect 0 otr-meta a.otr --unset a
	expect 1 otr-meta a.otr a
	sound a.otr
}

@test "--at: the metadata of then, the policies of now" {
	otr-create --meta a=1 a.otr v
	otr-meta a.otr a=2 b=3
	otr-meta a.otr --unset b otr.duplicates=keep
	echo 1,1 | otr-append -N --any-time a.otr
	expect 0 otr-meta --at 0 -N a.otr
	[ "$(paste -sd' ' out)" = 'a,1 otr.duplicates,keep otr.history,all otr.max-size,none otr.retain,none' ]
	expect 0 otr-meta --at 1 a.otr b
	same 3 out
	expect 1 otr-meta --at newest-1 a.otr b
	expect 0 otr-meta --at now -z Europe/Berlin a.otr a
	same 2 out
	refuse 2 'no version' otr-meta --at 7 a.otr a
	sound a.otr
}

@test "policies are shown as they are set" {
	otr-create a.otr v
	local setting
	for setting in otr.duplicates=first otr.retain=90d otr.retain=1h30m otr.retain=none otr.history=100 otr.history=30d otr.history=all otr.max-size=2Mi \
		otr.history=fits otr.history=7 otr.max-size=1048577 otr.max-size=none otr.history=all otr.duplicates=error; do
		expect 0 otr-meta a.otr "$setting"
		expect 0 otr-meta a.otr "${setting%%=*}"
		same "${setting#*=}" out
		sound a.otr
	done
}

@test "all history and what fits are one default: a max-size turns the one into the other" {
	otr-create a.otr v
	expect 0 otr-meta a.otr otr.max-size=2Mi
	[ "$(otr-meta a.otr otr.history)" = fits ]
	otr-stat a.otr | grep -q '^policy: duplicates replace, max-size 2.0 MiB (2097152 B), retain none, history fits$'
	usage 'cannot keep all history' otr-meta a.otr otr.history=all
	expect 0 otr-meta a.otr otr.max-size=none
	[ "$(otr-meta a.otr otr.history)" = all ]
	expect 0 otr-meta a.otr otr.history=5 otr.max-size=2Mi
	[ "$(otr-meta a.otr otr.history)" = 5 ]
	otr-stat --json a.otr | grep -q '"policy":{"duplicates":"replace","max_size":2097152,"retain":null,"history":"5"}'
}

@test "two at once who set different policies do not undo each other" {
	otr-create a.otr v
	hold a.otr
	otr-meta -v a.otr otr.retain=90d 2>one &
	local one=$! two
	otr-meta -v a.otr otr.duplicates=keep otr.max-size=2Mi 2>two &
	two=$!
	# both have opened the file once they say that they wait
	for _ in $(seq 100); do
		! grep -q waiting one || ! grep -q waiting two || break
		sleep 0.1
	done
	release
	wait "$one"
	wait "$two"
	expect 0 otr-meta -N a.otr
	[ "$(paste -sd' ' out)" = 'otr.duplicates,keep otr.history,fits otr.max-size,2Mi otr.retain,90d' ]
}

@test "history: versions before those that are kept are pruned, at once and at later commits" {
	otr-create a.otr v
	local i
	for i in 1 2 3 4 5 6; do
		echo "$i,$i" | otr-append -N --any-time a.otr
	done
	expect 0 otr-meta a.otr otr.history=3
	refuse 2 'version 3 is pruned; the oldest kept is 4' otr-dump --at 3 a.otr
	refuse 2 'the oldest kept is 4' otr-rollback a.otr 3
	[ "$(rows a.otr)" = 6 ]
	otr-delete -s @2 -e @4 a.otr
	refuse 2 'the oldest kept is 5' otr-dump --at 4 a.otr
	[ "$(otr-dump -N --at 5 a.otr | wc -l)" = 5 ]
	expect 0 otr-meta a.otr otr.history=0
	refuse 2 'the oldest kept is 9' otr-dump --at newest-1 a.otr
	[ "$(rows a.otr)" = 4 ]
	sound a.otr
}

@test "more than 1 MiB of metadata is refused, nothing is written" {
	otr-create a.otr v
	local i args=()
	for i in $(seq 11); do
		args+=("k$i=$(head -c 100000 /dev/zero | tr '\0' x)")
	done
	sha256sum a.otr >sum
	refuse 2 '' otr-meta a.otr "${args[@]}"
	sha256sum --quiet -c sum
	unset 'args[0]'
	expect 0 otr-meta a.otr "${args[@]}"
	otr-meta a.otr k11 | wc -c | grep -qx 100001
	sound a.otr
}

@test "control characters of a hostile file do not reach the terminal" {
	otr-create --meta k=0123456789 a.otr v
	python3 - a.otr <<'PY'
import struct, sys, zlib
raw = bytearray(open(sys.argv[1], 'rb').read())
at = raw.find(b'0123456789')
start = at // 8192 * 8192
raw[at:at + 10] = b'\x1b[31m\x07\xc2\x9b\r!'
old, = struct.unpack_from('<I', raw, start)
new = zlib.crc32(raw[start + 4:start + 8192])
struct.pack_into('<I', raw, start, new)
for slot in 4096, 8192:                     # the reference to it, byte 176 of a slot (SPEC 4.1)
    if struct.unpack_from('<I', raw, slot + 192)[0] == old:
        struct.pack_into('<I', raw, slot + 192, new)
        struct.pack_into('<I', raw, slot, zlib.crc32(raw[slot + 4:slot + 4096]))
open(sys.argv[1], 'wb').write(raw)
PY
	expect 0 otr-meta a.otr
	plain out
	grep -qxF 'k,\x1b[31m\x07\xc2\x9b\x0d!' out
	expect 0 otr-meta a.otr k
	plain out
	expect 0 otr-meta --json a.otr
	plain out
}

@test "controls of the reading direction: \\u in JSON, \\x in text" {
	otr-create a.otr v
	expect 0 otr-meta a.otr $'k=a\xe2\x80\xaeb\xe2\x81\xa6c\xe2\x80\x8fd\xe2\x81\xa9\xe2\x80\x94'
	expect 0 otr-meta --json a.otr
	grep -qF '"a\u202eb\u2066c\u200fd\u2069'$'\xe2\x80\x94"' out
	expect 0 otr-meta a.otr
	grep -qxF 'k,a\xe2\x80\xaeb\xe2\x81\xa6c\xe2\x80\x8fd\xe2\x81\xa9'$'\xe2\x80\x94' out
}

@test "the lock of another writer: 6; no room on the disk: 5; a pipe closed, a full stdout" {
	otr-create --meta a=1 a.otr v
	sha256sum a.otr >sum
	hold a.otr
	refuse 6 '' otr-meta -W 0 a.otr a=2
	expect 0 otr-meta a.otr a
	release
	sha256sum --quiet -c sum
	refuse_full otr-meta a.otr
	needs prlimit
	refuse 5 '' limited 4096 otr-meta a.otr a=2
	sound a.otr
	[ "$(otr-meta a.otr a)" = 1 ]
}

@test "not OTR, truncated, missing: 4 and 5" {
	otr-create a.otr v
	echo text >text
	refuse 4 'not an OTR file' otr-meta text
	refuse 4 'not an OTR file' otr-meta text a=1
	head -c 15000 a.otr >cut
	refuse 4 'truncated' otr-meta cut
	refuse 5 'cannot open' otr-meta no.otr
}

@test "the same bytes under every locale and TZ" {
	otr-create --meta 'site=Nordflügel' --retain 90d a.otr v
	everywhere otr-meta a.otr
}
