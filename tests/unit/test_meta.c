/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_meta.c - metadata pages and entries (SPEC 5.6).
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/meta.h"
#include "tap.h"

#define PAGE 4096u
#define ROOM (PAGE - OTR__META_FIXED)
#define GENERATION 9u

static uint8_t page[PAGE], stream[PAGE];

static bool
key_ok(const char *key)
{
	return otr__meta_key_ok((const uint8_t *)key, strlen(key));
}

static bool
value_ok(const char *value, size_t len)
{
	return otr__meta_value_ok((const uint8_t *)value, len);
}

static struct otr__meta_page
a_page(uint32_t remaining, uint32_t bytes)
{
	struct otr__meta_page meta = { .previous = { 7, GENERATION - 1, 123 }, .remaining = remaining, .bytes = bytes, .stream = stream };

	if (remaining > 0)
		meta.next = (struct otr__ref){ 8, GENERATION, 77 };
	return meta;
}

static void
encode(const struct otr__meta_page *meta)
{
	memset(page, 0xee, sizeof page);
	otr__put64(page + 32, GENERATION);
	otr__meta_encode(page, PAGE, meta);
}

static bool
is_refused(const char *spec)
{
	struct otr__meta_page got;
	struct otr_error err;

	return otr__meta_decode(page, PAGE, &got, &err) == OTR_E_CORRUPT && strcmp(err.spec, spec) == 0;
}

