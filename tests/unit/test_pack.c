/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pack.c - the bit packer, PACK and RUN bodies: every width, order, length and place of outliers.
 */
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "intmath.h"
#include "pack.h"
#include "run.h"
#include "tap.h"

#define VALUES_MAX 65535u
#define CAP (24u * VALUES_MAX)

static uint64_t value[VALUES_MAX], back[VALUES_MAX], room[VALUES_MAX], room2[VALUES_MAX];
static uint8_t bytes[CAP];
static unsigned long long seed = 99;

static void
packer(void)
{
	unsigned w, failures = 0;
	size_t n, i;

	for (w = 0; w <= 64; w++)
		for (n = 0; n <= 200; n += 1 + n / 70) {
			size_t size = 8 * otr__bits_words(n, w), fast = otr__bits_fast_count(n, w);
			uint8_t *stream = malloc(size + 1);   /* exactly as long as it is, for the sanitizer */
			uint64_t mask = otr__bits_mask(w);

			for (i = 0; i < n; i++)
				value[i] = tap_random(&seed) & mask;
			memset(stream, 0xff, size);
			otr__bits_put(stream, value, n, w);
			for (i = 0; i < n && w > 0; i++)
				failures += otr__bits_get(stream, i, w) != value[i];
			for (i = 0; i < fast; i++)
				failures += otr__bits_fast(stream, i, w, mask) != value[i] || i * w / 8 + 8 > size;
			failures += fast > n || !otr__bits_spare_zero(stream, n, w);
			failures += w > 0 && w < 58 && fast + 64 / w + 2 < n;
			free(stream);
		}
	CHECK(failures == 0, "numbers of every width come back, fast or not, and spare bits are zero");
	otr__bits_put(bytes, (uint64_t[]){ 1, 2, 3 }, 3, 24);
	CHECK(otr__get64(bytes) == UINT64_C(0x0003000002000001) && otr__get64(bytes + 8) == 0, "three numbers of 24 bits lie as the drawing has it");
	CHECK(otr__bits_mask(0) == 0 && otr__bits_mask(1) == 1 && otr__bits_mask(64) == UINT64_MAX, "masks of 0, 1 and 64 bits");
}

/* The size of the body of value[0, n), or 0 if it does not come back. */
static size_t
round_trip(size_t n, struct otr__pack_plan *plan)
{
	struct otr__put w = otr__put_into(bytes, CAP);
	struct otr__reader r;
	struct otr_error err;
	uint8_t *copy;
	enum otr_status status;
	bool ok;

	otr__pack_choose(value, n, plan);
	otr__pack_encode(value, n, plan, room, &w);
	if (w.failed || CAP - w.left != plan->size)
		return 0;
	copy = malloc(plan->size);
	memcpy(copy, bytes, plan->size);
	r = otr__reader_of(copy, plan->size);
	memset(back, 0xee, n * sizeof back[0]);
	status = otr__pack_decode(&r, false, back, n, &err);
	ok = status == OTR_OK && r.left == 0 && memcmp(back, value, n * sizeof value[0]) == 0;
	if (status != OTR_OK)
		printf("# %s\n", err.text);
	free(copy);
	return ok ? plan->size : 0;
}

