/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.c - the check of a whole file (otr_verify of otr.h; SPEC 12, class V).
 *
 *      headers, slots --> for each sound slot, the newest first:
 *          its tree, kept roots       check_node: every page once; every entry against what its child holds, statistics to the last bit
 *          the log, newest to oldest  check_log: links and skip links, records, and whether each kept version has its rows
 *          metadata                   check_metadata: chains and streams
 *          its own numbers            check_rows: rows, first and last time, riding rows
 *      then what each slot reaches    mark_state: live_pages, the freed list, pages reached twice
 *
 * A page that several versions share is checked once; but each entry that names it is compared with it, so that a second reference which differs, or
 * makes other claims, is found.  Findings are kept until the end: beside a live writer a mismatch may come from a page that was reused meanwhile, so
 * if the newest version has moved, all of it is thrown away and the check begins again.
 *
 * Processor time is bounded by the size of the file, whatever it says: of a page that is named again its summary is remembered, a log page that two slots
 * reach is measured once, and the leaves behind full groups are read in order.
 *
 * Memory: 4 bits a page of the file, a page and its summary a level, 4 MiB of summaries, a decoded leaf, a log page, 2 MiB for what is put in order,
 * at most 1,000 findings.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "findings.h"
#include "log.h"
#include "meta.h"
#include "ride.h"
#include "verify.h"
#include "watch.h"

#define RESTARTS_MAX 20
/*
 * Pages that are remembered.  An inner page has room for eight entries at least, so its children's summaries are an eighth of it at most: this is enough for
 * all pages of a file of 32 MiB.
 */
#define MEMO_BYTES (4u << 20)
#define EARLY_MAX 32768u

/* What a page holds, as its parent's entry should say. */
struct summary {
	bool known;                          /* false: the page is bad, which has been said */
	uint64_t rows;
	int64_t first_ns, last_ns;
	struct otr__stats stats[OTR_MAX_COLUMNS];
};

/* A page that was found sound, and its summary beside it. */
struct memo {
	struct otr__ref ref;                 /* page 0: none */
	uint64_t rows;
	int64_t first_ns, last_ns, horizon_ns;
	unsigned level, digits;              /* digits: of a leaf, with that horizon */
};

/* A full group whose rows have to be compared with the last row of the tree on which they rode, row `index` of a leaf. */
struct early {
	struct otr__ref leaf;
	uint64_t index, page;                /* page: of the log */
	int64_t least_ns;
	bool keep;
};

/* A row of a full group, to be put in order of time. */
struct arrival {
	int64_t time_ns;
	uint32_t at;                         /* among the group's rows */
};

/* Work space of one level of a walk. */
struct frame {
	uint8_t *page;
	struct summary child;
};

struct verifier {
	struct otr_io io;
	struct otr__header header;
	struct otr__state state;
	struct otr__slot other;              /* the slot that is not the state, if state.has_other */
	struct otr__store store;
	struct otr__scratch *scratch;
	struct otr__rows rows;
	struct otr__log_page log;
	struct frame *frame[OTR__LEVEL_MAX + 1];
	uint64_t columns;                    /* whose types are known */
	uint64_t pages;                      /* of the file, as its size says */
	uint8_t *seen, *bad;                 /* a bit a page: checked; and found bad */
	uint8_t *reached[2];                 /* by the newest slot; by the other */
	bool moved;
	struct memo *memo;                   /* [memos], direct mapped by page */
	struct otr__stats *memo_stats;       /* [memos x columns] */
	uint32_t memos;
	struct arrival *arrival;             /* [2 x OTR__GROUP_ROWS_MAX], taken at first use */
	struct early *early;                 /* [EARLY_MAX], likewise */
	uint32_t early_n;
	struct otr__tree early_tree;         /* where the last one was found; early_known false: nowhere yet */
	struct otr__leaf_at early_at;
	bool early_known;
	uint32_t early_lost;                 /* how many could not be found */
	/* in force while one slot's state is checked */
	const struct otr__slot *slot;
	unsigned digits;                     /* of a second's fraction: the most that a row met so far needs */
	struct otr__watch watch;             /* told of each page that is read, again after it was forgotten too */
	/* findings */
	struct otr__findings findings;
	size_t faults;
};

/* ---- findings -------------------------------------------------------------------------------------------------------------- */

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

static enum otr_status
add(struct verifier *v, enum otr_place place, uint64_t number, bool note, const char *spec, const char *text, struct otr_error *err)
{
	size_t before = v->findings.n;
	enum otr_status status = otr__findings_add(&v->findings, place, number, note, spec, text, err);

	v->faults += !note && v->findings.n > before;
	return status;
}

static enum otr_status
find(struct verifier *v, struct otr_error *err, enum otr_place place, uint64_t number, const char *spec, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

static enum otr_status
find(struct verifier *v, struct otr_error *err, enum otr_place place, uint64_t number, const char *spec, const char *format, ...)
{
	char text[sizeof ((struct otr_error *)0)->text];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return add(v, place, number, false, spec, text, err);
}

static enum otr_status
note(struct verifier *v, struct otr_error *err, enum otr_place place, uint64_t number, const char *spec, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

static enum otr_status
note(struct verifier *v, struct otr_error *err, enum otr_place place, uint64_t number, const char *spec, const char *format, ...)
{
	char text[sizeof ((struct otr_error *)0)->text];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return add(v, place, number, true, spec, text, err);
}

/* Whether a writer has made a version since the slots were read, or between the one and the other: then the older one may be older than the file's. */
static bool
has_moved(struct verifier *v)
{
	struct otr__state *now = malloc(sizeof *now);
	struct otr_error second;

	if (now != NULL && otr__read_state(&v->io, &v->header, now, NULL, &second) == OTR_OK && memcmp(now->bytes, v->state.bytes, sizeof now->bytes) != 0)
		v->moved = true;
	free(now);
	return v->moved;
}

/*
 * A page could not be read or decoded: OTR_OK if that is now a finding, and the check can go on without it.  what: the error that was met.
 */
static enum otr_status
bad_page(struct verifier *v, uint64_t page, const struct otr_error *what, struct otr_error *err)
{
	if (what->status != OTR_E_CORRUPT && what->status != OTR_E_TRUNCATED) {
		if (err != NULL)
			*err = *what;
		return what->status;
	}
	if (has_moved(v))
		return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "a writer overtook the check");
	if (page < v->pages)
		v->bad[page >> 3] |= (uint8_t)(1u << (page & 7));
	return find(v, err, OTR_PLACE_PAGE, page, what->spec, "%s", what->text);
}

static bool
bit_of(const uint8_t *bits, uint64_t page)
{
	return (bits[page >> 3] >> (page & 7) & 1) != 0;
}

/* Sets a page's bit; whether it was clear. */
static bool
set_bit(uint8_t *bits, uint64_t page)
{
	bool clear = !bit_of(bits, page);

	bits[page >> 3] |= (uint8_t)(1u << (page & 7));
	return clear;
}

static uint64_t
first_page(const struct verifier *v)
{
	uint32_t page_bytes = v->header.schema.page_bytes;

	return page_bytes < OTR__START_BYTES ? OTR__START_BYTES / page_bytes : 1;
}

/*
 * Whether a reference leads into the file; if not, that is a finding of `place`, unless the page is known as missing already.
 */
static enum otr_status
check_ref(struct verifier *v, const struct otr__ref *ref, uint64_t generation, enum otr_place place, uint64_t number, bool *usable, struct otr_error *err)
{
	*usable = false;
	if (ref->page < first_page(v) || ref->page >= v->slot->page_count)
		return find(v, err, place, number, "5.2", "reference to page %llu, pages are %llu to %llu", (unsigned long long)ref->page,
		    (unsigned long long)first_page(v), (unsigned long long)(v->slot->page_count - 1));
	if (ref->generation > generation)
		return find(v, err, place, number, "5.3-2", "reference to page %llu of generation %llu, newer than %llu", (unsigned long long)ref->page,
		    (unsigned long long)ref->generation, (unsigned long long)generation);
	if (ref->page >= v->pages) {
		if (has_moved(v))
			return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "a writer overtook the check");
		return find(v, err, OTR_PLACE_PAGE, ref->page, "5.2-2", "truncated: it lies beyond the end of the file");
	}
	*usable = true;
	return OTR_OK;
}

/* ---- trees ---------------------------------------------------------------------------------------------------------------- */

static struct otr__stats_rule
rule_of(const struct otr_schema *schema, uint32_t c)
{
	return (struct otr__stats_rule){ .type = schema->column[c].type, .interpolation = schema->column[c].interpolation,
		.has_gap = schema->has_gap, .gap_ns = schema->gap_ns };
}

static struct frame *
frame_of(struct verifier *v, unsigned level)
{
	struct frame *f = v->frame[level];

	if (f != NULL)
		return f;
	f = malloc(sizeof *f);
	if (f == NULL)
		return NULL;
	f->page = malloc(v->header.schema.page_bytes);
	if (f->page == NULL) {
		free(f);
		return NULL;
	}
	v->frame[level] = f;
	return f;
}

