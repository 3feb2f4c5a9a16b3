/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_times.c - times as text: in data, in options, as patterns of output.  What is written is read as the same time.
 *
 *	u8 zone and dst, u8 unit and place, then one text for data and options, or (unit's bit 7) u64 time and a pattern
 */
#include "input.h"

static struct zone *zone[4];

static void
read_in(const struct zone *z, enum timearg_dst dst, enum timearg_unit unit, bool fenced, const char *text, size_t len)
{
	struct timearg_reader r;
	struct timearg_why why;
	char *slack = fuzz_memory(len + 64);
	const char *end;
	int64_t ns = 0, fast = 0;
	bool ok;

	timearg_reader_init(&r, z, dst, unit, fenced, 1800000000000000000);
	ok = timearg_read(&r, text, len, &ns, &why);
	REQUIRE(!ok || (ns >= OTR_TIME_MIN && ns <= OTR_TIME_MAX), "a time can be stored");
	memcpy(slack, text, len);
	slack[len] = ',';
	end = timearg_read_fast(&r, slack, &fast);
	if (end == slack + len)
		REQUIRE(ok && fast == ns, "the fast way reads what the plain one reads");
	free(slack);
}

static void
as_option(const struct zone *z, enum timearg_dst dst, enum timearg_place place, const char *text)
{
	struct timearg t;
	struct timearg_why why;
	uint64_t length = 0, back = 0;
	int64_t ns;
	char out[100];

	if (timearg_parse(text, z, dst, 1700000000000000000, place, &t, &why))
		(void)timearg_resolve(&t, z, dst, 1600000000000000000, &ns, &why);
	(void)timearg_window(text, &length, &why);
	if (timearg_fixed_length(text, (place & 1) != 0, &length, &why)) {
		timearg_length_text(length, out, sizeof out);
		REQUIRE(timearg_fixed_length(out, false, &back, &why) && back == length, "a length that is written is read as the same");
	}
}

static void
write_out(const struct zone *z, int64_t ns, const char *pattern, unsigned digits)
{
	struct timearg_writer w;
	struct timearg_reader r;
	struct timearg_why why;
	int64_t back = 0;
	char *out, *end;

	if (ns == INT64_MIN || ns == INT64_MAX)
		return;
	REQUIRE(timearg_writer_init(&w, NULL, z, timearg_time_digits(ns), &why), "RFC 3339 can be written");
	out = fuzz_memory(timearg_room(&w));
	end = timearg_write(&w, out, ns);
	timearg_reader_init(&r, z, TIMEARG_STRICT, TIMEARG_NS, false, 0);
	REQUIRE(timearg_read(&r, out, (size_t)(end - out), &back, &why) && back == ns, "a time that is written is read as the same");
	free(out);
	if (timearg_writer_init(&w, pattern, z, digits, &why)) {
		out = fuzz_memory(timearg_room(&w));
		end = timearg_write(&w, out, ns);
		REQUIRE(end >= out && end <= out + timearg_room(&w), "a pattern fits its room");
		REQUIRE(timearg_field(&w) != NULL, "a field has a name");
		free(out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const name[4] = { "UTC", "+05:30", "-00:01", "Europe/Berlin" };
	struct fuzz_bytes b = { data, size };
	unsigned first = (unsigned)fuzz_take(&b, 1), second = (unsigned)fuzz_take(&b, 1), i;
	enum timearg_dst dst = (enum timearg_dst)(first / 4 % 3);
	const struct zone *z;
	char why[200], *text;
	int64_t ns;

	for (i = 0; i < 4 && zone[i] == NULL; i++) {
		zone[i] = zone_open(name[i], why, sizeof why);
		if (zone[i] == NULL)
			zone[i] = zone_open("UTC", why, sizeof why);        /* no zone database here */
	}
	z = zone[first % 4];
	if (second >> 7 != 0) {
		ns = (int64_t)fuzz_take(&b, 8);
		text = fuzz_text(&b);
		write_out(z, ns, text, second % 4 * 3);
	} else {
		size_t len = b.left;

		text = fuzz_text(&b);
		read_in(z, dst, (enum timearg_unit)(second % 4), (second & 64) != 0, text, len);
		as_option(z, dst, (enum timearg_place)(second / 4 % 8), text);
	}
	free(text);
	return 0;
}
