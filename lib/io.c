/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io.c - the file backend of struct otr_io.
 *
 * Linux gives open-file-description locks, unnamed temporary files and a write that is its own sync; each has a second way here: process locks,
 * O_EXCL names, write and sync apart.  No state but the handle's.
 */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1      /* F_OFD_SETLK, pwritev2 */
#endif
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif
#include <time.h>
#include <unistd.h>

#ifdef F_OFD_SETLK
#define SETLK F_OFD_SETLK
#else
#define SETLK F_SETLK
#endif

#define NAME_ATTEMPTS 100
#define PROC_ROOM 32             /* /proc/self/fd/ and a number */
#define LIST_NAME "system.posix_acl_access"
#define LIST_ROOM 4096           /* 511 entries */

struct file {
	int fd;
	bool borrowed;           /* fd is the caller's */
	char *path;              /* NULL for a borrowed fd */
	char *temporary;         /* name that close removes, or NULL */
	bool unnamed;            /* made without a name, and not published yet */
};

static int
file_read(void *self, uint64_t offset, void *bytes, size_t len, size_t *got)
{
	const struct file *f = self;
	size_t done = 0;

	if (offset > (uint64_t)INT64_MAX - len)
		return EFBIG;
	while (done < len) {
		ssize_t n = pread(f->fd, (char *)bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*got = done;
	return 0;
}

static int
file_write(void *self, uint64_t offset, const void *bytes, size_t len)
{
	const struct file *f = self;
	size_t done = 0;

	if (offset > (uint64_t)INT64_MAX - len)
		return EFBIG;
	while (done < len) {
		ssize_t n = pwrite(f->fd, (const char *)bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)          /* cannot be for len > 0, but must not loop for ever */
			return EIO;
		done += (size_t)n;   /* a short write: the next call tells why */
	}
	return 0;
}

static int
file_sync(void *self)
{
	const struct file *f = self;

	/* EINTR too: whether the data is out is then unknown, and a second call may say 0 for pages that were dropped */
	return fdatasync(f->fd) == 0 ? 0 : errno;
}

#if defined(__linux__) && defined(RWF_DSYNC)
static bool
file_can_write_synced(void *self)
{
	(void)self;              /* any file: a kernel or file system without RWF_DSYNC is found by the call, see below */
	return true;
}

static int
file_write_synced(void *self, uint64_t offset, const void *bytes, size_t len, bool *synced)
{
	const struct file *f = self;
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	ssize_t n;

	*synced = false;
	do
		n = pwritev2(f->fd, &part, 1, (off_t)offset, RWF_DSYNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
		return EOPNOTSUPP;
	if (n < 0)
		return errno;
	if ((size_t)n < len)     /* a slot is one call or none: the rest of it would be a second one */
		return ENOSPC;
	*synced = true;
	return 0;
}
#else
static bool
file_can_write_synced(void *self)
{
	(void)self;
	return false;
}

static int
file_write_synced(void *self, uint64_t offset, const void *bytes, size_t len, bool *synced)
{
	(void)self; (void)offset; (void)bytes; (void)len;
	*synced = false;
	return EOPNOTSUPP;
}
#endif

/* open, made again where a signal came in: a device or a file system of the network or of a process may take its time. */
static int
open_again(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* The directory part of a path: the caller's, freed with free; NULL: out of memory. */
static char *
directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	char *dir;

	if (slash == NULL)
		return strdup(".");
	if (len == 0)
		return strdup("/");
	dir = malloc(len + 1);
	if (dir != NULL) {
		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	return dir;
}

static int
file_sync_directory(void *self)
{
	const struct file *f = self;
	char *dir;
	int fd, result = 0;

	if (f->path == NULL)
		return 0;            /* a borrowed descriptor is only read */
	dir = directory_of(f->path);
	if (dir == NULL)
		return ENOMEM;
	fd = open_again(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0) {
		result = errno;
#ifdef __linux__
		/* names may be made where they may not be listed, as in a drop box: then all of the file system is synced, its directories too */
		if (result == EACCES)
			result = syncfs(f->fd) == 0 ? 0 : errno;
#endif
	} else {
		/* some file systems cannot sync a directory, and say so by EINVAL: nothing is lost that they could keep */
		if (fsync(fd) != 0 && errno != EINVAL)
			result = errno;
		(void)close(fd);         /* nothing was written through it */
	}
	free(dir);
	return result;
}

static int
file_size(void *self, uint64_t *bytes)
{
	const struct file *f = self;
	struct stat st;

	if (fstat(f->fd, &st) != 0)
		return errno;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

static int
set_lock(const struct file *f, short type)
{
	struct flock lock;

	memset(&lock, 0, sizeof lock);
	lock.l_type = type;
	lock.l_whence = SEEK_SET;
	while (fcntl(f->fd, SETLK, &lock) != 0) {
		if (errno == EINTR)
			continue;
		return errno == EACCES ? EAGAIN : errno;
	}
	return 0;
}

static int
file_lock(void *self)
{
	return set_lock(self, F_WRLCK);
}

static void
file_unlock(void *self)
{
	(void)set_lock(self, F_UNLCK);   /* closing drops it in any case */
}

static int
file_is_current(void *self, bool *current)
{
	const struct file *f = self;
	struct stat mine, named;

	if (fstat(f->fd, &mine) != 0)
		return errno;
	if (f->path == NULL) {
		*current = true;
	} else if (stat(f->path, &named) != 0) {
		if (errno != ENOENT)
			return errno;
		*current = false;
	} else {
		*current = mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
	}
	return 0;
}

static int64_t
file_now_ns(void *self)
{
	struct timespec now;

	(void)self;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return 0;
	/* the clock of a machine may be anywhere; a time outside the format's range becomes its nearest limit */
	if (now.tv_sec >= INT64_MAX / 1000000000)
		return OTR_TIME_MAX;
	if (now.tv_sec <= INT64_MIN / 1000000000)
		return OTR_TIME_MIN;
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int
file_pause(void *self, int64_t ns)
{
	struct timespec wait = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	(void)self;
	return nanosleep(&wait, NULL) == 0 ? 0 : errno;
}

static int
file_random(void *self, void *bytes, size_t len)
{
	int fd = open_again("/dev/urandom", O_RDONLY | O_CLOEXEC, 0);
	size_t got = 0;
	int result;

	(void)self;
	if (fd < 0)
		return errno;
	while (got < len) {
		ssize_t n = read(fd, (char *)bytes + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	result = got == len ? 0 : EIO;
	(void)close(fd);             /* it was only read */
	return result;
}

static void
file_close(void *self)
{
	struct file *f = self;

	if (f->temporary != NULL)
		(void)unlink(f->temporary);      /* of a file that was not published; nothing is left to do if that fails */
	if (!f->borrowed && f->fd >= 0)
		(void)close(f->fd);              /* what had to be durable was synced before */
	free(f->temporary);
	free(f->path);
	free(f);
}

static void
fill(struct otr_io *io, struct file *f)
{
	*io = (struct otr_io){ .self = f, .read = file_read, .write = file_write, .write_synced = file_write_synced,
		.can_write_synced = file_can_write_synced, .sync = file_sync, .sync_directory = file_sync_directory, .size = file_size,
		.lock = file_lock, .unlock = file_unlock, .is_current = file_is_current, .now_ns = file_now_ns, .pause = file_pause,
		.random = file_random, .close = file_close };
}

static struct file *
new_file(int fd, bool borrowed, const char *path)
{
	struct file *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->fd = fd;
	f->borrowed = borrowed;
	if (path != NULL && (f->path = strdup(path)) == NULL) {
		free(f);
		return NULL;
	}
	return f;
}

static enum otr_status
check_regular(int fd, struct otr_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return otr__fail_sys(err, errno, "cannot read its status");
	if (!S_ISREG(st.st_mode))
		return otr__fail_sys(err, S_ISDIR(st.st_mode) ? EISDIR : ESPIPE, "not a regular file");
	return OTR_OK;
}

enum otr_status
otr__io_open(const char *path, bool writable, struct otr_io *io, struct otr_error *err)
{
	struct file *f;
	enum otr_status status;
	/* O_NONBLOCK until it is known to be a regular file: the open of a FIFO must not hang */
	int fd = open_again(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);

	if (fd < 0)
		return otr__fail_sys(err, errno, "cannot open");
	status = check_regular(fd, err);
	if (status != OTR_OK) {
		(void)close(fd);
		return status;
	}
	f = new_file(fd, false, path);
	if (f == NULL) {
		(void)close(fd);
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	fill(io, f);
	return OTR_OK;
}

enum otr_status
otr__io_open_fd(int fd, struct otr_io *io, struct otr_error *err)
{
	struct file *f;
	enum otr_status status = check_regular(fd, err);

	if (status != OTR_OK)
		return status;
	f = new_file(fd, true, NULL);
	if (f == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	fill(io, f);
	return OTR_OK;
}

/* A name in path's directory that nobody has: the caller's, freed with free; NULL: *failure says why. */
static char *
temporary_name(const char *path, int *failure)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	char *dir = directory_of(path), *name = NULL;
	uint8_t noise[10];
	char tail[11];
	size_t room, i;

	*failure = ENOMEM;
	if (dir == NULL)
		return NULL;
	room = strlen(dir) + 32;
	*failure = file_random(NULL, noise, sizeof noise);
	if (*failure == 0) {
		name = malloc(room);
		*failure = ENOMEM;
	}
	if (name != NULL) {
		for (i = 0; i < sizeof noise; i++)
			tail[i] = digits[noise[i] & 31];
		tail[sizeof noise] = '\0';
		(void)snprintf(name, room, "%s/.otr-%s.tmp", dir, tail);
	}
	free(dir);
	return name;
}

/*
 * A file without a name, of which nothing is left if its maker is killed; -1: there is none to be had, and why does not matter, since a name is tried then.  It gets its
 * name through /proc, so that has to be there.
 */
static int
open_unnamed(const char *path, mode_t mode)
{
#ifdef O_TMPFILE
	char *dir = directory_of(path), at[PROC_ROOM];
	struct stat mine, named;
	int fd;

	if (dir == NULL)
		return -1;
	fd = open_again(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	free(dir);
	if (fd < 0)
		return -1;
	(void)snprintf(at, sizeof at, "/proc/self/fd/%d", fd);
	if (fstat(fd, &mine) == 0 && stat(at, &named) == 0 && mine.st_dev == named.st_dev && mine.st_ino == named.st_ino)
		return fd;
	(void)close(fd);
#else
	(void)path; (void)mode;
#endif
	return -1;
}

/* Gives an unnamed file its name; 0 or an errno value. */
static int
link_unnamed(int fd, const char *name)
{
	char at[PROC_ROOM];

	(void)snprintf(at, sizeof at, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, at, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

enum otr_status
otr__io_create(const char *path, struct otr_io *io, struct otr_error *err)
{
	char *name = NULL;
	struct file *f;
	struct stat old;
	/* what replaces a file gets the mode of it with its name: before that it is for nobody else, as that file may be */
	mode_t mode = lstat(path, &old) != 0 && errno == ENOENT ? 0666 : 0600;
	int fd = open_unnamed(path, mode), attempt, failure = 0;
	bool unnamed = fd >= 0;

	for (attempt = 0; attempt < NAME_ATTEMPTS && fd < 0; attempt++) {
		free(name);
		name = temporary_name(path, &failure);
		if (name == NULL)
			break;
		fd = open_again(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		failure = errno;
		if (fd < 0 && failure != EEXIST)
			break;
	}
	f = fd < 0 ? NULL : new_file(fd, false, path);
	if (f == NULL) {
		if (fd >= 0) {
			if (name != NULL)
				(void)unlink(name);
			(void)close(fd);
		}
		free(name);
		if (failure == ENOMEM || fd >= 0)
			return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
		return otr__fail_sys(err, failure, "cannot make a file in its directory");
	}
	f->temporary = name;
	f->unnamed = unnamed;
	fill(io, f);
	return OTR_OK;
}

/* A rename needs a name to begin with. */
static enum otr_status
name_unnamed(struct file *f, struct otr_error *err)
{
	int attempt, failure = EEXIST;

	for (attempt = 0; attempt < NAME_ATTEMPTS && failure == EEXIST; attempt++) {
		char *name = temporary_name(f->path, &failure);

		if (name == NULL)
			break;
		failure = link_unnamed(f->fd, name);
		if (failure == 0) {
			f->temporary = name;
			f->unnamed = false;
		} else {
			free(name);
		}
	}
	if (failure == ENOMEM)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	return failure == 0 ? OTR_OK : otr__fail_sys(err, failure, "cannot link into its directory");
}

/* The new file's own name, which nobody may have. */
static enum otr_status
link_into_place(struct file *f, struct otr_error *err)
{
	int failure = f->unnamed ? link_unnamed(f->fd, f->path) : link(f->temporary, f->path) == 0 ? 0 : errno;

	if (failure == EEXIST)
		return otr__fail(err, OTR_E_EXISTS, "", "exists already");
	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot link into place");
	f->unnamed = false;
	if (f->temporary != NULL)
		(void)unlink(f->temporary);                          /* a second name of a whole file: harmless if it stays */
	return OTR_OK;
}

/*
 * Owner, mode and access list of the file that is replaced, where permitted: only root may give files away, and the bits of another owner's rights go with him.  Without its list
 * the mask in its mode would be the group's rights, and with the list that a directory gives to new files others would be let in.
 */
static void
keep_rights(int fd, const char *path, const struct stat *old)
{
	mode_t mode = old->st_mode & 07777;
#ifdef __linux__
	char list[LIST_ROOM];
	ssize_t len = getxattr(path, LIST_NAME, list, sizeof list);

	if (len < 0 && errno == ERANGE)
		mode &= ~(mode_t)S_IRWXG;
	if (fremovexattr(fd, LIST_NAME) != 0 && fgetxattr(fd, LIST_NAME, NULL, 0) > 0)
		mode &= ~(mode_t)S_IRWXG;
#else
	(void)path;
#endif
	if (fchown(fd, old->st_uid, old->st_gid) != 0)
		mode &= 0777;
	(void)fchmod(fd, mode);
#ifdef __linux__
	if (len > 0 && fsetxattr(fd, LIST_NAME, list, (size_t)len, 0) != 0)
		(void)fchmod(fd, mode & ~(mode_t)S_IRWXG);
#endif
}

enum otr_status
otr__io_publish(struct otr_io *io, bool replace, struct otr_error *err)
{
	struct file *f = io->self;
	struct stat old;
	enum otr_status status = OTR_OK;
	int failure;

	if (replace && lstat(f->path, &old) == 0) {
		if (!S_ISREG(old.st_mode))
			return otr__fail(err, OTR_E_EXISTS, "", "exists and is not a regular file");
		keep_rights(f->fd, f->path, &old);
	}
	if (fsync(f->fd) != 0)
		return otr__fail_sys(err, errno, "cannot sync");
	failure = file_lock(f);
	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot lock");
	if (!replace) {
		status = link_into_place(f, err);
	} else {
		if (f->unnamed)
			status = name_unnamed(f, err);
		if (status == OTR_OK && rename(f->temporary, f->path) != 0)
			status = otr__fail_sys(err, errno, "cannot rename into place");
	}
	if (status != OTR_OK)
		return status;
	free(f->temporary);
	f->temporary = NULL;
	failure = file_sync_directory(f);
	file_unlock(f);
	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot sync its directory");
	return OTR_OK;
}

enum otr_status
otr__io_real_path(const char *path, char **real, struct otr_error *err)
{
	*real = realpath(path, NULL);
	return *real != NULL ? OTR_OK : otr__fail_sys(err, errno, "cannot look up its name");
}

bool
otr__io_is_at(const struct otr_io *io, const char *path)
{
	const struct file *f = io->self;
	struct stat mine, named;

	return fstat(f->fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

bool
otr__io_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

enum otr_status
otr__io_read(struct otr_io *io, uint64_t offset, void *bytes, size_t len, struct otr_error *err)
{
	size_t got = 0;
	int failure = io->read(io->self, offset, bytes, len, &got);
	enum otr_status status;

	if (failure != 0) {
		status = otr__fail_sys(err, failure, "cannot read");
		otr__fail_place(err, -1, (int64_t)offset);
		return status;
	}
	if (got < len) {
		status = otr__fail(err, OTR_E_TRUNCATED, "3.2-2", "ends at byte %llu, where %zu bytes from byte %llu are needed",
		    (unsigned long long)(offset + got), len, (unsigned long long)offset);
		otr__fail_place(err, -1, (int64_t)offset);
		return status;
	}
	return OTR_OK;
}
