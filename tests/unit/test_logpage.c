/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_logpage.c - the log page (SPEC 4.5).
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/record.h"
#include "tap.h"

#define GENERATION 1000000000u         /* of the page; those it refers to are older */
#define MINUTE INT64_C(60000000000)

static unsigned long long state = 4711;
static struct otr_schema schema;
static struct otr__scratch *scratch;
static uint8_t page[OTR__PAGE_MAX], again[OTR__PAGE_MAX];
static struct otr__log_page log_page, got;

static uint64_t
below(uint64_t n)
{
	return tap_random(&state) % n;
}

static void
make_schema(uint32_t columns, uint32_t page_bytes)
{
	uint32_t c;

	memset(&schema, 0, sizeof schema);
	schema.columns = columns;
	schema.page_bytes = page_bytes;
	for (c = 0; c < columns; c++)
		schema.column[c].type = (enum otr_type)(5 - c % 5);
}

/* Links of a page in the middle of a log whose versions before this page end at last. */
static void
make_links(struct otr__log_links *l, uint64_t index, uint64_t last)
{
	*l = (struct otr__log_links){ .index = index, .skip_least_ns = INT64_MAX };
	if (index == 0)
		return;
	l->prev = (struct otr__ref){ 20, GENERATION - 5, 0xabcdef01 };
	l->prev_rewrite = below(last + 1);
	l->skip = (struct otr__ref){ 19, GENERATION - 9, 17 };
	l->skip_index = index - 2;
	l->skip_version = last / 2;
	l->skip_rewrite = l->prev_rewrite < last / 2 ? l->prev_rewrite : last / 2;
	l->skip_least_ns = 1000;
}

static void
start(uint64_t index, uint64_t last)
{
	otr__log_page_release(&log_page);
	make_links(&log_page.links, index, last);
}

/* One of `one row a minute`: commit number i. */
static struct otr__record
minute_record(uint64_t i, uint64_t jitter_ns)
{
	return (struct otr__record){ .version = 1000 + i, .commit_ns = INT64_C(1700000000000000000) + (int64_t)i * MINUTE +
	    (jitter_ns > 0 ? (int64_t)below(jitter_ns) : 0), .kind = OTR_KIND_APPEND, .rows_ever = 5000 + i, .rows = 5000 + i, .added = 1,
	    .author = (const uint8_t *)"logger", .author_bytes = 6 };
}

static bool
same_record(const struct otr__record *a, const struct otr__record *b)
{
	return a->version == b->version && a->commit_ns == b->commit_ns && a->kind == b->kind && a->time_digits == b->time_digits &&
	    a->rows_ever == b->rows_ever && a->rows == b->rows && a->added == b->added && a->removed == b->removed &&
	    a->author_bytes == b->author_bytes && memcmp(a->author, b->author, a->author_bytes) == 0 &&
	    a->message_bytes == b->message_bytes && memcmp(a->message, b->message, a->message_bytes) == 0 && a->has_kept == b->has_kept &&
	    (!a->has_kept || (otr__ref_equal(&a->kept.root, &b->kept.root) && a->kept.base_row == b->kept.base_row &&
	    a->kept.tree_rows == b->kept.tree_rows)) && a->row_count == b->row_count;
}

static bool
same_rows(const struct otr__rows *a, const struct otr__rows *b)
{
	uint32_t c;
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		if (a->time_ns[i] != b->time_ns[i])
			return false;
		for (c = 0; c < schema.columns; c++)
			if (otr__row_present(a, c, i) != otr__row_present(b, c, i) ||
			    (otr__row_present(a, c, i) && a->value[c][i] != b->value[c][i]))
				return false;
	}
	return true;
}

static uint32_t
encode(void)
{
	bool nomem = false;

	memset(page, 0xee, schema.page_bytes);
	otr__put64(page + 32, GENERATION);
	return otr__log_page_encode(page, schema.page_bytes, &schema, &log_page, scratch, &nomem);
}

