/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query.c - exact statistics of windows (otr_query_* of otr.h; SPEC 6.9).
 *
 *      window [a, b):   v0 |  v  v  v  v   v  v | v1         one pass from left to right finds the window's end and sums at once:
 *                          a                    b            rows of the leaf at its left edge, whole subtrees by their entries,
 *                     [ leaf ][  subtrees  ][ leaf ]         rows of the leaf at its right edge, riding rows
 *
 * A query stands at a row number and goes to the right only, so each inner page is read once, and a leaf is decoded once if it holds several
 * windows (`hot`).  What lies outside the window comes in twice: the last counted value before it (v0: carried from window to window), and the
 * first one after it (v1: sought in entries and leaves on a path of its own).  Empty windows cost nothing: the next window is that of the next row.
 *
 * Where a page was reused under the query (SPEC 10.4-5), the window is begun again in the newer state: all that is kept between windows is row
 * numbers, times and values.
 */
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "fpmath.h"
#include "intmath.h"
#include "walk.h"

#define LEAVES 3                       /* both edges of a window, and one that is searched */
#define RECOVERIES_MAX 100
#define FEW 12                         /* rows; see few_rows */

/* A counted value (SPEC 6-2): its time, and its word as in struct otr__stats. */
struct counted {
	bool has;
	int64_t time_ns;
	uint64_t word;
};

struct column {
	uint32_t index;
	struct otr__stats_rule rule;
	struct counted before;             /* the last one before row q->row */
	struct counted after;              /* the first one at or after it; kept only for OTR_WANT_AREA */
};

struct leaf {
	struct otr__ref ref;               /* page 0: empty */
	uint64_t position, used;
	struct otr__rows rows;
	size_t n;                          /* rows that belong to the version */
};

/* Bound i of POINTS: start + offset, where i span = offset points + rest. */
struct bound {
	uint64_t i, offset, rest;
};

struct otr_query {
	struct otr *file;
	struct otr__snapshot *snapshot;
	struct otr_window_spec spec;
	int64_t start_ns, end_ns;          /* the range; of POINTS: what it is divided over */
	uint64_t span_ns;                  /* POINTS: end - start */
	struct otr__walk walk, aside;      /* of the pass; of searches */
	struct leaf leaf[LEAVES], *hot;
	uint64_t clock;                    /* for the least recently used leaf */
	uint32_t columns;                  /* asked for: */
	struct column column[OTR_MAX_COLUMNS];
	struct otr_summary *summary;       /* [columns of the schema] */
	unsigned parts;                    /* of the records that are wanted: enum otr__stats_part */
	/* between windows */
	bool begun, done, given;           /* given: a window was given, so at_ns is where one ends */
	uint64_t row;                      /* number of the first row at or after at_ns */
	bool has_next;
	int64_t next_ns;                   /* its time */
	int64_t at_ns;
	struct bound bound;                /* POINTS: at_ns as a bound, if given */
	struct otr_error failure;
};

/* What a pass over [from, first row at or after end_ns) finds. */
struct pass {
	uint64_t from, to;                 /* positions */
	int64_t end_ns;
	bool has_next;                     /* a row at or after end_ns was seen, at `to` */
	int64_t next_ns;
	bool any;                          /* stats hold something */
	struct otr__stats stats[OTR_MAX_COLUMNS];
	struct counted after[OTR_MAX_COLUMNS];      /* OTR_WANT_AREA: the first one at or after `to` */
};

/* ---- leaves --------------------------------------------------------------------------------------------------------------- */

static void
forget(struct otr_query *q)
{
	unsigned i;

	for (i = 0; i < LEAVES; i++)
		q->leaf[i].ref.page = 0;
	q->hot = NULL;
	otr__walk_reset(&q->walk, &q->snapshot->tree);
	otr__walk_reset(&q->aside, &q->snapshot->tree);
}

static enum otr_status
get_leaf(struct otr_query *q, const struct otr__node *node, struct leaf **leaf, struct otr_error *err)
{
	struct otr__leaf_at at = otr__leaf_of_node(node);
	struct otr__tree *tree = &q->snapshot->tree;
	struct leaf *oldest = &q->leaf[0];
	enum otr_status status;
	unsigned i;

	for (i = 0; i < LEAVES; i++) {
		struct leaf *l = &q->leaf[i];

		if (l->ref.page != 0 && l->position == node->position && otr__ref_equal(&l->ref, &node->ref)) {
			l->used = ++q->clock;
			*leaf = l;
			return OTR_OK;
		}
		if (l->used < oldest->used)
			oldest = l;
	}
	oldest->ref.page = 0;
	if (oldest->rows.memory == NULL && !otr__rows_init(&oldest->rows, tree->schema->columns, 16))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__walk_rows(&q->walk, &at, q->spec.columns, &oldest->rows, err);
	if (status != OTR_OK)
		return status;
	oldest->ref = node->ref;
	oldest->position = node->position;
	oldest->n = tree->rows - node->position < oldest->rows.n ? (size_t)(tree->rows - node->position) : oldest->rows.n;
	oldest->used = ++q->clock;
	*leaf = oldest;
	return OTR_OK;
}

static const uint8_t *
presence(const struct otr__rows *rows, uint32_t column)
{
	return rows->has_null[column] ? rows->present[column] : NULL;
}

/* ---- the pass ------------------------------------------------------------------------------------------------------------- */

