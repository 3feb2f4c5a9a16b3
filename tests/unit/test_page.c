/* SPDX-License-Identifier: BSD-2-Clause */
/* test_page.c - page header and reference (SPEC 5.1, 5.2). */
#include <stdlib.h>
#include <string.h>

#include "../../lib/checksum.h"
#include "../../lib/page.h"
#include "tap.h"

#define PAGE_BYTES 4096u

static const uint8_t file_id[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

/* Seals page again with its own crc after a field was changed, so that only the field is wrong. */
static void
reseal(uint8_t *page, struct otr__ref *ref)
{
	ref->crc = otr__crc32(page + 4, PAGE_BYTES - 4);
	otr__put32(page, ref->crc);
}

static bool
refused(const uint8_t *page, const struct otr__ref *ref, enum otr__page_type type, int level, const char *spec)
{
	struct otr_error err;
	struct otr__expect expect = { .type = type, .level = level };
	uint8_t found = 77;

	return otr__page_check(page, PAGE_BYTES, ref, file_id, &expect, &found, &err) == OTR_E_CORRUPT && strcmp(err.spec, spec) == 0 && found == 77;
}

static bool
accepted(const uint8_t *page, const struct otr__ref *ref, enum otr__page_type type, int level, uint8_t want)
{
	struct otr__expect expect = { .type = type, .level = level };
	uint8_t found = 77;

	return otr__page_check(page, PAGE_BYTES, ref, file_id, &expect, &found, NULL) == OTR_OK && found == want &&
	    otr__page_check(page, PAGE_BYTES, ref, file_id, &expect, NULL, NULL) == OTR_OK;
}

static void
test_page(void)
{
	uint8_t *page = calloc(1, PAGE_BYTES), *copy = malloc(PAGE_BYTES);
	struct otr__ref ref, other;
	struct otr_error err;
	unsigned bit, silent = 0;

	if (page == NULL || copy == NULL)
		exit(1);
	page[40] = 9;
	otr__page_seal(page, PAGE_BYTES, OTR__INNER, 3, 17, file_id, 5, &ref);
	CHECK(ref.page == 17 && ref.generation == 5 && ref.crc == otr__get32(page) && ref.crc == otr__crc32_without(page, PAGE_BYTES, 0),
	    "5.1: sealing gives the reference of the page");
	CHECK(page[4] == 2 && page[5] == 3 && page[6] == 0 && page[8] == 17 && page[16] == 1 && page[31] == 16 && page[32] == 5 && page[40] == 9,
	    "5.1: the fields stand where the drawing says");
	CHECK(accepted(page, &ref, OTR__INNER, 3, 3) && accepted(page, &ref, OTR__INNER, -1, 3), "5.2-1: the page fits its reference");
	for (bit = 0; bit < 8 * PAGE_BYTES; bit++) {
		page[bit / 8] = (uint8_t)(page[bit / 8] ^ 1u << bit % 8);
		silent += accepted(page, &ref, OTR__INNER, -1, 3);
		page[bit / 8] = (uint8_t)(page[bit / 8] ^ 1u << bit % 8);
	}
	CHECK(silent == 0, "5.2-1: every flipped bit is found");
	CHECK(refused(page, &ref, OTR__LEAF, -1, "5.2-1"), "5.2-1: another type is refused");
	CHECK(refused(page, &ref, OTR__INNER, 2, "5.2-1"), "5.2-1: another level is refused");
	other = ref;
	other.page = 18;
	CHECK(refused(page, &other, OTR__INNER, 3, "5.2-1"), "5.2-1: a misplaced page is refused");
	other = ref;
	other.generation = 6;
	CHECK(refused(page, &other, OTR__INNER, 3, "5.2-1"), "5.2-1: a stale page is refused");
	other = ref;
	other.crc ^= 1;
	CHECK(refused(page, &other, OTR__INNER, 3, "5.2-1"), "5.2-1, 13-2: a sound page of another crc is refused, and nothing else tells that it was changed");
	(void)!otr__page_check(page, PAGE_BYTES, &other, file_id, &(struct otr__expect){ .type = OTR__INNER, .level = 3 }, NULL, &err);
	CHECK(err.status == OTR_E_CORRUPT && strstr(err.text, "reference says") != NULL, "the sentence names both sides");
	memcpy(copy, page, PAGE_BYTES);
	copy[20] ^= 1;
	other = ref;
	reseal(copy, &other);
	CHECK(refused(copy, &other, OTR__INNER, 3, "5.2-1"), "5.2-1: a foreign page is refused");
	memcpy(copy, page, PAGE_BYTES);
	copy[7] = 1;
	reseal(copy, &other);
	CHECK(refused(copy, &other, OTR__INNER, 3, "2.4"), "2.4: bytes that are not zero are refused");
	memcpy(copy, page, PAGE_BYTES);
	copy[5] = 16;
	reseal(copy, &other);
	CHECK(refused(copy, &other, OTR__INNER, -1, "5.1"), "5.1: an inner page of level 16 is refused");
	copy[5] = 0;
	reseal(copy, &other);
	CHECK(refused(copy, &other, OTR__INNER, -1, "5.1"), "5.1: an inner page of level 0 is refused");
	copy[4] = 1;
	reseal(copy, &other);
	CHECK(accepted(copy, &other, OTR__LEAF, 0, 0), "5.1: a leaf is of level 0");
	copy[5] = 1;
	reseal(copy, &other);
	CHECK(refused(copy, &other, OTR__LEAF, -1, "5.1"), "5.1: a leaf of level 1 is refused");
	copy[4] = 9;
	reseal(copy, &other);
	CHECK(refused(copy, &other, OTR__LEAF, -1, "5.2-1"), "5.1: an unknown type is refused");
	free(copy);
	free(page);
}

static void
test_ref(void)
{
	uint8_t bytes[24];
	struct otr__ref ref = { .page = 7, .generation = 9, .crc = 0xabcdef01 }, got = { .page = 1 };
	struct otr__put w = otr__put_into(bytes, sizeof bytes);
	struct otr__reader r = otr__reader_of(bytes, sizeof bytes);

	otr__ref_put(&w, &ref);
	CHECK(!w.failed && w.left == 0 && bytes[0] == 7 && bytes[8] == 9 && bytes[16] == 1 && bytes[19] == 0xab && bytes[20] == 0,
	    "5.2: a reference is 24 bytes");
	CHECK(otr__ref_get(&r, &got) && r.left == 0 && otr__ref_equal(&ref, &got), "5.2: it is read as it was written");
	r = otr__reader_of(bytes, 23);
	CHECK(!otr__ref_get(&r, &got) && r.left == 23, "5.2: a cut one is refused, and the reader stays");
	bytes[22] = 1;
	r = otr__reader_of(bytes, 24);
	CHECK(!otr__ref_get(&r, &got) && r.left == 24, "2.4: bytes that are not zero are refused");
	bytes[22] = 0;
	bytes[0] = 0;
	CHECK(!otr__ref_get(&r, &got), "5.2: page 0 with a generation is refused");
	memset(bytes, 0, sizeof bytes);
	bytes[16] = 1;
	CHECK(!otr__ref_get(&r, &got), "5.2: page 0 with a crc is refused");
	bytes[16] = 0;
	CHECK(otr__ref_get(&r, &got) && got.page == 0 && !otr__ref_equal(&ref, &got), "5.2: all zero is no page");
}

int
main(void)
{
	test_page();
	test_ref();
	return tap_done();
}
