/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk.c - one chunk: bytes to values, and back (SPEC 7).
 *
 *	OFFSET SIZE FIELD
 *	     0    1 transform          INT 0, DECIMAL 1, BITS 2, DICT 3, RAW 4
 *	     1    1 packing            none 0 (RAW, or n = 0), PACK 1, RUN 2
 *	     2    1 parameter          i8: s of DECIMAL, z of BITS, else 0
 *	     3    1 flags              bit 0: presence bits follow; bit 1: deflated; others zero
 *	     4    4 size               a multiple of 8, header and padding included
 *	     8    4 n                  stored values, <= rows; = rows unless flag bit 0
 *	    12    2 exceptions         x <= n; 0 unless DECIMAL
 *	    14    2 block              values a PACK body, 1..n; 0 unless PACK
 *	    16      presence           ceil(rows / 8) bytes, padded to 8; only if flag bit 0
 *	            exceptions         x u16 positions, padded to 8; x u64 values
 *	            dictionary         DICT only: a whole chunk
 *	            body
 *
 * Five times, one second apart (INT, PACK of order 1 with width 0):
 *
 *	0001000028000000 0500000000000500 0100000000000000 00002a36fe9c9717 00ca9a3b00000000
 *
 * Input is hostile: after a successful decode every value obeys its type, and no byte of the chunk was without meaning.  No allocation.
 */
#include "chunk.h"

#include "bits.h"
#include "choose.h"
#include "decimal.h"
#include "dict.h"
#include "fbits.h"
#include "fpmath.h"
#include "intmath.h"
#include "pack.h"
#include "run.h"
#include "scratch.h"

#define HEADER_SIZE 16u
#define FLAG_PRESENCE 1u
#define FLAG_DEFLATED 2u

static size_t
padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* ---- decoding ------------------------------------------------------------------------------------------------------------- */

enum otr_status
otr__chunk_peek(const uint8_t *bytes, size_t len, uint32_t rows, struct otr__chunk_header *header, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(bytes, len);
	struct otr__chunk_header h = { .transform = 0 };
	uint8_t parameter, flags;
	bool none;

	if (!otr__take8(&r, &h.transform) || !otr__take8(&r, &h.packing) || !otr__take8(&r, &parameter) || !otr__take8(&r, &flags) ||
	    !otr__take32(&r, &h.size) || !otr__take32(&r, &h.values) || !otr__take16(&r, &h.exceptions) || !otr__take16(&r, &h.block))
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "chunk of %lu bytes, its header takes 16", (unsigned long)len);
	if (h.size != len || len % 8 != 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "chunk says %lu bytes where %lu are", (unsigned long)h.size, (unsigned long)len);
	/* what a later version defines may use the fields below in its own way */
	if (h.transform > OTR__RAW)
		return otr__fail(err, OTR_E_UNSUPPORTED, "7.1", "transform %u, known are 0 to 4", h.transform);
	if (h.packing > OTR__RUN)
		return otr__fail(err, OTR_E_UNSUPPORTED, "7.1", "packing %u, known are 0 to 2", h.packing);
	if ((flags & ~(FLAG_PRESENCE | FLAG_DEFLATED)) != 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "chunk flags %02x, known are 01 and 02", flags);
	h.has_presence = (flags & FLAG_PRESENCE) != 0;
	h.deflated = (flags & FLAG_DEFLATED) != 0;
	h.parameter = (int8_t)(parameter < 128 ? parameter : parameter - 256);

	if (rows > OTR__LEAF_ROWS_MAX || h.values > rows || (h.values < rows) != h.has_presence)
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "chunk of %lu values for %lu rows, %s presence bits", (unsigned long)h.values,
		    (unsigned long)rows, h.has_presence ? "with" : "without");
	none = h.values == 0 || h.transform == OTR__RAW;
	if (none != (h.packing == OTR__NONE))
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "transform %u of %lu values with packing %u", h.transform, (unsigned long)h.values,
		    h.packing);
	if (h.exceptions > (h.transform == OTR__DECIMAL ? h.values : 0))
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "%u exceptions of %lu values, transform %u", h.exceptions, (unsigned long)h.values,
		    h.transform);
	if (h.packing == OTR__PACK ? h.block < 1 || h.block > h.values : h.block != 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "block of %u values of %lu, packing %u", h.block, (unsigned long)h.values, h.packing);
	*header = h;
	return OTR_OK;
}

