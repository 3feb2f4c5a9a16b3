/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.c - the commit slot (SPEC 4.1), what a bad one tells (4.2), and the walk over its record area (4.3).
 *
 * Owns the layout of the body, the stamps, and the checks a slot allows by itself.  Does not own: reading slots, and which of two sound ones is
 * the state (db.c).  No I/O; no allocation but for carried rows.  After a successful decode every page number is in the file, every count fits,
 * and the record area may be walked.  A slot with an incompat feature is sound by its crc alone (3.2): it comes out with version, minor and that
 * word, all else zero, and who reads it has to say "too new".
 *
 * In the file, eight sectors of 504 bytes of body and a stamp:
 *
 *      0              504 512            1016 1024                          4096
 *      +--------------+---+--------------+----+---  ...  ---+-----------+----+
 *      | body 0..503  | s | body 504 ..  | s  |             | .. 4031   | s  |     s: u64 stamp, version + 1
 *      +--------------+---+--------------+----+---  ...  ---+-----------+----+
 *
 *      OFFSET SIZE FIELD              of the body
 *           0    4 crc                of bytes 4..4095 of the slot as it lies in the file
 *           4    1 self_synced        0 or 1
 *           5    1 time_digits        0, 3, 6, 9
 *           6    2 minor
 *           8   16 file_id
 *          24    8 version
 *          32    8 commit_ns
 *          40   24 compat, ro_compat, incompat
 *          64   24 root               all zero: no tree
 *          88    8 base_row
 *          96    8 tree_rows
 *         104    8 rows
 *         112    8 rows_ever
 *         120    8 first_ns           0 if rows is 0
 *         128    8 last_ns
 *         136    8 newest_rewrite     0: none
 *         144   24 log
 *         168    8 oldest_version
 *         176   24 metadata
 *         200    8 horizon_ns         INT64_MIN: nothing has expired
 *         208    8 page_count
 *         216    8 live_pages
 *         224    1 duplicates         0..3
 *         225    1 has_max_size       0 or 1
 *         226    1 has_retain         0 or 1
 *         227    1 history            0..3
 *         228    4 zero
 *         232    8 max_size
 *         240    8 retain_ns
 *         248    8 history_value
 *         256    2 freed              f, 0..64
 *         258    2 freed_now          <= f
 *         260    2 area_bytes         a multiple of 8
 *         262    1 has_carried        0 or 1
 *         263    1 zero
 *         264   8f freed pages        distinct
 *      264+8f   .. record area        area_bytes, then zeros
 */
#include "slot.h"

#include "checksum.h"
#include "recordcheck.h"

#define SECTOR_BYTES 512u
#define SECTOR_BODY 504u
#define VERSION_OFFSET 24u             /* these four are in sector 0, so the same in the slot as in the body */
#define FILE_ID_OFFSET 8u
#define MINOR_OFFSET 6u
#define INCOMPAT_OFFSET 56u
#define TORN_REACH 65537u              /* 4.2-3: a new stamp is at most so far ahead */

/* ---- stamps -------------------------------------------------------------------------------------------------------------- */

static uint64_t
stamp_of(const uint8_t bytes[OTR__SLOT_BYTES], unsigned sector)
{
	return otr__get64(bytes + SECTOR_BYTES * sector + SECTOR_BODY);
}

static void
set_stamps(uint8_t bytes[OTR__SLOT_BYTES], uint64_t stamp)
{
	unsigned i;

	for (i = 0; i < OTR__SECTORS; i++)
		otr__put64(bytes + SECTOR_BYTES * i + SECTOR_BODY, stamp);
}

static bool
stamps_are(const uint8_t bytes[OTR__SLOT_BYTES], uint64_t stamp)
{
	unsigned i;

	for (i = 0; i < OTR__SECTORS; i++)
		if (stamp_of(bytes, i) != stamp)
			return false;
	return true;
}

bool
otr__slot_mend(uint8_t bytes[OTR__SLOT_BYTES])
{
	uint64_t stamp = otr__get64(bytes + VERSION_OFFSET) + 1;

	if (stamps_are(bytes, stamp))
		return false;
	set_stamps(bytes, stamp);
	return true;
}

