/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policies of size, age and history: files of fixed size under endless appends, late rows and deletions; rows that grow old; pruned versions.
 * By a clock of its own, so that each run makes the same files: how many commits a log page holds depends on how far their times are apart.
 */
#include "../model/clock.h"

#include "onefile.h"

#include <sys/stat.h>

#define MANY 1000000
#define SECOND INT64_C(1000000000)

static uint64_t
noise(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33 ^ *state;
}

static enum otr_status
create(const char *path, uint32_t page_bytes, const struct otr_policies *policies)
{
	static struct otr_schema schema;
	struct otr_create_options o = { .policies = *policies };
	struct otr_error err = { .text = "" };
	enum otr_status status;

	memset(&schema, 0, sizeof schema);
	schema.columns = 1;
	schema.page_bytes = page_bytes;
	strcpy(schema.column[0].name, "v");
	schema.column[0].type = OTR_F64;
	(void)unlink(path);
	status = otr_create(path, &schema, &o, &err);
	if (status != OTR_OK && status != OTR_E_ARG)
		printf("# create: %s\n", err.text);
	return status;
}

static int64_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* The rows of the newest version are exactly the newest of those given: (i, value[i]) for i from some row on to n - 1, none missing. */
static bool
newest_rows(const char *path, const double *value, int64_t n, int64_t *first)
{
	static int64_t t[MANY];
	static double v[MANY];
	struct otr *file;
	struct otr_error err;
	long got, i;
	bool ok;

	if (otr_open(path, &file, &err) != OTR_OK) {
		printf("# open: %s\n", err.text);
		return false;
	}
	got = one_read(file, t, v, MANY);
	otr_close(file);
	ok = got > 0 && t[got - 1] == n - 1 && t[0] >= *first;
	for (i = 0; i < got && ok; i++)
		ok = t[i] == n - got + i && memcmp(&v[i], &value[t[i]], sizeof *v) == 0;
	if (!ok)
		printf("# %ld rows of %lld: first %lld, wrong at %ld\n", got, (long long)n, got > 0 ? (long long)t[0] : -1, i);
	*first = got > 0 ? t[0] : -1;
	return ok;
}

/* 10^6 rows of eight noisy bytes in commits of so many: the case of cases.md V.  late: each commit's first rows come again, changed. */
static bool
round_robin(size_t batch, bool late)
{
	static double value[MANY];
	static int64_t time_ns[MANY];
	struct otr_policies p = { .has_max_size = true, .max_bytes = 1 << 20, .history = OTR_HISTORY_FITS };
	const char *path = one_path("round.otr");
	struct otr_commit_result r;
	uint64_t state = 7;
	int64_t first = 0, full = 0, size;
	size_t i, n;
	bool ok = create(path, 0, &p) == OTR_OK;

	for (i = 0; i < MANY; i++) {
		uint64_t bits = noise(&state) >> 12 | (uint64_t)0x3ff << 52;

		memcpy(&value[i], &bits, sizeof value[i]);
		time_ns[i] = (int64_t)i;
	}
	for (i = 0; i < MANY && ok; i += n) {
		n = MANY - i < batch ? MANY - i : batch;
		ok = one_append(path, time_ns + i, value + i, n, &r) == OTR_OK;
		if (late && i > 5000) {
			size_t k = i - 5000 + (size_t)(noise(&state) % 4000);

			value[k] += 1;
			ok = ok && one_append(path, time_ns + k, value + k, 1, &r) == OTR_OK;
		}
		size = size_of(path);
		ok = ok && size <= 1 << 20 && (full == 0 || size == full);
		if (size > (1 << 20) - 8192)
			full = size;
		if (i / batch % 10 == 9 || i + n == MANY)
			ok = ok && newest_rows(path, value, (int64_t)(i + n), &first) && one_faults(path) == 0;
		if (!ok)
			printf("# at row %d, size %lld, full %lld\n", (int)i, (long long)size, (long long)full);
	}
	printf("# size %lld of %d, first row %lld\n", (long long)size_of(path), 1 << 20, (long long)first);
	return ok && full > 0 && first > 0;
}

/* One row a commit, one in 500 late: the log is pruned by its size and by the kept roots that go, and no link leads to a page that is gone.  The clock goes a
 * second and up to jitter_ns each time. */
