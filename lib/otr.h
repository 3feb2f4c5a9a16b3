/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otr.h - the public interface of libotr, the reference implementation of the OTR time-series file format (SPEC.md).
 *
 * Times are int64_t nanoseconds since 1970-01-01T00:00:00Z, without leap seconds (SPEC 2.3).  INT64_MIN and INT64_MAX are no
 * timestamps: as the start and end of a range they say "from the beginning" and "to the end".  A range is half open: [start_ns, end_ns).
 *
 * Every call that can fail returns an enum otr_status and takes a struct otr_error last, which may be NULL.  Out-parameters are
 * written only on OTR_OK (or OTR_END where a call says so).  The library never prints, exits or aborts.  A handle is for one thread
 * at a time; handles share nothing.
 *
 * Three words of ownership: a pointer parameter is *borrowed* (used during the call only, unless the call says until when) or
 * *taken*; a result is *borrowed* (valid until the named call) or *the caller's, freed with X*.
 */
#ifndef OTR_H
#define OTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OTR_VERSION "0.1.0"
#define OTR_FORMAT_MAJOR 1
#define OTR_FORMAT_MINOR 0

#define OTR_MAX_COLUMNS 64         /* SPEC 2.5: so that a 64 KiB inner page has room for eight children */
#define OTR_MAX_NAME 255           /* bytes of a column's name; its length is one byte's worth in the header */
#define OTR_MAX_AUTHOR 255         /* bytes */
#define OTR_MAX_MESSAGE 1024       /* bytes: a quarter of a slot */
#define OTR_MAX_META 1048576       /* bytes of the metadata stream, SPEC 5.6 */
#define OTR_TIME_MIN (INT64_MIN + 1)
#define OTR_TIME_MAX (INT64_MAX - 1)

#if defined(__GNUC__)
#define OTR_MUST_CHECK __attribute__((warn_unused_result))
#else
#define OTR_MUST_CHECK
#endif

/* ---- status and errors ---------------------------------------------------------------------------------------------- */

enum otr_status {
	OTR_OK = 0,
	OTR_END,             /* no error: nothing more to give */
	/* the file */
	OTR_E_FORMAT,        /* not an OTR file */
	OTR_E_CORRUPT,       /* damaged */
	OTR_E_UNSUPPORTED,   /* too new: a version, feature, type or encoding that this library does not know */
	OTR_E_TRUNCATED,     /* cut: bytes that the file's state needs lie beyond its end */
	/* the world */
	OTR_E_IO,            /* a system call failed: sys_errno tells */
	OTR_E_BUSY,          /* the writer lock was not had in time */
	OTR_E_NOMEM,
	OTR_E_LIMIT,         /* a stated bound was met */
	OTR_E_EXPIRED,       /* the snapshot's pages were reused under a reader */
	/* the request */
	OTR_E_ARG,
	OTR_E_NOTFOUND,      /* no such column, key, or version (or no longer kept) */
	OTR_E_EXISTS,
	OTR_E_DUPLICATE      /* a second row of one time under the policy `error` */
};

struct otr_error {
	enum otr_status status;
	int sys_errno;         /* of OTR_E_IO, else 0 */
	int64_t offset;        /* byte offset in the file, -1 if none applies */
	int64_t page;          /* page number, -1 */
	int64_t row;           /* OTR_E_DUPLICATE, OTR_E_ARG of otr_writer_*: index of the row among those added since the last commit, -1 */
	int64_t time_ns;       /* of that row */
	char spec[12];         /* section or rule of SPEC.md that was broken, "" */
	char text[244];        /* one sentence, lower case, no full stop; may hold bytes from the file: escape before printing */
};

/* A short name of the status, "damaged" for OTR_E_CORRUPT.  Static text. */
const char *otr_status_text(enum otr_status status);

/* ---- schema, policies ------------------------------------------------------------------------------------------------ */

enum otr_type { OTR_BOOL = 1, OTR_I32 = 2, OTR_I64 = 3, OTR_F32 = 4, OTR_F64 = 5 };      /* SPEC 14.4; codes as on disk */
enum otr_interpolation { OTR_LINEAR = 0, OTR_STEP = 1 };                                 /* SPEC 3.5 */
enum otr_duplicates { OTR_REPLACE = 0, OTR_KEEP = 1, OTR_FIRST = 2, OTR_ERROR = 3 };     /* SPEC 4.6 */
enum otr_history { OTR_HISTORY_ALL = 0, OTR_HISTORY_COUNT = 1, OTR_HISTORY_AGE = 2, OTR_HISTORY_FITS = 3 };

struct otr_column {
	char name[OTR_MAX_NAME + 1];   /* UTF-8, 1..255 bytes, NUL-terminated here */
	enum otr_type type;
	enum otr_interpolation interpolation;
};

