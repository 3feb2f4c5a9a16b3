/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_slot.c - the commit slot: round trips, every field's limits, and how bad slots are told apart (SPEC 4.1 to 4.4).
 */
#include <string.h>

#include "../../lib/checksum.h"
#include "../../lib/slot.h"
#include "tap.h"

#define ALL_STAMPS 0xffu

static unsigned long long state = 88172645463325252ULL;
static struct otr__header header;

static uint64_t
below(uint64_t n)
{
	return tap_random(&state) % n;
}

static void
make_header(uint32_t columns, uint32_t page_bytes)
{
	uint32_t c;

	memset(&header, 0, sizeof header);
	header.major = 1;
	memcpy(header.file_id, "sixteen bytes id", 16);
	header.schema.columns = columns;
	header.schema.page_bytes = page_bytes;
	for (c = 0; c < columns; c++)
		header.schema.column[c].type = (enum otr_type)(1 + c % 5);
}

static uint64_t
value_of(enum otr_type type, uint64_t v)
{
	if (type == OTR_BOOL)
		return v & 1;
	if (type == OTR_F32)
		return v & UINT32_MAX;
	if (type == OTR_I32)
		return (uint64_t)(int64_t)(int32_t)(v & INT32_MAX) ^ (0 - (v >> 63));
	return v;
}

/* n rows that ascend in time. */
static bool
make_rows(struct otr__rows *rows, size_t n)
{
	uint32_t c;
	size_t i;

	if (!otr__rows_init(rows, header.schema.columns, n))
		return false;
	rows->n = n;
	for (i = 0; i < n; i++)
		rows->time_ns[i] = (int64_t)(i * 1000 + below(1000));
	for (c = 0; c < header.schema.columns; c++) {
		for (i = 0; i < n; i++)
			rows->value[c][i] = value_of(header.schema.column[c].type, tap_random(&state));
	}
	return true;
}

/*
 * A slot of random content within the rules: records records after a carried block of `carried` rows, the last with `riding` rows; free room
 * filled with a message if fill.
 */
static void
make_slot(struct otr__slot *slot, uint64_t version, unsigned records, size_t carried, size_t riding, unsigned freed, bool fill)
{
	static uint8_t text[OTR_MAX_MESSAGE], block[OTR__SLOT_BODY];
	uint64_t first = header.schema.page_bytes < 16384 ? 16384 / header.schema.page_bytes : 1;
	struct otr__put w, b = otr__put_into(block, sizeof block);
	struct otr__rows rows;
	size_t block_bytes;
	unsigned i;

	memset(slot, 0, sizeof *slot);
	slot->self_synced = below(2) == 1;
	slot->time_digits = (uint8_t)(3 * below(4));
	slot->minor = (uint16_t)below(3);
	slot->version = version;
	slot->commit_ns = (int64_t)below(1u << 30) - 1000;
	slot->features.compat = below(2) << 62;
	slot->page_count = first + 200 + below(1000);
	slot->live_pages = below(100);
	slot->base_row = below(1000);
	if (below(4) > 0) {
		slot->root = (struct otr__ref){ first + 100, below(version + 1), (uint32_t)tap_random(&state) };
		slot->tree_rows = 1 + below(1000);
	}
	slot->log = (struct otr__ref){ first + 101, below(version + 1), (uint32_t)tap_random(&state) };
	if (below(2) == 0)
		slot->metadata = (struct otr__ref){ slot->page_count - 1, below(version + 1), (uint32_t)tap_random(&state) };
	slot->rows_ever = slot->base_row + slot->tree_rows + carried + riding;
	slot->rows = below(slot->rows_ever + 1);
	slot->horizon_ns = INT64_MIN;
	if (slot->rows > 0) {
		slot->first_ns = -(int64_t)below(1u << 30);
		slot->last_ns = (int64_t)below(1u << 30);
		slot->horizon_ns = below(2) == 0 ? INT64_MIN : slot->first_ns - 1;
	}
	slot->newest_rewrite = below(version + 1);
	slot->oldest_version = below(version + 1);
	slot->policies.duplicates = (enum otr_duplicates)below(4);
	slot->policies.has_max_size = below(2) == 1;
	slot->policies.max_bytes = slot->policies.has_max_size ? tap_random(&state) : 0;
	slot->policies.has_retain = below(2) == 1;
	slot->policies.retain_ns = slot->policies.has_retain ? 1 + below(INT64_MAX - 1) : 0;
	slot->policies.history = (enum otr_history)below(4);
	if (slot->policies.history == OTR_HISTORY_COUNT || slot->policies.history == OTR_HISTORY_AGE)
		slot->policies.history_value = tap_random(&state);
	slot->freed = (uint16_t)freed;
	slot->freed_now = (uint16_t)below(freed + 1);
	for (i = 0; i < freed; i++)
		slot->freed_page[i] = first + i;

	w = otr__put_into(slot->area, otr__slot_room(freed));
	if (carried > 0 && make_rows(&rows, carried)) {
		otr__block_put(&w, &header.schema, &rows, 0, carried);
		otr__rows_release(&rows);
		slot->has_carried = true;
	}
	if (riding > 0 && make_rows(&rows, riding)) {
		otr__block_put(&b, &header.schema, &rows, 0, riding);
		otr__rows_release(&rows);
	}
	block_bytes = sizeof block - b.left;
	memset(text, 'm', sizeof text);
	for (i = 0; i < records; i++) {
		struct otr__record record = { .version = version - (records - 1 - i), .commit_ns = slot->commit_ns, .kind = OTR_KIND_APPEND,
			.time_digits = slot->time_digits, .rows_ever = slot->rows_ever, .rows = slot->rows, .added = 1, .author = text, .message = text };

		if (fill) {
			size_t room = w.left - 56 * (records - i) - block_bytes, k;

			record.message_bytes = (uint16_t)(room < OTR_MAX_MESSAGE ? room : OTR_MAX_MESSAGE);
			for (k = 0; k < record.message_bytes; k++)
				text[k] = (uint8_t)('a' + below(26));
		}
		if (i == records - 1 && riding > 0) {
			record.block = block;
			record.block_bytes = block_bytes;
		}
		otr__record_put(&w, &record);
	}
	slot->area_bytes = (uint16_t)(otr__slot_room(freed) - w.left);
	if (w.failed)
		printf("# the record area is too small for the test\n");
}

