/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record.c - commit records and row blocks (SPEC 4.3, 4.4).  The log page has test_logpage.c.
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/record.h"
#include "tap.h"

static unsigned long long state = 99;
static struct otr_schema schema;

static uint64_t
below(uint64_t n)
{
	return tap_random(&state) % n;
}

static void
make_schema(uint32_t columns)
{
	uint32_t c;

	memset(&schema, 0, sizeof schema);
	schema.columns = columns;
	schema.page_bytes = 8192;
	for (c = 0; c < columns; c++)
		schema.column[c].type = (enum otr_type)(1 + c % 5);
}

static uint64_t
a_value(enum otr_type type)
{
	uint64_t v = tap_random(&state);

	if (type == OTR_BOOL)
		return v & 1;
	if (type == OTR_F32)
		return v & UINT32_MAX;
	if (type == OTR_I32)
		return (v & INT32_MAX) | ((v >> 40 & 1) != 0 ? 0xffffffff80000000u : 0);
	return v;
}

/* n rows in any order of time; nulls in about half of the columns. */
static bool
make_rows(struct otr__rows *rows, size_t n)
{
	uint32_t c;
	size_t i;

	if (!otr__rows_init(rows, schema.columns, n))
		return false;
	rows->n = n;
	for (i = 0; i < n; i++)
		rows->time_ns[i] = (int64_t)below(1u << 20) - 1000;
	for (c = 0; c < schema.columns; c++) {
		rows->has_null[c] = below(2) == 0;
		if (rows->has_null[c])
			for (i = 0; i < (n + 7) / 8; i++)
				rows->present[c][i] = (uint8_t)below(256);
		for (i = 0; i < n; i++)
			rows->value[c][i] = otr__row_present(rows, c, i) ? a_value(schema.column[c].type) : 0;
	}
	return true;
}

/* Whether rows [from, from + n) of a are rows [at, at + n) of b. */
static bool
same_rows(const struct otr__rows *a, size_t from, size_t n, const struct otr__rows *b, size_t at)
{
	uint32_t c;
	size_t i;

	for (i = 0; i < n; i++) {
		if (a->time_ns[from + i] != b->time_ns[at + i])
			return false;
		for (c = 0; c < schema.columns; c++)
			if (otr__row_present(a, c, from + i) != otr__row_present(b, c, at + i) || a->value[c][from + i] != b->value[c][at + i])
				return false;
	}
	return true;
}

static void
test_blocks(void)
{
	static uint8_t bytes[1 << 20];
	struct otr__rows src, dst;
	unsigned i, wrong = 0;

	for (i = 0; i < 300; i++) {
		size_t n = 1 + (size_t)below(i % 50 == 0 ? 4096 : 100), from = (size_t)below(n), to = from + 1 + (size_t)below(n - from), before;
		struct otr__put w = otr__put_into(bytes, sizeof bytes);
		struct otr__reader r;
		uint32_t count = 0;

		make_schema(1 + (uint32_t)below(12));
		if (!make_rows(&src, n) || !otr__rows_init(&dst, schema.columns, 1))
			return;
		/* behind rows that are there already, so that presence bits begin anywhere */
		otr__block_put(&w, &schema, &src, 0, from + 1);
		otr__block_put(&w, &schema, &src, from, to);
		wrong += w.failed || sizeof bytes - w.left != otr__block_size(&schema, from + 1) + otr__block_size(&schema, to - from);
		r = otr__reader_of(bytes, sizeof bytes - w.left);
		wrong += otr__block_get(&r, &schema, &dst, &count, NULL) != OTR_OK || count != from + 1;
		before = dst.n;
		wrong += otr__block_get(&r, &schema, &dst, &count, NULL) != OTR_OK || count != to - from || r.left != 0;
		wrong += dst.n != before + to - from || !same_rows(&src, 0, before, &dst, 0) || !same_rows(&src, from, to - from, &dst, before);
		otr__rows_release(&src);
		otr__rows_release(&dst);
	}
	CHECK(wrong == 0, "4.4: row blocks of random rows come back, behind those before them");
}

static bool
is_refused(const uint8_t *bytes, size_t len)
{
	struct otr__reader r = otr__reader_of(bytes, len);
	struct otr__rows rows;
	struct otr_error err = { .status = OTR_OK };
	uint32_t n;
	bool refused;

	if (!otr__rows_init(&rows, schema.columns, 1))
		return false;
	refused = otr__block_get(&r, &schema, &rows, &n, &err) == OTR_E_CORRUPT && strcmp(err.spec, "4.4") == 0 && r.left == len && rows.n == 0;
	otr__rows_release(&rows);
	return refused;
}

