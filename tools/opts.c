/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.c - the one option table, and popt around its traps (cli.md 1.2).
 */
#include "opts.h"

#include "cli.h"
#include "numtext.h"
#include "out.h"

#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HELP_COLUMN 27
#define TEXT_MAX 8192

enum { CREATE = OPTS_CREATE, APPEND = OPTS_APPEND, DUMP = OPTS_DUMP, QUERY = OPTS_QUERY, STAT = OPTS_STAT, VERIFY = OPTS_VERIFY, LOG = OPTS_LOG,
	DIFF = OPTS_DIFF, DELETE = OPTS_DELETE, ROLLBACK = OPTS_ROLLBACK, META = OPTS_META, COMPACT = OPTS_COMPACT, ALL = OPTS_ALL };

struct row {
	enum opts_id id;
	const char *name;
	char letter;
	const char *argument;          /* NULL: takes none */
	bool many;                     /* may be repeated */
	unsigned tools;
	const char *help;              /* at most 53 columns */
};

/* In the order of the help: letters first. */
static const struct row table[] = {
	{ OPT_AGGREGATE, "aggregate", 'a', "LIST", true, QUERY, "aggregates (default count,min,mean,max)" },
	{ OPT_AGGREGATE, "aggregate", 'a', "NAME", true, COMPACT, "of all columns: mean, min, max, first or last" },
	{ OPT_COLUMNS, "columns", 'c', "LIST", true, DUMP | QUERY | DIFF, "these columns, in this order" },
	{ OPT_DELIMITER, "delimiter", 'd', "C", false, APPEND | DUMP | QUERY | LOG | DIFF | META, "of CSV: a byte, comma, semicolon, tab or space" },
	{ OPT_END, "end", 'e', "TIME", false, DUMP | QUERY | LOG | DIFF | DELETE, "end of the range, exclusive" },
	{ OPT_FAIL_EMPTY, "fail-empty", 'E', NULL, false, DUMP | QUERY | DELETE, "exit status 1 if nothing was selected" },
	{ OPT_FORCE, "force", 'f', NULL, false, CREATE | DUMP | QUERY | VERIFY | COMPACT, "replace an existing file" },
	{ OPT_FORMAT, "format", 'F', "FMT", false, APPEND | DUMP, "csv (default), tsv or binary" },
	{ OPT_FORMAT, "format", 'F', "FMT", false, QUERY | META, "csv (default) or tsv" },
	{ OPT_FORMAT, "format", 'F', "FMT", false, LOG | DIFF, "csv (default), tsv or jsonl" },
	{ OPT_LIST, "list", 'l', NULL, false, STAT, "one CSV line a file" },
	{ OPT_MESSAGE, "message", 'm', "TEXT", false, CREATE | APPEND | DELETE | ROLLBACK | META | COMPACT, "commit message" },
	{ OPT_LIMIT, "limit", 'n', "N", false, DUMP | QUERY | LOG | DIFF, "at most N rows (of each FILE)" },
	{ OPT_NO_HEADER, "no-header", 'N', NULL, false, APPEND | DUMP | QUERY | LOG | DIFF | META, "no header line is written, none expected" },
	{ OPT_OUTPUT, "output", 'o', "FILE", false, DUMP | QUERY, "write here instead of stdout" },
	{ OPT_QUIET, "quiet", 'q', NULL, false, ALL & ~(unsigned)DIFF, "no warnings but of damage, no summary" },
	{ OPT_QUIET, "quiet", 'q', NULL, false, DIFF, "nothing on stdout: the exit status tells" },
	{ OPT_REVERSE, "reverse", 'r', NULL, false, DUMP | QUERY | LOG, "the other order" },
	{ OPT_START, "start", 's', "TIME", false, DUMP | QUERY | LOG | DIFF | DELETE, "start of the range, inclusive" },
	{ OPT_TIME_COLUMN, "time-column", 't', "NAME|N", false, APPEND, "the time field: name, or position from 1" },
	{ OPT_VERBOSE, "verbose", 'v', NULL, true, ALL, "more on stderr" },
	{ OPT_WINDOW, "window", 'w', "DUR", false, QUERY, "a row a window: 500ms, 10s, 5m, 1h30m, 24h" },
	{ OPT_WAIT, "wait", 'W', "DUR", false, CREATE | APPEND | DELETE | ROLLBACK | META | COMPACT, "wait for the writer lock (default 10s, 0 = not)" },
	{ OPT_TIMEZONE, "timezone", 'z', "ZONE", false, APPEND | DUMP | QUERY | STAT | LOG | DIFF | DELETE | ROLLBACK | META | COMPACT, "IANA name, UTC (default), local, or +HH:MM" },
	{ OPT_ALL, "all", 0, NULL, false, DELETE, "every row" },
	{ OPT_ANY_TIME, "any-time", 0, NULL, false, APPEND, "plain numbers may mean any time" },
	{ OPT_AT, "at", 0, "V|TIME", false, DUMP | QUERY | STAT | LOG | META, "as of: version, newest, newest-N, or a time" },
	{ OPT_AUTHOR, "author", 0, "NAME", false, CREATE | APPEND | DELETE | ROLLBACK | META | COMPACT, "author of the commit (default: the user)" },
	{ OPT_BEFORE, "before", 0, NULL, false, QUERY, "with --nearest: the last row before TIME" },
	{ OPT_COMMIT_EVERY, "commit-every", 0, "N|DUR", true, APPEND, "commit after N rows or after DUR (1000,5s)" },
	{ OPT_DEFLATE, "deflate", 0, NULL, false, COMPACT, "smaller and slower; with --drop-history" },
	{ OPT_DOWNSAMPLE, "downsample", 0, "DUR", false, COMPACT, "old rows become one a window (--older-than)" },
	{ OPT_DROP_HISTORY, "drop-history", 0, NULL, false, COMPACT, "keep the present rows only, packed densely" },
	{ OPT_DRY_RUN, "dry-run", 0, NULL, false, DELETE | ROLLBACK | COMPACT, "tell what would be done, on stderr; write nothing" },
	{ OPT_DST, "dst", 0, "WHICH", false, APPEND | DUMP | QUERY | LOG | DIFF | DELETE | ROLLBACK | META | COMPACT, "earlier or later, of a local time that is twice" },
	{ OPT_DUPLICATES, "duplicates", 0, "POLICY", false, CREATE, "replace (default), keep, first or error" },
	{ OPT_EXPLAIN, "explain", 0, NULL, false, QUERY | DIFF, "tell the pages read, on stderr" },
	{ OPT_GAP, "gap", 0, "DUR", false, CREATE, "no value is held or drawn across it (or none)" },
	{ OPT_HISTORY, "history", 0, "KEEP", false, CREATE, "all (default), N versions, or a length of time" },
	{ OPT_IGNORE_UNKNOWN, "ignore-unknown", 0, NULL, false, APPEND, "skip fields that are no column" },
	{ OPT_JSON, "json", 0, NULL, false, STAT | VERIFY | LOG | DIFF | META, "one JSON object a line" },
	{ OPT_LAST, "last", 0, "N", false, QUERY, "the last N rows" },
	{ OPT_LIKE, "like", 0, "OTHER", false, CREATE, "columns, policies and metadata of another file" },
	{ OPT_LINEAR_COLUMN, "linear-column", 0, "LIST", true, CREATE, "go straight to the next value (default: floats)" },
	{ OPT_MAP, "map", 0, "NAME=COL", true, APPEND, "the field NAME of the header is column COL" },
	{ OPT_MAX_SIZE, "max-size", 0, "SIZE", false, CREATE, "of the file; the oldest rows go (default: none)" },
	{ OPT_META, "meta", 0, "KEY=VAL", true, CREATE, "metadata" },
	{ OPT_NEAREST, "nearest", 0, "TIME", false, QUERY, "the first row at or after TIME" },
	{ OPT_NULL_VALUE, "null-value", 0, "STR", false, APPEND | DUMP | QUERY | DIFF, "the text of a null (default: empty)" },
	{ OPT_OLDER_THAN, "older-than", 0, "TIME|DUR", false, COMPACT, "which rows --downsample takes" },
	{ OPT_ORIGIN, "origin", 0, "TIME", false, QUERY, "a window starts here" },
	{ OPT_PAGE_SIZE, "page-size", 0, "SIZE", false, CREATE | COMPACT, "4Ki 8Ki 16Ki 32Ki 64Ki (default: by columns)" },
	{ OPT_POINTS, "points", 0, "N", false, QUERY, "N windows of equal length" },
	{ OPT_PRINT_VERSION, "print-version", 0, NULL, false, APPEND | DELETE | ROLLBACK | META | COMPACT, "print the version of each commit" },
	{ OPT_PROGRESS, "progress", 0, NULL, false, APPEND | VERIFY | COMPACT, "tell how far it is, also off a terminal" },
	{ OPT_NO_PROGRESS, "no-progress", 0, NULL, false, APPEND | VERIFY | COMPACT, "do not, on a terminal" },
	{ OPT_RETAIN, "retain", 0, "DUR", false, CREATE, "rows older than that go: 90d (default: none)" },
	{ OPT_ROWS, "rows", 0, NULL, false, DIFF, "the rows that differ, before (-) and after (+)" },
	{ OPT_SALVAGE, "salvage", 0, "OUT", false, VERIFY, "write all rows that can be read to a new file" },
	{ OPT_SCAN, "scan", 0, NULL, false, STAT, "read every page: encodings, fill, gaps" },
	{ OPT_SORT_MEM, "sort-mem", 0, "SIZE", false, APPEND, "memory for rows out of order (default 256Mi)" },
	{ OPT_STEP_COLUMN, "step-column", 0, "LIST", true, CREATE, "hold their value (default: integers, bools)" },
	{ OPT_TIME_FORMAT, "time-format", 0, "FMT", false, DUMP | QUERY | LOG | DIFF, "s, ms, us, ns, or a pattern as %H:%M:%S.%3N" },
	{ OPT_TIME_UNIT, "time-unit", 0, "U", false, APPEND, "of plain numbers: s (default), ms, us, ns" },
	{ OPT_UNSET, "unset", 0, "KEY", true, META, "take KEY away" },
	{ OPT_WHERE, "where", 0, "EXPR", false, DELETE, "rows that match: 'temp > 50 or temp is nan'" },
	{ OPT_HELP, "help", 'h', NULL, true, ALL, "print this (-? too)" },
	{ OPT_HELP, NULL, '?', NULL, true, ALL, NULL },
	{ OPT_USAGE, "usage", 0, NULL, true, ALL, "print the synopsis" },
	{ OPT_VERSION, "version", 'V', NULL, true, ALL, "print versions and licence" },
	/* hidden */
	{ OPT_START, "since", 0, "TIME", false, DUMP | QUERY | LOG | DIFF | DELETE, NULL },
	{ OPT_START, "from", 0, "TIME", false, DUMP | QUERY | LOG | DIFF | DELETE, NULL },
	{ OPT_END, "until", 0, "TIME", false, DUMP | QUERY | LOG | DIFF | DELETE, NULL },
	{ OPT_END, "to", 0, "TIME", false, DUMP | QUERY | LOG | DIFF | DELETE, NULL },
};

