/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timearg.h - times and lengths of time as text, in and out (cli.md 2).
 *
 * Times are int64_t nanoseconds since 1970, exact: nothing is rounded, no unit is guessed.  One grammar for data and options;
 * options know more words (now, first, -7d).  A refusal fills a struct timearg_why: what is wrong, and the remedy or "".
 * No allocation and no locale; the caches live in the caller's structs.
 */
#ifndef OTR_TOOLS_TIMEARG_H
#define OTR_TOOLS_TIMEARG_H

#include "../lib/otr.h"
#include "zone.h"

#define TIMEARG_FORM "2023-11-14T22:13:20Z"

struct timearg_why {
	char what[160];
	char remedy[240];
};

enum timearg_dst { TIMEARG_STRICT, TIMEARG_EARLIER, TIMEARG_LATER };
enum timearg_unit { TIMEARG_S, TIMEARG_MS, TIMEARG_US, TIMEARG_NS };

/* "s", "ms", "us", "ns"; false for all else. */
bool timearg_unit(const char *text, size_t len, enum timearg_unit *unit);
/* Digits between the unit and nanoseconds: 9, 6, 3, 0. */
unsigned timearg_unit_digits(enum timearg_unit unit);
const char *timearg_unit_name(enum timearg_unit unit);
/* The clock. */
int64_t timearg_now(void);

/* ---- times in data ---- */

/* How one input's times are read.  Filled by timearg_reader_init; unit may be changed by timearg_reader_unit. */
struct timearg_reader {
	const struct zone *zone;           /* borrowed */
	enum timearg_dst dst;
	enum timearg_unit unit;
	bool fenced;                       /* plain numbers must mean a time from 1971 to a year ahead */
	int64_t fence_low, fence_high;     /* both inclusive */
	/* for the fast way */
	uint64_t scale;                    /* nanoseconds in the unit */
	unsigned scale_digits;
	uint64_t plain_low, plain_high;    /* whole numbers of the unit inside the fence (or from 0 to the last storable) */
	char date[10];                     /* the day that the last time was on */
	bool local;                        /* times without offset lie in a zone other than UTC */
	int64_t date_ns;
	int64_t span_low, span_high;       /* local seconds that one offset explains alone */
	int32_t span_offset;
};

void timearg_reader_init(struct timearg_reader *r, const struct zone *zone, enum timearg_dst dst, enum timearg_unit unit, bool fenced,
    int64_t now);
void timearg_reader_unit(struct timearg_reader *r, enum timearg_unit unit);
/* Reads all len bytes. */
bool timearg_read(struct timearg_reader *r, const char *text, size_t len, int64_t *ns, struct timearg_why *why);
/*
 * The usual forms without a detour: a number of the unit, or RFC 3339 with seconds, from p up to the first byte that is no part of it; 40
 * bytes from p on must be readable.  Returns that byte's place, or NULL: then timearg_read decides.
 */
const char *timearg_read_fast(struct timearg_reader *r, const char *p, int64_t *ns);

/* ---- times in options ---- */

struct timearg_length {
	int64_t months, days;              /* of the calendar */
	uint64_t ns;                       /* fixed */
};

enum timearg_base { TIMEARG_FIXED, TIMEARG_FIRST, TIMEARG_LAST, TIMEARG_START, TIMEARG_END };

struct timearg {
	bool given;
	enum timearg_base base;
	int64_t ns;                        /* of TIMEARG_FIXED */
	bool back;                         /* the length is taken off */
	struct timearg_length shift;
};

enum timearg_place {
	TIMEARG_ANYWHERE = 0,
	TIMEARG_AS_START = 1,              /* end-DUR is known */
	TIMEARG_AS_END = 2,                /* start+DUR is known */
	TIMEARG_AS_COMMIT = 4              /* first and last are not */
};

bool timearg_parse(const char *text, const struct zone *zone, enum timearg_dst dst, int64_t now, enum timearg_place place, struct timearg *t,
    struct timearg_why *why);
/* other: what `first`, `last`, `start` or `end` stand for here. */
bool timearg_resolve(const struct timearg *t, const struct zone *zone, enum timearg_dst dst, int64_t other, int64_t *ns,
    struct timearg_why *why);

/* ---- lengths of time ---- */

/* A stored or waited length: d is 24 h, w 7 d, no months.  plain: a number without unit is seconds (--wait). */
bool timearg_fixed_length(const char *text, bool plain, uint64_t *ns, struct timearg_why *why);
/* A window of fixed units ns .. h. */
bool timearg_window(const char *text, uint64_t *ns, struct timearg_why *why);
/* As text: 1h30m.  Writes a NUL. */
void timearg_length_text(uint64_t ns, char *out, size_t room);

/* ---- times out ---- */

enum timearg_form { TIMEARG_RFC3339, TIMEARG_NUMBER, TIMEARG_PATTERN };

struct timearg_writer {
	enum timearg_form form;
	enum timearg_unit unit;            /* of TIMEARG_NUMBER */
	const char *pattern;               /* borrowed */
	const struct zone *zone;           /* borrowed */
	unsigned digits;                   /* of the fraction: 0, 3, 6 or 9 */
	/* cache */
	bool utc;
	int64_t day;
	char date[10];
	int64_t span_low, span_high;       /* UTC seconds */
	int32_t offset;                    /* rounded to minutes, so that the text says the instant exactly */
	char suffix[6];
};

#define TIMEARG_TEXT 48                /* room for one time, but for patterns: timearg_room */

/* format: NULL or "" for RFC 3339; s, ms, us, ns; or a pattern. */
bool timearg_writer_init(struct timearg_writer *w, const char *format, const struct zone *zone, unsigned digits, struct timearg_why *why);
size_t timearg_room(const struct timearg_writer *w);
/* Writes without a NUL and returns the end. */
char *timearg_write(struct timearg_writer *w, char *out, int64_t ns);
/* Name of the time field: time, time_ms .. */
const char *timearg_field(const struct timearg_writer *w);
/* Digits of the fraction that an amount of nanoseconds needs: 0, 3, 6 or 9. */
unsigned timearg_digits(uint64_t ns);
/* The same of a time. */
static inline unsigned
timearg_time_digits(int64_t ns)
{
	return timearg_digits(ns < 0 ? (uint64_t)0 - (uint64_t)ns : (uint64_t)ns);
}

#endif
