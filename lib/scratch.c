/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scratch.c - taking and giving back the work space of chunks: the only allocation in the codecs.
 */
#include "scratch.h"

#include <stdlib.h>

struct otr__scratch *
otr__scratch_create(void)
{
	struct otr__scratch *scratch = malloc(sizeof *scratch);

	if (scratch != NULL) {
		scratch->block = 0;
		scratch->deflate = false;
	}
	return scratch;
}

void
otr__scratch_free(struct otr__scratch *scratch)
{
	free(scratch);
}
