/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_verify.c - the check of a whole file (SPEC 12, class V): sound files of many shapes give no fault; every flipped bit and every cut is found; and so is
 * each lie that has a right checksum.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "bytes.h"
#include "inner.h"
#include "record.h"
#include "series.h"
#include "slot.h"

/* ---- findings ---------------------------------------------------------------------------------------------------------------- */

static size_t faults_seen, notes_seen;
static char first_text[300], first_spec[16], last_spec[16];
static enum otr_place first_place;
static uint64_t first_number;

static void
see(void *arg, const struct otr_finding *f)
{
	(void)arg;
	if (f->note) {
		notes_seen++;
		return;
	}
	(void)snprintf(last_spec, sizeof last_spec, "%s", f->spec);
	if (faults_seen++ > 0)
		return;
	first_place = f->place;
	first_number = f->number;
	(void)snprintf(first_text, sizeof first_text, "%s", f->text);
	(void)snprintf(first_spec, sizeof first_spec, "%s", f->spec);
}

static enum otr_status
verify(const char *path, uint64_t *faults)
{
	struct otr_error err;
	enum otr_status status;

	faults_seen = notes_seen = 0;
	first_text[0] = first_spec[0] = '\0';
	*faults = 0;
	status = otr_verify(path, &(struct otr_verify_options){ .found = see }, faults, &err);
	if (status == OTR_OK && *faults != faults_seen)
		printf("# %llu faults counted, %zu told\n", (unsigned long long)*faults, faults_seen);
	return status;
}

static bool
is_sound(const char *path)
{
	uint64_t faults;
	enum otr_status status = verify(path, &faults);

	if (status == OTR_OK && faults == 0)
		return true;
	printf("# status %d, place %d %llu: %s (SPEC %s)\n", (int)status, (int)first_place, (unsigned long long)first_number, first_text, first_spec);
	return false;
}

/* ---- a file in memory -------------------------------------------------------------------------------------------------------- */

static uint8_t *image;
static size_t image_bytes;

static void
load(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
		exit(1);
	image_bytes = (size_t)ftell(f);
	rewind(f);
	image = series_alloc(image, image_bytes + 1);
	if (fread(image, 1, image_bytes, f) != image_bytes)
		exit(1);
	(void)fclose(f);
}

static void
store(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
		exit(1);
}

static void
patch(int fd, size_t at, const uint8_t *bytes, size_t len)
{
	if (pwrite(fd, bytes, len, (off_t)at) != (ssize_t)len)
		exit(1);
}

/* ---- sound files ------------------------------------------------------------------------------------------------------------- */

static void
sound_files(void)
{
	unsigned long long state = 99;
	const char *path = series_path("verify.otr");
	int round, bad = 0;

	for (round = 0; round < 60 && bad == 0; round++) {
		static const size_t most[4] = { 30, 400, 3000, 9000 };
		struct series s;
		size_t n;

		series_init(&s, round % 3 == 0 ? 16384 : round % 7 == 0 ? 65536 : 4096);
		n = (size_t)(tap_random(&state) % most[round % 4]);
		series_random(&s, n, &state);
		series_write(&s, path, round % 4 == 0 ? 0 : 1 + (size_t)(tap_random(&state) % (n / 2 + 20)));
		bad += !is_sound(path);
		series_free(&s);
	}
	CHECK(bad == 0, "random series, in one commit and in many, are sound");
}

/* Rows in any order: late ones make rewrites, with kept roots. */
static void
late_rows(void)
{
	unsigned long long state = 5;
	const char *path = series_path("verify.otr");
	int round, k, bad = 0;

	for (round = 0; round < 12 && bad == 0; round++) {
		struct series s;
		struct otr_writer *writer;
		size_t i, n = 3000, each = round % 4 == 0 ? 4 : 20 + (size_t)(tap_random(&state) % 400);

		series_init(&s, 4096);
		series_column(&s, OTR_F64, OTR_LINEAR);
		series_column(&s, OTR_I32, OTR_STEP);
		s.policies.duplicates = round % 2 == 0 ? OTR_REPLACE : OTR_KEEP;
		for (i = 0; i < n; i++) {
			uint64_t v[2] = { series_f64((double)i / 3), i % 100 };
			int64_t t = (int64_t)(i * 100 + tap_random(&state) % (round % 3 == 0 ? 700 : 150));

			series_row(&s, tap_random(&state) % 40 == 0 ? t / 2 : t, v);
		}
		series_create(&s, path);
		writer = series_writer(path);
		for (i = 0, k = 0; i < n; i += each, k++) {
			series_commit(&s, writer, i, i + each < n ? i + each : n);
			if (k % 11 == 0)
				bad += !is_sound(path);
		}
		otr_writer_close(writer);
		bad += !is_sound(path);
		series_free(&s);
	}
	CHECK(bad == 0, "series with late rows, their kept roots, log and riding rows, are sound");
}