/* Which transform serves which content, and with which parameter (SPEC 7.5). */
static enum otr_status
check_transform(const struct otr__chunk_header *h, int content, struct otr_error *err)
{
	bool allowed = false, single = content == OTR_F32;
	int least = 0, most = 0;

	switch ((enum otr__transform)h->transform) {
	case OTR__INT:
		allowed = !otr__is_float(content);
		break;
	case OTR__DECIMAL:
		allowed = otr__is_float(content);
		least = -OTR__DECIMAL_S_MAX;
		most = OTR__DECIMAL_S_MAX;
		break;
	case OTR__BITS:
		allowed = otr__is_float(content);
		most = single ? 31 : 63;
		break;
	case OTR__DICT:
		allowed = content != OTR__TIMES;
		break;
	case OTR__RAW:
		allowed = true;
		break;
	}
	if (!allowed)
		return otr__fail(err, OTR_E_CORRUPT, "7.5", "transform %u where type %d is stored", h->transform, content);
	if (h->parameter < least || h->parameter > most)
		return otr__fail(err, OTR_E_CORRUPT, "7.5", "parameter %d of transform %u, allowed %d to %d", h->parameter, h->transform, least, most);
	if (content == OTR__TIMES && h->has_presence)
		return otr__fail(err, OTR_E_CORRUPT, "7.5", "times with presence bits");
	return OTR_OK;
}

/* The body of a packed chunk into x[0, n), n > 0. */
static enum otr_status
decode_packed(struct otr__reader *r, const struct otr__chunk_header *h, bool planes, uint64_t *x, struct otr__scratch *scratch,
    struct otr_error *err)
{
	size_t at, n = h->values;

	if (h->packing == OTR__RUN)
		return otr__run_decode(r, planes, x, n, scratch->run_length, scratch->run_value, err);
	for (at = 0; at < n; at += h->block) {
		enum otr_status status = otr__pack_decode(r, planes, x + at, n - at < h->block ? n - at : h->block, err);

		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

static enum otr_status
decode_raw(struct otr__reader *r, size_t n, int content, uint64_t *value, struct otr_error *err)
{
	size_t size = otr__raw_bytes(content), i;
	const uint8_t *p;

	if (!otr__take_bytes(r, n * size, &p) || !otr__take_zero(r, padded(n * size) - n * size))
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "RAW: %lu values of %lu bytes in %lu", (unsigned long)n, (unsigned long)size,
		    (unsigned long)r->left);
	if (size == 8)
		for (i = 0; i < n; i++)
			value[i] = otr__get64(p + 8 * i);
	else if (size == 4)
		for (i = 0; i < n; i++) {
			uint32_t v = otr__get32(p + 4 * i);

			/* an i32 is sign-extended, an f32 is not */
			value[i] = content == OTR_I32 && v >> 31 != 0 ? v | UINT64_C(0xffffffff00000000) : v;
		}
	else
		for (i = 0; i < n; i++)
			value[i] = p[i];
	return OTR_OK;
}

/* Values in a loop of known length: what -O2 makes vectors of. */
#define STRETCH 64u

/*
 * Top bit: whether any of value[0, n) is less than the one before it, as i64.  Without a comparison, which few machines have for vectors of i64.
 */
static inline uint64_t
decreases(const uint64_t *value, size_t n)
{
	uint64_t bad = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t a = value[i], b = *(value + i - 1), d = a - b;

		bad |= d ^ ((a ^ b) & (d ^ a));
	}
	return bad;
}

/* What a type allows of values that came from integers (SPEC 7.5). */
static enum otr_status
check_values(const uint64_t *value, size_t n, int content, struct otr_error *err)
{
	uint64_t bad = 0;
	size_t i;

	if (n == 0)
		return OTR_OK;
	if (content == OTR__TIMES) {
		for (i = 1; n - i >= STRETCH; i += STRETCH)
			bad |= decreases(value + i, STRETCH);
		bad |= decreases(value + i, n - i);
		if (bad >> 63 != 0)
			return otr__fail(err, OTR_E_CORRUPT, "7.5", "a time before the one of the row before");
		if (otr__i64(value[0]) < OTR_TIME_MIN || otr__i64(value[n - 1]) > OTR_TIME_MAX)
			return otr__fail(err, OTR_E_CORRUPT, "2.3", "a reserved time");
	} else if (content == OTR_BOOL) {
		for (i = 0; i < n; i++)
			bad |= value[i] >> 1;
		if (bad != 0)
			return otr__fail(err, OTR_E_CORRUPT, "7.5", "a bool that is neither 0 nor 1");
	} else if (content == OTR_I32) {
		for (i = 0; i < n; i++)
			bad |= (value[i] + UINT64_C(0x80000000)) >> 32;
		if (bad != 0)
			return otr__fail(err, OTR_E_CORRUPT, "7.5", "an i32 out of its range");
	}
	return OTR_OK;
}

