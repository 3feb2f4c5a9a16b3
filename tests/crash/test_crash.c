/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_crash.c - what a power cut, a killed writer and a failing disk leave (testing.md M1, M2, M3, M6), with the monitor of M15 always on.
 *
 * A file lives in memory twice: `now` is what every process sees, `disk` what completed syncs cover; `pending` are the writes between them.  Whenever
 * the library calls, the power may go: then any subset of the pending writes is on the disk, one of them torn.  Each such state is opened by the real
 * reader, all its versions compared with the model, verified, and appended to by the real writer, in which the power may go once more, a call may fail, or
 * the writer be killed.
 *
 * Reading, verifying and appending are functions of the bytes that they read (disk.h): for a state that gives them what another one gave, they are not run
 * again.  So a torn page that nobody reads yet costs next to nothing, and a torn slot an open.
 *
 *      STATES=n       distinct states after one cut, of all workloads together; a tenth as many after a second one, and after a killed writer
 *      SEED=n         of all that is random
 *      ONLY=name      one workload (or `killed`, `failing`) alone
 */
#include <errno.h>

#include "disk.h"
#include "onefile.h"
#include "reach.h"
#include "start.h"
#include "verify.h"
#include "writer.h"

#define SECOND 1000000000LL

#define STATES_WANTED (TAP_SLOWER > 1 ? 1000 : 200000)

/* The calls of a backend that can fail, and how. */
enum which { READ, WRITE, WRITE_SYNCED, SYNC, SYNC_DIRECTORY, SIZE, LOCK, IS_CURRENT, CALLS, ANY };
enum fault { FAULT_ENOSPC, FAULT_EIO, FAULT_EDQUOT, FAULT_EFBIG, FAULT_SHORT, FAULTS };
static const char *const call_name[] = { "read", "write", "write_synced", "sync", "sync_directory", "size", "lock", "is_current" };
static const char *const fault_name[] = { "ENOSPC", "EIO", "EDQUOT", "EFBIG", "short" };

static unsigned long long shown_seed, states_wanted = STATES_WANTED;
static struct {
	unsigned long long first, compound, killed, failing;   /* distinct states: of workloads after one cut; after a second one; after a killed writer; after a failed call */
	unsigned long long tried, opened, verified, appended;
	unsigned long long failed[CALLS][FAULTS], failures, kills;
} count;
static int bad;
static const char *workload = "";

/* ---- the model: rows of every version ---------------------------------------------------------------------------------- */

struct series {
	int n;
	int64_t *t;
	double *v;
	unsigned meta;                 /* number in the metadata, 0: none */
};

#define VERSIONS_MAX 400
struct history {
	uint64_t epoch;                /* another one whenever what is right changes */
	uint64_t acked;                /* the last version that was acknowledged */
	const struct series *version[VERSIONS_MAX];     /* of each version that a reader may find; NULL: none */
	const struct series *inflight; /* of the commit that is being made; NULL: none */
	/* Where input is committed in pieces (SPEC 9.4): it is `base` with all of `batch`, and there may be so much of that only as makes a piece. */
	const struct series *base, *batch;
	/* Of the state of the last version acknowledged; one in flight has these or greater ones. */
	int64_t horizon_ns;
	uint64_t oldest;
	const struct series *unknown;  /* of a commit whose slot's sync failed: it may be there, as version unknown_version; NULL: none */
	uint64_t unknown_version;
};

static enum otr_duplicates duplicates;         /* the policy of the workload */

/* All series are kept until the end of their workload. */
static struct series *made[100000];
static int made_n;

static struct series *
joined(const struct series *old, const int64_t *t, const double *v, int n)
{
	struct series *s = malloc(sizeof *s);
	int i, k;

	if (s == NULL || made_n == 100000)
		abort();
	s->n = old == NULL ? 0 : old->n;
	s->meta = old == NULL ? 0 : old->meta;
	s->t = malloc((size_t)(s->n + n + 1) * sizeof *s->t);
	s->v = malloc((size_t)(s->n + n + 1) * sizeof *s->v);
	if (s->t == NULL || s->v == NULL)
		abort();
	if (s->n > 0) {
		memcpy(s->t, old->t, (size_t)s->n * sizeof *s->t);
		memcpy(s->v, old->v, (size_t)s->n * sizeof *s->v);
	}
	for (i = 0; i < n; i++) {
		for (k = s->n; k > 0 && s->t[k - 1] > t[i]; k--)
			;
		if (duplicates != OTR_KEEP && k > 0 && s->t[k - 1] == t[i]) {
			if (duplicates == OTR_REPLACE)
				s->v[k - 1] = v[i];
			continue;
		}
		memmove(s->t + k + 1, s->t + k, (size_t)(s->n - k) * sizeof *s->t);
		memmove(s->v + k + 1, s->v + k, (size_t)(s->n - k) * sizeof *s->v);
		s->t[k] = t[i];
		s->v[k] = v[i];
		s->n++;
	}
	made[made_n++] = s;
	return s;
}

static bool
same_series(const struct series *a, const struct series *b)
{
	return a->n == b->n && (a->n == 0 || (memcmp(a->t, b->t, (size_t)a->n * sizeof a->t[0]) == 0 && memcmp(a->v, b->v, (size_t)a->n * sizeof a->v[0]) == 0));
}

/* For the series that was made last: it is not needed. */
static void
discard(struct series *s)
{
	made_n--;
	free(s->t);
	free(s->v);
	free(s);
}

/* Without the rows of [start_ns, end_ns). */
static struct series *
without(const struct series *old, int64_t start_ns, int64_t end_ns)
{
	struct series *s = joined(old, NULL, NULL, 0);
	int i, n = 0;

	for (i = 0; i < s->n; i++)
		if (s->t[i] < start_ns || s->t[i] >= end_ns) {
			s->t[n] = s->t[i];
			s->v[n++] = s->v[i];
		}
	s->n = n;
	return s;
}

/* Frees what was made since there were `mark` series. */
static void
forget(int mark)
{
	while (made_n > mark) {
		struct series *s = made[--made_n];

		free(s->t);
		free(s->v);
		free(s);
	}
}

static uint64_t epochs;

static void
new_epoch(struct history *h)
{
	h->epoch = ++epochs;
}

/* ---- the file ---------------------------------------------------------------------------------------------------------- */

struct sim {
	struct image now, disk;
	struct write pending[PENDING_MAX];
	int n;
	struct history h;
	uint64_t own_seed;             /* of the cuts of this run */
	int depth;                     /* 0: the power may go at each call; the states that come of it have 1 more */
	bool cuts;                     /* whether the power may go at all */
	bool dry;                      /* cuts are only weighed */
	double weight;                 /* of the cuts that were weighed */
	double rate;                   /* states for a weight of 1; 0: per_cut for every cut */
	unsigned per_cut;
	enum { OF_WORKLOAD, OF_KILLED, OF_FAILING } source;
	struct trace *trace;           /* of what is being traced; NULL: nothing */
	uint32_t page_bytes;
	bool can_synced;
	uint64_t began_with;           /* the version before all commits */
	bool unnamed;                  /* the name of the file is not on disk yet */
	bool locked;
	int handles;
	int64_t clock;
	/* what is to go wrong */
	long calls, kill_at;           /* 0: never */
	enum which fail_which;
	long fail_in;                  /* the how manieth call of fail_which; 0: none */
	enum fault fault;
	bool for_ever, keeps;          /* keeps: after a failed sync the cache keeps what is not on disk */
	bool dead, last_failed;
	bool noisy;                    /* zeros or garbage may stand in a slot already */
	bool hopeless;                 /* what had to be put back after a failure could not be */
	bool pieces, retains;          /* policies that there are, or were */
	bool changes;                  /* not only appends after a cut */
	/* the monitor */
	uint8_t guard_now[BLOCKS], guard_disk[BLOCKS];      /* pages that must not be written */
	bool guard_stale;
	bool unsynced[BLOCKS];         /* pages written under this lock, not synced since */
	unsigned newest;               /* slot that was read as the newest under the lock */
	uint64_t newest_version;
	bool slot_pending[2], directory_synced, after_failure;
	const struct block *slot_before[2];
};

static void
complain(const struct sim *s, const char *what, const char *more)
{
	if (bad++ < 25)
		printf("# %s, depth %d, call %ld: %s%s%s\n", workload, s->depth, s->calls, what, more[0] == '\0' ? "" : ": ", more);
	/* for a seeded bug (tests/seeds): one find is enough */
	if (getenv("FIRST") != NULL) {
		printf("not ok 1 - stopped at the first\n");
		exit(1);
	}
}

/* Each depth has one, which its callers take in turn. */
static struct sim *
sim_new(int depth)
{
	static struct sim *sim[3];

	if (sim[depth] == NULL && (sim[depth] = malloc(sizeof **sim)) == NULL)
		abort();
	memset(sim[depth], 0, sizeof **sim);
	return sim[depth];
}

/* ---- a backend without faults, for readers ------------------------------------------------------------------------------ */

struct look {
	const struct image *image;
	struct trace *trace;
};

static void
image_read(const struct image *m, uint64_t offset, void *bytes, size_t len, size_t *got)
{
	size_t done = 0;

	*got = offset >= m->size ? 0 : m->size - offset < len ? (size_t)(m->size - offset) : len;
	while (done < *got) {
		size_t within = (size_t)(offset + done) % BLOCK, n = BLOCK - within < *got - done ? BLOCK - within : *got - done;

		memcpy((uint8_t *)bytes + done, m->b[(offset + done) / BLOCK]->bytes + within, n);
		done += n;
	}
}

static int
look_read(void *self, uint64_t offset, void *bytes, size_t len, size_t *got)
{
	const struct look *l = self;

	trace_read(l->trace, l->image, offset, len);
	image_read(l->image, offset, bytes, len, got);
	return 0;
}

static int
look_size(void *self, uint64_t *bytes)
{
	const struct look *l = self;

	if (l->trace != NULL)
		trace_ask(l->trace, l->image, ASK_SIZE);
	*bytes = l->image->size;
	return 0;
}

static int
raw_pause(void *self, int64_t ns)
{
	(void)self;
	(void)ns;
	return 0;
}

static void
raw_close(void *self)
{
	(void)self;
}

static struct otr_io
reader_of(struct look *l)
{
	return (struct otr_io){ .self = l, .read = look_read, .size = look_size, .pause = raw_pause, .close = raw_close };
}

/* ---- the monitor's eyes ------------------------------------------------------------------------------------------------- */

/* What walks have found: the pages that either slot of an image reaches.  And what reading the slots has. */
static struct { uint8_t mark[BLOCKS / 8]; } *guarded;
static struct judged { unsigned index; bool has_other; uint64_t version; } *judged;
static uint32_t guarded_n, guarded_room, judged_n, judged_room;

