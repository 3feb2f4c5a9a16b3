#!/bin/sh
# load-series.sh NAME INPUT OUT.otr - loads one of sixteen public series, as its publisher gives it, into a new OTR file.
#
# Each case below is a recipe of two steps: otr-create says what the columns are, otr-append reads the rows.  Where a file has its time
# in several fields, or in an odd form, sed, cut or awk joins it first.  Copy the case that looks like your data.
set -eu

if [ $# -ne 3 ]; then
	echo "usage: load-series.sh NAME INPUT OUT.otr" >&2
	echo "NAME is one of:$(sed -n 's/^\([a-zA-Z0-9_]*\))$/ \1/p' "$0" | tr -d '\n')" >&2
	exit 2
fi
name=$1 in=$2 out=$3

case $name in

# --- a header, the time first: nothing to prepare -----------------------------------------------------------------------------

nyc_taxi)
	# timestamp,value            Taxi passengers in New York, every 30 minutes.
	otr-create --gap 1h "$out" value:i64:passengers
	otr-append "$out" "$in"
	;;
Twitter_volume_AAPL)
	# timestamp,value            Tweets that name a company, every 5 minutes: a count in each interval.
	otr-create --gap 15m "$out" value:i64:tweets
	otr-append "$out" "$in"
	;;
cpu_utilization_asg_misconfiguration)
	# timestamp,value            Per cent.  Some values have 3 decimals, some 15: every one comes back as it was.
	otr-create --gap 15m "$out" value:f64:%
	otr-append "$out" "$in"
	;;
ec2_disk_write_bytes_1ef3de)
	# timestamp,value            Some times come twice, with different values: --duplicates keep holds on to both rows.
	otr-create --duplicates keep --gap 15m "$out" value:f64:B
	otr-append "$out" "$in"
	;;
machine_temperature_system_failure)
	# timestamp,value            Not in order, and twelve times come twice.
	otr-create --duplicates keep --gap 15m "$out" value:f64:degF
	otr-append "$out" "$in"
	;;
ETTh1)
	# date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT      Six loads of a transformer and its oil temperature, hourly.
	otr-create --gap 2h "$out" HUFL HULL MUFL MULL LUFL LULL OT:f64:degC
	otr-append "$out" "$in"
	;;
gbpusd_1m)
	# timestamp,open,high,low,close              The times have an offset, +00:00.
	otr-create --gap 5m "$out" open high low close
	otr-append "$out" "$in"
	;;
ampds_elec)
	# unix_ts,V,I,f,DPF,APF,P,Pt,Q,Qt,S,St       Seconds since 1970: what otr-append takes a plain number for.
	otr-create --gap 5m "$out" V:f64:V I:f64:A f:f64:Hz DPF APF P:i32:W Pt:i64:Wh Q:i32:var Qt:i64:varh S:i32:VA St:i64:VAh
	otr-append "$out" "$in"
	;;
proc_10hz)
	# ts_ms,cpu_user,...         The name of the time field ends in _ms, so its numbers are milliseconds.
	# (--any-time: for a reader whose clock is far behind that of the machine that recorded this.)
	otr-create --gap 1s "$out" cpu_user:i64 cpu_sys:i64 cpu_idle:i64 ctxt:i64 intr:i64 memfree_kb:i64:KiB load1 wr_sectors:i64 \
		io_busy_ms:i64:ms running:i32
	otr-append --any-time "$out" "$in"
	;;

# --- another delimiter ----------------------------------------------------------------------------------------------------------

skab_valve)
	# datetime;Accelerometer1RMS;...             Semicolons; one row a second.
	otr-create --gap 10s "$out" Accelerometer1RMS Accelerometer2RMS Current:f64:A Pressure:f64:bar Temperature:f64:degC \
		Thermocouple:f64:degC Voltage:f64:V 'Volume Flow RateRMS:f64:l/min'
	otr-append -d ';' "$out" "$in"
	;;
