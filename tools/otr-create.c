/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-create - makes an empty series.
 */
#include "cli.h"
#include "policy.h"
#include "reader.h"
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opts_about about = {
	.tool = OPTS_CREATE,
	.synopsis = "otr-create [options] FILE COLUMN[:TYPE[:UNIT]]...\n"
		    "otr-create [options] --like OTHER FILE\n",
	.purpose = "Makes an empty series.  TYPE: bool i32 i64 f32 f64 (default).\n",
	.examples = "  otr-create pump.otr temp:f32:degC hum on:bool\n"
		    "  otr-create --gap 1h --duplicates first --like pump.otr spare.otr\n",
};

/* Metadata being gathered: keys and values are ours. */
struct metadata {
	struct otr_meta *entry;
	size_t count;
};

struct opts {
	const char *path, *like;
	struct otr_schema schema;
	struct policy_change policies;
	struct metadata meta;
	struct writer_commit commit;
	bool force, verbose;
};

/* ---- metadata ---- */

/* A later setting of a key takes the place of an earlier one (of --like). */
static void
set_meta(struct metadata *m, const char *key, size_t key_len, const char *value, size_t value_len)
{
	struct otr_meta *e = NULL;

	for (size_t i = 0; i < m->count; i++)
		if (strlen(m->entry[i].key) == key_len && memcmp(m->entry[i].key, key, key_len) == 0)
			e = &m->entry[i];
	if (e == NULL) {
		m->entry = cli_resize(m->entry, m->count + 1, sizeof *m->entry);
		e = &m->entry[m->count++];
		*e = (struct otr_meta){ .key = cli_copy(key, key_len) };
	} else {
		free((char *)(uintptr_t)e->value);
	}
	e->value = cli_copy(value, value_len);
	e->value_bytes = value_len;
}

static void
free_meta(struct metadata *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free((char *)(uintptr_t)m->entry[i].key);
		free((char *)(uintptr_t)m->entry[i].value);
	}
	free(m->entry);
}

static int
take_meta(const struct opts_given *g, struct opts *o)
{
	for (size_t i = 0; i < g->count[OPT_META]; i++) {
		const char *text = g->value[OPT_META][i], *value = strchr(text, '=');
		size_t len = value != NULL ? (size_t)(value - text) : 0;

		if (value == NULL)
			return opts_refuse(text, OPT_META, "not KEY=VALUE", "");
		if (policy_key_fault(text, len) != NULL)
			return opts_refuse(text, OPT_META, policy_key_fault(text, len), POLICY_KEY_FORM);
		if (policy_is_own(text, len))
			return opts_refuse(text, OPT_META, "otr. keys are policies", "--duplicates, --history, --max-size, --retain");
		if (!cli_is_text(value + 1, strlen(value + 1), true))
			return opts_refuse(text, OPT_META, "not UTF-8 without control characters", "");
		set_meta(&o->meta, text, len, value + 1, strlen(value + 1));
	}
	return CLI_OK;
}

/* ---- columns ---- */

static bool
type_of(const char *text, size_t len, enum otr_type *type)
{
	static const struct { const char *name; enum otr_type type; } types[] = { { "bool", OTR_BOOL }, { "i32", OTR_I32 }, { "i64", OTR_I64 },
		{ "f32", OTR_F32 }, { "f64", OTR_F64 } };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strlen(types[i].name) == len && memcmp(types[i].name, text, len) == 0) {
			*type = types[i].type;
			return true;
		}
	return false;
}

/* Why a name cannot be a column's, or NULL. */
static const char *
name_fault(const char *name, size_t len)
{
	if (len == 0)
		return "is empty";
	if (len > OTR_MAX_NAME)
		return "has more than 255 bytes";
	if (!cli_is_text(name, len, false))
		return "is not UTF-8 without control characters";
	for (size_t i = 0; i < len; i++)
		if (strchr(",:=\"", name[i]) != NULL)
			return "holds one of , : = \"";
	if (name[0] == ' ' || name[len - 1] == ' ')
		return "begins or ends with a blank";
	if (len == 4 && memcmp(name, "file", 4) == 0)
		return "is taken: the first column of several files";
	if ((len == 4 && memcmp(name, "time", 4) == 0) || (len == 6 && (memcmp(name, "time_s", 6) == 0)) || (len == 7 && memcmp(name, "time_", 5) == 0 &&
	    (memcmp(name + 5, "ms", 2) == 0 || memcmp(name + 5, "us", 2) == 0 || memcmp(name + 5, "ns", 2) == 0)))
		return "is taken: the time";
	return NULL;
}

