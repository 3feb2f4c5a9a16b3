#!/usr/bin/env bats
# otr-stat.bats - otr-stat from outside: keys, lists, --scan, hostile files.

load tools

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-stat
}

@test "usage errors: status 2, two lines, nothing on stdout" {
	pump a.otr
	usage 'no FILE' otr-stat
	usage 'unknown option' otr-stat --no-such a.otr
	usage 'no effect' otr-stat -l --json a.otr
	usage 'no effect' otr-stat -l --scan a.otr
	usage 'perhaps Europe/Berlin' otr-stat -z Europe/Berln a.otr
	usage 'at' otr-stat --at '' a.otr
	usage 'given twice' otr-stat --at 1 --at 0 a.otr
	refuse 2 '' otr-stat --at 9 a.otr
	refuse 2 'seekable' bash -c 'cat a.otr | otr-stat -'
	expect 0 otr-stat - <a.otr
}

@test "--json: one strict object a file with every key; --scan fills those that need every page" {
	otr-create --gap 90s --duplicates keep --meta 'site="A"' a.otr temp:f32:degC n:i64 on:bool
	awk 'BEGIN { print "time,temp,n,on"; for (i = 0; i < 3000; i++) print 1700000000 + 60 * i + (i > 1500) * 1000 "," (i % 10 ? i / 8 : "NaN") "," (i % 7 ? i : "") "," i % 2 }' | otr-append -m 'first' --author me a.otr
	printf 'time,temp\n1700000060,1\n' | otr-append -q a.otr
	expect 0 otr-stat --json --scan a.otr ./a.otr
	cp out scanned
	expect 0 otr-stat --json a.otr
	python3 - <<'PY'
import json
def strict(pairs):
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)
scanned = [json.loads(line, object_pairs_hook=strict) for line in open('scanned')]
plain = json.loads(open('out').read(), object_pairs_hook=strict)
assert len(scanned) == 2 and scanned[1]['file'] == './a.otr'
keys = 'file format id page_size size version oldest_version versions rows first last time_unit bytes_per_row depth gap policy meta commit columns pages fill gaps duplicates'.split()
for s in scanned + [plain]:
    assert list(s) == keys, list(s)
    assert list(s['columns'][0]) == 'name type unit interpolation count nulls nans min max mean encodings'.split()
    assert list(s['commit']) == 'version time author kind rows message'.split()
    assert list(s['pages']) == 'total leaf inner log meta free'.split()
    assert s['rows'] == 3001 and s['version'] == 2 and s['versions'] == 3 and s['meta']['site'] == '"A"'
    assert s['policy'] == {'duplicates': 'keep', 'max_size': None, 'retain': None, 'history': 'all'}
    t, n, on = s['columns']
    assert (t['count'], t['nulls'], t['nans'], t['unit']) == (2701, 0, 300, 'degC')
    assert (n['count'], n['nulls'], n['min'], n['max']) == (2571, 430, 1, 2999)
    assert (on['count'], on['min'], on['max'], on['type']) == (3000, 0, 1, 'bool')
assert plain['fill'] is None and plain['gaps'] is None and plain['duplicates'] is None and plain['pages']['leaf'] is None
assert scanned[0]['duplicates'] == 1 and scanned[0]['gaps'] == {'count': 1, 'longest': 1060}, (scanned[0]['duplicates'], scanned[0]['gaps'])
assert scanned[0]['pages']['leaf'] >= 1 and scanned[0]['columns'][0]['encodings']
PY
	expect 0 otr-stat --json --at 1 a.otr
	grep -q '"version":1,.*"rows":3000,.*"author":"me","kind":"append","rows":3000,"message":"first"' out
}

@test "-l: one CSV line a file; of three one is missing: the other two are answered, status 5" {
	pump a.otr
	cp a.otr 'b,"c.otr'
	expect 5 otr-stat -l a.otr no.otr 'b,"c.otr'
	head -n 1 out | grep -qx 'file,rows,first,last,version,size,bytes_per_row'
	[ "$(wc -l <out)" -eq 3 ]
	grep -q '^a.otr,5,2023-11-14T22:13:20Z,2023-11-14T22:17:20Z,1,' out
	grep -qF '"b,""c.otr",5,' out
	says '^otr-stat: no.otr: .*No such file'
	otr-create e.otr v
	expect 0 otr-stat -l e.otr
	grep -q '^e.otr,0,,,0,16384,' out
	expect 0 otr-stat -l -z +01:00 a.otr
	grep -q '2023-11-14T23:13:20+01:00' out
}

many_pages() {
	otr-create --page-size 4Ki a.otr v
	awk 'BEGIN { srand(1); print "time,v"; for (i = 0; i < 60000; i++) print 1700000000 + i "," rand() }' | otr-append a.otr
}

