/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.c - rows into commits (otr_writer_*): gathers rows without the lock, puts them in order, applies the duplicate policy, and chooses
 * between the ways of commit.h and build.h:
 *
 *      small    the rows ride in the slot                    few rows, all after the tree's last
 *      large    appended to the tree, late rows merged        otherwise
 *      stream   a commit that outgrows the buffer             holds the lock, appends as rows come, keeps late ones aside until its end
 *
 * Rows that change nothing (a replayed feed) are dropped before any of that, so they make no version.
 */
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "retain.h"
#include "writer.h"

#define BUFFER_BYTES (8u << 20)          /* rows gathered without the lock; stated in otr.h */
#define SORT_BYTES ((size_t)256 << 20)

/* Rows, with the index that each had among those of the commit. */
struct indexed {
	struct otr__rows rows;
	uint64_t *index;
	size_t capacity;
};

struct otr_writer {
	struct otr__target target;
	struct otr_writer_options options;
	size_t buffer_rows;
	struct indexed batch;                /* as they came */
	uint64_t given;                      /* rows added since the last commit */
	struct indexed sorted;               /* of a batch: in order, policy applied */
	struct otr__rows found;              /* for looks into the tree */
	/* of the commit being made */
	uint64_t added, replaced, skipped, late;
	bool failed;
	/* a stream */
	bool streaming;
	bool settled;                        /* a row was found that changes something: the base is settled, the builder open */
	struct otr__commit commit;
	struct otr__builder *builder;
	struct otr__root base;               /* the tree before this commit, riding rows in it */
	bool any;                            /* builder_last is set */
	int64_t builder_last;
	struct indexed aside;                /* late rows, in order of arrival */
	int64_t aside_first, aside_last;
	int64_t newest_ns;                   /* of all rows that were given; INT64_MIN without any */
	int64_t first_ns, last_ns;           /* of all rows that were taken */
	bool taken;                          /* there are such; a commit that only makes room has none */
	uint8_t digits;
};

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

/* ---- indexed rows ------------------------------------------------------------------------------------------------------ */

static bool
indexed_init(struct indexed *x, uint32_t columns, size_t capacity)
{
	x->index = malloc(capacity * sizeof x->index[0]);
	x->capacity = capacity;
	return x->index != NULL && otr__rows_init(&x->rows, columns, capacity);
}

static void
indexed_release(struct indexed *x)
{
	free(x->index);
	otr__rows_release(&x->rows);
	x->index = NULL;
}

static bool
indexed_reserve(struct indexed *x, size_t capacity)
{
	if (capacity > x->capacity) {
		uint64_t *grown;

		if (capacity < 2 * x->capacity)
			capacity = 2 * x->capacity;
		grown = realloc(x->index, capacity * sizeof *grown);
		if (grown == NULL)
			return false;
		x->index = grown;
		x->capacity = capacity;
	}
	return otr__rows_reserve(&x->rows, capacity);
}

static void
clear(struct otr__rows *rows)
{
	rows->n = 0;
	memset(rows->has_null, 0, sizeof rows->has_null);
}

struct key {
	int64_t time_ns;
	size_t at;
};

/* Stable, bottom up: runs of 1, 2, 4, ... keys. */
static void
merge_sort(struct key *key, struct key *work, size_t n)
{
	size_t width;

	for (width = 1; width < n; width *= 2) {
		size_t lo;

		for (lo = 0; lo < n; lo += 2 * width) {
			size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
			size_t i = lo, j = mid, k = lo;

			while (i < mid && j < hi)
				work[k++] = key[j].time_ns < key[i].time_ns ? key[j++] : key[i++];
			while (i < mid)
				work[k++] = key[i++];
			while (j < hi)
				work[k++] = key[j++];
		}
		memcpy(key, work, n * sizeof *key);
	}
}

/* dst becomes the rows of src named by key[0..n), in that order. */
static bool
pick(struct indexed *dst, const struct indexed *src, const struct key *key, size_t n)
{
	uint32_t c;
	size_t i;

	clear(&dst->rows);
	if (!indexed_reserve(dst, n))
		return false;
	for (i = 0; i < n; i++) {
		dst->rows.time_ns[i] = src->rows.time_ns[key[i].at];
		dst->index[i] = src->index[key[i].at];
	}
	for (c = 0; c < src->rows.columns; c++) {
		const uint64_t *from = src->rows.value[c];
		uint64_t *to = dst->rows.value[c];

		for (i = 0; i < n; i++)
			to[i] = from[key[i].at];
		if (!src->rows.has_null[c])
			continue;
		dst->rows.has_null[c] = true;
		memset(dst->rows.present[c], 0, (dst->rows.capacity + 7) / 8);
		for (i = 0; i < n; i++)
			if (otr__row_present(&src->rows, c, key[i].at))
				dst->rows.present[c][i >> 3] = (uint8_t)(dst->rows.present[c][i >> 3] | 1u << (i & 7));
	}
	dst->rows.n = n;
	dst->rows.decoded = UINT64_MAX;
	return true;
}

/* x becomes its rows named by key[0..n), in that order. */
static enum otr_status
keep_only(struct indexed *x, const struct key *key, size_t n, struct otr_error *err)
{
	struct indexed left = { .capacity = 0 };

	if (!indexed_init(&left, x->rows.columns, n + 1) || !pick(&left, x, key, n)) {
		indexed_release(&left);
		return no_memory(err);
	}
	indexed_release(x);
	*x = left;
	return OTR_OK;
}

static enum otr_status
duplicate(uint64_t index, int64_t time_ns, struct otr_error *err)
{
	enum otr_status status = otr__fail(err, OTR_E_DUPLICATE, "4.6-1", "a second row of one time");

	if (err != NULL) {
		err->row = (int64_t)index;
		err->time_ns = time_ns;
	}
	return status;
}

static bool
ascends(const int64_t *time_ns, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		if (time_ns[i] <= time_ns[i - 1])
			return false;
	return true;
}

