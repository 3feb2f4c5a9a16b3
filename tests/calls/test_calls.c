/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_calls.c - every system call and every allocation of the library fails once, and from some call on (testing.md M3, M15; promises P1, P2, P9).
 *
 *      STEP=n   every nth call on average (default 1), with one of what it can give, once and from then on      FULL=1   each with all that it can give      SEED=n
 *
 * The linker puts the functions here in place of those that the library calls (tests/calls/flags).  A *scenario* is one use of the library on a fresh copy of a file.  It is
 * run with its nth call failing for n = 1, 2, ... until it has no nth call: by an error that this call can give, a short read or write, or no memory.  After each run
 * there is an error, or the right result; the file is as before, or where it was changed as after, or where the answer is "unknown" one of the two; and no memory,
 * descriptor or temporary file is left.  Then the next append works.
 *
 * Then the power is cut after each call that changes something, and after the last (M1, M2): the name leads to the file before or to the whole one after (cut.h), and after
 * the call has returned to the one after.  Or the process is killed there, another one appends, and the power is cut in that.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1      /* O_TMPFILE, struct iovec's pwritev2 */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "otr.h"
#include "tap.h"

#include "cut.h"

/* With _FILE_OFFSET_BITS=64 glibc has other names for what takes an offset or gives a size. */
#ifdef __GLIBC__
#define WRAP_SIZED(name) __wrap_##name##64
#define REAL_SIZED(name) __real_##name##64
#define WRAP_PWRITEV2 __wrap_pwritev64v2
#define REAL_PWRITEV2 __real_pwritev64v2
#else
#define WRAP_SIZED(name) __wrap_##name
#define REAL_SIZED(name) __real_##name
#define WRAP_PWRITEV2 __wrap_pwritev2
#define REAL_PWRITEV2 __real_pwritev2
#endif

#define STEP (TAP_SLOWER > 1 ? 20 : 1)

#define SECOND INT64_C(1000000000)
#define FD_MAX 256

static unsigned long long seed;
static int bad;
static char dir[100];

static void
clean(void)
{
	char command[140];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (system(command) != 0)
		printf("# cannot remove %s\n", dir);
}

