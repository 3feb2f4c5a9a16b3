/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff.c - what differs between two versions of a file, or two files (otr_diff_* of otr.h): two walks at once, which skip what they share.
 *
 * A side is a sequence of rows by position: those of the tree, a prefix of what its root reaches, then the riding ones (snapshot.h).  Both sides
 * stand at the first row of some time, with all before compared.  A step takes one of four ways:
 *
 *      shared     the pages that hold the positions are one page (same reference: number, generation, crc), and they are as far into it.  Then as
 *                 many rows are equal as remain in that page on both sides; it is not read.  The highest such page is looked for, from the roots
 *                 down, as far as references differ
 *      one-sided  one side's time lies before the other's: all its rows before that time differ.  They are counted by a descent, not read
 *      group      the time is the same: the rows of that time are compared, from the front, and from the back where the rest is wanted
 *      end        both sides have no more
 *
 * A shared page may end within a group of one time that goes on differently on the two sides.  Then the step goes back to where the group begins,
 * as far on both, and remembers how many of its rows are known to be equal.
 *
 * Positions are changed only by a step that succeeded.  So when a page was reused by a writer (SPEC 10.4-5), the same step is tried again in the newer
 * state, at the same absolute row numbers (SPEC 8.3).  Memory: per side one decoded leaf and a path of inner pages.
 */
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "intmath.h"
#include "ride.h"
#include "walk.h"

/* A read that fails for reuse is begun anew; so often without a step between that a writer keeps overtaking. */
#define RECOVERIES_MAX 100

struct side {
	struct otr *file;
	struct otr__snapshot *snapshot;
	struct otr__walk walk;
	uint32_t columns;                  /* that are compared */
	const uint32_t *column;            /* [columns]: their indices here */
	uint64_t mask;
	uint64_t pos, end;                 /* still to be compared */
	uint64_t out_from, out_to;         /* rows that differ and are still to be given */
	/* what was decoded last: a leaf, or the riding rows */
	bool loaded;
	uint64_t first, count;             /* its rows within the version */
	struct otr__rows rows;             /* a leaf's memory */
	struct otr__rows times;            /* of a leaf, for seeks */
	struct otr__rows view;             /* the compared columns of it, in their order; borrowed */
};

struct otr_diff {
	struct side side[2];
	bool same_file, want_rows;
	uint64_t known_equal;              /* > 0: both sides are at a group of one time whose first so many rows are equal, and that is not shared */
	struct side *culprit;              /* whose read was the last */
	bool open;                         /* a run goes on: */
	struct otr_difference run;
	struct otr__rows lent;
	struct otr_error failure;          /* status OTR_OK: none yet */
};

/* What a step found. */
enum finding { SAME, DIFFERENT, NOTHING_YET, FINISHED };

/* ---- opening ----------------------------------------------------------------------------------------------------------- */

static void
match_columns(const struct otr_schema *a, const struct otr_schema *b, struct otr_diff_spec *spec)
{
	uint32_t i, j;

	spec->columns = 0;
	for (i = 0; i < a->columns; i++) {
		for (j = 0; j < b->columns; j++) {
			if (strcmp(a->column[i].name, b->column[j].name) != 0 || a->column[i].type != b->column[j].type)
				continue;
			spec->column_a[spec->columns] = i;
			spec->column_b[spec->columns++] = j;
		}
	}
}

static enum otr_status
check_columns(const struct otr *a, const struct otr *b, const struct otr_diff_spec *spec, struct otr_error *err)
{
	const struct otr_schema *sa = &a->header.schema, *sb = &b->header.schema;
	uint32_t i;

	if (spec->columns > OTR_MAX_COLUMNS)
		return otr__fail(err, OTR_E_ARG, "", "%lu columns, at most %d", (unsigned long)spec->columns, OTR_MAX_COLUMNS);
	for (i = 0; i < spec->columns; i++) {
		uint32_t ca = spec->column_a[i], cb = spec->column_b[i];

		if (ca >= sa->columns || cb >= sb->columns)
			return otr__fail(err, OTR_E_ARG, "", "no column of index %lu", (unsigned long)(ca >= sa->columns ? ca : cb));
		if ((a->header.unsupported_columns >> ca & 1) != 0 || (b->header.unsupported_columns >> cb & 1) != 0)
			return otr__fail(err, OTR_E_UNSUPPORTED, "3.4", "column %s has a type that this program does not know", sa->column[ca].name);
		if (sa->column[ca].type != sb->column[cb].type)
			return otr__fail(err, OTR_E_ARG, "", "columns %s and %s are of different types", sa->column[ca].name, sb->column[cb].name);
	}
	return OTR_OK;
}

