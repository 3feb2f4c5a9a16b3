/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * summary.c - answers derived from a summary (otr_summary_* of otr.h): quotients of exact sums, rounded once, or as near to that as double-double
 * arithmetic comes (relative error below 2^-100 before the one rounding).
 */
#include <math.h>

#include "fpmath.h"
#include "intmath.h"
#include "stats.h"

/* Both halves are exact, and so is their sum. */
static struct otr__dd
dd_of_u64(uint64_t a)
{
	return otr__fast_sum((double)(uint32_t)(a >> 32) * 4294967296.0, (double)(uint32_t)a);
}

/* a / b; b is not zero. */
static double
divide(struct otr__dd a, struct otr__dd b)
{
	double q = a.hi / b.hi;
	struct otr__dd p = otr__two_prod(q, b.hi);

	if (!otr__is_finite(otr__bits_of(q)))
		return q;
	return q + ((((a.hi - p.hi) - p.lo) + a.lo) - q * b.lo) / b.hi;
}

static double
times(double mantissa, int exponent)
{
	return mantissa * otr__double_of((uint64_t)(1023 + exponent) << 52);
}

/* sum / n, rounded once: 62 leading bits of the quotient by long division, and a last one that says "something followed". */
static double
divide_i128(struct otr__i128 sum, uint64_t n)
{
	bool negative = sum.hi < 0;
	uint64_t rest, q;
	int exponent = 0;
	double d;

	if (negative)
		sum = otr__i128_neg(sum);
	sum = otr__i128_div_u64(sum, n, &rest);
	if (sum.hi != 0)
		return NAN;                        /* no n values of 64 bits have such a sum */
	q = sum.lo;
	if (q == 0 && rest == 0)
		return 0.0;
	while (otr__bit_length(q) < 62) {
		bool carry = rest >> 63 != 0;

		rest <<= 1;
		q <<= 1;
		if (carry || rest >= n) {
			rest -= n;
			q |= 1;
		}
		exponent--;
	}
	while (otr__bit_length(q) > 62) {
		q = q >> 1 | (q & 1);
		exponent++;
	}
	d = times((double)otr__i64(q | (rest != 0)), exponent);
	return negative ? -d : d;
}

static struct otr__i128
integer_sum(const struct otr_summary *s)
{
	return (struct otr__i128){ .lo = s->sum_low, .hi = s->sum_high };
}

double
otr_summary_sum(const struct otr_summary *s, enum otr_type type)
{
	if (s->count == 0)
		return NAN;
	return otr__type_is_float(type) ? s->sum_hi + s->sum_lo : otr__i128_to_double(integer_sum(s));
}

double
otr_summary_mean(const struct otr_summary *s, enum otr_type type)
{
	if (s->count == 0)
		return NAN;
	if (!otr__type_is_float(type))
		return divide_i128(integer_sum(s), s->count);
	return divide((struct otr__dd){ .hi = s->sum_hi, .lo = s->sum_lo }, dd_of_u64(s->count));
}

double
otr_summary_variance(const struct otr_summary *s)
{
	return s->count == 0 ? NAN : divide((struct otr__dd){ .hi = s->m2 }, dd_of_u64(s->count));
}

double
otr_summary_area(const struct otr_summary *s)
{
	if (s->covered_ns == 0)
		return NAN;
	return divide((struct otr__dd){ .hi = s->area_hi, .lo = s->area_lo }, (struct otr__dd){ .hi = 1e9 });
}

double
otr_summary_twa(const struct otr_summary *s)
{
	if (s->covered_ns == 0)
		return NAN;
	return divide((struct otr__dd){ .hi = s->area_hi, .lo = s->area_lo }, dd_of_u64(s->covered_ns));
}

double
otr_summary_rate(const struct otr_summary *s, enum otr_type type)
{
	struct otr__dd rise = { .hi = s->rise_f }, p;

	if (s->count == 0 || !s->has_rise || s->rise_span_ns == 0)
		return NAN;
	if (!otr__type_is_float(type)) {
		if (s->rise_i == UINT64_MAX)
			return NAN;                /* overflow: not known */
		rise = dd_of_u64(s->rise_i);
	}
	p = otr__two_prod(rise.hi, 1e9);
	p.lo += rise.lo * 1e9;
	return divide(p, dd_of_u64(s->rise_span_ns));
}
