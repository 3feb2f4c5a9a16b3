/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-log - lists the commits of a file.
 */
#include "cli.h"
#include "json.h"
#include "reader.h"

#include <string.h>

static const struct opts_about about = {
	.tool = OPTS_LOG,
	.synopsis = "otr-log [options] FILE\n",
	.purpose = "Lists the commits of FILE, the newest first: what, when, who and why.\n",
	.examples = "  otr-log -n 10 pump.otr\n"
		    "  otr-log -s -7d --json pump.otr\n",
};

/* A commit time is a reading of a clock, of any digits. */
#define CLOCK_DIGITS 9

struct opts {
	const char *path;
	struct reader_clock clock;
	struct reader_at at;
	struct reader_range range;
	struct reader_output output;
	bool limited, reverse, verbose;
	uint64_t limit;
};

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	*o = (struct opts){ .limited = opts_has(g, OPT_LIMIT), .reverse = opts_has(g, OPT_REVERSE),
		.verbose = opts_has(g, OPT_VERBOSE) && !opts_has(g, OPT_QUIET) };
	if (g->operands != 1)
		return cli_usage(g->operands == 0 ? "no FILE" : "more than one FILE");
	o->path = g->operand[0];
	if ((status = reader_clock(g, &o->clock)) != CLI_OK || (status = reader_at(g, &o->clock, &o->at)) != CLI_OK ||
	    (status = reader_range(g, &o->clock, &o->range)) != CLI_OK || (status = reader_output(g, EMIT_WITH_JSON, &o->output)) != CLI_OK)
		return status;
	return o->limited ? opts_count(g, OPT_LIMIT, false, &o->limit) : CLI_OK;
}

static const char *
kind_name(enum otr_kind kind)
{
	static const char *const name[] = { "create", "append", "merge", "delete", "rollback", "meta", "compact" };

	return (unsigned)kind < sizeof name / sizeof name[0] ? name[kind] : "?";
}

static void
write_header(const struct opts *o, struct emit *e)
{
	static const char *const name[] = { "author", "kind", "rows", "message" };

	if (o->output.format == EMIT_JSON || o->output.no_header)
		return;
	emit_name(e, "version", true);
	emit_name(e, timearg_field(&e->time), false);
	for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
		emit_name(e, name[i], false);
	emit_end_line(e);
}

static void
write_object(struct emit *e, const struct otr_commit *c)
{
	out_format(e->out, "{\"version\":%llu,\"%s\":", (unsigned long long)c->version, timearg_field(&e->time));
	emit_json_time(e, c->time_ns);
	out_text(e->out, ",\"author\":");
	json_text(e->out, c->author);
	out_format(e->out, ",\"kind\":\"%s\",\"rows\":%llu,\"added\":%llu,\"removed\":%llu,\"message\":", kind_name(c->kind), (unsigned long long)c->rows,
	    (unsigned long long)c->added, (unsigned long long)c->removed);
	json_text(e->out, c->message);
	out_text(e->out, "}\n");
}

static void
write_line(struct emit *e, const struct otr_commit *c)
{
	out_format(e->out, "%llu%c", (unsigned long long)c->version, e->delimiter);
	out_advance(e->out, emit_part(e, emit_time(e, out_room(e->out, emit_time_room(e) + 1), c->time_ns)));
	emit_text(e, c->author);
	out_format(e->out, "%c%s%c%llu%c", e->delimiter, kind_name(c->kind), e->delimiter, (unsigned long long)c->rows, e->delimiter);
	emit_lines_of_text(e, c->message);
	emit_end_line(e);
}

static int
write_commits(const struct opts *o, struct otr *file, struct emit *e, int64_t start, int64_t end)
{
	struct otr_error err = { 0 };
	struct otr_commit commit;
	struct otr_log *log = NULL;
	enum otr_status status = otr_log_open(file, start, end, o->reverse, &log, &err);

	while (status == OTR_OK && (!o->limited || e->rows < o->limit) && !e->out->failed) {
		status = otr_log_next(log, &commit, &err);
		if (status != OTR_OK)
			break;
		if (o->output.format == EMIT_JSON)
			write_object(e, &commit);
		else
			write_line(e, &commit);
		e->rows++;
	}
	otr_log_close(log);
	return status == OTR_OK || status == OTR_END ? CLI_OK : cli_failed(reader_name(o->path), &err);
}

static int
list(const struct opts *o)
{
	int status, worst = CLI_OK;
	struct otr_info info;
	struct otr *file = NULL;
	struct out out = { 0 };
	struct emit e;
	int64_t start, end;

	status = reader_open(o->path, &o->at, &file, &worst);
	if (status != CLI_OK)
		return status;
	otr_get_info(file, &info);
	if ((status = reader_range_in(&o->range, &o->clock, &info, reader_name(o->path), &start, &end)) != CLI_OK ||
	    (status = reader_output_open(&o->output, o->clock.zone, CLOCK_DIGITS, &out, &e)) != CLI_OK)
		goto out;
	write_header(o, &e);
	status = write_commits(o, file, &e, start, end);
	if (o->verbose && status == CLI_OK)
		cli_note(reader_name(o->path), "%llu commits up to version %llu; the oldest kept is %llu", (unsigned long long)e.rows,
		    (unsigned long long)info.version, (unsigned long long)info.oldest_version);
	status = cli_worst(status, out_close(&out, true));
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

	cli_start("otr-log");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = list(&o);
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
