/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-stat - what a file is: from a few pages, or with --scan from all.
 *
 * The facts are gathered once (struct facts) and printed by one of three functions: text for people, JSON, or a CSV line.
 */
#include "cli.h"
#include "csv.h"
#include "json.h"
#include "numtext.h"
#include "policy.h"
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opts_about about = {
	.tool = OPTS_STAT,
	.synopsis = "otr-stat [-l] [--scan] [--json] [--at V] FILE...\n",
	.purpose = "Tells what each FILE is: columns, rows, times, size, history.\n",
	.examples = "  otr-stat pump.otr\n"
		    "  otr-stat -l *.otr\n",
};

struct opts {
	struct reader_clock clock;
	struct reader_at at;
	bool list, json, scan;
};

struct facts {
	const char *name;
	const struct otr_schema *schema;
	const struct otr_policies *policies;
	struct otr_info info;
	struct otr_commit commit;
	const struct otr_summary *summary;       /* one a column */
	const struct otr_scan *scan;             /* NULL without --scan */
	struct otr *file;
	struct timearg_writer time;              /* of rows */
	struct timearg_writer commit_time;
};

static const char *const type_names[] = { "", "bool", "i32", "i64", "f32", "f64" };
static const char *const kind_names[] = { "create", "append", "merge", "delete", "rollback", "meta", "compact" };
static const char *const digits_names[] = { "s", "", "", "ms", "", "", "us", "", "", "ns" };
static const char *const transform_names[] = { "int", "decimal", "bits", "dict", "raw" };
static const char *const packing_names[] = { "none", "pack", "run" };

static const char *
time_text(struct timearg_writer *w, int64_t ns, char text[TIMEARG_TEXT + 1])
{
	*timearg_write(w, text, ns) = '\0';
	return text;
}

/* ns as exact decimal seconds, without zeros behind. */
static const char *
seconds_text(uint64_t ns, char text[40])
{
	int n = snprintf(text, 40, "%llu.%09llu", (unsigned long long)(ns / 1000000000), (unsigned long long)(ns % 1000000000));

	while (n > 0 && text[n - 1] == '0')
		text[--n] = '\0';
	if (n > 0 && text[n - 1] == '.')
		text[n - 1] = '\0';
	return text;
}

/* "17.6 KiB (17992 B)" */
static const char *
size_text(uint64_t bytes, char text[60])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	uint64_t whole = bytes;
	unsigned u = 0;

	if (bytes < 1024) {
		(void)snprintf(text, 60, "%llu B", (unsigned long long)bytes);
		return text;
	}
	while (whole >= 1024 * 1024 && u < 4) {
		whole /= 1024;
		u++;
	}
	(void)snprintf(text, 60, "%llu.%llu %s (%llu B)", (unsigned long long)(whole / 1024), (unsigned long long)(whole % 1024 * 10 / 1024),
	    units[u], (unsigned long long)bytes);
	return text;
}

static double
bytes_per_row(const struct facts *f)
{
	return (double)f->info.file_bytes / (double)f->info.rows;
}

static const char *
unit_of(const struct facts *f, const char *column)
{
	char key[OTR_MAX_NAME + 6];
	struct otr_meta entry;
	struct otr_error err;

	(void)snprintf(key, sizeof key, "unit.%s", column);
	for (size_t i = 0; otr_meta_entry(f->file, i, &entry, &err) == OTR_OK; i++)
		if (strcmp(entry.key, key) == 0)
			return entry.value;
	return NULL;
}

/* ---- text ---- */

/* A line `key: value`, escaped; the format's results hold no newline that is meant. */
CLI_PRINTF(2, 3)
static void
line(struct out *o, const char *format, ...)
{
	char raw[2048], shown[4096];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(raw, sizeof raw, format, args);
	va_end(args);
	out_bytes(o, shown, cli_escape(raw, strlen(raw), shown, sizeof shown));
	out_text(o, "\n");
}

static void
text_value(const struct otr_column *c, const union otr_value *v, char text[NUMTEXT_MAX + 1])
{
	char *end;

	if (c->type == OTR_F32)
		end = numtext_write_f32(text, (float)v->f);
	else if (c->type == OTR_F64)
		end = numtext_write_f64(text, v->f);
	else
		end = numtext_write_i64(text, v->i);
	*end = '\0';
}

