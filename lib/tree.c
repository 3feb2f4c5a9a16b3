/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree.c - descents from a root to a leaf (see tree.h).  Each step checks what SPEC 5.3 asks of a child against its parent's entry:
 * level, generation, rows, first and last time.  So a descent ends after at most 15 steps whatever the file says.
 */
#include "tree.h"

/* What a parent, or the slot, says of a page on the way. */
struct claim {
	struct otr__ref ref;
	uint64_t rows;               /* 0: nothing to compare */
	int64_t first_ns, last_ns;
	uint64_t position;
};

size_t
otr__lower_bound(const int64_t *time_ns, size_t n, int64_t wanted_ns)
{
	size_t from = 0;

	while (n > 0) {
		size_t half = n / 2;

		if (time_ns[from + half] < wanted_ns) {
			from += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return from;
}

enum otr_status
otr__tree_inner(struct otr__tree *tree, const struct otr__ref *ref, uint8_t level, uint64_t expect_rows, int64_t expect_first_ns,
    int64_t expect_last_ns, const uint8_t **page, uint32_t *entries, struct otr_error *err)
{
	struct otr__store *store = tree->store;
	uint32_t columns = tree->schema->columns, n, i;
	struct otr__entry e, last;
	uint64_t rows = 0;
	enum otr_status status = otr__store_read(store, ref, OTR__INNER, level, page, NULL, err);

	if (status != OTR_OK)
		return status;
	status = otr__inner_check(*page, store->page_bytes, columns, &n, err);
	if (status == OTR_OK && expect_rows > 0) {
		for (i = 0; i < n; i++) {
			otr__inner_entry(*page, columns, i, &last);
			rows += last.rows;                 /* at most 390 entries of less than 2^63 each could wrap; compared exactly below */
			if (last.rows > expect_rows || rows > expect_rows)
				break;
		}
		otr__inner_entry(*page, columns, 0, &e);
		if (i < n || rows != expect_rows)
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "its rows are not the %llu that its parent says", (unsigned long long)expect_rows);
		else if (e.first_ns != expect_first_ns || last.last_ns != expect_last_ns)
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "its times are not those that its parent says");
	}
	if (status != OTR_OK) {
		otr__fail_place(err, (int64_t)ref->page, (int64_t)(ref->page * store->page_bytes));
		return status;
	}
	*entries = n;
	return OTR_OK;
}

enum otr_status
otr__tree_open(struct otr__tree *tree, struct otr__store *store, const struct otr_schema *schema, struct otr__scratch *scratch,
    const struct otr__ref *root, uint64_t root_rows, uint64_t rows, struct otr_error *err)
{
	const uint8_t *page;
	uint8_t level = 0;
	enum otr_status status;

	*tree = (struct otr__tree){ .store = store, .schema = schema, .scratch = scratch, .root = *root, .root_rows = root_rows, .rows = rows };
	if (root->page == 0)
		return OTR_OK;
	if (root->page >= OTR__START_BYTES / store->page_bytes) {
		/* the type is not known before the page is read: a root is an inner page, or a lone leaf */
		status = otr__store_read(store, root, OTR__INNER, -1, &page, &level, err);
		if (status == OTR_E_CORRUPT && root_rows <= otr__leaf_rows_max(schema->columns)) {
			struct otr_error second;
			enum otr_status leaf = otr__store_read(store, root, OTR__LEAF, 0, &page, NULL, &second);

			/* a leaf that cannot be read is no damage */
			if (leaf != OTR_E_CORRUPT)
				status = leaf;
			if (leaf != OTR_E_CORRUPT && leaf != OTR_OK && err != NULL)
				*err = second;
			level = 0;
		}
		if (status != OTR_OK)
			return status;
	} else {
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "reference to page %llu, which cannot be", (unsigned long long)root->page);
	}
	tree->level = level;
	/* 5.3-7 is checked with the descent's first step */
	return OTR_OK;
}

