/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change.c - deletion, rollback, metadata (see change.h).
 *
 * All three first take what rides into the tree (otr__commit_settle): that tree is the base, which stays as the kept root of a deletion or a rollback.
 *
 *      delete      base without the rows that go
 *      rollback    the old version's tree, cut to its rows, with the rows that rode after it; its metadata, if they differ, as a new chain
 *      meta        base as it is; a new chain whose `previous` is the old one
 */
#include "change.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "metadata.h"
#include "retain.h"

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

static void
fill_result(const struct otr__target *t, bool committed, uint64_t added, uint64_t removed, struct otr_change_result *result)
{
	*result = (struct otr_change_result){ .version = t->state.slot.version, .committed = committed, .first_version = t->state.slot.version, .rows = t->state.slot.rows, .added = added,
		.removed = removed };
}

/*
 * The base, after what the policies want gone went.  more: pages that the change writes at the most on top of it.
 */
static enum otr_status
settle(struct otr__commit *k, const struct otr__record *record, uint64_t more, struct otr_error *err)
{
	struct otr__slot *slot = &k->slot;
	uint64_t pages;
	enum otr_status status = otr__retain_pages(k, 0, &pages, err);

	int64_t newest_ns = slot->rows > 0 ? slot->last_ns : INT64_MIN;

	if (status == OTR_OK)
		status = otr__retain(k, newest_ns, newest_ns, pages + more, err);
	/* changes are what makes room again: they are made at the cost of all history, so that nothing more is kept than they find */
	if (status == OTR_OK && k->crowded)
		slot->oldest_version = slot->version;
	return status == OTR_OK ? otr__commit_settle(k, otr__record_size(record), err) : status;
}

/* ---- delete ------------------------------------------------------------------------------------------------------------- */

static enum otr_status
delete_rows(struct otr__commit *k, const struct otr_delete_spec *spec, uint64_t pages, struct otr__record *record, struct otr_error *err)
{
	struct otr__target *t = k->target;
	struct otr__root base;
	struct otr_delete_spec left = *spec;
	enum otr_status status = settle(k, record, pages, err);

	if (status != OTR_OK)
		return status;
	base = k->root;
	if (left.start_ns < k->slot.horizon_ns)
		left.start_ns = k->slot.horizon_ns;
	if (left.start_ns < left.end_ns)
		status = otr__remove_rows(&k->space, &t->header.schema, t->scratch, &k->root, &left, &record->removed, err);
	/* rows of the range that would expire by this commit are gone only if it is made */
	if (status != OTR_OK || (record->removed == 0 && (k->slot.rows == t->state.slot.rows || spec->start_ns >= k->slot.horizon_ns)))
		return status;
	if (record->removed > 0) {
		otr__commit_keep(k, &base, record);
		status = otr__commit_count(k, err);
	}
	return status == OTR_OK ? otr__commit_finish(k, record, NULL, 0, err) : status;
}

/*
 * A predicate may cut every leaf.  In a file of fixed size that is done in pieces of so many leaves that one commit may write them: *end_ns is the end of the
 * piece that begins at start_ns.
 */
static enum otr_status
end_of_piece(struct otr__commit *k, const struct otr_delete_spec *spec, int64_t *end_ns, uint64_t *pages, struct otr_error *err)
{
	struct otr__target *t = k->target;
	uint64_t limit, leaves, position, one, path;
	struct otr__tree tree;
	struct otr__leaf_at at;
	enum otr_status status = otr__retain_pages(k, 0, &one, err);

	*end_ns = spec->end_ns;
	if (status == OTR_OK)
		status = otr__retain_path(k, &path, err);
	if (status == OTR_OK)
		status = otr__retain_limit(k, &limit, err);
	if (status != OTR_OK)
		return status;
	*pages = 2 * path;                   /* both ends of a range */
	if (spec->match == NULL || limit == UINT64_MAX || k->root.ref.page == 0)
		return status;
	*pages = limit - one;
	leaves = *pages / path;
	status = otr__tree_open(&tree, &t->store, &t->header.schema, t->scratch, &k->root.ref, k->root.rows, k->root.rows, err);
	if (status == OTR_OK)
		status = otr__tree_leaf_of(&tree, spec->start_ns, &at, err);
	for (; status == OTR_OK && tree.level > 0 && leaves > 0; leaves--) {
		if (at.last_ns >= spec->end_ns - 1)
			return OTR_OK;
		*end_ns = at.last_ns + 1;
		position = at.position + at.rows;
		if (position == k->root.rows) {
			*end_ns = spec->end_ns;
			return OTR_OK;
		}
		status = otr__tree_leaf_at(&tree, position, &at, err);
	}
	return status == OTR_END ? OTR_OK : status;
}

