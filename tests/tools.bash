# shellcheck shell=bash
# tools.bash - what the .bats files of the tools share: a directory of its own for each case, stdout and stderr apart.

setup() {
	PATH=${OTR_BIN:-$(cd "$BATS_TEST_DIRNAME/../build/release" && pwd)}:$PATH
	OTR_ROOT=${OTR_ROOT:-$(cd "$BATS_TEST_DIRNAME/.." && pwd)}
	export PATH OTR_ROOT
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
}

teardown() {
	local pid
	for pid in $(jobs -p); do
		kill -9 "$pid" 2>/dev/null || :
	done
	umount disk 2>/dev/null || :
}

# expect STATUS COMMAND...: runs it; what it printed is in the files out and err.
expect() {
	local want=$1 got=0
	shift
	"$@" >out 2>err || got=$?
	[ "$got" -eq "$want" ] || {
		printf 'status %s, not %s, of: ' "$got" "$want"
		printf '%q ' "$@"
		printf '\n'
		head -n 20 out err
		return 1
	}
}

# refuse STATUS WHAT COMMAND...: that status, nothing on stdout, at most three lines on stderr, of which one matches WHAT.
refuse() {
	local want=$1 what=$2
	shift 2
	expect "$want" "$@" || return
	[ ! -s out ] || { echo "on stdout of: $*"; head -n 5 out; return 1; }
	[ "$(wc -l <err)" -le 3 ] || { echo "too much on stderr of: $*"; cat err; return 1; }
	says "$what"
}

# usage WHAT COMMAND...: status 2, stdout empty, and two lines at most.
usage() {
	refuse 2 "$@" || return
	[ "$(wc -l <err)" -le 2 ] || { cat err; return 1; }
}

says() {
	grep -Eq -- "$1" err || { echo "stderr has no \"$1\":"; cat err; return 1; }
}

# same TEXT FILE: the file holds this text and nothing else.
same() {
	printf '%s\n' "$1" | diff - "$2"
}

# rows FILE: how many.
rows() {
	otr-dump -N "$1" | wc -l
}

# sound FILE...: otr-verify finds nothing.
sound() {
	expect 0 otr-verify "$@"
	[ ! -s out ]
}

# pump FILE [N]: a series of N rows (default 5), one a minute from 2023-11-14T22:13:20Z, in temp (f64) and on (bool).
pump() {
	otr-create "$1" temp on:bool
	awk -v n="${2:-5}" 'BEGIN { print "time,temp,on"; for (i = 0; i < n; i++) printf "%d,%g,%d\n", 1700000000 + 60 * i, 20 + i / 2, i % 2 }' |
		otr-append "$1"
}

# Every reader and writer: help and version.
help_and_version() {
	local option
	for option in --help -h '-?' --usage --version -V; do
		expect 0 "$1" "$option"
		[ -s out ] && [ ! -s err ]
		awk 'length($0) > 80 { exit 1 } END { exit NR > 50 }' out
		refuse_full "$1" "$option"
	done
	"$1" --version | head -n 1 | grep -Eqx "$1 \\(OTR\\) [0-9]+\\.[0-9]+\\.[0-9]+"
}

refuse_full() {
	local got=0
	"$@" >/dev/full 2>err || got=$?
	[ "$got" -eq 5 ] || { echo "status $got of $*"; return 1; }
	says 'No space left'
}

# silent_pipe COMMAND...: its reader goes away at once; it dies of SIGPIPE without a word, also when started with SIGPIPE ignored.
silent_pipe() {
	local got=0
	{ { "$@" 2>err || echo "$?" >got; } | head -n 1 >/dev/null; } 3>&-
	[ "$(cat got)" -eq 141 ] && [ ! -s err ]
	rm got
	python3 - "$@" <<'PY' || got=$?
import signal, subprocess, sys
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, restore_signals=False)
p.stdout.readline()
p.stdout.close()
words = p.stderr.read()
sys.exit(0 if p.wait() == -signal.SIGPIPE and words == b'' else "status %s, %r" % (p.returncode, words))
PY
	[ "$got" -eq 0 ]
}

# everywhere COMMAND...: the same bytes, status and messages under every locale (those that `make locales` put into build/locale) and TZ.
everywhere() {
	local name got=0 want=0
	env LC_ALL=C TZ=UTC "$@" >want.out 2>want.err || want=$?
	for name in de_DE.UTF-8 tr_TR.UTF-8 C.UTF-8; do
		for TZ in Europe/Berlin America/New_York ':/no/such' 'EST5EDT'; do
			got=0
			env LOCPATH="$OTR_ROOT/build/locale" LC_ALL="$name" LANG="$name" LC_NUMERIC="$name" TZ="$TZ" "$@" >out 2>err || got=$?
			[ "$got" -eq "$want" ]
			cmp want.out out
			cmp want.err err
		done
	done
}

# never_onto_itself TOOL: -f -o refuses the file that is read, and replaces another.
never_onto_itself() {
	local out
	pump a.otr
	ln a.otr link.otr
	sha256sum a.otr >sum
	for out in a.otr ./a.otr link.otr; do
		refuse 2 'is a file that is read' "$1" -f -o "$out" a.otr
		sha256sum --quiet -c sum
	done
	refuse 2 'is a file that is read' "$1" -f -o a.otr - <a.otr
	sha256sum --quiet -c sum
	echo old >b.csv
	expect 0 "$1" -f -o b.csv a.otr
	"$1" a.otr | cmp - b.csv
}

# unsanitized: whether the tools are built without sanitizers, which bear neither strace nor a limit of the address space.
unsanitized() {
	case ${OTR_BIN-} in *address*) return 1 ;; esac
}

# needs COMMAND: or the case is skipped.
needs() {
	command -v "$1" >/dev/null || skip "no $1"
	case $1 in strace | prlimit) unsanitized || skip "no $1 beside a sanitizer" ;; esac
}

# made COMMAND...: the paths that it opens for writing, makes, links, renames or removes, one a line.
made() {
	strace -f -qq -o trace -e trace=open,openat,creat,link,linkat,rename,renameat,renameat2,mkdir,mkdirat,symlink,symlinkat,mknod,mknodat,unlink,unlinkat \
		"$@" >out 2>err
	grep -E 'O_CREAT|O_TMPFILE|O_WRONLY|O_RDWR|creat\(|link|rename|mkdir|mknod' trace | grep -v ' = -1 ' | grep -v '"/dev/null"' | grep -oE '"[^"]*"' | tr -d '"' | sort -u
}

# plain FILE: no control characters but newlines, and valid UTF-8.
plain() {
	! LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]' "$1" && iconv -f UTF-8 -t UTF-32LE "$1" >/dev/null
}

# limited BYTES COMMAND...: no file may grow beyond; like a full disk.
limited() {
	local bytes=$1 text got=0
	shift
	# through a pipe: the limit holds for a file that stderr is, too
	text=$({ trap '' XFSZ; exec prlimit --fsize="$bytes" "$@" >/dev/null; } 2>&1) || got=$?
	[ -z "$text" ] || printf '%s\n' "$text" >&2
	return "$got"
}

# hold FILE, release: the writer lock of FILE is taken by another process, and given back.
hold() {
	mkfifo held
	python3 - "$1" <<'PY' &
import fcntl, os, struct, sys
f = open(sys.argv[1], 'r+b')
fcntl.fcntl(f, 37, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0))       # F_OFD_SETLK
open('held', 'w').close()
open('held').read()
PY
	holder=$!
	cat held >held.said
}

release() {
	: >held
	wait "$holder"
	rm -f held held.said
}
