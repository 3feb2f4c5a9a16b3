/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.h - a file of up to ROOM bytes in memory, behind a struct otr_io whose calls all succeed; its clock goes on by a microsecond a look.  ROOM is defined before.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <errno.h>
#include <string.h>

#include "io.h"

struct image {
	size_t len;
	uint8_t byte[ROOM];
};
static int64_t clock_ns = 1000000000;

static int
m_read(void *self, uint64_t at, void *to, size_t len, size_t *got)
{
	struct image *m = self;

	*got = at >= m->len ? 0 : m->len - at < len ? m->len - (size_t)at : len;
	memcpy(to, m->byte + (*got > 0 ? at : 0), *got);
	return 0;
}

static int
m_write(void *self, uint64_t at, const void *from, size_t len)
{
	struct image *m = self;

	if (at > ROOM - len)
		return ENOSPC;
	if (at > m->len)
		memset(m->byte + m->len, 0, (size_t)at - m->len);
	memcpy(m->byte + at, from, len);
	m->len = at + len > m->len ? (size_t)at + len : m->len;
	return 0;
}

static int m_write_synced(void *self, uint64_t at, const void *from, size_t len, bool *synced) { *synced = true; return m_write(self, at, from, len); }
static bool m_can(void *self) { (void)self; return true; }
static int m_ok(void *self) { (void)self; return 0; }
static void m_nothing(void *self) { (void)self; }
static int m_size(void *self, uint64_t *bytes) { *bytes = ((struct image *)self)->len; return 0; }
static int m_current(void *self, bool *current) { (void)self; *current = true; return 0; }
static int64_t m_now(void *self) { (void)self; return clock_ns += 1000; }
static int m_pause(void *self, int64_t ns) { (void)self; (void)ns; return 0; }

static struct otr_io
io_of(struct image *m)
{
	return (struct otr_io){ .self = m, .read = m_read, .write = m_write, .write_synced = m_write_synced, .can_write_synced = m_can, .sync = m_ok,
		.sync_directory = m_ok, .size = m_size, .lock = m_ok, .unlock = m_nothing, .is_current = m_current, .now_ns = m_now, .pause = m_pause, .close = m_nothing };
}

#endif
