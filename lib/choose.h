/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * choose.h - the encoder's free choice of transform and packing.  Nothing here is normative: any choice decodes.
 */
#ifndef OTR_CHOOSE_H
#define OTR_CHOOSE_H

#include "chunk.h"
#include "pack.h"
#include "run.h"

#define OTR__BLOCK_MIN 256u        /* the smallest block that this encoder makes */
#define OTR__BLOCKS_MAX (OTR__LEAF_ROWS_MAX / OTR__BLOCK_MIN + 1u)

/* Integers, and how they will be packed. */
struct otr__stream {
	const uint64_t *x;
	size_t n;
	uint8_t packing;
	uint16_t block;        /* 0 unless packing is PACK */
	size_t size;           /* bytes of the body */
	struct otr__pack_plan pack[OTR__BLOCKS_MAX];
	struct otr__run_plan run;
};

/* How a chunk will be written. */
struct otr__choice {
	size_t size;           /* bytes, without header and presence bits */
	uint8_t transform;
	int8_t parameter;
	const uint16_t *exception;         /* positions */
	size_t exceptions;
	const struct otr__choice *dictionary;
	const uint64_t *entry;             /* values of the dictionary */
	size_t entries;
	struct otr__stream stream;         /* not of RAW */
};

/* Bytes that a value of the content takes in RAW: 8, 4 or 1. */
size_t otr__raw_bytes(int content);

static inline bool
otr__is_float(int content)
{
	return content == OTR_F32 || content == OTR_F64;
}

/* The choice for value[0, n), n > 0, which it borrows as scratch.  *hint is used and updated.  Borrowed from scratch until its next use. */
const struct otr__choice *otr__choose(const uint64_t *value, size_t n, int content, struct otr__hint *hint,
    struct otr__scratch *scratch);

#endif
