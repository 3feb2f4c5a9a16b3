/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_timearg.c - times and lengths of time as text: cli.md 2, cases.md D and U.
 */
#include "timearg.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define S INT64_C(1000000000)
#define NOW (INT64_C(1700000000) * S)

static struct zone *utc;

static struct zone *
open_zone(const char *name)
{
	char why[400];

	return zone_open(name, why, sizeof why);
}

/* Reads as data in a zone; -1 (no time of these tests) where it is refused. */
static int64_t
data(const char *text, const struct zone *zone, enum timearg_dst dst, enum timearg_unit unit, bool fenced)
{
	struct timearg_reader r;
	struct timearg_why why;
	char padded[128] = "";
	const char *end;
	int64_t ns, fast;

	timearg_reader_init(&r, zone, dst, unit, fenced, NOW);
	if (!timearg_read(&r, text, strlen(text), &ns, &why))
		ns = -1;
	memcpy(padded, text, strlen(text));
	end = timearg_read_fast(&r, padded, &fast);
	if (end == padded + strlen(text) && fast != ns)
		return -2;                   /* the two ways differ */
	return ns;
}

static int64_t
plain(const char *text)
{
	return data(text, utc, TIMEARG_STRICT, TIMEARG_S, false);
}

static int
option(const char *text, int64_t want)
{
	struct timearg t;
	struct timearg_why why;

	return timearg_parse(text, utc, TIMEARG_STRICT, NOW, TIMEARG_ANYWHERE, &t, &why) && t.base == TIMEARG_FIXED && t.ns == want;
}

static int
refused(const char *text)
{
	struct timearg t;
	struct timearg_why why;

	return !timearg_parse(text, utc, TIMEARG_STRICT, NOW, TIMEARG_ANYWHERE, &t, &why);
}

static void
test_data(void)
{
	CHECK(plain("2023-11-14T22:13:20Z") == NOW && plain("2023-11-14 22:13:20") == NOW && plain("20231114T221320Z") == NOW &&
	    plain("2023-11-14t23:13:20+01:00") == NOW && plain("2023-11-14T22:13:20.000000000000Z") == NOW, "RFC 3339 in its forms");
	CHECK(plain("2023-11-14T22:13:20.25-0130") == NOW + 90 * 60 * S + S / 4, "fractions and offsets count");
	CHECK(plain("1700000000") == NOW && plain("1700000000.000000001") == NOW + 1 && plain("@1700000000") == NOW, "plain numbers are seconds");
	CHECK(data("1700000000500", utc, TIMEARG_STRICT, TIMEARG_MS, false) == NOW + S / 2, "or of the unit that is told");
	CHECK(plain("2023-02-31T00:00:00Z") == -1 && plain("2023-11-14T24:00:00Z") == -1 && plain("1e9") == -1 && plain("14.11.2023") == -1 &&
	    plain("2023-11-14T22:13:20.0000000001Z") == -1 && plain("") == -1 && plain("1700000000.0000000001") == -1, "all else is refused");
	CHECK(plain("2016-12-31T23:59:60Z") == INT64_C(1483228800) * S && plain("2016-12-31T22:59:60Z") == -1, "a leap second is the next second");
	CHECK(plain("-9223372036.854775807") == OTR_TIME_MIN && plain("-9223372036.854775808") == -1, "the least time, and none below");
	CHECK(plain("2262-04-11T23:47:16.854775806Z") == OTR_TIME_MAX && plain("2262-04-11T23:47:16.854775807Z") == -1, "the last time, and none above");
	CHECK(plain("1900-02-29T00:00:00Z") == -1 && plain("2000-02-29T00:00:00Z") == INT64_C(951782400) * S, "leap years");
}

static void
test_fence(void)
{
	struct timearg_reader r;
	struct timearg_why why;
	int64_t ns;

	timearg_reader_init(&r, utc, TIMEARG_STRICT, TIMEARG_S, true, NOW);
	CHECK(!timearg_read(&r, "1700000010000", 13, &ns, &why) && strstr(why.remedy, "--time-unit ms") != NULL, "milliseconds among seconds are named");
	CHECK(!timearg_read(&r, "1700000010000000000", 19, &ns, &why) && strstr(why.remedy, "--time-unit ns") != NULL, "nanoseconds too");
	timearg_reader_unit(&r, TIMEARG_MS);
	CHECK(!timearg_read(&r, "1700000010", 10, &ns, &why) && strstr(why.remedy, "--time-unit s") != NULL, "seconds among milliseconds too");
	CHECK(timearg_read(&r, "1960-01-01T00:00:00Z", 20, &ns, &why), "RFC 3339 is not fenced");
}

