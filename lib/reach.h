/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reach.h - the pages that nothing reaches, and how many something does: a walk of the inner, log and metadata pages of slots and of all kept roots (SPEC 9.3).
 */
#ifndef OTR_REACH_H
#define OTR_REACH_H

#include "db.h"
#include "space.h"

/*
 * Adds to found the numbers of all pages below the newest slot's page count that neither slot of state, nor the log, nor a kept root, nor kept
 * metadata reaches, in descending order.  Returns OTR_OK; OTR_E_CORRUPT, _TRUNCATED at a bad page (found is then useless); OTR_E_IO; OTR_E_NOMEM.
 */
OTR_MUST_CHECK enum otr_status otr__reach_free(struct otr__store *store, const struct otr__header *header, const struct otr__state *state,
    struct otr__scratch *scratch, struct otr__page_list *found, struct otr_error *err);

/* How many pages the slot, its log from the oldest version on, and its kept roots and metadata reach (SPEC 4.1-2).  Returns as otr__reach_free. */
OTR_MUST_CHECK enum otr_status otr__reach_count(struct otr__store *store, const struct otr__header *header, const struct otr__slot *slot,
    struct otr__scratch *scratch, uint64_t *live, struct otr_error *err);

/*
 * Adds to found the pages of one generation that root reaches with rows from the horizon on; descends into no others, since below a page there is none newer (SPEC 5.3-2).
 * pages: how many the file has; more in found is OTR_E_CORRUPT.
 */
OTR_MUST_CHECK enum otr_status otr__reach_generation(struct otr__store *store, const struct otr__header *header, struct otr__scratch *scratch,
    const struct otr__kept *root, uint64_t generation, int64_t horizon_ns, uint64_t pages,
    struct otr__page_list *found, struct otr_error *err);

#endif