/* Marks the pages that either slot of an image reaches. */
static void
guard(struct sim *s, const struct image *m, uint8_t *mark, bool newest)
{
	static struct otr__header header;
	static uint64_t header_of;
	static struct otr__state state;
	struct trace trace;
	struct look look = { m, &trace };
	struct otr_io io = reader_of(&look);
	struct otr__store store = { .io = NULL };
	struct otr__scratch *scratch;
	struct otr__page_list free_pages = { .n = 0 };
	struct otr_error err = { .text = "" };
	struct judged j;
	enum otr_status status = OTR_OK;
	bool have_state = false;
	uint64_t root;
	uint32_t value, i;

	memset(mark, 0, BLOCKS);
	if (newest)
		s->newest_version = UINT64_MAX;
	if (m->b[0]->hash != header_of) {
		look.trace = NULL;
		status = otr__read_header(&io, &header, NULL, &err);
		header_of = m->b[0]->hash;
	}
	if (status == OTR_OK && !trace_known(61, m, s->trace, &value)) {
		trace_begin(&trace, 61, m, s->trace);
		look.trace = &trace;
		status = otr__read_state(&io, &header, &state, NULL, &err);
		have_state = true;
		if (judged_n == judged_room && (judged = realloc(judged, (judged_room = 2 * judged_room + 64) * sizeof *judged)) == NULL)
			abort();
		if (status == OTR_OK) {
			judged[judged_n] = (struct judged){ state.index, state.has_other, state.slot.version };
			trace_done(&trace, value = judged_n++);
		}
	}
	if (status != OTR_OK) {
		complain(s, "the monitor cannot read the file", err.text);
		return;
	}
	j = judged[value];
	/* a walk goes from the slots that are sound, whatever the other one is */
	root = mix(mix(m->b[1 + j.index]->hash, j.has_other ? m->b[2 - j.index]->hash : 0), 62);
	if (!trace_known(root, m, s->trace, &value)) {
		look.trace = NULL;
		if (!have_state)
			status = otr__read_state(&io, &header, &state, NULL, &err);
		trace_begin(&trace, root, m, s->trace);
		look.trace = &trace;
		scratch = otr__scratch_create();
		if (scratch == NULL || !otr__store_init(&store, &io, &header))
			abort();
		if (status == OTR_OK)
			status = otr__reach_free(&store, &header, &state, scratch, &free_pages, &err);
		otr__store_release(&store);
		otr__scratch_free(scratch);
		if (status != OTR_OK || state.slot.page_count > BLOCKS) {
			complain(s, "the monitor cannot walk the file", err.text);
			free(free_pages.page);
			return;
		}
		if (guarded_n == guarded_room && (guarded = realloc(guarded, (guarded_room = 2 * guarded_room + 64) * sizeof *guarded)) == NULL)
			abort();
		value = guarded_n++;
		memset(&guarded[value], 0, sizeof *guarded);
		for (i = 0; i < state.slot.page_count; i++)
			guarded[value].mark[i >> 3] |= (uint8_t)(1u << (i & 7));
		for (i = 0; i < free_pages.n; i++)
			guarded[value].mark[free_pages.page[i] >> 3] &= (uint8_t)~(1u << (free_pages.page[i] & 7));
		free(free_pages.page);
		trace_done(&trace, value);
	}
	for (i = 0; i < BLOCKS; i++)
		mark[i] = guarded[value].mark[i >> 3] >> (i & 7) & 1;
	if (newest) {
		s->newest = j.index;
		s->newest_version = j.version;
	}
}

/* ---- the power goes ------------------------------------------------------------------------------------------------------ */

static bool try_state(struct sim *from, const struct image *m, bool may_be_damaged);

/* How many states a cut is worth: a slot under way may be left in many ways that matter, pages that nobody reads yet in one. */
static double
weight_of(const struct write *w, int n)
{
	return n == 0 ? 0 : count_of(w, n, true) > 0 ? 8 : 2;
}

/* States that the disk may be in if the power goes now; extra: a write that is its own sync and under way. */
static void
cut(struct sim *s, const struct write *extra)
{
	struct write all[PENDING_MAX + 1];
	struct deck deck[DECKS];
	struct image m;
	struct plan p;
	unsigned long long outside;
	int n = s->n, i;
	unsigned made = 0, drawn = 0, wanted = s->per_cut;

	if (!s->cuts || s->depth > 1)
		return;
	for (i = 0; i < n; i++)
		all[i] = s->pending[i];
	if (extra != NULL)
		all[n++] = *extra;
	if (s->dry) {
		s->weight += weight_of(all, n);
		return;
	}
	outside = begin_apart(mix(s->own_seed, (uint64_t)s->calls * 4 + (extra != NULL)));
	if (s->rate > 0) {
		double budget = s->rate * weight_of(all, n);

		wanted = (unsigned)budget;
		wanted += (double)dice(1000) / 1000 < budget - wanted;
	}
	if (n == 0) {
		(void)try_state(s, &s->disk, s->noisy);
		wanted = 0;
	} else {
		decks_of(deck, all, n, states_wanted / 200000 + 1);
	}
	/* a name that is not on disk may be gone, and the file with it */
	if (s->unnamed && s->depth == 0) {
		count.tried++;
		if (is_new(mix(mix(s->own_seed, s->h.acked), 99)))
			count.first++;
		if (s->h.acked > s->began_with)
			complain(s, "a commit was acknowledged in a file whose name may be gone", "");
	}
	while (made < wanted && drawn < 3 * wanted + 8 && draw(deck, all, n, &p)) {
		size_t mark = blocks_used;
		bool damaged = false;

		m = s->disk;
		for (i = 0; i < n; i++)
			if (p.members >> i & 1)
				damaged = put_torn(&m, &all[i], i == p.torn ? p.tear : TEAR_NONE, p.arg) || damaged;
		made += try_state(s, &m, damaged || s->noisy);
		drawn++;
		blocks_used = mark;
	}
	seed = outside;
}

/* ---- the backend --------------------------------------------------------------------------------------------------------- */

/* Counts a call; an errno value if it is to fail. */
static int
call(struct sim *s, enum which which, bool *is_short)
{
	static const int number[] = { ENOSPC, EIO, EDQUOT, EFBIG, ENOSPC };
	enum fault fault = s->fault;

	*is_short = false;
	s->calls++;
	if (s->kill_at > 0 && s->calls >= s->kill_at)
		s->dead = true;
	if (s->dead)
		return EIO;
	if (s->fail_in == 0 || (s->fail_which != ANY && s->fail_which != which && !(s->fail_which == WRITE && which == WRITE_SYNCED)))
		return 0;
	if (s->fail_in > 1) {
		s->fail_in--;
		return 0;
	}
	if (!s->for_ever)
		s->fail_in = 0;
	if (fault == FAULT_SHORT && which != WRITE && which != WRITE_SYNCED)
		fault = FAULT_EIO;
	/* from then on: one failure */
	if (!s->last_failed || !s->for_ever) {
		count.failed[which][fault]++;
		count.failures++;
	}
	s->last_failed = true;
	*is_short = fault == FAULT_SHORT;
	return number[fault];
}

static int
sim_read(void *self, uint64_t offset, void *bytes, size_t len, size_t *got)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, READ, &is_short);

	if (failure != 0)
		return failure;
	trace_read(s->trace, &s->now, offset, len);
	image_read(&s->now, offset, bytes, len, got);
	return 0;
}

static void
add_pending(struct sim *s, const struct write *w)
{
	if (s->n == PENDING_MAX) {
		/* the kernel writes back what is oldest */
		image_put(&s->disk, &s->pending[0]);
		memmove(s->pending, s->pending + 1, (size_t)--s->n * sizeof *w);
	}
	s->pending[s->n++] = *w;
	image_put(&s->now, w);
	if (is_slot(w))
		s->slot_pending[w->offset / 8192] = true;
}

/* Where a write does not cover its blocks, what it leaves of them is a question too. */
static void
depends(struct sim *s, const struct write *w)
{
	trace_read(s->trace, &s->now, w->offset, (size_t)w->blocks * BLOCK);
	trace_read(s->trace, &s->disk, w->offset, (size_t)w->blocks * BLOCK);
}

/* How much of a short write is done: a byte, a half, some sectors. */
static size_t
part_of_write(size_t len)
{
	switch (dice(3)) {
	case 0: return 1;
	case 1: return len / 2;
	default: return (size_t)dice(len / 512) * 512;
	}
}

/* M15. */
static void
watch(struct sim *s, uint64_t offset, const uint8_t *bytes, size_t len)
{
	uint64_t page = offset / s->page_bytes;
	size_t i, slot = (size_t)offset / 4096;

	if (!s->locked)
		complain(s, "M15: a write without the lock", "");
	if (offset >= 16384 ? offset % s->page_bytes != 0 || len != s->page_bytes : (offset != 4096 && offset != 8192) || len != 4096) {
		complain(s, "M15: a write that is no slot and no page", "");
		return;
	}
	if (offset >= 16384) {
		if (s->after_failure)
			complain(s, "M15: a page written after a failure", "");
		if (s->guard_stale)
			guard(s, &s->disk, s->guard_disk, false);
		s->guard_stale = false;
		if (s->guard_now[page])
			complain(s, "M15: a page written that the state reaches", "");
		/* where not even the slot before could be put back, the cache and the disk differ, and nobody can know it */
		if (s->guard_disk[page] && !s->hopeless)
			complain(s, "M15: a page written that a slot on disk reaches", "");
		s->unsynced[page] = true;
		return;
	}
	if (s->after_failure) {
		for (i = 0; i < 8; i++)
			if (memcmp(bytes + 512 * i, s->slot_before[slot - 1]->bytes + 512 * i, i < 6 ? 512 : 504) != 0)
				break;
		if (i < 8)
			complain(s, "M15: a slot written after a failure, other than the bytes before", "");
		return;
	}
	if (slot - 1 == s->newest)
		complain(s, "M15: the newest slot written", "");
	if (s->slot_pending[s->newest])
		complain(s, "M15: a slot written while the newest one is not on disk", "");
	for (i = 0; i < BLOCKS; i++)
		if (s->unsynced[i])
			break;
	if (i < BLOCKS)
		complain(s, "M15: a slot written before its pages were synced", "");
	if (s->newest_version == 0 && !s->directory_synced)
		complain(s, "M15: the slot of the first commit written before the directory was synced", "");
	for (i = 0; i < 8; i++)
		if (otr__get64(bytes + 512 * i + 504) != otr__get64(bytes + 24) + 1)
			complain(s, "M15: a stamp that is not the version", "");
}

