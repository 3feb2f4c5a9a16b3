/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * long.c - a long life of one file: very many commits by one process, through libotr, and what the file has compared with what it should have.
 *
 *     long [options] FILE COMMITS      FILE as otr-create made it, with one f64 column "v" and no rows
 *
 *     -n ROWS      rows a commit (1)
 *     -b ROWS      rows of a first commit, which is not timed (0)
 *     -s           noise: values of 64 random bits, in place of a random walk with two decimals
 *     -l PPM       so many rows of a million are late: one half replaces a row, the other is new, at half a second ...
 *     -L SECONDS   ... and they are up to so late (10)
 *     -H PPM       so many of a million are an hour late
 *     -r           each row replaces one, anywhere in the series
 *     -w           a writer of its own for each commit, opened and closed
 *     -c COMMITS   each time after so many: every row is compared, and otr_verify; without it in the end alone
 *     -k ROWS      so many rows at least are kept, from the second tenth on
 *     -m BYTES     the file is never longer than that; one with max_size keeps its size to the byte, once it has that size
 *     -v COUNT     in the end: the log, and so many versions taken at random, found by number and by time, each with its rows
 *
 * On-time rows are a second apart; the wall clock is that of the newest row and some milliseconds, since clock_gettime is defined here.  Prints
 * a line a tenth, as CSV.  Times are of the processor, in microseconds a commit, in calls of libotr alone.  Status 1: something is not as it
 * should be; also if a commit of the last tenth takes more than 1.5 times one of the first tenth (in which a file with max_size was full).
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "otr.h"

#define SECOND INT64_C(1000000000)
#define FIRST (INT64_C(1700000000) * SECOND)
#define MEMORY (UINT64_C(1) << 24) /* seconds that are remembered, a power of two: 256 MiB */
#define NOTHING UINT64_MAX         /* a NaN, which no row has */
#define PARTS 10
#define LOOKS 1000                 /* commits between two looks at what is kept */
#define SLOWER 1.5

struct life {
	const char *path;
	uint64_t commits, rows, base, late_ppm, late_s, hour_ppm, check, least_rows, most_bytes, sample;
	bool noise, replace, fresh;
};

/* What a version has: enough to tell whether it has the right rows, without keeping them. */
struct state {
	uint64_t rows, sum;            /* sum of mix() over the rows */
	int64_t last_ns, commit_ns;
	uint64_t last_value;
};

/* What the file should hold: the bits of the value at each second and at each half second, of the newest MEMORY seconds. */
struct model {
	uint64_t *whole, *half;
	uint64_t seconds;              /* rows on time, ever */
	uint64_t random;
	int64_t hundredths;
	bool noise;
	struct state now;
};

struct range {
	uint64_t least, most;
};

/* What was measured. */
struct measure {
	double part[PARTS];            /* seconds in libotr */
	double longest;                /* of a commit of this part */
	uint64_t bytes, grown, filled; /* size of the file; the commits after which it changed last, and reached max_size */
	bool full;
	struct range rows, versions;   /* kept, from the second tenth on */
};

static int64_t clock_ns = FIRST;

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	long syscall(long number, ...);    /* what unistd.h hides from POSIX programs */

	if (clock != CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, clock, now);
	now->tv_sec = clock_ns / SECOND;
	now->tv_nsec = clock_ns % SECOND;
	return 0;
}

static double
processor(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
die(const char *what, const struct otr_error *err)
{
	(void)fflush(stdout);
	fprintf(stderr, "long: %s%s%s\n", what, err == NULL ? "" : ": ", err == NULL ? "" : err->text);
	exit(1);
}

static void *
memory(uint64_t n, size_t size)
{
	void *p = calloc((size_t)n + 1, size);

	if (p == NULL)
		die("no memory", NULL);
	return p;
}

/* ---- the model --------------------------------------------------------------------------------------------------------- */

static uint64_t
next_random(uint64_t *state)       /* xorshift64* */
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(2685821657736338717);
}

static uint64_t
below(struct model *m, uint64_t n)
{
	return (next_random(&m->random) >> 20) % n;
}

/* A row as one number; those of a version are added up, so that rows can be taken out again and their order does not count. */
static uint64_t
mix(int64_t time_ns, uint64_t value)
{
	uint64_t x = ((uint64_t)time_ns * UINT64_C(0x9e3779b97f4a7c15)) ^ value;

	x = (x ^ (x >> 31)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 29)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 32);
}

