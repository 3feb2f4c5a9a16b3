/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-delete - removes rows from the newest version; the versions before keep them.
 */
#include "cli.h"
#include "filter.h"
#include "reader.h"
#include "writer.h"

#include <stdio.h>

static const struct opts_about about = {
	.tool = OPTS_DELETE,
	.synopsis = "otr-delete [options] FILE {-s TIME | -e TIME | --where EXPR | --all}...\n",
	.purpose = "Removes the rows in the range that match; the versions before keep them.\n",
	.examples = "  otr-delete -s 2023-11-14 -e 2023-11-15 --where 'temp > 80' pump.otr\n"
		    "  otr-delete --dry-run -e -90d pump.otr\n",
};

struct opts {
	const char *path;
	struct reader_clock clock;
	struct reader_range range;
	struct filter *filter;
	struct writer_commit commit;
	bool fail_empty, dry_run, verbose, quiet, print_version;
};

static int
take_options(const struct opts_given *g, struct opts *o)
{
	bool limited = opts_has(g, OPT_START) || opts_has(g, OPT_END);
	int status;

	*o = (struct opts){ .fail_empty = opts_has(g, OPT_FAIL_EMPTY), .dry_run = opts_has(g, OPT_DRY_RUN), .quiet = opts_has(g, OPT_QUIET),
		.print_version = opts_has(g, OPT_PRINT_VERSION) };
	o->verbose = opts_has(g, OPT_VERBOSE) && !o->quiet;
	if (g->operands != 1)
		return cli_usage(g->operands == 0 ? "no FILE" : "more than one FILE");
	o->path = g->operand[0];
	if ((status = writer_check_path(o->path)) != CLI_OK)
		return status;
	if (opts_has(g, OPT_ALL) && (limited || opts_has(g, OPT_WHERE)))
		return cli_usage("--all: every row, beside a limit (--start, --end, --where)");
	if (!opts_has(g, OPT_ALL) && !limited && !opts_has(g, OPT_WHERE))
		return cli_usage("no limit: --start, --end or --where (--all removes every row)");
	if (opts_has(g, OPT_TIMEZONE) && !limited)
		return opts_refuse_pair(OPT_TIMEZONE, "without --start or --end");
	if ((status = reader_clock(g, &o->clock)) != CLI_OK || (status = reader_range(g, &o->clock, &o->range)) != CLI_OK ||
	    (status = filter_option(g, &o->filter)) != CLI_OK)
		return status;
	return writer_commit(g, &o->commit);
}

/* ---- reading: the range, and whether there is anything to do ---- */

/* How many rows of [start, end) the filter lets through, counted no further than `enough`; without a filter the statistics know. */
static enum otr_status
count(struct otr *file, const struct filter *filter, int64_t start, int64_t end, uint64_t enough, uint64_t *matches, struct otr_error *err)
{
	struct otr_window_spec spec = { .kind = OTR_WINDOW_WHOLE, .start_ns = start, .end_ns = end };
	struct otr_window window = { 0 };
	struct otr_query *query = NULL;
	struct otr_cursor *cursor = NULL;
	struct otr_rows rows;
	enum otr_status status;

	*matches = 0;
	if (filter == NULL) {
		status = otr_query_open(file, &spec, &query, err);
		if (status == OTR_OK)
			status = otr_query_next(query, &window, err);
		*matches = window.rows;
		otr_query_close(query);
		return status;
	}
	status = otr_cursor_open(file, start, end, filter_columns(filter), false, &cursor, err);
	while (status == OTR_OK && *matches < enough && (status = otr_cursor_next(cursor, &rows, err)) == OTR_OK)
		for (size_t i = 0; i < rows.n; i++)
			*matches += filter_match(filter, &rows, i);
	otr_cursor_close(cursor);
	return status == OTR_END ? OTR_OK : status;
}

struct found {
	int64_t start, end;            /* the range in the file */
	uint64_t matches;              /* in the version read; without --dry-run no more than whether there are any */
	struct otr_info info;
};

/*
 * What the range means in the file now: first and last are those of the version when the run began.  An empty series has neither, so that a
 * range which counts from them is empty.  Where nothing matches there is nothing to lock or write: the run is over as if it had come just
 * before the next commit.
 */
