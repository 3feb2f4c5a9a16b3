/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.c - see copy.h.
 *
 *      pass (otr__copier_trees)
 *          visit_tree    from the root down, level by level: pages not met before get the next numbers, in that order
 *          write_tree    the new ones of it, leaves first, then level 1, .. : a page holds the checksums of its children
 *      finish            metadata chains and log pages, each from the oldest on, since the younger holds the checksum of the older; then the slot
 *
 * A page is known by number, generation and checksum together, so a second pass sees which numbers were used again since the first.  What the first
 * copied and the second does not meet is a free page of the new file.
 */
#include "copy.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "meta.h"
#include "recordcheck.h"
#include "start.h"

/* Where an old page went. */
struct place {
	uint64_t number;                     /* new; 0: nowhere yet */
	uint64_t generation;
	uint32_t crc, new_crc;
};

struct ref_list {
	struct otr__ref *ref;
	size_t n, capacity;
};

struct otr__copier {
	struct otr__target *from;
	struct otr_io *to;
	struct otr__store out;               /* reads log pages back, for their links */
	struct otr__watch *watch;
	struct place *place;                 /* [pages] */
	uint8_t *met;                        /* a bit a page: in this pass */
	uint64_t pages;
	uint64_t next;                       /* number of the next new page */
	uint64_t live;                       /* pages met in this pass */
	struct otr__page_list seen[OTR__LEVEL_MAX + 1];      /* of one tree, by level: pages met first by it */
	struct otr__page_list fresh[OTR__LEVEL_MAX + 1];     /* those of them to be written */
	struct ref_list log;                 /* log pages that stay, newest first */
	struct otr__slot slot;               /* the new one */
	uint8_t *page;
};

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

struct otr__copier *
otr__copier_create(struct otr__target *from, struct otr_io *to, struct otr__watch *watch)
{
	struct otr__copier *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->from = from;
	c->to = to;
	c->watch = watch;
	c->next = otr__first_page(from->header.schema.page_bytes);
	c->page = malloc(from->header.schema.page_bytes);
	if (c->page == NULL || !otr__store_init(&c->out, to, &from->header)) {
		free(c->page);
		free(c);
		return NULL;
	}
	return c;
}

void
otr__copier_free(struct otr__copier *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i <= OTR__LEVEL_MAX; i++) {
		free(c->seen[i].page);
		free(c->fresh[i].page);
	}
	otr__store_release(&c->out);
	free(c->log.ref);
	free(c->place);
	free(c->met);
	free(c->page);
	free(c);
}

/* ---- the map ------------------------------------------------------------------------------------------------------------ */

/* Room for a file of so many pages; nothing is met yet. */
static enum otr_status
begin_pass(struct otr__copier *c, struct otr_error *err)
{
	uint64_t pages = c->from->state.slot.page_count, bytes, needed = pages * c->from->header.schema.page_bytes;
	int failure = c->from->io.size(c->from->io.self, &bytes);

	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot tell its size");
	/* memory follows the pages that there are, not those that a slot claims */
	if (pages > otr__first_page(c->from->header.schema.page_bytes) && bytes < needed)
		return otr__fail(err, OTR_E_TRUNCATED, "5.2-2", "truncated: %llu bytes, its %llu pages need %llu", (unsigned long long)bytes,
		    (unsigned long long)pages, (unsigned long long)needed);
	if (pages > c->pages) {
		struct place *place;
		uint8_t *met;

		if (pages > SIZE_MAX / sizeof *place)
			return no_memory(err);
		place = realloc(c->place, (size_t)pages * sizeof *place);
		if (place == NULL)
			return no_memory(err);
		memset(place + c->pages, 0, (size_t)(pages - c->pages) * sizeof *place);
		c->place = place;
		met = realloc(c->met, (size_t)(pages / 8 + 1));
		if (met == NULL)
			return no_memory(err);
		c->met = met;
		c->pages = pages;
	}
	if (c->met != NULL)
		memset(c->met, 0, (size_t)(c->pages / 8 + 1));
	c->live = 0;
	c->log.n = 0;
	c->watch->total = c->watch->done + c->from->state.slot.live_pages;
	return OTR_OK;
}