static unsigned
dice(unsigned n)
{
	return (unsigned)((tap_random(&seed) >> 11) % n);
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------------------- */

enum call { MEMORY, OPEN, READ, WRITE, WRITE_SYNCED, SYNC, STAT, LOCK, LINK, RENAME, UNLINK, CLOSE, MODE, CLOCK, PAUSE, RANDOM, REALPATH, CALLS };

/* Not errno values: the call does less than it was asked for. */
enum { SHORT_ONE = -1, SHORT_HALF = -2 };

static const struct {
	const char *name;
	int fault[9];
} can[CALLS] = {
	[MEMORY] = { "an allocation", { ENOMEM } },
	[OPEN] = { "open", { EIO, EINTR, EMFILE, EACCES, ENOSPC, EDQUOT } },
	[READ] = { "pread", { EIO, EINTR, SHORT_ONE, SHORT_HALF } },
	[WRITE] = { "pwrite", { ENOSPC, EIO, EDQUOT, EFBIG, EINTR, SHORT_ONE, SHORT_HALF } },
	[WRITE_SYNCED] = { "pwritev2", { ENOSPC, EIO, EDQUOT, EFBIG, EINTR, SHORT_ONE, SHORT_HALF, EOPNOTSUPP } },
	[SYNC] = { "fsync, fdatasync, syncfs", { EIO, ENOSPC, EDQUOT, EINTR } },
	[STAT] = { "stat, fstat, lstat", { EIO, EACCES } },
	[LOCK] = { "fcntl", { EINTR, ENOLCK, EIO } },
	[LINK] = { "link, linkat", { EIO, ENOSPC, EDQUOT } },
	[RENAME] = { "rename", { EIO, ENOSPC, EDQUOT } },
	[UNLINK] = { "unlink", { EIO } },
	[CLOSE] = { "close", { EIO, EINTR } },
	[MODE] = { "fchmod, fchown, xattr", { EPERM, EIO } },
	[CLOCK] = { "clock_gettime", { EINVAL } },
	[PAUSE] = { "nanosleep", { EINTR } },
	[RANDOM] = { "read of /dev/urandom", { EIO, EINTR, SHORT_ONE, SHORT_HALF } },
	[REALPATH] = { "realpath", { EIO, ENOMEM, EACCES } },
};

static bool armed;                     /* whether the library is at work: all other calls are the test's */
static bool old_kernel;                /* no files without a name, no write that is its own sync */
static long calls, fail_at, intrude_at;
static bool for_ever;
static unsigned fault_number;          /* which of the faults that the call can give */
static int fault;                      /* what was given; 0: nothing yet */
static enum call fault_call;
static bool unlink_failed;
static unsigned long long failed_calls, failed_by[CALLS];
static unsigned long long met[CALLS];
static long live;                      /* allocations */

static bool
can_give(enum call c, int f)
{
	size_t i;

	for (i = 0; i < sizeof can[c].fault / sizeof can[c].fault[0]; i++)
		if (can[c].fault[i] == f)
			return true;
	return false;
}

static unsigned
faults_of(enum call c)
{
	unsigned n = 0;

	while (n < sizeof can[c].fault / sizeof can[c].fault[0] && can[c].fault[n] != 0)
		n++;
	return n;
}

static void intrude(void);

/* 0, or what the call is to give. */
static int
call(enum call c)
{
	int f = 0;

	if (!armed)
		return 0;
	met[c]++;
	calls++;
	if (calls == intrude_at)
		intrude();
	if (calls == fail_at) {
		fault_call = c;
		f = fault = can[c].fault[fault_number % faults_of(c)];
	} else if (fault != 0 && for_ever && fault != EINTR && fault != SHORT_ONE && (c == MEMORY) == (fault_call == MEMORY) && can_give(c, fault)) {
		f = fault;             /* a signal at every call, or a byte a call, would be no fault but no end */
	}
	if (f != 0) {
		failed_calls++;
		failed_by[c]++;
		if (c == UNLINK)
			unlink_failed = true;
	}
	return f;
}

/* For calls that give 0 or -1; whether it is to fail. */
static bool
fails(enum call c)
{
	int f = call(c);

	if (f != 0)
		errno = f;
	return f != 0;
}

/* ---- the monitor: a file is synced and locked before it gets its name, and the directory synced after it (SPEC 10.3) ---------- */

static struct {
	bool dirty, locked, directory, armed;
	char name[200];                /* of a file made here */
} state[FD_MAX];
static bool name_unsynced;
static int order_faults;
static bool replaces, readable;       /* a file that is there; by one that others can read while it is made, whatever the old one's mode is */

static void
named(int fd)
{
	if (!armed)
		return;
	if (fd < 0 || state[fd].dirty || !state[fd].locked)
		order_faults++;
	name_unsynced = true;
}

static int
fd_of(const char *name)
{
	int fd;

	if (sscanf(name, "/proc/self/fd/%d", &fd) == 1 && fd >= 0 && fd < FD_MAX)
		return fd;
	for (fd = 0; fd < FD_MAX; fd++)
		if (strcmp(state[fd].name, name) == 0)
			return fd;
	return -1;
}

/* ---- what changes files and names, for the power cuts ------------------------------------------------------------------------- */

static bool recording;
static long events, kill_at;

static void happened(void);

/* Whether a change is recorded; if so happened() follows. */
static bool
records(void)
{
	if (!armed || !recording)
		return false;
	armed = false;
	return true;
}

/* ---- the calls ------------------------------------------------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
char *__real_strdup(const char *s);
char *__real_realpath(const char *path, char *resolved);
int REAL_SIZED(open)(const char *path, int flags, ...);
int __real_close(int fd);
int REAL_SIZED(fcntl)(int fd, int command, ...);
ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t REAL_SIZED(pread)(int fd, void *bytes, size_t len, off_t offset);
ssize_t REAL_SIZED(pwrite)(int fd, const void *bytes, size_t len, off_t offset);
ssize_t REAL_PWRITEV2(int fd, const struct iovec *part, int parts, off_t offset, int flags);
int __real_fsync(int fd);
int __real_syncfs(int fd);
int __real_fdatasync(int fd);
int REAL_SIZED(fstat)(int fd, struct stat *st);
int REAL_SIZED(stat)(const char *path, struct stat *st);
int REAL_SIZED(lstat)(const char *path, struct stat *st);
int __real_link(const char *from, const char *to);
int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_fchmod(int fd, mode_t mode);
int __real_fchown(int fd, uid_t user, gid_t group);
ssize_t __real_getxattr(const char *path, const char *name, void *value, size_t room);
ssize_t __real_fgetxattr(int fd, const char *name, void *value, size_t room);
int __real_fsetxattr(int fd, const char *name, const void *value, size_t len, int flags);
int __real_fremovexattr(int fd, const char *name);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __real_nanosleep(const struct timespec *wait, struct timespec *left);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);
char *__wrap_realpath(const char *path, char *resolved);
int WRAP_SIZED(open)(const char *path, int flags, ...);
int __wrap___open64_2(const char *path, int flags);
int __wrap_close(int fd);
int WRAP_SIZED(fcntl)(int fd, int command, ...);
ssize_t __wrap_read(int fd, void *bytes, size_t len);
ssize_t WRAP_SIZED(pread)(int fd, void *bytes, size_t len, off_t offset);
ssize_t WRAP_SIZED(pwrite)(int fd, const void *bytes, size_t len, off_t offset);
ssize_t WRAP_PWRITEV2(int fd, const struct iovec *part, int parts, off_t offset, int flags);
int __wrap_fsync(int fd);
int __wrap_syncfs(int fd);
int __wrap_fdatasync(int fd);
int WRAP_SIZED(fstat)(int fd, struct stat *st);
int WRAP_SIZED(stat)(const char *path, struct stat *st);
int WRAP_SIZED(lstat)(const char *path, struct stat *st);
int __wrap_link(const char *from, const char *to);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchown(int fd, uid_t user, gid_t group);
ssize_t __wrap_getxattr(const char *path, const char *name, void *value, size_t room);
ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t room);
int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t len, int flags);
int __wrap_fremovexattr(int fd, const char *name);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_nanosleep(const struct timespec *wait, struct timespec *left);

static void *
counted(void *p)
{
	live += p != NULL;
	return p;
}

void *
__wrap_malloc(size_t n)
{
	return fails(MEMORY) ? NULL : counted(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t each)
{
	return fails(MEMORY) ? NULL : counted(__real_calloc(n, each));
}

void *
__wrap_realloc(void *p, size_t n)
{
	if (fails(MEMORY))
		return NULL;
	return p == NULL ? counted(__real_realloc(NULL, n)) : __real_realloc(p, n);
}

void
__wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

char *
__wrap_strdup(const char *s)
{
	return fails(MEMORY) ? NULL : counted(__real_strdup(s));
}

char *
__wrap_realpath(const char *path, char *resolved)
{
	return fails(REALPATH) ? NULL : counted(__real_realpath(path, resolved));
}

static int
opened(const char *path, int flags, mode_t mode)
{
	int fd;

	if (armed && old_kernel && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (fails(OPEN))
		return -1;
	if (armed && replaces && ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) && (mode & 077) != 0)
		readable = true;
	fd = REAL_SIZED(open)(path, flags, mode);
	if (fd >= FD_MAX)
		abort();
	if (fd >= 0) {
		memset(&state[fd], 0, sizeof state[fd]);
		state[fd].directory = (flags & O_TMPFILE) != O_TMPFILE && (flags & O_DIRECTORY) != 0;
		state[fd].armed = armed;
		if ((flags & O_CREAT) != 0)
			(void)snprintf(state[fd].name, sizeof state[fd].name, "%s", path);
		if ((flags & O_CREAT) != 0 && records()) {
			cut_name(CUT_NAMED, "", path, cut_file_open(fd));
			happened();
		}
	}
	return fd;
}

int
WRAP_SIZED(open)(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(args, flags);
		mode = (mode_t)va_arg(args, unsigned);
		va_end(args);
	}
	return opened(path, flags, mode);
}

/* Where FORTIFY is sure that there is no mode. */
int
__wrap___open64_2(const char *path, int flags)
{
	return opened(path, flags, 0);
}

int
__wrap_close(int fd)
{
	bool failed = fails(CLOSE);
	int result = __real_close(fd);         /* as on Linux: the descriptor is gone in any case */

	if (fd >= 0 && fd < FD_MAX)
		memset(&state[fd], 0, sizeof state[fd]);
	if (failed)
		errno = fault;
	return failed ? -1 : result;
}

int
WRAP_SIZED(fcntl)(int fd, int command, ...)
{
	struct flock *lock;
	va_list args;
	int result;

	va_start(args, command);
	lock = va_arg(args, struct flock *);
	va_end(args);
	if (fails(LOCK))
		return -1;
	result = REAL_SIZED(fcntl)(fd, command, lock);
	if (result == 0 && fd < FD_MAX)
		state[fd].locked = lock->l_type == F_WRLCK;
	return result;
}

/* How many bytes of len, -1: none and errno. */
static ssize_t
part_of(enum call c, size_t len)
{
	int f = call(c);

	if (f == SHORT_ONE)
		return 1;
	if (f == SHORT_HALF)
		return (ssize_t)(len + 1) / 2;
	if (f != 0)
		errno = f;
	return f == 0 ? (ssize_t)len : -1;
}

ssize_t
__wrap_read(int fd, void *bytes, size_t len)
{
	ssize_t n = part_of(RANDOM, len);

	return n < 0 ? -1 : __real_read(fd, bytes, (size_t)n);
}

ssize_t
WRAP_SIZED(pread)(int fd, void *bytes, size_t len, off_t offset)
{
	ssize_t n = part_of(READ, len);

	return n < 0 ? -1 : REAL_SIZED(pread)(fd, bytes, (size_t)n, offset);
}

ssize_t
WRAP_SIZED(pwrite)(int fd, const void *bytes, size_t len, off_t offset)
{
	ssize_t n = part_of(WRITE, len);

	if (fd < FD_MAX)
		state[fd].dirty = true;
	if (n >= 0)
		n = REAL_SIZED(pwrite)(fd, bytes, (size_t)n, offset);
	if (n > 0 && records()) {
		cut_wrote(fd, (uint64_t)offset, bytes, (size_t)n, false);
		happened();
	}
	return n;
}

ssize_t
WRAP_PWRITEV2(int fd, const struct iovec *part, int parts, off_t offset, int flags)
{
	struct iovec some = *part;
	ssize_t n;

	if (old_kernel && armed) {
		errno = ENOSYS;
		return -1;
	}
	n = part_of(WRITE_SYNCED, part->iov_len);
	if (n < 0)
		return -1;
	some.iov_len = (size_t)n;
	n = REAL_PWRITEV2(fd, &some, parts, offset, flags);
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))      /* qemu, or an old kernel: as if it had it */
		n = REAL_SIZED(pwrite)(fd, some.iov_base, some.iov_len, offset);
	if (n > 0 && records()) {
		cut_wrote(fd, (uint64_t)offset, some.iov_base, (size_t)n, (flags & RWF_DSYNC) != 0);
		happened();
	}
	return n;
}

