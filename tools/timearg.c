/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timearg.c - times and lengths of time as text.
 */
#include "timearg.h"

#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)
#define DAY_S 86400
#define YEAR_1971 (INT64_C(31536000) * SECOND)
#define AHEAD (INT64_C(366) * DAY_S * SECOND)

static const uint64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000 };

CLI_PRINTF(3, 4)
static bool
refuse(struct timearg_why *why, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why->what, sizeof why->what, format, args);
	va_end(args);
	(void)snprintf(why->remedy, sizeof why->remedy, "%s", remedy);
	return false;
}

static bool
refuse_range(struct timearg_why *why)
{
	return refuse(why, "from 1677-09-21 to 2262-04-11", "time that no file can hold");
}

static bool
refuse_form(struct timearg_why *why)
{
	return refuse(why, "write " TIMEARG_FORM, "not a time");
}

/* ---- units, clock ---- */

bool
timearg_unit(const char *text, size_t len, enum timearg_unit *unit)
{
	for (enum timearg_unit u = TIMEARG_S; u <= TIMEARG_NS; u++) {
		const char *name = timearg_unit_name(u);

		if (strlen(name) == len && memcmp(name, text, len) == 0) {
			*unit = u;
			return true;
		}
	}
	return false;
}

unsigned
timearg_unit_digits(enum timearg_unit unit)
{
	return 9 - 3 * (unsigned)unit;
}

const char *
timearg_unit_name(enum timearg_unit unit)
{
	static const char *const names[] = { "s", "ms", "us", "ns" };

	return names[unit];
}

int64_t
timearg_now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return 0;
	/* the clock of a machine may be anywhere */
	if (t.tv_sec >= INT64_MAX / SECOND)
		return OTR_TIME_MAX;
	if (t.tv_sec <= INT64_MIN / SECOND)
		return OTR_TIME_MIN;
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

/* ---- arithmetic ---- */

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* seconds and 0 .. 999999999 ns as one time; false outside OTR_TIME_MIN .. OTR_TIME_MAX. */
static bool
join(int64_t seconds, int64_t fraction, int64_t *ns)
{
	if (seconds < -9223372037 || seconds > 9223372036)
		return false;
	if (seconds == -9223372037) {        /* seconds x 10^9 alone would be too low */
		if (fraction < 145224193)
			return false;
		*ns = (seconds + 1) * SECOND - (SECOND - fraction);
		return true;
	}
	if (seconds == 9223372036 && fraction > 854775806)
		return false;
	*ns = seconds * SECOND + fraction;
	return true;
}

