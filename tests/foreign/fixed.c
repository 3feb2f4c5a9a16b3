/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixed.c - linked with -Wl,--wrap=otr__io_open,--wrap=otr__io_create, makes a program's files the same bytes each time: their random bytes (the
 * file's identity) come from a counter, a slot is written by write and sync, and where FIXED_NS is set it is the clock, which gains a millisecond each time it is asked.
 */
#include <stdlib.h>

#include "bytes.h"
#include "io.h"

enum otr_status __real_otr__io_open(const char *path, bool writable, struct otr_io *io, struct otr_error *err);
enum otr_status __real_otr__io_create(const char *path, struct otr_io *io, struct otr_error *err);
enum otr_status __wrap_otr__io_open(const char *path, bool writable, struct otr_io *io, struct otr_error *err);
enum otr_status __wrap_otr__io_create(const char *path, struct otr_io *io, struct otr_error *err);

static int64_t clock_ns;
static uint64_t noise;

static int64_t
fixed_now(void *self)
{
	(void)self;
	return clock_ns += 1000000;
}

static int
fixed_random(void *self, void *bytes, size_t len)
{
	uint8_t *p = bytes;
	size_t i;

	(void)self;
	for (i = 0; i < len; i++) {
		noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		p[i] = (uint8_t)(noise >> 56);
	}
	return 0;
}

/* As the kernel does it; qemu has no such call, musl no name for its flag, and the slot says which way it was written. */
static int (*plain_write)(void *self, uint64_t offset, const void *bytes, size_t len);
static int (*plain_sync)(void *self);

static int
fixed_write_synced(void *self, uint64_t offset, const void *bytes, size_t len, bool *synced)
{
	int failure = plain_write(self, offset, bytes, len);

	if (failure == 0)
		failure = plain_sync(self);
	*synced = failure == 0;
	return failure;
}

static bool
fixed_can(void *self)
{
	(void)self;
	return true;
}

static void
fix(struct otr_io *io)
{
	const char *ns = getenv("FIXED_NS");

	plain_write = io->write;
	plain_sync = io->sync;
	io->can_write_synced = fixed_can;
	io->write_synced = fixed_write_synced;
	io->random = fixed_random;
	if (ns == NULL)
		return;
	if (clock_ns == 0) {
		clock_ns = (int64_t)strtoll(ns, NULL, 10);
		noise = (uint64_t)clock_ns;
	}
	io->now_ns = fixed_now;
}

enum otr_status
__wrap_otr__io_open(const char *path, bool writable, struct otr_io *io, struct otr_error *err)
{
	enum otr_status status = __real_otr__io_open(path, writable, io, err);

	if (status == OTR_OK)
		fix(io);
	return status;
}

enum otr_status
__wrap_otr__io_create(const char *path, struct otr_io *io, struct otr_error *err)
{
	enum otr_status status = __real_otr__io_create(path, io, err);

	if (status == OTR_OK)
		fix(io);
	return status;
}
