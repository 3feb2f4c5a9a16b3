/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_slot.c - a slot decoded, judged, its records and rows read (SPEC 4.1 to 4.4).  A sound one is written as it was read.
 *
 *	schema, u8 flags (1: crc not repaired, 2: stamps from the input), body of 4032 bytes, stamps
 */
#include "checksum.h"
#include "fuzz.h"
#include "slot.h"

static const uint8_t file_id[16] = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f };

/* The 4096 bytes as they lie in a file. */
static uint8_t *
assemble(struct fuzz_bytes *b)
{
	unsigned flags = (unsigned)fuzz_take(b, 1), i;
	uint8_t *body = fuzz_rest(b, 0, OTR__SLOT_BODY), *bytes = fuzz_memory(OTR__SLOT_BYTES);
	uint64_t version = otr__get64(body + 24);

	for (i = 0; i < OTR__SECTORS; i++) {
		memcpy(bytes + 512 * i, body + 504 * i, 504);
		otr__put64(bytes + 512 * i + 504, (flags & 2) != 0 ? fuzz_take(b, 8) : version + 1);
	}
	if ((flags & 1) == 0) {
		memcpy(bytes + 8, file_id, sizeof file_id);
		otr__put32(bytes, otr__crc32(bytes + 4, OTR__SLOT_BYTES - 4));
	}
	free(body);
	return bytes;
}

static void
read_slot(const struct otr__slot *slot, const struct otr_schema *schema)
{
	static struct otr__record record[OTR__RECORDS_MAX];
	struct otr__rows carried;
	struct otr_error err;
	enum otr_status status;
	uint32_t records = 0, i, n;

	REQUIRE(otr__rows_init(&carried, schema->columns, 1), "there is memory");
	(void)otr__slot_begins(slot, schema);
	status = otr__slot_records(slot, schema, &carried, record, &records, &err);
	for (i = 0; status == OTR_OK && i < records; i++) {
		struct otr__reader r = otr__reader_of(record[i].block, record[i].block_bytes);

		if (record[i].block != NULL && otr__block_get(&r, schema, &carried, &n, &err) == OTR_OK)
			REQUIRE(n == record[i].row_count && r.left == 0, "a block holds the rows that were counted");
	}
	otr__rows_release(&carried);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	static struct otr__header header;
	static struct otr__slot slot;
	struct otr_error err;
	enum otr__slot_condition condition;
	uint8_t *bytes, *copy;
	uint64_t next = 0;

	memset(&header, 0, sizeof header);
	memcpy(header.file_id, file_id, sizeof file_id);
	header.major = 1;
	fuzz_schema(&b, &header.schema);
	bytes = assemble(&b);
	condition = otr__slot_decode(bytes, &header, &slot, &err);
	if (condition == OTR__SLOT_SOUND || condition == OTR__SLOT_FLIPPED)
		read_slot(&slot, &header.schema);
	if (condition == OTR__SLOT_SOUND && slot.features.incompat == 0) {
		copy = fuzz_memory(OTR__SLOT_BYTES);
		otr__slot_encode(copy, &slot, file_id);
		REQUIRE(memcmp(copy, bytes, OTR__SLOT_BYTES) == 0, "a sound slot is written as it was read");
		free(copy);
	}
	(void)otr__slot_judge(bytes, otr__get64(bytes + 24) - 1, false, &next);
	(void)otr__slot_judge(bytes, 3, true, &next);
	free(bytes);
	return 0;
}
