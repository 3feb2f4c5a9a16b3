/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-query - exact answers: aggregates over the range or over windows, or the nearest and the last rows.
 *
 * Two passes over the FILEs: the first learns their columns and times, for the one header and the digits of the times; the second answers.
 * Up to KEPT_OPEN files stay open from one to the other.
 */
#include "aggregate.h"
#include "cli.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_OPEN 32

static const struct opts_about about = {
	.tool = OPTS_QUERY,
	.synopsis = "otr-query [options] FILE...\n",
	.purpose = "Aggregates: count nulls nans min max range first last tmin tmax tfirst tlast\n"
		   "sum mean var stddev area covered twa rise rate; rows by --last and --nearest.\n",
	.examples = "  otr-query -s -1d -w 1h -a mean,max pump.otr\n"
		    "  otr-query --last 10 *.otr\n",
};

enum mode { MODE_WHOLE, MODE_WINDOWS, MODE_POINTS, MODE_LAST, MODE_NEAREST };

struct opts {
	enum mode mode;
	struct reader_clock clock;
	struct reader_at at;
	struct reader_range range;
	struct reader_output output;
	struct opts_list columns;
	enum aggregate aggregate[AGGREGATES];
	size_t aggregates;
	unsigned want;
	uint64_t width_ns, points, last, limit;
	struct timearg nearest, origin;
	bool limited, before, reverse, fail_empty, explain, verbose;
};

/* One FILE. */
struct source {
	const char *path;
	struct otr *file;              /* NULL: to be opened again */
	struct otr_info info;
	int64_t start, end;
	struct binary_column *column;  /* one for each column of the output; names are the output's */
	bool usable;
};

struct query {
	const struct opts *o;
	struct source *source;
	size_t sources;
	char **name;                   /* columns of the output */
	size_t names;
	unsigned digits;
	struct out out;
	struct emit emit;
	uint64_t selected;
	char *line;                    /* room for one */
	int status;
};

/* ---- options ---- */

static int
take_aggregates(const struct opts_given *g, struct opts *o)
{
	static const enum aggregate defaults[] = { AGGREGATE_COUNT, AGGREGATE_MIN, AGGREGATE_MEAN, AGGREGATE_MAX };
	struct opts_list list;
	int status = opts_list(g, OPT_AGGREGATE, &list);

	for (size_t i = 0; status == CLI_OK && i < list.count; i++) {
		enum aggregate a;

		if (!aggregate_find(list.name[i], &a)) {
			status = opts_refuse(list.name[i], OPT_AGGREGATE, "not an aggregate", "count nulls nans min max range first last tmin tmax "
			    "tfirst tlast sum mean var stddev area covered twa rise rate");
			break;
		}
		for (size_t j = 0; j < o->aggregates && status == CLI_OK; j++)
			if (o->aggregate[j] == a)
				status = opts_refuse(list.name[i], OPT_AGGREGATE, "given twice", "");
		if (status == CLI_OK)
			o->aggregate[o->aggregates++] = a;
	}
	if (list.count == 0) {
		memcpy(o->aggregate, defaults, sizeof defaults);
		o->aggregates = sizeof defaults / sizeof defaults[0];
	}
	for (size_t i = 0; i < o->aggregates; i++)
		o->want |= aggregate_want(o->aggregate[i]);
	opts_list_free(&list);
	return status;
}

static int
take_mode(const struct opts_given *g, struct opts *o)
{
	static const enum opts_id modes[] = { OPT_WINDOW, OPT_POINTS, OPT_LAST, OPT_NEAREST };
	static const enum mode of_option[] = { MODE_WINDOWS, MODE_POINTS, MODE_LAST, MODE_NEAREST };
	const char *found = NULL;

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (!opts_has(g, modes[i]))
			continue;
		if (found != NULL)
			return cli_usage("--%s and --%s exclude each other", found, opts_name(modes[i]));
		found = opts_name(modes[i]);
		o->mode = of_option[i];
	}
	if ((o->mode == MODE_LAST || o->mode == MODE_NEAREST) && opts_has(g, OPT_AGGREGATE))
		return opts_refuse_pair(OPT_AGGREGATE, "on rows (--last, --nearest)");
	if (opts_has(g, OPT_BEFORE) && o->mode != MODE_NEAREST)
		return opts_refuse_pair(OPT_BEFORE, "without --nearest");
	if (opts_has(g, OPT_ORIGIN) && o->mode != MODE_WINDOWS)
		return opts_refuse_pair(OPT_ORIGIN, "without --window");
	o->before = opts_has(g, OPT_BEFORE);
	return CLI_OK;
}

