/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaf.c - one leaf page: payload to rows, and back (SPEC 5.5); and the arrays that decoded rows stand in.
 *
 * Owns the layout around the chunks: counts, offsets, what lies between and behind.  Does not own: the page header (page.c), what a chunk holds
 * (chunk.c), how many rows a writer puts into a leaf (build.c).  No I/O, no state; memory only in otr__rows_*.
 *
 *      OFFSET SIZE FIELD              a leaf, behind the page header
 *          40    4 rows               1..65,535; rows x (C + 1) <= 2^18
 *          44    4 used               bytes of the page in use, a multiple of 8
 *          48   .. offsets            u32 each, 1 + C: times, then the columns; multiples of 8, ascending; padded to 8
 *          ..   .. chunks             each ends where the next begins, the last at used; the first begins right after the offsets
 */
#include "leaf.h"

#include <stdlib.h>

#define OFFSETS_AT 48u
#define CHUNKS_MAX (1u + OTR_MAX_COLUMNS)
#define PRESENT_MAX ((OTR__LEAF_ROWS_MAX + 7) / 8)

/* ---- rows in memory -------------------------------------------------------------------------------------------------------- */

static uint64_t
all_columns(uint32_t columns)
{
	return columns == 0 ? 0 : UINT64_MAX >> (64 - columns);
}

/* A capacity is a multiple of 64, so that presence bits, too, are whole words, and every array of the one block is aligned. */
static bool
allocate(struct otr__rows *rows, uint32_t columns, size_t capacity)
{
	size_t column_bytes, c;
	uint8_t *at;

	if (capacity > SIZE_MAX / 16 / CHUNKS_MAX)
		return false;
	capacity = capacity == 0 ? 64 : (capacity + 63) / 64 * 64;
	column_bytes = capacity * 8 + capacity / 8;
	at = malloc(capacity * 8 + columns * column_bytes);
	if (at == NULL)
		return false;
	memset(rows, 0, sizeof *rows);
	rows->columns = columns;
	rows->capacity = capacity;
	rows->decoded = all_columns(columns);
	rows->memory = at;
	rows->time_ns = rows->memory;
	at += capacity * 8;
	for (c = 0; c < columns; c++) {
		rows->value[c] = (uint64_t *)(void *)at;
		rows->present[c] = at + capacity * 8;
		at += column_bytes;
	}
	return true;
}

bool
otr__rows_init(struct otr__rows *rows, uint32_t columns, size_t capacity)
{
	memset(rows, 0, sizeof *rows);
	return allocate(rows, columns, capacity);
}

void
otr__rows_release(struct otr__rows *rows)
{
	free(rows->memory);
	memset(rows, 0, sizeof *rows);
}

bool
otr__rows_reserve(struct otr__rows *rows, size_t capacity)
{
	struct otr__rows more;
	uint32_t c;

	if (capacity <= rows->capacity)
		return true;
	/* half as much again: rows that come one by one are copied a few times, not each time */
	if (capacity < rows->capacity + rows->capacity / 2)
		capacity = rows->capacity + rows->capacity / 2;
	if (!allocate(&more, rows->columns, capacity))
		return false;
	more.n = rows->n;
	more.decoded = rows->decoded;
	memcpy(more.has_null, rows->has_null, sizeof more.has_null);
	if (rows->n > 0)
		memcpy(more.time_ns, rows->time_ns, rows->n * sizeof more.time_ns[0]);
	for (c = 0; c < rows->columns && rows->n > 0; c++) {
		memcpy(more.value[c], rows->value[c], rows->n * sizeof more.value[c][0]);
		if (rows->has_null[c])
			memcpy(more.present[c], rows->present[c], (rows->n + 7) / 8);
	}
	free(rows->memory);
	*rows = more;
	return true;
}

/*
 * Copies n presence bits from bit `from` of src (NULL: all set) to bit `to` of dst.  Bits of dst before them stay; those behind, in the last byte,
 * are cleared.
 */
static void
copy_bits(uint8_t *dst, size_t to, const uint8_t *src, size_t from, size_t n)
{
	size_t i, last = from + n;

	for (i = 0; i < n; ) {
		unsigned shift = (unsigned)((from + i) & 7), at = (unsigned)((to + i) & 7);
		unsigned take = 8 - at, bits = 0xff;

		if (take > n - i)
			take = (unsigned)(n - i);
		if (src != NULL) {
			size_t byte = (from + i) >> 3;

			bits = (unsigned)src[byte] >> shift;
			if (shift + take > 8 && (byte + 1) * 8 < last)
				bits |= (unsigned)src[byte + 1] << (8 - shift);
		}
		bits &= (1u << take) - 1;
		dst[(to + i) >> 3] = (uint8_t)((dst[(to + i) >> 3] & ((1u << at) - 1)) | bits << at);
		i += take;
	}
}

