/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_kill.c - writers that are killed with SIGKILL after 0 to 5 or 20 ms, over and over on the same files (testing.md M5; promises P1, P2, P7, P8, P9).
 *
 *      CYCLES=n   how often (default 1,000)      SEED=n   of all that is random, but not of the moment at which the kernel delivers the signal
 *      TMPDIR     where; without it a quarter is in /tmp, the rest in memory, in /dev/shm
 *
 * story.h has the writers and the model.  Of ten cycles one has two writers, one starts a reader, which is stopped in the middle and goes on some cycles later, one
 * creates files, one compacts, one works through the tools (of OTR_BIN).
 */
#include "story.h"

#define CYCLES (TAP_SLOWER > 1 ? 150 : 1000)

static char dir[100];
static bool tools, unnamed_here, unnamed;
static struct op *intent;                /* [2], shared with the writers */
static unsigned by_intent;
static unsigned next_id, commits, acknowledged, unacknowledged, temporaries, left_by_creation, created, replaced;
static unsigned readers_right, readers_expired, readers_wrong;

/* ---- a reader that is stopped --------------------------------------------------------------------------------------------- */

static pid_t reader;
static unsigned reader_until;          /* cycle at which it goes on */
static volatile sig_atomic_t continued;

static void
on_continue(int sig)
{
	(void)sig;
	continued = 1;
}

enum { READER_RIGHT = 0, READER_EXPIRED = 10, READER_WRONG = 11 };

/* One walk over the rows of the handle's version, which must be those of r, from the first that has not expired on. */
static int
read_once(struct otr *file, const struct story *s)
{
	struct otr_cursor *c;
	struct otr_rows rows;
	struct otr_error err = { .text = "" };
	size_t at = 0, i;
	bool begun = false, right = true;
	enum otr_status status = otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err);

	if (status == OTR_OK) {
		while ((status = otr_cursor_next(c, &rows, &err)) == OTR_OK)
			for (i = 0; i < rows.n; i++, at++) {
				while (!begun && at < s->now.n && s->now.t[at] < rows.time_ns[i])
					at++;
				if (!begun && at > 0 && !s->round_robin)
					right = false;
				begun = true;
				right = right && at < s->now.n && rows.time_ns[i] == s->now.t[at] && memcmp(&rows.value[0][i], &s->now.v[at], 8) == 0;
			}
		otr_cursor_close(c);
	}
	if (right && status == OTR_E_EXPIRED)
		return READER_EXPIRED;
	if (right && status == OTR_END && (at == s->now.n || (!begun && s->round_robin)))
		return READER_RIGHT;
	printf("# %s: reader of version %" PRIu64 ": %s, row %zu of %zu, status %d %s\n", story_now, s->last, right ? "not to the end" : "a wrong row", at, s->now.n,
	    (int)status, err.text);
	(void)fflush(stdout);
	return READER_WRONG;
}

/* Reads the version that there is now until it was stopped and continued, and once more. */
static void
read_along(const struct story *s, int ready)
{
	struct sigaction action = { .sa_handler = on_continue };
	struct otr *file;
	struct otr_error err;
	struct otr_info info;
	int result = READER_RIGHT;
	bool last = false;

	(void)sigaction(SIGCONT, &action, NULL);
	if (otr_open(s->path, &file, &err) != OTR_OK)
		_exit(READER_WRONG);
	otr_get_info(file, &info);
	if (info.version != s->last)
		_exit(READER_WRONG);
	if (write(ready, "r", 1) != 1)
		_exit(READER_WRONG);
	while (!last && result == READER_RIGHT) {
		last = continued != 0;
		result = read_once(file, s);
	}
	otr_close(file);
	_exit(result);
}

