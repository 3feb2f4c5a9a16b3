/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - commit records and row blocks as they stand in a slot's record area (SPEC 4.3, 4.4).
 *
 * Owns their layout and what a single record allows.  Does not own: the area as a whole (slot.c), records column by column (logpage.c), what
 * riding rows mean (ride.c).  No I/O; memory only through otr__rows_reserve.
 *
 *      OFFSET SIZE FIELD              a commit record
 *           0    2 record_bytes       of the record, a multiple of 8
 *           2    1 kind               0 create .. 6 compact
 *           3    1 flags              bit 0: rows follow; bit 1: a kept root follows; not both
 *           4    1 time_digits        0, 3, 6, 9
 *           5    1 author_bytes
 *           6    2 message_bytes      <= 1024
 *           8    8 version            greater than the record before (slot.c looks)
 *          16    8 commit_ns          i64
 *          24    8 rows_ever          after this commit
 *          32    8 rows               of the series after this commit, <= rows_ever
 *          40    8 added
 *          48    8 removed
 *          56   .. author, message    UTF-8, padded to 8
 *          ..   40 kept root          if flag bit 1: reference (24), base_row (8), tree_rows (8)
 *          ..   .. row block          if flag bit 0
 *
 *                                     a row block
 *           0    4 n                  1..4096
 *           4    4 zero
 *           8  8 n times              i64, none reserved
 *          ..   .. per column: presence, ceil(n / 8) bytes, padded to 8
 *          ..   .. per column: values, n x width bytes, padded to 8; zero where absent
 *
 * Worked example: two rows of one f64 column take 8 + 16 + (8 + 16) = 48 bytes; with an empty author and message they make a record of 104.
 */
#include "recordcheck.h"

#include <string.h>

#include "intmath.h"
#include "text.h"

#define RECORD_FIXED 56u
#define FLAG_ROWS 1u
#define FLAG_KEPT 2u

/* Bytes of a value in a row block; a type that we do not know takes 8 (SPEC 4.4), so that the other columns stay readable. */
static size_t
width_of(enum otr_type type)
{
	switch (type) {
	case OTR_BOOL: return 1;
	case OTR_I32:
	case OTR_F32: return 4;
	case OTR_I64:
	case OTR_F64: return 8;
	}
	return 8;
}

/* ---- row blocks ---------------------------------------------------------------------------------------------------------- */

size_t
otr__block_size(const struct otr_schema *schema, size_t n)
{
	size_t size = 8 + 8 * n;
	uint32_t c;

	for (c = 0; c < schema->columns; c++)
		size += otr__pad8((n + 7) / 8) + otr__pad8(n * width_of(schema->column[c].type));
	return size;
}

static void
put_presence(struct otr__put *w, const struct otr__rows *rows, uint32_t c, size_t from, size_t n)
{
	size_t bytes = (n + 7) / 8, i;
	uint8_t *p = otr__put_room(w, otr__pad8(bytes));

	if (p == NULL)
		return;
	memset(p, 0, otr__pad8(bytes));
	for (i = 0; i < n; i++)
		if (otr__row_present(rows, c, from + i))
			p[i >> 3] = (uint8_t)(p[i >> 3] | 1u << (i & 7));
}

void
otr__block_put(struct otr__put *w, const struct otr_schema *schema, const struct otr__rows *rows, size_t from, size_t to)
{
	size_t n = to - from, i;
	uint32_t c;

	if (n == 0 || n > OTR__BLOCK_ROWS) {
		w->failed = true;
		return;
	}
	otr__add32(w, (uint32_t)n);
	otr__add32(w, 0);
	for (i = from; i < to; i++)
		otr__add64(w, (uint64_t)rows->time_ns[i]);
	for (c = 0; c < schema->columns; c++) {
		size_t width = width_of(schema->column[c].type);

		put_presence(w, rows, c, from, n);
		for (i = from; i < to; i++) {
			uint64_t value = otr__row_present(rows, c, i) ? rows->value[c][i] : 0;

			if (width == 1)
				otr__add8(w, (uint8_t)value);
			else if (width == 4)
				otr__add32(w, (uint32_t)value);
			else
				otr__add64(w, value);
		}
		otr__add_zero(w, otr__pad8(n * width) - n * width);
	}
}

