/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_schedules.c - writers, readers, a compaction and a copy of one file, under schedules that are enumerated and drawn (testing.md M9; P7, P8; SPEC 10.2, 10.4).
 *
 *	SEED=n SCHEDULES=n test_schedules [--scenario NAME [--schedule TEXT]]
 *
 * test_readers.c lets whole commits come in at a reader's calls, in files of many kinds; here every call of every one is a step, and files are few and small.
 * A *scenario* is a file and two or three tasks.  Of each, all schedules with up to so many deviations from the default are run (schedule.h), then random
 * ones.  What the tasks were told is judged when all have ended, by the order of the versions that were acknowledged:
 *
 *      a reader gets exactly the rows and the windows of one version, none older than the newest that was acknowledged before it looked, none older than it had before;
 *      or `snapshot expired`, where the file keeps little history; never `damaged`, and no notice but that of a torn slot
 *      a verification finds no fault, and a salvage loses no row
 *      of writers, each is told a version of its own, these are consecutive, and the file has all of them in the end; or it is told *busy*
 *      a copy opens at a version and has exactly its rows, or says that it is damaged or cut
 */
#include "tap.h"

#if !defined(__GLIBC__)
int
main(void)
{
	/* musl declares makecontext and lacks it */
	printf("1..0 # SKIP no makecontext in this libc\n");
	return 0;
}
#else

#include <malloc.h>

#include "db.h"
#include "schedule.h"
#include "verify.h"

#ifdef SCHEDULE_ASAN
#define SCHEDULES_WANTED 1500
#else
#define SCHEDULES_WANTED 24000
#endif

#define SECOND INT64_C(1000000000)
#define ROWS_MAX 4096u
#define VERSIONS_MAX 96u
#define OPS_MAX 6u
#define LOOKS_MAX 10u
#define WINDOWS_MAX 24u
#define WINDOW_NS ((uint64_t)400 * SECOND)
#define FILE_NAME "a.otr"
#define COPY_NAME "copy.otr"

/* ---- what is done ----------------------------------------------------------------------------------------------------------- */

enum deed { APPEND, DELETE, ROLLBACK, META, COMPACT };

/* One commit.  APPEND: n rows from second `from`, every `step` seconds; DELETE: seconds [from, from + n); ROLLBACK: to version n. */
struct op {
	enum deed deed;
	unsigned from, n, step, tag;
};

enum role { NOBODY, WRITER, COMPACTOR, READER, FOLLOWER, AS_OF, COPIER, VERIFIER, SALVAGER };

struct actor {
	enum role role;
	int64_t wait_ns;
	struct op op[OPS_MAX];         /* WRITER */
	unsigned block;                /* COPIER: bytes a read */
	bool opens_late;               /* WRITER: as a step of its own, not before the schedule begins */
	bool dense;                    /* COMPACTOR */
};

enum ground { EMPTY, PLAIN, ODD, FULL, REUSED, REUSED_FEW, GROUNDS };     /* ODD: the newest is in slot 1, which is read last */

struct scenario {
	const char *name;
	enum ground ground;
	unsigned bound;                /* deviations that are enumerated, in a run of the usual length */
	struct actor actor[TASKS_MAX - 1];
};

#define EVER INT64_MAX
#define A_WHILE INT64_C(3000000)
#define SMALL(from, n, tag) { APPEND, from, n, 1, tag }
#define WRITES(wait, ...) { .role = WRITER, .wait_ns = wait, .op = { __VA_ARGS__ } }
#define LATE_WRITER(wait, ...) { .role = WRITER, .wait_ns = wait, .op = { __VA_ARGS__ }, .opens_late = true }