static int
synced(int fd, int (*real)(int fd))
{
	int result;

	if (fails(SYNC))
		return -1;
	result = real(fd);
	if (result == 0 && fd < FD_MAX) {
		state[fd].dirty = false;
		if (state[fd].directory)
			name_unsynced = false;
		if (records()) {
			if (state[fd].directory)
				cut_directory_synced();
			else
				cut_synced(fd);
			happened();
		}
	}
	return result;
}

int
__wrap_fsync(int fd)
{
	return synced(fd, __real_fsync);
}

int
__wrap_fdatasync(int fd)
{
	return synced(fd, __real_fdatasync);
}

/* The way where a directory cannot be opened: what else it syncs is not counted on. */
int
__wrap_syncfs(int fd)
{
	if (fails(SYNC) || __real_syncfs(fd) != 0)
		return -1;
	name_unsynced = false;
	if (records()) {
		cut_directory_synced();
		happened();
	}
	return 0;
}

int
WRAP_SIZED(fstat)(int fd, struct stat *st)
{
	return fails(STAT) ? -1 : REAL_SIZED(fstat)(fd, st);
}

int
WRAP_SIZED(stat)(const char *path, struct stat *st)
{
	return fails(STAT) ? -1 : REAL_SIZED(stat)(path, st);
}

int
WRAP_SIZED(lstat)(const char *path, struct stat *st)
{
	return fails(STAT) ? -1 : REAL_SIZED(lstat)(path, st);
}

/* After a call that changed a name; its result. */
static int
renamed(int result, enum cut_change change, const char *from, const char *to)
{
	if (result == 0 && records()) {
		cut_name(change, from, to, change == CUT_NAMED ? cut_file_at(to) : -1);
		happened();
	}
	return result;
}

int
__wrap_link(const char *from, const char *to)
{
	if (fails(LINK))
		return -1;
	named(fd_of(from));
	return renamed(__real_link(from, to), CUT_NAMED, from, to);
}

int
__wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	int fd = fd_of(from), result;

	if (fails(LINK))
		return -1;
	named(fd);
	result = __real_linkat(from_fd, from, to_fd, to, flags);
	if (result == 0 && fd >= 0)
		(void)snprintf(state[fd].name, sizeof state[fd].name, "%s", to);
	return renamed(result, CUT_NAMED, from, to);
}

int
__wrap_rename(const char *from, const char *to)
{
	if (fails(RENAME))
		return -1;
	named(fd_of(from));
	return renamed(__real_rename(from, to), CUT_RENAMED, from, to);
}

int
__wrap_unlink(const char *path)
{
	return fails(UNLINK) ? -1 : renamed(__real_unlink(path), CUT_UNNAMED, path, "");
}

int
__wrap_fchmod(int fd, mode_t mode)
{
	return fails(MODE) ? -1 : __real_fchmod(fd, mode);
}

int
__wrap_fchown(int fd, uid_t user, gid_t group)
{
	return fails(MODE) ? -1 : __real_fchown(fd, user, group);
}

ssize_t
__wrap_getxattr(const char *path, const char *name, void *value, size_t room)
{
	return fails(MODE) ? -1 : __real_getxattr(path, name, value, room);
}

ssize_t
__wrap_fgetxattr(int fd, const char *name, void *value, size_t room)
{
	return fails(MODE) ? -1 : __real_fgetxattr(fd, name, value, room);
}

int
__wrap_fsetxattr(int fd, const char *name, const void *value, size_t len, int flags)
{
	return fails(MODE) ? -1 : __real_fsetxattr(fd, name, value, len, flags);
}

int
__wrap_fremovexattr(int fd, const char *name)
{
	return fails(MODE) ? -1 : __real_fremovexattr(fd, name);
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	return fails(CLOCK) ? -1 : __real_clock_gettime(clock, now);
}

int
__wrap_nanosleep(const struct timespec *wait, struct timespec *left)
{
	return fails(PAUSE) ? -1 : __real_nanosleep(wait, left);
}

/* ---- files and what is in them ------------------------------------------------------------------------------------------------- */

static char file_path[140], out_path[140];

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct bytes
load(const char *path)
{
	struct bytes b = { .n = 0 };
	FILE *f = fopen(path, "rb");
	struct stat st;

	if (f == NULL || stat(path, &st) != 0 || (b.p = malloc((size_t)st.st_size + 1)) == NULL)
		abort();
	b.n = fread(b.p, 1, (size_t)st.st_size, f);
	(void)fclose(f);
	return b;
}

static void
store(const char *path, const struct bytes *b)
{
	int fd;

	(void)unlink(path);
	if (b->p == NULL)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, b->p, b->n) != (ssize_t)b->n || close(fd) != 0) {
		printf("Bail out! cannot write %s\n", path);
		exit(1);
	}
}

