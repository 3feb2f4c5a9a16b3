/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fold.h - windows of rows made into one row each, at the window's start: what otr-compact --downsample puts in place of old rows.
 *
 * Owns: the value of a column over a window.  Does not own: the windows (query), where the rows go (repack).
 */
#ifndef OTR_FOLD_H
#define OTR_FOLD_H

#include "db.h"

struct otr__fold_rule {
	uint64_t window_ns;              /* 0: nothing is folded */
	int64_t limit_ns;                /* rows before it are; the start of a window */
	enum otr_fold how;
};

/* The rule for rows before older_than_ns: its limit is the start of the window that holds that time. */
struct otr__fold_rule otr__fold_rule_of(uint64_t window_ns, int64_t older_than_ns, enum otr_fold how);

/* Digits of a second's fraction that a time needs. */
uint8_t otr__fold_digits(int64_t time_ns);

/*
 * Gives the folded rows of file (at the version selected) to `take`, in order, some at a time; *folded is how many rows they stand for.
 * Returns OTR_OK, what take returned, or as otr_query_next.
 */
OTR_MUST_CHECK enum otr_status otr__fold(struct otr *file, const struct otr__fold_rule *rule,
    enum otr_status (*take)(void *arg, const struct otr__rows *rows, struct otr_error *err), void *arg, uint64_t *folded, struct otr_error *err);

#endif
