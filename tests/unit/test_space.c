/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_space.c - pages are used again, and never one that somebody may still read (SPEC 9).
 */
#include "onefile.h"
#include "reach.h"
#include "space.h"

static struct otr_io io;
static struct otr__header header;
static struct otr__store store;

/* A commit's view of a file of which nothing is on disk but what it writes. */
static bool
begin(struct otr__space *space, struct otr__slot *slot, uint64_t version)
{
	return otr__space_init(space, &store, header.file_id, slot, version);
}

static struct otr__ref
put(struct otr__space *space)
{
	static uint8_t page[4096];
	struct otr__ref ref = { .page = 0 };
	struct otr_error err;

	if (otr__space_write(space, page, OTR__META, 0, &ref, &err) != OTR_OK)
		printf("# %s\n", err.text);
	return ref;
}

static void
give_up(struct otr__space *space, const struct otr__ref *ref)
{
	struct otr_error err;

	if (otr__space_give_up(space, ref, &err) != OTR_OK)
		printf("# %s\n", err.text);
}

static bool
listed(const struct otr__slot *slot, uint64_t page, unsigned from, unsigned to)
{
	for (; from < to; from++)
		if (slot->freed_page[from] == page)
			return true;
	return false;
}

static void
test_lists(void)
{
	struct otr__slot slot = { .version = 6, .page_count = 20, .live_pages = 10, .freed = 4, .freed_now = 2, .freed_page = { 4, 5, 6, 7 } };
	struct otr__space space;
	struct otr__ref a, b, c, old = { .page = 12, .generation = 3 };
	struct otr_error err;

	if (!begin(&space, &slot, 7))
		return;
	a = put(&space);
	b = put(&space);
	c = put(&space);
	CHECK(a.page == 6 && b.page == 7, "9.2: pages freed before the last commit are taken first");
	CHECK(c.page == 20, "9.2: those that the last commit freed are not; the file grows");
	CHECK(otr__space_give_up(&space, &old, &err) == OTR_OK && otr__space_finish(&space, false, 64, &slot, &err) == OTR_OK, "a page is given up");
	CHECK(slot.freed_now == 1 && slot.freed == 3 && slot.freed_page[0] == 12 && listed(&slot, 4, 1, 3) && listed(&slot, 5, 1, 3),
	    "9.2: it stands first in the new list, and those freed before it may be used from now on");
	CHECK(slot.page_count == 21 && slot.live_pages == 12, "4.1-2: the counts follow");
	otr__space_release(&space);
}

static void
test_base(void)
{
	struct otr__slot slot = { .version = 6, .page_count = 20, .live_pages = 10 };
	struct otr__slot kept, dropped;
	int keep;

	for (keep = 0; keep < 2; keep++) {
		struct otr__slot *out = keep ? &kept : &dropped;
		struct otr__space space;
		struct otr__ref base, top, old_before = { .page = 12, .generation = 3 }, old_after = { .page = 13, .generation = 3 };
		struct otr_error err;

		*out = slot;
		if (!begin(&space, out, 7))
			return;
		base = put(&space);
		give_up(&space, &old_before);
		otr__space_settle(&space);
		top = put(&space);
		give_up(&space, &base);
		give_up(&space, &old_after);
		give_up(&space, &top);
		CHECK(put(&space).page == top.page, "9.1: a page that the commit itself wrote on top of its base is written again at once");
		if (otr__space_finish(&space, keep == 1, 64, out, &err) != OTR_OK)
			return;
		otr__space_release(&space);
		if (keep == 1) {
			CHECK(out->freed == 1 && out->freed_page[0] == 12 && out->live_pages == 11, "8.2: where the base is kept, its pages are not free");
		} else {
			CHECK(out->freed == 3 && out->freed_now == 2 && listed(out, 12, 0, 2) && listed(out, 13, 0, 2) && out->freed_page[2] == base.page &&
			    out->live_pages == 9, "9.2: where it is not, those of the version before wait, and the commit's own may be used at once");
		}
	}
}

