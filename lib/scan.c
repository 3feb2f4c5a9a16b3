/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan.c - otr_scan: what the pages of the selected version hold, for otr-stat --scan.  Reads every leaf (its times and the headers of its chunks), each
 * inner page once, and follows the chains of log and metadata as far as versions are kept.
 */
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "intmath.h"
#include "log.h"
#include "meta.h"
#include "walk.h"

#define RECOVERIES_MAX 20

struct scanner {
	struct otr *file;
	struct otr__snapshot *snapshot;
	struct otr__walk walk;
	struct otr__rows rows;
	struct otr__chunk_header header[1 + OTR_MAX_COLUMNS];
	bool has_last;
	int64_t last_ns;
	struct otr_scan out;
};

static void
see_times(struct scanner *s, const int64_t *time_ns, size_t n)
{
	const struct otr_schema *schema = &s->file->header.schema;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t dt;

		if (time_ns[i] < s->snapshot->horizon_ns)
			continue;
		if (s->has_last) {
			dt = otr__distance(s->last_ns, time_ns[i]);
			if (schema->has_gap && dt > schema->gap_ns)
				s->out.gap_count++;
			if (dt > s->out.longest_gap_ns)
				s->out.longest_gap_ns = dt;
			s->out.duplicates += dt == 0;
		}
		s->has_last = true;
		s->last_ns = time_ns[i];
	}
}

static enum otr_status
scan_leaf(struct scanner *s, const struct otr__node *node, struct otr_error *err)
{
	struct otr__tree *tree = &s->snapshot->tree;
	uint32_t columns = tree->schema->columns, i;
	struct otr__leaf_at at = otr__leaf_of_node(node);
	const uint8_t *page;
	enum otr_status status = otr__walk_rows(&s->walk, &at, 0, &s->rows, err);

	if (status != OTR_OK)
		return status;
	see_times(s, s->rows.time_ns, tree->rows - at.position < s->rows.n ? (size_t)(tree->rows - at.position) : s->rows.n);
	/* the page is the store's last leaf still, so this reads nothing */
	status = otr__store_read(tree->store, &at.ref, OTR__LEAF, 0, &page, NULL, err);
	if (status == OTR_OK)
		status = otr__leaf_decode(page, tree->store->page_bytes, tree->schema, 0, &s->rows, tree->scratch, s->header, err);
	if (status != OTR_OK)
		return status;
	s->out.leaf_pages++;
	s->out.page_bytes += tree->store->page_bytes;
	s->out.used_bytes += otr__get32(page + 44);
	for (i = 0; i < columns; i++) {
		if (s->header[1 + i].transform < 5)
			s->out.transform[i][s->header[1 + i].transform]++;
		if (s->header[1 + i].packing < 3)
			s->out.packing[i][s->header[1 + i].packing]++;
	}
	return OTR_OK;
}

static enum otr_status
scan_node(struct scanner *s, unsigned level, const struct otr__node *node, struct otr_error *err)
{
	const struct otr__walk_level *l = &s->walk.level[level];
	enum otr_status status;
	uint32_t i;

	if (level == 0)
		return scan_leaf(s, node, err);
	status = otr__walk_load(&s->walk, level, node, err);
	s->out.inner_pages++;
	for (i = 0; status == OTR_OK && i < l->entries && l->position[i] < s->snapshot->tree.rows; i++) {
		struct otr__node child;

		status = otr__walk_child(&s->walk, level, i, &child, err);
		/* what has expired may be gone (SPEC 8.5-1) */
		if (status == OTR_OK && child.last_ns >= s->snapshot->horizon_ns)
			status = scan_node(s, level - 1, &child, err);
	}
	return status;
}

