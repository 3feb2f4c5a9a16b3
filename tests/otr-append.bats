#!/usr/bin/env bats
# otr-append.bats - otr-append from outside: input, commits, locks, signals, disks.

load tools

# refused TEXT WHAT [OPTION...]: the input is refused (3), says WHAT, and the file stays as it is.
refused() {
	local text=$1 what=$2
	shift 2
	printf '%b' "$text" >in.csv
	sha256sum a.otr >sum
	refuse 3 "$what" otr-append "$@" a.otr in.csv
	says '^otr-append: a.otr: nothing was committed$'
	sha256sum --quiet -c sum
}

# taken TEXT ROWS [OPTION...]: a new file takes the input and has these rows.
taken() {
	local text=$1 rows=$2
	shift 2
	otr-create -f t.otr v w:i64
	printf '%b' "$text" >in.csv
	expect 0 otr-append "$@" t.otr in.csv
	otr-dump -N --time-format s t.otr >got
	printf '%b' "$rows" | diff - got
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-append
}

@test "usage errors: status 2, two lines, nothing on stdout, the file untouched" {
	pump a.otr
	sha256sum a.otr >sum
	usage 'no FILE' otr-append
	usage 'unknown option' otr-append --no-such a.otr
	usage 'cannot be stdin' otr-append -
	usage 'once only' otr-append a.otr - -
	usage 'not a format' otr-append -F json5 a.otr
	usage 'not a delimiter' otr-append -d '::' a.otr
	usage 'no effect' otr-append -d , -F tsv a.otr
	usage 'no effect' otr-append -d , -F binary a.otr
	usage 'no effect' otr-append --time-unit ms -F binary a.otr
	usage 'no effect' otr-append -N --map a=temp a.otr
	usage 'no effect' otr-append -N --ignore-unknown a.otr
	usage 'no names without a header' otr-append -N -t when a.otr
	usage 'out of range' otr-append -t 0 a.otr
	usage 'empty name' otr-append -t '' a.otr
	usage 'not NAME=COLUMN' otr-append --map a a.otr
	usage 'mapped twice' otr-append --map a=temp --map a=on a.otr
	usage 'sort-mem' otr-append --sort-mem 0 a.otr
	usage 'sort-mem' otr-append --sort-mem -1 a.otr
	usage 'sort-mem' otr-append --sort-mem 99999999999G a.otr
	usage 'commit-every' otr-append --commit-every 0 a.otr
	usage 'commit-every' otr-append --commit-every 1d,2d a.otr
	usage 'commit-every' otr-append --commit-every 1mo a.otr
	usage 'commit-every' otr-append --commit-every '' a.otr
	usage 'time-unit' otr-append --time-unit m a.otr
	usage 'Berlin' otr-append -z Europe/Berln a.otr
	usage 'no effect' otr-append --dst earlier a.otr
	usage 'dst' otr-append -z Europe/Berlin --dst maybe a.otr
	usage 'wait' otr-append -W 1x a.otr
	usage 'null' otr-append --null-value 5 a.otr
	usage 'null' otr-append --null-value , a.otr
	refuse 2 'columns are: temp, on' otr-append --map a=tmp a.otr
	sha256sum --quiet -c sum
}

@test "CSV as it comes: BOM, CRLF, quotes, blanks, comments, blank lines, no last newline, columns in any order" {
	taken '\357\273\277time,v,w\r\n1700000000,"1.5",2\r\n"1700000001", 2 , 3' '1700000000,1.5,2\n1700000001,2,3\n'
	taken '# about\n\ntime,w,v\n1700000000,2,1\n# on the way\n\n1700000001,,\n' '1700000000,1,2\n1700000001,,\n'
	taken 'w,when,v\n2,1700000000,1\n' '1700000000,1,2\n' -t when
	taken 'w,time,v\n2,1700000000,1\n' '1700000000,1,2\n' -t 2
	taken '1700000000,1,2\n1700000001,3,4\n' '1700000000,1,2\n1700000001,3,4\n'
	taken '1700000000,1,2\n' '1700000000,1,2\n' -N
	taken 'time;v;w\n1700000000;1;2\n' '1700000000,1,2\n' -d semicolon
	taken 'time\tv\tw\n1700000000\t1\t2\n' '1700000000,1,2\n' -F tsv
	taken 'time\tv\tw\n1700000000\t1\t2\n' '1700000000,1,2\n' -d tab
	taken 'time v w\n1700000000 1 2\n' '1700000000,1,2\n' -d space
	taken 'time,x,y\n1700000000,1,2\n' '1700000000,1,2\n' --map x=v --map y=w
	taken 'time,x,v,w\n1700000000,"a\nb",1,2\n' '1700000000,1,2\n' --ignore-unknown
	taken 'time,v,w\n1700000000,-,2\n' '1700000000,,2\n' --null-value -
	taken 'time,v,w\n1700000000,nan,2\n1700000001,-Infinity,-9223372036854775808\n' '1700000000,NaN,2\n1700000001,-inf,-9223372036854775808\n'
	taken 'time,v,w\n' ''
	taken '' ''
	taken 'time,v,w\n1700000000,1,2\ntime,v,w\n1700000001,1,2\n' '1700000000,1,2\n1700000001,1,2\n'
	otr-create -f t.otr v w:i64
	printf 'time,v\n1700000000,1\n' >in.csv
	expect 0 otr-append t.otr in.csv
	says 'warning: .*"?w"?'
	[ "$(wc -l <err)" -eq 1 ]
}

