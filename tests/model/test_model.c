/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_model.c - random operations on files through otr.h, against plain arrays (testing.md M8; promises P10, P11).
 *
 *	SEED=n OPS=n test_model [--session N] [--keep DIR]
 *
 * A *session* is one file from its creation on: some hundred operations, each with random numbers of its own, so that any subset of them can be
 * run again.  The sessions run in a child process; where it finds a difference, dies or hangs, the parent runs the session again with fewer and
 * fewer operations and prints what is left of it.  --keep DIR leaves the files there, with what the model says of some of their versions:
 * NNNN.otr and NNNN.V.csv (V: the version).
 */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "hang.h"
#include "tap.h"
#include "windows.h"

#define READERS 3
#define SESSION_OPS_MAX 2000
#define ROWS_MAX 12000           /* of a session, after which it only asks */
#define VALUES_MAX 3000000       /* ever */
#define HANG_SECONDS 60
#define USUAL_BASE_NS INT64_C(1700000000000000000)

/* What the parent sees of the child. */
struct progress {
	uint64_t session, operations, commits, rows, windows, files, changes, pieces, expired, pruned;
	uint64_t kinds[24];
	int op, failed;
	char text[1024];
};

enum style { WALK, SMALL, BITS, CONSTANT, FEW, RUNS, SPECIAL, COUNTER, DECIMALS, STYLES };

struct session {
	uint64_t seed;
	const char *path;
	struct series s;
	unsigned ops;
	/* how this session's rows look */
	int64_t base_ns, clock_ns;
	uint64_t step_ns;
	unsigned jitter, null_percent[OTR_MAX_COLUMNS], big_percent;
	enum style style[OTR_MAX_COLUMNS];
	uint64_t walk[OTR_MAX_COLUMNS];
	bool one_each;                   /* a writer handle for each commit */
	struct otr_writer *writer;
	char author[OTR_MAX_AUTHOR + 1], message[OTR_MAX_MESSAGE + 1];    /* of the writer */
	/* of the commit being made */
	struct batch sorted;             /* the batch in order of time: so it is committed in pieces (SPEC 9.4) */
	size_t done;                     /* rows of it that earlier pieces have taken */
	uint64_t told;                   /* rows that they accounted for */
	unsigned pieces;
	bool piece_differs;
	bool deleting;
	int64_t batch_last;              /* INT64_MIN: no batch */
	int64_t horizon_before;
	uint64_t size_limit, size_set;   /* of the file; version that set it */
	unsigned epoch, reader_epoch[READERS];   /* moves with horizon and oldest version */
	struct otr *reader[READERS];
	uint64_t reader_newest[READERS], reader_version[READERS];
	struct batch batch;
	bool verbose;
};

static struct progress *progress;
static bool verify_always;       /* after each operation that may write: VERIFY=1 */
static char directory[512];

static void
say(const struct session *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
say(const struct session *x, const char *format, ...)
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

/* ---- values and times ---------------------------------------------------------------------------------------------------- */

static const uint64_t special64[] = { 0, UINT64_C(0x8000000000000000), UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000),
	UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000000000), UINT64_C(0x7ff5dbb0554c0010), UINT64_C(0x7ffbadc0ffee7ea5),
	UINT64_C(0xfffbabb1edbee71e), UINT64_C(0xfff501aceca571e5), UINT64_C(0x7ff0000000000001), 1, UINT64_C(0x8000000000000001),
	UINT64_C(0x000fffffffffffff), UINT64_C(0x0010000000000000), UINT64_C(0x7fefffffffffffff), UINT64_C(0xffefffffffffffff),
	UINT64_C(0x3fb999999999999a), UINT64_C(0x3ff0000000000000), UINT64_C(0x4340000000000000), UINT64_C(0x44b52d02c7e14af6) };
static const uint64_t special32[] = { 0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fa00001, 1, 0x80000001, 0x007fffff,
	0x00800000, 0x7f7fffff, 0xff7fffff, 0x3dcccccd, 0x3f800000, 0x3f800001 };
static const int64_t special_i64[] = { 0, 1, -1, INT64_MIN, INT64_MAX, INT64_MIN + 1, INT64_MAX - 1, INT64_C(1) << 53, (INT64_C(1) << 53) + 1, -42 };
static const int32_t special_i32[] = { 0, 1, -1, INT32_MIN, INT32_MAX, INT32_MIN + 1, INT32_MAX - 1, 65536, -42 };

static uint64_t
of_double(enum otr_type type, double d)
{
	float f = (float)d;
	uint32_t b;

	if (type == OTR_F64)
		return bits_of(d);
	memcpy(&b, &f, sizeof b);
	return b;
}

static uint64_t
of_integer(enum otr_type type, int64_t i)
{
	return type == OTR_BOOL ? (uint64_t)i & 1 : type == OTR_I32 ? (uint64_t)(int64_t)(int32_t)(uint32_t)i : (uint64_t)i;
}

static uint64_t
make_value(struct session *x, struct rng *r, uint32_t c)
{
	enum otr_type type = x->s.schema.column[c].type;
	enum style style = x->style[c];
	uint64_t *walk = &x->walk[c];
	int64_t i;

	if (chance(r, 1))
		style = (enum style)below(r, STYLES);
	switch (style) {
	case WALK:
		*walk += below(r, 21) - 10;
		i = (int64_t)*walk;
		return is_float(type) ? of_double(type, (double)(i % 100000) / 100) : of_integer(type, i);
	case SMALL:
		i = (int64_t)below(r, 200) - 100;
		return is_float(type) ? of_double(type, (double)i) : of_integer(type, i);
	case BITS:
		return type == OTR_F64 ? rnd(r) : type == OTR_F32 ? rnd(r) >> 32 : of_integer(type, (int64_t)rnd(r));
	case CONSTANT:
		return is_float(type) ? of_double(type, (double)(x->seed % 1000) / 10) : of_integer(type, (int64_t)(x->seed % 1000));
	case FEW:
		i = (int64_t)((below(r, 5) + 1) * (x->seed | 1));
		return is_float(type) ? of_double(type, (double)i * 1e-7) : of_integer(type, i);
	case RUNS:
		if (chance(r, 3))
			*walk = rnd(r);
		return is_float(type) ? of_double(type, (double)(*walk % 1000) * 0.1) : of_integer(type, (int64_t)*walk);
	case SPECIAL:
		if (type == OTR_F64)
			return special64[below(r, sizeof special64 / sizeof special64[0])];
		if (type == OTR_F32)
			return special32[below(r, sizeof special32 / sizeof special32[0])];
		if (type == OTR_I64)
			return (uint64_t)special_i64[below(r, sizeof special_i64 / sizeof special_i64[0])];
		return of_integer(type, special_i32[below(r, sizeof special_i32 / sizeof special_i32[0])]);
	case COUNTER:
		*walk = chance(r, 2) ? below(r, 50) : (*walk & UINT32_MAX) + below(r, 30);
		return is_float(type) ? of_double(type, (double)*walk) : of_integer(type, (int64_t)*walk);
	default:
		i = (int64_t)below(r, 50) + 12;
		i = (int64_t)(rnd(r) >> i) - 5000;
		return is_float(type) ? of_double(type, (double)i / (double[]){ 1, 10, 100, 1000, 1e6, 1e9 }[below(r, 6)]) : of_integer(type, i);
	}
}

static int64_t
clamp(int64_t t)
{
	return t < OTR_TIME_MIN ? OTR_TIME_MIN : t > OTR_TIME_MAX ? OTR_TIME_MAX : t;
}

static int64_t
moved(int64_t t, int64_t by)
{
	if (by >= 0 ? t > OTR_TIME_MAX - by : t < OTR_TIME_MIN - by)
		return by >= 0 ? OTR_TIME_MAX : OTR_TIME_MIN;
	return clamp(t + by);
}

/* A time that a question may be about: at, between, before and after rows. */
static int64_t
some_time(struct session *x, struct rng *r, const struct view *w)
{
	int64_t t = w->n > 0 ? w->t[below(r, w->n)] : x->base_ns;

	switch (below(r, 8)) {
	case 0:
		return clamp((int64_t)rnd(r));
	case 1:
		return moved(t, -1);
	case 2:
		return moved(t, 1);
	case 3:
		return moved(t, (int64_t)below(r, x->step_ns * 2 + 1) - (int64_t)x->step_ns);
	case 4:
		return 0;
	case 5:
		if (w->n == 0)
			return 1;
		t = w->t[chance(r, 50) ? 0 : w->n - 1];
		return moved(t, (int64_t)below(r, 3) - 1);
	default:
		return t;
	}
}

static void
some_range(struct session *x, struct rng *r, const struct view *w, int64_t *start, int64_t *end)
{
	*start = chance(r, 25) ? INT64_MIN : some_time(x, r, w);
	*end = chance(r, 25) ? INT64_MAX : some_time(x, r, w);
	if (chance(r, 40) && w->n > 0) {
		/* a narrow one */
		size_t i = (size_t)below(r, w->n), j = i + (size_t)below(r, 40);

		*start = moved(w->t[i], (int64_t)below(r, 3) - 1);
		*end = moved(w->t[j < w->n ? j : w->n - 1], (int64_t)below(r, 3) - 1);
	}
	if (*start > *end && !chance(r, 4)) {
		int64_t t = *start;

		*start = *end;
		*end = t;
	}
}

/* ---- handles ---------------------------------------------------------------------------------------------------------------- */

static bool
status_is_ok(const char *call, enum otr_status status, const struct otr_error *err)
{
	return status == OTR_OK ? true : fail("%s: status %d (%s): %s (SPEC %s, page %lld, sys %d)", call, status, otr_status_text(status), err->text,
	    err->spec, (long long)err->page, err->sys_errno);
}

/* A reader, opened now or before, at the version asked for. */
static struct otr *
reader_at(struct session *x, struct rng *r, uint64_t version)
{
	unsigned i = (unsigned)below(r, READERS);
	struct otr_error err = { .text = "" };
	struct otr_info info;

	if (x->reader[i] != NULL && (chance(r, 8) || (x->reader_epoch[i] != x->epoch && chance(r, 30)))) {
		otr_close(x->reader[i]);
		x->reader[i] = NULL;
	}
	if (x->reader[i] == NULL) {
		if (chance(r, 30)) {
			if (!status_is_ok("otr_open_at", otr_open_at(x->path, version, &x->reader[i], &err), &err))
				return NULL;
			x->reader_version[i] = version;
		} else {
			if (!status_is_ok("otr_open", otr_open(x->path, &x->reader[i], &err), &err))
				return NULL;
			x->reader_version[i] = newest(&x->s);
		}
		x->reader_newest[i] = newest(&x->s);
		x->reader_epoch[i] = x->epoch;
		if (otr_notice(x->reader[i], 0, NULL) != NULL) {
			fail("a notice: %s", otr_notice(x->reader[i], 0, NULL));
			return NULL;
		}
	}
	/* what a handle gives that was opened before rows expired is what test_readers.c is for */
	if (version > x->reader_newest[i] || x->reader_epoch[i] != x->epoch || (version == newest(&x->s) && chance(r, 50))) {
		if (!status_is_ok("otr_refresh", otr_refresh(x->reader[i], &err), &err))
			return NULL;
		x->reader_newest[i] = x->reader_version[i] = newest(&x->s);
		x->reader_epoch[i] = x->epoch;
	}
	if (version != x->reader_version[i] || chance(r, 5)) {
		if (!status_is_ok("otr_select_version", otr_select_version(x->reader[i], version, &err), &err)) {
			fail("version %llu of %llu: %s", (unsigned long long)version, (unsigned long long)newest(&x->s), err.text);
			return NULL;
		}
		x->reader_version[i] = version;
	}
	otr_get_info(x->reader[i], &info);
	if (info.version != version) {
		fail("the handle reads version %llu, not %llu", (unsigned long long)info.version, (unsigned long long)version);
		return NULL;
	}
	return x->reader[i];
}

