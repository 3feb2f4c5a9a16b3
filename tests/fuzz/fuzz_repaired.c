/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_repaired.c - a whole file with edits behind right checksums: those of the pages edited, and of all that leads to them.  file.h has the form of the input.
 */
#include "file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_file(data, size, true);
}
