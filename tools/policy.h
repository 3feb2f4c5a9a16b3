/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - policies as text, in and out, and the keys of metadata: what otr-create takes as options otr-meta takes and shows as keys.
 */
#ifndef OTR_TOOLS_POLICY_H
#define OTR_TOOLS_POLICY_H

#include "../lib/otr.h"

/* In the order of their keys. */
enum policy { POLICY_DUPLICATES, POLICY_HISTORY, POLICY_MAX_SIZE, POLICY_RETAIN, POLICIES };

#define POLICY_TEXT 100        /* room that any value needs, with its NUL */

/* "otr.retain" */
const char *policy_key(enum policy which);
/* The policy of a key; false if it is none's. */
bool policy_find(const char *key, enum policy *which);
/* Its value, spelled as policy_read takes it.  Returns text. */
const char *policy_text(const struct otr_policies *p, enum policy which, char text[POLICY_TEXT]);

/* ---- changing: policies with what was asked for put in ---- */

struct policy_change {
	struct otr_policies now;       /* first, those that are changed */
	bool given[POLICIES];
};
/* One value.  name: what it is called in a refusal, as "--retain", "otr.retain".  Returns an exit status. */
int policy_read(struct policy_change *c, enum policy which, const char *name, const char *value);
/*
 * After the last value: history and max-size fit together.  All history and what fits into a fixed size are one default, "as much as there is room
 * for": unless history is given, a change of max-size turns the one into the other.  Returns an exit status.
 */
int policy_settle(struct policy_change *c);

/* ---- keys of metadata ---- */

/* Why a key cannot be one, or NULL: letters, digits, . _ -, or unit. and a column's name. */
const char *policy_key_fault(const char *key, size_t len);
#define POLICY_KEY_FORM "letters, digits, . _ -; or unit.COLUMN"
/* Whether it begins with "otr.": a policy's, or nobody's. */
bool policy_is_own(const char *key, size_t len);

#endif
