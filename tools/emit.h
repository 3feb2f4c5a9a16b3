/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emit.h - rows out, in csv, tsv or binary.
 */
#ifndef OTR_TOOLS_EMIT_H
#define OTR_TOOLS_EMIT_H

#include "binary.h"
#include "out.h"
#include "timearg.h"

enum emit_format { EMIT_CSV, EMIT_TSV, EMIT_JSON, EMIT_BINARY };

struct emit {
	struct out *out;               /* borrowed */
	enum emit_format format;
	char delimiter;
	const char *null_text;         /* borrowed */
	size_t null_len;
	struct timearg_writer time;
	bool quote_time;               /* a pattern holds the delimiter */
	const char *file;              /* first column of several FILEs, or of what changed; or NULL */
	const char *file_key;          /* its name in JSON; NULL: "file" */
	uint64_t rows;                 /* given so far */
};

/* csv, tsv, and those of more that are known here.  False for others. */
enum emit_more { EMIT_WITH_BINARY = 1, EMIT_WITH_JSON = 2 };
bool emit_format(const char *text, unsigned more, enum emit_format *format);
/* Takes the place of a comma or tab, and the text of null, into e; time is set already. */
void emit_init(struct emit *e, struct out *out, enum emit_format format, char delimiter, const char *null_text);
/* The header line's next name; binary streams have their own header. */
void emit_name(struct emit *e, const char *name, bool first);
void emit_end_line(struct emit *e);
/* Text as a field. */
void emit_text(struct emit *e, const char *text);
/* Text that may have newlines and tabs, as a field. */
void emit_lines_of_text(struct emit *e, const char *text);
/* A time as a value of JSON: a number where the time format is one, else a string. */
void emit_json_time(struct emit *e, int64_t ns);
/* Rows first .. first + n - 1. */
void emit_rows(struct emit *e, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n);

/* Pieces of a line, for what is no row of a file: each writes the delimiter that parts it from what came before. */
static inline char *
emit_part(const struct emit *e, char *p)
{
	*p = e->delimiter;
	return p + 1;
}
char *emit_null(const struct emit *e, char *p);
char *emit_time(struct emit *e, char *p, int64_t ns);
/* Room that one time and one null or number need at most. */
size_t emit_time_room(const struct emit *e);
size_t emit_value_room(const struct emit *e);

#endif
