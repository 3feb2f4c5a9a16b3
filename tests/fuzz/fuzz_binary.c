/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_binary.c - the binary row stream, read into rows of a series (SPEC appendix C).
 *
 *	u8 flags (1 batches of 5 rows, 8 unknown columns ignored, 128 no magic: it is put in front), stream
 */
#include "input.h"

static const struct otr_schema schema = { .columns = 5, .page_bytes = 4096, .column = { { "b", OTR_BOOL, OTR_STEP }, { "i", OTR_I32, OTR_STEP },
	{ "n", OTR_I64, OTR_STEP }, { "f", OTR_F32, OTR_LINEAR }, { "v", OTR_F64, OTR_LINEAR } } };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t magic[10] = { 0x89, 'O', 'T', 'R', 'B', 0x0d, 0x0a, 0x1a, 1, 0 };
	struct fuzz_bytes b = { data, size };
	unsigned flags = (unsigned)fuzz_take(&b, 1);
	struct loader_rules rules = { .schema = &schema, .format = LOADER_BINARY, .ignore_unknown = (flags & 8) != 0, .null_text = "", .now = 1800000000000000000 };
	size_t n = (flags & 128) != 0 ? sizeof magic : 0, len = n + b.left;
	uint8_t *bytes = fuzz_rest(&b, n, len);
	clock_t from = clock();

	memcpy(bytes, magic, n);
	fuzz_load(&rules, bytes, len, (flags & 1) != 0 ? 5 : LOADER_BATCH);
	free(bytes);
	fuzz_within(from, 1, "a stream");
	return 0;
}