/* 4.2-2: whether a single stamp is wrong, in a single bit. */
static bool
is_one_flip(const uint8_t bytes[OTR__SLOT_BYTES], uint64_t stamp)
{
	uint64_t all = 0;
	unsigned wrong = 0, i;

	for (i = 0; i < OTR__SECTORS; i++) {
		uint64_t x = stamp_of(bytes, i) ^ stamp;

		wrong += x != 0;
		all |= x;
	}
	return wrong == 1 && (all & (all - 1)) == 0;
}

/* 4.2-2: whether stamps of a later version stand among those of this one, which a single flipped bit does not explain. */
static bool
written_over(const uint8_t bytes[OTR__SLOT_BYTES], uint64_t stamp)
{
	bool later = false;
	unsigned i;

	for (i = 0; i < OTR__SECTORS; i++) {
		uint64_t s = stamp_of(bytes, i);

		later = later || (s > stamp && s - stamp < TORN_REACH);
	}
	return later && !is_one_flip(bytes, stamp);
}

bool
otr__slot_was_cut(const uint8_t bytes[OTR__SLOT_BYTES])
{
	uint64_t version = otr__get64(bytes + VERSION_OFFSET);
	bool old = false;
	unsigned i;

	for (i = 0; i < OTR__SECTORS; i++) {
		uint64_t s = stamp_of(bytes, i);

		if (s == version + 1)
			continue;
		if ((s < 1 || s > version) && s != OTR__STAMP_UNWRITTEN)
			return false;
		old = true;
	}
	return old && !is_one_flip(bytes, version + 1);
}

static bool
crc_is_right(const uint8_t bytes[OTR__SLOT_BYTES])
{
	return otr__get32(bytes) == otr__crc32(bytes + 4, OTR__SLOT_BYTES - 4);
}