static void
text_column(struct out *o, const struct facts *f, unsigned c)
{
	const struct otr_column *column = &f->schema->column[c];
	const struct otr_summary *s = &f->summary[c];
	const char *unit = unit_of(f, column->name);
	char min[NUMTEXT_MAX + 1], max[NUMTEXT_MAX + 1], mean[NUMTEXT_MAX + 1];

	line(o, "column: %s %s %s%s%s", column->name, type_names[column->type], column->interpolation == OTR_STEP ? "step" : "linear",
	    unit != NULL ? " " : "", unit != NULL ? unit : "");
	if (s->count > 0) {
		text_value(column, &s->min, min);
		text_value(column, &s->max, max);
		*numtext_write_f64(mean, otr_summary_mean(s, column->type)) = '\0';
		line(o, "  values: %llu, nulls %llu, nans %llu, min %s, mean %s, max %s", (unsigned long long)s->count,
		    (unsigned long long)(s->rows - s->count - s->nans), (unsigned long long)s->nans, min, mean, max);
	} else {
		line(o, "  values: 0, nulls %llu, nans %llu", (unsigned long long)(s->rows - s->nans), (unsigned long long)s->nans);
	}
	if (f->scan == NULL)
		return;
	out_text(o, "  encodings:");
	for (unsigned i = 0; i < 5; i++)
		if (f->scan->transform[c][i] > 0)
			out_format(o, " %s %llu", transform_names[i], (unsigned long long)f->scan->transform[c][i]);
	out_text(o, ";");
	for (unsigned i = 0; i < 3; i++)
		if (f->scan->packing[c][i] > 0)
			out_format(o, " %s %llu", packing_names[i], (unsigned long long)f->scan->packing[c][i]);
	out_text(o, "\n");
}

static void
text_policy(struct out *o, const struct facts *f)
{
	char duplicates[POLICY_TEXT], size[60] = "none", retain[POLICY_TEXT], history[POLICY_TEXT];

	if (f->policies->has_max_size)
		(void)size_text(f->policies->max_bytes, size);
	line(o, "policy: duplicates %s, max-size %s, retain %s, history %s", policy_text(f->policies, POLICY_DUPLICATES, duplicates), size,
	    policy_text(f->policies, POLICY_RETAIN, retain), policy_text(f->policies, POLICY_HISTORY, history));
}

static int
print_text(struct out *o, struct facts *f, bool first)
{
	char a[TIMEARG_TEXT + 1], b[TIMEARG_TEXT + 1], size[60], gap[100] = "none", number[40], id[33];
	const struct otr_info *i = &f->info;
	struct otr_meta entry;
	struct otr_error err = { 0 };
	enum otr_status status;

	for (unsigned k = 0; k < 16; k++)
		(void)snprintf(id + 2 * k, 3, "%02x", i->file_id[k]);
	if (!first)
		out_text(o, "\n");
	line(o, "file: %s", f->name);
	line(o, "format: OTR %u.%u", i->format_major, i->format_minor);
	line(o, "id: %s", id);
	line(o, "page-size: %s", size_text(f->schema->page_bytes, size));
	line(o, "size: %s", size_text(i->file_bytes, size));
	line(o, "version: %llu (oldest kept %llu)", (unsigned long long)i->version, (unsigned long long)i->oldest_version);
	line(o, "rows: %llu", (unsigned long long)i->rows);
	if (i->rows > 0) {
		line(o, "first: %s", time_text(&f->time, i->first_ns, a));
		line(o, "last: %s", time_text(&f->time, i->last_ns, b));
		line(o, "time-unit: %s", digits_names[i->time_digits]);
		*numtext_write_f64(number, (double)(uint64_t)(bytes_per_row(f) * 100 + 0.5) / 100) = '\0';
		line(o, "bytes-per-row: %s", number);
	}
	line(o, "depth: %u", i->depth);
	if (f->schema->has_gap)
		timearg_length_text(f->schema->gap_ns, gap, sizeof gap);
	line(o, "gap: %s", gap);
	text_policy(o, f);
	line(o, "commit: %s, %s by %s%s%s", time_text(&f->commit_time, f->commit.time_ns, a), kind_names[f->commit.kind],
	    f->commit.author[0] != '\0' ? f->commit.author : "nobody", f->commit.message[0] != '\0' ? ": " : "", f->commit.message);
	line(o, "pages: %llu, %llu live, %llu free", (unsigned long long)i->page_count, (unsigned long long)i->live_pages,
	    (unsigned long long)i->free_pages);
	if (f->scan != NULL) {
		line(o, "  leaf %llu, inner %llu, log %llu, meta %llu, free %llu", (unsigned long long)f->scan->leaf_pages,
		    (unsigned long long)f->scan->inner_pages, (unsigned long long)f->scan->log_pages, (unsigned long long)f->scan->meta_pages,
		    (unsigned long long)f->scan->free_pages);
		if (f->scan->page_bytes > 0)
			line(o, "fill: %llu %%", (unsigned long long)((double)f->scan->used_bytes * 100 / (double)f->scan->page_bytes + 0.5));
		line(o, "gaps: %llu, longest interval %s s", (unsigned long long)f->scan->gap_count, seconds_text(f->scan->longest_gap_ns, number));
		line(o, "duplicates: %llu", (unsigned long long)f->scan->duplicates);
	}
	for (unsigned c = 0; c < f->schema->columns; c++)
		text_column(o, f, c);
	for (size_t k = 0; (status = otr_meta_entry(f->file, k, &entry, &err)) == OTR_OK; k++)
		line(o, "meta: %s=%s", entry.key, entry.value);
	return status == OTR_END ? CLI_OK : cli_failed(f->name, &err);
}

