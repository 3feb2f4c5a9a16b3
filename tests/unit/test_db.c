/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_db.c - what opening a file says of it: damage, tears, cuts, and which state is read then (SPEC 3.2, 4.2, 10.4; the cases of group P).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "bytes.h"
#include "checksum.h"
#include "onefile.h"

#define ROWS 4000

/* A bad slot is read again after a pause; here nobody writes, so the pause can go (the library's call comes here). */
int
nanosleep(const struct timespec *wait, struct timespec *left)
{
	(void)wait;
	(void)left;
	return 0;
}

static int64_t t[ROWS];
static double v[ROWS];

static void
fill(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		t[i] = (int64_t)(1700000000 + i) * 1000000000;
		v[i] = (double)((i * 7919) % 10007) / 100;
	}
}

/* File X of the cases: 4 KiB pages, version 0, and one commit of 1,000 rows in one leaf. */
static int
file_x(const char *path)
{
	struct otr_commit_result r;
	struct stat st;

	fill(1000);
	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || one_append(path, t, v, 1000, &r) != OTR_OK)
		return -1;
	if (stat(path, &st) != 0 || st.st_size != 20480)
		return -1;
	return open(path, O_RDWR);
}

/* What an open and a full read give. */
struct outcome {
	enum otr_status status;
	long rows;
	size_t notices;
	bool fallback;
	uint64_t version;
};

static struct outcome
look(const char *path, struct otr_error *err)
{
	struct outcome o = { .rows = -1 };
	struct otr *file;
	bool fallback;

	o.status = otr_open(path, &file, err);
	if (o.status == OTR_OK) {
		struct otr_info info;

		o.rows = one_read(file, NULL, NULL, 0);
		otr_get_info(file, &info);
		o.version = info.version;
		while (otr_notice(file, o.notices, &fallback) != NULL) {
			o.fallback = o.fallback || fallback;
			o.notices++;
		}
		otr_close(file);
	}
	return o;
}

static bool
expected(const struct outcome *o, long at)
{
	bool right = o->status == OTR_OK && o->rows == 1000;

	if (at < 8)
		return o->status == OTR_E_FORMAT;
	if (at < 8192)
		return right && o->notices == 1 && !o->fallback;
	if (at < 12288)
		return (o->status == OTR_E_CORRUPT) || (right && o->notices == 1);
	if (at < 16384)
		return right && o->notices == 0;
	return o->status == OTR_OK && o->version == 0 && o->rows == 0 && o->fallback;
}

static void
test_flips(void)
{
	const char *path = one_path("x.otr");
	int fd = file_x(path);
	long at, wrong = 0, unfound = 0;
	struct otr_error err;
	struct otr *file;
	uint8_t root;

	CHECK(fd >= 0, "P: file X has 20,480 bytes");
	for (at = 0; fd >= 0 && at < 20480; at++) {
		int bit;
		uint8_t old, flipped;

		if (pread(fd, &old, 1, at) != 1)
			break;
		for (bit = TAP_SLOWER > 1 ? (int)(at % 8) : 0; bit < 8; bit += TAP_SLOWER > 1 ? 8 : 1) {
			struct outcome o;

			flipped = (uint8_t)(old ^ 1u << bit);
			if (pwrite(fd, &flipped, 1, at) != 1)
				break;
			o = look(path, &err);
			if (!expected(&o, at) && wrong++ < 5)
				printf("# byte %ld bit %d: status %d, %ld rows, version %llu, %zu notices\n", at, bit, (int)o.status, o.rows,
				    (unsigned long long)o.version, o.notices);
			if (at % 61 == 0) {
				uint64_t faults = 0;
				enum otr_status status = otr_verify(path, NULL, &faults, NULL);

				unfound += status == OTR_OK ? faults == 0 : at >= 8;
			}
		}
		if (pwrite(fd, &old, 1, at) != 1)
			break;
	}
	CHECK(at == 20480 && wrong == 0, TAP_SLOWER > 1 ? "P1, 10.4-2, 12-2: a flipped bit of each byte is answered as it should be" :
	    "P1, 10.4-2, 12-2: each of 163,840 flipped bits is answered as it should be");
	CHECK(unfound == 0, "P1: otr_verify finds those that were tried");
	if (pread(fd, &root, 1, 17000) == 1 && pwrite(fd, &(uint8_t){ (uint8_t)(root ^ 1) }, 1, 17000) == 1)
		CHECK(otr_open_at(path, 1, &file, &err) == OTR_E_CORRUPT && err.page == 4,
		    "10.4-4: who asks for the version whose root page is bad is told so, not that there is no such version");
	(void)close(fd);
}

