/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history.c - walking the commits that led to a version (otr_log_* of otr.h; SPEC 4.5, 8.7): those of the slot's record area, then those of the log
 * pages by their links to the page before; or the other way round, for which the walk first notes where the pages are.
 *
 * Invariant: the commits still to be given are those of versions [first, last] that lie in the range of times.  So wherever a read fails because a
 * writer reused a page (SPEC 10.4-5), or another read of the handle has met a newer state, the walk begins anew in that state and gives none twice.
 *
 * Memory: one decoded batch (the records of the area or of one log page); oldest first, a reference a log page.
 */
#include <stdlib.h>
#include <string.h>

#include "db.h"

/* A walk that fails for reuse is begun anew; so often without a commit between that a writer keeps overtaking. */
#define RECOVERIES_MAX 100

/* A log page still to be read. */
struct place {
	struct otr__ref ref;
	uint64_t index;
};

struct otr_log {
	struct otr *file;
	int64_t start_ns, end_ns;
	bool oldest_first;
	bool begun;                        /* what follows is of the state state_version */
	bool lost;                         /* versions before first were to be given, and were pruned meanwhile */
	bool ended;
	uint64_t first, last;
	uint64_t state_version;
	bool area_done;
	bool next_known;                   /* newest first: next was named by a link, which says its index */
	struct place next;                 /* newest first; page 0: none */
	struct place *todo;                /* oldest first: the next one last */
	size_t todo_count, todo_capacity;
	struct otr__log_page batch;
	uint32_t from, to;                 /* records of the batch not looked at yet */
	char text[OTR_MAX_AUTHOR + OTR_MAX_MESSAGE + 2];
	struct otr_error failure;          /* status OTR_OK: none yet */
};

