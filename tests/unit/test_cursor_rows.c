/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cursor_rows.c - walks over rows, forwards and backwards, against plain arrays; and walks and windows that go on while a writer reuses the pages
 * under them (SPEC 10.4-5).
 */
#include "series.h"

static int wrong;

static void
differ(const char *what, size_t row)
{
	if (++wrong <= 5)
		printf("# %s at row %zu\n", what, row);
}

/* Row i of a batch against row k of the series. */
static void
same_row(const struct series *s, size_t k, const struct otr_rows *rows, size_t i, uint64_t columns)
{
	uint32_t c;

	if (rows->time_ns[i] != s->time_ns[k])
		differ("time", k);
	for (c = 0; c < s->schema.columns; c++) {
		bool present = rows->present[c] == NULL || (rows->present[c][i >> 3] >> (i & 7) & 1) != 0;

		if ((columns >> c & 1) == 0) {
			if (rows->value[c] != NULL || rows->present[c] != NULL)
				differ("a column not asked for", k);
			continue;
		}
		if (present != (s->present[c][k] != 0))
			differ("presence", k);
		else if (rows->value[c][i] != (present ? s->value[c][k] : 0))
			differ("value", k);
	}
}

/* All rows of a cursor against rows [0, n) of the series within [a, b). */
static void
check_walk(const struct series *s, size_t n, struct otr *file, int64_t a, int64_t b, uint64_t columns, bool reverse)
{
	struct otr_cursor *cursor;
	struct otr_rows rows;
	struct otr_error err;
	size_t from = 0, to = n, i;
	enum otr_status status;

	while (from < n && s->time_ns[from] < a)
		from++;
	while (to > from && s->time_ns[to - 1] >= b)
		to--;
	if (b == INT64_MAX)
		to = n;
	if (otr_cursor_open(file, a, b, columns, reverse, &cursor, &err) != OTR_OK)
		series_stop("otr_cursor_open", &err);
	while ((status = otr_cursor_next(cursor, &rows, &err)) == OTR_OK) {
		if (rows.n < 1 || rows.n > 65535 || rows.n > to - from) {
			differ("rows of a batch", from);
			break;
		}
		for (i = 0; i < rows.n; i++)
			same_row(s, reverse ? --to : from++, &rows, i, columns);
	}
	if (status != OTR_END || from != to || rows.n != 0 || otr_cursor_next(cursor, &rows, NULL) != OTR_END)
		differ("end", from);
	otr_cursor_close(cursor);
}

static int64_t
some_time(const struct series *s, size_t n, unsigned long long *state)
{
	int64_t t = n > 0 ? s->time_ns[tap_random(state) % n] : 0;

	return t + (int64_t)(tap_random(state) % 3) - 1;
}

static void
random_series(void)
{
	unsigned long long state = 7;
	int round, k;

	for (round = 0; round < 80 && wrong == 0; round++) {
		static const size_t most[4] = { 30, 400, 3000, 9000 };
		const char *path = series_path("walk.otr");
		struct series s;
		struct otr *file;
		size_t n, each;

		series_init(&s, round % 2 == 0 ? 4096 : 16384);
		n = (size_t)(tap_random(&state) % most[round % 4]);
		series_random(&s, n, &state);
		each = round % 3 == 0 ? 0 : 1 + (size_t)(tap_random(&state) % (n / 3 + 20));
		series_write(&s, path, each);
		file = series_open(path);
		check_walk(&s, n, file, INT64_MIN, INT64_MAX, UINT64_MAX, false);
		check_walk(&s, n, file, INT64_MIN, INT64_MAX, UINT64_MAX, true);
		for (k = 0; k < 20; k++) {
			int64_t a = some_time(&s, n, &state), b = some_time(&s, n, &state);
			size_t rows = n;

			if (k >= 10 && each > 0 && n > 0) {
				uint64_t version = 1 + tap_random(&state) % ((n + each - 1) / each);
				struct otr_error err;

				if (otr_select_version(file, version, &err) != OTR_OK)
					series_stop("otr_select_version", &err);
				rows = version * each < n ? (size_t)(version * each) : n;
			}
			check_walk(&s, rows, file, a < b ? a : b, a < b ? b : a, tap_random(&state) % 32, tap_random(&state) % 2 != 0);
			check_walk(&s, rows, file, tap_random(&state) % 2 != 0 ? a : INT64_MIN, INT64_MAX, 1, tap_random(&state) % 2 != 0);
		}
		otr_close(file);
		series_free(&s);
	}
	CHECK(wrong == 0, "rows of random series, any range, both ways, at any version");
}

static void
limits(void)
{
	struct series s;
	struct otr *file;
	struct otr_cursor *cursor;
	struct otr_error err;
	const char *path = series_path("walk.otr");

	wrong = 0;
	series_init(&s, 4096);
	series_column(&s, OTR_F64, OTR_LINEAR);
	series_row_f64(&s, OTR_TIME_MIN, 1);
	series_row_f64(&s, 0, 2);
	series_row_f64(&s, OTR_TIME_MAX, 3);
	series_write(&s, path, 0);
	file = series_open(path);
	check_walk(&s, 3, file, INT64_MIN, INT64_MAX, 1, false);
	check_walk(&s, 3, file, OTR_TIME_MAX, INT64_MAX, 1, true);
	check_walk(&s, 3, file, OTR_TIME_MIN, OTR_TIME_MAX, 1, true);
	check_walk(&s, 3, file, 0, 1, 0, false);
	check_walk(&s, 3, file, 0, 0, 1, false);
	CHECK(wrong == 0, "the first and last storable time are found, and only within their range (case D)");
	CHECK(otr_cursor_open(file, 2, 1, 1, false, &cursor, &err) == OTR_E_ARG, "a range backwards is refused");
	otr_cursor_close(NULL);
	otr_close(file);
	s.n = 0;
	series_write(&s, path, 0);
	file = series_open(path);
	check_walk(&s, 0, file, INT64_MIN, INT64_MAX, 1, false);
	check_walk(&s, 0, file, -5, 5, 1, true);
	CHECK(wrong == 0, "an empty series has no rows, and no row (0, 0) (case C)");
	otr_close(file);
	series_free(&s);
}

