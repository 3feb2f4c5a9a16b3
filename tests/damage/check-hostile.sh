#!/usr/bin/env bash
# Files of 1 MiB that are made to be slow (hostile.py): verify, stat and log take no more than 64 MiB and a second of the processor; the user time is said.
set -u
build=${OTR_BIN:-$PWD/build/release}
cd "${OTR_ROOT:-.}" || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 tests/damage/hostile.py "$folder" || exit 1
sanitized=0
case $build in */release) ;; *) sanitized=1 ;; esac
n=0
for file in "$folder"/*.otr; do
	name=${file##*/}
	for tool in verify stat log; do
		options=()
		[ $tool = log ] && options=(-n 1000)
		n=$((n + 1))
		TIMEFORMAT=%U
		{ time (
			[ $sanitized = 1 ] || ulimit -v 65536 -t 1
			"$build/otr-$tool" ${options+"${options[@]}"} "$file" >"$folder/out" 2>"$folder/err"
			echo $? >"$folder/status"
		); } 2>"$folder/time"
		status=$(cat "$folder/status")
		# only the files whose pages are named over and over have a fault, which verify alone looks for
		want=0
		case $name-$tool in shared.otr-verify | named.otr-verify) want=1 ;; esac
		if [ "$status" = $want ]; then
			echo "ok $n - $name: otr-$tool"
		else
			echo "not ok $n - $name: otr-$tool: status $status: $(head -c 200 "$folder/err" "$folder/out" | tr '\n' ' ')"
		fi
		echo "# $(cat "$folder/time") s"
	done
done
echo "1..$n"
