/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr-append - adds rows to a file: finite input is one commit, all or nothing; --commit-every makes one after another.
 */
#include "cli.h"
#include "csv.h"
#include "loader.h"
#include "numtext.h"
#include "out.h"
#include "progress.h"
#include "reader.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct opts_about about = {
	.tool = OPTS_APPEND,
	.synopsis = "otr-append [options] FILE [INPUT...]\n",
	.purpose = "Adds the rows of the INPUTs (default: stdin) to FILE, in one commit.\n",
	.examples = "  otr-append pump.otr < readings.csv\n"
		    "  tail -F log.csv | otr-append --commit-every 1000,5s pump.otr\n",
};

struct input {
	const char *name;
	int fd;
	bool regular;
	off_t start;                             /* of a regular one: where reading begins, and its size */
	off_t size;
};

struct opts {
	const char *path;
	struct input *input;
	size_t inputs;
	struct reader_clock clock;
	struct loader_rules rules;
	struct loader_map *map;
	struct writer_commit commit;
	uint64_t sort_bytes;
	uint64_t commit_rows, commit_ns;         /* of --commit-every; 0: not so */
	enum progress_when when;
	bool print_version, verbose, quiet;
};

/* From row `row` of the commit on, rows stand on consecutive lines of an input (or, line 0, are its rows from `nth` on). */
struct place {
	uint64_t row, line, nth;
	const char *input;
};

struct run {
	const struct opts *o;
	struct otr_writer *writer;
	struct out out;
	bool streaming, mapped;
	bool unknown;                            /* a commit failed when it may have been durable already: its message says so */
	uint64_t pending;                        /* rows of the commit being made, but for pieces of it that are durable */
	uint64_t given;                          /* all rows of it: by this the library counts them */
	int64_t deadline;                        /* of it, on the monotonic clock */
	uint64_t version, commits;
	uint64_t pieces;                         /* that the commit being made was cut into so far */
	struct loader_counts read;
	struct progress progress;
	uint64_t committed, added, replaced, skipped;
	struct place *place;                     /* only under the policy `error` */
	size_t places, places_room;
};

/* ---- signals ---- */

/*
 * Waits until fd can be read, the deadline (INT64_MAX: none) or a signal.  The signals are let in only by pselect itself, so that none
 * falls between the look at them and the wait.
 */
static void
wait_for(int fd, int64_t deadline)
{
	int64_t left = deadline - cli_monotonic_ns();
	struct timespec timeout = { (time_t)(left / 1000000000), (long)(left % 1000000000) };
	sigset_t block, old;
	fd_set set;

	if (fd >= FD_SETSIZE || left <= 0)
		return;
	FD_ZERO(&set);
	FD_SET((unsigned short)fd, &set);        /* less than FD_SETSIZE; musl's macro converts it to unsigned */
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGINT);
	(void)sigaddset(&block, SIGTERM);
	(void)sigaddset(&block, SIGHUP);
	(void)sigaddset(&block, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &block, &old);
	if (cli_caught() == 0 && !progress_is_asked())
		(void)pselect(fd + 1, &set, NULL, NULL, deadline == INT64_MAX ? NULL : &timeout, &old);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- options ---- */

static int
take_format(const struct opts_given *g, struct opts *o)
{
	static const enum opts_id of_text[] = { OPT_DELIMITER, OPT_NO_HEADER, OPT_NULL_VALUE, OPT_TIME_UNIT, OPT_ANY_TIME, OPT_TIME_COLUMN,
		OPT_TIMEZONE };
	static const enum opts_id of_header[] = { OPT_MAP, OPT_IGNORE_UNKNOWN };
	const char *format = opts_value(g, OPT_FORMAT), *delimiter = opts_value(g, OPT_DELIMITER);
	enum emit_format found = EMIT_CSV;

	if (format != NULL && !emit_format(format, true, &found))
		return opts_refuse(format, OPT_FORMAT, "not a format", "csv, tsv, binary");
	o->rules.format = found == EMIT_CSV ? LOADER_CSV : found == EMIT_TSV ? LOADER_TSV : LOADER_BINARY;
	o->rules.delimiter = found == EMIT_TSV ? '\t' : ',';
	if (delimiter != NULL && !csv_delimiter(delimiter, &o->rules.delimiter))
		return opts_refuse(delimiter, OPT_DELIMITER, "not a delimiter", "one byte as , ; | or comma, semicolon, tab, space");
	if (delimiter != NULL && found == EMIT_TSV)
		return opts_refuse_pair(OPT_DELIMITER, "with --format tsv");
	for (size_t i = 0; found == EMIT_BINARY && i < sizeof of_text / sizeof of_text[0]; i++)
		if (opts_has(g, of_text[i]))
			return opts_refuse_pair(of_text[i], "with --format binary");
	o->rules.no_header = opts_has(g, OPT_NO_HEADER);
	for (size_t i = 0; o->rules.no_header && i < sizeof of_header / sizeof of_header[0]; i++)
		if (opts_has(g, of_header[i]))
			return opts_refuse_pair(of_header[i], "with --no-header");
	o->rules.ignore_unknown = opts_has(g, OPT_IGNORE_UNKNOWN);
	return reader_null_text(g, o->rules.delimiter, &o->rules.null_text);
}