/* One step down: the child that `pick` chooses.  pick by position (by_time false) or by time. */
static enum otr_status
descend(struct otr__tree *tree, bool by_time, uint64_t position, int64_t time_ns, struct otr__leaf_at *at, struct otr_error *err)
{
	struct claim c = { .ref = tree->root, .rows = 0 };
	uint8_t level = tree->level;
	bool at_root = true;

	while (level > 0) {
		const uint8_t *page;
		struct otr__entry e;
		uint32_t n, i, columns = tree->schema->columns;
		uint64_t skipped = 0;
		enum otr_status status = otr__tree_inner(tree, &c.ref, level, c.rows, c.first_ns, c.last_ns, &page, &n, err);

		if (status != OTR_OK)
			return status;
		for (i = 0; i < n; i++) {
			otr__inner_entry(page, columns, i, &e);
			if (by_time ? e.last_ns >= time_ns : position - c.position - skipped < e.rows)
				break;
			skipped += e.rows;
		}
		if (i == n) {
			if (by_time && at_root)
				return OTR_END;
			status = otr__fail(err, OTR_E_CORRUPT, at_root ? "5.3-7" : "5.3-3", "its rows are fewer than the slot or its parent says");
			otr__fail_place(err, (int64_t)c.ref.page, -1);
			return status;
		}
		if (e.child.generation > c.ref.generation) {
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-2", "child page %llu is of generation %llu, newer than its parent's %llu",
			    (unsigned long long)e.child.page, (unsigned long long)e.child.generation, (unsigned long long)c.ref.generation);
			otr__fail_place(err, (int64_t)c.ref.page, -1);
			return status;
		}
		tree->store->counters.pruned_by_time += by_time ? n - 1 : 0;
		c = (struct claim){ .ref = e.child, .rows = e.rows, .first_ns = e.first_ns, .last_ns = e.last_ns, .position = c.position + skipped };
		level--;
		at_root = false;
	}
	*at = (struct otr__leaf_at){ .ref = c.ref, .position = c.position, .rows = c.rows, .first_ns = c.first_ns, .last_ns = c.last_ns };
	if (at_root) {
		/* a lone leaf: what the slot says is all there is; times are taken from the leaf itself */
		const uint8_t *page;
		enum otr_status status = otr__store_read(tree->store, &tree->root, OTR__LEAF, 0, &page, NULL, err);

		if (status != OTR_OK)
			return status;
		at->rows = otr__leaf_rows(page, tree->schema->columns);
		if (at->rows == 0 || at->rows != tree->root_rows) {
			status = otr__fail(err, OTR_E_CORRUPT, "5.3-7", "%llu rows, where the slot says %llu", (unsigned long long)at->rows,
			    (unsigned long long)tree->root_rows);
			otr__fail_place(err, (int64_t)tree->root.page, -1);
			return status;
		}
		at->first_ns = OTR_TIME_MIN;
		at->last_ns = OTR_TIME_MAX;
	}
	return OTR_OK;
}

enum otr_status
otr__tree_leaf_at(struct otr__tree *tree, uint64_t position, struct otr__leaf_at *at, struct otr_error *err)
{
	return descend(tree, false, position, 0, at, err);
}

enum otr_status
otr__tree_leaf_of(struct otr__tree *tree, int64_t time_ns, struct otr__leaf_at *at, struct otr_error *err)
{
	if (tree->root.page == 0)
		return OTR_END;
	return descend(tree, true, 0, time_ns, at, err);
}

enum otr_status
otr__tree_leaf_rows(struct otr__tree *tree, const struct otr__leaf_at *at, uint64_t columns, struct otr__rows *rows, struct otr_error *err)
{
	const uint8_t *page;
	bool lone = tree->level == 0;
	enum otr_status status = otr__store_read(tree->store, &at->ref, OTR__LEAF, 0, &page, NULL, err);

	if (status != OTR_OK)
		return status;
	status = otr__leaf_decode(page, tree->store->page_bytes, tree->schema, columns, rows, tree->scratch, NULL, err);
	if (status == OTR_OK && (rows->n != at->rows || (!lone && (rows->time_ns[0] != at->first_ns || rows->time_ns[rows->n - 1] != at->last_ns))))
		status = otr__fail(err, OTR_E_CORRUPT, "5.3-3", "its rows or times are not those that its parent says");
	if (status != OTR_OK)
		otr__fail_place(err, (int64_t)at->ref.page, (int64_t)(at->ref.page * tree->store->page_bytes));
	return status;
}

enum otr_status
otr__tree_seek(struct otr__tree *tree, int64_t time_ns, struct otr__rows *work, uint64_t *position, struct otr_error *err)
{
	struct otr__leaf_at at;
	uint64_t found;
	enum otr_status status = otr__tree_leaf_of(tree, time_ns, &at, err);

	if (status == OTR_END) {
		*position = tree->rows;
		return OTR_OK;
	}
	if (status != OTR_OK)
		return status;
	if (tree->level > 0 && at.first_ns >= time_ns) {
		found = at.position;
	} else {
		status = otr__tree_leaf_rows(tree, &at, 0, work, err);
		if (status != OTR_OK)
			return status;
		found = at.position + otr__lower_bound(work->time_ns, work->n, time_ns);
	}
	*position = found < tree->rows ? found : tree->rows;
	return OTR_OK;
}
