/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_io.c - the file backend: creation, locks, names, short files (SPEC 10.2, 10.3).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1      /* O_TMPFILE */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "io.h"
#include "onefile.h"

/* Names in the test's directory. */
static int
names(void)
{
	DIR *d = opendir(one_dir);
	int n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		(void)closedir(d);
	return n - 2;
}

/* Whether the test's directory takes files without a name. */
static bool
has_unnamed_files(void)
{
#ifdef O_TMPFILE
	int fd = open(one_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 && access("/proc/self/fd", X_OK) == 0;
#else
	return false;
#endif
}

static void
test_creation(void)
{
	const char *path = one_path("made");
	struct otr_io io;
	struct otr_error err;
	struct stat st;
	mode_t mask = umask(027);

	CHECK(otr__io_create(path, &io, &err) == OTR_OK && names() == (has_unnamed_files() ? 0 : 1),
	    "10.3: a new file has no name, or where there are no such files a temporary one in the same directory");
	io.close(io.self);
	CHECK(names() == 0, "10.3: which is gone if it is not published");
	CHECK(otr__io_create(path, &io, &err) == OTR_OK && io.write(io.self, 0, "abc", 3) == 0 && otr__io_publish(&io, false, &err) == OTR_OK,
	    "10.3: published, it has its name");
	io.close(io.self);
	CHECK(names() == 1 && stat(path, &st) == 0 && st.st_size == 3 && (st.st_mode & 0777) == 0640, "10.3: and no other, and mode 0666 less the umask");
	CHECK(otr__io_create(path, &io, &err) == OTR_OK && otr__io_publish(&io, false, &err) == OTR_E_EXISTS, "10.3: an existing name is refused");
	io.close(io.self);
	CHECK(chmod(path, 0600) == 0 && otr__io_create(path, &io, &err) == OTR_OK && io.write(io.self, 0, "defg", 4) == 0 &&
	    otr__io_publish(&io, true, &err) == OTR_OK, "10.3: or replaced in one rename");
	io.close(io.self);
	CHECK(names() == 1 && stat(path, &st) == 0 && st.st_size == 4 && (st.st_mode & 0777) == 0600, "10.3: and keeps its mode");
	(void)umask(mask);
	CHECK(otr__io_create("/nonexistent/dir/file", &io, &err) == OTR_E_IO && err.sys_errno == ENOENT, "10.3: in a directory that is not there nothing is made");
	CHECK(symlink(path, one_path("link")) == 0 && otr__io_create(one_path("link"), &io, &err) == OTR_OK &&
	    otr__io_publish(&io, true, &err) == OTR_E_EXISTS, "10.3: a symbolic link is not replaced");
	io.close(io.self);
	(void)unlink(one_path("link"));
}

static void
test_locks(void)
{
	const char *path = one_path("made");
	struct otr_io a, b, c;
	struct otr_error err;
	char moved[160];
	bool current;

	if (otr__io_open(path, true, &a, &err) != OTR_OK || otr__io_open(path, true, &b, &err) != OTR_OK)
		return;
	CHECK(a.lock(a.self) == 0 && b.lock(b.self) == EAGAIN, "10.2-1: one writer at a time, in one process too");
	CHECK(otr__io_open(path, true, &c, &err) == OTR_OK, "the file may be opened a third time");
	c.close(c.self);
	CHECK(b.lock(b.self) == EAGAIN, "10.2-1: closing another descriptor does not drop the lock");
	a.unlock(a.self);
	CHECK(b.lock(b.self) == 0, "10.2-1: given back, it can be had");
	CHECK(a.is_current(a.self, &current) == 0 && current, "10.2-1: the name leads to the inode that was opened");
	(void)snprintf(moved, sizeof moved, "%s.moved", path);
	CHECK(rename(path, moved) == 0 && a.is_current(a.self, &current) == 0 && !current, "10.2-1: moved away, no longer");
	a.close(a.self);
	b.close(b.self);
}

static void
test_reading(void)
{
	const char *path = one_path("short");
	struct otr_io io;
	struct otr_error err;
	char bytes[10];
	bool synced = false;
	uint64_t size = 0;
	int fd = open(path, O_CREAT | O_WRONLY, 0600), failure;

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5 && close(fd) == 0 && otr__io_open(path, true, &io, &err) == OTR_OK, "a file of five bytes");
	CHECK(otr__io_read(&io, 1, bytes, 4, &err) == OTR_OK && memcmp(bytes, "ello", 4) == 0, "is read");
	CHECK(otr__io_read(&io, 1, bytes, 5, &err) == OTR_E_TRUNCATED && err.offset == 1, "3.2-2: beyond its end it is truncated");
	failure = io.write_synced(io.self, 8, "xyz", 3, &synced);
	CHECK(io.size(io.self, &size) == 0 && (failure == EOPNOTSUPP ? !synced && size == 5 : failure == 0 && synced && size == 11),
	    "10.2-5: a write that is its own sync, or word that there is none");
	io.close(io.self);
	CHECK(mkfifo(one_path("fifo"), 0600) == 0 && otr__io_open(one_path("fifo"), false, &io, &err) == OTR_E_IO, "a FIFO is refused, and does not hang");
	CHECK(otr__io_open("/dev/null", false, &io, &err) == OTR_E_IO, "so is a device");
}

