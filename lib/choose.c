/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * choose.c - which transform, packing and block a chunk gets.  Nothing normative: SPEC 7 lets a writer choose freely.
 *
 * All transforms that the content allows are tried, and the smallest wins; then smaller PACK blocks for the winner.  That is slow (some
 * 30 to 70 ns a value), so a hint carries the result to the column's next chunk, where it alone is tried, as long as a value does not cost an
 * eighth more than it did.  After 4 chunks, then 8, 16, 32, 32 .. all is tried again, for the case that something better has become
 * possible.  The choice depends on the values and the hint alone, so the same rows give the same bytes.
 *
 * Block, measured by bench/blocks.c over the 78 numeric columns of 15 real series, bytes in all:
 *
 *	rows a leaf   whole leaf        1024         512         256   this choice
 *	     16,000    3,159,632   3,086,672   3,102,104   3,156,560     3,070,104
 *	      4,096    3,037,672   3,014,272   3,026,448   3,081,992     2,991,536
 *
 * Decoding takes the same time (the medians are within 2 %).  Neither is right for all: a bursty counter takes a tenth more in whole
 * leaves, regular times and row numbers take several times more in blocks.  So the smallest of whole leaf, 1024, 512 and 256 is taken;
 * a smaller block only if it saves a hundredth.
 */
#include "choose.h"

#include "decimal.h"
#include "fbits.h"
#include "scratch.h"

#define PERIOD_MIN 4
#define PERIOD_MAX 32

size_t
otr__raw_bytes(int content)
{
	return content == OTR_BOOL ? 1 : content == OTR_I32 || content == OTR_F32 ? 4 : 8;
}

static unsigned
width_of(int content)
{
	return content == OTR_F32 ? 32 : 64;
}

/* ---- packing -------------------------------------------------------------------------------------------------------------- */

/* Plans PACK in blocks of `block` values. */
static void
plan_blocks(struct otr__stream *s, size_t block)
{
	size_t at, i = 0;

	s->packing = OTR__PACK;
	s->block = (uint16_t)block;
	s->size = 0;
	for (at = 0; at < s->n; at += block, i++) {
		otr__pack_choose(s->x + at, s->n - at < block ? s->n - at : block, &s->pack[i]);
		s->size += s->pack[i].size;
	}
}

/* hint: NULL for the whole chunk as one block. */
static void
plan_stream(struct otr__stream *s, const uint64_t *x, size_t n, const struct otr__hint *hint, struct otr__scratch *scratch)
{
	size_t block = scratch->block != 0 ? scratch->block : hint != NULL && hint->block != 0 ? hint->block : n, runs;
	struct otr__run_plan run;

	s->x = x;
	s->n = n;
	plan_blocks(s, block < n ? block : n);
	/* a run costs its value and a length: with more of them there is nothing to win */
	runs = otr__run_count(x, n);
	if (runs > n / 3 || s->size <= 40)
		return;
	otr__run_choose(x, n, scratch->run_length, scratch->run_value, &run);
	if (run.size < s->size) {
		s->packing = OTR__RUN;
		s->block = 0;
		s->size = run.size;
		s->run = run;
	}
}

/* ---- transforms: each fills *c for value[0, n), with `integer` as room, or says false ------------------------------------- */

static size_t
exceptions_size(size_t x)
{
	return ((2 * x + 7) & ~(size_t)7) + 8 * x;
}

static void
reset(struct otr__choice *c, uint8_t transform, int parameter)
{
	c->transform = transform;
	c->parameter = (int8_t)parameter;
	c->exceptions = 0;
	c->exception = NULL;
	c->dictionary = NULL;
	c->entries = 0;
	c->stream.packing = OTR__NONE;
	c->stream.block = 0;
}

static bool
try_int(struct otr__choice *c, const uint64_t *value, size_t n, const struct otr__hint *hint, struct otr__scratch *scratch)
{
	reset(c, OTR__INT, 0);
	plan_stream(&c->stream, value, n, hint, scratch);
	c->size = c->stream.size;
	return true;
}

