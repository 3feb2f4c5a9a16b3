/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_filter.c - the expression of --where: what is refused and where, and what matches, in every type of column.
 */
#include "filter.h"
#include "numtext.h"
#include "tap.h"

#include <stdlib.h>

/* b bool, i i32, n i64, f f32, v f64, "two words" f64, "and" i64 */
static const struct otr_schema schema = { .columns = 7, .page_bytes = 4096, .column = { { "b", OTR_BOOL, OTR_STEP }, { "i", OTR_I32, OTR_STEP },
	{ "n", OTR_I64, OTR_STEP }, { "f", OTR_F32, OTR_LINEAR }, { "v", OTR_F64, OTR_LINEAR }, { "two words", OTR_F64, OTR_LINEAR },
	{ "and", OTR_I64, OTR_STEP } } };

/* One row; a value of NULL is null. */
static int
matches(const char *expression, const char *const value[7])
{
	struct filter_why why;
	struct filter *f = filter_parse(expression, &why);
	uint64_t bits[7] = { 0 };
	uint8_t present[7] = { 0 };
	int64_t time = 0;
	struct otr_rows rows = { .n = 1, .time_ns = &time };
	int got = -1;

	for (unsigned c = 0; c < 7; c++) {
		present[c] = value[c] != NULL;
		if (value[c] != NULL && numtext_read(schema.column[c].type, value[c], strlen(value[c]), &bits[c]) != NUMTEXT_OK)
			exit(1);
		rows.value[c] = &bits[c];
		rows.present[c] = &present[c];
	}
	if (f != NULL && filter_bind(f, &schema, &why))
		got = filter_match(f, &rows, 0);
	filter_free(f);
	return got;
}

/* One value x of column c, named x in the expression's place of `x`. */
static int
of(unsigned c, const char *x, const char *test)
{
	const char *value[7] = { 0 };
	char text[200];

	value[c] = x;
	(void)snprintf(text, sizeof text, "\"%s\" %s", schema.column[c].name, test);
	return matches(text, value);
}

enum { B, I, N, F, V };

static void
test_compare(void)
{
	unsigned bad = 0;

	/* less, equal, greater against each operator */
	for (unsigned c = I; c <= V; c++) {
		static const struct { const char *op; int less, equal, greater; } table[] = { { "= 5", 0, 1, 0 }, { "==5", 0, 1, 0 }, { "!=5", 1, 0, 1 },
			{ "< 5", 1, 0, 0 }, { "<=5", 1, 1, 0 }, { ">5", 0, 0, 1 }, { ">= 5", 0, 1, 1 } };

		for (unsigned k = 0; k < 7; k++)
			bad += of(c, "4", table[k].op) != table[k].less || of(c, "5", table[k].op) != table[k].equal ||
			    of(c, "6", table[k].op) != table[k].greater || of(c, NULL, table[k].op) != 0;
	}
	CHECK(bad == 0, "each operator, in i32, i64, f32, f64: less, equal, greater; null is never true");
	CHECK(of(B, "1", "= true") == 1 && of(B, "0", "=1") == 0 && of(B, "0", "< true") == 1 && of(B, "1", "!= 0") == 1 && of(B, "1", "= 2") == -1,
	    "a bool compares with true, false, 0, 1 and nothing else");
	bad = 0;
	for (const char *const *op = (const char *const[]){ "=1", "!=1", "<1", "<=1", ">1", ">=1", NULL }; *op != NULL; op++)
		bad += of(V, "NaN", *op) != 0 || of(F, "NaN", *op) != 0;
	CHECK(bad == 0, "a comparison with NaN is false, != too");
	CHECK(of(V, "-0", "= 0") == 1 && of(V, "0", ">= -0") == 1 && of(F, "-0", "< 0") == 0, "-0 equals 0");
	CHECK(of(V, "inf", "> 1e308") == 1 && of(V, "-inf", "= -inf") == 1 && of(V, "1", "< inf") == 1, "infinities compare");
	CHECK(of(F, "0.1", "= 0.1") == 1 && of(F, "0.1", "> 0.1") == 0 && of(F, "16777216", "= 16777217") == 1, "an f32 column reads the value as f32");
	CHECK(of(V, "0.1", "= 0.1") == 1 && of(V, "0.1", "= 0.10000000149011612") == 0, "an f64 column as f64");
	CHECK(of(V, "1", "= 1e400") == -1 && of(F, "1", "= 1e39") == -1, "a value out of a float column's range is refused");
}