/* 4.2-3 to 4.2-6 and 4.2-8, rule by rule. */
enum otr__slot_verdict
otr__slot_judge(const uint8_t bytes[OTR__SLOT_BYTES], uint64_t v, bool begins, uint64_t *next_version)
{
	unsigned is_new = 0, is_old = 0, i;
	uint64_t greatest = 0;

	for (i = 0; i < OTR__SECTORS; i++) {
		uint64_t s = stamp_of(bytes, i);

		if (s >= v + 2 && s - v <= TORN_REACH) {
			is_new++;
			greatest = s > greatest ? s : greatest;
		} else if ((s >= 1 && s <= v) || (begins && s == OTR__STAMP_UNWRITTEN)) {
			is_old++;
		}
	}
	*next_version = v + 2;
	if (is_new > 0 && is_new + is_old == OTR__SECTORS && !stamps_are(bytes, stamp_of(bytes, 0))) {
		*next_version = greatest;
		return OTR__VERDICT_TORN;
	}
	return is_new == 0 && is_old > 0 ? OTR__VERDICT_OLDER : OTR__VERDICT_DAMAGED;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------------ */

static void
spread(uint8_t bytes[OTR__SLOT_BYTES], const uint8_t body[OTR__SLOT_BODY], uint64_t stamp)
{
	unsigned i;

	for (i = 0; i < OTR__SECTORS; i++)
		memcpy(bytes + SECTOR_BYTES * i, body + SECTOR_BODY * i, SECTOR_BODY);
	set_stamps(bytes, stamp);
	otr__put32(bytes, otr__crc32(bytes + 4, OTR__SLOT_BYTES - 4));
}

void
otr__slot_encode(uint8_t bytes[OTR__SLOT_BYTES], const struct otr__slot *slot, const uint8_t file_id[16])
{
	uint8_t body[OTR__SLOT_BODY];
	struct otr__put w = otr__put_into(body, sizeof body);
	unsigned i;

	otr__add32(&w, 0);                     /* crc: by spread */
	otr__add8(&w, slot->self_synced);
	otr__add8(&w, slot->time_digits);
	otr__add16(&w, slot->minor);
	otr__add_bytes(&w, file_id, 16);
	otr__add64(&w, slot->version);
	otr__add64(&w, (uint64_t)slot->commit_ns);
	otr__add64(&w, slot->features.compat);
	otr__add64(&w, slot->features.ro_compat);
	otr__add64(&w, slot->features.incompat);
	otr__ref_put(&w, &slot->root);
	otr__add64(&w, slot->base_row);
	otr__add64(&w, slot->tree_rows);
	otr__add64(&w, slot->rows);
	otr__add64(&w, slot->rows_ever);
	otr__add64(&w, (uint64_t)slot->first_ns);
	otr__add64(&w, (uint64_t)slot->last_ns);
	otr__add64(&w, slot->newest_rewrite);
	otr__ref_put(&w, &slot->log);
	otr__add64(&w, slot->oldest_version);
	otr__ref_put(&w, &slot->metadata);
	otr__add64(&w, (uint64_t)slot->horizon_ns);
	otr__add64(&w, slot->page_count);
	otr__add64(&w, slot->live_pages);
	otr__add8(&w, (uint8_t)slot->policies.duplicates);
	otr__add8(&w, slot->policies.has_max_size);
	otr__add8(&w, slot->policies.has_retain);
	otr__add8(&w, (uint8_t)slot->policies.history);
	otr__add_zero(&w, 4);
	otr__add64(&w, slot->policies.max_bytes);
	otr__add64(&w, slot->policies.retain_ns);
	otr__add64(&w, slot->policies.history_value);
	otr__add16(&w, slot->freed);
	otr__add16(&w, slot->freed_now);
	otr__add16(&w, slot->area_bytes);
	otr__add8(&w, slot->has_carried);
	otr__add8(&w, 0);
	for (i = 0; i < slot->freed && i < OTR__FREED_MAX; i++)
		otr__add64(&w, slot->freed_page[i]);
	otr__add_bytes(&w, slot->area, slot->area_bytes);
	otr__add_zero(&w, w.left);
	spread(bytes, body, slot->version + 1);
}

void
otr__slot_encode_unwritten(uint8_t bytes[OTR__SLOT_BYTES], const uint8_t file_id[16])
{
	uint8_t body[OTR__SLOT_BODY] = { 0 };

	memcpy(body + FILE_ID_OFFSET, file_id, 16);
	spread(bytes, body, OTR__STAMP_UNWRITTEN);
}

/* ---- decoding ------------------------------------------------------------------------------------------------------------ */

static bool
take_i64(struct otr__reader *r, int64_t *v)
{
	uint64_t u;

	if (!otr__take64(r, &u))
		return false;
	*v = otr__i64(u);
	return true;
}

/* A byte that is 0 or 1. */
static bool
take_bool(struct otr__reader *r, bool *v)
{
	uint8_t b;

	if (!otr__take8(r, &b) || b > 1)
		return false;
	*v = b == 1;
	return true;
}

static enum otr_status
get_policies(struct otr__reader *r, struct otr_policies *p, struct otr_error *err)
{
	uint8_t duplicates = 0, history = 0;

	if (!otr__take8(r, &duplicates) || !take_bool(r, &p->has_max_size) || !take_bool(r, &p->has_retain) || !otr__take8(r, &history) ||
	    duplicates > OTR_ERROR || history > OTR_HISTORY_FITS)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: policies: duplicates %u, history %u, or a flag that is not 0 or 1", duplicates, history);
	p->duplicates = (enum otr_duplicates)duplicates;
	p->history = (enum otr_history)history;
	if (!otr__take_zero(r, 4) || !otr__take64(r, &p->max_bytes) || !otr__take64(r, &p->retain_ns) || !otr__take64(r, &p->history_value))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "slot: bytes 228 to 231 are not zero");
	if (!p->has_max_size && p->max_bytes != 0)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: max_size is %llu without has_max_size", (unsigned long long)p->max_bytes);
	if (p->has_retain ? p->retain_ns == 0 || p->retain_ns > OTR_TIME_MAX : p->retain_ns != 0)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: retain_ns is %llu, has_retain %d", (unsigned long long)p->retain_ns, p->has_retain);
	if (history != OTR_HISTORY_COUNT && history != OTR_HISTORY_AGE && p->history_value != 0)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: history_value is %llu under history %u", (unsigned long long)p->history_value, history);
	return OTR_OK;
}

