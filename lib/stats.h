/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - the statistics record of one column (SPEC 6): empty, of the rows of a leaf, merged with its right neighbour; to bytes and back.
 * The order of additions is normative: the same bits on every machine.  Knows no pages.
 */
#ifndef OTR_STATS_H
#define OTR_STATS_H

#include "cursor.h"
#include "otr.h"

/* min, max, first, last: a float column's as f64 bits, the others' as i64. */
struct otr__stats {
	uint64_t count, nans;
	uint64_t min, max;
	uint64_t sum[2];         /* float: bits of hi, lo; else i128, low word first */
	uint64_t m2;             /* f64 bits */
	uint64_t first, last;
	int64_t t_first, t_last;
	uint64_t area[2];        /* f64 bits of hi, lo */
	uint64_t covered;
	uint64_t rise;           /* float: f64 bits; else u64 */
};

/* What the rules need to know of a column. */
struct otr__stats_rule {
	enum otr_type type;
	enum otr_interpolation interpolation;
	bool has_gap;
	uint64_t gap_ns;
};

static inline bool
otr__type_is_float(enum otr_type type)
{
	return type == OTR_F32 || type == OTR_F64;
}

/* Of rows [0, n) as struct otr_rows has them; nothing counted: zeros but for nans.  Never fails; bit for bit the leaf rule. */
void otr__stats_leaf(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value,
    const uint8_t *present, size_t n);

/*
 * The same for rows [from, to) of such arrays (present is indexed by row, so from need not be a multiple of 8); equals otr__stats_leaf on a
 * copy of those rows.
 */
void otr__stats_range(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value,
    const uint8_t *present, size_t from, size_t to);

/* Parts of a record that cost more than the others together. */
enum otr__stats_part { OTR__STATS_AREA = 1 /* and covered */, OTR__STATS_RISE = 2, OTR__STATS_M2 = 4, OTR__STATS_ALL = 7 };

/*
 * As otr__stats_range, but of these parts only those asked for need to be right: for a reader that wants no more.  Never for what is stored.
 */
void otr__stats_some(struct otr__stats *s, const struct otr__stats_rule *rule, const int64_t *time_ns, const uint64_t *value,
    const uint8_t *present, size_t from, size_t to, unsigned parts);

/* *a becomes the merge of *a (earlier) and *b (later), SPEC 6.6. */
void otr__stats_merge(struct otr__stats *a, const struct otr__stats *b, const struct otr__stats_rule *rule);

/* 120 bytes. */
void otr__stats_put(struct otr__put *w, const struct otr__stats *s);
bool otr__stats_get(struct otr__reader *r, struct otr__stats *s);
bool otr__stats_equal(const struct otr__stats *a, const struct otr__stats *b);

/*
 * The part inside [a, b) of the pair (t0, v0), (t1, v1), for area and covered (SPEC 6.9): adds to area (bits of hi, lo) and *covered.
 * v0, v1 as in struct otr__stats.  Adds nothing if the pair does not obey 6.7 or [a, b) and [t0, t1) do not meet.
 */
void otr__stats_edge(uint64_t area[2], uint64_t *covered, const struct otr__stats_rule *rule, int64_t t0, uint64_t v0, int64_t t1, uint64_t v1,
    int64_t a, int64_t b);

/* The rise of one pair added to *rise (SPEC 6.8). */
void otr__stats_rise(uint64_t *rise, const struct otr__stats_rule *rule, uint64_t v0, uint64_t v1);

/* Whether a value of a column counts, and the word that min, max, first, last hold for it (f32 widened). */
static inline bool
otr__value_counts(enum otr_type type, uint64_t value)
{
	if (type == OTR_F64)
		return (value << 1) <= 0xffe0000000000000u;
	if (type == OTR_F32)
		return (uint32_t)(value << 1) <= 0xff000000u;
	return true;
}

static inline uint64_t
otr__value_word(enum otr_type type, uint64_t value)
{
	return type == OTR_F32 ? otr__bits_of((double)otr__float_of((uint32_t)value)) : value;
}

/* a before b in the order of min and max (SPEC 6-4): totalOrder of f64 bits, or i64. */
bool otr__word_less(enum otr_type type, uint64_t a, uint64_t b);

#endif
