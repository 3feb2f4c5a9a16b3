/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deletion, rollback and metadata: the table of cases.md L with the commits riding, spilled and large; every version read again after each of them.
 */
#include "onefile.h"

#define VERSIONS 16
#define ROWS 130

struct table {
	size_t n[VERSIONS];
	int64_t t[VERSIONS][ROWS];
	double v[VERSIONS][ROWS];
	uint64_t versions;
};

static bool
same_at(const char *path, const struct table *m, uint64_t version)
{
	static int64_t t[2 * ROWS];
	static double v[2 * ROWS];
	struct otr *file;
	struct otr_error err;
	size_t n;
	bool ok;

	if (otr_open_at(path, version, &file, &err) != OTR_OK) {
		printf("# version %d: %s\n", (int)version, err.text);
		return false;
	}
	n = (size_t)one_read(file, t, v, 2 * ROWS);
	ok = n == m->n[version] && memcmp(t, m->t[version], n * sizeof *t) == 0 && memcmp(v, m->v[version], n * sizeof *v) == 0;
	if (!ok)
		printf("# version %d: %d rows, expected %d\n", (int)version, (int)n, (int)m->n[version]);
	otr_close(file);
	return ok;
}

static bool
all_same(const char *path, const struct table *m)
{
	bool ok = one_faults(path) == 0;
	uint64_t i;

	for (i = 0; i <= m->versions; i++)
		ok = same_at(path, m, i) && ok;
	return ok;
}

static void
next_version(struct table *m, uint64_t from)
{
	uint64_t to = ++m->versions;

	m->n[to] = m->n[from];
	memcpy(m->t[to], m->t[from], sizeof m->t[0]);
	memcpy(m->v[to], m->v[from], sizeof m->v[0]);
}

/* One commit: rows at seconds [from, to), each valued as its second, or all *value. */
static bool
append(const char *path, struct table *m, int64_t from, int64_t to, const double *value)
{
	struct otr_commit_result r;
	int64_t t[ROWS];
	double v[ROWS];
	size_t n = 0, i;
	uint64_t k;

	next_version(m, m->versions);
	k = m->versions;
	for (; from < to; from++, n++) {
		t[n] = from * 1000000000;
		v[n] = value != NULL ? *value : (double)from;
		for (i = 0; i < m->n[k] && m->t[k][i] < t[n]; i++)
			;
		if (i == m->n[k] || m->t[k][i] != t[n]) {
			memmove(m->t[k] + i + 1, m->t[k] + i, (m->n[k] - i) * sizeof m->t[k][0]);
			memmove(m->v[k] + i + 1, m->v[k] + i, (m->n[k] - i) * sizeof m->v[k][0]);
			m->n[k]++;
		}
		m->t[k][i] = t[n];
		m->v[k][i] = v[n];
	}
	return one_append(path, t, v, n, &r) == OTR_OK && r.committed && r.version == k;
}

static bool
odd(void *arg, const struct otr_rows *rows, size_t i)
{
	(void)arg;
	return rows->time_ns[i] / 1000000000 % 2 != 0;
}

static bool
delete(const char *path, struct table *m, int64_t from, int64_t to, bool odd_only)
{
	struct otr_delete_spec spec = { .start_ns = from * 1000000000, .end_ns = to * 1000000000, .match = odd_only ? odd : NULL };
	struct otr_writer *w = one_writer(path);
	struct otr_change_result r = { .version = 0 };
	struct otr_error err = { .text = "" };
	size_t i, n = 0, before = m->n[m->versions];
	uint64_t k;
	bool ok;

	next_version(m, m->versions);
	k = m->versions;
	for (i = 0; i < before; i++) {
		int64_t s = m->t[k][i] / 1000000000;

		if (s >= from && s < to && (!odd_only || s % 2 != 0))
			continue;
		m->t[k][n] = m->t[k][i];
		m->v[k][n++] = m->v[k][i];
	}
	m->n[k] = n;
	ok = otr_writer_delete(w, &spec, &r, &err) == OTR_OK;
	if (!ok)
		printf("# delete: %s\n", err.text);
	if (n == before)
		m->versions--;
	ok = ok && r.committed == (n < before) && r.version == m->versions && r.removed == before - n && r.rows == n;
	otr_writer_close(w);
	return ok;
}