/* One piece, which is usually all of it: *end_ns tells where it ends. */
static enum otr_status
delete_piece(struct otr__target *t, const struct otr_delete_spec *spec, struct otr__record *record, int64_t *end_ns, struct otr_error *err)
{
	struct otr_delete_spec piece = *spec;
	const struct otr__slot *slot = &t->state.slot;
	struct otr__commit k;
	uint64_t pages;
	enum otr_status status;

	record->removed = 0;
	record->has_kept = false;            /* that of the piece before is not this one's */
	*end_ns = piece.end_ns;
	if (piece.start_ns < slot->horizon_ns)
		piece.start_ns = slot->horizon_ns;
	if (slot->rows == 0 || piece.start_ns >= piece.end_ns || piece.start_ns > slot->last_ns || piece.end_ns <= slot->first_ns)
		return OTR_OK;
	status = otr__commit_begin(t, &k, err);
	if (status != OTR_OK)
		return status;
	status = end_of_piece(&k, &piece, end_ns, &pages, err);
	piece.end_ns = *end_ns;
	if (status == OTR_OK)
		status = delete_rows(&k, &piece, pages, record, err);
	otr__commit_release(&k);
	return status;
}

enum otr_status
otr__change_delete(struct otr__target *t, const struct otr__patience *patience, const struct otr__who *who, const struct otr__tell *tell,
    const struct otr_delete_spec *wanted, struct otr_change_result *result, struct otr_error *err)
{
	struct otr_delete_spec spec = *wanted;
	struct otr__record record = otr__who_record(who, OTR_KIND_DELETE);
	struct otr_commit_result last = { .committed = false };
	uint64_t removed = 0, first = 0;
	enum otr_status status;

	if (spec.start_ns > spec.end_ns)
		return otr__fail(err, OTR_E_ARG, "", "the range starts after its end");
	status = otr__target_lock(t, patience, err);
	if (status != OTR_OK)
		return status;
	do {
		uint64_t before = t->state.slot.version;
		int64_t end_ns;
		bool made;

		status = delete_piece(t, &spec, &record, &end_ns, err);
		made = status == OTR_OK && t->state.slot.version != before;
		if (last.committed && (made || status != OTR_OK) && tell->piece != NULL)
			tell->piece(tell->arg, &last);
		if (made) {
			removed += record.removed;
			last = (struct otr_commit_result){ .version = t->state.slot.version, .committed = true, .removed = record.removed };
			first = first == 0 ? last.version : first;         /* the first version of all is a creation */
		}
		spec.start_ns = end_ns;
	} while (status == OTR_OK && spec.start_ns < spec.end_ns);
	if (status == OTR_OK) {
		fill_result(t, last.committed, 0, removed, result);
		if (last.committed)
			result->first_version = first;
	}
	otr__target_unlock(t);
	return status;
}

/* ---- metadata ----------------------------------------------------------------------------------------------------------- */

static enum otr_status
read_metadata(struct otr__target *t, uint64_t version, uint8_t **bytes, size_t *len, struct otr_error *err)
{
	*bytes = NULL;
	*len = 0;
	return otr__metadata_read(&t->store, &t->state.slot.metadata, version, bytes, len, err);
}

