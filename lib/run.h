/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - RUN bodies (SPEC 7.4): run lengths and values, each a PACK body.
 */
#ifndef OTR_RUN_H
#define OTR_RUN_H

#include "cursor.h"
#include "error.h"
#include "pack.h"

/*
 * Decodes the body of n values, n = 1..65,535, that begins at *r, and moves *r behind it.  length[0, n) and value[0, n) are work space.
 * Returns OTR_OK or OTR_E_CORRUPT, then with out[] in any state.
 */
OTR_MUST_CHECK enum otr_status otr__run_decode(struct otr__reader *r, bool planes, uint64_t *out, size_t n, uint64_t *length,
    uint64_t *value, struct otr_error *err);

struct otr__run_plan {
	size_t runs, size;
	struct otr__pack_plan lengths, values;
};

/* Runs of equal neighbours in x[0, n), n > 0. */
size_t otr__run_count(const uint64_t *x, size_t n);

/* Splits x into runs, in length[] (less 1) and value[], which otr__run_encode needs again, and says what that will take. */
void otr__run_choose(const uint64_t *x, size_t n, uint64_t *length, uint64_t *value, struct otr__run_plan *plan);

/* Writes the body; residual[0, n) is work space. */
void otr__run_encode(const uint64_t *length, const uint64_t *value, const struct otr__run_plan *plan, uint64_t *residual,
    struct otr__put *w);

#endif
