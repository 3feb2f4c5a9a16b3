/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.c - what the tools that read a FILE share.
 */
#include "reader.h"

#include "cli.h"
#include "csv.h"
#include "numtext.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- zone and clock ---- */

int
reader_clock(const struct opts_given *g, struct reader_clock *clock)
{
	const char *zone = opts_value(g, OPT_TIMEZONE), *dst = opts_value(g, OPT_DST);
	char why[400];

	*clock = (struct reader_clock){ .now = timearg_now() };
	if (dst != NULL && strcmp(dst, "earlier") == 0)
		clock->dst = TIMEARG_EARLIER;
	else if (dst != NULL && strcmp(dst, "later") == 0)
		clock->dst = TIMEARG_LATER;
	else if (dst != NULL)
		return opts_refuse(dst, OPT_DST, "not one of the two", "earlier or later");
	if (dst != NULL && zone == NULL)
		return opts_refuse_pair(OPT_DST, "without --timezone: no time of UTC is twice");
	why[0] = '\0';
	clock->zone = zone_open(zone != NULL ? zone : "UTC", why, sizeof why);
	return clock->zone != NULL ? CLI_OK : cli_usage("--timezone: %s", why[0] != '\0' ? why : "cannot be read");
}

void
reader_clock_free(struct reader_clock *clock)
{
	zone_free(clock->zone);
	clock->zone = NULL;
}

int
reader_time(const struct opts_given *g, enum opts_id id, const struct reader_clock *clock, enum timearg_place place, struct timearg *t)
{
	const char *text = opts_value(g, id);
	struct timearg_why why;

	*t = (struct timearg){ 0 };
	if (text == NULL || timearg_parse(text, clock->zone, clock->dst, clock->now, place, t, &why))
		return CLI_OK;
	return opts_refuse(text, id, why.what, why.remedy);
}

int
reader_time_in(const struct timearg *t, enum opts_id id, const struct reader_clock *clock, const struct otr_info *info, const char *path,
    int64_t *ns, bool *known)
{
	struct timearg_why why;
	bool of_rows = t->base == TIMEARG_FIRST || t->base == TIMEARG_LAST;

	*known = !of_rows || info->rows > 0;
	if (!*known || timearg_resolve(t, clock->zone, clock->dst, t->base == TIMEARG_LAST ? info->last_ns : info->first_ns, ns, &why))
		return CLI_OK;
	cli_error(path, 0, "--%s: %s", opts_name(id), why.what);
	return CLI_USAGE;
}

/* ---- --at, VERSION ---- */

/* A VERSION or TIME.  False with *why if it is neither. */
static bool
parse_at(const char *text, const struct reader_clock *clock, struct reader_at *at, struct timearg_why *why)
{
	struct timearg t;

	*at = (struct reader_at){ .kind = READER_NEWEST };
	*why = (struct timearg_why){ .what = "not a version", .remedy = "" };
	if (strcmp(text, "newest") == 0)
		return true;
	if (strncmp(text, "newest-", 7) == 0) {
		at->kind = READER_BACK;
		(void)snprintf(why->remedy, sizeof why->remedy, "newest-1 is the one before the newest");
		return numtext_read_count(text + 7, strlen(text + 7), &at->version);
	}
	if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
		at->kind = READER_VERSION;
		return numtext_read_count(text, strlen(text), &at->version);
	}
	if (text[0] >= '0' && text[0] <= '9' && strspn(text, "0123456789.") == strlen(text)) {
		*why = (struct timearg_why){ .what = "neither a version nor a time", .remedy = "seconds since 1970 need an @" };
		return false;
	}
	at->kind = READER_TIME;
	if (!timearg_parse(text, clock->zone, clock->dst, clock->now, TIMEARG_AS_COMMIT, &t, why))
		return false;
	at->ns = t.ns;
	return true;
}

int
reader_at(const struct opts_given *g, const struct reader_clock *clock, struct reader_at *at)
{
	const char *text = opts_value(g, OPT_AT);
	struct timearg_why why;

	if (parse_at(text != NULL ? text : "newest", clock, at, &why))
		return CLI_OK;
	return opts_refuse(text, OPT_AT, why.what, why.remedy);
}

int
reader_version(const char *text, const struct reader_clock *clock, struct reader_at *at)
{
	struct timearg_why why;
	struct cli_quoted q;

	if (parse_at(text, clock, at, &why))
		return CLI_OK;
	return cli_usage("VERSION: %s: \"%s\"%s%s%s", why.what, cli_quote(text, strlen(text), &q), why.remedy[0] != '\0' ? " (" : "", why.remedy,
	    why.remedy[0] != '\0' ? ")" : "");
}