static enum otr_status
open_side(struct side *s, struct otr *file, uint64_t version, uint32_t columns, const uint32_t *column, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	uint32_t i;

	s->file = file;
	s->columns = columns;
	s->column = column;
	for (i = 0; i < columns; i++)
		s->mask |= UINT64_C(1) << column[i];
	if (!otr__rows_init(&s->rows, file->header.schema.columns, 16) || !otr__rows_init(&s->times, file->header.schema.columns, 16))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	if (version == file->snapshot->version)
		s->snapshot = otr__snapshot_hold(file->snapshot);
	else
		status = otr__db_find(file, version, &s->snapshot, err);
	if (status == OTR_OK)
		otr__walk_init(&s->walk, &s->snapshot->tree);
	return status;
}

static enum otr_status seek(struct otr_diff *d, struct side *s, int64_t time_ns, uint64_t *position, struct otr_error *err);
static enum otr_status recover(struct otr_diff *d, enum otr_status failure, struct otr_error *err);

/* Sets both sides to the range.  Rows before the horizon of either state of one file are gone from both versions. */
static enum otr_status
seek_range(struct otr_diff *d, int64_t start_ns, int64_t end_ns, struct otr_error *err)
{
	const struct otr__snapshot *a = d->side[0].snapshot, *b = d->side[1].snapshot;
	int64_t common_ns = !d->same_file ? INT64_MIN : a->horizon_ns > b->horizon_ns ? a->horizon_ns : b->horizon_ns;
	unsigned i;

	for (i = 0; i < 2; i++) {
		struct side *s = &d->side[i];
		int64_t from_ns = s->snapshot->horizon_ns > common_ns ? s->snapshot->horizon_ns : common_ns;
		enum otr_status status;

		from_ns = start_ns > from_ns ? start_ns : from_ns;
		status = seek(d, s, end_ns, &s->end, err);
		if (status == OTR_OK)
			status = seek(d, s, from_ns, &s->pos, err);
		if (status != OTR_OK)
			return status;
		if (s->pos > s->end)
			s->pos = s->end;
	}
	return OTR_OK;
}

/* The column numbers behind the struct: the sides borrow them. */
struct whole {
	struct otr_diff diff;
	struct otr_diff_spec spec;
};

enum otr_status
otr_diff_open(struct otr *a, uint64_t version_a, struct otr *b, uint64_t version_b, const struct otr_diff_spec *spec, struct otr_diff **diff,
    struct otr_error *err)
{
	struct whole *w;
	struct otr_diff *d;
	enum otr_status status;
	int attempt;

