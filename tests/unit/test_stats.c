/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stats.c - the record of a column (SPEC 6).  The words of the table come from a model of SPEC 6 in Python, written from its text, that was
 * checked against fractions; its rows are those of the behaviour catalogue.  Then: the fast ways against the plain one, and merges against exact things.
 */
#include <math.h>

#include "../../lib/fpmath.h"
#include "../../lib/intmath.h"
#include "../../lib/stats.h"
#include "tap.h"

#define S INT64_C(1000000000)
#define ROWS_MAX 2100

static const struct example {
	const char *name;
	int type, interpolation;
	bool has_gap;
	uint64_t gap_ns;
	size_t n;
	int64_t time_ns[8];
	uint64_t value[8];
	uint8_t present;
	uint64_t word[15];
} example[] = {
	{ "A: five rows, in ns", 5, 0, false, 0, 5,
	  { 1, 4, 6, 13, 15 },
	  { 0x4000000000000000, 0x401e000000000000, 0x4004000000000000, 0x4020000000000000, 0x4018000000000000 }, 0x1f,
	  { 0x5, 0x0, 0x4000000000000000, 0x4020000000000000, 0x403a000000000000, 0x0, 0x403f4ccccccccccd, 0x4000000000000000,
	    0x4018000000000000, 0x1, 0xf, 0x4052c00000000000, 0x0, 0xe, 0x4033800000000000 } },
	{ "A: in seconds, linear", 5, 0, false, 0, 5,
	  { 1000000000, 4000000000, 6000000000, 13000000000, 15000000000 },
	  { 0x4000000000000000, 0x401e000000000000, 0x4004000000000000, 0x4020000000000000, 0x4018000000000000 }, 0x1f,
	  { 0x5, 0x0, 0x4000000000000000, 0x4020000000000000, 0x403a000000000000, 0x0, 0x403f4ccccccccccd, 0x4000000000000000,
	    0x4018000000000000, 0x3b9aca00, 0x37e11d600, 0x423176592e000000, 0x0, 0x342770c00, 0x4033800000000000 } },
	{ "A: in seconds, step", 5, 1, false, 0, 5,
	  { 1000000000, 4000000000, 6000000000, 13000000000, 15000000000 },
	  { 0x4000000000000000, 0x401e000000000000, 0x4004000000000000, 0x4020000000000000, 0x4018000000000000 }, 0x1f,
	  { 0x5, 0x0, 0x4000000000000000, 0x4020000000000000, 0x403a000000000000, 0x0, 0x403f4ccccccccccd, 0x4000000000000000,
	    0x4018000000000000, 0x3b9aca00, 0x37e11d600, 0x422960e802000000, 0x0, 0x342770c00, 0x4033800000000000 } },
	{ "A: gap 3s, linear: a pair at the gap would count", 5, 0, true, 3000000000, 5,
	  { 1000000000, 4000000000, 6000000000, 13000000000, 15000000000 },
	  { 0x4000000000000000, 0x401e000000000000, 0x4004000000000000, 0x4020000000000000, 0x4018000000000000 }, 0x1f,
	  { 0x5, 0x0, 0x4000000000000000, 0x4020000000000000, 0x403a000000000000, 0x0, 0x403f4ccccccccccd, 0x4000000000000000,
	    0x4018000000000000, 0x3b9aca00, 0x37e11d600, 0x4221cfc15d000000, 0x0, 0x1a13b8600, 0x4033800000000000 } },
	{ "A: gap 2s, step", 5, 1, true, 2000000000, 5,
	  { 1000000000, 4000000000, 6000000000, 13000000000, 15000000000 },
	  { 0x4000000000000000, 0x401e000000000000, 0x4004000000000000, 0x4020000000000000, 0x4018000000000000 }, 0x1f,
	  { 0x5, 0x0, 0x4000000000000000, 0x4020000000000000, 0x403a000000000000, 0x0, 0x403f4ccccccccccd, 0x4000000000000000,
	    0x4018000000000000, 0x3b9aca00, 0x37e11d600, 0x421cdef9d8000000, 0x0, 0xee6b2800, 0x4033800000000000 } },
	{ "E: two DBL_MAX sum to inf, m2 is NaN", 5, 0, false, 0, 2,
	  { 0, 1 },
	  { 0x7fefffffffffffff, 0x7fefffffffffffff }, 0x3,
	  { 0x2, 0x0, 0x7fefffffffffffff, 0x7fefffffffffffff, 0x7ff0000000000000, 0x0, 0x7ff8000000000000, 0x7fefffffffffffff,
	    0x7fefffffffffffff, 0x0, 0x1, 0x7fefffffffffffff, 0x0, 0x1, 0x0 } },
	{ "E: +inf and 1", 5, 0, false, 0, 2,
	  { 0, 1 },
	  { 0x7ff0000000000000, 0x3ff0000000000000 }, 0x3,
	  { 0x2, 0x0, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff0000000000000, 0x0, 0x7ff8000000000000, 0x7ff0000000000000,
	    0x3ff0000000000000, 0x0, 0x1, 0x0, 0x0, 0x0, 0x0 } },
	{ "E: +inf and -inf", 5, 0, false, 0, 2,
	  { 0, 1 },
	  { 0x7ff0000000000000, 0xfff0000000000000 }, 0x3,
	  { 0x2, 0x0, 0xfff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x0, 0x7ff8000000000000, 0x7ff0000000000000,
	    0xfff0000000000000, 0x0, 0x1, 0x0, 0x0, 0x0, 0x0 } },
	{ "E: -0 is before +0", 5, 0, false, 0, 3,
	  { 0, 1, 2 },
	  { 0x0, 0x8000000000000000, 0x0 }, 0x7,
	  { 0x3, 0x0, 0x8000000000000000, 0x0, 0x0, 0x0, 0x0, 0x0,
	    0x0, 0x0, 0x2, 0x0, 0x0, 0x2, 0x0 } },
	{ "E: three times the greatest i64", 3, 0, false, 0, 3,
	  { 0, 1, 2 },
	  { 0x7fffffffffffffff, 0x7fffffffffffffff, 0x7fffffffffffffff }, 0x7,
	  { 0x3, 0x0, 0x7fffffffffffffff, 0x7fffffffffffffff, 0x7ffffffffffffffd, 0x1, 0x0, 0x7fffffffffffffff,
	    0x7fffffffffffffff, 0x0, 0x2, 0x43f0000000000000, 0x0, 0x2, 0x0 } },
	{ "E: both limits of i64", 3, 0, false, 0, 2,
	  { 0, 1 },
	  { 0x8000000000000000, 0x7fffffffffffffff }, 0x3,
	  { 0x2, 0x0, 0x8000000000000000, 0x7fffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0x47e0000000000000, 0x8000000000000000,
	    0x7fffffffffffffff, 0x0, 0x1, 0x0, 0x0, 0x1, 0xffffffffffffffff } },
	{ "I: 0 + (4, 7, 13, 16)", 5, 0, false, 0, 4,
	  { 0, 1, 2, 3 },
	  { 0x4010000000000000, 0x401c000000000000, 0x402a000000000000, 0x4030000000000000 }, 0xf,
	  { 0x4, 0x0, 0x4010000000000000, 0x4030000000000000, 0x4044000000000000, 0x0, 0x4056800000000000, 0x4010000000000000,
	    0x4030000000000000, 0x0, 0x3, 0x403e000000000000, 0x0, 0x3, 0x4028000000000000 } },
	{ "I: 1e+09 + (4, 7, 13, 16)", 5, 0, false, 0, 4,
	  { 0, 1, 2, 3 },
	  { 0x41cdcd6502000000, 0x41cdcd6503800000, 0x41cdcd6506800000, 0x41cdcd6508000000 }, 0xf,
	  { 0x4, 0x0, 0x41cdcd6502000000, 0x41cdcd6508000000, 0x41edcd6505000000, 0x0, 0x4056800000000000, 0x41cdcd6502000000,
	    0x41cdcd6508000000, 0x0, 0x3, 0x41e65a0bc3c00000, 0x0, 0x3, 0x4028000000000000 } },
	{ "I: 1e+12 + (4, 7, 13, 16)", 5, 0, false, 0, 4,
	  { 0, 1, 2, 3 },
	  { 0x426d1a94a2008000, 0x426d1a94a200e000, 0x426d1a94a201a000, 0x426d1a94a2020000 }, 0xf,
	  { 0x4, 0x0, 0x426d1a94a2008000, 0x426d1a94a2020000, 0x428d1a94a2014000, 0x0, 0x4056800000000000, 0x426d1a94a2008000,
	    0x426d1a94a2020000, 0x0, 0x3, 0x4285d3ef7980f000, 0x0, 0x3, 0x4028000000000000 } },
	{ "I: 1e+15 + (4, 7, 13, 16)", 5, 0, false, 0, 4,
	  { 0, 1, 2, 3 },
	  { 0x430c6bf526340020, 0x430c6bf526340038, 0x430c6bf526340068, 0x430c6bf526340080 }, 0xf,
	  { 0x4, 0x0, 0x430c6bf526340020, 0x430c6bf526340080, 0x432c6bf526340050, 0x0, 0x4056800000000000, 0x430c6bf526340020,
	    0x430c6bf526340080, 0x0, 0x3, 0x432550f7dca7003c, 0x0, 0x3, 0x4028000000000000 } },
	{ "I: 2^62 + (4, 7, 13, 16), i64", 3, 0, false, 0, 4,
	  { 0, 1, 2, 3 },
	  { 0x4000000000000004, 0x4000000000000007, 0x400000000000000d, 0x4000000000000010 }, 0xf,
	  { 0x4, 0x0, 0x4000000000000004, 0x4000000000000010, 0x28, 0x1, 0x4056800000000000, 0x4000000000000004,
	    0x4000000000000010, 0x0, 0x3, 0x43e8000000000000, 0x0, 0x3, 0xc } },
	{ "R: a counter", 3, 0, false, 0, 8,
	  { 0, 60000000000, 120000000000, 180000000000, 240000000000, 300000000000, 360000000000, 420000000000 },
	  { 0x64, 0x6e, 0x73, 0x3, 0x8, 0x8, 0x2, 0x9 }, 0xff,
	  { 0x8, 0x0, 0x2, 0x73, 0x163, 0x0, 0x40d3547800000000, 0x64,
	    0x9, 0x0, 0x61c9f36800, 0x42b065efbecc0000, 0x0, 0x61c9f36800, 0x20 } },
	{ "R: 5, null, 7, NaN, 1", 5, 0, false, 0, 5,
	  { 0, 1, 2, 3, 4 },
	  { 0x4014000000000000, 0x0, 0x401c000000000000, 0x7ff8000000000000, 0x3ff0000000000000 }, 0x1d,
	  { 0x3, 0x1, 0x3ff0000000000000, 0x401c000000000000, 0x402a000000000000, 0x0, 0x4032aaaaaaaaaaaa, 0x4014000000000000,
	    0x3ff0000000000000, 0x0, 0x4, 0x4034000000000000, 0x0, 0x4, 0x4008000000000000 } },
	{ "R: -5, -3, -4", 3, 0, false, 0, 3,
	  { 0, 1, 2 },
	  { 0xfffffffffffffffb, 0xfffffffffffffffd, 0xfffffffffffffffc }, 0x7,
	  { 0x3, 0x0, 0xfffffffffffffffb, 0xfffffffffffffffd, 0xfffffffffffffff4, 0xffffffffffffffff, 0x4000000000000000, 0xfffffffffffffffb,
	    0xfffffffffffffffc, 0x0, 0x2, 0xc01e000000000000, 0x0, 0x2, 0x2 } },
	{ "S: linear, gap none", 5, 0, false, 0, 4,
	  { 0, 10000000000, 40000000000, 100000000000 },
	  { 0x4024000000000000, 0x4034000000000000, 0x4034000000000000, 0x0 }, 0xf,
	  { 0x4, 0x0, 0x0, 0x4034000000000000, 0x4049000000000000, 0x0, 0x4071300000000000, 0x4024000000000000,
	    0x0, 0x0, 0x174876e800, 0x4273a52453c00000, 0x0, 0x174876e800, 0x4024000000000000 } },
	{ "S: linear, gap 30", 5, 0, true, 30000000000, 4,
	  { 0, 10000000000, 40000000000, 100000000000 },
	  { 0x4024000000000000, 0x4034000000000000, 0x4034000000000000, 0x0 }, 0xf,
	  { 0x4, 0x0, 0x0, 0x4034000000000000, 0x4049000000000000, 0x0, 0x4071300000000000, 0x4024000000000000,
	    0x0, 0x0, 0x174876e800, 0x4265d3ef79800000, 0x0, 0x9502f9000, 0x4024000000000000 } },
	{ "S: step, gap none", 5, 1, false, 0, 4,
	  { 0, 10000000000, 40000000000, 100000000000 },
	  { 0x4024000000000000, 0x4034000000000000, 0x4034000000000000, 0x0 }, 0xf,
	  { 0x4, 0x0, 0x0, 0x4034000000000000, 0x4049000000000000, 0x0, 0x4071300000000000, 0x4024000000000000,
	    0x0, 0x0, 0x174876e800, 0x427ba60d33800000, 0x0, 0x174876e800, 0x4024000000000000 } },
	{ "S: step, gap 30", 5, 1, true, 30000000000, 4,
	  { 0, 10000000000, 40000000000, 100000000000 },
	  { 0x4024000000000000, 0x4034000000000000, 0x4034000000000000, 0x0 }, 0xf,
	  { 0x4, 0x0, 0x0, 0x4034000000000000, 0x4049000000000000, 0x0, 0x4071300000000000, 0x4024000000000000,
	    0x0, 0x0, 0x174876e800, 0x42645f680b000000, 0x0, 0x9502f9000, 0x4024000000000000 } },
	{ "S: linear, gap 29", 5, 0, true, 29000000000, 4,
	  { 0, 10000000000, 40000000000, 100000000000 },
	  { 0x4024000000000000, 0x4034000000000000, 0x4034000000000000, 0x0 }, 0xf,
	  { 0x4, 0x0, 0x0, 0x4034000000000000, 0x4049000000000000, 0x0, 0x4071300000000000, 0x4024000000000000,
	    0x0, 0x0, 0x174876e800, 0x424176592e000000, 0x0, 0x2540be400, 0x4024000000000000 } },
	{ "T: duty cycle", 1, 1, false, 0, 6,
	  { 0, 300000000000, 1500000000000, 1800000000000, 3000000000000, 3600000000000 },
	  { 0x1, 0x0, 0x1, 0x1, 0x0, 0x0 }, 0x3f,
	  { 0x6, 0x0, 0x0, 0x1, 0x3, 0x0, 0x3ff8000000000000, 0x1,
	    0x0, 0x0, 0x34630b8a000, 0x427a3185c5000000, 0x0, 0x34630b8a000, 0x1 } },
	{ "T: duty cycle, gap 600s", 1, 1, true, 600000000000, 6,
	  { 0, 300000000000, 1500000000000, 1800000000000, 3000000000000, 3600000000000 },
	  { 0x1, 0x0, 0x1, 0x1, 0x0, 0x0 }, 0x3f,
	  { 0x6, 0x0, 0x0, 0x1, 0x3, 0x0, 0x3ff8000000000000, 0x1,
	    0x0, 0x0, 0x34630b8a000, 0x426176592e000000, 0x0, 0x1176592e000, 0x1 } },
	{ "V: NaNs and nulls", 5, 0, false, 0, 6,
	  { 0, 1000000000, 2000000000, 3000000000, 4000000000, 5000000000 },
	  { 0x7ff8000000000000, 0x3ff0000000000000, 0x4000000000000000, 0x7ff8000000000000, 0x4008000000000000, 0x0 }, 0x1f,
	  { 0x3, 0x2, 0x3ff0000000000000, 0x4008000000000000, 0x4018000000000000, 0x0, 0x4000000000000000, 0x3ff0000000000000,
	    0x4008000000000000, 0x3b9aca00, 0xee6b2800, 0x41f836e210000000, 0x0, 0xb2d05e00, 0x4000000000000000 } },
	{ "nothing counted: zeros but for nans", 5, 0, false, 0, 3,
	  { 0, 1, 2 },
	  { 0x7ff8000000000000, 0x0, 0x7ff8000000000000 }, 0x5,
	  { 0x0, 0x2, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0,
	    0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0 } },
};

