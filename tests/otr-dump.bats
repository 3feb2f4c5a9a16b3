#!/usr/bin/env bats
# otr-dump.bats - otr-dump from outside: ranges, formats, times, outputs, damaged files.

load tools

# times OPTION...: the times of a.otr's rows as seconds, in one line.
times() {
	otr-dump -N --time-format s -c temp "$@" a.otr | cut -d, -f1 | paste -sd' '
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-dump
}

@test "usage errors: status 2, two lines, nothing on stdout" {
	pump a.otr
	usage 'no FILE' otr-dump
	usage 'more than one' otr-dump a.otr a.otr
	usage 'unknown option' otr-dump --no-such a.otr
	usage 'unknown option' otr-dump -7d a.otr
	usage 'limit: not a number: "010x"' otr-dump -n 010x a.otr
	usage 'limit: not a number: ""' otr-dump -n '' a.otr
	usage 'limit' otr-dump -n -1 a.otr
	usage 'limit' otr-dump -n 0x10 a.otr
	usage 'limit: out of range' otr-dump -n 99999999999999999999 a.otr
	usage 'given twice' otr-dump -n 1 -n 2 a.otr
	usage 'given twice' otr-dump --start @1 --since @2 a.otr
	usage 'not a time: "nonsense"' otr-dump -s nonsense a.otr
	usage 'perhaps Europe/Berlin' otr-dump -z Europe/Berln a.otr
	usage 'write --start' otr-dump -start a.otr
	usage '2023-11-14' otr-dump -s 20231114 a.otr
	usage '2023-01-01' otr-dump -s 2023 a.otr
	usage '3600s' otr-dump -s -3600 a.otr
	usage 'calendar' otr-dump -s 2023-02-31 a.otr
	usage 'calendar' otr-dump -s 2023-02-29T00:00 a.otr
	usage '9 digits' otr-dump -s 2023-11-14T00:00:00.1234567891Z a.otr
	usage 'start' otr-dump -s 14.11.2023 a.otr
	usage 'start' otr-dump -s 11/14/23 a.otr
	usage 'start' otr-dump -s '5 minutes ago' a.otr
	usage 'start' otr-dump -s 2023-W46 a.otr
	usage 'start' otr-dump -s 2023-11-14T24:30 a.otr
	usage 'start' otr-dump -s 2023-11-14T22:13:60Z a.otr
	usage 'start' otr-dump -s '' a.otr
	usage 'after the end' otr-dump -s @5 -e @4 a.otr
	usage 'start is not known' otr-dump -e start+1h a.otr
	usage 'end is not known' otr-dump -s end-1h a.otr
	usage 'not a format' otr-dump -F xml a.otr
	usage 'delimiter' otr-dump -d ab a.otr
	usage 'no effect' otr-dump -d , -F tsv a.otr
	usage 'no effect' otr-dump -N -F binary a.otr
	usage 'no effect' otr-dump -f a.otr
	usage 'no effect' otr-dump --dst later a.otr
	usage 'time-format' otr-dump --time-format %B a.otr
	usage 'null' otr-dump --null-value 0 a.otr
	usage 'twice' otr-dump -c temp,temp a.otr
	usage 'empty name' otr-dump -c temp, a.otr
	usage 'at' otr-dump --at 1700000000.5 a.otr
	usage 'at' otr-dump --at newest-x a.otr
	refuse 2 'no column "tmp"; columns are: temp, on' otr-dump -c tmp a.otr
	refuse 2 '' otr-dump --at 7 a.otr
	refuse 2 '' otr-dump --at newest-9 a.otr
	refuse 2 'seekable' bash -c 'cat a.otr | otr-dump -'
}

@test "-n 010 is ten; -s -7d, -s-7d, -s=-7d, --start=-7d agree; - is stdin where it can seek" {
	pump a.otr 20
	[ "$(otr-dump -N -n 010 a.otr | wc -l)" -eq 10 ]
	[ "$(otr-dump -N -n 1k a.otr | wc -l)" -eq 20 ]
	[ "$(otr-dump -n 0 a.otr | wc -l)" -eq 1 ]
	otr-create b.otr v
	printf '%s,1\n' "$(($(date +%s) - 8 * 86400))" "$(($(date +%s) - 6 * 86400))" | otr-append -N b.otr
	local option
	for option in '-s -7d' -s-7d -s=-7d --start=-7d '--start -7d' '--since -7d' --from=-7d '-e now -s end-7d'; do
		# shellcheck disable=SC2086
		[ "$(otr-dump -N $option b.otr | wc -l)" -eq 1 ]
	done
	otr-dump a.otr | cmp - <(otr-dump - <a.otr)
	expect 0 otr-dump ./a.otr -n 1 -N
	same '2023-11-14T22:13:20Z,20,0' out
}

