/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * binary.h - the binary row stream, in and out (SPEC appendix C).  Little-endian.
 *
 *	OFFSET SIZE FIELD
 *	0      8    magic 89 4F 54 52 42 0D 0A 1A
 *	8      2    version 1
 *	10     2    columns C
 *	12     4    zero
 *	16     ..   C entries: u8 type, u8 zero, u16 name length, name, zeros up to a multiple of 8
 *
 * Then blocks: u32 n (1..4096), u32 zero, n times, and for each column presence bits (LSB first) and n values (bool 1 byte, i32 and f32
 * 4, i64 and f64 8; zero where absent), both padded with zeros to a multiple of 8.  The end: u32 0, u32 zero, u64 rows of the stream.
 * Another stream may follow.  Without the end the stream is truncated; anything else is refused with its byte offset.
 */
#ifndef OTR_TOOLS_BINARY_H
#define OTR_TOOLS_BINARY_H

#include "loader.h"
#include "out.h"

#define BINARY_BLOCK 4096

/* ---- in: the loader's way to a stream ---- */

struct binary_reader;

struct binary_reader *binary_open(const struct loader_rules *rules, int fd, const char *name);
void binary_close(struct binary_reader *b);
int binary_fill(struct binary_reader *b);
enum loader_status binary_next(struct binary_reader *b, size_t limit, struct otr_rows *rows);
uint64_t binary_rows(const struct binary_reader *b);

/* ---- out ---- */

struct binary_column {
	const char *name;
	enum otr_type type;
	int index;                     /* into struct otr_rows, -1: all null */
};

void binary_write_header(struct out *o, const struct binary_column *column, size_t columns);
/* Rows first .. first + n - 1, n of any size. */
void binary_write_rows(struct out *o, const struct binary_column *column, size_t columns, const struct otr_rows *rows, size_t first, size_t n);
void binary_write_end(struct out *o, uint64_t rows);

#endif