static struct memo *
memo_of(struct verifier *v, uint64_t page)
{
	return &v->memo[page % v->memos];
}

/*
 * What was remembered of a page that is named again, but for its statistics; NULL: nothing.  With the other slot's horizon its rows have to be looked at anew.
 */
static const struct memo *
recall(struct verifier *v, const struct otr__ref *ref, struct summary *out)
{
	const struct memo *m = memo_of(v, ref->page);

	if (!otr__ref_equal(&m->ref, ref) || m->horizon_ns != v->slot->horizon_ns)
		return NULL;
	out->known = true;
	out->rows = m->rows;
	out->first_ns = m->first_ns;
	out->last_ns = m->last_ns;
	v->digits = m->digits > v->digits ? m->digits : v->digits;
	return m;
}

static void
remember(struct verifier *v, unsigned level, const struct otr__ref *ref, unsigned digits, const struct summary *s)
{
	struct memo *m = memo_of(v, ref->page);
	uint32_t columns = v->header.schema.columns;

	*m = (struct memo){ .ref = *ref, .rows = s->rows, .first_ns = s->first_ns, .last_ns = s->last_ns, .horizon_ns = v->slot->horizon_ns,
		.level = level, .digits = digits };
	memcpy(v->memo_stats + (size_t)(m - v->memo) * columns, s->stats, columns * sizeof s->stats[0]);
}

/* Rows before the horizon do not exist. */
static void
count_digits(struct verifier *v, const int64_t *time_ns, size_t n)
{
	size_t i;

	for (i = 0; i < n && v->digits < 9; i++) {
		unsigned digits = time_ns[i] % 1000000000 == 0 ? 0 : time_ns[i] % 1000000 == 0 ? 3 : time_ns[i] % 1000 == 0 ? 6 : 9;

		if (digits > v->digits && time_ns[i] >= v->slot->horizon_ns)
			v->digits = digits;
	}
}

static enum otr_status
check_leaf(struct verifier *v, const struct otr__ref *ref, struct summary *out, struct otr_error *err)
{
	const struct otr_schema *schema = &v->header.schema;
	struct otr_error what;
	const uint8_t *page;
	unsigned before = v->digits, digits;
	uint32_t c;
	enum otr_status status = otr__store_read(&v->store, ref, OTR__LEAF, 0, &page, NULL, &what);

	if (status == OTR_OK)
		status = otr__leaf_decode(page, schema->page_bytes, schema, v->columns, &v->rows, v->scratch, NULL, &what);
	if (status != OTR_OK)
		return bad_page(v, ref->page, &what, err);
	v->digits = 0;
	count_digits(v, v->rows.time_ns, v->rows.n);
	digits = v->digits;
	v->digits = digits > before ? digits : before;
	out->known = true;
	out->rows = v->rows.n;
	out->first_ns = v->rows.time_ns[0];
	out->last_ns = v->rows.time_ns[v->rows.n - 1];
	for (c = 0; c < schema->columns; c++) {
		struct otr__stats_rule rule = rule_of(schema, c);

		if ((v->columns >> c & 1) != 0)
			otr__stats_leaf(&out->stats[c], &rule, v->rows.time_ns, v->rows.value[c], v->rows.has_null[c] ? v->rows.present[c] : NULL,
			    v->rows.n);
	}
	remember(v, 0, ref, digits, out);
	return OTR_OK;
}

/* The first word in which two records differ. */
static const char *
differing(const struct otr__stats *a, const struct otr__stats *b)
{
	return a->count != b->count ? "count" : a->nans != b->nans ? "nans" : a->min != b->min ? "min" : a->max != b->max ? "max" :
	    a->sum[0] != b->sum[0] || a->sum[1] != b->sum[1] ? "sum" : a->m2 != b->m2 ? "m2" : a->first != b->first ? "first" :
	    a->last != b->last ? "last" : a->t_first != b->t_first ? "t_first" : a->t_last != b->t_last ? "t_last" :
	    a->area[0] != b->area[0] || a->area[1] != b->area[1] ? "area" : a->covered != b->covered ? "covered" : "rise";
}

/* Entry i of inner page `page` against what its child holds (SPEC 5.3-3). */
static enum otr_status
check_entry(struct verifier *v, uint64_t page, uint32_t i, const struct otr__entry *e, const struct otr__stats *stats, const struct summary *child,
    struct otr_error *err)
{
	uint32_t c;
	enum otr_status status = OTR_OK;

	if (e->rows != child->rows)
		status = find(v, err, OTR_PLACE_PAGE, page, "5.3-3", "entry %u: %llu rows, page %llu has %llu", (unsigned)i, (unsigned long long)e->rows,
		    (unsigned long long)e->child.page, (unsigned long long)child->rows);
	if (status == OTR_OK && (e->first_ns != child->first_ns || e->last_ns != child->last_ns))
		status = find(v, err, OTR_PLACE_PAGE, page, "5.3-3", "entry %u: times %lld to %lld, page %llu has %lld to %lld", (unsigned)i,
		    (long long)e->first_ns, (long long)e->last_ns, (unsigned long long)e->child.page, (long long)child->first_ns,
		    (long long)child->last_ns);
	for (c = 0; c < v->header.schema.columns && status == OTR_OK; c++)
		if ((v->columns >> c & 1) != 0 && !otr__stats_equal(&stats[c], &child->stats[c]))
			status = find(v, err, OTR_PLACE_PAGE, page, "6-1", "entry %u: %s of column %u is not that of page %llu", (unsigned)i,
			    differing(&stats[c], &child->stats[c]), (unsigned)c, (unsigned long long)e->child.page);
	return status;
}

/*
 * Checks a page at level and all below it that was not checked before; *out tells what it holds.  Returns OTR_OK (whatever was found), or what
 * ends the check.  Recursion: a level at a time, at most 15.
 */
static enum otr_status
check_node(struct verifier *v, unsigned level, const struct otr__ref *ref, struct summary *out, struct otr_error *err)
{
	const struct otr_schema *schema = &v->header.schema;
	bool fresh = set_bit(v->seen, ref->page), usable;
	struct otr__stats stats[OTR_MAX_COLUMNS];
	const struct memo *m;
	struct otr_error what;
	const uint8_t *page;
	struct frame *f;
	uint32_t n, i, c;
	enum otr_status status;

	out->known = false;
	if (!fresh && bit_of(v->bad, ref->page))
		return OTR_OK;
	if (!fresh && (m = recall(v, ref, out)) != NULL && m->level == level) {
		memcpy(out->stats, v->memo_stats + (size_t)(m - v->memo) * schema->columns, schema->columns * sizeof out->stats[0]);
		return OTR_OK;
	}
	out->known = false;
	status = otr__watch_page(&v->watch, err);
	if (status != OTR_OK)
		return status;
	if (level == 0)
		return check_leaf(v, ref, out, err);
	f = frame_of(v, level);
	if (f == NULL)
		return no_memory(err);
	status = otr__store_read(&v->store, ref, OTR__INNER, (int)level, &page, NULL, &what);
	if (status == OTR_OK)
		status = otr__inner_check(page, schema->page_bytes, schema->columns, &n, &what);
	if (status != OTR_OK)
		return bad_page(v, ref->page, &what, err);
	memcpy(f->page, page, schema->page_bytes);
	out->known = true;
	out->rows = 0;
	for (i = 0; i < n && v->findings.n < OTR__FINDINGS_MAX; i++) {
		struct otr__entry e;

		otr__inner_entry(f->page, schema->columns, i, &e);
		for (c = 0; c < schema->columns; c++)
			otr__inner_stats(f->page, schema->columns, i, c, &stats[c]);
		/* before the horizon nothing is followed: its pages may have been used again (8.5-1) */
		if (fresh && e.last_ns >= v->state.slot.horizon_ns) {
			status = check_ref(v, &e.child, ref->generation, OTR_PLACE_PAGE, ref->page, &usable, err);
			f->child.known = false;
			if (status == OTR_OK && usable)
				status = check_node(v, level - 1, &e.child, &f->child, err);
			if (status == OTR_OK && f->child.known)
				status = check_entry(v, ref->page, i, &e, stats, &f->child, err);
			if (status != OTR_OK)
				return status;
		}
		/* the page's own summary is that of its entries, right or wrong: so one wrong entry is one finding */
		out->rows += e.rows;
		out->last_ns = e.last_ns;
		if (i == 0)
			out->first_ns = e.first_ns;
		for (c = 0; c < schema->columns; c++) {
			struct otr__stats_rule rule = rule_of(schema, c);

			if (i == 0)
				out->stats[c] = stats[c];
			else if ((v->columns >> c & 1) != 0)
				otr__stats_merge(&out->stats[c], &stats[c], &rule);
		}
	}
	remember(v, level, ref, 0, out);
	return OTR_OK;
}