static uint64_t
some_version(struct session *x, struct rng *r)
{
	uint64_t n = newest(&x->s), kept = n - x->s.oldest;

	if (chance(r, 60))
		return n;
	if (chance(r, 10))
		return x->s.oldest;
	if (chance(r, 30))
		return n - below(r, kept < 5 ? kept + 1 : 5);
	return n - below(r, kept + 1);
}

/* ---- operations --------------------------------------------------------------------------------------------------------------- */

static uint64_t
all_columns(const struct session *x)
{
	return UINT64_MAX >> (64 - x->s.columns);
}

static uint64_t
some_columns(struct rng *r)
{
	return chance(r, 60) ? UINT64_MAX : rnd(r);
}

/* Rows [lo, hi) of w, as a cursor gives them; limit: stop after so many. */
static bool
check_rows(struct session *x, struct otr *file, const struct view *w, int64_t start, int64_t end, uint64_t columns, bool reverse, size_t lo, size_t hi,
    size_t limit)
{
	struct otr_cursor *cursor = NULL;
	struct otr_rows rows;
	struct otr_error err = { .text = "" };
	enum otr_status status = otr_cursor_open(file, start, end, columns, reverse, &cursor, &err);
	size_t given = 0, n = hi - lo, k;
	uint32_t c;
	bool ok = true;

	if (start > end) {
		if (status == OTR_OK)
			otr_cursor_close(cursor);
		return status == OTR_E_ARG ? true : fail("otr_cursor_open: status %d for a start after the end", status);
	}
	if (!status_is_ok("otr_cursor_open", status, &err))
		return false;
	while (ok && given < limit && (status = otr_cursor_next(cursor, &rows, &err)) == OTR_OK) {
		if (rows.n == 0 || rows.n > 65535) {
			ok = fail("a batch of %zu rows", rows.n);
			break;
		}
		if (given + rows.n > n) {
			ok = fail("row %zu: more rows than the %zu expected, time %lld", given, n, (long long)rows.time_ns[n - given]);
			break;
		}
		for (k = 0; k < rows.n && ok; k++) {
			size_t i = reverse ? hi - 1 - given - k : lo + given + k;

			if (rows.time_ns[k] != w->t[i])
				ok = fail("row %zu: time %lld, expected %lld", i, (long long)rows.time_ns[k], (long long)w->t[i]);
		}
		for (c = 0; c < x->s.columns && ok; c++) {
			if ((columns >> c & 1) == 0) {
				if (rows.value[c] != NULL)
					ok = fail("column %u was not asked for and is there", c);
				continue;
			}
			for (k = 0; k < rows.n && ok; k++) {
				size_t i = reverse ? hi - 1 - given - k : lo + given + k;
				bool present = rows.present[c] == NULL || (rows.present[c][k >> 3] >> (k & 7) & 1) != 0;
				bool expected = (w->mask[i] >> c & 1) != 0;
				uint64_t v = expected ? value_at(&x->s, w, i, c) : 0;

				if (present != expected || rows.value[c][k] != v)
					ok = fail("row %zu (time %lld) column %u: %s %016llx, expected %s %016llx", i, (long long)w->t[i], c,
					    present ? "value" : "null", (unsigned long long)rows.value[c][k], expected ? "value" : "null", (unsigned long long)v);
			}
		}
		given += rows.n;
	}
	if (ok && given < limit) {
		if (status != OTR_END)
			ok = status_is_ok("otr_cursor_next", status, &err);
		else if (given != n)
			ok = fail("%zu rows, expected %zu", given, n);
		else if (rows.n != 0 || otr_cursor_next(cursor, &rows, &err) != OTR_END)
			ok = fail("the end is not the end");
	}
	otr_cursor_close(cursor);
	return ok;
}

static bool
op_dump(struct session *x, struct rng *r)
{
	uint64_t version = some_version(x, r), columns = some_columns(r);
	bool reverse = chance(r, 20);
	const struct view *w = view_at(&x->s, version);
	struct otr *file;

	say(x, "dump of version %llu, %zu rows%s", (unsigned long long)version, w->n, reverse ? ", reverse" : "");
	file = reader_at(x, r, version);
	return file != NULL && check_rows(x, file, w, INT64_MIN, INT64_MAX, columns, reverse, 0, w->n, SIZE_MAX);
}

static bool
op_range(struct session *x, struct rng *r)
{
	uint64_t version = some_version(x, r), columns = some_columns(r);
	bool reverse = chance(r, 40);
	const struct view *w = view_at(&x->s, version);
	struct otr *file = reader_at(x, r, version);
	int64_t start, end;
	size_t lo, hi;

	some_range(x, r, w, &start, &end);
	lo = start == INT64_MIN ? 0 : lower(w, start);
	hi = end == INT64_MAX ? w->n : lower(w, end);
	say(x, "rows [%lld, %lld) of version %llu%s: %zu..%zu", (long long)start, (long long)end, (unsigned long long)version, reverse ? ", reverse" : "", lo, hi);
	return file != NULL && check_rows(x, file, w, start, end, columns, reverse, lo, hi < lo ? lo : hi, chance(r, 50) ? SIZE_MAX : 1 + (size_t)below(r, 20));
}

/* The row nearest to a time: at or after it, or strictly before. */
static bool
op_nearest(struct session *x, struct rng *r)
{
	uint64_t version = some_version(x, r);
	const struct view *w = view_at(&x->s, version);
	struct otr *file = reader_at(x, r, version);
	int64_t t = some_time(x, r, w);
	size_t i = lower(w, t);
	bool before = chance(r, 50);

	say(x, "nearest %s %lld in version %llu: row %zu", before ? "before" : "at or after", (long long)t, (unsigned long long)version, before ? i - 1 : i);
	if (file == NULL)
		return false;
	return before ? check_rows(x, file, w, INT64_MIN, t, UINT64_MAX, true, 0, i, 1) : check_rows(x, file, w, t, INT64_MAX, UINT64_MAX, false, i, w->n, 1);
}

static bool
op_windows(struct session *x, struct rng *r)
{
	uint64_t version = some_version(x, r);
	const struct view *w = view_at(&x->s, version);
	struct otr_window_spec spec = { .kind = (enum otr_window_kind)below(r, 3) };
	struct otr *file = reader_at(x, r, version);
	uint64_t span, windows = 1 + below(r, chance(r, 80) ? 30 : 300);
	int64_t from, to;

	spec.columns = some_columns(r);
	spec.want = (unsigned)below(r, 16);
	some_range(x, r, w, &spec.start_ns, &spec.end_ns);
	/* the extent of the data in the range: what windows are to divide */
	from = w->n > 0 && spec.start_ns < w->t[0] ? w->t[0] : spec.start_ns;
	to = w->n > 0 && spec.end_ns > w->t[w->n - 1] ? w->t[w->n - 1] : spec.end_ns;
	span = from < to ? distance(from, to) : 0;
	spec.points = windows;
	if (chance(r, 5) && span > 0)
		spec.points = span + 2 < 1000 ? span + below(r, 4) : windows;
	spec.width_ns = span / windows + below(r, 3);
	if (chance(r, 30)) {
		spec.width_ns = x->step_ns * (1 + below(r, 50));
		spec.width_ns += chance(r, 50) ? 0 : below(r, x->step_ns) - x->step_ns / 2;
	}
	if (chance(r, 10))
		spec.width_ns = UINT64_C(1) << below(r, 63);
	if (spec.width_ns == 0 || spec.width_ns > INT64_MAX)
		spec.width_ns = 1 + (rnd(r) >> 2);
	if (chance(r, 30))
		spec.origin_ns = chance(r, 50) ? (int64_t)rnd(r) : some_time(x, r, w);
	if ((spec.want & OTR_WANT_AREA) != 0 && span / spec.width_ns > 2000)
		spec.width_ns = span / 500;
	say(x, "windows of version %llu: kind %d [%lld, %lld) width %llu origin %lld points %llu columns %llx want %u", (unsigned long long)version, spec.kind,
	    (long long)spec.start_ns, (long long)spec.end_ns, (unsigned long long)spec.width_ns, (long long)spec.origin_ns, (unsigned long long)spec.points,
	    (unsigned long long)(spec.columns & all_columns(x)), spec.want);
	progress->windows++;
	return file != NULL && check_windows(&x->s, version, file, &spec);
}

static bool
same_policies(const struct otr_policies *a, const struct otr_policies *b)
{
	return a->duplicates == b->duplicates && a->has_max_size == b->has_max_size && a->max_bytes == b->max_bytes && a->has_retain == b->has_retain &&
	    a->retain_ns == b->retain_ns && a->history == b->history && a->history_value == b->history_value;
}

/* What the handle and the log say of a version. */
static bool
check_info(struct session *x, struct otr *file, uint64_t version)
{
	const struct view *w = view_at(&x->s, version);
	const struct version *v = &x->s.version[version];
	const struct meta_set *m = &x->s.meta[v->meta];
	struct otr_commit commit;
	struct otr_info info;
	struct otr_meta meta;
	struct otr_error err = { .text = "" };
	uint64_t fixed;
	size_t i;

	otr_get_info(file, &info);
	if (info.rows != w->n || (w->n > 0 && (info.first_ns != w->t[0] || info.last_ns != w->t[w->n - 1])))
		return fail("info: rows %llu first %lld last %lld, expected %zu %lld %lld", (unsigned long long)info.rows, (long long)info.first_ns,
		    (long long)info.last_ns, w->n, w->n > 0 ? (long long)w->t[0] : 0, w->n > 0 ? (long long)w->t[w->n - 1] : 0);
	if (info.time_digits != v->digits)
		return fail("info: time_digits %u, expected %u", info.time_digits, v->digits);
	if (info.oldest_version != x->s.oldest || info.newest_version > newest(&x->s) || info.newest_version < version)
		return fail("info: newest %llu oldest %llu, expected the oldest %llu", (unsigned long long)info.newest_version, (unsigned long long)info.oldest_version,
		    (unsigned long long)x->s.oldest);
	fixed = x->s.schema.page_bytes >= 16384 ? 1 : 16384 / x->s.schema.page_bytes;
	if (info.page_count != fixed + info.live_pages + info.free_pages || info.file_bytes < info.page_count * x->s.schema.page_bytes ||
	    info.format_major != 1 || info.format_minor != 0)
		return fail("info: pages %llu live %llu free %llu, %llu bytes", (unsigned long long)info.page_count, (unsigned long long)info.live_pages,
		    (unsigned long long)info.free_pages, (unsigned long long)info.file_bytes);
	if (info.riding_rows > info.rows || (info.depth == 0 && info.riding_rows != info.rows))
		return fail("info: %llu of %llu rows ride, depth %u", (unsigned long long)info.riding_rows, (unsigned long long)info.rows, info.depth);
	if (info.newest_version == newest(&x->s) && !same_policies(otr_policies(file), &x->s.policies))
		return fail("the policies differ");
	if (!status_is_ok("otr_commit_get", otr_commit_get(file, &commit, &err), &err))
		return false;
	if (commit.version != version || commit.time_ns != v->time_ns || commit.kind != v->kind || commit.rows != v->rows || commit.added != v->added ||
	    commit.removed != v->removed)
		return fail("commit %llu: version %llu time %lld kind %d rows %llu added %llu removed %llu, expected time %lld kind %d rows %llu added %llu removed %llu",
		    (unsigned long long)version, (unsigned long long)commit.version, (long long)commit.time_ns, commit.kind, (unsigned long long)commit.rows,
		    (unsigned long long)commit.added, (unsigned long long)commit.removed, (long long)v->time_ns, v->kind, (unsigned long long)v->rows,
		    (unsigned long long)v->added, (unsigned long long)v->removed);
	if (strcmp(commit.author, v->author == NULL ? "" : v->author) != 0 || strcmp(commit.message, v->message == NULL ? "" : v->message) != 0)
		return fail("commit %llu: author \"%s\" message \"%s\"", (unsigned long long)version, commit.author, commit.message);
	for (i = 0; i < m->n; i++) {
		const struct entry *e = &m->entry[i];

		if (!status_is_ok("otr_meta_entry", otr_meta_entry(file, i, &meta, &err), &err))
			return fail("version %llu: metadata %zu (%s) of %zu: %s", (unsigned long long)version, i, e->key, m->n, err.text);
		if (strcmp(meta.key, e->key) != 0 || meta.value_bytes != e->bytes || memcmp(meta.value, e->value, e->bytes + 1) != 0)
			return fail("version %llu: metadata %zu: %s=%.40s.., expected %s=%.40s..", (unsigned long long)version, i, meta.key, meta.value, e->key, e->value);
	}
	if (otr_meta_entry(file, m->n, &meta, &err) != OTR_END)
		return fail("version %llu: metadata: more than %zu entries", (unsigned long long)version, m->n);
	return true;
}

