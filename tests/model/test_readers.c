/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_readers.c - readers beside a writer that uses pages again (testing.md M9; promises P7, P10; SPEC 10.4-5).
 *
 *	SEED=n ROUNDS=n test_readers [--round N]
 *
 * One file in memory, one writer, some readers that are stopped: between their calls, and at any of their reads, the writer makes commits, into a file with
 * max_size or retain or little history, so that what the readers look at goes.  What a reader gives must be rows of its version, in order, from its place on,
 * without a hole, and all of them; or it says OTR_E_EXPIRED, and that only where its version was pruned or rows of it have expired since.
 *
 * Rows expire out of all versions, so a run (a cursor, a query) may be one of the version as it was clipped at any horizon since the handle's: but it
 * is the same one from its first row to its last.  A *round* is a file with its readers; it can be repeated alone.
 */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>

#include "db.h"
#include "tap.h"
#include "verify.h"
#include "windows.h"
#include "writer.h"

#define PAGE 4096u
#define COLUMNS 3u
#define ROOM (8u << 20)
#define HANDLES 3
#define VERSIONS_MAX 4000
#define WRAP_BYTES (16384u + 96u * PAGE)          /* the smallest file with a size */
#define NOTES_MAX 40000

/* ---- the file ------------------------------------------------------------------------------------------------------------ */

static uint8_t *bytes_now;
static size_t size_now;
static bool locked;

struct round;
static void commits_meanwhile(struct round *x);

/* A backend: the writer's, or a reader's, at whose reads the writer may come in. */
struct backend {
	struct round *round;             /* NULL: the writer's */
};

static int
mem_read(void *self, uint64_t offset, void *to, size_t len, size_t *got)
{
	struct backend *b = self;

	if (b->round != NULL)
		commits_meanwhile(b->round);
	*got = offset >= size_now ? 0 : size_now - offset < len ? (size_t)(size_now - offset) : len;
	memcpy(to, bytes_now + offset, *got);
	return 0;
}

static int
mem_write(void *self, uint64_t offset, const void *from, size_t len)
{
	(void)self;
	if (offset + len > ROOM)
		return ENOSPC;
	memcpy(bytes_now + offset, from, len);
	if (size_now < offset + len)
		size_now = (size_t)offset + len;
	return 0;
}

static int
mem_write_synced(void *self, uint64_t offset, const void *from, size_t len, bool *synced)
{
	*synced = true;
	return mem_write(self, offset, from, len);
}

static bool
mem_can(void *self)
{
	(void)self;
	return true;
}

static int
mem_nothing(void *self)
{
	(void)self;
	return 0;
}

static int
mem_size(void *self, uint64_t *bytes)
{
	(void)self;
	*bytes = size_now;
	return 0;
}

static int
mem_lock(void *self)
{
	(void)self;
	if (locked)
		return EAGAIN;
	locked = true;
	return 0;
}

static void
mem_unlock(void *self)
{
	(void)self;
	locked = false;
}

static int
mem_current(void *self, bool *current)
{
	(void)self;
	*current = true;
	return 0;
}

static int64_t
mem_clock(void *self)
{
	(void)self;
	return clock_now_ns;
}

static int
mem_pause(void *self, int64_t ns)
{
	struct backend *b = self;

	(void)ns;
	if (b->round != NULL)
		commits_meanwhile(b->round);
	return 0;
}

static void
mem_close(void *self)
{
	free(self);
}

static struct otr_io
backend_of(struct round *round)
{
	struct backend *b = get(NULL, 1, sizeof *b);

	b->round = round;
	return (struct otr_io){ .self = b, .read = mem_read, .write = mem_write, .write_synced = mem_write_synced, .can_write_synced = mem_can,
		.sync = mem_nothing, .sync_directory = mem_nothing, .size = mem_size, .lock = mem_lock, .unlock = mem_unlock, .is_current = mem_current,
		.now_ns = mem_clock, .pause = mem_pause, .close = mem_close };
}

static uint64_t
load(const uint8_t *b, unsigned n)
{
	return n == 0 ? 0 : (uint64_t)b[0] | load(b + 1, n - 1) << 8;
}

/* ---- a round ------------------------------------------------------------------------------------------------------------- */

enum kind { WRAP, WRAP_LATE, WRAP_CHANGES, WRAP_SMALL, HISTORY_0, HISTORY_FEW, HISTORY_AGE, RETAIN, RETAIN_CHANGES, ALL_KEPT, KINDS };
static const char *const kind_names[] = { "max_size, in order", "max_size, late rows", "max_size, all changes", "max_size, small commits", "history 0, late rows",
	"history of a few, all changes", "history by age, all changes", "retain, late rows", "retain, history of a few, all changes", "all kept, all changes" };

/* What a reader may give: a version's rows as they were when its handle saw it. */
struct picture {
	struct view w;
	uint64_t version;
	size_t first_horizon;            /* index: horizons from here on may clip it */
};

enum run_kind { FORWARD, BACKWARD, WINDOWS };