	if (spec->start_ns > spec->end_ns)
		return otr__fail(err, OTR_E_ARG, "", "the range starts after its end");
	w = calloc(1, sizeof *w);
	if (w == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	d = &w->diff;
	w->spec = *spec;
	if (spec->all_columns)
		match_columns(&a->header.schema, &b->header.schema, &w->spec);
	d->same_file = a == b;
	d->want_rows = spec->rows;
	status = check_columns(a, b, &w->spec, err);
	if (status == OTR_OK && !otr__rows_init(&d->lent, w->spec.columns, 16))
		status = otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	if (status == OTR_OK)
		status = open_side(&d->side[0], a, version_a, w->spec.columns, w->spec.column_a, err);
	if (status == OTR_OK)
		status = open_side(&d->side[1], b, version_b, w->spec.columns, w->spec.column_b, err);
	if (status == OTR_OK) {
		for (attempt = 0; ; attempt++) {
			status = seek_range(d, spec->start_ns, spec->end_ns, err);
			if (status == OTR_OK || attempt == RECOVERIES_MAX)
				break;
			status = recover(d, status, err);
			if (status != OTR_OK)
				break;
		}
	}
	if (status != OTR_OK) {
		otr_diff_close(d);
		return status;
	}
	*diff = d;
	return OTR_OK;
}

void
otr_diff_close(struct otr_diff *diff)
{
	unsigned i;

	if (diff == NULL)
		return;
	for (i = 0; i < 2; i++) {
		otr__walk_release(&diff->side[i].walk);
		otr__rows_release(&diff->side[i].rows);
		otr__rows_release(&diff->side[i].times);
		otr__snapshot_drop(diff->side[i].snapshot);
	}
	otr__rows_release(&diff->lent);
	free(diff);                        /* the first member of struct whole */
}

/* ---- one side ---------------------------------------------------------------------------------------------------------- */

static uint64_t
row_count(const struct side *s)
{
	return s->snapshot->tree.rows + s->snapshot->ride.n;
}

static void
view_columns(struct side *s, const struct otr__rows *src)
{
	uint32_t i;

	s->view.columns = s->columns;
	s->view.n = src->n;
	s->view.time_ns = src->time_ns;
	for (i = 0; i < s->columns; i++) {
		s->view.value[i] = src->value[s->column[i]];
		s->view.present[i] = src->present[s->column[i]];
		s->view.has_null[i] = src->has_null[s->column[i]];
	}
}

static bool
has(const struct side *s, uint64_t position)
{
	return s->loaded && position >= s->first && position - s->first < s->count;
}

/* Makes the view hold the row at position; *i is its index there. */
static enum otr_status
load(struct otr_diff *d, struct side *s, uint64_t position, size_t *i, struct otr_error *err)
{
	const struct otr__tree *tree = &s->snapshot->tree;
	struct otr__leaf_at at;
	enum otr_status status;

	if (has(s, position)) {
		*i = (size_t)(position - s->first);
		return OTR_OK;
	}
	d->culprit = s;
	if (position >= tree->rows) {
		view_columns(s, &s->snapshot->ride);
		s->first = tree->rows;
		s->count = s->snapshot->ride.n;
	} else {
		s->loaded = false;
		status = otr__walk_leaf(&s->walk, position, &at, err);
		if (status == OTR_OK)
			status = otr__walk_rows(&s->walk, &at, s->mask, &s->rows, err);
		if (status != OTR_OK)
			return status;
		view_columns(s, &s->rows);
		s->first = at.position;
		s->count = at.rows < tree->rows - at.position ? at.rows : tree->rows - at.position;
	}
	s->loaded = true;
	*i = (size_t)(position - s->first);
	return OTR_OK;
}

/* The node below that holds position: its parent, at level, is read if it is not there. */
static enum otr_status
descend(struct otr_diff *d, struct side *s, unsigned level, uint64_t position, struct otr__node *node, struct otr_error *err)
{
	enum otr_status status;

	d->culprit = s;
	status = otr__walk_load(&s->walk, level, node, err);
	return status != OTR_OK ? status : otr__walk_child(&s->walk, level, otr__walk_find(&s->walk.level[level], position), node, err);
}

/* Time of the row at position: as the entries tell it, where it is the first or last row of a page; else from its leaf. */
static enum otr_status
time_at(struct otr_diff *d, struct side *s, uint64_t position, int64_t *time_ns, struct otr_error *err)
{
	const struct otr__tree *tree = &s->snapshot->tree;
	struct otr__node node = otr__walk_root(&s->walk);
	enum otr_status status;
	unsigned level;
	size_t i;

	for (level = tree->level; level > 0 && position < tree->rows && !has(s, position); level--) {
		status = descend(d, s, level, position, &node, err);
		if (status != OTR_OK)
			return status;
		if (node.position == position || node.position + node.rows - 1 == position) {
			*time_ns = node.position == position ? node.first_ns : node.last_ns;
			return OTR_OK;
		}
	}
	status = load(d, s, position, &i, err);
	if (status == OTR_OK)
		*time_ns = s->view.time_ns[i];
	return status;
}

/* Position of the first row with time >= time_ns. */
static enum otr_status
seek(struct otr_diff *d, struct side *s, int64_t time_ns, uint64_t *position, struct otr_error *err)
{
	struct otr__snapshot *p = s->snapshot;
	enum otr_status status;

	if (time_ns == INT64_MAX || time_ns <= OTR_TIME_MIN) {
		*position = time_ns == INT64_MAX ? row_count(s) : 0;
		return OTR_OK;
	}
	d->culprit = s;
	status = otr__tree_seek(&p->tree, time_ns, &s->times, position, err);
	if (status == OTR_OK && *position == p->tree.rows)
		*position += otr__lower_bound(p->ride.time_ns, p->ride.n, time_ns);
	return status;
}

/* Position of the first row behind `from` (whose time is less) with time >= time_ns, at most s->end. */
static enum otr_status
advance(struct otr_diff *d, struct side *s, uint64_t from, int64_t time_ns, uint64_t *to, struct otr_error *err)
{
	uint64_t p = from + 1;
	enum otr_status status;
	int64_t t;

	if (has(s, p)) {
		size_t i = (size_t)(p - s->first), n = (size_t)s->count;

		/* mostly the next row */
		if (s->view.time_ns[i] < time_ns)
			i += otr__lower_bound(s->view.time_ns + i, n - i, time_ns);
		p = s->first + i;
		if (i < n || p >= s->end) {
			*to = p < s->end ? p : s->end;
			return OTR_OK;
		}
	}
	*to = s->end;
	if (p >= s->end)
		return OTR_OK;
	status = time_at(d, s, p, &t, err);
	if (status == OTR_OK && t >= time_ns)
		*to = p;
	if (status != OTR_OK || t >= time_ns)
		return status;
	status = seek(d, s, time_ns, &p, err);
	if (status == OTR_OK && p <= from)
		return otr__fail(err, OTR_E_CORRUPT, "5.3-3", "times of inner pages do not ascend");
	if (status == OTR_OK && p < s->end)
		*to = p;
	return status;
}

/* ---- both sides -------------------------------------------------------------------------------------------------------- */

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many rows from both positions are in one page; 0: the positions' leaves differ, or the rows lie in them elsewhere. */
static enum otr_status
shared_rows(struct otr_diff *d, uint64_t *n, struct otr_error *err)
{
	struct side *a = &d->side[0], *b = &d->side[1];
	const struct otr__tree *ta = &a->snapshot->tree, *tb = &b->snapshot->tree;
	struct otr__node na = otr__walk_root(&a->walk), nb = otr__walk_root(&b->walk);
	unsigned la = ta->level, lb = tb->level, top;
	enum otr_status status = OTR_OK;

	*n = 0;
	if (!d->same_file || a->pos >= least(a->end, ta->rows) || b->pos >= least(b->end, tb->rows))
		return OTR_OK;
	while (status == OTR_OK) {
		if (la == lb && otr__ref_equal(&na.ref, &nb.ref) && a->pos - na.position == b->pos - nb.position) {
			*n = least(na.position + na.rows - a->pos, least(least(a->end, ta->rows) - a->pos, least(b->end, tb->rows) - b->pos));
			return OTR_OK;
		}
		if (la == 0 && lb == 0)
			return OTR_OK;
		top = la;
		if (top >= lb)
			status = descend(d, a, la--, a->pos, &na, err);
		if (status == OTR_OK && lb >= top)
			status = descend(d, b, lb--, b->pos, &nb, err);
	}
	return status;
}

/* Whether the row at position, if there is one, is of a time; *is is left alone if there is none. */
static enum otr_status
goes_on(struct otr_diff *d, struct side *s, uint64_t position, int64_t time_ns, bool *is, struct otr_error *err)
{
	int64_t t;
	enum otr_status status;

	if (position == s->end)
		return OTR_OK;
	status = time_at(d, s, position, &t, err);
	if (status == OTR_OK && t == time_ns)
		*is = true;
	return status;
}

/* Steps over n shared rows; or to the last group of one time in them, if it goes on behind them. */
static enum otr_status
skip_shared(struct otr_diff *d, uint64_t n, enum finding *found, struct otr_error *err)
{
	struct side *a = &d->side[0], *b = &d->side[1];
	uint64_t pa = a->pos + n, pb = b->pos + n, group, back = 0;
	bool straddles = false;
	int64_t last_ns;
	enum otr_status status = OTR_OK;

	if (pa < a->end || pb < b->end) {
		status = time_at(d, a, pa - 1, &last_ns, err);
		if (status == OTR_OK)
			status = goes_on(d, a, pa, last_ns, &straddles, err);
		if (status == OTR_OK && !straddles)
			status = goes_on(d, b, pb, last_ns, &straddles, err);
		if (status == OTR_OK && straddles) {
			status = seek(d, a, last_ns, &group, err);
			if (status == OTR_OK && (group >= pa || pa - group > n))
				status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "times of inner pages do not ascend");
			back = status == OTR_OK ? pa - group : 0;
		}
	}
	if (status != OTR_OK)
		return status;
	*found = back < n ? SAME : NOTHING_YET;
	a->pos = pa - back;
	b->pos = pb - back;
	d->known_equal = back;
	return OTR_OK;
}