household_power)
	# "date" TAB "time" TAB "global_active_power" TAB ... TAB "date_time"     Quotes do not belong into TSV; the header has no name for the
	# first field, the row's name, so it gets one; the last field has the whole time, of a clock in France.
	otr-create --gap 5m "$out" global_active_power:f64:kW global_reactive_power:f64:kW voltage:f64:V global_intensity:f64:A \
		sub_metering_1:i32:Wh sub_metering_2:i32:Wh sub_metering_3:i32:Wh
	{ printf 'row\t'; tr -d '"' < "$in"; } | cut -f 4-11 | otr-append -F tsv -t date_time -z Europe/Paris "$out"
	;;

# --- fields to leave out, values to rewrite ---------------------------------------------------------------------------------------

vic_elec)
	# rownames,Time,Demand,Temperature,Date,Holiday               Date is a text; TRUE and FALSE become 1 and 0.
	otr-create --gap 1h "$out" Demand:f64:MWh Temperature:f64:degC Holiday:bool
	cut -d , -f 2,3,4,6 "$in" | sed 's/TRUE$/1/; s/FALSE$/0/' | otr-append "$out"
	;;

# --- a time to be put together ----------------------------------------------------------------------------------------------------

beijing_pm25)
	# No,year,month,day,hour,pm2.5,DEWP,TEMP,PRES,cbwd,Iws,Is,Ir  NA is "no value"; cbwd, the wind's direction, is a text.
	otr-create --gap 2h "$out" pm2.5:i32:ug/m3 DEWP:i32:degC TEMP:f64:degC PRES:f64:hPa Iws:f64:m/s Is:i32:h Ir:i32:h
	awk -F , -v OFS=, '
		NR == 1 { print "time", $6, $7, $8, $9, $11, $12, $13; next }
		{ print sprintf("%04d-%02d-%02d %02d:00", $2, $3, $4, $5), $6, $7, $8, $9, $11, $12, $13 }' "$in" |
		otr-append --null-value NA -z Asia/Shanghai "$out"
	;;
occupancy)
	# 23.18,27.272,426,721.25,0.0047929882,1     No header and no time: row k was taken k minutes after the first.
	otr-create --gap 5m "$out" temperature:f64:degC humidity:f64:% light:f64:lx co2:f64:ppm humidity_ratio occupied:bool
	awk -v start=1423072260 '{ print start + 60 * (NR - 1) "," $0 }' "$in" | otr-append -N "$out"
	;;
xauusd_tick_20140502)
	# 46.2042,1284.065,1284.405  Milliseconds since midnight with up to four decimals, bid, ask; no header.  The midnight is added to the
	# whole part alone: with its decimals the sum would have more digits than awk keeps.
	otr-create --gap 1m "$out" bid:f64:USD ask:f64:USD
	awk -F , -v OFS=, -v midnight=1398988800 '{
		split($1, t, "."); s = int(t[1] / 1000)
		print sprintf("%d%03d%s", midnight + s, t[1] - 1000 * s, t[2] == "" ? "" : "." t[2]), $2, $3
	}' "$in" | otr-append -N --time-unit ms "$out"
	;;
onoff_sensors)
	# 4/2/2003,10:36:0 PM,Conference Room,J11,ON
	# One column for each sensor, null where a row is of another one.  A sensor keeps its state until it says otherwise: bool columns
	# are step columns, and the duty cycle is their time-weighted mean (otr-query -a twa).
	sensors=$(tail -n +2 "$in" | cut -d , -f 4 | sort -u)
	# shellcheck disable=SC2086,SC2046
	otr-create --duplicates keep "$out" $(printf '%s:bool ' $sensors)
	awk -F , -v sensors="$(echo "$sensors" | tr '\n' ' ')" '
		BEGIN { n = split(sensors, name, " "); line = "time"; for (i = 1; i <= n; i++) line = line "," name[i]; print line }
		NR > 1 {
			split($1, day, "/"); split($2, clock, /[: ]/)
			hour = clock[1] % 12 + (clock[4] == "PM" ? 12 : 0)
			line = sprintf("%04d-%02d-%02d %02d:%02d:%02d", day[3], day[1], day[2], hour, clock[2], clock[3])
			for (i = 1; i <= n; i++) line = line "," (name[i] == $4 ? ($5 == "ON" ? 1 : 0) : "")
			print line
		}' "$in" | otr-append "$out"
	;;

*)
	echo "load-series.sh: no series \"$name\"" >&2
	exit 2
	;;
esac
