/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * repack.c - see repack.h.
 *
 * Both ways put folded rows first, then the rows from the fold's limit on.  The dense file packs these anew; the version of a file with history shares the leaves
 * behind the limit with the tree before it, which it keeps.
 *
 * Row numbers (SPEC 8.3) begin where those of the rows that exist began, so rows that were not folded keep their numbers where none were.
 */
#include "repack.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "metadata.h"
#include "reach.h"
#include "recordcheck.h"
#include "retain.h"
#include "scratch.h"
#include "start.h"
#include "walk.h"

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

void
otr__repack_record(const struct otr__repack_wish *wish, struct otr__record *record)
{
	const char *author = wish->author == NULL ? "" : wish->author, *message = wish->message == NULL ? "" : wish->message;

	*record = (struct otr__record){ .kind = OTR_KIND_COMPACT, .author = (const uint8_t *)author, .author_bytes = (uint16_t)strlen(author),
		.message = (const uint8_t *)message, .message_bytes = (uint16_t)strlen(message) };
}

/* ---- folding ------------------------------------------------------------------------------------------------------------- */

static void
leave_open(void *self)
{
	(void)self;                          /* the backend is somebody else's */
}

/* Rows on their way into a builder. */
struct sink {
	struct otr__builder *builder;
	uint64_t rows;
	uint8_t digits;
};

static enum otr_status
take_folded(void *arg, const struct otr__rows *rows, struct otr_error *err)
{
	struct sink *s = arg;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		uint8_t digits = otr__fold_digits(rows->time_ns[i]);

		if (s->digits < digits)
			s->digits = digits;
	}
	s->rows += rows->n;
	return otr__builder_append(s->builder, rows, 0, rows->n, err);
}

/* The folded rows of version `version` of a file, into sink. */
static enum otr_status
fold_into(const struct otr_io *io, uint64_t version, const struct otr__fold_rule *rule, struct sink *sink, struct otr__repack_counts *counts,
    struct otr_error *err)
{
	struct otr_io borrowed = *io;
	struct otr *file = NULL;
	enum otr_status status;

	borrowed.close = leave_open;
	status = otr__open_io(borrowed, true, version, &file, err);
	if (status != OTR_OK)
		return status;
	status = otr__fold(file, rule, take_folded, sink, &counts->folded, err);
	counts->made = sink->rows;
	otr_close(file);
	return status;
}

/* ---- rows of a tree -------------------------------------------------------------------------------------------------------- */

/* The first row of tree at or after time_ns. */
static enum otr_status
seek(struct otr__tree *tree, int64_t time_ns, uint64_t *position, struct otr_error *err)
{
	struct otr__rows work;
	enum otr_status status;

	*position = 0;
	if (tree->rows == 0 || time_ns == INT64_MIN)
		return OTR_OK;
	if (!otr__rows_init(&work, tree->schema->columns, 64))
		return no_memory(err);
	status = otr__tree_seek(tree, time_ns, &work, position, err);
	otr__rows_release(&work);
	return status;
}

/* The rows of tree from position on.  share: leaves that are taken whole are taken as they are. */
static enum otr_status
take_tree(struct otr__tree *tree, uint64_t position, bool share, struct otr__builder *builder, struct otr__watch *watch, struct otr_error *err)
{
	struct otr__walk walk;
	struct otr__rows rows;
	uint64_t bytes, leaves = 0;
	int failure;
	enum otr_status status = OTR_OK;

	if (position >= tree->rows)
		return OTR_OK;
	failure = tree->store->io->size(tree->store->io->self, &bytes);
	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot tell its size");
	if (!otr__rows_init(&rows, tree->schema->columns, 64))
		return no_memory(err);
	otr__walk_init(&walk, tree);
	while (status == OTR_OK && position < tree->rows) {
		struct otr__leaf_at at;

		if (++leaves > bytes / tree->store->page_bytes) {
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-6", "a tree of more pages than the file has");
			break;
		}
		status = otr__walk_leaf(&walk, position, &at, err);
		if (status == OTR_OK && share && position == at.position && tree->level > 0) {
			struct otr__stats stats[OTR_MAX_COLUMNS];
			struct otr__entry entry = { .child = at.ref, .rows = at.rows, .first_ns = at.first_ns, .last_ns = at.last_ns };
			uint32_t i = otr__walk_find(&walk.level[1], position), c;

			for (c = 0; c < tree->schema->columns; c++)
				otr__walk_stats(&walk, 1, i, c, &stats[c]);
			status = otr__builder_append_leaf(builder, &entry, stats, err);
		} else if (status == OTR_OK) {
			uint64_t end = tree->rows - at.position < at.rows ? tree->rows - at.position : at.rows;

			status = otr__walk_rows(&walk, &at, UINT64_MAX, &rows, err);
			if (status == OTR_OK)
				status = otr__builder_append(builder, &rows, (size_t)(position - at.position), (size_t)end, err);
		}
		if (status == OTR_OK)
			status = otr__watch_page(watch, err);
		position = at.position + at.rows;
	}
	otr__walk_release(&walk);
	otr__rows_release(&rows);
	return status;
}

