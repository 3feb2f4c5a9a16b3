/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * numtext.h - numbers as decimal text, in and out, exact and without a locale (cli.md 3, "Values in text").
 *
 * In: the value nearest to the text, rounded once to its own type.  Out: the shortest digits that give the same value back.
 * A value is its bits, as in struct otr_rows.  No allocation, no state.
 */
#ifndef OTR_TOOLS_NUMTEXT_H
#define OTR_TOOLS_NUMTEXT_H

#include "../lib/otr.h"

#include <string.h>

#define NUMTEXT_MAX 48         /* room that any number here needs, also an i128 */

enum numtext_status {
	NUMTEXT_OK,
	NUMTEXT_NOT_NUMBER,
	NUMTEXT_COMMA,             /* 1,5 */
	NUMTEXT_HEX,               /* 0x10 */
	NUMTEXT_GROUPED,           /* 1_000 */
	NUMTEXT_FRACTION,          /* 1.5 or 1e3 for an integer */
	NUMTEXT_RANGE,
	NUMTEXT_NOT_BOOL,
	NUMTEXT_BAD_NAN            /* NaN(0x..) that is no NaN of the type */
};

/* "not a number", and what to do about it (or ""). */
const char *numtext_what(enum numtext_status status);
const char *numtext_remedy(enum numtext_status status);

/* Reads all len bytes at text as a value of the type.  *bits is written on NUMTEXT_OK only. */
enum numtext_status numtext_read(enum otr_type type, const char *text, size_t len, uint64_t *bits);

/* Decimal digits alone, without sign: all of len bytes, at least one.  False also if it does not fit. */
bool numtext_read_count(const char *text, size_t len, uint64_t *value);

/* Each writes at out (NUMTEXT_MAX bytes) without a NUL and returns the end. */
char *numtext_write_u64(char *out, uint64_t value);
char *numtext_write_i64(char *out, int64_t value);
char *numtext_write_i128(char *out, int64_t high, uint64_t low);
char *numtext_write_f64(char *out, double value);
char *numtext_write_f32(char *out, float value);
/* A value of any type, as its bits. */
char *numtext_write(char *out, enum otr_type type, uint64_t bits);
/* Exactly `digits` digits, zeros in front. */
char *numtext_write_padded(char *out, uint64_t value, unsigned digits);

/* Bits and values. */
static inline double
numtext_f64(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

static inline float
numtext_f32(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float v;

	memcpy(&v, &low, sizeof v);
	return v;
}

static inline uint64_t
numtext_f64_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static inline uint64_t
numtext_f32_bits(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

/* ---- the fast path of a loader: plain decimals that end at a byte which is no part of a number ---- */

extern const double numtext_power[23];         /* 10^0 .. 10^22, all exact */

/*
 * Reads `[-]digits[.digits]` at p, at most 19 digits, up to the first other byte, which must exist.  Returns that byte's place, or NULL
 * where this is no such number or the value would not be exact or rounded once: the caller then takes the general way.
 */
static inline const char *
numtext_fast(const char *p, double *value)
{
	bool negative = *p == '-';
	const char *start, *point = NULL;
	uint64_t mantissa = 0;
	unsigned digit;
	size_t count, fraction = 0;

	p += negative;
	start = p;
	while ((digit = (unsigned)(unsigned char)*p - '0') < 10) {
		mantissa = mantissa * 10 + digit;
		p++;
	}
	count = (size_t)(p - start);
	if (*p == '.') {
		point = ++p;
		while ((digit = (unsigned)(unsigned char)*p - '0') < 10) {
			mantissa = mantissa * 10 + digit;
			p++;
		}
		fraction = (size_t)(p - point);
		count += fraction;
	}
	/* mantissa <= 2^53 and a power of ten up to 10^22 are exact doubles, so that the one division rounds once */
	if (count == 0 || count > 19 || mantissa > (UINT64_C(1) << 53))
		return NULL;
	*value = (double)mantissa / numtext_power[fraction];
	if (negative)
		*value = -*value;
	return p;
}

/* Reads `[-]digits`, at most 18, likewise. */
static inline const char *
numtext_fast_integer(const char *p, int64_t *value)
{
	bool negative = *p == '-';
	const char *start;
	uint64_t v = 0;
	unsigned digit;
	size_t count;

	p += negative;
	start = p;
	while ((digit = (unsigned)(unsigned char)*p - '0') < 10) {
		v = v * 10 + digit;
		p++;
	}
	count = (size_t)(p - start);
	if (count == 0 || count > 18)
		return NULL;
	*value = negative ? -(int64_t)v : (int64_t)v;
	return p;
}

/* A double halfway between two floats: rounding it to a float could be the second rounding that goes the other way. */
static inline bool
numtext_is_halfway(double v)
{
	return (numtext_f64_bits(v) & 0x1fffffff) == 0x10000000;
}

#endif