/* The level of a root, from its page header: it is checked against the reference right after. */
static enum otr_status
level_of(struct verifier *v, const struct otr__ref *ref, unsigned *level, struct otr_error *err)
{
	uint8_t head[8];
	enum otr_status status = otr__io_read(&v->io, ref->page * v->header.schema.page_bytes, head, sizeof head, err);

	/* anything else than an inner page of a possible level is taken for a leaf, and then found not to be one */
	*level = status == OTR_OK && head[4] == OTR__INNER && head[5] >= 1 && head[5] <= OTR__LEVEL_MAX ? head[5] : 0;
	return status;
}

/* A root that a slot or a record names, with all below it; *out need not have its statistics. */
static enum otr_status
check_tree(struct verifier *v, const struct otr__ref *root, uint64_t rows, uint64_t generation, enum otr_place place, uint64_t number,
    struct summary *out, struct otr_error *err)
{
	unsigned level;
	bool usable;
	struct otr_error what;
	enum otr_status status = check_ref(v, root, generation, place, number, &usable, err);

	out->known = false;
	if (status != OTR_OK || !usable || (bit_of(v->seen, root->page) && bit_of(v->bad, root->page)))
		return status;
	if (recall(v, root, out) == NULL) {        /* many records may keep one root */
		if (level_of(v, root, &level, &what) != OTR_OK)
			return bad_page(v, root->page, &what, err);
		status = check_node(v, level, root, out, err);
	}
	if (status == OTR_OK && out->known && out->rows != rows)
		status = find(v, err, place, number, "5.3-7", "%llu rows of the tree, its root (page %llu) has %llu", (unsigned long long)rows,
		    (unsigned long long)root->page, (unsigned long long)out->rows);
	return status;
}

/* ---- the log -------------------------------------------------------------------------------------------------------------- */

/* The root from which versions are read while the log is walked from the newest record back (SPEC 8.2). */
struct walk {
	struct otr__ref root;
	uint64_t base_row, tree_rows;
	uint64_t newest_kept;                /* version of the newest record with a kept root, 0: none yet */
	uint64_t later;                      /* version of the record after this one */
	bool after;                          /* there is one; and what it says: */
	enum otr_place place;
	uint64_t number, version, rows, added, removed;
	int64_t least_ns;
};

/* A kept root, met on the way back: the versions before its record read from it. */
static enum otr_status
check_kept(struct verifier *v, struct walk *w, const struct otr__record *r, enum otr_place place, uint64_t number, struct summary *work,
    struct otr_error *err)
{
	if (!r->has_kept)
		return OTR_OK;
	if (w->newest_kept == 0)
		w->newest_kept = r->version;
	w->root = r->kept.root;
	w->base_row = r->kept.base_row;
	w->tree_rows = r->kept.tree_rows;
	/* the roots of pruned versions may be gone, SPEC 9.5 */
	if (r->version <= v->slot->oldest_version)
		return OTR_OK;
	return check_tree(v, &r->kept.root, r->kept.tree_rows, r->version, place, number, work, err);
}

/* That the record after r counts on from r, where nothing can have expired (SPEC 4.3-2); then r is the one after. */
static enum otr_status
check_balance(struct verifier *v, struct walk *w, const struct otr__record *r, enum otr_place place, uint64_t number, struct otr_error *err)
{
	enum otr_status status = OTR_OK;

	if (w->after && v->slot->horizon_ns == INT64_MIN && w->rows != r->rows + w->added - w->removed)
		status = find(v, err, w->place, w->number, "4.3-2", "version %llu has %llu rows, %llu added and %llu removed; the one before %llu",
		    (unsigned long long)w->version, (unsigned long long)w->rows, (unsigned long long)w->added, (unsigned long long)w->removed,
		    (unsigned long long)r->rows);
	w->after = true;
	w->place = place;
	w->number = number;
	w->version = r->version;
	w->rows = r->rows;
	w->added = r->added;
	w->removed = r->removed;
	return status;
}

/* That version r ends within the tree that it is read from: at tree_end, and `riding` rows after it. */
static enum otr_status
check_version(struct verifier *v, const struct walk *w, const struct otr__record *r, uint64_t tree_end, uint64_t riding, enum otr_place place,
    uint64_t number, struct otr_error *err)
{
	if (r->version < v->slot->oldest_version)
		return OTR_OK;
	/* a version that has expired as a whole ends before the tree's first row; one without rows may come before a tree that is none of its own (8.3-3) */
	if (r->rows > 0 && tree_end > w->base_row && tree_end - w->base_row > w->tree_rows)
		return find(v, err, place, number, "8.3-4", "version %llu ends at row %llu of a tree that ends at row %llu", (unsigned long long)r->version,
		    (unsigned long long)tree_end, (unsigned long long)(w->base_row + w->tree_rows));
	if (tree_end + riding != r->rows_ever)
		return find(v, err, place, number, "8.3-4", "version %llu ends at row %llu, its record says %llu", (unsigned long long)r->version,
		    (unsigned long long)(tree_end + riding), (unsigned long long)r->rows_ever);
	return OTR_OK;
}

/* Puts a[0, n) in order of time, equal times in order of arrival; b is as long.  Returns which of the two holds them then. */
static struct arrival *
sort_arrivals(struct arrival *a, struct arrival *b, size_t n)
{
	size_t width, from;

	for (width = 1; width < n; width *= 2) {
		struct arrival *swap = a;

		for (from = 0; from < n; from += 2 * width) {
			size_t i = from, half = n - from < width ? n : from + width, j = half, end = n - half < width ? n : half + width, k;

			for (k = from; k < end; k++) {
				bool left = j == end || (i < half && a[i].time_ns <= a[j].time_ns);

				b[k] = a[left ? i : j];
				i += left;
				j += !left;
			}
		}
		a = b;
		b = swap;
	}
	return a;
}

/*
 * The number of rows that ride after each record of a full group, in count[0, g->records): one a time, under keep all of them (SPEC 4.6-1).  To insert
 * one after the other would take time by the square of their number.  exact false: all of them in any case, only to tell where rows begin.
 */
static enum otr_status
count_group(struct verifier *v, const struct otr__group *g, bool exact, uint32_t *count, struct otr_error *err)
{
	const struct otr__log_page *log = &v->log;
	const int64_t *time_ns = log->rows.time_ns + g->row;
	struct arrival *sorted;
	struct arrival *adds;
	uint32_t n = g->carried, k, i, late = 0, end;

	for (k = 0; k < g->records; k++)
		count[k] = n += log->record[g->record + k].row_count;
	if (!exact || g->duplicates == OTR_KEEP)
		return OTR_OK;
	for (i = 1; i < n; i++)
		late += time_ns[i] <= time_ns[i - 1];
	if (late == 0)
		return OTR_OK;
	if (v->arrival == NULL && (v->arrival = malloc(2 * (size_t)OTR__GROUP_ROWS_MAX * sizeof *v->arrival)) == NULL)
		return no_memory(err);
	for (i = 0; i < n; i++)
		v->arrival[i] = (struct arrival){ time_ns[i], i };
	sorted = sort_arrivals(v->arrival, v->arrival + OTR__GROUP_ROWS_MAX, n);
	/* in the other half, row by row: 1 if it was the first of its time */
	adds = sorted == v->arrival ? v->arrival + OTR__GROUP_ROWS_MAX : v->arrival;
	for (i = 0; i < n; i++)
		adds[sorted[i].at].at = i == 0 || sorted[i].time_ns != sorted[i - 1].time_ns;
	for (k = 0, i = 0, n = 0; k < g->records; k++) {
		for (end = count[k]; i < end; i++)
			n += adds[i].at;
		count[k] = n;
	}
	return OTR_OK;
}

static int
compare_early(const void *a, const void *b)
{
	const struct early *x = a, *y = b;

	return (x->leaf.page > y->leaf.page) - (x->leaf.page < y->leaf.page);
}

/* The groups that wait, leaf by leaf, so that their number and order costs little (SPEC 4.6-2). */
static enum otr_status
check_early(struct verifier *v, struct otr_error *err)
{
	struct otr__ref leaf = { .page = 0 };
	bool known = false;
	enum otr_status status = OTR_OK;
	uint32_t i;

	if (v->early_n > 0)
		qsort(v->early, v->early_n, sizeof *v->early, compare_early);
	for (i = 0; i < v->early_n && status == OTR_OK && v->findings.n < OTR__FINDINGS_MAX; i++) {
		const struct early *e = &v->early[i];
		int64_t last_ns;

		if (!otr__ref_equal(&leaf, &e->leaf)) {
			struct otr_error what;
			const uint8_t *page;

			/* what cannot be read was found when the tree was checked, or has expired */
			leaf = e->leaf;
			known = otr__store_read(&v->store, &leaf, OTR__LEAF, 0, &page, NULL, &what) == OTR_OK &&
			    otr__leaf_decode(page, v->header.schema.page_bytes, &v->header.schema, 0, &v->rows, v->scratch, NULL, &what) == OTR_OK;
		}
		if (!known || e->index >= v->rows.n)
			continue;
		last_ns = v->rows.time_ns[e->index];
		if (e->keep ? e->least_ns < last_ns : e->least_ns <= last_ns)
			status = find(v, err, OTR_PLACE_PAGE, e->page, "4.6-2", "a row of a group rode at %lld, the tree's last row was at %lld",
			    (long long)e->least_ns, (long long)last_ns);
	}
	v->early_n = 0;
	return status;
}