/* Appends rows until all pages that can be reused have been. */
static void
overtake(struct series *s, const char *path, size_t *committed, size_t each, int commits)
{
	struct otr_writer *writer = series_writer(path);

	for (; commits > 0; commits--) {
		series_commit(s, writer, *committed, *committed + each);
		*committed += each;
	}
	otr_writer_close(writer);
}

/* A cursor, and a query, that are in the middle when the writer overtakes them. */
static void
reuse(size_t first, size_t each, bool reverse)
{
	const char *path = series_path("walk.otr");
	struct otr_window_spec spec = { .kind = OTR_WINDOW_POINTS, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .points = 40, .columns = 1 };
	struct series s;
	struct otr *file, *other;
	struct otr_cursor *cursor;
	struct otr_query *query;
	struct otr_window w;
	struct otr_rows rows;
	struct otr_error err;
	struct otr_writer *writer;
	size_t i, k = 0, n = first, committed = first, windows = 0, total = 0;
	enum otr_status status;

	series_init(&s, 4096);
	series_column(&s, OTR_F64, OTR_LINEAR);
	for (i = 0; i < first + 40 * each; i++)
		series_row_f64(&s, (int64_t)i * 1000, (double)(i * i % 1009) / 7);
	series_create(&s, path);
	writer = series_writer(path);
	series_commit(&s, writer, 0, first);
	otr_writer_close(writer);
	file = series_open(path);
	if (otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, reverse, &cursor, &err) != OTR_OK)
		series_stop("otr_cursor_open", &err);
	other = series_open(path);
	if (otr_query_open(other, &spec, &query, &err) != OTR_OK)
		series_stop("otr_query_open", &err);
	while ((status = otr_cursor_next(cursor, &rows, &err)) == OTR_OK) {
		for (i = 0; i < rows.n; i++)
			same_row(&s, reverse ? --n : k++, &rows, i, 1);
		if (committed < first + 40 * each)
			overtake(&s, path, &committed, each, 8);
		if (otr_query_next(query, &w, &err) == OTR_OK) {
			windows++;
			total += (size_t)w.rows;
		}
	}
	if (status != OTR_END)
		printf("# %s\n", err.text);
	if (status != OTR_END || k != n)
		differ("end of a walk under a writer", k);
	while ((status = otr_query_next(query, &w, &err)) == OTR_OK) {
		windows++;
		total += (size_t)w.rows;
	}
	if (status != OTR_END || windows != 40 || total != first)
		differ("windows under a writer", windows);
	otr_cursor_close(cursor);
	otr_query_close(query);
	otr_close(other);
	otr_close(file);
	series_free(&s);
}

static void
reuses(void)
{
	wrong = 0;
	reuse(5000, 3, false);
	reuse(5000, 3, true);
	reuse(5000, 2000, false);
	reuse(5000, 2000, true);
	reuse(60000, 5000, false);
	reuse(60000, 5000, true);
	reuse(40, 30, false);
	CHECK(wrong == 0, "a walk and a query go on at their row when the pages under them are reused");
}

/* otr_scan against what the rows say. */
static void
scans(void)
{
	unsigned long long state = 17;
	const char *path = series_path("walk.otr");
	int round, bad = 0;

	for (round = 0; round < 20; round++) {
		struct series s;
		struct otr *file;
		struct otr_scan scan;
		struct otr_error err;
		uint64_t gaps = 0, longest = 0, equal = 0, sum;
		uint32_t c, k;
		size_t i;

		series_init(&s, 4096);
		series_random(&s, round == 0 ? 0 : (size_t)(tap_random(&state) % 3000), &state);
		series_write(&s, path, round % 2 == 0 ? 0 : 100);
		for (i = 1; i < s.n; i++) {
			uint64_t dt = (uint64_t)(s.time_ns[i] - s.time_ns[i - 1]);

			gaps += s.schema.has_gap && dt > s.schema.gap_ns;
			longest = dt > longest ? dt : longest;
			equal += dt == 0;
		}
		file = series_open(path);
		if (otr_scan(file, &scan, &err) != OTR_OK)
			series_stop("otr_scan", &err);
		bad += scan.gap_count != gaps || scan.longest_gap_ns != longest || scan.duplicates != equal;
		bad += scan.used_bytes > scan.page_bytes || scan.page_bytes != scan.leaf_pages * 4096;
		for (c = 0; c < s.schema.columns; c++) {
			for (sum = 0, k = 0; k < 5; k++)
				sum += scan.transform[c][k];
			bad += sum != scan.leaf_pages;
			for (sum = 0, k = 0; k < 3; k++)
				sum += scan.packing[c][k];
			bad += sum != scan.leaf_pages;
		}
		otr_close(file);
		series_free(&s);
	}
	CHECK(bad == 0, "a scan counts gaps, equal times and encodings");
}

int
main(void)
{
	random_series();
	limits();
	scans();
	reuses();
	(void)remove(series_path("walk.otr"));
	(void)remove(series_path(""));
	return tap_done();
}