static struct otr__stats
of_words(const uint64_t word[15])
{
	uint8_t bytes[120];
	struct otr__reader r = otr__reader_of(bytes, sizeof bytes);
	struct otr__stats s = { .count = 0 };
	int i;

	for (i = 0; i < 15; i++)
		otr__put64(bytes + 8 * i, word[i]);
	(void)otr__stats_get(&r, &s);
	return s;
}

static struct otr__stats_rule
rule_of(int type, int interpolation, uint64_t gap_ns)
{
	return (struct otr__stats_rule){ .type = (enum otr_type)type, .interpolation = (enum otr_interpolation)interpolation, .has_gap = gap_ns != 0,
		.gap_ns = gap_ns };
}

static void
test_examples(void)
{
	size_t i, cut;

	for (i = 0; i < sizeof example / sizeof example[0]; i++) {
		const struct example *e = &example[i];
		struct otr__stats_rule rule = rule_of(e->type, e->interpolation, e->gap_ns);
		struct otr__stats want = of_words(e->word), got, b;
		bool nulls = e->present != (1u << e->n) - 1, exact = true;

		otr__stats_leaf(&got, &rule, e->time_ns, e->value, &e->present, e->n);
		CHECK(otr__stats_equal(&got, &want), e->name);
		if (!nulls) {
			otr__stats_leaf(&got, &rule, e->time_ns, e->value, NULL, e->n);
			CHECK(otr__stats_equal(&got, &want), "the same without presence bits");
		}
		for (cut = 0; cut <= e->n; cut++) {
			otr__stats_range(&got, &rule, e->time_ns, e->value, nulls ? &e->present : NULL, 0, cut);
			otr__stats_range(&b, &rule, e->time_ns, e->value, nulls ? &e->present : NULL, cut, e->n);
			otr__stats_merge(&got, &b, &rule);
			/* small numbers: everything but m2 is exact, and m2 of what is not infinite nearly so */
			if (!(fabs(otr__double_of(got.m2) - otr__double_of(want.m2)) > 1e-11 * otr__double_of(want.m2)))
				got.m2 = want.m2;
			exact &= otr__stats_equal(&got, &want);
		}
		CHECK(exact, "merged from any two parts it is the same");
	}
}

