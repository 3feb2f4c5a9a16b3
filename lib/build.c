/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * build.c - the writing half of the tree (see build.h).
 *
 * Appending.  The builder holds the right edge of the tree open: for each level one inner page being filled, and below them a buffer of rows.
 * It starts with the edge of the old tree taken apart: the inner pages on the way to the last leaf without their last entry, and that leaf's rows.
 *
 *      level 2   [ a b c . . ]            a full page is written and becomes an entry one level up;
 *      level 1   [ d e . . . ]            at the end all are written, from the bottom up
 *      rows      |||||||||----            a leaf is cut off the front as soon as a whole leaf's worth lies behind it
 *
 * So that the cuts depend on the rows alone, a leaf is cut only when otr__leaf_rows_max rows are there to choose from, or at the end.
 *
 * Merging.  A walk down to the leaves that late rows belong to.  Each touched page becomes one page, or, when it overflows, as many as are needed, evenly
 * filled, so that the next late row finds room.  Depth is bounded by the root's level.
 */
#include "build.h"

#include <stdlib.h>
#include <string.h>

/* Inner entries as they lie in a page: a growing list in page form, so that the accessors of inner.h work on it. */
struct list {
	uint8_t *bytes;                  /* OTR__INNER_FIXED bytes, then entries */
	uint32_t n, capacity;
};

static size_t
list_bytes(uint32_t columns, size_t n)
{
	return OTR__INNER_FIXED + n * OTR__ENTRY_BYTES(columns);
}

static bool
list_add_raw(struct list *list, uint32_t columns, const uint8_t *entry)
{
	size_t size = OTR__ENTRY_BYTES(columns);

	if (list->n == list->capacity) {
		uint32_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
		uint8_t *grown = realloc(list->bytes, list_bytes(columns, capacity));

		if (grown == NULL)
			return false;
		list->bytes = grown;
		list->capacity = capacity;
	}
	memcpy(list->bytes + OTR__INNER_FIXED + list->n * size, entry, size);
	list->n++;
	return true;
}

static bool
list_add(struct list *list, uint32_t columns, const struct otr__entry *entry, const struct otr__stats *stats)
{
	uint8_t one[OTR__INNER_FIXED + OTR__ENTRY_BYTES(OTR_MAX_COLUMNS)];

	otr__inner_put(one, columns, 0, entry, stats);
	return list_add_raw(list, columns, one + OTR__INNER_FIXED);
}

static const uint8_t *
list_raw(const struct list *list, uint32_t columns, uint32_t i)
{
	return list->bytes + OTR__INNER_FIXED + i * (size_t)OTR__ENTRY_BYTES(columns);
}

/* What both ways of writing share. */
struct maker {
	struct otr__space *space;
	const struct otr_schema *schema;
	struct otr__scratch *scratch;
	struct otr__leaf_hint hint;
	uint8_t *page, *best;            /* twice a page: an encoder that ran over tells by how much */
	size_t guess;                    /* rows of the leaf before */
};

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

static bool
maker_init(struct maker *m, struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch)
{
	*m = (struct maker){ .space = space, .schema = schema, .scratch = scratch, .guess = 1024 };
	m->page = malloc(2 * (size_t)schema->page_bytes);
	m->best = malloc(schema->page_bytes);
	return m->page != NULL && m->best != NULL;
}

static void
maker_release(struct maker *m)
{
	free(m->page);
	free(m->best);
}

static struct otr__stats_rule
rule_of(const struct otr_schema *schema, uint32_t c)
{
	return (struct otr__stats_rule){ .type = schema->column[c].type, .interpolation = schema->column[c].interpolation, .has_gap = schema->has_gap,
		.gap_ns = schema->gap_ns };
}

/* Encodes rows [from, from + n) into m->page; true if a page holds them.  *used: bytes, also of up to two pages, 0 beyond. */
static bool
try_leaf(struct maker *m, const struct otr__rows *rows, size_t from, size_t n, uint32_t *used)
{
	struct otr__leaf_hint hint = m->hint;

	*used = otr__leaf_encode(m->page, 2 * m->schema->page_bytes, m->schema, rows, from, from + n, &hint, m->scratch);
	if (*used == 0 || *used > m->schema->page_bytes)
		return false;
	m->hint = hint;
	return true;
}

/*
 * How many of rows [from, to) a leaf takes: the most that a few attempts find, 95 % full at least where the data is even.  The encoded leaf is left in
 * m->best.  `to - from` rows may be taken whole.
 */