static int
take_column(struct opts *o, const char *text)
{
	struct otr_schema *s = &o->schema;
	struct otr_column *c = &s->column[s->columns];
	size_t len = strcspn(text, ":"), type_len;
	const char *fault = name_fault(text, len), *type;
	struct cli_quoted q;

	(void)cli_quote(text, strlen(text), &q);
	if (fault != NULL)
		return cli_usage("column name %s: \"%s\"", fault, q.text);
	if (s->columns == OTR_MAX_COLUMNS)
		return cli_usage("more than %d columns", OTR_MAX_COLUMNS);
	for (unsigned i = 0; i < s->columns; i++)
		if (strlen(s->column[i].name) == len && memcmp(s->column[i].name, text, len) == 0)
			return cli_usage("two columns of one name: \"%s\"", q.text);
	*c = (struct otr_column){ .type = OTR_F64 };
	memcpy(c->name, text, len);
	if (text[len] == ':') {
		type = text + len + 1;
		type_len = strcspn(type, ":");
		if (type_len > 0 && !type_of(type, type_len, &c->type))
			return cli_usage("not a type: \"%s\" (bool, i32, i64, f32, f64)", q.text);
		if (type[type_len] == ':' && type[type_len + 1] != '\0') {
			const char *unit = type + type_len + 1;
			char key[OTR_MAX_NAME + 6];

			if (!cli_is_text(unit, strlen(unit), false))
				return cli_usage("unit is not UTF-8 without control characters: \"%s\"", q.text);
			(void)snprintf(key, sizeof key, "unit.%s", c->name);
			set_meta(&o->meta, key, strlen(key), unit, strlen(unit));
		}
	}
	c->interpolation = c->type == OTR_F32 || c->type == OTR_F64 ? OTR_LINEAR : OTR_STEP;
	s->columns++;
	return CLI_OK;
}

static int
interpolate(const struct opts_given *g, enum opts_id id, enum otr_interpolation how, struct opts *o)
{
	struct opts_list list;
	int status = opts_list(g, id, &list);

	for (size_t i = 0; status == CLI_OK && i < list.count; i++) {
		unsigned c = 0;

		while (c < o->schema.columns && strcmp(o->schema.column[c].name, list.name[i]) != 0)
			c++;
		if (c == o->schema.columns)
			status = opts_refuse(list.name[i], id, "no column", "");
		else
			o->schema.column[c].interpolation = how;
	}
	opts_list_free(&list);
	return status;
}

static int
interpolations(const struct opts_given *g, struct opts *o)
{
	struct opts_list step = { 0 }, linear = { 0 };
	int status = opts_list(g, OPT_STEP_COLUMN, &step);

	if (status == CLI_OK)
		status = opts_list(g, OPT_LINEAR_COLUMN, &linear);
	for (size_t i = 0; status == CLI_OK && i < step.count; i++)
		for (size_t j = 0; status == CLI_OK && j < linear.count; j++)
			if (strcmp(step.name[i], linear.name[j]) == 0)
				status = opts_refuse(step.name[i], OPT_STEP_COLUMN, "linear too", "");
	opts_list_free(&step);
	opts_list_free(&linear);
	if (status == CLI_OK)
		status = interpolate(g, OPT_STEP_COLUMN, OTR_STEP, o);
	if (status == CLI_OK)
		status = interpolate(g, OPT_LINEAR_COLUMN, OTR_LINEAR, o);
	return status;
}

/* ---- the rest ---- */

static int
take_policies(const struct opts_given *g, struct opts *o)
{
	static const struct { enum opts_id id; enum policy policy; const char *name; } options[] = {
		{ OPT_DUPLICATES, POLICY_DUPLICATES, "--duplicates" }, { OPT_HISTORY, POLICY_HISTORY, "--history" },
		{ OPT_MAX_SIZE, POLICY_MAX_SIZE, "--max-size" }, { OPT_RETAIN, POLICY_RETAIN, "--retain" } };
	int status = CLI_OK;

	for (size_t i = 0; i < sizeof options / sizeof options[0] && status == CLI_OK; i++)
		if (opts_has(g, options[i].id))
			status = policy_read(&o->policies, options[i].policy, options[i].name, opts_value(g, options[i].id));
	return status == CLI_OK ? policy_settle(&o->policies) : status;
}