static bool
small_commits(int64_t jitter_ns)
{
	struct otr_policies p = { .has_max_size = true, .max_bytes = 512 << 10, .history = OTR_HISTORY_FITS };
	const char *path = one_path("commits.otr");
	struct otr_commit_result r;
	struct otr_error err = { .text = "" };
	struct otr_writer *w;
	enum otr_status status = create(path, 4096, &p);
	uint64_t state = 5;
	int64_t i;

	w = one_writer(path);
	for (i = 0; i < 30000 && status == OTR_OK; i++) {
		int64_t t = 10 * i - (i % 500 == 499 ? 5003 : 0);
		double v = (double)((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) >> 11);

		clock_now_ns += SECOND + (int64_t)(noise(&state) % (uint64_t)(jitter_ns + 1));
		status = one_add(w, &t, &v, 1, &err);
		if (status == OTR_OK)
			status = otr_writer_commit(w, &r, &err);
	}
	if (status != OTR_OK)
		printf("# commit %lld: %s\n", (long long)i, err.text);
	otr_writer_close(w);
	return status == OTR_OK && size_of(path) <= 512 << 10 && one_faults(path) == 0;
}

/* ---- metadata in a file of fixed size ------------------------------------------------------------------------------------- */

#define SIZE (512 << 10)               /* 124 pages of 4 KiB behind the first 16 KiB: seven for metadata */
#define PAGE_META (4096 - 96)

/* Metadata of one key, so many bytes in all with the entry's head.  *version: the file's afterwards. */
static enum otr_status
set_note(const char *path, size_t bytes, const struct otr_policies *p, uint64_t *version)
{
	static char value[200000];
	struct otr_meta_change change = { .key = "note", .value = value, .value_bytes = bytes < 12 ? 0 : bytes - 12 };
	struct otr_writer *w = one_writer(path);
	struct otr_change_result r = { .version = 0 };
	struct otr_error err = { .text = "" };
	enum otr_status status;

	memset(value, 'x', sizeof value);
	value[0] = (char)('a' + *version % 26);           /* another one each time */
	status = otr_writer_set_meta(w, &change, bytes > 0, p, &r, &err);
	if (status == OTR_OK)
		*version = r.version;
	else
		printf("# %s\n", err.text);
	otr_writer_close(w);
	return status;
}

static bool
fill(const char *path, int64_t n)
{
	static int64_t t[MANY];
	static double v[MANY];
	struct otr_commit_result r;
	uint64_t state = 3;
	int64_t i;

	for (i = 0; i < n; i++) {
		t[i] = i;
		v[i] = (double)noise(&state);
	}
	return one_append(path, t, v, (size_t)n, &r) == OTR_OK;
}

static long
rows_at(const char *path, uint64_t version)
{
	struct otr *file;
	struct otr_error err;
	long n;

	if (otr_open_at(path, version, &file, &err) != OTR_OK)
		return -1;
	n = one_read(file, NULL, NULL, 0);
	otr_close(file);
	return n;
}

static bool
same_bytes(const char *a, const char *b)
{
	char command[400];

	(void)snprintf(command, sizeof command, "cmp -s '%s' '%s'", a, b);
	return system(command) == 0;
}

static bool
copy(const char *from, const char *to)
{
	char command[400];

	(void)snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
	return system(command) == 0;
}

static void
metadata(void)
{
	struct otr_policies p = { .has_max_size = true, .max_bytes = SIZE, .history = OTR_HISTORY_FITS }, none = { .history = OTR_HISTORY_ALL };
	struct otr_meta big = { .key = "note" };
	struct otr_create_options o = { .policies = p, .meta = &big, .meta_count = 1 };
	struct otr_schema schema = { .page_bytes = 4096, .columns = 1, .column = { { .name = "v", .type = OTR_F64 } } };
	struct otr_change_result r;
	struct otr_error err = { .text = "" };
	struct otr_writer *w;
	char path[128], old[128];
	uint64_t version = 1;
	static char value[8 * PAGE_META];
	int i, kept = 0;
	bool ok;

	(void)strcpy(path, one_path("meta.otr"));
	(void)strcpy(old, one_path("old.otr"));
	ok = create(path, 4096, &p) == OTR_OK && fill(path, 20000) && copy(path, old);
	version = 1;
	CHECK(ok && set_note(path, 7 * PAGE_META + 1, NULL, &version) == OTR_E_LIMIT && same_bytes(path, old),
	    "9.4: metadata beyond a sixteenth of the size are refused, and the file is as it was");
	for (i = 0; i < 40 && ok; i++) {
		ok = set_note(path, 7 * PAGE_META, NULL, &version) == OTR_OK && rows_at(path, version) == 20000 && one_faults(path) == 0 && size_of(path) <= SIZE;
		kept = rows_at(path, version - 1) == 20000;
	}
	CHECK(ok, "9.4: metadata that fit, forty times: not a row expires");
	CHECK(rows_at(path, 2) < 0 && kept, "9.4: the oldest metadata go with their versions, no more than that");

	memset(value, 'y', sizeof value);
	big.value = value;
	big.value_bytes = sizeof value - 20;
	(void)unlink(path);
	CHECK(otr_create(path, &schema, &o, &err) == OTR_E_LIMIT && access(path, F_OK) != 0, "9.4: no file is made with more metadata than its size has room for");
	o.policies = none;
	ok = otr_create(path, &schema, &o, &err) == OTR_OK && fill(path, 100) && copy(path, old);
	version = 1;
	CHECK(ok && set_note(path, 0, &p, &version) == OTR_E_LIMIT && same_bytes(path, old), "9.4: nor is a size set that the metadata exceed");
	CHECK(ok && set_note(path, 100, &p, &version) == OTR_OK && copy(path, old), "9.4: with other metadata it is, in one commit");
	w = one_writer(path);
	ok = otr_writer_rollback(w, 1, &r, &err) == OTR_E_LIMIT;
	otr_writer_close(w);
	CHECK(ok && same_bytes(path, old), "9.4: a rollback to metadata that do not fit any more is refused");
	version = 2;
	CHECK(set_note(path, 0, &none, &version) == OTR_OK, "9.4: without the size");
	w = one_writer(path);
	CHECK(otr_writer_rollback(w, 1, &r, &err) == OTR_OK && r.rows == 100, "9.4: it can be made");
	otr_writer_close(w);
}