/* That the rows of a full group are not before the tree on which they rode (SPEC 4.6-2): said at once, or noted for check_early. */
static enum otr_status
note_early(struct verifier *v, const struct walk *w, const struct otr__group *g, uint64_t page, struct otr_error *err)
{
	const struct otr__log_page *log = &v->log;
	struct otr__leaf_at *at = &v->early_at;
	struct otr_error what;
	int64_t least_ns = INT64_MAX;
	uint64_t rows = g->carried, position, i;
	bool keep = g->duplicates == OTR_KEEP;

	if (g->tree_end <= w->base_row || g->tree_end - w->base_row > w->tree_rows)
		return OTR_OK;
	position = g->tree_end - w->base_row - 1;
	if (!v->early_known || !otr__ref_equal(&v->early_tree.root, &w->root) || v->early_tree.root_rows != w->tree_rows || position < at->position ||
	    position - at->position >= at->rows) {
		/* what cannot be read was found when the tree was checked, or has expired; then it is not tried for ever */
		if (v->early_lost == EARLY_MAX)
			return OTR_OK;
		v->early_known = otr__tree_open(&v->early_tree, &v->store, &v->header.schema, v->scratch, &w->root, w->tree_rows, w->tree_rows, &what) ==
		    OTR_OK && otr__tree_leaf_at(&v->early_tree, position, at, &what) == OTR_OK;
		v->early_lost += !v->early_known;
		if (!v->early_known)
			return OTR_OK;
	}
	if (at->last_ns < v->state.slot.horizon_ns)
		return OTR_OK;
	for (i = 0; i < g->records; i++)
		rows += log->record[g->record + i].row_count;
	for (i = 0; i < rows; i++)
		least_ns = log->rows.time_ns[g->row + i] < least_ns ? log->rows.time_ns[g->row + i] : least_ns;
	/* most groups are later than the whole leaf */
	if (keep ? least_ns >= at->last_ns : least_ns > at->last_ns)
		return OTR_OK;
	if (v->early == NULL && (v->early = malloc(EARLY_MAX * sizeof *v->early)) == NULL)
		return no_memory(err);
	v->early[v->early_n++] = (struct early){ at->ref, position - at->position, page, least_ns, keep };
	return v->early_n == EARLY_MAX ? check_early(v, err) : OTR_OK;
}

/*
 * The records of v->log, newest first, against the trees that their versions are read from.  again: the newest slot reaches this page too, so what it says
 * for itself has been checked.
 */
static enum otr_status
check_records(struct verifier *v, struct walk *w, uint64_t page, bool again, struct summary *work, struct otr_error *err)
{
	const struct otr__log_page *log = &v->log;
	uint32_t *count = calloc(log->records, sizeof *count), i, g = log->groups;
	enum otr_status status = OTR_OK;

	if (count == NULL)
		return no_memory(err);
	for (i = 0; i < log->groups && status == OTR_OK; i++)
		status = count_group(v, &log->group[i], !again, count + log->group[i].record, err);
	for (i = log->records; i-- > 0 && status == OTR_OK && v->findings.n < OTR__FINDINGS_MAX; ) {
		const struct otr__record *r = &log->record[i];
		uint64_t tree_end = r->rows_ever, riding = 0;

		while (g > 0 && i < log->group[g - 1].record)
			g--;
		if (count[i] > 0) {                /* 8.3-1 */
			tree_end = log->group[g - 1].tree_end;
			riding = again ? r->rows_ever - tree_end : count[i];
		}
		status = check_version(v, w, r, tree_end, riding, OTR_PLACE_PAGE, page, err);
		if (status == OTR_OK && count[i] > 0 && r->version >= v->slot->oldest_version &&
		    i == log->group[g - 1].record + log->group[g - 1].records - 1)
			status = note_early(v, w, &log->group[g - 1], page, err);
		if (status == OTR_OK)
			status = check_balance(v, w, r, OTR_PLACE_PAGE, page, err);
		if (status == OTR_OK)
			status = check_kept(v, w, r, OTR_PLACE_PAGE, page, work, err);
	}
	free(count);
	return status;
}

/* The links of a log page that is known to be sound, or false. */
static bool
links_of(struct verifier *v, const struct otr__ref *ref, struct otr__log_links *links)
{
	struct otr_error second;
	const uint8_t *page;

	return ref->page != 0 && otr__store_read(&v->store, ref, OTR__LOG, 0, &page, NULL, &second) == OTR_OK &&
	    otr__log_links_decode(page, v->header.schema.page_bytes, &v->header.schema, links, &second) == OTR_OK;
}

/* Page `at` with links l against its predecessor p, and the skip link (SPEC 4.5-3). */
static enum otr_status
check_links(struct verifier *v, uint64_t at, const struct otr__log_links *l, const struct otr__log_links *p, struct otr_error *err)
{
	struct otr__log_links q;
	struct otr__ref skip = l->prev;
	uint64_t version = p->last_version, rewrite = p->rewrite, index = p->index;
	int64_t least_ns = l->least_ns;

	if (p->index + 1 != l->index)
		return find(v, err, OTR_PLACE_PAGE, at, "4.5", "log page of index %llu, the one before has %llu", (unsigned long long)l->index,
		    (unsigned long long)p->index);
	if (p->last_version >= l->first_version)
		return find(v, err, OTR_PLACE_PAGE, at, "4.5", "begins with version %llu, the page before ends with %llu",
		    (unsigned long long)l->first_version, (unsigned long long)p->last_version);
	if (l->prev_rewrite != p->rewrite)
		return find(v, err, OTR_PLACE_PAGE, at, "4.5", "prev_rewrite is %llu, the page before says %llu", (unsigned long long)l->prev_rewrite,
		    (unsigned long long)p->rewrite);
	if (p->skip.page != 0 && p->index > 0) {
		/* a page before the oldest version may be gone, and then nothing follows this link either */
		if (p->skip_version < v->slot->oldest_version || !links_of(v, &p->skip, &q))
			return OTR_OK;
		if (q.skip.page != 0 && q.index > 0 && p->index - q.index == q.index - q.skip_index) {
			skip = q.skip;
			version = q.skip_version;
			rewrite = q.skip_rewrite;
			index = q.skip_index;
			least_ns = p->skip_least_ns < least_ns ? p->skip_least_ns : least_ns;
			least_ns = q.skip_least_ns < least_ns ? q.skip_least_ns : least_ns;
		}
	}
	if (!otr__ref_equal(&skip, &l->skip) || l->skip_index != index)
		return find(v, err, OTR_PLACE_PAGE, at, "4.5-3", "skip leads to page %llu (index %llu), expected page %llu (index %llu)",
		    (unsigned long long)l->skip.page, (unsigned long long)l->skip_index, (unsigned long long)skip.page, (unsigned long long)index);
	if (l->skip_version != version || l->skip_rewrite != rewrite)
		return find(v, err, OTR_PLACE_PAGE, at, "4.5", "skip_version or skip_rewrite is not that of page %llu", (unsigned long long)skip.page);
	if (l->skip_least_ns != least_ns)
		return find(v, err, OTR_PLACE_PAGE, at, "4.5", "skip_least_ns is %lld, the pages after page %llu say %lld", (long long)l->skip_least_ns,
		    (unsigned long long)skip.page, (long long)least_ns);
	return OTR_OK;
}

