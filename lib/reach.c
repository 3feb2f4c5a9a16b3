/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reach.c - marking what is reached (see reach.h).  A bit a page; an inner page is entered once, so the work is bounded by the pages there are.
 */
#include "reach.h"

#include <stdlib.h>

#include "meta.h"
#include "tree.h"

struct walk {
	struct otr__store *store;
	const struct otr__header *header;
	struct otr__scratch *scratch;
	uint64_t pages;
	int64_t horizon_ns;                /* what ends before it is gone */
	uint64_t oldest;                   /* what only versions before it need is gone */
	uint8_t *bit;
};

static enum otr_status
out_of_range(const struct otr__ref *ref, struct otr_error *err)
{
	return otr__fail(err, OTR_E_CORRUPT, "5.2", "reference to page %llu, beyond the page count", (unsigned long long)ref->page);
}

/* Marks a page; *first: whether it was not marked before. */
static bool
mark(struct walk *w, const struct otr__ref *ref, bool *first)
{
	uint8_t b = (uint8_t)(1u << (ref->page & 7));

	if (ref->page >= w->pages)
		return false;
	*first = (w->bit[ref->page >> 3] & b) == 0;
	w->bit[ref->page >> 3] |= b;
	return true;
}

/* The children of an inner page that hold rows after the horizon (SPEC 8.5-1): *child is the caller's. */
static enum otr_status
read_children(struct otr__tree *tree, const struct otr__ref *ref, uint8_t level, int64_t horizon_ns, struct otr__ref **child, uint32_t *n,
    struct otr_error *err)
{
	const uint8_t *page;
	uint32_t i, entries;
	enum otr_status status = otr__tree_inner(tree, ref, level, 0, 0, 0, &page, &entries, err);

	if (status != OTR_OK)
		return status;
	*n = 0;
	*child = malloc(entries * sizeof **child);        /* the page's buffer is lent until the next read */
	if (*child == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	for (i = 0; i < entries; i++) {
		struct otr__entry e;

		otr__inner_entry(page, tree->schema->columns, i, &e);
		if (e.last_ns >= horizon_ns)
			(*child)[(*n)++] = e.child;
	}
	return OTR_OK;
}

static enum otr_status
mark_inner(struct walk *w, struct otr__tree *tree, const struct otr__ref *ref, uint8_t level, struct otr_error *err)
{
	uint32_t n, i;
	struct otr__ref *child;
	enum otr_status status = read_children(tree, ref, level, w->horizon_ns, &child, &n, err);

	if (status != OTR_OK)
		return status;
	for (i = 0; i < n && status == OTR_OK; i++) {
		bool first;

		if (!mark(w, &child[i], &first))
			status = out_of_range(&child[i], err);
		else if (first && level > 1)
			status = mark_inner(w, tree, &child[i], (uint8_t)(level - 1), err);      /* at most 15 deep */
	}
	free(child);
	return status;
}

static enum otr_status
mark_tree(struct walk *w, const struct otr__ref *root, uint64_t rows, struct otr_error *err)
{
	struct otr__tree tree;
	bool first;
	enum otr_status status;

	if (root->page == 0)
		return OTR_OK;
	if (!mark(w, root, &first))
		return out_of_range(root, err);
	if (!first)
		return OTR_OK;
	status = otr__tree_open(&tree, w->store, &w->header->schema, w->scratch, root, rows, rows, err);
	if (status == OTR_OK && tree.level > 0)
		status = mark_inner(w, &tree, root, tree.level, err);
	return status;
}

static enum otr_status
mark_log(struct walk *w, struct otr__ref ref, uint64_t oldest, struct otr_error *err)
{
	struct otr__log_page log;
	struct otr__log_links links;
	bool first = true;
	enum otr_status status = OTR_OK;

	otr__log_page_init(&log);
	while (status == OTR_OK && ref.page != 0) {
		const uint8_t *page;
		uint32_t i;

		if (!mark(w, &ref, &first)) {
			status = out_of_range(&ref, err);
			break;
		}
		if (!first)
			break;
		status = otr__store_read(w->store, &ref, OTR__LOG, 0, &page, NULL, err);
		if (status == OTR_OK)
			status = otr__log_links_decode(page, w->header->schema.page_bytes, &w->header->schema, &links, err);
		if (status != OTR_OK)
			break;
		/* most pages have no kept root, and the records take far longer than the links */
		if (links.rewrite > oldest && links.rewrite >= links.first_version) {
			status = otr__log_page_decode(page, w->header->schema.page_bytes, &w->header->schema, &log, w->scratch, err);
			for (i = 0; status == OTR_OK && i < log.records; i++)
				if (log.record[i].has_kept && log.record[i].version > oldest)
					status = mark_tree(w, &log.record[i].kept.root, log.record[i].kept.tree_rows, err);
		}
		if (links.first_version <= oldest)
			break;
		ref = links.prev;
	}
	otr__log_page_release(&log);
	return status;
}

static enum otr_status
mark_metadata(struct walk *w, struct otr__ref ref, uint64_t oldest, struct otr_error *err)
{
	while (ref.page != 0) {
		struct otr__meta_page meta;
		struct otr__ref previous = { .page = 0 };
		uint64_t generation = ref.generation;
		bool first, head = true, known = false;

		while (ref.page != 0) {
			const uint8_t *page;
			enum otr_status status;

			if (!mark(w, &ref, &first))
				return out_of_range(&ref, err);
			if (!first) {
				known = true;
				break;
			}
			status = otr__store_read(w->store, &ref, OTR__META, 0, &page, NULL, err);
			if (status == OTR_OK)
				status = otr__meta_decode(page, w->header->schema.page_bytes, &meta, err);
			if (status != OTR_OK)
				return status;
			if (head)
				previous = meta.previous;
			head = false;
			ref = meta.next;
		}
		if (known || generation <= oldest)
			break;
		ref = previous;
	}
	return OTR_OK;
}

static enum otr_status
mark_slot(struct walk *w, const struct otr__slot *slot, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	uint32_t records, i;
	enum otr_status status = otr__slot_records(slot, &w->header->schema, NULL, record, &records, err);

	for (i = 0; status == OTR_OK && i < records; i++)
		if (record[i].has_kept && record[i].version > w->oldest)
			status = mark_tree(w, &record[i].kept.root, record[i].kept.tree_rows, err);
	if (status == OTR_OK)
		status = mark_tree(w, &slot->root, slot->tree_rows, err);
	if (status == OTR_OK)
		status = mark_log(w, slot->log, w->oldest, err);
	if (status == OTR_OK)
		status = mark_metadata(w, slot->metadata, w->oldest, err);
	return status;
}

enum otr_status
otr__reach_free(struct otr__store *store, const struct otr__header *header, const struct otr__state *state, struct otr__scratch *scratch,
    struct otr__page_list *found, struct otr_error *err)
{
	struct walk w = { .store = store, .header = header, .scratch = scratch, .pages = state->slot.page_count,
		.horizon_ns = state->slot.horizon_ns, .oldest = state->slot.oldest_version };
	uint64_t fixed = OTR__START_BYTES / header->schema.page_bytes, page;
	struct otr__slot *other = malloc(sizeof *other);
	bool both = false;
	enum otr_status status;