static uint64_t
mix(uint64_t hash, const void *p, size_t n)
{
	const uint8_t *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		hash = (hash ^ b[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static enum otr_status
mix_rows(struct otr *file, bool reverse, uint64_t *hash, struct otr_error *err)
{
	struct otr_cursor *c;
	struct otr_rows rows;
	enum otr_status status = otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, reverse, &c, err);

	if (status != OTR_OK)
		return status;
	while ((status = otr_cursor_next(c, &rows, err)) == OTR_OK) {
		*hash = mix(*hash, rows.time_ns, rows.n * 8);
		*hash = mix(*hash, rows.value[0], rows.n * 8);
	}
	otr_cursor_close(c);
	return status == OTR_END ? OTR_OK : status;
}

/* What a file says: version, rows, metadata; 0: there is none.  1: it cannot be read. */
static uint64_t
digest(const char *path)
{
	uint64_t hash = 12345;
	struct otr *file;
	struct otr_error err;
	struct otr_info info;
	struct otr_meta entry;
	size_t i;

	if (access(path, F_OK) != 0)
		return 0;
	if (otr_open(path, &file, &err) != OTR_OK)
		return 1;
	otr_get_info(file, &info);
	hash = mix(hash, &info.version, sizeof info.version);
	hash = mix(hash, &info.rows, sizeof info.rows);
	for (i = 0; otr_meta_entry(file, i, &entry, &err) == OTR_OK; i++)
		hash = mix(mix(hash, entry.key, strlen(entry.key)), entry.value, entry.value_bytes);
	if (mix_rows(file, false, &hash, &err) != OTR_OK)
		hash = 1;
	otr_close(file);
	return hash;
}

static int
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static int
temporaries(void)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char path[400];
	int n = 0;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, ".otr-", 5) == 0) {
			(void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
			(void)unlink(path);
			n++;
		}
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static void
make_schema(struct otr_schema *schema)
{
	memset(schema, 0, sizeof *schema);
	schema->columns = 1;
	schema->page_bytes = 4096;
	strcpy(schema->column[0].name, "v");
	schema->column[0].type = OTR_F64;
}

/* n rows from second `first` on. */
static enum otr_status
append(const char *path, int64_t first, int64_t step_ns, size_t n, struct otr_error *err)
{
	static int64_t t[5000];
	static double v[5000];
	struct otr_writer *w;
	struct otr_rows rows = { .n = n, .time_ns = t, .value = { (const uint64_t *)(const void *)v } };
	enum otr_status status;
	size_t i;

	for (i = 0; i < n; i++) {
		t[i] = first * SECOND + (int64_t)i * step_ns;
		v[i] = (double)(t[i] / 7 % 1000003) / 8;
	}
	status = otr_writer_open(path, &(struct otr_writer_options){ .wait_ns = SECOND, .author = "tester", .message = "rows" }, &w, err);
	if (status != OTR_OK)
		return status;
	status = otr_writer_add(w, &rows, err);
	if (status == OTR_OK)
		status = otr_writer_commit(w, &(struct otr_commit_result){ 0 }, err);
	otr_writer_close(w);
	return status;
}

/* ---- the scenarios -------------------------------------------------------------------------------------------------------------- */

static uint64_t result;                /* of a scenario that reads */

static enum otr_status
do_create(struct otr_error *err)
{
	struct otr_schema schema;

	make_schema(&schema);
	return otr_create(file_path, &schema, &(struct otr_create_options){ .message = "made", .replace = true, .wait_ns = SECOND,
		.meta = &(struct otr_meta){ .key = "site", .value = "mill", .value_bytes = 4 }, .meta_count = 1 }, err);
}

static enum otr_status
do_create_new(struct otr_error *err)
{
	struct otr_schema schema;

	make_schema(&schema);
	return otr_create(file_path, &schema, &(struct otr_create_options){ .message = "made" }, err);
}

/* All that a reader can ask. */
static enum otr_status
do_read(struct otr_error *err)
{
	struct otr_query *q;
	struct otr_window window;
	struct otr_log *log;
	struct otr_commit commit;
	struct otr_meta entry;
	struct otr_info info;
	struct otr_scan scan;
	struct otr *file;
	uint64_t hash = 1;
	const struct otr_window_spec spec = { .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .width_ns = 300 * (uint64_t)SECOND, .columns = 1,
		.want = OTR_WANT_AREA | OTR_WANT_EXTREMES | OTR_WANT_RISE | OTR_WANT_VARIANCE };
	enum otr_status status = otr_open(file_path, &file, err);

	if (status != OTR_OK)
		return status;
	otr_get_info(file, &info);
	status = mix_rows(file, false, &hash, err);
	if (status == OTR_OK)
		status = mix_rows(file, true, &hash, err);
	if (status == OTR_OK)
		status = otr_query_open(file, &spec, &q, err);
	if (status == OTR_OK) {
		while ((status = otr_query_next(q, &window, err)) == OTR_OK)
			hash = mix(mix(hash, &window.start_ns, 8), &window.column[0].sum_hi, sizeof(double));
		otr_query_close(q);
		status = status == OTR_END ? OTR_OK : status;
	}
	if (status == OTR_OK)
		status = otr_meta_entry(file, 0, &entry, err);
	if (status == OTR_OK)
		hash = mix(hash, entry.value, entry.value_bytes);
	if (status == OTR_OK)
		status = otr_log_open(file, INT64_MIN, INT64_MAX, true, &log, err);
	if (status == OTR_OK) {
		while ((status = otr_log_next(log, &commit, err)) == OTR_OK)
			hash = mix(hash, &commit.rows, sizeof commit.rows);
		otr_log_close(log);
		status = status == OTR_END ? OTR_OK : status;
	}
	if (status == OTR_OK)
		status = otr_select_version(file, info.version / 2, err);
	if (status == OTR_OK)
		status = mix_rows(file, false, &hash, err);
	if (status == OTR_OK)
		status = otr_scan(file, &scan, err);
	otr_close(file);
	if (status == OTR_OK)
		result = mix(hash, &scan.leaf_pages, sizeof scan.leaf_pages);
	return status;
}

static enum otr_status
do_diff(struct otr_error *err)
{
	struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .rows = true, .all_columns = true };
	struct otr_difference difference;
	struct otr_diff *diff;
	struct otr_info info;
	struct otr *file;
	uint64_t hash = 1;
	enum otr_status status = otr_open(file_path, &file, err);

	if (status != OTR_OK)
		return status;
	otr_get_info(file, &info);
	status = otr_diff_open(file, 3, file, info.version, &spec, &diff, err);
	if (status == OTR_OK) {
		while ((status = otr_diff_next(diff, &difference, err)) == OTR_OK)
			hash = mix(hash, difference.rows.time_ns, difference.rows.n * 8);
		otr_diff_close(diff);
		status = status == OTR_END ? OTR_OK : status;
	}
	otr_close(file);
	if (status == OTR_OK)
		result = hash;
	return status;
}