static bool
op_info(struct session *x, struct rng *r)
{
	uint64_t version = some_version(x, r);
	struct otr *file = reader_at(x, r, version);

	say(x, "info of version %llu", (unsigned long long)version);
	return file != NULL && check_info(x, file, version);
}

static bool
op_at_time(struct session *x, struct rng *r)
{
	int64_t t = x->s.version[below(r, x->s.versions)].time_ns, version;
	struct otr_error err = { .text = "" };
	struct otr_info info;
	struct otr *file = reader_at(x, r, newest(&x->s));
	const struct view *w;
	enum otr_status status;
	unsigned i;
	bool ok;

	t = moved(t, (int64_t)below(r, 3) - 1);
	if (file == NULL)
		return false;
	for (i = 0; x->reader[i] != file; i++)
		;
	/* the handle knows the versions up to its newest, which is the newest */
	if (!status_is_ok("otr_refresh", otr_refresh(file, &err), &err))
		return false;
	x->reader_newest[i] = x->reader_version[i] = newest(&x->s);
	x->reader_epoch[i] = x->epoch;
	version = version_at(&x->s, t);
	say(x, "as of the time %lld: version %lld", (long long)t, (long long)version);
	status = otr_select_time(file, t, &err);
	if (version < 0)
		return status == OTR_E_NOTFOUND ? true : fail("otr_select_time before version 0: status %d", status);
	if (!status_is_ok("otr_select_time", status, &err))
		return false;
	otr_get_info(file, &info);
	x->reader_version[i] = info.version;
	if (info.version != (uint64_t)version)
		return fail("as of %lld: version %llu, expected %lld", (long long)t, (unsigned long long)info.version, (long long)version);
	w = view_at(&x->s, (uint64_t)version);
	ok = check_rows(x, file, w, INT64_MIN, INT64_MAX, UINT64_MAX, false, 0, w->n, SIZE_MAX);
	if (ok && otr_select_version(file, newest(&x->s) + 1 + below(r, 3), &err) != OTR_E_NOTFOUND)
		return fail("a version beyond the newest was selected");
	return ok;
}

static void
found_fault(void *arg, const struct otr_finding *f)
{
	char *text = arg;

	if (!f->note && text[0] == '\0')
		snprintf(text, 500, "place %d number %llu: %s (SPEC %s)", f->place, (unsigned long long)f->number, f->text, f->spec);
}

#pragma weak otr_verify

static bool
op_verify(struct session *x, struct rng *r)
{
	char text[500] = "";
	uint64_t faults = 0;
	struct otr_error err = { .text = "" };

	(void)r;
	say(x, "verify");
	if (otr_verify == NULL)
		return true;
	if (!status_is_ok("otr_verify", otr_verify(x->path, &(struct otr_verify_options){ .found = found_fault, .arg = text }, &faults, &err), &err))
		return false;
	return faults == 0 && text[0] == '\0' ? true : fail("verify: %llu faults, the first: %s", (unsigned long long)faults, text);
}

static bool
op_scan(struct session *x, struct rng *r)
{
	uint64_t version = some_version(x, r), gaps = 0, longest = 0, equal = 0;
	const struct view *w = view_at(&x->s, version);
	struct otr *file = reader_at(x, r, version);
	struct otr_scan scan;
	struct otr_error err = { .text = "" };
	size_t i;

	say(x, "scan of version %llu", (unsigned long long)version);
	if (file == NULL || !status_is_ok("otr_scan", otr_scan(file, &scan, &err), &err))
		return false;
	for (i = 1; i < w->n; i++) {
		uint64_t dt = distance(w->t[i - 1], w->t[i]);

		gaps += x->s.schema.has_gap && dt > x->s.schema.gap_ns;
		longest = dt > longest ? dt : longest;
		equal += dt == 0;
	}
	if (scan.gap_count != gaps || scan.longest_gap_ns != longest || scan.duplicates != equal)
		return fail("scan: gaps %llu longest %llu duplicates %llu, expected %llu %llu %llu", (unsigned long long)scan.gap_count,
		    (unsigned long long)scan.longest_gap_ns, (unsigned long long)scan.duplicates, (unsigned long long)gaps, (unsigned long long)longest,
		    (unsigned long long)equal);
	return true;
}

/* ---- appends ---------------------------------------------------------------------------------------------------------------------- */

static void
put_row(struct session *x, struct rng *r, size_t i, int64_t t)
{
	uint32_t c;

	x->batch.t[i] = t;
	x->batch.mask[i] = 0;
	for (c = 0; c < x->s.columns; c++) {
		bool null = chance(r, x->null_percent[c]);

		if (!null)
			x->batch.mask[i] |= UINT64_C(1) << c;
		x->batch.v[i * x->s.columns + c] = null ? 0 : make_value(x, r, c);
	}
}

/* Row i becomes row k of the series. */
static void
copy_row(struct session *x, size_t i, const struct view *w, size_t k)
{
	uint32_t c;

	x->batch.t[i] = w->t[k];
	x->batch.mask[i] = w->mask[k];
	for (c = 0; c < x->s.columns; c++)
		x->batch.v[i * x->s.columns + c] = value_at(&x->s, w, k, c);
}

static int64_t
step(struct session *x, struct rng *r)
{
	int64_t by = (int64_t)x->step_ns;

	if (chance(r, x->jitter))
		by += (int64_t)below(r, x->step_ns + 1) - (int64_t)(x->step_ns / 2);
	if (chance(r, 2) || (chance(r, x->jitter) && chance(r, 10)))
		by *= (int64_t)below(r, chance(r, 50) ? 4 : 100) + 1;
	return by < 1 ? 1 : by;
}

static const char *const shapes[] = { "in order", "a few late", "all over", "a replay", "equal times", "new values", "extreme times", "replay with more" };

static unsigned
make_batch(struct session *x, struct rng *r)
{
	const struct view *w = view_at(&x->s, newest(&x->s));
	size_t n, i, k;
	int64_t last, t = w->n > 0 ? w->t[w->n - 1] : x->base_ns;
	unsigned shape = (unsigned)below(r, 100);

	shape = shape < 55 ? 0 : shape < 70 ? 1 : shape < 78 ? 2 : shape < 83 ? 3 : shape < 88 ? 4 : shape < 93 ? 5 : shape < 94 ? 6 : 7;
	if (shape == 6 && !chance(r, 10))
		shape = 0;
	n = chance(r, 60) ? 1 : 1 + (size_t)below(r, chance(r, 70) ? 10 : chance(r, 80) ? 200 : x->big_percent > 0 ? 3000 : 600);
	if (x->s.policies.has_max_size && chance(r, 30))
		n = 1 + (size_t)below(r, 1200);
	if (x->s.columns > 8 && n > 300)
		n = 300;
	if (x->s.policies.duplicates == OTR_ERROR && shape != 0 && shape != 2 && !chance(r, 20))
		shape = 1;
	batch_reserve(&x->batch, x->s.columns, n + 1);
	x->batch.n = n;
	for (i = 0; i < n; i++) {
		switch (w->n == 0 && (shape == 3 || shape == 5 || shape == 7) ? 0 : shape) {
		case 0:
			t = moved(t, step(x, r));
			put_row(x, r, i, t);
			break;
		case 1:
			if (n == 1 || chance(r, 20)) {
				int64_t at = w->n > 0 ? w->t[w->n - 1 - below(r, w->n < 20 ? w->n : 20)] : t;

				put_row(x, r, i, moved(at, (int64_t)below(r, x->step_ns + 1) - (int64_t)(x->step_ns / 2)));
			} else {
				t = moved(t, step(x, r));
				put_row(x, r, i, t);
			}
			break;
		case 2:
			last = w->n > 0 ? w->t[below(r, w->n)] : x->base_ns;
			put_row(x, r, i, moved(last, (int64_t)below(r, 20 * x->step_ns + 1) - (int64_t)(10 * x->step_ns)));
			break;
		case 3:
			k = (size_t)below(r, w->n);
			if (i > 0 && x->s.policies.duplicates == OTR_KEEP)
				k = (size_t)below(r, w->n);
			copy_row(x, i, w, k);
			break;
		case 4:
			if (i == 0 || chance(r, 10))
				t = moved(t, chance(r, 50) ? 0 : step(x, r));
			put_row(x, r, i, t);
			break;
		case 5:
			put_row(x, r, i, w->t[below(r, w->n)]);
			break;
		case 6:
			put_row(x, r, i, chance(r, 40) ? OTR_TIME_MIN : chance(r, 30) ? OTR_TIME_MAX : clamp((int64_t)rnd(r)));
			break;
		default:
			/* the newest rows once more, then new ones */
			k = n / 2 + 1 < w->n ? w->n - n / 2 - 1 : 0;
			if (k + i < w->n) {
				copy_row(x, i, w, k + i);
			} else {
				t = moved(t, step(x, r));
				put_row(x, r, i, t);
			}
			break;
		}
	}
	return shape;
}

/* Rows [from, to) of the batch into the writer, column by column. */
static enum otr_status
feed(struct session *x, struct rng *r, size_t from, size_t to, struct otr_error *err)
{
	size_t n = to - from, bytes = (n + 7) / 8, i;
	uint32_t c, columns = x->s.columns;
	uint64_t *values = get(NULL, n * columns, sizeof *values);
	uint8_t *present = get(NULL, bytes * columns, 1);
	struct otr_rows rows = { .n = n, .time_ns = x->batch.t + from };
	enum otr_status status;

	memset(present, chance(r, 50) ? 0xff : 0, bytes * columns);
	for (c = 0; c < columns; c++) {
		bool nulls = false;

		for (i = 0; i < n; i++) {
			bool there = (x->batch.mask[from + i] >> c & 1) != 0;
			uint8_t *p = &present[c * bytes + i / 8];

			*p = (uint8_t)(there ? *p | 1u << i % 8 : *p & ~(1u << i % 8));
			/* the value of a null is ignored */
			values[c * n + i] = there ? x->batch.v[(from + i) * columns + c] : chance(r, 10) ? rnd(r) : 0;
			nulls = nulls || !there;
		}
		rows.value[c] = values + c * n;
		rows.present[c] = nulls || chance(r, 30) ? present + c * bytes : NULL;
	}
	status = otr_writer_add(x->writer, &rows, err);
	free(values);
	free(present);
	return status;
}