static bool
try_raw(struct otr__choice *c, size_t n, int content)
{
	reset(c, OTR__RAW, 0);
	c->size = (n * otr__raw_bytes(content) + 7) & ~(size_t)7;
	return true;
}

static bool
try_decimal(struct otr__choice *c, const uint64_t *value, size_t n, int content, int s, size_t exceptions_max, uint64_t *integer,
    uint16_t *exception, const struct otr__hint *hint, struct otr__scratch *scratch)
{
	reset(c, OTR__DECIMAL, s);
	c->exceptions = otr__decimal_encode(value, n, s, content == OTR_F32, integer, exception, exceptions_max);
	if (c->exceptions > exceptions_max)
		return false;
	c->exception = exception;
	plan_stream(&c->stream, integer, n, hint, scratch);
	c->size = exceptions_size(c->exceptions) + c->stream.size;
	return true;
}

static bool
try_bits(struct otr__choice *c, const uint64_t *value, size_t n, int content, uint64_t *integer, const struct otr__hint *hint,
    struct otr__scratch *scratch)
{
	unsigned zeros = otr__fbits_zeros(value, n, width_of(content));

	reset(c, OTR__BITS, (int)zeros);
	otr__fbits_encode(value, n, width_of(content), zeros, integer);
	plan_stream(&c->stream, integer, n, hint, scratch);
	c->size = c->stream.size;
	return true;
}

/* Plans the dictionary's own chunk: neither DICT nor RUN nor exceptions (SPEC 7.6). */
static void
plan_dictionary(const uint64_t *entry, size_t entries, int content, struct otr__scratch *scratch)
{
	struct otr__choice *d = &scratch->dictionary;
	uint64_t *integer = scratch->entry_integer;
	unsigned zeros;
	int s;

	reset(d, OTR__INT, 0);
	d->stream.n = entries;
	d->stream.x = integer;
	if (!otr__is_float(content))
		d->stream.x = entry;
	else if (otr__decimal_find(entry, entries, content == OTR_F32, 0, &s) &&
	    otr__decimal_encode(entry, entries, s, content == OTR_F32, integer, scratch->exception[0], 0) == 0)
		reset(d, OTR__DECIMAL, s);
	else {
		zeros = otr__fbits_zeros(entry, entries, width_of(content));
		reset(d, OTR__BITS, (int)zeros);
		otr__fbits_encode(entry, entries, width_of(content), zeros, integer);
	}
	plan_blocks(&d->stream, entries);
	d->size = d->stream.size;
}

static bool
try_dict(struct otr__choice *c, const uint64_t *value, size_t n, int content, uint64_t *integer, const struct otr__hint *hint,
    struct otr__scratch *scratch)
{
	size_t entries_max = n / 4 < OTR__DICT_MAX ? n / 4 : OTR__DICT_MAX;

	reset(c, OTR__DICT, 0);
	c->entries = otr__dict_find(value, n, otr__is_float(content), width_of(content), entries_max, &scratch->table, scratch->entry,
	    integer);
	if (c->entries > entries_max)
		return false;
	c->entry = scratch->entry;
	plan_dictionary(c->entry, c->entries, content, scratch);
	c->dictionary = &scratch->dictionary;
	plan_stream(&c->stream, integer, n, hint, scratch);
	c->size = 16 + c->dictionary->size + c->stream.size;
	return true;
}

/* ---- the choice ----------------------------------------------------------------------------------------------------------- */

static uint32_t
cost_of(const struct otr__choice *c, size_t n)
{
	return (uint32_t)(c->size * 256 / n);
}