/* All log pages of a slot, newest first. */
static enum otr_status
walk_log(struct verifier *v, struct walk *w, struct summary *work, struct otr_error *err)
{
	const struct otr_schema *schema = &v->header.schema;
	struct otr__ref ref = v->slot->log;
	struct otr__log_links after = { .index = 0 };
	uint64_t at = 0, generation = v->slot->version;
	enum otr_status status;
	bool usable;

	while (ref.page != 0 && v->findings.n < OTR__FINDINGS_MAX) {
		struct otr__log_links links;
		struct otr_error what;
		const uint8_t *page;
		bool fresh;

		status = check_ref(v, &ref, generation, at == 0 ? OTR_PLACE_SLOT : OTR_PLACE_PAGE, at, &usable, err);
		if (status != OTR_OK || !usable)
			return status;
		fresh = set_bit(v->seen, ref.page);
		if (!fresh && bit_of(v->bad, ref.page))
			return OTR_OK;
		status = otr__watch_page(&v->watch, err);
		if (status != OTR_OK)
			return status;
		status = otr__store_read(&v->store, &ref, OTR__LOG, 0, &page, NULL, &what);
		if (status == OTR_OK)
			status = otr__log_page_decode(page, schema->page_bytes, schema, &v->log, v->scratch, &what);
		if (status != OTR_OK)
			return bad_page(v, ref.page, &what, err);
		links = v->log.links;
		if (at == 0 && links.last_version >= w->later)
			status = find(v, err, OTR_PLACE_PAGE, ref.page, "4.3", "ends with version %llu, the record area begins with %llu",
			    (unsigned long long)links.last_version, (unsigned long long)w->later);
		if (at != 0)
			status = check_links(v, at, &after, &links, err);
		if (status == OTR_OK)
			status = check_records(v, w, ref.page, !fresh && links.first_version >= v->state.slot.oldest_version, work, err);
		if (status != OTR_OK || links.index == 0 || links.first_version <= v->slot->oldest_version) {
			if (status == OTR_OK && links.first_version > v->slot->oldest_version)
				status = find(v, err, OTR_PLACE_PAGE, ref.page, "4.1", "the log begins with version %llu, the oldest kept is %llu",
				    (unsigned long long)links.first_version, (unsigned long long)v->slot->oldest_version);
			return status;
		}
		if (after.index != 0 && links.index >= after.index)
			return OTR_OK;             /* a wrong index, found above: no walk without an end */
		after = links;
		at = ref.page;
		generation = ref.generation == 0 ? 0 : ref.generation - 1;
		ref = links.prev;
	}
	return OTR_OK;
}

static enum otr_status
check_log(struct verifier *v, struct walk *w, struct summary *work, struct otr_error *err)
{
	enum otr_status status;

	v->early_n = 0;
	v->early_known = false;
	v->early_lost = 0;
	status = walk_log(v, w, work, err);
	return status == OTR_OK ? check_early(v, err) : status;
}

/* ---- metadata ------------------------------------------------------------------------------------------------------------- */

static enum otr_status
check_stream(struct verifier *v, uint64_t page, const uint8_t *bytes, size_t len, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(bytes, len);
	const uint8_t *key = NULL, *value;
	size_t key_len = 0, value_len;
	struct otr_error what;
	enum otr_status status;

	do
		status = otr__meta_next(&r, key, key_len, &key, &key_len, &value, &value_len, &what);
	while (status == OTR_OK);
	return status == OTR_END ? OTR_OK : bad_page(v, page, &what, err);
}

/* One chain of pages; *previous is the chain before it. */
static enum otr_status
check_chain(struct verifier *v, struct otr__ref ref, struct otr__ref *previous, struct otr_error *err)
{
	uint32_t page_bytes = v->header.schema.page_bytes, room = page_bytes - OTR__META_FIXED, remaining = 0;
	uint64_t head = ref.page, generation = ref.generation, at = 0;
	size_t len = 0, capacity = 0;
	uint8_t *stream = NULL;
	bool usable, whole = true;
	enum otr_status status = OTR_OK;

	*previous = (struct otr__ref){ .page = 0 };
	while (ref.page != 0 && status == OTR_OK) {
		struct otr__meta_page meta;
		struct otr_error what;
		const uint8_t *page;

		whole = false;
		status = check_ref(v, &ref, generation, at == 0 ? OTR_PLACE_SLOT : OTR_PLACE_PAGE, at, &usable, err);
		if (status != OTR_OK || !usable)
			break;
		if (!set_bit(v->seen, ref.page) && bit_of(v->bad, ref.page))
			break;
		status = otr__watch_page(&v->watch, err);
		if (status != OTR_OK)
			break;
		status = otr__store_read(&v->store, &ref, OTR__META, 0, &page, NULL, &what);
		if (status == OTR_OK)
			status = otr__meta_decode(page, page_bytes, &meta, &what);
		if (status == OTR_OK && at == 0 && meta.remaining > OTR_MAX_META / room)
			status = otr__fail(&what, OTR_E_CORRUPT, "5.6", "%u pages of metadata follow, more than 1 MiB", meta.remaining);
		if (status == OTR_OK && at != 0 && (meta.remaining + 1 != remaining || ref.generation != generation))
			status = otr__fail(&what, OTR_E_CORRUPT, "5.6-2", "page of metadata out of its chain: remaining %u after %u", meta.remaining, remaining);
		if (status == OTR_OK && at != 0 && meta.previous.page != 0)
			status = otr__fail(&what, OTR_E_CORRUPT, "5.6", "previous is set in a page that is not the first of its chain");
		if (status == OTR_OK && (meta.next.page != 0) != (meta.remaining != 0))
			status = otr__fail(&what, OTR_E_CORRUPT, "5.6-2", "next and remaining do not agree");
		if (status == OTR_OK && meta.remaining != 0 && meta.bytes != room)
			status = otr__fail(&what, OTR_E_CORRUPT, "5.6", "%u bytes in a page that is not the last, expected %u", meta.bytes, room);
		if (status == OTR_OK && at == 0 && meta.previous.page != 0 && meta.previous.generation >= generation)
			status = otr__fail(&what, OTR_E_CORRUPT, "5.6-2", "previous is of generation %llu, this page of %llu",
			    (unsigned long long)meta.previous.generation, (unsigned long long)generation);
		if (status != OTR_OK) {
			status = bad_page(v, ref.page, &what, err);
			break;
		}
		if (at == 0) {
			*previous = meta.previous;
			capacity = (size_t)(meta.remaining + 1) * room;
			stream = malloc(capacity);
			if (stream == NULL) {
				status = no_memory(err);
				break;
			}
		}
		if (meta.bytes <= capacity - len)
			memcpy(stream + len, meta.stream, meta.bytes);
		len += meta.bytes;
		remaining = meta.remaining;
		at = ref.page;
		ref = meta.next;
		whole = true;
	}
	if (status == OTR_OK && whole && len > OTR_MAX_META)
		status = find(v, err, OTR_PLACE_PAGE, head, "5.6-1", "%zu bytes of metadata, at most %d are allowed", len, OTR_MAX_META);
	else if (status == OTR_OK && whole && stream != NULL)
		status = check_stream(v, head, stream, len, err);
	free(stream);
	return status;
}

static enum otr_status
check_metadata(struct verifier *v, struct otr_error *err)
{
	struct otr__ref ref = v->slot->metadata, previous;
	enum otr_status status = OTR_OK;

	/* generations fall from chain to chain, so this ends */
	while (ref.page != 0 && status == OTR_OK && v->findings.n < OTR__FINDINGS_MAX) {
		status = check_chain(v, ref, &previous, err);
		if (ref.generation <= v->slot->oldest_version)
			break;
		ref = previous;
	}
	return status;
}

/* ---- a slot's own numbers ------------------------------------------------------------------------------------------------- */

/* Rows before the horizon, and the time of the first row after it; the tree is known to be sound. */
static enum otr_status
measure(struct verifier *v, uint64_t *expired, int64_t *first_ns, struct otr_error *err)
{
	const struct otr__slot *s = v->slot;
	struct otr__tree tree;
	struct otr__leaf_at at;
	enum otr_status status = otr__tree_open(&tree, &v->store, &v->header.schema, v->scratch, &s->root, s->tree_rows, s->tree_rows, err);

	*expired = 0;
	if (status == OTR_OK && s->horizon_ns != INT64_MIN)
		status = otr__tree_seek(&tree, s->horizon_ns, &v->rows, expired, err);
	if (status != OTR_OK || *expired == s->tree_rows)
		return status;
	status = otr__tree_leaf_at(&tree, *expired, &at, err);
	if (status == OTR_OK)
		status = otr__tree_leaf_rows(&tree, &at, 0, &v->rows, err);
	if (status == OTR_OK)
		*first_ns = v->rows.time_ns[*expired - at.position];
	return status;
}

