/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_salvage.c - otr_salvage (SPEC 10.5): every row of every sound page comes out, none twice; what a sound tree says is gone stays gone; no bytes make it crash.
 */
#include <sys/stat.h>

#include "checksum.h"
#include "leaf.h"
#include "onefile.h"
#include "scratch.h"

#define SECOND INT64_C(1000000000)
#define START (1700000000 * SECOND)
#define ROWS_MAX 60000
#define PAGE 4096u

static char in_path[128], out_path[128];
static int64_t want_time[ROWS_MAX], got_time[ROWS_MAX];
static double want_value[ROWS_MAX], got_value[ROWS_MAX];
static size_t wanted;
static long got;
static uint8_t *image;
static size_t image_bytes;
static unsigned long long seed = 7;

/* ---- what comes out ---------------------------------------------------------------------------------------------------------- */

static struct otr_salvage_result result;
static struct otr_error error;
static size_t ranges, bad_pages, bad_slots, bad_headers;
static int64_t lost_start, lost_end;
static uint64_t lost_rows;

static void
see(void *arg, const struct otr_loss *loss)
{
	(void)arg;
	if (loss->rows_lost && ranges++ == 0) {
		lost_start = loss->start_ns;
		lost_end = loss->end_ns;
		lost_rows = loss->rows;
	}
	bad_pages += loss->what.place == OTR_PLACE_PAGE;
	bad_slots += loss->what.place == OTR_PLACE_SLOT;
	bad_headers += loss->what.place == OTR_PLACE_HEADER;
}

static void
load(void)
{
	FILE *f = fopen(in_path, "rb");

	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
		exit(1);
	image_bytes = (size_t)ftell(f);
	rewind(f);
	image = realloc(image, image_bytes + 1);
	if (image == NULL || fread(image, 1, image_bytes, f) != image_bytes)
		exit(1);
	(void)fclose(f);
}

static void
save(const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(in_path, "wb");

	if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
		exit(1);
}

/* Salvages and reads the new file, which must be sound. */
static enum otr_status
salvage(void)
{
	struct otr_salvage_options o = { .author = "tester", .lost = see };
	struct otr *file;
	enum otr_status status;

	ranges = bad_pages = bad_slots = bad_headers = 0;
	lost_rows = 0;
	got = -1;
	(void)unlink(out_path);
	status = otr_salvage(in_path, out_path, &o, &result, &error);
	if (status != OTR_OK)
		return status;
	if (one_faults(out_path) != 0)
		return OTR_E_CORRUPT;
	status = otr_open(out_path, &file, &error);
	if (status == OTR_OK) {
		got = one_read(file, got_time, got_value, ROWS_MAX);
		otr_close(file);
	}
	return status == OTR_OK && got != (long)result.rows ? OTR_E_CORRUPT : status;
}

/* Whether the rows are those wanted without the ones of [from, to); of these some may be there, but only as they were. */
static bool
all_but(int64_t from, int64_t to)
{
	size_t i = 0;
	long j = 0;

	for (; i < wanted; i++) {
		if (j < got && got_time[j] == want_time[i] && memcmp(&got_value[j], &want_value[i], sizeof want_value[0]) == 0)
			j++;
		else if (want_time[i] < from || want_time[i] >= to)
			break;
	}
	if (i == wanted && j == got)
		return true;
	printf("# %ld rows for %zu; row %zu of time %lld differs: %lld\n", got, wanted, i, i < wanted ? (long long)want_time[i] : 0,
	    j < got ? (long long)got_time[j] : 0);
	return false;
}