/* All but presence bits, exceptions and dictionary: the n > 0 values of the body. */
static enum otr_status
decode_body(struct otr__reader *r, const struct otr__chunk_header *h, int content, bool planes, const uint64_t *entry, size_t entries,
    uint64_t *value, struct otr__scratch *scratch, struct otr_error *err)
{
	size_t n = h->values;
	enum otr_status status;

	if (h->transform == OTR__RAW)
		status = decode_raw(r, n, content, value, err);
	else
		status = decode_packed(r, h, planes, value, scratch, err);
	if (status != OTR_OK)
		return status;
	switch ((enum otr__transform)h->transform) {
	case OTR__DECIMAL:
		if (!otr__decimal_decode(value, n, h->parameter, content == OTR_F32))
			return otr__fail(err, OTR_E_CORRUPT, "7.5", "DECIMAL: an integer beyond 2^53");
		break;
	case OTR__BITS:
		if (!otr__fbits_decode(value, n, content == OTR_F32 ? 32 : 64, (unsigned)h->parameter))
			return otr__fail(err, OTR_E_CORRUPT, "7.5", "BITS: an integer of more bits than are left");
		break;
	case OTR__DICT:
		if (!otr__dict_decode(value, n, entry, entries))
			return otr__fail(err, OTR_E_CORRUPT, "7.5", "DICT: an index beyond the %lu entries", (unsigned long)entries);
		break;
	case OTR__INT:
	case OTR__RAW:
		break;
	}
	return check_values(value, n, content, err);
}

/* The dictionary's chunk at *r into scratch->entry; values: of the chunk around it. */
static enum otr_status
decode_dictionary(struct otr__reader *r, int content, bool planes, uint32_t values, size_t *entries, struct otr__scratch *scratch,
    struct otr_error *err)
{
	struct otr__chunk_header h;
	struct otr__reader part;
	enum otr_status status;
	uint32_t size, n;

	if (r->left < HEADER_SIZE)
		return otr__fail(err, OTR_E_CORRUPT, "7.6", "dictionary cut off");
	size = otr__get32(r->at + 4);
	n = otr__get32(r->at + 8);
	if (!otr__take_part(r, size, &part))
		return otr__fail(err, OTR_E_CORRUPT, "7.6", "dictionary of %lu bytes, %lu are left", (unsigned long)size, (unsigned long)r->left);
	/* more entries than values are of no use, and would let a small page ask for much work */
	if (n < 1 || n > values)
		return otr__fail(err, OTR_E_CORRUPT, "7.6", "dictionary of %lu entries for %lu values", (unsigned long)n, (unsigned long)values);
	status = otr__chunk_peek(part.at, part.left, n, &h, err);
	if (status != OTR_OK)
		return status;
	if (h.transform == OTR__DICT || h.packing == OTR__RUN || h.has_presence || h.deflated || h.exceptions > 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.6", "dictionary with transform %u, packing %u, %u exceptions%s%s", h.transform, h.packing,
		    h.exceptions, h.has_presence ? ", presence bits" : "", h.deflated ? ", deflated" : "");
	status = check_transform(&h, content, err);
	if (status != OTR_OK)
		return status;
	part.at += HEADER_SIZE;
	part.left -= HEADER_SIZE;
	status = decode_body(&part, &h, content, planes, NULL, 0, scratch->entry, scratch, err);
	if (status != OTR_OK)
		return status;
	if (part.left != 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.6", "dictionary: %lu bytes left over", (unsigned long)part.left);
	if (!otr__dict_ascends(scratch->entry, n, otr__is_float(content), content == OTR_F32 ? 32 : 64))
		return otr__fail(err, OTR_E_CORRUPT, "7.6", "dictionary does not ascend");
	*entries = n;
	return OTR_OK;
}

/* Moves *r from the deflated bytes to what they inflate to, in scratch->raw. */
static enum otr_status
decode_deflated(struct otr__reader *r, uint32_t rows, struct otr__scratch *scratch, struct otr_error *err)
{
	uint32_t raw_size, size, raw_max = 64 + 20 * rows;
	const uint8_t *stream;

	if (raw_max > OTR__RAW_SIZE_MAX)
		raw_max = OTR__RAW_SIZE_MAX;
	if (!otr__take32(r, &raw_size) || !otr__take32(r, &size))
		return otr__fail(err, OTR_E_CORRUPT, "7.7", "deflated chunk cut off");
	if (raw_size > raw_max)
		return otr__fail(err, OTR_E_CORRUPT, "7.7", "deflated chunk of %lu bytes for %lu rows, allowed %lu", (unsigned long)raw_size,
		    (unsigned long)rows, (unsigned long)raw_max);
	if (!otr__take_bytes(r, size, &stream) || !otr__take_zero(r, padded(size) - size) || r->left != 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.7", "deflate stream of %lu bytes does not fill its chunk", (unsigned long)size);
	if (!otr__inflate(stream, size, scratch->raw, raw_size, scratch->inflate_memory))
		return otr__fail(err, OTR_E_CORRUPT, "7.7", "deflate stream damaged, or not of %lu bytes", (unsigned long)raw_size);
	*r = otr__reader_of(scratch->raw, raw_size);
	return OTR_OK;
}

/* Presence bits of `rows` rows, of which `values` are set. */
static enum otr_status
take_presence(struct otr__reader *r, uint32_t rows, uint32_t values, const uint8_t **bits, struct otr_error *err)
{
	size_t size = (rows + 7u) / 8, i;
	uint32_t count = 0;

	if (!otr__take_bytes(r, size, bits) || !otr__take_zero(r, padded(size) - size) ||
	    (rows % 8 != 0 && (*bits)[size - 1] >> rows % 8 != 0))
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "presence bits cut off, or spare ones set");
	for (i = 0; i < size; i++) {
		unsigned b = (*bits)[i];

		b -= b >> 1 & 0x55;
		b = (b & 0x33) + (b >> 2 & 0x33);
		count += (b + (b >> 4)) & 0x0f;
	}
	if (count != values)
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "%lu presence bits set, %lu values stored", (unsigned long)count, (unsigned long)values);
	return OTR_OK;
}

