/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_compact.c - otr_compact beside a writer that commits while it copies, pruned and expired versions, many kept roots, and a caller that gives up.
 *
 * Reading is compared version by version: the digest of a version is over every bit of its rows.
 */
#include <dirent.h>

#include "commit.h"
#include "onefile.h"
#include "recordcheck.h"
#include "writer.h"

#define SECOND INT64_C(1000000000)

/* FNV-1a over the rows of a version from start_ns on; 0: it cannot be read. */
static uint64_t
digest(const char *path, uint64_t version, int64_t start_ns)
{
	uint64_t h = 14695981039346656037u;
	struct otr *file;
	struct otr_cursor *c = NULL;
	struct otr_rows rows;
	enum otr_status status = otr_open(path, &file, NULL);

	if (status != OTR_OK)
		return 0;
	status = otr_select_version(file, version, NULL);
	if (status == OTR_OK)
		status = otr_cursor_open(file, start_ns, INT64_MAX, 1, false, &c, NULL);
	while (status == OTR_OK && (status = otr_cursor_next(c, &rows, NULL)) == OTR_OK) {
		size_t i;

		for (i = 0; i < rows.n; i++) {
			h = (h ^ (uint64_t)rows.time_ns[i]) * 1099511628211u;
			h = (h ^ rows.value[0][i]) * 1099511628211u;
		}
	}
	otr_cursor_close(c);
	otr_close(file);
	return status == OTR_END ? h : 0;
}

static void
print_finding(void *arg, const struct otr_finding *f)
{
	(void)arg;
	if (!f->note)
		printf("# page %llu: %s (%s)\n", (unsigned long long)f->number, f->text, f->spec);
}

static bool
is_sound(const char *path)
{
	uint64_t faults = 1;
	struct otr_error err;

	if (otr_verify(path, &(struct otr_verify_options){ .found = print_finding }, &faults, &err) != OTR_OK)
		printf("# verify: %s\n", err.text);
	return faults == 0;
}

/* SPEC 9.8-2: one slot has the version before, of the new pages, the other the compaction. */
static bool
slots_after(const char *path, uint64_t version)
{
	static struct otr__header header;
	static struct otr__slot slot[2];
	uint8_t bytes[2 * OTR__SLOT_BYTES];
	struct otr__notices notices = { .n = 0 };
	struct otr_io io;
	bool ok;
	int newer;

	if (otr__io_open(path, false, &io, NULL) != OTR_OK)
		return false;
	ok = otr__read_header(&io, &header, &notices, NULL) == OTR_OK && otr__io_read(&io, 4096, bytes, sizeof bytes, NULL) == OTR_OK &&
	    otr__slot_decode(bytes, &header, &slot[0], NULL) == OTR__SLOT_SOUND && otr__slot_decode(bytes + OTR__SLOT_BYTES, &header, &slot[1], NULL) == OTR__SLOT_SOUND;
	io.close(io.self);
	newer = ok && slot[1].version > slot[0].version;
	return ok && slot[newer].version == version && slot[!newer].version == version - 1 && slot[!newer].self_synced && slot[!newer].freed == 0;
}

static uint64_t
newest(const char *path)
{
	struct otr *file;
	struct otr_info info = { .newest_version = 0 };

	if (otr_open(path, &file, NULL) == OTR_OK) {
		otr_get_info(file, &info);
		otr_close(file);
	}
	return info.newest_version;
}

/* A commit of n rows from second `from` on, `step` apart. */
static bool
commit(const char *path, long from, long step, long n, double value)
{
	struct otr_writer *w = one_writer(path);
	struct otr_commit_result r;
	struct otr_error err;
	bool ok = true;
	long i;

	for (i = 0; i < n && ok; i++) {
		int64_t t = (from + i * step) * SECOND;
		double v = value + (double)(i * 7919 % 1009) / 8;

		ok = one_add(w, &t, &v, 1, &err) == OTR_OK;
	}
	ok = ok && otr_writer_commit(w, &r, &err) == OTR_OK;
	otr_writer_close(w);
	return ok;
}

/* A series with a past: large and small commits, late ones. */
static void
make(const char *path, int late)
{
	int i;

	(void)one_create(path, 4096, OTR_REPLACE);
	(void)commit(path, 1000000, 60, 8000, 1);
	for (i = 0; i < late; i++) {
		(void)commit(path, 1000000 + 37 * i * 60 + 30, 60, 1 + i % 3, 2 + i);
		(void)commit(path, 2000000 + 100 * i, 10, 1 + i % 5, 3);
	}
}

