/* SPDX-License-Identifier: BSD-2-Clause */
/* test_header.c - the file header and the limits of a schema (SPEC 2.5, 3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/checksum.h"
#include "../../lib/cursor.h"
#include "../../lib/header.h"
#include "tap.h"

static struct otr__header header;
static uint8_t bytes[OTR__HEADER_BYTES];

static void
make(void)
{
	memset(&header, 0, sizeof header);
	header.major = 1;
	header.file_id[3] = 7;
	header.created_ns = 1700000000000000000;
	header.schema.columns = 3;
	header.schema.page_bytes = 16384;
	header.schema.has_gap = true;
	header.schema.gap_ns = 5;
	memcpy(header.schema.column[0].name, "v", 2);
	memcpy(header.schema.column[1].name, "sm\xc3\xb8r br\xc3\xb8" "d", 12);
	memcpy(header.schema.column[2].name, "eight888", 9);
	header.schema.column[0].type = OTR_F64;
	header.schema.column[1].type = OTR_BOOL;
	header.schema.column[1].interpolation = OTR_STEP;
	header.schema.column[2].type = OTR_I32;
	otr__header_encode(bytes, &header);
}

static void
reseal(void)
{
	otr__put32(bytes + 8, otr__crc32(bytes + 12, sizeof bytes - 12));
}

/* The answer to a header of which `len` bytes at `at` are changed to those of word. */
static enum otr_status
changed(size_t at, uint64_t word, size_t len, const char *spec)
{
	static struct otr__header got;
	struct otr_error err = { .spec = "" };
	enum otr_status status;
	uint8_t le[8];

	make();
	otr__put64(le, word);
	memcpy(bytes + at, le, len);
	reseal();
	status = otr__header_decode(bytes, &got, &err);
	return status != OTR_OK && strcmp(err.spec, spec) != 0 ? OTR_END : status;
}

