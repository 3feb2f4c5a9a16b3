/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * windows.c - a window query over otr.h, whole: prints start, count, min, mean, max of one column, a line a window.
 *
 *	cc -o windows windows.c $(pkg-config --cflags --libs otr)
 *	windows FILE COLUMN SECONDS
 *
 * What to notice: every call says how it went and fills `err`; a window is answered from the tree's statistics, so the time taken
 * follows the number of windows and not the number of rows; windows without rows are left out.
 */
#include <otr.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
failed(const char *path, const struct otr_error *err)
{
	fprintf(stderr, "windows: %s: %s\n", path, err->text);
	return 1;
}

/* A value as a double, whatever the column's type. */
static double
number(union otr_value v, enum otr_type type)
{
	return type == OTR_F32 || type == OTR_F64 ? v.f : (double)v.i;
}

int
main(int argc, char **argv)
{
	struct otr *file;
	struct otr_query *query;
	struct otr_window window;
	struct otr_window_spec spec = { .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX };
	struct otr_error err;
	const struct otr_schema *schema;
	enum otr_status status;
	uint32_t c = 0;
	uint64_t seconds;

	if (argc != 4 || (seconds = strtoull(argv[3], NULL, 10)) == 0 || seconds > 1000000000) {
		fprintf(stderr, "usage: windows FILE COLUMN SECONDS\n");
		return 2;
	}
	if (otr_open(argv[1], &file, &err) != OTR_OK)
		return failed(argv[1], &err);
	for (size_t i = 0; otr_notice(file, i, NULL) != NULL; i++)
		fprintf(stderr, "windows: warning: %s: %s\n", argv[1], otr_notice(file, i, NULL));

	schema = otr_schema(file);
	while (c < schema->columns && strcmp(schema->column[c].name, argv[2]) != 0)
		c++;
	if (c == schema->columns) {
		fprintf(stderr, "windows: %s: no column \"%s\"\n", argv[1], argv[2]);
		otr_close(file);
		return 2;
	}

	spec.width_ns = seconds * 1000000000;
	spec.columns = (uint64_t)1 << c;
	status = otr_query_open(file, &spec, &query, &err);
	if (status == OTR_OK) {
		while ((status = otr_query_next(query, &window, &err)) == OTR_OK) {
			const struct otr_summary *s = &window.column[c];
			enum otr_type type = schema->column[c].type;

			printf("%" PRId64 " %" PRIu64, window.start_ns / 1000000000, s->count);
			if (s->count > 0)
				printf(" %.10g %.10g %.10g", number(s->min, type), otr_summary_mean(s, type), number(s->max, type));
			printf("\n");
		}
		otr_query_close(query);
	}
	otr_close(file);
	if (status != OTR_END)
		return failed(argv[1], &err);
	return fflush(stdout) != 0;
}
