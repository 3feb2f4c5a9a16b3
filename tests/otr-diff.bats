#!/usr/bin/env bats
# otr-diff.bats - otr-diff from outside: versions and files, runs and rows, ranges, columns, what is read.

load tools

# put FILE FROM TO: rows t = FROM..TO s, v = t, as one commit.
put() {
	seq "$2" "$3" | awk '{ print $1 "," $1 }' | otr-append -N --any-time "$1"
}

# one FILE ROW: one row.
one() {
	echo "$2" | otr-append -N --any-time "$1"
}

# runs ARGUMENT...: the runs as `start,end,before,after` in seconds, in one line; the status must fit.
runs() {
	local got=0
	otr-diff -N --time-format s "$@" >runs.out || got=$?
	if [ -s runs.out ]; then [ "$got" -eq 1 ]; else [ "$got" -eq 0 ]; fi || { echo "status $got"; return 1; }
	sed 's/\.000000000,/,/; s/\.000000001,/+,/' runs.out | paste -sd' '
}

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-diff
}

@test "usage errors: status 2, two lines, nothing on stdout" {
	pump a.otr
	usage 'needed' otr-diff
	usage 'needed' otr-diff a.otr
	usage 'more than three' otr-diff a.otr 0 1 2
	usage 'unknown option' otr-diff --no-such a.otr 0 1
	usage 'VERSION: not a version: "newest-x"' otr-diff a.otr 0 newest-x
	usage 'need an @' otr-diff a.otr 0 1700000000.5
	usage 'VERSION' otr-diff a.otr 0 nonsense
	usage 'VERSION' otr-diff a.otr 0 ''
	usage 'limit' otr-diff -n -1 a.otr 0 1
	usage 'not a format' otr-diff -F binary a.otr 0 1
	usage 'no effect' otr-diff --null-value x a.otr 0 1
	usage 'no effect' otr-diff -q --rows a.otr 0 1
	usage 'no effect' otr-diff -d , -F tsv a.otr 0 1
	usage 'after the end' otr-diff -s @5 -e @4 a.otr 0 1
	usage 'twice' otr-diff -c temp,temp a.otr 0 1
	usage 'twice' otr-diff - -
	refuse 2 'no column "tmp"; columns are: temp, on' otr-diff -c tmp a.otr 0 1
	refuse 2 'no version 8' otr-diff a.otr 0 8
	refuse 2 'newest-9' otr-diff a.otr newest-9 1
	refuse 2 'old' otr-diff a.otr 2001-01-01 1
	refuse 5 'No such file' otr-diff a.otr no.otr
}

@test "appends, late rows, replaced rows: maximal runs, end is 1 ns behind the last; swapped they mirror" {
	local size
	for size in 4Ki 64Ki; do
		otr-create -f --page-size $size a.otr v
		put a.otr 0 99
		put a.otr 100 109
		one a.otr 55,-1
		one a.otr 20.5,7
		one a.otr 200,1
		[ "$(runs a.otr 0 1)" = '0,99+,0,100' ]
		[ "$(runs a.otr 1 2)" = '100,109+,0,10' ]
		[ "$(runs a.otr 2 3)" = '55,55+,1,1' ]
		[ "$(runs a.otr 3 4)" = '20.500000000,20.500000001,0,1' ]
		[ "$(runs a.otr 1 5)" = '20.500000000,20.500000001,0,1 55,55+,1,1 100,200+,0,11' ]
		[ "$(runs a.otr 5 1)" = '20.500000000,20.500000001,1,0 55,55+,1,1 100,200+,11,0' ]
		[ "$(runs a.otr 2 2)" = '' ]
		[ "$(runs a.otr newest newest)" = '' ]
		[ "$(runs a.otr newest-1 newest)" = '200,200+,0,1' ]
		[ "$(runs a.otr 0 @2000000000)" = "$(runs a.otr 0 newest)" ] || [ "$(date +%s)" -gt 2000000000 ]
		[ "$(runs -n 1 a.otr 1 5)" = '20.500000000,20.500000001,0,1' ]
		[ "$(runs -s @21 -e @101 a.otr 1 5)" = '55,55+,1,1 100,100+,0,1' ]
		[ "$(runs -s @55 -e @55 a.otr 1 5)" = '' ]
		[ "$(runs -s @55.000000001 -e @100 a.otr 1 5)" = '' ]
	done
	expect 1 otr-diff -n 0 a.otr 1 5
	same start,end,rows_before,rows_after out
	expect 1 otr-diff a.otr 2 3
	same $'start,end,rows_before,rows_after\n1970-01-01T00:00:55.000000000Z,1970-01-01T00:00:55.000000001Z,1,1' out
	expect 1 otr-diff -z +01:00 -F tsv -N a.otr 2 3
	same $'1970-01-01T01:00:55.000000000+01:00\t1970-01-01T01:00:55.000000001+01:00\t1\t1' out
	expect 1 otr-diff --json a.otr 2 3
	same '{"start":"1970-01-01T00:00:55.000000000Z","end":"1970-01-01T00:00:55.000000001Z","rows_before":1,"rows_after":1}' out
	expect 1 otr-diff -q a.otr 2 3
	[ ! -s out ] && [ ! -s err ]
	expect 0 otr-diff -q a.otr 3 3
	[ ! -s out ] && [ ! -s err ]
}