static void
test_bad_blocks(void)
{
	uint8_t bytes[512];
	struct otr__put w = otr__put_into(bytes, sizeof bytes);
	struct otr__rows rows;
	size_t len, i, wrong = 0;
	uint32_t n;
	struct otr__reader r;

	/* bool, i32: 8 + 3 x 8, then 8 + 8 and 8 + 16 bytes; row 1 is null in both */
	make_schema(2);
	if (!make_rows(&rows, 3))
		return;
	rows.has_null[0] = rows.has_null[1] = true;
	rows.present[0][0] = rows.present[1][0] = 5;
	rows.value[0][0] = rows.value[0][2] = 1;
	rows.value[1][0] = rows.value[1][2] = 7;
	otr__block_put(&w, &schema, &rows, 0, 3);
	len = sizeof bytes - w.left;
	CHECK(len == 72 && !is_refused(bytes, len), "4.4: a block of three rows of bool and i32 takes 72 bytes");
	for (i = 0; i < len; i++) {
		uint8_t *cut = malloc(i + 1);

		if (cut == NULL)
			return;
		memcpy(cut, bytes, i);
		wrong += !is_refused(cut, i);
		free(cut);
	}
	CHECK(wrong == 0, "4.4: a cut block is refused");
#define REFUSED(at, v, sentence) do { uint8_t was = bytes[at]; bytes[at] = (v); CHECK(is_refused(bytes, len), sentence); bytes[at] = was; } while (0)
	REFUSED(0, 0, "4.4: no rows are no block");
	REFUSED(1, 16, "4.4: nor are 4,099");
	REFUSED(4, 1, "2.4: zero bytes are zero");
	REFUSED(32, 0x0d, "4.4: spare presence bits are zero");
	REFUSED(33, 1, "4.4: the padding of presence bits is zero");
	REFUSED(40, 2, "4.4: a bool is 0 or 1");
	REFUSED(41, 1, "4.4: a value is zero where absent");
	REFUSED(43, 1, "4.4: the padding of values is zero");
	otr__put64(bytes + 16, INT64_MAX);
	CHECK(is_refused(bytes, len), "2.3: INT64_MAX is no time of a row");
	otr__put64(bytes + 16, (uint64_t)1 << 63);
	CHECK(is_refused(bytes, len), "2.3: nor is INT64_MIN");
	schema.column[1].type = (enum otr_type)0;
	r = otr__reader_of(bytes, len);
	CHECK(otr__block_get(&r, &schema, &rows, &n, NULL) == OTR_E_CORRUPT, "4.4: values of an unknown type take 8 bytes each, so this block is too short");
	w = otr__put_into(bytes, sizeof bytes);
	otr__block_put(&w, &schema, &rows, 1, 1);
	CHECK(w.failed, "4.4: no block of no rows is written");
	otr__rows_release(&rows);
}

/* ---- records ------------------------------------------------------------------------------------------------------------- */

static uint8_t text[2048], block[2048];