static int
take_lengths(const struct opts_given *g, struct opts *o)
{
	struct timearg_why why;
	int status = CLI_OK;

	if (o->mode == MODE_WINDOWS && !timearg_window(opts_value(g, OPT_WINDOW), &o->width_ns, &why))
		return opts_refuse(opts_value(g, OPT_WINDOW), OPT_WINDOW, why.what, why.remedy);
	if (o->mode == MODE_POINTS)
		status = opts_count(g, OPT_POINTS, false, &o->points);
	if (status == CLI_OK && o->mode == MODE_POINTS && o->points == 0)
		status = opts_refuse(opts_value(g, OPT_POINTS), OPT_POINTS, "out of range", "at least 1");
	if (status == CLI_OK && o->mode == MODE_LAST)
		status = opts_count(g, OPT_LAST, false, &o->last);
	if (status == CLI_OK && o->limited)
		status = opts_count(g, OPT_LIMIT, false, &o->limit);
	if (status == CLI_OK)
		status = reader_time(g, OPT_NEAREST, &o->clock, TIMEARG_ANYWHERE, &o->nearest);
	if (status == CLI_OK)
		status = reader_time(g, OPT_ORIGIN, &o->clock, TIMEARG_ANYWHERE, &o->origin);
	return status;
}

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	*o = (struct opts){ .limited = opts_has(g, OPT_LIMIT), .reverse = opts_has(g, OPT_REVERSE), .fail_empty = opts_has(g, OPT_FAIL_EMPTY),
		.explain = opts_has(g, OPT_EXPLAIN), .verbose = opts_has(g, OPT_VERBOSE) && !opts_has(g, OPT_QUIET), .limit = UINT64_MAX };
	if (g->operands == 0)
		return cli_usage("no FILE");
	if ((status = reader_clock(g, &o->clock)) != CLI_OK || (status = reader_at(g, &o->clock, &o->at)) != CLI_OK ||
	    (status = reader_range(g, &o->clock, &o->range)) != CLI_OK || (status = reader_output(g, 0, &o->output)) != CLI_OK ||
	    (status = opts_list(g, OPT_COLUMNS, &o->columns)) != CLI_OK || (status = take_mode(g, o)) != CLI_OK ||
	    (status = take_aggregates(g, o)) != CLI_OK)
		return status;
	return take_lengths(g, o);
}

static bool
wants_rows(const struct opts *o)
{
	return o->mode == MODE_LAST || o->mode == MODE_NEAREST;
}

/* ---- the first pass ---- */

static void
add_name(struct query *q, const char *name)
{
	for (size_t i = 0; i < q->names; i++)
		if (strcmp(q->name[i], name) == 0)
			return;
	q->name = cli_resize(q->name, q->names + 1, sizeof *q->name);
	q->name[q->names++] = cli_copy(name, strlen(name));
}

static void
need_digits(struct query *q, unsigned digits)
{
	if (digits > q->digits)
		q->digits = digits;
}

/* The starts of windows may need more digits than the rows' times. */
/* The range of --points: of the option, or of the rows.  false: there is none, or it is empty. */
static bool
points_range(const struct source *s, int64_t *first, uint64_t *length)
{
	int64_t end = s->end != INT64_MAX ? s->end : s->info.last_ns + 1;

	*first = s->start != INT64_MIN ? s->start : s->info.first_ns;
	*length = (uint64_t)end - (uint64_t)*first;
	return (s->info.rows > 0 || (s->start != INT64_MIN && s->end != INT64_MAX)) && end > *first;
}

static void
need_window_digits(struct query *q, const struct source *s)
{
	const struct opts *o = q->o;
	int64_t first;
	uint64_t length;

	if (o->mode == MODE_WHOLE && s->start != INT64_MIN)
		need_digits(q, timearg_time_digits(s->start));
	if (o->mode == MODE_WINDOWS)
		need_digits(q, timearg_digits(o->width_ns));
	if (o->mode != MODE_POINTS || !points_range(s, &first, &length))
		return;
	need_digits(q, timearg_time_digits(first));
	if (o->points > 1)
		need_digits(q, length % o->points != 0 ? 9 : timearg_digits(length / o->points));
}