/* Marks a page as met; *first: it was not. */
static enum otr_status
meet(struct otr__copier *c, const struct otr__ref *ref, bool *first, struct otr_error *err)
{
	uint8_t bit = (uint8_t)(1u << (ref->page & 7));

	if (ref->page < otr__first_page(c->from->header.schema.page_bytes) || ref->page >= c->from->state.slot.page_count)
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "reference to page %llu, of %llu pages", (unsigned long long)ref->page,
		    (unsigned long long)c->from->state.slot.page_count);
	*first = (c->met[ref->page >> 3] & bit) == 0;
	c->met[ref->page >> 3] |= bit;
	c->live += *first;
	return OTR_OK;
}

static bool
is_there(const struct place *p, const struct otr__ref *ref)
{
	return p->number != 0 && p->generation == ref->generation && p->crc == ref->crc;
}

/* A reference to a page of the old file as one to its copy. */
static enum otr_status
translate(const struct otr__copier *c, struct otr__ref *ref, struct otr_error *err)
{
	const struct place *p;

	if (ref->page == 0)
		return OTR_OK;
	if (ref->page >= c->pages || !is_there(&c->place[ref->page], ref))
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "two references to page %llu that differ", (unsigned long long)ref->page);
	p = &c->place[ref->page];
	ref->page = p->number;
	ref->crc = p->new_crc;
	return OTR_OK;
}

/* Seals the page in c->page under a number, and writes it. */
static enum otr_status
write_page(struct otr__copier *c, enum otr__page_type type, uint8_t level, uint64_t number, uint64_t generation, struct otr__ref *ref,
    struct otr_error *err)
{
	uint32_t page_bytes = c->from->header.schema.page_bytes;
	int failure;

	otr__page_seal(c->page, page_bytes, type, level, number, c->from->header.file_id, generation, ref);
	failure = c->to->write(c->to->self, number * page_bytes, c->page, page_bytes);
	if (failure != 0) {
		enum otr_status status = otr__fail_sys(err, failure, "cannot write");

		otr__fail_place(err, (int64_t)number, (int64_t)(number * page_bytes));
		return status;
	}
	return otr__watch_page(c->watch, err);
}

/* ---- trees --------------------------------------------------------------------------------------------------------------- */

/* A page of the tree that is being visited: gets its number here. */
static enum otr_status
visit(struct otr__copier *c, const struct otr__ref *ref, uint8_t level, struct otr_error *err)
{
	struct place *p;
	bool first;
	enum otr_status status = meet(c, ref, &first, err);

	if (status != OTR_OK || !first)
		return status;
	p = &c->place[ref->page];
	if (!is_there(p, ref)) {
		*p = (struct place){ .number = c->next++, .generation = ref->generation, .crc = ref->crc };
		if (!otr__page_list_add(&c->fresh[level], ref->page))
			return no_memory(err);
	}
	/* below a page that is there already, all is there; but it has to be met, to be counted */
	if (level > 0 && !otr__page_list_add(&c->seen[level], ref->page))
		return no_memory(err);
	return OTR_OK;
}

/* The old page `number` of the tree at level. */
static enum otr_status
read_old(struct otr__copier *c, uint64_t number, uint8_t level, const uint8_t **page, uint32_t *entries, struct otr_error *err)
{
	const struct otr_schema *schema = &c->from->header.schema;
	const struct place *p = &c->place[number];
	struct otr__ref ref = { .page = number, .generation = p->generation, .crc = p->crc };
	enum otr_status status = otr__store_read(&c->from->store, &ref, level > 0 ? OTR__INNER : OTR__LEAF, level, page, NULL, err);

	*entries = 0;
	if (status == OTR_OK && level > 0)
		status = otr__inner_check(*page, schema->page_bytes, schema->columns, entries, err);
	if (status != OTR_OK)
		otr__fail_place(err, (int64_t)number, -1);
	return status;
}

