/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-diff - tells what differs between two versions of a file, or two files.
 */
#include "cli.h"
#include "reader.h"

#include <string.h>

static const struct opts_about about = {
	.tool = OPTS_DIFF,
	.synopsis = "otr-diff [options] FILE VERSION VERSION\n"
		    "otr-diff [options] A B\n",
	.purpose = "Tells the ranges of time, or the rows, in which two series differ.\n",
	.examples = "  otr-diff pump.otr newest-1 newest\n"
		    "  otr-diff --rows pump.otr @1700000000 newest\n",
};

/* The end of a run is a nanosecond behind its last row. */
#define RUN_DIGITS 9

struct opts {
	const char *path[2];           /* one FILE: both the same */
	bool two_files;
	struct reader_at at[2];        /* of one FILE */
	struct reader_clock clock;
	struct reader_range range;
	struct reader_output output;
	struct opts_list columns;
	bool limited, rows, quiet, explain, verbose;
	uint64_t limit;
};

/* What was opened. */
struct sides {
	struct otr *file[2];           /* one FILE: both the same */
	struct otr_info info[2];
	struct otr_diff_spec spec;
	struct binary_column column[OTR_MAX_COLUMNS];      /* the compared ones; index: that of otr_difference */
	bool differ;                   /* a column of one side alone, or a row */
};

static int
refuse_useless(const struct opts_given *g)
{
	static const enum opts_id of_output[] = { OPT_FORMAT, OPT_JSON, OPT_DELIMITER, OPT_NO_HEADER, OPT_NULL_VALUE, OPT_TIME_FORMAT, OPT_LIMIT,
		OPT_ROWS };

	for (size_t i = 0; opts_has(g, OPT_QUIET) && i < sizeof of_output / sizeof of_output[0]; i++)
		if (opts_has(g, of_output[i]))
			return opts_refuse_pair(of_output[i], "with --quiet");
	if (opts_has(g, OPT_NULL_VALUE) && !opts_has(g, OPT_ROWS))
		return opts_refuse_pair(OPT_NULL_VALUE, "without --rows");
	return CLI_OK;
}

static int
take_operands(const struct opts_given *g, struct opts *o)
{
	int status;

	if (g->operands < 2 || g->operands > 3)
		return cli_usage(g->operands < 2 ? "FILE and two VERSIONs, or two FILEs, are needed" : "more than three operands");
	o->two_files = g->operands == 2;
	o->path[0] = g->operand[0];
	o->path[1] = g->operand[o->two_files ? 1 : 0];
	if (o->two_files && strcmp(o->path[0], "-") == 0 && strcmp(o->path[1], "-") == 0)
		return cli_usage("standard input is given twice");
	if (o->two_files)
		return CLI_OK;
	status = reader_version(g->operand[1], &o->clock, &o->at[0]);
	return status != CLI_OK ? status : reader_version(g->operand[2], &o->clock, &o->at[1]);
}

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	*o = (struct opts){ .limited = opts_has(g, OPT_LIMIT), .rows = opts_has(g, OPT_ROWS), .quiet = opts_has(g, OPT_QUIET),
		.explain = opts_has(g, OPT_EXPLAIN), .verbose = opts_has(g, OPT_VERBOSE) && !opts_has(g, OPT_QUIET) };
	if ((status = reader_clock(g, &o->clock)) != CLI_OK || (status = take_operands(g, o)) != CLI_OK ||
	    (status = reader_range(g, &o->clock, &o->range)) != CLI_OK || (status = reader_output(g, EMIT_WITH_JSON, &o->output)) != CLI_OK ||
	    (status = refuse_useless(g)) != CLI_OK || (status = opts_list(g, OPT_COLUMNS, &o->columns)) != CLI_OK)
		return status;
	return o->limited ? opts_count(g, OPT_LIMIT, false, &o->limit) : CLI_OK;
}

