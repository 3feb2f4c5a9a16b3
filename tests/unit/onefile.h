/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * onefile.h - for tests of commits: a file of one f64 column in a temporary directory of its own, rows in and out through the public interface.
 */
#ifndef ONEFILE_H
#define ONEFILE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db.h"
#include "tap.h"

static char one_dir[64], one_file[128];

static inline const char *
one_path(const char *name)
{
	if (one_dir[0] == '\0') {
		(void)snprintf(one_dir, sizeof one_dir, "%.40s/otr-test-XXXXXX", tap_folder());
		if (mkdtemp(one_dir) == NULL)
			abort();
	}
	(void)snprintf(one_file, sizeof one_file, "%s/%s", one_dir, name);
	return one_file;
}

static inline void
one_clean(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", one_dir);
	if (one_dir[0] != '\0' && system(command) != 0)
		printf("# cannot remove %s\n", one_dir);
}

static inline enum otr_status
one_create(const char *path, uint32_t page_bytes, enum otr_duplicates policy)
{
	static struct otr_schema schema;
	struct otr_create_options o = { .policies = { .duplicates = policy } };
	struct otr_error err;
	enum otr_status status;

	memset(&schema, 0, sizeof schema);
	schema.columns = 1;
	schema.page_bytes = page_bytes;
	strcpy(schema.column[0].name, "v");
	schema.column[0].type = OTR_F64;
	(void)unlink(path);
	status = otr_create(path, &schema, &o, &err);
	if (status != OTR_OK)
		printf("# create: %s\n", err.text);
	return status;
}

static inline enum otr_status
one_add(struct otr_writer *w, const int64_t *time_ns, const double *value, size_t n, struct otr_error *err)
{
	struct otr_rows rows = { .n = n, .time_ns = time_ns, .value = { (const uint64_t *)(const void *)value } };

	return otr_writer_add(w, &rows, err);
}

static inline struct otr_writer *
one_writer(const char *path)
{
	struct otr_writer_options o = { .wait_ns = 10000000000, .author = "tester", .message = "a note" };
	struct otr_writer *w = NULL;
	struct otr_error err;

	if (otr_writer_open(path, &o, &w, &err) != OTR_OK)
		printf("# writer: %s\n", err.text);
	return w;
}

/* One commit by a writer of its own, as a process would make it. */
static inline enum otr_status
one_append(const char *path, const int64_t *time_ns, const double *value, size_t n, struct otr_commit_result *result)
{
	struct otr_writer *w = one_writer(path);
	struct otr_error err = { .status = OTR_OK };
	enum otr_status status;

	if (w == NULL)
		return OTR_E_IO;
	status = one_add(w, time_ns, value, n, &err);
	if (status == OTR_OK)
		status = otr_writer_commit(w, result, &err);
	otr_writer_close(w);
	if (status != OTR_OK && status != OTR_E_DUPLICATE)
		printf("# append: %s\n", err.text);
	return status;
}

/* All rows of the handle's version: number, or -1; times and values (may be NULL) up to room. */
static inline long
one_read(struct otr *file, int64_t *time_ns, double *value, size_t room)
{
	struct otr_cursor *c;
	struct otr_rows rows;
	struct otr_error err;
	long n = 0;
	enum otr_status status = otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err);

	if (status != OTR_OK)
		return -1;
	while ((status = otr_cursor_next(c, &rows, &err)) == OTR_OK) {
		size_t i;

		for (i = 0; i < rows.n; i++, n++) {
			if ((size_t)n < room && time_ns != NULL)
				time_ns[n] = rows.time_ns[i];
			if ((size_t)n < room && value != NULL)
				memcpy(&value[n], &rows.value[0][i], sizeof value[0]);
		}
	}
	otr_cursor_close(c);
	if (status != OTR_END)
		printf("# read: %s\n", err.text);
	return status == OTR_END ? n : -1;
}

static inline void
one_finding(void *arg, const struct otr_finding *f)
{
	(void)arg;
	if (!f->note)
		printf("# verify: place %d number %llu: %s (SPEC %s)\n", (int)f->place, (unsigned long long)f->number, f->text, f->spec);
}

/* otr_verify's number of faults, 1000000 if it could not be done. */
static inline uint64_t
one_faults(const char *path)
{
	uint64_t faults = 1000000;
	struct otr_error err;

	if (otr_verify(path, &(struct otr_verify_options){ .found = one_finding }, &faults, &err) != OTR_OK)
		printf("# verify: %s\n", err.text);
	return faults;
}

#endif
