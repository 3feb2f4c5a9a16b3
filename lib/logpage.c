/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logpage.c - the log page: commit records column by column, the rows of full groups, and the links that find both (SPEC 4.5).
 *
 * Owns the page's payload.  Does not own: following the links (log.c), when a group is full (4.6-4, commit.c), chunks (chunk.c).  No I/O.
 * Memory is the struct otr__log_page's, and grows with what a page may hold at most: 4,096 records, 2^18 cells of rows.
 *
 *      OFFSET SIZE FIELD              behind the page header
 *          40    4 used               a multiple of 8
 *          44    4 text_bytes
 *          48    4 records            R, 1..4,096
 *          52    4 groups             G <= R
 *          56    4 kept               K <= R
 *          60    4 strings            S <= 2 R
 *          64    4 log_rows           N, 0..65,535; N x (columns + 1) <= 2^18
 *          68    4 zero
 *          72    8 index              of the page in the log, from 0
 *          80    8 first_version
 *          88    8 last_version
 *          96    8 least_ns
 *         104    8 greatest_ns
 *         112    8 rewrite
 *         120   24 prev               zero if index is 0
 *         144    8 prev_rewrite
 *         152   24 skip               zero if index is 0
 *         176    8 skip_version
 *         184    8 skip_rewrite
 *         192    8 skip_least_ns
 *         200    8 skip_index
 *         208   .. offsets            u32 for each of the 24 + C chunks; padded to 8
 *          ..   .. chunks             each ends where the next begins, the last where the text heap begins
 *          ..   .. text heap          text_bytes, padded to 8; ends at used
 *
 * Worked example: 1,000 commits a minute apart, each of one row and one author: versions, rows_ever and a steady clock are second differences of
 * zero, the other chunks constant, so that a record costs next to nothing; what is left is the page's fixed 208 + 4 (24 + C) bytes and some
 * 16 to 50 bytes a chunk.
 */
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "recordcheck.h"
#include "text.h"

#define GENERATION_OFFSET 32u          /* of the page header, 5.1 */
#define LINKS_OFFSET 40u
#define LOG_FIXED 208u
#define CHUNK_FIXED 16u                /* 7.1 */

enum {
	VERSION, COMMIT_NS, KIND, TIME_DIGITS, ROWS_EVER, ROWS, ADDED, REMOVED, AUTHOR, MESSAGE, ROW_COUNT, HAS_ROOT,
	ROOT_PAGE, ROOT_GENERATION, ROOT_CRC, ROOT_BASE_ROW, ROOT_TREE_ROWS,
	GROUP_RECORD, GROUP_RECORDS, GROUP_TREE_END, GROUP_CARRIED, GROUP_DUPLICATES,
	STRING_BYTES, ROW_TIMES, COLUMNS
};

static const char *const chunk_name[COLUMNS] = { "version", "commit_ns", "kind", "time_digits", "rows_ever", "rows", "added", "removed", "author",
	"message", "row_count", "has_root", "root_page", "root_generation", "root_crc", "root_base_row", "root_tree_rows", "group_record",
	"group_records", "group_tree_end", "group_carried", "group_duplicates", "string_bytes", "row times" };

/* A string of no bytes borrows from here: text may be NULL. */
static const uint8_t no_text[1];

/* ---- memory -------------------------------------------------------------------------------------------------------------- */

/* What log->work points at. */
struct work {
	size_t text_used;                      /* of log->text */
	uint64_t *words;                       /* numbers on their way between chunk and record */
	size_t capacity;
};

void
otr__log_page_init(struct otr__log_page *log)
{
	*log = (struct otr__log_page){ .records = 0 };
}

void
otr__log_page_release(struct otr__log_page *log)
{
	struct work *work = log->work;

	if (work != NULL)
		free(work->words);
	free(work);
	free(log->text);
	free(log->group);
	free(log->record);
	if (log->rows.memory != NULL)
		otr__rows_release(&log->rows);
	otr__log_page_init(log);
}

static struct work *
work_of(struct otr__log_page *log)
{
	if (log->work == NULL)
		log->work = calloc(1, sizeof(struct work));
	return log->work;
}

/* Room for n numbers, whose content is lost; NULL: out of memory. */
static uint64_t *
words_of(struct otr__log_page *log, size_t n)
{
	struct work *work = work_of(log);

	if (work == NULL)
		return NULL;
	if (work->capacity < n) {
		uint64_t *words = malloc(n * sizeof *words);

		if (words == NULL)
			return NULL;
		free(work->words);
		work->words = words;
		work->capacity = n;
	}
	return work->words;
}

static bool
reserve_records(struct otr__log_page *log, uint32_t n)
{
	struct otr__record *record;

	if (n <= log->record_capacity)
		return true;
	record = realloc(log->record, (size_t)n * sizeof *record);
	if (record == NULL)
		return false;
	log->record = record;
	log->record_capacity = n;
	return true;
}

static bool
reserve_groups(struct otr__log_page *log, uint32_t n)
{
	struct otr__group *group;

	if (n <= log->group_capacity)
		return true;
	group = realloc(log->group, (size_t)n * sizeof *group);
	if (group == NULL)
		return false;
	log->group = group;
	log->group_capacity = n;
	return true;
}

/* ---- adding -------------------------------------------------------------------------------------------------------------- */

