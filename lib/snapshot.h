/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.h - one version of a series, ready to be read (SPEC 8): a prefix of a tree, then the rows that ride after it, in order and with the
 * duplicate policy applied.
 *
 * Row numbers are absolute (SPEC 8.3): position p of the tree is row number base_row + p; the riding rows follow at base_row + tree.rows.
 * Rows before horizon_ns do not exist: who reads clips its range at it.
 */
#ifndef OTR_SNAPSHOT_H
#define OTR_SNAPSHOT_H

#include "slot.h"
#include "tree.h"

struct otr__snapshot {
	unsigned references;
	uint64_t version;
	uint64_t state_version;                 /* newest version of the state that it was built from */
	int64_t commit_ns;
	uint8_t time_digits;
	uint64_t base_row;
	struct otr__tree tree;
	struct otr__rows ride;                  /* all columns decoded; each later than (or, under keep, as late as) the tree's last row */
	int64_t horizon_ns;                     /* INT64_MIN: none */
	uint64_t rows;                          /* rows that exist */
	int64_t first_ns, last_ns;              /* of them; 0 without any */
};

#endif
