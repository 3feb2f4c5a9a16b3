/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emit.c - rows out.  The line of a row is formatted in place in the output buffer.
 */
#include "emit.h"

#include "cli.h"
#include "csv.h"
#include "numtext.h"

#include <string.h>

bool
emit_format(const char *text, bool binary, enum emit_format *format)
{
	if (strcmp(text, "csv") == 0)
		*format = EMIT_CSV;
	else if (strcmp(text, "tsv") == 0)
		*format = EMIT_TSV;
	else if (binary && strcmp(text, "binary") == 0)
		*format = EMIT_BINARY;
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

void
emit_rows(struct emit *e, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n)
{
	if (e->format == EMIT_BINARY)
		binary_write_rows(e->out, column, columns, rows, first, n);
	else
		emit_lines(e, column, columns, rows, first, n);
	e->rows += n;
}
