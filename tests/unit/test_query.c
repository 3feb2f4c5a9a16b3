/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_query.c - windows (SPEC 6.9): every answer against a loop over plain arrays, for random series in many shapes of tree, and the tables of
 * cases A to I, R, S, T, V.
 */
#include <math.h>

#include "fpmath.h"
#include "intmath.h"
#include "series.h"
#include "stats.h"

/* ---- brute force ----------------------------------------------------------------------------------------------------------- */

struct expected {
	uint64_t rows, count, nans;
	uint64_t min, max, first, last;            /* words, as in struct otr__stats */
	int64_t tfirst, tlast, tmin, tmax;
	long double sum, magnitude, m2, area, area_magnitude, rise;
	struct otr__i128 exact;
	uint64_t covered, rise_i, rise_span;
	bool has_rise;
};

static bool
counts(const struct series *s, uint32_t c, size_t i)
{
	return s->present[c][i] != 0 && otr__value_counts(s->schema.column[c].type, s->value[c][i]);
}

static long double
number(enum otr_type type, uint64_t word)
{
	return otr__type_is_float(type) ? (long double)otr__double_of(word) : (long double)otr__i64(word);
}

static void
add_pair(const struct series *s, uint32_t c, struct expected *e, size_t i, size_t k, int64_t a, int64_t b)
{
	enum otr_type type = s->schema.column[c].type;
	uint64_t w0 = otr__value_word(type, s->value[c][i]), w1 = otr__value_word(type, s->value[c][k]);
	int64_t t0 = s->time_ns[i], t1 = s->time_ns[k], from = t0 > a ? t0 : a, to = t1 < b ? t1 : b;
	long double v0 = number(type, w0), v1 = number(type, w1), span = (long double)otr__distance(t0, t1), part;
	bool finite = !otr__type_is_float(type) || (otr__is_finite(w0) && otr__is_finite(w1));

	if (t1 >= a && t1 < b) {
		e->has_rise = true;
		e->rise_span += otr__distance(t0, t1);
		if (finite && v1 > v0) {
			e->rise += v1 - v0;
			e->rise_i += w1 - w0;
		} else if (finite && v1 < v0 && v1 > 0) {
			e->rise += v1;
			e->rise_i += w1;
		}
	}
	if (!finite || t1 == t0 || (s->schema.has_gap && otr__distance(t0, t1) > s->schema.gap_ns) || from >= to)
		return;
	e->covered += otr__distance(from, to);
	if (s->schema.column[c].interpolation == OTR_STEP)
		part = v0 * (long double)otr__distance(from, to);
	else
		part = (v0 + (v1 - v0) * ((long double)otr__distance(t0, from) + (long double)otr__distance(t0, to)) / 2 / span) *
		    (long double)otr__distance(from, to);
	e->area += part;
	e->area_magnitude += (fabsl(v0) + fabsl(v1)) * (long double)otr__distance(from, to);
}

/* Rows [0, n) of s are the version; horizon and all that is not tested here. */
static void
expect(const struct series *s, size_t n, uint32_t c, int64_t a, int64_t b, struct expected *e)
{
	enum otr_type type = s->schema.column[c].type;
	size_t i, before = SIZE_MAX;
	long double mean;

	memset(e, 0, sizeof *e);
	for (i = 0; i < n; i++) {
		bool in = s->time_ns[i] >= a && s->time_ns[i] < b;
		uint64_t w;

		e->rows += in;
		if (in && s->present[c][i] != 0 && !counts(s, c, i))
			e->nans++;
		if (!counts(s, c, i))
			continue;
		if (before != SIZE_MAX)
			add_pair(s, c, e, before, i, a, b);
		before = i;
		if (!in)
			continue;
		w = otr__value_word(type, s->value[c][i]);
		if (e->count == 0 || otr__word_less(type, w, e->min)) {
			e->min = w;
			e->tmin = s->time_ns[i];
		}
		if (e->count == 0 || otr__word_less(type, e->max, w)) {
			e->max = w;
			e->tmax = s->time_ns[i];
		}
		if (e->count == 0) {
			e->first = w;
			e->tfirst = s->time_ns[i];
		}
		e->last = w;
		e->tlast = s->time_ns[i];
		e->count++;
		e->sum += number(type, w);
		e->magnitude += fabsl(number(type, w));
		if (!otr__type_is_float(type))
			e->exact = otr__i128_add_i64(e->exact, otr__i64(w));
	}
	if (e->count == 0)
		return;
	mean = e->sum / (long double)e->count;
	for (i = 0; i < n; i++) {
		if (s->time_ns[i] >= a && s->time_ns[i] < b && counts(s, c, i)) {
			long double d = number(type, otr__value_word(type, s->value[c][i])) - mean;

			e->m2 += d * d;
		}
	}
}

static bool
near(double got, long double wanted, long double tolerance)
{
	if (isnan(got) || isnan((double)wanted))
		return isnan(got) && isnan((double)wanted);
	if (isinf(got) || isinf((double)wanted))
		return (long double)got == wanted;
	return fabsl((long double)got - wanted) <= tolerance;
}

static int wrong;

static void
differ(const char *what, uint32_t c, int64_t a, int64_t b)
{
	if (++wrong <= 5)
		printf("# %s of column %u in [%lld, %lld)\n", what, (unsigned)c, (long long)a, (long long)b);
}

static uint64_t
word_of(enum otr_type type, union otr_value v)
{
	return otr__type_is_float(type) ? otr__bits_of(v.f) : (uint64_t)v.i;
}

