/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * build.h - writing a tree (SPEC 5.3): rows appended at its right edge, late rows merged into it, rows taken out of it, copy on write.
 *
 * All give a new root; the first two give up the pages that it no longer reaches to space.  Leaves are encoded a page at a time, as full as they get.
 * What is written depends on the tree and the rows alone, not on how the rows were handed over.
 */
#ifndef OTR_BUILD_H
#define OTR_BUILD_H

#include "ride.h"
#include "space.h"
#include "tree.h"

/* A root under construction or complete. */
struct otr__root {
	struct otr__ref ref;             /* page 0: no tree */
	uint64_t rows;
	int64_t first_ns, last_ns;       /* of its rows; unset without any */
};

struct otr__builder;

/*
 * Starts appending to root.  Everything is borrowed until otr__builder_free.
 * Memory: two leaves' worth of rows, a page a level.
 */
OTR_MUST_CHECK enum otr_status otr__builder_create(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch,
    const struct otr__root *root, struct otr__builder **builder, struct otr_error *err);
/* The same after the first `rows` (>= 1) rows of a root that stays as it is for others: nothing is given up. */
OTR_MUST_CHECK enum otr_status otr__builder_create_after(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch,
    const struct otr__root *root, uint64_t rows, struct otr__builder **builder, struct otr_error *err);
/* Appends rows [from, to), whose times do not decrease and are not before the last. */
OTR_MUST_CHECK enum otr_status otr__builder_append(struct otr__builder *builder, const struct otr__rows *rows, size_t from, size_t to,
    struct otr_error *err);
/*
 * Appends a leaf that is there already, as it is: entry and stats [columns] as the tree has them that it is taken from, which keeps it too.
 * Rows appended before it become leaves first.
 */
OTR_MUST_CHECK enum otr_status otr__builder_append_leaf(struct otr__builder *builder, const struct otr__entry *entry, const struct otr__stats *stats,
    struct otr_error *err);
/* Writes what is left and gives the new root. */
OTR_MUST_CHECK enum otr_status otr__builder_finish(struct otr__builder *builder, struct otr__root *root, struct otr_error *err);
void otr__builder_free(struct otr__builder *builder);

struct otr__merge_counts {
	uint64_t added, replaced, skipped;
	bool changed;
};
/*
 * Merges late rows (sorted by time, none before the horizon; of one time, in order of arrival, and under other policies than keep only one) into root under
 * the policy (SPEC 4.6-1).  A leaf that does not change is kept, with all above it; one that expired is left alone (SPEC 8.5-1).  *duplicate is the index of the offending row under OTR_ERROR (OTR_E_DUPLICATE).
 */
OTR_MUST_CHECK enum otr_status otr__merge_rows(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch,
    struct otr__root *root, int64_t horizon_ns, const struct otr__rows *late, enum otr_duplicates policy, struct otr__merge_counts *counts,
    size_t *duplicate, struct otr_error *err);

/*
 * Takes the rows that spec names (its start_ns not before the horizon) out of root: parts of the tree that go whole are not read, if spec has no match.
 * Nothing is given up: a deletion keeps the root that it found (SPEC 8.2).  *removed: rows; 0: root is as it was.
 */
OTR_MUST_CHECK enum otr_status otr__remove_rows(struct otr__space *space, const struct otr_schema *schema, struct otr__scratch *scratch,
    struct otr__root *root, const struct otr_delete_spec *spec, uint64_t *removed, struct otr_error *err);

/* Time of the tree's last row, from the inner pages (or a lone leaf). */
OTR_MUST_CHECK enum otr_status otr__root_times(struct otr__store *store, const struct otr_schema *schema, struct otr__scratch *scratch,
    struct otr__root *root, struct otr_error *err);

#endif