@test "input that is refused: 3, the line is named, nothing is committed" {
	otr-create a.otr v w:i64
	printf 'time,v,w\n1700000000,1,2\n' | otr-append a.otr
	refused 'time,v,w\n1700000001,1,x\n' '^otr-append: in.csv:2: column "w": not a number: "x"'
	refused 'time,v,w\n1700000001,"21,5",2\n' 'in.csv:2: column "v": not a number: "21,5" \(the decimal sign is a point\)'
	refused 'time,v,w\n1700000001,1,2\n1700000002,1,2.5\n' 'in.csv:3: column "w"'
	refused 'time,v,w\n1700000001,1,9223372036854775808\n' 'in.csv:2: column "w"'
	refused 'time,v,w\n1700000001,1e999,2\n' 'in.csv:2: column "v"'
	refused 'time,v,w\n1700000001,0x10,2\n' 'in.csv:2: column "v"'
	refused 'time,v,w\n1700000001,1_000,2\n' 'in.csv:2: column "v"'
	refused 'time,v,w\n1700000001,1,2,3\n' 'in.csv:2:.*fields'
	refused 'time,v,w\n1700000001,1\n' 'in.csv:2:.*fields'
	refused 'time,v,w\n,1,2\n' 'in.csv:2:'
	refused 'time,v,w\nyesterday,1,2\n' 'in.csv:2:'
	refused 'time,v,w\n# c\n\n2023-02-31T00:00Z,1,2\n' 'in.csv:4:'
	refused '\357\273\277time,v,w\r\n1700000001,1,2\r\nx,1,2\r\n' 'in.csv:3:'
	refused 'time,x,v,w\n1700000001,"a\nb\n\nc",1,2\n1700000002,q,oops,2\n' 'in.csv:6: column "v"' --ignore-unknown
	refused 'time,x,v,w\n1700000001,"a\nb",oops,2\n' 'in.csv:2: column "v"' --ignore-unknown
	refused 'time,v,w\n1700000001,1,2\n1700000002,"1,2\n1700000003,1,2\n' 'in.csv:3: .*quote'
	refused 'time,v,w\n1700000001,"1"x,2\n' 'in.csv:2:'
	refused '\377\376t\0i\0m\0e\0\n\0' 'in.csv:1: .*UTF-16'
	refused '\376\377\0t\0i\0m\0e\0\n' 'in.csv:1: .*UTF-16'
	refused 'time,v,w\n1700000001,1\0,2\n' 'in.csv:2: .*NUL'
	refused 'time,v,w\r1700000001,1,2\r' 'in.csv:1: .*carriage return'
	refused 'time,v,w\n1700000001,1,2\r1700000002,1,2\n' 'in.csv:2: .*carriage return'
	refused 'time;v;w\n1700000001;1;2\n' "in.csv:1: .*-d ';'"
	refused 'time\tv\tw\n1700000001\t1\t2\n' 'in.csv:1: .*tab'
	refused '{"time":1700000001,"v":1}\n' 'in.csv:1: .*JSON'
	refused 'time,x\n1700000001,1\n' 'in.csv:1: .*columns are: v, w'
	refused 'time,v,x\n1700000001,1,2\n' 'in.csv:1: .*"x"'
	refused 'time,v,v\n1700000001,1,2\n' 'in.csv:1:'
	refused 'time,v,w\n1700000001,\033[31m,2\n' 'x1b'
	plain err
	refused 'nonsense' '' -F binary
	refused '' '' -F binary
	{ printf 'time,v,w\n1700000001,1,2\n1700000002,"'; head -c 1100000 /dev/zero | tr '\0' 1; printf '",2\n'; } >long.csv
	refuse 3 '^otr-append: long.csv:3: .*1 MiB' otr-append a.otr long.csv
	refuse 3 'a.otr:1: .*OTR file.*otr-dump' otr-append a.otr a.otr
	[ "$(rows a.otr)" -eq 1 ]
}

