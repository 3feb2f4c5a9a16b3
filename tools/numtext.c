/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * numtext.c - numbers as decimal text.
 *
 * Fast ways first, each exact: a mantissa of at most 2^53 times or over a power of ten of at most 10^22 is one rounding; a decimal of at
 * most 15 digits (6 for f32) that gives a value back is the only one of its length, hence the shortest.  All else goes to strtod and
 * printf, which in the C locale (never left here) round correctly.
 */
#include "numtext.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1, "doubles must be computed as doubles");

#define TEXT_ROOM 1152         /* digits of a number that strtod must see: 1,100 decide any double (the rest is told by one more) */
#define F64_QUIET_NAN UINT64_C(0x7ff8000000000000)
#define F32_QUIET_NAN UINT64_C(0x7fc00000)

const double numtext_power[23] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
	1e18, 1e19, 1e20, 1e21, 1e22 };

static const char pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566"
    "676869707172737475767778798081828384858687888990919293949596979899";

const char *
numtext_what(enum numtext_status status)
{
	switch (status) {
	case NUMTEXT_OK: return "ok";
	case NUMTEXT_NOT_NUMBER:
	case NUMTEXT_COMMA:
	case NUMTEXT_HEX:
	case NUMTEXT_GROUPED: return "not a number";
	case NUMTEXT_FRACTION: return "not an integer";
	case NUMTEXT_RANGE: return "out of range";
	case NUMTEXT_NOT_BOOL: return "not a bool";
	case NUMTEXT_BAD_NAN: return "not a NaN of this type";
	}
	return "not a number";
}

const char *
numtext_remedy(enum numtext_status status)
{
	switch (status) {
	case NUMTEXT_COMMA: return "the decimal sign is a point";
	case NUMTEXT_HEX: return "hexadecimal is not read";
	case NUMTEXT_GROUPED: return "digits are not grouped";
	case NUMTEXT_NOT_BOOL: return "0, 1, true or false";
	default: return "";
	}
}

/* ---- in ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Compares with a lower-case ASCII word in any case. */
static bool
is_word(const char *text, size_t len, const char *word)
{
	if (len != strlen(word))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]) != word[i])
			return false;
	return true;
}

/* Why text is no decimal number: the habits of other systems get their own answer. */
static enum numtext_status
diagnose(const char *text, size_t len)
{
	size_t i = len > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
	bool digits = false;

	if (len > i + 1 && text[i] == '0' && (text[i + 1] == 'x' || text[i + 1] == 'X'))
		return NUMTEXT_HEX;
	for (; i < len; i++) {
		if (is_digit(text[i]))
			digits = true;
		else if (text[i] == ',' && digits)
			return NUMTEXT_COMMA;
		else if ((text[i] == '_' || text[i] == '\'') && digits)
			return NUMTEXT_GROUPED;
		else
			break;
	}
	return NUMTEXT_NOT_NUMBER;
}

/* NaN(0x7ff8000000000001): all bits, in the width of the type. */
static enum numtext_status
read_nan_bits(const char *text, size_t len, unsigned width, uint64_t exponent, uint64_t *bits)
{
	uint64_t v = 0;

	if (len != 7 + (size_t)width || text[4] != '0' || text[5] != 'x' || text[len - 1] != ')')
		return NUMTEXT_BAD_NAN;
	for (size_t i = 6; i < len - 1; i++) {
		char c = text[i];

		if (is_digit(c))
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (uint64_t)(c - 'A' + 10);
		else
			return NUMTEXT_BAD_NAN;
	}
	if ((v & exponent) != exponent || (v & ~exponent & (width == 16 ? INT64_MAX : INT32_MAX)) == 0)
		return NUMTEXT_BAD_NAN;
	*bits = v;
	return NUMTEXT_OK;
}

