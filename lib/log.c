/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - finding commits by the links of the log, and what their versions are made of (see log.h; SPEC 4.5, 8).
 *
 * A search starts at the newest log page and goes back only: each link leads to a page of a lower index, which is checked, so it ends.
 */
#include "log.h"

#include <string.h>

#include "ride.h"

enum otr_status
otr__log_read(struct otr__log *log, const struct otr__ref *ref, uint64_t index, bool index_known, const uint8_t **page, struct otr__log_links *links,
    struct otr_error *err)
{
	enum otr_status status = otr__store_read(log->store, ref, OTR__LOG, 0, page, NULL, err);

	if (status != OTR_OK)
		return status;
	status = otr__log_links_decode(*page, log->store->page_bytes, log->schema, links, err);
	if (status == OTR_OK && index_known && links->index != index)
		status = otr__fail(err, OTR_E_CORRUPT, "4.5-3", "log page of index %llu, expected %llu", (unsigned long long)links->index,
		    (unsigned long long)index);
	if (status != OTR_OK)
		otr__fail_place(err, (int64_t)ref->page, -1);
	return status;
}

static enum otr_status
not_found(const struct otr__log *log, uint64_t number, struct otr_error *err)
{
	const struct otr__slot *slot = log->slot;

	if (number < slot->oldest_version)
		return otr__fail(err, OTR_E_NOTFOUND, "8.8", "version %llu is pruned; the oldest kept is %llu", (unsigned long long)number,
		    (unsigned long long)slot->oldest_version);
	return otr__fail(err, OTR_E_NOTFOUND, "8.1", "no version %llu; versions are %llu to %llu", (unsigned long long)number,
	    (unsigned long long)slot->oldest_version, (unsigned long long)slot->version);
}

/* That a page is what the one that led to it says of it: `after` by its skip or its prev (SPEC 4.5). */
static enum otr_status
check_step(const struct otr__log_links *after, bool by_skip, const struct otr__log_links *links, const struct otr__ref *ref, struct otr_error *err)
{
	enum otr_status status;

	if (links->rewrite == (by_skip ? after->skip_rewrite : after->prev_rewrite) && links->last_version < after->first_version &&
	    (!by_skip || links->last_version == after->skip_version))
		return OTR_OK;
	status = otr__fail(err, OTR_E_CORRUPT, "4.5", "log page of versions %llu to %llu, rewrite %llu: the page after it, from %llu on, says otherwise",
	    (unsigned long long)links->first_version, (unsigned long long)links->last_version, (unsigned long long)links->rewrite,
	    (unsigned long long)after->first_version);
	otr__fail_place(err, (int64_t)ref->page, -1);
	return status;
}

/* The newest log page is older than the record area (SPEC 4.3). */
static enum otr_status
check_newest(const struct otr__log *log, const struct otr__log_links *links, uint64_t area, struct otr_error *err)
{
	enum otr_status status;

	if (links->last_version < area)
		return OTR_OK;
	status = otr__fail(err, OTR_E_CORRUPT, "4.3", "log page up to version %llu, the record area begins with %llu",
	    (unsigned long long)links->last_version, (unsigned long long)area);
	otr__fail_place(err, (int64_t)log->slot->log.page, -1);
	return status;
}

/* Decodes the log page that holds version number, or would; area: the first version of the record area. */
static enum otr_status
page_of_version(struct otr__log *log, uint64_t number, uint64_t area, struct otr__log_page *out, struct otr_error *err)
{
	struct otr__ref ref = log->slot->log;
	struct otr__log_links links, after = { .index = 0 };
	uint64_t index = 0;
	bool known = false, by_skip = false;

	if (ref.page == 0)
		return not_found(log, number, err);
	for (;;) {
		const uint8_t *page;
		enum otr_status status = otr__log_read(log, &ref, index, known, &page, &links, err);

		if (status == OTR_OK)
			status = known ? check_step(&after, by_skip, &links, &ref, err) : check_newest(log, &links, area, err);
		if (status != OTR_OK)
			return status;
		if (number >= links.first_version)
			return otr__log_page_decode(page, log->store->page_bytes, log->schema, out, log->scratch, err);
		if (links.index == 0)
			return not_found(log, number, err);
		known = true;
		after = links;
		by_skip = number <= links.skip_version;
		if (by_skip) {
			ref = links.skip;
			index = links.skip_index;
		} else {
			ref = links.prev;
			index = links.index - 1;
		}
	}
}

