#!/usr/bin/env bash
# tests/foreign/script.sh DIR - a life of some files by the tools of $OTR_BIN, which tests/foreign/fixed.c has given a clock and an identity: what
# is in DIR afterwards, files and all that the tools say of them, are the same bytes on every platform (tests/foreign/run compares).
set -eu
PATH=$OTR_BIN:$PATH
cd "$1"
export LC_ALL=C TZ=UTC
step=1700000000
# One tool (not behind a pipe, where the hour would be lost), an hour after the one before; its words go to a file of its number.
tool() {
	step=$((step + 3600))
	FIXED_NS=${step}000000000 "$@" >>"said.$step" 2>>"said.$step" || echo "status $?" >>"said.$step"
}
# rows FROM COUNT STEP SEED: of types f64 f32 i64 i32 bool, with nulls, NaN, infinities, subnormals, -0, extreme integers.
rows() {
	awk -v from="$1" -v n="$2" -v step="$3" -v seed="$4" 'BEGIN {
		odd = split("NaN inf -inf -0 5e-324 1.7976931348623157e308 2.2250738585072014e-308 0.1 1e22 1e23 9007199254740993", special, " ")
		x = seed % 2147483647
		for (i = 0; i < n; i++) {
			x = x * 16807 % 2147483647; a = x; x = x * 16807 % 2147483647; b = x
			f = a % 50 == 0 ? special[1 + b % odd] : a % 41 == 0 ? "" : sprintf("%.17g", (a - b) / (b + 1) * 1000)
			g = a % 60 == 0 ? special[1 + b % 4] : sprintf("%.2f", b % 10000 / 100)
			k = a % 97 == 0 ? "-9223372036854775808" : a % 89 == 0 ? "9223372036854775807" : int((a - b) / 3)
			printf "%d.%03d,%s,%s,%s,%s,%d\n", from + i * step, a % 1000, f, g, k, i % 1000 - 500, b % 7 == 0
		}
	}'
}
columns='f:f64:degC g:f32 k:i64 j:i32 b:bool'

# shellcheck disable=SC2086  # a list
tool otr-create --author a --meta 'site=Mühle' --gap 1h main.otr $columns
tool otr-append -N --author a -m first main.otr < <(rows 1700000000 20000 60 1)
tool otr-append -N --author a --commit-every 400 main.otr < <(rows 1701200000 3000 60 2)
tool otr-append -N --author a -m late main.otr < <(rows 1700300000 700 50 3)
for i in 1 2 3 4 5 6 7 8 9; do tool otr-append -N --author a main.otr < <(rows $((1702000000 + i * 600)) 10 60 "$i"); done
tool otr-delete --author a -s 1700100000 -e 1700200000 main.otr
tool otr-delete --author a --where 'f is nan or k > 300000000 or g < 1.5' -e 1700900000 main.otr
tool otr-rollback --author a main.otr newest-1
tool otr-meta --author a main.otr unit=x site=mill otr.history=12
tool otr-append -N --author a main.otr < <(rows 1703000000 500 60 4)
cp main.otr kept.otr
tool otr-compact --author a main.otr
tool otr-compact --author a --drop-history main.otr dense.otr
tool otr-compact --author a --drop-history --deflate --page-size 64Ki main.otr deflated.otr
tool otr-compact --author a --downsample 1h --older-than 1701000000 -a mean kept.otr folded.otr
tool otr-create --author a --page-size 4Ki --max-size 1Mi ring.otr v w:i32
for i in 1 2 3 4 5 6; do
	tool otr-append -N --author a ring.otr \
		< <(awk -v i="$i" 'BEGIN { for (k = 0; k < 30000; k++) printf "%d,%.17g,%d\n", 1700000000 + (i * 30000 + k) * 10, (k * 7919 % 30011) / (i + 2), k * i % 977 }')
done
tool otr-create --author a --duplicates keep --retain 1d --history 5 short.otr v:i64
for i in 1 2 3 4 5 6 7 8; do tool otr-append -N --author a short.otr < <(rows $((1700000000 + i * 40000)) 300 100 "$i" | cut -d, -f1,4); done

aggregates=count,nulls,nans,min,max,range,first,last,tmin,tmax,tfirst,tlast,sum,mean,var,stddev,area,covered,twa,rise,rate
for f in main kept dense deflated folded ring short; do
	tool otr-verify "$f.otr"
	tool otr-dump "$f.otr"
	tool otr-dump -F binary "$f.otr"
	tool otr-log --json "$f.otr"
	tool otr-meta "$f.otr"
	tool otr-stat --scan --json "$f.otr"
	tool otr-query -w 7h -a "$aggregates" "$f.otr"
	tool otr-query -a "$aggregates" "$f.otr"
	tool otr-query --points 37 -a "$aggregates" -s 1700050000 -e 1701500000 "$f.otr"
done
tool otr-diff --rows kept.otr newest-2 newest
tool otr-diff main.otr dense.otr
tool otr-dump -z Europe/Berlin --time-format '%Y-%m-%d %H:%M:%S.%3N %z' -n 50 main.otr