static void
test_zones(void)
{
	struct zone *copenhagen = open_zone("Europe/Copenhagen"), *havana = open_zone("America/Havana"), *santiago = open_zone("America/Santiago");
	const int64_t d = INT64_C(1729987200);        /* 2024-10-27T00:00Z */

	CHECK(open_zone("Europe/Berln") == NULL && open_zone("../../etc/passwd") == NULL && open_zone("") == NULL, "unknown zones are refused");
	if (copenhagen == NULL || havana == NULL || santiago == NULL) {
		CHECK(1, "no zone database here # SKIP");
		return;
	}
	CHECK(data("2024-03-31T02:30:00", copenhagen, TIMEARG_STRICT, TIMEARG_S, false) == -1, "a time in a gap is refused");
	CHECK(data("2024-10-27T02:30:00", copenhagen, TIMEARG_STRICT, TIMEARG_S, false) == -1, "a time that is twice is refused");
	CHECK(data("2024-10-27T02:30:00", copenhagen, TIMEARG_EARLIER, TIMEARG_S, false) == (d + 1800) * S &&
	    data("2024-10-27T02:30:00", copenhagen, TIMEARG_LATER, TIMEARG_S, false) == (d + 5400) * S, "unless --dst says which");
	CHECK(data("2024-07-01T12:00:00", copenhagen, TIMEARG_STRICT, TIMEARG_S, false) == INT64_C(1719828000) * S, "summer is two hours ahead");
	CHECK(data("2051-07-01T12:00:00", copenhagen, TIMEARG_STRICT, TIMEARG_S, false) == INT64_C(2571818400) * S, "also beyond the table's end");
	CHECK(zone_first_instant(havana, zone_days(2024, 11, 3) * 86400) == INT64_C(1730606400), "of two midnights the first");
	CHECK(zone_first_instant(santiago, zone_days(2024, 9, 8) * 86400) == INT64_C(1725768000), "of none the first instant of the day");
	zone_free(copenhagen);
	zone_free(havana);
	zone_free(santiago);
}

static void
test_options(void)
{
	CHECK(option("now", NOW) && option("-7d", NOW - 7 * 86400 * S) && option("+1h", NOW + 3600 * S) && option("now-1h30m", NOW - 5400 * S),
	    "now and what is counted from it");
	CHECK(option("today", INT64_C(1699920000) * S) && option("yesterday", INT64_C(1699833600) * S) && option("tomorrow+6h", INT64_C(1700028000) * S),
	    "days by name");
	CHECK(option("2023-11", INT64_C(1698796800) * S) && option("1700000000", NOW) && option("@-3600", -3600 * S), "months, seconds");
	CHECK(refused("20231114") && refused("2023") && refused("-3600") && refused("5 minutes ago") && refused("nonsense") && refused("start+1h") &&
	    refused("-7M") && refused(""), "what could mean two things is refused");
}

static void
test_calendar(void)
{
	struct timearg t;
	struct timearg_why why;
	int64_t ns = 0, march31 = zone_days(2024, 3, 31) * 86400 * S;

	t = (struct timearg){ .base = TIMEARG_LAST, .back = true, .shift = { .months = 1 } };
	CHECK(timearg_resolve(&t, utc, TIMEARG_STRICT, march31, &ns, &why) && ns == zone_days(2024, 2, 29) * 86400 * S,
	    "a month before 31 March is the end of February");
	t = (struct timearg){ .base = TIMEARG_FIRST, .back = true, .shift = { .ns = 1 } };
	CHECK(!timearg_resolve(&t, utc, TIMEARG_STRICT, OTR_TIME_MIN, &ns, &why), "nothing comes before the least time");
	t = (struct timearg){ .base = TIMEARG_FIRST, .shift = { .days = 1 } };
	CHECK(timearg_resolve(&t, utc, TIMEARG_STRICT, OTR_TIME_MIN, &ns, &why) && ns == OTR_TIME_MIN + 86400 * S, "a day after it does");
}