/* Two writers on one file, one commit after another, and the file replaced under one of them. */
static void
test_replaced(void)
{
	const char *path = one_path("series.otr");
	struct otr_commit_result r;
	struct otr_error err;
	struct otr_writer *w;
	int64_t t = 1000;
	double v = 1;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || (w = one_writer(path)) == NULL)
		return;
	CHECK(one_append(path, &t, &v, 1, &r) == OTR_OK && r.version == 1, "another writer makes version 1");
	t = 2000;
	CHECK(one_add(w, &t, &v, 1, &err) == OTR_OK && otr_writer_commit(w, &r, &err) == OTR_OK && r.version == 2, "10.2-2: this one sees it, and makes version 2");
	CHECK(one_create(path, 4096, OTR_REPLACE) == OTR_OK, "the name is given to a new file");
	t = 3000;
	CHECK(one_add(w, &t, &v, 1, &err) == OTR_OK && otr_writer_commit(w, &r, &err) == OTR_OK && r.version == 1, "10.2-1: to which the writer goes on");
	otr_writer_close(w);
	CHECK(one_faults(path) == 0, "and which is sound");
}

/* A limit of the file's size in the middle of a write: what was written is less than was asked for, and that is no success. */
static void
test_short_write(void)
{
	static uint8_t bytes[8192];
	struct rlimit old, limit;
	struct otr_error err;
	struct otr_io io;
	const char *path = one_path("short");
	FILE *f = fopen(path, "w");
	int failure = -1;

	if (f != NULL)
		fclose(f);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_FSIZE, &old) == 0 && otr__io_open(path, true, &io, &err) == OTR_OK) {
		limit = old;
		limit.rlim_cur = 5000;
		if (setrlimit(RLIMIT_FSIZE, &limit) == 0)
			failure = io.write(io.self, 0, bytes, sizeof bytes);
		(void)setrlimit(RLIMIT_FSIZE, &old);
		io.close(io.self);
	}
	CHECK(failure == EFBIG, "a short write is gone on with, and its error told");
}

/* A process that has the test's directory as its root commits to /root.otr: the first commit after the creation syncs the directory. */
static void
test_root_directory(void)
{
	const char *sentence = "10.2-6: a file in the root directory is written like any other";
	const char *path = one_path("root.otr");
	struct otr_commit_result r;
	int64_t t = 1000;
	double v = 1;
	int status = one_create(path, 4096, OTR_REPLACE) == OTR_OK ? 0 : -1;
	pid_t child;

	(void)fflush(stdout);
	child = status == 0 ? fork() : -1;
	if (child == 0) {
		if (chroot(one_dir) != 0 || chdir("/") != 0)
			_exit(2);
		status = one_append("/root.otr", &t, &v, 1, &r) != OTR_OK || !r.committed || one_faults("/root.otr") != 0;
		(void)fflush(stdout);
		_exit(status);
	}
	if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 2)
		printf("ok %d - %s # SKIP only root may change the root directory\n", ++tap_count, sentence);
	else
		CHECK(child > 0 && status == 0, sentence);
}

int
main(void)
{
	(void)one_path("x");
	test_creation();
	test_locks();
	test_reading();
	test_replaced();
	test_root_directory();
	test_short_write();
	one_clean();
	return tap_done();
}