/* dst: src in order of time, and but for keep one row a time: what SPEC 4.6-1 leaves of them.  src may be exchanged with dst's memory. */
static enum otr_status
put_in_order(struct otr_writer *w, struct indexed *src, struct indexed *dst, enum otr_duplicates policy, struct otr_error *err)
{
	size_t n = src->rows.n, i, kept = 0;
	struct key *key, *work;
	enum otr_status status = OTR_OK;
	bool sorted = true;

	if (ascends(src->rows.time_ns, n)) {
		struct indexed t = *dst;

		*dst = *src;
		*src = t;
		clear(&src->rows);
		return OTR_OK;
	}
	key = malloc(2 * n * sizeof *key);
	if (key == NULL)
		return no_memory(err);
	work = key + n;
	for (i = 0; i < n; i++) {
		key[i] = (struct key){ .time_ns = src->rows.time_ns[i], .at = i };
		sorted = sorted && (i == 0 || key[i].time_ns >= key[i - 1].time_ns);
	}
	if (!sorted)
		merge_sort(key, work, n);
	for (i = 0; i < n && status == OTR_OK; i++) {
		if (policy == OTR_KEEP || kept == 0 || key[kept - 1].time_ns != key[i].time_ns) {
			key[kept++] = key[i];
		} else if (policy == OTR_ERROR) {
			status = duplicate(src->index[key[i].at], key[i].time_ns, err);
		} else if (policy == OTR_FIRST || otr__rows_equal(&src->rows, key[kept - 1].at, &src->rows, key[i].at)) {
			w->skipped++;
		} else {
			key[kept - 1] = key[i];
			w->replaced++;
		}
	}
	if (status == OTR_OK && !pick(dst, src, key, kept))
		status = no_memory(err);
	free(key);
	return status;
}

/* ---- looks into the tree ------------------------------------------------------------------------------------------------ */

/*
 * Drops rows [0, n) of x that change nothing in the tree `root`: under `first`, of a time that it has; under `replace`, equal to its row of that time.
 * Under `error` a row of a time that it has is an error.  *n becomes what is left of them; the rows behind move down.
 */
static enum otr_status
drop_known(struct otr_writer *w, const struct otr__root *root, struct indexed *x, size_t *n, enum otr_duplicates policy, struct otr_error *err)
{
	const struct otr_schema *schema = &w->target.header.schema;
	struct otr__tree tree;
	struct otr__leaf_at at;
	struct otr__rows *leaf = &w->found;
	struct key *key;
	size_t i, kept = 0, total = x->rows.n;
	bool have = false;
	enum otr_status status;

	if (policy == OTR_KEEP || *n == 0 || root->ref.page == 0)
		return OTR_OK;
	key = malloc(total * sizeof *key);
	if (key == NULL)
		return no_memory(err);
	status = otr__tree_open(&tree, &w->target.store, schema, w->target.scratch, &root->ref, root->rows, root->rows, err);
	for (i = 0; i < *n && status == OTR_OK; i++) {
		int64_t t = x->rows.time_ns[i];
		size_t at_row, equal;
		bool known = false;

		if (!have || t > leaf->time_ns[leaf->n - 1]) {
			status = otr__tree_leaf_of(&tree, t, &at, err);
			if (status == OTR_OK)
				status = otr__tree_leaf_rows(&tree, &at, UINT64_MAX, leaf, err);
			have = status == OTR_OK;
		}
		if (status == OTR_OK) {
			at_row = otr__lower_bound(leaf->time_ns, leaf->n, t);
			for (equal = at_row; equal < leaf->n && leaf->time_ns[equal] == t; equal++)
				;
			if (equal > at_row && policy == OTR_ERROR)
				status = duplicate(x->index[i], t, err);
			known = equal > at_row && policy == OTR_FIRST;
			/* several rows of the time (of an older policy) are replaced by one; those at a leaf's end may go on in the next */
			if (equal == at_row + 1 && policy == OTR_REPLACE && otr__rows_equal(leaf, at_row, &x->rows, i)) {
				known = equal < leaf->n || at.position + at.rows == root->rows;
				if (!known) {
					struct otr__leaf_at next;

					status = otr__tree_leaf_at(&tree, at.position + at.rows, &next, err);
					known = status == OTR_OK && next.first_ns != t;
				}
			}
		} else if (status == OTR_END) {
			status = OTR_OK;
		}
		if (known)
			w->skipped++;
		else
			key[kept++] = (struct key){ .time_ns = t, .at = i };
	}
	if (status == OTR_OK && kept < *n) {
		size_t k = kept;

		for (i = *n; i < total; i++)
			key[k++] = (struct key){ .time_ns = x->rows.time_ns[i], .at = i };
		status = keep_only(x, key, k, err);
		if (status == OTR_OK)
			*n = kept;
	}
	free(key);
	return status;
}

/* Number of leading rows that do not come after `last_ns`: late ones. */
static size_t
late_rows(const struct otr__rows *rows, bool any, int64_t last_ns, enum otr_duplicates policy)
{
	if (!any)
		return 0;
	if (policy == OTR_KEEP)
		return otr__lower_bound(rows->time_ns, rows->n, last_ns);
	return last_ns == INT64_MAX ? rows->n : otr__lower_bound(rows->time_ns, rows->n, last_ns + 1);
}

/* ---- what the commit says of its rows ----------------------------------------------------------------------------------- */

static uint8_t
digits_of(const int64_t *time_ns, size_t n, uint8_t digits)
{
	size_t i;

	for (i = 0; i < n && digits < 9; i++) {
		int64_t t = time_ns[i];

		if (t % 1000 != 0)
			digits = 9;
		else if (digits < 6 && t % 1000000 != 0)
			digits = 6;
		else if (digits < 3 && t % 1000000000 != 0)
			digits = 3;
	}
	return digits;
}

static void
note_rows(struct otr_writer *w, const struct otr__rows *rows, size_t from, size_t to)
{
	if (from >= to)
		return;
	if (!w->taken || rows->time_ns[from] < w->first_ns)
		w->first_ns = rows->time_ns[from];
	if (!w->taken || rows->time_ns[to - 1] > w->last_ns)
		w->last_ns = rows->time_ns[to - 1];
	w->taken = true;
	w->digits = digits_of(rows->time_ns + from, to - from, w->digits);
}

static struct otr__who
who_of(const struct otr_writer *w)
{
	return (struct otr__who){ .author = w->options.author, .message = w->options.message };
}

static struct otr__record
record_of(const struct otr_writer *w, enum otr_kind kind)
{
	struct otr__who who = who_of(w);

	return otr__who_record(&who, kind);
}