static enum otr_status
visit_children(struct otr__copier *c, uint64_t number, uint8_t level, struct otr_error *err)
{
	const uint8_t *page;
	uint32_t entries, i;
	enum otr_status status = read_old(c, number, level, &page, &entries, err);

	for (i = 0; status == OTR_OK && i < entries; i++) {
		struct otr__entry e;

		otr__inner_entry(page, c->from->header.schema.columns, i, &e);
		if (e.last_ns >= c->from->state.slot.horizon_ns)          /* SPEC 8.5-1 */
			status = visit(c, &e.child, (uint8_t)(level - 1), err);
	}
	return status;
}

/* References of an inner page, in c->page.  What is not followed (SPEC 8.5-1) keeps what it says of its page, under a number that is one. */
static enum otr_status
patch_children(struct otr__copier *c, uint32_t entries, struct otr_error *err)
{
	uint32_t columns = c->from->header.schema.columns, i;
	enum otr_status status = OTR_OK;

	for (i = 0; i < entries && status == OTR_OK; i++) {
		struct otr__put w = otr__put_into(c->page + OTR__INNER_FIXED + i * (size_t)OTR__ENTRY_BYTES(columns), 24);
		struct otr__entry e;

		otr__inner_entry(c->page, columns, i, &e);
		if (e.last_ns >= c->from->state.slot.horizon_ns)
			status = translate(c, &e.child, err);
		else
			e.child.page = otr__first_page(c->from->header.schema.page_bytes);
		otr__ref_put(&w, &e.child);
	}
	return status;
}

static enum otr_status
write_tree(struct otr__copier *c, uint8_t top, struct otr_error *err)
{
	unsigned level;
	size_t i;

	for (level = 0; level <= top; level++) {
		for (i = 0; i < c->fresh[level].n; i++) {
			uint64_t number = c->fresh[level].page[i];
			struct place *p = &c->place[number];
			const uint8_t *page;
			struct otr__ref ref;
			uint32_t entries;
			enum otr_status status = read_old(c, number, (uint8_t)level, &page, &entries, err);

			if (status == OTR_OK) {
				memcpy(c->page, page, c->from->header.schema.page_bytes);
				status = patch_children(c, entries, err);
			}
			if (status == OTR_OK)
				status = write_page(c, level > 0 ? OTR__INNER : OTR__LEAF, (uint8_t)level, p->number, p->generation, &ref, err);
			if (status != OTR_OK)
				return status;
			p->new_crc = ref.crc;
		}
	}
	return OTR_OK;
}

static enum otr_status
copy_tree(struct otr__copier *c, const struct otr__ref *root, uint64_t rows, struct otr_error *err)
{
	struct otr__target *t = c->from;
	struct otr__tree tree;
	unsigned level;
	size_t i;
	enum otr_status status;

	if (root->page == 0)
		return OTR_OK;
	status = otr__tree_open(&tree, &t->store, &t->header.schema, t->scratch, root, rows, rows, err);
	if (status != OTR_OK)
		return status;
	for (level = 0; level <= tree.level; level++)
		c->seen[level].n = c->fresh[level].n = 0;
	status = visit(c, root, tree.level, err);
	for (level = tree.level; level > 0; level--)
		for (i = 0; status == OTR_OK && i < c->seen[level].n; i++)
			status = visit_children(c, c->seen[level].page[i], (uint8_t)level, err);
	return status == OTR_OK ? write_tree(c, tree.level, err) : status;
}

static enum otr_status
copy_kept(struct otr__copier *c, const struct otr__record *record, uint32_t records, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	uint32_t i;

	for (i = 0; status == OTR_OK && i < records; i++)
		if (record[i].has_kept && record[i].version > c->from->state.slot.oldest_version)
			status = copy_tree(c, &record[i].kept.root, record[i].kept.tree_rows, err);
	return status;
}

static enum otr_status
decode_log(struct otr__copier *c, const struct otr__ref *ref, struct otr__log_page *log, struct otr_error *err)
{
	struct otr__target *t = c->from;
	const uint8_t *page;
	enum otr_status status = otr__store_read(&t->store, ref, OTR__LOG, 0, &page, NULL, err);

	if (status == OTR_OK)
		status = otr__log_page_decode(page, t->header.schema.page_bytes, &t->header.schema, log, t->scratch, err);
	if (status != OTR_OK)
		otr__fail_place(err, (int64_t)ref->page, -1);
	return status;
}

