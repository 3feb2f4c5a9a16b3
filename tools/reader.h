/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - what the tools that read a FILE share: the zone and clock of a run, --at and VERSION, the range, the columns, the options of rows out.
 *
 * Each function tells its refusal and returns an exit status.
 */
#ifndef OTR_TOOLS_READER_H
#define OTR_TOOLS_READER_H

#include "emit.h"
#include "opts.h"
#include "timearg.h"

/* -z, --dst, and the time at which the run began.  Freed with reader_clock_free. */
struct reader_clock {
	struct zone *zone;
	enum timearg_dst dst;
	int64_t now;
};
int reader_clock(const struct opts_given *g, struct reader_clock *clock);
void reader_clock_free(struct reader_clock *clock);

/* A time option's value; `given` is false where the option is not there. */
int reader_time(const struct opts_given *g, enum opts_id id, const struct reader_clock *clock, enum timearg_place place, struct timearg *t);
/* What it means in a file.  An empty series has no first and last: *known is false there. */
int reader_time_in(const struct timearg *t, enum opts_id id, const struct reader_clock *clock, const struct otr_info *info, const char *path,
    int64_t *ns, bool *known);

/* ---- --at ---- */

enum reader_at_kind { READER_NEWEST, READER_VERSION, READER_BACK, READER_TIME };
struct reader_at {
	enum reader_at_kind kind;
	uint64_t version;              /* READER_VERSION; versions back of READER_BACK */
	int64_t ns;
};
int reader_at(const struct opts_given *g, const struct reader_clock *clock, struct reader_at *at);
/* The same of an operand VERSION. */
int reader_version(const char *text, const struct reader_clock *clock, struct reader_at *at);
/* Moves an open file to a version. */
int reader_select(const char *path, struct otr *file, const struct reader_at *at);

/* Opens FILE ("-": stdin, which must seek) at a version and tells the notices.  *worst becomes 4 where an older version stands in. */
int reader_open(const char *path, const struct reader_at *at, struct otr **file, int *worst);
/* Up to which time the output goes, when a bad page ends it. */
void reader_tell_reach(const char *path, const struct zone *zone, bool any, int64_t last_ns);
/* FILE in messages: <stdin> for "-". */
const char *reader_name(const char *path);

/* ---- range ---- */

struct reader_range {
	struct timearg start, end;
};
int reader_range(const struct opts_given *g, const struct reader_clock *clock, struct reader_range *range);
/* [*start, *end) in a file; INT64_MIN and INT64_MAX where unbounded. */
int reader_range_in(const struct reader_range *range, const struct reader_clock *clock, const struct otr_info *info, const char *path,
    int64_t *start, int64_t *end);

/* ---- columns ---- */

/* The columns of list (all, if it is empty) in a file's schema. */
int reader_columns(const struct otr_schema *schema, const char *path, const struct opts_list *list, struct binary_column *column, size_t *count);
/* "no column "tmp"; columns are: temp, hum".  Returns CLI_USAGE. */
int reader_no_column(const char *path, const char *name, const struct otr_schema *schema);
/* Bit c for each column with an index. */
uint64_t reader_column_bits(const struct binary_column *column, size_t count);

/* ---- rows out ---- */

/* -F --json -d -N --null-value --time-format -o -f. */
struct reader_output {
	enum emit_format format;
	char delimiter;
	bool no_header, force;
	const char *null_text, *time_format, *path;
};
/* more: enum emit_more, or-ed: the formats besides csv and tsv. */
int reader_output(const struct opts_given *g, unsigned more, struct reader_output *output);
/* Opens the output and prepares e->time for times of `digits` digits.  The zone is borrowed. */
int reader_output_open(const struct reader_output *output, const struct zone *zone, unsigned digits, struct out *out, struct emit *e);
/* --explain: what a file was read. */
void reader_explain(const char *path, const struct otr *file);
/* A text for null that no value can be taken for, and that needs no quotes. */
int reader_null_text(const struct opts_given *g, char delimiter, const char **text);

#endif
