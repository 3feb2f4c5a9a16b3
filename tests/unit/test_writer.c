/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_writer.c - commits in all their forms, through the public interface, against plain lists (SPEC 4.6, 8, 10.2).
 */
#include <limits.h>

#include "commit.h"
#include "onefile.h"
#include "writer.h"

#define ROWS 60000

static int64_t t[ROWS], got_t[2 * ROWS];
static double v[ROWS], got_v[2 * ROWS];

static void
regular(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		t[i] = (int64_t)(1700000000 + i) * 1000000000;
		v[i] = (double)((i * 7919) % 10007) / 100;
	}
}

static bool
same(const char *path, size_t n)
{
	struct otr *file;
	struct otr_error err;
	long m;
	bool ok;

	if (otr_open(path, &file, &err) != OTR_OK) {
		printf("# open: %s\n", err.text);
		return false;
	}
	m = one_read(file, got_t, got_v, 2 * ROWS);
	ok = m == (long)n && memcmp(t, got_t, n * sizeof t[0]) == 0 && memcmp(v, got_v, n * sizeof v[0]) == 0;
	if (!ok)
		printf("# %ld rows, expected %zu\n", m, n);
	otr_close(file);
	return ok && one_faults(path) == 0;
}

/* Batches of `batch` rows of the regular series, one commit each. */
static void
test_batches(size_t n, size_t batch, uint32_t page_bytes, const char *sentence)
{
	const char *path = one_path("batches.otr");
	struct otr_commit_result r = { .version = 0 };
	size_t i;
	bool ok = one_create(path, page_bytes, OTR_REPLACE) == OTR_OK;

	regular(n);
	for (i = 0; i < n && ok; i += batch) {
		size_t k = n - i < batch ? n - i : batch;

		ok = one_append(path, t + i, v + i, k, &r) == OTR_OK && r.committed && r.added == k && r.version == i / batch + 1;
	}
	CHECK(ok && same(path, n), sentence);
}

/* The regular series in an order of its own, in batches. */
static void
test_shuffled(size_t n, size_t batch, uint32_t page_bytes, const char *sentence)
{
	const char *path = one_path("shuffled.otr");
	static int64_t st[ROWS];
	static double sv[ROWS];
	unsigned long long state = 12345;
	struct otr_commit_result r;
	size_t i;
	bool ok = one_create(path, page_bytes, OTR_REPLACE) == OTR_OK;

	regular(n);
	memcpy(st, t, n * sizeof t[0]);
	memcpy(sv, v, n * sizeof v[0]);
	for (i = n; i > 1; i--) {
		size_t j = (size_t)(tap_random(&state) % i);
		int64_t a = st[j];
		double b = sv[j];

		st[j] = st[i - 1];
		st[i - 1] = a;
		sv[j] = sv[i - 1];
		sv[i - 1] = b;
	}
	for (i = 0; i < n && ok; i += batch)
		ok = one_append(path, st + i, sv + i, n - i < batch ? n - i : batch, &r) == OTR_OK && r.committed;
	CHECK(ok && same(path, n), sentence);
}

static uint8_t *
bytes_of(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(1 << 22);

	*len = f == NULL || bytes == NULL ? 0 : fread(bytes, 1, 1 << 22, f);
	if (f != NULL)
		(void)fclose(f);
	return bytes;
}

