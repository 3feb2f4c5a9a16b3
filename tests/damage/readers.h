/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readers.h - what each reading tool asks of a file in memory, as a list of runs, and how the answer compares with that of the sound file.
 *
 * A run is one tool with one version or range; it opens the file anew, as a process does.  All that it gives (rows, windows, commits, findings; not its messages)
 * goes into a sink.  The sound file's answers are kept, and which bytes each run read to give them.  Since a run depends on nothing but the bytes
 * that it reads, one that did not read a byte need not be run again for a change of that byte.
 */
#ifndef READERS_H
#define READERS_H

#include <stdlib.h>

#include "db.h"
#define ROOM (1u << 20)
#include "image.h"
#include "verify.h"

#define VERSIONS 12                /* looked at: the first few and the last */
#define RUNS_MAX (8 * VERSIONS + 16)
#define POINTS 7
#define WINDOWS_MAX 1000

enum tool { DUMP, QUERY, STAT, LOG, DIFF, META, VERIFY, TOOLS };
static const char *const tool_name[TOOLS] = { "dump", "query", "stat", "log", "diff", "meta", "verify" };

struct bytes {
	uint8_t *byte;
	size_t n, room;
};

struct run {
	enum tool tool;
	unsigned part;             /* which of the tool's questions */
	bool at;                   /* as of a version, as --at */
	uint64_t version;
	struct bytes want[2];      /* what the sound file gives; and what it gives at the state of its other slot */
	size_t notices;            /* of the sound file */
	uint64_t faults;           /* verify: of the sound file */
	uint8_t *touched;          /* [len]: bytes that it reads of the sound file */
	size_t reach;              /* behind the last of them */
};

struct outcome {
	enum otr_status status;
	bool message;              /* an error has one */
	bool said, fallback;       /* a notice that the sound file has not; status 4 in the end */
	bool same, other;          /* all that the sound file gives; or its other slot's state */
	bool begins;               /* as one of the two begins: nothing was given that is not so */
	uint64_t faults, rows;
};

/* ---- a sink -------------------------------------------------------------------------------------------------------------------- */

struct sink {
	struct bytes *to;          /* or NULL: compared with these */
	const struct bytes *want;
	size_t at;
	bool differs[2];
	uint64_t rows;
};

static void
put(struct sink *s, const void *from, size_t n)
{
	unsigned i;

	if (s->to != NULL) {
		if (s->to->n + n > s->to->room) {
			s->to->room = 2 * (s->to->n + n);
			s->to->byte = realloc(s->to->byte, s->to->room);
			if (s->to->byte == NULL)
				abort();
		}
		memcpy(s->to->byte + s->to->n, from, n);
		s->to->n += n;
		return;
	}
	for (i = 0; i < 2 && s->want != NULL; i++)
		s->differs[i] |= s->at + n > s->want[i].n || memcmp(s->want[i].byte + s->at, from, n) != 0;
	s->at += n;
}

static void
put64(struct sink *s, uint64_t v)
{
	put(s, &v, sizeof v);
}

static void
put_text(struct sink *s, const char *text)
{
	put(s, text, strlen(text) + 1);
}

static void
put_rows(struct sink *s, const struct otr_rows *rows, uint32_t columns)
{
	size_t i;
	uint32_t c;

	for (i = 0; i < rows->n; i++) {
		put64(s, (uint64_t)rows->time_ns[i]);
		for (c = 0; c < columns; c++) {
			bool is = rows->present[c] == NULL || (rows->present[c][i / 8] >> i % 8 & 1) != 0;

			put(s, &is, 1);
			put64(s, is ? rows->value[c][i] : 0);
		}
	}
	s->rows += rows->n;
}

/* ---- what the tools ask ---------------------------------------------------------------------------------------------------------- */

static enum otr_status
ask_dump(struct otr *file, bool reverse, struct sink *s, struct otr_error *err)
{
	uint32_t columns = otr_schema(file)->columns;
	struct otr_cursor *c;
	struct otr_rows rows;
	enum otr_status status = otr_cursor_open(file, INT64_MIN, INT64_MAX, UINT64_MAX >> (64 - columns), reverse, &c, err);

	if (status != OTR_OK)
		return status;
	while ((status = otr_cursor_next(c, &rows, err)) == OTR_OK)
		put_rows(s, &rows, columns);
	otr_cursor_close(c);
	return status;
}

static void
put_value(struct sink *s, const union otr_value *v)
{
	put(s, &v->i, sizeof v->i);
}

static void
put_double(struct sink *s, double v)
{
	put(s, &v, sizeof v);
}