/* Notes rows [pos, to) of each side, which differ; at least one side has some.  first and last are their least and greatest time. */
static void
differ(struct otr_diff *d, uint64_t to_a, uint64_t to_b, int64_t first_ns, int64_t last_ns)
{
	if (!d->open)
		d->run = (struct otr_difference){ .start_ns = first_ns };
	d->open = true;
	d->run.end_ns = last_ns + 1;
	d->run.rows_before += to_a - d->side[0].pos;
	d->run.rows_after += to_b - d->side[1].pos;
}

/* Side s has rows before the other's next time, limit_ns. */
static enum otr_status
one_sided(struct otr_diff *d, struct side *s, int64_t first_ns, int64_t limit_ns, enum finding *found, struct otr_error *err)
{
	struct side *a = &d->side[0];
	int64_t last_ns = first_ns;
	uint64_t to = s->end;
	enum otr_status status = OTR_OK;

	if (limit_ns != INT64_MAX)
		status = advance(d, s, s->pos, limit_ns, &to, err);
	/* the end of a run is asked for, unless it goes on at the limit */
	if (status == OTR_OK && !d->want_rows && to - s->pos > 1)
		status = time_at(d, s, to - 1, &last_ns, err);
	if (status != OTR_OK)
		return status;
	differ(d, s == a ? to : a->pos, s == a ? d->side[1].pos : to, first_ns, last_ns);
	s->out_from = s->pos;
	s->out_to = to;
	s->pos = to;
	*found = DIFFERENT;
	return OTR_OK;
}

