/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree.h - reading a tree (SPEC 5.3): from a row position or a time to a leaf, by descent from the root.  Every descent checks levels, generations,
 * times and row counts against the parent's entry; depth is bounded by the level.
 *
 * A tree here is the first `rows` rows of what its root reaches: a version may be a prefix of a later root (SPEC 8.3).
 * Positions count from 0 at the root's first row.
 */
#ifndef OTR_TREE_H
#define OTR_TREE_H

#include "inner.h"
#include "leaf.h"
#include "store.h"

struct otr__tree {
	struct otr__store *store;
	const struct otr_schema *schema;
	struct otr__scratch *scratch;
	struct otr__ref root;                  /* page 0: an empty tree */
	uint8_t level;                         /* of the root */
	uint64_t root_rows;                    /* rows that the root reaches */
	uint64_t rows;                         /* <= root_rows: rows that belong to the tree */
};

struct otr__leaf_at {
	struct otr__ref ref;
	uint64_t position;                     /* of the leaf's first row */
	uint64_t rows;                         /* of the whole leaf, as its parent says; not clipped at tree->rows */
	int64_t first_ns, last_ns;             /* as the parent says; of a lone leaf (level 0) no more is known than OTR_TIME_MIN .. OTR_TIME_MAX */
};

/*
 * Sets up a tree.  Reads the root page for its level and checks its rows against root_rows (rows_known false: root_rows is taken from the page).
 * rows: prefix length, <= root_rows.
 */
OTR_MUST_CHECK enum otr_status otr__tree_open(struct otr__tree *tree, struct otr__store *store, const struct otr_schema *schema,
    struct otr__scratch *scratch, const struct otr__ref *root, uint64_t root_rows, uint64_t rows, struct otr_error *err);

/* The leaf that holds position (< root_rows). */
OTR_MUST_CHECK enum otr_status otr__tree_leaf_at(struct otr__tree *tree, uint64_t position, struct otr__leaf_at *at, struct otr_error *err);

/* The leaf that holds the first row with time >= time_ns; OTR_END if there is none in the root. */
OTR_MUST_CHECK enum otr_status otr__tree_leaf_of(struct otr__tree *tree, int64_t time_ns, struct otr__leaf_at *at, struct otr_error *err);

/* Position of the first row with time >= time_ns, at most tree->rows.  May decode one leaf's times into work. */
OTR_MUST_CHECK enum otr_status otr__tree_seek(struct otr__tree *tree, int64_t time_ns, struct otr__rows *work, uint64_t *position,
    struct otr_error *err);

/* Reads and decodes a leaf found by one of the above, and checks it against its parent's entry (rows, first and last time). */
OTR_MUST_CHECK enum otr_status otr__tree_leaf_rows(struct otr__tree *tree, const struct otr__leaf_at *at, uint64_t columns, struct otr__rows *rows,
    struct otr_error *err);

/*
 * An inner page on the way: entries of the page `ref` at `level`, checked (SPEC 5.3, 5.4) against the parent's claims (rows, first_ns, last_ns;
 * expect_rows 0: nothing to compare).  *page as otr__store_read gives it.
 */
OTR_MUST_CHECK enum otr_status otr__tree_inner(struct otr__tree *tree, const struct otr__ref *ref, uint8_t level, uint64_t expect_rows,
    int64_t expect_first_ns, int64_t expect_last_ns, const uint8_t **page, uint32_t *entries, struct otr_error *err);

/* Index of the first of n sorted times that is >= time_ns. */
size_t otr__lower_bound(const int64_t *time_ns, size_t n, int64_t wanted_ns);

#endif
