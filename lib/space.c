/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.c - page allocation for one commit (see space.h): the slot's freed pages first, then what a walk finds, then the end of the file.
 */
#include "space.h"

#include <stdlib.h>
#include <string.h>

/* A walk reads all inner pages, so it must promise much: an eighth of the file, and more than a list would hold. */
#define WALK_MIN 128u
/* With so many listed no walk is needed. */
#define WALK_LISTED 8u
/* So many are remembered at the most, 8 MiB of numbers: an eighth of a file of fixed size of 64 GiB. */
#define SPARE_MAX (UINT64_C(1) << 20)

bool
otr__page_list_add(struct otr__page_list *list, uint64_t page)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
		uint64_t *grown = realloc(list->page, capacity * sizeof *grown);

		if (grown == NULL)
			return false;
		list->page = grown;
		list->capacity = capacity;
	}
	list->page[list->n++] = page;
	return true;
}

static bool
contains(const struct otr__page_list *list, uint64_t page)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->page[i] == page)
			return true;
	return false;
}

bool
otr__space_init(struct otr__space *space, struct otr__store *store, const uint8_t *file_id, const struct otr__slot *slot, uint64_t version)
{
	uint64_t fixed = OTR__START_BYTES / store->page_bytes;
	uint16_t i;

	if (fixed == 0)
		fixed = 1;
	*space = (struct otr__space){ .store = store, .file_id = file_id, .version = version, .page_count = slot->page_count, .live = slot->live_pages,
		.rewrite = slot->newest_rewrite > slot->oldest_version ? slot->newest_rewrite : 0 };
	space->fixed = fixed;
	space->walkable = slot->page_count - fixed - slot->live_pages - slot->freed;
	/* the list's first ones still belong to the other slot; the last of the others are taken first */
	for (i = slot->freed; i > slot->freed_now; i--)
		if (!otr__page_list_add(&space->usable, slot->freed_page[i - 1]))
			return false;
	for (i = 0; i < slot->freed_now; i++)
		if (!otr__page_list_add(&space->later, slot->freed_page[i]))
			return false;
	return true;
}

void
otr__space_release(struct otr__space *space)
{
	free(space->usable.page);
	free(space->later.page);
	free(space->freed.page);
	free(space->base.page);
	free(space->of_base.page);
	free(space->of_kept.page);
	*space = (struct otr__space){ .store = NULL };
}

void
otr__space_settle(struct otr__space *space)
{
	space->on_top = true;
}

static bool
walk_pays(const struct otr__space *space)
{
	size_t known = space->usable.n + (space->spare != NULL ? space->spare->n : 0);

	if (space->planned > 0)
		return known + (space->limit > space->page_count ? space->limit - space->page_count : 0) < space->planned;
	return known < WALK_LISTED && space->walkable >= WALK_MIN && space->walkable >= space->page_count / 8;
}

/* Before the first page is written, where little is listed and a walk promises much: all that nothing reaches (SPEC 9.3). */
static enum otr_status
look_for_pages(struct otr__space *space, struct otr_error *err)
{
	uint64_t reached;
	enum otr_status status;
	size_t i, n = 0;

	space->looked = true;
	if (space->walk == NULL || !walk_pays(space))
		return OTR_OK;
	space->usable.n = 0;                /* the walk finds these again */
	if (space->spare != NULL)
		space->spare->n = 0;
	status = space->walk(space->arg, &space->usable, err);
	if (status == OTR_E_CORRUPT || status == OTR_E_TRUNCATED) {
		space->usable.n = 0;        /* a bad page on the way: the file grows instead */
		return OTR_OK;
	}
	for (i = 0; i < space->usable.n; i++)
		if (!contains(&space->later, space->usable.page[i]))
			space->usable.page[n++] = space->usable.page[i];
	space->usable.n = n;
	/* what was found may still have counted as live, since it expired or was pruned (SPEC 4.1-2) */
	reached = space->page_count - space->fixed - n - space->later.n - space->freed.n - space->of_base.n;
	if (status == OTR_OK && space->live > reached)
		space->live = reached;
	return status;
}