static int
take_time(const struct opts_given *g, struct opts *o)
{
	const char *unit = opts_value(g, OPT_TIME_UNIT), *column = opts_value(g, OPT_TIME_COLUMN);
	uint64_t position;
	int status = reader_clock(g, &o->clock);

	if (status != CLI_OK)
		return status;
	o->rules.zone = o->clock.zone;
	o->rules.dst = o->clock.dst;
	o->rules.now = o->clock.now;
	o->rules.any_time = opts_has(g, OPT_ANY_TIME);
	o->rules.has_unit = unit != NULL;
	if (unit != NULL && !timearg_unit(unit, strlen(unit), &o->rules.unit))
		return opts_refuse(unit, OPT_TIME_UNIT, "not a unit", "s, ms, us, ns");
	if (column == NULL)
		return CLI_OK;
	if (column[0] == '\0')
		return opts_refuse(column, OPT_TIME_COLUMN, "an empty name", "a name, or a position from 1");
	if (strspn(column, "0123456789") == strlen(column)) {
		if (!numtext_read_count(column, strlen(column), &position) || position == 0 || position > 1000000)
			return opts_refuse(column, OPT_TIME_COLUMN, "out of range", "the first field is 1");
		o->rules.time_position = (size_t)position - 1;
		return CLI_OK;
	}
	if (o->rules.no_header)
		return opts_refuse(column, OPT_TIME_COLUMN, "no names without a header", "its position from 1");
	o->rules.time_name = column;
	return CLI_OK;
}

static int
take_maps(const struct opts_given *g, struct opts *o)
{
	o->map = cli_alloc(g->count[OPT_MAP], sizeof *o->map);
	for (size_t i = 0; i < g->count[OPT_MAP]; i++) {
		const char *text = g->value[OPT_MAP][i], *mark = strrchr(text, '=');         /* a column's name has no = */

		if (mark == NULL || mark == text || mark[1] == '\0')
			return opts_refuse(text, OPT_MAP, "not NAME=COLUMN", "");
		o->map[i] = (struct loader_map){ .name = text, .name_len = (size_t)(mark - text), .column = mark + 1 };
		for (size_t j = 0; j < i; j++)
			if (o->map[j].name_len == o->map[i].name_len && memcmp(o->map[j].name, text, o->map[i].name_len) == 0)
				return opts_refuse(text, OPT_MAP, "NAME mapped twice", "");
	}
	o->rules.map = o->map;
	o->rules.map_count = g->count[OPT_MAP];
	return CLI_OK;
}

/* ROWS, DUR or both, in any order. */
static int
take_commit_every(const struct opts_given *g, struct opts *o)
{
	struct opts_list list;
	int status = opts_list(g, OPT_COMMIT_EVERY, &list);

	for (size_t i = 0; status == CLI_OK && i < list.count; i++) {
		const char *text = list.name[i];
		struct timearg_why why;
		size_t digits = strspn(text, "0123456789");
		bool is_count = text[digits] == '\0' || strchr("kMG", text[digits]) != NULL;
		uint64_t *value = is_count ? &o->commit_rows : &o->commit_ns;

		if (*value != 0)
			status = opts_refuse(text, OPT_COMMIT_EVERY, "given twice", "one number of rows, one length of time");
		else if (is_count)
			status = opts_count_text(text, OPT_COMMIT_EVERY, false, value);
		else if (!timearg_fixed_length(text, false, value, &why))
			status = opts_refuse(text, OPT_COMMIT_EVERY, why.what, why.remedy);
		if (status == CLI_OK && *value == 0)
			status = opts_refuse(text, OPT_COMMIT_EVERY, "out of range", "at least 1");
	}
	opts_list_free(&list);
	return status;
}