/* ---- fast and plain ----------------------------------------------------------------------------------------------------------- */

static unsigned long long seed = 88172645463325252u;

static uint64_t
random_below(uint64_t n)
{
	return tap_random(&seed) % n;
}

static uint64_t
random_value(int type, unsigned kind)
{
	static const double special[] = { 0.0, -0.0, INFINITY, -INFINITY, 5e-324, -5e-324, DBL_MAX, -DBL_MAX, DBL_MIN, 1.0, 1e300, 1e-300 };
	double d = 0;
	uint64_t u;

	if (type == OTR_BOOL)
		return random_below(2);
	if (type == OTR_I32)
		return (uint64_t)((int64_t)random_below(UINT64_C(1) << 32) - (INT64_C(1) << 31));
	if (type == OTR_I64)
		switch (kind % 6) {
		case 0: return random_below(200) - 100;
		case 1: return (UINT64_C(1) << 62) + random_below(20);
		case 2: return random_below(2) != 0 ? (uint64_t)INT64_MAX : (uint64_t)INT64_MIN;
		case 3: return (uint64_t)INT64_MAX - random_below(UINT64_C(1) << 50);
		case 4: return (uint64_t)INT64_MIN + random_below(3);
		default: return tap_random(&seed);
		}
	switch (kind % 9) {
	case 0: d = (double)random_below(2000) / 100 - 7; break;
	case 1: d = 1e15 + (double)random_below(7) / 8; break;
	case 2: d = random_below(3) == 0 ? 1e16 : random_below(2) == 0 ? 1 : -1e16; break;
	case 3: d = random_below(2) == 0 ? 0.0 : -0.0; break;
	case 4: d = random_below(300) != 0 ? 3.5 : special[random_below(12)]; break;
	case 5: d = special[random_below(12)]; break;
	case 6: d = (double)random_below(9) * 5e-324; break;
	case 7: d = random_below(2) == 0 ? -0.0 : -(double)random_below(5); break;
	default:
		u = tap_random(&seed);      /* any bits: NaN payloads too */
		return type == OTR_F64 ? u : u >> 32;
	}
	return type == OTR_F64 ? otr__bits_of(d) : otr__bits_of_f((float)d);
}

