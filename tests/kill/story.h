/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story.h - writers that may die at any instant, and what must be found after them (testing.md M4, M5; promises P1, P2, P9).
 *
 * The message of each commit says what it does (struct op), and the values of its rows follow from that: so rows are a function of the versions before, whoever
 * made them.  A writer is a child process; it tells each commit through a pipe after the call has returned.  The parent has a model of the file (struct story): it takes
 * the operations of new versions from the log, compares them with what was told, and rows and metadata with the model.
 */
#ifndef STORY_H
#define STORY_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1      /* prctl beside POSIX */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "otr.h"
#include "tap.h"

#define STORY_BASE_NS (INT64_C(1700000000) * 1000000000)
#define STORY_STEP_NS INT64_C(100000000)          /* between the rows of one commit */
#define STORY_K_NS (1000 * STORY_STEP_NS)         /* between one commit and the next */
#define STORY_ROWS_MAX 600u
#define STORY_VERSIONS_MAX 4000u
#define STORY_MAX_BYTES (UINT64_C(512) * 1024)

static unsigned long long story_seed;
static int story_bad;
static bool story_power;                          /* the power goes, not the process alone */
static const char *story_now = "";                /* what is being tried, for complaints */

static inline unsigned
story_dice(unsigned n)
{
	return (unsigned)((tap_random(&story_seed) >> 11) % n);
}

static inline void
story_complain(const char *what, const char *more)
{
	if (story_bad++ < 25)
		printf("# %s: %s%s%s\n", story_now, what, more[0] == '\0' ? "" : ": ", more);
}

static inline void *
story_memory(void *p, size_t n, size_t each)
{
	p = realloc(p, n == 0 ? each : n * each);
	if (p == NULL)
		abort();
	return p;
}

static inline void
story_sleep(long us)
{
	struct timespec wait = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	(void)nanosleep(&wait, NULL);
}

/* ---- operations ---------------------------------------------------------------------------------------------------------- */

/*
 *      a  rows at a, a + step, ...           l  rows at random places from a on, over b steps
 *      d  deletes [a, b)                     b  goes back to version a
 *      m  sets the metadata                  c  compacts; n: whether the history goes
 *      +  creates
 */
struct op {
	char kind;
	unsigned id, k;                /* the writer, and its counter */
	int64_t a, b;
	unsigned n;
};

static inline void
op_text(const struct op *o, char text[96])
{
	(void)snprintf(text, 96, "%c %u %u %" PRId64 " %" PRId64 " %u", o->kind, o->id, o->k, o->a, o->b, o->n);
}

static inline bool
op_read(const char *text, struct op *o)
{
	return sscanf(text, "%c %u %u %" SCNd64 " %" SCNd64 " %u", &o->kind, &o->id, &o->k, &o->a, &o->b, &o->n) == 6;
}

static inline bool
op_equal(const struct op *x, const struct op *y)
{
	return x->kind == y->kind && x->id == y->id && x->k == y->k && x->a == y->a && x->b == y->b && x->n == y->n;
}

static inline uint64_t
op_hash(const struct op *o, unsigned i, unsigned which)
{
	unsigned long long state = ((unsigned long long)o->id << 40 | (unsigned long long)o->k << 16 | i << 2 | which) * 2 + 1;

	(void)tap_random(&state);
	(void)tap_random(&state);
	return tap_random(&state) >> 8;
}

/* Row i.  Values have two decimals at the most, so that a text is exact too. */
static inline int64_t
op_time(const struct op *o, unsigned i)
{
	return o->kind == 'l' ? o->a + (int64_t)(op_hash(o, i, 1) % (uint64_t)o->b) * STORY_STEP_NS / 2 : o->a + (int64_t)i * STORY_STEP_NS;
}

static inline double
op_value(const struct op *o, unsigned i)
{
	return (double)(op_hash(o, i, 2) % 4000000) / 4;
}

/* ---- the model ------------------------------------------------------------------------------------------------------------ */

struct rows {
	size_t n, room;
	int64_t *t;
	double *v;
	unsigned meta;                 /* counter of the last 'm', 0: none */
};

struct told {
	bool known;
	struct op op;
	struct rows *rows;             /* kept at some versions, NULL at the others */
};