/* ---- times in data ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void
timearg_reader_unit(struct timearg_reader *r, enum timearg_unit unit)
{
	r->unit = unit;
	r->scale_digits = timearg_unit_digits(unit);
	r->scale = powers[r->scale_digits];
	r->plain_low = r->fenced ? (uint64_t)r->fence_low / r->scale : 0;
	r->plain_high = (uint64_t)(r->fenced ? r->fence_high : OTR_TIME_MAX) / r->scale;
}

void
timearg_reader_init(struct timearg_reader *r, const struct zone *zone, enum timearg_dst dst, enum timearg_unit unit, bool fenced, int64_t now)
{
	*r = (struct timearg_reader){ .zone = zone, .dst = dst, .fenced = fenced, .fence_low = YEAR_1971 };
	r->fence_high = now < 0 ? AHEAD : now > OTR_TIME_MAX - AHEAD ? OTR_TIME_MAX : now + AHEAD;
	r->local = !zone_is_utc(zone);
	r->span_low = INT64_MAX;
	r->span_high = INT64_MIN;
	timearg_reader_unit(r, unit);
}

/* A decimal number of the unit.  Returns 0 if it is none, -1 if it is one but too large or too fine, 1 with *ns. */
static int
read_number(const char *p, const char *end, unsigned scale_digits, int64_t *ns)
{
	bool negative = false, over = false, fine = false;
	uint64_t whole = 0, part = 0;
	unsigned digits = 0, fraction = 0;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	for (; p < end && is_digit(*p); p++, digits++) {
		over = over || whole > (UINT64_MAX - 9) / 10;
		whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (digits == 0)
		return 0;
	if (p < end && *p == '.') {
		if (++p == end)
			return 0;
		for (; p < end && is_digit(*p); p++) {
			if (fraction < scale_digits) {
				part = part * 10 + (uint64_t)(*p - '0');
				fraction++;
			} else {
				fine = fine || *p != '0';
			}
		}
	}
	if (p != end)
		return 0;
	part *= powers[scale_digits - fraction];
	if (over || fine || whole > (uint64_t)INT64_MAX / powers[scale_digits])
		return -1;
	whole *= powers[scale_digits];
	if (whole > (uint64_t)OTR_TIME_MAX - part + negative)           /* -(2^63 - 1) is the least, 2^63 - 2 the last */
		return -1;
	*ns = negative ? -(int64_t)(whole + part) : (int64_t)(whole + part);
	return 1;
}

static bool
in_fence(const struct timearg_reader *r, int64_t ns)
{
	return !r->fenced || (ns >= r->fence_low && ns <= r->fence_high);
}

/* The number is well formed but means no time that passes: name the unit that would fit. */
static bool
refuse_number(const struct timearg_reader *r, const char *text, size_t len, struct timearg_why *why)
{
	int64_t ns;
	int found = read_number(text, text + len, r->scale_digits, &ns);
	char remedy[160];

	if (!r->fenced)
		return found == -1 && memchr(text, '.', len) != NULL && len < 30 ?
		    refuse(why, "at most 9 digits of a second", "time finer than a nanosecond, or that no file can hold") : refuse_range(why);
	if (len == 8 && memchr(text, '.', len) == NULL && text[0] != '-') {
		(void)snprintf(remedy, sizeof remedy, "a date is written %.4s-%.2s-%.2s; --any-time, if it is meant", text, text + 4, text + 6);
		return refuse(why, remedy, "read as %s, a time before 1971", timearg_unit_name(r->unit));
	}
	for (enum timearg_unit u = TIMEARG_S; u <= TIMEARG_NS; u++) {
		int64_t other;

		if (u != r->unit && read_number(text, text + len, timearg_unit_digits(u), &other) == 1 && in_fence(r, other)) {
			(void)snprintf(remedy, sizeof remedy, "--time-unit %s would fit; --any-time, if it is meant", timearg_unit_name(u));
			return refuse(why, remedy, "read as %s, a time before 1971 or over a year ahead", timearg_unit_name(r->unit));
		}
	}
	if (found == -1)
		return refuse_range(why);
	return refuse(why, "--any-time, if it is meant", "read as %s, a time before 1971 or over a year ahead", timearg_unit_name(r->unit));
}

/* A local time in the reader's zone. */
static bool
from_local(const struct zone *zone, enum timearg_dst dst, int64_t local, int64_t *utc, struct timearg_why *why)
{
	int64_t both[2];
	unsigned n = zone_instants(zone, local, both);

	if (n == 0)
		return refuse(why, "the clocks go forward over it", "local time that does not exist");
	if (n == 2 && dst == TIMEARG_STRICT)
		return refuse(why, "--dst earlier or --dst later", "local time that occurs twice");
	*utc = both[n == 2 && dst == TIMEARG_LATER];
	return true;
}

static bool
two(const char *p, const char *end, unsigned *value)
{
	if (end - p < 2 || !is_digit(p[0]) || !is_digit(p[1]))
		return false;
	*value = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
	return true;
}

static bool
four(const char *p, const char *end, unsigned *value)
{
	unsigned high, low;

	if (!two(p, end, &high) || !two(p + 2, end, &low))
		return false;
	*value = high * 100 + low;
	return true;
}

struct fields {
	unsigned year, month, day, hour, minute, second;
	int64_t fraction;
	bool day_only, month_only, has_offset;
	int32_t offset;
};

/* Z, z, +HH:MM, +HHMM, or nothing. */
static bool
scan_offset(const char *p, const char *end, struct fields *f)
{
	unsigned h, m;

	if (p == end)
		return true;
	f->has_offset = true;
	if (*p == 'Z' || *p == 'z')
		return p + 1 == end;
	if ((*p != '+' && *p != '-') || !two(p + 1, end, &h))
		return false;
	f->offset = *p == '-' ? -1 : 1;
	p += 3;
	if (p < end && *p == ':')
		p++;
	if (!two(p, end, &m) || p + 2 != end || h > 23 || m > 59)
		return false;
	f->offset *= (int32_t)(h * 3600 + m * 60);
	return true;
}

/* .digits: the ones behind the ninth must be 0. */
static bool
scan_fraction(const char **p, const char *end, struct fields *f)
{
	unsigned n = 0;
	const char *start;

	if (*p == end || **p != '.')
		return true;
	start = ++*p;
	for (; *p < end && is_digit(**p); ++*p) {
		if (n < 9) {
			f->fraction = f->fraction * 10 + (**p - '0');
			n++;
		} else if (**p != '0') {
			return false;
		}
	}
	f->fraction *= (int64_t)powers[9 - n];
	return *p > start;
}

/* The forms of dates and times: 0 if the text is none of them, -1 if it has more digits than a nanosecond has, 1. */
static int
scan(const char *p, const char *end, struct fields *f)
{
	*f = (struct fields){ .month = 1, .day = 1 };
	if (!four(p, end, &f->year))
		return 0;
	p += 4;
	if (p < end && *p != '-') {          /* YYYYMMDDTHHMMSS[Z] */
		if (!two(p, end, &f->month) || !two(p + 2, end, &f->day) || end - p < 11 || (p[4] != 'T' && p[4] != 't') ||
		    !two(p + 5, end, &f->hour) || !two(p + 7, end, &f->minute) || !two(p + 9, end, &f->second))
			return 0;
		p += 11;
		f->has_offset = p < end;
		return p == end || ((*p == 'Z' || *p == 'z') && p + 1 == end);
	}
	if (p == end || !two(++p, end, &f->month))
		return 0;
	p += 2;
	if (p == end) {
		f->month_only = true;
		return 1;
	}
	if (*p++ != '-' || !two(p, end, &f->day))
		return 0;
	p += 2;
	if (p == end) {
		f->day_only = true;
		return 1;
	}
	if ((*p != 'T' && *p != 't' && *p != ' ') || !two(p + 1, end, &f->hour) || end - p < 6 || p[3] != ':' || !two(p + 4, end, &f->minute))
		return 0;
	p += 6;
	if (p < end && *p == ':') {
		if (!two(++p, end, &f->second))
			return 0;
		p += 2;
		if (!scan_fraction(&p, end, f))
			return p < end && is_digit(*p) ? -1 : 0;
	}
	return scan_offset(p, end, f);
}

static bool
check_fields(const struct fields *f, struct timearg_why *why)
{
	if (f->month < 1 || f->month > 12 || f->day < 1 || f->day > zone_month_days((int64_t)f->year, f->month))
		return refuse(why, "", "no such day in the calendar");
	if (f->hour > 23 || f->minute > 59 || f->second > 60)
		return refuse(why, "hours to 23, minutes and seconds to 59", "no such time of day");
	return true;
}

static bool
from_fields(const struct zone *zone, enum timearg_dst dst, const struct fields *f, int64_t *ns, struct timearg_why *why)
{
	int64_t local = zone_days((int64_t)f->year, f->month, f->day) * DAY_S, utc = 0;
	bool leap = f->second == 60;

	if (!check_fields(f, why))
		return false;
	if (f->day_only || f->month_only)
		return join(zone_first_instant(zone, local), 0, ns) ? true : refuse_range(why);
	local += (int64_t)f->hour * 3600 + f->minute * 60 + f->second - leap;
	if (f->has_offset)
		utc = local - f->offset;
	else if (!from_local(zone, dst, local, &utc, why))
		return false;
	if (leap && utc - floor_div(utc, DAY_S) * DAY_S != DAY_S - 1)
		return refuse(why, "a leap second comes after 23:59:59 UTC", "no such time of day");
	return join(utc + leap, f->fraction, ns) ? true : refuse_range(why);
}

/* Forms 1 and 2; 0: none of them, else 1 and *ok. */
static int
read_calendar(const struct zone *zone, enum timearg_dst dst, const char *text, size_t len, int64_t *ns, bool *ok, struct timearg_why *why)
{
	struct fields f;
	int found = scan(text, text + len, &f);

	if (found == 0)
		return 0;
	*ok = found == 1 ? from_fields(zone, dst, &f, ns, why) : refuse(why, "at most 9 digits of a second", "time finer than a nanosecond");
	return 1;
}

/* Form 3. */
static bool
read_at(const char *text, size_t len, int64_t *ns, struct timearg_why *why)
{
	int found = read_number(text + 1, text + len, 9, ns);

	return found == 1 ? true : found == 0 ? refuse_form(why) : refuse_range(why);
}

bool
timearg_read(struct timearg_reader *r, const char *text, size_t len, int64_t *ns, struct timearg_why *why)
{
	bool ok = false;
	int found;

	if (read_calendar(r->zone, r->dst, text, len, ns, &ok, why) != 0)
		return ok;
	if (len > 0 && text[0] == '@')
		return read_at(text, len, ns, why);
	found = read_number(text, text + len, r->scale_digits, ns);
	if (found == 0)
		return refuse_form(why);
	return found == 1 && in_fence(r, *ns) ? true : refuse_number(r, text, len, why);
}

/* ---- the fast way ---- */

static bool
pair(const char *p, unsigned max, int64_t *value)
{
	unsigned high = (unsigned)(unsigned char)p[0] - '0', low = (unsigned)(unsigned char)p[1] - '0';

	*value = (int64_t)(high * 10 + low);
	return high < 10 && low < 10 && high * 10 + low <= max;
}

/* Takes the offset that explains a local time, and how far it alone does. */
static bool
load_span(struct timearg_reader *r, int64_t local)
{
	int64_t utc[2], from, to;

	if (zone_instants(r->zone, local, utc) != 1)
		return false;
	r->span_offset = zone_span(r->zone, utc[0], &from, &to);
	/* within two days of a change the general way decides */
	r->span_low = from < INT64_MIN / 2 ? INT64_MIN / 2 : from + 2 * DAY_S;
	r->span_high = to > INT64_MAX / 2 ? INT64_MAX / 2 : to - 2 * DAY_S;
	return local >= r->span_low && local < r->span_high;
}

static bool
load_date(struct timearg_reader *r, const char *p)
{
	struct fields f;
	struct timearg_why why;

	if (scan(p, p + 10, &f) != 1 || !f.day_only || !check_fields(&f, &why) || f.year < 1678 || f.year > 2261)
		return false;
	memcpy(r->date, p, 10);
	r->date_ns = zone_days((int64_t)f.year, f.month, f.day) * (DAY_S * SECOND);
	return true;
}

/* Up to 9 digits after a point, as nanoseconds over 10^digits_max. */
static const char *
fast_fraction(const char *p, unsigned digits_max, int64_t *value)
{
	uint64_t part = 0;
	unsigned n = 0, digit;

	while ((digit = (unsigned)(unsigned char)*p - '0') < 10 && n <= digits_max) {
		part = part * 10 + digit;
		p++;
		n++;
	}
	if (n == 0 || n > digits_max)
		return NULL;
	*value = (int64_t)(part * powers[digits_max - n]);
	return p;
}

static const char *
fast_offset(struct timearg_reader *r, const char *p, int64_t *ns)
{
	int64_t h, m;

	if (*p == 'Z' || *p == 'z')
		return p + 1;
	if (*p == '+' || *p == '-') {
		bool east = *p == '+';

		if (!pair(p + 1, 23, &h) || !pair(p + 3 + (p[3] == ':'), 59, &m))
			return NULL;
		*ns += (h * 3600 + m * 60) * (east ? -SECOND : SECOND);
		return p + 5 + (p[3] == ':');
	}
	if (r->local) {
		int64_t local = floor_div(*ns, SECOND);

		if ((local < r->span_low || local >= r->span_high) && !load_span(r, local))
			return NULL;
		*ns -= r->span_offset * SECOND;
	}
	return p;
}

static const char *
fast_calendar(struct timearg_reader *r, const char *p, int64_t *ns)
{
	int64_t h, m, s, part;

	if (memcmp(p, r->date, 10) != 0 && !load_date(r, p))
		return NULL;
	if ((p[10] != ' ' && p[10] != 'T' && p[10] != 't') || !pair(p + 11, 23, &h) || p[13] != ':' || !pair(p + 14, 59, &m) || p[16] != ':' ||
	    !pair(p + 17, 59, &s))
		return NULL;
	*ns = r->date_ns + (h * 3600 + m * 60 + s) * SECOND;
	p += 19;
	if (*p == '.') {
		p = fast_fraction(p + 1, 9, &part);
		if (p == NULL)
			return NULL;
		*ns += part;
	}
	return fast_offset(r, p, ns);
}

const char *
timearg_read_fast(struct timearg_reader *r, const char *p, int64_t *ns)
{
	const char *start = p;
	uint64_t whole = 0;
	unsigned digit;
	int64_t part = 0;

	if (p[4] == '-')
		return fast_calendar(r, p, ns);
	while ((digit = (unsigned)(unsigned char)*p - '0') < 10) {
		whole = whole * 10 + digit;
		p++;
	}
	if (p == start || p - start > 19 || whole < r->plain_low || whole > r->plain_high)
		return NULL;
	*ns = (int64_t)(whole * r->scale);
	if (*p == '.') {
		if (whole == r->plain_high)          /* the fraction might pass the fence */
			return NULL;
		p = fast_fraction(p + 1, r->scale_digits, &part);
		*ns += part;
	}
	return p;
}

/* ---- lengths ---- */

static const struct length_unit {
	const char *name;
	unsigned rank;               /* falls in a compound length */
	unsigned months, days;
	uint64_t ns;
} length_units[] = {
	{ "y", 11, 12, 0, 0 }, { "q", 10, 3, 0, 0 }, { "mo", 9, 1, 0, 0 }, { "w", 8, 0, 7, 0 }, { "d", 7, 0, 1, 0 },
	{ "h", 6, 0, 0, UINT64_C(3600000000000) }, { "m", 5, 0, 0, UINT64_C(60000000000) }, { "s", 4, 0, 0, 1000000000 },
	{ "ms", 3, 0, 0, 1000000 }, { "us", 2, 0, 0, 1000 }, { "ns", 1, 0, 0, 1 },
};

static const struct length_unit *
find_length_unit(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof length_units / sizeof length_units[0]; i++)
		if (strlen(length_units[i].name) == len && memcmp(length_units[i].name, name, len) == 0)
			return &length_units[i];
	return NULL;
}

