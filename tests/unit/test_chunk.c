/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_chunk.c - chunks: the examples of SPEC 7, round trips of every type, and damage: every flipped bit and every cut.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bytes.h"
#include "chunk.h"
#include "scratch.h"
#include "tap.h"

#define ROWS_MAX 65535u
#define CAP (1u << 21)

static struct otr__scratch *scratch;
static uint64_t value[ROWS_MAX], back[ROWS_MAX];
static uint8_t present[(ROWS_MAX + 7) / 8], present_back[(ROWS_MAX + 7) / 8], bytes[CAP];
static unsigned long long seed = 20240601;

static size_t
unhex(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned v;

	for (; *text != '\0'; text++)
		if (*text != ' ') {
			sscanf(text++, "%2x", &v);
			out[n++] = (uint8_t)v;
		}
	return n;
}

/* Decodes from an allocation of exactly that size, so that a sanitizer sees a read beyond it. */
static enum otr_status
decode(const uint8_t *chunk, size_t len, int content, uint32_t rows, bool *has_null)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	struct otr_error err;
	enum otr_status status;

	if (len > 0)
		memcpy(copy, chunk, len);
	status = otr__chunk_decode(copy, len, content, rows, back, present_back, has_null, scratch, &err);
	free(copy);
	return status;
}

static void
examples(void)
{
	static const double decimals[] = { 20.01, 20.02, 0, 20.04 }, mixed[] = { 1.5, -1.5, 2.0 };
	struct otr__hint hint = { .valid = false };
	uint8_t chunk[64], made[64];
	bool has_null, ok = true;
	size_t len, i;

	len = unhex("0001000028000000 0500000000000500 0100000000000000 00002a36fe9c9717 00ca9a3b00000000", chunk);
	CHECK(len == 40 && decode(chunk, len, OTR__TIMES, 5, &has_null) == OTR_OK && !has_null, "the example of five times decodes");
	for (i = 0; i < 5; i++)
		ok &= back[i] == UINT64_C(1700000000000000000) + i * 1000000000;
	CHECK(ok, "they are one second apart from 2023-11-14T22:13:20Z");
	CHECK(otr__chunk_encode(back, NULL, 5, OTR__TIMES, &hint, made, sizeof made, scratch) == 40 && memcmp(made, chunk, 40) == 0,
	    "the encoder makes the same 40 bytes");

	len = unhex("0101020038000000 0400000001000400 0200000000000000 000000000000f87f 0002000000000000 d107000000000000 d400000000000000",
	    chunk);
	CHECK(len == 56 && decode(chunk, len, OTR_F64, 4, &has_null) == OTR_OK, "the example of two decimals decodes");
	for (ok = true, i = 0; i < 4; i++)
		ok &= back[i] == (i == 2 ? UINT64_C(0x7ff8000000000000) : otr__bits_of(decimals[i]));
	CHECK(ok, "it is 20.01, 20.02, NaN, 20.04");

	len = unhex("0201300028000000 0300000000000300 000f000000000000 0740000000000000 f17f0040fe1f0000", chunk);
	CHECK(len == 40 && decode(chunk, len, OTR_F64, 3, &has_null) == OTR_OK, "the example of bit patterns decodes");
	for (ok = true, i = 0; i < 3; i++)
		ok &= back[i] == otr__bits_of(mixed[i]);
	CHECK(ok, "it is 1.5, -1.5, 2.0");
}

/* Kinds of values, so that each transform, packing, order and width comes up. */
enum { KINDS = 24 };

static uint64_t
bits_of(double d, int content)
{
	return content == OTR_F32 ? otr__bits_of_f((float)d) : otr__bits_of(d);
}

static uint64_t
any(int content)
{
	uint64_t u = tap_random(&seed);

	switch (content) {
	case OTR_BOOL: return u & 1;
	case OTR_I32: return (uint64_t)(int64_t)(int32_t)(uint32_t)u;
	case OTR_F32: return u & UINT32_MAX;
	default: return u;
	}
}