static void
test_exact(void)
{
	static const char max[] = "9223372036854775807", min[] = "-9223372036854775808";

	CHECK(of(N, "1", "< 1.5") == 1 && of(N, "2", "< 1.5") == 0 && of(N, "1", "<= 1.5") == 1 && of(N, "2", "> 1.5") == 1 && of(N, "1", ">= 1.5") == 0 &&
	    of(N, "1", "= 1.5") == 0 && of(N, "1", "!= 1.5") == 1, "an integer against a fraction");
	CHECK(of(N, "-2", "< -1.5") == 1 && of(N, "-1", "< -1.5") == 0 && of(N, "-1", "> -1.5") == 1 && of(N, "-2", ">= -1.5") == 0 &&
	    of(N, "-1", "<= -0.5") == 1 && of(N, "0", "<= -0.5") == 0, "a negative fraction floors downward");
	CHECK(of(N, "9007199254740993", "= 9007199254740993") == 1 && of(N, "9007199254740992", "= 9007199254740993") == 0 &&
	    of(N, "9007199254740993", "> 9007199254740992.5") == 1, "beyond 2^53 exact");
	CHECK(of(N, max, "= 9223372036854775807") == 1 && of(N, max, "> 9223372036854775806.9") == 1 && of(N, max, ">= 9223372036854775807.1") == 0 &&
	    of(N, max, "> 9223372036854775807") == 0 && of(N, max, "< 9223372036854775808") == 1, "at the greatest i64");
	CHECK(of(N, min, "= -9223372036854775808") == 1 && of(N, min, "< -9223372036854775808") == 0 && of(N, min, "<= -9223372036854775808") == 1 &&
	    of(N, min, "< -9223372036854775807.5") == 1 && of(N, min, "> -9223372036854775808.5") == 1 && of(N, min, ">= -9223372036854775809") == 1,
	    "at the least i64");
	CHECK(of(N, max, "< 1e30") == 1 && of(N, max, "> -1e30") == 1 && of(N, min, ">= 1e30") == 0 && of(N, min, "!= 1e30") == 1 && of(N, "0", "= -1e30") == 0 &&
	    of(N, "0", "<= 1e400") == 1 && of(N, "0", "< inf") == 1 && of(N, "0", "< -inf") == 0, "values beyond every integer");
	CHECK(of(N, "1500", "= 1.5e3") == 1 && of(N, "1500", "= 15000e-1") == 1 && of(N, "15", "= +0015.000") == 1 && of(N, "0", "= 0e999999999") == 1 &&
	    of(N, "0", "< 1e-999999999") == 1 && of(N, "1", "= .1E+1") == 1, "exponents, zeros, signs");
	CHECK(of(I, "2147483647", "< 2147483648") == 1 && of(I, "-2147483648", "> -3e9") == 1, "an i32 against what it cannot hold");
	CHECK(of(N, "1", "= abc") == -1 && of(N, "1", "= 1,5") == -1 && of(N, "1", "= 0x10") == -1 && of(N, "1", "= true") == -1 && of(V, "1", "= true") == -1,
	    "what is no number is refused");
}

static void
test_is(void)
{
	unsigned bad = 0;

	for (unsigned c = B; c <= V; c++)
		bad += of(c, "1", "is null") != 0 || of(c, NULL, "is null") != 1 || of(c, "1", "is not null") != 1 || of(c, NULL, "is not null") != 0 ||
		    of(c, "1", "is nan") != 0 || of(c, NULL, "is nan") != 0 || of(c, "1", "is not nan") != 1;
	CHECK(bad == 0, "is null, is not null, is nan, is not nan, in every type");
	CHECK(of(V, "NaN", "is nan") == 1 && of(F, "NaN", "IS NaN") == 1 && of(V, "NaN", "is not nan") == 0 && of(V, "NaN", "is null") == 0 &&
	    of(V, "NaN", "is not NULL") == 1, "NaN is nan and not null, in any case of letters");
}

