/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.h - the harness of the unit tests: results as TAP lines, the plan at the end.
 *
 *	int main(void)
 *	{
 *		CHECK(1 + 1 == 2, "one and one are two");
 *		return tap_done();
 *	}
 *
 * A test is one sentence.  A loop that tries many cases counts what went wrong and checks that the count is zero.
 */
#ifndef TAP_H
#define TAP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How many times slower a sanitizer makes it: what tries all cases tries each so many-th one then. */
#if defined(__SANITIZE_ADDRESS__)
#define TAP_SLOWER 100
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define TAP_SLOWER 100
#endif
#endif
#ifndef TAP_SLOWER
#define TAP_SLOWER 1
#endif

static int tap_count, tap_failures;

#define CHECK(cond, sentence) tap_check((cond) != 0, (sentence), __FILE__, __LINE__)

static inline int
tap_check(int ok, const char *sentence, const char *file, int line)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++tap_count, sentence);
	if (!ok) {
		printf("#   at %s:%d\n", file, line);
		tap_failures++;
	}
	return ok;
}

/* Where files of a test go: TMPDIR, or memory if there is some, since a sync of a disk takes its time. */
static inline const char *
tap_folder(void)
{
	const char *folder = getenv("TMPDIR");

	if (folder != NULL && *folder != '\0')
		return folder;
	return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

/* Prints the plan; the exit status for main. */
static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return fflush(stdout) != 0 || tap_failures > 0;
}

/* A small generator (xorshift64*), the same everywhere, so that a failing case can be repeated. */
static inline unsigned long long
tap_random(unsigned long long *state)
{
	unsigned long long x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 2685821657736338717ULL;
}

#endif
