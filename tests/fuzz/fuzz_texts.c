/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_texts.c - numbers, counts, sizes, names of delimiters, and the escaping of foreign text.  A number that is written is read as the same.
 *
 *	u8 what (0..4 a type, 5 the same from bits, else the rest), text
 */
#include "cli.h"
#include "csv.h"
#include "input.h"
#include "numtext.h"
#include "opts.h"
#include "policy.h"

static void
there_and_back(enum otr_type type, uint64_t bits)
{
	char out[NUMTEXT_MAX], *end = numtext_write(out, type, bits);
	uint64_t back = ~bits;

	REQUIRE(end > out && end <= out + sizeof out, "a number fits its room");
	REQUIRE(numtext_read(type, out, (size_t)(end - out), &back) == NUMTEXT_OK && back == bits, "a number that is written is read as the same");
}

static void
number(enum otr_type type, const char *text, size_t len)
{
	uint64_t bits = 0, fast_bits;
	enum numtext_status status = numtext_read(type, text, len, &bits);
	char *ended = fuzz_memory(len + 1);
	int64_t whole;
	double v;

	REQUIRE(numtext_what(status) != NULL && numtext_remedy(status) != NULL, "a refusal has a text");
	if (status == NUMTEXT_OK) {
		REQUIRE(fuzz_value(type, bits) == bits, "a value can be stored");
		there_and_back(type, bits);
	}
	memcpy(ended, text, len);
	ended[len] = ',';
	if (type == OTR_F64 && numtext_fast(ended, &v) == ended + len) {
		memcpy(&fast_bits, &v, sizeof v);
		REQUIRE(status == NUMTEXT_OK && fast_bits == bits, "the fast way reads what the plain one reads");
	}
	if (type == OTR_I64 && numtext_fast_integer(ended, &whole) == ended + len)
		REQUIRE(status == NUMTEXT_OK && (uint64_t)whole == bits, "the fast way reads what the plain one reads");
	free(ended);
}

static void
others(const char *text, size_t len)
{
	size_t room = 4 * len + 1, n, i;
	char *out = fuzz_memory(room), delimiter;
	const char *remedy;
	struct cli_quoted q;
	uint64_t v;

	n = cli_escape(text, len, out, room);
	REQUIRE(n < room && out[n] == '\0' && cli_is_text(out, n, false), "an escaped text can be printed");
	for (i = 1; i < 8 && i < room; i++)
		REQUIRE(cli_escape(text, len, out, i) < i, "a text that is escaped keeps to its room");
	REQUIRE(strlen(cli_quote(text, len, &q)) < sizeof q.text, "a quoted text keeps to its room");
	(void)opts_count_fault(text, false, &v, &remedy);
	(void)opts_count_fault(text, true, &v, &remedy);
	(void)csv_delimiter(text, &delimiter);
	(void)policy_key_fault(text, len);
	free(out);
}

static void
policies(const char *text)
{
	struct policy_change c, back;
	char out[POLICY_TEXT];
	unsigned which;

	for (which = 0; which < POLICIES; which++) {
		memset(&c, 0, sizeof c);
		if (policy_read(&c, (enum policy)which, "x", text) != 0)
			continue;
		back = c;
		REQUIRE(policy_read(&back, (enum policy)which, "x", policy_text(&c.now, (enum policy)which, out)) == 0 &&
		    memcmp(&c.now, &back.now, sizeof c.now) == 0, "a policy that is written is read as the same");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	unsigned what = (unsigned)fuzz_take(&b, 1) % 8, t;
	uint64_t bits;
	size_t len;
	char *text;

	if (what == 5) {
		bits = fuzz_take(&b, 8);
		for (t = OTR_I32; t <= OTR_F64; t++)
			there_and_back((enum otr_type)t, fuzz_value((enum otr_type)t, bits));
		return 0;
	}
	len = b.left;
	text = fuzz_text(&b);
	if (what < 5)
		number((enum otr_type)(what + 1), text, len);
	else {
		others(text, strlen(text));
		policies(text);
	}
	free(text);
	return 0;
}