static void
test_join(void)
{
	static const char *const row[7] = { "1", "2", "3", "4", "5", "6", "7" };
	char long_one[20000] = "n = 0", deep[200];
	size_t used;

	CHECK(matches("n=9 and n=9 or n=3", row) == 1 && matches("n=3 or n=3 and n=9", row) == 1 && matches("(n=3 or n=3) and n=9", row) == 0,
	    "`and` binds closer than `or`");
	CHECK(matches("n=9 or i=2 and (f<1 or v>=5)", row) == 1 && matches("((n=3)) AND ((i=9)Or(f=4))", row) == 1 && matches("n<3 or n>3", row) == 0,
	    "parentheses, with and without blanks");
	CHECK(matches("\"two words\"=6 and \"and\" == 7", row) == 1 && matches("two words = 6", row) == -1, "odd names stand in double quotes");
	CHECK(matches("nn = 1", row) == -1, "a name that is no column");
	used = strlen(long_one);
	for (unsigned k = 0; k < 498; k++)
		used += (size_t)snprintf(long_one + used, sizeof long_one - used, " or n = %u", k + 10);
	CHECK(matches(long_one, row) == 0, "a chain of 499 tests");
	(void)snprintf(long_one + used, sizeof long_one - used, " or n = 3");
	CHECK(matches(long_one, row) == 1, "of 500");
	(void)snprintf(long_one + used, sizeof long_one - used, " or n = 3 or n = 3");
	CHECK(matches(long_one, row) == -1, "not of 501");
	used = 0;
	for (unsigned k = 0; k < 30; k++)
		used += (size_t)snprintf(deep + used, sizeof deep - used, "(");
	used += (size_t)snprintf(deep + used, sizeof deep - used, "n=3");
	for (unsigned k = 0; k < 30; k++)
		used += (size_t)snprintf(deep + used, sizeof deep - used, ")");
	CHECK(matches(deep, row) == 1, "thirty parentheses in one another");
	memmove(deep + 1, deep, used + 1);
	(void)snprintf(deep + used + 1, sizeof deep - used - 1, ")");
	CHECK(matches(deep, row) == -1, "not thirty-one");
}

/* Random trees, beside a direct evaluation of what was written.  Each test holds or does not by its number. */
static unsigned long long state = 7;

static int
write_random(char *text, size_t room, size_t *used, unsigned depth, unsigned kind)
{
	int value = kind == 0, n = (int)(tap_random(&state) % 3) + 1;

	/* kind 0: and, 1: or, in turns */
	for (int k = 0; k < n; k++) {
		int part;

		if (k > 0)
			*used += (size_t)snprintf(text + *used, room - *used, kind == 0 ? " and " : " or ");
		if (depth > 0 && tap_random(&state) % 2 == 0) {
			*used += (size_t)snprintf(text + *used, room - *used, "(");
			part = write_random(text, room, used, depth - 1, kind ^ 1);
			*used += (size_t)snprintf(text + *used, room - *used, ")");
		} else {
			part = (int)(tap_random(&state) % 2);
			*used += (size_t)snprintf(text + *used, room - *used, part ? "n = 3" : "n > 3");
		}
		value = kind == 0 ? value && part : value || part;
	}
	return value;
}

static void
test_random(void)
{
	static const char *const row[7] = { "1", "2", "3", "4", "5", "6", "7" };
	static char text[200000];
	unsigned bad = 0;

	for (unsigned k = 0; k < 3000; k++) {
		size_t used = 0;
		int want = write_random(text, sizeof text, &used, k % 5, k & 1);

		bad += used < sizeof text && matches(text, row) != want;
	}
	CHECK(bad == 0, "three thousand random trees of and, or and parentheses");
}

static int
refused_at(const char *text, size_t at)
{
	struct filter_why why = { .what = NULL };
	struct filter *f = filter_parse(text, &why);
	int good = f == NULL && why.at == at && why.what != NULL && why.remedy != NULL;

	filter_free(f);
	if (!good)
		printf("# %s: at %zu, %s\n", text, why.at, why.what != NULL ? why.what : "taken");
	return good;
}

static void
test_refused(void)
{
	CHECK(refused_at("", 0) && refused_at("  ", 2) && refused_at("v", 1) && refused_at("v >", 3) && refused_at("v > 5 and", 9) &&
	    refused_at("v > 5 or ()", 10) && refused_at("v is", 4) && refused_at("v is not", 8), "what is missing is told where it should stand");
	CHECK(refused_at("v >> 5", 3) && refused_at("v > 5 6", 6) && refused_at("v > 5)", 5) && refused_at("(v > 5", 0) && refused_at("v ! 5", 2) &&
	    refused_at("\"v > 5", 0) && refused_at("v is 5", 5) && refused_at("not v > 5", 0) && refused_at("v > \"5\"", 4) && refused_at("5 < v < 6", 6),
	    "what stands in a wrong place is told there");
	CHECK(refused_at("v = null", 4) && refused_at("v != NaN", 5) && refused_at("v = NaN(0x7ff8000000000001)", 4), "null and NaN are no values");
	CHECK(refused_at("and = 3", 0) && refused_at("v = 5 and null is null", 10), "a keyword is a name in quotes only");
}

int
main(void)
{
	test_compare();
	test_exact();
	test_is();
	test_join();
	test_random();
	test_refused();
	return tap_done();
}
