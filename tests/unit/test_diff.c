/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_diff.c - differences of versions and of files against a diff of plain lists; how little is read; a diff that goes on beside a writer.
 */
#include "onefile.h"

#define ROWS_MAX 60000

struct list {
	long n;
	int64_t time_ns[ROWS_MAX];
	double value[ROWS_MAX];
};

static int wrong;

static void
differs(const char *what, long at)
{
	if (++wrong <= 5)
		printf("# %s at %ld\n", what, at);
}

static _Noreturn void
stop(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

static void
read_version(struct otr *file, uint64_t version, struct list *l)
{
	struct otr_error err;

	if (otr_select_version(file, version, &err) != OTR_OK)
		stop(err.text);
	l->n = one_read(file, l->time_ns, l->value, ROWS_MAX);
}

/* The rows of [start, end) only. */
static void
clip(struct list *l, int64_t start_ns, int64_t end_ns)
{
	long i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (l->time_ns[i] < start_ns || (end_ns != INT64_MAX && l->time_ns[i] >= end_ns))
			continue;
		l->time_ns[n] = l->time_ns[i];
		l->value[n++] = l->value[i];
	}
	l->n = n;
}

static int
same_bits(const double *a, const double *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static long
group_end(const struct list *l, long from)
{
	long to = from;

	while (to < l->n && l->time_ns[to] == l->time_ns[from])
		to++;
	return to;
}

/* Takes runs or rows from the diff one by one. */
struct taker {
	struct otr_diff *diff;
	struct otr_difference d;
	size_t at;
	enum otr_status status;
	struct otr_error err;
};

static void
expect_run(struct taker *t, const struct otr_difference *run)
{
	t->status = otr_diff_next(t->diff, &t->d, &t->err);
	if (t->status != OTR_OK || t->d.start_ns != run->start_ns || t->d.end_ns != run->end_ns || t->d.rows_before != run->rows_before ||
	    t->d.rows_after != run->rows_after)
		differs("run", (long)run->start_ns);
}

static void
expect_row(struct taker *t, bool after, int64_t time_ns, double value)
{
	if (t->at == t->d.rows.n && t->status == OTR_OK) {
		t->status = otr_diff_next(t->diff, &t->d, &t->err);
		t->at = 0;
	}
	if (t->status != OTR_OK || t->d.after != after || t->d.rows.time_ns[t->at] != time_ns ||
	    !same_bits((const double *)(const void *)&t->d.rows.value[0][t->at], &value))
		differs("row", (long)time_ns);
	t->at++;
}

/* The plain diff: one group of equal times after the other; each run or row that it finds must be the next that the diff gives. */
static void
compare(struct otr *fa, uint64_t va, struct otr *fb, uint64_t vb, const struct list *a, const struct list *b, bool rows, int64_t start_ns, int64_t end_ns)
{
	struct otr_diff_spec spec = { .start_ns = start_ns, .end_ns = end_ns, .rows = rows, .all_columns = true };
	struct taker t = { .status = OTR_OK };
	struct otr_difference run = { 0 };
	bool open = false;
	long i = 0, j = 0;

	if (otr_diff_open(fa, va, fb, vb, &spec, &t.diff, &t.err) != OTR_OK) {
		differs(t.err.text, -1);
		return;
	}
	while ((i < a->n || j < b->n) && wrong == 0) {
		int64_t ta = i < a->n ? a->time_ns[i] : INT64_MAX, tb = j < b->n ? b->time_ns[j] : INT64_MAX, time = ta < tb ? ta : tb;
		long ia = ta == time ? group_end(a, i) : i, jb = tb == time ? group_end(b, j) : j, front = 0, back = 0, k;

		while (front < ia - i && front < jb - j && same_bits(&a->value[i + front], &b->value[j + front]))
			front++;
		while (back < ia - i - front && back < jb - j - front && same_bits(&a->value[ia - 1 - back], &b->value[jb - 1 - back]))
			back++;
		if (front == ia - i && front == jb - j) {
			if (open && !rows)
				expect_run(&t, &run);
			open = false;
		} else {
			if (!open)
				run = (struct otr_difference){ .start_ns = time };
			open = true;
			run.end_ns = time + 1;
			run.rows_before += (uint64_t)(ia - i);
			run.rows_after += (uint64_t)(jb - j);
			for (k = i + front; rows && k < ia - back; k++)
				expect_row(&t, false, time, a->value[k]);
			for (k = j + front; rows && k < jb - back; k++)
				expect_row(&t, true, time, b->value[k]);
		}
		i = ia;
		j = jb;
	}
	if (open && !rows)
		expect_run(&t, &run);
	if (wrong == 0 && (t.at < t.d.rows.n || otr_diff_next(t.diff, &t.d, &t.err) != OTR_END))
		differs("end", (long)t.d.start_ns);
	otr_diff_close(t.diff);
}

/* A NaN that is not the default one. */
static double
odd_nan(unsigned payload)
{
	uint64_t bits = UINT64_C(0x7ff8000000000000) + payload;
	double d;

	memcpy(&d, &bits, sizeof d);
	return d;
}

/* Some commits: appends, late rows, replaced ones, bursts of one time. */
static void
random_commits(struct otr_writer *w, unsigned long long *state, int commits, int64_t *last_ns, bool deep, bool append)
{
	static int64_t time_ns[12000];
	static double value[12000];
	struct otr_commit_result result;
	struct otr_error err;

	while (commits-- > 0) {
		unsigned kind = (unsigned)(tap_random(state) % 10);
		size_t n = 1 + (size_t)(tap_random(state) % (kind < 5 ? 30 : kind < 8 ? 900 : deep ? 9000 : 50)), i;
		bool late = !append && tap_random(state) % 3 == 0;
		int64_t t = late && *last_ns > 0 ? (int64_t)(tap_random(state) % (unsigned long long)*last_ns) : *last_ns;
		bool burst = tap_random(state) % 4 == 0;

		for (i = 0; i < n; i++) {
			t += burst && i > 2 && i < n - 1 ? 0 : (int64_t)(tap_random(state) % 4);
			time_ns[i] = t;
			value[i] = tap_random(state) % 9 == 0 ? odd_nan((unsigned)(tap_random(state) % 3)) : (double)(tap_random(state) % 3);
		}
		if (t > *last_ns)
			*last_ns = t;
		if (one_add(w, time_ns, value, n, &err) != OTR_OK || otr_writer_commit(w, &result, &err) != OTR_OK)
			differs(err.text, (long)n);
	}
}

static int64_t
some_time(unsigned long long *state, int64_t last_ns)
{
	return (int64_t)(tap_random(state) % ((unsigned long long)last_ns + 3)) - 1;
}

static void
compare_some(struct otr *fa, struct otr *fb, unsigned long long *state, int64_t last_ns)
{
	static struct list a, b;
	struct otr_info ia, ib;
	int k;

	otr_get_info(fa, &ia);
	otr_get_info(fb, &ib);
	for (k = 0; k < 12 && wrong == 0; k++) {
		uint64_t va = tap_random(state) % (ia.newest_version + 1), vb = tap_random(state) % (ib.newest_version + 1);
		int64_t start_ns = INT64_MIN, end_ns = INT64_MAX;
		bool rows = k % 2 != 0;

		if (k % 4 == 0)
			vb = ib.newest_version;
		if (fa == fb && k % 5 == 0)
			va = vb > 0 ? vb - 1 : 0;
		read_version(fa, va, &a);
		read_version(fb, vb, &b);
		if (k % 3 == 2) {
			int64_t x = some_time(state, last_ns), y = some_time(state, last_ns);

			start_ns = x < y ? x : y;
			end_ns = x < y ? y : x;
			clip(&a, start_ns, end_ns);
			clip(&b, start_ns, end_ns);
		}
		compare(fa, va, fb, vb, &a, &b, rows, start_ns, end_ns);
		if (wrong > 0)
			printf("# versions %llu and %llu, %s, [%lld, %lld)\n", (unsigned long long)va, (unsigned long long)vb, rows ? "rows" : "runs",
			    (long long)start_ns, (long long)end_ns);
	}
}

static void
random_trees(void)
{
	unsigned long long state = 11;
	int round;

	for (round = 0; round < 60 && wrong == 0; round++) {
		char path[2][128];
		struct otr_writer *w[2];
		struct otr *file[2];
		struct otr_error err;
		int64_t last_ns = 0;
		enum otr_duplicates policy = round % 2 != 0 ? OTR_KEEP : OTR_REPLACE;
		bool deep = round % 3 == 0;
		int i;

		for (i = 0; i < 2; i++) {
			(void)snprintf(path[i], sizeof path[i], "%s", one_path(i == 0 ? "a.otr" : "b.otr"));
			if (one_create(path[i], i == 0 ? 4096 : 8192, policy) != OTR_OK)
				stop("cannot make or open a file");
			w[i] = one_writer(path[i]);
		}
		random_commits(w[0], &state, 2 + (int)(tap_random(&state) % 12), &last_ns, deep, false);
		random_commits(w[1], &state, 1 + (int)(tap_random(&state) % 3), &last_ns, deep, false);
		for (i = 0; i < 2; i++) {
			otr_writer_close(w[i]);
			if (otr_open(path[i], &file[i], &err) != OTR_OK)
				stop("cannot make or open a file");
		}
		compare_some(file[0], file[0], &state, last_ns);
		compare_some(file[0], file[1], &state, last_ns);
		compare_some(file[1], file[0], &state, last_ns);
		for (i = 0; i < 2; i++)
			otr_close(file[i]);
		if (wrong > 0)
			printf("# round %d\n", round);
	}
	CHECK(wrong == 0, "runs and rows of random versions and files, over any range, are those of a diff of plain lists");
}

/* Rows [from, to), one a microsecond, in one commit. */
static void
fill(struct otr_writer *w, int64_t from, int64_t to)
{
	static int64_t time_ns[65536];
	static double value[65536];
	struct otr_commit_result result;
	struct otr_error err;

	while (from < to) {
		size_t n = 0;

		for (; n < 65536 && from < to; n++, from++) {
			time_ns[n] = from * 1000;
			value[n] = (double)(from % 1000);
		}
		if (one_add(w, time_ns, value, n, &err) != OTR_OK)
			stop("cannot make or open a file");
	}
	if (otr_writer_commit(w, &result, &err) != OTR_OK)
		stop("cannot make or open a file");
}

static uint64_t
pages(const struct otr *file)
{
	struct otr_counters c;

	otr_get_counters(file, &c);
	return c.leaf_pages + c.inner_pages + c.log_pages + c.meta_pages;
}

/* Pages that a diff reads, and how many runs it gives. */
static uint64_t
cost(const char *path, uint64_t va, uint64_t vb, unsigned *runs, struct otr_difference *last)
{
	struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .all_columns = true };
	struct otr_diff *diff;
	struct otr_error err;
	struct otr *file;
	uint64_t read = 1000000;

	*runs = 0;
	if (otr_open(path, &file, &err) != OTR_OK)
		stop("cannot make or open a file");
	if (otr_diff_open(file, va, file, vb, &spec, &diff, &err) == OTR_OK) {
		while (otr_diff_next(diff, last, &err) == OTR_OK)
			++*runs;
		otr_diff_close(diff);
		read = pages(file);
	}
	otr_close(file);
	return read;
}

