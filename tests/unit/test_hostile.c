/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile.c - files made to mislead, with checksums that are right: bytes changed, pages copied over others, references led elsewhere, in files with
 * history, expiry, metadata and deletions.  Whatever is asked of them ends with a status, and a writer that fails leaves what could be read.  ROUNDS=n SEED=n tries more.
 */
#include <time.h>

#include "checksum.h"
#define ROOM (8u << 20)
#include "image.h"
#include "onefile.h"
#include "verify.h"
#include "writer.h"

#define PAGE 4096u
#define OPS 9

static struct image base, hostile, work;
static unsigned long long rng = 1;

static size_t
random_below(size_t n)
{
	return (size_t)(tap_random(&rng) % n);
}

/* ---- making it hostile ---- */

static bool
is_page(const struct image *m, size_t at)
{
	return at >= 16384 && at + PAGE <= m->len && m->byte[at + 4] >= 1 && m->byte[at + 4] <= 4 && otr__get64(m->byte + at + 8) == at / PAGE;
}

/* Makes the checksum of what begins at `at` right, and those of all that refers to it. */
static void
seal(struct image *m, size_t at, int depth)
{
	uint8_t old[20];
	size_t from;
	uint32_t crc = otr__crc32(m->byte + at + 4, PAGE - 4);

	memcpy(old, m->byte + at + 8, 8);
	memcpy(old + 8, m->byte + at + 32, 8);
	memcpy(old + 16, m->byte + at, 4);
	otr__put32(m->byte + at, crc);
	if (at < 16384 || depth > 20 || otr__get32(old + 16) == crc)
		return;
	for (from = 4096; from + PAGE <= m->len; from += PAGE) {
		size_t i, last = from < 16384 ? 504 : PAGE - 24;
		bool found = false;

		if (from == at || (from < 16384 ? from == 12288 : !is_page(m, from)))
			continue;
		for (i = from < 16384 ? 8 : 40; i <= last; i += 8)
			if (memcmp(m->byte + from + i, old, 20) == 0) {
				otr__put32(m->byte + from + i + 16, crc);
				found = true;
			}
		if (found)
			seal(m, from, depth + 1);
	}
}

static size_t
some_page(const struct image *m)
{
	size_t at, tries;

	for (tries = 0; tries < 1000; tries++)
		if (is_page(m, at = 16384 + random_below((m->len - 16384) / PAGE) * PAGE) && (m->byte[at + 4] > 1 || random_below(8) == 0))
			return at;
	return 16384;
}

static void
spoil(struct image *m)
{
	static const uint64_t odd[] = { 0, 1, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, 0x10000, 0xffff, UINT32_MAX };
	size_t a = some_page(m), b = some_page(m), i = 40 + random_below(random_below(2) == 0 ? 24 : (PAGE - 40) / 8 - 3) * (random_below(2) == 0 ? 8 : 1);
	uint8_t generation[8];

	switch (random_below(6)) {
	case 0:
		m->byte[a + i] = (uint8_t)(m->byte[a + i] ^ 1u << random_below(8));
		break;
	case 1:
		otr__put64(m->byte + a + (i & ~(size_t)7), odd[random_below(8)]);
		break;
	case 2:                                      /* a page in another one's place */
		memcpy(generation, m->byte + a + 32, 8);
		memcpy(m->byte + a + 4, m->byte + b + 4, PAGE - 4);
		otr__put64(m->byte + a + 8, a / PAGE);
		memcpy(m->byte + a + 32, generation, 8);
		break;
	case 3:                                      /* a reference led elsewhere, perhaps in a circle */
	case 4:
		for (i = 40; i <= PAGE - 24; i += 8)
			if (otr__get64(m->byte + a + i) > 3 && otr__get64(m->byte + a + i) < m->len / PAGE && random_below(3) == 0 &&
			    is_page(m, (size_t)otr__get64(m->byte + a + i) * PAGE))
				break;
		if (i > PAGE - 24)
			return;
		memcpy(m->byte + a + i, m->byte + b + 8, 8);
		memcpy(m->byte + a + i + 8, m->byte + b + 32, 8);
		memcpy(m->byte + a + i + 16, m->byte + b, 4);
		break;
	default:                                     /* a slot: its numbers, the freed pages, the record area */
		a = 4096 + random_below(2) * 4096;
		i = random_below(4) == 0 ? 8 + random_below(490) : 64 + random_below(25) * 8;
		if (i < 504)
			m->byte[a + i] = (uint8_t)(m->byte[a + i] + (random_below(2) == 0 ? 1 : random_below(256)));
		break;
	}
	seal(m, a, 0);
}

