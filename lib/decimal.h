/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decimal.h - the DECIMAL transform (SPEC 7.5): a float as an integer k and a common power of ten.
 */
#ifndef OTR_DECIMAL_H
#define OTR_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTR__DECIMAL_S_MAX 22                     /* 10^22 is the last power of ten that a double holds exactly */
#define OTR__DECIMAL_K_MAX (INT64_C(1) << 53)     /* up to here every integer is a double */

/*
 * Turns integers into the bits of floats, in place: f64, or f32 if `single`.  -22 <= s <= 22.
 * False, and x in any state, if an integer is beyond 2^53 in size.
 */
bool otr__decimal_decode(uint64_t *x, size_t n, int s, bool single);

/*
 * The integers for s into out[]; the positions of the values that no integer gives (NaN, infinities, -0, more digits) into exception[],
 * both with room for n; an exception's integer is one that packs well.  out may not be value.
 * Stops when exceptions_max is exceeded.  Returns the number of exceptions, or exceptions_max + 1.
 */
size_t otr__decimal_encode(const uint64_t *value, size_t n, int s, bool single, uint64_t *out, uint16_t *exception,
    size_t exceptions_max);

/*
 * The s that promises the smallest chunk, from a sample of the values; false if too few of them are decimals of any s.
 * hint is tried first for each value.
 */
bool otr__decimal_find(const uint64_t *value, size_t n, bool single, int hint, int *s);

#endif