/* ---- rows of one time, under keep ------------------------------------------------------------------------------------------ */

/* n rows of one time, in one commit; what does not fit is told in a line. */
static enum otr_status
add_equal(const char *path, int64_t time_ns, size_t n)
{
	static int64_t t[2000];
	static double v[2000];
	static uint64_t state = 5;
	struct otr_commit_result r;
	size_t i;

	for (i = 0; i < n; i++) {
		t[i] = time_ns;
		v[i] = (double)noise(&state);
	}
	return one_append(path, t, v, n, &r);
}

static void
one_time(size_t batch, const char *sentence)
{
	struct otr_policies p = { .duplicates = OTR_KEEP, .has_max_size = true, .max_bytes = SIZE, .history = OTR_HISTORY_FITS };
	enum otr_status status = OTR_OK;
	char path[128], old[128];
	uint64_t newest;
	long rows = 0;
	int i;
	bool ok;

	(void)strcpy(path, one_path("same.otr"));
	(void)strcpy(old, one_path("old.otr"));
	ok = create(path, 4096, &p) == OTR_OK && fill(path, 100);
	for (i = 0; i < 1000 && ok && status == OTR_OK; i++) {
		ok = copy(path, old);
		status = add_equal(path, 1000, batch);
		rows += status == OTR_OK ? (long)batch : 0;
	}
	ok = ok && status == OTR_E_LIMIT && same_bytes(path, old) && rows > 20000 && one_faults(path) == 0;
	if (!ok)
		printf("# %d commits, %ld rows, status %d\n", i, rows, (int)status);
	for (newest = 1001; newest < 1100 && ok; newest++)
		ok = add_equal(path, (int64_t)newest, batch) == OTR_OK && size_of(path) <= SIZE;
	CHECK(ok && one_faults(path) == 0, sentence);
}

/* ---- a deletion that cuts every leaf ----------------------------------------------------------------------------------------- */

static bool
odd(void *arg, const struct otr_rows *rows, size_t i)
{
	(void)arg;
	return rows->time_ns[i] % 2 != 0;
}

/* Every other row of a full file goes: all leaves are written anew, which takes more pages than a commit may write. */
static void
cut_every_leaf(void)
{
	struct otr_policies p = { .has_max_size = true, .max_bytes = 1 << 20, .history = OTR_HISTORY_FITS };
	struct otr_delete_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .match = odd };
	struct otr_change_result r = { .version = 0 };
	struct otr_error err = { .text = "" };
	static int64_t t[MANY], left[MANY];
	struct otr_writer *w;
	struct otr *file = NULL;
	const char *path = one_path("odd.otr");
	struct otr_info info = { .newest_version = 0 };
	long before = -1, after = -1, i, k, wrong = 0;
	bool ok = create(path, 4096, &p) == OTR_OK && fill(path, 200000);

	if (ok && otr_open(path, &file, &err) == OTR_OK) {
		before = one_read(file, t, NULL, MANY);
		otr_get_info(file, &info);
		otr_close(file);
	}
	w = one_writer(path);
	ok = ok && otr_writer_delete(w, &spec, &r, &err) == OTR_OK;
	otr_writer_close(w);
	if (!ok)
		printf("# %s\n", err.text);
	if (ok && otr_open(path, &file, &err) == OTR_OK) {
		after = one_read(file, left, NULL, MANY);
		otr_close(file);
	}
	/* from the newest on: the even rows, and what is missing is the oldest, less than what one commit may write */
	for (i = before - 1, k = after - 1; i >= 0 && k >= 0; i--)
		if (t[i] % 2 == 0)
			wrong += left[k--] != t[i];
	printf("# %ld rows, then %ld; %llu commits\n", before, after, (unsigned long long)(r.version - info.newest_version));
	CHECK(ok && before > 50000 && wrong == 0 && k < 0 && after > before / 2 - before / 6 / 2,
	    "9.4: every other row of a full file is deleted; of the others only the oldest leaves make room for one commit");
	/* 189 pages may be live, 31 written by a commit, of them some by the log and the pages above the leaves */
	CHECK(ok && r.version >= info.newest_version + 6 && r.version <= info.newest_version + 50 && size_of(path) <= 1 << 20 && one_faults(path) == 0,
	    "9.4: no commit writes more than an eighth, so it takes at least six, and not one for each leaf");
}