static void
mix_finding(void *arg, const struct otr_finding *f)
{
	/* how many pages are free, or behind the last one, depends on the moment at which that is asked */
	if (!f->note)
		*(uint64_t *)arg = mix(*(uint64_t *)arg, f->text, strlen(f->text));
}

static enum otr_status
do_verify(struct otr_error *err)
{
	uint64_t faults = 0, hash = 1;
	enum otr_status status = otr_verify(file_path, &(struct otr_verify_options){ .found = mix_finding, .arg = &hash }, &faults, err);

	if (status == OTR_OK)
		result = hash + faults;
	return status;
}

static enum otr_status
do_small(struct otr_error *err)
{
	return append(file_path, 2000000, SECOND, 1, err);
}

static enum otr_status
do_large(struct otr_error *err)
{
	return append(file_path, 2000000, SECOND, 3000, err);
}

static enum otr_status
do_piece(struct otr_error *err)
{
	return append(file_path, 2000000, SECOND, 700, err);      /* as much as is one commit there (SPEC 9.4) */
}

static enum otr_status
do_late(struct otr_error *err)
{
	return append(file_path, 1000100, 7 * SECOND + 5, 90, err);
}

enum change { DELETE, ROLL_BACK, META };

static enum otr_status
change(enum change what, struct otr_error *err)
{
	struct otr_change_result r;
	struct otr_writer *w;
	const struct otr_meta_change set[] = { { .key = "site", .value = "quarry", .value_bytes = 6 }, { .key = "unit.v", .value = "m", .value_bytes = 1 } };
	enum otr_status status = otr_writer_open(file_path, &(struct otr_writer_options){ .wait_ns = SECOND, .message = "changed" }, &w, err);

	if (status != OTR_OK)
		return status;
	if (what == DELETE)
		status = otr_writer_delete(w, &(struct otr_delete_spec){ .start_ns = 1000500 * SECOND, .end_ns = 1001500 * SECOND }, &r, err);
	else if (what == ROLL_BACK)
		status = otr_writer_rollback(w, 4, &r, err);
	else
		status = otr_writer_set_meta(w, set, 2, NULL, &r, err);
	otr_writer_close(w);
	return status;
}

static enum otr_status
do_delete(struct otr_error *err)
{
	return change(DELETE, err);
}

static enum otr_status
do_rollback(struct otr_error *err)
{
	return change(ROLL_BACK, err);
}

static enum otr_status
do_meta(struct otr_error *err)
{
	return change(META, err);
}

static enum otr_status
do_compact(struct otr_error *err)
{
	return otr_compact(file_path, NULL, &(struct otr_compact_options){ .message = "packed", .wait_ns = SECOND }, &(struct otr_compact_result){ 0 }, err);
}

static enum otr_status
do_compact_beside(struct otr_error *err)
{
	return otr_compact(file_path, out_path, &(struct otr_compact_options){ .message = "packed" }, &(struct otr_compact_result){ 0 }, err);
}

static enum otr_status
do_compact_dense(struct otr_error *err)
{
	return otr_compact(file_path, NULL, &(struct otr_compact_options){ .wait_ns = SECOND, .drop_history = true, .deflate = true }, &(struct otr_compact_result){ 0 }, err);
}

static enum otr_status
do_fold(struct otr_error *err)
{
	return otr_compact(file_path, NULL, &(struct otr_compact_options){ .wait_ns = SECOND, .window_ns = 60 * (uint64_t)SECOND, .older_than_ns = 1001000 * SECOND },
	    &(struct otr_compact_result){ 0 }, err);
}

static enum otr_status
do_salvage(struct otr_error *err)
{
	struct otr_salvage_result r = { .losses = 0 };
	enum otr_status status = otr_salvage(file_path, out_path, &(struct otr_salvage_options){ .message = "saved" }, &r, err);

	result = r.losses;
	return status;
}

enum base { NONE, EMPTY, RIDING, FULL, ROUND_ROBIN, DAMAGED, BASES };
enum changes { CHANGES_NOTHING, CHANGES_FILE, MAKES_OUT };

static const struct scenario {
	const char *name;
	enum otr_status (*run)(struct otr_error *err);
	enum base base;
	enum changes changes;
	bool old_kernel;
} scenarios[] = {
	{ "create", do_create_new, NONE, CHANGES_FILE, false },
	{ "create, under a temporary name", do_create_new, NONE, CHANGES_FILE, true },
	{ "create over a file", do_create, FULL, CHANGES_FILE, false },
	{ "create over a file, under a temporary name", do_create, FULL, CHANGES_FILE, true },
	{ "open, dump, query, log, scan", do_read, FULL, CHANGES_NOTHING, false },
	{ "compare versions", do_diff, FULL, CHANGES_NOTHING, false },
	{ "verify", do_verify, FULL, CHANGES_NOTHING, false },
	{ "verify a damaged file", do_verify, DAMAGED, CHANGES_NOTHING, false },
	{ "first append", do_small, EMPTY, CHANGES_FILE, false },
	{ "small append", do_small, RIDING, CHANGES_FILE, false },
	{ "small append, write and sync apart", do_small, RIDING, CHANGES_FILE, true },
	{ "large append", do_large, FULL, CHANGES_FILE, false },
	{ "large append, write and sync apart", do_large, RIDING, CHANGES_FILE, true },
	{ "large append where rows expire", do_piece, ROUND_ROBIN, CHANGES_FILE, false },
	{ "late rows", do_late, FULL, CHANGES_FILE, false },
	{ "delete", do_delete, FULL, CHANGES_FILE, false },
	{ "roll back", do_rollback, FULL, CHANGES_FILE, false },
	{ "metadata", do_meta, FULL, CHANGES_FILE, false },
	{ "compact in place", do_compact, FULL, CHANGES_FILE, false },
	{ "compact in place, under a temporary name", do_compact, FULL, CHANGES_FILE, true },
	{ "compact beside", do_compact_beside, FULL, MAKES_OUT, false },
	{ "compact without history", do_compact_dense, FULL, CHANGES_FILE, false },
	{ "compact with windows", do_fold, FULL, CHANGES_FILE, false },
	{ "salvage", do_salvage, FULL, MAKES_OUT, false },
	{ "salvage of a damaged file", do_salvage, DAMAGED, MAKES_OUT, false },
};

static struct bytes base_bytes[BASES];

static void
stop(const char *what, const struct otr_error *err)
{
	printf("Bail out! %s: %s\n", what, err->text);
	exit(1);
}