/* Sets the counts and times of the slot: `more` rows than before, those noted among them. */
static void
fill_slot(struct otr_writer *w, struct otr__commit *k, uint64_t added, uint64_t removed)
{
	struct otr__slot *slot = &k->slot;

	if (w->taken && (slot->rows == 0 || w->first_ns < slot->first_ns))
		slot->first_ns = w->first_ns;
	if (w->taken && (slot->rows == 0 || w->last_ns > slot->last_ns))
		slot->last_ns = w->last_ns;
	slot->rows += added - removed;
	slot->rows_ever += added - removed;
	if (w->digits > slot->time_digits)
		slot->time_digits = w->digits;
}

static void
note_newest(struct otr_writer *w, const struct otr__rows *sorted)
{
	if (sorted->n > 0 && sorted->time_ns[sorted->n - 1] > w->newest_ns)
		w->newest_ns = sorted->time_ns[sorted->n - 1];
}

/* Time of the newest row that the series will have. */
static int64_t
newest_of(const struct otr_writer *w, const struct otr__commit *k)
{
	return k->slot.rows > 0 && k->slot.last_ns > w->newest_ns ? k->slot.last_ns : w->newest_ns;
}

static void
reset_counts(struct otr_writer *w)
{
	w->given = 0;
	w->added = w->replaced = w->skipped = w->late = 0;
	w->newest_ns = INT64_MIN;
	w->taken = false;
	w->digits = 0;
}

static void
fill_result(struct otr_writer *w, bool committed, struct otr_commit_result *result)
{
	*result = (struct otr_commit_result){ .version = w->target.state.slot.version, .committed = committed, .added = w->added, .replaced = w->replaced,
		.skipped = w->skipped, .late = w->late };
}

static size_t
record_bytes(const struct otr_writer *w, size_t rows)
{
	struct otr__record record = record_of(w, OTR_KIND_APPEND);

	return otr__record_size(&record) + (rows > 0 ? otr__block_size(&w->target.header.schema, rows) : 0);
}

/* Lets go what the policies want gone (retain.h), before as many pages are written as `rows` take, and those of a spill.  w->sorted has rows of the commit. */
static enum otr_status
make_room(struct otr_writer *w, struct otr__commit *k, uint64_t rows, struct otr_error *err)
{
	const struct otr__rows *sorted = &w->sorted.rows;
	int64_t last_ns = k->slot.rows > 0 ? k->slot.last_ns : INT64_MIN;
	uint64_t pages, piece;
	enum otr_status status = otr__retain_pages(k, rows, &pages, err);

	if (status == OTR_OK)
		status = otr__retain_limit(k, &piece, err);
	if (sorted->n > 0 && sorted->time_ns[sorted->n - 1] > last_ns)
		last_ns = sorted->time_ns[sorted->n - 1];
	/* of a commit that merges, and of a stream, it is only known that it is a piece at the most */
	if (status == OTR_OK)
		status = otr__retain(k, newest_of(w, k), last_ns, pages < piece ? pages : piece, err);
	if (status == OTR_OK && k->crowded)
		return otr__fail(err, OTR_E_LIMIT, "9.4", "no room for more rows: those of the newest time go together, and only when a later row comes");
	return status;
}

/* The tree before this commit, with what rides in it: k->root and w->base. */
static enum otr_status
settle_base(struct otr_writer *w, struct otr__commit *k, struct otr_error *err)
{
	enum otr_status status = make_room(w, k, UINT32_MAX, err);

	if (status == OTR_OK)
		status = otr__commit_settle(k, record_bytes(w, 0), err);
	w->base = k->root;
	return status;
}

/* ---- small -------------------------------------------------------------------------------------------------------------- */

/* Drops rows of w->sorted that change nothing among those that ride.  *in_order: each of the rest comes after all before it. */
static enum otr_status
join_riding(struct otr_writer *w, struct otr__commit *k, bool *in_order, uint64_t *replaced, struct otr_error *err)
{
	struct otr__rows joined;
	struct indexed *x = &w->sorted;
	enum otr_duplicates policy = k->slot.policies.duplicates;
	struct key *key;
	size_t i, kept = 0;
	enum otr_status status = OTR_OK;

	*in_order = true;
	*replaced = 0;
	if (k->ride.n == 0 || x->rows.n == 0 || x->rows.time_ns[0] > k->ride.time_ns[k->ride.n - 1])
		return OTR_OK;
	key = malloc(x->rows.n * sizeof *key);
	if (key == NULL || !otr__rows_init(&joined, k->ride.columns, k->ride.n + x->rows.n)) {
		free(key);
		return no_memory(err);
	}
	otr__rows_append(&joined, &k->ride, 0, k->ride.n);
	for (i = 0; i < x->rows.n && status == OTR_OK; i++) {
		bool last;

		if (policy == OTR_ERROR) {
			size_t at = otr__lower_bound(joined.time_ns, joined.n, x->rows.time_ns[i]);

			if (at < joined.n && joined.time_ns[at] == x->rows.time_ns[i])
				status = duplicate(x->index[i], x->rows.time_ns[i], err);
		}
		switch (status == OTR_OK ? otr__ride_join(&joined, &x->rows, i, policy, &last) : OTR__JOINED_SKIPPED) {
		case OTR__JOINED_SKIPPED:
			w->skipped++;
			continue;
		case OTR__JOINED_REPLACED:
			++*replaced;
			*in_order = false;
			break;
		case OTR__JOINED_ADDED:
			*in_order = *in_order && last;
			break;
		}
		key[kept++] = (struct key){ .time_ns = x->rows.time_ns[i], .at = i };
	}
	if (status == OTR_OK && kept < x->rows.n)
		status = keep_only(x, key, kept, err);
	otr__rows_release(&joined);
	free(key);
	return status;
}

