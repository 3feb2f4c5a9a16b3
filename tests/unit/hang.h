/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hang.h - what never ends is ended by a signal, SIGXCPU, after so many seconds of the processor: by the clock a busy machine would make every test a hang.
 */
#ifndef HANG_H
#define HANG_H

#include <signal.h>
#include <sys/resource.h>

/* This process may take so many seconds more from now on; 0: as many as it likes. */
static inline void
hang_after(unsigned seconds)
{
	struct rlimit limit;
	struct rusage used;

	if (getrlimit(RLIMIT_CPU, &limit) != 0 || getrusage(RUSAGE_SELF, &used) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (seconds > 0)
		limit.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 2 + seconds;       /* both are rounded down */
	(void)setrlimit(RLIMIT_CPU, &limit);
}

#endif
