/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-verify - checks whole files and tells what is wrong with them; --salvage: writes what can be read of one to another.
 */
#include "cli.h"
#include "json.h"
#include "opts.h"
#include "out.h"
#include "progress.h"
#include "reader.h"
#include "timearg.h"
#include "writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opts_about about = {
	.tool = OPTS_VERIFY,
	.synopsis = "otr-verify [options] FILE...\n",
	.purpose = "Checks every page, slot and header of each FILE; prints a line a finding.\n",
	.examples = "  otr-verify *.otr\n"
		    "  otr-verify --salvage rescued.otr pump.otr\n",
};

struct opts {
	bool json, quiet, verbose;
	enum progress_when when;
	const char *salvage;                 /* the new file; NULL: none */
	struct otr_salvage_options how;
};

struct report {
	const struct opts *o;
	struct out *out;
	const char *file;
	struct progress progress;
};

/* "page 17", "slot 0", "header", "file". */
static void
place_text(const struct otr_finding *f, char *out, size_t room)
{
	static const char *const names[] = { "file", "header", "slot", "page" };

	if (f->place == OTR_PLACE_FILE || f->place == OTR_PLACE_HEADER)
		(void)snprintf(out, room, "%s", names[f->place]);
	else
		(void)snprintf(out, room, "%s %llu", names[f->place], (unsigned long long)f->number);
}

static void
print_json(const struct report *r, const struct otr_finding *f)
{
	static const char *const names[] = { "file", "header", "slot", "page" };

	out_text(r->out, "{\"file\":");
	json_text(r->out, r->file);
	out_format(r->out, ",\"where\":\"%s\",\"number\":", names[f->place]);
	if (f->place == OTR_PLACE_FILE)
		out_text(r->out, "null");
	else
		out_format(r->out, "%llu", (unsigned long long)f->number);
	out_text(r->out, ",\"what\":");
	json_text(r->out, f->text);
	out_text(r->out, ",\"spec\":");
	if (f->spec == NULL || f->spec[0] == '\0')
		out_text(r->out, "null");
	else
		json_text(r->out, f->spec);
	out_text(r->out, "}\n");
}

static void
print_line(const struct report *r, const struct otr_finding *f)
{
	bool cited = f->spec != NULL && f->spec[0] != '\0';
	char raw[1200], shown[2400], place[40];

	place_text(f, place, sizeof place);
	(void)snprintf(raw, sizeof raw, "%.600s: %s: %.400s%s%s%s", r->file, place, f->text, cited ? " (SPEC " : "", cited ? f->spec : "",
	    cited ? ")" : "");
	out_bytes(r->out, shown, cli_escape(raw, strlen(raw), shown, sizeof shown));
	out_text(r->out, "\n");
}

static bool
go_on(void *arg, uint64_t done, uint64_t total)
{
	struct report *r = arg;

	progress_pages(&r->progress, done, total);
	return cli_caught() == 0;
}

/* Called for each finding, when the work is done. */
static void
on_finding(void *arg, const struct otr_finding *f)
{
	struct report *r = arg;
	bool cited = f->spec != NULL && f->spec[0] != '\0';
	char place[40];

	progress_end(&r->progress);              /* stdout may be the same terminal */
	if (f->note) {
		if (r->o->verbose) {
			place_text(f, place, sizeof place);
			cli_note(r->file, "note: %s: %s%s%s%s", place, f->text, cited ? " (SPEC " : "", cited ? f->spec : "", cited ? ")" : "");
		}
		return;
	}
	if (r->o->quiet)
		return;
	if (r->o->json)
		print_json(r, f);
	else
		print_line(r, f);
}

/* Stdin is read under a name, since the library opens files by theirs. */
static int
take_stdin(const char **path)
{
	if (strcmp(*path, "-") != 0)
		return CLI_OK;
	if (lseek(STDIN_FILENO, 0, SEEK_CUR) < 0) {
		cli_error(reader_name(*path), 0, "needs a seekable file; save the stream first");
		return CLI_USAGE;
	}
	*path = "/dev/fd/0";
	return CLI_OK;
}

static int
verify(const struct opts *o, struct out *out, const char *path)
{
	struct report report = { .o = o, .out = out, .file = reader_name(path) };
	struct otr_error err = { 0 };
	uint64_t faults = 0;
	enum otr_status outcome;
	int status = take_stdin(&path);

	if (status != CLI_OK)
		return status;
	progress_begin(&report.progress, report.file, o->when);
	outcome = otr_verify(path, &(struct otr_verify_options){ .found = on_finding, .go_on = go_on, .arg = &report }, &faults, &err);
	progress_end(&report.progress);
	if (outcome != OTR_OK)
		return cli_failed(report.file, &err);
	if (faults == 0 && o->verbose)
		cli_note(report.file, "sound");
	return faults == 0 ? CLI_OK : CLI_NO;
}

/* ---- salvage ---- */

static void
time_text(int64_t ns, char out[TIMEARG_TEXT + 1])
{
	struct timearg_writer w;
	struct timearg_why why;

	out[0] = '\0';
	if (timearg_writer_init(&w, NULL, NULL, timearg_time_digits(ns), &why))        /* RFC 3339 is never refused */
		*timearg_write(&w, out, ns) = '\0';
}