/* What a spelling that failed probably meant. */
static bool
refuse_length(const char *text, struct timearg_why *why)
{
	uint64_t whole = 0, tenths;
	char unit[8] = "", remedy[160];
	unsigned n = 0;
	const char *p = text;
	const struct length_unit *u;

	for (; is_digit(*p) && n < 6; p++, n++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	if (n > 0 && *p == '\0') {
		(void)snprintf(remedy, sizeof remedy, "with a unit: %ss, %sm", text, text);
		return refuse(why, remedy, "length of time without a unit");
	}
	if (n > 0 && strcmp(p, "M") == 0) {
		(void)snprintf(remedy, sizeof remedy, "%llum is minutes, %llumo months", (unsigned long long)whole, (unsigned long long)whole);
		return refuse(why, remedy, "not a length of time");
	}
	if (n > 0 && *p == '.' && is_digit(p[1]) && !is_digit(p[2]) && strlen(p + 2) < sizeof unit) {
		(void)snprintf(unit, sizeof unit, "%s", p + 2);
		u = find_length_unit(unit, strlen(unit));
		tenths = whole * 10 + (uint64_t)(p[1] - '0');
		if (u != NULL && u->rank >= 2 && u->rank <= 6) {
			static const char *const below[] = { "", "", "ns", "us", "ms", "s", "m" };
			uint64_t factor = u->rank >= 5 ? 60 : 1000;

			(void)snprintf(remedy, sizeof remedy, "whole numbers: %llu%s", (unsigned long long)(tenths * factor / 10), below[u->rank]);
			return refuse(why, remedy, "not a length of time");
		}
	}
	return refuse(why, "such as 90s, 5m, 1h30m; units ns us ms s m h d w mo q y", "not a length of time");
}

static bool
parse_length(const char *text, struct timearg_length *d, struct timearg_why *why)
{
	const char *p = text;
	unsigned rank = 12;

	*d = (struct timearg_length){ 0 };
	if (*p == '\0')
		return refuse_length(text, why);
	while (*p != '\0') {
		const char *digits = p, *name;
		const struct length_unit *u;
		uint64_t n = 0;

		for (; is_digit(*p); p++) {
			if (n > UINT64_C(999999999999999999))
				return refuse(why, "", "length of time out of range");
			n = n * 10 + (uint64_t)(*p - '0');
		}
		for (name = p; *p >= 'a' && *p <= 'z'; p++)
			;
		u = find_length_unit(name, (size_t)(p - name));
		if (name == digits || u == NULL)
			return refuse_length(text, why);
		if (u->rank >= rank)
			return refuse(why, "each unit once, from big to small: 1h30m", "not a length of time");
		rank = u->rank;
		if ((u->ns > 0 && n > ((uint64_t)INT64_MAX - d->ns) / u->ns) || (u->ns == 0 && n > 1000000))
			return refuse(why, "", "length of time out of range");
		d->months += (int64_t)(n * u->months);
		d->days += (int64_t)(n * u->days);
		d->ns += n * u->ns;
	}
	return true;
}

bool
timearg_fixed_length(const char *text, bool plain, uint64_t *ns, struct timearg_why *why)
{
	struct timearg_length d;
	size_t len = strlen(text);
	uint64_t days;

	if (plain && len > 0 && len <= 9 && strspn(text, "0123456789") == len) {
		*ns = 0;
		for (const char *p = text; *p != '\0'; p++)
			*ns = *ns * 10 + (uint64_t)(*p - '0');
		*ns *= (uint64_t)SECOND;
		return true;
	}
	if (!parse_length(text, &d, why))
		return false;
	if (d.months != 0)
		return refuse(why, "d, w and smaller", "a month, quarter or year is no fixed length");
	days = (uint64_t)d.days;
	if (days > ((uint64_t)INT64_MAX - d.ns) / ((uint64_t)DAY_S * (uint64_t)SECOND))
		return refuse(why, "", "length of time out of range");
	*ns = d.ns + days * ((uint64_t)DAY_S * (uint64_t)SECOND);
	return true;
}

bool
timearg_window(const char *text, uint64_t *ns, struct timearg_why *why)
{
	struct timearg_length d;

	if (!parse_length(text, &d, why))
		return false;
	if (d.months != 0 || d.days != 0)
		return refuse(why, "this release has windows of ns us ms s m h; 24h is a fixed day", "windows of calendar units are not there yet");
	if (d.ns == 0)
		return refuse(why, "at least 1ns", "window of no length");
	*ns = d.ns;
	return true;
}

void
timearg_length_text(uint64_t ns, char *out, size_t room)
{
	static const struct { const char *name; uint64_t ns; } units[] = { { "d", UINT64_C(86400000000000) }, { "h", UINT64_C(3600000000000) },
		{ "m", UINT64_C(60000000000) }, { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };
	size_t used = 0;

	(void)snprintf(out, room, "0s");
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		uint64_t n = ns / units[i].ns;
		int wrote;

		if (n == 0)
			continue;
		ns %= units[i].ns;
		wrote = snprintf(out + used, room - used, "%llu%s", (unsigned long long)n, units[i].name);
		if (wrote < 0 || (size_t)wrote >= room - used)
			return;
		used += (size_t)wrote;
	}
}

/* ---- times in options ---- */

static int64_t
local_of(const struct zone *zone, int64_t ns, int64_t *fraction)
{
	int64_t utc = floor_div(ns, SECOND);

	*fraction = (int64_t)((uint64_t)ns - (uint64_t)utc * (uint64_t)SECOND);      /* utc x 10^9 may lie just below the range */
	return utc + zone_offset(zone, utc);
}

/* Calendar units move the local date, which is clamped to the month's end; fixed ones the instant. */
static bool
shift(const struct zone *zone, enum timearg_dst dst, int64_t ns, const struct timearg_length *d, bool back, int64_t *result,
    struct timearg_why *why)
{
	uint64_t moved;

	if (d->months != 0 || d->days != 0) {
		int64_t fraction, local = local_of(zone, ns, &fraction), days = floor_div(local, DAY_S), of_day = local - days * DAY_S;
		int64_t year, months, utc, both[2];
		unsigned month, day, last, n;

		zone_date(days, &year, &month, &day);
		months = year * 12 + (int64_t)month - 1 + (back ? -d->months : d->months);
		if (months < 0 || months > 12 * 9999)
			return refuse_range(why);
		year = months / 12;
		month = (unsigned)(months % 12) + 1;
		last = zone_month_days(year, month);
		days = zone_days(year, month, day < last ? day : last) + (back ? -d->days : d->days);
		local = days * DAY_S + of_day;
		n = zone_instants(zone, local, both);
		utc = n == 0 ? zone_first_instant(zone, local) : both[n == 2 && dst == TIMEARG_LATER];
		if (!join(utc, fraction, &ns))
			return refuse_range(why);
	}
	moved = back ? (uint64_t)ns - d->ns : (uint64_t)ns + d->ns;
	if (back ? (uint64_t)ns - (uint64_t)OTR_TIME_MIN < d->ns : (uint64_t)OTR_TIME_MAX - (uint64_t)ns < d->ns)
		return refuse_range(why);
	memcpy(result, &moved, sizeof moved);
	return true;
}

static int64_t
midnight(const struct zone *zone, int64_t ns, int64_t days)
{
	int64_t fraction, local = local_of(zone, ns, &fraction);

	return zone_first_instant(zone, (floor_div(local, DAY_S) + days) * DAY_S) * SECOND;
}

struct word {
	const char *name;
	enum timearg_base base;
	int day;                     /* for TIMEARG_FIXED: 9 is now, else days from today */
};

static const struct word words[] = {
	{ "now", TIMEARG_FIXED, 9 }, { "today", TIMEARG_FIXED, 0 }, { "yesterday", TIMEARG_FIXED, -1 }, { "tomorrow", TIMEARG_FIXED, 1 },
	{ "first", TIMEARG_FIRST, 0 }, { "last", TIMEARG_LAST, 0 }, { "start", TIMEARG_START, 0 }, { "end", TIMEARG_END, 0 },
};

static const struct word *
find_word(const char *text, enum timearg_place place)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t len = strlen(words[i].name);

		if (strncmp(text, words[i].name, len) != 0 || (text[len] != '\0' && text[len] != '+' && text[len] != '-'))
			continue;
		if ((words[i].base == TIMEARG_FIRST || words[i].base == TIMEARG_LAST) && place == TIMEARG_AS_COMMIT)
			continue;
		if (words[i].base == TIMEARG_START && (place != TIMEARG_AS_END || text[len] != '+'))
			continue;
		if (words[i].base == TIMEARG_END && (place != TIMEARG_AS_START || text[len] != '-'))
			continue;
		return &words[i];
	}
	return NULL;
}