/* The first kept root of the log pages after version number, which the newest log page's `rewrite` says is there. */
static enum otr_status
first_rewrite(struct otr__log *log, uint64_t number, struct otr__kept *kept, struct otr_error *err)
{
	struct otr__ref ref = log->slot->log;
	struct otr__log_links after = { .index = 0 };
	uint64_t index = 0;
	bool known = false, by_skip = false;

	for (;;) {
		struct otr__log_links links;
		const uint8_t *page;
		enum otr_status status = otr__log_read(log, &ref, index, known, &page, &links, err);

		if (status == OTR_OK && known)
			status = check_step(&after, by_skip, &links, &ref, err);
		if (status != OTR_OK)
			return status;
		known = true;
		after = links;
		by_skip = links.skip_rewrite > number;
		if (by_skip) {
			ref = links.skip;
			index = links.skip_index;
		} else if (links.prev_rewrite > number) {
			ref = links.prev;
			index = links.index - 1;
		} else {
			struct otr__log_page full;
			uint32_t i;

			otr__log_page_init(&full);
			status = otr__log_page_decode(page, log->store->page_bytes, log->schema, &full, log->scratch, err);
			for (i = 0; status == OTR_OK && i < full.records; i++) {
				if (full.record[i].has_kept && full.record[i].version > number) {
					*kept = full.record[i].kept;
					break;
				}
			}
			if (status == OTR_OK && i == full.records)
				status = otr__fail(err, OTR_E_CORRUPT, "4.5", "no kept root after version %llu, though the links say so",
				    (unsigned long long)number);
			if (status == OTR_OK && kept->root.page >= log->slot->page_count)
				status = otr__fail(err, OTR_E_CORRUPT, "5.2", "log page: a kept root is page %llu, pages are up to %llu",
				    (unsigned long long)kept->root.page, (unsigned long long)log->slot->page_count - 1);
			otr__log_page_release(&full);
			return status;
		}
	}
}

/* The root that has version number: of the first rewrite after it, or the present one (SPEC 8.2). */
static enum otr_status
root_of(struct otr__log *log, uint64_t number, const struct otr__record *record, uint32_t records, struct otr__kept *from, struct otr_error *err)
{
	const struct otr__slot *slot = log->slot;
	uint32_t i;

	*from = (struct otr__kept){ .root = slot->root, .base_row = slot->base_row, .tree_rows = slot->tree_rows };
	if (number >= slot->newest_rewrite)
		return OTR_OK;
	if (slot->log.page != 0) {
		struct otr__log_links links;
		const uint8_t *page;
		enum otr_status status = otr__log_read(log, &slot->log, 0, false, &page, &links, err);

		if (status != OTR_OK)
			return status;
		if (links.rewrite > number)
			return first_rewrite(log, number, from, err);
	}
	for (i = 0; i < records; i++) {
		if (record[i].has_kept && record[i].version > number) {
			*from = record[i].kept;
			return OTR_OK;
		}
	}
	/* a rewrite of a series without a tree keeps no root: before it there was nothing */
	*from = (struct otr__kept){ .base_row = 0 };
	return OTR_OK;
}

static void
keep_text(struct otr__version *version, const struct otr__record *record)
{
	version->record = *record;
	memcpy(version->text, record->author, record->author_bytes);
	memcpy(version->text + record->author_bytes, record->message, record->message_bytes);
	version->record.author = (const uint8_t *)version->text;
	version->record.message = (const uint8_t *)version->text + record->author_bytes;
	version->record.block = NULL;
	version->record.block_bytes = 0;
}