/* ---- flips and cuts ------------------------------------------------------------------------------------------------------------ */

/* File X of case P: one commit of 1,000 rows in one leaf. */
static void
make_x(const char *path)
{
	struct series s;
	int i;

	series_init(&s, 4096);
	series_column(&s, OTR_F64, OTR_LINEAR);
	for (i = 0; i < 1000; i++)
		series_row_f64(&s, INT64_C(1700000000000000000) + INT64_C(1000000000) * i, (double)(2000 + i * i % 61) / 100);
	series_write(&s, path, 0);
	series_free(&s);
}

static void
flips(void)
{
	const char *path = series_path("flip.otr");
	size_t i, silent = 0, odd = 0;
	uint64_t faults;
	int fd;

	make_x(path);
	load(path);
	CHECK(image_bytes == 20480 && is_sound(path), "file X is 20,480 bytes, and sound");
	fd = open(path, O_RDWR);
	for (i = 0; i < image_bytes; i++) {
		uint8_t b = (uint8_t)(image[i] ^ 1u << (i * 5 % 8));
		enum otr_status status;

		patch(fd, i, &b, 1);
		status = verify(path, &faults);
		if (status == OTR_OK ? faults == 0 : status != OTR_E_FORMAT && status != OTR_E_UNSUPPORTED) {
			if (silent++ < 5)
				printf("# byte %zu: status %d, %llu faults\n", i, (int)status, (unsigned long long)faults);
		} else if (status == OTR_OK && ((i >= 12288 && i < 16384 && (first_place != OTR_PLACE_HEADER || first_number != 1)) ||
		    (i >= 16384 && (first_place != OTR_PLACE_PAGE || first_number != 4)) ||
		    (i >= 4096 && i < 12288 && (first_place != OTR_PLACE_SLOT || first_number != (i - 4096) / 4096)))) {
			odd++;
		}
		patch(fd, i, image + i, 1);
	}
	(void)close(fd);
	CHECK(silent == 0, "a flipped bit is found, whichever byte it is in (case P.1)");
	CHECK(odd == 0, "and it is found where it is");
	CHECK(is_sound(path), "the file put right is sound again");
	silent = 0;
	for (i = 0; i < image_bytes; i += i < 64 ? 1 : 61) {
		enum otr_status status;

		store(path, image, i);
		status = verify(path, &faults);
		silent += status == OTR_OK ? faults == 0 : status != OTR_E_FORMAT;
	}
	CHECK(silent == 0, "a cut file is found (case P.2)");
	image[image_bytes] = 'x';
	store(path, image, image_bytes + 1);
	(void)verify(path, &faults);
	CHECK(faults == 0 && notes_seen == 1, "a byte behind the last page is a note");
}

/* ---- lies with a right checksum ------------------------------------------------------------------------------------------------- */

static struct otr__header header;
static struct otr__slot slot;
static unsigned newest;

static void
decode_newest(void)
{
	struct otr__slot other;
	enum otr__slot_condition c[2];

	if (otr__header_decode(image, &header, NULL) != OTR_OK)
		exit(1);
	c[0] = otr__slot_decode(image + 4096, &header, &slot, NULL);
	c[1] = otr__slot_decode(image + 8192, &header, &other, NULL);
	newest = 0;
	if (c[1] == OTR__SLOT_SOUND && (c[0] != OTR__SLOT_SOUND || other.version > slot.version)) {
		slot = other;
		newest = 1;
	}
}

static void
encode_newest(void)
{
	otr__slot_encode(image + OTR__SLOT_OFFSET(newest), &slot, header.file_id);
}

static uint8_t *
page_at(uint64_t number)
{
	return image + number * header.schema.page_bytes;
}

/* Seals the root again after a change, and the slot. */
static void
reseal_root(void)
{
	uint8_t *page = page_at(slot.root.page);

	otr__page_seal(page, header.schema.page_bytes, (enum otr__page_type)page[4], page[5], slot.root.page, header.file_id, slot.root.generation, &slot.root);
	encode_newest();
}