enum otr_status
otr__block_take(struct otr__reader *r, const struct otr_schema *schema, const uint8_t **block, size_t *bytes, uint32_t *n, struct otr_error *err)
{
	struct otr__reader at = *r;
	uint32_t rows;
	size_t size;

	if (!otr__take32(&at, &rows) || !otr__take_zero(&at, 4))
		return otr__fail(err, OTR_E_CORRUPT, "4.4", "a row block of %zu bytes, or its zero bytes are not zero", r->left);
	if (rows == 0 || rows > OTR__BLOCK_ROWS)
		return otr__fail(err, OTR_E_CORRUPT, "4.4", "a row block of %u rows, expected 1 to %u", (unsigned)rows, OTR__BLOCK_ROWS);
	size = otr__block_size(schema, rows);
	if (size > r->left)
		return otr__fail(err, OTR_E_CORRUPT, "4.4", "a row block of %u rows takes %zu bytes, %zu are left", (unsigned)rows, size, r->left);
	(void)otr__take_bytes(r, size, block);      /* they are there */
	*bytes = size;
	*n = rows;
	return OTR_OK;
}

/* One value of a column as struct otr_rows has it; false if it is out of range.  The reader has room: otr__block_take measured. */
static bool
take_value(struct otr__reader *r, enum otr_type type, uint64_t *value)
{
	uint8_t v8;
	uint32_t v32;

	switch (type) {
	case OTR_BOOL:
		if (!otr__take8(r, &v8))
			return false;
		*value = v8;
		return v8 <= 1;
	case OTR_I32:
		if (!otr__take32(r, &v32))
			return false;
		*value = (uint64_t)v32 | ((v32 >> 31) != 0 ? 0xffffffff00000000u : 0);
		return true;
	case OTR_F32:
		if (!otr__take32(r, &v32))
			return false;
		*value = v32;
		return true;
	case OTR_I64:
	case OTR_F64: break;
	}
	return otr__take64(r, value);
}

static void
set_present(struct otr__rows *rows, uint32_t c, size_t i, bool present)
{
	uint8_t bit = (uint8_t)(1u << (i & 7)), *p = &rows->present[c][i >> 3];

	*p = (uint8_t)(present ? *p | bit : *p & ~bit);
}

/* The n rows of one column: checked, and put behind rows->n of rows unless that is NULL. */
static enum otr_status
get_column(struct otr__reader *r, enum otr_type type, uint32_t c, uint32_t n, struct otr__rows *rows, struct otr_error *err)
{
	size_t bytes = ((size_t)n + 7) / 8, i;
	const uint8_t *bits = NULL;
	bool has_null = false;

	if (!otr__take_bytes(r, bytes, &bits) || !otr__take_zero(r, otr__pad8(bytes) - bytes) || (n % 8 != 0 && bits[bytes - 1] >> (n % 8) != 0))
		return otr__fail(err, OTR_E_CORRUPT, "4.4", "column %u of a row block: spare presence bits are not zero", (unsigned)c);
	for (i = 0; i < n; i++)
		has_null = has_null || (bits[i >> 3] >> (i & 7) & 1) == 0;
	if (rows != NULL && has_null && !rows->has_null[c]) {
		memset(rows->present[c], 0xff, (rows->n + 7) / 8);      /* the rows before have values */
		rows->has_null[c] = true;
	}
	for (i = 0; i < n; i++) {
		bool present = (bits[i >> 3] >> (i & 7) & 1) != 0;
		uint64_t value = 0;

		if (!take_value(r, type, &value) || (!present && value != 0))
			return otr__fail(err, OTR_E_CORRUPT, "4.4", "column %u of a row block: the value of row %zu is out of range, or not zero under a null",
			    (unsigned)c, i);
		if (rows != NULL) {
			rows->value[c][rows->n + i] = value;
			if (rows->has_null[c])
				set_present(rows, c, rows->n + i, present);
		}
	}
	if (!otr__take_zero(r, otr__pad8(n * width_of(type)) - n * width_of(type)))
		return otr__fail(err, OTR_E_CORRUPT, "4.4", "column %u of a row block: padding is not zero", (unsigned)c);
	return OTR_OK;
}