@test "popt's own traps: a hostile ~/.popt changes nothing, !#:+ is text" {
	pump a.otr
	mkdir home
	printf '%s\n' 'otr-dump alias -n --reverse' 'otr-dump exec --help /bin/echo hacked' >home/.popt
	HOME=$PWD/home otr-dump -N -n 1 a.otr >out
	same '2023-11-14T22:13:20Z,20,0' out
	cp a.otr '!#:+'
	otr-dump -N -n 1 '!#:+' >out
	same '2023-11-14T22:13:20Z,20,0' out
	otr-create -f a.otr v w
	printf 'time,w\n1700000000,1\n' | otr-append -q a.otr
	otr-dump -N --null-value 'no !#:+' a.otr >out
	same '2023-11-14T22:13:20Z,no !#:+,1' out
	usage 'not a time: "!#:[+]"' otr-dump -s '!#:+' a.otr
	expect 0 otr-dump -N -o '!#:+x' a.otr
	[ -e '!#:+x' ]
}

@test "half-open ranges: a row at -s is in, one at -e is out; an empty one is 0, with -E 1" {
	pump a.otr
	[ "$(times -s @1700000060 -e @1700000180)" = '1700000060 1700000120' ]
	[ "$(times -s @1700000060.000000001 -e @1700000180.000000001)" = '1700000120 1700000180' ]
	[ "$(times -s 1700000180)" = '1700000180 1700000240' ]
	[ "$(times -s 2023-11-14T22:15:20Z -e start+1m)" = 1700000120 ]
	[ "$(times -e 2023-11-14T22:15:20Z -s end-1m)" = 1700000060 ]
	[ "$(times -s first+2m -e last)" = '1700000120 1700000180' ]
	[ "$(times -e 2023-11-14)" = '' ]
	[ "$(times -e 2023-11-15)" = "$(times)" ]
	[ "$(times -s 2023-11 -e 2023-12)" = "$(times)" ]
	[ "$(times -s first -e start+5m)" = "$(times -s first -e start+300s)" ]
	expect 0 otr-dump -s @1700000060 -e @1700000060 a.otr
	same time,temp,on out
	expect 1 otr-dump -E -s @1700000060 -e @1700000060 a.otr
	same time,temp,on out
	expect 0 otr-dump -E a.otr
	[ "$(times -r -n 2)" = '1700000240 1700000180' ]
	[ "$(times -r -s @1700000060 -e @1700000180)" = '1700000120 1700000060' ]
}

@test "calendar: a month before 31 March is the end of February, today is midnight in -z, a summer day has 23 hours" {
	[ -e /usr/share/zoneinfo/Europe/Berlin ] || skip 'no zone database'
	otr-create a.otr temp
	printf 'time,temp\n2023-02-27T23:59:59Z,1\n2023-02-28T00:00Z,2\n2023-03-25T22:59:59Z,3\n2023-03-25T23:00Z,4\n2023-03-26T21:59:59Z,5\n2023-03-26T22:00Z,6\n2023-03-31T00:00Z,7\n' | otr-append a.otr
	otr-dump -N -c temp -e 2023-03-31 -s end-1mo a.otr | cut -d, -f2 | paste -sd' ' >out
	same '2 3 4 5 6' out
	otr-dump -N -z Europe/Berlin -s 2023-03-26 -e start+1d a.otr >out
	same $'2023-03-26T00:00:00+01:00,4\n2023-03-26T23:59:59+02:00,5' out
	otr-dump -N -z +05:30 -n 1 a.otr >out
	same '2023-02-28T05:29:59+05:30,1' out
	usage 'does not exist' otr-dump -z Europe/Berlin -s 2023-03-26T02:30 a.otr
	usage 'twice' otr-dump -z Europe/Berlin -s 2023-10-29T02:30 a.otr
	expect 0 otr-dump -z Europe/Berlin --dst later -s 2023-10-29T02:30 a.otr
	otr-create -f a.otr temp
	printf '%s,1\n' "$(TZ=Asia/Kolkata date -d 'today 00:00' +%s)" "$(($(TZ=Asia/Kolkata date -d 'today 00:00' +%s) - 1))" | otr-append -N a.otr
	[ "$(otr-dump -N -z Asia/Kolkata -s today a.otr | wc -l)" -eq 1 ]
	[ "$(otr-dump -N -z Asia/Kolkata -s yesterday -e today a.otr | wc -l)" -eq 1 ]
	[ "$(TZ=Asia/Kolkata otr-dump -N -z local -s today a.otr | wc -l)" -eq 1 ]
}