static enum otr_status
commit_small(struct otr_writer *w, struct otr__commit *k, bool in_order, uint64_t replaced, struct otr_error *err)
{
	const struct otr__rows *rows = &w->sorted.rows;
	struct otr__record record = record_of(w, in_order ? OTR_KIND_APPEND : OTR_KIND_MERGE);
	enum otr_status status = OTR_OK;

	if (!otr__commit_has_room(k, record_bytes(w, rows->n))) {
		status = make_room(w, k, 0, err);
		if (status == OTR_OK)
			status = otr__commit_spill(k, false, rows->time_ns[0], err);
	}
	if (status != OTR_OK)
		return status;
	note_rows(w, rows, 0, rows->n);
	w->added += rows->n - replaced;
	w->replaced += replaced;
	record.added = rows->n;
	record.removed = replaced;
	fill_slot(w, k, rows->n, replaced);
	return otr__commit_finish(k, &record, rows, rows->n, err);
}

/* ---- large -------------------------------------------------------------------------------------------------------------- */

/* Merges the late rows of x into k->root. */
static enum otr_status
merge_late(struct otr_writer *w, struct otr__commit *k, const struct indexed *x, struct otr__merge_counts *counts, struct otr_error *err)
{
	size_t offender = 0;
	enum otr_status status = otr__merge_rows(&k->space, &w->target.header.schema, w->target.scratch, &k->root,
	    k->slot.horizon_ns, &x->rows, k->slot.policies.duplicates, counts, &offender, err);

	if (status == OTR_E_DUPLICATE)
		return duplicate(x->index[offender], x->rows.time_ns[offender], err);
	return status;
}

/* The slot and record of a commit whose rows are all in k->root. */
static enum otr_status
finish_large(struct otr_writer *w, struct otr__commit *k, uint64_t added, uint64_t removed, bool rewrite, bool plain, struct otr_error *err)
{
	struct otr__record record = record_of(w, plain ? OTR_KIND_APPEND : OTR_KIND_MERGE);
	enum otr_status status;

	record.added = added;
	record.removed = removed;
	if (rewrite)
		otr__commit_keep(k, &w->base, &record);
	fill_slot(w, k, added, removed);
	/* a stream's newest row is known only now */
	status = otr__retain(k, newest_of(w, k), INT64_MIN, 0, err);
	return status == OTR_OK ? otr__commit_finish(k, &record, NULL, 0, err) : status;
}

static enum otr_status
append_rows(struct otr_writer *w, struct otr__commit *k, const struct otr__rows *rows, size_t from, size_t to, struct otr_error *err)
{
	struct otr__builder *b = NULL;
	enum otr_status status;

	if (from >= to)
		return OTR_OK;
	status = otr__builder_create(&k->space, &w->target.header.schema, w->target.scratch, &k->root, &b, err);
	if (status == OTR_OK)
		status = otr__builder_append(b, rows, from, to, err);
	if (status == OTR_OK)
		status = otr__builder_finish(b, &k->root, err);
	otr__builder_free(b);
	return status;
}

/* Rows before the horizon do not exist (SPEC 8.5). */
static void
drop_expired(struct otr_writer *w, int64_t horizon_ns, struct indexed *x)
{
	size_t n = otr__lower_bound(x->rows.time_ns, x->rows.n, horizon_ns), i;

	if (n == 0)
		return;
	w->skipped += n;
	for (i = n; i < x->rows.n; i++) {
		x->index[i - n] = x->index[i];
		otr__rows_set(&x->rows, i - n, &x->rows, i);
	}
	x->rows.n -= n;
}

/* w->sorted into the tree.  *committed: whether anything changed. */
static enum otr_status
commit_large(struct otr_writer *w, struct otr__commit *k, bool *committed, struct otr_error *err)
{
	struct indexed *x = &w->sorted, late = { .capacity = 0 };
	struct otr__merge_counts counts = { .added = 0 };
	int64_t horizon_ns = k->slot.horizon_ns;
	bool made_room;
	uint64_t before;
	size_t n, i;
	enum otr_status status = settle_base(w, k, err);

	*committed = false;
	if (status != OTR_OK)
		return status;
	/* room may have been made by letting rows go that are as old as these: that is a commit, even if none of these is left to be written */
	made_room = k->slot.horizon_ns > horizon_ns;
	drop_expired(w, k->slot.horizon_ns, x);
	if (x->rows.n == 0 && !made_room)
		return OTR_OK;
	before = k->root.rows;
	n = late_rows(&x->rows, before > 0, k->root.last_ns, k->slot.policies.duplicates);
	note_rows(w, &x->rows, n, x->rows.n);
	status = append_rows(w, k, &x->rows, n, x->rows.n, err);
	if (status == OTR_OK && n > 0) {
		struct key *key = malloc(n * sizeof *key);

		if (key == NULL || !indexed_init(&late, x->rows.columns, n)) {
			status = no_memory(err);
		} else {
			for (i = 0; i < n; i++)
				key[i] = (struct key){ .time_ns = x->rows.time_ns[i], .at = i };
			if (!pick(&late, x, key, n))
				status = no_memory(err);
		}
		free(key);
		if (status == OTR_OK)
			status = merge_late(w, k, &late, &counts, err);
		if (status == OTR_OK && counts.changed)
			note_rows(w, &late.rows, 0, n);
		indexed_release(&late);
	}
	if (status != OTR_OK)
		return status;
	w->skipped += counts.skipped;
	w->replaced += counts.replaced;
	w->added += counts.added + (x->rows.n - n);
	w->late += counts.added + counts.replaced;
	if (x->rows.n == n && !counts.changed && !made_room)
		return OTR_OK;                   /* junk pages beyond the state, which nobody reaches */
	*committed = true;
	return finish_large(w, k, counts.added + counts.replaced + (x->rows.n - n), before + counts.added + counts.replaced + (x->rows.n - n) -
	    k->root.rows, counts.changed, !counts.changed, err);
}

/* ---- one commit of a buffer --------------------------------------------------------------------------------------------- */

static struct otr__patience
patience_of(const struct otr_writer *w)
{
	return (struct otr__patience){ .wait_ns = w->options.wait_ns, .waiting = w->options.waiting, .arg = w->options.arg };
}

/*
 * Drops the rows of w->sorted that change nothing, in the tree or among the riding rows.  *late: how many of the rest are not after the tree's last row;
 * *in_order, *replaced (may be NULL): as join_riding says.
 */
