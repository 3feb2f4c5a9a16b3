/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csv.h - records of CSV (RFC 4180) and TSV, in and out.
 *
 * The reader owns one buffer.  csv_fill makes one read; csv_next finds the next whole record in the buffer; csv_split cuts it into fields, in
 * place.  A caller with a faster way of its own may take the lines of csv_lines itself and hand them back with csv_take: what it leaves,
 * csv_next gives.  Nothing is allocated per record.
 */
#ifndef OTR_TOOLS_CSV_H
#define OTR_TOOLS_CSV_H

#include "out.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_RECORD_MAX (1024 * 1024)
#define CSV_BOM "\xef\xbb\xbf"
#define CSV_SLACK 64                   /* readable bytes behind the last line, for callers who look ahead */

struct csv_reader {
	int fd;                        /* borrowed */
	char delimiter;
	bool tsv;                      /* tabs, no quotes, backslashes */
	char *bytes;
	size_t at, used;               /* what is not taken yet */
	size_t lines;                  /* end of the last whole line, at <= lines <= used if there is one, else at */
	uint64_t line;                 /* number of the physical line at `at` */
	bool ended;                    /* the input has no more */
	struct csv_field *field;
	size_t field_room;
};

struct csv_field {
	char *text;
	size_t len;
	bool quoted;
};

struct csv_record {
	uint64_t line;                 /* its first physical line, from 1 */
	char *raw;                     /* without the end of line; borrowed until the next csv_fill */
	size_t len;
	size_t count;
	struct csv_field *field;       /* after csv_split */
};

enum csv_status {
	CSV_RECORD,
	CSV_NEED,                      /* csv_fill first */
	CSV_END,
	CSV_LONG,                      /* a record above CSV_RECORD_MAX: record->line is its first */
	CSV_UNCLOSED                   /* a quote that is not closed, likewise: where it opened */
};

void csv_init(struct csv_reader *r, int fd, char delimiter, bool tsv);
void csv_release(struct csv_reader *r);
/* One read.  Returns 0, or errno (EINTR among others). */
int csv_fill(struct csv_reader *r);
enum csv_status csv_next(struct csv_reader *r, struct csv_record *record);
/* Cuts and unquotes.  Returns NULL, or what is wrong with the record. */
const char *csv_split(struct csv_reader *r, struct csv_record *record);

/* Whole lines, the last ended by a newline: from *p to the returned end.  CSV_SLACK bytes behind are readable. */
static inline const char *
csv_lines(const struct csv_reader *r, const char **p)
{
	*p = r->bytes + r->at;
	return r->bytes + r->lines;
}

/* The caller took `count` lines, up to p. */
static inline void
csv_take(struct csv_reader *r, const char *p, uint64_t count)
{
	r->at = (size_t)(p - r->bytes);
	r->line += count;
}

/* A text as one field: minimal quotes, or TSV's backslashes. */
void csv_write(struct out *o, const char *text, size_t len, char delimiter, bool tsv);
/* A delimiter's name or byte: `,` `comma` `semicolon` `tab` `space`.  False for what can be none. */
bool csv_delimiter(const char *text, char *delimiter);

#endif