/* A window's summary of one column against brute force. */
static void
compare(const struct series *s, size_t n, uint32_t c, int64_t a, int64_t b, unsigned want, const struct otr_summary *got)
{
	enum otr_type type = s->schema.column[c].type;
	bool is_float = otr__type_is_float(type);
	struct expected e;

	expect(s, n, c, a, b, &e);
	if (got->rows != e.rows || got->count != e.count || got->nans != e.nans)
		differ("counts", c, a, b);
	if ((want & OTR_WANT_AREA) != 0) {
		if (got->covered_ns != e.covered)
			differ("covered", c, a, b);
		if (e.covered > 0 && !near(got->area_hi, e.area, e.area_magnitude * 1e-14L))
			differ("area", c, a, b);
	}
	if (e.count == 0 || got->count != e.count)
		return;
	if (word_of(type, got->min) != e.min || word_of(type, got->max) != e.max)
		differ("min or max", c, a, b);
	if (word_of(type, got->first) != e.first || word_of(type, got->last) != e.last || got->tfirst_ns != e.tfirst || got->tlast_ns != e.tlast)
		differ("first or last", c, a, b);
	if ((want & OTR_WANT_EXTREMES) != 0 && (got->tmin_ns != e.tmin || got->tmax_ns != e.tmax))
		differ("tmin or tmax", c, a, b);
	if (is_float ? !near(otr_summary_sum(got, type), e.sum, e.magnitude * 1e-15L) :
	    got->sum_low != e.exact.lo || got->sum_high != e.exact.hi)
		differ("sum", c, a, b);
	if ((want & OTR_WANT_VARIANCE) != 0 && !near(got->m2, isfinite((double)e.sum) ? e.m2 : (long double)NAN, e.m2 * 1e-10L + e.magnitude * e.magnitude * 1e-30L))
		differ("m2", c, a, b);
	if ((want & OTR_WANT_RISE) == 0)
		return;
	if (got->has_rise != e.has_rise || got->rise_span_ns != e.rise_span)
		differ("span of the rise", c, a, b);
	if (is_float ? !near(got->rise_f, e.rise, (e.rise + e.magnitude) * 1e-13L) :
	    e.rise < 0x1p64L ? got->rise_i != e.rise_i : got->rise_i != UINT64_MAX)
		differ("rise", c, a, b);
}

static bool
is_given(const struct series *s, size_t n, uint64_t columns, unsigned want, int64_t a, int64_t b)
{
	struct expected e;
	uint32_t c;

	for (c = 0; c < s->schema.columns; c++) {
		expect(s, n, c, a, b, &e);
		if (e.rows > 0 || ((want & OTR_WANT_AREA) != 0 && (columns >> c & 1) != 0 && e.covered > 0))
			return true;
	}
	return false;
}

/* All windows of a query against brute force.  Windows are narrowed to those of the test's data, so that the loop ends. */
static void
check_windows(const struct series *s, size_t n, struct otr *file, const struct otr_window_spec *spec)
{
	struct otr_query *q;
	struct otr_window w;
	struct otr_error err;
	int64_t start = spec->start_ns, end = spec->end_ns, at, next;
	int64_t low = n > 0 ? s->time_ns[0] : 0, high = n > 0 ? s->time_ns[n - 1] : 0;
	uint64_t i = 0, span;
	enum otr_status status = otr_query_open(file, spec, &q, &err);
	uint32_t c;

	if (status != OTR_OK) {
		if (!(spec->kind == OTR_WINDOW_POINTS && status == OTR_E_ARG))
			differ("status of open", 0, start, end);
		return;
	}
	if (spec->kind == OTR_WINDOW_POINTS) {
		if (start == INT64_MIN)
			start = low;
		if (end == INT64_MAX)
			end = high + 1;
	} else if (spec->kind == OTR_WINDOW_FIXED) {
		/* nothing is before the first row or after the last */
		if (start < low)
			start = low;
		if (end > high + 1)
			end = high + 1;
	}
	if (n == 0)
		end = start;
	span = end > start ? otr__distance(start, end) : 0;
	at = start;
	for (i = 0; ; i++) {
		int64_t unclipped = at, a, b;

		if (spec->kind == OTR_WINDOW_WHOLE) {
			if (i > 0)
				break;
			a = start;
			b = end = spec->end_ns;
			next = end;
			if (start == INT64_MIN && n > 0 && low < end)
				unclipped = low;
		} else if (spec->kind == OTR_WINDOW_POINTS) {
			if (i == spec->points || span == 0)
				break;
			a = unclipped = start + (int64_t)((long double)i * (long double)span / (long double)spec->points);
			b = next = start + (int64_t)((long double)(i + 1) * (long double)span / (long double)spec->points);
		} else {
			int64_t off = (at - spec->origin_ns) % (int64_t)spec->width_ns;

			if (at >= end)
				break;
			if (off < 0)
				off += (int64_t)spec->width_ns;
			unclipped = at - off;
			next = unclipped + (int64_t)spec->width_ns;
			a = unclipped > spec->start_ns ? unclipped : spec->start_ns;
			b = next < spec->end_ns ? next : spec->end_ns;
		}
		at = next;
		if (spec->kind != OTR_WINDOW_WHOLE && !is_given(s, n, spec->columns, spec->want, a, b))
			continue;
		status = otr_query_next(q, &w, &err);
		if (status != OTR_OK) {
			if (status != OTR_END)
				printf("# %s\n", err.text);
			differ("a window missing", 0, a, b);
			break;
		}
		if (w.start_ns != unclipped) {
			printf("# start %lld expected %lld\n", (long long)w.start_ns, (long long)unclipped);
			differ("start", 0, a, b);
			break;
		}
		for (c = 0; c < s->schema.columns; c++) {
			if ((spec->columns >> c & 1) != 0) {
				compare(s, n, c, a, b, spec->want, &w.column[c]);
				if (w.rows != w.column[c].rows)
					differ("rows", c, a, b);
			} else if (w.column[c].rows != 0 || w.column[c].count != 0) {
				differ("a column not asked for", c, a, b);
			}
		}
	}
	if (status == OTR_OK && otr_query_next(q, &w, &err) != OTR_END)
		differ("a window too many", 0, w.start_ns, w.start_ns);
	otr_query_close(q);
}

static int64_t
some_time(const struct series *s, size_t n, unsigned long long *state)
{
	int64_t t = n > 0 ? s->time_ns[tap_random(state) % n] : 0;

	switch (tap_random(state) % 4) {
	case 0: return t;
	case 1: return t + 1;
	case 2: return t - (int64_t)(tap_random(state) % 20000);
	}
	return t + (int64_t)(tap_random(state) % 2000);
}