/* The entries of a stream, with the changes made to them.  *entry is the caller's; its strings are borrowed from the stream's copy *text (the caller's) and change. */
static enum otr_status
merged_entries(const uint8_t *stream, size_t len, const struct otr_meta_change *change, size_t count, struct otr_meta **entry, size_t *n, char **text,
    struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(stream, len);
	const uint8_t *key, *value, *previous = NULL;
	size_t key_len, value_len, previous_len = 0, i, used = 0;
	enum otr_status status;

	/* an entry takes eight bytes of the stream besides its strings: room for two NULs */
	*text = malloc(len + 1);
	*entry = malloc((len / 8 + count + 1) * sizeof **entry);
	*n = 0;
	if (*text == NULL || *entry == NULL)
		return no_memory(err);
	while ((status = otr__meta_next(&r, previous, previous_len, &key, &key_len, &value, &value_len, err)) == OTR_OK) {
		char *at = *text + used;

		previous = key;
		previous_len = key_len;
		memcpy(at, key, key_len);
		at[key_len] = '\0';
		for (i = 0; i < count && strcmp(change[i].key, at) != 0; i++)
			;
		if (i < count)
			continue;
		memcpy(at + key_len + 1, value, value_len);
		(*entry)[(*n)++] = (struct otr_meta){ .key = at, .value = at + key_len + 1, .value_bytes = value_len };
		used += key_len + 1 + value_len;
	}
	if (status != OTR_END)
		return status;
	for (i = 0; i < count; i++)
		if (change[i].value != NULL)
			(*entry)[(*n)++] = (struct otr_meta){ .key = change[i].key, .value = change[i].value, .value_bytes = change[i].value_bytes };
	return OTR_OK;
}

/* The stream after the changes: *bytes is the caller's.  *differs: from the one in force. */
static enum otr_status
changed_stream(struct otr__target *t, const struct otr_meta_change *change, size_t count, uint8_t **bytes, size_t *len, bool *differs,
    struct otr_error *err)
{
	uint8_t *old;
	size_t old_len, n;
	struct otr_meta *entry = NULL;
	char *text = NULL;
	enum otr_status status = read_metadata(t, t->state.slot.version, &old, &old_len, err);

	*bytes = NULL;
	*len = 0;
	if (status == OTR_OK)
		status = merged_entries(old, old_len, change, count, &entry, &n, &text, err);
	if (status == OTR_OK)
		status = otr__metadata_stream(entry, n, bytes, len, err);
	if (status == OTR_OK)
		*differs = old_len != *len || (old_len > 0 && memcmp(old, *bytes, old_len) != 0);
	free(entry);
	free(text);
	free(old);
	return status;
}

static bool
policies_equal(const struct otr_policies *a, const struct otr_policies *b)
{
	return a->duplicates == b->duplicates && a->has_max_size == b->has_max_size && a->max_bytes == b->max_bytes && a->has_retain == b->has_retain &&
	    a->retain_ns == b->retain_ns && a->history == b->history && a->history_value == b->history_value;
}

static enum otr_status
change_meta(struct otr__commit *k, const struct otr_meta_change *change, size_t count, const struct otr_policies *policies, struct otr__record *record,
    bool *committed, struct otr_error *err)
{
	struct otr__target *t = k->target;
	bool policy = policies != NULL && !policies_equal(policies, &t->state.slot.policies), differs = false;
	uint8_t *bytes = NULL;
	size_t len;
	enum otr_status status = changed_stream(t, change, count, &bytes, &len, &differs, err);

	*committed = policy || differs;
	if (status == OTR_OK && (differs || (policy && policies->max_bytes != t->state.slot.policies.max_bytes)))
		status = otr__metadata_check(&t->header.schema, policy ? policies : &t->state.slot.policies, len, err);
	if (status == OTR_OK && *committed) {
		/* what rides came under the old duplicate policy; all else of the new ones holds from here on */
		if (policy) {
			k->slot.policies = *policies;
			k->slot.policies.duplicates = t->state.slot.policies.duplicates;
		}
		status = settle(k, record, differs ? otr__metadata_pages(t->header.schema.page_bytes, len) : 0, err);
		if (policy) {
			k->slot.policies.duplicates = policies->duplicates;
			if (policies->max_bytes != t->state.slot.policies.max_bytes)
				k->space.limit = 0;      /* a file that fills its new size already must be able to say so */
		}
		if (status == OTR_OK && differs)
			status = otr__metadata_write(&k->space, bytes, len, &k->slot.metadata, err);
		if (status == OTR_OK)
			status = otr__commit_finish(k, record, NULL, 0, err);
	}
	free(bytes);
	return status;
}

