/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csv.c - records of CSV and TSV.
 */
#include "csv.h"

#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (256 * 1024)                     /* one read */
#define ROOM (CSV_RECORD_MAX + 2 * BLOCK)

void
csv_init(struct csv_reader *r, int fd, char delimiter, bool tsv)
{
	*r = (struct csv_reader){ .fd = fd, .delimiter = tsv ? '\t' : delimiter, .tsv = tsv, .line = 1 };
	r->bytes = cli_alloc(ROOM + CSV_SLACK, 1);
	r->field_room = 64;
	r->field = cli_alloc(r->field_room, sizeof *r->field);
}

void
csv_release(struct csv_reader *r)
{
	free(r->bytes);
	free(r->field);
	r->bytes = NULL;
	r->field = NULL;
}

static void
find_lines(struct csv_reader *r, size_t from)
{
	size_t end = r->used;

	while (end > from && r->bytes[end - 1] != '\n')
		end--;
	if (end > from)
		r->lines = end;
}

int
csv_fill(struct csv_reader *r)
{
	ssize_t n;

	if (r->ended)
		return 0;
	if (r->used + BLOCK > ROOM || r->at == r->used) {
		memmove(r->bytes, r->bytes + r->at, r->used - r->at);
		r->used -= r->at;
		r->lines = r->lines > r->at ? r->lines - r->at : 0;
		r->at = 0;
	}
	n = read(r->fd, r->bytes + r->used, BLOCK);
	if (n < 0)
		return errno;
	if (n == 0) {
		r->ended = true;
		if (r->used > r->at && r->bytes[r->used - 1] != '\n')        /* a last line without its end */
			r->bytes[r->used++] = '\n';
		n = 1;
	} else {
		r->used += (size_t)n;
	}
	if (r->lines < r->at)
		r->lines = r->at;
	find_lines(r, r->used - (size_t)n < r->at ? r->at : r->used - (size_t)n);
	return 0;
}

/* End of a record with quotes in it, or NULL; *opened: where the quote begins that is still open, or NULL. */
static char *
quoted_end(const struct csv_reader *r, char *p, char *end, const char **opened)
{
	bool field_start = true;

	*opened = NULL;
	while (p < end) {
		if (field_start && *p == '"') {
			*opened = p++;
			for (;;) {
				char *quote = memchr(p, '"', (size_t)(end - p));

				if (quote == NULL)
					return NULL;
				p = quote + 1;
				if (p == end || *p != '"')
					break;
				p++;
			}
			*opened = NULL;
			field_start = false;
		} else {
			if (*p == '\n')
				return p;
			field_start = *p == r->delimiter || (field_start && *p == ' ' && r->delimiter != ' ');
			p++;
		}
	}
	return NULL;
}

/* A comment is a line: what looks like an opening quote in it opens nothing. */
static bool
is_comment(const struct csv_reader *r, const char *p, const char *end)
{
	if (r->line == 1 && end - p > 3 && memcmp(p, CSV_BOM, 3) == 0)
		p += 3;
	return *p == '#';
}

