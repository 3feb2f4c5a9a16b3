/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader.h - one input's rows, as columns: the header's names matched, times and values parsed, batches of up to LOADER_BATCH rows.
 *
 * Text (csv, tsv) and the binary row stream give the same batches.  The caller pulls: loader_next gives what the buffer holds,
 * loader_fill makes one read when it asks for one, so that a caller can wait for input, a deadline and a signal in its own way.
 * A bad row is told (with its line) and ends the input.  Usual lines take a way without any copy; all others, and every refusal, the
 * general one.  All memory is taken at loader_open.
 */
#ifndef OTR_TOOLS_LOADER_H
#define OTR_TOOLS_LOADER_H

#include "timearg.h"

#define LOADER_BATCH 4096

enum loader_format { LOADER_CSV, LOADER_TSV, LOADER_BINARY };

/* NAME=COLUMN of --map. */
struct loader_map {
	const char *name;
	size_t name_len;
	const char *column;
};

/* What all inputs share; borrowed until the last loader_close. */
struct loader_rules {
	const struct otr_schema *schema;
	enum loader_format format;
	char delimiter;
	bool no_header;
	const char *time_name;         /* -t NAME, or NULL */
	size_t time_position;          /* -t N, from 0 */
	const struct loader_map *map;
	size_t map_count;
	bool ignore_unknown;
	const char *null_text;         /* "" by default */
	bool has_unit;                 /* --time-unit */
	enum timearg_unit unit;
	bool any_time;
	const struct zone *zone;
	enum timearg_dst dst;
	int64_t now;
	bool quiet;
};

/* Rows from `row` of a batch on stand on consecutive lines from `line` on. */
struct loader_run {
	size_t row;
	uint64_t line;
};

/* Counted in records. */
struct loader_counts {
	uint64_t rows, blank, comment, header;
};

enum loader_status { LOADER_ROWS, LOADER_NEED, LOADER_END, LOADER_BAD };

struct loader;

/* name: of the input, in messages.  fd and name are borrowed until loader_close. */
struct loader *loader_open(const struct loader_rules *rules, int fd, const char *name);
void loader_close(struct loader *l);
/* One read.  Returns 0, or errno (EINTR among others). */
int loader_fill(struct loader *l);
/*
 * Up to limit rows (1 .. LOADER_BATCH), borrowed until the next call, with *runs telling their lines.  LOADER_BAD: told on stderr; the rows
 * before the bad one have been given or are lost with it.
 */
enum loader_status loader_next(struct loader *l, size_t limit, struct otr_rows *rows, const struct loader_run **runs, size_t *run_count);
struct loader_counts loader_counts(const struct loader *l);

/* The column that a name in an input means, by --map and the schema, or -1. */
int loader_find_column(const struct loader_rules *rules, const char *name, size_t len);
/* "temp, hum": names of the columns whose bits are set. */
void loader_column_list(const struct otr_schema *schema, uint64_t columns, char *out, size_t room);

#endif
