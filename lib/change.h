/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change.h - the commits that are no appends: a deletion, a rollback, new metadata or policies (SPEC 8.1, 8.6).
 *
 * Each takes the lock, makes one commit (a deletion perhaps several) on what it finds, and gives the lock back.  Arguments and answers are those of the otr_writer_ calls in otr.h.
 */
#ifndef OTR_CHANGE_H
#define OTR_CHANGE_H

#include "commit.h"

/* Whom to tell of a piece that is durable and not the last; piece may be NULL. */
struct otr__tell {
	void (*piece)(void *arg, const struct otr_commit_result *result);
	void *arg;
};

OTR_MUST_CHECK enum otr_status otr__change_delete(struct otr__target *target, const struct otr__patience *patience, const struct otr__who *who,
    const struct otr__tell *tell, const struct otr_delete_spec *spec, struct otr_change_result *result, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr__change_rollback(struct otr__target *target, const struct otr__patience *patience, const struct otr__who *who,
    uint64_t version, struct otr_change_result *result, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr__change_meta(struct otr__target *target, const struct otr__patience *patience, const struct otr__who *who,
    const struct otr_meta_change *change, size_t count, const struct otr_policies *policies, unsigned which, struct otr_change_result *result,
    struct otr_error *err);

#endif