static bool
all(void)
{
	return all_but(0, 0);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------- */

static double
noise(void)
{
	return (double)tap_random(&seed) / 1e9;
}

/* n rows a second apart, `each` a commit. */
static void
make(size_t n, size_t each, enum otr_duplicates policy)
{
	struct otr_commit_result r;
	size_t i;

	if (one_create(in_path, PAGE, policy) != OTR_OK)
		exit(1);
	wanted = n;
	for (i = 0; i < n; i++) {
		want_time[i] = START + (int64_t)i * SECOND;
		want_value[i] = noise();
	}
	for (i = 0; i < n; i += each)
		if (one_append(in_path, want_time + i, want_value + i, n - i < each ? n - i : each, &r) != OTR_OK)
			exit(1);
	load();
}

static uint8_t
type_of(size_t page)
{
	return image[page * PAGE + 4];
}

static void
spoil(size_t page)
{
	image[page * PAGE + 2000] ^= 0x10;
}

static void
spoil_type(uint8_t type)
{
	size_t page;

	for (page = 4; page < image_bytes / PAGE; page++)
		if (type_of(page) == type)
			spoil(page);
}

/* Times of a leaf. */
static bool
leaf_times(size_t page, int64_t *first, int64_t *last)
{
	static struct otr_schema schema = { .columns = 1, .page_bytes = PAGE, .column = { { .name = "v", .type = OTR_F64 } } };
	struct otr__scratch *scratch = otr__scratch_create();
	struct otr__rows rows;
	bool is = type_of(page) == OTR__LEAF && scratch != NULL && otr__rows_init(&rows, 1, 64);

	if (is) {
		is = otr__leaf_decode(image + page * PAGE, PAGE, &schema, 1, &rows, scratch, NULL, NULL) == OTR_OK;
		if (is) {
			*first = rows.time_ns[0];
			*last = rows.time_ns[rows.n - 1];
		}
		otr__rows_release(&rows);
	}
	otr__scratch_free(scratch);
	return is;
}

static void
fix_crc(size_t page)
{
	uint32_t crc = otr__crc32(image + page * PAGE + 4, PAGE - 4);

	memcpy(image + page * PAGE, &crc, 4);
}

static unsigned
newest_slot(void)
{
	uint64_t version[2];

	memcpy(&version[0], image + 4096 + 24, 8);
	memcpy(&version[1], image + 8192 + 24, 8);
	return version[1] != UINT64_MAX && version[1] > version[0];
}

/* ---- cases ------------------------------------------------------------------------------------------------------------------- */

static void
sound(void)
{
	make(20000, 7000, OTR_REPLACE);
	CHECK(salvage() == OTR_OK && all() && result.losses == 0 && result.found == 0 && result.has_version, "10.5-6: a sound file comes out whole, and nothing is said");
	(void)one_create(in_path, PAGE, OTR_REPLACE);
	wanted = 0;
	CHECK(salvage() == OTR_OK && all() && result.losses == 0, "so does one without rows");
}

static void
each_page(void)
{
	size_t page, pages, leaves = 0, others = 0, bad = 0;

	make(20000, 1900, OTR_REPLACE);
	pages = image_bytes / PAGE;
	for (page = 4; page < pages; page++) {
		int64_t first = 0, last = -1;
		bool leaf = leaf_times(page, &first, &last);
		bool in_use;

		spoil(page);
		save(image, image_bytes);
		in_use = salvage() == OTR_OK && bad_pages > 0;
		if (got < 0 || !all_but(first, last + 1) || (in_use != (ranges > 0)) || (!leaf && got != (long)wanted)) {
			printf("# page %zu of type %u: status %d\n", page, type_of(page), (int)error.status);
			bad++;
		}
		if (leaf && in_use && (ranges != 1 || lost_start != first || lost_end != last + 1)) {
			printf("# page %zu: lost range %lld..%lld\n", page, (long long)lost_start, (long long)lost_end);
			bad++;
		}
		leaves += leaf && in_use && got < (long)wanted;
		others += !leaf && in_use;
		spoil(page);
	}
	CHECK(bad == 0, "10.5-2, 10.5-5: each page damaged alone: all rows come out but those of the page, whose range is named");
	CHECK(leaves > 20 && others >= 3, "among them were leaves with rows of their own, and inner pages");
	for (page = 0; page < 2; page++) {
		memset(image + page * 12288, 0x55, 100);
		save(image, image_bytes);
		CHECK(salvage() == OTR_OK && all() && bad_headers == 1 && result.losses == 1, page == 0 ? "the header destroyed, magic too: all rows" : "10.5-1: the header's copy destroyed: all rows");
		load();
		memcpy(image + page * 12288, image + (1 - page) * 12288, 100);
	}
}

static void
structure_lost(void)
{
	make(30000, 2500, OTR_REPLACE);
	memset(image + 4096, 0, 8192);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all() && !result.has_version && ranges == 1 && result.found == result.rows, "both slots zeroed: all rows");
	spoil_type(OTR__INNER);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all(), "both slots and all inner pages destroyed: all rows");

	make(30000, 2500, OTR_REPLACE);
	spoil_type(OTR__INNER);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all() && result.has_version && ranges == 1 && lost_rows == 30000 && lost_start == want_time[0] &&
	    lost_end == want_time[wanted - 1] + 1, "all inner pages destroyed: all rows, and what the slot says of them");

	make(30000, 30000, OTR_REPLACE);
	spoil_type(OTR__INNER);
	memset(image + 4096, 0, 8192);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all(), "one commit of them, likewise");
	memset(image + 12288, 0, 4096);
	memset(image, 0, 10);
	save(image, image_bytes);
	CHECK(salvage() == OTR_E_FORMAT, "without a header it is no OTR file");
}