static uint64_t
integer(int64_t i, int content)
{
	switch (content) {
	case OTR_BOOL: return (uint64_t)i & 1;
	case OTR_I32: return (uint64_t)(int64_t)(int32_t)(uint32_t)i;
	case OTR_F32:
	case OTR_F64: return bits_of((double)i, content);
	default: return (uint64_t)i;
	}
}

static uint64_t
special(int content)
{
	static const uint64_t f64[] = { UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000000001), UINT64_C(0x7ff0000000000001),
		UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000), UINT64_C(0x8000000000000000), 0, 1, UINT64_C(0x800fffffffffffff),
		UINT64_C(0x7fefffffffffffff), UINT64_C(0x4340000000000000), UINT64_C(0xc340000000000000) };
	static const uint32_t f32[] = { 0x7fc00000, 0xffc00001, 0x7f800001, 0x7f800000, 0xff800000, 0x80000000, 0, 1, 0x807fffff, 0x7f7fffff };
	static const int64_t ints[] = { INT64_MIN, INT64_MAX, INT64_MIN + 1, INT64_MAX - 1, 0, -1, 1 };
	unsigned r = (unsigned)(tap_random(&seed) >> 40);

	if (content == OTR_F64)
		return f64[r % (sizeof f64 / sizeof f64[0])];
	if (content == OTR_F32)
		return f32[r % (sizeof f32 / sizeof f32[0])];
	if (content == OTR_I32)
		return (uint64_t)(r % 3 == 0 ? INT32_MIN : r % 3 == 1 ? INT32_MAX : 0);
	return content == OTR_BOOL ? r & 1 : (uint64_t)ints[r % 7];
}

static void
fill(unsigned kind, int content, uint32_t n)
{
	int64_t walk = (int64_t)(tap_random(&seed) % 100000);
	uint64_t few[7], last = any(content);
	uint32_t i;

	for (i = 0; i < 7; i++)
		few[i] = any(content);
	for (i = 0; i < n; i++) {
		uint64_t r = tap_random(&seed) >> 16;

		walk += (int64_t)(r % 21) - 10;
		switch (kind) {
		case 0: value[i] = any(content); break;
		case 1: value[i] = integer(walk, content); break;
		case 2: value[i] = otr__is_float(content) ? bits_of((double)walk / 100, content) : integer(walk * 100, content); break;
		case 3: value[i] = special(content); break;
		case 4: value[i] = r % 20 == 0 ? special(content) : otr__is_float(content) ? bits_of((double)walk / 1000, content) : integer(walk, content); break;
		case 5: value[i] = few[r % 7]; break;
		case 6: value[i] = last = r % 50 == 0 ? any(content) : last; break;
		case 7: value[i] = integer((int64_t)i * 1000 + 5, content); break;
		case 8: value[i] = integer((int64_t)i * i, content); break;
		case 9: value[i] = i == 0 || i + 1 == n ? special(content) : integer(7, content); break;
		case 10: value[i] = otr__is_float(content) ? bits_of((double)walk * 1e20, content) : integer(walk << 20, content); break;
		case 11: value[i] = otr__is_float(content) ? bits_of((double)walk * 1e-22, content) : integer(-walk, content); break;
		case 12: value[i] = otr__is_float(content) ? bits_of((double)walk / 64 - 700, content) : integer(INT64_MAX - walk, content); break;
		case 13: value[i] = bits_of(0, content); break;
		case 14: value[i] = otr__is_float(content) ? bits_of(-0.0, content) : integer(-1, content); break;
		case 15: value[i] = otr__is_float(content) ? bits_of((double)(1ULL << 53) - (double)(r % 1000), content) : integer((int64_t)r, content); break;
		case 16: value[i] = integer((int64_t)(tap_random(&seed) >> 20), content); break;
		case 17: value[i] = r % 1000 == 0 ? any(content) : integer((int64_t)i * 3 + (int64_t)(r & 1), content); break;
		case 18:
			if (r % 50 == 0)
				last = otr__is_float(content) ? bits_of((double)walk / 100 + (double)i, content) : integer(walk, content);
			value[i] = i == 0 || r % 50 == 0 ? last : value[i - 1];
			break;
		case 19: value[i] = i == 0 || r % 10 == 0 ? few[r / 64 % 7] : value[i - 1]; break;
		default: value[i] = any(content) >> (kind * 11 % 64); value[i] = content == OTR_BOOL ? value[i] & 1 : content == OTR_I32 ? integer((int64_t)value[i], content) : value[i];
		}
	}
}

