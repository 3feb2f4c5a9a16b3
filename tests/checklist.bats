#!/usr/bin/env bats
# The checklist of security (testing.md section 7), for every tool at once; what belongs to one tool stands in its own .bats file, what to a decoder in unit/ and fuzz/.
# shellcheck disable=SC2030,SC2031,SC2154

load tools

all='otr-append otr-compact otr-create otr-delete otr-diff otr-dump otr-log otr-meta otr-query otr-rollback otr-stat otr-verify'
readers='otr-diff otr-dump otr-log otr-meta otr-query otr-stat otr-verify'

# The arguments that make TOOL read or change FILE, in `words`.
about() {
	case $1 in
	otr-append) words=(otr-append "$2" in.csv) ;;
	otr-compact) words=(otr-compact "$2") ;;
	otr-create) words=(otr-create -f "$2" v) ;;
	otr-delete) words=(otr-delete --all "$2") ;;
	otr-diff) words=(otr-diff --rows "$2" "${3:-@0}" newest) ;;
	otr-query) words=(otr-query -w 1m "$2") ;;
	otr-rollback) words=(otr-rollback "$2" 1) ;;
	otr-meta) words=(otr-meta "$2") ;;
	*) words=("$1" "$2") ;;
	esac
}

# No byte that a terminal acts on: C0 but tab and newline, DEL, C1 (also as UTF-8), controls of direction, what is no UTF-8.
harmless() {
	python3 - "$@" <<'PY'
import re, sys
for name in sys.argv[1:]:
    b = open(name, 'rb').read()
    try:
        text = b.decode('utf-8')
    except UnicodeDecodeError as e:
        sys.exit('%s: %s: %r' % (name, e, b[:200]))
    bad = re.search('[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]', text)
    if bad:
        sys.exit('%s: %r in %r' % (name, bad[0], text[:200]))
PY
}

@test "readers 1: a FIFO, a device, a directory, a socket are refused at once, and opened by no tool" {
	local tool what
	mkfifo fifo
	mkdir folder
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
	echo 'time,v' >in.csv
	for tool in $all; do
		[ "$tool" = otr-create ] && continue
		for what in fifo folder sock /dev/zero /dev/tty; do
			about "$tool" "$what"
			got=0
			timeout 5 "${words[@]}" >out 2>err </dev/null || got=$?
			{ [ "$got" = 4 ] || [ "$got" = 5 ]; } && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] || { echo "$tool $what: $got"; cat out err; return 1; }
		done
	done
}

@test "readers 6: 64 MiB of address space are enough for every reader, on every sample file" {
	local name tool word got
	case $OTR_BIN in *address*|*memory*|*thread*) skip 'a sanitizer takes more' ;; esac
	ln -s "$OTR_ROOT"/build/fuzz/files files                        # which `make tests` assembles
	# in Python: the shell takes longer for it than the tools
	python3 - <<'PY'
import glob, resource, subprocess, sys
tools = ['otr-dump'], ['otr-log'], ['otr-meta'], ['otr-query', '-w', '1m'], ['otr-stat'], ['otr-verify'], ['otr-diff', '--rows']
names = sorted(glob.glob('files/*.otr'))
for name in names:
    for tool in tools:
        p = subprocess.run(tool + [name] + (['newest', 'newest'] if tool[0] == 'otr-diff' else []), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20)))
        if p.returncode not in (0, 1, 3, 4, 6) or b'memory' in p.stderr:
            sys.exit('%s %s: %d %s' % (tool[0], name, p.returncode, p.stderr))
if len(names) < 150:
    sys.exit('only %d files' % len(names))
PY
}

