/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.c - the statistics record of one column (SPEC 6): of rows, merged with its right neighbour, to bytes and back.
 *
 * Owns the arithmetic of the record, which is part of the format: every addition in its place, the same bits on every machine.
 * Does not own: which rows and records are joined (build.c, query).  No I/O, no allocation, no state.
 *
 * Two ways lead to the record of some rows.  plain() goes row by row and reads like SPEC 6.6.  The fast ones, at the end, go by blocks of
 * values without nulls and NaNs, two lanes in one vector; they give the same bits because they do the same operations, lane by lane, and because
 * what they do too much (padding, pairs that do not count) adds +0 to lanes that are never -0.  A lane's sum is -0 only if both its terms are,
 * and lanes begin at +0; so + 0 and - 0 change nothing, not even in the low part, whose error terms come out +0.
 *
 * What is not finite: SPEC 6.5 taken to the letter makes NaN of inf + 1, by inf - inf in the error term.  Here an error term beside a sum that
 * is not finite is +0, as dd_norm says of the stored sum; that gives inf + 1 = inf, DBL_MAX + DBL_MAX = inf, inf - inf = NaN.
 *
 *      WORD FIELD                     a record: 15 words of 8 bytes
 *         0 count                     values that are neither null nor NaN
 *         1 nans                      0 in integer columns
 *         2 min                       f64, or i64
 *         3 max
 *         4 sum                       2 words: f64 hi and lo, or i128
 *         6 m2                        f64
 *         7 first                     f64, or i64
 *         8 last
 *         9 t_first                   i64
 *        10 t_last
 *        11 area                      2 words: f64 hi and lo
 *        13 covered                   u64, nanoseconds
 *        14 rise                      f64, or u64
 */
#include "stats.h"

#include "fpmath.h"
#include "intmath.h"

#define LANES 8u
#define QUIET_NAN UINT64_C(0x7ff8000000000000)

/* ---- primitives (6.5) ------------------------------------------------------------------------------------------------------ */

static inline bool
is_finite(double a)
{
	return otr__is_finite(otr__bits_of(a));
}

static inline struct otr__dd
sum_of(double a, double b)
{
	struct otr__dd s = otr__two_sum(a, b);

	if (!is_finite(s.hi))
		s.lo = 0.0;
	return s;
}

/* fast_sum of an (hi, lo) whose high part may be infinite. */
static inline struct otr__dd
settle(struct otr__dd a)
{
	struct otr__dd s;

	if (!is_finite(a.hi))
		return otr__dd_norm(a);
	s = otr__fast_sum(a.hi, a.lo);
	return otr__dd_norm(s);
}

static struct otr__dd
join(struct otr__dd a, struct otr__dd b)
{
	struct otr__dd s, t;

	a = otr__dd_norm(a);
	b = otr__dd_norm(b);
	s = sum_of(a.hi, b.hi);
	t = sum_of(a.lo, b.lo);
	s = settle((struct otr__dd){ .hi = s.hi, .lo = s.lo + t.hi });
	return settle((struct otr__dd){ .hi = s.hi, .lo = s.lo + t.lo });
}

static inline struct otr__dd
dd_of(const uint64_t word[2])
{
	return (struct otr__dd){ .hi = otr__double_of(word[0]), .lo = otr__double_of(word[1]) };
}

/* A number as it is stored: there is one NaN (6.6-1). */
static inline uint64_t
stored(double a)
{
	uint64_t bits = otr__bits_of(a);

	return otr__is_nan(bits) ? QUIET_NAN : bits;
}

static void
dd_store(uint64_t word[2], struct otr__dd a)
{
	a = otr__dd_norm(a);
	word[0] = stored(a.hi);
	word[1] = stored(a.lo);
}

/* Eight sums, each hi + lo. */
struct lanes {
	double hi[LANES], lo[LANES];
};

static struct otr__dd
lanes_joined(const struct lanes *l)
{
	struct otr__dd sum = settle((struct otr__dd){ .hi = l->hi[0], .lo = l->lo[0] });
	unsigned k;

	for (k = 1; k < LANES; k++)
		sum = join(sum, settle((struct otr__dd){ .hi = l->hi[k], .lo = l->lo[k] }));
	return sum;
}

static double
t8(const double a[LANES])
{
	return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));
}

static inline struct otr__i128
i128_of_words(const uint64_t word[2])
{
	return (struct otr__i128){ .lo = word[0], .hi = otr__i64(word[1]) };
}

static void
i128_store(uint64_t word[2], struct otr__i128 a)
{
	word[0] = a.lo;
	word[1] = (uint64_t)a.hi;
}

/* ---- values and pairs (6.6, 6.7, 6.8) -------------------------------------------------------------------------------------- */

bool
otr__word_less(enum otr_type type, uint64_t a, uint64_t b)
{
	if (otr__type_is_float(type))
		return otr__total_order(a) < otr__total_order(b);
	return otr__i64(a) < otr__i64(b);
}