static void
random_query(const struct series *s, size_t n, struct otr *file, unsigned long long *state)
{
	struct otr_window_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX };
	uint64_t span = n > 0 ? otr__distance(s->time_ns[0], s->time_ns[n - 1]) + 1 : 1;

	spec.kind = (enum otr_window_kind)(tap_random(state) % 3);
	if (tap_random(state) % 3 != 0)
		spec.start_ns = some_time(s, n, state);
	if (tap_random(state) % 3 != 0)
		spec.end_ns = some_time(s, n, state);
	if (spec.start_ns > spec.end_ns) {
		int64_t t = spec.start_ns;

		spec.start_ns = spec.end_ns;
		spec.end_ns = t;
	}
	spec.columns = tap_random(state) % 32;
	spec.want = (unsigned)(tap_random(state) % 4) | OTR_WANT_VARIANCE | OTR_WANT_RISE;
	spec.width_ns = 1 + span / (1 + tap_random(state) % 60);
	if (tap_random(state) % 2 != 0 && spec.start_ns != INT64_MIN) {
		/* narrow windows over a short range */
		spec.width_ns = 1 + tap_random(state) % 700;
		spec.end_ns = spec.start_ns + (int64_t)(60 * spec.width_ns);
	}
	spec.origin_ns = tap_random(state) % 2 != 0 ? 0 : (int64_t)(tap_random(state) % 100000) - 50000;
	spec.points = 1 + tap_random(state) % 50;
	check_windows(s, n, file, &spec);
}

static void
random_series(void)
{
	unsigned long long state = 20240229;
	int round;

	for (round = 0; round < 60; round++) {
		static const size_t most[4] = { 30, 400, 3000, 9000 };
		static const uint32_t page[3] = { 4096, 4096, 16384 };
		struct series s;
		struct otr *file;
		size_t each, n;
		int k;
		const char *path = series_path("random.otr");

		series_init(&s, page[tap_random(&state) % 3]);
		n = (size_t)(tap_random(&state) % most[round % 4]);
		series_random(&s, n, &state);
		each = round % 3 == 0 ? 0 : 1 + (size_t)(tap_random(&state) % (n / 3 + 20));
		series_write(&s, path, each);
		file = series_open(path);
		for (k = 0; k < 30; k++)
			random_query(&s, n, file, &state);
		/* prefixes: each commit is a version */
		for (k = 0; k < 6 && each > 0 && n > 0; k++) {
			uint64_t version = 1 + tap_random(&state) % ((n + each - 1) / each);
			size_t rows = version * each < n ? (size_t)(version * each) : n;
			struct otr_error err;

			if (otr_select_version(file, version, &err) != OTR_OK)
				series_stop("otr_select_version", &err);
			random_query(&s, rows, file, &state);
			random_query(&s, rows, file, &state);
		}
		otr_close(file);
		series_free(&s);
		if (wrong > 0) {
			printf("# round %d\n", round);
			break;
		}
	}
	CHECK(wrong == 0, "2.1, 4.6-5, 10.4-3: windows over random series, at the newest version and at older ones, are as brute force has them");
}

/* ---- the tables of cases.md ------------------------------------------------------------------------------------------------ */

static double answer[8];

/* Runs a query of one f64 (or other) column and keeps what it gives, in lines "start:count". */
static char lines[4000];
static uint64_t total_rows, windows;
static struct otr_summary last_summary, first_summary;

static void
run_query(struct otr *file, struct otr_window_spec spec)
{
	struct otr_query *q;
	struct otr_window w;
	struct otr_error err;
	size_t at = 0;
	enum otr_status status;

	lines[0] = '\0';
	total_rows = windows = 0;
	memset(&last_summary, 0, sizeof last_summary);
	memset(&first_summary, 0, sizeof first_summary);
	spec.columns = 1;
	spec.want |= OTR_WANT_VARIANCE | OTR_WANT_RISE;
	status = otr_query_open(file, &spec, &q, &err);
	if (status != OTR_OK) {
		(void)snprintf(lines, sizeof lines, "status %d", (int)status);
		return;
	}
	while ((status = otr_query_next(q, &w, &err)) == OTR_OK) {
		if (at < sizeof lines - 60)
			at += (size_t)snprintf(lines + at, sizeof lines - at, "%s%lld: %llu", at > 0 ? ", " : "", (long long)w.start_ns,
			    (unsigned long long)w.rows);
		total_rows += w.rows;
		if (windows++ == 0)
			first_summary = w.column[0];
		last_summary = w.column[0];
	}
	if (status != OTR_END)
		series_stop("otr_query_next", &err);
	otr_query_close(q);
}

static bool
fixed(struct otr *file, int64_t a, int64_t b, uint64_t width, const char *wanted)
{
	run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = a, .end_ns = b, .width_ns = width });
	if (strcmp(lines, wanted) == 0)
		return true;
	printf("# [%lld, %lld) %llu: got %s\n# expected %s\n", (long long)a, (long long)b, (unsigned long long)width, lines, wanted);
	return false;
}

static void
whole(struct otr *file, int64_t a, int64_t b, unsigned want)
{
	run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_WHOLE, .start_ns = a, .end_ns = b, .want = want | OTR_WANT_VARIANCE | OTR_WANT_RISE });
}

/* In the shapes in which each case is to be run: riding in the slot, one leaf, a deep tree; one commit and many. */
#define SHAPES 4
static struct otr *
in_shape(struct series *s, int shape)
{
	const char *path = series_path("case.otr");

	s->schema.page_bytes = shape == 1 ? 65536 : 4096;
	series_write(s, path, shape == 0 ? 0 : shape == 1 ? 0 : shape == 2 ? 1 + s->n / 7 : 1 + s->n / 50);
	return series_open(path);
}

static void
five_rows(void)
{
	static const int64_t t[5] = { 1, 4, 6, 13, 15 };
	static const double v[5] = { 2.0, 7.5, 2.5, 8.0, 6.0 };
	int shape, i, bad = 0;

	for (shape = 0; shape < SHAPES; shape++) {
		struct series s;
		struct otr *file;
		struct otr_window_spec points = { .kind = OTR_WINDOW_POINTS, .start_ns = INT64_MIN, .end_ns = INT64_MAX };

		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 5; i++)
			series_row_f64(&s, t[i], v[i]);
		file = in_shape(&s, shape);
		bad += !fixed(file, 0, 16, 4, "0: 1, 4: 2, 12: 2");
		bad += last_summary.min.f != 6 || otr_summary_mean(&last_summary, OTR_F64) != 7 || last_summary.max.f != 8;
		bad += !fixed(file, 0, 14, 5, "0: 2, 5: 1, 10: 1");
		bad += otr_summary_mean(&first_summary, OTR_F64) != 4.75;
		bad += !fixed(file, 2, 14, 5, "0: 1, 5: 1, 10: 1");
		bad += !fixed(file, 0, 13, 5, "0: 2, 5: 1");
		bad += !fixed(file, 0, 16, 100, "0: 5");
		bad += !fixed(file, 16, 15, 4, "status 11");
		bad += !fixed(file, 15, 15, 4, "");
		whole(file, INT64_MIN, INT64_MAX, OTR_WANT_EXTREMES | OTR_WANT_AREA);
		bad += windows != 1 || last_summary.count != 5 || otr_summary_mean(&last_summary, OTR_F64) != 5.2 ||
		    otr_summary_sum(&last_summary, OTR_F64) != 26 || !near(otr_summary_variance(&last_summary), 6.26L, 1e-11L) ||
		    last_summary.first.f != 2 || last_summary.last.f != 6 || last_summary.tmin_ns != 1 || last_summary.tmax_ns != 13 ||
		    last_summary.rise_f != 19.5;
		bad += otr_summary_area(&last_summary) != 75e-9 || last_summary.covered_ns != 14 || otr_summary_twa(&last_summary) != 5.357142857142857;
		for (points.points = 1; points.points <= 5; points.points++) {
			static const char *const wanted[5] = { "1: 5", "1: 3, 8: 2", "1: 2, 6: 1, 11: 2", "1: 1, 4: 2, 12: 2", NULL };

			run_query(file, points);
			bad += wanted[points.points - 1] != NULL && strcmp(lines, wanted[points.points - 1]) != 0;
		}
		points.points = 16;
		run_query(file, points);
		bad += strcmp(lines, "status 11") != 0;
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case A: five rows");
}