static void
test_replay(void)
{
	const char *path = one_path("replay.otr");
	struct otr_commit_result r;
	uint8_t *before, *after;
	size_t a, b;
	bool ok;

	regular(30000);
	ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK && one_append(path, t, v, 29990, &r) == OTR_OK &&
	    one_append(path, t + 29990, v + 29990, 10, &r) == OTR_OK;
	before = bytes_of(path, &a);
	ok = ok && one_append(path, t, v, 30000, &r) == OTR_OK;
	after = bytes_of(path, &b);
	CHECK(ok && !r.committed && r.skipped == 30000 && r.version == 2, "4.6: a feed appended twice makes no version");
	CHECK(a == b && memcmp(before, after, a) == 0, "4.6: and leaves every byte as it was");
	free(before);
	free(after);
	v[12345] = -1;
	ok = one_append(path, t, v, 30000, &r) == OTR_OK;
	CHECK(ok && r.committed && r.replaced == 1 && r.skipped == 29999 && r.added == 0, "4.6-1: replayed with one value changed, one row is replaced");
	CHECK(same(path, 30000), "4.6-1: and the others are as they were");
}

/* The size of the record area of the newest slot of a file that is closed. */
static unsigned
area_of(const char *path, uint32_t *page_bytes)
{
	static struct otr__header header;
	static struct otr__state state;
	struct otr__notices notices = { .n = 0 };
	struct otr_io io;
	bool ok;

	if (otr__io_open(path, false, &io, NULL) != OTR_OK)
		return UINT_MAX;
	ok = otr__read_header(&io, &header, &notices, NULL) == OTR_OK && otr__read_state(&io, &header, &state, &notices, NULL) == OTR_OK;
	io.close(io.self);
	*page_bytes = header.schema.page_bytes;
	return ok ? state.slot.area_bytes : UINT_MAX;
}

/* One log page takes the area whole, whatever its records are like. */
static void
test_area(void)
{
	static char message[1025];
	const char *path = one_path("area.otr");
	unsigned kind, most = 0, over = 0;
	uint32_t page_bytes = 0;

	memset(message, 'm', 1024);
	for (kind = 0; kind < 4; kind++) {
		int i;

		over += one_create(path, kind & 1 ? 4096 : 8192, OTR_KEEP) != OTR_OK;
		for (i = 0; i < 120; i++) {
			struct otr_writer_options o = { .author = kind & 2 ? "somebody" : NULL, .message = kind & 2 ? message + 1024 - 64 * (i % 17) : NULL };
			struct otr_writer *w = NULL;
			struct otr_commit_result r;
			int64_t t = i * 7 % 50;
			double v = i;
			unsigned area;

			over += otr_writer_open(path, &o, &w, NULL) != OTR_OK || one_add(w, &t, &v, 1, NULL) != OTR_OK || otr_writer_commit(w, &r, NULL) != OTR_OK;
			otr_writer_close(w);
			area = area_of(path, &page_bytes);
			over += area > page_bytes - 1700;
			most = area > most && area != UINT_MAX ? area : most;
		}
	}
	printf("# the longest record area: %u bytes\n", most);
	CHECK(over == 0 && most > 2000, "4.6-6: the record area is never longer than a page less 1,700 bytes");
}

/* Blocks of rows that each come before all that ride: what would have to be carried is more than the area of a third takes. */
static void
test_area_backwards(void)
{
	const char *path = one_path("backwards.otr");
	enum { BLOCK = 40, BLOCKS = 40 };
	uint32_t page_bytes = 0;
	unsigned over = 0;
	size_t i, from;
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;

	regular(BLOCK * BLOCKS);
	for (from = BLOCK * BLOCKS; from > 0 && ok; ) {
		struct otr_commit_result r;

		from -= BLOCK;
		ok = one_append(path, t + from, v + from, BLOCK, &r) == OTR_OK && r.added == BLOCK;
		over += area_of(path, &page_bytes) > 4096 - 1700;
	}
	for (i = 0; i < BLOCK * BLOCKS && ok; i++)
		ok = t[i] == (int64_t)(1700000000 + i) * 1000000000;
	CHECK(ok && over == 0 && same(path, BLOCK * BLOCKS), "4.6-6: nor where each commit comes before all rows that ride");
}

/* ---- syncs ------------------------------------------------------------------------------------------------------------------- */

static int (*sync_below)(void *self);
static unsigned syncs;

