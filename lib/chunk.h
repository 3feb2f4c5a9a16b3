/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk.h - one chunk: the times or one column of a leaf, or one field of a log page (SPEC 7): header, presence bits, dispatch to a
 * transform and a packing, and the encoder's free choice among them.
 *
 * No I/O, no allocation: scratch memory is the caller's.  In memory every value is 64 bits as in struct otr_rows.
 */
#ifndef OTR_CHUNK_H
#define OTR_CHUNK_H

#include "error.h"

#define OTR__LEAF_ROWS_MAX 65535u
/* rows x (columns + 1) of a leaf; so a decoded leaf is at most 2 MiB (SPEC 5.5) */
#define OTR__LEAF_CELLS_MAX (1u << 18)

/* What a chunk holds.  The codes of columns are enum otr_type's. */
enum otr__content { OTR__TIMES = 0 /* i64, not decreasing, no reserved time, no presence bits */ };

enum otr__transform { OTR__INT = 0, OTR__DECIMAL = 1, OTR__BITS = 2, OTR__DICT = 3, OTR__RAW = 4 };
enum otr__packing { OTR__NONE = 0, OTR__PACK = 1, OTR__RUN = 2 };

/* Work space of one decode or encode: created once per handle, reused (SPEC 7: bounded by 65,535 values). */
struct otr__scratch;
struct otr__scratch *otr__scratch_create(void);          /* NULL: out of memory */
void otr__scratch_free(struct otr__scratch *scratch);

/* What the header of a chunk says; for otr-stat --scan and verify. */
struct otr__chunk_header {
	uint8_t transform, packing;
	int8_t parameter;
	bool has_presence, deflated;
	uint32_t size;         /* bytes, header and padding included */
	uint32_t values;       /* stored values */
	uint16_t exceptions;
	uint16_t block;        /* values per PACK block, SPEC 7.5 */
};

/*
 * Checks and reads the 16-byte header of a chunk that fills bytes[0, len) and holds `rows` rows.
 * Returns OTR_OK, OTR_E_CORRUPT, or OTR_E_UNSUPPORTED for an unknown transform or packing.
 */
OTR_MUST_CHECK enum otr_status otr__chunk_peek(const uint8_t *bytes, size_t len, uint32_t rows, struct otr__chunk_header *header,
    struct otr_error *err);

/*
 * Decodes the chunk that fills bytes[0, len) exactly: value[0..rows) (nulls come out 0), and if it has presence bits present[0..ceil(rows/8))
 * and *has_null = true; without them *has_null = false and present is left alone.  content: OTR__TIMES or an enum otr_type.  All limits of
 * SPEC 7 are checked (value range of the type, order of times, zero padding and spare bits, sizes exact).
 * present may be NULL for times only.  Returns OTR_OK, OTR_E_CORRUPT, OTR_E_UNSUPPORTED; after a failure value[] and present[] are in any state.
 */
OTR_MUST_CHECK enum otr_status otr__chunk_decode(const uint8_t *bytes, size_t len, int content, uint32_t rows, uint64_t *value,
    uint8_t *present, bool *has_null, struct otr__scratch *scratch, struct otr_error *err);

/*
 * As OTR__TIMES decoding, but without the rule that times do not decrease (row times of a log page, SPEC 4.5), and i64 otherwise: that is
 * content OTR_I64.  So no call of its own.
 */

/* What an encoder remembers of the chunk before, to try that first.  Zero to begin with. */
struct otr__hint {
	uint8_t transform, packing;
	int8_t parameter;
	bool valid;
	uint8_t age, period;   /* chunks since all encodings were tried; after how many that is done again */
	uint16_t block;        /* 0: the whole chunk */
	uint32_t cost;         /* 256ths of a byte that a value took then */
};

/*
 * Encodes value[0..rows) (present NULL: none null) into out[0..cap): the smallest of the encodings that SPEC 7 allows for the content, with
 * layout 0 (packed bits), not deflated unless scratch->deflate says so.  *hint (never NULL) is used and updated: the encoder
 * may keep a transform that still fits while the size per value does not grow (its free choice).  Deterministic: same input and hint, same bytes.
 * Returns the size (a multiple of 8), or 0 if it does not fit into cap.
 */
size_t otr__chunk_encode(const uint64_t *value, const uint8_t *present, uint32_t rows, int content, struct otr__hint *hint, uint8_t *out,
    size_t cap, struct otr__scratch *scratch);

#endif