/* ---- what a commit does besides ------------------------------------------------------------------------------------------------------ */

static uint64_t
load(const uint8_t *b, unsigned n)
{
	return n == 0 ? 0 : (uint64_t)b[0] | load(b + 1, n - 1) << 8;
}

/* What the newest slot says (SPEC 4.1), read without the library. */
struct said {
	uint64_t version, oldest, bytes;
	int64_t horizon_ns;
};

static bool
read_slots(struct session *x, struct said *said)
{
	uint8_t b[2][512];
	int fd = open(x->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok = fd >= 0 && pread(fd, b[0], 512, 4096) == 512 && pread(fd, b[1], 512, 8192) == 512 && fstat(fd, &st) == 0;
	const uint8_t *at;

	if (fd >= 0)
		close(fd);
	if (!ok)
		return fail("the slots cannot be read");
	at = load(b[0] + 504, 8) + 1 > load(b[1] + 504, 8) + 1 ? b[0] : b[1];    /* a slot never written has the stamp 2^64 - 1 */
	*said = (struct said){ .version = load(at + 24, 8), .oldest = load(at + 168, 8), .horizon_ns = (int64_t)load(at + 200, 8), .bytes = (uint64_t)st.st_size };
	return true;
}

static int64_t
sub_saturated(int64_t a, uint64_t by)
{
	return by > distance(INT64_MIN, a) ? INT64_MIN : (int64_t)((uint64_t)a - by);
}

/* The oldest version may move as far as this; what the history policy lets go. */
static uint64_t
may_prune_to(const struct series *s)
{
	const struct otr_policies *p = &s->policies;
	uint64_t n = newest(s), v;

	switch (p->history) {
	case OTR_HISTORY_COUNT:
		v = p->history_value < n ? n - p->history_value : 0;
		break;
	case OTR_HISTORY_AGE:
		for (v = n; v > s->oldest && s->version[v].time_ns > sub_saturated(clock_now_ns, p->history_value); v--)
			;
		break;
	case OTR_HISTORY_FITS: case OTR_HISTORY_ALL: default:
		v = 0;
		break;
	}
	return p->has_max_size ? n : v > s->oldest ? v : s->oldest;
}

/* The horizon that the commit now being made brings by retain. */
static int64_t
retained_from(struct session *x)
{
	const struct otr_policies *p = &x->s.policies;
	const struct view *w = view_at(&x->s, newest(&x->s));
	int64_t last = w->n > 0 && w->t[w->n - 1] > x->batch_last ? w->t[w->n - 1] : x->batch_last, from;

	if (!p->has_retain || last == INT64_MIN)
		return x->s.horizon_ns;
	from = sub_saturated(last < clock_now_ns ? last : clock_now_ns, p->retain_ns);
	return from > x->s.horizon_ns ? from : x->s.horizon_ns;
}

/*
 * Before the model makes a commit that the file has made: what has expired by it goes first, if the policies allow it.  There was none: as if, so that the model does
 * not make one of rows that would be gone.
 */
static bool
expire(struct session *x, bool committed)
{
	const struct otr_policies *p = &x->s.policies;
	const struct view *w = view_at(&x->s, newest(&x->s));
	int64_t horizon = retained_from(x), last = w->n > 0 && w->t[w->n - 1] > x->batch_last ? w->t[w->n - 1] : x->batch_last;
	struct said said;

	x->horizon_before = x->s.horizon_ns;
	if (!committed) {
		x->s.horizon_ns = horizon;
		return true;
	}
	if (!read_slots(x, &said))
		return false;
	if (said.horizon_ns < horizon || (said.horizon_ns > horizon && !p->has_max_size))
		return fail("9.6: after version %llu: horizon %lld, expected %lld (before: %lld, last row %lld, clock %lld, retain %llu)", (unsigned long long)newest(&x->s),
		    (long long)said.horizon_ns, (long long)horizon, (long long)x->s.horizon_ns, (long long)last, (long long)clock_now_ns,
		    (unsigned long long)p->retain_ns);
	if (said.horizon_ns > horizon && said.horizon_ns > last)
		return fail("after version %llu: horizon %lld beyond the last row %lld", (unsigned long long)newest(&x->s), (long long)said.horizon_ns, (long long)last);
	if (said.horizon_ns > horizon && said.bytes < p->max_bytes / 3)
		return fail("after version %llu: rows expire while the file has %llu of %llu bytes", (unsigned long long)newest(&x->s), (unsigned long long)said.bytes,
		    (unsigned long long)p->max_bytes);
	if (said.horizon_ns != x->s.horizon_ns) {
		say(x, "... horizon %lld (last row %lld)", (long long)said.horizon_ns, (long long)last);
		progress->expired++;
		series_expire(&x->s, said.horizon_ns, x->s.oldest);
		x->epoch++;
	}
	return true;
}

/* After a commit: what was pruned is taken over from the file, if the policies allow it. */
static bool
settle(struct session *x)
{
	const struct otr_policies *p = &x->s.policies;
	uint64_t v = newest(&x->s), most = may_prune_to(&x->s);
	struct said said;

	if (!read_slots(x, &said))
		return false;
	if (said.version != v || said.horizon_ns != x->s.horizon_ns)
		return fail("the newest slot has version %llu, horizon %lld, expected %llu, %lld", (unsigned long long)said.version, (long long)said.horizon_ns,
		    (unsigned long long)v, (long long)x->s.horizon_ns);
	/* what went by the commit that set a size may be used again from the next but one on */
	if (p->has_max_size && v <= x->size_set + 2 && said.bytes > x->size_limit)
		x->size_limit = said.bytes;
	if (p->has_max_size && said.bytes > x->size_limit)
		return fail("version %llu: the file has %llu bytes, beyond %llu", (unsigned long long)v, (unsigned long long)said.bytes, (unsigned long long)x->size_limit);
	if (said.oldest < x->s.oldest || said.oldest > most)
		return fail("version %llu: the oldest is %llu, it was %llu, and %llu was to be kept", (unsigned long long)v, (unsigned long long)said.oldest,
		    (unsigned long long)x->s.oldest, (unsigned long long)most);
	/* of a longer history, a small commit may leave it to a later one */
	if (p->history == OTR_HISTORY_COUNT && p->history_value == 0 && said.oldest != v)
		return fail("version %llu: the oldest is %llu, no history was asked for", (unsigned long long)v, (unsigned long long)said.oldest);
	if (said.oldest != x->s.oldest) {
		say(x, "... the oldest version is %llu", (unsigned long long)said.oldest);
		progress->pruned += said.oldest - x->s.oldest;
		series_expire(&x->s, x->s.horizon_ns, said.oldest);
		x->epoch++;
	}
	x->s.version[v].rows = view_at(&x->s, v)->n;
	return true;
}

/* Where there was no commit. */
static bool
unchanged(struct session *x)
{
	struct said said;

	x->s.horizon_ns = x->horizon_before;
	if (!read_slots(x, &said))
		return false;
	return said.version == newest(&x->s) && said.horizon_ns == x->s.horizon_ns && said.oldest == x->s.oldest ? true :
	    fail("there was no commit, and the newest slot has version %llu, expected %llu", (unsigned long long)said.version, (unsigned long long)newest(&x->s));
}

static bool
versions_are_right(struct session *x, struct rng *r, unsigned count)
{
	struct otr *file = NULL;
	struct otr_error err = { .text = "" };
	bool ok = status_is_ok("otr_open", otr_open(x->path, &file, &err), &err);

	while (ok && count-- > 0) {
		uint64_t v = some_version(x, r);
		const struct view *w = view_at(&x->s, v);

		ok = status_is_ok("otr_select_version", otr_select_version(file, v, &err), &err) && check_info(x, file, v) &&
		    check_rows(x, file, w, INT64_MIN, INT64_MAX, UINT64_MAX, false, 0, w->n, SIZE_MAX);
		if (!ok) {
			char why[sizeof failure];

			memcpy(why, failure, sizeof why);
			fail("version %llu of %llu..%llu: %s", (unsigned long long)v, (unsigned long long)x->s.oldest, (unsigned long long)newest(&x->s), why);
		}
	}
	otr_close(file);
	return ok;
}

/* The next n rows of the sorted batch have become a version, or not. */
static struct applied
take(struct session *x, size_t n)
{
	struct batch part = { .n = n, .columns = x->s.columns, .t = x->sorted.t + x->done, .mask = x->sorted.mask + x->done,
		.v = x->sorted.v + x->done * x->s.columns };

	x->done += n;
	return series_apply(&x->s, &part, clock_now_ns, x->author, x->message);
}

/* A commit that let the oldest rows go to make room, the ones that it was to write among them: nothing is left to be written, and it is a version all the same. */
static void
made_room(struct session *x, uint64_t version, struct applied *a)
{
	size_t rows;

	if (a->changed || version <= newest(&x->s) || x->s.horizon_ns <= x->horizon_before || !x->s.policies.has_max_size)
		return;
	rows = view_at(&x->s, newest(&x->s))->n;
	new_version(&x->s, OTR_KIND_APPEND, clock_now_ns, x->author, x->message)->rows = rows;
	a->changed = true;
}

static void
begin_batch(struct session *x)
{
	batch_sorted(&x->sorted, &x->batch);
	x->batch_last = x->batch.n > 0 ? x->sorted.t[x->batch.n - 1] : INT64_MIN;
	x->done = 0;
	x->told = 0;
	x->pieces = 0;
	x->piece_differs = false;
}

/* The newest commit as the file has it. */
static bool
newest_record(struct session *x, uint64_t version, struct otr_commit *commit)
{
	struct otr *file = NULL;
	struct otr_error err = { .text = "" };
	bool ok = status_is_ok("otr_open_at", otr_open_at(x->path, version, &file, &err), &err) &&
	    status_is_ok("otr_commit_get", otr_commit_get(file, commit, &err), &err);

	otr_close(file);
	return ok;
}

static bool
check_piece(struct session *x, const struct otr_commit_result *result)
{
	struct batch left = { .n = x->batch.n - x->done, .columns = x->s.columns, .t = x->sorted.t + x->done, .mask = x->sorted.mask + x->done,
		.v = x->sorted.v + x->done * x->s.columns };
	struct otr_commit commit;
	struct applied a;
	size_t n;

	if (!x->s.policies.has_max_size)
		return fail("a piece, and no size was set");
	if (!expire(x, true) || !newest_record(x, result->version, &commit))
		return false;
	n = series_prefix(&x->s, &left, commit.added);
	say(x, "... a piece of %zu rows: added %llu replaced %llu skipped %llu", n, (unsigned long long)result->added, (unsigned long long)result->replaced,
	    (unsigned long long)result->skipped);
	if (n > left.n)
		return fail("a piece that added %llu rows, of %zu left", (unsigned long long)commit.added, left.n);
	a = take(x, n);
	made_room(x, result->version, &a);
	x->told += result->added + result->replaced + result->skipped;
	x->pieces++;
	progress->commits++;
	progress->pieces++;
	if (!result->committed || !a.changed || result->version != newest(&x->s) || result->added != a.added || result->replaced < a.replaced)
		return fail("a piece: committed %d version %llu added %llu replaced %llu, expected version %llu added %llu replaced %llu", result->committed,
		    (unsigned long long)result->version, (unsigned long long)result->added, (unsigned long long)result->replaced,
		    (unsigned long long)newest(&x->s), (unsigned long long)a.added, (unsigned long long)a.replaced);
	if (commit.rows != x->s.version[newest(&x->s)].rows)
		return fail("a piece: version %llu has %llu rows, expected %llu", (unsigned long long)newest(&x->s), (unsigned long long)commit.rows,
		    (unsigned long long)x->s.version[newest(&x->s)].rows);
	return settle(x);
}

static void
on_piece(void *arg, const struct otr_commit_result *result)
{
	struct session *x = arg;

	if (x->deleting) {                   /* the next piece is made already: op_delete sees to them */
		x->pieces++;
		x->told += result->removed;
	} else if (!x->piece_differs) {
		x->piece_differs = !check_piece(x, result);
	}
}

/* The end of a batch: the last commit, or the only one, or none. */
static bool
check_commit(struct session *x, const struct otr_commit_result *result)
{
	struct applied a;

	if (!expire(x, result->version > newest(&x->s)))
		return false;
	a = take(x, x->batch.n - x->done);
	made_room(x, result->version, &a);
	progress->commits += a.changed;
	if (result->committed != (a.changed || x->pieces > 0) || result->version != newest(&x->s))
		return fail("append: committed %d version %llu, expected %d %llu", result->committed, (unsigned long long)result->version, a.changed,
		    (unsigned long long)newest(&x->s));
	if (result->added != a.added || x->told + result->added + result->replaced + result->skipped != x->batch.n || result->replaced < a.replaced ||
	    result->late > result->added + result->replaced)
		return fail("append of %zu rows: added %llu replaced %llu skipped %llu late %llu, expected added %llu replaced %llu", x->batch.n,
		    (unsigned long long)result->added, (unsigned long long)result->replaced, (unsigned long long)result->skipped, (unsigned long long)result->late,
		    (unsigned long long)a.added, (unsigned long long)a.replaced);
	return a.changed ? settle(x) : unchanged(x);
}

static void
close_writer(struct session *x)
{
	otr_writer_close(x->writer);
	x->writer = NULL;
}

/* Before each commit: a writer, and another time. */
static bool open_writer(struct session *x, struct rng *r);

static bool
prepare(struct session *x, struct rng *r)
{
	if (x->writer != NULL && (x->one_each || chance(r, 15)))
		close_writer(x);
	if (x->writer == NULL && !open_writer(x, r))
		return false;
	x->clock_ns += chance(r, 3) ? -(int64_t)below(r, 100000000000) : (int64_t)below(r, 3000000000);
	clock_now_ns = x->clock_ns;
	x->batch_last = INT64_MIN;
	x->horizon_before = x->s.horizon_ns;
	return true;
}

static bool
open_writer(struct session *x, struct rng *r)
{
	struct otr_writer_options options = { .wait_ns = 0, .piece = on_piece, .arg = x };
	struct otr_error err = { .text = "" };
	char *author = x->author, *message = x->message;

	author[0] = message[0] = '\0';
	if (chance(r, 70))
		snprintf(author, 64, "operator %llu", (unsigned long long)below(r, 5));
	if (chance(r, 30))
		snprintf(message, 64, "batch %llu \xc3\xa6\n", (unsigned long long)below(r, 1000));
	if (chance(r, 2)) {
		memset(message, 'm', OTR_MAX_MESSAGE);
		message[1 + below(r, OTR_MAX_MESSAGE)] = '\0';
		memset(author, 'a', OTR_MAX_AUTHOR);
		author[OTR_MAX_AUTHOR] = '\0';
	}
	options.author = author;
	options.message = message;
	if (!status_is_ok("otr_writer_open", otr_writer_open(x->path, &options, &x->writer, &err), &err))
		return false;
	if (otr_writer_notice(x->writer, 0, NULL) != NULL)
		return fail("a notice of the writer: %s", otr_writer_notice(x->writer, 0, NULL));
	return true;
}

static void
tell_batch(const struct session *x, unsigned shape, size_t given)
{
	size_t i;
	uint32_t c;

	say(x, "append %zu rows (%s) to %llu, version %llu", given, shapes[shape], (unsigned long long)x->s.version[newest(&x->s)].rows,
	    (unsigned long long)newest(&x->s));
	for (i = 0; x->verbose && i < given && given <= 12; i++) {
		printf("#      %lld", (long long)x->batch.t[i]);
		for (c = 0; c < x->s.columns; c++)
			if ((x->batch.mask[i] >> c & 1) != 0)
				printf(" %llx", (unsigned long long)x->batch.v[i * x->s.columns + c]);
			else
				printf(" -");
		putchar('\n');
	}
}

/* Whether there are so many rows of one time that a file of fixed size may not have the room to rewrite them in one commit, and it never splits them. */
static bool
is_crowded(const struct view *w)
{
	size_t i, from = 0;

	for (i = 0; i < w->n; i++) {
		if (w->t[i] != w->t[from])
			from = i;
		if (i - from >= 100)
			return true;
	}
	return false;
}

/* Whether there are, or would be with what is left of the batch: then a file of fixed size may refuse it (SPEC 9.4). */
static bool
is_crowding(struct session *x)
{
	const struct view *w = view_at(&x->s, newest(&x->s));
	size_t i = x->done, k, n, first;

	if (!x->s.policies.has_max_size)
		return false;
	for (; i < x->batch.n; i = k) {
		for (k = i + 1; k < x->batch.n && x->sorted.t[k] == x->sorted.t[i]; k++)
			;
		for (first = 0; first < w->n && w->t[first] < x->sorted.t[i]; first++)
			;
		for (n = first; n < w->n && w->t[n] == x->sorted.t[i]; n++)
			;
		if (n - first + (k - i) >= 100)
			return true;
	}
	return is_crowded(w);
}

static bool
op_append(struct session *x, struct rng *r)
{
	struct otr_error err = { .text = "" };
	struct otr_commit_result result;
	enum otr_status status = OTR_OK;
	unsigned shape;
	size_t from, to;

	if (x->s.n > ROWS_MAX || x->s.pool_rows * x->s.columns > VALUES_MAX)
		return op_range(x, r);
	shape = make_batch(x, r);
	tell_batch(x, shape, x->batch.n);
	if (!prepare(x, r))
		return false;
	begin_batch(x);
	for (from = 0; from < x->batch.n && status == OTR_OK; from = to) {
		to = chance(r, 70) ? x->batch.n : from + 1 + (size_t)below(r, x->batch.n - from);
		status = feed(x, r, from, to, &err);
	}
	if (x->piece_differs)
		return false;
	if (status == OTR_OK && chance(r, 2)) {
		say(x, "... and dropped");
		close_writer(x);
		return true;
	}
	if (status == OTR_OK)
		status = otr_writer_commit(x->writer, &result, &err);
	if (x->piece_differs)
		return false;
	if (x->s.policies.duplicates == OTR_ERROR) {
		struct batch left = { .n = x->batch.n - x->done, .columns = x->s.columns, .t = x->sorted.t + x->done, .mask = x->sorted.mask + x->done,
			.v = x->sorted.v + x->done * x->s.columns };

		struct said said;
		bool refused;

		if (!read_slots(x, &said))
			return false;
		/* two rows of one time are refused whether or not they would have expired by this commit; if they did, they may be skipped */
		x->horizon_before = x->s.horizon_ns;
		x->s.horizon_ns = status == OTR_E_DUPLICATE ? INT64_MIN : said.horizon_ns > retained_from(x) ? said.horizon_ns : retained_from(x);
		refused = series_refuses(&x->s, &left);
		x->s.horizon_ns = x->horizon_before;
		if (refused) {
			close_writer(x);
			if (status != OTR_E_DUPLICATE)
				return fail("append: status %d, expected OTR_E_DUPLICATE", status);
			if (err.row < 0 || (size_t)err.row >= x->batch.n || x->batch.t[err.row] != err.time_ns)
				return fail("append: duplicate at row %lld, time %lld", (long long)err.row, (long long)err.time_ns);
			return unchanged(x);
		}
	}
	if (status == OTR_E_LIMIT && is_crowding(x)) {
		say(x, "... refused: %s", err.text);
		close_writer(x);
		return unchanged(x);
	}
	if (!status_is_ok("append", status, &err))
		return false;
	progress->rows += x->batch.n;
	if (!check_commit(x, &result))
		return false;
	if (otr_writer_version(x->writer) != newest(&x->s))
		return fail("otr_writer_version: %llu", (unsigned long long)otr_writer_version(x->writer));
	return true;
}

/* The same feed once more: under replace and first mostly nothing changes. */
static bool
op_again(struct session *x, struct rng *r)
{
	struct otr_error err = { .text = "" };
	struct otr_commit_result result;
	enum otr_status status;

	if (x->batch.n == 0 || x->batch.columns != x->s.columns || x->writer == NULL ||
	    (x->s.policies.duplicates != OTR_REPLACE && x->s.policies.duplicates != OTR_FIRST))
		return op_append(x, r);
	/* the model decides what it changes: rows that a later commit replaced come back */
	say(x, "the same %zu rows again", x->batch.n);
	begin_batch(x);
	status = feed(x, r, 0, x->batch.n, &err);
	if (status == OTR_OK && !x->piece_differs)
		status = otr_writer_commit(x->writer, &result, &err);
	if (!x->piece_differs && status == OTR_E_LIMIT && is_crowding(x)) {
		close_writer(x);
		return unchanged(x);
	}
	if (x->piece_differs || !status_is_ok("append again", status, &err))
		return false;
	return check_commit(x, &result);
}

/* ---- changes ---------------------------------------------------------------------------------------------------------------------- */

/* Rows of about one in `one_in`, told by their content; the same for the library's rows and for the model's. */
struct picky {
	uint64_t salt, one_in;
	uint32_t columns;
	int64_t start_ns, end_ns;
	uint64_t asked, wrong;
};

static uint64_t
mixed(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static bool
pick_row(void *arg, const struct otr_rows *rows, size_t i)
{
	struct picky *p = arg;
	uint64_t h = mixed(p->salt, (uint64_t)rows->time_ns[i]);
	uint32_t c;

	p->asked++;
	if (rows->time_ns[i] < p->start_ns || (rows->time_ns[i] >= p->end_ns && p->end_ns != INT64_MAX))
		p->wrong++;
	for (c = 0; c < p->columns; c++)
		h = mixed(h, rows->present[c] == NULL || (rows->present[c][i >> 3] >> (i & 7) & 1) != 0 ? rows->value[c][i] : 7);
	return h % p->one_in == 0;
}

static bool
pick_model_row(void *arg, const struct series *s, const struct row *row)
{
	const struct picky *p = arg;
	uint64_t h = mixed(p->salt, (uint64_t)row->t);
	uint32_t c;

	for (c = 0; c < p->columns; c++)
		h = mixed(h, (row->mask >> c & 1) != 0 ? s->pool[row->at * s->columns + c] : 7);
	return h % p->one_in == 0;
}

/* What a change says against the model. */
static bool
check_change(struct session *x, struct rng *r, const char *what, const struct otr_change_result *result, bool committed, uint64_t added, uint64_t removed)
{
	progress->changes += result->committed;
	if (result->committed != committed || result->version != newest(&x->s))
		return fail("%s: committed %d version %llu, expected %d %llu", what, result->committed, (unsigned long long)result->version, committed,
		    (unsigned long long)newest(&x->s));
	if (!(committed ? settle(x) : unchanged(x)))
		return false;
	if (result->rows != view_at(&x->s, newest(&x->s))->n || result->added != added || result->removed != removed)
		return fail("%s: rows %llu added %llu removed %llu, expected %zu %llu %llu", what, (unsigned long long)result->rows, (unsigned long long)result->added,
		    (unsigned long long)result->removed, view_at(&x->s, newest(&x->s))->n, (unsigned long long)added, (unsigned long long)removed);
	if (otr_writer_version(x->writer) != newest(&x->s))
		return fail("%s: otr_writer_version: %llu", what, (unsigned long long)otr_writer_version(x->writer));
	return versions_are_right(x, r, 2);
}

static bool
op_delete(struct session *x, struct rng *r)
{
	struct picky p = { .salt = rnd(r), .columns = x->s.columns };
	struct otr_delete_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .match = chance(r, 50) ? NULL : pick_row, .arg = &p };
	struct otr_change_result result;
	struct otr_error err = { .text = "" };
	struct otr_commit commit;
	struct said said;
	enum otr_status status;
	uint64_t removed = 0, last;

	p.one_in = chance(r, 20) ? 1000000 : 1 + below(r, 6);
	if (!prepare(x, r))
		return false;
	if (x->s.policies.has_max_size && is_crowded(view_at(&x->s, newest(&x->s))))
		spec.match = NULL;
	/* all of it now and then */
	if (spec.match != NULL ? chance(r, 80) : !chance(r, 6))
		some_range(x, r, view_at(&x->s, newest(&x->s)), &spec.start_ns, &spec.end_ns);
	p.start_ns = spec.start_ns;
	p.end_ns = spec.end_ns;
	say(x, "delete [%lld, %lld)%s of version %llu", (long long)spec.start_ns, (long long)spec.end_ns, spec.match != NULL ? ", some" : "",
	    (unsigned long long)newest(&x->s));
	x->pieces = 0;
	x->told = 0;
	x->deleting = true;
	status = otr_writer_delete(x->writer, &spec, &result, &err);
	x->deleting = false;
	if (spec.start_ns > spec.end_ns) {
		close_writer(x);
		return status == OTR_E_ARG ? unchanged(x) : fail("delete: status %d for a start after the end", status);
	}
	if (!status_is_ok("otr_writer_delete", status, &err))
		return false;
	if (p.wrong > 0)
		return fail("delete: asked for %llu rows out of the range", (unsigned long long)p.wrong);
	if (!expire(x, result.committed))
		return false;
	/* in a file of fixed size it may take more than one commit, each of rows that follow in time; the first of them may be pruned already */
	if (newest(&x->s) + 1 < result.version) {
		uint64_t v, first = newest(&x->s) + 1, of_pruned = result.removed;

		if (!x->s.policies.has_max_size || spec.match == NULL || !read_slots(x, &said))
			return fail("delete: versions from %llu to %llu", (unsigned long long)first, (unsigned long long)result.version);
		for (v = said.oldest > first ? said.oldest : first; v <= result.version; v++) {
			if (!newest_record(x, v, &commit))
				return false;
			of_pruned -= commit.removed;
		}
		for (v = first; v < result.version; v++) {
			uint64_t n = v + 1 == said.oldest ? of_pruned : 0;

			if (v >= said.oldest) {
				if (!newest_record(x, v, &commit))
					return false;
				n = commit.removed;
			}
			say(x, "... a piece of %llu rows", (unsigned long long)n);
			if (n == 0)
				(void)new_version(&x->s, OTR_KIND_DELETE, clock_now_ns, x->author, x->message);
			else if (series_delete(&x->s, spec.start_ns, spec.end_ns, pick_model_row, &p, n, clock_now_ns, x->author, x->message) != n)
				return fail("delete: a piece of %llu rows, there are fewer", (unsigned long long)n);
			/* where its horizon was is not known */
			if (v >= said.oldest)
				x->s.version[v].rows = commit.rows;
			removed += n;
		}
	}
	if (removed != x->told || result.version - result.first_version != x->pieces)
		return fail("delete: %llu rows in %llu pieces told, expected %llu in versions %llu to %llu", (unsigned long long)x->told, (unsigned long long)x->pieces,
		    (unsigned long long)removed, (unsigned long long)result.first_version, (unsigned long long)result.version);
	last = series_delete(&x->s, spec.start_ns, spec.end_ns, spec.match == NULL ? NULL : pick_model_row, &p, UINT64_MAX, clock_now_ns, x->author,
	    x->message);
	say(x, "... %llu rows", (unsigned long long)last);
	/* rows of the range that expired by it make it a commit, too */
	if (removed + last == 0 && result.committed && result.version == newest(&x->s) + 1 && x->s.horizon_ns > x->horizon_before)
		return (void)new_version(&x->s, OTR_KIND_DELETE, clock_now_ns, x->author, x->message), check_change(x, r, "delete", &result, true, 0, 0);
	return check_change(x, r, "delete", &result, removed + last > 0, 0, removed + last);
}

/* Whether metadata take more pages than a sixteenth of a file of fixed size, or nearly so (SPEC 9.4). */
static bool
is_large(const struct session *x, size_t set, const struct otr_policies *p)
{
	const struct meta_set *m = &x->s.meta[set];
	size_t bytes = 0, i;

	for (i = 0; i < m->n; i++)
		bytes += 8 + strlen(m->entry[i].key) + m->entry[i].bytes;
	return p->has_max_size && bytes > ((p->max_bytes - 16384) / x->s.schema.page_bytes / 16 - 1) * (x->s.schema.page_bytes - 200);
}

static bool
op_rollback(struct session *x, struct rng *r)
{
	uint64_t version = chance(r, 15) ? newest(&x->s) : x->s.oldest + below(r, newest(&x->s) - x->s.oldest + 1);
	struct otr_change_result result;
	struct otr_error err = { .text = "" };
	enum otr_status status;
	const struct version *v;

	if (!prepare(x, r))
		return false;
	if (x->s.n > 2 * ROWS_MAX)
		version = newest(&x->s);
	say(x, "rollback from version %llu to %llu", (unsigned long long)newest(&x->s), (unsigned long long)version);
	status = otr_writer_rollback(x->writer, version, &result, &err);
	if (status == OTR_E_LIMIT && is_large(x, x->s.version[version].meta, &x->s.policies)) {
		close_writer(x);
		return unchanged(x);
	}
	if (!status_is_ok("otr_writer_rollback", status, &err))
		return false;
	if (!expire(x, true))
		return false;
	series_rollback(&x->s, version, clock_now_ns, x->author, x->message);
	v = &x->s.version[newest(&x->s)];
	return check_change(x, r, "rollback", &result, true, v->added, v->removed);
}

/* All history does not fit into a size, and what fits needs one. */
static void
match_history(struct otr_policies *p)
{
	if (p->history == OTR_HISTORY_ALL || p->history == OTR_HISTORY_FITS)
		p->history = p->has_max_size ? OTR_HISTORY_FITS : OTR_HISTORY_ALL;
}

static void
some_policies(struct session *x, struct rng *r, struct otr_policies *p)
{
	if (chance(r, 35)) {
		p->has_retain = !p->has_retain || chance(r, 50);
		p->retain_ns = !p->has_retain ? 0 : chance(r, 90) ? x->step_ns * (1 + below(r, chance(r, 50) ? 50 : 2000)) : 1 + (rnd(r) >> 1) % (INT64_MAX - 3);
		p->retain_ns += !p->has_retain ? 0 : below(r, 3);
		if (p->retain_ns > INT64_MAX - 1)
			p->retain_ns = INT64_MAX - 1;
	}
	if (chance(r, 50)) {
		p->history = (enum otr_history)below(r, 4);
		p->history_value = p->history == OTR_HISTORY_COUNT ? (chance(r, 25) ? 0 : chance(r, 60) ? below(r, 8) : below(r, 200)) :
		    p->history == OTR_HISTORY_AGE ? 1 + below(r, chance(r, 50) ? UINT64_C(20000000000) : UINT64_C(400000000000)) : 0;
		match_history(p);
	}
	if (chance(r, 30))
		p->duplicates = (enum otr_duplicates)below(r, 4);
}

/* A size that the file may be too large for already.  At the end of time all rows have one time, and what has one time is not split: no affair of a small file. */
static void
some_max_size(struct session *x, struct rng *r, struct otr_policies *p)
{
	p->has_max_size = (!p->has_max_size || chance(r, 70)) && x->base_ns == USUAL_BASE_NS;
	p->max_bytes = p->has_max_size ? 16384 + x->s.schema.page_bytes * (96 + below(r, 60)) : 0;
	p->max_bytes += p->has_max_size ? below(r, 100) : 0;
	match_history(p);
}

static bool
op_meta(struct session *x, struct rng *r)
{
	static const char *const keys[] = { "a", "a.note", "b-2", "site", "unit.c0", "z", "zz-last_1" };
	static char value[7][9000];
	struct otr_meta_change change[7];
	struct otr_policies policies = x->s.policies, *given = NULL;
	struct otr_change_result result;
	struct otr_error err = { .text = "" };
	const struct meta_set *set = &x->s.meta[x->s.version[newest(&x->s)].meta];
	size_t n = 0, i, k, to;
	bool changed;
	enum otr_status status;

	if (!prepare(x, r))
		return false;
	for (i = 0; i < 7; i++) {
		if (!chance(r, 25))
			continue;
		change[n].key = keys[i];
		change[n].value = chance(r, 30) ? NULL : value[n];
		change[n].value_bytes = 0;
		if (change[n].value != NULL) {
			change[n].value_bytes = chance(r, 10) ? 0 : (size_t)below(r, chance(r, 80) ? 60 : sizeof value[0]);
			memset(value[n], (int)('a' + below(r, 26)), sizeof value[0]);
			for (k = 0; k < set->n; k++)
				if (strcmp(set->entry[k].key, keys[i]) == 0 && chance(r, 30)) {
					memcpy(value[n], set->entry[k].value, set->entry[k].bytes);
					change[n].value_bytes = set->entry[k].bytes;
				}
		}
		n++;
	}
	if (chance(r, 40)) {
		given = &policies;
		if (chance(r, 85))
			some_policies(x, r, &policies);
		if (chance(r, 15))
			some_max_size(x, r, &policies);
	}
	changed = given != NULL && !same_policies(&policies, &x->s.policies);
	say(x, "metadata: %zu settings%s; duplicates %d max size %llu retain %llu history %d %llu", n, changed ? ", policies" : "", policies.duplicates,
	    (unsigned long long)policies.max_bytes, (unsigned long long)policies.retain_ns, policies.history, (unsigned long long)policies.history_value);
	for (i = 0; i < n; i++)
		say(x, "  %s: %zu bytes%s", change[i].key, change[i].value_bytes, change[i].value == NULL ? ", unset" : "");
	to = series_meta_set(&x->s, x->s.version[newest(&x->s)].meta, change, n);
	status = otr_writer_set_meta(x->writer, change, n, given, &result, &err);
	if (status == OTR_E_LIMIT && is_large(x, to, &policies)) {
		close_writer(x);
		return unchanged(x);
	}
	if (!status_is_ok("otr_writer_set_meta", status, &err))
		return false;
	if (changed && policies.has_max_size) {
		struct said said;

		/* the commit that sets a size may grow the file beyond it */
		if (!read_slots(x, &said))
			return false;
		x->size_limit = said.bytes > policies.max_bytes ? said.bytes : policies.max_bytes;
		x->size_set = said.version;
	}
	changed = changed || to != x->s.version[newest(&x->s)].meta;
	x->s.policies = policies;
	if (!expire(x, changed))
		return false;
	if (changed)
		new_version(&x->s, OTR_KIND_META, clock_now_ns, x->author, x->message)->meta = to;
	return check_change(x, r, "metadata", &result, changed, 0, 0);
}

/* Versions that are not there, and calls at the wrong time. */
static bool
op_refused(struct session *x, struct rng *r)
{
	bool pruned = x->s.oldest > 0 && chance(r, 70);
	uint64_t version = pruned ? chance(r, 50) ? x->s.oldest - 1 : below(r, x->s.oldest) : newest(&x->s) + 1 + below(r, 3);
	struct otr *file = NULL;
	struct otr_change_result result;
	struct otr_error err = { .text = "" };
	enum otr_status status;
	char oldest[32];
	unsigned i;

	if (!prepare(x, r))
		return false;
	snprintf(oldest, sizeof oldest, "%llu", (unsigned long long)x->s.oldest);
	say(x, "version %llu is not there", (unsigned long long)version);
	for (i = 0; i < 3; i++) {
		switch (i) {
		case 0:
			status = otr_open_at(x->path, version, &file, &err);
			if (status == OTR_OK)
				otr_close(file);
			break;
		case 1:
			file = reader_at(x, r, newest(&x->s));
			if (file == NULL)
				return false;
			status = otr_refresh(file, &err);
			if (status == OTR_OK)
				status = otr_select_version(file, version, &err);
			otr_close(file);
			for (unsigned k = 0; k < READERS; k++)
				if (x->reader[k] == file)
					x->reader[k] = NULL;
			break;
		default:
			status = otr_writer_rollback(x->writer, version, &result, &err);
			close_writer(x);
			break;
		}
		if (status != OTR_E_NOTFOUND)
			return fail("version %llu, way %u: status %d (%s), expected OTR_E_NOTFOUND", (unsigned long long)version, i, status, status == OTR_OK ? "" : err.text);
		if (pruned && strstr(err.text, oldest) == NULL)
			return fail("version %llu, way %u: the oldest, %s, is not named: %s", (unsigned long long)version, i, oldest, err.text);
	}
	if (!unchanged(x) || !prepare(x, r))
		return false;
	/* rows that are not committed forbid a change */
	batch_reserve(&x->batch, x->s.columns, 2);
	x->batch.n = 0;
	put_row(x, r, 0, x->base_ns);
	if (status_is_ok("otr_writer_add", feed(x, r, 0, 1, &err), &err)) {
		struct otr_delete_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX };

		status = chance(r, 50) ? otr_writer_delete(x->writer, &spec, &result, &err) : otr_writer_rollback(x->writer, newest(&x->s), &result, &err);
		if (status != OTR_E_ARG)
			return fail("a change while rows wait: status %d", status);
	}
	close_writer(x);
	return unchanged(x);
}

