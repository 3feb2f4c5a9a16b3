/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * repack.h - the rows of a file written anew: densely into a file without history, or with old rows folded as one more version of a file with it.
 *
 * Owns: which rows are read, and what the one version of a dense file says.  Does not own: locks and names (compact), the order of pages (copy: what is made
 * here is copied once more).
 */
#ifndef OTR_REPACK_H
#define OTR_REPACK_H

#include "copy.h"
#include "fold.h"

/* What the record of the new version says, and how it is made. */
struct otr__repack_wish {
	const char *author, *message;
	uint32_t page_bytes;             /* of a dense file */
	bool deflate;                    /* likewise */
	struct otr__fold_rule fold;      /* window_ns 0: none */
};

/* What became of rows. */
struct otr__repack_counts {
	uint64_t folded, made;           /* rows that windows took the place of; rows of windows */
};

/* A record of kind compact, without numbers. */
void otr__repack_record(const struct otr__repack_wish *wish, struct otr__record *record);

/*
 * A dense file being made in io: in two steps, since the first can do without the writer lock of from.
 * otr__repack_rows takes the rows of from->state's tree.  otr__repack_finish takes those that came since by appends alone, and completes the file;
 * if something else came, *again is true and nothing was done: begin again.
 * Returns as otr__copier_trees; OTR_E_ARG for a page size that is too small.
 */
struct otr__repack;
OTR_MUST_CHECK enum otr_status otr__repack_create(struct otr__target *from, struct otr_io *io, const struct otr__repack_wish *wish,
    struct otr__watch *watch, struct otr__repack **repack, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr__repack_rows(struct otr__repack *repack, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr__repack_finish(struct otr__repack *repack, bool *again, struct otr__repack_counts *counts, struct otr_error *err);
void otr__repack_free(struct otr__repack *repack);

/*
 * Commits a version of kind compact to target, whose file nobody else knows yet: with old rows folded, as a rewrite (SPEC 8.2), if the wish has a window and there
 * are such rows; else without any change of rows.
 */
OTR_MUST_CHECK enum otr_status otr__repack_commit(struct otr__target *target, const struct otr__repack_wish *wish, struct otr__repack_counts *counts,
    struct otr_error *err);

#endif
