/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decimal.c - the DECIMAL transform (SPEC 7.5).
 *
 * v = k / 10^s, one correctly rounded division; k * 10^-s for s < 0: exact numbers in, one rounding, so every machine gives the same bits.
 * (k * 0.01 would be wrong for 1,327 of 0.00..99.99.)  f32: the double is then rounded once more.
 *
 * 20.01, 20.02, NaN, 20.04 with s = 2: 2001, 2002, any, 2004, and value 2 is an exception.
 *
 * The loops run over blocks of 64 values in local arrays: gcc -O2 vectorises only what has a known count and no aliases.
 */
#include "decimal.h"

#include "fpmath.h"
#include "intmath.h"

#define BLOCK 64

/*
 * An i64 of up to 2^53 in size as f64, in steps that SSE2 has for vectors: the halves are put under exponents where they stand for
 * themselves, and each addition is exact.
 */
static inline double
exact(uint64_t k)
{
	double high = otr__double_of((k >> 32) ^ UINT64_C(0x4530000080000000));          /* 2^84 + (high + 2^31) 2^32 */
	double low = otr__double_of((k & UINT32_MAX) | UINT64_C(0x4330000000000000));    /* 2^52 + low */

	return (high - 0x1.00000801p84) + low;   /* less 2^84 + 2^63 + 2^52 */
}

/* Negative if k is beyond 2^53 in size. */
static inline uint64_t
beyond(uint64_t k)
{
	return (k + (uint64_t)OTR__DECIMAL_K_MAX) | ((uint64_t)OTR__DECIMAL_K_MAX - k);
}

static uint64_t
decode_block(uint64_t *x, double power, bool divide)
{
	uint64_t bad = 0;
	size_t i;

	if (divide)
		for (i = 0; i < BLOCK; i++) {
			bad |= beyond(x[i]);
			x[i] = otr__bits_of(exact(x[i]) / power);
		}
	else
		for (i = 0; i < BLOCK; i++) {
			bad |= beyond(x[i]);
			x[i] = otr__bits_of(exact(x[i]) * power);
		}
	return bad;
}