static int
count_temporary(void)
{
	DIR *dir = opendir(one_dir);
	struct dirent *e;
	int n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		n += strncmp(e->d_name, ".otr-", 5) == 0;
	if (dir != NULL)
		(void)closedir(dir);
	return n;
}

/* ---- a writer that commits while the copy is made ---- */

struct beside {
	const char *path;
	int what;                        /* 0 nothing, 1 an append that rides, 2 a large append, 3 late rows, 4 all of them, 5 another compaction */
	bool done;
	uint64_t at;                     /* after so many pages */
};

static bool
write_beside(void *arg, uint64_t done, uint64_t total)
{
	struct beside *b = arg;

	(void)total;
	if (b->done || done < b->at)
		return true;
	b->done = true;                  /* the first pages are copied without the lock */
	if (b->what == 5) {
		struct otr_compact_options o = { .drop_history = true, .window_ns = 3600 * (uint64_t)SECOND, .older_than_ns = 1300000 * SECOND };
		struct otr_compact_result r;

		if (otr_compact(b->path, NULL, &o, &r, NULL) != OTR_OK)
			printf("# the compaction beside it failed\n");
	}
	if (b->what == 1 || b->what == 4)
		(void)commit(b->path, 3000000, 1, 2, 9);
	if (b->what == 2 || b->what == 4)
		(void)commit(b->path, 3100000, 1, 3000, 9);
	if (b->what == 3 || b->what == 4) {
		(void)commit(b->path, 1000010, 6000, 40, 9);
		(void)commit(b->path, 3200000, 1, 1, 9);
	}
	return true;
}

static void
test_beside(bool drop, const char *sentence)
{
	char path[128], copy[128];
	int wrong = 0, what;

	strcpy(path, one_path("beside.otr"));
	strcpy(copy, one_path("beside-copy.otr"));
	for (what = 0; what < 12; what++) {
		struct beside b = { .path = path, .what = what % 6, .at = what < 6 ? 1 : 2 };
		struct otr_compact_options o = { .drop_history = drop, .go_on = write_beside, .arg = &b };
		struct otr_compact_result r = { .version = 0 };
		struct otr_error err;
		uint64_t before, v, digests[64];

		make(path, 6);
		before = newest(path);
		for (v = 0; v <= before; v++)
			digests[v] = digest(path, v, INT64_MIN);
		if (otr_compact(path, NULL, &o, &r, &err) != OTR_OK) {
			printf("# %d: %s\n", what, err.text);
			wrong++;
			continue;
		}
		if (!is_sound(path) || !b.done || newest(path) != r.version || r.version < before + 1) {
			printf("# %d: sound %d, done %d, version %llu, result %llu, before %llu\n", what, is_sound(path), b.done, (unsigned long long)newest(path),
			    (unsigned long long)r.version, (unsigned long long)before);
			wrong++;
		}
		for (v = 0; v <= before && !drop && what % 6 != 5; v++)
			wrong += digest(path, v, INT64_MIN) != digests[v];
		/* the same commits without a compaction */
		make(copy, 6);
		b = (struct beside){ .path = copy, .what = what % 6 };
		(void)write_beside(&b, 1, 1);
		if (digest(path, newest(path), INT64_MIN) != digest(copy, newest(copy), INT64_MIN))
			printf("# %d: rows differ\n", what);
		wrong += digest(path, newest(path), INT64_MIN) != digest(copy, newest(copy), INT64_MIN) || digest(copy, newest(copy), INT64_MIN) == 0;
		wrong += newest(path) != newest(copy) + 1;
		wrong += !commit(path, 4000000, 1, 5000, 4) || !commit(path, 1000011, 1, 1, 4) || !is_sound(path);
	}
	CHECK(wrong == 0 && count_temporary() == 0, sentence);
}

/* ---- pruned and expired ---- */