static void
gaps_of_five_rows(void)
{
	static const int64_t t[5] = { 1, 4, 6, 13, 15 };
	static const double v[5] = { 2.0, 7.5, 2.5, 8.0, 6.0 };
	static const struct { enum otr_interpolation how; uint64_t gap; double area; uint64_t covered; } table[] = {
		{ OTR_LINEAR, 0, 75, 14 }, { OTR_STEP, 0, 54.5, 14 }, { OTR_LINEAR, 3, 38.25, 7 }, { OTR_LINEAR, 5, 38.25, 7 },
		{ OTR_LINEAR, 2, 24, 4 }, { OTR_STEP, 3, 37, 7 }, { OTR_STEP, 2, 31, 4 }
	};
	int bad = 0, shape;
	size_t k, i;

	for (k = 0; k < sizeof table / sizeof table[0]; k++) {
		for (shape = 0; shape < SHAPES; shape++) {
			struct series s;
			struct otr *file;

			series_init(&s, 0);
			series_column(&s, OTR_F64, table[k].how);
			s.schema.has_gap = table[k].gap != 0;
			s.schema.gap_ns = table[k].gap * 1000000000;
			for (i = 0; i < 5; i++)
				series_row_f64(&s, t[i] * 1000000000, v[i]);
			file = in_shape(&s, shape);
			whole(file, INT64_MIN, INT64_MAX, OTR_WANT_AREA);
			bad += otr_summary_area(&last_summary) != table[k].area || last_summary.covered_ns != table[k].covered * 1000000000 ||
			    otr_summary_twa(&last_summary) != table[k].area / (double)table[k].covered;
			otr_close(file);
			series_free(&s);
		}
	}
	CHECK(bad == 0, "case A: area, covered and twa under gaps");
}

static void
powers_of_two(void)
{
	struct series s;
	int64_t i;
	int bad = 0, shape, p;

	series_init(&s, 0);
	series_column(&s, OTR_F64, OTR_LINEAR);
	for (i = 0; i < 4096; i++)
		series_row_f64(&s, i, (double)i);
	for (shape = 0; shape < SHAPES; shape++) {
		struct otr *file = in_shape(&s, shape);

		for (p = 0; p <= 62; p++) {
			run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = 0, .end_ns = 4096, .width_ns = UINT64_C(1) << p });
			bad += windows != (p > 12 ? 1 : 4096u >> p) || total_rows != 4096 || last_summary.rows != UINT64_C(1) << (p < 12 ? p : 12);
		}
		bad += !fixed(file, 0, 4096, 1000, "0: 1000, 1000: 1000, 2000: 1000, 3000: 1000, 4000: 96");
		bad += !fixed(file, 1, 4095, 1024, "0: 1023, 1024: 1024, 2048: 1024, 3072: 1023");
		bad += !fixed(file, 1000, 3000, 1024, "0: 24, 1024: 1024, 2048: 952");
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += otr_summary_sum(&last_summary, OTR_F64) != 8386560 || otr_summary_mean(&last_summary, OTR_F64) != 2047.5 ||
		    otr_summary_variance(&last_summary) != 1398101.25;
		bad += !fixed(file, 0, 10, 0, "status 11") || !fixed(file, 0, 10, UINT64_C(1) << 63, "status 11");
		otr_close(file);
	}
	series_free(&s);
	CHECK(bad == 0, "case B: dense rows in windows of 2^0 to 2^62 ns");
}

static void
limits_of_time(void)
{
	int bad = 0, shape, how;

	for (how = 0; how < 2; how++) {
		for (shape = 0; shape < SHAPES; shape++) {
			struct series s;
			struct otr *file;

			series_init(&s, 0);
			series_column(&s, OTR_F64, how == 0 ? OTR_LINEAR : OTR_STEP);
			series_row_f64(&s, OTR_TIME_MIN, 1);
			series_row_f64(&s, 0, 2);
			series_row_f64(&s, OTR_TIME_MAX, 3);
			file = in_shape(&s, shape);
			whole(file, INT64_MIN, INT64_MAX, OTR_WANT_AREA);
			bad += last_summary.covered_ns != UINT64_MAX - 2 || otr_summary_twa(&last_summary) != (how == 0 ? 2 : 1.5) ||
			    otr_summary_area(&last_summary) != (how == 0 ? 36893488147.419106 : 27670116110.564327);
			bad += !fixed(file, INT64_MIN, INT64_MAX, UINT64_C(1000000000000000000),
			    "-9223372036854775807: 1, 0: 1, 9000000000000000000: 1");
			bad += !fixed(file, INT64_MIN, INT64_MAX, UINT64_C(86400000000000),
			    "-9223372036854775807: 1, 0: 1, 9223286400000000000: 1");
			bad += !fixed(file, INT64_MIN, INT64_MAX, UINT64_C(1) << 62, "-9223372036854775807: 1, 0: 1, 4611686018427387904: 1");
			bad += !fixed(file, INT64_MIN, INT64_MAX, INT64_MAX, "-9223372036854775807: 1, 0: 2");
			bad += !fixed(file, OTR_TIME_MAX, INT64_MAX, 1, "9223372036854775806: 1");
			run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX,
				.width_ns = UINT64_C(1000000000000000000), .want = OTR_WANT_AREA });
			bad += windows != 20 || total_rows != 3;
			run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_POINTS, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .points = 5 });
			bad += strcmp(lines, "-9223372036854775807: 1, -1844674407370955162: 1, 5534023222112865484: 1") != 0;
			run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_POINTS, .start_ns = INT64_MIN, .end_ns = INT64_MAX,
				.points = UINT64_MAX - 1 });
			bad += windows != 3 || total_rows != 3;
			otr_close(file);
			series_free(&s);
		}
	}
	CHECK(bad == 0, "case D: the limits of time");
}