static bool
finds(const char *path, const char *spec, enum otr_place place)
{
	uint64_t faults;
	enum otr_status status;

	store(path, image, image_bytes);
	status = verify(path, &faults);
	if (status == OTR_OK && faults > 0 && strcmp(first_spec, spec) == 0 && first_place == place)
		return true;
	printf("# wanted SPEC %s: status %d, %llu faults, place %d %llu: %s (SPEC %s)\n", spec, (int)status, (unsigned long long)faults,
	    (int)first_place, (unsigned long long)first_number, first_text, first_spec);
	return false;
}

/* Two levels: a root and some leaves; two commits, so that both slots are in use, and riding rows. */
static void
make_tree(const char *path)
{
	struct series s;
	struct otr_writer *writer;
	int i;

	series_init(&s, 4096);
	series_column(&s, OTR_F64, OTR_LINEAR);
	series_column(&s, OTR_I64, OTR_LINEAR);
	for (i = 0; i < 2010; i++) {
		uint64_t v[2] = { series_f64((double)(i * 7919 % 10007) / 7), (uint64_t)(i * 104729 % 1000003) };

		series_row(&s, INT64_C(1000) * i + i % 3, v);
	}
	series_create(&s, path);
	writer = series_writer(path);
	series_commit(&s, writer, 0, 1000);
	series_commit(&s, writer, 1000, 2000);
	series_commit(&s, writer, 2000, 2005);
	series_commit(&s, writer, 2005, 2010);
	otr_writer_close(writer);
	series_free(&s);
	load(path);
	decode_newest();
}

static void
lies_of_entries(void)
{
	const char *path = series_path("lie.otr");
	const size_t entry = OTR__INNER_FIXED + OTR__ENTRY_BYTES(2);      /* of entry 1 in its page */
	int bad = 0;
	unsigned word;
	uint8_t *at;
	struct otr__entry e;

	make_tree(path);
	CHECK(is_sound(path) && page_at(slot.root.page)[4] == OTR__INNER, "a tree of two levels is sound");
	for (word = 0; word < 30; word++) {
		make_tree(path);
		at = page_at(slot.root.page) + entry + 48 + 8 * word;
		/* a count above the rows would be found by the page alone; so would a NaN too many */
		otr__put64(at, word % 15 == 0 ? otr__get64(at) - 1 : otr__get64(at) ^ 1);
		reseal_root();
		bad += !finds(path, word % 15 == 1 ? "6-2" : "6-1", OTR_PLACE_PAGE);
	}
	CHECK(bad == 0, "6-1: every word of a statistics record is compared");
	make_tree(path);
	at = page_at(slot.root.page) + entry + 24;
	otr__put64(at, otr__get64(at) + 1);
	reseal_root();
	CHECK(finds(path, "5.3-3", OTR_PLACE_PAGE), "an entry with wrong rows is found");
	make_tree(path);
	at = page_at(slot.root.page) + entry + 32;
	otr__put64(at, otr__get64(at) - 1);
	reseal_root();
	CHECK(finds(path, "5.3-3", OTR_PLACE_PAGE), "an entry with a wrong first time is found");
	make_tree(path);
	otr__inner_entry(page_at(slot.root.page), 2, 1, &e);
	otr__put64(page_at(slot.root.page) + entry, slot.page_count);
	reseal_root();
	CHECK(finds(path, "5.2", OTR_PLACE_PAGE), "a child beyond the page count is found");
	make_tree(path);
	memcpy(page_at(slot.root.page) + entry, page_at(slot.root.page) + OTR__INNER_FIXED, OTR__ENTRY_BYTES(2));
	reseal_root();
	CHECK(finds(path, "5.3-4", OTR_PLACE_PAGE), "a child named twice, whose times then are out of order, is found");
	make_tree(path);
	page_at(e.child.page)[2000] ^= 4;
	CHECK(finds(path, "5.2-1", OTR_PLACE_PAGE) && first_number == e.child.page, "a bad leaf is found, and named");
}

/* Sets a u64 of the newest record, and writes the slot. */
static void
record_of_slot(size_t offset, uint64_t value)
{
	struct otr__reader r = otr__reader_of(slot.area, slot.area_bytes);
	struct otr__record record;
	size_t at = 0;

	while (r.left > 0) {
		at = slot.area_bytes - r.left;
		if (otr__record_get(&r, &header.schema, &record, NULL) != OTR_OK)
			exit(1);
	}
	otr__put64(slot.area + at + offset, value);
	encode_newest();
}