static bool
add_ref(struct ref_list *list, const struct otr__ref *ref)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
		struct otr__ref *grown = realloc(list->ref, capacity * sizeof *grown);

		if (grown == NULL)
			return false;
		list->ref = grown;
		list->capacity = capacity;
	}
	list->ref[list->n++] = *ref;
	return true;
}

/* Lists the log pages that stay, and copies what their kept roots reach. */
static enum otr_status
copy_log_trees(struct otr__copier *c, struct otr_error *err)
{
	const struct otr__slot *slot = &c->from->state.slot;
	struct otr__ref ref = slot->log;
	struct otr__log_page log;
	enum otr_status status = OTR_OK;

	otr__log_page_init(&log);
	while (status == OTR_OK && ref.page != 0) {
		bool first;

		status = meet(c, &ref, &first, err);
		if (status == OTR_OK && !first)
			status = otr__fail(err, OTR_E_CORRUPT, "4.5-4", "log page %llu is reached twice", (unsigned long long)ref.page);
		if (status == OTR_OK && !add_ref(&c->log, &ref))
			status = no_memory(err);
		if (status == OTR_OK)
			status = decode_log(c, &ref, &log, err);
		if (status == OTR_OK)
			status = copy_kept(c, log.record, log.records, err);
		if (status != OTR_OK || log.links.first_version <= slot->oldest_version)
			break;
		ref = log.links.prev;
	}
	otr__log_page_release(&log);
	return status;
}

enum otr_status
otr__copier_trees(struct otr__copier *c, struct otr_error *err)
{
	const struct otr__slot *slot = &c->from->state.slot;
	struct otr__record record[OTR__RECORDS_MAX];
	uint32_t records;
	enum otr_status status = begin_pass(c, err);

	if (status == OTR_OK)
		status = copy_tree(c, &slot->root, slot->tree_rows, err);
	if (status == OTR_OK)
		status = otr__slot_records(slot, &c->from->header.schema, NULL, record, &records, err);
	if (status == OTR_OK)
		status = copy_kept(c, record, records, err);
	return status == OTR_OK ? copy_log_trees(c, err) : status;
}

/* ---- metadata ------------------------------------------------------------------------------------------------------------ */

static enum otr_status
read_meta(struct otr__copier *c, const struct otr__ref *ref, struct otr__meta_page *meta, struct otr_error *err)
{
	const uint8_t *page;
	enum otr_status status = otr__store_read(&c->from->store, ref, OTR__META, 0, &page, NULL, err);

	if (status == OTR_OK)
		status = otr__meta_decode(page, c->from->header.schema.page_bytes, meta, err);
	if (status != OTR_OK)
		otr__fail_place(err, (int64_t)ref->page, -1);
	return status;
}

/* The pages of all chains that a kept version reads, newest chain first, each from its first page to its last. */
static enum otr_status
list_metadata(struct otr__copier *c, struct ref_list *list, struct otr_error *err)
{
	struct otr__ref ref = c->from->state.slot.metadata, previous = { .page = 0 };
	uint64_t generation = ref.generation;
	bool head = true;

	while (ref.page != 0) {
		struct otr__meta_page meta;
		bool first;
		enum otr_status status = meet(c, &ref, &first, err);

		if (status == OTR_OK && !first)
			status = otr__fail(err, OTR_E_CORRUPT, "5.6-2", "metadata page %llu is reached twice", (unsigned long long)ref.page);
		if (status == OTR_OK)
			status = read_meta(c, &ref, &meta, err);
		if (status == OTR_OK && !add_ref(list, &ref))
			status = no_memory(err);
		if (status != OTR_OK)
			return status;
		if (head) {
			previous = meta.previous;
			generation = ref.generation;
		}
		head = meta.next.page == 0;
		if (!head)
			ref = meta.next;
		else if (generation <= c->from->state.slot.oldest_version)
			break;
		else
			ref = previous;
	}
	return OTR_OK;
}

