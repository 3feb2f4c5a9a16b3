/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_header.c - the header of a file (SPEC 3).  A sound one is written as it was read.
 *
 *	u8 flags (1: crc not repaired), header
 */
#include "checksum.h"
#include "fuzz.h"
#include "bytes.h"
#include "header.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	unsigned flags = (unsigned)fuzz_take(&b, 1);
	uint8_t *bytes = fuzz_rest(&b, 0, OTR__HEADER_BYTES), *copy;
	static struct otr__header header;
	struct otr_error err;

	if ((flags & 1) == 0)
		otr__put32(bytes + 8, otr__crc32(bytes + 12, OTR__HEADER_BYTES - 12));
	if (otr__header_decode(bytes, &header, &err) == OTR_OK && header.unsupported_columns == 0) {
		REQUIRE(otr__schema_check(&header.schema, &err) == OTR_OK, "what is read may be created");
		copy = fuzz_memory(OTR__HEADER_BYTES);
		otr__header_encode(copy, &header);
		REQUIRE(memcmp(copy, bytes, OTR__HEADER_BYTES) == 0, "a sound header is written as it was read");
		free(copy);
	}
	free(bytes);
	return 0;
}
