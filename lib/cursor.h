/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cursor.h - a bounded reader and a bounded writer over a buffer.
 *
 * All parsing goes through the reader: a getter succeeds and advances, or returns false and leaves it alone.  The writer remembers that it
 * ran out of room (failed), so that a caller may put many fields and ask once.
 */
#ifndef OTR_CURSOR_H
#define OTR_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct otr__reader {
	const uint8_t *at;
	size_t left;
};

static inline struct otr__reader
otr__reader_of(const uint8_t *bytes, size_t len)
{
	return (struct otr__reader){ .at = bytes, .left = len };
}

/* A borrowed part of len bytes. */
static inline bool
otr__take_bytes(struct otr__reader *r, size_t len, const uint8_t **bytes)
{
	if (r->left < len)
		return false;
	*bytes = r->at;
	r->at += len;
	r->left -= len;
	return true;
}

static inline bool
otr__take_part(struct otr__reader *r, size_t len, struct otr__reader *part)
{
	const uint8_t *p;

	if (!otr__take_bytes(r, len, &p))
		return false;
	*part = otr__reader_of(p, len);
	return true;
}

static inline bool
otr__take8(struct otr__reader *r, uint8_t *v)
{
	const uint8_t *p;

	if (!otr__take_bytes(r, 1, &p))
		return false;
	*v = p[0];
	return true;
}

static inline bool
otr__take16(struct otr__reader *r, uint16_t *v)
{
	const uint8_t *p;

	if (!otr__take_bytes(r, 2, &p))
		return false;
	*v = otr__get16(p);
	return true;
}

static inline bool
otr__take32(struct otr__reader *r, uint32_t *v)
{
	const uint8_t *p;

	if (!otr__take_bytes(r, 4, &p))
		return false;
	*v = otr__get32(p);
	return true;
}

static inline bool
otr__take64(struct otr__reader *r, uint64_t *v)
{
	const uint8_t *p;

	if (!otr__take_bytes(r, 8, &p))
		return false;
	*v = otr__get64(p);
	return true;
}

/* Skips len bytes that must all be zero; false if there are fewer or one is not. */
static inline bool
otr__take_zero(struct otr__reader *r, size_t len)
{
	size_t i;

	if (r->left < len)
		return false;
	for (i = 0; i < len; i++)
		if (r->at[i] != 0)
			return false;
	r->at += len;
	r->left -= len;
	return true;
}

struct otr__put {
	uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct otr__put
otr__put_into(uint8_t *bytes, size_t len)
{
	return (struct otr__put){ .at = bytes, .left = len };
}

/* Room for len bytes, or NULL and failed. */
static inline uint8_t *
otr__put_room(struct otr__put *w, size_t len)
{
	uint8_t *p = w->at;

	if (w->failed || w->left < len) {
		w->failed = true;
		return NULL;
	}
	w->at += len;
	w->left -= len;
	return p;
}

static inline void
otr__add8(struct otr__put *w, uint8_t v)
{
	uint8_t *p = otr__put_room(w, 1);

	if (p != NULL)
		*p = v;
}

static inline void
otr__add16(struct otr__put *w, uint16_t v)
{
	uint8_t *p = otr__put_room(w, 2);

	if (p != NULL)
		otr__put16(p, v);
}

static inline void
otr__add32(struct otr__put *w, uint32_t v)
{
	uint8_t *p = otr__put_room(w, 4);

	if (p != NULL)
		otr__put32(p, v);
}

static inline void
otr__add64(struct otr__put *w, uint64_t v)
{
	uint8_t *p = otr__put_room(w, 8);

	if (p != NULL)
		otr__put64(p, v);
}

static inline void
otr__add_bytes(struct otr__put *w, const void *bytes, size_t len)
{
	uint8_t *p = otr__put_room(w, len);

	if (p != NULL && len > 0)
		memcpy(p, bytes, len);
}

static inline void
otr__add_zero(struct otr__put *w, size_t len)
{
	uint8_t *p = otr__put_room(w, len);

	if (p != NULL)
		memset(p, 0, len);
}

#endif