/* The file written anew, in place or beside it, with its history or without. */
static bool
op_compact(struct session *x, struct rng *r)
{
	struct otr_compact_options options = { .author = "packer", .message = chance(r, 50) ? "smaller" : NULL };
	struct otr_compact_result result;
	struct otr_error err = { .text = "" };
	struct said said;
	struct otr *file;
	struct otr_info info;
	char beside[1100];
	size_t rows;
	bool elsewhere = chance(r, 30);
	unsigned i;

	options.drop_history = chance(r, 40);
	/* a writer that stays open goes on in the new file */
	if (!prepare(x, r))
		return false;
	options.deflate = options.drop_history && chance(r, 40);
	if (options.drop_history && chance(r, 30))
		do
			options.page_bytes = 4096u << below(r, 5);
		while (options.page_bytes < 8 * (48 + 120 * x->s.columns) + 48);
	if (x->s.policies.has_max_size)
		options.page_bytes = x->s.schema.page_bytes;
	if (!options.drop_history)
		options.page_bytes = 0;
	say(x, "compact version %llu%s%s, pages of %u%s", (unsigned long long)newest(&x->s), options.drop_history ? ", history dropped" : "",
	    options.deflate ? ", deflated" : "", options.page_bytes, elsewhere ? ", beside it" : "");
	snprintf(beside, sizeof beside, "%s.beside", x->path);
	if (!status_is_ok("otr_compact", otr_compact(x->path, elsewhere ? beside : NULL, &options, &result, &err), &err))
		return false;
	if (elsewhere && rename(beside, x->path) != 0)
		return fail("rename: %s", strerror(errno));
	for (i = 0; i < READERS; i++) {
		otr_close(x->reader[i]);
		x->reader[i] = NULL;
	}
	if (elsewhere)                       /* no lock told the writer */
		close_writer(x);
	if (!read_slots(x, &said))
		return false;
	if (said.horizon_ns < x->s.horizon_ns || said.horizon_ns > retained_from(x))
		return fail("compact: horizon %lld, it was %lld", (long long)said.horizon_ns, (long long)x->s.horizon_ns);
	if (said.horizon_ns != x->s.horizon_ns) {
		series_expire(&x->s, said.horizon_ns, x->s.oldest);
		x->epoch++;
	}
	rows = view_at(&x->s, newest(&x->s))->n;
	new_version(&x->s, OTR_KIND_COMPACT, clock_now_ns, "packer", options.message != NULL ? options.message : "")->rows = rows;
	progress->changes++;
	if (result.version != newest(&x->s) || result.rows != view_at(&x->s, newest(&x->s))->n || result.folded != 0 || result.made != 0 ||
	    result.bytes_after != said.bytes)
		return fail("compact: version %llu, rows %llu, folded %llu, made %llu, bytes %llu, expected %llu, %zu, 0, 0, %llu", (unsigned long long)result.version,
		    (unsigned long long)result.rows, (unsigned long long)result.folded, (unsigned long long)result.made, (unsigned long long)result.bytes_after,
		    (unsigned long long)newest(&x->s), view_at(&x->s, newest(&x->s))->n, (unsigned long long)said.bytes);
	if (said.oldest < x->s.oldest || said.oldest > newest(&x->s) || (options.drop_history ? said.oldest != newest(&x->s) : said.oldest > may_prune_to(&x->s)))
		return fail("compact: the oldest version is %llu, it was %llu", (unsigned long long)said.oldest, (unsigned long long)x->s.oldest);
	if (said.oldest != x->s.oldest) {
		series_expire(&x->s, x->s.horizon_ns, said.oldest);
		x->epoch++;
	}
	file = reader_at(x, r, newest(&x->s));
	if (file == NULL)
		return false;
	otr_get_info(file, &info);
	x->s.schema.page_bytes = otr_schema(file)->page_bytes;
	return (x->writer == NULL || otr_writer_version(x->writer) <= newest(&x->s)) && versions_are_right(x, r, 4);
}