static int
learn(struct query *q, struct source *s)
{
	const struct opts *o = q->o;
	int worst = CLI_OK, status = reader_open(s->path, &o->at, &s->file, &worst);
	const struct otr_schema *schema;
	int64_t first;
	uint64_t length;

	q->status = cli_worst(q->status, worst);
	if (status != CLI_OK)
		return status;
	otr_get_info(s->file, &s->info);
	status = reader_range_in(&o->range, &o->clock, &s->info, reader_name(s->path), &s->start, &s->end);
	if (status != CLI_OK)
		return status;
	if (o->mode == MODE_POINTS && points_range(s, &first, &length) && o->points > length) {
		cli_error(reader_name(s->path), 0, "--points: %llu windows, but the range has %llu nanoseconds", (unsigned long long)o->points,
		    (unsigned long long)length);
		return CLI_USAGE;
	}
	schema = otr_schema(s->file);
	if (o->columns.count == 0)
		for (unsigned c = 0; c < schema->columns; c++)
			add_name(q, schema->column[c].name);
	need_digits(q, s->info.time_digits);
	need_window_digits(q, s);
	return CLI_OK;
}

/* Which column of the file each column of the output is. */
static void
match_columns(struct query *q, struct source *s)
{
	const struct otr_schema *schema = otr_schema(s->file);

	s->column = cli_alloc(q->names, sizeof *s->column);
	for (size_t i = 0; i < q->names; i++) {
		s->column[i] = (struct binary_column){ .name = q->name[i], .type = OTR_F64, .index = -1 };
		for (unsigned c = 0; c < schema->columns; c++)
			if (strcmp(schema->column[c].name, q->name[i]) == 0) {
				s->column[i].index = (int)c;
				s->column[i].type = schema->column[c].type;
			}
	}
}

static int
take_columns(struct query *q)
{
	const struct opts_list *list = &q->o->columns;

	for (size_t i = 0; i < list->count; i++) {
		struct cli_quoted quoted;

		for (size_t j = 0; j < i; j++)
			if (strcmp(list->name[i], list->name[j]) == 0)
				return cli_usage("--columns: twice: \"%s\"", cli_quote(list->name[i], strlen(list->name[i]), &quoted));
		add_name(q, list->name[i]);
	}
	return CLI_OK;
}

/* A column that no FILE has is refused; one that only some have is null in the others. */
static int
check_columns(const struct query *q)
{
	for (size_t i = 0; i < q->o->columns.count; i++) {
		const struct source *first = NULL;
		bool found = false;

		for (size_t k = 0; k < q->sources; k++)
			if (q->source[k].usable) {
				first = first == NULL ? &q->source[k] : first;
				found = found || q->source[k].column[i].index >= 0;
			}
		if (first != NULL && !found)
			return reader_no_column(reader_name(first->path), q->name[i], otr_schema(first->file));
	}
	return CLI_OK;
}

static bool
learn_all(struct query *q)
{
	bool any = false;
	int status = take_columns(q);

	for (size_t k = 0; k < q->sources && status == CLI_OK; k++) {
		struct source *s = &q->source[k];
		int learnt = learn(q, s);

		s->usable = learnt == CLI_OK;
		any = any || s->usable;
		q->status = cli_worst(q->status, learnt);
	}
	for (size_t k = 0; k < q->sources && status == CLI_OK; k++)
		if (q->source[k].usable)
			match_columns(q, &q->source[k]);
	if (status == CLI_OK)
		status = check_columns(q);
	q->status = cli_worst(q->status, status);
	return status == CLI_OK && any;
}

/* ---- output ---- */

static void
write_header(struct query *q)
{
	const struct opts *o = q->o;
	struct emit *e = &q->emit;

	if (o->output.no_header)
		return;
	if (q->sources > 1)
		emit_name(e, "file", true);
	emit_name(e, timearg_field(&e->time), q->sources == 1);
	for (size_t i = 0; i < q->names; i++) {
		char name[OTR_MAX_NAME + 16];

		if (wants_rows(o)) {
			emit_name(e, q->name[i], false);
			continue;
		}
		for (size_t a = 0; a < o->aggregates; a++) {
			size_t len = strlen(q->name[i]);

			memcpy(name, q->name[i], len);
			name[len] = '_';
			memcpy(name + len + 1, aggregate_name(o->aggregate[a]), strlen(aggregate_name(o->aggregate[a])) + 1);
			emit_name(e, name, false);
		}
	}
	emit_end_line(e);
}

