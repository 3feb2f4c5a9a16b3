/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fpmath.c - exact sums and products, totalOrder, powers of ten.
 */
#include <stdlib.h>

#include "fpmath.h"
#include "tap.h"

/* A double whose bits are spread over all of its exponents of that range. */
static double
any(unsigned long long *seed, int exponents)
{
	uint64_t u = tap_random(seed), spread = (uint64_t)exponents, exponent = 1023 - spread / 2 + tap_random(seed) % spread;

	return otr__double_of((u & UINT64_C(0x800fffffffffffff)) | exponent << 52);
}

static void
sums(void)
{
	unsigned long long seed = 3;
	unsigned failures = 0;
	struct otr__dd a, b;
	int i;

	a = otr__two_sum(1e16, 1.0);
	CHECK(a.hi == 1e16 && a.lo == 1.0, "two_sum keeps what the sum loses");
	a = otr__fast_sum(0x1p60, 3.0);
	CHECK(a.hi == 0x1p60 && a.lo == 3.0, "fast_sum does so for ordered terms");
	a = otr__two_prod(0x1p27 + 1, 0x1p27 + 1);
	CHECK(a.hi == 0x1p54 + 0x1p28 && a.lo == 1.0, "two_prod keeps the last bit of (2^27 + 1)^2");
	a = otr__two_prod(0x1p-500, 0x1p-500);
	CHECK(a.hi == 0x1p-1000 && otr__bits_of(a.lo) == 0, "a tiny product has a low part of +0");
	a = otr__two_prod(0x1p1000, 0x1p-500);
	CHECK(a.hi == 0x1p500 && otr__bits_of(a.lo) == 0, "a factor too large to split has a low part of +0");
	a = otr__two_prod(otr__double_of(UINT64_C(0x7ff8000000000000)), 1);
	CHECK(otr__is_nan(otr__bits_of(a.hi)) && otr__bits_of(a.lo) == 0, "a NaN has a low part of +0");
	a = otr__dd_add((struct otr__dd){ 1, 0x1p-60 }, (struct otr__dd){ 0x1p60, -0x1p-60 });
	CHECK(a.hi == 0x1p60 && a.lo == 1.0, "dd_add adds both parts");
	a = otr__dd_norm((struct otr__dd){ -otr__double_of(UINT64_C(0x7ff8000000000007)), 1 });
	CHECK(otr__bits_of(a.hi) == UINT64_C(0x7ff8000000000000) && a.lo == 0, "dd_norm makes one NaN of all");
	a = otr__dd_norm((struct otr__dd){ -1.0 / 0.0, 1 });
	CHECK(a.hi == -1.0 / 0.0 && a.lo == 0, "dd_norm leaves nothing beside an infinity");
	for (i = 0; i < 100000; i++) {
		double x = any(&seed, 40), y = any(&seed, 40);

		a = otr__two_sum(x, y);
		b = otr__two_sum(y, x);
		failures += a.hi != x + y || a.hi != b.hi || a.lo != b.lo || a.hi + a.lo != a.hi;
		/* the parts taken away again leave nothing */
		failures += otr__dd_add(otr__dd_add(a, (struct otr__dd){ -x, 0 }), (struct otr__dd){ -y, 0 }).hi != 0;
	}
	CHECK(failures == 0, "two_sum is exact for 100,000 random pairs");
#ifdef __SIZEOF_INT128__
	for (failures = 0, i = 0; i < 100000; i++) {
		int64_t x = otr__i64(tap_random(&seed)) >> 11, y = otr__i64(tap_random(&seed)) >> 11;
		__extension__ typedef __int128 native;

		a = otr__two_prod((double)x, (double)y);
		failures += (native)a.hi + (native)a.lo != (native)x * y;
	}
	CHECK(failures == 0, "two_prod is exact for 100,000 random integers of 53 bits");
#endif
}

static void
order(void)
{
	static const uint64_t ascending[] = { UINT64_C(0xffffffffffffffff), UINT64_C(0xfff8000000000000), UINT64_C(0xfff0000000000000),
		UINT64_C(0xffefffffffffffff), UINT64_C(0x8000000000000001), UINT64_C(0x8000000000000000), 0, 1, UINT64_C(0x3ff0000000000000),
		UINT64_C(0x7ff0000000000000), UINT64_C(0x7ff0000000000001), UINT64_C(0x7fffffffffffffff) };
	static const uint32_t ascending_f[] = { 0xffffffff, 0xff800000, 0x80000001, 0x80000000, 0, 1, 0x3f800000, 0x7f800000, 0x7fffffff };
	int ok = 1;
	size_t i;

	for (i = 1; i < sizeof ascending / sizeof ascending[0]; i++)
		ok &= otr__total_order(ascending[i - 1]) < otr__total_order(ascending[i]);
	for (i = 0; i < sizeof ascending / sizeof ascending[0]; i++)
		ok &= (uint64_t)otr__total_order((uint64_t)otr__total_order(ascending[i])) == ascending[i];
	CHECK(ok, "totalOrder goes from -NaN over -0 and +0 to NaN, and back");
	for (i = 1; i < sizeof ascending_f / sizeof ascending_f[0]; i++)
		ok &= otr__total_order_f(ascending_f[i - 1]) < otr__total_order_f(ascending_f[i]);
	CHECK(ok, "so it does for f32");
	CHECK(otr__is_nan(UINT64_C(0xfff0000000000001)) && !otr__is_nan(UINT64_C(0x7ff0000000000000)) && !otr__is_finite(UINT64_C(0xfff0000000000000)) &&
	    otr__is_finite(UINT64_C(0x7fefffffffffffff)), "NaN and infinity are told from their bits");
}

int
main(void)
{
	double power = 1;
	int ok = 1;
	unsigned i;

	sums();
	order();
	for (i = 0; i < OTR__POWERS; i++, power *= 10)
		ok &= otr__power_of_ten(i) == power;
	CHECK(ok, "the powers of ten are exact up to 10^22");
	return tap_done();
}
