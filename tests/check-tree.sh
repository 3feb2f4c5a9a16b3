#!/usr/bin/env bash
# The source tree: layers, symbols, headers, shell scripts, an install that leaves nothing behind.
set -u
n=0
build=${OTR_BIN:-build/release}
variant=$(basename "$build")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/#   /' "$tmp/out"; fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}
run() {
	local what=$1
	shift
	"$@" >"$tmp/out" 2>&1
	result $? "$what"
}

run 'no module of lib/ includes one that comes later (make layers)' make -s layers
run 'each header compiles alone, otr.h as C++ too (make hdr-check)' make -s hdr-check
if [ "$variant" = release ]; then
	run 'libotr has no mutable globals (make globals)' make -s globals
	run 'libotr.so exports what otr.h declares and nothing else (make symbols)' make -s symbols
else
	skip 'globals and symbols' 'a sanitized build has those of the sanitizer'
fi
if command -v shellcheck >/dev/null; then
	run 'shell scripts pass shellcheck (make lint)' make -s lint
else
	skip 'shell scripts pass shellcheck' 'no shellcheck'
fi

if [ "$variant" = release ]; then
	run 'make install into a DESTDIR' make -s install DESTDIR="$tmp/root" PREFIX=/usr
	run 'the installed library builds examples/windows.c' cc -std=c11 -I"$tmp/root/usr/include" -o "$tmp/windows" examples/windows.c \
		"$tmp/root/usr/lib/libotr.a" -lz -lm
	run 'otr.pc names the version of otr.h' grep -qx "Version: $(sed -n 's/^.define OTR_VERSION "\(.*\)"/\1/p' lib/otr.h)" \
		"$tmp/root/usr/lib/pkgconfig/otr.pc"
	run 'the shared library serves the same program' sh -c "cc -std=c11 -I'$tmp/root/usr/include' -o '$tmp/shared' examples/windows.c \
		-L'$tmp/root/usr/lib' -lotr && LD_LIBRARY_PATH='$tmp/root/usr/lib' ldd '$tmp/shared' | grep -q '$tmp/root/usr/lib/libotr.so'"
	make -s uninstall DESTDIR="$tmp/root" PREFIX=/usr >"$tmp/out" 2>&1
	find "$tmp/root" ! -type d >>"$tmp/out"
	[ ! -s "$tmp/out" ]
	result $? 'make uninstall leaves nothing'
else
	skip 'install and uninstall' 'tested with the release build'
fi
echo "1..$n"