static bool
make_record(struct otr__record *record)
{
	unsigned i;

	for (i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(' ' + below(95));
	*record = (struct otr__record){ .version = below((uint64_t)1 << 62), .commit_ns = (int64_t)tap_random(&state) / 2, .kind = (enum otr_kind)below(7),
		.time_digits = (uint8_t)(3 * below(4)), .added = below(1u << 30), .removed = tap_random(&state) / 2, .author = text,
		.author_bytes = (uint16_t)below(256), .message = text + 256, .message_bytes = (uint16_t)below(1025) };
	record->rows_ever = tap_random(&state) / 2;
	record->rows = below(record->rows_ever + 1);
	if (below(3) == 0) {
		record->has_kept = true;
		record->kind = OTR_KIND_DELETE;           /* 8.2: a rewrite */
		record->kept = (struct otr__kept){ .root = { 1 + below(1000), below(record->version + 1), (uint32_t)tap_random(&state) },
			.base_row = below(1000), .tree_rows = 1 + below(1000) };
	} else if (below(2) == 0) {
		struct otr__rows rows;
		struct otr__put w = otr__put_into(block, sizeof block);

		record->row_count = 1 + (uint32_t)below(20);
		if (!make_rows(&rows, record->row_count))
			return false;
		otr__block_put(&w, &schema, &rows, 0, record->row_count);
		otr__rows_release(&rows);
		record->block = block;
		record->block_bytes = sizeof block - w.left;
	}
	return true;
}

static bool
same_record(const struct otr__record *a, const struct otr__record *b)
{
	return a->version == b->version && a->commit_ns == b->commit_ns && a->kind == b->kind && a->time_digits == b->time_digits &&
	    a->rows_ever == b->rows_ever && a->rows == b->rows && a->added == b->added && a->removed == b->removed &&
	    a->author_bytes == b->author_bytes && memcmp(a->author, b->author, a->author_bytes) == 0 &&
	    a->message_bytes == b->message_bytes && memcmp(a->message, b->message, a->message_bytes) == 0 && a->has_kept == b->has_kept &&
	    (!a->has_kept || (otr__ref_equal(&a->kept.root, &b->kept.root) && a->kept.base_row == b->kept.base_row &&
	    a->kept.tree_rows == b->kept.tree_rows)) && a->row_count == b->row_count && a->block_bytes == b->block_bytes &&
	    (a->block == NULL) == (b->block == NULL) && (a->block == NULL || memcmp(a->block, b->block, a->block_bytes) == 0);
}

static void
test_records(void)
{
	static uint8_t bytes[4096];
	struct otr__record record, got;
	unsigned i, wrong = 0, cuts = 0;
	size_t k;

	make_schema(3);
	for (i = 0; i < 1000; i++) {
		struct otr__put w = otr__put_into(bytes, sizeof bytes);
		struct otr__reader r;
		size_t len;

		if (!make_record(&record))
			return;
		otr__record_put(&w, &record);
		len = sizeof bytes - w.left;
		r = otr__reader_of(bytes, len);
		wrong += w.failed || len != otr__record_size(&record) || len % 8 != 0;
		wrong += otr__record_get(&r, &schema, &got, NULL) != OTR_OK || r.left != 0 || !same_record(&record, &got);
		for (k = 0; i < 20 && k < len; k++) {
			r = otr__reader_of(bytes, k);
			cuts += otr__record_get(&r, &schema, &got, NULL) != OTR_E_CORRUPT || r.left != k;
		}
	}
	CHECK(wrong == 0, "4.3: 1,000 random records come back as they were");
	CHECK(cuts == 0, "4.3: a cut record is refused");
	record.block = block;
	record.block_bytes = 65536;
	{
		struct otr__put w = otr__put_into(bytes, sizeof bytes);

		otr__record_put(&w, &record);
		CHECK(w.failed, "4.3: a record whose size is no u16 is not written");
	}
}

static const char *
rule_of(const char *author, const char *message)
{
	static struct otr_error err;
	uint8_t bytes[512];
	struct otr__put w = otr__put_into(bytes, sizeof bytes);
	struct otr__record record = { .version = 1, .author = (const uint8_t *)author, .author_bytes = (uint16_t)strlen(author),
		.message = (const uint8_t *)message, .message_bytes = (uint16_t)strlen(message) }, got;
	struct otr__reader r;

	otr__record_put(&w, &record);
	r = otr__reader_of(bytes, sizeof bytes - w.left);
	return otr__record_get(&r, &schema, &got, &err) == OTR_OK ? "" : err.spec;
}

static void
test_text(void)
{
	CHECK(strcmp(rule_of("J\xc3\xbcrgen", "two lines\nand a\ttab \xe2\x82\xac"), "") == 0, "2.5: authors and messages are UTF-8");
	CHECK(strcmp(rule_of("a\tb", ""), "2.5") == 0 && strcmp(rule_of("a\nb", ""), "2.5") == 0, "2.5: an author has no tab and no newline");
	CHECK(strcmp(rule_of("", "a\x1b[31m"), "2.5") == 0 && strcmp(rule_of("", "\r"), "2.5") == 0 && strcmp(rule_of("", "\x7f"), "2.5") == 0 &&
	    strcmp(rule_of("", "\xc2\x9b"), "2.5") == 0, "2.5: a message has no other control character, C1 ones included");
	CHECK(strcmp(rule_of("\xff", ""), "2.5") == 0 && strcmp(rule_of("", "\xc3"), "2.5") == 0 && strcmp(rule_of("", "\xed\xa0\x80"), "2.5") == 0,
	    "2.5: what is no UTF-8 is refused");
	CHECK(strcmp(rule_of("\xc3", "\xbc"), "2.5") == 0, "2.5: a character is not shared between author and message");
}

static void
test_bits(void)
{
	static uint8_t bytes[4096];
	struct otr__record record, got;
	unsigned i, wrong = 0, refused = 0;

	for (i = 0; i < 20; i++) {
		struct otr__put w = otr__put_into(bytes, sizeof bytes);
		struct otr__reader r;
		size_t len, bit;
		uint8_t *own;

		if (!make_record(&record))
			return;
		otr__record_put(&w, &record);
		len = sizeof bytes - w.left;
		own = malloc(len);
		if (own == NULL)
			return;
		memcpy(own, bytes, len);
		for (bit = 0; bit < 8 * len; bit++) {
			enum otr_status status;

			own[bit / 8] ^= (uint8_t)(1u << bit % 8);
			r = otr__reader_of(own, len);
			status = otr__record_get(&r, &schema, &got, NULL);
			refused += status == OTR_E_CORRUPT;
			wrong += status != OTR_OK && status != OTR_E_CORRUPT;
			own[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		free(own);
	}
	CHECK(wrong == 0 && refused > 0, "4.3: any flipped bit gives a record or a refusal");
}

int
main(void)
{
	test_blocks();
	test_bad_blocks();
	test_records();
	test_text();
	test_bits();
	return tap_done();
}
