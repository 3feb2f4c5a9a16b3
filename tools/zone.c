/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone.c - time zones from TZif files and POSIX TZ strings.
 */
#include "zone.h"

#include "cli.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define DAY 86400
#define REACH (30 * 3600)            /* no offset is larger: local and UTC are nearer than this */

/* One change of a POSIX TZ string, a day of the year and a local time. */
struct change {
	char kind;                   /* 'M' m.w.d, 'J' 1..365 without 29 February, 'N' 0..365 */
	unsigned month, week, day;
	int32_t at;                  /* seconds from local midnight, -167 h .. 167 h */
};

struct rule {
	bool present, has_dst;
	int32_t standard, dst;       /* seconds east */
	struct change start, end;    /* of DST */
};

struct zone {
	size_t count;                /* transitions: from time[i] on, offset[i] holds */
	int64_t *time;
	int32_t *offset;
	int32_t first;               /* before time[0] */
	struct rule rule;            /* after the last */
};

/* ---- calendar ---- */

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t
zone_days(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;        /* years from March: the leap day comes last */
	int64_t era = floor_div(y, 400);
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void
zone_date(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468;
	int64_t era = floor_div(z, 146097);
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t m = (5 * doy + 2) / 153;

	*day = (unsigned)(doy - (153 * m + 2) / 5 + 1);
	*month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static bool
is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

unsigned
zone_month_days(int64_t year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29U : days[month - 1];
}

/* ---- POSIX TZ strings: CET-1CEST,M3.5.0,M10.5.0/3 ---- */

static bool
rule_name(const char **p)
{
	const char *s = *p;

	if (*s == '<') {
		for (s++; *s != '\0' && *s != '>'; s++)
			if (!((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || *s == '+' || *s == '-'))
				return false;
		if (*s++ != '>' || s - *p < 5)
			return false;
	} else {
		while ((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z'))
			s++;
		if (s - *p < 3)
			return false;
	}
	*p = s;
	return true;
}

static bool
rule_number(const char **p, unsigned max, unsigned *value)
{
	unsigned v = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9' && s - *p < 3; s++)
		v = v * 10 + (unsigned)(*s - '0');
	if (s == *p || v > max)
		return false;
	*p = s;
	*value = v;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool
rule_time(const char **p, unsigned max_hours, int32_t *seconds)
{
	bool negative = **p == '-';
	unsigned h, m = 0, s = 0;

	if (**p == '-' || **p == '+')
		++*p;
	if (!rule_number(p, max_hours, &h))
		return false;
	if (**p == ':') {
		++*p;
		if (!rule_number(p, 59, &m))
			return false;
		if (**p == ':') {
			++*p;
			if (!rule_number(p, 59, &s))
				return false;
		}
	}
	*seconds = (int32_t)(h * 3600 + m * 60 + s) * (negative ? -1 : 1);
	return true;
}

static bool
rule_change(const char **p, struct change *c)
{
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M') {
		c->kind = 'M';
		++*p;
		if (!rule_number(p, 12, &c->month) || c->month == 0 || *(*p)++ != '.' || !rule_number(p, 5, &c->week) || c->week == 0 ||
		    *(*p)++ != '.' || !rule_number(p, 6, &c->day))
			return false;
	} else {
		c->kind = **p == 'J' ? 'J' : 'N';
		*p += **p == 'J';
		if (!rule_number(p, 365, &c->day) || (c->kind == 'J' && c->day == 0))
			return false;
	}
	c->at = 7200;
	if (**p == '/') {
		++*p;
		return rule_time(p, 167, &c->at);
	}
	return true;
}

static bool
rule_parse(const char *text, struct rule *r)
{
	const char *p = text;
	int32_t west;

	*r = (struct rule){ .present = true };
	if (!rule_name(&p) || !rule_time(&p, 24, &west))
		return false;
	r->standard = -west;
	if (*p == '\0')
		return true;
	if (!rule_name(&p))
		return false;
	r->has_dst = true;
	r->dst = r->standard + 3600;
	if (*p != ',') {
		if (!rule_time(&p, 24, &west))
			return false;
		r->dst = -west;
	}
	return rule_change(&p, &r->start) && rule_change(&p, &r->end) && *p == '\0';
}

/* The change in a year, in seconds of the local clock before it. */
static int64_t
change_local(const struct change *c, int64_t year)
{
	int64_t day = zone_days(year, 1, 1);

	if (c->kind == 'M') {
		int64_t first = zone_days(year, c->month, 1);
		unsigned weekday = (unsigned)(((first + 4) % 7 + 7) % 7);           /* 1970-01-01 was a Thursday */
		unsigned d = 1 + (c->day + 7 - weekday) % 7 + 7 * (c->week - 1);

		while (d > zone_month_days(year, c->month))
			d -= 7;
		day = first + (int64_t)d - 1;
	} else if (c->kind == 'J') {
		day += (int64_t)c->day - 1 + (is_leap(year) && c->day >= 60);
	} else {
		day += (int64_t)c->day;
	}
	return day * DAY + c->at;
}

/* Offset and span by the rule alone: the changes of three years around utc, in order. */
static int32_t
rule_span(const struct rule *r, int64_t utc, int64_t *from, int64_t *to)
{
	int64_t year, time[8];
	int32_t offset[8] = { 0 }, now;
	unsigned month, day, n = 0;

	*from = INT64_MIN;
	*to = INT64_MAX;
	if (!r->has_dst)
		return r->standard;
	zone_date(floor_div(utc, DAY), &year, &month, &day);
	for (int64_t y = year - 1; y <= year + 1; y++) {
		int64_t start = change_local(&r->start, y) - r->standard, end = change_local(&r->end, y) - r->dst;
		bool north = start < end;

		time[n] = north ? start : end;
		offset[n++] = north ? r->dst : r->standard;
		time[n] = north ? end : start;
		offset[n++] = north ? r->standard : r->dst;
	}
	now = offset[1];                     /* before the first: as after a year's second */
	for (unsigned i = 0; i < n; i++) {
		if (time[i] > utc) {
			*to = time[i];
			break;
		}
		now = offset[i];
		*from = time[i];
	}
	return now;
}

/* ---- spans ---- */

int32_t
zone_span(const struct zone *z, int64_t utc, int64_t *from, int64_t *to)
{
	size_t low = 0, high = z->count;     /* first transition after utc */
	int32_t offset;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (z->time[middle] <= utc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == z->count && z->rule.present) {
		offset = rule_span(&z->rule, utc, from, to);
		if (z->count > 0 && *from < z->time[z->count - 1])
			*from = z->time[z->count - 1];
		return offset;
	}
	*from = low > 0 ? z->time[low - 1] : INT64_MIN;
	*to = low < z->count ? z->time[low] : INT64_MAX;
	return low > 0 ? z->offset[low - 1] : z->first;
}

int32_t
zone_offset(const struct zone *z, int64_t utc)
{
	int64_t from, to;

	return zone_span(z, utc, &from, &to);
}

unsigned
zone_instants(const struct zone *z, int64_t local, int64_t utc[2])
{
	int64_t at = local - REACH, from, to;
	unsigned n = 0;

	/* every offset in force anywhere near is tried: an instant is one that shows the local time under the offset it has */
	for (;;) {
		int32_t offset = zone_span(z, at, &from, &to);
		int64_t t = local - offset;

		if (t >= from && t < to) {
			if (n == 2) {
				utc[1] = t;          /* three times: never seen; the outer two */
			} else {
				utc[n++] = t;
			}
		}
		if (to > local + REACH)
			return n;
		at = to;
	}
}

int64_t
zone_first_instant(const struct zone *z, int64_t local)
{
	int64_t at = local - REACH, from, to, utc[2];

	if (zone_instants(z, local, utc) > 0)
		return utc[0];
	for (;;) {                           /* the span that begins beyond the local time */
		int32_t offset = zone_span(z, at, &from, &to);

		if (from > INT64_MIN && from + offset > local)
			return from;
		if (to == INT64_MAX)
			return local - offset;
		at = to;
	}
}

/* ---- TZif ---- */

struct bytes {
	const unsigned char *at;
	size_t left;
};

static bool
take(struct bytes *b, size_t n, const unsigned char **p)
{
	if (b->left < n)
		return false;
	*p = b->at;
	b->at += n;
	b->left -= n;
	return true;
}

static uint64_t
big_endian(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

struct counts {
	size_t utc, standard, leap, time, type, name;
};

static bool
read_counts(struct bytes *b, unsigned char *version, struct counts *c)
{
	const unsigned char *p;

	if (!take(b, 44, &p) || memcmp(p, "TZif", 4) != 0)
		return false;
	*version = p[4];
	c->utc = (size_t)big_endian(p + 20, 4);
	c->standard = (size_t)big_endian(p + 24, 4);
	c->leap = (size_t)big_endian(p + 28, 4);
	c->time = (size_t)big_endian(p + 32, 4);
	c->type = (size_t)big_endian(p + 36, 4);
	c->name = (size_t)big_endian(p + 40, 4);
	return c->utc <= 256 && c->standard <= 256 && c->leap <= 65536 && c->time <= 65536 && c->type >= 1 && c->type <= 256 && c->name <= 65536;
}

static bool
read_data(struct bytes *b, const struct counts *c, size_t width, struct zone *z)
{
	const unsigned char *times, *indexes, *types, *rest;

	if (!take(b, c->time * width, &times) || !take(b, c->time, &indexes) || !take(b, c->type * 6, &types) ||
	    !take(b, c->name + c->leap * (width + 4) + c->standard + c->utc, &rest))
		return false;
	for (size_t i = 0; i < c->type; i++) {
		int32_t offset = (int32_t)(uint32_t)big_endian(types + 6 * i, 4);

		if (offset < -REACH || offset > REACH)
			return false;
	}
	z->time = cli_alloc(c->time, sizeof *z->time);
	z->offset = cli_alloc(c->time, sizeof *z->offset);
	z->first = (int32_t)(uint32_t)big_endian(types, 4);
	z->count = c->time;
	for (size_t i = 0; i < c->time; i++) {
		uint64_t raw = big_endian(times + width * i, width);

		z->time[i] = width == 8 ? (int64_t)raw : (int64_t)(int32_t)(uint32_t)raw;
		if (indexes[i] >= c->type || (i > 0 && z->time[i] <= z->time[i - 1]) || z->time[i] > INT64_C(1) << 60)
			return false;
		z->offset[i] = (int32_t)(uint32_t)big_endian(types + 6 * (size_t)indexes[i], 4);
	}
	return true;
}

static bool
read_footer(struct bytes *b, struct zone *z)
{
	char text[256];
	size_t n = 0;

	if (b->left < 2 || b->at[0] != '\n')
		return false;
	for (n = 1; n < b->left && b->at[n] != '\n' && n < sizeof text; n++)
		text[n - 1] = (char)b->at[n];
	if (n == b->left || n == sizeof text)
		return false;
	text[n - 1] = '\0';
	return n == 1 || rule_parse(text, &z->rule);        /* an empty footer: no rule is known */
}

/* Returns NULL if all is well, else what is wrong. */
static const char *
read_tzif(const unsigned char *bytes, size_t len, struct zone *z)
{
	struct bytes b = { bytes, len };
	struct counts c;
	unsigned char version;
	const unsigned char *skipped;

	if (!read_counts(&b, &version, &c))
		return "not a TZif file";
	if (version >= '2') {                /* the 64-bit data come second */
		if (!take(&b, c.time * 5 + c.type * 6 + c.name + c.leap * 8 + c.standard + c.utc, &skipped) || !read_counts(&b, &version, &c))
			return "a cut TZif file";
		if (c.leap > 0)
			return "a zone that counts leap seconds (times have none here)";
		return read_data(&b, &c, 8, z) && read_footer(&b, z) ? NULL : "a damaged TZif file";
	}
	if (c.leap > 0)
		return "a zone that counts leap seconds (times have none here)";
	return read_data(&b, &c, 4, z) ? NULL : "a damaged TZif file";
}

static unsigned char *
read_file(const char *path, size_t *len)
{
	unsigned char *bytes = NULL;
	struct stat st;
	size_t used = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX) {
		bytes = cli_alloc((size_t)st.st_size, 1);
		while (used < (size_t)st.st_size) {
			ssize_t n = read(fd, bytes + used, (size_t)st.st_size - used);

			if (n <= 0)
				break;
			used += (size_t)n;
		}
	}
	(void)close(fd);                     /* it was only read */
	*len = used;
	return bytes;
}

/* ---- names ---- */

static const char *
database(void)
{
	const char *dir = getenv("TZDIR");

	return dir != NULL && dir[0] != '\0' ? dir : "/usr/share/zoneinfo";
}

/* Europe/Berlin, Etc/GMT+5: no absolute path, no "..", nothing that is no name. */
static bool
is_name(const char *name)
{
	if (name[0] == '\0' || name[0] == '/' || strlen(name) > 100)
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-' || *p == '+' ||
		    *p == '/'))
			return false;
	}
	return true;
}

/* +HH:MM or +HHMM, up to 24 h. */
static bool
parse_offset(const char *s, int32_t *offset)
{
	bool colon = strlen(s) == 6 && s[3] == ':';
	const char *m = s + (colon ? 4 : 3);

	if (!colon && strlen(s) != 5)
		return false;
	if ((s[0] != '+' && s[0] != '-') || s[1] < '0' || s[1] > '2' || s[2] < '0' || s[2] > '9' || m[0] < '0' || m[0] > '5' || m[1] < '0' ||
	    m[1] > '9')
		return false;
	*offset = ((s[1] - '0') * 10 + (s[2] - '0')) * 3600 + ((m[0] - '0') * 10 + (m[1] - '0')) * 60;
	if (*offset >= DAY)
		return false;
	if (s[0] == '-')
		*offset = -*offset;
	return true;
}

static struct zone *
fixed(int32_t offset)
{
	struct zone *z = cli_alloc(1, sizeof *z);

	z->first = offset;
	return z;
}

static unsigned
distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t n = strlen(b);

	if (n >= 63 || strlen(a) >= 63)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[n];
}

/* The name in the same directory of the database that is spelled most like it, or "". */
static void
nearest_name(const char *name, char *best, size_t room)
{
	const char *slash = strrchr(name, '/');
	size_t prefix = slash != NULL ? (size_t)(slash - name) + 1 : 0;
	unsigned least = 4;
	char path[512];
	DIR *dir;

	best[0] = '\0';
	(void)snprintf(path, sizeof path, "%s/%.*s", database(), (int)prefix, name);
	dir = opendir(path);
	if (dir == NULL)
		return;
	for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		unsigned d = distance(name + prefix, e->d_name);

		if (d < least && e->d_name[0] != '.') {
			least = d;
			(void)snprintf(best, room, "%.*s%.60s", (int)prefix, name, e->d_name);
		}
	}
	(void)closedir(dir);                 /* it was only read */
}

