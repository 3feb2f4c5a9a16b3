/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cursor_rows.c - walking the rows of one version (otr_cursor_* of otr.h): leaf by leaf, then the riding rows, or the other way round.
 *
 * A cursor holds its snapshot and the absolute numbers (SPEC 8.3) of the rows that are still to be given: [from, to).  So when a page turns out to
 * be reused by a writer (SPEC 10.4-5), it goes on in the newer state at the same row.  A batch is lent out of the decoded leaf without copying;
 * only presence bits that begin within a byte are shifted, and backwards all arrays are reversed in place.
 *
 * Memory: one decoded leaf, a path of inner pages, presence bits of a leaf if they must be shifted.
 */
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "intmath.h"
#include "walk.h"

/* A read that fails for reuse is begun anew; so often without a row between that a writer keeps overtaking. */
#define RECOVERIES_MAX 100

struct otr_cursor {
	struct otr *file;
	struct otr__snapshot *snapshot;
	struct otr__walk walk;
	uint64_t columns;
	bool reverse;
	bool sought;                       /* from and to are set */
	uint64_t from, to;                 /* row numbers still to be given */
	uint64_t leaves;                   /* that were given of this state: no more than it has pages (SPEC 5.3-6) */
	struct otr__rows rows;             /* the leaf that was lent last */
	size_t bits_capacity;              /* bytes a column of bits */
	uint8_t *bits;                     /* shifted or reversed presence bits, column after column; NULL: not needed yet */
	struct otr_error failure;          /* status OTR_OK: none yet */
};

/* Row number of the first row with time >= time_ns. */
static enum otr_status
row_of(struct otr_cursor *c, int64_t time_ns, uint64_t *row, struct otr_error *err)
{
	struct otr__snapshot *s = c->snapshot;
	uint64_t position = 0;
	enum otr_status status = OTR_OK;

	if (time_ns == INT64_MAX)
		position = s->tree.rows;
	else if (time_ns > OTR_TIME_MIN)
		status = otr__tree_seek(&s->tree, time_ns, &c->rows, &position, err);
	if (status != OTR_OK)
		return status;
	if (position == s->tree.rows)
		position += time_ns == INT64_MAX ? s->ride.n : otr__lower_bound(s->ride.time_ns, s->ride.n, time_ns);
	*row = s->base_row + position;
	return OTR_OK;
}

/* The horizon moved: rows that are still to be given must not be among those that went. */
static enum otr_status
check_expiry(struct otr_cursor *c, struct otr_error *err)
{
	uint64_t first;
	enum otr_status status = c->sought ? row_of(c, c->snapshot->horizon_ns, &first, err) : OTR_OK;

	if (status == OTR_OK && c->sought && c->from < first)
		return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: row %llu of version %llu is no longer kept", (unsigned long long)c->from,
		    (unsigned long long)c->snapshot->version);
	return status;
}

static enum otr_status
recover(struct otr_cursor *c, enum otr_status failure, struct otr_error *err)
{
	int64_t horizon_ns = c->snapshot->horizon_ns;
	int attempt;

	for (attempt = 0; ; attempt++) {
		enum otr_status status = otr__db_recover(c->file, &c->snapshot, failure, err);

		if (status != OTR_OK)
			return status;
		otr__walk_reset(&c->walk, &c->snapshot->tree);
		c->leaves = 0;
		/* looking may fail for reuse as well */
		failure = c->snapshot->horizon_ns > horizon_ns ? check_expiry(c, err) : OTR_OK;
		if (failure == OTR_OK || failure == OTR_E_EXPIRED || attempt == RECOVERIES_MAX)
			return failure;
	}
}

static enum otr_status
seek(struct otr_cursor *c, int64_t start_ns, int64_t end_ns, struct otr_error *err)
{
	int attempt;

	for (attempt = 0; ; attempt++) {
		int64_t horizon_ns = c->snapshot->horizon_ns;
		enum otr_status status = row_of(c, start_ns > horizon_ns ? start_ns : horizon_ns, &c->from, err);

		if (status == OTR_OK)
			status = row_of(c, end_ns > horizon_ns ? end_ns : horizon_ns, &c->to, err);
		if (status == OTR_OK || attempt == RECOVERIES_MAX)
			return status;
		status = recover(c, status, err);
		if (status != OTR_OK)
			return status;
	}
}

enum otr_status
otr_cursor_open(struct otr *file, int64_t start_ns, int64_t end_ns, uint64_t columns, bool reverse, struct otr_cursor **cursor,
    struct otr_error *err)
{
	uint32_t all = file->header.schema.columns;
	uint64_t unknown;
	struct otr_cursor *c;
	enum otr_status status;

