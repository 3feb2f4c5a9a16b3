/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_crash.c - what a power cut, a killed writer and a failing disk leave (testing.md M1, M2, M3, M6), with the monitor of M15 always on.
 *
 * A file lives in memory twice: `now` is what every process sees, `disk` what completed syncs cover; `pending` are the writes between them.  Whenever
 * the library calls, the power may go: then any subset of the pending writes is on the disk, one of them torn.  Each such state is opened by the real
 * reader, all its versions compared with the model, verified, and appended to by the real writer, in which the power may go once more.
 *
 *      STATES=n   how many distinct states to go on to, and how many of each cut (n / 400); default 6,000, which the fixed workloads exceed      SEED=n   of all that is random
 */
#include <errno.h>

#include "onefile.h"
#include "reach.h"
#include "verify.h"
#include "writer.h"

#define PAGE 4096u
#define ROOM (1u << 20)                /* the longest file */
#define PENDING_MAX 63
#define SECOND 1000000000LL

/* Under AddressSanitizer a state takes many times as long. */
#if defined(__SANITIZE_ADDRESS__)
#define STATES_WANTED 200
#else
#define STATES_WANTED 6000
#endif

static unsigned long long seed, states_wanted = STATES_WANTED, states, compound, tried, failed_calls;
static unsigned per_cut = 30;
static int bad;
static const char *workload = "";

static unsigned long long
dice(unsigned long long n)
{
	return (tap_random(&seed) >> 11) % n;
}

/* ---- the model: rows of every version ---------------------------------------------------------------------------------- */

struct series {
	int n;
	int64_t *t;
	double *v;
	unsigned meta;                 /* number in the metadata, 0: none */
};

