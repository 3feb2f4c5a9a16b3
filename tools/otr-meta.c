/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-meta - shows and sets metadata and policies.
 *
 * Policies are keys here that begin with `otr.`; in the file they are fields of the commit slot (SPEC 5.6-3), not versioned, so that --at shows those
 * in force.
 */
#include "cli.h"
#include "csv.h"
#include "json.h"
#include "policy.h"
#include "reader.h"
#include "writer.h"

#include <stdlib.h>
#include <string.h>

static const struct opts_about about = {
	.tool = OPTS_META,
	.synopsis = "otr-meta [options] FILE [KEY]\n"
		    "otr-meta [options] FILE [KEY=VALUE]... [--unset KEY]...\n",
	.purpose = "Shows metadata and policies: all as CSV, or the value of KEY; or sets them.\n"
		   "Policies: otr.duplicates otr.history otr.max-size otr.retain.\n",
	.examples = "  otr-meta pump.otr site=mill otr.retain=90d\n"
		    "  otr-meta pump.otr site\n",
};

struct opts {
	const char *path;
	const char *key;                         /* the one to show, or NULL */
	struct reader_clock clock;
	struct reader_at at;
	struct reader_output output;
	struct writer_commit commit;
	struct otr_meta_change *change;          /* keys are ours, values are borrowed from the operands */
	size_t changes;
	const char *policy[POLICIES];            /* new values, or NULL */
	bool writes, json, verbose, print_version;
};

/* ---- options ---- */

/* A key of otr. that is no policy.  Returns CLI_USAGE. */
static int
refuse_own(const char *key)
{
	static const char *const fixed[] = { "otr.gap", "otr.page-size", "otr.interpolation", "otr.columns" };
	struct cli_quoted q;

	(void)cli_quote(key, strlen(key), &q);
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (strcmp(key, fixed[i]) == 0)
			return cli_usage("fixed for life: \"%s\" (otr-stat shows it, otr-create --like makes another file)", q.text);
	return cli_usage("no policy: \"%s\" (otr.duplicates, otr.history, otr.max-size, otr.retain)", q.text);
}

static int
check_key(const char *key)
{
	const char *fault = policy_key_fault(key, strlen(key));
	enum policy which;
	struct cli_quoted q;

	if (fault != NULL)
		return cli_usage("%s: \"%s\" (" POLICY_KEY_FORM ")", fault, cli_quote(key, strlen(key), &q));
	return policy_is_own(key, strlen(key)) && !policy_find(key, &which) ? refuse_own(key) : CLI_OK;
}

/* One change more; value NULL unsets.  key is taken. */
static int
add_change(struct opts *o, char *key, const char *value)
{
	struct cli_quoted q;
	enum policy which;
	bool twice = false;
	int status;

	o->change[o->changes] = (struct otr_meta_change){ .key = key, .value = value, .value_bytes = value != NULL ? strlen(value) : 0 };
	for (size_t i = 0; i < o->changes; i++)
		twice = twice || strcmp(o->change[i].key, key) == 0;
	o->changes++;
	(void)cli_quote(key, strlen(key), &q);
	if ((status = check_key(key)) != CLI_OK)
		return status;
	if (value != NULL && !cli_is_text(value, strlen(value), true))
		return cli_usage("value is not UTF-8 without control characters: \"%s\"", q.text);
	if (value == NULL && policy_find(key, &which))
		return cli_usage("--unset: a policy always has a value: \"%s\" (set another)", q.text);
	return twice ? cli_usage("given twice: \"%s\"", q.text) : CLI_OK;
}

static int
take_changes(const struct opts_given *g, struct opts *o)
{
	int status = CLI_OK;

	o->change = cli_alloc(g->operands + g->count[OPT_UNSET], sizeof *o->change);
	for (size_t i = 1; i < g->operands && status == CLI_OK; i++) {
		const char *text = g->operand[i], *value = strchr(text, '=');
		struct cli_quoted q;

		if (value == NULL)
			return cli_usage("one KEY is shown, or KEY=VALUE set: \"%s\"", cli_quote(text, strlen(text), &q));
		status = add_change(o, cli_copy(text, (size_t)(value - text)), value + 1);
	}
	for (size_t i = 0; i < g->count[OPT_UNSET] && status == CLI_OK; i++)
		status = add_change(o, cli_copy(g->value[OPT_UNSET][i], strlen(g->value[OPT_UNSET][i])), NULL);
	return status;
}

/* Values of policies leave the list for o->policy, and are checked as far as they can be without the file. */
static int
part_policies(struct opts *o)
{
	struct policy_change probe = { 0 };
	size_t kept = 0;
	int status = CLI_OK;

	for (size_t i = 0; i < o->changes; i++) {
		enum policy which;

		if (!policy_find(o->change[i].key, &which)) {
			o->change[kept++] = o->change[i];
			continue;
		}
		o->policy[which] = o->change[i].value;
		free((char *)(uintptr_t)o->change[i].key);
		if (status == CLI_OK)
			status = policy_read(&probe, which, policy_key(which), o->policy[which]);
	}
	o->changes = kept;
	return status;
}

