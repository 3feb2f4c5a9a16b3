/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - from a page reference to a verified page, through io: a bounded cache for reading.  Knows no tree and no version.
 *
 * Memory: at most 4 MiB of cached inner, log and metadata pages and one leaf, taken as they are needed.
 */
#ifndef OTR_STORE_H
#define OTR_STORE_H

#include "header.h"
#include "io.h"
#include "page.h"

struct otr__store {
	struct otr_io *io;
	const struct otr__header *header;
	uint32_t page_bytes, frames;
	struct otr__frame *frame;                  /* [frames], direct mapped */
	struct otr__frame *leaf;
	struct otr_counters counters;
};

/* io and header are borrowed until release.  false: out of memory. */
bool otr__store_init(struct otr__store *store, struct otr_io *io, const struct otr__header *header);
void otr__store_release(struct otr__store *store);

/*
 * The page that ref names, verified against it (SPEC 5.2-1).  *page is borrowed until the next otr__store_read of this store, for leaves and others alike.
 * level: expected, -1: any.  *found_level may be NULL.
 * Returns OTR_OK; OTR_E_CORRUPT; OTR_E_TRUNCATED (beyond the file's end); OTR_E_IO; OTR_E_NOMEM.
 */
OTR_MUST_CHECK enum otr_status otr__store_read(struct otr__store *store, const struct otr__ref *ref, enum otr__page_type type, int level,
    const uint8_t **page, uint8_t *found_level, struct otr_error *err);

/* Forgets all pages (a reader that met a page reused under it). */
void otr__store_forget(struct otr__store *store);
/* Forgets one page number: a writer that is about to write it. */
void otr__store_drop(struct otr__store *store, uint64_t page);

#endif
