/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.h - every magic, size, offset and limit of the format that more than one module needs, with its SPEC section beside it.
 * Field offsets that one codec alone uses stand in that codec's drawing.
 */
#ifndef OTR_FORMAT_H
#define OTR_FORMAT_H

#include <stdint.h>

#include "otr.h"

#define OTR__START_BYTES 16384u        /* 3: both headers and both slots */
#define OTR__HEADER_BYTES 4096u        /* 3 */
#define OTR__HEADER_COPY 12288u        /* 3 */
#define OTR__SLOT_BYTES 4096u          /* 4.1 */
#define OTR__SLOT_BODY 4032u           /* 4.1: eight times 504 */
#define OTR__SLOT_FIXED 264u           /* 4.1: before the freed pages */
#define OTR__SLOT_OFFSET(i) (4096u * ((uint32_t)(i) + 1u))
#define OTR__SECTORS 8u
#define OTR__FREED_MAX 64u             /* 2.5: 512 bytes of a slot */
#define OTR__STAMP_UNWRITTEN UINT64_MAX
#define OTR__PAGE_MIN 4096u
#define OTR__PAGE_MAX 65536u
#define OTR__LEVEL_MAX 15u             /* 2.5 */
#define OTR__PAGE_HEADER 40u           /* 5.1 */
#define OTR__INNER_FIXED 48u           /* 5.4 */
#define OTR__STATS_BYTES 120u          /* 6 */
#define OTR__ENTRY_BYTES(columns) (48u + OTR__STATS_BYTES * (columns))
#define OTR__INNER_MAX ((OTR__PAGE_MAX - OTR__INNER_FIXED) / OTR__ENTRY_BYTES(1u))
#define OTR__META_FIXED 96u            /* 5.6 */
#define OTR__META_KEY_MAX 512u         /* 5.6-1 */
#define OTR__BLOCK_ROWS 4096u          /* 4.4 */
#define OTR__RIDE_MAX 512u             /* rows that can ride: a row takes at least 8 bytes of a slot's 3.7 KB */
#define OTR__RECORDS_MAX 72u           /* records that a slot can hold: at least 56 bytes each */
#define OTR__ROWS_MAX INT64_MAX        /* 2.5 */

enum otr__page_type { OTR__LEAF = 1, OTR__INNER = 2, OTR__LOG = 3, OTR__META = 4 };

#endif
