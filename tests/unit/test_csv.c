/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_csv.c - records and fields: RFC 4180, line numbers, and inputs that are cut anywhere.
 */
#include "csv.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A reader over a text, through a pipe. */
static void
open_text(struct csv_reader *r, const char *text, size_t len, bool tsv)
{
	int fd[2];

	if (pipe(fd) != 0 || write(fd[1], text, len) != (ssize_t)len || close(fd[1]) != 0)
		exit(1);
	csv_init(r, fd[0], ',', tsv);
}

static enum csv_status
next(struct csv_reader *r, struct csv_record *record)
{
	enum csv_status status;

	while ((status = csv_next(r, record)) == CSV_NEED)
		if (csv_fill(r) != 0)
			exit(1);
	return status;
}

/* All records as text: "line:[field][field];", a refusal as "line!", an end within a record as "line?". */
static const char *
parse(const char *text, bool tsv, char *out)
{
	struct csv_reader r;
	struct csv_record record;
	enum csv_status status;
	char *p = out;

	open_text(&r, text, strlen(text), tsv);
	while ((status = next(&r, &record)) == CSV_RECORD) {
		const char *wrong = csv_split(&r, &record);

		p += sprintf(p, "%d", (int)record.line);
		if (wrong != NULL) {
			p += sprintf(p, "!");
			continue;
		}
		*p++ = ':';
		for (size_t i = 0; i < record.count; i++)
			p += sprintf(p, "[%.*s]", (int)record.field[i].len, record.field[i].text);
		*p++ = ';';
	}
	if (status != CSV_END)
		p += sprintf(p, "%d?", (int)record.line);
	*p = '\0';
	(void)close(r.fd);
	csv_release(&r);
	return out;
}

static int
gives(const char *text, const char *want)
{
	char out[2000];

	return strcmp(parse(text, false, out), want) == 0;
}

static void
test_records(void)
{
	CHECK(gives("a,b\n1,2\n", "1:[a][b];2:[1][2];") && gives("a,b\r\n1,2\r\n", "1:[a][b];2:[1][2];") && gives("a,b\n1,2", "1:[a][b];2:[1][2];"),
	    "lines end in LF, CR LF or with the input");
	CHECK(gives("", "") && gives("\n\n1\n", "1:[];2:[];3:[1];"), "nothing, and blank lines");
	CHECK(gives("\"a\"\"b\",\"c\nd\",\"\"\nx\n", "1:[a\"b][c\nd][];3:[x];"), "quotes, and lines counted through them");
	CHECK(gives("a,\"b\nc\n", "1?") && gives("x\ny,\"b", "1:[x];2?") && gives("\"a\nb\",\"c\n", "2?"), "an open quote is told where it opened");
	CHECK(gives("a\"b,c\n1\n", "1!2:[1];") && gives("\"a\"b\n1\n", "1!2:[1];") && gives("a\rb\n", "1!"), "stray quotes and carriage returns are refused");
	CHECK(gives("1, \"a\" ,2\n", "1:[1][a][2];"), "blanks may stand around a quoted field");
}

static void
test_tsv(void)
{
	char out[2000];

	CHECK(strcmp(parse("a\\tb\t\"c\"\n\\n\\\\\t\n", true, out), "1:[a\tb][\"c\"];2:[\n\\][];") == 0, "TSV has backslashes and no quotes");
	CHECK(strcmp(parse("a\\x\n", true, out), "1!") == 0, "an unknown backslash is refused");
}

static void
test_limits(void)
{
	struct csv_reader r;
	struct csv_record record;
	size_t len = CSV_RECORD_MAX + 2;
	char *text = malloc(len);
	int fd[2];
	enum csv_status status;

	if (text == NULL || pipe(fd) != 0)
		exit(1);
	memset(text, 'x', len);
	csv_init(&r, fd[0], ',', false);
	/* the pipe holds less than a record: fill it bit by bit */
	for (size_t at = 0; at < len; at += 4096) {
		size_t n = len - at < 4096 ? len - at : 4096;

		if (write(fd[1], text + at, n) != (ssize_t)n || csv_fill(&r) != 0)
			exit(1);
	}
	(void)close(fd[1]);
	status = next(&r, &record);
	CHECK(status == CSV_LONG, "a record above 1 MiB is refused");
	(void)close(fd[0]);
	csv_release(&r);
	free(text);
}

/* The same records however the bytes arrive. */
static void
test_pieces(void)
{
	static const char text[] = "time,v\n1,\"a\nb\"\r\n2,c\n\n#x\n3,\"d\"\"e\"";
	unsigned bad = 0;

	for (size_t cut = 1; cut < sizeof text - 1; cut++) {
		struct csv_reader r;
		struct csv_record record;
		int fd[2];
		unsigned n = 0, lines = 0;

		if (pipe(fd) != 0 || write(fd[1], text, cut) != (ssize_t)cut)
			exit(1);
		csv_init(&r, fd[0], ',', false);
		if (csv_fill(&r) != 0)
			exit(1);
		while (csv_next(&r, &record) == CSV_RECORD) {
			n++;
			lines += (unsigned)record.line;
		}
		if (write(fd[1], text + cut, sizeof text - 1 - cut) != (ssize_t)(sizeof text - 1 - cut) || close(fd[1]) != 0)
			exit(1);
		while (next(&r, &record) == CSV_RECORD) {
			n++;
			lines += (unsigned)record.line;
		}
		bad += n != 6 || lines != 1 + 2 + 4 + 5 + 6 + 7;
		(void)close(fd[0]);
		csv_release(&r);
	}
	CHECK(bad == 0, "a cut anywhere in the input changes nothing");
}

static void
test_delimiters(void)
{
	char c = 0;

	CHECK(csv_delimiter("tab", &c) && c == '\t' && csv_delimiter(";", &c) && c == ';' && csv_delimiter("space", &c) && c == ' ', "delimiters by byte and name");
	CHECK(!csv_delimiter("", &c) && !csv_delimiter("ab", &c) && !csv_delimiter(".", &c) && !csv_delimiter("5", &c) && !csv_delimiter("\n", &c) &&
	    !csv_delimiter("\"", &c), "not those that values are made of");
}

int
main(void)
{
	test_records();
	test_tsv();
	test_limits();
	test_pieces();
	test_delimiters();
	return tap_done();
}
