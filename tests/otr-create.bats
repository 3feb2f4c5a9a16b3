#!/usr/bin/env bats
# otr-create.bats - otr-create from outside, and what all tools have in common.

load tools

@test "--help and --version: stdout, 80 by 50, status 0; 5 on a full disk" {
	help_and_version otr-create
}

@test "a letter and a long name have one meaning in all tools, and every one stands in its manual page" {
	python3 - "$OTR_ROOT" <<'PY'
import glob, os, re, subprocess, sys
root, letters, names, wrong = sys.argv[1], {}, {}, []
for source in sorted(glob.glob(root + '/tools/otr-*.c')):
    tool = os.path.basename(source)[:-2]
    page = open(root + '/man/%s.1' % tool).read().replace('\\-', '-')
    documented = set(re.findall(r'Fl +([^\s,]+)', ' '.join(line for line in page.splitlines() if line.startswith('.It'))))
    for line in subprocess.run([tool, '--help'], stdout=subprocess.PIPE, text=True).stdout.splitlines():
        m = re.match(r' (?:-(\S),|   ) --([a-z-]+)', line)
        if not m:
            continue
        letter, name = m.groups()
        if letter and letters.setdefault(letter, name) != name:
            wrong.append('-%s is --%s and --%s' % (letter, letters[letter], name))
        if names.setdefault(name, letter) != letter:
            wrong.append('--%s: -%s and -%s' % (name, names[name], letter))
        if '-' + name not in documented or (letter and letter not in documented):
            wrong.append('%s: --%s is not in its page' % (tool, name))
sys.exit('\n'.join(wrong) if wrong else 0)
PY
}

@test "usage errors: status 2, two lines, nothing on stdout, no file" {
	usage 'no FILE' otr-create
	usage 'no COLUMN' otr-create a.otr
	usage 'unknown option: "--no-such"' otr-create --no-such a.otr v
	usage 'unknown option' otr-create -X a.otr v
	usage 'unknown option: "-7d"' otr-create -7d a.otr v
	usage 'needs a value' otr-create a.otr v -m
	usage 'takes no value' otr-create a.otr v --force=yes
	usage 'given twice' otr-create -m a -m b a.otr v
	usage 'given twice' otr-create --gap 1s --gap=1s a.otr v
	usage 'not a type' otr-create a.otr v:f65
	usage 'two columns of one name' otr-create a.otr v v:i64
	usage 'policy' otr-create --duplicates last a.otr v
	usage 'page size' otr-create --page-size 5000 a.otr v
	usage 'page size' otr-create --page-size 128Ki a.otr v
	usage 'page-size' otr-create --page-size -4Ki a.otr v
	usage 'page-size' otr-create --page-size 0x1000 a.otr v
	usage 'gap' otr-create --gap 1.5h a.otr v
	usage 'gap' otr-create --gap 1mo a.otr v
	usage 'gap' otr-create --gap 0s a.otr v
	usage 'gap' otr-create --gap 90 a.otr v
	usage 'no column' otr-create --step-column w a.otr v
	usage 'linear too' otr-create --step-column v --linear-column v a.otr v
	usage 'empty name' otr-create --step-column '' a.otr v
	usage 'wait: has no effect' otr-create -W 1 a.otr v
	usage 'stdout' otr-create - v
	usage 'given by --like' otr-create --like b.otr a.otr v
	usage 'message' otr-create -m $'a\033b' a.otr v
	usage 'message' otr-create -m $'\xff' a.otr v
	usage 'meta' otr-create --meta novalue a.otr v
	usage 'otr' otr-create --meta otr.retain=5 a.otr v
	usage 'retain: .*not a length|retain: ' otr-create --retain 90 a.otr v
	usage 'retain: .*month' otr-create --retain 3mo a.otr v
	usage 'retain: out of range' otr-create --retain 0s a.otr v
	usage 'retain: ' otr-create --retain 1.5h a.otr v
	usage 'max-size: not a number' otr-create --max-size big a.otr v
	usage 'max-size: not a number' otr-create --max-size -1 a.otr v
	usage 'max-size: out of range' otr-create --max-size 99999999999G a.otr v
	usage 'history: ' otr-create --history some a.otr v
	usage 'history: ' otr-create --history -1 a.otr v
	usage 'history: ' otr-create --history 5M5 a.otr v
	usage 'history: .*month' otr-create --history 1y a.otr v
	usage 'cannot keep all history within a fixed size' otr-create --history all --max-size 10Mi a.otr v
	usage 'without a max-size' otr-create --history fits a.otr v
	refuse 2 'at least [0-9]+' otr-create --max-size 32Ki a.otr v
	refuse 2 'at most 2\^63 - 1' otr-create --max-size 9223372036854775808 a.otr v
	[ ! -e a.otr ]
}