static void
put_summary(struct sink *s, const struct otr_summary *x, unsigned want)
{
	put64(s, x->rows);
	put64(s, x->count);
	put64(s, x->nans);
	if ((want & OTR_WANT_AREA) != 0) {
		put_double(s, x->area_hi);
		put_double(s, x->area_lo);
		put64(s, x->covered_ns);
	}
	if (x->count == 0)
		return;
	put_value(s, &x->min);
	put_value(s, &x->max);
	put_value(s, &x->first);
	put_value(s, &x->last);
	put64(s, (uint64_t)x->tfirst_ns);
	put64(s, (uint64_t)x->tlast_ns);
	put_double(s, x->sum_hi);
	put_double(s, x->sum_lo);
	put64(s, (uint64_t)x->sum_high);
	put64(s, x->sum_low);
	if ((want & OTR_WANT_EXTREMES) != 0) {
		put64(s, (uint64_t)x->tmin_ns);
		put64(s, (uint64_t)x->tmax_ns);
	}
	if ((want & OTR_WANT_VARIANCE) != 0)
		put_double(s, x->m2);
	if ((want & OTR_WANT_RISE) != 0) {
		put(s, &x->has_rise, 1);
		put_double(s, x->rise_f);
		put64(s, x->rise_i);
		put64(s, x->rise_span_ns);
	}
}

static enum otr_status
ask_windows(struct otr *file, enum otr_window_kind kind, unsigned want, struct sink *s, struct otr_error *err)
{
	uint32_t columns = otr_schema(file)->columns, c, windows = 0;
	struct otr_window_spec spec = { .kind = kind, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .want = want, .columns = UINT64_MAX >> (64 - columns) };
	struct otr_query *q;
	struct otr_window w;
	struct otr_info info;
	enum otr_status status;

	otr_get_info(file, &info);
	if (kind == OTR_WINDOW_FIXED) {
		/* windows that cut leaves, and not so many that the tree is never used whole */
		spec.width_ns = info.rows == 0 ? 1 : (uint64_t)info.last_ns / 3 - (uint64_t)info.first_ns / 3;
		spec.width_ns = spec.width_ns < 1 ? 1 : spec.width_ns > INT64_MAX ? INT64_MAX : spec.width_ns;
	}
	spec.points = info.rows > 0 && (uint64_t)info.last_ns - (uint64_t)info.first_ns >= POINTS ? POINTS : 1;
	status = otr_query_open(file, &spec, &q, err);
	if (status != OTR_OK)
		return status;
	/* a file that claims a long time has as many windows as were asked for */
	while ((status = otr_query_next(q, &w, err)) == OTR_OK && windows++ < WINDOWS_MAX) {
		put64(s, (uint64_t)w.start_ns);
		put64(s, w.rows);
		for (c = 0; c < columns; c++)
			put_summary(s, &w.column[c], want);
	}
	otr_query_close(q);
	return status;
}

static enum otr_status
ask_meta(struct otr *file, struct sink *s, struct otr_error *err)
{
	struct otr_meta e;
	enum otr_status status;
	size_t i;

	for (i = 0; (status = otr_meta_entry(file, i, &e, err)) == OTR_OK; i++) {
		put_text(s, e.key);
		put(s, e.value, e.value_bytes);
	}
	return status;
}

static void
put_commit(struct sink *s, const struct otr_commit *c)
{
	put64(s, c->version);
	put64(s, (uint64_t)c->time_ns);
	put64(s, c->kind);
	put64(s, c->rows);
	put64(s, c->added);
	put64(s, c->removed);
	put_text(s, c->author);
	put_text(s, c->message);
	s->rows++;
}

/* All of otr-stat but the size of the file, which bytes behind its end change. */
static enum otr_status
ask_stat(struct otr *file, bool scan, struct sink *s, struct otr_error *err)
{
	const struct otr_policies *p = otr_policies(file);
	struct otr_commit commit;
	struct otr_scan found;
	struct otr_info i;
	enum otr_status status;

	otr_get_info(file, &i);
	put(s, i.file_id, sizeof i.file_id);
	put64(s, i.page_count);
	put64(s, i.live_pages);
	put64(s, i.free_pages);
	put64(s, i.newest_version);
	put64(s, i.oldest_version);
	put64(s, i.version);
	put64(s, i.rows);
	if (i.rows > 0) {
		put64(s, (uint64_t)i.first_ns);
		put64(s, (uint64_t)i.last_ns);
	}
	put64(s, i.time_digits);
	put64(s, i.depth);
	put64(s, i.riding_rows);
	put64(s, p->duplicates);
	put64(s, p->has_max_size ? p->max_bytes : 0);
	put64(s, p->has_retain ? p->retain_ns : 0);
	put64(s, p->history);
	put64(s, p->history_value);
	status = otr_commit_get(file, &commit, err);
	if (status != OTR_OK)
		return status;
	put_commit(s, &commit);
	status = ask_windows(file, OTR_WINDOW_WHOLE, 0, s, err);
	if (status == OTR_END)
		status = ask_meta(file, s, err);
	if (status != OTR_END || !scan)
		return status;
	status = otr_scan(file, &found, err);
	if (status == OTR_OK) {
		put64(s, found.leaf_pages);
		put64(s, found.inner_pages);
		put64(s, found.log_pages);
		put64(s, found.meta_pages);
		put64(s, found.free_pages);
		put64(s, found.used_bytes);
		put64(s, found.page_bytes);
		put(s, found.transform, sizeof found.transform[0] * otr_schema(file)->columns);
		put(s, found.packing, sizeof found.packing[0] * otr_schema(file)->columns);
		put64(s, found.gap_count);
		put64(s, found.longest_gap_ns);
		put64(s, found.duplicates);
	}
	return status;
}

