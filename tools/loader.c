/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader.c - rows from text; binary.c has those of the binary stream.
 *
 * The fast way (fast_rows) goes over whole lines in the reader's buffer, field by field as the plan says, each value parsed where it
 * stands up to the byte that must end it.  Whatever is not plain (quotes, blanks in odd places, exponents, NaN, other null texts,
 * comments, a wrong number of fields) leaves that line to the general way (general_row), which knows every form and every message.
 */
#include "loader.h"

#include "binary.h"
#include "cli.h"
#include "csv.h"
#include "numtext.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRESENT_BYTES (LOADER_BATCH / 8)

enum step_kind { STEP_TIME, STEP_SKIP, STEP_BOOL, STEP_I32, STEP_I64, STEP_F32, STEP_F64 };

/* What to do with one field. */
struct step {
	enum step_kind kind;
	unsigned column;               /* of the schema */
	char end;                      /* the byte behind it */
};

struct loader {
	const struct loader_rules *rules;
	const char *name;
	struct csv_reader csv;
	struct timearg_reader time;
	bool started;                  /* the first record is behind us */
	char *header;                  /* its raw bytes, to know an exact repeat; NULL without */
	size_t header_len;
	struct step *step;             /* one a field */
	size_t steps;
	size_t time_field;
	struct binary_reader *binary;
	struct loader_counts counts;
	/* the batch */
	size_t n;
	int64_t *time_ns;
	uint64_t *value[OTR_MAX_COLUMNS];        /* absent columns share one array of zeros */
	uint8_t *present[OTR_MAX_COLUMNS];
	bool has_null[OTR_MAX_COLUMNS];
	uint64_t *zeros;
	uint8_t *absent;
	struct loader_run *run;
	size_t runs;
};

/* ---- opening ---- */

struct loader *
loader_open(const struct loader_rules *rules, int fd, const char *name)
{
	struct loader *l = cli_alloc(1, sizeof *l);

	l->rules = rules;
	l->name = name;
	if (rules->format == LOADER_BINARY) {
		l->binary = binary_open(rules, fd, name);
		return l;
	}
	csv_init(&l->csv, fd, rules->delimiter, rules->format == LOADER_TSV);
	timearg_reader_init(&l->time, rules->zone, rules->dst, rules->has_unit ? rules->unit : TIMEARG_S, !rules->any_time, rules->now);
	l->time_ns = cli_alloc(LOADER_BATCH, sizeof *l->time_ns);
	l->zeros = cli_alloc(LOADER_BATCH, sizeof *l->zeros);
	l->absent = cli_alloc(PRESENT_BYTES, 1);
	l->run = cli_alloc(LOADER_BATCH, sizeof *l->run);
	for (unsigned c = 0; c < rules->schema->columns; c++)
		l->value[c] = l->zeros;
	return l;
}

void
loader_close(struct loader *l)
{
	if (l == NULL)
		return;
	binary_close(l->binary);
	if (l->binary == NULL) {
		for (unsigned c = 0; c < l->rules->schema->columns; c++)
			if (l->value[c] != l->zeros) {
				free(l->value[c]);
				free(l->present[c]);
			}
		csv_release(&l->csv);
	}
	free(l->header);
	free(l->step);
	free(l->time_ns);
	free(l->zeros);
	free(l->absent);
	free(l->run);
	free(l);
}

int
loader_fill(struct loader *l)
{
	return l->binary != NULL ? binary_fill(l->binary) : csv_fill(&l->csv);
}

struct loader_counts
loader_counts(const struct loader *l)
{
	struct loader_counts counts = l->counts;

	if (l->binary != NULL)
		counts.rows = binary_rows(l->binary);
	return counts;
}

/* ---- the first record ---- */