struct exceptions {
	const uint8_t *at, *value;
	size_t count;
};

static enum otr_status
take_exceptions(struct otr__reader *r, const struct otr__chunk_header *h, int content, struct exceptions *x, struct otr_error *err)
{
	size_t i, last = 0;

	x->count = h->exceptions;
	if (!otr__take_bytes(r, 2 * x->count, &x->at) || !otr__take_zero(r, padded(2 * x->count) - 2 * x->count) ||
	    !otr__take_bytes(r, 8 * x->count, &x->value))
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "%u exceptions do not fit", h->exceptions);
	for (i = 0; i < x->count; i++) {
		size_t at = otr__get16(x->at + 2 * i);

		if (at >= h->values || (i > 0 && at <= last))
			return otr__fail(err, OTR_E_CORRUPT, "7.1", "exception at %lu of %lu values, after one at %lu", (unsigned long)at,
			    (unsigned long)h->values, (unsigned long)last);
		last = at;
		if (content == OTR_F32 && otr__get64(x->value + 8 * i) > UINT32_MAX)
			return otr__fail(err, OTR_E_CORRUPT, "7.1", "exception of more than 32 bits in an f32 column");
	}
	return OTR_OK;
}

/* From the front of value[] to the rows that have one, from the back so that nothing is overwritten before it is moved; nulls get 0. */
static void
spread(uint64_t *value, size_t n, const uint8_t *bits, size_t rows)
{
	size_t i;

	for (i = rows; i-- > 0; )
		value[i] = (bits[i / 8] >> i % 8 & 1) != 0 ? value[--n] : 0;
}

