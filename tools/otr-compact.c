/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-compact - writes a series anew: in an order that needs few reads, without its history, deflated, or with old rows downsampled.
 */
#include "cli.h"
#include "out.h"
#include "progress.h"
#include "reader.h"
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opts_about about = {
	.tool = OPTS_COMPACT,
	.synopsis = "otr-compact [options] IN [OUT]\n",
	.purpose = "Copies IN to OUT, or replaces IN, in an order that needs few reads.\n",
	.examples = "  otr-compact pump.otr\n"
		    "  otr-compact --drop-history --deflate pump.otr archive.otr\n",
};

struct opts {
	const char *in, *out;
	struct writer_commit commit;
	struct reader_clock clock;
	struct timearg older;
	struct otr_compact_options compact;
	enum progress_when when;
	struct progress progress;
	bool dry_run, print_version, verbose, quiet;
};

/* ---- options ---- */

static int
take_page_size(const struct opts_given *g, struct opts *o)
{
	if (opts_has(g, OPT_PAGE_SIZE) && !o->compact.drop_history)
		return opts_refuse_pair(OPT_PAGE_SIZE, "without --drop-history");
	return opts_page_size(g, &o->compact.page_bytes);
}

static int
take_aggregate(const struct opts_given *g, struct opts *o)
{
	static const struct { const char *name; enum otr_fold fold; } folds[] = { { "mean", OTR_FOLD_MEAN }, { "min", OTR_FOLD_MIN },
		{ "max", OTR_FOLD_MAX }, { "first", OTR_FOLD_FIRST }, { "last", OTR_FOLD_LAST } };
	const char *text = opts_value(g, OPT_AGGREGATE);

	if (text == NULL)
		return CLI_OK;
	if (g->count[OPT_AGGREGATE] > 1 || strchr(text, ',') != NULL)
		return opts_refuse(text, OPT_AGGREGATE, "one for all columns", "mean, min, max, first or last");
	for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++)
		if (strcmp(text, folds[i].name) == 0) {
			o->compact.fold = folds[i].fold;
			return CLI_OK;
		}
	return opts_refuse(text, OPT_AGGREGATE, strcmp(text, "median") == 0 ? "not one that can be kept yet" : "not an aggregate of --downsample",
	    "mean, min, max, first or last");
}

/* A length of time counts back from now: 90d is -90d.  It begins with a digit and ends with a unit, and has no sign. */
static bool
is_length(const char *text)
{
	size_t len = strlen(text);

	return len > 1 && text[0] >= '0' && text[0] <= '9' && text[len - 1] >= 'a' && text[len - 1] <= 'z' && strchr(text, '-') == NULL;
}

static int
take_older(const struct opts_given *g, struct opts *o)
{
	const char *text = opts_value(g, OPT_OLDER_THAN);
	struct timearg_why why;
	char back[64];

	if (!is_length(text) || strlen(text) >= sizeof back - 1)
		return reader_time(g, OPT_OLDER_THAN, &o->clock, TIMEARG_ANYWHERE, &o->older);
	(void)snprintf(back, sizeof back, "-%s", text);
	if (timearg_parse(back, o->clock.zone, o->clock.dst, o->clock.now, TIMEARG_ANYWHERE, &o->older, &why))
		return CLI_OK;
	return opts_refuse(text, OPT_OLDER_THAN, why.what, why.remedy);
}

static int
take_downsample(const struct opts_given *g, struct opts *o)
{
	const char *text = opts_value(g, OPT_DOWNSAMPLE);
	struct timearg_why why;
	int status;

	if (text == NULL) {
		if (opts_has(g, OPT_OLDER_THAN))
			return opts_refuse_pair(OPT_OLDER_THAN, "without --downsample");
		if (opts_has(g, OPT_AGGREGATE))
			return opts_refuse_pair(OPT_AGGREGATE, "without --downsample");
		if (opts_has(g, OPT_TIMEZONE) || opts_has(g, OPT_DST))
			return opts_refuse_pair(opts_has(g, OPT_TIMEZONE) ? OPT_TIMEZONE : OPT_DST, "without --older-than");
		return CLI_OK;
	}
	if (!opts_has(g, OPT_OLDER_THAN))
		return opts_refuse_pair(OPT_DOWNSAMPLE, "without --older-than");
	if (!timearg_window(text, &o->compact.window_ns, &why))
		return opts_refuse(text, OPT_DOWNSAMPLE, why.what, why.remedy);
	status = take_aggregate(g, o);
	return status == CLI_OK ? take_older(g, o) : status;
}

