/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.c - page header and reference (SPEC 5.1, 5.2): encode, decode, check one against the other.
 *
 * Owns what every page begins with, and what names a page.  Does not own payloads, nor where a page lies.  No I/O, no allocation, no state.
 *
 *      OFFSET SIZE FIELD              page header; little-endian
 *           0    4 crc                of bytes 4 .. page size - 1
 *           4    1 type               1 leaf, 2 inner, 3 log, 4 metadata
 *           5    1 level              inner: 1..15; others 0
 *           6    2 zero
 *           8    8 page               its own number
 *          16   16 file_id            as in the header
 *          32    8 generation         the version whose commit wrote it
 *
 *      OFFSET SIZE FIELD              reference
 *           0    8 page               0 only if all is zero
 *           8    8 generation
 *          16    4 crc                of the page
 *          20    4 zero
 */
#include "page.h"

#include "checksum.h"

#define CRC_BYTES 4u

static const char *
type_name(uint8_t type)
{
	static const char *const name[] = { "no page", "leaf", "inner", "log", "metadata" };

	return type < sizeof name / sizeof name[0] ? name[type] : "unknown";
}

bool
otr__ref_get(struct otr__reader *r, struct otr__ref *ref)
{
	struct otr__reader at = *r;
	struct otr__ref got;

	if (!otr__take64(&at, &got.page) || !otr__take64(&at, &got.generation) || !otr__take32(&at, &got.crc) || !otr__take_zero(&at, 4))
		return false;
	if (got.page == 0 && (got.generation != 0 || got.crc != 0))
		return false;
	*r = at;
	*ref = got;
	return true;
}

void
otr__ref_put(struct otr__put *w, const struct otr__ref *ref)
{
	otr__add64(w, ref->page);
	otr__add64(w, ref->generation);
	otr__add32(w, ref->crc);
	otr__add_zero(w, 4);
}

bool
otr__ref_equal(const struct otr__ref *a, const struct otr__ref *b)
{
	return a->page == b->page && a->generation == b->generation && a->crc == b->crc;
}

void
otr__page_seal(uint8_t *page, uint32_t page_bytes, enum otr__page_type type, uint8_t level, uint64_t number, const uint8_t file_id[16],
    uint64_t generation, struct otr__ref *ref)
{
	struct otr__put w = otr__put_into(page, OTR__PAGE_HEADER);

	otr__add32(&w, 0);
	otr__add8(&w, (uint8_t)type);
	otr__add8(&w, level);
	otr__add_zero(&w, 2);
	otr__add64(&w, number);
	otr__add_bytes(&w, file_id, 16);
	otr__add64(&w, generation);
	ref->page = number;
	ref->generation = generation;
	ref->crc = otr__crc32(page + CRC_BYTES, page_bytes - CRC_BYTES);
	otr__put32(page, ref->crc);
}

enum otr_status
otr__page_check(const uint8_t *page, uint32_t page_bytes, const struct otr__ref *ref, const uint8_t file_id[16],
    const struct otr__expect *expect, uint8_t *level, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(page, page_bytes);
	uint32_t stored, crc;
	uint8_t type, at_level;
	const uint8_t *id;
	uint64_t number, generation;
	bool zero;

	/* the first failure of a getter can only be a page shorter than its header, which the caller's sizes exclude */
	if (!otr__take32(&r, &stored))
		return otr__fail(err, OTR_E_CORRUPT, "5.1", "page of %u bytes, at least 40 expected", (unsigned)page_bytes);
	crc = otr__crc32(r.at, r.left);
	if (crc != stored)
		return otr__fail(err, OTR_E_CORRUPT, "5.2-1", "crc of the page's bytes is %08x, its header says %08x", (unsigned)crc, (unsigned)stored);
	if (crc != ref->crc)
		return otr__fail(err, OTR_E_CORRUPT, "5.2-1", "crc of the page is %08x, its reference says %08x", (unsigned)crc, (unsigned)ref->crc);
	if (!otr__take8(&r, &type) || !otr__take8(&r, &at_level))
		return otr__fail(err, OTR_E_CORRUPT, "5.1", "page of %u bytes, at least 40 expected", (unsigned)page_bytes);
	zero = otr__take_zero(&r, 2);
	if (!zero)
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "bytes 6..7 of the page are not zero");
	if (!otr__take64(&r, &number) || !otr__take_bytes(&r, 16, &id) || !otr__take64(&r, &generation))
		return otr__fail(err, OTR_E_CORRUPT, "5.1", "page of %u bytes, at least 40 expected", (unsigned)page_bytes);
	if (number != ref->page)
		return otr__fail(err, OTR_E_CORRUPT, "5.2-1", "the page says that it is page %llu, its reference says %llu", (unsigned long long)number,
		    (unsigned long long)ref->page);
	if (memcmp(id, file_id, 16) != 0)
		return otr__fail(err, OTR_E_CORRUPT, "5.2-1", "the page belongs to another file: its file id differs from the header's");
	if (generation != ref->generation)
		return otr__fail(err, OTR_E_CORRUPT, "5.2-1", "the page is of generation %llu, its reference says %llu", (unsigned long long)generation,
		    (unsigned long long)ref->generation);
	if (type != (uint8_t)expect->type)
		return otr__fail(err, OTR_E_CORRUPT, "5.2-1", "page type %u (%s), expected %u (%s)", (unsigned)type, type_name(type),
		    (unsigned)expect->type, type_name((uint8_t)expect->type));
	if (type == OTR__INNER ? at_level < 1 || at_level > OTR__LEVEL_MAX : at_level != 0)
		return otr__fail(err, OTR_E_CORRUPT, "5.1", "%s page of level %u, allowed is %s", type_name(type), (unsigned)at_level,
		    type == OTR__INNER ? "1..15" : "0");
	if (expect->level >= 0 && at_level != expect->level)
		return otr__fail(err, OTR_E_CORRUPT, "5.2-1", "page of level %u, expected %d", (unsigned)at_level, expect->level);
	if (level != NULL)
		*level = at_level;
	return OTR_OK;
}
