/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compact.c - otr_compact: a file written anew, and its name given to the result (SPEC 9, 10.3, 11.3).
 *
 *      with history       in --copy--> new, commit
 *      folded, history    in --copy--> middle, commit (fold) --copy--> new        so that the new tree, too, lies in order
 *      dense              in --rows--> middle --copy--> new
 *
 * The first arrow is begun without the lock of `in`, and ended under it if `in` is to be replaced; the rest is done under it.  `new` and `middle` are
 * temporary files in the target's directory: nothing has a name before it is whole, synced and locked, and all of it is gone after a failure.  A crash at any
 * point leaves `in` as it was, or the new file in its place.
 */
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "repack.h"
#include "text.h"

/* A copy without the lock begins again as often as a writer reuses its pages under it. */
#define ATTEMPTS 8
/* A wait for the lock is cut into pieces, between which the caller may give up. */
#define WAIT_PIECE INT64_C(200000000)

struct job {
	const struct otr_compact_options *o;
	struct otr__repack_wish wish;
	bool in_place;
	char *name;                          /* where the new file goes */
	struct otr__target in;
	struct otr_io replaced;              /* an existing `out`, locked */
	struct otr_io middle, new_file;
	struct otr__watch watch;
	struct otr__copier *copier;
	struct otr__repack *repack;
	struct otr__repack_counts counts;
};

static enum otr_status
check_options(const struct otr_compact_options *o, const char *out, struct otr_error *err)
{
	if (!o->drop_history && (o->deflate || o->page_bytes != 0))
		return otr__fail(err, OTR_E_ARG, "", "pages of another size or encoding need the history to be dropped");
	if (out == NULL && o->replace)
		return otr__fail(err, OTR_E_ARG, "", "nothing to replace without another file");
	if (o->window_ns > (uint64_t)INT64_MAX || (unsigned)o->fold > OTR_FOLD_LAST)
		return otr__fail(err, OTR_E_ARG, "", "no such window or aggregate");
	if (o->author != NULL && (strlen(o->author) > OTR_MAX_AUTHOR ||
	    !otr__text_ok((const uint8_t *)o->author, strlen(o->author), OTR__TEXT_PLAIN)))
		return otr__fail(err, OTR_E_ARG, "2.5", "author: at most %d bytes of UTF-8 without control characters", OTR_MAX_AUTHOR);
	if (o->message != NULL && (strlen(o->message) > OTR_MAX_MESSAGE ||
	    !otr__text_ok((const uint8_t *)o->message, strlen(o->message), OTR__TEXT_LINES)))
		return otr__fail(err, OTR_E_ARG, "2.5", "message: at most %d bytes of UTF-8 without control characters but newline and tab", OTR_MAX_MESSAGE);
	return OTR_OK;
}

/*
 * Measured on sixteen real series as they are, and seven of them made ten times as long.  Up to 8 columns the usual sizes came out smallest over all.  With more columns a leaf,
 * which holds 2^18 cells at most, is so small deflated that it leaves room in 64 KiB: 10 and 11 columns took 4.3 MB there, 3.1 MB in pages of 32 KiB.  16 KiB gave 2.8 MB, but
 * an inner page of that size has 8 to 16 children only.
 */
uint32_t
otr_deflate_page_bytes(uint32_t columns)
{
	return columns > 8 && columns <= 16 ? 32768 : otr_default_page_bytes(columns);
}

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

/* A damaged state is not copied as if it were the newest, nor what a feature may say that is not known here. */
static enum otr_status
check_state(const struct otr__target *t, struct otr_error *err)
{
	const struct otr__features *slot = &t->state.slot.features, *header = &t->header.features;

	if (t->state.damaged)
		return otr__fail(err, OTR_E_CORRUPT, "4.2-6", "the newest slot is damaged; the version before it is %llu (otr-dump --at %llu reads it)",
		    (unsigned long long)t->state.slot.version, (unsigned long long)t->state.slot.version);
	if ((slot->incompat | header->incompat | slot->ro_compat | header->ro_compat) != 0)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.3", "it uses features with which this program can at most read it");
	return OTR_OK;
}