/* One FILE at two versions, or two FILEs at their newest. */
static int
open_sides(const struct opts *o, struct sides *s, int *worst)
{
	const struct reader_at newest = { .kind = READER_NEWEST };
	const struct reader_at *first = &newest;
	int status;

	/* a number that an older slot reaches is read also where the newest one is damaged */
	if (!o->two_files && o->at[0].kind == READER_VERSION && o->at[1].kind == READER_VERSION)
		first = o->at[0].version > o->at[1].version ? &o->at[0] : &o->at[1];
	status = reader_open(o->path[0], first, &s->file[0], worst);
	if (status != CLI_OK)
		return status;
	if (o->two_files)
		status = reader_open(o->path[1], &newest, &s->file[1], worst);
	else
		s->file[1] = s->file[0];
	for (int i = 0; status == CLI_OK && i < 2; i++) {
		if (!o->two_files)
			status = reader_select(o->path[0], s->file[0], &o->at[i]);
		if (status == CLI_OK)
			otr_get_info(s->file[i], &s->info[i]);
	}
	return status;
}

static int
find_column(const struct otr_schema *schema, const char *name)
{
	for (unsigned c = 0; c < schema->columns; c++)
		if (strcmp(schema->column[c].name, name) == 0)
			return (int)c;
	return -1;
}

/* A column of one name on both sides, or what there is to say about it. */
static int
add_column(const struct opts *o, struct sides *s, const char *name)
{
	int c[2];
	struct cli_quoted q;

	(void)cli_quote(name, strlen(name), &q);
	for (int i = 0; i < 2; i++)
		c[i] = find_column(otr_schema(s->file[i]), name);
	if (c[0] < 0 && c[1] < 0)
		return reader_no_column(reader_name(o->path[0]), name, otr_schema(s->file[0]));
	for (uint32_t i = 0; i < s->spec.columns; i++)
		if (strcmp(s->column[i].name, name) == 0)
			return cli_usage("--columns: twice: \"%s\"", q.text);
	if (c[0] < 0 || c[1] < 0) {
		int without = c[0] < 0 ? 0 : 1;

		s->differ = true;
		if (!o->quiet)
			cli_note(reader_name(o->path[without]), "no column \"%s\", which %s has", q.text, reader_name(o->path[1 - without]));
		return CLI_OK;
	}
	if (otr_schema(s->file[0])->column[c[0]].type != otr_schema(s->file[1])->column[c[1]].type) {
		s->differ = true;
		if (!o->quiet)
			cli_note(reader_name(o->path[1]), "column \"%s\" is not of the type that it has in %s", q.text, reader_name(o->path[0]));
		return CLI_OK;
	}
	s->spec.column_a[s->spec.columns] = (uint32_t)c[0];
	s->spec.column_b[s->spec.columns] = (uint32_t)c[1];
	s->column[s->spec.columns] = (struct binary_column){ otr_schema(s->file[0])->column[c[0]].name, otr_schema(s->file[0])->column[c[0]].type,
		(int)s->spec.columns };
	s->spec.columns++;
	return CLI_OK;
}

static int
match_columns(const struct opts *o, struct sides *s)
{
	const struct otr_schema *a = otr_schema(s->file[0]), *b = otr_schema(s->file[1]);
	int status = CLI_OK;

	for (size_t i = 0; status == CLI_OK && i < o->columns.count; i++)
		status = add_column(o, s, o->columns.name[i]);
	if (o->columns.count > 0)
		return status;
	for (unsigned c = 0; status == CLI_OK && c < a->columns; c++)
		status = add_column(o, s, a->column[c].name);
	for (unsigned c = 0; status == CLI_OK && c < b->columns; c++)
		if (find_column(a, b->column[c].name) < 0)
			status = add_column(o, s, b->column[c].name);
	return status;
}

static void
write_header(const struct opts *o, const struct sides *s, struct emit *e)
{
	static const char *const name[] = { "start", "end", "rows_before", "rows_after" };

	if (o->quiet || o->output.format == EMIT_JSON || o->output.no_header)
		return;
	if (o->rows) {
		emit_name(e, "change", true);
		emit_name(e, timearg_field(&e->time), false);
		for (uint32_t c = 0; c < s->spec.columns; c++)
			emit_name(e, s->column[c].name, false);
	} else {
		for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
			emit_name(e, name[i], i == 0);
	}
	emit_end_line(e);
}