static void
test_fast(void)
{
	static const size_t sizes[] = { 0, 1, 2, 7, 8, 9, 16, 100, 511, 512, 513, 1025, 2047 };
	static const uint64_t gaps[] = { 0, 0, 1, 5, 1000000000, (UINT64_C(1) << 52) - 1, UINT64_C(1) << 52, UINT64_C(1) << 60, INT64_MAX - 1 };
	static int64_t time_ns[ROWS_MAX];
	static uint64_t value[ROWS_MAX];
	static uint8_t all[ROWS_MAX / 8 + 8], present[ROWS_MAX / 8 + 8];
	unsigned trial, differ = 0, shifted = 0, merged = 0;

	memset(all, 0xff, sizeof all);
	for (trial = 0; trial < 6000; trial++) {
		int type = OTR_BOOL + (int)random_below(5);
		unsigned kind = (unsigned)random_below(54);
		size_t n = sizes[random_below(sizeof sizes / sizeof sizes[0])], from = (size_t)random_below(20), i, counted = 0;
		struct otr__stats_rule rule = rule_of(type, (int)random_below(2), gaps[random_below(sizeof gaps / sizeof gaps[0])]);
		uint64_t step = (UINT64_C(1) << random_below(63)) / (n + 32), t = random_below(2) == 0 ? (uint64_t)OTR_TIME_MIN : 0;
		struct otr__stats a, b;

		for (i = 0; i < from + n; i++) {
			time_ns[i] = otr__i64(t);
			t += random_below(3) == 0 ? 0 : random_below(step + 1);
			value[i] = random_value(type, kind);
		}
		for (i = 0; i < sizeof present; i++)
			present[i] = (uint8_t)tap_random(&seed);
		otr__stats_range(&a, &rule, time_ns, value, NULL, from, from + n);
		otr__stats_range(&b, &rule, time_ns, value, all, from, from + n);
		differ += !otr__stats_equal(&a, &b);
		otr__stats_leaf(&b, &rule, time_ns + from, value + from, NULL, n);
		differ += !otr__stats_equal(&a, &b);

		/* with nulls, against the same rows without those that are null */
		otr__stats_range(&a, &rule, time_ns, value, present, from, from + n);
		for (i = from; i < from + n; i++)
			if ((present[i >> 3] >> (i & 7) & 1) != 0) {
				time_ns[counted] = time_ns[i];
				value[counted++] = value[i];
			}
		otr__stats_leaf(&b, &rule, time_ns, value, NULL, counted);
		shifted += !otr__stats_equal(&a, &b);

		/* a merge with what counts nothing */
		b = (struct otr__stats){ .nans = 3 };
		otr__stats_merge(&b, &a, &rule);
		a.nans += 3;
		merged += !otr__stats_equal(&a, &b);
		b = (struct otr__stats){ .nans = 0 };
		otr__stats_merge(&a, &b, &rule);
		b.nans = 3;
		otr__stats_merge(&b, &a, &rule);
		a.nans += 3;
		merged += !otr__stats_equal(&a, &b);
	}
	CHECK(differ == 0, "6.5: the fast ways and the plain one give the same bits, and a range the same as a copy of its rows");
	CHECK(shifted == 0, "6.5: nulls are not numbered");
	CHECK(merged == 0, "6.6: the merge with what counts nothing is the other, with both nans");
}

