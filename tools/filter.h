/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - the expression of --where: parsed, bound to a file's columns, and asked of rows (cli.md 4.4, EXPR).
 *
 *	either     = all { "or" all }
 *	all        = test { "and" test }
 *	test       = "(" either ")" | name op value | name "is" [ "not" ] ( "null" | "nan" )
 *	op         = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
 *	name       = word | quoted name
 *
 * A word is a run of bytes without blanks and ( ) < > = ! and double quotes; and, or, is, not, null, nan are no names unless quoted, in any
 * case of letters.  A float column reads the value as its own type; an integer column compares with the exact decimal, whatever its size
 * or fraction.  A comparison with null or NaN is false, also !=.
 * Parsing needs no file, so that a wrong expression is refused before any is opened; binding may be done again for the next file.
 */
#ifndef OTR_TOOLS_FILTER_H
#define OTR_TOOLS_FILTER_H

#include "../lib/otr.h"
#include "opts.h"

#define FILTER_DEPTH 30        /* parentheses in one another: the bits of a match then fit one word */
#define FILTER_TESTS 500       /* tests of one expression: a bound, far above what is typed */

struct filter;                 /* freed with filter_free */

struct filter_why {
	const char *what;              /* static text */
	const char *remedy;            /* static text, or "" */
	size_t at;                     /* byte of the expression, from 0, where it is wrong */
	const char *column;            /* of filter_bind: a name that is no column, else NULL.  Borrowed from the filter */
};

/* text is copied.  NULL if it is refused. */
struct filter *filter_parse(const char *text, struct filter_why *why);
/* Finds the columns and reads the values as they need.  schema is not kept. */
bool filter_bind(struct filter *f, const struct otr_schema *schema, struct filter_why *why);
/* Bit c for each column that a match looks at. */
uint64_t filter_columns(const struct filter *f);
/* Whether row i matches; the columns of filter_columns must be there. */
bool filter_match(const struct filter *f, const struct otr_rows *rows, size_t i);
void filter_free(struct filter *f);

/* ---- for the mains: refusals are told, an exit status returned ---- */

/* --where.  *f stays NULL without it. */
int filter_option(const struct opts_given *g, struct filter **f);
/* Binds it to an open file.  f may be NULL. */
int filter_open(struct filter *f, const struct otr_schema *schema, const char *path);

#endif