static void
test_cuts(void)
{
	const char *path = one_path("cut.otr");
	uint8_t bytes[20480];
	int fd = file_x(path);
	long len, wrong = 0;
	struct otr_error err;

	if (fd < 0 || pread(fd, bytes, sizeof bytes, 0) != 20480)
		return;
	for (len = 0; len <= 20480; len += len < 40 || len > 16370 ? 1 : 37) {
		struct outcome o;
		bool ok;

		if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, (size_t)len, 0) != len)
			return;
		o = look(path, &err);
		if (len == 0)
			ok = o.status == OTR_E_FORMAT || o.status == OTR_E_TRUNCATED;
		else if (len < 16384)
			ok = o.status == OTR_E_TRUNCATED;
		else if (len < 20480)
			ok = o.status == OTR_OK && o.version == 0 && o.fallback;
		else
			ok = o.status == OTR_OK && o.rows == 1000 && o.notices == 0;
		if (!ok && wrong++ < 5)
			printf("# cut at %ld: status %d version %llu (%s)\n", len, (int)o.status, (unsigned long long)o.version, err.text);
	}
	CHECK(wrong == 0, "P2: a file cut at any length is truncated, or gives the version before");
	(void)close(fd);
}

/* Slots of versions 3 (in slot 1) and 4 (in slot 0) of a file; mixtures of 4 with what slot 0 held before, version 2. */
static void
test_tears(void)
{
	const char *path = one_path("torn.otr");
	uint8_t two[4096], four[4096], mixed[4096], zero[4096] = { 0 };
	struct otr_commit_result r;
	struct otr_error err;
	struct otr *file;
	unsigned mask, wrong = 0;
	bool fallback = true;
	long i;
	int fd;

	fill(10);
	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK)
		return;
	fd = open(path, O_RDWR);
	for (i = 0; i < 4; i++) {
		if (one_append(path, &t[i], &v[i], 1, &r) != OTR_OK)
			return;
		if (i == 1 && pread(fd, two, 4096, 4096) != 4096)
			return;
	}
	if (pread(fd, four, 4096, 4096) != 4096)
		return;
	for (mask = 1; mask < 255; mask++) {
		struct outcome o;
		unsigned k;

		for (k = 0; k < 8; k++)
			memcpy(mixed + 512 * k, (mask >> k & 1 ? four : two) + 512 * k, 512);
		if (pwrite(fd, mixed, 4096, 4096) != 4096)
			return;
		o = look(path, &err);
		/* sectors alike in both versions may leave a slot of version 2 or 4 with a wrong stamp, which is used */
		if (!(o.status == OTR_OK && o.notices == 1 && !o.fallback && ((o.version == 3 && o.rows == 3) || (o.version == 4 && o.rows == 4))) &&
		    wrong++ < 5)
			printf("# sectors %02x: status %d version %llu, %zu notices %s\n", mask, (int)o.status, (unsigned long long)o.version, o.notices, err.text);
	}
	CHECK(wrong == 0, "4.2-4: a mixture of two versions' sectors is torn: the other slot is read, with a warning");
	/* torn, and the next commit goes over it */
	memcpy(mixed, two, 4096);
	memcpy(mixed, four, 512);
	if (pwrite(fd, mixed, 4096, 4096) != 4096)
		return;
	CHECK(one_append(path, &t[4], &v[4], 1, &r) == OTR_OK && r.version == 5, "4.2-8: the version after a torn slot of version 4 is 5");
	CHECK(one_faults(path) == 0 && look(path, &err).rows == 4, "4.2-8: and the file is sound again");
	CHECK(otr_open(path, &file, &err) == OTR_OK && otr_select_version(file, 4, &err) == OTR_E_NOTFOUND, "4.2-8: version 4 does not exist");
	otr_close(file);
	/* damage: equal stamps, zeros, noise */
	if (pread(fd, four, 4096, 4096) != 4096)
		return;
	memcpy(mixed, four, 4096);
	mixed[100] ^= 1;
	if (pwrite(fd, mixed, 4096, 4096) != 4096)
		return;
	CHECK(look(path, &err).status == OTR_E_CORRUPT && strstr(err.text, "3") != NULL, "4.2-6: a newest slot with equal stamps and a bad crc is damage");
	CHECK(one_append(path, &t[5], &v[5], 1, &r) == OTR_E_CORRUPT, "4.2-6: a writer refuses");
	CHECK(otr_open_at(path, 3, &file, &err) == OTR_OK && one_read(file, NULL, NULL, 0) == 3, "10.4-6: the version before can be asked for");
	CHECK(otr_notice(file, 0, &fallback) != NULL && strstr(otr_notice(file, 0, NULL), "damaged") != NULL && !fallback && otr_notice(file, 1, NULL) == NULL,
	    "10.4-2: and it is said that the newest slot is damaged");
	otr_close(file);
	CHECK(pwrite(fd, zero, 4096, 4096) == 4096 && look(path, &err).status == OTR_E_CORRUPT, "4.2-6: so are zeros");
	CHECK(pwrite(fd, four, 4096, 4096) == 4096 && pwrite(fd, zero, 4096, 8192) == 4096 && look(path, &err).status == OTR_E_CORRUPT,
	    "4.2-6: also where the other slot may have been older, since nothing tells");
	(void)close(fd);
}

