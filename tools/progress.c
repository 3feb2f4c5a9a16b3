/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * progress.c - how far long work is.
 */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define BETWEEN (SECOND / 5)

static volatile sig_atomic_t asked;

static void
on_question(int number)
{
	(void)number;
	asked = 1;
}

int
progress_option(const struct opts_given *g, enum progress_when *when)
{
	*when = PROGRESS_ON_TERMINAL;
	if (opts_has(g, OPT_PROGRESS) && opts_has(g, OPT_NO_PROGRESS))
		return opts_refuse_pair(OPT_PROGRESS, "with --no-progress");
	if (opts_has(g, OPT_PROGRESS) && opts_has(g, OPT_QUIET))
		return opts_refuse_pair(OPT_PROGRESS, "with --quiet");
	if (opts_has(g, OPT_PROGRESS))
		*when = PROGRESS_ALWAYS;
	else if (opts_has(g, OPT_NO_PROGRESS) || opts_has(g, OPT_QUIET))
		*when = PROGRESS_NEVER;
	return CLI_OK;
}

void
progress_begin(struct progress *p, const char *object, enum progress_when when)
{
	/* restarted, so that no call of the work fails for it */
	struct sigaction old, action = { .sa_handler = on_question, .sa_flags = SA_RESTART };

	*p = (struct progress){ .object = object, .when = when, .begun_ns = cli_monotonic_ns() };
	if (when == PROGRESS_ON_TERMINAL && !cli_is_terminal(STDERR_FILENO))
		p->when = PROGRESS_NEVER;
	p->next_ns = p->begun_ns + SECOND;
	(void)sigemptyset(&action.sa_mask);
	if (sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		(void)sigaction(SIGUSR1, &action, NULL);
}

bool
progress_is_asked(void)
{
	return asked != 0;
}

bool
progress_is_due(const struct progress *p)
{
	return asked != 0 || (p->when != PROGRESS_NEVER && cli_monotonic_ns() >= p->next_ns);
}

/* Not over the shoulder of what runs in front of it. */
static bool
is_in_background(void)
{
	pid_t foreground = tcgetpgrp(STDERR_FILENO);

	return foreground != -1 && foreground != getpgrp();
}

static void
tell(struct progress *p, const char *text)
{
	int64_t now = cli_monotonic_ns();

	if (asked != 0) {
		asked = 0;
		cli_note(p->object, "%s", text);
	}
	if (p->when == PROGRESS_NEVER || now < p->next_ns)
		return;
	p->next_ns = now + BETWEEN;
	if (p->when == PROGRESS_ALWAYS || !is_in_background())
		cli_line(p->object, "%s", text);
}

/* "37 %, ", rounded down; nothing of nothing. */
static void
part_text(uint64_t done, uint64_t total, char out[16])
{
	out[0] = '\0';
	if (total > 0)
		(void)snprintf(out, 16, "%u %%, ", done >= total ? 100u : (unsigned)(100 * ((double)done / (double)total)));
}

void
progress_pages(struct progress *p, uint64_t done, uint64_t total)
{
	char part[16], text[100];

	if (!progress_is_due(p))
		return;
	part_text(done, total, part);
	(void)snprintf(text, sizeof text, "%s%llu of %llu pages", part, (unsigned long long)done, (unsigned long long)total);
	tell(p, text);
}

void
progress_rows(struct progress *p, uint64_t rows, uint64_t bytes, uint64_t bytes_total)
{
	double seconds = (double)(cli_monotonic_ns() - p->begun_ns) / (double)SECOND;
	char part[16], text[100];

	if (!progress_is_due(p))
		return;
	part_text(bytes, bytes_total, part);
	(void)snprintf(text, sizeof text, "%s%llu rows, %.0f rows/s", part, (unsigned long long)rows, seconds > 0 ? (double)rows / seconds : 0.0);
	tell(p, text);
}

void
progress_end(struct progress *p)
{
	if (p->when != PROGRESS_NEVER)
		cli_line_end();
	p->when = PROGRESS_NEVER;
}