#define VERSIONS_MAX 400
struct history {
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
		if (k > 0 && s->t[k - 1] == t[i]) {
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

/* For the series that was made last: it is not needed. */
static void
discard(struct series *s)
{
	made_n--;
	free(s->t);
	free(s->v);
	free(s);
}

/* The rows as a series of their own, in the order of time, those of one time as they came. */
static struct series *
in_order(const int64_t *t, const double *v, int n)
{
	struct series *s = joined(NULL, NULL, NULL, 0);
	int i, k;

	s->t = realloc(s->t, (size_t)(n + 1) * sizeof *s->t);
	s->v = realloc(s->v, (size_t)(n + 1) * sizeof *s->v);
	if (s->t == NULL || s->v == NULL)
		abort();
	for (i = 0; i < n; i++) {
		for (k = i; k > 0 && s->t[k - 1] > t[i]; k--) {
			s->t[k] = s->t[k - 1];
			s->v[k] = s->v[k - 1];
		}
		s->t[k] = t[i];
		s->v[k] = v[i];
	}
	s->n = n;
	return s;
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

/* ---- the file ---------------------------------------------------------------------------------------------------------- */

struct image {
	uint8_t *bytes;                /* ROOM of them, zero from size on */
	size_t size;
};

struct write {
	uint64_t offset;
	size_t len;
	uint8_t *bytes;
};

enum fault { FAULT_NONE, FAULT_ENOSPC, FAULT_EIO, FAULT_SHORT };

struct sim {
	struct image now, disk;
	struct write pending[PENDING_MAX];
	int n;
	struct history h;
	int depth;                     /* 0: the power may go at each call; the states that come of it have 1 more */
	bool cuts;                     /* whether the power may go at all */
	unsigned per_cut;
	bool can_synced;
	bool locked;
	int handles;
	int64_t clock;
	/* what is to go wrong */
	long calls, kill_at, fail_at;  /* 0: never */
	bool noisy;                    /* zeros or garbage may stand in a slot already */
	bool hopeless;                 /* what had to be put back after a failure could not be */
	bool dead, for_ever, keeps, last_failed;      /* keeps: after a failed sync the cache keeps what is not on disk */
	enum fault fault;
	bool pieces, retains;          /* policies that there are, or were */
	bool changes;                  /* not only appends after a cut */
	/* the monitor */
	uint8_t guard_now[ROOM / PAGE], guard_disk[ROOM / PAGE];      /* pages that must not be written */
	bool guard_stale;
	bool unsynced[ROOM / PAGE];    /* written under this lock, not synced since */
	unsigned newest;               /* slot that was read as the newest under the lock */
	uint64_t newest_version;
	bool slot_pending[2], directory_synced, after_failure;
	uint8_t slot_before[2][PAGE];
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

static void
image_init(struct image *m)
{
	m->bytes = calloc(ROOM, 1);
	m->size = 0;
	if (m->bytes == NULL)
		abort();
}

static void
image_put(struct image *m, uint64_t offset, const void *bytes, size_t len)
{
	if (offset + len > ROOM)
		abort();
	memcpy(m->bytes + offset, bytes, len);
	if (m->size < offset + len)
		m->size = (size_t)offset + len;
}

static void
image_copy(struct image *to, const struct image *from)
{
	memcpy(to->bytes, from->bytes, from->size);
	if (to->size > from->size)
		memset(to->bytes + from->size, 0, to->size - from->size);
	to->size = from->size;
}

static void
sim_init(struct sim *s)
{
	memset(s, 0, sizeof *s);
	image_init(&s->now);
	image_init(&s->disk);
	s->clock = 1000 * SECOND;
	s->h.horizon_ns = INT64_MIN;
	s->per_cut = per_cut;
	s->guard_stale = true;
}

static void
sim_settle(struct sim *s)
{
	while (s->n > 0)
		free(s->pending[--s->n].bytes);
}

static void
sim_free(struct sim *s)
{
	sim_settle(s);
	free(s->now.bytes);
	free(s->disk.bytes);
}

/* ---- a backend without faults, for readers ------------------------------------------------------------------------------ */

static int
raw_read(void *self, uint64_t offset, void *bytes, size_t len, size_t *got)
{
	const struct image *m = self;

	*got = offset >= m->size ? 0 : m->size - offset < len ? (size_t)(m->size - offset) : len;
	if (*got > 0)
		memcpy(bytes, m->bytes + offset, *got);
	return 0;
}

static int
raw_size(void *self, uint64_t *bytes)
{
	*bytes = ((const struct image *)self)->size;
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
reader_of(struct image *m)
{
	return (struct otr_io){ .self = m, .read = raw_read, .size = raw_size, .pause = raw_pause, .close = raw_close };
}

/* Marks the pages that either slot of an image reaches. */
static void
guard(struct sim *s, struct image *m, uint8_t *mark, bool newest)
{
	struct otr_io io = reader_of(m);
	struct otr__header header;
	struct otr__state *state = malloc(sizeof *state);
	struct otr__store store = { .io = NULL };
	struct otr__scratch *scratch = otr__scratch_create();
	struct otr__page_list free_pages = { .n = 0 };
	struct otr_error err;
	uint64_t i;

	memset(mark, 0, ROOM / PAGE);
	if (newest)
		s->newest_version = UINT64_MAX;
	if (otr__read_header(&io, &header, NULL, &err) != OTR_OK || otr__read_state(&io, &header, state, NULL, &err) != OTR_OK ||
	    !otr__store_init(&store, &io, &header)) {
		complain(s, "the monitor cannot read the file", err.text);
	} else if (otr__reach_free(&store, &header, state, scratch, &free_pages, &err) != OTR_OK) {
		complain(s, "the monitor cannot walk the file", err.text);
	} else {
		memset(mark, 1, (size_t)state->slot.page_count);
		for (i = 0; i < free_pages.n; i++)
			mark[free_pages.page[i]] = 0;
		if (newest) {
			s->newest = state->index;
			s->newest_version = state->slot.version;
		}
	}
	free(free_pages.page);
	otr__store_release(&store);
	otr__scratch_free(scratch);
	free(state);
}

/* ---- the power goes ------------------------------------------------------------------------------------------------------ */

static void try_state(struct sim *from, struct image *m, bool may_be_damaged);

enum tear { TEAR_NONE, TEAR_512, TEAR_4, TEAR_SECTORS, TEAR_ZEROS, TEAR_GARBAGE, TEAR_EXTEND };

struct plan {
	uint64_t members;
	int torn;
	enum tear tear;
	uint32_t arg;
};

/* Puts a write into m, torn.  Whether the slot may be called damaged for it. */
static bool
put_torn(struct image *m, const struct write *w, enum tear tear, uint32_t arg)
{
	uint8_t b[PAGE];
	bool slot = w->offset == 4096 || w->offset == 8192, noise = false;
	unsigned i, k;

	memcpy(b, m->bytes + w->offset, PAGE);
	switch (tear) {
	case TEAR_NONE:
		memcpy(b, w->bytes, PAGE);
		break;
	case TEAR_512:
		memcpy(b, w->bytes, (arg % 7 + 1) * 512);
		break;
	case TEAR_4:
		k = arg % 1023 * 4 + 4;
		/* half a stamp over one that says "never written" */
		noise = k % 512 == 508 && memcmp(b + k, "\xff\xff\xff\xff", 4) == 0;
		/* or old bytes put back (10.2-7) over a whole slot, and cut within a sector, which 10.1 rules out */
		noise = noise || memcmp(w->bytes + 504, w->bytes + 4088, 8) != 0;
		memcpy(b, w->bytes, k);
		break;
	case TEAR_SECTORS:
		for (i = 0; i < 8; i++)
			if (arg >> i & 1)
				memcpy(b + 512 * i, w->bytes + 512 * i, 512);
		break;
	case TEAR_ZEROS:
	case TEAR_GARBAGE:
		/* of the same bytes written again, by 10.2-3, the old and the new sectors are one (10.1) */
		noise = (arg & 255) != 0 && !(slot && memcmp(b, w->bytes, PAGE) == 0);
		if (slot && !noise)
			arg = 0;
		for (i = 0; i < 8; i++)
			if ((arg >> i & 1) == 0)
				memcpy(b + 512 * i, w->bytes + 512 * i, 512);
			else
				for (k = 0; k < 512; k++)
					b[512 * i + k] = tear == TEAR_ZEROS ? 0 : (uint8_t)dice(256);
		break;
	case TEAR_EXTEND:
		break;
	}
	image_put(m, w->offset, b, PAGE);
	return slot && noise;
}

/* All states that the disk may be in if the power goes now; extra: a write that is its own sync and under way. */
static void
cut(struct sim *s, const struct write *extra)
{
	struct write all[PENDING_MAX + 1];
	int n = s->n, i, j;
	size_t plans = 0, k, room = 4096;
	struct plan *plan;
	struct image m;
	uint64_t whole;

	if (!s->cuts || s->depth > 1)
		return;
	plan = malloc(room * sizeof *plan);
	if (plan == NULL)
		abort();
	memcpy(all, s->pending, (size_t)n * sizeof all[0]);
	if (extra != NULL)
		all[n++] = *extra;
	whole = n == 64 ? UINT64_MAX : (1ULL << n) - 1;
	plan[plans++] = (struct plan){ 0, -1, TEAR_NONE, 0 };
	if (n > 0)
		plan[plans++] = (struct plan){ whole, -1, TEAR_NONE, 0 };
	if (n <= 8) {
		for (k = 1; k + 1 < (1u << n); k++)
			plan[plans++] = (struct plan){ k, -1, TEAR_NONE, 0 };
	} else {
		for (i = 0; i < n; i++) {
			plan[plans++] = (struct plan){ 1ULL << i, -1, TEAR_NONE, 0 };
			plan[plans++] = (struct plan){ whole & ~(1ULL << i), -1, TEAR_NONE, 0 };
		}
		for (k = 0; k < 256; k++)
			plan[plans++] = (struct plan){ tap_random(&seed) & whole, -1, TEAR_NONE, 0 };
	}
	for (i = 0; i < n; i++) {
		bool slot = all[i].offset < 16384;
		int times = slot ? 60 : 2;

		for (j = 0; j < 7; j++)
			plan[plans++] = (struct plan){ whole, i, TEAR_512, (uint32_t)j };
		plan[plans++] = (struct plan){ whole, i, TEAR_EXTEND, 0 };
		for (j = 0; j < times; j++) {
			uint64_t with = j & 1 ? whole : (tap_random(&seed) & whole) | 1ULL << i;

			plan[plans++] = (struct plan){ with, i, TEAR_4, (uint32_t)dice(1023) };
			plan[plans++] = (struct plan){ with, i, TEAR_SECTORS, (uint32_t)dice(256) };
			if (j < 10)
				plan[plans++] = (struct plan){ with, i, j % 2 ? TEAR_ZEROS : TEAR_GARBAGE, (uint32_t)(dice(4) == 0 ? dice(256) : 1u << dice(8)) };
		}
	}
	image_init(&m);
	for (k = 0; k < plans && k < s->per_cut; k++) {
		size_t other = k < 2 ? k : k + (size_t)dice(plans - k);
		struct plan p = plan[other];
		bool damaged = false;

		plan[other] = plan[k];
		image_copy(&m, &s->disk);
		for (i = 0; i < n; i++)
			if (p.members >> i & 1)
				damaged = put_torn(&m, &all[i], i == p.torn ? p.tear : TEAR_NONE, p.arg) || damaged;
		try_state(s, &m, damaged || s->noisy);
	}
	free(m.bytes);
	free(plan);
}

/* ---- the backend --------------------------------------------------------------------------------------------------------- */

/* Counts a call; an errno value if it is to fail. */
static int
call(struct sim *s, bool can_be_short, bool *is_short)
{
	*is_short = false;
	s->calls++;
	if (s->kill_at > 0 && s->calls >= s->kill_at)
		s->dead = true;
	if (s->dead)
		return EIO;
	if (s->fail_at == 0 || (s->for_ever ? s->calls < s->fail_at : s->calls != s->fail_at))
		return 0;
	s->last_failed = true;
	*is_short = can_be_short && s->fault == FAULT_SHORT;
	return s->fault == FAULT_EIO ? EIO : ENOSPC;
}

static int
sim_read(void *self, uint64_t offset, void *bytes, size_t len, size_t *got)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, false, &is_short);

	return failure != 0 ? failure : raw_read(&s->now, offset, bytes, len, got);
}

static void
add_pending(struct sim *s, uint64_t offset, const uint8_t *bytes, size_t len)
{
	struct write *w;

	if (len > PAGE)
		abort();
	if (s->n == PENDING_MAX) {
		/* the kernel writes back what is oldest */
		image_put(&s->disk, s->pending[0].offset, s->pending[0].bytes, PAGE);
		free(s->pending[0].bytes);
		memmove(s->pending, s->pending + 1, (size_t)--s->n * sizeof *w);
	}
	w = &s->pending[s->n];
	*w = (struct write){ .offset = offset, .len = PAGE, .bytes = malloc(PAGE) };
	memcpy(w->bytes, s->now.bytes + offset, PAGE);
	memcpy(w->bytes, bytes, len);
	s->n++;
	image_put(&s->now, offset, bytes, len);
	if (offset == 4096 || offset == 8192)
		s->slot_pending[offset / 8192] = true;
}

/* M15. */
static void
watch(struct sim *s, uint64_t offset, const uint8_t *bytes, size_t len)
{
	uint64_t page = offset / PAGE;
	size_t i;

	if (!s->locked)
		complain(s, "M15: a write without the lock", "");
	if (offset % PAGE != 0 || len != PAGE || page == 0 || page == 3) {
		complain(s, "M15: a write that is no slot and no page", "");
		return;
	}
	if (page > 3) {
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
			if (memcmp(bytes + 512 * i, s->slot_before[page - 1] + 512 * i, i < 6 ? 512 : 504) != 0)
				break;
		if (i < 8)
			complain(s, "M15: a slot written after a failure, other than the bytes before", "");
		return;
	}
	if (page - 1 == s->newest)
		complain(s, "M15: the newest slot written", "");
	if (s->slot_pending[s->newest])
		complain(s, "M15: a slot written while the newest one is not on disk", "");
	for (i = 4; i < ROOM / PAGE; i++)
		if (s->unsynced[i])
			complain(s, "M15: a slot written before its pages were synced", "");
	for (i = 0; i < 8; i++)
		if (otr__get64(bytes + 512 * i + 504) != otr__get64(bytes + 24) + 1)
			complain(s, "M15: a stamp that is not the version", "");
}

static int
sim_write(void *self, uint64_t offset, const void *bytes, size_t len)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, true, &is_short);

	if (s->dead)
		return EIO;
	watch(s, offset, bytes, len);
	if (failure != 0) {
		s->hopeless = s->hopeless || s->after_failure;
		if (is_short)
			add_pending(s, offset, bytes, len / 2 / 512 * 512);
		s->after_failure = true;
		return failure;
	}
	add_pending(s, offset, bytes, len);
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
			(void)put_torn(&s->disk, &s->pending[i], TEAR_SECTORS, (uint32_t)dice(256));
			break;
		}
	sim_settle(s);
	if (!s->keeps)
		image_copy(&s->now, &s->disk);
	s->guard_stale = true;
	s->after_failure = true;
}

