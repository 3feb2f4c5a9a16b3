/* SPDX-License-Identifier: BSD-2-Clause */
/* test_inner.c - inner pages (SPEC 5.4). */
#include <stdlib.h>
#include <string.h>

#include "../../lib/inner.h"
#include "tap.h"

#define PAGE_BYTES 4096u
#define COLUMNS 2u
#define ENTRY (48u + 240u)

static uint8_t *page;
static struct otr__entry entry[3] = {
	{ .child = { .page = 4, .generation = 2, .crc = 44 }, .rows = 10, .first_ns = -5, .last_ns = 7 },
	{ .child = { .page = 5, .generation = 9, .crc = 55 }, .rows = 1, .first_ns = 7, .last_ns = 7 },
	{ .child = { .page = 6, .generation = 3, .crc = 66 }, .rows = 20, .first_ns = 8, .last_ns = OTR_TIME_MAX },
};

static void
make(void)
{
	struct otr__stats stats[COLUMNS];
	struct otr__ref ref;
	static const uint8_t id[16] = { 1 };
	uint32_t i;

	memset(page, 0xee, PAGE_BYTES);
	for (i = 0; i < 3; i++) {
		stats[0] = (struct otr__stats){ .count = entry[i].rows, .min = i };
		stats[1] = (struct otr__stats){ .count = 1, .nans = entry[i].rows - 1, .rise = 100 + i };
		otr__inner_put(page, COLUMNS, i, &entry[i], stats);
	}
	otr__inner_finish(page, PAGE_BYTES, COLUMNS, 3);
	otr__page_seal(page, PAGE_BYTES, OTR__INNER, 1, 9, id, 9, &ref);
}

/* Makes the page, changes 8 bytes, and tells whether it is refused by that rule. */
static bool
refused(size_t at, uint64_t word, const char *spec)
{
	struct otr_error err;
	uint32_t n = 77;

	make();
	otr__put64(page + at, word);
	return otr__inner_check(page, PAGE_BYTES, COLUMNS, &n, &err) == OTR_E_CORRUPT && strcmp(err.spec, spec) == 0 && n == 77;
}

int
main(void)
{
	struct otr__entry got;
	struct otr__stats stats;
	struct otr_error err;
	uint32_t n = 0, i;
	bool same = true;
	unsigned long long seed = 1;

	page = malloc(PAGE_BYTES);
	if (page == NULL)
		return 1;
	CHECK(otr__inner_capacity(8192, 1) == 48 && otr__inner_capacity(16384, 3) == 40 && otr__inner_capacity(32768, 8) == 32 &&
	    otr__inner_capacity(65536, 64) == 8 && otr__inner_capacity(4096, 1) == 24, "3.4: children that a page has room for");
	make();
	CHECK(otr__inner_check(page, PAGE_BYTES, COLUMNS, &n, &err) == OTR_OK && n == 3, "5.4: a page of three entries");
	for (i = 0; i < 3; i++) {
		otr__inner_entry(page, COLUMNS, i, &got);
		same &= otr__ref_equal(&got.child, &entry[i].child) && got.rows == entry[i].rows && got.first_ns == entry[i].first_ns &&
		    got.last_ns == entry[i].last_ns;
		otr__inner_stats(page, COLUMNS, i, 0, &stats);
		same &= stats.count == entry[i].rows && stats.min == i && stats.rise == 0;
		otr__inner_stats(page, COLUMNS, i, 1, &stats);
		same &= stats.count == 1 && stats.nans == entry[i].rows - 1 && stats.rise == 100 + i;
	}
	CHECK(same, "5.4: entries and statistics are read as they were written");
	CHECK(page[48 + ENTRY] == 5 && page[48 + ENTRY + 24] == 1 && page[48 + ENTRY + 32] == 7, "5.4: an entry is 48 + 120 C bytes");
	CHECK(refused(40, 0, "5.4"), "5.4: no entry is refused");
	CHECK(refused(40, 15, "5.4"), "5.4: more entries than fit are refused");
	CHECK(refused(40, UINT32_MAX, "5.4"), "5.4: a count of 2^32 - 1 is refused");
	CHECK(refused(40, 4, "5.2"), "5.2: an entry that is all zero is refused");
	CHECK(refused(40, 2, "2.4"), "2.4: bytes after the last entry that are not zero are refused");
	CHECK(refused(40, UINT64_C(1) << 32 | 3, "2.4"), "2.4: bytes 44..47 that are not zero are refused");
	CHECK(refused(48 + 16, UINT64_C(1) << 32, "5.2"), "5.2: a reference whose zero bytes are not zero is refused");
	CHECK(refused(48, 3, "5.2"), "5.2: a child before the first page is refused");
	CHECK(refused(48 + 8, 10, "5.3-2"), "5.3-2: a child younger than its parent is refused");
	CHECK(refused(48 + 24, 0, "5.4"), "5.4: an entry without rows is refused");
	CHECK(refused(48 + 32, 8, "5.4"), "5.4: a first time after the last is refused");
	CHECK(refused(48 + 40, 8, "5.3-4"), "5.3-4: a last time after the next entry's first is refused");
	CHECK(refused(48 + 32, UINT64_C(1) << 63, "2.3") && refused(48 + 2 * ENTRY + 40, INT64_MAX, "2.3"), "2.3: reserved times are refused");
	CHECK(refused(48 + 24, INT64_MAX, "2.5"), "2.5: rows that add up to 2^63 are refused");
	CHECK(refused(48 + 48, 11, "6-2"), "6-2: more values than rows are refused");
	CHECK(refused(48 + 48 + 120 + 8, UINT64_MAX, "6-2"), "6-2: more values and NaNs than rows are refused");
	for (i = 0; i < 50000; i++) {
		size_t at = (size_t)(tap_random(&seed) % 1000) * 4 + 40;

		make();
		otr__put32(page + at, (uint32_t)(tap_random(&seed) >> tap_random(&seed) % 32));
		if (otr__inner_check(page, PAGE_BYTES, COLUMNS, &n, NULL) == OTR_OK)
			while (n-- > 0)
				otr__inner_entry(page, COLUMNS, n, &got);
	}
	CHECK(i == 50000, "a page of any bytes is checked without harm");
	free(page);
	return tap_done();
}
