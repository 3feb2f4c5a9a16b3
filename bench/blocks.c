/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks.c - PACK over the whole leaf, or in blocks?  Bytes and speed of both, for each numeric column of CSV files.
 *
 *	cc -std=c11 -O2 -ffp-contract=off -Ilib bench/blocks.c lib/{error,bits,pack,run,decimal,fbits,dict,deflate,choose,chunk,scratch}.c -lz
 *	./a.out 4096 FILE...            leaves of 4,096 rows
 *	./a.out -s                      speeds on made series instead
 *
 * A column is what stands between separators (tab, semicolon, comma) and is a number in most rows; lines without one there give a null.
 * Times are left out: they pack into next to nothing either way.  Its numbers decided the default of lib/choose.c.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "chunk.h"
#include "scratch.h"

#define COLUMNS_MAX 32
#define ROWS_MAX 400000
#define BLOCKS 6

static const uint32_t block_of[BLOCKS] = { UINT32_MAX, 4096, 1024, 512, 256, 0 };   /* whole leaf first; 0: the library's own choice */

struct column {
	uint64_t *value;
	uint8_t *set;
	size_t numbers;
	int content;           /* OTR_I64 if no number has a point */
};

struct result {
	size_t bytes;
	double encode_s, decode_s;
};

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Encodes and decodes a column leaf by leaf; the fastest of `repeats` times. */
static struct result
measure(const struct column *c, size_t rows, uint32_t leaf_rows, uint32_t block, int repeats, struct otr__scratch *scratch)
{
	static uint8_t out[1 << 20], present[8192], present_back[8192];
	static uint64_t back[65536];
	struct result best = { .encode_s = 1e9, .decode_s = 1e9 };
	struct otr_error err;
	bool has_null;
	int i;

	scratch->block = block;
	for (i = 0; i < repeats; i++) {
		struct otr__hint hint = { .valid = false };
		double encode_s = 0, decode_s = 0, t0, t1, t2;
		size_t at, bytes = 0, j;

		for (at = 0; at < rows; at += leaf_rows) {
			uint32_t n = (uint32_t)(rows - at < leaf_rows ? rows - at : leaf_rows);
			bool some_null = false;
			size_t size;

			memset(present, 0, sizeof present);
			for (j = 0; j < n; j++) {
				present[j / 8] |= (uint8_t)(c->set[at + j] << j % 8);
				some_null |= !c->set[at + j];
			}
			t0 = now_s();
			size = otr__chunk_encode(c->value + at, some_null ? present : NULL, n, c->content, &hint, out, sizeof out, scratch);
			t1 = now_s();
			if (otr__chunk_decode(out, size, c->content, n, back, present_back, &has_null, scratch, &err) != OTR_OK ||
			    memcmp(back, c->value + at, n * sizeof back[0]) != 0) {
				fprintf(stderr, "blocks: a chunk did not come back: %s\n", err.text);
				exit(1);
			}
			t2 = now_s();
			encode_s += t1 - t0;
			decode_s += t2 - t1;
			bytes += size;
		}
		best.bytes = bytes;
		if (encode_s < best.encode_s)
			best.encode_s = encode_s;
		if (decode_s < best.decode_s)
			best.decode_s = decode_s;
	}
	return best;
}

static void
print_head(void)
{
	int i;

	printf("%-34s %4s %7s", "bits a value:", "type", "rows");
	for (i = 0; i < BLOCKS; i++)
		if (block_of[i] == UINT32_MAX)
			printf(" %8s", "leaf");
		else if (block_of[i] == 0)
			printf(" %8s", "default");
		else
			printf(" %8u", (unsigned)block_of[i]);
	printf("   encode, decode M/s: leaf, 1024, default\n");
}

static void
report(const char *name, const struct column *c, size_t rows, uint32_t leaf_rows, int repeats, size_t total[BLOCKS],
    struct otr__scratch *scratch)
{
	static const char *const type[] = { "time", "bool", "i32", "i64", "f32", "f64" };
	struct result r[BLOCKS];
	int i;

	printf("%-34.34s %4s %7lu", name, type[c->content], (unsigned long)rows);
	for (i = 0; i < BLOCKS; i++) {
		r[i] = measure(c, rows, leaf_rows, block_of[i], repeats, scratch);
		total[i] += r[i].bytes;
		printf(" %8.3f", (double)r[i].bytes * 8 / (double)rows);
	}
	printf("   ");
	for (i = 0; i < BLOCKS; i++)
		if (block_of[i] == UINT32_MAX || block_of[i] == 1024 || block_of[i] == 0)
			printf(" %4.0f %4.0f", (double)rows / r[i].encode_s * 1e-6, (double)rows / r[i].decode_s * 1e-6);
	printf("\n");
}

/* The fields of a line, split in place. */
static int
split(char *line, char *field[COLUMNS_MAX])
{
	int n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (;;) {
		field[n++] = line;
		line += strcspn(line, "\t;,");
		if (*line == '\0' || n == COLUMNS_MAX)
			return n;
		*line++ = '\0';
	}
}