static uint64_t
next_value(struct model *m)
{
	uint64_t bits = next_random(&m->random);
	double value;

	if (m->noise)                  /* no infinity and no NaN */
		return (bits >> 52 & 0x7ff) == 0x7ff ? bits ^ UINT64_C(1) << 62 : bits;
	m->hundredths += (int64_t)((bits >> 32) % 101) - 50;
	value = (double)m->hundredths / 100;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static int64_t
time_of(uint64_t half_second)
{
	return FIRST + (int64_t)half_second * (SECOND / 2);
}

/* Puts a value at half second k. */
static void
put(struct model *m, uint64_t k, uint64_t value)
{
	uint64_t *cell = &(k % 2 == 0 ? m->whole : m->half)[k / 2 % MEMORY];

	if (k / 2 == m->seconds) {     /* the next second: what was there before is forgotten, but stays in the sum */
		m->seconds++;
		m->whole[k / 2 % MEMORY] = m->half[k / 2 % MEMORY] = NOTHING;
	}
	if (*cell == NOTHING)
		m->now.rows++;
	else
		m->now.sum -= mix(time_of(k), *cell);
	*cell = value;
	m->now.sum += mix(time_of(k), value);
	if (time_of(k) >= m->now.last_ns) {
		m->now.last_ns = time_of(k);
		m->now.last_value = value;
	}
}

/* The next row: on time, or `late` seconds late (if that is not 0 and there are so many). */
static void
next_row(struct model *m, uint64_t late, bool at_half, int64_t *time_ns, uint64_t *value)
{
	uint64_t k = 2 * m->seconds;

	*value = next_value(m);
	if (late > 0 && late <= m->seconds && late < MEMORY) {
		k = 2 * (m->seconds - late) + at_half;
		while (*value == (at_half ? m->half : m->whole)[k / 2 % MEMORY])   /* that would be no change, and no commit */
			*value = next_value(m);
	}
	put(m, k, *value);
	*time_ns = time_of(k);
}

/* The first half second from k on that has a row; 2 * seconds if there is none. */
static uint64_t
next_expected(const struct model *m, uint64_t k, uint64_t *value)
{
	for (; k < 2 * m->seconds; k++)
		if ((*value = (k % 2 == 0 ? m->whole : m->half)[k / 2 % MEMORY]) != NOTHING)
			break;
	return k;
}

/* ---- looking at the file ----------------------------------------------------------------------------------------------- */

static struct otr *
open_file(const char *path, struct otr_info *info)
{
	struct otr *file;
	struct otr_error err;

	if (otr_open(path, &file, &err) != OTR_OK)
		die("open", &err);
	otr_get_info(file, info);
	return file;
}

static struct otr_info
look(const char *path)
{
	struct otr_info info;

	otr_close(open_file(path, &info));
	return info;
}

/* Compares the rows of the file, as far as they are remembered, with the model: the newest, without a hole. */
static void
compare(const char *path, const struct model *m)
{
	struct otr_info info;
	struct otr *file = open_file(path, &info);
	uint64_t k = info.rows == 0 ? 2 * m->seconds : (uint64_t)(info.first_ns - FIRST) / (SECOND / 2), value = 0, seen = 0;
	bool all = m->seconds - k / 2 <= MEMORY;
	struct otr_cursor *cursor;
	struct otr_rows rows;
	struct otr_error err;
	enum otr_status status;

	if (!all)
		k = 2 * (m->seconds - MEMORY);
	if (otr_cursor_open(file, time_of(k), INT64_MAX, 1, false, &cursor, &err) != OTR_OK)
		die("read", &err);
	while ((status = otr_cursor_next(cursor, &rows, &err)) == OTR_OK)
		for (size_t i = 0; i < rows.n; i++, k++, seen++) {
			k = next_expected(m, k, &value);
			if (k == 2 * m->seconds || rows.time_ns[i] != time_of(k) || rows.value[0][i] != value ||
			    (rows.present[0] != NULL && (rows.present[0][i / 8] >> i % 8 & 1) == 0)) {
				fprintf(stderr, "long: at %" PRId64 ": row %" PRIu64 " that was read is not the one of half second %" PRIu64 "\n",
				    rows.time_ns[i], seen, k);
				exit(1);
			}
		}
	if (status != OTR_END)
		die("read", &err);
	if (next_expected(m, k, &value) < 2 * m->seconds || (all && seen != info.rows))
		die("rows are missing at the end", NULL);
	otr_cursor_close(cursor);
	otr_close(file);
}

static void
found(void *arg, const struct otr_finding *finding)
{
	(void)arg;
	if (!finding->note)
		fprintf(stderr, "long: %d %" PRIu64 ": %s (%s)\n", (int)finding->place, finding->number, finding->text, finding->spec);
}

static void
verify(const char *path)
{
	struct otr_error err;
	uint64_t faults;

	if (otr_verify(path, &(struct otr_verify_options){ .found = found }, &faults, &err) != OTR_OK)
		die("verify", &err);
	if (faults != 0)
		die("the file is damaged", NULL);
}

/* Whether the version that file is at has the rows of *state. */
static bool
has_rows(struct otr *file, const struct state *state)
{
	struct state got = { .last_ns = INT64_MIN };
	struct otr_cursor *cursor;
	struct otr_rows rows;
	struct otr_info info;
	struct otr_error err;
	enum otr_status status;

	if (otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &cursor, &err) != OTR_OK)
		die("read an old version", &err);
	while ((status = otr_cursor_next(cursor, &rows, &err)) == OTR_OK)
		for (size_t i = 0; i < rows.n; i++) {
			got.rows++;
			got.sum += mix(rows.time_ns[i], rows.value[0][i]);
			got.last_ns = rows.time_ns[i];
			got.last_value = rows.value[0][i];
		}
	if (status != OTR_END)
		die("read an old version", &err);
	otr_cursor_close(cursor);
	otr_get_info(file, &info);
	return info.rows == state->rows && got.rows == state->rows && got.sum == state->sum && got.last_ns == state->last_ns &&
	    got.last_value == state->last_value;
}