static int
look(const struct opts *o, struct found *f)
{
	static const struct reader_at newest = { .kind = READER_NEWEST };
	struct otr *file = NULL;
	struct otr_error err = { 0 };
	bool of_rows = o->range.start.base == TIMEARG_FIRST || o->range.start.base == TIMEARG_LAST || o->range.end.base == TIMEARG_FIRST ||
	    o->range.end.base == TIMEARG_LAST;
	int worst = CLI_OK, status = reader_open(o->path, &newest, &file, &worst);

	if (status != CLI_OK)
		return status;
	otr_get_info(file, &f->info);
	if ((status = filter_open(o->filter, otr_schema(file), o->path)) != CLI_OK ||
	    (status = reader_range_in(&o->range, &o->clock, &f->info, o->path, &f->start, &f->end)) != CLI_OK)
		goto out;
	if (of_rows && f->info.rows == 0)
		f->start = f->end = 0;
	if (count(file, o->filter, f->start, f->end, o->dry_run ? UINT64_MAX : 1, &f->matches, &err) != OTR_OK)
		status = cli_failed(o->path, &err);
out:
	otr_close(file);
	return cli_worst(status, worst);             /* a stand-in for a damaged version is nothing to delete from */
}

/* ---- the work ---- */

static bool
match(void *arg, const struct otr_rows *rows, size_t i)
{
	return filter_match(arg, rows, i);
}

static int
delete_rows(const struct opts *o, const struct found *f, struct otr_change_result *result)
{
	struct otr_delete_spec spec = { .start_ns = f->start, .end_ns = f->end };
	struct otr_writer *writer = NULL;
	struct writer_pieces pieces;
	struct otr_error err = { 0 };
	int status = writer_open(o->path, &o->commit, o->verbose, &pieces, &writer);

	if (status == CLI_OK)
		status = filter_open(o->filter, otr_writer_schema(writer), o->path);        /* the file may be another by now */
	if (o->filter != NULL) {
		spec.match = match;
		spec.arg = o->filter;
	}
	if (status == CLI_OK && otr_writer_delete(writer, &spec, result, &err) != OTR_OK)
		status = cli_failed(o->path, &err);
	otr_writer_close(writer);
	if (status != CLI_OK && pieces.count > 0) {
		cli_error(o->path, 0, "%llu rows were deleted, up to version %llu", (unsigned long long)pieces.removed, (unsigned long long)pieces.version);
		return o->print_version ? cli_worst(status, writer_print_versions(pieces.first_version, pieces.version)) : status;
	}
	return status == CLI_OK ? status : writer_tell_remedy(o->path, status);
}

static int
run(const struct opts *o)
{
	struct otr_change_result result = { 0 };
	struct found f = { 0 };
	char versions[60] = "version ";
	int status = look(o, &f);

	if (status != CLI_OK)
		return o->dry_run ? status : writer_tell_remedy(o->path, status);
	result = (struct otr_change_result){ .version = f.info.version, .first_version = f.info.version, .rows = f.info.rows };
	if (!o->dry_run && f.matches > 0 && (status = delete_rows(o, &f, &result)) != CLI_OK)
		return status;
	if (result.first_version < result.version)           /* in pieces (SPEC 9.4) */
		(void)snprintf(versions, sizeof versions, "versions %llu to ", (unsigned long long)result.first_version);
	if (o->dry_run && !o->quiet)
		cli_note(o->path, "%llu of %llu rows would be deleted", (unsigned long long)f.matches, (unsigned long long)f.info.rows);
	else if (o->verbose)
		cli_note(o->path, "%llu of %llu rows deleted; %s%llu", (unsigned long long)result.removed,
		    (unsigned long long)(result.rows + result.removed), versions, (unsigned long long)result.version);
	if (o->print_version)
		status = writer_print_versions(result.first_version, result.version);
	return status == CLI_OK && o->fail_empty && (o->dry_run ? f.matches : result.removed) == 0 ? CLI_NO : status;
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o;
	int status;

	cli_start("otr-delete");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = run(&o);
	filter_free(o.filter);
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
