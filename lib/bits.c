/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bits.c - the writing half of the bit packer (SPEC 7.2); bits.h has the reading half.
 *
 * Three numbers of 24 bits, a, b, c, are two words:
 *
 *	word 0   bits 0..23 a, 24..47 b, 48..63 the low 16 bits of c
 *	word 1   bits 0..7 the high 8 bits of c, 8..63 zero
 */
#include "bits.h"

void
otr__bits_put(uint8_t *stream, const uint64_t *number, size_t n, unsigned w)
{
	uint64_t word = 0;
	unsigned used = 0;
	size_t i;

	if (w == 0)
		return;
	for (i = 0; i < n; i++) {
		word |= number[i] << used;
		used += w;
		if (used >= 64) {
			otr__put64(stream, word);
			stream += 8;
			used -= 64;
			/* the bits of this number that did not fit: none if it ended with the word (then w - used may be 64) */
			word = used == 0 ? 0 : number[i] >> (w - used);
		}
	}
	if (used > 0)
		otr__put64(stream, word);
}
