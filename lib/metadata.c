/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metadata.c - see metadata.h.  A chain is at most 1 MiB: its pages are counted down by their own `remaining`.
 */
#include "metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "retain.h"

static enum otr_status
no_memory(struct otr_error *err)
{
	return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
}

static enum otr_status
read_page(struct otr__store *store, const struct otr__ref *ref, struct otr__meta_page *meta, struct otr_error *err)
{
	const uint8_t *page;
	enum otr_status status = otr__store_read(store, ref, OTR__META, 0, &page, NULL, err);

	if (status == OTR_OK)
		status = otr__meta_decode(page, store->page_bytes, meta, err);
	if (status != OTR_OK)
		otr__fail_place(err, (int64_t)ref->page, -1);
	return status;
}

/* The first page of the chain in force at version. */
static enum otr_status
find_chain(struct otr__store *store, const struct otr__ref *newest, uint64_t version, struct otr__ref *found, struct otr_error *err)
{
	*found = *newest;
	while (found->page != 0 && found->generation > version) {
		struct otr__meta_page meta;
		enum otr_status status = read_page(store, found, &meta, err);

		if (status != OTR_OK)
			return status;
		if (meta.previous.page != 0 && meta.previous.generation >= found->generation)
			return otr__fail(err, OTR_E_CORRUPT, "5.6-2", "metadata of generation %llu before that of %llu",
			    (unsigned long long)meta.previous.generation, (unsigned long long)found->generation);
		*found = meta.previous;
	}
	return OTR_OK;
}

enum otr_status
otr__metadata_read(struct otr__store *store, const struct otr__ref *newest, uint64_t version, uint8_t **bytes, size_t *len, struct otr_error *err)
{
	struct otr__ref ref;
	uint8_t *stream = NULL;
	size_t n = 0;
	uint32_t expect = 0;
	bool first = true;
	enum otr_status status = find_chain(store, newest, version, &ref, err);

	while (status == OTR_OK && ref.page != 0) {
		struct otr__meta_page meta;
		uint8_t *grown;

		status = read_page(store, &ref, &meta, err);
		if (status != OTR_OK)
			break;
		if ((!first && (meta.remaining != expect || meta.previous.page != 0)) || (meta.remaining == 0) != (meta.next.page == 0) ||
		    (meta.next.page != 0 && (meta.next.generation != ref.generation || meta.bytes != store->page_bytes - OTR__META_FIXED)) ||
		    n + meta.bytes > OTR_MAX_META) {
			status = otr__fail(err, OTR_E_CORRUPT, "5.6-2", "the chain of metadata pages does not fit together");
			otr__fail_place(err, (int64_t)ref.page, -1);
			break;
		}
		grown = realloc(stream, n + meta.bytes + 1);
		if (grown == NULL) {
			status = no_memory(err);
			break;
		}
		stream = grown;
		memcpy(stream + n, meta.stream, meta.bytes);
		n += meta.bytes;
		expect = meta.remaining - 1;
		first = false;
		ref = meta.next;
	}
	if (status != OTR_OK) {
		free(stream);
		return status;
	}
	*bytes = stream;
	*len = n;
	return OTR_OK;
}

static int
by_key(const void *a, const void *b)
{
	const struct otr_meta *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);      /* bytes: strcmp compares as unsigned char */
}

enum otr_status
otr__metadata_stream(const struct otr_meta *entry, size_t count, uint8_t **bytes, size_t *len, struct otr_error *err)
{
	const struct otr_meta **order = malloc((count + 1) * sizeof *order);
	struct otr__put w;
	size_t i, size = 0;
	enum otr_status status = OTR_OK;

	if (order == NULL)
		return no_memory(err);
	for (i = 0; i < count && status == OTR_OK; i++) {
		const struct otr_meta *e = &entry[i];

		order[i] = e;
		if (!otr__meta_key_ok((const uint8_t *)e->key, strlen(e->key)) || strncmp(e->key, "otr.", 4) == 0)
			status = otr__fail(err, OTR_E_ARG, "5.6-1", "metadata key \"%.80s\": letters, digits, . _ - only, and not otr.", e->key);
		else if (!otr__meta_value_ok((const uint8_t *)e->value, e->value_bytes))
			status = otr__fail(err, OTR_E_ARG, "5.6-1", "metadata key \"%.80s\": the value is not UTF-8", e->key);
		else if (e->value_bytes > OTR_MAX_META || (size += 8 + strlen(e->key) + e->value_bytes) > OTR_MAX_META)
			status = otr__fail(err, OTR_E_ARG, "5.6-1", "metadata of more than %d bytes", OTR_MAX_META);
	}
	if (status == OTR_OK) {
		qsort(order, count, sizeof *order, by_key);
		for (i = 1; i < count && status == OTR_OK; i++)
			if (strcmp(order[i - 1]->key, order[i]->key) == 0)
				status = otr__fail(err, OTR_E_ARG, "5.6-1", "metadata key \"%.80s\" twice", order[i]->key);
	}
	if (status == OTR_OK) {
		*bytes = malloc(size + 1);
		if (*bytes == NULL) {
			status = no_memory(err);
		} else {
			w = otr__put_into(*bytes, size);
			for (i = 0; i < count; i++)
				otr__meta_put(&w, (const uint8_t *)order[i]->key, strlen(order[i]->key), (const uint8_t *)order[i]->value,
				    order[i]->value_bytes);
			*len = size;
		}
	}
	free(order);
	return status;
}