static void
test_pages(void)
{
	unsigned long long state = 1;
	struct otr__meta_page meta, got;
	unsigned wrong = 0, bit, sound = 0;
	uint32_t i;

	for (i = 0; i < sizeof stream; i++)
		stream[i] = (uint8_t)tap_random(&state);
	for (i = 0; i <= ROOM; i += 57) {
		meta = a_page(0, i);
		encode(&meta);
		if (otr__meta_decode(page, PAGE, &got, NULL) != OTR_OK || got.bytes != i || got.remaining != 0 || got.next.page != 0 ||
		    !otr__ref_equal(&got.previous, &meta.previous) || memcmp(got.stream, stream, i) != 0)
			wrong++;
	}
	CHECK(wrong == 0, "5.6: a last page of any fill comes back as it was");
	meta = a_page(3, ROOM);
	encode(&meta);
	CHECK(otr__meta_decode(page, PAGE, &got, NULL) == OTR_OK && got.remaining == 3 && otr__ref_equal(&got.next, &meta.next),
	    "5.6: a full page with others after it comes back");

	meta = a_page(3, ROOM - 1);
	encode(&meta);
	CHECK(is_refused("5.6"), "5.6: a page before the last that is not full is refused");
	meta = a_page(0, 10);
	meta.next = (struct otr__ref){ 8, GENERATION, 77 };
	encode(&meta);
	CHECK(is_refused("5.6"), "5.6: a next page with none remaining is refused");
	meta = a_page(1, ROOM);
	meta.next = (struct otr__ref){ 0 };
	encode(&meta);
	CHECK(is_refused("5.6"), "5.6: pages that remain without a next one are refused");
	meta = a_page(OTR_MAX_META / ROOM + 1, ROOM);
	encode(&meta);
	CHECK(is_refused("5.6-1"), "5.6-1: a chain of more than 1,048,576 bytes is refused");
	meta = a_page(1, ROOM);
	meta.next.generation++;
	encode(&meta);
	CHECK(is_refused("5.6-2"), "5.6-2: a next page of another generation is refused");
	meta = a_page(0, 10);
	meta.previous.generation = GENERATION;
	encode(&meta);
	CHECK(is_refused("5.6-2"), "5.6-2: a previous page of the same generation is refused");
	meta = a_page(0, 10);
	meta.previous.page = 3;
	encode(&meta);
	CHECK(is_refused("5.2"), "5.2: a previous page inside the first 16 KiB is refused");
	meta = a_page(0, 10);
	encode(&meta);
	page[OTR__META_FIXED + 10] = 1;
	CHECK(is_refused("2.4"), "2.4: bytes after the stream that are not zero are refused");
	meta = a_page(0, ROOM);
	encode(&meta);
	otr__put32(page + 92, ROOM + 1);
	CHECK(is_refused("5.6"), "5.6: more bytes than a page holds are refused");

	meta = a_page(0, 100);
	encode(&meta);
	for (bit = 40 * 8; bit < PAGE * 8; bit++) {
		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
		sound += otr__meta_decode(page, PAGE, &got, NULL) == OTR_OK;
		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(sound > 0 && sound < 8 * 200, "5.6: every flipped bit gives a page or a refusal");
}

static void
test_keys(void)
{
	char longest[OTR__META_KEY_MAX + 2];

	CHECK(key_ok("a") && key_ok("A.b_c-9") && key_ok("otr") && key_ok("unit.") && key_ok("unit.temp"), "5.6-1: letters, digits, . _ - make a key");
	CHECK(!key_ok("") && !key_ok("a b") && !key_ok("a=b") && !key_ok("\xc3\xa4") && !key_ok("a\n"), "5.6-1: other bytes do not");
	CHECK(key_ok("unit.\xc3\xa4 b") && key_ok("unit.a/b"), "5.6-1: unit. may be followed by any name of a column");
	CHECK(!key_ok("unit.a:b") && !key_ok("unit. a") && !key_ok("unit.a ") && !key_ok("unit.\xc3") && !key_ok("unit.a\tb") && !key_ok("units.a b"),
	    "5.6-1: but by no other text");
	CHECK(!key_ok("otr.") && !key_ok("otr.max_size"), "5.6-3: otr. begins no key of the store");
	memset(longest, 'k', sizeof longest);
	longest[OTR__META_KEY_MAX + 1] = '\0';
	CHECK(!key_ok(longest), "5.6-1: a key of 513 bytes is refused");
	longest[OTR__META_KEY_MAX] = '\0';
	CHECK(key_ok(longest), "5.6-1: a key of 512 bytes is one");
	CHECK(value_ok("", 0) && value_ok("any\ttext\n\x1b", 10) && value_ok("\xf0\x9f\x98\x80", 4), "5.6-1: values are UTF-8");
	CHECK(!value_ok("a\0b", 3) && !value_ok("\x80", 1) && !value_ok("\xc0\x80", 2) && !value_ok("\xed\xa0\x80", 3) &&
	    !value_ok("\xf4\x90\x80\x80", 4) && !value_ok("\xe2\x82", 2) && !value_ok("\xff", 1) && !value_ok("\xe0\x80\x80", 3) &&
	    !value_ok("\xf0\x80\x80\x80", 4), "5.6-1: NUL, surrogates, long forms, cut and wrong bytes are none");
}

/* Entries of a stream that are read before its end or the first refusal. */
static unsigned
count_entries(const uint8_t *bytes, size_t len, enum otr_status *status, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(bytes, len);
	const uint8_t *key = NULL, *value, *before = NULL;
	size_t key_len = 0, value_len, before_len = 0;
	unsigned n = 0;

	while ((*status = otr__meta_next(&r, before, before_len, &key, &key_len, &value, &value_len, err)) == OTR_OK) {
		before = key;
		before_len = key_len;
		n++;
	}
	return n;
}

static void
put(struct otr__put *w, const char *key, const char *value)
{
	otr__meta_put(w, (const uint8_t *)key, strlen(key), (const uint8_t *)value, strlen(value));
}

static void
test_stream(void)
{
	uint8_t bytes[256];
	struct otr__put w = otr__put_into(bytes, sizeof bytes);
	enum otr_status status;
	struct otr_error err;
	size_t len, i;
	unsigned n = 0, wrong = 0;

	put(&w, "B", "2");
	put(&w, "a", "");
	put(&w, "aa", "\xc3\xa4");
	len = sizeof bytes - w.left;
	CHECK(!w.failed && count_entries(bytes, len, &status, &err) == 3 && status == OTR_END, "5.6-1: entries come back in order, then the end");
	CHECK(count_entries(bytes, 0, &status, &err) == 0 && status == OTR_END, "5.6-1: an empty stream has none");
	for (i = 1; i < len; i++) {
		uint8_t *cut = malloc(i);      /* its own memory, so that a sanitizer sees a step too far */

		if (cut == NULL)
			return;
		memcpy(cut, bytes, i);
		(void)count_entries(cut, i, &status, &err);
		wrong += status != OTR_OK && status != OTR_END && status != OTR_E_CORRUPT;
		n += status == OTR_END;
		free(cut);
	}
	CHECK(wrong == 0 && n == 2, "5.6-1: a cut stream is refused unless it is cut between entries");
	for (i = 0; i < 8 * len; i++) {
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		(void)count_entries(bytes, len, &status, &err);
		wrong += status != OTR_END && status != OTR_E_CORRUPT;
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	CHECK(wrong == 0, "5.6-1: every flipped bit gives entries or a refusal");
	w = otr__put_into(bytes, sizeof bytes);
	put(&w, "aa", "1");
	put(&w, "a", "2");
	CHECK(count_entries(bytes, sizeof bytes - w.left, &status, &err) == 1 && status == OTR_E_CORRUPT && strcmp(err.spec, "5.6-1") == 0,
	    "5.6-1: keys that do not ascend are refused");
	w = otr__put_into(bytes, sizeof bytes);
	put(&w, "a", "1");
	put(&w, "a", "2");
	CHECK(count_entries(bytes, sizeof bytes - w.left, &status, &err) == 1 && status == OTR_E_CORRUPT, "5.6-1: a key that comes twice is refused");
	w = otr__put_into(bytes, sizeof bytes);
	put(&w, "otr.x", "1");
	CHECK(count_entries(bytes, sizeof bytes - w.left, &status, &err) == 0 && status == OTR_E_CORRUPT && strcmp(err.spec, "5.6-3") == 0,
	    "5.6-3: a key that begins with otr. is refused");
	w = otr__put_into(bytes, 20);
	put(&w, "a", "12345678901");
	CHECK(!w.failed, "5.6-1: an entry that just fits is put");
	put(&w, "b", "");
	CHECK(w.failed, "5.6-1: one that does not fit is not");
}

int
main(void)
{
	test_pages();
	test_keys();
	test_stream();
	return tap_done();
}