static enum otr_status
ask_log(struct otr *file, bool oldest_first, struct sink *s, struct otr_error *err)
{
	struct otr_commit commit;
	struct otr_log *log;
	enum otr_status status = otr_log_open(file, INT64_MIN, INT64_MAX, oldest_first, &log, err);

	if (status != OTR_OK)
		return status;
	while ((status = otr_log_next(log, &commit, err)) == OTR_OK)
		put_commit(s, &commit);
	otr_log_close(log);
	return status;
}

static enum otr_status
ask_diff(struct otr *file, uint64_t version, bool rows, struct sink *s, struct otr_error *err)
{
	struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .rows = rows, .all_columns = true };
	struct otr_difference d;
	struct otr_diff *diff;
	enum otr_status status = otr_diff_open(file, version - 1, file, version, &spec, &diff, err);

	if (status != OTR_OK)
		return status;
	while ((status = otr_diff_next(diff, &d, err)) == OTR_OK) {
		if (rows) {
			put(s, &d.after, 1);
			put_rows(s, &d.rows, otr_schema(file)->columns);
		} else {
			put64(s, (uint64_t)d.start_ns);
			put64(s, (uint64_t)d.end_ns);
			put64(s, d.rows_before);
			put64(s, d.rows_after);
		}
	}
	otr_diff_close(diff);
	return status;
}

static void
put_finding(void *arg, const struct otr_finding *f)
{
	struct sink *s = arg;

	put64(s, (uint64_t)f->place);
	put64(s, f->number);
	put_text(s, f->text);
}

static enum otr_status
ask(struct otr *file, const struct run *r, struct sink *s, struct otr_error *err)
{
	switch (r->tool) {
	case DUMP: return ask_dump(file, r->part == 1, s, err);
	case QUERY: return ask_windows(file, (enum otr_window_kind)r->part, OTR_WANT_AREA | OTR_WANT_EXTREMES | OTR_WANT_VARIANCE | OTR_WANT_RISE, s, err);
	case STAT: return ask_stat(file, r->part == 1, s, err);
	case LOG: return ask_log(file, r->part == 1, s, err);
	case DIFF: return ask_diff(file, r->version, r->part == 1, s, err);
	default: return ask_meta(file, s, err);
	}
}

/* ---- a run ----------------------------------------------------------------------------------------------------------------------- */

/* With `trace`, a read marks what it gives. */
static const struct image *traced;
static uint8_t *trace;

static int
m_read_traced(void *self, uint64_t at, void *to, size_t len, size_t *got)
{
	int failure = m_read(self, at, to, len, got);

	if (trace != NULL && self == traced)
		memset(trace + (*got > 0 ? at : 0), 1, *got);
	return failure;
}

static struct otr_io
reading(struct image *m)
{
	struct otr_io io = io_of(m);

	io.read = m_read_traced;
	return io;
}

static bool
is_at(const struct run *r)
{
	return r->at && r->tool != DIFF;
}

/* The run on a file: against what is wanted, or where `to` is given, its output into that. */
static struct outcome
perform(const struct run *r, struct image *m, struct bytes *to)
{
	struct sink s = { .to = to, .want = r->want };
	struct outcome o = { .status = OTR_OK };
	struct otr_error err = { .status = OTR_OK };
	struct otr *file;
	bool fallback;
	size_t n;

	if (r->tool == VERIFY) {
		o.status = otr__verify_io(reading(m), &(struct otr_verify_options){ .found = put_finding, .arg = &s }, &o.faults, &err);
	} else {
		o.status = otr__open_io(reading(m), is_at(r), is_at(r) ? r->version : 0, &file, &err);
		if (o.status == OTR_OK) {
			for (n = 0, fallback = false; otr_notice(file, n, &fallback) != NULL; n++)
				o.fallback |= fallback && !is_at(r);
			o.said = n > r->notices;
			o.status = ask(file, r, &s, &err);
			o.status = o.status == OTR_END ? OTR_OK : o.status;
			otr_close(file);
		}
	}
	o.message = err.text[0] != '\0';
	o.same = !s.differs[0] && s.at == r->want[0].n;
	o.other = !s.differs[1] && s.at == r->want[1].n;
	o.begins = !s.differs[0] || !s.differs[1];
	o.rows = s.rows;
	return o;
}