static enum otr__slot_condition
decode(const uint8_t *bytes, struct otr__slot *slot, struct otr_error *err)
{
	return otr__slot_decode(bytes, &header, slot, err);
}

static uint64_t
stamp(const uint8_t *bytes, unsigned sector)
{
	return otr__get64(bytes + 512 * sector + 504);
}

static void
set_crc(uint8_t *bytes)
{
	otr__put32(bytes, otr__crc32(bytes + 4, OTR__SLOT_BYTES - 4));
}

/* ---- what a slot holds --------------------------------------------------------------------------------------------------- */

static void
test_round_trips(void)
{
	static struct otr__slot slot, got;
	static uint8_t bytes[OTR__SLOT_BYTES], again[OTR__SLOT_BYTES];
	struct otr_error err = { .status = OTR_OK };
	unsigned i, wrong = 0, stamps = 0, k;

	for (i = 0; i < 2000; i++) {
		make_header(1 + (uint32_t)below(8), (uint32_t)4096 << below(5));
		make_slot(&slot, 70 + below(1u << 30), 1 + (unsigned)below(4), (size_t)below(4), (size_t)below(4), (unsigned)below(65), below(2) == 0);
		otr__slot_encode(bytes, &slot, header.file_id);
		if (decode(bytes, &got, &err) != OTR__SLOT_SOUND) {
			if (wrong++ == 0)
				printf("# %s (%s)\n", err.text, err.spec);
			continue;
		}
		otr__slot_encode(again, &got, header.file_id);
		wrong += memcmp(bytes, again, sizeof bytes) != 0 || got.version != slot.version || got.horizon_ns != slot.horizon_ns ||
		    got.policies.history != slot.policies.history || got.live_pages != slot.live_pages || got.area_bytes != slot.area_bytes ||
		    memcmp(got.area, slot.area, slot.area_bytes) != 0;
		for (k = 0; k < OTR__SECTORS; k++)
			stamps += stamp(bytes, k) != slot.version + 1;
	}
	CHECK(wrong == 0, "4.1: 2,000 random slots come back as they were");
	CHECK(stamps == 0, "4.1: each sector ends with the version plus one");
}