@test "tools 1: names, arguments and what a file says come out without a byte that a terminal acts on" {
	local tool name
	printf 'time,v\n1,\033[31mred\n' >in.csv
	otr-create good.otr v
	for name in $'esc\e[2Jx.otr' $'line\nfeed.otr' $'bidi\xe2\x80\xaetxt.otr' $'c1\xc2\x9bx.otr' $'latin\xe9.otr' $'del\x7f.otr' $'bell\a.otr'; do
		for tool in $all; do
			about "$tool" "nowhere/$name"
			"${words[@]}" >>printed 2>err && { echo "$tool: no error"; return 1; }
			[ "$(wc -l <err)" = 1 ] || { echo "$tool:"; cat err; return 1; }
			cat err >>printed
			"$tool" "--$name" good.otr >>printed 2>&1 && { echo "$tool: no error"; return 1; }
		done
		cp good.otr "$name"
		for tool in $all; do
			about "$tool" "$name"
			"${words[@]}" >>printed 2>&1 </dev/null || :
		done
		rm -f -- "$name"
	done
	expect 3 otr-append good.otr in.csv
	cat err >>printed
	[ "$(wc -l <printed)" -gt 300 ]
	harmless printed
}

@test "tools 2: a path in a file is never followed, and a link is never written through by a new file" {
	local tool
	echo precious >target
	ln -s target link.otr
	expect 5 otr-create link.otr v
	[ "$(cat target)" = precious ]
	otr-create a.otr v
	printf 'time,v\n1700000000,2\n' | otr-append a.otr
	for tool in 'otr-compact a.otr link.otr' 'otr-verify --salvage link.otr a.otr'; do
		# shellcheck disable=SC2086
		expect 5 $tool
		[ "$(cat target)" = precious ] && [ -L link.otr ]
	done
	umask 077
	otr-create private.otr v
	[ "$(stat -c %a private.otr)" = 600 ]
	umask 000
	otr-create open.otr v
	[ "$(stat -c %a open.otr)" = 666 ]
}

