/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_commit.c - what a commit writes and syncs, call by call.
 */
#include "onefile.h"

#include "bytes.h"
#include "slot.h"
#include "writer.h"

#define CALLS_MAX 64

struct call {
	bool is_sync;                  /* also a write that is its own sync */
	uint64_t offset;               /* of a write */
	uint8_t bytes[OTR__SLOT_BYTES];
};

static struct otr_io real;
static struct call call[CALLS_MAX];
static size_t calls;

static struct call *
next_call(bool is_sync)
{
	if (calls == CALLS_MAX)
		exit(1);
	memset(&call[calls], 0, sizeof call[calls]);
	call[calls].is_sync = is_sync;
	return &call[calls++];
}

static void
note_write(bool is_sync, uint64_t offset, const void *bytes, size_t len)
{
	struct call *c = next_call(is_sync);

	c->offset = offset;
	memcpy(c->bytes, bytes, len < sizeof c->bytes ? len : sizeof c->bytes);
}

static int
watched_write(void *self, uint64_t offset, const void *bytes, size_t len)
{
	note_write(false, offset, bytes, len);
	return real.write(self, offset, bytes, len);
}

static int
watched_write_synced(void *self, uint64_t offset, const void *bytes, size_t len, bool *synced)
{
	int failure = real.write_synced(self, offset, bytes, len, synced);

	if (failure == 0 && *synced)
		note_write(true, offset, bytes, len);
	return failure;
}

static int
watched_sync(void *self)
{
	(void)next_call(true);
	return real.sync(self);
}

/* One row more, by a writer whose calls are noted. */
static bool
append_watched(const char *path, int64_t t)
{
	struct otr_writer_options o = { .wait_ns = 0 };
	struct otr_commit_result r;
	struct otr_writer *w = NULL;
	struct otr_error err;
	struct otr_io io;
	double v = 1;
	bool well;

	calls = 0;
	if (otr__io_open(path, true, &io, &err) != OTR_OK)
		return false;
	real = io;
	io.write = watched_write;
	io.write_synced = watched_write_synced;
	io.sync = watched_sync;
	well = otr__writer_open_io(&io, &o, &w, &err) == OTR_OK && one_add(w, &t, &v, 1, &err) == OTR_OK && otr_writer_commit(w, &r, &err) == OTR_OK;
	otr_writer_close(w);
	return well;
}

static bool
slot_bytes(const char *path, uint64_t offset, uint8_t bytes[OTR__SLOT_BYTES], bool store)
{
	FILE *f = fopen(path, store ? "r+b" : "rb");
	bool well = f != NULL && fseek(f, (long)offset, SEEK_SET) == 0 &&
	    (store ? fwrite(bytes, 1, OTR__SLOT_BYTES, f) : fread(bytes, 1, OTR__SLOT_BYTES, f)) == OTR__SLOT_BYTES;

	return f != NULL && fclose(f) == 0 && well;
}

/* A stamp of the older slot, each in turn, has a bit flipped: the slot is whole again on the disk before the new one is written over it. */
static void
wrong_stamps(void)
{
	const char *path = one_path("stamps.otr");
	unsigned i, bad = 0;

	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK)
		exit(1);
	for (i = 0; i < OTR__SECTORS; i++) {
		uint8_t slot[2][OTR__SLOT_BYTES], whole[OTR__SLOT_BYTES];
		unsigned older;
		size_t k, mended = CALLS_MAX;
		bool synced = false;

		bad += !append_watched(path, (int64_t)(4 * i) * 1000) || !append_watched(path, (int64_t)(4 * i + 1) * 1000) ||
		    !slot_bytes(path, OTR__SLOT_OFFSET(0), slot[0], false) || !slot_bytes(path, OTR__SLOT_OFFSET(1), slot[1], false);
		older = otr__get64(slot[0] + 24) < otr__get64(slot[1] + 24) ? 0 : 1;
		memcpy(whole, slot[older], sizeof whole);
		slot[older][512 * i + 504 + 5] ^= 4;
		bad += !slot_bytes(path, OTR__SLOT_OFFSET(older), slot[older], true) || !append_watched(path, (int64_t)(4 * i + 2) * 1000);
		for (k = 0; k < calls; k++) {
			if (mended == CALLS_MAX && call[k].offset == OTR__SLOT_OFFSET(older))
				mended = k;
			else if (mended != CALLS_MAX && call[k].offset == OTR__SLOT_OFFSET(older))
				break;
			else if (mended != CALLS_MAX)
				synced = synced || call[k].is_sync;
		}
		/* mended, synced, and only then the new slot */
		if (mended == CALLS_MAX || memcmp(call[mended].bytes, whole, sizeof whole) != 0 || !(synced || call[mended].is_sync) || k == calls) {
			printf("# stamp %u: %zu calls\n", i, calls);
			bad++;
		}
	}
	CHECK(bad == 0 && one_faults(path) == 0, "10.2-3: an older slot that is used in spite of a wrong stamp is written with the right ones, and synced, before the next is written over it");
}

int
main(void)
{
	wrong_stamps();
	one_clean();
	return tap_done();
}
