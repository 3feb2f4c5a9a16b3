/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * year.c - a cron job's life: a row a minute, a process each: `year OTR_APPEND FILE COMMITS [CLOCK.so]`.
 *
 * Starts otr-append COMMITS times with one row on its standard input and prints, for each twentieth of them, how long one took.  With
 * CLOCK.so (clock.c, built by hand) preloaded, the clock of each process is that of its row.  FILE must have one f64 column "v".
 */
#define _POSIX_C_SOURCE 200809L
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int
append(char *program, char *file, long second, double value, char *preload)
{
	char row[64], clock[48];
	char *args[] = { program, "-N", "-q", "--any-time", file, NULL };
	char *env[] = { clock, preload, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	pid_t pid;
	ssize_t len;

	(void)snprintf(clock, sizeof clock, "OTR_CLOCK_S=%ld", second);
	len = snprintf(row, sizeof row, "%ld,%.2f\n", second, value);
	if (pipe(ends) != 0 || write(ends[1], row, (size_t)len) != len || close(ends[1]) != 0)
		return 1;
	if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawn_file_actions_adddup2(&actions, ends[0], 0) != 0)
		return 1;
	status = posix_spawn(&pid, program, &actions, NULL, args, env);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[0]);
	return status != 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

int
main(int argc, char **argv)
{
	long commits = argc > 3 ? atol(argv[3]) : 0, part = commits / 20, i;
	char preload[256] = "OTR_NO_CLOCK=1";
	double start = now(), value = 20;
	unsigned long state = 1;
	struct stat st;

	if (part < 1) {
		fprintf(stderr, "usage: year OTR_APPEND FILE COMMITS [CLOCK.so]\n");
		return 2;
	}
	if (argc > 4)
		(void)snprintf(preload, sizeof preload, "LD_PRELOAD=%s", argv[4]);
	printf("commits,microseconds,bytes\n");
	for (i = 1; i <= part * 20; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		value += (double)(state >> 40) / (double)(1 << 24) - 0.5;
		if (append(argv[1], argv[2], 1700000000 + 60 * i, value, preload) != 0) {
			fprintf(stderr, "year: commit %ld failed\n", i);
			return 1;
		}
		if (i % part == 0) {
			double end = now();

			if (stat(argv[2], &st) != 0)
				return 1;
			printf("%ld,%.1f,%lld\n", i, (end - start) / (double)part * 1e6, (long long)st.st_size);
			(void)fflush(stdout);
			start = end;
		}
	}
	return 0;
}