@test "a bad row at the end of many, in the second input: nothing of both" {
	pump a.otr 10
	awk 'BEGIN { print "time,temp"; for (i = 0; i < 200000; i++) print 1710000000 + i "," i }' >one.csv
	{ printf '# two\ntime,temp\n'; awk 'BEGIN { for (i = 0; i < 100000; i++) print 1720000000 + i "," i }'; echo '1730000000,oops'; } >two.csv
	cp a.otr before
	refuse 3 '^otr-append: two.csv:100003: column "temp"' otr-append -q a.otr one.csv two.csv
	[ "$(otr-stat --json a.otr | grep -o '"version":[0-9]*' | head -n 1)" = '"version":1' ]
	otr-dump before >x
	otr-dump a.otr | cmp - x
	sound a.otr
	refuse 5 'no.csv: cannot open' otr-append -q a.otr one.csv no.csv
	refuse 5 'is a directory' otr-append a.otr .
	otr-dump a.otr | cmp - x
}

@test "the two sums of -v balance, and agree with the lines of the input" {
	otr-create a.otr v
	printf '# c\ntime,v\n1700000000,1\n\n1700000001,2\n# c\n\n1700000000,3\n1700000001,2\n' >one.csv
	printf 'time,v\n1700000002,3' >two.csv
	expect 0 otr-append -v a.otr one.csv two.csv
	[ ! -s out ]
	python3 - "$(grep -c '' one.csv two.csv | cut -d: -f2 | paste -sd+ | bc 2>/dev/null || echo 11)" <<'PY'
import re, sys
text = open('err').read()
a = [int(x) for x in re.search(r'read (\d+) = (\d+) rows \+ (\d+) rejected \+ (\d+) blank \+ (\d+) comment \+ (\d+) header \+ (\d+) other series\n', text).groups()]
b = [int(x) for x in re.search(r'(\d+) rows = (\d+) new \+ (\d+) replaced \+ (\d+) skipped; version (\d+)\n', text).groups()]
assert a == [11, 5, 0, 2, 2, 2, 0] and a[0] == sum(a[1:]), a
assert a[0] == int(sys.argv[1]), a
assert b[0] == a[1] == b[1] + b[2] + b[3] and b[1] == 3 and b[4] == 1, b
PY
}

@test "a plain number is seconds: ms, us, ns of our days are refused and the unit named; so is the far future; --any-time takes all" {
	otr-create a.otr v
	local unit zeros
	while read -r unit zeros; do
		printf 'time,v\n1700000000%s,1\n' "$zeros" >in.csv
		refuse 3 "^otr-append: in.csv:2: .*(--time-unit $unit|$unit)" otr-append a.otr in.csv
		expect 0 otr-append --time-unit "$unit" a.otr in.csv
		printf 'time,v\n1700000000,1\n' >in.csv
		refuse 3 'time-unit' otr-append --time-unit "$unit" a.otr in.csv
	done <<-END
		ms 000
		us 000000
		ns 000000000
	END
	[ "$(rows a.otr)" -eq 1 ]
	printf 'time,v\n31535999,1\n' >in.csv
	refuse 3 '' otr-append a.otr in.csv
	printf 'time,v\n%s,1\n' $(($(date +%s) + 367 * 86400)) >in.csv
	refuse 3 'any-time' otr-append a.otr in.csv
	printf 'time,v\n31536000,1\n%s,1\n' $(($(date +%s) + 365 * 86400)) >in.csv
	expect 0 otr-append a.otr in.csv
	printf 'time,v\n-5,1\n0,1\n9223372036,1\n1960-01-01,4\n' >in.csv
	expect 0 otr-append --any-time a.otr in.csv
	printf 'time,v\n2250-01-01T00:00Z,5\n' | otr-append a.otr
	[ "$(rows a.otr)" -eq 8 ]
}

