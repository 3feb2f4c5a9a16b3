/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-rollback - makes a new version equal to an old one.
 */
#include "cli.h"
#include "reader.h"
#include "writer.h"

static const struct opts_about about = {
	.tool = OPTS_ROLLBACK,
	.synopsis = "otr-rollback [options] FILE VERSION\n",
	.purpose = "Makes a new version with the rows and metadata of an old one.\n"
		   "VERSION: a number, newest-N, or a time (the newest version committed by then).\n",
	.examples = "  otr-rollback pump.otr newest-1\n"
		    "  otr-rollback --dry-run pump.otr 2023-11-14T22:00Z\n",
};

struct opts {
	const char *path;
	struct reader_clock clock;
	struct reader_at at;
	struct writer_commit commit;
	bool dry_run, verbose, quiet, print_version;
};

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	*o = (struct opts){ .dry_run = opts_has(g, OPT_DRY_RUN), .quiet = opts_has(g, OPT_QUIET), .print_version = opts_has(g, OPT_PRINT_VERSION) };
	o->verbose = opts_has(g, OPT_VERBOSE) && !o->quiet;
	if (g->operands != 2)
		return cli_usage(g->operands == 0 ? "no FILE" : g->operands == 1 ? "no VERSION" : "more than one VERSION");
	o->path = g->operand[0];
	if ((status = writer_check_path(o->path)) != CLI_OK || (status = reader_clock(g, &o->clock)) != CLI_OK ||
	    (status = reader_version(g->operand[1], &o->clock, &o->at)) != CLI_OK)
		return status;
	if (opts_has(g, OPT_TIMEZONE) && o->at.kind != READER_TIME)
		return opts_refuse_pair(OPT_TIMEZONE, "on a VERSION that is no time");
	return writer_commit(g, &o->commit);
}

/* Which version is meant; its rows and those of the newest. */
static int
find(const struct opts *o, struct otr_info *old, struct otr_info *now)
{
	static const struct reader_at newest = { .kind = READER_NEWEST };
	struct otr *file = NULL;
	int worst = CLI_OK, status = reader_open(o->path, &o->at, &file, &worst);

	if (status != CLI_OK)
		return status;
	otr_get_info(file, old);
	otr_close(file);
	file = NULL;
	*now = *old;
	if (o->dry_run && (status = reader_open(o->path, &newest, &file, &worst)) == CLI_OK)
		otr_get_info(file, now);
	otr_close(file);
	return cli_worst(status, worst);
}

static int
roll_back(const struct opts *o, uint64_t version)
{
	struct otr_change_result result = { 0 };
	struct writer_pieces pieces;
	struct otr_writer *writer = NULL;
	struct otr_error err = { 0 };
	int status = writer_open(o->path, &o->commit, o->verbose, &pieces, &writer);

	if (status != CLI_OK)
		return status;
	if (otr_writer_rollback(writer, version, &result, &err) != OTR_OK)
		status = cli_failed(o->path, &err);
	else if (o->verbose)
		cli_note(o->path, "%llu rows became %llu, those of version %llu; version %llu",
		    (unsigned long long)(result.rows - result.added + result.removed), (unsigned long long)result.rows, (unsigned long long)version,
		    (unsigned long long)result.version);
	otr_writer_close(writer);
	return status == CLI_OK && o->print_version ? writer_print_version(result.version) : status;
}

static int
dry_run(const struct opts *o, const struct otr_info *old, const struct otr_info *now)
{
	if (!o->quiet)
		cli_note(o->path, "%llu rows would become %llu, those of version %llu", (unsigned long long)now->rows, (unsigned long long)old->rows,
		    (unsigned long long)old->version);
	return o->print_version ? writer_print_version(now->newest_version) : CLI_OK;
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct otr_info old = { 0 }, now = { 0 };
	struct opts o;
	int status;

	cli_start("otr-rollback");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	old.version = o.at.version;
	/* a version that is given by its number need not be looked for: so this also repairs a file whose newest version is damaged */
	if (status == CLI_OK && (o.dry_run || o.at.kind != READER_VERSION))
		status = writer_tell_remedy(o.path, find(&o, &old, &now));
	if (status == CLI_OK)
		status = o.dry_run ? dry_run(&o, &old, &now) : roll_back(&o, old.version);
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
