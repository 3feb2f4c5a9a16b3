/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commit.c - making one version (see commit.h).
 *
 * The durability rules, SPEC 10.2, and where each is kept:
 *
 *      1 lock, on the inode that the name has          otr__target_lock
 *      2 state read under the lock; damage refused      otr__target_lock
 *      3 an unmarked slot of another process: sync      otr__commit_pages, write_slot
 *      4 pages only where nobody reads them; sync       space.c, write_slot
 *      5 the other slot, 4096 bytes in one call         write_slot
 *      6 sync of the directory after a creation         write_slot
 *      7 after a failure: nothing more                  target->poisoned
 *
 *      [state N] --otr__commit_begin--> [in memory] --otr__commit_spill, build--> [pages written] --write_slot--> [state N+1]
 *                                                          any failure: state N; free pages hold junk that nobody reaches
 */
#include "commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "reach.h"
#include "recordcheck.h"
#include "text.h"

/* The record area leaves room for this many freed pages: a spill frees a leaf, the inner pages above it and a log page. */
#define LIST_MIN 16u
/* A log page of a single group always fits: its fixed part, chunk headers and padding take less than this. */
#define LOG_FIXED 1700u
/* The least that a file of fixed size has beside its first 16 KiB: an eighth of it takes the pages of a spill. */
#define MAX_SIZE_PAGES 96u
/* Pages by which a file grows at the least between two counts of what it reaches. */
#define RECOUNT_MIN 64u

enum otr_status
otr__target_open_io(const struct otr_io *io, const char *path, struct otr__target *t, struct otr_error *err)
{
	enum otr_status status = OTR_OK;

	*t = (struct otr__target){ .io = *io };
	if (path != NULL)
		t->path = strdup(path);
	t->scratch = otr__scratch_create();
	if ((path != NULL && t->path == NULL) || t->scratch == NULL)
		status = otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	if (status == OTR_OK)
		status = otr__read_header(&t->io, &t->header, &t->notices, err);
	if (status == OTR_OK)
		status = otr__read_state(&t->io, &t->header, &t->state, &t->notices, err);
	if (status == OTR_OK && t->header.unsupported_columns != 0)
		status = otr__fail(err, OTR_E_UNSUPPORTED, "3.4", "it has a column of a type that this program does not know, so it can only be read");
	if (status == OTR_OK && !otr__store_init(&t->store, &t->io, &t->header))
		status = otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	if (status != OTR_OK)
		otr__target_close(t);
	return status;
}

enum otr_status
otr__target_open(const char *path, struct otr__target *t, struct otr_error *err)
{
	struct otr_io io;
	enum otr_status status = otr__io_open(path, true, &io, err);

	return status == OTR_OK ? otr__target_open_io(&io, path, t, err) : status;
}

void
otr__target_close(struct otr__target *t)
{
	otr__store_release(&t->store);
	otr__scratch_free(t->scratch);
	free(t->spare.page);
	if (t->io.close != NULL)
		t->io.close(t->io.self);
	free(t->path);
	*t = (struct otr__target){ .own = false };
}

enum otr_status
otr__wait_for_lock(struct otr_io *io, const struct otr__patience *patience, struct otr_error *err)
{
	int64_t waited = 0, step = 500000;

	for (;;) {
		int failure = io->lock(io->self);

		if (failure == 0)
			return OTR_OK;
		if (failure != EAGAIN)
			return otr__fail_sys(err, failure, "cannot lock");
		if (waited >= patience->wait_ns)
			return otr__fail(err, OTR_E_BUSY, "10.2-1", "another writer holds the lock");
		if (step > patience->wait_ns - waited)
			step = patience->wait_ns - waited;
		(void)io->pause(io->self, step);
		if (waited < 1000000000 && waited + step >= 1000000000 && patience->waiting != NULL)
			patience->waiting(patience->arg);
		waited += step;
		/* short steps: another writer that makes one commit after another leaves the lock free for microseconds only */
		if (step < 2000000)
			step += step / 4;
	}
}

static bool
same_schema(const struct otr_schema *a, const struct otr_schema *b)
{
	uint32_t c;

	if (a->columns != b->columns)
		return false;
	for (c = 0; c < a->columns; c++)
		if (strcmp(a->column[c].name, b->column[c].name) != 0 || a->column[c].type != b->column[c].type)
			return false;
	return true;
}

/* The name leads to another file now: that is the one to write to. */
static enum otr_status
reopen(struct otr__target *t, struct otr_error *err)
{
	struct otr__target fresh;
	enum otr_status status = otr__target_open(t->path, &fresh, err);

	if (status != OTR_OK)
		return status;
	if (!same_schema(&t->header.schema, &fresh.header.schema)) {
		otr__target_close(&fresh);
		return otr__fail(err, OTR_E_ARG, "", "the file was replaced by one with other columns");
	}
	fresh.reopened = t->reopened + 1;
	otr__target_close(t);
	*t = fresh;
	t->store.io = &t->io;
	t->store.header = &t->header;
	return OTR_OK;
}