/* A number without @: seconds, of 9 or 10 digits, so that neither a year nor a date passes for one. */
static bool
parse_plain(const char *text, int64_t *ns, struct timearg_why *why)
{
	size_t digits = strspn(text, "0123456789"), len = strlen(text);
	char remedy[160];

	if (read_number(text, text + len, 9, ns) == 0)
		return refuse_form(why);
	if (text[0] == '-' || text[0] == '+') {
		(void)snprintf(remedy, sizeof remedy, "%.40ss is a time from now, @%.40s one since 1970", text, text[0] == '+' ? text + 1 : text);
		return refuse(why, remedy, "number without a unit");
	}
	if (digits == 9 || digits == 10)
		return read_number(text, text + len, 9, ns) == 1 ? true : refuse_range(why);
	if (len == 8)
		(void)snprintf(remedy, sizeof remedy, "a date is %.4s-%.2s-%.2s; seconds since 1970 are @%s", text, text + 4, text + 6, text);
	else if (len == 4)
		(void)snprintf(remedy, sizeof remedy, "a year begins on %s-01-01; seconds since 1970 are @%s", text, text);
	else
		(void)snprintf(remedy, sizeof remedy, "write " TIMEARG_FORM ", or @ and seconds since 1970");
	return refuse(why, remedy, "not clearly a time");
}

