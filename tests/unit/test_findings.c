/* SPDX-License-Identifier: BSD-2-Clause */
/* test_findings.c - the list of what a check of a whole file found: it keeps each as it was added, and no more than its bound. */
#include <string.h>

#include "findings.h"
#include "tap.h"

int
main(void)
{
	struct otr__findings found = { .n = 0 };
	struct otr_error err;
	char text[64];
	size_t i, wrong = 0;

	for (i = 0; i < OTR__FINDINGS_MAX + 5; i++) {
		(void)snprintf(text, sizeof text, "finding %zu", i);
		wrong += otr__findings_add(&found, OTR_PLACE_PAGE, i, i % 2 == 1, "4.2-6", text, &err) != OTR_OK;
	}
	CHECK(wrong == 0, "more than the list takes can be added");
	CHECK(found.n == OTR__FINDINGS_MAX, "the list keeps the first thousand");
	for (i = 0; i < found.n; i++) {
		struct otr_finding f = otr__findings_at(&found, i);

		(void)snprintf(text, sizeof text, "finding %zu", i);
		wrong += f.place != OTR_PLACE_PAGE || f.number != i || f.note != (i % 2 == 1) || strcmp(f.spec, "4.2-6") != 0 || strcmp(f.text, text) != 0;
	}
	CHECK(wrong == 0, "each is kept as it was added, with texts of its own");

	otr__findings_release(&found);
	CHECK(found.n == 0 && found.list == NULL, "a list given back is empty");
	CHECK(otr__findings_add(&found, OTR_PLACE_FILE, 7, false, "12", "again", &err) == OTR_OK && found.n == 1 && otr__findings_at(&found, 0).number == 7,
	    "and takes findings again");
	otr__findings_release(&found);
	return tap_done();
}
