/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dict.h - the DICT transform (SPEC 7.5, 7.6): the index of a value among the sorted distinct ones.
 */
#ifndef OTR_DICT_H
#define OTR_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTR__DICT_MAX 8192         /* distinct values that the encoder looks for; a decoder knows no such limit */
#define OTR__DICT_SLOTS 16384      /* a power of two, so that the table is at most half full */

/* Work space of otr__dict_find. */
struct otr__dict_table {
	uint64_t key[OTR__DICT_SLOTS];
	uint16_t number[OTR__DICT_SLOTS];   /* from 1; 0: empty */
};

/* Replaces indices by values, in place.  False, and x in any state, if an index is not below `entries`. */
bool otr__dict_decode(uint64_t *x, size_t n, const uint64_t *entry, size_t entries);

/* True if the values ascend strictly: as i64, or for `floating` of 32 or 64 bits by totalOrder. */
bool otr__dict_ascends(const uint64_t *entry, size_t entries, bool floating, unsigned width);

/*
 * The distinct values of value[0, n), sorted, into entry[]; indices into out[0, n).  Stops beyond entries_max (<= OTR__DICT_MAX) of them.
 * Returns their number, or entries_max + 1.
 */
size_t otr__dict_find(const uint64_t *value, size_t n, bool floating, unsigned width, size_t entries_max, struct otr__dict_table *table,
    uint64_t *entry, uint64_t *out);

#endif
