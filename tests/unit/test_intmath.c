/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intmath.c - checked arithmetic and the two-word 128-bit integer, against the compiler's own where there is one.
 */
#include "intmath.h"
#include "tap.h"

static void
checked(void)
{
	uint64_t u = 7;
	uint32_t n32 = 7;
	uint16_t n16 = 7;
	int64_t i = 7;

	CHECK(!otr__add_u64(UINT64_MAX, 1, &u) && u == 7, "a u64 sum that does not fit is refused and nothing is written");
	CHECK(otr__add_u64(UINT64_MAX - 1, 1, &u) && u == UINT64_MAX, "the greatest u64 sum fits");
	CHECK(!otr__mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &u) && otr__mul_u64(UINT64_MAX, 1, &u) && otr__mul_u64(5, 0, &u) && u == 0,
	    "u64 products are checked");
	CHECK(!otr__add_i64(INT64_MAX, 1, &i) && !otr__add_i64(INT64_MIN, -1, &i) && i == 7, "i64 sums are checked on both sides");
	CHECK(otr__add_i64(INT64_MIN, INT64_MAX, &i) && i == -1, "INT64_MIN + INT64_MAX is -1");
	CHECK(!otr__narrow_u32(UINT64_C(1) << 32, &n32) && !otr__narrow_u16(65536, &n16) && otr__narrow_u16(65535, &n16) && n16 == 65535,
	    "narrowing is checked");
	CHECK(otr__distance(INT64_MIN, INT64_MAX) == UINT64_MAX, "the distance of the i64 limits is 2^64 - 1");
	CHECK(otr__bit_length(0) == 0 && otr__bit_length(1) == 1 && otr__bit_length(UINT64_MAX) == 64, "bit lengths of 0, 1, 2^64 - 1");
	CHECK(otr__trailing_zeros(0) == 64 && otr__trailing_zeros(8) == 3 && otr__trailing_zeros(UINT64_C(1) << 63) == 63,
	    "trailing zeros of 0, 8, 2^63");
}

static bool
same(struct otr__i128 a, int64_t hi, uint64_t lo)
{
	return a.hi == hi && a.lo == lo;
}

static void
wide(void)
{
	struct otr__i128 max = { UINT64_MAX, INT64_MAX }, min = { 0, INT64_MIN };
	uint64_t rest;

	CHECK(same(otr__i128_add(otr__i128_of(-1), otr__i128_of(1)), 0, 0), "-1 + 1 is 0");
	CHECK(same(otr__i128_add_i64(otr__i128_of_u64(UINT64_MAX), 1), 1, 0), "a sum carries into the upper word");
	CHECK(same(otr__i128_sub(otr__i128_of(0), otr__i128_of(1)), -1, UINT64_MAX), "0 - 1 is -1");
	CHECK(same(otr__i128_neg(otr__i128_of_u64(1)), -1, UINT64_MAX) && same(otr__i128_neg(otr__i128_of(0)), 0, 0), "negation of 1 and 0");
	CHECK(same(otr__i128_mul_u64(UINT64_MAX, INT64_MAX), INT64_MAX - 1, UINT64_C(0x8000000000000001)), "(2^64 - 1)(2^63 - 1) is exact");
	CHECK(same(otr__i128_mul_i64(INT64_MIN, INT64_MIN), INT64_C(1) << 62, 0), "INT64_MIN squared is 2^126");
	CHECK(otr__i128_compare(min, max) < 0 && otr__i128_compare(max, min) > 0 && otr__i128_compare(otr__i128_of(-1), otr__i128_of(-1)) == 0 &&
	    otr__i128_compare(otr__i128_of(-2), otr__i128_of(-1)) < 0, "comparison is signed");
	CHECK(otr__i128_to_double(max) == 0x1p127 && otr__i128_to_double(min) == -0x1p127, "the limits convert to +-2^127");
	CHECK(otr__i128_to_double((struct otr__i128){ (UINT64_C(1) << 11) + 1, INT64_C(1) << 0 }) == 0x1p64 + 4096,
	    "a little more than half is rounded up");
	CHECK(otr__i128_to_double((struct otr__i128){ UINT64_C(1) << 11, 1 }) == 0x1p64, "half is rounded to even, down");
	CHECK(otr__i128_to_double((struct otr__i128){ UINT64_C(3) << 11, 1 }) == 0x1p64 + 8192, "half is rounded to even, up");
	CHECK(same(otr__i128_div_u64(otr__i128_of(-7), 2, &rest), -1, (uint64_t)-4) && rest == 1, "-7 / 2 is -4, rest 1: the floor");
	CHECK(same(otr__i128_div_u64(otr__i128_of(-8), 2, &rest), -1, (uint64_t)-4) && rest == 0, "-8 / 2 is -4, rest 0");
	CHECK(same(otr__i128_div_u64(max, UINT64_MAX, &rest), 0, UINT64_C(1) << 63) && rest == INT64_MAX,
	    "(2^127 - 1) / (2^64 - 1) is 2^63, rest 2^63 - 1");
}

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 native;
__extension__ typedef unsigned __int128 native_u;

static native
native_of(struct otr__i128 a)
{
	return (native)((native_u)(uint64_t)a.hi << 64 | a.lo);
}

static void
against_native(void)
{
	unsigned long long seed = 7;
	unsigned failures = 0;
	int i;

	for (i = 0; i < 200000; i++) {
		unsigned s = (unsigned)(tap_random(&seed) >> 57), t = (unsigned)(tap_random(&seed) >> 58);
		struct otr__i128 a = { tap_random(&seed), otr__i64(tap_random(&seed)) }, b = { tap_random(&seed), otr__i64(tap_random(&seed)) };
		uint64_t d = (tap_random(&seed) >> t) | 1, rest;
		native na, nb, q;

		/* all sizes, not only the greatest */
		na = native_of(a) >> s;
		nb = native_of(b) >> t;
		a = (struct otr__i128){ (uint64_t)na, otr__i64((uint64_t)(na >> 64)) };
		b = (struct otr__i128){ (uint64_t)nb, otr__i64((uint64_t)(nb >> 64)) };
		failures += native_of(otr__i128_add(a, b)) != (native)((native_u)na + (native_u)nb);
		failures += native_of(otr__i128_sub(a, b)) != (native)((native_u)na - (native_u)nb);
		failures += (otr__i128_compare(a, b) < 0) != (na < nb) || (otr__i128_compare(a, b) == 0) != (na == nb);
		failures += native_of(otr__i128_mul_u64(a.lo, b.lo)) != (native)((native_u)a.lo * b.lo);
		failures += native_of(otr__i128_mul_i64(a.hi, b.hi)) != (native)a.hi * b.hi;
		failures += otr__i128_to_double(a) != (double)na;
		q = na / (native)d;
		q -= na % (native)d < 0;
		failures += native_of(otr__i128_div_u64(a, d, &rest)) != q || rest != (uint64_t)(na - q * (native)d);
	}
	CHECK(failures == 0, "200,000 random operations agree with the compiler's 128-bit integer");
}
#endif

int
main(void)
{
	checked();
	wide();
#ifdef __SIZEOF_INT128__
	against_native();
#endif
	return tap_done();
}