/* The log has each version in order, and versions taken at random have their rows; tells the pages that it takes to find one. */
static void
check_versions(const struct life *l, struct model *m, const struct state *states)
{
	struct otr_info info;
	struct otr *file = open_file(l->path, &info);
	uint64_t version = info.oldest_version, pages = 0, most = 0;
	struct otr_log *log;
	struct otr_commit commit;
	struct otr_error err;
	enum otr_status status;

	if (otr_log_open(file, INT64_MIN, INT64_MAX, true, &log, &err) != OTR_OK)
		die("log", &err);
	for (; (status = otr_log_next(log, &commit, &err)) == OTR_OK; version++)
		if (commit.version != version || (version > 0 && (commit.time_ns != states[version].commit_ns || commit.rows != states[version].rows)))
			die("a commit of the log is not the one that was made", NULL);
	if (status != OTR_END || version != info.newest_version + 1)
		die("the log ends early", status == OTR_END ? NULL : &err);
	otr_log_close(log);
	otr_close(file);

	for (uint64_t i = 0; i < l->sample; i++) {
		struct otr_counters read;
		uint64_t found_pages;

		version = info.oldest_version + below(m, info.newest_version - info.oldest_version + 1);
		if (version == 0)
			continue;
		file = open_file(l->path, &info);
		if ((i % 2 == 0 ? otr_select_version(file, version, &err) : otr_select_time(file, states[version].commit_ns, &err)) != OTR_OK)
			die("an old version is not found", &err);
		otr_get_info(file, &info);
		otr_get_counters(file, &read);
		found_pages = read.leaf_pages + read.inner_pages + read.log_pages;
		pages += found_pages;
		most = found_pages > most ? found_pages : most;
		if (info.version != version || !has_rows(file, &states[version])) {
			fprintf(stderr, "long: version %" PRIu64 " does not have the rows that it had\n", version);
			exit(1);
		}
		otr_close(file);
	}
	printf("the log and %" PRIu64 " versions are as they were; pages read to find one: %.1f, at most %" PRIu64 "\n", l->sample,
	    (double)pages / (double)l->sample, most);
}

/* ---- the life ---------------------------------------------------------------------------------------------------------- */

static struct otr_writer *
open_writer(const char *path)
{
	struct otr_writer *writer;
	struct otr_error err;

	if (otr_writer_open(path, &(struct otr_writer_options){ .author = "long" }, &writer, &err) != OTR_OK)
		die("open for writing", &err);
	return writer;
}