static enum otr_status
check_rows(struct verifier *v, unsigned number, const struct summary *tree, const struct otr__rows *ride, struct otr_error *err)
{
	const struct otr__slot *s = v->slot;
	int64_t first_ns = 0, last_ns = 0;
	uint64_t expired = 0, rows;
	size_t gone;
	enum otr_status status = OTR_OK;

	if (s->tree_rows > 0) {
		struct otr_error what;

		if (measure(v, &expired, &first_ns, &what) != OTR_OK)
			return bad_page(v, s->root.page, &what, err);
		last_ns = tree->last_ns;
		if (ride->n > 0 && (s->policies.duplicates == OTR_KEEP ? ride->time_ns[0] < last_ns : ride->time_ns[0] <= last_ns))
			status = find(v, err, OTR_PLACE_SLOT, number, "4.6-2", "a row rides at %lld, the tree's last row is at %lld",
			    (long long)ride->time_ns[0], (long long)last_ns);
	}
	count_digits(v, ride->time_ns, ride->n);
	if (status == OTR_OK && v->digits > s->time_digits)
		status = find(v, err, OTR_PLACE_SLOT, number, "4.1", "time_digits is %u, a row needs %u", (unsigned)s->time_digits, v->digits);
	gone = otr__lower_bound(ride->time_ns, ride->n, s->horizon_ns);
	rows = s->tree_rows - expired + ride->n - gone;
	if (gone < ride->n) {
		if (expired == s->tree_rows)
			first_ns = ride->time_ns[gone];
		last_ns = ride->time_ns[ride->n - 1];
	}
	if (rows == 0)
		first_ns = last_ns = 0;
	if (status == OTR_OK && s->rows_ever != s->base_row + s->tree_rows + ride->n)
		status = find(v, err, OTR_PLACE_SLOT, number, "4.1", "rows_ever is %llu, tree and riding rows end at %llu", (unsigned long long)s->rows_ever,
		    (unsigned long long)(s->base_row + s->tree_rows + ride->n));
	if (status == OTR_OK && s->rows != rows)
		status = find(v, err, OTR_PLACE_SLOT, number, "4.1", "rows is %llu, there are %llu", (unsigned long long)s->rows, (unsigned long long)rows);
	if (status == OTR_OK && s->first_ns != first_ns)
		status = find(v, err, OTR_PLACE_SLOT, number, "4.1", "first_ns is %lld, the first row is at %lld", (long long)s->first_ns,
		    (long long)first_ns);
	if (status == OTR_OK && s->last_ns != last_ns)
		status = find(v, err, OTR_PLACE_SLOT, number, "4.1", "last_ns is %lld, the last row is at %lld", (long long)s->last_ns, (long long)last_ns);
	return status;
}

/* The records of the area, newest first, and the riding rows after each of them. */
static enum otr_status
check_area(struct verifier *v, unsigned number, struct walk *w, const struct otr__rows *carried, const struct otr__record *record, uint32_t records,
    struct summary *work, struct otr_error *err)
{
	const struct otr__slot *s = v->slot;
	const struct otr__record *last = &record[records - 1];   /* 4.3: there is always one */
	uint32_t i, k;
	enum otr_status status = OTR_OK;

	if (last->rows_ever != s->rows_ever || last->rows != s->rows || last->commit_ns != s->commit_ns || last->time_digits != s->time_digits)
		status = find(v, err, OTR_PLACE_SLOT, number, "4.3", "its newest record and its fields do not agree on rows, time or time_digits");
	for (i = records; i-- > 0 && status == OTR_OK; ) {
		uint64_t tree_end = record[i].rows_ever, riding = 0;
		bool any = carried->n > 0;

		for (k = 0; k <= i && !any; k++)
			any = record[k].block != NULL;
		if (any) {
			struct otr__rows ride;

			status = otr__log_riding(s, &v->header.schema, carried, record, i + 1, &ride, err);
			if (status != OTR_OK)
				return status;
			tree_end = s->base_row + s->tree_rows;
			riding = ride.n;
			otr__rows_release(&ride);
		}
		status = check_version(v, w, &record[i], tree_end, riding, OTR_PLACE_SLOT, number, err);
		if (status == OTR_OK)
			status = check_balance(v, w, &record[i], OTR_PLACE_SLOT, number, err);
		if (status == OTR_OK)
			status = check_kept(v, w, &record[i], OTR_PLACE_SLOT, number, work, err);
	}
	w->later = record[0].version;
	return status;
}

/* All that one slot's state consists of. */
static enum otr_status
check_state(struct verifier *v, const struct otr__slot *slot, unsigned number, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	struct walk w = { .root = slot->root, .base_row = slot->base_row, .tree_rows = slot->tree_rows };
	struct otr__rows carried, ride = { .memory = NULL };
	struct summary *tree = malloc(2 * sizeof *tree);
	size_t faults = v->faults;
	struct otr_error what;
	uint32_t records;
	enum otr_status status = OTR_OK;

	v->slot = slot;
	if (tree == NULL || !otr__rows_init(&carried, v->header.schema.columns, 16)) {
		free(tree);
		return no_memory(err);
	}
	tree[0].known = false;
	v->digits = 0;
	status = otr__slot_records(slot, &v->header.schema, &carried, record, &records, &what);
	if (status == OTR_E_CORRUPT) {
		status = find(v, err, OTR_PLACE_SLOT, number, what.spec, "%s", what.text);
		goto out;
	}
	if (status != OTR_OK) {
		if (err != NULL)
			*err = what;
		goto out;
	}
	status = otr__log_riding(slot, &v->header.schema, &carried, record, records, &ride, err);
	if (status == OTR_OK && slot->root.page != 0)
		status = check_tree(v, &slot->root, slot->tree_rows, slot->version, OTR_PLACE_SLOT, number, &tree[0], err);
	if (status == OTR_OK && v->faults == faults)
		status = check_rows(v, number, &tree[0], &ride, err);
	if (status == OTR_OK)
		status = check_area(v, number, &w, &carried, record, records, &tree[1], err);
	if (status == OTR_OK)
		status = check_log(v, &w, &tree[1], err);
	if (status == OTR_OK && (slot->newest_rewrite < w.newest_kept || slot->newest_rewrite > slot->version))
		status = find(v, err, OTR_PLACE_SLOT, number, "4.1", "newest_rewrite is %llu, the newest record with a kept root is %llu",
		    (unsigned long long)slot->newest_rewrite, (unsigned long long)w.newest_kept);
	if (status == OTR_OK)
		status = check_metadata(v, err);
out:
	if (ride.memory != NULL)
		otr__rows_release(&ride);
	otr__rows_release(&carried);
	free(tree);
	return status;
}

/* ---- what a slot reaches --------------------------------------------------------------------------------------------------- */

/*
 * Marks a page and all below it; leaves are not read.  once: within one version, where a page may be reached only once (SPEC 5.3-6).
 * Bad pages have been found before: *whole becomes false, since what they reach is not known.
 */
static enum otr_status
mark_node(struct verifier *v, uint8_t *bits, unsigned level, const struct otr__ref *ref, bool once, bool *whole, struct otr_error *err)
{
	const struct otr_schema *schema = &v->header.schema;
	struct otr_error second;
	const uint8_t *page;
	struct frame *f;
	uint32_t n, i;
	enum otr_status status = OTR_OK;

	if (ref->page >= v->pages) {
		*whole = false;
		return OTR_OK;
	}
	if (!set_bit(bits, ref->page))
		return once ? find(v, err, OTR_PLACE_PAGE, ref->page, "5.3-6", "it is reached twice within version %llu",
		    (unsigned long long)v->slot->version) : OTR_OK;
	if (bit_of(v->bad, ref->page)) {
		*whole = false;
		return OTR_OK;
	}
	if (level == 0)
		return OTR_OK;
	f = frame_of(v, level);
	if (f == NULL)
		return no_memory(err);
	if (otr__store_read(&v->store, ref, OTR__INNER, (int)level, &page, NULL, &second) != OTR_OK ||
	    otr__inner_check(page, schema->page_bytes, schema->columns, &n, &second) != OTR_OK)
		return bad_page(v, ref->page, &second, err);
	memcpy(f->page, page, schema->page_bytes);
	for (i = 0; i < n && status == OTR_OK && v->findings.n < OTR__FINDINGS_MAX; i++) {
		struct otr__entry e;

		otr__inner_entry(f->page, schema->columns, i, &e);
		if (e.last_ns >= v->state.slot.horizon_ns)
			status = mark_node(v, bits, level - 1, &e.child, once, whole, err);
	}
	return status;
}

static enum otr_status
mark_tree(struct verifier *v, uint8_t *bits, const struct otr__ref *root, bool once, bool *whole, struct otr_error *err)
{
	struct otr_error second;
	unsigned level;

	/* many records may keep one root */
	if (root->page == 0 || (!once && root->page < v->pages && bit_of(bits, root->page)))
		return OTR_OK;
	if (root->page >= v->pages || level_of(v, root, &level, &second) != OTR_OK) {
		*whole = false;
		return OTR_OK;
	}
	return mark_node(v, bits, level, root, once, whole, err);
}

static enum otr_status
mark_log(struct verifier *v, uint8_t *bits, bool *whole, struct otr_error *err)
{
	const struct otr_schema *schema = &v->header.schema;
	struct otr__ref ref = v->slot->log;
	enum otr_status status = OTR_OK;
	uint32_t i;

	v->log.without_rows = true;
	while (ref.page != 0) {
		struct otr__log_links links;
		struct otr_error second;
		const uint8_t *page;

		if (ref.page >= v->pages || !set_bit(bits, ref.page) || bit_of(v->bad, ref.page) ||
		    otr__store_read(&v->store, &ref, OTR__LOG, 0, &page, NULL, &second) != OTR_OK ||
		    otr__log_links_decode(page, schema->page_bytes, schema, &links, &second) != OTR_OK ||
		    /* without a rewrite of its own it has no kept root */
		    (links.rewrite != links.prev_rewrite &&
		    otr__log_page_decode(page, schema->page_bytes, schema, &v->log, v->scratch, &second) != OTR_OK)) {
			*whole = false;
			break;
		}
		for (i = 0; links.rewrite != links.prev_rewrite && i < v->log.records && status == OTR_OK; i++)
			if (v->log.record[i].has_kept && v->log.record[i].version > v->slot->oldest_version)
				status = mark_tree(v, bits, &v->log.record[i].kept.root, false, whole, err);
		if (status != OTR_OK || links.index == 0 || links.first_version <= v->slot->oldest_version)
			break;
		ref = links.prev;
	}
	v->log.without_rows = false;
	return status;
}