/* rows may be NULL: the block is checked only. */
enum otr_status
otr__block_get(struct otr__reader *r, const struct otr_schema *schema, struct otr__rows *rows, uint32_t *n, struct otr_error *err)
{
	struct otr__reader after = *r, at;
	const uint8_t *block;
	size_t bytes;
	uint32_t count, c, i;
	enum otr_status status = otr__block_take(&after, schema, &block, &bytes, &count, err);

	if (status != OTR_OK)
		return status;
	at = otr__reader_of(block + 8, bytes - 8);
	if (rows != NULL && !otr__rows_reserve(rows, rows->n + count))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	for (i = 0; i < count; i++) {
		uint64_t time = 0;

		if (!otr__take64(&at, &time) || !otr__is_time(otr__i64(time)))
			return otr__fail(err, OTR_E_CORRUPT, "4.4", "row %u of a row block has a reserved time", (unsigned)i);
		if (rows != NULL)
			rows->time_ns[rows->n + i] = otr__i64(time);
	}
	for (c = 0; c < schema->columns; c++) {
		status = get_column(&at, schema->column[c].type, c, count, rows, err);
		if (status != OTR_OK)
			return status;
	}
	if (rows != NULL) {
		rows->n += count;
		rows->decoded = UINT64_MAX >> (64 - schema->columns);
	}
	*n = count;
	*r = after;
	return OTR_OK;
}

/* ---- records ------------------------------------------------------------------------------------------------------------- */

size_t
otr__record_size(const struct otr__record *record)
{
	return RECORD_FIXED + otr__pad8((size_t)record->author_bytes + record->message_bytes) + (record->has_kept ? OTR__KEPT_BYTES : 0) +
	    record->block_bytes;
}

void
otr__record_put(struct otr__put *w, const struct otr__record *record)
{
	size_t size = otr__record_size(record), text = (size_t)record->author_bytes + record->message_bytes;

	if (size > UINT16_MAX || record->author_bytes > OTR_MAX_AUTHOR || record->message_bytes > OTR_MAX_MESSAGE) {
		w->failed = true;
		return;
	}
	otr__add16(w, (uint16_t)size);
	otr__add8(w, (uint8_t)record->kind);
	otr__add8(w, (uint8_t)((record->block_bytes > 0 ? FLAG_ROWS : 0) | (record->has_kept ? FLAG_KEPT : 0)));
	otr__add8(w, record->time_digits);
	otr__add8(w, (uint8_t)record->author_bytes);
	otr__add16(w, record->message_bytes);
	otr__add64(w, record->version);
	otr__add64(w, (uint64_t)record->commit_ns);
	otr__add64(w, record->rows_ever);
	otr__add64(w, record->rows);
	otr__add64(w, record->added);
	otr__add64(w, record->removed);
	otr__add_bytes(w, record->author, record->author_bytes);
	otr__add_bytes(w, record->message, record->message_bytes);
	otr__add_zero(w, otr__pad8(text) - text);
	if (record->has_kept) {
		otr__ref_put(w, &record->kept.root);
		otr__add64(w, record->kept.base_row);
		otr__add64(w, record->kept.tree_rows);
	}
	otr__add_bytes(w, record->block, record->block_bytes);
}

enum otr_status
otr__record_check(const struct otr__record *record, struct otr_error *err)
{
	const struct otr__kept *kept = &record->kept;
	unsigned long long version = record->version;

	if (record->version > INT64_MAX)
		return otr__fail(err, OTR_E_CORRUPT, "2.5", "a record of version %llu, above 2^63 - 1", version);
	if ((unsigned)record->kind > OTR_KIND_COMPACT)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu is of kind %u, expected 0 to 6", version, (unsigned)record->kind);
	if (!otr__digits_ok(record->time_digits))
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu: time_digits is %u, expected 0, 3, 6 or 9", version,
		    (unsigned)record->time_digits);
	if (!otr__is_time(record->commit_ns))
		return otr__fail(err, OTR_E_CORRUPT, "2.3", "record %llu: commit_ns is reserved", version);
	if (record->rows_ever > OTR__ROWS_MAX || record->rows > record->rows_ever)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu: %llu rows, of %llu ever", version, (unsigned long long)record->rows,
		    (unsigned long long)record->rows_ever);
	if (record->added > OTR__ROWS_MAX || record->removed > OTR__ROWS_MAX)
		return otr__fail(err, OTR_E_CORRUPT, "2.5", "record %llu: added or removed is above 2^63 - 1", version);
	if (!record->has_kept)
		return OTR_OK;
	if (record->kind != OTR_KIND_MERGE && record->kind != OTR_KIND_DELETE && record->kind != OTR_KIND_ROLLBACK && record->kind != OTR_KIND_COMPACT)
		return otr__fail(err, OTR_E_CORRUPT, "8.2", "record %llu keeps a root, and is of kind %u", version, (unsigned)record->kind);
	if (kept->root.page == 0 || kept->root.generation > record->version)
		return otr__fail(err, OTR_E_CORRUPT, "8.2", "record %llu keeps page %llu of generation %llu as a root", version,
		    (unsigned long long)kept->root.page, (unsigned long long)kept->root.generation);
	if (kept->tree_rows == 0 || kept->tree_rows > OTR__ROWS_MAX || kept->base_row > OTR__ROWS_MAX - kept->tree_rows)
		return otr__fail(err, OTR_E_CORRUPT, "8.2", "record %llu keeps a root of %llu rows from row %llu", version,
		    (unsigned long long)kept->tree_rows, (unsigned long long)kept->base_row);
	return OTR_OK;
}

