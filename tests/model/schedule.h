/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schedule.h - files in memory on which coroutines run, switched at the calls of struct otr_io (testing.md M9).
 *
 * This is the io module: all of io.h is defined here, so lib/io.c is not taken out of libotr.a, and everything that opens a path, a compaction in place too, works
 * on these files, with names, locks and renames.  Before each call, and between the parts of a read or a write, the schedule says who goes on.
 *
 *      default      the one that runs goes on; at a pause, and at its end, the next one does
 *      deviation    anything else: what is enumerated, or drawn
 *
 * Writes become visible in parts, reads are made in parts; how is told by a number, the tear (struct tear).  A schedule is that number and who ran at each step:
 * `0:a12b3` is twelve steps of a, then three of b, torn by way 0; after its end it goes on by default.
 */
#ifndef MODEL_SCHEDULE_H
#define MODEL_SCHEDULE_H

#include <errno.h>
#include <ucontext.h>

#include "io.h"
#include "series.h"

#if defined(__SANITIZE_ADDRESS__)
#define SCHEDULE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCHEDULE_ASAN 1
#endif
#endif
#ifdef SCHEDULE_ASAN
#include <sanitizer/common_interface_defs.h>
#define STACK_BYTES (1u << 20)
#else
#define STACK_BYTES (256u << 10)
#endif

#define TASKS_MAX 4
#define STEPS_MAX 20000u
#define NAMES_MAX 4
#define FILE_ROOM (1u << 20)

static inline uint64_t
mix(uint64_t a, uint64_t b)
{
	struct rng r = { .s = a * UINT64_C(0x2545f4914f6cdd1d) + b };

	return rnd(&r);
}

/* ---- how reads and writes come apart ---------------------------------------------------------------------------------------- */

enum pattern { SECTORS, SECTORS_BACK, SECTORS_GROUPED, CUTS, WORDS };

/*
 * SPEC 10.1 promises nothing of a slot that is read while it is written.  What is tried: its sectors in any order, at any moment; its bytes in ascending order, cut at any
 * word; and its words in any order.  The last looks like damage, so there a pause (half a millisecond) outlasts a write that is under way.
 */
struct tear {
	uint64_t number;
	enum pattern pattern;
	unsigned parts, pages;         /* of a slot that is written, of anything else */
	unsigned reads;                /* parts of a read */
	bool slow_pause;
};

static struct tear
tear_of(uint64_t number)
{
	static const enum pattern pattern[] = { SECTORS_GROUPED, CUTS, WORDS };
	struct tear t = { .number = number, .pattern = SECTORS_BACK, .parts = 4, .pages = 1, .reads = 1 };

	/*
	 * Way 0 has few parts, since the deviations that can be enumerated are a power of the steps; the last sectors first, since the first ones may be all in which
	 * small slots differ.
	 */
	if (number > 0)
		t.pages = 2;
	if (number == 1) {
		t.pattern = SECTORS;
		t.parts = 8;
	} else if (number == 2) {
		t.pattern = SECTORS_GROUPED;
		t.parts = 2;
		t.reads = 2;
	} else if (number > 2) {
		t.pattern = pattern[mix(number, 1) % 3];
		t.parts = 2 + (unsigned)(mix(number, 2) % (t.pattern == WORDS ? 3 : 7));
		t.reads = 1 + (unsigned)(mix(number, 3) % (t.pattern == WORDS ? 2 : 4));
		t.slow_pause = t.pattern == WORDS;
	}
	return t;
}

/* ---- coroutines --------------------------------------------------------------------------------------------------------------- */

/* What a call touches: a deviation before one that touches nothing of the others' is the same as one before the next call. */
enum touch { TOUCHES, PRIVATE, PAUSES, ENDS };

struct task {
	void (*run)(unsigned self);
	bool live;                     /* it has still to run, or to run on */
	bool paused, writing;
	void *stack;
	ucontext_t context;
	void *fake;                    /* ASan's */
};