static void
test_limits(void)
{
	static struct otr__slot slot, got;
	static uint8_t bytes[OTR__SLOT_BYTES];
	static struct otr__record record[OTR__RECORDS_MAX];
	struct otr__rows carried;
	uint32_t records = 0;
	size_t most = 0;

	make_header(1, 4096);
	CHECK(otr__slot_room(0) == 3768 && otr__slot_room(64) == 3256, "4.1: the record area has 3,768 bytes, with 64 freed pages 3,256");
	make_slot(&slot, 100, 67, 0, 0, 0, false);
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_SOUND && slot.area_bytes == 3752, "4.3: 67 records fit into a slot");
	CHECK(otr__slot_records(&got, &header.schema, NULL, record, &records, NULL) == OTR_OK && records == 67 && record[66].version == 100 &&
	    record[0].version == 34, "4.3: and come back in order");
	make_slot(&slot, 100, 4, 0, 0, 64, true);
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_SOUND && got.freed == 64 && slot.area_bytes == 3256, "4.1: a slot may be filled to the last bytes");
	make_header(2, 4096);      /* bool and i32 */
	while (otr__block_size(&header.schema, most + 1) <= 3768 - 56)
		most++;
	make_slot(&slot, 100, 1, 0, most, 0, false);
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_SOUND && most > 250 && slot.area_bytes > 3740, "4.4: rows may fill the record area");
	make_slot(&slot, 100, 2, 5, 3, 0, false);
	if (!otr__rows_init(&carried, 2, 1))
		return;
	CHECK(otr__slot_records(&slot, &header.schema, &carried, record, &records, NULL) == OTR_OK && carried.n == 5 && records == 2 &&
	    record[1].row_count == 3 && record[0].row_count == 0, "4.3: carried rows, then the records");
	otr__rows_release(&carried);
}

/* One wrong field: what is set, and the rule that refuses it. */
struct fault {
	const char *spec, *sentence;
	size_t offset;             /* in the body */
	unsigned size;
	uint64_t value;
};