/*
 * otr__stats_some of a few rows, without its eight lanes, which cost more than the rows do.  As exact (SPEC 6.9-1), but not the same bits; nobody
 * stores them.  false: an infinity was met, or an overflow.
 */
static bool
few_rows(struct otr__stats *s, const struct otr__stats_rule *rule, const struct otr__rows *rows, uint32_t column, size_t from, size_t to,
    unsigned parts)
{
	bool is_float = otr__type_is_float(rule->type);
	struct otr__i128 exact = { .lo = 0, .hi = 0 };
	struct otr__dd sum = { .hi = 0.0, .lo = 0.0 }, e;
	double s1 = 0.0, s2 = 0.0, d, mean;
	uint64_t rest, value, word;
	size_t i;

	*s = (struct otr__stats){ .count = 0 };
	for (i = from; i < to; i++) {
		value = rows->value[column][i];
		if (!otr__row_present(rows, column, i))
			continue;
		if (!otr__value_counts(rule->type, value)) {
			s->nans++;
			continue;
		}
		word = otr__value_word(rule->type, value);
		if (is_float) {
			e = otr__two_sum(sum.hi, otr__double_of(word));
			sum = (struct otr__dd){ .hi = e.hi, .lo = sum.lo + e.lo };
		} else {
			exact = otr__i128_add_i64(exact, otr__i64(word));
		}
		if (s->count == 0) {
			s->min = s->max = s->first = word;
			s->t_first = rows->time_ns[i];
		} else {
			if (otr__word_less(rule->type, word, s->min))
				s->min = word;
			if (otr__word_less(rule->type, s->max, word))
				s->max = word;
			if ((parts & OTR__STATS_RISE) != 0)
				otr__stats_rise(&s->rise, rule, s->last, word);
			if ((parts & OTR__STATS_AREA) != 0)
				otr__stats_edge(s->area, &s->covered, rule, s->t_last, s->last, rows->time_ns[i], word, s->t_last, rows->time_ns[i]);
		}
		s->last = word;
		s->t_last = rows->time_ns[i];
		s->count++;
	}
	if (is_float && !otr__is_finite(otr__bits_of(sum.hi)))
		return false;
	if (is_float) {
		sum = otr__fast_sum(sum.hi, sum.lo);
		s->sum[0] = otr__bits_of(sum.hi);
		s->sum[1] = otr__bits_of(sum.lo);
	} else {
		s->sum[0] = exact.lo;
		s->sum[1] = (uint64_t)exact.hi;
	}
	if (s->count < 2 || (parts & OTR__STATS_M2) == 0)
		return true;
	mean = sum.hi / (double)s->count;
	if (!is_float)
		exact = otr__i128_div_u64(exact, s->count, &rest);
	for (i = from; i < to; i++) {
		value = rows->value[column][i];
		if (!otr__row_present(rows, column, i) || !otr__value_counts(rule->type, value))
			continue;
		if (is_float)
			d = otr__double_of(otr__value_word(rule->type, value)) - mean;
		else
			d = otr__i128_to_double(otr__i128_sub(otr__i128_of(otr__i64(value)), exact));
		s1 += d;
		s2 += d * d;
	}
	s2 -= s1 * s1 / (double)s->count;
	s->m2 = otr__bits_of(s2 > 0 ? s2 : 0.0);
	return otr__is_finite(s->m2);
}

static void
add_rows(struct otr_query *q, struct pass *p, const struct otr__rows *rows, size_t from, size_t to)
{
	struct otr__stats s;
	uint32_t i;

	if (from == to)
		return;
	for (i = 0; i < q->columns; i++) {
		const struct column *c = &q->column[i];
		struct otr__stats *into = p->any ? &s : &p->stats[i];

		if (to - from > FEW || !few_rows(into, &c->rule, rows, c->index, from, to, q->parts))
			otr__stats_some(into, &c->rule, rows->time_ns, rows->value[c->index], presence(rows, c->index), from, to, q->parts);
		if (p->any)
			otr__stats_merge(&p->stats[i], &s, &c->rule);
	}
	p->any = true;
}

static void
add_entry(struct otr_query *q, struct pass *p, unsigned level, uint32_t entry)
{
	struct otr__stats s;
	uint32_t i;

	for (i = 0; i < q->columns; i++) {
		if (p->any) {
			otr__walk_stats(&q->walk, level, entry, q->column[i].index, &s);
			otr__stats_merge(&p->stats[i], &s, &q->column[i].rule);
		} else {
			otr__walk_stats(&q->walk, level, entry, q->column[i].index, &p->stats[i]);
		}
	}
	p->any = true;
}

static enum otr_status
pass_leaf(struct otr_query *q, struct pass *p, const struct otr__node *node, struct otr_error *err)
{
	struct leaf *leaf;
	size_t from, to;
	enum otr_status status = get_leaf(q, node, &leaf, err);

	if (status != OTR_OK)
		return status;
	from = p->from > leaf->position ? (size_t)(p->from - leaf->position) : 0;
	to = from + otr__lower_bound(leaf->rows.time_ns + from, leaf->n - from, p->end_ns);
	add_rows(q, p, &leaf->rows, from, to);
	p->to = leaf->position + to;
	if (to < leaf->n) {
		p->has_next = true;
		p->next_ns = leaf->rows.time_ns[to];
		q->hot = leaf;
	}
	return OTR_OK;
}