static void
trim(const struct csv_field *f, const char **text, size_t *len)
{
	*text = f->text;
	*len = f->len;
	if (f->quoted)
		return;
	while (*len > 0 && (**text == ' ' || **text == '\t')) {
		++*text;
		--*len;
	}
	while (*len > 0 && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t'))
		--*len;
}

/* Inputs that are something else altogether get a hint.  True if the record was refused. */
static bool
refuse_foreign(const struct loader *l, const struct csv_record *r)
{
	const char *what = NULL;

	if (r->len >= 4 && memcmp(r->raw, "\x89OTR", 4) == 0)
		what = r->len >= 5 && r->raw[4] == 'B' ? "a binary row stream (-F binary)" : "an OTR file, not rows (otr-dump writes them)";
	else if (r->len >= 2 && (memcmp(r->raw, "\xff\xfe", 2) == 0 || memcmp(r->raw, "\xfe\xff", 2) == 0))
		what = "UTF-16 (the input must be UTF-8)";
	else if (r->len > 0 && r->raw[0] == '{')
		what = "JSON, which this release does not read (csv, tsv, binary)";
	if (what != NULL)
		cli_error(l->name, r->line, "this is %s", what);
	return what != NULL;
}

static enum step_kind
step_of(enum otr_type type)
{
	switch (type) {
	case OTR_BOOL: return STEP_BOOL;
	case OTR_I32: return STEP_I32;
	case OTR_I64: return STEP_I64;
	case OTR_F32: return STEP_F32;
	case OTR_F64: break;
	}
	return STEP_F64;
}

static void
use_column(struct loader *l, size_t field, unsigned column)
{
	l->step[field].kind = step_of(l->rules->schema->column[column].type);
	l->step[field].column = column;
	l->value[column] = cli_alloc(LOADER_BATCH, sizeof *l->value[column]);
	l->present[column] = cli_alloc(PRESENT_BYTES, 1);
	memset(l->present[column], 0xff, PRESENT_BYTES);
}

static void
plan(struct loader *l, size_t fields)
{
	l->steps = fields;
	l->step = cli_alloc(fields, sizeof *l->step);
	for (size_t i = 0; i < fields; i++) {
		l->step[i].kind = i == l->time_field ? STEP_TIME : STEP_SKIP;
		l->step[i].end = i + 1 == fields ? '\n' : l->csv.delimiter;
	}
}

int
loader_find_column(const struct loader_rules *rules, const char *name, size_t len)
{
	for (size_t i = 0; i < rules->map_count; i++)
		if (rules->map[i].name_len == len && memcmp(rules->map[i].name, name, len) == 0) {
			name = rules->map[i].column;
			len = strlen(name);
			break;
		}
	for (unsigned c = 0; c < rules->schema->columns; c++)
		if (strlen(rules->schema->column[c].name) == len && memcmp(rules->schema->column[c].name, name, len) == 0)
			return (int)c;
	return -1;
}

void
loader_column_list(const struct otr_schema *schema, uint64_t columns, char *out, size_t room)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned c = 0; c < schema->columns; c++) {
		if ((columns >> c & 1) == 0)
			continue;
		if (used + strlen(schema->column[c].name) + 8 > room) {
			(void)snprintf(out + used, room - used, ", ...");
			return;
		}
		used += (size_t)snprintf(out + used, room - used, "%s%s", used > 0 ? ", " : "", schema->column[c].name);
	}
}

static bool
refuse_unknown(const struct loader *l, uint64_t line, const char *name, size_t len)
{
	struct cli_quoted q;
	char list[600];

	loader_column_list(l->rules->schema, UINT64_MAX, list, sizeof list);
	cli_error(l->name, line, "no column: \"%s\"; columns are: %s (--ignore-unknown skips it, --map renames it)", cli_quote(name, len, &q), list);
	return false;
}

/* A header that has only one field was probably parted by something else. */
static const char *
delimiter_hint(const struct csv_record *r)
{
	if (r->count == 1 && memchr(r->raw, ';', r->len) != NULL)
		return " (perhaps -d ';')";
	if (r->count == 1 && memchr(r->raw, '\t', r->len) != NULL)
		return " (perhaps -d tab)";
	return "";
}