/* ---- a dense file ---------------------------------------------------------------------------------------------------------- */

struct otr__repack {
	struct otr__target *from;
	struct otr_io *io;
	struct otr__repack_wish wish;
	struct otr__watch *watch;
	struct otr__header header;
	struct otr__store store;
	struct otr__space space;
	struct otr__scratch *scratch;
	struct sink sink;
	struct otr__repack_counts counts;
	/* once rows were taken */
	bool begun;
	uint64_t version;                    /* of from then */
	int64_t horizon_ns;
	uint64_t first_row, next_row;        /* row numbers: of the first row that exists, of the next to take */
};

enum otr_status
otr__repack_create(struct otr__target *from, struct otr_io *io, const struct otr__repack_wish *wish, struct otr__watch *watch, struct otr__repack **out,
    struct otr_error *err)
{
	struct otr__repack *r = calloc(1, sizeof *r);
	struct otr__slot *empty = calloc(1, sizeof *empty);
	struct otr__root none = { .rows = 0 };
	enum otr_status status = r == NULL || empty == NULL ? no_memory(err) : OTR_OK;

	if (status == OTR_OK) {
		r->from = from;
		r->io = io;
		r->wish = *wish;
		r->watch = watch;
		r->header = from->header;
		r->header.schema.page_bytes = wish->page_bytes;
		status = otr__schema_check(&r->header.schema, err);
	}
	if (status == OTR_OK) {
		r->scratch = otr__scratch_create();
		empty->page_count = otr__first_page(wish->page_bytes);
		if (r->scratch == NULL || !otr__store_init(&r->store, io, &r->header) ||
		    !otr__space_init(&r->space, &r->store, r->header.file_id, empty, from->state.next_version))
			status = no_memory(err);
	}
	if (status == OTR_OK) {
		r->scratch->deflate = wish->deflate;
		status = otr__builder_create(&r->space, &r->header.schema, r->scratch, &none, &r->sink.builder, err);
	}
	free(empty);
	if (status != OTR_OK) {
		otr__repack_free(r);
		return status;
	}
	*out = r;
	return OTR_OK;
}

void
otr__repack_free(struct otr__repack *r)
{
	if (r == NULL)
		return;
	otr__builder_free(r->sink.builder);
	otr__space_release(&r->space);
	otr__store_release(&r->store);
	otr__scratch_free(r->scratch);
	free(r);
}

static enum otr_status
open_tree(struct otr__target *t, const struct otr__ref *root, uint64_t rows, struct otr__tree *tree, struct otr_error *err)
{
	if (root->page == 0) {
		*tree = (struct otr__tree){ .schema = &t->header.schema };
		return OTR_OK;
	}
	return otr__tree_open(tree, &t->store, &t->header.schema, t->scratch, root, rows, rows, err);
}

