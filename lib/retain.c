/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retain.c - see retain.h.
 *
 * A file of fixed size.  L pages lie behind its first 16 KiB.
 *
 *      0 ........................................ 3/4 L ........ 7/8 L ........ L
 *      what the state reaches after any commit  |  what one commit writes, and what the next one does
 *
 * A commit writes at most L/8 pages, and what it reaches in the end is at most 3/4 L.  So what the two slots reach together never exceeds 7/8 L, and the next
 * commit finds its L/8 without touching either.  (In a small file with a deep tree the path of one row may be more than L/8; then more is kept free.)  Where that would not hold,
 * these go, in this order: log pages beyond L/8 of them, kept roots and old metadata (the older half of the versions, as often as it takes), the oldest leaves.
 * Metadata never take the room of rows: a chain is at most L/16.
 */
#include "retain.h"

#include <stdlib.h>

#include "log.h"
#include "meta.h"
#include "reach.h"

/* What is let go at once beyond the need, so that it is not done at every commit: a 32nd of the file. */
#define SLACK 32u

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

static uint64_t
fixed_pages(const struct otr_schema *schema)
{
	uint64_t fixed = OTR__START_BYTES / schema->page_bytes;

	return fixed > 0 ? fixed : 1;
}

/* L of the comment above; UINT64_MAX without max_size. */
static uint64_t
budget(const struct otr_schema *schema, const struct otr_policies *policies)
{
	uint64_t pages = policies->max_bytes / schema->page_bytes, fixed = fixed_pages(schema);

	if (!policies->has_max_size)
		return UINT64_MAX;
	return pages > fixed ? pages - fixed : 0;
}

uint64_t
otr__retain_piece(const struct otr_schema *schema, const struct otr__slot *slot)
{
	uint64_t pages = budget(schema, &slot->policies);

	return pages == UINT64_MAX ? pages : pages / 8;
}

uint64_t
otr__retain_live(const struct otr_schema *schema, const struct otr_policies *policies)
{
	uint64_t pages = budget(schema, policies);

	return pages == UINT64_MAX ? pages : pages / 4 * 3;
}

uint64_t
otr__retain_metadata(const struct otr_schema *schema, const struct otr_policies *policies)
{
	uint64_t pages = budget(schema, policies);

	return pages == UINT64_MAX ? pages : pages / 16;
}

static enum otr_status
open_tree(struct otr__commit *k, struct otr__tree *tree, struct otr_error *err)
{
	struct otr__target *t = k->target;

	return otr__tree_open(tree, &t->store, &t->header.schema, t->scratch, &k->root.ref, k->root.rows, k->root.rows, err);
}

enum otr_status
otr__retain_pages(struct otr__commit *k, uint64_t rows, uint64_t *pages, struct otr_error *err)
{
	const struct otr_schema *schema = &k->target->header.schema;
	uint32_t columns = schema->columns, fixed = OTR__PAGE_HEADER + 16 + 40 * (columns + 1), row = 8 * (columns + 1) + columns / 8 + 1;
	/* a leaf of values that nothing makes smaller, four fifths full */
	uint64_t least = (schema->page_bytes - fixed) / row * 4 / 5, leaves;
	struct otr__tree tree;
	enum otr_status status = open_tree(k, &tree, err);

	if (status != OTR_OK)
		return status;
	if (least == 0)
		least = 1;
	leaves = (rows + k->ride.n) / least + 2;
	/* the last leaf and the pages above it again, new ones, one more level; a log page; and once more what is above the rows that ride, for the base */
	*pages = leaves + 2 * leaves / otr__inner_capacity(schema->page_bytes, columns) + tree.level + 3 + (k->ride.n > 0 ? tree.level + 2u : 0);
	return OTR_OK;
}

enum otr_status
otr__retain_path(struct otr__commit *k, uint64_t *pages, struct otr_error *err)
{
	struct otr__tree tree;
	enum otr_status status = open_tree(k, &tree, err);

	if (status == OTR_OK)
		*pages = tree.level + 2u;
	return status;
}

enum otr_status
otr__retain_limit(struct otr__commit *k, uint64_t *pages, struct otr_error *err)
{
	const struct otr_schema *schema = &k->target->header.schema;
	uint64_t least, more, metadata = otr__retain_metadata(schema, &k->slot.policies);
	enum otr_status status = otr__retain_pages(k, 0, &least, err);

	if (status == OTR_OK)
		status = otr__retain_path(k, &more, err);
	if (status != OTR_OK)
		return status;
	*pages = otr__retain_piece(schema, &k->slot);
	if (*pages == UINT64_MAX)
		return OTR_OK;
	/* a late row: its leaf in two, and so each page above it; a range: both its ends; or metadata */
	more = 2 * more > metadata ? 2 * more : metadata;
	if (*pages < least + more)
		*pages = least + more;
	return OTR_OK;
}