static int
counted_sync(void *self)
{
	syncs++;
	return sync_below(self);
}

/* How many syncs beside the slot's own write commits of so many rows take, each by one writer. */
static unsigned
syncs_of(const char *path, size_t *from, size_t rows, unsigned commits, bool *own_sync)
{
	struct otr_writer_options o = { .wait_ns = 10000000000 };
	struct otr_commit_result r;
	struct otr_error err = { .text = "" };
	struct otr_writer *w = NULL;
	struct otr_io io;
	enum otr_status status = otr__io_open(path, true, &io, &err);

	syncs = 0;
	if (status == OTR_OK) {
		*own_sync = io.can_write_synced(io.self);
		sync_below = io.sync;
		io.sync = counted_sync;
		status = otr__writer_open_io(&io, &o, &w, &err);
	}
	for (; status == OTR_OK && commits > 0; commits--, *from += rows) {
		status = one_add(w, t + *from, v + *from, rows, &err);
		if (status == OTR_OK)
			status = otr_writer_commit(w, &r, &err);
	}
	otr_writer_close(w);
	if (status != OTR_OK)
		printf("# %s\n", err.text);
	return status == OTR_OK ? syncs : UINT_MAX;
}

static void
test_syncs(void)
{
	const char *path = one_path("syncs.otr");
	size_t from = 0;
	unsigned slots, small, large;
	bool own_sync = false, ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;

	regular(ROWS);
	(void)syncs_of(path, &from, 1, 1, &own_sync);      /* the first write of a slot tells whether it can be its own sync */
	small = syncs_of(path, &from, 1, 10, &own_sync);
	slots = own_sync ? 0 : 10;
	CHECK(ok && small == slots, "10.2-5: a commit whose rows ride is one sync, that of its slot");
	large = syncs_of(path, &from, 1000, 10, &own_sync);
	CHECK(large == slots + 10 && same(path, from), "10.2-4: one that writes pages is two");
}

static void
test_versions(uint32_t page_bytes, int lateness, const char *sentence)
{
	const char *path = one_path("versions.otr");
	enum { COMMITS = 700 };
	static int64_t mt[COMMITS + 1];
	static double mv[COMMITS + 1];
	static int64_t ct[COMMITS];
	static double cv[COMMITS];
	unsigned long long state = 99;
	struct otr_commit_result r;
	struct otr_error err;
	struct otr *file;
	size_t i, wrong = 0;
	bool ok = one_create(path, page_bytes, OTR_REPLACE) == OTR_OK;

	for (i = 0; i < COMMITS && ok; i++) {
		ct[i] = (int64_t)(1000 + i - (lateness > 0 ? tap_random(&state) % (unsigned)lateness : 0)) * 1000000000;
		cv[i] = (double)i + 0.25;
		ok = one_append(path, &ct[i], &cv[i], 1, &r) == OTR_OK && r.committed && r.version == i + 1;
	}
	ok = ok && one_faults(path) == 0 && otr_open(path, &file, &err) == OTR_OK;
	for (i = 0; ok && i <= COMMITS; i++) {
		size_t n = 0, j, k;
		long m;

		for (j = 0; j < i; j++) {        /* the plain list: replace, else insert */
			for (k = n; k > 0 && mt[k - 1] > ct[j]; k--)
				;
			if (k > 0 && mt[k - 1] == ct[j]) {
				mv[k - 1] = cv[j];
				continue;
			}
			memmove(&mt[k + 1], &mt[k], (n - k) * sizeof mt[0]);
			memmove(&mv[k + 1], &mv[k], (n - k) * sizeof mv[0]);
			mt[k] = ct[j];
			mv[k] = cv[j];
			n++;
		}
		if (otr_select_version(file, i, &err) != OTR_OK) {
			if (wrong++ == 0)
				printf("# version %zu: %s\n", i, err.text);
			continue;
		}
		m = one_read(file, got_t, got_v, ROWS);
		if (m != (long)n || memcmp(mt, got_t, n * sizeof mt[0]) != 0 || memcmp(mv, got_v, n * sizeof mv[0]) != 0) {
			if (wrong++ == 0)
				printf("# version %zu: %ld rows, expected %zu\n", i, m, n);
		}
	}
	if (ok)
		otr_close(file);
	CHECK(ok && wrong == 0, sentence);
}