static int
by_time(const void *a, const void *b)
{
	int64_t x = otr__i64(*(const uint64_t *)a), y = otr__i64(*(const uint64_t *)b);

	return x < y ? -1 : x > y;
}

/* Encodes and decodes value[0, n); 0 if that gave anything else. */
static size_t
round_trip(int content, uint32_t n, bool nulls, struct otr__hint *hint)
{
	size_t size = otr__chunk_encode(value, nulls ? present : NULL, n, content, hint, bytes, CAP, scratch), stored = 0;
	bool has_null, ok, expect = false;
	uint32_t i;

	for (i = 0; i < n; i++)
		stored += !nulls || (present[i / 8] >> i % 8 & 1);
	expect = stored < n;
	if (size == 0 || size % 8 != 0)
		return 0;
	memset(back, 0xaa, n * sizeof back[0]);
	ok = decode(bytes, size, content, n, &has_null) == OTR_OK && has_null == expect;
	for (i = 0; i < n && ok; i++) {
		bool set = !nulls || (present[i / 8] >> i % 8 & 1);

		ok = back[i] == (set ? value[i] : 0) && (!expect || (present_back[i / 8] >> i % 8 & 1) == set);
	}
	/* one byte less is too little */
	if (ok && size > 16)
		ok = otr__chunk_encode(value, nulls ? present : NULL, n, content, &(struct otr__hint){ .valid = false }, bytes, 8, scratch) == 0;
	return ok ? size : 0;
}

static void
round_trips(void)
{
	static const uint32_t lengths[] = { 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 255, 256, 1023, 1024, 1025, 4096, 65535 };
	static const uint32_t blocks[] = { 0, 256, 1024, 4096 };
	static const char *const sentence[] = { "times come back", "bool comes back", "i32 comes back", "i64 comes back",
		"f32 comes back", "f64 comes back" };
	int content;
	unsigned kind, l, b, seen[5][3] = { { 0 } };

	for (content = 0; content <= OTR_F64; content++) {
		unsigned failures = 0;

		for (kind = 0; kind < KINDS; kind++) {
			struct otr__hint hint = { .valid = false };

			for (l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
				uint32_t n = lengths[l], i;
				unsigned nulls;

				for (nulls = 0; nulls < (content == OTR__TIMES ? 1u : 4u); nulls++) {
					if (n == 65535 && nulls != (kind & 3) && content != OTR__TIMES)
						continue;
					fill(kind, content, n);
					if (content == OTR__TIMES) {
						qsort(value, n, sizeof value[0], by_time);
						for (i = 0; i < n; i++)
							value[i] = value[i] == UINT64_C(0x8000000000000000) ? value[i] + 1 : value[i] == INT64_MAX ? value[i] - 1 : value[i];
					}
					/* none, some, all null; and bits that say none is */
					for (i = 0; i < n; i++) {
						bool set = nulls == 1 ? tap_random(&seed) >> 60 != 0 : nulls == 3;

						present[i / 8] = (uint8_t)((present[i / 8] & ~(1u << i % 8)) | (unsigned)set << i % 8);
					}
					scratch->block = blocks[(kind + l + nulls) % 4];
					if (round_trip(content, n, nulls > 0, &hint) == 0) {
						printf("# content %d kind %u rows %u nulls %u block %u\n", content, kind, n, nulls, scratch->block);
						failures++;
					}
					if (hint.valid)
						seen[hint.transform][hint.packing]++;
				}
			}
		}
		CHECK(failures == 0, sentence[content]);
	}
	scratch->block = 0;
	for (l = 0; l < 4; l++)
		for (b = 1; b < 3; b++)
			CHECK(seen[l][b] > 0, "the round trips met each transform with each packing");
	CHECK(seen[OTR__RAW][OTR__NONE] > 0, "the round trips met RAW");
	CHECK(round_trip(OTR_I64, 0, false, &(struct otr__hint){ .valid = false }) == 16, "a chunk of no rows is 16 bytes");
}