static struct zone *
open_path(const char *path, const char *name, char *why, size_t room)
{
	struct zone *z;
	size_t len = 0;
	unsigned char *bytes = read_file(path, &len);
	const char *wrong;

	if (bytes == NULL)
		return NULL;
	z = cli_alloc(1, sizeof *z);
	wrong = read_tzif(bytes, len, z);
	free(bytes);
	if (wrong != NULL) {
		(void)snprintf(why, room, "cannot use the time zone \"%s\": %s", name, wrong);
		zone_free(z);
		return NULL;
	}
	return z;
}

static struct zone *
open_name(const char *name, char *why, size_t room)
{
	char path[512], near[160];
	struct zone *z = NULL;
	struct cli_quoted q;
	struct stat st;

	why[0] = '\0';
	if (is_name(name) && snprintf(path, sizeof path, "%s/%s", database(), name) < (int)sizeof path)
		z = open_path(path, name, why, room);
	if (z != NULL || why[0] != '\0')
		return z;
	if (stat(database(), &st) != 0) {
		(void)snprintf(why, room, "no time zone \"%s\" (there is no zone database at %s, so only UTC and offsets such as +01:00 are known)",
		    cli_quote(name, strlen(name), &q), database());
		return NULL;
	}
	near[0] = '\0';
	if (is_name(name))
		nearest_name(name, near, sizeof near);
	(void)snprintf(why, room, "no time zone \"%s\" (%s%s)", cli_quote(name, strlen(name), &q),
	    near[0] != '\0' ? "perhaps " : "an IANA name such as Europe/Berlin, UTC, local, or an offset such as +01:00", near);
	return NULL;
}