static void
test_lengths(void)
{
	struct timearg_why why;
	uint64_t ns = 0;

	CHECK(timearg_fixed_length("1h30m", false, &ns, &why) && ns == 5400 * (uint64_t)S, "1h30m");
	CHECK(timearg_fixed_length("1w", false, &ns, &why) && ns == 604800 * (uint64_t)S, "a stored week is 168 h");
	CHECK(timearg_fixed_length("10", true, &ns, &why) && ns == 10 * (uint64_t)S && !timearg_fixed_length("10", false, &ns, &why),
	    "a plain number is seconds for --wait alone");
	CHECK(!timearg_fixed_length("1mo", false, &ns, &why) && !timearg_fixed_length("30m1h", false, &ns, &why) &&
	    !timearg_fixed_length("", false, &ns, &why), "months, wrong order, nothing");
	CHECK(!timearg_window("1.5h", &ns, &why) && strstr(why.remedy, "90m") != NULL, "1.5h is answered with 90m");
	CHECK(!timearg_window("1d", &ns, &why) && !timearg_window("0s", &ns, &why) && !timearg_window("9223372036854775808ns", &ns, &why) &&
	    timearg_window("9223372036854775807ns", &ns, &why), "windows are fixed, above 0 and below 2^63");
}

static int
writes(const char *format, const struct zone *zone, unsigned digits, int64_t ns, const char *want)
{
	struct timearg_writer w;
	struct timearg_why why;
	char text[4096];

	if (!timearg_writer_init(&w, format, zone, digits, &why))
		return 0;
	*timearg_write(&w, text, ns) = '\0';
	return strcmp(text, want) == 0;
}

static void
test_output(void)
{
	struct zone *kolkata = open_zone("+05:30");
	struct timearg_writer w;
	struct timearg_why why;

	CHECK(writes(NULL, utc, 0, NOW, "2023-11-14T22:13:20Z") && writes(NULL, utc, 3, NOW + S / 4, "2023-11-14T22:13:20.250Z"), "RFC 3339 with the digits told");
	CHECK(writes(NULL, utc, 9, -1, "1969-12-31T23:59:59.999999999Z") && writes(NULL, utc, 9, OTR_TIME_MIN, "1677-09-21T00:12:43.145224193Z") &&
	    writes(NULL, utc, 9, OTR_TIME_MAX, "2262-04-11T23:47:16.854775806Z"), "to both ends of time");
	CHECK(writes(NULL, kolkata, 0, NOW, "2023-11-15T03:43:20+05:30"), "in a zone with its offset");
	CHECK(writes("s", utc, 3, NOW + S / 4, "1700000000.250") && writes("us", utc, 9, -1500, "-1.500") && writes("ns", utc, 9, 5, "5") &&
	    writes("ms", utc, 0, NOW, "1700000000000"), "numbers are exact");
	CHECK(writes("%Y/%j %H:%M:%S.%3N %z %s %%", utc, 0, NOW + 1999999, "2023/318 22:13:20.001 +0000 1700000000 %"), "patterns may cut digits");
	CHECK(!timearg_writer_init(&w, "%B", utc, 0, &why) && !timearg_writer_init(&w, "h", utc, 0, &why), "names of months are refused");
	zone_free(kolkata);
}

/* What is written is read back, in zones too, by the fast way and the general one. */
static void
test_round_trips(void)
{
	static const char *const names[] = { "UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia" };
	unsigned long long state = 11;
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct zone *zone = open_zone(names[i]);
		struct timearg_writer w;
		struct timearg_why why;

		if (zone == NULL || !timearg_writer_init(&w, NULL, zone, 9, &why))
			continue;
		for (unsigned k = 0; k < 20000; k++) {
			char text[TIMEARG_TEXT + 1];
			int64_t ns = (int64_t)tap_random(&state);

			if (ns < OTR_TIME_MIN || ns > OTR_TIME_MAX)
				continue;
			*timearg_write(&w, text, ns) = '\0';
			bad += data(text, zone, TIMEARG_STRICT, TIMEARG_S, false) != ns && ns != -1;
		}
		zone_free(zone);
	}
	CHECK(bad == 0, "any time comes back from its text, in any zone");
}

int
main(void)
{
	utc = open_zone("UTC");
	test_data();
	test_fence();
	test_zones();
	test_options();
	test_calendar();
	test_lengths();
	test_output();
	test_round_trips();
	zone_free(utc);
	return tap_done();
}