/* The body behind the crc and file id: widths, flags, zero bytes.  What the numbers may be is check_numbers' affair. */
static enum otr_status
get_fields(struct otr__reader *r, struct otr__slot *slot, struct otr_error *err)
{
	uint8_t zero = 0;
	unsigned i;
	enum otr_status status;

	/* the body has all of it, so false is a wrong value */
	if (!otr__take64(r, &slot->version) || !take_i64(r, &slot->commit_ns) || !otr__take64(r, &slot->features.compat) ||
	    !otr__take64(r, &slot->features.ro_compat) || !otr__take64(r, &slot->features.incompat) || !otr__ref_get(r, &slot->root) ||
	    !otr__take64(r, &slot->base_row) || !otr__take64(r, &slot->tree_rows) || !otr__take64(r, &slot->rows) ||
	    !otr__take64(r, &slot->rows_ever) || !take_i64(r, &slot->first_ns) || !take_i64(r, &slot->last_ns) ||
	    !otr__take64(r, &slot->newest_rewrite) || !otr__ref_get(r, &slot->log) || !otr__take64(r, &slot->oldest_version) ||
	    !otr__ref_get(r, &slot->metadata) || !take_i64(r, &slot->horizon_ns) || !otr__take64(r, &slot->page_count) ||
	    !otr__take64(r, &slot->live_pages))
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "slot: root, log or metadata is no reference");
	status = get_policies(r, &slot->policies, err);
	if (status != OTR_OK)
		return status;
	if (!otr__take16(r, &slot->freed) || !otr__take16(r, &slot->freed_now) || slot->freed > OTR__FREED_MAX || slot->freed_now > slot->freed)
		return otr__fail(err, OTR_E_CORRUPT, "9.2", "slot: %u freed pages, %u of them now, at most %u", slot->freed, slot->freed_now,
		    OTR__FREED_MAX);
	if (!otr__take16(r, &slot->area_bytes) || slot->area_bytes % 8 != 0 || slot->area_bytes > otr__slot_room(slot->freed))
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: area_bytes is %u beside %u freed pages, there is room for %zu", slot->area_bytes,
		    slot->freed, otr__slot_room(slot->freed));
	if (!take_bool(r, &slot->has_carried) || !otr__take8(r, &zero) || zero != 0)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: has_carried is not 0 or 1, or byte 263 not zero");
	for (i = 0; i < slot->freed; i++)
		(void)otr__take64(r, &slot->freed_page[i]);      /* area_bytes fits behind them */
	if (r->left >= slot->area_bytes) {
		memcpy(slot->area, r->at, slot->area_bytes);
		*r = otr__reader_of(r->at + slot->area_bytes, r->left - slot->area_bytes);
	}
	if (!otr__take_zero(r, r->left))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "slot: bytes behind the record area are not zero");
	return OTR_OK;
}

static enum otr_status
check_ref(const struct otr__slot *slot, uint32_t page_bytes, const struct otr__ref *ref, const char *what, struct otr_error *err)
{
	if (ref->page != 0 && (ref->page < otr__first_page(page_bytes) || ref->page >= slot->page_count))
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "slot: %s is page %llu, pages are %llu to %llu", what, (unsigned long long)ref->page,
		    (unsigned long long)otr__first_page(page_bytes), (unsigned long long)slot->page_count - 1);
	if (ref->generation > slot->version)
		return otr__fail(err, OTR_E_CORRUPT, "5.3-2", "slot of version %llu: %s is of generation %llu", (unsigned long long)slot->version, what,
		    (unsigned long long)ref->generation);
	return OTR_OK;
}

