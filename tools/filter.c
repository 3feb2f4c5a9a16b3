/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - the expression of --where.
 *
 * It becomes steps in postfix order: a test pushes one bit, `and` and `or` take two and push one.  `a and (b or c)` is a b c or and.  A
 * chain needs two bits however long it is, each parenthesis two more, so one word holds them all.
 */
#include "filter.h"

#include "cli.h"
#include "numtext.h"
#include "reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* the bits: two for each parenthesis that is open and for the whole (what stands before its `or`, and before its `and`), and the test's own */
_Static_assert(2 * (FILTER_DEPTH + 1) + 1 <= 64, "the bits of a match must fit one word");

enum kind { STEP_AND, STEP_OR, STEP_COMPARE, STEP_NULL, STEP_NAN };
enum op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

struct step {
	enum kind kind;
	enum op op;                    /* STEP_COMPARE */
	bool negated;                  /* is not; of a bound integer comparison: != */
	char *name;
	const char *value;             /* in the filter's text */
	size_t value_len;
	size_t name_at, value_at;      /* in the text */
	/* bound */
	unsigned column;
	enum otr_type type;
	double v;                      /* float columns */
	bool none;                     /* others: no value is in the range low .. high, both inclusive */
	int64_t low, high;
};

struct filter {
	char *text;
	struct step *step;
	size_t steps, room, tests;
	uint64_t columns;
};

/* ---- words ---- */

enum token { T_END, T_OPEN, T_CLOSE, T_OP, T_WORD, T_QUOTED, T_BAD };

struct parser {
	struct filter *f;
	const char *p;                 /* behind the token */
	enum token token;
	const char *start;             /* of the token; of a quoted name, its quote */
	size_t len;
	enum op op;
	unsigned depth;
	struct filter_why *why;
};

static bool
refuse_at(struct parser *s, const char *at, const char *what, const char *remedy)
{
	*s->why = (struct filter_why){ .what = what, .remedy = remedy, .at = (size_t)(at - s->f->text) };
	return false;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_word(char c)
{
	return c != '\0' && !is_blank(c) && strchr("()<>=!\"", c) == NULL;
}

/* == = != <= < >= > at p.  Its length, or 0. */
static size_t
operator_at(const char *p, enum op *op)
{
	static const struct { const char *text; enum op op; } ops[] = { { "==", OP_EQ }, { "=", OP_EQ }, { "!=", OP_NE }, { "<=", OP_LE },
		{ "<", OP_LT }, { ">=", OP_GE }, { ">", OP_GT } };

	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		if (strncmp(p, ops[i].text, strlen(ops[i].text)) == 0) {
			*op = ops[i].op;
			return strlen(ops[i].text);
		}
	return 0;
}

static void
next(struct parser *s)
{
	const char *p = s->p;

	while (is_blank(*p))
		p++;
	s->start = p;
	s->len = 1;
	if (*p == '\0') {
		s->token = T_END;
		s->len = 0;
	} else if (*p == '(' || *p == ')') {
		s->token = *p == '(' ? T_OPEN : T_CLOSE;
	} else if (*p == '"') {
		const char *end = strchr(p + 1, '"');        /* a column's name holds none */

		s->token = end != NULL ? T_QUOTED : T_BAD;
		s->len = end != NULL ? (size_t)(end - p) + 1 : strlen(p);
	} else if (is_word(*p)) {
		s->token = T_WORD;
		while (is_word(p[s->len]))
			s->len++;
	} else {
		s->len = operator_at(p, &s->op);
		s->token = s->len > 0 ? T_OP : T_BAD;
		s->len = s->len > 0 ? s->len : 1;
	}
	s->p = s->start + s->len;
}

/* ASCII letters in any case, without a locale. */
static bool
same_word(const char *text, size_t len, const char *word)
{
	if (strlen(word) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != word[i])
			return false;
	}
	return true;
}

static bool
is_keyword(const struct parser *s, const char *word)
{
	return s->token == T_WORD && same_word(s->start, s->len, word);
}

/* ---- grammar ---- */

static struct step *
push(struct filter *f, enum kind kind)
{
	if (f->steps == f->room) {
		f->room = f->room > 0 ? 2 * f->room : 8;
		f->step = cli_resize(f->step, f->room, sizeof *f->step);
	}
	f->step[f->steps] = (struct step){ .kind = kind };
	return &f->step[f->steps++];
}