/* ---- asking, and writing ---- */

struct seen {
	uint64_t oldest, newest;
	uint64_t hash[80];                           /* of each version's rows; 0: not to be read */
};

static void
ignore(void *arg, const struct otr_finding *f)
{
	(void)arg;
	(void)f;
}

static uint64_t
dump(struct otr *file)
{
	struct otr_cursor *c;
	struct otr_rows rows;
	struct otr_error err;
	uint64_t h = 14695981039346656037u, n = 0;
	size_t i;
	enum otr_status status = otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err);

	if (status != OTR_OK)
		return 0;
	while ((status = otr_cursor_next(c, &rows, &err)) == OTR_OK && n < 1000000)
		for (i = 0; i < rows.n; i++, n++)
			h = ((h ^ (uint64_t)rows.time_ns[i]) * 1099511628211u ^ rows.value[0][i]) * 1099511628211u;
	otr_cursor_close(c);
	return status == OTR_END ? h | 1 : 0;
}

static int (*io_read)(void *self, uint64_t at, void *to, size_t len, size_t *got) = m_read;

static struct otr_io
reader_of(struct image *m)
{
	struct otr_io io = io_of(m);

	io.read = io_read;
	return io;
}

/* Everything that can be asked of m; all: not the rows alone. */
static void
look(struct image *m, struct seen *s, bool all)
{
	struct otr *file;
	struct otr_info info;
	struct otr_error err;
	struct otr_meta e;
	uint64_t v, faults;

	*s = (struct seen){ .oldest = 0 };
	if (all)
		(void)!otr__verify_io(reader_of(m), &(struct otr_verify_options){ .found = ignore }, &faults, &err);
	if (otr__open_io(reader_of(m), false, 0, &file, &err) != OTR_OK)
		return;
	otr_get_info(file, &info);
	s->newest = info.newest_version;
	for (v = 0; v < 80; v++) {
		struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .rows = v % 2 == 0, .all_columns = true };
		struct otr_difference d;
		struct otr_commit commit;
		struct otr_diff *diff;
		struct otr_log *log;
		int n = 0;

		if (otr_select_version(file, v, &err) != OTR_OK)
			continue;
		s->hash[v] = dump(file);
		if (!all)
			continue;
		while (n < 1000 && otr_meta_entry(file, (size_t)n, &e, &err) == OTR_OK)
			n++;
		if (v > 0 && otr_diff_open(file, v - 1, file, v, &spec, &diff, &err) == OTR_OK) {
			for (n = 0; n < 100000 && otr_diff_next(diff, &d, &err) == OTR_OK; n++)
				;
			otr_diff_close(diff);
		}
		if (otr_log_open(file, INT64_MIN, INT64_MAX, v % 2 == 0, &log, &err) == OTR_OK) {
			for (n = 0; n < 100000 && otr_log_next(log, &commit, &err) == OTR_OK; n++)
				;
			otr_log_close(log);
		}
	}
	otr_close(file);
}

static bool
third(void *arg, const struct otr_rows *rows, size_t i)
{
	(void)arg;
	return rows->value[0][i] % 3 == 0;
}