static bool
same_text(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* Where a string of the old text lies in the new one. */
static const uint8_t *
moved(const uint8_t *s, size_t len, const uint8_t *from, const uint8_t *to)
{
	return len == 0 ? no_text : to + (s - from);
}

/*
 * Room for more bytes of text.  *old is the text as it was, to be freed by the caller when nothing points into it any more: the strings of the
 * record that is being added may.
 */
static bool
reserve_text(struct otr__log_page *log, size_t more, uint8_t **old)
{
	struct work *work = log->work;
	size_t capacity = log->text_capacity;
	uint8_t *text;
	uint32_t i;

	*old = NULL;
	if (more <= capacity - work->text_used)
		return true;
	capacity = 2 * (work->text_used + more);
	text = malloc(capacity);
	if (text == NULL)
		return false;
	if (work->text_used > 0)
		memcpy(text, log->text, work->text_used);
	for (i = 0; i < log->records; i++) {
		struct otr__record *record = &log->record[i];

		record->author = moved(record->author, record->author_bytes, log->text, text);
		record->message = moved(record->message, record->message_bytes, log->text, text);
	}
	*old = log->text;
	log->text = text;
	log->text_capacity = capacity;
	return true;
}

static const uint8_t *
add_text(struct otr__log_page *log, const uint8_t *s, size_t len)
{
	struct work *work = log->work;
	uint8_t *at;

	if (len == 0)
		return no_text;
	at = log->text + work->text_used;
	memcpy(at, s, len);
	work->text_used += len;
	return at;
}

bool
otr__log_page_add(struct otr__log_page *log, const struct otr__record *record)
{
	struct otr__record added = *record;
	const struct otr__record *before;
	uint8_t *old;

	if (work_of(log) == NULL)
		return false;
	if (log->records == log->record_capacity && !reserve_records(log, log->records < 32 ? 64 : 2 * log->records))
		return false;
	if (!reserve_text(log, (size_t)record->author_bytes + record->message_bytes, &old))
		return false;
	/* most commits say who they are and nothing else, and the same as the one before */
	before = log->records > 0 ? &log->record[log->records - 1] : NULL;
	if (before != NULL && same_text(before->author, before->author_bytes, record->author, record->author_bytes))
		added.author = before->author;
	else
		added.author = add_text(log, record->author, record->author_bytes);
	if (before != NULL && same_text(before->message, before->message_bytes, record->message, record->message_bytes))
		added.message = before->message;
	else
		added.message = add_text(log, record->message, record->message_bytes);
	free(old);
	added.block = NULL;
	added.block_bytes = 0;
	log->record[log->records++] = added;
	return true;
}

/* ---- the fixed part ------------------------------------------------------------------------------------------------------ */

struct head {
	uint32_t used, text_bytes, records, groups, kept, strings, rows;
	struct otr__log_links links;
};

static uint32_t
chunks_of(const struct otr_schema *schema)
{
	return COLUMNS + schema->columns;
}

static uint32_t
chunks_offset(const struct otr_schema *schema)
{
	return LOG_FIXED + (uint32_t)otr__pad8(4 * (size_t)chunks_of(schema));
}

static bool
take_i64(struct otr__reader *r, int64_t *v)
{
	uint64_t u;

	if (!otr__take64(r, &u))
		return false;
	*v = otr__i64(u);
	return true;
}

static enum otr_status
check_counts(const struct head *h, uint32_t page_bytes, const struct otr_schema *schema, struct otr_error *err)
{
	uint64_t least = (uint64_t)chunks_offset(schema) + CHUNK_FIXED * chunks_of(schema) + otr__pad8(h->text_bytes);

	if (h->used > page_bytes || h->used % 8 != 0 || h->text_bytes > page_bytes || h->used < least)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page: used is %u and text_bytes %u, of a page of %u bytes", (unsigned)h->used,
		    (unsigned)h->text_bytes, (unsigned)page_bytes);
	if (h->records == 0 || h->records > OTR__LOG_RECORDS_MAX || h->groups > h->records || h->kept > h->records || h->strings > 2 * h->records)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page: %u records, %u groups, %u kept roots, %u strings", (unsigned)h->records,
		    (unsigned)h->groups, (unsigned)h->kept, (unsigned)h->strings);
	if (h->rows > OTR__LEAF_ROWS_MAX || h->rows * (schema->columns + 1) > OTR__LEAF_CELLS_MAX)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page: log_rows is %u, with %u columns", (unsigned)h->rows, (unsigned)schema->columns);
	return OTR_OK;
}

/* The links by themselves and against the page's counts; against the records it is check_claims. */
static enum otr_status
check_links(const struct head *h, uint64_t generation, uint32_t page_bytes, struct otr_error *err)
{
	const struct otr__log_links *l = &h->links;
	uint64_t first_page = otr__first_page(page_bytes);

	if (l->last_version > INT64_MAX || l->first_version > l->last_version || l->last_version - l->first_version < h->records - 1)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page: versions %llu to %llu in %u records", (unsigned long long)l->first_version,
		    (unsigned long long)l->last_version, (unsigned)h->records);
	if (!otr__is_time(l->least_ns) || !otr__is_time(l->greatest_ns) || l->least_ns > l->greatest_ns || !otr__is_time(l->skip_least_ns) ||
	    l->skip_least_ns > l->least_ns)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page: commit times %lld to %lld, skip_least_ns %lld", (long long)l->least_ns,
		    (long long)l->greatest_ns, (long long)l->skip_least_ns);
	if (h->kept == 0 ? l->rewrite != l->prev_rewrite : l->rewrite < l->first_version || l->rewrite > l->last_version)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page: rewrite is %llu, prev_rewrite %llu, with %u kept roots", (unsigned long long)l->rewrite,
		    (unsigned long long)l->prev_rewrite, (unsigned)h->kept);
	if (l->index == 0) {
		if (l->prev.page != 0 || l->prev_rewrite != 0 || l->skip.page != 0 || l->skip_version != 0 || l->skip_rewrite != 0 || l->skip_index != 0)
			return otr__fail(err, OTR_E_CORRUPT, "4.5-3", "log page 0 has links");
		if (l->skip_least_ns != l->least_ns)
			return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page 0: skip_least_ns is not least_ns");
		return OTR_OK;
	}
	if (l->prev.page < first_page || l->skip.page < first_page)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page of index %llu: prev is page %llu, skip page %llu", (unsigned long long)l->index,
		    (unsigned long long)l->prev.page, (unsigned long long)l->skip.page);
	if (l->prev.generation >= generation || l->skip.generation >= generation)
		return otr__fail(err, OTR_E_CORRUPT, "4.5-4", "log page of generation %llu: prev is of %llu, skip of %llu", (unsigned long long)generation,
		    (unsigned long long)l->prev.generation, (unsigned long long)l->skip.generation);
	if (l->skip_index >= l->index || (l->skip_index == l->index - 1) != otr__ref_equal(&l->skip, &l->prev))
		return otr__fail(err, OTR_E_CORRUPT, "4.5-3", "log page of index %llu: skip_index is %llu, or skip and prev differ where they must not",
		    (unsigned long long)l->index, (unsigned long long)l->skip_index);
	if (l->skip_index == l->index - 1 && (l->skip_rewrite != l->prev_rewrite || l->skip_least_ns != l->least_ns))
		return otr__fail(err, OTR_E_CORRUPT, "4.5-3", "log page of index %llu: skip and prev are one page, and what is said of them differs",
		    (unsigned long long)l->index);
	if (l->prev_rewrite >= l->first_version || l->skip_version >= l->first_version || l->skip_rewrite > l->skip_version ||
	    l->skip_rewrite > l->prev_rewrite)
		return otr__fail(err, OTR_E_CORRUPT, "4.5", "log page of versions from %llu: prev_rewrite %llu, skip_version %llu, skip_rewrite %llu",
		    (unsigned long long)l->first_version, (unsigned long long)l->prev_rewrite, (unsigned long long)l->skip_version,
		    (unsigned long long)l->skip_rewrite);
	return OTR_OK;
}