static enum otr_status
take(struct otr__space *space, uint64_t *number, struct otr_error *err)
{
	if (!space->looked) {
		enum otr_status status = look_for_pages(space, err);

		if (status != OTR_OK)
			return status;
	}
	/* a file of fixed size soon has that size, and keeps it */
	if (space->limit > space->page_count)
		*number = space->page_count++;
	else if (space->usable.n > 0)
		*number = space->usable.page[--space->usable.n];
	else if (space->spare != NULL && space->spare->n > 0)
		*number = space->spare->page[--space->spare->n];
	else if (space->limit > 0 && space->page_count >= space->limit)
		return otr__fail(err, OTR_E_LIMIT, "9.4", "no page is free: the file has the size that it may have");
	else
		*number = space->page_count++;
	return OTR_OK;
}

enum otr_status
otr__space_write(struct otr__space *space, uint8_t *page, enum otr__page_type type, uint8_t level, struct otr__ref *ref, struct otr_error *err)
{
	uint32_t page_bytes = space->store->page_bytes;
	struct otr_io *io = space->store->io;
	uint64_t number = 0;
	enum otr_status status = take(space, &number, err);
	int failure;

	if (status != OTR_OK)
		return status;
	if (!space->on_top && !otr__page_list_add(&space->base, number))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	otr__page_seal(page, page_bytes, type, level, number, space->file_id, space->version, ref);
	otr__store_drop(space->store, number);
	failure = io->write(io->self, number * page_bytes, page, page_bytes);
	if (failure != 0) {
		status = otr__fail_sys(err, failure, "cannot write");
		otr__fail_place(err, (int64_t)number, (int64_t)(number * page_bytes));
		return status;
	}
	space->live++;
	space->written++;
	return OTR_OK;
}

enum otr_status
otr__space_give_up(struct otr__space *space, const struct otr__ref *ref, struct otr_error *err)
{
	struct otr__page_list *list = &space->freed;

	if (ref->page == 0)
		return OTR_OK;
	if (ref->generation == space->version && !(space->on_top && contains(&space->base, ref->page)))
		list = &space->usable;              /* written by this commit, and no part of a base */
	else if (space->on_top)
		list = &space->of_base;
	space->live--;
	otr__store_drop(space->store, ref->page);
	if (!otr__page_list_add(list, ref->page))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	return OTR_OK;
}

enum otr_status
otr__space_give_up_tree(struct otr__space *space, const struct otr__ref *ref, struct otr_error *err)
{
	if (ref->page != 0 && ref->generation < space->rewrite)
		return OTR_OK;
	if (ref->page != 0 && ref->generation == space->rewrite && space->rewrite > 0 && space->kept != NULL) {
		if (!space->kept_known) {
			enum otr_status status = space->kept(space->arg, &space->of_kept, err);

			if (status != OTR_OK)
				return status;
			space->kept_known = true;
		}
		if (contains(&space->of_kept, ref->page))
			return OTR_OK;
	}
	return otr__space_give_up(space, ref, err);
}

enum otr_status
otr__space_finish(struct otr__space *space, bool base_kept, size_t most, struct otr__slot *slot, struct otr_error *err)
{
	size_t i, left;

	for (i = 0; i < space->of_base.n; i++) {
		uint64_t page = space->of_base.page[i];
		struct otr__page_list *list = contains(&space->base, page) ? &space->usable : &space->freed;

		if (base_kept)
			space->live++;
		else if (!otr__page_list_add(list, page))
			return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	slot->page_count = space->page_count;
	slot->live_pages = space->live;
	slot->freed = 0;
	for (i = 0; i < space->freed.n && slot->freed < most; i++)
		slot->freed_page[slot->freed++] = space->freed.page[i];
	slot->freed_now = slot->freed;
	for (i = 0; i < space->later.n && slot->freed < most; i++)
		slot->freed_page[slot->freed++] = space->later.page[i];
	for (i = space->usable.n; i > 0 && slot->freed < most; i--)
		slot->freed_page[slot->freed++] = space->usable.page[i - 1];
	while (space->spare != NULL && space->spare->n > 0 && slot->freed < most)
		slot->freed_page[slot->freed++] = space->spare->page[--space->spare->n];
	for (left = i, i = left > SPARE_MAX ? left - (size_t)SPARE_MAX : 0; space->spare != NULL && i < left && space->spare->n < SPARE_MAX; i++)
		if (!otr__page_list_add(space->spare, space->usable.page[i]))
			return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	/* of a file whose count was too low, so that more was given up than counted: nothing is known to be free */
	if (slot->live_pages > slot->page_count - space->fixed - slot->freed)
		slot->live_pages = slot->page_count - space->fixed - slot->freed;
	return OTR_OK;
}
