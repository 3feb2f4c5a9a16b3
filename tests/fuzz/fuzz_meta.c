/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_meta.c - a metadata page, and the stream of entries (SPEC 5.6).
 *
 *	u8 what (0: a page of 4096 bytes from byte 32 on, else a stream)
 */
#include "fuzz.h"
#include "meta.h"

static void
read_stream(const uint8_t *bytes, size_t len)
{
	struct otr__reader r = otr__reader_of(bytes, len);
	uint8_t *copy = fuzz_memory(len);
	struct otr__put w = otr__put_into(copy, len);
	const uint8_t *key = NULL, *value;
	size_t key_len = 0, value_len;
	struct otr_error err;
	enum otr_status status;

	while ((status = otr__meta_next(&r, key, key_len, &key, &key_len, &value, &value_len, &err)) == OTR_OK) {
		REQUIRE(otr__meta_key_ok(key, key_len) && otr__meta_value_ok(value, value_len), "an entry that is read may be written");
		otr__meta_put(&w, key, key_len, value, value_len);
	}
	REQUIRE(status != OTR_END || memcmp(copy, bytes, len) == 0, "a sound stream is written as it was read");
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	bool page = fuzz_take(&b, 1) == 0;
	size_t len = page ? OTR__PAGE_MIN : b.left;
	uint8_t *bytes = fuzz_rest(&b, page ? 32 : 0, len), *copy;
	struct otr__meta_page meta;
	struct otr_error err;

	if (page && otr__meta_decode(bytes, OTR__PAGE_MIN, &meta, &err) == OTR_OK) {
		copy = fuzz_memory(OTR__PAGE_MIN);
		otr__meta_encode(copy, OTR__PAGE_MIN, &meta);
		REQUIRE(memcmp(copy + 40, bytes + 40, OTR__PAGE_MIN - 40) == 0, "a sound page is written as it was read");
		read_stream(meta.stream, meta.bytes);
		free(copy);
	} else if (!page)
		read_stream(bytes, len);
	free(bytes);
	return 0;
}