bool
timearg_parse(const char *text, const struct zone *zone, enum timearg_dst dst, int64_t now, enum timearg_place place, struct timearg *t,
    struct timearg_why *why)
{
	const struct word *w = find_word(text, place);
	const char *tail = NULL;
	bool ok = false;

	*t = (struct timearg){ .given = true };
	if (w != NULL) {
		t->base = w->base;
		t->ns = w->day == 9 ? now : midnight(zone, now, w->day);
		tail = text + strlen(w->name);
	} else if ((text[0] == '-' || text[0] == '+') && strspn(text + 1, "0123456789.") < strlen(text + 1)) {
		t->ns = now;
		tail = text;
	} else if (read_calendar(zone, dst, text, strlen(text), &t->ns, &ok, why) != 0) {
		return ok;
	} else if (text[0] == '@') {
		return read_at(text, strlen(text), &t->ns, why);
	} else {
		return parse_plain(text, &t->ns, why);
	}
	if (*tail == '\0')
		return true;
	t->back = *tail == '-';
	if (!parse_length(tail + 1, &t->shift, why))
		return false;
	if (t->base == TIMEARG_FIXED)                    /* the rest waits for the file */
		return timearg_resolve(t, zone, dst, 0, &t->ns, why) ? (t->shift = (struct timearg_length){ 0 }, true) : false;
	return true;
}