static enum otr_status
open_in(struct job *j, const char *in, struct otr_error *err)
{
	struct otr_io io;
	enum otr_status status;

	if (j->in_place)
		return otr__target_open(in, &j->in, err);
	status = otr__io_open(in, false, &io, err);
	return status == OTR_OK ? otr__target_open_io(&io, NULL, &j->in, err) : status;
}

/* The name that the new file gets, and the lock of what has it now, if that is another file. */
static enum otr_status
open_out(struct job *j, const char *in, const char *out, struct otr_error *err)
{
	if (j->in_place)
		return otr__io_real_path(in, &j->name, err);
	if (otr__io_is_at(&j->in.io, out))
		return otr__fail(err, OTR_E_ARG, "", "is the file that is to be copied (without a second name it is replaced)");
	j->name = strdup(out);
	if (j->name == NULL)
		return no_memory(err);
	if (j->o->replace)
		return otr__lock_replaced(out, j->o->wait_ns, &j->replaced, err);
	return otr__io_exists(out) ? otr__fail(err, OTR_E_EXISTS, "", "exists already") : OTR_OK;
}

static bool
uses_middle(const struct job *j)
{
	return j->o->drop_history || j->o->window_ns != 0;
}

/* ---- the first arrow ------------------------------------------------------------------------------------------------------- */

/* The page size that was asked for, or that suits; a file of fixed size must have room for enough of them (SPEC 9.4). */
static enum otr_status
choose_page_bytes(struct job *j, struct otr_error *err)
{
	struct otr_schema *schema = malloc(sizeof *schema);
	const struct otr_schema *present = &j->in.header.schema;
	enum otr_status status;

	if (schema == NULL)
		return no_memory(err);
	*schema = *present;
	if (j->o->page_bytes != 0)
		schema->page_bytes = j->o->page_bytes;
	else if (j->o->deflate)
		schema->page_bytes = otr_deflate_page_bytes(present->columns);
	status = otr__policies_check(schema, &j->in.state.slot.policies, err);
	j->wish.page_bytes = status == OTR_OK ? schema->page_bytes : present->page_bytes;
	free(schema);
	return j->o->page_bytes != 0 ? status : OTR_OK;
}

/* Forgets what was copied. */
static enum otr_status
begin(struct job *j, struct otr_error *err)
{
	otr__copier_free(j->copier);
	otr__repack_free(j->repack);
	j->copier = NULL;
	j->repack = NULL;
	if (j->o->drop_history) {
		enum otr_status status = choose_page_bytes(j, err);

		return status == OTR_OK ? otr__repack_create(&j->in, &j->middle, &j->wish, &j->watch, &j->repack, err) : status;
	}
	j->copier = otr__copier_create(&j->in, uses_middle(j) ? &j->middle : &j->new_file, &j->watch);
	return j->copier == NULL ? no_memory(err) : OTR_OK;
}

static enum otr_status
take(struct job *j, struct otr_error *err)
{
	return j->repack != NULL ? otr__repack_rows(j->repack, err) : otr__copier_trees(j->copier, err);
}

static enum otr_status
complete(struct job *j, bool *again, struct otr_error *err)
{
	*again = false;
	if (j->repack != NULL)
		return otr__repack_finish(j->repack, again, &j->counts, err);
	return otr__copier_finish(j->copier, err);
}

static bool
may_be_reused(enum otr_status status)
{
	return status == OTR_E_CORRUPT || status == OTR_E_TRUNCATED || status == OTR_E_EXPIRED || status == OTR_E_NOTFOUND;
}

