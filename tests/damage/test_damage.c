/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_damage.c - damage of all kinds done to sound files, and what each reading tool makes of it: it is found and said, or the tool did not need what was damaged
 * (SPEC 4.2, 5.2, 10.4, 10.5; promises P3 to P6 of otr.7).
 *
 *	FULL=1          all sample files of at most 64 KiB, instead of a few, and every tool at every bit, instead of two and verify by turns; takes hours
 *	FILES="a b"     these, by the name without `good-` and `.otr`
 *	PARTS=bits      only some: bits cuts pages repaired salvage
 *	FLIPS=n         n random bits of each file instead of all; also for `repaired`
 *	SEED=n
 *
 * The files are those that `make build/fuzz/made` assembles, or of $OTR_FUZZ_FILES.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "leaf.h"
#include "page.h"
#include "readers.h"
#include "scratch.h"
#include "../fuzz/seal.h"
#include "hang.h"
#include "tap.h"

#define SLOWER TAP_SLOWER       /* under sanitizers only each so many-th case is tried */

#define FILE_MAX 65536u
#define CLASSES_MAX 64
#define FILES_MAX 200
#define COPY OTR__HEADER_COPY
#define MEMORY_KB (64 * 1024)
#define SECONDS_MAX 1.0
#define HANG_SECONDS 60

static struct image sound, work, older;
static struct layout layout;
static unsigned state;                 /* index of the newest slot */
static unsigned long long seed = 1;
static bool full;
static char file_name[256];

/* ---- an end that was not planned -------------------------------------------------------------------------------------------------- */

static const char *what = "";
static size_t where;

