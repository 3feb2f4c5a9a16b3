/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scratch.h - what struct otr__scratch holds: the work space of one chunk being decoded or encoded.
 *
 * About 4 MiB of address space, of which only touched pages become memory.  Nothing in it outlives a call.
 */
#ifndef OTR_SCRATCH_H
#define OTR_SCRATCH_H

#include <stdalign.h>

#include "choose.h"
#include "chunk.h"
#include "deflate.h"
#include "dict.h"

#define OTR__SCRATCH_VALUES (OTR__LEAF_ROWS_MAX + 1u)

struct otr__scratch {
	/* both ways */
	uint64_t run_length[OTR__SCRATCH_VALUES], run_value[OTR__SCRATCH_VALUES];
	uint64_t entry[OTR__SCRATCH_VALUES];            /* of a dictionary */

	/* decoding */
	alignas(max_align_t) uint8_t inflate_memory[OTR__INFLATE_MEMORY];
	uint8_t raw[OTR__RAW_SIZE_MAX];                 /* what a deflated chunk inflates to */

	/* encoding */
	uint64_t value[OTR__SCRATCH_VALUES];            /* those that are not null */
	uint64_t residual[OTR__SCRATCH_VALUES];
	struct otr__choice candidate[2];                /* the best so far, and the one being tried */
	struct otr__choice dictionary;
	uint64_t integer[2][OTR__SCRATCH_VALUES];       /* of each candidate */
	uint16_t exception[2][OTR__SCRATCH_VALUES];
	uint64_t entry_integer[OTR__DICT_MAX];
	struct otr__dict_table table;
	uint32_t block;                                 /* values per PACK block; 0: as choose.c decides.  Only bench/blocks.c sets it */
	bool deflate;                                   /* chunks are deflated where that is smaller (repack) */
	alignas(max_align_t) uint8_t deflate_memory[OTR__DEFLATE_MEMORY];
	uint8_t deflated[OTR__RAW_SIZE_MAX];            /* the best stream so far */
	uint8_t planes[OTR__RAW_SIZE_MAX];              /* what a chunk holds in byte planes */
};

#endif