/* The pages: 4.1-1, 4.1-2, 5.2, 9.2. */
static enum otr_status
check_pages(const struct otr__slot *slot, uint32_t page_bytes, struct otr_error *err)
{
	uint64_t first = otr__first_page(page_bytes);
	enum otr_status status;
	unsigned i, k;

	if (slot->page_count < first || slot->page_count > (uint64_t)INT64_MAX / page_bytes)
		return otr__fail(err, OTR_E_CORRUPT, "4.1-1", "slot: page_count is %llu, expected at least %llu", (unsigned long long)slot->page_count,
		    (unsigned long long)first);
	if (slot->live_pages > slot->page_count - first || slot->page_count - first - slot->live_pages < slot->freed)
		return otr__fail(err, OTR_E_CORRUPT, "4.1-2", "slot: %llu live pages of %llu, and %u freed", (unsigned long long)slot->live_pages,
		    (unsigned long long)slot->page_count, slot->freed);
	status = check_ref(slot, page_bytes, &slot->root, "the root", err);
	if (status == OTR_OK)
		status = check_ref(slot, page_bytes, &slot->log, "the log", err);
	if (status == OTR_OK)
		status = check_ref(slot, page_bytes, &slot->metadata, "the metadata", err);
	if (status != OTR_OK)
		return status;
	for (i = 0; i < slot->freed; i++) {
		if (slot->freed_page[i] < first || slot->freed_page[i] >= slot->page_count)
			return otr__fail(err, OTR_E_CORRUPT, "9.2", "slot: freed page %llu, pages are %llu to %llu",
			    (unsigned long long)slot->freed_page[i], (unsigned long long)first, (unsigned long long)slot->page_count - 1);
		for (k = 0; k < i; k++)
			if (slot->freed_page[k] == slot->freed_page[i])
				return otr__fail(err, OTR_E_CORRUPT, "9.2", "slot: page %llu is freed twice", (unsigned long long)slot->freed_page[i]);
	}
	return OTR_OK;
}

static enum otr_status
check_numbers(const struct otr__slot *slot, struct otr_error *err)
{
	if (!otr__digits_ok(slot->time_digits))
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: time_digits is %u, expected 0, 3, 6 or 9", slot->time_digits);
	if (!otr__is_time(slot->commit_ns))
		return otr__fail(err, OTR_E_CORRUPT, "2.3", "slot: commit_ns is reserved");
	if (slot->rows_ever > OTR__ROWS_MAX || slot->rows > slot->rows_ever || slot->base_row > slot->rows_ever ||
	    slot->tree_rows > slot->rows_ever - slot->base_row)
		return otr__fail(err, OTR_E_CORRUPT, "4.1-1", "slot: %llu rows, %llu of the tree from row %llu, of %llu ever",
		    (unsigned long long)slot->rows, (unsigned long long)slot->tree_rows, (unsigned long long)slot->base_row,
		    (unsigned long long)slot->rows_ever);
	if ((slot->root.page != 0) != (slot->tree_rows != 0))
		return otr__fail(err, OTR_E_CORRUPT, "4.1-1", "slot: tree_rows is %llu, the root is page %llu", (unsigned long long)slot->tree_rows,
		    (unsigned long long)slot->root.page);
	if (slot->rows == 0 ? slot->first_ns != 0 || slot->last_ns != 0 :
	    !otr__is_time(slot->first_ns) || !otr__is_time(slot->last_ns) || slot->first_ns > slot->last_ns)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: first_ns is %lld, last_ns %lld, with %llu rows", (long long)slot->first_ns,
		    (long long)slot->last_ns, (unsigned long long)slot->rows);
	if (slot->newest_rewrite > slot->version || slot->oldest_version > slot->version)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: newest_rewrite is %llu, oldest_version %llu, version %llu",
		    (unsigned long long)slot->newest_rewrite, (unsigned long long)slot->oldest_version, (unsigned long long)slot->version);
	if (slot->horizon_ns == INT64_MAX || (slot->rows > 0 && slot->first_ns < slot->horizon_ns))
		return otr__fail(err, OTR_E_CORRUPT, "8.5", "slot: horizon_ns is %lld, first_ns %lld", (long long)slot->horizon_ns,
		    (long long)slot->first_ns);
	return OTR_OK;
}

/* ---- the record area ----------------------------------------------------------------------------------------------------- */

/* 4.4: the times of a carried block, which otr__block_take has measured, do not decrease. */
static enum otr_status
check_carried_order(const uint8_t *block, uint32_t n, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(block + 8, 8 * (size_t)n);
	int64_t before = INT64_MIN, now = 0;

	while (take_i64(&r, &now)) {
		if (now < before)
			return otr__fail(err, OTR_E_CORRUPT, "4.4", "slot: carried rows are not in order of time");
		before = now;
	}
	return OTR_OK;
}

/* The row block that the area begins with, if there is one; appended to carried unless that is NULL. */
static enum otr_status
get_carried(const struct otr__slot *slot, const struct otr_schema *schema, struct otr__reader *r, struct otr__rows *carried, uint32_t *n,
    struct otr_error *err)
{
	struct otr__reader at = *r;
	const uint8_t *block;
	size_t bytes;
	enum otr_status status;

