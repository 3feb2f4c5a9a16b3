/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fbits.c - the BITS transform (SPEC 7.5).
 *
 * 1.5, -1.5, 2.0 in f64 are 3FF8000000000000, BFF8000000000000, 4000000000000000: 48 zeros in common, so 16 bits are left: 3FF8, BFF8,
 * 4000.  Positive ones get their top bit set, negative ones are complemented: BFF8, 4007, C000, in the order of the floats.
 * The zeros go first because the complement would turn a negative number's zeros to ones.
 */
#include "fbits.h"

#include "bits.h"
#include "intmath.h"

bool
otr__fbits_decode(uint64_t *x, size_t n, unsigned width, unsigned zeros)
{
	unsigned k = width - zeros;
	uint64_t mask = otr__bits_mask(k), bad = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t v = x[i], positive = 0 - (v >> (k - 1) & 1);

		bad |= v & ~mask;
		/* all ones but the top bit are flipped if negative, only the top bit if positive */
		x[i] = (v ^ (positive & (UINT64_C(1) << (k - 1))) ^ (~positive & mask)) << zeros;
	}
	return bad == 0;
}

unsigned
otr__fbits_zeros(const uint64_t *value, size_t n, unsigned width)
{
	uint64_t any = 0;
	size_t i;

	for (i = 0; i < n; i++)
		any |= value[i];
	return any == 0 ? width - 1 : otr__trailing_zeros(any);
}

void
otr__fbits_encode(const uint64_t *value, size_t n, unsigned width, unsigned zeros, uint64_t *out)
{
	unsigned k = width - zeros;
	uint64_t mask = otr__bits_mask(k), top = UINT64_C(1) << (k - 1);
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t b = value[i] >> zeros;

		out[i] = b & top ? ~b & mask : b | top;
	}
}