@test "times in a zone: a gap and a double hour are refused, --dst decides, ten digits are refused unless zero" {
	[ -e /usr/share/zoneinfo/Europe/Berlin ] || skip 'no zone database'
	otr-create a.otr v
	refused 'time,v\n2023-03-26T02:30,1\n' 'in.csv:2: .*does not exist' -z Europe/Berlin
	refused 'time,v\n2023-10-29T02:30,1\n' 'in.csv:2: .*twice' -z Europe/Berlin
	refused 'time,v\n2023-11-14T00:00:00.1234567891Z,1\n' 'in.csv:2:'
	printf 'time,v\n2023-10-29T02:30,1\n' | otr-append -z Europe/Berlin --dst earlier a.otr
	printf 'time,v\n2023-10-29T02:30,2\n2023-11-14T00:00:00.1234567890Z,3\n' | otr-append -z Europe/Berlin --dst later a.otr
	otr-dump -N a.otr >out
	same $'2023-10-29T00:30:00.000000000Z,1\n2023-10-29T01:30:00.000000000Z,2\n2023-11-14T00:00:00.123456789Z,3' out
}

@test "any order of the input gives the same rows in one commit; the same again leaves the bytes alone" {
	local policy i
	awk 'BEGIN { for (i = 0; i < 5000; i++) print 1700000000 + i * 7 "," i * i % 1009 }' >rows
	for policy in replace first; do
		for i in 1 2 3; do
			otr-create -f --duplicates $policy a.otr v
			{ echo time,v; shuf --random-source=<(yes $i) rows; } >in.csv
			expect 0 otr-append a.otr in.csv
			otr-dump -N --time-format s a.otr | cmp - rows
			sha256sum a.otr >sum
			expect 0 otr-append --print-version a.otr in.csv
			same 1 out
			sha256sum --quiet -c sum
		done
	done
}

@test "more disorder than --sort-mem: 3 and the remedy; nothing is committed" {
	# 64 columns, so that the buffer in which rows are sorted anyway holds few
	awk 'BEGIN { print "time,c1"; for (i = 40000; i > 0; i--) print 1700000000 + i "," i }' >in.csv
	# shellcheck disable=SC2046
	otr-create a.otr $(seq -f c%g 64)
	refuse 3 'sort -n.*--commit-every|--commit-every.*sort -n' otr-append -q --sort-mem 64Ki a.otr in.csv
	[ "$(rows a.otr)" -eq 0 ]
	expect 0 otr-append -q --sort-mem 64Ki --commit-every 1000 a.otr in.csv
	[ "$(rows a.otr)" -eq 40000 ]
	expect 0 otr-append -q a.otr in.csv
	sound a.otr
}

@test "--print-version: a line a commit, or the version that there is" {
	otr-create a.otr v
	printf 'time,v\n1700000000,1\n1700000001,1\n1700000002,1\n' >in.csv
	expect 0 otr-append --print-version --commit-every 1 a.otr in.csv
	same $'1\n2\n3' out
	expect 0 otr-append --print-version a.otr in.csv
	same 3 out
	refuse_full otr-append --print-version a.otr in.csv
	expect 0 otr-append -m 'a message' --author 'who?' a.otr <<<$'time,v\n1700000009,1'
	expect 0 otr-stat --json a.otr
	grep -q '"author":"who?","kind":"append","rows":4,"message":"a message"' out
}

@test "no room on the disk: 5, the file is as it was, the next append works" {
	local room
	pump a.otr 100
	cp a.otr before
	awk 'BEGIN { srand(1); print "time,temp"; for (i = 0; i < 30000; i++) print 1710000000 + i "," rand() }' >in.csv
	for room in 0 4096 9000 100000; do
		cp before a.otr
		refuse 5 'No space|too large|File' limited $(($(stat -c %s before) + room)) otr-append -q a.otr in.csv
		[ "$(otr-dump a.otr | cksum)" = "$(otr-dump before | cksum)" ]
		sound a.otr
		expect 0 otr-append -q a.otr in.csv
		[ "$(rows a.otr)" -eq 30100 ]
	done
	mkdir disk
	mount -t tmpfs -o size=96k none disk 2>/dev/null || skip 'no tmpfs may be mounted'
	cp before disk/a.otr
	refuse 5 'No space' otr-append -q disk/a.otr in.csv
	expect 0 otr-append -q disk/a.otr <<<$'time,temp\n1710000000,1'
	refuse 5 'No space' otr-create disk/b.otr "$(head -c 200 /dev/zero | tr '\0' x)" --meta "x=$(head -c 100000 /dev/zero | tr '\0' x)" --meta "y=$(head -c 100000 /dev/zero | tr '\0' x)"
	ls -A disk >out
	umount disk
	same a.otr out
}