static void
test_policies(void)
{
	static const int64_t pt[5] = { 100, 105, 110, 110, 120 };
	static const double pv[5] = { 1, 2, 3, 4, 5 };
	static const double kept[4][5] = { { 1, 2, 4, 5 }, { 1, 2, 3, 4, 5 }, { 1, 2, 3, 5 }, { 1, 2, 3 } };
	static const long rows[4] = { 4, 5, 4, 3 };
	static const char *name[4] = { "K: replace, in one commit and over two", "K: keep, in one commit and over two", "K: first, in one commit and over two",
		"K: error refuses the second row of a time" };
	int policy, split;

	for (policy = OTR_REPLACE; policy <= OTR_ERROR; policy++) {
		bool ok = true;

		for (split = 0; split < 3; split++) {
			const char *path = one_path("policy.otr");
			struct otr_commit_result r;
			struct otr *file;
			enum otr_status status;
			long want = policy == OTR_ERROR && split == 0 ? 0 : rows[policy];

			ok = ok && one_create(path, 4096, (enum otr_duplicates)policy) == OTR_OK;
			if (split == 0) {
				status = one_append(path, pt, pv, 5, &r);
				ok = ok && status == (policy == OTR_ERROR ? OTR_E_DUPLICATE : OTR_OK);
			} else {
				ok = ok && one_append(path, pt, pv, 3, &r) == OTR_OK;
				if (split == 2) {            /* the first part in the tree: a commit too large to ride, taken back out of the way */
					regular(20000);
					ok = ok && one_append(path, t, v, 20000, &r) == OTR_OK;
				}
				status = one_append(path, pt + 3, pv + 3, 2, &r);
				ok = ok && status == (policy == OTR_ERROR ? OTR_E_DUPLICATE : OTR_OK);
			}
			if (!ok || otr_open(path, &file, NULL) != OTR_OK) {
				ok = false;
				break;
			}
			ok = one_read(file, got_t, got_v, ROWS) == want + (split == 2 ? 20000 : 0) &&
			    memcmp(got_v, kept[policy], (size_t)want * sizeof got_v[0]) == 0;
			otr_close(file);
			ok = ok && one_faults(path) == 0;
		}
		CHECK(ok, name[policy]);
	}
}