enum way { BY_PLAN, BY_TEXT, UNIFORM, PRIORITIES };

struct deviation {
	unsigned step, to;
};

static struct {
	struct task task[TASKS_MAX];
	unsigned tasks;
	int current;                   /* -1: none runs, calls are made from outside */
	ucontext_t outside;
	void *outside_fake;
	const void *outside_bottom;
	size_t outside_bytes;
	struct tear tear;
	/* who is to run */
	enum way way;
	struct deviation plan[64];
	unsigned planned, next_planned;
	const uint8_t *text;           /* BY_TEXT: of each step */
	unsigned text_steps;
	struct rng rng;
	unsigned permille;             /* UNIFORM: how often somebody else */
	unsigned priority[TASKS_MAX], lowest;
	unsigned change[4];            /* PRIORITIES: steps at which the one that runs falls behind all others */
	/* who ran */
	unsigned step;
	bool misfit;                   /* the text or the plan named one that could not run */
	uint8_t chosen[STEPS_MAX];
	uint8_t others[STEPS_MAX];     /* who else could have, where it makes a difference */
} sim = { .current = -1 };

static bool
can_run(unsigned t)
{
	unsigned i;

	if (!sim.task[t].live)
		return false;
	if (sim.tear.slow_pause && sim.task[t].paused)
		for (i = 0; i < sim.tasks; i++)
			if (i != t && sim.task[i].writing)
				return false;
	return true;
}

static unsigned
next_after(unsigned from, unsigned enabled)
{
	unsigned i;

	for (i = 1; i <= sim.tasks; i++)
		if (enabled >> (from + i) % sim.tasks & 1)
			return (from + i) % sim.tasks;
	return from;
}

static unsigned
draw(unsigned usual, unsigned from, unsigned enabled, enum touch touch)
{
	unsigned i, best = usual;

	if (sim.way == UNIFORM) {
		if (below(&sim.rng, 1000) >= sim.permille)
			return usual;
		for (i = (unsigned)below(&sim.rng, sim.tasks); (enabled >> i & 1) == 0; i = (i + 1) % sim.tasks)
			;
		return i;
	}
	for (i = 0; i < sizeof sim.change / sizeof sim.change[0]; i++)
		if (sim.change[i] == sim.step)
			sim.priority[from] = sim.lowest--;
	if (touch == PAUSES)
		sim.priority[from] = sim.lowest--;       /* or one that waits for a lock would wait for ever */
	for (i = 0; i < sim.tasks; i++)
		if ((enabled >> i & 1) && ((enabled >> best & 1) == 0 || sim.priority[i] > sim.priority[best]))
			best = i;
	return best;
}

/* Who runs next; -1: nobody is left. */
static int
choose(unsigned from, enum touch touch)
{
	unsigned enabled = 0, i, usual, to;

	for (i = 0; i < sim.tasks; i++)
		if (can_run(i))
			enabled |= 1u << i;
	if (enabled == 0)
		return -1;
	usual = touch == PAUSES || touch == ENDS || (enabled >> from & 1) == 0 ? next_after(from, enabled) : from;
	if ((enabled & (enabled - 1)) == 0)
		return (int)usual;                       /* no choice, no step */
	if (sim.step == STEPS_MAX) {
		printf("Bail out! a schedule of %u steps: does it end?\n", STEPS_MAX);
		exit(1);
	}
	to = usual;
	switch (sim.way) {
	case BY_PLAN:
		if (sim.next_planned < sim.planned && sim.plan[sim.next_planned].step == sim.step)
			to = sim.plan[sim.next_planned++].to;
		break;
	case BY_TEXT:
		if (sim.step < sim.text_steps)
			to = sim.text[sim.step];
		break;
	case UNIFORM: case PRIORITIES:
		to = draw(usual, from, enabled, touch);
		break;
	}
	if (to >= sim.tasks || (enabled >> to & 1) == 0) {
		sim.misfit = true;
		to = usual;
	}
	sim.chosen[sim.step] = (uint8_t)to;
	sim.others[sim.step] = (uint8_t)(touch == PRIVATE ? 0 : enabled & ~(1u << usual));
	sim.step++;
	return (int)to;
}