/* Changes the newest slot of a file in place. */
static bool
change_slot(const char *path, uint64_t oldest, int64_t horizon_ns, uint64_t expired)
{
	struct otr__target t;
	uint8_t bytes[OTR__SLOT_BYTES];
	bool ok = otr__target_open(path, &t, NULL) == OTR_OK;

	if (!ok)
		return false;
	t.state.slot.oldest_version = oldest;
	t.state.slot.horizon_ns = horizon_ns;
	t.state.slot.rows -= expired;
	if (expired > 0)
		t.state.slot.first_ns = horizon_ns;
	/* the last record says how many rows there are, too */
	{
		struct otr__record record[OTR__RECORDS_MAX];
		uint8_t area[OTR__SLOT_BODY];
		struct otr__put w = otr__put_into(area, sizeof area);
		uint32_t records, i;

		ok = otr__slot_records(&t.state.slot, &t.header.schema, NULL, record, &records, NULL) == OTR_OK;
		for (i = 0; ok && i < records; i++) {
			record[i].rows -= i + 1 == records ? expired : 0;
			otr__record_put(&w, &record[i]);
		}
		memcpy(t.state.slot.area, area, sizeof area - w.left);
	}
	otr__slot_encode(bytes, &t.state.slot, t.header.file_id);
	ok = ok && t.io.write(t.io.self, OTR__SLOT_OFFSET(t.state.index), bytes, sizeof bytes) == 0;
	otr__target_close(&t);
	return ok;
}

static void
test_pruned(void)
{
	char path[128];
	struct otr_compact_options o = { .wait_ns = 0 };
	struct otr_compact_result r = { .version = 0 };
	struct otr_error err = { .text = "" };
	uint64_t digests[64], v, last;
	int64_t horizon = (1000000 + 60 * 3000) * SECOND;
	int wrong = 0;

	strcpy(path, one_path("pruned.otr"));
	make(path, 12);
	(void)commit(path, 3000000, 1, 3000, 5);
	last = newest(path);
	wrong += !change_slot(path, 9, INT64_MIN, 0);
	for (v = 9; v <= last; v++)
		digests[v] = digest(path, v, INT64_MIN);
	wrong += otr_compact(path, NULL, &o, &r, &err) != OTR_OK || !is_sound(path);
	for (v = 9; v <= last; v++)
		wrong += digests[v] == 0 || digest(path, v, INT64_MIN) != digests[v];
	wrong += digest(path, 8, INT64_MIN) != 0;
	wrong += r.bytes_after >= r.bytes_before;
	CHECK(slots_after(path, newest(path)), "9.8-2: one slot has the version before, the other the compaction");
	CHECK(wrong == 0, "9.8-1: pruned versions and what only they read are not copied; the others read as before");

	/* 3,000 rows and the late ones among them */
	wrong = 0;
	make(path, 12);
	(void)commit(path, 3000000, 1, 3000, 5);
	last = newest(path);
	{
		struct otr *file = NULL;
		struct otr_info info;
		struct otr_cursor *c = NULL;
		struct otr_rows rows;
		uint64_t expired = 0;

		wrong += otr_open(path, &file, NULL) != OTR_OK || otr_cursor_open(file, INT64_MIN, horizon, 1, false, &c, NULL) != OTR_OK;
		while (c != NULL && otr_cursor_next(c, &rows, NULL) == OTR_OK)
			expired += rows.n;
		otr_cursor_close(c);
		otr_get_info(file, &info);
		otr_close(file);
		wrong += !change_slot(path, 0, horizon, expired);
	}
	for (v = 0; v <= last; v++)
		digests[v] = digest(path, v, INT64_MIN);
	wrong += otr_compact(path, NULL, &o, &r, &err) != OTR_OK || !is_sound(path);
	for (v = 0; v <= last; v++)
		wrong += digests[v] == 0 || digest(path, v, INT64_MIN) != digests[v];
	o.window_ns = 7200 * (uint64_t)SECOND;
	o.older_than_ns = 1400000 * SECOND;
	wrong += otr_compact(path, NULL, &o, &r, &err) != OTR_OK || !is_sound(path) || r.folded == 0;
	for (v = 0; v <= last; v++)
		wrong += digest(path, v, INT64_MIN) != digests[v];
	o.drop_history = true;
	o.window_ns = 0;
	wrong += otr_compact(path, NULL, &o, &r, &err) != OTR_OK || !is_sound(path);
	if (wrong > 0)
		printf("# %s\n", err.text);
	CHECK(wrong == 0, "8.5-1: what has expired is not followed, neither by a copy, nor by a fold, nor by a dense rewrite");
}