static void
truncated(void)
{
	static uint8_t there[ROWS_MAX];
	size_t cut, tries = 0, bad = 0;

	make(20000, 3000, OTR_REPLACE);
	for (cut = 16384; cut < image_bytes; cut += 7777, tries++) {
		int64_t first, last;
		size_t page, i;
		long sure = 0;

		save(image, cut);
		memset(there, 0, sizeof there);
		for (page = 4; page < cut / PAGE; page++)
			if (leaf_times(page, &first, &last))
				memset(there + (first - START) / SECOND, 1, (size_t)((last - first) / SECOND + 1));
		for (i = 0; i < wanted; i++)
			sure += there[i];
		if (salvage() != OTR_OK || !all_but(INT64_MIN, INT64_MAX) || got != sure) {
			printf("# cut at %zu: %ld rows, of %ld\n", cut, got, sure);
			bad++;
		}
	}
	CHECK(bad == 0 && tries > 20, "cut anywhere: each row of the pages that are there");
	save(image, 9000);
	CHECK(salvage() == OTR_E_TRUNCATED, "less than 16 KiB is truncated");
}

static void
riding(void)
{
	struct otr_commit_result r;
	int i;

	make(9000, 3000, OTR_REPLACE);
	for (i = 0; i < 5; i++, wanted++) {
		want_time[wanted] = want_time[wanted - 1] + SECOND;
		want_value[wanted] = noise();
		if (one_append(in_path, want_time + wanted, want_value + wanted, 1, &r) != OTR_OK)
			exit(1);
	}
	load();
	spoil_type(OTR__INNER);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all() && result.found == 9000 && lost_end <= want_time[9000], "10.5-1: rows that ride in a sound slot come out behind those of the leaves");
	spoil_type(OTR__LEAF);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && got == 5 && got_time[0] == want_time[9000] && memcmp(got_value, want_value + 9000, 5 * sizeof got_value[0]) == 0,
	    "and alone, where no page is left");
}

static void
change(const struct otr_delete_spec *spec)
{
	struct otr_writer *w = one_writer(in_path);
	struct otr_change_result r;

	if (w == NULL || otr_writer_delete(w, spec, &r, &error) != OTR_OK || r.removed == 0)
		exit(1);
	otr_writer_close(w);
	load();
}

static void
drop_wanted(size_t from, size_t to)
{
	memmove(want_time + from, want_time + to, (wanted - to) * sizeof want_time[0]);
	memmove(want_value + from, want_value + to, (wanted - to) * sizeof want_value[0]);
	wanted -= to - from;
}

