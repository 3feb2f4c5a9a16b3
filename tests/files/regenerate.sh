#!/bin/sh
# Writes the expected outputs and SHA256SUMS anew, from the independent reader (never from the tools under test). A change of
# either is a change of the format or of a text: say why in the commit message.
set -eu
cd "$(dirname "$0")"
bin=../../build/files
rm -rf "$bin"
../mkotr -a . "$bin"
rm -f good-*.csv good-*.csv.sha256 good-*.versions good-*.versions.sha256 good-*.log good-*.meta good-*.metas
read() {
	python3 ../otr_reader.py "$@" "$bin/$n.otr"
}
for t in good-*.txt; do
	n=${t%.txt}
	read > "$n.csv" 2> /dev/null
	if [ "$(wc -c < "$n.csv")" -gt 65536 ]; then
		sha256sum "$n.csv" > "$n.csv.sha256"
		rm "$n.csv"
	fi
	case $n in
	good-08*|good-09*|good-13[1-9]*|good-140*) ;;
	*) continue ;;
	esac
	read --log > "$n.log"
	versions=$(tail -n +2 "$n.log" | cut -d, -f1 | grep -x '[0-9]*' | sort -n)
	for v in $versions; do
		echo "# version $v"
		read --at "$v"
	done > "$n.versions"
	if [ "$(wc -c < "$n.versions")" -gt 65536 ]; then
		for v in $versions; do
			read --at "$v" | sha256sum | sed "s/-$/version $v/"
		done > "$n.versions.sha256"
		rm "$n.versions"
	fi
	read --meta > "$n.meta"
	for v in $versions; do
		echo "# version $v"
		read --meta --at "$v"
	done > "$n.metas"
	[ "$(wc -l < "$n.meta")" -gt 1 ] || rm "$n.meta"
	grep -vqx '# version [0-9]*\|key,value' "$n.metas" || rm "$n.metas"
done
(cd "$bin" && sha256sum *.otr) > SHA256SUMS