enum otr_status
otr__retain_late(struct otr__commit *k, const int64_t *time_ns, size_t n, uint64_t pages, size_t *fit, struct otr_error *err)
{
	struct otr__tree tree;
	uint64_t written = 0;
	size_t i = 0;
	enum otr_status status = open_tree(k, &tree, err);

	while (status == OTR_OK && i < n) {
		struct otr__leaf_at at;

		/* a touched leaf becomes two, and at worst so does every page above it */
		written += 2 * (tree.level + 1u);
		if (written > pages && i > 0)
			break;
		status = otr__tree_leaf_of(&tree, time_ns[i], &at, err);
		if (status == OTR_END) {
			status = OTR_OK;
			i = n;
			break;
		}
		if (status != OTR_OK)
			break;
		for (i++; i < n && time_ns[i] <= at.last_ns; i++)
			;
	}
	*fit = i;
	return status;
}

/* ---- the horizon --------------------------------------------------------------------------------------------------------- */

/* Position in the tree of the first row that exists, and its time; k->root.rows and nothing if there is none. */
static enum otr_status
first_left(struct otr__commit *k, uint64_t *position, int64_t *time_ns, struct otr_error *err)
{
	struct otr__tree tree;
	struct otr__leaf_at at;
	struct otr__rows rows;
	enum otr_status status;

	*position = 0;
	if (k->root.ref.page == 0)
		return OTR_OK;
	if (!otr__rows_init(&rows, k->target->header.schema.columns, 64))
		return no_memory(err);
	status = open_tree(k, &tree, err);
	if (status == OTR_OK)
		status = otr__tree_seek(&tree, k->slot.horizon_ns, &rows, position, err);
	if (status == OTR_OK && *position < k->root.rows) {
		status = otr__tree_leaf_at(&tree, *position, &at, err);
		if (status == OTR_OK)
			status = otr__tree_leaf_rows(&tree, &at, 0, &rows, err);
		if (status == OTR_OK)
			*time_ns = rows.time_ns[*position - at.position];
	}
	otr__rows_release(&rows);
	return status;
}

/* While all that is left lies below the root's last entry, that becomes the root: dead entries do not make the tree deeper for ever. */
static enum otr_status
drop_levels(struct otr__commit *k, struct otr_error *err)
{
	const struct otr_schema *schema = &k->target->header.schema;
	unsigned above = OTR__LEVEL_MAX + 1;

	for (;;) {
		struct otr__tree tree;
		struct otr__entry e, last;
		struct otr__ref old = k->root.ref;
		const uint8_t *page;
		uint32_t n;
		enum otr_status status = open_tree(k, &tree, err);

		/* a root's level is not known before it is read; a child's is, and so this ends */
		if (status == OTR_OK && above <= OTR__LEVEL_MAX && tree.level != above - 1) {
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-2", "level %u under a parent of level %u", (unsigned)tree.level, above);
			otr__fail_place(err, (int64_t)old.page, -1);
		}
		if (status != OTR_OK || tree.level == 0)
			return status;
		above = tree.level;
		status = otr__tree_inner(&tree, &old, tree.level, 0, 0, 0, &page, &n, err);
		if (status != OTR_OK)
			return status;
		otr__inner_entry(page, schema->columns, n - 1, &last);
		if (n > 1) {
			otr__inner_entry(page, schema->columns, n - 2, &e);
			if (e.last_ns >= k->slot.horizon_ns)
				return OTR_OK;
		}
		if (last.rows > k->root.rows) {
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "an entry of %llu rows in a page of %llu", (unsigned long long)last.rows,
			    (unsigned long long)k->root.rows);
			otr__fail_place(err, (int64_t)old.page, -1);
			return status;
		}
		k->slot.base_row += k->root.rows - last.rows;
		k->root = (struct otr__root){ .ref = last.child, .rows = last.rows, .first_ns = last.first_ns, .last_ns = last.last_ns };
		status = otr__space_give_up_tree(&k->space, &old, err);
		if (status != OTR_OK)
			return status;
	}
}

/* Moves the horizon to time_ns: rows before it leave the counts, and the tree where nothing of it is left. */
static enum otr_status
move_horizon(struct otr__commit *k, int64_t time_ns, struct otr_error *err)
{
	struct otr__slot *slot = &k->slot;
	uint64_t position, first;
	enum otr_status status;

	if (time_ns <= slot->horizon_ns)
		return OTR_OK;
	slot->horizon_ns = time_ns;
	if (slot->rows == 0 || slot->first_ns >= time_ns)
		return OTR_OK;
	status = first_left(k, &position, &slot->first_ns, err);
	if (status != OTR_OK)
		return status;
	first = slot->base_row + position;
	if (position == k->root.rows) {
		size_t i = otr__lower_bound(k->ride.time_ns, k->ride.n, time_ns);

		first += i;
		if (i < k->ride.n)
			slot->first_ns = k->ride.time_ns[i];
		else
			slot->first_ns = slot->last_ns = 0;
	}
	slot->rows = slot->rows_ever - first;
	if (k->root.ref.page == 0)
		return OTR_OK;
	if (position < k->root.rows)
		return drop_levels(k, err);
	status = otr__space_give_up_tree(&k->space, &k->root.ref, err);
	slot->base_row += k->root.rows;
	k->root = (struct otr__root){ .rows = 0 };
	return status;
}