static void
little_is_read(void)
{
	const int64_t rows = 10000000;
	const char *path = one_path("big.otr");
	struct otr_writer *w;
	struct otr_commit_result result;
	struct otr_error err;
	struct otr_difference d = { 0 };
	int64_t time_ns[10];
	double value[10];
	unsigned runs;
	uint64_t read;
	int i;

	if (one_create(path, 0, OTR_REPLACE) != OTR_OK || (w = one_writer(path)) == NULL)
		stop("cannot make or open a file");
	fill(w, 0, rows / 2);
	fill(w, rows / 2, rows);
	for (i = 0; i < 10; i++) {
		time_ns[i] = (rows / 10 * i + 12345) * 1000 + (i % 2);
		value[i] = -1;
	}
	if (one_add(w, time_ns, value, 10, &err) != OTR_OK || otr_writer_commit(w, &result, &err) != OTR_OK)
		stop("cannot make or open a file");
	otr_writer_close(w);
	read = cost(path, 2, 3, &runs, &d);
	printf("# 10 scattered changes in 10^7 rows: %llu pages\n", (unsigned long long)read);
	CHECK(runs == 10 && read < 100, "10 scattered changes in 10^7 rows are found in fewer than 100 pages");
	CHECK(d.rows_before == 0 && d.rows_after == 1, "the last of them is a row that came late");
	read = cost(path, 0, 3, &runs, &d);
	printf("# nothing against all: %llu pages\n", (unsigned long long)read);
	CHECK(runs == 1 && d.rows_after == (uint64_t)rows + 5 && d.start_ns == 0 && d.end_ns == (rows - 1) * 1000 + 1 && read < 20,
	    "an empty version against all rows is counted, not read");
	read = cost(path, 1, 2, &runs, &d);
	CHECK(runs == 1 && d.rows_after == (uint64_t)rows / 2 && d.start_ns == rows / 2 * 1000 && read < 20, "an append of 5 million rows likewise");
	read = cost(path, 3, 3, &runs, &d);
	CHECK(runs == 0 && read < 4, "a version against itself reads a root");
}

