/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c - page reference to verified page, with a direct-mapped cache (see store.h).
 *
 * A frame holds a page that passed its check against one reference; it is given again only for an equal reference.
 */
#include "store.h"

#include <stdlib.h>

#define CACHE_BYTES (4u << 20)

struct otr__frame {
	struct otr__ref ref;             /* page 0: empty */
	enum otr__page_type type;
	uint8_t level;
	uint8_t *bytes;                  /* page_bytes, taken at first use */
};

bool
otr__store_init(struct otr__store *store, struct otr_io *io, const struct otr__header *header)
{
	*store = (struct otr__store){ .io = io, .header = header, .page_bytes = header->schema.page_bytes };
	store->frames = CACHE_BYTES / store->page_bytes;
	store->frame = calloc(store->frames, sizeof *store->frame);
	store->leaf = calloc(1, sizeof *store->leaf);
	if (store->frame == NULL || store->leaf == NULL) {
		otr__store_release(store);
		return false;
	}
	return true;
}

void
otr__store_release(struct otr__store *store)
{
	uint32_t i;

	for (i = 0; store->frame != NULL && i < store->frames; i++)
		free(store->frame[i].bytes);
	if (store->leaf != NULL)
		free(store->leaf->bytes);
	free(store->frame);
	free(store->leaf);
	store->frame = NULL;
	store->leaf = NULL;
}

static void
count(struct otr__store *store, enum otr__page_type type)
{
	switch (type) {
	case OTR__LEAF: store->counters.leaf_pages++; break;
	case OTR__INNER: store->counters.inner_pages++; break;
	case OTR__LOG: store->counters.log_pages++; break;
	case OTR__META: store->counters.meta_pages++; break;
	}
	store->counters.bytes += store->page_bytes;
}

enum otr_status
otr__store_read(struct otr__store *store, const struct otr__ref *ref, enum otr__page_type type, int level, const uint8_t **page, uint8_t *found_level,
    struct otr_error *err)
{
	struct otr__frame *frame = type == OTR__LEAF ? store->leaf : &store->frame[ref->page % store->frames];
	struct otr__expect expect = { .type = type, .level = level };
	enum otr_status status;

	if (frame->ref.page == 0 || !otr__ref_equal(&frame->ref, ref) || frame->type != type) {
		if (ref->page < OTR__START_BYTES / store->page_bytes || ref->page == 0 || ref->page >= (uint64_t)INT64_MAX / store->page_bytes)
			return otr__fail(err, OTR_E_CORRUPT, "5.2", "reference to page %llu, which cannot be", (unsigned long long)ref->page);
		if (frame->bytes == NULL && (frame->bytes = malloc(store->page_bytes)) == NULL)
			return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
		frame->ref.page = 0;
		status = otr__io_read(store->io, ref->page * store->page_bytes, frame->bytes, store->page_bytes, err);
		if (status == OTR_OK)
			status = otr__page_check(frame->bytes, store->page_bytes, ref, store->header->file_id, &expect, &frame->level, err);
		if (status != OTR_OK) {
			otr__fail_place(err, (int64_t)ref->page, (int64_t)(ref->page * store->page_bytes));
			return status;
		}
		frame->ref = *ref;
		frame->type = type;
		count(store, type);
	} else if (level >= 0 && frame->level != level) {
		status = otr__fail(err, OTR_E_CORRUPT, "5.3-1", "level %d, expected %d", frame->level, level);
		otr__fail_place(err, (int64_t)ref->page, (int64_t)(ref->page * store->page_bytes));
		return status;
	}
	*page = frame->bytes;
	if (found_level != NULL)
		*found_level = frame->level;
	return OTR_OK;
}

void
otr__store_forget(struct otr__store *store)
{
	uint32_t i;

	for (i = 0; i < store->frames; i++)
		store->frame[i].ref.page = 0;
	store->leaf->ref.page = 0;
}

void
otr__store_drop(struct otr__store *store, uint64_t page)
{
	struct otr__frame *frame = &store->frame[page % store->frames];

	if (frame->ref.page == page)
		frame->ref.page = 0;
	if (store->leaf->ref.page == page)
		store->leaf->ref.page = 0;
}