static void
make_bases(void)
{
	struct otr_schema schema;
	struct otr_error err = { .text = "" };
	enum otr_status status;
	struct otr_policies by_size = { .has_max_size = true, .max_bytes = 16384 + 100 * 4096, .history = OTR_HISTORY_FITS };
	int i;

	make_schema(&schema);
	if (do_create(&err) != OTR_OK)
		stop("create", &err);
	base_bytes[EMPTY] = load(file_path);
	for (i = 0, status = OTR_OK; i < 5 && status == OTR_OK; i++)
		status = append(file_path, 1000000 + i, SECOND, 1, &err);
	base_bytes[RIDING] = load(file_path);
	for (i = 0; i < 4 && status == OTR_OK; i++)
		status = append(file_path, 1000010 + 600 * i, SECOND, i == 2 ? 3 : 500, &err);
	if (status == OTR_OK)
		status = append(file_path, 1000200, SECOND + 7, 60, &err);
	for (i = 0; i < 3 && status == OTR_OK; i++)
		status = append(file_path, 1002500 + i, SECOND, 1, &err);
	if (status != OTR_OK)
		stop("append", &err);
	base_bytes[FULL] = load(file_path);
	base_bytes[DAMAGED] = load(file_path);
	for (i = 16384; (size_t)i + 4096 <= base_bytes[DAMAGED].n; i += 3 * 4096)
		base_bytes[DAMAGED].p[i + 1000] ^= 4;
	(void)unlink(file_path);
	if (otr_create(file_path, &schema, &(struct otr_create_options){ .policies = by_size }, &err) != OTR_OK)
		stop("create", &err);
	for (i = 0; i < 30 && status == OTR_OK; i++)
		status = append(file_path, 1000000 + 5000 * i, 777777777, 4999, &err);
	if (status != OTR_OK)
		stop("append", &err);
	base_bytes[ROUND_ROBIN] = load(file_path);
}

/* ---- one run ---------------------------------------------------------------------------------------------------------------- */

static const struct scenario *now;
static uint64_t before, after, right_result;
static struct otr_error answer;

static void
complain(const char *what)
{
	char how[24];

	(void)snprintf(how, sizeof how, fault == SHORT_ONE ? "one byte" : fault == SHORT_HALF ? "half" : "errno %d", fault);
	if (bad++ < 40)
		printf("# %s, call %ld (%s, %s%s): %s; status %d, %s\n", now->name, fail_at, fault == 0 ? "none" : can[fault_call].name, how, for_ever ? ", from then on" : "", what,
		    (int)answer.status, answer.text);
	if (getenv("FIRST") != NULL) {
		printf("not ok 1 - stopped at the first\n");
		clean();
		exit(1);
	}
}

static enum otr_status
run(const struct scenario *s, long n, unsigned which, bool ever)
{
	enum otr_status status;

	store(file_path, &base_bytes[s->base]);
	(void)unlink(out_path);
	answer = (struct otr_error){ .status = OTR_OK };
	calls = 0;
	fault = 0;
	fail_at = n;
	fault_number = which;
	for_ever = ever;
	unlink_failed = name_unsynced = false;
	order_faults = 0;
	replaces = now->changes == CHANGES_FILE && access(file_path, F_OK) == 0;
	readable = false;
	result = 0;
	old_kernel = s->old_kernel;
	if (recording) {
		cut_forget();
		cut_begin_with(file_path, base_bytes[s->base].p, base_bytes[s->base].n);
		events = 0;
	}
	armed = true;
	status = s->run(&answer);
	armed = false;
	return status;
}

/* An interrupted call of these is made again.  A sync is not (SPEC 10.2-7): nobody knows what it has done. */
static bool
may_be_interrupted(enum call c)
{
	return c != SYNC;
}

static void
check_answer(enum otr_status status)
{
	const char *p;
	bool printable = true;

	if (readable)
		complain("others can read what is to replace a file before it has that file's mode");
	if (status == OTR_OK) {
		if (now->changes == CHANGES_NOTHING && result != right_result)
			complain("another result, and no error");
		if (order_faults > 0 || name_unsynced)
			complain(order_faults > 0 ? "a name for a file that is not synced, or not locked" : "a name whose directory is not synced");
		return;
	}
	if (order_faults > 0)
		complain("a name for a file that is not synced, or not locked");
	for (p = answer.text; *p != '\0'; p++)
		printable = printable && *p >= ' ' && *p <= '~';
	if (answer.status != status || strlen(answer.text) < 8 || !printable)
		complain("an error that does not say what");
	if (fault == EINTR && may_be_interrupted(fault_call))
		complain("an interrupted call is an error");
	if (fault == EOPNOTSUPP || ((fault == SHORT_ONE || fault == SHORT_HALF) && fault_call != WRITE_SYNCED && !for_ever))
		complain("a call that did less than it was asked for is an error");
	/* the directory's name is put together when it is synced: that may need memory, and its answer is another */
	if (fault_call == MEMORY && strstr(answer.text, "its directory") == NULL ? status != OTR_E_NOMEM : status != OTR_E_IO)
		complain("another status");
	if (status == OTR_E_IO && fault > 0 && answer.sys_errno != fault && !(fault_call == RANDOM && answer.sys_errno == EIO))
		complain("another errno");
}

/* What the names lead to, after a failure or not. */
static void
check_files(enum otr_status status)
{
	bool unknown = strstr(answer.text, "unknown") != NULL || strstr(answer.text, "cannot sync its directory") != NULL;
	const char *path = now->changes == MAKES_OUT ? out_path : file_path;
	uint64_t found = digest(path), was = now->changes == MAKES_OUT ? 0 : before;

	if (now->changes == MAKES_OUT && digest(file_path) != before)
		complain("the file that was only to be read has changed");
	/* what cannot be read is lost to a salvage as what is damaged, and told as that: of a stretch of time that is told already less is found */
	if (now->run == do_salvage && status == OTR_OK && fault_call == READ && fault == EIO && result > 0 && result >= right_result && found > 1)
		return;
	if (now->changes == CHANGES_NOTHING ? found != before : status == OTR_OK ? found != after : found != was && !(unknown && found == after))
		complain(status == OTR_OK ? "the file is not as it should be after that" : "the version before is not intact");
	if (unknown && !(fault_call == SYNC || fault_call == WRITE_SYNCED || fault_call == WRITE || for_ever || fault_call == OPEN || fault_call == MEMORY))
		complain("unknown, for no reason");
}

static void
check_next(void)
{
	struct otr_error err = { .text = "" };
	uint64_t faults = 0, hash = 0;

	if (now->base == DAMAGED || access(file_path, F_OK) != 0)
		return;
	if (append(file_path, 3000000, SECOND, 2, &err) != OTR_OK) {
		answer = err;
		complain("the next append fails");
	} else if (otr_verify(file_path, &(struct otr_verify_options){ .found = mix_finding, .arg = &hash }, &faults, &err) != OTR_OK || faults != 0) {
		complain("the next append makes a file that is not sound");
	}
}