static int
sim_write(void *self, uint64_t offset, const void *bytes, size_t len)
{
	struct sim *s = self;
	struct write w;
	bool is_short;
	int failure = call(s, WRITE, &is_short);

	if (s->dead)
		return EIO;
	watch(s, offset, bytes, len);
	if (failure != 0) {
		size_t done = is_short ? part_of_write(len) : 0;

		s->hopeless = s->hopeless || s->after_failure;
		if (done > 0) {
			w = write_of(&s->now, offset, bytes, len, done);
			depends(s, &w);
			add_pending(s, &w);
		}
		s->after_failure = true;
		return failure;
	}
	w = write_of(&s->now, offset, bytes, len, len);
	add_pending(s, &w);
	cut(s, NULL);
	return 0;
}

/* A sync fails: of what it was to cover, some is on disk. */
static void
lose(struct sim *s)
{
	int i;

	for (i = 0; i < s->n; i++)
		switch (dice(3)) {
		case 0:
			break;
		case 1:
			(void)put_torn(&s->disk, &s->pending[i], TEAR_NONE, 0);
			break;
		case 2:
			depends(s, &s->pending[i]);
			(void)put_torn(&s->disk, &s->pending[i], TEAR_SECTORS, (uint32_t)dice(256));
			break;
		}
	s->n = 0;
	if (!s->keeps)
		s->now = s->disk;
	s->guard_stale = true;
	s->after_failure = true;
}

static int
sim_write_synced(void *self, uint64_t offset, const void *bytes, size_t len, bool *synced)
{
	struct sim *s = self;
	struct write w;
	bool is_short;
	int failure = call(s, WRITE_SYNCED, &is_short), i, k;

	*synced = false;
	if (s->dead)
		return EIO;
	if (len != BLOCK)
		abort();
	watch(s, offset, bytes, len);
	if (failure != 0) {
		/* written, and not or only partly out: or nothing happened at all */
		if (failure == EIO || is_short) {
			w = write_of(&s->now, offset, bytes, len, is_short ? part_of_write(len) : len);
			depends(s, &w);
			if (w.len > 0)
				image_put(&s->now, &w);
			if (w.len > 0 && !(is_short && dice(2) == 0))
				(void)put_torn(&s->disk, &w, is_short || dice(2) == 0 ? TEAR_SECTORS : TEAR_NONE, (uint32_t)dice(256));
			if (!s->keeps)
				s->now.b[offset / BLOCK] = s->disk.b[offset / BLOCK];
			s->guard_stale = true;
		}
		s->after_failure = true;
		return failure;
	}
	w = write_of(&s->now, offset, bytes, len, len);
	cut(s, &w);
	image_put(&s->now, &w);
	image_put(&s->disk, &w);
	s->slot_pending[offset / 8192] = false;
	s->guard_stale = true;
	for (i = k = 0; i < s->n; i++)
		if (s->pending[i].offset != offset)
			s->pending[k++] = s->pending[i];
	s->n = k;
	*synced = true;
	cut(s, NULL);
	return 0;
}

static bool
sim_can(void *self)
{
	return ((struct sim *)self)->can_synced;
}

static int
sim_sync(void *self)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, SYNC, &is_short), i;

	if (s->dead)
		return EIO;
	if (s->after_failure)
		complain(s, "M6: a sync after a failure", "");
	if (failure != 0) {
		lose(s);
		return failure;
	}
	/* what is pending is what the disk lacks, unless an earlier sync has lost it: then nobody writes it any more */
	for (i = 0; i < s->n; i++)
		image_put(&s->disk, &s->pending[i]);
	s->n = 0;
	s->guard_stale = true;
	s->slot_pending[0] = s->slot_pending[1] = false;
	memset(s->unsynced, 0, sizeof s->unsynced);
	cut(s, NULL);
	return 0;
}

static int
sim_sync_directory(void *self)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, SYNC_DIRECTORY, &is_short);

	s->directory_synced = failure == 0;
	if (failure == 0)
		s->unnamed = false;
	return failure;
}

static int
sim_size(void *self, uint64_t *bytes)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, SIZE, &is_short);

	if (s->trace != NULL)
		trace_ask(s->trace, &s->now, ASK_SIZE);
	*bytes = s->now.size;
	return failure;
}

/* What is there when a commit begins. */
static void
look_around(struct sim *s)
{
	guard(s, &s->now, s->guard_now, true);
	s->slot_before[0] = s->now.b[1];
	s->slot_before[1] = s->now.b[2];
}

static int
sim_lock(void *self)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, LOCK, &is_short);

	if (failure != 0)
		return failure;
	if (s->locked)
		return EAGAIN;
	s->locked = true;
	memset(s->unsynced, 0, sizeof s->unsynced);
	s->directory_synced = false;
	look_around(s);
	return 0;
}

static void
sim_unlock(void *self)
{
	((struct sim *)self)->locked = false;
}

static int
sim_current(void *self, bool *current)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, IS_CURRENT, &is_short);

	*current = true;
	return failure;
}

static int64_t
sim_clock(void *self)
{
	return ((struct sim *)self)->clock += 1000;
}

static void
sim_close(void *self)
{
	struct sim *s = self;

	s->handles--;
	s->locked = false;
}

static void on_piece(void *arg, const struct otr_commit_result *r);

static struct otr_writer *
open_writer(struct sim *s, const char *message, enum otr_status *status, struct otr_error *err)
{
	struct otr_io io = { .self = s, .read = sim_read, .write = sim_write, .write_synced = sim_write_synced, .can_write_synced = sim_can, .sync = sim_sync,
		.sync_directory = sim_sync_directory, .size = sim_size, .lock = sim_lock, .unlock = sim_unlock, .is_current = sim_current,
		.now_ns = sim_clock, .pause = raw_pause, .close = sim_close };
	struct otr_writer_options o = { .wait_ns = 0, .author = "crash", .message = message, .piece = on_piece, .arg = s };
	struct otr_writer *w = NULL;

	s->handles++;
	s->dead = s->after_failure = false;
	*status = otr__writer_open_io(&io, &o, &w, err);
	return w;
}

/* The version that the next commit begins with: what a killed writer left is what the next one finds. */
static const struct series *
newest(const struct sim *s)
{
	const struct series *base = s->h.version[s->h.acked];
	uint64_t i;

	for (i = s->h.acked + 1; i < VERSIONS_MAX; i++)
		if (s->h.version[i] != NULL)
			base = s->h.version[i];
	return base;
}

/* A commit is acknowledged. */
static void
acknowledge(struct sim *s, uint64_t version, const struct series *rows)
{
	const uint8_t *a = s->now.b[1]->bytes, *b = s->now.b[2]->bytes, *slot = otr__get64(a + 504) + 1 > otr__get64(b + 504) + 1 ? a : b;

	if (version <= s->h.acked || version >= VERSIONS_MAX || otr__get64(slot + 24) != version) {
		complain(s, "a version number that is not new, or not the slot's", "");
		return;
	}
	if ((int64_t)otr__get64(slot + 200) < s->h.horizon_ns || otr__get64(slot + 168) < s->h.oldest)
		complain(s, "horizon or oldest version went back", "");
	s->h.version[version] = rows;
	s->h.acked = version;
	s->h.horizon_ns = (int64_t)otr__get64(slot + 200);
	s->h.oldest = otr__get64(slot + 168);
	s->h.inflight = NULL;
	new_epoch(&s->h);
}

/* Whether the policy refuses the rows: one has a time that another has. */
static bool
refused(const struct series *base, int64_t horizon_ns, const int64_t *t, int n)
{
	int i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < base->n; k++)
			if (base->t[k] == t[i] && t[i] >= horizon_ns)
				return true;
		for (k = 0; k < i; k++)
			if (t[k] == t[i])
				return true;
	}
	return false;
}

/* One commit; the model follows.  OTR_OK, or the error of a call that was made to fail; OTR_E_DUPLICATE where that is right. */
static enum otr_status
commit(struct sim *s, struct otr_writer *w, const int64_t *t, const double *v, int n, struct otr_error *err)
{
	struct otr_commit_result r;
	enum otr_status status;
	int i, late = 0;

	for (i = 0; i < n; i++)
		late += t[i] < s->h.horizon_ns;
	s->h.base = newest(s);
	s->h.batch = s->pieces ? joined(NULL, t, v, n) : NULL;
	s->h.inflight = joined(s->h.base, t, v, n);
	new_epoch(&s->h);
	status = one_add(w, t, v, (size_t)n, err);
	if (status == OTR_OK)
		status = otr_writer_commit(w, &r, err);
	if (duplicates == OTR_ERROR && status == OTR_OK && refused(s->h.base, s->h.horizon_ns, t, n))
		complain(s, "a time twice, and not refused", "");
	if (status == OTR_E_DUPLICATE) {
		if (duplicates != OTR_ERROR || !refused(s->h.base, s->h.horizon_ns, t, n))
			complain(s, "refused, though no time is there twice", err->text);
		s->h.inflight = NULL;
		new_epoch(&s->h);
	}
	if (status == OTR_OK) {
		if (r.committed)
			acknowledge(s, r.version, s->h.inflight);
		else if (late == 0 && !s->retains && !s->pieces && !same_series(s->h.base, s->h.inflight))
			complain(s, "no commit was made", "");
		s->h.inflight = NULL;
		new_epoch(&s->h);
	}
	if (status == OTR_OK || status == OTR_E_DUPLICATE)
		cut(s, NULL);
	return status;
}

/* ---- changes ----------------------------------------------------------------------------------------------------------- */

static enum otr_status
changed(struct sim *s, enum otr_status status, const struct otr_change_result *r)
{
	if (status == OTR_OK) {
		if (!r->committed)
			complain(s, "no change was made", "");
		else
			acknowledge(s, r->version, s->h.inflight);
		s->h.inflight = NULL;
		new_epoch(&s->h);
		cut(s, NULL);
	}
	return status;
}

static enum otr_status
delete_some(struct sim *s, struct otr_writer *w, bool all, struct otr_error *err)
{
	const struct series *base = newest(s);
	struct otr_delete_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX };
	struct otr_change_result r;
	int first = 0, i, n;

	while (first < base->n && base->t[first] < s->h.horizon_ns)
		first++;
	if (first == base->n)
		return OTR_OK;
	if (!all) {
		i = first + (int)dice((unsigned)(base->n - first));
		n = 1 + (int)dice(dice(2) == 0 ? 3 : (unsigned)(base->n - i));
		spec.start_ns = base->t[i];
		spec.end_ns = (i + n < base->n ? base->t[i + n] : base->t[base->n - 1] + 1);
	}
	s->h.inflight = without(base, spec.start_ns, spec.end_ns);
	s->h.batch = NULL;
	new_epoch(&s->h);
	return changed(s, otr_writer_delete(w, &spec, &r, err), &r);
}