/* Equal times over many leaves, of which the last grows. */
static void
long_groups(void)
{
	static int64_t time_ns[30000];
	static double value[30000];
	static struct list a, b;
	const char *path = one_path("keep.otr");
	struct otr_commit_result result;
	struct otr_error err;
	struct otr *file;
	uint64_t va, vb;
	int i;

	if (one_create(path, 4096, OTR_KEEP) != OTR_OK)
		stop("cannot make or open a file");
	for (i = 0; i < 30000; i++) {
		time_ns[i] = i < 10 ? i : 1000;
		value[i] = i;
	}
	(void)one_append(path, time_ns, value, 20000, &result);
	(void)one_append(path, time_ns + 20000, value + 20000, 3, &result);
	(void)one_append(path, time_ns + 20003, value + 20003, 5000, &result);
	time_ns[0] = 2000;
	(void)one_append(path, time_ns, value, 1, &result);
	time_ns[0] = 1000;
	(void)one_append(path, time_ns, value, 1, &result);
	if (otr_open(path, &file, &err) != OTR_OK)
		stop("cannot make or open a file");
	for (va = 0; va <= 5; va++) {
		for (vb = 0; vb <= 5; vb++) {
			read_version(file, va, &a);
			read_version(file, vb, &b);
			compare(file, va, file, vb, &a, &b, false, INT64_MIN, INT64_MAX);
			compare(file, va, file, vb, &a, &b, true, INT64_MIN, INT64_MAX);
		}
	}
	otr_close(file);
	CHECK(wrong == 0, "a group of one time over many leaves, shared in part, differs only in what was added");
}