/* ---- JSON ---- */

static void
json_time(struct out *o, const char *key, struct timearg_writer *w, bool known, int64_t ns)
{
	char text[TIMEARG_TEXT + 1];

	if (known)
		out_format(o, "\"%s\":\"%s\"", key, time_text(w, ns, text));
	else
		out_format(o, "\"%s\":null", key);
}

static void
json_number(struct out *o, const char *key, uint64_t value)
{
	out_format(o, "\"%s\":%llu", key, (unsigned long long)value);
}

static void
json_string(struct out *o, const char *key, const char *text)
{
	out_format(o, "\"%s\":", key);
	if (text != NULL)
		json_text(o, text);
	else
		out_text(o, "null");
}

static uint64_t
value_bits(const struct otr_column *c, const union otr_value *v)
{
	return c->type == OTR_F64 ? numtext_f64_bits(v->f) : c->type == OTR_F32 ? numtext_f32_bits((float)v->f) : (uint64_t)v->i;
}

static void
json_counts(struct out *o, const char *const *names, const uint64_t *counts, unsigned n, bool *first)
{
	for (unsigned i = 0; i < n; i++)
		if (counts[i] > 0) {
			out_format(o, "%s\"%s\":%llu", *first ? "" : ",", names[i], (unsigned long long)counts[i]);
			*first = false;
		}
}

static void
json_column(struct out *o, const struct facts *f, unsigned c)
{
	const struct otr_column *column = &f->schema->column[c];
	const struct otr_summary *s = &f->summary[c];
	bool first = true;

	out_text(o, c == 0 ? "{" : ",{");
	json_string(o, "name", column->name);
	out_format(o, ",\"type\":\"%s\",", type_names[column->type]);
	json_string(o, "unit", unit_of(f, column->name));
	out_format(o, ",\"interpolation\":\"%s\",", column->interpolation == OTR_STEP ? "step" : "linear");
	json_number(o, "count", s->count);
	out_text(o, ",");
	json_number(o, "nulls", s->rows - s->count - s->nans);
	out_text(o, ",");
	json_number(o, "nans", s->nans);
	if (s->count > 0) {
		out_text(o, ",\"min\":");
		json_value(o, column->type, value_bits(column, &s->min));
		out_text(o, ",\"max\":");
		json_value(o, column->type, value_bits(column, &s->max));
		out_text(o, ",\"mean\":");
		json_value(o, OTR_F64, numtext_f64_bits(otr_summary_mean(s, column->type)));
	} else {
		out_text(o, ",\"min\":null,\"max\":null,\"mean\":null");
	}
	out_text(o, ",\"encodings\":");
	if (f->scan != NULL) {
		out_text(o, "{");
		json_counts(o, transform_names, f->scan->transform[c], 5, &first);
		json_counts(o, packing_names, f->scan->packing[c], 3, &first);
		out_text(o, "}");
	} else {
		out_text(o, "null");
	}
	out_text(o, "}");
}