/* The rows of the next commit, and the clock at it. */
static void
next_rows(const struct life *l, struct model *m, uint64_t n, bool first, int64_t *times, uint64_t *values)
{
	int64_t clock;

	for (uint64_t j = 0; j < n; j++) {
		uint64_t dice = below(m, 1000000), late = dice < l->late_ppm ? 1 + below(m, l->late_s) : dice < l->late_ppm + l->hour_ppm ? 3600 : 0;
		bool at_half = below(m, 2) != 0;

		if (l->replace && !first)
			next_row(m, 1 + below(m, m->seconds), false, &times[j], &values[j]);
		else
			next_row(m, late, at_half, &times[j], &values[j]);
	}
	clock = FIRST + (int64_t)m->seconds * SECOND;
	clock_ns = (clock > clock_ns ? clock : clock_ns) + 1 + (int64_t)below(m, 20000000);
	m->now.commit_ns = clock_ns;
}

static void
widen(struct range *r, uint64_t value)
{
	r->least = value < r->least ? value : r->least;
	r->most = value > r->most ? value : r->most;
}

/* The file's size after commit i. */
static void
check_size(const struct life *l, const struct otr_policies *policies, uint64_t i, struct measure *seen)
{
	struct stat st;

	if (stat(l->path, &st) != 0)
		die("stat", NULL);
	if ((uint64_t)st.st_size == seen->bytes)
		return;
	if (seen->full)
		die("the size of a full file changed", NULL);
	seen->bytes = (uint64_t)st.st_size;
	seen->grown = i;
	if (policies->has_max_size && seen->bytes >= policies->max_bytes) {
		seen->full = true;
		seen->filled = i;
	}
	if ((policies->has_max_size && seen->bytes > policies->max_bytes) || (l->most_bytes > 0 && seen->bytes > l->most_bytes))
		die("the file is too long", NULL);
}

static void
check_kept(const struct life *l, struct measure *seen)
{
	struct otr_info info = look(l->path);

	widen(&seen->rows, info.rows);
	widen(&seen->versions, info.newest_version - info.oldest_version);
	if (info.rows < l->least_rows)
		die("too few rows are kept", NULL);
}

static void
tell_part(const struct life *l, uint64_t i, struct measure *seen)
{
	uint64_t part = l->commits / PARTS;
	struct otr_info info = look(l->path);

	printf("%" PRIu64 ",%.2f,%.0f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", i,
	    seen->part[(i - 1) / part] / (double)part * 1e6, seen->longest * 1e6, seen->bytes, info.page_count, info.live_pages, info.rows,
	    info.oldest_version, info.newest_version);
	(void)fflush(stdout);
	seen->longest = 0;
}

static void
tell_all(const struct life *l, const struct otr_policies *policies, const struct measure *seen)
{
	uint64_t part = l->commits / PARTS, first = (seen->filled + part - 1) / part;
	double all = 0, ratio;

	for (int i = 0; i < PARTS; i++)
		all += seen->part[i];
	printf("a commit: %.2f us of the processor, %.0f commits/s, %.0f rows/s\n", all / (double)l->commits * 1e6, (double)l->commits / all,
	    (double)(l->commits * l->rows) / all);
	printf("%" PRIu64 " bytes, %.3f a commit; the size changed last in commit %" PRIu64 "\n", seen->bytes,
	    (double)seen->bytes / (double)l->commits, seen->grown);
	printf("after the first tenth: %" PRIu64 " to %" PRIu64 " rows kept, %" PRIu64 " to %" PRIu64 " versions before the newest\n",
	    seen->rows.least, seen->rows.most, seen->versions.least, seen->versions.most);
	if (policies->has_max_size && (!seen->full || first >= PARTS - 1))
		die("the file was not full in time", NULL);
	ratio = seen->part[PARTS - 1] / seen->part[first];
	printf("a commit of the last tenth takes %.3f times one of tenth %" PRIu64 "\n", ratio, first + 1);
	/* of a large file the first use of the machine's memory, for the pages of a tmpfs, is what takes longer */
	if (ratio > SLOWER && seen->bytes < UINT64_C(1) << 28)
		die("commits become slower", NULL);
}

