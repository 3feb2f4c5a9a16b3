/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - what a string in a file may hold (SPEC 2.5, 5.6-1): UTF-8 without control characters, or with fewer of them.
 */
#ifndef OTR_TEXT_H
#define OTR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum otr__text {
	OTR__TEXT_PLAIN,       /* no control character: authors, names */
	OTR__TEXT_LINES,       /* newline and tab, no other: messages */
	OTR__TEXT_ANY          /* anything but NUL: metadata values */
};

/*
 * Takes the character at s[*i], *i < len, in its shortest form, no surrogate, at most U+10FFFF (RFC 3629).  False, and *i left alone, if
 * there is none.
 */
static inline bool
otr__utf8_take(const uint8_t *s, size_t len, size_t *i, uint32_t *character)
{
	static const uint32_t least[4] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t lead = s[*i];
	size_t more = lead < 0x80 ? 0 : lead < 0xc0 ? 4 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf8 ? 3 : 4, k;
	uint32_t c = more == 0 ? lead : more < 4 ? (uint32_t)(lead & (0x3f >> more)) : 0;

	if (more > 3 || len - *i - 1 < more)
		return false;
	for (k = 1; k <= more; k++) {
		if ((s[*i + k] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (s[*i + k] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	*i += more + 1;
	*character = c;
	return true;
}

/* U+0000 .. U+001F, U+007F .. U+009F: what Unicode calls Cc.  The second range drives terminals, too. */
static inline bool
otr__is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static inline bool
otr__text_ok(const uint8_t *s, size_t len, enum otr__text rule)
{
	size_t i = 0;
	uint32_t c;

	while (i < len) {
		if (!otr__utf8_take(s, len, &i, &c))
			return false;
		if (rule == OTR__TEXT_ANY ? c == 0 : otr__is_control(c) && !(rule == OTR__TEXT_LINES && (c == '\n' || c == '\t')))
			return false;
	}
	return true;
}

#endif