/* One change, of OPS kinds. */
static enum otr_status
change(struct image *m, unsigned op, uint64_t version, int64_t from, struct otr_error *err)
{
	struct otr_writer_options o = { .author = "eve" };
	struct otr_delete_spec range = { .start_ns = from - 3000, .end_ns = from - 2000 }, match = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .match = third };
	struct otr_policies p = { .has_max_size = true, .max_bytes = 1 << 20, .has_retain = true, .retain_ns = 6000 };
	static char text[30000];
	struct otr_meta_change set = { .key = "note", .value = text, .value_bytes = 100 + (size_t)version * 300 };
	static int64_t t[6000];
	static double v[6000];
	size_t n = op == 0 ? 3 : op == 1 ? 6000 : 300, i;
	struct otr_change_result r;
	struct otr_commit_result c;
	struct otr_writer *w;
	struct otr_io io = io_of(m);
	enum otr_status status = otr__writer_open_io(&io, &o, &w, err);

	if (status != OTR_OK)
		return status;
	memset(text, 'a' + (int)(version % 26), sizeof text);
	for (i = 0; i < n; i++) {
		t[i] = op == 2 ? from - 5000 + (int64_t)i * 7 : from + (int64_t)i;
		v[i] = (double)tap_random(&rng);
	}
	switch (op) {
	case 0: case 1: case 2:
		status = one_add(w, t, v, n, err);
		if (status == OTR_OK)
			status = otr_writer_commit(w, &c, err);
		break;
	case 3: status = otr_writer_delete(w, &range, &r, err); break;
	case 4: status = otr_writer_delete(w, &match, &r, err); break;
	case 5: status = otr_writer_rollback(w, version, &r, err); break;
	case 6: status = otr_writer_set_meta(w, &set, 1, NULL, &r, err); break;
	case 7: status = otr_writer_update_meta(w, NULL, 0, &p, OTR_POLICY_RETAIN, &r, err); break;
	default: status = otr_writer_update_meta(w, NULL, 0, &p, OTR_POLICY_MAX_SIZE, &r, err); break;
	}
	otr_writer_close(w);
	return status;
}

static void
copy(struct image *to, const struct image *from)
{
	memcpy(to->byte, from->byte, from->len > to->len ? from->len : to->len);
	to->len = from->len;
}

static bool
load(const char *path, struct image *m)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return false;
	m->len = fread(m->byte, 1, ROOM, f);
	return fclose(f) == 0 && m->len > 0;
}

/* n rows of one time in a commit of their own, too many to ride. */
static bool
one_same(const char *path, size_t n)
{
	static int64_t t[400];
	static double v[400];
	struct otr_commit_result r;
	size_t i;

	for (i = 0; i < n; i++) {
		t[i] = 7;
		v[i] = 3 * (double)i;
	}
	return one_append(path, t, v, n, &r) == OTR_OK;
}

/* Of the last record in a slot's area. */
static size_t
record_bytes(const struct otr__slot *slot)
{
	size_t at = 0, size = 0;

	for (; at < slot->area_bytes; at += size)
		size = otr__get16(slot->area + at);
	return size;
}

/* A file with history, metadata, deletions, rows that ride; aged: rows that expired and versions that were pruned too. */
static bool
make_base(bool aged)
{
	static const unsigned ops[] = { 1, 1, 6, 2, 0, 3, 1, 6, 0, 2, 4, 5, 0, 6, 1, 0, 3, 0, 2, 0 };
	const char *path = one_path("base.otr");
	struct otr_error err = { .text = "" };
	int64_t from = 0;
	size_t i;

	if (one_create(path, PAGE, OTR_REPLACE) != OTR_OK || !load(path, &base))
		return false;
	for (i = 0; i < (aged ? 3 : 1) * sizeof ops / sizeof *ops; i++) {
		unsigned op = ops[i % (sizeof ops / sizeof *ops)];

		if (change(&base, op, i / 2, from, &err) != OTR_OK && err.status != OTR_E_NOTFOUND) {
			printf("# base, change %zu: %s\n", i, err.text);
			return false;
		}
		from += op <= 1 ? 6000 : 0;
		if (aged && i == 8 && (change(&base, 7, 0, from, &err) != OTR_OK || change(&base, 8, 0, from, &err) != OTR_OK))
			return false;
	}
	return true;
}

static unsigned wrong;