static void
test_many_roots(void)
{
	char path[128];
	struct otr_compact_options o = { .wait_ns = 0 };
	struct otr_compact_result r = { .version = 0 };
	struct otr_error err = { .text = "" };
	uint64_t v, last, *digests;
	int wrong = 0, i;

	strcpy(path, one_path("roots.otr"));
	(void)one_create(path, 4096, OTR_REPLACE);
	(void)commit(path, 1000000, 60, 3000, 1);
	for (i = 0; i < 700; i++)
		wrong += !commit(path, 1000000 + (i * 7919 % 2900) * 60 + 1 + i % 50, 1, 1, i);
	last = newest(path);
	digests = calloc((size_t)last + 1, sizeof *digests);
	for (v = 0; v <= last; v += 11)
		digests[v] = digest(path, v, INT64_MIN);
	for (i = 0; i < 3; i++)
		wrong += otr_compact(path, NULL, &o, &r, &err) != OTR_OK || !is_sound(path);
	for (v = 0; v <= last; v += 11)
		wrong += digests[v] == 0 || digest(path, v, INT64_MIN) != digests[v];
	free(digests);
	CHECK(wrong == 0, "9.8-1: 700 kept roots, on many log pages, are there after three compactions");
}

/* ---- giving up ---- */

static bool
stop_at(void *arg, uint64_t done, uint64_t total)
{
	(void)total;
	return done < *(uint64_t *)arg;
}

static void
test_giving_up(void)
{
	char path[128];
	uint64_t at, before;
	int wrong = 0, mode, ended = 0;

	strcpy(path, one_path("stop.otr"));
	make(path, 3);
	before = newest(path);
	for (mode = 0; mode < 3; mode++) {
		for (at = 1; at < 200; at += 7) {
			struct otr_compact_options o = { .drop_history = mode == 1, .window_ns = mode == 2 ? 3600 * (uint64_t)SECOND : 0,
				.older_than_ns = 1300000 * SECOND, .go_on = stop_at, .arg = &at };
			struct otr_compact_result r;
			enum otr_status status = otr_compact(path, NULL, &o, &r, NULL);

			wrong += status != OTR_END && status != OTR_OK;
			if (status != OTR_END)
				break;
			ended++;
			wrong += newest(path) != before || count_temporary() > 0;
		}
		make(path, 3);
	}
	CHECK(wrong == 0 && ended > 3, "9.8: a caller that gives up leaves the file as it was, and no other");
}

static void
test_refusals(void)
{
	char path[128], out[128];
	struct otr_compact_result r;
	struct otr_compact_options o = { .deflate = true };

	strcpy(path, one_path("refuse.otr"));
	strcpy(out, one_path("refuse-out.otr"));
	make(path, 1);
	CHECK(otr_compact(path, out, &o, &r, NULL) == OTR_E_ARG, "deflated pages need the history to be dropped");
	o = (struct otr_compact_options){ .drop_history = true, .page_bytes = 5000 };
	CHECK(otr_compact(path, out, &o, &r, NULL) == OTR_E_ARG, "a page size that is none is refused");
	o = (struct otr_compact_options){ .author = "a\tb" };
	CHECK(otr_compact(path, out, &o, &r, NULL) == OTR_E_ARG, "an author with a control character is refused");
	o = (struct otr_compact_options){ .replace = true };
	CHECK(otr_compact(path, path, &o, &r, NULL) == OTR_E_ARG, "a file is not copied to itself");
	CHECK(otr_compact(path, NULL, &o, &r, NULL) == OTR_E_ARG, "nothing is replaced without another name");
	o = (struct otr_compact_options){ .replace = false };
	CHECK(otr_compact(path, out, &o, &r, NULL) == OTR_OK && otr_compact(path, out, &o, &r, NULL) == OTR_E_EXISTS, "an existing file is not replaced unasked");
	CHECK(count_temporary() == 0, "no temporary file is left");
}

/* ---- log pages that no longer fit ------------------------------------------------------------------------------------------- */

enum { ROWS = 150000, CHANGES = 400, LEAVES = 8 };

/* A clock of our own, so that the log's times take the same bits on every machine. */
static int64_t clock_ns;

static int64_t
next_second(void *self)
{
	(void)self;
	return clock_ns += SECOND;
}

/* One commit of n rows, with a message that leaves room for few records in a slot, so that log pages are filled to the brim. */
static bool
remark(struct otr_writer *w, const int64_t *time_ns, const double *value, size_t n)
{
	struct otr_commit_result r;
	struct otr_error err = { .text = "" };
	bool ok = one_add(w, time_ns, value, n, &err) == OTR_OK && otr_writer_commit(w, &r, &err) == OTR_OK && r.committed;

	if (!ok)
		printf("# commit: %s\n", err.text);
	return ok;
}