/* What is fixed for life at creation (SPEC 3.4). */
struct otr_schema {
	uint32_t columns;              /* 1..OTR_MAX_COLUMNS */
	uint32_t page_bytes;           /* 4096..65536, a power of two; 0 at creation: chosen by schema */
	bool has_gap;
	uint64_t gap_ns;               /* 1..INT64_MAX - 1; neighbours further apart contribute nothing to area and covered (SPEC 6.7) */
	struct otr_column column[OTR_MAX_COLUMNS];
};

/* What may change later (SPEC 4.3). */
struct otr_policies {
	enum otr_duplicates duplicates;
	bool has_max_size;
	uint64_t max_bytes;
	bool has_retain;
	uint64_t retain_ns;
	enum otr_history history;
	uint64_t history_value;        /* versions (COUNT) or nanoseconds (AGE), else 0 */
};

/* One entry of the metadata (SPEC 5.6).  key: NUL-terminated; value: UTF-8, NUL-terminated, value_bytes without the NUL. */
struct otr_meta {
	const char *key;
	const char *value;
	size_t value_bytes;
};

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

/*
 * n rows, column by column.  Row i is time_ns[i] and, for column c, value[c][i] if present[c] is NULL or its bit i is set (LSB of byte
 * 0 first), else null; value[c][i] of a null is ignored going in and 0 coming out.  A value is its bits: bool 0 or 1; i32 sign-extended
 * to 64 bits; i64 as it is; f32 its 32 bits, upper half zero; f64 its 64 bits.
 */
struct otr_rows {
	size_t n;
	const int64_t *time_ns;
	const uint64_t *value[OTR_MAX_COLUMNS];
	const uint8_t *present[OTR_MAX_COLUMNS];
};

/* ---- creating --------------------------------------------------------------------------------------------------------- */

struct otr_create_options {
	struct otr_policies policies;
	const struct otr_meta *meta;   /* borrowed; sorted or not, keys distinct */
	size_t meta_count;
	const char *author;            /* borrowed; NULL: "" */
	const char *message;           /* borrowed; NULL: "" */
	bool replace;                  /* an existing regular file is replaced in one rename, after its writer's lock was had */
	int64_t wait_ns;               /* how long to wait for that lock */
};

/*
 * Makes an empty series at path: without a name or under a temporary one in the same directory, synced, locked, linked (or renamed) into
 * place, the directory synced (SPEC 10.3).
 * Returns OTR_OK; OTR_E_ARG for a schema, policy or metadata outside its limits; OTR_E_LIMIT for metadata of more than a sixteenth of max_bytes; OTR_E_EXISTS if path exists (with replace: if it is no
 * regular file); OTR_E_BUSY; OTR_E_IO; OTR_E_NOMEM.  After any failure no new name is left behind.
 */
OTR_MUST_CHECK enum otr_status otr_create(const char *path, const struct otr_schema *schema, const struct otr_create_options *options,
    struct otr_error *err);

/* Page size that otr_create chooses for so many columns (SPEC 3.4), in bytes. */
uint32_t otr_default_page_bytes(uint32_t columns);

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

struct otr;            /* an open file, read at one version */

/*
 * Opens path for reading, at its newest version.  path "-" is not special; otr_open_fd borrows fd (which must allow pread) until otr_close.
 * Returns OTR_OK; _FORMAT, _CORRUPT, _UNSUPPORTED, _TRUNCATED as SPEC 10.4 rules; _IO; _NOMEM.
 * OTR_OK may come with notices: see otr_notice.
 */
