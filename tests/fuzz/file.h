/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h - whole files: one of tests/files with edits, in memory behind a struct otr_io, asked everything and changed by a writer (fuzz_file.c, fuzz_repaired.c).
 *
 *	u16 base: the number of a good- file, 1000 more for a bad- one, 2000 more for an unsupported- one; 65535: u16 n and n bytes of runs instead
 *	    (a run: u8 t below 128: t + 1 bytes; else (t - 127) x 32 zeros)
 *	u8 number of edits, each: u8 kind, u8 place, u16 offset, and what the kind takes
 *	operations up to the end of the input, at most 4, each: u8 kind, u8 a, u8 b
 *
 * A place is 0 header, 1 and 2 the slots, 3 the header's copy, 4 and so on a page.  An offset into a slot is one into its body, as SPEC 4.1 counts.
 * The folder of the assembled files is $OTR_FUZZ_FILES, or build/fuzz/files.
 */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <dirent.h>
#include <unistd.h>

#include "db.h"
#include "fuzz.h"
#define ROOM (4u << 20)
#include "../unit/image.h"
#include "seal.h"
#include "verify.h"
#include "writer.h"

#define GROWN_MAX (1u << 20)
#define BASES_MAX 2000
#define VERSIONS 12                /* looked at: the first few and the last */
#define ROWS_MAX 300000            /* of one walk */
#define STEPS_MAX 5000
#define WINDOWS_MAX 300
#define BATCH 1500                 /* rows of the largest commit */

static struct image hostile, work, before;

struct base {
	unsigned number;
	size_t len;
	uint8_t *byte;
};
static struct base base[BASES_MAX];
static size_t bases;

/* ---- a file in memory ---- */

static void
copy(struct image *to, const struct image *from)
{
	memcpy(to->byte, from->byte, from->len);
	to->len = from->len;
}

/* ---- the files to begin with ---- */

static int
by_number(const void *a, const void *b)
{
	return (int)((const struct base *)a)->number - (int)((const struct base *)b)->number;
}

static void
load_bases(void)
{
	const char *folder = getenv("OTR_FUZZ_FILES");
	DIR *d;
	struct dirent *e;
	char path[1024];

	folder = folder == NULL ? "build/fuzz/files" : folder;
	d = opendir(folder);
	REQUIRE(d != NULL, "there is a folder of files (make fuzz-corpus)");
	while ((e = readdir(d)) != NULL && bases < BASES_MAX) {
		struct base *b = &base[bases];
		const char *digits = strchr(e->d_name, '-');
		FILE *f;

		if (digits == NULL)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		f = fopen(path, "rb");
		REQUIRE(f != NULL, "a file can be read");
		b->number = (unsigned)strtoul(digits + 1, NULL, 10) + (e->d_name[0] == 'b' ? 1000 : e->d_name[0] == 'u' ? 2000 : 0);
		b->len = fread(hostile.byte, 1, ROOM, f);
		(void)fclose(f);
		b->byte = fuzz_memory(b->len);
		memcpy(b->byte, hostile.byte, b->len);
		bases++;
	}
	(void)closedir(d);
	REQUIRE(bases > 0, "there are files");
	qsort(base, bases, sizeof base[0], by_number);
}

static void
unpack_runs(struct fuzz_bytes *b, struct image *m)
{
	size_t n = (size_t)fuzz_take(b, 2);
	struct fuzz_bytes runs = { b->at, n < b->left ? n : b->left };

	b->at += runs.left;
	b->left -= runs.left;
	for (m->len = 0; runs.left > 0 && m->len < GROWN_MAX;) {
		unsigned t = (unsigned)fuzz_take(&runs, 1), len = t < 128 ? t + 1 : (t - 127) * 32, i;

		for (i = 0; i < len; i++)
			m->byte[m->len++] = t < 128 ? (uint8_t)fuzz_take(&runs, 1) : 0;
	}
}

static void
take_base(struct fuzz_bytes *b, struct image *m)
{
	unsigned number = (unsigned)fuzz_take(b, 2);
	const struct base *found = &base[number % bases];
	size_t i;

	if (number == 65535) {
		unpack_runs(b, m);
		return;
	}
	for (i = 0; i < bases; i++)
		if (base[i].number == number)
			found = &base[i];
	memcpy(m->byte, found->byte, found->len);
	m->len = found->len;
}

/* ---- edits ---- */