static int
sim_write_synced(void *self, uint64_t offset, const void *bytes, size_t len, bool *synced)
{
	struct sim *s = self;
	struct write w = { .offset = offset, .len = len, .bytes = (uint8_t *)(uintptr_t)bytes };
	bool is_short;
	int failure = call(s, true, &is_short), i, k;

	*synced = false;
	if (s->dead)
		return EIO;
	if (len != PAGE)
		abort();
	watch(s, offset, bytes, len);
	if (failure != 0) {
		enum tear how = is_short || dice(2) == 0 ? TEAR_SECTORS : TEAR_NONE;
		uint32_t arg = is_short ? 15 : (uint32_t)dice(256);

		/* written, and not or only partly out: or nothing happened at all */
		if (failure == EIO || is_short) {
			(void)put_torn(&s->now, &w, is_short ? TEAR_SECTORS : TEAR_NONE, arg);
			(void)put_torn(&s->disk, &w, how, arg);
			if (!s->keeps)
				memcpy(s->now.bytes + offset, s->disk.bytes + offset, len);
			s->guard_stale = true;
		}
		s->after_failure = true;
		return failure;
	}
	cut(s, &w);
	image_put(&s->now, offset, bytes, len);
	image_put(&s->disk, offset, bytes, len);
	s->slot_pending[offset / 8192] = false;
	s->guard_stale = true;
	for (i = k = 0; i < s->n; i++)
		if (s->pending[i].offset == offset)
			free(s->pending[i].bytes);
		else
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
	int failure = call(s, false, &is_short);

	if (s->dead)
		return EIO;
	if (s->after_failure)
		complain(s, "M6: a sync after a failure", "");
	if (failure != 0) {
		lose(s);
		return failure;
	}
	/* what is pending is what the disk lacks, unless an earlier sync has lost it: then nobody writes it any more */
	while (s->n > 0) {
		struct write *w = &s->pending[0];

		image_put(&s->disk, w->offset, w->bytes, PAGE);
		free(w->bytes);
		memmove(s->pending, s->pending + 1, (size_t)--s->n * sizeof *w);
	}
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
	int failure = call(s, false, &is_short);

	s->directory_synced = failure == 0;
	return failure;
}