/* ---- the runs of a file ---------------------------------------------------------------------------------------------------------- */

static struct run run[RUNS_MAX];
static size_t runs;
static uint64_t oldest, newest;

static void
add_run(enum tool tool, unsigned part, bool at, uint64_t version)
{
	if (runs == RUNS_MAX)
		abort();
	run[runs++] = (struct run){ .tool = tool, .part = part, .at = at, .version = version };
}

static void
forget_runs(void)
{
	for (; runs > 0; runs--) {
		free(run[runs - 1].want[0].byte);
		free(run[runs - 1].want[1].byte);
		free(run[runs - 1].touched);
	}
}

/* Numbers of torn commits are left out. */
static bool
has_version(struct image *m, uint64_t version)
{
	struct otr_error err;
	struct otr *file;
	enum otr_status status = otr__open_io(io_of(m), true, version, &file, &err);

	if (status == OTR_OK)
		otr_close(file);
	return status != OTR_E_NOTFOUND;
}

/* Which questions a file is asked: of its newest version and of some that it keeps. */
static void
list_runs(struct image *m, const struct otr_info *info)
{
	unsigned i;

	oldest = info->oldest_version;
	newest = info->newest_version;
	add_run(VERIFY, 0, false, 0);
	add_run(DUMP, 0, false, 0);
	add_run(DUMP, 1, false, 0);
	for (i = OTR_WINDOW_WHOLE; i <= OTR_WINDOW_POINTS; i++)
		add_run(QUERY, i, false, 0);
	for (i = 0; i < 2; i++)
		add_run(STAT, i, false, 0);
	for (i = 0; i < 2; i++)
		add_run(LOG, i, false, 0);
	add_run(META, 0, false, 0);
	for (i = 0; i < VERSIONS; i++) {
		uint64_t back = VERSIONS - 1 - i, v = i < VERSIONS / 3 ? oldest + i : newest - back;

		if (v > newest || (i >= VERSIONS / 3 && (back > newest || newest - back < oldest + VERSIONS / 3)) || !has_version(m, v))
			continue;
		add_run(DUMP, 0, true, v);
		add_run(QUERY, OTR_WINDOW_WHOLE, true, v);
		add_run(STAT, 0, true, v);
		add_run(META, 0, true, v);
		if (v > oldest && has_version(m, v - 1)) {
			add_run(DIFF, 0, true, v);
			add_run(DIFF, 1, true, v);
		}
	}
}

static size_t
slot_at(unsigned index)
{
	return OTR__SLOT_OFFSET(index);
}

/*
 * Lists the runs of a sound file and keeps what they give and read.  `other` has the state of the other slot in both slots, which is how the file is to be read where the
 * newest slot or its root is given up; *state is the index of the newest.  Returns NULL, or what is wrong with the file.
 */
static const char *
learn(struct image *m, struct image *other, unsigned *state)
{
	struct otr_error err;
	struct otr_info info;
	struct otr *file;
	bool has_other;
	size_t i;

	forget_runs();
	if (otr__open_io(io_of(m), false, 0, &file, &err) != OTR_OK)
		return "it cannot be opened";
	otr_get_info(file, &info);
	*state = file->state.index;
	has_other = file->state.has_other;
	otr_close(file);
	list_runs(m, &info);
	memcpy(other->byte, m->byte, m->len);
	other->len = m->len;
	if (has_other)
		memcpy(other->byte + slot_at(*state), m->byte + slot_at(1 - *state), OTR__SLOT_BYTES);
	for (i = 0; i < runs; i++) {
		struct run *r = &run[i];
		struct outcome o;
		size_t n;

		r->touched = calloc(m->len + 1, 1);
		if (r->touched == NULL)
			return "no memory";
		traced = m;
		trace = r->touched;
		o = perform(r, m, &r->want[0]);
		trace = NULL;
		r->faults = o.faults;
		if (o.status != OTR_OK) {
			printf("# otr-%s %u of version %lld: status %d\n", tool_name[r->tool], r->part, r->at ? (long long)r->version : -1, (int)o.status);
			return "a tool fails on it";
		}
		for (n = 0; n < m->len; n++)
			if (r->touched[n] != 0)
				r->reach = n + 1;
		(void)perform(r, other, &r->want[1]);
		if (r->tool != VERIFY && otr__open_io(io_of(m), is_at(r), is_at(r) ? r->version : 0, &file, &err) == OTR_OK) {
			while (otr_notice(file, r->notices, NULL) != NULL)
				r->notices++;
			otr_close(file);
		}
	}
	return NULL;
}

#endif
