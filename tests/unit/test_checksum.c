/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_checksum.c - CRC-32 against the vectors of SPEC 3.1, and the proof of which errors it finds in pages.
 *
 * The proof.  A CRC is linear: an error goes unseen if what its bits each do to it (their *syndromes*) cancel out.  The syndrome of bit k, counted from the end of
 * the polynomial, is x^k modulo the generator; for the bits of the stored CRC, which is at the front of a page, k is below 32.  So every error of one bit is found if no syndrome is 0,
 * of two if all differ, and of three if no two syndromes sum up to a third; dividing by the least power, it is enough to look at pairs 1 + x^j = x^k.
 */
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "tap.h"

#define PAGE_MAX 65536u
#define BITS_MAX (8 * PAGE_MAX)
#define GENERATOR 0xedb88320u            /* 04C11DB7 reflected: the highest power is the lowest bit */
#define PLACES (1u << 22)

static uint32_t syndrome[BITS_MAX];
static uint32_t place[PLACES];           /* k + 1 of the syndrome that hashes here, or a free one behind it */

static uint32_t
slot_of(uint32_t s)
{
	uint32_t i = s * 0x9e3779b1u >> 10;

	while (place[i] != 0 && syndrome[place[i] - 1] != s)
		i = (i + 1) % PLACES;
	return i;
}

/* k of this syndrome among the first n, or n. */
static uint32_t
power_of(uint32_t s, uint32_t n)
{
	uint32_t at = place[slot_of(s)];

	return at == 0 || at - 1 >= n ? n : at - 1;
}

/* The power of bit b (LSB first) of the byte at `at` of a page: the checksum's own bits last, as they are stored. */
static uint32_t
power_at(size_t at, unsigned b, size_t page)
{
	size_t behind = at < 4 ? 8 * at + b : 8 * (at - 4) + b;

	return (uint32_t)(at < 4 ? 31 - behind : 8 * (page - 4) + 31 - behind);
}

/* Whether the library's checksum does to an error what the table says, wherever the bit is. */
static int
has_syndromes(size_t page)
{
	static uint8_t error[PAGE_MAX];
	uint32_t zero = otr__crc32(error + 4, page - 4);
	size_t at;
	int ok = 1;

	for (at = 0; at < page; at += at < 16 || at + 16 >= page ? 1 : 61) {
		unsigned b = (unsigned)(at % 8);
		uint32_t s;

		error[at] = (uint8_t)(1u << b);
		/* the stored checksum xor the one computed is 0 of a sound page; its bits stand as in the file */
		s = otr__crc32(error + 4, page - 4) ^ zero ^ (uint32_t)error[0] ^ (uint32_t)error[1] << 8 ^ (uint32_t)error[2] << 16 ^ (uint32_t)error[3] << 24;
		ok &= s == syndrome[power_at(at, b, page)];
		error[at] = 0;
	}
	return ok;
}

/* The least k for which 1 + x^j = x^k with 0 < j < k < n: three bits that far apart go unseen.  n if there is none. */
static uint32_t
three_bits(uint32_t n)
{
	uint32_t least = n, j;

	for (j = 1; j < n; j++) {
		uint32_t k = power_of(syndrome[0] ^ syndrome[j], n);

		if (k < least && k > j)
			least = k;
	}
	return least;
}

static void
test_errors(void)
{
	uint32_t k, zeros = 0, doubles = 0, three;
	size_t page;
	int same = 1;

	syndrome[0] = 0x80000000u;
	for (k = 1; k < BITS_MAX; k++)
		syndrome[k] = syndrome[k - 1] >> 1 ^ ((syndrome[k - 1] & 1) != 0 ? GENERATOR : 0);
	for (k = 0; k < BITS_MAX; k++) {
		uint32_t i = slot_of(syndrome[k]);

		zeros += syndrome[k] == 0;
		doubles += place[i] != 0;
		place[i] = k + 1;
	}
	for (page = 4096; page <= PAGE_MAX; page *= 2)
		same &= has_syndromes(page);
	CHECK(same, "3.1: the checksum of a page of each size does to a flipped bit what its power of x says");
	CHECK(zeros == 0, "3.1: every error of one bit is found, at every page size");
	CHECK(doubles == 0, "3.1: every error of two bits");
	three = three_bits(BITS_MAX);
	printf("# the first three bits that go unseen span %u bits: pages of up to %u data bits\n", (unsigned)three + 1, (unsigned)three - 32);
	CHECK(three >= 8 * 8192, "3.1: every error of three bits in pages of 4096 and 8192 bytes");
	CHECK(three - 32 == 91607, "3.1: and up to 91,607 data bits, as testing promises");
}

int
main(void)
{
	static const struct { size_t len; uint32_t crc; const char *sentence; } zeros[] = {
		{ 4092, 0x603b0489, "4092 zero bytes" }, { 8188, 0xaac184f9, "8188 zero bytes" }, { 16380, 0x36aefd86, "16380 zero bytes" },
		{ 32764, 0xb52d2b04, "32764 zero bytes" }, { 65532, 0x510b66bf, "65532 zero bytes" },
	};
	static uint8_t bytes[65536], page[4096], rest[4092];
	size_t i, at;
	int ok = 1;

	CHECK(otr__crc32((const uint8_t *)"123456789", 9) == 0xcbf43926, "123456789 gives CBF43926");
	for (i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
		CHECK(otr__crc32(bytes, zeros[i].len) == zeros[i].crc, zeros[i].sentence);
	CHECK(otr__crc32_without(bytes, 4096, 0) == 0x603b0489, "a page of zeros gives the CRC of the 4092 behind its own");
	for (i = 0; i < sizeof page; i++)
		page[i] = (uint8_t)(i * 7 ^ i >> 5);
	for (at = 0; at <= 4092; at += 4) {
		memcpy(rest, page, at);
		memcpy(rest + at, page + at + 4, 4092 - at);
		ok &= otr__crc32_without(page, 4096, at) == otr__crc32(rest, 4092);
	}
	CHECK(ok, "the CRC without four bytes is that of the others joined");
	test_errors();
	return tap_done();
}