static const struct scenario scenarios[] = {
	/* (a) one commit of each kind, and a query */
	{ "small", PLAIN, 3, { WRITES(0, SMALL(3000, 2, 1)), { .role = READER } } },
	{ "first", EMPTY, 3, { WRITES(0, SMALL(0, 2, 1)), { .role = READER } } },
	{ "large", PLAIN, 3, { WRITES(0, { APPEND, 3000, 500, 1, 1 }), { .role = READER } } },
	{ "late", PLAIN, 3, { WRITES(0, { APPEND, 700, 20, 2, 1 }), { .role = READER } } },
	{ "spill", FULL, 3, { WRITES(0, SMALL(3000, 2, 1)), { .role = READER } } },
	{ "delete", PLAIN, 3, { WRITES(0, { DELETE, 500, 300, 0, 0 }), { .role = READER } } },
	{ "rollback", PLAIN, 3, { WRITES(0, { ROLLBACK, 0, 1, 0, 0 }), { .role = READER } } },
	{ "meta", PLAIN, 3, { WRITES(0, { META, 0, 0, 0, 1 }), { .role = READER } } },
	/* several commits, and those who look again and again */
	{ "three-small", PLAIN, 2, { WRITES(0, SMALL(3000, 2, 1), SMALL(3010, 2, 2), SMALL(3020, 2, 3)), { .role = READER } } },
	{ "slot-by-slot", ODD, 3, { { .role = READER }, WRITES(0, SMALL(3000, 2, 1), SMALL(3010, 2, 2)) } },
	{ "reuse", REUSED, 2, { WRITES(0, { APPEND, 700, 20, 2, 1 }, { APPEND, 100, 20, 2, 2 }, { APPEND, 1300, 20, 2, 3 }), { .role = READER } } },
	{ "follow", PLAIN, 1, { WRITES(0, SMALL(3000, 2, 1), { DELETE, 500, 300, 0, 0 }, SMALL(3020, 2, 3)), { .role = FOLLOWER } } },
	{ "follow-reuse", REUSED, 1, { WRITES(0, { APPEND, 700, 20, 2, 1 }, SMALL(3000, 2, 2), { DELETE, 500, 30, 0, 0 }), { .role = FOLLOWER } } },
	{ "as-of", PLAIN, 1, { WRITES(0, { APPEND, 700, 20, 2, 1 }, { ROLLBACK, 0, 1, 0, 0 }), { .role = AS_OF } } },
	{ "as-of-reuse", REUSED_FEW, 1, { WRITES(0, { APPEND, 700, 20, 2, 1 }, { APPEND, 100, 20, 2, 2 }, { APPEND, 1300, 20, 2, 3 }), { .role = AS_OF } } },
	{ "verify", ODD, 2, { { .role = VERIFIER }, WRITES(0, SMALL(3000, 2, 1), { APPEND, 700, 20, 2, 2 }) } },
	{ "verify-reuse", REUSED, 1, { WRITES(0, { APPEND, 700, 20, 2, 1 }, { APPEND, 100, 20, 2, 2 }, SMALL(3000, 2, 3)), { .role = VERIFIER } } },
	{ "salvage", ODD, 2, { { .role = SALVAGER }, WRITES(0, SMALL(3000, 2, 1), { DELETE, 500, 300, 0, 0 }) } },
	{ "salvage-reuse", REUSED, 1, { WRITES(0, { APPEND, 700, 20, 2, 1 }, { APPEND, 100, 20, 2, 2 }, SMALL(3000, 2, 3)), { .role = SALVAGER } } },
	/* (b) two writers */
	{ "two-writers", PLAIN, 3, { WRITES(0, SMALL(3000, 2, 1)), WRITES(0, SMALL(3100, 2, 2)) } },
	{ "two-waiting", PLAIN, 1, { WRITES(EVER, SMALL(3000, 2, 1), { APPEND, 3010, 300, 1, 2 }),
	    WRITES(EVER, { APPEND, 2900, 20, 3, 3 }, SMALL(3400, 2, 4)), { .role = READER } } },
	{ "two-patient", PLAIN, 1, { WRITES(A_WHILE, { DELETE, 200, 300, 0, 0 }), WRITES(A_WHILE, SMALL(3000, 2, 1), { ROLLBACK, 0, 2, 0, 0 }) } },
	{ "two-late", REUSED, 1, { WRITES(EVER, { APPEND, 700, 20, 2, 1 }, { APPEND, 100, 20, 2, 2 }),
	    LATE_WRITER(EVER, { APPEND, 701, 20, 2, 3 }, SMALL(3000, 2, 4)), { .role = FOLLOWER } } },
	/* (c) the file gets another inode */
	{ "compact", PLAIN, 1, { WRITES(EVER, SMALL(3000, 2, 1), { APPEND, 700, 20, 2, 2 }), { .role = COMPACTOR, .wait_ns = EVER } } },
	{ "compact-dense", PLAIN, 1, { WRITES(EVER, SMALL(3000, 2, 1), SMALL(3010, 2, 2)), { .role = COMPACTOR, .wait_ns = EVER, .dense = true }, { .role = READER } } },
	{ "two-compactions", FULL, 1, { { .role = COMPACTOR, .wait_ns = EVER }, { .role = COMPACTOR, .wait_ns = A_WHILE }, WRITES(EVER, SMALL(3000, 2, 1)) } },
	/* (d) a copy */
	{ "copy-4k", REUSED, 2, { WRITES(0, { APPEND, 700, 20, 2, 1 }, { APPEND, 100, 20, 2, 2 }, SMALL(3000, 2, 3), { APPEND, 1300, 20, 2, 4 }),
	    { .role = COPIER, .block = 4096 } } },
	{ "copy-16k", PLAIN, 2, { WRITES(0, { APPEND, 3000, 900, 1, 1 }, SMALL(5000, 2, 2), { DELETE, 500, 300, 0, 0 }), { .role = COPIER, .block = 16384 } } },
	{ "copy-128k", REUSED, 2, { WRITES(0, SMALL(3000, 2, 1), { APPEND, 700, 20, 2, 2 }, { APPEND, 3010, 900, 1, 3 }), { .role = COPIER, .block = 131072 } } },
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

static bool
keeps_little(const struct scenario *s)
{
	return s->ground == REUSED || s->ground == REUSED_FEW;
}

static int64_t
time_of(unsigned second)
{
	return ((int64_t)1600000000 + second) * SECOND;
}

/* 52 bits that nothing compresses, so that a page holds some 550 rows. */
static uint64_t
value_of(unsigned tag, unsigned i)
{
	return mix(tag, i) >> 12;
}

/* ---- the model: rows of every version --------------------------------------------------------------------------------------- */

struct picture {
	size_t n;
	int64_t t[ROWS_MAX];
	uint64_t v[ROWS_MAX];
};

struct base {
	uint8_t *bytes;
	size_t size;
	uint64_t newest;               /* versions 0 to newest, whose rows are the first in `rows` of each schedule */
	struct picture *rows;          /* [newest + 1] */
	int64_t clock_ns;
};
static struct base bases[GROUNDS];

static void
model(struct picture *to, const struct picture *from, const struct op *op, const struct picture *all)
{
	size_t i = 0, k = 0;

	to->n = 0;
	switch (op->deed) {
	case META: case COMPACT:
		*to = *from;
		break;
	case ROLLBACK:
		*to = all[op->n];
		break;
	case DELETE:
		for (i = 0; i < from->n; i++)
			if (from->t[i] < time_of(op->from) || from->t[i] >= time_of(op->from + op->n)) {
				to->t[to->n] = from->t[i];
				to->v[to->n++] = from->v[i];
			}
		break;
	case APPEND:
		while (i < from->n || k < op->n) {
			int64_t t = k < op->n ? time_of(op->from + (unsigned)k * op->step) : INT64_MAX;

			if (to->n == ROWS_MAX)
				abort();
			if (i < from->n && from->t[i] < t) {
				to->t[to->n] = from->t[i];
				to->v[to->n++] = from->v[i++];
				continue;
			}
			i += i < from->n && from->t[i] == t;
			to->t[to->n] = t;
			to->v[to->n++] = value_of(op->tag, (unsigned)k++);
		}
		break;
	}
}

/* ---- what the tasks were told ----------------------------------------------------------------------------------------------- */

struct look {
	unsigned task;
	const char *what;
	uint64_t version, floor;       /* floor: none older may be given */
	bool asked;                    /* the version was asked for: it must be this one */
	enum otr_status status;        /* how the rows ended: OTR_END if whole */
	struct picture rows;
	enum otr_status window_status;
	unsigned windows;
	struct window {
		int64_t start_ns, first_ns, last_ns;
		uint64_t rows, min, max, first, last, sum;
	} window[WINDOWS_MAX];
};

static struct look looks[LOOKS_MAX];
static unsigned look_count;

struct ack {
	uint64_t version;
	const struct op *op;
};
static struct ack acks[TASKS_MAX * OPS_MAX];
static unsigned ack_count;
static uint64_t acknowledged;          /* the newest */

static const struct scenario *scenario;
static struct otr_writer *opened[TASKS_MAX];   /* of the writers that open before the schedule begins */
static const struct op compaction = { .deed = COMPACT };
static char complaint[400];
static uint64_t total_expired, total_busy, total_torn, total_copies_bad, total_commits, total_looks, total_renames;

static void
complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
complain(const char *format, ...)
{
	va_list args;

	if (complaint[0] != '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(complaint, sizeof complaint, format, args);
	va_end(args);
}

static void
acknowledge(uint64_t version, const struct op *op)
{
	acks[ack_count++] = (struct ack){ version, op };
	if (version > acknowledged)
		acknowledged = version;
	total_commits++;
}

/* ---- the tasks -------------------------------------------------------------------------------------------------------------- */

static enum otr_status
write_op(struct otr_writer *w, const struct op *op, uint64_t *version, struct otr_error *err)
{
	static const char text[] = "abcdefgh";
	struct otr_delete_spec range = { time_of(op->from), time_of(op->from + op->n), NULL, NULL };
	struct otr_meta_change change = { "note", text, 1 + op->tag % (sizeof text - 1) };
	struct otr_change_result changed = { .version = 0 };
	struct otr_commit_result result;
	enum otr_status status = OTR_OK;
	int64_t t[1024];
	uint64_t v[1024];
	struct otr_rows rows = { .n = op->n, .time_ns = t, .value = { v } };
	unsigned i;

	switch (op->deed) {
	case APPEND:
		for (i = 0; i < op->n; i++) {
			t[i] = time_of(op->from + i * op->step);
			v[i] = value_of(op->tag, i);
		}
		status = otr_writer_add(w, &rows, err);
		if (status == OTR_OK)
			status = otr_writer_commit(w, &result, err);
		if (status == OTR_OK)
			changed = (struct otr_change_result){ .version = result.version, .committed = result.committed };
		break;
	case DELETE:
		status = otr_writer_delete(w, &range, &changed, err);
		break;
	case ROLLBACK:
		status = otr_writer_rollback(w, op->n, &changed, err);
		break;
	case META:
		status = otr_writer_set_meta(w, &change, 1, NULL, &changed, err);
		break;
	case COMPACT:
		break;
	}
	if (status == OTR_OK && !changed.committed)
		complain("a writer made no version, and said OTR_OK");
	*version = changed.version;
	return status;
}

static struct otr_writer *
open_writer(const struct actor *a, struct otr_error *err)
{
	struct otr_writer_options options = { .wait_ns = a->wait_ns };
	struct otr_writer *w = NULL;
	bool fallback;
	enum otr_status status = otr_writer_open(FILE_NAME, &options, &w, err);

	if (status != OTR_OK)
		complain("otr_writer_open: status %d, %s", (int)status, err->text);
	else if (otr_writer_notice(w, 0, &fallback) != NULL && fallback)
		complain("a writer's notice: %s", otr_writer_notice(w, 0, NULL));
	return w;
}

static void
run_writer(unsigned self)
{
	const struct actor *a = &scenario->actor[self];
	struct otr_error err = { .text = "" };
	struct otr_writer *w = a->opens_late ? open_writer(a, &err) : opened[self];
	unsigned i;

	for (i = 0; w != NULL && i < OPS_MAX && (a->op[i].n > 0 || a->op[i].deed != APPEND); i++) {
		uint64_t version = 0;
		enum otr_status status = write_op(w, &a->op[i], &version, &err);

		if (status != OTR_OK) {
			if (status == OTR_E_BUSY && a->wait_ns < EVER)
				total_busy++;
			else
				complain("writer %c, commit %u: status %d, %s", 'a' + (int)self, i + 1, (int)status, err.text);
			break;
		}
		acknowledge(version, &a->op[i]);
	}
	otr_writer_close(w);
}

static void
run_compactor(unsigned self)
{
	const struct actor *a = &scenario->actor[self];
	struct otr_compact_options options = { .wait_ns = a->wait_ns, .drop_history = a->dense };
	struct otr_compact_result result;
	struct otr_error err = { .text = "" };
	enum otr_status status = otr_compact(FILE_NAME, NULL, &options, &result, &err);

	if (status == OTR_OK) {
		acknowledge(result.version, &compaction);
		total_renames++;
	} else if (status == OTR_E_BUSY && a->wait_ns < EVER) {
		total_busy++;
	} else {
		complain("a compaction: status %d, %s", (int)status, err.text);
	}
}

/*
 * A slot may be called torn, or its stamp damaged, if two readings of both slots agreed: then a writer was stopped in the middle of it.  Stopped within the first sector, of
 * which SPEC 10.1 says that no crash leaves it so, it has made an old slot damaged.
 */
static void
check_notices(struct otr *file)
{
	const struct handle *h = file->io.self;
	bool fallback, stopped;
	const char *text;
	size_t i;

	for (i = 0; (text = otr_notice(file, i, &fallback)) != NULL; i++) {
		stopped = strncmp(text, "the newest slot is torn", 23) == 0 || strstr(text, "has a damaged stamp") != NULL || strstr(text, "nothing is missing but stamps") != NULL ||
		    (sim.tear.pattern == CUTS && strstr(text, "an older one, is damaged") != NULL);
		if (stopped && h->same[0] && h->same[1])
			total_torn++;
		else
			complain("a notice that is not true: %s", text);
	}
}

static void
look_at_rows(struct otr *file, struct look *l)
{
	struct otr_cursor *cursor = NULL;
	struct otr_rows rows;
	struct otr_error err = { .text = "" };

	l->status = otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &cursor, &err);
	while (l->status == OTR_OK && (l->status = otr_cursor_next(cursor, &rows, &err)) == OTR_OK) {
		if (rows.n > ROWS_MAX - l->rows.n || rows.present[0] != NULL) {
			complain("%s of version %llu: %zu rows after %zu, or a null", l->what, (unsigned long long)l->version, rows.n, l->rows.n);
			break;
		}
		memcpy(l->rows.t + l->rows.n, rows.time_ns, rows.n * sizeof rows.time_ns[0]);
		memcpy(l->rows.v + l->rows.n, rows.value[0], rows.n * sizeof rows.value[0][0]);
		l->rows.n += rows.n;
	}
	otr_cursor_close(cursor);
	if (l->status != OTR_END && l->status != OTR_E_EXPIRED && l->status != OTR_E_CORRUPT && l->status != OTR_E_TRUNCATED)
		complain("%s of version %llu: status %d, %s", l->what, (unsigned long long)l->version, (int)l->status, err.text);
}

static void
look_at_windows(struct otr *file, struct look *l)
{
	struct otr_window_spec spec = { .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .width_ns = WINDOW_NS, .columns = 1 };
	struct otr_query *query = NULL;
	struct otr_window w;
	struct otr_error err = { .text = "" };

	l->window_status = otr_query_open(file, &spec, &query, &err);
	while (l->window_status == OTR_OK && (l->window_status = otr_query_next(query, &w, &err)) == OTR_OK && l->windows < WINDOWS_MAX) {
		const struct otr_summary *s = &w.column[0];

		l->window[l->windows++] = (struct window){ w.start_ns, s->tfirst_ns, s->tlast_ns, w.rows, (uint64_t)s->min.i, (uint64_t)s->max.i, (uint64_t)s->first.i,
			(uint64_t)s->last.i, s->sum_low };
	}
	otr_query_close(query);
	if (l->window_status != OTR_END && l->window_status != OTR_E_EXPIRED && l->window_status != OTR_E_CORRUPT && l->window_status != OTR_E_TRUNCATED)
		complain("windows of version %llu: status %d, %s", (unsigned long long)l->version, (int)l->window_status, err.text);
}

/* All of what the handle selects. */
static struct look *
look(unsigned self, struct otr *file, const char *what, uint64_t floor, bool asked)
{
	struct look *l = &looks[look_count];
	struct otr_info info;

	if (look_count + 1 < LOOKS_MAX)
		look_count++;
	otr_get_info(file, &info);
	l->task = self;
	l->what = what;
	l->version = info.version;
	l->floor = floor;
	l->asked = asked;
	l->rows.n = 0;
	l->windows = 0;
	l->status = l->window_status = OTR_END;
	look_at_rows(file, l);
	look_at_windows(file, l);
	if (l->status == OTR_END && l->rows.n != info.rows)
		complain("%s of version %llu: %zu rows, otr_get_info says %llu", what, (unsigned long long)info.version, l->rows.n, (unsigned long long)info.rows);
	total_looks++;
	return l;
}

/* NULL: expired, where that may be, or complained of. */
static struct otr *
open_file(bool at, uint64_t version)
{
	struct otr *file = NULL;
	struct otr_error err = { .text = "" };
	enum otr_status status = at ? otr_open_at(FILE_NAME, version, &file, &err) : otr_open(FILE_NAME, &file, &err);

	if (status == OTR_OK) {
		check_notices(file);
		return file;
	}
	if (!(keeps_little(scenario) && (status == OTR_E_EXPIRED || (at && status == OTR_E_NOTFOUND))))
		complain("otr_open%s: status %d, %s", at ? "_at" : "", (int)status, err.text);
	else
		total_expired++;
	return NULL;
}

static void
run_reader(unsigned self)
{
	uint64_t floor = acknowledged;
	struct otr *file = open_file(false, 0);

	if (file != NULL)
		(void)look(self, file, "the rows", floor, false);
	otr_close(file);
}

static void
run_follower(unsigned self)
{
	uint64_t floor = acknowledged;
	struct otr *file = open_file(false, 0);
	struct otr_error err = { .text = "" };
	enum otr_status status = OTR_OK;
	struct look *l;
	unsigned i;

	for (i = 0; file != NULL && i < 3 && status == OTR_OK; i++) {
		l = look(self, file, i == 0 ? "the rows" : "the rows, refreshed,", floor, false);
		floor = acknowledged > l->version ? acknowledged : l->version;
		status = otr_refresh(file, &err);
	}
	if (status == OTR_OK && file != NULL)
		(void)look(self, file, "the rows, refreshed,", floor, false);
	else if (status != OTR_OK && !(status == OTR_E_EXPIRED && keeps_little(scenario)))
		complain("otr_refresh: status %d, %s", (int)status, err.text);
	otr_close(file);
}

static void
look_at_version(unsigned self, struct otr *file, uint64_t version, const char *what)
{
	struct otr_error err = { .text = "" };
	enum otr_status status = otr_select_version(file, version, &err);

	if (status == OTR_OK)
		(void)look(self, file, what, version, true);
	else if (!(keeps_little(scenario) && (status == OTR_E_EXPIRED || status == OTR_E_NOTFOUND)))
		complain("otr_select_version: status %d, %s", (int)status, err.text);
	else
		total_expired++;
}

static void
run_as_of(unsigned self)
{
	uint64_t newest = bases[scenario->ground].newest, floor = acknowledged;
	struct otr *file = open_file(true, newest - 1);
	struct otr_error err = { .text = "" };
	enum otr_status status;
	struct otr_info info;

	if (file == NULL)
		return;
	(void)look(self, file, "the rows as of before", newest - 1, true);
	otr_get_info(file, &info);
	look_at_version(self, file, info.newest_version, "the rows of the newest when opened");
	if (info.newest_version < floor)
		complain("otr_open_at found version %llu, %llu was acknowledged", (unsigned long long)info.newest_version, (unsigned long long)floor);
	look_at_version(self, file, newest, "the rows of the base");
	floor = acknowledged;
	status = otr_refresh(file, &err);
	if (status == OTR_OK)
		status = otr_select_time(file, OTR_TIME_MAX, &err);
	if (status == OTR_OK)
		(void)look(self, file, "the rows of the end of time", floor, false);
	else if (!(keeps_little(scenario) && (status == OTR_E_EXPIRED || status == OTR_E_NOTFOUND)))
		complain("otr_refresh, otr_select_time: status %d, %s", (int)status, err.text);
	otr_close(file);
}

/* cp: blocks, one after the other, until there is no more. */
static uint8_t copied[FILE_ROOM];
static size_t copied_bytes;

static void
run_copier(unsigned self)
{
	struct otr_io io;
	struct otr_error err;
	size_t got = 0, block = scenario->actor[self].block;

	copied_bytes = 0;
	if (otr__io_open(FILE_NAME, false, &io, &err) != OTR_OK) {
		complain("the copier: %s", err.text);
		return;
	}
	do {
		if (block > sizeof copied - copied_bytes)
			block = sizeof copied - copied_bytes;
		if (io.read(io.self, copied_bytes, copied + copied_bytes, block, &got) != 0)
			complain("the copier cannot read");
		copied_bytes += got;
	} while (got == block && block > 0);
	io.close(io.self);
}

/* What is found beside a writer that was stopped in the middle of a slot, as check_notices has it. */
static bool
is_stopped(const struct otr_finding *f)
{
	bool is = strcmp(f->text, "a stamp is not that of its version") == 0 || (sim.tear.pattern == CUTS && f->place == OTR_PLACE_SLOT);

	total_torn += is;
	return is;
}

static void
found_beside(void *arg, const struct otr_finding *f)
{
	if (!f->note && !is_stopped(f))
		complain("%s: place %d number %llu: %s (SPEC %s)", (const char *)arg, (int)f->place, (unsigned long long)f->number, f->text, f->spec);
}

static void
run_verifier(void)
{
	static char what[] = "otr_verify beside a writer";
	uint64_t faults;
	struct otr_error err = { .text = "" };
	enum otr_status status = otr_verify(FILE_NAME, &(struct otr_verify_options){ .found = found_beside, .arg = what }, &faults, &err);

	if (status == OTR_E_EXPIRED && keeps_little(scenario))
		total_expired++;
	else if (status != OTR_OK)
		complain("otr_verify: status %d, %s", (int)status, err.text);
}

static void
lost(void *arg, const struct otr_loss *l)
{
	found_beside(arg, &l->what);
}

/* What is salvaged of a sound file is all of one version. */
static void
run_salvager(unsigned self)
{
	static char what[] = "otr_salvage of a sound file";
	struct otr_salvage_options options = { .replace = true, .lost = lost, .arg = what };
	struct otr_salvage_result result;
	struct otr_error err = { .text = "" };
	struct otr *file = NULL;
	uint64_t floor = acknowledged;
	enum otr_status status = otr_salvage(FILE_NAME, COPY_NAME, &options, &result, &err);
	struct look *l;

	if (status == OTR_OK && !result.has_version)
		complain("otr_salvage found no state in a sound file");
	if (status == OTR_OK)
		status = otr_open(COPY_NAME, &file, &err);
	if (status == OTR_OK) {
		l = look(self, file, "the rows salvaged", floor, false);
		l->version = result.version;
	} else if (status == OTR_E_EXPIRED && keeps_little(scenario)) {
		total_expired++;
	} else {
		complain("otr_salvage: status %d, %s", (int)status, err.text);
	}
	otr_close(file);
}

static void
run_task(unsigned self)
{
	switch (scenario->actor[self].role) {
	case WRITER: run_writer(self); break;
	case COMPACTOR: run_compactor(self); break;
	case READER: run_reader(self); break;
	case FOLLOWER: run_follower(self); break;
	case AS_OF: run_as_of(self); break;
	case COPIER: run_copier(self); break;
	case VERIFIER: run_verifier(); break;
	case SALVAGER: run_salvager(self); break;
	case NOBODY: break;
	}
}

/* ---- the judgement ------------------------------------------------------------------------------------------------------------- */

static struct picture *made;           /* [version]: rows, as far as `order` goes */
static const struct op *order[VERSIONS_MAX];   /* by version; those of the base are NULL */
static uint64_t made_newest;
static const struct base *made_of;

/* The versions after the base, by the order that their numbers have; false: they are not those that must be. */
static bool
put_in_order(void)
{
	const struct base *b = &bases[scenario->ground];
	const struct op *now[VERSIONS_MAX] = { NULL };
	uint64_t v, newest = b->newest + ack_count;
	unsigned i;

	for (i = 0; i < ack_count; i++) {
		v = acks[i].version;
		if (v <= b->newest || v > newest || now[v] != NULL) {
			complain("version %llu was acknowledged, twice or out of order: %u commits after version %llu", (unsigned long long)v, ack_count, (unsigned long long)b->newest);
			return false;
		}
		now[v] = acks[i].op;
	}
	/* what is the same as in the schedule before is there already */
	if (made_of != b) {
		memcpy(made, b->rows, (size_t)(b->newest + 1) * sizeof *made);
		made_newest = b->newest;
		made_of = b;
	}
	for (v = b->newest + 1; v <= newest && v <= made_newest && order[v] == now[v]; v++)
		;
	for (; v <= newest; v++) {
		model(&made[v], &made[v - 1], now[v], made);
		order[v] = now[v];
	}
	made_newest = newest;
	return true;
}

static void
judge_windows(const struct look *l, const struct picture *p)
{
	unsigned k = 0;
	size_t i = 0;

	while (i < p->n) {
		struct window w = { .min = UINT64_MAX };
		int64_t start = p->t[i] - p->t[i] % (int64_t)WINDOW_NS;

		w.start_ns = start;
		w.first_ns = p->t[i];
		w.first = p->v[i];
		for (; i < p->n && p->t[i] < start + (int64_t)WINDOW_NS; i++) {
			w.rows++;
			w.sum += p->v[i];
			w.min = p->v[i] < w.min ? p->v[i] : w.min;
			w.max = p->v[i] > w.max ? p->v[i] : w.max;
			w.last = p->v[i];
			w.last_ns = p->t[i];
		}
		if (k == l->windows && l->window_status != OTR_END)
			return;
		if (k == l->windows || memcmp(&w, &l->window[k], sizeof w) != 0) {
			complain("window %u of version %llu is wrong: %llu rows, expected %llu", k + 1, (unsigned long long)l->version,
			    k < l->windows ? (unsigned long long)l->window[k].rows : 0, (unsigned long long)w.rows);
			return;
		}
		k++;
	}
	if (k != l->windows)
		complain("%u windows of version %llu, expected %u", l->windows, (unsigned long long)l->version, k);
}

static void
judge(const struct look *l, bool is_copy)
{
	const struct picture *p = &made[l->version <= made_newest ? l->version : 0];
	bool ended = l->status == OTR_END, may_fail = is_copy;
	size_t i;

	if (l->version > made_newest) {
		complain("%s of version %llu, which nobody made", l->what, (unsigned long long)l->version);
		return;
	}
	if (l->asked ? l->version != l->floor : l->version < l->floor)
		complain("%s of version %llu, where %s was version %llu", l->what, (unsigned long long)l->version, l->asked ? "asked for" : "acknowledged, or seen, before",
		    (unsigned long long)l->floor);
	for (i = 0; i < l->rows.n; i++)
		if (i >= p->n || l->rows.t[i] != p->t[i] || l->rows.v[i] != p->v[i]) {
			complain("%s of version %llu: row %zu is wrong", l->what, (unsigned long long)l->version, i);
			return;
		}
	if (ended && l->rows.n != p->n)
		complain("%s of version %llu end after %zu, expected %zu", l->what, (unsigned long long)l->version, l->rows.n, p->n);
	judge_windows(l, p);
	if (!ended && l->status == OTR_E_EXPIRED && keeps_little(scenario) && l->version < made_newest) {
		total_expired++;
		may_fail = true;
	}
	if (!ended && !may_fail)
		complain("%s of version %llu: status %d after %zu rows", l->what, (unsigned long long)l->version, (int)l->status, l->rows.n);
	if (l->window_status != OTR_END && !is_copy && !(l->window_status == OTR_E_EXPIRED && keeps_little(scenario) && l->version < made_newest))
		complain("windows of version %llu: status %d after %u", (unsigned long long)l->version, (int)l->window_status, l->windows);
}

static void
judge_copy(void)
{
	struct otr *file = NULL;
	struct otr_error err = { .text = "" };
	enum otr_status status;
	struct look *l;

	put_file(COPY_NAME, copied, copied_bytes);
	status = otr_open(COPY_NAME, &file, &err);
	if (status == OTR_OK) {
		l = look(0, file, "the copy", 0, false);
		judge(l, true);
		if (l->status != OTR_END || l->window_status != OTR_END)
			total_copies_bad++;
		if (l->status == OTR_E_EXPIRED)
			complain("the copy expired");
	} else if (status == OTR_E_CORRUPT || status == OTR_E_TRUNCATED) {
		total_copies_bad++;
	} else {
		complain("the copy: status %d, %s", (int)status, err.text);
	}
	otr_close(file);
}

static void
found_fault(void *arg, const struct otr_finding *f)
{
	(void)arg;
	if (!f->note)
		complain("verify: place %d number %llu: %s (SPEC %s)", (int)f->place, (unsigned long long)f->number, f->text, f->spec);
}

/* Hashes of files that were sound, and of schedules that were run: power of two slots, 0 is none. */
struct set {
	uint64_t *slot;
	size_t slots, n;
};
static struct set files_seen, schedules_seen;

static bool
is_new(struct set *s, uint64_t hash)
{
	size_t i, old = s->slots;
	uint64_t *before = s->slot;

	hash |= 1;
	if (2 * s->n >= s->slots) {
		s->slots = old == 0 ? 4096 : 2 * old;
		s->slot = get(NULL, s->slots, sizeof *s->slot);
		memset(s->slot, 0, s->slots * sizeof *s->slot);
		s->n = 0;
		for (i = 0; i < old; i++)
			if (before[i] != 0)
				(void)is_new(s, before[i]);
		free(before);
	}
	for (i = (size_t)(hash >> 20) & (s->slots - 1); s->slot[i] != 0; i = (i + 1) & (s->slots - 1))
		if (s->slot[i] == hash)
			return false;
	s->slot[i] = hash;
	s->n++;
	return true;
}

static uint64_t
hash_bytes(const uint8_t *bytes, size_t n)
{
	uint64_t h = n, word;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&word, bytes + i, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	for (; i < n; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return h;
}

/* What the name leads to in the end: sound, at the newest version, with all that is kept. */
static void
judge_file(void)
{
	const struct inode *n = names[name_of(FILE_NAME)].inode;
	struct otr *file = NULL;
	struct otr_io io;
	struct otr_error err = { .text = "" };
	struct otr_info info;
	uint64_t faults = 0, v;

	if (n->locked != NULL)
		complain("the file is still locked");
	/* the same bytes with the same versions behind them were judged before */
	if (!is_new(&files_seen, hash_bytes(n->bytes, n->size) ^
	    hash_bytes((const uint8_t *)(const void *)&order[bases[scenario->ground].newest + 1], ack_count * sizeof order[0])))
		return;
	io = open_inode(names[name_of(FILE_NAME)].inode, name_of(FILE_NAME), false);
	if (otr__verify_io(io, &(struct otr_verify_options){ .found = found_fault }, &faults, &err) != OTR_OK)
		complain("verify: %s", err.text);
	if (otr_open(FILE_NAME, &file, &err) != OTR_OK) {
		complain("in the end: %s", err.text);
		return;
	}
	check_notices(file);
	otr_get_info(file, &info);
	if (info.version != made_newest)
		complain("in the end version %llu, acknowledged %llu", (unsigned long long)info.version, (unsigned long long)made_newest);
	for (v = info.oldest_version; v <= made_newest && complaint[0] == '\0'; v++)
		if (otr_select_version(file, v, &err) != OTR_OK) {
			complain("in the end version %llu: %s", (unsigned long long)v, err.text);
		} else {
			judge(look(0, file, "the rows in the end", v, true), false);
			look_count--;
		}
	otr_close(file);
}

/* ---- schedules ---------------------------------------------------------------------------------------------------------------- */

static uint64_t runs, distinct, seed = 1;
static unsigned failures, steps_longest;
static uint8_t text_chosen[STEPS_MAX];

/* One schedule, by sim.way; whether it went well. */
static bool
run_schedule(void)
{
	const struct base *b = &bases[scenario->ground];
	struct otr_error err = { .text = "" };
	unsigned i, n;

	complaint[0] = '\0';
	look_count = ack_count = 0;
	acknowledged = b->newest;
	clock_ns = b->clock_ns;
	put_file(FILE_NAME, b->bytes, b->size);
	for (n = 0; n < TASKS_MAX - 1 && scenario->actor[n].role != NOBODY; n++) {
		sim.task[n].run = run_task;
		opened[n] = scenario->actor[n].role == WRITER && !scenario->actor[n].opens_late ? open_writer(&scenario->actor[n], &err) : NULL;
	}
	run_tasks(n);
	runs++;
	distinct += is_new(&schedules_seen, hash_bytes(sim.chosen, sim.step) ^ mix(sim.tear.number, (uint64_t)(scenario - scenarios)));
	if (sim.step > steps_longest)
		steps_longest = sim.step;
	if (put_in_order()) {
		for (i = 0; i < look_count; i++)
			judge(&looks[i], false);
		for (i = 0; i < n; i++)
			if (scenario->actor[i].role == COPIER)
				judge_copy();
		judge_file();
	} else {
		made_newest = b->newest;
	}
	name_file(name_of(FILE_NAME), NULL);
	name_file(name_of(COPY_NAME), NULL);
	return complaint[0] == '\0';
}

/* The deviations of what was just run from the default, into sim.plan; false: too many. */
static bool
plan_of_trace(void)
{
	unsigned i;

	static uint8_t trace[STEPS_MAX];
	unsigned steps = sim.step;

	memcpy(trace, sim.chosen, steps);
	/* run by the plan as far as it is known: where it goes another way there is one more deviation */
	sim.way = BY_PLAN;
	sim.planned = 0;
	for (;;) {
		(void)run_schedule();
		for (i = 0; i < steps && i < sim.step && sim.chosen[i] == trace[i]; i++)
			;
		if (i >= steps || i >= sim.step)
			return true;
		if (sim.planned == sizeof sim.plan / sizeof sim.plan[0])
			return false;
		sim.plan[sim.planned++] = (struct deviation){ i, trace[i] };
	}
}

/* What failed is told, with as few deviations as it needs. */
static void
tell(void)
{
	static uint8_t trace[STEPS_MAX];
	unsigned steps = sim.step, i;
	struct deviation plan[sizeof sim.plan / sizeof sim.plan[0]];
	unsigned planned = sim.planned;
	char first[sizeof complaint];
	bool dropped = true;
	uint64_t was = distinct;

	failures++;
	memcpy(plan, sim.plan, sizeof plan);
	memcpy(first, complaint, sizeof first);
	memcpy(trace, sim.chosen, steps);
	if (plan_of_trace() && complaint[0] != '\0') {
		while (dropped) {
			dropped = false;
			for (i = 0; i < sim.planned; i++) {
				struct deviation d = sim.plan[i];

				memmove(&sim.plan[i], &sim.plan[i + 1], (sim.planned - i - 1) * sizeof d);
				sim.planned--;
				if (!run_schedule() && !sim.misfit) {
					dropped = true;
					memcpy(first, complaint, sizeof first);
					memcpy(trace, sim.chosen, steps = sim.step);
					i--;
					continue;
				}
				memmove(&sim.plan[i + 1], &sim.plan[i], (sim.planned - i) * sizeof d);
				sim.plan[i] = d;
				sim.planned++;
			}
		}
	}
	distinct = was;
	memcpy(sim.plan, plan, sizeof plan);
	sim.planned = planned;
	printf("# %s: %s\n# again: test_schedules --scenario %s --schedule ", scenario->name, first, scenario->name);
	print_schedule(sim.tear.number, trace, steps);
	printf("\n");
	fflush(stdout);
}

/* All schedules that go on from sim.plan with up to `more` deviations; nothing if keep_permille draws against one. */
static void
enumerate(unsigned more, unsigned keep_permille, struct rng *r)
{
	unsigned from = sim.planned > 0 ? sim.plan[sim.planned - 1].step + 1 : 0, steps, i, who;
	uint8_t *others;
	bool well;

	sim.way = BY_PLAN;
	well = run_schedule();
	steps = sim.step;
	others = get(NULL, steps, 1);
	memcpy(others, sim.others, steps);
	if (!well)
		tell();
	if (more == 0)
		steps = 0;
	for (i = from; i < steps && failures < 5; i++)
		for (who = 0; who < sim.tasks; who++) {
			if ((others[i] >> who & 1) == 0 || (more == 1 && below(r, 1000) >= keep_permille))
				continue;
			sim.plan[sim.planned++] = (struct deviation){ i, who };
			enumerate(more - 1, keep_permille, r);
			sim.planned--;
		}
	free(others);
}

static void
draw_schedule(struct rng *r)
{
	static const unsigned permille[] = { 500, 250, 100, 30 };
	unsigned i, k;

	sim.tear = tear_of(chance(r, 20) ? below(r, 3) : 3 + below(r, 1000000));
	sim.rng.s = rnd(r);
	sim.permille = permille[below(r, 4)];
	sim.way = chance(r, 50) ? UNIFORM : PRIORITIES;
	for (i = 0; i < TASKS_MAX; i++) {
		k = (unsigned)below(r, i + 1);
		sim.priority[i] = sim.priority[k];
		sim.priority[k] = (2u << 20) + i;
	}
	for (i = 0; i < sizeof sim.change / sizeof sim.change[0]; i++)
		sim.change[i] = (unsigned)below(r, 30u << below(r, 4));
	if (!run_schedule())
		tell();
}

/* ---- the files that there are before ------------------------------------------------------------------------------------------ */

static void
stop(const char *what, const struct otr_error *err)
{
	printf("Bail out! %s: status %d, %s\n", what, (int)err->status, err->text);
	exit(1);
}

static void
keep_base(struct base *b)
{
	const struct inode *n = names[name_of(FILE_NAME)].inode;

	b->size = n->size;
	b->bytes = get(b->bytes, b->size, 1);
	memcpy(b->bytes, n->bytes, b->size);
	b->clock_ns = clock_ns;
}

static void
make_op(struct base *b, struct otr_writer *w, const struct op *op)
{
	struct otr_error err = { .text = "" };
	uint64_t version;

	if (b->newest + 2 > VERSIONS_MAX / 2)
		abort();
	if (write_op(w, op, &version, &err) != OTR_OK || version != b->newest + 1)
		stop("a commit of the base", &err);
	b->newest++;
	b->rows = get(b->rows, (size_t)b->newest + 1, sizeof *b->rows);
	model(&b->rows[b->newest], &b->rows[b->newest - 1], op, b->rows);
}

static uint64_t
riding_rows(void)
{
	struct otr *file = NULL;
	struct otr_error err = { .text = "" };
	struct otr_info info;

	if (otr_open(FILE_NAME, &file, &err) != OTR_OK)
		stop("the base", &err);
	otr_get_info(file, &info);
	otr_close(file);
	return info.riding_rows;
}

static void
make_base(enum ground ground)
{
	static struct otr_schema schema;
	static const struct op late[] = { { APPEND, 0, 1000, 2, 90 }, SMALL(2100, 3, 91), { APPEND, 700, 20, 2, 92 }, { APPEND, 100, 20, 2, 93 },
		{ APPEND, 1300, 20, 2, 94 }, SMALL(2200, 3, 95), { APPEND, 301, 20, 2, 96 } };
	static const struct op plain[] = { { APPEND, 0, 1000, 2, 90 }, SMALL(2100, 3, 91), SMALL(2200, 3, 92), SMALL(2300, 3, 93) };
	struct otr_create_options options = { .policies.duplicates = OTR_REPLACE };
	struct otr_writer_options w_options = { .wait_ns = 0 };
	struct base *b = &bases[ground];
	struct otr_writer *w;
	struct otr_error err = { .text = "" };
	unsigned i;

	memset(&schema, 0, sizeof schema);
	schema.columns = 1;
	schema.page_bytes = 4096;
	strcpy(schema.column[0].name, "v");
	schema.column[0].type = OTR_I64;
	if (ground == REUSED || ground == REUSED_FEW) {
		options.policies.history = OTR_HISTORY_COUNT;
		options.policies.history_value = ground == REUSED ? 0 : 2;
	}
	clock_ns = INT64_C(1750000000) * SECOND;
	b->rows = get(NULL, 1, sizeof *b->rows);
	b->rows[0].n = 0;
	if (otr_create(FILE_NAME, &schema, &options, &err) != OTR_OK || otr_writer_open(FILE_NAME, &w_options, &w, &err) != OTR_OK)
		stop("the base", &err);
	if (ground == REUSED || ground == REUSED_FEW)
		for (i = 0; i < sizeof late / sizeof late[0]; i++)
			make_op(b, w, &late[i]);
	else if (ground != EMPTY)
		for (i = 0; i < sizeof plain / sizeof plain[0] - (ground == ODD); i++)
			make_op(b, w, &plain[i]);
	keep_base(b);
	if (ground == FULL) {
		uint64_t riding = riding_rows(), before;

		/* until a commit spills: that one is the scenario's */
		for (i = 0; ; i++) {
			struct op more = SMALL(2400 + 10 * i, 2, 100 + i);

			before = riding;
			make_op(b, w, &more);
			riding = riding_rows();
			if (riding < before)
				break;
			keep_base(b);
		}
		b->newest--;
	}
	otr_writer_close(w);
	name_file(name_of(FILE_NAME), NULL);
}

/* ---- main --------------------------------------------------------------------------------------------------------------------- */

static int
repeat(const char *text)
{
	uint64_t tear;

	if (!parse_schedule(text, &tear, text_chosen, &sim.text_steps))
		return fprintf(stderr, "test_schedules: no schedule: %s\n", text), 2;
	sim.tear = tear_of(tear);
	sim.way = BY_TEXT;
	sim.text = text_chosen;
	(void)run_schedule();
	printf("# %s: ", scenario->name);
	print_schedule(sim.tear.number, sim.chosen, sim.step);
	printf("%s\n# %s\n", sim.misfit ? ", where the text did not fit" : "", complaint[0] != '\0' ? complaint : "all was right");
	CHECK(complaint[0] == '\0', "the schedule went well");
	return tap_done();
}

/* All schedules of a tear with up to `bound` deviations, or, where these are too many, the more of `most` by chance; how many deviations were all tried. */
static unsigned
enumerate_up_to(unsigned bound, uint64_t most, struct rng *r)
{
	uint64_t count[8] = { 1 }, start, expected;
	unsigned level, all = 0, permille;

	for (level = 1; level <= bound && failures < 5; level++) {
		/* a further deviation has as many places again, or fewer */
		expected = level < 2 ? 0 : count[level - 1] * count[level - 1] / count[level - 2];
		permille = expected <= most ? 1000 : (unsigned)(1 + 1000 * most / expected);
		start = runs;
		sim.planned = 0;
		enumerate(level, permille, r);
		count[level] = runs - start;
		if (permille >= 1000)
			all = level;
	}
	return all;
}

static void
explore(uint64_t wanted, const char *only)
{
	struct rng r = { .s = seed };
	size_t i, count = only != NULL ? 1 : SCENARIOS;

	for (i = 0; i < SCENARIOS && failures < 5; i++) {
		uint64_t before = distinct, share = wanted / count, most = share > 4000 ? 2 * share : 8000, tear, enumerated, least, quota;
		unsigned bound, all = 0, got;

		scenario = &scenarios[i];
		if (only != NULL && strcmp(only, scenario->name) != 0)
			continue;
		bound = wanted >= 500000 ? 3 : wanted < 10000 ? scenario->bound - 1 : scenario->bound;
		for (tear = 0; tear < 3 && failures < 5 && (tear == 0 || distinct - before < share / 2); tear++) {
			sim.tear = tear_of(tear);
			got = enumerate_up_to(tear == 0 || bound == 0 ? bound : bound - 1, most, &r);
			all = tear == 0 ? got : all;
		}
		enumerated = distinct - before;
		/* ways to come apart are only drawn, and so are some schedules where the enumerated ones are enough */
		least = enumerated + share / 4 > share ? enumerated + share / 4 : share;
		quota = runs + 2 * share;                /* where there are no more, the ones drawn are known */
		while (distinct - before < least && runs < quota && failures < 5)
			draw_schedule(&r);
		printf("# %s: %llu schedules, %llu of them enumerated, all with up to %u deviations\n", scenario->name, (unsigned long long)(distinct - before),
		    (unsigned long long)enumerated, all);
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	uint64_t wanted = SCHEDULES_WANTED;
	const char *text, *only = NULL, *schedule = NULL;
	size_t i;
	int k;

	if ((text = getenv("SEED")) != NULL && *text != '\0')
		seed = strtoull(text, NULL, 10);
	if ((text = getenv("SCHEDULES")) != NULL && *text != '\0')
		wanted = strtoull(text, NULL, 10);
	for (k = 1; k < argc; k++) {
		if (strcmp(argv[k], "--scenario") == 0 && k + 1 < argc)
			only = argv[++k];
		else if (strcmp(argv[k], "--schedule") == 0 && k + 1 < argc)
			schedule = argv[++k];
		else
			return fprintf(stderr, "usage: SEED=n SCHEDULES=n test_schedules [--scenario NAME [--schedule TEXT]]\n"), 2;
	}
	for (i = 0; only != NULL && i < SCENARIOS && strcmp(scenarios[i].name, only) != 0; i++)
		;
	if (i == SCENARIOS || (schedule != NULL && only == NULL))
		return fprintf(stderr, "test_schedules: no such scenario\n"), 2;
	/* or each schedule would have its work spaces from the kernel anew */
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
	for (k = 0; k < GROUNDS; k++)
		make_base((enum ground)k);
	made = get(NULL, VERSIONS_MAX, sizeof *made);
	if (schedule != NULL) {
		scenario = &scenarios[i];
		return repeat(schedule);
	}
	printf("# SEED=%llu SCHEDULES=%llu\n", (unsigned long long)seed, (unsigned long long)wanted);
	explore(wanted, only);
	printf("# %llu schedules, %llu distinct, the longest of %u steps; %llu commits, %llu looks at rows and windows, %llu expired, %llu torn slots said, %llu busy, "
	    "%llu renames, %llu copies damaged or cut; %zu files verified\n", (unsigned long long)runs, (unsigned long long)distinct, steps_longest, (unsigned long long)total_commits,
	    (unsigned long long)total_looks, (unsigned long long)total_expired, (unsigned long long)total_torn, (unsigned long long)total_busy,
	    (unsigned long long)total_renames, (unsigned long long)total_copies_bad, files_seen.n);
	CHECK(failures == 0, "P7, P8, 10.2, 10.4: under every schedule a reader has one version, and no commit is lost");
	for (k = 0; k < GROUNDS; k++) {
		free(bases[k].bytes);
		free(bases[k].rows);
	}
	free(made);
	free(files_seen.slot);
	free(schedules_seen.slot);
	free_stacks();
	remove_files();
	return tap_done();
}

#endif