/* A cursor or a query that is under way. */
struct run {
	bool open;
	enum run_kind kind;
	struct otr_cursor *cursor;
	struct otr_query *query;
	struct otr_window_spec spec;
	int64_t start_ns, end_ns;
	struct picture p;
	size_t lo, hi;                   /* rows of the picture in the range, clipped at the first horizon */
	size_t given;                    /* rows given */
	bool settled;                    /* the first row was given: from is known */
	size_t from;                     /* row that it began with */
	int64_t clip_ns;                 /* BACKWARD: none; WINDOWS: horizon in force, INT64_MIN: undecided */
	size_t clips, clip[VERSIONS_MAX];          /* WINDOWS: horizons (indexes) that all windows so far agree with */
	bool dead;
};

struct handle {
	struct otr *file;
	uint64_t version;
	size_t horizon;                  /* index of the horizon it may know, at the earliest */
	struct run run[2];
};

struct round {
	uint64_t seed, number;
	enum kind kind;
	struct rng r;
	struct series s;
	struct batch b, sorted;
	struct otr_writer *writer;
	struct handle h[HANDLES];
	int64_t next_ns;
	size_t horizons;                 /* all there were, and the version that brought each */
	size_t horizons_before;          /* of the commits that are settled */
	int64_t horizon[VERSIONS_MAX + 1];
	bool writing, verbose;
	unsigned meanwhile_permille, burst;
	unsigned commit_rows;
	/* what happened */
	uint64_t commits, runs, ended, expired, recovered, meanwhile, pages_written;
	int bad;
};

static uint64_t total_runs, total_ended, total_expired, total_commits, total_meanwhile, total_steps;