static enum otr_status
roll_back(struct sim *s, struct otr_writer *w, struct otr_error *err)
{
	struct otr_change_result r;
	uint64_t to = s->h.acked;
	enum otr_status status;
	int i;

	for (i = 0; i < 20; i++) {
		to = s->h.oldest + dice(s->h.acked - s->h.oldest + 1);
		if (s->h.version[to] != NULL)
			break;
	}
	if (s->h.version[to] == NULL)
		to = s->h.acked;
	s->h.inflight = joined(s->h.version[to], NULL, NULL, 0);
	s->h.batch = NULL;
	new_epoch(&s->h);
	status = otr_writer_rollback(w, to, &r, err);
	return changed(s, status, &r);
}

static void
meta_text(unsigned number, char *to, size_t *bytes)
{
	*bytes = (size_t)(20 + number % 5 * 1500);
	memset(to, 'a' + (int)(number % 26), *bytes);
	(void)snprintf(to, 12, "%08u", number % 100000000);
	to[8] = '-';
	to[*bytes] = '\0';
}

static enum otr_status
set_meta(struct sim *s, struct otr_writer *w, const struct otr_policies *p, struct otr_error *err)
{
	char text[8000];
	struct otr_meta_change change = { .key = "note", .value = text };
	struct otr_change_result r;
	struct series *to = joined(newest(s), NULL, NULL, 0);
	enum otr_status status;

	to->meta = 1 + (unsigned)dice(99999999);
	meta_text(to->meta, text, &change.value_bytes);
	s->h.inflight = to;
	s->h.batch = NULL;
	new_epoch(&s->h);
	status = otr_writer_set_meta(w, &change, 1, p, &r, err);
	return changed(s, status, &r);
}

/* Other policies; duplicates stay. */
static enum otr_status
set_policies(struct sim *s, struct otr_writer *w, struct otr_error *err)
{
	struct otr_policies p = *otr_writer_policies(w);

	if (dice(2) == 0) {
		p.history = p.has_max_size ? OTR_HISTORY_FITS : OTR_HISTORY_ALL;
		p.history_value = 0;
		if (dice(3) > 0) {
			p.history = dice(2) == 0 ? OTR_HISTORY_COUNT : OTR_HISTORY_AGE;
			p.history_value = p.history == OTR_HISTORY_COUNT ? dice(8) : (1 + dice(100)) * SECOND;
		}
	} else {
		p.has_retain = !p.has_retain || dice(2) == 0;
		p.retain_ns = p.has_retain ? (1 + dice(500)) * SECOND : 0;
	}
	s->retains = s->retains || p.has_retain;
	return set_meta(s, w, &p, err);
}

/* ---- what is right ------------------------------------------------------------------------------------------------------- */

static int
from_horizon(const struct series *s, int64_t horizon_ns)
{
	int from = 0;

	while (from < s->n && s->t[from] < horizon_ns)
		from++;
	return from;
}

/* The rows of s from the horizon on. */
static bool
same_rows(struct otr *file, const struct series *s, int64_t horizon_ns)
{
	static int64_t t[100000];
	static double v[100000];
	long n = one_read(file, t, v, 100000);
	int from = from_horizon(s, horizon_ns);

	return n == s->n - from && (n == 0 || (memcmp(t, s->t + from, (size_t)n * sizeof t[0]) == 0 && memcmp(v, s->v + from, (size_t)n * sizeof v[0]) == 0));
}

/* Of a batch that is committed in pieces, the part that the file has: base and the first *n rows, where the number that *n is may be it; NULL if it has none such. */
static const struct series *
part_of(struct otr *file, const struct history *h, int64_t horizon_ns, int *n)
{
	static int64_t t[100000];
	static double v[100000];
	long rows = one_read(file, t, v, 100000);
	int low = 0, high = h->batch->n;
	struct series *part;

	if (*n > 0 && *n <= high) {
		part = joined(h->base, h->batch->t, h->batch->v, *n);
		if (same_rows(file, part, horizon_ns))
			return part;
		discard(part);
	}
	/* the smallest part of so many rows; more of it may only exchange some */
	while (low < high) {
		int middle = (low + high) / 2;

		part = joined(h->base, h->batch->t, h->batch->v, middle);
		if (part->n - from_horizon(part, horizon_ns) < rows)
			low = middle + 1;
		else
			high = middle;
		discard(part);
	}
	for (; low <= h->batch->n; low++) {
		part = joined(h->base, h->batch->t, h->batch->v, low);
		if (same_rows(file, part, horizon_ns)) {
			*n = low;
			return part;
		}
		high = part->n - from_horizon(part, horizon_ns);
		discard(part);
		if (high > rows)
			break;
	}
	return NULL;
}

/*
 * A piece is durable.  How much of the batch it is, the file tells: the counts of the first piece have the rows in them that gave way to others of their time, from wherever
 * in the batch.
 */
static void
on_piece(void *arg, const struct otr_commit_result *r)
{
	struct sim *s = arg;
	struct look look = { &s->now, s->trace };
	const struct series *batch = s->h.batch, *whole = s->h.inflight, *part = NULL;
	struct otr_error err = { .text = "" };
	struct otr *file;
	int n = (int)(r->added + r->replaced + r->skipped);

	if (otr__open_io(reader_of(&look), false, 0, &file, &err) == OTR_OK) {
		part = part_of(file, &s->h, file->state.slot.horizon_ns, &n);
		otr_close(file);
	}
	if (part == NULL) {
		complain(s, "a piece that is no part of the batch", err.text);
		return;
	}
	s->h.base = part;
	s->h.batch = joined(NULL, batch->t + n, batch->v + n, batch->n - n);
	acknowledge(s, r->version, part);
	s->h.inflight = whole;
	new_epoch(&s->h);
	/* the next piece is made under the same lock, from the state that this one left */
	look_around(s);
}

static bool
same_meta(struct otr *file, const struct series *s)
{
	char text[8000];
	size_t bytes;
	struct otr_meta entry;
	struct otr_error err;
	enum otr_status status = otr_meta_entry(file, 0, &entry, &err);

	if (s->meta == 0)
		return status == OTR_END;
	meta_text(s->meta, text, &bytes);
	return status == OTR_OK && strcmp(entry.key, "note") == 0 && entry.value_bytes == bytes && memcmp(entry.value, text, bytes) == 0;
}

static void
on_finding(void *arg, const struct otr_finding *f)
{
	if (!f->note && !(f->place == OTR_PLACE_SLOT && strncmp(f->spec, "4.2-", 4) == 0) && ((char *)arg)[0] == '\0')
		(void)snprintf(arg, 250, "place %d %llu: %s", (int)f->place, (unsigned long long)f->number, f->text);
}

static void
check_verify(struct sim *s, const struct image *m, struct trace *trace)
{
	struct look look = { m, trace };
	char first[256] = "";
	struct otr_error err;
	uint64_t faults;

	count.verified++;
	if (otr__verify_io(reader_of(&look), &(struct otr_verify_options){ .found = on_finding, .arg = first }, &faults, &err) != OTR_OK)
		complain(s, "verify cannot", err.text);
	else if (first[0] != '\0')
		complain(s, "verify finds", first);
}

/* What a reader finds in an image. */
struct found {
	bool readable;                 /* false: damaged, as it may be; nothing more is known then than the version named */
	bool part;                     /* part of a batch that is committed in pieces */
	uint64_t version, oldest;      /* UINT64_MAX: cannot be opened */
	int64_t horizon_ns;
	uint64_t view;                 /* of all that a writer takes over from the slots */
};
static struct found *founds;
static uint32_t founds_n, founds_room;

/* All versions that a handle of an image whose newest one should be `want` can read.  Whether it was part of what was in flight. */
static bool
check_versions(struct sim *s, struct otr *file, struct history *h, const struct series *want, bool thorough)
{
	struct otr_error err;
	struct otr_info info;
	int64_t horizon = file->state.slot.horizon_ns;
	uint64_t oldest = file->state.slot.oldest_version, i;
	bool has_part = false;
	char text[96];

	otr_get_info(file, &info);
	if (want != NULL && want == h->inflight && h->batch != NULL && !same_rows(file, want, horizon)) {
		int n = 0;
		const struct series *part = part_of(file, h, horizon, &n);

		has_part = part != NULL;
		if (has_part)
			want = h->inflight = part;
	}
	(void)snprintf(text, sizeof text, "version %llu, acknowledged %llu", (unsigned long long)info.version, (unsigned long long)h->acked);
	if (info.version < h->acked || (info.version > h->acked && want == NULL))
		complain(s, "the wrong version", text);
	else if (!has_part && !same_rows(file, want, horizon))
		complain(s, "wrong rows", text);
	else if (!same_meta(file, want))
		complain(s, "wrong metadata", text);
	else if (horizon < h->horizon_ns || oldest < h->oldest || (info.version == h->acked && (horizon != h->horizon_ns || oldest != h->oldest)))
		complain(s, "wrong horizon or oldest version", text);
	for (i = 0; i < info.version && i < VERSIONS_MAX; i++) {
		enum otr_status status;

		if (h->version[i] == NULL || (!thorough && i + 1 < info.version && dice(info.version) > 0))
			continue;
		status = otr_select_version(file, i, &err);
		if (i < oldest) {
			if (status != OTR_E_NOTFOUND)
				complain(s, "a version that was pruned is there", text);
			continue;
		}
		(void)snprintf(text, sizeof text, "version %llu of %llu", (unsigned long long)i, (unsigned long long)info.version);
		if (status != OTR_OK)
			complain(s, text, err.text);
		else if (!same_rows(file, h->version[i], horizon))
			complain(s, "wrong rows of an older version", text);
		else if (!same_meta(file, h->version[i]))
			complain(s, "wrong metadata of an older version", text);
	}
	return has_part;
}

/*
 * Opens m, finds a version of h in it and compares all it can read; h then knows it.  What is read behind the slots is compared once for each choice of a slot
 * and the pages that are met, if the reading is traced.
 */
