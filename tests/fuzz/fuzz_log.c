/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_log.c - a log page decoded; what is sound is encoded anew and can be decoded again (SPEC 4.5).
 *
 *	schema, then the page from byte 32 on
 */
#include "fuzz.h"
#include "record.h"

static struct otr__scratch *scratch;

static void
again(uint8_t *page, const struct otr_schema *schema, struct otr__log_page *log)
{
	struct otr__log_page back;
	struct otr_error err;
	uint8_t *copy = fuzz_memory(schema->page_bytes);
	bool nomem = false;

	otr__log_page_init(&back);
	if (otr__log_page_encode(copy, schema->page_bytes, schema, log, scratch, &nomem) > 0) {
		memcpy(copy, page, 40);
		REQUIRE(otr__log_page_decode(copy, schema->page_bytes, schema, &back, scratch, &err) == OTR_OK, "what was encoded can be decoded");
		REQUIRE(back.records == log->records && back.groups == log->groups && back.rows.n == log->rows.n, "all of it comes back");
	}
	otr__log_page_release(&back);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes b = { data, size };
	struct otr_schema schema;
	struct otr__log_links links;
	struct otr__log_page log;
	struct otr_error err;
	enum otr_status status;
	uint64_t sum = 0;
	uint8_t *page;
	uint32_t i, k;
	clock_t from = clock();

	if (scratch == NULL)
		scratch = otr__scratch_create();
	REQUIRE(scratch != NULL, "there is memory");
	fuzz_schema(&b, &schema);
	page = fuzz_rest(&b, 32, schema.page_bytes);
	otr__log_page_init(&log);
	status = otr__log_links_decode(page, schema.page_bytes, &schema, &links, &err);
	if (otr__log_page_decode(page, schema.page_bytes, &schema, &log, scratch, &err) == OTR_OK) {
		REQUIRE(status == OTR_OK, "a sound page has sound links");
		for (i = 0; i < log.records; i++)
			for (k = 0; k < log.record[i].author_bytes + (uint32_t)log.record[i].message_bytes; k++)
				sum += k < log.record[i].author_bytes ? log.record[i].author[k] : log.record[i].message[k - log.record[i].author_bytes];
		for (i = 0; i < log.rows.n; i++)
			sum += (uint64_t)log.rows.time_ns[i];
		REQUIRE(sum != 1, "strings and rows can be read");
		again(page, &schema, &log);
	}
	otr__log_page_release(&log);
	free(page);
	fuzz_within(from, 1, "a log page");
	return 0;
}
