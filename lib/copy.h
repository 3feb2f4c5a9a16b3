/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.h - the page graph of a file, copied into another one, renumbered and reordered (SPEC 11.3): trees of the present and of all kept roots, the log,
 * the metadata.  Rows, versions and generations stay as they are; page numbers and checksums change.
 *
 * Owns: the order of pages, the map from old pages to new ones, which references are patched.  Does not own: locks, names, commits (compact).
 * A copy may be made in two passes: one without the writer lock, and one under it that copies only what came since.
 * Memory: 24 bytes and 2 bits a page of the old file, 16 more a page while a pass lists what it has found.
 */
#ifndef OTR_COPY_H
#define OTR_COPY_H

#include "commit.h"
#include "watch.h"

struct otr__copier;

/* from and to are borrowed until free; from->state is read anew by each pass.  NULL: out of memory. */
struct otr__copier *otr__copier_create(struct otr__target *from, struct otr_io *to, struct otr__watch *watch);
void otr__copier_free(struct otr__copier *copier);

/*
 * Copies the pages of all trees of from->state that are not there yet.  Inner pages of the present tree come first, level by level, then its leaves, then what
 * only kept roots reach.  Returns OTR_OK; OTR_E_CORRUPT, _TRUNCATED (of from; beside a writer its pages may have been reused); _IO; _NOMEM; OTR_END.
 */
OTR_MUST_CHECK enum otr_status otr__copier_trees(struct otr__copier *copier, struct otr_error *err);
/* After otr__copier_trees has passed over the same state: metadata, log and slot, which complete the file at that version. */
OTR_MUST_CHECK enum otr_status otr__copier_finish(struct otr__copier *copier, struct otr_error *err);

#endif