static int
sim_size(void *self, uint64_t *bytes)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, false, &is_short);

	*bytes = s->now.size;
	return failure;
}

static int
sim_lock(void *self)
{
	struct sim *s = self;
	bool is_short;
	int failure = call(s, false, &is_short);

	if (failure != 0)
		return failure;
	if (s->locked)
		return EAGAIN;
	s->locked = true;
	memset(s->unsynced, 0, sizeof s->unsynced);
	s->directory_synced = false;
	guard(s, &s->now, s->guard_now, true);
	memcpy(s->slot_before[0], s->now.bytes + 4096, PAGE);
	memcpy(s->slot_before[1], s->now.bytes + 8192, PAGE);
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
	int failure = call(s, false, &is_short);

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
	const uint8_t *a = s->now.bytes + 4096, *b = a + 4096, *slot = otr__get64(a + 504) + 1 > otr__get64(b + 504) + 1 ? a : b;

	if (version <= s->h.acked || version >= VERSIONS_MAX || otr__get64(slot + 24) != version) {
		complain(s, "a version number that is not new, or not the slot's", "");
		return;
	}
	if (s->newest_version == 0 && !s->directory_synced)
		complain(s, "M15: the first commit did not sync the directory", "");
	if ((int64_t)otr__get64(slot + 200) < s->h.horizon_ns || otr__get64(slot + 168) < s->h.oldest)
		complain(s, "horizon or oldest version went back", "");
	s->h.version[version] = rows;
	s->h.acked = version;
	s->h.horizon_ns = (int64_t)otr__get64(slot + 200);
	s->h.oldest = otr__get64(slot + 168);
	s->h.inflight = NULL;
}

static void
on_piece(void *arg, const struct otr_commit_result *r)
{
	struct sim *s = arg;
	const struct series *batch = s->h.batch, *whole = s->h.inflight;
	int n = (int)(r->added + r->replaced + r->skipped);

	if (n > batch->n) {
		complain(s, "a piece of more rows than there are", "");
		return;
	}
	s->h.base = joined(s->h.base, batch->t, batch->v, n);
	s->h.batch = in_order(batch->t + n, batch->v + n, batch->n - n);
	acknowledge(s, r->version, s->h.base);
	s->h.inflight = whole;
	/* the next piece is made under the same lock, from the state that this one left */
	guard(s, &s->now, s->guard_now, true);
	memcpy(s->slot_before[0], s->now.bytes + 4096, PAGE);
	memcpy(s->slot_before[1], s->now.bytes + 8192, PAGE);
}