static void
old_rows(void)
{
	struct otr_commit_result r;
	struct otr_delete_spec spec = { .start_ns = 0 };
	size_t page, pages, bad = 0, i, from;
	int64_t first = 0, last = 0;

	/* 100 rows in the middle of a leaf go, and 50 others are replaced; the older leaves are kept as history */
	make(14000, 14000, OTR_REPLACE);
	for (page = 4; !leaf_times(page, &first, &last) || first < START + 4000 * SECOND || first > START + 6000 * SECOND; page++)
		;
	spec.start_ns = first + 200 * SECOND;
	spec.end_ns = first + 300 * SECOND;
	from = (size_t)((spec.start_ns - START) / SECOND);
	change(&spec);
	drop_wanted(from, from + 100);
	for (i = 8000; i < 8050; i++)
		want_value[i] = noise();
	if (one_append(in_path, want_time + 8000, want_value + 8000, 50, &r) != OTR_OK)
		exit(1);
	load();
	pages = image_bytes / PAGE;
	for (page = 4; page < pages; page++) {
		if (!leaf_times(page, &first, &last) || (last >= spec.start_ns - 1000 * SECOND && first < spec.end_ns + 1000 * SECOND) ||
		    (last >= want_time[7000] && first < want_time[9000]))
			continue;
		spoil(page);
		save(image, image_bytes);
		if (salvage() != OTR_OK || !all_but(first, last + 1))
			bad++;
		spoil(page);
	}
	CHECK(bad == 0, "10.5-1: no row that was deleted or replaced comes back for a leaf that is lost elsewhere");
	spoil_type(OTR__INNER);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all(), "10.5-3: nor where all inner pages are: the leaves written in their place hide the older ones");
	load();
	memset(image + 4096, 0, 8192);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all(), "nor without slots");

	/* whole leaves go */
	make(14000, 14000, OTR_REPLACE);
	spec = (struct otr_delete_spec){ .start_ns = START + 5000 * SECOND, .end_ns = START + 8000 * SECOND };
	change(&spec);
	drop_wanted(5000, 8000);
	memset(image + 4096, 0, 8192);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all(), "leaves that went whole stay away where a sound inner page is silent about them");
	load();
	for (page = 4; page < image_bytes / PAGE; page++)
		if (type_of(page) == OTR__INNER && image[page * PAGE + 5] > 1)
			spoil(page);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && result.found == (uint64_t)got && got >= (long)wanted && got <= 14000, "10.5-5: without it they may come back, and are counted apart");
}

static void
newest_damaged(void)
{
	struct otr_delete_spec spec = { .start_ns = START + 13000 * SECOND, .end_ns = INT64_MAX };
	struct otr_commit_result r;
	unsigned slot;
	size_t i;

	make(15000, 5000, OTR_REPLACE);
	slot = newest_slot();
	memset(image + 4096 * (slot + 1), 0, 4096);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all() && bad_slots == 1 && result.found > 0 && result.found <= 5000 && lost_end == INT64_MAX,
	    "10.5-1, 10.5-2: the newest slot zeroed: the version before, and what newer pages have behind it");

	/* the version before has no row, so what is lost may begin at any time: here in 1969 */
	if (one_create(in_path, PAGE, OTR_REPLACE) != OTR_OK)
		exit(1);
	wanted = 9000;
	for (i = 0; i < wanted; i++) {
		want_time[i] = ((int64_t)i - 8000) * SECOND;
		want_value[i] = noise();
	}
	if (one_append(in_path, want_time, want_value, wanted, &r) != OTR_OK)
		exit(1);
	load();
	slot = newest_slot();
	memset(image + 4096 * (slot + 1), 0, 4096);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all() && result.found == wanted, "10.5-2: the slot of the first commit zeroed: all its rows, those before 1970 too");

	/* rows behind the end that are older than the state are none of it */
	make(15000, 15000, OTR_REPLACE);
	change(&spec);
	wanted = 13000;
	if (one_append(in_path, &(int64_t){ START + 12999 * SECOND }, &want_value[12999], 1, &(struct otr_commit_result){ .version = 0 }) != OTR_OK)
		exit(1);
	load();
	slot = newest_slot();
	spoil_type(OTR__LOG);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && all(), "a log that is lost loses no row");
}