static void
bodies(void)
{
	static const size_t lengths[] = { 1, 2, 3, 4, 5, 63, 64, 65, 256, 257, 512, 513, 1023, 1024, 1025, 65535 };
	struct otr__pack_plan plan;
	unsigned w, l, order, failures = 0, seen[3] = { 0 };
	size_t i, n;

	for (l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
		for (w = 0; w <= 64; w += lengths[l] > 2000 ? 7 : 1)
			for (order = 0; order < 3; order++) {
				uint64_t x = tap_random(&seed), dx = tap_random(&seed);

				n = lengths[l];
				for (i = 0; i < n; i++) {
					uint64_t d = tap_random(&seed) & otr__bits_mask(w);

					value[i] = order == 0 ? d + 12345 : order == 1 ? (x += d - 7) : (x += dx += d);
				}
				failures += round_trip(n, &plan) == 0;
				seen[plan.order]++;
			}
	CHECK(failures == 0, "bodies of every width, order and length come back");
	CHECK(seen[0] > 100 && seen[1] > 100 && seen[2] > 100, "they were of all three orders");

	for (i = 0; i < 1000; i++)
		value[i] = i * UINT64_C(1000000000);
	CHECK(round_trip(1000, &plan) == 24 && plan.order == 1 && plan.width == 0, "1,000 regular seconds take 24 bytes");
	for (; i < 2000; i++)
		value[i] = i * UINT64_C(1000000000) + UINT64_C(3600000000000);
	CHECK(round_trip(2000, &plan) == 40 && plan.outliers == 1, "a gap of an hour adds one outlier, 16 bytes");

	for (failures = 0, l = 0; l < 6; l++) {
		n = l & 1 ? 3000 : 100;
		for (i = 0; i < n; i++)
			value[i] = tap_random(&seed) & 15;
		if (l / 2 == 0)
			value[0] = UINT64_C(1) << 60;
		else if (l / 2 == 1)
			value[n - 1] = 0 - (UINT64_C(1) << 60);
		else
			value[0] = value[n / 2] = value[n - 1] = UINT64_C(1) << 63;
		failures += round_trip(n, &plan) == 0 || plan.outliers != (l / 2 == 2 ? 3 : 1) || plan.width != 4;
	}
	CHECK(failures == 0, "outliers in the first, last and both places are kept apart");

	for (i = 0; i < 1000; i++)
		value[i] = i & 1 ? INT64_MAX : (uint64_t)INT64_MIN;
	CHECK(round_trip(1000, &plan) != 0 && plan.width <= 1, "the i64 limits as neighbours are one apart modulo 2^64");
	for (i = 0; i < 1000; i++)
		value[i] = tap_random(&seed);
	CHECK(round_trip(1000, &plan) != 0 && plan.width == 64 && plan.outliers == 0, "random words take 64 bits");
}

/* A body made by hand in which all residuals are outliers. */
static void
all_outliers(void)
{
	struct otr__put w = otr__put_into(bytes, CAP);
	struct otr__reader r;
	struct otr_error err;
	unsigned i;
	bool ok;

	otr__add8(&w, 0);
	otr__add8(&w, 3);
	otr__add16(&w, 4);
	otr__add32(&w, 0);
	otr__add64(&w, UINT64_MAX);
	for (i = 0; i < 4; i++)
		otr__add16(&w, (uint16_t)i);
	for (i = 0; i < 4; i++)
		otr__add64(&w, 8 + i);
	otr__add64(&w, 0);
	r = otr__reader_of(bytes, CAP - w.left);
	ok = otr__pack_decode(&r, false, back, 4, &err) == OTR_OK && r.left == 0;
	for (i = 0; i < 4; i++)
		ok &= back[i] == 7 + i;
	CHECK(ok, "a body of outliers alone decodes, with a base of -1");
	otr__put16(bytes + 18, 0);
	r = otr__reader_of(bytes, CAP - w.left);
	CHECK(otr__pack_decode(&r, false, back, 4, &err) == OTR_E_CORRUPT, "a position given twice is refused");
	otr__put16(bytes + 18, 1);
	otr__put16(bytes + 2, 5);
	r = otr__reader_of(bytes, CAP);
	CHECK(otr__pack_decode(&r, false, back, 4, &err) == OTR_E_CORRUPT, "more outliers than residuals are refused");
}

static void
runs(void)
{
	struct otr__run_plan plan;
	struct otr__reader r;
	struct otr_error err;
	unsigned k, failures = 0;
	size_t i, n = 0;

	for (k = 1; k < 4000; k = k * 3 + 1)
		for (n = 1; n <= VALUES_MAX; n = n * 7 + 1) {
			struct otr__put w = otr__put_into(bytes, CAP);

			for (i = 0; i < n; i++)
				value[i] = i == 0 || tap_random(&seed) % k == 0 ? tap_random(&seed) % 50 * 1000003 : value[i - 1];
			otr__run_choose(value, n, room, room2, &plan);
			failures += plan.runs != otr__run_count(value, n);
			otr__run_encode(room, room2, &plan, back, &w);
			failures += w.failed || CAP - w.left != plan.size;
			r = otr__reader_of(bytes, plan.size);
			failures += otr__run_decode(&r, false, back, n, room, room2, &err) != OTR_OK || r.left != 0 ||
			    memcmp(back, value, n * sizeof value[0]) != 0;
		}
	CHECK(failures == 0, "runs of all lengths come back");
}

int
main(void)
{
	packer();
	bodies();
	all_outliers();
	runs();
	return tap_done();
}