static int
take_operands(const struct opts_given *g, struct opts *o)
{
	if (g->operands == 0)
		return cli_usage("no IN");
	if (g->operands > 2)
		return cli_usage("more than two files");
	o->in = g->operand[0];
	o->out = g->operands > 1 ? g->operand[1] : NULL;
	if (strcmp(o->in, "-") == 0 || (o->out != NULL && strcmp(o->out, "-") == 0))
		return cli_usage("a series cannot be compacted through a pipe (./- is a file of that name)");
	if (o->compact.replace && o->out == NULL)
		return opts_refuse_pair(OPT_FORCE, "without OUT: IN is replaced in any case");
	if (opts_has(g, OPT_WAIT) && o->out != NULL && !o->compact.replace)
		return opts_refuse_pair(OPT_WAIT, "with OUT and without --force: no lock is taken");
	return CLI_OK;
}

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	o->compact.replace = opts_has(g, OPT_FORCE);
	o->compact.drop_history = opts_has(g, OPT_DROP_HISTORY);
	o->compact.deflate = opts_has(g, OPT_DEFLATE);
	o->dry_run = opts_has(g, OPT_DRY_RUN);
	o->print_version = opts_has(g, OPT_PRINT_VERSION);
	o->quiet = opts_has(g, OPT_QUIET);
	o->verbose = opts_has(g, OPT_VERBOSE) && !o->quiet;
	if (o->compact.deflate && !o->compact.drop_history)
		return opts_refuse_pair(OPT_DEFLATE, "without --drop-history");
	if (o->dry_run && opts_has(g, OPT_PROGRESS))
		return opts_refuse_pair(OPT_PROGRESS, "with --dry-run");
	if (o->dry_run && o->print_version)
		return opts_refuse_pair(OPT_PRINT_VERSION, "with --dry-run: no version is made");
	if ((status = take_operands(g, o)) != CLI_OK || (status = take_page_size(g, o)) != CLI_OK || (status = reader_clock(g, &o->clock)) != CLI_OK ||
	    (status = take_downsample(g, o)) != CLI_OK || (status = writer_commit(g, &o->commit)) != CLI_OK || (status = progress_option(g, &o->when)) != CLI_OK)
		return status;
	o->compact.author = o->commit.author;
	o->compact.message = o->commit.message;
	o->compact.wait_ns = o->commit.wait_ns;
	return CLI_OK;
}

/* ---- work ---- */

static bool
go_on(void *arg, uint64_t done, uint64_t total)
{
	struct opts *o = arg;

	progress_pages(&o->progress, done, total);
	return cli_caught() == 0;
}

static void
waiting(void *arg)
{
	const struct opts *o = arg;

	if (!o->quiet)
		cli_warning(o->in, 0, "waits for another writer's lock");
}

static uint64_t
rows_before(struct otr *file, int64_t end_ns, enum otr_status *status, struct otr_error *err)
{
	struct otr_window_spec spec = { .kind = OTR_WINDOW_WHOLE, .start_ns = INT64_MIN, .end_ns = end_ns, .columns = 0 };
	struct otr_query *query = NULL;
	struct otr_window window = { .rows = 0 };

	*status = otr_query_open(file, &spec, &query, err);
	if (*status == OTR_OK)
		*status = otr_query_next(query, &window, err);
	if (*status == OTR_END)
		*status = OTR_OK;
	otr_query_close(query);
	return window.rows;
}