/* From the last page of the oldest chain to the first of the newest. */
static enum otr_status
copy_metadata(struct otr__copier *c, struct otr_error *err)
{
	struct ref_list list = { .n = 0 };
	struct otr__ref after = { .page = 0 }, older = { .page = 0 };
	uint64_t number;
	size_t i;
	enum otr_status status = list_metadata(c, &list, err);

	number = c->next += list.n;
	for (i = list.n; status == OTR_OK && i > 0; i--) {
		struct otr__meta_page meta, before = { .next = { .page = 0 } };
		bool head;

		/* the first of a chain comes behind the last of the chain before; read first, since a page is only lent until the next */
		if (i > 1)
			status = read_meta(c, &list.ref[i - 2], &before, err);
		head = before.next.page == 0;
		if (status == OTR_OK)
			status = read_meta(c, &list.ref[i - 1], &meta, err);
		if (status != OTR_OK)
			break;
		if (meta.next.page != 0)
			meta.next = after;
		meta.previous = head ? older : (struct otr__ref){ .page = 0 };
		otr__meta_encode(c->page, c->from->header.schema.page_bytes, &meta);
		status = write_page(c, OTR__META, 0, --number, list.ref[i - 1].generation, &after, err);
		if (head)
			older = after;
	}
	c->slot.metadata = older;
	free(list.ref);
	return status;
}

/* ---- the log ------------------------------------------------------------------------------------------------------------- */

/* What the log has become so far. */
struct chain {
	struct otr__ref newest;              /* page 0: none yet */
	struct otr__log_links links;         /* of that page */
};

static enum otr_status
patch_kept(struct otr__copier *c, struct otr__record *record, uint32_t records, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	uint32_t i;

	for (i = 0; status == OTR_OK && i < records; i++) {
		/* roots that only pruned versions read are not there */
		if (record[i].has_kept && record[i].version <= c->from->state.slot.oldest_version)
			record[i].has_kept = false;
		if (record[i].has_kept)
			status = translate(c, &record[i].kept.root, err);
	}
	return status;
}

/* The record nearest the middle at which a page may be cut: not within a full group.  0: there is none. */
static uint32_t
place_to_cut(const struct otr__log_page *log)
{
	uint32_t best = 0, middle = log->records / 2, i, g = 0;

	for (i = 1; i < log->records; i++) {
		while (g < log->groups && log->group[g].record + log->group[g].records <= i)
			g++;
		if (g < log->groups && log->group[g].record < i)
			continue;
		if (best == 0 || (i <= middle ? middle - i : i - middle) < (best <= middle ? middle - best : best - middle))
			best = i;
	}
	return best;
}

/* Records [from, to) of log, with their groups and rows, as a page of their own. */
static enum otr_status
part_of(const struct otr__log_page *log, const struct otr_schema *schema, uint32_t from, uint32_t to, struct otr__log_page *part, struct otr_error *err)
{
	uint32_t i;
	size_t n = 0;

	for (i = from; i < to; i++)
		if (!otr__log_page_add(part, &log->record[i]))
			return no_memory(err);
	part->group = calloc((size_t)log->groups + 1, sizeof *part->group);
	if (part->group == NULL || !otr__rows_init(&part->rows, schema->columns, log->rows.n + 16))
		return no_memory(err);
	part->group_capacity = log->groups + 1;
	for (i = 0; i < log->groups; i++) {
		const struct otr__group *g = &log->group[i];
		uint32_t k;

		if (g->record < from || g->record >= to)
			continue;
		n = g->carried;
		for (k = 0; k < g->records; k++)
			n += log->record[g->record + k].row_count;
		part->group[part->groups] = *g;
		part->group[part->groups].record = g->record - from;
		part->group[part->groups++].row = (uint32_t)part->rows.n;
		otr__rows_append(&part->rows, &log->rows, g->row, g->row + n);
	}
	return OTR_OK;
}

/*
 * Writes records as one page behind the chain; as two, where patched references no longer fit into one (at most 16 times, since each has half the records).  The first
 * of two takes the generation of a commit that could have written it: the version after its last.
 */