/* The place's first byte and its size; false if the file has none. */
static bool
place(const struct image *m, const struct layout *l, unsigned n, size_t *at, size_t *size)
{
	if (n < 4 || l->pages == 0) {
		*at = 4096 * (size_t)(n % 4);
		*size = 4096;
	} else {
		*at = (l->first + (n - 4) % l->pages) * l->page;
		*size = l->page;
	}
	return *at + *size <= m->len;
}

/* One edit; *touched is the place's first byte.  False: nothing was done. */
static bool
edit(struct fuzz_bytes *b, struct image *m, struct layout *l, size_t *touched)
{
	unsigned kind = (unsigned)fuzz_take(b, 1) % 9, n = (unsigned)fuzz_take(b, 1), offset = (unsigned)fuzz_take(b, 2), i, width;
	size_t size, other, other_size, at;
	uint8_t kept[8];
	uint64_t v;
	bool chain;

	if (!place(m, l, n, touched, &size))
		return false;
	if (is_slot(*touched))
		offset = offset % OTR__SLOT_BODY + offset % OTR__SLOT_BODY / 504 * 8;
	at = *touched + offset % size;
	switch (kind) {
	case 0: case 1: case 2: case 3:              /* a number of 1, 2, 4 or 8 bytes */
		width = 1u << kind;
		v = fuzz_take(b, width);
		for (i = 0; i < width && at + i < *touched + size; i++)
			m->byte[at + i] = (uint8_t)(v >> 8 * i);
		return true;
	case 4:                                      /* bits flipped */
		m->byte[at] = (uint8_t)(m->byte[at] ^ fuzz_take(b, 1));
		return true;
	case 5:                                      /* another one's bytes in this one's place, which stays whose it is */
		if (!place(m, l, (unsigned)fuzz_take(b, 1), &other, &other_size) || other_size != size)
			return false;
		memcpy(kept, m->byte + *touched + 32, 8);
		memmove(m->byte + *touched + 4, m->byte + other + 4, size - 4);
		if (*touched >= OTR__START_BYTES) {
			otr__put64(m->byte + *touched + 8, *touched / l->page);
			memcpy(m->byte + *touched + 32, kept, 8);
		}
		return true;
	case 6:                                      /* a reference to another page */
		if (!place(m, l, (unsigned)fuzz_take(b, 1), &other, &other_size) || other < OTR__START_BYTES)
			return false;
		at = *touched + (offset % (size - 24) & ~(size_t)7);
		put_reference(m->byte + at, m->byte + other);
		return true;
	case 7:                                      /* copies of it at the file's end; chain: each refers to the one before, so that there is a long way */
		v = fuzz_take(b, 1) + 1;
		chain = fuzz_take(b, 1) % 2 != 0;
		at = offset % (size - 24) & ~(size_t)7;
		for (other = *touched; v > 0 && *touched >= OTR__START_BYTES && m->len % size == 0 && m->len + size <= GROWN_MAX; v--) {
			uint8_t *page = m->byte + m->len;

			memcpy(page, m->byte + *touched, size);
			otr__put64(page + 8, m->len / size);
			if (chain)
				put_reference(page + at, m->byte + other);
			otr__put32(page, otr__crc32(page + 4, size - 4));
			other = m->len;
			m->len += size;
		}
		*l = layout_of(m);
		return false;
	default:                                     /* the file is cut */
		m->len = at < m->len ? at : m->len;
		return false;
	}
}

/* ---- asking ---- */

static void
ignore(void *arg, const struct otr_finding *f)
{
	(void)arg;
	REQUIRE(f->text != NULL && f->spec != NULL, "a finding has a text");
}

/* All rows: a hash of them, or 0 where they cannot be read. */
static uint64_t
dump(struct otr *file, bool reverse)
{
	const struct otr_schema *schema = otr_schema(file);
	struct otr_cursor *c;
	struct otr_rows rows;
	struct otr_error err;
	uint64_t h = 14695981039346656037u, n = 0;
	clock_t from = clock();
	enum otr_status status = otr_cursor_open(file, INT64_MIN, INT64_MAX, UINT64_MAX >> (64 - schema->columns), reverse, &c, &err);
	size_t i;

	if (status != OTR_OK)
		return 0;
	while ((status = otr_cursor_next(c, &rows, &err)) == OTR_OK && n < ROWS_MAX)
		for (i = 0; i < rows.n; i++, n++)
			h = ((h ^ (uint64_t)rows.time_ns[i]) * 1099511628211u ^ rows.value[schema->columns - 1][i]) * 1099511628211u;
	otr_cursor_close(c);
	fuzz_within(from, 1 + (double)n * schema->columns / 1e6, "a dump");
	return status == OTR_OK || status == OTR_END ? h | 1 : 0;
}

