#!/usr/bin/env bash
# The shipped series, end to end, against plain loops in Python; with OTR_SERIES=DIR the whole ones.
set -u
root=${OTR_ROOT:-$PWD}
exec python3 "$root/tests/series.py" "${OTR_BIN:-$root/build/release}" "${OTR_SERIES:-$root/examples/data}"