static bool
match_names(struct loader *l, const struct csv_record *r)
{
	const struct otr_schema *schema = l->rules->schema;
	uint64_t seen = 0, all = schema->columns == 64 ? UINT64_MAX : (UINT64_C(1) << schema->columns) - 1;
	struct cli_quoted q;
	char list[600];

	for (size_t i = 0; i < r->count; i++) {
		const char *name;
		size_t len;
		int column;

		if (i == l->time_field)
			continue;
		trim(&r->field[i], &name, &len);
		column = loader_find_column(l->rules, name, len);
		if (column < 0) {
			if (!l->rules->ignore_unknown)
				return refuse_unknown(l, r->line, name, len);
			continue;
		}
		if (seen >> column & 1) {
			cli_error(l->name, r->line, "two fields for column \"%s\"", cli_quote(name, len, &q));
			return false;
		}
		seen |= UINT64_C(1) << column;
		use_column(l, i, (unsigned)column);
	}
	loader_column_list(schema, all & ~seen, list, sizeof list);
	if (seen == 0) {
		cli_error(l->name, r->line, "the header names no column%s; columns are: %s", delimiter_hint(r), list);
		return false;
	}
	if (seen != all && !l->rules->quiet)
		cli_warning(l->name, r->line, "no field for: %s (null)", list);
	return true;
}

/* The unit that the time field's own name tells, unless --time-unit does. */
static void
unit_of_name(struct loader *l, const struct csv_field *f)
{
	const char *name, *mark = NULL;
	size_t len;
	enum timearg_unit unit;

	trim(f, &name, &len);
	for (size_t i = 0; i < len; i++)
		if (name[i] == '_')
			mark = name + i + 1;
	if (!l->rules->has_unit && mark != NULL && timearg_unit(mark, (size_t)(name + len - mark), &unit))
		timearg_reader_unit(&l->time, unit);
}

static bool
find_time_field(struct loader *l, const struct csv_record *r)
{
	struct cli_quoted q;

	l->time_field = l->rules->time_position;
	if (l->rules->time_name != NULL) {
		for (l->time_field = 0; l->time_field < r->count; l->time_field++) {
			const char *name;
			size_t len;

			trim(&r->field[l->time_field], &name, &len);
			if (len == strlen(l->rules->time_name) && memcmp(name, l->rules->time_name, len) == 0)
				return true;
		}
		cli_error(l->name, r->line, "the header has no time field: \"%s\"%s",
		    cli_quote(l->rules->time_name, strlen(l->rules->time_name), &q), delimiter_hint(r));
		return false;
	}
	if (l->time_field < r->count)
		return true;
	cli_error(l->name, r->line, "the record has %zu fields, the time is to be field %zu%s", r->count, l->time_field + 1, delimiter_hint(r));
	return false;
}

/* Rows without names: fields by position. */
static bool
match_positions(struct loader *l, const struct csv_record *r)
{
	unsigned column = 0;

	if (r->count != l->rules->schema->columns + (size_t)1) {
		cli_error(l->name, r->line, "%zu fields, %u expected (a time and %u columns; there is no header)%s", r->count,
		    l->rules->schema->columns + 1, l->rules->schema->columns, delimiter_hint(r));
		return false;
	}
	plan(l, r->count);
	for (size_t i = 0; i < r->count; i++)
		if (i != l->time_field)
			use_column(l, i, column++);
	return true;
}

