/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_file.c - a whole file with edits, as it comes: read, checked and changed.  file.h has the form of the input.
 */
#include "file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_file(data, size, false);
}
