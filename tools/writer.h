/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.h - what the tools that write a FILE share: author, message, --wait; opening a FILE for one change and saying how it went.
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

/* Tells that the only operand "-" cannot be written, if it is.  Returns an exit status. */
int writer_check_path(const char *path);
/* What was made of a change that takes several commits, without the last one. */
struct writer_pieces {
	const char *path;
	uint64_t count, first_version, version, removed;
};
/* Opens FILE and tells the notices.  commit and pieces are borrowed until otr_writer_close.  verbose: waiting for the lock is told.  Returns an exit status. */
int writer_open(const char *path, const struct writer_commit *commit, bool verbose, struct writer_pieces *pieces, struct otr_writer **writer);
/* After a change that failed with this exit status: where the newest version is damaged, names the remedies.  Returns status. */
int writer_tell_remedy(const char *path, int status);
/* --print-version: the versions from first to last on stdout, which it closes.  Returns an exit status. */
int writer_print_versions(uint64_t first, uint64_t last);
int writer_print_version(uint64_t version);

#endif