static enum otr_status
equal_rows(struct otr_diff *d, uint64_t pa, uint64_t pb, bool *equal, struct otr_error *err)
{
	size_t i, j;
	enum otr_status status = load(d, &d->side[0], pa, &i, err);

	if (status == OTR_OK)
		status = load(d, &d->side[1], pb, &j, err);
	if (status == OTR_OK)
		*equal = otr__rows_equal(&d->side[0].view, i, &d->side[1].view, j);
	return status;
}

/* Compares the rows of time_ns, at which both sides stand. */
static enum otr_status
compare_group(struct otr_diff *d, int64_t time_ns, enum finding *found, struct otr_error *err)
{
	struct side *a = &d->side[0], *b = &d->side[1];
	uint64_t to_a, to_b, na, nb, front = d->known_equal, back = 0;
	bool equal = true;
	enum otr_status status = advance(d, a, a->pos, time_ns + 1, &to_a, err);

	if (status == OTR_OK)
		status = advance(d, b, b->pos, time_ns + 1, &to_b, err);
	if (status != OTR_OK)
		return status;
	na = to_a - a->pos;
	nb = to_b - b->pos;
	while (status == OTR_OK && front < least(na, nb)) {
		status = equal_rows(d, a->pos + front, b->pos + front, &equal, err);
		if (!equal)
			break;
		front++;
	}
	equal = true;
	while (status == OTR_OK && d->want_rows && back < least(na, nb) - front) {
		status = equal_rows(d, to_a - 1 - back, to_b - 1 - back, &equal, err);
		if (!equal)
			break;
		back++;
	}
	if (status != OTR_OK)
		return status;
	*found = front == na && front == nb ? SAME : DIFFERENT;
	if (*found == DIFFERENT) {
		differ(d, to_a, to_b, time_ns, time_ns);
		a->out_from = a->pos + front;
		a->out_to = to_a - back;
		b->out_from = b->pos + front;
		b->out_to = to_b - back;
	}
	a->pos = to_a;
	b->pos = to_b;
	d->known_equal = 0;
	return OTR_OK;
}

