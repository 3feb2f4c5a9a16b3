/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaf.h - one leaf page: payload to rows, and back (SPEC 5.5).  No I/O; memory is the caller's.
 */
#ifndef OTR_LEAF_H
#define OTR_LEAF_H

#include "chunk.h"
#include "page.h"

/*
 * Decoded rows in one block of memory.  capacity: rows that the arrays can hold.  value[c] always points at room for capacity values; has_null[c]
 * says whether present[c] means anything.  columns says which columns were decoded.
 */
struct otr__rows {
	uint32_t columns;                       /* C of the schema */
	size_t capacity, n;
	uint64_t decoded;                       /* bit c: column c is there */
	int64_t *time_ns;
	uint64_t *value[OTR_MAX_COLUMNS];
	uint8_t *present[OTR_MAX_COLUMNS];      /* ceil(capacity / 8) bytes each */
	bool has_null[OTR_MAX_COLUMNS];
	void *memory;
};
/* One allocation.  false: out of memory. */
bool otr__rows_init(struct otr__rows *rows, uint32_t columns, size_t capacity);
void otr__rows_release(struct otr__rows *rows);
/* Grows to at least capacity rows, keeping n rows.  false: out of memory, rows unchanged. */
bool otr__rows_reserve(struct otr__rows *rows, size_t capacity);
/* Appends rows [from, to) of src (all columns; capacity must suffice), nulls kept. */
void otr__rows_append(struct otr__rows *rows, const struct otr__rows *src, size_t from, size_t to);
/* A borrowed view for the public interface; columns not decoded come out NULL. */
void otr__rows_view(const struct otr__rows *rows, size_t from, size_t to, struct otr_rows *view);   /* from must be a multiple of 8 */
static inline bool
otr__row_present(const struct otr__rows *rows, uint32_t column, size_t row)
{
	return !rows->has_null[column] || (rows->present[column][row >> 3] >> (row & 7) & 1) != 0;
}

/* Largest number of rows that a leaf of so many columns may hold (SPEC 5.5). */
uint32_t otr__leaf_rows_max(uint32_t columns);

/*
 * Decodes the times and the columns in mask of a leaf page that otr__page_check has passed, into rows (initialised for the schema; grown if
 * needed).  scan: if not NULL, filled with the headers of all 1 + C chunks.
 * Returns OTR_OK, OTR_E_CORRUPT, OTR_E_UNSUPPORTED (a column in mask has an unknown encoding or type; the text names it), OTR_E_NOMEM.
 */
OTR_MUST_CHECK enum otr_status otr__leaf_decode(const uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, uint64_t mask,
    struct otr__rows *rows, struct otr__scratch *scratch, struct otr__chunk_header *headers, struct otr_error *err);

/* The number of rows that the page claims, range-checked; 0 if out of range. */
uint32_t otr__leaf_rows(const uint8_t *page, uint32_t columns);

/* The encoder's memory of the leaf before. */
struct otr__leaf_hint {
	struct otr__hint times, column[OTR_MAX_COLUMNS];
};
/*
 * Encodes rows [from, to) (all columns decoded, at most otr__leaf_rows_max) into the payload of page[0..page_bytes), the rest zeroed; the header is
 * left for otr__page_seal.  Returns the bytes used, or 0 if they do not fit.
 */
uint32_t otr__leaf_encode(uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, const struct otr__rows *rows, size_t from, size_t to,
    struct otr__leaf_hint *hint, struct otr__scratch *scratch);

#endif
