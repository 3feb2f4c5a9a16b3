/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seal.h - right checksums over what was changed in a file in memory (image.h, included before), and over all that leads to it: for whoever wants to get
 * behind them (file.h, ../damage/test_damage.c).
 */
#ifndef SEAL_H
#define SEAL_H

#include "bytes.h"
#include "checksum.h"
#include "format.h"

struct layout {
	size_t page, first, pages;         /* bytes of a page; number of the first one; whole pages behind it */
};

static inline struct layout
layout_of(const struct image *m)
{
	struct layout l = { .page = 4096 };

	if (m->len > 64 && m->byte[64] >= 12 && m->byte[64] <= 16)
		l.page = (size_t)1 << m->byte[64];
	l.first = l.page < OTR__START_BYTES ? OTR__START_BYTES / l.page : 1;
	l.pages = m->len / l.page > l.first ? m->len / l.page - l.first : 0;
	return l;
}

static inline bool
is_slot(size_t at)
{
	return at == 4096 || at == 8192;
}

/* What refers to a page: its number, generation and crc, as SPEC 5.2 has them. */
#define REFERENCE 20

static inline void
put_reference(uint8_t *to, const uint8_t *page)
{
	memcpy(to, page + 8, 8);
	memcpy(to + 8, page + 32, 8);
	memcpy(to + 16, page, 4);
}

/*
 * Makes the checksum of what begins at `at` right, and then those of all that refers to it, up to the slots.  was: the reference that leads to it, as it was
 * before the page was changed, so that one whose number or generation was changed is still met.
 */
static inline void
seal_as(struct image *m, const struct layout *l, size_t at, const uint8_t was[REFERENCE], int depth)
{
	size_t size = at < OTR__START_BYTES ? 4096 : l->page, from, i;
	uint32_t crc;

	if (at == 0 || at == OTR__HEADER_COPY) {
		otr__put32(m->byte + at + 8, otr__crc32(m->byte + at + 12, size - 12));
		return;
	}
	crc = otr__crc32(m->byte + at + 4, size - 4);
	otr__put32(m->byte + at, crc);
	if (is_slot(at) || depth > 20 || otr__get32(was + 16) == crc)
		return;
	for (from = 4096; from + l->page <= m->len; from += from < 12288 ? 4096 : l->page) {
		bool found = false, slot = is_slot(from);
		uint8_t before[REFERENCE];

		if (from == at || from == OTR__HEADER_COPY || (!slot && (from < OTR__START_BYTES || from % l->page != 0)))
			continue;
		put_reference(before, m->byte + from);
		for (i = slot ? 64 : 40; i + 24 <= (slot ? 504 : l->page); i += 8)
			if (memcmp(m->byte + from + i, was, REFERENCE) == 0) {
				otr__put32(m->byte + from + i + 16, crc);
				found = true;
			}
		if (found)
			seal_as(m, l, from, before, depth + 1);
	}
}

/* The same, where the page's own number and generation are as they were. */
static inline void
seal(struct image *m, const struct layout *l, size_t at, int depth)
{
	uint8_t was[REFERENCE];

	put_reference(was, m->byte + at);
	seal_as(m, l, at, was, depth);
}

#endif