static void
mark_metadata(struct verifier *v, uint8_t *bits, bool *whole)
{
	struct otr__ref head = v->slot->metadata, ref = head, previous = { .page = 0 };

	while (ref.page != 0) {
		struct otr__meta_page meta;
		struct otr_error second;
		const uint8_t *page;

		if (ref.page >= v->pages || !set_bit(bits, ref.page) || bit_of(v->bad, ref.page) ||
		    otr__store_read(&v->store, &ref, OTR__META, 0, &page, NULL, &second) != OTR_OK ||
		    otr__meta_decode(page, v->header.schema.page_bytes, &meta, &second) != OTR_OK) {
			*whole = false;
			return;
		}
		if (ref.page == head.page)
			previous = meta.previous;
		ref = meta.next;
		if (ref.page == 0 && head.generation > v->slot->oldest_version)
			ref = head = previous;
	}
}

/* Marks all that a slot reaches and compares it with what the slot counts. */
static enum otr_status
mark_state(struct verifier *v, const struct otr__slot *slot, unsigned number, uint8_t *bits, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	uint64_t page, live = 0;
	uint32_t records, i;
	bool whole = true, lazy;
	enum otr_status status = otr__slot_records(slot, &v->header.schema, NULL, record, &records, err);

	v->slot = slot;
	if (status == OTR_OK)
		status = mark_tree(v, bits, &slot->root, true, &whole, err);
	for (i = 0; status == OTR_OK && i < records; i++)
		if (record[i].has_kept && record[i].version > slot->oldest_version)
			status = mark_tree(v, bits, &record[i].kept.root, false, &whole, err);
	if (status == OTR_OK)
		status = mark_log(v, bits, &whole, err);
	if (status != OTR_OK)
		return status;
	mark_metadata(v, bits, &whole);
	for (page = 0; page < v->pages; page++)
		live += bit_of(bits, page);
	/* what expired or was pruned since the last count may still count (4.1-2) */
	lazy = v->state.slot.horizon_ns != INT64_MIN || slot->oldest_version > 0 || slot->policies.history != OTR_HISTORY_ALL;
	if (whole && (lazy ? live > slot->live_pages : live != slot->live_pages))
		return find(v, err, OTR_PLACE_SLOT, number, "4.1-2", "live_pages is %llu, %llu pages are reached", (unsigned long long)slot->live_pages,
		    (unsigned long long)live);
	return OTR_OK;
}

/* The freed pages of a slot (SPEC 9.2): its own state reaches none; of the newest one, those not freed just now are not reached by the other. */
static enum otr_status
check_freed(struct verifier *v, const struct otr__slot *slot, unsigned number, const uint8_t *own, const uint8_t *other, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	unsigned i;

	for (i = 0; i < slot->freed && status == OTR_OK; i++) {
		uint64_t page = slot->freed_page[i];

		if (page >= v->pages)
			continue;
		if (bit_of(own, page))
			status = find(v, err, OTR_PLACE_SLOT, number, "9.2", "page %llu is in the list of freed pages, and reached by version %llu",
			    (unsigned long long)page, (unsigned long long)slot->version);
		else if (other != NULL && i >= slot->freed_now && bit_of(other, page))
			status = find(v, err, OTR_PLACE_SLOT, number, "9.2",
			    "page %llu is in the list of freed pages as one to be written at once, and reached by the version before",
			    (unsigned long long)page);
	}
	return status;
}

/* ---- headers, slots, ends -------------------------------------------------------------------------------------------------- */

static enum otr_status
check_headers(struct verifier *v, bool *usable, struct otr_error *err)
{
	uint8_t bytes[2][OTR__HEADER_BYTES];
	struct otr_error what;
	struct otr__header copy;
	bool sound[2];
	unsigned i;
	enum otr_status status = otr__read_header(&v->io, &v->header, NULL, &what);

	*usable = status == OTR_OK;
	if (status != OTR_OK && status != OTR_E_CORRUPT && status != OTR_E_TRUNCATED) {
		if (err != NULL)
			*err = what;
		return status;
	}
	if (status == OTR_E_TRUNCATED)
		return find(v, err, OTR_PLACE_FILE, 0, what.spec, "%s", what.text);
	for (i = 0; i < 2; i++) {
		status = otr__io_read(&v->io, i == 0 ? 0 : OTR__HEADER_COPY, bytes[i], OTR__HEADER_BYTES, &what);
		if (status == OTR_E_TRUNCATED) {
			*usable = false;
			return find(v, err, OTR_PLACE_FILE, 0, "3.2-2", "truncated: shorter than 16384 bytes");
		}
		if (status == OTR_OK)
			status = otr__header_decode(bytes[i], &copy, &what);
		sound[i] = status == OTR_OK;
		if (status == OTR_E_IO) {
			if (err != NULL)
				*err = what;
			return status;
		}
		if (!sound[i]) {
			status = find(v, err, OTR_PLACE_HEADER, i, what.spec, "%s", what.text);
			if (status != OTR_OK)
				return status;
		}
	}
	if (sound[0] && sound[1] && memcmp(bytes[0], bytes[1], OTR__HEADER_BYTES) != 0)
		return find(v, err, OTR_PLACE_HEADER, 1, "3", "it differs from the header at byte 0");
	return OTR_OK;
}

/* Between the first 16 KiB and page 1, where pages are larger (SPEC 5.1). */
static enum otr_status
check_padding(struct verifier *v, struct otr_error *err)
{
	uint32_t page_bytes = v->header.schema.page_bytes, i, len;
	uint8_t *bytes;
	enum otr_status status;

	if (page_bytes <= OTR__START_BYTES || v->pages < 2)
		return OTR_OK;
	len = page_bytes - OTR__START_BYTES;
	bytes = malloc(len);
	if (bytes == NULL)
		return no_memory(err);
	status = otr__io_read(&v->io, OTR__START_BYTES, bytes, len, err);
	for (i = 0; status == OTR_OK && i < len && bytes[i] == 0; i++)
		;
	if (status == OTR_OK && i < len)
		status = find(v, err, OTR_PLACE_FILE, 0, "5.1", "byte %u, between the slots and page 1, is not zero", OTR__START_BYTES + i);
	free(bytes);
	return status;
}

static bool
is_usable(enum otr__slot_condition c)
{
	return c == OTR__SLOT_SOUND || c == OTR__SLOT_FLIPPED;
}

/* The rule that a slot breaks; of one whose checksum or stamps are wrong, the rule that judges it. */
static const char *
broken_rule(const struct otr_error *why, const char *judged)
{
	return strncmp(why->spec, "4.2", 3) == 0 ? judged : why->spec;
}