#define ROWS (sizeof table / sizeof table[0])

static const struct row *
row_of(enum opts_id id)
{
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].id == id)
			return &table[i];
	return &table[0];
}

const char *
opts_name(enum opts_id id)
{
	return row_of(id)->name;
}

/* ---- help, version ---- */

static void
add(char *text, size_t *used, const char *more)
{
	size_t len = strlen(more);

	if (*used + len < TEXT_MAX) {
		memcpy(text + *used, more, len + 1);
		*used += len;
	}
}

/* "usage: A\n       B\n" */
static void
add_synopsis(char *text, size_t *used, const struct opts_about *about)
{
	const char *p = about->synopsis, *lead = "usage: ";

	while (*p != '\0') {
		size_t len = strcspn(p, "\n") + 1;
		char line[160];

		(void)snprintf(line, sizeof line, "%s%.*s", lead, (int)len, p);
		add(text, used, line);
		lead = "       ";
		p += len;
	}
}

static int
print_help(const struct opts_about *about)
{
	char *text = cli_alloc(TEXT_MAX, 1);
	size_t used = 0;
	int status;

	add_synopsis(text, &used, about);
	add(text, &used, about->purpose);
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &table[i];
		char option[64], line[160];

		if ((r->tools & about->tool) == 0 || r->help == NULL)
			continue;
		(void)snprintf(option, sizeof option, "%c%c%c --%s%s%s", r->letter != 0 ? '-' : ' ', r->letter != 0 ? r->letter : ' ',
		    r->letter != 0 ? ',' : ' ', r->name, r->argument != NULL ? " " : "", r->argument != NULL ? r->argument : "");
		(void)snprintf(line, sizeof line, " %-*s %s\n", HELP_COLUMN - 2, option, r->help);
		add(text, &used, line);
	}
	add(text, &used, "Examples:\n");
	add(text, &used, about->examples);
	status = out_whole(text);
	free(text);
	return status;
}

