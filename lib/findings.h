/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * findings.h - what a check of a whole file found, kept until the end: beside a live writer it may all have to be thrown away.
 *
 * Owns: the list, its bound of OTR__FINDINGS_MAX.  Does not know what is checked.
 */
#ifndef OTR_FINDINGS_H
#define OTR_FINDINGS_H

#include "error.h"

#define OTR__FINDINGS_MAX 1000

struct otr__kept_finding {
	enum otr_place place;
	uint64_t number;
	bool note;
	char spec[12];
	char text[sizeof ((struct otr_error *)0)->text];
};

/* All zero is empty. */
struct otr__findings {
	struct otr__kept_finding *list;      /* [n] */
	size_t n, capacity;
};

/* Copies spec and text; nothing is added to a full list.  OTR_OK or OTR_E_NOMEM. */
OTR_MUST_CHECK enum otr_status otr__findings_add(struct otr__findings *findings, enum otr_place place, uint64_t number, bool note, const char *spec, const char *text,
    struct otr_error *err);
/* Number i, i < n; its texts are the list's, until it changes. */
struct otr_finding otr__findings_at(const struct otr__findings *findings, size_t i);
void otr__findings_release(struct otr__findings *findings);

#endif
