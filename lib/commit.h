/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commit.h - making one version (SPEC 4.6, 10.2): the only place that writes a slot.
 *
 * Owns: the lock and what is read under it, the record area, spills and log pages, the order of writes and syncs, version numbers.
 * Does not own: how rows come together (writer), how trees are written (build).
 */
#ifndef OTR_COMMIT_H
#define OTR_COMMIT_H

#include "build.h"
#include "db.h"

/* A file open for writing. */
struct otr__target {
	char *path;
	struct otr_io io;
	struct otr__header header;
	struct otr__state state;             /* as last read, or written, under the lock */
	struct otr__store store;
	struct otr__scratch *scratch;
	struct otr__notices notices;
	struct otr__page_list spare;         /* free pages that the newest slot has no room to name (space.h); only while `own`, in a file of fixed size */
	unsigned reopened;                   /* how often the name was found to lead to another file */
	bool own;                            /* the newest commit is this handle's, and durable */
	bool on_disk;                        /* the newest commit is known to be durable, whoever made it */
	bool poisoned;                       /* a write or sync failed: nothing more is written */
};

/* How long to wait for the lock, and whom to tell. */
struct otr__patience {
	int64_t wait_ns;
	void (*waiting)(void *arg);          /* after a second; NULL: nobody */
	void *arg;
};

/* Takes io's writer lock.  Returns OTR_OK, OTR_E_BUSY, OTR_E_IO. */
OTR_MUST_CHECK enum otr_status otr__wait_for_lock(struct otr_io *io, const struct otr__patience *patience, struct otr_error *err);

OTR_MUST_CHECK enum otr_status otr__target_open(const char *path, struct otr__target *target, struct otr_error *err);
/* The same on a backend, which it takes, also when it fails.  path NULL: a backend whose otr_io.is_current is always true. */
OTR_MUST_CHECK enum otr_status otr__target_open_io(const struct otr_io *io, const char *path, struct otr__target *target, struct otr_error *err);
void otr__target_close(struct otr__target *target);

/*
 * Takes the writer lock on the inode that the path leads to, then reads the state under it (SPEC 10.2-1, -2).
 * Returns OTR_OK; OTR_E_BUSY; OTR_E_CORRUPT where the newest slot is damaged; OTR_E_ARG if the file was replaced by one of another schema; _IO, ...
 */
OTR_MUST_CHECK enum otr_status otr__target_lock(struct otr__target *target, const struct otr__patience *patience, struct otr_error *err);
/*
 * The same for a rollback, which mends: a newest slot that is damaged, or whose root page is, gives way to the other one, if that is sound with its root.  The
 * next commit is written over the bad one.
 */
OTR_MUST_CHECK enum otr_status otr__target_lock_to_mend(struct otr__target *target, const struct otr__patience *patience, struct otr_error *err);
void otr__target_unlock(struct otr__target *target);

/* OTR_E_ARG unless the policies are within their limits for files of this schema (SPEC 4.1, 9.4). */
OTR_MUST_CHECK enum otr_status otr__policies_check(const struct otr_schema *schema, const struct otr_policies *policies, struct otr_error *err);

/* Who commits, and why. */
struct otr__who {
	const char *author, *message;        /* NULL: "" */
};
/* OTR_E_ARG unless both are within SPEC 2.5. */
OTR_MUST_CHECK enum otr_status otr__who_check(const struct otr__who *who, struct otr_error *err);
/* A record of theirs, whose strings are borrowed from who; counts and kept root are the caller's to set. */
struct otr__record otr__who_record(const struct otr__who *who, enum otr_kind kind);

/* One commit being made, between lock and unlock. */
struct otr__commit {
	struct otr__target *target;
	struct otr__space space;
	struct otr__slot slot;               /* the next one */
	struct otr__root root;               /* its tree so far */
	/* what rides */
	struct otr__record record[OTR__RECORDS_MAX];
	uint32_t records;
	struct otr__rows carried, ride;      /* ride: carried rows and those of the records, joined */
	bool plain;                          /* the group is plain so far (SPEC 4.6-4) */
	size_t depth;                        /* how far before the end a row came in */
	bool wrote_pages;
	bool crowded;                        /* in a file of fixed size: what cannot be let go leaves too little room for the commits after this one */
	bool recount;                        /* pages that were not counted any more are reached again */
	uint8_t *page;                       /* work space */
};

/* Starts from the state.  On failure nothing is left to release. */
OTR_MUST_CHECK enum otr_status otr__commit_begin(struct otr__target *target, struct otr__commit *commit, struct otr_error *err);
void otr__commit_release(struct otr__commit *commit);

/* Comes before the first page that the commit writes: what was found is on disk then (SPEC 10.2-3). */
OTR_MUST_CHECK enum otr_status otr__commit_pages(struct otr__commit *commit, struct otr_error *err);

/* Bytes of a record that would still ride with n rows (0: a record without rows): whether it is small enough to ride at all, and whether the area has room now. */
bool otr__commit_may_ride(const struct otr__commit *commit, size_t rows, size_t record_bytes);
bool otr__commit_has_room(const struct otr__commit *commit, size_t record_bytes);

/* Whether the rows that a spill would have to carry, for rows from first_ns on to ride after it, are few enough. */
bool otr__commit_can_spill(const struct otr__commit *commit, int64_t first_ns);
/* Spills (SPEC 4.6-4).  all: no row stays behind as a carried one; otherwise those that rows from first_ns on need there do. */
OTR_MUST_CHECK enum otr_status otr__commit_spill(struct otr__commit *commit, bool all, int64_t first_ns, struct otr_error *err);

/*
 * Comes before a change of the tree: what rides goes into it, if anything does or a record of record_bytes has no room left.  k->root is then the base, which a
 * rewrite keeps; pages written after this are on top of it.
 */
OTR_MUST_CHECK enum otr_status otr__commit_settle(struct otr__commit *commit, size_t record_bytes, struct otr_error *err);

/* The record of a rewrite keeps base, unless nobody could read it: there was no tree, or no older version stays readable (SPEC 8.2). */
void otr__commit_keep(const struct otr__commit *commit, const struct otr__root *base, struct otr__record *record);

/* Sets rows, rows_ever, first_ns and last_ns of commit->slot from commit->root, in which all rows are. */
OTR_MUST_CHECK enum otr_status otr__commit_count(struct otr__commit *commit, struct otr_error *err);

/*
 * Completes the slot and writes it, durably.  record: kind, added, removed, strings, kept root; version, time and counts are filled in here.  rows [0, n) ride in it
 * (n 0: none; they must fit).  first_ns, last_ns, rows, rows_ever, time_digits of commit->slot must be set; root, tree_rows are taken from
 * commit->root.
 */
OTR_MUST_CHECK enum otr_status otr__commit_finish(struct otr__commit *commit, struct otr__record *record, const struct otr__rows *rows, size_t n,
    struct otr_error *err);

#endif