/* Beside make_plain: version 100, page size 4096, 300 pages. */
static const struct fault fault[] = {
	{ "4.1", "4.1: self_synced is 0 or 1", 4, 1, 2 },
	{ "4.1", "4.1: time_digits is 0, 3, 6 or 9", 5, 1, 4 },
	{ "4.1", "4.1: time_digits is not above 9", 5, 1, 12 },
	{ "2.3", "2.3: commit_ns is a time (INT64_MIN)", 32, 8, (uint64_t)1 << 63 },
	{ "2.3", "2.3: commit_ns is a time (INT64_MAX)", 32, 8, INT64_MAX },
	{ "5.2", "5.2: the root is behind the first 16 KiB", 64, 8, 3 },
	{ "5.2", "5.2: the root is in the file", 64, 8, 300 },
	{ "5.3-2", "5.3-2: the root is not younger than the slot", 72, 8, 101 },
	{ "5.2", "5.2: the zero bytes of a reference are zero", 84, 4, 1 },
	{ "5.2", "5.2: page 0 is an all-zero reference only", 64, 8, 0 },
	{ "4.1-1", "4.1-1: base_row is not above rows_ever", 88, 8, 11 },
	{ "4.1-1", "4.1-1: base_row is not so far above that a sum wraps", 88, 8, UINT64_MAX },
	{ "4.1-1", "4.1-1: a root means tree_rows", 96, 8, 0 },
	{ "4.1-1", "4.1-1: tree_rows end not above rows_ever", 96, 8, 11 },
	{ "4.1-1", "4.1-1: rows is not above rows_ever", 104, 8, 11 },
	{ "4.1-1", "2.5: rows_ever is below 2^63", 112, 8, (uint64_t)1 << 63 },
	{ "4.1", "4.1: no more rows behind the tree than ride", 112, 8, 12 },
	{ "4.1", "4.1: first_ns is not after last_ns", 120, 8, 1001 },
	{ "4.1", "2.3: first_ns is a time", 120, 8, (uint64_t)1 << 63 },
	{ "4.1", "2.3: last_ns is a time", 128, 8, INT64_MAX },
	{ "4.1", "4.1: newest_rewrite is not above the version", 136, 8, 101 },
	{ "5.2", "5.2: the log is in the file", 144, 8, 300 },
	{ "4.1", "4.1: oldest_version is not above the version", 168, 8, 101 },
	{ "5.2", "5.2: the metadata is in the file", 176, 8, 2 },
	{ "8.5", "8.5: the horizon is not after the first row", 200, 8, 501 },
	{ "8.5", "8.5: the horizon is no reserved time but INT64_MIN", 200, 8, INT64_MAX },
	{ "4.1-1", "4.1-1: the file has 16 KiB", 208, 8, 3 },
	{ "4.1-1", "4.1-1: page_count x page size is an offset", 208, 8, UINT64_MAX },
	{ "4.1-2", "4.1-2: live pages are pages", 216, 8, 297 },
	{ "4.1-2", "4.1-2: beside them there is room for the freed ones", 216, 8, 295 },
	{ "4.1", "4.1: duplicates is 0 to 3", 224, 1, 4 },
	{ "4.1", "4.1: has_max_size is 0 or 1", 225, 1, 2 },
	{ "4.1", "4.1: has_retain is 0 or 1", 226, 1, 2 },
	{ "4.1", "4.1: has_retain comes with retain_ns", 226, 1, 1 },
	{ "4.1", "4.1: history is 0 to 3", 227, 1, 4 },
	{ "2.4", "2.4: bytes 228 to 231 are zero", 229, 1, 1 },
	{ "4.1", "4.1: max_size is 0 without has_max_size", 232, 8, 1 },
	{ "4.1", "4.1: retain_ns is 0 without has_retain", 240, 8, 1 },
	{ "4.1", "4.1: history_value is 0 under `all`", 248, 8, 1 },
	{ "9.2", "4.1: at most 64 pages are freed", 256, 2, 65 },
	{ "9.2", "4.1: freed_now is not above freed", 258, 2, 3 },
	{ "4.1", "4.1: area_bytes is a multiple of 8", 260, 2, 61 },
	{ "4.1", "4.1: area_bytes fits", 260, 2, 3760 },
	{ "2.4", "2.4: area_bytes covers all that is there", 260, 2, 0 },
	{ "4.1", "4.1: has_carried is 0 or 1", 262, 1, 2 },
	{ "4.1", "2.4: byte 263 is zero", 263, 1, 1 },
	{ "9.2", "9.2: a freed page is behind the first 16 KiB", 264, 8, 3 },
	{ "9.2", "9.2: a freed page is in the file", 264, 8, 300 },
	{ "9.2", "9.2: freed pages are distinct", 264, 8, 21 },
	{ "2.4", "2.4: what follows the area is zero", 4024, 8, 1 },
	/* the record, at 280 */
	{ "4.3", "4.3: record_bytes is at least 56", 280, 2, 48 },
	{ "4.3", "4.3: record_bytes is a multiple of 8", 280, 2, 57 },
	{ "4.3", "4.3: record_bytes fits into the area", 280, 2, 64 },
	{ "4.3", "4.3: kind is 0 to 6", 282, 1, 7 },
	{ "4.3", "4.3: unknown flags of a record are refused", 283, 1, 4 },
	{ "4.3", "4.3: rows and a kept root exclude each other", 283, 1, 3 },
	{ "4.3", "4.3: a kept root that is announced is there", 283, 1, 2 },
	{ "4.4", "4.3: rows that are announced are there", 283, 1, 1 },
	{ "4.3", "4.3: time_digits of a record is 0, 3, 6 or 9", 284, 1, 5 },
	{ "4.3", "4.3: an author fits into its record", 285, 1, 1 },
	{ "4.3", "4.3: a message is at most 1,024 bytes", 286, 2, 1025 },
	{ "4.3", "4.3: the last record is the slot's", 288, 8, 99 },
	{ "2.5", "2.5: a version is below 2^63", 288, 8, (uint64_t)1 << 63 },
	{ "2.3", "2.3: commit_ns of a record is a time", 296, 8, INT64_MAX },
	{ "4.3", "4.3: rows of a record are not above its rows_ever", 312, 8, 11 },
	{ "2.5", "2.5: added is below 2^63", 320, 8, (uint64_t)1 << 63 },
};

/* A slot that each fault is made in. */
static void
make_plain(struct otr__slot *slot)
{
	struct otr__record record = { .version = 100, .commit_ns = 5, .kind = OTR_KIND_APPEND, .rows_ever = 10, .rows = 10, .added = 10 };
	struct otr__put w = otr__put_into(slot->area, sizeof slot->area);

	memset(slot, 0, sizeof *slot);
	slot->version = 100;
	slot->commit_ns = 5;
	slot->root = (struct otr__ref){ 10, 90, 1 };
	slot->log = (struct otr__ref){ 11, 90, 1 };
	slot->metadata = (struct otr__ref){ 12, 90, 1 };
	slot->tree_rows = slot->rows = slot->rows_ever = 10;
	slot->first_ns = 500;
	slot->last_ns = 1000;
	slot->horizon_ns = INT64_MIN;
	slot->page_count = 300;
	slot->live_pages = 50;
	slot->freed = 2;
	slot->freed_page[0] = 20;
	slot->freed_page[1] = 21;
	otr__record_put(&w, &record);
	slot->area_bytes = 56;
}