/* Index of the newest log page. */
static uint64_t
log_index(const char *path)
{
	static struct otr__header header;
	static struct otr__state state;
	struct otr__notices notices = { .n = 0 };
	uint8_t bytes[8];
	struct otr_io io;
	uint64_t index = UINT64_MAX;

	if (otr__io_open(path, false, &io, NULL) != OTR_OK)
		return UINT64_MAX;
	if (otr__read_header(&io, &header, &notices, NULL) == OTR_OK && otr__read_state(&io, &header, &state, &notices, NULL) == OTR_OK &&
	    otr__io_read(&io, state.slot.log.page * header.schema.page_bytes + 72, bytes, sizeof bytes, NULL) == OTR_OK)
		index = otr__get64(bytes);
	io.close(io.self);
	return index;
}

/*
 * Each change replaces a row in some leaves side by side and keeps the root, so the roots of the log come at even distances.  In the copy the leaves that the newest
 * tree has come first, and the distances between the roots are no longer even: they need more bits than the page has left.
 */
static void
test_log_cut(void)
{
	static int64_t t[ROWS];
	static double v[ROWS];
	static char message[641];
	char in[128], out[128];
	struct otr_writer_options wo = { .wait_ns = 10 * SECOND, .message = message };
	struct otr_compact_options o = { .replace = false };
	struct otr_compact_result r;
	struct otr_error err = { .text = "" };
	struct otr_writer *w = NULL;
	struct otr_io io;
	unsigned long long seed = 3;
	uint64_t before, after, version, last, wrong = 0;
	int i;
	bool ok;

	memset(message, 'm', sizeof message - 1);
	(void)snprintf(in, sizeof in, "%s", one_path("cut.otr"));
	(void)snprintf(out, sizeof out, "%s", one_path("cut-copy.otr"));
	for (i = 0; i < ROWS; i++) {
		t[i] = i * SECOND;
		v[i] = (double)(tap_random(&seed) >> 11);
	}
	clock_ns = 4000000000 * SECOND;      /* later than the creation */
	ok = one_create(in, 4096, OTR_REPLACE) == OTR_OK && otr__io_open(in, true, &io, &err) == OTR_OK;
	io.now_ns = next_second;
	ok = ok && otr__writer_open_io(&io, &wo, &w, &err) == OTR_OK && remark(w, t, v, ROWS);
	for (i = 0; i < CHANGES && ok; i++) {
		size_t from = (size_t)(tap_random(&seed) % (ROWS - 500 * LEAVES)), k;
		int64_t late[LEAVES];
		double value[LEAVES];

		for (k = 0; k < LEAVES; k++) {
			late[k] = t[from + 500 * k];
			value[k] = (double)(tap_random(&seed) >> 11);
		}
		ok = remark(w, late, value, LEAVES);
		/* a group of two records, the second late among the rows that ride: the log keeps its rows */
		late[0] = (ROWS + 100 * i + 50) * SECOND;
		late[1] = (ROWS + 100 * i + 10) * SECOND;
		if (i % 10 == 0)
			ok = ok && remark(w, late, value, 1) && remark(w, late + 1, value + 1, 1);
	}
	otr_writer_close(w);
	before = log_index(in);
	if (ok && otr_compact(in, out, &o, &r, &err) != OTR_OK) {
		printf("# %s\n", err.text);
		ok = false;
	}
	after = log_index(out);
	printf("# %llu log pages, in the copy %llu\n", (unsigned long long)before + 1, (unsigned long long)after + 1);
	CHECK(ok && before < after && after != UINT64_MAX && is_sound(out), "9.8-1: log pages whose records no longer fit are written as two, and nothing is found");
	last = ok ? newest(in) : 0;
	for (version = 0; ok && version <= last; version += 1 + version % 5) {
		uint64_t was = digest(in, version, INT64_MIN);

		wrong += was == 0 || was != digest(out, version, INT64_MIN);
	}
	CHECK(ok && wrong == 0, "9.8-1: and the versions read as before, those too whose rows the log keeps");
	(void)unlink(in);
	(void)unlink(out);
}

int
main(void)
{
	test_refusals();
	test_beside(false, "9.8: what a writer commits meanwhile is caught up, and every version reads as before");
	test_beside(true, "9.8-3: a dense file has what a writer committed meanwhile, appended or late");
	test_pruned();
	test_many_roots();
	test_giving_up();
	test_log_cut();
	one_clean();
	return tap_done();
}