/* ---- history by age ---------------------------------------------------------------------------------------------------------- */

/* The oldest version that can still be read after a commit of n rows, made when the clock says at_ns; UINT64_MAX: no commit. */
static uint64_t
oldest_after(const char *path, int64_t at_ns, int64_t *next_row, size_t n)
{
	static int64_t t[2000];
	static double v[2000];
	static uint64_t state = 11;
	struct otr_commit_result r;
	struct otr_error err;
	struct otr_info info;
	struct otr *file;
	size_t i;

	for (i = 0; i < n; i++) {
		t[i] = (*next_row)++;
		v[i] = (double)noise(&state);
	}
	clock_now_ns = at_ns;
	if (one_append(path, t, v, n, &r) != OTR_OK || otr_open(path, &file, &err) != OTR_OK)
		return UINT64_MAX;
	otr_get_info(file, &info);
	otr_close(file);
	return info.oldest_version;
}

/* A commit each hundred seconds, so that version v is of second 100 v after the start; what is older than 250 s goes, but for the version that was the newest then. */
static void
history_by_age(void)
{
	struct otr_policies p = { .history = OTR_HISTORY_AGE, .history_value = 250 * SECOND };
	const char *path = one_path("age.otr");
	int64_t start = clock_now_ns, row = 0, i;
	bool ok = create(path, 4096, &p) == OTR_OK, small, back;

	for (i = 1; i <= 20 && ok; i++) {
		uint64_t oldest = oldest_after(path, start + 100 * i * SECOND, &row, 2000);

		ok = oldest == (uint64_t)(i < 4 ? 0 : i - 3);
		if (!ok)
			printf("# version %lld: oldest %llu\n", (long long)i, (unsigned long long)oldest);
	}
	CHECK(ok, "9.5: history by age: each commit of pages prunes what is older, and keeps the version that was the newest so long before the clock");
	CHECK(rows_at(path, 17) == 34000 && rows_at(path, 16) < 0 && one_faults(path) == 0, "9.5: that version can be read, the one before cannot");
	small = oldest_after(path, start + 5000 * SECOND, &row, 1) == 17;
	CHECK(small, "9.5: a commit without pages looks up no age");
	back = oldest_after(path, start + 1500 * SECOND, &row, 2000) == 17;
	CHECK(back, "9.5: with a clock that went back the oldest version does not go back");
	CHECK(oldest_after(path, start + 5300 * SECOND, &row, 2000) == 22 && one_faults(path) == 0, "9.5: and goes on with the clock, as the versions were committed last");
}

int
main(void)
{
	struct otr_policies small = { .has_max_size = true, .max_bytes = 32 << 10, .history = OTR_HISTORY_FITS };

	CHECK(create(one_path("small.otr"), 0, &small) == OTR_E_ARG, "9.4: a size too small for its reserve is refused");
	CHECK(round_robin(1000, false), "9.4: 10^6 rows in commits of 1,000 into 1 MiB: the newest rows, never beyond the size");
	CHECK(round_robin(1000000, false), "9.4: the same in one input");
	CHECK(round_robin(1000, true), "9.4: the same with rows replaced late");
	CHECK(small_commits(0) && small_commits(20000) && small_commits(SECOND / 1000),
	    "9.5: 30,000 commits of a row, by clocks of three unsteadinesses: links to log pages that are gone are not followed");
	metadata();
	cut_every_leaf();
	history_by_age();
	one_time(600, "9.4: rows of one time beyond the size are refused, and nothing is changed; later ones are taken, and let them go");
	one_time(120, "9.4: the same with rows that ride");
	one_clean();
	return tap_done();
}
