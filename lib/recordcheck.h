/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recordcheck.h - what record.c, logpage.c and slot.c share: the limits of a record's fields wherever they are stored, and the extent of a row
 * block whose rows nobody wants yet.
 */
#ifndef OTR_RECORDCHECK_H
#define OTR_RECORDCHECK_H

#include "record.h"

/* A multiple of 8, not below n; n stays far from the limit. */
static inline size_t
otr__pad8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static inline bool
otr__is_time(int64_t time_ns)
{
	return time_ns >= OTR_TIME_MIN && time_ns <= OTR_TIME_MAX;
}

/* The number of a file's first page (SPEC 5.1). */
static inline uint64_t
otr__first_page(uint32_t page_bytes)
{
	return page_bytes < OTR__START_BYTES ? OTR__START_BYTES / page_bytes : 1;
}

/* Digits of a second's fraction: 0, 3, 6, 9. */
static inline bool
otr__digits_ok(uint64_t digits)
{
	return digits <= 9 && digits % 3 == 0;
}

/* The numbers of a record (SPEC 4.3, 8.2), kept root included; not its strings, nor its rows. */
OTR_MUST_CHECK enum otr_status otr__record_check(const struct otr__record *record, struct otr_error *err);

/* Takes one row block: its extent and its rows; values are not looked at.  OTR_OK, OTR_E_CORRUPT, OTR_E_UNSUPPORTED (a column of unknown type). */
OTR_MUST_CHECK enum otr_status otr__block_take(struct otr__reader *r, const struct otr_schema *schema, const uint8_t **block, size_t *bytes,
    uint32_t *n, struct otr_error *err);

#endif
