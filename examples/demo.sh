#!/bin/sh
# demo.sh [BUILD] - the main job on real data: a CSV becomes an OTR file, windows are asked of it, the file is verified.
# BUILD is the directory with the tools (default build/release); the file is made there, as demo.otr.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}
PATH=$build:$PATH
file=$build/demo.otr

say() {
	printf '\n$ %s\n' "$*"
	"$@"
}

echo "Passengers of New York's taxis, every 30 minutes from July 2014 to January 2015."
say wc -l examples/data/nyc_taxi.csv
say otr-create -f --gap 1h "$file" value:i64:passengers
say otr-append -v "$file" examples/data/nyc_taxi.csv
printf '\nTwelve days of January 2015, a window a day; a blizzard closed the streets on the 26th.\n'
say otr-query -w 24h -s 2015-01-20 -a count,min,mean,max,sum "$file"
say otr-stat "$file"
say otr-verify -v "$file"