static void
complain(struct round *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
complain(struct round *x, const char *format, ...)
{
	va_list args;

	if (x->bad++ > 0)
		return;
	va_start(args, format);
	printf("# round %llu (%s): ", (unsigned long long)x->number, kind_names[x->kind]);
	vprintf(format, args);
	printf("\n# again: test_readers --round %llu\n", (unsigned long long)x->number);
	va_end(args);
}

static void
say(const struct round *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
say(const struct round *x, const char *format, ...)
{
	va_list args;

	if (!x->verbose)
		return;
	va_start(args, format);
	fputs("#   ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

/* ---- the writer ------------------------------------------------------------------------------------------------------------ */

/* What the newest slot says; rows that expired by the commit that it made are none of those that the model puts in. */
static const uint8_t *
newest_slot(struct round *x)
{
	const uint8_t *a = bytes_now + 4096, *b = bytes_now + 8192, *at = load(a + 504, 8) + 1 > load(b + 504, 8) + 1 ? a : b;
	int64_t horizon = (int64_t)load(at + 200, 8);

	if (horizon != x->s.horizon_ns) {
		x->s.horizon_ns = horizon;
		x->horizon[x->horizons++] = horizon;
	}
	return at;
}

static void
settle(struct round *x)
{
	const uint8_t *at = newest_slot(x);

	if (load(at + 24, 8) != newest(&x->s))
		complain(x, "the slot has version %llu, expected %llu", (unsigned long long)load(at + 24, 8), (unsigned long long)newest(&x->s));
	x->s.oldest = load(at + 168, 8);
	x->horizons_before = x->horizons;
	x->commits++;
	say(x, "version %llu, oldest %llu, horizon %lld", (unsigned long long)newest(&x->s), (unsigned long long)x->s.oldest, (long long)x->s.horizon_ns);
}

static size_t piece_done;

static struct batch
left_of_batch(const struct round *x)
{
	return (struct batch){ .n = x->sorted.n - piece_done, .columns = COLUMNS, .t = x->sorted.t + piece_done, .mask = x->sorted.mask + piece_done,
		.v = x->sorted.v + piece_done * COLUMNS };
}

static void
take(struct round *x, size_t n, const struct otr_commit_result *result, bool last)
{
	struct batch part = left_of_batch(x);
	bool changed;

	part.n = n;
	/* without a commit: rows that would be gone by it make none */
	if (result->version > newest(&x->s))
		(void)newest_slot(x);
	else
		part.n = 0;
	changed = series_apply(&x->s, &part, clock_now_ns, "", "").changed;
	/* rows that were to be added may be among those that made room for them */
	if (!changed && result->version == newest(&x->s) + 1 && x->horizons > x->horizons_before)
		changed = new_version(&x->s, OTR_KIND_APPEND, clock_now_ns, "", "") != NULL;
	if (result->version != newest(&x->s) || (!last && !changed))
		complain(x, "append: committed %d version %llu, expected %d %llu", result->committed, (unsigned long long)result->version, changed,
		    (unsigned long long)newest(&x->s));
	else if (changed)
		settle(x);
}

static void
on_piece(void *arg, const struct otr_commit_result *result)
{
	struct round *x = arg;
	struct batch left = left_of_batch(x);
	struct otr *file = NULL;
	struct otr_error err = { .text = "" };
	struct otr_commit commit = { .added = 0 };
	size_t n;

	(void)newest_slot(x);
	if (otr__open_io(backend_of(NULL), true, result->version, &file, &err) != OTR_OK || otr_commit_get(file, &commit, &err) != OTR_OK)
		complain(x, "a piece: %s", err.text);
	otr_close(file);
	n = series_prefix(&x->s, &left, commit.added);
	if (n > left.n) {
		complain(x, "a piece that added %llu rows of %zu", (unsigned long long)commit.added, left.n);
		return;
	}
	take(x, n, result, false);
	piece_done += n;
}

static void
append(struct round *x, size_t n, bool late)
{
	struct rng *r = &x->r;
	struct otr_commit_result result;
	struct otr_error err = { .text = "" };
	struct otr_rows rows = { .n = n, .time_ns = NULL };
	uint64_t *values = get(NULL, n * COLUMNS, sizeof *values);
	enum otr_status status;
	size_t i;
	uint32_t c;

	batch_reserve(&x->b, COLUMNS, n);
	x->b.n = n;
	for (i = 0; i < n; i++) {
		x->next_ns += 1 + (int64_t)below(r, 2000000000);
		x->b.t[i] = late && chance(r, 10) ? x->next_ns - (int64_t)below(r, chance(r, 80) ? 100000000000 : 20000000000000) : x->next_ns;
		x->b.mask[i] = 7;
		for (c = 0; c < COLUMNS; c++)
			values[c * n + i] = x->b.v[i * COLUMNS + c] = c == 1 ? bits_of((double)(int64_t)rnd(r)) : rnd(r) >> (c == 2 ? 40 : 0);
	}
	rows.time_ns = x->b.t;
	for (c = 0; c < COLUMNS; c++)
		rows.value[c] = values + c * n;
	clock_now_ns += 1000000000;
	batch_sorted(&x->sorted, &x->b);
	piece_done = 0;
	status = otr_writer_add(x->writer, &rows, &err);
	if (status == OTR_OK)
		status = otr_writer_commit(x->writer, &result, &err);
	if (status != OTR_OK)
		complain(x, "append of %zu rows after version %llu: %s", n, (unsigned long long)newest(&x->s), err.text);
	else
		take(x, n - piece_done, &result, true);
	free(values);
}

static void
change(struct round *x)
{
	struct rng *r = &x->r;
	struct otr_change_result result;
	struct otr_error err = { .text = "" };
	enum otr_status status;
	const struct view *w = view_at(&x->s, newest(&x->s));
	bool changed = true;
	size_t horizons = x->horizons;

	clock_now_ns += 1000000000;
	if (chance(r, 50)) {
		struct otr_delete_spec spec = { .start_ns = INT64_MIN };
		size_t lo = lower(w, x->s.horizon_ns), at;

		if (w->n == lo)
			return;
		at = lo + (size_t)below(r, w->n - lo);
		spec.start_ns = w->t[at];
		at += 1 + (size_t)below(r, 200);
		spec.end_ns = at < w->n ? w->t[at] : INT64_MAX;
		status = otr_writer_delete(x->writer, &spec, &result, &err);
		if (status == OTR_OK && result.committed)
			(void)newest_slot(x);
		if (status == OTR_OK)
			changed = series_delete(&x->s, spec.start_ns, spec.end_ns, NULL, NULL, UINT64_MAX, clock_now_ns, "", "") > 0;
		if (status == OTR_OK && result.committed && !changed && x->horizons > horizons)
			changed = new_version(&x->s, OTR_KIND_DELETE, clock_now_ns, "", "") != NULL;
	} else if (chance(r, 60)) {
		uint64_t version = x->s.oldest + below(r, newest(&x->s) - x->s.oldest + 1);

		status = otr_writer_rollback(x->writer, version, &result, &err);
		if (status == OTR_OK)
			(void)newest_slot(x);
		if (status == OTR_OK)
			series_rollback(&x->s, version, clock_now_ns, "", "");
	} else {
		static char value[6000];
		struct otr_meta_change change = { .key = "note", .value = value, .value_bytes = (size_t)below(r, sizeof value) };
		size_t set;

		memset(value, (int)('a' + below(r, 26)), sizeof value);
		status = otr_writer_set_meta(x->writer, &change, 1, NULL, &result, &err);
		set = series_meta_set(&x->s, x->s.version[newest(&x->s)].meta, &change, 1);
		changed = set != x->s.version[newest(&x->s)].meta;
		if (status == OTR_OK && changed)
			new_version(&x->s, OTR_KIND_META, clock_now_ns, "", "")->meta = set;
	}
	if (status != OTR_OK)
		complain(x, "a change after version %llu: %s", (unsigned long long)newest(&x->s), err.text);
	else if (result.committed != changed || result.version != newest(&x->s))
		complain(x, "a change: committed %d version %llu, expected %d %llu", result.committed, (unsigned long long)result.version, changed,
		    (unsigned long long)newest(&x->s));
	else if (changed)
		settle(x);
}

static void
write_some(struct round *x, unsigned n)
{
	bool late = x->kind == WRAP_LATE || x->kind == HISTORY_0 || x->kind == RETAIN, changes = x->kind == WRAP_CHANGES || x->kind == HISTORY_FEW ||
	    x->kind == HISTORY_AGE || x->kind == RETAIN_CHANGES || x->kind == ALL_KEPT;

	x->writing = true;
	while (n-- > 0 && x->bad == 0 && x->s.versions + 64 < VERSIONS_MAX && size_now < ROOM / 8 * 7) {
		if (changes && chance(&x->r, 25))
			change(x);
		else
			append(x, x->kind == WRAP_SMALL || chance(&x->r, 30) ? 1 + (size_t)below(&x->r, 4) : 1 + (size_t)below(&x->r, x->commit_rows), late || (changes && chance(&x->r, 20)));
	}
	x->writing = false;
}

/* At a read of a reader. */
static void
commits_meanwhile(struct round *x)
{
	if (x->writing || x->meanwhile_permille == 0 || below(&x->r, 1000) >= x->meanwhile_permille)
		return;
	x->meanwhile++;
	write_some(x, 1 + (unsigned)below(&x->r, x->burst));
}

/* ---- what a reader may give -------------------------------------------------------------------------------------------------- */

static void
picture_release(struct picture *p)
{
	free(p->w.t);
	free(p->w.mask);
	free(p->w.at);
	memset(p, 0, sizeof *p);
}

static void
take_picture(struct round *x, const struct handle *h, struct picture *p)
{
	const struct view *w = view_at(&x->s, h->version);
	size_t lo = lower(w, x->horizon[h->horizon]);

	picture_release(p);
	p->version = h->version;
	p->first_horizon = h->horizon;
	p->w.n = w->n - lo;
	p->w.t = get(NULL, p->w.n, sizeof p->w.t[0]);
	p->w.mask = get(NULL, p->w.n, sizeof p->w.mask[0]);
	p->w.at = get(NULL, p->w.n, sizeof p->w.at[0]);
	memcpy(p->w.t, w->t + lo, p->w.n * sizeof p->w.t[0]);
	memcpy(p->w.mask, w->mask + lo, p->w.n * sizeof p->w.mask[0]);
	memcpy(p->w.at, w->at + lo, p->w.n * sizeof p->w.at[0]);
}

/* Whether OTR_E_EXPIRED is right for what began with the version at that horizon. */
static bool
may_expire(const struct round *x, uint64_t version, size_t horizon)
{
	return version < x->s.oldest || x->horizon[horizon] != x->s.horizon_ns;
}

static bool
expired(struct round *x, const char *call, enum otr_status status, const struct otr_error *err, uint64_t version, size_t horizon)
{
	if (status != OTR_E_EXPIRED)
		complain(x, "%s: version %llu (oldest %llu, newest %llu): status %d (%s): %s", call, (unsigned long long)version, (unsigned long long)x->s.oldest,
		    (unsigned long long)newest(&x->s), status, otr_status_text(status), err->text);
	else if (!may_expire(x, version, horizon))
		complain(x, "%s: version %llu is kept (oldest %llu, newest %llu), nothing has expired, and the answer is: %s", call, (unsigned long long)version,
		    (unsigned long long)x->s.oldest, (unsigned long long)newest(&x->s), err->text);
	return status == OTR_E_EXPIRED;
}

static void
end_run(struct run *run)
{
	if (run->open && run->kind == WINDOWS)
		otr_query_close(run->query);
	else if (run->open)
		otr_cursor_close(run->cursor);
	picture_release(&run->p);
	memset(run, 0, sizeof *run);
}

static void
close_handle(struct handle *h)
{
	end_run(&h->run[0]);
	end_run(&h->run[1]);
	otr_close(h->file);
	memset(h, 0, sizeof *h);
}

/* The first horizon that a state of this version or a later one has. */
static size_t
horizon_index(const struct round *x)
{
	return x->horizons - 1;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------------- */

static bool
after_open(struct round *x, struct handle *h, const char *call, size_t horizon_before)
{
	struct otr_info info;
	bool fallback = false;

	if (otr_notice(h->file, 0, &fallback) != NULL)
		complain(x, "%s: a notice: %s", call, otr_notice(h->file, 0, NULL));
	otr_get_info(h->file, &info);
	h->version = info.version;
	if (info.version >= x->s.versions) {
		complain(x, "%s: version %llu of %llu", call, (unsigned long long)info.version, (unsigned long long)newest(&x->s));
		return false;
	}
	h->horizon = horizon_before;
	return true;
}

static void
open_handle(struct round *x, struct handle *h)
{
	struct rng *r = &x->r;
	struct otr_error err = { .text = "" };
	size_t horizon = horizon_index(x);
	uint64_t least = newest(&x->s), version = least;
	bool at = chance(r, 40);
	enum otr_status status;

	if (at)
		version = x->s.oldest + below(r, newest(&x->s) - x->s.oldest + 1);
	status = otr__open_io(backend_of(x), at, version, &h->file, &err);
	if (status != OTR_OK) {
		h->file = NULL;
		if (at && status == OTR_E_NOTFOUND && version < x->s.oldest)
			return;
		(void)expired(x, at ? "otr_open_at" : "otr_open", status, &err, version, horizon);
		return;
	}
	if (!after_open(x, h, "open", horizon))
		return;
	if (at ? h->version != version : h->version < least)
		complain(x, "open: version %llu, asked for %llu", (unsigned long long)h->version, (unsigned long long)version);
	say(x, "handle %d opened at version %llu", (int)(h - x->h), (unsigned long long)h->version);
}

static void
move_handle(struct round *x, struct handle *h)
{
	struct rng *r = &x->r;
	struct otr_error err = { .text = "" };
	size_t horizon = horizon_index(x);
	uint64_t version = newest(&x->s);
	enum otr_status status;

	if (chance(r, 50)) {
		status = otr_refresh(h->file, &err);
		if (status == OTR_OK) {
			if (after_open(x, h, "otr_refresh", horizon) && h->version < version)
				complain(x, "otr_refresh: version %llu, it was %llu before", (unsigned long long)h->version, (unsigned long long)version);
		} else {
			(void)expired(x, "otr_refresh", status, &err, version, horizon);
		}
		return;
	}
	/* the handle may not know yet which versions there are */
	version = x->s.oldest + below(r, newest(&x->s) - x->s.oldest + 1);
	horizon = h->horizon;
	status = otr_select_version(h->file, version, &err);
	if (status == OTR_OK) {
		if (after_open(x, h, "otr_select_version", horizon) && h->version != version)
			complain(x, "otr_select_version: version %llu, asked for %llu", (unsigned long long)h->version, (unsigned long long)version);
	} else if (status != OTR_E_NOTFOUND) {
		(void)expired(x, "otr_select_version", status, &err, version, horizon);
	}
}

/* ---- runs ------------------------------------------------------------------------------------------------------------------- */

static void
open_run(struct round *x, struct handle *h, struct run *run)
{
	struct rng *r = &x->r;
	struct otr_error err = { .text = "" };
	enum otr_status status;
	size_t i, n;

	end_run(run);
	take_picture(x, h, &run->p);
	n = run->p.w.n;
	run->kind = (enum run_kind)below(r, 3);
	run->start_ns = chance(r, 60) || n == 0 ? INT64_MIN : run->p.w.t[below(r, n)];
	run->end_ns = chance(r, 60) || n == 0 ? INT64_MAX : run->p.w.t[below(r, n)];
	if (run->start_ns > run->end_ns)
		run->start_ns = INT64_MIN;
	run->lo = lower(&run->p.w, run->start_ns);
	run->hi = run->end_ns == INT64_MAX ? n : lower(&run->p.w, run->end_ns);
	run->from = run->lo;
	say(x, "handle %d: %s of version %llu, rows %zu..%zu", (int)(h - x->h), (const char *const[]){ "rows", "rows backwards", "windows" }[run->kind],
	    (unsigned long long)h->version, run->lo, run->hi);
	if (run->kind == WINDOWS) {
		run->spec = (struct otr_window_spec){ .kind = OTR_WINDOW_FIXED, .start_ns = run->start_ns, .end_ns = run->end_ns, .columns = 7,
			.width_ns = 1 + below(r, chance(r, 50) ? 20000000000 : 2000000000000), .want = (unsigned)below(r, 8) << 1 };
		status = otr_query_open(h->file, &run->spec, &run->query, &err);
	} else {
		status = otr_cursor_open(h->file, run->start_ns, run->end_ns, 7, run->kind == BACKWARD, &run->cursor, &err);
	}
	x->runs++;
	if (status != OTR_OK) {
		if (expired(x, "opening a run", status, &err, h->version, h->horizon))
			x->expired++;
		picture_release(&run->p);
		memset(run, 0, sizeof *run);
		return;
	}
	/* horizons that came meanwhile are among those that count */
	for (i = run->p.first_horizon; i < x->horizons && run->clips < VERSIONS_MAX; i++)
		run->clip[run->clips++] = i;
	run->open = true;
}

/* A horizon that has come since: the rows of the picture that it left. */
static size_t
clipped(const struct round *x, const struct run *run, size_t horizon)
{
	size_t i = lower(&run->p.w, x->horizon[horizon]);

	return i > run->lo ? i : run->lo;
}

static bool
same_as_row(struct round *x, const struct run *run, const struct otr_rows *rows, size_t k, size_t i)
{
	const struct view *w = &run->p.w;
	uint32_t c;

	if (rows->time_ns[k] != w->t[i])
		return false;
	for (c = 0; c < COLUMNS; c++)
		if (rows->value[c][k] != value_at(&x->s, w, i, c) || (rows->present[c] != NULL && (rows->present[c][k / 8] >> k % 8 & 1) == 0))
			return false;
	return true;
}

static void
check_batch(struct round *x, struct run *run, const struct otr_rows *rows)
{
	size_t k, h, i;

	if (!run->settled && run->kind == FORWARD) {
		/* it may begin at any horizon that has come since */
		for (h = run->p.first_horizon; h < x->horizons; h++) {
			run->from = clipped(x, run, h);
			if (run->from < run->hi && run->p.w.t[run->from] == rows->time_ns[0])
				break;
		}
		if (h == x->horizons) {
			complain(x, "version %llu: the first row is %lld, and was to be %lld", (unsigned long long)run->p.version, (long long)rows->time_ns[0],
			    run->lo < run->hi ? (long long)run->p.w.t[run->lo] : 0);
			return;
		}
		run->settled = true;
	}
	for (k = 0; k < rows->n; k++) {
		if (run->given >= run->hi - run->from) {
			complain(x, "version %llu: more rows than %zu, time %lld", (unsigned long long)run->p.version, run->given, (long long)rows->time_ns[k]);
			return;
		}
		i = run->kind == FORWARD ? run->from + run->given : run->hi - 1 - run->given;
		if (!same_as_row(x, run, rows, k, i)) {
			complain(x, "version %llu%s: row %zu of %zu..%zu: got time %lld value %llx, expected %lld %llx (horizon then %lld, now %lld)",
			    (unsigned long long)run->p.version, run->kind == BACKWARD ? " backwards" : "", i, run->lo, run->hi, (long long)rows->time_ns[k],
			    (unsigned long long)rows->value[0][k], (long long)run->p.w.t[i], (unsigned long long)value_at(&x->s, &run->p.w, i, 0),
			    (long long)x->horizon[run->p.first_horizon], (long long)x->s.horizon_ns);
			return;
		}
		run->given++;
	}
}

static void
check_end(struct round *x, struct run *run)
{
	size_t h, left;

	if (run->given == run->hi - run->from)
		return;
	/* none, or no more, since all others have expired */
	for (h = run->p.first_horizon; h < x->horizons; h++) {
		left = clipped(x, run, h);
		left = left < run->hi ? run->hi - left : 0;
		if (run->kind == FORWARD ? left == 0 && !run->settled : left == run->given)
			return;
	}
	complain(x, "version %llu%s: the end after %zu of %zu rows", (unsigned long long)run->p.version, run->kind == BACKWARD ? " backwards" : "", run->given,
	    run->hi - run->from);
}

/* The window that comes after `given` rows of the picture clipped at a horizon; false: none is left, or it is not this one. */
static bool
window_fits(struct round *x, struct run *run, size_t h, const struct otr_window *got)
{
	size_t from = clipped(x, run, h), lo = from > run->given ? from : run->given, hi, gone = lower(&run->p.w, x->horizon[h]);
	struct view w = run->p.w;
	int64_t start, end, a, b;

	if (lo >= run->hi)
		return got == NULL;
	if (got == NULL)
		return false;
	fixed_window(w.t[lo], 0, run->spec.width_ns, &start, &end);
	a = start > run->start_ns ? start : run->start_ns;
	b = end < run->end_ns ? end : run->end_ns;
	hi = b == INT64_MAX ? w.n : lower(&w, b);
	/* the rows before the horizon do not exist, those before the range do */
	w.t += gone;
	w.mask += gone;
	w.at += gone;
	w.n -= gone;
	return check_window(&x->s, &w, &run->spec, got, start, lo - gone, hi - gone, a, b);
}

static void
check_next_window(struct round *x, struct run *run, const struct otr_window *got)
{
	size_t i, k = 0, h = run->clips > 0 ? run->clip[run->clips - 1] + 1 : x->horizons;

	/* until the first window is given, newer horizons count too */
	if (!run->settled)
		for (; h < x->horizons && run->clips < VERSIONS_MAX; h++)
			run->clip[run->clips++] = h;
	failure[0] = '\0';
	for (i = 0; i < run->clips; i++)
		if (window_fits(x, run, run->clip[i], got))
			run->clip[k++] = run->clip[i];
	if (k == 0 && run->clips < VERSIONS_MAX) {
		complain(x, "windows of version %llu after %zu rows (%s): %s", (unsigned long long)run->p.version, run->given, got == NULL ? "end" : "window", failure);
		return;
	}
	run->clips = k;
	run->settled = true;
	if (got != NULL) {
		int64_t start, end;

		fixed_window(got->start_ns, 0, run->spec.width_ns, &start, &end);
		run->given = end == INT64_MAX || end > run->end_ns ? run->hi : lower(&run->p.w, end);
	}
}

static void
step_run(struct round *x, struct run *run)
{
	struct otr_error err = { .text = "" };
	struct otr_rows rows;
	struct otr_window window;
	enum otr_status status = run->kind == WINDOWS ? otr_query_next(run->query, &window, &err) : otr_cursor_next(run->cursor, &rows, &err);

	total_steps++;
	if (run->dead) {
		if (status != OTR_E_EXPIRED)
			complain(x, "after OTR_E_EXPIRED: status %d", status);
		end_run(run);
		return;
	}
	if (status == OTR_OK) {
		if (run->kind == WINDOWS)
			check_next_window(x, run, &window);
		else
			check_batch(x, run, &rows);
	} else if (status == OTR_END) {
		if (run->kind == WINDOWS)
			check_next_window(x, run, NULL);
		else
			check_end(x, run);
		x->ended++;
		end_run(run);
	} else if (expired(x, run->kind == WINDOWS ? "otr_query_next" : "otr_cursor_next", status, &err, run->p.version, run->p.first_horizon)) {
		x->expired++;
		run->dead = true;
	}
}

/* What the handle says of its version, from the log and the metadata. */
static void
ask(struct round *x, struct handle *h)
{
	struct otr_error err = { .text = "" };
	struct otr_commit commit;
	struct otr_meta meta;
	const struct version *v;
	const struct meta_set *set;
	enum otr_status status;

	/* what is pruned meanwhile may be *pruned* or *expired*; the model's arrays may have moved after each call */
	status = otr_commit_get(h->file, &commit, &err);
	v = &x->s.version[h->version];
	if (status == OTR_OK) {
		if (commit.version != h->version || commit.time_ns != v->time_ns || commit.kind != v->kind || commit.added != v->added || commit.removed != v->removed)
			complain(x, "the record of version %llu: version %llu time %lld kind %d", (unsigned long long)h->version, (unsigned long long)commit.version,
			    (long long)commit.time_ns, commit.kind);
	} else if (!(status == OTR_E_NOTFOUND && h->version < x->s.oldest)) {
		(void)expired(x, "otr_commit_get", status, &err, h->version, h->horizon);
	}
	status = otr_meta_entry(h->file, 0, &meta, &err);
	set = &x->s.meta[x->s.version[h->version].meta];
	if (status == OTR_OK || status == OTR_END) {
		if ((status == OTR_OK) != (set->n > 0) || (status == OTR_OK && (meta.value_bytes != set->entry[0].bytes ||
		    memcmp(meta.value, set->entry[0].value, meta.value_bytes) != 0)))
			complain(x, "the metadata of version %llu differ", (unsigned long long)h->version);
	} else {
		(void)expired(x, "otr_meta_entry", status, &err, h->version, h->horizon);
	}
}

/* The log, newest first, as otr-log lists it. */
static void
list_log(struct round *x, struct handle *h)
{
	struct otr_error err = { .text = "" };
	struct otr_commit commit;
	uint64_t v = h->version, most = 1 + below(&x->r, 60);
	enum otr_status status = OTR_OK;

	for (; most-- > 0 && x->bad == 0; v--) {
		status = otr_select_version(h->file, v, &err);
		if (status == OTR_OK)
			status = otr_commit_get(h->file, &commit, &err);
		if (status != OTR_OK)
			break;
		if (commit.version != v || commit.time_ns != x->s.version[v].time_ns || commit.kind != x->s.version[v].kind)
			complain(x, "the log: version %llu has the record of %llu", (unsigned long long)v, (unsigned long long)commit.version);
		if (v == 0)
			break;
	}
	if (status == OTR_E_NOTFOUND ? v >= x->s.oldest : status != OTR_OK)
		(void)expired(x, "listing the log", status, &err, v, h->horizon);
	close_handle(h);
}

static void
found_fault(void *arg, const struct otr_finding *f)
{
	char *text = arg;

	if (!f->note && text[0] == '\0')
		snprintf(text, 300, "place %d number %llu: %s (SPEC %s)", f->place, (unsigned long long)f->number, f->text, f->spec);
}

static void
verify(struct round *x, bool beside)
{
	char text[300] = "";
	uint64_t faults = 0;
	struct otr_error err = { .text = "" };
	enum otr_status status = otr__verify_io(backend_of(beside ? x : NULL), &(struct otr_verify_options){ .found = found_fault, .arg = text }, &faults, &err);

	if (status == OTR_E_EXPIRED && beside)
		return;
	if (status != OTR_OK)
		complain(x, "verify%s: %s", beside ? " beside a writer" : "", err.text);
	else if (faults != 0)
		complain(x, "verify%s after version %llu: %s", beside ? " beside a writer" : "", (unsigned long long)newest(&x->s), text);
}

/* ---- rounds ----------------------------------------------------------------------------------------------------------------- */

static char path[600];

static bool
create(struct round *x)
{
	static struct otr_schema schema;
	struct otr_create_options options = { .policies.duplicates = chance(&x->r, 70) ? OTR_REPLACE : OTR_KEEP };
	struct otr_policies *p = &options.policies;
	struct otr_writer_options w = { .wait_ns = 0, .piece = on_piece, .arg = x };
	struct otr_io io;
	struct otr_error err = { .text = "" };
	uint32_t c;
	FILE *f;

	memset(&schema, 0, sizeof schema);
	schema.columns = COLUMNS;
	schema.page_bytes = PAGE;
	for (c = 0; c < COLUMNS; c++) {
		snprintf(schema.column[c].name, sizeof schema.column[c].name, "v%u", c);
		schema.column[c].type = c == 1 ? OTR_F64 : OTR_I64;
	}
	switch (x->kind) {
	case WRAP: case WRAP_LATE: case WRAP_CHANGES: case WRAP_SMALL:
		p->has_max_size = true;
		p->max_bytes = WRAP_BYTES + PAGE * below(&x->r, 30);
		p->history = chance(&x->r, 60) ? OTR_HISTORY_FITS : OTR_HISTORY_COUNT;
		p->history_value = p->history == OTR_HISTORY_COUNT ? below(&x->r, 10) : 0;
		break;
	case HISTORY_0:
		p->history = OTR_HISTORY_COUNT;
		break;
	case RETAIN_CHANGES: case HISTORY_FEW:
		p->history = OTR_HISTORY_COUNT;
		p->history_value = 1 + below(&x->r, 6);
		break;
	case HISTORY_AGE:
		p->history = OTR_HISTORY_AGE;
		p->history_value = 1000000000 * (1 + below(&x->r, 20));
		break;
	case RETAIN: case ALL_KEPT: case KINDS:
		break;
	}
	if (x->kind == RETAIN || x->kind == RETAIN_CHANGES) {
		p->has_retain = true;
		p->retain_ns = 1000000000 * (1 + below(&x->r, 4000));
	}
	(void)unlink(path);
	if (otr_create(path, &schema, &options, &err) != OTR_OK || (f = fopen(path, "rb")) == NULL) {
		complain(x, "otr_create: %s", err.text);
		return false;
	}
	memset(bytes_now, 0, size_now);
	size_now = fread(bytes_now, 1, ROOM, f);
	fclose(f);
	locked = false;
	series_init(&x->s, &schema, p, clock_now_ns);
	x->horizon[0] = INT64_MIN;
	x->horizons = 1;
	x->next_ns = INT64_C(1600000000000000000);
	io = backend_of(NULL);
	if (otr__writer_open_io(&io, &w, &x->writer, &err) != OTR_OK) {
		complain(x, "the writer: %s", err.text);
		return false;
	}
	return true;
}

static int
run_round(uint64_t number, bool verbose)
{
	struct round *x = get(NULL, 1, sizeof *x);
	unsigned steps, fill, i;
	int bad;

	memset(x, 0, sizeof *x);
	x->number = number;
	x->r.s = number;
	x->kind = (enum kind)below(&x->r, KINDS);
	x->verbose = verbose;
	x->commit_rows = 1 + (unsigned)below(&x->r, chance(&x->r, 50) ? 40 : 900);
	x->burst = 1 + (unsigned)below(&x->r, chance(&x->r, 50) ? 3 : 40);
	clock_now_ns = INT64_C(1750000000000000000);
	if (verbose)
		printf("#   round %llu: %s\n", (unsigned long long)number, kind_names[x->kind]);
	if (create(x)) {
		fill = 5 + (unsigned)below(&x->r, 60);
		write_some(x, fill);
		steps = 40 + (unsigned)below(&x->r, 60);
		/* at each read, or only between the calls */
		x->meanwhile_permille = chance(&x->r, 30) ? 0 : 1 + (unsigned)below(&x->r, chance(&x->r, 50) ? 20 : 200);
		for (i = 0; i < steps && x->bad == 0; i++) {
			struct handle *h = &x->h[below(&x->r, HANDLES)];
			struct run *run = &h->run[below(&x->r, 2)];
			unsigned what = (unsigned)below(&x->r, 100);

			if (h->file == NULL)
				open_handle(x, h);
			else if (what < 15)
				write_some(x, 1 + (unsigned)below(&x->r, x->burst));
			else if (what < 18)
				close_handle(h);
			else if (what < 22)
				ask(x, h);
			else if (what < 26 && !h->run[0].open && !h->run[1].open)
				move_handle(x, h);
			else if (what < 27)
				list_log(x, h);
			else if (what < 28)
				verify(x, true);
			else if (!run->open)
				open_run(x, h, run);
			else
				step_run(x, run);
		}
		/* to the end, the writer going on */
		for (i = 0; i < HANDLES * 2 * 200 && x->bad == 0; i++) {
			struct run *run = &x->h[i / 400].run[i / 200 % 2];

			if (run->open)
				step_run(x, run);
		}
		x->meanwhile_permille = 0;
		for (i = 0; i < HANDLES; i++)
			close_handle(&x->h[i]);
		if (x->bad == 0)
			verify(x, false);
	}
	otr_writer_close(x->writer);
	total_runs += x->runs;
	total_ended += x->ended;
	total_expired += x->expired;
	total_commits += x->commits;
	total_meanwhile += x->meanwhile;
	bad = x->bad;
	for (i = 0; i < HANDLES; i++)
		close_handle(&x->h[i]);
	if (x->s.version != NULL)
		series_release(&x->s);
	batch_release(&x->b);
	batch_release(&x->sorted);
	free(x);
	return bad;
}

int
main(int argc, char **argv)
{
	uint64_t seed = 1, rounds = 150, round = 0, i;
	const char *tmp = tap_folder(), *text;
	char directory[512];
	double start = wall_seconds();
	struct rng r;
	int bad = 0, k;

	if ((text = getenv("SEED")) != NULL && *text != '\0')
		seed = strtoull(text, NULL, 10);
	if ((text = getenv("ROUNDS")) != NULL && *text != '\0')
		rounds = strtoull(text, NULL, 10);
	for (k = 1; k < argc; k++) {
		if (strncmp(argv[k], "SEED=", 5) == 0)
			seed = strtoull(argv[k] + 5, NULL, 10);
		else if (strncmp(argv[k], "ROUNDS=", 7) == 0)
			rounds = strtoull(argv[k] + 7, NULL, 10);
		else if (strcmp(argv[k], "--round") == 0 && k + 1 < argc)
			round = strtoull(argv[++k], NULL, 10);
		else
			return fprintf(stderr, "usage: test_readers [SEED=n] [ROUNDS=n] [--round N]\n"), 2;
	}
	snprintf(directory, sizeof directory, "%s/otr-readers-XXXXXX", tmp);
	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return 2;
	}
	snprintf(path, sizeof path, "%s/a.otr", directory);
	bytes_now = get(NULL, ROOM, 1);
	size_now = ROOM;
	r.s = seed;
	printf("# SEED=%llu ROUNDS=%llu\n", (unsigned long long)seed, (unsigned long long)rounds);
	fflush(stdout);
	if (round != 0)
		bad += run_round(round, true);
	else
		for (i = 0; i < rounds && bad < 5; i++) {
			bad += run_round(rnd(&r) >> 1, false) > 0;
			fflush(stdout);
		}
	printf("# %llu commits, %llu times at a read; %llu cursors and queries in %llu steps, %llu to the end, %llu expired; %.1f s\n",
	    (unsigned long long)total_commits, (unsigned long long)total_meanwhile, (unsigned long long)total_runs, (unsigned long long)total_steps,
	    (unsigned long long)total_ended, (unsigned long long)total_expired, wall_seconds() - start);
	CHECK(bad == 0, "10.4-5: a reader beside a writer that uses pages again gives the rows of its version, or says that they have expired");
	free(bytes_now);
	(void)unlink(path);
	(void)rmdir(directory);
	return tap_done();
}