static enum otr_status
drop_unchanging(struct otr_writer *w, struct otr__commit *k, size_t *late, bool *in_order, uint64_t *replaced, struct otr_error *err)
{
	struct otr__target *t = &w->target;
	enum otr_duplicates policy = k->slot.policies.duplicates;
	struct otr__root root = k->root;
	bool order;
	uint64_t exchanged;
	enum otr_status status = OTR_OK;

	*late = 0;
	if (w->sorted.rows.n == 0)
		return OTR_OK;
	/* the tree is looked at only if a row may concern it */
	if (root.rows > 0 && w->sorted.rows.time_ns[0] <= t->state.slot.last_ns) {
		status = otr__root_times(&t->store, &t->header.schema, t->scratch, &root, err);
		if (status == OTR_OK) {
			*late = late_rows(&w->sorted.rows, true, root.last_ns, policy);
			status = drop_known(w, &root, &w->sorted, late, policy, err);
		}
	}
	if (status == OTR_OK)
		status = join_riding(w, k, in_order != NULL ? in_order : &order, replaced != NULL ? replaced : &exchanged, err);
	return status;
}

/* A piece of the input is durable: its counts are told, and begin again. */
static void
tell_piece(struct otr_writer *w)
{
	struct otr_commit_result result;
	uint64_t given = w->given;
	int64_t newest_ns = w->newest_ns;

	fill_result(w, true, &result);
	if (w->options.piece != NULL)
		w->options.piece(w->options.arg, &result);
	reset_counts(w);
	w->given = given;                    /* rows are numbered over the whole input */
	w->newest_ns = newest_ns;
}

/* One commit of the rows in w->sorted. */
static enum otr_status
commit_sorted(struct otr_writer *w, bool *committed, struct otr_error *err)
{
	struct otr__commit *k = &w->commit;
	bool in_order;
	uint64_t replaced;
	size_t n, rides;
	enum otr_status status = otr__commit_begin(&w->target, k, err);

	*committed = false;
	if (status != OTR_OK)
		return status;
	status = otr__retain(k, newest_of(w, k), INT64_MIN, 0, err);
	if (status == OTR_OK) {
		drop_expired(w, k->slot.horizon_ns, &w->sorted);
		status = drop_unchanging(w, k, &n, &in_order, &replaced, err);
	}
	rides = w->sorted.rows.n;
	if (status == OTR_OK && rides > 0) {
		if (n == 0 && otr__commit_may_ride(k, rides, record_bytes(w, rides)) && (otr__commit_has_room(k, record_bytes(w, rides)) ||
		    otr__commit_can_spill(k, w->sorted.rows.time_ns[0]))) {
			status = commit_small(w, k, in_order, replaced, err);
			*committed = true;
		} else {
			status = commit_large(w, k, committed, err);
		}
	}
	otr__commit_release(k);
	return status;
}

/* Whether n rows from first_ns on may ride, so that they write no page but those of a spill: as commit_sorted decides it. */
static enum otr_status
may_ride(struct otr_writer *w, int64_t first_ns, size_t n, bool *may, struct otr_error *err)
{
	struct otr__target *t = &w->target;
	struct otr__commit *k = &w->commit;
	struct otr__root root = k->root;
	size_t bytes = record_bytes(w, n);
	enum otr_status status;

	*may = otr__commit_may_ride(k, n, bytes) && (otr__commit_has_room(k, bytes) || otr__commit_can_spill(k, first_ns));
	if (!*may || root.rows == 0)
		return OTR_OK;
	status = otr__root_times(&t->store, &t->header.schema, t->scratch, &root, err);
	*may = first_ns > root.last_ns || (first_ns == root.last_ns && k->slot.policies.duplicates == OTR_KEEP);
	return status;
}

/* How many of the sorted rows of x from `from` on one commit may take, in a file of fixed size. */
static enum otr_status
piece_of(struct otr_writer *w, const struct otr__rows *rows, size_t from, size_t *n, struct otr_error *err)
{
	const struct otr__slot *slot = &w->target.state.slot;
	uint64_t limit = otr__retain_piece(&w->target.header.schema, slot), pages;
	bool rides = false;
	size_t late;
	enum otr_status status;

	*n = rows->n - from;
	if (limit == UINT64_MAX)
		return OTR_OK;
	status = otr__commit_begin(&w->target, &w->commit, err);
	if (status != OTR_OK)
		return status;
	status = otr__retain_limit(&w->commit, &limit, err);
	if (status == OTR_OK)
		status = otr__retain_pages(&w->commit, *n, &pages, err);
	while (status == OTR_OK && pages > limit && *n > 1) {
		*n = *n / 2;
		status = otr__retain_pages(&w->commit, *n, &pages, err);
	}
	if (status == OTR_OK)
		status = may_ride(w, rows->time_ns[from], *n, &rides, err);
	if (status == OTR_OK && !rides && slot->rows > 0 && slot->last_ns < INT64_MAX) {
		late = otr__lower_bound(rows->time_ns + from, *n, slot->last_ns + 1);
		if (late > 0) {
			/* the tree's own late rows, and those that follow, in pieces of their own */
			status = otr__retain_late(&w->commit, rows->time_ns + from, late, limit / 2, &late, err);
			*n = late;
		}
	}
	otr__commit_release(&w->commit);
	return status;
}

/* The buffer as one commit, or in pieces (SPEC 9.4). */
static enum otr_status
commit_buffer(struct otr_writer *w, bool *committed, struct otr_error *err)
{
	struct indexed all = { .capacity = 0 };
	struct key *key = NULL;
	size_t from = 0, n, i;
	enum otr_status status = put_in_order(w, &w->batch, &w->sorted, w->target.state.slot.policies.duplicates, err);

	*committed = false;
	if (status != OTR_OK)
		return status;
	note_newest(w, &w->sorted.rows);
	drop_expired(w, w->target.state.slot.horizon_ns, &w->sorted);
	if (w->sorted.rows.n == 0)
		return OTR_OK;
	status = piece_of(w, &w->sorted.rows, 0, &n, err);
	if (status != OTR_OK || n == w->sorted.rows.n)
		return status == OTR_OK ? commit_sorted(w, committed, err) : status;
	all = w->sorted;
	w->sorted = (struct indexed){ .capacity = 0 };
	key = malloc(all.rows.n * sizeof *key);
	if (key == NULL || !indexed_init(&w->sorted, all.rows.columns, n))
		status = no_memory(err);
	while (status == OTR_OK && from < all.rows.n) {
		bool made;

		for (i = 0; i < n; i++)
			key[i] = (struct key){ .time_ns = all.rows.time_ns[from + i], .at = from + i };
		status = pick(&w->sorted, &all, key, n) ? commit_sorted(w, &made, err) : no_memory(err);
		from += n;
		if (status == OTR_OK && made && from < all.rows.n)
			tell_piece(w);
		*committed = *committed || made;
		if (status == OTR_OK && from < all.rows.n)
			status = piece_of(w, &all.rows, from, &n, err);
	}
	free(key);
	indexed_release(&all);
	return status;
}