static void
json_policy(struct out *o, const struct facts *f)
{
	const struct otr_policies *p = f->policies;
	char text[POLICY_TEXT];

	out_text(o, "\"policy\":{");
	json_string(o, "duplicates", policy_text(p, POLICY_DUPLICATES, text));
	if (p->has_max_size)
		out_format(o, ",\"max_size\":%llu,", (unsigned long long)p->max_bytes);
	else
		out_text(o, ",\"max_size\":null,");
	json_string(o, "retain", p->has_retain ? policy_text(p, POLICY_RETAIN, text) : NULL);
	out_text(o, ",");
	json_string(o, "history", policy_text(p, POLICY_HISTORY, text));
	out_text(o, "},");
}

static void
json_pages(struct out *o, const struct facts *f)
{
	const struct otr_scan *s = f->scan;
	char text[40];

	out_text(o, "\"pages\":{");
	json_number(o, "total", f->info.page_count);
	if (s == NULL) {
		out_text(o, ",\"leaf\":null,\"inner\":null,\"log\":null,\"meta\":null,");
		json_number(o, "free", f->info.free_pages);
		out_text(o, "},\"fill\":null,\"gaps\":null,\"duplicates\":null");
		return;
	}
	out_format(o, ",\"leaf\":%llu,\"inner\":%llu,\"log\":%llu,\"meta\":%llu,\"free\":%llu},\"fill\":", (unsigned long long)s->leaf_pages,
	    (unsigned long long)s->inner_pages, (unsigned long long)s->log_pages, (unsigned long long)s->meta_pages,
	    (unsigned long long)s->free_pages);
	if (s->page_bytes > 0)
		json_value(o, OTR_F64, numtext_f64_bits((double)s->used_bytes / (double)s->page_bytes));
	else
		out_text(o, "null");
	out_format(o, ",\"gaps\":{\"count\":%llu,\"longest\":%s},", (unsigned long long)s->gap_count, seconds_text(s->longest_gap_ns, text));
	json_number(o, "duplicates", s->duplicates);
}

static int
print_json(struct out *o, struct facts *f)
{
	const struct otr_info *i = &f->info;
	struct otr_meta entry;
	struct otr_error err = { 0 };
	enum otr_status status;
	char text[100];

	out_text(o, "{");
	json_string(o, "file", f->name);
	out_format(o, ",\"format\":\"%u.%u\",\"id\":\"", i->format_major, i->format_minor);
	for (unsigned k = 0; k < 16; k++)
		out_format(o, "%02x", i->file_id[k]);
	out_format(o, "\",\"page_size\":%u,\"size\":%llu,\"version\":%llu,\"oldest_version\":%llu,\"versions\":%llu,\"rows\":%llu,",
	    f->schema->page_bytes, (unsigned long long)i->file_bytes, (unsigned long long)i->version, (unsigned long long)i->oldest_version,
	    (unsigned long long)(i->newest_version - i->oldest_version + 1), (unsigned long long)i->rows);
	json_time(o, "first", &f->time, i->rows > 0, i->first_ns);
	out_text(o, ",");
	json_time(o, "last", &f->time, i->rows > 0, i->last_ns);
	out_format(o, ",\"time_unit\":\"%s\",\"bytes_per_row\":", digits_names[i->time_digits]);
	if (i->rows > 0)
		json_value(o, OTR_F64, numtext_f64_bits(bytes_per_row(f)));
	else
		out_text(o, "null");
	out_format(o, ",\"depth\":%u,\"gap\":", i->depth);
	if (f->schema->has_gap)
		timearg_length_text(f->schema->gap_ns, text, sizeof text);
	out_format(o, f->schema->has_gap ? "\"%s\"," : "null,", text);
	json_policy(o, f);
	out_text(o, "\"meta\":{");
	for (size_t k = 0; (status = otr_meta_entry(f->file, k, &entry, &err)) == OTR_OK; k++) {
		if (k > 0)
			out_text(o, ",");
		json_text(o, entry.key);
		out_text(o, ":");
		json_text(o, entry.value);
	}
	out_format(o, "},\"commit\":{\"version\":%llu,", (unsigned long long)f->commit.version);
	json_time(o, "time", &f->commit_time, true, f->commit.time_ns);
	out_text(o, ",");
	json_string(o, "author", f->commit.author);
	out_format(o, ",\"kind\":\"%s\",\"rows\":%llu,", kind_names[f->commit.kind], (unsigned long long)f->commit.rows);
	json_string(o, "message", f->commit.message);
	out_text(o, "},\"columns\":[");
	for (unsigned c = 0; c < f->schema->columns; c++)
		json_column(o, f, c);
	out_text(o, "],");
	json_pages(o, f);
	out_text(o, "}\n");
	return status == OTR_END ? CLI_OK : cli_failed(f->name, &err);
}