/* A commit larger than the buffer: appended while the lock is held, late rows merged at its end. */
static void
test_stream(bool shuffled, enum otr_duplicates policy, const char *sentence)
{
	const char *path = one_path("stream.otr");
	enum { N = 3000000, BATCH = 50000 };
	struct otr_writer *w = NULL;
	struct otr_commit_result r = { .version = 0 };
	struct otr_error err = { .status = OTR_OK };
	struct otr *file;
	struct otr_cursor *c;
	struct otr_rows rows;
	unsigned long long state = 7;
	long i, k, wrong = 0, n = 0;
	bool ok = one_create(path, 8192, policy) == OTR_OK && (w = one_writer(path)) != NULL;

	for (i = 0; ok && i < N; i += BATCH) {
		for (k = 0; k < BATCH; k++) {
			long at = i + k;

			/* now and then a block comes 400,000 rows late */
			if (shuffled && (i / BATCH) % 10 == 1)
				at = i + k + 8 * BATCH < N ? i + k + 8 * BATCH : i + k;
			if (shuffled && (i / BATCH) % 10 == 9)
				at = i + k - 8 * BATCH;
			t[k] = (int64_t)at * 1000;
			v[k] = (double)(at % 1000);
		}
		if (shuffled)
			for (k = BATCH; k > 1; k--) {
				long j = (long)(tap_random(&state) % (unsigned long)k);
				int64_t a = t[j];
				double b = v[j];

				t[j] = t[k - 1];
				t[k - 1] = a;
				v[j] = v[k - 1];
				v[k - 1] = b;
			}
		ok = one_add(w, t, v, BATCH, &err) == OTR_OK;
	}
	ok = ok && otr_writer_commit(w, &r, &err) == OTR_OK && r.added == N && r.version == 1;
	if (!ok)
		printf("# %s; added %llu\n", err.text, (unsigned long long)r.added);
	if (ok && policy == OTR_REPLACE) {
		/* again, as a stream: nothing changes, not even bytes behind the last page */
		size_t before, after;
		uint8_t *bytes = bytes_of(path, &before);

		free(bytes);
		for (i = 0; ok && i < N; i += BATCH) {
			for (k = 0; k < BATCH; k++) {
				t[k] = (int64_t)(i + k) * 1000;
				v[k] = (double)((i + k) % 1000);
			}
			ok = one_add(w, t, v, BATCH, &err) == OTR_OK;
		}
		ok = ok && otr_writer_commit(w, &r, &err) == OTR_OK && !r.committed && r.skipped == N && r.version == 1;
		bytes = bytes_of(path, &after);
		free(bytes);
		ok = ok && before == after;
		if (!ok)
			printf("# replay: %s; skipped %llu\n", err.text, (unsigned long long)r.skipped);
	}
	otr_writer_close(w);
	if (ok && otr_open(path, &file, &err) == OTR_OK && otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err) == OTR_OK) {
		while (otr_cursor_next(c, &rows, &err) == OTR_OK)
			for (k = 0; k < (long)rows.n; k++, n++) {
				double d = (double)(n % 1000);

				wrong += rows.time_ns[k] != (int64_t)n * 1000 || memcmp(&d, &rows.value[0][k], sizeof d) != 0;
			}
		otr_cursor_close(c);
		otr_close(file);
	}
	CHECK(ok && n == N && wrong == 0 && one_faults(path) == 0, sentence);
}

static void
test_late_stream(void)
{
	const char *path = one_path("late.otr");
	enum { N = 1500000, BATCH = 50000 };
	struct otr_writer *w = NULL;
	struct otr_commit_result r = { .version = 0 };
	struct otr_error err = { .status = OTR_OK };
	struct otr *file;
	long i, k;
	bool ok = one_create(path, 8192, OTR_REPLACE) == OTR_OK;

	regular(1000);
	for (i = 0; i < 1000; i++)
		t[i] = (int64_t)i * 1500000000 + 500000;
	ok = ok && one_append(path, t, v, 1000, &r) == OTR_OK && (w = one_writer(path)) != NULL;
	for (i = 0; ok && i < N; i += BATCH) {
		for (k = 0; k < BATCH; k++) {
			t[k] = (int64_t)(i + k) * 1000000;
			v[k] = 1;
		}
		ok = one_add(w, t, v, BATCH, &err) == OTR_OK;
	}
	ok = ok && otr_writer_commit(w, &r, &err) == OTR_OK && r.added == N && r.late > 0;
	otr_writer_close(w);
	CHECK(ok && one_faults(path) == 0, "8.1: a stream whose rows come before those that are there is a rewrite");
	if (ok && otr_open(path, &file, &err) == OTR_OK) {
		struct otr_info info;

		otr_get_info(file, &info);
		ok = info.rows == N + 1000 && otr_select_version(file, 1, &err) == OTR_OK && one_read(file, got_t, got_v, ROWS) == 1000 &&
		    got_t[999] == INT64_C(999) * 1500000000 + 500000;
		otr_close(file);
	}
	CHECK(ok, "8.2: and the version before it stays as it was");
}