static void
check_image(struct sim *s, const struct image *m, struct history *h, bool may_be_damaged, bool thorough, struct found *f, struct trace *trace)
{
	struct look look = { m, trace };
	struct trace inner;
	struct otr *file;
	struct otr_error err;
	enum otr_status status = otr__open_io(reader_of(&look), false, 0, &file, &err);
	bool damaged = status == OTR_E_CORRUPT && may_be_damaged, fallback;
	const struct series *want;
	uint64_t root;
	size_t k;

	count.opened++;
	*f = (struct found){ .version = UINT64_MAX };
	if (damaged) {
		unsigned long long named = UINT64_MAX;
		const char *at = strstr(err.text, "before it is ");

		if (at == NULL || sscanf(at, "before it is %llu", &named) != 1 || named < h->acked || named >= VERSIONS_MAX || h->version[named] == NULL)
			complain(s, "damaged, without the right version", err.text);
		status = otr__open_io(reader_of(&look), true, named, &file, &err);
	}
	if (status != OTR_OK) {
		complain(s, "cannot be opened", err.text);
		return;
	}
	for (k = 0; otr_notice(file, k, &fallback) != NULL; k++)
		if (fallback)
			complain(s, "fell back to an older version", otr_notice(file, k, NULL));
	f->version = file->snapshot->version;
	f->horizon_ns = file->state.slot.horizon_ns;
	f->oldest = file->state.slot.oldest_version;
	f->view = mix(mix(m->b[1 + file->state.index]->hash, file->state.next_version), file->state.has_other ? m->b[2 - file->state.index]->hash : 0);
	f->readable = !damaged;
	want = f->version < VERSIONS_MAX && h->version[f->version] != NULL ? h->version[f->version] :
	    h->unknown != NULL && h->unknown_version == f->version ? h->unknown : h->inflight;
	root = mix(mix(h->epoch, m->b[1 + file->state.index]->hash), 21 + thorough);
	if (trace == NULL) {
		f->part = check_versions(s, file, h, want, thorough);
	} else if (!trace_known(root, m, trace, NULL)) {
		unsigned long long outside = begin_apart(root);

		trace_begin(&inner, root, m, trace);
		look.trace = &inner;
		f->part = check_versions(s, file, h, want, thorough);
		if (!f->part)
			trace_done(&inner, 0);
		look.trace = trace;
		seed = outside;
	}
	if (!damaged) {
		h->horizon_ns = f->horizon_ns;
		h->oldest = f->oldest;
	}
	otr_close(file);
}

/* What a killed or failed writer left visible becomes part of the history. */
static void
take_over(struct sim *s)
{
	struct look look = { &s->now, s->trace };
	struct otr *file;
	struct otr_error err;
	struct otr_info info;
	uint64_t i;

	s->after_failure = false;
	if (otr__open_io(reader_of(&look), false, 0, &file, &err) != OTR_OK) {
		if (!s->noisy)
			complain(s, "cannot be opened after a kill", err.text);
		return;
	}
	otr_get_info(file, &info);
	otr_close(file);
	if (info.version > s->h.acked && info.version < VERSIONS_MAX && s->h.version[info.version] == NULL)
		s->h.version[info.version] = s->h.inflight;
	/* what a killed writer had left may be gone with a sync that failed */
	for (i = info.version + 1; i < VERSIONS_MAX; i++)
		s->h.version[i] = NULL;
	s->h.inflight = NULL;
	new_epoch(&s->h);
}

static enum otr_status play(struct sim *s, const char *kinds, struct otr_error *err);

/* After a commit that failed with err: reader, power cut, and next append. */
static void
after_failing(struct sim *s, const char *next, const char *said)
{
	struct found f;
	struct otr_error err = { .text = "" };
	const struct series *failed = s->h.inflight;
	const char *at = strstr(said, "unknown") == NULL ? NULL : strstr(said, "version ");
	int64_t horizon_ns = s->h.horizon_ns;
	uint64_t oldest = s->h.oldest;
	unsigned long long number;

	s->fail_in = 0;
	/* a slot put back by one byte only, over a whole one, is no tear: damaged is right then, naming the version before */
	check_image(s, &s->now, &s->h, s->noisy || s->hopeless, true, &f, s->trace);
	if (!f.readable)
		return;
	/* what is not acknowledged may be gone with the power */
	if (f.version > s->h.acked) {
		s->h.horizon_ns = horizon_ns;
		s->h.oldest = oldest;
	}
	take_over(s);
	if (at != NULL && sscanf(at, "version %llu", &number) == 1 && number < VERSIONS_MAX && s->h.version[number] == NULL) {
		s->h.unknown = failed;
		s->h.unknown_version = number;
		new_epoch(&s->h);
	}
	/* a disk that takes nothing any more, not even what is put back: then a later power cut may find both slots bad */
	s->cuts = !s->hopeless;
	cut(s, NULL);
	if (play(s, next, &err) != OTR_OK && !s->noisy)
		complain(s, "a commit after a failure fails", err.text);
}

/* ---- what comes after a cut --------------------------------------------------------------------------------------------- */

/* The first commit after a recovery.  S: the slot is written by a call that is its own sync; P: plainly. */
enum first {
	FIRST_ONE_S, FIRST_ONE_P, FIRST_LATE, FIRST_MANY_S, FIRST_MANY_P, FIRST_CHANGE, FIRST_CHANGE_2,
	CUT_ONE_S, CUT_ONE_P, CUT_MANY, CUT_CHANGE,            /* the power goes again */
	FAIL_SYNC_ONE, FAIL_SYNC_MANY, FAIL_SLOT, FAIL_FULL,    /* a call fails, then the power goes */
	KILLED,                                                 /* the writer is killed, another goes on, and the power goes */
	FIRSTS
};

static enum otr_status
first_commit(struct sim *s, struct otr_writer *w, enum first first, uint64_t version, struct otr_error *err)
{
	int64_t t[120];
	double v[120];
	const struct series *last = s->h.version[version];
	int64_t end_ns = last == NULL || last->n == 0 ? 9 * SECOND : last->t[last->n - 1];
	int n = 1, i;

	switch (first) {
	case FIRST_MANY_S: case FIRST_MANY_P: case CUT_MANY: case FAIL_SYNC_MANY: case FAIL_FULL:
		n = 40 + (int)dice(80);
		break;
	case FIRST_CHANGE: case FIRST_CHANGE_2: case CUT_CHANGE:
		if (!s->changes)
			break;
		switch (dice(4)) {
		case 0: return delete_some(s, w, dice(4) == 0, err);
		case 1: return roll_back(s, w, err);
		case 2: return set_meta(s, w, NULL, err);
		default: return set_policies(s, w, err);
		}
	case KILLED:
		n = dice(2) == 0 ? 1 : 60;
		break;
	default:
		break;
	}
	for (i = 0; i < n; i++) {
		t[i] = end_ns + (i + 1) * SECOND;
		if (n == 1 && (first == FIRST_LATE || first == FIRST_CHANGE || dice(8) == 0))
			t[i] = (int64_t)dice((unsigned long long)(end_ns / SECOND) + 1) * SECOND / 2;
		v[i] = (double)dice(1000000) / 7;
	}
	return commit(s, w, t, v, n, err);
}

static void
set_fault(struct sim *s, enum which which, long in, enum fault fault, bool for_ever)
{
	s->fail_which = which;
	s->fail_in = in;
	s->fault = fault;
	s->for_ever = for_ever;
	s->last_failed = false;
}

/* The writer after a cut, in s. */
static void
append_to(struct sim *s, uint64_t version, enum first first)
{
	struct otr_error err = { .text = "" };
	struct otr_writer *w;
	struct found f;
	enum otr_status status;
	bool thorough = dice(8) == 0;

	count.appended++;
	s->can_synced = first == FIRST_ONE_S || first == FIRST_MANY_S || first == CUT_ONE_S || first == FAIL_SLOT ||
	    (first != FIRST_ONE_P && first != FIRST_MANY_P && first != CUT_ONE_P && first != FAIL_SYNC_ONE && dice(2) == 0);
	s->cuts = first >= CUT_ONE_S && first <= CUT_CHANGE;
	s->keeps = dice(2) == 0;
	switch (first) {
	case FAIL_SYNC_ONE: case FAIL_SYNC_MANY:
		set_fault(s, SYNC, 1 + (long)dice(2), dice(2) == 0 ? FAULT_EIO : (enum fault)dice(FAULT_SHORT), dice(2) == 0);
		break;
	case FAIL_SLOT: set_fault(s, WRITE_SYNCED, 1, (enum fault)dice(FAULTS), false); break;
	case FAIL_FULL: set_fault(s, WRITE, 1 + (long)dice(4), dice(3) == 0 ? FAULT_SHORT : FAULT_ENOSPC, dice(2) == 0); break;
	case KILLED: s->kill_at = s->calls + 1 + (long)dice(24); break;
	default: break;
	}
	w = open_writer(s, "after the cut", &status, &err);
	if (w != NULL)
		status = first_commit(s, w, first, version, &err);
	otr_writer_close(w);
	if (status != OTR_OK && first == KILLED && s->dead) {
		s->kill_at = 0;
		count.kills++;
		take_over(s);
		s->cuts = true;
		cut(s, NULL);
		if (play(s, dice(3) == 0 ? "L" : "o", &err) != OTR_OK && !s->noisy)
			complain(s, "a commit after a kill after a cut fails", err.text);
		return;
	}
	if (status != OTR_OK && s->last_failed) {
		after_failing(s, dice(3) == 0 ? "L" : dice(2) == 0 ? "Po" : "So", err.text);
		return;
	}
	s->kill_at = 0;
	s->fail_in = 0;
	if (status == OTR_E_DUPLICATE)
		return;
	if (status != OTR_OK) {
		complain(s, "the commit after the cut fails", err.text);
		return;
	}
	check_image(s, &s->now, &s->h, false, thorough, &f, s->trace);
	if (thorough)
		check_verify(s, &s->now, s->trace);
}

/* A damaged file is not written to. */
static void
check_refusal(struct sim *s)
{
	struct otr_error err = { .text = "" };
	enum otr_status status;
	struct otr_writer *w = open_writer(s, "on damage", &status, &err);
	int64_t t = 1;
	double v = 1;

	if (w != NULL) {
		status = one_add(w, &t, &v, 1, &err);
		if (status == OTR_OK)
			status = otr_writer_commit(w, &(struct otr_commit_result){ 0 }, &err);
	}
	if (status != OTR_E_CORRUPT)
		complain(s, "a damaged file was written to", "");
	otr_writer_close(w);
}

/* What runs on the file that a cut has left. */
static struct sim *
sim_after(const struct sim *from, const struct image *m, bool noisy)
{
	struct sim *s = sim_new(from->depth + 1);

	s->now = s->disk = *m;
	s->h = from->h;
	s->depth = from->depth + 1;
	s->per_cut = 6;
	s->noisy = noisy;
	s->pieces = from->pieces;
	s->retains = from->retains;
	s->changes = from->changes;
	s->clock = from->clock;
	s->page_bytes = from->page_bytes;
	s->guard_stale = true;
	return s;
}