/* ---- a session ------------------------------------------------------------------------------------------------------------------- */

static bool
create(struct session *x, struct rng *r)
{
	static const uint64_t steps[] = { 1, 7, 1000, 1000000, 250000000, 1000000000, UINT64_C(60000000000), UINT64_C(86400000000000), UINT64_C(99999999999990) };
	static const char *const keys[4] = { "a.note", "site", "unit.c0", "zz-last_1" };
	char meta_value[4][600];
	struct otr_meta meta[4];
	struct otr_meta_change change[4];
	size_t metas = 0;
	struct otr_schema schema = { .columns = chance(r, 92) ? 1 + (uint32_t)below(r, 6) : 1 + (uint32_t)below(r, 64) };
	struct otr_create_options options = { .wait_ns = 0 };
	struct otr_error err = { .text = "" };
	uint32_t c, needed = 8 * (48 + 120 * schema.columns) + 48, page = 4096;
	unsigned i;

	while (page < needed)
		page *= 2;
	while (page < 65536 && chance(r, 30))
		page *= 2;
	schema.page_bytes = chance(r, 10) ? 0 : page;
	schema.has_gap = chance(r, 40);
	x->step_ns = steps[below(r, sizeof steps / sizeof steps[0])];
	if (schema.has_gap)
		schema.gap_ns = chance(r, 10) ? 1 + (rnd(r) >> 1) % (INT64_MAX - 1) : chance(r, 50) ? x->step_ns * (1 + below(r, 4)) : x->step_ns + below(r, 10 * x->step_ns);
	for (c = 0; c < schema.columns; c++) {
		snprintf(schema.column[c].name, sizeof schema.column[c].name, chance(r, 80) ? "c%u" : chance(r, 50) ? "col umn %u" : "m\xc3\xa5ling%u", c);
		schema.column[c].type = (enum otr_type)(1 + below(r, 5));
		schema.column[c].interpolation = chance(r, 50) ? OTR_STEP : OTR_LINEAR;
		x->style[c] = (enum style)below(r, STYLES);
		x->null_percent[c] = chance(r, 50) ? 0 : chance(r, 70) ? (unsigned)below(r, 30) : chance(r, 80) ? 95 : 100;
		x->walk[c] = below(r, 10000);
	}
	options.policies.duplicates = (enum otr_duplicates)below(r, 4);
	for (i = 0; i < 4; i++)
		if (chance(r, 20)) {
			memset(meta_value[metas], 'x', sizeof meta_value[0]);
			meta_value[metas][below(r, sizeof meta_value[0])] = '\0';
			meta[metas] = (struct otr_meta){ .key = keys[i], .value = meta_value[metas], .value_bytes = strlen(meta_value[metas]) };
			change[metas] = (struct otr_meta_change){ .key = meta[metas].key, .value = meta[metas].value, .value_bytes = meta[metas].value_bytes };
			metas++;
		}
	options.meta = meta;
	options.meta_count = metas;
	x->s.schema.page_bytes = page;
	x->base_ns = chance(r, 70) ? USUAL_BASE_NS : chance(r, 50) ? -5 * (int64_t)x->step_ns : chance(r, 50) ? clamp((int64_t)rnd(r)) :
	    chance(r, 50) ? OTR_TIME_MIN : OTR_TIME_MAX - 100 * (int64_t)x->step_ns;
	if (chance(r, 50))
		some_policies(x, r, &options.policies);
	if (chance(r, 25)) {
		some_max_size(x, r, &options.policies);
		schema.page_bytes = page;
		/* rows that take room */
		for (c = 0; c < schema.columns; c++)
			if (chance(r, 70))
				x->style[c] = BITS;
	}
	x->jitter = chance(r, 40) ? 0 : (unsigned)below(r, 100);
	x->big_percent = chance(r, 30) ? 10 : 0;
	x->one_each = chance(r, 30);
	x->clock_ns = INT64_C(1750000000000000000) + (int64_t)(rnd(r) >> 20);
	clock_now_ns = x->clock_ns;
	say(x, "create: %u columns, page %u, gap %llu, step %llu, duplicates %d, base %lld, %zu entries of metadata", schema.columns, schema.page_bytes,
	    (unsigned long long)schema.gap_ns, (unsigned long long)x->step_ns, options.policies.duplicates, (long long)x->base_ns, metas);
	say(x, "  max size %llu, retain %llu, history %d %llu", (unsigned long long)options.policies.max_bytes, (unsigned long long)options.policies.retain_ns,
	    options.policies.history, (unsigned long long)options.policies.history_value);
	for (c = 0; c < schema.columns; c++)
		say(x, "  column %s type %d interpolation %d style %d nulls %u %%", schema.column[c].name, schema.column[c].type, schema.column[c].interpolation,
		    x->style[c], x->null_percent[c]);
	(void)unlink(x->path);
	if (!status_is_ok("otr_create", otr_create(x->path, &schema, &options, &err), &err))
		return false;
	if (otr_create(x->path, &schema, &options, &err) != OTR_E_EXISTS)
		return fail("otr_create on an existing file is no OTR_E_EXISTS");
	if (schema.page_bytes == 0)
		schema.page_bytes = otr_default_page_bytes(schema.columns);
	series_init(&x->s, &schema, &options.policies, clock_now_ns);
	x->s.version[0].meta = series_meta_set(&x->s, 0, change, metas);
	x->size_limit = options.policies.max_bytes;
	return true;
}