static void
write_run(struct emit *e, const struct otr_difference *d)
{
	if (e->format == EMIT_JSON) {
		out_text(e->out, "{\"start\":");
		emit_json_time(e, d->start_ns);
		out_text(e->out, ",\"end\":");
		emit_json_time(e, d->end_ns);
		out_format(e->out, ",\"rows_before\":%llu,\"rows_after\":%llu}\n", (unsigned long long)d->rows_before, (unsigned long long)d->rows_after);
	} else {
		out_advance(e->out, emit_part(e, emit_time(e, out_room(e->out, emit_time_room(e) + 1), d->start_ns)));
		out_advance(e->out, emit_part(e, emit_time(e, out_room(e->out, emit_time_room(e) + 1), d->end_ns)));
		out_format(e->out, "%llu%c%llu\n", (unsigned long long)d->rows_before, e->delimiter, (unsigned long long)d->rows_after);
	}
	e->rows++;
}

static void
write_difference(const struct opts *o, const struct sides *s, struct emit *e, const struct otr_difference *d)
{
	size_t n = d->rows.n;

	if (!o->rows) {
		write_run(e, d);
		return;
	}
	e->file = d->after ? "+" : "-";
	e->file_key = "change";
	if (o->limited && o->limit - e->rows < n)
		n = (size_t)(o->limit - e->rows);
	emit_rows(e, s->column, s->spec.columns, &d->rows, 0, n);
}

/* Up to the limit; but one difference is looked for, so that the exit status is right. */
static int
write_differences(const struct opts *o, struct sides *s, struct emit *e)
{
	struct otr_error err = { 0 };
	struct otr_difference d;
	struct otr_diff *diff = NULL;
	enum otr_status status = otr_diff_open(s->file[0], s->info[0].version, s->file[1], s->info[1].version, &s->spec, &diff, &err);
	bool found = false;

	while (status == OTR_OK && !(found && (o->quiet || (o->limited && e->rows >= o->limit))) && !e->out->failed) {
		status = otr_diff_next(diff, &d, &err);
		if (status != OTR_OK)
			break;
		found = true;
		if (!o->quiet && (!o->limited || e->rows < o->limit))
			write_difference(o, s, e, &d);
	}
	otr_diff_close(diff);
	s->differ = s->differ || found;
	if (status == OTR_OK || status == OTR_END)
		return CLI_OK;
	if (o->two_files)
		cli_note(NULL, "comparing %s with %s:", reader_name(o->path[0]), reader_name(o->path[1]));
	return cli_failed(o->two_files ? NULL : reader_name(o->path[0]), &err);
}

static int
compare(const struct opts *o)
{
	struct sides s = { .spec = { .rows = o->rows } };
	int status, worst = CLI_OK;
	struct out out = { 0 };
	struct emit e;
	unsigned digits;

	/* `first` and `last` are those of the second side */
	if ((status = open_sides(o, &s, &worst)) != CLI_OK ||
	    (status = reader_range_in(&o->range, &o->clock, &s.info[1], reader_name(o->path[1]), &s.spec.start_ns, &s.spec.end_ns)) != CLI_OK ||
	    (status = match_columns(o, &s)) != CLI_OK)
		goto out;
	digits = s.info[0].time_digits > s.info[1].time_digits ? s.info[0].time_digits : s.info[1].time_digits;
	status = reader_output_open(&o->output, o->clock.zone, o->rows ? digits : RUN_DIGITS, &out, &e);
	if (status != CLI_OK)
		goto out;
	write_header(o, &s, &e);
	status = write_differences(o, &s, &e);
	if (o->verbose && status == CLI_OK)
		cli_note(NULL, "%llu %s of version %llu and version %llu", (unsigned long long)e.rows, o->rows ? "rows that differ," : "ranges that differ,",
		    (unsigned long long)s.info[0].version, (unsigned long long)s.info[1].version);
	for (int i = 0; o->explain && i < (o->two_files ? 2 : 1); i++)
		reader_explain(o->path[i], s.file[i]);
	if (status == CLI_OK && s.differ)
		status = CLI_NO;
	status = cli_worst(status, out_close(&out, true));
out:
	if (o->two_files)
		otr_close(s.file[1]);
	otr_close(s.file[0]);
	return cli_worst(status, worst);
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o;
	int status;

	cli_start("otr-diff");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = compare(&o);
	opts_list_free(&o.columns);
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
