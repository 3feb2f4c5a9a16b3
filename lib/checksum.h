/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.h - CRC-32 as in zlib (SPEC 2.4), and which bytes it covers: all of a page, slot or header but the four that hold it.
 */
#ifndef OTR_CHECKSUM_H
#define OTR_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* "123456789" gives CBF43926. */
uint32_t otr__crc32(const uint8_t *bytes, size_t len);

/* The CRC of bytes[0, len) without the four bytes at `at` (at <= len - 4), where it is stored: 0 in pages and slots. */
uint32_t otr__crc32_without(const uint8_t *bytes, size_t len, size_t at);

#endif