static bool
roll_back(const char *path, struct table *m, uint64_t version)
{
	struct otr_writer *w = one_writer(path);
	struct otr_change_result r = { .version = 0 };
	struct otr_error err = { .text = "" };
	bool ok;

	next_version(m, version);
	ok = otr_writer_rollback(w, version, &r, &err) == OTR_OK && r.committed && r.version == m->versions && r.rows == m->n[version];
	if (!ok)
		printf("# rollback: %s\n", err.text);
	otr_writer_close(w);
	return ok;
}

/* One key set, or unset if value is NULL. */
static bool
set_meta(const char *path, struct table *m, const char *key, const char *value, bool changes)
{
	struct otr_meta_change change = { .key = key, .value = value, .value_bytes = value == NULL ? 0 : strlen(value) };
	struct otr_writer *w = one_writer(path);
	struct otr_change_result r;
	struct otr_error err = { .text = "" };
	bool ok;

	if (changes)
		next_version(m, m->versions);
	ok = otr_writer_set_meta(w, &change, 1, NULL, &r, &err) == OTR_OK && r.committed == changes && r.version == m->versions;
	if (!ok)
		printf("# meta: %s\n", err.text);
	otr_writer_close(w);
	return ok;
}

static bool
meta_is(const char *path, uint64_t version, const char *key, const char *value)
{
	struct otr *file;
	struct otr_error err;
	struct otr_meta e;
	bool found = false;
	size_t i;

	if (otr_open_at(path, version, &file, &err) != OTR_OK)
		return false;
	for (i = 0; otr_meta_entry(file, i, &e, &err) == OTR_OK; i++)
		if (strcmp(e.key, key) == 0)
			found = value != NULL && strcmp(e.value, value) == 0;
	if (value == NULL)
		found = !found;
	otr_close(file);
	return found;
}

/* The table of cases.md L; spill: metadata between the steps takes the riding rows into the tree. */
static bool
table_l(bool spill)
{
	const char *path = one_path("l.otr");
	static struct table m;
	static const char *const value[] = { "", "a", "b", "c", "d", "e", "f", "g" };
	double minus1 = -1, minus2 = -2;
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;
	int step;

	memset(&m, 0, sizeof m);
	for (step = 1; step <= 7; step++) {
		switch (step) {
		case 1: ok = append(path, &m, 0, 100, NULL) && ok; break;
		case 2: ok = append(path, &m, 100, 110, NULL) && ok; break;
		case 3: ok = delete(path, &m, 50, 60, false) && ok; break;
		case 4: ok = append(path, &m, 55, 56, &minus1) && ok; break;
		case 5: ok = append(path, &m, 55, 56, &minus2) && ok; break;
		case 6: ok = roll_back(path, &m, spill ? 4 : 2) && ok; break;
		default: ok = append(path, &m, 110, 120, NULL) && ok; break;
		}
		ok = all_same(path, &m) && ok;
		if (spill)
			ok = set_meta(path, &m, "step", value[step], true) && all_same(path, &m) && ok;
	}
	return ok;
}

static bool
all_and_back(void)
{
	const char *path = one_path("all.otr");
	static struct table m;
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;

	memset(&m, 0, sizeof m);
	ok = ok && append(path, &m, 0, 100, NULL) && append(path, &m, 100, 103, NULL) && all_same(path, &m);
	ok = delete(path, &m, -1000, 1000, false) && all_same(path, &m) && ok;
	ok = delete(path, &m, -1000, 1000, false) && all_same(path, &m) && ok;
	ok = append(path, &m, 5, 7, NULL) && all_same(path, &m) && ok;
	ok = roll_back(path, &m, 2) && all_same(path, &m) && ok;
	ok = append(path, &m, 103, 106, NULL) && all_same(path, &m) && ok;
	ok = delete(path, &m, 10, 106, true) && all_same(path, &m) && ok;
	ok = roll_back(path, &m, 3) && all_same(path, &m) && ok;
	ok = roll_back(path, &m, 6) && all_same(path, &m) && ok;
	ok = roll_back(path, &m, m.versions) && all_same(path, &m) && ok;
	return ok;
}