/* After a bad page without the lock: whether a writer moved on, so that it may have been reused (SPEC 10.4-5).  The state is read anew then. */
static bool
moved(struct job *j)
{
	struct otr__state *state = malloc(sizeof *state);
	struct otr__notices notices = { .n = 0 };
	bool is = state != NULL && otr__read_state(&j->in.io, &j->in.header, state, &notices, NULL) == OTR_OK && !state->damaged &&
	    state->slot.version != j->in.state.slot.version;

	if (is) {
		j->in.state = *state;
		otr__store_forget(&j->in.store);
	}
	free(state);
	return is;
}

/* Without the lock.  all: to the end.  *taken: whether it came through. */
static enum otr_status
copy_unlocked(struct job *j, bool all, bool *taken, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	bool again;
	int attempt;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		status = begin(j, err);
		if (status == OTR_OK)
			status = take(j, err);
		if (status == OTR_OK && all)
			status = complete(j, &again, err);
		*taken = status == OTR_OK;
		if (!may_be_reused(status) || !moved(j))
			return status;
	}
	return all ? otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: pages were reused by a writer, time and again") : OTR_OK;
}

static enum otr_status
wait_for_lock(struct job *j, struct otr_error *err)
{
	int64_t left = j->o->wait_ns, waited = 0;
	enum otr_status status;

	for (;;) {
		struct otr__patience piece = { .wait_ns = left < WAIT_PIECE ? left : WAIT_PIECE };

		status = otr__target_lock(&j->in, &piece, err);
		if (status != OTR_E_BUSY || piece.wait_ns == left)
			return status;
		left -= piece.wait_ns;
		waited += piece.wait_ns;
		if (waited == 5 * WAIT_PIECE && j->o->waiting != NULL)
			j->o->waiting(j->o->arg);
		status = otr__watch_ask(&j->watch, err);
		if (status != OTR_OK)
			return status;
	}
}

/* Under the lock: what came since. */
static enum otr_status
catch_up(struct job *j, uint64_t version, bool taken, struct otr_error *err)
{
	enum otr_status status = OTR_OK;
	bool again = !taken;

	/* the graph takes what it does not have yet; for rows otr__repack_finish says whether that can be done */
	if (taken && j->copier != NULL && j->in.state.slot.version != version)
		status = otr__copier_trees(j->copier, err);
	if (taken && status == OTR_OK)
		status = complete(j, &again, err);
	if (status != OTR_OK || !again)
		return status;
	status = begin(j, err);
	if (status == OTR_OK)
		status = take(j, err);
	return status == OTR_OK ? complete(j, &again, err) : status;
}

static enum otr_status
copy_in_place(struct job *j, struct otr_error *err)
{
	uint8_t file_id[16];
	uint32_t page_bytes = j->in.header.schema.page_bytes;
	uint64_t version;
	bool taken = false;
	enum otr_status status = copy_unlocked(j, false, &taken, err);

	if (status != OTR_OK)
		return status;
	version = j->in.state.slot.version;
	memcpy(file_id, j->in.header.file_id, sizeof file_id);
	status = wait_for_lock(j, err);
	if (status != OTR_OK)
		return status;
	/*
	 * The name may lead to another file by now.  Pages of the same series are still known by their checksums; but its rows need not begin with those that were taken: another
	 * compaction may have folded some, and dropped the record of it.
	 */
	if (j->repack != NULL && j->in.reopened > 0)
		taken = false;
	if (memcmp(file_id, j->in.header.file_id, sizeof file_id) != 0 || page_bytes != j->in.header.schema.page_bytes)
		taken = false;
	return catch_up(j, version, taken, err);
}

/* ---- the rest -------------------------------------------------------------------------------------------------------------- */

/* A target on a backend that stays the job's. */
static void
leave_open(void *self)
{
	(void)self;
}

static enum otr_status
open_made(const struct otr_io *io, struct otr__target *t, struct otr_error *err)
{
	struct otr_io borrowed = *io;

	borrowed.close = leave_open;
	return otr__target_open_io(&borrowed, NULL, t, err);
}

