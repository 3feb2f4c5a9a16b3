/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * binary.c - the binary row stream.
 */
#include "binary.h"

#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define COLUMNS_MAX 1024                       /* of a stream: more than a file has, since --ignore-unknown may skip some */
#define PRESENT_BYTES (BINARY_BLOCK / 8)

static const unsigned char magic[8] = { 0x89, 'O', 'T', 'R', 'B', 0x0d, 0x0a, 0x1a };

static size_t
width_of(enum otr_type type)
{
	return type == OTR_BOOL ? 1 : type == OTR_I32 || type == OTR_F32 ? 4 : 8;
}

static size_t
padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static uint64_t
get(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static void
put(unsigned char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		p[i] = (unsigned char)v;
}

/* Eight bytes each: one copy where the machine's order is the stream's. */
static void
get_words(uint64_t *to, const unsigned char *from, size_t n)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(to, from, n * 8);
#else
	for (size_t i = 0; i < n; i++)
		to[i] = get(from + 8 * i, 8);
#endif
}

static void
put_words(unsigned char *to, const uint64_t *from, size_t n)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(to, from, n * 8);
#else
	for (size_t i = 0; i < n; i++)
		put(to + 8 * i, from[i], 8);
#endif
}

/* ---- in ---- */

struct entry {
	enum otr_type type;
	int column;                    /* of the schema, -1: skipped */
};

struct binary_reader {
	const struct loader_rules *rules;
	int fd;
	const char *name;
	unsigned char *bytes;
	size_t room, at, used;
	uint64_t offset;               /* in the input, of bytes[0] */
	bool ended;
	bool in_stream, any_stream;
	struct entry *entry;
	size_t entries;
	uint64_t stream_rows, rows;
	/* the block, of which rows next .. n - 1 are still to be given */
	size_t n, next;
	int64_t *time_ns;
	uint64_t *value[OTR_MAX_COLUMNS];
	uint8_t *present[OTR_MAX_COLUMNS];
	bool has_null[OTR_MAX_COLUMNS];
	uint8_t *shifted[OTR_MAX_COLUMNS];       /* presence bits of a part that begins inside a byte */
	uint8_t *absent;
	uint64_t *zeros;
};

struct binary_reader *
binary_open(const struct loader_rules *rules, int fd, const char *name)
{
	struct binary_reader *b = cli_alloc(1, sizeof *b);

	b->rules = rules;
	b->fd = fd;
	b->name = name;
	b->room = 2 * READ_BYTES;
	b->bytes = cli_alloc(b->room, 1);
	b->entry = cli_alloc(COLUMNS_MAX, sizeof *b->entry);
	b->time_ns = cli_alloc(BINARY_BLOCK, sizeof *b->time_ns);
	b->zeros = cli_alloc(BINARY_BLOCK, sizeof *b->zeros);
	b->absent = cli_alloc(PRESENT_BYTES, 1);
	for (unsigned c = 0; c < rules->schema->columns; c++) {
		b->value[c] = cli_alloc(BINARY_BLOCK, sizeof *b->value[c]);
		b->present[c] = cli_alloc(PRESENT_BYTES, 1);
		b->shifted[c] = cli_alloc(PRESENT_BYTES, 1);
	}
	return b;
}

void
binary_close(struct binary_reader *b)
{
	if (b == NULL)
		return;
	for (unsigned c = 0; c < b->rules->schema->columns; c++) {
		free(b->value[c]);
		free(b->present[c]);
		free(b->shifted[c]);
	}
	free(b->absent);
	free(b->zeros);
	free(b->time_ns);
	free(b->entry);
	free(b->bytes);
	free(b);
}

int
binary_fill(struct binary_reader *b)
{
	ssize_t n;

	if (b->ended)
		return 0;
	memmove(b->bytes, b->bytes + b->at, b->used - b->at);
	b->offset += b->at;
	b->used -= b->at;
	b->at = 0;
	if (b->room - b->used < READ_BYTES) {          /* a block is at most some 34 KiB a column, and the columns are bounded */
		b->room *= 2;
		b->bytes = cli_resize(b->bytes, b->room, 1);
	}
	n = read(b->fd, b->bytes + b->used, READ_BYTES);
	if (n < 0)
		return errno;
	b->ended = n == 0;
	b->used += (size_t)n;
	return 0;
}

uint64_t
binary_rows(const struct binary_reader *b)
{
	return b->rows;
}

