/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_beside.c - readers beside a writer that uses pages again, two writers, and writers that are killed (SPEC 10.2, 10.4-5).
 *
 * The row of second i holds i, so a reader can tell a wrong row from a right one whatever version it reads.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "onefile.h"

#define COMMITS 4000

/* Ends a child, with what it printed. */
static void
fail(void)
{
	(void)fflush(stdout);
	_exit(1);
}

static void
write_commits(const char *path, long from, long to, long step)
{
	struct otr_writer *w = one_writer(path);
	struct otr_commit_result r;
	struct otr_error err;
	long i;

	for (i = from; i < to; i += step) {
		int64_t t = (int64_t)i * 1000000000;
		double v = (double)i;

		if (one_add(w, &t, &v, 1, &err) != OTR_OK || otr_writer_commit(w, &r, &err) != OTR_OK) {
			printf("# writer: %s\n", err.text);
			fail();
		}
	}
	otr_writer_close(w);
}

/* Reads all rows of the file again and again until it has all; exit status 0 if every row was right. */
static void
read_along(const char *path, long rows, bool slowly)
{
	long expired = 0, runs = 0;
	uint64_t newest = 0;

	for (;;) {
		struct otr *file;
		struct otr_cursor *c;
		struct otr_rows batch;
		struct otr_error err;
		struct otr_info info;
		enum otr_status status = otr_open(path, &file, &err);
		long n = 0;

		if (status != OTR_OK) {
			printf("# open: %s\n", err.text);
			fail();
		}
		otr_get_info(file, &info);
		if (info.version < newest) {
			printf("# version %llu after %llu\n", (unsigned long long)info.version, (unsigned long long)newest);
			fail();
		}
		newest = info.version;
		status = otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err);
		while (status == OTR_OK && (status = otr_cursor_next(c, &batch, &err)) == OTR_OK) {
			size_t i;

			for (i = 0; i < batch.n; i++, n++) {
				double v = (double)n;

				if (batch.time_ns[i] != (int64_t)n * 1000000000 || memcmp(&v, &batch.value[0][i], sizeof v) != 0) {
					printf("# wrong row %ld of version %llu\n", n, (unsigned long long)info.version);
					fail();
				}
			}
			if (slowly) {
				struct timespec wait = { .tv_nsec = 2000000 };

				(void)nanosleep(&wait, NULL);
			}
		}
		if (status == OTR_E_EXPIRED)
			expired++;
		else if (status != OTR_END || (uint64_t)n != info.rows) {
			printf("# %ld of %llu rows: %s\n", n, (unsigned long long)info.rows, status == OTR_END ? "end" : err.text);
			fail();
		}
		otr_cursor_close(c);
		otr_close(file);
		runs++;
		if (n == rows)
			break;
	}
	_exit(runs > 0 ? 0 : 1);
}

static pid_t
start(void)
{
	(void)fflush(stdout);
	return fork();
}

static bool
ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
test_readers(void)
{
	const char *path = one_path("beside.otr");
	pid_t reader[3], writer;
	bool right = true, wrote;
	int i;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK)
		return;
	writer = start();
	if (writer == 0) {
		write_commits(path, 0, COMMITS, 1);
		_exit(0);
	}
	for (i = 0; i < 3; i++) {
		reader[i] = start();
		if (reader[i] == 0)
			read_along(path, COMMITS, i == 2);
	}
	wrote = ended_well(writer);
	for (i = 0; i < 3; i++)
		right = ended_well(reader[i]) && right;
	CHECK(wrote && right, "10.4-5: readers beside a writer that uses pages again see right rows, and never an older version");
	CHECK(one_faults(path) == 0, "and the file is sound");
}

static void
test_two_writers(void)
{
	const char *path = one_path("two.otr");
	static int64_t t[COMMITS];
	struct otr *file;
	pid_t writer[4];
	bool wrote = true;
	long i, wrong = 0;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK)
		return;
	for (i = 0; i < 4; i++) {
		writer[i] = start();
		if (writer[i] == 0) {
			write_commits(path, i, 800, 4);
			_exit(0);
		}
	}
	for (i = 0; i < 4; i++)
		wrote = ended_well(writer[i]) && wrote;
	CHECK(wrote, "four writers of 200 rows each wait for each other");
	if (otr_open(path, &file, NULL) == OTR_OK) {
		struct otr_info info;

		otr_get_info(file, &info);
		wrong = one_read(file, t, NULL, COMMITS) != 800 || info.version != 800;
		for (i = 0; i < 800; i++)
			wrong += t[i] != (int64_t)i * 1000000000;
		otr_close(file);
	}
	CHECK(wrong == 0 && one_faults(path) == 0, "P8: all 800 rows are there, in 800 versions");
}

/* A writer tells each commit through a pipe after it was acknowledged, and is killed at some moment. */
static void
test_kills(void)
{
	const char *path = one_path("killed.otr");
	unsigned long long state = 5;
	long done = 0, wrong = 0;
	int round;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK)
		return;
	for (round = 0; round < 60; round++) {
		int ends[2];
		pid_t pid;
		char ack;
		long acknowledged = 0;
		struct timespec wait = { .tv_nsec = (long)(tap_random(&state) % 12000000) };
		struct otr *file;
		struct otr_info info;

		if (pipe(ends) != 0)
			return;
		pid = start();
		if (pid == 0) {
			struct otr_writer *w = one_writer(path);
			long i, n = 1 + (long)(tap_random(&state) % 3) * 300;
			int64_t t[901];
			double v[901];
			struct otr_commit_result r;
			struct otr_error err;

			(void)close(ends[0]);
			for (i = done;; i += n) {
				long k;

				for (k = 0; k < n; k++) {
					t[k] = (int64_t)(i + k) * 1000000000;
					v[k] = (double)(i + k);
				}
				if (one_add(w, t, v, (size_t)n, &err) != OTR_OK || otr_writer_commit(w, &r, &err) != OTR_OK)
					fail();
				for (k = 0; k < n; k++)
					if (write(ends[1], "+", 1) != 1)
						fail();
			}
		}
		(void)close(ends[1]);
		(void)nanosleep(&wait, NULL);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		while (read(ends[0], &ack, 1) == 1)
			acknowledged++;
		(void)close(ends[0]);
		if (otr_open(path, &file, NULL) != OTR_OK) {
			wrong++;
			break;
		}
		otr_get_info(file, &info);
		if (info.rows < (uint64_t)(done + acknowledged) || one_read(file, NULL, NULL, 0) != (long)info.rows)
			wrong++;
		done = (long)info.rows;
		otr_close(file);
		wrong += one_faults(path) != 0;
	}
	CHECK(wrong == 0 && done > 0, "P1: after kill -9 every acknowledged commit is there, and the file is sound");
}

int
main(void)
{
	test_readers();
	test_two_writers();
	test_kills();
	one_clean();
	return tap_done();
}