static void
on_signal(int number)
{
	char text[400];
	int n = snprintf(text, sizeof text, "# signal %d: %s, %s at %zu\n", number, file_name, what, where);

	(void)!write(STDOUT_FILENO, text, n < 0 ? 0 : (size_t)n);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void
catch_signals(void)
{
	static const int ends[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU };
	size_t i;

	for (i = 0; i < sizeof ends / sizeof ends[0]; i++)
		(void)signal(ends[i], on_signal);
}

/* ---- verdicts --------------------------------------------------------------------------------------------------------------------- */

enum verdict {
	DETECTED,                          /* a status that is not 0, and a message */
	SAID,                              /* the right rows, status 0, and a warning */
	UNTOUCHED,                         /* the same output; the tool does not read what was changed */
	HARMLESS,                          /* the same output from what was read: the header's copy */
	WRONG,                             /* wrong output, and nothing said; or wrong rows before the message */
	UNSEEN,                            /* the same output, though what was changed was read, or would be */
	VERDICTS
};

static unsigned long long table[TOOLS][VERDICTS];
static unsigned told;

static void
forget_table(void)
{
	memset(table, 0, sizeof table);
	told = 0;
}

static unsigned long long
total(enum verdict v)
{
	unsigned long long n = 0;
	int t;

	for (t = 0; t < TOOLS; t++)
		n += table[t][v];
	return n;
}

static void
print_table(const char *of, unsigned long long cases)
{
	int t;

	printf("# %s: %llu\n# %-8s %12s %12s %12s %12s %12s %12s\n", of, cases, "tool", "detected", "said, right", "not read", "harmless", "WRONG, 0", "UNSEEN");
	for (t = 0; t < TOOLS; t++)
		printf("# %-8s %12llu %12llu %12llu %12llu %12llu %12llu\n", tool_name[t], table[t][DETECTED], table[t][SAID], table[t][UNTOUCHED], table[t][HARMLESS],
		    table[t][WRONG], table[t][UNSEEN]);
	(void)fflush(stdout);
}

/*
 * What an outcome is worth where bytes that the run read were changed.  harmless: reading them and noticing nothing is right, as it is of the
 * header's copy.  torn: a slot was changed, so that its version may never have been.
 */
static enum verdict
judge(const struct run *r, const struct outcome *o, bool harmless, bool torn)
{
	if (r->tool == VERIFY)
		return (o->status != OTR_OK && o->message) || (o->faults > 0 && !o->same) || o->faults > r->faults ? DETECTED : !o->same ? SAID : harmless ? HARMLESS : UNSEEN;
	if (!o->begins)
		return WRONG;
	/* that there is no such version is an answer only where its slot is torn, or where that was said before */
	if (o->status != OTR_OK)
		return o->message && (o->status != OTR_E_NOTFOUND || o->said || torn) ? DETECTED : UNSEEN;
	if (!o->same && !(o->said && o->other))
		return WRONG;
	return o->fallback ? DETECTED : o->said ? SAID : harmless ? HARMLESS : UNSEEN;
}

static void
count(const struct run *r, enum verdict v, const struct outcome *o)
{
	table[r->tool][v]++;
	if (v >= WRONG && told++ < 8)
		printf("# %s, %s at %zu (bit %zu of byte %zu): otr-%s, question %u, version %lld: status %d, %s%s%s\n", file_name, what, where, where % 8, where / 8,
		    tool_name[r->tool], r->part, r->at ? (long long)r->version : -1, (int)o->status, o->said ? "said" : "nothing said", o->same ? ", same" : "",
		    o->begins ? "" : ", wrong");
}

static unsigned long long
bad_ones(void)
{
	return total(WRONG) + total(UNSEEN);
}

/* ---- (a) bits ---------------------------------------------------------------------------------------------------------------------- */

/* What an open in place of the runs of the first 16 KiB comes to: with equal ones, all that follows is equal, since no page was changed. */
struct class {
	bool at;
	struct otr__header header;
	struct otr__slot slot;
	unsigned index;
	bool damaged, has_other, fallback, said;
	bool known[RUNS_MAX];
	struct outcome outcome[RUNS_MAX];
};
static struct class class[CLASSES_MAX];
static size_t classes;

/* The class of what is open; NULL if there is no room for another one. */
static struct class *
class_of(const struct otr *file, bool at, const struct run *any)
{
	bool fallback = false, f = false;
	size_t i, n;

	for (n = 0; otr_notice(file, n, &f) != NULL; n++)
		fallback |= f;
	for (i = 0; i < classes; i++) {
		const struct class *c = &class[i];

		if (c->at == at && c->index == file->state.index && c->damaged == file->state.damaged && c->has_other == file->state.has_other && c->fallback == fallback &&
		    c->said == (n > any->notices) && memcmp(&c->slot, &file->state.slot, sizeof c->slot) == 0 && memcmp(&c->header, &file->header, sizeof c->header) == 0)
			return &class[i];
	}
	if (classes == CLASSES_MAX)
		return NULL;
	class[classes] = (struct class){ .at = at, .index = file->state.index, .damaged = file->state.damaged, .has_other = file->state.has_other, .fallback = fallback,
		.said = n > any->notices };
	memcpy(&class[classes].slot, &file->state.slot, sizeof class[0].slot);
	memcpy(&class[classes].header, &file->header, sizeof class[0].header);
	return &class[classes++];
}

static struct outcome
perform_in(struct class *c, size_t i)
{
	struct outcome o;

	if (c != NULL && c->known[i])
		return c->outcome[i];
	o = perform(&run[i], &work, NULL);
	if (c != NULL) {
		c->known[i] = true;
		c->outcome[i] = o;
	}
	return o;
}

/* Whether the byte is one whose change a run may pass over. */
static bool
may_pass(const struct run *r, size_t byte)
{
	return r->tool != VERIFY && byte >= COPY && byte < OTR__START_BYTES;
}

/* Which runs have their turn at a bit, if not all: of a page two, besides verify; so each byte has a bit that is tried by some, and each run some byte of each page. */
static bool
has_turn(const struct run *r, size_t bit, size_t *n)
{
	if (r->tool == VERIFY)
		return bit % 8 == bit / 8 % 8;
	return bit < 8 * (size_t)OTR__START_BYTES || (bit % 8 == bit / 8 % 8 && ((*n)++ + bit / 8) % 16 == 0);
}

/* A bit of the first 16 KiB is flipped: all tools but verify begin with the same open. */
static void
bit_of_start(size_t bit, bool all)
{
	struct outcome failed[2] = { { .status = OTR_OK } };
	struct class *c[2] = { NULL, NULL };
	struct otr *file;
	struct otr_error err = { .status = OTR_OK };
	unsigned at;
	size_t byte = bit / 8, i;

	for (at = 0; at < 2; at++) {
		const struct run *any = NULL;

		/* the first: of the oldest version, which every state reaches */
		for (i = runs; i-- > 0;)
			if (run[i].tool != VERIFY && is_at(&run[i]) == (at == 1))
				any = &run[i];
		if (any == NULL)
			continue;
		failed[at].status = otr__open_io(io_of(&work), at == 1, any->version, &file, &err);
		failed[at].message = err.text[0] != '\0';
		failed[at].begins = true;
		if (failed[at].status == OTR_OK) {
			c[at] = class_of(file, at == 1, any);
			otr_close(file);
		}
	}
	for (i = 0; i < runs; i++) {
		const struct run *r = &run[i];
		bool old = is_at(r);
		struct outcome o;

		if (r->tool != VERIFY && r->touched[byte] == 0) {
			table[r->tool][UNTOUCHED]++;
			continue;
		}
		if (r->tool == VERIFY && !all && !has_turn(r, bit, NULL))
			continue;
		if (r->tool == VERIFY)
			o = perform(r, &work, NULL);
		else if (!old && failed[0].status != OTR_OK)
			o = failed[0];
		else
			o = perform_in(c[old], i);
		count(r, judge(r, &o, may_pass(r, byte), false), &o);
	}
}

/* Whether a tool reads the byte, or verify has to: all but pages that nothing reaches. */
static bool
is_needed(size_t byte)
{
	size_t i;

	if (byte < OTR__START_BYTES)
		return true;
	for (i = 0; i < runs; i++)
		if (run[i].touched[byte] != 0)
			return true;
	return false;
}

/* The check through which every reader gets a page (SPEC 5.2-1), against the reference that leads to it. */
static bool
passes_check(size_t byte)
{
	size_t at = byte - byte % layout.page;
	const uint8_t *was = sound.byte + at;
	struct otr__ref ref = { .page = otr__get64(was + 8), .generation = otr__get64(was + 32), .crc = otr__get32(was) };
	struct otr__expect expect = { .type = (enum otr__page_type)was[4], .level = -1 };

	return otr__page_check(work.byte + at, (uint32_t)layout.page, &ref, sound.byte + 40, &expect, NULL, NULL) == OTR_OK;
}

static void
bit_of_page(size_t bit, bool all)
{
	size_t byte = bit / 8, i, turn = 0;

	if (!all && is_needed(byte) && passes_check(byte)) {
		struct outcome o = { .status = OTR_OK };

		count(&run[0], UNSEEN, &o);
	}
	for (i = 0; i < runs; i++) {
		const struct run *r = &run[i];
		struct outcome o;
		bool reads = r->touched[byte] != 0 || (r->tool == VERIFY && is_needed(byte));

		if (reads && !all && !has_turn(r, bit, &turn))
			continue;
		if (reads) {
			o = perform(r, &work, NULL);
			count(r, judge(r, &o, false, false), &o);
			continue;
		}
		/* it need not run; now and then it shows that it need not */
		if (bit % 1021 == i) {
			o = perform(r, &work, NULL);
			if (!o.same || o.said || o.status != OTR_OK)
				count(r, WRONG, &o);
		}
		table[r->tool][UNTOUCHED]++;
	}
}

/* A file that is not whole to begin with has slots or a header whose damage was said already. */
static bool
is_whole(void)
{
	size_t i;

	for (i = 0; i < runs; i++)
		if (run[i].notices > 0 || run[i].faults > 0)
			return false;
	return true;
}

static void
flip_bits(unsigned long long flips, unsigned long long *done)
{
	size_t bits = sound.len * 8, step = flips > 0 || SLOWER == 1 ? 1 : 1999, n;
	bool all = full || flips > 0 || SLOWER > 1;

	classes = 0;
	what = "bit flipped";
	for (n = 0; flips > 0 ? n < flips : n < bits; n += step) {
		size_t bit = flips > 0 ? (size_t)(tap_random(&seed) % bits) : n, byte = bit / 8;

		where = bit;
		hang_after(HANG_SECONDS);
		work.byte[byte] ^= (uint8_t)(1u << bit % 8);
		if (byte < OTR__START_BYTES)
			bit_of_start(bit, all);
		else
			bit_of_page(bit, all);
		work.byte[byte] = sound.byte[byte];
		(*done)++;
	}
	hang_after(0);
}

/* ---- the files --------------------------------------------------------------------------------------------------------------------- */

static char name[FILES_MAX][128];
static size_t names;

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static const char *
folder(void)
{
	const char *given = getenv("OTR_FUZZ_FILES");

	return given != NULL ? given : "build/fuzz/files";
}

static void
add_name(const char *text, size_t n)
{
	if (names == FILES_MAX || n >= sizeof name[0])
		abort();
	memcpy(name[names], text, n);
	name[names++][n] = '\0';
}

/* The files to try: those asked for, or all, or `few`. */
static void
choose(const char *few)
{
	const char *given = getenv("FILES");
	struct dirent *e;
	DIR *d;

	names = 0;
	if (given == NULL && full) {
		d = opendir(folder());
		while (d != NULL && (e = readdir(d)) != NULL)
			if (strncmp(e->d_name, "good-", 5) == 0)
				add_name(e->d_name + 5, strlen(e->d_name) - 5 - 4);
		if (d != NULL)
			(void)closedir(d);
		qsort(name, names, sizeof name[0], compare);
		return;
	}
	for (given = given != NULL ? given : few; *given != '\0';) {
		size_t n = strcspn(given, " ");

		if (n > 0)
			add_name(given, n);
		given += n + strspn(given + n, " ");
	}
}

/* Makes the file the sound one, with all runs; false: it is not for this. */
static bool
load(const char *which)
{
	char path[512];
	const char *wrong;
	FILE *f;

	(void)snprintf(file_name, sizeof file_name, "%s", which);
	(void)snprintf(path, sizeof path, "%s/good-%s.otr", folder(), which);
	f = fopen(path, "rb");
	if (f == NULL) {
		printf("# no file %s\n", path);
		tap_check(0, "there is a sample file (make build/fuzz/made)", __FILE__, __LINE__);
		return false;
	}
	sound.len = fread(sound.byte, 1, ROOM, f);
	(void)fclose(f);
	if (sound.len > FILE_MAX && getenv("FILES") == NULL)
		return false;
	memcpy(work.byte, sound.byte, sound.len);
	work.len = sound.len;
	layout = layout_of(&sound);
	wrong = learn(&sound, &older, &state);
	if (wrong != NULL) {
		printf("# %s: %s\n", which, wrong);
		tap_check(0, "a sample file can be read", __FILE__, __LINE__);
	}
	return wrong == NULL;
}

static void
restore(void)
{
	memcpy(work.byte, sound.byte, sound.len);
	work.len = sound.len;
}

static double
seconds_of(clock_t from)
{
	return (double)(clock() - from) / CLOCKS_PER_SEC;
}

static unsigned long long
number_of(const char *variable)
{
	const char *text = getenv(variable);

	return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void
test_bits(void)
{
	unsigned long long done = 0, files = 0;
	clock_t from = clock();
	size_t i;

	forget_table();
	choose("089-all");
	for (i = 0; i < names; i++)
		if (load(name[i])) {
			if (!is_whole())
				continue;                /* what a flip does to what is damaged already, test_pages asks */
			flip_bits(number_of("FLIPS"), &done);
			files++;
			if (names > 1)
				printf("# %s: %zu bytes, %zu runs; %llu flips so far, %.0f s\n", file_name, sound.len, runs, done, seconds_of(from));
			(void)fflush(stdout);
		}
	print_table("bits flipped", done);
	printf("# %llu files, %.1f s\n", files, seconds_of(from));
	CHECK(done > 0 && total(WRONG) == 0, "P3: no flipped bit makes a tool give what is not so, with status 0 or before its message");
	CHECK(total(UNSEEN) == 0, "P3, P4: none is passed over by a tool that reads it, nor by verify if any tool could read it");
	CHECK(table[VERIFY][SAID] == 0, "P4: verify counts each of these as a fault");
}

/* ---- all runs on a file that was changed -------------------------------------------------------------------------------------------- */

static uint8_t changed[ROOM];          /* by byte */

/* What has to be read again, since bytes that it reads are other ones or no longer there. */
static bool
is_affected(const struct run *r, bool needed)
{
	size_t n;

	if (r->tool == VERIFY)
		return needed;
	for (n = 0; n < r->reach; n++)
		if (r->touched[n] != 0 && changed[n] != 0)
			return true;
	return false;
}

/* Whether a change of these bytes may pass in silence: only the header's copy, or only a slot and a version that was asked for. */
static bool
all_may_pass(const struct run *r)
{
	size_t n;

	for (n = 0; n < sound.len; n++)
		if (changed[n] != 0 && r->touched[n] != 0 && !may_pass(r, n))
			return false;
	return true;
}

/* Asks all tools of `work`.  False: it is as sound as before. */
static bool
ask_all(void)
{
	bool needed = false, any = false, slots = false;
	size_t n, i;

	for (n = 0; n < sound.len; n++) {
		changed[n] = n >= work.len || work.byte[n] != sound.byte[n];
		any |= changed[n] != 0;
		slots |= changed[n] != 0 && n >= OTR__SLOT_OFFSET(0) && n < COPY;
		if (changed[n] != 0 && !needed)
			needed = is_needed(n);
	}
	if (!any)
		return false;
	hang_after(HANG_SECONDS);
	for (i = 0; i < runs; i++) {
		struct outcome o;

		if (!is_affected(&run[i], needed)) {
			table[run[i].tool][UNTOUCHED]++;
			continue;
		}
		o = perform(&run[i], &work, NULL);
		count(&run[i], judge(&run[i], &o, all_may_pass(&run[i]), slots), &o);
	}
	hang_after(0);
	return true;
}

/* ---- (b) cuts, and bytes behind ------------------------------------------------------------------------------------------------------ */

static void
cut(size_t len, unsigned long long *wrong)
{
	size_t i;

	what = "cut";
	where = len;
	work.len = len;
	for (i = 0; i < runs; i++) {
		const struct run *r = &run[i];
		struct outcome o;
		bool ok;

		/* by the end of what it reads it is the sound file; every run near the ends of pages, else one after another */
		if (r->tool != VERIFY && r->reach <= len) {
			table[r->tool][UNTOUCHED]++;
			continue;
		}
		if (!full && (len + 1) % 512 > 2 && (r->tool == VERIFY ? len % 7 != 0 : i % 16 != len % 16))
			continue;
		o = perform(r, &work, NULL);
		if (r->tool == VERIFY) {
			ok = o.status == OTR_E_TRUNCATED || o.status == OTR_E_FORMAT || (o.status == OTR_OK && o.faults > 0 && !o.same) || !is_needed(len);
			table[VERIFY][!ok ? UNSEEN : o.same && o.status == OTR_OK ? UNTOUCHED : o.faults > 0 || o.status != OTR_OK ? DETECTED : SAID]++;
		} else {
			enum verdict v = judge(r, &o, false, false);

			if (v == DETECTED && !o.fallback && o.status != OTR_E_TRUNCATED && !(o.status == OTR_E_FORMAT && len == 0) && o.status != OTR_E_NOTFOUND)
				v = WRONG;
			ok = v < WRONG;
			table[r->tool][v]++;
		}
		if (!ok && (*wrong)++ < 8)
			printf("# %s, cut at %zu: otr-%s %u %lld: status %d%s\n", file_name, len, tool_name[r->tool], r->part, r->at ? (long long)r->version : -1, (int)o.status,
			    o.same ? ", same" : "");
	}
}

static void
junk(size_t n, unsigned long long *wrong)
{
	size_t i;

	what = "junk behind";
	where = n;
	for (i = 0; i < n; i++)
		work.byte[sound.len + i] = (uint8_t)(tap_random(&seed) >> 32);
	work.len = sound.len + n;
	for (i = 0; i < runs; i++) {
		struct outcome o = perform(&run[i], &work, NULL);

		if (o.status != OTR_OK || o.faults != run[i].faults || (run[i].tool != VERIFY && (!o.same || o.said)))
			if ((*wrong)++ < 8)
				printf("# %s, %zu bytes behind: otr-%s: status %d\n", file_name, n, tool_name[run[i].tool], (int)o.status);
	}
	work.len = sound.len;
}

static void
test_cuts(void)
{
	static const size_t behind[] = { 1, 511, 4096 };
	unsigned long long cuts = 0, wrong = 0, after = 0;
	clock_t from = clock();
	size_t i, len;

	forget_table();
	choose("089-all 081-full-group 109-tail");
	for (i = 0; i < names; i++) {
		if (!load(name[i]))
			continue;
		for (len = 0; len < sound.len; len += SLOWER > 1 && len > 16 && (len + 1) % 4096 > 2 ? SLOWER : 1, cuts++) {
			hang_after(HANG_SECONDS);
			cut(len, &wrong);
		}
		restore();
		for (len = 0; len < 3; len++)
			junk(behind[len], &after);
		hang_after(0);
	}
	print_table("lengths", cuts);
	printf("# %.1f s\n", seconds_of(from));
	CHECK(cuts > 0 && wrong == 0, "P5: a file cut at any length is truncated, or gives an earlier commit and says so");
	CHECK(after == 0, "P5: bytes behind the end change no answer, and verify has a note at most");
}

/* ---- (c) pages, slots, headers ------------------------------------------------------------------------------------------------------- */

static bool salvaging;
static void check_salvage(void);
static unsigned long long kinds;

static void
try(const char *kind, size_t at)
{
	static unsigned tried;

	what = kind;
	where = at;
	if ((SLOWER == 1 || tried++ % 10 == 7) && ask_all()) {
		kinds++;
		if (salvaging)
			check_salvage();
	}
	restore();
}

static uint8_t *
page_at(struct image *m, size_t page)
{
	return m->byte + (layout.first + page) * layout.page;
}

static void
noise(uint8_t *to, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = (uint8_t)(tap_random(&seed) >> 32);
}

static void
test_one_page(size_t page)
{
	uint8_t *p = page_at(&work, page);
	size_t at = (size_t)(p - work.byte), i, other;

	for (other = 0; other < layout.pages; other++) {
		if (other > page) {
			memcpy(p, page_at(&sound, other), layout.page);
			memcpy(page_at(&work, other), page_at(&sound, page), layout.page);
			try("two pages swapped", at);
		}
		/* what stood there before: another page's content under this number */
		if (other != page) {
			memcpy(p, page_at(&sound, other), layout.page);
			otr__put64(p + 8, layout.first + page);
			otr__put32(p, otr__crc32(p + 4, layout.page - 4));
			try("stale page", at);
		}
	}
	if (otr__get64(p + 32) > 0) {
		otr__put64(p + 32, otr__get64(p + 32) - 1);
		otr__put32(p, otr__crc32(p + 4, layout.page - 4));
		try("page of the generation before", at);
	}
	p[16] ^= 1;
	otr__put32(p, otr__crc32(p + 4, layout.page - 4));
	try("page of another file", at);
	memset(p, 0, layout.page);
	try("page zeroed", at);
	memset(p, 0xff, layout.page);
	try("page of ones", at);
	for (i = 0; i < layout.page; i += 512) {
		memset(p + i, 0, 512);
		try("sector zeroed", at + i);
	}
	for (i = 0; i < layout.page; i += 4096) {
		noise(p + i, 4096);
		try("noise", at + i);
	}
}

static struct outcome
dump_newest(void)
{
	size_t i;

	for (i = 0; run[i].tool != DUMP; i++)
		;
	return perform(&run[i], &work, NULL);
}

/* Slots that hold sectors of two versions.  `before`: what stood in the slot of index i before. */
static void
mix(unsigned i, const uint8_t before[OTR__SLOT_BYTES], unsigned long long *wrong)
{
	uint8_t *slot = work.byte + slot_at(i);
	uint64_t stamp = otr__get64(slot + 504);
	unsigned mask, k;
	bool newest_one = i == state;

	for (mask = 1; mask < 255; mask++) {
		struct outcome o;
		bool whole = true;

		for (k = 0; k < OTR__SECTORS; k++)
			if ((mask >> k & 1) == 0)
				memcpy(slot + 512 * k, before + 512 * k, 512);
		o = dump_newest();
		/* sectors that are alike in both may leave the body whole: then it is used */
		if (o.status != OTR_OK || !o.said || o.fallback || !(o.other || o.same))
			if ((*wrong)++ < 8)
				printf("# %s, slot %u, sectors %02x: status %d\n", file_name, i, mask, (int)o.status);
		try("slot of two versions' sectors", mask);
		/* the same with the stamps of one version: no tear leaves that */
		for (k = 0; k < OTR__SECTORS; k++) {
			if ((mask >> k & 1) == 0)
				memcpy(slot + 512 * k, before + 512 * k, 512);
			otr__put64(slot + 512 * k + 504, stamp);
			whole &= memcmp(slot + 512 * k, sound.byte + slot_at(i) + 512 * k, 512) == 0;
		}
		o = dump_newest();
		if (!whole && !(newest_one ? o.status == OTR_E_CORRUPT : o.status == OTR_OK && o.said && o.same && !o.fallback))
			if ((*wrong)++ < 8)
				printf("# %s, slot %u, sectors %02x under equal stamps: status %d\n", file_name, i, mask, (int)o.status);
		try("slot of mixed sectors under equal stamps", mask);
	}
}

/* The slot as it may have been two versions before: the other one under the number before. */
static void
make_before(unsigned i, uint8_t before[OTR__SLOT_BYTES])
{
	uint64_t version;
	unsigned k;

	memcpy(before, sound.byte + slot_at(1 - i), OTR__SLOT_BYTES);
	version = otr__get64(sound.byte + slot_at(i) + 24) - 2;
	otr__put64(before + 24, version);
	for (k = 0; k < OTR__SECTORS; k++)
		otr__put64(before + 512 * k + 504, version + 1);
	otr__put32(before, otr__crc32(before + 4, OTR__SLOT_BYTES - 4));
}

static void
test_slots(unsigned long long *wrong)
{
	uint8_t before[OTR__SLOT_BYTES];
	unsigned i, k;

	for (i = 0; i < 2; i++) {
		uint8_t *slot = work.byte + slot_at(i);
		struct outcome o;

		memcpy(slot, sound.byte + slot_at(1 - i), OTR__SLOT_BYTES);
		o = dump_newest();
		if (o.status != OTR_OK || !o.said || o.fallback || !(i == state ? o.other : o.same))
			(*wrong)++;
		try("a slot copied over the other", i);
		noise(slot, OTR__SLOT_BYTES);
		try("noise in a slot", i);
		memset(slot, 0, OTR__SLOT_BYTES);
		try("zeros in a slot", i);
		for (k = 0; k < OTR__SECTORS; k++) {
			memset(slot + 512 * k, 0, 512);
			try("zeros in a sector of a slot", 8 * i + k);
			noise(slot + 512 * k, 512);
			try("noise in a sector of a slot", 8 * i + k);
			noise(slot + 512 * k, 504);
			if (i == state && dump_newest().status != OTR_E_CORRUPT)
				(*wrong)++;
			try("noise before a stamp", 8 * i + k);
		}
	}
	noise(work.byte + slot_at(0), OTR__SLOT_BYTES);
	noise(work.byte + slot_at(1), OTR__SLOT_BYTES);
	if (dump_newest().status != OTR_E_CORRUPT)
		(*wrong)++;
	try("both slots bad", 0);
	if (otr__get64(sound.byte + slot_at(0) + 24) >= 2 && otr__get64(sound.byte + slot_at(1) + 24) >= 2)
		for (i = 0; i < 2; i++) {
			make_before(i, before);
			mix(i, before, wrong);
		}
}

static void
test_headers(unsigned long long *wrong)
{
	static const size_t at[] = { 0, COPY };
	unsigned i;
	size_t k;

	for (i = 0; i < 2; i++) {
		/* behind the magic, which says that it is OTR at all */
		noise(work.byte + at[i] + 8, OTR__HEADER_BYTES - 8);
		try("noise in a header", at[i]);
		for (k = 0; k < OTR__HEADER_BYTES; k += 512) {
			memset(work.byte + at[i] + k + (k == 0 ? 8 : 0), 0, 512 - (k == 0 ? 8 : 0));
			try("zeros in a header", at[i] + k);
		}
		memset(work.byte + at[i], 0, OTR__HEADER_BYTES);
		try("a header of zeros", at[i]);
	}
	noise(work.byte + 8, OTR__HEADER_BYTES - 8);
	noise(work.byte + COPY, OTR__HEADER_BYTES);
	if (dump_newest().status != OTR_E_CORRUPT)
		(*wrong)++;
	try("both headers bad", 0);
}

static void
test_pages(void)
{
	unsigned long long wrong = 0;
	clock_t from = clock();
	size_t i, page;

	forget_table();
	kinds = 0;
	choose("089-all");
	for (i = 0; i < names; i++) {
		if (!load(name[i]) || !is_whole())
			continue;
		for (page = 0; page < layout.pages; page++)
			test_one_page(page);
		/* files whose other slot is no commit have no older state to go back to */
		if (sound.byte[slot_at(1 - state) + 504] != 0xff)
			test_slots(&wrong);
		test_headers(&wrong);
	}
	print_table("damaged files", kinds);
	printf("# %.1f s\n", seconds_of(from));
	CHECK(kinds > 0 && bad_ones() == 0, "P3, P4: pages swapped, stale, foreign, zeroed, noise in pages, slots and headers: said, and never wrong rows");
	CHECK(wrong == 0, "4.2: a slot of two versions' sectors is torn, under equal stamps damaged; two of one version are said; both bad are damaged");
}

/* ---- (d) repaired -------------------------------------------------------------------------------------------------------------------- */

static long
memory_kb(void)
{
	struct rusage u;

	return getrusage(RUSAGE_SELF, &u) == 0 ? u.ru_maxrss : 0;
}

/* Flips the bit and makes all checksums right, and the stamps those of the version, so that nothing stands before the checks of fields. */
static bool
flip_repaired(size_t bit)
{
	size_t byte = bit / 8, at = byte < OTR__START_BYTES ? byte - byte % 4096 : byte - byte % layout.page, k;
	uint8_t was[REFERENCE];

	if (at + (at < OTR__START_BYTES ? 4096 : layout.page) > work.len || (at >= OTR__START_BYTES && at / layout.page < layout.first))
		return false;
	put_reference(was, work.byte + at);
	work.byte[byte] ^= (uint8_t)(1u << bit % 8);
	if (is_slot(at) && byte - at >= 24 && byte - at < 32)
		for (k = 0; k < OTR__SECTORS; k++)
			otr__put64(work.byte + at + 512 * k + 504, otr__get64(work.byte + at + 24) + 1);
	seal_as(&work, &layout, at, was, 0);
	return true;
}

static void
test_repaired(void)
{
	unsigned long long flips = number_of("FLIPS"), done = 0, refused[TOOLS] = { 0 }, asked[TOOLS] = { 0 }, slow = 0, much = 0;
	double slowest = 0;
	clock_t from = clock();
	long before = memory_kb();
	size_t i, n, k, bits;
	int t;

	choose("089-all 084-kept-roots 110-deflate");
	what = "bit flipped under right checksums";
	for (i = 0; i < names; i++) {
		if (!load(name[i]))
			continue;
		bits = sound.len * 8;
		for (n = 0; flips > 0 ? n < flips : n < bits; n += flips > 0 || full ? 1 : 241 * SLOWER) {
			size_t bit = flips > 0 ? (size_t)(tap_random(&seed) % bits) : n;

			where = bit;
			if (!flip_repaired(bit)) {
				restore();
				continue;
			}
			hang_after(HANG_SECONDS);
			for (k = 0; k < runs; k++) {
				clock_t start;
				struct outcome o;
				double took;

				if (run[k].touched[bit / 8] == 0)
					continue;
				start = clock();
				o = perform(&run[k], &work, NULL);
				took = seconds_of(start);
				slowest = took > slowest ? took : slowest;
				asked[run[k].tool]++;
				refused[run[k].tool] += o.status != OTR_OK || o.faults > 0;
				if (took > SECONDS_MAX * SLOWER && slow++ < 8)
					printf("# %s, bit %zu: otr-%s took %.2f s\n", file_name, bit, tool_name[run[k].tool], took);
				/* what rides, and both sides of a comparison */
				if (o.rows > 2 * (65535 * (uint64_t)layout.pages + OTR__RIDE_MAX) && run[k].tool != LOG && much++ < 8)
					printf("# %s, bit %zu: otr-%s gave %llu rows\n", file_name, bit, tool_name[run[k].tool], (unsigned long long)o.rows);
			}
			hang_after(0);
			restore();
			done++;
		}
	}
	printf("# flips under right checksums: %llu; slowest answer %.3f s, %ld KiB of memory\n", done, slowest, memory_kb() - before);
	for (t = 0; t < TOOLS; t++)
		printf("# %-8s asked %10llu, refused or found %10llu\n", tool_name[t], asked[t], refused[t]);
	printf("# %.1f s\n", seconds_of(from));
	CHECK(done > 0 && slow == 0, "P6: with every checksum and reference made right again no flipped bit crashes a tool or keeps it for a second");
	CHECK(much == 0, "P6: nor is more given than 65,535 rows a page");
	CHECK(SLOWER > 1 || memory_kb() - before < MEMORY_KB, "P6: nor is more than 64 MiB of memory taken");
}

/* ---- (g) salvage --------------------------------------------------------------------------------------------------------------------- */

static char directory[64], in_path[100], out_path[100];
static unsigned long long salvaged, salvage_lost, salvage_unsound, salvage_failed, found_rows;

/* A row of the new file, or of a leaf. */
struct row {
	int64_t time_ns;
	uint64_t value[8];
	uint8_t null;
};
static struct row got_row[4096];
static size_t got_rows;

static struct row
row_of(const struct otr_rows *rows, size_t i, uint32_t columns)
{
	struct row r = { .time_ns = rows->time_ns[i] };
	uint32_t c;

	for (c = 0; c < columns; c++) {
		bool is = rows->present[c] == NULL || (rows->present[c][i / 8] >> i % 8 & 1) != 0;

		r.null |= (uint8_t)(!is << c);
		r.value[c] = is ? rows->value[c][i] : 0;
	}
	return r;
}

static bool
read_salvaged(uint64_t *expected)
{
	struct otr_error err;
	struct otr_cursor *c;
	struct otr_rows rows;
	struct otr *file;
	uint32_t columns;
	size_t i;
	enum otr_status status = otr_open(out_path, &file, &err);

	if (status != OTR_OK)
		return false;
	columns = otr_schema(file)->columns;
	got_rows = 0;
	status = otr_cursor_open(file, INT64_MIN, INT64_MAX, UINT64_MAX >> (64 - columns), false, &c, &err);
	if (status == OTR_OK) {
		while ((status = otr_cursor_next(c, &rows, &err)) == OTR_OK)
			for (i = 0; i < rows.n && got_rows < 4096; i++)
				got_row[got_rows++] = row_of(&rows, i, columns);
		otr_cursor_close(c);
	}
	otr_close(file);
	return status == OTR_END && got_rows == *expected;
}

static bool
has_row(const struct row *r)
{
	size_t i;

	for (i = 0; i < got_rows; i++)
		if (memcmp(&got_row[i], r, sizeof *r) == 0)
			return true;
	return false;
}

/* How many rows of the newest version, in leaves that are as they were, did not come out. */
static size_t
missing_rows(const struct otr__header *header)
{
	struct otr__scratch *scratch = otr__scratch_create();
	const struct run *dump = run;
	struct otr__rows rows;
	size_t page, i, missing = 0;
	uint32_t c;

	while (dump->tool != DUMP)
		dump++;
	if (scratch == NULL || !otr__rows_init(&rows, header->schema.columns, 64))
		abort();
	for (page = 0; page < layout.pages; page++) {
		const uint8_t *p = page_at(&work, page);

		if (p[4] != OTR__LEAF || dump->touched[p - work.byte] == 0 || memcmp(p, page_at(&sound, page), layout.page) != 0)
			continue;
		if (otr__leaf_decode(p, (uint32_t)layout.page, &header->schema, UINT64_MAX >> (64 - header->schema.columns), &rows, scratch, NULL, NULL) != OTR_OK)
			abort();
		for (i = 0; i < rows.n; i++) {
			struct row r = { .time_ns = rows.time_ns[i] };

			for (c = 0; c < header->schema.columns; c++) {
				bool is = !rows.has_null[c] || (rows.present[c][i / 8] >> i % 8 & 1) != 0;

				r.null |= (uint8_t)(!is << c);
				r.value[c] = is ? rows.value[c][i] : 0;
			}
			missing += !has_row(&r);
		}
	}
	otr__rows_release(&rows);
	otr__scratch_free(scratch);
	return missing;
}

static void
check_salvage(void)
{
	static struct otr__header header;
	struct otr_salvage_options o = { .author = "tester" };
	struct otr_salvage_result result;
	struct otr_error err;
	enum otr_status status;
	uint64_t faults = 1;
	size_t lost;
	FILE *f = fopen(in_path, "wb");

	if (f == NULL || fwrite(work.byte, 1, work.len, f) != work.len || fclose(f) != 0)
		abort();
	(void)unlink(out_path);
	salvaged++;
	status = otr_salvage(in_path, out_path, &o, &result, &err);
	if (status != OTR_OK) {
		/* without a header nothing tells what the bytes mean */
		if (otr__header_decode(work.byte, &header, NULL) != OTR_OK && otr__header_decode(work.byte + COPY, &header, NULL) != OTR_OK)
			return;
		if (salvage_failed++ < 8)
			printf("# %s, %s at %zu: salvage: %s\n", file_name, what, where, err.text);
		return;
	}
	found_rows += result.found;
	if (otr_verify(out_path, NULL, &faults, &err) != OTR_OK || faults != 0 || !read_salvaged(&result.rows)) {
		if (salvage_unsound++ < 8)
			printf("# %s, %s at %zu: what was salvaged has %llu faults\n", file_name, what, where, (unsigned long long)faults);
		return;
	}
	if (otr__header_decode(sound.byte, &header, NULL) != OTR_OK)
		abort();
	lost = missing_rows(&header);
	if (lost > 0 && salvage_lost++ < 8)
		printf("# %s, %s at %zu: %zu rows of sound leaves are not among %zu\n", file_name, what, where, lost, got_rows);
}

static void
test_salvage(void)
{
	unsigned long long wrong = 0;
	clock_t from = clock();
	size_t page;

	(void)snprintf(directory, sizeof directory, "%.40s/otr-damage-XXXXXX", tap_folder());
	if (mkdtemp(directory) == NULL)
		abort();
	(void)snprintf(in_path, sizeof in_path, "%s/in", directory);
	(void)snprintf(out_path, sizeof out_path, "%s/out", directory);
	forget_table();
	if (!load("089-all"))
		return;
	salvaging = true;
	for (page = 0; page < layout.pages; page++)
		test_one_page(page);
	test_slots(&wrong);
	test_headers(&wrong);
	salvaging = false;
	(void)unlink(in_path);
	(void)unlink(out_path);
	(void)rmdir(directory);
	printf("# %llu damaged files salvaged, %llu rows from pages that nothing leads to; %.1f s\n", salvaged, found_rows, seconds_of(from));
	CHECK(salvaged > 0 && salvage_failed == 0, "10.5: of a damaged file with a header a new one is made");
	CHECK(salvage_unsound == 0, "10.5: it is sound");
	CHECK(salvage_lost == 0, "10.5-1, 10.5-3: it has every row of every page that is sound");
}

int
main(void)
{
	static const struct { const char *name; void (*test)(void); } part[] = {
		{ "bits", test_bits }, { "cuts", test_cuts }, { "pages", test_pages }, { "repaired", test_repaired }, { "salvage", test_salvage } };
	const char *parts = getenv("PARTS"), *given = getenv("SEED");
	size_t i;

	full = getenv("FULL") != NULL;
	seed = given != NULL ? strtoull(given, NULL, 10) * 2 + 1 : (unsigned long long)time(NULL) * 2 + 1;
	printf("# SEED=%llu\n", seed / 2);
#ifdef __GLIBC__
	/* small files again and again: the memory of one run serves the next */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
	catch_signals();
	for (i = 0; i < sizeof part / sizeof part[0]; i++)
		if (parts == NULL || strstr(parts, part[i].name) != NULL)
			part[i].test();
	forget_runs();
	return tap_done();
}