enum otr_status
otr_log_open(struct otr *file, int64_t start_ns, int64_t end_ns, bool oldest_first, struct otr_log **log, struct otr_error *err)
{
	struct otr_log *l;

	if (start_ns > end_ns)
		return otr__fail(err, OTR_E_ARG, "", "the range starts after its end");
	l = calloc(1, sizeof *l);
	if (l == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	l->file = file;
	l->start_ns = start_ns;
	l->end_ns = end_ns;
	l->oldest_first = oldest_first;
	l->first = file->state.slot.oldest_version;
	l->last = file->snapshot->version;
	/* the handle may have met a newer state, in which the selected version is pruned */
	l->lost = l->last < l->first;
	l->ended = l->lost;
	otr__log_page_init(&l->batch);
	*log = l;
	return OTR_OK;
}

void
otr_log_close(struct otr_log *log)
{
	if (log == NULL)
		return;
	otr__log_page_release(&log->batch);
	free(log->todo);
	free(log);
}

static bool
in_range(const struct otr_log *l, int64_t commit_ns)
{
	return (l->start_ns == INT64_MIN || commit_ns >= l->start_ns) && (l->end_ns == INT64_MAX || commit_ns < l->end_ns);
}

/* Whether a commit of the page may be asked for. */
static bool
may_match(const struct otr_log *l, const struct otr__log_links *links)
{
	return links->first_version <= l->last && links->last_version >= l->first && (l->start_ns == INT64_MIN || links->greatest_ns >= l->start_ns) &&
	    (l->end_ns == INT64_MAX || links->least_ns < l->end_ns);
}

/*
 * The link to follow to older pages: over those that are all too new, by version or by time, where one leads there.  page 0: there is none.  A page that has only versions before
 * `first` may be gone, if those are pruned: no link to it is followed (SPEC 9.5).
 */
static struct place
older(const struct otr_log *l, const struct otr__log_links *links)
{
	if (links->index == 0 || links->first_version <= l->first)
		return (struct place){ .index = 0 };
	if (links->skip_version >= l->first &&
	    (l->last <= links->skip_version || (l->end_ns != INT64_MAX && links->skip_least_ns >= l->end_ns)))
		return (struct place){ links->skip, links->skip_index };
	return (struct place){ links->prev, links->index - 1 };
}

static enum otr_status
expired(struct otr_error *err)
{
	return otr__fail(err, OTR_E_EXPIRED, "8.8", "snapshot expired: commits that were still to be told are no longer kept");
}

/* Notes the pages that may match, newest first.  They are read when it is their turn. */
static enum otr_status
note_pages(struct otr_log *l, struct otr_error *err)
{
	struct otr__log log = otr__db_log(l->file);
	struct place p = { .ref = log.slot->log };
	bool known = false;

	l->todo_count = 0;
	while (p.ref.page != 0) {
		struct otr__log_links links;
		const uint8_t *page;
		enum otr_status status = otr__log_read(&log, &p.ref, p.index, known, &page, &links, err);

		if (status != OTR_OK)
			return status;
		if (links.last_version < l->first)
			break;
		if (may_match(l, &links)) {
			if (l->todo_count == l->todo_capacity) {
				size_t capacity = l->todo_capacity == 0 ? 16 : 2 * l->todo_capacity;
				struct place *todo = realloc(l->todo, capacity * sizeof *todo);

				if (todo == NULL)
					return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
				l->todo = todo;
				l->todo_capacity = capacity;
			}
			l->todo[l->todo_count++] = (struct place){ p.ref, links.index };
		}
		p = older(l, &links);
		known = true;
	}
	return OTR_OK;
}

/* Begins in the file's state with what is still to be given. */
static enum otr_status
begin(struct otr_log *l, struct otr_error *err)
{
	const struct otr__slot *slot = &l->file->state.slot;
	enum otr_status status = OTR_OK;

	l->from = l->to = 0;
	l->state_version = slot->version;
	if (slot->oldest_version > l->first) {
		/* newest first, what is still kept comes before the failure */
		if (l->oldest_first || slot->oldest_version > l->last)
			return expired(err);
		l->first = slot->oldest_version;
		l->lost = true;
	}
	l->area_done = false;
	l->next = (struct place){ .ref = slot->log };
	l->next_known = false;
	if (l->oldest_first)
		status = note_pages(l, err);
	l->begun = status == OTR_OK;
	return status;
}

/* The records of the slot as a batch. */
static enum otr_status
take_area(struct otr_log *l, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	uint32_t records, i;
	enum otr_status status = otr__slot_records(&l->file->state.slot, &l->file->header.schema, NULL, record, &records, err);

	if (status != OTR_OK)
		return status;
	otr__log_page_release(&l->batch);
	otr__log_page_init(&l->batch);
	for (i = 0; i < records; i++)
		if (!otr__log_page_add(&l->batch, &record[i]))
			return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	l->from = 0;
	l->to = records;
	l->area_done = true;
	return OTR_OK;
}

static enum otr_status
take_page(struct otr_log *l, const uint8_t *page, struct otr_error *err)
{
	struct otr *file = l->file;
	enum otr_status status = otr__log_page_decode(page, file->store.page_bytes, &file->header.schema, &l->batch, file->scratch, err);

	l->from = 0;
	l->to = status == OTR_OK ? l->batch.records : 0;
	return status;
}

static enum otr_status
newer_batch(struct otr_log *l, struct otr_error *err)
{
	struct otr__log log = otr__db_log(l->file);
	struct otr__log_links links;
	const uint8_t *page;
	enum otr_status status;

	if (l->todo_count == 0)
		return l->area_done ? OTR_END : take_area(l, err);
	status = otr__log_read(&log, &l->todo[l->todo_count - 1].ref, l->todo[l->todo_count - 1].index, true, &page, &links, err);
	if (status == OTR_OK)
		status = take_page(l, page, err);
	if (status == OTR_OK)
		l->todo_count--;
	return status;
}

static enum otr_status
older_batch(struct otr_log *l, struct otr_error *err)
{
	struct otr__log log = otr__db_log(l->file);

	if (!l->area_done)
		return take_area(l, err);
	while (l->next.ref.page != 0) {
		struct otr__log_links links;
		const uint8_t *page;
		enum otr_status status = otr__log_read(&log, &l->next.ref, l->next.index, l->next_known, &page, &links, err);

		if (status == OTR_OK && links.last_version < l->first)
			return OTR_END;
		if (status == OTR_OK && may_match(l, &links))
			status = take_page(l, page, err);
		if (status != OTR_OK)
			return status;
		l->next = older(l, &links);
		l->next_known = true;
		if (l->to > 0)
			return OTR_OK;
	}
	return OTR_END;
}

/* Takes one record of the batch; false: it is not asked for. */
static bool
give(struct otr_log *l, struct otr_commit *commit)
{
	const struct otr__record *r = &l->batch.record[l->oldest_first ? l->from++ : --l->to];
	char *message = l->text + r->author_bytes + 1;

	if (r->version < l->first || r->version > l->last || !in_range(l, r->commit_ns))
		return false;
	memcpy(l->text, r->author, r->author_bytes);
	l->text[r->author_bytes] = '\0';
	memcpy(message, r->message, r->message_bytes);
	message[r->message_bytes] = '\0';
	*commit = (struct otr_commit){ .version = r->version, .time_ns = r->commit_ns, .kind = r->kind, .rows = r->rows, .added = r->added,
		.removed = r->removed, .author = l->text, .message = message };
	l->ended = r->version == (l->oldest_first ? l->last : l->first);
	if (l->oldest_first)
		l->first = r->version + 1;
	else
		l->last = r->version - 1;          /* of version 0: ended */
	return true;
}

static enum otr_status
step(struct otr_log *l, struct otr_commit *commit, struct otr_error *err)
{
	enum otr_status status = OTR_OK;

	if (!l->ended && (!l->begun || l->state_version != l->file->state.slot.version))
		status = begin(l, err);
	while (status == OTR_OK && !l->ended) {
		while (l->from < l->to)
			if (give(l, commit))
				return OTR_OK;
		status = l->oldest_first ? newer_batch(l, err) : older_batch(l, err);
	}
	if (status == OTR_OK || status == OTR_END)
		return l->lost ? expired(err) : OTR_END;
	return status;
}

enum otr_status
otr_log_next(struct otr_log *log, struct otr_commit *commit, struct otr_error *err)
{
	struct otr_error failure = { .status = OTR_OK }, second;
	enum otr_status status = log->failure.status;
	int attempt;

	for (attempt = 0; status == OTR_OK; attempt++) {
		bool moved;

		status = step(log, commit, &failure);
		if (status == OTR_OK || status == OTR_END)
			return status;
		log->begun = false;
		/* damage, or pages reused by a writer?  Then the slots tell of a newer state, if no other read of the handle has met it first */
		if ((status == OTR_E_CORRUPT || status == OTR_E_TRUNCATED) && attempt < RECOVERIES_MAX &&
		    (log->state_version != log->file->state.slot.version || (otr__db_reread(log->file, &moved, &second) == OTR_OK && moved)))
			status = OTR_OK;
		else
			log->failure = failure;
	}
	if (err != NULL)
		*err = log->failure;
	return status;
}