/* ---- list ---- */

static void
print_list(struct out *o, struct facts *f)
{
	char first[TIMEARG_TEXT + 1] = "", last[TIMEARG_TEXT + 1] = "", number[NUMTEXT_MAX + 1] = "", shown[1200];
	bool any = f->info.rows > 0;

	if (any) {
		(void)time_text(&f->time, f->info.first_ns, first);
		(void)time_text(&f->time, f->info.last_ns, last);
		*numtext_write_f64(number, bytes_per_row(f)) = '\0';
	}
	csv_write(o, shown, cli_escape(f->name, strlen(f->name), shown, sizeof shown), ',', false);
	out_format(o, ",%llu,%s,%s,%llu,%llu,%s\n", (unsigned long long)f->info.rows, first, last, (unsigned long long)f->info.version,
	    (unsigned long long)f->info.file_bytes, number);
}

/* ---- gathering ---- */

/* The statistics of all columns: the summaries live until the query closes. */
static int
gather(const struct opts *o, struct facts *f, struct otr_query **query, struct otr_scan *scan)
{
	struct otr_window_spec spec = { .kind = OTR_WINDOW_WHOLE, .start_ns = INT64_MIN, .end_ns = INT64_MAX };
	struct otr_window window;
	struct otr_error err = { 0 };
	struct timearg_why why;

	f->schema = otr_schema(f->file);
	f->policies = otr_policies(f->file);
	otr_get_info(f->file, &f->info);
	(void)timearg_writer_init(&f->time, NULL, o->clock.zone, f->info.time_digits, &why);          /* RFC 3339 is never refused */
	if (o->list)
		return CLI_OK;
	spec.columns = f->schema->columns == 64 ? UINT64_MAX : (UINT64_C(1) << f->schema->columns) - 1;
	if (otr_commit_get(f->file, &f->commit, &err) != OTR_OK || otr_query_open(f->file, &spec, query, &err) != OTR_OK ||
	    otr_query_next(*query, &window, &err) != OTR_OK || (o->scan && otr_scan(f->file, scan, &err) != OTR_OK))
		return cli_failed(f->name, &err);
	(void)timearg_writer_init(&f->commit_time, NULL, o->clock.zone, timearg_time_digits(f->commit.time_ns), &why);
	f->summary = window.column;
	f->scan = o->scan ? scan : NULL;
	return CLI_OK;
}

static int
stat_file(const struct opts *o, struct out *out, const char *path, bool first)
{
	struct facts f = { .name = reader_name(path) };
	struct otr_scan *scan = cli_alloc(1, sizeof *scan);
	struct otr_query *query = NULL;
	int worst = CLI_OK, status = reader_open(path, &o->at, &f.file, &worst);

	if (status == CLI_OK)
		status = gather(o, &f, &query, scan);
	if (status == CLI_OK && o->list)
		print_list(out, &f);
	else if (status == CLI_OK)
		status = o->json ? print_json(out, &f) : print_text(out, &f, first);
	otr_query_close(query);
	otr_close(f.file);
	free(scan);
	return cli_worst(status, worst);
}

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	*o = (struct opts){ .list = opts_has(g, OPT_LIST), .json = opts_has(g, OPT_JSON), .scan = opts_has(g, OPT_SCAN) };
	if (g->operands == 0)
		return cli_usage("no FILE");
	if (o->list && o->json)
		return opts_refuse_pair(OPT_LIST, "with --json");
	if (o->list && o->scan)
		return opts_refuse_pair(OPT_SCAN, "with --list");
	status = reader_clock(g, &o->clock);
	return status != CLI_OK ? status : reader_at(g, &o->clock, &o->at);
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o;
	struct out out;
	int status;

	cli_start("otr-stat");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = out_open(&out, NULL, false);
	if (status == CLI_OK) {
		if (o.list)
			out_text(&out, "file,rows,first,last,version,size,bytes_per_row\n");
		for (size_t i = 0; i < given.operands && !out.failed; i++)
			status = cli_worst(status, stat_file(&o, &out, given.operand[i], i == 0));
		status = cli_worst(status, out_close(&out, true));
	}
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
