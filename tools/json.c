/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.c - values of JSON.
 */
#include "json.h"

#include "cli.h"
#include "numtext.h"

#include <math.h>
#include <string.h>

/* Of a control character: none is beyond U+FFFF. */
static unsigned
code_of(const unsigned char *s, size_t n)
{
	if (n == 1)
		return s[0];
	return n == 2 ? (s[0] & 0x1fU) << 6 | (s[1] & 0x3fU) : (s[0] & 0xfU) << 12 | (s[1] & 0x3fU) << 6 | (s[2] & 0x3fU);
}

void
json_text(struct out *o, const char *text)
{
	size_t len = strlen(text), n;

	out_text(o, "\"");
	for (size_t at = 0; at < len; at += n) {
		unsigned char c = (unsigned char)text[at];

		n = cli_utf8(text + at, len - at);
		if (n == 0) {
			out_text(o, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			char pair[2] = { '\\', (char)c };

			out_bytes(o, pair, 2);
		} else if (cli_is_control(text + at, n)) {
			out_format(o, "\\u%04x", code_of((const unsigned char *)text + at, n));
		} else {
			out_bytes(o, text + at, n);
		}
	}
	out_text(o, "\"");
}

void
json_value(struct out *o, enum otr_type type, uint64_t bits)
{
	char text[NUMTEXT_MAX];
	bool quoted = (type == OTR_F64 && !isfinite(numtext_f64(bits))) || (type == OTR_F32 && !isfinite(numtext_f32(bits)));

	if (type == OTR_BOOL) {
		out_text(o, bits != 0 ? "true" : "false");
		return;
	}
	if (quoted)
		out_text(o, "\"");
	out_bytes(o, text, (size_t)(numtext_write(text, type, bits) - text));
	if (quoted)
		out_text(o, "\"");
}