static void
test_codec(void)
{
	struct otr__header *got = calloc(1, sizeof *got);
	struct otr_error err;
	unsigned bit, silent = 0;
	unsigned long long seed = 3;

	if (got == NULL)
		exit(1);
	make();
	CHECK(otr__header_decode(bytes, got, &err) == OTR_OK && memcmp(got, &header, sizeof header) == 0, "3: a header is read as it was written");
	CHECK(bytes[0] == 0x89 && bytes[64] == 14 && bytes[65] == 3 && bytes[66] == 1 && bytes[72] == 5 && bytes[128] == 5 && bytes[130] == 1 &&
	    bytes[136] == 'v' && bytes[144] == 1 && bytes[145] == 1 && bytes[146] == 11 && bytes[168] == 2 && bytes[176] == 'e' && bytes[184] == 0,
	    "3, 3.4: the fields stand where the drawings say");
	for (bit = 0; bit < 8 * sizeof bytes; bit++) {
		enum otr_status status;

		bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
		status = otr__header_decode(bytes, got, NULL);
		silent += status != (bit < 64 ? OTR_E_FORMAT : OTR_E_CORRUPT);
		bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
	}
	CHECK(silent == 0, "3.2-1, 3.2-3: a flipped bit is *not OTR* in the magic, *damaged* behind it");
	CHECK(changed(12, 2, 2, "3.2-4") == OTR_E_UNSUPPORTED, "3.2-4: another major version is too new");
	CHECK(changed(32, 1, 8, "3.2-4") == OTR_E_UNSUPPORTED, "3.2-4: an unknown bit of incompat is too new");
	CHECK(changed(14, 9, 2, "") == OTR_OK, "3: a greater minor version is read");
	make();
	bytes[14] = 9;
	bytes[127] = 1;
	reseal();
	CHECK(otr__header_decode(bytes, got, NULL) == OTR_E_CORRUPT, "3.3-2: what is reserved is zero in a greater minor version too");
	make();
	bytes[12] = 2;
	CHECK(otr__header_decode(bytes, got, NULL) == OTR_E_CORRUPT, "3.2: the CRC is looked at before the version");
	bytes[127] = 1;
	reseal();
	CHECK(otr__header_decode(bytes, got, NULL) == OTR_E_UNSUPPORTED, "3.2: and the version before the fields, which may mean something else");
	for (bit = 0, silent = 0; bit < 64; bit++)
		silent += changed(16, UINT64_C(1) << bit, 8, "") != OTR_OK || changed(24, UINT64_C(1) << bit, 8, "") != OTR_OK ||
		    changed(32, UINT64_C(1) << bit, 8, "3.2-4") != OTR_E_UNSUPPORTED;
	CHECK(silent == 0, "3.3, 14.5: no bit is known: with any of compat or ro_compat a file is read, with any of incompat it is too new");
	CHECK(changed(40, 0, 8, "3") == OTR_E_CORRUPT, "3: a file id of zeros is refused");
	CHECK(changed(56, INT64_MAX, 8, "2.3") == OTR_E_CORRUPT && changed(56, UINT64_C(1) << 63, 8, "2.3") == OTR_E_CORRUPT,
	    "2.3: a reserved creation time is refused");
	CHECK(changed(64, 11, 1, "3") == OTR_E_CORRUPT && changed(64, 17, 1, "3") == OTR_E_CORRUPT, "3: page exponents 11 and 17 are refused");
	CHECK(changed(65, 0, 1, "2.5") == OTR_E_CORRUPT && changed(65, 65, 1, "2.5") == OTR_E_CORRUPT, "2.5: 0 and 65 columns are refused");
	CHECK(changed(65, 2, 1, "2.4") == OTR_E_CORRUPT, "2.4: bytes after the column table that are not zero are refused");
	CHECK(changed(65, 4, 1, "3.4") == OTR_E_CORRUPT, "3.4: a column without a name is refused");
	CHECK(changed(66, 2, 1, "3") == OTR_E_CORRUPT, "3: has_gap 2 is refused");
	CHECK(changed(66, 0, 1, "3") == OTR_E_CORRUPT, "3: a gap without has_gap is refused");
	CHECK(changed(72, 0, 8, "3") == OTR_E_CORRUPT && changed(72, INT64_MAX, 8, "3") == OTR_E_CORRUPT, "3: gaps of 0 and 2^63 - 1 are refused");
	CHECK(changed(67, 1, 1, "2.4") == OTR_E_CORRUPT && changed(127, 1, 1, "2.4") == OTR_E_CORRUPT && changed(4095, 1, 1, "2.4") == OTR_E_CORRUPT &&
	    changed(132, 1, 4, "2.4") == OTR_E_CORRUPT && changed(137, 1, 1, "2.4") == OTR_E_CORRUPT, "2.4: bytes that are not zero are refused");
	CHECK(changed(129, 2, 1, "3.4") == OTR_E_CORRUPT, "3.4: interpolation 2 is refused");
	CHECK(changed(130, 256, 2, "3.4") == OTR_E_CORRUPT && changed(130, 0, 2, "3.4") == OTR_E_CORRUPT, "3.4: names of 0 and 256 bytes are refused");
	CHECK(changed(136, 0, 1, "2.5") == OTR_E_CORRUPT && changed(136, 7, 1, "2.5") == OTR_E_CORRUPT && changed(136, 0xff, 1, "2.5") == OTR_E_CORRUPT,
	    "2.5: control characters and what is not UTF-8 are refused in names");
	make();
	bytes[128] = 99;
	reseal();
	CHECK(otr__header_decode(bytes, got, NULL) == OTR_OK && got->unsupported_columns == 1 && (int)got->schema.column[0].type == 0 &&
	    got->schema.column[1].type == OTR_BOOL, "3.4: a column of an unknown type is unsupported, the others stay readable");
	for (bit = 0; bit < 100000; bit++) {
		make();
		bytes[12 + tap_random(&seed) % 200] = (uint8_t)tap_random(&seed);
		bytes[12 + tap_random(&seed) % 200] = (uint8_t)tap_random(&seed);
		reseal();
		(void)!otr__header_decode(bytes, got, NULL);
	}
	CHECK(bit == 100000, "a header of any bytes is checked without harm");
	free(got);
}