static enum loader_status
refuse(const struct binary_reader *b, size_t at, const char *what)
{
	cli_error(b->name, 0, "byte %llu: %s", (unsigned long long)(b->offset + b->at + at), what);
	return LOADER_BAD;
}

/* More bytes are needed than there are. */
static enum loader_status
need(const struct binary_reader *b)
{
	if (!b->ended)
		return LOADER_NEED;
	cli_error(b->name, 0, "byte %llu: the binary row stream is truncated (it has no end record)", (unsigned long long)(b->offset + b->used));
	return LOADER_BAD;
}

static bool
all_zero(const unsigned char *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

static enum loader_status
match_entry(struct binary_reader *b, size_t at, const char *name, size_t len, struct entry *e, uint64_t *seen)
{
	struct cli_quoted q;
	char list[600];

	e->column = loader_find_column(b->rules, name, len);
	if (e->column < 0 && b->rules->ignore_unknown)
		return LOADER_ROWS;
	if (e->column < 0) {
		loader_column_list(b->rules->schema, UINT64_MAX, list, sizeof list);
		cli_error(b->name, 0, "no column: \"%s\"; columns are: %s (--ignore-unknown skips it, --map renames it)", cli_quote(name, len, &q), list);
		return LOADER_BAD;
	}
	if (*seen >> e->column & 1)
		return refuse(b, at, "two entries for one column");
	*seen |= UINT64_C(1) << e->column;
	if (b->rules->schema->column[e->column].type != e->type) {
		cli_error(b->name, 0, "column \"%s\" has another type in the stream than in the file", cli_quote(name, len, &q));
		return LOADER_BAD;
	}
	return LOADER_ROWS;
}

static enum loader_status
read_header(struct binary_reader *b)
{
	const unsigned char *p = b->bytes + b->at;
	size_t left = b->used - b->at, at = 16;
	uint64_t seen = 0, all = b->rules->schema->columns == 64 ? UINT64_MAX : (UINT64_C(1) << b->rules->schema->columns) - 1;
	char list[600];

	if (left > 0 && memcmp(p, magic, left < 8 ? left : 8) != 0)
		return refuse(b, 0, "not a binary row stream");
	if (left < 16)
		return need(b);
	if (get(p + 8, 2) != 1)
		return refuse(b, 8, "a version of the binary row stream that this program does not know");
	b->entries = (size_t)get(p + 10, 2);
	if (b->entries == 0 || b->entries > COLUMNS_MAX || get(p + 12, 4) != 0)
		return refuse(b, 10, "a damaged stream header");
	for (size_t i = 0; i < b->entries; i++) {
		size_t name, whole;
		enum loader_status status;

		if (left - at < 4)
			return need(b);
		name = (size_t)get(p + at + 2, 2);
		whole = padded(4 + name);
		if (p[at] < OTR_BOOL || p[at] > OTR_F64 || p[at + 1] != 0 || name == 0)
			return refuse(b, at, "a damaged column entry");
		if (left - at < whole)
			return need(b);
		if (!all_zero(p + at + 4 + name, whole - 4 - name))
			return refuse(b, at, "a column entry's padding is not zero");
		b->entry[i].type = (enum otr_type)p[at];
		status = match_entry(b, at, (const char *)p + at + 4, name, &b->entry[i], &seen);
		if (status != LOADER_ROWS)
			return status;
		at += whole;
	}
	if (seen == 0)
		return refuse(b, 16, "the stream has no column of the file");
	loader_column_list(b->rules->schema, all & ~seen, list, sizeof list);
	if (seen != all && !b->any_stream && !b->rules->quiet)
		cli_warning(b->name, 0, "no field for: %s (null)", list);
	for (unsigned c = 0; c < b->rules->schema->columns; c++) {     /* what this stream lacks is null in it */
		b->has_null[c] = (seen >> c & 1) == 0;
		memset(b->present[c], 0, PRESENT_BYTES);
		memset(b->value[c], 0, BINARY_BLOCK * sizeof *b->value[c]);
	}
	b->at += at;
	b->in_stream = b->any_stream = true;
	b->stream_rows = 0;
	return LOADER_ROWS;
}

/* Widens one column of a block.  Returns NULL or what is wrong. */
static const char *
read_values(enum otr_type type, const unsigned char *p, size_t n, uint64_t *value)
{
	switch (type) {
	case OTR_BOOL:
		for (size_t i = 0; i < n; i++) {
			if (p[i] > 1)
				return "a bool that is neither 0 nor 1";
			value[i] = p[i];
		}
		break;
	case OTR_I32:
		for (size_t i = 0; i < n; i++)
			value[i] = (uint64_t)(int64_t)(int32_t)(uint32_t)get(p + 4 * i, 4);
		break;
	case OTR_F32:
		for (size_t i = 0; i < n; i++)
			value[i] = get(p + 4 * i, 4);
		break;
	case OTR_I64:
	case OTR_F64:
		get_words(value, p, n);
		break;
	}
	return NULL;
}

static enum loader_status
read_column(struct binary_reader *b, const struct entry *e, size_t at, size_t n)
{
	const unsigned char *p = b->bytes + b->at + at;
	size_t bits = (n + 7) / 8, values = padded(bits), bytes = n * width_of(e->type);
	bool null = false;
	const char *wrong;
	unsigned c;

	if (!all_zero(p + bits, values - bits) || (n % 8 != 0 && p[bits - 1] >> (n % 8) != 0))
		return refuse(b, at, "presence bits behind the last row are not zero");
	if (!all_zero(p + values + bytes, padded(bytes) - bytes))
		return refuse(b, at + values + bytes, "padding is not zero");
	for (size_t i = 0; i < n / 8; i++)
		null = null || p[i] != 0xff;
	null = null || (n % 8 != 0 && p[bits - 1] != (1U << (n % 8)) - 1);
	for (size_t i = 0, width = width_of(e->type); null && i < n; i++)
		if ((p[i >> 3] >> (i & 7) & 1) == 0 && !all_zero(p + values + i * width, width))
			return refuse(b, at + values + i * width, "the value of a null is not zero");
	if (e->column < 0)
		return LOADER_ROWS;
	c = (unsigned)e->column;
	wrong = read_values(e->type, p + values, n, b->value[c]);
	if (wrong != NULL)
		return refuse(b, at + values, wrong);
	b->has_null[c] = null;
	memcpy(b->present[c], p, bits);
	return LOADER_ROWS;
}

static enum loader_status
read_end(struct binary_reader *b)
{
	const unsigned char *p = b->bytes + b->at;

	if (b->used - b->at < 16)
		return need(b);
	if (get(p + 8, 8) != b->stream_rows)
		return refuse(b, 8, "the end record counts another number of rows");
	b->at += 16;
	b->in_stream = false;
	return LOADER_ROWS;
}

static enum loader_status
read_block(struct binary_reader *b)
{
	const unsigned char *p = b->bytes + b->at;
	size_t left = b->used - b->at, n, whole, at;

	if (left < 8)
		return need(b);
	n = (size_t)get(p, 4);
	if (n > BINARY_BLOCK || get(p + 4, 4) != 0)
		return refuse(b, 0, "a damaged block");
	if (n == 0)
		return read_end(b);
	whole = 8 + 8 * n;
	for (size_t i = 0; i < b->entries; i++)
		whole += padded((n + 7) / 8) + padded(n * width_of(b->entry[i].type));
	if (left < whole)
		return need(b);
	for (size_t i = 0; i < n; i++) {
		uint64_t t = get(p + 8 + 8 * i, 8);

		if (t == (uint64_t)INT64_MIN || t == (uint64_t)INT64_MAX)
			return refuse(b, 8 + 8 * i, "time that no file can hold");
		b->time_ns[i] = (int64_t)t;
	}
	at = 8 + 8 * n;
	for (size_t i = 0; i < b->entries; i++) {
		enum loader_status status = read_column(b, &b->entry[i], at, n);

		if (status != LOADER_ROWS)
			return status;
		at += padded((n + 7) / 8) + padded(n * width_of(b->entry[i].type));
	}
	b->at += whole;
	b->stream_rows += n;
	b->n = n;
	b->next = 0;
	return LOADER_ROWS;
}

/* Presence bits from row `next` on, aligned. */
static const uint8_t *
present_from(struct binary_reader *b, unsigned c, size_t n)
{
	size_t byte = b->next / 8;
	unsigned bit = (unsigned)(b->next % 8);

	if (bit == 0)
		return b->present[c] + byte;
	for (size_t i = 0; i < (n + 7) / 8; i++)
		b->shifted[c][i] = (uint8_t)(b->present[c][byte + i] >> bit |
		    (byte + i + 1 < PRESENT_BYTES ? b->present[c][byte + i + 1] << (8 - bit) : 0));
	return b->shifted[c];
}

enum loader_status
binary_next(struct binary_reader *b, size_t limit, struct otr_rows *rows)
{
	while (b->next == b->n) {
		enum loader_status status;

		if (!b->in_stream && b->at == b->used && b->ended && b->any_stream)
			return LOADER_END;
		status = b->in_stream ? read_block(b) : read_header(b);
		if (status != LOADER_ROWS)
			return status;
	}
	*rows = (struct otr_rows){ .n = b->n - b->next < limit ? b->n - b->next : limit, .time_ns = b->time_ns + b->next };
	for (unsigned c = 0; c < b->rules->schema->columns; c++) {
		rows->value[c] = b->value[c] + b->next;
		rows->present[c] = b->has_null[c] ? present_from(b, c, rows->n) : NULL;
	}
	b->next += rows->n;
	b->rows += rows->n;
	return LOADER_ROWS;
}

/* ---- out ---- */

void
binary_write_header(struct out *o, const struct binary_column *column, size_t columns)
{
	unsigned char head[16] = { 0 };

	memcpy(head, magic, 8);
	put(head + 8, 1, 2);
	put(head + 10, columns, 2);
	out_bytes(o, head, sizeof head);
	for (size_t i = 0; i < columns; i++) {
		static const unsigned char zeros[8];
		unsigned char entry[4] = { (unsigned char)column[i].type };
		size_t len = strlen(column[i].name);

		put(entry + 2, len, 2);
		out_bytes(o, entry, 4);
		out_bytes(o, column[i].name, len);
		out_bytes(o, zeros, padded(4 + len) - 4 - len);
	}
}

/* Bits first .. first + n - 1 of src (NULL: all set), to LSB-first bytes with zeros behind. */
static void
write_present(unsigned char *to, const uint8_t *src, size_t first, size_t n)
{
	size_t bytes = (n + 7) / 8;
	unsigned bit = (unsigned)(first % 8);

	if (src == NULL)
		memset(to, 0xff, bytes);
	else if (bit == 0)
		memcpy(to, src + first / 8, bytes);
	else
		for (size_t i = 0; i < bytes; i++) {
			size_t at = first / 8 + i;

			to[i] = (unsigned char)(src[at] >> bit | ((at + 1) * 8 < first + n ? src[at + 1] << (8 - bit) : 0));
		}
	if (n % 8 != 0)
		to[bytes - 1] &= (unsigned char)((1U << (n % 8)) - 1);
	memset(to + bytes, 0, padded(bytes) - bytes);
}

static void
write_values(unsigned char *to, enum otr_type type, const uint64_t *value, size_t n)
{
	size_t width = width_of(type);

	if (width == 8)
		put_words(to, value, n);
	else if (width == 1)
		for (size_t i = 0; i < n; i++)
			to[i] = (unsigned char)value[i];
	else
		for (size_t i = 0; i < n; i++)
			put(to + 4 * i, value[i], 4);
	memset(to + n * width, 0, padded(n * width) - n * width);
}

static void
write_block(struct out *o, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n)
{
	unsigned char *p = (unsigned char *)out_room(o, 8 + 8 * n);

	put(p, n, 4);
	put(p + 4, 0, 4);
	for (size_t i = 0; i < n; i++)
		put(p + 8 + 8 * i, (uint64_t)rows->time_ns[first + i], 8);
	out_advance(o, (char *)p + 8 + 8 * n);
	for (size_t c = 0; c < columns; c++) {
		size_t bits = padded((n + 7) / 8), bytes = padded(n * width_of(column[c].type));

		p = (unsigned char *)out_room(o, bits + bytes);
		if (column[c].index < 0) {
			memset(p, 0, bits + bytes);
		} else {
			write_present(p, rows->present[column[c].index], first, n);
			write_values(p + bits, column[c].type, rows->value[column[c].index] + first, n);
		}
		out_advance(o, (char *)p + bits + bytes);
	}
}

void
binary_write_rows(struct out *o, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n)
{
	while (n > 0) {
		size_t part = n < BINARY_BLOCK ? n : BINARY_BLOCK;

		write_block(o, column, columns, rows, first, part);
		first += part;
		n -= part;
	}
}

void
binary_write_end(struct out *o, uint64_t rows)
{
	unsigned char end[16] = { 0 };

	put(end + 8, rows, 8);
	out_bytes(o, end, sizeof end);
}
