/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk.c - the kept path (see walk.h).  A page is copied out of the store's cache, since the next read may take its frame.
 */
#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "intmath.h"

void
otr__walk_init(struct otr__walk *walk, struct otr__tree *tree)
{
	memset(walk, 0, sizeof *walk);
	walk->tree = tree;
}

void
otr__walk_release(struct otr__walk *walk)
{
	unsigned i;

	for (i = 0; i <= OTR__LEVEL_MAX; i++) {
		free(walk->level[i].position);
		walk->level[i].position = NULL;
	}
}

void
otr__walk_reset(struct otr__walk *walk, struct otr__tree *tree)
{
	unsigned i;

	walk->tree = tree;
	for (i = 0; i <= OTR__LEVEL_MAX; i++)
		walk->level[i].loaded = false;
}

struct otr__node
otr__walk_root(const struct otr__walk *walk)
{
	return (struct otr__node){ .ref = walk->tree->root, .rows = walk->tree->root_rows, .first_ns = OTR_TIME_MIN, .last_ns = OTR_TIME_MAX };
}

/* One allocation a level: positions, times, page. */
static bool
take_memory(struct otr__walk *walk, struct otr__walk_level *l)
{
	uint32_t page_bytes = walk->tree->store->page_bytes, most = otr__inner_capacity(page_bytes, walk->tree->schema->columns);
	uint64_t *block;

	if (l->position != NULL)
		return true;
	block = malloc((2 * (size_t)most + 1) * sizeof *block + page_bytes);
	if (block == NULL)
		return false;
	l->position = block;
	l->last_ns = (int64_t *)(block + most + 1);
	l->page = (uint8_t *)(block + 2 * (size_t)most + 1);
	return true;
}

enum otr_status
otr__walk_load(struct otr__walk *walk, unsigned level, const struct otr__node *node, struct otr_error *err)
{
	struct otr__walk_level *l = &walk->level[level];
	struct otr__tree *tree = walk->tree;
	bool root = level == tree->level;
	const uint8_t *page;
	uint64_t position = node->position;
	uint32_t entries, i;
	enum otr_status status;

	if (l->loaded && l->node.position == node->position && otr__ref_equal(&l->node.ref, &node->ref))
		return OTR_OK;
	l->loaded = false;
	if (!take_memory(walk, l))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__tree_inner(tree, &node->ref, (uint8_t)level, root ? 0 : node->rows, node->first_ns, node->last_ns, &page, &entries, err);
	if (status != OTR_OK)
		return status;
	memcpy(l->page, page, tree->store->page_bytes);
	for (i = 0; i < entries; i++) {
		struct otr__entry e;

		otr__inner_entry(l->page, tree->schema->columns, i, &e);
		l->position[i] = position;
		l->last_ns[i] = e.last_ns;
		if (!otr__add_u64(position, e.rows, &position))
			position = UINT64_MAX;       /* of a root only: no slot says so many, see below */
	}
	l->position[entries] = position;
	if (root && position != tree->root_rows) {
		status = otr__fail(err, OTR_E_CORRUPT, "5.3-7", "%llu rows, where the slot or log says %llu", (unsigned long long)position,
		    (unsigned long long)tree->root_rows);
		otr__fail_place(err, (int64_t)node->ref.page, (int64_t)(node->ref.page * tree->store->page_bytes));
		return status;
	}
	/* its children are unread so far; it was itself one of those */
	tree->store->counters.pruned_by_time += entries - (root ? 0u : 1u);
	l->entries = entries;
	l->node = *node;
	l->loaded = true;
	return OTR_OK;
}

enum otr_status
otr__walk_child(const struct otr__walk *walk, unsigned level, uint32_t i, struct otr__node *child, struct otr_error *err)
{
	const struct otr__walk_level *l = &walk->level[level];
	struct otr__entry e;

	otr__inner_entry(l->page, walk->tree->schema->columns, i, &e);
	if (e.child.generation > l->node.ref.generation) {
		enum otr_status status = otr__fail(err, OTR_E_CORRUPT, "5.3-2", "child page %llu is of generation %llu, newer than its parent's %llu",
		    (unsigned long long)e.child.page, (unsigned long long)e.child.generation, (unsigned long long)l->node.ref.generation);

		otr__fail_place(err, (int64_t)l->node.ref.page, -1);
		return status;
	}
	*child = (struct otr__node){ .ref = e.child, .position = l->position[i], .rows = e.rows, .first_ns = e.first_ns, .last_ns = e.last_ns };
	return OTR_OK;
}

uint32_t
otr__walk_find(const struct otr__walk_level *level, uint64_t position)
{
	uint32_t from = 0, n = level->entries;

	/* the last child that begins at or before position */
	while (n > 1) {
		uint32_t half = n / 2;

		if (level->position[from + half] <= position) {
			from += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return from;
}

uint32_t
otr__walk_find_time(const struct otr__walk_level *level, int64_t time_ns)
{
	return (uint32_t)otr__lower_bound(level->last_ns, level->entries, time_ns);
}

enum otr_status
otr__walk_leaf(struct otr__walk *walk, uint64_t position, struct otr__leaf_at *at, struct otr_error *err)
{
	struct otr__node node = otr__walk_root(walk);
	unsigned level = walk->tree->level;
	enum otr_status status;

	if (level > 0) {
		const struct otr__walk_level *l = &walk->level[1];

		/* mostly the next leaf under the same page */
		if (l->loaded && position >= l->position[0] && position < l->position[l->entries]) {
			level = 1;
			node = l->node;
		}
	}
	for (; level > 0; level--) {
		status = otr__walk_load(walk, level, &node, err);
		if (status == OTR_OK)
			status = otr__walk_child(walk, level, otr__walk_find(&walk->level[level], position), &node, err);
		if (status != OTR_OK)
			return status;
	}
	*at = otr__leaf_of_node(&node);
	return OTR_OK;
}

enum otr_status
otr__walk_rows(struct otr__walk *walk, const struct otr__leaf_at *at, uint64_t columns, struct otr__rows *rows, struct otr_error *err)
{
	struct otr__tree *tree = walk->tree;

	if (tree->level > 0 && tree->store->counters.pruned_by_time > 0)
		tree->store->counters.pruned_by_time--;
	return otr__tree_leaf_rows(tree, at, columns, rows, err);
}