static bool
name_ok(const char *name)
{
	make();
	memset(header.schema.column[0].name, 0, sizeof header.schema.column[0].name);
	memcpy(header.schema.column[0].name, name, strlen(name));
	return otr__schema_check(&header.schema, NULL) == OTR_OK;
}

static void
test_schema(void)
{
	struct otr_schema *s = &header.schema;
	struct otr__header *got = calloc(1, sizeof *got);
	struct otr_error err;
	uint32_t c;

	if (got == NULL)
		exit(1);
	make();
	CHECK(otr__schema_check(s, &err) == OTR_OK, "2.5: a good schema");
	CHECK(name_ok("a") && name_ok("Time") && name_ok("times") && name_ok("a b") && name_ok("time_min") && name_ok("\xf0\x9f\xa6\xa6"), "2.5: good names");
	CHECK(!name_ok("") && !name_ok(" a") && !name_ok("a ") && !name_ok("a,b") && !name_ok("a:b") && !name_ok("a=b") && !name_ok("a\"b") &&
	    !name_ok("a\tb") && !name_ok("a\x7f") && !name_ok("\xc2\x85"), "2.5: characters that no name has");
	CHECK(!name_ok("file") && !name_ok("time") && !name_ok("time_s") && !name_ok("time_ms") && !name_ok("time_us") && !name_ok("time_ns"),
	    "2.5: names that text formats need");
	CHECK(!name_ok("\xc0\x80") && !name_ok("\xe0\x80\x80") && !name_ok("\xed\xa0\x80") && !name_ok("\xf4\x90\x80\x80") && !name_ok("a\xc3"),
	    "2.5: overlong forms, surrogates, too great and cut characters");
	CHECK(!name_ok("eight888"), "2.5: two columns of one name");
	make();
	memset(s->column[0].name, 'x', sizeof s->column[0].name);
	CHECK(otr__schema_check(s, &err) == OTR_E_ARG, "2.5: a name of 256 bytes");
	s->column[0].name[255] = 0;
	CHECK(otr__schema_check(s, &err) == OTR_OK, "2.5: a name of 255 bytes");
	make();
	s->column[1].type = (enum otr_type)0;
	CHECK(otr__schema_check(s, &err) == OTR_E_ARG, "3.4: no type");
	make();
	s->page_bytes = 3000;
	CHECK(otr__schema_check(s, &err) == OTR_E_ARG, "2.5: a page size of 3000");
	s->page_bytes = 4096;
	CHECK(otr__schema_check(s, &err) == OTR_OK, "3.4: three columns have room for eight children in 4 KiB");
	make();
	s->columns = 0;
	CHECK(otr__schema_check(s, &err) == OTR_E_ARG, "2.5: no column");
	s->columns = 65;
	CHECK(otr__schema_check(s, &err) == OTR_E_ARG, "2.5: 65 columns");
	s->columns = 64;
	s->page_bytes = 65536;
	for (c = 0; c < 64; c++) {
		memset(s->column[c].name, 0, sizeof s->column[c].name);
		(void)snprintf(s->column[c].name, sizeof s->column[c].name, "%054u", c);
		s->column[c].type = OTR_F64;
		s->column[c].interpolation = OTR_LINEAR;
	}
	CHECK(otr__schema_check(s, &err) == OTR_E_ARG && strstr(err.text, "4096") != NULL, "2.5: 64 names of 54 bytes take 4096 bytes: too many");
	for (c = 0; c < 64; c++) {
		memset(s->column[c].name, 0, sizeof s->column[c].name);
		(void)snprintf(s->column[c].name, sizeof s->column[c].name, "%048u", c);
	}
	CHECK(otr__schema_check(s, &err) == OTR_OK, "2.5: 64 names of 48 bytes fit");
	otr__header_encode(bytes, &header);
	CHECK(otr__header_decode(bytes, got, &err) == OTR_OK && memcmp(got, &header, sizeof header) == 0, "3: the most columns there can be, and back");
	s->page_bytes = 32768;
	CHECK(otr__schema_check(s, &err) == OTR_E_ARG && strcmp(err.spec, "3.4") == 0, "3.4: fewer than eight children");
	free(got);
}

int
main(void)
{
	test_codec();
	test_schema();
	return tap_done();
}