const char *
reader_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

static void
tell_notices(const char *name, const struct otr *file, int *worst)
{
	const char *notice;
	bool fallback = false;

	for (size_t i = 0; (notice = otr_notice(file, i, &fallback)) != NULL; i++) {
		cli_warning(name, 0, "%s", notice);
		if (fallback)
			*worst = cli_worst(*worst, CLI_FILE);
	}
}

static enum otr_status
select_version(struct otr *file, const struct reader_at *at, struct otr_error *err)
{
	struct otr_info info;

	otr_get_info(file, &info);
	switch (at->kind) {
	case READER_NEWEST:
		return info.version == info.newest_version ? OTR_OK : otr_select_version(file, info.newest_version, err);
	case READER_VERSION:
		return info.version == at->version ? OTR_OK : otr_select_version(file, at->version, err);
	case READER_BACK:
		return otr_select_version(file, info.newest_version - at->version, err);
	case READER_TIME:
		return otr_select_time(file, at->ns, err);
	}
	return OTR_OK;
}

/* newest-N must not lie before version 0. */
static bool
reaches_back(const char *name, const struct otr *file, const struct reader_at *at)
{
	struct otr_info info;

	otr_get_info(file, &info);
	if (at->kind != READER_BACK || at->version <= info.newest_version)
		return true;
	cli_error(name, 0, "newest-%llu lies before the first version; the newest is %llu", (unsigned long long)at->version,
	    (unsigned long long)info.newest_version);
	return false;
}

int
reader_open(const char *path, const struct reader_at *at, struct otr **file, int *worst)
{
	const char *name = reader_name(path);
	struct otr_error err = { 0 };
	enum otr_status status;
	struct otr *opened = NULL;

	if (strcmp(path, "-") == 0 && lseek(STDIN_FILENO, 0, SEEK_CUR) < 0) {
		cli_error(name, 0, "needs a seekable file; save the stream first");
		return CLI_USAGE;
	}
	if (strcmp(path, "-") == 0)
		status = otr_open_fd(STDIN_FILENO, &opened, &err);
	else if (at->kind == READER_VERSION)
		status = otr_open_at(path, at->version, &opened, &err);
	else
		status = otr_open(path, &opened, &err);
	if (status == OTR_OK) {
		/* an older version that was asked for by its number is no stand-in for the newest */
		int unused = CLI_OK;

		tell_notices(name, opened, at->kind == READER_VERSION ? &unused : worst);
		if (!reaches_back(name, opened, at)) {
			otr_close(opened);
			return CLI_USAGE;
		}
		status = select_version(opened, at, &err);
	}
	if (status != OTR_OK) {
		otr_close(opened);
		return cli_failed(name, &err);
	}
	*file = opened;
	return CLI_OK;
}

int
reader_select(const char *path, struct otr *file, const struct reader_at *at)
{
	struct otr_error err = { 0 };

	if (!reaches_back(reader_name(path), file, at))
		return CLI_USAGE;
	return select_version(file, at, &err) == OTR_OK ? CLI_OK : cli_failed(reader_name(path), &err);
}

void
reader_tell_reach(const char *path, const struct zone *zone, bool any, int64_t last_ns)
{
	struct timearg_writer w;
	struct timearg_why why;
	char text[TIMEARG_TEXT + 1];

	if (!any) {
		cli_error(reader_name(path), 0, "the output has no row");
		return;
	}
	if (!timearg_writer_init(&w, NULL, zone, timearg_time_digits(last_ns), &why))
		return;                      /* RFC 3339 is never refused */
	*timearg_write(&w, text, last_ns) = '\0';
	cli_error(reader_name(path), 0, "the output goes to %s", text);
}

/* ---- range ---- */

int
reader_range(const struct opts_given *g, const struct reader_clock *clock, struct reader_range *range)
{
	int status = reader_time(g, OPT_START, clock, TIMEARG_AS_START, &range->start);

	if (status == CLI_OK)
		status = reader_time(g, OPT_END, clock, TIMEARG_AS_END, &range->end);
	if (status != CLI_OK)
		return status;
	if (range->end.given && range->end.base == TIMEARG_START && (!range->start.given || range->start.base == TIMEARG_END))
		return opts_refuse(opts_value(g, OPT_END), OPT_END, "start is not known", "--start must say it");
	if (range->start.given && range->start.base == TIMEARG_END && !range->end.given)
		return opts_refuse(opts_value(g, OPT_START), OPT_START, "end is not known", "--end must say it");
	return CLI_OK;
}

