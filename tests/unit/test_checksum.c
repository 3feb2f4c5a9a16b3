/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_checksum.c - CRC-32 against the vectors of SPEC 2.4.
 */
#include <string.h>

#include "checksum.h"
#include "tap.h"

int
main(void)
{
	static const struct { size_t len; uint32_t crc; const char *sentence; } zeros[] = {
		{ 4092, 0x603b0489, "4092 zero bytes" }, { 8188, 0xaac184f9, "8188 zero bytes" }, { 16380, 0x36aefd86, "16380 zero bytes" },
		{ 32764, 0xb52d2b04, "32764 zero bytes" }, { 65532, 0x510b66bf, "65532 zero bytes" },
	};
	static uint8_t bytes[65536], page[4096], rest[4092];
	size_t i, at;
	int ok = 1;

	CHECK(otr__crc32((const uint8_t *)"123456789", 9) == 0xcbf43926, "123456789 gives CBF43926");
	for (i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
		CHECK(otr__crc32(bytes, zeros[i].len) == zeros[i].crc, zeros[i].sentence);
	CHECK(otr__crc32_without(bytes, 4096, 0) == 0x603b0489, "a page of zeros gives the CRC of the 4092 behind its own");
	for (i = 0; i < sizeof page; i++)
		page[i] = (uint8_t)(i * 7 ^ i >> 5);
	for (at = 0; at <= 4092; at += 4) {
		memcpy(rest, page, at);
		memcpy(rest + at, page + at + 4, 4092 - at);
		ok &= otr__crc32_without(page, 4096, at) == otr__crc32(rest, 4092);
	}
	CHECK(ok, "the CRC without four bytes is that of the others joined");
	return tap_done();
}
