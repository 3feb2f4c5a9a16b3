/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_summary.c - answers derived from a summary: each rounded once, and none where there is nothing.
 */
#include <float.h>
#include <math.h>

#include "otr.h"
#include "tap.h"

/* sum / n in the integers of a small range is exact in long double where that has 64 bits; elsewhere only the plain cases are looked at. */
static int
random_means(void)
{
	unsigned long long state = 3;
	int i, bad = 0;

	for (i = 0; i < 200000; i++) {
		unsigned shift = (unsigned)(tap_random(&state) % 63);
		uint64_t count = 1 + (tap_random(&state) >> (1 + tap_random(&state) % 62));
		int64_t mean = (int64_t)(tap_random(&state) >> (1 + shift));
		struct otr_summary s = { .count = count, .sum_low = (uint64_t)mean };

		/* a sum of one word: the quotient of two integers, whose nearest double a long double division gives, but for double rounding */
		long double exact = (long double)mean / (long double)count;
		double got = otr_summary_mean(&s, OTR_I64), up = nextafter(got, INFINITY), down = nextafter(got, -INFINITY);

		bad += LDBL_MANT_DIG >= 64 && (fabsl(exact - (long double)got) > fabsl(exact - (long double)up) ||
		    fabsl(exact - (long double)got) > fabsl(exact - (long double)down));
		s.sum_low = 0 - s.sum_low;
		s.sum_high = mean == 0 ? 0 : -1;
		bad += otr_summary_mean(&s, OTR_I64) != -got;
	}
	return bad;
}

int
main(void)
{
	struct otr_summary s = { .rows = 4 };

	CHECK(isnan(otr_summary_sum(&s, OTR_F64)) && isnan(otr_summary_mean(&s, OTR_I64)) && isnan(otr_summary_variance(&s)) &&
	    isnan(otr_summary_area(&s)) && isnan(otr_summary_twa(&s)) && isnan(otr_summary_rate(&s, OTR_F64)), "of nothing there is no answer");
	s = (struct otr_summary){ .count = 3, .sum_high = 1, .sum_low = UINT64_C(9223372036854775805) };
	CHECK(otr_summary_mean(&s, OTR_I64) == 9.223372036854776e18 && otr_summary_sum(&s, OTR_I64) == 27670116110564327421.0,
	    "the mean of three times 2^63 - 1 (case E)");
	s = (struct otr_summary){ .count = 2, .sum_high = -1, .sum_low = UINT64_MAX };
	CHECK(otr_summary_mean(&s, OTR_I64) == -0.5 && otr_summary_sum(&s, OTR_I64) == -1, "a negative sum");
	s = (struct otr_summary){ .count = 1, .sum_high = -1, .sum_low = UINT64_C(1) << 63 };
	CHECK(otr_summary_mean(&s, OTR_I64) == -0x1p63, "the mean of -2^63");
	s = (struct otr_summary){ .count = UINT64_MAX, .sum_low = 1 };
	CHECK(otr_summary_mean(&s, OTR_I64) == 1.0 / 18446744073709551616.0 * (1 + 0x1p-64), "a tiny mean");
	/* halfway cases: 2^53 + 1 is a tie, to even; a remainder, however small, decides */
	s = (struct otr_summary){ .count = 1, .sum_low = (UINT64_C(1) << 53) + 1 };
	CHECK(otr_summary_mean(&s, OTR_I64) == 0x1p53 && otr_summary_sum(&s, OTR_I64) == 0x1p53, "ties go to even");
	s = (struct otr_summary){ .count = 1000, .sum_low = ((UINT64_C(1) << 53) + 1) * 1000 + 1 };
	CHECK(otr_summary_mean(&s, OTR_I64) == 0x1p53 + 2, "a mean is rounded once: a remainder behind a tie rounds up");
	CHECK(random_means() == 0, "means of integers are the nearest doubles");
	s = (struct otr_summary){ .count = 3, .sum_hi = 1e16, .sum_lo = 1 };
	CHECK(otr_summary_sum(&s, OTR_F64) == 1e16 && otr_summary_mean(&s, OTR_F64) == 3333333333333333.5, "the low half of a sum counts in the mean");
	s = (struct otr_summary){ .count = 2, .sum_hi = INFINITY };
	CHECK(isinf(otr_summary_sum(&s, OTR_F64)) && isinf(otr_summary_mean(&s, OTR_F64)), "an overflown sum has an infinite mean");
	s = (struct otr_summary){ .count = 4, .m2 = 90 };
	CHECK(otr_summary_variance(&s) == 22.5, "variance is of the population");
	s = (struct otr_summary){ .count = 5, .area_hi = 75e9, .covered_ns = 14000000000 };
	CHECK(otr_summary_area(&s) == 75 && otr_summary_twa(&s) == 5.357142857142857, "area in seconds, and the time-weighted mean (case A)");
	s = (struct otr_summary){ .count = 8, .has_rise = true, .rise_i = 32, .rise_span_ns = 420000000000 };
	CHECK(otr_summary_rate(&s, OTR_I64) == 0.0761904761904762, "rise per second (case R)");
	s.rise_i = UINT64_MAX;
	CHECK(isnan(otr_summary_rate(&s, OTR_I64)), "a rise that overflows has no rate");
	s = (struct otr_summary){ .count = 8, .has_rise = true, .rise_f = 0.75, .rise_span_ns = 3000000000 };
	CHECK(otr_summary_rate(&s, OTR_F64) == 0.25, "a rate of floats");
	s.rise_span_ns = 0;
	CHECK(isnan(otr_summary_rate(&s, OTR_F64)), "pairs without time between them have no rate");
	return tap_done();
}