/* What would be done; the size that comes of it is not known before. */
static int
tell_plan(const struct opts *o, struct otr *file)
{
	struct otr_info info;
	struct otr_error err = { 0 };
	enum otr_status status = OTR_OK;
	uint64_t rows = 0;
	int64_t limit = o->compact.older_than_ns, past;

	otr_get_info(file, &info);
	if (o->compact.window_ns != 0) {
		past = limit % (int64_t)o->compact.window_ns;
		past += past < 0 ? (int64_t)o->compact.window_ns : 0;
		limit = limit < OTR_TIME_MIN + past ? OTR_TIME_MIN : limit - past;
		rows = rows_before(file, limit, &status, &err);
		if (status != OTR_OK)
			return cli_failed(o->in, &err);
	}
	cli_note(o->in, "version %llu, %llu rows, %llu bytes (%llu of %llu pages in use) would become version %llu%s%s", (unsigned long long)info.newest_version,
	    (unsigned long long)info.rows, (unsigned long long)info.file_bytes, (unsigned long long)info.live_pages,
	    (unsigned long long)(info.live_pages + info.free_pages), (unsigned long long)info.newest_version + 1,
	    o->compact.drop_history ? ", the only one" : " of the same history", o->compact.deflate ? ", deflated" : "");
	if (o->compact.window_ns != 0)
		cli_note(o->in, "%llu rows would be downsampled", (unsigned long long)rows);
	return CLI_OK;
}

/* A look at the file as it is: what has to be said about it, and the time of --older-than in it.  *file is the caller's. */
static int
look(struct opts *o, struct otr **file)
{
	static const struct reader_at newest = { .kind = READER_NEWEST };
	struct otr_info info;
	bool known = true;
	int worst = CLI_OK, status = reader_open(o->in, &newest, file, &worst);

	if (status != CLI_OK || worst != CLI_OK)
		return cli_worst(status, worst);
	otr_get_info(*file, &info);
	if (o->compact.window_ns != 0)
		status = reader_time_in(&o->older, OPT_OLDER_THAN, &o->clock, &info, o->in, &o->compact.older_than_ns, &known);
	if (!known)
		o->compact.older_than_ns = OTR_TIME_MIN;         /* of an empty series: there is nothing older */
	return status;
}

static int
failed(const struct opts *o, const struct otr_error *err)
{
	if (err->status == OTR_END) {
		cli_error(o->in, 0, "ended by signal %d; nothing was changed", cli_caught());
		cli_die_of(cli_caught());
	}
	if (err->status == OTR_E_EXISTS && !o->compact.replace) {
		cli_error(o->out, 0, "exists (--force replaces a regular file)");
		return CLI_SYSTEM;
	}
	/* with OUT no lock is taken but that of what it replaces */
	return cli_failed(err->status == OTR_E_EXISTS || ((err->status == OTR_E_ARG || err->status == OTR_E_BUSY) && o->out != NULL) ? o->out : o->in, err);
}

static int
compact(struct opts *o, struct out *out)
{
	struct otr_compact_result result;
	struct otr_error err = { 0 };
	struct otr *file = NULL;
	enum otr_status outcome;
	int status;

	progress_begin(&o->progress, o->in, o->when);
	status = look(o, &file);
	if (status == CLI_OK && o->dry_run)
		status = tell_plan(o, file);
	otr_close(file);
	if (status != CLI_OK || o->dry_run)
		return status;
	o->compact.go_on = go_on;
	o->compact.waiting = waiting;
	o->compact.arg = o;
	/* The first signal ends the copy, which leaves no file; the second the program. */
	cli_await_signal();
	outcome = otr_compact(o->in, o->out, &o->compact, &result, &err);
	progress_end(&o->progress);
	if (outcome != OTR_OK)
		return failed(o, &err);
	if (o->print_version)
		out_format(out, "%llu\n", (unsigned long long)result.version);
	if (o->verbose)
		cli_note(o->out != NULL ? o->out : o->in, "version %llu, %llu rows, %llu bytes, before %llu", (unsigned long long)result.version,
		    (unsigned long long)result.rows, (unsigned long long)result.bytes_after, (unsigned long long)result.bytes_before);
	if (o->verbose && o->compact.window_ns != 0)
		cli_note(o->out != NULL ? o->out : o->in, "%llu rows became %llu", (unsigned long long)result.folded, (unsigned long long)result.made);
	return CLI_OK;
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o = { 0 };
	struct out out;
	int status;

	cli_start("otr-compact");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = out_open(&out, NULL, false);
	else
		goto end;
	if (status == CLI_OK)
		status = compact(&o, &out);
	status = cli_worst(status, out_close(&out, true));
end:
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
