/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-dump - writes the rows of a file in time order.
 */
#include "cli.h"
#include "reader.h"

#include <string.h>

static const struct opts_about about = {
	.tool = OPTS_DUMP,
	.synopsis = "otr-dump [options] FILE\n",
	.purpose = "Writes the rows of FILE in time order, as CSV with a header.\n",
	.examples = "  otr-dump -s -1d -c temp,hum pump.otr\n"
		    "  otr-dump -F binary a.otr | ssh host otr-append -F binary b.otr\n",
};

struct opts {
	const char *path;
	struct reader_clock clock;
	struct reader_at at;
	struct reader_range range;
	struct reader_output output;
	struct opts_list columns;
	bool limited, reverse, fail_empty, verbose;
	uint64_t limit;
};

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	*o = (struct opts){ .limited = opts_has(g, OPT_LIMIT), .reverse = opts_has(g, OPT_REVERSE), .fail_empty = opts_has(g, OPT_FAIL_EMPTY),
		.verbose = opts_has(g, OPT_VERBOSE) && !opts_has(g, OPT_QUIET) };
	if (g->operands != 1)
		return cli_usage(g->operands == 0 ? "no FILE" : "more than one FILE");
	o->path = g->operand[0];
	if ((status = reader_clock(g, &o->clock)) != CLI_OK || (status = reader_at(g, &o->clock, &o->at)) != CLI_OK ||
	    (status = reader_range(g, &o->clock, &o->range)) != CLI_OK || (status = reader_output(g, EMIT_WITH_BINARY, &o->output)) != CLI_OK ||
	    (status = opts_list(g, OPT_COLUMNS, &o->columns)) != CLI_OK)
		return status;
	return o->limited ? opts_count(g, OPT_LIMIT, false, &o->limit) : CLI_OK;
}

static void
write_header(const struct opts *o, struct emit *e, const struct binary_column *column, size_t columns)
{
	if (o->output.format == EMIT_BINARY) {
		binary_write_header(e->out, column, columns);
	} else if (!o->output.no_header) {
		emit_name(e, timearg_field(&e->time), true);
		for (size_t i = 0; i < columns; i++)
			emit_name(e, column[i].name, false);
		emit_end_line(e);
	}
}

static int
write_rows(const struct opts *o, struct otr *file, struct emit *e, const struct binary_column *column, size_t columns, int64_t start, int64_t end)
{
	uint64_t left = o->limited ? o->limit : UINT64_MAX;
	struct otr_error err = { 0 };
	struct otr_cursor *cursor = NULL;
	struct otr_rows rows;
	int64_t last_ns = 0;
	enum otr_status status = otr_cursor_open(file, start, end, reader_column_bits(column, columns), o->reverse, &cursor, &err);

	while (status == OTR_OK && left > 0 && !e->out->failed) {
		status = otr_cursor_next(cursor, &rows, &err);
		if (status == OTR_OK) {
			size_t n = rows.n < left ? rows.n : (size_t)left;

			emit_rows(e, column, columns, &rows, 0, n);
			left -= n;
			if (n > 0)
				last_ns = rows.time_ns[n - 1];
		}
	}
	otr_cursor_close(cursor);
	if (status == OTR_OK || status == OTR_END)
		return CLI_OK;
	(void)cli_failed(reader_name(o->path), &err);          /* its status is taken below, after the line that follows */
	reader_tell_reach(o->path, o->clock.zone, e->rows > 0, last_ns);
	return cli_status(status);
}

static int
dump(const struct opts *o)
{
	int status = CLI_OK, worst = CLI_OK;
	struct binary_column column[OTR_MAX_COLUMNS];
	struct otr_info info;
	struct otr *file = NULL;
	struct out out = { 0 };
	struct emit e;
	int64_t start, end;
	size_t columns;

	status = reader_open(o->path, &o->at, &file, &worst);
	if (status != CLI_OK)
		return status;
	otr_get_info(file, &info);
	if ((status = reader_columns(otr_schema(file), reader_name(o->path), &o->columns, column, &columns)) != CLI_OK ||
	    (status = reader_range_in(&o->range, &o->clock, &info, reader_name(o->path), &start, &end)) != CLI_OK ||
	    (status = reader_output_open(&o->output, o->clock.zone, info.time_digits, &out, &e)) != CLI_OK)
		goto out;
	write_header(o, &e, column, columns);
	status = write_rows(o, file, &e, column, columns, start, end);
	if (status == CLI_OK && o->output.format == EMIT_BINARY)
		binary_write_end(&out, e.rows);
	if (o->verbose && status == CLI_OK)
		cli_note(reader_name(o->path), "%llu rows of version %llu", (unsigned long long)e.rows, (unsigned long long)info.version);
	if (status == CLI_OK && o->fail_empty && e.rows == 0)
		status = CLI_NO;
	status = cli_worst(status, out_close(&out, status <= CLI_NO || o->output.path == NULL));
out:
	otr_close(file);
	return cli_worst(status, worst);
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o;
	int status;

	cli_start("otr-dump");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = dump(&o);
	opts_list_free(&o.columns);
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