static bool
run_file(const char *path, uint32_t leaf_rows, size_t total[BLOCKS], struct otr__scratch *scratch)
{
	struct column column[COLUMNS_MAX];
	char line[65536], *field[COLUMNS_MAX], name[64], *end;
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	FILE *f = fopen(path, "r");
	size_t rows = 0, i;
	int c, n;

	if (f == NULL) {
		perror(path);
		return false;
	}
	for (c = 0; c < COLUMNS_MAX; c++) {
		column[c] = (struct column){ .value = calloc(ROWS_MAX, sizeof(uint64_t)), .set = calloc(ROWS_MAX, 1), .content = OTR_I64 };
		if (column[c].value == NULL || column[c].set == NULL)
			exit(1);
	}
	while (rows < ROWS_MAX && fgets(line, sizeof line, f) != NULL) {
		n = split(line, field);
		for (c = 0; c < n; c++) {
			double d = strtod(field[c], &end);

			if (end == field[c] || *end != '\0')
				continue;
			column[c].value[rows] = otr__bits_of(d);
			column[c].set[rows] = 1;
			column[c].numbers++;
			if (strpbrk(field[c], ".eEnN") != NULL)
				column[c].content = OTR_F64;
		}
		rows++;
	}
	fclose(f);
	for (c = 0; c < COLUMNS_MAX; c++) {
		if (column[c].numbers > rows / 2) {
			if (column[c].content == OTR_I64)
				for (i = 0; i < rows; i++)
					column[c].value[i] = (uint64_t)(int64_t)otr__double_of(column[c].value[i]);
			snprintf(name, sizeof name, "%.28s:%d", base, c + 1);
			report(name, &column[c], rows, leaf_rows, 3, total, scratch);
		}
		free(column[c].value);
		free(column[c].set);
	}
	return true;
}

/* xorshift64*, so that the series is the same everywhere. */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void
run_speeds(struct otr__scratch *scratch)
{
	enum { ROWS = 320000, KINDS = 8 };
	static const char *const name[KINDS] = { "walk of two decimals", "regular times", "times with 1 ms jitter", "full f64 noise",
		"i64 counter", "bool, long runs", "two decimals, 1 % NaN", "steps of 20 values" };
	struct column c = { .value = calloc(ROWS, sizeof(uint64_t)), .set = malloc(ROWS), .numbers = ROWS };
	size_t total[BLOCKS] = { 0 };
	uint64_t seed = 42;
	int64_t walk = 2000;
	int kind;
	size_t i;

	if (c.value == NULL || c.set == NULL)
		exit(1);
	memset(c.set, 1, ROWS);
	for (kind = 0; kind < KINDS; kind++) {
		walk = 2000;
		for (i = 0; i < ROWS; i++) {
			uint64_t r = next_random(&seed) >> 20;

			switch (kind) {
			case 0: walk += (int64_t)(r % 21) - 10; c.value[i] = otr__bits_of((double)walk / 100); break;
			case 1: c.value[i] = UINT64_C(1700000000000000000) + i * UINT64_C(1000000000); break;
			case 2: c.value[i] = UINT64_C(1700000000000000000) + i * UINT64_C(1000000000) + r % 1000000; break;
			case 3: c.value[i] = otr__bits_of((double)r / 7); break;
			case 4: walk += (int64_t)(r % 300); c.value[i] = (uint64_t)walk; break;
			case 5: c.value[i] = i == 0 ? 0 : r % 500 == 0 ? 1 - c.value[i - 1] : c.value[i - 1]; break;
			case 6: walk += (int64_t)(r % 21) - 10; c.value[i] = r >> 10 & 127 ? otr__bits_of((double)walk / 100) : UINT64_C(0x7ff8000000000000); break;
			default: c.value[i] = otr__bits_of((double)(i / 100 * 7919 % 20) / 8); break;
			}
		}
		c.content = kind == 1 || kind == 2 ? OTR__TIMES : kind == 4 ? OTR_I64 : kind == 5 ? OTR_BOOL : OTR_F64;
		report(name[kind], &c, ROWS, 16000, 5, total, scratch);
	}
	free(c.value);
	free(c.set);
}

int
main(int argc, char **argv)
{
	struct otr__scratch *scratch = otr__scratch_create();
	size_t total[BLOCKS] = { 0 };
	bool ok = true;
	int i;

	if (argc < 2 || scratch == NULL) {
		fprintf(stderr, "usage: blocks rows-a-leaf file...\n       blocks -s\n");
		return 2;
	}
	print_head();
	if (strcmp(argv[1], "-s") == 0)
		run_speeds(scratch);
	else {
		long leaf_rows = strtol(argv[1], NULL, 10);

		if (leaf_rows < 1 || leaf_rows > 65535)
			return 2;
		for (i = 2; i < argc; i++)
			ok &= run_file(argv[i], (uint32_t)leaf_rows, total, scratch);
		printf("%-47s", "total bytes");
		for (i = 0; i < BLOCKS; i++)
			printf(" %8lu", (unsigned long)total[i]);
		printf("\n");
	}
	otr__scratch_free(scratch);
	return ok ? 0 : 1;
}