static int
take_writing(const struct opts_given *g, struct opts *o)
{
	static const enum opts_id reading[] = { OPT_AT, OPT_TIMEZONE, OPT_DST, OPT_FORMAT, OPT_JSON, OPT_DELIMITER, OPT_NO_HEADER };
	int status;

	for (size_t i = 0; i < sizeof reading / sizeof reading[0]; i++)
		if (opts_has(g, reading[i]))
			return opts_refuse_pair(reading[i], "on a setting");
	if ((status = writer_check_path(o->path)) != CLI_OK || (status = take_changes(g, o)) != CLI_OK || (status = part_policies(o)) != CLI_OK)
		return status;
	return writer_commit(g, &o->commit);
}

static int
take_reading(const struct opts_given *g, struct opts *o)
{
	static const enum opts_id writing[] = { OPT_MESSAGE, OPT_AUTHOR, OPT_WAIT, OPT_PRINT_VERSION };
	static const enum opts_id listing[] = { OPT_FORMAT, OPT_JSON, OPT_DELIMITER, OPT_NO_HEADER };
	int status;

	for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++)
		if (opts_has(g, writing[i]))
			return opts_refuse_pair(writing[i], "without a setting");
	for (size_t i = 0; i < sizeof listing / sizeof listing[0]; i++) {
		if (o->key != NULL && opts_has(g, listing[i]))
			return opts_refuse_pair(listing[i], "on one KEY: its value is shown as it is");
		if (o->json && opts_has(g, listing[i]) && listing[i] != OPT_JSON)
			return opts_refuse_pair(listing[i], "with --json");
	}
	if (o->key != NULL && (status = check_key(o->key)) != CLI_OK)
		return status;
	if ((status = reader_clock(g, &o->clock)) != CLI_OK || (status = reader_at(g, &o->clock, &o->at)) != CLI_OK ||
	    (status = reader_output(g, false, &o->output)) != CLI_OK)
		return status;
	return opts_has(g, OPT_TIMEZONE) && o->at.kind != READER_TIME ? opts_refuse_pair(OPT_TIMEZONE, "without --at TIME") : CLI_OK;
}

static int
take_options(const struct opts_given *g, struct opts *o)
{
	*o = (struct opts){ .json = opts_has(g, OPT_JSON), .print_version = opts_has(g, OPT_PRINT_VERSION),
		.verbose = opts_has(g, OPT_VERBOSE) && !opts_has(g, OPT_QUIET) };
	if (g->operands == 0)
		return cli_usage("no FILE");
	o->path = g->operand[0];
	o->writes = opts_has(g, OPT_UNSET) || g->operands > 2 || (g->operands == 2 && strchr(g->operand[1], '=') != NULL);
	o->key = !o->writes && g->operands == 2 ? g->operand[1] : NULL;
	return o->writes ? take_writing(g, o) : take_reading(g, o);
}

/* ---- reading ---- */

/* Text from the file: newlines and tabs stay, other control characters are shown.  The caller's, freed with free. */
static char *
shown(const char *text, size_t len)
{
	char *out = cli_alloc(len + 1, 4);
	size_t used = 0;

	for (size_t at = 0; at < len;) {
		size_t part = strcspn(text + at, "\n\t");

		used += cli_escape(text + at, part, out + used, 4 * (len + 1) - used);
		at += part;
		if (at < len)
			out[used++] = text[at++];
	}
	out[used] = '\0';
	return out;
}

static void
print_entry(const struct opts *o, struct out *out, const char *key, const char *value, size_t value_bytes)
{
	bool tsv = o->output.format == EMIT_TSV;
	char delimiter = tsv ? '\t' : o->output.delimiter, *text[2] = { shown(key, strlen(key)), shown(value, value_bytes) };

	if (o->key != NULL) {
		if (strcmp(o->key, key) == 0) {
			out_text(out, text[1]);
			out_text(out, "\n");
		}
	} else if (o->json) {
		out_text(out, "{\"key\":");
		json_text(out, key);
		out_text(out, ",\"value\":");
		json_text(out, value);
		out_text(out, "}\n");
	} else {
		csv_write(out, text[0], strlen(text[0]), delimiter, tsv);
		out_bytes(out, &delimiter, 1);
		csv_write(out, text[1], strlen(text[1]), delimiter, tsv);
		out_text(out, "\n");
	}
	free(text[0]);
	free(text[1]);
}

/* The entries of the file and the policies, merged: both are in the order of their keys. */
static int
print_entries(const struct opts *o, struct otr *file, struct out *out, bool *found)
{
	char text[POLICY_TEXT];
	struct otr_error err = { 0 };
	struct otr_meta entry;
	enum otr_status status;
	unsigned policy = 0;
	size_t i = 0;

	do {
		status = otr_meta_entry(file, i++, &entry, &err);
		if (status != OTR_OK && status != OTR_END)
			return cli_failed(reader_name(o->path), &err);
		for (; policy < POLICIES && (status == OTR_END || strcmp(policy_key((enum policy)policy), entry.key) < 0); policy++) {
			(void)policy_text(otr_policies(file), (enum policy)policy, text);
			print_entry(o, out, policy_key((enum policy)policy), text, strlen(text));
			*found = *found || o->key == NULL || strcmp(o->key, policy_key((enum policy)policy)) == 0;
		}
		if (status == OTR_OK) {
			print_entry(o, out, entry.key, entry.value, entry.value_bytes);
			*found = *found || o->key == NULL || strcmp(o->key, entry.key) == 0;
		}
	} while (status == OTR_OK);
	return CLI_OK;
}