static void
start_reader(const struct story *s, unsigned cycle)
{
	int ends[2], status;
	char ready;

	if (pipe(ends) != 0)
		abort();
	reader = story_fork();
	if (reader == 0)
		read_along(s, ends[1]);
	(void)close(ends[1]);
	if (read(ends[0], &ready, 1) != 1)
		story_complain("a reader cannot open the file", "");
	(void)close(ends[0]);
	story_sleep((long)story_dice(400));
	(void)kill(reader, SIGSTOP);
	(void)waitpid(reader, &status, WUNTRACED);
	if (!WIFSTOPPED(status)) {
		story_complain("a reader ended by itself", "");
		readers_wrong++;
		reader = 0;
	}
	reader_until = cycle + 1 + story_dice(4);
}

static void
end_reader(void)
{
	int status = 0;

	if (reader == 0)
		return;
	(void)kill(reader, SIGCONT);
	(void)waitpid(reader, &status, 0);
	reader = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == READER_RIGHT) {
		readers_right++;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == READER_EXPIRED) {
		readers_expired++;
	} else {
		readers_wrong++;
		story_complain("a reader that was stopped has read something wrong", "");
	}
}

/* ---- the cycles ----------------------------------------------------------------------------------------------------------- */

enum what { WRITE, WRITE_TWICE, WRITE_BESIDE_READER, WRITE_BY_TOOLS, COMPACT, CREATE };

static void
tell(struct teller *w, enum what what, enum creation how)
{
	switch (what) {
	case WRITE_BY_TOOLS: teller_runs_tools(w); break;
	case COMPACT: teller_compacts(w); break;
	case CREATE: teller_creates(w, dir, how); break;
	default: teller_writes(w); break;
	}
}

static void
cycle(struct story *s, enum what what, unsigned number)
{
	static const char *const names[] = { "one writer", "two writers", "beside a reader", "tools", "compaction", "creation" };
	unsigned writers = what == WRITE_TWICE ? 2 : 1, i, left;
	enum creation how = (enum creation)story_dice(CREATIONS);
	struct ack *ack;
	size_t acks;
	pid_t pid[2];
	char now[120];
	int ends[2];
	uint64_t before = s->last;
	/* without a pause nearly every kill comes within a commit, but there are many of them */
	bool pauses = story_dice(2) == 0 && what != CREATE;
	unsigned most_us = pauses ? 20000 : what == WRITE_BY_TOOLS || (what == CREATE && how == CREATE_BY_TOOL) ? 20000 : what == COMPACT ? 10000 : 5000;

	if (how == CREATE_BY_TOOL && !tools)
		how = CREATE_NEW;
	(void)snprintf(now, sizeof now, "cycle %u, %s, %s", number, strrchr(s->path, '/') + 1, names[what]);
	story_now = now;
	if (what == WRITE_BESIDE_READER && reader == 0)
		start_reader(s, number);       /* before the pipe: it would hold that open while it is stopped */
	if (pipe(ends) != 0)
		abort();
	memset(intent, 0, 2 * sizeof *intent);
	for (i = 0; i < writers; i++) {
		struct teller w = { .path = s->path, .intent = &intent[i], .out = ends[1], .id = next_id + i, .k = s->next_k, .round_robin = s->round_robin,
			.pauses = pauses, .large = s->round_robin && story_dice(2) == 0 };

		(void)tap_random(&story_seed);
		pid[i] = story_fork();
		if (pid[i] == 0) {
			(void)close(ends[0]);
			story_seed ^= (unsigned long long)w.id << 20;
			tell(&w, what, how);
		}
	}
	(void)close(ends[1]);
	story_sleep((long)story_dice(most_us));
	/* the other one goes on beside what the first has left */
	for (i = 0; i < writers; i++) {
		if (i > 0)
			story_sleep((long)story_dice(800));
		story_kill(pid[i]);
	}
	ack = story_acks(ends[0], &acks);
	(void)close(ends[0]);
	if (what == CREATE) {
		left = story_check_creations(dir, next_id, how, s, ack, acks, acks);
		if (how == CREATE_OVER)
			temporaries += left;
		else if (unnamed_here)
			left_by_creation += left;
		created += (unsigned)acks;
		replaced += what == CREATE && how == CREATE_OVER;
	} else {
		by_intent += story_check(s, ack, acks, acks, intent, writers);
		temporaries += story_temporaries(dir);
		commits += (unsigned)(s->last - before);
		acknowledged += (unsigned)acks;
		unacknowledged += s->last - before > acks;
	}
	free(ack);
	next_id += writers;
	if (reader != 0 && number >= reader_until)
		end_reader();
}

