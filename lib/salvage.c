/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * salvage.c - otr_salvage: the rows that can be read of a damaged file, into a new one (SPEC 10.5).
 *
 *      look    header or its copy, slots; walks the state's tree: which pages are good, and which stretches of time are lost with the others
 *      scan    if something is lost: every page that the walk did not reach, by its own checksum, number and file id
 *      write   walks the tree again, rows into a builder; a lost stretch is filled from leaves that were scanned (overlay.c); riding rows; metadata; slot
 *
 * Both walks take the same turns: the second believes no page that the first did not find good, and if one has become bad meanwhile, a writer is at work, and all of
 * it begins again.  Nothing is ever written to the file that is salvaged.
 *
 * Hostile files: a page is entered once a walk, so a walk ends after as many pages as the file has; the depth is that of levels, 15; what is scanned is a claim a
 * page; what is put in order and read for all stretches together is a multiple of what was scanned (WORK_EACH).  Each page counts for what its own bytes prove, under
 * the checks that readers use.
 *
 * Memory: 2 bits a page; a page a level; a decoded leaf; a stretch for each run of lost pages; 72 bytes a page that the tree does not reach, and what overlay.h says.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "findings.h"
#include "fold.h"
#include "inner.h"
#include "metadata.h"
#include "overlay.h"
#include "scratch.h"
#include "start.h"
#include "watch.h"

/* Of the findings those of bad pages; and stretches, which are told one by one. */
#define PAGES_TOLD 900
#define STRETCHES_TOLD 1000
#define ATTEMPTS 20
/* How often scanned pages are put in order anew, where stretches have other limits: reading all inner pages for each of them would take a hostile file's word for it. */
#define ORDERS_MAX 64
/*
 * Leaves that are put in order, and pieces of them that are read, for each leaf that was scanned and each stretch: in a file that was ever written by a writer, a time has some versions
 * of a leaf.  A crafted one may have thousands of leaves over all of time, for thousands of stretches.
 */
#define WORK_EACH 16
#define WORK_MORE 65536
/* Leaves that are passed over cost so much less. */
#define PASSED_EACH 64
/* The only version of the new file. */
#define NEW_VERSION 1

/* A stretch of time whose pages are lost. */
struct stretch {
	int64_t first_ns, last_ns;           /* inclusive */
	uint64_t oldest, newest;             /* generations of pages that may stand in for them */
	bool rows_known;
	uint64_t rows, found;
};

/* What is known of a page before it is read. */
struct promise {
	struct otr__ref ref;
	int level;                           /* -1: of a root */
	uint64_t rows;
	bool times_known;
	int64_t first_ns, last_ns;           /* where not known: what the slot says of the series */
};

struct salvage {
	const struct otr_salvage_options *o;
	const char *out;
	struct otr_io io, new_file, replaced;
	struct otr__header header;
	struct otr__state state;
	bool has_state;
	struct otr__scratch *scratch;
	struct otr__rows rows, ride;
	uint8_t *page[OTR__LEVEL_MAX + 1];   /* of the walk; [0]: a leaf, or a page whose level is not known yet */
	uint8_t *scanned;                    /* a page that the walk does not reach */
	uint64_t pages, first_page;
	struct otr__watch watch;
	uint8_t *good, *visited;             /* a bit a page: found good by the first walk; entered by this one */
	bool writing;                        /* the second walk */
	bool in_stretch;                     /* the walk is in a run of lost pages */
	bool again;                          /* what was good is no more */
	struct stretch *stretch;
	size_t stretches, stretch_capacity, next_stretch;
	/* pages that the walk did not reach, ascending */
	struct otr__claim *claim;
	size_t claims, claim_capacity;
	int64_t *reach_ns;                   /* [leaves] the greatest last_ns of leaf[0..i] */
	uint64_t exhausted;                  /* stretches that were left alone then */
	uint64_t work;                       /* left of what WORK_EACH allows */
	const struct otr__claim **leaf;      /* [claims] those of them that are leaves, by first_ns; then room for as many */
	size_t leaves;
	uint64_t ordered_for;                /* newest generation that ranks were given for */
	unsigned orders;
	/* the new file */
	struct otr__header new_header;
	struct otr__store store, new_store;
	struct otr__space space;
	struct otr__builder *builder;
	int64_t last_ns;
	uint8_t digits;
	uint64_t written, found_rows, dropped;
	/* findings */
	struct otr__findings findings;
};

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

/* ---- findings -------------------------------------------------------------------------------------------------------------- */