	*n = 0;
	if (!slot->has_carried)
		return OTR_OK;
	status = otr__block_take(r, schema, &block, &bytes, n, err);
	if (status == OTR_OK)
		status = check_carried_order(block, *n, err);
	if (status == OTR_OK && carried != NULL)
		status = otr__block_get(&at, schema, carried, n, err);
	return status;
}

/* 4.3: the next record, later than version `before` unless it is the first. */
static enum otr_status
get_record(struct otr__reader *r, const struct otr_schema *schema, uint32_t index, uint64_t before, struct otr__record *record, struct otr_error *err)
{
	enum otr_status status = otr__record_get(r, schema, record, err);

	if (status == OTR_OK && index > 0 && record->version <= before)
		status = otr__fail(err, OTR_E_CORRUPT, "4.3", "slot: record %llu follows record %llu", (unsigned long long)record->version,
		    (unsigned long long)before);
	return status;
}

enum otr_status
otr__slot_records(const struct otr__slot *slot, const struct otr_schema *schema, struct otr__rows *carried, struct otr__record *record,
    uint32_t *records, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(slot->area, slot->area_bytes);
	uint32_t n = 0, ignored;
	enum otr_status status = get_carried(slot, schema, &r, carried, &ignored, err);

	while (status == OTR_OK && r.left > 0) {
		if (n == OTR__RECORDS_MAX)
			return otr__fail(err, OTR_E_CORRUPT, "4.3", "slot: more than %u records", OTR__RECORDS_MAX);
		status = get_record(&r, schema, n, n > 0 ? record[n - 1].version : 0, &record[n], err);
		n++;
	}
	if (status == OTR_OK)
		*records = n;
	return status;
}

/* Everything in the area, rows too, and what it says beside the slot's own fields. */
static enum otr_status
check_area(const struct otr__slot *slot, const struct otr_schema *schema, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(slot->area, slot->area_bytes), at = r;
	struct otr__record record = { .version = 0 };
	uint64_t riding, beyond = slot->rows_ever - slot->base_row - slot->tree_rows, before = 0;
	uint32_t index = 0, n;
	enum otr_status status = get_carried(slot, schema, &r, NULL, &n, err);

	riding = n;
	if (status == OTR_OK && n > 0)
		status = otr__block_get(&at, schema, NULL, &n, err);      /* its values */
	if (status == OTR_OK && r.left == 0)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "slot: no record");
	while (status == OTR_OK && r.left > 0) {
		status = get_record(&r, schema, index++, before, &record, err);
		if (status == OTR_OK && record.block != NULL) {
			at = otr__reader_of(record.block, record.block_bytes);
			status = otr__block_get(&at, schema, NULL, &n, err);
			riding += record.row_count;
		}
		if (status == OTR_OK && record.has_kept && riding > 0)
			status = otr__fail(err, OTR_E_CORRUPT, "4.6-3", "slot: record %llu keeps a root, behind rows that ride",
			    (unsigned long long)record.version);
		if (status == OTR_OK && record.has_kept)
			status = check_ref(slot, schema->page_bytes, &record.kept.root, "a kept root", err);
		before = record.version;
	}
	if (status != OTR_OK)
		return status;
	if (record.version != slot->version)
		return otr__fail(err, OTR_E_CORRUPT, "4.3", "slot: the last record is of version %llu, the slot of %llu", (unsigned long long)record.version,
		    (unsigned long long)slot->version);
	if (beyond > riding)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: rows_ever is %llu rows behind the tree, %llu ride", (unsigned long long)beyond,
		    (unsigned long long)riding);
	if (record.commit_ns != slot->commit_ns || record.rows != slot->rows || record.rows_ever != slot->rows_ever ||
	    record.time_digits != slot->time_digits)
		return otr__fail(err, OTR_E_CORRUPT, "4.3-1", "slot: the last record's time, rows or digits are not the slot's");
	return OTR_OK;
}

/* ---- a slot as a whole --------------------------------------------------------------------------------------------------- */

static bool
is_unwritten(const uint8_t bytes[OTR__SLOT_BYTES], const struct otr__header *header)
{
	uint8_t expected[OTR__SLOT_BYTES];

	otr__slot_encode_unwritten(expected, header->file_id);
	return memcmp(bytes, expected, sizeof expected) == 0;
}