static inline double
number_of(enum otr_type type, uint64_t word)
{
	return otr__type_is_float(type) ? otr__double_of(word) : (double)otr__i64(word);
}

/* Whether a pair adds to area and covered; then dt is its length. */
static inline bool
pair_counts(const struct otr__stats_rule *rule, int64_t t0, double v0, int64_t t1, double v1, uint64_t *dt)
{
	*dt = otr__distance(t0, t1);
	return *dt > 0 && !(rule->has_gap && *dt > rule->gap_ns) && is_finite(v0) && is_finite(v1);
}

/* The area of a pair that counts, as p and a small g. */
static inline struct otr__dd
pair_area(const struct otr__stats_rule *rule, double v0, double v1, uint64_t dt)
{
	struct otr__dd h = { .hi = v0, .lo = 0.0 }, p;
	double d = (double)dt;

	if (rule->interpolation == OTR_LINEAR)
		h = otr__two_sum(v0 / 2, v1 / 2);
	p = otr__two_prod(h.hi, d);
	return (struct otr__dd){ .hi = p.hi, .lo = p.lo + h.lo * d };
}

static inline double
rise_of_floats(double v0, double v1)
{
	if (!is_finite(v0) || !is_finite(v1) || v1 == v0)
		return 0.0;
	return v1 > v0 ? v1 - v0 : v1 > 0 ? v1 : 0.0;
}

static inline uint64_t
rise_of_ints(int64_t v0, int64_t v1)
{
	if (v1 >= v0)
		return otr__distance(v0, v1);
	return v1 > 0 ? (uint64_t)v1 : 0;
}

static inline uint64_t
add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void
otr__stats_rise(uint64_t *rise, const struct otr__stats_rule *rule, uint64_t v0, uint64_t v1)
{
	if (otr__type_is_float(rule->type))
		*rise = stored(otr__double_of(*rise) + rise_of_floats(otr__double_of(v0), otr__double_of(v1)));
	else
		*rise = add_saturating(*rise, rise_of_ints(otr__i64(v0), otr__i64(v1)));
}

/* ---- rows, one by one ------------------------------------------------------------------------------------------------------ */

/* The rows of a record being made. */
struct rows {
	const int64_t *time_ns;
	const uint64_t *value;
	const uint8_t *present;      /* NULL: all */
	size_t from, to;
};

static inline bool
is_null(const struct rows *rows, size_t i)
{
	return rows->present != NULL && (rows->present[i >> 3] >> (i & 7) & 1) == 0;
}

/* m2 from the two sums of the lanes. */
static uint64_t
m2_joined(const double s1[LANES], const double s2[LANES], double n)
{
	double a = t8(s1), m2 = t8(s2) - (a * a) / n;

	return m2 < 0 ? 0 : stored(m2);
}

static uint64_t
plain_m2(const struct otr__stats *s, const struct otr__stats_rule *rule, const struct rows *rows)
{
	double s1[LANES] = { 0.0 }, s2[LANES] = { 0.0 }, n = (double)s->count, m = 0.0;
	struct otr__i128 q = { .lo = 0, .hi = 0 };
	uint64_t rest;
	size_t i, j = 0;

	if (otr__type_is_float(rule->type)) {
		m = otr__double_of(s->sum[0]) / n;
		if (!is_finite(m))
			return QUIET_NAN;
	} else
		q = otr__i128_div_u64(i128_of_words(s->sum), s->count, &rest);
	for (i = rows->from; i < rows->to; i++) {
		size_t lane;
		double d;

		if (is_null(rows, i))
			continue;
		lane = j++ % LANES;
		if (!otr__value_counts(rule->type, rows->value[i]))
			continue;
		if (otr__type_is_float(rule->type))
			d = otr__double_of(otr__value_word(rule->type, rows->value[i])) - m;
		else
			d = otr__i128_to_double(otr__i128_sub(otr__i128_of(otr__i64(rows->value[i])), q));
		s1[lane] += d;
		s2[lane] += d * d;
	}
	return m2_joined(s1, s2, n);
}

