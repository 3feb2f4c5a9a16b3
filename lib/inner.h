/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inner.h - one inner page: payload to entries, and back (SPEC 5.4).  No I/O, no allocation.
 */
#ifndef OTR_INNER_H
#define OTR_INNER_H

#include "page.h"
#include "stats.h"

struct otr__entry {
	struct otr__ref child;
	uint64_t rows;
	int64_t first_ns, last_ns;
};

/* Entries that a page has room for. */
uint32_t otr__inner_capacity(uint32_t page_bytes, uint32_t columns);

/*
 * Checks all that one page can tell (count, order of times, rows, references, zero bytes) of an inner page that otr__page_check has passed, and
 * gives the number of entries.  Afterwards otr__inner_entry and otr__inner_stats may be used on it.
 */
OTR_MUST_CHECK enum otr_status otr__inner_check(const uint8_t *page, uint32_t page_bytes, uint32_t columns, uint32_t *entries, struct otr_error *err);
void otr__inner_entry(const uint8_t *page, uint32_t columns, uint32_t i, struct otr__entry *entry);
void otr__inner_stats(const uint8_t *page, uint32_t columns, uint32_t i, uint32_t column, struct otr__stats *stats);

/* Writes entry i with its statistics [columns]; otr__inner_finish writes the count and zeroes the rest of the payload. */
void otr__inner_put(uint8_t *page, uint32_t columns, uint32_t i, const struct otr__entry *entry, const struct otr__stats *stats);
void otr__inner_finish(uint8_t *page, uint32_t page_bytes, uint32_t columns, uint32_t entries);

#endif
