/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_where.c - the expression of --where: parsed, bound to two files, asked of rows.
 *
 *	text
 */
#include "filter.h"
#include "input.h"

static const struct otr_schema schema[2] = {
	{ .columns = 6, .column = { { "b", OTR_BOOL, OTR_STEP }, { "i", OTR_I32, OTR_STEP }, { "n", OTR_I64, OTR_STEP }, { "f", OTR_F32, OTR_LINEAR },
		{ "v", OTR_F64, OTR_LINEAR }, { "two words", OTR_F64, OTR_LINEAR } } },
	{ .columns = 3, .column = { { "v", OTR_I64, OTR_STEP }, { "i", OTR_F32, OTR_LINEAR }, { "b", OTR_I32, OTR_STEP } } },
};

static void
ask(const struct filter *f, const struct otr_schema *s)
{
	static const uint64_t v[8] = { 0, 1, UINT64_MAX, UINT64_C(0x4014000000000000), 0x40a00000, UINT64_C(0x7ff8000000000000), 0x7fc00000, UINT64_C(0x8000000000000000) };
	static const uint8_t present[1] = { 0xdf };
	static const int64_t time_ns[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	uint64_t value[OTR_MAX_COLUMNS][8];
	struct otr_rows rows = { .n = 8, .time_ns = time_ns };
	unsigned c, i, matches = 0;

	for (c = 0; c < s->columns; c++) {
		for (i = 0; i < 8; i++)
			value[c][i] = fuzz_value(s->column[c].type, v[i]);
		if ((filter_columns(f) >> c & 1) != 0) {
			rows.value[c] = value[c];
			rows.present[c] = c % 2 == 0 ? present : NULL;
		}
	}
	for (i = 0; i < 8; i++)
		matches += filter_match(f, &rows, i);
	REQUIRE(matches <= 8, "a row matches or does not");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	char *text = fuzz_text(&b);
	struct filter_why why = { .what = NULL };
	struct filter *f = filter_parse(text, &why);
	clock_t from = clock();
	unsigned i;

	REQUIRE(f != NULL || (why.what != NULL && why.remedy != NULL && why.at <= strlen(text)), "a refusal says where and why");
	for (i = 0; f != NULL && i < 3; i++)
		if (filter_bind(f, &schema[i % 2], &why))
			ask(f, &schema[i % 2]);
	filter_free(f);
	free(text);
	fuzz_within(from, 1, "an expression");
	return 0;
}