static int
print_usage(const struct opts_about *about)
{
	char *text = cli_alloc(TEXT_MAX, 1);
	size_t used = 0;
	int status;

	add_synopsis(text, &used, about);
	status = out_whole(text);
	free(text);
	return status;
}

static int
print_version(void)
{
	char text[400];

	(void)snprintf(text, sizeof text,
	    "%s (OTR) %s\nformat versions: reads %d.%d, writes %d.%d\nzlib %s, popt\nBSD-2-Clause licence; no warranty\n", cli_program(), OTR_VERSION,
	    OTR_FORMAT_MAJOR, OTR_FORMAT_MINOR, OTR_FORMAT_MAJOR, OTR_FORMAT_MINOR, zlibVersion());
	return out_whole(text);
}

/* ---- refusals ---- */

/* `-start x` is `-s tart` to popt: the letter and the value that failed make a long name. */
static const char *
long_name_of(const struct row *r, const char *value)
{
	if (r->letter == 0 || value[0] == '\0')
		return NULL;
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].name != NULL && table[i].name[0] == r->letter && strcmp(table[i].name + 1, value) == 0)
			return table[i].name;
	return NULL;
}

int
opts_refuse(const char *value, enum opts_id id, const char *what, const char *remedy)
{
	const struct row *r = row_of(id);
	const char *meant = long_name_of(r, value);
	struct cli_quoted q;

	(void)cli_quote(value, strlen(value), &q);
	if (meant != NULL)
		return cli_usage("--%s: %s: \"%s\" (write --%s)", r->name, what, q.text, meant);
	return cli_usage("--%s: %s: \"%s\"%s%s%s", r->name, what, q.text, remedy[0] != '\0' ? " (" : "", remedy, remedy[0] != '\0' ? ")" : "");
}