	if (start_ns > end_ns)
		return otr__fail(err, OTR_E_ARG, "", "the range starts after its end");
	columns &= UINT64_MAX >> (64 - all);
	unknown = columns & file->header.unsupported_columns;
	if (unknown != 0)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.4", "column %s has a type that this program does not know",
		    file->header.schema.column[otr__trailing_zeros(unknown)].name);
	c = calloc(1, sizeof *c);
	if (c == NULL || !otr__rows_init(&c->rows, all, 16)) {
		free(c);
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	c->file = file;
	c->snapshot = otr__snapshot_hold(file->snapshot);
	c->columns = columns;
	c->reverse = reverse;
	otr__walk_init(&c->walk, &c->snapshot->tree);
	status = seek(c, start_ns, end_ns, err);
	if (status != OTR_OK) {
		otr_cursor_close(c);
		return status;
	}
	c->sought = true;
	*cursor = c;
	return OTR_OK;
}

void
otr_cursor_close(struct otr_cursor *cursor)
{
	if (cursor == NULL)
		return;
	otr__walk_release(&cursor->walk);
	otr__rows_release(&cursor->rows);
	otr__snapshot_drop(cursor->snapshot);
	free(cursor->bits);
	free(cursor);
}

/* Room for the presence bits of n rows of each column. */
static bool
reserve_bits(struct otr_cursor *c, size_t n)
{
	size_t bytes = (n + 7) / 8;

	if (c->bits == NULL || c->bits_capacity < bytes) {
		uint8_t *bits = malloc(bytes * c->rows.columns);

		if (bits == NULL)
			return false;
		free(c->bits);
		c->bits = bits;
		c->bits_capacity = bytes;
	}
	return true;
}

/* n bits of src from bit `from`, put at bit 0 of dst; spare bits zero. */
static void
shift_bits(uint8_t *dst, const uint8_t *src, size_t from, size_t n)
{
	unsigned by = (unsigned)(from & 7);
	size_t i, bytes = (n + 7) / 8, last = (from + n - 1) / 8;

	src += from / 8;
	last -= from / 8;
	for (i = 0; i < bytes; i++) {
		unsigned high = i < last ? src[i + 1] : 0;

		dst[i] = (uint8_t)((src[i] | high << 8) >> by);
	}
	if ((n & 7) != 0)
		dst[bytes - 1] = (uint8_t)(dst[bytes - 1] & ((1u << (n & 7)) - 1));
}

/* The same, last bit first. */
static void
reverse_bits(uint8_t *dst, const uint8_t *src, size_t from, size_t n)
{
	size_t i;

	memset(dst, 0, (n + 7) / 8);
	for (i = 0; i < n; i++) {
		size_t k = from + n - 1 - i;

		dst[i >> 3] = (uint8_t)(dst[i >> 3] | (src[k >> 3] >> (k & 7) & 1) << (i & 7));
	}
}

static void
reverse_words(uint64_t *word, size_t n)
{
	size_t i;

	for (i = 0; i < n / 2; i++) {
		uint64_t w = word[i];

		word[i] = word[n - 1 - i];
		word[n - 1 - i] = w;
	}
}

static void
reverse_times(int64_t *time_ns, size_t n)
{
	size_t i;

	for (i = 0; i < n / 2; i++) {
		int64_t t = time_ns[i];

		time_ns[i] = time_ns[n - 1 - i];
		time_ns[n - 1 - i] = t;
	}
}

/* Lends rows [from, to) of rows; backwards, rows are the cursor's own and are reversed in place. */
static enum otr_status
lend(struct otr_cursor *c, struct otr__rows *rows, size_t from, size_t to, struct otr_rows *out, struct otr_error *err)
{
	size_t n = to - from;
	uint32_t i;

	*out = (struct otr_rows){ .n = n, .time_ns = rows->time_ns + from };
	if (c->reverse)
		reverse_times(rows->time_ns + from, n);
	for (i = 0; i < rows->columns; i++) {
		if ((c->columns >> i & 1) == 0)
			continue;
		if (c->reverse)
			reverse_words(rows->value[i] + from, n);
		out->value[i] = rows->value[i] + from;
		if (!rows->has_null[i])
			continue;
		if (!c->reverse && (from & 7) == 0) {
			out->present[i] = rows->present[i] + from / 8;
			continue;
		}
		if (!reserve_bits(c, rows->capacity))
			return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
		if (c->reverse)
			reverse_bits(c->bits + i * c->bits_capacity, rows->present[i], from, n);
		else
			shift_bits(c->bits + i * c->bits_capacity, rows->present[i], from, n);
		out->present[i] = c->bits + i * c->bits_capacity;
	}
	return OTR_OK;
}