static void
one_round(unsigned long long seed, bool verbose)
{
	struct seen before, after;
	struct otr_error err = { .text = "" };
	unsigned op, spoils, i;
	uint64_t v;
	clock_t start = clock();

	rng = seed * 2654435761u + 1;
	copy(&hostile, &base);
	for (spoils = 1 + (unsigned)random_below(3); spoils > 0; spoils--)
		spoil(&hostile);
	look(&hostile, &before, true);
	for (i = 0; i < 2; i++) {
		op = (unsigned)random_below(OPS);
		copy(&work, &hostile);
		if (change(&work, op, before.newest - random_below((size_t)before.newest / 2 + 1), 48000 - (int64_t)random_below(2) * 6000, &err) != OTR_OK) {
			look(&work, &after, false);
			for (v = 0; v < 80; v++)
				if (before.hash[v] != 0 && after.hash[v] != before.hash[v]) {
					printf("# seed %llu, change %u failed (%s), and version %llu is another one\n", seed, op, err.text, (unsigned long long)v);
					wrong++;
					break;
				}
		} else {
			look(&work, &after, true);
			if (after.newest <= before.newest && before.newest > 0 && change(&work, 0, 0, 90000, &err) == OTR_E_CORRUPT) {
				printf("# seed %llu, change %u: nothing can be written after it: %s\n", seed, op, err.text);
				wrong++;
			}
		}
	}
	if (verbose || clock() - start > 2 * CLOCKS_PER_SEC)
		printf("# seed %llu: %.2f s\n", seed, (double)(clock() - start) / CLOCKS_PER_SEC);
}

/* A file that changes or shrinks at a call of its reader, as none of ours does: into another one, hostile or cut. */
static long change_in;

static int
changing_read(void *self, uint64_t at, void *to, size_t len, size_t *got)
{
	struct image *m = self;

	if (--change_in == 0) {
		unsigned how = (unsigned)random_below(3);
		size_t n = m->len;

		if (how > 0)
			copy(m, how == 1 ? &hostile : &base);
		m->len = how == 1 ? m->len : random_below(n + 1);
	}
	return m_read(self, at, to, len, got);
}

static bool
changing(void)
{
	struct seen ignored;
	long n, calls = 0;

	io_read = changing_read;
	copy(&hostile, &base);
	spoil(&hostile);
	/* counted once, then spread over all calls */
	copy(&work, &base);
	change_in = 0;
	look(&work, &ignored, true);
	calls = -change_in;
	for (n = 1; n <= calls; n += 1 + calls / 300) {
		copy(&work, &base);
		change_in = n;
		look(&work, &ignored, true);
	}
	io_read = m_read;
	printf("# a reader of %ld reads\n", calls);
	return calls > 100;
}

/* A slot that claims pages which the file does not have: memory does not follow it. */
static bool
claims(void)
{
	char out[160];
	struct otr_compact_options o = { .wait_ns = 0 };
	struct otr_compact_result r;
	struct otr_error err = { .text = "" };
	uint64_t pages = UINT64_C(1) << 27;
	bool ok = true;
	FILE *f;

	(void)snprintf(out, sizeof out, "%s.out", one_path("claims.otr"));
	for (; pages <= UINT64_C(1) << 47; pages <<= 10) {
		copy(&work, &base);
		otr__put64(work.byte + 4096 + 208, pages);
		otr__put64(work.byte + 8192 + 208, pages);
		seal(&work, 4096, 0);
		seal(&work, 8192, 0);
		f = fopen(one_path("claims.otr"), "wb");
		if (f == NULL || fwrite(work.byte, 1, work.len, f) != work.len || fclose(f) != 0)
			return false;
		ok = ok && otr_compact(one_path("claims.otr"), out, &o, &r, &err) == OTR_E_TRUNCATED && access(out, F_OK) != 0;
		ok = ok && change(&work, 3, 0, 48000, &err) == OTR_E_TRUNCATED;
	}
	return ok;
}

