/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_chunk.c - one chunk decoded: every transform and packing, deflated or not (SPEC 7).  What is sound is encoded anew and comes back the same.
 *
 *	u8 content (0 times, 1..5 a type), u16 rows, chunk
 */
#include "chunk.h"
#include "fuzz.h"
#include "scratch.h"

#define ENCODED_MAX (1u << 20)

static struct otr__scratch *scratch;
static uint8_t *encoded;

/* Values that were decoded, encoded and decoded again. */
static void
again(int content, uint32_t rows, const uint64_t *value, const uint8_t *present, bool has_null)
{
	uint64_t *back = fuzz_memory(rows * sizeof *back);
	uint8_t *back_present = fuzz_memory((rows + 7) / 8);
	struct otr__hint hint = { .valid = false };
	struct otr_error err;
	bool back_null;
	size_t size, i;

	size = otr__chunk_encode(value, has_null ? present : NULL, rows, content, &hint, encoded, ENCODED_MAX, scratch);
	REQUIRE(size > 0, "what was decoded can be encoded");
	REQUIRE(otr__chunk_decode(encoded, size, content, rows, back, back_present, &back_null, scratch, &err) == OTR_OK, "what was encoded can be decoded");
	REQUIRE(memcmp(value, back, rows * sizeof *back) == 0, "values come back as they were");
	for (i = 0; i < rows; i++)
		REQUIRE((!has_null || (present[i / 8] >> i % 8 & 1) != 0) == (!back_null || (back_present[i / 8] >> i % 8 & 1) != 0), "nulls come back as they were");
	free(back);
	free(back_present);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	int content = (int)(fuzz_take(&b, 1) % 6);
	uint32_t rows = (uint32_t)fuzz_take(&b, 2);
	struct otr__chunk_header header;
	struct otr_error err;
	size_t len = b.left;
	uint8_t *bytes = fuzz_rest(&b, 0, len), *present;
	uint64_t *value;
	bool has_null = false;
	clock_t from = clock();

	rows = rows == 0 ? 1 : rows;
	if (scratch == NULL) {
		scratch = otr__scratch_create();
		encoded = fuzz_memory(ENCODED_MAX);
	}
	REQUIRE(scratch != NULL, "there is memory");
	value = fuzz_memory(rows * sizeof *value);
	present = fuzz_memory((rows + 7) / 8);
	(void)!otr__chunk_peek(bytes, len, rows, &header, &err);
	if (otr__chunk_decode(bytes, len, content, rows, value, content == OTR__TIMES ? NULL : present, &has_null, scratch, &err) == OTR_OK)
		again(content, rows, value, present, has_null);
	free(value);
	free(present);
	free(bytes);
	fuzz_within(from, 1, "a chunk");
	return 0;
}
