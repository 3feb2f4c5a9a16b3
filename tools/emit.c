/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emit.c - rows out.  The line of a row is formatted in place in the output buffer.
 */
#include "emit.h"

#include "cli.h"
#include "csv.h"
#include "json.h"
#include "numtext.h"

#include <stdlib.h>
#include <string.h>

bool
emit_format(const char *text, unsigned more, enum emit_format *format)
{
	if (strcmp(text, "csv") == 0)
		*format = EMIT_CSV;
	else if (strcmp(text, "tsv") == 0)
		*format = EMIT_TSV;
	else if ((more & EMIT_WITH_BINARY) != 0 && strcmp(text, "binary") == 0)
		*format = EMIT_BINARY;
	else if ((more & EMIT_WITH_JSON) != 0 && strcmp(text, "jsonl") == 0)
		*format = EMIT_JSON;
	else
		return false;
	return true;
}

void
emit_init(struct emit *e, struct out *out, enum emit_format format, char delimiter, const char *null_text)
{
	e->out = out;
	e->format = format;
	e->delimiter = format == EMIT_TSV ? '\t' : delimiter;
	e->null_text = null_text;
	e->null_len = strlen(null_text);
	e->quote_time = e->time.form == TIMEARG_PATTERN && format == EMIT_CSV && strchr(e->time.pattern, e->delimiter) != NULL;
}

void
emit_text(struct emit *e, const char *text)
{
	char shown[1200];
	size_t len = cli_escape(text, strlen(text), shown, sizeof shown);

	csv_write(e->out, shown, len, e->delimiter, e->format == EMIT_TSV);
}

void
emit_lines_of_text(struct emit *e, const char *text)
{
	size_t len = strlen(text), room = 4 * len + 1, used = 0;
	char *shown = cli_alloc(room, 1);

	while (*text != '\0') {
		size_t plain = strcspn(text, "\n\t");

		used += cli_escape(text, plain, shown + used, room - used);
		text += plain;
		if (*text != '\0')
			shown[used++] = *text++;
	}
	csv_write(e->out, shown, used, e->delimiter, e->format == EMIT_TSV);
	free(shown);
}

void
emit_json_time(struct emit *e, int64_t ns)
{
	size_t room = emit_time_room(e) + 1;

	if (e->time.form == TIMEARG_NUMBER) {
		out_advance(e->out, timearg_write(&e->time, out_room(e->out, room), ns));
	} else {
		char *text = cli_alloc(room, 1);

		*timearg_write(&e->time, text, ns) = '\0';
		json_text(e->out, text);
		free(text);
	}
}

void
emit_name(struct emit *e, const char *name, bool first)
{
	if (!first)
		out_bytes(e->out, &e->delimiter, 1);
	emit_text(e, name);
}

void
emit_end_line(struct emit *e)
{
	out_bytes(e->out, "\n", 1);
}

char *
emit_null(const struct emit *e, char *p)
{
	memcpy(p, e->null_text, e->null_len);
	return p + e->null_len;
}

char *
emit_time(struct emit *e, char *p, int64_t ns)
{
	if (e->quote_time)
		*p++ = '"';
	p = timearg_write(&e->time, p, ns);
	if (e->quote_time)
		*p++ = '"';
	return p;
}

size_t
emit_time_room(const struct emit *e)
{
	return timearg_room(&e->time) + 2;
}

size_t
emit_value_room(const struct emit *e)
{
	return (e->null_len > NUMTEXT_MAX ? e->null_len : NUMTEXT_MAX) + 1;
}

static inline bool
is_present(const struct otr_rows *rows, size_t c, size_t i)
{
	return rows->present[c] == NULL || (rows->present[c][i >> 3] >> (i & 7) & 1) != 0;
}

static void
emit_lines(struct emit *e, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n)
{
	size_t room = emit_time_room(e) + columns * emit_value_room(e) + 1;

	for (size_t i = first; i < first + n; i++) {
		char *p;

		if (e->file != NULL) {
			emit_text(e, e->file);
			out_bytes(e->out, &e->delimiter, 1);
		}
		p = emit_time(e, out_room(e->out, room), rows->time_ns[i]);
		for (size_t c = 0; c < columns; c++) {
			int index = column[c].index;

			p = emit_part(e, p);
			if (index >= 0 && is_present(rows, (size_t)index, i))
				p = numtext_write(p, column[c].type, rows->value[index][i]);
			else
				p = emit_null(e, p);
		}
		*p++ = '\n';
		out_advance(e->out, p);
	}
}

static void
emit_objects(struct emit *e, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		out_text(e->out, "{");
		if (e->file != NULL) {
			json_text(e->out, e->file_key != NULL ? e->file_key : "file");
			out_text(e->out, ":");
			json_text(e->out, e->file);
			out_text(e->out, ",");
		}
		json_text(e->out, timearg_field(&e->time));
		out_text(e->out, ":");
		emit_json_time(e, rows->time_ns[i]);
		for (size_t c = 0; c < columns; c++) {
			int index = column[c].index;

			out_text(e->out, ",");
			json_text(e->out, column[c].name);
			out_text(e->out, ":");
			if (index >= 0 && is_present(rows, (size_t)index, i))
				json_value(e->out, column[c].type, rows->value[index][i]);
			else
				out_text(e->out, "null");
		}
		out_text(e->out, "}\n");
	}
}

void
emit_rows(struct emit *e, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n)
{
	if (e->format == EMIT_BINARY)
		binary_write_rows(e->out, column, columns, rows, first, n);
	else if (e->format == EMIT_JSON)
		emit_objects(e, column, columns, rows, first, n);
	else
		emit_lines(e, column, columns, rows, first, n);
	e->rows += n;
}