static int
show(const struct opts *o)
{
	struct otr *file = NULL;
	struct out out;
	bool found = false;
	int worst = CLI_OK, status = reader_open(o->path, &o->at, &file, &worst);

	if (status != CLI_OK)
		return status;
	status = out_open(&out, NULL, false);
	if (status == CLI_OK) {
		if (o->key == NULL && !o->json && !o->output.no_header)
			out_format(&out, "key%cvalue\n", o->output.format == EMIT_TSV ? '\t' : o->output.delimiter);
		status = print_entries(o, file, &out, &found);
		if (status == CLI_OK && !found)
			status = CLI_NO;
		status = cli_worst(status, out_close(&out, true));
	}
	otr_close(file);
	return cli_worst(status, worst);
}

/* ---- writing ---- */

/* Each key of --unset must be there: what takes nothing away is taken for a slip of the pen. */
static int
check_unset(const struct opts *o)
{
	static const struct reader_at newest = { .kind = READER_NEWEST };
	struct otr *file = NULL;
	int worst = CLI_OK, status;
	bool any = false;

	for (size_t i = 0; i < o->changes; i++)
		any = any || o->change[i].value == NULL;
	if (!any)
		return CLI_OK;
	if ((status = reader_open(o->path, &newest, &file, &worst)) != CLI_OK)
		return status;
	for (size_t i = 0; i < o->changes && status == CLI_OK; i++) {
		struct otr_error err = { 0 };
		struct otr_meta entry;
		struct cli_quoted q;
		enum otr_status got = OTR_OK;
		size_t k = 0;

		if (o->change[i].value != NULL)
			continue;
		while ((got = otr_meta_entry(file, k, &entry, &err)) == OTR_OK && strcmp(entry.key, o->change[i].key) != 0)
			k++;
		if (got == OTR_END) {
			cli_error(o->path, 0, "no such key: \"%s\"", cli_quote(o->change[i].key, strlen(o->change[i].key), &q));
			status = CLI_NO;
		} else if (got != OTR_OK) {
			status = cli_failed(o->path, &err);
		}
	}
	otr_close(file);
	return cli_worst(status, worst);
}

/*
 * The policies in force with the new values in them, so that a contradiction is told as the usage error that it is.  Only those given (*which) are set: another writer may set others
 * meanwhile.
 */
static int
settle(const struct opts *o, const struct otr_writer *writer, struct policy_change *c, unsigned *which)
{
	static const unsigned bits[POLICIES] = { [POLICY_DUPLICATES] = OTR_POLICY_DUPLICATES, [POLICY_HISTORY] = OTR_POLICY_HISTORY,
		[POLICY_MAX_SIZE] = OTR_POLICY_MAX_SIZE, [POLICY_RETAIN] = OTR_POLICY_RETAIN };
	int status = CLI_OK;

	*c = (struct policy_change){ .now = *otr_writer_policies(writer) };
	*which = 0;
	for (unsigned i = 0; i < POLICIES && status == CLI_OK; i++)
		if (o->policy[i] != NULL) {
			*which |= bits[i];
			status = policy_read(c, (enum policy)i, policy_key((enum policy)i), o->policy[i]);
		}
	return status == CLI_OK && *which != 0 ? policy_settle(c) : status;
}

static int
set(const struct opts *o)
{
	struct otr_change_result result = { 0 };
	struct writer_pieces pieces;
	struct otr_writer *writer = NULL;
	struct otr_error err = { 0 };
	struct policy_change policies;
	unsigned which = 0;
	int status = check_unset(o);

	if (status == CLI_OK)
		status = writer_open(o->path, &o->commit, o->verbose, &pieces, &writer);
	if (status == CLI_OK)
		status = settle(o, writer, &policies, &which);
	if (status == CLI_OK &&
	    otr_writer_update_meta(writer, o->change, o->changes, which != 0 ? &policies.now : NULL, which, &result, &err) != OTR_OK)
		status = cli_failed(o->path, &err);
	else if (status == CLI_OK && o->verbose)
		cli_note(o->path, "%s; version %llu", result.committed ? "changed" : "nothing changed", (unsigned long long)result.version);
	otr_writer_close(writer);
	if (status != CLI_OK)
		return writer_tell_remedy(o->path, status);
	return o->print_version ? writer_print_version(result.version) : CLI_OK;
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o;
	int status;

	cli_start("otr-meta");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = o.writes ? set(&o) : show(&o);
	for (size_t i = 0; i < o.changes; i++)
		free((char *)(uintptr_t)o.change[i].key);
	free(o.change);
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
