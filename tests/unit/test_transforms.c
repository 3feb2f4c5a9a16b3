/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_transforms.c - DECIMAL, BITS, DICT, and the inflate wrapper by themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "decimal.h"
#include "deflate.h"
#include "dict.h"
#include "fbits.h"
#include "tap.h"

#define N 10000

static uint64_t value[N], x[N];
static uint16_t exception[N];
static unsigned long long seed = 5;

static void
decimals(void)
{
	static const struct { double v; int s, least; } list[] = {
		{ 20.01, 2, 2 }, { 5000, -3, -3 }, { 0x1p53, 0, 0 }, { 1e22, -22, -22 }, { 1e-22, 22, 22 }, { 0.5, 1, 1 }, { 74.93588199999998, 14, 14 },
	};
	unsigned failures = 0;
	size_t i;
	int s, single;

	for (i = 0; i < N; i++) {
		char text[32];

		snprintf(text, sizeof text, "%zu.%02zu", i / 100, i % 100);
		value[i] = otr__bits_of(strtod(text, NULL));
	}
	CHECK(otr__decimal_find(value, N, false, 0, &s) && s == 2, "two decimals are found");
	CHECK(otr__decimal_encode(value, N, 2, false, x, exception, 0) == 0 && x[1234] == 1234, "0.00 to 99.99 are the integers 0 to 9,999");
	CHECK(otr__decimal_decode(x, N, 2, false) && memcmp(x, value, sizeof x) == 0, "and come back, each of them");
	for (i = 0; i < sizeof list / sizeof list[0]; i++) {
		value[0] = otr__bits_of(list[i].v);
		failures += !otr__decimal_find(value, 1, false, 0, &s) || s != list[i].least;
		failures += otr__decimal_encode(value, 1, list[i].s, false, x, exception, 1) != 0 || !otr__decimal_decode(x, 1, list[i].s, false) ||
		    x[0] != value[0];
	}
	CHECK(failures == 0, "the least s of single values is found, from -22 to 22");

	for (failures = 0, single = 0; single < 2; single++)
		for (s = -22; s <= 22; s++) {
			for (i = 0; i < N; i++)
				x[i] = (tap_random(&seed) >> (11 + i % 40)) * (i & 1 ? 1 : UINT64_MAX);
			failures += !otr__decimal_decode(x, N, s, single);
			memcpy(value, x, sizeof x);
			if (otr__decimal_encode(value, N, s, single, x, exception, N) > N || !otr__decimal_decode(x, N, s, single)) {
				failures++;
				continue;
			}
			/* decoding what was encoded gives the values, but for the exceptions */
			{
				size_t count = otr__decimal_encode(value, N, s, single, x, exception, N), k;

				failures += !otr__decimal_decode(x, N, s, single);
				for (k = 0; k < count; k++)
					x[exception[k]] = value[exception[k]];
				failures += memcmp(x, value, sizeof x) != 0;
				failures += !single && s >= 0 && count > N / 10;
			}
		}
	CHECK(failures == 0, "integers of up to 53 bits come back for every s, f64 and f32");
	for (i = 0; i < 100; i++)
		value[i] = otr__bits_of((double)i / 10);
	value[0] = UINT64_C(0x7ff8000000000001);
	value[50] = UINT64_C(0x8000000000000000);
	value[64] = UINT64_C(0x7ff0000000000000);
	CHECK(otr__decimal_encode(value, 100, 1, false, x, exception, 3) == 3 && exception[0] == 0 && exception[1] == 50 && exception[2] == 64 &&
	    x[0] == 1 && x[50] == 50, "NaN, -0 and infinity are exceptions, with integers that their neighbours suggest");
	CHECK(otr__decimal_encode(value, 100, 1, false, x, exception, 2) == 3, "more exceptions than allowed are told");
	x[0] = UINT64_C(1) << 53;
	x[1] = 0 - x[0];
	CHECK(otr__decimal_decode(x, 2, 0, false) && otr__double_of(x[0]) == 0x1p53 && otr__double_of(x[1]) == -0x1p53, "+-2^53 are allowed");
	for (failures = 0, i = 0; i < 130; i++) {
		memset(x, 0, sizeof x);
		x[i] = i & 1 ? (UINT64_C(1) << 53) + 1 : i & 2 ? (uint64_t)INT64_MIN : 0 - (UINT64_C(1) << 53) - 1;
		failures += otr__decimal_decode(x, 130, 2, false);
	}
	CHECK(failures == 0, "an integer beyond 2^53 is refused wherever it stands");
}

