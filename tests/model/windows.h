/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * windows.h - the model's own windows and statistics: plain loops over the rows of a version, in 113-bit arithmetic where the platform has it (armhf: 53),
 * compared with what otr_query_next gives.  Exact for what SPEC 6.9-1 calls exact, within its bounds for the rest.
 */
#ifndef MODEL_WINDOWS_H
#define MODEL_WINDOWS_H

#include <float.h>
#include <math.h>

#include "series.h"

#if defined(__SIZEOF_FLOAT128__)
typedef __float128 exact;
#define EXACT_DIGITS 113
#else
typedef long double exact;
#define EXACT_DIGITS LDBL_MANT_DIG
#endif

static char failure[1024];

static inline bool
fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what differs; always false. */
static inline bool
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(failure, sizeof failure, format, args);
	va_end(args);
	return false;
}

static inline bool
is_float(enum otr_type type)
{
	return type == OTR_F32 || type == OTR_F64;
}

static inline double
double_of(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof d);
	return d;
}

static inline uint64_t
bits_of(double d)
{
	uint64_t b;

	memcpy(&b, &d, sizeof b);
	return b;
}

/* A value as a number: floats widened, others converted. */
static inline double
number(enum otr_type type, uint64_t bits)
{
	if (type == OTR_F32) {
		uint32_t b = (uint32_t)bits;
		float f;

		memcpy(&f, &b, sizeof f);
		return (double)f;
	}
	return type == OTR_F64 ? double_of(bits) : (double)(int64_t)bits;
}

static inline bool
counted(const struct series *s, const struct view *w, size_t i, uint32_t c)
{
	enum otr_type type = s->schema.column[c].type;
	uint64_t v;

	if ((w->mask[i] >> c & 1) == 0)
		return false;
	v = value_at(s, w, i, c);
	if (type == OTR_F32)
		return (v & 0x7fffffff) <= 0x7f800000;
	if (type == OTR_F64)
		return (v & INT64_MAX) <= UINT64_C(0x7ff0000000000000);
	return true;
}

/* An order of float bits: totalOrder of the widened value. */
static inline int64_t
total(uint64_t bits)
{
	return (int64_t)bits < 0 ? (int64_t)(bits ^ INT64_MAX) : (int64_t)bits;
}

static inline exact
magnitude(exact x)
{
	return x < 0 ? -x : x;
}

static inline uint64_t
distance(int64_t a, int64_t b)
{
	return (uint64_t)b - (uint64_t)a;
}

struct pairs {
	exact area;
	exact near, rough;               /* magnitudes, by how well they must be summed */
	uint64_t covered;
};

/* Adds the part [a, b) of the pair of rows i and j, if it counts for area (SPEC 6.7).  whole: [a, b) is all of it. */
static inline void
add_pair(const struct series *s, const struct view *w, size_t i, size_t j, uint32_t c, bool whole, int64_t a, int64_t b, struct pairs *p)
{
	enum otr_type type = s->schema.column[c].type;
	double v0 = number(type, value_at(s, w, i, c)), v1 = number(type, value_at(s, w, j, c));
	int64_t t0 = w->t[i], t1 = w->t[j];
	uint64_t dt = distance(t0, t1);
	exact from, to, mag;

	if (dt == 0 || (s->schema.has_gap && dt > s->schema.gap_ns) || v0 - v0 != 0 || v1 - v1 != 0)
		return;
	if (whole || a < t0)
		a = t0;
	if (whole || b > t1)
		b = t1;
	if (a >= b)
		return;
	p->covered += distance(a, b);
	from = to = v0;
	if (s->schema.column[c].interpolation == OTR_LINEAR) {
		from = v0 + ((exact)v1 - v0) * (exact)distance(t0, a) / (exact)dt;
		to = v0 + ((exact)v1 - v0) * (exact)distance(t0, b) / (exact)dt;
		mag = (magnitude(v0) + magnitude(v1)) / 2 * (exact)distance(a, b);
	} else {
		mag = magnitude(v0) * (exact)distance(a, b);
	}
	p->area += (from + to) / 2 * (exact)distance(a, b);
	if (whole && dt <= UINT64_C(1) << 53 && (mag == 0 || (mag > (exact)1e-260 && mag < (exact)1e260)))
		p->near += mag;
	else
		p->rough += mag * (whole ? 1 : 16) + (exact)1e-280 * (exact)distance(a, b);
}

static inline bool
close_to(exact got, exact want, exact bound)
{
	exact d = got - want;

	return d <= bound && -d <= bound;
}

