/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_collectors.c - long lives of files, against plain arrays: two collectors that alternate and come late, a row a minute for a year with a
 * handle for each commit, one feed in any order and any batches, the same feed twice, and commits larger than the writer's buffer.
 *
 *	FULL=1 SEED=n test_collectors        at full scale: 2 x 10,000 commits, 525,600 commits
 */
#include "clock.h"

#include <sys/stat.h>

#include "tap.h"
#include "windows.h"

static char path[600];
static bool full;

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

static void
ok_or_die(const char *call, enum otr_status status, const struct otr_error *err)
{
	if (status == OTR_OK)
		return;
	printf("Bail out! %s: %s: %s\n", call, otr_status_text(status), err->text);
	exit(1);
}

static uint64_t
file_bytes(void)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void
create(struct series *s, uint32_t columns, enum otr_duplicates duplicates, uint32_t page_bytes)
{
	struct otr_schema schema = { .columns = columns, .page_bytes = page_bytes };
	struct otr_create_options options = { .policies.duplicates = duplicates };
	struct otr_error err;
	uint32_t c;

	for (c = 0; c < columns; c++) {
		snprintf(schema.column[c].name, sizeof schema.column[c].name, "v%u", c);
		schema.column[c].type = c % 2 == 0 ? OTR_F64 : OTR_I64;
	}
	(void)unlink(path);
	ok_or_die("otr_create", otr_create(path, &schema, &options, &err), &err);
	series_init(s, &schema, &options.policies, clock_now_ns);
}

static struct otr_writer *
open_writer(const char *author)
{
	struct otr_writer_options options = { .author = author };
	struct otr_writer *w = NULL;
	struct otr_error err;

	ok_or_die("otr_writer_open", otr_writer_open(path, &options, &w, &err), &err);
	return w;
}

/* Rows [from, to) of b into w; no nulls. */
static enum otr_status
add(struct otr_writer *w, const struct batch *b, size_t from, size_t to, struct otr_error *err)
{
	struct otr_rows rows = { .n = to - from, .time_ns = b->t + from };
	uint64_t *value = get(NULL, rows.n * b->columns, sizeof *value);
	enum otr_status status;
	uint32_t c;
	size_t i;

	for (c = 0; c < b->columns; c++) {
		for (i = 0; i < rows.n; i++)
			value[c * rows.n + i] = b->v[(from + i) * b->columns + c];
		rows.value[c] = value + c * rows.n;
	}
	status = otr_writer_add(w, &rows, err);
	free(value);
	return status;
}

/* Whether the rows of the handle's version are these. */
static bool
same_rows(struct otr *file, const struct series *s, const struct view *w)
{
	struct otr_cursor *cursor = NULL;
	struct otr_rows rows;
	struct otr_error err;
	enum otr_status status = otr_cursor_open(file, INT64_MIN, INT64_MAX, UINT64_MAX, false, &cursor, &err);
	size_t at = 0, i;
	uint32_t c;
	bool same = true;

	if (status != OTR_OK)
		return fail("otr_cursor_open: %s", err.text);
	while (same && (status = otr_cursor_next(cursor, &rows, &err)) == OTR_OK) {
		if (at + rows.n > w->n) {
			same = fail("more than %zu rows", w->n);
			break;
		}
		same = memcmp(rows.time_ns, w->t + at, rows.n * sizeof rows.time_ns[0]) == 0;
		for (c = 0; same && c < s->columns; c++)
			for (i = 0; same && i < rows.n; i++)
				same = rows.value[c][i] == s->pool[w->at[at + i] * s->columns + c];
		if (!same)
			fail("rows %zu.. differ", at);
		at += rows.n;
	}
	otr_cursor_close(cursor);
	if (same && status != OTR_END)
		return fail("otr_cursor_next: %s", err.text);
	return same && at != w->n ? fail("%zu rows, expected %zu", at, w->n) : same;
}