static void
test_not_ours(void)
{
	const char *path = one_path("text");
	struct otr_error err;
	uint8_t bytes[20480];
	int fd = file_x(path);

	if (fd < 0 || pread(fd, bytes, sizeof bytes, 0) != 20480)
		return;
	otr__put16(bytes + 12, 2);
	otr__put32(bytes + 8, otr__crc32(bytes + 12, 4096 - 12));
	CHECK(pwrite(fd, bytes, 4096, 0) == 4096 && look(path, &err).status == OTR_E_UNSUPPORTED, "3.2-4: a newer major version is too new");
	otr__put16(bytes + 12, 1);
	otr__put64(bytes + 32, 1);
	otr__put32(bytes + 8, otr__crc32(bytes + 12, 4096 - 12));
	CHECK(pwrite(fd, bytes, 4096, 0) == 4096 && look(path, &err).status == OTR_E_UNSUPPORTED, "3.2-4: so is an unknown incompat bit");
	otr__put64(bytes + 32, 0);
	otr__put64(bytes + 16, 1);
	otr__put32(bytes + 8, otr__crc32(bytes + 12, 4096 - 12));
	CHECK(pwrite(fd, bytes, 4096, 0) == 4096 && look(path, &err).rows == 1000, "3.3: an unknown compat bit is ignored");
	otr__put64(bytes + 16, 0);
	otr__put64(bytes + 24, 1);
	otr__put32(bytes + 8, otr__crc32(bytes + 12, 4096 - 12));
	CHECK(pwrite(fd, bytes, 4096, 0) == 4096 && look(path, &err).rows == 1000, "3.3: with an unknown ro_compat bit it can be read");
	{
		struct otr_commit_result r;

		t[0] = t[999] + 1000000000;
		CHECK(one_append(path, t, v, 1, &r) == OTR_E_UNSUPPORTED, "3.3, 12-5: but not written");
	}
	memcpy(bytes, "time,v\n1,2\n", 11);
	CHECK(ftruncate(fd, 11) == 0 && pwrite(fd, bytes, 11, 0) == 11 && look(path, &err).status == OTR_E_FORMAT, "3.2-1: a text is not OTR");
	(void)close(fd);
	CHECK(otr_open(one_path("missing"), &(struct otr *){ NULL }, &err) == OTR_E_IO && err.sys_errno == ENOENT, "a missing file is an error of the system");
	CHECK(otr_open(one_dir, &(struct otr *){ NULL }, &err) == OTR_E_IO, "so is a directory");
}