/* "rows lost from 2023-11-14T22:13:20Z to 2023-11-14T22:20:00Z: 7; 3 of that range found in other pages".  The last time is that of a row. */
static void
range_text(const struct otr_loss *l, char *out, size_t room)
{
	char start[TIMEARG_TEXT + 1], end[TIMEARG_TEXT + 1], count[40] = "", found[120] = "", place[2 * TIMEARG_TEXT + 40] = "";
	size_t used = 0;

	if (l->start_ns != INT64_MIN) {
		time_text(l->start_ns, start);
		used = (size_t)snprintf(place, sizeof place, " from %s", start);
	}
	if (l->end_ns != INT64_MAX) {
		time_text(l->end_ns - 1, end);
		(void)snprintf(place + used, sizeof place - used, " to %s", end);
	}
	if (l->rows_known)
		(void)snprintf(count, sizeof count, ": %llu", (unsigned long long)l->rows);
	else
		(void)snprintf(count, sizeof count, ": an unknown number");
	if (l->found > 0)
		(void)snprintf(found, sizeof found, "; %llu rows%s found in pages that nothing sound leads to", (unsigned long long)l->found,
		    place[0] != '\0' ? " of that range" : "");
	(void)snprintf(out, room, "rows lost%s%s%s", place, count, found);
}

static void
on_loss(void *arg, const struct otr_loss *l)
{
	struct otr_finding f = l->what;
	char text[400];

	if (l->rows_lost) {
		range_text(l, text, sizeof text);
		f.text = text;
	}
	on_finding(arg, &f);
}

static int
salvage_failed(const struct opts *o, const char *file, const struct otr_error *err)
{
	if (err->status == OTR_END) {
		cli_error(file, 0, "ended by signal %d; no file was made", cli_caught());
		cli_die_of(cli_caught());
	}
	if (err->status == OTR_E_EXISTS && !o->how.replace) {
		cli_error(o->salvage, 0, "exists (--force replaces a regular file)");
		return CLI_SYSTEM;
	}
	return cli_failed(err->status == OTR_E_EXISTS || err->status == OTR_E_ARG || err->status == OTR_E_BUSY ? o->salvage : file, err);
}

static int
salvage(struct opts *o, struct out *out, const char *path)
{
	struct report report = { .o = o, .out = out, .file = reader_name(path) };
	struct otr_salvage_result result = { 0 };
	struct otr_error err = { 0 };
	enum otr_status outcome;
	char version[64] = "", more[160] = "";
	int status = take_stdin(&path);

	if (status != CLI_OK)
		return status;
	o->how.lost = on_loss;
	o->how.go_on = go_on;
	o->how.arg = &report;
	progress_begin(&report.progress, report.file, o->when);
	/* The first signal ends the work, which leaves no file; the second the program. */
	cli_await_signal();
	outcome = otr_salvage(path, o->salvage, &o->how, &result, &err);
	progress_end(&report.progress);
	if (outcome != OTR_OK)
		return salvage_failed(o, report.file, &err);
	if (result.has_version)
		(void)snprintf(version, sizeof version, " of version %llu", (unsigned long long)result.version);
	if (result.found > 0)
		(void)snprintf(more, sizeof more, "; %llu more from pages that nothing sound leads to (some may have been replaced or deleted)",
		    (unsigned long long)result.found);
	if (o->verbose || (result.losses > 0 && !o->quiet))
		cli_note(o->salvage, "%llu rows%s%s", (unsigned long long)(result.rows - result.found), version, more);
	return result.losses == 0 ? CLI_OK : CLI_NO;
}

/* ---- options ---- */

static int
take_options(const struct opts_given *g, struct opts *o, struct writer_commit *commit)
{
	int status = writer_commit(g, commit);

	*o = (struct opts){ .json = opts_has(g, OPT_JSON), .quiet = opts_has(g, OPT_QUIET), .salvage = opts_value(g, OPT_SALVAGE) };
	o->verbose = opts_has(g, OPT_VERBOSE) && !o->quiet;
	o->how = (struct otr_salvage_options){ .author = commit->author, .message = "salvaged", .replace = opts_has(g, OPT_FORCE), .wait_ns = commit->wait_ns };
	if (status == CLI_OK)
		status = progress_option(g, &o->when);
	if (status != CLI_OK)
		return status;
	if (g->operands == 0)
		return cli_usage("no FILE");
	if (o->json && o->quiet)
		return opts_refuse_pair(OPT_JSON, "with --quiet");
	if (o->salvage == NULL)
		return o->how.replace ? opts_refuse_pair(OPT_FORCE, "without --salvage") : CLI_OK;
	if (g->operands > 1)
		return cli_usage("--salvage: takes one FILE");
	if (o->salvage[0] == '\0')
		return opts_refuse(o->salvage, OPT_SALVAGE, "no file name", "");
	if (strcmp(o->salvage, "-") == 0)
		return cli_usage("--salvage: a series cannot be written to a pipe (./- is a file of that name)");
	return CLI_OK;
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct writer_commit commit;
	struct opts o;
	struct out out;
	int status;

	cli_start("otr-verify");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o, &commit);
	if (status == CLI_OK)
		status = out_open(&out, NULL, false);
	if (status == CLI_OK) {
		for (size_t i = 0; i < given.operands && !out.failed; i++)
			status = cli_worst(status, o.salvage != NULL ? salvage(&o, &out, given.operand[i]) : verify(&o, &out, given.operand[i]));
		status = cli_worst(status, out_close(&out, true));
	}
	opts_release(&given);
	return status;
}