static int
take_inputs(const struct opts_given *g, struct opts *o)
{
	bool standard = false;

	if (g->operands == 0)
		return cli_usage("no FILE");
	o->path = g->operand[0];
	if (writer_check_path(o->path) != CLI_OK)
		return CLI_USAGE;
	o->inputs = g->operands > 1 ? g->operands - 1 : 1;
	o->input = cli_alloc(o->inputs, sizeof *o->input);
	for (size_t i = 0; i < o->inputs; i++) {
		const char *name = g->operands > 1 ? g->operand[i + 1] : "-";

		o->input[i] = (struct input){ .name = name, .fd = -1 };
		if (strcmp(name, "-") != 0)
			continue;
		if (standard)
			return cli_usage("stdin is read once only");
		standard = true;
		o->input[i].name = "<stdin>";
		o->input[i].fd = STDIN_FILENO;
	}
	return CLI_OK;
}

static int
take_options(const struct opts_given *g, struct opts *o)
{
	int status;

	o->print_version = opts_has(g, OPT_PRINT_VERSION);
	o->quiet = opts_has(g, OPT_QUIET);
	o->verbose = opts_has(g, OPT_VERBOSE) && !o->quiet;
	o->rules.quiet = o->quiet;
	if ((status = take_inputs(g, o)) != CLI_OK || (status = take_format(g, o)) != CLI_OK || (status = take_time(g, o)) != CLI_OK ||
	    (status = take_maps(g, o)) != CLI_OK || (status = take_commit_every(g, o)) != CLI_OK || (status = writer_commit(g, &o->commit)) != CLI_OK ||
	    (status = progress_option(g, &o->when)) != CLI_OK)
		return status;
	if (opts_has(g, OPT_SORT_MEM) && (status = opts_count(g, OPT_SORT_MEM, true, &o->sort_bytes)) != CLI_OK)
		return status;
	if (opts_has(g, OPT_SORT_MEM) && (o->sort_bytes == 0 || o->sort_bytes > SIZE_MAX))
		return opts_refuse(opts_value(g, OPT_SORT_MEM), OPT_SORT_MEM, "out of range", "");
	return CLI_OK;
}

/* ---- opening ---- */

