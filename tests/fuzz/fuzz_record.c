/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_record.c - commit records and row blocks, one behind the other (SPEC 4.3, 4.4).  Sound ones are written as they were read.
 *
 *	schema, u8 what (0 records, else row blocks), bytes
 */
#include "fuzz.h"
#include "record.h"

static void
read_records(struct otr__reader *r, const struct otr_schema *schema, struct otr__rows *rows)
{
	struct otr__record record;
	struct otr_error err;
	const uint8_t *at = r->at;
	uint32_t n;

	for (; otr__record_get(r, schema, &record, &err) == OTR_OK; at = r->at) {
		size_t len = (size_t)(r->at - at);
		uint8_t *copy = fuzz_memory(len);
		struct otr__put w = otr__put_into(copy, len);

		REQUIRE(otr__record_size(&record) == len, "a record is as long as it says");
		otr__record_put(&w, &record);
		REQUIRE(!w.failed && memcmp(copy, at, len) == 0, "a sound record is written as it was read");
		free(copy);
		if (record.block != NULL) {
			struct otr__reader block = otr__reader_of(record.block, record.block_bytes);

			if (otr__block_get(&block, schema, rows, &n, &err) == OTR_OK)
				REQUIRE(n == record.row_count, "a block holds the rows that were counted");
		}
	}
}

static void
read_blocks(struct otr__reader *r, const struct otr_schema *schema, struct otr__rows *rows)
{
	struct otr_error err;
	const uint8_t *at = r->at;
	size_t from = 0;
	uint32_t n;

	for (; otr__block_get(r, schema, rows, &n, &err) == OTR_OK; at = r->at, from = rows->n) {
		size_t len = (size_t)(r->at - at);
		uint8_t *copy = fuzz_memory(len);
		struct otr__put w = otr__put_into(copy, len);

		REQUIRE(otr__block_size(schema, n) == len && rows->n == from + n, "a block is as long as its rows");
		otr__block_put(&w, schema, rows, from, rows->n);
		REQUIRE(!w.failed && memcmp(copy, at, len) == 0, "a sound block is written as it was read");
		free(copy);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	struct otr_schema schema;
	struct otr__reader r;
	struct otr__rows rows;
	bool records;
	size_t len;
	uint8_t *bytes;

	fuzz_schema(&b, &schema);
	records = fuzz_take(&b, 1) == 0;
	len = b.left;
	bytes = fuzz_rest(&b, 0, len);
	r = otr__reader_of(bytes, len);
	REQUIRE(otr__rows_init(&rows, schema.columns, 1), "there is memory");
	if (records)
		read_records(&r, &schema, &rows);
	else
		read_blocks(&r, &schema, &rows);
	otr__rows_release(&rows);
	free(bytes);
	return 0;
}
