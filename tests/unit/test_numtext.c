/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_numtext.c - numbers as text: cases.md E, and that the fast ways agree with the general one.
 */
#include "numtext.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

struct known {
	uint64_t bits;
	const char *text;
};

static const struct known f64[] = {
	{ 0x7fefffffffffffff, "1.7976931348623157e308" }, { 0x3fb999999999999a, "0.1" }, { 1, "5e-324" },
	{ 0x3fd3333333333334, "0.30000000000000004" }, { 0x0010000000000000, "2.2250738585072014e-308" }, { 0x3ee4f8b588e368f1, "0.00001" },
	{ 0x000fffffffffffff, "2.225073858507201e-308" }, { 0x3e7ad7f29abcaf48, "1e-7" }, { 0x8000000000000000, "-0" },
	{ 0x4345ee2a2eb5a5c4, "12345678901234568" }, { 0xfff0000000000000, "-inf" }, { 0x4376345785d8a000, "1e17" },
	{ 0x7ff8000000000000, "NaN" }, { 0x44b52d02c7e14af6, "1e23" }, { 0xfff8000000000000, "NaN(0xfff8000000000000)" },
	{ 0x437b69b4ba630f35, "1.2345678901234568e17" }, { 0x7ff5dbb0554c0010, "NaN(0x7ff5dbb0554c0010)" }, { 0x4011666666666666, "4.35" },
	{ 0x3d30000000000000, "5.684341886080802e-14" }, { 0x4330000000000000, "4503599627370496" }, { 0, "0" },
};

static const struct known f32[] = {
	{ 0x3dcccccd, "0.1" }, { 0x3eaaaaab, "0.33333334" }, { 1, "1e-45" }, { 0x7f7fffff, "3.4028235e38" }, { 0x7fa00001, "NaN(0x7fa00001)" },
	{ 0x80000000, "-0" }, { 0x46c89520, "25674.562" }, { 0x7fc00000, "NaN" }, { 0x4b800000, "16777216" },
};

static int
is_text(enum otr_type type, const struct known *k)
{
	char text[NUMTEXT_MAX];
	size_t len = (size_t)(numtext_write(text, type, k->bits) - text);
	uint64_t back = 0;

	return len == strlen(k->text) && memcmp(text, k->text, len) == 0 && numtext_read(type, text, len, &back) == NUMTEXT_OK && back == k->bits;
}

static int
reads(enum otr_type type, const char *text, enum numtext_status status, uint64_t bits)
{
	uint64_t got = 0;

	return numtext_read(type, text, strlen(text), &got) == status && (status != NUMTEXT_OK || got == bits);
}

static void
test_known(void)
{
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof f64 / sizeof f64[0]; i++)
		bad += !is_text(OTR_F64, &f64[i]);
	CHECK(bad == 0, "each f64 of the list has its text, and the text its bits");
	bad = 0;
	for (size_t i = 0; i < sizeof f32 / sizeof f32[0]; i++)
		bad += !is_text(OTR_F32, &f32[i]);
	CHECK(bad == 0, "each f32 of the list has its text, and the text its bits");
}