/* The policies in force with those of `which` from wanted. */
static struct otr_policies
merged_policies(const struct otr_policies *now, const struct otr_policies *wanted, unsigned which)
{
	struct otr_policies p = *now;

	if ((which & OTR_POLICY_DUPLICATES) != 0)
		p.duplicates = wanted->duplicates;
	if ((which & OTR_POLICY_RETAIN) != 0) {
		p.has_retain = wanted->has_retain;
		p.retain_ns = wanted->has_retain ? wanted->retain_ns : 0;
	}
	if ((which & OTR_POLICY_MAX_SIZE) != 0) {
		p.has_max_size = wanted->has_max_size;
		p.max_bytes = wanted->has_max_size ? wanted->max_bytes : 0;
	}
	if ((which & OTR_POLICY_HISTORY) != 0) {
		p.history = wanted->history;
		p.history_value = wanted->history_value;
	} else if ((which & OTR_POLICY_MAX_SIZE) != 0 && (p.history == OTR_HISTORY_ALL || p.history == OTR_HISTORY_FITS)) {
		p.history = p.has_max_size ? OTR_HISTORY_FITS : OTR_HISTORY_ALL;
	}
	return p;
}

enum otr_status
otr__change_meta(struct otr__target *t, const struct otr__patience *patience, const struct otr__who *who, const struct otr_meta_change *change,
    size_t count, const struct otr_policies *policies, unsigned which, struct otr_change_result *result, struct otr_error *err)
{
	struct otr__record record = otr__who_record(who, OTR_KIND_META);
	struct otr_policies merged = { .duplicates = OTR_REPLACE };
	struct otr__commit k;
	bool committed = false;
	enum otr_status status = otr__target_lock(t, patience, err);

	if (status != OTR_OK)
		return status;
	if (policies != NULL) {
		merged = merged_policies(&t->state.slot.policies, policies, which);
		status = otr__policies_check(&t->header.schema, &merged, err);
	}
	if (status == OTR_OK)
		status = otr__commit_begin(t, &k, err);
	if (status == OTR_OK) {
		status = change_meta(&k, change, count, policies == NULL ? NULL : &merged, &record, &committed, err);
		otr__commit_release(&k);
	}
	if (status == OTR_OK)
		fill_result(t, committed, 0, 0, result);
	otr__target_unlock(t);
	return status;
}

/* ---- rollback ----------------------------------------------------------------------------------------------------------- */

/* Metadata as they were at version: *bytes is the caller's.  *differ: from those in force, so that they take pages. */
static enum otr_status
metadata_of(struct otr__target *t, uint64_t version, uint8_t **bytes, size_t *len, bool *differ, struct otr_error *err)
{
	uint8_t *now = NULL;
	size_t now_len;
	enum otr_status status = read_metadata(t, version, bytes, len, err);

	*differ = false;
	if (status == OTR_OK)
		status = read_metadata(t, t->state.slot.version, &now, &now_len, err);
	if (status == OTR_OK)
		*differ = *len != now_len || (now_len > 0 && memcmp(*bytes, now, now_len) != 0);
	free(now);
	return status == OTR_OK && *differ ? otr__metadata_check(&t->header.schema, &t->state.slot.policies, *len, err) : status;
}

/* How many of the first n rows of root have not expired. */
static enum otr_status
rows_left(struct otr__commit *k, const struct otr__root *root, uint64_t n, uint64_t *left, struct otr_error *err)
{
	struct otr__target *t = k->target;
	struct otr__tree tree;
	struct otr__rows rows;
	uint64_t gone = 0;
	enum otr_status status;

	*left = n;
	if (n == 0 || k->slot.horizon_ns == INT64_MIN)
		return OTR_OK;
	if (!otr__rows_init(&rows, t->header.schema.columns, 64))
		return no_memory(err);
	status = otr__tree_open(&tree, &t->store, &t->header.schema, t->scratch, &root->ref, root->rows, n, err);
	if (status == OTR_OK)
		status = otr__tree_seek(&tree, k->slot.horizon_ns, &rows, &gone, err);
	otr__rows_release(&rows);
	*left = n - gone;
	return status;
}