static enum otr_status
decode(struct otr_error *err)
{
	return otr__log_page_decode(page, schema.page_bytes, &schema, &got, scratch, err);
}

/* Encodes log_page, decodes it, compares, and encodes what came out once more. */
static bool
comes_back(void)
{
	struct otr__log_links links;
	struct otr_error err = { .status = OTR_OK };
	uint32_t used = encode(), i;
	bool nomem;

	if (used == 0) {
		printf("# does not fit\n");
		return false;
	}
	if (decode(&err) != OTR_OK) {
		printf("# %s: %s\n", err.spec, err.text);
		return false;
	}
	if (otr__log_links_decode(page, schema.page_bytes, &schema, &links, NULL) != OTR_OK || links.index != log_page.links.index ||
	    links.rewrite != got.links.rewrite || links.rewrite != log_page.links.rewrite || links.skip_least_ns != log_page.links.skip_least_ns)
		return false;
	if (got.records != log_page.records || got.groups != log_page.groups || !same_rows(&got.rows, &log_page.rows))
		return false;
	for (i = 0; i < got.records; i++)
		if (!same_record(&got.record[i], &log_page.record[i])) {
			printf("# record %u differs\n", (unsigned)i);
			return false;
		}
	for (i = 0; i < got.groups; i++)
		if (got.group[i].record != log_page.group[i].record || got.group[i].records != log_page.group[i].records ||
		    got.group[i].tree_end != log_page.group[i].tree_end || got.group[i].carried != log_page.group[i].carried ||
		    got.group[i].duplicates != log_page.group[i].duplicates || got.group[i].row != log_page.group[i].row)
			return false;
	for (i = 0; i < 24; i++)
		if (page[otr__get32(page + 208 + 4 * i)] != OTR__INT && page[otr__get32(page + 208 + 4 * i)] != OTR__RAW) {
			printf("# chunk %u has transform %u\n", (unsigned)i, page[otr__get32(page + 208 + 4 * i)]);
			return false;
		}
	memset(again, 0xcc, schema.page_bytes);
	otr__put64(again + 32, GENERATION);
	return otr__log_page_encode(again, schema.page_bytes, &schema, &got, scratch, &nomem) == used &&
	    memcmp(page + 32, again + 32, schema.page_bytes - 32) == 0;
}

/* ---- plain records ------------------------------------------------------------------------------------------------------- */

/* As many minute_records as fit into a page. */
static uint32_t
fill(uint64_t jitter_ns, uint32_t most)
{
	uint32_t fits = 0, step = 4096;

	start(3, 999);
	while (step > 0 && fits < most) {
		uint32_t i, try = fits + step < most ? fits + step : most;

		while (log_page.records < try) {
			struct otr__record record = minute_record(log_page.records, jitter_ns);

			if (!otr__log_page_add(&log_page, &record))
				return 0;
		}
		i = log_page.records;
		log_page.records = try;
		if (encode() > 0) {
			fits = try;
		} else {
			step /= 2;
			log_page.records = i;
		}
		log_page.records = i > log_page.records ? i : log_page.records;
	}
	log_page.records = fits;
	return fits;
}