/* *usable: there is a state to check. */
static enum otr_status
check_slots(struct verifier *v, bool *usable, struct otr_error *err)
{
	struct otr__slot *slot[2];
	enum otr__slot_condition c[2];
	struct otr_error what, why[2];
	uint64_t next_version;
	unsigned i, bad;
	enum otr_status status;

	*usable = false;
	memset(&v->state, 0, sizeof v->state);
	status = otr__read_state(&v->io, &v->header, &v->state, NULL, &what);
	if (status == OTR_E_TRUNCATED)
		return find(v, err, OTR_PLACE_FILE, 0, "3.2-2", "truncated: shorter than 16384 bytes");
	if (status != OTR_OK && status != OTR_E_CORRUPT) {
		if (err != NULL)
			*err = what;
		return status;
	}
	*usable = status == OTR_OK;
	/* the bytes are there, whatever was said of them */
	slot[0] = v->state.index == 0 && *usable ? &v->state.slot : &v->other;
	slot[1] = slot[0] == &v->other ? &v->state.slot : &v->other;
	if (!*usable)
		slot[0] = slot[1] = &v->other;
	for (i = 0, status = OTR_OK; i < 2 && status == OTR_OK; i++) {
		c[i] = otr__slot_decode(v->state.bytes[i], &v->header, slot[i], &why[i]);
		if (is_usable(c[i]) && slot[i]->features.incompat != 0)
			return otr__fail(err, OTR_E_UNSUPPORTED, "3.2-4", "too new: it uses incompat features %#llx",
			    (unsigned long long)slot[i]->features.incompat);
		if (c[i] == OTR__SLOT_FLIPPED)
			status = otr__slot_was_cut(v->state.bytes[i])
			    ? note(v, err, OTR_PLACE_SLOT, i, "4.2-2", "its write was cut, and nothing is missing but stamps")
			    : find(v, err, OTR_PLACE_SLOT, i, "4.2-2", "a stamp is not that of its version");
	}
	if (status != OTR_OK)
		return status;
	if (is_usable(c[0]) && is_usable(c[1])) {
		if (!*usable)
			return find(v, err, OTR_PLACE_SLOT, 1, "4.2-1", "both slots say the same version, and differ");
		if (slot[0]->version == slot[1]->version)
			return find(v, err, OTR_PLACE_SLOT, 1, "4.2-1", "both slots hold the same commit, version %llu",
			    (unsigned long long)slot[0]->version);
		return OTR_OK;
	}
	if (!*usable) {
		for (i = 0; i < 2 && status == OTR_OK; i++)
			status = find(v, err, OTR_PLACE_SLOT, i, c[i] == OTR__SLOT_UNWRITTEN ? "4.2-7" : broken_rule(&why[i], "4.2-7"), "%s",
			    c[i] == OTR__SLOT_UNWRITTEN ? "never written, beside a damaged slot" : why[i].text);
		return status;
	}
	bad = 1 - v->state.index;
	if (c[bad] != OTR__SLOT_BAD)
		return OTR_OK;
	switch (otr__slot_judge(v->state.bytes[bad], v->state.slot.version, otr__slot_begins(&v->state.slot, &v->header.schema), &next_version)) {
	case OTR__VERDICT_TORN:
		return note(v, err, OTR_PLACE_SLOT, bad, "4.2-4", "torn: a commit was cut before it was acknowledged");
	case OTR__VERDICT_OLDER:
		return find(v, err, OTR_PLACE_SLOT, bad, broken_rule(&why[bad], "4.2-5"), "an older one, damaged: %.180s", why[bad].text);
	case OTR__VERDICT_DAMAGED:
		break;
	}
	return find(v, err, OTR_PLACE_SLOT, bad, broken_rule(&why[bad], "4.2-6"), "damaged, and newer than version %llu: %.150s", (unsigned long long)v->state.slot.version,
	    why[bad].text);
}

static enum otr_status
check_end(struct verifier *v, uint64_t bytes, struct otr_error *err)
{
	uint32_t page_bytes = v->header.schema.page_bytes;
	const struct otr__slot *s = &v->state.slot;
	uint64_t counted = s->page_count * page_bytes, free_pages = s->page_count - first_page(v) - s->live_pages;
	enum otr_status status = OTR_OK;

	if (bytes < counted && s->page_count > first_page(v))
		status = find(v, err, OTR_PLACE_FILE, 0, "5.2-2", "truncated: %llu bytes, its %llu pages need %llu", (unsigned long long)bytes,
		    (unsigned long long)s->page_count, (unsigned long long)counted);
	else if (bytes > counted && bytes > OTR__START_BYTES)
		status = note(v, err, OTR_PLACE_FILE, 0, "4.1", "%llu bytes behind the last page", (unsigned long long)(bytes - counted));
	if (status == OTR_OK && free_pages > 0)
		status = note(v, err, OTR_PLACE_FILE, 0, "9.3", "%llu free pages", (unsigned long long)free_pages);
	return status;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------- */

static void
release(struct verifier *v)
{
	unsigned i;

	for (i = 0; i <= OTR__LEVEL_MAX; i++) {
		if (v->frame[i] != NULL)
			free(v->frame[i]->page);
		free(v->frame[i]);
		v->frame[i] = NULL;
	}
	if (v->store.frame != NULL)
		otr__store_release(&v->store);
	if (v->rows.memory != NULL)
		otr__rows_release(&v->rows);
	otr__log_page_release(&v->log);
	otr__scratch_free(v->scratch);
	v->scratch = NULL;
	v->rows = (struct otr__rows){ .memory = NULL };
	free(v->seen);
	v->seen = NULL;
	free(v->memo);
	v->memo = NULL;
	free(v->memo_stats);
	v->memo_stats = NULL;
	free(v->arrival);
	v->arrival = NULL;
	free(v->early);
	v->early = NULL;
}

/* The bits: four runs in one block. */
static bool
take_bits(struct verifier *v)
{
	size_t run = (size_t)(v->pages / 8 + 1);

	v->seen = calloc(4, run);
	if (v->seen == NULL)
		return false;
	v->bad = v->seen + run;
	v->reached[0] = v->bad + run;
	v->reached[1] = v->reached[0] + run;
	return true;
}

static bool
take_memos(struct verifier *v)
{
	size_t size = sizeof *v->memo + v->header.schema.columns * sizeof *v->memo_stats, most = MEMO_BYTES / size;

	v->memos = (uint32_t)(v->pages < most ? v->pages + 1 : most);
	v->memo = calloc(v->memos, sizeof *v->memo);
	v->memo_stats = malloc((size_t)v->memos * v->header.schema.columns * sizeof *v->memo_stats);
	return v->memo != NULL && v->memo_stats != NULL;
}

/* One attempt.  Findings are in v. */
static enum otr_status
attempt(struct verifier *v, struct otr_error *err)
{
	uint64_t bytes;
	bool usable;
	unsigned newest;
	int failure;
	enum otr_status status = check_headers(v, &usable, err);

	otr__log_page_init(&v->log);
	if (status != OTR_OK || !usable)
		return status;
	status = check_slots(v, &usable, err);
	if (status != OTR_OK || !usable)
		return status;
	failure = v->io.size(v->io.self, &bytes);
	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot tell its size");
	v->pages = bytes / v->header.schema.page_bytes + (bytes % v->header.schema.page_bytes != 0);
	v->columns = (UINT64_MAX >> (64 - v->header.schema.columns)) & ~v->header.unsupported_columns;
	v->scratch = otr__scratch_create();
	if (v->scratch == NULL || !otr__store_init(&v->store, &v->io, &v->header) || !otr__rows_init(&v->rows, v->header.schema.columns, 64) ||
	    !take_bits(v) || !take_memos(v))
		return no_memory(err);
	newest = v->state.index;
	v->watch.total = v->state.slot.live_pages;
	status = check_end(v, bytes, err);
	if (status == OTR_OK)
		status = check_padding(v, err);
	if (status == OTR_OK)
		status = check_state(v, &v->state.slot, newest, err);
	if (status == OTR_OK && v->state.has_other)
		status = check_state(v, &v->other, 1 - newest, err);
	if (status == OTR_OK)
		status = mark_state(v, &v->state.slot, newest, v->reached[0], err);
	if (status == OTR_OK && v->state.has_other)
		status = mark_state(v, &v->other, 1 - newest, v->reached[1], err);
	if (status == OTR_OK)
		status = check_freed(v, &v->state.slot, newest, v->reached[0], v->state.has_other ? v->reached[1] : NULL, err);
	if (status == OTR_OK && v->state.has_other)
		status = check_freed(v, &v->other, 1 - newest, v->reached[1], NULL, err);
	if (status == OTR_OK && v->faults > 0 && has_moved(v))
		status = otr__fail(err, OTR_E_EXPIRED, "10.4-5", "a writer overtook the check");
	if (status == OTR_OK && v->faults == 0 && v->header.unsupported_columns != 0)
		status = otr__fail(err, OTR_E_UNSUPPORTED, "3.4", "a column is of a type that this program does not know, so it is not verified");
	return status;
}

enum otr_status
otr_verify(const char *path, const struct otr_verify_options *options, uint64_t *faults, struct otr_error *err)
{
	struct otr_io io;
	enum otr_status status = otr__io_open(path, false, &io, err);

	return status == OTR_OK ? otr__verify_io(io, options, faults, err) : status;
}

enum otr_status
otr__verify_io(struct otr_io io, const struct otr_verify_options *options, uint64_t *faults, struct otr_error *err)
{
	struct verifier *v = calloc(1, sizeof *v);
	enum otr_status status;
	size_t i;
	int tries;

	if (v == NULL) {
		io.close(io.self);
		return no_memory(err);
	}
	v->io = io;
	if (options != NULL)
		v->watch = (struct otr__watch){ .go_on = options->go_on, .arg = options->arg };
	for (tries = 0; ; tries++) {
		v->findings.n = v->faults = 0;
		v->moved = false;
		v->watch.done = 0;
		status = attempt(v, err);
		release(v);
		if (status != OTR_E_EXPIRED || tries == RESTARTS_MAX)
			break;
	}
	for (i = 0; status == OTR_OK && options != NULL && options->found != NULL && i < v->findings.n; i++) {
		struct otr_finding finding = otr__findings_at(&v->findings, i);

		options->found(options->arg, &finding);
	}
	if (status == OTR_OK)
		*faults = v->faults;
	v->io.close(v->io.self);
	otr__findings_release(&v->findings);
	free(v);
	return status;
}