/* The 56 bytes and the strings. */
static enum otr_status
get_fixed(struct otr__reader *r, struct otr__record *record, uint8_t *flags, struct otr_error *err)
{
	uint8_t kind = 0, author_bytes = 0;
	uint64_t commit_ns = 0;
	size_t text;

	if (!otr__take8(r, &kind) || !otr__take8(r, flags) || !otr__take8(r, &record->time_digits) || !otr__take8(r, &author_bytes) ||
	    !otr__take16(r, &record->message_bytes) || !otr__take64(r, &record->version) || !otr__take64(r, &commit_ns) ||
	    !otr__take64(r, &record->rows_ever) || !otr__take64(r, &record->rows) || !otr__take64(r, &record->added) ||
	    !otr__take64(r, &record->removed))
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "a record is shorter than %u bytes", RECORD_FIXED);
	if (kind > OTR_KIND_COMPACT)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu is of kind %u, expected 0 to 6", (unsigned long long)record->version, kind);
	record->kind = (enum otr_kind)kind;
	record->commit_ns = otr__i64(commit_ns);
	record->author_bytes = author_bytes;
	if (*flags > FLAG_KEPT)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu: flags are %u, expected 0, 1 or 2", (unsigned long long)record->version, *flags);
	if (record->message_bytes > OTR_MAX_MESSAGE)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu: message of %u bytes, at most %d", (unsigned long long)record->version,
		    record->message_bytes, OTR_MAX_MESSAGE);
	text = (size_t)record->author_bytes + record->message_bytes;
	if (!otr__take_bytes(r, record->author_bytes, &record->author) || !otr__take_bytes(r, record->message_bytes, &record->message) ||
	    !otr__take_zero(r, otr__pad8(text) - text))
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu: its strings of %zu bytes do not fit, or the padding is not zero",
		    (unsigned long long)record->version, text);
	if (!otr__text_ok(record->author, record->author_bytes, OTR__TEXT_PLAIN) ||
	    !otr__text_ok(record->message, record->message_bytes, OTR__TEXT_LINES))
		return otr__fail(err, OTR_E_CORRUPT, "2.5", "record %llu: author or message is no UTF-8 or has a control character",
		    (unsigned long long)record->version);
	return OTR_OK;
}

enum otr_status
otr__record_get(struct otr__reader *r, const struct otr_schema *schema, struct otr__record *record, struct otr_error *err)
{
	struct otr__reader after = *r, at;
	struct otr__record got = { .version = 0 };
	enum otr_status status;
	uint16_t size = 0;
	uint8_t flags = 0;

	if (after.left < RECORD_FIXED)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "%zu bytes are left for a record, expected at least %u", after.left, RECORD_FIXED);
	size = otr__get16(after.at);
	if (size % 8 != 0 || size < RECORD_FIXED || !otr__take_part(&after, size, &at))
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record_bytes is %u, with %zu bytes left", size, after.left);
	(void)otr__take16(&at, &size);
	status = get_fixed(&at, &got, &flags, err);
	if (status != OTR_OK)
		return status;
	if (flags == FLAG_KEPT) {
		got.has_kept = true;
		if (!otr__ref_get(&at, &got.kept.root) || !otr__take64(&at, &got.kept.base_row) || !otr__take64(&at, &got.kept.tree_rows))
			return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu: its kept root does not fit or is no reference",
			    (unsigned long long)got.version);
	} else if (flags == FLAG_ROWS) {
		status = otr__block_take(&at, schema, &got.block, &got.block_bytes, &got.row_count, err);
		if (status != OTR_OK)
			return status;
	}
	if (at.left != 0)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "record %llu: %zu bytes are left over", (unsigned long long)got.version, at.left);
	status = otr__record_check(&got, err);
	if (status != OTR_OK)
		return status;
	*record = got;
	*r = after;
	return OTR_OK;
}
