/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * header.c - the file header and schema (SPEC 3): pure codec, and the limits of a schema (SPEC 2.5), which reader and creator share.
 *
 * Owns the order of checks of SPEC 3.2: magic, CRC, version and features, fields; so "not OTR", "damaged" and "too new" stay apart.
 * Does not own: which of the two copies is read (db.c).  No I/O, no allocation.
 *
 *      OFFSET SIZE FIELD              header; written once, at 0 and at 12288
 *           0    8 magic              89 4F 54 52 0D 0A 1A 0A
 *           8    4 crc                of bytes 12..4095
 *          12    2 major              1
 *          14    2 minor
 *          16    8 compat             feature word
 *          24    8 ro_compat          feature word
 *          32    8 incompat           feature word
 *          40   16 file_id            random; not all zero
 *          56    8 created_ns         a time
 *          64    1 page_exponent      12..16
 *          65    1 columns            1..64
 *          66    1 has_gap            0 or 1
 *          67    5 zero
 *          72    8 gap_ns             1 .. 2^63 - 2 if has_gap, else 0
 *          80   48 zero
 *         128   .. column table       one entry a column
 *          ..   .. zero               up to 4096
 *
 *      OFFSET SIZE FIELD              an entry of the column table; padded with zeros to a multiple of 8
 *           0    1 type
 *           1    1 interpolation      0 linear, 1 step
 *           2    2 name_bytes         1..255
 *           4    4 zero
 *           8   .. name               UTF-8
 */
#include "header.h"

#include "checksum.h"
#include "cursor.h"
#include "text.h"

#define CRC_OFFSET 8u
#define CRC_FROM 12u
#define TABLE_OFFSET 128u
#define TABLE_BYTES (OTR__HEADER_BYTES - TABLE_OFFSET)
#define COLUMN_FIXED 8u
#define EXPONENT_MIN 12u
#define EXPONENT_MAX 16u
#define GAP_MAX (UINT64_C(0x7ffffffffffffffe))
/* 3.4: children that an inner page must have room for; otr_create asks for 32 by default */
#define CHILDREN_MIN 8u

static const uint8_t magic[8] = { 0x89, 0x4f, 0x54, 0x52, 0x0d, 0x0a, 0x1a, 0x0a };

static size_t
padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

/* ---- limits of a schema, 2.5 ----------------------------------------------------------------------------------------------- */

/* What is wrong with a name, or NULL. */
static const char *
name_fault(const uint8_t *name, size_t len)
{
	static const char *const taken[] = { "file", "time", "time_s", "time_ms", "time_us", "time_ns" };
	size_t i = 0;
	uint32_t code;

	if (len < 1 || len > OTR_MAX_NAME)
		return "is not 1..255 bytes long";
	while (i < len) {
		if (!otr__utf8_take(name, len, &i, &code))
			return "is not UTF-8";
		if (otr__is_control(code))
			return "has a control character";
		if (code == ',' || code == ':' || code == '=' || code == '"')
			return "has one of the characters , : = \"";
	}
	if (name[0] == ' ' || name[len - 1] == ' ')
		return "begins or ends with a blank";
	for (i = 0; i < sizeof taken / sizeof taken[0]; i++)
		if (len == strlen(taken[i]) && memcmp(name, taken[i], len) == 0)
			return "is a word that text formats need";
	return NULL;
}

/*
 * All that holds for any schema, of a caller (status OTR_E_ARG) or of a file (OTR_E_CORRUPT), but for the types.  Names end with NUL within
 * their arrays.
 */
static enum otr_status
check_limits(const struct otr_schema *schema, enum otr_status status, struct otr_error *err)
{
	size_t table = 0;
	uint32_t c, k, children;

	if (schema->columns < 1 || schema->columns > OTR_MAX_COLUMNS)
		return otr__fail(err, status, "2.5", "%u columns, allowed are 1..64", (unsigned)schema->columns);
	if (schema->page_bytes < OTR__PAGE_MIN || schema->page_bytes > OTR__PAGE_MAX || (schema->page_bytes & (schema->page_bytes - 1)) != 0)
		return otr__fail(err, status, "2.5", "page size %u, allowed are 4096, 8192, 16384, 32768, 65536", (unsigned)schema->page_bytes);
	if (schema->has_gap ? schema->gap_ns < 1 || schema->gap_ns > GAP_MAX : schema->gap_ns != 0)
		return otr__fail(err, status, "3", "gap of %llu ns, allowed is %s", (unsigned long long)schema->gap_ns,
		    schema->has_gap ? "1 .. 2^63 - 2" : "0, as there is none");
	children = (schema->page_bytes - OTR__INNER_FIXED) / OTR__ENTRY_BYTES(schema->columns);
	if (children < CHILDREN_MIN)
		return otr__fail(err, status, "3.4", "a page of %u bytes has room for %u children of %u columns, at least 8 are needed",
		    (unsigned)schema->page_bytes, (unsigned)children, (unsigned)schema->columns);
	for (c = 0; c < schema->columns; c++) {
		const struct otr_column *column = &schema->column[c];
		size_t len = strlen(column->name);
		const char *fault = name_fault((const uint8_t *)column->name, len);

		if (fault != NULL)
			return otr__fail(err, status, "2.5", "the name of column %u, '%s', %s", (unsigned)c, column->name, fault);
		for (k = 0; k < c; k++)
			if (strcmp(column->name, schema->column[k].name) == 0)
				return otr__fail(err, status, "2.5", "columns %u and %u have the same name, '%s'", (unsigned)k, (unsigned)c, column->name);
		if (column->interpolation != OTR_LINEAR && column->interpolation != OTR_STEP)
			return otr__fail(err, status, "3.4", "column '%s': interpolation %d, allowed are 0 and 1", column->name,
			    (int)column->interpolation);
		table += COLUMN_FIXED + padded(len);
	}
	if (table > TABLE_BYTES)
		return otr__fail(err, status, "2.5", "the column table takes %zu bytes, at most %u fit: shorter names are needed", table, TABLE_BYTES);
	return OTR_OK;
}