static void
equal_times(void)
{
	size_t i;
	struct otr_commit_result r;

	if (one_create(in_path, PAGE, OTR_KEEP) != OTR_OK)
		exit(1);
	wanted = 9000;
	for (i = 0; i < wanted; i++) {
		want_time[i] = START + (int64_t)(i / 37) * SECOND;
		want_value[i] = noise();
	}
	for (i = 0; i < wanted; i += 1000)
		if (one_append(in_path, want_time + i, want_value + i, 1000, &r) != OTR_OK)
			exit(1);
	load();
	spoil_type(OTR__INNER);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && got == (long)wanted && memcmp(got_time, want_time, wanted * sizeof got_time[0]) == 0,
	    "10.5-4: equal times that straddle leaves, under keep: every row");
	load();
	memset(image + 4096, 0, 8192);
	save(image, image_bytes);
	CHECK(salvage() == OTR_OK && got == (long)wanted && memcmp(got_time, want_time, wanted * sizeof got_time[0]) == 0, "and without slots");
}

/* Bytes changed at will, in pages with right checksums too: no crash, no hang, and what comes out is a sound file. */
static void
hostile(void)
{
	uint8_t *good;
	size_t bytes, round, bad = 0;

	make(6000, 900, OTR_REPLACE);
	bytes = image_bytes;
	good = malloc(bytes);
	if (good == NULL)
		exit(1);
	memcpy(good, image, bytes);
	for (round = 0; round < 250; round++) {
		size_t changes = 1 + (size_t)(tap_random(&seed) % 12), i;
		enum otr_status status;

		memcpy(image, good, bytes);
		for (i = 0; i < changes; i++) {
			/* 1 and 2 are the slots, which have their checksum where pages have it */
			size_t page = (size_t)(tap_random(&seed) % 4 == 0 ? 1 + tap_random(&seed) % 2 : 4 + tap_random(&seed) % (bytes / PAGE - 4));
			size_t at = (size_t)(tap_random(&seed) % (tap_random(&seed) % 2 ? 400 : PAGE));

			if (page >= 4 && tap_random(&seed) % 8 == 0)          /* a page in another one's place, with its number */
				memcpy(image + page * PAGE + 16, good + (4 + tap_random(&seed) % (bytes / PAGE - 4)) * PAGE + 16, PAGE - 16);
			else
				image[page * PAGE + at] = (uint8_t)tap_random(&seed);
			if (tap_random(&seed) % 4 != 0)
				fix_crc(page);
		}
		if (round % 3 == 0)
			memset(image + 4096, (int)round, 8192);
		save(image, bytes);
		status = salvage();
		/* a slot may say that it is too new */
		bad += status != OTR_OK && status != OTR_E_UNSUPPORTED;
		if (status != OTR_OK && status != OTR_E_UNSUPPORTED)
			printf("# round %zu: %d, %s\n", round, (int)status, error.text);
	}
	CHECK(bad == 0, "pages changed at will, with right checksums too: each gives a sound file");
	free(good);
}

static bool
never(void *arg, uint64_t done, uint64_t total)
{
	(void)arg; (void)total;
	return done < 20;
}

static void
requests(void)
{
	struct otr_salvage_options o = { .go_on = never };
	struct stat st;

	make(9000, 3000, OTR_REPLACE);
	(void)unlink(out_path);
	CHECK(otr_salvage(in_path, out_path, &o, &result, &error) == OTR_END && stat(out_path, &st) != 0, "given up when the caller says so, and no file is left");
	o = (struct otr_salvage_options){ .author = "a\nb" };
	CHECK(otr_salvage(in_path, out_path, &o, &result, &error) == OTR_E_ARG, "an author that cannot be stored is refused");
	o.author = NULL;
	CHECK(otr_salvage(in_path, in_path, &o, &result, &error) == OTR_E_ARG, "the file itself is refused");
	CHECK(salvage() == OTR_OK && otr_salvage(in_path, out_path, &o, &result, &error) == OTR_E_EXISTS, "so is a file that exists");
	o.replace = true;
	CHECK(otr_salvage(in_path, out_path, &o, &result, &error) == OTR_OK && one_faults(out_path) == 0, "unless it may be replaced");
}

int
main(void)
{
	(void)snprintf(in_path, sizeof in_path, "%s", one_path("in.otr"));
	(void)snprintf(out_path, sizeof out_path, "%s", one_path("out.otr"));
	sound();
	each_page();
	structure_lost();
	truncated();
	riding();
	old_rows();
	newest_damaged();
	equal_times();
	hostile();
	requests();
	free(image);
	one_clean();
	return tap_done();
}
