/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io.h - all access to the world: a file, its lock, its directory, the clock, random bytes.  Nothing else in lib/ makes a system call.
 *
 * Owns: off_t, errno, EINTR, short reads and writes, temporary names.  Does not know the format.
 * A struct otr_io is a backend: the file backend here, others in tests.  Each call returns 0 or an errno value.
 */
#ifndef OTR_IO_H
#define OTR_IO_H

#include "error.h"

struct otr_io {
	void *self;
	/* Up to len bytes at offset; *got is less than len only at the end of the file. */
	int (*read)(void *self, uint64_t offset, void *bytes, size_t len, size_t *got);
	/* All len bytes, or an error. */
	int (*write)(void *self, uint64_t offset, const void *bytes, size_t len);
	/* The same in a single call that is its own sync; *synced is false if only a plain write was to be had. */
	int (*write_synced)(void *self, uint64_t offset, const void *bytes, size_t len, bool *synced);
	/* Whether write_synced syncs on this file; asked before the slot is encoded, since the slot says so. */
	bool (*can_write_synced)(void *self);
	int (*sync)(void *self);
	int (*sync_directory)(void *self);
	int (*size)(void *self, uint64_t *bytes);
	/* Takes the writer lock: 0, or EAGAIN if another holds it. */
	int (*lock)(void *self);
	void (*unlock)(void *self);
	/* Whether the name that was opened still leads to this inode. */
	int (*is_current)(void *self, bool *current);
	int64_t (*now_ns)(void *self);
	int (*pause)(void *self, int64_t ns);
	int (*random)(void *self, void *bytes, size_t len);
	void (*close)(void *self);             /* frees self too */
};

/* Opens a regular file (SPEC 10; flags as testing.md section 7 rules). */
OTR_MUST_CHECK enum otr_status otr__io_open(const char *path, bool writable, struct otr_io *io, struct otr_error *err);
/* Borrows fd, which must be a regular file. */
OTR_MUST_CHECK enum otr_status otr__io_open_fd(int fd, struct otr_io *io, struct otr_error *err);
/*
 * A new file in path's directory, without a name where the system has such files, else under a temporary one; gone when closed without otr__io_publish, and the unnamed one
 * also when the process is killed.
 */
OTR_MUST_CHECK enum otr_status otr__io_create(const char *path, struct otr_io *io, struct otr_error *err);
/* Syncs a file made by otr__io_create, locks it, links it to path (replace: renames it over path, keeping mode and owner), syncs the directory, unlocks. */
OTR_MUST_CHECK enum otr_status otr__io_publish(struct otr_io *io, bool replace, struct otr_error *err);

/* Where a path leads through symbolic links, so that a rename puts a file there, not in place of a link.  *real is the caller's, freed with free. */
OTR_MUST_CHECK enum otr_status otr__io_real_path(const char *path, char **real, struct otr_error *err);
/* Whether a path leads to the file that io has open; false too where it leads nowhere. */
bool otr__io_is_at(const struct otr_io *io, const char *path);
/* Whether something has this name. */
bool otr__io_exists(const char *path);

/* Reads exactly len bytes: OTR_E_TRUNCATED at the file's end. */
OTR_MUST_CHECK enum otr_status otr__io_read(struct otr_io *io, uint64_t offset, void *bytes, size_t len, struct otr_error *err);

#endif
