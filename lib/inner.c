/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inner.c - one inner page: payload to entries, and back (SPEC 5.4).
 *
 * Owns the layout of an entry and the checks that a single page allows: counts, order of times, references, zero bytes.  Does not own: the page
 * header (page.c), what a child holds (tree.c), the arithmetic of a record (stats.c).  No I/O, no allocation, no state.  After a successful
 * check every number may be used as an index or a bound; the statistics are claims of whoever wrote the file (SPEC 6-1).
 *
 *      OFFSET SIZE FIELD              an inner page, behind the page header
 *          40    4 entries            1 .. (page size - 48) / (48 + 120 C)
 *          44    4 zero
 *          48   .. entry              (48 + 120 C) each
 *
 *      OFFSET SIZE FIELD              one entry
 *           0   24 child              reference
 *          24    8 rows               >= 1
 *          32    8 first_ns           inclusive; >= the last_ns before it
 *          40    8 last_ns            inclusive; >= first_ns
 *          48  120 statistics         one record a column
 *
 * The pointer arithmetic of entry_at is the one place here that is not a cursor: it picks entry i of a page whose count has been checked.
 */
#include "inner.h"

#define GENERATION_OFFSET 32u          /* of the page header, 5.1 */
#define STATS_OFFSET 48u

static const uint8_t *
entry_at(const uint8_t *page, uint32_t columns, uint32_t i)
{
	return page + OTR__INNER_FIXED + (size_t)i * OTR__ENTRY_BYTES(columns);
}

uint32_t
otr__inner_capacity(uint32_t page_bytes, uint32_t columns)
{
	return (page_bytes - OTR__INNER_FIXED) / OTR__ENTRY_BYTES(columns);
}

/* Reads what stands before the statistics; false: child is no reference. */
static bool
take_entry(struct otr__reader *r, struct otr__entry *entry)
{
	uint64_t first, last;

	if (!otr__ref_get(r, &entry->child) || !otr__take64(r, &entry->rows) || !otr__take64(r, &first) || !otr__take64(r, &last))
		return false;
	entry->first_ns = otr__i64(first);
	entry->last_ns = otr__i64(last);
	return true;
}

static enum otr_status
check_entry(const struct otr__entry *entry, uint32_t i, uint64_t first_page, uint64_t generation, int64_t previous_ns, struct otr_error *err)
{
	if (entry->child.page < first_page)
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "entry %u: child is page %llu, the first page is %llu", (unsigned)i,
		    (unsigned long long)entry->child.page, (unsigned long long)first_page);
	if (entry->child.generation > generation)
		return otr__fail(err, OTR_E_CORRUPT, "5.3-2", "entry %u: child of generation %llu under a page of generation %llu", (unsigned)i,
		    (unsigned long long)entry->child.generation, (unsigned long long)generation);
	if (entry->rows < 1)
		return otr__fail(err, OTR_E_CORRUPT, "5.4", "entry %u: 0 rows, at least 1 expected", (unsigned)i);
	if (entry->first_ns < OTR_TIME_MIN || entry->last_ns > OTR_TIME_MAX)
		return otr__fail(err, OTR_E_CORRUPT, "2.3", "entry %u: its first or last time is a reserved one", (unsigned)i);
	if (entry->last_ns < entry->first_ns)
		return otr__fail(err, OTR_E_CORRUPT, "5.4", "entry %u: last time %lld is before first time %lld", (unsigned)i, (long long)entry->last_ns,
		    (long long)entry->first_ns);
	if (entry->first_ns < previous_ns)
		return otr__fail(err, OTR_E_CORRUPT, "5.3-4", "entry %u: first time %lld is before %lld, the last of the entry before", (unsigned)i,
		    (long long)entry->first_ns, (long long)previous_ns);
	return OTR_OK;
}

/* Only what keeps arithmetic sane (rows - count - nans are nulls): whether statistics are true is verify's affair. */
static enum otr_status
check_counts(struct otr__reader *r, uint32_t i, uint32_t columns, uint64_t rows, struct otr_error *err)
{
	uint32_t c;

	for (c = 0; c < columns; c++) {
		uint64_t count, nans;
		struct otr__reader record;

		if (!otr__take_part(r, OTR__STATS_BYTES, &record) || !otr__take64(&record, &count) || !otr__take64(&record, &nans))
			return otr__fail(err, OTR_E_CORRUPT, "5.4", "entry %u: the page ends within its statistics", (unsigned)i);
		if (count > rows || nans > rows - count)
			return otr__fail(err, OTR_E_CORRUPT, "6-2", "entry %u, column %u: %llu values and %llu NaNs in %llu rows", (unsigned)i, (unsigned)c,
			    (unsigned long long)count, (unsigned long long)nans, (unsigned long long)rows);
	}
	return OTR_OK;
}