static enum otr_status
find(struct salvage *s, struct otr_error *err, enum otr_place place, uint64_t number, bool note, const char *spec, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

static enum otr_status
find(struct salvage *s, struct otr_error *err, enum otr_place place, uint64_t number, bool note, const char *spec, const char *format, ...)
{
	char text[sizeof ((struct otr_error *)0)->text];
	va_list args;

	if (place == OTR_PLACE_PAGE && !s->writing && s->findings.n >= PAGES_TOLD)
		return OTR_OK;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return otr__findings_add(&s->findings, place, number, note, spec, text, err);
}

/* A page's or slot's failure that a salvage goes on after; others (memory, the caller's will) end it. */
static bool
is_loss(enum otr_status status)
{
	return status == OTR_E_CORRUPT || status == OTR_E_TRUNCATED || status == OTR_E_UNSUPPORTED || status == OTR_E_IO;
}

/* ---- pages ----------------------------------------------------------------------------------------------------------------- */

static bool
has_bit(const uint8_t *bits, uint64_t page)
{
	return (bits[page / 8] >> (page & 7) & 1) != 0;
}

static void
set_bit(uint8_t *bits, uint64_t page)
{
	bits[page / 8] = (uint8_t)(bits[page / 8] | 1u << (page & 7));
}

static bool
room_for_level(struct salvage *s, unsigned level)
{
	if (s->page[level] == NULL)
		s->page[level] = malloc(s->header.schema.page_bytes);
	return s->page[level] != NULL;
}

/* The bytes of a page that the file has. */
static enum otr_status
read_bytes(struct salvage *s, uint64_t page, uint8_t *bytes, struct otr_error *err)
{
	enum otr_status status = otr__watch_page(&s->watch, err);

	if (status != OTR_OK)
		return status;
	return otr__io_read(&s->io, page * s->header.schema.page_bytes, bytes, s->header.schema.page_bytes, err);
}

/* What a sound page of the tree's kinds says of itself. */
struct content {
	uint8_t level;
	uint32_t entries;                    /* of an inner page */
	uint64_t rows;
	int64_t first_ns, last_ns;
};

/* Checks the payload of a page whose header is checked; a leaf is decoded into s->rows. */
static enum otr_status
read_content(struct salvage *s, const uint8_t *bytes, uint8_t level, struct content *c, struct otr_error *err)
{
	const struct otr_schema *schema = &s->header.schema;
	struct otr__entry e;
	enum otr_status status;
	uint32_t i;

	*c = (struct content){ .level = level };
	if (level == 0) {
		status = otr__leaf_decode(bytes, schema->page_bytes, schema, UINT64_MAX >> (64 - schema->columns), &s->rows, s->scratch, NULL, err);
		if (status != OTR_OK)
			return status;
		c->rows = s->rows.n;
		c->first_ns = s->rows.time_ns[0];
		c->last_ns = s->rows.time_ns[s->rows.n - 1];
		return OTR_OK;
	}
	status = otr__inner_check(bytes, schema->page_bytes, schema->columns, &c->entries, err);
	for (i = 0; status == OTR_OK && i < c->entries; i++) {
		otr__inner_entry(bytes, schema->columns, i, &e);
		c->rows += e.rows;
		if (i == 0)
			c->first_ns = e.first_ns;
		c->last_ns = e.last_ns;
	}
	return status;
}

/* The page that a parent or the slot speaks of, into s->page[its level]. */
static enum otr_status
read_promised(struct salvage *s, const struct promise *p, struct content *c, struct otr_error *err)
{
	struct otr__expect expect = { .type = OTR__INNER, .level = p->level };
	unsigned at = p->level > 0 ? (unsigned)p->level : 0;
	uint8_t level;
	enum otr_status status;

	if (p->ref.page < s->first_page)
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "reference to page %llu, which cannot be", (unsigned long long)p->ref.page);
	if (p->ref.page >= s->pages)
		return otr__fail(err, OTR_E_TRUNCATED, "5.2-2", "truncated: the page lies beyond the end of the file");
	if (has_bit(s->visited, p->ref.page))
		return otr__fail(err, OTR_E_CORRUPT, "5.3-6", "the page is reached twice");
	set_bit(s->visited, p->ref.page);
	if (s->writing && !has_bit(s->good, p->ref.page))
		return otr__fail(err, OTR_E_CORRUPT, "", "the page was found bad before");
	if (!room_for_level(s, at))
		return no_memory(err);
	status = read_bytes(s, p->ref.page, s->page[at], err);
	if (status != OTR_OK)
		return status;
	/* the root is a leaf if it says so */
	if (p->level == 0 || (p->level < 0 && s->page[at][4] == OTR__LEAF))
		expect.type = OTR__LEAF;
	status = otr__page_check(s->page[at], s->header.schema.page_bytes, &p->ref, s->header.file_id, &expect, &level, err);
	if (status != OTR_OK)
		return status;
	if (level != at) {
		uint8_t *bytes = s->page[at];

		s->page[at] = s->page[level];
		s->page[level] = bytes;
	}
	status = read_content(s, s->page[level], level, c, err);
	if (status == OTR_OK && c->rows != p->rows)
		status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "its rows are not the %llu that are said of it", (unsigned long long)p->rows);
	if (status == OTR_OK && p->times_known && (c->first_ns != p->first_ns || c->last_ns != p->last_ns))
		status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "its times are not those that its parent says");
	return status;
}

/* ---- rows out -------------------------------------------------------------------------------------------------------------- */

/* Rows [from, to) of rows.  Times that would go back, which only a file has whose bytes lie about their order, are left out. */
static enum otr_status
put_rows(struct salvage *s, const struct otr__rows *rows, size_t from, size_t to, struct otr_error *err)
{
	size_t start = otr__lower_bound(rows->time_ns, rows->n, s->last_ns), i;
	enum otr_status status;

	if (start > to)
		start = to;
	if (from < start) {
		s->dropped += start - from;
		from = start;
	}
	if (from >= to)
		return OTR_OK;
	for (i = from; i < to && s->digits < 9; i++) {
		uint8_t digits = otr__fold_digits(rows->time_ns[i]);

		if (s->digits < digits)
			s->digits = digits;
	}
	status = otr__builder_append(s->builder, rows, from, to, err);
	if (status != OTR_OK)
		return status;
	s->last_ns = rows->time_ns[to - 1];
	s->written += to - from;
	return OTR_OK;
}

static size_t
behind(const int64_t *time_ns, size_t n, int64_t last_ns)
{
	return last_ns == INT64_MAX ? n : otr__lower_bound(time_ns, n, last_ns + 1);
}

/* ---- what was scanned, in order ---------------------------------------------------------------------------------------------- */