static void
windows(struct otr *file, struct otr_window_spec spec)
{
	struct otr_query *q;
	struct otr_window w;
	struct otr_error err;
	clock_t from = clock();
	unsigned n = 0;

	spec.columns = UINT64_MAX >> (64 - otr_schema(file)->columns);
	if (otr_query_open(file, &spec, &q, &err) != OTR_OK)
		return;
	while (n < WINDOWS_MAX && otr_query_next(q, &w, &err) == OTR_OK) {
		REQUIRE(w.column[0].rows <= w.rows, "a column has no more rows than its window");
		n++;
	}
	otr_query_close(q);
	fuzz_within(from, 1 + n * otr_schema(file)->columns / 1e5, "windows");
}

static void
ask_version(struct otr *file, uint64_t v)
{
	struct otr_window_spec whole = { .kind = OTR_WINDOW_WHOLE, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .want = v % 16 };
	struct otr_window_spec points = { .kind = OTR_WINDOW_POINTS, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .points = 7 + v, .want = 15 };
	struct otr_window_spec fixed = { .kind = OTR_WINDOW_FIXED, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .width_ns = 1000000007, .want = v % 16 };
	struct otr_diff_spec spec = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .rows = v % 2 == 0, .all_columns = true };
	struct otr_difference difference;
	struct otr_commit commit;
	struct otr_diff *diff;
	struct otr_error err;
	struct otr_meta e;
	struct otr_log *log;
	clock_t from = clock();
	unsigned n;

	for (n = 0; n < STEPS_MAX && otr_meta_entry(file, n, &e, &err) == OTR_OK; n++)
		REQUIRE(strlen(e.value) == e.value_bytes, "metadata are text");
	(void)!otr_commit_get(file, &commit, &err);
	fuzz_within(from, 1, "metadata");
	windows(file, whole);
	windows(file, v % 2 == 0 ? points : fixed);
	from = clock();
	if (otr_log_open(file, INT64_MIN, INT64_MAX, v % 2 == 0, &log, &err) == OTR_OK) {
		for (n = 0; n < STEPS_MAX && otr_log_next(log, &commit, &err) == OTR_OK; n++)
			;
		otr_log_close(log);
	}
	fuzz_within(from, 1, "a log");
	from = clock();
	if (v > 0 && otr_diff_open(file, v - 1, file, v, &spec, &diff, &err) == OTR_OK) {
		for (n = 0; n < STEPS_MAX && otr_diff_next(diff, &difference, &err) == OTR_OK; n++)
			;
		otr_diff_close(diff);
	}
	fuzz_within(from, 3, "a comparison");
}

/* Everything that can be asked of m.  Returns the hash of the newest version's rows. */
static uint64_t
look(struct image *m, bool all)
{
	struct otr_scan scan;
	struct otr_info info;
	struct otr_error err;
	struct otr *file;
	uint64_t faults, i, v, hash, one;
	clock_t from = clock();

	if (all)
		(void)!otr__verify_io(io_of(m), &(struct otr_verify_options){ .found = ignore }, &faults, &err);
	fuzz_within(from, 1, "a check");
	from = clock();
	if (otr__open_io(io_of(m), false, 0, &file, &err) != OTR_OK)
		return 0;
	otr_get_info(file, &info);
	fuzz_within(from, 1, "an open");
	hash = dump(file, false);
	if (all) {
		(void)dump(file, true);
		from = clock();
		(void)!otr_scan(file, &scan, &err);
		fuzz_within(from, 1 + (double)info.rows / 1e6, "a scan");
		for (i = 0; i < VERSIONS; i++) {
			v = i < VERSIONS / 3 ? info.oldest_version + i : info.newest_version - (VERSIONS - 1 - i);
			from = clock();
			if (v < info.oldest_version || v > info.newest_version || otr_select_version(file, v, &err) != OTR_OK)
				continue;
			one = dump(file, false);
			REQUIRE(v != info.newest_version || one == hash, "a version has the same rows each time");
			ask_version(file, v);
		}
		from = clock();
		(void)!otr_select_time(file, 1700000005000000000, &err);
		(void)!otr_refresh(file, &err);
		fuzz_within(from, 1, "a version by time");
	}
	otr_close(file);
	return hash;
}