static void
test_plain(void)
{
	static const struct { const char *name; uint64_t jitter_ns; } clock[] = {
		{ "a steady clock", 0 }, { "1 us of jitter", 1000 }, { "1 ms of jitter", 1000000 }, { "1 s of jitter", 1000000000 } };
	uint32_t page_bytes, i, n;
	unsigned wrong = 0;

	make_schema(1, 4096);
	start(0, 0);
	{
		struct otr__record record = { .version = 0, .commit_ns = 7, .kind = OTR_KIND_CREATE };

		CHECK(otr__log_page_add(&log_page, &record) && comes_back() && got.links.index == 0 && got.links.least_ns == 7 &&
		    got.links.skip_least_ns == 7, "4.5: a page of one creation comes back");
		printf("# %u bytes in use\n", (unsigned)otr__get32(page + 40));
	}
	for (page_bytes = 4096; page_bytes <= 65536; page_bytes *= 2) {
		make_schema(1, page_bytes);
		for (i = 0; i < sizeof clock / sizeof clock[0]; i++) {
			n = fill(clock[i].jitter_ns, OTR__LOG_RECORDS_MAX);
			wrong += n == 0 || !comes_back();
			printf("# page of %5u bytes, one row a minute, %s: %u records, %.2f bytes each\n", (unsigned)page_bytes, clock[i].name, (unsigned)n,
			    (double)otr__get32(page + 40) / n);
		}
	}
	CHECK(wrong == 0, "4.5: as many records as fit come back, from pages of every size, whatever the clock");
}

/* Three far-apart numbers in random order are what an i64 column takes a dictionary for. */
static void
test_no_dictionary(void)
{
	uint64_t number[3] = { tap_random(&state) / 2, tap_random(&state) / 2, tap_random(&state) / 2 };
	uint32_t i;

	make_schema(1, 16384);
	start(4, 999);
	for (i = 0; i < 500; i++) {
		struct otr__record record = minute_record(i, 0);

		record.added = number[below(3)];
		if (!otr__log_page_add(&log_page, &record))
			return;
	}
	CHECK(comes_back(), "4.5: no chunk of the log has a dictionary, even where one would be smaller");
	printf("# chunk `added` of 500 numbers takes %u bytes\n", (unsigned)otr__get32(page + otr__get32(page + 208 + 4 * 6) + 4));
}

static void
test_strings(void)
{
	static uint8_t text[OTR_MAX_MESSAGE];
	struct otr__record record;
	uint32_t i, same;
	unsigned wrong = 0;

	make_schema(2, 16384);
	start(4, 999);
	for (i = 0; i < 200; i++) {
		static char message[64];

		record = minute_record(i, 0);
		record.message_bytes = (uint16_t)snprintf(message, sizeof message, "line %u\n\tand tab \xe2\x82\xac", (unsigned)(i / 2));
		record.message = (const uint8_t *)message;
		if (i % 3 == 0)
			record.author_bytes = 0;
		wrong += !otr__log_page_add(&log_page, &record);
	}
	CHECK(wrong == 0 && comes_back(), "4.5: authors and messages come back");
	same = otr__get32(page + 60);
	CHECK(same == 102, "4.5: equal strings stand in the heap once");

	make_schema(1, 8192);
	start(4, 999);
	for (i = 0; i < 6; i++) {
		uint32_t k;

		for (k = 0; k < sizeof text; k++)
			text[k] = (uint8_t)('a' + below(26));
		record = minute_record(i, 0);
		record.author = text;
		record.author_bytes = OTR_MAX_AUTHOR;
		record.message = text;
		record.message_bytes = OTR_MAX_MESSAGE;
		wrong += !otr__log_page_add(&log_page, &record);
	}
	CHECK(encode() == 0, "4.5: strings that do not fit into the page are refused");
	log_page.records = 4;
	CHECK(comes_back(), "2.5: the longest authors and messages come back");
	/* a decoded page is added to, as a spill does */
	record = minute_record(50, 0);
	log_page.records = 0;
	CHECK(otr__log_page_add(&got, &record) && got.records == 5 && got.record[4].author_bytes == 6 && memcmp(got.record[4].author, "logger", 6) == 0 &&
	    got.record[0].message_bytes == OTR_MAX_MESSAGE && got.record[0].message[0] >= 'a', "4.5: a decoded page can be added to");
	record = got.record[1];
	record.version = 2000;
	for (i = 0; i < 100; i++, record.version++)
		wrong += !otr__log_page_add(&got, &record);
	CHECK(wrong == 0 && memcmp(got.record[104].message, got.record[1].message, OTR_MAX_MESSAGE) == 0, "4.5: also with strings of its own");
}