static void
negative_times(void)
{
	int bad = 0, shape;
	int64_t i;

	for (shape = 0; shape < SHAPES; shape++) {
		struct series s;
		struct otr *file;

		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = -5; i <= 5; i++)
			series_row_f64(&s, i, (double)i);
		file = in_shape(&s, shape);
		bad += !fixed(file, -5, 6, 4, "-8: 1, -4: 4, 0: 4, 4: 2");
		bad += !fixed(file, -5, 6, 7, "-7: 5, 0: 6");
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case D: negative times floor");
}

static void
values(void)
{
	static const int64_t big[3] = { INT64_MAX, INT64_MAX, INT64_MAX }, ends[2] = { INT64_MIN, INT64_MAX };
	int bad = 0, shape;
	size_t i;

	for (shape = 0; shape < SHAPES; shape++) {
		struct series s;
		struct otr *file;

		series_init(&s, 0);
		series_column(&s, OTR_I64, OTR_LINEAR);
		for (i = 0; i < 3; i++)
			series_row(&s, (int64_t)i, (const uint64_t *)&big[i]);
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += otr_summary_mean(&last_summary, OTR_I64) != 9.223372036854776e18 || last_summary.sum_high != 1 ||
		    last_summary.sum_low != UINT64_C(9223372036854775805);
		otr_close(file);
		series_free(&s);
		series_init(&s, 0);
		series_column(&s, OTR_I64, OTR_LINEAR);
		for (i = 0; i < 2; i++)
			series_row(&s, (int64_t)i, (const uint64_t *)&ends[i]);
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += otr_summary_sum(&last_summary, OTR_I64) != -1 || otr_summary_mean(&last_summary, OTR_I64) != -0.5 ||
		    otr_summary_variance(&last_summary) != 8.507059173023462e37 || last_summary.rise_i != UINT64_MAX;
		otr_close(file);
		series_free(&s);
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		series_row_f64(&s, 0, 1.7976931348623157e308);
		series_row_f64(&s, 10, 1.7976931348623157e308);
		series_row_f64(&s, 20, 1);
		series_row_f64(&s, 30, -0.0);
		series_row_f64(&s, 31, 0.0);
		series_row_f64(&s, 40, INFINITY);
		series_row_f64(&s, 50, -INFINITY);
		file = in_shape(&s, shape);
		whole(file, 0, 20, 0);
		bad += !isinf(otr_summary_sum(&last_summary, OTR_F64)) || !isinf(otr_summary_mean(&last_summary, OTR_F64)) ||
		    !isnan(otr_summary_variance(&last_summary));
		whole(file, 30, 40, OTR_WANT_EXTREMES);
		bad += !signbit(last_summary.min.f) || signbit(last_summary.max.f) || last_summary.tmin_ns != 30 || last_summary.tmax_ns != 31;
		whole(file, 31, 41, OTR_WANT_AREA);
		bad += last_summary.min.f != 0 || !isinf(last_summary.max.f) || otr_summary_sum(&last_summary, OTR_F64) != INFINITY ||
		    last_summary.covered_ns != 0 || last_summary.rise_f != 0;
		whole(file, 40, 60, 0);
		bad += !isnan(otr_summary_sum(&last_summary, OTR_F64));
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case E: large integers, overflow, zeros, infinities");
}

static void
rounding(void)
{
	struct series s;
	struct otr *file;
	int bad = 0, shape, i;

	for (shape = 0; shape < SHAPES; shape++) {
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 1000; i++)
			series_row_f64(&s, 10000 + 10 * i, i);
		file = in_shape(&s, shape);
		bad += !fixed(file, 11136, 11647, 64,
		    "11136: 6, 11200: 7, 11264: 6, 11328: 7, 11392: 6, 11456: 6, 11520: 7, 11584: 6");
		bad += !fixed(file, 11136, 11584, 64, "11136: 6, 11200: 7, 11264: 6, 11328: 7, 11392: 6, 11456: 6, 11520: 7");
		bad += !fixed(file, 11137, 11201, 64, "11136: 6, 11200: 1");
		bad += !fixed(file, 11199, 11200, 64, "") || !fixed(file, 11136, 11199, 64, "11136: 6");
		otr_close(file);
		series_free(&s);
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 1000; i++)
			series_row_f64(&s, -20000 + 10 * i, i);
		file = in_shape(&s, shape);
		bad += !fixed(file, -18864, -18353, 64, "-18880: 5, -18816: 6, -18752: 7, -18688: 6, -18624: 6, -18560: 7, -18496: 6, -18432: 7, "
		    "-18368: 1");
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case F: rounding of windows");
}

static void
holes(void)
{
	struct series s;
	struct otr *file;
	int bad = 0, shape, i;

	for (shape = 0; shape < SHAPES; shape++) {
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 500; i++)
			series_row_f64(&s, 2000 * i, i);
		for (i = 0; i < 500; i++)
			series_row_f64(&s, 1100000 + 2000 * i, i);
		file = in_shape(&s, shape);
		run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = 0, .end_ns = 2100000, .width_ns = 100000 });
		bad += windows != 20 || total_rows != 1000 || strstr(lines, " 1000000:") != NULL;
		bad += !fixed(file, 0, 2100000, 250000, "0: 125, 250000: 125, 500000: 125, 750000: 125, 1000000: 75, 1250000: 125, 1500000: 125, "
		    "1750000: 125, 2000000: 50");
		bad += !fixed(file, -500, 0, 10, "") || !fixed(file, 3000000, 4000000, 10, "");
		otr_close(file);
		s.n = 0;
		file = in_shape(&s, shape);
		bad += !fixed(file, INT64_MIN, INT64_MAX, 10, "");
		whole(file, INT64_MIN, INT64_MAX, OTR_WANT_AREA | OTR_WANT_EXTREMES);
		bad += strcmp(lines, "-9223372036854775808: 0") != 0;
		whole(file, 5, INT64_MAX, OTR_WANT_AREA);
		bad += strcmp(lines, "5: 0") != 0;
		run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_POINTS, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .points = 10 });
		bad += strcmp(lines, "") != 0;
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case G: holes, and an empty series");
}