static enum otr_status
join(struct otr__rows *rows, const struct otr__rows *src, size_t from, size_t to, enum otr_duplicates policy, struct otr_error *err)
{
	bool last;

	if (!otr__rows_reserve(rows, rows->n + (to - from)))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	for (; from < to; from++)
		(void)otr__ride_join(rows, src, from, policy, &last);
	return OTR_OK;
}

enum otr_status
otr__log_riding(const struct otr__slot *slot, const struct otr_schema *schema, const struct otr__rows *carried, const struct otr__record *record,
    uint32_t records, struct otr__rows *rows, struct otr_error *err)
{
	struct otr__rows block;
	enum otr_status status;
	uint32_t i, n;

	if (!otr__rows_init(rows, schema->columns, carried->n + 16))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	otr__rows_append(rows, carried, 0, carried->n);
	if (!otr__rows_init(&block, schema->columns, 16)) {
		otr__rows_release(rows);
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	status = OTR_OK;
	for (i = 0; i < records && status == OTR_OK; i++) {
		struct otr__reader r;

		if (record[i].block == NULL)
			continue;
		r = otr__reader_of(record[i].block, record[i].block_bytes);
		block.n = 0;
		memset(block.has_null, 0, sizeof block.has_null);
		status = otr__block_get(&r, schema, &block, &n, err);
		if (status == OTR_OK)
			status = join(rows, &block, 0, block.n, slot->policies.duplicates, err);
	}
	otr__rows_release(&block);
	if (status != OTR_OK)
		otr__rows_release(rows);
	rows->decoded = UINT64_MAX;
	return status;
}

/* Version number, whose record is record[i] of the slot's area. */
static enum otr_status
version_in_area(struct otr__log *log, const struct otr__rows *carried, const struct otr__record *record, uint32_t records, uint32_t i,
    struct otr__version *version, struct otr_error *err)
{
	const struct otr__slot *slot = log->slot;
	enum otr_status status = root_of(log, record[i].version, record, records, &version->from, err);
	uint32_t k;

	if (status != OTR_OK)
		return status;
	for (k = 0; k <= i && record[k].block == NULL; k++)
		;
	status = otr__log_riding(slot, log->schema, carried, record, i + 1, &version->ride, err);
	if (status != OTR_OK)
		return status;
	if (k <= i || carried->n > 0)
		version->tree_end = slot->base_row + slot->tree_rows;
	else
		version->tree_end = record[i].rows_ever;
	return OTR_OK;
}

/* Version number, whose record is record[i] of a log page. */
static enum otr_status
version_in_page(struct otr__log *log, const struct otr__log_page *page, uint32_t i, struct otr__version *version, struct otr_error *err)
{
	const struct otr__group *g = NULL;
	uint32_t k, from, rows;
	enum otr_status status;

	if (!otr__rows_init(&version->ride, log->schema->columns, 16))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	version->ride.decoded = UINT64_MAX;
	version->tree_end = page->record[i].rows_ever;
	for (k = 0; k < page->groups; k++)
		if (i >= page->group[k].record && i - page->group[k].record < page->group[k].records)
			g = &page->group[k];
	if (g == NULL)
		return OTR_OK;
	rows = g->carried;
	for (k = g->record; k <= i; k++)
		rows += page->record[k].row_count;
	if (rows == 0)
		return OTR_OK;
	version->tree_end = g->tree_end;
	from = g->row;
	status = join(&version->ride, &page->rows, from, from + rows, g->duplicates, err);
	if (status != OTR_OK)
		otr__rows_release(&version->ride);
	return status;
}

static enum otr_status
version_in_log(struct otr__log *log, uint64_t number, const struct otr__record *record, uint32_t records, struct otr__version *version,
    struct otr_error *err)
{
	struct otr__log_page page;
	enum otr_status status;
	uint32_t i;

	otr__log_page_init(&page);
	status = page_of_version(log, number, records > 0 ? record[0].version : log->slot->version, &page, err);
	if (status == OTR_OK) {
		for (i = 0; i < page.records && page.record[i].version != number; i++)
			;
		if (i == page.records)
			status = not_found(log, number, err);
		else
			status = version_in_page(log, &page, i, version, err);
	}
	if (status == OTR_OK) {
		keep_text(version, &page.record[i]);
		status = root_of(log, number, record, records, &version->from, err);
		if (status != OTR_OK)
			otr__rows_release(&version->ride);
	}
	otr__log_page_release(&page);
	return status;
}

enum otr_status
otr__log_root(struct otr__log *log, uint64_t number, struct otr__kept *root, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	uint32_t records;
	enum otr_status status = otr__slot_records(log->slot, log->schema, NULL, record, &records, err);

	return status == OTR_OK ? root_of(log, number, record, records, root, err) : status;
}

enum otr_status
otr__log_version(struct otr__log *log, uint64_t number, struct otr__version *version, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	struct otr__rows carried;
	uint32_t records, i;
	enum otr_status status;

	if (number < log->slot->oldest_version || number > log->slot->version)
		return not_found(log, number, err);
	if (!otr__rows_init(&carried, log->schema->columns, 16))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__slot_records(log->slot, log->schema, &carried, record, &records, err);
	if (status == OTR_OK) {
		for (i = 0; i < records && record[i].version != number; i++)
			;
		if (i < records) {
			status = version_in_area(log, &carried, record, records, i, version, err);
			if (status == OTR_OK)
				keep_text(version, &record[i]);
		} else if (records > 0 && number > record[0].version) {
			status = not_found(log, number, err);      /* a number that was skipped */
		} else {
			status = version_in_log(log, number, record, records, version, err);
		}
	}
	otr__rows_release(&carried);
	if (status != OTR_OK)
		return status;
	/* no rows then (8.3-3), or rows that were all dropped with their pages (8.3-2): nothing of the tree */
	if (version->record.rows == 0 || version->tree_end < version->from.base_row)
		version->tree_end = version->from.base_row;
	if (version->tree_end - version->from.base_row > version->from.tree_rows) {
		otr__rows_release(&version->ride);
		return otr__fail(err, OTR_E_CORRUPT, "8.3-4", "version %llu ends at row %llu, its root at %llu", (unsigned long long)number,
		    (unsigned long long)version->tree_end, (unsigned long long)(version->from.base_row + version->from.tree_rows));
	}
	return OTR_OK;
}

enum otr_status
otr__log_as_of(struct otr__log *log, int64_t time_ns, uint64_t *number, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	uint32_t records;
	struct otr__ref ref = log->slot->log;
	uint64_t index = 0, oldest = log->slot->oldest_version, before;      /* before: all versions of the page to come are */
	bool known = false, found = false;
	enum otr_status status = otr__slot_records(log->slot, log->schema, NULL, record, &records, err);

	if (status != OTR_OK)
		return status;
	before = record[0].version;
	while (!found && records > 0) {
		records--;
		if (record[records].commit_ns <= time_ns) {
			*number = record[records].version;
			found = true;
		}
	}
	/* pages that hold pruned versions only may be gone (SPEC 9.5): no link to them is followed */
	while (!found && ref.page != 0 && before > oldest) {
		struct otr__log_links links;
		const uint8_t *page;

		status = otr__log_read(log, &ref, index, known, &page, &links, err);
		if (status != OTR_OK)
			return status;
		known = true;
		if (links.least_ns <= time_ns) {
			struct otr__log_page full;
			uint32_t i;

			otr__log_page_init(&full);
			status = otr__log_page_decode(page, log->store->page_bytes, log->schema, &full, log->scratch, err);
			for (i = full.records; status == OTR_OK && !found && i > 0; i--) {
				if (full.record[i - 1].commit_ns <= time_ns) {
					*number = full.record[i - 1].version;
					found = true;
				}
			}
			otr__log_page_release(&full);
			if (status != OTR_OK)
				return status;
			break;
		}
		if (links.index == 0)
			break;
		if (links.skip_least_ns > time_ns) {
			ref = links.skip;
			index = links.skip_index;
			before = links.skip_version + 1;
		} else {
			ref = links.prev;
			index = links.index - 1;
			before = links.first_version;
		}
	}
	if (!found)
		return otr__fail(err, OTR_E_NOTFOUND, "8.4", "no version is that old; the oldest kept is %llu",
		    (unsigned long long)log->slot->oldest_version);
	if (*number < log->slot->oldest_version)
		return not_found(log, *number, err);
	return OTR_OK;
}

enum otr_status
otr__log_from(struct otr__log *log, uint64_t number, uint64_t *found, struct otr_error *err)
{
	struct otr__record record[OTR__RECORDS_MAX];
	struct otr__log_page page;
	uint32_t records, i;
	enum otr_status status = otr__slot_records(log->slot, log->schema, NULL, record, &records, err);

	if (status != OTR_OK)
		return status;
	if (log->slot->log.page == 0 || number >= record[0].version) {
		for (i = 0; i + 1 < records && record[i].version < number; i++)
			;
		*found = record[i].version;
		return OTR_OK;
	}
	otr__log_page_init(&page);
	status = page_of_version(log, number, records > 0 ? record[0].version : log->slot->version, &page, err);
	if (status == OTR_OK) {
		for (i = 0; i + 1 < page.records && page.record[i].version < number; i++)
			;
		*found = page.record[i].version;
	}
	otr__log_page_release(&page);
	return status;
}

enum otr_status
otr__log_first_of_last(struct otr__log *log, uint64_t pages, uint64_t *first, struct otr_error *err)
{
	struct otr__ref ref = log->slot->log;
	uint64_t index = 0, wanted = 0;
	bool known = false;

	*first = 0;
	if (ref.page == 0)
		return OTR_OK;
	for (;;) {
		struct otr__log_links links;
		const uint8_t *page;
		enum otr_status status = otr__log_read(log, &ref, index, known, &page, &links, err);

		if (status != OTR_OK)
			return status;
		if (!known) {
			if (links.index < pages)
				return OTR_OK;
			wanted = links.index - pages + 1;
			known = true;
		}
		if (links.index == wanted || links.first_version <= log->slot->oldest_version) {
			*first = links.first_version;
			return OTR_OK;
		}
		/* a page that only pruned versions need may be gone */
		if (links.skip_index >= wanted && links.skip_version >= log->slot->oldest_version) {
			ref = links.skip;
			index = links.skip_index;
		} else {
			ref = links.prev;
			index = links.index - 1;
		}
	}
}

enum otr_status
otr__log_links_after(struct otr__store *store, const struct otr_schema *schema, uint64_t oldest, const struct otr__ref *newest,
    const struct otr__log_links *p, struct otr__log_links *links, struct otr_error *err)
{
	struct otr__log_links q;
	const uint8_t *page;
	enum otr_status status;

	*links = (struct otr__log_links){ .index = p->index + 1, .prev = *newest, .prev_rewrite = p->rewrite, .skip = *newest,
		.skip_version = p->last_version, .skip_rewrite = p->rewrite, .skip_index = p->index, .skip_least_ns = INT64_MAX };
	/* a page that only pruned versions need may be gone */
	if (p->index == 0 || p->skip_index == 0 || p->skip_version < oldest)
		return OTR_OK;
	status = otr__store_read(store, &p->skip, OTR__LOG, 0, &page, NULL, err);
	if (status == OTR_OK)
		status = otr__log_links_decode(page, store->page_bytes, schema, &q, err);
	if (status != OTR_OK)
		return status;
	if (p->index - q.index == q.index - q.skip_index) {
		links->skip = q.skip;
		links->skip_version = q.skip_version;
		links->skip_rewrite = q.skip_rewrite;
		links->skip_index = q.skip_index;
		links->skip_least_ns = p->skip_least_ns < q.skip_least_ns ? p->skip_least_ns : q.skip_least_ns;
	}
	return OTR_OK;
}