static void
plain(struct otr__stats *s, const struct otr__stats_rule *rule, const struct rows *rows)
{
	bool is_float = otr__type_is_float(rule->type);
	struct lanes sum = { .hi = { 0.0 } }, area = { .hi = { 0.0 } };
	struct otr__i128 exact = { .lo = 0, .hi = 0 };
	double rise[LANES] = { 0.0 }, v0 = 0.0;
	size_t i, j = 0;

	*s = (struct otr__stats){ .count = 0 };
	for (i = rows->from; i < rows->to; i++) {
		uint64_t word, dt;
		int64_t t = rows->time_ns[i];
		struct otr__dd a;
		size_t lane;
		double x;

		if (is_null(rows, i))
			continue;
		lane = j++ % LANES;
		if (!otr__value_counts(rule->type, rows->value[i])) {
			s->nans++;
			continue;
		}
		word = otr__value_word(rule->type, rows->value[i]);
		x = number_of(rule->type, word);
		if (s->count == 0) {
			s->min = s->max = s->first = word;
			s->t_first = t;
		} else {
			if (otr__word_less(rule->type, word, s->min))
				s->min = word;
			if (otr__word_less(rule->type, s->max, word))
				s->max = word;
			if (pair_counts(rule, s->t_last, v0, t, x, &dt)) {
				struct otr__dd p = pair_area(rule, v0, x, dt);

				a = sum_of(area.hi[lane], p.hi);
				area.hi[lane] = a.hi;
				area.lo[lane] += a.lo + p.lo;
				s->covered += dt;
			}
			if (is_float)
				rise[lane] += rise_of_floats(v0, x);
			else
				s->rise = add_saturating(s->rise, rise_of_ints(otr__i64(s->last), otr__i64(word)));
		}
		if (is_float) {
			a = sum_of(sum.hi[lane], x);
			sum.hi[lane] = a.hi;
			sum.lo[lane] += a.lo;
		} else
			exact = otr__i128_add_i64(exact, otr__i64(word));
		s->count++;
		s->last = word;
		s->t_last = t;
		v0 = x;
	}
	if (s->count == 0)
		return;
	if (is_float) {
		dd_store(s->sum, lanes_joined(&sum));
		s->rise = stored(t8(rise));
	} else
		i128_store(s->sum, exact);
	dd_store(s->area, lanes_joined(&area));
	s->m2 = plain_m2(s, rule, rows);
}

/* ---- merge, bytes, edges (6.6, 6.9) ---------------------------------------------------------------------------------------- */

/* The mean of one side as a double q and a small rest r, of floats. */
static void
mean_of_floats(const struct otr__stats *s, double *q, double *r)
{
	struct otr__dd sum = otr__dd_norm(dd_of(s->sum)), p;
	double n = (double)s->count;

	*q = sum.hi / n;
	p = otr__two_prod(*q, n);
	*r = (((sum.hi - p.hi) - p.lo) + sum.lo) / n;
}

/* m2 of both sides together; sum is what dd_add made of theirs. */
static uint64_t
merged_m2(const struct otr__stats *a, const struct otr__stats *b, const struct otr__stats_rule *rule, double sum)
{
	double na = (double)a->count, nb = (double)b->count, n = (double)(a->count + b->count), qa, qb, ra, rb, delta;

	if (otr__type_is_float(rule->type)) {
		if (!is_finite(sum / n))
			return QUIET_NAN;
		mean_of_floats(a, &qa, &ra);
		mean_of_floats(b, &qb, &rb);
		delta = (qb - qa) + (rb - ra);
	} else {
		uint64_t rest_a, rest_b;
		struct otr__i128 ia = otr__i128_div_u64(i128_of_words(a->sum), a->count, &rest_a);
		struct otr__i128 ib = otr__i128_div_u64(i128_of_words(b->sum), b->count, &rest_b);

		delta = otr__i128_to_double(otr__i128_sub(ib, ia)) + ((double)rest_b / nb - (double)rest_a / na);
	}
	return stored((otr__double_of(a->m2) + otr__double_of(b->m2)) + (delta * delta) * ((na / n) * nb));
}

void
otr__stats_merge(struct otr__stats *a, const struct otr__stats *b, const struct otr__stats_rule *rule)
{
	bool is_float = otr__type_is_float(rule->type);
	struct otr__dd area;
	struct otr__stats m;
	double v0, v1;
	uint64_t dt;

	if (a->count == 0 || b->count == 0) {
		uint64_t nans = a->nans + b->nans;

		if (a->count == 0)
			*a = *b;
		a->nans = nans;
		return;
	}
	m = *a;
	m.count = a->count + b->count;
	m.nans = a->nans + b->nans;
	if (otr__word_less(rule->type, b->min, a->min))
		m.min = b->min;
	if (otr__word_less(rule->type, a->max, b->max))
		m.max = b->max;
	if (is_float)
		dd_store(m.sum, join(dd_of(a->sum), dd_of(b->sum)));
	else
		i128_store(m.sum, otr__i128_add(i128_of_words(a->sum), i128_of_words(b->sum)));
	m.m2 = merged_m2(a, b, rule, otr__double_of(m.sum[0]));
	m.last = b->last;
	m.t_last = b->t_last;
	v0 = number_of(rule->type, a->last);
	v1 = number_of(rule->type, b->first);
	area = dd_of(a->area);
	if (pair_counts(rule, a->t_last, v0, b->t_first, v1, &dt)) {
		area = join(area, settle(pair_area(rule, v0, v1, dt)));
		m.covered += dt;
	}
	dd_store(m.area, join(area, dd_of(b->area)));
	m.covered += b->covered;
	otr__stats_rise(&m.rise, rule, a->last, b->first);
	if (is_float)
		m.rise = stored(otr__double_of(m.rise) + otr__double_of(b->rise));
	else
		m.rise = add_saturating(m.rise, b->rise);
	*a = m;
}