/* NaN and infinities in any case.  Returns NUMTEXT_NOT_NUMBER for all else. */
static enum numtext_status
read_special(const char *text, size_t len, bool wide, uint64_t *bits)
{
	uint64_t exponent = wide ? UINT64_C(0x7ff0000000000000) : UINT64_C(0x7f800000);
	size_t sign = len > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;

	if (is_word(text, len, "nan")) {
		*bits = wide ? F64_QUIET_NAN : F32_QUIET_NAN;
		return NUMTEXT_OK;
	}
	if (len > 4 && is_word(text, 4, "nan("))
		return read_nan_bits(text, len, wide ? 16 : 8, exponent, bits);
	if (is_word(text + sign, len - sign, "inf") || is_word(text + sign, len - sign, "infinity")) {
		*bits = exponent | (text[0] == '-' ? wide ? UINT64_C(1) << 63 : UINT64_C(1) << 31 : 0);
		return NUMTEXT_OK;
	}
	return NUMTEXT_NOT_NUMBER;
}

/* A decimal taken apart: up to 19 significant digits, the power of ten, and whether digits other than 0 were left out. */
struct decimal {
	uint64_t mantissa;
	int64_t exponent;
	bool negative, cut;
};

/* [+-](digits[.digits]|.digits)[(e|E)[+-]digits], all of the text. */
static bool
parse(const char *p, const char *end, struct decimal *d)
{
	bool any = false, point = false;
	unsigned count = 0;

	*d = (struct decimal){ 0 };
	if (p < end && (*p == '-' || *p == '+'))
		d->negative = *p++ == '-';
	for (; p < end; p++) {
		if (*p == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(*p))
			break;
		any = true;
		if (count < 19) {
			d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
			count += d->mantissa != 0;
			d->exponent -= point;
		} else {
			d->cut = d->cut || *p != '0';
			d->exponent += !point;
		}
	}
	if (!any)
		return false;
	if (p < end && (*p == 'e' || *p == 'E')) {
		bool negative = false;
		int64_t e = 0;

		p++;
		if (p < end && (*p == '-' || *p == '+'))
			negative = *p++ == '-';
		if (p == end)
			return false;
		for (; p < end && is_digit(*p); p++)
			if (e < 1000000)
				e = e * 10 + (*p - '0');
		d->exponent += negative ? -e : e;
	}
	return p == end;
}

