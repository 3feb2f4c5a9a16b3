/* SPDX-License-Identifier: BSD-2-Clause */
/* test_leaf.c - rows in memory, and leaf pages (SPEC 5.5). */
#include <stdlib.h>
#include <string.h>

#include "../../lib/leaf.h"
#include "tap.h"

#define PAGE_BYTES 16384u
#define COLUMNS 5u

static struct otr_schema schema;
static struct otr__scratch *scratch;
static uint8_t page[PAGE_BYTES], copy[PAGE_BYTES];
static unsigned long long seed = 5;

static void
make_schema(void)
{
	uint32_t c;

	schema.columns = COLUMNS;
	schema.page_bytes = PAGE_BYTES;
	for (c = 0; c < COLUMNS; c++) {
		schema.column[c].name[0] = (char)('a' + c);
		schema.column[c].type = (enum otr_type)(OTR_BOOL + c);
	}
}

/* n rows at a time step; nulls in column 1 and 4 if asked for, with bits of their own. */
static bool
make_rows(struct otr__rows *rows, size_t n, bool nulls)
{
	size_t i;
	uint32_t c;

	if (!otr__rows_init(rows, COLUMNS, n))
		return false;
	for (i = 0; i < n; i++) {
		rows->time_ns[i] = 1000 + 10 * (int64_t)i;
		rows->value[0][i] = i & 1;
		rows->value[1][i] = (uint64_t)-(int64_t)i;
		rows->value[2][i] = tap_random(&seed) >> 50;
		rows->value[3][i] = otr__bits_of_f((float)i / 4);
		rows->value[4][i] = otr__bits_of((double)i / 10);
	}
	for (c = 1; c < COLUMNS && nulls; c += 3) {
		rows->has_null[c] = true;
		for (i = 0; i < n; i++) {
			bool present = tap_random(&seed) % 3 != 0;

			rows->present[c][i / 8] = (uint8_t)((rows->present[c][i / 8] & ~(1u << i % 8)) | (unsigned)present << i % 8);
			if (!present)
				rows->value[c][i] = 0;
		}
	}
	rows->n = n;
	return true;
}

static bool
same_row(const struct otr__rows *a, size_t i, const struct otr__rows *b, size_t j)
{
	uint32_t c;
	bool same = a->time_ns[i] == b->time_ns[j];

	for (c = 0; c < COLUMNS; c++)
		if ((a->decoded & b->decoded) >> c & 1)
			same &= otr__row_present(a, c, i) == otr__row_present(b, c, j) && a->value[c][i] == b->value[c][j];
	return same;
}

static void
test_rows(void)
{
	struct otr__rows a, b, all;
	struct otr_rows view;
	unsigned trial, wrong = 0;
	size_t i;
	bool ok;

	CHECK(otr__rows_init(&a, 64, 1) && a.capacity >= 1 && a.decoded == UINT64_MAX && a.n == 0, "rows of 64 columns");
	otr__rows_release(&a);
	CHECK(a.memory == NULL, "a release leaves nothing");
	CHECK(!otr__rows_init(&a, 64, SIZE_MAX / 8), "rows that no memory holds are refused");
	ok = make_rows(&a, 300, false) && make_rows(&b, 300, true);
	CHECK(ok, "rows are made");
	if (!ok)
		exit(1);
	for (trial = 0; trial < 500; trial++) {
		size_t n1 = (size_t)(tap_random(&seed) % 100), f2 = (size_t)(tap_random(&seed) % 200), n2 = (size_t)(tap_random(&seed) % 100);
		const struct otr__rows *first = trial & 1 ? &a : &b, *second = trial & 2 ? &a : &b;

		if (!otr__rows_init(&all, COLUMNS, 0) || !otr__rows_reserve(&all, n1))
			exit(1);
		otr__rows_append(&all, first, 0, n1);
		if (!otr__rows_reserve(&all, n1 + n2))
			exit(1);
		otr__rows_append(&all, second, f2, f2 + n2);
		for (i = 0; i < n1; i++)
			wrong += !same_row(&all, i, first, i);
		for (i = 0; i < n2; i++)
			wrong += !same_row(&all, n1 + i, second, f2 + i);
		wrong += all.n != n1 + n2;
		otr__rows_release(&all);
	}
	CHECK(wrong == 0, "rows are appended with their nulls at any position, across a growth of memory");
	b.decoded = 0x12;
	otr__rows_view(&b, 16, 40, &view);
	CHECK(view.n == 24 && view.time_ns == b.time_ns + 16 && view.value[0] == NULL && view.value[1] == b.value[1] + 16 &&
	    view.present[1] == b.present[1] + 2 && view.present[0] == NULL && view.value[4] != NULL, "a view has the columns that were decoded");
	otr__rows_release(&a);
	otr__rows_release(&b);
}

