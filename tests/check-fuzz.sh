#!/usr/bin/env bash
# The fuzz targets over their corpus, by the stand-alone driver: no crash, no hang, no more than 64 MiB.
set -u
build=${OTR_BIN:-$PWD/build/release}
cd "${OTR_ROOT:-.}" || exit 1
corpus=build/fuzz out=$build/tests/out/fuzz
mkdir -p "$out"
n=0
for program in "$build"/tests/fuzz/fuzz_*; do
	case $program in *.[do]) continue ;; esac
	target=${program##*/fuzz_}
	n=$((n + 1))
	if OTR_FUZZ_FILES=$corpus/files "$program" -o "$out/$target-" "$corpus/corpus/$target" >"$out/log" 2>&1 && grep -q ' inputs, ' "$out/log"; then
		echo "ok $n - $target: $(sed 's/,.*//' "$out/log")"
	else
		echo "not ok $n - $target"
		tail -20 "$out/log" | sed 's/^/#   /'
	fi
done
echo "1..$n"