/* false: the scenario has no call n. */
static bool
fail_one(long n, unsigned which, bool ever)
{
	long were = live;
	int open_before = descriptors();
	enum otr_status status = run(now, n, which, ever);

	if (fault == 0) {
		if (status != OTR_OK)
			complain("fails without a fault");
		return false;
	}
	if (live != were)
		complain(live > were ? "memory is left" : "memory is freed twice");
	if (descriptors() != open_before)
		complain("a descriptor is left");
	if (temporaries() > 0 && !unlink_failed)
		complain("a temporary file is left");
	check_answer(status);
	check_files(status);
	check_next();
	return true;
}

/* ---- another writer comes between two calls ----------------------------------------------------------------------------------- */

static size_t intruding_rows;

static void
intrude(void)
{
	struct otr_error err;

	armed = false;
	if (append(file_path, 2000000, SECOND, intruding_rows, &err) != OTR_OK)
		stop("the other writer", &err);
	armed = true;
}

/*
 * A commit of another process at each call of something that takes no lock: it must see the version before or the one after, whole, and find no fault (SPEC 10.4-5).
 * In a file of fixed size its pages may be gone, which must be said.
 */
static void
come_between(const struct scenario *s, enum base base, size_t rows, bool may_expire)
{
	static struct scenario other;
	uint64_t result_of[2], out_of[2];
	long n;
	int i;

	other = *s;
	other.base = base;
	now = &other;
	intruding_rows = rows;
	fault = 0;
	for (i = 0; i < 2; i++) {
		intrude_at = i;                    /* never, or before the first call has done anything */
		if (run(now, 0, 0, false) != OTR_OK)
			complain("fails without a fault");
		result_of[i] = result;
		out_of[i] = digest(out_path);
	}
	for (n = 2; n <= calls; n += base == ROUND_ROBIN ? 1 + (long)dice(5) : 1) {
		enum otr_status status;

		intrude_at = n;
		status = run(now, 0, 0, false);
		fail_at = n;
		if (status == OTR_E_EXPIRED && may_expire) {
			if (now->changes == MAKES_OUT && access(out_path, F_OK) == 0)
				complain("beside a writer: expired, but a file was made");
			continue;
		}
		if (status != OTR_OK)
			complain("beside a writer: fails");
		else if ((result != result_of[0] && result != result_of[1]) || (digest(out_path) != out_of[0] && digest(out_path) != out_of[1]))
			complain("beside a writer: neither the version before nor the one after");
	}
	intrude_at = 0;
}

/* ---- power cuts, and another process after a kill -------------------------------------------------------------------------------- */

static const char *target;             /* what the scenario changes or makes */
static char cut_file_path[160], cut_out_path[160];
static uint64_t allowed[4];            /* what the target may say after the cut */
static size_t allowed_n;
static bool trying;
static jmp_buf killed;
static uint64_t tried[1u << 16];
static struct {
	unsigned long long states, kills;
} *tally;                              /* shared with the processes that are killed */

static bool
is_new(uint64_t hash)
{
	const size_t room = sizeof tried / sizeof tried[0];
	size_t i, n = 0;

	for (i = hash % room; tried[i] != 0; i = (i + 1) % room)
		if (tried[i] == hash || ++n == room / 2)
			return false;
	tried[i] = hash;
	return true;
}

/* But for a stamp that a cut has left, in one bit different from the right one (SPEC 4.2-2). */
static void
count_fault(void *arg, const struct otr_finding *f)
{
	*(unsigned *)arg += !f->note && !(f->place == OTR_PLACE_SLOT && strcmp(f->spec, "4.2-2") == 0);
}

/* The two files as a cut has left them. */
static void
try_state(void)
{
	const char *path = target == file_path ? cut_file_path : cut_out_path;
	struct otr_error err = { .text = "" };
	uint64_t found = digest(path), ignored = 0;
	unsigned faults = 0;
	size_t i;

	tally->states++;
	for (i = 0; i < allowed_n && allowed[i] != found; i++)
		;
	if (i == allowed_n)
		complain(found == 0 ? "a cut: no file" : found == 1 ? "a cut: a file that cannot be read" : "a cut: another state than the one before or after");
	if (target == out_path && digest(cut_file_path) != before)
		complain("a cut: the file that was only to be read has changed");
	if (found <= 1)
		return;
	if (append(path, 4000000, SECOND, 2, &err) != OTR_OK)
		complain("a cut: then an append fails");
	else if (otr_verify(path, &(struct otr_verify_options){ .found = count_fault, .arg = &faults }, &ignored, &err) != OTR_OK || faults != 0)
		complain("a cut: then an append makes a file that is not sound");
}

/* All states that a cut may leave now, or many of them where writes are pending. */
static void
try_states(void)
{
	unsigned members, plan, plans;

	fail_at = events;
	for (members = 0; members < 1u << cut_ops; members++) {
		const struct cut_names names = cut_names_left(members);
		const int file = cut_look_up(&names, file_path), out = cut_look_up(&names, out_path);
		const size_t waiting = (file < 0 ? 0 : cut_file[file].waiting) + (out < 0 ? 0 : cut_file[out].waiting);

		plans = waiting == 0 ? 1 : waiting < 3 ? 16 : 32;
		for (plan = 0; plan < plans; plan++) {
			struct bytes file_left = { .n = 0 }, out_left = { .n = 0 };
			uint64_t hash = mix(mix(1, allowed, allowed_n * sizeof allowed[0]), now->name, strlen(now->name));

			if (file >= 0)
				file_left.p = cut_bytes_left(file, plan, &seed, &file_left.n);
			if (out >= 0)
				out_left.p = cut_bytes_left(out, plan, &seed, &out_left.n);
			hash = mix(mix(hash, file_left.p, file_left.n), &file_left.n, sizeof file_left.n);
			hash = mix(mix(hash, out_left.p, out_left.n), &out_left.n, sizeof out_left.n);
			if (is_new(hash | 1)) {
				store(cut_file_path, &file_left);
				store(cut_out_path, &out_left);
				try_state();
			}
			free(file_left.p);
			free(out_left.p);
		}
	}
}

static void
happened(void)
{
	events++;
	if (trying)
		try_states();
	if (events == kill_at)
		longjmp(killed, 1);
	armed = true;
}