static bool
metadata(void)
{
	const char *path = one_path("meta.otr");
	static struct table m;
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;

	memset(&m, 0, sizeof m);
	ok = ok && append(path, &m, 0, 10, NULL) && set_meta(path, &m, "site", "north", true) && set_meta(path, &m, "site", "north", false) &&
	    set_meta(path, &m, "site", "south", true) && set_meta(path, &m, "none", NULL, false) && set_meta(path, &m, "site", NULL, true);
	ok = ok && meta_is(path, 1, "site", NULL) && meta_is(path, 2, "site", "north") && meta_is(path, 3, "site", "south") && meta_is(path, 4, "site", NULL);
	ok = ok && roll_back(path, &m, 2) && meta_is(path, 5, "site", "north") && meta_is(path, 4, "site", NULL) && roll_back(path, &m, 1) &&
	    meta_is(path, 6, "site", NULL) && meta_is(path, 5, "site", "north");
	return all_same(path, &m) && ok;
}

/* Two writers that both saw the file before either changed it. */
static bool
policies(void)
{
	const char *path = one_path("policies.otr");
	struct otr_policies a = { .has_retain = true, .retain_ns = 5 }, b = { .duplicates = OTR_KEEP, .has_max_size = true, .max_bytes = 1 << 20 };
	struct otr_policies all = { .history = OTR_HISTORY_ALL };
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;
	struct otr_writer *one = one_writer(path), *two = one_writer(path);
	struct otr_change_result r;
	struct otr_error err = { .text = "" };
	const struct otr_policies *p;

	ok = ok && otr_writer_update_meta(one, NULL, 0, &a, OTR_POLICY_RETAIN, &r, &err) == OTR_OK && r.committed;
	ok = ok && otr_writer_update_meta(two, NULL, 0, &b, OTR_POLICY_MAX_SIZE | OTR_POLICY_DUPLICATES, &r, &err) == OTR_OK && r.version == 2;
	p = otr_writer_policies(two);
	ok = ok && p->duplicates == OTR_KEEP && p->max_bytes == 1 << 20 && p->has_retain && p->retain_ns == 5 && p->history == OTR_HISTORY_FITS;
	/* the first one has not seen the size */
	ok = ok && otr_writer_update_meta(one, NULL, 0, &all, OTR_POLICY_HISTORY, &r, &err) == OTR_E_ARG;
	ok = ok && otr_writer_update_meta(one, NULL, 0, &b, OTR_POLICY_DUPLICATES, &r, &err) == OTR_OK && !r.committed && r.version == 2;
	ok = ok && otr_writer_update_meta(one, NULL, 0, &all, OTR_POLICY_MAX_SIZE, &r, &err) == OTR_OK && otr_writer_policies(one)->history == OTR_HISTORY_ALL;
	otr_writer_close(one);
	otr_writer_close(two);
	return ok && one_faults(path) == 0;
}

int
main(void)
{
	CHECK(table_l(false), "8.2: versions of appends, a deletion, late rows and a rollback, as cases.md L has them");
	CHECK(table_l(true), "8.2: the same with metadata between them, so that nothing rides");
	CHECK(all_and_back(), "8.2, 8.3-3: all rows deleted, and brought back; rows by a predicate; the newest version rolled back to");
	CHECK(metadata(), "8.6: metadata as of each version, unset, rolled back");
	CHECK(policies(), "4.1: writers who set different policies do not undo each other");
	one_clean();
	return tap_done();
}