@test "--rows: change, time and values, - before + at one time; nulls, NaN bits and -0 are differences" {
	otr-create a.otr v on:bool
	printf 'time,v,on\n1,1,0\n2,NaN,1\n3,0,\n4,4,1\n' | otr-append --any-time a.otr
	printf 'time,v,on\n2,NaN(0x7ff8000000000001),1\n3,-0,\n4,4,\n5,5,1\n' | otr-append --any-time a.otr
	expect 1 otr-diff --rows a.otr 1 2
	cat >want <<-'END'
		change,time,v,on
		-,1970-01-01T00:00:02Z,NaN,1
		+,1970-01-01T00:00:02Z,NaN(0x7ff8000000000001),1
		-,1970-01-01T00:00:03Z,0,
		+,1970-01-01T00:00:03Z,-0,
		-,1970-01-01T00:00:04Z,4,1
		+,1970-01-01T00:00:04Z,4,
		+,1970-01-01T00:00:05Z,5,1
	END
	cmp want out
	expect 1 otr-diff --rows -N -n 3 --null-value NULL -c on -s @4 a.otr 1 2
	same $'-,1970-01-01T00:00:04Z,1\n+,1970-01-01T00:00:04Z,NULL\n+,1970-01-01T00:00:05Z,1' out
	expect 1 otr-diff -N -c on a.otr 1 2
	[ "$(wc -l <out)" -eq 1 ]
	expect 1 otr-diff --rows --json -s @3 -e @4 a.otr 1 2
	same $'{"change":"-","time":"1970-01-01T00:00:03Z","v":0,"on":null}\n{"change":"+","time":"1970-01-01T00:00:03Z","v":-0,"on":null}' out
}

@test "keep: of the rows of one time the equal ones at the front and the back are equal, the run counts them all" {
	otr-create --duplicates keep a.otr v
	otr-create --like a.otr b.otr
	printf '%s\n' 1,1 5,1 5,2 5,3 9,9 | otr-append -N --any-time a.otr
	printf '%s\n' 1,1 5,1 5,7 5,8 5,3 9,9 | otr-append -N --any-time b.otr
	[ "$(runs a.otr b.otr)" = '5,5+,3,4' ]
	expect 1 otr-diff --rows -N --time-format s a.otr b.otr
	same $'-,5,2\n+,5,7\n+,5,8' out
	one a.otr 5,4
	[ "$(runs a.otr 1 2)" = '5,5+,3,4' ]
	expect 1 otr-diff --rows -N --time-format s a.otr 1 2
	same '+,5,4' out
}

@test "two files: columns by name; one that only one side has, or of another type, is a difference told on stderr" {
	otr-create a.otr x y z:i64
	otr-create --page-size 4Ki b.otr y x
	otr-create c.otr x:f32 y
	printf 'time,x,y,z\n1,1,2,3\n2,3,4,5\n' | otr-append --any-time a.otr
	printf 'time,x,y\n1,1,2\n2,3,4\n' | tee in.csv | otr-append --any-time b.otr
	otr-append --any-time c.otr in.csv
	expect 1 otr-diff a.otr b.otr
	same start,end,rows_before,rows_after out
	says 'b.otr: no column "z", which a.otr has'
	expect 0 otr-diff -c y,x a.otr b.otr
	[ ! -s err ]
	expect 1 otr-diff b.otr a.otr
	says 'b.otr: no column "z"'
	expect 1 otr-diff -q a.otr b.otr
	[ ! -s err ] && [ ! -s out ]
	expect 1 otr-diff b.otr c.otr
	says 'column "x" is not of the type'
	one b.otr 2,7,3
	[ "$(runs -c x,y b.otr a.otr)" = '2,2+,1,1' ]
	expect 1 otr-diff --rows -N --time-format s -c x b.otr c.otr
	says 'type'
	[ ! -s out ]
	expect 0 otr-diff a.otr - <a.otr
}