int
opts_refuse_pair(enum opts_id id, const char *why)
{
	return cli_usage("--%s: has no effect %s", opts_name(id), why);
}

/* ---- parsing ---- */

/*
 * popt puts the next operand in place of `!#:+` inside an option's argument.  So a mark goes behind the `!` of each such text (one more, where
 * somebody wrote marks) before popt sees it, and is taken away from what comes out.
 */
#define MARK '\001'

/* The length of `!`, marks and `#:+` at p; 0 if they are not there. */
static size_t
expansion(const char *p)
{
	size_t marks = 0;

	if (p[0] != '!')
		return 0;
	while (p[1 + marks] == MARK)
		marks++;
	return strncmp(p + 1 + marks, "#:+", 3) == 0 ? marks + 4 : 0;
}

static char *
marked(const char *text)
{
	char *copy = cli_alloc(2 * strlen(text) + 1, 1), *to = copy;

	for (; *text != '\0'; text++) {
		*to++ = *text;
		if (expansion(text) > 0)
			*to++ = MARK;
	}
	return copy;
}

/* In place.  NULL is left alone. */
static char *
unmarked(char *text)
{
	const char *from = text;
	char *to = text;

	while (from != NULL && *from != '\0') {
		size_t skip = expansion(from) > 4;

		*to++ = *from;
		from += 1 + skip;
	}
	if (to != NULL)
		*to = '\0';
	return text;
}