/* CRC-32 of the lines of case H: start,count,min,max,sum in thousandths. */
static uint32_t crc_table[256];
static uint32_t
crc_of(uint32_t crc, const char *p, size_t n)
{
	uint32_t i, k, c;

	if (crc_table[1] == 0) {
		for (i = 0; i < 256; i++) {
			for (c = i, k = 0; k < 8; k++)
				c = (c & 1) != 0 ? c >> 1 ^ 0xedb88320u : c >> 1;
			crc_table[i] = c;
		}
	}
	for (crc = ~crc; n > 0; n--)
		crc = crc >> 8 ^ crc_table[(crc ^ (uint8_t)*p++) & 0xff];
	return ~crc;
}

static bool
case_h(struct otr *file, uint64_t width, uint64_t wanted_n, int64_t wanted_last, uint32_t wanted_crc)
{
	struct otr_window_spec spec = { .kind = OTR_WINDOW_FIXED, .start_ns = 0, .end_ns = INT64_C(1000000000000000000), .width_ns = width, .columns = 1 };
	struct otr_query *q;
	struct otr_window w;
	struct otr_error err;
	uint64_t n = 0;
	int64_t last = 0;
	uint32_t crc = 0;

	if (otr_query_open(file, &spec, &q, &err) != OTR_OK)
		series_stop("otr_query_open", &err);
	while (otr_query_next(q, &w, &err) == OTR_OK) {
		char line[200];
		const struct otr_summary *s = w.column;
		int len = snprintf(line, sizeof line, "%lld,%llu,%.0f,%.0f,%.0f\n", (long long)w.start_ns, (unsigned long long)s->count,
		    round(s->min.f * 1000), round(s->max.f * 1000), round(otr_summary_sum(s, OTR_F64) * 1000) + 0.0);

		crc = crc_of(crc, line, (size_t)len);
		n++;
		last = w.start_ns;
	}
	otr_query_close(q);
	if (n == wanted_n && last == wanted_last && crc == wanted_crc)
		return true;
	printf("# width %llu: %llu windows, last %lld, crc %08x\n", (unsigned long long)width, (unsigned long long)n, (long long)last, (unsigned)crc);
	return false;
}

static void
ten_thousand_rows(void)
{
	static const struct { uint64_t width, n; int64_t last; uint32_t crc; } table[] = {
		{ UINT64_C(1) << 48, 3553, 999799117276250112, 0x290969d6 }, { UINT64_C(1) << 49, 1777, 999799117276250112, 0x4151e558 },
		{ UINT64_C(1) << 50, 889, 999799117276250112, 0x87d51c4b }, { UINT64_C(1) << 51, 445, 999799117276250112, 0x4f56957b },
		{ UINT64_C(1) << 52, 223, 999799117276250112, 0x634dcc6f }, { 99999999999990, 10000, 999899999999900010, 0x77acdb16 },
		{ 100000000000000, 9999, 999800000000000000, 0x89dc36b6 }, { 199999999999999, 5000, 999799999999995001, 0x7fe038ec },
		{ 200000000000000, 5000, 999800000000000000, 0x08279b46 }, { 220000000000000, 4545, 999680000000000000, 0x9365ff69 },
		{ 3184713375796179, 314, 996815286624204027, 0xa972c2ad }, { 76923076923076915, 13, 923076923076922980, 0x6b98805c },
		{ 99999999999999, 9999, 999799999999990002, 0x8007129b }, { 1000000000000000000, 1, 0, 0xfea02f17 }
	};
	struct series s;
	uint64_t x = 1;
	size_t i;
	int bad = 0, shape, how;

	for (how = 0; how < 2; how++) {
		series_init(&s, 0);
		series_column(&s, OTR_F64, how == 0 ? OTR_LINEAR : OTR_STEP);
		for (i = 0, x = 1; i < 10000; i++) {
			x = UINT64_C(6364136223846793005) * x + UINT64_C(1442695040888963407);
			series_row_f64(&s, 100 + INT64_C(99999999999990) * (int64_t)i, (double)((int64_t)((x >> 33) % 2000001) - 1000000) / 1000);
		}
		for (shape = 1; shape < SHAPES; shape++) {
			struct otr *file = in_shape(&s, shape);

			whole(file, INT64_MIN, INT64_MAX, OTR_WANT_AREA | OTR_WANT_EXTREMES);
			bad += last_summary.min.f != -999.873 || last_summary.max.f != 999.895 || otr_summary_sum(&last_summary, OTR_F64) != -8785.964 ||
			    otr_summary_mean(&last_summary, OTR_F64) != -0.8785964 || last_summary.covered_ns != UINT64_C(999899999999900010) ||
			    !near(sqrt(otr_summary_variance(&last_summary)), 576.3856943786604L, 1e-9L) || !near(last_summary.rise_f, 3734323.221L, 1e-6L);
			bad += otr_summary_twa(&last_summary) != (how == 0 ? -0.889467596759676 : -0.9168205820582058);
			bad += how == 0 && otr_summary_area(&last_summary) != -889378649.9999111;
			for (i = 0; i < sizeof table / sizeof table[0] && how == 0; i++)
				bad += !case_h(file, table[i].width, table[i].n, table[i].last, table[i].crc);
			run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = 300000000000005, .end_ns = 700000000000000003,
				.width_ns = 76923076923076915 });
			bad += windows != 10 || total_rows != 6998 || last_summary.rows != 77 || first_summary.rows != 767;
			otr_close(file);
		}
		series_free(&s);
	}
	CHECK(bad == 0, "case H: ten thousand rows");
}

