/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_csv.c - CSV and TSV: records and fields, which written again are the same, and rows of a series.
 *
 *	u8 flags (1 tsv, 2 no header, 4 any time, 8 unknown columns ignored, 16 unit ms, 32 semicolon, 64 nulls are "-"), text
 */
#include "csv.h"
#include "input.h"

static const struct otr_schema schema = { .columns = 5, .page_bytes = 4096, .column = { { "b", OTR_BOOL, OTR_STEP }, { "i", OTR_I32, OTR_STEP },
	{ "n", OTR_I64, OTR_STEP }, { "f", OTR_F32, OTR_LINEAR }, { "v", OTR_F64, OTR_LINEAR } } };

/* The fields of one record, written and read again. */
static void
again(const struct csv_record *record, char delimiter, bool tsv)
{
	struct out o = { .room = OUT_BYTES, .fd = -1, .bytes = fuzz_memory(OUT_BYTES) };
	struct csv_record back;
	struct csv_reader r;
	size_t i, bytes = 2;

	for (i = 0; i < record->count; i++)
		bytes += 2 * record->field[i].len + 3;
	if (bytes <= OUT_BYTES && !(record->count == 1 && record->field[0].len == 0)) {
		for (i = 0; i < record->count; i++) {
			if (i > 0)
				out_bytes(&o, &delimiter, 1);
			csv_write(&o, record->field[i].text, record->field[i].len, delimiter, tsv);
		}
		out_text(&o, "\n");
		csv_init(&r, fuzz_fd((uint8_t *)o.bytes, o.used), delimiter, tsv);
		while (csv_next(&r, &back) == CSV_NEED)
			REQUIRE(csv_fill(&r) == 0, "an input can be read");
		REQUIRE(csv_split(&r, &back) == NULL && back.count == record->count, "a record that is written is a record");
		for (i = 0; i < back.count; i++)
			REQUIRE(back.field[i].len == record->field[i].len && memcmp(back.field[i].text, record->field[i].text, back.field[i].len) == 0,
			    "a field that is written is the same");
		csv_release(&r);
	}
	free(o.bytes);
}

static void
read_records(const char *text, size_t len, char delimiter, bool tsv)
{
	struct csv_reader r;
	struct csv_record record;
	enum csv_status status;
	int fd = fuzz_fd((const uint8_t *)text, len);
	off_t at;
	unsigned n = 0;

	csv_init(&r, fd, delimiter, tsv);
	while ((status = csv_next(&r, &record)) == CSV_RECORD || status == CSV_NEED) {
		if (status == CSV_NEED)
			REQUIRE(csv_fill(&r) == 0, "an input can be read");
		else if (csv_split(&r, &record) == NULL && n++ < 2) {
			at = lseek(fd, 0, SEEK_CUR);
			again(&record, delimiter, tsv);
			(void)fuzz_fd((const uint8_t *)text, len);
			REQUIRE(lseek(fd, at, SEEK_SET) == at, "an input can be read on");
		}
	}
	csv_release(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct loader_map map[] = { { "x", 1, "v" } };
	static struct zone *zone;
	struct fuzz_bytes b = { data, size };
	unsigned flags = (unsigned)fuzz_take(&b, 1);
	struct loader_rules rules = { .schema = &schema, .format = (flags & 1) != 0 ? LOADER_TSV : LOADER_CSV,
		.delimiter = (flags & 1) != 0 ? '\t' : (flags & 32) != 0 ? ';' : ',', .no_header = (flags & 2) != 0, .map = map, .map_count = 1,
		.ignore_unknown = (flags & 8) != 0, .null_text = (flags & 64) != 0 ? "-" : "", .has_unit = (flags & 16) != 0, .unit = TIMEARG_MS,
		.any_time = (flags & 4) != 0, .now = 1800000000000000000 };
	clock_t from = clock();
	char why[100];

	if (zone == NULL)
		zone = zone_open("UTC", why, sizeof why);
	REQUIRE(zone != NULL, "there is UTC");
	rules.zone = zone;
	read_records((const char *)b.at, b.left, rules.delimiter, (flags & 1) != 0);
	fuzz_load(&rules, b.at, b.left, flags % 3 == 0 ? 3 : LOADER_BATCH);
	fuzz_within(from, 1, "an input");
	return 0;
}