static bool
check_schema(struct session *x, struct rng *r)
{
	struct otr *file = reader_at(x, r, 0);
	const struct otr_schema *got, *want = &x->s.schema;
	uint32_t c;

	if (file == NULL)
		return false;
	got = otr_schema(file);
	if (got->columns != want->columns || got->page_bytes != want->page_bytes || got->has_gap != want->has_gap || got->gap_ns != want->gap_ns ||
	    !same_policies(otr_policies(file), &x->s.policies))
		return fail("the schema differs");
	for (c = 0; c < want->columns; c++)
		if (strcmp(got->column[c].name, want->column[c].name) != 0 || got->column[c].type != want->column[c].type ||
		    got->column[c].interpolation != want->column[c].interpolation)
			return fail("column %u of the schema differs", c);
	return true;
}

/* Every kept version, or `most` of them, by one handle: they stay exact for ever. */
static bool
all_versions(struct session *x, size_t most)
{
	struct otr *file = NULL;
	struct otr_error err = { .text = "" };
	uint64_t v, by = (x->s.versions - x->s.oldest) / most + 1;
	bool ok = status_is_ok("otr_open", otr_open(x->path, &file, &err), &err);

	for (v = x->s.oldest; ok && v < x->s.versions; v += by) {
		const struct view *w = view_at(&x->s, v);

		ok = status_is_ok("otr_select_version", otr_select_version(file, v, &err), &err) && check_info(x, file, v) &&
		    check_rows(x, file, w, INT64_MIN, INT64_MAX, UINT64_MAX, false, 0, w->n, SIZE_MAX);
		if (!ok) {
			char why[sizeof failure];

			memcpy(why, failure, sizeof why);
			fail("version %llu of %llu..%llu: %s", (unsigned long long)v, (unsigned long long)x->s.oldest, (unsigned long long)newest(&x->s), why);
		}
	}
	otr_close(file);
	return ok;
}