static void
keep(struct opts_given *g, enum opts_id id, char *value)
{
	g->value[id] = cli_resize(g->value[id], g->count[id] + 1, sizeof *g->value[id]);
	g->value[id][g->count[id]++] = value;
}

static int
refuse_popt(poptContext context, int code)
{
	const char *found = poptBadOption(context, POPT_BADOPTION_NOALIAS);
	char *bad = unmarked(cli_copy(found != NULL ? found : "", found != NULL ? strlen(found) : 0));
	struct cli_quoted q;

	(void)cli_quote(bad, strlen(bad), &q);
	free(bad);
	switch (code) {
	case POPT_ERROR_NOARG: return cli_usage("%s: needs a value", q.text);
	case POPT_ERROR_BADOPT: return cli_usage("unknown option: \"%s\"", q.text);
	case POPT_ERROR_UNWANTEDARG: return cli_usage("%s: takes no value", q.text);
	default: return cli_usage("%s: %s", q.text, poptStrerror(code));
	}
}

/* All options.  Returns an exit status. */
static int
take_options(struct opts_given *g, poptContext context)
{
	int code;

	while ((code = poptGetNextOpt(context)) > 0) {
		enum opts_id id = (enum opts_id)(code - 1);
		char *value = unmarked(poptGetOptArg(context));

		if (opts_has(g, id) && !row_of(id)->many) {
			free(value);
			return cli_usage("--%s: given twice", opts_name(id));
		}
		keep(g, id, value);
	}
	return code == -1 ? CLI_OK : refuse_popt(context, code);
}

static void
take_operands(struct opts_given *g, poptContext context)
{
	const char **args = poptGetArgs(context);

	while (args != NULL && args[g->operands] != NULL)
		g->operands++;
	g->operand = cli_alloc(g->operands + 1, sizeof *g->operand);
	for (size_t i = 0; i < g->operands; i++)
		g->operand[i] = unmarked(cli_copy(args[i], strlen(args[i])));
}

bool
opts_parse(struct opts_given *g, const struct opts_about *about, int argc, const char **argv, int *status)
{
	struct poptOption *option = cli_alloc(ROWS + 1, sizeof *option);
	size_t n = 0;

	*g = (struct opts_given){ .about = about, .table = option };
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].tools & about->tool)
			option[n++] = (struct poptOption){ .longName = table[i].name, .shortName = table[i].letter,
				.argInfo = table[i].argument != NULL ? POPT_ARG_STRING : POPT_ARG_NONE, .val = (int)table[i].id + 1 };
	g->arg = cli_alloc((size_t)argc + 1, sizeof *g->arg);
	for (int i = 0; i < argc; i++)
		g->arg[i] = marked(argv[i]);
	g->context = poptGetContext(NULL, argc, (const char **)g->arg, option, 0);        /* without a name there are no aliases */
	if (g->context == NULL) {
		cli_error(NULL, 0, "out of memory");
		*status = CLI_SYSTEM;
		return false;
	}
	*status = take_options(g, g->context);
	if (*status == CLI_OK && opts_has(g, OPT_HELP))
		*status = print_help(about);
	else if (*status == CLI_OK && opts_has(g, OPT_USAGE))
		*status = print_usage(about);
	else if (*status == CLI_OK && opts_has(g, OPT_VERSION))
		*status = print_version();
	else if (*status == CLI_OK) {
		take_operands(g, g->context);
		return true;
	}
	opts_release(g);
	return false;
}

