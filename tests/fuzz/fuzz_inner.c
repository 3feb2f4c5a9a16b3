/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_inner.c - an inner page checked, its entries read, their statistics merged, and written again (SPEC 5.4, 6).
 *
 *	schema, then the page from byte 40 on
 */
#include "fuzz.h"
#include "inner.h"

static void
read_page(const uint8_t *page, const struct otr_schema *schema, uint32_t entries)
{
	uint8_t *copy = fuzz_memory(schema->page_bytes);
	struct otr__stats stats[OTR_MAX_COLUMNS], sum[OTR_MAX_COLUMNS];
	struct otr__entry e;
	uint32_t i, c;

	REQUIRE(entries > 0 && entries <= otr__inner_capacity(schema->page_bytes, schema->columns), "entries fit into the page");
	for (i = 0; i < entries; i++) {
		otr__inner_entry(page, schema->columns, i, &e);
		for (c = 0; c < schema->columns; c++) {
			const struct otr_column *column = &schema->column[c];
			struct otr__stats_rule rule = { column->type, column->interpolation, schema->has_gap, schema->gap_ns };

			otr__inner_stats(page, schema->columns, i, c, &stats[c]);
			if (i == 0)
				sum[c] = stats[c];
			else
				otr__stats_merge(&sum[c], &stats[c], &rule);
		}
		otr__inner_put(copy, schema->columns, i, &e, stats);
	}
	otr__inner_finish(copy, schema->page_bytes, schema->columns, entries);
	REQUIRE(memcmp(copy + 40, page + 40, schema->page_bytes - 40) == 0, "a sound page is written as it was read");
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	struct otr_schema schema;
	struct otr_error err;
	uint32_t entries = 0;
	uint8_t *page;

	fuzz_schema(&b, &schema);
	page = fuzz_rest(&b, 40, schema.page_bytes);
	if (otr__inner_check(page, schema.page_bytes, schema.columns, &entries, &err) == OTR_OK)
		read_page(page, &schema, entries);
	free(page);
	return 0;
}