/* Tries `count` of the versions, the first and the last among them; how many differ. */
static unsigned
bad_versions(struct series *s, size_t count, size_t *tried)
{
	struct otr *file = NULL;
	struct otr_error err;
	struct otr_info info;
	struct otr_commit commit;
	unsigned bad = 0;
	size_t i;

	ok_or_die("otr_open", otr_open(path, &file, &err), &err);
	if (count > s->versions)
		count = s->versions;
	for (i = 0; i < count; i++) {
		uint64_t v = i * (s->versions - 1) / (count > 1 ? count - 1 : 1);

		failure[0] = '\0';
		if (otr_select_version(file, v, &err) != OTR_OK)
			fail("%s", err.text);
		else if (same_rows(file, s, view_at(s, v)) && otr_commit_get(file, &commit, &err) == OTR_OK && (commit.time_ns != s->version[v].time_ns ||
		    commit.kind != s->version[v].kind || commit.added != s->version[v].added || commit.removed != s->version[v].removed))
			fail("its record differs");
		if (failure[0] == '\0' && otr_select_time(file, s->version[v].time_ns, &err) == OTR_OK) {
			otr_get_info(file, &info);
			if (info.version != (uint64_t)version_at(s, s->version[v].time_ns))
				fail("as of its time: version %llu", (unsigned long long)info.version);
		}
		if (failure[0] != '\0' && bad++ < 5)
			printf("# version %llu: %s\n", (unsigned long long)v, failure);
	}
	otr_close(file);
	*tried = count;
	return bad;
}

static void
found(void *arg, const struct otr_finding *f)
{
	if (!f->note && ++*(unsigned *)arg <= 5)
		printf("# verify: place %d number %llu: %s (SPEC %s)\n", f->place, (unsigned long long)f->number, f->text, f->spec);
}

static bool
is_sound(void)
{
	unsigned findings = 0;
	uint64_t faults = 0;
	struct otr_error err;

	ok_or_die("otr_verify", otr_verify(path, &(struct otr_verify_options){ .found = found, .arg = &findings }, &faults, &err), &err);
	return faults == 0;
}

static void
report_times(const char *what, const double *seconds, size_t n)
{
	size_t part = n / 20 > 0 ? n / 20 : 1, i;
	double first = 0, last = 0;

	for (i = 0; i < part; i++) {
		first += seconds[i];
		last += seconds[n - 1 - i];
	}
	printf("# %s: an append %.1f us at the start, %.1f us at the end; %llu bytes\n", what, first / (double)part * 1e6, last / (double)part * 1e6,
	    (unsigned long long)file_bytes());
}

/* ---- two collectors ------------------------------------------------------------------------------------------------------ */

static void
two_collectors(struct rng *r, size_t each)
{
	struct otr_writer *w[2];
	struct series s;
	struct batch b = { .n = 0 };
	struct otr_error err;
	struct otr_commit_result result;
	double *seconds = get(NULL, 2 * each, sizeof *seconds);
	double bits = 20;
	size_t i, tried;
	uint64_t limit = full ? 3000000 : 3000000 / 10000 * each + 60000;

	create(&s, 1, OTR_REPLACE, 0);
	w[0] = open_writer("north");
	w[1] = open_writer("south");
	batch_reserve(&b, 1, 1);
	for (i = 0; i < 2 * each; i++) {
		double start;

		clock_now_ns += 500000000;
		bits += (double)below(r, 21) / 100 - 0.1;
		b.n = 1;
		b.t[0] = (clock_now_ns - (int64_t)below(r, 5000)  * 1000000) / 1000000 * 1000000;
		b.mask[0] = 1;
		b.v[0] = bits_of((double)(int64_t)(bits * 100) / 100);
		start = wall_seconds();
		ok_or_die("otr_writer_add", add(w[i % 2], &b, 0, 1, &err), &err);
		ok_or_die("otr_writer_commit", otr_writer_commit(w[i % 2], &result, &err), &err);
		seconds[i] = wall_seconds() - start;
		(void)series_apply(&s, &b, clock_now_ns, "", "");
		if (result.version != newest(&s)) {
			printf("# version %llu, expected %llu\n", (unsigned long long)result.version, (unsigned long long)newest(&s));
			break;
		}
	}
	CHECK(i == 2 * each, "each commit of two collectors makes its version");
	otr_writer_close(w[0]);
	otr_writer_close(w[1]);
	report_times("two collectors", seconds, 2 * each);
	CHECK(file_bytes() < limit, "the file of two collectors is small");
	CHECK(bad_versions(&s, 2000, &tried) == 0, "every version of two collectors that was tried is exact");
	printf("# %zu versions tried\n", tried);
	CHECK(is_sound(), "the file of two collectors is sound");
	series_release(&s);
	batch_release(&b);
	free(seconds);
}