static void
count_state(const struct sim *from)
{
	if (from->depth > 0)
		count.compound++;
	else if (from->source == OF_WORKLOAD)
		count.first++;
	else if (from->source == OF_KILLED)
		count.killed++;
	else
		count.failing++;
}

/* Compound states are made as they are needed, of all workloads. */
static enum first
choose_first(const struct sim *from)
{
	unsigned long long others = count.first + count.killed + count.failing;

	if (from->depth == 0 && count.compound < 100 + others / 10 && dice(2) == 0)
		return (enum first)(CUT_ONE_S + dice(FIRSTS - CUT_ONE_S));
	return (enum first)dice(CUT_ONE_S);
}

/* Reader, then verification, then writer and reader again.  Whether it is a state that was not met before. */
static bool
try_state(struct sim *from, const struct image *m, bool may_be_damaged)
{
	uint64_t root = mix(mix(from->h.epoch, 31), may_be_damaged);
	const bool of_workload = from->depth == 0 && from->source == OF_WORKLOAD;
	size_t blocks = blocks_used;
	int mark = made_n;
	unsigned long long outside;
	struct sim *s = NULL;
	struct trace trace;
	struct found f;
	enum first first;
	uint64_t view;
	uint32_t known;

	count.tried++;
	if (!is_new(image_hash(m, from->h.acked)))
		return false;
	count_state(from);
	if (trace_known(root, m, NULL, &known)) {
		f = founds[known];
	} else {
		s = sim_after(from, m, may_be_damaged);
		outside = begin_apart(root);
		trace_begin(&trace, root, m, NULL);
		check_image(s, m, &s->h, may_be_damaged, dice(of_workload ? 3 : 8) == 0, &f, &trace);
		if (!f.part) {
			if (founds_n == founds_room && (founds = realloc(founds, (founds_room = 2 * founds_room + 64) * sizeof *founds)) == NULL)
				abort();
			founds[founds_n] = f;
			trace_done(&trace, founds_n++);
		}
		seed = outside;
	}
	if (f.version >= VERSIONS_MAX)
		goto out;
	/* verification, of a file and nothing else */
	if (f.readable && !trace_known(41, m, NULL, NULL) && ((first_time(mix(f.view, 42)) && (of_workload || dice(4) == 0)) || dice(16) == 0)) {
		trace_begin(&trace, 41, m, NULL);
		check_verify(from, m, &trace);
		trace_done(&trace, 0);
	}
	first = choose_first(from);
	view = mix(mix(from->h.epoch, f.view), 43);
	root = mix(mix(mix(mix(from->h.epoch, (uint64_t)from->clock), f.version), mix((uint64_t)f.horizon_ns, f.oldest)), 51 + (f.readable ? first : FIRSTS) * 2 + may_be_damaged);
	if (first < CUT_ONE_S && trace_known(root, m, NULL, NULL))
		goto out;
	/* where a writer takes over what it took over from another state, some are tried */
	if (!(first_time(view) && (of_workload || dice(3) == 0)) && dice(first < CUT_ONE_S ? 12 : 3) != 0)
		goto out;
	if (s == NULL)
		s = sim_after(from, m, may_be_damaged);
	outside = begin_apart(first < CUT_ONE_S ? root : mix(root, m->b[1]->hash + m->b[2]->hash));
	s->own_seed = seed;
	if (first < CUT_ONE_S || !f.readable) {
		trace_begin(&trace, root, m, NULL);
		s->trace = &trace;
	}
	if (f.readable) {
		/* from here on what was found is what counts */
		s->h.horizon_ns = f.horizon_ns;
		s->h.oldest = f.oldest;
		if (f.version > s->h.acked && s->h.version[f.version] == NULL)
			s->h.version[f.version] = s->h.unknown != NULL && s->h.unknown_version == f.version ? s->h.unknown : s->h.inflight;
		s->h.unknown = NULL;
		memset(&s->h.version[f.version + 1], 0, (VERSIONS_MAX - 1 - (size_t)f.version) * sizeof s->h.version[0]);
		s->h.acked = f.version;
		s->h.inflight = NULL;
		new_epoch(&s->h);
		append_to(s, f.version, first);
	} else {
		check_refusal(s);
	}
	if (s->handles != 0)
		complain(s, "a handle was not closed", "");
	if (s->trace != NULL)
		trace_done(&trace, 0);
	seed = outside;
out:
	blocks_used = blocks;
	forget(mark);
	return true;
}

/* ---- files to begin with -------------------------------------------------------------------------------------------------- */

enum base { BASE_4K, BASE_8K, BASE_64K, BASE_DEFLATED, BASES };

static struct {
	struct image image;
	uint32_t page_bytes;
	uint64_t version, oldest;
	int64_t horizon_ns;
	int64_t *t;
	double *v;
	int n;
} bases[BASES];

static int
base_write(void *self, uint64_t offset, const void *bytes, size_t len)
{
	struct image *m = self;
	struct write w = write_of(m, offset, bytes, len, len);

	image_put(m, &w);
	return 0;
}

/* As otr_create writes it, but always with the same id and time. */
static bool
base_create(enum base which, uint32_t page_bytes)
{
	struct otr_io io = { .self = &bases[which].image, .write = base_write };
	struct otr__header header = { .major = OTR_FORMAT_MAJOR, .minor = OTR_FORMAT_MINOR, .file_id = { 1, 2, 3 }, .created_ns = 900 * SECOND,
		.schema = { .columns = 1, .page_bytes = page_bytes, .column[0] = { .name = "v", .type = OTR_F64 } } };
	struct otr__record record = { .kind = OTR_KIND_CREATE, .commit_ns = 900 * SECOND };
	struct otr__slot *slot = calloc(1, sizeof *slot);
	struct otr__put put;
	struct otr_error err;
	enum otr_status status;

	if (slot == NULL)
		abort();
	slot->commit_ns = 900 * SECOND;
	slot->minor = OTR_FORMAT_MINOR;
	slot->horizon_ns = INT64_MIN;
	slot->page_count = page_bytes < 16384 ? 16384 / page_bytes : 1;
	put = otr__put_into(slot->area, otr__slot_room(0));
	otr__record_put(&put, &record);
	slot->area_bytes = (uint16_t)otr__record_size(&record);
	bases[which].page_bytes = page_bytes;
	bases[which].horizon_ns = INT64_MIN;
	status = otr__start_write(&io, &header, slot, &err);
	free(slot);
	return status == OTR_OK;
}

/* The slot with another time of its only commit, so that the file is the same in each run. */
static void
fix_time(uint8_t bytes[OTR__SLOT_BYTES], const struct otr__header *header)
{
	static struct otr__slot slot;

	if (otr__slot_decode(bytes, header, &slot, NULL) != OTR__SLOT_SOUND)
		return;
	slot.commit_ns = 950 * SECOND;
	otr__put64(slot.area + 16, (uint64_t)slot.commit_ns);
	otr__slot_encode(bytes, &slot, header->file_id);
}

/* As otr_compact leaves it, with deflated chunks. */
static bool
base_deflate(void)
{
	struct otr__header header;
	const char *path = one_path("deflated.otr");
	struct otr_compact_options o = { .drop_history = true, .deflate = true, .page_bytes = 8192 };
	struct otr_compact_result compacted;
	struct otr_commit_result r;
	struct otr_error err;
	static uint8_t bytes[ROOM];
	struct otr *file;
	size_t size;
	FILE *f;
	int i, n = 3000;

	bases[BASE_DEFLATED].t = calloc((size_t)n, sizeof(int64_t));
	bases[BASE_DEFLATED].v = calloc((size_t)n, sizeof(double));
	if (bases[BASE_DEFLATED].t == NULL || bases[BASE_DEFLATED].v == NULL)
		abort();
	for (i = 0; i < n; i++) {
		bases[BASE_DEFLATED].t[i] = (1000 + i) * SECOND;
		bases[BASE_DEFLATED].v[i] = i % 7 * 1.0000001 + (double)(i % 100) / 3;
	}
	bases[BASE_DEFLATED].n = n;
	bases[BASE_DEFLATED].page_bytes = 8192;
	f = fopen(path, "wb");
	for (i = 0; f != NULL && i < 4; i++)
		(void)fwrite(image_block(&bases[BASE_4K].image, (size_t)i)->bytes, 1, BLOCK, f);
	if (f == NULL || fclose(f) != 0 || one_append(path, bases[BASE_DEFLATED].t, bases[BASE_DEFLATED].v, (size_t)n, &r) != OTR_OK ||
	    otr_compact(path, NULL, &o, &compacted, &err) != OTR_OK || otr_open(path, &file, &err) != OTR_OK)
		return false;
	bases[BASE_DEFLATED].version = file->state.slot.version;
	bases[BASE_DEFLATED].oldest = file->state.slot.oldest_version;
	bases[BASE_DEFLATED].horizon_ns = file->state.slot.horizon_ns;
	otr_close(file);
	f = fopen(path, "rb");
	if (f == NULL)
		return false;
	size = fread(bytes, 1, sizeof bytes, f);
	if (otr__header_decode(bytes, &header, &err) != OTR_OK)
		return false;
	fix_time(bytes + 4096, &header);
	fix_time(bytes + 8192, &header);
	for (i = 0; (size_t)i < size / BLOCK; i++)
		(void)base_write(&bases[BASE_DEFLATED].image, (uint64_t)i * BLOCK, bytes + (size_t)i * BLOCK, BLOCK);
	return fclose(f) == 0 && size % BLOCK == 0;
}

/* ---- workloads ----------------------------------------------------------------------------------------------------------- */

static struct sim *
begin(const char *name, enum base base, bool can_synced)
{
	struct sim *s = sim_new(0);
	struct series *rows;

	/* what is known of older epochs is of no use */
	if (memo == NULL || memo_n > 1u << 17) {
		memo_forget();
		founds_n = guarded_n = judged_n = 0;
	}
	workload = name;
	s->now = s->disk = bases[base].image;
	s->page_bytes = bases[base].page_bytes;
	s->clock = 1000 * SECOND;
	s->guard_stale = true;
	s->can_synced = can_synced;
	s->own_seed = seed;
	s->h.acked = s->began_with = bases[base].version;
	s->h.oldest = bases[base].oldest;
	s->h.horizon_ns = bases[base].horizon_ns;
	rows = joined(NULL, bases[base].t, bases[base].v, bases[base].n);
	s->h.version[s->h.acked] = rows;
	new_epoch(&s->h);
	return s;
}

static size_t base_blocks;

static void
end(struct sim *s)
{
	struct found f;

	check_image(s, &s->now, &s->h, s->noisy, true, &f, NULL);
	if (s->handles != 0)
		complain(s, "a handle was not closed", "");
	blocks_used = base_blocks;
	forget(0);
}

