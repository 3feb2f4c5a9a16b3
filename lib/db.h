/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * db.h - an open file: header, the slot that is its state (SPEC 4.2, 10.4), what has to be said about it, and the selected snapshot.
 */
#ifndef OTR_DB_H
#define OTR_DB_H

#include "log.h"
#include "snapshot.h"

#define OTR__NOTICES_MAX 4

struct otr__notices {
	size_t n;
	bool fallback[OTR__NOTICES_MAX];
	char text[OTR__NOTICES_MAX][240];
};

/* The two slots of a file as they were read, and which one is its state. */
struct otr__state {
	struct otr__slot slot;
	unsigned index;                         /* of the slot: 0 or 1 */
	uint64_t next_version;                  /* SPEC 4.2-8 */
	bool damaged;                           /* the other slot is newer and damaged: the state is not to be trusted as the newest */
	bool has_other;                         /* the other slot is sound too (older) */
	uint8_t bytes[2][OTR__SLOT_BYTES];      /* as read */
};

struct otr {
	struct otr_io io;
	struct otr__header header;
	struct otr__state state;
	bool has_given_up;                      /* the newest slot's root is bad, so the state is the other one: */
	uint64_t given_up;                      /* the version that is not to be come back to */
	struct otr__store store;
	struct otr__scratch *scratch;
	struct otr__snapshot *snapshot;         /* the selected one */
	struct otr__notices notices;
	struct otr__rows work;                  /* for seeks */
	/* metadata of the selected version, read when first asked for */
	bool meta_read;
	uint64_t meta_version;
	uint8_t *meta_bytes;
	struct otr_meta *meta;
	size_t meta_count;
	char *commit_text;                      /* author and message that otr_commit_get lends */
};

/* otr_open (at: otr_open_at) on a backend, which it takes, also when it fails. */
OTR_MUST_CHECK enum otr_status otr__open_io(struct otr_io io, bool at, uint64_t version, struct otr **file, struct otr_error *err);

/* Takes another reference / gives it back (freed with the last one). */
struct otr__snapshot *otr__snapshot_hold(struct otr__snapshot *snapshot);
void otr__snapshot_drop(struct otr__snapshot *snapshot);

/*
 * After a read of *snapshot failed with OTR_E_CORRUPT or OTR_E_TRUNCATED (SPEC 10.4-5): reads the slots again.  If the newest version has not moved, returns that
 * failure (*err untouched).  Otherwise finds the snapshot's own version in the newer state: OTR_OK and *snapshot exchanged (the old one dropped): begin
 * again from the absolute row number; or OTR_E_EXPIRED.
 */
OTR_MUST_CHECK enum otr_status otr__db_recover(struct otr *file, struct otr__snapshot **snapshot, enum otr_status failure, struct otr_error *err);

/*
 * After a read of a log or metadata page for the selected version failed: whether it is worth another try, since the slots, read again, have moved on (SPEC 10.4-5).  Otherwise
 * *status is the answer: as it was, or OTR_E_EXPIRED if that version is pruned by now.
 */
OTR_MUST_CHECK bool otr__db_again(struct otr *file, unsigned attempt, enum otr_status *status, struct otr_error *err);

/* Builds the snapshot of a version from the file's state (SPEC 8.2, 8.3): the caller's, given back with otr__snapshot_drop. */
OTR_MUST_CHECK enum otr_status otr__db_snapshot(struct otr *file, uint64_t version, struct otr__snapshot **snapshot, struct otr_error *err);

/* The same, where pages may be reused meanwhile: the slots are read again as long as they move.  What otr_select_version moves to. */
OTR_MUST_CHECK enum otr_status otr__db_find(struct otr *file, uint64_t version, struct otr__snapshot **snapshot, struct otr_error *err);

/* Reads the slots again into file->state; a newer one makes the store forget its pages.  *moved: whether the newest version is another. */
OTR_MUST_CHECK enum otr_status otr__db_reread(struct otr *file, bool *moved, struct otr_error *err);

/* What the log of the file's state is read through; borrowed from file. */
struct otr__log otr__db_log(struct otr *file);

/* Reads the header and its copy, and both slots, and decides (SPEC 3.2, 4.2).  notices are added to.  Used by verify too. */
OTR_MUST_CHECK enum otr_status otr__read_header(struct otr_io *io, struct otr__header *header, struct otr__notices *notices, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr__read_state(struct otr_io *io, const struct otr__header *header, struct otr__state *state,
    struct otr__notices *notices, struct otr_error *err);

#endif