/* The general way, for text that parse took.  strtof rounds once; through a double it would be twice. */
static enum numtext_status
read_slowly(const char *text, size_t len, bool wide, uint64_t *bits)
{
	char room[TEXT_ROOM], *copy = room;
	enum numtext_status status = NUMTEXT_OK;

	if (len >= sizeof room) {
		copy = malloc(len + 1);              /* a number of a thousand digits: rare enough */
		if (copy == NULL)
			return NUMTEXT_NOT_NUMBER;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (wide) {
		double v = strtod(copy, NULL);

		if (isinf(v))
			status = NUMTEXT_RANGE;
		else
			*bits = numtext_f64_bits(v);
	} else {
		float v = strtof(copy, NULL);

		if (isinf(v))
			status = NUMTEXT_RANGE;
		else
			*bits = numtext_f32_bits(v);
	}
	if (copy != room)
		free(copy);
	return status;
}

static enum numtext_status
read_float(const char *text, size_t len, bool wide, uint64_t *bits)
{
	struct decimal d;
	double v;

	if (!parse(text, text + len, &d)) {
		enum numtext_status status = read_special(text, len, wide, bits);

		return status == NUMTEXT_NOT_NUMBER ? diagnose(text, len) : status;
	}
	if (d.cut || d.mantissa > UINT64_C(1) << 53 || d.exponent < -22 || d.exponent > 22)
		return read_slowly(text, len, wide, bits);
	v = (double)d.mantissa;
	v = d.exponent < 0 ? v / numtext_power[-d.exponent] : v * numtext_power[d.exponent];
	if (!wide && (numtext_is_halfway(v) || v > (double)FLT_MAX || (v < (double)FLT_MIN && d.mantissa != 0)))
		return read_slowly(text, len, wide, bits);
	v = d.negative ? -v : v;
	*bits = wide ? numtext_f64_bits(v) : numtext_f32_bits((float)v);
	return NUMTEXT_OK;
}

static enum numtext_status
read_integer(const char *text, size_t len, int64_t min, int64_t max, uint64_t *bits)
{
	const char *p = text, *end = text + len;
	bool negative = false, over = false;
	uint64_t v = 0;
	struct decimal d;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	if (p == end)
		return NUMTEXT_NOT_NUMBER;
	for (; p < end; p++) {
		unsigned digit = (unsigned)(unsigned char)*p - '0';

		if (digit > 9) {
			uint64_t unused;

			if (parse(text, end, &d) || read_special(text, len, true, &unused) == NUMTEXT_OK)
				return NUMTEXT_FRACTION;
			return diagnose(text, len);
		}
		over = over || v > (UINT64_MAX - digit) / 10;
		v = v * 10 + digit;
	}
	if (over || (negative ? v > (uint64_t)0 - (uint64_t)min : v > (uint64_t)max))
		return NUMTEXT_RANGE;
	*bits = negative ? (uint64_t)0 - v : v;
	return NUMTEXT_OK;
}

enum numtext_status
numtext_read(enum otr_type type, const char *text, size_t len, uint64_t *bits)
{
	switch (type) {
	case OTR_BOOL:
		if ((len == 1 && (text[0] == '0' || text[0] == '1')) || is_word(text, len, "true") || is_word(text, len, "false")) {
			*bits = text[0] == '1' || text[0] == 't' || text[0] == 'T';
			return NUMTEXT_OK;
		}
		return NUMTEXT_NOT_BOOL;
	case OTR_I32:
		return read_integer(text, len, INT32_MIN, INT32_MAX, bits);
	case OTR_I64:
		return read_integer(text, len, INT64_MIN, INT64_MAX, bits);
	case OTR_F32:
		return read_float(text, len, false, bits);
	case OTR_F64:
		return read_float(text, len, true, bits);
	}
	return NUMTEXT_NOT_NUMBER;
}

bool
numtext_read_count(const char *text, size_t len, uint64_t *value)
{
	uint64_t v = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(unsigned char)text[i] - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

/* ---- out: integers ---- */

static unsigned
count_digits(uint64_t v)
{
	unsigned n = 1;

	for (;;) {
		if (v < 10)
			return n;
		if (v < 100)
			return n + 1;
		if (v < 1000)
			return n + 2;
		if (v < 10000)
			return n + 3;
		v /= 10000;
		n += 4;
	}
}

char *
numtext_write_padded(char *out, uint64_t value, unsigned digits)
{
	char *p = out + digits;

	while (p - out >= 2) {
		p -= 2;
		memcpy(p, pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (p > out)
		*out = (char)('0' + value % 10);
	return out + digits;
}

char *
numtext_write_u64(char *out, uint64_t value)
{
	if (value < 10) {
		*out = (char)('0' + value);
		return out + 1;
	}
	return numtext_write_padded(out, value, count_digits(value));
}

char *
numtext_write_i64(char *out, int64_t value)
{
	if (value >= 0)
		return numtext_write_u64(out, (uint64_t)value);
	*out = '-';
	return numtext_write_u64(out + 1, (uint64_t)0 - (uint64_t)value);
}

/* By division of two 64-bit words, 32 bits at a time: no type of 128 bits is needed. */
char *
numtext_write_i128(char *out, int64_t high, uint64_t low)
{
	uint32_t word[4];
	uint64_t part[5];
	unsigned parts = 0;
	uint64_t h = (uint64_t)high;

	if (high < 0) {
		*out++ = '-';
		low = (uint64_t)0 - low;
		h = ~h + (low == 0);
	}
	word[0] = (uint32_t)(h >> 32);
	word[1] = (uint32_t)h;
	word[2] = (uint32_t)(low >> 32);
	word[3] = (uint32_t)low;
	do {
		uint64_t rest = 0;

		for (unsigned i = 0; i < 4; i++) {
			uint64_t v = rest << 32 | word[i];

			word[i] = (uint32_t)(v / 1000000000);
			rest = v % 1000000000;
		}
		part[parts++] = rest;
	} while ((word[0] | word[1] | word[2] | word[3]) != 0 && parts < 5);
	out = numtext_write_u64(out, part[--parts]);
	while (parts > 0)
		out = numtext_write_padded(out, part[--parts], 9);
	return out;
}

/* ---- out: floats ---- */

/* Digits (as a number k without trailing zeros) times 10^exponent: plain from 1e-5 to below 1e17, else d.ddde-7. */
static char *
write_digits(char *out, uint64_t k, int exponent)
{
	unsigned digits = count_digits(k);
	int point = (int)digits + exponent;        /* digits before the point */
	char text[48];

	if (exponent < 0 && point > 0) {             /* the usual case: copies of a fixed size, which are a few moves */
		(void)numtext_write_padded(text, k, digits);
		memcpy(out, text, 20);
		memcpy(out + point + 1, text + point, 20);
		out[point] = '.';
		return out + digits + 1;
	}
	if (point > 17 || point < -4) {
		(void)numtext_write_padded(text, k, digits);
		*out++ = text[0];
		if (digits > 1) {
			*out++ = '.';
			memcpy(out, text + 1, digits - 1);
			out += digits - 1;
		}
		*out++ = 'e';
		return numtext_write_i64(out, point - 1);
	}
	if (exponent >= 0) {
		out = numtext_write_padded(out, k, digits);
		memset(out, '0', (size_t)exponent);
		return out + exponent;
	}
	memcpy(out, "0.0000", 6);
	return numtext_write_padded(out + 2 - point, k, digits);
}

static char *
write_nan(char *out, uint64_t bits, bool wide)
{
	if (bits == (wide ? F64_QUIET_NAN : F32_QUIET_NAN)) {
		memcpy(out, "NaN", 3);
		return out + 3;
	}
	return out + sprintf(out, wide ? "NaN(0x%016llx)" : "NaN(0x%08llx)", (unsigned long long)bits);
}

static char *
write_infinity(char *out)
{
	memcpy(out, "inf", 3);
	return out + 3;
}

/* "d.ddde+xx" of `digits` digits, moved by `up` units of the last digit, as a number and a power of ten. */
static void
scientific(double v, unsigned digits, unsigned up, uint64_t *k, int *exponent)
{
	char text[40];
	const char *p = text;

	(void)snprintf(text, sizeof text, "%.*e", (int)digits - 1, v);
	*k = 0;
	for (; *p != 'e'; p++)
		if (*p != '.')
			*k = *k * 10 + (uint64_t)(*p - '0');
	*exponent = (int)strtol(p + 1, NULL, 10) - ((int)digits - 1);
	*k += up;
}

static bool
gives_back(uint64_t k, int exponent, double v, bool wide)
{
	char text[40];

	(void)snprintf(text, sizeof text, "%llue%d", (unsigned long long)k, exponent);
	return wide ? strtod(text, NULL) == v : (double)strtof(text, NULL) == v;
}

/*
 * The shortest by trial.  At a power of two the values below are twice as dense as those above, so the nearest decimal of a length may
 * miss while the next one up hits.
 */
static char *
write_slowly(char *out, double v, unsigned from, bool wide)
{
	unsigned last = wide ? 17 : 9;
	bool power = wide ? (numtext_f64_bits(v) & 0xfffffffffffff) == 0 : (numtext_f32_bits((float)v) & 0x7fffff) == 0;
	uint64_t k = 0;
	int exponent = 0;

	for (unsigned digits = from; digits <= last; digits++) {
		scientific(v, digits, 0, &k, &exponent);
		if (digits == last || gives_back(k, exponent, v, wide))
			break;
		if (power && gives_back(k + 1, exponent, v, wide)) {
			k++;
			break;
		}
	}
	for (; k % 10 == 0; exponent++)
		k /= 10;
	return write_digits(out, k, exponent);
}

/* v * 10^s rounded; v is below 1e15, so the product is exact enough to be tested, and small enough for an integer. */
static uint64_t
scale(double v, unsigned s)
{
	return (uint64_t)(v * numtext_power[s] + 0.5);
}

/*
 * k / 10^s == v, both exact and the division rounded once, says that k * 10^-s is read back as v.  With k below 10^15 no other decimal of
 * as many digits is; trailing zeros taken off, it is the shortest.
 */
static bool
find_short(double v, uint64_t *k, unsigned *s)
{
	static const unsigned char tries[] = { 2, 4, 8, 14 };

	for (unsigned i = 0; i < sizeof tries; i++) {
		*s = tries[i];
		if (v * numtext_power[*s] >= 1e15)
			break;
		*k = scale(v, *s);
		if ((double)*k / numtext_power[*s] == v)
			return *k > 0;
	}
	/* all digits that fit into 15 */
	while (*s > 0 && v * numtext_power[*s] >= 1e15)
		--*s;
	while (*s < 19 && v * numtext_power[*s + 1] < 1e15)
		++*s;
	*k = scale(v, *s);
	return *k > 0 && *k < UINT64_C(1000000000000000) && (double)*k / numtext_power[*s] == v;
}

char *
numtext_write_f64(char *out, double value)
{
	uint64_t bits = numtext_f64_bits(value), k;
	double v = value;
	unsigned s;

	if (value != value)
		return write_nan(out, bits, true);
	if (bits >> 63 != 0) {
		*out++ = '-';
		v = -v;
	}
	if (v == 0) {
		*out = '0';
		return out + 1;
	}
	if (isinf(v))
		return write_infinity(out);
	if (v < 1e15 && v >= 1e-5) {
		if (v == (double)(uint64_t)v)
			return numtext_write_u64(out, (uint64_t)v);
		if (find_short(v, &k, &s)) {
			for (; k % 10 == 0; s--)
				k /= 10;
			return write_digits(out, k, -(int)s);
		}
		return write_slowly(out, v, 15, true);
	}
	return write_slowly(out, v, v < DBL_MIN ? 1 : 15, true);
}

char *
numtext_write_f32(char *out, float value)
{
	uint64_t bits = numtext_f32_bits(value);
	double v = (double)value;

	if (value != value)
		return write_nan(out, bits, false);
	if (bits >> 31 != 0) {
		*out++ = '-';
		v = -v;
	}
	if (v == 0) {
		*out = '0';
		return out + 1;
	}
	if (isinf(v))
		return write_infinity(out);
	if (v < 1e6 && v == (double)(uint64_t)v)
		return numtext_write_u64(out, (uint64_t)v);
	if (v < 1e6 && v >= 1e-5)
		/* the fewest digits that give it back; the double quotient decides unless it lies halfway between two floats */
		for (unsigned s = 1; s <= 12; s++) {
			uint64_t k = scale(v, s);
			double back;

			k -= (k & 1) != 0 && (double)k - v * numtext_power[s] == 0.5;        /* between two: the even one, as printf */
			back = (double)k / numtext_power[s];
			if (k >= 1000000000 || (k >= 1000000 && (bits & 0x7fffff) == 0) || numtext_is_halfway(back))
				break;
			if ((double)(float)back == v)
				return write_digits(out, k, -(int)s);
		}
	return write_slowly(out, v, v < (double)FLT_MIN ? 1 : 6, false);
}

char *
numtext_write(char *out, enum otr_type type, uint64_t bits)
{
	switch (type) {
	case OTR_BOOL:
		*out = bits != 0 ? '1' : '0';
		return out + 1;
	case OTR_I32:
	case OTR_I64:
		return numtext_write_i64(out, (int64_t)bits);
	case OTR_F32:
		return numtext_write_f32(out, numtext_f32(bits));
	case OTR_F64:
		return numtext_write_f64(out, numtext_f64(bits));
	}
	return out;
}