/* ---- long sums ---------------------------------------------------------------------------------------------------------------- */

static double
answer(const uint64_t word[2])
{
	return otr__double_of(word[0]) + otr__double_of(word[1]);
}

static bool
near(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fabs(b);
}

/* Of rows [0, n), made of parts of so many rows. */
static struct otr__stats
in_parts(const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value, size_t n, size_t part)
{
	struct otr__stats s = { .count = 0 }, b;
	size_t i;

	for (i = 0; i < n; i += part) {
		otr__stats_range(&b, rule, time_ns, value, NULL, i, i + part < n ? i + part : n);
		otr__stats_merge(&s, &b, rule);
	}
	return s;
}

static void
test_long(void)
{
	static const size_t parts[] = { 1, 3, 7, 64, 1000, 10000 };
	static int64_t time_ns[10000];
	static uint64_t tenth[1000], cancel[3000], offset[10000], h[10000], big[10000];
	struct otr__stats_rule rule = rule_of(OTR_F64, OTR_LINEAR, 0), step = rule_of(OTR_F64, OTR_STEP, 0), ints = rule_of(OTR_I64, OTR_LINEAR, 0);
	uint64_t x = 1;
	size_t i;
	bool sums = true, zero = true, deviations = true, ten = true, integer = true;

	for (i = 0; i < 10000; i++) {
		time_ns[i] = 100 + INT64_C(99999999999990) * (int64_t)i;
		x = UINT64_C(6364136223846793005) * x + UINT64_C(1442695040888963407);
		h[i] = otr__bits_of(((double)((x >> 33) % 2000001) - 1000000) / 1000);
		offset[i] = otr__bits_of((double)(1000000000000 + i % 7) / 1000);
		big[i] = (UINT64_C(1) << 62) + (i % 2 == 0 ? 1 : 4);
		if (i < 1000)
			tenth[i] = otr__bits_of(0.1);
		if (i < 3000)
			cancel[i] = otr__bits_of(i % 3 == 0 ? 1e16 : i % 3 == 1 ? 1.0 : -1e16);
	}
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		struct otr__stats s = in_parts(&rule, time_ns, tenth, 1000, parts[i]);

		sums &= answer(s.sum) == 100;
		zero &= s.m2 == 0;
		s = in_parts(&rule, time_ns, cancel, 3000, parts[i]);
		sums &= answer(s.sum) == 1000;
		deviations &= near(sqrt(otr__double_of(s.m2) / 3000), 8164965809277260);
		s = in_parts(&rule, time_ns, offset, 10000, parts[i]);
		sums &= answer(s.sum) == 10000000000029.994;
		deviations &= near(sqrt(otr__double_of(s.m2) / 10000), 0.001999949703162909);
		s = in_parts(&rule, time_ns, h, 10000, parts[i]);
		ten &= answer(s.sum) == -8785.964 && near(sqrt(otr__double_of(s.m2) / 10000), 576.3856943786604) &&
		    s.min == otr__bits_of(-999.873) && s.max == otr__bits_of(999.895) && s.covered == UINT64_C(999899999999900010) &&
		    near(answer(s.area) / 1e9, -889378649.9999111) && near(otr__double_of(s.rise), 3734323.221);
		s = in_parts(&step, time_ns, h, 10000, parts[i]);
		ten &= near(answer(s.area) / (double)s.covered, -0.9168205820582058);
		s = in_parts(&ints, time_ns, big, 10000, parts[i]);
		integer &= near(otr__double_of(s.m2), 22500) && s.rise == UINT64_MAX;
	}
	CHECK(sums, "6.9-1, I: sums are right to the last digit, in one leaf and in many");
	CHECK(zero, "I: m2 of a constant is 0, in one leaf and in many");
	CHECK(deviations, "6.9-1, I: deviations of large offsets and of cancelling values are right to 1e-12");
	CHECK(ten, "H: ten thousand rows, in one leaf and in many");
	CHECK(integer, "6.6: m2 of i64 values beyond 2^62 is right to 1e-12");
}

