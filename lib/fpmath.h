/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fpmath.h - floating point to the last bit: exact sums and products, double-double addition, IEEE totalOrder, exact powers of ten.
 *
 * The results are part of the format (SPEC 6), so every operation below must be one IEEE binary64 operation: the library is built with
 * -ffp-contract=off, never with -ffast-math.
 */
#ifndef OTR_FPMATH_H
#define OTR_FPMATH_H

#include <float.h>

#include "bytes.h"

/* 1, as on s390x, only widens floats, in which nothing is computed. */
_Static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1, "intermediate results must be IEEE binary64: on i686 build with -msse2 -mfpmath=sse");

/* An unevaluated sum. */
struct otr__dd {
	double hi, lo;
};

/* hi + lo = a + b exactly. */
static inline struct otr__dd
otr__two_sum(double a, double b)
{
	double s = a + b, t = s - a;

	return (struct otr__dd){ .hi = s, .lo = (a - (s - t)) + (b - t) };
}

/* The same for |a| >= |b|, or a = 0. */
static inline struct otr__dd
otr__fast_sum(double a, double b)
{
	double s = a + b;

	return (struct otr__dd){ .hi = s, .lo = b - (s - a) };
}

/* Exponent bits all set; a NaN if others are set too. */
static inline int
otr__is_nan(uint64_t bits)
{
	return (bits & UINT64_C(0x7fffffffffffffff)) > UINT64_C(0x7ff0000000000000);
}

static inline int
otr__is_finite(uint64_t bits)
{
	return (bits & UINT64_C(0x7ff0000000000000)) != UINT64_C(0x7ff0000000000000);
}

/*
 * hi + lo = a * b exactly, by Dekker's splitting; lo = +0 where the product is too large or too small for that, or a factor so large
 * that splitting it overflows.
 */
static inline struct otr__dd
otr__two_prod(double a, double b)
{
	const double split = 134217729.0;   /* 2^27 + 1 */
	double p = a * b, size = p < 0 ? -p : p, c, ah, al, bh, bl, e;

	if (!(size >= 0x1p-900 && size < 0x1p900))
		return (struct otr__dd){ .hi = p, .lo = 0.0 };
	c = split * a;
	ah = c - (c - a);
	al = a - ah;
	c = split * b;
	bh = c - (c - b);
	bl = b - bh;
	e = al * bl - (((p - ah * bh) - al * bh) - ah * bl);
	return (struct otr__dd){ .hi = p, .lo = otr__is_finite(otr__bits_of(e)) ? e : 0.0 };
}

static inline struct otr__dd
otr__dd_add(struct otr__dd a, struct otr__dd b)
{
	struct otr__dd s = otr__two_sum(a.hi, b.hi), t = otr__two_sum(a.lo, b.lo), r = otr__fast_sum(s.hi, s.lo + t.hi);

	return otr__fast_sum(r.hi, r.lo + t.lo);
}

/* The bits of an f64 as an integer that is ordered as IEEE totalOrder orders the f64: -NaN < -inf < .. < -0 < +0 < .. < inf < NaN.
 * Its own inverse. */
static inline int64_t
otr__total_order(uint64_t bits)
{
	return otr__i64(bits ^ (0 - (bits >> 63)) >> 1);
}

/* The same for the 32 bits of an f32. */
static inline int32_t
otr__total_order_f(uint32_t bits)
{
	uint32_t u = bits ^ (0 - (bits >> 31)) >> 1;
	int32_t i;

	memcpy(&i, &u, sizeof i);
	return i;
}

/* A sum as it is stored: no low part beside a high part that is not finite, and one NaN for all (SPEC 6.5). */
static inline struct otr__dd
otr__dd_norm(struct otr__dd a)
{
	uint64_t bits = otr__bits_of(a.hi);

	if (otr__is_nan(bits))
		a.hi = otr__double_of(UINT64_C(0x7ff8000000000000));
	if (!otr__is_finite(bits))
		a.lo = 0.0;
	return a;
}

#define OTR__POWERS 23

/* 10^i for i = 0..22, the powers that a double holds exactly. */
static inline double
otr__power_of_ten(unsigned i)
{
	static const double power[OTR__POWERS] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
		1e21, 1e22
	};

	return power[i];
}

#endif