/* One commit; the model follows.  OTR_OK, or the error of a call that was made to fail. */
static enum otr_status
commit(struct sim *s, struct otr_writer *w, const int64_t *t, const double *v, int n, struct otr_error *err)
{
	struct otr_commit_result r;
	enum otr_status status;
	int i, late = 0;

	for (i = 0; i < n; i++)
		late += t[i] < s->h.horizon_ns;
	s->h.base = newest(s);
	s->h.batch = s->pieces ? in_order(t, v, n) : NULL;
	s->h.inflight = joined(s->h.base, t, v, n);
	status = one_add(w, t, v, (size_t)n, err);
	if (status == OTR_OK)
		status = otr_writer_commit(w, &r, err);
	if (status == OTR_OK) {
		if (r.committed)
			acknowledge(s, r.version, s->h.inflight);
		else if (late == 0 && !s->retains && !s->pieces)
			complain(s, "no commit was made", "");
		s->h.inflight = NULL;
		cut(s, NULL);
	}
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
	static unsigned numbers;
	static char text[8000];
	struct otr_meta_change change = { .key = "note", .value = text };
	struct otr_change_result r;
	struct series *to = joined(newest(s), NULL, NULL, 0);
	enum otr_status status;

	to->meta = ++numbers;
	meta_text(to->meta, text, &change.value_bytes);
	s->h.inflight = to;
	s->h.batch = NULL;
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

/* Of a batch that is committed in pieces, the part that the file has: base and the first rows; NULL if it has none such. */
static const struct series *
part_of(struct otr *file, const struct history *h, int64_t horizon_ns)
{
	static int64_t t[100000];
	static double v[100000];
	long rows = one_read(file, t, v, 100000);
	int low = 0, high = h->batch->n;
	struct series *part;

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
		if (same_rows(file, part, horizon_ns))
			return part;
		high = part->n - from_horizon(part, horizon_ns);
		discard(part);
		if (high > rows)
			break;
	}
	return NULL;
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
check_verify(struct sim *s, struct image *m)
{
	char first[256] = "";
	struct otr_error err;
	uint64_t faults;

	if (otr__verify_io(reader_of(m), on_finding, first, &faults, &err) != OTR_OK)
		complain(s, "verify cannot", err.text);
	else if (first[0] != '\0')
		complain(s, "verify finds", first);
}

/* Opens m, finds a version of h in it and compares all it can read; *version is it, and h then knows it.  false: damaged, as it may be. */
static bool
check_image(struct sim *s, struct image *m, struct history *h, bool may_be_damaged, bool thorough, uint64_t *version)
{
	int64_t horizon;
	uint64_t oldest;
	struct otr *file;
	struct otr_error err;
	struct otr_info info;
	enum otr_status status = otr__open_io(reader_of(m), false, 0, &file, &err);
	bool damaged = status == OTR_E_CORRUPT && may_be_damaged, fallback;
	bool has_part = false;
	const struct series *want;
	char text[96];
	uint64_t i;
	size_t k;

	if (damaged) {
		unsigned long long named = UINT64_MAX;
		const char *at = strstr(err.text, "before it is ");

		if (at == NULL || sscanf(at, "before it is %llu", &named) != 1 || named < h->acked || named >= VERSIONS_MAX || h->version[named] == NULL)
			complain(s, "damaged, without the right version", err.text);
		status = otr__open_io(reader_of(m), true, named, &file, &err);
	}
	if (status != OTR_OK) {
		complain(s, "cannot be opened", err.text);
		*version = UINT64_MAX;
		return false;
	}
	for (k = 0; otr_notice(file, k, &fallback) != NULL; k++)
		if (fallback)
			complain(s, "fell back to an older version", otr_notice(file, k, NULL));
	otr_get_info(file, &info);
	*version = info.version;
	want = info.version < VERSIONS_MAX && h->version[info.version] != NULL ? h->version[info.version] :
	    h->unknown != NULL && h->unknown_version == info.version ? h->unknown : h->inflight;
	horizon = file->state.slot.horizon_ns;
	oldest = file->state.slot.oldest_version;
	if (want != NULL && want == h->inflight && h->batch != NULL && !same_rows(file, want, horizon)) {
		const struct series *part = part_of(file, h, horizon);

		has_part = part != NULL;
		if (has_part)
			want = h->inflight = part;
	}
	(void)snprintf(text, sizeof text, "version %llu, acknowledged %llu", (unsigned long long)info.version, (unsigned long long)h->acked);
	if (info.version < h->acked || (info.version > h->acked && want == NULL))
		complain(s, "the wrong version", text);
	else if (!same_rows(file, want, horizon) && !has_part)
		complain(s, "wrong rows", text);
	else if (!same_meta(file, want))
		complain(s, "wrong metadata", text);
	else if (horizon < h->horizon_ns || oldest < h->oldest || (info.version == h->acked && (horizon != h->horizon_ns || oldest != h->oldest)))
		complain(s, "wrong horizon or oldest version", text);
	for (i = 0; i < info.version && i < VERSIONS_MAX; i++) {
		if (h->version[i] == NULL || (!thorough && i + 1 < info.version && dice(info.version) > 2))
			continue;
		if (i < oldest) {
			if (otr_select_version(file, i, &err) != OTR_E_NOTFOUND)
				complain(s, "a version that was pruned is there", text);
			continue;
		}
		status = otr_select_version(file, i, &err);
		(void)snprintf(text, sizeof text, "version %llu of %llu", (unsigned long long)i, (unsigned long long)info.version);
		if (status != OTR_OK)
			complain(s, text, err.text);
		else if (!same_rows(file, h->version[i], horizon))
			complain(s, "wrong rows of an older version", text);
		else if (!same_meta(file, h->version[i]))
			complain(s, "wrong metadata of an older version", text);
	}
	if (!damaged) {
		h->horizon_ns = horizon;
		h->oldest = oldest;
	}
	otr_close(file);
	if (damaged)
		return false;
	if (thorough)
		check_verify(s, m);
	return true;
}

/* States seen: a set of hashes. */
#define SEEN (1u << 22)
static uint64_t *seen;

static bool
is_new(const struct image *m, uint64_t salt)
{
	uint64_t hash = 0x9e3779b97f4a7c15u ^ m->size ^ salt * 0xff51afd7ed558ccdu, word;
	size_t i;

	for (i = 0; i < m->size; i += 8) {
		memcpy(&word, m->bytes + i, 8);
		hash = (hash ^ word) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 29;
	}
	hash |= 1;
	for (i = (hash >> 8) % SEEN; seen[i] != 0; i = (i + 1) % SEEN)
		if (seen[i] == hash)
			return false;
	seen[i] = hash;
	return true;
}

/* Reader, then writer, then reader. */
static void
try_state(struct sim *from, struct image *m, bool may_be_damaged)
{
	struct sim *s;
	struct otr_error err;
	struct otr_writer *w;
	enum otr_status status;
	uint64_t version = 0, again;
	int mark = made_n;
	int64_t t[120];
	double v[120];
	int n = 1, i;
	bool readable, thorough = dice(8) == 0;

	tried++;
	if (states + compound >= SEEN / 2 || !is_new(m, from->h.acked))
		return;
	if (from->depth == 0)
		states++;
	else
		compound++;
	s = malloc(sizeof *s);
	sim_init(s);
	image_copy(&s->now, m);
	image_copy(&s->disk, m);
	s->depth = from->depth + 1;
	s->noisy = may_be_damaged;
	s->h = from->h;
	s->pieces = from->pieces;
	s->retains = from->retains;
	s->clock = from->clock;
	readable = check_image(s, m, &s->h, may_be_damaged, thorough, &version);
	if (version == UINT64_MAX || version >= VERSIONS_MAX)
		goto out;
	s->can_synced = dice(3) > 0;
	w = open_writer(s, "after the cut", &status, &err);
	if (!readable) {
		t[0] = 1;
		v[0] = 1;
		if (w != NULL) {
			status = one_add(w, t, v, 1, &err);
			if (status == OTR_OK)
				status = otr_writer_commit(w, &(struct otr_commit_result){ 0 }, &err);
		}
		if (status != OTR_E_CORRUPT)
			complain(s, "a damaged file was written to", "");
		otr_writer_close(w);
		goto out;
	}
	if (w == NULL) {
		complain(s, "no writer after the cut", err.text);
		goto out;
	}
	/* from here on what was found is what counts */
	if (version > s->h.acked && s->h.version[version] == NULL)
		s->h.version[version] = s->h.unknown != NULL && s->h.unknown_version == version ? s->h.unknown : s->h.inflight;
	s->h.unknown = NULL;
	for (i = 0; i < VERSIONS_MAX; i++)
		if ((uint64_t)i > version)
			s->h.version[i] = NULL;
	s->h.acked = version;
	s->cuts = from->depth == 0 && dice(6) == 0;
	s->per_cut = 5;
	if (dice(8) == 0)
		n = 40 + (int)dice(80);
	for (i = 0; i < n; i++) {
		const struct series *last = s->h.version[version];

		t[i] = last == NULL || last->n == 0 ? 10 * SECOND : last->t[last->n - 1] + (i + 1) * SECOND;
		if (n == 1 && dice(6) == 0)
			t[i] = (int64_t)dice(3000) * SECOND / 2;
		v[i] = (double)dice(1000000) / 7;
	}
	switch (from->changes && n == 1 ? dice(8) : 7) {
	case 0: status = delete_some(s, w, dice(4) == 0, &err); break;
	case 1: status = roll_back(s, w, &err); break;
	case 2: status = set_meta(s, w, NULL, &err); break;
	case 3: status = set_policies(s, w, &err); break;
	default: status = commit(s, w, t, v, n, &err); break;
	}
	otr_writer_close(w);
	if (status != OTR_OK)
		complain(s, "the commit after the cut fails", err.text);
	else
		(void)check_image(s, &s->now, &s->h, false, thorough, &again);
	if (s->handles != 0)
		complain(s, "a handle was not closed", "");
out:
	sim_free(s);
	free(s);
	forget(mark);
}

/* ---- workloads ----------------------------------------------------------------------------------------------------------- */

static struct image empty;

static bool
load_empty(void)
{
	const char *path = one_path("crash.otr");
	FILE *f;

	image_init(&empty);
	if (one_create(path, PAGE, OTR_REPLACE) != OTR_OK || (f = fopen(path, "rb")) == NULL)
		return false;
	empty.size = fread(empty.bytes, 1, ROOM, f);
	return fclose(f) == 0;
}

static struct sim *
begin(const char *name, bool can_synced)
{
	struct sim *s = malloc(sizeof *s);

	workload = name;
	sim_init(s);
	image_copy(&s->now, &empty);
	image_copy(&s->disk, &empty);
	s->can_synced = can_synced;
	s->h.version[0] = joined(NULL, NULL, NULL, 0);
	return s;
}

static void
end(struct sim *s)
{
	uint64_t version;

	(void)check_image(s, &s->now, &s->h, false, true, &version);
	if (s->handles != 0)
		complain(s, "a handle was not closed", "");
	sim_free(s);
	free(s);
	forget(0);
}

static const char note[] = "a message that fills the record area sooner, so that a few commits make a spill: it has a good two hundred bytes, of which none "
	"says anything that a reader would have to know, but all of which are kept, and checked, and carried along.";

enum kind { ORDER, NEAR, LATE, REPLACE, LARGE, LARGE_LATE, HUGE_ONE, DELETE, DELETE_ALL, ROLL_BACK, META, POLICIES, KINDS };
/* COMPACT GOES HERE: a letter of its own, and a workload of M1 that compacts in place under cuts. */

/* One commit of a kind, by w. */
static enum otr_status
make(struct sim *s, struct otr_writer *w, enum kind kind, struct otr_error *err)
{
	static int64_t t[5000];
	static double v[5000];
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
	return commit(s, w, t, v, n, err);
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
	}
	otr_writer_close(w);
	return status;
}