/* ---- changing ---- */

static bool
some(void *arg, const struct otr_rows *rows, size_t i)
{
	return ((uint64_t)rows->time_ns[i] >> *(unsigned *)arg % 32) % 3 == 0;
}

static enum otr_status
add_rows(struct otr_writer *w, size_t n, int64_t from, int64_t step, struct otr_error *err)
{
	static int64_t t[BATCH];
	static uint64_t value[OTR_MAX_COLUMNS][BATCH];
	static const uint8_t odd[BATCH / 8 + 1] = { 0xff, 0x7f, 0, 0x55 };
	const struct otr_schema *schema = otr_writer_schema(w);
	struct otr_rows rows = { .n = n, .time_ns = t };
	size_t i;
	uint32_t c;

	for (i = 0; i < n; i++) {
		t[i] = from + (int64_t)i * step;
		for (c = 0; c < schema->columns; c++)
			value[c][i] = fuzz_value(schema->column[c].type, (i + c) * 0x9e3779b97f4a7c15u >> i % 50);
	}
	for (c = 0; c < schema->columns; c++) {
		rows.value[c] = value[c];
		rows.present[c] = c % 3 == 2 ? odd : NULL;
	}
	return otr_writer_add(w, &rows, err);
}

/* The file as it is in the real world, compacted under a name. */
static void
compact(const struct image *m, unsigned a, unsigned b)
{
	struct otr_compact_options o = { .drop_history = (a & 1) != 0, .deflate = (a & 3) == 3, .replace = false, .window_ns = (a & 4) != 0 ? 1 + (uint64_t)b * 1000000 : 0,
		.older_than_ns = (a & 8) != 0 ? OTR_TIME_MAX : 1700000000000000000, .fold = (enum otr_fold)(a >> 4) };
	char dir[] = "/dev/shm/otr-fuzz-XXXXXX", slow[] = "/tmp/otr-fuzz-XXXXXX", *in_dir = mkdtemp(dir), in[64], out[64];
	struct otr_compact_result r;
	struct otr_error err;
	uint64_t faults;
	clock_t from = clock();
	FILE *f;

	in_dir = in_dir == NULL ? mkdtemp(slow) : in_dir;
	REQUIRE(in_dir != NULL, "there is a place for a file");
	(void)snprintf(in, sizeof in, "%s/in", in_dir);
	(void)snprintf(out, sizeof out, "%s/out", in_dir);
	f = fopen(in, "wb");
	REQUIRE(f != NULL && fwrite(m->byte, 1, m->len, f) == m->len && fclose(f) == 0, "a file can be written");
	o.fold = o.fold > OTR_FOLD_LAST ? OTR_FOLD_DEFAULT : o.fold;
	if (otr_compact(in, (a & 2) != 0 && (a & 1) == 0 ? NULL : out, &o, &r, &err) == OTR_OK)
		(void)!otr_verify((a & 2) != 0 && (a & 1) == 0 ? in : out, &(struct otr_verify_options){ .found = ignore }, &faults, &err);
	(void)unlink(in);
	(void)unlink(out);
	REQUIRE(rmdir(in_dir) == 0, "a compaction leaves no other file");
	fuzz_within(from, 3, "a compaction");
}

static enum otr_status
change(struct image *m, unsigned op, unsigned a, unsigned b, struct otr_error *err)
{
	struct otr_writer_options o = { .author = "eve", .sort_bytes = 1 << 20 };
	struct otr_delete_spec range = { .start_ns = a == 0 ? INT64_MIN : 1700000000000000000 + (int64_t)a * 100000000, .end_ns = b == 0 ? INT64_MAX : 1700000000000000000 + (int64_t)(a + b) * 100000000 };
	struct otr_delete_spec match = { .start_ns = INT64_MIN, .end_ns = INT64_MAX, .match = some, .arg = &a };
	struct otr_policies p = { .has_max_size = true, .max_bytes = (uint64_t)(a + 1) << 16, .has_retain = true, .retain_ns = (uint64_t)(b + 1) << 30,
		.history = OTR_HISTORY_COUNT, .history_value = a % 8 + 1, .duplicates = (enum otr_duplicates)(b % 4) };
	static char text[30000];
	struct otr_meta_change set = { .key = "note", .value = text, .value_bytes = a * 100u };
	struct otr_change_result r;
	struct otr_commit_result c;
	struct otr_writer *w;
	struct otr_io io = io_of(m);
	enum otr_status status = otr__writer_open_io(&io, &o, &w, err);

	if (status != OTR_OK)
		return status;
	memset(text, 'a' + (int)(b % 26), sizeof text);
	switch (op) {
	case 0: case 1: case 2:                      /* a few rows, many, late ones */
		status = add_rows(w, op == 0 ? 1 + a % 8 : op == 1 ? BATCH : 1 + a, op == 2 ? 1699999999000000000 + b * 1000000 : 1800000000000000000 + b * 1000000, 1 + (int64_t)a * 1000, err);
		if (status == OTR_OK)
			status = otr_writer_commit(w, &c, err);
		break;
	case 3: status = otr_writer_delete(w, &range, &r, err); break;
	case 4: status = otr_writer_delete(w, &match, &r, err); break;
	case 5: status = otr_writer_rollback(w, otr_writer_version(w) - a % 16, &r, err); break;
	case 6: status = otr_writer_set_meta(w, &set, 1, NULL, &r, err); break;
	default: status = otr_writer_update_meta(w, NULL, 0, &p, b % 16, &r, err); break;
	}
	otr_writer_close(w);
	return status;
}