static const char note[] = "a message that fills the record area sooner, so that a few commits make a spill: it has a good two hundred bytes, of which none "
	"says anything that a reader would have to know, but all of which are kept, and checked, and carried along.";

enum kind { ORDER, NEAR, LATE, REPLACE, LARGE, LARGE_LATE, HUGE_ONE, DELETE, DELETE_ALL, ROLL_BACK, META, POLICIES, KINDS };
/* No compaction: it makes a file of its own, by calls that struct otr_io does not have (10.3). */

/* One commit of a kind, by w. */
static enum otr_status
make(struct sim *s, struct otr_writer *w, enum kind kind, struct otr_error *err)
{
	int64_t *t;
	double *v;
	enum otr_status status;
	const struct series *last = newest(s);
	int64_t end_ns = 1000 * SECOND, first = 1000 * SECOND;
	int n = 1, i;

	if (last->n > 0) {
		first = last->t[0];
		end_ns = last->t[last->n - 1];
	}
	if (s->clock < end_ns)
		s->clock = end_ns;
	switch (kind) {
	case DELETE: case DELETE_ALL: return delete_some(s, w, kind == DELETE_ALL, err);
	case ROLL_BACK: return roll_back(s, w, err);
	case META: return set_meta(s, w, NULL, err);
	case POLICIES: return set_policies(s, w, err);
	case ORDER: case REPLACE: break;
	case NEAR: n = 1 + (int)dice(3); break;
	case LATE: break;
	case LARGE: n = 100 + (int)dice(500); break;
	case LARGE_LATE: n = 60 + (int)dice(100); break;
	case HUGE_ONE: n = 3000 + (int)dice(1500); break;
	case KINDS: break;
	}
	/* not static: what comes of a cut within this commit makes commits too */
	t = malloc((size_t)n * sizeof *t);
	v = malloc((size_t)n * sizeof *v);
	if (t == NULL || v == NULL)
		abort();
	for (i = 0; i < n; i++) {
		v[i] = (double)dice(1000000000) / 7;
		switch (kind) {
		case REPLACE: t[i] = end_ns; break;
		case NEAR: t[i] = end_ns + (int64_t)dice(10) * SECOND / 2 - 2 * SECOND; break;
		case LATE: t[i] = first + (int64_t)dice((unsigned long long)(end_ns - first) / SECOND * 2 + 3) * SECOND / 2; break;
		case LARGE_LATE: t[i] = first + (int64_t)dice((unsigned long long)(end_ns - first) / SECOND * 2 + 200) * SECOND / 2; break;
		default: t[i] = end_ns + (i + 1) * SECOND; break;
		}
	}
	status = commit(s, w, t, v, n, err);
	free(t);
	free(v);
	return status;
}

/* kinds: one letter a commit; '|' begins with a new writer, 'S' and 'P' too: one that has write_synced, and one that has not. */
static enum otr_status
play(struct sim *s, const char *kinds, struct otr_error *err)
{
	static const char letters[] = "onlrLMHdDRmp";
	struct otr_writer *w = NULL;
	enum otr_status status = OTR_OK;

	for (; *kinds != '\0' && status == OTR_OK; kinds++) {
		const char *at = strchr(letters, *kinds);

		if (at == NULL || w == NULL) {
			otr_writer_close(w);
			if (*kinds == 'S' || *kinds == 'P')
				s->can_synced = *kinds == 'S';
			w = open_writer(s, note, &status, err);
		}
		if (at != NULL && status == OTR_OK)
			status = make(s, w, (enum kind)(at - letters), err);
		/* commit has seen that it is right; such a writer can only be closed */
		if (status == OTR_E_DUPLICATE) {
			otr_writer_close(w);
			w = NULL;
			status = OTR_OK;
		}
	}
	otr_writer_close(w);
	return status;
}

struct work {
	const char *name;
	const char *kinds;             /* as for play; NULL: others each time */
	enum base base;
	enum otr_duplicates duplicates;
	const struct otr_policies *policies;   /* set before the cuts */
	int filled;                    /* with so many huge commits, before the cuts */
	bool changes;                  /* not only appends after a cut */
	bool unnamed;                  /* as a creation leaves it that did not come to its end */
};

static void
random_kinds(char *kinds, int n)
{
	static const char choice[] = "oooonnnnlrrLMooonnooddDRRmmpp|SPH";
	int i;

	for (i = 0; i < n; i++)
		kinds[i] = choice[dice(sizeof choice - 1)];
	kinds[n] = '\0';
}

static uint64_t
hash_of(const char *name)
{
	uint64_t h = 5;

	for (; *name != '\0'; name++)
		h = mix(h, (uint8_t)*name);
	return h;
}

/* Once through a workload; rate: states for a cut of weight 1, 0: the weight of all its cuts is found out, which is returned. */
static double
go_through(const struct work *k, unsigned round, double rate)
{
	struct otr_error err = { .text = "" };
	enum otr_status status = OTR_OK;
	char kinds[32];
	struct otr_writer *w;
	struct sim *s;
	double weight;
	int i;

	seed = mix(mix(shown_seed, hash_of(k->name)), round) | 1;
	random_kinds(kinds, 10 + (int)dice(18));
	duplicates = k->duplicates;
	s = begin(k->name, k->base, (round & 1) != 0);
	s->changes = k->changes;
	s->unnamed = k->unnamed;
	if (k->policies != NULL || k->duplicates != OTR_REPLACE) {
		struct otr_policies p = k->policies == NULL ? (struct otr_policies){ .duplicates = k->duplicates } : *k->policies;

		w = open_writer(s, note, &status, &err);
		s->pieces = p.has_max_size;
		s->retains = p.has_retain;
		if (status == OTR_OK)
			status = set_meta(s, w, &p, &err);
		otr_writer_close(w);
	}
	for (i = 0; i < k->filled && status == OTR_OK; i++)
		status = play(s, "H", &err);
	s->cuts = true;
	s->dry = rate == 0;
	s->rate = rate;
	if (status == OTR_OK)
		status = play(s, k->kinds == NULL ? kinds : k->kinds, &err);
	if (status != OTR_OK)
		complain(s, "a commit fails", err.text);
	weight = s->weight;
	end(s);
	return weight;
}

/* Until a workload has had its share of states; with and without write_synced in turn. */
static void
run(const struct work *k, unsigned long long share)
{
	const unsigned long long start = count.first;
	double weight[2] = { 0, 0 };
	unsigned round;
	const char *only = getenv("ONLY"), *name;

	if (only != NULL && strcmp(only, k->name) != 0)
		return;
	/* of its own: what others drew does not matter, nor whether they were run (the id of the deflated file is not the same twice) */
	seed = shown_seed * 2 + 1;
	for (name = k->name; *name != '\0'; name++)
		seed = mix(seed, (unsigned char)*name);
	for (round = 0; round < 2 || count.first - start < share; round++) {
		unsigned long long left = count.first - start < share ? share - (count.first - start) : 1;
		double rate;

		if (round < 2 || k->kinds == NULL)
			weight[round & 1] = go_through(k, round, 0);
		rate = (round == 0 ? (double)left / 2 : (double)left * 1.05 + 1) / (weight[round & 1] + 1);
		/* not all of a great share from a few cuts */
		(void)go_through(k, round, rate > 250 ? 250 : rate);
		if (bad > 0)
			return;
	}
	printf("#   %-32s %8llu states, %u rounds\n", k->name, count.first - start, round);
}

/* ---- killed writers and failing calls -------------------------------------------------------------------------------------- */

/* What was done before, by whom something happens to, by whom after. */
static const char *const script[][3] = {
	{ "", "o", "oo" }, { "oooo", "o", "oLo" }, { "ooooo", "oooo", "ol" }, { "nnnnnn", "nnnn", "non" }, { "ooL", "L", "oo" },
	{ "oLlL", "l", "lo" }, { "oolol", "or", "ro" }, { "LlLlnnnnn", "nnM", "oMo" }, { "LMoLM", "H", "Ho" },
	{ "oLood", "dno", "do" }, { "oLdoo", "RoR", "Rd" }, { "omLm", "mop", "mR" }, { "ooLlop", "plnp", "op" },
};
#define SCRIPTS ((int)(sizeof script / sizeof script[0]))

/* The state before, which each try begins with; can: who has write_synced, a bit for each of the three. */
static struct sim stem;
static unsigned long long stem_seed;
static size_t stem_blocks;
static int stem_made;

static void
grow_stem(const char *name, int i, int can, unsigned pass)
{
	struct otr_error err = { .text = "" };
	struct sim *s;

	duplicates = OTR_REPLACE;
	seed = mix(mix(shown_seed, hash_of(name)), (uint64_t)i * 1000 + pass) | 1;
	s = begin(name, i % 4 == 3 ? BASE_8K : BASE_4K, can & 1);
	s->source = strcmp(name, "killed") == 0 ? OF_KILLED : OF_FAILING;
	s->changes = true;
	if (play(s, script[i][0], &err) != OTR_OK)
		complain(s, "a commit fails", err.text);
	s->can_synced = can >> 1 & 1;
	stem = *s;
	stem_seed = seed;
	stem_blocks = blocks_used;
	stem_made = made_n;
}

static struct sim *
from_stem(long n)
{
	struct sim *s = sim_new(0);

	*s = stem;
	seed = stem_seed;
	s->own_seed = mix(stem_seed, (uint64_t)n);
	return s;
}

static void
back_to_stem(struct sim *s)
{
	struct found f;

	check_image(s, &s->now, &s->h, s->noisy || s->hopeless, dice(4) == 0, &f, NULL);
	if (s->handles != 0)
		complain(s, "a handle was not closed", "");
	blocks_used = stem_blocks;
	forget(stem_made);
}

/* M2: a writer is killed at its call number n, another goes on, whose sync may fail; false: the first came to its end. */
static bool
killed(int i, int can, long n, double rate)
{
	struct sim *s = from_stem(n);
	struct otr_error err = { .text = "" };
	bool was;

	s->kill_at = s->calls + n;
	was = play(s, script[i][1], &err) != OTR_OK;
	s->kill_at = 0;
	if (was) {
		count.kills++;
		take_over(s);
		s->can_synced = can >> 2 & 1;
		s->cuts = true;
		s->per_cut = 3;
		cut(s, NULL);
		s->rate = rate;
		/* what it found may not be on disk, and be clean for the cache from then on */
		if (dice(3) == 0) {
			s->keeps = dice(4) > 0;
			set_fault(s, SYNC, 1 + (long)dice(2), FAULT_EIO, false);
		}
		if (play(s, script[i][2], &err) != OTR_OK) {
			if (s->last_failed)
				after_failing(s, "oLo", err.text);
			else
				complain(s, "a commit after a kill fails", err.text);
		}
	}
	back_to_stem(s);
	return was;
}