static uint64_t
count_lines(const char *p, const char *end)
{
	uint64_t n = 0;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

enum csv_status
csv_next(struct csv_reader *r, struct csv_record *record)
{
	char *start = r->bytes + r->at, *used = r->bytes + r->used, *end;
	const char *opened = NULL;

	*record = (struct csv_record){ .line = r->line, .raw = start };
	if (start == used)
		return r->ended ? CSV_END : CSV_NEED;
	end = memchr(start, '\n', (size_t)(used - start));
	if (!r->tsv && memchr(start, '"', (size_t)((end != NULL ? end : used) - start)) != NULL && !is_comment(r, start, used))
		end = quoted_end(r, start, used, &opened);
	if ((end != NULL ? end : used) - start > CSV_RECORD_MAX || (end == NULL && r->ended)) {
		if (opened != NULL)
			record->line += count_lines(start, opened);
		return opened != NULL ? CSV_UNCLOSED : CSV_LONG;
	}
	if (end == NULL)
		return CSV_NEED;
	record->len = (size_t)(end - start);
	r->line += count_lines(start, end + 1);
	r->at += record->len + 1;
	if (r->lines < r->at)
		r->lines = r->at;
	if (record->len > 0 && start[record->len - 1] == '\r')
		record->len--;
	return CSV_RECORD;
}

static struct csv_field *
add_field(struct csv_reader *r, struct csv_record *record)
{
	if (record->count == r->field_room) {
		r->field_room *= 2;
		r->field = cli_resize(r->field, r->field_room, sizeof *r->field);
	}
	record->field = r->field;
	return &r->field[record->count++];
}

/* From the opening quote; unquotes in place.  Returns what follows the closing quote, or NULL if there is none. */
static char *
take_quoted(char *p, const char *end, struct csv_field *f)
{
	char *to = ++p;

	f->text = p;
	f->quoted = true;
	for (; p < end; p++) {
		if (*p == '"') {
			if (p + 1 == end || p[1] != '"') {
				f->len = (size_t)(to - f->text);
				return p + 1;
			}
			p++;
		}
		*to++ = *p;
	}
	return NULL;
}

/* \t, \n, \\ of TSV, in place. */
static const char *
unescape(struct csv_field *f)
{
	char *to = f->text, *p = f->text, *end = f->text + f->len;

	if (memchr(p, '\\', f->len) == NULL)
		return NULL;
	for (; p < end; p++) {
		if (*p == '\\') {
			p++;
			if (p == end || (*p != 't' && *p != 'n' && *p != '\\'))
				return "a backslash that is no \\t, \\n or \\\\";
			*to++ = *p == 't' ? '\t' : *p == 'n' ? '\n' : '\\';
		} else {
			*to++ = *p;
		}
	}
	f->len = (size_t)(to - f->text);
	return NULL;
}

const char *
csv_split(struct csv_reader *r, struct csv_record *record)
{
	char *p = record->raw, *end = record->raw + record->len;

	record->count = 0;
	if (memchr(p, '\0', record->len) != NULL)
		return "a NUL byte (the input must be UTF-8, not UTF-16)";
	for (;;) {
		struct csv_field *f = add_field(r, record);
		char *blank = p;

		while (!r->tsv && blank < end && *blank == ' ' && r->delimiter != ' ')
			blank++;
		if (!r->tsv && blank < end && *blank == '"') {
			p = take_quoted(blank, end, f);
			while (p != NULL && p < end && *p == ' ' && r->delimiter != ' ')
				p++;
			if (p == NULL || (p < end && *p != r->delimiter))
				return "text behind a closing quote";
		} else {
			char *stop = memchr(p, r->delimiter, (size_t)(end - p));

			*f = (struct csv_field){ .text = p };
			p = stop != NULL ? stop : end;
			f->len = (size_t)(p - f->text);
			if (memchr(f->text, '\r', f->len) != NULL)
				return "a carriage return that ends no line (lines end in LF or CR LF)";
			if (!r->tsv && memchr(f->text, '"', f->len) != NULL)
				return "a quote inside an unquoted field";
			if (r->tsv) {
				const char *wrong = unescape(f);

				if (wrong != NULL)
					return wrong;
			}
		}
		if (p == end)
			return NULL;
		p++;
	}
}

void
csv_write(struct out *o, const char *text, size_t len, char delimiter, bool tsv)
{
	bool quote = false;

	for (size_t i = 0; i < len && !quote; i++)
		quote = text[i] == (tsv ? (char)9 : delimiter) || text[i] == '"' || text[i] == '\n' || text[i] == '\r' || (tsv && text[i] == '\\');
	quote = quote || (!tsv && len > 0 && (text[0] == ' ' || text[len - 1] == ' '));
	if (!quote) {
		out_bytes(o, text, len);
		return;
	}
	if (!tsv)
		out_bytes(o, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		if (tsv && text[i] == '\t')
			out_bytes(o, "\\t", 2);
		else if (tsv && text[i] == '\n')
			out_bytes(o, "\\n", 2);
		else if (tsv && text[i] == '\\')
			out_bytes(o, "\\\\", 2);
		else if (!tsv && text[i] == '"')
			out_bytes(o, "\"\"", 2);
		else
			out_bytes(o, text + i, 1);
	}
	if (!tsv)
		out_bytes(o, "\"", 1);
}

bool
csv_delimiter(const char *text, char *delimiter)
{
	static const struct { const char *name; char c; } names[] = { { "comma", ',' }, { "semicolon", ';' }, { "tab", '\t' }, { "space", ' ' } };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i].name) == 0) {
			*delimiter = names[i].c;
			return true;
		}
	/* a byte that a number, a time or a quote may hold cannot part them; nor can half a UTF-8 character */
	if (text[0] == '\0' || text[1] != '\0' || strchr("\"\n\r\\.+-:@#()", text[0]) != NULL || (text[0] >= '0' && text[0] <= '9') ||
	    (text[0] >= 'A' && text[0] <= 'Z') || (text[0] >= 'a' && text[0] <= 'z') || (unsigned char)text[0] >= 0x80 || (text[0] < ' ' && text[0] != '\t'))
		return false;
	*delimiter = text[0];
	return true;
}