enum otr__slot_condition
otr__slot_decode(const uint8_t bytes[OTR__SLOT_BYTES], const struct otr__header *header, struct otr__slot *slot, struct otr_error *err)
{
	uint8_t body[OTR__SLOT_BODY], mended[OTR__SLOT_BYTES];
	struct otr__slot got = { .version = 0 };
	struct otr__reader r = otr__reader_of(body, sizeof body);
	const uint8_t *ignored;                /* crc and file_id, compared above */
	bool flipped = false;
	uint64_t stamp = otr__get64(bytes + VERSION_OFFSET) + 1;
	enum otr_status status;
	unsigned i;

	if (!crc_is_right(bytes)) {
		memcpy(mended, bytes, sizeof mended);
		set_stamps(mended, stamp);
		if (!crc_is_right(mended)) {
			(void)otr__fail(err, OTR_E_CORRUPT, "4.2", "slot: its crc is wrong");
			return OTR__SLOT_BAD;
		}
		if (written_over(bytes, stamp)) {
			(void)otr__fail(err, OTR_E_CORRUPT, "4.2-2", "slot: a later write was cut over it");
			return OTR__SLOT_BAD;
		}
		flipped = true;                /* 4.2-2 */
	}
	if (memcmp(bytes + FILE_ID_OFFSET, header->file_id, 16) != 0) {
		(void)otr__fail(err, OTR_E_CORRUPT, "4.2", "slot: its file_id is not the header's");
		return OTR__SLOT_BAD;
	}
	if (is_unwritten(bytes, header))
		return OTR__SLOT_UNWRITTEN;
	if (!flipped && !stamps_are(bytes, stamp)) {
		(void)otr__fail(err, OTR_E_CORRUPT, "4.2", "slot: its stamps are not all its version plus one");
		return OTR__SLOT_BAD;
	}
	if (stamp == 0 || stamp - 1 > INT64_MAX) {
		(void)otr__fail(err, OTR_E_CORRUPT, "2.5", "slot: version %llu, above 2^63 - 1", (unsigned long long)(stamp - 1));
		return OTR__SLOT_BAD;
	}
	if (otr__get64(bytes + INCOMPAT_OFFSET) != 0) {
		/* 3.2: features before fields.  What the fields mean is unknown, so none of them is given but those that a caller names the case by. */
		got.version = stamp - 1;
		got.minor = otr__get16(bytes + MINOR_OFFSET);
		got.features.incompat = otr__get64(bytes + INCOMPAT_OFFSET);
		*slot = got;
		return flipped ? OTR__SLOT_FLIPPED : OTR__SLOT_SOUND;
	}
	for (i = 0; i < OTR__SECTORS; i++)
		memcpy(body + SECTOR_BODY * i, bytes + SECTOR_BYTES * i, SECTOR_BODY);
	if (!otr__take_bytes(&r, 4, &ignored) || !take_bool(&r, &got.self_synced) || !otr__take8(&r, &got.time_digits) ||
	    !otr__take16(&r, &got.minor) || !otr__take_bytes(&r, 16, &ignored)) {
		(void)otr__fail(err, OTR_E_CORRUPT, "4.1", "slot: self_synced is not 0 or 1");
		return OTR__SLOT_BAD;
	}
	status = get_fields(&r, &got, err);
	if (status == OTR_OK)
		status = check_numbers(&got, err);
	if (status == OTR_OK)
		status = check_pages(&got, header->schema.page_bytes, err);
	if (status == OTR_OK)
		status = check_area(&got, &header->schema, err);
	if (status != OTR_OK)
		return OTR__SLOT_BAD;
	*slot = got;
	return flipped ? OTR__SLOT_FLIPPED : OTR__SLOT_SOUND;
}

bool
otr__slot_begins(const struct otr__slot *slot, const struct otr_schema *schema)
{
	struct otr__record record[OTR__RECORDS_MAX];
	uint32_t n;

	return otr__slot_records(slot, schema, NULL, record, &n, NULL) == OTR_OK && n > 0 &&
	    (record[n - 1].kind == OTR_KIND_CREATE || record[n - 1].kind == OTR_KIND_COMPACT);
}
