/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_values.c - values of any kind encoded, decoded, and merged into statistics: a leaf of one column, written and read (SPEC 5.5, 6, 7).
 *
 *	u8 type, u8 flags (1 nulls, 2 small values, 4 gap, 8 step, 16 deflate), u8 width of a value in bytes, u16 rows, then values, again and again from the first
 */
#include "fuzz.h"
#include "leaf.h"
#include "scratch.h"
#include "stats.h"

#define PAGE 65536u

static struct otr__scratch *scratch;

static void
fill(struct fuzz_bytes *b, struct otr__rows *rows, enum otr_type type, unsigned flags)
{
	unsigned width = (unsigned)fuzz_take(b, 1) % 8 + 1;
	struct fuzz_bytes first, at;
	int64_t time_ns = 0;
	uint64_t v = 0;
	size_t i, n = (size_t)fuzz_take(b, 2);

	rows->n = n < 1 ? 1 : n < 4096 ? n : 4096;
	first = at = *b;
	rows->has_null[0] = (flags & 1) != 0;
	memset(rows->present[0], 0, (rows->n + 7) / 8);
	for (i = 0; i < rows->n; i++) {
		if (at.left < width)
			at = first;
		v = (flags & 2) != 0 ? v + (uint64_t)(int64_t)(int8_t)fuzz_take(&at, 1) : fuzz_take(&at, width);
		rows->value[0][i] = fuzz_value(type, v);
		if ((flags & 1) != 0 && v % 7 == 0)
			rows->value[0][i] = 0;
		else
			rows->present[0][i / 8] = (uint8_t)(rows->present[0][i / 8] | 1u << i % 8);
		time_ns += (int64_t)((flags & 4) != 0 ? v & INT64_C(0x3fffffffffff) : 1000 + v % 3);
		rows->time_ns[i] = time_ns;
	}
}

/* The record of all rows, and those of two parts merged: what is exact is the same. */
static void
sums(const struct otr__rows *rows, const struct otr_schema *schema, size_t cut)
{
	struct otr__stats_rule rule = { schema->column[0].type, schema->column[0].interpolation, schema->has_gap, schema->gap_ns };
	const uint8_t *present = rows->has_null[0] ? rows->present[0] : NULL;
	struct otr__stats all, left, right;

	otr__stats_leaf(&all, &rule, rows->time_ns, rows->value[0], present, rows->n);
	otr__stats_range(&left, &rule, rows->time_ns, rows->value[0], present, 0, cut);
	otr__stats_range(&right, &rule, rows->time_ns, rows->value[0], present, cut, rows->n);
	otr__stats_merge(&left, &right, &rule);
	REQUIRE(all.count == left.count && all.nans == left.nans && all.min == left.min && all.max == left.max && all.first == left.first &&
	    all.last == left.last && all.t_first == left.t_first && all.t_last == left.t_last && all.covered == left.covered,
	    "what is exact is the same whether merged or not");
	REQUIRE(otr__type_is_float(rule.type) || (all.sum[0] == left.sum[0] && all.sum[1] == left.sum[1] && all.rise == left.rise), "integer sums too");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	struct otr_schema schema = { .columns = 1, .page_bytes = PAGE };
	static struct otr__leaf_hint hint;
	struct otr__rows rows, back;
	struct otr_error err;
	unsigned flags;
	uint8_t *page = fuzz_memory(PAGE);

	schema.column[0].type = (enum otr_type)(fuzz_take(&b, 1) % 5 + 1);
	flags = (unsigned)fuzz_take(&b, 1);
	schema.has_gap = (flags & 4) != 0;
	schema.gap_ns = schema.has_gap ? 1000000 : 0;
	schema.column[0].interpolation = (flags & 8) != 0 ? OTR_STEP : OTR_LINEAR;
	if (scratch == NULL)
		scratch = otr__scratch_create();
	REQUIRE(scratch != NULL && otr__rows_init(&rows, 1, 4096) && otr__rows_init(&back, 1, 1), "there is memory");
	memset(&hint, 0, sizeof hint);
	scratch->deflate = (flags & 16) != 0;
	fill(&b, &rows, schema.column[0].type, flags);
	sums(&rows, &schema, size % rows.n);
	if (otr__leaf_encode(page, PAGE, &schema, &rows, 0, rows.n, &hint, scratch) > 0) {
		size_t i;

		REQUIRE(otr__leaf_decode(page, PAGE, &schema, 1, &back, scratch, NULL, &err) == OTR_OK, "what was encoded can be decoded");
		REQUIRE(back.n == rows.n && memcmp(back.time_ns, rows.time_ns, rows.n * 8) == 0 && memcmp(back.value[0], rows.value[0], rows.n * 8) == 0,
		    "times and values come back as they were");
		for (i = 0; i < rows.n; i++)
			REQUIRE(otr__row_present(&back, 0, i) == otr__row_present(&rows, 0, i), "nulls come back as they were");
	} else
		REQUIRE(rows.n > PAGE / 20, "so few rows fit into a page");
	otr__rows_release(&rows);
	otr__rows_release(&back);
	free(page);
	return 0;
}