static void
note_space(void *arg, const struct otr_finding *f)
{
	*(bool *)arg |= !f->note && (strcmp(f->spec, "9.2") == 0 || strncmp(f->spec, "4.1", 3) == 0 || strcmp(f->spec, "5.3-6") == 0);
}

/* Whether a file says of pages in use that they are free, or counts them wrong: who writes into it does not look at all pages, and may lose some. */
static bool
is_led_astray(struct image *m)
{
	uint64_t faults;
	struct otr_error err;
	bool found = false;

	return otr__verify_io(io_of(m), &(struct otr_verify_options){ .found = note_space, .arg = &found }, &faults, &err) != OTR_OK || found;
}

/* The newest version, 0 where there is none. */
static uint64_t
version_of(struct image *m)
{
	struct otr *file;
	struct otr_info info;

	if (otr__open_io(io_of(m), false, 0, &file, NULL) != OTR_OK)
		return 0;
	otr_get_info(file, &info);
	otr_close(file);
	return info.newest_version;
}

static void
operate(struct fuzz_bytes *b)
{
	unsigned i;

	for (i = 0; i < 4 && b->left > 0; i++) {
		unsigned op = (unsigned)fuzz_take(b, 1) % 9, x = (unsigned)fuzz_take(b, 1), y = (unsigned)fuzz_take(b, 1);
		struct otr_error err = { .status = OTR_OK };
		enum otr_status status;
		uint64_t rows;
		clock_t from;

		if (op == 8) {
			compact(&work, x, y);
			continue;
		}
		copy(&before, &work);
		rows = look(&work, false);
		from = clock();
		status = change(&work, op, x, y, &err);
		fuzz_within(from, 3, "a change");
		if (getenv("FUZZ_VERBOSE") != NULL)
			fprintf(stderr, "change %u %u %u: %d %s, now %zu bytes\n", op, x, y, (int)status, err.text, work.len);
		/* a deletion by value, and an input into a file of fixed size (SPEC 9.4), may have made some of its commits */
		if (status != OTR_OK && op != 4 && rows != 0)
			REQUIRE(look(&work, false) == rows || version_of(&work) > version_of(&before) || is_led_astray(&before), "a change that fails leaves what could be read");
	}
}

/* ---- one input ---- */

static int
fuzz_file(const uint8_t *data, size_t size, bool repair)
{
	struct fuzz_bytes b = { data, size };
	struct layout layout;
	size_t touched, done[16], n = 0;
	unsigned edits;

	if (bases == 0)
		load_bases();
	clock_ns = 1000000000;
	take_base(&b, &hostile);
	layout = layout_of(&hostile);
	if (getenv("FUZZ_VERBOSE") != NULL)
		fprintf(stderr, "a file of %zu bytes\n", hostile.len);
	for (edits = (unsigned)fuzz_take(&b, 1) % 16; edits > 0 && b.left > 0; edits--)
		if (edit(&b, &hostile, &layout, &touched))
			done[n++] = touched;
	while (repair && n-- > 0)
		if (done[n] + (done[n] < OTR__START_BYTES ? 4096 : layout.page) <= hostile.len)
			seal(&hostile, &layout, done[n], 0);
	copy(&work, &hostile);
	(void)look(&work, true);
	if (b.left > 0) {
		operate(&b);
		(void)look(&work, true);
	}
	return 0;
}

#endif