/* ---- a year ----------------------------------------------------------------------------------------------------------------- */

static void
a_year(struct rng *r, size_t minutes)
{
	struct series s;
	struct batch b = { .n = 0 };
	struct otr_error err;
	struct otr_commit_result result;
	double *seconds = get(NULL, minutes, sizeof *seconds);
	size_t i, tried;
	int64_t value = 2000;
	uint64_t limit = full ? 10000000 : 10000000 / 525 * minutes / 1000 + 60000;

	create(&s, 1, OTR_REPLACE, 0);
	batch_reserve(&b, 1, 1);
	clock_now_ns = INT64_C(1767225600) * 1000000000;
	for (i = 0; i < minutes; i++) {
		double start;
		struct otr_writer *w;

		clock_now_ns += INT64_C(60000000000);
		value += (int64_t)below(r, 21) - 10;
		b.n = 1;
		b.t[0] = clock_now_ns;
		b.mask[0] = 1;
		b.v[0] = bits_of((double)value / 100);
		start = wall_seconds();
		w = open_writer("");
		ok_or_die("otr_writer_add", add(w, &b, 0, 1, &err), &err);
		ok_or_die("otr_writer_commit", otr_writer_commit(w, &result, &err), &err);
		otr_writer_close(w);
		seconds[i] = wall_seconds() - start;
		(void)series_apply(&s, &b, clock_now_ns, "", "");
		if (result.version != newest(&s))
			break;
	}
	CHECK(i == minutes, "each commit of a row a minute makes its version");
	report_times("a row a minute", seconds, minutes);
	CHECK(file_bytes() < limit, "the file of a row a minute is small");
	CHECK(bad_versions(&s, full ? 2000 : 500, &tried) == 0, "every version of a row a minute that was tried is exact");
	printf("# %zu versions tried\n", tried);
	CHECK(is_sound(), "the file of a row a minute is sound");
	series_release(&s);
	batch_release(&b);
	free(seconds);
}

/* ---- any order, any batches --------------------------------------------------------------------------------------------------- */

static void
shuffle(struct rng *r, struct batch *b)
{
	size_t i, c;

	for (i = b->n; i > 1; i--) {
		size_t j = (size_t)below(r, i);
		int64_t t = b->t[i - 1];

		b->t[i - 1] = b->t[j];
		b->t[j] = t;
		for (c = 0; c < b->columns; c++) {
			uint64_t v = b->v[(i - 1) * b->columns + c];

			b->v[(i - 1) * b->columns + c] = b->v[j * b->columns + c];
			b->v[j * b->columns + c] = v;
		}
	}
}

static char *
file_content(size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	size_t room = (size_t)file_bytes();
	char *content = get(NULL, room, 1);

	*bytes = f == NULL ? 0 : fread(content, 1, room, f);
	if (f != NULL)
		fclose(f);
	return content;
}