/* hi + lo against want, where the magnitudes are summed to `mag`. */
static inline bool
check_double(const char *what, uint32_t c, double hi, double lo, exact want, exact bound, exact mag)
{
	if (mag > (exact)1e300)
		return true;             /* may overflow on the way */
	if (hi - hi != 0 || lo - lo != 0)
		return fail("column %u: %s is %g %+g, expected %.17g", c, what, hi, lo, (double)want);
	if (!close_to((exact)hi + (exact)lo, want, bound))
		return fail("column %u: %s is %.17g %+.17g, expected %.17g %+.17g, off by %.3g, allowed %.3g", c, what, hi, lo, (double)want,
		    (double)(want - (exact)(double)want), (double)((exact)hi + (exact)lo - want), (double)bound);
	return true;
}

/*
 * Column c over rows [lo, hi) of w, which are those of the window [a, b), against what the library says.
 */
static inline bool
check_summary(const struct series *s, const struct view *w, uint32_t c, size_t lo, size_t hi, int64_t a, int64_t b, unsigned want,
    const struct otr_summary *got)
{
	enum otr_type type = s->schema.column[c].type;
	bool floating = is_float(type), none_before, none_after;
	uint64_t count = 0, nans = 0, low = 0, rise = 0;
	int64_t high = 0, tmin = 0, tmax = 0;
	size_t i, first = 0, last = 0, before = lo, after = hi, previous = 0;
	exact sum = 0, mag = 0, m2 = 0, mean = 0, rise_f = 0, finite = 0;
	bool plus = false, minus = false;
	uint64_t min = 0, max = 0;
	double sum_d;
	struct pairs p = { .covered = 0 };
	/* The bounds of SPEC 6.9-1, 2^-75 and 2^-53; on a platform whose widest type is the double those of the model itself, 2^-40. */
	const exact narrow = (exact)1 / (exact)(UINT64_C(1) << 40), tiny = EXACT_DIGITS < 64 ? narrow : (exact)1 / ((exact)(UINT64_C(1) << 60) * (1 << 15)),
	    eps = EXACT_DIGITS < 64 ? narrow : (exact)DBL_EPSILON / 2;

	while (before > 0 && !counted(s, w, before - 1, c))
		before--;
	none_before = before == 0;
	while (after < w->n && !counted(s, w, after, c))
		after++;
	none_after = after == w->n;
	for (i = lo; i < hi; i++) {
		uint64_t v, word;
		double x;

		if ((w->mask[i] >> c & 1) == 0)
			continue;
		if (!counted(s, w, i, c)) {
			nans++;
			continue;
		}
		v = value_at(s, w, i, c);
		x = number(type, v);
		word = floating ? bits_of(x) : v;
		if (count == 0 || (floating ? total(word) < total(min) : (int64_t)word < (int64_t)min)) {
			min = word;
			tmin = w->t[i];
		}
		if (count == 0 || (floating ? total(word) > total(max) : (int64_t)word > (int64_t)max)) {
			max = word;
			tmax = w->t[i];
		}
		if (floating) {
			if (x - x != 0) {
				plus = plus || x > 0;
				minus = minus || x < 0;
			} else {
				sum += x;
				mag += magnitude(x);
				finite++;
			}
		} else {
			low += v;
			high += ((int64_t)v < 0 ? -1 : 0) + (low < v);
			sum += (exact)(int64_t)v;
			mag += magnitude((exact)(int64_t)v);
		}
		if (count == 0)
			first = i;
		if (count > 0)
			add_pair(s, w, previous, i, c, true, 0, 0, &p);
		if (count > 0 || !none_before) {
			size_t old = count > 0 ? previous : before - 1;
			uint64_t v0 = value_at(s, w, old, c);

			if (floating) {
				double x0 = number(type, v0);

				if (x0 - x0 == 0 && x - x == 0)
					rise_f += x > x0 ? (exact)x - x0 : x < x0 && x > 0 ? (exact)x : 0;
			} else {
				int64_t i0 = (int64_t)v0, i1 = (int64_t)v;
				uint64_t d = i1 > i0 ? (uint64_t)i1 - (uint64_t)i0 : i1 < i0 && i1 > 0 ? (uint64_t)i1 : 0;

				rise = rise + d < rise ? UINT64_MAX : rise + d;
			}
		}
		previous = last = i;
		count++;
	}
	if (got->rows != hi - lo || got->count != count || got->nans != nans)
		return fail("column %u: rows %llu count %llu nans %llu, expected %zu %llu %llu", c, (unsigned long long)got->rows,
		    (unsigned long long)got->count, (unsigned long long)got->nans, hi - lo, (unsigned long long)count, (unsigned long long)nans);
	if ((want & OTR_WANT_AREA) != 0) {
		if (count > 0 && !none_before)
			add_pair(s, w, before - 1, first, c, false, a, b, &p);
		if (count > 0 && !none_after)
			add_pair(s, w, last, after, c, false, a, b, &p);
		if (count == 0 && !none_before && !none_after)
			add_pair(s, w, before - 1, after, c, false, a, b, &p);
	}
	if ((want & OTR_WANT_AREA) == 0)
		p = (struct pairs){ .covered = 0 };
	else if (got->covered_ns != p.covered)
		return fail("column %u: covered %llu ns, expected %llu", c, (unsigned long long)got->covered_ns, (unsigned long long)p.covered);
	if ((want & OTR_WANT_AREA) != 0 && !check_double("area", c, got->area_hi, got->area_lo, p.area, p.near * tiny + p.rough * 4 * eps, p.near + p.rough))
		return false;
	if (count == 0)
		return true;
	if (floating ? (bits_of(got->min.f) != min || bits_of(got->max.f) != max) : ((uint64_t)got->min.i != min || (uint64_t)got->max.i != max))
		return fail("column %u: min %llx max %llx, expected %llx %llx", c, (unsigned long long)got->min.i, (unsigned long long)got->max.i,
		    (unsigned long long)min, (unsigned long long)max);
	if (got->tfirst_ns != w->t[first] || got->tlast_ns != w->t[last])
		return fail("column %u: tfirst %lld tlast %lld, expected %lld %lld", c, (long long)got->tfirst_ns, (long long)got->tlast_ns,
		    (long long)w->t[first], (long long)w->t[last]);
	if ((want & OTR_WANT_EXTREMES) != 0 && (got->tmin_ns != tmin || got->tmax_ns != tmax))
		return fail("column %u: tmin %lld tmax %lld, expected %lld %lld", c, (long long)got->tmin_ns, (long long)got->tmax_ns,
		    (long long)tmin, (long long)tmax);
	if (floating ? (bits_of(got->first.f) != bits_of(number(type, value_at(s, w, first, c))) ||
	    bits_of(got->last.f) != bits_of(number(type, value_at(s, w, last, c)))) :
	    (got->first.i != (int64_t)value_at(s, w, first, c) || got->last.i != (int64_t)value_at(s, w, last, c)))
		return fail("column %u: first or last differs", c);
	if ((want & OTR_WANT_RISE) == 0)
		rise = 0;
	else if (got->has_rise != (count > 1 || !none_before))
		return fail("column %u: has_rise is %d", c, got->has_rise);
	if ((want & OTR_WANT_RISE) != 0 && got->rise_span_ns != (none_before ? distance(w->t[first], w->t[last]) : distance(w->t[before - 1], w->t[last])))
		return fail("column %u: rise_span %llu ns", c, (unsigned long long)got->rise_span_ns);
	if ((want & OTR_WANT_RISE) != 0 && floating) {
		if (!check_double("rise", c, got->rise_f, 0, rise_f, rise_f * eps * (exact)(count + 8), rise_f))
			return false;
	} else if ((want & OTR_WANT_RISE) != 0 && got->rise_i != rise) {
		return fail("column %u: rise %llu, expected %llu", c, (unsigned long long)got->rise_i, (unsigned long long)rise);
	}
	sum_d = otr_summary_sum(got, type);
	if (!floating) {
		if (got->sum_low != low || got->sum_high != high)
			return fail("column %u: sum %lld*2^64+%llu, expected %lld*2^64+%llu", c, (long long)got->sum_high,
			    (unsigned long long)got->sum_low, (long long)high, (unsigned long long)low);
		if (EXACT_DIGITS >= 113 && sum_d != (double)sum)
			return fail("column %u: otr_summary_sum %.17g, expected %.17g", c, sum_d, (double)sum);
	} else if (plus || minus) {
		if (mag < (exact)1e300 && (plus && minus ? sum_d == sum_d : sum_d != (plus ? (double)INFINITY : -(double)INFINITY)))
			return fail("column %u: sum %.17g with infinities %s%s", c, sum_d, plus ? "+" : "", minus ? "-" : "");
		return true;             /* no mean, no deviation to compare */
	} else if (!check_double("sum", c, got->sum_hi, got->sum_lo, sum, mag * tiny, mag)) {
		return false;
	}
	mean = sum / (exact)count;
	for (i = lo; i < hi; i++)
		if (counted(s, w, i, c)) {
			exact d = (floating ? (exact)number(type, value_at(s, w, i, c)) : (exact)(int64_t)value_at(s, w, i, c)) - mean;

			m2 += d * d;
		}
	if ((want & OTR_WANT_VARIANCE) != 0 && mag < (exact)1e140) {
		exact bound = m2 * (exact)1e-11 + mag * mag * (EXACT_DIGITS < 64 ? tiny * tiny : (exact)1e-60) + (exact)1e-290;

		if (!check_double("m2", c, got->m2, 0, m2, bound, 0))
			return false;
		if (otr_summary_variance(got) < 0 || !close_to(otr_summary_variance(got), (exact)got->m2 / (exact)count, m2 / (exact)count * 2 * eps + (exact)1e-300))
			return fail("column %u: variance %.17g of m2 %.17g", c, otr_summary_variance(got), got->m2);
	}
	if (mag < (exact)1e300 && !close_to(otr_summary_mean(got, type), mean, magnitude(mean) * 2 * eps + mag / (exact)count * tiny + (exact)5e-324))
		return fail("column %u: mean %.17g, expected %.17g", c, otr_summary_mean(got, type), (double)mean);
	if (p.covered > 0 && p.near + p.rough < (exact)1e300 && (want & OTR_WANT_AREA) != 0) {
		exact twa = p.area / (exact)p.covered, bound = magnitude(twa) * 4 * eps + (p.near * tiny + p.rough * 4 * eps) / (exact)p.covered + (exact)5e-324;

		if (!close_to(otr_summary_twa(got), twa, bound))
			return fail("column %u: twa %.17g, expected %.17g", c, otr_summary_twa(got), (double)twa);
		if (!close_to(otr_summary_area(got), p.area / 1000000000, magnitude(p.area) / 1000000000 * 4 * eps +
		    (p.near * tiny + p.rough * 4 * eps) / 1000000000 + (exact)5e-324))
			return fail("column %u: area %.17g, expected %.17g", c, otr_summary_area(got), (double)(p.area / 1000000000));
	} else if ((want & OTR_WANT_AREA) != 0 && p.covered == 0 && otr_summary_twa(got) == otr_summary_twa(got)) {
		return fail("column %u: twa %.17g where nothing is covered", c, otr_summary_twa(got));
	}
	return true;
}