void
otr__stats_put(struct otr__put *w, const struct otr__stats *s)
{
	otr__add64(w, s->count);
	otr__add64(w, s->nans);
	otr__add64(w, s->min);
	otr__add64(w, s->max);
	otr__add64(w, s->sum[0]);
	otr__add64(w, s->sum[1]);
	otr__add64(w, s->m2);
	otr__add64(w, s->first);
	otr__add64(w, s->last);
	otr__add64(w, (uint64_t)s->t_first);
	otr__add64(w, (uint64_t)s->t_last);
	otr__add64(w, s->area[0]);
	otr__add64(w, s->area[1]);
	otr__add64(w, s->covered);
	otr__add64(w, s->rise);
}

bool
otr__stats_get(struct otr__reader *r, struct otr__stats *s)
{
	struct otr__reader record;
	struct otr__stats g;
	uint64_t t_first, t_last;

	if (!otr__take_part(r, 120, &record))
		return false;
	/* cannot fail: the part is as long as its fifteen words */
	if (!otr__take64(&record, &g.count) || !otr__take64(&record, &g.nans) || !otr__take64(&record, &g.min) || !otr__take64(&record, &g.max) ||
	    !otr__take64(&record, &g.sum[0]) || !otr__take64(&record, &g.sum[1]) || !otr__take64(&record, &g.m2) ||
	    !otr__take64(&record, &g.first) || !otr__take64(&record, &g.last) || !otr__take64(&record, &t_first) ||
	    !otr__take64(&record, &t_last) || !otr__take64(&record, &g.area[0]) || !otr__take64(&record, &g.area[1]) ||
	    !otr__take64(&record, &g.covered) || !otr__take64(&record, &g.rise))
		return false;
	g.t_first = otr__i64(t_first);
	g.t_last = otr__i64(t_last);
	*s = g;
	return true;
}

bool
otr__stats_equal(const struct otr__stats *a, const struct otr__stats *b)
{
	return a->count == b->count && a->nans == b->nans && a->min == b->min && a->max == b->max && a->sum[0] == b->sum[0] &&
	    a->sum[1] == b->sum[1] && a->m2 == b->m2 && a->first == b->first && a->last == b->last && a->t_first == b->t_first &&
	    a->t_last == b->t_last && a->area[0] == b->area[0] && a->area[1] == b->area[1] && a->covered == b->covered && a->rise == b->rise;
}

/* hi * 2^32 + lo as a double-double, without rounding: for sums of two u64, hi is below 2^33. */
static struct otr__dd
dd_of_halves(uint64_t hi, uint64_t lo)
{
	return otr__two_sum((double)hi * 0x1p32, (double)lo);
}

static struct otr__dd
dd_of_u64(uint64_t a)
{
	return dd_of_halves(a >> 32, a & UINT32_MAX);
}

static struct otr__dd
dd_of_sum(uint64_t a, uint64_t b)
{
	return dd_of_halves((a >> 32) + (b >> 32), (a & UINT32_MAX) + (b & UINT32_MAX));
}

static struct otr__dd
dd_product(struct otr__dd a, struct otr__dd b)
{
	struct otr__dd p = otr__two_prod(a.hi, b.hi);

	return settle((struct otr__dd){ .hi = p.hi, .lo = p.lo + (a.hi * b.lo + a.lo * b.hi) });
}

/* a / b in three steps of long division. */
static struct otr__dd
dd_quotient(struct otr__dd a, struct otr__dd b)
{
	struct otr__dd q = { .hi = 0.0, .lo = 0.0 };
	unsigned step;

	for (step = 0; step < 3; step++) {
		struct otr__dd digit = { .hi = a.hi / b.hi, .lo = 0.0 }, p = dd_product(b, digit);

		q = join(q, digit);
		a = join(a, (struct otr__dd){ .hi = -p.hi, .lo = -p.lo });
	}
	return q;
}

void
otr__stats_edge(uint64_t area[2], uint64_t *covered, const struct otr__stats_rule *rule, int64_t t0, uint64_t v0, int64_t t1, uint64_t v1,
    int64_t a, int64_t b)
{
	double x0 = number_of(rule->type, v0), x1 = number_of(rule->type, v1);
	struct otr__dd part;
	uint64_t dt, length;

	if (a < t0)
		a = t0;
	if (b > t1)
		b = t1;
	if (a >= b || !pair_counts(rule, t0, x0, t1, x1, &dt))
		return;
	length = otr__distance(a, b);
	if (length == dt)
		part = settle(pair_area(rule, x0, x1, dt));
	else {
		struct otr__dd height = { .hi = x0, .lo = 0.0 };

		/* linear: the mean height of the part is v0 f + v1 (1 - f); both fractions come from exact sums, so nothing cancels */
		if (rule->interpolation == OTR_LINEAR) {
			struct otr__dd twice = dd_of_sum(dt, dt);
			struct otr__dd f0 = dd_quotient(dd_of_sum(otr__distance(a, t1), otr__distance(b, t1)), twice);
			struct otr__dd f1 = dd_quotient(dd_of_sum(otr__distance(t0, a), otr__distance(t0, b)), twice);

			height = join(dd_product((struct otr__dd){ .hi = x0, .lo = 0.0 }, f0), dd_product((struct otr__dd){ .hi = x1, .lo = 0.0 }, f1));
		}
		part = dd_product(height, dd_of_u64(length));
	}
	dd_store(area, join(dd_of(area), part));
	*covered += length;
}

