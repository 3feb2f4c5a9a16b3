/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * series.h - the model: a series as plain arrays, and what every version of it holds, for ever.
 *
 * All rows that there ever were stand in one array, in order of time and then of arrival; each says by which version it was born and by which it
 * died.  So the rows of version V are those with born <= V < died.  A row that a rollback brings back stands again, right behind itself.  Rows before the
 * horizon leave the array, and with them every version.  Shares no code with lib/.
 */
#ifndef MODEL_SERIES_H
#define MODEL_SERIES_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otr.h"

#define ALIVE UINT32_MAX

/* ---- random numbers -------------------------------------------------------------------------------------------------- */

struct rng {
	uint64_t s;
};

static inline uint64_t
rnd(struct rng *r)
{
	uint64_t z = r->s += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t
below(struct rng *r, uint64_t n)
{
	return rnd(r) % n;
}

static inline bool
chance(struct rng *r, unsigned percent)
{
	return rnd(r) % 100 < percent;
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static inline void *
get(void *p, size_t count, size_t size)
{
	void *q = realloc(p, count * size + 1);

	if (q == NULL) {
		fprintf(stderr, "model: out of memory\n");
		exit(2);
	}
	return q;
}

/* ---- the series ------------------------------------------------------------------------------------------------------ */

/* Rows as they are fed: value i of column c at v[i * columns + c]; bit c of mask[i]: not null. */
struct batch {
	size_t n, capacity;
	uint32_t columns;
	int64_t *t;
	uint64_t *mask, *v;
};

struct row {
	int64_t t;
	uint32_t born, died;
	size_t at;                       /* its values: pool[at * columns ...] */
	uint64_t mask;
};

struct version {
	int64_t time_ns;
	enum otr_kind kind;
	uint64_t rows, added, removed;   /* rows: as it was then */
	unsigned digits;
	char *author, *message;
	size_t meta;                     /* which set of the metadata */
};

/* Metadata: entries in order of keys. */
struct entry {
	char *key, *value;
	size_t bytes;
};
struct meta_set {
	size_t n;
	struct entry *entry;
};

/* The rows of one version. */
struct view {
	int64_t version;                 /* -1: none */
	size_t n, capacity;
	int64_t *t;
	uint64_t *mask;
	size_t *at;
};

struct series {
	struct otr_schema schema;
	struct otr_policies policies;
	uint32_t columns;
	size_t n, capacity;
	struct row *row;
	size_t pool_rows, pool_capacity;
	uint64_t *pool;
	size_t versions;
	struct version *version;
	uint64_t oldest;                 /* version that is kept */
	int64_t horizon_ns;
	size_t metas;
	struct meta_set *meta;
	struct view view[2];             /* the newest, and another */
};

struct applied {
	bool duplicate;                  /* refused: policy error */
	bool changed;
	uint64_t added, replaced;        /* rows given that came to new times; that took the place of others */
	enum otr_kind kind;
};

static inline void
batch_reserve(struct batch *b, uint32_t columns, size_t n)
{
	if (n > b->capacity || columns != b->columns) {
		b->capacity = n < 64 ? 64 : 2 * n;
		b->columns = columns;
		b->t = get(b->t, b->capacity, sizeof b->t[0]);
		b->mask = get(b->mask, b->capacity, sizeof b->mask[0]);
		b->v = get(b->v, b->capacity * columns, sizeof b->v[0]);
	}
}

static inline void
batch_release(struct batch *b)
{
	free(b->t);
	free(b->mask);
	free(b->v);
	memset(b, 0, sizeof *b);
}

static inline void
series_init(struct series *s, const struct otr_schema *schema, const struct otr_policies *policies, int64_t created_ns)
{
	memset(s, 0, sizeof *s);
	s->schema = *schema;
	s->policies = *policies;
	s->columns = schema->columns;
	s->version = get(NULL, 1, sizeof s->version[0]);
	memset(&s->version[0], 0, sizeof s->version[0]);
	s->version[0].time_ns = created_ns;
	s->version[0].kind = OTR_KIND_CREATE;
	s->versions = 1;
	s->horizon_ns = INT64_MIN;
	s->meta = get(NULL, 1, sizeof s->meta[0]);
	s->meta[0] = (struct meta_set){ .n = 0 };
	s->metas = 1;
	s->view[0].version = s->view[1].version = -1;
}

static inline void
series_release(struct series *s)
{
	size_t i, k;

	for (i = 0; i < s->versions; i++) {
		free(s->version[i].author);
		free(s->version[i].message);
	}
	for (i = 0; i < s->metas; i++) {
		for (k = 0; k < s->meta[i].n; k++) {
			free(s->meta[i].entry[k].key);
			free(s->meta[i].entry[k].value);
		}
		free(s->meta[i].entry);
	}
	free(s->meta);
	for (i = 0; i < 2; i++) {
		free(s->view[i].t);
		free(s->view[i].mask);
		free(s->view[i].at);
	}
	free(s->row);
	free(s->pool);
	free(s->version);
	memset(s, 0, sizeof *s);
}

static inline uint64_t
newest(const struct series *s)
{
	return s->versions - 1;
}

static inline const struct view *
view_at(struct series *s, uint64_t version)
{
	struct view *w = &s->view[version == newest(s) ? 0 : 1];
	size_t i;

	if (w->version == (int64_t)version)
		return w;
	if (w->capacity < s->n) {
		w->capacity = 2 * s->n;
		w->t = get(w->t, w->capacity, sizeof w->t[0]);
		w->mask = get(w->mask, w->capacity, sizeof w->mask[0]);
		w->at = get(w->at, w->capacity, sizeof w->at[0]);
	}
	w->n = 0;
	for (i = 0; i < s->n; i++) {
		const struct row *r = &s->row[i];

		if (r->born <= version && version < r->died) {
			w->t[w->n] = r->t;
			w->mask[w->n] = r->mask;
			w->at[w->n++] = r->at;
		}
	}
	w->version = (int64_t)version;
	return w;
}

static inline uint64_t
value_at(const struct series *s, const struct view *w, size_t i, uint32_t c)
{
	return s->pool[w->at[i] * s->columns + c];
}

/* The first row of w at or after t. */
static inline size_t
lower(const struct view *w, int64_t t)
{
	size_t lo = 0, hi = w->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (w->t[mid] < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static inline unsigned
digits_needed(int64_t t)
{
	return t % 1000 != 0 ? 9 : t % 1000000 != 0 ? 6 : t % 1000000000 != 0 ? 3 : 0;
}

struct order {
	int64_t t;
	size_t i;
};

static int
compare_order(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->t != y->t)
		return x->t < y->t ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

/* Rows after all rows of the time t or earlier. */
static inline size_t
row_upper(const struct series *s, int64_t t)
{
	size_t lo = 0, hi = s->n;

	if (s->n > 0 && s->row[s->n - 1].t <= t)
		return s->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->row[mid].t <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static inline bool
same_row(const struct series *s, const struct row *r, const struct batch *b, size_t i)
{
	uint32_t c;

	if (r->mask != b->mask[i])
		return false;
	for (c = 0; c < s->columns; c++)
		if ((r->mask >> c & 1) != 0 && s->pool[r->at * s->columns + c] != b->v[i * s->columns + c])
			return false;
	return true;
}

/* How many rows of time t are alive; *last is the last of them. */
static inline size_t
alive_at(const struct series *s, int64_t t, size_t *last)
{
	size_t i = row_upper(s, t), n = 0;

	for (; i > 0 && s->row[i - 1].t == t; i--)
		if (s->row[i - 1].died == ALIVE && n++ == 0)
			*last = i - 1;
	return n;
}

/* One more version, for the caller to fill in. */
static inline struct version *
new_version(struct series *s, enum otr_kind kind, int64_t now_ns, const char *author, const char *message)
{
	struct version *v;

	s->version = get(s->version, s->versions + 1, sizeof s->version[0]);
	v = &s->version[s->versions++];
	*v = v[-1];
	v->kind = kind;
	v->time_ns = now_ns;
	v->added = v->removed = 0;
	v->author = strdup(author);
	v->message = strdup(message);
	return v;
}

/* The same rows in order of time, equal ones as they came. */
static inline void
batch_sorted(struct batch *to, const struct batch *b)
{
	struct order *o = get(NULL, b->n, sizeof *o);
	size_t i;

	batch_reserve(to, b->columns, b->n);
	to->n = b->n;
	for (i = 0; i < b->n; i++)
		o[i] = (struct order){ .t = b->t[i], .i = i };
	qsort(o, b->n, sizeof *o, compare_order);
	for (i = 0; i < b->n; i++) {
		to->t[i] = o[i].t;
		to->mask[i] = b->mask[o[i].i];
		memcpy(to->v + i * b->columns, b->v + o[i].i * b->columns, b->columns * sizeof b->v[0]);
	}
	free(o);
}

/* How many rows of a sorted batch it takes to put so many into the series; more than there are: it never does. */
static inline size_t
series_prefix(const struct series *s, const struct batch *b, uint64_t inserts)
{
	size_t i, j, last = 0, olds;

	for (i = 0; i < b->n && inserts > 0; i = j) {
		for (j = i + 1; j < b->n && b->t[j] == b->t[i] && s->policies.duplicates != OTR_KEEP; j++)
			;
		if (b->t[i] < s->horizon_ns)
			continue;
		olds = s->policies.duplicates == OTR_KEEP ? 0 : alive_at(s, b->t[i], &last);
		if (olds == 0 || (s->policies.duplicates == OTR_REPLACE && !(olds == 1 && same_row(s, &s->row[last], b, j - 1))))
			inserts--;
	}
	return inserts > 0 ? b->n + 1 : i;
}

/* Whether the policy `error` refuses a sorted batch. */
static inline bool
series_refuses(const struct series *s, const struct batch *b)
{
	size_t i, last;

	for (i = 0; i < b->n; i++)
		if (b->t[i] >= s->horizon_ns && ((i > 0 && b->t[i] == b->t[i - 1]) || alive_at(s, b->t[i], &last) > 0))
			return true;
	return false;
}

/* What the batch makes of the series: a new version if it changes anything. */
static inline struct applied
series_apply(struct series *s, const struct batch *b, int64_t now_ns, const char *author, const char *message)
{
	struct applied a = { .kind = OTR_KIND_APPEND };
	struct order *o = get(NULL, b->n, sizeof *o);
	size_t *insert = get(NULL, b->n, sizeof *insert), *kill = get(NULL, s->n, sizeof *kill), inserts = 0, kills = 0, i, j, k;
	uint32_t next = (uint32_t)s->versions;
	const struct view *w = view_at(s, newest(s));
	struct version *v;
	unsigned digits = s->version[newest(s)].digits;
	int64_t last = w->n > 0 ? w->t[w->n - 1] : INT64_MIN;

	for (i = 0; i < b->n; i++)
		o[i] = (struct order){ .t = b->t[i], .i = i };
	qsort(o, b->n, sizeof *o, compare_order);
	for (i = 0; i < b->n && !a.duplicate; i = j) {
		size_t old = 0, olds = s->policies.duplicates == OTR_KEEP ? 0 : alive_at(s, o[i].t, &old);

		for (j = i + 1; j < b->n && o[j].t == o[i].t; j++)
			;
		if (o[i].t < s->horizon_ns)
			continue;
		switch (s->policies.duplicates) {
		case OTR_KEEP:
			for (k = i; k < j; k++)
				insert[inserts++] = o[k].i;
			if (o[i].t < last)
				a.kind = OTR_KIND_MERGE;
			break;
		case OTR_REPLACE:
			if (olds == 1 && same_row(s, &s->row[old], b, o[j - 1].i))
				break;
			for (k = old; olds > 0; k--)
				if (s->row[k].died == ALIVE) {
					kill[kills++] = k;
					olds--;
					a.replaced += olds == 0;
				}
			insert[inserts++] = o[j - 1].i;
			if (o[i].t <= last)
				a.kind = OTR_KIND_MERGE;
			break;
		case OTR_ERROR:
			if (olds > 0 || j - i > 1)
				a.duplicate = true;
			/* fall through */
		case OTR_FIRST:
			if (olds == 0) {
				insert[inserts++] = o[i].i;
				if (o[i].t <= last)
					a.kind = OTR_KIND_MERGE;
			}
			break;
		}
	}
	if (a.duplicate || inserts == 0)
		goto out;
	a.changed = true;
	a.added = inserts - a.replaced;
	for (i = 0; i < kills; i++)
		s->row[kill[i]].died = next;
	if (s->n + inserts > s->capacity) {
		s->capacity = 2 * (s->n + inserts);
		s->row = get(s->row, s->capacity, sizeof s->row[0]);
	}
	if (s->pool_rows + inserts > s->pool_capacity) {
		s->pool_capacity = 2 * (s->pool_rows + inserts);
		s->pool = get(s->pool, s->pool_capacity * s->columns, sizeof s->pool[0]);
	}
	/* from the back, so that each row moves once */
	for (i = inserts, j = s->n, k = s->n + inserts; i > 0; ) {
		size_t x = insert[i - 1];

		if (j > 0 && s->row[j - 1].t > b->t[x]) {
			s->row[--k] = s->row[--j];
			continue;
		}
		memcpy(s->pool + (s->pool_rows + i - 1) * s->columns, b->v + x * s->columns, s->columns * sizeof s->pool[0]);
		s->row[--k] = (struct row){ .t = b->t[x], .born = next, .died = ALIVE, .at = s->pool_rows + i - 1, .mask = b->mask[x] };
		if (digits_needed(b->t[x]) > digits)
			digits = digits_needed(b->t[x]);
		i--;
	}
	s->n += inserts;
	s->pool_rows += inserts;
	v = new_version(s, a.kind, now_ns, author, message);
	v->rows = w->n + inserts - kills;
	v->added = inserts;
	v->removed = kills;
	v->digits = digits;
	for (i = s->n - inserts; i < s->n && s->row[i].born == next; i++)
		;
	if (s->view[0].version >= 0 && a.kind == OTR_KIND_APPEND && s->view[0].capacity >= w->n + inserts && i == s->n) {
		/* the usual case: the view only grows (and no row that died stands between the new ones) */
		struct view *grown = &s->view[0];

		for (i = s->n - inserts; i < s->n; i++) {
			grown->t[grown->n] = s->row[i].t;
			grown->mask[grown->n] = s->row[i].mask;
			grown->at[grown->n++] = s->row[i].at;
		}
		grown->version = (int64_t)next;
	}
out:
	free(o);
	free(insert);
	free(kill);
	return a;
}

/* ---- other changes; each makes a version unless it changes nothing ---------------------------------------------------------- */

/* The rows of [start_ns, end_ns) that match go, the first `most` of them; how many. */
static inline uint64_t
series_delete(struct series *s, int64_t start_ns, int64_t end_ns, bool (*match)(void *arg, const struct series *s, const struct row *r), void *arg,
    uint64_t most, int64_t now_ns, const char *author, const char *message)
{
	uint32_t next = (uint32_t)s->versions;
	uint64_t removed = 0;
	struct version *v;
	size_t i;

	for (i = 0; i < s->n && removed < most; i++) {
		struct row *r = &s->row[i];

		if (r->died == ALIVE && r->t >= s->horizon_ns && r->t >= start_ns && (r->t < end_ns || end_ns == INT64_MAX) && (match == NULL || match(arg, s, r))) {
			r->died = next;
			removed++;
		}
	}
	if (removed > 0) {
		v = new_version(s, OTR_KIND_DELETE, now_ns, author, message);
		v->rows -= removed;
		v->removed = removed;
	}
	return removed;
}

/* Rows and metadata are those of `version` again. */
static inline void
series_rollback(struct series *s, uint64_t version, int64_t now_ns, const char *author, const char *message)
{
	uint32_t next = (uint32_t)s->versions;
	size_t i, j, n = 0;      /* rows before the horizon stay as they are, since nobody sees them */
	struct row *rows = get(NULL, 2 * s->n, sizeof *rows);
	uint64_t added = 0, removed = 0;
	struct version *v;

	for (i = 0; i < s->n; i = j) {
		bool then = false, now;

		/* one row, as often as it came back; only the last of them may be alive */
		for (j = i; j < s->n && s->row[j].at == s->row[i].at; j++) {
			then = then || (s->row[j].born <= version && version < s->row[j].died);
			rows[n++] = s->row[j];
		}
		now = rows[n - 1].died == ALIVE;
		if (rows[n - 1].t < s->horizon_ns)
			continue;
		if (now && !then)
			rows[n - 1].died = next;
		if (then && !now) {
			rows[n] = rows[n - 1];
			rows[n].born = next;
			rows[n++].died = ALIVE;
		}
		added += then && !now;
		removed += now && !then;
	}
	free(s->row);
	s->row = rows;
	s->capacity = 2 * s->n;
	s->n = n;
	v = new_version(s, OTR_KIND_ROLLBACK, now_ns, author, message);
	/* its record tells the difference only (SPEC 4.3-2) */
	v->rows += added - removed;
	v->added = added > removed ? added - removed : 0;
	v->removed = removed > added ? removed - added : 0;
	v->digits = s->version[version].digits;
	v->meta = s->version[version].meta;
}

static int
compare_entry(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* Which set has these entries besides those of set `from`; value NULL: the key goes.  The same number: nothing changed. */
static inline size_t
series_meta_set(struct series *s, size_t from, const struct otr_meta_change *change, size_t changes)
{
	struct meta_set to = { .n = 0 };
	const struct meta_set *old;
	bool same;
	size_t i, k;

	s->meta = get(s->meta, s->metas + 1, sizeof s->meta[0]);
	old = &s->meta[from];
	to.entry = get(NULL, old->n + changes, sizeof to.entry[0]);
	for (i = 0; i < old->n; i++) {
		for (k = 0; k < changes && strcmp(change[k].key, old->entry[i].key) != 0; k++)
			;
		if (k < changes)
			continue;
		to.entry[to.n] = (struct entry){ .key = strdup(old->entry[i].key), .value = get(NULL, old->entry[i].bytes, 1), .bytes = old->entry[i].bytes };
		memcpy(to.entry[to.n].value, old->entry[i].value, old->entry[i].bytes + 1);
		to.n++;
	}
	for (k = 0; k < changes; k++) {
		if (change[k].value == NULL)
			continue;
		to.entry[to.n] = (struct entry){ .key = strdup(change[k].key), .value = get(NULL, change[k].value_bytes, 1), .bytes = change[k].value_bytes };
		memcpy(to.entry[to.n].value, change[k].value, change[k].value_bytes);
		to.entry[to.n++].value[change[k].value_bytes] = '\0';
	}
	if (to.n > 1)
		qsort(to.entry, to.n, sizeof to.entry[0], compare_entry);
	same = to.n == old->n;
	for (i = 0; same && i < to.n; i++)
		same = strcmp(to.entry[i].key, old->entry[i].key) == 0 && to.entry[i].bytes == old->entry[i].bytes &&
		    memcmp(to.entry[i].value, old->entry[i].value, to.entry[i].bytes) == 0;
	s->meta[s->metas++] = to;
	return same ? from : s->metas - 1;
}

/* Rows before horizon_ns go from all versions, and versions before `oldest` are no longer asked for. */
static inline void
series_expire(struct series *s, int64_t horizon_ns, uint64_t oldest)
{
	size_t i, n = 0;

	if (horizon_ns == s->horizon_ns && oldest == s->oldest)
		return;
	for (i = 0; i < s->n; i++)
		if (s->row[i].t >= horizon_ns && s->row[i].died > oldest)
			s->row[n++] = s->row[i];
	s->n = n;
	s->horizon_ns = horizon_ns;
	s->oldest = oldest;
	s->view[0].version = s->view[1].version = -1;
}

/* The newest kept version committed at or before t, or -1. */
static inline int64_t
version_at(const struct series *s, int64_t t)
{
	size_t i;

	for (i = s->versions; i > s->oldest; i--)
		if (s->version[i - 1].time_ns <= t)
			return (int64_t)i - 1;
	return -1;
}

/* ---- text, by the model's own rules (cli.md 2 and 3) ------------------------------------------------------------------- */

static inline void
time_text(char *to, size_t size, int64_t t, unsigned digits)
{
	int64_t days = t / 86400000000000, rest = t % 86400000000000, era, doe, yoe, doy, mp, y, m, d;
	char fraction[16] = "";

	if (rest < 0) {
		rest += 86400000000000;
		days--;
	}
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	d = doy - (153 * mp + 2) / 5 + 1;
	m = mp < 10 ? mp + 3 : mp - 9;
	y = yoe + era * 400 + (m <= 2);
	if (digits > 0) {
		snprintf(fraction, sizeof fraction, ".%09lld", (long long)(rest % 1000000000));
		fraction[1 + digits] = '\0';
	}
	rest /= 1000000000;
	snprintf(to, size, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld%sZ", (long long)y, (long long)m, (long long)d, (long long)(rest / 3600),
	    (long long)(rest / 60 % 60), (long long)(rest % 60), fraction);
}

/* The shortest digits that give the value back; plain from 1e-5 to below 1e17. */
static inline void
float_text(char *to, size_t size, uint64_t bits, bool is_f32)
{
	char e[64], digits[32];
	int precision, n = 0, exponent, i;
	const char *p;
	double x;
	float f = 0;
	char *out = to;

	if (is_f32) {
		uint32_t b = (uint32_t)bits;

		memcpy(&f, &b, sizeof f);
		x = (double)f;
	} else {
		memcpy(&x, &bits, sizeof x);
	}
	if (x != x) {
		if (bits == (is_f32 ? UINT64_C(0x7fc00000) : UINT64_C(0x7ff8000000000000)))
			snprintf(to, size, "NaN");
		else
			snprintf(to, size, is_f32 ? "NaN(0x%08llx)" : "NaN(0x%016llx)", (unsigned long long)bits);
		return;
	}
	if (x - x != 0) {
		snprintf(to, size, x < 0 ? "-inf" : "inf");
		return;
	}
	if (x == 0) {
		snprintf(to, size, bits != 0 ? "-0" : "0");
		return;
	}
	for (precision = 0; precision < 17; precision++) {
		snprintf(e, sizeof e, "%.*e", precision, x);
		if (is_f32 ? strtof(e, NULL) == f : strtod(e, NULL) == x)
			break;
	}
	for (p = e; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	exponent = atoi(p + 1);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (e[0] == '-')
		*out++ = '-';
	if (exponent < -5 || exponent >= 17) {
		*out++ = digits[0];
		if (n > 1)
			*out++ = '.';
		for (i = 1; i < n; i++)
			*out++ = digits[i];
		snprintf(out, 8, "e%d", exponent);
		return;
	}
	if (exponent < 0) {
		*out++ = '0';
		*out++ = '.';
		for (i = -1; i > exponent; i--)
			*out++ = '0';
		for (i = 0; i < n; i++)
			*out++ = digits[i];
	} else {
		for (i = 0; i <= exponent || i < n; i++) {
			if (i == exponent + 1)
				*out++ = '.';
			*out++ = (char)(i < n ? digits[i] : '0');
		}
	}
	*out = '\0';
}

static inline void
value_text(char *to, size_t size, enum otr_type type, uint64_t bits)
{
	if (type == OTR_F32 || type == OTR_F64)
		float_text(to, size, bits, type == OTR_F32);
	else
		snprintf(to, size, "%lld", (long long)(int64_t)bits);
}

/* Version `version` as CSV. */
static inline void
series_csv(struct series *s, uint64_t version, FILE *f)
{
	const struct view *w = view_at(s, version);
	char text[64];
	size_t i;
	uint32_t c;

	fputs("time", f);
	for (c = 0; c < s->columns; c++)
		fprintf(f, ",%s", s->schema.column[c].name);
	putc('\n', f);
	for (i = 0; i < w->n; i++) {
		time_text(text, sizeof text, w->t[i], s->version[version].digits);
		fputs(text, f);
		for (c = 0; c < s->columns; c++) {
			putc(',', f);
			if ((w->mask[i] >> c & 1) != 0) {
				value_text(text, sizeof text, s->schema.column[c].type, value_at(s, w, i, c));
				fputs(text, f);
			}
		}
		putc('\n', f);
	}
}

#endif