static void
test_saturation(void)
{
	struct otr__stats_rule rule = rule_of(OTR_I64, OTR_LINEAR, 0);
	int64_t time_ns[600];
	uint64_t value[600];
	struct otr__stats a, b;
	size_t i;

	for (i = 0; i < 600; i++) {
		time_ns[i] = (int64_t)i;
		value[i] = i % 2 == 0 ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX;
	}
	otr__stats_leaf(&a, &rule, time_ns, value, NULL, 2);
	CHECK(a.rise == UINT64_MAX, "6.8: the rise from the least to the greatest i64 is 2^64 - 1");
	for (i = 0; i < 600; i++)
		value[i] = i % 2 == 0 ? 0 : (uint64_t)INT64_MAX;
	otr__stats_leaf(&a, &rule, time_ns, value, NULL, 4);
	CHECK(a.rise == UINT64_MAX - 1, "6.8: two rises of 2^63 - 1 are exact");
	otr__stats_leaf(&a, &rule, time_ns, value, NULL, 600);
	CHECK(a.rise == UINT64_MAX, "6.8: an integer rise saturates in a leaf");
	otr__stats_range(&a, &rule, time_ns, value, NULL, 0, 4);
	otr__stats_range(&b, &rule, time_ns, value, NULL, 4, 8);
	otr__stats_merge(&a, &b, &rule);
	CHECK(a.rise == UINT64_MAX, "6.8: and in a merge");
	a.rise = UINT64_MAX;
	otr__stats_rise(&a.rise, &rule, 1, 2);
	CHECK(a.rise == UINT64_MAX, "6.8: and in a pair");
	rule.type = OTR_F64;
	a.rise = otr__bits_of(1.5);
	otr__stats_rise(&a.rise, &rule, otr__bits_of(2), otr__bits_of(2.25));
	otr__stats_rise(&a.rise, &rule, otr__bits_of(9), otr__bits_of(0.25));
	otr__stats_rise(&a.rise, &rule, otr__bits_of(9), otr__bits_of(-1));
	otr__stats_rise(&a.rise, &rule, otr__bits_of(9), otr__bits_of(INFINITY));
	CHECK(a.rise == otr__bits_of(2), "6.8: a fall is a reset to zero; an infinite end adds nothing");
}