enum otr_status
otr__schema_check(const struct otr_schema *schema, struct otr_error *err)
{
	uint32_t c;

	for (c = 0; c < schema->columns && c < OTR_MAX_COLUMNS; c++) {
		const struct otr_column *column = &schema->column[c];

		if (memchr(column->name, 0, sizeof column->name) == NULL)
			return otr__fail(err, OTR_E_ARG, "2.5", "the name of column %u is longer than 255 bytes", (unsigned)c);
		if (column->type < OTR_BOOL || column->type > OTR_F64)
			return otr__fail(err, OTR_E_ARG, "3.4", "column '%s': type %d, allowed are 1..5", column->name, (int)column->type);
	}
	return check_limits(schema, OTR_E_ARG, err);
}

/* ---- codec ----------------------------------------------------------------------------------------------------------------- */

static uint8_t
exponent_of(uint32_t page_bytes)
{
	uint8_t exponent = EXPONENT_MIN;

	while (exponent < EXPONENT_MAX && UINT32_C(1) << exponent < page_bytes)
		exponent++;
	return exponent;
}

void
otr__header_encode(uint8_t bytes[OTR__HEADER_BYTES], const struct otr__header *header)
{
	struct otr__put w = otr__put_into(bytes, OTR__HEADER_BYTES);
	const struct otr_schema *schema = &header->schema;
	uint32_t c;

	otr__add_zero(&w, CRC_FROM);        /* magic and crc: below */
	otr__add16(&w, header->major);
	otr__add16(&w, header->minor);
	otr__add64(&w, header->features.compat);
	otr__add64(&w, header->features.ro_compat);
	otr__add64(&w, header->features.incompat);
	otr__add_bytes(&w, header->file_id, 16);
	otr__add64(&w, (uint64_t)header->created_ns);
	otr__add8(&w, exponent_of(schema->page_bytes));
	otr__add8(&w, (uint8_t)schema->columns);
	otr__add8(&w, schema->has_gap ? 1 : 0);
	otr__add_zero(&w, 5);
	otr__add64(&w, schema->has_gap ? schema->gap_ns : 0);
	otr__add_zero(&w, 48);
	for (c = 0; c < schema->columns; c++) {
		const struct otr_column *column = &schema->column[c];
		size_t len = strlen(column->name);

		otr__add8(&w, (uint8_t)column->type);
		otr__add8(&w, (uint8_t)column->interpolation);
		otr__add16(&w, (uint16_t)len);
		otr__add_zero(&w, 4);
		otr__add_bytes(&w, column->name, len);
		otr__add_zero(&w, padded(len) - len);
	}
	otr__add_zero(&w, w.left);
	memcpy(bytes, magic, sizeof magic);
	otr__put32(bytes + CRC_OFFSET, otr__crc32(bytes + CRC_FROM, OTR__HEADER_BYTES - CRC_FROM));
}

/* The column table; unknown types are noted, not refused. */
static enum otr_status
take_columns(struct otr__reader *r, struct otr__header *h, struct otr_error *err)
{
	uint32_t c;

	for (c = 0; c < h->schema.columns; c++) {
		struct otr_column *column = &h->schema.column[c];
		uint8_t type, interpolation;
		uint16_t len;
		const uint8_t *name;

		if (!otr__take8(r, &type) || !otr__take8(r, &interpolation) || !otr__take16(r, &len))
			return otr__fail(err, OTR_E_CORRUPT, "3.4", "the column table ends within column %u of %u", (unsigned)c, (unsigned)h->schema.columns);
		if (!otr__take_zero(r, 4))
			return otr__fail(err, OTR_E_CORRUPT, "2.4", "column %u: bytes 4..7 of its entry are not there or not zero", (unsigned)c);
		if (len < 1 || len > OTR_MAX_NAME || !otr__take_bytes(r, len, &name))
			return otr__fail(err, OTR_E_CORRUPT, "3.4", "column %u: a name of %u bytes, allowed are 1..255 within the header", (unsigned)c,
			    (unsigned)len);
		if (!otr__take_zero(r, padded(len) - len))
			return otr__fail(err, OTR_E_CORRUPT, "2.4", "column %u: padding of its name is not there or not zero", (unsigned)c);
		if (memchr(name, 0, len) != NULL)
			return otr__fail(err, OTR_E_CORRUPT, "2.5", "the name of column %u has a control character", (unsigned)c);
		memcpy(column->name, name, len);
		column->interpolation = (enum otr_interpolation)interpolation;
		if (type >= OTR_BOOL && type <= OTR_F64)
			column->type = (enum otr_type)type;
		else
			h->unsupported_columns |= UINT64_C(1) << c;
	}
	return OTR_OK;
}

