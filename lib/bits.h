/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bits.h - the bit packer (SPEC 7.2): numbers of w bits, 0..64, LSB first in a stream of whole u64 words.
 *
 * There is one bit order in the format, and one place that knows that a shift by 64 is none: here.  The getters are inline because they
 * are the innermost loop of every read.
 */
#ifndef OTR_BITS_H
#define OTR_BITS_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

/* 2^w - 1, for w = 0..64. */
static inline uint64_t
otr__bits_mask(unsigned w)
{
	return w == 0 ? 0 : ~UINT64_C(0) >> (64 - w);
}

/* Words of a stream of n numbers; n is at most 65,535. */
static inline size_t
otr__bits_words(size_t n, unsigned w)
{
	return (size_t)(((uint64_t)n * w + 63) / 64);
}

/*
 * How many numbers of the stream's first n may be read by otr__bits_fast, which loads eight bytes from the one where a number begins:
 * all but the last few, so that no byte beyond the stream is touched.  None of those of 58 bits and more, which may lie in nine bytes.
 */
static inline size_t
otr__bits_fast_count(size_t n, unsigned w)
{
	size_t bytes = 8 * otr__bits_words(n, w), count;

	if (w == 0 || w > 57 || bytes == 0)
		return 0;
	count = ((bytes - 8) * 8 + 7) / w + 1;
	return count < n ? count : n;
}

static inline uint64_t
otr__bits_fast(const uint8_t *stream, size_t i, unsigned w, uint64_t mask)
{
	size_t bit = i * w;

	return otr__get64(stream + (bit >> 3)) >> (bit & 7) & mask;
}

/* Any number of any stream, w > 0: from the one or two words that hold it. */
static inline uint64_t
otr__bits_get(const uint8_t *stream, size_t i, unsigned w)
{
	uint64_t bit = (uint64_t)i * w;
	unsigned shift = (unsigned)(bit & 63);
	const uint8_t *word = stream + 8 * (size_t)(bit >> 6);
	uint64_t v = otr__get64(word) >> shift;

	if (shift + w > 64)
		v |= otr__get64(word + 8) << (64 - shift);
	return v & otr__bits_mask(w);
}

/* True if the bits behind the n numbers are zero. */
static inline bool
otr__bits_spare_zero(const uint8_t *stream, size_t n, unsigned w)
{
	unsigned used = (unsigned)((uint64_t)n * w & 63);

	return used == 0 || otr__get64(stream + 8 * (otr__bits_words(n, w) - 1)) >> used == 0;
}

/* Writes the n numbers of w bits (each < 2^w) into otr__bits_words(n, w) words. */
void otr__bits_put(uint8_t *stream, const uint64_t *number, size_t n, unsigned w);

#endif