static long
lower_bound(const struct list *l, int64_t time_ns)
{
	return (long)otr__lower_bound(l->time_ns, (size_t)l->n, time_ns);
}

/* A writer goes on and reuses pages: a diff gives what was so, or OTR_E_EXPIRED, never anything else. */
static void
beside_a_writer(void)
{
	static struct list a, b;
	unsigned long long state = 5;
	unsigned finished = 0, expired = 0;
	int round;

	for (round = 0; round < 30 && wrong == 0; round++) {
		const char *path = one_path("busy.otr");
		struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .rows = true, .all_columns = true };
		struct taker t = { .status = OTR_OK };
		struct otr_writer *w;
		struct otr *file;
		int64_t last_ns = 0;
		uint64_t older, newest, given = 0;
		long i, k;

		if (one_create(path, 4096, round % 2 == 0 ? OTR_REPLACE : OTR_KEEP) != OTR_OK || (w = one_writer(path)) == NULL)
			stop("cannot make a file");
		random_commits(w, &state, 12, &last_ns, true, round % 4 != 0);
		if (otr_open(path, &file, &t.err) != OTR_OK)
			stop("cannot make or open a file");
		newest = otr_writer_version(w);
		if (newest < 2) {
			otr_close(file);
			otr_writer_close(w);
			continue;
		}
		/* from an early version on, all later rows are read leaf by leaf, the last ones by pages that appends replace */
		older = round % 3 == 0 ? newest - 1 : 1;
		read_version(file, older, &a);
		read_version(file, newest, &b);
		otr_close(file);
		if (otr_open(path, &file, &t.err) != OTR_OK || otr_diff_open(file, older, file, newest, &spec, &t.diff, &t.err) != OTR_OK)
			stop(t.err.text);
		for (;;) {
			t.status = otr_diff_next(t.diff, &t.d, &t.err);
			if (t.status != OTR_OK)
				break;
			/* each row is one of its version's */
			for (k = 0; k < (long)t.d.rows.n; k++) {
				const struct list *l = t.d.after ? &b : &a;

				for (i = lower_bound(l, t.d.rows.time_ns[k]); i < l->n && l->time_ns[i] == t.d.rows.time_ns[k]; i++)
					if (same_bits(&l->value[i], (const double *)(const void *)&t.d.rows.value[0][k]))
						break;
				if (i == l->n || l->time_ns[i] != t.d.rows.time_ns[k])
					differs("a row that never was", (long)t.d.rows.time_ns[k]);
			}
			given += t.d.rows.n;
			random_commits(w, &state, 6, &last_ns, true, round % 4 != 0);
		}
		finished += t.status == OTR_END;
		expired += t.status == OTR_E_EXPIRED;
		if (t.status != OTR_END && t.status != OTR_E_EXPIRED)
			differs(t.err.text, (long)given);
		otr_diff_close(t.diff);
		otr_close(file);
		otr_writer_close(w);
	}
	printf("# %u finished, %u expired\n", finished, expired);
	CHECK(wrong == 0 && finished + expired == 30, "beside a writer that reuses pages a diff gives only what was so, or says that the snapshot expired");
}