/* k->root, base_row: the tree of the version, whose riding rows are added to it. */
static enum otr_status
restore_tree(struct otr__commit *k, const struct otr__version *v, const struct otr__root *base, struct otr_error *err)
{
	struct otr__target *t = k->target;
	const struct otr__slot *found = &t->state.slot;
	struct otr__root root = { .ref = v->from.root, .rows = v->from.tree_rows };
	struct otr__builder *b = NULL;
	uint64_t n, left;
	enum otr_status status;

	/* the present tree's edges may have been rewritten when the riding rows went into it and rows expired: the base has the rows that are left, and more */
	if (v->record.version >= found->newest_rewrite)
		root = *base;
	else
		k->slot.base_row = v->from.base_row;
	n = v->tree_end > k->slot.base_row && root.ref.page != 0 ? v->tree_end - k->slot.base_row : 0;
	status = rows_left(k, &root, n, &left, err);
	if (status != OTR_OK)
		return status;
	if (left == 0) {
		/* nothing of that tree is left to be read: only what rode after it */
		k->slot.base_row = v->tree_end;
		root = (struct otr__root){ .rows = 0 };
		n = 0;
	}
	k->root = root;
	if (n == root.rows && v->ride.n == 0)
		return OTR_OK;
	if (n > 0)
		status = otr__builder_create_after(&k->space, &t->header.schema, t->scratch, &root, n, &b, err);
	else
		status = otr__builder_create(&k->space, &t->header.schema, t->scratch, &(struct otr__root){ .rows = 0 }, &b, err);
	if (status == OTR_OK)
		status = otr__builder_append(b, &v->ride, 0, v->ride.n, err);
	if (status == OTR_OK)
		status = otr__builder_finish(b, &k->root, err);
	otr__builder_free(b);
	return status;
}

/* k->root and metadata as v has them. */
static enum otr_status
restore(struct otr__commit *k, const struct otr__version *v, const struct otr__root *base, const uint8_t *bytes, size_t len, bool differ,
    struct otr_error *err)
{
	enum otr_status status = restore_tree(k, v, base, err);

	k->recount = true;                   /* it may have been pruned just now */
	if (status == OTR_OK && differ)
		status = otr__metadata_write(&k->space, bytes, len, &k->slot.metadata, err);
	if (status == OTR_OK)
		status = otr__commit_count(k, err);
	k->slot.time_digits = v->record.time_digits;
	return status;
}

static enum otr_status
roll_back(struct otr__commit *k, const struct otr__version *v, struct otr__record *record, struct otr_error *err)
{
	struct otr__target *t = k->target;
	uint64_t before, pages = 0;
	struct otr__root base;
	uint8_t *bytes = NULL;
	size_t len;
	bool differ, older = v->record.version < t->state.slot.version;
	enum otr_status status = metadata_of(t, v->record.version, &bytes, &len, &differ, err);

	if (status == OTR_OK && older)
		status = otr__retain_pages(k, v->ride.n, &pages, err);
	if (status == OTR_OK)
		status = settle(k, record, pages + (differ ? otr__metadata_pages(t->header.schema.page_bytes, len) : 0), err);
	if (status == OTR_OK) {
		before = k->slot.rows;       /* without those that expire by this commit (SPEC 4.3-2) */
		base = k->root;
		otr__commit_keep(k, &base, record);
		if (older)
			status = restore(k, v, &base, bytes, len, differ, err);
	}
	free(bytes);
	if (status != OTR_OK)
		return status;
	record->added = k->slot.rows > before ? k->slot.rows - before : 0;
	record->removed = k->slot.rows < before ? before - k->slot.rows : 0;
	return otr__commit_finish(k, record, NULL, 0, err);
}

enum otr_status
otr__change_rollback(struct otr__target *t, const struct otr__patience *patience, const struct otr__who *who, uint64_t version,
    struct otr_change_result *result, struct otr_error *err)
{
	struct otr__record record = otr__who_record(who, OTR_KIND_ROLLBACK);
	struct otr__version *v = malloc(sizeof *v);
	struct otr__commit k;
	enum otr_status status = v == NULL ? no_memory(err) : otr__target_lock_to_mend(t, patience, err);

	if (status == OTR_OK) {
		struct otr__log log = { .store = &t->store, .slot = &t->state.slot, .schema = &t->header.schema, .scratch = t->scratch };

		status = otr__log_version(&log, version, v, err);
		if (status != OTR_OK)
			otr__target_unlock(t);
	}
	if (status != OTR_OK) {
		free(v);
		return status;
	}
	status = otr__commit_begin(t, &k, err);
	if (status == OTR_OK) {
		status = roll_back(&k, v, &record, err);
		otr__commit_release(&k);
	}
	if (status == OTR_OK)
		fill_result(t, true, record.added, record.removed, result);
	otr__target_unlock(t);
	otr__rows_release(&v->ride);
	free(v);
	return status;
}