/* The transform of the hint alone, if it fits and costs no more than an eighth over what it did. */
static bool
try_hint(struct otr__choice *c, const uint64_t *value, size_t n, int content, const struct otr__hint *hint, struct otr__scratch *scratch)
{
	bool fits;

	switch (hint->transform) {
	case OTR__INT:
		fits = try_int(c, value, n, hint, scratch);
		break;
	case OTR__DECIMAL:
		fits = try_decimal(c, value, n, content, hint->parameter, n / 4, scratch->integer[0], scratch->exception[0], hint, scratch);
		break;
	case OTR__BITS:
		fits = try_bits(c, value, n, content, scratch->integer[0], hint, scratch);
		break;
	case OTR__DICT:
		fits = try_dict(c, value, n, content, scratch->integer[0], hint, scratch);
		break;
	default:
		fits = try_raw(c, n, content);
		break;
	}
	return fits && cost_of(c, n) <= hint->cost + hint->cost / 8;
}

/* Smaller blocks for the stream of *c, where they save a hundredth; room is for trials. */
static void
try_blocks(struct otr__choice *c, struct otr__stream *room)
{
	static const uint16_t block_of[] = { 1024, 512, 256 };
	size_t i;

	room->x = c->stream.x;
	room->n = c->stream.n;
	for (i = 0; i < sizeof block_of / sizeof block_of[0]; i++) {
		if (block_of[i] >= room->n)
			continue;
		plan_blocks(room, block_of[i]);
		if (room->size < c->stream.size - c->stream.size / 100) {
			c->size -= c->stream.size - room->size;
			c->stream = *room;
		}
	}
}

static struct otr__choice *
try_all(const uint64_t *value, size_t n, int content, const struct otr__hint *hint, struct otr__scratch *scratch)
{
	int s, guess = hint->valid && hint->transform == OTR__DECIMAL ? hint->parameter : 0;
	unsigned best = 0, trial = 1;
	bool fits;
	int step;

	try_raw(&scratch->candidate[best], n, content);
	for (step = 0; step < 4; step++) {
		struct otr__choice *c = &scratch->candidate[trial];
		uint64_t *integer = scratch->integer[trial];

		fits = false;
		if (step == 0 && !otr__is_float(content))
			fits = try_int(c, value, n, NULL, scratch);
		else if (step == 1 && otr__is_float(content) && otr__decimal_find(value, n, content == OTR_F32, guess, &s))
			fits = try_decimal(c, value, n, content, s, n / 4, integer, scratch->exception[trial], NULL, scratch);
		else if (step == 2 && otr__is_float(content))
			fits = try_bits(c, value, n, content, integer, NULL, scratch);
		/* a dictionary takes two values and 56 bytes at least */
		else if (step == 3 && content != OTR__TIMES && content != OTR_BOOL && scratch->candidate[best].size > 96)
			fits = try_dict(c, value, n, content, integer, NULL, scratch);
		if (fits && c->size < scratch->candidate[best].size) {
			best = trial;
			trial = 1 - trial;
		}
	}
	if (scratch->block == 0 && scratch->candidate[best].transform != OTR__RAW)
		try_blocks(&scratch->candidate[best], &scratch->candidate[trial].stream);
	return &scratch->candidate[best];
}

const struct otr__choice *
otr__choose(const uint64_t *value, size_t n, int content, struct otr__hint *hint, struct otr__scratch *scratch)
{
	const struct otr__choice *c;

	unsigned period = !hint->valid ? PERIOD_MIN : hint->period < PERIOD_MAX ? 2u * hint->period : PERIOD_MAX;

	if (hint->valid && hint->age < hint->period && try_hint(&scratch->candidate[0], value, n, content, hint, scratch)) {
		hint->age++;
		hint->packing = scratch->candidate[0].stream.packing;
		return &scratch->candidate[0];
	}
	c = try_all(value, n, content, hint, scratch);
	*hint = (struct otr__hint){ .transform = c->transform, .packing = c->stream.packing, .parameter = c->parameter, .valid = true,
		.period = (uint8_t)period, .block = c->stream.block < n ? c->stream.block : 0, .cost = cost_of(c, n) };
	return c;
}