/* All of them before the first write. */
static int
open_inputs(struct opts *o)
{
	for (size_t i = 0; i < o->inputs; i++) {
		struct input *in = &o->input[i];
		struct stat st;

		if (in->fd < 0)
			in->fd = open(in->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (in->fd < 0 || fstat(in->fd, &st) != 0) {
			cli_error(in->name, 0, "cannot open: %s", strerror(errno));
			return CLI_SYSTEM;
		}
		if (S_ISDIR(st.st_mode)) {
			cli_error(in->name, 0, "is a directory");
			return CLI_SYSTEM;
		}
		in->regular = S_ISREG(st.st_mode);
		in->start = in->regular ? lseek(in->fd, 0, SEEK_CUR) : 0;
		in->size = st.st_size;
	}
	return CLI_OK;
}

static void
on_waiting(void *arg)
{
	const struct opts *o = ((const struct run *)arg)->o;

	if (!o->quiet)
		cli_warning(o->path, 0, "waiting for another writer");
}

static void
on_holding(void *arg)
{
	const struct opts *o = ((const struct run *)arg)->o;

	if (o->verbose)
		cli_note(o->path, "a large commit: the writer lock is held while input is read");
}

/* A commit is durable: its rows are no longer pending, its version is told. */
static void
count_commit(struct run *r, const struct otr_commit_result *result, uint64_t rows)
{
	r->version = result->version;
	r->added += result->added;
	r->replaced += result->replaced;
	r->skipped += result->skipped;
	r->committed += rows;
	r->pending -= rows;
	if (!result->committed)
		return;
	r->commits++;
	if (r->o->print_version) {
		out_format(&r->out, "%llu\n", (unsigned long long)result->version);
		out_flush(&r->out);
	}
}

static void
tell_piece(const struct run *r, uint64_t version, uint64_t rows)
{
	if (r->o->verbose)
		cli_note(r->o->path, "version %llu: %llu rows", (unsigned long long)version, (unsigned long long)rows);
}

/* Input into a file of a fixed size is committed in pieces. */
static void
on_piece(void *arg, const struct otr_commit_result *result)
{
	struct run *r = arg;
	uint64_t rows = result->added + result->replaced + result->skipped;

	r->pieces++;
	count_commit(r, result, rows);
	tell_piece(r, result->version, rows);
}

static int
open_writer(struct opts *o, struct run *r)
{
	struct otr_writer_options options = {
		/* a stream waits for the lock as long as its input's pipe can hold back what comes */
		.wait_ns = r->streaming ? INT64_MAX : o->commit.wait_ns, .author = o->commit.author, .message = o->commit.message,
		.sort_bytes = (size_t)o->sort_bytes, .waiting = r->streaming || o->verbose ? on_waiting : NULL, .holding = on_holding, .piece = on_piece, .arg = r
	};
	struct otr_error err = { 0 };
	const char *notice;
	bool fallback = false;

	if (otr_writer_open(o->path, &options, &r->writer, &err) != OTR_OK)
		return cli_failed(o->path, &err);
	for (size_t i = 0; (notice = otr_writer_notice(r->writer, i, &fallback)) != NULL; i++)
		cli_warning(o->path, 0, "%s", notice);
	o->rules.schema = otr_writer_schema(r->writer);
	r->mapped = otr_writer_policies(r->writer)->duplicates == OTR_ERROR;
	r->version = otr_writer_version(r->writer);
	for (size_t i = 0; i < o->rules.map_count; i++) {
		const char *name = o->map[i].column;
		unsigned c = 0;

		while (c < o->rules.schema->columns && strcmp(o->rules.schema->column[c].name, name) != 0)
			c++;
		if (c == o->rules.schema->columns)
			return reader_no_column(o->path, name, o->rules.schema);
	}
	return CLI_OK;
}

/* ---- refusals by the library ---- */

static void
note_places(struct run *r, const char *input, const struct loader_run *runs, size_t count, uint64_t nth)
{
	struct loader_run whole = { 0, 0 };

	if (!r->mapped)
		return;
	if (count == 0) {                    /* a binary stream: its rows have numbers, not lines */
		runs = &whole;
		count = 1;
	}
	for (size_t i = 0; i < count; i++) {
		struct place p = { .row = r->given + runs[i].row, .line = runs[i].line, .nth = nth, .input = input };
		const struct place *last = r->places > 0 ? &r->place[r->places - 1] : NULL;

		if (last != NULL && last->input == input && p.line - last->line == (p.line != 0 ? p.row - last->row : 0) &&
		    p.nth - last->nth == (p.line != 0 ? p.nth - last->nth : p.row - last->row))
			continue;
		if (r->places == r->places_room) {
			r->places_room = r->places_room > 0 ? 2 * r->places_room : 64;
			r->place = cli_resize(r->place, r->places_room, sizeof *r->place);
		}
		r->place[r->places++] = p;
	}
}

static int
tell_duplicate(const struct run *r, const struct otr_error *err)
{
	const struct place *found = NULL;
	struct timearg_writer w;
	struct timearg_why why;
	char text[TIMEARG_TEXT + 1] = "";

	for (size_t i = 0; i < r->places && err->row >= 0 && r->place[i].row <= (uint64_t)err->row; i++)
		found = &r->place[i];
	if (timearg_writer_init(&w, NULL, r->o->clock.zone, timearg_time_digits(err->time_ns), &why))
		*timearg_write(&w, text, err->time_ns) = '\0';
	if (found == NULL)
		cli_error(r->o->path, 0, "a second row at %s (the policy is `error`)", text);
	else if (found->line != 0)
		cli_error(found->input, found->line + ((uint64_t)err->row - found->row), "a second row at %s (the policy is `error`)", text);
	else
		cli_error(found->input, 0, "row %llu: a second row at %s (the policy is `error`)",
		    (unsigned long long)(found->nth + ((uint64_t)err->row - found->row) + 1), text);
	return CLI_INPUT;
}

static int
refused(struct run *r, const struct otr_error *err)
{
	if (err->status == OTR_E_DUPLICATE)
		return tell_duplicate(r, err);
	r->unknown = strncmp(err->text, "state of version ", 17) == 0;
	if (err->status == OTR_E_LIMIT && err->spec[0] == '\0') {        /* no limit of the format: the memory for disorder */
		cli_error(r->o->path, 0, "%s (sort the input with sort -n, or --commit-every, or more --sort-mem)", err->text);
		return CLI_INPUT;
	}
	return cli_failed(r->o->path, err);
}

/* ---- the work ---- */

static int
commit(struct run *r)
{
	struct otr_commit_result result = { 0 };
	struct otr_error err = { 0 };

	if (otr_writer_commit(r->writer, &result, &err) != OTR_OK)
		return refused(r, &err);
	if (r->pieces > 0 && result.committed)
		tell_piece(r, result.version, r->pending);           /* the last of them */
	count_commit(r, &result, r->pending);
	r->pieces = 0;
	r->given = 0;
	r->places = 0;
	return CLI_OK;
}

static bool
is_due(const struct run *r)
{
	return r->pending > 0 && ((r->o->commit_rows > 0 && r->pending >= r->o->commit_rows) || (r->o->commit_ns > 0 && cli_monotonic_ns() >= r->deadline));
}

static int
add(struct run *r, const struct input *in, struct loader *l, const struct otr_rows *rows, const struct loader_run *runs, size_t run_count)
{
	struct otr_error err = { 0 };

	if (r->pending == 0 && r->o->commit_ns > 0) {
		int64_t now = cli_monotonic_ns();

		r->deadline = r->o->commit_ns < (uint64_t)(INT64_MAX - now) ? now + (int64_t)r->o->commit_ns : INT64_MAX;
	}
	note_places(r, in->name, runs, run_count, loader_counts(l).rows - rows->n);
	r->given += rows->n;
	r->pending += rows->n;                   /* before the call: on_piece takes some of them away */
	if (otr_writer_add(r->writer, rows, &err) != OTR_OK)
		return refused(r, &err);
	return is_due(r) ? commit(r) : CLI_OK;
}

/* Waits for input, makes one read; a deadline that passes meanwhile makes a commit. */
static int
fill(struct run *r, const struct input *in, struct loader *l)
{
	int error;

	if (!in->regular)
		wait_for(in->fd, r->pending > 0 && r->o->commit_ns > 0 ? r->deadline : INT64_MAX);
	if (cli_caught() != 0 || progress_is_asked())
		return CLI_OK;
	if (is_due(r))
		return commit(r);
	error = loader_fill(l);
	if (error == 0 || error == EINTR || error == EAGAIN)
		return CLI_OK;
	cli_error(in->name, 0, "read failed: %s", strerror(error));
	return CLI_SYSTEM;
}

/* Bytes read of all inputs, of which `in` is read now; 0 of 0 if the size of one is not known. */
static uint64_t
bytes_read(const struct opts *o, const struct input *in, uint64_t *total)
{
	uint64_t done = 0;

	*total = 0;
	for (size_t i = 0; i < o->inputs; i++) {
		const struct input *x = &o->input[i];
		off_t at = x < in ? x->size : x == in ? lseek(x->fd, 0, SEEK_CUR) : x->start;

		if (!x->regular || x->start < 0 || at < x->start || x->size < x->start) {
			*total = 0;
			return 0;
		}
		done += (uint64_t)(at - x->start);
		*total += (uint64_t)(x->size - x->start);
	}
	return done;
}

static void
tell_progress(struct run *r, const struct input *in, const struct loader *l)
{
	uint64_t bytes, total;

	if (!progress_is_due(&r->progress))
		return;
	bytes = bytes_read(r->o, in, &total);
	progress_rows(&r->progress, r->read.rows + loader_counts(l).rows, bytes, total);
}

static int
read_input(struct run *r, const struct input *in)
{
	struct loader *l = loader_open(&r->o->rules, in->fd, in->name);
	const struct loader_run *runs;
	struct loader_counts counts;
	struct otr_rows rows;
	size_t run_count;
	int status = CLI_OK;

	if (!r->o->quiet && cli_is_terminal(in->fd))
		cli_note(in->name, "reading from the terminal; Ctrl-D ends the input");
	while (status == CLI_OK && cli_caught() == 0) {
		uint64_t limit = r->o->commit_rows > 0 ? r->o->commit_rows - r->pending : LOADER_BATCH;
		enum loader_status got = loader_next(l, limit < LOADER_BATCH ? (size_t)limit : LOADER_BATCH, &rows, &runs, &run_count);

		if (got == LOADER_END)
			break;
		if (got == LOADER_BAD)
			status = CLI_INPUT;
		else if (got == LOADER_NEED)
			status = fill(r, in, l);
		else
			status = add(r, in, l, &rows, runs, run_count);
		tell_progress(r, in, l);
	}
	counts = loader_counts(l);
	r->read.rows += counts.rows;
	r->read.blank += counts.blank;
	r->read.comment += counts.comment;
	r->read.header += counts.header;
	loader_close(l);
	return status;
}

static void
summarize(const struct run *r)
{
	const struct loader_counts *c = &r->read;

	cli_note(r->o->path, "read %llu = %llu rows + 0 rejected + %llu blank + %llu comment + %llu header + 0 other series",
	    (unsigned long long)(c->rows + c->blank + c->comment + c->header), (unsigned long long)c->rows, (unsigned long long)c->blank,
	    (unsigned long long)c->comment, (unsigned long long)c->header);
	cli_note(r->o->path, "%llu rows = %llu new + %llu replaced + %llu skipped; version %llu", (unsigned long long)r->committed,
	    (unsigned long long)r->added, (unsigned long long)r->replaced, (unsigned long long)r->skipped, (unsigned long long)r->version);
}

/* What stands in the file after the input was refused or, number, ended by a signal.  Of a commit whose state is unknown nothing is said here. */
static void
tell_committed(const struct run *r, int number)
{
	char ended[40] = "";

	if (number != 0)
		(void)snprintf(ended, sizeof ended, "ended by signal %d; ", number);
	if (r->commits > 0)
		cli_error(r->o->path, 0, "%s%llu rows were committed%s, up to version %llu", ended, (unsigned long long)r->committed,
		    r->unknown ? " before that" : "", (unsigned long long)r->version);
	else if (!r->unknown)
		cli_error(r->o->path, 0, "%snothing was committed", ended);
}

static void
end_by_signal(struct run *r, int status)
{
	int number = cli_caught();

	if (status == CLI_OK && r->streaming && r->pending > 0)
		status = commit(r);
	otr_writer_close(r->writer);
	tell_committed(r, number);
	cli_die_of(number);
}

/* Not over what is typed, nor among versions that are printed. */
static enum progress_when
when_to_tell(const struct opts *o)
{
	bool apart = !(o->print_version && cli_is_terminal(STDOUT_FILENO));

	for (size_t i = 0; i < o->inputs; i++)
		apart = apart && !cli_is_terminal(o->input[i].fd);
	return o->when == PROGRESS_ON_TERMINAL && !apart ? PROGRESS_NEVER : o->when;
}

static int
append(struct opts *o)
{
	struct run r = { .o = o, .streaming = o->commit_rows > 0 || o->commit_ns > 0 };
	int status = out_open(&r.out, NULL, false), closed;

	progress_begin(&r.progress, o->path, PROGRESS_NEVER);    /* for SIGUSR1: the open of a pipe waits for its other end */
	if (status == CLI_OK)
		status = open_inputs(o);
	if (status == CLI_OK)
		status = open_writer(o, &r);
	if (status != CLI_OK)
		goto out;
	progress_begin(&r.progress, o->path, when_to_tell(o));
	/* The first signal ends the input, the second the program. */
	cli_await_signal();
	for (size_t i = 0; i < o->inputs && status == CLI_OK && cli_caught() == 0; i++)
		status = read_input(&r, &o->input[i]);
	if (cli_caught() != 0)
		end_by_signal(&r, status);
	if (status == CLI_OK && r.pending > 0)
		status = commit(&r);
	progress_end(&r.progress);
	if (status == CLI_OK && o->print_version && r.commits == 0)
		out_format(&r.out, "%llu\n", (unsigned long long)r.version);
	if (status != CLI_OK)
		tell_committed(&r, 0);
	else if (o->verbose)
		summarize(&r);
out:
	otr_writer_close(r.writer);
	if (r.commits == 0)
		status = writer_tell_remedy(o->path, status);
	free(r.place);
	closed = out_close(&r.out, true);
	return cli_worst(status, closed);
}

int
main(int argc, const char **argv)
{
	struct opts_given given;
	struct opts o = { 0 };
	int status;

	cli_start("otr-append");
	if (!opts_parse(&given, &about, argc, argv, &status))
		return status;
	status = take_options(&given, &o);
	if (status == CLI_OK)
		status = append(&o);
	reader_clock_free(&o.clock);
	free(o.map);
	free(o.input);
	opts_release(&given);
	return status;
}