struct story {
	char path[160];
	bool round_robin;              /* max_size: the oldest rows expire, and the history */
	bool prunes;                   /* history of a few versions */
	uint64_t last;                 /* version that was found last */
	unsigned next_k;
	bool torn;                     /* a slot was found torn: a version number is left out */
	struct rows now;               /* of version `last` */
	struct told version[STORY_VERSIONS_MAX];
};

static inline void
rows_copy(struct rows *to, const struct rows *from)
{
	if (to->room < from->n) {
		to->room = from->n + from->n / 4;
		to->t = story_memory(to->t, to->room, sizeof to->t[0]);
		to->v = story_memory(to->v, to->room, sizeof to->v[0]);
	}
	if (from->n > 0) {
		memcpy(to->t, from->t, from->n * sizeof to->t[0]);
		memcpy(to->v, from->v, from->n * sizeof to->v[0]);
	}
	to->n = from->n;
	to->meta = from->meta;
}

static inline void
rows_free(struct rows *r)
{
	free(r->t);
	free(r->v);
	*r = (struct rows){ .n = 0 };
}

static inline void
rows_put(struct rows *r, int64_t t, double v)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->t[middle] < t)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < r->n && r->t[low] == t) {
		r->v[low] = v;
		return;
	}
	if (r->n == r->room) {
		r->room = r->room * 2 + 64;
		r->t = story_memory(r->t, r->room, sizeof r->t[0]);
		r->v = story_memory(r->v, r->room, sizeof r->v[0]);
	}
	memmove(r->t + low + 1, r->t + low, (r->n - low) * sizeof r->t[0]);
	memmove(r->v + low + 1, r->v + low, (r->n - low) * sizeof r->v[0]);
	r->t[low] = t;
	r->v[low] = v;
	r->n++;
}

static inline void story_at(const struct story *s, uint64_t version, struct rows *to);

static inline void
story_apply(const struct story *s, const struct op *o, struct rows *r)
{
	size_t i, n = 0;

	switch (o->kind) {
	case 'a': case 'l':
		for (i = 0; i < o->n; i++)
			rows_put(r, op_time(o, (unsigned)i), op_value(o, (unsigned)i));
		break;
	case 'd':
		for (i = 0; i < r->n; i++)
			if (r->t[i] < o->a || r->t[i] >= o->b) {
				r->t[n] = r->t[i];
				r->v[n++] = r->v[i];
			}
		r->n = n;
		break;
	case 'b': story_at(s, (uint64_t)o->a, r); break;
	case 'm': r->meta = o->k; break;
	default: break;
	}
}

/* Rows of a version. */
static inline void
story_at(const struct story *s, uint64_t version, struct rows *to)
{
	uint64_t u = version;

	while (u > 0 && s->version[u].rows == NULL)
		u--;
	if (s->version[u].rows != NULL)
		rows_copy(to, s->version[u].rows);
	else
		*to = (struct rows){ .room = to->room, .t = to->t, .v = to->v };
	for (u++; u <= version; u++)
		if (s->version[u].known)
			story_apply(s, &s->version[u].op, to);
}

/* Version u is known now; the next one. */
static inline void
story_advance(struct story *s, uint64_t u)
{
	story_apply(s, &s->version[u].op, &s->now);
	if (u % 16 == 0) {
		s->version[u].rows = story_memory(NULL, 1, sizeof *s->version[u].rows);
		*s->version[u].rows = (struct rows){ .n = 0 };
		rows_copy(s->version[u].rows, &s->now);
	}
	if (s->version[u].op.k >= s->next_k)
		s->next_k = s->version[u].op.k + 1;
}

static inline void
story_end(struct story *s)
{
	uint64_t u;

	for (u = 0; u < STORY_VERSIONS_MAX; u++)
		if (s->version[u].rows != NULL) {
			rows_free(s->version[u].rows);
			free(s->version[u].rows);
		}
	rows_free(&s->now);
	free(s);
}

/* ---- the writers ---------------------------------------------------------------------------------------------------------- */

/* What a writer says of a commit that was acknowledged to it. */
struct ack {
	struct op op;
	uint64_t version;
};

struct teller {
	const char *path;
	int out;                       /* the pipe */
	unsigned id, k;
	struct op *intent;             /* NULL, or where it writes what it is about to do, for the parent to read */
	bool round_robin, pauses, large;
	uint64_t version;              /* that it saw last */
};