/* A window as a line, without the file. */
static size_t
format_window(struct query *q, const struct source *s, const struct otr_window *w)
{
	struct emit *e = &q->emit;
	char *p = q->line;

	p = w->start_ns == INT64_MIN ? emit_null(e, p) : emit_time(e, p, w->start_ns);
	for (size_t i = 0; i < q->names; i++)
		for (size_t a = 0; a < q->o->aggregates; a++) {
			const struct binary_column *c = &s->column[i];

			p = emit_part(e, p);
			if (c->index < 0)
				p = aggregate_write_absent(e, p, q->o->aggregate[a]);
			else
				p = aggregate_write(e, p, q->o->aggregate[a], &w->column[c->index], c->type);
		}
	*p++ = '\n';
	return (size_t)(p - q->line);
}

static void
write_line(struct query *q, const struct source *s, const char *line, size_t len)
{
	if (q->sources > 1) {
		emit_text(&q->emit, s->path);
		out_bytes(&q->out, &q->emit.delimiter, 1);
	}
	out_bytes(&q->out, line, len);
}

/* Lines kept for --reverse: the last `limit` of them. */
struct lines {
	char *bytes;
	size_t used, room;
	size_t *end;                   /* of line i */
	size_t count, count_room;
	size_t first;                  /* lines before it are not wanted any more */
};

static void
keep_line(struct lines *l, const char *line, size_t len, uint64_t limit)
{
	if (l->first > 1024 && l->first > l->count / 2) {          /* half of it is waste */
		size_t gone = l->end[l->first - 1];

		memmove(l->bytes, l->bytes + gone, l->used - gone);
		for (size_t i = l->first; i < l->count; i++)
			l->end[i - l->first] = l->end[i] - gone;
		l->used -= gone;
		l->count -= l->first;
		l->first = 0;
	}
	if (l->used + len > l->room) {
		l->room = 2 * l->room + len + 65536;
		l->bytes = cli_resize(l->bytes, l->room, 1);
	}
	if (l->count == l->count_room) {
		l->count_room = 2 * l->count_room + 1024;
		l->end = cli_resize(l->end, l->count_room, sizeof *l->end);
	}
	memcpy(l->bytes + l->used, line, len);
	l->used += len;
	l->end[l->count++] = l->used;
	if (l->count - l->first > limit)
		l->first++;
}

static void
write_kept(struct query *q, const struct source *s, const struct lines *l)
{
	for (size_t i = l->count; i-- > l->first;) {
		size_t from = i > 0 ? l->end[i - 1] : 0;

		write_line(q, s, l->bytes + from, l->end[i] - from);
	}
}

/* ---- windows ---- */

static int
window_spec(const struct query *q, const struct source *s, struct otr_window_spec *spec, bool *nothing)
{
	const struct opts *o = q->o;
	bool known = true;
	int status = CLI_OK;

	*nothing = false;
	*spec = (struct otr_window_spec){ .start_ns = s->start, .end_ns = s->end, .columns = reader_column_bits(s->column, q->names),
		.want = o->want, .width_ns = o->width_ns, .points = o->points };
	switch (o->mode) {
	case MODE_WINDOWS:
		spec->kind = OTR_WINDOW_FIXED;
		if (o->origin.given)
			status = reader_time_in(&o->origin, OPT_ORIGIN, &o->clock, &s->info, reader_name(s->path), &spec->origin_ns, &known);
		*nothing = !known;
		break;
	case MODE_POINTS:
		spec->kind = OTR_WINDOW_POINTS;
		/* without rows or bounds there is no range to part */
		*nothing = s->info.rows == 0 && (s->start == INT64_MIN || s->end == INT64_MAX);
		break;
	default:
		spec->kind = OTR_WINDOW_WHOLE;
		break;
	}
	return status;
}

/* A window without rows answers too, if area was asked for and two rows about it cover a part of it. */
static bool
is_answer(const struct query *q, const struct source *s, const struct otr_window *window)
{
	for (size_t i = 0; window->rows == 0 && (q->o->want & OTR_WANT_AREA) != 0 && i < q->names; i++)
		if (s->column[i].index >= 0 && window->column[s->column[i].index].covered_ns > 0)
			return true;
	return window->rows > 0;
}

