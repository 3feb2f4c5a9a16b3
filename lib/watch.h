/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - the caller's eye on long work: told of each page that is done, it may end it.
 */
#ifndef OTR_WATCH_H
#define OTR_WATCH_H

#include "error.h"

struct otr__watch {
	bool (*go_on)(void *arg, uint64_t done, uint64_t total);      /* false: give up; NULL: nobody watches */
	void *arg;
	uint64_t done, total;            /* pages; total is an estimate */
};

/* Whether to go on.  Returns OTR_OK or OTR_END. */
OTR_MUST_CHECK enum otr_status otr__watch_ask(const struct otr__watch *watch, struct otr_error *err);
/* Counts one page more, and asks. */
OTR_MUST_CHECK enum otr_status otr__watch_page(struct otr__watch *watch, struct otr_error *err);

#endif