/* ---- groups and kept roots ----------------------------------------------------------------------------------------------- */

static bool
append_group(uint32_t first, uint32_t records, uint32_t carried)
{
	struct otr__group *group = realloc(log_page.group, (log_page.groups + 1) * sizeof *group);

	if (group == NULL)
		return false;
	log_page.group = group;
	log_page.group_capacity = log_page.groups + 1;
	log_page.group[log_page.groups++] = (struct otr__group){ .record = first, .records = records, .tree_end = below(1u << 20), .carried = carried,
		.duplicates = (enum otr_duplicates)below(4) };
	return true;
}

/* A page of one record and one group, which carried n rows. */
static bool
make_carried(size_t n)
{
	struct otr__record record = minute_record(0, 0);
	size_t i;

	start(0, 0);
	if (!otr__log_page_add(&log_page, &record) || !append_group(0, 1, (uint32_t)n) || !otr__rows_init(&log_page.rows, schema.columns, n))
		return false;
	for (i = 0; i < n; i++)
		log_page.rows.time_ns[i] = (int64_t)i;
	memset(log_page.rows.value[0], 0, n * sizeof log_page.rows.value[0][0]);
	log_page.rows.n = n;
	log_page.rows.decoded = 1;
	return true;
}

/* The limit is what one slot could hold. */
static void
test_group_rows(void)
{
	uint32_t chunk;

	make_schema(1, 4096);
	CHECK(make_carried(OTR__GROUP_ROWS_MAX) && comes_back(), "4.5-2: a group of 504 rows comes back");
	/* 505 in the head, in group_carried (one number, at the end of its chunk) and in the chunks of the rows, which are regular: only their counts */
	otr__put32(page + 64, OTR__GROUP_ROWS_MAX + 1);
	otr__put64(page + otr__get32(page + 208 + 4 * 21) - 8, OTR__GROUP_ROWS_MAX + 1);
	for (chunk = 23; chunk <= 24; chunk++) {
		uint32_t at = otr__get32(page + 208 + 4 * chunk);

		otr__put32(page + at + 8, OTR__GROUP_ROWS_MAX + 1);
		otr__put16(page + at + 14, OTR__GROUP_ROWS_MAX + 1);
	}
	{
		struct otr_error err = { .status = OTR_OK };

		CHECK(decode(&err) == OTR_E_CORRUPT && strcmp(err.spec, "4.5-2") == 0, "4.5-2: one of 505 is refused");
	}
	CHECK(make_carried(OTR__GROUP_ROWS_MAX + 1) && encode() == 0, "4.5-2: nor is it written");
}

static uint64_t
a_value(enum otr_type type)
{
	uint64_t v = below(2) == 0 ? tap_random(&state) : below(100);

	if (type == OTR_BOOL)
		return v & 1;
	if (type == OTR_F32)
		return v & UINT32_MAX;
	if (type == OTR_I32)
		return v & INT32_MAX;
	return v;
}

static void
append_rows(struct otr__rows *rows, uint32_t n, bool ordered)
{
	uint32_t c, i;

	for (i = 0; i < n; i++) {
		size_t at = rows->n++;

		rows->time_ns[at] = ordered ? (int64_t)at * 1000 : (int64_t)below(1000000) - 500;
		for (c = 0; c < schema.columns; c++) {
			bool null = rows->has_null[c] && below(3) == 0;
			uint8_t bit = (uint8_t)(1u << (at & 7));

			rows->value[c][at] = null ? 0 : a_value(schema.column[c].type);
			if (rows->has_null[c])
				rows->present[c][at >> 3] = (uint8_t)(null ? rows->present[c][at >> 3] & ~bit : rows->present[c][at >> 3] | bit);
		}
	}
}

