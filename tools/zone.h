/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone.h - time zones: UTC, fixed offsets, and the TZif files of the zone database, read by ourselves (RFC 9636), strictly.
 *
 * Neither tzset nor localtime: they take an unknown name for UTC without a word.  Seconds are since 1970, offsets in seconds east of UTC.
 */
#ifndef OTR_TOOLS_ZONE_H
#define OTR_TOOLS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone;

/*
 * Opens `UTC`, `local` (by $TZ, else /etc/localtime), `+HH:MM`, `-HH:MM`, or a name of the database in $TZDIR or /usr/share/zoneinfo.
 * Returns NULL with a sentence in why.  The caller's, freed with zone_free.
 */
struct zone *zone_open(const char *name, char *why, size_t why_room);
void zone_free(struct zone *z);
bool zone_is_utc(const struct zone *z);
/* True if the offset never changes. */
bool zone_is_fixed(const struct zone *z);

/* The offset at utc, and the span [*from, *to) around it over which it holds (INT64_MIN, INT64_MAX: without end). */
int32_t zone_span(const struct zone *z, int64_t utc, int64_t *from, int64_t *to);
int32_t zone_offset(const struct zone *z, int64_t utc);

/* The instants that show the local time: none in a gap, two where it occurs twice (earlier first).  Returns how many. */
unsigned zone_instants(const struct zone *z, int64_t local, int64_t utc[2]);
/* The first instant that shows the local time, or, in a gap, that comes after the gap. */
int64_t zone_first_instant(const struct zone *z, int64_t local);

/* The calendar, proleptic Gregorian. */
int64_t zone_days(int64_t year, unsigned month, unsigned day);         /* since 1970-01-01 */
void zone_date(int64_t days, int64_t *year, unsigned *month, unsigned *day);
unsigned zone_month_days(int64_t year, unsigned month);

#endif