enum otr_status
otr__repack_rows(struct otr__repack *r, struct otr_error *err)
{
	const struct otr__slot *slot = &r->from->state.slot;
	struct otr__tree tree;
	int64_t from_ns = slot->horizon_ns;
	uint64_t position;
	enum otr_status status = open_tree(r->from, &slot->root, slot->tree_rows, &tree, err);

	r->watch->total = r->watch->done + slot->live_pages;
	r->begun = true;
	r->version = slot->version;
	r->horizon_ns = slot->horizon_ns;
	r->first_row = slot->rows_ever - slot->rows;
	if (status == OTR_OK && r->wish.fold.window_ns != 0 && slot->rows > 0) {
		if (from_ns < r->wish.fold.limit_ns)
			from_ns = r->wish.fold.limit_ns;
		status = fold_into(&r->from->io, slot->version, &r->wish.fold, &r->sink, &r->counts, err);
	}
	if (status == OTR_OK)
		status = seek(&tree, from_ns, &position, err);
	if (status == OTR_OK)
		status = take_tree(&tree, position, false, r->sink.builder, r->watch, err);
	r->next_row = slot->base_row + slot->tree_rows;
	return status;
}

/*
 * Whether what from has now begins with the rows that were taken: the tree then is a prefix of the tree now, and the riding rows, which may have come in any
 * order, are all behind it.  Those must lie behind the fold's limit too, or were there when the fold saw them.
 */
static bool
may_go_on(const struct otr__repack *r)
{
	const struct otr__slot *slot = &r->from->state.slot;

	if (!r->begun || slot->version == r->version)
		return r->begun;
	return slot->newest_rewrite <= r->version && slot->horizon_ns == r->horizon_ns && r->wish.fold.window_ns == 0;
}

/* The rows that ride, from the horizon and the fold's limit on. */
static enum otr_status
take_riding(struct otr__repack *r, struct otr_error *err)
{
	const struct otr_schema *schema = &r->from->header.schema;
	const struct otr__slot *slot = &r->from->state.slot;
	struct otr__record record[OTR__RECORDS_MAX];
	struct otr__rows carried, rows;
	uint32_t records;
	enum otr_status status;

	if (!otr__rows_init(&carried, schema->columns, 16))
		return no_memory(err);
	status = otr__slot_records(slot, schema, &carried, record, &records, err);
	if (status == OTR_OK)
		status = otr__log_riding(slot, schema, &carried, record, records, &rows, err);
	if (status == OTR_OK) {
		int64_t from_ns = r->wish.fold.window_ns != 0 && r->wish.fold.limit_ns > slot->horizon_ns ? r->wish.fold.limit_ns : slot->horizon_ns;

		status = otr__builder_append(r->sink.builder, &rows, otr__lower_bound(rows.time_ns, rows.n, from_ns), rows.n, err);
		otr__rows_release(&rows);
	}
	otr__rows_release(&carried);
	return status;
}

static enum otr_status
copy_metadata(struct otr__repack *r, struct otr__slot *slot, struct otr_error *err)
{
	const struct otr__slot *old = &r->from->state.slot;
	uint8_t *stream = NULL;
	size_t len = 0;
	enum otr_status status;

	slot->metadata = (struct otr__ref){ .page = 0 };
	if (old->metadata.page == 0)
		return OTR_OK;
	status = otr__metadata_read(&r->from->store, &old->metadata, old->version, &stream, &len, err);
	if (status == OTR_OK)
		status = otr__metadata_write(&r->space, stream, len, &slot->metadata, err);
	free(stream);
	return status;
}

/* The only slot of the file: what was, without a past. */
static enum otr_status
write_start(struct otr__repack *r, const struct otr__root *root, struct otr__slot *slot, struct otr_error *err)
{
	struct otr__record record;
	struct otr__put w = otr__put_into(slot->area, otr__slot_room(0));
	enum otr_status status;

	slot->version = slot->oldest_version = r->space.version;
	slot->commit_ns = r->io->now_ns(r->io->self);
	slot->minor = OTR_FORMAT_MINOR;
	if (slot->time_digits < r->sink.digits)
		slot->time_digits = r->sink.digits;
	slot->root = root->ref;
	slot->base_row = r->first_row;
	slot->tree_rows = slot->rows = root->rows;
	slot->rows_ever = r->first_row + root->rows;
	slot->first_ns = root->rows > 0 ? root->first_ns : 0;
	slot->last_ns = root->rows > 0 ? root->last_ns : 0;
	slot->newest_rewrite = 0;
	slot->log = (struct otr__ref){ .page = 0 };
	slot->has_carried = false;
	otr__repack_record(&r->wish, &record);
	record.version = slot->version;
	record.commit_ns = slot->commit_ns;
	record.time_digits = slot->time_digits;
	record.rows_ever = slot->rows_ever;
	record.rows = slot->rows;
	record.added = r->counts.made;
	record.removed = r->counts.folded;
	otr__record_put(&w, &record);
	slot->area_bytes = (uint16_t)otr__record_size(&record);
	status = otr__space_finish(&r->space, false, 0, slot, err);
	return status == OTR_OK ? otr__start_write(r->io, &r->header, slot, err) : status;
}