static bool
is_header(const struct loader *l, const struct csv_record *r)
{
	const char *text;
	size_t len;

	if (l->rules->no_header)
		return false;
	if (l->rules->time_name != NULL)
		return true;
	trim(&r->field[l->time_field], &text, &len);
	return len == 0 || !((text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '+' || text[0] == '@');
}

enum first { FIRST_HEADER, FIRST_ROW, FIRST_BAD };

static enum first
first_record(struct loader *l, struct csv_record *r)
{
	const char *wrong;
	char *raw;
	size_t raw_len = r->len;

	if (refuse_foreign(l, r))
		return FIRST_BAD;
	raw = cli_copy(r->raw, r->len);      /* before the quotes are taken off in place */
	wrong = csv_split(&l->csv, r);
	if (wrong != NULL)
		cli_error(l->name, r->line, "%s", wrong);
	if (wrong != NULL || !find_time_field(l, r)) {
		free(raw);
		return FIRST_BAD;
	}
	l->started = true;
	if (!is_header(l, r)) {
		bool ok = match_positions(l, r);

		memcpy(r->raw, raw, raw_len);
		free(raw);
		return ok ? FIRST_ROW : FIRST_BAD;
	}
	l->header = raw;
	l->header_len = raw_len;
	l->counts.header++;
	plan(l, r->count);
	unit_of_name(l, &r->field[l->time_field]);
	return match_names(l, r) ? FIRST_HEADER : FIRST_BAD;
}

/* ---- the general way ---- */

static void
note_line(struct loader *l, uint64_t line)
{
	const struct loader_run *last = l->runs > 0 ? &l->run[l->runs - 1] : NULL;

	if (last == NULL || line - last->line != l->n - last->row)
		l->run[l->runs++] = (struct loader_run){ .row = l->n, .line = line };
}

static void
set_present(struct loader *l, unsigned column, size_t row, bool present)
{
	uint8_t bit = (uint8_t)(1U << (row & 7));

	if (present)
		l->present[column][row >> 3] |= bit;
	else
		l->present[column][row >> 3] &= (uint8_t)~bit;
	l->has_null[column] = l->has_null[column] || !present;
}

static bool
general_value(struct loader *l, const struct csv_record *r, size_t field)
{
	const struct step *s = &l->step[field];
	const struct csv_field *f = &r->field[field];
	const struct otr_column *column = &l->rules->schema->column[s->column];
	const char *text, *null_text = l->rules->null_text, *remedy;
	size_t len, null_len = strlen(null_text);
	enum numtext_status status;
	struct cli_quoted q;
	uint64_t bits = 0;

	trim(f, &text, &len);
	if ((len == null_len && memcmp(text, null_text, len) == 0) || (f->len == null_len && memcmp(f->text, null_text, f->len) == 0)) {
		set_present(l, s->column, l->n, false);
		l->value[s->column][l->n] = 0;
		return true;
	}
	status = numtext_read(column->type, text, len, &bits);
	if (status == NUMTEXT_OK) {
		set_present(l, s->column, l->n, true);
		l->value[s->column][l->n] = bits;
		return true;
	}
	remedy = numtext_remedy(status);
	if (status == NUMTEXT_FRACTION || status == NUMTEXT_RANGE)
		remedy = column->type == OTR_I32 ? "the column is i32" : column->type == OTR_I64 ? "the column is i64" :
		    column->type == OTR_F32 ? "the column is f32" : "";
	else if (status == NUMTEXT_NOT_NUMBER && len == 0)
		remedy = "--null-value names another text for null";
	cli_error(l->name, r->line, "column \"%s\": %s: \"%s\"%s%s%s", column->name, numtext_what(status), cli_quote(text, len, &q),
	    remedy[0] != '\0' ? " (" : "", remedy, remedy[0] != '\0' ? ")" : "");
	return false;
}

static bool
general_time(struct loader *l, const struct csv_record *r)
{
	const char *text;
	size_t len;
	struct timearg_why why;
	struct cli_quoted q;

	trim(&r->field[l->time_field], &text, &len);
	if (timearg_read(&l->time, text, len, &l->time_ns[l->n], &why))
		return true;
	cli_error(l->name, r->line, "%s: \"%s\"%s%s%s", why.what, cli_quote(text, len, &q), why.remedy[0] != '\0' ? " (" : "", why.remedy,
	    why.remedy[0] != '\0' ? ")" : "");
	return false;
}

static bool
general_row(struct loader *l, struct csv_record *r)
{
	const char *wrong = csv_split(&l->csv, r);

	if (wrong != NULL) {
		cli_error(l->name, r->line, "%s", wrong);
		return false;
	}
	if (r->count != l->steps) {
		cli_error(l->name, r->line, "%zu fields, %zu expected", r->count, l->steps);
		return false;
	}
	if (!general_time(l, r))
		return false;
	for (size_t i = 0; i < l->steps; i++)
		if (l->step[i].kind > STEP_SKIP && !general_value(l, r, i))
			return false;
	note_line(l, r->line);
	l->n++;
	return true;
}

/* One record of any kind. */
static enum loader_status
general_record(struct loader *l)
{
	struct csv_record r;

	switch (csv_next(&l->csv, &r)) {
	case CSV_NEED: return LOADER_NEED;
	case CSV_END: return LOADER_END;
	case CSV_LONG:
		cli_error(l->name, r.line, "a record of more than 1 MiB");
		return LOADER_BAD;
	case CSV_UNCLOSED:
		cli_error(l->name, r.line, "a quote that opens here is not closed");
		return LOADER_BAD;
	case CSV_RECORD: break;
	}
	if (r.line == 1 && r.len >= 3 && memcmp(r.raw, CSV_BOM, 3) == 0) {
		r.raw += 3;
		r.len -= 3;
	}
	if (r.len == 0 || r.raw[0] == '#') {
		l->counts.blank += r.len == 0;
		l->counts.comment += r.len != 0;
		return LOADER_ROWS;
	}
	if (!l->started)
		switch (first_record(l, &r)) {
		case FIRST_BAD: return LOADER_BAD;
		case FIRST_HEADER: return LOADER_ROWS;
		case FIRST_ROW: break;
		}
	else if (l->header != NULL && r.len == l->header_len && memcmp(r.raw, l->header, r.len) == 0) {
		l->counts.header++;
		return LOADER_ROWS;
	}
	return general_row(l, &r) ? LOADER_ROWS : LOADER_BAD;
}

/* ---- the fast way ---- */

/* To the end of a field, or NULL where there are more fields or fewer, or quotes, a CR or a NUL want the general way. */
static const char *
skip_field(const char *p, char end, char delimiter)
{
	while (*p != end) {
		if (*p == '\n' || *p == delimiter || *p == '"' || *p == '\r' || *p == '\0')
			return *p == '\r' && end == '\n' && p[1] == '\n' ? p : NULL;
		p++;
	}
	return p;
}

static inline bool
at_end(const char *p, char end)
{
	return *p == end || (*p == '\r' && end == '\n' && p[1] == '\n');
}

static inline const char *
fast_float32(const char *p, uint64_t *bits)
{
	double v;

	p = numtext_fast(p, &v);
	/* through a double only where the second rounding can change nothing */
	if (p == NULL || numtext_is_halfway(v) || v > (double)FLT_MAX || v < -(double)FLT_MAX ||
	    (v != 0 && v < (double)FLT_MIN && v > -(double)FLT_MIN))
		return NULL;
	*bits = numtext_f32_bits((float)v);
	return p;
}

static inline const char *
fast_value(const struct step *s, const char *p, uint64_t *bits)
{
	double v;
	int64_t i;

	switch (s->kind) {
	case STEP_F64:
		p = numtext_fast(p, &v);
		if (p != NULL)
			*bits = numtext_f64_bits(v);
		return p;
	case STEP_F32:
		return fast_float32(p, bits);
	case STEP_I64:
	case STEP_I32:
		p = numtext_fast_integer(p, &i);
		if (p == NULL || (s->kind == STEP_I32 && (i < INT32_MIN || i > INT32_MAX)))
			return NULL;
		*bits = (uint64_t)i;
		return p;
	case STEP_BOOL:
		*bits = *p == '1';
		return *p == '0' || *p == '1' ? p + 1 : NULL;
	case STEP_TIME:
	case STEP_SKIP:
		break;
	}
	return NULL;
}

/* One line into row n of the batch.  Returns its end, or NULL: then the row's presence bits may be wrong, and no more. */
static const char *
fast_row(struct loader *l, const char *p, size_t n, bool empty_is_null)
{
	const bool blanks = l->csv.delimiter != ' ';

	/* a comment; but for a field that is skipped, none can begin so */
	if (*p == '#')
		return NULL;
	for (const struct step *s = l->step, *last = s + l->steps; s < last; s++) {
		while (*p == ' ' && blanks)
			p++;
		if (s->kind == STEP_TIME) {
			const char *from = p;

			p = timearg_read_fast(&l->time, p, &l->time_ns[n]);
			if (p != NULL && !blanks && memchr(from, ' ', (size_t)(p - from)) != NULL)
				return NULL;         /* the blank between day and time of day parts two fields here */
		} else if (s->kind == STEP_SKIP) {
			p = skip_field(p, s->end, l->csv.delimiter);
		} else if (empty_is_null && at_end(p, s->end)) {
			set_present(l, s->column, n, false);
			l->value[s->column][n] = 0;
		} else {
			p = fast_value(s, p, &l->value[s->column][n]);
		}
		if (p == NULL)
			return NULL;
		if (*p != s->end) {                  /* CR LF */
			if (!at_end(p, s->end))
				return NULL;
			p++;
		}
		p++;
	}
	return p;
}

static void
fast_rows(struct loader *l, size_t limit)
{
	bool empty_is_null = l->rules->null_text[0] == '\0';
	const char *p, *end = csv_lines(&l->csv, &p), *start;
	size_t first = l->n;

	if (p >= end || l->n >= limit)
		return;
	note_line(l, l->csv.line);
	for (start = p; p < end && l->n < limit; l->n++, p = start) {
		start = fast_row(l, p, l->n, empty_is_null);
		if (start == NULL) {
			for (size_t i = 0; i < l->steps; i++)
				if (l->step[i].kind > STEP_SKIP)
					l->present[l->step[i].column][l->n >> 3] |= (uint8_t)(1U << (l->n & 7));
			break;
		}
	}
	csv_take(&l->csv, p, l->n - first);
	if (l->n == first && l->run[l->runs - 1].row == first)
		l->runs--;                   /* the line noted gave no row */
}

static void
start_batch(struct loader *l)
{
	l->n = 0;
	l->runs = 0;
	for (unsigned c = 0; c < l->rules->schema->columns; c++)
		if (l->has_null[c]) {
			memset(l->present[c], 0xff, PRESENT_BYTES);
			l->has_null[c] = false;
		}
}

enum loader_status
loader_next(struct loader *l, size_t limit, struct otr_rows *rows, const struct loader_run **runs, size_t *run_count)
{
	enum loader_status status = LOADER_ROWS;

	*runs = l->run;
	*run_count = 0;
	if (l->binary != NULL)
		return binary_next(l->binary, limit, rows);
	start_batch(l);
	while (l->n < limit && status == LOADER_ROWS) {
		if (l->started)
			fast_rows(l, limit);
		if (l->n < limit)
			status = general_record(l);
	}
	if (status == LOADER_BAD || (l->n == 0 && status != LOADER_ROWS))
		return status;
	l->counts.rows += l->n;
	*run_count = l->runs;
	*rows = (struct otr_rows){ .n = l->n, .time_ns = l->time_ns };
	for (unsigned c = 0; c < l->rules->schema->columns; c++) {
		rows->value[c] = l->value[c];
		rows->present[c] = l->value[c] == l->zeros ? l->absent : l->has_null[c] ? l->present[c] : NULL;
	}
	return LOADER_ROWS;
}
