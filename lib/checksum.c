/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.c - CRC-32, by zlib.
 *
 * Every language has this one, and at page sizes it finds all errors of one and two bits (SPEC 2.4).
 */
#include "checksum.h"

#include <zlib.h>

uint32_t
otr__crc32(const uint8_t *bytes, size_t len)
{
	return otr__crc32_without(bytes, len, len);
}

uint32_t
otr__crc32_without(const uint8_t *bytes, size_t len, size_t at)
{
	uLong crc = crc32(0, Z_NULL, 0);

	crc = crc32_z(crc, bytes, at);
	if (at < len)
		crc = crc32_z(crc, bytes + at + 4, len - at - 4);
	return (uint32_t)crc;
}