static enum otr_status
get_head(const uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, struct head *h, struct otr_error *err)
{
	struct otr__reader r = otr__reader_of(page + LINKS_OFFSET, LOG_FIXED - LINKS_OFFSET);
	struct otr__log_links *l = &h->links;
	enum otr_status status;

	/* 168 bytes are there, so false is a wrong value */
	if (!otr__take32(&r, &h->used) || !otr__take32(&r, &h->text_bytes) || !otr__take32(&r, &h->records) || !otr__take32(&r, &h->groups) ||
	    !otr__take32(&r, &h->kept) || !otr__take32(&r, &h->strings) || !otr__take32(&r, &h->rows) || !otr__take_zero(&r, 4))
		return otr__fail(err, OTR_E_CORRUPT, "2.4", "log page: bytes 68 to 71 are not zero");
	if (!otr__take64(&r, &l->index) || !otr__take64(&r, &l->first_version) || !otr__take64(&r, &l->last_version) || !take_i64(&r, &l->least_ns) ||
	    !take_i64(&r, &l->greatest_ns) || !otr__take64(&r, &l->rewrite) || !otr__ref_get(&r, &l->prev) || !otr__take64(&r, &l->prev_rewrite) ||
	    !otr__ref_get(&r, &l->skip) || !otr__take64(&r, &l->skip_version) || !otr__take64(&r, &l->skip_rewrite) ||
	    !take_i64(&r, &l->skip_least_ns) || !otr__take64(&r, &l->skip_index))
		return otr__fail(err, OTR_E_CORRUPT, "5.2", "log page: prev or skip is no reference");
	status = check_counts(h, page_bytes, schema, err);
	if (status != OTR_OK)
		return status;
	return check_links(h, otr__get64(page + GENERATION_OFFSET), page_bytes, err);
}

enum otr_status
otr__log_links_decode(const uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, struct otr__log_links *links, struct otr_error *err)
{
	struct head h;
	enum otr_status status = get_head(page, page_bytes, schema, &h, err);

	if (status == OTR_OK)
		*links = h.links;
	return status;
}

/* ---- decoding ------------------------------------------------------------------------------------------------------------ */

struct decoder {
	const uint8_t *page;
	struct head head;
	const struct otr_schema *schema;
	struct otr__log_page *log;
	struct otr__scratch *scratch;
	uint32_t offset[COLUMNS + OTR_MAX_COLUMNS + 1];        /* of the chunks; the last is the text heap's */
	uint64_t *value;                                       /* numbers of one chunk */
	uint64_t *string;                                      /* [strings], see get_strings */
	struct otr_error *err;
};

static enum otr_status
get_offsets(struct decoder *d, uint32_t page_bytes)
{
	uint32_t chunks = chunks_of(d->schema), begin = chunks_offset(d->schema), i;
	struct otr__reader r = otr__reader_of(d->page + LOG_FIXED, begin - LOG_FIXED);

	d->offset[chunks] = d->head.used - (uint32_t)otr__pad8(d->head.text_bytes);
	for (i = 0; i < chunks; i++)
		(void)otr__take32(&r, &d->offset[i]);      /* check_counts: used is behind them */
	if (!otr__take_zero(&r, r.left))
		return otr__fail(d->err, OTR_E_CORRUPT, "2.4", "log page: padding of the offsets is not zero");
	if (d->offset[0] != begin)
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: the first chunk is at %u, expected %u", (unsigned)d->offset[0], (unsigned)begin);
	for (i = 0; i < chunks; i++)
		if (d->offset[i] % 8 != 0 || d->offset[i + 1] < d->offset[i] || d->offset[i + 1] - d->offset[i] < CHUNK_FIXED)
			return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: chunk %u is at %u, the next at %u", (unsigned)i, (unsigned)d->offset[i],
			    (unsigned)d->offset[i + 1]);
	r = otr__reader_of(d->page + d->offset[chunks] + d->head.text_bytes, page_bytes - d->offset[chunks] - d->head.text_bytes);
	if (!otr__take_zero(&r, r.left))
		return otr__fail(d->err, OTR_E_CORRUPT, "2.4", "log page: bytes behind the text heap are not zero");
	return OTR_OK;
}

/* 4.5-1 */
static enum otr_status
get_bare(const struct decoder *d, uint32_t chunk)
{
	struct otr__reader r = otr__reader_of(d->page + d->offset[chunk], d->offset[chunk + 1] - d->offset[chunk]);
	uint32_t size = 0;

	if (r.left != CHUNK_FIXED || !otr__take_zero(&r, 4) || !otr__take32(&r, &size) || size != CHUNK_FIXED || !otr__take_zero(&r, 8))
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5-1", "log page: chunk %u holds no values, but is no bare header", (unsigned)chunk);
	return OTR_OK;
}

static enum otr_status
deflated(const struct decoder *d, uint32_t chunk)
{
	return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: chunk %u is deflated", (unsigned)chunk);
}