/* A slot that has a row less than its newest record says, with a right checksum. */
static void
lie_in(unsigned index)
{
	struct otr__slot lie;

	if (otr__slot_decode(image + OTR__SLOT_OFFSET(index), &header, &lie, NULL) != OTR__SLOT_SOUND)
		exit(1);
	lie.rows--;
	otr__slot_encode(image + OTR__SLOT_OFFSET(index), &lie, header.file_id);
}

static void
lies_of_slots(void)
{
	const char *path = series_path("lie.otr");
	struct otr__entry e;

	make_tree(path);
	slot.first_ns++;
	encode_newest();
	CHECK(finds(path, "4.1", OTR_PLACE_SLOT) && first_number == newest, "a wrong first_ns is found");
	make_tree(path);
	slot.last_ns++;
	encode_newest();
	CHECK(finds(path, "4.1", OTR_PLACE_SLOT), "a wrong last_ns is found");
	make_tree(path);
	slot.rows--;
	encode_newest();
	CHECK(finds(path, "4.3-1", OTR_PLACE_SLOT), "4.3-1: a slot that disagrees with its newest record is damaged");
	make_tree(path);
	slot.rows--;
	record_of_slot(32, slot.rows);
	CHECK(finds(path, "4.1", OTR_PLACE_SLOT), "a wrong number of rows is found, though slot and record agree");
	make_tree(path);
	slot.tree_rows--;
	slot.rows_ever--;
	slot.rows--;
	record_of_slot(32, slot.rows);
	record_of_slot(24, slot.rows_ever);
	CHECK(finds(path, "5.3-7", OTR_PLACE_SLOT), "tree_rows that are not the root's are found");
	make_tree(path);
	slot.base_row++;
	encode_newest();
	CHECK(finds(path, "4.1", OTR_PLACE_SLOT) || strcmp(first_spec, "4.1-1") == 0, "a wrong base_row is found");
	make_tree(path);
	slot.live_pages--;
	encode_newest();
	CHECK(finds(path, "4.1-2", OTR_PLACE_SLOT), "4.1-2: wrong live_pages are found");
	make_tree(path);
	otr__inner_entry(page_at(slot.root.page), 2, 0, &e);
	if (slot.freed > 0 && slot.freed_now < slot.freed) {
		slot.freed_page[slot.freed - 1] = e.child.page;
		encode_newest();
		CHECK(finds(path, "9.2", OTR_PLACE_SLOT), "a freed page that is reached is found");
	}
	make_tree(path);
	slot.horizon_ns = 1500;
	slot.first_ns = 2002;
	encode_newest();
	CHECK(finds(path, "4.1", OTR_PLACE_SLOT), "rows before the horizon that are counted are found");
	make_tree(path);
	memcpy(image + OTR__SLOT_OFFSET(1 - newest), image + OTR__SLOT_OFFSET(newest), OTR__SLOT_BYTES);
	CHECK(finds(path, "4.2-1", OTR_PLACE_SLOT), "two slots of the same version are found");
	make_tree(path);
	memset(image + OTR__SLOT_OFFSET(0), 0, 8192);
	CHECK(finds(path, "4.2-7", OTR_PLACE_SLOT) && faults_seen == 2, "two bad slots are two findings");
	make_tree(path);
	image[OTR__SLOT_OFFSET(1 - newest) + 504] ^= 1;
	CHECK(finds(path, "4.2-2", OTR_PLACE_SLOT) && first_number == 1 - newest, "a flipped stamp is found");
	make_tree(path);
	image[OTR__SLOT_OFFSET(newest) + 100] ^= 1;
	CHECK(finds(path, "4.2-6", OTR_PLACE_SLOT) && first_number == newest, "a damaged newest slot is found");
	/* a right checksum over a wrong field: the rule of the field, whichever slot it is */
	make_tree(path);
	lie_in(1 - newest);
	CHECK(finds(path, "4.3-1", OTR_PLACE_SLOT) && first_number == 1 - newest && faults_seen == 1, "4.3-1: so is an older slot that disagrees with its record, by that rule");
	lie_in(newest);
	CHECK(finds(path, "4.3-1", OTR_PLACE_SLOT) && faults_seen == 2 && strcmp(last_spec, "4.3-1") == 0, "4.3-1: and so are both, by that rule");
}