static enum otr_status
write_log(struct otr__copier *c, struct chain *chain, struct otr__log_page *log, uint64_t generation, struct otr_error *err)
{
	const struct otr_schema *schema = &c->from->header.schema;
	struct otr__log_page half;
	bool nomem;
	uint32_t cut, i;
	enum otr_status status;

	log->links = (struct otr__log_links){ .skip_least_ns = INT64_MAX };
	if (chain->newest.page != 0) {
		status = otr__log_links_after(&c->out, schema, 0, &chain->newest, &chain->links, &log->links, err);
		if (status != OTR_OK)
			return status;
	}
	if (otr__log_page_encode(c->page, schema->page_bytes, schema, log, c->from->scratch, &nomem) > 0) {
		chain->links = log->links;
		c->live++;
		return write_page(c, OTR__LOG, 0, c->next++, generation, &chain->newest, err);
	}
	if (nomem)
		return no_memory(err);
	cut = place_to_cut(log);
	if (cut == 0)
		return otr__fail(err, OTR_E_LIMIT, "4.5", "a group of log records does not fit into a page any more");
	status = OTR_OK;
	for (i = 0; i < 2 && status == OTR_OK; i++) {
		otr__log_page_init(&half);
		status = part_of(log, schema, i == 0 ? 0 : cut, i == 0 ? cut : log->records, &half, err);
		if (status == OTR_OK)
			status = write_log(c, chain, &half, i == 0 ? log->record[cut - 1].version + 1 : generation, err);
		otr__log_page_release(&half);
	}
	return status;
}

static enum otr_status
copy_log(struct otr__copier *c, struct otr_error *err)
{
	struct chain chain = { .newest = { .page = 0 } };
	struct otr__log_page log;
	size_t i;
	enum otr_status status = OTR_OK;

	c->live -= c->log.n;                 /* counted again as they are written */
	otr__log_page_init(&log);
	for (i = c->log.n; status == OTR_OK && i > 0; i--) {
		status = decode_log(c, &c->log.ref[i - 1], &log, err);
		if (status == OTR_OK)
			status = patch_kept(c, log.record, log.records, err);
		if (status == OTR_OK)
			status = write_log(c, &chain, &log, c->log.ref[i - 1].generation, err);
	}
	otr__log_page_release(&log);
	c->slot.log = chain.newest;
	return status;
}

/* ---- the slot ------------------------------------------------------------------------------------------------------------ */

/* The record area with the kept roots as they are now. */
static enum otr_status
copy_area(struct otr__copier *c, struct otr_error *err)
{
	const struct otr__slot *old = &c->from->state.slot;
	struct otr__record record[OTR__RECORDS_MAX];
	struct otr__put w = otr__put_into(c->slot.area, sizeof c->slot.area);
	uint32_t records, i;
	size_t carried = old->area_bytes;
	enum otr_status status = otr__slot_records(old, &c->from->header.schema, NULL, record, &records, err);

	if (status != OTR_OK)
		return status;
	for (i = 0; i < records; i++)
		carried -= otr__record_size(&record[i]);
	status = patch_kept(c, record, records, err);
	if (status != OTR_OK)
		return status;
	otr__add_bytes(&w, old->area, carried);
	for (i = 0; i < records; i++)
		otr__record_put(&w, &record[i]);
	c->slot.area_bytes = (uint16_t)(sizeof c->slot.area - w.left);
	return OTR_OK;
}

enum otr_status
otr__copier_finish(struct otr__copier *c, struct otr_error *err)
{
	enum otr_status status;

	c->slot = c->from->state.slot;
	c->slot.freed = c->slot.freed_now = 0;
	status = translate(c, &c->slot.root, err);
	if (status == OTR_OK)
		status = copy_metadata(c, err);
	if (status == OTR_OK)
		status = copy_log(c, err);
	if (status == OTR_OK)
		status = copy_area(c, err);
	c->slot.page_count = c->next;
	c->slot.live_pages = c->live;
	return status == OTR_OK ? otr__start_write(c->to, &c->from->header, &c->slot, err) : status;
}
