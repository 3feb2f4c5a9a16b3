/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta.c - one page of the metadata chain, and the entries of the joined stream (SPEC 5.6).
 *
 * Owns the layout and what one page or one entry allows.  Does not own: following the chain, which page is the first (db.c).  No I/O, no
 * allocation.
 *
 *      OFFSET SIZE FIELD              a metadata page, behind the page header
 *          40   24 next               zero in the last
 *          64   24 previous           in the first page: of the metadata before
 *          88    4 remaining          pages of the chain after this one
 *          92    4 bytes              0 .. page size - 96; every page but the last is full
 *          96   .. stream
 *
 *                                     an entry of the stream
 *           0    2 key_bytes          1..512
 *           2    2 zero
 *           4    4 value_bytes
 *           8   .. key, value
 */
#include "meta.h"

#include <string.h>

#include "recordcheck.h"
#include "text.h"

#define META_OFFSET 40u
#define GENERATION_OFFSET 32u          /* of the page header, 5.1 */

enum otr_status
otr__meta_decode(const uint8_t *page, uint32_t page_bytes, struct otr__meta_page *meta, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(page + META_OFFSET, page_bytes - META_OFFSET);
	uint32_t room = page_bytes - OTR__META_FIXED;
	uint64_t generation = otr__get64(page + GENERATION_OFFSET), first_page = otr__first_page(page_bytes);
	struct otr__meta_page got = { .remaining = 0 };

	if (!otr__ref_get(&r, &got.next) || !otr__ref_get(&r, &got.previous) || !otr__take32(&r, &got.remaining) || !otr__take32(&r, &got.bytes))
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "metadata page: next or previous is no reference");
	if ((got.next.page != 0 && got.next.page < first_page) || (got.previous.page != 0 && got.previous.page < first_page))
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "metadata page: next is page %llu, previous page %llu, the first page is %llu",
		    (unsigned long long)got.next.page, (unsigned long long)got.previous.page, (unsigned long long)first_page);
	if ((got.next.page != 0) != (got.remaining != 0))
		return otr__fail(err, OTR_E_CORRUPT, "5.6", "metadata page: %u pages remain, next is page %llu", (unsigned)got.remaining,
		    (unsigned long long)got.next.page);
	if (got.bytes > room || (got.remaining != 0 && got.bytes != room))
		return otr__fail(err, OTR_E_CORRUPT, "5.6", "metadata page: %u bytes of %u, with %u pages after it", (unsigned)got.bytes, (unsigned)room,
		    (unsigned)got.remaining);
	if (got.remaining > OTR_MAX_META / room)
		return otr__fail(err, OTR_E_CORRUPT, "5.6-1", "metadata page: %u pages remain, more than %d bytes fill", (unsigned)got.remaining,
		    OTR_MAX_META);
	if ((got.next.page != 0 && got.next.generation != generation) || (got.previous.page != 0 && got.previous.generation >= generation))
		return otr__fail(err, OTR_E_CORRUPT, "5.6-2", "metadata page of generation %llu: next is of %llu, previous of %llu",
		    (unsigned long long)generation, (unsigned long long)got.next.generation, (unsigned long long)got.previous.generation);
	(void)otr__take_bytes(&r, got.bytes, &got.stream);      /* bytes <= room */
	if (!otr__take_zero(&r, r.left))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "metadata page: bytes after the stream are not zero");
	*meta = got;
	return OTR_OK;
}

void
otr__meta_encode(uint8_t *page, uint32_t page_bytes, const struct otr__meta_page *meta)
{
	struct otr__put w = otr__put_into(page + META_OFFSET, page_bytes - META_OFFSET);

	otr__ref_put(&w, &meta->next);
	otr__ref_put(&w, &meta->previous);
	otr__add32(&w, meta->remaining);
	otr__add32(&w, meta->bytes);
	otr__add_bytes(&w, meta->stream, meta->bytes);
	otr__add_zero(&w, w.left);
}

static bool
is_plain_key_byte(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* What 2.5 allows as a column's name, whether or not there is such a column. */
static bool
is_column_name(const uint8_t *name, size_t len)
{
	size_t i;

	if (len == 0 || len > OTR_MAX_NAME || name[0] == ' ' || name[len - 1] == ' ' || !otr__text_ok(name, len, OTR__TEXT_PLAIN))
		return false;
	for (i = 0; i < len; i++)
		if (name[i] == ',' || name[i] == ':' || name[i] == '=' || name[i] == '"')
			return false;
	return true;
}

bool
otr__meta_key_ok(const uint8_t *key, size_t len)
{
	size_t i;

	if (len == 0 || len > OTR__META_KEY_MAX)
		return false;
	if (len >= 4 && memcmp(key, "otr.", 4) == 0)      /* 5.6-3 */
		return false;
	for (i = 0; i < len && is_plain_key_byte(key[i]); i++)
		;
	if (i == len)
		return true;
	return len > 5 && memcmp(key, "unit.", 5) == 0 && is_column_name(key + 5, len - 5);
}

bool
otr__meta_value_ok(const uint8_t *value, size_t len)
{
	return len <= OTR_MAX_META && otr__text_ok(value, len, OTR__TEXT_ANY);
}

static int
compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

enum otr_status
otr__meta_next(struct otr__reader *stream, const uint8_t *previous_key, size_t previous_len, const uint8_t **key, size_t *key_len,
    const uint8_t **value, size_t *value_len, struct otr_error *err)
{
	struct otr__reader r = *stream;
	uint16_t key_bytes = 0;
	uint32_t value_bytes = 0;
	const uint8_t *k = NULL, *v = NULL;

	if (r.left == 0)
		return OTR_END;
	if (!otr__take16(&r, &key_bytes) || !otr__take_zero(&r, 2) || !otr__take32(&r, &value_bytes) || !otr__take_bytes(&r, key_bytes, &k) ||
	    !otr__take_bytes(&r, value_bytes, &v))
		return otr__fail(err, OTR_E_CORRUPT, "5.6-1", "metadata: an entry with a key of %u and a value of %u bytes in %zu bytes", key_bytes,
		    (unsigned)value_bytes, stream->left);
	if (!otr__meta_key_ok(k, key_bytes))
		return otr__fail(err, OTR_E_CORRUPT, key_bytes >= 4 && memcmp(k, "otr.", 4) == 0 ? "5.6-3" : "5.6-1",
		    "metadata: a key of %u bytes that is not allowed", key_bytes);
	if (previous_len > 0 && compare(previous_key, previous_len, k, key_bytes) >= 0)
		return otr__fail(err, OTR_E_CORRUPT, "5.6-1", "metadata: keys are not distinct and ascending");
	if (!otr__meta_value_ok(v, value_bytes))
		return otr__fail(err, OTR_E_CORRUPT, "5.6-1", "metadata: a value of %u bytes is no UTF-8 without NUL", (unsigned)value_bytes);
	*stream = r;
	*key = k;
	*key_len = key_bytes;
	*value = v;
	*value_len = value_bytes;
	return OTR_OK;
}

void
otr__meta_put(struct otr__put *w, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	if (key_len > OTR__META_KEY_MAX || value_len > OTR_MAX_META) {
		w->failed = true;
		return;
	}
	otr__add16(w, (uint16_t)key_len);
	otr__add16(w, 0);
	otr__add32(w, (uint32_t)value_len);
	otr__add_bytes(w, key, key_len);
	otr__add_bytes(w, value, value_len);
}