static void
test_refusals(void)
{
	const char *path = one_path("refused.otr");
	struct otr_writer *w = NULL;
	struct otr_commit_result r;
	struct otr_error err;
	size_t a, b;
	uint8_t *before, *after;
	bool ok = one_create(path, 4096, OTR_REPLACE) == OTR_OK;

	regular(10);
	t[7] = INT64_MAX;
	before = bytes_of(path, &a);
	w = one_writer(path);
	ok = ok && one_add(w, t, v, 10, &err) == OTR_E_ARG && err.row == 7;
	CHECK(ok, "2.3: a reserved time is refused, and its row told");
	CHECK(otr_writer_commit(w, &r, &err) == OTR_E_ARG, "a commit after a refused row is refused too");
	otr_writer_close(w);
	after = bytes_of(path, &b);
	CHECK(a == b && memcmp(before, after, a) == 0, "and the file is as it was");
	free(before);
	free(after);
	w = one_writer(path);
	CHECK(otr_writer_commit(w, &r, &err) == OTR_OK && !r.committed && r.version == 0, "a commit without rows makes no version");
	otr_writer_close(w);
}

static void
test_keep_many(void)
{
	const char *path = one_path("keep.otr");
	struct otr_commit_result r;
	struct otr *file = NULL;
	size_t i, wrong = 0;
	bool ok = one_create(path, 4096, OTR_KEEP) == OTR_OK;
	static const int64_t edge[2] = { 999, 1001 };
	static const double ends[2] = { -1, -2 };

	for (i = 0; i < 10000; i++) {
		t[i] = 1000;
		v[i] = (double)i;
	}
	ok = ok && one_append(path, edge + 1, ends + 1, 1, &r) == OTR_OK && one_append(path, t, v, 6000, &r) == OTR_OK &&
	    one_append(path, t + 6000, v + 6000, 4000, &r) == OTR_OK && one_append(path, edge, ends, 1, &r) == OTR_OK &&
	    otr_open(path, &file, NULL) == OTR_OK;
	ok = ok && one_read(file, got_t, got_v, ROWS) == 10002 && got_t[0] == 999 && got_t[10001] == 1001;
	for (i = 0; ok && i < 10000; i++)
		wrong += got_v[i + 1] < (double)i || got_v[i + 1] > (double)i;
	CHECK(ok && wrong == 0 && one_faults(path) == 0, "K: 10,000 rows of one time are kept in order over leaves and inner pages");
	otr_close(file);
}

/* Under error, a stream with two late rows within its own first leaves: one of a new time, and after it one of a time that the stream had already. */
static void
test_stream_error(void)
{
	const char *path = one_path("error.otr");
	enum { BATCHES = 10, N = BATCHES * ROWS };
	struct otr_commit_result r;
	struct otr_error err = { .status = OTR_OK, .text = "" };
	struct otr *file;
	enum otr_status status[2] = { OTR_OK, OTR_OK };
	long rows[2] = { -1, -1 };
	int late, i;
	bool ok = true;

	for (late = 1; late <= 2; late++) {
		struct otr_writer *w;
		size_t k;

		ok = ok && one_create(path, 8192, OTR_ERROR) == OTR_OK && (w = one_writer(path)) != NULL;
		for (i = 0; i < BATCHES && ok; i++) {
			for (k = 0; k < ROWS; k++) {
				t[k] = 2 * ((int64_t)i * ROWS + (int64_t)k);
				v[k] = (double)k;
			}
			ok = one_add(w, t, v, ROWS, &err) == OTR_OK;
		}
		if (!ok)
			break;
		t[0] = 2001;
		t[1] = 2004;
		status[late - 1] = one_add(w, t, v, (size_t)late, &err);
		if (status[late - 1] == OTR_OK)
			status[late - 1] = otr_writer_commit(w, &r, &err);
		otr_writer_close(w);
		if (otr_open(path, &file, &err) == OTR_OK) {
			rows[late - 1] = one_read(file, NULL, NULL, 0);
			otr_close(file);
		}
	}
	CHECK(ok && status[0] == OTR_OK && rows[0] == N + 1, "4.6-1: under error, a stream takes a late row of a new time");
	CHECK(ok && status[1] == OTR_E_DUPLICATE && rows[1] == 0 && one_faults(path) == 0,
	    "4.6-1: and is refused as a whole for one of a time that it had before, whatever stands beside that row");
}

