/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intmath.h - checked arithmetic and a two-word 128-bit integer.
 *
 * 32-bit targets have no __int128, so the exact sums of SPEC 6 use this type everywhere: one implementation, one set of bugs.
 */
#ifndef OTR_INTMATH_H
#define OTR_INTMATH_H

#include <stdbool.h>

#include "bytes.h"

/* ---- checked: false, and *r untouched, where the result does not fit ------------------------------------------------------ */

static inline bool
otr__add_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	if (a > UINT64_MAX - b)
		return false;
	*r = a + b;
	return true;
}

static inline bool
otr__mul_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	if (b != 0 && a > UINT64_MAX / b)
		return false;
	*r = a * b;
	return true;
}

static inline bool
otr__add_i64(int64_t a, int64_t b, int64_t *r)
{
	if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b)
		return false;
	*r = a + b;
	return true;
}

static inline bool
otr__narrow_u32(uint64_t a, uint32_t *r)
{
	if (a > UINT32_MAX)
		return false;
	*r = (uint32_t)a;
	return true;
}

static inline bool
otr__narrow_u16(uint64_t a, uint16_t *r)
{
	if (a > UINT16_MAX)
		return false;
	*r = (uint16_t)a;
	return true;
}

static inline bool
otr__narrow_size(uint64_t a, size_t *r)
{
	if (a > SIZE_MAX)
		return false;
	*r = (size_t)a;
	return true;
}

/* Modulo 2^64, where signed arithmetic would be undefined. */
static inline int64_t
otr__wrap_add(int64_t a, int64_t b)
{
	return otr__i64((uint64_t)a + (uint64_t)b);
}

/* b - a for a <= b, as no signed type could hold it: the distance of two times or values. */
static inline uint64_t
otr__distance(int64_t a, int64_t b)
{
	return (uint64_t)b - (uint64_t)a;
}

/* Position of the highest set bit, from 1; 0 for 0.  So a value fits into that many bits. */
static inline unsigned
otr__bit_length(uint64_t a)
{
#if defined(__GNUC__)
	return a == 0 ? 0 : 64 - (unsigned)__builtin_clzll(a);
#else
	unsigned n = 0;

	for (; a != 0; a >>= 1)
		n++;
	return n;
#endif
}

/* Trailing zero bits; 64 for 0. */
static inline unsigned
otr__trailing_zeros(uint64_t a)
{
	return otr__bit_length(a & (0 - a)) == 0 ? 64 : otr__bit_length(a & (0 - a)) - 1;
}

/* ---- 128 bits, two's complement ------------------------------------------------------------------------------------------ */

struct otr__i128 {
	uint64_t lo;
	int64_t hi;
};

static inline struct otr__i128
otr__i128_of(int64_t a)
{
	return (struct otr__i128){ .lo = (uint64_t)a, .hi = a < 0 ? -1 : 0 };
}

static inline struct otr__i128
otr__i128_of_u64(uint64_t a)
{
	return (struct otr__i128){ .lo = a, .hi = 0 };
}

/* Modulo 2^128; the sums of SPEC 6 stay below 2^126, so that nothing is lost. */
static inline struct otr__i128
otr__i128_add(struct otr__i128 a, struct otr__i128 b)
{
	uint64_t lo = a.lo + b.lo;

	return (struct otr__i128){ .lo = lo, .hi = otr__i64((uint64_t)a.hi + (uint64_t)b.hi + (lo < a.lo)) };
}

static inline struct otr__i128
otr__i128_neg(struct otr__i128 a)
{
	return (struct otr__i128){ .lo = 0 - a.lo, .hi = otr__i64(~(uint64_t)a.hi + (a.lo == 0)) };
}

static inline struct otr__i128
otr__i128_sub(struct otr__i128 a, struct otr__i128 b)
{
	return (struct otr__i128){ .lo = a.lo - b.lo, .hi = otr__i64((uint64_t)a.hi - (uint64_t)b.hi - (a.lo < b.lo)) };
}

static inline struct otr__i128
otr__i128_add_i64(struct otr__i128 a, int64_t b)
{
	return otr__i128_add(a, otr__i128_of(b));
}

/* The product modulo 2^128: exact and not negative if it is below 2^127. */
static inline struct otr__i128
otr__i128_mul_u64(uint64_t a, uint64_t b)
{
	uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
	uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32), mid2 = a0 * b1 + (mid & UINT32_MAX);

	return (struct otr__i128){ .lo = mid2 << 32 | (low & UINT32_MAX), .hi = otr__i64(a1 * b1 + (mid >> 32) + (mid2 >> 32)) };
}

static inline struct otr__i128
otr__i128_mul_i64(int64_t a, int64_t b)
{
	struct otr__i128 p = otr__i128_mul_u64(a < 0 ? 0 - (uint64_t)a : (uint64_t)a, b < 0 ? 0 - (uint64_t)b : (uint64_t)b);

	return (a < 0) != (b < 0) ? otr__i128_neg(p) : p;
}

/* Negative, 0, positive as a < b, a == b, a > b. */
static inline int
otr__i128_compare(struct otr__i128 a, struct otr__i128 b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* The nearest double, ties to even. */
static inline double
otr__i128_to_double(struct otr__i128 a)
{
	bool negative = a.hi < 0;
	struct otr__i128 m = negative ? otr__i128_neg(a) : a;
	uint64_t high = (uint64_t)m.hi, top;   /* unsigned: -2^127 negated is itself, and right as such */
	unsigned shift, length = high != 0 ? 64 + otr__bit_length(high) : otr__bit_length(m.lo);
	double d;

	/* 62 leading bits, and below them one that says "something followed": enough to round once, in the conversion of an i64 */
	if (length <= 62)
		d = (double)otr__i64(m.lo);
	else {
		shift = length - 62;   /* 1..66 */
		if (shift >= 64)
			top = shift == 64 ? high : high >> (shift - 64);
		else
			top = high << (64 - shift) | m.lo >> shift;
		if (shift > 64 ? m.lo != 0 || high << (128 - shift) != 0 : m.lo << (64 - shift) != 0)
			top |= 1;
		d = (double)otr__i64(top) * otr__double_of((uint64_t)(1023 + shift) << 52);
	}
	return negative ? -d : d;
}

/*
 * floor(a / b) and a - b floor(a / b), for b > 0: 0 <= *remainder < b.
 * By schoolbook long division in base 2, once a leaf: speed is no matter.
 */
static inline struct otr__i128
otr__i128_div_u64(struct otr__i128 a, uint64_t b, uint64_t *remainder)
{
	bool negative = a.hi < 0;
	struct otr__i128 m = negative ? otr__i128_neg(a) : a;
	uint64_t high = (uint64_t)m.hi, rest = high % b, lo = 0;
	unsigned i;

	high /= b;
	for (i = 64; i-- > 0; ) {
		bool carry = rest >> 63 != 0;

		rest = rest << 1 | (m.lo >> i & 1);
		lo <<= 1;
		if (carry || rest >= b) {
			rest -= b;
			lo |= 1;
		}
	}
	m = (struct otr__i128){ .lo = lo, .hi = otr__i64(high) };
	if (negative) {
		m = otr__i128_neg(m);
		if (rest != 0) {
			m = otr__i128_add_i64(m, -1);
			rest = b - rest;
		}
	}
	*remainder = rest;
	return m;
}

#endif
