/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk.h - for test_crash: files in memory made of shared blocks, what of them a procedure has read, and what a power cut may leave of pending writes.
 *
 *      image     a file: pointers to blocks of 4 KiB that never change, so that a copy costs nothing and a block is hashed once
 *      trace     the blocks that a procedure reads, in order.  A procedure that does nothing but read an image and answer is a function of what it read:
 *                for an image that gives the same bytes at the same questions it says the same again, and need not be run (trace_known)
 *      deck      the ways in which the pending writes may have reached the disk, drawn at random without putting back
 *      seen      the hashes of all states so far
 */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define BLOCK 4096u
#define ROOM (2u << 20)                /* the longest file */
#define BLOCKS (ROOM / BLOCK)
#define PENDING_MAX 63
#define WRITE_BLOCKS 16u               /* a page of 64 KiB */

static unsigned long long seed;        /* of all that is random; cuts and what comes of them have seeds of their own (begin_apart) */

static unsigned long long
dice(unsigned long long n)
{
	return (tap_random(&seed) >> 11) % n;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	a = (a ^ (b + 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
	a ^= a >> 32;
	a *= 0xc4ceb9fe1a85ec53u;
	return a ^ a >> 29;
}

/* Another seed until the end of what it is for; gives the one to put back. */
static unsigned long long
begin_apart(uint64_t for_what)
{
	unsigned long long before = seed;

	seed = mix(for_what, 77) | 1;
	return before;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

struct block {
	uint64_t hash;
	uint8_t bytes[BLOCK];
};

/* A stack: what a state needs is given back when it has been tried. */
#define SLAB 64u
static struct block **slab;
static size_t slabs, blocks_used;

static struct block *
block_new(void)
{
	if (blocks_used == slabs * SLAB) {
		slab = realloc(slab, (slabs + 1) * sizeof(struct block *));
		if (slab == NULL || (slab[slabs] = malloc(SLAB * sizeof(struct block))) == NULL)
			abort();
		slabs++;
	}
	blocks_used++;
	return &slab[(blocks_used - 1) / SLAB][(blocks_used - 1) % SLAB];
}

static void
block_seal(struct block *b)
{
	uint64_t h[4] = { 1, 2, 3, 4 }, word[4];
	size_t i;
	int k;

	for (i = 0; i < BLOCK; i += sizeof word) {
		memcpy(word, b->bytes + i, sizeof word);
		for (k = 0; k < 4; k++) {
			h[k] ^= word[k];
			h[k] = (h[k] << 29 | h[k] >> 35) * 0x9e3779b97f4a7c15u;
		}
	}
	b->hash = mix(mix(mix(h[0], h[1]), h[2]), h[3]);
}

static struct block *
zeros(void)
{
	static struct block z;

	if (z.hash == 0)
		block_seal(&z);
	return &z;
}

static void
disk_free(void)
{
	while (slabs > 0)
		free(slab[--slabs]);
	free(slab);
	slab = NULL;
}

/* ---- files ------------------------------------------------------------------------------------------------------------- */

struct image {
	size_t size;
	struct block *b[BLOCKS];       /* NULL from size on */
};

struct write {
	uint64_t offset;
	uint32_t len, blocks;          /* len: less than the blocks have where a write was short */
	struct block *b[WRITE_BLOCKS];
};

static const struct block *
image_block(const struct image *m, size_t i)
{
	return m->b[i] == NULL ? zeros() : m->b[i];
}

static void
image_put(struct image *m, const struct write *w)
{
	size_t first = (size_t)w->offset / BLOCK, i;

	if (w->offset % BLOCK != 0 || w->offset + w->len > ROOM)
		abort();
	for (i = m->size / BLOCK; i < first; i++)
		if (m->b[i] == NULL)
			m->b[i] = zeros();
	for (i = 0; i < w->blocks; i++)
		m->b[first + i] = w->b[i];
	if (m->size < w->offset + w->len)
		m->size = (size_t)w->offset + w->len;
}

/* A write of bytes over what the image has there: len of them, in whole blocks. */
static struct write
write_of(const struct image *m, uint64_t offset, const void *bytes, size_t len, size_t done)
{
	struct write w = { .offset = offset, .len = (uint32_t)done, .blocks = (uint32_t)((done + BLOCK - 1) / BLOCK) };
	uint32_t i;

	if (offset % BLOCK != 0 || done > len || w.blocks > WRITE_BLOCKS)
		abort();
	for (i = 0; i < w.blocks; i++) {
		size_t n = done - i * BLOCK < BLOCK ? done - i * BLOCK : BLOCK;

		w.b[i] = block_new();
		if (n < BLOCK)
			memcpy(w.b[i]->bytes, image_block(m, (size_t)offset / BLOCK + i)->bytes, BLOCK);
		memcpy(w.b[i]->bytes, (const uint8_t *)bytes + i * BLOCK, n);
		block_seal(w.b[i]);
	}
	return w;
}

static uint64_t
image_hash(const struct image *m, uint64_t salt)
{
	uint64_t hash = mix(m->size, salt);
	size_t i;

	for (i = 0; i * BLOCK < m->size; i++)
		hash += mix(m->b[i]->hash, i);
	return mix(hash, 1);
}

/* ---- what a procedure has read ------------------------------------------------------------------------------------------ */

/* What comes next after the answers that a key stands for: a question, or the end. */
#define ASK_SIZE BLOCKS
#define ASK_DONE (BLOCKS + 1)
struct node {
	uint64_t key;                  /* 0: free */
	uint32_t ask;                  /* a block's number, ASK_SIZE, ASK_DONE */
	uint32_t value;                /* of ASK_DONE: what the procedure found */
};

struct trace {
	uint64_t key;
	const struct image *origin;    /* as the image was when it began; what has been written since is no question to it */
	struct trace *outer;           /* of the procedure that this one is a part of */
	uint8_t known[BLOCKS / 8 + 1];
};

static struct node *memo;
static size_t memo_room, memo_n;

static struct node *
memo_at(uint64_t key)
{
	size_t i = (size_t)(key >> 7) & (memo_room - 1);

	while (memo[i].key != 0 && memo[i].key != key)
		i = (i + 1) & (memo_room - 1);
	return &memo[i];
}

static void
memo_insert(struct node *at, uint64_t key, uint32_t ask, uint32_t value)
{
	*at = (struct node){ .key = key, .ask = ask, .value = value };
	if (++memo_n > memo_room / 2) {
		struct node *old = memo;
		size_t room = memo_room, i;

		memo = calloc(memo_room *= 2, sizeof *memo);
		if (memo == NULL)
			abort();
		for (i = 0; i < room; i++)
			if (old[i].key != 0)
				*memo_at(old[i].key) = old[i];
		free(old);
	}
}

/* Nothing is known any more; what is being traced goes on, but nobody will find it. */
static void
memo_forget(void)
{
	free(memo);
	memo_room = 1u << 16;
	memo_n = 0;
	memo = calloc(memo_room, sizeof *memo);
	if (memo == NULL)
		abort();
}

static uint64_t
answer(const struct image *m, uint32_t ask)
{
	return ask == ASK_SIZE ? m->size : m->b[ask] == NULL ? 0 : m->b[ask]->hash;
}

static void
trace_begin(struct trace *t, uint64_t root, const struct image *origin, struct trace *outer)
{
	t->key = root | 1;
	t->origin = origin;
	t->outer = outer;
	memset(t->known, 0, sizeof t->known);
}

/* A question to m, which began as the origin. */
static void
trace_ask(struct trace *t, const struct image *m, uint32_t ask)
{
	for (; t != NULL; t = t->outer) {
		struct node *at;

		if ((ask < BLOCKS && m->b[ask] != t->origin->b[ask]) || (t->known[ask >> 3] >> (ask & 7) & 1) != 0)
			continue;
		t->known[ask >> 3] |= (uint8_t)(1u << (ask & 7));
		at = memo_at(t->key);
		if (at->key == 0)
			memo_insert(at, t->key, ask, 0);
		else if (at->ask != ask)
			abort();               /* no function of what it read: the harness is wrong */
		t->key = mix(t->key, answer(t->origin, ask)) | 1;
	}
}

/* A read: the blocks that it touches, and the size where it meets the end. */
static void
trace_read(struct trace *t, const struct image *m, uint64_t offset, size_t len)
{
	uint64_t i, end = (offset + len + BLOCK - 1) / BLOCK;

	if (t == NULL)
		return;
	for (i = offset / BLOCK; i < end && i < BLOCKS; i++)
		trace_ask(t, m, (uint32_t)i);
	if (offset + len > m->size)
		trace_ask(t, m, ASK_SIZE);
}

static void
trace_done(struct trace *t, uint32_t value)
{
	struct node *at = memo_at(t->key);

	if (at->key == 0)
		memo_insert(at, t->key, ASK_DONE, value);
}

/* Whether a procedure has been at its end with these answers; its questions are then outer's too. */
static bool
trace_known(uint64_t root, const struct image *m, struct trace *outer, uint32_t *value)
{
	const struct node *at;
	uint64_t key = root | 1;

	while ((at = memo_at(key))->key != 0 && at->ask != ASK_DONE)
		key = mix(key, answer(m, at->ask)) | 1;
	if (at->key == 0)
		return false;
	if (value != NULL)
		*value = at->value;
	for (key = root | 1; outer != NULL && (at = memo_at(key))->ask != ASK_DONE; ) {
		uint32_t ask = at->ask;

		key = mix(key, answer(m, ask)) | 1;
		trace_ask(outer, m, ask);      /* may move the nodes */
	}
	return true;
}

/* Whether it is the first time that this is asked. */
static bool
first_time(uint64_t of_what)
{
	struct node *at = memo_at(of_what | 1);

	if (at->key != 0)
		return false;
	memo_insert(at, of_what | 1, ASK_DONE, 0);
	return true;
}

/* ---- states seen -------------------------------------------------------------------------------------------------------- */

static uint64_t *seen;
static size_t seen_room, seen_n;

static bool
is_new(uint64_t hash)
{
	size_t i;

	hash |= 1;
	if (seen_n >= seen_room / 4 * 3) {
		uint64_t *old = seen;
		size_t room = seen_room, k;

		seen_room = room == 0 ? 1u << 16 : 2 * room;
		seen = calloc(seen_room, sizeof *seen);
		if (seen == NULL)
			abort();
		for (k = 0; k < room; k++)
			if (old[k] != 0) {
				for (i = old[k] >> 8 & (seen_room - 1); seen[i] != 0; i = (i + 1) & (seen_room - 1))
					;
				seen[i] = old[k];
			}
		free(old);
	}
	for (i = hash >> 8 & (seen_room - 1); seen[i] != 0; i = (i + 1) & (seen_room - 1))
		if (seen[i] == hash)
			return false;
	seen[i] = hash;
	seen_n++;
	return true;
}

/* ---- what may be left of pending writes --------------------------------------------------------------------------------- */

enum tear { TEAR_NONE, TEAR_512, TEAR_4, TEAR_SECTORS, TEAR_ZEROS, TEAR_GARBAGE, TEAR_EXTEND };

/* Those of members are on the disk, the one numbered torn not whole. */
struct plan {
	uint64_t members;
	int torn;
	enum tear tear;
	uint32_t arg;
};

static bool
is_slot(const struct write *w)
{
	return w->offset == 4096 || w->offset == 8192;
}

/* Puts a write into m, torn.  Whether the slot may be called damaged for it. */
static bool
put_torn(struct image *m, const struct write *w, enum tear tear, uint32_t arg)
{
	struct write torn = *w;
	const size_t len = (size_t)w->blocks * BLOCK, first = (size_t)w->offset / BLOCK;
	bool slot = is_slot(w), noise = false;
	uint64_t mask = arg;
	size_t i, k;

	if (tear == TEAR_NONE) {
		image_put(m, w);
		return false;
	}
	if (!slot)
		mask = mix(arg, 3);            /* of more sectors than arg has bits */
	for (i = 0; i < w->blocks; i++) {
		torn.b[i] = block_new();
		memcpy(torn.b[i]->bytes, image_block(m, first + i)->bytes, BLOCK);
	}
	switch (tear) {
	case TEAR_512:
	case TEAR_4:
		k = tear == TEAR_512 ? arg % (len / 512 - 1) * 512 + 512 : arg % (len / 4 - 1) * 4 + 4;
		if (tear == TEAR_4 && slot) {
			const uint8_t *b = torn.b[0]->bytes, *to = w->b[0]->bytes;

			/* half a stamp over one that says "never written" */
			noise = k % 512 == 508 && memcmp(b + k, "\xff\xff\xff\xff", 4) == 0;
			/* or old bytes put back (10.2-7) over a whole slot, and cut within a sector, which 10.1 rules out */
			noise = noise || memcmp(to + 504, to + 4088, 8) != 0;
		}
		for (i = 0; i * BLOCK < k; i++)
			memcpy(torn.b[i]->bytes, w->b[i]->bytes, k - i * BLOCK < BLOCK ? k - i * BLOCK : BLOCK);
		break;
	case TEAR_SECTORS:
	case TEAR_ZEROS:
	case TEAR_GARBAGE:
		/* of the same bytes written again, by 10.2-3, the old and the new sectors are one (10.1) */
		noise = tear != TEAR_SECTORS && (arg & 255) != 0 && !(slot && memcmp(torn.b[0]->bytes, w->b[0]->bytes, BLOCK) == 0);
		if (tear != TEAR_SECTORS && slot && !noise)
			mask = 0;
		for (i = 0; i < len / 512; i++) {
			uint8_t *to = torn.b[i / 8]->bytes + i % 8 * 512;
			const uint8_t *new = w->b[i / 8]->bytes + i % 8 * 512;
			bool hit = (mask >> (i & 63) & 1) != 0;

			if (hit == (tear == TEAR_SECTORS))
				memcpy(to, new, 512);
			else if (tear == TEAR_ZEROS)
				memset(to, 0, 512);
			else if (tear == TEAR_GARBAGE)
				for (k = 0; k < 512; k += 8) {
					uint64_t word = tap_random(&seed);

					memcpy(to + k, &word, 8);
				}
		}
		break;
	case TEAR_NONE:
	case TEAR_EXTEND:
		break;
	}
	for (i = 0; i < w->blocks; i++)
		block_seal(torn.b[i]);
	image_put(m, &torn);
	return slot && noise;
}

enum deck_kind { DECK_ENDS, DECK_SUBSETS, DECK_ALONE, DECK_512, DECK_4_SLOT, DECK_4_PAGE, DECK_SECTORS_SLOT, DECK_SECTORS_PAGE, DECK_ZEROS, DECK_GARBAGE, DECK_EXTEND, DECKS };

struct deck {
	uint64_t size, taken, start, step;
	unsigned weight;
};

static uint64_t
common(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* What may be drawn for n writes.  scale: of how many thousand subsets, where there are too many. */
static void
decks_of(struct deck deck[DECKS], const struct write *w, int n, uint64_t scale)
{
	uint64_t slots = 0, pages, longest = 1;
	int i;

	for (i = 0; i < n; i++) {
		slots += is_slot(&w[i]);
		if (longest < w[i].blocks)
			longest = w[i].blocks;
	}
	pages = (uint64_t)n - slots;
	memset(deck, 0, DECKS * sizeof *deck);
	deck[DECK_ENDS] = (struct deck){ .size = 2, .weight = 2 };
	deck[DECK_SUBSETS] = (struct deck){ .size = n <= 10 ? 1ULL << n : 1024 * scale, .weight = 4 };
	deck[DECK_ALONE] = (struct deck){ .size = n > 10 ? 2 * (uint64_t)n : 0, .weight = 1 };
	deck[DECK_512] = (struct deck){ .size = (uint64_t)n * (8 * longest - 1), .weight = 2 };
	deck[DECK_4_SLOT] = (struct deck){ .size = slots * 1023, .weight = 8 };
	deck[DECK_4_PAGE] = (struct deck){ .size = pages * (1024 * longest - 1), .weight = 2 };
	deck[DECK_SECTORS_SLOT] = (struct deck){ .size = slots * 256, .weight = 6 };
	deck[DECK_SECTORS_PAGE] = (struct deck){ .size = pages * 256, .weight = 1 };
	deck[DECK_ZEROS] = (struct deck){ .size = (uint64_t)n * 255, .weight = 1 };
	deck[DECK_GARBAGE] = (struct deck){ .size = (uint64_t)n * 255, .weight = 1 };
	deck[DECK_EXTEND] = (struct deck){ .size = (uint64_t)n, .weight = 1 };
	for (i = 0; i < DECKS; i++)
		if (deck[i].size > 0) {
			deck[i].start = dice(deck[i].size);
			/* without a common divisor each card comes once */
			for (deck[i].step = 1 + dice(deck[i].size); common(deck[i].step, deck[i].size) != 1; )
				deck[i].step++;
		}
}

static uint64_t
count_of(const struct write *w, int n, bool slot)
{
	uint64_t count = 0;
	int i;

	for (i = 0; i < n; i++)
		count += is_slot(&w[i]) == slot;
	return count;
}

/* Number k of the writes that are slots (or are none). */
static int
one_of(const struct write *w, int n, uint64_t k, bool slot)
{
	int i;

	for (i = 0; i < n; i++)
		if (is_slot(&w[i]) == slot && k-- == 0)
			return i;
	abort();
}

/* The next plan; false: all have been drawn. */
static bool
draw(struct deck deck[DECKS], const struct write *w, int n, struct plan *p)
{
	uint64_t whole = n >= 64 ? UINT64_MAX : (1ULL << n) - 1, card, high;
	unsigned total = 0;
	int d;

	for (d = 0; d < DECKS; d++)
		total += deck[d].taken < deck[d].size ? deck[d].weight : 0;
	if (total == 0)
		return false;
	total = (unsigned)dice(total);
	for (d = 0; ; d++) {
		unsigned weight = deck[d].taken < deck[d].size ? deck[d].weight : 0;

		if (total < weight)
			break;
		total -= weight;
	}
	card = (deck[d].start + deck[d].taken++ * deck[d].step) % deck[d].size;
	*p = (struct plan){ .members = whole, .torn = -1, .tear = TEAR_NONE };
	if (d >= DECK_512) {
		p->torn = (int)(card % (uint64_t)n);
		high = card / (uint64_t)n;
	} else {
		high = card;
	}
	switch ((enum deck_kind)d) {
	case DECK_ENDS: p->members = card == 0 ? 0 : whole; break;
	case DECK_SUBSETS: p->members = n <= 10 ? card : tap_random(&seed) & whole; break;
	case DECK_ALONE: p->members = card & 1 ? 1ULL << card / 2 : whole & ~(1ULL << card / 2); break;
	case DECK_512: p->tear = TEAR_512; break;
	case DECK_4_SLOT: case DECK_4_PAGE: p->tear = TEAR_4; break;
	case DECK_SECTORS_SLOT: case DECK_SECTORS_PAGE: p->tear = TEAR_SECTORS; break;
	case DECK_ZEROS: p->tear = TEAR_ZEROS; break;
	case DECK_GARBAGE: p->tear = TEAR_GARBAGE; break;
	case DECK_EXTEND: p->tear = TEAR_EXTEND; break;
	case DECKS: break;
	}
	if (d == DECK_4_SLOT || d == DECK_SECTORS_SLOT || d == DECK_4_PAGE || d == DECK_SECTORS_PAGE) {
		uint64_t each = d == DECK_4_SLOT ? 1023 : 256;
		bool slot = d == DECK_4_SLOT || d == DECK_SECTORS_SLOT;

		if (d == DECK_4_PAGE)
			each = deck[d].size / count_of(w, n, false);
		p->torn = one_of(w, n, card / each, slot);
		high = card % each;
	}
	p->arg = (uint32_t)high;
	if (d == DECK_ZEROS || d == DECK_GARBAGE)
		p->arg = dice(4) == 0 ? (uint32_t)(high % 255 + 1) : 1u << high % 8;
	if (p->torn >= 0 && dice(2) == 0)
		p->members = (tap_random(&seed) & whole) | 1ULL << p->torn;
	return true;
}

#endif