/* n numbers of one of the chunks that are not columns: INT or RAW, no nulls. */
static enum otr_status
get_numbers(const struct decoder *d, uint32_t chunk, uint32_t n, uint64_t *value)
{
	const uint8_t *at = d->page + d->offset[chunk];
	size_t len = d->offset[chunk + 1] - d->offset[chunk];
	struct otr__chunk_header header;
	bool has_null = false;
	enum otr_status status;

	if (n == 0)
		return get_bare(d, chunk);
	status = otr__chunk_peek(at, len, n, &header, d->err);
	if (status != OTR_OK)
		return status;
	if ((header.transform != OTR__INT && header.transform != OTR__RAW) || header.has_presence)
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: chunk %u (%s) has transform %u%s, expected INT or RAW without nulls", (unsigned)chunk,
		    chunk_name[chunk], header.transform, header.has_presence ? " and nulls" : "");
	if (header.deflated)
		return deflated(d, chunk);
	return otr__chunk_decode(at, len, OTR_I64, n, value, NULL, &has_null, d->scratch, d->err);
}

static enum otr_status
out_of_range(const struct decoder *d, uint32_t chunk, uint32_t i, uint64_t value)
{
	return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: number %u of chunk %u (%s) is %llu, out of range", (unsigned)i, (unsigned)chunk,
	    chunk_name[chunk], (unsigned long long)value);
}

/* A string as a word: where it begins, its length, whether it may be an author, too. */
static uint64_t
string_word(uint64_t offset, uint64_t len, bool plain)
{
	return offset << 16 | len << 1 | plain;
}

/* Copies the text heap and finds the strings in it; each is checked here once, not for each record that names it. */
static enum otr_status
get_strings(struct decoder *d)
{
	uint32_t left = d->head.text_bytes, at = 0, i;
	const uint8_t *heap = d->page + d->offset[chunks_of(d->schema)];
	struct work *work = d->log->work;
	enum otr_status status = get_numbers(d, STRING_BYTES, d->head.strings, d->value);

	if (status != OTR_OK)
		return status;
	if (left > d->log->text_capacity) {
		uint8_t *text = malloc(left);

		if (text == NULL)
			return otr__fail(d->err, OTR_E_NOMEM, "", "out of memory");
		free(d->log->text);
		d->log->text = text;
		d->log->text_capacity = left;
	}
	if (left > 0)
		memcpy(d->log->text, heap, left);
	work->text_used = left;
	for (i = 0; i < d->head.strings; i++) {
		uint64_t len = d->value[i];

		if (len > left || len > OTR_MAX_MESSAGE)
			return out_of_range(d, STRING_BYTES, i, len);
		if (!otr__text_ok(heap + at, (size_t)len, OTR__TEXT_LINES))
			return otr__fail(d->err, OTR_E_CORRUPT, "2.5", "log page: string %u is no UTF-8 or has a control character", (unsigned)i);
		d->string[i] = string_word(at, len, len <= OTR_MAX_AUTHOR && otr__text_ok(heap + at, (size_t)len, OTR__TEXT_PLAIN));
		at += (uint32_t)len;
		left -= (uint32_t)len;
	}
	if (left != 0)
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: %u bytes of the text heap are in no string", (unsigned)left);
	return OTR_OK;
}

/* String number v as author or message; false: there is no such string, or it may not be an author. */
static bool
find_string(const struct decoder *d, uint64_t v, bool as_author, const uint8_t **s, uint16_t *len)
{
	uint64_t word;

	if (v >= d->head.strings)
		return false;
	word = d->string[v];
	if (as_author && (word & 1) == 0)
		return false;
	*len = (uint16_t)(word >> 1 & 0x7fff);
	*s = *len == 0 ? no_text : d->log->text + (word >> 16);
	return true;
}

/*
 * A record of its numbers, one a chunk, v[chunk * n].  The chunk whose number does not fit into its field, or HAS_ROOT + 1; what the numbers mean is
 * otr__record_check's affair.  No loop over the chunks: a file of 1 MiB may have a million records, of which each field counts.
 */
static inline uint32_t
set_record(const struct decoder *d, struct otr__record *record, const uint64_t *v, size_t n)
{
	record->version = v[VERSION * n];
	record->commit_ns = otr__i64(v[COMMIT_NS * n]);
	record->kind = (enum otr_kind)(v[KIND * n] & 7);
	record->time_digits = (uint8_t)v[TIME_DIGITS * n];
	record->rows_ever = v[ROWS_EVER * n];
	record->rows = v[ROWS * n];
	record->added = v[ADDED * n];
	record->removed = v[REMOVED * n];
	record->row_count = (uint32_t)v[ROW_COUNT * n];
	record->has_kept = v[HAS_ROOT * n] == 1;
	record->kept = (struct otr__kept){ .base_row = 0 };
	record->block = NULL;
	record->block_bytes = 0;
	if (v[KIND * n] > OTR_KIND_COMPACT)
		return KIND;
	if (v[TIME_DIGITS * n] > 9)
		return TIME_DIGITS;
	if (!find_string(d, v[AUTHOR * n], true, &record->author, &record->author_bytes))
		return AUTHOR;
	if (!find_string(d, v[MESSAGE * n], false, &record->message, &record->message_bytes))
		return MESSAGE;
	if (v[ROW_COUNT * n] > d->head.rows)
		return ROW_COUNT;
	return v[HAS_ROOT * n] > 1 ? HAS_ROOT : HAS_ROOT + 1;
}

static bool
set_root(struct otr__kept *kept, uint32_t chunk, uint64_t v)
{
	switch (chunk) {
	case ROOT_PAGE: kept->root.page = v; return true;
	case ROOT_GENERATION: kept->root.generation = v; return true;
	case ROOT_CRC: kept->root.crc = (uint32_t)v; return v <= UINT32_MAX;
	case ROOT_BASE_ROW: kept->base_row = v; return true;
	case ROOT_TREE_ROWS: kept->tree_rows = v; return true;
	}
	return false;
}

