/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * input.h - for targets of the tools: bytes behind a descriptor, text with an end, the rules of a loader.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <unistd.h>

#include "fuzz.h"
#include "loader.h"

/* A descriptor that reads these bytes, the same one each time. */
static inline int
fuzz_fd(const uint8_t *bytes, size_t len)
{
	static int fd = -1;
	char fast[] = "/dev/shm/otr-fuzz-XXXXXX", slow[] = "/tmp/otr-fuzz-XXXXXX";

	if (fd < 0) {
		fd = mkstemp(fast);
		if (fd >= 0)
			(void)unlink(fast);
		else if ((fd = mkstemp(slow)) >= 0)
			(void)unlink(slow);
	}
	REQUIRE(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0, "an input can be made");
	return fd;
}

/* The rest of the input as a string of exactly its length. */
static inline char *
fuzz_text(struct fuzz_bytes *b)
{
	size_t len = b->left;

	return (char *)fuzz_rest(b, 0, len + 1);
}

/* All batches of an input, each value looked at. */
static inline void
fuzz_load(const struct loader_rules *rules, const uint8_t *bytes, size_t len, size_t limit)
{
	struct loader *l = loader_open(rules, fuzz_fd(bytes, len), "input");
	const struct loader_run *runs;
	struct otr_rows rows;
	enum loader_status status;
	size_t run_count, i;
	uint64_t sum = 0;

	while ((status = loader_next(l, limit, &rows, &runs, &run_count)) == LOADER_ROWS || status == LOADER_NEED) {
		if (status == LOADER_NEED) {
			REQUIRE(loader_fill(l) == 0, "an input can be read");
			continue;
		}
		REQUIRE(rows.n > 0 && rows.n <= limit, "a batch is no larger than asked for");
		for (i = 0; i < rows.n; i++) {
			REQUIRE(rows.time_ns[i] >= OTR_TIME_MIN && rows.time_ns[i] <= OTR_TIME_MAX, "a time can be stored");
			for (uint32_t c = 0; c < rules->schema->columns; c++)
				if (rows.value[c] != NULL && (rows.present[c] == NULL || (rows.present[c][i / 8] >> i % 8 & 1) != 0)) {
					uint64_t v = rows.value[c][i];

					REQUIRE(fuzz_value(rules->schema->column[c].type, v) == v, "a value can be stored");
					sum += v;
				}
		}
		for (i = 0; i < run_count; i++)
			REQUIRE(runs[i].row < rows.n, "a run of lines begins in its batch");
	}
	REQUIRE(loader_counts(l).rows != UINT64_MAX || sum != 1, "rows are counted");
	loader_close(l);
}

#endif
