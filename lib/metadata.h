/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metadata.h - the metadata as a whole: chains of pages to a stream of entries, and back (SPEC 5.6, 8.6).
 */
#ifndef OTR_METADATA_H
#define OTR_METADATA_H

#include "meta.h"
#include "space.h"

/* Reads the stream that was in force at version, beginning at the slot's reference.  *bytes is the caller's, freed with free; NULL if there is none. */
OTR_MUST_CHECK enum otr_status otr__metadata_read(struct otr__store *store, const struct otr__ref *newest, uint64_t version, uint8_t **bytes, size_t *len,
    struct otr_error *err);

/* The stream of entries (in any order); *bytes is the caller's.  Returns OTR_OK, OTR_E_ARG for a key, value or size outside SPEC 5.6-1, OTR_E_NOMEM. */
OTR_MUST_CHECK enum otr_status otr__metadata_stream(const struct otr_meta *entry, size_t count, uint8_t **bytes, size_t *len, struct otr_error *err);

/* Pages of the chain that holds a stream. */
uint64_t otr__metadata_pages(uint32_t page_bytes, size_t len);
/* OTR_E_LIMIT if that is more than a file under these policies has room for (SPEC 9.4). */
OTR_MUST_CHECK enum otr_status otr__metadata_check(const struct otr_schema *schema, const struct otr_policies *policies, size_t len, struct otr_error *err);

/* Writes a stream as a chain of pages, whose previous is *ref; *ref becomes the chain's first page. */
OTR_MUST_CHECK enum otr_status otr__metadata_write(struct otr__space *space, const uint8_t *bytes, size_t len, struct otr__ref *ref, struct otr_error *err);

#endif