static void
deviation(void)
{
	static const double base[4] = { 0, 1e9, 1e12, 1e15 }, offset[4] = { 4, 7, 13, 16 };
	struct series s;
	struct otr *file;
	int bad = 0, shape, i, k;

	for (shape = 0; shape < SHAPES; shape++) {
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 10; i++)
			series_row_f64(&s, INT64_C(1500000000000000000) + INT64_C(100000000) * i, i + 1);
		file = in_shape(&s, shape);
		bad += !fixed(file, 1500000000000000000, 1500000001000000000, 1 << 28,
		    "1499999999814008832: 1, 1500000000082444288: 3, 1500000000350879744: 3, 1500000000619315200: 2, 1500000000887750656: 1");
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += otr_summary_variance(&last_summary) != 8.25;
		otr_close(file);
		series_free(&s);
		for (k = 0; k < 4; k++) {
			series_init(&s, 0);
			series_column(&s, OTR_F64, OTR_LINEAR);
			for (i = 0; i < 4; i++)
				series_row_f64(&s, i, base[k] + offset[i]);
			file = in_shape(&s, shape);
			whole(file, INT64_MIN, INT64_MAX, 0);
			bad += otr_summary_variance(&last_summary) != 22.5;
			otr_close(file);
			series_free(&s);
		}
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 1000; i++)
			series_row_f64(&s, i, 0.1);
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += otr_summary_sum(&last_summary, OTR_F64) != 100 || otr_summary_mean(&last_summary, OTR_F64) != 0.1 ||
		    otr_summary_variance(&last_summary) != 0;
		otr_close(file);
		series_free(&s);
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 3000; i++)
			series_row_f64(&s, i, i % 3 == 0 ? 1e16 : i % 3 == 1 ? 1 : -1e16);
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += otr_summary_sum(&last_summary, OTR_F64) != 1000 || otr_summary_mean(&last_summary, OTR_F64) != 0.3333333333333333 ||
		    !near(sqrt(otr_summary_variance(&last_summary)), 8164965809277260.0L, 8164965809277260.0L * 1e-12L);
		otr_close(file);
		series_free(&s);
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 10000; i++)
			series_row_f64(&s, i, 1e9 + (double)(i % 7) / 1000);
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += otr_summary_sum(&last_summary, OTR_F64) != 10000000000029.994 || otr_summary_mean(&last_summary, OTR_F64) != 1000000000.0029994 ||
		    !near(sqrt(otr_summary_variance(&last_summary)), 0.001999949703162909L, 0.002L * 1e-11L);
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "6.9-1, case I: deviation and cancellation");
}

static void
counters(void)
{
	static const int64_t v[8] = { 100, 110, 115, 3, 8, 8, 2, 9 };
	struct series s;
	struct otr *file;
	struct otr_query *q;
	struct otr_window w;
	struct otr_error err;
	int bad = 0, shape, i;

	for (shape = 0; shape < SHAPES; shape++) {
		static const uint64_t minutes[4] = { 10, 8, 5, 9 }, ninety[5] = { 10, 5, 8, 0, 9 };
		struct otr_window_spec spec = { .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .width_ns = 120000000000, .columns = 1,
			.want = OTR_WANT_RISE };

		series_init(&s, 0);
		series_column(&s, OTR_I64, OTR_LINEAR);
		for (i = 0; i < 8; i++)
			series_row(&s, INT64_C(60000000000) * i, (const uint64_t *)&v[i]);
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += last_summary.rise_i != 32 || otr_summary_rate(&last_summary, OTR_I64) != 0.0761904761904762;
		whole(file, 90000000000, 270000000000, 0);
		bad += last_summary.rise_i != 13;
		if (otr_query_open(file, &spec, &q, &err) != OTR_OK)
			series_stop("otr_query_open", &err);
		for (i = 0; otr_query_next(q, &w, &err) == OTR_OK; i++)
			bad += i >= 4 || w.column[0].rise_i != minutes[i];
		bad += i != 4;
		otr_query_close(q);
		spec.width_ns = 90000000000;
		if (otr_query_open(file, &spec, &q, &err) != OTR_OK)
			series_stop("otr_query_open", &err);
		for (i = 0; otr_query_next(q, &w, &err) == OTR_OK; i++)
			bad += i >= 5 || w.column[0].rise_i != ninety[i];
		bad += i != 5;
		otr_query_close(q);
		otr_close(file);
		series_free(&s);
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		series_row_f64(&s, 0, 5);
		series_row_f64(&s, 1, 0);
		series_null(&s, 0);
		series_row_f64(&s, 2, 7);
		series_row_f64(&s, 3, NAN);
		series_row_f64(&s, 4, 1);
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, 0);
		bad += last_summary.rise_f != 3;
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case R: counters");
}

static void
weighted(void)
{
	static const int64_t t[4] = { 0, 10, 40, 100 };
	static const double v[4] = { 10, 20, 20, 0 };
	static const struct { int64_t a, b; double area[4]; uint64_t covered[4]; double twa[4]; } table[] = {
		{ -1000, 1000, { 1350, 750, 1900, 700 }, { 100, 40, 100, 40 }, { 13.5, 18.75, 19, 17.5 } },
		{ 5, 25, { 387.5, 387.5, 350, 350 }, { 20, 20, 20, 20 }, { 19.375, 19.375, 17.5, 17.5 } },
		{ 20, 30, { 200, 200, 200, 200 }, { 10, 10, 10, 10 }, { 20, 20, 20, 20 } },
		{ 50, 80, { 350, NAN, 600, NAN }, { 30, 0, 30, 0 }, { 11.666666666666666, NAN, 20, NAN } },
		{ -50, 5, { 62.5, 62.5, 50, 50 }, { 5, 5, 5, 5 }, { 12.5, 12.5, 10, 10 } },
		{ 90, 200, { 16.666666666666668, NAN, 200, NAN }, { 10, 0, 10, 0 }, { 1.6666666666666667, NAN, 20, NAN } }
	};
	int bad = 0, shape, how;
	size_t i, k;

	for (how = 0; how < 4; how++) {
		for (shape = 0; shape < SHAPES; shape++) {
			struct series s;
			struct otr *file;
			struct otr_window_spec spec = { .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .width_ns = 25000000000,
				.columns = 1, .want = OTR_WANT_AREA };
			static const double quarters[4][5] = { { 450, 483.3333333333333, 312.5, 104.16666666666667, -1 }, { 450, 300, -1, 0, 0 },
				{ 400, 500, 500, 500, -1 }, { 400, 300, -1, 0, 0 } };
			struct otr_query *q;
			struct otr_window w;
			struct otr_error err;

			series_init(&s, 0);
			series_column(&s, OTR_F64, how < 2 ? OTR_LINEAR : OTR_STEP);
			s.schema.has_gap = how % 2 == 1;
			s.schema.gap_ns = s.schema.has_gap ? 30000000000 : 0;
			for (i = 0; i < 4; i++)
				series_row_f64(&s, t[i] * 1000000000, v[i]);
			file = in_shape(&s, shape);
			for (k = 0; k < sizeof table / sizeof table[0]; k++) {
				whole(file, table[k].a * 1000000000, table[k].b * 1000000000, OTR_WANT_AREA);
				answer[0] = otr_summary_area(&last_summary);
				answer[1] = otr_summary_twa(&last_summary);
				if (!near(answer[0], (long double)table[k].area[how], 0) || !near(answer[1], (long double)table[k].twa[how], 0) ||
				    last_summary.covered_ns != table[k].covered[how] * 1000000000) {
					bad++;
					printf("# [%lld, %lld) %d: %.17g over %llu, %.17g\n", (long long)table[k].a, (long long)table[k].b, how, answer[0],
					    (unsigned long long)last_summary.covered_ns, answer[1]);
				}
			}
			if (otr_query_open(file, &spec, &q, &err) != OTR_OK)
				series_stop("otr_query_open", &err);
			for (i = 0; otr_query_next(q, &w, &err) == OTR_OK; i++) {
				double area = otr_summary_area(w.column);

				if (w.start_ns == 100000000000) {
					bad += w.rows != 1 || w.column[0].covered_ns != 0;
					break;
				}
				bad += i >= 4 || !near(area, (long double)quarters[how][i], 0);
			}
			bad += i > 4 || quarters[how][i] != -1;
			otr_query_close(q);
			otr_close(file);
			series_free(&s);
		}
	}
	CHECK(bad == 0, "3.5, case S: the time-weighted mean");
}