void
otr__rows_append(struct otr__rows *rows, const struct otr__rows *src, size_t from, size_t to)
{
	size_t n = to - from;
	uint32_t c;

	if (n == 0)
		return;
	memcpy(rows->time_ns + rows->n, src->time_ns + from, n * sizeof rows->time_ns[0]);
	for (c = 0; c < rows->columns; c++) {
		memcpy(rows->value[c] + rows->n, src->value[c] + from, n * sizeof rows->value[c][0]);
		if (src->has_null[c] && !rows->has_null[c]) {
			memset(rows->present[c], 0xff, rows->capacity / 8);
			rows->has_null[c] = true;
		}
		if (rows->has_null[c])
			copy_bits(rows->present[c], rows->n, src->has_null[c] ? src->present[c] : NULL, from, n);
	}
	rows->n += n;
}

void
otr__rows_view(const struct otr__rows *rows, size_t from, size_t to, struct otr_rows *view)
{
	uint32_t c;

	memset(view, 0, sizeof *view);
	view->n = to - from;
	view->time_ns = rows->time_ns + from;
	for (c = 0; c < rows->columns; c++) {
		if ((rows->decoded >> c & 1) == 0)
			continue;
		view->value[c] = rows->value[c] + from;
		if (rows->has_null[c])
			view->present[c] = rows->present[c] + from / 8;
	}
}

/* ---- decode ---------------------------------------------------------------------------------------------------------------- */

uint32_t
otr__leaf_rows_max(uint32_t columns)
{
	uint32_t by_cells = OTR__LEAF_CELLS_MAX / (columns + 1);

	return by_cells < OTR__LEAF_ROWS_MAX ? by_cells : OTR__LEAF_ROWS_MAX;
}

uint32_t
otr__leaf_rows(const uint8_t *page, uint32_t columns)
{
	uint32_t rows = otr__get32(page + OTR__PAGE_HEADER);

	return rows >= 1 && rows <= otr__leaf_rows_max(columns) ? rows : 0;
}

/* Bytes of the offsets of so many columns, padding included. */
static uint32_t
offsets_bytes(uint32_t columns)
{
	return (4 * (1 + columns) + 7) & ~7u;
}

/* The extents of a leaf's chunks: chunk i is [at[i], at[i + 1]) of the page. */
struct extents {
	uint32_t rows, chunks;
	uint32_t at[CHUNKS_MAX + 1];
};

static enum otr_status
take_extents(const uint8_t *page, uint32_t page_bytes, uint32_t columns, struct extents *x, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(page, page_bytes);
	uint32_t i, first = OFFSETS_AT + offsets_bytes(columns), used;
	const uint8_t *head;

	if (!otr__take_bytes(&r, OTR__PAGE_HEADER, &head) || !otr__take32(&r, &x->rows) || !otr__take32(&r, &used))
		return otr__fail(err, OTR_E_CORRUPT, "5.5", "leaf: the page is cut");
	if (x->rows < 1 || x->rows > otr__leaf_rows_max(columns))
		return otr__fail(err, OTR_E_CORRUPT, "5.5", "leaf: %u rows of %u columns, allowed are 1..%u", (unsigned)x->rows, (unsigned)columns,
		    (unsigned)otr__leaf_rows_max(columns));
	if (used > page_bytes || used < first || used % 8 != 0)
		return otr__fail(err, OTR_E_CORRUPT, "5.5", "leaf: %u bytes in use, allowed are multiples of 8 in %u..%u", (unsigned)used,
		    (unsigned)first, (unsigned)page_bytes);
	x->chunks = 1 + columns;
	for (i = 0; i < x->chunks; i++) {
		uint32_t least = i == 0 ? first : x->at[i - 1];

		if (!otr__take32(&r, &x->at[i]))
			return otr__fail(err, OTR_E_CORRUPT, "5.5", "leaf: the page ends within the offsets");
		if (i == 0 ? x->at[0] != first : x->at[i] <= least || x->at[i] % 8 != 0)
			return otr__fail(err, OTR_E_CORRUPT, "5.5", "leaf: chunk %u begins at %u, expected %s %u", (unsigned)i, (unsigned)x->at[i],
			    i == 0 ? "exactly" : "a multiple of 8 above", (unsigned)least);
		if (x->at[i] >= used)
			return otr__fail(err, OTR_E_CORRUPT, "5.5", "leaf: chunk %u begins at %u, but only %u bytes are in use", (unsigned)i,
			    (unsigned)x->at[i], (unsigned)used);
	}
	x->at[x->chunks] = used;
	if (!otr__take_zero(&r, first - OFFSETS_AT - 4 * x->chunks))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "leaf: padding of the offsets is not zero");
	r = otr__reader_of(page + used, page_bytes - used);      /* used <= page_bytes */
	if (!otr__take_zero(&r, r.left))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "leaf: bytes after the %u in use are not zero", (unsigned)used);
	return OTR_OK;
}