static int
write_windows(struct query *q, struct source *s)
{
	const struct opts *o = q->o;
	struct otr_query *query = NULL;
	struct otr_window_spec spec;
	struct otr_window window;
	struct otr_error err = { 0 };
	struct lines lines = { 0 };
	uint64_t shown = 0;
	int64_t last_ns = 0;
	bool nothing;
	enum otr_status status;
	int exit_status = window_spec(q, s, &spec, &nothing);

	if (exit_status != CLI_OK || nothing)
		return exit_status;
	status = otr_query_open(s->file, &spec, &query, &err);
	while (status == OTR_OK && !q->out.failed && (o->reverse || shown < o->limit)) {
		status = otr_query_next(query, &window, &err);
		if (status != OTR_OK)
			break;
		if (o->mode != MODE_WHOLE || is_answer(q, s, &window))
			q->selected++;
		if (o->reverse)
			keep_line(&lines, q->line, format_window(q, s, &window), o->limit);
		else
			write_line(q, s, q->line, format_window(q, s, &window));
		last_ns = window.start_ns;
		shown++;
	}
	otr_query_close(query);
	write_kept(q, s, &lines);
	free(lines.bytes);
	free(lines.end);
	if (status == OTR_OK || status == OTR_END)
		return CLI_OK;
	exit_status = cli_failed(reader_name(s->path), &err);
	if (exit_status == CLI_FILE && !o->reverse)
		reader_tell_reach(s->path, o->clock.zone, shown > 0, last_ns);
	return exit_status;
}

/* ---- rows ---- */

/* Emits up to n rows of [start, end) in an order, after `skip` of them.  Without emitting: only counts, and finds the last one's time. */
struct walk {
	int64_t start, end;
	bool reverse, emit;
	uint64_t skip, n;
	/* results */
	uint64_t given;                /* rows walked, at most n */
	int64_t last_ns;               /* time of the last of them */
	uint64_t alike;                /* of the rows at that time, how many */
};

static int
walk(struct query *q, struct source *s, struct walk *w)
{
	struct otr_cursor *cursor = NULL;
	struct otr_error err = { 0 };
	struct otr_rows rows;
	enum otr_status status = otr_cursor_open(s->file, w->start, w->end, w->emit ? reader_column_bits(s->column, q->names) : 0, w->reverse,
	    &cursor, &err);

	w->given = w->alike = 0;
	while (status == OTR_OK && w->given < w->n && !q->out.failed) {
		size_t from, n;

		status = otr_cursor_next(cursor, &rows, &err);
		if (status != OTR_OK)
			break;
		from = rows.n < w->skip ? rows.n : (size_t)w->skip;
		w->skip -= from;
		n = rows.n - from < w->n - w->given ? rows.n - from : (size_t)(w->n - w->given);
		if (w->emit && n > 0)
			emit_rows(&q->emit, s->column, q->names, &rows, from, n);
		for (size_t i = from; i < from + n; i++) {
			w->alike = w->given + (i - from) > 0 && rows.time_ns[i] == w->last_ns ? w->alike + 1 : 1;
			w->last_ns = rows.time_ns[i];
		}
		w->given += n;
	}
	otr_cursor_close(cursor);
	if (status == OTR_OK || status == OTR_END)
		return CLI_OK;
	return cli_failed(reader_name(s->path), &err);
}

/*
 * The first n rows of a range (from_end: the last n), in time order or (reverse) against it.  Where the order is not that of the walk which
 * finds them, a walk without columns finds the far end, and of several rows at that time how many belong.
 */
static int
write_some(struct query *q, struct source *s, int64_t start, int64_t end, uint64_t n, bool from_end)
{
	struct walk find = { .start = start, .end = end, .reverse = from_end, .n = n };
	struct walk same, rows = { .start = start, .end = end, .reverse = q->o->reverse, .n = n, .emit = true };
	int status;

	if (start > end || n == 0)
		return CLI_OK;
	q->emit.file = q->sources > 1 ? s->path : NULL;
	if (from_end != q->o->reverse) {
		status = walk(q, s, &find);
		if (status != CLI_OK || find.given == 0)
			return status;
		same = (struct walk){ .start = find.last_ns, .end = find.last_ns + 1, .n = UINT64_MAX };
		status = walk(q, s, &same);
		if (status != CLI_OK)
			return status;
		rows.skip = find.given < n ? 0 : same.given - find.alike;
		if (find.given == n && from_end)
			rows.start = find.last_ns;
		else if (find.given == n)
			rows.end = find.last_ns + 1;
		rows.n = find.given;
	}
	status = walk(q, s, &rows);
	q->selected += rows.given;
	return status;
}