static inline void
teller_fails(const char *what, const struct otr_error *err)
{
	if (story_power && err->status == OTR_E_IO)
		_exit(3);              /* it is to be, once the power has gone */
	printf("# %s: %s: %s\n", story_now, what, err->text);
	(void)fflush(stdout);
	_exit(1);
}

static inline void
teller_acks(struct teller *w, const struct op *o, uint64_t version)
{
	struct ack a;

	memset(&a, 0, sizeof a);
	a.op = *o;
	a.version = w->version = version;
	if (write(w->out, &a, sizeof a) != (ssize_t)sizeof a)
		_exit(4);
	if (w->pauses)
		story_sleep((long)story_dice(1000));
}

static inline struct op
teller_draws(struct teller *w)
{
	int64_t first = STORY_BASE_NS, mine = first + (int64_t)w->k * STORY_K_NS + (int64_t)(w->id & 1) * STORY_STEP_NS / 2;
	struct op o = { .kind = 'a', .id = w->id, .k = w->k, .a = mine, .n = 1 };
	unsigned d = story_dice(100);

	w->k++;
	if (d < 20 || w->large)
		o.n = 1 + story_dice(w->large ? STORY_ROWS_MAX : 40);
	else if (d < 25)
		o.n = 100 + story_dice(STORY_ROWS_MAX - 100);
	else if (d >= 95)
		o = (struct op){ .kind = 'm', .id = o.id, .k = o.k };
	else if (d >= 92) {
		o = (struct op){ .kind = 'd', .id = o.id, .k = o.k, .a = mine - (int64_t)story_dice(20 * 1000) * STORY_STEP_NS };
		o.b = o.a + (int64_t)(1 + story_dice(500)) * STORY_STEP_NS;
	}
	if (w->round_robin || o.kind != 'a')
		return o;
	if (d >= 89) {
		o = (struct op){ .kind = 'b', .id = o.id, .k = o.k, .a = (int64_t)w->version - 1 - (int64_t)story_dice(8) };
		if (o.a < 0)
			o.a = 0;
	} else if (d >= 75) {
		o.kind = 'l';
		o.n = story_dice(3) == 0 ? 1 + story_dice(60) : 1;
		o.b = 2 + story_dice(d >= 86 ? 10000 : 1000);
		o.a = mine - o.b * STORY_STEP_NS / 2;
	} else if (d >= 70) {
		o.a -= (1 + (int64_t)story_dice(4)) * STORY_K_NS;             /* these times there are already */
	}
	return o;
}

/* One operation through an open writer; committed is false if nothing was to be changed. */
static inline enum otr_status
teller_does(struct otr_writer *writer, const char *path, const struct op *o, uint64_t *version, bool *committed, struct otr_error *err)
{
	static int64_t t[STORY_ROWS_MAX];
	static double v[STORY_ROWS_MAX];
	struct otr_commit_result r = { .committed = false };
	struct otr_change_result changed = { .committed = false };
	struct otr_compact_result compacted = { .version = 0 };
	char value[16], text[96];
	enum otr_status status = OTR_OK;
	unsigned i;

	switch (o->kind) {
	case 'a': case 'l': {
		struct otr_rows rows = { .n = o->n, .time_ns = t, .value = { (const uint64_t *)(const void *)v } };

		for (i = 0; i < o->n; i++) {
			t[i] = op_time(o, i);
			v[i] = op_value(o, i);
		}
		status = otr_writer_add(writer, &rows, err);
		if (status == OTR_OK)
			status = otr_writer_commit(writer, &r, err);
		*committed = r.committed;
		*version = r.version;
		return status;
	}
	case 'd': status = otr_writer_delete(writer, &(struct otr_delete_spec){ .start_ns = o->a, .end_ns = o->b }, &changed, err); break;
	case 'b':
		status = otr_writer_rollback(writer, (uint64_t)o->a, &changed, err);
		if (status == OTR_E_NOTFOUND)                             /* pruned, or a number that is left out */
			status = OTR_OK;
		break;
	case 'm':
		(void)snprintf(value, sizeof value, "%u", o->k);
		status = otr_writer_set_meta(writer, &(struct otr_meta_change){ .key = "k", .value = value, .value_bytes = strlen(value) }, 1, NULL, &changed, err);
		break;
	case 'c':
		op_text(o, text);
		status = otr_compact(path, NULL, &(struct otr_compact_options){ .message = text, .wait_ns = 10000000000, .drop_history = o->n != 0 }, &compacted, err);
		*committed = true;
		*version = compacted.version;
		return status;
	default: break;
	}
	*committed = changed.committed;
	*version = changed.version;
	return status;
}

