/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay.h - which rows of leaves that no sound tree puts in order belong to a stretch of time: the newer hides the older (SPEC 10.5).  Pure: no I/O.
 */
#ifndef OTR_OVERLAY_H
#define OTR_OVERLAY_H

#include "page.h"

/* A page that was found, and what it says of time. */
struct otr__claim {
	struct otr__ref ref;
	uint8_t level;                   /* 0: a leaf */
	uint64_t rank;                   /* the generation of the newest sound page that reaches it, or its own: the greater hides the lesser */
	int64_t first_ns, last_ns;       /* of its rows */
	/* that page says that no row lies between after_ns and first_ns, nor between last_ns and before_ns; equal to first_ns, last_ns: it does not say */
	int64_t after_ns, before_ns;
};

/* Rows of a leaf: those with first_ns <= time <= last_ns. */
struct otr__piece {
	const struct otr__claim *leaf;
	int64_t first_ns, last_ns;
};

/*
 * The pieces of n leaves that make up [first_ns, last_ns], in order of time: two of them share an instant at the most.  leaf: put into another order.
 * keep: rows of equal times may be rows of their own, so a leaf of a single instant is not hidden by one that begins or ends there.
 * *piece is the caller's, freed with free; NULL if there are none.  Memory: up to 120 bytes a leaf, and the pieces.
 * Returns OTR_OK, OTR_E_NOMEM, OTR_E_LIMIT (more than 2^28 leaves).
 */
OTR_MUST_CHECK enum otr_status otr__overlay(const struct otr__claim **leaf, size_t n, int64_t first_ns, int64_t last_ns, bool keep, struct otr__piece **piece,
    size_t *pieces, struct otr_error *err);

#endif
