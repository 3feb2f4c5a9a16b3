/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta.h - one page of the metadata chain, and the stream of entries (SPEC 5.6): pure codec.
 */
#ifndef OTR_META_H
#define OTR_META_H

#include "page.h"

struct otr__meta_page {
	struct otr__ref next, previous;
	uint32_t remaining, bytes;
	const uint8_t *stream;             /* borrowed from the page */
};

OTR_MUST_CHECK enum otr_status otr__meta_decode(const uint8_t *page, uint32_t page_bytes, struct otr__meta_page *meta, struct otr_error *err);
/* Payload of a page; the rest is zeroed.  bytes <= page_bytes - OTR__META_FIXED. */
void otr__meta_encode(uint8_t *page, uint32_t page_bytes, const struct otr__meta_page *meta);

/* Checks one key or value of a caller or a file (SPEC 5.6-1). */
bool otr__meta_key_ok(const uint8_t *key, size_t len);
bool otr__meta_value_ok(const uint8_t *value, size_t len);

/* The next entry of the joined stream: key and value are borrowed, not NUL-terminated.  OTR_OK, OTR_END, OTR_E_CORRUPT.
 * previous_key: the key before, for the order (len 0: none). */
OTR_MUST_CHECK enum otr_status otr__meta_next(struct otr__reader *stream, const uint8_t *previous_key, size_t previous_len, const uint8_t **key,
    size_t *key_len, const uint8_t **value, size_t *value_len, struct otr_error *err);
/* Appends an entry to a stream being made. */
void otr__meta_put(struct otr__put *w, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len);

#endif
