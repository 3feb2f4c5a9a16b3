/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-verify - checks whole files and tells what is wrong with them.
 */
#include "cli.h"
#include "json.h"
#include "opts.h"
#include "out.h"
#include "reader.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opts_about about = {
	.tool = OPTS_VERIFY,
	.synopsis = "otr-verify [options] FILE...\n",
	.purpose = "Checks every page, slot and header of each FILE; prints a line a finding.\n",
	.examples = "  otr-verify *.otr\n"
		    "  otr-verify -v --json pump.otr\n",
};

struct opts {
	bool json, quiet, verbose;
};

struct report {
	const struct opts *o;
	struct out *out;
	const char *file;
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

/* Called by otr_verify for each finding. */
static void
on_finding(void *arg, const struct otr_finding *f)
{
	const struct report *r = arg;
	bool cited = f->spec != NULL && f->spec[0] != '\0';
	char place[40];

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

static int
verify(const struct opts *o, struct out *out, const char *path)
{
	struct report report = { .o = o, .out = out, .file = reader_name(path) };
	struct otr_error err = { 0 };
	uint64_t faults = 0;

	if (strcmp(path, "-") == 0) {
		if (lseek(STDIN_FILENO, 0, SEEK_CUR) < 0) {
			cli_error(report.file, 0, "needs a seekable file; save the stream first");
			return CLI_USAGE;
		}
		path = "/dev/fd/0";
	}
	if (otr_verify(path, on_finding, &report, &faults, &err) != OTR_OK)
		return cli_failed(report.file, &err);
	if (faults == 0 && o->verbose)
		cli_note(report.file, "sound");
	return faults == 0 ? CLI_OK : CLI_NO;
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o;
	struct out out;
	int status;

	cli_start("otr-verify");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	o = (struct opts){ .json = opts_has(&given, OPT_JSON), .quiet = opts_has(&given, OPT_QUIET) };
	o.verbose = opts_has(&given, OPT_VERBOSE) && !o.quiet;
	if (given.operands == 0)
		status = cli_usage("no FILE");
	else if (o.json && o.quiet)
		status = opts_refuse_pair(OPT_JSON, "with --quiet");
	else
		status = out_open(&out, NULL, false);
	if (status == CLI_OK) {
		for (size_t i = 0; i < given.operands && !out.failed; i++)
			status = cli_worst(status, verify(&o, &out, given.operand[i]));
		status = cli_worst(status, out_close(&out, true));
	}
	opts_release(&given);
	return status;
}