/* Chunk headers, for otr-stat --scan.  One that this program cannot read is left all zero, so its size is 0. */
static enum otr_status
peek_all(const uint8_t *page, const struct extents *x, struct otr__chunk_header *headers, struct otr_error *err)
{
	uint32_t i;

	for (i = 0; i < x->chunks; i++) {
		struct otr_error ignored;
		enum otr_status status;

		memset(&headers[i], 0, sizeof headers[i]);
		status = otr__chunk_peek(page + x->at[i], x->at[i + 1] - x->at[i], x->rows, &headers[i], &ignored);
		if (status == OTR_E_UNSUPPORTED)
			memset(&headers[i], 0, sizeof headers[i]);
		else if (status != OTR_OK) {
			if (err != NULL)
				*err = ignored;
			return status;
		}
	}
	return OTR_OK;
}

static enum otr_status
decode_column(const uint8_t *page, const struct extents *x, const struct otr_schema *schema, uint32_t c, struct otr__rows *rows,
    struct otr__scratch *scratch, struct otr_error *err)
{
	const struct otr_column *column = &schema->column[c];
	enum otr_status status = OTR_E_UNSUPPORTED;

	if (column->type >= OTR_BOOL && column->type <= OTR_F64)
		status = otr__chunk_decode(page + x->at[c + 1], x->at[c + 2] - x->at[c + 1], (int)column->type, x->rows, rows->value[c],
		    rows->present[c], &rows->has_null[c], scratch, err);
	if (status == OTR_E_UNSUPPORTED)
		return otr__fail(err, status, "7.1", "column '%s' is of a type or encoding that this program does not know", column->name);
	return status;
}

enum otr_status
otr__leaf_decode(const uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, uint64_t mask, struct otr__rows *rows,
    struct otr__scratch *scratch, struct otr__chunk_header *headers, struct otr_error *err)
{
	struct extents x = { .rows = 0 };
	enum otr_status status;
	bool no_nulls;
	uint32_t c;

	mask &= all_columns(schema->columns);
	rows->n = 0;
	rows->decoded = 0;
	memset(rows->has_null, 0, sizeof rows->has_null);
	status = take_extents(page, page_bytes, schema->columns, &x, err);
	if (status == OTR_OK && headers != NULL)
		status = peek_all(page, &x, headers, err);
	if (status != OTR_OK)
		return status;
	if (!otr__rows_reserve(rows, x.rows))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__chunk_decode(page + x.at[0], x.at[1] - x.at[0], OTR__TIMES, x.rows, (uint64_t *)(void *)rows->time_ns, NULL, &no_nulls, scratch,
	    err);
	if (status == OTR_E_UNSUPPORTED)
		return otr__fail(err, status, "7.1", "the times are of an encoding that this program does not know");
	for (c = 0; c < schema->columns && status == OTR_OK; c++)
		if ((mask >> c & 1) != 0)
			status = decode_column(page, &x, schema, c, rows, scratch, err);
	if (status != OTR_OK) {
		memset(rows->has_null, 0, sizeof rows->has_null);
		return status;
	}
	rows->n = x.rows;
	rows->decoded = mask;
	return OTR_OK;
}

/* ---- encode ---------------------------------------------------------------------------------------------------------------- */

/* Presence bits of rows [from, to) of a column, from bit 0 of bits on; false if none of them is null. */
static bool
presence(const struct otr__rows *rows, uint32_t c, size_t from, size_t to, uint8_t *bits)
{
	size_t n = to - from, i;

	if (!rows->has_null[c])
		return false;
	copy_bits(bits, 0, rows->present[c], from, n);
	for (i = 0; i < n / 8; i++)
		if (bits[i] != 0xff)
			return true;
	return n % 8 != 0 && bits[n / 8] != (1u << n % 8) - 1;
}

uint32_t
otr__leaf_encode(uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, const struct otr__rows *rows, size_t from, size_t to,
    struct otr__leaf_hint *hint, struct otr__scratch *scratch)
{
	uint32_t n = (uint32_t)(to - from), i, at = OFFSETS_AT + offsets_bytes(schema->columns);
	uint8_t present[PRESENT_MAX];
	struct otr__leaf_hint next = *hint;
	struct otr__put offsets = otr__put_into(page + OTR__PAGE_HEADER, at - OTR__PAGE_HEADER);

	if (at > page_bytes || to - from < 1 || to - from > otr__leaf_rows_max(schema->columns))
		return 0;
	otr__add32(&offsets, n);
	otr__add32(&offsets, 0);
	for (i = 0; i < 1 + schema->columns; i++) {
		size_t size;

		otr__add32(&offsets, at);
		if (i == 0)
			size = otr__chunk_encode((const uint64_t *)(const void *)(rows->time_ns + from), NULL, n, OTR__TIMES, &next.times, page + at,
			    page_bytes - at, scratch);
		else
			size = otr__chunk_encode(rows->value[i - 1] + from, presence(rows, i - 1, from, to, present) ? present : NULL, n,
			    (int)schema->column[i - 1].type, &next.column[i - 1], page + at, page_bytes - at, scratch);
		if (size == 0)
			return 0;
		at += (uint32_t)size;      /* size <= page_bytes - at */
	}
	otr__add_zero(&offsets, offsets.left);
	otr__put32(page + OTR__PAGE_HEADER + 4, at);
	memset(page + at, 0, page_bytes - at);
	*hint = next;
	return at;
}