static void
any_order(struct rng *r)
{
	static const size_t sizes[] = { 20, 300, 4000, 20000 };
	unsigned bad = 0, again = 0, unsound = 0, windows = 0, tries = 0, k, trial;
	struct batch b = { .n = 0 };

	for (k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
		for (trial = 0; trial < 12; trial++) {
			enum otr_duplicates policy = (enum otr_duplicates)(trial % 4);
			struct otr_window_spec spec = { .kind = OTR_WINDOW_WHOLE, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .columns = 3, .want = 15 };
			struct otr_writer *w;
			struct otr_commit_result result;
			struct otr_error err;
			struct otr *file = NULL;
			struct series s, ordered;
			const struct view *view;
			size_t n = sizes[k], i, from, to, cut = 1 + (size_t)below(r, trial % 3 == 0 && n < 1000 ? 3 : n), bytes, bytes_after;
			char *content, *after;

			create(&s, 2, policy, 4096);
			series_init(&ordered, &s.schema, &s.policies, 0);
			batch_reserve(&b, 2, n);
			b.n = n;
			for (i = 0; i < n; i++) {
				b.t[i] = (int64_t)i * 1000 + (int64_t)below(r, 1000);
				b.mask[i] = 3;
				b.v[2 * i] = bits_of((double)(int64_t)below(r, 100000) / 100);
				b.v[2 * i + 1] = below(r, 1000);
			}
			(void)series_apply(&ordered, &b, 0, "", "");
			shuffle(r, &b);
			w = open_writer("");
			for (from = 0; from < n; from = to) {
				to = from + cut < n ? from + cut : n;
				ok_or_die("otr_writer_add", add(w, &b, from, to, &err), &err);
				ok_or_die("otr_writer_commit", otr_writer_commit(w, &result, &err), &err);
			}
			view = view_at(&ordered, 1);
			tries++;
			ok_or_die("otr_open", otr_open(path, &file, &err), &err);
			if (!same_rows(file, &ordered, view) && bad++ < 3)
				printf("# %zu rows by %zu, policy %d: %s\n", n, cut, policy, failure);
			if (!check_windows(&ordered, 1, file, &spec) && windows++ < 3)
				printf("# %zu rows by %zu, policy %d: %s\n", n, cut, policy, failure);
			spec.kind = OTR_WINDOW_FIXED;
			spec.width_ns = 1 + below(r, n * 100);
			if (!check_windows(&ordered, 1, file, &spec) && windows++ < 3)
				printf("# %zu rows by %zu, policy %d: %s\n", n, cut, policy, failure);
			otr_close(file);
			content = file_content(&bytes);
			if (policy == OTR_REPLACE || policy == OTR_FIRST) {
				uint64_t version = result.version;

				shuffle(r, &b);
				ok_or_die("otr_writer_add", add(w, &b, 0, n, &err), &err);
				ok_or_die("otr_writer_commit", otr_writer_commit(w, &result, &err), &err);
				after = file_content(&bytes_after);
				if (result.committed || result.version != version || bytes != bytes_after || memcmp(content, after, bytes) != 0)
					again++;
				free(after);
			}
			free(content);
			otr_writer_close(w);
			unsound += !is_sound();
			series_release(&s);
			series_release(&ordered);
		}
	}
	printf("# %u feeds\n", tries);
	CHECK(bad == 0, "any permutation of a feed, cut into any batches, gives the same rows");
	CHECK(windows == 0, "and the same answers");
	CHECK(again == 0, "a feed appended twice changes neither version nor bytes (replace, first)");
	CHECK(unsound == 0, "such files are sound");
	batch_release(&b);
}

/* ---- commits larger than the buffer ---------------------------------------------------------------------------------------------- */