/* A page of random records, a third of them in full groups, with kept roots here and there. */
static bool
make_mixed(uint32_t records, uint64_t index)
{
	uint32_t i, c, g = 0;
	uint64_t version = 1000;

	start(index, 999);
	if (!otr__rows_init(&log_page.rows, schema.columns, 4000))
		return false;
	for (c = 0; c < schema.columns; c++)
		if (c % 2 == 1) {
			log_page.rows.has_null[c] = true;
			memset(log_page.rows.present[c], 0, 4000 / 8);
		}
	for (i = 0; i < records; i++) {
		struct otr__record record = minute_record(i, 1000000000);

		version += 1 + below(below(10) == 0 ? 5 : 1);
		record.version = version;
		record.kind = (enum otr_kind)below(7);
		record.time_digits = (uint8_t)(3 * below(4));
		record.removed = below(3);
		if (i >= g && below(6) == 0 && i + 4 < records) {
			uint32_t n = 1 + (uint32_t)below(4), carried = (uint32_t)below(5);

			if (!append_group(i, n, carried))
				return false;
			append_rows(&log_page.rows, carried, true);
			g = i + n;
		}
		if (i < g) {
			record.row_count = (uint32_t)below(4);
			append_rows(&log_page.rows, record.row_count, false);
		} else if (below(8) == 0) {
			record.has_kept = true;
			record.kind = OTR_KIND_ROLLBACK;       /* 8.2: a rewrite */
			record.kept = (struct otr__kept){ .root = { 16 + below(1000), below(version + 1), (uint32_t)tap_random(&state) },
				.base_row = below(1000), .tree_rows = 1 + below(1u << 20) };
		}
		if (!otr__log_page_add(&log_page, &record))
			return false;
	}
	/* where the rows begin is derived */
	for (i = 0, c = 0; i < log_page.groups; i++) {
		uint32_t k;

		log_page.group[i].row = c;
		c += log_page.group[i].carried;
		for (k = 0; k < log_page.group[i].records; k++)
			c += log_page.record[log_page.group[i].record + k].row_count;
	}
	return true;
}

static void
test_mixed(void)
{
	unsigned i, wrong = 0;
	uint32_t c;

	for (i = 0; i < 100; i++) {
		make_schema(1 + (uint32_t)below(6), 65536);
		wrong += !make_mixed(1 + (uint32_t)below(200), below(2) * 5) || !comes_back();
	}
	CHECK(wrong == 0, "4.5: full groups with their rows, and kept roots, come back");
	make_schema(3, 65536);
	if (!make_mixed(50, 5) || encode() == 0)
		return;
	CHECK(decode(NULL) == OTR_OK && got.groups > 1, "4.5: a page with groups");
	log_page.group[1].record = 0;
	CHECK(encode() == 0, "4.5-2: groups that overlap are not written");
	log_page.group[1].record = got.group[1].record;
	log_page.rows.n--;
	CHECK(encode() == 0, "4.5-2: nor are rows that do not add up");
	log_page.rows.n++;
	/* an unknown type: its column is left out, the rest is there */
	if (encode() == 0)
		return;
	c = 1;
	schema.column[c].type = (enum otr_type)0;
	CHECK(decode(NULL) == OTR_OK && (got.rows.decoded & 7) == 5 && !otr__row_present(&got.rows, c, 0) &&
	    got.rows.value[0][0] == log_page.rows.value[0][0], "3.4: a column of unknown type comes out null, the others as they are");
}

/* ---- refusals ------------------------------------------------------------------------------------------------------------ */

static void
refuse(const char *spec, const char *sentence, size_t offset, unsigned size, uint64_t value)
{
	uint8_t was[8];
	struct otr_error err = { .status = OTR_OK };
	unsigned i;

	memcpy(was, page + offset, 8);
	for (i = 0; i < size; i++)
		page[offset + i] = (uint8_t)(value >> 8 * i);
	if (!CHECK(decode(&err) == OTR_E_CORRUPT && strcmp(err.spec, spec) == 0 && got.records == 0, sentence))
		printf("# rule %s, not %s: %s\n", err.spec, spec, err.text);
	memcpy(page + offset, was, 8);
}