@test "times as the file's finest unit needs, so that output sorts as text; --time-format reads back as it is" {
	local digits format
	while IFS= read -r digits; do
		otr-create -f a.otr v:i64
		{ echo time,v; awk -v d="$digits" 'BEGIN { n = split("1699999999 1700000000 1700000009 1700000010 1710000000", t, " "); for (i = 1; i <= n; i++) print t[i] (i == 3 ? d : "") "," i }'; } >in.csv
		otr-append a.otr in.csv
		otr-dump -N a.otr | cut -d, -f1 >out
		LC_ALL=C sort -c out
		[ "$(awk '{ print length($0) }' out | sort -u | wc -l)" -eq 1 ]
		[ "$(awk 'NR == 1 { print length($0) }' out)" -eq $((20 + ${#digits})) ]
		for format in s ms us ns; do
			otr-create -f b.otr v:i64
			otr-dump --time-format $format a.otr >text
			expect 0 otr-append b.otr text
			[ "$(otr-dump a.otr | cksum)" = "$(otr-dump b.otr | cksum)" ]
			if [ $format = s ]; then head -n 1 text | grep -qx time,v; else head -n 1 text | grep -qx "time_$format,v"; fi
		done
	done <<-END

		.250
		.000250
		.000000001
	END
	otr-dump -N --time-format '%Y/%j %H:%M:%S.%3N %z %%' -n 1 a.otr >out
	same '2023/318 22:13:19.000 +0000 %,1' out
}

@test "round trip of all types in csv, tsv and binary: nulls, NaN bits, -0, infinities, subnormals, limits, equal times, first and last ns" {
	otr-create --duplicates keep --gap 5s --step-column d a.otr b:bool i:i32 l:i64 f:f32:m d:f64
	cat >in.csv <<-'END'
		time_ns,b,i,l,f,d
		-9223372036854775807,1,-2147483648,-9223372036854775808,-0,-0
		0,0,2147483647,9223372036854775807,NaN,NaN
		0,,,,,
		0,1,0,0,NaN(0x7fc00001),NaN(0x7ff8000000000001)
		1,0,-1,-1,inf,-inf
		2,1,1,9007199254740993,1e-45,5e-324
		3,1,1,1,3.4028235e38,1.7976931348623157e308
		4,,5,,0.1,0.1
		1700000000000000001,1,1,1,NaN(0xffc00000),NaN(0xfff8000000000000)
		9223372036854775806,0,7,7,1e-5,123456789012345680
	END
	expect 0 otr-append --any-time a.otr in.csv
	otr-dump --time-format ns a.otr >plain
	[ "$(wc -l <plain)" -eq 11 ]
	grep -q 'NaN(0x7ff8000000000001)' plain
	grep -q -- '^-9223372036854775807,1,-2147483648,-9223372036854775808,-0,-0$' plain
	local options
	for options in '' '--null-value null' '-d ;' '-F tsv' '-F binary' '--time-format ns' '-N' '-z Europe/Berlin'; do
		otr-create -f --like a.otr b.otr
		local in="$options"
		[ "$options" = '--time-format ns' ] && in=
		[ "$options" = '-F binary' ] || in="$in --any-time"
		# shellcheck disable=SC2086
		otr-dump $options a.otr >text
		# shellcheck disable=SC2086
		expect 0 otr-append -q $in b.otr text
		otr-dump --time-format ns b.otr | diff plain -
		otr-dump -F binary b.otr | cmp - <(otr-dump -F binary a.otr)
	done
	otr-dump -F binary a.otr >text
	head -c $(($(stat -c %s text) - 3)) text >"cut"
	refuse 3 'cut' otr-append -q -F binary b.otr cut
	cat text text >twice
	otr-create -f --like a.otr b.otr
	expect 0 otr-append -q -F binary b.otr twice
	[ "$(rows b.otr)" -eq 20 ]
}

@test "-o FILE appears whole or not at all; without -f nothing is replaced; mode is kept" {
	pump a.otr 200000
	expect 0 otr-dump -o out.csv a.otr
	otr-dump a.otr | cmp - out.csv
	refuse 5 'exists' otr-dump -n 1 -o out.csv a.otr
	otr-dump a.otr | cmp - out.csv
	chmod 640 out.csv
	expect 0 otr-dump -n 1 -f -o out.csv a.otr
	[ "$(wc -l <out.csv)" -eq 2 ]
	[ "$(stat -c %a out.csv)" = 640 ]
	refuse 5 'regular' otr-dump -f -o . a.otr
	refuse 5 '' otr-dump -o no/such a.otr
	mkdir dir
	refuse 5 'large|space' limited 100000 otr-dump -o dir/x a.otr
	refuse 4 'not an OTR' otr-dump -o dir/x out.csv
	refuse 2 'no column' otr-dump -c x -o dir/x a.otr
	mkfifo pipe
	env --default-signal=TERM otr-dump -o dir/x a.otr 3>&- &
	local pid=$!
	sleep 0.01
	kill -TERM "$pid" 2>/dev/null || :
	wait "$pid" || :
	case $(ls -A dir) in
	'') ;;
	x) otr-dump a.otr | cmp - dir/x ;;
	*) ls -A dir; return 1 ;;
	esac
}

@test "SIGPIPE: dies of it without a word, also when started with it ignored; a full or a closed stdout is 5" {
	pump a.otr 100000
	silent_pipe otr-dump a.otr
	refuse_full otr-dump a.otr
	refuse_full otr-dump -n 1 a.otr
	local got=0
	otr-dump a.otr >&- 2>err || got=$?
	[ "$got" -eq 5 ]
	says 'stdout'
	got=0
	otr-dump a.otr >&- 2>&- <&- || got=$?
	[ "$got" -eq 5 ]
	expect 0 otr-dump -n 1 a.otr <&-
}

@test "no file is made; -o makes only a temporary name beside its own" {
	needs strace
	pump a.otr
	mkdir dir tmp
	TMPDIR=$PWD/tmp made otr-dump a.otr >names
	[ ! -s names ]
	TMPDIR=$PWD/tmp made otr-dump -o dir/x a.otr >names
	! grep -v '^dir/' names || false
	[ "$(find dir tmp -type f)" = dir/x ]
}

@test "a file that is empty, text, short, cut, too new, damaged: 4, in different words, and no wrong row" {
	pump a.otr 5000
	otr-dump a.otr >whole
	: >empty
	echo text >text
	head -c 8000 a.otr >short
	head -c 20000 a.otr >"cut"
	refuse 4 'empty: empty file' otr-dump empty
	refuse 4 'text: not an OTR file' otr-dump text
	refuse 4 'short: truncated' otr-dump short
	expect 4 otr-dump cut
	says 'version 1 cannot be read.*version 0 is read'
	same time,temp,on out
	refuse 5 'no: .*No such file' otr-dump no
	refuse 5 '' otr-dump .
	# a bit of a page in the middle
	python3 - <<'PY'
b = bytearray(open('a.otr', 'rb').read())
b[-4000] ^= 1
open('bad', 'wb').write(b)
PY
	expect 4 otr-dump bad
	says 'page [0-9]+: crc'
	head -c "$(stat -c %s out)" whole | cmp - out
	expect 1 otr-verify bad
	grep -Eq '^bad: page [0-9]+: ' out
}

@test "a file of a newer major version is named with both numbers" {
	needs python3
	"$OTR_ROOT/tests/mkotr" "$OTR_ROOT/tests/files/unsupported-001-major.txt" new.otr
	refuse 4 '2.*1|1.*2' otr-dump new.otr
	refuse 4 '' otr-append new.otr /dev/null
	expect 4 otr-verify new.otr
}

@test "every reader works on a read-only mount, and on a file that only may be read" {
	mkdir disk
	mount -t tmpfs none disk 2>/dev/null || skip 'no tmpfs may be mounted'
	pump disk/a.otr
	chmod 444 disk/a.otr
	mount -o remount,ro disk
	for tool in otr-dump otr-query otr-stat 'otr-stat --scan' otr-verify; do
		# shellcheck disable=SC2086
		expect 0 $tool disk/a.otr
		[ ! -s err ]
	done
	refuse 5 'Read-only' otr-append disk/a.otr <<<$'time,temp\n1700000000,1'
	refuse 5 'Read-only' otr-create disk/b.otr v
	refuse 5 'Read-only' otr-dump -o disk/x disk/a.otr
}

@test "--at V, newest-N and the time of each commit give the rows of then" {
	local i at
	otr-create a.otr v:i64
	for i in 1 2 3 4 5 6; do
		otr-append a.otr <<<"time,v"$'\n'"$((1700000000 + i % 4)),$i"
		otr-dump a.otr >"dump.$i"
		otr-stat --json a.otr | grep -o '"commit":{[^}]*}' | grep -o '"time":"[^"]*"' | cut -d'"' -f4 >"time.$i"
	done
	for i in 1 2 3 4 5 6; do
		for at in "$i" "newest-$((6 - i))" "$(cat "time.$i")"; do
			expect 0 otr-dump --at "$at" a.otr
			cmp out "dump.$i"
		done
	done
	refuse 2 '' otr-dump --at 2001-01-01 a.otr
}

@test "the same bytes under every locale and TZ" {
	pump a.otr
	printf 'time,temp\n1700000001.5,-1.5e-7\n1700000002,NaN\n' | otr-append -q a.otr
	everywhere otr-dump a.otr
	everywhere otr-dump -z Europe/Berlin -s '2023-11-14 23:14' --time-format '%Y-%m-%d %H:%M:%S' a.otr
	everywhere otr-dump -c I a.otr
}

@test "-o never replaces a FILE that is read, under any name" {
	never_onto_itself otr-dump
}

@test "of a path as long as can be the message still says what is wrong" {
	local part path=.
	printf -v part '/%0199d' 0
	while [ "${#path}" -lt 3800 ]; do
		path+=$part
	done
	refuse 5 '0: cannot open: No such file or directory$' otr-dump "$path"
	printf -v part '/%s' "$(printf '\377%.0s' {1..199})"
	path=.
	while [ "${#path}" -lt 3800 ]; do
		path+=$part
	done
	refuse 5 'xff: cannot open: No such file or directory$' otr-dump "$path"
}

@test "-o over a file with an access list lets nobody in: its mask is no right of the group, nor is the list of the directory taken" {
	cat >rights.py <<'PY'
import os, struct, subprocess, sys
def pack(*entries):
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in entries)
ANY, ACCESS, DEFAULT = 0xffffffff, 'system.posix_acl_access', 'system.posix_acl_default'
open('a.csv', 'w').close()
os.chmod('a.csv', 0o640)
try:
    os.setxattr('a.csv', ACCESS, pack((1, 6, ANY), (2, 6, 65534), (4, 0, ANY), (16, 6, ANY), (32, 0, ANY)))
    os.mkdir('d')
    os.setxattr('d', DEFAULT, pack((1, 7, ANY), (2, 7, 65534), (4, 5, ANY), (16, 7, ANY), (32, 5, ANY)))
except OSError:
    sys.exit(77)
subprocess.check_call(['otr-dump', '-f', '-o', 'a.csv', 'a.otr'])
assert ACCESS not in os.listxattr('a.csv') and os.stat('a.csv').st_mode & 0o777 == 0o600
with open('d/b.csv', 'w') as f:
    os.removexattr('d/b.csv', ACCESS)
    os.chmod('d/b.csv', 0o640)
subprocess.check_call(['otr-dump', '-f', '-o', 'd/b.csv', 'a.otr'])
assert ACCESS not in os.listxattr('d/b.csv') and os.stat('d/b.csv').st_mode & 0o777 == 0o640
PY
	pump a.otr
	local got=0
	python3 rights.py || got=$?
	[ "$got" -ne 77 ] || skip "no access lists on this file system"
	[ "$got" -eq 0 ]
}