/* ---- edges ---------------------------------------------------------------------------------------------------------------------- */

/* Area in value x seconds, and covered seconds, of S's pairs cut to [a, b). */
static void
edges(const struct otr__stats_rule *rule, int64_t a, int64_t b, double *area, double *covered)
{
	static const int64_t t[4] = { 0, 10 * S, 40 * S, 100 * S };
	static const double v[4] = { 10, 20, 20, 0 };
	uint64_t sum[2] = { 0, 0 }, ns = 0;
	int i;

	for (i = 0; i < 3; i++)
		otr__stats_edge(sum, &ns, rule, t[i], otr__bits_of(v[i]), t[i + 1], otr__bits_of(v[i + 1]), a, b);
	*area = answer(sum) / 1e9;
	*covered = (double)ns / 1e9;
}

static void
test_edges(void)
{
	static const struct {
		int64_t a, b;
		double linear, covered, step, gap_covered;
	} cut[] = {
		{ 5, 25, 387.5, 20, 350, 20 }, { 20, 30, 200, 10, 200, 10 }, { 50, 80, 350, 30, 600, 0 }, { -50, 5, 62.5, 5, 50, 5 },
		{ 90, 200, 16.666666666666668, 10, 200, 0 }, { 0, 100, 1350, 100, 1900, 40 }, { 100, 200, 0, 0, 0, 0 }, { 7, 7, 0, 0, 0, 0 },
	};
	struct otr__stats_rule linear = rule_of(OTR_F64, OTR_LINEAR, 0), step = rule_of(OTR_F64, OTR_STEP, 0), gap = rule_of(OTR_F64, OTR_LINEAR, 30 * S);
	struct otr__stats_rule integer = rule_of(OTR_I64, OTR_LINEAR, 0);
	unsigned wrong = 0;
	uint64_t sum[2] = { 0, 0 }, ns = 0, i;
	double area, covered;
	size_t k;

	for (k = 0; k < sizeof cut / sizeof cut[0]; k++) {
		edges(&linear, cut[k].a * S, cut[k].b * S, &area, &covered);
		wrong += !(fabs(area - cut[k].linear) <= 4e-16 * cut[k].linear) || covered != cut[k].covered;
		edges(&step, cut[k].a * S, cut[k].b * S, &area, &covered);
		wrong += area != cut[k].step || covered != cut[k].covered;
		edges(&gap, cut[k].a * S, cut[k].b * S, &area, &covered);
		wrong += covered != cut[k].gap_covered || (covered == 0 && area != 0);
	}
	otr__stats_edge(sum, &ns, &linear, 40 * S, otr__bits_of(20), 100 * S, otr__bits_of(0), 90 * S, 200 * S);
	area = otr__double_of(sum[0]);
	CHECK(area == 5e10 / 3 && near(otr__double_of(sum[1]), fma(-area, 3, 5e10) / 3), "6.9: a part's area is right to twice a double's digits");
	sum[0] = sum[1] = ns = 0;
	CHECK(wrong == 0, "S: parts of pairs in a range, linear, step, and with a gap");
	edges(&linear, INT64_MIN, INT64_MAX, &area, &covered);
	CHECK(area == 1350 && covered == 100, "6.9: an unbounded range has the whole pairs");
	otr__stats_edge(sum, &ns, &linear, 0, otr__bits_of(INFINITY), 10, otr__bits_of(1), 2, 3);
	CHECK(ns == 0 && sum[0] == 0, "6.9: a pair with an infinite end adds nothing");
	/* the longest pair there can be, in seven parts */
	for (i = 0; i < 7; i++)
		otr__stats_edge(sum, &ns, &integer, OTR_TIME_MIN, (uint64_t)-3, OTR_TIME_MAX, 5,
		    otr__i64((uint64_t)OTR_TIME_MIN + i * (UINT64_MAX / 7)), i == 6 ? OTR_TIME_MAX : otr__i64((uint64_t)OTR_TIME_MIN + (i + 1) * (UINT64_MAX / 7)));
	CHECK(ns == UINT64_MAX - 2 && answer(sum) == (double)(UINT64_MAX - 2), "6.9: the parts of a pair add up, over all of time");
}