static enum otr_status
retain_by_age(struct otr__commit *k, int64_t newest_ns, struct otr_error *err)
{
	const struct otr_policies *p = &k->slot.policies;
	int64_t now_ns = k->target->io.now_ns(k->target->io.self), from_ns = newest_ns < now_ns ? newest_ns : now_ns;

	/* rows not later than 1677 are not retained longer than that */
	if (!p->has_retain || from_ns < INT64_MIN + 1 + (int64_t)p->retain_ns)
		return OTR_OK;
	return move_horizon(k, from_ns - (int64_t)p->retain_ns, err);
}

/* ---- history ------------------------------------------------------------------------------------------------------------- */

static struct otr__log
log_of(struct otr__commit *k)
{
	struct otr__target *t = k->target;

	return (struct otr__log){ .store = &t->store, .slot = &t->state.slot, .schema = &t->header.schema, .scratch = t->scratch };
}

/* The oldest version moves to the first one that is not before number. */
static enum otr_status
prune_before(struct otr__commit *k, uint64_t number, struct otr_error *err)
{
	struct otr__log log = log_of(k);
	uint64_t found;
	enum otr_status status;

	if (number <= k->slot.oldest_version)
		return OTR_OK;
	if (number > k->target->state.slot.version) {
		k->slot.oldest_version = k->slot.version;
		return OTR_OK;
	}
	status = otr__log_from(&log, number, &found, err);
	if (status == OTR_OK && found > k->slot.oldest_version)
		k->slot.oldest_version = found;
	return status;
}

/* What the log page's worth of versions costs to look up is paid by commits that write pages. */
static enum otr_status
retain_history(struct otr__commit *k, bool pages, struct otr_error *err)
{
	const struct otr_policies *p = &k->slot.policies;
	uint64_t version = k->slot.version, number;
	struct otr__log log = log_of(k);
	enum otr_status status;

	if (p->history == OTR_HISTORY_COUNT) {
		number = version > p->history_value ? version - p->history_value : 0;
		return pages || number > k->record[0].version ? prune_before(k, number, err) : OTR_OK;
	}
	if (p->history == OTR_HISTORY_AGE && pages) {
		int64_t now_ns = k->target->io.now_ns(k->target->io.self);

		if (now_ns < INT64_MIN + 1 + (int64_t)p->history_value)
			return OTR_OK;
		status = otr__log_as_of(&log, now_ns - (int64_t)p->history_value, &number, err);
		if (status == OTR_E_NOTFOUND)
			return OTR_OK;                   /* nothing is that old, or it is pruned already */
		return status == OTR_OK ? prune_before(k, number, err) : status;
	}
	return OTR_OK;
}

/* ---- size ---------------------------------------------------------------------------------------------------------------- */

/* How many pages the state as it is now reaches. */
static enum otr_status
count_live(struct otr__commit *k, struct otr_error *err)
{
	struct otr__target *t = k->target;

	k->slot.root = k->root.ref;
	k->slot.tree_rows = k->root.rows;
	return otr__reach_count(&t->store, &t->header, &k->slot, t->scratch, &k->space.live, err);
}

/* The log takes at most an eighth of the file. */
static enum otr_status
prune_log(struct otr__commit *k, uint64_t most, struct otr_error *err)
{
	struct otr__log log = log_of(k);
	uint64_t first;
	enum otr_status status = otr__log_first_of_last(&log, most > 1 ? most - 1 : 1, &first, err);

	return status == OTR_OK && first > 0 ? prune_before(k, first, err) : status;
}

/* The horizon that takes so many of the oldest leaves away; newest_ns, of the newest row, at the most. */
static enum otr_status
horizon_after(struct otr__commit *k, uint64_t leaves, int64_t newest_ns, int64_t *horizon_ns, struct otr_error *err)
{
	struct otr__tree tree;
	uint64_t position;
	int64_t first_ns;
	enum otr_status status = first_left(k, &position, &first_ns, err);

	*horizon_ns = k->slot.horizon_ns;
	if (status == OTR_OK)
		status = open_tree(k, &tree, err);
	for (; status == OTR_OK && leaves > 0 && position < k->root.rows; leaves--) {
		struct otr__leaf_at at;

		status = otr__tree_leaf_at(&tree, position, &at, err);
		if (status != OTR_OK || tree.level == 0)
			break;
		position = at.position + at.rows;
		*horizon_ns = at.last_ns < newest_ns ? at.last_ns + 1 : newest_ns;
	}
	return status;
}

