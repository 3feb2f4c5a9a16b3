/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ride.h - rows joined one after another under a duplicate policy (SPEC 4.6-1): the riding rows of a slot, those of a full group of the log, and
 * what a writer is about to add.
 */
#ifndef OTR_RIDE_H
#define OTR_RIDE_H

#include "leaf.h"

/* Whether row i of a equals row j of b: time, nulls, every bit. */
bool otr__rows_equal(const struct otr__rows *a, size_t i, const struct otr__rows *b, size_t j);

/* Overwrites row i of dst with row j of src (time, values, nulls). */
void otr__rows_set(struct otr__rows *dst, size_t i, const struct otr__rows *src, size_t j);

/* What became of a row. */
enum otr__joined { OTR__JOINED_ADDED, OTR__JOINED_REPLACED, OTR__JOINED_SKIPPED };

/*
 * Joins row j of src to sorted (capacity for one more must be there) as 4.6-1 says; *last: whether it went to the very end as a new row.
 * A row equal to the one that it would replace is SKIPPED.
 */
enum otr__joined otr__ride_join(struct otr__rows *sorted, const struct otr__rows *src, size_t j, enum otr_duplicates policy, bool *last);

#endif
