/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay.c - see overlay.h.
 *
 * All first and last times cut the stretch into cells: instants, and what lies between two of them.
 *
 *      time       a     b        c     d              cell 2i is the instant at[i], cell 2i + 1 what lies between at[i] and at[i + 1]
 *      cell       0  1  2   3    4  5  6
 *      newer            [--------]                    paints 2 3 4 first
 *      older      [--------------------]              paints 0 1 5 6: it is stale, and gives its rows of [a, b) and (c, d]
 *      beside                    [-----]              would share one instant with the newer one: not stale, all its rows come
 *
 * Leaves paint in order of rank, each what is not painted yet; a jump over painted cells costs next to nothing (union-find), so it is n log n in all.  A leaf that finds
 * paint between its first and last time is *stale*: the newer one was written in its place, and it gives only rows in cells of its own.  Leaves that merely touch
 * are neighbours of one tree, where equal times may straddle leaves (SPEC 5.3-4).
 */
#include "overlay.h"

#include <stdlib.h>

#include "tree.h"

#define NOBODY UINT32_MAX
#define LEAVES_MAX ((size_t)1 << 28)

struct overlay {
	const struct otr__claim **leaf;
	size_t n, instants;
	int64_t first_ns, last_ns;
	bool keep;
	int64_t *at;                     /* [instants] */
	uint32_t *owner, *next;          /* [cells + 1]: index of the leaf that painted it; a cell at or behind it that is not painted */
	uint8_t *stale;                  /* [n] */
};

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