static void
run_killed(unsigned long long share)
{
	unsigned pass;
	int i, can;
	long n;

	for (pass = 0; (pass == 0 || count.killed < share) && bad == 0; pass++)
		for (i = 0; i < SCRIPTS; i++)
			for (can = 0; can < 8; can++) {
				grow_stem("killed", i, can, pass);
				for (n = 1; killed(i, can, n, (double)share / 200000 + 0.05); n += states_wanted < 10000 ? 1 + (long)dice(50) : states_wanted < 100000 ? 1 + (long)dice(12) : states_wanted < 1000000 ? 1 + (long)dice(3) : 1)
					seed = mix(seed, (uint64_t)n) | 1;
				blocks_used = base_blocks;
				forget(0);
			}
}

/* M3 and M6: call n fails; false: there was no such call. */
static bool
failing(int i, int can, long n, enum fault fault, bool for_ever, bool keeps, double rate)
{
	struct sim *s = from_stem(n);
	struct otr_error err = { .text = "" };
	enum otr_status status;
	bool met;

	workload = keeps ? "failing call, cache keeps" : "failing call, cache reverts";
	set_fault(s, ANY, n, fault, for_ever);
	s->keeps = keeps;
	s->per_cut = 3;
	status = play(s, script[i][1], &err);
	met = s->last_failed;
	s->fail_in = 0;
	if (status != OTR_OK) {
		s->can_synced = can >> 2 & 1;
		s->rate = rate;
		after_failing(s, script[i][2], err.text);
	}
	back_to_stem(s);
	return met;
}

static void
run_failing(unsigned long long share)
{
	const unsigned long long start = count.failures;
	unsigned pass;
	int i, combination;
	long n, step = share < 1000 ? 1 + (long)(1000 / (share + 1)) : 1;

	/* each pass: all calls of all scripts, with one of the 160 combinations each */
	for (pass = 0; (pass == 0 || count.failures - start < share) && bad == 0; pass++)
		for (i = 0; i < SCRIPTS && bad == 0; i++) {
			bool met = true;

			/* a stem has one way to begin with: the combinations differ from call to call but for that */
			for (combination = 0; combination < 2; combination++) {
				int can_before = combination;

				grow_stem("failing", i, can_before, pass / 80);
				met = true;
				for (n = 1 + (share < 1000 ? (long)dice((unsigned long long)step) : 0); met; n += step) {
					uint64_t c = ((uint64_t)pass * 67 + (uint64_t)n * 31 + (uint64_t)i * 17 + (uint64_t)combination * 40) % 80;
					int can = can_before | (int)(c / 20 % 4) << 1;

					stem.can_synced = can >> 1 & 1;
					met = failing(i, can, n, (enum fault)(c % FAULTS), c / 5 % 2 != 0, c / 10 % 2 != 0, (double)share / 20000);
				}
				blocks_used = base_blocks;
				forget(0);
			}
		}
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------- */

static void
report(void)
{
	int i, k;

	printf("# %llu states after one cut, %llu after a second one, %llu after a killed writer (%llu kills), %llu after a failed call; %llu tried\n", count.first, count.compound,
	    count.killed, count.kills, count.failing, count.tried);
	printf("# %llu opened, %llu verified, %llu appended to; %llu calls failed:", count.opened, count.verified, count.appended, count.failures);
	for (i = 0; i < CALLS; i++) {
		unsigned long long sum = 0;

		for (k = 0; k < FAULTS; k++)
			sum += count.failed[i][k];
		printf(" %s %llu", call_name[i], sum);
	}
	printf(";");
	for (k = 0; k < FAULTS; k++) {
		unsigned long long sum = 0;

		for (i = 0; i < CALLS; i++)
			sum += count.failed[i][k];
		printf(" %s %llu", fault_name[k], sum);
	}
	printf("; %d bad\n", bad);
}

int
main(void)
{
	static const struct otr_policies by_size = { .has_max_size = true, .max_bytes = 16384 + 100 * 4096, .history = OTR_HISTORY_FITS };
	static const struct otr_policies by_size_0 = { .has_max_size = true, .max_bytes = 16384 + 100 * 4096, .history = OTR_HISTORY_COUNT };
	static const struct otr_policies by_age = { .has_retain = true, .retain_ns = 300 * SECOND };
	static const struct otr_policies no_history = { .history = OTR_HISTORY_COUNT, .history_value = 1 };
	static const struct otr_policies history_by_age = { .history = OTR_HISTORY_AGE, .history_value = 200 * SECOND };
	static const struct work appends[] = {
		{ .name = "creation", .kinds = "o", .unnamed = true },
		{ .name = "creation, large", .kinds = "Lo", .unnamed = true },
		{ .name = "first commits", .kinds = "ooo" },
		{ .name = "small commits in order", .kinds = "oooooooooooooooooooooo" },
		{ .name = "small commits, a little late", .kinds = "nnnnnnnnnnnnnnnnnnnnnn" },
		{ .name = "spills that carry rows", .kinds = "nononllnonnnonnolnnnn" },
		{ .name = "large commits", .kinds = "LLHLL" },
		{ .name = "huge commits", .kinds = "HoHHl" },
		{ .name = "late rows", .kinds = "oLlLlollLM" },
		{ .name = "many late rows", .kinds = "LMMoMHMM" },
		{ .name = "replace the newest row", .kinds = "orrrLrorrrrrr" },
		{ .name = "keep rows of one time", .kinds = "onrrLrlnMrorrnrrMl", .duplicates = OTR_KEEP },
		{ .name = "the first of one time", .kinds = "onrrLrlnMrorrnrrMl", .duplicates = OTR_FIRST },
		{ .name = "one time twice refused", .kinds = "onrrLrlnMronllrrMlHM", .duplicates = OTR_ERROR },
		{ .name = "large while rows ride", .kinds = "ooLnnLooMnnl" },
		{ .name = "two writers", .kinds = "ooSooPoonSLPlSooooPnnnnSnn" },
		{ .name = "pages of 8192", .kinds = "oooLnnnnlMoooLH", .base = BASE_8K },
		{ .name = "pages of 65536", .kinds = "ooLnnlMoo", .base = BASE_64K },
		{ .name = "deflated chunks", .kinds = "olLnlMnnol", .base = BASE_DEFLATED, .unnamed = true },
	};
	static const struct work changes[] = {
		{ .name = "deletions", .kinds = "oLdoodnDoodLdLMd", .changes = true },
		{ .name = "all deleted", .kinds = "oLDonDLlDoolMDo", .changes = true },
		{ .name = "rollbacks", .kinds = "oLoodRoRnnRLlRDRR", .changes = true },
		{ .name = "metadata", .kinds = "omoonmRmnnnmLmmR", .changes = true },
		{ .name = "policies while rows ride", .kinds = "oopnnpoopLpoodpnnnpRp", .changes = true },
		{ .name = "changes in pages of 8192", .kinds = "omLdlRoonnDRLmpd", .base = BASE_8K, .changes = true },
		{ .name = "changes of deflated chunks", .kinds = "dolRmMdLDR", .base = BASE_DEFLATED, .changes = true },
	};
	static const struct work limits[] = {
		{ .name = "expiry by size", .kinds = "HoonHlMHdHRHmH", .policies = &by_size, .filled = 8, .changes = true },
		{ .name = "expiry by size, no history", .kinds = "HlHlooMHdHRH", .policies = &by_size_0, .filled = 8, .changes = true },
		{ .name = "a full file of fixed size", .kinds = "oonnnlooLnnlrooMonooLoo", .policies = &by_size, .filled = 12 },
		{ .name = "expiry by age", .kinds = "MLoonLLlnLdLLRLpLLMpL", .policies = &by_age, .filled = 1, .changes = true },
		{ .name = "history pruned by count", .kinds = "oLlLlndlLRlLmldlnnnlDLlmR", .policies = &no_history, .changes = true },
		{ .name = "history pruned by age", .kinds = "oLlLlndlLRlLmldlnnnlDLlmR", .policies = &history_by_age, .changes = true },
	};
	static const struct work mixture = { .name = "random mixtures", .changes = true };
	enum { APPENDS = sizeof appends / sizeof appends[0], CHANGES = sizeof changes / sizeof changes[0], LIMITS = sizeof limits / sizeof limits[0] };
	const char *env = getenv("SEED"), *only = getenv("ONLY");
	unsigned long long share;
	int before, i;

	shown_seed = env == NULL ? 20240707 : strtoull(env, NULL, 10);
	printf("# SEED=%llu\n", shown_seed);
	env = getenv("STATES");
	if (env != NULL && strtoull(env, NULL, 10) > 0)
		states_wanted = strtoull(env, NULL, 10);
	share = states_wanted / (APPENDS + CHANGES + LIMITS + 2) + 1;
	if (!base_create(BASE_4K, 4096) || !base_create(BASE_8K, 8192) || !base_create(BASE_64K, 65536) || !base_deflate())
		return 1;
	base_blocks = blocks_used;

	before = bad;
	for (i = 0; i < APPENDS; i++)
		run(&appends[i], share);
	CHECK(bad == before, "M1, 10.1: after a power cut at any call the last acknowledged version or the next one is there, whole");

	before = bad;
	for (i = 0; i < CHANGES; i++)
		run(&changes[i], share);
	CHECK(bad == before, "M1: so it is with deletions, rollbacks, metadata and policies");

	before = bad;
	for (i = 0; i < LIMITS; i++)
		run(&limits[i], share);
	CHECK(bad == before, "M1: and with expiry by size and by age, and history that is pruned");

	before = bad;
	if (only == NULL || strcmp(only, "killed") == 0)
		run_killed(states_wanted / 10);
	CHECK(bad == before, "M2, 10.2-3: and where a writer was killed, its writes unsynced, and another went on");

	before = bad;
	if (only == NULL || strcmp(only, "failing") == 0)
		run_failing(states_wanted / 100);
	CHECK(bad == before, "M3, M6, 10.2-7: a call that fails leaves the version before, or says that the state is unknown; the next append works");

	before = bad;
	run(&mixture, count.first < states_wanted && states_wanted - count.first > share ? states_wanted - count.first : share);
	CHECK(bad == before, "M1: random mixtures of commits");

	report();
	free(seen);
	free(memo);
	free(founds);
	free(guarded);
	free(judged);
	free(bases[BASE_DEFLATED].t);
	free(bases[BASE_DEFLATED].v);
	disk_free();
	one_clean();
	return tap_done();
}