/* Rows that overflow the buffer begin a stream, which needs the lock before the commit. */
static void
test_stream_locked_out(void)
{
	const char *path = one_path("locked.otr");
	struct otr_writer_options o = { .wait_ns = 0 };
	struct otr__patience patience = { .wait_ns = 0 };
	static struct otr__target other;
	struct otr_commit_result r;
	struct otr_error err = { .status = OTR_OK, .text = "" };
	struct otr_writer *w = NULL;
	uint8_t *before, *after;
	size_t a, b;
	enum otr_status status = OTR_OK;
	int i;
	bool ok, open;

	regular(ROWS);
	ok = one_create(path, 8192, OTR_REPLACE) == OTR_OK && one_append(path, t, v, 1000, &r) == OTR_OK;
	before = bytes_of(path, &a);
	open = otr__target_open(path, &other, &err) == OTR_OK;
	ok = ok && open && otr__target_lock(&other, &patience, &err) == OTR_OK && otr_writer_open(path, &o, &w, &err) == OTR_OK;
	for (i = 0; ok && i < 20 && status == OTR_OK; i++) {
		size_t k;

		regular(ROWS);
		for (k = 0; k < ROWS; k++)
			t[k] += (int64_t)(i + 1) * ROWS * 1000000000;
		status = one_add(w, t, v, ROWS, &err);
	}
	printf("# after %d batches: %s\n", i, err.text);
	otr_writer_close(w);
	if (open)
		otr__target_close(&other);
	after = bytes_of(path, &b);
	CHECK(ok && status == OTR_E_BUSY && a == b && memcmp(before, after, a) == 0,
	    "10.2-1: rows that overflow the buffer while another writer has the lock: busy, and no byte is written");
	free(before);
	free(after);
}

int
main(void)
{
	test_batches(10, 1, 4096, "4.6-3: rows ride in the slot");
	test_batches(2000, 1, 4096, "4.6-4: one row a commit, through many spills");
	test_batches(3000, 7, 8192, "4.6-4: seven rows a commit");
	test_batches(60000, 999, 4096, "5.3: large commits, one after another");
	test_batches(60000, 60000, 4096, "5.3: one large commit");
	test_batches(50000, 20000, 65536, "5.3: in pages of 64 KiB");
	test_shuffled(500, 1, 4096, "M: any order, one row a commit");
	test_shuffled(500, 7, 8192, "M: any order, seven rows a commit");
	test_shuffled(20000, 1024, 4096, "M: any order, 1,024 rows a commit");
	test_shuffled(60000, 60000, 4096, "M: any order in one commit");
	test_replay();
	test_area();
	test_area_backwards();
	test_syncs();
	test_versions(8192, 0, "8.3-2: every version of 700 commits in order");
	test_versions(8192, 6, "8.3-1: every version of 700 commits late by up to five seconds");
	test_versions(4096, 6, "8.3-1: the same in pages of 4 KiB");
	test_versions(4096, 200, "8.2: every version of 700 commits that come in any order");
	test_policies();
	test_keep_many();
	test_stream(false, OTR_REPLACE, "a commit of 3,000,000 rows, and again");
	test_stream(true, OTR_REPLACE, "the same with late blocks");
	test_stream(true, OTR_KEEP, "the same under keep");
	test_late_stream();
	test_stream_error();
	test_stream_locked_out();
	test_refusals();
	one_clean();
	return tap_done();
}
