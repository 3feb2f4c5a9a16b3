/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_history.c - the commits of a file, both ways, by version and by time, over many log pages; how little is read; a walk beside a writer.
 */
#include "onefile.h"

static int wrong;

static void
differs(const char *what, long long at)
{
	if (++wrong <= 5)
		printf("# %s at %lld\n", what, at);
}

/* commits commits of one row each by one writer, each with a number of its own in the value. */
static void
commit_rows(struct otr_writer *w, int64_t *next_ns, int commits)
{
	while (commits-- > 0) {
		double value = (double)*next_ns;
		struct otr_commit_result result;
		struct otr_error err;

		if (one_add(w, next_ns, &value, 1, &err) != OTR_OK || otr_writer_commit(w, &result, &err) != OTR_OK) {
			printf("Bail out! %s\n", err.text);
			exit(1);
		}
		++*next_ns;
	}
}

static struct otr *
open_file(const char *path)
{
	struct otr *file = NULL;
	struct otr_error err;

	if (otr_open(path, &file, &err) != OTR_OK) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return file;
}

/* Commits of [start, end): how many; each version's time is noted if times is not NULL; versions must be first .. last without a hole if whole. */
static long
list(struct otr *file, int64_t start_ns, int64_t end_ns, bool oldest_first, uint64_t last, int64_t *time_ns)
{
	struct otr_log *log;
	struct otr_commit c;
	struct otr_error err;
	long n = 0;
	uint64_t before = oldest_first ? 0 : last + 1;
	enum otr_status status = otr_log_open(file, start_ns, end_ns, oldest_first, &log, &err);

	if (status != OTR_OK)
		return -1;
	while ((status = otr_log_next(log, &c, &err)) == OTR_OK) {
		if ((n > 0 || !oldest_first) && (oldest_first ? c.version <= before : c.version >= before))
			differs("order", (long long)c.version);
		if (c.version > last)
			differs("a version after the selected one", (long long)c.version);
		if (c.rows != c.version || c.added != (c.version > 0) || strcmp(c.message, c.version > 0 ? "a note" : "") != 0)
			differs("content", (long long)c.version);
		if ((start_ns != INT64_MIN && c.time_ns < start_ns) || (end_ns != INT64_MAX && c.time_ns >= end_ns))
			differs("outside the range", (long long)c.version);
		if (time_ns != NULL)
			time_ns[c.version] = c.time_ns;
		before = c.version;
		n++;
	}
	if (status != OTR_END)
		differs(err.text, n);
	otr_log_close(log);
	return n;
}

static uint64_t
log_pages(const struct otr *file)
{
	struct otr_counters c;

	otr_get_counters(file, &c);
	return c.log_pages;
}

static void
many_commits(void)
{
	static int64_t time_ns[20001];
	const char *path = one_path("many.otr");
	struct otr_writer *w;
	struct otr_commit c;
	struct otr_error err;
	struct otr_log *log;
	struct otr *file;
	int64_t next_ns = 1;
	unsigned long long state = 3;
	uint64_t before, few, all;
	int k;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || (w = one_writer(path)) == NULL)
		exit(1);
	file = open_file(path);
	CHECK(list(file, INT64_MIN, INT64_MAX, false, 0, NULL) == 1 && list(file, INT64_MIN, INT64_MAX, true, 0, NULL) == 1, "a new file has one commit");
	otr_close(file);
	commit_rows(w, &next_ns, 20000);
	otr_writer_close(w);
	file = open_file(path);
	before = log_pages(file);
	CHECK(otr_log_open(file, INT64_MIN, INT64_MAX, false, &log, &err) == OTR_OK, "the log opens");
	for (k = 0; k < 10; k++)
		if (otr_log_next(log, &c, &err) != OTR_OK || c.version != (uint64_t)(20000 - k))
			differs("version", k);
	otr_log_close(log);
	few = log_pages(file) - before;
	CHECK(list(file, INT64_MIN, INT64_MAX, false, 20000, time_ns) == 20001 && wrong == 0, "all commits come newest first");
	all = log_pages(file) - before;
	printf("# the newest ten: %llu log pages; all: %llu\n", (unsigned long long)few, (unsigned long long)all);
	CHECK(few <= 2 && all > 10, "the newest ten are found in a page or two, all in many");
	CHECK(list(file, INT64_MIN, INT64_MAX, true, 20000, NULL) == 20001 && wrong == 0, "and oldest first");
	for (k = 0; k < 60 && wrong == 0; k++) {
		uint64_t last = tap_random(&state) % 20001, i;
		int64_t a = time_ns[tap_random(&state) % 20001] + (int64_t)(tap_random(&state) % 3) - 1;
		int64_t b = time_ns[tap_random(&state) % 20001] + (int64_t)(tap_random(&state) % 3) - 1;
		long n = 0;

		if (otr_select_version(file, last, &err) != OTR_OK)
			differs(err.text, (long long)last);
		a = k % 5 == 0 ? INT64_MIN : a;
		b = k % 7 == 0 ? INT64_MAX : b;
		if (a > b) {
			int64_t t = a;

			a = b;
			b = t;
		}
		for (i = 0; i <= last; i++)
			n += (a == INT64_MIN || time_ns[i] >= a) && (b == INT64_MAX || time_ns[i] < b);
		if (list(file, a, b, k % 2 != 0, last, NULL) != n)
			differs("number", (long long)last);
	}
	CHECK(wrong == 0, "commits of any range of times, up to any version, both ways");
	CHECK(otr_log_open(file, 5, 4, false, &log, &err) == OTR_E_ARG, "a range that starts after its end is refused");
	otr_close(file);
}

/* The newest log page is replaced, its pages reused, while a walk stands in it. */
static void
beside_a_writer(void)
{
	unsigned long long state = 9;
	int round;

	for (round = 0; round < 40 && wrong == 0; round++) {
		const char *path = one_path("busy.otr");
		struct otr_writer *w;
		struct otr_error err;
		struct otr_log *log;
		struct otr_commit c;
		struct otr *file;
		int64_t next_ns = 1;
		uint64_t newest, expected;
		bool oldest_first = round % 2 != 0;
		enum otr_status status;

		if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || (w = one_writer(path)) == NULL)
			exit(1);
		commit_rows(w, &next_ns, 1 + (int)(tap_random(&state) % 2000));
		newest = otr_writer_version(w);
		file = open_file(path);
		if (otr_log_open(file, INT64_MIN, INT64_MAX, oldest_first, &log, &err) != OTR_OK)
			exit(1);
		expected = oldest_first ? 0 : newest;
		while ((status = otr_log_next(log, &c, &err)) == OTR_OK) {
			if (c.version != expected || c.rows != c.version)
				differs("version beside a writer", (long long)c.version);
			expected = oldest_first ? expected + 1 : expected - 1;
			if (c.version % 97 == 0)
				commit_rows(w, &next_ns, (int)(tap_random(&state) % 300));
		}
		if (status != OTR_END || expected != (oldest_first ? newest + 1 : UINT64_MAX))
			differs(err.text, (long long)expected);
		otr_log_close(log);
		otr_close(file);
		otr_writer_close(w);
	}
	CHECK(wrong == 0, "beside a writer that replaces log pages every commit is given once");
}

int
main(void)
{
	many_commits();
	beside_a_writer();
	one_clean();
	return tap_done();
}