@test "a file that cannot be written, is no OTR file, is cut or is not there" {
	pump a.otr 5000
	: >empty
	echo text >text
	head -c 8000 a.otr >short
	head -c 20000 a.otr >"cut"
	printf 'time,temp\n1710000000,1\n' >in.csv
	refuse 5 'no.otr: .*No such file' otr-append no.otr in.csv
	[ ! -e no.otr ]
	refuse 4 'empty: empty file' otr-append empty in.csv
	refuse 4 'text: not an OTR file' otr-append text in.csv
	refuse 4 'short: truncated' otr-append short in.csv
	cp ./cut before
	refuse 4 'truncated' otr-append -q ./cut in.csv
	cmp ./cut before
	refuse 5 '' otr-append . in.csv
	mkfifo pipe
	refuse 5 '' otr-append pipe in.csv
	if [ "$(id -u)" -ne 0 ]; then
		chmod 444 a.otr
		refuse 5 'Permission denied' otr-append a.otr in.csv
	elif chattr +i a.otr 2>/dev/null; then
		expect 5 otr-append -q a.otr in.csv
		chattr -i a.otr
	fi
}

@test "stdin closed is no empty input; stdout closed does not matter where nothing is printed" {
	pump a.otr
	expect 5 otr-append a.otr <&-
	says 'stdin'
	printf 'time,temp\n1710000000,1\n' >in.csv
	otr-append -q a.otr in.csv >&-
	[ "$(rows a.otr)" -eq 6 ]
	otr-append -q a.otr in.csv >&- 2>&- <&-
	sound a.otr
}

@test "a held lock: -W 0 gives 6 at once, -W 1 after about a second; then it is free again" {
	local start took
	pump a.otr
	printf 'time,temp\n1710000000,1\n' >in.csv
	hold a.otr
	start=$(date +%s%N)
	refuse 6 '' otr-append -q -W 0 a.otr in.csv
	took=$((($(date +%s%N) - start) / 1000000))
	[ "$took" -lt 700 ]
	start=$(date +%s%N)
	refuse 6 '' otr-append -q -W 1 a.otr in.csv
	took=$((($(date +%s%N) - start) / 1000000))
	[ "$took" -ge 950 ] && [ "$took" -lt 2500 ]
	refuse 6 '' otr-append -q -W 100ms a.otr in.csv
	release
	expect 0 otr-append -q -W 0 a.otr in.csv
	[ "$(rows a.otr)" -eq 6 ]
}

@test "a slow pipe holds no lock while it is read" {
	pump a.otr
	mkfifo slow
	otr-append -q a.otr <slow 2>slow.err &
	local pid=$!
	exec 7>slow
	printf 'time,temp\n1710000000,1\n' >&7
	sleep 0.2
	expect 0 otr-append -q -W 0 a.otr <<<$'time,temp\n1710000001,1'
	printf '1710000002,1\n' >&7
	exec 7>&-
	wait "$pid"
	[ "$(rows a.otr)" -eq 8 ]
	sound a.otr
}

@test "four writers of 200 one-row appends each: 800 rows, 800 versions" {
	otr-create a.otr v:i64
	local k pids=()
	for k in 0 1 2 3; do
		(
			for ((i = 0; i < 200; i++)); do
				otr-append -q -N a.otr <<<"$((1700000000 + 4 * i + k)),$i" || exit
			done
		) 3>&- &
		pids+=($!)
	done
	for k in "${pids[@]}"; do
		wait "$k"
	done
	awk 'BEGIN { for (i = 0; i < 800; i++) print 1700000000 + i "," int(i / 4) }' >want
	otr-dump -N --time-format s a.otr | diff want -
	otr-stat --json a.otr | grep -q '"version":800,'
	sound a.otr
}

@test "--commit-every DUR on a pipe that stays open: readable within two seconds; TERM commits the rest and kills" {
	otr-create a.otr v
	mkfifo slow
	otr-append --commit-every 1s a.otr <slow 2>slow.err 3>&- &
	local pid=$! got=0
	exec 7>slow
	printf 'time,v\n1700000000,1\n' >&7
	sleep 1.6
	[ "$(rows a.otr)" -eq 1 ]
	printf '1700000001,2\n17000' >&7
	sleep 0.2
	kill -TERM "$pid"
	wait "$pid" || got=$?
	exec 7>&-
	[ "$got" -eq 143 ]
	[ "$(rows a.otr)" -eq 2 ]
	grep -q 'signal 15; 2 rows were committed' slow.err
	sound a.otr
}

