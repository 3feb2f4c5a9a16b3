/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retain.h - keeping the policies of age, size and history (SPEC 8.5, 9.4, 9.5): what a commit lets go, before it writes.
 *
 * Owns: where the horizon and the oldest version move to.  Moving them writes no page; which pages that makes free is found out by counting what is still
 * reached (reach.h), and only when it matters.
 */
#ifndef OTR_RETAIN_H
#define OTR_RETAIN_H

#include "commit.h"

/*
 * Comes after otr__commit_begin, before anything is spilled or written, and again once the rows of a long commit are in.  newest_ns: time of the newest row
 * that there will be, of those in the file too; last_ns: of those alone that the commit leaves: rows before it may go where room is needed.  pages: how many the commit may
 * write at the most, 0: none.
 * Afterwards commit->slot has the new horizon, the oldest version and the rows that are left, commit->root what is left of the tree.
 */
OTR_MUST_CHECK enum otr_status otr__retain(struct otr__commit *commit, int64_t newest_ns, int64_t last_ns, uint64_t pages, struct otr_error *err);

/* Pages that a commit into a file of fixed size may write; UINT64_MAX without max_size. */
uint64_t otr__retain_piece(const struct otr_schema *schema, const struct otr__slot *slot);

/* Pages that a file of fixed size reaches at the most after a commit into a shallow tree: three quarters of it (SPEC 9.4).  UINT64_MAX without max_size. */
uint64_t otr__retain_live(const struct otr_schema *schema, const struct otr_policies *policies);

/* Pages that the metadata of a file of fixed size may have: a sixteenth of it, so that they and a spill are one commit.  UINT64_MAX without max_size. */
uint64_t otr__retain_metadata(const struct otr_schema *schema, const struct otr_policies *policies);

/* Pages from a leaf up to a root that may be new. */
OTR_MUST_CHECK enum otr_status otr__retain_path(struct otr__commit *commit, uint64_t *pages, struct otr_error *err);

/* otr__retain_piece for a commit that is being made: in a small file with a deep tree, more than an eighth of it, so that a row can be appended and one merged, a range deleted, or metadata set. */
OTR_MUST_CHECK enum otr_status otr__retain_limit(struct otr__commit *commit, uint64_t *pages, struct otr_error *err);

/* The most pages that it takes to append so many rows to the commit's tree, and to spill. */
OTR_MUST_CHECK enum otr_status otr__retain_pages(struct otr__commit *commit, uint64_t rows, uint64_t *pages, struct otr_error *err);
/* Of n late rows, sorted by time, how many may be merged with no more than `pages` written; at least 1. */
OTR_MUST_CHECK enum otr_status otr__retain_late(struct otr__commit *commit, const int64_t *time_ns, size_t n, uint64_t pages, size_t *fit,
    struct otr_error *err);

#endif
