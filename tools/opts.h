/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.h - the command line of every tool, from one table, so that a letter or a long name cannot mean two things.
 *
 * popt finds the options; every argument comes out as a string, and the mains turn it into values with the strict functions here and in
 * timearg.h.  Neither popt's numbers (010 is 8 there, '' is 0), nor its configuration files, nor its help are used.
 */
#ifndef OTR_TOOLS_OPTS_H
#define OTR_TOOLS_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opts_tool { OPTS_APPEND = 1, OPTS_CREATE = 2, OPTS_DUMP = 4, OPTS_QUERY = 8, OPTS_STAT = 16, OPTS_VERIFY = 32, OPTS_LOG = 64,
	OPTS_DIFF = 128, OPTS_DELETE = 256, OPTS_ROLLBACK = 512, OPTS_META = 1024, OPTS_COMPACT = 2048, OPTS_ALL = 4095 };

enum opts_id {
	OPT_AGGREGATE, OPT_COLUMNS, OPT_DELIMITER, OPT_END, OPT_FAIL_EMPTY, OPT_FORCE, OPT_FORMAT, OPT_LIST, OPT_MESSAGE, OPT_LIMIT,
	OPT_NO_HEADER, OPT_OUTPUT, OPT_QUIET, OPT_REVERSE, OPT_START, OPT_TIME_COLUMN, OPT_VERBOSE, OPT_WINDOW, OPT_WAIT, OPT_TIMEZONE,
	OPT_ANY_TIME, OPT_AT, OPT_AUTHOR, OPT_BEFORE, OPT_COMMIT_EVERY, OPT_DST, OPT_DUPLICATES, OPT_EXPLAIN, OPT_GAP, OPT_IGNORE_UNKNOWN,
	OPT_JSON, OPT_LAST, OPT_LIKE, OPT_LINEAR_COLUMN, OPT_MAP, OPT_META, OPT_NEAREST, OPT_NULL_VALUE, OPT_ORIGIN, OPT_PAGE_SIZE, OPT_POINTS,
	OPT_PRINT_VERSION, OPT_PROGRESS, OPT_NO_PROGRESS, OPT_SALVAGE, OPT_SCAN, OPT_SORT_MEM, OPT_STEP_COLUMN, OPT_TIME_FORMAT, OPT_TIME_UNIT, OPT_ROWS,
	OPT_ALL, OPT_WHERE, OPT_DRY_RUN, OPT_UNSET, OPT_MAX_SIZE, OPT_RETAIN, OPT_HISTORY,
	OPT_DEFLATE, OPT_DOWNSAMPLE, OPT_DROP_HISTORY, OPT_OLDER_THAN,
	OPT_HELP, OPT_USAGE, OPT_VERSION,
	OPT_COUNT
};

/* What a tool says about itself. */
struct opts_about {
	enum opts_tool tool;
	const char *synopsis;          /* lines behind "usage: ", ended by newlines */
	const char *purpose;           /* one line */
	const char *examples;          /* two lines */
};

/* What was given.  The strings live until opts_release. */
struct opts_given {
	const struct opts_about *about;
	size_t count[OPT_COUNT];
	char **value[OPT_COUNT];
	char **operand;
	size_t operands;
	char **arg;                    /* the arguments as popt is given them */
	void *context, *table;         /* popt's, and its options */
};

/*
 * Reads the command line.  Returns true if the tool is to go on; false with *status if it is done: help and version are printed, a refusal told.
 */
bool opts_parse(struct opts_given *g, const struct opts_about *about, int argc, const char **argv, int *status);
void opts_release(struct opts_given *g);

static inline bool
opts_has(const struct opts_given *g, enum opts_id id)
{
	return g->count[id] > 0;
}

/* The value of a single-valued option, or NULL. */
static inline const char *
opts_value(const struct opts_given *g, enum opts_id id)
{
	return g->count[id] > 0 ? g->value[id][0] : NULL;
}

/* Tells that an option's value is wrong: `--limit: not a number: "abc" (remedy)`.  Returns CLI_USAGE. */
int opts_refuse(const char *value, enum opts_id id, const char *what, const char *remedy);
/* Tells that an option has no effect without, or together with, another.  Returns CLI_USAGE. */
int opts_refuse_pair(enum opts_id id, const char *why);
const char *opts_name(enum opts_id id);

/* A count with k M G Ki Mi Gi, and B where it is a size.  Returns an exit status. */
int opts_count(const struct opts_given *g, enum opts_id id, bool size, uint64_t *value);
/* The page size that was asked for, in bytes (SPEC 3.4); *bytes stays if none was.  Returns an exit status. */
int opts_page_size(const struct opts_given *g, uint32_t *bytes);
int opts_count_text(const char *text, enum opts_id id, bool size, uint64_t *value);
/* The same text, told nothing: NULL, or what is wrong with it, and *remedy. */
const char *opts_count_fault(const char *text, bool size, uint64_t *value, const char **remedy);

/* The names of a LIST option, all its occurrences; freed with opts_list_free. */
struct opts_list {
	size_t count;
	char **name;
};
int opts_list(const struct opts_given *g, enum opts_id id, struct opts_list *list);
void opts_list_free(struct opts_list *list);

#endif
