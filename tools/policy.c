/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c - policies as text, the keys of metadata.
 */
#include "policy.h"

#include "cli.h"
#include "opts.h"
#include "timearg.h"

#include <stdio.h>
#include <string.h>

static const char *const keys[POLICIES] = { "otr.duplicates", "otr.history", "otr.max-size", "otr.retain" };
static const char *const duplicate_names[] = { "replace", "keep", "first", "error" };

const char *
policy_key(enum policy which)
{
	return keys[which];
}

bool
policy_find(const char *key, enum policy *which)
{
	for (unsigned i = 0; i < POLICIES; i++)
		if (strcmp(key, keys[i]) == 0) {
			*which = (enum policy)i;
			return true;
		}
	return false;
}

/* ---- out ---- */

/* In the largest binary unit that leaves a whole number. */
static void
size_text(uint64_t bytes, char text[POLICY_TEXT])
{
	static const char *const units[] = { "", "Ki", "Mi", "Gi" };
	unsigned u = 0;

	for (; u < 3 && bytes != 0 && bytes % 1024 == 0; u++)
		bytes /= 1024;
	(void)snprintf(text, POLICY_TEXT, "%llu%s", (unsigned long long)bytes, units[u]);
}

static void
history_text(const struct otr_policies *p, char text[POLICY_TEXT])
{
	switch (p->history) {
	case OTR_HISTORY_ALL: (void)snprintf(text, POLICY_TEXT, "all"); break;
	case OTR_HISTORY_COUNT: (void)snprintf(text, POLICY_TEXT, "%llu", (unsigned long long)p->history_value); break;
	case OTR_HISTORY_AGE: timearg_length_text(p->history_value, text, POLICY_TEXT); break;
	case OTR_HISTORY_FITS: (void)snprintf(text, POLICY_TEXT, "fits"); break;
	}
}

const char *
policy_text(const struct otr_policies *p, enum policy which, char text[POLICY_TEXT])
{
	(void)snprintf(text, POLICY_TEXT, "none");
	switch (which) {
	case POLICY_DUPLICATES:
		(void)snprintf(text, POLICY_TEXT, "%s", duplicate_names[p->duplicates]);
		break;
	case POLICY_HISTORY:
		history_text(p, text);
		break;
	case POLICY_MAX_SIZE:
		if (p->has_max_size)
			size_text(p->max_bytes, text);
		break;
	case POLICY_RETAIN:
		if (p->has_retain)
			timearg_length_text(p->retain_ns, text, POLICY_TEXT);
		break;
	case POLICIES:
		break;
	}
	return text;
}

/* ---- in ---- */

static int
refuse(const char *name, const char *value, const char *what, const char *remedy)
{
	struct cli_quoted q;

	return cli_usage("%s: %s: \"%s\"%s%s%s", name, what, cli_quote(value, strlen(value), &q), remedy[0] != '\0' ? " (" : "", remedy,
	    remedy[0] != '\0' ? ")" : "");
}

static int
read_duplicates(struct otr_policies *p, const char *name, const char *value)
{
	for (unsigned i = 0; i < sizeof duplicate_names / sizeof duplicate_names[0]; i++)
		if (strcmp(value, duplicate_names[i]) == 0) {
			p->duplicates = (enum otr_duplicates)i;
			return CLI_OK;
		}
	return refuse(name, value, "not a policy", "replace, keep, first, error");
}

/* all, fits, a number of versions, or a length of time. */
static int
read_history(struct otr_policies *p, const char *name, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	const char *fault, *remedy;
	struct timearg_why why;

	p->history_value = 0;
	if (strcmp(value, "all") == 0 || strcmp(value, "fits") == 0) {
		p->history = value[0] == 'a' ? OTR_HISTORY_ALL : OTR_HISTORY_FITS;
		return CLI_OK;
	}
	if (digits > 0 && (value[digits] == '\0' || strchr("kMGK", value[digits]) != NULL)) {
		p->history = OTR_HISTORY_COUNT;
		fault = opts_count_fault(value, false, &p->history_value, &remedy);
		return fault == NULL ? CLI_OK : refuse(name, value, fault, remedy);
	}
	if (digits == 0)
		return refuse(name, value, "neither a number of versions nor a length of time", "all, 100, 90d; fits, with a max-size");
	p->history = OTR_HISTORY_AGE;
	return timearg_fixed_length(value, false, &p->history_value, &why) ? CLI_OK : refuse(name, value, why.what, why.remedy);
}

static int
read_max_size(struct otr_policies *p, const char *name, const char *value)
{
	const char *fault, *remedy;

	p->max_bytes = 0;
	p->has_max_size = strcmp(value, "none") != 0;
	if (!p->has_max_size)
		return CLI_OK;
	fault = opts_count_fault(value, true, &p->max_bytes, &remedy);
	return fault == NULL ? CLI_OK : refuse(name, value, fault, remedy);
}

static int
read_retain(struct otr_policies *p, const char *name, const char *value)
{
	struct timearg_why why;

	p->retain_ns = 0;
	p->has_retain = strcmp(value, "none") != 0;
	if (!p->has_retain)
		return CLI_OK;
	if (!timearg_fixed_length(value, false, &p->retain_ns, &why))
		return refuse(name, value, why.what, why.remedy);
	return p->retain_ns > 0 && p->retain_ns < INT64_MAX ? CLI_OK : refuse(name, value, "out of range", "at least 1ns");
}

int
policy_read(struct policy_change *c, enum policy which, const char *name, const char *value)
{
	c->given[which] = true;
	switch (which) {
	case POLICY_DUPLICATES: return read_duplicates(&c->now, name, value);
	case POLICY_HISTORY: return read_history(&c->now, name, value);
	case POLICY_MAX_SIZE: return read_max_size(&c->now, name, value);
	case POLICY_RETAIN: return read_retain(&c->now, name, value);
	case POLICIES: break;
	}
	return CLI_OK;
}

int
policy_settle(struct policy_change *c)
{
	struct otr_policies *p = &c->now;

	if (!c->given[POLICY_HISTORY] && (p->history == OTR_HISTORY_ALL || p->history == OTR_HISTORY_FITS))
		p->history = p->has_max_size ? OTR_HISTORY_FITS : OTR_HISTORY_ALL;
	if (p->history == OTR_HISTORY_ALL && p->has_max_size)
		return cli_usage("cannot keep all history within a fixed size: history \"all\" with a max-size (fits, a number, a length of time)");
	if (p->history == OTR_HISTORY_FITS && !p->has_max_size)
		return cli_usage("history \"fits\" without a max-size (all, a number, a length of time)");
	return CLI_OK;
}

/* ---- keys ---- */

const char *
policy_key_fault(const char *key, size_t len)
{
	if (len == 0 || len > 512)                               /* the bound of SPEC 5.6 */
		return "not a key";
	if (len > 5 && memcmp(key, "unit.", 5) == 0)             /* the rest is a column's name */
		return cli_is_text(key, len, false) ? NULL : "not a key";
	for (size_t i = 0; i < len; i++)
		if (!((key[i] >= 'A' && key[i] <= 'Z') || (key[i] >= 'a' && key[i] <= 'z') || (key[i] >= '0' && key[i] <= '9') ||
		    strchr("._-", key[i]) != NULL))
			return "not a key";
	return NULL;
}

bool
policy_is_own(const char *key, size_t len)
{
	return len >= 4 && memcmp(key, "otr.", 4) == 0;
}