static bool
set_group(const struct decoder *d, struct otr__group *group, uint32_t chunk, uint64_t v)
{
	switch (chunk) {
	case GROUP_RECORD: group->record = (uint32_t)v; return v < d->head.records;
	case GROUP_RECORDS: group->records = (uint32_t)v; return v >= 1 && v <= d->head.records;
	case GROUP_TREE_END: group->tree_end = v; return v <= OTR__ROWS_MAX;
	case GROUP_CARRIED: group->carried = (uint32_t)v; return v <= d->head.rows;
	case GROUP_DUPLICATES: group->duplicates = (enum otr_duplicates)(v & 3); return v <= OTR_ERROR;
	}
	return false;
}

/* Numbers from one field's to the next field's; not near a power of two, so that the same number of all fields finds room in a cache. */
static size_t
pitch_of(uint32_t records)
{
	return (size_t)records + 72;
}

static enum otr_status
get_records(struct decoder *d)
{
	struct otr__record *record = d->log->record;
	uint32_t records = d->head.records, chunk, i, k, kept = 0;
	size_t pitch = pitch_of(records);
	enum otr_status status;

	/* all numbers first, then record by record: a page of 4,096 records is larger than a cache, and is gone through once instead of once a field */
	for (chunk = VERSION; chunk <= HAS_ROOT; chunk++) {
		status = get_numbers(d, chunk, records, d->value + chunk * pitch);
		if (status != OTR_OK)
			return status;
	}
	for (i = 0; i < records; i++) {
		chunk = set_record(d, &record[i], d->value + i, pitch);
		if (chunk <= HAS_ROOT)
			return out_of_range(d, chunk, i, d->value[chunk * pitch + i]);
		kept += record[i].has_kept;
	}
	if (kept != d->head.kept)
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: %u records have a root, kept is %u", (unsigned)kept, (unsigned)d->head.kept);
	for (chunk = ROOT_PAGE; chunk <= ROOT_TREE_ROWS; chunk++) {
		status = get_numbers(d, chunk, kept, d->value);
		for (i = 0, k = 0; status == OTR_OK && k < kept; i++) {
			if (!record[i].has_kept)
				continue;
			if (!set_root(&record[i].kept, chunk, d->value[k]))
				status = out_of_range(d, chunk, k, d->value[k]);
			k++;
		}
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

static enum otr_status
get_groups(struct decoder *d)
{
	uint32_t chunk, i;
	enum otr_status status;

	if (d->head.groups > 0)
		memset(d->log->group, 0, d->head.groups * sizeof d->log->group[0]);
	for (chunk = GROUP_RECORD; chunk <= GROUP_DUPLICATES; chunk++) {
		status = get_numbers(d, chunk, d->head.groups, d->value);
		for (i = 0; status == OTR_OK && i < d->head.groups; i++)
			if (!set_group(d, &d->log->group[i], chunk, d->value[i]))
				status = out_of_range(d, chunk, i, d->value[i]);
		if (status != OTR_OK)
			return status;
	}
	return OTR_OK;
}

/* Records one by one, and what the header says of them all. */
static enum otr_status
check_claims(const struct decoder *d, uint32_t page_bytes)
{
	const struct otr__log_links *l = &d->head.links;
	const struct otr__record *record = d->log->record;
	int64_t least = INT64_MAX, greatest = INT64_MIN;
	uint64_t rewrite = l->prev_rewrite;
	uint32_t i;

	for (i = 0; i < d->head.records; i++) {
		enum otr_status status = otr__record_check(&record[i], d->err);

		if (status != OTR_OK)
			return status;
		if (i > 0 && record[i].version <= record[i - 1].version)
			return otr__fail(d->err, OTR_E_CORRUPT, "4.3", "log page: record %llu follows record %llu", (unsigned long long)record[i].version,
			    (unsigned long long)record[i - 1].version);
		if (record[i].has_kept && (record[i].kept.root.page < otr__first_page(page_bytes) || record[i].row_count != 0))
			return otr__fail(d->err, OTR_E_CORRUPT, "8.2", "log page: record %llu keeps page %llu as a root, beside %u rows",
			    (unsigned long long)record[i].version, (unsigned long long)record[i].kept.root.page, (unsigned)record[i].row_count);
		least = record[i].commit_ns < least ? record[i].commit_ns : least;
		greatest = record[i].commit_ns > greatest ? record[i].commit_ns : greatest;
		rewrite = record[i].has_kept ? record[i].version : rewrite;
	}
	if (record[0].version != l->first_version || record[i - 1].version != l->last_version)
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: versions %llu to %llu, its header says %llu to %llu",
		    (unsigned long long)record[0].version, (unsigned long long)record[i - 1].version, (unsigned long long)l->first_version,
		    (unsigned long long)l->last_version);
	if (least != l->least_ns || greatest != l->greatest_ns)
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: commit times %lld to %lld, its header says %lld to %lld", (long long)least,
		    (long long)greatest, (long long)l->least_ns, (long long)l->greatest_ns);
	if (rewrite != l->rewrite)
		return otr__fail(d->err, OTR_E_CORRUPT, "4.5", "log page: the newest kept root is of version %llu, its header says %llu",
		    (unsigned long long)rewrite, (unsigned long long)l->rewrite);
	return OTR_OK;
}

/*
 * 4.5-2: groups in order and apart, no rows outside, the sum right.  Derives where each group's rows begin.  So does the encoder, from what a
 * caller built: false if a rule is broken.
 */
static bool
place_groups(struct otr__group *group, uint32_t groups, const struct otr__record *record, uint32_t records, size_t rows, bool strict)
{
	uint32_t next = 0, g, i;
	uint64_t sum = 0, before;

	for (g = 0; g < groups; g++) {
		if (group[g].record < next || group[g].record > records || group[g].records == 0 || group[g].records > records - group[g].record)
			return false;
		for (i = next; strict && i < group[g].record; i++)
			if (record[i].row_count != 0)
				return false;
		if (sum > rows)
			return false;
		before = sum;
		group[g].row = (uint32_t)sum;
		sum += group[g].carried;
		next = group[g].record + group[g].records;
		for (i = group[g].record; i < next; i++)
			sum += record[i].row_count;
		if (sum - before > OTR__GROUP_ROWS_MAX)
			return false;
	}
	for (i = next; strict && i < records; i++)
		if (record[i].row_count != 0)
			return false;
	return sum == rows;
}

