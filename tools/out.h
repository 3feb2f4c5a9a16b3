/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out.h - buffered output to stdout, or to a file that appears whole or not at all (-o FILE).
 *
 * Writers ask for room, format in place and advance: no call, no copy per value.  A failed write is remembered and told once; what
 * comes after it is dropped, so that a loop need look at `failed` only now and then.  A closed pipe ends the program by SIGPIPE, without
 * a word, also where SIGPIPE is ignored.
 */
#ifndef OTR_TOOLS_OUT_H
#define OTR_TOOLS_OUT_H

#include <stdbool.h>
#include <stddef.h>

#define OUT_BYTES (256 * 1024)

struct out {
	char *bytes;
	size_t used, room;
	int fd;
	bool failed;
	const char *path;        /* -o FILE, or NULL: stdout.  Borrowed until out_close */
	char *temporary;         /* its name until it is whole */
	bool replace;
};

/* Opens stdout (path NULL) or path.  replace: an existing regular file may be replaced.  Returns an exit status; the message is told. */
int out_open(struct out *o, const char *path, bool replace);
/* Writes what is left, makes a file durable and gives it its name; closes stdout.  Returns an exit status.  Without keep the file goes. */
int out_close(struct out *o, bool keep);
/* Writes the buffer out. */
void out_flush(struct out *o);

/* Room for n bytes (n at most OUT_BYTES). */
static inline char *
out_room(struct out *o, size_t n)
{
	if (o->room - o->used < n)
		out_flush(o);
	return o->bytes + o->used;
}

/* What was formatted into the room ends at `end`. */
static inline void
out_advance(struct out *o, const char *end)
{
	o->used = (size_t)(end - o->bytes);
}

void out_bytes(struct out *o, const void *bytes, size_t len);
void out_text(struct out *o, const char *text);
void out_format(struct out *o, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* Prints text on stdout and closes it: help and version.  Returns an exit status. */
int out_whole(const char *text);

#endif