/* Windows may take more room than rows that were easily made small, and large pages more than small ones that hold as many rows as a page may (SPEC 9.4). */
static enum otr_status
check_size(const struct otr__repack *r, struct otr_error *err)
{
	const struct otr__target *from = r->from;
	uint64_t live = r->space.live, before = from->state.slot.live_pages * from->header.schema.page_bytes;

	if (live <= otr__retain_live(&r->header.schema, &from->state.slot.policies) || live * r->header.schema.page_bytes <= before)
		return OTR_OK;
	return otr__fail(err, OTR_E_LIMIT, "9.4", "%llu pages of %lu bytes, more than the file may have", (unsigned long long)live,
	    (unsigned long)r->header.schema.page_bytes);
}

enum otr_status
otr__repack_finish(struct otr__repack *r, bool *again, struct otr__repack_counts *counts, struct otr_error *err)
{
	const struct otr__slot *now = &r->from->state.slot;
	struct otr__slot *slot;
	struct otr__root root = { .rows = 0 };
	struct otr__tree tree;
	enum otr_status status;

	/* a policy that came since may forbid the page size */
	*again = !may_go_on(r) || otr__policies_check(&r->header.schema, &now->policies, NULL) != OTR_OK;
	if (*again)
		return OTR_OK;
	r->space.version = r->from->state.next_version;
	slot = malloc(sizeof *slot);
	if (slot == NULL)
		return no_memory(err);
	*slot = *now;
	status = open_tree(r->from, &now->root, now->tree_rows, &tree, err);
	if (status == OTR_OK && r->next_row >= now->base_row)
		status = take_tree(&tree, r->next_row - now->base_row, false, r->sink.builder, r->watch, err);
	if (status == OTR_OK)
		status = take_riding(r, err);
	if (status == OTR_OK)
		status = otr__builder_finish(r->sink.builder, &root, err);
	if (status == OTR_OK)
		status = copy_metadata(r, slot, err);
	if (status == OTR_OK)
		status = check_size(r, err);
	if (status == OTR_OK)
		status = write_start(r, &root, slot, err);
	free(slot);
	if (status == OTR_OK)
		*counts = r->counts;
	return status;
}

/* ---- one more version -------------------------------------------------------------------------------------------------------- */

/* The tree of k with old rows folded, beside the one that is kept. */
static enum otr_status
fold_tree(struct otr__commit *k, const struct otr__repack_wish *wish, struct sink *sink, struct otr__repack_counts *counts, struct otr_error *err)
{
	struct otr__target *t = k->target;
	struct otr__root none = { .rows = 0 };
	struct otr__watch unwatched = { .go_on = NULL };
	struct otr__tree tree;
	uint64_t position;
	int64_t from_ns = wish->fold.limit_ns;
	enum otr_status status = otr__builder_create(&k->space, &t->header.schema, t->scratch, &none, &sink->builder, err);

	if (status == OTR_OK)
		status = fold_into(&t->io, t->state.slot.version, &wish->fold, sink, counts, err);
	if (status != OTR_OK || counts->folded == 0)
		return status;
	status = open_tree(t, &k->root.ref, k->root.rows, &tree, err);
	if (status == OTR_OK && from_ns < k->slot.horizon_ns)
		from_ns = k->slot.horizon_ns;
	if (status == OTR_OK)
		status = seek(&tree, from_ns, &position, err);
	if (status == OTR_OK)
		status = take_tree(&tree, position, true, sink->builder, &unwatched, err);
	return status == OTR_OK ? otr__builder_finish(sink->builder, &k->root, err) : status;
}