/* A writer only appends: the last pages of a version are used again, but all of its rows are kept, and found in the newer tree. */
static void
beside_appends(void)
{
	enum { STEP = 1500, OLDER = 1, NEWER = 10, LAST = 30 };
	const char *path = one_path("appends.otr");
	struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .rows = true, .all_columns = true };
	static int64_t time_ns[LAST * STEP];
	static double value[LAST * STEP];
	unsigned long long state = 17;
	struct otr_commit_result r;
	struct taker t = { .status = OTR_OK };
	struct otr_writer *w;
	struct otr *file;
	size_t i, given = STEP;
	int version;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || (w = one_writer(path)) == NULL)
		stop("cannot make a file");
	for (i = 0; i < LAST * STEP; i++) {
		time_ns[i] = (int64_t)i;
		value[i] = (double)(tap_random(&state) >> 11);
	}
	for (version = 1; version <= LAST; version++) {
		if (version == NEWER + 1) {
			if (otr_open(path, &file, &t.err) != OTR_OK || otr_diff_open(file, OLDER, file, NEWER, &spec, &t.diff, &t.err) != OTR_OK)
				stop(t.err.text);
			t.status = otr_diff_next(t.diff, &t.d, &t.err);
			for (i = 0; t.status == OTR_OK && i < t.d.rows.n; i++, given++)
				if (t.d.rows.time_ns[i] != (int64_t)given)
					differs("a row that was added", (long)given);
		}
		if (one_add(w, time_ns + (version - 1) * STEP, value + (version - 1) * STEP, STEP, &t.err) != OTR_OK || otr_writer_commit(w, &r, &t.err) != OTR_OK)
			stop(t.err.text);
	}
	while (t.status == OTR_OK && (t.status = otr_diff_next(t.diff, &t.d, &t.err)) == OTR_OK)
		for (i = 0; i < t.d.rows.n; i++, given++)
			if (!t.d.after || t.d.rows.time_ns[i] != (int64_t)given || !same_bits((const double *)(const void *)&t.d.rows.value[0][i], &value[given]))
				differs("a row that was added", (long)given);
	if (t.status != OTR_END)
		printf("# %lu rows, then status %d: %s\n", (unsigned long)given, (int)t.status, t.err.text);
	CHECK(t.status == OTR_END && given == NEWER * STEP && wrong == 0, "10.4-5: beside appends a diff goes on in the newer state, and gives every row");
	otr_diff_close(t.diff);
	otr_close(file);
	otr_writer_close(w);
}