static bool
is_reserved(const struct parser *s)
{
	static const char *const words[] = { "and", "or", "is", "not", "null", "nan" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (is_keyword(s, words[i]))
			return true;
	return false;
}

/* Behind `is`. */
static bool
parse_is(struct parser *s, struct step *step)
{
	next(s);
	if (is_keyword(s, "not")) {
		step->negated = true;
		next(s);
	}
	if (!is_keyword(s, "null") && !is_keyword(s, "nan"))
		return refuse_at(s, s->start, "neither null nor nan", "is null, is nan, is not null, is not nan");
	step->kind = is_keyword(s, "null") ? STEP_NULL : STEP_NAN;
	next(s);
	return true;
}

/* Behind the operator. */
static bool
parse_value(struct parser *s, struct step *step)
{
	step->op = s->op;
	next(s);
	if (is_keyword(s, "null"))
		return refuse_at(s, s->start, "nothing compares with null", "is null, is not null");
	if (is_keyword(s, "nan"))
		return refuse_at(s, s->start, "nothing compares with NaN", "is nan, is not nan");
	if (s->token != T_WORD)
		return refuse_at(s, s->start, s->token == T_END ? "a value is missing" : "not a value", "a number, true or false");
	step->value = s->start;
	step->value_len = s->len;
	step->value_at = (size_t)(s->start - s->f->text);
	next(s);
	return true;
}

static bool parse_either(struct parser *s);

static bool
parse_test(struct parser *s)
{
	struct filter *f = s->f;
	const char *open = s->start;
	struct step *step;

	if (s->token == T_OPEN) {
		if (++s->depth > FILTER_DEPTH)
			return refuse_at(s, open, "more than 30 parentheses in one another", "");
		next(s);
		if (!parse_either(s))
			return false;
		if (s->token != T_CLOSE)
			return s->token == T_END ? refuse_at(s, open, "a parenthesis that is not closed", "") :
			    refuse_at(s, s->start, "neither and, or nor )", "");
		s->depth--;
		next(s);
		return true;
	}
	if (s->token == T_BAD && *s->start == '"')
		return refuse_at(s, s->start, "a quote that is not closed", "");
	if (is_reserved(s))
		return refuse_at(s, s->start, "a column's name is missing", "a column of that name stands in double quotes");
	if (s->token != T_WORD && s->token != T_QUOTED)
		return refuse_at(s, s->start, "a column's name is missing", "COLUMN < 5, COLUMN is null");
	if (++f->tests > FILTER_TESTS)
		return refuse_at(s, s->start, "more than 500 tests", "");
	step = push(f, STEP_COMPARE);
	step->name_at = (size_t)(s->start - f->text);
	step->name = s->token == T_QUOTED ? cli_copy(s->start + 1, s->len - 2) : cli_copy(s->start, s->len);
	next(s);
	if (is_keyword(s, "is"))
		return parse_is(s, step);
	if (s->token != T_OP)
		return refuse_at(s, s->start, "a comparison is missing", "= != < <= > >= or is");
	return parse_value(s, step);
}

static bool
parse_all(struct parser *s)
{
	if (!parse_test(s))
		return false;
	while (is_keyword(s, "and")) {
		next(s);
		if (!parse_test(s))
			return false;
		(void)push(s->f, STEP_AND);
	}
	return true;
}

static bool
parse_either(struct parser *s)
{
	if (!parse_all(s))
		return false;
	while (is_keyword(s, "or")) {
		next(s);
		if (!parse_all(s))
			return false;
		(void)push(s->f, STEP_OR);
	}
	return true;
}

struct filter *
filter_parse(const char *text, struct filter_why *why)
{
	struct filter *f = cli_alloc(1, sizeof *f);
	struct parser s = { .f = f, .why = why };

	f->text = cli_copy(text, strlen(text));
	s.p = f->text;
	next(&s);
	if (parse_either(&s) && (s.token == T_END || refuse_at(&s, s.start, "neither and nor or", "and, or join comparisons")))
		return f;
	filter_free(f);
	return NULL;
}

void
filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->steps; i++)
		free(f->step[i].name);
	free(f->step);
	free(f->text);
	free(f);
}

/* ---- values of integer columns ---- */

