#!/bin/sh
# The commands that README.md and the other pages show do what is shown.
# After a change of output: OTR_ROOT=$PWD OTR_BIN=$PWD/build/release PATH=$PWD/build/release:$PATH tests/transcript.py --update README.md
exec python3 tests/transcript.py README.md