@test "names that a column cannot have" {
	local name
	for name in '' time time_ms file ' v' 'v ' 'a,b' 'a=b' 'a"b' $'a\tb' $'a\033b' $'\xff'; do
		usage '' otr-create a.otr "$name"
	done
	[ ! -e a.otr ]
	expect 0 otr-create a.otr 'in the °C' x:i64 'Zeit' 'times'
	otr-dump a.otr >out
	same 'time,in the °C,x,Zeit,times' out
}

@test "a long option is not abbreviated, options may follow operands, -- ends them" {
	usage 'unknown option' otr-create --forc a.otr v
	expect 0 otr-create a.otr v --gap 5s
	expect 0 otr-create -- -b.otr v
	[ -e ./-b.otr ]
	usage 'not a type' env POSIXLY_CORRECT=1 otr-create c.otr v --gap 5:s
	[ ! -e c.otr ]
}

@test "popt's own traps: a hostile ~/.popt changes nothing, !#:+ is text" {
	mkdir home
	# shellcheck disable=SC2016
	printf '%s\n' 'otr-create alias --help --force' 'otr-create exec --version /bin/echo hacked' 'otr-create alias -m --author' '* alias --gap --meta' >home/.popt
	export HOME=$PWD/home
	expect 0 otr-create --version
	grep -q '^otr-create (OTR)' out
	expect 0 otr-create -m 'a !#:+ b' --meta 'k=!#:+!#:+' --gap 7s --author '!#:+' a.otr 'v!#' w
	expect 0 otr-stat --json a.otr
	grep -qF '"k":"!#:+!#:+"' out
	grep -qF '"author":"!#:+"' out
	grep -qF '"message":"a !#:+ b"' out
	expect 0 otr-create '!#:+' v
	[ -e '!#:+' ]
	expect 0 otr-stat -q '!#:+'
	usage 'unknown option: "--x!#:[+]"' otr-create '--x!#:+' b.otr v
}

@test "an existing file is refused and stays; with -f it is replaced, mode kept; a link, a directory, a device never" {
	pump a.otr
	cp a.otr before
	refuse 5 'exists' otr-create a.otr w
	cmp a.otr before
	chmod 640 a.otr
	expect 0 otr-create -f a.otr w:i32
	[ "$(stat -c %a a.otr)" = 640 ]
	otr-dump a.otr >out
	same time,w out
	ln -s a.otr link
	mkdir dir
	mkfifo pipe
	local name
	for name in link dir pipe /dev/null; do
		refuse 5 '' otr-create "$name" v
		refuse 5 '' otr-create -f "$name" v
	done
	[ -L link ] && [ -d dir ] && [ -p pipe ]
	expect 0 otr-create b.otr v
	[ "$(stat -c %a b.otr)" = 644 ]
	(umask 077 && otr-create c.otr v)
	[ "$(stat -c %a c.otr)" = 600 ]
}

@test "-f waits for the writer of the file it replaces: 6 if that goes on" {
	pump a.otr
	hold a.otr
	local start=$SECONDS
	refuse 6 'writer|lock|busy' otr-create -f -W 0 a.otr w
	[ $((SECONDS - start)) -le 1 ]
	release
	expect 0 otr-create -f -W 0 a.otr w
	sound a.otr
}

@test "nothing is made but in the file's directory, without a name or under a temporary one, and nothing of it is left" {
	needs strace
	mkdir dir tmp
	TMPDIR=$PWD/tmp made otr-create dir/a.otr v >names
	! grep -vE '^dir(/|$)|^/proc/self/fd/[0-9]+$' names || false
	ls -A dir >out
	same a.otr out
	TMPDIR=$PWD/tmp made otr-create -f dir/a.otr w >names
	! grep -vE '^dir(/|$)|^/proc/self/fd/[0-9]+$' names || false
	grep -q '^rename' <(grep -oE 'rename(at2?)?' trace) || grep -q rename trace
	[ -z "$(ls -A tmp)" ]
	ls -A dir >out
	same a.otr out
}

@test "no room on the disk: 5, no file, an existing one as it was" {
	local room
	for room in 0 512 4096 8192 16383; do
		refuse 5 '' limited "$room" otr-create a.otr v
		[ "$(find . -type f | sort | paste -sd' ')" = './err ./out' ]
	done
	pump a.otr
	cp a.otr before
	refuse 5 '' limited 4096 otr-create -f a.otr w
	cmp a.otr before
	refuse 5 'No such file' otr-create no/such/a.otr v
}

@test "--like copies columns, units, interpolation, policies and metadata, which options may change; a damaged or missing OTHER makes nothing" {
	expect 0 otr-create --gap 90s --duplicates keep --meta 'site=north wing' --step-column t a.otr t:f32:degC n:i64 b:bool d
	expect 0 otr-create --like a.otr b.otr
	local f
	for f in a b; do
		otr-stat "$f.otr" | grep -Ev '^(file|id|commit):' >"$f"
	done
	diff a b
	grep -q 'north wing' b
	expect 0 otr-create --like a.otr --gap none --duplicates first --meta site=south c.otr
	otr-stat c.otr >out
	grep -q '^gap: none' out
	grep -q 'duplicates first' out
	grep -q south out
	refuse 5 'no.otr: cannot open' otr-create --like no.otr d.otr
	echo text >text
	refuse 4 'not an OTR file' otr-create --like text d.otr
	[ ! -e d.otr ]
}