static void
clean(void)
{
	char command[140];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (system(command) != 0)
		printf("# cannot remove %s\n", dir);
}

/* Whether a file without a name can be made there, so that a killed creation leaves nothing. */
static bool
has_unnamed_files(void)
{
#ifdef O_TMPFILE
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 && access("/proc/self/fd", X_OK) == 0;
#else
	return false;
#endif
}

static void
begin_in(const char *tmp)
{
	(void)snprintf(dir, sizeof dir, "%.80s/otr-kill-XXXXXX", tmp);
	if (mkdtemp(dir) == NULL) {
		printf("Bail out! no directory in %s\n", tmp);
		exit(1);
	}
	unnamed_here = has_unnamed_files();
	unnamed = unnamed || unnamed_here;
}

int
main(void)
{
	const char *env = getenv("SEED"), *tmp = getenv("TMPDIR");
	unsigned long long shown = env == NULL ? 20261121 : strtoull(env, NULL, 10);
	unsigned cycles = CYCLES, i, files = 0;
	struct story *s;
	bool move;

	tools = getenv("OTR_BIN") != NULL;
	story_seed = shown * 2 + 1;
	printf("# SEED=%llu\n", shown);
	env = getenv("CYCLES");
	if (env != NULL && strtoul(env, NULL, 10) > 0)
		cycles = (unsigned)strtoul(env, NULL, 10);
	begin_in(tmp != NULL ? tmp : "/tmp");
	story_prepare();
	intent = mmap(NULL, 2 * sizeof *intent, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (intent == MAP_FAILED)
		abort();
	s = story_begin(dir, files++);
	for (i = 0; i < cycles && story_bad == 0; i++) {
		static const enum what plan[10] = { WRITE, WRITE_BY_TOOLS, WRITE, WRITE_TWICE, WRITE, CREATE, WRITE, WRITE_BESIDE_READER, WRITE, COMPACT };
		enum what what = plan[i % 10];

		/* a file of fixed size takes only what comes in order: then a commit is one version */
		if ((what == WRITE_BY_TOOLS && (!tools || s->round_robin)) || (what == WRITE_TWICE && s->round_robin))
			what = WRITE;
		cycle(s, what, i);
		/* on a disk a kill comes mostly while a sync is waited for; in memory there are a hundred times as many commits */
		move = tmp == NULL && i == cycles / 4 && access("/dev/shm", W_OK) == 0;
		if (story_is_long(s) || move) {
			end_reader();
			(void)unlink(s->path);
			story_end(s);
			if (move) {
				clean();
				begin_in("/dev/shm");
			}
			s = story_begin(dir, files++);
		}
	}
	end_reader();
	CHECK(story_bad == 0, "P1, P2: after kill -9 the last acknowledged version is there or the one after it, rows are the version's, and the file is sound");
	CHECK(cycles < 50 || (commits > cycles / 10 && acknowledged > cycles / 10 && created > 0), "writers came to commit before they were killed");
	CHECK(readers_wrong == 0 && (cycles < 50 || readers_right > 0), "P7: a reader that was stopped while others committed gives its version's rows, or says that its snapshot expired");
	if (unnamed)
		CHECK(left_by_creation == 0, "P9: no temporary file is left by a killed creation");
	else
		printf("ok %d - P9: no temporary file is left # SKIP no O_TMPFILE in %s\n", ++tap_count, dir);
	printf("# %u cycles, %u files, %u commits, %u acknowledged, %u that were not, %u of them pruned by another writer; %u creations, %u of them over a file; readers: %u right, %u expired; %u second names left\n",
	    i, files, commits, acknowledged, unacknowledged, by_intent, created, replaced, readers_right, readers_expired, temporaries);
	if (!tools)
		printf("# OTR_BIN is not set: without the tools\n");
	story_end(s);
	clean();
	return tap_done();
}
