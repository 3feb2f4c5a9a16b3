/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk.h - a path of inner pages from the root of a tree down to above its leaves, kept between steps: who goes from left to right reads and
 * checks each inner page once.  Used by cursors, windows and scans; the descents of tree.h are for single seeks.
 *
 * Memory: per level one page and 16 bytes an entry, taken as the levels are met.
 */
#ifndef OTR_WALK_H
#define OTR_WALK_H

#include "tree.h"

/* A page as its parent describes it, and where it lies. */
struct otr__node {
	struct otr__ref ref;
	uint64_t position;               /* of its first row */
	uint64_t rows;                   /* that it reaches, beyond tree->rows too */
	int64_t first_ns, last_ns;       /* of a root: OTR_TIME_MIN .. OTR_TIME_MAX, not known better */
};

struct otr__walk_level {
	bool loaded;
	struct otr__node node;
	uint32_t entries;
	uint8_t *page;                   /* own copy */
	uint64_t *position;              /* [entries + 1]: of the first row of each child, and the end */
	int64_t *last_ns;                /* [entries] */
};

struct otr__walk {
	struct otr__tree *tree;          /* borrowed */
	struct otr__walk_level level[OTR__LEVEL_MAX + 1];   /* [0] is not used: leaves are the user's */
};

void otr__walk_init(struct otr__walk *walk, struct otr__tree *tree);
void otr__walk_release(struct otr__walk *walk);
/* Another tree, or the same with its pages to be read anew. */
void otr__walk_reset(struct otr__walk *walk, struct otr__tree *tree);

/* The root as a node. */
struct otr__node otr__walk_root(const struct otr__walk *walk);

/*
 * Makes walk->level[level] hold the inner page `node` (level >= 1), checked against what node says (SPEC 5.3).
 * Returns OTR_OK, OTR_E_CORRUPT, _TRUNCATED, _IO, _NOMEM.
 */
OTR_MUST_CHECK enum otr_status otr__walk_load(struct otr__walk *walk, unsigned level, const struct otr__node *node, struct otr_error *err);

/* Child i of the page at level. */
OTR_MUST_CHECK enum otr_status otr__walk_child(const struct otr__walk *walk, unsigned level, uint32_t i, struct otr__node *child,
    struct otr_error *err);
static inline void
otr__walk_stats(const struct otr__walk *walk, unsigned level, uint32_t i, uint32_t column, struct otr__stats *stats)
{
	otr__inner_stats(walk->level[level].page, walk->tree->schema->columns, i, column, stats);
}

/* Index of the child that holds position, which must lie in the page; of the first child with a time >= time_ns, or entries. */
uint32_t otr__walk_find(const struct otr__walk_level *level, uint64_t position);
uint32_t otr__walk_find_time(const struct otr__walk_level *level, int64_t time_ns);

/* The leaf that holds position (< tree->rows). */
OTR_MUST_CHECK enum otr_status otr__walk_leaf(struct otr__walk *walk, uint64_t position, struct otr__leaf_at *at, struct otr_error *err);

/* Its rows, as otr__tree_leaf_rows gives them. */
OTR_MUST_CHECK enum otr_status otr__walk_rows(struct otr__walk *walk, const struct otr__leaf_at *at, uint64_t columns, struct otr__rows *rows,
    struct otr_error *err);

static inline struct otr__leaf_at
otr__leaf_of_node(const struct otr__node *n)
{
	return (struct otr__leaf_at){ .ref = n->ref, .position = n->position, .rows = n->rows, .first_ns = n->first_ns, .last_ns = n->last_ns };
}

#endif