static int
compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_time(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* The greater rank first; what is of one rank, in an order that depends on the file alone. */
static int
by_rank(const void *x, const void *y)
{
	const struct otr__claim *a = *(const struct otr__claim *const *)x, *b = *(const struct otr__claim *const *)y;
	int by = compare(b->rank, a->rank);

	if (by == 0)
		by = compare(b->ref.generation, a->ref.generation);
	return by != 0 ? by : compare(a->ref.page, b->ref.page);
}

static int
by_instant(const void *x, const void *y)
{
	return compare_time(*(const int64_t *)x, *(const int64_t *)y);
}

static int
by_piece(const void *x, const void *y)
{
	const struct otr__piece *a = x, *b = y;
	int by = compare_time(a->first_ns, b->first_ns);

	if (by == 0)
		by = compare_time(a->last_ns, b->last_ns);
	if (by == 0)
		by = compare(a->leaf->ref.generation, b->leaf->ref.generation);
	return by != 0 ? by : compare(a->leaf->ref.page, b->leaf->ref.page);
}

static int64_t
clip(const struct overlay *o, int64_t t)
{
	return t < o->first_ns ? o->first_ns : t > o->last_ns ? o->last_ns : t;
}

/* The cell of an instant that is in at. */
static size_t
cell_of(const struct overlay *o, int64_t t)
{
	return 2 * otr__lower_bound(o->at, o->instants, t);
}

/* The first cell at or behind c that is not painted, `cells` if there is none. */
static size_t
unpainted(struct overlay *o, size_t c)
{
	size_t found = c;

	while (o->next[found] != found)
		found = o->next[found];
	while (o->next[c] != c) {
		size_t next = o->next[c];

		o->next[c] = (uint32_t)found;
		c = next;
	}
	return found;
}

/* Cells a..b; whether one of them had been painted before. */
static bool
paint(struct overlay *o, size_t a, size_t b, size_t who)
{
	size_t c, expected = a;
	bool met = false;

	for (c = unpainted(o, a); c <= b; c = unpainted(o, c)) {
		met = met || c != expected;
		o->owner[c] = (uint32_t)who;
		o->next[c] = (uint32_t)c + 1;
		expected = c + 1;
	}
	return met || expected <= b;
}

/* Whether a leaf of a single instant t is hidden by the one that painted it. */
static bool
is_hidden(const struct overlay *o, const struct otr__claim *by, int64_t t)
{
	return !o->keep || (t != by->first_ns && t != by->last_ns);
}

static void
put_down(struct overlay *o, size_t who)
{
	const struct otr__claim *leaf = o->leaf[who];
	int64_t first_ns = clip(o, leaf->first_ns), last_ns = clip(o, leaf->last_ns), after_ns = clip(o, leaf->after_ns),
	    before_ns = clip(o, leaf->before_ns);
	size_t a = cell_of(o, first_ns), b = cell_of(o, last_ns);
	bool stale = first_ns != leaf->first_ns || last_ns != leaf->last_ns;

	if (a < b)
		stale = paint(o, a + 1, b - 1, who) || stale;
	else if (o->owner[a] != NOBODY)
		stale = stale || is_hidden(o, o->leaf[o->owner[a]], first_ns);
	(void)paint(o, a, a, who);
	(void)paint(o, b, b, who);
	/* the silence around it hides rows of the older ones, too */
	if (after_ns < first_ns)
		(void)paint(o, cell_of(o, after_ns) + 1, a - 1, who);
	if (before_ns > last_ns)
		(void)paint(o, b + 1, cell_of(o, before_ns) - 1, who);
	o->stale[who] = stale;
}

/* Cells a..b, all painted by who, as times; false if no time lies there. */
static bool
times_of(const struct overlay *o, size_t who, size_t a, size_t b, struct otr__piece *p)
{
	int64_t first_ns = o->at[a / 2] + (int64_t)(a & 1), last_ns = o->at[(b + 1) / 2] - (int64_t)(b & 1);

	*p = (struct otr__piece){ .leaf = o->leaf[who] };
	p->first_ns = first_ns > p->leaf->first_ns ? first_ns : p->leaf->first_ns;
	p->last_ns = last_ns < p->leaf->last_ns ? last_ns : p->leaf->last_ns;
	return p->first_ns <= p->last_ns;
}

static enum otr_status
collect(const struct overlay *o, struct otr__piece **piece, size_t *pieces, struct otr_error *err)
{
	size_t cells = 2 * o->instants - 1, runs = 0, whole = 0, n = 0, i, end;
	struct otr__piece *p;

	for (i = 0; i < o->n; i++)
		whole += o->stale[i] == 0;
	for (i = 0; i < cells; i++)
		runs += o->owner[i] != NOBODY && o->stale[o->owner[i]] != 0 && (i == 0 || o->owner[i - 1] != o->owner[i]);
	*pieces = 0;
	*piece = NULL;
	if (whole + runs == 0)
		return OTR_OK;
	p = malloc((whole + runs) * sizeof *p);
	if (p == NULL)
		return no_memory(err);
	for (i = 0; i < o->n; i++)
		if (o->stale[i] == 0)
			p[n++] = (struct otr__piece){ .leaf = o->leaf[i], .first_ns = o->leaf[i]->first_ns, .last_ns = o->leaf[i]->last_ns };
	for (i = 0; i < cells; i = end) {
		for (end = i + 1; end < cells && o->owner[end] == o->owner[i]; end++)
			;
		if (o->owner[i] != NOBODY && o->stale[o->owner[i]] != 0)
			n += times_of(o, o->owner[i], i, end - 1, &p[n]);
	}
	qsort(p, n, sizeof *p, by_piece);
	*piece = p;
	*pieces = n;
	return OTR_OK;
}

enum otr_status
otr__overlay(const struct otr__claim **leaf, size_t n, int64_t first_ns, int64_t last_ns, bool keep, struct otr__piece **piece, size_t *pieces,
    struct otr_error *err)
{
	struct overlay o = { .leaf = leaf, .n = n, .first_ns = first_ns, .last_ns = last_ns, .keep = keep };
	enum otr_status status = OTR_OK;
	size_t i, m = 0;

	*piece = NULL;
	*pieces = 0;
	if (n == 0)
		return OTR_OK;
	if (n > LEAVES_MAX)
		return otr__fail(err, OTR_E_LIMIT, "", "more than %zu leaves under lost pages", LEAVES_MAX);
	qsort(leaf, n, sizeof *leaf, by_rank);
	o.at = malloc(4 * n * sizeof *o.at);
	o.stale = malloc(n);
	if (o.at == NULL || o.stale == NULL) {
		status = no_memory(err);
		goto out;
	}
	for (i = 0; i < n; i++) {
		o.at[m++] = clip(&o, leaf[i]->first_ns);
		o.at[m++] = clip(&o, leaf[i]->last_ns);
		o.at[m++] = clip(&o, leaf[i]->after_ns);
		o.at[m++] = clip(&o, leaf[i]->before_ns);
	}
	qsort(o.at, m, sizeof *o.at, by_instant);
	for (i = 0; i < m; i++)
		if (i == 0 || o.at[i] != o.at[o.instants - 1])
			o.at[o.instants++] = o.at[i];
	o.owner = malloc(2 * o.instants * sizeof *o.owner);
	o.next = malloc(2 * o.instants * sizeof *o.next);
	if (o.owner == NULL || o.next == NULL) {
		status = no_memory(err);
		goto out;
	}
	for (i = 0; i < 2 * o.instants; i++) {
		o.owner[i] = NOBODY;
		o.next[i] = (uint32_t)i;
	}
	for (i = 0; i < n; i++)
		put_down(&o, i);
	status = collect(&o, piece, pieces, err);
out:
	free(o.at);
	free(o.stale);
	free(o.owner);
	free(o.next);
	return status;
}