/* The process was killed after one of its calls; the page cache has all that it wrote.  Another does the same if there is no file yet, and appends to it. */
static void
go_on_after_kill(void)
{
	struct otr_error err = { .text = "" };
	struct bytes found;
	uint64_t at_last;
	int fd;

	armed = false;
	for (fd = 0; fd < FD_MAX; fd++)
		if (state[fd].armed)
			(void)close(fd);
	kill_at = 0;
	if (access(target, F_OK) != 0) {
		trying = true;
		armed = true;
		if (now->run(&err) != OTR_OK)
			complain("after a kill it cannot be done again");
		armed = false;
		trying = false;
	}
	if (digest(target) <= 1) {
		complain("after a kill there is no whole file");
		return;
	}
	found = load(target);
	store(cut_out_path, &found);
	free(found.p);
	if (append(cut_out_path, 3000000, SECOND, 2, &err) != OTR_OK)
		stop("append to a copy", &err);
	at_last = digest(cut_out_path);
	allowed[allowed_n++] = at_last;
	trying = true;
	armed = true;
	if (append(target, 3000000, SECOND, 2, &err) != OTR_OK)
		complain("after a kill an append fails");
	armed = false;
	allowed[0] = at_last;
	allowed_n = 1;
	try_states();
}

static void
cut_the_power(const struct scenario *s)
{
	const bool makes_out = s->changes == MAKES_OUT;
	long last, n;

	now = s;
	target = makes_out ? out_path : file_path;
	store(file_path, &base_bytes[s->base]);
	before = digest(file_path);
	(void)run(s, 0, 0, false);
	after = digest(target);
	memset(tried, 0, sizeof tried);

	recording = trying = true;
	allowed[0] = makes_out ? 0 : before;
	allowed[1] = after;
	allowed_n = 2;
	if (run(s, 0, 0, false) != OTR_OK)
		complain("fails without a fault");
	last = events;
	allowed[0] = after;
	allowed_n = 1;
	try_states();
	trying = false;

	(void)fflush(stdout);
	for (n = 1; n <= last && s->base != DAMAGED; n++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			const int were = bad;

			allowed[0] = makes_out ? 0 : before;
			allowed[1] = after;
			allowed_n = 2;
			kill_at = n;
			tally->kills++;
			if (setjmp(killed) == 0)
				(void)run(s, 0, 0, false);
			else
				go_on_after_kill();
			(void)temporaries();
			(void)fflush(stdout);
			_exit(bad > were);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			complain("a kill: see above");
	}
	recording = false;
	cut_forget();
}

int
main(void)
{
	const char *env = getenv("SEED"), *tmp = tap_folder();
	unsigned long long shown = env == NULL ? 20261121 : strtoull(env, NULL, 10);
	unsigned step = STEP, which, met_calls = 0, c;
	bool full = getenv("FULL") != NULL;
	size_t i;
	char sentence[200];

	seed = shown * 2 + 1;
	printf("# SEED=%llu\n", shown);
	env = getenv("STEP");
	if (env != NULL && strtoul(env, NULL, 10) > 0)
		step = (unsigned)strtoul(env, NULL, 10);
	(void)snprintf(dir, sizeof dir, "%.80s/otr-calls-XXXXXX", tmp);
	if (mkdtemp(dir) == NULL) {
		printf("Bail out! no directory in %s\n", tmp);
		return 1;
	}
	(void)snprintf(file_path, sizeof file_path, "%s/a.otr", dir);
	(void)snprintf(out_path, sizeof out_path, "%s/out.otr", dir);
	make_bases();
	for (i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		int bad_before = bad;
		unsigned long long failed_before = failed_calls;
		long n, last;

		now = &scenarios[i];
		store(file_path, &base_bytes[now->base]);
		before = digest(file_path);
		if (run(now, 0, 0, false) != OTR_OK)
			complain("fails without a fault");
		after = digest(now->changes == MAKES_OUT ? out_path : file_path);
		right_result = result;
		last = calls;
		if (now->changes != CHANGES_NOTHING && after == before)
			complain("changes nothing");
		for (n = full ? 1 : 1 + (long)dice(step); n <= last + 1; n += full ? 1 : 1 + (long)dice(2 * step - 1)) {
			bool more = true;

			if (full)
				for (which = 0; which < 8 && more; which++) {
					more = fail_one(n, which, false) && fail_one(n, which, true);
					more = more && which + 1 < faults_of(fault_call);
				}
			else
				(void)(fail_one(n, dice(1000), false) && fail_one(n, dice(1000), true));
		}
		(void)snprintf(sentence, sizeof sentence, "M3: %s: any call may fail (%ld calls, %llu of them failed)", now->name, last, failed_calls - failed_before);
		CHECK(bad == bad_before, sentence);
	}
	c = (unsigned)bad;
	for (i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
		if (scenarios[i].run == do_read || scenarios[i].run == do_diff || scenarios[i].run == do_verify || scenarios[i].run == do_compact_beside || scenarios[i].run == do_salvage)
			if (scenarios[i].base == FULL) {
				come_between(&scenarios[i], FULL, 3000, false);
				come_between(&scenarios[i], RIDING, 300, false);
				if (scenarios[i].changes == MAKES_OUT || scenarios[i].run == do_verify)
					come_between(&scenarios[i], ROUND_ROBIN, 700, true);
			}
	CHECK((unsigned)bad == c, "M9: a reader, otr_verify, a copy and a salvage, between any two calls of which another process commits, see a whole version");
	(void)snprintf(cut_file_path, sizeof cut_file_path, "%s/cut-a.otr", dir);
	(void)snprintf(cut_out_path, sizeof cut_out_path, "%s/cut-out.otr", dir);
	tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		stop("mmap", &answer);
	for (i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		const unsigned long long states = tally->states, kills = tally->kills;
		const int bad_before = bad;

		/* test_crash knows what a cut leaves of commits; here are names, and of commits one of each way to write */
		if (scenarios[i].changes == CHANGES_NOTHING || scenarios[i].run == do_late || scenarios[i].run == do_piece || scenarios[i].run == do_delete ||
		    scenarios[i].run == do_rollback || scenarios[i].run == do_meta)
			continue;
		cut_the_power(&scenarios[i]);
		(void)snprintf(sentence, sizeof sentence, "M1, M2: %s: a power cut leaves the file before or the one after, also in an append after a kill (%llu states, %llu kills)", now->name,
		    tally->states - states, tally->kills - kills);
		CHECK(bad == bad_before, sentence);
	}
	CHECK(tally->states > 500 && tally->kills > 100, "the power has been cut");
	for (c = 0; c < CALLS; c++) {
		met_calls += met[c] > 0;
		if (met[c] == 0 && c != PAUSE)
			printf("# %s: never called\n", can[c].name);
	}
	CHECK(met_calls >= CALLS - 1, "every kind of call was met but a pause: the linker has wrapped what the library uses");
	CHECK(failed_calls >= (full ? 50000u : 5000u / step), "calls have failed");
	printf("# %llu calls failed:", failed_calls);
	for (c = 0; c < CALLS; c++)
		printf(" %s %llu%s", can[c].name, failed_by[c], c + 1 < CALLS ? ";" : "\n");
	clean();
	for (i = 0; i < BASES; i++)
		free(base_bytes[i].p);
	return tap_done();
}