bool
timearg_resolve(const struct timearg *t, const struct zone *zone, enum timearg_dst dst, int64_t other, int64_t *ns, struct timearg_why *why)
{
	int64_t base = t->base == TIMEARG_FIXED ? t->ns : other;

	return shift(zone, dst, base, &t->shift, t->back, ns, why);
}

/* ---- times out ---- */

static bool
check_pattern(const char *pattern, struct timearg_why *why)
{
	if (strlen(pattern) > 200 || !cli_is_text(pattern, strlen(pattern), false) || strchr(pattern, '"') != NULL)
		return refuse(why, "at most 200 bytes, no quotes, no control characters", "not a time format");
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p != '%')
			continue;
		p++;
		if (*p == '\0')
			return refuse(why, "a percent sign is %%", "not a time format");
		if ((*p == '3' || *p == '6' || *p == '9') && p[1] == 'N') {
			p++;
			continue;
		}
		if (strchr("YmdHMSjzs%", *p) == NULL)
			return refuse(why, "known are %Y %m %d %H %M %S %j %z %s %3N %6N %9N %%", "not a time format");
	}
	return true;
}

bool
timearg_writer_init(struct timearg_writer *w, const char *format, const struct zone *zone, unsigned digits, struct timearg_why *why)
{
	*w = (struct timearg_writer){ .zone = zone, .digits = digits, .day = INT64_MIN, .span_low = INT64_MAX, .span_high = INT64_MIN };
	w->utc = zone == NULL || zone_is_utc(zone);
	if (format == NULL)
		return true;
	if (timearg_unit(format, strlen(format), &w->unit)) {
		w->form = TIMEARG_NUMBER;
		return true;
	}
	if (strchr(format, '%') == NULL)
		return refuse(why, "s, ms, us, ns, or a pattern such as %Y-%m-%d", "not a time format");
	w->form = TIMEARG_PATTERN;
	w->pattern = format;
	return check_pattern(format, why);
}