/* A writer goes on with row times and lets old rows expire, so that pages of the diff are reused while its versions are kept. */
static void
beside_expiry(void)
{
	const char *path = one_path("expiry.otr");
	struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .rows = true, .all_columns = true };
	struct otr_policies p = { .has_retain = true, .retain_ns = 449999 };
	static int64_t time_ns[50000];
	static double value[50000];
	unsigned long long state = 11;
	struct otr_commit_result r;
	struct otr_change_result changed;
	struct taker t = { .status = OTR_OK };
	struct otr_writer *w;
	struct otr *file;
	uint64_t rows = 0, ranges = 0;
	int64_t from = 0;
	long i, round;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || (w = one_writer(path)) == NULL ||
	    otr_writer_update_meta(w, NULL, 0, &p, OTR_POLICY_RETAIN, &changed, &t.err) != OTR_OK)
		stop("cannot make a file");
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 50000; i++) {
			uint64_t bits = tap_random(&state) >> 12 | (uint64_t)0x3ff << 52;

			time_ns[i] = from++;
			memcpy(&value[i], &bits, sizeof bits);
		}
		for (i = 0; i < 50000; i += round < 14 ? 50000 : 2500)
			if (one_add(w, time_ns + i, value + i, round < 14 ? 50000 : 2500, &t.err) != OTR_OK || otr_writer_commit(w, &r, &t.err) != OTR_OK)
				stop(t.err.text);
		if (round == 13) {
			/* version 15 has rows 250,000 to 699,999; those from 550,000 on will be left */
			if (otr_open(path, &file, &t.err) != OTR_OK || otr_diff_open(file, 2, file, 15, &spec, &t.diff, &t.err) != OTR_OK)
				stop(t.err.text);
			t.status = otr_diff_next(t.diff, &t.d, &t.err);
			if (t.status != OTR_OK || !t.d.after || t.d.rows.time_ns[0] != 250000)
				differs("the rows that were added", 250000);
		}
	}
	while (t.status == OTR_OK) {
		rows += t.d.rows.n;
		t.status = otr_diff_next(t.diff, &t.d, &t.err);
	}
	if (t.status != OTR_E_EXPIRED)
		printf("# %lu rows, then status %d: %s\n", (unsigned long)rows, (int)t.status, t.err.text);
	CHECK(t.status == OTR_E_EXPIRED && rows < 50000 && wrong == 0, "10.4-5: rows that expire under a diff: the snapshot expired, and nothing is damaged");
	otr_diff_close(t.diff);

	/* the newest 450,000 rows are left, those from 550,000 on: nothing of version 3 */
	spec.rows = false;
	if (otr_refresh(file, &t.err) != OTR_OK || otr_diff_open(file, 3, file, otr_writer_version(w), &spec, &t.diff, &t.err) != OTR_OK)
		stop(t.err.text);
	while ((t.status = otr_diff_next(t.diff, &t.d, &t.err)) == OTR_OK) {
		ranges++;
		if (t.d.rows_before != 0 || t.d.rows_after != 450000 || t.d.start_ns != 550000)
			differs("the rows that are left", (long)t.d.start_ns);
	}
	CHECK(t.status == OTR_END && ranges == 1 && wrong == 0, "8.5: rows that expired are neither removed nor added");
	otr_diff_close(t.diff);
	otr_close(file);
	otr_writer_close(w);
}

static void
refusals(void)
{
	const char *path = one_path("r.otr");
	struct otr_diff_spec spec = { .start_ns = 5, .end_ns = 4 };
	struct otr_diff *diff;
	struct otr_error err;
	struct otr *file;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || otr_open(path, &file, &err) != OTR_OK)
		stop("cannot make or open a file");
	CHECK(otr_diff_open(file, 0, file, 0, &spec, &diff, &err) == OTR_E_ARG, "a range that starts after its end is refused");
	spec.end_ns = 6;
	spec.columns = 1;
	spec.column_b[0] = 1;
	CHECK(otr_diff_open(file, 0, file, 0, &spec, &diff, &err) == OTR_E_ARG, "a column that is not there is refused");
	spec.columns = 0;
	CHECK(otr_diff_open(file, 0, file, 1, &spec, &diff, &err) == OTR_E_NOTFOUND, "a version that never was is not found");
	otr_close(file);
}

int
main(void)
{
	random_trees();
	long_groups();
	beside_a_writer();
	beside_appends();
	beside_expiry();
	refusals();
	little_is_read();
	one_clean();
	return tap_done();
}
