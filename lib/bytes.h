/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bytes.h - little-endian loads and stores by shifts (SPEC 2.2): no alignment, no host order assumed.  gcc and clang make one
 * instruction of each.
 */
#ifndef OTR_BYTES_H
#define OTR_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t
otr__get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
otr__get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t
otr__get64(const uint8_t *p)
{
	return (uint64_t)otr__get32(p) | (uint64_t)otr__get32(p + 4) << 32;
}

static inline void
otr__put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
otr__put32(uint8_t *p, uint32_t v)
{
	otr__put16(p, (uint16_t)v);
	otr__put16(p + 2, (uint16_t)(v >> 16));
}

static inline void
otr__put64(uint8_t *p, uint64_t v)
{
	otr__put32(p, (uint32_t)v);
	otr__put32(p + 4, (uint32_t)(v >> 32));
}

/* The bits of a double and back; the bits of a float in the lower half. */
static inline uint64_t
otr__bits_of(double d)
{
	uint64_t u;

	memcpy(&u, &d, sizeof u);
	return u;
}

static inline double
otr__double_of(uint64_t u)
{
	double d;

	memcpy(&d, &u, sizeof d);
	return d;
}

static inline uint32_t
otr__bits_of_f(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

static inline float
otr__float_of(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

/* Two's complement without implementation-defined conversions. */
static inline int64_t
otr__i64(uint64_t u)
{
	int64_t i;

	memcpy(&i, &u, sizeof i);
	return i;
}

#endif
