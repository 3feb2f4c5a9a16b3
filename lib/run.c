/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - RUN bodies to integers, and back (SPEC 7.4).
 *
 *	OFFSET SIZE FIELD
 *	     0    4 runs               r = 1..n
 *	     4    4 size               of the first PACK body
 *	     8      lengths            PACK of r lengths less 1, so that no run is empty
 *	            values             PACK of r values
 *
 * 7, 7, 7, 9, 9: lengths 2, 1, values 7, 9.  No allocation.
 */
#include "run.h"

enum otr_status
otr__run_decode(struct otr__reader *r, bool planes, uint64_t *out, size_t n, uint64_t *length, uint64_t *value, struct otr_error *err)
{
	struct otr__reader first;
	enum otr_status status;
	uint32_t runs, size;
	uint64_t sum = 0;
	size_t i, j;

	if (!otr__take32(r, &runs) || !otr__take32(r, &size))
		return otr__fail(err, OTR_E_CORRUPT, "7.4", "RUN: head cut off");
	if (runs < 1 || runs > n)
		return otr__fail(err, OTR_E_CORRUPT, "7.4", "RUN: %lu runs of %lu values", (unsigned long)runs, (unsigned long)n);
	if (!otr__take_part(r, size, &first))
		return otr__fail(err, OTR_E_CORRUPT, "7.4", "RUN: lengths of %lu bytes, %lu are left", (unsigned long)size, (unsigned long)r->left);
	status = otr__pack_decode(&first, planes, length, runs, err);
	if (status != OTR_OK)
		return status;
	if (first.left != 0)
		return otr__fail(err, OTR_E_CORRUPT, "7.4", "RUN: %lu bytes left over after the lengths", (unsigned long)first.left);
	status = otr__pack_decode(r, planes, value, runs, err);
	if (status != OTR_OK)
		return status;

	/* each is below n before it is added, so the sum of at most 65,535 of them cannot wrap */
	for (i = 0; i < runs; i++) {
		if (length[i] >= n)
			return otr__fail(err, OTR_E_CORRUPT, "7.4", "RUN: a run longer than the %lu values", (unsigned long)n);
		sum += length[i] + 1;
	}
	if (sum != n)
		return otr__fail(err, OTR_E_CORRUPT, "7.4", "RUN: lengths add up to %llu, not %lu", (unsigned long long)sum, (unsigned long)n);
	for (i = 0; i < runs; i++)
		for (j = 0; j <= length[i]; j++)
			*out++ = value[i];
	return OTR_OK;
}

size_t
otr__run_count(const uint64_t *x, size_t n)
{
	size_t i, runs = 1;

	for (i = 1; i < n; i++)
		runs += x[i] != x[i - 1];
	return runs;
}

void
otr__run_choose(const uint64_t *x, size_t n, uint64_t *length, uint64_t *value, struct otr__run_plan *plan)
{
	size_t i, begin = 0, runs = 0;

	for (i = 1; i <= n; i++)
		if (i == n || x[i] != x[begin]) {
			length[runs] = i - begin - 1;
			value[runs++] = x[begin];
			begin = i;
		}
	plan->runs = runs;
	otr__pack_choose(length, runs, &plan->lengths);
	otr__pack_choose(value, runs, &plan->values);
	plan->size = 8 + plan->lengths.size + plan->values.size;
}

void
otr__run_encode(const uint64_t *length, const uint64_t *value, const struct otr__run_plan *plan, uint64_t *residual, struct otr__put *w)
{
	otr__add32(w, (uint32_t)plan->runs);
	otr__add32(w, (uint32_t)plan->lengths.size);
	otr__pack_encode(length, plan->runs, &plan->lengths, residual, w);
	otr__pack_encode(value, plan->runs, &plan->values, residual, w);
}