/* Commits until it is killed. */
static inline void
teller_writes(struct teller *w)
{
	char text[96] = "";
	struct otr_writer_options options = { .wait_ns = 10000000000, .author = "teller", .message = text };
	struct otr_writer *writer = NULL;
	struct otr_error err;
	bool committed;

	for (;;) {
		struct op o = teller_draws(w);
		uint64_t version = 0;

		if (story_dice(40) == 0)
			o = (struct op){ .kind = 'c', .id = o.id, .k = o.k };
		/* the message is borrowed until the close, so that it may be written anew between two commits; some writers make one commit only */
		if (writer != NULL && story_dice(8) == 0) {
			otr_writer_close(writer);
			writer = NULL;
		}
		op_text(&o, text);
		if (writer == NULL && otr_writer_open(w->path, &options, &writer, &err) != OTR_OK)
			teller_fails("otr_writer_open", &err);
		if (w->version == 0)
			w->version = otr_writer_version(writer);
		if (w->intent != NULL)
			*w->intent = o;
		if (teller_does(writer, w->path, &o, &version, &committed, &err) != OTR_OK)
			teller_fails(text, &err);
		if (committed)
			teller_acks(w, &o, version);
	}
}

static inline void
teller_compacts(struct teller *w)
{
	struct otr_error err;
	bool committed;

	for (;;) {
		struct op o = { .kind = 'c', .id = w->id, .k = w->k++, .n = story_dice(4) == 0 };
		uint64_t version = 0;

		if (teller_does(NULL, w->path, &o, &version, &committed, &err) != OTR_OK)
			teller_fails("otr_compact", &err);
		teller_acks(w, &o, version);
	}
}