/* Every flip and cut of bytes[0, size): anything may come out, but nothing may go wrong on the way. */
static bool
mutate(int content, uint32_t rows, size_t size)
{
	static uint8_t chunk[1 << 16];
	bool has_null, ok = true;
	size_t i;

	memcpy(chunk, bytes, size);
	for (i = 0; i < size * 8; i++) {
		enum otr_status status;

		chunk[i / 8] ^= (uint8_t)(1u << i % 8);
		status = decode(chunk, size, content, rows, &has_null);
		ok &= status == OTR_OK || status == OTR_E_CORRUPT || status == OTR_E_UNSUPPORTED;
		chunk[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (i = 0; i < size; i++) {
		ok &= decode(chunk, i, content, rows, &has_null) != OTR_OK;
		if (i >= 16 && i % 8 == 0) {
			otr__put32(chunk + 4, (uint32_t)i);
			ok &= decode(chunk, i, content, rows, &has_null) != OTR_OK;
			otr__put32(chunk + 4, (uint32_t)size);
		}
	}
	/* with presence bits, one row more may be one null more */
	if ((chunk[3] & 1) == 0)
		ok &= decode(chunk, size, content, rows + 1, &has_null) != OTR_OK && decode(chunk, size, content, rows - 1, &has_null) != OTR_OK;
	return ok;
}

static void
mutations(void)
{
	int content;
	unsigned kind;
	bool ok = true;

	for (content = 0; content <= OTR_F64; content++)
		for (kind = 0; kind < KINDS; kind++) {
			uint32_t n = kind % 3 == 0 ? 5 : 90, i;
			struct otr__hint hint = { .valid = false };
			size_t size;

			fill(kind, content, n);
			if (content == OTR__TIMES) {
				qsort(value, n, sizeof value[0], by_time);
				value[0] = value[0] == UINT64_C(0x8000000000000000) ? value[1] : value[0];
			}
			for (i = 0; i < n; i++)
				present[i / 8] = (uint8_t)((present[i / 8] & ~(1u << i % 8)) | (i % 7 != 3 ? 1u : 0u) << i % 8);
			scratch->block = kind & 1 ? 16 : 0;
			size = otr__chunk_encode(value, content != OTR__TIMES && kind % 2 == 0 ? present : NULL, n, content, &hint, bytes, CAP, scratch);
			if (size == 0 || !mutate(content, n, size)) {
				printf("# content %d kind %u\n", content, kind);
				ok = false;
			}
		}
	scratch->block = 0;
	CHECK(ok, "a flipped bit is refused or gives other values, a cut chunk is refused");
}

/* Wraps bytes[0, size) in deflate.  Returns the new size. */
static size_t
deflate_chunk(size_t size)
{
	static uint8_t out[CAP];
	z_stream z;
	size_t n;

	memset(&z, 0, sizeof z);
	if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	z.next_in = bytes + 16;
	z.avail_in = (uInt)(size - 16);
	z.next_out = out;
	z.avail_out = sizeof out;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		return 0;
	n = z.total_out;
	deflateEnd(&z);
	memset(bytes + 24, 0, n + 8);
	memcpy(bytes + 24, out, n);
	otr__put32(bytes + 16, (uint32_t)(size - 16));
	otr__put32(bytes + 20, (uint32_t)n);
	size = 24 + ((n + 7) & ~(size_t)7);
	bytes[3] |= 2;
	otr__put32(bytes + 4, (uint32_t)size);
	return size;
}

static void
deflated(void)
{
	struct otr__hint hint = { .valid = false };
	bool has_null, ok = true;
	size_t size, len, i;

	fill(2, OTR_F64, 1000);
	size = otr__chunk_encode(value, NULL, 1000, OTR_F64, &hint, bytes, CAP, scratch);
	size = deflate_chunk(size);
	ok = decode(bytes, size, OTR_F64, 1000, &has_null) == OTR_OK && memcmp(back, value, 8000) == 0;
	CHECK(ok, "a deflated chunk comes back");
	CHECK(mutate(OTR_F64, 1000, size), "a damaged deflated chunk is refused or gives other values");

	/* order 1, width 8, byte planes: 5, then differences 2 * {1, -1, 0} by zigzag 2, 1, 0, with base 0 */
	len = unhex("0001000000000000 0400000000000400 0108000001000000 0500000000000000 0000000000000000 0201000000000000", bytes);
	size = deflate_chunk(len);
	CHECK(decode(bytes, size, OTR_I64, 4, &has_null) == OTR_OK && back[0] == 5 && back[1] == 6 && back[2] == 5 && back[3] == 5,
	    "byte planes inside deflate decode, with zigzag");
	CHECK(decode(bytes, size, OTR_F64, 4, &has_null) == OTR_E_CORRUPT, "7.5: a transform that the content may not have is refused, also of a deflated chunk");
	len = unhex("0001000030000000 0400000000000400 0108000001000000 0500000000000000 0000000000000000 0201000000000000", bytes);
	CHECK(decode(bytes, len, OTR_I64, 4, &has_null) == OTR_E_CORRUPT, "byte planes outside deflate are refused");

	/* raw size beyond 64 + 20 rows */
	memset(bytes, 0, 4096);
	len = unhex("0001000000000000 0100000000000100", bytes);
	size = deflate_chunk(2048);
	for (ok = true, i = 1; i < 20; i++)
		ok &= decode(bytes, size, OTR_I64, 1, &has_null) == OTR_E_CORRUPT;
	CHECK(ok, "a deflated chunk that would expand beyond 64 + 20 rows is refused");
}

struct refusal {
	int content;
	uint32_t rows;
	enum otr_status status;
	const char *hex, *sentence;
};

static void
refusals(void)
{
	static const struct refusal list[] = {
		{ OTR_I64, 1, OTR_OK, "0001000028000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "one value in 64 bits decodes" },
		{ OTR_I64, 1, OTR_E_UNSUPPORTED, "0501000028000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "transform 5 is unsupported" },
		{ OTR_I64, 1, OTR_E_UNSUPPORTED, "0003000028000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "packing 3 is unsupported" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000428000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "flag bit 2 is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000000 0040000000000000 0000000000000000 0500000000000000", "PACK with block 0 is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000200 0040000000000000 0000000000000000 0500000000000000", "a block beyond n is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001010028000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "a parameter of INT is refused" },
		{ OTR_F64, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "INT in an f64 column is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0101000028000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "DECIMAL in an i64 column is refused" },
		{ OTR__TIMES, 1, OTR_E_CORRUPT, "0301000028000000 0100000000000100 0040000000000000 0000000000000000 0500000000000000", "DICT of times is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0041000000000000 0000000000000000 0500000000000000", "width 65 is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0140000000000000 0000000000000000 0500000000000000", "order 1 of one value is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0003000000000000 0000000000000000 0900000000000000", "spare bits set are refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0003000000010000 0000000000000000 0100000000000000", "a reserved byte of PACK that is not zero is refused" },
		{ OTR_I64, 1, OTR_OK, "0001000038000000 0100000000000100 0003010000000000 0000000000000000 0000000000000000 0800000000000000 0000000000000000", "an outlier of 2^w decodes" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000038000000 0100000000000100 0003010000000000 0000000000000000 0000000000000000 0700000000000000 0000000000000000", "an outlier below 2^w is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000038000000 0100000000000100 0003010000000000 0000000000000000 0000000000000000 0800000000000000 0100000000000000", "a residual under an outlier that is not zero is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000038000000 0100000000000100 0003010000000000 0000000000000000 0100000000000000 0800000000000000 0000000000000000", "an outlier's position beyond the residuals is refused" },
		{ OTR_I64, 1, OTR_E_CORRUPT, "0001000038000000 0100000000000100 0040010000000000 0000000000000000 0000000000000000 ffffffffffffffff 0000000000000000", "an outlier beside width 64 is refused" },
		{ OTR_F64, 1, OTR_OK, "0101000028000000 0100000000000100 0040000000000000 0000000000000000 0000000000002000", "k = 2^53 decodes" },
		{ OTR_F64, 1, OTR_E_CORRUPT, "0101000028000000 0100000000000100 0040000000000000 0000000000000000 0100000000002000", "k = 2^53 + 1 is refused" },
		{ OTR_F64, 1, OTR_OK, "0101ea0028000000 0100000000000100 0040000000000000 0000000000000000 000000000000e0ff", "k = -2^53 with s = -22 decodes" },
		{ OTR_F64, 1, OTR_E_CORRUPT, "0101000028000000 0100000000000100 0040000000000000 0000000000000000 ffffffffffffdfff", "k = -2^53 - 1 is refused" },
		{ OTR_F64, 1, OTR_E_CORRUPT, "0101170028000000 0100000000000100 0040000000000000 0000000000000000 0100000000000000", "s = 23 is refused" },
		{ OTR_F64, 1, OTR_E_CORRUPT, "0101e90028000000 0100000000000100 0040000000000000 0000000000000000 0100000000000000", "s = -23 is refused" },
		{ OTR_F64, 1, OTR_E_CORRUPT, "0201400028000000 0100000000000100 0040000000000000 0000000000000000 0000000000000000", "z = 64 is refused" },
		{ OTR_F64, 1, OTR_OK, "02013f0028000000 0100000000000100 0040000000000000 0000000000000000 0100000000000000", "z = 63 decodes" },
		{ OTR_F64, 1, OTR_E_CORRUPT, "02013f0028000000 0100000000000100 0040000000000000 0000000000000000 0200000000000000", "z = 63 with an integer of two bits is refused" },
		{ OTR_F32, 1, OTR_E_CORRUPT, "0201200028000000 0100000000000100 0040000000000000 0000000000000000 0000000000000000", "z = 32 of an f32 is refused" },
		{ OTR_BOOL, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0040000000000000 0000000000000000 0200000000000000", "a bool of 2 is refused" },
		{ OTR_I32, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0040000000000000 0000000000000000 0000008000000000", "an i32 of 2^31 is refused" },
		{ OTR__TIMES, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0040000000000000 0000000000000000 0000000000000080", "the reserved time INT64_MIN is refused" },
		{ OTR__TIMES, 1, OTR_E_CORRUPT, "0001000028000000 0100000000000100 0040000000000000 0000000000000000 ffffffffffffff7f", "the reserved time INT64_MAX is refused" },
		{ OTR__TIMES, 2, OTR_E_CORRUPT, "0001000028000000 0200000000000200 0100000000000000 0500000000000000 ffffffffffffffff", "a time that decreases is refused" },
		{ OTR_BOOL, 3, OTR_E_CORRUPT, "0400000018000000 0300000000000000 0001000100000000", "RAW with a byte set in its padding is refused" },
		{ OTR_BOOL, 3, OTR_OK, "0400000018000000 0300000000000000 0001000000000000", "RAW bool decodes" },
		{ OTR_BOOL, 3, OTR_E_CORRUPT, "0400000018000000 0300000000000000 0001020000000000", "a RAW bool of 2 is refused" },
		{ OTR_BOOL, 3, OTR_OK, "0400000118000000 0000000000000000 0000000000000000", "a chunk of nulls alone decodes" },
		{ OTR_BOOL, 3, OTR_E_CORRUPT, "0400000118000000 0000000000000000 0800000000000000", "a spare presence bit is refused" },
		{ OTR_BOOL, 3, OTR_E_CORRUPT, "0400000118000000 0000000000000000 0100000000000000", "a presence bit without value is refused" },
		{ OTR__TIMES, 3, OTR_E_CORRUPT, "0400000118000000 0000000000000000 0000000000000000", "times with presence bits are refused" },
		/* DICT: dictionary of 5, 9 (order 0, w = 3); indices 1, 0, 1 */
		{ OTR_I64, 3, OTR_OK, "0301000050000000 0300000000000300 0001000028000000 0200000000000200 0003000000000000 0500000000000000"
		    "2000000000000000 0001000000000000 0000000000000000 0500000000000000", "DICT decodes" },
		{ OTR_I64, 3, OTR_E_CORRUPT, "0301000050000000 0300000000000300 0001000028000000 0200000000000200 0003000000000000 0500000000000000"
		    "0400000000000000 0001000000000000 0000000000000000 0500000000000000", "a dictionary that descends is refused" },
		{ OTR_I64, 3, OTR_E_CORRUPT, "0301000050000000 0300000000000300 0001000028000000 0200000000000200 0003000000000000 0500000000000000"
		    "2000000000000000 0001000000000000 0100000000000000 0500000000000000", "an index beyond the dictionary is refused" },
		/* RUN: lengths 2, 1 (less 1: 1, 0), values 7, 9 */
		{ OTR_I64, 3, OTR_OK, "0002000048000000 0300000000000000 0200000018000000 0001000000000000 0000000000000000 0100000000000000"
		    "0002000000000000 0700000000000000 0800000000000000", "RUN decodes" },
		{ OTR_I64, 3, OTR_E_CORRUPT, "0002000048000000 0300000000000000 0200000018000000 0001000000000000 0000000000000000 0300000000000000"
		    "0002000000000000 0700000000000000 0800000000000000", "runs of more values than there are are refused" },
		{ OTR_I64, 3, OTR_E_CORRUPT, "0002000048000000 0300000000000000 0200000018000000 0001000000000000 0000000000000000 0000000000000000"
		    "0002000000000000 0700000000000000 0800000000000000", "runs of fewer values are refused" },
		{ OTR_I64, 3, OTR_E_CORRUPT, "0002000048000000 0300000000000000 0200000018000000 0001000000000000 ffffffffffffffff 0100000000000000"
		    "0002000000000000 0700000000000000 0800000000000000", "a length that wraps is refused" },
	};
	uint8_t chunk[256];
	bool has_null;
	size_t i, len;

	for (i = 0; i < sizeof list / sizeof list[0]; i++) {
		len = unhex(list[i].hex, chunk);
		CHECK(decode(chunk, len, list[i].content, list[i].rows, &has_null) == list[i].status, list[i].sentence);
	}
}

/* Values that bytes describe better than bits: with one fifth far away, and often again. */
static void
deflating(void)
{
	struct otr__hint hint = { .valid = false };
	struct otr__chunk_header header;
	struct otr_error err;
	size_t plain, size;
	uint32_t i;

	for (i = 0; i < 8000; i++)
		value[i] = i == 0 ? 0 : value[i - 1] + (tap_random(&seed) % 5 == 0 ? 200 : tap_random(&seed) % 4);
	size = round_trip(OTR_I64, 8000, false, &hint);
	CHECK(size > 0 && otr__chunk_peek(bytes, 16, 8000, &header, &err) != OTR_E_UNSUPPORTED && (bytes[3] & 2) != 0, "what deflate makes smaller is deflated");
	scratch->deflate = false;
	plain = round_trip(OTR_I64, 8000, false, &(struct otr__hint){ .valid = false });
	scratch->deflate = true;
	CHECK(size < plain - plain / 8, "byte planes deflated take less than packed bits");
	for (i = 0; i < 8000; i++)
		value[i] = tap_random(&seed);
	CHECK(round_trip(OTR_I64, 8000, false, &(struct otr__hint){ .valid = false }) > 0 && (bytes[3] & 2) == 0, "noise is not deflated");
}

int
main(void)
{
	scratch = otr__scratch_create();
	if (scratch == NULL)
		return 1;
	examples();
	refusals();
	round_trips();
	scratch->deflate = true;
	round_trips();
	deflating();
	scratch->deflate = false;
	mutations();
	deflated();
	otr__scratch_free(scratch);
	return tap_done();
}
