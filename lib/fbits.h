/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fbits.h - the BITS transform (SPEC 7.5): the pattern of a float, less its common trailing zeros, as an order-preserving integer.
 */
#ifndef OTR_FBITS_H
#define OTR_FBITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Turns integers into the bits of floats of `width` bits (32, 64), in place.  zeros < width.
 * False, and x in any state, if an integer does not fit into width - zeros bits.
 */
bool otr__fbits_decode(uint64_t *x, size_t n, unsigned width, unsigned zeros);

/* The trailing zeros that all n patterns have in common, below width. */
unsigned otr__fbits_zeros(const uint64_t *value, size_t n, unsigned width);

/* The integers of the patterns; out may be value. */
void otr__fbits_encode(const uint64_t *value, size_t n, unsigned width, unsigned zeros, uint64_t *out);

#endif