/* The pass below one node.  Recursion: a level at a time, at most 15. */
static enum otr_status
pass_node(struct otr_query *q, struct pass *p, unsigned level, const struct otr__node *node, struct otr_error *err)
{
	const struct otr__walk_level *l = &q->walk.level[level];
	uint64_t rows = q->snapshot->tree.rows;
	enum otr_status status;
	uint32_t i;

	if (level == 0)
		return pass_leaf(q, p, node, err);
	status = otr__walk_load(&q->walk, level, node, err);
	if (status != OTR_OK)
		return status;
	for (i = p->from > node->position ? otr__walk_find(l, p->from) : 0; i < l->entries && l->position[i] < rows && !p->has_next; i++) {
		struct otr__node child;
		bool whole = l->position[i] >= p->from;

		if (whole && l->position[i + 1] <= rows && l->last_ns[i] < p->end_ns) {
			add_entry(q, p, level, i);
			p->to = l->position[i + 1];
			continue;
		}
		status = otr__walk_child(&q->walk, level, i, &child, err);
		if (status != OTR_OK)
			return status;
		if (whole && child.first_ns >= p->end_ns) {
			p->has_next = true;
			p->next_ns = child.first_ns;
			p->to = child.position;
			break;
		}
		status = pass_node(q, p, level - 1, &child, err);
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

/* Sums from position p->from to the first row at or after p->end_ns. */
static enum otr_status
pass(struct otr_query *q, struct pass *p, struct otr_error *err)
{
	const struct otr__snapshot *s = q->snapshot;
	uint64_t rows = s->tree.rows;
	size_t from, to;

	p->to = p->from;
	p->any = p->has_next = false;
	if (p->from < rows) {
		struct otr__node root = otr__walk_root(&q->walk);
		enum otr_status status = pass_node(q, p, s->tree.level, &root, err);

		if (status != OTR_OK || p->has_next)
			return status;
	}
	from = p->from > rows ? (size_t)(p->from - rows) : 0;
	to = from + otr__lower_bound(s->ride.time_ns + from, s->ride.n - from, p->end_ns);
	add_rows(q, p, &s->ride, from, to);
	p->to = rows + to;
	if (to < s->ride.n) {
		p->has_next = true;
		p->next_ns = s->ride.time_ns[to];
	}
	return OTR_OK;
}

/*
 * The same where the window ends before its first row's leaf does, and that leaf is at hand: false if not.  The end is sought by steps that double, since
 * most such windows hold few rows.
 */
static bool
pass_hot(struct otr_query *q, struct pass *p)
{
	const struct leaf *leaf = q->hot;
	const int64_t *time_ns;
	size_t from, to, by = 1;

	if (leaf == NULL || leaf->ref.page == 0 || p->from < leaf->position || p->from - leaf->position >= leaf->n)
		return false;
	time_ns = leaf->rows.time_ns;
	if (time_ns[leaf->n - 1] < p->end_ns)
		return false;
	from = to = (size_t)(p->from - leaf->position);
	while (to + by < leaf->n && time_ns[to + by] < p->end_ns) {
		to += by;
		by *= 2;
	}
	to += otr__lower_bound(time_ns + to, (to + by < leaf->n ? to + by : leaf->n) - to, p->end_ns);
	p->any = false;
	add_rows(q, p, &leaf->rows, from, to);
	p->to = leaf->position + to;
	p->has_next = true;
	p->next_ns = time_ns[to];
	return true;
}

/* ---- values beside the window --------------------------------------------------------------------------------------------- */

static bool
counted_at(const struct column *c, const struct otr__rows *rows, size_t i, struct counted *found)
{
	uint64_t value = rows->value[c->index][i];

	if (!otr__row_present(rows, c->index, i) || !otr__value_counts(c->rule.type, value))
		return false;
	*found = (struct counted){ .has = true, .time_ns = rows->time_ns[i], .word = otr__value_word(c->rule.type, value) };
	return true;
}

/* The first counted value of rows [from, to), or the last. */
static bool
counted_first(const struct column *c, const struct otr__rows *rows, size_t from, size_t to, struct counted *found)
{
	for (; from < to; from++)
		if (counted_at(c, rows, from, found))
			return true;
	return false;
}

static bool
counted_last(const struct column *c, const struct otr__rows *rows, size_t from, size_t to, struct counted *found)
{
	for (; to > from; to--)
		if (counted_at(c, rows, to - 1, found))
			return true;
	return false;
}

/* The first counted value at or after position, below one node; *found is left alone if there is none. */
static enum otr_status
first_below(struct otr_query *q, const struct column *c, uint64_t position, unsigned level, const struct otr__node *node, struct counted *found,
    struct otr_error *err)
{
	const struct otr__walk_level *l = &q->aside.level[level];
	uint64_t rows = q->snapshot->tree.rows;
	struct leaf *leaf;
	enum otr_status status;
	uint32_t i;

	if (level == 0) {
		status = get_leaf(q, node, &leaf, err);
		if (status == OTR_OK)
			(void)counted_first(c, &leaf->rows, position > leaf->position ? (size_t)(position - leaf->position) : 0, leaf->n, found);
		return status;
	}
	status = otr__walk_load(&q->aside, level, node, err);
	if (status != OTR_OK)
		return status;
	for (i = position > node->position ? otr__walk_find(l, position) : 0; i < l->entries && l->position[i] < rows && !found->has; i++) {
		struct otr__stats s;
		struct otr__node child;

		otr__walk_stats(&q->aside, level, i, c->index, &s);
		if (s.count == 0)
			continue;
		if (l->position[i] >= position && l->position[i + 1] <= rows) {
			*found = (struct counted){ .has = true, .time_ns = s.t_first, .word = s.first };
			return OTR_OK;
		}
		status = otr__walk_child(&q->aside, level, i, &child, err);
		if (status == OTR_OK)
			status = first_below(q, c, position, level - 1, &child, found, err);
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

/* The last counted value before position. */
static enum otr_status
last_below(struct otr_query *q, const struct column *c, uint64_t position, unsigned level, const struct otr__node *node, struct counted *found,
    struct otr_error *err)
{
	const struct otr__walk_level *l = &q->aside.level[level];
	struct leaf *leaf;
	enum otr_status status;
	uint32_t i;

	if (level == 0) {
		status = get_leaf(q, node, &leaf, err);
		if (status == OTR_OK)
			(void)counted_last(c, &leaf->rows, 0, position - leaf->position < leaf->n ? (size_t)(position - leaf->position) : leaf->n, found);
		return status;
	}
	status = otr__walk_load(&q->aside, level, node, err);
	if (status != OTR_OK)
		return status;
	/* what expired is not read: its pages may have been used again (SPEC 8.5-1) */
	for (i = otr__walk_find(l, position - 1) + 1; i > 0 && !found->has && l->last_ns[i - 1] >= q->snapshot->horizon_ns; i--) {
		struct otr__stats s;
		struct otr__node child;

		otr__walk_stats(&q->aside, level, i - 1, c->index, &s);
		if (s.count == 0)
			continue;
		if (l->position[i] <= position) {
			*found = (struct counted){ .has = true, .time_ns = s.t_last, .word = s.last };
			return OTR_OK;
		}
		status = otr__walk_child(&q->aside, level, i - 1, &child, err);
		if (status == OTR_OK)
			status = last_below(q, c, position, level - 1, &child, found, err);
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

static enum otr_status
find_after(struct otr_query *q, const struct column *c, uint64_t position, struct counted *found, struct otr_error *err)
{
	const struct otr__snapshot *s = q->snapshot;
	struct otr__node root = otr__walk_root(&q->aside);
	const struct leaf *hot = q->hot;
	enum otr_status status;

	*found = (struct counted){ .has = false };
	if (position < s->tree.rows) {
		if (hot != NULL && hot->ref.page != 0 && position >= hot->position && position - hot->position < hot->n) {
			if (counted_first(c, &hot->rows, (size_t)(position - hot->position), hot->n, found))
				return OTR_OK;
			position = hot->position + hot->n;
		}
	}
	if (position < s->tree.rows) {
		status = first_below(q, c, position, s->tree.level, &root, found, err);
		if (status != OTR_OK || found->has)
			return status;
		position = s->tree.rows;
	}
	(void)counted_first(c, &s->ride, (size_t)(position - s->tree.rows), s->ride.n, found);
	return OTR_OK;
}

static enum otr_status
find_before(struct otr_query *q, const struct column *c, uint64_t position, struct counted *found, struct otr_error *err)
{
	const struct otr__snapshot *s = q->snapshot;
	struct otr__node root = otr__walk_root(&q->aside);
	enum otr_status status = OTR_OK;

	*found = (struct counted){ .has = false };
	if (position > s->tree.rows) {
		if (counted_last(c, &s->ride, 0, (size_t)(position - s->tree.rows), found))
			return OTR_OK;
		position = s->tree.rows;
	}
	if (position > 0)
		status = last_below(q, c, position, s->tree.level, &root, found, err);
	if (found->has && found->time_ns < s->horizon_ns)
		found->has = false;                /* and all before it are older still */
	return status;
}

/* ---- where an extreme is -------------------------------------------------------------------------------------------------- */

struct wanted {
	const struct column *column;
	uint64_t from, to;                 /* positions */
	bool maximum;
	uint64_t word;
	bool found;
	int64_t time_ns;
};

static void
extreme_in_rows(struct wanted *w, const struct otr__rows *rows, size_t from, size_t to)
{
	struct counted v;

	for (; from < to && !w->found; from++) {
		if (counted_at(w->column, rows, from, &v) && v.word == w->word) {
			w->found = true;
			w->time_ns = v.time_ns;
		}
	}
}

static enum otr_status
extreme_below(struct otr_query *q, struct wanted *w, unsigned level, const struct otr__node *node, struct otr_error *err)
{
	const struct otr__walk_level *l = &q->aside.level[level];
	struct leaf *leaf;
	enum otr_status status;
	uint32_t i;

	if (level == 0) {
		status = get_leaf(q, node, &leaf, err);
		if (status == OTR_OK)
			extreme_in_rows(w, &leaf->rows, w->from > leaf->position ? (size_t)(w->from - leaf->position) : 0,
			    w->to - leaf->position < leaf->n ? (size_t)(w->to - leaf->position) : leaf->n);
		return status;
	}
	status = otr__walk_load(&q->aside, level, node, err);
	if (status != OTR_OK)
		return status;
	for (i = w->from > node->position ? otr__walk_find(l, w->from) : 0; i < l->entries && l->position[i] < w->to && !w->found; i++) {
		struct otr__stats s;
		struct otr__node child;

		/* an entry that lies only partly in the window may have more extreme values outside it */
		otr__walk_stats(&q->aside, level, i, w->column->index, &s);
		if (s.count == 0 ||
		    (l->position[i] >= w->from && l->position[i + 1] <= w->to && (w->maximum ? s.max : s.min) != w->word))
			continue;
		status = otr__walk_child(&q->aside, level, i, &child, err);
		if (status == OTR_OK)
			status = extreme_below(q, w, level - 1, &child, err);
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

static enum otr_status
find_extreme(struct otr_query *q, const struct column *c, const struct pass *p, bool maximum, uint64_t word, int64_t *time_ns, struct otr_error *err)
{
	const struct otr__snapshot *s = q->snapshot;
	struct otr__node root = otr__walk_root(&q->aside);
	struct wanted w = { .column = c, .from = p->from, .to = p->to, .maximum = maximum, .word = word };
	const struct leaf *hot = q->hot;
	uint64_t rows = s->tree.rows;
	enum otr_status status = OTR_OK;

	if (hot != NULL && hot->ref.page != 0 && p->from >= hot->position && p->to - hot->position <= hot->n)
		extreme_in_rows(&w, &hot->rows, (size_t)(p->from - hot->position), (size_t)(p->to - hot->position));
	else if (p->from < rows) {
		if (w.to > rows)
			w.to = rows;
		status = extreme_below(q, &w, s->tree.level, &root, err);
	}
	if (status == OTR_OK && !w.found && p->to > rows)
		extreme_in_rows(&w, &s->ride, p->from > rows ? (size_t)(p->from - rows) : 0, (size_t)(p->to - rows));
	if (status == OTR_OK && !w.found)
		status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "a least or greatest value that the statistics claim is not there");
	*time_ns = w.time_ns;
	return status;
}

/* ---- the bounds of windows ------------------------------------------------------------------------------------------------- */

/* floor(a b / c) for a quotient below 2^64, c > 0. */
static uint64_t
scale(uint64_t a, uint64_t b, uint64_t c, uint64_t *remainder)
{
	struct otr__i128 p = otr__i128_mul_u64(a, b);
	uint64_t high = (uint64_t)p.hi, low = p.lo, quotient = 0;
	unsigned i;

	if (high == 0) {
		*remainder = low % c;
		return low / c;
	}
	for (i = 64; i-- > 0; ) {
		bool carry = high >> 63 != 0;

		high = high << 1 | (low >> i & 1);
		quotient <<= 1;
		if (carry || high >= c) {
			high -= c;
			quotient |= 1;
		}
	}
	*remainder = high;
	return quotient;
}

static int64_t
time_of(const struct otr_query *q, const struct bound *b)
{
	return otr__wrap_add(q->start_ns, otr__i64(b->offset));
}

/* The bound after b, without a division of 128 bits: mostly one window follows another. */
static struct bound
bound_after(const struct otr_query *q, struct bound b)
{
	uint64_t points = q->spec.points, rest = q->span_ns % points;

	b.i++;
	b.offset += q->span_ns / points;
	if (b.rest >= points - rest) {
		b.offset++;
		b.rest -= points - rest;
	} else {
		b.rest += rest;
	}
	return b;
}

/* The window of POINTS that holds time x; q->bound becomes its end. */
static void
part_of(struct otr_query *q, int64_t x, int64_t *start_ns, int64_t *end_ns)
{
	struct bound low = q->bound, high;
	uint64_t rest;

	high = bound_after(q, low);
	if (!q->given || x >= time_of(q, &high)) {
		/* the greatest i with i span / points < x - start + 1 */
		low.i = scale(otr__distance(q->start_ns, x) + 1, q->spec.points, q->span_ns, &rest);
		low.i -= rest == 0;
		low.offset = scale(low.i, q->span_ns, q->spec.points, &low.rest);
		high = bound_after(q, low);
	}
	*start_ns = time_of(q, &low);
	*end_ns = time_of(q, &high);
	q->bound = high;
}

/* The window that holds time x >= at_ns, unclipped but for the limits of time. */
static void
window_of(struct otr_query *q, int64_t x, int64_t *start_ns, int64_t *end_ns)
{
	uint64_t width = q->spec.width_ns, off;
	int64_t origin = q->spec.origin_ns;

	if (q->spec.kind == OTR_WINDOW_POINTS) {
		part_of(q, x, start_ns, end_ns);
		return;
	}
	if (q->given && otr__distance(q->at_ns, x) < width) {
		off = otr__distance(q->at_ns, x);
	} else if (x >= origin) {
		off = otr__distance(origin, x) % width;
	} else {
		off = otr__distance(x, origin) % width;
		off = off == 0 ? 0 : width - off;
	}
	*start_ns = otr__distance(OTR_TIME_MIN, x) >= off ? otr__i64((uint64_t)x - off) : OTR_TIME_MIN;
	*end_ns = otr__distance(x, INT64_MAX) > width - off ? otr__i64((uint64_t)x + (width - off)) : INT64_MAX;
}

static bool
finite(const struct column *c, uint64_t word)
{
	return !otr__type_is_float(c->rule.type) || otr__is_finite(word);
}

/* Whether a pair covers the time from at_ns to the next row (SPEC 6.7): no row is between, so it covers all of that or nothing. */
static bool
is_covered(const struct otr_query *q)
{
	uint32_t i;

	for (i = 0; i < q->columns; i++) {
		const struct column *c = &q->column[i];

		if (c->before.has && c->after.has && c->after.time_ns > q->at_ns && c->before.time_ns < q->at_ns &&
		    (!c->rule.has_gap || otr__distance(c->before.time_ns, c->after.time_ns) <= c->rule.gap_ns) &&
		    finite(c, c->before.word) && finite(c, c->after.word))
			return true;
	}
	return false;
}

/* The next window that has to be given; false: none. */
static bool
choose(struct otr_query *q, int64_t *start_ns, int64_t *end_ns)
{
	int64_t x = q->has_next ? q->next_ns : INT64_MAX;

	if (q->spec.kind == OTR_WINDOW_WHOLE) {
		*start_ns = q->start_ns != INT64_MIN || !q->has_next || x >= q->end_ns ? q->start_ns : x;
		*end_ns = q->end_ns;
		return !q->given;
	}
	if (q->at_ns >= q->end_ns)
		return false;
	/* never back, even where riding rows of a made-up file are earlier than the tree's */
	if (x < q->at_ns)
		x = q->at_ns;
	if ((q->spec.want & OTR_WANT_AREA) != 0 && x > q->at_ns && is_covered(q))
		x = q->at_ns;
	if (x >= q->end_ns)
		return false;
	window_of(q, x, start_ns, end_ns);
	return true;
}

/* ---- one window ----------------------------------------------------------------------------------------------------------- */

static union otr_value
value_of(const struct column *c, uint64_t word)
{
	union otr_value v;

	if (otr__type_is_float(c->rule.type))
		v.f = otr__double_of(word);
	else
		v.i = otr__i64(word);
	return v;
}

static void
fill_counted(const struct column *c, struct otr_summary *out, struct otr__stats *s, unsigned want)
{
	out->min = value_of(c, s->min);
	out->max = value_of(c, s->max);
	out->first = value_of(c, s->first);
	out->last = value_of(c, s->last);
	out->tfirst_ns = s->t_first;
	out->tlast_ns = s->t_last;
	if (otr__type_is_float(c->rule.type)) {
		out->sum_hi = otr__double_of(s->sum[0]);
		out->sum_lo = otr__double_of(s->sum[1]);
	} else {
		out->sum_low = s->sum[0];
		out->sum_high = otr__i64(s->sum[1]);
	}
	if ((want & OTR_WANT_VARIANCE) != 0)
		out->m2 = otr__double_of(s->m2);
	if ((want & OTR_WANT_RISE) == 0)
		return;
	/* pairs end in the window one after another, so their spans add up to this */
	out->has_rise = s->count > 1 || c->before.has;
	out->rise_span_ns = otr__distance(c->before.has ? c->before.time_ns : s->t_first, s->t_last);
	if (c->before.has)
		otr__stats_rise(&s->rise, &c->rule, c->before.word, s->first);
	if (otr__type_is_float(c->rule.type))
		out->rise_f = otr__double_of(s->rise);
	else
		out->rise_i = s->rise;
}

/* The summary of one column; a and b: the window, clipped by the range. */
static enum otr_status
fill(struct otr_query *q, struct column *c, const struct pass *p, struct otr__stats *s, const struct counted *after, int64_t a, int64_t b,
    struct otr_error *err)
{
	struct otr_summary *out = &q->summary[c->index];
	enum otr_status status = OTR_OK;

	*out = (struct otr_summary){ .rows = p->to - p->from, .count = s->count, .nans = s->nans };
	if ((q->spec.want & OTR_WANT_AREA) != 0) {
		const struct counted *v0 = &c->before, *v1 = after;

		if (s->count > 0 && v0->has)
			otr__stats_edge(s->area, &s->covered, &c->rule, v0->time_ns, v0->word, s->t_first, s->first, a, b);
		if (s->count > 0 && v1->has)
			otr__stats_edge(s->area, &s->covered, &c->rule, s->t_last, s->last, v1->time_ns, v1->word, a, b);
		if (s->count == 0 && v0->has && v1->has)
			otr__stats_edge(s->area, &s->covered, &c->rule, v0->time_ns, v0->word, v1->time_ns, v1->word, a, b);
	}
	out->area_hi = otr__double_of(s->area[0]);
	out->area_lo = otr__double_of(s->area[1]);
	out->covered_ns = s->covered;
	if (s->count == 0)
		return OTR_OK;
	fill_counted(c, out, s, q->spec.want);
	if ((q->spec.want & OTR_WANT_EXTREMES) != 0) {
		status = find_extreme(q, c, p, false, s->min, &out->tmin_ns, err);
		if (status == OTR_OK)
			status = find_extreme(q, c, p, true, s->max, &out->tmax_ns, err);
	}
	return status;
}

/* Finds the first row of the range, and what lies beside it. */
static enum otr_status
begin(struct otr_query *q, struct otr_error *err)
{
	struct otr__snapshot *s = q->snapshot;
	struct pass p = { .from = 0 };
	enum otr_status status;
	int64_t from_ns = q->start_ns > s->horizon_ns ? q->start_ns : s->horizon_ns;
	uint64_t position = 0;
	uint32_t i;

	if (from_ns > OTR_TIME_MIN && s->tree.rows > 0) {
		struct otr__node node = otr__walk_root(&q->walk);
		unsigned level = s->tree.level;
		struct leaf *leaf;

		/* down to the first row at or after from_ns; as the pass does, without summing */
		for (; level > 0 && node.first_ns < from_ns; level--) {
			const struct otr__walk_level *l = &q->walk.level[level];
			uint32_t k;

			status = otr__walk_load(&q->walk, level, &node, err);
			if (status != OTR_OK)
				return status;
			k = otr__walk_find_time(l, from_ns);
			if (k == l->entries) {
				node.position = l->position[k];
				break;
			}
			status = otr__walk_child(&q->walk, level, k, &node, err);
			if (status != OTR_OK)
				return status;
		}
		position = node.position;
		if (level == 0 && node.first_ns < from_ns && position < s->tree.rows) {
			status = get_leaf(q, &node, &leaf, err);
			if (status != OTR_OK)
				return status;
			q->hot = leaf;
			position += otr__lower_bound(leaf->rows.time_ns, leaf->n, from_ns);
		}
		if (position > s->tree.rows)
			position = s->tree.rows;
	}
	if (position == s->tree.rows)
		position += otr__lower_bound(s->ride.time_ns, s->ride.n, from_ns);
	/* a pass that ends before it begins gives the time of the first row */
	p.from = position;
	p.end_ns = INT64_MIN;
	status = pass(q, &p, err);
	for (i = 0; i < q->columns && status == OTR_OK; i++) {
		struct column *c = &q->column[i];

		status = find_before(q, c, position, &c->before, err);
		if (status == OTR_OK && (q->spec.want & OTR_WANT_AREA) != 0)
			status = find_after(q, c, position, &c->after, err);
	}
	if (status != OTR_OK)
		return status;
	q->row = s->base_row + position;
	q->has_next = p.has_next;
	q->next_ns = p.next_ns;
	q->at_ns = q->start_ns;
	q->begun = true;
	return OTR_OK;
}

static enum otr_status
step(struct otr_query *q, struct otr_window *window, struct otr_error *err)
{
	struct otr__snapshot *s = q->snapshot;
	int64_t start_ns, end_ns, a, b;
	struct bound bound;
	struct pass p;
	enum otr_status status;
	uint32_t i;

	if (!q->begun) {
		status = begin(q, err);
		if (status != OTR_OK)
			return status;
	}
	bound = q->bound;
	if (!choose(q, &start_ns, &end_ns))
		return OTR_END;
	if (q->row < s->base_row || q->row - s->base_row > s->tree.rows + s->ride.n)
		return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: row %llu of version %llu is no longer kept", (unsigned long long)q->row,
		    (unsigned long long)s->version);
	a = start_ns > q->start_ns ? start_ns : q->start_ns;
	b = end_ns < q->end_ns ? end_ns : q->end_ns;
	if (q->spec.kind == OTR_WINDOW_WHOLE)
		a = q->start_ns;
	p.from = q->row - s->base_row;
	p.end_ns = b;
	status = OTR_OK;
	if (q->has_next && q->next_ns >= b) {
		p.to = p.from;
		p.any = false;
		p.has_next = true;
		p.next_ns = q->next_ns;
	} else if (!pass_hot(q, &p)) {
		status = pass(q, &p, err);
	}
	if (!p.any)
		memset(p.stats, 0, q->columns * sizeof p.stats[0]);
	for (i = 0; i < q->columns && status == OTR_OK && (q->spec.want & OTR_WANT_AREA) != 0; i++) {
		const struct column *c = &q->column[i];

		if (!c->after.has || c->after.time_ns >= b)
			p.after[i] = c->after;
		else
			status = find_after(q, c, p.to, &p.after[i], err);
	}
	for (i = 0; i < q->columns && status == OTR_OK; i++)
		status = fill(q, &q->column[i], &p, &p.stats[i], &p.after[i], a, b, err);
	if (status != OTR_OK) {
		q->bound = bound;
		return status;
	}
	/* nothing can fail from here on, and nothing was changed before: so a window can be begun again */
	for (i = 0; i < q->columns && (q->spec.want & OTR_WANT_AREA) != 0; i++)
		q->column[i].after = p.after[i];
	for (i = 0; i < q->columns; i++)
		if (p.stats[i].count > 0)
			q->column[i].before = (struct counted){ .has = true, .time_ns = p.stats[i].t_last, .word = p.stats[i].last };
	*window = (struct otr_window){ .start_ns = start_ns, .rows = p.to - p.from, .column = q->summary };
	q->row = s->base_row + p.to;
	q->has_next = p.has_next;
	q->next_ns = p.next_ns;
	q->at_ns = b;
	q->given = true;
	return OTR_OK;
}

/* ---- public --------------------------------------------------------------------------------------------------------------- */

/* The range that POINTS divides.  false: a series without rows there. */
static bool
divide(struct otr_query *q)
{
	const struct otr__snapshot *s = q->snapshot;

	if ((q->start_ns == INT64_MIN || q->end_ns == INT64_MAX) && s->rows == 0)
		return false;
	if (q->start_ns == INT64_MIN)
		q->start_ns = s->first_ns;
	if (q->end_ns == INT64_MAX)
		q->end_ns = s->last_ns + 1;        /* a time, so no overflow */
	if (q->start_ns >= q->end_ns)
		return false;
	q->span_ns = otr__distance(q->start_ns, q->end_ns);
	return true;
}

static enum otr_status
check(struct otr *file, const struct otr_window_spec *spec, struct otr_error *err)
{
	uint64_t unknown = spec->columns & file->header.unsupported_columns;

	if (spec->start_ns > spec->end_ns)
		return otr__fail(err, OTR_E_ARG, "", "the range starts after its end");
	if (spec->kind == OTR_WINDOW_FIXED && (spec->width_ns == 0 || spec->width_ns > INT64_MAX))
		return otr__fail(err, OTR_E_ARG, "", "a window of %llu ns; windows are 1 to 9223372036854775807 ns", (unsigned long long)spec->width_ns);
	if (spec->kind == OTR_WINDOW_POINTS && (spec->points == 0 || (spec->start_ns == spec->end_ns && spec->start_ns != INT64_MIN)))
		return otr__fail(err, OTR_E_ARG, "", "%llu points over a range of %s", (unsigned long long)spec->points,
		    spec->points == 0 ? "time" : "no nanoseconds");
	if (unknown != 0)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.4", "column %s has a type that this program does not know",
		    file->header.schema.column[otr__trailing_zeros(unknown)].name);
	return OTR_OK;
}

enum otr_status
otr_query_open(struct otr *file, const struct otr_window_spec *spec, struct otr_query **query, struct otr_error *err)
{
	const struct otr_schema *schema = &file->header.schema;
	struct otr_window_spec asked = *spec;
	struct otr_query *q;
	enum otr_status status;
	uint32_t i;

	asked.columns &= UINT64_MAX >> (64 - schema->columns);
	status = check(file, &asked, err);
	if (status != OTR_OK)
		return status;
	q = calloc(1, sizeof *q);
	if (q != NULL)
		q->summary = calloc(schema->columns, sizeof *q->summary);
	if (q == NULL || q->summary == NULL) {
		free(q);
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	q->file = file;
	q->snapshot = otr__snapshot_hold(file->snapshot);
	q->spec = asked;
	q->parts = ((asked.want & OTR_WANT_AREA) != 0 ? (unsigned)OTR__STATS_AREA : 0) | ((asked.want & OTR_WANT_RISE) != 0 ? (unsigned)OTR__STATS_RISE : 0) |
	    ((asked.want & OTR_WANT_VARIANCE) != 0 ? (unsigned)OTR__STATS_M2 : 0);
	q->start_ns = asked.start_ns;
	q->end_ns = asked.end_ns;
	otr__walk_init(&q->walk, &q->snapshot->tree);
	otr__walk_init(&q->aside, &q->snapshot->tree);
	for (i = 0; i < schema->columns; i++)
		if ((asked.columns >> i & 1) != 0)
			q->column[q->columns++] = (struct column){ .index = i, .rule = { .type = schema->column[i].type,
				.interpolation = schema->column[i].interpolation, .has_gap = schema->has_gap, .gap_ns = schema->gap_ns } };
	if (asked.kind == OTR_WINDOW_POINTS) {
		q->done = !divide(q);
		if (!q->done && asked.points > q->span_ns) {
			status = otr__fail(err, OTR_E_ARG, "", "%llu points over a range of %llu nanoseconds", (unsigned long long)asked.points,
			    (unsigned long long)q->span_ns);
			otr_query_close(q);
			return status;
		}
	}
	*query = q;
	return OTR_OK;
}

/* The same version in a newer state; rows of the windows to come must not have expired in it. */
static enum otr_status
recover(struct otr_query *q, enum otr_status failure, struct otr_error *err)
{
	enum otr_status status = otr__db_recover(q->file, &q->snapshot, failure, err);

	if (status != OTR_OK)
		return status;
	forget(q);
	if (q->begun && q->has_next && q->next_ns < q->snapshot->horizon_ns)
		return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: rows of version %llu are no longer kept",
		    (unsigned long long)q->snapshot->version);
	return OTR_OK;
}

enum otr_status
otr_query_next(struct otr_query *query, struct otr_window *window, struct otr_error *err)
{
	struct otr_query *q = query;
	struct otr_error failure = { .status = OTR_OK };
	enum otr_status status;
	int attempt;

	if (q->failure.status != OTR_OK) {
		if (err != NULL)
			*err = q->failure;
		return q->failure.status;
	}
	if (q->done)
		return OTR_END;
	for (attempt = 0; ; attempt++) {
		status = step(q, window, &failure);
		if (status == OTR_OK)
			return OTR_OK;
		if (status == OTR_END) {
			q->done = true;
			return OTR_END;
		}
		if (attempt == RECOVERIES_MAX)
			break;
		status = recover(q, status, &failure);
		if (status != OTR_OK)
			break;
	}
	q->failure = failure;
	if (err != NULL)
		*err = failure;
	return status;
}

void
otr_query_close(struct otr_query *query)
{
	unsigned i;

	if (query == NULL)
		return;
	for (i = 0; i < LEAVES; i++)
		if (query->leaf[i].rows.memory != NULL)
			otr__rows_release(&query->leaf[i].rows);
	otr__walk_release(&query->walk);
	otr__walk_release(&query->aside);
	otr__snapshot_drop(query->snapshot);
	free(query->summary);
	free(query);
}