static enum otr_status
commit(struct job *j, struct otr__target *t, struct otr_error *err)
{
	/* a number that a torn slot of `in` used up is not used again (SPEC 4.2-8) */
	t->state.next_version = j->in.state.next_version;
	return otr__repack_commit(t, &j->wish, &j->counts, err);
}

/* From what the first arrow made to the new file, complete. */
static enum otr_status
make_new(struct job *j, struct otr_compact_result *result, struct otr_error *err)
{
	struct otr__target t = { .own = false };
	struct otr__copier *c = NULL;
	enum otr_status status = open_made(uses_middle(j) ? &j->middle : &j->new_file, &t, err);

	if (status == OTR_OK && !j->o->drop_history)
		status = commit(j, &t, err);
	if (status == OTR_OK && uses_middle(j)) {
		c = otr__copier_create(&t, &j->new_file, &j->watch);
		status = c == NULL ? no_memory(err) : otr__copier_trees(c, err);
		if (status == OTR_OK)
			status = otr__copier_finish(c, err);
		otr__copier_free(c);
	}
	if (status == OTR_OK) {
		result->version = t.state.slot.version;
		result->rows = t.state.slot.rows;
		result->folded = j->counts.folded;
		result->made = j->counts.made;
	}
	if (t.io.self != NULL)
		otr__target_close(&t);
	return status;
}

static enum otr_status
size_of(const struct otr_io *io, uint64_t *bytes, struct otr_error *err)
{
	int failure = io->size(io->self, bytes);

	return failure == 0 ? OTR_OK : otr__fail_sys(err, failure, "cannot tell its size");
}

static enum otr_status
run(struct job *j, const char *in, const char *out, struct otr_compact_result *result, struct otr_error *err)
{
	bool taken;
	enum otr_status status = open_in(j, in, err);

	if (status == OTR_OK)
		status = check_state(&j->in, err);
	if (status == OTR_OK)
		status = open_out(j, in, out, err);
	if (status == OTR_OK)
		status = otr__io_create(j->name, &j->new_file, err);
	if (status == OTR_OK && uses_middle(j))
		status = otr__io_create(j->name, &j->middle, err);
	if (status != OTR_OK)
		return status;
	status = j->in_place ? copy_in_place(j, err) : copy_unlocked(j, true, &taken, err);
	if (status == OTR_OK)
		status = size_of(&j->in.io, &result->bytes_before, err);
	if (status == OTR_OK)
		status = make_new(j, result, err);
	if (status == OTR_OK)
		status = size_of(&j->new_file, &result->bytes_after, err);
	return status == OTR_OK ? otr__io_publish(&j->new_file, j->in_place || j->o->replace, err) : status;
}

enum otr_status
otr_compact(const char *in, const char *out, const struct otr_compact_options *o, struct otr_compact_result *result, struct otr_error *err)
{
	struct otr_compact_result made = { .version = 0 };
	struct job *j;
	enum otr_status status = check_options(o, out, err);

	if (status != OTR_OK)
		return status;
	j = calloc(1, sizeof *j);
	if (j == NULL)
		return no_memory(err);
	j->o = o;
	j->in_place = out == NULL;
	j->watch = (struct otr__watch){ .go_on = o->go_on, .arg = o->arg };
	j->wish = (struct otr__repack_wish){ .author = o->author, .message = o->message, .deflate = o->deflate,
		.fold = otr__fold_rule_of(o->window_ns, o->older_than_ns, o->fold) };
	status = run(j, in, out, &made, err);
	otr__copier_free(j->copier);
	otr__repack_free(j->repack);
	if (j->middle.self != NULL)
		j->middle.close(j->middle.self);
	if (j->new_file.self != NULL)
		j->new_file.close(j->new_file.self);
	if (j->replaced.self != NULL)
		j->replaced.close(j->replaced.self);
	/* the lock of what was replaced goes last: who waits for it then finds the new file under the name */
	if (j->in.io.self != NULL)
		otr__target_close(&j->in);
	free(j->name);
	free(j);
	if (status == OTR_OK)
		*result = made;
	return status;
}
