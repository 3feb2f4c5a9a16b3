/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * series.c - writes the benchmark's series as CSV: `series ROWS [SEED]`, a row a second from 1700000000 on, a random walk with two
 * decimals whose steps are uniform in -0.50..0.50.  The same arguments give the same bytes everywhere.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t
next_random(uint64_t *state)       /* xorshift64* */
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 2685821657736338717U;
}

int
main(int argc, char **argv)
{
	uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
	uint64_t state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	int64_t hundredths = 10000;

	state = state * 2 + 1;              /* never 0 */
	printf("time,value\n");
	for (uint64_t i = 0; i < rows; i++) {
		int64_t whole = hundredths < 0 ? -hundredths : hundredths;

		printf("%" PRIu64 ",%s%" PRId64 ".%02d\n", 1700000000 + i, hundredths < 0 ? "-" : "", whole / 100, (int)(whole % 100));
		hundredths += (int64_t)((next_random(&state) >> 32) % 101) - 50;
	}
	return fflush(stdout) != 0 || ferror(stdout);
}