/* One that counts from the other, which is resolved. */
static int
resolve_from(const struct timearg *t, enum opts_id id, const struct reader_clock *clock, int64_t other, const char *path, int64_t *ns)
{
	struct timearg_why why;

	if (timearg_resolve(t, clock->zone, clock->dst, other, ns, &why))
		return CLI_OK;
	cli_error(path, 0, "--%s: %s", opts_name(id), why.what);
	return CLI_USAGE;
}

int
reader_range_in(const struct reader_range *range, const struct reader_clock *clock, const struct otr_info *info, const char *path,
    int64_t *start, int64_t *end)
{
	const struct timearg *s = &range->start, *e = &range->end;
	bool known_s = false, known_e = false;
	int status = CLI_OK;

	*start = INT64_MIN;
	*end = INT64_MAX;
	if (s->given && s->base != TIMEARG_END)
		status = reader_time_in(s, OPT_START, clock, info, path, start, &known_s);
	if (status == CLI_OK && e->given && e->base != TIMEARG_START)
		status = reader_time_in(e, OPT_END, clock, info, path, end, &known_e);
	if (status == CLI_OK && s->given && s->base == TIMEARG_END && known_e)
		status = resolve_from(s, OPT_START, clock, *end, path, start);
	if (status == CLI_OK && e->given && e->base == TIMEARG_START && known_s)
		status = resolve_from(e, OPT_END, clock, *start, path, end);
	if (status == CLI_OK && *start > *end) {
		cli_error(path, 0, "the start lies after the end (--start, --end)");
		status = CLI_USAGE;
	}
	return status;
}

/* ---- columns ---- */

int
reader_no_column(const char *path, const char *name, const struct otr_schema *schema)
{
	struct cli_quoted q;
	char list[600];

	loader_column_list(schema, UINT64_MAX, list, sizeof list);
	cli_error(path, 0, "no column \"%s\"; columns are: %s", cli_quote(name, strlen(name), &q), list);
	return CLI_USAGE;
}

int
reader_columns(const struct otr_schema *schema, const char *path, const struct opts_list *list, struct binary_column *column, size_t *count)
{
	struct cli_quoted q;

	*count = 0;
	if (list->count == 0) {
		for (unsigned c = 0; c < schema->columns; c++)
			column[(*count)++] = (struct binary_column){ schema->column[c].name, schema->column[c].type, (int)c };
		return CLI_OK;
	}
	for (size_t i = 0; i < list->count; i++) {
		unsigned c = 0;

		while (c < schema->columns && strcmp(schema->column[c].name, list->name[i]) != 0)
			c++;
		if (c == schema->columns)
			return reader_no_column(path, list->name[i], schema);
		for (size_t j = 0; j < *count; j++)
			if (column[j].index == (int)c)
				return cli_usage("--columns: twice: \"%s\"", cli_quote(list->name[i], strlen(list->name[i]), &q));
		column[(*count)++] = (struct binary_column){ schema->column[c].name, schema->column[c].type, (int)c };
	}
	return CLI_OK;
}

uint64_t
reader_column_bits(const struct binary_column *column, size_t count)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++)
		if (column[i].index >= 0)
			bits |= UINT64_C(1) << column[i].index;
	return bits;
}

/* ---- rows out ---- */

int
reader_null_text(const struct opts_given *g, char delimiter, const char **text)
{
	uint64_t bits;
	const char *given = opts_value(g, OPT_NULL_VALUE);

	*text = given != NULL ? given : "";
	if (given == NULL)
		return CLI_OK;
	if (strlen(given) > 255 || !cli_is_text(given, strlen(given), false) || strchr(given, '"') != NULL || strchr(given, delimiter) != NULL ||
	    strchr(given, '\\') != NULL)
		return opts_refuse(given, OPT_NULL_VALUE, "cannot stand for null", "no quotes, delimiters, backslashes, control characters");
	if (numtext_read(OTR_F64, given, strlen(given), &bits) == NUMTEXT_OK || numtext_read(OTR_BOOL, given, strlen(given), &bits) == NUMTEXT_OK)
		return opts_refuse(given, OPT_NULL_VALUE, "cannot stand for null", "it is a value");
	return CLI_OK;
}