@test "INT, TERM, HUP before the end of the input: nothing is committed, it says so and dies of the signal" {
	local name number got pid
	pump a.otr
	mkfifo slow
	while read -r name number; do
		# a shell ignores INT for what it starts in the background; the tool keeps that, so env gives it back
		env --default-signal=INT,TERM,HUP otr-append a.otr <slow 2>slow.err 3>&- &
		pid=$!
		exec 7>slow
		printf 'time,temp,on\n1710000000,1,1\n' >&7
		sleep 0.15
		got=0
		kill "-$name" "$pid"
		wait "$pid" || got=$?
		exec 7>&-
		[ "$got" -eq $((128 + number)) ]
		grep -q "ended by signal $number; nothing was committed" slow.err
		[ "$(rows a.otr)" -eq 5 ]
	done <<-END
		INT 2
		TERM 15
		HUP 1
	END
	sound a.otr
}

@test "kill -9 and TERM at any moment: the rows of the old version or of the new; after status 0 of the new" {
	local i got pid n
	pump before 100
	awk 'BEGIN { srand(1); print "time,temp"; for (i = 0; i < 60000; i++) print 1710000000 + i "," rand() }' >in.csv
	for i in 0 1 2 4 7 12 20 30 45 70; do
		for name in KILL TERM; do
			cp before a.otr
			otr-append -q a.otr in.csv 2>slow.err 3>&- &
			pid=$! got=0
			sleep "0.0$i"
			kill "-$name" "$pid" 2>/dev/null || :
			wait "$pid" || got=$?
			n=$(rows a.otr)
			[ "$n" -eq 60100 ] || { [ "$n" -eq 100 ] && [ "$got" -ne 0 ]; }
			sound a.otr
		done
	done
}

@test "a one-row append makes one durable slot write, and no file is made" {
	needs strace
	pump a.otr 3000
	printf 'time,temp\n1710000000,1\n' >in.csv
	strace -f -qq -o trace -e trace=pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range otr-append -q a.otr in.csv
	[ "$(grep -c pwrite trace)" -eq 1 ]
	[ "$(grep -cE 'pwritev2.*RWF_DSYNC|fdatasync|fsync\([0-9]+\)' trace)" -ge 1 ]
	grep -qE 'pwrite.*, (4096|8192)(, RWF_DSYNC)?\) = 4096$' trace
	mkdir tmp
	printf 'time,temp\n1710000001,1\n' >in.csv
	TMPDIR=$PWD/tmp made otr-append -q a.otr in.csv >names
	same a.otr names
	awk 'BEGIN { print "time,temp"; for (i = 90000; i > 0; i--) print 1720000000 + i "," i }' >in.csv
	TMPDIR=$PWD/tmp made otr-append -q a.otr in.csv >names
	same a.otr names
}

@test "the same bytes under every locale and TZ" {
	otr-create a.otr v
	printf 'time,v\n2023-11-14 22:13,1\n1700000000.5,2.5\n' | otr-append -q a.otr
	printf 'time,v\n2023-11-14T22:13:20.123,"1,5"\n' >in.csv
	everywhere otr-append a.otr in.csv
	printf 'time,v\n2023-11-14 22:13,1\n1700000000.5,2.5\n' >in.csv
	everywhere otr-append --print-version a.otr in.csv
	otr-dump -N a.otr >out
	same $'2023-11-14T22:13:00.000Z,1\n2023-11-14T22:13:20.500Z,2.5' out
}

@test "ten million bytes of ordered rows need little memory" {
	needs prlimit
	otr-create a.otr v
	awk 'BEGIN { print "time,v"; for (i = 0; i < 1000000; i++) print 1700000000 + i "," i % 97 }' >in.csv
	expect 0 prlimit --as=$((96 << 20)) otr-append a.otr in.csv
	expect 0 prlimit --as=$((64 << 20)) otr-query -w 1h a.otr
	prlimit --as=$((64 << 20)) otr-dump -N --time-format s a.otr | cmp - <(tail -n +2 in.csv)
}