@test "policies: what is given is in force, --like copies it, and options change what is copied" {
	expect 0 otr-create --max-size 4Mi --retain 1w2h --duplicates keep a.otr v
	otr-stat --json a.otr | grep -q '"policy":{"duplicates":"keep","max_size":4194304,"retain":"7d2h","history":"fits"}'
	expect 0 otr-create --like a.otr b.otr
	otr-stat --json b.otr | grep -q '"policy":{"duplicates":"keep","max_size":4194304,"retain":"7d2h","history":"fits"}'
	expect 0 otr-create --like a.otr --max-size none --retain none c.otr
	otr-stat c.otr | grep -qx 'policy: duplicates keep, max-size none, retain none, history all'
	expect 0 otr-create --like a.otr --history 010 d.otr
	otr-stat d.otr | grep -q 'history 10$'
	expect 0 otr-create --history 2k e.otr v
	otr-stat e.otr | grep -q 'history 2000$'
	expect 0 otr-create --like e.otr --max-size 4000000B f.otr
	otr-stat f.otr | grep -q 'max-size 3.8 MiB (4000000 B), retain none, history 2000$'
	expect 0 otr-create --history 90m g.otr v
	otr-stat g.otr | grep -q 'history 1h30m$'
	expect 0 otr-create --history 0 h.otr v
	otr-stat h.otr | grep -q 'history 0$'
	expect 0 otr-create --history fits --max-size 4Mi i.otr v
	sound ./*.otr
	local f
	for f in *.otr; do
		echo 1700000000,1 | otr-append -N "$f"
		[ "$(rows "$f")" = 1 ]
	done
	sound ./*.otr
}

@test "file names with spaces, newlines, control characters, a leading dash" {
	local name
	for name in 'a b.otr' $'a\nb.otr' $'\033[31m.otr' './-x.otr' $'\xff.otr' "q'\"uote"; do
		expect 0 otr-create -v "$name" v
		plain err
		printf 'time,v\n1700000000,1\n' | otr-append -v "$name" 2>err
		plain err
		for tool in otr-dump otr-query otr-stat 'otr-verify -v'; do
			# shellcheck disable=SC2086
			expect 0 $tool "$name"
			plain err
			[ "$tool" = otr-dump ] || plain out
		done
		refuse 5 exists otr-create "$name" v
		[ "$(wc -l <err)" -eq 1 ]
		plain err
	done
}

@test "a name of 64 columns and a great many bytes of metadata" {
	local i columns=()
	for i in $(seq 64); do
		columns+=("c$i:i32:unit $i")
	done
	expect 0 otr-create --meta "long=$(head -c 100000 /dev/zero | tr '\0' x)" a.otr "${columns[@]}"
	sound a.otr
	otr-stat --json a.otr | python3 -c 'import json, sys; s = json.load(sys.stdin); assert len(s["columns"]) == 64 and len(s["meta"]["long"]) == 100000'
	usage 'more than 64' otr-create b.otr "${columns[@]}" one:more
	refuse 2 '' otr-create --meta "a=$(head -c 120000 /dev/zero | tr '\0' x)" b.otr "$(head -c 300 /dev/zero | tr '\0' x)"
	[ ! -e b.otr ]
}

@test "in a directory that may be written but not listed: made, appended to and compacted, status 0; nothing is left behind" {
	local -a without=()
	# root passes by the bits of the mode unless that is taken from it
	if [ "$(id -u)" -eq 0 ]; then
		needs setpriv
		without=(setpriv --bounding-set=-dac_override,-dac_read_search)
		"${without[@]}" true || skip "no way to be without root's rights"
	fi
	mkdir box
	chmod 333 box
	! "${without[@]}" ls box 2>/dev/null
	expect 0 "${without[@]}" otr-create box/a.otr v
	echo 1700000000,1 >in.csv
	expect 0 "${without[@]}" otr-append -N --print-version box/a.otr in.csv
	same 1 out
	expect 0 "${without[@]}" otr-compact box/a.otr
	expect 0 "${without[@]}" otr-compact box/a.otr box/b.otr
	expect 0 "${without[@]}" otr-verify --salvage box/c.otr box/a.otr
	expect 0 "${without[@]}" otr-create -f box/c.otr w
	expect 0 "${without[@]}" otr-dump -o box/d.csv box/a.otr
	chmod 755 box
	[ "$(ls -A box)" = "$(printf '%s\n' a.otr b.otr c.otr d.csv)" ]
	sound box/a.otr box/b.otr box/c.otr
}
