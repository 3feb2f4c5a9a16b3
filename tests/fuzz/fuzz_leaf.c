/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_leaf.c - a leaf page decoded, all its columns and each alone (SPEC 5.5).
 *
 *	schema, then the page from byte 40 on
 */
#include "fuzz.h"
#include "leaf.h"

static struct otr__scratch *scratch;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	struct otr_schema schema;
	struct otr__chunk_header headers[1 + OTR_MAX_COLUMNS];
	struct otr__rows rows, one;
	struct otr_error err;
	uint8_t *page;
	uint32_t c;
	clock_t from = clock();

	if (scratch == NULL)
		scratch = otr__scratch_create();
	fuzz_schema(&b, &schema);
	page = fuzz_rest(&b, 40, schema.page_bytes);
	REQUIRE(scratch != NULL && otr__rows_init(&rows, schema.columns, 1) && otr__rows_init(&one, schema.columns, 1), "there is memory");
	if (otr__leaf_decode(page, schema.page_bytes, &schema, UINT64_MAX >> (64 - schema.columns), &rows, scratch, headers, &err) == OTR_OK) {
		REQUIRE(rows.n == otr__leaf_rows(page, schema.columns), "all rows are there");
		for (c = 0; c < schema.columns && c < 4; c++) {
			REQUIRE(otr__leaf_decode(page, schema.page_bytes, &schema, UINT64_C(1) << c, &one, scratch, NULL, &err) == OTR_OK &&
			    one.n == rows.n && memcmp(one.value[c], rows.value[c], rows.n * 8) == 0, "a column alone is the same as among all");
		}
	}
	otr__rows_release(&rows);
	otr__rows_release(&one);
	free(page);
	fuzz_within(from, 1, "a leaf");
	return 0;
}