/* A file that was cut is not grown again over what it lost: nothing could be read of a commit behind a hole. */
static enum otr_status
check_length(struct otr__target *t, struct otr_error *err)
{
	uint32_t page_bytes = t->header.schema.page_bytes;
	uint64_t bytes, counted = t->state.slot.page_count * page_bytes;
	int failure;

	if (t->state.slot.page_count <= otr__first_page(page_bytes))
		return OTR_OK;
	failure = t->io.size(t->io.self, &bytes);
	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot tell its size");
	return bytes >= counted ? OTR_OK : otr__fail(err, OTR_E_TRUNCATED, "5.2-2", "truncated: %llu bytes, its %llu pages need %llu; nothing is written",
	    (unsigned long long)bytes, (unsigned long long)t->state.slot.page_count, (unsigned long long)counted);
}

/* The lock on the inode that the name leads to (SPEC 10.2-1). */
static enum otr_status
lock_current(struct otr__target *t, const struct otr__patience *patience, struct otr_error *err)
{
	enum otr_status status;

	if (t->poisoned)
		return otr__fail(err, OTR_E_IO, "10.2-7", "a write failed before; nothing more is written");
	for (;;) {
		bool current;
		int failure;

		status = otr__wait_for_lock(&t->io, patience, err);
		if (status != OTR_OK)
			return status;
		failure = t->io.is_current(t->io.self, &current);
		if (failure == 0 && current)
			return OTR_OK;
		t->io.unlock(t->io.self);
		if (failure != 0)
			return otr__fail_sys(err, failure, "cannot look up its name");
		status = reopen(t, err);
		if (status != OTR_OK)
			return status;
	}
}

/* Whether this program may write to what was read. */
static enum otr_status
check_writable(struct otr__target *t, struct otr_error *err)
{
	enum otr_status status = check_length(t, err);

	if (status == OTR_OK && (t->state.slot.features.incompat != 0 || t->header.features.incompat != 0))
		status = otr__fail(err, OTR_E_UNSUPPORTED, "3.3", "it uses incompat features that this program does not know");
	if (status == OTR_OK && (t->state.slot.features.ro_compat != 0 || t->header.features.ro_compat != 0))
		status = otr__fail(err, OTR_E_UNSUPPORTED, "3.3", "it uses features with which this program can only read it");
	return status;
}

static enum otr_status
read_root(struct otr__target *t, const struct otr__slot *slot, struct otr_error *err)
{
	struct otr__tree tree;

	return otr__tree_open(&tree, &t->store, &t->header.schema, t->scratch, &slot->root, slot->tree_rows, slot->tree_rows, err);
}