/*
 * A file of fixed size holds the tree with folded rows and the one before it only as far as it has room for both (SPEC 9.4): older versions go first, then the one before,
 * with its tree.  *keep: whether that stays.
 */
static enum otr_status
fit(struct otr__commit *k, const struct otr__root *base, bool *keep, struct otr_error *err)
{
	struct otr__target *t = k->target;
	struct otr__slot *slot = &k->slot;
	uint64_t most = otr__retain_live(&t->header.schema, &slot->policies), before = t->state.slot.live_pages, live;
	enum otr_status status;

	*keep = true;
	if (k->space.live <= most)
		return OTR_OK;
	k->recount = true;
	slot->page_count = k->space.page_count;
	slot->oldest_version = t->state.slot.version;
	slot->root = base->ref;
	slot->tree_rows = base->rows;
	status = otr__reach_count(&t->store, &t->header, slot, t->scratch, &live, err);
	if (status != OTR_OK || live + k->space.written <= most)
		return status;
	*keep = false;
	slot->oldest_version = slot->version;
	slot->root = k->root.ref;
	slot->tree_rows = k->root.rows;
	status = otr__reach_count(&t->store, &t->header, slot, t->scratch, &live, err);
	if (status == OTR_OK && live > most && live > before)
		status = otr__fail(err, OTR_E_LIMIT, "9.4", "the rows of windows take more room than the file may have");
	return status;
}

/* Makes the commit a rewrite: record and slot are filled for it. */
static enum otr_status
rewrite(struct otr__commit *k, const struct otr__repack_wish *wish, struct otr__record *record, struct otr__repack_counts *counts, struct otr_error *err)
{
	struct otr__slot *slot = &k->slot;
	struct sink sink = { .builder = NULL };
	struct otr__root base;
	enum otr_status status = otr__commit_spill(k, true, INT64_MAX, err);

	if (status == OTR_OK)
		status = otr__commit_pages(k, err);
	if (status != OTR_OK)
		return status;
	base = k->root;
	otr__space_settle(&k->space);
	status = fold_tree(k, wish, &sink, counts, err);
	otr__builder_free(sink.builder);
	if (status != OTR_OK || counts->folded == 0)
		return status;
	status = fit(k, &base, &record->has_kept, err);
	if (status != OTR_OK)
		return status;
	record->kept = (struct otr__kept){ .root = base.ref, .base_row = slot->base_row, .tree_rows = base.rows };
	record->added = counts->made;
	record->removed = counts->folded;
	slot->base_row = slot->rows_ever - slot->rows;
	slot->rows = k->root.rows;
	slot->rows_ever = slot->base_row + slot->rows;
	slot->first_ns = k->root.first_ns;
	slot->last_ns = k->root.last_ns;
	if (slot->time_digits < sink.digits)
		slot->time_digits = sink.digits;
	return OTR_OK;
}

enum otr_status
otr__repack_commit(struct otr__target *t, const struct otr__repack_wish *wish, struct otr__repack_counts *counts, struct otr_error *err)
{
	struct otr__commit *k = malloc(sizeof *k);
	struct otr__record record;
	const struct otr__slot *slot = &t->state.slot;
	enum otr_status status;

	if (k == NULL)
		return no_memory(err);
	*counts = (struct otr__repack_counts){ .folded = 0 };
	otr__repack_record(wish, &record);
	status = otr__commit_begin(t, k, err);
	if (status != OTR_OK) {
		free(k);
		return status;
	}
	if (wish->fold.window_ns != 0 && slot->rows > 0 && slot->first_ns < wish->fold.limit_ns)
		status = rewrite(k, wish, &record, counts, err);
	else if (!otr__commit_has_room(k, otr__record_size(&record)))
		status = otr__commit_spill(k, false, INT64_MAX, err);
	if (status == OTR_OK)
		status = otr__commit_finish(k, &record, NULL, 0, err);
	otr__commit_release(k);
	free(k);
	return status;
}