void
opts_release(struct opts_given *g)
{
	for (size_t id = 0; id < OPT_COUNT; id++) {
		for (size_t i = 0; i < g->count[id]; i++)
			free(g->value[id][i]);
		free(g->value[id]);
	}
	(void)poptFreeContext(g->context);
	free(g->table);
	for (size_t i = 0; g->arg != NULL && g->arg[i] != NULL; i++)
		free(g->arg[i]);
	free(g->arg);
	for (size_t i = 0; i < g->operands; i++)
		free(g->operand[i]);
	free(g->operand);
	*g = (struct opts_given){ 0 };
}

/* ---- values ---- */

const char *
opts_count_fault(const char *text, bool size, uint64_t *value, const char **remedy)
{
	static const struct { const char *name; uint64_t factor; } units[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 }, { "G", 1000000000 },
		{ "Ki", 1024 }, { "Mi", 1048576 }, { "Gi", 1073741824 } };
	size_t digits = strspn(text, "0123456789"), len = strlen(text + digits);

	*remedy = "";
	if (digits == 0)
		return "not a number";
	if (size && len > 0 && text[digits + len - 1] == 'B')
		len--;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strlen(units[i].name) != len || memcmp(units[i].name, text + digits, len) != 0)
			continue;
		if (!numtext_read_count(text, digits, value) || *value > UINT64_MAX / units[i].factor)
			return "out of range";
		*value *= units[i].factor;
		return NULL;
	}
	*remedy = "a count may end in k M G Ki Mi Gi";
	return "not a number";
}

int
opts_count_text(const char *text, enum opts_id id, bool size, uint64_t *value)
{
	const char *remedy, *fault = opts_count_fault(text, size, value, &remedy);

	return fault == NULL ? CLI_OK : opts_refuse(text, id, fault, remedy);
}

int
opts_count(const struct opts_given *g, enum opts_id id, bool size, uint64_t *value)
{
	return opts_count_text(opts_value(g, id), id, size, value);
}

int
opts_page_size(const struct opts_given *g, uint32_t *bytes)
{
	uint64_t size;
	int status;

	if (!opts_has(g, OPT_PAGE_SIZE))
		return CLI_OK;
	status = opts_count(g, OPT_PAGE_SIZE, true, &size);
	if (status != CLI_OK)
		return status;
	if (size < 4096 || size > 65536 || (size & (size - 1)) != 0)
		return opts_refuse(opts_value(g, OPT_PAGE_SIZE), OPT_PAGE_SIZE, "not a page size", "4Ki, 8Ki, 16Ki, 32Ki or 64Ki");
	*bytes = (uint32_t)size;
	return CLI_OK;
}

int
opts_list(const struct opts_given *g, enum opts_id id, struct opts_list *list)
{
	*list = (struct opts_list){ 0 };
	for (size_t i = 0; i < g->count[id]; i++) {
		const char *p = g->value[id][i];

		for (;;) {
			size_t len = strcspn(p, ",");

			if (len == 0) {
				opts_list_free(list);
				return opts_refuse(g->value[id][i], id, "an empty name in the list", "");
			}
			list->name = cli_resize(list->name, list->count + 1, sizeof *list->name);
			list->name[list->count++] = cli_copy(p, len);
			if (p[len] == '\0')
				break;
			p += len + 1;
		}
	}
	return CLI_OK;
}

void
opts_list_free(struct opts_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->name[i]);
	free(list->name);
	*list = (struct opts_list){ 0 };
}