/* ---- which windows there are ------------------------------------------------------------------------------------------ */

/* The window that holds t: [*start, *end), unclipped but for the limits of time. */
static inline void
fixed_window(int64_t t, int64_t origin, uint64_t width, int64_t *start, int64_t *end)
{
	/* times shifted to 0 .. 2^64 - 1 */
	const uint64_t top = UINT64_C(1) << 63;
	uint64_t u = (uint64_t)t + top, o = (uint64_t)origin + top, off;

	if (u >= o)
		off = (u - o) % width;
	else
		off = (width - (o - u) % width) % width;
	*start = u - 1 < off ? OTR_TIME_MIN : (int64_t)(u - off - top);
	*end = UINT64_MAX - u < width - off ? INT64_MAX : (int64_t)(u + (width - off) - top);
}

static inline int64_t
point(int64_t start, uint64_t span, uint64_t points, uint64_t i)
{
	/* points < 2^32, so nothing overflows */
	return (int64_t)((uint64_t)start + i * (span / points) + i * (span % points) / points);
}

/* Whether something of [a, b) is covered in a column that was asked for; rows [lo, lo) lie in it. */
static inline bool
something_covered(const struct series *s, const struct view *w, uint64_t columns, size_t lo, int64_t a, int64_t b)
{
	uint32_t c;

	for (c = 0; c < s->columns; c++) {
		size_t before = lo, after = lo;
		struct pairs p = { .covered = 0 };

		if ((columns >> c & 1) == 0)
			continue;
		while (before > 0 && !counted(s, w, before - 1, c))
			before--;
		while (after < w->n && !counted(s, w, after, c))
			after++;
		if (before == 0 || after == w->n)
			continue;
		add_pair(s, w, before - 1, after, c, false, a, b, &p);
		if (p.covered > 0)
			return true;
	}
	return false;
}