static void
put_in_body(uint8_t *bytes, size_t offset, unsigned size, uint64_t value)
{
	unsigned i;

	for (i = 0; i < size; i++, offset++)
		bytes[offset / 504 * 512 + offset % 504] = (uint8_t)(value >> 8 * i);
}

static void
test_faults(void)
{
	static struct otr__slot slot, got;
	static uint8_t bytes[OTR__SLOT_BYTES];
	struct otr_error err;
	size_t i;

	make_header(1, 4096);
	make_plain(&slot);
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_SOUND, "4.1: the slot without a fault is sound");
	for (i = 0; i < sizeof fault / sizeof fault[0]; i++) {
		memset(&err, 0, sizeof err);
		otr__slot_encode(bytes, &slot, header.file_id);
		put_in_body(bytes, fault[i].offset, fault[i].size, fault[i].value);
		set_crc(bytes);
		if (!CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, fault[i].spec) == 0, fault[i].sentence))
			printf("# rule %s, not %s: %s\n", err.spec, fault[i].spec, err.text);
	}
	otr__slot_encode(bytes, &slot, header.file_id);
	put_in_body(bytes, 24, 8, (uint64_t)1 << 63);
	for (i = 0; i < 8; i++)
		otr__put64(bytes + 512 * i + 504, ((uint64_t)1 << 63) + 1);
	set_crc(bytes);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "2.5") == 0, "2.5: a slot's version is below 2^63");
	otr__slot_encode(bytes, &slot, (const uint8_t *)"another file id.");
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "4.2") == 0, "4.2: a slot of another file is bad");
	otr__slot_encode(bytes, &slot, header.file_id);
	otr__put64(bytes + 504, 100);
	set_crc(bytes);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "4.2") == 0, "4.2: a wrong stamp under a right crc is bad");
	otr__slot_encode(bytes, &slot, header.file_id);
	put_in_body(bytes, 56, 8, 2);              /* incompat */
	put_in_body(bytes, 6, 2, 7);               /* minor */
	put_in_body(bytes, 224, 1, 99);            /* a field that such a version may have */
	set_crc(bytes);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_SOUND && got.features.incompat == 2 && got.minor == 7 && got.version == 100 && got.root.page == 0 &&
	    got.area_bytes == 0, "3.3-1: an unknown incompat feature is told before any field is judged");
}

static void
test_area(void)
{
	static struct otr__slot slot, got;
	static uint8_t bytes[OTR__SLOT_BYTES];
	struct otr__record record = { .version = 100, .commit_ns = 5, .kind = OTR_KIND_MERGE, .rows_ever = 10, .rows = 10, .has_kept = true };
	struct otr__put w = { 0 };
	struct otr__rows rows;
	struct otr_error err;

	make_header(1, 4096);
	make_plain(&slot);
	record.kept = (struct otr__kept){ .root = { 30, 100, 5 }, .base_row = 0, .tree_rows = 9 };
	w = otr__put_into(slot.area, sizeof slot.area);
	otr__record_put(&w, &record);
	slot.area_bytes = 96;
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_SOUND, "8.2: a record may keep a root");
	record.kept.root.page = 300;
	w = otr__put_into(slot.area, sizeof slot.area);
	otr__record_put(&w, &record);
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "5.2") == 0, "5.2: a kept root is in the file");
	record.kept.root.page = 30;
	record.kept.base_row = INT64_MAX;
	w = otr__put_into(slot.area, sizeof slot.area);
	otr__record_put(&w, &record);
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "8.2") == 0, "8.2: the rows of a kept root end below 2^63");

	make_plain(&slot);
	slot.area_bytes = 0;
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "4.3") == 0, "4.3: there is a record");
	record = (struct otr__record){ .version = 100, .commit_ns = 5, .rows_ever = 10, .rows = 10 };
	w = otr__put_into(slot.area, sizeof slot.area);
	otr__record_put(&w, &record);
	otr__record_put(&w, &record);
	slot.area_bytes = 112;
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "4.3") == 0, "4.3: versions of records ascend");

	if (!make_rows(&rows, 3))
		return;
	record.rows_ever = 13;
	w = otr__put_into(slot.area, sizeof slot.area);
	otr__block_put(&w, &header.schema, &rows, 0, 3);
	otr__record_put(&w, &record);
	slot.area_bytes = (uint16_t)(sizeof slot.area - w.left);
	slot.has_carried = true;
	slot.rows_ever += 3;
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_SOUND, "4.4: an area may begin with carried rows");
	slot.rows_ever++;
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "4.1") == 0, "4.1: rows_ever counts no rows that are nowhere");
	slot.rows_ever -= 4;
	rows.time_ns[1] = rows.time_ns[2] + 1;
	w = otr__put_into(slot.area, sizeof slot.area);
	otr__block_put(&w, &header.schema, &rows, 0, 3);
	otr__slot_encode(bytes, &slot, header.file_id);
	CHECK(decode(bytes, &got, &err) == OTR__SLOT_BAD && strcmp(err.spec, "4.4") == 0, "4.4: times of carried rows do not decrease");
	otr__rows_release(&rows);
}