static void
large_commits(struct rng *r)
{
	static const char *const names[] = { "replace", "keep", "first", "error" };
	enum otr_duplicates policy;
	struct batch b = { .n = 0 };

	for (policy = OTR_REPLACE; policy <= OTR_ERROR; policy++) {
		size_t n = 1000000, base = 50000, i, from, to, tried;
		struct series s;
		struct otr_writer *w;
		struct otr_commit_result result;
		struct otr_error err = { .text = "" };
		enum otr_status status = OTR_OK;
		struct applied a;
		char sentence[160];
		bool good;

		create(&s, 1, policy, 8192);
		batch_reserve(&b, 1, n);
		w = open_writer("");
		for (i = 0; i < base; i++) {
			b.t[i] = (int64_t)i * 10000000;
			b.mask[i] = 1;
			b.v[i] = bits_of((double)i);
		}
		b.n = base;
		ok_or_die("otr_writer_add", add(w, &b, 0, base, &err), &err);
		ok_or_die("otr_writer_commit", otr_writer_commit(w, &result, &err), &err);
		(void)series_apply(&s, &b, clock_now_ns, "", "");
		/* mostly ascending, some late among themselves, some among the rows before; under error no two of one time */
		for (i = 0; i < n; i++) {
			int64_t t = (int64_t)(base + i) * 10000000;

			if (below(r, 50) == 0)
				t -= (int64_t)below(r, 2000) * 10000000 + (policy == OTR_ERROR ? (int64_t)i + 1 : 0);
			else if (below(r, 500) == 0)
				t = (int64_t)below(r, base + i) * 10000000 + (policy == OTR_ERROR ? (int64_t)i + 1 : 0);
			b.t[i] = t;
			b.mask[i] = 1;
			b.v[i] = bits_of((double)below(r, 3));
		}
		b.n = n;
		for (from = 0; from < n && status == OTR_OK; from = to) {
			to = from + 1 + (size_t)below(r, 100000);
			if (to > n)
				to = n;
			status = add(w, &b, from, to, &err);
		}
		if (status == OTR_OK)
			status = otr_writer_commit(w, &result, &err);
		a = series_apply(&s, &b, clock_now_ns, "", "");
		if (status != OTR_OK)
			printf("# %s: %s\n", names[policy], err.text);
		otr_writer_close(w);
		good = status == OTR_OK && !a.duplicate && result.committed && result.version == 2 &&
		    result.added + result.replaced + result.skipped == n;
		if (status == OTR_OK && !good)
			printf("# %s: committed %d version %llu added %llu replaced %llu skipped %llu, expected added %llu\n", names[policy], result.committed,
			    (unsigned long long)result.version, (unsigned long long)result.added, (unsigned long long)result.replaced,
			    (unsigned long long)result.skipped, (unsigned long long)a.added);
		/* what the record says of rows that one commit replaced among themselves is the writer's affair */
		for (i = 0; i < s.versions; i++) {
			struct otr *file = NULL;

			if (otr_open_at(path, i, &file, &err) != OTR_OK || !same_rows(file, &s, view_at(&s, i))) {
				printf("# %s: version %zu: %s\n", names[policy], i, file == NULL ? err.text : failure);
				good = false;
			}
			otr_close(file);
		}
		(void)tried;
		snprintf(sentence, sizeof sentence, "a commit larger than the buffer equals plain arrays (%s)", names[policy]);
		CHECK(good, sentence);
		snprintf(sentence, sizeof sentence, "and its file is sound (%s)", names[policy]);
		CHECK(is_sound(), sentence);
		if (policy == OTR_ERROR) {
			uint64_t version = newest(&s);

			/* the same once more: each row is a second one of its time */
			w = open_writer("");
			status = OTR_OK;
			for (from = 0; from < n && status == OTR_OK; from = to) {
				to = from + 100000 < n ? from + 100000 : n;
				status = add(w, &b, from, to, &err);
			}
			if (status == OTR_OK)
				status = otr_writer_commit(w, &result, &err);
			otr_writer_close(w);
			w = open_writer("");
			CHECK(status == OTR_E_DUPLICATE && otr_writer_version(w) == version, "a second row of one time is refused in a large commit, and nothing is stored");
			otr_writer_close(w);
		}
		series_release(&s);
	}
	batch_release(&b);
}

int
main(void)
{
	struct rng r = { .s = setting("SEED", 1) };
	const char *tmp = tap_folder();
	char directory[512];

	full = setting("FULL", 0) != 0;
	printf("# SEED=%llu FULL=%d\n", (unsigned long long)r.s, full);
	snprintf(directory, sizeof directory, "%s/otr-collectors-XXXXXX", tmp);
	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return 2;
	}
	snprintf(path, sizeof path, "%s/a.otr", directory);
	two_collectors(&r, full ? 10000 : TAP_SLOWER > 1 ? 500 : 2000);
	a_year(&r, full ? 525600 : TAP_SLOWER > 1 ? 5000 : 20000);
	any_order(&r);
	large_commits(&r);
	(void)unlink(path);
	(void)rmdir(directory);
	return tap_done();
}