/* ---- a stream ----------------------------------------------------------------------------------------------------------- */

static enum otr_status
begin_stream(struct otr_writer *w, struct otr_error *err)
{
	struct otr__patience patience = patience_of(w);
	struct otr__target *t = &w->target;
	enum otr_status status = otr__target_lock(t, &patience, err);

	if (status != OTR_OK)
		return status;
	status = otr__commit_begin(t, &w->commit, err);
	if (status != OTR_OK) {
		otr__target_unlock(t);
		return status;
	}
	w->streaming = true;
	if (w->options.holding != NULL)
		w->options.holding(w->options.arg);
	w->settled = false;
	clear(&w->aside.rows);
	return status;
}

/* The first row that changes something is at hand: from here on pages are written. */
static enum otr_status
settle_stream(struct otr_writer *w, struct otr_error *err)
{
	struct otr__target *t = &w->target;
	enum otr_status status = settle_base(w, &w->commit, err);

	if (status == OTR_OK)
		status = otr__builder_create(&w->commit.space, &t->header.schema, t->scratch, &w->commit.root, &w->builder, err);
	w->any = w->base.rows > 0;
	w->builder_last = w->base.last_ns;
	w->settled = status == OTR_OK;
	return status;
}

static void
end_stream(struct otr_writer *w)
{
	if (!w->streaming)
		return;
	otr__builder_free(w->builder);
	w->builder = NULL;
	otr__commit_release(&w->commit);
	otr__target_unlock(&w->target);
	w->streaming = false;
}

/* Rows [0, n) of x are late: kept aside until the end, but for those that are known to change nothing. */
static enum otr_status
put_aside(struct otr_writer *w, struct indexed *x, size_t *n, struct otr_error *err)
{
	enum otr_duplicates policy = w->commit.slot.policies.duplicates;
	size_t in_base = late_rows(&x->rows, w->base.rows > 0, w->base.last_ns, policy), limit, before = in_base, i;
	enum otr_status status = OTR_OK;

	if (in_base > *n)
		in_base = *n;
	before = in_base;
	/* a row kept aside before may have changed what the tree says of that time */
	if (in_base > 0 && (w->aside.rows.n == 0 || x->rows.time_ns[0] > w->aside_last || x->rows.time_ns[in_base - 1] < w->aside_first))
		status = drop_known(w, &w->base, x, &in_base, policy, err);
	if (status != OTR_OK)
		return status;
	*n -= before - in_base;
	limit = w->options.sort_bytes / (sizeof(int64_t) * (x->rows.columns + 2));
	if (w->aside.rows.n + *n > limit)
		return otr__fail(err, OTR_E_LIMIT, "", "more than %zu late rows in one commit, beyond the memory for disorder", limit);
	if (*n == 0)
		return OTR_OK;
	if (!indexed_reserve(&w->aside, w->aside.rows.n + *n))
		return no_memory(err);
	for (i = 0; i < *n; i++)
		w->aside.index[w->aside.rows.n + i] = x->index[i];
	if (w->aside.rows.n == 0 || x->rows.time_ns[0] < w->aside_first)
		w->aside_first = x->rows.time_ns[0];
	if (w->aside.rows.n == 0 || x->rows.time_ns[*n - 1] > w->aside_last)
		w->aside_last = x->rows.time_ns[*n - 1];
	otr__rows_append(&w->aside.rows, &x->rows, 0, *n);
	return OTR_OK;
}

/* The buffer goes into the stream. */
static enum otr_status
feed_stream(struct otr_writer *w, struct otr_error *err)
{
	enum otr_duplicates policy = w->commit.slot.policies.duplicates;
	struct indexed *x = &w->sorted;
	size_t n;
	enum otr_status status = put_in_order(w, &w->batch, x, policy, err);

	clear(&w->batch.rows);
	if (status != OTR_OK)
		return status;
	note_newest(w, &x->rows);
	drop_expired(w, w->commit.slot.horizon_ns, x);
	if (!w->settled)
		status = drop_unchanging(w, &w->commit, &n, NULL, NULL, err);
	if (status != OTR_OK || x->rows.n == 0)
		return status;
	if (!w->settled) {
		status = settle_stream(w, err);
		if (status != OTR_OK)
			return status;
		drop_expired(w, w->commit.slot.horizon_ns, x);
		if (x->rows.n == 0)
			return OTR_OK;
	}
	n = late_rows(&x->rows, w->any, w->builder_last, policy);
	if (n > 0)
		status = put_aside(w, x, &n, err);
	if (status != OTR_OK || n == x->rows.n)
		return status;
	note_rows(w, &x->rows, n, x->rows.n);
	w->added += x->rows.n - n;
	w->any = true;
	w->builder_last = x->rows.time_ns[x->rows.n - 1];
	return otr__builder_append(w->builder, &x->rows, n, x->rows.n, err);
}

/* Whether the file has a fixed size, so that a commit may only write so much. */
static bool
is_limited(const struct otr_writer *w)
{
	return w->target.state.slot.policies.has_max_size;
}