/* Options of text have no effect on a binary stream, nor those of CSV on TSV. */
static int
check_format(const struct opts_given *g, const struct reader_output *output)
{
	static const enum opts_id of_text[] = { OPT_DELIMITER, OPT_NO_HEADER, OPT_NULL_VALUE, OPT_TIME_FORMAT };
	size_t unfit = output->format == EMIT_BINARY ? 4 : output->format == EMIT_JSON ? 3 : 0;

	for (size_t i = 0; i < unfit; i++)
		if (opts_has(g, of_text[i]))
			return opts_refuse_pair(of_text[i], unfit == 4 ? "with --format binary" : "with JSON");
	if (output->format == EMIT_TSV && opts_has(g, OPT_DELIMITER))
		return opts_refuse_pair(OPT_DELIMITER, "with --format tsv");
	if (output->force && output->path == NULL && output->format != EMIT_BINARY)
		return opts_refuse_pair(OPT_FORCE, "without --output");
	return CLI_OK;
}

/* A series is not replaced by what is read of it, --force or not: with it all its versions would go. */
static int
check_is_other(const struct opts_given *g, const char *path)
{
	struct stat out, in;

	if (path == NULL || stat(path, &out) != 0)
		return CLI_OK;
	for (size_t i = 0; i < g->operands; i++)
		if ((strcmp(g->operand[i], "-") == 0 ? fstat(STDIN_FILENO, &in) : stat(g->operand[i], &in)) == 0 && in.st_dev == out.st_dev &&
		    in.st_ino == out.st_ino)
			return opts_refuse(path, OPT_OUTPUT, "is a file that is read", "");
	return CLI_OK;
}

int
reader_output(const struct opts_given *g, unsigned more, struct reader_output *output)
{
	static const char *const known[] = { "csv, tsv", "csv, tsv, binary", "csv, tsv, jsonl", "csv, tsv, jsonl, binary" };
	const char *format = opts_value(g, OPT_FORMAT), *delimiter = opts_value(g, OPT_DELIMITER);
	struct timearg_writer probe;
	struct timearg_why why;
	int status;

	*output = (struct reader_output){ .delimiter = ',', .no_header = opts_has(g, OPT_NO_HEADER), .force = opts_has(g, OPT_FORCE),
		.time_format = opts_value(g, OPT_TIME_FORMAT), .path = opts_value(g, OPT_OUTPUT) };
	if (format != NULL && !emit_format(format, more, &output->format))
		return opts_refuse(format, OPT_FORMAT, "not a format", known[more]);
	if (opts_has(g, OPT_JSON) && format != NULL)
		return opts_refuse_pair(OPT_JSON, "together with --format");
	if (opts_has(g, OPT_JSON))
		output->format = EMIT_JSON;
	if (delimiter != NULL && !csv_delimiter(delimiter, &output->delimiter))
		return opts_refuse(delimiter, OPT_DELIMITER, "not a delimiter", "one byte as , ; | or comma, semicolon, tab, space");
	if (output->time_format != NULL && !timearg_writer_init(&probe, output->time_format, NULL, 0, &why))
		return opts_refuse(output->time_format, OPT_TIME_FORMAT, why.what, why.remedy);
	status = reader_null_text(g, output->format == EMIT_TSV ? '\t' : output->delimiter, &output->null_text);
	if (status == CLI_OK)
		status = check_format(g, output);
	return status == CLI_OK ? check_is_other(g, output->path) : status;
}

void
reader_explain(const char *path, const struct otr *file)
{
	struct otr_counters c;

	otr_get_counters(file, &c);
	cli_note(reader_name(path), "read %llu leaf, %llu inner, %llu log, %llu meta pages, %llu bytes; pruned %llu by time, 0 by value",
	    (unsigned long long)c.leaf_pages, (unsigned long long)c.inner_pages, (unsigned long long)c.log_pages,
	    (unsigned long long)c.meta_pages, (unsigned long long)c.bytes, (unsigned long long)c.pruned_by_time);
}

int
reader_output_open(const struct reader_output *output, const struct zone *zone, unsigned digits, struct out *out, struct emit *e)
{
	struct timearg_why why;
	int status;

	if (output->format == EMIT_BINARY && output->path == NULL && !output->force && cli_is_terminal(STDOUT_FILENO))
		return cli_usage("--format: binary is not written to a terminal (--force does)");
	*e = (struct emit){ 0 };
	if (!timearg_writer_init(&e->time, output->time_format, zone, digits, &why))
		return opts_refuse(output->time_format, OPT_TIME_FORMAT, why.what, why.remedy);
	status = out_open(out, output->path, output->force);
	if (status == CLI_OK)
		emit_init(e, out, output->format, output->delimiter, output->null_text);
	return status;
}