static enum otr_status
lend_riding(struct otr_cursor *c, struct otr_rows *out, struct otr_error *err)
{
	struct otr__snapshot *s = c->snapshot;
	uint64_t begin = s->base_row + s->tree.rows;
	size_t from = c->from > begin ? (size_t)(c->from - begin) : 0, to = (size_t)(c->to - begin);
	enum otr_status status;

	if (!c->reverse) {
		status = lend(c, &s->ride, from, to, out, err);
		if (status == OTR_OK)
			c->from = c->to;
		return status;
	}
	c->rows.n = 0;
	memset(c->rows.has_null, 0, sizeof c->rows.has_null);
	if (!otr__rows_reserve(&c->rows, to - from))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	otr__rows_append(&c->rows, &s->ride, from, to);
	status = lend(c, &c->rows, 0, to - from, out, err);
	if (status == OTR_OK)
		c->to = begin + from;
	return status;
}

static enum otr_status
lend_leaf(struct otr_cursor *c, uint64_t position, struct otr_rows *out, struct otr_error *err)
{
	struct otr__snapshot *s = c->snapshot;
	uint64_t first = c->from - s->base_row, end = c->to - s->base_row;
	struct otr__leaf_at at;
	size_t from, to;
	enum otr_status status = otr__walk_leaf(&c->walk, position, &at, err);

	if (status == OTR_OK)
		status = otr__walk_rows(&c->walk, &at, c->columns, &c->rows, err);
	if (status != OTR_OK)
		return status;
	if (end > s->tree.rows)
		end = s->tree.rows;
	from = first > at.position ? (size_t)(first - at.position) : 0;
	to = end - at.position < at.rows ? (size_t)(end - at.position) : (size_t)at.rows;
	/* the rows that ride come after the tree's last row, 4.6-2 */
	if (s->ride.n > 0 && s->tree.rows - at.position <= at.rows && c->rows.time_ns[s->tree.rows - 1 - at.position] > s->ride.time_ns[0])
		return otr__fail(err, OTR_E_CORRUPT, "4.6-2", "a row rides at %lld, the tree's last row is at %lld", (long long)s->ride.time_ns[0],
		    (long long)c->rows.time_ns[s->tree.rows - 1 - at.position]);
	status = lend(c, &c->rows, from, to, out, err);
	if (status != OTR_OK)
		return status;
	if (++c->leaves > c->file->state.slot.page_count)
		return otr__fail(err, OTR_E_CORRUPT, "5.3-6", "a tree of more pages than the file has");
	if (c->reverse)
		c->to = s->base_row + at.position + from;
	else
		c->from = s->base_row + at.position + to;
	return OTR_OK;
}

static enum otr_status
next(struct otr_cursor *c, struct otr_rows *rows, struct otr_error *err)
{
	struct otr__snapshot *s = c->snapshot;
	uint64_t row = c->reverse ? c->to - 1 : c->from;

	if (row < s->base_row || row - s->base_row >= s->tree.rows + s->ride.n)
		return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: row %llu of version %llu is no longer kept", (unsigned long long)row,
		    (unsigned long long)s->version);
	row -= s->base_row;
	return row >= s->tree.rows ? lend_riding(c, rows, err) : lend_leaf(c, row, rows, err);
}

enum otr_status
otr_cursor_next(struct otr_cursor *cursor, struct otr_rows *rows, struct otr_error *err)
{
	struct otr_cursor *c = cursor;
	struct otr_error failure = { .status = OTR_OK };
	enum otr_status status;
	int attempt;

	if (c->failure.status != OTR_OK) {
		if (err != NULL)
			*err = c->failure;
		return c->failure.status;
	}
	if (c->from >= c->to) {
		*rows = (struct otr_rows){ .n = 0 };
		return OTR_END;
	}
	for (attempt = 0; ; attempt++) {
		status = next(c, rows, &failure);
		if (status == OTR_OK)
			return OTR_OK;
		if (attempt == RECOVERIES_MAX)
			break;
		status = recover(c, status, &failure);
		if (status != OTR_OK)
			break;
	}
	c->failure = failure;
	if (err != NULL)
		*err = failure;
	return status;
}