static enum otr_status
decode(const uint8_t *bytes, uint64_t mask, struct otr__rows *rows, struct otr_error *err)
{
	return otr__leaf_decode(bytes, PAGE_BYTES, &schema, mask, rows, scratch, NULL, err);
}

static void
test_round_trip(void)
{
	struct otr__rows rows, got;
	struct otr__chunk_header headers[1 + COLUMNS];
	struct otr__leaf_hint hint = { .times = { .valid = false } }, second = hint, before;
	struct otr_error err;
	unsigned trial, wrong = 0, made = 0;
	uint32_t used, size = 0, c;
	size_t i;

	if (!otr__rows_init(&got, COLUMNS, 8))
		exit(1);
	for (trial = 0; trial < 60; trial++) {
		size_t n = 1 + (size_t)(tap_random(&seed) % 900), from = (size_t)(tap_random(&seed) % n);

		if (!make_rows(&rows, n, trial % 2 != 0))
			exit(1);
		memset(page, 0xee, sizeof page);
		used = otr__leaf_encode(page, PAGE_BYTES, &schema, &rows, from, n, &hint, scratch);
		if (used != 0) {
			made++;
			wrong += otr__leaf_encode(copy, PAGE_BYTES, &schema, &rows, from, n, &second, scratch) != used || memcmp(page + 40, copy + 40,
			    PAGE_BYTES - 40) != 0;
			wrong += otr__leaf_rows(page, COLUMNS) != n - from;
			if (decode(page, UINT64_MAX, &got, &err) != OTR_OK || got.n != n - from || got.decoded != 0x1f)
				wrong++;
			for (i = from; i < n && got.n == n - from; i++)
				wrong += !same_row(&rows, i, &got, i - from);
		}
		otr__rows_release(&rows);
	}
	CHECK(made > 40 && wrong == 0, "5.5: rows of all types, with nulls and without, are read as they were written");

	if (!make_rows(&rows, 300, true))
		exit(1);
	used = otr__leaf_encode(page, PAGE_BYTES, &schema, &rows, 0, 300, &hint, scratch);
	CHECK(used > 0 && decode(page, 1u << 4, &got, &err) == OTR_OK && got.decoded == 1u << 4 && got.n == 300 && same_row(&rows, 299, &got, 299),
	    "a decode gives the columns that were asked for");
	CHECK(otr__leaf_decode(page, PAGE_BYTES, &schema, 0, &got, scratch, headers, &err) == OTR_OK && got.decoded == 0, "and none, and the chunks' headers");
	for (c = 0; c < 1 + COLUMNS; c++)
		size += headers[c].size;
	CHECK(size + 48 + 24 == used && headers[0].values == 300 && headers[2].has_presence && !headers[1].has_presence, "the headers fill the leaf");
	before = hint;
	CHECK(otr__leaf_encode(copy, 512, &schema, &rows, 0, 300, &hint, scratch) == 0 && memcmp(&before, &hint, sizeof hint) == 0,
	    "5.5: rows that do not fit are told, and the hint stays");
	otr__rows_release(&rows);
	CHECK(otr__leaf_rows_max(1) == 65535 && otr__leaf_rows_max(3) == 65535 && otr__leaf_rows_max(4) == 52428 && otr__leaf_rows_max(64) == 4032,
	    "5.5: the most rows of a leaf");
	otr__rows_release(&got);
}