/* A list that is lost: the pages are found again by a walk. */
static void
test_walk(void)
{
	const char *path = one_path("walk.otr");
	enum { N = 40000 };
	static int64_t t[N];
	static double v[N];
	struct otr_commit_result r;
	struct otr_info before, after;
	struct otr *file;
	struct otr_error err;
	unsigned long long state = 3;
	long i, k;
	uint64_t largest = 0;
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;

	for (i = 0; i < N; i++) {
		t[i] = (int64_t)i * 1000000000;
		v[i] = (double)(tap_random(&state) >> 12);      /* noise: many pages */
	}
	ok = ok && one_append(path, t, v, N, &r) == OTR_OK;
	/* late rows within one commit over pages that it wrote itself: more are given up than a list holds */
	for (k = 0; ok && k < 30; k++) {
		for (i = 0; i < N / 2; i++) {
			t[2 * i] = (int64_t)(N * (k + 1) + i) * 1000000000;
			t[2 * i + 1] = t[2 * i] + 500000000L;
		}
		ok = one_append(path, t, v, N, &r) == OTR_OK;
		if (ok && otr_open(path, &file, &err) == OTR_OK) {
			otr_get_info(file, &after);
			largest = after.free_pages > largest ? after.free_pages : largest;
			otr_close(file);
		}
	}
	ok = ok && otr_open(path, &file, &err) == OTR_OK;
	if (ok) {
		struct otr__page_list found = { .n = 0 };
		uint64_t free_pages;

		otr_get_info(file, &before);
		free_pages = before.free_pages;
		ok = otr__reach_free(&file->store, &file->header, &file->state, file->scratch, &found, &err) == OTR_OK;
		/* what the other slot still reaches is free by count, and not by the walk */
		CHECK(ok && found.n <= free_pages && found.n + file->state.slot.freed_now >= free_pages, "9.3, 9.7: a walk finds the pages that the counts promise");
		free(found.page);
		otr_close(file);
	}
	CHECK(ok && largest < 128, "9.2: appending leaves few free pages");
	CHECK(one_faults(path) == 0, "9: and a sound file");
}

static unsigned walks;

/* Pages 100 to 299 are free. */
static enum otr_status
some_free(void *arg, struct otr__page_list *found, struct otr_error *err)
{
	uint64_t page;

	(void)arg;
	(void)err;
	walks++;
	for (page = 299; page >= 100; page--)
		if (!otr__page_list_add(found, page))
			return OTR_E_NOMEM;
	return OTR_OK;
}

/* A walk finds more than a slot has room to name: the writer that walked takes the rest without another walk. */
static void
test_spare(void)
{
	struct otr__slot slot = { .version = 6, .page_count = 400, .live_pages = 196 };
	struct otr__page_list spare = { .n = 0 };
	bool seen[400] = { false };
	unsigned version, i, twice = 0, other = 0, full = 0;

	for (version = 7; version < 17; version++) {
		struct otr__space space;
		struct otr_error err;

		if (!begin(&space, &slot, version))
			return;
		space.limit = 400;
		space.planned = 20;
		space.walk = some_free;
		space.spare = &spare;
		for (i = 0; i < 18; i++) {
			struct otr__ref ref = put(&space);

			other += ref.page < 100 || ref.page > 299;
			twice += seen[ref.page % 400];
			seen[ref.page % 400] = true;
		}
		if (otr__space_finish(&space, false, OTR__FREED_MAX, &slot, &err) != OTR_OK)
			return;
		full += slot.freed == OTR__FREED_MAX;
		otr__space_release(&space);
	}
	CHECK(walks == 1 && twice == 0 && other == 0, "9.3: what a walk finds is enough for many commits, and no page is taken twice");
	CHECK(full == 7 && slot.freed == 20 && spare.n == 0, "9.2: the slot names as many of them as it has room for, for the next writer");
	free(spare.page);
}

/* Two writers in turns on a full file of fixed size whose commits are rewrites: neither takes what the other has written meanwhile. */
static void
test_turns(void)
{
	const char *path = one_path("turns.otr");
	struct otr_policies p = { .has_max_size = true, .max_bytes = 1 << 20, .history = OTR_HISTORY_FITS };
	struct otr_writer *w[2] = { NULL, NULL };
	struct otr_change_result changed;
	struct otr_error err;
	unsigned long long state = 5;
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK && (w[0] = one_writer(path)) != NULL && (w[1] = one_writer(path)) != NULL &&
	    otr_writer_set_meta(w[0], NULL, 0, &p, &changed, &err) == OTR_OK;
	int64_t newest = 0;
	int i, j;

	for (i = 0; ok && i < 600; i++) {
		/* in runs of different lengths */
		struct otr_writer *writer = w[tap_random(&state) % 8 < 4 ? i / 16 % 2 : i / 3 % 2];
		struct otr_commit_result r;
		int64_t t[100];
		double v[100];

		for (j = 0; j < 100; j++) {
			t[j] = j % 50 == 0 && newest > 2000 ? (newest - 1 - (int64_t)(tap_random(&state) % 2000)) * 1000000000 + 1 : ++newest * 1000000000;
			v[j] = (double)(tap_random(&state) >> 12);
		}
		ok = one_add(writer, t, v, 100, &err) == OTR_OK && otr_writer_commit(writer, &r, &err) == OTR_OK;
		if (ok && i % 100 == 99)
			ok = one_faults(path) == 0;
	}
	otr_writer_close(w[0]);
	otr_writer_close(w[1]);
	CHECK(ok, "9.1: two writers in turns never take a page that the other's version reaches");
}

int
main(void)
{
	struct otr_error err;

	header.schema.page_bytes = 4096;
	header.file_id[0] = 1;
	if (otr__io_create(one_path("space"), &io, &err) != OTR_OK || !otr__store_init(&store, &io, &header))
		return 1;
	test_lists();
	test_base();
	test_spare();
	otr__store_release(&store);
	io.close(io.self);
	test_walk();
	test_turns();
	one_clean();
	return tap_done();
}
