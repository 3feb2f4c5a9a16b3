/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver.c - main of a fuzz target without libFuzzer: reruns inputs, and for some seconds tries mutations of them.
 *
 *	fuzz_NAME [-s SECONDS] [-r SEED] [-o PREFIX] FILE|DIRECTORY...
 *
 * An input that ends the program is left in PREFIX and its hash.  It knows nothing of coverage: libFuzzer finds more in the same time, this one runs
 * with any compiler, and on code as it is shipped, where it holds the target to 64 MiB of memory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "../unit/hang.h"
#include "fuzz.h"

#define INPUT_MAX (1u << 20)
#define MUTANT_MAX (1u << 16)
#define MEMORY_KB (64 * 1024)
#define HANG_SECONDS 30

struct input {
	uint8_t *byte;
	size_t len;
};

static struct input *pool;
static size_t pool_n, pool_room;
static uint8_t current[INPUT_MAX];
static size_t current_len;
static char prefix[512] = "crash-";
static uint64_t rng = 1;
static int told = 2;               /* where the driver writes: the target's own messages go nowhere */

/* Of a sanitizer's run time, where there is one. */
void __sanitizer_set_report_fd(void *fd) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static uint64_t
below(uint64_t n)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (rng * 2685821657736338717u >> 16) % n;
}

/* ---- an end that was not planned ---- */

static void
leave_input(void)
{
	char name[sizeof prefix + 32];
	uint64_t h = 14695981039346656037u;
	size_t i, n = strlen(prefix);
	int fd;

	for (i = 0; i < current_len; i++)
		h = (h ^ current[i]) * 1099511628211u;
	memcpy(name, prefix, n);
	for (i = 0; i < 16; i++)
		name[n + i] = "0123456789abcdef"[h >> (60 - 4 * i) & 15];
	name[n + 16] = '\0';
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0 && write(fd, current, current_len) == (ssize_t)current_len) {
		(void)!write(told, "the input is in ", 16);
		(void)!write(told, name, n + 16);
		(void)!write(told, "\n", 1);
	}
	if (fd >= 0)
		(void)close(fd);
}