static void
switch_to(int to)
{
	int from = sim.current;
	struct task *a = from < 0 ? NULL : &sim.task[from], *b = to < 0 ? NULL : &sim.task[to];
	int failure;

	sim.current = to;
#ifdef SCHEDULE_ASAN
	__sanitizer_start_switch_fiber(a != NULL ? &a->fake : &sim.outside_fake, b != NULL ? b->stack : sim.outside_bottom, b != NULL ? STACK_BYTES : sim.outside_bytes);
#endif
	failure = swapcontext(a != NULL ? &a->context : &sim.outside, b != NULL ? &b->context : &sim.outside);
#ifdef SCHEDULE_ASAN
	__sanitizer_finish_switch_fiber(a != NULL ? a->fake : sim.outside_fake, NULL, NULL);
#endif
	if (failure != 0)
		abort();
}

/* A coroutine lives on from schedule to schedule: making one costs more than a schedule's switches. */
static void
live(int self)
{
#ifdef SCHEDULE_ASAN
	const void *bottom;
	size_t bytes;

	__sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
	if (sim.outside_bottom == NULL) {
		sim.outside_bottom = bottom;             /* the first one is begun from outside */
		sim.outside_bytes = bytes;
	}
#endif
	for (;;) {
		sim.task[self].run((unsigned)self);
		sim.task[self].live = false;
		switch_to(choose((unsigned)self, ENDS));
	}
}

/* Before each call, and each part of one. */
static void
pass(enum touch touch)
{
	int to;

	if (sim.current < 0)
		return;
	to = choose((unsigned)sim.current, touch);
	if (to != sim.current)
		switch_to(to);
}

static void
make_context(struct task *t, int self)
{
	t->stack = get(NULL, STACK_BYTES, 1);
	if (getcontext(&t->context) != 0)
		abort();
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_BYTES;
	t->context.uc_link = NULL;
	makecontext(&t->context, (void (*)(void))live, 1, self);
}

/* Runs tasks [0, n) to their ends, by sim.way. */
static void
run_tasks(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		struct task *t = &sim.task[i];

		if (t->stack == NULL)
			make_context(t, (int)i);
		t->live = true;
		t->paused = t->writing = false;
	}
	sim.tasks = n;
	sim.step = sim.next_planned = 0;
	sim.misfit = false;
	sim.lowest = 1u << 20;
	/* as if the last one had ended: the first one is who begins by default */
	switch_to(choose(n - 1, ENDS));
}