static void
run(const char *name, const char *kinds)
{
	int synced;

	for (synced = 0; synced < 2; synced++) {
		struct sim *s = begin(name, synced);
		struct otr_error err;

		s->cuts = true;
		if (play(s, kinds, &err) != OTR_OK)
			complain(s, "a commit fails", err.text);
		end(s);
	}
}

/* With policies from the start on, after `filled` huge commits without cuts; then with cuts, few of each. */
static void
run_changes(const char *name, const struct otr_policies *p, int filled, const char *kinds, unsigned cuts)
{
	int synced;

	for (synced = 0; synced < 2; synced++) {
		struct sim *s = begin(name, synced);
		struct otr_error err = { .text = "" };
		enum otr_status status;
		struct otr_writer *w = open_writer(s, note, &status, &err);

		s->changes = true;
		s->per_cut = cuts < per_cut ? cuts : per_cut;
		if (p != NULL && status == OTR_OK) {
			s->pieces = p->has_max_size;
			s->retains = p->has_retain;
			status = set_meta(s, w, p, &err);
		}
		for (; filled > 0 && status == OTR_OK; filled--)
			status = make(s, w, HUGE_ONE, &err);
		otr_writer_close(w);
		s->cuts = true;
		if (status == OTR_OK)
			status = play(s, kinds, &err);
		if (status != OTR_OK)
			complain(s, "a commit fails", err.text);
		end(s);
	}
}