OTR_MUST_CHECK enum otr_status otr_open(const char *path, struct otr **file, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr_open_fd(int fd, struct otr **file, struct otr_error *err);

/*
 * Opens path as otr_open does, but at `version`, also where the newest slot is damaged, if the other slot reaches that version
 * (SPEC 10.4-6): that comes with a notice, since otr_policies and the pages and newest version of otr_get_info are then those of the other slot.
 * OTR_E_NOTFOUND: no such version, or no longer kept (the text names the oldest kept).
 */
OTR_MUST_CHECK enum otr_status otr_open_at(const char *path, uint64_t version, struct otr **file, struct otr_error *err);

/* Frees the handle and all that was borrowed from it.  NULL is fine. */
void otr_close(struct otr *file);

/*
 * Notice i (from 0) about the open: what is no failure but must be said (newest slot torn, older slot bad, header read from its copy,
 * newest root bad).  NULL beyond the last.  Borrowed until otr_close.  *fallback (may be NULL) is true where a sound newer version was
 * given up for damage, so that a program should end with the status of a damaged file (SPEC 10.4).
 */
const char *otr_notice(const struct otr *file, size_t i, bool *fallback);

/*
 * Moves the handle to another version: reads opened afterwards see it.  newest is the newest when the file was opened; otr_refresh moves to
 * the newest now.
 * otr_select_time: the newest version committed at or before time_ns (SPEC 8.4).
 * Returns OTR_OK; OTR_E_NOTFOUND (never existed, or pruned: the text names the oldest kept); _CORRUPT; _IO; _EXPIRED.
 */
OTR_MUST_CHECK enum otr_status otr_select_version(struct otr *file, uint64_t version, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr_select_time(struct otr *file, int64_t time_ns, struct otr_error *err);
OTR_MUST_CHECK enum otr_status otr_refresh(struct otr *file, struct otr_error *err);

/* Borrowed until otr_close. */
const struct otr_schema *otr_schema(const struct otr *file);

/* What is in force at the newest version, also when an older one is selected: policies are not read as of (SPEC 8.6). */
const struct otr_policies *otr_policies(const struct otr *file);

struct otr_info {
	uint8_t file_id[16];
	uint16_t format_major, format_minor;
	uint64_t file_bytes;           /* of the file, now */
	uint64_t page_count;           /* pages that the newest slot counts, the fixed first 16 KiB among them */
	uint64_t live_pages, free_pages;
	uint64_t newest_version, oldest_version;
	/* of the selected version */
	uint64_t version;
	uint64_t rows;
	int64_t first_ns, last_ns;     /* meaningless if rows is 0 */
	uint8_t time_digits;           /* 0, 3, 6 or 9: digits of the fraction that the finest time needs */
	uint32_t depth;                /* levels of the tree; 0: no tree */
	uint64_t riding_rows;          /* of them in the slot, not in the tree */
};
void otr_get_info(const struct otr *file, struct otr_info *info);

/*
 * The metadata at the selected version: entry i in order of keys.  OTR_END beyond the last.  Borrowed until the handle's version changes or
 * otr_close.  The first call may read pages.
 */
OTR_MUST_CHECK enum otr_status otr_meta_entry(struct otr *file, size_t i, struct otr_meta *entry, struct otr_error *err);

/* One commit as the log has it (SPEC 4.5). */
enum otr_kind { OTR_KIND_CREATE = 0, OTR_KIND_APPEND = 1, OTR_KIND_MERGE = 2, OTR_KIND_DELETE = 3, OTR_KIND_ROLLBACK = 4,
	OTR_KIND_META = 5, OTR_KIND_COMPACT = 6 };
struct otr_commit {
	uint64_t version;
	int64_t time_ns;
	enum otr_kind kind;
	uint64_t rows;                 /* in the series after it, then */
	uint64_t added, removed;       /* rows it added (a replaced row counts in both) and removed */
	const char *author, *message;  /* borrowed from the handle until the next otr_commit_* call */
};
/* The commit that made the selected version. */
OTR_MUST_CHECK enum otr_status otr_commit_get(struct otr *file, struct otr_commit *commit, struct otr_error *err);

/* What the handle has read since it was opened, for --explain. */
struct otr_counters {
	uint64_t leaf_pages, inner_pages, log_pages, meta_pages;   /* read from the file, not from the cache */
	uint64_t bytes;
	uint64_t pruned_by_time;                                   /* children of inner pages that a range left unread */
};
void otr_get_counters(const struct otr *file, struct otr_counters *counters);

/* ---- rows out --------------------------------------------------------------------------------------------------------- */

struct otr_cursor;     /* walks rows of one version in time order, equal times in insertion order */

/*
 * Opens a walk over the rows of [start_ns, end_ns) of the selected version, backwards if reverse.  columns: bit c asks for column c; the
 * others' value pointers come out NULL.  The handle must outlive the cursor and may move to another version meanwhile.
 * Returns OTR_OK, _ARG (start after end), _NOMEM, _CORRUPT, _UNSUPPORTED (a column of an unknown encoding that was asked for), _IO.
 */
OTR_MUST_CHECK enum otr_status otr_cursor_open(struct otr *file, int64_t start_ns, int64_t end_ns, uint64_t columns, bool reverse,
    struct otr_cursor **cursor, struct otr_error *err);
/*
 * The next rows, some 1..65,535 of them.  Backwards, each batch and the batches come latest first.  *rows is borrowed until the next call on
 * this cursor.  Returns OTR_OK, OTR_END (rows->n is 0), or an error, and that again on each further call.
 */
OTR_MUST_CHECK enum otr_status otr_cursor_next(struct otr_cursor *cursor, struct otr_rows *rows, struct otr_error *err);
void otr_cursor_close(struct otr_cursor *cursor);

/* ---- windows ---------------------------------------------------------------------------------------------------------- */

/* A value of a column: of a bool, i32 or i64 column in .i, of a float column in .f (an f32 widened exactly). */
union otr_value {
	int64_t i;
	double f;
};

/*
 * The statistics of one column over one window (SPEC 6).  Where count is 0 only rows, count, nans, area, covered mean anything.
 * What has an enum otr_want of its own means something only if it was asked for; the less, the faster.
 * Sums: a float column's is sum_hi + sum_lo; an integer or bool column's is the i128 sum_high * 2^64 + sum_low.
 */
struct otr_summary {
	uint64_t rows;                 /* rows in the window: count + nans + nulls */
	uint64_t count, nans;
	union otr_value min, max, first, last;
	int64_t tfirst_ns, tlast_ns;
	int64_t tmin_ns, tmax_ns;      /* where min, max first occur; only if OTR_WANT_EXTREMES */
	double sum_hi, sum_lo;
	int64_t sum_high;
	uint64_t sum_low;
	double m2;                     /* sum of squared deviations from the mean */
	bool has_rise;                 /* at least one pair of counted rows ends in the window */
	double rise_f;                 /* counter increase, float columns */
	uint64_t rise_i;               /* others; UINT64_MAX: overflow */
	uint64_t rise_span_ns;         /* time spanned by the pairs of the rise; 0: no pair.  Saturates at UINT64_MAX */
	double area_hi, area_lo;       /* value x ns, the parts of straddling pairs inside the window included (OTR_WANT_AREA) */
	uint64_t covered_ns;           /* nanoseconds that the area covers */
};

enum otr_want {
	OTR_WANT_AREA = 1,             /* area and covered over the window itself; a window without rows is given too if something in it is covered */
	OTR_WANT_EXTREMES = 2,         /* tmin_ns, tmax_ns */
	OTR_WANT_VARIANCE = 4,         /* m2 */
	OTR_WANT_RISE = 8              /* has_rise, rise_f, rise_i, rise_span_ns */
};

enum otr_window_kind {
	OTR_WINDOW_WHOLE,              /* one window: the range.  Given also if it is empty */
	OTR_WINDOW_FIXED,              /* [origin_ns + k width_ns, origin_ns + (k + 1) width_ns) */
	OTR_WINDOW_POINTS              /* `points` windows with bounds start + floor(i (end - start) / points) */
};

struct otr_window_spec {
	enum otr_window_kind kind;
	int64_t start_ns, end_ns;      /* the range; it clips the first and last window.  POINTS: unbounded means first row .. last row + 1 ns */
	uint64_t width_ns;             /* FIXED: 1..INT64_MAX */
	int64_t origin_ns;             /* FIXED: 0 is 1970-01-01T00:00:00Z */
	uint64_t points;               /* POINTS: 1..end - start */
	uint64_t columns;              /* bit c asks for column c */
	unsigned want;                 /* enum otr_want, or-ed */
};

struct otr_window {
	int64_t start_ns;              /* unclipped start; at least OTR_TIME_MIN.  WHOLE: start of the range, or the first row's time, or INT64_MIN if there is neither */
	uint64_t rows;
	const struct otr_summary *column;   /* [columns of the schema]; those not asked for are all zero.  Borrowed until the next call */
};

struct otr_query;
/*
 * Opens an iteration over the windows of the selected version, in order of time.  Windows without rows are left out (but see OTR_WANT_AREA
 * and OTR_WINDOW_WHOLE): work follows rows and asked windows, never elapsed time.  Answers are exact (SPEC 6.8).
 * Returns OTR_OK; OTR_E_ARG (start after end, width 0, points 0 or more than nanoseconds in the range); _NOMEM; _CORRUPT; _IO; _EXPIRED.
 */
OTR_MUST_CHECK enum otr_status otr_query_open(struct otr *file, const struct otr_window_spec *spec, struct otr_query **query,
    struct otr_error *err);
/* The next window in *window.  Returns OTR_OK, OTR_END, or an error, and that again on each further call. */
OTR_MUST_CHECK enum otr_status otr_query_next(struct otr_query *query, struct otr_window *window, struct otr_error *err);
void otr_query_close(struct otr_query *query);

/* Answers derived from a summary, each rounded once (SPEC 6.8).  type is the column's.  NAN where there is none (count or covered 0). */
double otr_summary_sum(const struct otr_summary *s, enum otr_type type);       /* float columns; an integer sum as the nearest double */
double otr_summary_mean(const struct otr_summary *s, enum otr_type type);
double otr_summary_variance(const struct otr_summary *s);                       /* of the population */
double otr_summary_area(const struct otr_summary *s);                           /* value x seconds */
double otr_summary_twa(const struct otr_summary *s);                            /* time-weighted mean: area / covered */
double otr_summary_rate(const struct otr_summary *s, enum otr_type type);       /* rise per second */

/* ---- history ---------------------------------------------------------------------------------------------------------- */

struct otr_log;        /* walks the commits that led to one version */

/*
 * Opens a walk over the commits of the oldest kept version up to the selected one whose commit time lies in [start_ns, end_ns), the newest first,
 * or the oldest.  Commit times need not ascend: a clock may have been set back (SPEC 8.4).  The first few of the newest read a few pages; all
 * of them read each log page once.  The handle must outlive the walk and may move to another version meanwhile.
 * Memory: one decoded log page; oldest first, 32 bytes a log page.
 * Returns OTR_OK, _ARG (start after end), _NOMEM.  SPEC 4.5, 8.7.
 */
OTR_MUST_CHECK enum otr_status otr_log_open(struct otr *file, int64_t start_ns, int64_t end_ns, bool oldest_first, struct otr_log **log,
    struct otr_error *err);
/*
 * The next commit; its strings are borrowed until the next call on this walk.  Returns OTR_OK; OTR_END; _EXPIRED (a writer reused pages, and
 * commits still to be given are no longer kept); _CORRUPT, _TRUNCATED, _IO, _NOMEM; an error is given again on each further call.
 */
OTR_MUST_CHECK enum otr_status otr_log_next(struct otr_log *log, struct otr_commit *commit, struct otr_error *err);
/* NULL is fine. */
void otr_log_close(struct otr_log *log);

struct otr_diff;       /* walks what differs between two series, or two versions of one */

struct otr_diff_spec {
	int64_t start_ns, end_ns;      /* the range */
	bool rows;                     /* the rows that differ, instead of the ranges that hold them */
	bool all_columns;              /* compare all columns that have one name and type on both sides, in a's order, instead of: */
	uint32_t columns;              /* how many are compared, 0..OTR_MAX_COLUMNS; 0: times alone */
	uint32_t column_a[OTR_MAX_COLUMNS], column_b[OTR_MAX_COLUMNS];   /* their indices on either side; of one type */
};

struct otr_difference {
	/* ranges: a maximal run of differing rows.  It ends where both sides have the same rows at one time, or nothing more */
	int64_t start_ns, end_ns;      /* [first differing time, last one + 1 ns) */
	uint64_t rows_before, rows_after;   /* all rows in it, of a and of b */
	/* rows: some rows of one side, times ascending over all calls, those of a before those of b at one time */
	bool after;                    /* they are b's */
	struct otr_rows rows;          /* value[i]: compared column i.  Borrowed until the next call on this diff */
};

/*
 * Compares version_a of a with version_b of b, exactly: bits, nulls, payloads of NaN.  a and b may be one handle.  What is compared are the rows of
 * one time, in order: the first that are equal on both sides and the last ones are equal, those between differ.  Pages that both versions of one
 * handle share are not read, and in ranges no rows are read that only one side has: the work follows the change, not the series.
 * Rows before the expiry horizon do not exist (SPEC 8.5).  The handles must outlive the diff and may move to other versions meanwhile.
 * Returns OTR_OK; _ARG (start after end, a column that is not there, two of different types); _NOTFOUND (a version); _UNSUPPORTED (a column of an
 * unknown type); _NOMEM, _CORRUPT, _IO, _EXPIRED.
 */
OTR_MUST_CHECK enum otr_status otr_diff_open(struct otr *a, uint64_t version_a, struct otr *b, uint64_t version_b, const struct otr_diff_spec *spec,
    struct otr_diff **diff, struct otr_error *err);
/* The next difference.  Returns OTR_OK, OTR_END, or as otr_cursor_next, and that again on each further call. */
OTR_MUST_CHECK enum otr_status otr_diff_next(struct otr_diff *diff, struct otr_difference *difference, struct otr_error *err);
/* NULL is fine. */
void otr_diff_close(struct otr_diff *diff);

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

struct otr_writer;     /* adds rows to a file, one commit after another */

struct otr_commit_result {
	uint64_t version;              /* the version that the file has now */
	bool committed;                /* false: the rows changed nothing, so no version was made */
	uint64_t added, replaced, skipped, late;   /* of the rows given: new times (and equal ones under `keep`); replaced rows; rows that changed nothing; rows (of them) merged before the tree's last row */
	uint64_t removed;              /* rows, by a piece of otr_writer_delete */
};

struct otr_writer_options {
	int64_t wait_ns;               /* how long a commit waits for the writer lock; 0: not at all; INT64_MAX: without end */
	const char *author;            /* borrowed until otr_writer_close; NULL: "" */
	const char *message;           /* likewise */
	size_t sort_bytes;             /* memory for late rows of one commit (SPEC says nothing of it); 0: 256 MiB */
	/* Called when a commit has to wait for the lock longer than a second, once a commit, and when one commit outgrows the buffer
	 * and so holds the lock while the caller adds.  May be NULL. */
	void (*waiting)(void *arg);
	void (*holding)(void *arg);
	/* Called after each commit but the last of a call, where input into a file with max_size, or a deletion with a match from it, is committed
	 * in pieces (SPEC 9.4); where the last one fails, after all that were made.  May be NULL. */
	void (*piece)(void *arg, const struct otr_commit_result *result);
	void *arg;
};

/*
 * Opens path for writing.  No lock is held between commits, nor while rows are added up to a buffer of 8 MiB (SPEC 10.2).
 * Returns as otr_open; OTR_E_IO if the file cannot be written; OTR_E_UNSUPPORTED also for an unknown ro_compat feature.
 */
OTR_MUST_CHECK enum otr_status otr_writer_open(const char *path, const struct otr_writer_options *options, struct otr_writer **writer,
    struct otr_error *err);
const struct otr_schema *otr_writer_schema(const struct otr_writer *writer);
const struct otr_policies *otr_writer_policies(const struct otr_writer *writer);
/* Version that the writer saw last, and the notices of its open, as otr_notice. */
uint64_t otr_writer_version(const struct otr_writer *writer);
const char *otr_writer_notice(const struct otr_writer *writer, size_t i, bool *fallback);
/*
 * Adds rows, in any order of time, to the commit being made.  rows is borrowed during the call.
 * Returns OTR_OK; OTR_E_ARG (a reserved time, a bool or i32 out of range: err->row); OTR_E_DUPLICATE; OTR_E_LIMIT (disorder beyond
 * sort_bytes; rows of one time that a file of fixed size cannot hold, SPEC 9.4); OTR_E_BUSY, _IO, _CORRUPT, _NOMEM.  After an error nothing of this commit will be stored: only otr_writer_close is left.
 */
OTR_MUST_CHECK enum otr_status otr_writer_add(struct otr_writer *writer, const struct otr_rows *rows, struct otr_error *err);
/*
 * Makes the rows added since the last commit one version, durable on return (SPEC 10.2).  Without rows, or with rows that change nothing, no
 * version is made.  Returns OTR_OK with *result, or an error as otr_writer_add, after which the file holds the version before; but an
 * OTR_E_IO whose text says "state of version N unknown" leaves either.
 */
OTR_MUST_CHECK enum otr_status otr_writer_commit(struct otr_writer *writer, struct otr_commit_result *result, struct otr_error *err);
/* Drops what was not committed.  NULL is fine. */
void otr_writer_close(struct otr_writer *writer);

/* ---- changing --------------------------------------------------------------------------------------------------------- */

/*
 * Each of these makes one commit of its own through an open writer, with its author, message and wait, durable on return (SPEC 10.2).  What was there
 * before stays readable under its version.  Rows that were added to the writer but not committed: OTR_E_ARG.
 * They return OTR_OK with *result, or an error as otr_writer_commit, after which the file holds the version before.
 */
struct otr_change_result {
	uint64_t version;              /* the version that the file has now */
	bool committed;                /* false: nothing was to be changed, so no version was made */
	uint64_t first_version;        /* of the versions that the call made, if it made several (see otr_writer_delete); else `version` */
	uint64_t rows;                 /* of the series now */
	uint64_t added, removed;       /* rows */
};

/* Which rows go: those of [start_ns, end_ns) that match. */
struct otr_delete_spec {
	int64_t start_ns, end_ns;      /* OTR_E_ARG if start is after end */
	bool (*match)(void *arg, const struct otr_rows *rows, size_t i);   /* whether row i goes; NULL: every row of the range */
	void *arg;
};
/*
 * Removes rows (SPEC 8.1).  If there are none: no commit.  From a file with max_size, rows that match are removed in as many commits as that takes, from the first time to the last;
 * those that were made stay where a later one fails (see `piece` of the writer's options).
 */
OTR_MUST_CHECK enum otr_status otr_writer_delete(struct otr_writer *writer, const struct otr_delete_spec *spec, struct otr_change_result *result,
    struct otr_error *err);

/*
 * Makes a version whose rows and metadata are those of an older one, but for rows that have expired; policies stay (SPEC 8.6).  Always a commit.
 * Works also where the newest slot is damaged, or its root page: then the version goes on from the sound slot (SPEC 10.2-2).
 * OTR_E_NOTFOUND: no such version, or pruned (the text names the oldest kept).  OTR_E_LIMIT: its metadata are more than max_bytes has room for now.
 */
OTR_MUST_CHECK enum otr_status otr_writer_rollback(struct otr_writer *writer, uint64_t version, struct otr_change_result *result, struct otr_error *err);

/* One setting: key as struct otr_meta has it. */
struct otr_meta_change {
	const char *key;
	const char *value;             /* UTF-8, value_bytes of it; NULL: the key goes */
	size_t value_bytes;
};
/*
 * Changes metadata, and policies unless that is NULL (SPEC 4.1, 5.6).  What changes nothing makes no commit.  A change of policy takes effect in this commit:
 * rows expire and versions are pruned by it.  OTR_E_ARG: a key, value or policy outside its limits, or metadata of more than OTR_MAX_META.
 * OTR_E_LIMIT: metadata, new or old, of more than a sixteenth of the max_bytes in force then (SPEC 9.4).
 */
OTR_MUST_CHECK enum otr_status otr_writer_set_meta(struct otr_writer *writer, const struct otr_meta_change *change, size_t count,
    const struct otr_policies *policies, struct otr_change_result *result, struct otr_error *err);

enum otr_policy {
	OTR_POLICY_DUPLICATES = 1,
	OTR_POLICY_MAX_SIZE = 2,       /* has_max_size, max_bytes */
	OTR_POLICY_RETAIN = 4,         /* has_retain, retain_ns */
	OTR_POLICY_HISTORY = 8,        /* history, history_value */
	OTR_POLICY_ALL = 15
};
/*
 * The same with the policies of `which` alone (enum otr_policy, or-ed); the others stay as they are found under the lock, so that writers who set different ones do
 * not undo each other.  All history and what fits are one default: with OTR_POLICY_MAX_SIZE and without OTR_POLICY_HISTORY, a size turns the one into the other.
 * OTR_E_ARG also where the policies do not go together with those found.
 */
OTR_MUST_CHECK enum otr_status otr_writer_update_meta(struct otr_writer *writer, const struct otr_meta_change *change, size_t count,
    const struct otr_policies *policies, unsigned which, struct otr_change_result *result, struct otr_error *err);

/* ---- compacting -------------------------------------------------------------------------------------------------------- */

/* What stands for the values of a column over a window (nulls and NaNs aside; a window without a counted value: null). */
enum otr_fold {
	OTR_FOLD_DEFAULT,              /* mean of linear columns, last of step ones */
	OTR_FOLD_MEAN,                 /* of an integer or bool column: rounded, half to even */
	OTR_FOLD_MIN, OTR_FOLD_MAX, OTR_FOLD_FIRST, OTR_FOLD_LAST
};

struct otr_compact_options {
	const char *author, *message;  /* borrowed; NULL: "" */
	int64_t wait_ns;               /* how long to wait for the writer lock of the file that is replaced */
	bool replace;                  /* `out`, if it exists, is replaced in one rename, after its writer's lock was had */
	bool drop_history;             /* only the present rows, packed densely, with one record */
	bool deflate;                  /* with drop_history alone: chunks deflated (SPEC 7.7), where that is smaller */
	uint32_t page_bytes;           /* with drop_history alone: another page size; 0: as it is, or with deflate what otr_deflate_page_bytes says */
	/* Rows before older_than_ns, rounded down to the start of a window [k window_ns, (k + 1) window_ns), become one a window, at its start. */
	uint64_t window_ns;            /* 1..INT64_MAX; 0: no */
	int64_t older_than_ns;
	enum otr_fold fold;
	/* Asked after each page, with the pages done and about how many there are; false: give up.  May be NULL. */
	bool (*go_on)(void *arg, uint64_t done, uint64_t total);
	/* Called when the lock is waited for longer than a second.  May be NULL. */
	void (*waiting)(void *arg);
	void *arg;
};

struct otr_compact_result {
	uint64_t version;              /* of the new file */
	uint64_t bytes_before, bytes_after;
	uint64_t rows;                 /* in it */
	uint64_t folded, made;         /* rows that windows took the place of; rows of windows */
};

/*
 * Copies the series `in` to `out`, or replaces it in one rename (out NULL): history, version numbers and pages as they are, in an order that needs few reads (SPEC
 * 11.3), with one more record of kind OTR_KIND_COMPACT.  A snapshot is copied without the writer lock of `in`; to replace it the lock is taken for the rest: what
 * came since, the rename.  With `out` that lock is not needed, and `in` is only read.  Memory: 50 bytes a page of `in`, and what a writer needs.
 * Returns OTR_OK; OTR_END (go_on said no); OTR_E_ARG (options that do not go together, or are out of their limits; out is in); OTR_E_EXISTS (out, without replace; or no
 * regular file); OTR_E_BUSY; OTR_E_EXPIRED (with out: a writer was too fast for a copy without the lock); _CORRUPT, _TRUNCATED, _UNSUPPORTED, _FORMAT of in; _IO;
 * _NOMEM.  After anything but OTR_OK `in` and `out` are as they were, and no other file is left; but for an OTR_E_IO whose text says that the directory cannot
 * be synced, when the new file is in place, maybe not durably.
 */
OTR_MUST_CHECK enum otr_status otr_compact(const char *in, const char *out, const struct otr_compact_options *options, struct otr_compact_result *result,
    struct otr_error *err);

/* Page size that otr_compact chooses for deflated chunks of so many columns, in bytes. */
uint32_t otr_deflate_page_bytes(uint32_t columns);

/* ---- checking --------------------------------------------------------------------------------------------------------- */

/* Where a finding is. */
enum otr_place { OTR_PLACE_FILE, OTR_PLACE_HEADER, OTR_PLACE_SLOT, OTR_PLACE_PAGE };
struct otr_finding {
	enum otr_place place;
	uint64_t number;               /* of the header (0 or 1), slot (0 or 1) or page */
	const char *text;              /* borrowed during the call */
	const char *spec;              /* section or rule of SPEC.md */
	bool note;                     /* not a fault: free pages, bytes behind the last page, a torn slot */
};
struct otr_verify_options {
	/* Called for each finding, at most 1,000 times, when all is checked.  May be NULL. */
	void (*found)(void *arg, const struct otr_finding *finding);
	/* Asked after each page, with the pages done and about how many there are; false: give up.  May be NULL. */
	bool (*go_on)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};
/*
 * Checks the whole file (SPEC 12, class V): both headers, both slots, every page that either slot, the log or a kept root reaches, every
 * statistic, every kept version, the list of freed pages.  options: borrowed; NULL: nobody is told.
 * Returns OTR_OK if the check was made (*faults: how many findings were no notes), OTR_END (go_on said no), OTR_E_FORMAT, _UNSUPPORTED, _IO, _NOMEM,
 * _EXPIRED.
 */
OTR_MUST_CHECK enum otr_status otr_verify(const char *path, const struct otr_verify_options *options, uint64_t *faults, struct otr_error *err);

/* What a salvage met: what otr_verify would call a finding, or rows that are lost. */
struct otr_loss {
	struct otr_finding what;
	bool rows_lost;                /* the fields below mean something: rows of [start_ns, end_ns) stood in pages that are lost */
	int64_t start_ns, end_ns;      /* INT64_MIN, INT64_MAX: not known better */
	bool rows_known;               /* whether a sound page or slot tells how many there were */
	uint64_t rows;                 /* how many */
	uint64_t found;                /* rows of that range that came from pages which no sound page leads to (SPEC 10.5-3); they are in the new file */
};

struct otr_salvage_options {
	const char *author, *message;  /* of the new file's one commit; borrowed; NULL: "" */
	bool replace;                  /* `out`, if it exists, is replaced in one rename, after its writer's lock was had */
	int64_t wait_ns;               /* how long to wait for that lock */
	/* Called for each loss, at most 2,000 times, after the new file is in place.  *loss is borrowed during the call.  May be NULL. */
	void (*lost)(void *arg, const struct otr_loss *loss);
	/* Asked after each page, with the pages done and about how many there are; false: give up.  May be NULL. */
	bool (*go_on)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct otr_salvage_result {
	uint64_t rows;                 /* in the new file */
	uint64_t found;                /* of them, from pages that no sound page leads to: some may be rows that were replaced or deleted */
	bool has_version;
	uint64_t version;              /* of `in` that the other rows are of; unless has_version is false, since both slots are bad */
	uint64_t losses;               /* that were no notes */
};

/*
 * Writes the rows that can be read of a damaged file `in` to a new file `out` of the same schema: what the newest slot that is sound reaches; for what it does not reach
 * since a page or a slot is bad, the leaves that are still there, the newest of each time (SPEC 10.5).  Also the metadata, if they can be read, and the policies.  The new
 * file has an id of its own, one commit and no history.  `in` is only read, without a lock; a sound one is copied whole.
 * Memory: 2 bits a page of `in`, and up to 300 bytes for each page that no sound one leads to, if a page is lost; and what a writer needs.
 * Returns OTR_OK (*result: what was had, maybe nothing); OTR_END (go_on said no); OTR_E_FORMAT, _UNSUPPORTED (a header, slot or column too new), _TRUNCATED (less than
 * 16 KiB) or _CORRUPT (both headers) of in; OTR_E_ARG (out is in; author, message); OTR_E_EXISTS (out, without replace; or no regular file); OTR_E_BUSY (out's writer);
 * OTR_E_EXPIRED (a writer of `in` reused pages, time and again); _LIMIT (more than 2^28 leaves under lost pages); _IO; _NOMEM.  After anything but OTR_OK `out` is as it was.
 */
OTR_MUST_CHECK enum otr_status otr_salvage(const char *in, const char *out, const struct otr_salvage_options *options, struct otr_salvage_result *result,
    struct otr_error *err);

/* Encodings in use, for otr-stat --scan: how many chunks of the selected version's leaves have each transform and packing. */
struct otr_scan {
	uint64_t leaf_pages, inner_pages, log_pages, meta_pages, free_pages;
	uint64_t used_bytes, page_bytes;                 /* of the leaves: fill is used / page */
	uint64_t transform[OTR_MAX_COLUMNS][5];          /* INT, DECIMAL, BITS, DICT, RAW */
	uint64_t packing[OTR_MAX_COLUMNS][3];            /* none, PACK, RUN */
	uint64_t gap_count;                              /* intervals longer than the gap; 0 without a gap */
	uint64_t longest_gap_ns;                         /* the longest interval between two rows */
	uint64_t duplicates;                             /* rows at the time of the row before */
};
/* Reads every page of the selected version.  Returns OTR_OK or as otr_cursor_next. */
OTR_MUST_CHECK enum otr_status otr_scan(struct otr *file, struct otr_scan *scan, struct otr_error *err);

#ifdef __cplusplus
}
#endif
#endif