/* ---- which slot is the state --------------------------------------------------------------------------------------------- */

static void
test_unwritten(void)
{
	static struct otr__slot got;
	static uint8_t bytes[OTR__SLOT_BYTES];
	uint64_t next = 0;
	unsigned bit, wrong = 0;

	make_header(1, 4096);
	otr__slot_encode_unwritten(bytes, header.file_id);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_UNWRITTEN && stamp(bytes, 7) == UINT64_MAX, "4.1: an unwritten slot is known");
	for (bit = 0; bit < 8 * OTR__SLOT_BYTES; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		wrong += decode(bytes, &got, NULL) != OTR__SLOT_BAD || otr__slot_judge(bytes, 0, true, &next) != OTR__VERDICT_OLDER || next != 2;
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(wrong == 0, "4.2-5: with any bit flipped it is an older one, damaged, beside version 0");
	CHECK(otr__slot_judge(bytes, 1, false, &next) == OTR__VERDICT_DAMAGED, "4.2-3: beside version 1 its stamps are not old");
	otr__put64(bytes + 512 * 4 + 504, 0);
	set_crc(bytes);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_BAD, "4.1: it has no other stamps");
	otr__slot_encode_unwritten(bytes, header.file_id);
	bytes[100] = 1;
	set_crc(bytes);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_BAD, "4.1: and no other content");
}

/* A write of `now` over `before`, of which only the sectors in mask arrived. */
static void
tear(uint8_t *bytes, const uint8_t *before, const uint8_t *now, unsigned mask)
{
	unsigned i;

	for (i = 0; i < OTR__SECTORS; i++)
		memcpy(bytes + 512 * i, ((mask >> i & 1) != 0 ? now : before) + 512 * i, 512);
}

static void
test_torn(void)
{
	static struct otr__slot slot, got;
	static uint8_t before[OTR__SLOT_BYTES], now[OTR__SLOT_BYTES], bytes[OTR__SLOT_BYTES];
	unsigned mask, round, wrong = 0, finished = 0;
	uint64_t next;

	make_header(3, 8192);
	for (round = 0; round < 40; round++) {
		uint64_t v = 70 + below(1000), ahead = 1 + below(round < 20 ? 1 : 65536);

		/* the state is version v, in the other slot; this one held v - 1, and v + ahead was being written */
		make_slot(&slot, v - 1, 3, 0, 0, 64, true);
		otr__slot_encode(before, &slot, header.file_id);
		make_slot(&slot, v + ahead, 3, 2, 3, 64, true);
		otr__slot_encode(now, &slot, header.file_id);
		for (mask = 1; mask < ALL_STAMPS; mask++) {
			tear(bytes, before, now, mask);
			next = 0;
			wrong += decode(bytes, &got, NULL) != OTR__SLOT_BAD || otr__slot_judge(bytes, v, v == 0, &next) != OTR__VERDICT_TORN ||
			    next != v + ahead + 1;
		}
	}
	CHECK(wrong == 0, "4.2-4, 4.2-8: every mixture of two versions' sectors is torn, and the version after is the torn one plus one");
	wrong = 0;
	make_slot(&slot, 1, 1, 0, 0, 0, true);
	otr__slot_encode(now, &slot, header.file_id);
	otr__slot_encode_unwritten(before, header.file_id);
	for (mask = 1; mask < ALL_STAMPS; mask++) {
		tear(bytes, before, now, mask);
		next = 0;
		switch (decode(bytes, &got, NULL)) {
		case OTR__SLOT_BAD: wrong += otr__slot_judge(bytes, 0, true, &next) != OTR__VERDICT_TORN || next != 2; break;
		case OTR__SLOT_FLIPPED: finished += got.version == 1; break;      /* all that did not arrive was zeros over zeros */
		default: wrong++;
		}
	}
	CHECK(wrong == 0, "4.2-4: the first commit over an unwritten slot is torn likewise");
	CHECK(finished > 0, "4.2-2: or used, where only equal bytes did not arrive");
}