/* Where the newest root is bad and the other slot's is not, goes back to that one; the version number after both is next (SPEC 4.2-8). */
static enum otr_status
give_up_bad_root(struct otr__target *t, struct otr_error *err)
{
	struct otr__slot *other;
	enum otr__slot_condition c;
	enum otr_status status = read_root(t, &t->state.slot, err);

	/* a root that cannot be read just now is no reason to write over its slot */
	if (status != OTR_E_CORRUPT && status != OTR_E_TRUNCATED)
		return status;
	status = OTR_OK;
	other = malloc(sizeof *other);
	if (other == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	c = t->state.has_other ? otr__slot_decode(t->state.bytes[1 - t->state.index], &t->header, other, NULL) : OTR__SLOT_BAD;
	if ((c == OTR__SLOT_SOUND || c == OTR__SLOT_FLIPPED) && read_root(t, other, NULL) == OTR_OK) {
		t->state.slot = *other;
		t->state.index = 1 - t->state.index;
		t->state.has_other = false;
		t->own = t->on_disk = false;
	} else {
		status = otr__fail(err, OTR_E_CORRUPT, "10.4-4", "the root pages of both slots are bad");
	}
	free(other);
	return status;
}

static enum otr_status
lock_target(struct otr__target *t, const struct otr__patience *patience, bool mend, struct otr_error *err)
{
	uint64_t before;
	enum otr_status status;

	if (t->poisoned)
		return otr__fail(err, OTR_E_IO, "10.2-7", "a write failed before; nothing more is written");
	status = lock_current(t, patience, err);
	if (status != OTR_OK)
		return status;
	before = t->state.slot.version;
	t->notices.n = 0;
	status = otr__read_state(&t->io, &t->header, &t->state, &t->notices, err);
	if (status == OTR_OK && t->state.slot.version != before) {
		t->own = t->on_disk = false;
		otr__store_forget(&t->store);
	}
	if (t->state.next_version != t->state.slot.version + 1)
		t->on_disk = false;
	if (status == OTR_OK && t->state.damaged && !mend)
		status = otr__fail(err, OTR_E_CORRUPT, "4.2-6", "the newest slot is damaged, so nothing is written; the version before it is %llu "
		    "(otr-dump --at %llu reads it, otr-rollback FILE %llu goes on from it)", (unsigned long long)t->state.slot.version,
		    (unsigned long long)t->state.slot.version, (unsigned long long)t->state.slot.version);
	if (status == OTR_OK && mend)
		status = give_up_bad_root(t, err);
	if (status == OTR_OK)
		status = check_writable(t, err);
	if (status != OTR_OK)
		t->io.unlock(t->io.self);
	return status;
}

enum otr_status
otr__target_lock(struct otr__target *t, const struct otr__patience *patience, struct otr_error *err)
{
	return lock_target(t, patience, false, err);
}

enum otr_status
otr__target_lock_to_mend(struct otr__target *t, const struct otr__patience *patience, struct otr_error *err)
{
	return lock_target(t, patience, true, err);
}

void
otr__target_unlock(struct otr__target *t)
{
	t->io.unlock(t->io.self);
}

/* ---- policies and who ---------------------------------------------------------------------------------------------------------------- */

enum otr_status
otr__policies_check(const struct otr_schema *schema, const struct otr_policies *p, struct otr_error *err)
{
	uint64_t least = OTR__START_BYTES + (uint64_t)MAX_SIZE_PAGES * schema->page_bytes;

	if ((unsigned)p->duplicates > OTR_ERROR)
		return otr__fail(err, OTR_E_ARG, "4.1", "no such duplicate policy: %d", (int)p->duplicates);
	if (p->has_max_size && p->max_bytes > INT64_MAX)
		return otr__fail(err, OTR_E_ARG, "9.4", "a size of %llu bytes: at most 2^63 - 1", (unsigned long long)p->max_bytes);
	if (p->has_max_size && p->max_bytes < least)
		return otr__fail(err, OTR_E_ARG, "9.4", "a size of %llu bytes: at least %llu with pages of %lu", (unsigned long long)p->max_bytes,
		    (unsigned long long)least, (unsigned long)schema->page_bytes);
	if (p->has_retain && (p->retain_ns < 1 || p->retain_ns > INT64_MAX - 1))
		return otr__fail(err, OTR_E_ARG, "4.1", "rows are retained for 1 to 2^63 - 2 ns");
	if ((unsigned)p->history > OTR_HISTORY_FITS || (p->history == OTR_HISTORY_AGE && p->history_value > INT64_MAX - 1))
		return otr__fail(err, OTR_E_ARG, "4.1", "no such history policy");
	if (p->has_max_size && p->history == OTR_HISTORY_ALL)
		return otr__fail(err, OTR_E_ARG, "9.5", "all history does not fit into a fixed size");
	if (!p->has_max_size && p->history == OTR_HISTORY_FITS)
		return otr__fail(err, OTR_E_ARG, "9.5", "history that fits needs a fixed size");
	return OTR_OK;
}

enum otr_status
otr__who_check(const struct otr__who *who, struct otr_error *err)
{
	if (who->author != NULL && (strlen(who->author) > OTR_MAX_AUTHOR ||
	    !otr__text_ok((const uint8_t *)who->author, strlen(who->author), OTR__TEXT_PLAIN)))
		return otr__fail(err, OTR_E_ARG, "2.5", "author: at most %d bytes of UTF-8 without control characters", OTR_MAX_AUTHOR);
	if (who->message != NULL && (strlen(who->message) > OTR_MAX_MESSAGE ||
	    !otr__text_ok((const uint8_t *)who->message, strlen(who->message), OTR__TEXT_LINES)))
		return otr__fail(err, OTR_E_ARG, "2.5", "message: at most %d bytes of UTF-8 without control characters but newline and tab", OTR_MAX_MESSAGE);
	return OTR_OK;
}

struct otr__record
otr__who_record(const struct otr__who *who, enum otr_kind kind)
{
	const char *author = who->author == NULL ? "" : who->author, *message = who->message == NULL ? "" : who->message;

	return (struct otr__record){ .kind = kind, .author = (const uint8_t *)author, .author_bytes = (uint16_t)strlen(author),
		.message = (const uint8_t *)message, .message_bytes = (uint16_t)strlen(message) };
}

/* ---- beginning --------------------------------------------------------------------------------------------------------- */

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

/* Joins what rides, and sees whether it came in order. */
static enum otr_status
gather_riding(struct otr__commit *k, struct otr_error *err)
{
	const struct otr_schema *schema = &k->target->header.schema;
	struct otr__rows block;
	enum otr_status status = OTR_OK;
	uint32_t i, n;
	size_t j;

	if (!otr__rows_init(&block, schema->columns, 16))
		return no_memory(err);
	if (!otr__rows_reserve(&k->ride, k->carried.n)) {
		otr__rows_release(&block);
		return no_memory(err);
	}
	otr__rows_append(&k->ride, &k->carried, 0, k->carried.n);
	k->plain = k->carried.n == 0;
	for (i = 0; i < k->records && status == OTR_OK; i++) {
		struct otr__reader r;

		if (k->record[i].block == NULL)
			continue;
		r = otr__reader_of(k->record[i].block, k->record[i].block_bytes);
		block.n = 0;
		memset(block.has_null, 0, sizeof block.has_null);
		status = otr__block_get(&r, schema, &block, &n, err);
		if (status == OTR_OK && !otr__rows_reserve(&k->ride, k->ride.n + block.n))
			status = no_memory(err);
		for (j = 0; status == OTR_OK && j < block.n; j++) {
			bool last;
			size_t after = k->ride.n - otr__lower_bound(k->ride.time_ns, k->ride.n, block.time_ns[j]);

			(void)otr__ride_join(&k->ride, &block, j, k->slot.policies.duplicates, &last);
			if (!last) {
				k->plain = false;
				if (k->depth < after)
					k->depth = after;
			}
		}
	}
	otr__rows_release(&block);
	return status;
}

static enum otr_status
walk(void *arg, struct otr__page_list *found, struct otr_error *err)
{
	struct otr__target *t = arg;

	return otr__reach_free(&t->store, &t->header, &t->state, t->scratch, found, err);
}

/* What the newest rewrite wrote for the tree that it kept. */
static enum otr_status
kept_pages(void *arg, struct otr__page_list *found, struct otr_error *err)
{
	struct otr__target *t = arg;
	struct otr__log log = { .store = &t->store, .slot = &t->state.slot, .schema = &t->header.schema, .scratch = t->scratch };
	uint64_t rewrite = t->state.slot.newest_rewrite;
	struct otr__kept root;
	enum otr_status status = otr__log_root(&log, rewrite - 1, &root, err);

	return status == OTR_OK ? otr__reach_generation(&t->store, &t->header, t->scratch, &root, rewrite, t->state.slot.horizon_ns,
	    t->state.slot.page_count, found, err) : status;
}

enum otr_status
otr__commit_begin(struct otr__target *t, struct otr__commit *k, struct otr_error *err)
{
	const struct otr_schema *schema = &t->header.schema;
	enum otr_status status;

	memset(k, 0, sizeof *k);
	k->target = t;
	k->slot = t->state.slot;
	k->slot.version = t->state.next_version;
	k->root = (struct otr__root){ .ref = t->state.slot.root, .rows = t->state.slot.tree_rows };
	k->page = malloc(schema->page_bytes);
	if (k->page == NULL || !otr__space_init(&k->space, &t->store, t->header.file_id, &t->state.slot, k->slot.version) ||
	    !otr__rows_init(&k->carried, schema->columns, 16) || !otr__rows_init(&k->ride, schema->columns, 16))
		status = no_memory(err);
	else
		status = otr__slot_records(&t->state.slot, schema, &k->carried, k->record, &k->records, err);
	if (status == OTR_OK)
		status = gather_riding(k, err);
	/* what another writer wrote, or began to, may be in these pages; without a fixed size it is the next walk that finds out how few pages are live */
	if (!t->own || t->state.next_version != t->state.slot.version + 1 || !t->state.slot.policies.has_max_size)
		t->spare.n = 0;
	if (t->state.slot.policies.has_max_size)
		k->space.spare = &t->spare;
	k->space.walk = walk;
	k->space.kept = kept_pages;
	k->space.arg = t;
	if (status != OTR_OK)
		otr__commit_release(k);
	return status;
}

void
otr__commit_release(struct otr__commit *k)
{
	otr__space_release(&k->space);
	otr__rows_release(&k->carried);
	otr__rows_release(&k->ride);
	free(k->page);
	k->page = NULL;
}

/* What was found may not be on disk: then it is the slot there that pages must not be taken from (SPEC 10.2-3, 9.1). */
static enum otr_status
sync_state(struct otr__target *t, struct otr_error *err)
{
	int failure = t->io.sync(t->io.self);

	if (failure != 0) {
		t->poisoned = true;
		/* the cache may call it clean now: once more, so that the next writer's sync has it to write.  If this fails too, nothing is left to do */
		(void)t->io.write(t->io.self, OTR__SLOT_OFFSET(t->state.index), t->state.bytes[t->state.index], OTR__SLOT_BYTES);
		return otr__fail_sys(err, failure, "cannot sync");
	}
	t->on_disk = true;
	return OTR_OK;
}

/*
 * Whether the older slot, which is to be written over, is used in spite of stamps that are neither its version's nor those of a later write (SPEC 4.2-2).  A commit cut over
 * these would be called damage, so it gets the right ones first.
 */
static bool
mend_older(struct otr__target *t)
{
	uint8_t *slot = t->state.bytes[1 - t->state.index];
	uint64_t next;

	return t->state.has_other &&
	    otr__slot_judge(slot, t->state.slot.version, otr__slot_begins(&t->state.slot, &t->header.schema), &next) != OTR__VERDICT_TORN && otr__slot_mend(slot);
}

static enum otr_status
sync_found(struct otr__target *t, struct otr_error *err)
{
	bool mended = mend_older(t);
	enum otr_status status;
	int failure;

	/* a torn slot may have been put back after a failure, and the disk may hold it whole */
	if (!t->on_disk && (mended || !t->state.slot.self_synced || t->state.next_version != t->state.slot.version + 1)) {
		status = sync_state(t, err);
		if (status != OTR_OK)
			return status;
	}
	if (!mended)
		return OTR_OK;
	failure = t->io.write(t->io.self, OTR__SLOT_OFFSET(1 - t->state.index), t->state.bytes[1 - t->state.index], OTR__SLOT_BYTES);
	if (failure != 0) {
		t->poisoned = true;
		return otr__fail_sys(err, failure, "cannot write");
	}
	return sync_state(t, err);
}

enum otr_status
otr__commit_pages(struct otr__commit *k, struct otr_error *err)
{
	k->wrote_pages = true;
	return sync_found(k->target, err);
}

/* ---- record area and spill --------------------------------------------------------------------------------------------- */

static size_t
area_limit(const struct otr__commit *k)
{
	size_t slot = otr__slot_room(LIST_MIN), page = k->target->header.schema.page_bytes - LOG_FIXED;

	return slot < page ? slot : page;
}

bool
otr__commit_may_ride(const struct otr__commit *k, size_t rows, size_t record_bytes)
{
	return rows <= OTR__RIDE_MAX && record_bytes <= area_limit(k) / 3;
}

bool
otr__commit_has_room(const struct otr__commit *k, size_t record_bytes)
{
	return k->slot.area_bytes + record_bytes <= area_limit(k) && k->records < OTR__RECORDS_MAX;
}

/*
 * How many of the latest riding rows stay behind when the area is spilled for rows from first_ns on: all that are later than these, since those rows are to ride too; and
 * where rows came late, enough that others as late still find their place among them.
 */
static size_t
rows_to_carry(const struct otr__commit *k, int64_t first_ns)
{
	size_t n = k->plain ? 0 : 2 * k->depth + 2, later = k->ride.n - otr__lower_bound(k->ride.time_ns, k->ride.n, first_ns);

	if (n > k->ride.n / 2)
		n = k->ride.n / 2;
	while (n > 0 && otr__block_size(&k->target->header.schema, n) > area_limit(k) / 4)
		n--;
	return n > later ? n : later;
}

bool
otr__commit_can_spill(const struct otr__commit *k, int64_t first_ns)
{
	size_t n = rows_to_carry(k, first_ns);

	return n == 0 || otr__block_size(&k->target->header.schema, n) <= area_limit(k) / 3;
}

/* Adds the group of the record area to log. */
static enum otr_status
add_group(struct otr__commit *k, struct otr__log_page *log, struct otr_error *err)
{
	const struct otr_schema *schema = &k->target->header.schema;
	uint32_t first = log->records, i, n;
	enum otr_status status = OTR_OK;

	if (!k->plain) {
		struct otr__group *g;

		if (log->groups == log->group_capacity) {
			uint32_t capacity = log->group_capacity == 0 ? 8 : 2 * log->group_capacity;

			g = realloc(log->group, capacity * sizeof *g);
			if (g == NULL)
				return no_memory(err);
			log->group = g;
			log->group_capacity = capacity;
		}
		g = &log->group[log->groups++];
		*g = (struct otr__group){ .record = first, .records = k->records, .tree_end = k->target->state.slot.base_row +
			k->target->state.slot.tree_rows, .carried = (uint32_t)k->carried.n, .duplicates = k->slot.policies.duplicates,
			.row = (uint32_t)log->rows.n };
		if (log->rows.memory == NULL && !otr__rows_init(&log->rows, schema->columns, 64))
			return no_memory(err);
		if (!otr__rows_reserve(&log->rows, log->rows.n + k->carried.n))
			return no_memory(err);
		otr__rows_append(&log->rows, &k->carried, 0, k->carried.n);
	}
	for (i = 0; i < k->records && status == OTR_OK; i++) {
		struct otr__record record = k->record[i];

		record.row_count = 0;
		if (!k->plain && k->record[i].block != NULL) {
			struct otr__reader r = otr__reader_of(k->record[i].block, k->record[i].block_bytes);

			status = otr__block_get(&r, schema, &log->rows, &n, err);
			record.row_count = n;
		}
		record.block = NULL;
		record.block_bytes = 0;
		if (status == OTR_OK && !otr__log_page_add(log, &record))
			status = no_memory(err);
	}
	return status;
}

static enum otr_status
write_log(struct otr__commit *k, struct otr_error *err)
{
	struct otr__target *t = k->target;
	const struct otr_schema *schema = &t->header.schema;
	struct otr__log_page log;
	struct otr__log_links before;
	struct otr__ref newest = t->state.slot.log;
	const uint8_t *page;
	bool nomem = false;
	uint32_t used = 0;
	enum otr_status status = OTR_OK;

	otr__log_page_init(&log);
	if (newest.page != 0) {
		status = otr__store_read(&t->store, &newest, OTR__LOG, 0, &page, NULL, err);
		if (status == OTR_OK)
			status = otr__log_page_decode(page, schema->page_bytes, schema, &log, t->scratch, err);
		before = log.links;
		if (status == OTR_OK)
			status = add_group(k, &log, err);
		if (status == OTR_OK && log.records <= OTR__LOG_RECORDS_MAX)
			used = otr__log_page_encode(k->page, schema->page_bytes, schema, &log, t->scratch, &nomem);
		if (status == OTR_OK && used > 0)
			status = otr__space_give_up(&k->space, &newest, err);
	}
	if (status == OTR_OK && used == 0 && !nomem) {
		/* no room: the newest page is full, and stays */
		otr__log_page_release(&log);
		otr__log_page_init(&log);
		log.links = (struct otr__log_links){ .skip_least_ns = INT64_MAX };
		if (newest.page != 0)
			status = otr__log_links_after(&t->store, schema, t->state.slot.oldest_version, &newest, &before, &log.links, err);
		if (status == OTR_OK)
			status = add_group(k, &log, err);
		if (status == OTR_OK)
			used = otr__log_page_encode(k->page, schema->page_bytes, schema, &log, t->scratch, &nomem);
		if (status == OTR_OK && used == 0 && !nomem)
			status = otr__fail(err, OTR_E_LIMIT, "4.5", "the records of a slot do not fit into a log page");
	}
	if (status == OTR_OK && nomem)
		status = no_memory(err);
	if (status == OTR_OK)
		status = otr__space_write(&k->space, k->page, OTR__LOG, 0, &k->slot.log, err);
	otr__log_page_release(&log);
	return status;
}

enum otr_status
otr__commit_spill(struct otr__commit *k, bool all, int64_t first_ns, struct otr_error *err)
{
	struct otr__target *t = k->target;
	const struct otr_schema *schema = &t->header.schema;
	size_t stay = all ? 0 : rows_to_carry(k, first_ns), go = k->ride.n - stay, gone;
	struct otr__builder *b = NULL;
	struct otr__rows rest;
	enum otr_status status;

	if (stay > 0)
		k->plain = false;                /* its last versions are in no tree yet, so the log has to hold their rows */
	status = otr__commit_pages(k, err);
	if (status == OTR_OK)
		status = write_log(k, err);
	if (status != OTR_OK)
		return status;
	if (!otr__rows_init(&rest, schema->columns, stay + 16))
		return no_memory(err);
	/* riding rows that expired need no leaf any more; the tree before them has gone already (SPEC 8.5-2) */
	gone = otr__lower_bound(k->ride.time_ns, go, k->slot.horizon_ns);
	k->slot.base_row += gone;
	if (go > gone) {
		status = otr__builder_create(&k->space, schema, t->scratch, &k->root, &b, err);
		if (status == OTR_OK)
			status = otr__builder_append(b, &k->ride, gone, go, err);
		if (status == OTR_OK)
			status = otr__builder_finish(b, &k->root, err);
		otr__builder_free(b);
		if (status != OTR_OK) {
			otr__rows_release(&rest);
			return status;
		}
	}
	otr__rows_append(&rest, &k->ride, go, k->ride.n);
	otr__rows_release(&k->ride);
	k->ride = rest;
	k->carried.n = 0;
	k->records = 0;
	k->slot.area_bytes = 0;
	k->slot.has_carried = stay > 0;
	if (stay > 0) {
		struct otr__put w = otr__put_into(k->slot.area, sizeof k->slot.area);

		otr__block_put(&w, schema, &k->ride, 0, stay);
		k->slot.area_bytes = (uint16_t)otr__block_size(schema, stay);
	}
	return OTR_OK;
}

enum otr_status
otr__commit_settle(struct otr__commit *k, size_t record_bytes, struct otr_error *err)
{
	enum otr_status status = OTR_OK;

	/* whether there will be a kept root is known only when the pages are written */
	if (k->ride.n > 0 || !otr__commit_has_room(k, record_bytes + OTR__KEPT_BYTES))
		status = otr__commit_spill(k, true, INT64_MAX, err);
	if (status == OTR_OK)
		status = otr__commit_pages(k, err);
	if (status != OTR_OK)
		return status;
	k->root.first_ns = k->slot.first_ns;
	k->root.last_ns = k->slot.last_ns;
	otr__space_settle(&k->space);
	return OTR_OK;
}

void
otr__commit_keep(const struct otr__commit *k, const struct otr__root *base, struct otr__record *record)
{
	record->has_kept = base->ref.page != 0 && k->slot.oldest_version < k->slot.version;
	record->kept = (struct otr__kept){ .root = base->ref, .base_row = k->slot.base_row, .tree_rows = base->rows };
}

enum otr_status
otr__commit_count(struct otr__commit *k, struct otr_error *err)
{
	struct otr__target *t = k->target;
	struct otr__slot *slot = &k->slot;
	struct otr__tree tree;
	struct otr__leaf_at at;
	struct otr__rows rows;
	uint64_t from = 0;
	enum otr_status status;

	slot->rows_ever = slot->base_row + k->root.rows;
	slot->rows = 0;
	slot->first_ns = slot->last_ns = 0;
	if (k->root.ref.page == 0)
		return OTR_OK;
	if (!otr__rows_init(&rows, t->header.schema.columns, 64))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__root_times(&t->store, &t->header.schema, t->scratch, &k->root, err);
	if (status == OTR_OK)
		status = otr__tree_open(&tree, &t->store, &t->header.schema, t->scratch, &k->root.ref, k->root.rows, k->root.rows, err);
	if (status == OTR_OK)
		status = otr__tree_seek(&tree, slot->horizon_ns, &rows, &from, err);
	if (status == OTR_OK && from == k->root.rows) {
		/* all that is left has expired: nobody may read it any more */
		slot->base_row += k->root.rows;
		k->root = (struct otr__root){ .rows = 0 };
	} else if (status == OTR_OK) {
		status = otr__tree_leaf_at(&tree, from, &at, err);
		if (status == OTR_OK)
			status = otr__tree_leaf_rows(&tree, &at, 0, &rows, err);
		if (status == OTR_OK) {
			slot->rows = k->root.rows - from;
			slot->first_ns = rows.time_ns[from - at.position];
			slot->last_ns = k->root.last_ns;
		}
	}
	otr__rows_release(&rows);
	return status;
}

/* ---- the slot ---------------------------------------------------------------------------------------------------------- */

/*
 * The slot could not be written, or may not be on disk: the bytes before are put back, so that nobody trusts it (SPEC 10.2-7).  Two stamps become
 * those of the version after, so that the slot counts as torn and both numbers as used up: nothing that the disk may hold of this write, of that one and of the next has equal stamps.
 */
static enum otr_status
slot_failed(struct otr__target *t, unsigned index, uint64_t version, int failure, struct otr_error *err)
{
	uint8_t bytes[OTR__SLOT_BYTES];
	unsigned i;

	memcpy(bytes, t->state.bytes[index], sizeof bytes);
	for (i = OTR__SECTORS - 2; i < OTR__SECTORS; i++)
		otr__put64(bytes + (i + 1) * (OTR__SLOT_BYTES / OTR__SECTORS) - 8, version + 2);
	/* no check: there is nothing left to do if this fails too, and the answer is "unknown" in any case */
	(void)t->io.write(t->io.self, OTR__SLOT_OFFSET(index), bytes, sizeof bytes);
	t->poisoned = true;
	return otr__fail_sys(err, failure, "state of version %llu unknown; run otr-verify", (unsigned long long)version);
}

static enum otr_status
write_slot(struct otr__commit *k, bool after_creation, struct otr_error *err)
{
	struct otr__target *t = k->target;
	uint8_t bytes[OTR__SLOT_BYTES];
	unsigned index = 1 - t->state.index;
	bool synced = false;
	int failure = 0;
	enum otr_status status = sync_found(t, err);

	if (status != OTR_OK)
		return status;
	if (k->wrote_pages) {
		failure = t->io.sync(t->io.self);
		if (failure != 0) {
			t->poisoned = true;
			return otr__fail_sys(err, failure, "cannot sync");
		}
	}
	/* before the slot: whoever finds this commit as the newest does not do it (SPEC 10.2-6) */
	if (after_creation) {
		failure = t->io.sync_directory(t->io.self);
		if (failure != 0) {
			t->poisoned = true;
			return otr__fail_sys(err, failure, "cannot sync its directory");
		}
	}
	k->slot.self_synced = t->io.can_write_synced(t->io.self);
	if (k->slot.self_synced) {
		otr__slot_encode(bytes, &k->slot, t->header.file_id);
		failure = t->io.write_synced(t->io.self, OTR__SLOT_OFFSET(index), bytes, sizeof bytes, &synced);
		if (failure != 0 && failure != EOPNOTSUPP)
			return slot_failed(t, index, k->slot.version, failure, err);
	}
	if (!synced) {
		k->slot.self_synced = false;
		otr__slot_encode(bytes, &k->slot, t->header.file_id);
		failure = t->io.write(t->io.self, OTR__SLOT_OFFSET(index), bytes, sizeof bytes);
		if (failure == 0)
			failure = t->io.sync(t->io.self);
		if (failure != 0)
			return slot_failed(t, index, k->slot.version, failure, err);
	}
	memcpy(t->state.bytes[index], bytes, sizeof bytes);
	t->state.slot = k->slot;
	t->state.index = index;
	t->state.next_version = k->slot.version + 1;
	t->state.has_other = true;
	t->own = t->on_disk = true;
	return OTR_OK;
}

/* What a reader would refuse is not written: the numbers of a slot that was made to mislead do not fit together in the next one either. */
static enum otr_status
check_slot(struct otr__commit *k, struct otr_error *err)
{
	struct otr__target *t = k->target;
	struct otr__slot *slot = malloc(sizeof *slot);
	uint8_t bytes[OTR__SLOT_BYTES];
	enum otr_status status = OTR_OK;

	if (slot == NULL)
		return no_memory(err);
	otr__slot_encode(bytes, &k->slot, t->header.file_id);
	if (otr__slot_decode(bytes, &t->header, slot, err) != OTR__SLOT_SOUND)
		status = OTR_E_CORRUPT;
	free(slot);
	return status;
}

/* Whether the file has grown over a step since the version before, an eighth of it or so, while pages may have become free that nobody counted. */
static bool
recount_pays(const struct otr__commit *k)
{
	const struct otr_policies *p = &k->slot.policies;
	uint64_t step = RECOUNT_MIN;

	while (step < k->slot.page_count / 16)
		step *= 2;
	if (k->recount)
		return true;
	return !p->has_max_size && (p->has_retain || p->history != OTR_HISTORY_ALL) &&
	    k->slot.page_count / step != k->target->state.slot.page_count / step;
}

/* Counts the live pages, so that the next commit sees whether a walk for free ones pays (SPEC 4.1-2). */
static enum otr_status
recount(struct otr__commit *k, struct otr_error *err)
{
	struct otr__target *t = k->target;
	uint64_t live;
	enum otr_status status = otr__reach_count(&t->store, &t->header, &k->slot, t->scratch, &live, err);

	if (status == OTR_E_CORRUPT || status == OTR_E_TRUNCATED)
		return OTR_OK;              /* a bad page on the way: the file grows instead */
	if (status == OTR_OK)
		k->slot.live_pages = live;
	return status;
}

enum otr_status
otr__commit_finish(struct otr__commit *k, struct otr__record *record, const struct otr__rows *rows, size_t n, struct otr_error *err)
{
	struct otr__target *t = k->target;
	const struct otr_schema *schema = &t->header.schema;
	struct otr__slot *slot = &k->slot;
	struct otr__record last[OTR__RECORDS_MAX];
	uint8_t *block = NULL;
	struct otr__put w;
	uint32_t records;
	size_t most;
	bool after_creation;
	enum otr_status status = otr__slot_records(&t->state.slot, schema, NULL, last, &records, err);

	if (status != OTR_OK)
		return status;
	after_creation = !t->own && (last[records - 1].kind == OTR_KIND_CREATE || last[records - 1].kind == OTR_KIND_COMPACT);
	slot->commit_ns = t->io.now_ns(t->io.self);
	slot->minor = OTR_FORMAT_MINOR;
	slot->root = k->root.ref;
	slot->tree_rows = k->root.rows;
	if (record->has_kept)
		slot->newest_rewrite = slot->version;
	record->version = slot->version;
	record->commit_ns = slot->commit_ns;
	record->time_digits = slot->time_digits;
	record->rows_ever = slot->rows_ever;
	record->rows = slot->rows;
	record->block = NULL;
	record->block_bytes = 0;
	record->row_count = (uint32_t)n;
	if (n > 0) {
		size_t size = otr__block_size(schema, n);

		block = malloc(size);
		if (block == NULL)
			return no_memory(err);
		w = otr__put_into(block, size);
		otr__block_put(&w, schema, rows, 0, n);
		record->block = block;
		record->block_bytes = size;
	}
	w = otr__put_into(slot->area + slot->area_bytes, otr__slot_room(0) - slot->area_bytes);
	otr__record_put(&w, record);
	slot->area_bytes = (uint16_t)(slot->area_bytes + otr__record_size(record));
	free(block);
	record->block = NULL;
	if (w.failed)
		return otr__fail(err, OTR_E_LIMIT, "4.3", "the record does not fit into the slot");
	most = (OTR__SLOT_BODY - OTR__SLOT_FIXED - slot->area_bytes) / 8;
	status = otr__space_finish(&k->space, record->has_kept, most < OTR__FREED_MAX ? most : OTR__FREED_MAX, slot, err);
	if (status == OTR_OK && recount_pays(k))
		status = recount(k, err);
	if (status == OTR_OK)
		status = check_slot(k, err);
	if (status == OTR_OK)
		status = write_slot(k, after_creation, err);
	/* the slot that did not come names some of them: they would be found twice */
	if (status != OTR_OK)
		t->spare.n = 0;
	return status;
}
