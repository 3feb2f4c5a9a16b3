/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * progress.h - how far long work is: on a terminal a line from its first second on, gone at the end; at SIGUSR1 a line that stays, wherever stderr leads.
 *
 * Whoever works asks often whether a line is due, and tells it then.  That SIGUSR1 came is the static here.
 */
#ifndef OTR_TOOLS_PROGRESS_H
#define OTR_TOOLS_PROGRESS_H

#include "cli.h"
#include "opts.h"

enum progress_when { PROGRESS_NEVER, PROGRESS_ON_TERMINAL, PROGRESS_ALWAYS };

struct progress {
	const char *object;                      /* as that of a message */
	enum progress_when when;                 /* on a terminal: only if there is one */
	int64_t begun_ns, next_ns;               /* on the monotonic clock */
};

/* What --progress, --no-progress and --quiet say.  Returns CLI_OK or CLI_USAGE. */
int progress_option(const struct opts_given *g, enum progress_when *when);
/* From here on SIGUSR1, unless it is ignored, asks for a line instead of ending the program.  Called again, its time begins anew.  object is borrowed. */
void progress_begin(struct progress *p, const char *object, enum progress_when when);
/* Whether SIGUSR1 came, and nothing was told since. */
bool progress_is_asked(void);
/* Whether it is time to tell. */
bool progress_is_due(const struct progress *p);
/* "37 %, 370 of 1000 pages", if it is time. */
void progress_pages(struct progress *p, uint64_t done, uint64_t total);
/* "37 %, 1200000 rows, 400000 rows/s"; bytes_total 0: without the part of the input. */
void progress_rows(struct progress *p, uint64_t rows, uint64_t bytes, uint64_t bytes_total);
/* The line on the terminal goes. */
void progress_end(struct progress *p);

#endif