	w.bit = calloc((size_t)(w.pages / 8 + 1), 1);
	if (w.bit == NULL || other == NULL) {
		status = otr__fail(err, OTR_E_NOMEM, "", "out of memory");
		goto out;
	}
	if (state->has_other) {
		enum otr__slot_condition c = otr__slot_decode(state->bytes[1 - state->index], header, other, err);

		both = c == OTR__SLOT_SOUND || c == OTR__SLOT_FLIPPED;
	}
	/* a page is entered once, so what either slot still has counts for both */
	if (both && other->horizon_ns < w.horizon_ns)
		w.horizon_ns = other->horizon_ns;
	if (both && other->oldest_version < w.oldest)
		w.oldest = other->oldest_version;
	status = mark_slot(&w, &state->slot, err);
	if (status == OTR_OK && both)
		status = mark_slot(&w, other, err);
	for (page = w.pages; status == OTR_OK && page > (fixed > 0 ? fixed : 1); page--)
		if ((w.bit[(page - 1) >> 3] >> ((page - 1) & 7) & 1) == 0 && !otr__page_list_add(found, page - 1))
			status = otr__fail(err, OTR_E_NOMEM, "", "out of memory");
out:
	free(w.bit);
	free(other);
	return status;
}

enum otr_status
otr__reach_count(struct otr__store *store, const struct otr__header *header, const struct otr__slot *slot, struct otr__scratch *scratch, uint64_t *live,
    struct otr_error *err)
{
	struct walk w = { .store = store, .header = header, .scratch = scratch, .pages = slot->page_count,
		.horizon_ns = slot->horizon_ns, .oldest = slot->oldest_version };
	uint64_t page, n = 0;
	enum otr_status status;

	w.bit = calloc((size_t)(w.pages / 8 + 1), 1);
	if (w.bit == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = mark_slot(&w, slot, err);
	for (page = 0; page < w.pages; page++)
		n += w.bit[page >> 3] >> (page & 7) & 1;
	free(w.bit);
	if (status == OTR_OK)
		*live = n;
	return status;
}

static enum otr_status
find_generation(struct otr__tree *tree, const struct otr__ref *ref, uint8_t level, uint64_t generation, int64_t horizon_ns, uint64_t pages,
    struct otr__page_list *found, struct otr_error *err)
{
	uint32_t n, i;
	struct otr__ref *child;
	enum otr_status status;

	/* a page of a sound tree is met once: more pages than the file has are damage, and no work without end */
	if (found->n >= pages)
		return otr__fail(err, OTR_E_CORRUPT, "5.3", "a tree of more pages than the file has");
	if (!otr__page_list_add(found, ref->page))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	if (level == 0)
		return OTR_OK;
	status = read_children(tree, ref, level, horizon_ns, &child, &n, err);
	if (status != OTR_OK)
		return status;
	for (i = 0; i < n && status == OTR_OK; i++)
		if (child[i].generation == generation)
			status = find_generation(tree, &child[i], (uint8_t)(level - 1), generation, horizon_ns, pages, found, err);      /* at most 15 deep */
	free(child);
	return status;
}

enum otr_status
otr__reach_generation(struct otr__store *store, const struct otr__header *header, struct otr__scratch *scratch, const struct otr__kept *root,
    uint64_t generation, int64_t horizon_ns, uint64_t pages, struct otr__page_list *found, struct otr_error *err)
{
	struct otr__tree tree;
	enum otr_status status;

	if (root->root.page == 0 || root->root.generation != generation)
		return OTR_OK;
	status = otr__tree_open(&tree, store, &header->schema, scratch, &root->root, root->tree_rows, root->tree_rows, err);
	return status == OTR_OK ? find_generation(&tree, &root->root, tree.level, generation, horizon_ns, pages, found, err) : status;
}