static struct zone *
open_local(char *why, size_t room)
{
	const char *tz = getenv("TZ");
	struct rule rule;
	struct zone *z;

	if (tz == NULL) {
		why[0] = '\0';
		z = open_path("/etc/localtime", "local", why, room);
		return z != NULL || why[0] != '\0' ? z : fixed(0);       /* no such file: the C library says UTC too */
	}
	if (tz[0] == ':')
		tz++;
	if (tz[0] == '\0' || strcmp(tz, "UTC") == 0)
		return fixed(0);
	if (tz[0] == '/') {
		(void)snprintf(why, room, "cannot read the time zone file \"%s\" of TZ", tz);
		return open_path(tz, tz, why, room);
	}
	z = open_name(tz, why, room);
	if (z == NULL && rule_parse(tz, &rule)) {
		z = fixed(0);
		z->rule = rule;
	}
	return z;
}

struct zone *
zone_open(const char *name, char *why, size_t why_room)
{
	int32_t offset;

	if (strcmp(name, "UTC") == 0)
		return fixed(0);
	if (strcmp(name, "local") == 0)
		return open_local(why, why_room);
	if (parse_offset(name, &offset))
		return fixed(offset);
	return open_name(name, why, why_room);
}

void
zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	free(z->time);
	free(z->offset);
	free(z);
}

bool
zone_is_fixed(const struct zone *z)
{
	return z->count == 0 && !(z->rule.present && z->rule.has_dst);
}

bool
zone_is_utc(const struct zone *z)
{
	return zone_is_fixed(z) && zone_offset(z, 0) == 0;
}