static void
free_stacks(void)
{
	unsigned i;

	for (i = 0; i < TASKS_MAX; i++)
		free(sim.task[i].stack);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

struct inode {
	uint8_t *bytes;                /* FILE_ROOM of them, zero from size on */
	size_t size;
	unsigned uses;                 /* handles, and names */
	const void *locked;            /* by this handle */
};

struct handle {
	struct inode *inode;
	unsigned name;                 /* that it was opened by, or is made for */
	bool hidden;                   /* it has no name yet: nobody else can see it */
	uint8_t slot[2][4096];         /* as they were read last, and whether that was the same as the time before */
	bool same[2];
};

static struct {
	char *text;
	struct inode *inode;
} names[NAMES_MAX];
static struct inode *spare_inodes[16];
static unsigned spare_count;
static int64_t clock_ns;

static struct inode *
new_inode(void)
{
	struct inode *n;

	if (spare_count > 0)
		return spare_inodes[--spare_count];
	n = get(NULL, 1, sizeof *n);
	*n = (struct inode){ .bytes = get(NULL, FILE_ROOM, 1) };
	memset(n->bytes, 0, FILE_ROOM);
	return n;
}

static void
drop_inode(struct inode *n)
{
	if (n == NULL || --n->uses > 0)
		return;
	memset(n->bytes, 0, n->size);
	n->size = 0;
	n->locked = NULL;
	if (spare_count < sizeof spare_inodes / sizeof spare_inodes[0]) {
		spare_inodes[spare_count++] = n;
	} else {
		free(n->bytes);
		free(n);
	}
}

static unsigned
name_of(const char *path)
{
	unsigned i;

	for (i = 0; i < NAMES_MAX && names[i].text != NULL; i++)
		if (strcmp(names[i].text, path) == 0)
			return i;
	if (i == NAMES_MAX)
		abort();
	names[i].text = strdup(path);
	return i;
}

static void
name_file(unsigned name, struct inode *inode)
{
	struct inode *before = names[name].inode;

	if (inode != NULL)
		inode->uses++;
	names[name].inode = inode;
	drop_inode(before);
}

/* A file of these bytes gets the name. */
static void
put_file(const char *path, const uint8_t *bytes, size_t size)
{
	unsigned name = name_of(path);
	struct inode *n = new_inode();

	memcpy(n->bytes, bytes, size);
	n->size = size;
	name_file(name, n);
}

static void
remove_files(void)
{
	unsigned i;

	for (i = 0; i < NAMES_MAX; i++) {
		name_file(i, NULL);
		free(names[i].text);
		names[i].text = NULL;
	}
	while (spare_count > 0) {
		spare_count--;
		free(spare_inodes[spare_count]->bytes);
		free(spare_inodes[spare_count]);
	}
}

static void
handle_pass(const struct handle *h, enum touch touch)
{
	if (!h->hidden)
		pass(touch);
}

/* Cuts [0, len) at words, part i of n: its end.  Drawn by the tear. */
static size_t
cut(uint64_t offset, size_t len, unsigned i, unsigned n, uint64_t what)
{
	size_t words = len / 4, even = words * (i + 1) / n;

	if (i + 1 >= n)
		return len;
	return 4 * (sim.tear.number <= 2 ? even : even - (size_t)(mix(mix(sim.tear.number, offset), what + i) % (words / n + 1)));
}

static int
mem_read(void *self, uint64_t offset, void *to, size_t len, size_t *got)
{
	struct handle *h = self;
	const struct inode *n = h->inode;
	unsigned parts = h->hidden || sim.current < 0 || len < 1024 ? 1 : sim.tear.reads, i;
	size_t from = 0, end, room;

	*got = 0;
	for (i = 0; i < parts; i++) {
		handle_pass(h, TOUCHES);
		end = cut(offset, len, i, parts, 100);
		room = offset >= n->size ? 0 : n->size - (size_t)offset;
		if (end > room)
			end = room;
		if (end > from) {
			memcpy((uint8_t *)to + from, n->bytes + offset + from, end - from);
			*got = from = end;
		}
		if (end == room)
			break;
	}
	if (len == 4096 && (offset == 4096 || offset == 8192)) {
		unsigned k = offset == 8192;

		h->same[k] = memcmp(h->slot[k], to, len) == 0;
		memcpy(h->slot[k], to, len);
	}
	return 0;
}

static void
put(struct inode *n, size_t offset, const uint8_t *bytes, size_t from, size_t to)
{
	memcpy(n->bytes + offset + from, bytes + from, to - from);
}

/* The units of a write that appear with part i of n: sectors or words, each in the part that the tear has drawn for it. */
static void
put_units(struct inode *n, size_t offset, const uint8_t *bytes, size_t len, size_t unit, unsigned i, unsigned parts)
{
	uint64_t drawn = mix(sim.tear.number, offset);
	size_t at;

	for (at = 0; at < len; at += unit) {
		size_t k = at / unit;
		uint64_t part = sim.tear.pattern == SECTORS_BACK ? parts - 1 - k * parts / (len / unit) : sim.tear.number == 2 ? k % 2 : mix(drawn, k);

		if (part % parts == i)
			put(n, offset, bytes, at, at + unit < len ? at + unit : len);
	}
}

static int
mem_write(void *self, uint64_t offset, const void *from, size_t len)
{
	const struct handle *h = self;
	struct inode *n = h->inode;
	bool slot = offset >= 4096 && offset < 12288, whole = h->hidden || sim.current < 0 || len < 1024 || len % 512 != 0;
	unsigned parts = whole ? 1 : slot ? sim.tear.parts : sim.tear.pages, i;
	size_t done = 0;

	if (offset + len > FILE_ROOM)
		return ENOSPC;
	for (i = 0; i < parts; i++) {
		handle_pass(h, TOUCHES);
		if (whole) {
			put(n, (size_t)offset, from, 0, len);
			done = len;
		} else if (sim.tear.pattern == SECTORS || sim.tear.pattern == CUTS) {
			size_t end = sim.tear.pattern == SECTORS ? len * (i + 1) / parts : cut(offset, len, i, parts, 200);

			if (end > done) {
				put(n, (size_t)offset, from, done, end);
				done = end;
			}
		} else {
			put_units(n, (size_t)offset, from, len, sim.tear.pattern == WORDS ? 4 : 512, i, parts);
			done = len;                      /* it may have grown before its content arrives (SPEC 10.1) */
		}
		if (n->size < offset + done)
			n->size = (size_t)offset + done;
		if (sim.current >= 0)
			sim.task[sim.current].writing = i + 1 < parts;
	}
	return 0;
}

static int
mem_write_synced(void *self, uint64_t offset, const void *from, size_t len, bool *synced)
{
	*synced = true;
	return mem_write(self, offset, from, len);
}

static bool
mem_can_write_synced(void *self)
{
	handle_pass(self, PRIVATE);
	return true;
}

static int
mem_sync(void *self)
{
	handle_pass(self, PRIVATE);
	return 0;
}

static int
mem_size(void *self, uint64_t *bytes)
{
	const struct handle *h = self;

	handle_pass(h, TOUCHES);
	*bytes = h->inode->size;
	return 0;
}

static int
mem_lock(void *self)
{
	struct handle *h = self;

	handle_pass(h, TOUCHES);
	if (h->inode->locked != NULL && h->inode->locked != h)
		return EAGAIN;
	h->inode->locked = h;
	return 0;
}

static void
mem_unlock(void *self)
{
	struct handle *h = self;

	handle_pass(h, TOUCHES);
	if (h->inode->locked == h)
		h->inode->locked = NULL;
}

static int
mem_is_current(void *self, bool *current)
{
	const struct handle *h = self;

	handle_pass(h, TOUCHES);
	*current = names[h->name].inode == h->inode;
	return 0;
}

static int64_t
mem_now_ns(void *self)
{
	handle_pass(self, PRIVATE);
	return clock_ns += 1000;
}

static int
mem_pause(void *self, int64_t ns)
{
	(void)ns;
	if (sim.current >= 0)
		sim.task[sim.current].paused = true;
	handle_pass(self, PAUSES);
	if (sim.current >= 0)
		sim.task[sim.current].paused = false;
	return 0;
}

static int
mem_random(void *self, void *bytes, size_t len)
{
	(void)self;
	memset(bytes, 0x5a, len);
	return 0;
}

static void
mem_close(void *self)
{
	struct handle *h = self;

	handle_pass(h, h->inode->locked == h ? TOUCHES : PRIVATE);
	if (h->inode->locked == h)
		h->inode->locked = NULL;
	drop_inode(h->inode);
	free(h);
}

static struct otr_io
open_inode(struct inode *inode, unsigned name, bool hidden)
{
	struct handle *h = get(NULL, 1, sizeof *h);

	*h = (struct handle){ .inode = inode, .name = name, .hidden = hidden };
	inode->uses++;
	return (struct otr_io){ .self = h, .read = mem_read, .write = mem_write, .write_synced = mem_write_synced, .can_write_synced = mem_can_write_synced,
		.sync = mem_sync, .sync_directory = mem_sync, .size = mem_size, .lock = mem_lock, .unlock = mem_unlock, .is_current = mem_is_current,
		.now_ns = mem_now_ns, .pause = mem_pause, .random = mem_random, .close = mem_close };
}

/* ---- the io module ---------------------------------------------------------------------------------------------------------- */

enum otr_status
otr__io_open(const char *path, bool writable, struct otr_io *io, struct otr_error *err)
{
	unsigned name = name_of(path);

	(void)writable;
	pass(TOUCHES);
	if (names[name].inode == NULL)
		return otr__fail_sys(err, ENOENT, "cannot open");
	*io = open_inode(names[name].inode, name, false);
	return OTR_OK;
}

enum otr_status
otr__io_open_fd(int fd, struct otr_io *io, struct otr_error *err)
{
	(void)fd;
	(void)io;
	return otr__fail_sys(err, EBADF, "cannot open");
}

enum otr_status
otr__io_create(const char *path, struct otr_io *io, struct otr_error *err)
{
	(void)err;
	*io = open_inode(new_inode(), name_of(path), true);
	return OTR_OK;
}

enum otr_status
otr__io_publish(struct otr_io *io, bool replace, struct otr_error *err)
{
	struct handle *h = io->self;

	h->inode->locked = h;
	pass(TOUCHES);
	if (!replace && names[h->name].inode != NULL)
		return otr__fail(err, OTR_E_EXISTS, "", "exists already");
	name_file(h->name, h->inode);
	h->hidden = false;
	(void)mem_sync(h);
	mem_unlock(h);
	return OTR_OK;
}

enum otr_status
otr__io_real_path(const char *path, char **real, struct otr_error *err)
{
	*real = strdup(path);
	return *real != NULL ? OTR_OK : otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

bool
otr__io_is_at(const struct otr_io *io, const char *path)
{
	return names[name_of(path)].inode == ((const struct handle *)io->self)->inode;
}

bool
otr__io_exists(const char *path)
{
	return names[name_of(path)].inode != NULL;
}

enum otr_status
otr__io_read(struct otr_io *io, uint64_t offset, void *bytes, size_t len, struct otr_error *err)
{
	size_t got = 0;
	int failure = io->read(io->self, offset, bytes, len, &got);

	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot read");
	return got == len ? OTR_OK : otr__fail(err, OTR_E_TRUNCATED, "5.2-2", "%zu of %zu bytes at byte %llu", got, len, (unsigned long long)offset);
}

/* ---- schedules as texts ----------------------------------------------------------------------------------------------------- */

static void
print_schedule(uint64_t tear, const uint8_t *chosen, unsigned steps)
{
	unsigned i, n;

	printf("%llu:", (unsigned long long)tear);
	for (i = 0; i < steps; i += n) {
		for (n = 1; i + n < steps && chosen[i + n] == chosen[i]; n++)
			;
		printf("%c%u", 'a' + chosen[i], n);
	}
}

/* The steps of a text, into chosen[STEPS_MAX]; false: it is none. */
static bool
parse_schedule(const char *text, uint64_t *tear, uint8_t *chosen, unsigned *steps)
{
	char *end;

	*tear = strtoull(text, &end, 10);
	*steps = 0;
	if (*end++ != ':')
		return false;
	while (*end != '\0') {
		unsigned who = (unsigned)(*end - 'a');
		unsigned long n = strtoul(end + 1, &end, 10);

		if (who >= TASKS_MAX || n == 0 || n > STEPS_MAX - *steps)
			return false;
		memset(chosen + *steps, (int)who, n);
		*steps += (unsigned)n;
	}
	return true;
}

#endif
