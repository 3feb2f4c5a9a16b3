/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.h - which pages a commit may write, and which it gives up (SPEC 9).
 *
 * A commit first settles its *base*, the tree before it with the riding rows in it, which a rewrite keeps (SPEC 8.2); then makes its own changes on top.
 * Pages given up while the base is made leave the state.  Pages of the base given up later stay if the commit turns out to be a rewrite.
 * Pages that the commit wrote on top of the base and gives up are written again at once: no slot has ever named them.
 */
#ifndef OTR_SPACE_H
#define OTR_SPACE_H

#include "slot.h"
#include "store.h"

struct otr__page_list {
	uint64_t *page;
	size_t n, capacity;
};

struct otr__space {
	struct otr__store *store;
	const uint8_t *file_id;
	uint64_t version;                /* generation of the pages written */
	uint64_t page_count;
	uint64_t fixed;                  /* of them, those that the first 16 KiB take */
	uint64_t live;                   /* pages that the new state reaches; those may be among them that expired or were pruned since they were counted */
	uint64_t walkable;               /* free pages that no list names: what a walk would find */
	uint64_t limit;                  /* page_count must not become greater by this commit; 0: it may */
	uint64_t written;                /* pages written so far */
	uint64_t planned;                /* pages that the commit writes at the most, in a file of fixed size; 0 in others */
	bool looked;                     /* whether a walk was considered */
	bool on_top;                     /* the base is settled */
	struct otr__page_list usable;    /* may be written now */
	/* Free pages that the slot has no room to name, from a walk of this writer's: taken after `usable`.  Borrowed; NULL: none. */
	struct otr__page_list *spare;
	struct otr__page_list later;     /* freed by the version before: usable from the next commit on */
	struct otr__page_list freed;     /* given up: usable from the commit after the next on */
	struct otr__page_list base;      /* pages that this commit wrote for its base */
	struct otr__page_list of_base;   /* of the base, given up on top of it: freed, unless the base is kept */
	/* Finds the pages that a walk does not reach, SPEC 9.3; set by commit.  NULL: no walk. */
	enum otr_status (*walk)(void *arg, struct otr__page_list *found, struct otr_error *err);
	/* The pages of generation `rewrite` that the kept root of that version reaches; set by commit, called once, and only if such a page is given up. */
	enum otr_status (*kept)(void *arg, struct otr__page_list *found, struct otr_error *err);
	void *arg;
	uint64_t rewrite;                /* the newest rewrite whose kept root may still be read, 0: none */
	bool kept_known;
	struct otr__page_list of_kept;
};

/* Starts with what the slot says.  false: out of memory. */
bool otr__space_init(struct otr__space *space, struct otr__store *store, const uint8_t *file_id, const struct otr__slot *slot, uint64_t version);
void otr__space_release(struct otr__space *space);
bool otr__page_list_add(struct otr__page_list *list, uint64_t page);

/* From here on pages are written on top of the base. */
void otr__space_settle(struct otr__space *space);

/*
 * Seals page (whose payload is complete), writes it where it may be written and gives its reference.
 * Returns OTR_OK, OTR_E_IO, OTR_E_NOMEM; OTR_E_LIMIT where the file has its greatest size and no page is free.
 */
OTR_MUST_CHECK enum otr_status otr__space_write(struct otr__space *space, uint8_t *page, enum otr__page_type type, uint8_t level, struct otr__ref *ref,
    struct otr_error *err);

/* Gives a log or metadata page up, which no kept root reaches.  Zero references are ignored. */
OTR_MUST_CHECK enum otr_status otr__space_give_up(struct otr__space *space, const struct otr__ref *ref, struct otr_error *err);

/*
 * Gives a page of the tree up, unless a kept root reaches it.  What the tree has from before its newest rewrite R, the kept root of R has too (SPEC 8.2): all pages of lower
 * generations, and of those that R itself wrote the ones that it wrote for its base.
 */
OTR_MUST_CHECK enum otr_status otr__space_give_up_tree(struct otr__space *space, const struct otr__ref *ref, struct otr_error *err);

/*
 * Ends the commit: base_kept tells whether the base stays as a kept root.  Fills page_count, live_pages, freed, freed_now, freed_page of slot; no more than `most` pages are listed.
 * Those that may be used at once and find no room there are spare, as long as the slot becomes the newest and stays it.
 */
OTR_MUST_CHECK enum otr_status otr__space_finish(struct otr__space *space, bool base_kept, size_t most, struct otr__slot *slot, struct otr_error *err);

#endif