static enum otr_status
finish_stream(struct otr_writer *w, bool *committed, struct otr_error *err)
{
	struct otr__commit *k = &w->commit;
	struct otr__merge_counts counts = { .added = 0 };
	uint64_t appended, before;
	bool rewrite = false;
	enum otr_status status = feed_stream(w, err);

	*committed = false;
	if (status != OTR_OK || !w->settled)
		return status;                   /* nothing changes, and no byte was written */
	before = w->base.rows;
	status = otr__builder_finish(w->builder, &k->root, err);
	if (status != OTR_OK)
		return status;
	appended = k->root.rows - before;
	if (w->aside.rows.n > 0 && !is_limited(w)) {
		status = put_in_order(w, &w->aside, &w->sorted, k->slot.policies.duplicates, err);
		if (status == OTR_OK)
			status = merge_late(w, k, &w->sorted, &counts, err);
		if (status != OTR_OK)
			return status;
		if (counts.changed) {
			note_rows(w, &w->sorted.rows, 0, w->sorted.rows.n);
			rewrite = late_rows(&w->sorted.rows, before > 0, w->base.last_ns, k->slot.policies.duplicates) > 0;
		}
	}
	w->added += counts.added;
	w->replaced += counts.replaced;
	w->skipped += counts.skipped;
	w->late += counts.added + counts.replaced;
	if (appended == 0 && !counts.changed)
		return OTR_OK;
	*committed = true;
	return finish_large(w, k, appended + counts.added + counts.replaced, before + appended + counts.added + counts.replaced - k->root.rows, rewrite,
	    !rewrite, err);
}

static enum otr_status
commit_alone(struct otr_writer *w, bool *committed, struct otr_error *err)
{
	struct otr__patience patience = patience_of(w);
	enum otr_status status = otr__target_lock(&w->target, &patience, err);

	*committed = false;
	if (status != OTR_OK)
		return status;
	status = commit_buffer(w, committed, err);
	otr__target_unlock(&w->target);
	clear(&w->batch.rows);
	return status;
}

/* Commits the stream.  In a file of fixed size the rows that it kept aside come after it, in pieces. */
static enum otr_status
close_stream(struct otr_writer *w, bool *committed, struct otr_error *err)
{
	enum otr_status status = finish_stream(w, committed, err);
	struct indexed t = w->batch;
	bool made;

	end_stream(w);
	if (status != OTR_OK || w->aside.rows.n == 0 || !is_limited(w))
		return status;
	w->batch = w->aside;
	w->aside = t;
	clear(&w->aside.rows);
	if (*committed)
		tell_piece(w);
	status = commit_alone(w, &made, err);
	*committed = *committed || made;
	return status;
}

/* The buffer is full, and there is more to come: it goes into a stream; where a commit may not take so much, it is committed in pieces. */
static enum otr_status
flush_buffer(struct otr_writer *w, struct otr_error *err)
{
	const struct otr_schema *schema = &w->target.header.schema;
	uint64_t limit = otr__retain_piece(schema, &w->target.state.slot), pages;
	bool committed = false;
	enum otr_status status;

	if (limit != UINT64_MAX && BUFFER_BYTES / schema->page_bytes >= limit / 4) {
		status = commit_alone(w, &committed, err);
	} else {
		if (!w->streaming)
			status = begin_stream(w, err);
		else
			status = OTR_OK;
		if (status == OTR_OK)
			status = feed_stream(w, err);
		if (status != OTR_OK || limit == UINT64_MAX || !w->settled)
			return status;
		status = otr__retain_pages(&w->commit, w->buffer_rows, &pages, err);
		if (status == OTR_OK && w->commit.space.written + pages > limit)
			status = close_stream(w, &committed, err);
	}
	if (status == OTR_OK && committed)
		tell_piece(w);
	return status;
}

/* ---- the public calls --------------------------------------------------------------------------------------------------- */

/* Opens path, or io if path is NULL. */
static enum otr_status
open_writer(const char *path, const struct otr_io *io, const struct otr_writer_options *options, struct otr_writer **writer, struct otr_error *err)
{
	struct otr_writer *w = calloc(1, sizeof *w);
	struct otr__who who;
	uint32_t columns;
	enum otr_status status;

	if (w == NULL)
		return no_memory(err);
	w->options = *options;
	if (w->options.sort_bytes == 0)
		w->options.sort_bytes = SORT_BYTES;
	who = who_of(w);
	status = otr__who_check(&who, err);
	if (status == OTR_OK)
		status = path == NULL ? otr__target_open_io(io, NULL, &w->target, err) : otr__target_open(path, &w->target, err);
	if (status != OTR_OK) {
		free(w);
		return status;
	}
	w->target.store.io = &w->target.io;
	w->target.store.header = &w->target.header;
	columns = w->target.header.schema.columns;
	reset_counts(w);
	w->buffer_rows = BUFFER_BYTES / (8 * (columns + 2));
	if (!indexed_init(&w->batch, columns, 64) || !indexed_init(&w->sorted, columns, 64) || !indexed_init(&w->aside, columns, 64) ||
	    !otr__rows_init(&w->found, columns, 64)) {
		otr_writer_close(w);
		return no_memory(err);
	}
	*writer = w;
	return OTR_OK;
}

enum otr_status
otr_writer_open(const char *path, const struct otr_writer_options *options, struct otr_writer **writer, struct otr_error *err)
{
	return open_writer(path, NULL, options, writer, err);
}

enum otr_status
otr__writer_open_io(const struct otr_io *io, const struct otr_writer_options *options, struct otr_writer **writer, struct otr_error *err)
{
	return open_writer(NULL, io, options, writer, err);
}

const struct otr_schema *
otr_writer_schema(const struct otr_writer *w)
{
	return &w->target.header.schema;
}

const struct otr_policies *
otr_writer_policies(const struct otr_writer *w)
{
	return &w->target.state.slot.policies;
}

uint64_t
otr_writer_version(const struct otr_writer *w)
{
	return w->target.state.slot.version;
}

const char *
otr_writer_notice(const struct otr_writer *w, size_t i, bool *fallback)
{
	if (i >= w->target.notices.n)
		return NULL;
	if (fallback != NULL)
		*fallback = w->target.notices.fallback[i];
	return w->target.notices.text[i];
}