static void
flip(const char *path, uint64_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	if (fd < 0 || pread(fd, &byte, 1, (off_t)at) != 1)
		abort();
	byte ^= 1;
	if (pwrite(fd, &byte, 1, (off_t)at) != 1 || close(fd) != 0)
		abort();
}

/* The root of the newest version is bad, and a leaf of the version before it, which is not kept any more: what is read instead is damaged too. */
static void
test_damage_below_fallback(void)
{
	static struct otr_schema schema = { .columns = 1, .page_bytes = 4096, .column[0] = { .name = "v", .type = OTR_F64 } };
	const struct otr_create_options options = { .policies = { .history = OTR_HISTORY_COUNT } };
	const char *path = one_path("below.otr");
	struct otr_commit_result r;
	struct otr *file = NULL;
	struct otr_cursor *c = NULL;
	struct otr_rows rows;
	struct otr_error err = { .text = "" };
	enum otr_status status;
	int64_t late;
	double value = 1;

	fill(ROWS);
	late = t[ROWS - 1] - 1;
	if (otr_create(path, &schema, &options, &err) != OTR_OK || one_append(path, t, v, ROWS, &r) != OTR_OK || one_append(path, &late, &value, 1, &r) != OTR_OK ||
	    otr_open(path, &file, &err) != OTR_OK)
		abort();
	flip(path, file->state.slot.root.page * 4096 + 100);
	flip(path, 4 * 4096 + 100);
	otr_close(file);
	file = NULL;
	CHECK(otr_open(path, &file, &err) == OTR_OK && file->state.slot.version == 1, "10.4-4: the root of version 2 is bad, so version 1 is read");
	status = file == NULL ? OTR_END : otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err);
	while (status == OTR_OK)
		status = otr_cursor_next(c, &rows, &err);
	CHECK(status == OTR_E_CORRUPT, "10.4-5: a leaf of it is bad, too: damaged, since no writer moved on, and not expired");
	otr_cursor_close(c);
	otr_close(file);
}

/* A slot that was read is damaged under the handle. */
static void
test_refresh_of_damage(void)
{
	const char *path = one_path("refresh.otr");
	struct otr_commit_result r;
	struct otr_info info;
	struct otr *file = NULL;

	fill(2);
	if (one_create(path, 4096, OTR_REPLACE) != OTR_OK || one_append(path, t, v, 1, &r) != OTR_OK || one_append(path, t + 1, v + 1, 1, &r) != OTR_OK ||
	    otr_open(path, &file, NULL) != OTR_OK)
		abort();
	flip(path, 4096 + 300);                 /* version 2 stands in slot 0 */
	CHECK(otr_refresh(file, NULL) == OTR_E_CORRUPT, "4.2-6: otr_refresh of a file whose newest slot was damaged says so");
	otr_get_info(file, &info);
	CHECK(info.version == 2 && one_read(file, NULL, NULL, 0) == 2, "and the handle does not go back to an older version");
	otr_close(file);
}

int
main(void)
{
	test_flips();
	test_cuts();
	test_tears();
	test_not_ours();
	test_damage_below_fallback();
	test_refresh_of_damage();
	one_clean();
	return tap_done();
}