static void
live(const struct life *l)
{
	struct model m = { .random = 3, .hundredths = 10000, .noise = l->noise, .now.last_ns = INT64_MIN };
	struct measure seen = { .rows = { UINT64_MAX, 0 }, .versions = { UINT64_MAX, 0 } };
	uint64_t part = l->commits / PARTS, most = l->rows > l->base ? l->rows : l->base;
	int64_t *times = memory(most, sizeof *times);
	uint64_t *values = memory(most, sizeof *values);
	struct state *states = l->sample > 0 ? memory(l->commits + 1, sizeof *states) : NULL;
	struct otr_writer *writer = open_writer(l->path);
	struct otr_policies policies = *otr_writer_policies(writer);
	struct otr_error err;

	m.whole = memory(MEMORY, sizeof *m.whole);
	m.half = memory(MEMORY, sizeof *m.half);
	printf("commits,microseconds,longest,bytes,pages,live,rows,oldest,newest\n");
	for (uint64_t i = l->base > 0 ? 0 : 1; i <= l->commits; i++) {   /* commit 0 is that of the base */
		uint64_t n = i == 0 ? l->base : l->rows;
		struct otr_rows add = { .n = (size_t)n, .time_ns = times, .value = { values } };
		struct otr_commit_result result;
		double took;

		next_rows(l, &m, n, i == 0, times, values);
		took = -processor();
		if (writer == NULL)
			writer = open_writer(l->path);
		if (otr_writer_add(writer, &add, &err) != OTR_OK || otr_writer_commit(writer, &result, &err) != OTR_OK)
			die("commit", &err);
		if (l->fresh) {
			otr_writer_close(writer);
			writer = NULL;
		}
		took += processor();
		/* Within a large commit one row may replace another, so that the file never has the first. */
		if (!result.committed || (n == 1 && result.skipped != 0))
			die("a row was not taken", NULL);
		if (states != NULL && result.version < l->commits + 2)
			states[result.version] = m.now;
		check_size(l, &policies, i, &seen);
		if (i == 0)
			continue;
		seen.part[(i - 1) / part] += took;
		seen.longest = took > seen.longest ? took : seen.longest;
		if (i % LOOKS == 0 && i > part)
			check_kept(l, &seen);
		if (i == l->commits || (l->check > 0 && i % l->check == 0)) {
			compare(l->path, &m);
			verify(l->path);
		}
		if (i % part == 0)
			tell_part(l, i, &seen);
	}
	otr_writer_close(writer);
	tell_all(l, &policies, &seen);
	if (states != NULL)
		check_versions(l, &m, states);
	free(states);
	free(m.half);
	free(m.whole);
	free(values);
	free(times);
}

int
main(int argc, char **argv)
{
	struct life l = { .rows = 1, .late_s = 10 };

	for (int c; (c = getopt(argc, argv, "n:b:sl:L:H:rwc:k:m:v:")) != -1;)
		switch (c) {
		case 'n': l.rows = strtoull(optarg, NULL, 10); break;
		case 'b': l.base = strtoull(optarg, NULL, 10); break;
		case 's': l.noise = true; break;
		case 'l': l.late_ppm = strtoull(optarg, NULL, 10); break;
		case 'L': l.late_s = strtoull(optarg, NULL, 10); break;
		case 'H': l.hour_ppm = strtoull(optarg, NULL, 10); break;
		case 'r': l.replace = true; break;
		case 'w': l.fresh = true; break;
		case 'c': l.check = strtoull(optarg, NULL, 10); break;
		case 'k': l.least_rows = strtoull(optarg, NULL, 10); break;
		case 'm': l.most_bytes = strtoull(optarg, NULL, 10); break;
		case 'v': l.sample = strtoull(optarg, NULL, 10); break;
		default: optind = argc; break;
		}
	if (argc - optind == 2) {
		l.path = argv[optind];
		l.commits = strtoull(argv[optind + 1], NULL, 10) / PARTS * PARTS;
	}
	if (l.commits == 0 || l.rows == 0 || l.late_s == 0 || (l.replace && l.base == 0)) {
		fprintf(stderr, "usage: long [-srw] [-n ROWS] [-b ROWS] [-l PPM] [-L SECONDS] [-H PPM] [-c COMMITS] [-k ROWS] [-m BYTES] [-v COUNT] FILE COMMITS\n");
		return 2;
	}
	live(&l);
	return 0;
}