static void
random_kinds(char *kinds, int n, bool writers)
{
	static const char choice[] = "oooonnnnlrrLMooonnooddDRRmmpp|SPH";
	int i;

	for (i = 0; i < n; i++)
		kinds[i] = choice[dice(writers ? sizeof choice - 1 : 20)];
	kinds[n] = '\0';
}

/* What a killed writer left visible becomes part of the history. */
static void
take_over(struct sim *s)
{
	struct otr *file;
	struct otr_error err;
	struct otr_info info;

	if (otr__open_io(reader_of(&s->now), false, 0, &file, &err) != OTR_OK) {
		complain(s, "cannot be opened after a kill", err.text);
		return;
	}
	otr_get_info(file, &info);
	otr_close(file);
	if (info.version > s->h.acked && info.version < VERSIONS_MAX)
		s->h.version[info.version] = s->h.inflight;
	s->h.inflight = NULL;
	s->after_failure = false;
}

/* M2: a writer is killed at its call number n, another goes on; false: it came to its end. */
static bool
killed(const char *before, const char *first, const char *second, int can, long n)
{
	struct sim *s = begin("killed writer", can & 1);
	struct otr_error err;
	bool was;

	if (play(s, before, &err) != OTR_OK)
		complain(s, "a commit fails", err.text);
	s->can_synced = can >> 1 & 1;
	s->kill_at = s->calls + n;
	was = play(s, first, &err) != OTR_OK;
	s->kill_at = 0;
	if (was) {
		take_over(s);
		s->can_synced = can >> 2 & 1;
		s->cuts = true;
		cut(s, NULL);
		if (play(s, second, &err) != OTR_OK)
			complain(s, "a commit after a kill fails", err.text);
	}
	end(s);
	return was;
}

/* M3 and M6: call n fails; false: there was no such call. */
static bool
failing(const char *before, const char *first, const char *second, int can, long n, enum fault fault, bool for_ever, bool keeps)
{
	struct sim *s = begin(keeps ? "failing call, cache keeps" : "failing call, cache reverts", can & 1);
	struct otr_error err = { .text = "" };
	enum otr_status status;
	const struct series *failed;
	bool met;

	if (play(s, before, &err) != OTR_OK)
		complain(s, "a commit fails", err.text);
	s->can_synced = can >> 1 & 1;
	s->fail_at = s->calls + n;
	s->fault = fault;
	s->for_ever = for_ever;
	s->keeps = keeps;
	status = play(s, first, &err);
	met = s->last_failed;
	s->fail_at = 0;
	failed_calls += met;
	if (status != OTR_OK) {
		uint64_t version;

		(void)check_image(s, &s->now, &s->h, false, true, &version);
		failed = s->h.inflight;
		take_over(s);
		s->can_synced = can >> 2 & 1;
		if (strstr(err.text, "unknown") != NULL) {
			const char *at = strstr(err.text, "version ");
			unsigned long long number;

			if (at != NULL && sscanf(at, "version %llu", &number) == 1 && s->h.version[number] == NULL) {
				s->h.unknown = failed;
				s->h.unknown_version = number;
			}
		}
		/* a disk that takes nothing any more, not even what is put back: then a later power cut may find both slots bad */
		s->cuts = !s->hopeless;
		s->per_cut = per_cut / 3 + 2;
		cut(s, NULL);
		if (play(s, second, &err) != OTR_OK)
			complain(s, "a commit after a failure fails", err.text);
	}
	end(s);
	return met;
}