static void
test_words(void)
{
	uint64_t word[15];
	uint8_t bytes[120];
	struct otr__put w = otr__put_into(bytes, sizeof bytes);
	struct otr__reader r = otr__reader_of(bytes, sizeof bytes - 1);
	struct otr__stats s, t;
	unsigned i, unequal = 0;

	for (i = 0; i < 15; i++)
		word[i] = UINT64_C(0x0102030405060708) * (i + 1);
	s = of_words(word);
	otr__stats_put(&w, &s);
	CHECK(!w.failed && w.left == 0 && otr__get64(bytes + 8 * 13) == word[13] && otr__get64(bytes + 8 * 9) == word[9],
	    "6: a record is 15 words in the order of the table");
	CHECK(!otr__stats_get(&r, &t) && r.left == sizeof bytes - 1, "6: a record that is cut is refused, and the reader stays");
	for (i = 0; i < 15; i++) {
		word[i] ^= 1;
		t = of_words(word);
		unequal += !otr__stats_equal(&s, &t);
		word[i] ^= 1;
	}
	t = of_words(word);
	CHECK(unequal == 15 && otr__stats_equal(&s, &t), "two records are equal if all their words are");
	CHECK(otr__word_less(OTR_F64, otr__bits_of(-0.0), otr__bits_of(0.0)) && !otr__word_less(OTR_F64, otr__bits_of(0.0), otr__bits_of(-0.0)) &&
	    otr__word_less(OTR_F64, otr__bits_of(-INFINITY), otr__bits_of(-1)) && otr__word_less(OTR_I64, (uint64_t)INT64_MIN, 0),
	    "6-4: the order of min and max");
}

/* The words of a record that may be NaN: how many are, and how many are another NaN than the one of the format. */
static void
count_nans(const struct otr__stats *s, unsigned nans[6], unsigned *wrong)
{
	const uint64_t word[6] = { s->sum[0], s->sum[1], s->m2, s->area[0], s->area[1], s->rise };
	int i;

	for (i = 0; i < 6; i++) {
		if (!otr__is_nan(word[i]))
			continue;
		nans[i]++;
		*wrong += word[i] != UINT64_C(0x7ff8000000000000);
	}
}

/* What a processor makes of inf - inf is a NaN of another sign on some machines. */
static void
test_nans(void)
{
	static int64_t time_ns[600];
	static uint64_t value[600];
	static uint8_t present[600 / 8];
	unsigned nans[6] = { 0 }, wrong = 0, trial;
	size_t i;

	for (trial = 0; trial < 2000; trial++) {
		size_t n = 2 + (size_t)random_below(trial % 2 != 0 ? 8 : 590);
		int type = trial % 4 < 2 ? OTR_F64 : OTR_F32;
		struct otr__stats_rule rule = rule_of(type, (int)random_below(2), 0);
		struct otr__stats whole, some, a, b;

		for (i = 0; i < n; i++) {
			double v = random_below(3) == 0 ? (random_below(4) == 0 ? -INFINITY : INFINITY) : (double)random_below(100);

			/* finite, and so large that their squares are not: inf - inf within m2 */
			if (trial % 8 < 2)
				v = (random_below(2) == 0 ? -1e300 : 1e300) * (double)(1 + random_below(1000));
			time_ns[i] = 10 * (int64_t)i;
			value[i] = type == OTR_F64 ? otr__bits_of(v) : otr__bits_of_f((float)v);
		}
		memset(present, 0xff, sizeof present);
		present[0] = (uint8_t)tap_random(&seed);
		otr__stats_leaf(&whole, &rule, time_ns, value, NULL, n);
		otr__stats_leaf(&some, &rule, time_ns, value, present, n);
		otr__stats_range(&a, &rule, time_ns, value, NULL, 0, n / 2);
		otr__stats_range(&b, &rule, time_ns, value, NULL, n / 2, n);
		count_nans(&whole, nans, &wrong);
		count_nans(&some, nans, &wrong);
		count_nans(&a, nans, &wrong);
		otr__stats_merge(&a, &b, &rule);
		count_nans(&a, nans, &wrong);
	}
	printf("# NaN: sum %u %u, m2 %u, area %u %u, rise %u\n", nans[0], nans[1], nans[2], nans[3], nans[4], nans[5]);
	CHECK(wrong == 0 && nans[0] > 0 && nans[2] > 0, "6.6-1: there is one NaN: what comes of infinities is stored as that");
}

/* Records of a hostile file: whatever the merge makes of them, it makes it without a trap (and the sanitizers see it). */
static void
test_hostile(void)
{
	uint64_t a[15], b[15];
	unsigned trial, i;
	struct otr__stats s, t;

	for (trial = 0; trial < 20000; trial++) {
		struct otr__stats_rule rule = rule_of(OTR_BOOL + (int)random_below(5), (int)random_below(2), random_below(2));

		for (i = 0; i < 15; i++) {
			a[i] = tap_random(&seed) >> random_below(2) * 63;
			b[i] = tap_random(&seed) | (random_below(4) == 0 ? UINT64_C(0x7ff0000000000000) : 0);
		}
		if (random_below(8) == 0)
			b[0] = 0 - a[0];
		s = of_words(a);
		t = of_words(b);
		otr__stats_merge(&s, &t, &rule);
		otr__stats_edge(s.area, &s.covered, &rule, otr__i64(a[9]), a[7], otr__i64(b[9]), b[7], otr__i64(a[10]), otr__i64(b[10]));
	}
	CHECK(trial == 20000, "records of any bits can be merged");
}

int
main(void)
{
	test_examples();
	test_fast();
	test_long();
	test_saturation();
	test_edges();
	test_words();
	test_nans();
	test_hostile();
	return tap_done();
}