/* Whether the stamps of version 100 are a cut's if those of sectors 1, 3 and 6 are these. */
static bool
is_cut(const uint8_t *good, uint64_t one, uint64_t three, uint64_t six)
{
	static uint8_t bytes[OTR__SLOT_BYTES];

	memcpy(bytes, good, sizeof bytes);
	otr__put64(bytes + 512 + 504, one);
	otr__put64(bytes + 3 * 512 + 504, three);
	otr__put64(bytes + 6 * 512 + 504, six);
	return otr__slot_was_cut(bytes);
}

static void
check_cut(const uint8_t *good)
{
	unsigned bit, wrong = 0;

	for (bit = 0; bit < 64; bit++)
		wrong += is_cut(good, 101, 101 ^ (uint64_t)1 << bit, 101);
	CHECK(wrong == 0, "4.2-2: a stamp with one flipped bit is no cut");
	CHECK(is_cut(good, 101, 99, 101) && is_cut(good, 100, 101, 100) && is_cut(good, 101, 1, 98), "4.2-2: stamps of versions before are");
	CHECK(is_cut(good, UINT64_MAX, UINT64_MAX, UINT64_MAX) && is_cut(good, UINT64_MAX, 101, 99), "4.2-2: so are those of a slot that was not written");
	CHECK(!is_cut(good, 99, 102, 99) && !is_cut(good, 99, 0, 99) && !is_cut(good, 101, 101, 101), "4.2-2: later ones, and 0, are not, nor are the right ones");
}

static void
test_verdicts(void)
{
	static struct otr__slot slot, got;
	static uint8_t good[OTR__SLOT_BYTES], bytes[OTR__SLOT_BYTES];
	uint64_t next = 0;
	unsigned i, wrong = 0, sector, bit;

	make_header(1, 4096);
	make_slot(&slot, 100, 2, 0, 3, 5, true);
	otr__slot_encode(good, &slot, header.file_id);

	memcpy(bytes, good, sizeof bytes);
	bytes[700] ^= 4;
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_BAD && otr__slot_judge(bytes, 99, false, &next) == OTR__VERDICT_DAMAGED && next == 101,
	    "4.2-6: equal new stamps under a wrong crc are damage; the version after is v + 2");
	CHECK(otr__slot_judge(bytes, 101, false, &next) == OTR__VERDICT_OLDER && next == 103, "4.2-5: equal old stamps are an older slot, damaged");
	CHECK(otr__slot_judge(bytes, 100, false, &next) == OTR__VERDICT_DAMAGED, "4.2-3: the stamps of the state's own version are neither new nor old");
	otr__put64(bytes + 512 * 3 + 504, 77);
	CHECK(otr__slot_judge(bytes, 101, false, &next) == OTR__VERDICT_OLDER, "4.2-5: so are old ones that differ");
	CHECK(otr__slot_judge(bytes, 99, false, &next) == OTR__VERDICT_TORN && next == 101, "4.2-4: old and new ones are a torn write");
	otr__put64(bytes + 512 * 3 + 504, 100);
	CHECK(otr__slot_judge(bytes, 99, false, &next) == OTR__VERDICT_DAMAGED, "4.2-6: one stamp that is neither makes it damage");
	otr__put64(bytes + 512 * 3 + 504, 0);
	CHECK(otr__slot_judge(bytes, 99, false, &next) == OTR__VERDICT_DAMAGED, "4.1: 0 is not a stamp");
	CHECK(otr__slot_judge(bytes, 101, false, &next) == OTR__VERDICT_OLDER, "4.2-5: beside old stamps it does not matter");
	for (i = 0; i < OTR__SECTORS; i++)
		otr__put64(bytes + 512 * i + 504, i == 0 ? 99 + 65537 : 99);
	CHECK(otr__slot_judge(bytes, 99, false, &next) == OTR__VERDICT_TORN && next == 99 + 65537, "4.2-3: v + 65,537 is a new stamp");
	otr__put64(bytes + 504, 99 + 65538);
	CHECK(otr__slot_judge(bytes, 99, false, &next) == OTR__VERDICT_OLDER && next == 101, "4.2-3: v + 65,538 is none");

	memset(bytes, 0, sizeof bytes);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_BAD && otr__slot_judge(bytes, 0, true, &next) == OTR__VERDICT_DAMAGED && next == 2,
	    "4.2-6: zeros are damage");
	for (i = 0; i < 500; i++) {
		for (bit = 0; bit < sizeof bytes; bit++)
			bytes[bit] = (uint8_t)tap_random(&state);
		wrong += decode(bytes, &got, NULL) != OTR__SLOT_BAD || otr__slot_judge(bytes, below(1u << 20), false, &next) != OTR__VERDICT_DAMAGED;
	}
	CHECK(wrong == 0, "4.2-6: noise is damage");

	wrong = 0;
	memcpy(bytes, good, sizeof bytes);
	for (sector = 0; sector < OTR__SECTORS; sector++) {
		for (bit = 0; bit < 64; bit++) {
			bytes[512 * sector + 504 + bit / 8] ^= (uint8_t)(1u << bit % 8);
			memset(&got, 0, sizeof got);
			wrong += decode(bytes, &got, NULL) != OTR__SLOT_FLIPPED || got.version != 100 || got.area_bytes != slot.area_bytes;
			bytes[512 * sector + 504 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	CHECK(wrong == 0, "4.2-2: any one bit of any stamp flipped: the slot is used");
	for (i = 0; i < OTR__SECTORS; i++)
		otr__put64(bytes + 512 * i + 504, tap_random(&state));
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_FLIPPED && got.version == 100, "4.2-2: all stamps wrong: likewise");
	memcpy(bytes, good, sizeof bytes);
	otr__put64(bytes + 504, 100);
	otr__put64(bytes + 2 * 512 + 504, 99);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_FLIPPED, "4.2-2: stamps of versions before are no later write");
	check_cut(good);
	otr__put64(bytes + 504, 101 + 65537);
	otr__put64(bytes + 2 * 512 + 504, 101 + 65537);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_FLIPPED, "4.2-2: nor are those of versions too far ahead");
	otr__put64(bytes + 504, 101 + 65536);
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_BAD, "4.2-2: one of the last version within reach is");
	make_plain(&slot);
	slot.rows = 11;
	otr__slot_encode(bytes, &slot, header.file_id);
	bytes[504] ^= 1;
	CHECK(decode(bytes, &got, NULL) == OTR__SLOT_BAD, "4.2-2: a flipped stamp does not excuse a wrong field");
}