@test "a file of fixed size: input beyond its eighth is committed in pieces, each told and each durable; what comes too late is skipped" {
	otr-create --max-size 1Mi a.otr v:i64
	python3 -c '
import random
r = random.Random(1)
print("time,v")
for i in range(200000):
    print("%d,%d" % (1700000000 + i, r.getrandbits(62)))' >in.csv
	expect 0 otr-append -v --print-version a.otr in.csv
	[ "$(wc -l <out)" -gt 5 ]
	seq "$(wc -l <out)" | diff - out
	[ "$(sed -n 's/^otr-append: a.otr: version [0-9]*: \([0-9]*\) rows$/\1/p' err | awk '{ n++; sum += $1 } END { print n, sum }')" = "$(wc -l <out) 200000" ]
	says "200000 rows = 200000 new [+] 0 replaced [+] 0 skipped; version $(wc -l <out)\$"
	[ "$(stat -c %s a.otr)" -le 1048576 ]
	sound a.otr
	tail -n 1 in.csv | diff - <(otr-query --last 1 -N --time-format s a.otr)
	expect 0 otr-append -v -N a.otr - <<<1700000000,5
	says '1 rows = 0 new [+] 0 replaced [+] 1 skipped'
	sound a.otr
}

@test "a bad row after pieces were committed: 3, its line, and what is committed" {
	otr-create --max-size 1Mi --duplicates error a.otr v:i64
	awk 'BEGIN { print "time,v"; for (i = 0; i < 600000; i++) print 1700000000 + i "," i % 7 }' >in.csv
	echo 1700599990,1 >>in.csv
	expect 3 otr-append a.otr in.csv
	says '^otr-append: in.csv:600002: a second row at 2023-11-21T20:53:10Z'
	says '^otr-append: a.otr: [1-9][0-9]* rows were committed, up to version [1-9][0-9]*$'
	sound a.otr
	otr-create -f --max-size 1Mi b.otr v:i64
	sed '$ s/1$/x/' in.csv >bad.csv
	expect 3 otr-append b.otr bad.csv
	says '^otr-append: bad.csv:600002: column "v"'
	says '[1-9][0-9]* rows were committed, up to version [1-9][0-9]*$'
}

@test "SPEC 9.4: a few rows that come a little late into a file of fixed size are one commit, all or nothing" {
	otr-create --max-size 1Mi a.otr v
	awk 'BEGIN { for (i = 0; i < 3000; i++) print 1700000000 + i ",1" }' | otr-append -N a.otr
	printf '1700009000,1\n1700009100,1\n' | otr-append -N a.otr
	printf '1700009050,2\n1700009200,2\n' >in.csv
	expect 0 otr-append -N --print-version a.otr in.csv
	[ "$(cat out)" = 3 ]
	otr-meta a.otr otr.duplicates=error
	printf '1700010000,1\n1700010100,1\n' | otr-append -N a.otr
	printf '1700010050,2\n1700010100,2\n1700010200,2\n' >in.csv
	refuse 3 'in.csv:2: a second row' otr-append -N a.otr in.csv
	says 'nothing was committed'
	[ "$(rows a.otr)" -eq 3006 ]
	sound a.otr
}

@test "a line with # in column 0 is a comment, whatever the first field is" {
	otr-create a.otr v
	printf 'note,when,v\na,1700000000,1\n#b,1700000001,2\n#,1700000002,NaN\nb#,1700000003,4\n' >in.csv
	expect 0 otr-append -v -t when --ignore-unknown a.otr in.csv
	says 'read 5 = 2 rows \+ 0 rejected \+ 0 blank \+ 2 comment \+ 1 header'
	[ "$(otr-dump -N --time-format s a.otr | tr '\n' ' ')" = '1700000000,1 1700000003,4 ' ]
}

@test "SIGUSR1 asks how far it is: rows, rows a second, and the part of files; nothing is lost for it" {
	python3 "$OTR_ROOT/tests/progress.py" append
}

@test "on a terminal one line says how far it is, and is gone in the end; a message stands alone; nothing with -q" {
	python3 -c "import pty; pty.openpty()" 2>/dev/null || skip "no pseudo-terminal"
	python3 "$OTR_ROOT/tests/progress.py" terminal
}

@test "--progress and --no-progress exclude each other, and --progress says no to -q" {
	usage '--progress: has no effect with --no-progress' otr-append --progress --no-progress a.otr
	usage '--progress: has no effect with --quiet' otr-append -q --progress a.otr
}

@test "a comment ends with its line, also where a quote opens in it" {
	otr-create a.otr v
	printf '\357\273\277# from "x, "y\ntime,v\n1700000000,1\n# was, "5\n1700000001,2\n1700000002,"3"\n# "\n"1700000003",4\n# the end, "' >in.csv
	expect 0 otr-append -v a.otr in.csv
	says 'read 9 = 4 rows \+ 0 rejected \+ 0 blank \+ 4 comment \+ 1 header'
	[ "$(otr-dump -N --time-format s a.otr | tr '\n' ' ')" = '1700000000,1 1700000001,2 1700000002,3 1700000003,4 ' ]
}

