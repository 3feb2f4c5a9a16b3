/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what the fuzz targets share: bytes taken from an input, a schema made of some, conditions that must hold, limits of time.
 *
 * A target is one fuzz_NAME.c with LLVMFuzzerTestOneInput, linked with libFuzzer, or with driver.c where that is not to be had.  Whatever bytes it
 * is given, it returns 0.  A find is a crash, a sanitizer's report, a failed REQUIRE, or more time or memory than testing allows.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_SLOWER 10.0
#endif
#endif
#if !defined(FUZZ_SLOWER) && defined(__SANITIZE_ADDRESS__)
#define FUZZ_SLOWER 10.0
#endif
#ifndef FUZZ_SLOWER
#define FUZZ_SLOWER 1.0          /* how much slower code may be than as it is shipped */
#endif

#define REQUIRE(cond, sentence) ((cond) ? (void)0 : fuzz_fail(sentence, __FILE__, __LINE__))

_Noreturn static inline void
fuzz_fail(const char *sentence, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, sentence);
	abort();
}

/* ---- the input ---- */

struct fuzz_bytes {
	const uint8_t *at;
	size_t left;
};

/* The next n bytes, 1..8, as a number, little-endian; zeros behind the end. */
static inline uint64_t
fuzz_take(struct fuzz_bytes *b, unsigned n)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < n && b->left > 0; i++, b->at++, b->left--)
		v |= (uint64_t)b->at[0] << (8 * i);
	return v;
}

/* Memory of exactly n bytes, so that a sanitizer sees one byte too many; zeros. */
static inline void *
fuzz_memory(size_t n)
{
	void *p = calloc(n == 0 ? 1 : n, 1);

	REQUIRE(p != NULL, "there is memory");
	return p;
}

/* The rest of the input in memory of its own, of exactly `size` bytes: cut, or with zeros behind.  The caller's, freed with free. */
static inline uint8_t *
fuzz_rest(struct fuzz_bytes *b, size_t at, size_t size)
{
	uint8_t *p = fuzz_memory(size);
	size_t n = b->left < size - at ? b->left : size - at;

	if (n > 0)
		memcpy(p + at, b->at, n);
	b->at += n;
	b->left -= n;
	return p;
}

/* u8 page exponent less 12, u8 columns less 1 and in its highest bit has_gap, a byte each column: type, and in its highest bit step. */
static inline void
fuzz_schema(struct fuzz_bytes *b, struct otr_schema *schema)
{
	unsigned exponent = (unsigned)fuzz_take(b, 1) % 5 + 12, columns = (unsigned)fuzz_take(b, 1), c;

	memset(schema, 0, sizeof *schema);
	schema->page_bytes = 1u << exponent;
	schema->columns = columns % OTR_MAX_COLUMNS + 1;
	schema->has_gap = columns >> 7 != 0;
	schema->gap_ns = schema->has_gap ? 1000000000 : 0;
	for (c = 0; c < schema->columns; c++) {
		unsigned type = (unsigned)fuzz_take(b, 1);

		(void)snprintf(schema->column[c].name, sizeof schema->column[c].name, "c%u", c);
		schema->column[c].type = (enum otr_type)(type % 5 + 1);
		schema->column[c].interpolation = type >> 7 != 0 ? OTR_STEP : OTR_LINEAR;
	}
}

/* Any 64 bits made a value of a type, as struct otr_rows has it. */
static inline uint64_t
fuzz_value(enum otr_type type, uint64_t v)
{
	switch (type) {
	case OTR_BOOL: return v & 1;
	case OTR_I32: return (uint64_t)(int64_t)(int32_t)(uint32_t)v;
	case OTR_F32: return v & UINT32_MAX;
	default: return v;
	}
}

/* ---- time ---- */

/* No step may take more of the processor's time than this many seconds. */
static inline void
fuzz_within(clock_t from, double seconds, const char *what)
{
	double took = (double)(clock() - from) / CLOCKS_PER_SEC;

	if (took > seconds * FUZZ_SLOWER) {
		fprintf(stderr, "%s took %.2f s\n", what, took);
		abort();
	}
}

#endif