/* A decimal against the integers: its floor, and whether it is whole; or that it lies beyond all of them. */
struct place {
	int beyond;                    /* -1 below every i64, 1 above, else 0 */
	int64_t floor;
	bool whole;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Text that numtext takes for a number: [+-](digits[.digits]|.digits)[(e|E)[+-]digits].  The digits before the moved point are counted out one by
 * one; what stands behind it only says whether the number is whole.
 */
static struct place
place_of(const char *text, size_t len)
{
	const char *p = text, *end = text + len, *digits;
	bool negative = false, point = false, rest = false, over = false;
	int64_t whole_digits = 0, exponent = 0, at = 0;
	uint64_t v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	for (digits = p; p < end && (is_digit(*p) || *p == '.'); p++) {
		point = point || *p == '.';
		whole_digits += !point;
	}
	if (p < end) {
		bool down = p + 1 < end && p[1] == '-';

		for (const char *q = p + 1 + (p + 1 < end && (p[1] == '-' || p[1] == '+')); q < end; q++)
			if (exponent < INT64_C(1) << 40)        /* beyond the length of any argument */
				exponent = exponent * 10 + (*q - '0');
		whole_digits += down ? -exponent : exponent;
	}
	for (const char *q = digits; q < p; q++) {
		unsigned digit = (unsigned)(*q - '0');

		if (*q == '.')
			continue;
		if (at++ >= whole_digits) {
			rest = rest || digit != 0;
			continue;
		}
		over = over || v > (UINT64_MAX - digit) / 10;
		v = over ? v : v * 10 + digit;
	}
	for (; at < whole_digits && v != 0 && !over; at++) {
		over = v > UINT64_MAX / 10;
		v = over ? v : v * 10;
	}
	if (negative ? over || v > UINT64_C(1) << 63 || (v == UINT64_C(1) << 63 && rest) : over || v > (uint64_t)INT64_MAX)
		return (struct place){ .beyond = negative ? -1 : 1 };
	/* the floor of -1.5 is -2; v + rest is at most 2^63 */
	return (struct place){ .floor = negative ? (int64_t)(UINT64_C(0) - (v + rest)) : (int64_t)v, .whole = !rest };
}

/* The integers of which `x op place` is true, as a range, the outside of one for !=. */
static void
set_range(struct step *s, struct place p)
{
	s->low = INT64_MIN;
	s->high = INT64_MAX;
	s->none = false;
	s->negated = s->op == OP_NE;
	switch (s->op) {
	case OP_EQ:
	case OP_NE:
		s->none = p.beyond != 0 || !p.whole;
		s->low = s->high = p.floor;
		break;
	case OP_LT:
	case OP_LE:
		s->none = p.beyond < 0 || (p.beyond == 0 && s->op == OP_LT && p.whole && p.floor == INT64_MIN);
		if (p.beyond == 0 && !s->none)
			s->high = s->op == OP_LT && p.whole ? p.floor - 1 : p.floor;
		break;
	case OP_GT:
	case OP_GE: {
		bool itself = s->op == OP_GE && p.whole;

		s->none = p.beyond > 0 || (p.beyond == 0 && !itself && p.floor == INT64_MAX);
		if (p.beyond == 0 && !s->none)
			s->low = itself ? p.floor : p.floor + 1;
		break;
	}
	}
}

/* ---- binding ---- */

static bool
bind_value(struct step *s, struct filter_why *why)
{
	enum otr_type read_as = s->type == OTR_I32 || s->type == OTR_I64 ? OTR_F64 : s->type;
	uint64_t bits = 0;
	enum numtext_status status = numtext_read(read_as, s->value, s->value_len, &bits);

	switch (s->type) {
	case OTR_BOOL:
		if (status != NUMTEXT_OK)
			break;
		set_range(s, (struct place){ .floor = (int64_t)bits, .whole = true });
		return true;
	case OTR_I32:
	case OTR_I64:
		if (status == NUMTEXT_OK && isinf(numtext_f64(bits)))
			set_range(s, (struct place){ .beyond = numtext_f64(bits) < 0 ? -1 : 1 });
		else if (status == NUMTEXT_OK || status == NUMTEXT_RANGE)       /* 1e400 is a number too */
			set_range(s, place_of(s->value, s->value_len));
		else
			break;
		return true;
	case OTR_F32:
	case OTR_F64:
		if (status != NUMTEXT_OK)
			break;
		s->v = s->type == OTR_F32 ? (double)numtext_f32(bits) : numtext_f64(bits);
		return true;
	}
	*why = (struct filter_why){ .what = numtext_what(status), .remedy = numtext_remedy(status), .at = s->value_at };
	return false;
}

bool
filter_bind(struct filter *f, const struct otr_schema *schema, struct filter_why *why)
{
	f->columns = 0;
	for (size_t i = 0; i < f->steps; i++) {
		struct step *s = &f->step[i];
		unsigned c = 0;

		if (s->name == NULL)
			continue;
		while (c < schema->columns && strcmp(schema->column[c].name, s->name) != 0)
			c++;
		if (c == schema->columns) {
			*why = (struct filter_why){ .what = "no such column", .remedy = "", .at = s->name_at, .column = s->name };
			return false;
		}
		s->column = c;
		s->type = schema->column[c].type;
		f->columns |= UINT64_C(1) << c;
		if (s->kind == STEP_COMPARE && !bind_value(s, why))
			return false;
	}
	return true;
}

uint64_t
filter_columns(const struct filter *f)
{
	return f->columns;
}

/* ---- matching ---- */

static bool
compare(enum op op, double x, double v)
{
	switch (op) {
	case OP_EQ: return x == v;
	case OP_NE: return x < v || x > v;           /* false for NaN */
	case OP_LT: return x < v;
	case OP_LE: return x <= v;
	case OP_GT: return x > v;
	case OP_GE: return x >= v;
	}
	return false;
}

static bool
test(const struct step *s, const struct otr_rows *rows, size_t i)
{
	const uint8_t *present = rows->present[s->column];
	bool is_float = s->type == OTR_F32 || s->type == OTR_F64, inside;
	uint64_t bits;
	double x;

	if (present != NULL && (present[i >> 3] >> (i & 7) & 1) == 0)
		return s->kind == STEP_NULL ? !s->negated : s->kind == STEP_NAN && s->negated;
	if (s->kind == STEP_NULL)
		return s->negated;
	bits = rows->value[s->column][i];
	if (is_float) {
		x = s->type == OTR_F32 ? (double)numtext_f32(bits) : numtext_f64(bits);
		return s->kind == STEP_NAN ? isnan(x) != s->negated : compare(s->op, x, s->v);
	}
	if (s->kind == STEP_NAN)
		return s->negated;
	inside = !s->none && (int64_t)bits >= s->low && (int64_t)bits <= s->high;
	return inside != s->negated;
}

bool
filter_match(const struct filter *f, const struct otr_rows *rows, size_t i)
{
	uint64_t bits = 0;

	for (size_t k = 0; k < f->steps; k++) {
		const struct step *s = &f->step[k];

		if (s->kind == STEP_AND)
			bits = bits >> 1 & (bits | ~UINT64_C(1));        /* bit 0: both; the others move down */
		else if (s->kind == STEP_OR)
			bits = bits >> 1 | (bits & 1);
		else
			bits = bits << 1 | test(s, rows, i);
	}
	return (bits & 1) != 0;
}

/* ---- for the mains ---- */

/* `--where: character 8: not a number: "abc" (remedy)` */
static int
tell(const char *object, const char *text, const struct filter_why *why)
{
	struct cli_quoted q;
	size_t character = 1, len = strlen(text);
	const char *lead = object != NULL ? object : "", *colon = object != NULL ? ": " : "", *open = why->remedy[0] != '\0' ? " (" : "",
	    *close = why->remedy[0] != '\0' ? ")" : "";

	for (size_t i = 0; i < why->at; i++)
		character += ((unsigned char)text[i] & 0xc0) != 0x80;
	if (why->at >= len)
		return cli_usage("%s%s--where: at the end: %s%s%s%s", lead, colon, why->what, open, why->remedy, close);
	return cli_usage("%s%s--where: character %zu: %s: \"%s\"%s%s%s", lead, colon, character, why->what, cli_quote(text + why->at, len - why->at, &q), open,
	    why->remedy, close);
}

int
filter_option(const struct opts_given *g, struct filter **f)
{
	const char *text = opts_value(g, OPT_WHERE);
	struct filter_why why;

	*f = NULL;
	if (text == NULL)
		return CLI_OK;
	*f = filter_parse(text, &why);
	return *f != NULL ? CLI_OK : tell(NULL, text, &why);
}

int
filter_open(struct filter *f, const struct otr_schema *schema, const char *path)
{
	struct filter_why why;

	if (f == NULL || filter_bind(f, schema, &why))
		return CLI_OK;
	return why.column != NULL ? reader_no_column(path, why.column, schema) : tell(path, f->text, &why);
}