static int
write_rows(struct query *q, struct source *s)
{
	const struct opts *o = q->o;
	uint64_t n = o->mode == MODE_LAST ? (o->last < o->limit ? o->last : o->limit) : o->limited ? o->limit : 1;
	int64_t start = s->start, end = s->end, at = 0;
	bool known = true;
	int status;

	if (o->mode == MODE_LAST) {
		/* -n comes after the order: of the last rows the first n, or in the other order the last */
		if (o->limit < o->last && !o->reverse) {
			struct walk find = { .start = start, .end = end, .reverse = true, .n = o->last }, same, rows;

			status = walk(q, s, &find);
			if (status != CLI_OK || find.given == 0)
				return status;
			same = (struct walk){ .start = find.last_ns, .end = find.last_ns + 1, .n = UINT64_MAX };
			status = walk(q, s, &same);
			rows = (struct walk){ .start = find.last_ns, .end = end, .n = n, .emit = true, .skip = same.given - find.alike };
			q->emit.file = q->sources > 1 ? s->path : NULL;
			if (status == CLI_OK)
				status = walk(q, s, &rows);
			q->selected += rows.given;
			return status;
		}
		return write_some(q, s, start, end, n, true);
	}
	status = reader_time_in(&o->nearest, OPT_NEAREST, &o->clock, &s->info, reader_name(s->path), &at, &known);
	if (status != CLI_OK || !known)
		return status;
	if (o->before)
		end = at < end ? at : end;
	else
		start = at > start ? at : start;
	return write_some(q, s, start, end, n, o->before);
}

/* ---- the second pass ---- */

static int
answer(struct query *q, struct source *s)
{
	int worst = CLI_OK, status = CLI_OK;

	if (s->file == NULL)
		status = reader_open(s->path, &q->o->at, &s->file, &worst);
	if (status != CLI_OK)
		return status;
	status = wants_rows(q->o) ? write_rows(q, s) : write_windows(q, s);
	if (q->o->explain)
		reader_explain(s->path, s->file);
	otr_close(s->file);
	s->file = NULL;
	return cli_worst(status, worst);
}

/* Too many files to keep open: they are opened again when it is their turn. */
static void
close_most(struct query *q)
{
	for (size_t k = KEPT_OPEN; k < q->sources; k++) {
		otr_close(q->source[k].file);
		q->source[k].file = NULL;
	}
}

static void
need_origin_digits(struct query *q)
{
	const struct timearg *t = &q->o->origin;

	if (t->given)
		need_digits(q, t->base == TIMEARG_FIXED ? timearg_time_digits(t->ns) : timearg_digits(t->shift.ns));
}

static int
run(const struct opts *o, const struct opts_given *g)
{
	struct query q = { .o = o, .sources = g->operands };
	int status = CLI_OK;

	q.source = cli_alloc(q.sources, sizeof *q.source);
	for (size_t k = 0; k < q.sources; k++)
		q.source[k].path = g->operand[k];
	if (!learn_all(&q))
		goto out;
	need_origin_digits(&q);
	status = reader_output_open(&o->output, o->clock.zone, q.digits, &q.out, &q.emit);
	if (status != CLI_OK)
		goto out;
	q.line = cli_alloc(emit_time_room(&q.emit) + q.names * o->aggregates * (emit_time_room(&q.emit) + emit_value_room(&q.emit)) + 2, 1);
	close_most(&q);
	write_header(&q);
	for (size_t k = 0; k < q.sources && !q.out.failed; k++)
		if (q.source[k].usable)
			status = cli_worst(status, answer(&q, &q.source[k]));
	if (o->verbose && status == CLI_OK)
		cli_note(NULL, "%llu %s", (unsigned long long)q.selected, wants_rows(o) ? "rows" : "windows");
	if (status == CLI_OK && o->fail_empty && q.selected == 0)
		status = CLI_NO;
	status = cli_worst(status, out_close(&q.out, status <= CLI_NO || o->output.path == NULL));
out:
	for (size_t k = 0; k < q.sources; k++) {
		otr_close(q.source[k].file);
		free(q.source[k].column);
	}
	for (size_t i = 0; i < q.names; i++)
		free(q.name[i]);
	free(q.name);
	free(q.line);
	free(q.source);
	return cli_worst(status, q.status);
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o;
	int status;

	cli_start("otr-query");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = run(&o, &given);
	opts_list_free(&o.columns);
	reader_clock_free(&o.clock);
	opts_release(&given);
	return status;
}
