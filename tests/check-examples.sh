#!/usr/bin/env bash
# The examples: every recipe of load-series.sh, the demo, the C program, the line of cron.
# OTR_SERIES=DIR has the sixteen whole series; without it those of examples/data serve, and for the rest a few made-up lines of the
# same shape.
set -u
root=${OTR_ROOT:-$PWD}
build=${OTR_BIN:-$root/build/release}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/#   /' "$tmp/out"; fi
}

made_up() {
	case $1 in
	ETTh1) printf '%s\n' date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT '2016-07-01 00:00:00,5.25,2.009000062942505,1.5,0.5,4.25,1.5,30.5' \
		'2016-07-01 01:00:00,5.692999839782715,2,1.5,0.5,4.25,1.5,27.75' ;;
	ampds_elec) printf '%s\n' unix_ts,V,I,f,DPF,APF,P,Pt,Q,Qt,S,St 1393263000,118.9,0.0,60.0,1.0,0.05,0,20016,0,2078,9,187872 \
		1393263060,118.9,0.0,59.93,0.71,0.05,0,20016,0,2078,9,187873 ;;
	gbpusd_1m) printf '%s\n' timestamp,open,high,low,close '2012-02-01 00:00:00+00:00,1.57597,1.57606,1.57576,1.57576' ;;
	skab_valve) printf '%s\n' \
		'datetime;Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;Volume Flow RateRMS' \
		'2020-02-08 13:30:47;0.202394;0.275154;2.16975;-0.382638;90.6454;26.8508;238.852;122.664' ;;
	vic_elec) printf '%s\n' rownames,Time,Demand,Temperature,Date,Holiday 1,2011-12-31T13:00:00Z,4382.825174,21.4,2012-01-01,TRUE \
		2,2011-12-31T13:30:00Z,4263.365526,21.05,2012-01-01,FALSE ;;
	onoff_sensors) printf '%s\n' 'Date,Time AM/PM,Location,SensorID,Value' '4/2/2003,10:36:0 PM,Conference Room,J11,ON' \
		'4/3/2003,12:6:1 AM,Conference Room,J11,OFF' '4/3/2003,12:6:1 AM,Studio A,A11,ON' ;;
	esac
}

names=$(sed -n 's/^\([a-zA-Z0-9_]*\))$/\1/p' examples/load-series.sh)
for name in $names; do
	input=
	for file in ${OTR_SERIES:+"$OTR_SERIES"/$name.*} examples/data/"$name".*; do
		[ -f "$file" ] && input=$file && break
	done
	if [ -z "$input" ]; then
		input=$tmp/$name.txt
		made_up "$name" >"$input"
	fi
	# Rows of the input: lines less the header, if its first field does not begin like a time.
	rows=$(awk 'NR == 1 && ($0 ~ /^["A-Za-z]/) { next } { n++ } END { print n + 0 }' "$input")
	{
		examples/load-series.sh "$name" "$input" "$tmp/$name.otr" && otr-verify "$tmp/$name.otr" &&
			got=$(otr-stat -l "$tmp/$name.otr" | tail -n 1 | awk -F , '{ print $(NF - 5) }') &&
			echo "$rows rows in, $got out" && [ "$rows" = "$got" ]
	} >"$tmp/out" 2>&1
	result $? "load-series.sh $name: every row of $(basename "$input") is there, the file is sound"
done

examples/demo.sh "$build" >"$tmp/out" 2>&1
result $? 'demo.sh ends well'

"$build/examples/windows" "$tmp/nyc_taxi.otr" value 86400 2>&1 | head -n 20 >"$tmp/got"
otr-query -w 24h --time-format s -N -a count,min,mean,max "$tmp/nyc_taxi.otr" | head -n 20 | tr ',' ' ' >"$tmp/want"
diff <(awk '{ printf "%s %s %.8g %.8g %.8g\n", $1, $2, $3, $4, $5 }' "$tmp/want") <(awk '{ printf "%s %s %.8g %.8g %.8g\n", $1, $2, $3, $4, $5 }' "$tmp/got") >"$tmp/out" 2>&1 &&
	[ "$(wc -l <"$tmp/got")" = 20 ]
result $? 'windows.c gives the windows that otr-query gives'

# The crontab: what its comment makes, then its line as cron would run it (\% is %).
(
	cd "$tmp" || exit 1
	eval "$(sed -n 's/^#\t\(otr-create .*\)/\1/p' "$root/examples/crontab")" || exit 1
	line=$(sed -n 's/^\* \* \* \* \* //p' "$root/examples/crontab" | sed 's/\\%/%/g')
	sh -c "$line" && [ "$(otr-dump -N load.otr | wc -l)" = 1 ]
) >"$tmp/out" 2>&1
result $? 'the line of crontab adds one row'

python3 examples/otr_dump.py "$tmp/nyc_taxi.otr" >"$tmp/out" 2>&1 && [ "$(grep -c , "$tmp/out")" -ge 10320 ]
result $? 'otr_dump.py reads what the tools wrote'
echo "1..$n"
