#!/usr/bin/env bats
# SPEC.md and the sample files: what the text says, what a reader written from it alone reads, and what tests/mkotr makes agree.
# No tool of this repository takes part.

setup_file() {
	cd "${OTR_ROOT:-$BATS_TEST_DIRNAME/..}" || exit 1
	export PYTHONDONTWRITEBYTECODE=1
	FILES=${OTR_BIN:-build}/files
	export FILES
	rm -rf "$FILES"
	tests/mkotr -a tests/files "$FILES"
}

setup() {
	cd "${OTR_ROOT:-$BATS_TEST_DIRNAME/..}" || exit 1
}

@test "appendix B of SPEC.md is examples/otr_dump.py, at most 200 lines" {
	diff <(python3 tests/spec_hexdump.py --reader) examples/otr_dump.py
	[ "$(wc -l < examples/otr_dump.py)" -le 200 ]
}

@test "appendix A and the examples of 7.9 are what the generator makes and the reader decodes" {
	python3 tests/spec_hexdump.py
}

@test "the checksums of 3.1" {
	python3 tests/spec_check.py crc "$FILES"
}

@test "the Python blocks of SPEC.md run and agree with the reader" {
	python3 tests/spec_check.py blocks "$FILES"
}

@test "sample files have the hashes of SHA256SUMS" {
	python3 tests/spec_check.py sums "$FILES"
}

@test "each sample file has its sentence in README.md" {
	python3 tests/spec_check.py readme "$FILES"
}

@test "appendix B reads all good files, and dies of no bad one" {
	python3 tests/spec_check.py minimal "$FILES"
}

@test "the independent reader reads all good files, each version, log, metadata" {
	python3 tests/spec_check.py dump "$FILES"
}

@test "14.1, 14.2, 14.3, 14.4, 14.6: the registries are those of lib/, and magic(5) is told right" {
	python3 tests/spec_check.py registries "$FILES"
}

@test "its verify finds nothing in good files" {
	python3 tests/spec_check.py verify "$FILES"
}

@test "12-4: bad and unsupported files: status, answer and rule" {
	python3 tests/spec_check.py bad "$FILES"
}

@test "a bad or unsupported file has one marked fault, and without it is its good twin" {
	python3 tests/spec_check.py twins "$FILES"
}

@test "tests/otr2text writes texts that assemble to the good files again" {
	python3 tests/spec_check.py texts "$FILES"
}