/* The plain case made fast: single equal rows in two decoded leaves.  At least the last of each leaf is left to the groups. */
static bool
skip_equal(struct otr_diff *d)
{
	struct side *a = &d->side[0], *b = &d->side[1];
	size_t i, j, n, k;

	if (d->known_equal > 0 || !has(a, a->pos) || !has(b, b->pos))
		return false;
	i = (size_t)(a->pos - a->first);
	j = (size_t)(b->pos - b->first);
	n = (size_t)least(least(a->first + a->count, a->end) - a->pos, least(b->first + b->count, b->end) - b->pos);
	for (k = 0; k + 1 < n && a->view.time_ns[i + k] < a->view.time_ns[i + k + 1] && b->view.time_ns[j + k] < b->view.time_ns[j + k + 1] &&
	    otr__rows_equal(&a->view, i + k, &b->view, j + k); k++)
		;
	a->pos += k;
	b->pos += k;
	return k > 0;
}

static enum otr_status
step(struct otr_diff *d, enum finding *found, struct otr_error *err)
{
	struct side *a = &d->side[0], *b = &d->side[1];
	int64_t ta = INT64_MAX, tb = INT64_MAX;
	uint64_t n = 0;
	enum otr_status status = OTR_OK;

	if (a->pos == a->end && b->pos == b->end) {
		*found = FINISHED;
		return OTR_OK;
	}
	if (skip_equal(d)) {
		*found = SAME;
		return OTR_OK;
	}
	if (d->known_equal == 0 && (!has(a, a->pos) || !has(b, b->pos)))
		status = shared_rows(d, &n, err);
	if (status == OTR_OK && n > 0)
		return skip_shared(d, n, found, err);
	if (status == OTR_OK && a->pos < a->end)
		status = time_at(d, a, a->pos, &ta, err);
	if (status == OTR_OK && b->pos < b->end)
		status = time_at(d, b, b->pos, &tb, err);
	if (status != OTR_OK)
		return status;
	if (ta != tb)
		return one_sided(d, ta < tb ? a : b, ta < tb ? ta : tb, ta < tb ? tb : ta, found, err);
	return compare_group(d, ta, found, err);
}

/* ---- giving ------------------------------------------------------------------------------------------------------------ */

/* The next rows of one side, as many as lie in one leaf. */
static enum otr_status
lend(struct otr_diff *d, struct side *s, struct otr_difference *out, struct otr_error *err)
{
	size_t i, n;
	enum otr_status status = load(d, s, s->out_from, &i, err);

	if (status != OTR_OK)
		return status;
	n = (size_t)least(s->out_to - s->out_from, s->first + s->count - s->out_from);
	d->lent.n = 0;
	memset(d->lent.has_null, 0, sizeof d->lent.has_null);
	if (!otr__rows_reserve(&d->lent, n))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	otr__rows_append(&d->lent, &s->view, i, i + n);
	d->lent.decoded = UINT64_MAX;
	s->out_from += n;
	*out = (struct otr_difference){ .after = s == &d->side[1] };
	otr__rows_view(&d->lent, 0, n, &out->rows);
	return OTR_OK;
}