static int
take_gap(const struct opts_given *g, struct opts *o)
{
	const char *text = opts_value(g, OPT_GAP);
	struct timearg_why why;

	if (text == NULL)
		return CLI_OK;
	o->schema.has_gap = strcmp(text, "none") != 0;
	o->schema.gap_ns = 0;
	if (!o->schema.has_gap)
		return CLI_OK;
	if (!timearg_fixed_length(text, false, &o->schema.gap_ns, &why))
		return opts_refuse(text, OPT_GAP, why.what, why.remedy);
	return o->schema.gap_ns > 0 && o->schema.gap_ns < INT64_MAX ? CLI_OK : opts_refuse(text, OPT_GAP, "out of range", "at least 1ns");
}

/* Schema, policies and metadata of another file, which the options may change. */
static int
copy_like(struct opts *o)
{
	static const struct reader_at newest = { .kind = READER_NEWEST };
	struct otr_error err = { 0 };
	struct otr *file = NULL;
	struct otr_meta entry;
	enum otr_status status;
	int worst = CLI_OK, opened = reader_open(o->like, &newest, &file, &worst);

	if (opened != CLI_OK)
		return opened;
	o->schema = *otr_schema(file);
	o->policies.now = *otr_policies(file);
	for (size_t i = 0; (status = otr_meta_entry(file, i, &entry, &err)) == OTR_OK; i++)
		if (strncmp(entry.key, "otr.", 4) != 0)
			set_meta(&o->meta, entry.key, strlen(entry.key), entry.value, entry.value_bytes);
	if (status != OTR_END)
		worst = cli_worst(worst, cli_failed(reader_name(o->like), &err));
	otr_close(file);
	return worst;                        /* what stands in for a damaged version is not copied */
}

static int
take_operands(const struct opts_given *g, struct opts *o)
{
	int status = CLI_OK;

	if (g->operands == 0)
		return cli_usage("no FILE");
	o->path = g->operand[0];
	if (strcmp(o->path, "-") == 0)
		return cli_usage("a series cannot be made on stdout (./- is a file of that name)");
	if (o->like != NULL)
		return g->operands > 1 ? cli_usage("columns are given by --like") : copy_like(o);
	if (g->operands == 1)
		return cli_usage("no COLUMN");
	for (size_t i = 1; i < g->operands && status == CLI_OK; i++)
		status = take_column(o, g->operand[i]);
	return status;
}

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	o->like = opts_value(g, OPT_LIKE);
	o->force = opts_has(g, OPT_FORCE);
	o->verbose = opts_has(g, OPT_VERBOSE) && !opts_has(g, OPT_QUIET);
	if ((status = take_operands(g, o)) != CLI_OK || (status = interpolations(g, o)) != CLI_OK || (status = take_policies(g, o)) != CLI_OK ||
	    (status = take_gap(g, o)) != CLI_OK || (status = opts_page_size(g, &o->schema.page_bytes)) != CLI_OK || (status = take_meta(g, o)) != CLI_OK)
		return status;
	if (opts_has(g, OPT_WAIT) && !o->force)
		return opts_refuse_pair(OPT_WAIT, "without --force");
	return writer_commit(g, &o->commit);
}

static int
create(const struct opts *o)
{
	struct otr_error err = { 0 };
	struct otr_create_options options = { .policies = o->policies.now, .meta = o->meta.entry, .meta_count = o->meta.count,
		.author = o->commit.author, .message = o->commit.message, .replace = o->force, .wait_ns = o->commit.wait_ns };
	enum otr_status status = otr_create(o->path, &o->schema, &options, &err);

	if (status == OTR_E_EXISTS && !o->force) {
		cli_error(o->path, 0, "exists (--force replaces a regular file)");
		return CLI_SYSTEM;
	}
	if (status != OTR_OK)
		return cli_failed(o->path, &err);
	if (o->verbose)
		cli_note(o->path, "%u columns, pages of %u bytes", o->schema.columns,
		    o->schema.page_bytes != 0 ? o->schema.page_bytes : otr_default_page_bytes(o->schema.columns));
	return CLI_OK;
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts *o;
	int status;

	cli_start("otr-create");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	o = cli_alloc(1, sizeof *o);
	status = take_options(&given, o);
	if (status == CLI_OK)
		status = create(o);
	free_meta(&o->meta);
	free(o);
	opts_release(&given);
	return status;
}