@test "--scan of many pages: kinds, encodings and bytes add up, in the text and in JSON" {
	many_pages
	otr-stat --scan a.otr >text
	otr-stat --scan --json a.otr >json
	python3 - <<'PY'
import json, os, re
text, s = open('text').read(), json.load(open('json'))
p = s['pages']
assert p['total'] * 4096 == os.path.getsize('a.otr') and p['leaf'] > 40 and p['inner'] > 1, p
live = p['leaf'] + p['inner'] + p['log'] + p['meta']
assert 'pages: %d, %d live, %d free\n' % (p['total'], live, p['free']) in text, text
assert live + p['free'] + 4 == p['total'], p
pack = s['columns'][0]['encodings']
assert all(n <= p['leaf'] for n in pack.values()) and max(pack.values()) == p['leaf'], pack
assert re.search(r'(?m)^fill: %d %%$' % (100 * s['fill'] + 0.5), text) and 0.5 < s['fill'] <= 1, s['fill']
PY
}

@test "a few page reads, whatever the size" {
	needs strace
	many_pages
	strace -qq -o trace -e trace=pread64,read,preadv,preadv2 otr-stat a.otr >out
	[ "$(grep -c pread trace)" -le 12 ]
	made otr-stat --scan a.otr >names
	[ ! -s names ]
}

@test "the time of the commit that it tells is one for --at" {
	pump a.otr
	local i at
	for i in 2 3 4 5 6 7 8 9; do
		printf 'time,temp\n%d,1\n' $((1710000000 + i)) | otr-append -q a.otr
		at=$(otr-stat a.otr | sed -n 's/^commit: \([^,]*\),.*/\1/p')
		otr-stat --at "$at" a.otr | grep -q "^version: $i "
	done
}

@test "not OTR, empty, short, damaged: 4 in different words; a full or a closed stdout is 5" {
	pump a.otr 5000
	: >empty
	echo text >text
	head -c 8000 a.otr >short
	refuse 4 'empty: empty file' otr-stat empty
	refuse 4 'text: not an OTR file' otr-stat text
	refuse 4 'short: truncated' otr-stat short
	refuse 5 'no: .*No such file' otr-stat no
	refuse 5 '' otr-stat .
	python3 - <<'PY'
b = bytearray(open('a.otr', 'rb').read())
b[-4000] ^= 1
open('bad', 'wb').write(b)
PY
	expect 4 otr-stat bad
	says 'version 1 cannot be read.*version 0 is read'
	refuse_full otr-stat a.otr
	refuse_full otr-stat --json a.otr
	refuse_full otr-stat -l a.otr
	local got=0
	otr-stat a.otr >&- 2>err || got=$?
	[ "$got" -eq 5 ]
}

@test "control characters of a hostile file reach neither stdout nor stderr raw" {
	cp "$OTR_ROOT/tests/files/good-001-empty.txt" .
	local i=0 fields tool
	while IFS= read -r fields; do
		i=$((i + 1))
		printf '%b' "from good-001-empty\n$fields" >"hostile-$i.txt"
		"$OTR_ROOT/tests/mkotr" "hostile-$i.txt" "hostile-$i.otr" || continue
		for tool in otr-dump otr-query otr-stat 'otr-stat --json' 'otr-stat -l' 'otr-stat --scan' otr-verify 'otr-verify --json' 'otr-verify -v'; do
			# shellcheck disable=SC2086
			$tool "hostile-$i.otr" >out 2>err || :
			plain out
			plain err
			[ -s out ] || [ -s err ] || [ "$tool" = otr-verify ] || [ "$tool" = 'otr-verify --json' ]
		done
		otr-append "hostile-$i.otr" >out 2>err <<<'time,x' || :
		plain err
	done <<-'END'
		header again\n  page_exponent 12\n  column f64 linear "a\033[31mb"\n
		header again\n  page_exponent 12\n  column f64 linear "a\\302\\233b\\342\\200\\256"\n
		slot 0 again\n  record create\n    version 0\n    author "a\033[7mnn"\n    rows 0\n
		slot 0 again\n  record create\n    version 0\n    author ann\n    message "one\ttwo\033]0;x\007"\n    rows 0\n
	END
	[ -e hostile-1.otr ] || [ -e hostile-3.otr ] || skip 'mkotr made none of them'
}

@test "the same bytes under every locale and TZ" {
	pump a.otr
	printf 'time,temp\n1700000001.5,-1.5e-7\n' | otr-append -q a.otr
	everywhere otr-stat --scan a.otr
	everywhere otr-stat --json -z Asia/Kolkata a.otr
	everywhere otr-stat -l a.otr no.otr
}

@test "popt's own traps: a hostile ~/.popt changes nothing, !#:+ is text" {
	pump a.otr
	mkdir home
	printf '%s\n' 'otr-stat alias -l --json' >home/.popt
	HOME=$PWD/home expect 0 otr-stat -l a.otr
	head -n 1 out | grep -q '^file,'
	usage 'at.*!#:[+]' otr-stat --at '!#:+' a.otr
}