/* Log pages back to the one that holds the oldest version kept. */
static enum otr_status
scan_log(struct scanner *s, struct otr_error *err)
{
	const struct otr__slot *slot = &s->file->state.slot;
	struct otr__store *store = &s->file->store;
	struct otr__ref ref = slot->log;
	uint64_t index = UINT64_MAX;

	while (ref.page != 0) {
		struct otr__log_links links;
		const uint8_t *page;
		enum otr_status status = otr__store_read(store, &ref, OTR__LOG, 0, &page, NULL, err);

		if (status == OTR_OK)
			status = otr__log_links_decode(page, store->page_bytes, &s->file->header.schema, &links, err);
		if (status == OTR_OK && links.index >= index)
			status = otr__fail(err, OTR_E_CORRUPT, "4.5-3", "log page of index %llu before one of index %llu", (unsigned long long)links.index,
			    (unsigned long long)index);
		if (status != OTR_OK) {
			otr__fail_place(err, (int64_t)ref.page, -1);
			return status;
		}
		s->out.log_pages++;
		index = links.index;
		if (links.index == 0 || links.first_version <= slot->oldest_version)
			break;
		ref = links.prev;
	}
	return OTR_OK;
}

/* Each chain of metadata, back to the one of the oldest version kept. */
static enum otr_status
scan_meta(struct scanner *s, struct otr_error *err)
{
	const struct otr__slot *slot = &s->file->state.slot;
	struct otr__store *store = &s->file->store;
	struct otr__ref first = slot->metadata, ref = first;
	struct otr__ref previous = { .page = 0 };
	uint64_t visited = 0;

	while (ref.page != 0) {
		struct otr__meta_page meta;
		const uint8_t *page;
		enum otr_status status = otr__store_read(store, &ref, OTR__META, 0, &page, NULL, err);

		if (status == OTR_OK)
			status = otr__meta_decode(page, store->page_bytes, &meta, err);
		if (status == OTR_OK && ++visited > slot->page_count)
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-6", "metadata pages form a ring");
		if (status != OTR_OK) {
			otr__fail_place(err, (int64_t)ref.page, -1);
			return status;
		}
		s->out.meta_pages++;
		if (otr__ref_equal(&ref, &first))
			previous = meta.previous;
		ref = meta.next;
		if (ref.page == 0 && first.generation > slot->oldest_version)
			ref = first = previous;
	}
	return OTR_OK;
}

static enum otr_status
scan(struct scanner *s, struct otr_error *err)
{
	const struct otr__slot *slot = &s->file->state.slot;
	uint64_t fixed = OTR__START_BYTES / s->file->header.schema.page_bytes;
	struct otr__node root = otr__walk_root(&s->walk);
	enum otr_status status = OTR_OK;

	s->out = (struct otr_scan){ .free_pages = slot->page_count - (fixed > 0 ? fixed : 1) - slot->live_pages };
	s->has_last = false;
	if (s->snapshot->tree.rows > 0)
		status = scan_node(s, s->snapshot->tree.level, &root, err);
	if (status == OTR_OK)
		status = scan_log(s, err);
	if (status == OTR_OK)
		status = scan_meta(s, err);
	if (status == OTR_OK)
		see_times(s, s->snapshot->ride.time_ns, s->snapshot->ride.n);
	return status;
}

enum otr_status
otr_scan(struct otr *file, struct otr_scan *result, struct otr_error *err)
{
	struct scanner *s = calloc(1, sizeof *s);
	enum otr_status status;
	int attempt;

	if (s == NULL || !otr__rows_init(&s->rows, file->header.schema.columns, 16)) {
		free(s);
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	s->file = file;
	s->snapshot = otr__snapshot_hold(file->snapshot);
	otr__walk_init(&s->walk, &s->snapshot->tree);
	for (attempt = 0; ; attempt++) {
		status = scan(s, err);
		if (status == OTR_OK || attempt == RECOVERIES_MAX)
			break;
		status = otr__db_recover(file, &s->snapshot, status, err);
		if (status != OTR_OK)
			break;
		otr__walk_reset(&s->walk, &s->snapshot->tree);
	}
	if (status == OTR_OK)
		*result = s->out;
	else if (status == OTR_E_CORRUPT && attempt == RECOVERIES_MAX)
		status = otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: a writer kept overtaking the scan");
	otr__walk_release(&s->walk);
	otr__rows_release(&s->rows);
	otr__snapshot_drop(s->snapshot);
	free(s);
	return status;
}
