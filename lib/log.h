/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - finding a commit (SPEC 8.7): in the record area of the slot, or through the links of the log pages; and what a version is made of:
 * a prefix of which root, and which rows after it (8.2, 8.3).  Reads only.
 */
#ifndef OTR_LOG_H
#define OTR_LOG_H

#include "slot.h"
#include "store.h"

/* What a log is read through; all borrowed. */
struct otr__log {
	struct otr__store *store;
	const struct otr__slot *slot;
	const struct otr_schema *schema;
	struct otr__scratch *scratch;
};

/* A version as the log tells it. */
struct otr__version {
	struct otr__record record;        /* strings borrowed from text; block NULL */
	char text[OTR_MAX_AUTHOR + OTR_MAX_MESSAGE + 2];
	struct otr__kept from;            /* the root that has it, its base row and rows */
	uint64_t tree_end;                /* row number after its last row in that root */
	struct otr__rows ride;            /* rows after that, in order, policy applied; release after use */
};

/*
 * Describes version.  Returns OTR_OK, with version->ride the caller's to release with otr__rows_release; OTR_E_NOTFOUND (never existed, or pruned: the text tells);
 * _CORRUPT, _TRUNCATED, _IO, _NOMEM.
 */
OTR_MUST_CHECK enum otr_status otr__log_version(struct otr__log *log, uint64_t number, struct otr__version *version, struct otr_error *err);

/* The root that has version number: that of the first rewrite after it, or the present one (SPEC 8.2). */
OTR_MUST_CHECK enum otr_status otr__log_root(struct otr__log *log, uint64_t number, struct otr__kept *root, struct otr_error *err);

/* The newest version committed at or before time_ns (SPEC 8.4).  OTR_E_NOTFOUND: all are later, or it is pruned. */
OTR_MUST_CHECK enum otr_status otr__log_as_of(struct otr__log *log, int64_t time_ns, uint64_t *number, struct otr_error *err);

/* The oldest version that is not before number, which must not be pruned nor newer than the newest; where numbers were skipped an older one may be given. */
OTR_MUST_CHECK enum otr_status otr__log_from(struct otr__log *log, uint64_t number, uint64_t *found, struct otr_error *err);

/* The first version of the newest `pages` (>= 1) log pages; 0 if there are no more than those. */
OTR_MUST_CHECK enum otr_status otr__log_first_of_last(struct otr__log *log, uint64_t pages, uint64_t *first, struct otr_error *err);

/*
 * Reads a log page and its links.  index_known: the link that led here says its index, which is compared.  *page is borrowed as otr__store_read says.
 */
OTR_MUST_CHECK enum otr_status otr__log_read(struct otr__log *log, const struct otr__ref *ref, uint64_t index, bool index_known, const uint8_t **page,
    struct otr__log_links *links, struct otr_error *err);

/* The links of the page that comes after page `newest` with links *p (SPEC 4.5-3), where `oldest` is the oldest version kept; what depends on its records is left to otr__log_page_encode. */
OTR_MUST_CHECK enum otr_status otr__log_links_after(struct otr__store *store, const struct otr_schema *schema, uint64_t oldest,
    const struct otr__ref *newest, const struct otr__log_links *p, struct otr__log_links *links, struct otr_error *err);

/* Rows of the slot that ride: carried rows and those of all records up to index last (inclusive), joined.  rows: initialised here, the caller's. */
OTR_MUST_CHECK enum otr_status otr__log_riding(const struct otr__slot *slot, const struct otr_schema *schema, const struct otr__rows *carried,
    const struct otr__record *record, uint32_t records, struct otr__rows *rows, struct otr_error *err);

#endif