/* A tree of n rows, on which a group rides under keep, the first row of it at the time of the tree's last row.  Gives the rows of the first leaf in the end. */
static size_t
make_group(const char *path, size_t n)
{
	static const int64_t after_ns[3] = { 0, 500, 200 };
	struct otr_writer *writer;
	struct otr__entry e;
	struct series s;
	size_t i;

	series_init(&s, 4096);
	s.policies.duplicates = OTR_KEEP;
	series_column(&s, OTR_F64, OTR_LINEAR);
	for (i = 0; i < n; i++)
		series_row_f64(&s, INT64_C(1000) * (int64_t)i, (double)(i * 7919 % 10007) / 7);
	for (i = 0; i < 3; i++)
		series_row_f64(&s, INT64_C(1000) * ((int64_t)n - 1) + after_ns[i], (double)i);
	for (i = 0; i < 1002; i++)
		series_row_f64(&s, INT64_C(1000) * (int64_t)(n + i), (double)(i * 7919 % 10007) / 7);
	series_create(&s, path);
	writer = series_writer(path);
	series_commit(&s, writer, 0, n);
	for (i = n; i < n + 3; i++)
		series_commit(&s, writer, i, i + 1);
	/* the large commit takes the group into the log, and both slots name its page after two small ones */
	series_commit(&s, writer, n + 3, n + 1003);
	series_commit(&s, writer, n + 1003, n + 1004);
	series_commit(&s, writer, n + 1004, n + 1005);
	otr_writer_close(writer);
	series_free(&s);
	load(path);
	decode_newest();
	otr__inner_entry(page_at(slot.root.page), 1, 0, &e);
	return (size_t)e.rows;
}

/* The log says another policy of such a group, first within a leaf, then where the tree's last row was the last of its leaf. */
static void
lies_of_groups(size_t n, const char *sentence)
{
	const char *path = series_path("lie.otr");
	struct otr__scratch *scratch = otr__scratch_create();
	struct otr__log_page log;
	struct otr__slot both[2];
	struct otr__ref ref;
	uint32_t g, groups = 0;
	bool nomem, ok;
	int i;

	(void)make_group(path, n);
	CHECK(is_sound(path), "4.6-2: under keep a row may ride that is of the time of the tree's last row");

	otr__log_page_init(&log);
	ok = scratch != NULL && otr__log_page_decode(page_at(slot.log.page), 4096, &header.schema, &log, scratch, NULL) == OTR_OK;
	for (g = 0; ok && g < log.groups; g++) {
		groups += log.group[g].duplicates == OTR_KEEP;
		log.group[g].duplicates = OTR_REPLACE;
	}
	ok = ok && groups == 1 && otr__log_page_encode(page_at(slot.log.page), 4096, &header.schema, &log, scratch, &nomem) > 0;
	if (ok)
		otr__page_seal(page_at(slot.log.page), 4096, OTR__LOG, 0, slot.log.page, header.file_id, slot.log.generation, &ref);
	for (i = 0; ok && i < 2; i++) {
		ok = otr__slot_decode(image + OTR__SLOT_OFFSET(i), &header, &both[i], NULL) == OTR__SLOT_SOUND && both[i].log.page == ref.page;
		both[i].log = ref;
		otr__slot_encode(image + OTR__SLOT_OFFSET(i), &both[i], header.file_id);
	}
	CHECK(ok && finds(path, "4.6-2", OTR_PLACE_PAGE) && first_number == slot.log.page, sentence);
	otr__log_page_release(&log);
	otr__scratch_free(scratch);
}

static void
torn(void)
{
	const char *path = series_path("lie.otr");
	uint64_t faults, stamp;
	unsigned i;

	/* a third write over the older slot, cut after three sectors */
	make_tree(path);
	stamp = slot.version + 2;
	for (i = 0; i < 3; i++) {
		otr__put64(image + OTR__SLOT_OFFSET(1 - newest) + 512 * i + 504, stamp);
		image[OTR__SLOT_OFFSET(1 - newest) + 512 * i + 8] ^= 0x55;
	}
	store(path, image, image_bytes);
	CHECK(verify(path, &faults) == OTR_OK && faults == 0 && notes_seen >= 1, "a torn slot is a note (4.2-4)");
}