bool
otr__decimal_decode(uint64_t *x, size_t n, int s, bool single)
{
	double power = otr__power_of_ten((unsigned)(s < 0 ? -s : s));
	uint64_t bad = 0;
	size_t i = 0;

	for (; n - i >= BLOCK; i += BLOCK)
		bad |= decode_block(x + i, power, s > 0);
	for (; i < n; i++) {
		bad |= beyond(x[i]);
		x[i] = otr__bits_of(s > 0 ? exact(x[i]) / power : exact(x[i]) * power);
	}
	if (single)
		for (i = 0; i < n; i++)
			x[i] = otr__bits_of_f((float)otr__double_of(x[i]));
	return bad >> 63 == 0;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------------- */

static inline double
widened(uint64_t bits, bool single)
{
	return single ? (double)otr__float_of((uint32_t)bits) : otr__double_of(bits);
}

/* Adding and subtracting it rounds to an integer, for sizes below 2^51; and the integer stands in the low bits between. */
#define ROUNDER 0x1.8p52

/* Whether an integer gives the bits of v, then in *k.  The plain way, up to 2^53: used where the blocks below fail. */
static bool
try_one(uint64_t bits, int s, bool single, uint64_t *k)
{
	double power = otr__power_of_ten((unsigned)(s < 0 ? -s : s));
	double v = widened(bits, single), t = s > 0 ? v * power : v / power, back;
	int64_t i;

	if (!(t >= -0x1p53 && t <= 0x1p53))   /* a NaN is not */
		return false;
	if (t > -0x1p51 && t < 0x1p51)
		i = (int64_t)((t + ROUNDER) - ROUNDER);
	else
		i = (int64_t)t;
	back = s > 0 ? (double)i / power : (double)i * power;
	if (single ? otr__bits_of_f((float)back) != (uint32_t)bits : otr__bits_of(back) != bits)
		return false;
	*k = (uint64_t)i;
	return true;
}

/* Not 0 if some value of the block needs try_one. */
static uint64_t
encode_block(const uint64_t *restrict value, double power, bool divide, uint64_t *restrict out)
{
	uint64_t wrong = 0;
	size_t i;

	if (divide)
		for (i = 0; i < BLOCK; i++) {
			double t = otr__double_of(value[i]) * power, r = t + ROUNDER;

			out[i] = otr__bits_of(r) - otr__bits_of(ROUNDER);
			r = r - ROUNDER;
			wrong |= otr__bits_of(r / power) ^ value[i];
		}
	else
		for (i = 0; i < BLOCK; i++) {
			double t = otr__double_of(value[i]) / power, r = t + ROUNDER;

			out[i] = otr__bits_of(r) - otr__bits_of(ROUNDER);
			r = r - ROUNDER;
			wrong |= otr__bits_of(r * power) ^ value[i];
		}
	/* beyond 2^51 the low bits are no integer, though the value may come back */
	for (i = 0; i < BLOCK; i++)
		wrong |= (out[i] + (UINT64_C(1) << 51)) >> 52;
	return wrong;
}

/*
 * Integers for the exceptions, which may be any: on the line between the neighbours, so that differences stay as small as they are
 * (repeating the one before would double the next difference, and cost a bit for every value); where the values are flat before, as
 * in runs, that one is repeated.
 */
static void
fill_exceptions(uint64_t *out, size_t n, const uint16_t *exception, size_t exceptions)
{
	size_t i, j, begin, end;

	for (i = 0; i < exceptions; i = j) {
		int64_t before, step = 0;

		begin = exception[i];
		for (j = i + 1; j < exceptions && exception[j] == exception[j - 1] + 1; j++)
			;
		end = begin + (j - i);
		before = otr__i64(begin > 0 ? out[begin - 1] : end < n ? out[end] : 0);
		/* both are at most 2^53 in size */
		if (begin > 0 && end < n && (begin == 1 || out[begin - 1] != out[begin - 2]))
			step = (otr__i64(out[end]) - before) / (int64_t)(end - begin + 1);
		for (; begin < end; begin++)
			out[begin] = (uint64_t)(before += step);
	}
}

size_t
otr__decimal_encode(const uint64_t *value, size_t n, int s, bool single, uint64_t *out, uint16_t *exception, size_t exceptions_max)
{
	double power = otr__power_of_ten((unsigned)(s < 0 ? -s : s));
	size_t i = 0, j, end, x = 0;

	while (i < n) {
		if (!single && n - i >= BLOCK && encode_block(value + i, power, s > 0, out + i) == 0) {
			i += BLOCK;
			continue;
		}
		end = n - i < BLOCK ? n : i + BLOCK;
		for (j = i; j < end; j++)
			if (!try_one(value[j], s, single, &out[j])) {
				if (x == exceptions_max)
					return exceptions_max + 1;
				exception[x++] = (uint16_t)j;
			}
		i = end;
	}
	fill_exceptions(out, n, exception, x);
	return x;
}

#define SAMPLE 48
#define S_COUNT (2 * OTR__DECIMAL_S_MAX + 1)

/*
 * Each sampled value has a least s that gives it (2 for 20.01, -3 for 5000); all greater ones do too, until k is too large.  So the values
 * that an s serves are those with a least s up to it, and one digit more costs log2(10) bits a value, an exception 80.
 */
bool
otr__decimal_find(const uint64_t *value, size_t n, bool single, int hint, int *s)
{
	size_t step = n <= SAMPLE ? 1 : (n / SAMPLE) | 1, count = 0, zeros = 0, served = 0, i;
	uint32_t least[S_COUNT] = { 0 };
	double cost, best = 1e300;
	int t, low, guess = hint;
	uint64_t k;
	bool any = false;

	for (i = 0; i < n; i += step) {
		count++;
		if (widened(value[i], single) == 0) {
			zeros += value[i] == 0;   /* +0 is an integer of every s, -0 of none */
			continue;
		}
		/* from the guess downwards while it holds, else upwards */
		low = S_COUNT;
		if (try_one(value[i], guess, single, &k)) {
			for (low = guess; low > -OTR__DECIMAL_S_MAX && k % 10 == 0 && try_one(value[i], low - 1, single, &k); low--)
				;
		} else {
			for (t = -OTR__DECIMAL_S_MAX; t <= OTR__DECIMAL_S_MAX; t++)
				if (try_one(value[i], t, single, &k)) {
					low = t;
					break;
				}
		}
		if (low != S_COUNT) {
			least[low + OTR__DECIMAL_S_MAX]++;
			guess = low > guess ? low : guess;
		}
	}
	served = zeros;
	if (zeros == count) {
		*s = hint;
		return true;
	}
	for (t = 0; t < S_COUNT; t++) {
		served += least[t];
		if (least[t] == 0)
			continue;
		cost = (double)(count - served) * 80 + (double)t * 3.33 * (double)count;
		if (cost < best) {
			best = cost;
			*s = t - OTR__DECIMAL_S_MAX;
			any = 4 * served >= 3 * count;
		}
	}
	return any;
}