/* A leaf with that word is refused, by that rule and with that in its message, also when the chunks' headers are asked for. */
static bool
refused_as(size_t at, uint32_t word, const char *spec, const char *said)
{
	struct otr__chunk_header headers[1 + COLUMNS];
	struct otr__rows rows;
	struct otr_error err;
	bool answer;

	if (!otr__rows_init(&rows, COLUMNS, 8))
		exit(1);
	memcpy(copy, page, PAGE_BYTES);
	otr__put32(copy + at, word);
	answer = decode(copy, 0, &rows, &err) == OTR_E_CORRUPT && strcmp(err.spec, spec) == 0 && rows.n == 0 && strstr(err.text, said) != NULL;
	answer &= otr__leaf_decode(copy, PAGE_BYTES, &schema, 0, &rows, scratch, headers, &err) == OTR_E_CORRUPT && strcmp(err.spec, spec) == 0;
	otr__rows_release(&rows);
	return answer;
}

static bool
refused(size_t at, uint32_t word, const char *spec)
{
	return refused_as(at, word, spec, "");
}

static void
test_damage(void)
{
	struct otr__rows rows, got;
	struct otr__leaf_hint hint = { .times = { .valid = false } };
	struct otr__chunk_header headers[1 + COLUMNS];
	struct otr_error err;
	uint32_t used, second;
	unsigned i;

	if (!make_rows(&rows, 300, true) || !otr__rows_init(&got, COLUMNS, 8))
		exit(1);
	used = otr__leaf_encode(page, PAGE_BYTES, &schema, &rows, 0, 300, &hint, scratch);
	second = otr__get32(page + 52);
	CHECK(refused(40, 0, "5.5") && refused(40, 65536, "5.5") && refused(40, 43691, "5.5"), "5.5: 0 rows, 65,536, and too many for the columns are refused");
	CHECK(refused_as(44, PAGE_BYTES + 8, "5.5", "bytes in use") && refused_as(44, used - 4, "5.5", "bytes in use") && refused_as(44, 64, "5.5", "bytes in use") &&
	    refused_as(44, UINT32_MAX - 7, "5.5", "bytes in use"),
	    "5.5: bytes in use beyond the page, odd, or none are refused");
	CHECK(refused(44, used - 8, "2.4") && refused(PAGE_BYTES - 4, 1, "2.4"), "2.4: bytes behind the used part that are not zero are refused");
	CHECK(refused(48, 80, "5.5") && refused(48, 64, "5.5"), "5.5: a first chunk that does not follow the offsets is refused");
	CHECK(refused(52, 72, "5.5") && refused(52, second + 4, "5.5") && refused(52, UINT32_MAX - 7, "5.5") && refused(68, used, "5.5"),
	    "5.5: offsets that do not ascend, are odd, or lie beyond the used part are refused");
	memcpy(copy, page, PAGE_BYTES);
	copy[second] = 9;      /* the transform of column 0 */
	CHECK(decode(copy, 1, &got, &err) == OTR_E_UNSUPPORTED && strstr(err.text, "'a'") != NULL, "7.1: an unknown encoding is unsupported, its column named");
	CHECK(otr__leaf_decode(copy, PAGE_BYTES, &schema, 0x1e, &got, scratch, headers, &err) == OTR_OK && got.n == 300 && headers[1].size == 0,
	    "12-1: the other columns are read all the same");
	schema.column[1].type = (enum otr_type)0;
	CHECK(decode(page, 2, &got, &err) == OTR_E_UNSUPPORTED && strstr(err.text, "'b'") != NULL && decode(page, 4, &got, &err) == OTR_OK,
	    "3.4: a column of an unknown type is unsupported, the others are read");
	schema.column[1].type = OTR_I32;
	for (i = 0; i < 20000; i++) {
		unsigned k;

		memcpy(copy, page, PAGE_BYTES);
		for (k = 0; k < 1 + i % 3; k++)
			copy[40 + tap_random(&seed) % (used - 40)] = (uint8_t)tap_random(&seed);
		(void)!decode(copy, UINT64_MAX, &got, NULL);
	}
	CHECK(i == 20000, "a leaf of any bytes is decoded without harm");
	otr__rows_release(&rows);
	otr__rows_release(&got);
}

int
main(void)
{
	make_schema();
	scratch = otr__scratch_create();
	if (scratch == NULL)
		return 1;
	test_rows();
	test_round_trip();
	test_damage();
	otr__scratch_free(scratch);
	return tap_done();
}