static size_t
cut_leaf(struct maker *m, const struct otr__rows *rows, size_t from, size_t to)
{
	size_t limit = otr__leaf_rows_max(m->schema->columns), taken = 0, over, n;
	uint32_t page = m->schema->page_bytes, used;
	int attempt;

	if (limit > to - from)
		limit = to - from;
	over = limit + 1;                /* so many are known not to fit */
	n = m->guess < limit ? m->guess : limit;
	for (attempt = 0; attempt < 40; attempt++) {
		size_t next;

		if (try_leaf(m, rows, from, n, &used)) {
			memcpy(m->best, m->page, page);
			taken = n;
			if (n == limit || over - n <= 1 || used >= page - page / 24 || attempt >= 6)
				break;
			next = (size_t)((double)n * ((double)page - 64) / (double)used);
			if (next <= n)
				next = n + 1;
		} else {
			over = n;
			if (attempt >= 4 && taken > 0)
				break;
			next = used > 0 ? (size_t)((double)n * ((double)page - 64) * 0.98 / (double)used) : n / 2;
			if (next <= taken)
				next = taken + (over - taken) / 2;
		}
		n = next >= over ? over - 1 : next;
		if (n < 1)
			n = 1;
		if (n == taken)
			break;
	}
	m->guess = taken > 0 ? taken : 1;
	return taken;
}

/* Writes the leaf of rows [from, to) that lies encoded in bytes, and gives its entry. */
static enum otr_status
write_leaf(struct maker *m, uint8_t *bytes, const struct otr__rows *rows, size_t from, size_t to, struct list *out, struct otr_error *err)
{
	struct otr__stats stats[OTR_MAX_COLUMNS];
	struct otr__entry entry = { .rows = to - from, .first_ns = rows->time_ns[from], .last_ns = rows->time_ns[to - 1] };
	uint32_t c;
	enum otr_status status = otr__space_write(m->space, bytes, OTR__LEAF, 0, &entry.child, err);

	if (status != OTR_OK)
		return status;
	for (c = 0; c < m->schema->columns; c++) {
		struct otr__stats_rule rule = rule_of(m->schema, c);

		otr__stats_range(&stats[c], &rule, rows->time_ns, rows->value[c], rows->has_null[c] ? rows->present[c] : NULL, from, to);
	}
	return list_add(out, m->schema->columns, &entry, stats) ? OTR_OK : no_memory(err);
}

/* Writes entries [from, to) of list as one inner page of the level, and adds its entry to out: rows, times and statistics of them all, merged from left to right. */
static enum otr_status
write_inner(struct maker *m, const struct list *list, uint32_t from, uint32_t to, uint8_t level, struct list *out, struct otr_error *err)
{
	struct otr__stats stats[OTR_MAX_COLUMNS], next;
	struct otr__entry sum, e;
	uint32_t columns = m->schema->columns, c, i;
	enum otr_status status;

	otr__inner_entry(list->bytes, columns, from, &sum);
	for (c = 0; c < columns; c++) {
		struct otr__stats_rule rule = rule_of(m->schema, c);

		otr__inner_stats(list->bytes, columns, from, c, &stats[c]);
		for (i = from + 1; i < to; i++) {
			otr__inner_stats(list->bytes, columns, i, c, &next);
			otr__stats_merge(&stats[c], &next, &rule);
		}
	}
	for (i = from + 1; i < to; i++) {
		otr__inner_entry(list->bytes, columns, i, &e);
		sum.rows += e.rows;
		sum.last_ns = e.last_ns;
	}
	memset(m->page, 0, m->schema->page_bytes);
	memcpy(m->page + OTR__INNER_FIXED, list_raw(list, columns, from), (to - from) * (size_t)OTR__ENTRY_BYTES(columns));
	otr__inner_finish(m->page, m->schema->page_bytes, columns, to - from);
	status = otr__space_write(m->space, m->page, OTR__INNER, level, &sum.child, err);
	if (status != OTR_OK)
		return status;
	return list_add(out, columns, &sum, stats) ? OTR_OK : no_memory(err);
}