static void
test_refusals(void)
{
	struct otr__log_links before;
	uint32_t i, chunk, used;
	struct otr__record record;

	make_schema(1, 4096);
	start(6, 999);
	for (i = 0; i < 20; i++) {
		record = minute_record(i, 0);
		if (i == 9) {
			record.kind = OTR_KIND_MERGE;
			record.has_kept = true;
			record.kept = (struct otr__kept){ .root = { 50, 1000, 8 }, .tree_rows = 100 };
		}
		if (!otr__log_page_add(&log_page, &record))
			return;
	}
	log_page.links.prev_rewrite = 400;
	log_page.links.skip_rewrite = 300;
	log_page.links.skip_version = 500;
	used = encode();
	CHECK(decode(NULL) == OTR_OK && got.links.rewrite == 1009, "4.5: the page that is spoilt below is right");
	refuse("4.5", "4.5: used is in the page", 40, 4, 4104);
	refuse("4.5", "4.5: used is a multiple of 8", 40, 4, used - 4);
	refuse("4.5", "4.5: text_bytes is in the page", 44, 4, 0xfffffff0);
	refuse("4.5", "4.5: there is a record", 48, 4, 0);
	refuse("4.5", "4.5: there are at most 4,096", 48, 4, 4097);
	refuse("4.5", "4.5: groups are at most as many as records", 52, 4, 21);
	refuse("4.5", "4.5: so are kept roots", 56, 4, 21);
	refuse("4.5", "4.5: strings are at most twice as many", 60, 4, 41);
	refuse("4.5", "4.5: log_rows is at most 65,535", 64, 4, 65536);
	refuse("2.4", "2.4: bytes 68 to 71 are zero", 68, 4, 1);
	refuse("4.5", "4.5: first_version is the first record's", 80, 8, 999);
	refuse("4.5", "4.5: last_version is the last record's", 88, 8, 1020);
	refuse("4.5", "4.5: versions ascend", 88, 8, 1005);
	refuse("4.5", "2.5: versions are below 2^63", 88, 8, UINT64_MAX);
	refuse("4.5", "4.5: least_ns is the least commit time", 96, 8, 1000);
	refuse("4.5", "4.5: greatest_ns is the greatest", 104, 8, INT64_MAX - 5);
	refuse("4.5", "4.5: rewrite is the newest record with a kept root", 112, 8, 1010);
	refuse("4.5", "4.5: rewrite is in the page if a kept root is", 112, 8, 400);
	refuse("5.2", "5.2: the zero bytes of prev are zero", 140, 4, 1);
	refuse("4.5", "4.5: prev is behind the first 16 KiB", 120, 8, 3);
	refuse("4.5-4", "4.5-4: prev is of a lower generation", 128, 8, GENERATION);
	refuse("4.5-4", "4.5-4: so is skip", 160, 8, GENERATION);
	refuse("4.5", "4.5: prev_rewrite is before the page", 144, 8, 1000);
	refuse("4.5", "4.5: skip_version is before the page", 176, 8, 1000);
	refuse("4.5", "4.5: skip_rewrite is not after skip_version", 184, 8, 501);
	refuse("4.5", "4.5: skip_least_ns is not after least_ns", 192, 8, (uint64_t)INT64_MAX - 10);
	refuse("4.5-3", "4.5-3: skip_index is below index", 200, 8, 6);
	refuse("4.5-3", "4.5-3: skip is prev if it is the page before", 200, 8, 5);
	refuse("4.5-3", "4.5-3: page 0 has no links", 72, 8, 0);
	refuse("4.5", "4.5: the first chunk follows the offsets", 208, 4, 320);
	refuse("4.5", "4.5: offsets are multiples of 8", 212, 4, otr__get32(page + 212) + 4);
	refuse("4.5", "4.5: offsets ascend", 212, 4, 4096);
	chunk = otr__get32(page + 208 + 4 * 17);
	refuse("4.5-1", "4.5-1: a chunk of no values is a bare header", chunk, 1, 4);
	refuse("4.5-1", "4.5-1: of 16 bytes", chunk + 4, 4, 24);
	refuse("2.4", "2.4: what follows used is zero", used, 1, 1);
	refuse("2.5", "2.5: an author is UTF-8", used - 8, 1, 0xff);
	refuse("4.5", "2.5: an author has no newline", used - 8, 1, '\n');
	refuse("2.4", "2.4: the padding of the text heap is zero", used - 1, 1, 'x');
	/* each chunk with a transform that is not allowed, and one that is unknown */
	for (i = 0; i < 24; i++) {
		struct otr_error err = { .status = OTR_OK };
		unsigned bad = 0;

		chunk = otr__get32(page + 208 + 4 * i);
		page[chunk] = OTR__BITS;
		bad += decode(&err) == OTR_OK;
		page[chunk] = OTR__INT;
		if (bad != 0)
			CHECK(false, "4.5: a chunk of the log is INT or RAW");
	}
	CHECK(true, "4.5: a chunk of the log is INT or RAW");
	before = log_page.links;
	schema.page_bytes = 4096;
	for (i = 20; i < 4000; i++) {
		record = minute_record(i, 1000000000);
		if (!otr__log_page_add(&log_page, &record))
			return;
	}
	CHECK(encode() == 0 && memcmp(&before.first_version, &log_page.links.first_version, 24) == 0, "4.5: what does not fit leaves the links alone");
	log_page.records = 0;
	CHECK(encode() == 0, "4.5: no page of no records is written");
}

