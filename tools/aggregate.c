/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aggregate.c - the aggregates of otr-query.
 */
#include "aggregate.h"

#include "numtext.h"

#include <math.h>
#include <string.h>

static const char *const names[AGGREGATES] = { "count", "nulls", "nans", "min", "max", "range", "first", "last", "tmin", "tmax", "tfirst",
	"tlast", "sum", "mean", "var", "stddev", "area", "covered", "twa", "rise", "rate" };

const char *
aggregate_name(enum aggregate a)
{
	return names[a];
}

bool
aggregate_find(const char *name, enum aggregate *a)
{
	for (unsigned i = 0; i < AGGREGATES; i++)
		if (strcmp(names[i], name) == 0) {
			*a = (enum aggregate)i;
			return true;
		}
	return false;
}

unsigned
aggregate_want(enum aggregate a)
{
	switch (a) {
	case AGGREGATE_AREA:
	case AGGREGATE_COVERED:
	case AGGREGATE_TWA:
		return OTR_WANT_AREA;
	case AGGREGATE_TMIN:
	case AGGREGATE_TMAX:
		return OTR_WANT_EXTREMES;
	case AGGREGATE_VAR:
	case AGGREGATE_STDDEV:
		return OTR_WANT_VARIANCE;
	case AGGREGATE_RISE:
	case AGGREGATE_RATE:
		return OTR_WANT_RISE;
	default:
		return 0;
	}
}

static bool
is_float(enum otr_type type)
{
	return type == OTR_F32 || type == OTR_F64;
}

/* A double that was computed: its NaN says no more than that it is one. */
static char *
write_computed(char *p, double v)
{
	if (isnan(v)) {
		memcpy(p, "NaN", 3);
		return p + 3;
	}
	return numtext_write_f64(p, v);
}

/* In the column's type. */
static char *
write_typed(char *p, const union otr_value *v, enum otr_type type)
{
	if (type == OTR_F64)
		return numtext_write_f64(p, v->f);
	if (type == OTR_F32)
		return numtext_write_f32(p, (float)v->f);
	return numtext_write_i64(p, v->i);
}

/* max - min; of i64 it may be beyond the type, and is exact in 64 bits without sign. */
static char *
write_range(char *p, const struct otr_summary *s, enum otr_type type)
{
	if (type == OTR_F64)
		return write_computed(p, s->max.f - s->min.f);
	if (type == OTR_F32) {
		float range = (float)s->max.f - (float)s->min.f;

		return isnan(range) ? write_computed(p, (double)range) : numtext_write_f32(p, range);
	}
	return numtext_write_u64(p, (uint64_t)s->max.i - (uint64_t)s->min.i);
}

static char *
write_sum(char *p, const struct otr_summary *s, enum otr_type type)
{
	return is_float(type) ? write_computed(p, otr_summary_sum(s, type)) : numtext_write_i128(p, s->sum_high, s->sum_low);
}

/* Seconds, exact, without zeros behind. */
static char *
write_covered(char *p, uint64_t ns)
{
	uint64_t part = ns % 1000000000;
	unsigned digits = 9;

	p = numtext_write_u64(p, ns / 1000000000);
	if (part == 0)
		return p;
	for (; part % 10 == 0; digits--)
		part /= 10;
	*p++ = '.';
	return numtext_write_padded(p, part, digits);
}

/* Not without two rows, the later one in the window; nor if a column of whole numbers rose by more than 64 bits hold. */
static bool
knows_rise(const struct otr_summary *s, enum otr_type type)
{
	return s->has_rise && (is_float(type) || s->rise_i != UINT64_MAX);
}

static char *
write_rise(const struct emit *e, char *p, const struct otr_summary *s, enum otr_type type)
{
	if (!knows_rise(s, type))
		return emit_null(e, p);
	return is_float(type) ? write_computed(p, s->rise_f) : numtext_write_u64(p, s->rise_i);
}

static char *
write_rate(const struct emit *e, char *p, const struct otr_summary *s, enum otr_type type)
{
	if (!knows_rise(s, type) || s->rise_span_ns == 0)
		return emit_null(e, p);
	return write_computed(p, otr_summary_rate(s, type));
}

char *
aggregate_write(struct emit *e, char *p, enum aggregate a, const struct otr_summary *s, enum otr_type type)
{
	switch (a) {                         /* what is known of nothing too */
	case AGGREGATE_COUNT: return numtext_write_u64(p, s->count);
	case AGGREGATE_NULLS: return numtext_write_u64(p, s->rows - s->count - s->nans);
	case AGGREGATE_NANS: return numtext_write_u64(p, s->nans);
	case AGGREGATE_COVERED: return write_covered(p, s->covered_ns);
	case AGGREGATE_AREA: return s->covered_ns == 0 ? emit_null(e, p) : write_computed(p, otr_summary_area(s));
	case AGGREGATE_TWA: return s->covered_ns == 0 ? emit_null(e, p) : write_computed(p, otr_summary_twa(s));
	case AGGREGATE_RISE: return write_rise(e, p, s, type);
	case AGGREGATE_RATE: return write_rate(e, p, s, type);
	default: break;
	}
	if (s->count == 0)
		return emit_null(e, p);
	switch (a) {
	case AGGREGATE_MIN: return write_typed(p, &s->min, type);
	case AGGREGATE_MAX: return write_typed(p, &s->max, type);
	case AGGREGATE_RANGE: return write_range(p, s, type);
	case AGGREGATE_FIRST: return write_typed(p, &s->first, type);
	case AGGREGATE_LAST: return write_typed(p, &s->last, type);
	case AGGREGATE_TMIN: return emit_time(e, p, s->tmin_ns);
	case AGGREGATE_TMAX: return emit_time(e, p, s->tmax_ns);
	case AGGREGATE_TFIRST: return emit_time(e, p, s->tfirst_ns);
	case AGGREGATE_TLAST: return emit_time(e, p, s->tlast_ns);
	case AGGREGATE_SUM: return write_sum(p, s, type);
	case AGGREGATE_MEAN: return write_computed(p, otr_summary_mean(s, type));
	case AGGREGATE_VAR: return write_computed(p, otr_summary_variance(s));
	case AGGREGATE_STDDEV: return write_computed(p, sqrt(otr_summary_variance(s)));
	default: return emit_null(e, p);
	}
}

char *
aggregate_write_absent(const struct emit *e, char *p, enum aggregate a)
{
	if (a == AGGREGATE_COUNT || a == AGGREGATE_NULLS || a == AGGREGATE_NANS || a == AGGREGATE_COVERED) {
		*p = '0';
		return p + 1;
	}
	return emit_null(e, p);
}