/* A writer that commits all the time: pages are reused under the check, which is no damage. */
static void
beside_a_writer(void)
{
	const char *path = series_path("lie.otr");
	unsigned long long state = 11;
	int status = 0, checked = 0, bad = 0;
	uint64_t faults;
	struct series s;
	pid_t child;
	size_t i;

	series_init(&s, 4096);
	series_column(&s, OTR_F64, OTR_LINEAR);
	for (i = 0; i < 60000; i++)
		series_row_f64(&s, (int64_t)(i * 100 + tap_random(&state) % 150), (double)(i % 1000) / 7);
	series_create(&s, path);
	child = fork();
	if (child == 0) {
		struct otr_writer *writer = series_writer(path);

		for (i = 0; i < s.n; i += 200)
			series_commit(&s, writer, i, i + 200);
		otr_writer_close(writer);
		_exit(0);
	}
	while (child > 0 && waitpid(child, &status, WNOHANG) == 0) {
		enum otr_status result = verify(path, &faults);

		if (result != OTR_E_EXPIRED && (result != OTR_OK || faults > 0)) {
			if (bad++ < 3)
				printf("# status %d, place %d %llu: %s (SPEC %s)\n", (int)result, (int)first_place, (unsigned long long)first_number,
				    first_text, first_spec);
		}
		checked++;
	}
	CHECK(child > 0 && status == 0 && checked > 0 && bad == 0, "beside a live writer nothing is called damage");
	CHECK(is_sound(path), "and what it left is sound");
	series_free(&s);
}

static void
refusals(void)
{
	const char *path = series_path("lie.otr");
	uint64_t faults = 7;
	struct otr_error err;

	CHECK(otr_verify(series_path("none.otr"), NULL, &faults, &err) == OTR_E_IO && faults == 7, "a file that is not there is no finding");
	path = series_path("lie.otr");
	store(path, (const uint8_t *)"hello, world; this is text", 26);
	CHECK(otr_verify(path, NULL, &faults, NULL) == OTR_E_FORMAT, "nor is what is no OTR file");
}

/* ---- the caller's eye on it ---------------------------------------------------------------------------------------------------- */

struct eye {
	uint64_t asked, end_at;              /* end_at 0: never */
	bool ordered;
};

static bool
watch(void *arg, uint64_t done, uint64_t total)
{
	struct eye *e = arg;

	e->ordered = e->ordered && done == ++e->asked && total >= done;
	return e->asked != e->end_at;
}

static void
see_nothing(void *arg, const struct otr_finding *f)
{
	(void)f;
	((struct eye *)arg)->ordered = false;
}

static void
watched(void)
{
	struct eye all = { .ordered = true };
	struct otr_verify_options o = { .go_on = watch, .arg = &all };
	const char *path = series_path("verify.otr");
	struct otr_error err;
	struct series s;
	uint64_t faults = 0, k;
	int i, bad = 0;

	series_init(&s, 4096);
	series_column(&s, OTR_F64, OTR_LINEAR);
	for (i = 0; i < 5000; i++)
		series_row_f64(&s, i % 1000 == 999 ? 50 * i : 100 * i, (double)((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) >> 11));
	series_write(&s, path, 400);
	/* a fault, so that there is something to tell, at the end alone */
	load(path);
	image[image_bytes - 100] ^= 1;
	store(path, image, image_bytes);
	CHECK(otr_verify(path, &o, &faults, &err) == OTR_OK && all.ordered && all.asked >= 8 && faults > 0, "asked after each page, with the pages done and about how many there are");
	for (k = 1; k <= all.asked; k++) {
		struct eye one = { .end_at = k, .ordered = true };

		o = (struct otr_verify_options){ .go_on = watch, .found = see_nothing, .arg = &one };
		faults = 7;
		bad += otr_verify(path, &o, &faults, &err) != OTR_END || one.asked != k || !one.ordered || faults != 7;
	}
	CHECK(bad == 0, "and ended at any of them, with nothing told");
	series_free(&s);
}

int
main(void)
{
	static const char *const name[] = { "verify.otr", "flip.otr", "lie.otr", "" };
	size_t i, leaf;

	sound_files();
	watched();
	late_rows();
	flips();
	lies_of_entries();
	lies_of_slots();
	lies_of_groups(1000, "4.6-2: under another policy it may not");
	/* as many rows as stay a leaf of their own when others follow; where a leaf ends depends a little on what follows */
	leaf = make_group(series_path("lie.otr"), 1000);
	for (i = leaf < 60 ? 1 : leaf - 60; i < leaf + 60 && make_group(series_path("lie.otr"), i) != i; i++)
		;
	CHECK(i < leaf + 60, "there is a tree of a whole leaf");
	leaf = i;
	lies_of_groups(leaf, "4.6-2: nor where that row was the last of its leaf");
	torn();
	beside_a_writer();
	refusals();
	free(image);
	for (i = 0; i < sizeof name / sizeof name[0]; i++)
		(void)remove(series_path(name[i]));
	return tap_done();
}