static void
test_bits(void)
{
	static struct otr__slot slot, got;
	static uint8_t bytes[OTR__SLOT_BYTES];
	unsigned bit, wrong = 0, sound = 0, flipped = 0;

	make_header(5, 16384);
	make_slot(&slot, 100, 3, 4, 3, 9, false);
	otr__slot_encode(bytes, &slot, header.file_id);
	for (bit = 0; bit < 8 * OTR__SLOT_BYTES; bit++) {
		enum otr__slot_condition c;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		c = decode(bytes, &got, NULL);
		flipped += c == OTR__SLOT_FLIPPED;
		wrong += c != OTR__SLOT_BAD && c != OTR__SLOT_FLIPPED;
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(wrong == 0 && flipped == 512, "4.2: a slot with any bit flipped is never sound; flipped stamps, and no others, are mended");
	for (bit = 32; bit < 8 * OTR__SLOT_BYTES; bit++) {
		enum otr__slot_condition c;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		set_crc(bytes);
		c = decode(bytes, &got, NULL);
		sound += c == OTR__SLOT_SOUND;
		if (c == OTR__SLOT_SOUND) {
			static struct otr__record record[OTR__RECORDS_MAX];
			struct otr__rows rows;
			uint32_t records;

			if (got.features.incompat == 0 && otr__rows_init(&rows, 5, 1)) {
				wrong += otr__slot_records(&got, &header.schema, &rows, record, &records, NULL) != OTR_OK || records != 3;
				otr__rows_release(&rows);
			}
		}
		wrong += c == OTR__SLOT_FLIPPED || c == OTR__SLOT_UNWRITTEN;
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(wrong == 0 && sound > 0, "4.3: under a right crc any flipped bit gives a slot whose records can be walked, or a refusal");
}

int
main(void)
{
	test_round_trips();
	test_limits();
	test_faults();
	test_area();
	test_unwritten();
	test_torn();
	test_verdicts();
	test_bits();
	return tap_done();
}