static inline bool
check_window(const struct series *s, const struct view *w, const struct otr_window_spec *spec, const struct otr_window *got, int64_t start, size_t lo,
    size_t hi, int64_t a, int64_t b)
{
	static const struct otr_summary zero;
	char place[200];
	uint32_t c;

	snprintf(place, sizeof place, "window %lld [%lld, %lld) rows %zu..%zu", (long long)start, (long long)a, (long long)b, lo, hi);
	if (got->start_ns != start || got->rows != hi - lo)
		return fail("%s: got window %lld with %llu rows", place, (long long)got->start_ns, (unsigned long long)got->rows);
	for (c = 0; c < s->columns; c++) {
		if ((spec->columns >> c & 1) != 0 ? !check_summary(s, w, c, lo, hi, a, b, spec->want, &got->column[c]) :
		    memcmp(&got->column[c], &zero, sizeof zero) != 0 && fail("column %u was not asked for and is not zero", c) == false) {
			char why[sizeof failure];

			memcpy(why, failure, sizeof why);
			return fail("%s: %s", place, why);
		}
	}
	return true;
}

/* All windows of one query over version `version`, against the model. */
static inline bool
check_windows(struct series *s, uint64_t version, struct otr *file, const struct otr_window_spec *spec)
{
	const struct view *w = view_at(s, version);
	struct otr_query *q = NULL;
	struct otr_window got;
	struct otr_error err;
	enum otr_status status;
	int64_t start = spec->start_ns, end = spec->end_ns, x;
	uint64_t span = 0, given = 0;
	size_t lo = start == INT64_MIN ? 0 : lower(w, start), hi;
	bool ok = true, refused = start > end;

	if (spec->kind == OTR_WINDOW_POINTS && !refused) {
		if ((start == end && start != INT64_MIN) || spec->points == 0)
			refused = true;
		if ((start == INT64_MIN || end == INT64_MAX) && w->n == 0) {
			start = end = 0;
		} else {
			if (start == INT64_MIN)
				start = w->t[0];
			if (end == INT64_MAX)
				end = w->t[w->n - 1] + 1;
		}
		if (start < end && !refused) {
			span = distance(start, end);
			refused = refused || spec->points > span;
		}
	}
	status = otr_query_open(file, spec, &q, &err);
	if (refused) {
		if (status == OTR_OK)
			otr_query_close(q);
		return status == OTR_E_ARG ? true : fail("otr_query_open: status %d, expected OTR_E_ARG", status);
	}
	if (status != OTR_OK)
		return fail("otr_query_open: %s", err.text);
	if (spec->kind == OTR_WINDOW_WHOLE) {
		hi = end == INT64_MAX ? w->n : lower(w, end);
		status = otr_query_next(q, &got, &err);
		if (status != OTR_OK)
			ok = fail("otr_query_next: status %d %s", status, status == OTR_END ? "" : err.text);
		else
			ok = check_window(s, w, spec, &got, start != INT64_MIN || lo >= hi ? start : w->t[lo], lo, hi, start, end);
		x = end;
	} else {
		int64_t from, to;

		x = start;
		if (w->n == 0)
			x = end;
		else if ((spec->want & OTR_WANT_AREA) != 0 && x < w->t[0])
			x = w->t[0];
		while (ok && x < end) {
			int64_t a, b;

			if ((spec->want & OTR_WANT_AREA) == 0) {
				if (lo >= w->n || w->t[lo] >= end)
					break;
				x = w->t[lo];
			}
			if (x > w->t[w->n - 1])
				break;
			if (spec->kind == OTR_WINDOW_FIXED) {
				fixed_window(x, spec->origin_ns, spec->width_ns, &from, &to);
			} else {
				uint64_t l = 0, h = spec->points;

				/* the last i with point(i) <= x */
				while (h - l > 1) {
					uint64_t m = l + (h - l) / 2;

					if (point(start, span, spec->points, m) <= x)
						l = m;
					else
						h = m;
				}
				from = point(start, span, spec->points, l);
				to = point(start, span, spec->points, l + 1);
			}
			a = from > start ? from : start;
			b = to < end ? to : end;
			hi = b == INT64_MAX ? w->n : lower(w, b);
			if (hi > lo || ((spec->want & OTR_WANT_AREA) != 0 && something_covered(s, w, spec->columns, lo, a, b))) {
				status = otr_query_next(q, &got, &err);
				if (status != OTR_OK)
					ok = fail("otr_query_next: status %d %s, expected window %lld with %zu rows (after %llu windows)", status,
					    status == OTR_END ? "" : err.text, (long long)from, hi - lo, (unsigned long long)given);
				else
					ok = check_window(s, w, spec, &got, from, lo, hi, a, b);
				given++;
			}
			lo = hi;
			x = b;
		}
	}
	if (ok) {
		status = otr_query_next(q, &got, &err);
		if (status != OTR_END)
			ok = fail("otr_query_next: status %d window %lld with %llu rows, expected the end after %llu windows", status,
			    status == OTR_OK ? (long long)got.start_ns : 0, status == OTR_OK ? (unsigned long long)got.rows : 0, (unsigned long long)given);
	}
	otr_query_close(q);
	return ok;
}

#endif