static void
patterns(void)
{
	unsigned zeros, failures = 0, width;
	size_t i;

	for (width = 32; width <= 64; width += 32)
		for (zeros = 0; zeros < width; zeros++) {
			uint64_t ones = width == 32 ? UINT32_MAX : UINT64_MAX;

			for (i = 0; i < 100; i++)
				value[i] = tap_random(&seed) << zeros & ones;
			value[0] = ones << zeros & ones;
			failures += otr__fbits_zeros(value, 100, width) != zeros;
			otr__fbits_encode(value, 100, width, zeros, x);
			failures += !otr__fbits_decode(x, 100, width, zeros) || memcmp(x, value, 800) != 0;
			if (width - zeros < 64) {
				x[0] = UINT64_C(1) << (width - zeros);
				failures += otr__fbits_decode(x, 1, width, zeros);
			}
		}
	CHECK(failures == 0, "patterns of both widths with all numbers of zeros come back, and greater integers are refused");
	memset(value, 0, 800);
	CHECK(otr__fbits_zeros(value, 100, 64) == 63 && otr__fbits_zeros(value, 100, 32) == 31, "zeros alone leave one bit");
}

static void
dictionaries(void)
{
	static struct otr__dict_table table;
	static uint64_t entry[OTR__DICT_MAX];
	uint64_t few[300];
	size_t i, n;
	unsigned kind, failures = 0;

	for (kind = 0; kind < 3; kind++) {
		bool floating = kind > 0;
		unsigned width = kind == 2 ? 32 : 64;

		for (i = 0; i < 300; i++)
			few[i] = width == 32 ? tap_random(&seed) & UINT32_MAX : tap_random(&seed);
		for (i = 0; i < N; i++)
			value[i] = few[tap_random(&seed) % 300];
		n = otr__dict_find(value, N, floating, width, OTR__DICT_MAX, &table, entry, x);
		failures += n != 300 || !otr__dict_ascends(entry, n, floating, width);
		failures += !otr__dict_decode(x, N, entry, n) || memcmp(x, value, sizeof x) != 0;
		failures += otr__dict_find(value, N, floating, width, 299, &table, entry, x) != 300;
	}
	CHECK(failures == 0, "300 values of each kind are found, sorted and come back");
	value[0] = otr__bits_of(3.5);
	value[1] = otr__bits_of(-0.0);
	value[2] = value[0];
	value[3] = 0;
	CHECK(otr__dict_find(value, 4, true, 64, 3, &table, entry, x) == 3 && x[0] == 2 && x[1] == 0 && x[2] == 2 && x[3] == 1,
	    "-0 and +0 are two entries, in this order");
	x[0] = 3;
	CHECK(!otr__dict_decode(x, 1, entry, 3), "an index beyond the entries is refused");
	entry[1] = entry[0];
	CHECK(!otr__dict_ascends(entry, 2, true, 64), "an entry given twice is refused");
}

static void
inflating(void)
{
	static const uint8_t stored[] = { 0x01, 3, 0, 0xfc, 0xff, 'o', 't', 'r' };
	static uint64_t memory[OTR__INFLATE_MEMORY / 8];
	uint8_t out[4];

	CHECK(otr__inflate(stored, sizeof stored, out, 3, memory) && memcmp(out, "otr", 3) == 0, "a stored block inflates");
	CHECK(!otr__inflate(stored, sizeof stored, out, 2, memory) && !otr__inflate(stored, sizeof stored, out, 4, memory),
	    "a stream of another size is refused");
	CHECK(!otr__inflate(stored, sizeof stored - 1, out, 3, memory), "a cut stream is refused");
	CHECK(!otr__inflate((const uint8_t *)"\x01\x00\x00\xff\xff\x00", 6, out, 0, memory), "bytes behind the end of a stream are refused");
	CHECK(otr__inflate((const uint8_t *)"\x01\x00\x00\xff\xff", 5, out, 0, memory), "an empty stream inflates to nothing");
}

int
main(void)
{
	decimals();
	patterns();
	dictionaries();
	inflating();
	return tap_done();
}