static void
test_refusals(void)
{
	CHECK(reads(OTR_F64, "21,5", NUMTEXT_COMMA, 0), "21,5 is refused for its comma");
	CHECK(reads(OTR_F64, "0x10", NUMTEXT_HEX, 0), "0x10 is refused as hexadecimal");
	CHECK(reads(OTR_F64, "1_000", NUMTEXT_GROUPED, 0), "1_000 is refused as grouped");
	CHECK(reads(OTR_F64, "1e400", NUMTEXT_RANGE, 0) && reads(OTR_F32, "3.5e38", NUMTEXT_RANGE, 0), "overflow is refused");
	CHECK(reads(OTR_F64, "", NUMTEXT_NOT_NUMBER, 0) && reads(OTR_F64, ".", NUMTEXT_NOT_NUMBER, 0) && reads(OTR_F64, "1e", NUMTEXT_NOT_NUMBER, 0) &&
	    reads(OTR_F64, "--1", NUMTEXT_NOT_NUMBER, 0), "fragments are no numbers");
	CHECK(reads(OTR_I64, "1.5", NUMTEXT_FRACTION, 0) && reads(OTR_I32, "1e3", NUMTEXT_FRACTION, 0), "an integer has no fraction and no exponent");
	CHECK(reads(OTR_I32, "2147483648", NUMTEXT_RANGE, 0) && reads(OTR_I32, "-2147483648", NUMTEXT_OK, (uint64_t)INT32_MIN), "i32 keeps its range");
	CHECK(reads(OTR_I64, "9223372036854775808", NUMTEXT_RANGE, 0) && reads(OTR_I64, "-9223372036854775808", NUMTEXT_OK, (uint64_t)INT64_MIN),
	    "i64 keeps its range");
	CHECK(reads(OTR_BOOL, "TRUE", NUMTEXT_OK, 1) && reads(OTR_BOOL, "0", NUMTEXT_OK, 0) && reads(OTR_BOOL, "2", NUMTEXT_NOT_BOOL, 0),
	    "bools are 0, 1, true, false");
	CHECK(reads(OTR_F64, "NaN(0x7ff0000000000000)", NUMTEXT_BAD_NAN, 0), "an infinity is no NaN");
	CHECK(reads(OTR_F64, "Infinity", NUMTEXT_OK, 0x7ff0000000000000), "infinity is read in any case");
	CHECK(reads(OTR_F32, "1.00000017881393432617187499", NUMTEXT_OK, 0x3f800001), "text to f32 rounds once");
	CHECK(reads(OTR_F64, "1e-400", NUMTEXT_OK, 0), "what is too small is 0");
}

/* Bits at random, and decimals of few digits: text and back, by both ways. */
static void
test_round_trips(void)
{
	unsigned long long state = 7;
	unsigned bad64 = 0, bad32 = 0, bad_fast = 0;

	for (unsigned i = 0; i < 200000; i++) {
		uint64_t bits = tap_random(&state), back = 0;
		char text[NUMTEXT_MAX + 1], *end;
		double v, fast;
		const char *stop;

		if (i % 2 == 0)
			bits = numtext_f64_bits((double)(int64_t)(bits >> 40) / numtext_power[bits % 9]);
		end = numtext_write(text, OTR_F64, bits);
		bad64 += numtext_read(OTR_F64, text, (size_t)(end - text), &back) != NUMTEXT_OK || back != bits;
		*end = '\0';
		v = numtext_f64(bits);
		stop = numtext_fast(text, &fast);
		bad_fast += stop == end && (numtext_f64_bits(fast) != bits || strtod(text, NULL) != v);
		end = numtext_write(text, OTR_F32, bits & 0xffffffff);
		bad32 += numtext_read(OTR_F32, text, (size_t)(end - text), &back) != NUMTEXT_OK || back != (bits & 0xffffffff);
	}
	CHECK(bad64 == 0, "any f64 comes back from its text bit for bit");
	CHECK(bad32 == 0, "any f32 comes back from its text bit for bit");
	CHECK(bad_fast == 0, "the fast way gives the value of strtod, or none");
}

static void
test_integers(void)
{
	char text[NUMTEXT_MAX];

	CHECK(numtext_write_i128(text, INT64_MIN, 0) - text == 40 && memcmp(text, "-170141183460469231731687303715884105728", 40) == 0, "-2^127 is written whole");
	CHECK(numtext_write_i128(text, 1, 9223372036854775805U) - text == 20 && memcmp(text, "27670116110564327421", 20) == 0,
	    "three times 2^63 - 1 is written whole");
	CHECK(numtext_write_i128(text, -1, UINT64_MAX) - text == 2 && memcmp(text, "-1", 2) == 0, "-1 of 128 bits is -1");
	CHECK(numtext_write_u64(text, UINT64_MAX) - text == 20 && memcmp(text, "18446744073709551615", 20) == 0, "2^64 - 1 is written whole");
}

int
main(void)
{
	test_known();
	test_refusals();
	test_round_trips();
	test_integers();
	return tap_done();
}