size_t
timearg_room(const struct timearg_writer *w)
{
	return w->form == TIMEARG_PATTERN ? 16 * strlen(w->pattern) + TIMEARG_TEXT : TIMEARG_TEXT;
}

static inline char *
put_pair(char *out, unsigned value)
{
	out[0] = (char)('0' + value / 10);
	out[1] = (char)('0' + value % 10);
	return out + 2;
}

static char *
put_digits(char *out, uint64_t value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + digits;
}

static char *
put_number(char *out, uint64_t value)
{
	char text[20];
	unsigned n = sizeof text;

	do {
		text[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	memcpy(out, text + n, sizeof text - n);
	return out + (sizeof text - n);
}

/* The offset at an instant, rounded to minutes: RFC 3339 has no seconds there, and local mean times need some. */
static void
load_offset(struct timearg_writer *w, int64_t utc)
{
	int32_t seconds = zone_span(w->zone, utc, &w->span_low, &w->span_high), minutes = (seconds >= 0 ? seconds + 30 : seconds - 30) / 60;
	unsigned shown = (unsigned)(minutes < 0 ? -minutes : minutes);

	w->offset = minutes * 60;
	w->suffix[0] = minutes < 0 ? '-' : '+';
	(void)put_pair(w->suffix + 1, shown / 60);
	w->suffix[3] = ':';
	(void)put_pair(w->suffix + 4, shown % 60);
}

static void
load_day(struct timearg_writer *w, int64_t days)
{
	int64_t year;
	unsigned month, day;

	zone_date(days, &year, &month, &day);
	w->day = days;
	(void)put_digits(w->date, (uint64_t)year, 4);
	w->date[4] = '-';
	(void)put_pair(w->date + 5, month);
	w->date[7] = '-';
	(void)put_pair(w->date + 8, day);
}

/* Local days and seconds of the day, and nanoseconds. */
static void
split(struct timearg_writer *w, int64_t ns, int64_t *days, unsigned *of_day, unsigned *fraction)
{
	int64_t seconds = floor_div(ns, SECOND);

	*fraction = (unsigned)((uint64_t)ns - (uint64_t)seconds * (uint64_t)SECOND);
	if (!w->utc) {
		if (seconds < w->span_low || seconds >= w->span_high)
			load_offset(w, seconds);
		seconds += w->offset;
	}
	*days = floor_div(seconds, DAY_S);
	*of_day = (unsigned)(seconds - *days * DAY_S);
	if (*days != w->day)
		load_day(w, *days);
}

static char *
write_rfc3339(struct timearg_writer *w, char *out, int64_t ns)
{
	int64_t days;
	unsigned of_day, fraction;

	split(w, ns, &days, &of_day, &fraction);
	memcpy(out, w->date, 10);
	out[10] = 'T';
	(void)put_pair(out + 11, of_day / 3600);
	out[13] = ':';
	(void)put_pair(out + 14, of_day / 60 % 60);
	out[16] = ':';
	out = put_pair(out + 17, of_day % 60);
	if (w->digits > 0) {
		*out++ = '.';
		out = put_digits(out, fraction / powers[9 - w->digits], w->digits);
	}
	if (w->utc) {
		*out++ = 'Z';
		return out;
	}
	memcpy(out, w->suffix, 6);
	return out + 6;
}

static char *
write_number(const struct timearg_writer *w, char *out, int64_t ns)
{
	unsigned unit_digits = timearg_unit_digits(w->unit), shown = w->digits > 9 - unit_digits ? w->digits - (9 - unit_digits) : 0;
	uint64_t magnitude = ns < 0 ? (uint64_t)0 - (uint64_t)ns : (uint64_t)ns, part = magnitude % powers[unit_digits];

	if (ns < 0)
		*out++ = '-';
	out = put_number(out, magnitude / powers[unit_digits]);
	if (shown > 0) {
		*out++ = '.';
		out = put_digits(out, part / powers[unit_digits - shown], shown);
	}
	return out;
}

static char *
write_pattern(struct timearg_writer *w, char *out, int64_t ns)
{
	int64_t days, seconds = floor_div(ns, SECOND);
	unsigned of_day, fraction;

	split(w, ns, &days, &of_day, &fraction);
	for (const char *p = w->pattern; *p != '\0'; p++) {
		if (*p != '%') {
			*out++ = *p;
			continue;
		}
		switch (*++p) {
		case 'Y': memcpy(out, w->date, 4); out += 4; break;
		case 'm': memcpy(out, w->date + 5, 2); out += 2; break;
		case 'd': memcpy(out, w->date + 8, 2); out += 2; break;
		case 'H': out = put_pair(out, of_day / 3600); break;
		case 'M': out = put_pair(out, of_day / 60 % 60); break;
		case 'S': out = put_pair(out, of_day % 60); break;
		case 'j': {
			int64_t year;
			unsigned month, day;

			zone_date(days, &year, &month, &day);
			out = put_digits(out, (uint64_t)(days - zone_days(year, 1, 1)) + 1, 3);
			break;
		}
		case 'z':
			memcpy(out, w->utc ? "+00:00" : w->suffix, 3);
			memcpy(out + 3, (w->utc ? "+00:00" : w->suffix) + 4, 2);
			out += 5;
			break;
		case 's':
			if (seconds < 0)
				*out++ = '-';
			out = put_number(out, (uint64_t)(seconds < 0 ? -seconds : seconds));
			break;
		case '3': out = put_digits(out, fraction / 1000000, 3); p++; break;
		case '6': out = put_digits(out, fraction / 1000, 6); p++; break;
		case '9': out = put_digits(out, fraction, 9); p++; break;
		default: *out++ = '%'; break;
		}
	}
	return out;
}

char *
timearg_write(struct timearg_writer *w, char *out, int64_t ns)
{
	switch (w->form) {
	case TIMEARG_NUMBER: return write_number(w, out, ns);
	case TIMEARG_PATTERN: return write_pattern(w, out, ns);
	case TIMEARG_RFC3339: break;
	}
	return write_rfc3339(w, out, ns);
}

const char *
timearg_field(const struct timearg_writer *w)
{
	static const char *const names[] = { "time", "time_ms", "time_us", "time_ns" };

	return w->form == TIMEARG_NUMBER ? names[w->unit] : "time";
}

unsigned
timearg_digits(uint64_t ns)
{
	return ns % 1000000000 == 0 ? 0 : ns % 1000000 == 0 ? 3 : ns % 1000 == 0 ? 6 : 9;
}