static void
duty_cycle(void)
{
	static const int64_t t[6] = { 0, 300, 1500, 1800, 3000, 3600 };
	static const uint64_t v[6] = { 1, 0, 1, 1, 0, 0 };
	static const struct { int64_t a, b; double twa; } table[] = { { 0, 3600, 0.5 }, { 0, 1800, 0.3333333333333333 },
		{ 1800, 3600, 0.6666666666666666 }, { 600, 1600, 0.1 }, { 0, 7200, 0.5 } };
	int bad = 0, shape;
	size_t i;

	for (shape = 0; shape < SHAPES; shape++) {
		struct series s;
		struct otr *file;

		series_init(&s, 0);
		series_column(&s, OTR_BOOL, OTR_STEP);
		for (i = 0; i < 6; i++)
			series_row(&s, t[i] * 1000000000, &v[i]);
		file = in_shape(&s, shape);
		for (i = 0; i < sizeof table / sizeof table[0]; i++) {
			whole(file, table[i].a * 1000000000, table[i].b * 1000000000, OTR_WANT_AREA);
			bad += otr_summary_twa(&last_summary) != table[i].twa;
		}
		bad += otr_summary_area(&last_summary) != 1800 || last_summary.covered_ns != 3600000000000;
		otr_close(file);
		s.schema.has_gap = true;
		s.schema.gap_ns = 600000000000;
		file = in_shape(&s, shape);
		whole(file, INT64_MIN, INT64_MAX, OTR_WANT_AREA);
		bad += otr_summary_area(&last_summary) != 600 || last_summary.covered_ns != 1200000000000;
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case T: a duty cycle");
}

static void
clock_ahead(void)
{
	struct series s;
	struct otr *file;
	int bad = 0, shape, i;

	for (shape = 0; shape < SHAPES; shape++) {
		series_init(&s, 0);
		series_column(&s, OTR_F64, OTR_LINEAR);
		for (i = 0; i < 2000; i++)
			if (i != 1000)
				series_row_f64(&s, INT64_C(1000000000) * (1700000000 + i), i);
		series_row_f64(&s, INT64_C(2646685800000000000), -1);
		file = in_shape(&s, shape);
		run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX,
			.width_ns = UINT64_C(86400000000000) });
		bad += windows != 2 || total_rows != 2000 || last_summary.rows != 1;
		run_query(file, (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .width_ns = 1000000000 });
		bad += windows != 2000;
		whole(file, INT64_MIN, INT64_MAX, OTR_WANT_AREA);
		bad += last_summary.covered_ns != UINT64_C(946685800000000000) || otr_summary_twa(&last_summary) != 999.0000010557885;
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "case V: a clock 30 years ahead");
}

static void
refusals(void)
{
	struct series s;
	struct otr *file;
	struct otr_query *q;
	struct otr_window w;
	struct otr_error err;
	int bad = 0;

	series_init(&s, 4096);
	series_column(&s, OTR_F64, OTR_LINEAR);
	series_row_f64(&s, 5, 5);
	series_write(&s, series_path("one.otr"), 0);
	file = series_open(series_path("one.otr"));
	bad += otr_query_open(file, &(struct otr_window_spec){ .kind = OTR_WINDOW_WHOLE, .start_ns = 2, .end_ns = 1 }, &q, &err) != OTR_E_ARG;
	bad += otr_query_open(file, &(struct otr_window_spec){ .kind = OTR_WINDOW_POINTS, .start_ns = 2, .end_ns = 3, .points = 0 }, &q, NULL) != OTR_E_ARG;
	bad += otr_query_open(file, &(struct otr_window_spec){ .kind = OTR_WINDOW_POINTS, .start_ns = 2, .end_ns = 3, .points = 2 }, &q, NULL) != OTR_E_ARG;
	CHECK(bad == 0, "a range backwards, no points, and too many points are refused");
	if (otr_query_open(file, &(struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = 0, .end_ns = 10, .width_ns = 1 }, &q, &err) != OTR_OK)
		series_stop("otr_query_open", &err);
	bad += otr_query_next(q, &w, &err) != OTR_OK || w.rows != 1 || w.start_ns != 5;
	bad += otr_query_next(q, &w, &err) != OTR_END || otr_query_next(q, &w, NULL) != OTR_END;
	CHECK(bad == 0, "a query without columns counts rows, and its end stays its end");
	otr_query_close(q);
	otr_query_close(NULL);
	otr_close(file);
	series_free(&s);
}

int
main(void)
{
	five_rows();
	gaps_of_five_rows();
	powers_of_two();
	limits_of_time();
	negative_times();
	values();
	rounding();
	holes();
	ten_thousand_rows();
	deviation();
	counters();
	weighted();
	duty_cycle();
	clock_ahead();
	refusals();
	random_series();
	(void)remove(series_path("case.otr"));
	(void)remove(series_path("one.otr"));
	(void)remove(series_path("random.otr"));
	(void)remove(series_path(""));
	return tap_done();
}
