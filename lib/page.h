/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.h - page header and reference (SPEC 5.1, 5.2): encode, decode, check one against the other.  No I/O.
 */
#ifndef OTR_PAGE_H
#define OTR_PAGE_H

#include "cursor.h"
#include "error.h"
#include "format.h"

struct otr__ref {
	uint64_t page;           /* 0: all zero, no page */
	uint64_t generation;
	uint32_t crc;
};

/* What a page is checked against, besides its reference. */
struct otr__expect {
	enum otr__page_type type;
	int level;               /* -1: any level that the type allows */
};

/* 24 bytes.  get is false if they are not there, the zero bytes are not zero, or page is 0 with anything else not zero. */
bool otr__ref_get(struct otr__reader *r, struct otr__ref *ref);
void otr__ref_put(struct otr__put *w, const struct otr__ref *ref);
bool otr__ref_equal(const struct otr__ref *a, const struct otr__ref *b);

/* Writes the header into page[0..page_bytes), whose payload is complete, and computes the crc.  Gives the reference in *ref. */
void otr__page_seal(uint8_t *page, uint32_t page_bytes, enum otr__page_type type, uint8_t level, uint64_t number, const uint8_t file_id[16],
    uint64_t generation, struct otr__ref *ref);

/* Checks page[0..page_bytes) against ref, file_id and expect; *level (may be NULL) is its level.  Returns OTR_OK or OTR_E_CORRUPT. */
OTR_MUST_CHECK enum otr_status otr__page_check(const uint8_t *page, uint32_t page_bytes, const struct otr__ref *ref, const uint8_t file_id[16],
    const struct otr__expect *expect, uint8_t *level, struct otr_error *err);

#endif
