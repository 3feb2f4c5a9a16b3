/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * series.h - a series in plain arrays, and a file made of it through the public interface: what the tests of cursors, windows and verify compare with.
 */
#ifndef SERIES_H
#define SERIES_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otr.h"
#include "tap.h"

#define SERIES_COLUMNS 8

struct series {
	struct otr_schema schema;
	struct otr_policies policies;
	size_t n, capacity;
	int64_t *time_ns;
	uint64_t *value[SERIES_COLUMNS];
	uint8_t *present[SERIES_COLUMNS];      /* a byte a row here */
};

static inline uint64_t
series_f64(double d)
{
	uint64_t u;

	memcpy(&u, &d, sizeof u);
	return u;
}

static inline uint64_t
series_f32(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

static inline double
series_double(uint64_t u)
{
	double d;

	memcpy(&d, &u, sizeof d);
	return d;
}

static inline void *
series_alloc(void *p, size_t bytes)
{
	p = realloc(p, bytes == 0 ? 1 : bytes);
	if (p == NULL) {
		fputs("Bail out! out of memory\n", stdout);
		exit(1);
	}
	return p;
}

static inline void
series_init(struct series *s, uint32_t page_bytes)
{
	memset(s, 0, sizeof *s);
	s->schema.page_bytes = page_bytes;
}

static inline void
series_column(struct series *s, enum otr_type type, enum otr_interpolation interpolation)
{
	struct otr_column *c = &s->schema.column[s->schema.columns];

	(void)snprintf(c->name, sizeof c->name, "c%u", (unsigned)s->schema.columns);
	c->type = type;
	c->interpolation = interpolation;
	s->schema.columns++;
}

/* Appends a row, all of whose values are present. */
static inline void
series_row(struct series *s, int64_t time_ns, const uint64_t *value)
{
	uint32_t c;

	if (s->n == s->capacity) {
		s->capacity = s->capacity == 0 ? 64 : 2 * s->capacity;
		s->time_ns = series_alloc(s->time_ns, s->capacity * sizeof s->time_ns[0]);
		for (c = 0; c < s->schema.columns; c++) {
			s->value[c] = series_alloc(s->value[c], s->capacity * sizeof s->value[c][0]);
			s->present[c] = series_alloc(s->present[c], s->capacity);
		}
	}
	s->time_ns[s->n] = time_ns;
	for (c = 0; c < s->schema.columns; c++) {
		s->value[c][s->n] = value[c];
		s->present[c][s->n] = 1;
	}
	s->n++;
}

static inline void
series_row_f64(struct series *s, int64_t time_ns, double value)
{
	uint64_t v = series_f64(value);

	series_row(s, time_ns, &v);
}

static inline void
series_null(struct series *s, uint32_t c)
{
	s->present[c][s->n - 1] = 0;
	s->value[c][s->n - 1] = 0;
}

static inline void
series_free(struct series *s)
{
	uint32_t c;

	free(s->time_ns);
	for (c = 0; c < SERIES_COLUMNS; c++) {
		free(s->value[c]);
		free(s->present[c]);
	}
	memset(s, 0, sizeof *s);
}

static inline void
series_stop(const char *what, const struct otr_error *err)
{
	printf("Bail out! %s: status %d, %s (SPEC %s, page %lld)\n", what, (int)err->status, err->text, err->spec, (long long)err->page);
	exit(1);
}

static inline void
series_create(const struct series *s, const char *path)
{
	struct otr_create_options options = { .policies = s->policies };
	struct otr_error err;

	(void)unlink(path);
	if (otr_create(path, &s->schema, &options, &err) != OTR_OK)
		series_stop("otr_create", &err);
}

/* Adds rows [from, to) as one commit. */
static inline void
series_commit(const struct series *s, struct otr_writer *writer, size_t from, size_t to)
{
	struct otr_rows rows = { .n = to - from, .time_ns = s->time_ns + from };
	struct otr_commit_result result;
	struct otr_error err;
	uint8_t *bits[SERIES_COLUMNS] = { NULL };
	uint32_t c;
	size_t i;

	for (c = 0; c < s->schema.columns; c++) {
		bits[c] = series_alloc(NULL, (to - from + 7) / 8);
		memset(bits[c], 0, (to - from + 7) / 8);
		for (i = from; i < to; i++)
			bits[c][(i - from) >> 3] = (uint8_t)(bits[c][(i - from) >> 3] | s->present[c][i] << ((i - from) & 7));
		rows.value[c] = s->value[c] + from;
		rows.present[c] = bits[c];
	}
	if (otr_writer_add(writer, &rows, &err) != OTR_OK)
		series_stop("otr_writer_add", &err);
	if (otr_writer_commit(writer, &result, &err) != OTR_OK)
		series_stop("otr_writer_commit", &err);
	for (c = 0; c < s->schema.columns; c++)
		free(bits[c]);
}

static inline struct otr_writer *
series_writer(const char *path)
{
	struct otr_writer_options options = { .wait_ns = 1000000000 };
	struct otr_writer *writer;
	struct otr_error err;

	if (otr_writer_open(path, &options, &writer, &err) != OTR_OK)
		series_stop("otr_writer_open", &err);
	return writer;
}

/* The whole series in commits of `each` rows (0: one commit); end[k], if not NULL, is the number of rows after version k. */
static inline void
series_write(const struct series *s, const char *path, size_t each)
{
	struct otr_writer *writer;
	size_t from, to;

	series_create(s, path);
	writer = series_writer(path);
	for (from = 0; from < s->n; from = to) {
		to = each == 0 || s->n - from < each ? s->n : from + each;
		series_commit(s, writer, from, to);
	}
	otr_writer_close(writer);
}

static inline struct otr *
series_open(const char *path)
{
	struct otr_error err;
	struct otr *file;

	if (otr_open(path, &file, &err) != OTR_OK)
		series_stop("otr_open", &err);
	return file;
}

/* A directory of its own for the test's files, and the name of one in it. */
static inline const char *
series_path(const char *name)
{
	static char directory[64], path[128];

	if (directory[0] == '\0') {
		(void)snprintf(directory, sizeof directory, "%.40s/otr-test-%ld", tap_folder(), (long)getpid());
		(void)snprintf(path, sizeof path, "mkdir -p %s", directory);
		if (system(path) != 0)
			exit(1);
	}
	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

/* A random value of a type, sometimes NaN; infinite: sometimes that. */
static inline uint64_t
series_random_value(enum otr_type type, bool infinite, unsigned long long *state)
{
	bool odd = tap_random(state) % 20 == 0;

	switch (type) {
	case OTR_BOOL: return tap_random(state) & 1;
	case OTR_I32: return (uint64_t)((int64_t)(tap_random(state) % 2001) - 1000);
	case OTR_I64: return tap_random(state) >> (tap_random(state) % 64);
	case OTR_F32: return odd ? UINT32_C(0x7fc00001) : series_f32((float)(tap_random(state) % 1000) / 8);
	case OTR_F64: break;
	}
	if (infinite && tap_random(state) % 500 == 0)
		return tap_random(state) % 2 != 0 ? UINT64_C(0x7ff0000000000000) : UINT64_C(0xfff0000000000000);
	return odd ? UINT64_C(0x7ff8000000000000) : series_f64((double)(int64_t)(tap_random(state) % 200001) / 1000 - 100);
}

/* A random series: gaps, nulls (long runs of them in the last column), NaN, infinities, equal times (where the policy is keep). */
static inline void
series_random(struct series *s, size_t n, unsigned long long *state)
{
	uint64_t value[SERIES_COLUMNS];
	int64_t t = -1000000;
	uint32_t c, columns = 1 + (uint32_t)(tap_random(state) % (s->schema.page_bytes == 4096 ? 3 : 5));
	size_t i;
	bool keep = tap_random(state) % 2 != 0, infinite = tap_random(state) % 4 == 0;

	s->policies.duplicates = keep ? OTR_KEEP : OTR_REPLACE;
	s->schema.has_gap = tap_random(state) % 2 != 0;
	s->schema.gap_ns = s->schema.has_gap ? 1 + tap_random(state) % 3000 : 0;
	for (c = 0; c < columns; c++)
		series_column(s, (enum otr_type)(1 + tap_random(state) % 5), tap_random(state) % 2 != 0 ? OTR_LINEAR : OTR_STEP);
	for (i = 0; i < n; i++) {
		unsigned long long r = tap_random(state) % 100;

		t += r < 10 && keep ? 0 : r < 90 ? 1 + (int64_t)(tap_random(state) % 1000) : 1 + (int64_t)(tap_random(state) % 30000);
		for (c = 0; c < columns; c++)
			value[c] = series_random_value(s->schema.column[c].type, infinite, state);
		series_row(s, t, value);
		for (c = 0; c < columns; c++)
			if (tap_random(state) % 10 == 0 || (c == 2 && i % 700 > 20))
				series_null(s, c);
	}
}

#endif