/* A tool of OTR_BIN on the file: its input from a pipe, the version that it prints.  It is killed with the writer, whose process group it is in. */
static inline bool
tool_run(const char *tool, const char *const *more, const char *input, size_t input_bytes, uint64_t *version)
{
	char program[256], line[64];
	const char *argv[16];
	int in[2], out[2], status, n = 0;
	size_t got = 0;
	pid_t pid;

	(void)snprintf(program, sizeof program, "%s/%s", getenv("OTR_BIN"), tool);
	argv[n++] = program;
	while (more[n - 1] != NULL && n < 15) {
		argv[n] = more[n - 1];
		n++;
	}
	argv[n] = NULL;
	if (pipe(in) != 0 || pipe(out) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)dup2(null, 2);
		(void)close(in[1]);
		(void)close(out[0]);
		(void)execv(program, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	if (pid < 0 || write(in[1], input, input_bytes) != (ssize_t)input_bytes)       /* less than a pipe takes at once */
		return false;
	(void)close(in[1]);
	while (got < sizeof line - 1) {
		ssize_t r = read(out[0], line + got, sizeof line - 1 - got);

		if (r <= 0)
			break;
		got += (size_t)r;
	}
	line[got] = '\0';
	(void)close(out[0]);
	*version = strtoull(line, NULL, 10);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The same as teller_writes, by the tools. */
static inline void
teller_runs_tools(struct teller *w)
{
	static char input[STORY_ROWS_MAX * 48];

	for (;;) {
		struct op o = teller_draws(w);
		uint64_t version = 0;
		char text[96];
		size_t len = 0;
		unsigned i;
		bool well;

		if (story_dice(6) == 0)
			o = (struct op){ .kind = 'c', .id = o.id, .k = o.k, .n = story_dice(4) == 0 };
		else if (o.kind != 'a' && o.kind != 'l')
			o = (struct op){ .kind = 'a', .id = o.id, .k = o.k, .a = STORY_BASE_NS + (int64_t)o.k * STORY_K_NS, .n = 1 };
		op_text(&o, text);
		for (i = 0; i < o.n && o.kind != 'c'; i++)
			len += (size_t)snprintf(input + len, sizeof input - len, "%" PRId64 ",%.2f\n", op_time(&o, i), op_value(&o, i));
		if (o.kind == 'c')
			well = tool_run("otr-compact", (const char *const[]){ "--print-version", "-q", "-m", text, w->path, o.n != 0 ? "--drop-history" : NULL, NULL },
			    "", 0, &version);
		else
			well = tool_run("otr-append", (const char *const[]){ "--print-version", "-q", "-N", "--time-unit=ns", "--any-time", "-m", text, w->path, NULL },
			    input, len, &version);
		if (!well)
			teller_fails(text, &(struct otr_error){ .status = OTR_E_IO, .text = "the tool failed" });
		teller_acks(w, &o, version);
	}
}

static inline void
story_schema(struct otr_schema *schema)
{
	memset(schema, 0, sizeof *schema);
	schema->columns = 1;
	schema->page_bytes = 4096;
	strcpy(schema->column[0].name, "v");
	schema->column[0].type = OTR_F64;
}

enum creation { CREATE_NEW, CREATE_OVER, CREATE_BY_TOOL, CREATE_COPY, CREATIONS };

/* Makes files DIR/made-K until it is killed (CREATE_OVER: one and the same, DIR/made-0). */
static inline void
teller_creates(struct teller *w, const char *dir, enum creation how)
{
	struct otr_schema schema;
	struct otr_error err;
	char path[200], text[96];
	unsigned k;

	story_schema(&schema);
	for (k = 1;; k++) {
		struct op o = { .kind = '+', .id = w->id, .k = k };
		uint64_t version;
		enum otr_status status = OTR_OK;

		op_text(&o, text);
		(void)snprintf(path, sizeof path, "%s/made-%u", dir, how == CREATE_OVER ? 0 : k);
		switch (how) {
		case CREATE_NEW: case CREATE_OVER:
			status = otr_create(path, &schema, &(struct otr_create_options){ .message = text, .replace = how == CREATE_OVER, .wait_ns = 1000000000 }, &err);
			break;
		case CREATE_BY_TOOL:
			if (!tool_run("otr-create", (const char *const[]){ "-q", "-m", text, path, "v", NULL }, "", 0, &version)) {
				err = (struct otr_error){ .status = OTR_E_IO, .text = "otr-create" };
				status = OTR_E_IO;
			}
			break;
		default:
			status = otr_compact(w->path, path, &(struct otr_compact_options){ .message = text }, &(struct otr_compact_result){ 0 }, &err);
			break;
		}
		if (status != OTR_OK)
			teller_fails(text, &err);
		teller_acks(w, &o, 0);
	}
}

/* Before the first story_fork: what children of a killed child become. */
static inline void
story_prepare(void)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* A child in a process group of its own, which also goes when the parent does; out is its end of the pipe. */
static inline pid_t
story_fork(void)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)tap_random(&story_seed);
		return 0;
	}
	if (pid < 0)
		abort();
	(void)setpgid(pid, pid);       /* whichever comes first */
	return pid;
}