static enum otr_status
get_column(struct decoder *d, uint32_t c)
{
	uint32_t chunk = COLUMNS + c, n = d->head.rows;
	struct otr__rows *rows = &d->log->rows;
	enum otr_type type = d->schema->column[c].type;
	struct otr__chunk_header header;
	enum otr_status status;

	rows->has_null[c] = false;
	if (n == 0)
		return get_bare(d, chunk);
	if (type < OTR_BOOL || type > OTR_F64) {
		/* 3.4: unsupported, but the others are readable: it comes out null, and not decoded */
		rows->has_null[c] = true;
		memset(rows->present[c], 0, (n + 7) / 8);
		memset(rows->value[c], 0, n * sizeof rows->value[c][0]);
		rows->decoded &= ~((uint64_t)1 << c);
		return OTR_OK;
	}
	status = otr__chunk_peek(d->page + d->offset[chunk], d->offset[chunk + 1] - d->offset[chunk], n, &header, d->err);
	if (status != OTR_OK)
		return status;
	if (header.deflated)
		return deflated(d, chunk);
	return otr__chunk_decode(d->page + d->offset[chunk], d->offset[chunk + 1] - d->offset[chunk], (int)type, n, rows->value[c], rows->present[c],
	    &rows->has_null[c], d->scratch, d->err);
}

static enum otr_status
get_rows(struct decoder *d)
{
	struct otr__rows *rows = &d->log->rows;
	uint32_t n = d->head.rows, c, g, i;
	enum otr_status status;

	if (rows->memory != NULL && rows->columns != d->schema->columns) {
		otr__rows_release(rows);
		*rows = (struct otr__rows){ .memory = NULL };
	}
	if (rows->memory == NULL ? !otr__rows_init(rows, d->schema->columns, n > 0 ? n : 1) : !otr__rows_reserve(rows, n))
		return otr__fail(d->err, OTR_E_NOMEM, "", "out of memory");
	rows->n = 0;
	rows->decoded = UINT64_MAX >> (64 - d->schema->columns);
	status = get_numbers(d, ROW_TIMES, n, (uint64_t *)rows->time_ns);
	if (status != OTR_OK)
		return status;
	for (i = 0; i < n; i++)
		if (!otr__is_time(rows->time_ns[i]))
			return otr__fail(d->err, OTR_E_CORRUPT, "4.4", "log page: row %u has a reserved time", (unsigned)i);
	for (g = 0; g < d->head.groups; g++) {
		const struct otr__group *group = &d->log->group[g];

		for (i = 1; i < group->carried; i++)
			if (rows->time_ns[group->row + i] < rows->time_ns[group->row + i - 1])
				return otr__fail(d->err, OTR_E_CORRUPT, "4.4", "log page: carried rows of group %u are not in order of time", (unsigned)g);
	}
	for (c = 0; c < d->schema->columns; c++) {
		status = get_column(d, c);
		if (status != OTR_OK)
			return status;
	}
	rows->n = n;
	return OTR_OK;
}

enum otr_status
otr__log_page_decode(const uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, struct otr__log_page *log,
    struct otr__scratch *scratch, struct otr_error *err)
{
	struct decoder d = { .page = page, .schema = schema, .log = log, .scratch = scratch, .err = err };
	enum otr_status status;
	size_t numbers;

