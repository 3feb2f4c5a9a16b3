/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ride.c - joining rows in order of arrival (see ride.h).  A few hundred rows at most, so a row that comes late is inserted by moving the others.
 */
#include "ride.h"

#include <string.h>

static void
set_present(struct otr__rows *rows, uint32_t c, size_t i, bool present)
{
	uint8_t bit = (uint8_t)(1u << (i & 7));

	if (!present && !rows->has_null[c]) {
		memset(rows->present[c], 0xff, (rows->capacity + 7) / 8);
		rows->has_null[c] = true;
	}
	if (!rows->has_null[c])
		return;
	if (present)
		rows->present[c][i >> 3] = (uint8_t)(rows->present[c][i >> 3] | bit);
	else
		rows->present[c][i >> 3] = (uint8_t)(rows->present[c][i >> 3] & ~bit);
}

bool
otr__rows_equal(const struct otr__rows *a, size_t i, const struct otr__rows *b, size_t j)
{
	uint32_t c;

	if (a->time_ns[i] != b->time_ns[j])
		return false;
	for (c = 0; c < a->columns; c++) {
		bool pa = otr__row_present(a, c, i), pb = otr__row_present(b, c, j);

		if (pa != pb || (pa && a->value[c][i] != b->value[c][j]))
			return false;
	}
	return true;
}

void
otr__rows_set(struct otr__rows *dst, size_t i, const struct otr__rows *src, size_t j)
{
	uint32_t c;

	dst->time_ns[i] = src->time_ns[j];
	for (c = 0; c < dst->columns; c++) {
		bool present = otr__row_present(src, c, j);

		dst->value[c][i] = present ? src->value[c][j] : 0;
		set_present(dst, c, i, present);
	}
}

/* Makes room for a row at position at. */
static void
open_gap(struct otr__rows *rows, size_t at)
{
	size_t after = rows->n - at, i;
	uint32_t c;

	memmove(&rows->time_ns[at + 1], &rows->time_ns[at], after * sizeof rows->time_ns[0]);
	for (c = 0; c < rows->columns; c++) {
		memmove(&rows->value[c][at + 1], &rows->value[c][at], after * sizeof rows->value[c][0]);
		for (i = rows->n; rows->has_null[c] && i > at; i--)
			set_present(rows, c, i, otr__row_present(rows, c, i - 1));
	}
	rows->n++;
}

enum otr__joined
otr__ride_join(struct otr__rows *sorted, const struct otr__rows *src, size_t j, enum otr_duplicates policy, bool *last)
{
	size_t at = sorted->n;

	while (at > 0 && sorted->time_ns[at - 1] > src->time_ns[j])
		at--;
	*last = at == sorted->n;
	if (policy != OTR_KEEP && at > 0 && sorted->time_ns[at - 1] == src->time_ns[j]) {
		*last = false;
		if (policy != OTR_REPLACE || otr__rows_equal(sorted, at - 1, src, j))
			return OTR__JOINED_SKIPPED;
		otr__rows_set(sorted, at - 1, src, j);
		return OTR__JOINED_REPLACED;
	}
	open_gap(sorted, at);
	otr__rows_set(sorted, at, src, j);
	return OTR__JOINED_ADDED;
}