@test "a repaired reject, a permutation, a replayed feed: the diff is that, or nothing" {
	otr-create a.otr v
	otr-create b.otr v
	seq 0 999 | awk '{ print $1 "," $1 * 7 % 11 }' >in.csv
	otr-append -N --any-time a.otr in.csv
	sort -R --random-source=<(yes) in.csv | otr-append -N --any-time b.otr
	expect 0 otr-diff a.otr b.otr
	sed 's/^500,.*/500,-1/' in.csv | otr-append -N --any-time b.otr
	[ "$(runs b.otr newest-1 newest)" = '500,500+,1,1' ]
	[ "$(runs a.otr b.otr)" = '500,500+,1,1' ]
}

@test "it equals a diff of the two dumps; work follows the change: --explain tells few pages" {
	otr-create --page-size 4Ki a.otr v:i64
	seq 0 199999 | awk '{ print $1 "," $1 * 31 % 1009 }' | otr-append -N --any-time a.otr
	printf '77777,-1\n150000.5,-2\n' | otr-append -N --any-time a.otr
	expect 1 otr-diff --explain --rows -N --time-format ns a.otr 1 2
	sed -n 's/.* read \([0-9]*\) leaf, \([0-9]*\) inner, .*/\1 \2/p' err | awk '{ exit $1 + $2 >= 30 }'
	sed 's/^\(.\),/\1/' out >have
	diff <(otr-dump -N --time-format ns --at 1 a.otr) <(otr-dump -N --time-format ns a.otr) | sed -n 's/^< /-/p; s/^> /+/p' | diff - have
	expect 1 otr-diff --explain a.otr 0 2
	sed -n 's/.* read \([0-9]*\) leaf, \([0-9]*\) inner, .*/\1 \2/p' err | awk '{ exit $1 + $2 >= 12 }'
	silent_pipe otr-diff --rows a.otr 0 1
	refuse_full otr-diff a.otr 0 1
	everywhere otr-diff --rows -n 5 a.otr 1 2
}

@test "versions, the table: append, delete, merge, rollback; any two differ as the rows do" {
	command -v otr-delete >/dev/null && command -v otr-rollback >/dev/null || skip 'no otr-delete and otr-rollback yet'
	otr-create a.otr v
	put a.otr 0 99
	put a.otr 100 109
	otr-delete -s @50 -e @60 a.otr
	one a.otr 55,-1
	one a.otr 55,-2
	otr-rollback a.otr 2
	put a.otr 110 119
	otr-log -N -r a.otr | cut -d, -f1,4,5 | paste -sd' ' >out
	same '0,create,0 1,append,100 2,append,110 3,delete,100 4,merge,101 5,merge,101 6,rollback,110 7,append,120' out
	[ "$(runs a.otr 0 1)" = '0,99+,0,100' ]
	[ "$(runs a.otr 1 2)" = '100,109+,0,10' ]
	[ "$(runs a.otr 2 3)" = '50,59+,10,0' ]
	[ "$(runs a.otr 3 4)" = '55,55+,0,1' ]
	[ "$(runs a.otr 4 5)" = '55,55+,1,1' ]
	[ "$(runs a.otr 5 6)" = '50,59+,1,10' ]
	[ "$(runs a.otr 6 7)" = '110,119+,0,10' ]
	[ "$(runs a.otr 2 6)" = '' ]
	[ "$(runs a.otr 2 5)" = '50,59+,10,1' ]
	[ "$(runs a.otr 3 7)" = '50,59+,0,10 110,119+,0,10' ]
	[ "$(runs a.otr 0 7)" = '0,119+,0,120' ]
	[ "$(runs a.otr 2 1)" = '100,109+,10,0' ]
	expect 2 otr-diff a.otr 7 8
}