@test "tools 3: no shell, no configuration, no environment but TZ and TZDIR" {
	! grep -nE '\b(system|popen|exec[lv]p?e?|secure_getenv)[[:space:]]*\(' "$OTR_ROOT"/lib/*.c "$OTR_ROOT"/tools/*.c
	[ "$(grep -ohE 'getenv\("[A-Z_]*"\)' "$OTR_ROOT"/lib/*.c "$OTR_ROOT"/tools/*.c | sort -u | paste -sd' ')" = 'getenv("TZ") getenv("TZDIR")' ]
	! grep -nE 'getenv\([^"]' "$OTR_ROOT"/lib/*.c "$OTR_ROOT"/tools/*.c
	# none reads a file of the home or the current directory
	mkdir home
	printf 'otr-dump alias --no-header --version\n' >home/.popt
	cp home/.popt .popt
	pump a.otr
	expect 0 env HOME="$PWD/home" otr-dump --no-header a.otr
	[ "$(head -n 1 out)" = 2023-11-14T22:13:20Z,20,0 ]
}

@test "tools 4: with any of 0, 1, 2 closed no word lands in a file, and none is opened in its place" {
	local tool closed got
	pump good.otr 200
	otr-append -q good.otr < <(printf 'time,temp,on\n1700000030,1,1\n')
	printf 'time,temp,on\n1700090000,5,0\nx,y,z\n' >in.csv
	for tool in $all; do
		for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
			cp good.otr a.otr
			about "$tool" a.otr
			[ "$tool" = otr-create ] && words=(otr-create new.otr v) && rm -f new.otr
			got=0
			eval "timeout 10 \"\${words[@]}\" $closed" >/dev/null 2>&1 || got=$?
			[ "$got" -lt 124 ] || { echo "$tool $closed: $got"; return 1; }
			expect 0 otr-verify a.otr
			[ "$tool" = otr-create ] && [ "$got" = 0 ] && expect 0 otr-verify new.otr
			[ "$tool" = otr-append ] || [ "$tool" = otr-compact ] || [ "$tool" = otr-rollback ] || [ "$tool" = otr-delete ] || cmp good.otr a.otr
		done
	done
}

@test "tools 5: what a reader prints onto a full device is an error, from every tool" {
	local tool got
	pump a.otr 20000
	otr-meta -q a.otr site=north
	for tool in otr-diff otr-dump otr-log otr-meta otr-query otr-stat; do
		about "$tool" a.otr 0
		refuse_full "${words[@]}"
	done
	printf x | dd of=a.otr bs=1 seek=20000 conv=notrunc status=none
	refuse_full otr-verify a.otr
}

@test "tools 6: one point as decimal mark, one alphabet: German and Turkish locales change nothing" {
	local tool
	[ -d "$OTR_ROOT/build/locale/tr_TR.UTF-8" ] || skip 'no de_DE and tr_TR in build/locale (make setup installs locales)'
	[ "$(LOCPATH=$OTR_ROOT/build/locale LC_ALL=de_DE.UTF-8 /usr/bin/printf '%.1f' 0,5)" = 0,5 ]          # they are real
	pump a.otr 50
	otr-create b.otr INFO:i32
	printf 'time,INFO\n1700000000,7\n' >in.csv
	otr-append -q b.otr in.csv
	for tool in $readers; do
		about "$tool" a.otr 0
		everywhere "${words[@]}"
		about "$tool" b.otr 0
		everywhere "${words[@]}"
	done
	everywhere otr-dump --columns INFO b.otr
	everywhere otr-dump --where 'INFO > 6.5' b.otr
	everywhere otr-query -w 1.5m --aggregates MEAN,min a.otr
	for tool in de_DE.UTF-8 tr_TR.UTF-8; do
		otr-create "$tool.otr" temp i:i32
		printf 'time,temp,i\n2023-11-14T22:13:20.5Z,1.5,7\n' | LOCPATH=$OTR_ROOT/build/locale LC_ALL=$tool expect 0 otr-append "$tool.otr" -
		expect 0 otr-dump "$tool.otr"
		[ "$(tail -n 1 out)" = 2023-11-14T22:13:20.500Z,1.5,7 ]
	done
}

@test "tools 7: position independent, full RELRO, no executable stack, stack protector, _FORTIFY_SOURCE" {
	local tool
	command -v readelf >/dev/null || skip 'no readelf'
	for tool in $all; do
		file=$(command -v "$tool")
		readelf -hW "$file" | grep -q 'Type: *DYN' || { echo "$tool: no PIE"; return 1; }
		readelf -lW "$file" | grep -q GNU_RELRO && readelf -dW "$file" | grep -q 'BIND_NOW\|FLAGS.*NOW' || { echo "$tool: no full RELRO"; return 1; }
		readelf -lW "$file" | awk '/GNU_STACK/ { exit $0 ~ /RWE/ }' || { echo "$tool: an executable stack"; return 1; }
		! readelf -dW "$file" | grep -qE 'RPATH|RUNPATH|TEXTREL' || { echo "$tool: a path or text relocations"; return 1; }
	done
	case $OTR_BIN in
	*/release)
		readelf -sW "$OTR_BIN/otr-dump" | grep -q __stack_chk_fail
		readelf -sW "$OTR_BIN/otr-dump" | grep -q '_chk@GLIBC\|_chk$' ;;
	esac
}

@test "tools 8: the release archive has the same bytes each time, and nothing but what is committed" {
	git -C "$OTR_ROOT" rev-parse --verify -q HEAD >/dev/null || skip 'no git here'
	make -s -C "$OTR_ROOT" dist >out
	archive=$OTR_ROOT/$(tail -n 1 out)
	first=$(sha256sum <"$archive")
	make -s -C "$OTR_ROOT" dist >/dev/null
	[ "$(sha256sum <"$archive")" = "$first" ]
	tar tzf "$archive" | grep -v '/$' | sed 's|^[^/]*/||' | sort >archived
	git -C "$OTR_ROOT" -c core.quotePath=false ls-tree -r --name-only HEAD | sort | diff - archived
	! find "$OTR_ROOT" -name configure -o -name '*.m4' -o -name CMakeLists.txt | grep .
	case $OTR_BIN in
	*/release) [ "$(readelf -dW "$OTR_BIN/otr-dump" | sed -n 's/.*NEEDED.*\[\(lib[a-z]*\).*/\1/p' | grep -vx 'libc\|libm' | sort | paste -sd' ')" = 'libpopt libz' ] ;;
	esac
}
