/* SPDX-License-Identifier: BSD-2-Clause */
/* findings.c - a list that grows by doubling. */
#include "findings.h"

#include <stdio.h>
#include <stdlib.h>

enum otr_status
otr__findings_add(struct otr__findings *findings, enum otr_place place, uint64_t number, bool note, const char *spec, const char *text,
    struct otr_error *err)
{
	struct otr__kept_finding *f;

	if (findings->n == OTR__FINDINGS_MAX)
		return OTR_OK;
	if (findings->n == findings->capacity) {
		size_t capacity = findings->capacity == 0 ? 16 : 2 * findings->capacity;

		f = realloc(findings->list, capacity * sizeof *f);
		if (f == NULL)
			return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
		findings->list = f;
		findings->capacity = capacity;
	}
	f = &findings->list[findings->n++];
	*f = (struct otr__kept_finding){ .place = place, .number = number, .note = note };
	(void)snprintf(f->spec, sizeof f->spec, "%s", spec);
	(void)snprintf(f->text, sizeof f->text, "%s", text);
	return OTR_OK;
}

struct otr_finding
otr__findings_at(const struct otr__findings *findings, size_t i)
{
	const struct otr__kept_finding *f = &findings->list[i];

	return (struct otr_finding){ .place = f->place, .number = f->number, .text = f->text, .spec = f->spec, .note = f->note };
}

void
otr__findings_release(struct otr__findings *findings)
{
	free(findings->list);
	*findings = (struct otr__findings){ .n = 0 };
}
