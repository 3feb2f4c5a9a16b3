/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aggregate.h - the aggregates of otr-query: their names, what they need of the library, their text (cli.md 4.4).
 */
#ifndef OTR_TOOLS_AGGREGATE_H
#define OTR_TOOLS_AGGREGATE_H

#include "emit.h"

enum aggregate {
	AGGREGATE_COUNT, AGGREGATE_NULLS, AGGREGATE_NANS, AGGREGATE_MIN, AGGREGATE_MAX, AGGREGATE_RANGE, AGGREGATE_FIRST, AGGREGATE_LAST,
	AGGREGATE_TMIN, AGGREGATE_TMAX, AGGREGATE_TFIRST, AGGREGATE_TLAST, AGGREGATE_SUM, AGGREGATE_MEAN, AGGREGATE_VAR, AGGREGATE_STDDEV,
	AGGREGATE_AREA, AGGREGATE_COVERED, AGGREGATE_TWA, AGGREGATE_RISE, AGGREGATE_RATE, AGGREGATES
};

const char *aggregate_name(enum aggregate a);
bool aggregate_find(const char *name, enum aggregate *a);
/* enum otr_want that it needs. */
unsigned aggregate_want(enum aggregate a);
/* Writes its value, or the text of null, at p (room for a time and a value), and returns the end. */
char *aggregate_write(struct emit *e, char *p, enum aggregate a, const struct otr_summary *s, enum otr_type type);
/* The value of a column that a file does not have. */
char *aggregate_write_absent(const struct emit *e, char *p, enum aggregate a);

#endif
