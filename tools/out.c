/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out.c - buffered output; a file is made under a temporary name beside its own and linked or renamed into place.
 */
#include "out.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif
#include <time.h>
#include <unistd.h>

/* For the signal handler and for exit alone: the name to remove. */
static char *volatile doomed;

static void
remove_doomed(void)
{
	if (doomed != NULL)
		(void)unlink(doomed);        /* nothing can be said here */
}

static void
on_signal(int number)
{
	remove_doomed();
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static const char *
object_of(const struct out *o)
{
	return o->path != NULL ? o->path : "<stdout>";
}

static void
fail(struct out *o, const char *what, int error)
{
	if (error == EPIPE && o->path == NULL)
		cli_die_of(SIGPIPE);
	if (!o->failed)
		cli_error(object_of(o), 0, "%s: %s", what, strerror(error));
	o->failed = true;
}

/* "dir/.name.otr-PID-N", made anew. */
static int
open_temporary(struct out *o)
{
	const char *slash = strrchr(o->path, '/');
	size_t dir = slash != NULL ? (size_t)(slash - o->path) + 1 : 0;
	size_t room = strlen(o->path) + 48;
	char *name = cli_alloc(room, 1);
	int fd = -1;

	for (unsigned i = 0; i < 100 && fd < 0; i++) {
		(void)snprintf(name, room, "%.*s.%.200s.%ld-%u", (int)dir, o->path, o->path + dir, (long)getpid(), i);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0) {
		free(name);
		return -1;
	}
	o->temporary = name;
	doomed = name;
	(void)atexit(remove_doomed);         /* without it only an exit for lack of memory leaves the file */
	cli_catch_signals(on_signal);
	return fd;
}

int
out_open(struct out *o, const char *path, bool replace)
{
	struct stat st;

	*o = (struct out){ .fd = STDOUT_FILENO, .path = path, .replace = replace, .room = OUT_BYTES };
	if (path != NULL) {
		bool exists = lstat(path, &st) == 0;

		if (exists && !S_ISREG(st.st_mode)) {
			cli_error(path, 0, "exists and is not a regular file");
			return CLI_SYSTEM;
		}
		if (exists && !replace) {
			cli_error(path, 0, "exists (--force replaces it)");
			return CLI_SYSTEM;
		}
		o->fd = open_temporary(o);
		if (o->fd < 0) {
			cli_error(path, 0, "cannot create: %s", strerror(errno));
			return CLI_SYSTEM;
		}
	}
	o->bytes = cli_alloc(o->room, 1);
	return CLI_OK;
}

void
out_flush(struct out *o)
{
	size_t at = 0;

	while (!o->failed && at < o->used) {
		ssize_t n = write(o->fd, o->bytes + at, o->used - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {      /* somebody else's O_NONBLOCK on a shared terminal or pipe */
			struct timespec nap = { 0, 2000000 };

			(void)nanosleep(&nap, NULL);
			continue;
		}
		if (n <= 0)
			fail(o, "write failed", n < 0 ? errno : EIO);
		else
			at += (size_t)n;
	}
	o->used = 0;
}

/*
 * Takes off the access list that the directory may have given to the new file: lists are not kept.  Whether one makes more of the group's bits than the group's rights all the
 * same: that of the file that is replaced, where they are the list's mask; or that of the new one, if it cannot go.
 */
static bool
drop_list(const struct out *o)
{
#ifdef __linux__
	static const char list[] = "system.posix_acl_access";

	if (fremovexattr(o->fd, list) != 0 && fgetxattr(o->fd, list, NULL, 0) > 0)     /* not taken: a file system that gives a list takes it back */
		return true;
	return getxattr(o->path, list, NULL, 0) > 0;
#else
	(void)o;
	return false;
#endif
}

/* The mode a new file would have had, or mode and owner of the file that is replaced, where permitted. */
static void
set_mode(const struct out *o)
{
	struct stat st;
	mode_t mask = umask(0);

	(void)umask(mask);
	if (lstat(o->path, &st) == 0 && S_ISREG(st.st_mode)) {
		if (fchown(o->fd, st.st_uid, st.st_gid) != 0)
			st.st_mode &= 0777;          /* no set-id bits for another owner */
		if (drop_list(o))
			st.st_mode &= ~(mode_t)S_IRWXG;
		(void)fchmod(o->fd, st.st_mode & 07777);
	} else {
		(void)fchmod(o->fd, 0666 & ~mask);
	}
}

static void
place(struct out *o)
{
	set_mode(o);
	if (!o->failed && fsync(o->fd) != 0)
		fail(o, "sync failed", errno);
	if (!o->failed && !o->replace && link(o->temporary, o->path) != 0)
		fail(o, "cannot create", errno);
	if (!o->failed && o->replace && rename(o->temporary, o->path) != 0)
		fail(o, "cannot replace", errno);
}

int
out_close(struct out *o, bool keep)
{
	if (o->bytes == NULL)
		return CLI_OK;
	if (keep)
		out_flush(o);
	if (keep && o->temporary != NULL)
		place(o);
	if (close(o->fd) != 0 && !o->failed && keep)
		fail(o, "close failed", errno);
	if (o->temporary != NULL) {
		(void)unlink(o->temporary);          /* gone already after a rename */
		doomed = NULL;
		free(o->temporary);
		o->temporary = NULL;
	}
	free(o->bytes);
	o->bytes = NULL;
	return o->failed ? CLI_SYSTEM : CLI_OK;
}

void
out_bytes(struct out *o, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		size_t n = len < o->room / 2 ? len : o->room / 2;

		memcpy(out_room(o, n), p, n);
		o->used += n;
		p += n;
		len -= n;
	}
}

void
out_text(struct out *o, const char *text)
{
	out_bytes(o, text, strlen(text));
}

void
out_format(struct out *o, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n > 0)
		out_bytes(o, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

int
out_whole(const char *text)
{
	struct out o;
	int status = out_open(&o, NULL, false);

	if (status != CLI_OK)
		return status;
	out_text(&o, text);
	return out_close(&o, true);
}
