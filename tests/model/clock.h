/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - a clock that the test sets: a program that includes this answers clock_gettime(CLOCK_REALTIME) itself, so commit times are
 * the test's.  All other clocks go to the system.  Included once, before all else, since it needs syscall().
 */
#ifndef MODEL_CLOCK_H
#define MODEL_CLOCK_H

#define _GNU_SOURCE
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_now_ns = INT64_C(1750000000) * 1000000000;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t s, ns;

	if (id != CLOCK_REALTIME)
#ifdef SYS_clock_gettime64
		return (int)syscall(sizeof(time_t) > sizeof(long) ? SYS_clock_gettime64 : SYS_clock_gettime, id, ts);
#else
		return (int)syscall(SYS_clock_gettime, id, ts);
#endif
	s = clock_now_ns / 1000000000;
	ns = clock_now_ns % 1000000000;
	if (ns < 0) {
		ns += 1000000000;
		s--;
	}
	ts->tv_sec = (time_t)s;
	ts->tv_nsec = (long)ns;
	return 0;
}

/* Seconds that passed, really. */
static inline double
wall_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);       /* not gettimeofday: some libraries ask our clock for it */
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

#endif