static struct otr__claim *
claim_of(struct salvage *s, uint64_t page)
{
	size_t from = 0, n = s->claims;

	while (n > 0) {
		size_t half = n / 2;

		if (s->claim[from + half].ref.page < page) {
			from += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return from < s->claims && s->claim[from].ref.page == page ? &s->claim[from] : NULL;
}

/* A scanned page once more, into s->scanned, and a leaf into s->rows too. */
static enum otr_status
read_claim(struct salvage *s, const struct otr__claim *k, struct content *c, struct otr_error *err)
{
	struct otr__expect expect = { .type = k->level == 0 ? OTR__LEAF : OTR__INNER, .level = k->level };
	enum otr_status status;

	status = read_bytes(s, k->ref.page, s->scanned, err);
	if (status == OTR_OK)
		status = otr__page_check(s->scanned, s->header.schema.page_bytes, &k->ref, s->header.file_id, &expect, NULL, err);
	if (status == OTR_OK)
		status = read_content(s, s->scanned, k->level, c, err);
	s->again = s->again || is_loss(status);
	return status;
}

/* What an inner page that was scanned says of its children. */
static enum otr_status
rank_children(struct salvage *s, const struct otr__claim *parent, struct otr_error *err)
{
	uint32_t columns = s->header.schema.columns, i;
	struct otr__entry before = { .rows = 0 }, e, after;
	struct content c;
	enum otr_status status = read_claim(s, parent, &c, err);

	for (i = 0; status == OTR_OK && i < c.entries; i++, before = e) {
		struct otr__claim *child;

		otr__inner_entry(s->scanned, columns, i, &e);
		child = claim_of(s, e.child.page);
		if (child == NULL || !otr__ref_equal(&child->ref, &e.child) || child->level + 1 != parent->level || child->first_ns != e.first_ns ||
		    child->last_ns != e.last_ns || child->rank > parent->rank)
			continue;
		child->rank = parent->rank;
		child->after_ns = i > 0 ? before.last_ns : parent->after_ns;
		child->before_ns = parent->before_ns;
		if (i + 1 < c.entries) {
			otr__inner_entry(s->scanned, columns, i + 1, &after);
			child->before_ns = after.first_ns;
		}
	}
	return status;
}

static int
by_first_time(const void *x, const void *y)
{
	const struct otr__claim *a = *(const struct otr__claim *const *)x, *b = *(const struct otr__claim *const *)y;

	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	return a->ref.page < b->ref.page ? -1 : a->ref.page > b->ref.page;
}

/* Gives each page the rank of the newest that reaches it, of generations up to `newest`: from the highest level down. */
static enum otr_status
rank_claims(struct salvage *s, uint64_t newest, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	unsigned level;
	size_t i;

	s->ordered_for = newest;
	s->orders++;
	for (i = 0; i < s->claims; i++) {
		struct otr__claim *k = &s->claim[i];

		k->rank = k->ref.generation;
		k->after_ns = k->first_ns;
		k->before_ns = k->last_ns;
	}
	for (level = OTR__LEVEL_MAX; level > 0; level--)
		for (i = 0; i < s->claims && status == OTR_OK; i++)
			if (s->claim[i].level == level && s->claim[i].ref.generation <= newest)
				status = rank_children(s, &s->claim[i], err);
	return status;
}

/* ---- lost stretches ---------------------------------------------------------------------------------------------------------- */

static enum otr_status
add_stretch(struct salvage *s, const struct stretch *lost, struct otr_error *err)
{
	if (s->stretches == s->stretch_capacity) {
		size_t capacity = s->stretch_capacity == 0 ? 16 : 2 * s->stretch_capacity;
		struct stretch *grown = realloc(s->stretch, capacity * sizeof *grown);

		if (grown == NULL)
			return no_memory(err);
		s->stretch = grown;
		s->stretch_capacity = capacity;
	}
	s->stretch[s->stretches++] = *lost;
	return OTR_OK;
}

static void
spend(struct salvage *s, uint64_t work)
{
	s->work -= work < s->work ? work : s->work;
}

/* Leaves that were scanned, in place of what is lost. */
static enum otr_status
fill(struct salvage *s, struct stretch *lost, struct otr_error *err)
{
	/* without a slot nobody knows the policy, and equal times may be rows of their own */
	bool keep = !s->has_state || s->state.slot.policies.duplicates == OTR_KEEP;
	const struct otr__claim **room = s->leaf + s->claims;
	struct otr__piece *piece = NULL;
	size_t i, from, n = 0, pieces = 0;
	uint64_t before = s->written;
	enum otr_status status = OTR_OK;

	if (s->leaves == 0)
		return OTR_OK;
	if (s->work == 0)
		return s->exhausted++ == 0 ? find(s, err, OTR_PLACE_FILE, 0, false, "10.5-3", "so many pages overlap in time that only some were tried") : OTR_OK;
	if (s->orders == 0 || (s->ordered_for != lost->newest && s->orders < ORDERS_MAX))
		status = rank_claims(s, lost->newest, err);
	from = otr__lower_bound(s->reach_ns, s->leaves, lost->first_ns);
	for (i = from; i < s->leaves && s->leaf[i]->first_ns <= lost->last_ns; i++)
		if (s->leaf[i]->last_ns >= lost->first_ns && s->leaf[i]->ref.generation >= lost->oldest && s->leaf[i]->ref.generation <= lost->newest)
			room[n++] = s->leaf[i];
	if (status == OTR_OK)
		status = otr__overlay(room, n, lost->first_ns, lost->last_ns, keep, &piece, &pieces, err);
	spend(s, (i - from) / PASSED_EACH + n + pieces);
	for (i = 0; i < pieces && status == OTR_OK; i++) {
		struct content c;

		status = read_claim(s, piece[i].leaf, &c, err);
		if (status == OTR_OK)
			status = put_rows(s, &s->rows, otr__lower_bound(s->rows.time_ns, s->rows.n, piece[i].first_ns),
			    behind(s->rows.time_ns, s->rows.n, piece[i].last_ns), err);
	}
	free(piece);
	lost->found = s->written - before;
	s->found_rows += lost->found;
	return status;
}

/* The walk meets a sound leaf, or its end. */
static enum otr_status
leave_stretch(struct salvage *s, struct otr_error *err)
{
	bool was = s->in_stretch;

	s->in_stretch = false;
	return was && s->writing ? fill(s, &s->stretch[s->next_stretch++], err) : OTR_OK;
}

/* The walk meets a page that it cannot have. */
static enum otr_status
lose(struct salvage *s, const struct promise *p, const struct otr_error *why, struct otr_error *err)
{
	int64_t horizon_ns = s->state.slot.horizon_ns;
	struct stretch lost = { .first_ns = p->first_ns < horizon_ns ? horizon_ns : p->first_ns, .last_ns = p->last_ns, .newest = p->ref.generation,
		.rows_known = true, .rows = p->rows };
	enum otr_status status;

	/* a root counts those that expired, too; the slot does not */
	if (p->level < 0) {
		uint64_t left = s->state.slot.rows > s->ride.n ? s->state.slot.rows - s->ride.n : 0;

		lost.rows = left < lost.rows ? left : lost.rows;
	}

	if (s->writing) {
		s->in_stretch = true;
		return OTR_OK;
	}
	status = find(s, err, OTR_PLACE_PAGE, p->ref.page, false, why->spec, "%s", why->text);
	if (status != OTR_OK)
		return status;
	if (!s->in_stretch) {
		s->in_stretch = true;
		return add_stretch(s, &lost, err);
	}
	/* a run of lost pages is one stretch, for pages up to the newest of them */
	s->stretch[s->stretches - 1].last_ns = lost.last_ns;
	s->stretch[s->stretches - 1].rows += lost.rows;
	if (s->stretch[s->stretches - 1].newest < lost.newest)
		s->stretch[s->stretches - 1].newest = lost.newest;
	return OTR_OK;
}

/* ---- the tree ------------------------------------------------------------------------------------------------------------------ */

/* A leaf, decoded in s->rows, whose turn it is. */
static enum otr_status
take_leaf(struct salvage *s, struct otr_error *err)
{
	struct content c;
	enum otr_status status;

	if (!s->writing)
		return leave_stretch(s, err);
	if (s->in_stretch) {
		/* other leaves come first, and go through s->rows */
		status = leave_stretch(s, err);
		if (status == OTR_OK)
			status = read_content(s, s->page[0], 0, &c, err);
		if (status != OTR_OK)
			return status;
	}
	return put_rows(s, &s->rows, otr__lower_bound(s->rows.time_ns, s->rows.n, s->state.slot.horizon_ns), s->rows.n, err);
}

/* Depth: a level a step. */
static enum otr_status
visit(struct salvage *s, const struct promise *p, struct otr_error *err)
{
	struct otr_error why = { .status = OTR_OK };
	struct content c;
	struct otr__entry e;
	uint32_t i;
	bool was_good = s->writing && p->ref.page < s->pages && has_bit(s->good, p->ref.page) && !has_bit(s->visited, p->ref.page);
	enum otr_status status = read_promised(s, p, &c, &why);

	s->again = s->again || (was_good && is_loss(status));
	if (status != OTR_OK && (!is_loss(status) || s->again)) {
		if (err != NULL)
			*err = why;
		return status;
	}
	if (status != OTR_OK)
		return lose(s, p, &why, err);
	set_bit(s->good, p->ref.page);
	if (c.level == 0)
		return take_leaf(s, err);
	for (i = 0; i < c.entries && status == OTR_OK; i++) {
		otr__inner_entry(s->page[c.level], s->header.schema.columns, i, &e);
		if (e.last_ns >= s->state.slot.horizon_ns)       /* 8.5-1 */
			status = visit(s, &(struct promise){ .ref = e.child, .level = c.level - 1, .rows = e.rows, .times_known = true, .first_ns = e.first_ns,
			    .last_ns = e.last_ns }, err);
	}
	return status;
}

static enum otr_status
walk(struct salvage *s, struct otr_error *err)
{
	const struct otr__slot *slot = &s->state.slot;
	struct promise root = { .ref = slot->root, .level = -1, .rows = slot->tree_rows, .first_ns = slot->first_ns, .last_ns = slot->last_ns };
	enum otr_status status = OTR_OK;

	s->in_stretch = false;
	memset(s->visited, 0, (size_t)(s->pages / 8 + 1));
	/* what rides comes after the tree; under keep maybe at the same time */
	if (s->ride.n > 0 && root.last_ns >= s->ride.time_ns[0])
		root.last_ns = s->ride.time_ns[0] - (slot->policies.duplicates != OTR_KEEP);
	/* rows: without any, those of the tree have all expired */
	if (s->has_state && slot->root.page != 0 && slot->rows > 0 && slot->first_ns <= root.last_ns)
		status = visit(s, &root, err);
	return status == OTR_OK ? leave_stretch(s, err) : status;
}

/* ---- look ---------------------------------------------------------------------------------------------------------------------- */

/* The header, or its copy; a magic that is damaged too does not keep the copy from being used. */
static enum otr_status
read_headers(struct salvage *s, struct otr_error *err)
{
	static const uint64_t offset[2] = { 0, OTR__HEADER_COPY };
	uint8_t bytes[OTR__HEADER_BYTES];
	struct otr_error why[2];
	enum otr_status status[2];
	uint64_t size;
	int i, failure = s->io.size(s->io.self, &size);

	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot tell its size");
	for (i = 0; i < 2; i++) {
		status[i] = otr__io_read(&s->io, offset[i], bytes, sizeof bytes, &why[i]);
		if (status[i] == OTR_OK)
			status[i] = otr__header_decode(bytes, &s->header, &why[i]);
		if (status[i] == OTR_OK || status[i] == OTR_E_UNSUPPORTED)
			break;
	}
	if (i == 2 || status[i] != OTR_OK) {
		/* what is to be said then, a reader says */
		status[0] = i == 2 ? otr__read_header(&s->io, &s->header, NULL, err) : status[i];
		if (i < 2 && err != NULL)
			*err = why[i];
		if (status[0] != OTR_OK)
			return status[0];
		i = 0;                       /* it was being written */
	}
	if (size < OTR__START_BYTES)
		return otr__fail(err, OTR_E_TRUNCATED, "3.2-2", "truncated: %llu bytes, where an OTR file has at least 16384", (unsigned long long)size);
	if (s->header.unsupported_columns != 0)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.4", "a column's type is unknown, so its values cannot be written anew");
	s->first_page = s->header.schema.page_bytes < OTR__START_BYTES ? OTR__START_BYTES / s->header.schema.page_bytes : 1;
	if (i == 1)
		return find(s, err, OTR_PLACE_HEADER, 0, false, why[0].spec, "%s", why[0].text);
	status[1] = otr__io_read(&s->io, offset[1], bytes, sizeof bytes, &why[1]);
	if (status[1] == OTR_OK) {
		struct otr__header *copy = malloc(sizeof *copy);

		if (copy == NULL)
			return no_memory(err);
		status[1] = otr__header_decode(bytes, copy, &why[1]);
		free(copy);
	}
	return status[1] == OTR_OK ? OTR_OK : find(s, err, OTR_PLACE_HEADER, 1, false, why[1].spec, "%s", why[1].text);
}

/* The rows in the slot. */
static enum otr_status
read_riding(struct salvage *s, struct otr_error *err)
{
	const struct otr_schema *schema = &s->header.schema;
	struct otr__record record[OTR__RECORDS_MAX];
	struct otr__rows carried;
	struct otr_error why;
	uint32_t records;
	enum otr_status status;

	if (!otr__rows_init(&carried, schema->columns, 16))
		return no_memory(err);
	status = otr__slot_records(&s->state.slot, schema, &carried, record, &records, &why);
	if (status == OTR_OK)
		status = otr__log_riding(&s->state.slot, schema, &carried, record, records, &s->ride, &why);
	otr__rows_release(&carried);
	if (is_loss(status))
		return find(s, err, OTR_PLACE_SLOT, s->state.index, false, why.spec, "the rows in it are lost: %s", why.text);
	if (status != OTR_OK && err != NULL)
		*err = why;
	return status;
}

/* What is wrong with a slot, as otr_verify tells it. */
static enum otr_status
judge_slot(struct salvage *s, unsigned i, struct otr_error *err)
{
	struct otr__slot *slot = malloc(sizeof *slot);
	uint64_t version, incompat, next_version;
	enum otr__slot_condition c;
	struct otr_error why;

	if (slot == NULL)
		return no_memory(err);
	slot->features.incompat = 0;
	c = otr__slot_decode(s->state.bytes[i], &s->header, slot, &why);
	incompat = c == OTR__SLOT_SOUND || c == OTR__SLOT_FLIPPED ? slot->features.incompat : 0;
	free(slot);
	if (incompat != 0)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.2-4", "too new: it uses incompat features %#llx, this program reads format %d.%d without any",
		    (unsigned long long)incompat, OTR_FORMAT_MAJOR, OTR_FORMAT_MINOR);
	if (c == OTR__SLOT_FLIPPED && !otr__slot_was_cut(s->state.bytes[i]))
		return find(s, err, OTR_PLACE_SLOT, i, false, "4.2-2", "a stamp is not that of its version");
	if (c != OTR__SLOT_BAD)
		return OTR_OK;
	if (!s->has_state)
		return find(s, err, OTR_PLACE_SLOT, i, false, "4.2-7", "%s", why.text);
	version = s->state.slot.version;
	switch (otr__slot_judge(s->state.bytes[i], version, otr__slot_begins(&s->state.slot, &s->header.schema), &next_version)) {
	case OTR__VERDICT_TORN:
		return find(s, err, OTR_PLACE_SLOT, i, true, "4.2-4", "torn: a commit was cut before it was acknowledged");
	case OTR__VERDICT_OLDER:
		return find(s, err, OTR_PLACE_SLOT, i, false, "4.2-5", "an older one, damaged: %.180s", why.text);
	case OTR__VERDICT_DAMAGED:
		break;
	}
	return find(s, err, OTR_PLACE_SLOT, i, false, "4.2-6", "damaged, and newer than version %llu: %.150s", (unsigned long long)version, why.text);
}

static enum otr_status
read_slots(struct salvage *s, struct otr_error *err)
{
	struct otr_error why;
	enum otr_status status = otr__read_state(&s->io, &s->header, &s->state, NULL, &why);
	unsigned i;

	s->has_state = status == OTR_OK;
	if (!s->has_state && !is_loss(status)) {
		if (err != NULL)
			*err = why;
		return status;
	}
	status = OTR_OK;
	if (!s->has_state) {
		/* the bytes stay: whether they change is looked at later */
		s->state.slot = (struct otr__slot){ .horizon_ns = INT64_MIN };
		status = find(s, err, OTR_PLACE_FILE, 0, false, why.spec, "no slot tells its state: rows are taken from every page that is sound");
	}
	for (i = 0; i < 2 && status == OTR_OK; i++)
		status = judge_slot(s, i, err);
	return status == OTR_OK && s->has_state ? read_riding(s, err) : status;
}

/* After the first walk: the stretch behind all rows of the state, if another state may have been there. */
static enum otr_status
look_further(struct salvage *s, struct otr_error *err)
{
	const struct otr__slot *slot = &s->state.slot;
	struct stretch lost = { .first_ns = OTR_TIME_MIN, .last_ns = OTR_TIME_MAX, .newest = UINT64_MAX };

	if (!s->has_state)
		return add_stretch(s, &lost, err);
	if (!s->state.damaged)
		return OTR_OK;
	lost.oldest = slot->version + 1;
	if (slot->rows > 0)
		lost.first_ns = slot->last_ns < OTR_TIME_MAX ? slot->last_ns + 1 : slot->last_ns;
	if (lost.first_ns < slot->horizon_ns)
		lost.first_ns = slot->horizon_ns;
	return add_stretch(s, &lost, err);
}

/* Whether a writer has made a version since the slots were read: a page that seems bad may be one that was reused (SPEC 10.4-5). */
static bool
has_moved(struct salvage *s)
{
	struct otr__state *now = malloc(sizeof *now);
	struct otr_error ignored;
	enum otr_status status;
	bool moved;

	if (now == NULL)
		return false;
	/* what was read is compared, also where it is damaged */
	status = otr__read_state(&s->io, &s->header, now, NULL, &ignored);
	moved = (status == OTR_OK || is_loss(status)) && memcmp(now->bytes, s->state.bytes, sizeof now->bytes) != 0;
	free(now);
	return moved;
}

/* ---- scan ---------------------------------------------------------------------------------------------------------------------- */

/* Whether a page may stand in for anything that is lost. */
static bool
is_wanted(const struct salvage *s, uint64_t generation, int64_t first_ns, int64_t last_ns)
{
	size_t from = 0, n = s->stretches, i;

	/* stretches ascend */
	while (n > 0) {
		size_t half = n / 2;

		if (s->stretch[from + half].last_ns < first_ns) {
			from += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	for (i = from; i < s->stretches && s->stretch[i].first_ns <= last_ns; i++)
		if (generation >= s->stretch[i].oldest &&
		    generation <= s->stretch[i].newest)
			return true;
	return false;
}

static enum otr_status
add_claim(struct salvage *s, const struct otr__claim *k, struct otr_error *err)
{
	if (s->claims == s->claim_capacity) {
		size_t capacity = s->claim_capacity == 0 ? 64 : s->claim_capacity + s->claim_capacity / 2;
		struct otr__claim *grown = realloc(s->claim, capacity * sizeof *grown);

		if (grown == NULL)
			return no_memory(err);
		s->claim = grown;
		s->claim_capacity = capacity;
	}
	s->claim[s->claims++] = *k;
	s->leaves += k->level == 0;
	return OTR_OK;
}

/* A page by what it says of itself. */
static enum otr_status
scan_page(struct salvage *s, uint64_t page, struct otr_error *err)
{
	const uint8_t *b = s->scanned;
	struct otr__claim k = { .ref = { .page = page } };
	struct otr__expect expect = { .type = OTR__INNER, .level = -1 };
	struct otr_error why;
	struct content c;
	enum otr_status status = read_bytes(s, page, s->scanned, &why);

	if (status == OTR_OK) {
		k.ref.crc = otr__get32(b);
		k.ref.generation = otr__get64(b + 32);
		if (b[4] != OTR__INNER)
			expect.type = OTR__LEAF;
		status = otr__page_check(b, s->header.schema.page_bytes, &k.ref, s->header.file_id, &expect, &k.level, &why);
	}
	if (status == OTR_OK)
		status = read_content(s, b, k.level, &c, &why);
	if (is_loss(status))
		return OTR_OK;
	if (status != OTR_OK) {
		if (err != NULL)
			*err = why;
		return status;
	}
	k.first_ns = c.first_ns;
	k.last_ns = c.last_ns;
	return is_wanted(s, k.ref.generation, k.first_ns, k.last_ns) ? add_claim(s, &k, err) : OTR_OK;
}

static enum otr_status
scan(struct salvage *s, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	uint64_t page;
	size_t i, n = 0;

	if (s->stretches == 0)
		return OTR_OK;
	s->watch.total += s->pages;
	for (page = s->first_page; page < s->pages && status == OTR_OK; page++)
		if (!has_bit(s->good, page))
			status = scan_page(s, page, err);
	if (status != OTR_OK || s->leaves == 0)
		return status;
	s->leaf = malloc(2 * s->claims * sizeof *s->leaf);
	s->reach_ns = malloc(s->leaves * sizeof *s->reach_ns);
	if (s->leaf == NULL || s->reach_ns == NULL)
		return no_memory(err);
	for (i = 0; i < s->claims; i++)
		if (s->claim[i].level == 0)
			s->leaf[n++] = &s->claim[i];
	qsort(s->leaf, n, sizeof *s->leaf, by_first_time);
	for (i = 0; i < n; i++)
		s->reach_ns[i] = i > 0 && s->reach_ns[i - 1] > s->leaf[i]->last_ns ? s->reach_ns[i - 1] : s->leaf[i]->last_ns;
	s->work = WORK_EACH * ((uint64_t)s->leaves + s->stretches) + WORK_MORE;
	return OTR_OK;
}

/* ---- write --------------------------------------------------------------------------------------------------------------------- */

/* A builder on an empty file. */
static enum otr_status
begin_file(struct salvage *s, struct otr_error *err)
{
	struct otr__slot *empty = calloc(1, sizeof *empty);
	struct otr__root none = { .rows = 0 };
	enum otr_status status = empty == NULL ? no_memory(err) : otr__io_create(s->out, &s->new_file, err);
	int failure;

	if (status == OTR_OK) {
		s->new_header = (struct otr__header){ .major = OTR_FORMAT_MAJOR, .minor = OTR_FORMAT_MINOR, .schema = s->header.schema };
		s->new_header.created_ns = s->new_file.now_ns(s->new_file.self);
		failure = s->new_file.random(s->new_file.self, s->new_header.file_id, sizeof s->new_header.file_id);
		if (failure != 0)
			status = otr__fail_sys(err, failure, "no random bytes for the file's id");
		s->new_header.file_id[0] |= 1;       /* not all zero */
	}
	if (status == OTR_OK) {
		empty->page_count = s->first_page;
		if (!otr__store_init(&s->new_store, &s->new_file, &s->new_header) ||
		    !otr__space_init(&s->space, &s->new_store, s->new_header.file_id, empty, NEW_VERSION))
			status = no_memory(err);
	}
	if (status == OTR_OK)
		status = otr__builder_create(&s->space, &s->new_header.schema, s->scratch, &none, &s->builder, err);
	free(empty);
	return status;
}

/* What is written anew is checked by the rules for what is read. */
static enum otr_status
check_metadata(const uint8_t *stream, size_t len, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(stream, len);
	const uint8_t *key = NULL, *value;
	size_t key_len = 0, value_len;
	enum otr_status status;

	do
		status = otr__meta_next(&r, key, key_len, &key, &key_len, &value, &value_len, err);
	while (status == OTR_OK);
	return status == OTR_END ? OTR_OK : status;
}

static enum otr_status
copy_metadata(struct salvage *s, struct otr__slot *slot, struct otr_error *err)
{
	const struct otr__slot *old = &s->state.slot;
	struct otr_error why;
	uint8_t *stream = NULL;
	size_t len = 0;
	enum otr_status status;

	if (!s->has_state || old->metadata.page == 0)
		return OTR_OK;
	status = otr__metadata_read(&s->store, &old->metadata, old->version, &stream, &len, &why);
	if (status == OTR_OK) {
		status = check_metadata(stream, len, &why);
		if (status != OTR_OK) {
			free(stream);
			stream = NULL;
		}
	}
	if (is_loss(status) && has_moved(s)) {
		s->again = true;
		return OTR_E_EXPIRED;
	}
	if (is_loss(status))
		return find(s, err, OTR_PLACE_PAGE, why.page >= 0 ? (uint64_t)why.page : old->metadata.page, false, why.spec, "the metadata are lost: %s", why.text);
	if (status != OTR_OK) {
		if (err != NULL)
			*err = why;
		return status;
	}
	if (len > 0)
		status = otr__metadata_write(&s->space, stream, len, &slot->metadata, err);
	free(stream);
	return status;
}

/* The only slot of the new file. */
static enum otr_status
write_slot(struct salvage *s, const struct otr__root *root, struct otr__slot *slot, struct otr_error *err)
{
	struct otr__record record = otr__who_record(&(struct otr__who){ .author = s->o->author, .message = s->o->message }, OTR_KIND_COMPACT);
	struct otr__put w = otr__put_into(slot->area, otr__slot_room(0));
	enum otr_status status;

	slot->version = slot->oldest_version = NEW_VERSION;
	slot->commit_ns = s->new_header.created_ns;
	slot->minor = OTR_FORMAT_MINOR;
	slot->time_digits = s->digits;
	slot->root = root->ref;
	slot->tree_rows = slot->rows = slot->rows_ever = root->rows;
	slot->first_ns = root->rows > 0 ? root->first_ns : 0;
	slot->last_ns = root->rows > 0 ? root->last_ns : 0;
	slot->horizon_ns = INT64_MIN;
	if (s->has_state)
		slot->policies = s->state.slot.policies;
	record.version = slot->version;
	record.commit_ns = slot->commit_ns;
	record.time_digits = slot->time_digits;
	record.rows_ever = slot->rows_ever;
	record.rows = slot->rows;
	otr__record_put(&w, &record);
	slot->area_bytes = (uint16_t)otr__record_size(&record);
	status = otr__space_finish(&s->space, false, 0, slot, err);
	return status == OTR_OK ? otr__start_write(&s->new_file, &s->new_header, slot, err) : status;
}

static enum otr_status
write_file(struct salvage *s, struct otr_error *err)
{
	struct otr__root root = { .rows = 0 };
	struct otr__slot *slot = calloc(1, sizeof *slot);
	enum otr_status status = slot == NULL ? no_memory(err) : begin_file(s, err);

	s->writing = true;
	s->last_ns = INT64_MIN;
	if (status == OTR_OK)
		status = walk(s, err);
	if (status == OTR_OK && s->ride.n > 0)
		status = put_rows(s, &s->ride, otr__lower_bound(s->ride.time_ns, s->ride.n, s->state.slot.horizon_ns), s->ride.n, err);
	if (status == OTR_OK && s->next_stretch < s->stretches)
		status = fill(s, &s->stretch[s->next_stretch++], err);
	if (status == OTR_OK)
		status = otr__builder_finish(s->builder, &root, err);
	if (status == OTR_OK)
		status = copy_metadata(s, slot, err);
	if (status == OTR_OK)
		status = write_slot(s, &root, slot, err);
	if (status == OTR_OK && s->dropped > 0)
		status = find(s, err, OTR_PLACE_FILE, 0, false, "5.3-4", "%llu rows were left out: their times go back", (unsigned long long)s->dropped);
	free(slot);
	return status;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------- */

/* Forgets an attempt. */
static void
forget(struct salvage *s)
{
	otr__builder_free(s->builder);
	s->builder = NULL;
	otr__space_release(&s->space);
	otr__store_release(&s->new_store);
	otr__store_release(&s->store);
	if (s->new_file.self != NULL)
		s->new_file.close(s->new_file.self);
	s->new_file.self = NULL;
	otr__rows_release(&s->ride);
	free(s->good);
	free(s->visited);
	free(s->scanned);
	free(s->claim);
	free(s->leaf);
	free(s->reach_ns);
	s->reach_ns = NULL;
	s->good = s->visited = s->scanned = NULL;
	s->claim = NULL;
	s->leaf = NULL;
	s->claims = s->claim_capacity = s->leaves = s->stretches = s->next_stretch = s->findings.n = 0;
	s->orders = 0;
	s->exhausted = 0;
	s->digits = 0;
	s->written = s->found_rows = s->dropped = 0;
	s->writing = s->again = false;
}

/* After the slots are read: a writer may have made the file longer for what they name. */
static enum otr_status
count_pages(struct salvage *s, struct otr_error *err)
{
	uint64_t size;
	int failure = s->io.size(s->io.self, &size);

	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot tell its size");
	s->pages = size / s->header.schema.page_bytes;
	return OTR_OK;
}

static enum otr_status
attempt(struct salvage *s, struct otr_error *err)
{
	enum otr_status status = read_headers(s, err);

	if (status == OTR_OK)
		status = read_slots(s, err);
	if (status == OTR_OK)
		status = count_pages(s, err);
	if (status != OTR_OK)
		return status;
	s->watch = (struct otr__watch){ .go_on = s->o->go_on, .arg = s->o->arg, .total = 2 * s->pages };
	s->good = calloc(1, (size_t)(s->pages / 8 + 1));
	s->visited = calloc(1, (size_t)(s->pages / 8 + 1));
	s->scanned = malloc(s->header.schema.page_bytes);
	if (s->good == NULL || s->visited == NULL || s->scanned == NULL || !otr__store_init(&s->store, &s->io, &s->header) ||
	    (s->rows.memory == NULL && !otr__rows_init(&s->rows, s->header.schema.columns, 64)))
		return no_memory(err);
	status = walk(s, err);
	if (status == OTR_OK)
		status = look_further(s, err);
	if (status == OTR_OK && s->stretches > 0 && has_moved(s)) {
		s->again = true;
		return OTR_E_EXPIRED;
	}
	if (status == OTR_OK)
		status = scan(s, err);
	return status == OTR_OK ? write_file(s, err) : status;
}

static enum otr_status
check_out(struct salvage *s, struct otr_error *err)
{
	enum otr_status status = otr__who_check(&(struct otr__who){ .author = s->o->author, .message = s->o->message }, err);

	if (status != OTR_OK)
		return status;
	if (otr__io_is_at(&s->io, s->out))
		return otr__fail(err, OTR_E_ARG, "", "is the damaged file itself");
	if (s->o->replace)
		return otr__lock_replaced(s->out, s->o->wait_ns, &s->replaced, err);
	return otr__io_exists(s->out) ? otr__fail(err, OTR_E_EXISTS, "", "exists already") : OTR_OK;
}

static void
tell(const struct salvage *s, struct otr_salvage_result *result)
{
	size_t i;

	for (i = 0; i < s->findings.n; i++) {
		struct otr_finding what = otr__findings_at(&s->findings, i);

		result->losses += !what.note;
		if (s->o->lost != NULL)
			s->o->lost(s->o->arg, &(struct otr_loss){ .what = what });
	}
	for (i = 0; i < s->stretches; i++) {
		const struct stretch *t = &s->stretch[i];
		struct otr_loss loss = { .what = { .place = OTR_PLACE_FILE, .text = "rows are lost", .spec = "10.5" }, .rows_lost = true,
			.rows_known = t->rows_known, .rows = t->rows, .found = t->found };

		loss.start_ns = t->first_ns == OTR_TIME_MIN ? INT64_MIN : t->first_ns;
		loss.end_ns = t->last_ns >= OTR_TIME_MAX ? INT64_MAX : t->last_ns + 1;
		result->losses++;
		if (s->o->lost != NULL && i < STRETCHES_TOLD)
			s->o->lost(s->o->arg, &loss);
	}
}

static enum otr_status
run(struct salvage *s, struct otr_error *err)
{
	enum otr_status status = check_out(s, err);
	int i;

	for (i = 0; i < ATTEMPTS && status == OTR_OK; i++) {
		status = attempt(s, err);
		if (!s->again)
			break;
		forget(s);
		status = i + 1 < ATTEMPTS ? OTR_OK : otr__fail(err, OTR_E_EXPIRED, "10.4-5", "pages were reused by a writer, time and again");
	}
	return status == OTR_OK ? otr__io_publish(&s->new_file, s->o->replace, err) : status;
}

enum otr_status
otr_salvage(const char *in, const char *out, const struct otr_salvage_options *o, struct otr_salvage_result *result, struct otr_error *err)
{
	struct salvage *s = calloc(1, sizeof *s);
	enum otr_status status;
	unsigned level;

	if (s == NULL)
		return no_memory(err);
	s->o = o;
	s->out = out;
	s->scratch = otr__scratch_create();
	status = s->scratch == NULL ? no_memory(err) : otr__io_open(in, false, &s->io, err);
	if (status == OTR_OK)
		status = run(s, err);
	if (status == OTR_OK) {
		*result = (struct otr_salvage_result){ .rows = s->written, .found = s->found_rows, .has_version = s->has_state };
		if (s->has_state)
			result->version = s->state.slot.version;
		tell(s, result);
	}
	forget(s);
	if (s->replaced.self != NULL)
		s->replaced.close(s->replaced.self);
	if (s->io.self != NULL)
		s->io.close(s->io.self);
	for (level = 0; level <= OTR__LEVEL_MAX; level++)
		free(s->page[level]);
	otr__rows_release(&s->rows);
	otr__scratch_free(s->scratch);
	free(s->stretch);
	otr__findings_release(&s->findings);
	free(s);
	return status;
}