int
main(void)
{
	static const char *const script[][3] = {
		{ "", "o", "oo" }, { "oooo", "o", "oLo" }, { "ooooo", "oooo", "ol" }, { "nnnnnn", "nnnn", "non" }, { "ooL", "L", "oo" },
		{ "oLlL", "l", "lo" }, { "oolol", "or", "ro" }, { "LlLlnnnnn", "nnM", "oMo" }, { "LMoLM", "H", "Ho" },
		{ "oLood", "dno", "do" }, { "oLdoo", "RoR", "Rd" }, { "omLm", "mop", "mR" }, { "ooLlop", "plnp", "op" },
	};
	const struct otr_policies by_size = { .has_max_size = true, .max_bytes = 16384 + 100 * PAGE, .history = OTR_HISTORY_FITS };
	const struct otr_policies by_size_0 = { .has_max_size = true, .max_bytes = 16384 + 100 * PAGE, .history = OTR_HISTORY_COUNT };
	const struct otr_policies by_age = { .has_retain = true, .retain_ns = 300 * SECOND };
	const struct otr_policies no_history = { .history = OTR_HISTORY_COUNT, .history_value = 1 };
	const struct otr_policies history_by_age = { .history = OTR_HISTORY_AGE, .history_value = 200 * SECOND };
	const char *env = getenv("SEED");
	unsigned long long shown = env == NULL ? 20240707 : strtoull(env, NULL, 10);
	int before, i, can;
	long n;

	seed = shown * 2 + 1;
	printf("# SEED=%llu\n", shown);
	env = getenv("STATES");
	if (env != NULL && strtoull(env, NULL, 10) > 0)
		states_wanted = strtoull(env, NULL, 10);
	per_cut = states_wanted / 400 > 400 ? 400 : (unsigned)(states_wanted / 400) + 5;
	seen = calloc(SEEN, sizeof *seen);
	if (seen == NULL || !load_empty())
		return 1;

	before = bad;
	run("first commit", "o");
	run("small commits in order", "oooooooooooooooooooooo");
	run("small commits, a little late", "nnnnnnnnnnnnnnnnnnnnnn");
	run("large commits", "LLHLL");
	run("late rows", "oLlLlollLM");
	run("replace the newest row", "orrrLrorrrrrr");
	run("large while rows ride", "ooLnnLooMnnl");
	run("two writers", "ooSooPoonSLPlSooooPnnnnSnn");
	CHECK(bad == before, "M1: after a power cut at any call the last acknowledged version or the next one is there, whole");

	before = bad;
	run_changes("deletions", NULL, 0, "oLdoodnDoodLdLMd", 20);
	run_changes("rollbacks", NULL, 0, "oLoodRoRnnRLlRDRR", 20);
	run_changes("metadata", NULL, 0, "omoonmRmnnnmLmmR", 20);
	run_changes("policies while rows ride", NULL, 0, "oopnnpoopLpoodpnnnpRp", 20);
	CHECK(bad == before, "M1: so it is with deletions, rollbacks, metadata and policies");

	before = bad;
	run_changes("expiry by size", &by_size, 8, "HoonHlMHdHRHmH", 4);
	run_changes("expiry by size, no history", &by_size_0, 8, "HlHlooMHdHRH", 4);
	run_changes("expiry by age", &by_age, 1, "MLoonLLlnLdLLRLpLLMpL", 15);
	run_changes("history pruned", &no_history, 0, "oLlLlndlLRlLmldlnnnlDLlmR", 15);
	run_changes("history pruned by age", &history_by_age, 0, "oLlLlndlLRlLmldlnnnlDLlmR", 15);
	CHECK(bad == before, "M1: and with expiry by size and by age, and history that is pruned");

	before = bad;
	for (can = 0; can < 8; can++)
		for (i = 0; i < (int)(sizeof script / sizeof script[0]); i++)
			for (n = 1 + (long)dice(2); killed(script[i][0], script[i][1], script[i][2], can, n); n += states_wanted > 50000 ? 1 : 1 + (long)dice(12))
				;
	CHECK(bad == before, "M2: and where a writer was killed, its writes unsynced, and another went on");

	before = bad;
	for (can = 0; can < 8; can++)
		for (i = 0; i < (int)(sizeof script / sizeof script[0]); i++)
			for (n = 1; failing(script[i][0], script[i][1], script[i][2], can, n, (enum fault)(1 + dice(3)), dice(2) == 0, dice(2) == 0);
			    n += states_wanted > 50000 ? 1 : 1 + (long)dice(8))
				;
	CHECK(bad == before, "M3, M6: a call that fails leaves the version before, or says that the state is unknown; the next append works");

	before = bad;
	for (i = 0; (i < 3 || states + compound < states_wanted) && bad == before; i++) {
		char kinds[32];

		random_kinds(kinds, 10 + (int)dice(18), true);
		run("random mixture", kinds);
	}
	CHECK(bad == before, "M1: random mixtures of commits");

	printf("# %llu states after one cut, %llu after a second one, %llu tried; %llu calls failed\n", states, compound, tried, failed_calls);
	free(seen);
	free(empty.bytes);
	one_clean();
	return tap_done();
}