/* ---- rows, by blocks ------------------------------------------------------------------------------------------------------- */

/* gcc's and clang's vectors: two doubles, which every machine of ours has, or makes of two registers. */
#if defined(__GNUC__)

#define BLOCK 512u         /* values; a multiple of LANES.  Its arrays stay in the first cache */
#define VECTORS (LANES / 2)
/* Sums that live in an array must be unrolled to live in registers: -O2 does not do it by itself. */
#define UNROLLED _Pragma("GCC unroll 4")

typedef double v2d __attribute__((vector_size(16)));
typedef int64_t v2i __attribute__((vector_size(16)));
typedef uint64_t v2u __attribute__((vector_size(16)));

static inline v2d
load(const double *p)
{
	v2d v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline v2u
load_u(const uint64_t *p)
{
	v2u v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline v2d
both(double a)
{
	return (v2d){ a, a };
}

/* a where mask, which is a comparison's result, is true; else +0. */
static inline v2d
where(v2i mask, v2d a)
{
	return (v2d)(mask & (v2i)a);
}

/* Adds x[0, n), n a multiple of LANES. */
static void
add_values(struct lanes *l, const double *x, size_t n)
{
	v2d hi[VECTORS], lo[VECTORS];
	size_t i;
	unsigned k;

	memcpy(hi, l->hi, sizeof hi);
	memcpy(lo, l->lo, sizeof lo);
	for (i = 0; i < n; i += LANES)
		UNROLLED
		for (k = 0; k < VECTORS; k++) {
			v2d a = hi[k], b = load(x + i + 2 * k), s = a + b, t = s - a;

			lo[k] += (a - (s - t)) + (b - t);
			hi[k] = s;
		}
	memcpy(l->hi, hi, sizeof hi);
	memcpy(l->lo, lo, sizeof lo);
}

static void
add_deviations(double s1[LANES], double s2[LANES], const double *x, size_t n, double mean)
{
	v2d a[VECTORS], b[VECTORS], m = both(mean);
	size_t i;
	unsigned k;

	memcpy(a, s1, sizeof a);
	memcpy(b, s2, sizeof b);
	for (i = 0; i < n; i += LANES)
		UNROLLED
		for (k = 0; k < VECTORS; k++) {
			v2d d = load(x + i + 2 * k) - m;

			a[k] += d;
			b[k] += d * d;
		}
	memcpy(s1, a, sizeof a);
	memcpy(s2, b, sizeof b);
}

/* Adds the pairs (x[i - 1], x[i]), all finite, of length d[i], for i of [0, n).  d 0: the pair does not count, and what it adds is +0. */
static void
add_pairs(struct lanes *area, const double *x, const double *d, size_t n, bool linear)
{
	const v2d split = both(134217729.0), half = both(0.5);
	const v2i no_sign = { INT64_MAX, INT64_MAX };
	v2d hi[VECTORS], lo[VECTORS];
	size_t i;
	unsigned k;

	memcpy(hi, area->hi, sizeof hi);
	memcpy(lo, area->lo, sizeof lo);
	for (i = 0; i < n; i += LANES)
		UNROLLED
		for (k = 0; k < VECTORS; k++) {
			v2d v0 = load(x + i + 2 * k - 1), dt = load(d + i + 2 * k), h = v0, l = both(0.0);
			v2d p, c, ah, al, bh, bl, e, size, s, t, a;

			if (linear) {
				v0 *= half;
				a = load(x + i + 2 * k) * half;
				h = v0 + a;
				t = h - v0;
				l = (v0 - (h - t)) + (a - t);
			}
			/* two_prod; a factor too large for splitting would make p too large as well, since d is 0 or at least 1 */
			p = h * dt;
			c = split * h;
			ah = c - (c - h);
			al = h - ah;
			c = split * dt;
			bh = c - (c - dt);
			bl = dt - bh;
			e = al * bl - (((p - ah * bh) - al * bh) - ah * bl);
			size = (v2d)((v2i)p & no_sign);
			e = where((v2i)(size >= both(0x1p-900)) & (v2i)(size < both(0x1p900)), e);
			a = hi[k];
			s = a + p;
			t = s - a;
			lo[k] += ((a - (s - t)) + (p - t)) + (e + l * dt);
			hi[k] = s;
		}
	memcpy(area->hi, hi, sizeof hi);
	memcpy(area->lo, lo, sizeof lo);
}

static void
add_rises(double rise[LANES], const double *x, size_t n)
{
	v2d sum[VECTORS];
	size_t i;
	unsigned k;

	memcpy(sum, rise, sizeof sum);
	for (i = 0; i < n; i += LANES)
		UNROLLED
		for (k = 0; k < VECTORS; k++) {
			v2d v0 = load(x + i + 2 * k - 1), v1 = load(x + i + 2 * k);
			v2i up = (v2i)(v1 >= v0), above = (v2i)(v1 > both(0.0));

			sum[k] += (v2d)((up & (v2i)(v1 - v0)) | (~up & above & (v2i)v1));
		}
	memcpy(rise, sum, sizeof sum);
}

/* Least and greatest of finite numbers; of -0 and +0 either: see settle_zeros. */
static void
widen_limits(double *min, double *max, const double *x, size_t n)
{
	double lo[4] = { *min, *min, *min, *min }, hi[4] = { *max, *max, *max, *max };
	size_t i;
	unsigned k;

	for (i = 0; i < n; i += 4)
		UNROLLED
		for (k = 0; k < 4; k++) {
			double v;

			memcpy(&v, x + i + k, sizeof v);      /* x may be the bits of doubles: see values_of */
			lo[k] = lo[k] < v ? lo[k] : v;
			hi[k] = hi[k] > v ? hi[k] : v;
		}
	for (k = 0; k < 4; k++) {
		*min = *min < lo[k] ? *min : lo[k];
		*max = *max > hi[k] ? *max : hi[k];
	}
}

/* A least value of 0 is -0 if any is; then none is below, so that a sign can only be that of -0.  Likewise a greatest. */
static void
settle_zeros(double *min, double *max, enum otr_type type, const uint64_t *value, size_t n)
{
	unsigned shift = type == OTR_F32 ? 31 : 63;
	uint64_t any = 0, all = UINT64_MAX;
	size_t i;

	if (*min != 0.0 && *max != 0.0)
		return;
	for (i = 0; i < n; i++) {
		any |= value[i];
		all &= value[i];
	}
	if (*min == 0.0)
		*min = (any >> shift & 1) != 0 ? -0.0 : 0.0;
	if (*max == 0.0)
		*max = (all >> shift & 1) != 0 ? -0.0 : 0.0;
}

/* One block of rows on its way: the values, behind the last one of the block before, and the lengths of their pairs. */
struct block {
	double value[1 + BLOCK], d[BLOCK];
};

/* Lengths of the pairs that end in rows [0, n), 0 for those that do not count; the pair of row 0 begins at before_ns.  Returns their sum. */
static uint64_t
pair_lengths(double *d, const struct otr__stats_rule *rule, const int64_t *time_ns, int64_t before_ns, size_t n)
{
	const uint64_t gap = rule->has_gap ? rule->gap_ns : UINT64_MAX;
	uint64_t covered, dt = otr__distance(before_ns, time_ns[0]);
	size_t i;

	covered = dt <= gap ? dt : 0;
	d[0] = (double)covered;
	i = 1;
	/* below 2^52 an integer is the fraction of a double between 2^52 and 2^53: so conversions, too, go two by two */
	if (otr__distance(time_ns[0], time_ns[n - 1]) < UINT64_C(1) << 52) {
		const uint64_t least_gap = gap < UINT64_C(1) << 52 ? gap : UINT64_C(1) << 52;
		const v2d limit = both((double)least_gap), base = both(0x1p52);
		const v2u exponent = (v2u)base;
		v2u total = { 0, 0 };

		for (; i + 2 <= n; i += 2) {
			v2u t0, t1, u;
			v2d v;

			memcpy(&t0, time_ns + i - 1, sizeof t0);
			memcpy(&t1, time_ns + i, sizeof t1);
			u = t1 - t0;
			v = (v2d)(u | exponent) - base;
			total += u & (v2u)(v <= limit);
			v = where((v2i)(v <= limit), v);
			memcpy(d + i, &v, sizeof v);
		}
		covered += total[0] + total[1];
	}
	for (; i < n; i++) {
		dt = otr__distance(time_ns[i - 1], time_ns[i]);
		dt = dt <= gap ? dt : 0;
		covered += dt;
		d[i] = (double)dt;
	}
	return covered;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* n values as doubles, and behind them up to a multiple of LANES the last one again.  Returns that multiple. */
static size_t
fill_floats(double *x, enum otr_type type, const uint64_t *value, size_t n)
{
	size_t i, padded = (n + LANES - 1) / LANES * LANES;

	if (type == OTR_F64)
		memcpy(x, value, n * sizeof x[0]);
	else
		for (i = 0; i < n; i++)
			x[i] = (double)otr__float_of((uint32_t)value[i]);
	for (i = n; i < padded; i++)
		x[i] = x[n - 1];
	return padded;
}

/*
 * The same values to be read by load and memcpy alone: where the bits of f64 lie in whole lanes already, they are used where they are.
 */
static const double *
values_of(double *x, enum otr_type type, const uint64_t *value, size_t n, size_t *padded)
{
	if (type == OTR_F64 && n % LANES == 0) {
		*padded = n;
		return (const double *)(const void *)value;
	}
	*padded = fill_floats(x, type, value, n);
	return x;
}

static void
pad(double *x, size_t n, size_t padded, double with)
{
	for (; n < padded; n++)
		x[n] = with;
}

/* As plain, of n > 0 rows of a float column without nulls.  false: a NaN, an infinity, or a sum that overflows was met, and *s is not touched. */
static bool
fast_floats(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value, size_t n, unsigned parts)
{
	struct otr__stats g = { .count = n };
	struct lanes sum = { .hi = { 0.0 } }, area = { .hi = { 0.0 } };
	double rise[LANES] = { 0.0 }, s1[LANES] = { 0.0 }, s2[LANES] = { 0.0 };
	double min, max, mean;
	struct block b;
	double *x = b.value + 1;
	size_t i, m, padded;
	unsigned k;

	g.first = otr__value_word(rule->type, value[0]);
	g.last = otr__value_word(rule->type, value[n - 1]);
	g.t_first = time_ns[0];
	g.t_last = time_ns[n - 1];
	min = max = x[-1] = otr__double_of(g.first);
	for (i = 0; i < n; i += m) {
		m = least(n - i, BLOCK);
		if ((parts & (OTR__STATS_AREA | OTR__STATS_RISE)) == 0 && m % LANES == 0) {
			const double *there = values_of(x, rule->type, value + i, m, &padded);

			widen_limits(&min, &max, there, padded);
			add_values(&sum, there, padded);
			continue;
		}
		padded = fill_floats(x, rule->type, value + i, m);
		widen_limits(&min, &max, x, padded);
		if ((parts & OTR__STATS_AREA) != 0) {
			g.covered += pair_lengths(b.d, rule, time_ns + i, i == 0 ? time_ns[0] : time_ns[i - 1], m);
			pad(b.d, m, padded, 0.0);
			add_pairs(&area, x, b.d, padded, rule->interpolation == OTR_LINEAR);
		}
		if ((parts & OTR__STATS_RISE) != 0)
			add_rises(rise, x, padded);
		x[-1] = x[m - 1];
		pad(x, m, padded, 0.0);
		add_values(&sum, x, padded);
	}
	for (k = 0; k < LANES; k++)
		if (!is_finite(sum.hi[k]))
			return false;
	dd_store(g.sum, lanes_joined(&sum));
	mean = otr__double_of(g.sum[0]) / (double)n;
	for (i = 0; i < n && is_finite(mean) && (parts & OTR__STATS_M2) != 0; i += m) {
		m = least(n - i, BLOCK);
		if (m % LANES == 0) {
			add_deviations(s1, s2, values_of(x, rule->type, value + i, m, &padded), m, mean);
			continue;
		}
		padded = fill_floats(x, rule->type, value + i, m);
		pad(x, m, padded, mean);
		add_deviations(s1, s2, x, padded, mean);
	}
	g.m2 = is_finite(mean) ? m2_joined(s1, s2, (double)n) : QUIET_NAN;
	settle_zeros(&min, &max, rule->type, value, n);
	g.min = otr__bits_of(min);
	g.max = otr__bits_of(max);
	dd_store(g.area, lanes_joined(&area));
	g.rise = stored(t8(rise));
	*s = g;
	return true;
}

/* What one reading of integers gives. */
struct integers {
	int64_t min, max;
	struct otr__i128 sum;
	uint64_t rise;
};

/* Adds n values, whose pairs begin with before. */
static void
add_integers(struct integers *t, const uint64_t *value, int64_t before, size_t n)
{
	/* in the lanes of a vector: upper and lower halves of v + 2^63, apart, so that nothing overflows */
	const v2u bias = { UINT64_C(1) << 63, UINT64_C(1) << 63 }, half = { UINT32_MAX, UINT32_MAX };
	v2u high = { 0, 0 }, low = { 0, 0 };
	int64_t min[2] = { t->min, t->min }, max[2] = { t->max, t->max };
	uint64_t rise = 0, over = 0;
	struct otr__i128 sum;
	size_t i;

	for (i = 0; i + 2 <= n; i += 2) {
		v2u u = load_u(value + i) ^ bias;
		int64_t a = otr__i64(value[i]), b = otr__i64(value[i + 1]);

		high += u >> 32;
		low += u & half;
		min[0] = a < min[0] ? a : min[0];
		min[1] = b < min[1] ? b : min[1];
		max[0] = a > max[0] ? a : max[0];
		max[1] = b > max[1] ? b : max[1];
	}
	for (; i < n; i++) {
		uint64_t u = value[i] ^ bias[0];
		int64_t a = otr__i64(value[i]);

		high[0] += u >> 32;
		low[0] += u & half[0];
		min[0] = a < min[0] ? a : min[0];
		max[0] = a > max[0] ? a : max[0];
	}
	for (i = 0; i < n; i++) {
		int64_t v = otr__i64(value[i]);
		uint64_t r = rise_of_ints(before, v);

		rise += r;
		over |= rise < r;
		before = v;
	}
	t->min = min[0] < min[1] ? min[0] : min[1];
	t->max = max[0] > max[1] ? max[0] : max[1];
	t->rise = over != 0 ? UINT64_MAX : add_saturating(t->rise, rise);
	sum = otr__i128_add(otr__i128_mul_u64(high[0] + high[1], UINT64_C(1) << 32), otr__i128_of_u64(low[0] + low[1]));
	t->sum = otr__i128_add(t->sum, otr__i128_sub(sum, otr__i128_mul_u64(n, bias[0])));
}

/* n integers less q, whose differences fit, as doubles; padded with +0. */
static size_t
fill_differences(double *x, const uint64_t *value, uint64_t q, size_t n)
{
	size_t i, padded = (n + LANES - 1) / LANES * LANES;

	for (i = 0; i < n; i++)
		x[i] = (double)otr__i64(value[i] - q);
	pad(x, n, padded, 0.0);
	return padded;
}

/* As plain, of n > 0 rows of an integer column without nulls.  false: a value is too far from the mean, and *s is not touched. */
static bool
fast_integers(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value, size_t n, unsigned parts)
{
	struct otr__stats g = { .count = n, .first = value[0], .last = value[n - 1], .t_first = time_ns[0], .t_last = time_ns[n - 1] };
	struct integers t = { .min = otr__i64(value[0]), .max = otr__i64(value[0]) };
	struct lanes area = { .hi = { 0.0 } };
	double s1[LANES] = { 0.0 }, s2[LANES] = { 0.0 };
	struct otr__i128 q;
	uint64_t rest;
	struct block b;
	double *x = b.value + 1;
	size_t i, m, padded;

	for (i = 0; i < n; i += m) {
		m = least(n - i, BLOCK);
		add_integers(&t, value + i, otr__i64(value[i == 0 ? 0 : i - 1]), m);
	}
	q = otr__i128_div_u64(t.sum, n, &rest);      /* between min and max, so its low word is all of it */
	if (otr__distance(otr__i64(q.lo), t.max) > INT64_MAX || otr__distance(t.min, otr__i64(q.lo)) > INT64_MAX)
		return false;
	x[-1] = (double)otr__i64(value[0]);
	for (i = 0; i < n && (parts & (OTR__STATS_AREA | OTR__STATS_M2)) != 0; i += m) {
		m = least(n - i, BLOCK);
		padded = fill_differences(x, value + i, q.lo, m);
		add_deviations(s1, s2, x, padded, 0.0);
		padded = fill_differences(x, value + i, 0, m);
		g.covered += pair_lengths(b.d, rule, time_ns + i, i == 0 ? time_ns[0] : time_ns[i - 1], m);
		pad(b.d, m, padded, 0.0);
		add_pairs(&area, x, b.d, padded, rule->interpolation == OTR_LINEAR);
		x[-1] = x[m - 1];
	}
	g.min = (uint64_t)t.min;
	g.max = (uint64_t)t.max;
	i128_store(g.sum, t.sum);
	g.m2 = m2_joined(s1, s2, (double)n);
	dd_store(g.area, lanes_joined(&area));
	g.rise = t.rise;
	*s = g;
	return true;
}

static bool
fast(struct otr__stats *s, const struct otr__stats_rule *rule, const struct rows *rows, unsigned parts)
{
	const int64_t *time_ns = rows->time_ns + rows->from;
	const uint64_t *value = rows->value + rows->from;
	size_t n = rows->to - rows->from;

	if (rows->present != NULL || n == 0)
		return false;
	return otr__type_is_float(rule->type) ? fast_floats(s, rule, time_ns, value, n, parts) :
	    fast_integers(s, rule, time_ns, value, n, parts);
}

#else

static bool
fast(struct otr__stats *s, const struct otr__stats_rule *rule, const struct rows *rows, unsigned parts)
{
	(void)s;
	(void)rule;
	(void)rows;
	(void)parts;
	return false;
}

#endif

/* Rows whose column has presence bits take the plain way, with all parts; that is how the tests compare the two. */
void
otr__stats_some(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value,
    const uint8_t *present, size_t from, size_t to, unsigned parts)
{
	struct rows rows = { .time_ns = time_ns, .value = value, .present = present, .from = from, .to = to };

	if (!fast(s, rule, &rows, parts))
		plain(s, rule, &rows);
}

void
otr__stats_range(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value,
    const uint8_t *present, size_t from, size_t to)
{
	otr__stats_some(s, rule, time_ns, value, present, from, to, OTR__STATS_ALL);
}

void
otr__stats_leaf(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value,
    const uint8_t *present, size_t n)
{
	otr__stats_range(s, rule, time_ns, value, present, 0, n);
}