enum otr_status
otr__inner_check(const uint8_t *page, uint32_t page_bytes, uint32_t columns, uint32_t *entries, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(page + OTR__PAGE_HEADER, page_bytes - OTR__PAGE_HEADER);
	uint64_t generation = otr__get64(page + GENERATION_OFFSET), rows = 0;
	uint64_t first_page = page_bytes < OTR__START_BYTES ? OTR__START_BYTES / page_bytes : 1;
	int64_t previous_ns = OTR_TIME_MIN;
	uint32_t n, i, capacity = otr__inner_capacity(page_bytes, columns);

	if (!otr__take32(&r, &n) || n < 1 || n > capacity)
		return otr__fail(err, OTR_E_CORRUPT, "5.4", "%u entries, allowed are 1..%u", (unsigned)otr__get32(page + OTR__PAGE_HEADER),
		    (unsigned)capacity);
	if (!otr__take_zero(&r, 4))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "bytes 44..47 of the inner page are not zero");
	for (i = 0; i < n; i++) {
		struct otr__entry entry;
		enum otr_status status;

		if (!take_entry(&r, &entry))
			return otr__fail(err, OTR_E_CORRUPT, "5.2", "entry %u: child is no reference", (unsigned)i);
		status = check_entry(&entry, i, first_page, generation, previous_ns, err);
		if (status == OTR_OK)
			status = check_counts(&r, i, columns, entry.rows, err);
		if (status != OTR_OK)
			return status;
		if (entry.rows > (uint64_t)OTR__ROWS_MAX - rows)
			return otr__fail(err, OTR_E_CORRUPT, "2.5", "entry %u: the page's rows add up to 2^63 or more", (unsigned)i);
		rows += entry.rows;
		previous_ns = entry.last_ns;
	}
	if (!otr__take_zero(&r, r.left))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "bytes after the inner page's %u entries are not zero", (unsigned)n);
	*entries = n;
	return OTR_OK;
}

void
otr__inner_entry(const uint8_t *page, uint32_t columns, uint32_t i, struct otr__entry *entry)
{
	struct otr__reader r = otr__reader_of(entry_at(page, columns, i), STATS_OFFSET);

	*entry = (struct otr__entry){ .rows = 0 };
	(void)take_entry(&r, entry);        /* otr__inner_check has read it before */
}

void
otr__inner_stats(const uint8_t *page, uint32_t columns, uint32_t i, uint32_t column, struct otr__stats *stats)
{
	struct otr__reader r = otr__reader_of(entry_at(page, columns, i) + STATS_OFFSET + (size_t)column * OTR__STATS_BYTES, OTR__STATS_BYTES);

	(void)otr__stats_get(&r, stats);    /* the bytes are there */
}

void
otr__inner_put(uint8_t *page, uint32_t columns, uint32_t i, const struct otr__entry *entry, const struct otr__stats *stats)
{
	struct otr__put w = otr__put_into(page + OTR__INNER_FIXED + (size_t)i * OTR__ENTRY_BYTES(columns), OTR__ENTRY_BYTES(columns));
	uint32_t c;

	otr__ref_put(&w, &entry->child);
	otr__add64(&w, entry->rows);
	otr__add64(&w, (uint64_t)entry->first_ns);
	otr__add64(&w, (uint64_t)entry->last_ns);
	for (c = 0; c < columns; c++)
		otr__stats_put(&w, &stats[c]);
}

void
otr__inner_finish(uint8_t *page, uint32_t page_bytes, uint32_t columns, uint32_t entries)
{
	size_t used = OTR__INNER_FIXED + (size_t)entries * OTR__ENTRY_BYTES(columns);

	otr__put32(page + OTR__PAGE_HEADER, entries);
	otr__put32(page + OTR__PAGE_HEADER + 4, 0);
	memset(page + used, 0, page_bytes - used);
}
