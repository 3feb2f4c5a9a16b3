/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.h - the commit slot (SPEC 4.1): stamps (whole, flipped, torn or damaged), state, policies, freed pages, the bytes of the record area.
 * Pure codec: which slot wins is decided by otr__slots_choose from bytes alone; who reads them, and when, is db's.
 */
#ifndef OTR_SLOT_H
#define OTR_SLOT_H

#include "header.h"
#include "record.h"

struct otr__slot {
	bool self_synced;
	uint8_t time_digits;
	uint16_t minor;
	uint64_t version;
	int64_t commit_ns;
	struct otr__features features;
	struct otr__ref root;
	uint64_t base_row, tree_rows, rows, rows_ever;
	int64_t first_ns, last_ns;
	uint64_t newest_rewrite;
	struct otr__ref log;
	uint64_t oldest_version;
	struct otr__ref metadata;
	int64_t horizon_ns;
	uint64_t page_count, live_pages;
	struct otr_policies policies;
	uint16_t freed, freed_now;
	uint64_t freed_page[OTR__FREED_MAX];
	bool has_carried;
	uint16_t area_bytes;
	uint8_t area[OTR__SLOT_BODY];          /* the record area, area_bytes of it */
};

/* Bytes that the record area may have beside so many freed pages. */
static inline size_t
otr__slot_room(size_t freed)
{
	return OTR__SLOT_BODY - OTR__SLOT_FIXED - 8 * freed;
}

/* Writes the 4096 bytes; an unwritten slot by otr__slot_encode_unwritten. */
void otr__slot_encode(uint8_t bytes[OTR__SLOT_BYTES], const struct otr__slot *slot, const uint8_t file_id[16]);
void otr__slot_encode_unwritten(uint8_t bytes[OTR__SLOT_BYTES], const uint8_t file_id[16]);

/* Gives a slot that is used in spite of a wrong stamp (4.2-2) the right ones, over which its crc was made.  Whether one was wrong. */
bool otr__slot_mend(uint8_t bytes[OTR__SLOT_BYTES]);

/*
 * Whether the wrong stamps of a slot that is used are those of a write that was cut, of which nothing is missing but stamps (SPEC 4.2-2); a single flipped bit is
 * never taken for that.
 */
bool otr__slot_was_cut(const uint8_t bytes[OTR__SLOT_BYTES]);

enum otr__slot_condition {
	OTR__SLOT_SOUND,
	OTR__SLOT_FLIPPED,       /* usable; a stamp was wrong */
	OTR__SLOT_UNWRITTEN,     /* sound, and never written */
	OTR__SLOT_BAD            /* crc, file id or a field is wrong */
};
/*
 * Decodes a slot; *slot is filled if SOUND or FLIPPED.  Fields are checked (4.1-1, 4.1-2, policies, records: each record decoded once, versions ascending,
 * the last one's version the slot's; carried block present if has_carried) so that later use may trust the structure.  In BAD, err tells why.
 */
enum otr__slot_condition otr__slot_decode(const uint8_t bytes[OTR__SLOT_BYTES], const struct otr__header *header, struct otr__slot *slot,
    struct otr_error *err);

/* How a bad slot beside a sound one of version v is to be judged (SPEC 4.2). */
enum otr__slot_verdict { OTR__VERDICT_TORN, OTR__VERDICT_OLDER, OTR__VERDICT_DAMAGED };
/*
 * begins: the sound slot's newest record is a creation or a compaction, so that the bad one may not have been written before (4.2-3).
 * *next_version: the number that the version after has to take (4.2-8).
 */
enum otr__slot_verdict otr__slot_judge(const uint8_t bytes[OTR__SLOT_BYTES], uint64_t v, bool begins, uint64_t *next_version);

/* Whether the slot's newest record is a creation or a compaction. */
bool otr__slot_begins(const struct otr__slot *slot, const struct otr_schema *schema);

/* Iterates the record area: rows of the carried block are appended to carried (NULL: skipped); record[0..OTR__RECORDS_MAX). */
OTR_MUST_CHECK enum otr_status otr__slot_records(const struct otr__slot *slot, const struct otr_schema *schema, struct otr__rows *carried,
    struct otr__record *record, uint32_t *records, struct otr_error *err);

#endif