@test "a row with more or fewer fields is bad, also where the last one is skipped" {
	otr-create a.otr v
	local row
	for row in 1700000001,1,5,a 1700000001,1,,,, '1700000001,1,"a",b' 1700000001,1; do
		printf 'time,v,note\n1700000000,1,a\n%s\n' "$row" >in.csv
		expect 3 otr-append --ignore-unknown a.otr in.csv
		says "^otr-append: in.csv:3: $(tr -cd , <<<"$row" | wc -c | awk '{ print $1 + 1 }') fields, 3 expected"
		printf 'time,v,note\r\n1700000000,1,a\r\n%s\r\n' "$row" | tr , '\t' | tr -d '"' >in.tsv
		expect 3 otr-append -F tsv --ignore-unknown a.otr in.tsv
		says '^otr-append: in.tsv:3: .* fields, 3 expected'
	done
	[ "$(otr-log -N a.otr | wc -l)" -eq 1 ]
	printf 'time,v,note\n1700000000,1,a b\n1700000001,2,\n1700000002,3,"a,b"\n1700000003,4,a\r\n' >in.csv
	expect 0 otr-append --ignore-unknown a.otr in.csv
	[ "$(otr-dump -N --time-format s a.otr | tr '\n' ' ')" = '1700000000,1 1700000001,2 1700000002,3 1700000003,4 ' ]
}

@test "-d space: a blank between day and time of day parts two fields, whatever the line" {
	otr-create a.otr v w x
	printf 'time v w x\n2023-11-14T22:13:20Z 1 2 3\n2023-11-14 22:13:21Z 1 2 3\n' >in.csv
	expect 3 otr-append -d space a.otr in.csv
	says '^otr-append: in.csv:3: 5 fields, 4 expected'
	printf 'day clock v w x\n2023-11-14 22:13:20 5  \n2023-11-15 22:13:20 6 1 2\n"2023-11-16 22:13:20" a 7  \n' >in.csv
	expect 0 otr-append -d space --ignore-unknown a.otr in.csv
	otr-dump -N a.otr >out
	same $'2023-11-14T00:00:00Z,5,,\n2023-11-15T00:00:00Z,6,1,2\n2023-11-16T22:13:20Z,7,,' out
}

@test "a limit of the size of files (ulimit -f) is an error of the write: 5 and a word, the file as it was, nothing left behind" {
	pump a.otr 20000
	seq 1701300000 1701319999 | sed 's/$/,1,1/' >in.csv
	sha256sum a.otr >sum
	local size command
	for size in 1 8 16; do
		# in a shell of its own, so that only the tool is under it; what a build for coverage counts would not fit either, and take what was counted before with it
		for command in 'append -N a.otr in.csv' 'compact a.otr' 'compact a.otr b.otr' 'dump -o b.csv a.otr' 'query -w 1m -o b.csv a.otr' \
			'verify --salvage b.otr a.otr' 'meta a.otr big='"$(printf 'x%.0s' {1..70000})"; do
			local got=0
			# shellcheck disable=SC2086
			(ulimit -f "$size" && exec env GCOV_PREFIX=/dev/null otr-$command) 2>err || got=$?
			[ "$got" -eq 5 ] || { echo "status $got of $command, $size KiB"; return 1; }
			says 'File too large'
			[ -z "$(find . -name '.*' -type f)" ] && [ ! -e b.otr ] && [ ! -e b.csv ] || { ls -A; return 1; }
			otr-verify a.otr
			[ "$(rows a.otr)" -eq 20000 ]
		done
	done
	expect 0 otr-append -N a.otr in.csv
	[ "$(rows a.otr)" -eq 40000 ]
}

@test "a slot whose write failed: its message says that its state is unknown, and none says that nothing was committed" {
	needs strace
	otr-create a.otr v
	seq 1700000000 1700000005 | sed 's/$/,1/' >in.csv
	refuse 5 'state of version 1 unknown' strace -qq -o trace -e inject=pwritev2:error=EIO otr-append -N a.otr in.csv
	! grep -q 'nothing was committed' err
	rm a.otr
	otr-create a.otr v
	refuse 5 'state of version 3 unknown' strace -qq -o trace -e inject=pwritev2:error=EIO:when=3 otr-append --commit-every 2 -N a.otr in.csv
	says '4 rows were committed before that, up to version 2'
	[ "$(rows a.otr)" -eq 4 ]
}