static enum otr_status
next(struct otr_diff *d, struct otr_difference *out, struct otr_error *err)
{
	for (;;) {
		enum finding found = NOTHING_YET;
		enum otr_status status;
		unsigned i;

		for (i = 0; i < 2 && d->want_rows; i++)
			if (d->side[i].out_from < d->side[i].out_to)
				return lend(d, &d->side[i], out, err);
		status = step(d, &found, err);
		if (status != OTR_OK)
			return status;
		if (!d->want_rows && d->open && (found == SAME || found == FINISHED)) {
			*out = d->run;
			d->open = false;
			return OTR_OK;
		}
		if (found == FINISHED)
			return OTR_END;
	}
}

/* After a failed read: finds the culprit's version in a newer state of its file. */
static enum otr_status
recover(struct otr_diff *d, enum otr_status failure, struct otr_error *err)
{
	struct side *s = d->culprit;
	enum otr_status status;

	if (s == NULL)
		return failure;
	status = otr__db_recover(s->file, &s->snapshot, failure, err);
	if (status == OTR_OK) {
		otr__walk_reset(&s->walk, &s->snapshot->tree);
		s->loaded = false;
	}
	return status;
}

/* Moves a position, counted from row number base on, to a state that counts from another one.  false: its row is gone. */
static bool
move(const struct side *s, uint64_t base, uint64_t *position)
{
	uint64_t row = base + *position, now = s->snapshot->base_row;

	if (row < now || row - now > row_count(s))
		return false;
	*position = row - now;
	return true;
}

static enum otr_status
rows_expired(const struct side *s, struct otr_error *err)
{
	return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: rows of version %llu are no longer kept", (unsigned long long)s->snapshot->version);
}

/* The horizon moved: rows that are still to be compared or given must not be among those that went. */
static enum otr_status
check_expiry(struct otr_diff *d, struct side *s, struct otr_error *err)
{
	uint64_t first, next = s->out_from < s->out_to ? s->out_from : s->pos;
	enum otr_status status = next < s->end || s->out_from < s->out_to ? seek(d, s, s->snapshot->horizon_ns, &first, err) : OTR_END;

	if (status == OTR_OK && next < first)
		return rows_expired(s, err);
	return status == OTR_END ? OTR_OK : status;
}

/* The same, and goes on at the same row numbers there. */
static enum otr_status
recover_positions(struct otr_diff *d, enum otr_status failure, struct otr_error *err)
{
	struct side *s = d->culprit;
	int64_t horizon_ns = s == NULL ? 0 : s->snapshot->horizon_ns;
	int attempt;

	for (attempt = 0; ; attempt++) {
		uint64_t base = s == NULL ? 0 : s->snapshot->base_row;
		enum otr_status status = recover(d, failure, err);

		if (status != OTR_OK)
			return status;
		if (s->out_from == s->out_to)
			s->out_from = s->out_to = s->pos;
		if (!move(s, base, &s->pos) || !move(s, base, &s->end) || !move(s, base, &s->out_from) || !move(s, base, &s->out_to))
			return rows_expired(s, err);
		/* looking may fail for reuse as well */
		failure = s->snapshot->horizon_ns > horizon_ns ? check_expiry(d, s, err) : OTR_OK;
		if (failure == OTR_OK || failure == OTR_E_EXPIRED || attempt == RECOVERIES_MAX)
			return failure;
	}
}

enum otr_status
otr_diff_next(struct otr_diff *diff, struct otr_difference *difference, struct otr_error *err)
{
	struct otr_error failure = { .status = OTR_OK };
	enum otr_status status = diff->failure.status;
	int attempt;

	for (attempt = 0; status == OTR_OK; attempt++) {
		status = next(diff, difference, &failure);
		if (status == OTR_OK || status == OTR_END)
			return status;
		if (attempt < RECOVERIES_MAX)
			status = recover_positions(diff, status, &failure);
		if (status != OTR_OK)
			diff->failure = failure;
	}
	if (err != NULL)
		*err = diff->failure;
	return status;
}