/* Every bit of the payload flipped once: the codec alone, a crc would catch all of them. */
static void
test_bits(void)
{
	unsigned decoded = 0, refused = 0, wrong = 0;
	uint32_t used, bit;

	make_schema(5, 8192);
	if (!make_mixed(40, 5))
		return;
	used = encode();
	CHECK(used > 0, "4.5: a page with all there is");
	for (bit = 8 * 40; bit < 8 * used + 64; bit++) {
		enum otr_status status;

		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
		status = decode(NULL);
		decoded += status == OTR_OK;
		refused += status == OTR_E_CORRUPT || status == OTR_E_UNSUPPORTED;
		wrong += status != OTR_OK && status != OTR_E_CORRUPT && status != OTR_E_UNSUPPORTED;
		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(wrong == 0 && decoded > 0 && refused > 0, "4.5: any flipped bit gives a page or a refusal");
	printf("# %u decoded, %u refused\n", decoded, refused);
	for (bit = 0; bit < 3000; bit++) {
		uint32_t i;

		memcpy(again, page, schema.page_bytes);
		for (i = 0; i < 3; i++) {
			uint32_t at = 40 + (uint32_t)below(i == 0 ? 400 : used - 40);

			again[at] = (uint8_t)below(256);
		}
		wrong += otr__log_page_decode(again, schema.page_bytes, &schema, &got, scratch, NULL) == OTR_E_NOMEM;
	}
	CHECK(wrong == 0, "4.5: so do several wrong bytes");
}

int
main(void)
{
	scratch = otr__scratch_create();
	if (!CHECK(scratch != NULL, "there is memory"))
		return tap_done();
	otr__log_page_init(&log_page);
	otr__log_page_init(&got);
	test_plain();
	test_no_dictionary();
	test_group_rows();
	test_strings();
	test_mixed();
	test_refusals();
	test_bits();
	otr__log_page_release(&log_page);
	otr__log_page_release(&got);
	otr__scratch_free(scratch);
	return tap_done();
}