static void
on_signal(int number)
{
	leave_input();
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void
prepare(void)
{
	static const int ends[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGXCPU };
	bool sanitized = __sanitizer_set_death_callback != NULL;
	size_t i;

	for (i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (!sanitized || ends[i] == SIGABRT || ends[i] == SIGXCPU)
			(void)signal(ends[i], on_signal);
	if (sanitized)
		__sanitizer_set_death_callback(leave_input);
}

/* ---- running ---- */

static void
run(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = fuzz_memory(len);

	memmove(current, bytes, len);
	current_len = len;
	memcpy(exact, current, len);
	hang_after(HANG_SECONDS);
	(void)LLVMFuzzerTestOneInput(exact, len);
	hang_after(0);
	free(exact);
}

static void
add_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct input in = { .byte = fuzz_memory(INPUT_MAX) };

	if (f == NULL) {
		dprintf(told, "cannot read %s\n", path);
		exit(2);
	}
	in.len = fread(in.byte, 1, INPUT_MAX, f);
	(void)fclose(f);
	in.byte = realloc(in.byte, in.len + 1);
	if (pool_n == pool_room) {
		pool_room = pool_room * 2 + 64;
		pool = realloc(pool, pool_room * sizeof *pool);
	}
	REQUIRE(pool != NULL && in.byte != NULL, "there is memory");
	pool[pool_n++] = in;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a directory in the order of their names, or one file. */
static void
add(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char **name = NULL, full[1024];
	size_t n = 0, i;

	if (d == NULL) {
		add_file(path);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			name = realloc(name, (n + 1) * sizeof *name);
			REQUIRE(name != NULL && (name[n] = strdup(e->d_name)) != NULL, "there is memory");
			n++;
		}
	(void)closedir(d);
	if (n > 0)
		qsort(name, n, sizeof *name, compare);
	for (i = 0; i < n; i++) {
		(void)snprintf(full, sizeof full, "%s/%s", path, name[i]);
		add_file(full);
		free(name[i]);
	}
	free(name);
}

/* ---- mutating ---- */

static void
mutate(uint8_t *b, size_t *len)
{
	static const uint64_t odd[] = { 0, 1, 7, 8, 16, 63, 64, 65, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536, INT32_MAX, UINT32_MAX,
		INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX, UINT64_C(0x7ff8000000000000), UINT64_C(0x7ff0000000000000) };
	size_t at = *len == 0 ? 0 : below(*len), n = 1 + below(below(4) == 0 ? 64 : 8), i;
	const struct input *other = &pool[below(pool_n)];
	uint64_t v = odd[below(sizeof odd / sizeof odd[0])] + below(3) - 1;

	switch (below(*len == 0 ? 2 : 9)) {
	case 0:                                      /* bytes put in */
		if (*len + n > MUTANT_MAX)
			return;
		memmove(b + at + n, b + at, *len - at);
		for (i = 0; i < n; i++)
			b[at + i] = (uint8_t)below(256);
		*len += n;
		break;
	case 1:                                      /* another input's bytes put in */
		n = other->len == 0 ? 0 : 1 + below(other->len);
		if (*len + n > MUTANT_MAX)
			return;
		memmove(b + at + n, b + at, *len - at);
		memcpy(b + at, other->byte + (n == 0 ? 0 : below(other->len - n + 1)), n);
		*len += n;
		break;
	case 2:                                      /* taken out */
		n = n < *len - at ? n : *len - at;
		memmove(b + at, b + at + n, *len - at - n);
		*len -= n;
		break;
	case 3:
		b[at] = (uint8_t)(b[at] ^ 1u << below(8));
		break;
	case 4:
		b[at] = (uint8_t)below(256);
		break;
	case 5:
		b[at] = (uint8_t)(b[at] + below(33) - 16);
		break;
	case 6:                                      /* moved */
		n = n < *len - at ? n : *len - at;
		memmove(b + below(*len - n + 1), b + at, n);
		break;
	case 7:                                      /* another input's over these */
		n = other->len < *len - at ? other->len : *len - at;
		n = n == 0 ? 0 : 1 + below(n);
		memcpy(b + at, other->byte + (n == 0 ? 0 : below(other->len - n + 1)), n);
		break;
	default:                                     /* an odd number of 1, 2, 4 or 8 bytes */
		n = (size_t)1 << below(4);
		for (i = 0; i < n && at + i < *len; i++)
			b[at + i] = (uint8_t)(v >> (8 * i));
		break;
	}
}

static uint64_t
try_mutants(double seconds)
{
	static uint8_t b[MUTANT_MAX];
	struct timespec from, now;
	uint64_t n = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	for (now = from; (double)(now.tv_sec - from.tv_sec) + (double)(now.tv_nsec - from.tv_nsec) / 1e9 < seconds; n++) {
		const struct input *in = &pool[below(pool_n)];
		size_t len = in->len < sizeof b ? in->len : sizeof b;
		unsigned times;

		memcpy(b, in->byte, len);
		for (times = 1 + (unsigned)below(below(2) == 0 ? 2 : 10); times > 0; times--)
			mutate(b, &len);
		run(b, len);
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	}
	return n;
}

static long
memory_kb(void)
{
	struct rusage u;

	return getrusage(RUSAGE_SELF, &u) == 0 ? u.ru_maxrss : 0;
}

int
main(int argc, char **argv)
{
	double seconds = 0;
	uint64_t mutants = 0;
	long before;
	size_t i;
	int option, null;

	while ((option = getopt(argc, argv, "s:r:o:")) != -1)
		switch (option) {
		case 's': seconds = strtod(optarg, NULL); break;
		case 'r': rng = strtoull(optarg, NULL, 10) * 2 + 1; break;
		case 'o': (void)snprintf(prefix, sizeof prefix, "%s", optarg); break;
		default: fprintf(stderr, "usage: %s [-s SECONDS] [-r SEED] [-o PREFIX] FILE|DIRECTORY...\n", argv[0]); return 2;
		}
	/* what the tools' modules say about wrong input goes nowhere; what we and a sanitizer say does not */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (getenv("FUZZ_VERBOSE") == NULL && null >= 0) {
		told = dup(2);
		(void)dup2(null, 2);
		if (__sanitizer_set_report_fd != NULL)
			__sanitizer_set_report_fd((void *)(intptr_t)told);
	}
#ifdef __GLIBC__
	/* as a tool finds it that opens one input: large memory comes fresh, and costs what is touched */
	(void)mallopt(M_MMAP_THRESHOLD, 65536);
#endif
	prepare();
	for (; optind < argc; optind++)
		add(argv[optind]);
	if (pool_n == 0) {
		pool_n = 1;
		pool = fuzz_memory(sizeof *pool);
		pool[0].byte = fuzz_memory(1);
	}
	run((const uint8_t *)"", 0);
	before = memory_kb();
	for (i = 0; i < pool_n; i++)
		run(pool[i].byte, pool[i].len);
	if (seconds > 0)
		mutants = try_mutants(seconds);
	dprintf(told, "%zu inputs, %llu mutants, %ld KiB of memory\n", pool_n, (unsigned long long)mutants, memory_kb() - before);
	if (FUZZ_SLOWER < 2 && memory_kb() - before > MEMORY_KB) {
		dprintf(told, "more than %d KiB\n", MEMORY_KB);
		return 1;
	}
	for (i = 0; i < pool_n; i++)
		free(pool[i].byte);
	free(pool);
	return 0;
}