	log->records = log->groups = 0;
	log->rows.n = 0;
	status = get_head(page, page_bytes, schema, &d.head, err);
	if (status == OTR_OK)
		status = get_offsets(&d, page_bytes);
	if (status != OTR_OK)
		return status;
	numbers = (HAS_ROOT + 1) * pitch_of(d.head.records);
	numbers = d.head.strings > numbers ? d.head.strings : numbers;
	d.value = words_of(log, numbers + d.head.strings);
	if (d.value == NULL || !reserve_records(log, d.head.records) || !reserve_groups(log, d.head.groups))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	d.string = d.value + numbers;
	status = get_strings(&d);
	if (status == OTR_OK)
		status = get_records(&d);
	if (status == OTR_OK)
		status = get_groups(&d);
	if (status == OTR_OK)
		status = check_claims(&d, page_bytes);
	if (status == OTR_OK && !place_groups(log->group, d.head.groups, log->record, d.head.records, d.head.rows, true))
		status = otr__fail(err, OTR_E_CORRUPT, "4.5-2", "log page: %u full groups overlap, are too large, or do not add up to %u rows", (unsigned)d.head.groups,
		    (unsigned)d.head.rows);
	if (status == OTR_OK && !log->without_rows)
		status = get_rows(&d);
	if (status != OTR_OK)
		return status;
	log->links = d.head.links;
	log->records = d.head.records;
	log->groups = d.head.groups;
	return OTR_OK;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------------ */

struct encoder {
	uint8_t *page;
	const struct otr_schema *schema;
	struct otr__log_page *log;
	struct otr__scratch *scratch;
	uint32_t at, end;                      /* the next chunk; where the text heap would begin if it stood at the page's end */
	uint32_t chunk;                        /* number of the next chunk */
	bool full;
	/* parts of the work space */
	uint64_t *value, *author, *message;    /* [2 R], [R], [R] */
	uint64_t *length, *origin;             /* [2 R] of the strings: bytes; 2 x record, plus 1 if it is its message */
	uint64_t *residual;                    /* [2 R or N] */
	uint64_t *slot;                        /* hash table: string number plus 1 */
	size_t slots;                          /* a power of two */
	uint32_t strings;
	size_t text_bytes;
};

static bool
divide_work(struct encoder *e)
{
	size_t r = e->log->records, residuals = 2 * r > e->log->rows.n ? 2 * r : e->log->rows.n;
	uint64_t *words;

	for (e->slots = 16; e->slots < 4 * r; e->slots *= 2)
		;
	words = words_of(e->log, 8 * r + residuals + e->slots);
	if (words == NULL)
		return false;
	e->value = words;
	e->author = e->value + 2 * r;
	e->message = e->author + r;
	e->length = e->message + r;
	e->origin = e->length + 2 * r;
	e->residual = e->origin + 2 * r;
	e->slot = e->residual + residuals;
	memset(e->slot, 0, e->slots * sizeof e->slot[0]);
	return true;
}

static const uint8_t *
string_at(const struct encoder *e, uint32_t i)
{
	const struct otr__record *record = &e->log->record[e->origin[i] >> 1];

	return (e->origin[i] & 1) != 0 ? record->message : record->author;
}

/* The number of a string, equal ones having the same; a new one gets the next. */
static uint64_t
intern(struct encoder *e, const uint8_t *s, size_t len, uint64_t origin)
{
	uint64_t hash = 0xcbf29ce484222325u;           /* FNV-1a */
	size_t i, at;

	for (i = 0; i < len; i++)
		hash = (hash ^ s[i]) * 0x100000001b3u;
	for (at = (size_t)(hash ^ hash >> 32) & (e->slots - 1); e->slot[at] != 0; at = (at + 1) & (e->slots - 1)) {
		uint32_t number = (uint32_t)(e->slot[at] - 1);

		if (same_text(string_at(e, number), (size_t)e->length[number], s, len))
			return number;
	}
	e->length[e->strings] = len;
	e->origin[e->strings] = origin;
	e->text_bytes += len;
	e->slot[at] = ++e->strings;
	return e->strings - 1;
}

static void
collect_strings(struct encoder *e)
{
	const struct otr__record *record = e->log->record;
	uint32_t i;

	for (i = 0; i < e->log->records; i++) {
		e->author[i] = intern(e, record[i].author, record[i].author_bytes, 2 * (uint64_t)i);
		e->message[i] = intern(e, record[i].message, record[i].message_bytes, 2 * (uint64_t)i + 1);
	}
}

/* A chunk of size bytes now stands at e->at; 0: it did not fit. */
static void
close_chunk(struct encoder *e, size_t size)
{
	if (size == 0) {
		e->full = true;
		return;
	}
	otr__put32(e->page + LOG_FIXED + 4 * e->chunk++, e->at);
	e->at += (uint32_t)size;
}

static void
put_chunk_header(struct otr__put *w, uint8_t packing, uint32_t size, uint32_t n)
{
	otr__add8(w, OTR__INT);
	otr__add8(w, packing);
	otr__add16(w, 0);
	otr__add32(w, size);
	otr__add32(w, n);
	otr__add16(w, 0);
	otr__add16(w, (uint16_t)n);                    /* block: all in one PACK body */
}

/* 4.5-1 */
static void
put_bare(struct encoder *e)
{
	struct otr__put w = otr__put_into(e->page + e->at, e->end - e->at);

	put_chunk_header(&w, OTR__NONE, CHUNK_FIXED, 0);
	close_chunk(e, w.failed ? 0 : CHUNK_FIXED);
}

/* The numbers as INT with one PACK body: the plain way, where the encoder's choice is one that a log page may not have. */
static size_t
encode_packed(struct encoder *e, const uint64_t *value, uint32_t n)
{
	struct otr__put w = otr__put_into(e->page + e->at, e->end - e->at);
	struct otr__pack_plan plan;

	otr__pack_choose(value, n, &plan);
	put_chunk_header(&w, OTR__PACK, (uint32_t)(CHUNK_FIXED + plan.size), n);
	otr__pack_encode(value, n, &plan, e->residual, &w);
	return w.failed ? 0 : CHUNK_FIXED + plan.size;
}

/* n numbers as a chunk of INT or RAW.  A dictionary is refused there (4.5), though the encoder may find it the smallest for an i64 column. */
static void
put_numbers(struct encoder *e, const uint64_t *value, size_t n)
{
	struct otr__hint hint = { .valid = false };
	uint8_t *out = e->page + e->at;
	size_t size;

	if (e->full)
		return;
	if (n == 0) {
		put_bare(e);
		return;
	}
	size = otr__chunk_encode(value, NULL, (uint32_t)n, OTR_I64, &hint, out, e->end - e->at, e->scratch);
	if (size > 0 && out[0] != OTR__INT && out[0] != OTR__RAW)
		size = encode_packed(e, value, (uint32_t)n);
	close_chunk(e, size);
}

static bool
any_null(const struct otr__rows *rows, uint32_t c)
{
	size_t i;

	for (i = 0; rows->has_null[c] && i < rows->n; i++)
		if (!otr__row_present(rows, c, i))
			return true;
	return false;
}

static void
put_column(struct encoder *e, uint32_t c)
{
	const struct otr__rows *rows = &e->log->rows;
	struct otr__hint hint = { .valid = false };

	if (e->full)
		return;
	if (rows->n == 0) {
		put_bare(e);
		return;
	}
	close_chunk(e, otr__chunk_encode(rows->value[c], any_null(rows, c) ? rows->present[c] : NULL, (uint32_t)rows->n, (int)e->schema->column[c].type,
	    &hint, e->page + e->at, e->end - e->at, e->scratch));
}

static uint64_t
field_of(const struct otr__record *record, uint32_t chunk)
{
	switch (chunk) {
	case VERSION: return record->version;
	case COMMIT_NS: return (uint64_t)record->commit_ns;
	case KIND: return (uint64_t)record->kind;
	case TIME_DIGITS: return record->time_digits;
	case ROWS_EVER: return record->rows_ever;
	case ROWS: return record->rows;
	case ADDED: return record->added;
	case REMOVED: return record->removed;
	case HAS_ROOT: return record->has_kept;
	case ROOT_PAGE: return record->kept.root.page;
	case ROOT_GENERATION: return record->kept.root.generation;
	case ROOT_CRC: return record->kept.root.crc;
	case ROOT_BASE_ROW: return record->kept.base_row;
	case ROOT_TREE_ROWS: return record->kept.tree_rows;
	}
	return 0;
}

static uint64_t
group_field_of(const struct otr__group *group, uint32_t chunk)
{
	switch (chunk) {
	case GROUP_RECORD: return group->record;
	case GROUP_RECORDS: return group->records;
	case GROUP_TREE_END: return group->tree_end;
	case GROUP_CARRIED: return group->carried;
	case GROUP_DUPLICATES: return (uint64_t)group->duplicates;
	}
	return 0;
}

static void
put_records(struct encoder *e)
{
	const struct otr__log_page *log = e->log;
	uint32_t chunk, i, g, n;

	for (chunk = VERSION; chunk <= ROOT_TREE_ROWS; chunk++) {
		n = 0;
		if (chunk == AUTHOR || chunk == MESSAGE) {
			put_numbers(e, chunk == AUTHOR ? e->author : e->message, log->records);
			continue;
		}
		if (chunk == ROW_COUNT) {
			/* rows of a record that is in no full group are in the tree (4.5-2), whatever it says here */
			memset(e->value, 0, log->records * sizeof e->value[0]);
			for (g = 0; g < log->groups; g++)
				for (i = log->group[g].record; i < log->group[g].record + log->group[g].records; i++)
					e->value[i] = log->record[i].row_count;
			put_numbers(e, e->value, log->records);
			continue;
		}
		for (i = 0; i < log->records; i++)
			if (chunk < ROOT_PAGE || log->record[i].has_kept)
				e->value[n++] = field_of(&log->record[i], chunk);
		put_numbers(e, e->value, n);
	}
	for (chunk = GROUP_RECORD; chunk <= GROUP_DUPLICATES; chunk++) {
		for (i = 0; i < log->groups; i++)
			e->value[i] = group_field_of(&log->group[i], chunk);
		put_numbers(e, e->value, log->groups);
	}
}

static void
put_text(struct encoder *e)
{
	struct otr__put w = otr__put_into(e->page + e->at, otr__pad8(e->text_bytes));
	uint32_t i;

	for (i = 0; i < e->strings; i++)
		otr__add_bytes(&w, string_at(e, i), (size_t)e->length[i]);
	otr__add_zero(&w, w.left);
	e->at += (uint32_t)otr__pad8(e->text_bytes);
}

/* The links that follow from the records; the others as the caller gave them. */
static struct otr__log_links
links_of(const struct otr__log_page *log)
{
	struct otr__log_links l = log->links;
	uint32_t i;

	l.first_version = log->record[0].version;
	l.last_version = log->record[log->records - 1].version;
	l.least_ns = l.greatest_ns = log->record[0].commit_ns;
	l.rewrite = l.prev_rewrite;
	for (i = 0; i < log->records; i++) {
		l.least_ns = log->record[i].commit_ns < l.least_ns ? log->record[i].commit_ns : l.least_ns;
		l.greatest_ns = log->record[i].commit_ns > l.greatest_ns ? log->record[i].commit_ns : l.greatest_ns;
		l.rewrite = log->record[i].has_kept ? log->record[i].version : l.rewrite;
	}
	if (l.least_ns < l.skip_least_ns || l.index == 0 || l.skip_index == l.index - 1)
		l.skip_least_ns = l.least_ns;      /* no page between skip and this one: it is this one's own */
	return l;
}

static void
put_head(struct encoder *e, const struct otr__log_links *l)
{
	struct otr__put w = otr__put_into(e->page + LINKS_OFFSET, LOG_FIXED - LINKS_OFFSET);
	uint32_t kept = 0, i;

	for (i = 0; i < e->log->records; i++)
		kept += e->log->record[i].has_kept;
	otr__add32(&w, e->at);
	otr__add32(&w, (uint32_t)e->text_bytes);
	otr__add32(&w, e->log->records);
	otr__add32(&w, e->log->groups);
	otr__add32(&w, kept);
	otr__add32(&w, e->strings);
	otr__add32(&w, (uint32_t)e->log->rows.n);
	otr__add32(&w, 0);
	otr__add64(&w, l->index);
	otr__add64(&w, l->first_version);
	otr__add64(&w, l->last_version);
	otr__add64(&w, (uint64_t)l->least_ns);
	otr__add64(&w, (uint64_t)l->greatest_ns);
	otr__add64(&w, l->rewrite);
	otr__ref_put(&w, &l->prev);
	otr__add64(&w, l->prev_rewrite);
	otr__ref_put(&w, &l->skip);
	otr__add64(&w, l->skip_version);
	otr__add64(&w, l->skip_rewrite);
	otr__add64(&w, (uint64_t)l->skip_least_ns);
	otr__add64(&w, l->skip_index);
}

/* The limits of 4.5, before anything is sized by these counts. */
static bool
is_encodable(struct otr__log_page *log, const struct otr_schema *schema)
{
	return log->records >= 1 && log->records <= OTR__LOG_RECORDS_MAX && log->groups <= log->records && log->rows.n <= OTR__LEAF_ROWS_MAX &&
	    log->rows.n * (schema->columns + 1) <= OTR__LEAF_CELLS_MAX &&
	    place_groups(log->group, log->groups, log->record, log->records, log->rows.n, false);
}

uint32_t
otr__log_page_encode(uint8_t *page, uint32_t page_bytes, const struct otr_schema *schema, struct otr__log_page *log,
    struct otr__scratch *scratch, bool *nomem)
{
	struct encoder e = { .page = page, .schema = schema, .log = log, .scratch = scratch, .at = chunks_offset(schema) };
	struct otr__log_links links;
	uint32_t c;

	*nomem = false;
	if (!is_encodable(log, schema))
		return 0;
	if (!divide_work(&e)) {
		*nomem = true;
		return 0;
	}
	collect_strings(&e);
	if (e.text_bytes > page_bytes || otr__pad8(e.text_bytes) > page_bytes - e.at)
		return 0;
	e.end = page_bytes - (uint32_t)otr__pad8(e.text_bytes);
	memset(page + LINKS_OFFSET, 0, e.at - LINKS_OFFSET);
	put_records(&e);
	put_numbers(&e, e.length, e.strings);
	put_numbers(&e, (const uint64_t *)log->rows.time_ns, log->rows.n);
	for (c = 0; c < schema->columns; c++)
		put_column(&e, c);
	if (e.full)
		return 0;
	put_text(&e);
	memset(page + e.at, 0, page_bytes - e.at);
	links = links_of(log);
	put_head(&e, &links);
	log->links = links;
	return e.at;
}