/* 24 entries in a page, all of one child, in five levels above one leaf: eight million leaves in a few pages. */
static bool
fan(void)
{
	struct otr_error err = { .text = "" };
	static struct otr__header header;
	struct otr__notices notices = { .n = 0 };
	static struct otr__state state;
	struct otr__store store = { .io = NULL };
	struct otr_io io = io_of(&work);
	struct otr__scratch *scratch = otr__scratch_create();
	struct otr__stats stats[1];
	struct otr__entry e = { .rows = 0 };
	struct otr__tree tree;
	struct otr__leaf_at at;
	struct otr_cursor *c;
	struct otr_rows rows;
	struct otr *file;
	uint8_t *page;
	uint32_t i;
	unsigned level;
	enum otr_status status;
	bool ok;

	/* a file of one leaf, whose rows have one time */
	ok = one_create(one_path("fan.otr"), PAGE, OTR_KEEP) == OTR_OK && one_same(one_file, 300);
	if (!ok || !load(one_file, &work) || otr__read_header(&io, &header, &notices, &err) != OTR_OK ||
	    otr__read_state(&io, &header, &state, &notices, &err) != OTR_OK || !otr__store_init(&store, &io, &header))
		return false;
	memset(stats, 0, sizeof stats);
	status = otr__tree_open(&tree, &store, &header.schema, scratch, &state.slot.root, state.slot.tree_rows, state.slot.tree_rows, &err);
	if (status == OTR_OK)
		status = otr__tree_leaf_at(&tree, 0, &at, &err);
	if (status != OTR_OK || tree.level != 0)
		return false;
	e = (struct otr__entry){ .child = at.ref, .rows = state.slot.tree_rows, .first_ns = 7, .last_ns = 7 };
	for (level = 1; level <= 5; level++) {
		page = work.byte + work.len;
		memset(page, 0, PAGE);
		for (i = 0; i < 24; i++)
			otr__inner_put(page, 1, i, &e, stats);
		otr__inner_finish(page, PAGE, 1, 24);
		otr__page_seal(page, PAGE, OTR__INNER, (uint8_t)level, work.len / PAGE, header.file_id, state.slot.version, &e.child);
		work.len += PAGE;
		e.rows *= 24;
	}
	for (i = 0; i < 2; i++) {                    /* both slots, of which one is the state */
		uint8_t *slot = work.byte + 4096 * (i + 1);

		if (i != state.index)
			continue;
		state.slot.root = e.child;
		state.slot.rows_ever = state.slot.rows = state.slot.tree_rows = e.rows;
		state.slot.page_count = work.len / PAGE;
		state.slot.live_pages = state.slot.freed = state.slot.freed_now = 0;
		otr__put64(state.slot.area + state.slot.area_bytes - record_bytes(&state.slot) + 24, e.rows);
		otr__put64(state.slot.area + state.slot.area_bytes - record_bytes(&state.slot) + 32, e.rows);
		otr__slot_encode(slot, &state.slot, header.file_id);
	}
	otr__store_release(&store);
	otr__scratch_free(scratch);
	copy(&hostile, &work);
	status = change(&work, 4, 0, 0, &err);
	printf("# a deletion: %d, %s\n", (int)status, err.text);
	ok = status == OTR_E_CORRUPT;
	status = otr__open_io(io_of(&hostile), false, 0, &file, &err);
	if (status == OTR_OK) {
		if (otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err) == OTR_OK) {
			while ((status = otr_cursor_next(c, &rows, &err)) == OTR_OK)
				;
			otr_cursor_close(c);
		}
		otr_close(file);
	}
	printf("# a dump: %d, %s\n", (int)status, err.text);
	return ok && status == OTR_E_CORRUPT;
}

int
main(void)
{
	const char *rounds = getenv("ROUNDS"), *seed = getenv("SEED");
	unsigned long long first = seed == NULL ? 1 : strtoull(seed, NULL, 10), n = rounds == NULL ? 100 : strtoull(rounds, NULL, 10), i;
	unsigned aged;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (aged = 0; aged < 2; aged++) {
		rng = 1;
		if (!make_base(aged)) {
			CHECK(false, "a file to spoil");
			break;
		}
		printf("# %zu bytes\n", base.len);
		CHECK(claims(), "5.2-2, 13-1: pages that a slot claims and the file has not: truncated, and no memory is taken for them");
		CHECK(changing(), "13-3: a file that changes or shrinks under a reader is answered, whatever it reads");
		for (i = first; i < first + n; i++)
			one_round(i, getenv("VERBOSE") != NULL);
	}
	CHECK(fan(), "5.3-6: a tree of more leaves than the file has pages is not walked to its end");
	CHECK(wrong == 0, "12-3: hostile files with right checksums end with a status, and a writer that fails leaves what could be read");
	one_clean();
	return tap_done();
}