/* Pages of the level for all entries of list, evenly filled. */
static enum otr_status
write_inner_pages(struct maker *m, const struct list *list, uint8_t level, struct list *out, struct otr_error *err)
{
	uint32_t capacity = otr__inner_capacity(m->schema->page_bytes, m->schema->columns);
	uint32_t pages = (list->n + capacity - 1) / capacity, i;

	for (i = 0; i < pages; i++) {
		uint32_t from = (uint32_t)((uint64_t)list->n * i / pages), to = (uint32_t)((uint64_t)list->n * (i + 1) / pages);
		enum otr_status status = write_inner(m, list, from, to, level, out, err);

		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

/* Leaves for all the rows, evenly filled. */
static enum otr_status
write_leaves(struct maker *m, const struct otr__rows *rows, struct list *out, struct otr_error *err)
{
	size_t pages = 1, limit = otr__leaf_rows_max(m->schema->columns), i;
	struct otr__leaf_hint hint;
	uint32_t used;

	if (rows->n == 0)
		return OTR_OK;
	while ((rows->n + pages - 1) / pages > limit)
		pages++;
	for (;;) {
		/* a first look: whether each of `pages` equal parts fits; the encoder must make the same choices again below */
		hint = m->hint;
		for (i = 0; i < pages; i++)
			if (!try_leaf(m, rows, rows->n * i / pages, rows->n * (i + 1) / pages - rows->n * i / pages, &used))
				break;
		if (i == pages)
			break;
		if (pages >= rows->n)
			return otr__fail(err, OTR_E_LIMIT, "5.5", "a single row does not fit into a page");
		pages += pages < 8 ? 1 : pages / 4;
		if (pages > rows->n)
			pages = rows->n;
	}
	m->hint = hint;
	for (i = 0; i < pages; i++) {
		size_t from = rows->n * i / pages, to = rows->n * (i + 1) / pages;
		enum otr_status status;

		if (!try_leaf(m, rows, from, to - from, &used))
			return otr__fail(err, OTR_E_LIMIT, "5.5", "rows do not fit into a page");
		status = write_leaf(m, m->page, rows, from, to, out, err);
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

static void
root_of_entry(const struct otr__entry *e, struct otr__root *root)
{
	*root = (struct otr__root){ .ref = e->child, .rows = e->rows, .first_ns = e->first_ns, .last_ns = e->last_ns };
}

/* What a root of the level became, one page or several: new levels until there is one. */
static enum otr_status
raise_root(struct maker *m, struct list *roots, uint8_t level, struct otr_error *err)
{
	enum otr_status status = OTR_OK;

	for (; status == OTR_OK && roots->n > 1; level++) {
		struct list above = { .n = 0 };

		if (level == OTR__LEVEL_MAX)
			return otr__fail(err, OTR_E_LIMIT, "2.5", "the tree would be deeper than %u levels", OTR__LEVEL_MAX);
		status = write_inner_pages(m, roots, (uint8_t)(level + 1), &above, err);
		free(roots->bytes);
		*roots = above;
	}
	return status;
}

static void
root_of_list(const struct list *roots, uint32_t columns, struct otr__root *root)
{
	struct otr__entry e;

	*root = (struct otr__root){ .rows = 0 };
	if (roots->n == 1) {
		otr__inner_entry(roots->bytes, columns, 0, &e);
		root_of_entry(&e, root);
	}
}

/* The one entry of a list that holds root, whose statistics nobody reads. */
static bool
list_of_root(const struct otr__root *root, uint32_t columns, struct list *list)
{
	struct otr__stats none[OTR_MAX_COLUMNS] = { { .count = 0 } };
	struct otr__entry e = { .child = root->ref, .rows = root->rows, .first_ns = root->first_ns, .last_ns = root->last_ns };

	*list = (struct list){ .n = 0 };
	return list_add(list, columns, &e, none);
}

/* ---- appending -------------------------------------------------------------------------------------------------------- */

struct otr__builder {
	struct maker m;
	struct list level[OTR__LEVEL_MAX + 2];    /* [1] collects leaves */
	uint8_t top;                              /* highest level in use */
	struct otr__rows rows;                    /* not yet in leaves: from `from` on */
	struct otr__rows spare;
	size_t from;
	size_t leaf_max;
};

/* Takes the right edge of the tree's first `rows` rows apart.  owned: what is taken apart is given up. */
static enum otr_status
open_edge(struct otr__builder *b, const struct otr__root *root, uint64_t rows, bool owned, struct otr_error *err)
{
	struct otr__space *space = b->m.space;
	const struct otr_schema *schema = b->m.schema;
	struct otr__tree tree;
	struct otr__ref ref = root->ref;
	struct otr__leaf_at at = { .rows = root->rows };
	uint64_t left = rows;              /* of the page at hand, those that stay */
	uint8_t level;
	enum otr_status status = otr__tree_open(&tree, space->store, schema, b->m.scratch, &root->ref, root->rows, root->rows, err);

	if (status != OTR_OK)
		return status;
	b->top = tree.level;
	for (level = tree.level; level > 0; level--) {
		const uint8_t *page;
		struct otr__entry last = { .rows = 0 };
		uint32_t n, i;

		status = otr__tree_inner(&tree, &ref, level, at.rows, at.first_ns, at.last_ns, &page, &n, err);
		if (level == tree.level && status == OTR_E_CORRUPT && at.rows == root->rows)
			status = otr__tree_inner(&tree, &ref, level, 0, 0, 0, &page, &n, err);      /* the slot knows rows, not times */
		if (status != OTR_OK)
			return status;
		for (i = 0; i < n; i++) {
			otr__inner_entry(page, schema->columns, i, &last);
			if (last.rows >= left)
				break;
			left -= last.rows;
			if (!list_add_raw(&b->level[level], schema->columns, page + OTR__INNER_FIXED + i * (size_t)OTR__ENTRY_BYTES(schema->columns)))
				return no_memory(err);
		}
		if (i == n)
			return otr__fail(err, OTR_E_CORRUPT, "5.3-3", "its rows are fewer than the slot or its parent says");
		if (owned)
			status = otr__space_give_up_tree(space, &ref, err);
		if (status != OTR_OK)
			return status;
		ref = last.child;
		at = (struct otr__leaf_at){ .rows = last.rows, .first_ns = last.first_ns, .last_ns = last.last_ns };
	}
	at.ref = ref;
	status = otr__tree_leaf_rows(&tree, &at, UINT64_MAX, &b->spare, err);
	if (status != OTR_OK)
		return status;
	if (!otr__rows_reserve(&b->rows, b->spare.n))
		return no_memory(err);
	otr__rows_append(&b->rows, &b->spare, 0, (size_t)left);
	if (b->spare.n > b->m.guess)
		b->m.guess = b->spare.n;
	return owned ? otr__space_give_up_tree(space, &ref, err) : OTR_OK;
}

static enum otr_status
create(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch, const struct otr__root *root, uint64_t rows, bool owned,
    struct otr__builder **builder, struct otr_error *err)
{
	struct otr__builder *b = calloc(1, sizeof *b);
	enum otr_status status = OTR_OK;

	if (b == NULL)
		return no_memory(err);
	b->leaf_max = otr__leaf_rows_max(schema->columns);
	if (!maker_init(&b->m, space, schema, scratch) || !otr__rows_init(&b->rows, schema->columns, 64) ||
	    !otr__rows_init(&b->spare, schema->columns, 64))
		status = no_memory(err);
	else if (root->ref.page != 0)
		status = open_edge(b, root, rows, owned, err);
	if (status != OTR_OK) {
		otr__builder_free(b);
		return status;
	}
	*builder = b;
	return OTR_OK;
}

enum otr_status
otr__builder_create(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch, const struct otr__root *root,
    struct otr__builder **builder, struct otr_error *err)
{
	return create(space, schema, scratch, root, root->rows, true, builder, err);
}

enum otr_status
otr__builder_create_after(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch, const struct otr__root *root,
    uint64_t rows, struct otr__builder **builder, struct otr_error *err)
{
	return create(space, schema, scratch, root, rows, false, builder, err);
}

void
otr__builder_free(struct otr__builder *b)
{
	size_t i;

	if (b == NULL)
		return;
	for (i = 0; i < sizeof b->level / sizeof b->level[0]; i++)
		free(b->level[i].bytes);
	otr__rows_release(&b->rows);
	otr__rows_release(&b->spare);
	maker_release(&b->m);
	free(b);
}

/* Writes full pages of a level, and of those above that become full by it. */
static enum otr_status
overflow(struct otr__builder *b, uint8_t level, struct otr_error *err)
{
	uint32_t capacity = otr__inner_capacity(b->m.schema->page_bytes, b->m.schema->columns);

	for (; level <= OTR__LEVEL_MAX && b->level[level].n > capacity; level++) {
		struct list *list = &b->level[level];
		uint32_t columns = b->m.schema->columns;
		enum otr_status status = write_inner(&b->m, list, 0, capacity, level, &b->level[level + 1], err);

		if (status != OTR_OK)
			return status;
		memmove(list->bytes + OTR__INNER_FIXED, list_raw(list, columns, capacity), (list->n - capacity) * (size_t)OTR__ENTRY_BYTES(columns));
		list->n -= capacity;
		if (b->top < level + 1)
			b->top = (uint8_t)(level + 1);
	}
	if (level > OTR__LEVEL_MAX)
		return otr__fail(err, OTR_E_LIMIT, "2.5", "the tree would be deeper than %u levels", OTR__LEVEL_MAX);
	return OTR_OK;
}

/* Cuts one leaf off the front. */
static enum otr_status
emit_leaf(struct otr__builder *b, struct otr_error *err)
{
	size_t n = cut_leaf(&b->m, &b->rows, b->from, b->rows.n);
	enum otr_status status;

	if (n == 0)
		return otr__fail(err, OTR_E_LIMIT, "5.5", "a single row does not fit into a page");
	status = write_leaf(&b->m, b->m.best, &b->rows, b->from, b->from + n, &b->level[1], err);
	if (status != OTR_OK)
		return status;
	b->from += n;
	if (b->top < 1)
		b->top = 1;
	return overflow(b, 1, err);
}

/* Moves the rows that are left to the front, when there is little left to move. */
static bool
compact(struct otr__builder *b)
{
	struct otr__rows t;

	if (b->from == 0)
		return true;
	if (!otr__rows_reserve(&b->spare, b->rows.n - b->from))
		return false;
	b->spare.n = 0;
	memset(b->spare.has_null, 0, sizeof b->spare.has_null);
	otr__rows_append(&b->spare, &b->rows, b->from, b->rows.n);
	t = b->rows;
	b->rows = b->spare;
	b->spare = t;
	b->from = 0;
	return true;
}

enum otr_status
otr__builder_append(struct otr__builder *b, const struct otr__rows *rows, size_t from, size_t to, struct otr_error *err)
{
	while (from < to) {
		size_t room = 3 * b->leaf_max - b->rows.n, n = to - from < room ? to - from : room;
		size_t want = b->rows.n + n;
		enum otr_status status;

		if (want > b->rows.capacity) {
			size_t capacity = 2 * b->rows.capacity;

			if (capacity < want)
				capacity = want;
			if (capacity > 3 * b->leaf_max)
				capacity = 3 * b->leaf_max;
			if (!otr__rows_reserve(&b->rows, capacity))
				return no_memory(err);
		}
		otr__rows_append(&b->rows, rows, from, from + n);
		from += n;
		while (b->rows.n - b->from > b->leaf_max) {
			status = emit_leaf(b, err);
			if (status != OTR_OK)
				return status;
		}
		if ((b->rows.n >= 2 * b->leaf_max || b->from >= b->leaf_max) && !compact(b))
			return no_memory(err);
	}
	return OTR_OK;
}

enum otr_status
otr__builder_append_leaf(struct otr__builder *b, const struct otr__entry *entry, const struct otr__stats *stats, struct otr_error *err)
{
	while (b->from < b->rows.n) {
		enum otr_status status = emit_leaf(b, err);

		if (status != OTR_OK)
			return status;
	}
	b->from = b->rows.n = 0;
	memset(b->rows.has_null, 0, sizeof b->rows.has_null);
	if (!list_add(&b->level[1], b->m.schema->columns, entry, stats))
		return no_memory(err);
	if (b->top < 1)
		b->top = 1;
	return overflow(b, 1, err);
}

enum otr_status
otr__builder_finish(struct otr__builder *b, struct otr__root *root, struct otr_error *err)
{
	struct otr__entry e;
	uint32_t columns = b->m.schema->columns;
	uint8_t level;
	enum otr_status status;

	while (b->from < b->rows.n) {
		status = emit_leaf(b, err);
		if (status != OTR_OK)
			return status;
	}
	*root = (struct otr__root){ .rows = 0 };
	for (level = 1; level <= b->top; level++) {
		struct list *list = &b->level[level];

		if (list->n == 0)
			continue;
		if (level == b->top && list->n == 1) {
			otr__inner_entry(list->bytes, columns, 0, &e);
			root_of_entry(&e, root);
			break;
		}
		status = write_inner(&b->m, list, 0, list->n, level, &b->level[level + 1], err);
		if (status == OTR_OK) {
			list->n = 0;
			if (level == b->top) {
				if (level == OTR__LEVEL_MAX)
					return otr__fail(err, OTR_E_LIMIT, "2.5", "the tree would be deeper than %u levels", OTR__LEVEL_MAX);
				b->top = (uint8_t)(level + 1);
			}
			status = overflow(b, (uint8_t)(level + 1), err);
		}
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

/* ---- merging ---------------------------------------------------------------------------------------------------------- */

struct merge {
	struct maker m;
	struct otr__tree tree;
	int64_t horizon_ns;
	const struct otr__rows *late;
	enum otr_duplicates policy;
	struct otr__merge_counts *counts;
	size_t *duplicate;
	struct otr__rows old, merged;
	bool displaced;                      /* rows of displaced_ns went from a leaf before the one that takes the new row */
	int64_t displaced_ns;
};

/* Rows of one leaf joined with late rows [lo, hi); of these, only those before `until_ns` may be inserted: the others only displace rows of their time. */
static enum otr_status
join_leaf(struct merge *g, size_t lo, size_t hi, int64_t until_ns, bool *changed, struct otr_error *err)
{
	const struct otr__rows *old = &g->old, *late = g->late;
	size_t i = 0;

	*changed = false;
	g->merged.n = 0;
	memset(g->merged.has_null, 0, sizeof g->merged.has_null);
	if (!otr__rows_reserve(&g->merged, old->n + (hi - lo)))
		return no_memory(err);
	for (; lo < hi; lo++) {
		int64_t t = late->time_ns[lo];
		size_t before = i, equal;

		while (i < old->n && old->time_ns[i] < t)
			i++;
		otr__rows_append(&g->merged, old, before, i);
		equal = i;
		while (equal < old->n && old->time_ns[equal] == t)
			equal++;
		if (equal > i && g->policy == OTR_ERROR) {
			*g->duplicate = lo;
			return otr__fail(err, OTR_E_DUPLICATE, "4.6-1", "the series has a row of that time already");
		}
		if (g->policy == OTR_KEEP || equal == i) {
			otr__rows_append(&g->merged, old, i, equal);
			i = equal;
			if (t < until_ns) {
				otr__rows_append(&g->merged, late, lo, lo + 1);
				g->counts->added++;
				*changed = true;
			}
		} else if (g->policy == OTR_FIRST || (equal == i + 1 && t < until_ns && otr__rows_equal(old, i, late, lo))) {
			otr__rows_append(&g->merged, old, i, equal);
			i = equal;
			/* the one that stays has taken the place of several, if others went from the leaf before */
			if (t < until_ns && g->displaced && g->displaced_ns == t)
				g->counts->replaced++;
			else if (t < until_ns)
				g->counts->skipped++;
		} else {
			i = equal;                        /* replace: all rows of that time go */
			*changed = true;
			g->displaced = true;
			g->displaced_ns = t;
			if (t < until_ns) {
				otr__rows_append(&g->merged, late, lo, lo + 1);
				g->counts->replaced++;
			}
		}
	}
	otr__rows_append(&g->merged, old, i, old->n);
	return OTR_OK;
}

/* One child, with the late rows [lo, hi) that concern it: what takes its place is added to out. */
static enum otr_status
merge_child(struct merge *g, const uint8_t *raw, uint8_t level, size_t lo, size_t hi, int64_t until_ns, struct list *out, struct otr_error *err)
{
	uint32_t columns = g->m.schema->columns, n, i;
	uint8_t single[OTR__INNER_FIXED + OTR__ENTRY_BYTES(OTR_MAX_COLUMNS)];
	struct otr__entry e;
	const uint8_t *page;
	struct list children = { .n = 0 }, made = { .n = 0 };
	bool changed = false;
	enum otr_status status;

	memcpy(single + OTR__INNER_FIXED, raw, OTR__ENTRY_BYTES(columns));
	otr__inner_entry(single, columns, 0, &e);
	if (level == 0) {
		struct otr__leaf_at at = { .ref = e.child, .rows = e.rows, .first_ns = e.first_ns, .last_ns = e.last_ns };

		status = otr__tree_leaf_rows(&g->tree, &at, UINT64_MAX, &g->old, err);
		if (status == OTR_OK)
			status = join_leaf(g, lo, hi, until_ns, &changed, err);
		if (status == OTR_OK && changed)
			status = otr__space_give_up_tree(g->m.space, &e.child, err);
		if (status != OTR_OK)
			return status;
		if (!changed)
			return list_add_raw(out, columns, raw) ? OTR_OK : no_memory(err);
		g->counts->changed = true;
		return write_leaves(&g->m, &g->merged, out, err);
	}
	status = otr__tree_inner(&g->tree, &e.child, level, e.rows, e.first_ns, e.last_ns, &page, &n, err);
	if (status != OTR_OK)
		return status;
	/* the page's buffer is lent until the next read: its entries are copied */
	for (i = 0; i < n; i++) {
		if (!list_add_raw(&children, columns, page + OTR__INNER_FIXED + i * (size_t)OTR__ENTRY_BYTES(columns))) {
			status = no_memory(err);
			goto out;
		}
	}
	for (i = 0; i < n; i++) {
		struct otr__entry child, next;
		int64_t until = until_ns;
		size_t end = hi, reach = lo, before = made.n;

		otr__inner_entry(children.bytes, columns, i, &child);
		if (child.child.generation > e.child.generation) {
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-2", "a child is newer than its parent");
			goto out;
		}
		if (i + 1 < n) {
			otr__inner_entry(children.bytes, columns, i + 1, &next);
			until = next.first_ns;
			/* rows before the next child's first are inserted here; those equal to both this last and that first displace here as well */
			end = child.last_ns < g->horizon_ns ? lo : lo + otr__lower_bound(g->late->time_ns + lo, hi - lo, until);
		}
		reach = end;
		while (i + 1 < n && reach < hi && g->late->time_ns[reach] == child.last_ns && g->policy != OTR_KEEP)
			reach++;
		if (reach == lo)
			status = list_add_raw(&made, columns, list_raw(&children, columns, i)) ? OTR_OK : no_memory(err);
		else
			status = merge_child(g, list_raw(&children, columns, i), (uint8_t)(level - 1), lo, reach, until < until_ns ? until : until_ns, &made, err);
		if (status != OTR_OK)
			goto out;
		if (made.n != before + 1 || memcmp(list_raw(&made, columns, (uint32_t)before), list_raw(&children, columns, i), OTR__ENTRY_BYTES(columns)) != 0)
			changed = true;
		lo = end;
	}
	if (!changed) {
		status = list_add_raw(out, columns, raw) ? OTR_OK : no_memory(err);
	} else {
		status = otr__space_give_up_tree(g->m.space, &e.child, err);
		if (status == OTR_OK)
			status = write_inner_pages(&g->m, &made, level, out, err);
	}
out:
	free(children.bytes);
	free(made.bytes);
	return status;
}

enum otr_status
otr__root_times(struct otr__store *store, const struct otr_schema *schema, struct otr__scratch *scratch, struct otr__root *root, struct otr_error *err)
{
	struct otr__tree tree;
	struct otr__rows rows;
	const uint8_t *page;
	struct otr__entry e;
	uint32_t n;
	enum otr_status status = otr__tree_open(&tree, store, schema, scratch, &root->ref, root->rows, root->rows, err);

	if (status != OTR_OK || root->ref.page == 0)
		return status;
	if (tree.level > 0) {
		status = otr__tree_inner(&tree, &root->ref, tree.level, 0, 0, 0, &page, &n, err);
		if (status != OTR_OK)
			return status;
		otr__inner_entry(page, schema->columns, 0, &e);
		root->first_ns = e.first_ns;
		otr__inner_entry(page, schema->columns, n - 1, &e);
		root->last_ns = e.last_ns;
		return OTR_OK;
	}
	if (!otr__rows_init(&rows, schema->columns, 64))
		return no_memory(err);
	status = otr__tree_leaf_rows(&tree, &(struct otr__leaf_at){ .ref = root->ref, .rows = root->rows }, 0, &rows, err);
	if (status == OTR_OK) {
		root->first_ns = rows.time_ns[0];
		root->last_ns = rows.time_ns[rows.n - 1];
	}
	otr__rows_release(&rows);
	return status;
}

enum otr_status
otr__merge_rows(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch, struct otr__root *root,
    int64_t horizon_ns, const struct otr__rows *late, enum otr_duplicates policy, struct otr__merge_counts *counts, size_t *duplicate,
    struct otr_error *err)
{
	struct merge g = { .horizon_ns = horizon_ns, .late = late, .policy = policy, .counts = counts, .duplicate = duplicate };
	struct list whole = { .n = 0 }, roots = { .n = 0 };
	enum otr_status status;

	*counts = (struct otr__merge_counts){ .added = 0 };
	status = otr__root_times(space->store, schema, scratch, root, err);
	if (status == OTR_OK)
		status = otr__tree_open(&g.tree, space->store, schema, scratch, &root->ref, root->rows, root->rows, err);
	if (status != OTR_OK)
		return status;
	if (!maker_init(&g.m, space, schema, scratch) || !otr__rows_init(&g.old, schema->columns, 64) || !otr__rows_init(&g.merged, schema->columns, 64) ||
	    !list_of_root(root, schema->columns, &whole))
		status = no_memory(err);
	else
		status = merge_child(&g, list_raw(&whole, schema->columns, 0), g.tree.level, 0, late->n, INT64_MAX, &roots, err);
	if (status == OTR_OK)
		status = raise_root(&g.m, &roots, g.tree.level, err);
	if (status == OTR_OK && counts->changed)
		root_of_list(&roots, schema->columns, root);
	free(whole.bytes);
	free(roots.bytes);
	otr__rows_release(&g.old);
	otr__rows_release(&g.merged);
	maker_release(&g.m);
	return status;
}

/* ---- taking out -------------------------------------------------------------------------------------------------------- */

struct removal {
	struct maker m;
	struct otr__tree tree;
	const struct otr_delete_spec *spec;
	uint64_t removed;
	uint64_t visited, pages;           /* of so many that there are: a page is met once (SPEC 5.3-6) */
	struct otr__rows old, left;
};

/* Rows of a leaf without those that go, into g->left. */
static enum otr_status
filter_leaf(struct removal *g, struct otr_error *err)
{
	const struct otr_delete_spec *spec = g->spec;
	const struct otr__rows *old = &g->old;
	size_t from = otr__lower_bound(old->time_ns, old->n, spec->start_ns), to = otr__lower_bound(old->time_ns, old->n, spec->end_ns), i;
	struct otr_rows view;

	g->left.n = 0;
	memset(g->left.has_null, 0, sizeof g->left.has_null);
	if (!otr__rows_reserve(&g->left, old->n))
		return no_memory(err);
	otr__rows_append(&g->left, old, 0, from);
	if (spec->match != NULL) {
		otr__rows_view(old, 0, old->n, &view);
		for (i = from; i < to; i++)
			if (!spec->match(spec->arg, &view, i))
				otr__rows_append(&g->left, old, i, i + 1);
	}
	otr__rows_append(&g->left, old, to, old->n);
	return OTR_OK;
}

static enum otr_status
remove_child(struct removal *g, const uint8_t *raw, uint8_t level, struct list *out, struct otr_error *err);

/* The entries of an inner page without the rows that go. */
static enum otr_status
remove_inner(struct removal *g, const uint8_t *raw, const struct otr__entry *e, uint8_t level, struct list *out, struct otr_error *err)
{
	uint32_t columns = g->m.schema->columns, n, i;
	uint64_t before = g->removed;
	const uint8_t *page;
	struct list children = { .n = 0 }, left = { .n = 0 };
	enum otr_status status = otr__tree_inner(&g->tree, &e->child, level, e->rows, e->first_ns, e->last_ns, &page, &n, err);

	if (status != OTR_OK)
		return status;
	/* the page's buffer is lent until the next read: its entries are copied */
	for (i = 0; i < n && status == OTR_OK; i++)
		if (!list_add_raw(&children, columns, page + OTR__INNER_FIXED + i * (size_t)OTR__ENTRY_BYTES(columns)))
			status = no_memory(err);
	for (i = 0; i < n && status == OTR_OK; i++)
		status = remove_child(g, list_raw(&children, columns, i), (uint8_t)(level - 1), &left, err);      /* at most 15 deep */
	if (status == OTR_OK && g->removed == before)
		status = list_add_raw(out, columns, raw) ? OTR_OK : no_memory(err);
	else if (status == OTR_OK && left.n > 0)
		status = write_inner_pages(&g->m, &left, level, out, err);
	free(children.bytes);
	free(left.bytes);
	return status;
}

/* One child: what is left of it is added to out. */
static enum otr_status
remove_child(struct removal *g, const uint8_t *raw, uint8_t level, struct list *out, struct otr_error *err)
{
	const struct otr_delete_spec *spec = g->spec;
	uint32_t columns = g->m.schema->columns;
	uint8_t single[OTR__INNER_FIXED + OTR__ENTRY_BYTES(OTR_MAX_COLUMNS)];
	struct otr__entry e;
	struct otr__leaf_at at;
	enum otr_status status;

	memcpy(single + OTR__INNER_FIXED, raw, OTR__ENTRY_BYTES(columns));
	otr__inner_entry(single, columns, 0, &e);
	if (e.last_ns < spec->start_ns || e.first_ns >= spec->end_ns)
		return list_add_raw(out, columns, raw) ? OTR_OK : no_memory(err);
	if (spec->match == NULL && spec->start_ns <= e.first_ns && e.last_ns < spec->end_ns) {
		g->removed += e.rows;
		return OTR_OK;
	}
	if (++g->visited > g->pages)
		return otr__fail(err, OTR_E_CORRUPT, "5.3-6", "a tree of more pages than the file has");
	if (level > 0)
		return remove_inner(g, raw, &e, level, out, err);
	at = (struct otr__leaf_at){ .ref = e.child, .rows = e.rows, .first_ns = e.first_ns, .last_ns = e.last_ns };
	status = otr__tree_leaf_rows(&g->tree, &at, UINT64_MAX, &g->old, err);
	if (status == OTR_OK)
		status = filter_leaf(g, err);
	if (status != OTR_OK)
		return status;
	if (g->left.n == g->old.n)
		return list_add_raw(out, columns, raw) ? OTR_OK : no_memory(err);
	g->removed += g->old.n - g->left.n;
	return write_leaves(&g->m, &g->left, out, err);
}

enum otr_status
otr__remove_rows(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch, struct otr__root *root,
    const struct otr_delete_spec *spec, uint64_t *removed, struct otr_error *err)
{
	struct removal g = { .spec = spec, .pages = space->page_count };
	struct list whole = { .n = 0 }, roots = { .n = 0 };
	enum otr_status status = otr__root_times(space->store, schema, scratch, root, err);

	*removed = 0;
	if (status == OTR_OK)
		status = otr__tree_open(&g.tree, space->store, schema, scratch, &root->ref, root->rows, root->rows, err);
	if (status != OTR_OK || root->ref.page == 0)
		return status;
	if (!maker_init(&g.m, space, schema, scratch) || !otr__rows_init(&g.old, schema->columns, 64) || !otr__rows_init(&g.left, schema->columns, 64) ||
	    !list_of_root(root, schema->columns, &whole))
		status = no_memory(err);
	else
		status = remove_child(&g, list_raw(&whole, schema->columns, 0), g.tree.level, &roots, err);
	if (status == OTR_OK)
		status = raise_root(&g.m, &roots, g.tree.level, err);
	if (status == OTR_OK && g.removed > 0) {
		root_of_list(&roots, schema->columns, root);
		*removed = g.removed;
	}
	free(whole.bytes);
	free(roots.bytes);
	otr__rows_release(&g.old);
	otr__rows_release(&g.left);
	maker_release(&g.m);
	return status;
}
