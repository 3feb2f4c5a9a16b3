#!/usr/bin/env bash
# tests/check-reader.sh - files that the model test makes are read alike by three readers: the model's own formatter, otr-dump, and otr_reader.py, which was
# written from SPEC.md alone.  Each file at several of its versions.
#
#	SEED=n FILES=n tests/check-reader.sh
set -u
cd "$(dirname "$0")/.." || exit 2
bin=${OTR_BIN:-$PWD/build/release} seed=${SEED:-1} most=${FILES:-16}
export PYTHONDONTWRITEBYTECODE=1
model=$bin/tests/model/test_model
if [ ! -x "$model" ]; then
	echo "1..0 # SKIP $model is not built"
	exit 0
fi
dir=$(mktemp -d "${TMPDIR:-/dev/shm}/otr-reader-XXXXXX" 2>/dev/null || mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
echo "# SEED=$seed FILES=$most"
"$model" "SEED=$seed" "OPS=$((most * 150))" --keep "$dir/files" > "$dir/model.tap" || { cat "$dir/model.tap"; exit 1; }

files=0 versions=0 dump_bad=0 reader_bad=0 verify_bad=0
for csv in "$dir"/files/*.csv; do
	[ -e "$csv" ] || continue
	base=${csv%.csv} version=${csv%.csv}
	version=${version##*.}
	otr=${base%."$version"}.otr
	[ "$files" -lt "$most" ] || [ "$otr" = "${last-}" ] || continue
	if [ "$otr" != "${last-}" ]; then
		files=$((files + 1))
		last=$otr
		if ! python3 tests/otr_reader.py --verify "$otr" > "$dir/findings" 2>&1; then
			verify_bad=$((verify_bad + 1))
			[ "$verify_bad" -gt 3 ] || sed 's/^/# /' "$dir/findings" | head -5
		fi
	fi
	versions=$((versions + 1))
	if ! "$bin/otr-dump" --at "$version" "$otr" 2> "$dir/err" | cmp -s - "$csv"; then
		dump_bad=$((dump_bad + 1))
		if [ "$dump_bad" -le 3 ]; then
			echo "# otr-dump --at $version of ${otr##*/}: $(cat "$dir/err")"
			"$bin/otr-dump" --at "$version" "$otr" 2>&1 | diff - "$csv" | sed 's/^/#   /' | head -6
		fi
	fi
	if ! python3 tests/otr_reader.py --at "$version" "$otr" 2> "$dir/err" | cmp -s - "$csv"; then
		reader_bad=$((reader_bad + 1))
		if [ "$reader_bad" -le 3 ]; then
			echo "# otr_reader.py --at $version of ${otr##*/}: $(head -1 "$dir/err")"
			python3 tests/otr_reader.py --at "$version" "$otr" 2>&1 | diff - "$csv" | sed 's/^/#   /' | head -6
		fi
	fi
done
echo "# $files files, $versions versions"
result() {
	if [ "$2" -eq 0 ] && [ "$versions" -gt 0 ]; then echo "ok $1 - $3"; else echo "not ok $1 - $3 ($2 differ)"; fi
}
result 1 "$dump_bad" "otr-dump prints each version as the model does"
result 2 "$reader_bad" "the reader written from SPEC.md prints each version as the model does"
result 3 "$verify_bad" "the reader written from SPEC.md finds no fault in any file"
echo 1..3
[ "$((dump_bad + reader_bad + verify_bad))" -eq 0 ] && [ "$versions" -gt 0 ]
