/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pack.h - PACK bodies (SPEC 7.3): differences of order 0, 1 or 2, less a base, in w bits each, but for outliers.
 */
#ifndef OTR_PACK_H
#define OTR_PACK_H

#include "cursor.h"
#include "error.h"

/*
 * Decodes the body of n values, n = 1..65,535, that begins at *r, and moves *r behind it.  planes: byte planes (layout 1) are allowed.
 * Returns OTR_OK or OTR_E_CORRUPT, then with out[] in any state.
 */
OTR_MUST_CHECK enum otr_status otr__pack_decode(struct otr__reader *r, bool planes, uint64_t *out, size_t n, struct otr_error *err);

/* How a body will be written. */
struct otr__pack_plan {
	uint64_t base;
	size_t size;           /* bytes, exactly */
	uint32_t outliers;
	uint8_t order, width;
};

/* Finds a small plan for x[0, n), n = 1..65,535.  No optimum is promised; the plan is valid. */
void otr__pack_choose(const uint64_t *x, size_t n, struct otr__pack_plan *plan);

/* Writes the body; residual[0, n) is work space.  Where there is no room w says so. */
void otr__pack_encode(const uint64_t *x, size_t n, const struct otr__pack_plan *plan, uint64_t *residual, struct otr__put *w);

/*
 * Writes a body of x[0, n), n = 1..65,535, in byte planes (layout 1), for deflate: order, base and width are chosen so that the bytes of each plane look
 * alike.  residual[0, n) is work space.  Where there is no room w says so.
 */
void otr__pack_encode_planes(const uint64_t *x, size_t n, uint64_t *residual, struct otr__put *w);

#endif