uint64_t
otr__metadata_pages(uint32_t page_bytes, size_t len)
{
	size_t per_page = page_bytes - OTR__META_FIXED;

	return len == 0 ? 1 : (len + per_page - 1) / per_page;
}

enum otr_status
otr__metadata_check(const struct otr_schema *schema, const struct otr_policies *policies, size_t len, struct otr_error *err)
{
	uint64_t pages = otr__metadata_pages(schema->page_bytes, len), most = otr__retain_metadata(schema, policies);

	if (len == 0 || pages <= most)
		return OTR_OK;
	return otr__fail(err, OTR_E_LIMIT, "9.4", "metadata of %zu bytes take %llu pages; a file of at most %llu bytes has room for %llu", len,
	    (unsigned long long)pages, (unsigned long long)policies->max_bytes, (unsigned long long)most);
}

enum otr_status
otr__metadata_write(struct otr__space *space, const uint8_t *bytes, size_t len, struct otr__ref *ref, struct otr_error *err)
{
	uint32_t page_bytes = space->store->page_bytes;
	size_t per_page = page_bytes - OTR__META_FIXED, pages = (size_t)otr__metadata_pages(page_bytes, len), i;
	struct otr__ref next = { .page = 0 };
	uint8_t *page = malloc(page_bytes);
	enum otr_status status = page == NULL ? no_memory(err) : OTR_OK;

	/* from the last page to the first, since a page holds the checksum of the one after it */
	for (i = pages; i > 0 && status == OTR_OK; i--) {
		size_t from = (i - 1) * per_page, n = len - from < per_page ? len - from : per_page;
		struct otr__meta_page meta = { .next = next, .remaining = (uint32_t)(pages - i), .bytes = (uint32_t)n,
			.stream = n == 0 ? bytes : bytes + from };    /* NULL may be where no bytes are */

		if (i == 1)
			meta.previous = *ref;
		otr__meta_encode(page, page_bytes, &meta);
		status = otr__space_write(space, page, OTR__META, 0, &next, err);
	}
	free(page);
	if (status == OTR_OK)
		*ref = next;
	return status;
}

/* ---- the public call ---------------------------------------------------------------------------------------------------- */

/* Entries of a stream as NUL-terminated strings, in one piece of memory each. */
static enum otr_status
load(struct otr *file, struct otr_error *err)
{
	uint8_t *stream = NULL, *text;
	size_t len = 0, count = 0, used = 0, key_len, value_len, previous_len = 0;
	const uint8_t *key, *value, *previous = NULL;
	struct otr__reader r;
	enum otr_status status = otr__metadata_read(&file->store, &file->state.slot.metadata, file->snapshot->version, &stream, &len, err);

	if (status != OTR_OK)
		return status;
	r = otr__reader_of(stream, len);
	while ((status = otr__meta_next(&r, previous, previous_len, &key, &key_len, &value, &value_len, err)) == OTR_OK) {
		previous = key;
		previous_len = key_len;
		count++;
	}
	if (status == OTR_END) {
		text = malloc(len + 2 * count + 1);
		file->meta = malloc((count + 1) * sizeof *file->meta);
		if (text == NULL || file->meta == NULL) {
			free(text);
			free(stream);
			free(file->meta);
			file->meta = NULL;
			return no_memory(err);
		}
		r = otr__reader_of(stream, len);
		previous = NULL;
		for (previous_len = 0, count = 0; otr__meta_next(&r, previous, previous_len, &key, &key_len, &value, &value_len, err) == OTR_OK; count++) {
			struct otr_meta *e = &file->meta[count];

			e->key = (char *)text + used;
			memcpy(text + used, key, key_len);
			used += key_len;
			text[used++] = '\0';
			e->value = (char *)text + used;
			e->value_bytes = value_len;
			memcpy(text + used, value, value_len);
			used += value_len;
			text[used++] = '\0';
			previous = key;
			previous_len = key_len;
		}
		file->meta_bytes = text;
		file->meta_count = count;
		file->meta_read = true;
		status = OTR_OK;
	}
	free(stream);
	return status;
}

enum otr_status
otr_meta_entry(struct otr *file, size_t i, struct otr_meta *entry, struct otr_error *err)
{
	unsigned attempt = 0;

	while (!file->meta_read) {
		enum otr_status status = load(file, err);

		if (status != OTR_OK && !otr__db_again(file, attempt++, &status, err))
			return status;
	}
	if (i >= file->meta_count)
		return OTR_END;
	*entry = file->meta[i];
	return OTR_OK;
}