static bool
op_all(struct session *x, struct rng *r)
{
	(void)r;
	say(x, "all versions, %llu..%llu", (unsigned long long)x->s.oldest, (unsigned long long)newest(&x->s));
	return all_versions(x, SIZE_MAX);
}

static bool
op_pairs(struct session *x, struct rng *r)
{
	say(x, "two versions");
	return versions_are_right(x, r, 2);
}

static bool
operate(struct session *x, unsigned i)
{
	struct rng r = { .s = x->seed * UINT64_C(0x2545f4914f6cdd1d) + i * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	unsigned kind = (unsigned)below(&r, 1000);
	static const struct { unsigned below; bool (*run)(struct session *, struct rng *); } table[] = {
		{ 400, op_append }, { 420, op_again }, { 445, op_delete }, { 460, op_rollback }, { 485, op_meta }, { 493, op_refused }, { 500, op_compact },
		{ 540, op_dump }, { 650, op_range }, { 740, op_nearest }, { 900, op_windows }, { 950, op_info }, { 970, op_at_time }, { 978, op_scan },
		{ 988, op_verify }, { 990, op_all }, { 1000, op_pairs },
	};
	unsigned k = 0;

	while (kind >= table[k].below)
		k++;
	progress->operations++;
	progress->kinds[k]++;
	return table[k].run(x, &r) && (!verify_always || k > 5 || op_verify(x, &r));
}

static unsigned
session_ops(uint64_t seed)
{
	struct rng r = { .s = seed ^ 0x5555 };
	static const unsigned lengths[] = { 30, 100, 200, 400, 800, SESSION_OPS_MAX };

	return lengths[below(&r, 6)];
}

/* Runs the operations of a session that are not left out; leave_out may be NULL.  Returns -1, or the number of the one that failed (ops: the last check). */
static int
run_session(uint64_t seed, unsigned ops, const uint8_t *leave_out, const char *path, bool verbose, const char *keep)
{
	struct session *x = get(NULL, 1, sizeof *x);
	struct rng r = { .s = seed };
	unsigned i;
	int failed = -1;

	memset(x, 0, sizeof *x);
	x->seed = seed;
	x->path = path;
	x->ops = ops;
	x->verbose = verbose;
	progress->op = -1;
	if (!create(x, &r) || !check_schema(x, &r))
		failed = 0;
	for (i = 0; i < ops && failed < 0; i++) {
		if (leave_out != NULL && leave_out[i] != 0)
			continue;
		progress->op = (int)i;
		if (!operate(x, i))
			failed = (int)i;
	}
	progress->op = (int)ops;
	if (failed < 0 && (!op_verify(x, &r) || !all_versions(x, 100)))
		failed = (int)ops;
	progress->files++;
	if (keep != NULL && failed < 0 && x->s.versions > 0) {
		uint64_t v, by = (newest(&x->s) - x->s.oldest) / 3 + 1;

		for (v = newest(&x->s); ; v -= by) {
			char name[1200];
			FILE *f;

			snprintf(name, sizeof name, "%s.%llu.csv", keep, (unsigned long long)v);
			f = fopen(name, "w");
			if (f == NULL)
				break;
			series_csv(&x->s, v, f);
			fclose(f);
			if (v - x->s.oldest < by)
				break;
		}
	}
	if (x->writer != NULL)
		otr_writer_close(x->writer);
	for (i = 0; i < READERS; i++)
		otr_close(x->reader[i]);
	if (x->s.row != NULL || x->s.version != NULL)
		series_release(&x->s);
	batch_release(&x->batch);
	batch_release(&x->sorted);
	free(x);
	return failed;
}

/* ---- finding the smallest list --------------------------------------------------------------------------------------------------- */

/* Runs a session in a child; true if it failed there. */
static bool
fails(uint64_t seed, unsigned ops, const uint8_t *leave_out, bool verbose)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char path[600];

		snprintf(path, sizeof path, "%s/shrunk.otr", directory);
		hang_after(HANG_SECONDS);
		failure[0] = '\0';
		status = run_session(seed, ops, leave_out, path, verbose, NULL) >= 0;
		snprintf(progress->text, sizeof progress->text, "%s", failure);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return false;
	if (WIFSIGNALED(status))
		snprintf(progress->text, sizeof progress->text, "signal %d at operation %d", WTERMSIG(status), progress->op);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void
shrink(uint64_t seed, unsigned ops)
{
	static uint8_t leave_out[SESSION_OPS_MAX + 1], trial[SESSION_OPS_MAX + 1];
	double until = wall_seconds() + 40;
	unsigned size, i, kept = 0, tries = 0;

	printf("# shrinking session %llu (%u operations)\n", (unsigned long long)seed, ops);
	for (size = ops / 2; size > 0 && wall_seconds() < until; size /= 2) {
		for (i = 0; i < ops && wall_seconds() < until; i += size) {
			memcpy(trial, leave_out, sizeof trial);
			memset(trial + i, 1, i + size <= ops ? size : ops - i);
			if (memcmp(trial, leave_out, sizeof trial) == 0)
				continue;
			tries++;
			if (fails(seed, ops, trial, false))
				memcpy(leave_out, trial, sizeof trial);
		}
	}
	for (i = 0; i < ops; i++)
		kept += leave_out[i] == 0;
	printf("# %u operations are left after %u runs; the list:\n", kept, tries);
	(void)fails(seed, ops, leave_out, true);
	printf("# %s\n", progress->text);
	printf("# again: test_model --session %llu\n", (unsigned long long)seed);
}

/* ---- main --------------------------------------------------------------------------------------------------------------------------- */

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

static void
run_all(uint64_t seed, uint64_t ops, const char *keep)
{
	struct rng r = { .s = seed };
	char path[1100], name[1024];

	while (progress->operations < ops) {
		uint64_t session = rnd(&r) >> 1;
		unsigned n = session_ops(session);
		int failed;

		if (keep != NULL && n > 200)
			n = 60;
		if (progress->operations + n > ops + 50)
			n = (unsigned)(ops - progress->operations) + 20;
		progress->session = session;
		snprintf(name, sizeof name, "%s/%04llu", keep != NULL ? keep : directory, (unsigned long long)progress->files);
		if (keep != NULL)
			snprintf(path, sizeof path, "%s.otr", name);
		else
			snprintf(path, sizeof path, "%s/model.otr", directory);
		hang_after(HANG_SECONDS);
		failed = run_session(session, n, NULL, path, false, keep != NULL ? name : NULL);
		if (failed >= 0) {
			progress->failed = 1;
			progress->op = failed;
			snprintf(progress->text, sizeof progress->text, "%s", failure);
			return;
		}
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = setting("SEED", 1), ops = setting("OPS", TAP_SLOWER > 1 ? 15000 : 100000), session = 0;
	const char *keep = NULL, *tmp = tap_folder();
	double start = wall_seconds();
	int i, status = 0;
	pid_t pid;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "SEED=", 5) == 0)
			seed = strtoull(argv[i] + 5, NULL, 10);
		else if (strncmp(argv[i], "OPS=", 4) == 0)
			ops = strtoull(argv[i] + 4, NULL, 10);
		else if (strcmp(argv[i], "--session") == 0 && i + 1 < argc)
			session = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--keep") == 0 && i + 1 < argc)
			keep = argv[++i];
		else
			return fprintf(stderr, "usage: test_model [SEED=n] [OPS=n] [--session N] [--keep DIR]\n"), 2;
	}
	if (seed == 0)
		seed = (uint64_t)(start * 1e6);
	snprintf(directory, sizeof directory, "%s/otr-model-XXXXXX", tmp);
	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return 2;
	}
	if (keep != NULL)
		(void)mkdir(keep, 0777);
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 2;
	verify_always = setting("VERIFY", 0) != 0;
	printf("# SEED=%llu OPS=%llu\n", (unsigned long long)seed, (unsigned long long)ops);
	fflush(stdout);
	if (session != 0) {
		progress->session = session;
		progress->failed = fails(session, session_ops(session), NULL, false);
	} else {
		pid = fork();
		if (pid == 0) {
			run_all(seed, ops, keep);
			exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			return 2;
		if (WIFSIGNALED(status)) {
			progress->failed = 1;
			snprintf(progress->text, sizeof progress->text, "signal %d", WTERMSIG(status));
		}
	}
	printf("# %llu operations, %llu files, %llu appends, %llu rows, %llu changes, %llu pieces, %llu expiries, %llu versions pruned, %llu window queries in %.1f s\n",
	    (unsigned long long)progress->operations, (unsigned long long)progress->files, (unsigned long long)progress->commits,
	    (unsigned long long)progress->rows, (unsigned long long)progress->changes, (unsigned long long)progress->pieces, (unsigned long long)progress->expired,
	    (unsigned long long)progress->pruned, (unsigned long long)progress->windows, wall_seconds() - start);
	if (progress->failed != 0) {
		printf("# session %llu, operation %d: %s\n", (unsigned long long)progress->session, progress->op, progress->text);
		if (setting("SHRINK", 1) != 0)
			shrink(progress->session, session_ops(progress->session));
		else
			(void)fails(progress->session, session_ops(progress->session), NULL, true);
	}
	CHECK(progress->failed == 0, "random operations give what plain arrays give");
	{
		char path[600];

		snprintf(path, sizeof path, "%s/model.otr", directory);
		(void)unlink(path);
		snprintf(path, sizeof path, "%s/shrunk.otr", directory);
		if (progress->failed == 0)
			(void)unlink(path);
		else
			printf("# the file as it was left: %s\n", path);
		(void)rmdir(directory);
	}
	return tap_done();
}