/* Kills the child and what it started.  It must have been at work; or have had no disk any more. */
static inline void
story_kill(pid_t pid)
{
	int status = 0;
	char text[64];

	if (kill(-pid, SIGKILL) != 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			abort();
	/* a tool that the child started is ours now (story_prepare), and has the lock until it has ended */
	while (waitpid(-pid, NULL, 0) > 0)
		;
	if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (story_power && WIFEXITED(status) && WEXITSTATUS(status) == 3))
		return;
	(void)snprintf(text, sizeof text, "%s %d", WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	story_complain("a writer ended by itself", text);
}

/* All that was told; the caller's, freed with free. */
static inline struct ack *
story_acks(int fd, size_t *n)
{
	struct ack *a = NULL;

	for (*n = 0;; ++*n) {
		a = story_memory(a, *n + 1, sizeof *a);
		if (read(fd, &a[*n], sizeof a[0]) != (ssize_t)sizeof a[0])
			return a;
	}
}

/* ---- what is found -------------------------------------------------------------------------------------------------------- */

struct verdict {
	bool may_be_torn, torn;
};

static inline void
story_finding(void *arg, const struct otr_finding *f)
{
	struct verdict *v = arg;

	if (f->note && strcmp(f->spec, "4.2-4") == 0)
		v->torn = true;
	if (!f->note || (strcmp(f->spec, "4.1") != 0 && strcmp(f->spec, "9.3") != 0 && !(v->may_be_torn && strcmp(f->spec, "4.2-4") == 0)))
		story_complain("otr_verify", f->text);
}

/* otr_verify finds nothing but what a dead writer may leave: free pages, bytes behind the last page; after a power cut a torn slot.  Whether a slot is torn. */
static inline bool
story_verify(const char *path, bool may_be_torn)
{
	struct verdict v = { .may_be_torn = may_be_torn };
	struct otr_error err;
	uint64_t faults = 0;

	if (otr_verify(path, &(struct otr_verify_options){ .found = story_finding, .arg = &v }, &faults, &err) != OTR_OK)
		story_complain("otr_verify", err.text);
	return v.torn;
}

/* Rows of the version that file is at.  round_robin: the first may have expired. */
static inline bool
story_rows_are(struct otr *file, const struct rows *r, bool round_robin, size_t least)
{
	struct otr_cursor *c;
	struct otr_rows rows;
	struct otr_error err;
	struct otr_info info;
	size_t at, i;
	enum otr_status status;
	bool right = true;

	otr_get_info(file, &info);
	if (info.rows > r->n || (round_robin ? info.rows < least : info.rows != r->n))
		return false;
	at = r->n - (size_t)info.rows;
	status = otr_cursor_open(file, INT64_MIN, INT64_MAX, 1, false, &c, &err);
	if (status != OTR_OK)
		return false;
	while ((status = otr_cursor_next(c, &rows, &err)) == OTR_OK)
		for (i = 0; i < rows.n; i++, at++)
			right = right && at < r->n && rows.time_ns[i] == r->t[at] && memcmp(&rows.value[0][i], &r->v[at], 8) == 0;
	otr_cursor_close(c);
	return right && status == OTR_END && at == r->n;
}

/* The versions after `last` that the log has. */
static inline void
story_log(struct story *s, struct otr *file, struct told *found, uint64_t newest)
{
	struct otr_log *log;
	struct otr_commit commit;
	struct otr_error err;
	enum otr_status status = otr_log_open(file, INT64_MIN, INT64_MAX, false, &log, &err);

	if (status != OTR_OK) {
		story_complain("otr_log_open", err.text);
		return;
	}
	while ((status = otr_log_next(log, &commit, &err)) == OTR_OK && commit.version > s->last) {
		if (commit.version > newest || found[commit.version].known || !op_read(commit.message, &found[commit.version].op))
			story_complain("the log has an unknown commit", commit.message);
		else
			found[commit.version].known = true;
	}
	if (status != OTR_OK && status != OTR_END)
		story_complain("otr_log_next", err.text);
	otr_log_close(log);
}

/* Each writer's commits are in its order, and at most its last one was not acknowledged. */
static inline void
story_orders(const struct story *s, const struct told *found, uint64_t newest, const struct ack *ack, size_t acks, size_t surely)
{
	uint64_t u, w;
	size_t i;

	for (i = 0; i < acks; i++) {
		const struct told *t = &found[ack[i].version <= newest ? ack[i].version : 0];
		char text[96];

		op_text(&ack[i].op, text);
		if (i >= surely && ack[i].version > newest)
			continue;
		if (ack[i].version <= s->last || ack[i].version > newest || !t->known || !op_equal(&t->op, &ack[i].op))
			story_complain("an acknowledged commit is not there", text);
	}
	for (u = s->last + 1; u <= newest; u++) {
		bool acked = false;

		for (i = 0; i < acks && !acked; i++)
			acked = ack[i].version == u;
		for (w = u + 1; w <= newest; w++)
			if (found[u].known && found[w].known && found[w].op.id == found[u].op.id && (!acked || found[w].op.k <= found[u].op.k)) {
				story_complain(acked ? "commits of one writer in another order" : "a writer went on after a commit that it was never told", "");
				break;
			}
	}
}

/*
 * A commit that its writer was never told of, since it died, and that others' commits then pruned from the log, is known by what the writer was about to do.  It made no
 * other commit after it.  The number of such versions.
 */
static inline unsigned
story_intents(const struct story *s, struct told *found, const struct otr_info *info, const struct op *intent, unsigned writers)
{
	unsigned n = 0, i;
	uint64_t u, w;

	for (u = s->last + 1; u < info->oldest_version && u <= info->version; u++)
		for (i = 0; i < writers && !found[u].known; i++) {
			bool is = intent[i].kind != '\0';

			for (w = s->last + 1; w <= info->version && is; w++)
				is = !found[w].known || !(op_equal(&found[w].op, &intent[i]) || (w > u && found[w].op.id == intent[i].id));
			if (!is)
				continue;
			found[u] = (struct told){ .known = true, .op = intent[i] };
			n++;
		}
	return n;
}

/*
 * The file after its writers died: the version is the last acknowledged, or one more for each of them, and rows, metadata, an older version and otr_verify are as they
 * should be.  The model follows.  surely: how many of the first acknowledgements came before the end of the power, so that names are certain.  intent: of each writer, or
 * NULL if no more than one writes, or few enough that their last commits are in the log.  Returns how many versions are known by an intent alone.
 */
static inline unsigned
story_check(struct story *s, const struct ack *ack, size_t acks, size_t surely, const struct op *intent, unsigned writers)
{
	static struct told found[STORY_VERSIONS_MAX];
	struct otr *file;
	struct otr_error err;
	struct otr_info info;
	struct otr_meta entry;
	struct rows older = { .n = 0 };
	const char *notice;
	uint64_t acked = s->last, told = s->last, u;
	size_t i, least = 0;
	unsigned by_intent = 0;
	bool fallback = false, torn;
	enum otr_status status;
	char text[64];

	while (surely < acks && ack[surely].op.kind != 'c')
		surely++;              /* only a new name may be missing, and what came after it */
	for (i = 0; i < acks; i++) {
		if (ack[i].version > acked && i < surely)
			acked = ack[i].version;
		if (ack[i].version > told)
			told = ack[i].version;
	}
	if (otr_open(s->path, &file, &err) != OTR_OK) {
		story_complain("cannot be opened", err.text);
		return 0;
	}
	for (i = 0; (notice = otr_notice(file, i, &fallback)) != NULL; i++)
		if (fallback || !story_power)
			story_complain("notice", notice);
	otr_get_info(file, &info);
	(void)snprintf(text, sizeof text, "%" PRIu64 ", acknowledged %" PRIu64, info.version, acked);
	if (info.version < acked || info.version > told + writers + s->torn || info.version >= STORY_VERSIONS_MAX) {
		story_complain("version", text);
		goto out;
	}
	memset(found + s->last, 0, (size_t)(info.version - s->last + 1) * sizeof found[0]);
	story_log(s, file, found, info.version);
	for (i = 0; i < acks; i++)                        /* those that the history does not keep */
		if (ack[i].version > s->last && ack[i].version < info.oldest_version && ack[i].version <= info.version)
			found[ack[i].version] = (struct told){ .known = true, .op = ack[i].op };
	if (intent != NULL)
		by_intent = story_intents(s, found, &info, intent, writers);
	story_orders(s, found, info.version, ack, acks, surely);
	for (u = s->last + 1; u <= info.version; u++) {
		if (!found[u].known) {
			if (!s->torn && (u >= info.oldest_version || intent != NULL))
				story_complain("a version is not there", text);
			continue;
		}
		s->version[u] = found[u];
		story_advance(s, u);
		least = s->version[u].op.kind == 'a' ? s->version[u].op.n : 0;
	}
	s->last = info.version;
	if (!story_rows_are(file, &s->now, s->round_robin, least))
		story_complain("rows are not those of the version", text);
	status = otr_meta_entry(file, 0, &entry, &err);
	if (s->now.meta == 0 ? status != OTR_END : status != OTR_OK || strcmp(entry.key, "k") != 0 || strtoul(entry.value, NULL, 10) != s->now.meta)
		story_complain("metadata are not those of the version", text);
	if (info.oldest_version < info.version && story_dice(3) == 0) {
		u = info.oldest_version + story_dice((unsigned)(info.version - info.oldest_version));
		status = otr_select_version(file, u, &err);
		story_at(s, u, &older);
		if (status == OTR_OK ? !story_rows_are(file, &older, s->round_robin, 0) : status != OTR_E_NOTFOUND || (u != 0 && s->version[u].known))
			story_complain("an older version has other rows", text);
	}
out:
	otr_close(file);
	rows_free(&older);
	torn = story_verify(s->path, story_power);
	s->torn = torn;
	return by_intent;
}

/* One file that was made in DIR: whole, of the right content.  Its counter. */
static inline unsigned
story_check_made(const char *path, unsigned id, const struct story *copied)
{
	struct otr *file;
	struct otr_error err;
	struct otr_commit commit;
	struct op o = { .k = 0 };

	if (otr_open(path, &file, &err) != OTR_OK) {
		story_complain("a created file cannot be opened", err.text);
		return 0;
	}
	if (otr_commit_get(file, &commit, &err) != OTR_OK || !op_read(commit.message, &o) || o.kind != '+' || o.id != id)
		story_complain("a created file has another content", path);
	if (!story_rows_are(file, copied != NULL ? &copied->now : &(struct rows){ .n = 0 }, copied != NULL && copied->round_robin, 0))
		story_complain("a created file has other rows", path);
	otr_close(file);
	(void)story_verify(path, false);
	return o.k;
}

/*
 * After creations: of what was acknowledged each name is there, one more at the most, and all are whole.  Removes them.  The number of temporary files that
 * were left, which go too; with CREATE_OVER there may be one, a second name of a whole file.  surely: how many of what was told must be there.
 */
static inline unsigned
story_check_creations(const char *dir, unsigned id, enum creation how, const struct story *copied, const struct ack *ack, size_t acks, size_t surely)
{
	unsigned made = 0, temporary = 0, most = 0, k;
	const struct dirent *e;
	DIR *d = opendir(dir);
	char path[500];

	if (d == NULL) {
		story_complain("cannot read the directory", dir);
		return 0;
	}
	while ((e = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (strncmp(e->d_name, ".otr-", 5) == 0) {
			temporary++;
		} else if (strncmp(e->d_name, "made-", 5) == 0) {
			k = story_check_made(path, id, how == CREATE_COPY ? copied : NULL);
			if (how != CREATE_OVER && k != strtoul(e->d_name + 5, NULL, 10))
				story_complain("a created file has another content", path);
			if (k > most)
				most = k;
			made++;
		} else {
			continue;
		}
		(void)unlink(path);
	}
	(void)fsync(dirfd(d));         /* else the next power cut brings them back */
	(void)closedir(d);
	if (how == CREATE_OVER ? made != (most > 0) || most < surely || most > acks + 1 : made < surely || made > acks + 1 || most != made) {
		(void)snprintf(path, sizeof path, "%u files, the last is %u, %zu acknowledged", made, most, acks);
		story_complain("a created file is missing, or one too many", path);
	}
	for (k = 0; k < acks; k++)
		if (ack[k].op.k != k + 1)
			story_complain("creations in another order", "");
	return temporary;
}

/* Temporary files in a directory, which go: a compaction that is killed between link and rename leaves a second name of a whole file. */
static inline unsigned
story_temporaries(const char *dir)
{
	unsigned n = 0;
	const struct dirent *e;
	DIR *d = opendir(dir);
	char path[500];

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, ".otr-", 5) == 0) {
			(void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
			(void)unlink(path);
			n++;
		}
	if (d != NULL && n > 0)
		(void)fsync(dirfd(d));
	if (d != NULL)
		(void)closedir(d);
	return n;
}

/* A new file, for a while. */
static inline struct story *
story_begin(const char *dir, unsigned number)
{
	struct story *s = calloc(1, sizeof *s);
	struct otr_create_options options = { .message = "begin" };
	struct otr_schema schema;
	struct otr_error err;

	if (s == NULL)
		abort();
	(void)snprintf(s->path, sizeof s->path, "%s/story-%u", dir, number);
	s->round_robin = number % 3 == 1;
	s->prunes = number % 3 == 2;
	if (s->round_robin)
		options.policies = (struct otr_policies){ .has_max_size = true, .max_bytes = STORY_MAX_BYTES, .history = OTR_HISTORY_FITS };
	else if (s->prunes)
		options.policies = (struct otr_policies){ .history = OTR_HISTORY_COUNT, .history_value = 1 + story_dice(5) };
	s->next_k = 100;
	story_schema(&schema);
	if (otr_create(s->path, &schema, &options, &err) != OTR_OK) {
		printf("Bail out! otr_create: %s\n", err.text);
		exit(1);
	}
	return s;
}

/* Whether it has become so long that checks take more time than they are worth. */
static inline bool
story_is_long(const struct story *s)
{
	return s->last > 500 || s->now.n > (s->round_robin ? 60000u : 6000u);
}

#endif
