/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fold.c - see fold.h.
 */
#include "fold.h"

#include <stdlib.h>
#include <string.h>

#include "intmath.h"

#define BATCH 512u

struct otr__fold_rule
otr__fold_rule_of(uint64_t window_ns, int64_t older_than_ns, enum otr_fold how)
{
	struct otr__fold_rule rule = { .window_ns = window_ns, .limit_ns = older_than_ns, .how = how };
	int64_t past;

	if (window_ns == 0)
		return rule;
	past = older_than_ns % (int64_t)window_ns;
	if (past < 0)
		past += (int64_t)window_ns;
	rule.limit_ns = older_than_ns < OTR_TIME_MIN + past ? OTR_TIME_MIN : older_than_ns - past;
	return rule;
}

uint8_t
otr__fold_digits(int64_t time_ns)
{
	if (time_ns % 1000 != 0)
		return 9;
	if (time_ns % 1000000 != 0)
		return 6;
	return time_ns % 1000000000 != 0 ? 3 : 0;
}

static uint64_t
bits_of_double(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static uint64_t
bits_of_float(double v)
{
	float f = (float)v;
	uint32_t bits;

	memcpy(&bits, &f, sizeof bits);
	return bits;
}

/* The mean of integers, half to even. */
static int64_t
mean_of_integers(const struct otr_summary *s)
{
	struct otr__i128 sum = { .lo = s->sum_low, .hi = s->sum_high };
	bool negative = sum.hi < 0, up;
	uint64_t left, whole;

	if (negative)
		sum = otr__i128_neg(sum);
	whole = otr__i128_div_u64(sum, s->count, &left).lo;
	up = left > s->count - left || (left == s->count - left && (whole & 1) != 0);
	whole += up;
	return otr__i64(negative ? 0 - whole : whole);
}

/* The value of a window with counted values. */
static uint64_t
value_of(const struct otr_summary *s, const struct otr_column *column, enum otr_fold how)
{
	bool is_float = column->type == OTR_F32 || column->type == OTR_F64;
	union otr_value v = s->last;

	if (how == OTR_FOLD_DEFAULT)
		how = column->interpolation == OTR_LINEAR ? OTR_FOLD_MEAN : OTR_FOLD_LAST;
	if (how == OTR_FOLD_MEAN && is_float)
		v.f = otr_summary_mean(s, column->type);
	else if (how == OTR_FOLD_MEAN)
		v.i = mean_of_integers(s);
	else if (how == OTR_FOLD_MIN)
		v = s->min;
	else if (how == OTR_FOLD_MAX)
		v = s->max;
	else if (how == OTR_FOLD_FIRST)
		v = s->first;
	if (!is_float)
		return (uint64_t)v.i;
	return column->type == OTR_F32 ? bits_of_float(v.f) : bits_of_double(v.f);
}

/* Adds the row of a window; there is room.  A window that the horizon cuts begins there: what is earlier does not exist (SPEC 8.5). */
static void
add_row(struct otr__rows *rows, const struct otr_window *w, const struct otr_schema *schema, enum otr_fold how, int64_t horizon_ns)
{
	size_t i = rows->n++;
	uint32_t c;

	rows->time_ns[i] = w->start_ns < horizon_ns ? horizon_ns : w->start_ns;
	for (c = 0; c < schema->columns; c++) {
		bool null = w->column[c].count == 0;
		uint8_t bit = (uint8_t)(1u << (i & 7));

		rows->value[c][i] = null ? 0 : value_of(&w->column[c], &schema->column[c], how);
		rows->has_null[c] = true;
		if (null)
			rows->present[c][i >> 3] &= (uint8_t)~bit;
		else
			rows->present[c][i >> 3] |= bit;
	}
}

enum otr_status
otr__fold(struct otr *file, const struct otr__fold_rule *rule, enum otr_status (*take)(void *arg, const struct otr__rows *rows, struct otr_error *err),
    void *arg, uint64_t *folded, struct otr_error *err)
{
	const struct otr_schema *schema = otr_schema(file);
	struct otr_window_spec spec = { .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = rule->limit_ns, .width_ns = rule->window_ns,
		.columns = UINT64_MAX };
	struct otr_query *query = NULL;
	struct otr__rows rows;
	struct otr_window window;
	enum otr_status status;

	*folded = 0;
	if (!otr__rows_init(&rows, schema->columns, BATCH))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	rows.decoded = UINT64_MAX;
	status = otr_query_open(file, &spec, &query, err);
	while (status == OTR_OK) {
		status = otr_query_next(query, &window, err);
		if (status == OTR_OK && window.rows > 0) {
			add_row(&rows, &window, schema, rule->how, file->snapshot->horizon_ns);
			*folded += window.rows;
		}
		if (rows.n == BATCH || (status == OTR_END && rows.n > 0)) {
			enum otr_status taken = take(arg, &rows, err);

			rows.n = 0;
			if (taken != OTR_OK)
				status = taken;
		}
	}
	otr_query_close(query);
	otr__rows_release(&rows);
	return status == OTR_END ? OTR_OK : status;
}
