/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dict.c - the DICT transform (SPEC 7.5, 7.6).
 *
 * 3.5, -0.0, 3.5, +0.0 has the dictionary -0.0, +0.0, 3.5 and the indices 2, 0, 2, 1.  Values are distinct by their bits.
 */
#include "dict.h"

#include "fpmath.h"

bool
otr__dict_decode(uint64_t *x, size_t n, const uint64_t *entry, size_t entries)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (x[i] >= entries)
			return false;
		x[i] = entry[(size_t)x[i]];
	}
	return true;
}

/* Values as integers in the order of SPEC 7.6; its own inverse. */
static inline uint64_t
ordered(uint64_t value, bool floating, unsigned width)
{
	if (!floating)
		return value;
	if (width == 32)
		return (uint64_t)(int64_t)otr__total_order_f((uint32_t)value);
	return (uint64_t)otr__total_order(value);
}

bool
otr__dict_ascends(const uint64_t *entry, size_t entries, bool floating, unsigned width)
{
	size_t i;

	for (i = 1; i < entries; i++)
		if (otr__i64(ordered(entry[i - 1], floating, width)) >= otr__i64(ordered(entry[i], floating, width)))
			return false;
	return true;
}

/* Shell's sort, with the gaps of Ciura: no qsort, since glibc's allocates. */
static void
sort(uint64_t *x, size_t n)
{
	static const size_t gaps[] = { 4193, 1750, 701, 301, 132, 57, 23, 10, 4, 1 };
	size_t g, gap, i, j;
	uint64_t v;

	for (g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
		gap = gaps[g];
		for (i = gap; i < n; i++) {
			v = x[i];
			for (j = i; j >= gap && otr__i64(x[j - gap]) > otr__i64(v); j -= gap)
				x[j] = x[j - gap];
			x[j] = v;
		}
	}
}

static inline size_t
hash(uint64_t key)
{
	return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 50);   /* 14 bits */
}

_Static_assert(OTR__DICT_SLOTS == 1 << 14, "hash() gives 14 bits");

/* The slot that holds key, or the empty one where it belongs. */
static inline size_t
find(const struct otr__dict_table *table, uint64_t key)
{
	size_t slot = hash(key);

	while (table->number[slot] != 0 && table->key[slot] != key)
		slot = (slot + 1) & (OTR__DICT_SLOTS - 1);
	return slot;
}

size_t
otr__dict_find(const uint64_t *value, size_t n, bool floating, unsigned width, size_t entries_max, struct otr__dict_table *table,
    uint64_t *entry, uint64_t *out)
{
	size_t i, slot, entries = 0;

	memset(table->number, 0, sizeof table->number);
	for (i = 0; i < n; i++) {
		slot = find(table, value[i]);
		if (table->number[slot] == 0) {
			if (entries == entries_max)
				return entries_max + 1;
			table->key[slot] = value[i];
			entry[entries] = ordered(value[i], floating, width);
			table->number[slot] = (uint16_t)++entries;
		}
		out[i] = slot;
	}
	/* sorted, each entry tells its slot its rank; then the slots in out[] become ranks */
	sort(entry, entries);
	for (i = 0; i < entries; i++) {
		entry[i] = ordered(entry[i], floating, width);
		if (width == 32 && floating)
			entry[i] &= UINT32_MAX;
		table->number[find(table, entry[i])] = (uint16_t)(i + 1);
	}
	for (i = 0; i < n; i++)
		out[i] = table->number[out[i]] - 1u;
	return entries;
}
