/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.h - what the tools that write a FILE share: author, message, --wait.
 */
#ifndef OTR_TOOLS_WRITER_H
#define OTR_TOOLS_WRITER_H

#include "../lib/otr.h"
#include "opts.h"

struct writer_commit {
	char author[OTR_MAX_AUTHOR + 1];
	const char *message;           /* borrowed from the options */
	int64_t wait_ns;
};

/* Returns an exit status. */
int writer_commit(const struct opts_given *g, struct writer_commit *commit);

#endif