/* The version from which on no older pages are kept: kept roots and metadata of before are all that history costs beside the log. */
static enum otr_status
free_of_history(struct otr__commit *k, uint64_t *version, struct otr_error *err)
{
	const struct otr__slot *slot = &k->slot;
	struct otr__meta_page meta;
	const uint8_t *page;
	enum otr_status status = OTR_OK;

	*version = slot->newest_rewrite;
	if (slot->metadata.page == 0 || slot->metadata.generation <= *version)
		return OTR_OK;
	status = otr__store_read(&k->target->store, &slot->metadata, OTR__META, 0, &page, NULL, err);
	if (status == OTR_OK)
		status = otr__meta_decode(page, k->target->header.schema.page_bytes, &meta, err);
	if (status == OTR_OK && meta.previous.page != 0)
		*version = slot->metadata.generation;
	return status;
}

/* Lets kept roots and old metadata go, then leaves, until no more than `most` pages are reached.  What cannot be helped stays. */
static enum otr_status
shrink(struct otr__commit *k, uint64_t most, uint64_t slack, int64_t newest_ns, struct otr_error *err)
{
	struct otr__slot *slot = &k->slot;
	uint64_t bare;
	enum otr_status status = count_live(k, err);

	if (status == OTR_OK)
		status = free_of_history(k, &bare, err);
	while (status == OTR_OK && k->space.live > most && bare > slot->oldest_version) {
		uint64_t left = bare - slot->oldest_version;

		status = prune_before(k, slot->oldest_version + (left + 1) / 2, err);
		if (status != OTR_OK || bare - slot->oldest_version == left)
			break;
		status = count_live(k, err);
	}
	while (status == OTR_OK && k->space.live > most) {
		int64_t horizon_ns;

		status = horizon_after(k, k->space.live - most + slack, newest_ns, &horizon_ns, err);
		if (status != OTR_OK || horizon_ns <= slot->horizon_ns)
			break;
		status = move_horizon(k, horizon_ns, err);
		if (status == OTR_OK)
			status = count_live(k, err);
	}
	return status;
}

/* Whether the other slot was written under another size: until it is overwritten what it reaches may fill the file. */
static bool
other_size(const struct otr__commit *k)
{
	const struct otr__target *t = k->target;
	struct otr__slot *other;
	bool differs = false;

	if (!t->state.has_other)
		return false;
	other = malloc(sizeof *other);
	if (other == NULL)
		return true;
	switch (otr__slot_decode(t->state.bytes[1 - t->state.index], &t->header, other, NULL)) {
	case OTR__SLOT_SOUND:
	case OTR__SLOT_FLIPPED:
		differs = other->policies.max_bytes != t->state.slot.policies.max_bytes;
		break;
	case OTR__SLOT_UNWRITTEN:
	case OTR__SLOT_BAD:
		break;
	}
	free(other);
	return differs;
}

static enum otr_status
retain_by_size(struct otr__commit *k, int64_t newest_ns, uint64_t pages, struct otr_error *err)
{
	const struct otr_schema *schema = &k->target->header.schema;
	uint64_t size = budget(schema, &k->slot.policies), most, limit;
	enum otr_status status;

	if (size == UINT64_MAX)
		return OTR_OK;
	status = otr__retain_limit(k, &limit, err);
	if (status != OTR_OK)
		return status;
	/* where one commit may write more than an eighth, that much more is kept free, whatever this one writes */
	most = size > 4 * limit ? size - 2 * limit : size / 2;
	/* a file that was larger when the policy was set stays so; there is always a page to write to */
	k->space.limit = k->slot.page_count <= size + fixed_pages(schema) && !other_size(k) ? size + fixed_pages(schema) : 0;
	k->space.planned = pages;
	status = prune_log(k, size / 8, err);
	if (status == OTR_OK && k->space.live + pages > most)
		status = shrink(k, most > pages ? most - pages : 0, size / SLACK, newest_ns, err);
	k->crowded = status == OTR_OK && k->space.limit > 0 && k->space.live + pages > most;
	return status;
}

enum otr_status
otr__retain(struct otr__commit *k, int64_t newest_ns, int64_t last_ns, uint64_t pages, struct otr_error *err)
{
	enum otr_status status = retain_by_age(k, newest_ns, err);

	if (status == OTR_OK)
		status = retain_history(k, pages > 0, err);
	if (status == OTR_OK && pages > 0)
		status = retain_by_size(k, last_ns, pages, err);
	return status;
}