enum otr_status
otr__chunk_decode(const uint8_t *bytes, size_t len, int content, uint32_t rows, uint64_t *value, uint8_t *present, bool *has_null,
    struct otr__scratch *scratch, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(bytes, len);
	struct otr__chunk_header h;
	struct exceptions x = { .count = 0 };
	const uint8_t *bits = NULL;
	enum otr_status status;
	size_t entries = 0, i;

	status = otr__chunk_peek(bytes, len, rows, &h, err);
	if (status == OTR_OK)
		status = check_transform(&h, content, err);
	if (status != OTR_OK)
		return status;
	r.at += HEADER_SIZE;
	r.left -= HEADER_SIZE;
	if (h.deflated)
		status = decode_deflated(&r, rows, scratch, err);
	if (status == OTR_OK && h.has_presence)
		status = take_presence(&r, rows, h.values, &bits, err);
	if (status == OTR_OK && h.values > 0) {
		status = take_exceptions(&r, &h, content, &x, err);
		if (status == OTR_OK && h.transform == OTR__DICT)
			status = decode_dictionary(&r, content, h.deflated, h.values, &entries, scratch, err);
		if (status == OTR_OK)
			status = decode_body(&r, &h, content, h.deflated, scratch->entry, entries, value, scratch, err);
	}
	if (status != OTR_OK)
		return status;
	if (r.left != 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.1", "chunk: %lu bytes left over", (unsigned long)r.left);

	for (i = 0; i < x.count; i++)
		value[otr__get16(x.at + 2 * i)] = otr__get64(x.value + 8 * i);
	if (h.has_presence) {
		spread(value, h.values, bits, rows);
		memcpy(present, bits, (rows + 7u) / 8);
	}
	*has_null = h.has_presence;
	return OTR_OK;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------------- */

static void
put_header(struct otr__put *w, const struct otr__choice *c, size_t n, uint8_t flags, size_t size)
{
	otr__add8(w, c->transform);
	otr__add8(w, c->stream.packing);
	otr__add8(w, (uint8_t)c->parameter);
	otr__add8(w, flags);
	otr__add32(w, (uint32_t)size);
	otr__add32(w, (uint32_t)n);
	otr__add16(w, (uint16_t)c->exceptions);
	otr__add16(w, c->stream.block);
}

static void
put_raw(struct otr__put *w, const uint64_t *value, size_t n, int content)
{
	size_t size = otr__raw_bytes(content), i;
	uint8_t *p = otr__put_room(w, padded(n * size));

	if (p == NULL)
		return;
	for (i = 0; i < n; i++) {
		if (size == 8)
			otr__put64(p + 8 * i, value[i]);
		else if (size == 4)
			otr__put32(p + 4 * i, (uint32_t)value[i]);
		else
			p[i] = (uint8_t)value[i];
	}
	memset(p + n * size, 0, padded(n * size) - n * size);
}

static void
put_stream(struct otr__put *w, const struct otr__stream *s, struct otr__scratch *scratch)
{
	struct otr__run_plan run;
	size_t at, i = 0;

	if (s->packing == OTR__RUN) {
		/* the runs of another candidate may have come after these */
		otr__run_choose(s->x, s->n, scratch->run_length, scratch->run_value, &run);
		otr__run_encode(scratch->run_length, scratch->run_value, &run, scratch->residual, w);
		return;
	}
	for (at = 0; at < s->n; at += s->block, i++)
		otr__pack_encode(s->x + at, s->n - at < s->block ? s->n - at : s->block, &s->pack[i], scratch->residual, w);
}

/* All that follows the presence bits, for n > 0 values.  planes: the body in one block of byte planes, whatever packing was chosen. */
static void
put_choice(struct otr__put *w, const struct otr__choice *c, const uint64_t *value, size_t n, int content, bool planes, struct otr__scratch *scratch)
{
	size_t i;

	for (i = 0; i < c->exceptions; i++)
		otr__add16(w, c->exception[i]);
	otr__add_zero(w, padded(2 * c->exceptions) - 2 * c->exceptions);
	for (i = 0; i < c->exceptions; i++)
		otr__add64(w, value[c->exception[i]]);
	if (c->transform == OTR__DICT) {
		put_header(w, c->dictionary, c->entries, 0, HEADER_SIZE + c->dictionary->size);
		put_stream(w, &c->dictionary->stream, scratch);
	}
	if (c->transform == OTR__RAW)
		put_raw(w, value, n, content);
	else if (planes)
		otr__pack_encode_planes(c->stream.x, n, scratch->residual, w);
	else
		put_stream(w, &c->stream, scratch);
}

static void
put_presence(struct otr__put *w, const uint8_t *present, uint32_t rows)
{
	size_t size = (rows + 7u) / 8;
	uint8_t *bits = otr__put_room(w, padded(size));

	if (bits == NULL)
		return;
	memcpy(bits, present, size);
	memset(bits + size, 0, padded(size) - size);
	if (rows % 8 != 0)
		bits[size - 1] &= (uint8_t)((1u << rows % 8) - 1);
}

/* What a chunk is made of, for the deflated way. */
struct parts {
	const struct otr__choice *c;
	const uint64_t *value;
	const uint8_t *present;        /* NULL: no nulls */
	uint32_t rows;
	size_t n;
	int content;
};

/* What would follow the header, into bytes[0, most); 0 if it does not fit. */
static size_t
put_inside(const struct parts *p, bool planes, uint8_t *bytes, size_t most, struct otr__scratch *scratch)
{
	struct otr__put w = otr__put_into(bytes, most);

	if (p->present != NULL)
		put_presence(&w, p->present, p->rows);
	put_choice(&w, p->c, p->value, p->n, p->content, planes, scratch);
	return w.failed ? 0 : most - w.left;
}

/*
 * The chunk deflated (SPEC 7.7), as it was chosen or in byte planes, if that makes it smaller than `plain` bytes and it fits into cap.  Which of the two is better
 * shows only afterwards.  Returns its size, or 0.
 */
static size_t
put_deflated(const struct parts *p, size_t plain, uint8_t *out, size_t cap, struct otr__scratch *scratch)
{
	size_t most = 64 + 20 * (size_t)p->rows, limit = (cap < plain ? cap : plain - 8), raw, planes = 0, size, other = 0;
	struct otr__choice as = *p->c;
	struct otr__put w = otr__put_into(out, cap);
	uint8_t flags = FLAG_DEFLATED | (p->present != NULL ? FLAG_PRESENCE : 0), *stream;

	if (most > OTR__RAW_SIZE_MAX)
		most = OTR__RAW_SIZE_MAX;
	if (limit <= HEADER_SIZE + 8)
		return 0;
	limit -= HEADER_SIZE + 8;
	if (limit > sizeof scratch->deflated)
		limit = sizeof scratch->deflated;
	raw = put_inside(p, false, scratch->raw, most, scratch);
	size = raw == 0 ? 0 : otr__deflate(scratch->raw, raw, scratch->deflated, limit, scratch->deflate_memory);
	if (p->c->transform != OTR__RAW)
		planes = put_inside(p, true, scratch->planes, most, scratch);
	if (planes > 0)
		other = otr__deflate(scratch->planes, planes, scratch->raw, size > 0 ? size - 1 : limit, scratch->deflate_memory);
	if (other > 0) {
		as.stream.packing = OTR__PACK;
		as.stream.block = (uint16_t)p->n;
		raw = planes;
		size = other;
	}
	if (size == 0)
		return 0;
	put_header(&w, &as, p->n, flags, HEADER_SIZE + 8 + padded(size));
	otr__add32(&w, (uint32_t)raw);
	otr__add32(&w, (uint32_t)size);
	stream = otr__put_room(&w, padded(size));
	if (stream == NULL)
		return 0;
	memcpy(stream, other > 0 ? scratch->raw : scratch->deflated, size);
	memset(stream + size, 0, padded(size) - size);
	return HEADER_SIZE + 8 + padded(size);
}

/* The values that are not null, to the front of out[].  Returns their number. */
static size_t
gather(const uint64_t *value, const uint8_t *present, size_t rows, uint64_t *out)
{
	size_t i, n = 0;

	for (i = 0; i < rows; i++) {
		out[n] = value[i];
		n += present[i / 8] >> i % 8 & 1;
	}
	return n;
}

size_t
otr__chunk_encode(const uint64_t *value, const uint8_t *present, uint32_t rows, int content, struct otr__hint *hint, uint8_t *out,
    size_t cap, struct otr__scratch *scratch)
{
	struct otr__put w = otr__put_into(out, cap);
	size_t n = rows, size = HEADER_SIZE;
	const struct otr__choice *c = NULL;

	if (present != NULL) {
		n = gather(value, present, rows, scratch->value);
		if (n < rows)
			size += padded((rows + 7u) / 8);
		value = scratch->value;
	}
	if (n > 0) {
		c = otr__choose(value, n, content, hint, scratch);
		size += c->size;
	}
	if (c != NULL && scratch->deflate) {
		struct parts p = { .c = c, .value = value, .present = n < rows ? present : NULL, .rows = rows, .n = n, .content = content };
		size_t deflated = put_deflated(&p, size, out, cap, scratch);

		if (deflated > 0)
			return deflated;
	}
	if (size > cap)
		return 0;
	if (c == NULL) {
		scratch->dictionary = (struct otr__choice){ .transform = OTR__RAW };
		put_header(&w, &scratch->dictionary, 0, n < rows ? FLAG_PRESENCE : 0, size);
	} else
		put_header(&w, c, n, n < rows ? FLAG_PRESENCE : 0, size);
	if (n < rows)
		put_presence(&w, present, rows);
	if (c != NULL)
		put_choice(&w, c, value, n, content, false, scratch);
	return w.failed ? 0 : size;
}
