/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - commit records with their riding rows (SPEC 4.3, 4.4), and the log page (4.5): pure codecs.
 */
#ifndef OTR_RECORD_H
#define OTR_RECORD_H

#include "leaf.h"

#define OTR__KEPT_BYTES 40u            /* of a kept root in a record */
/*
 * Records of a log page (SPEC 2.5).  Those that change nothing cost no bytes, so without a limit a small file could have millions; and a spill decodes and encodes
 * the newest page again, so this bounds what a small commit costs in a file of any age.  With a clock that jitters a page of 8 KiB holds fewer anyway.
 */
#define OTR__LOG_RECORDS_MAX 4096u
/* Rows of a full group, carried ones included (SPEC 4.5-2): they rode in one slot, whose body of 4,032 bytes has 8 for the time of each. */
#define OTR__GROUP_ROWS_MAX 504u

struct otr__kept {                     /* a kept root, SPEC 8.2 */
	struct otr__ref root;
	uint64_t base_row, tree_rows;
};

/* One commit record.  author, message: borrowed, not NUL-terminated. */
struct otr__record {
	uint64_t version;
	int64_t commit_ns;
	enum otr_kind kind;
	uint8_t time_digits;
	uint64_t rows_ever, rows, added, removed;
	const uint8_t *author, *message;
	uint16_t author_bytes, message_bytes;
	bool has_kept;
	struct otr__kept kept;
	uint32_t row_count;                /* rows that ride in it: 0 if none, or if it is not in a full group of a log page */
	const uint8_t *block;              /* of a record in a slot: its encoded row block, or NULL */
	size_t block_bytes;
};

/* Row blocks (4.4).  size: bytes of a block of n rows. */
size_t otr__block_size(const struct otr_schema *schema, size_t n);
/* Appends rows [from, to) as one block, 1..4096 rows. */
void otr__block_put(struct otr__put *w, const struct otr_schema *schema, const struct otr__rows *rows, size_t from, size_t to);
/* Reads one block from r, appending its rows to rows (capacity grown as needed).  *n: its rows.  OTR_OK, OTR_E_CORRUPT, OTR_E_NOMEM. */
OTR_MUST_CHECK enum otr_status otr__block_get(struct otr__reader *r, const struct otr_schema *schema, struct otr__rows *rows, uint32_t *n,
    struct otr_error *err);

/* Bytes of a record as it stands in a slot, its block_bytes included. */
size_t otr__record_size(const struct otr__record *record);
void otr__record_put(struct otr__put *w, const struct otr__record *record);
/* Reads one record; its strings and block are borrowed from the bytes behind r.  Fields are checked, the block is only measured (row_count is set from it). */
OTR_MUST_CHECK enum otr_status otr__record_get(struct otr__reader *r, const struct otr_schema *schema, struct otr__record *record, struct otr_error *err);

/* A full group of a log page, SPEC 4.5. */
struct otr__group {
	uint32_t record, records;          /* index of its first record; how many */
	uint64_t tree_end;
	uint32_t carried;                  /* rows carried at its start */
	enum otr_duplicates duplicates;
	uint32_t row;                      /* index of its first row (carried first) in the page's rows; not stored: derived */
};

struct otr__log_links {
	uint64_t index, first_version, last_version;
	int64_t least_ns, greatest_ns;
	uint64_t rewrite;
	struct otr__ref prev;
	uint64_t prev_rewrite;
	struct otr__ref skip;
	uint64_t skip_version, skip_rewrite;
	int64_t skip_least_ns;
	uint64_t skip_index;
};

/* A decoded log page.  Memory is its own; one can be decoded into again and again. */
struct otr__log_page {
	struct otr__log_links links;
	uint32_t records, groups;
	struct otr__record *record;        /* [records]; strings borrowed from `text` */
	struct otr__group *group;          /* [groups] */
	struct otr__rows rows;             /* of the full groups, in order */
	bool without_rows;                 /* the caller's wish: they are not decoded, and rows.n is 0 */
	/* memory */
	uint32_t record_capacity, group_capacity;
	uint8_t *text;
	size_t text_capacity;
	void *work;                        /* of the codec */
};
void otr__log_page_init(struct otr__log_page *log);
void otr__log_page_release(struct otr__log_page *log);

/* Reads the links only (the header of SPEC 4.5), range-checked, of a page that otr__page_check has passed. */
OTR_MUST_CHECK enum otr_status otr__log_links_decode(const uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema,
    struct otr__log_links *links, struct otr_error *err);
/* Everything.  OTR_OK, OTR_E_CORRUPT, OTR_E_UNSUPPORTED, OTR_E_NOMEM. */
OTR_MUST_CHECK enum otr_status otr__log_page_decode(const uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, struct otr__log_page *log,
    struct otr__scratch *scratch, struct otr_error *err);
/*
 * Encodes the payload of a log page: log->links' index, prev*, skip* as given; first_version, last_version, least_ns, greatest_ns, rewrite and
 * skip_least_ns are computed from the records (rewrite also from prev_rewrite; skip_least_ns is the lesser of log->links.skip_least_ns, which the
 * caller sets to the least of the pages between skip and this one or INT64_MAX, and this page's) and written back into log->links.
 * Returns the bytes used, or 0 if they do not fit (then links are unchanged), or if a limit of 4.5 is exceeded.  May allocate: *nomem tells.
 */
uint32_t otr__log_page_encode(uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, struct otr__log_page *log,
    struct otr__scratch *scratch, bool *nomem);
/* Appends a copy of a record (strings copied into log's text) to a log page being built; groups and rows are the caller's to append.  false: out of memory. */
bool otr__log_page_add(struct otr__log_page *log, const struct otr__record *record);

#endif
