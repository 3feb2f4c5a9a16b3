#!/bin/sh
# Writes the expected outputs and SHA256SUMS anew, from the independent reader (never from the tools under test). A change of
# either is a change of the format or of a text: say why in the commit message.
set -eu
cd "$(dirname "$0")"
bin=../../build/files
rm -rf "$bin"
../mkotr -a . "$bin"
rm -f good-*.csv good-*.csv.sha256 good-*.versions good-*.log good-*.meta
for t in good-*.txt; do
    n=${t%.txt}
    python3 ../otr_reader.py "$bin/$n.otr" > "$n.csv" 2> /dev/null
    if [ "$(wc -c < "$n.csv")" -gt 65536 ]; then
        sha256sum "$n.csv" > "$n.csv.sha256"
        rm "$n.csv"
    fi
    case $n in
    good-08*|good-09*)
        python3 ../otr_reader.py --log "$bin/$n.otr" > "$n.log"
        python3 ../otr_reader.py --meta "$bin/$n.otr" > "$n.meta"
        [ "$(wc -l < "$n.meta")" -gt 1 ] || rm "$n.meta"
        for v in $(tail -n +2 "$n.log" | cut -d, -f1 | grep -x '[0-9]*' | sort -n); do
            echo "# version $v"
            python3 ../otr_reader.py --at "$v" "$bin/$n.otr"
        done > "$n.versions" ;;
    esac
done
(cd "$bin" && sha256sum *.otr) > SHA256SUMS