static bool
all_zero(const uint8_t *bytes, size_t len)
{
	struct otr__reader r = otr__reader_of(bytes, len);

	return otr__take_zero(&r, len);
}

/* The fields from file_id on, r at 40. */
static enum otr_status
take_fields(struct otr__reader *r, struct otr__header *h, struct otr_error *err)
{
	const uint8_t *id;
	uint64_t created;
	uint8_t exponent, columns, has_gap;
	enum otr_status status;

	if (!otr__take_bytes(r, 16, &id) || !otr__take64(r, &created) || !otr__take8(r, &exponent) || !otr__take8(r, &columns) ||
	    !otr__take8(r, &has_gap))
		return otr__fail(err, OTR_E_CORRUPT, "3", "the header is cut");
	if (all_zero(id, 16))
		return otr__fail(err, OTR_E_CORRUPT, "3", "the file id is all zero");
	memcpy(h->file_id, id, 16);
	h->created_ns = otr__i64(created);
	if (h->created_ns < OTR_TIME_MIN || h->created_ns > OTR_TIME_MAX)
		return otr__fail(err, OTR_E_CORRUPT, "2.3", "the creation time is a reserved one");
	if (exponent < EXPONENT_MIN || exponent > EXPONENT_MAX)
		return otr__fail(err, OTR_E_CORRUPT, "3", "page exponent %u, allowed are 12..16", (unsigned)exponent);
	h->schema.page_bytes = UINT32_C(1) << exponent;
	if (columns < 1 || columns > OTR_MAX_COLUMNS)
		return otr__fail(err, OTR_E_CORRUPT, "2.5", "%u columns, allowed are 1..64", (unsigned)columns);
	h->schema.columns = columns;
	if (has_gap > 1)
		return otr__fail(err, OTR_E_CORRUPT, "3", "has_gap is %u, allowed are 0 and 1", (unsigned)has_gap);
	h->schema.has_gap = has_gap != 0;
	if (!otr__take_zero(r, 5))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "bytes 67..71 of the header are not zero");
	if (!otr__take64(r, &h->schema.gap_ns) || !otr__take_zero(r, 48))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "bytes 80..127 of the header are not zero");
	status = take_columns(r, h, err);
	if (status != OTR_OK)
		return status;
	if (!otr__take_zero(r, r->left))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "bytes after the column table are not zero");
	return check_limits(&h->schema, OTR_E_CORRUPT, err);
}

enum otr_status
otr__header_decode(const uint8_t bytes[OTR__HEADER_BYTES], struct otr__header *header, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(bytes, OTR__HEADER_BYTES);
	struct otr__header h;
	const uint8_t *mark;
	uint32_t stored, crc;
	enum otr_status status;

	memset(&h, 0, sizeof h);
	if (!otr__take_bytes(&r, sizeof magic, &mark) || memcmp(mark, magic, sizeof magic) != 0)
		return otr__fail(err, OTR_E_FORMAT, "3.2-1", "the first 8 bytes are not those of an OTR file");
	if (!otr__take32(&r, &stored))
		return otr__fail(err, OTR_E_CORRUPT, "3", "the header is cut");
	crc = otr__crc32(r.at, r.left);
	if (crc != stored)
		return otr__fail(err, OTR_E_CORRUPT, "3.2-3", "crc of the header's bytes is %08x, the header says %08x", (unsigned)crc, (unsigned)stored);
	if (!otr__take16(&r, &h.major) || !otr__take16(&r, &h.minor) || !otr__take64(&r, &h.features.compat) ||
	    !otr__take64(&r, &h.features.ro_compat) || !otr__take64(&r, &h.features.incompat))
		return otr__fail(err, OTR_E_CORRUPT, "3", "the header is cut");
	if (h.major != OTR_FORMAT_MAJOR)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.2-4", "format version %u.%u, this program reads %d.x", (unsigned)h.major, (unsigned)h.minor,
		    OTR_FORMAT_MAJOR);
	if (h.features.incompat != 0)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.2-4", "format version %u.%u with feature bits %llx, this program reads %d.%d without them",
		    (unsigned)h.major, (unsigned)h.minor, (unsigned long long)h.features.incompat, OTR_FORMAT_MAJOR, OTR_FORMAT_MINOR);
	status = take_fields(&r, &h, err);
	if (status != OTR_OK)
		return status;
	*header = h;
	return OTR_OK;
}