/* Checks row i of a caller. */
static enum otr_status
check_row(const struct otr_schema *schema, const struct otr_rows *rows, size_t i, uint64_t index, struct otr_error *err)
{
	uint32_t c;
	enum otr_status status = OTR_OK;

	if (rows->time_ns[i] == INT64_MIN || rows->time_ns[i] == INT64_MAX)
		status = otr__fail(err, OTR_E_ARG, "2.3", "a time outside 1677-09-21..2262-04-11");
	for (c = 0; c < schema->columns && status == OTR_OK; c++) {
		uint64_t v = rows->value[c][i];

		if (rows->present[c] != NULL && (rows->present[c][i >> 3] >> (i & 7) & 1) == 0)
			continue;
		if ((schema->column[c].type == OTR_BOOL && v > 1) ||
		    (schema->column[c].type == OTR_I32 && (otr__i64(v) < INT32_MIN || otr__i64(v) > INT32_MAX)) ||
		    (schema->column[c].type == OTR_F32 && v > UINT32_MAX))
			status = otr__fail(err, OTR_E_ARG, "2.2", "column \"%.80s\": a value outside its type", schema->column[c].name);
	}
	if (status != OTR_OK && err != NULL) {
		err->row = (int64_t)index;
		err->time_ns = rows->time_ns[i];
	}
	return status;
}

static bool
needs_check(const struct otr_schema *schema)
{
	uint32_t c;

	for (c = 0; c < schema->columns; c++)
		if (schema->column[c].type != OTR_I64 && schema->column[c].type != OTR_F64)
			return true;
	return false;
}

/* Copies rows [from, from + n) of a caller behind the batch. */
static void
take_rows(struct otr_writer *w, const struct otr_rows *rows, size_t from, size_t n)
{
	struct otr__rows *b = &w->batch.rows;
	struct otr__rows view = { .columns = b->columns, .n = rows->n, .capacity = rows->n };
	uint32_t c;
	size_t i;

	/* the public and the internal form differ in how they say "no nulls"; nothing is written through the view */
	view.time_ns = (int64_t *)(uintptr_t)rows->time_ns;
	for (c = 0; c < b->columns; c++) {
		view.value[c] = (uint64_t *)(uintptr_t)rows->value[c];
		view.present[c] = (uint8_t *)(uintptr_t)rows->present[c];
		view.has_null[c] = rows->present[c] != NULL;
	}
	for (i = 0; i < n; i++)
		w->batch.index[b->n + i] = w->given + i;
	otr__rows_append(b, &view, from, from + n);
	w->given += n;
}

enum otr_status
otr_writer_add(struct otr_writer *w, const struct otr_rows *rows, struct otr_error *err)
{
	const struct otr_schema *schema = &w->target.header.schema;
	bool check = needs_check(schema);
	size_t from = 0, i;
	enum otr_status status = OTR_OK;

	if (w->failed)
		return otr__fail(err, OTR_E_ARG, "", "a commit failed before");
	for (i = 0; i < rows->n && status == OTR_OK; i++)
		if (check || rows->time_ns[i] == INT64_MIN || rows->time_ns[i] == INT64_MAX)
			status = check_row(schema, rows, i, w->given + i, err);
	while (status == OTR_OK && from < rows->n) {
		size_t room = w->buffer_rows - w->batch.rows.n, n = rows->n - from < room ? rows->n - from : room;

		if (!indexed_reserve(&w->batch, w->batch.rows.n + n)) {
			status = no_memory(err);
			break;
		}
		take_rows(w, rows, from, n);
		from += n;
		if (w->batch.rows.n == w->buffer_rows)
			status = flush_buffer(w, err);
	}
	if (status != OTR_OK) {
		w->failed = true;
		end_stream(w);
	}
	return status;
}

enum otr_status
otr_writer_commit(struct otr_writer *w, struct otr_commit_result *result, struct otr_error *err)
{
	bool committed = false;
	enum otr_status status;

	if (w->failed)
		return otr__fail(err, OTR_E_ARG, "", "a commit failed before");
	if (w->streaming)
		status = close_stream(w, &committed, err);
	else
		status = w->batch.rows.n == 0 ? OTR_OK : commit_alone(w, &committed, err);
	if (status != OTR_OK) {
		w->failed = true;
		return status;
	}
	clear(&w->batch.rows);
	fill_result(w, committed, result);
	reset_counts(w);
	return OTR_OK;
}

/* ---- changes that are no rows -------------------------------------------------------------------------------------------- */

/* Whether a change may be made now. */
static enum otr_status
check_idle(const struct otr_writer *w, struct otr_error *err)
{
	if (w->failed)
		return otr__fail(err, OTR_E_ARG, "", "a commit failed before");
	if (w->given > 0)
		return otr__fail(err, OTR_E_ARG, "", "rows were added that are not committed");
	return OTR_OK;
}

enum otr_status
otr_writer_delete(struct otr_writer *w, const struct otr_delete_spec *spec, struct otr_change_result *result, struct otr_error *err)
{
	struct otr__patience patience = patience_of(w);
	struct otr__who who = who_of(w);
	enum otr_status status = check_idle(w, err);

	return status == OTR_OK ? otr__change_delete(&w->target, &patience, &who,
	    &(struct otr__tell){ .piece = w->options.piece, .arg = w->options.arg }, spec, result, err) : status;
}

enum otr_status
otr_writer_rollback(struct otr_writer *w, uint64_t version, struct otr_change_result *result, struct otr_error *err)
{
	struct otr__patience patience = patience_of(w);
	struct otr__who who = who_of(w);
	enum otr_status status = check_idle(w, err);

	return status == OTR_OK ? otr__change_rollback(&w->target, &patience, &who, version, result, err) : status;
}

enum otr_status
otr_writer_update_meta(struct otr_writer *w, const struct otr_meta_change *change, size_t count, const struct otr_policies *policies, unsigned which,
    struct otr_change_result *result, struct otr_error *err)
{
	struct otr__patience patience = patience_of(w);
	struct otr__who who = who_of(w);
	enum otr_status status = check_idle(w, err);

	return status == OTR_OK ? otr__change_meta(&w->target, &patience, &who, change, count, policies, which, result, err) : status;
}

enum otr_status
otr_writer_set_meta(struct otr_writer *w, const struct otr_meta_change *change, size_t count, const struct otr_policies *policies,
    struct otr_change_result *result, struct otr_error *err)
{
	return otr_writer_update_meta(w, change, count, policies, OTR_POLICY_ALL, result, err);
}

void
otr_writer_close(struct otr_writer *w)
{
	if (w == NULL)
		return;
	end_stream(w);
	otr__target_close(&w->target);
	indexed_release(&w->batch);
	indexed_release(&w->sorted);
	indexed_release(&w->aside);
	otr__rows_release(&w->found);
	free(w);
}
