/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * create.c - making an empty series (SPEC 10.3): without a name, or under a temporary one, synced, locked, linked into place.  Either the name does not exist afterwards, or it
 * names a whole file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "metadata.h"
#include "start.h"

uint32_t
otr_default_page_bytes(uint32_t columns)
{
	if (columns <= 1)
		return 8192;
	if (columns <= 3)
		return 16384;
	return columns <= 8 ? 32768 : 65536;
}

static enum otr_status
check_options(const struct otr_schema *schema, const struct otr_create_options *o, struct otr_error *err)
{
	enum otr_status status = otr__policies_check(schema, &o->policies, err);

	if (status != OTR_OK)
		return status;
	return otr__who_check(&(struct otr__who){ .author = o->author, .message = o->message }, err);
}

/* Everything that an empty file holds, into io. */
static enum otr_status
write_file(struct otr_io *io, const struct otr_schema *schema, const struct otr_create_options *o, const uint8_t *meta, size_t meta_len,
    struct otr_error *err)
{
	struct otr__header header = { .major = OTR_FORMAT_MAJOR, .minor = OTR_FORMAT_MINOR, .schema = *schema };
	struct otr__record record = otr__who_record(&(struct otr__who){ .author = o->author, .message = o->message }, OTR_KIND_CREATE);
	struct otr__slot *slot = calloc(1, sizeof *slot);
	struct otr__space space = { .version = 0 };
	struct otr__store store = { .io = NULL };
	struct otr__put w;
	uint64_t fixed = OTR__START_BYTES / schema->page_bytes;
	enum otr_status status = OTR_OK;
	int failure;

	if (slot == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	failure = io->random(io->self, header.file_id, sizeof header.file_id);
	if (failure != 0) {
		status = otr__fail_sys(err, failure, "no random bytes for the file's id");
		goto out;
	}
	header.file_id[0] |= 1;              /* not all zero */
	header.created_ns = io->now_ns(io->self);
	slot->commit_ns = header.created_ns;
	slot->minor = OTR_FORMAT_MINOR;
	slot->horizon_ns = INT64_MIN;
	slot->page_count = fixed > 0 ? fixed : 1;
	slot->policies = o->policies;
	if (!otr__store_init(&store, io, &header) || !otr__space_init(&space, &store, header.file_id, slot, 0)) {
		status = otr__fail(err, OTR_E_NOMEM, "", "out of memory");
		goto out;
	}
	if (meta_len > 0)
		status = otr__metadata_write(&space, meta, meta_len, &slot->metadata, err);
	if (status == OTR_OK)
		status = otr__space_finish(&space, false, 0, slot, err);
	if (status != OTR_OK)
		goto out;
	record.commit_ns = slot->commit_ns;
	w = otr__put_into(slot->area, otr__slot_room(0));
	otr__record_put(&w, &record);
	slot->area_bytes = (uint16_t)otr__record_size(&record);
	status = otr__start_write(io, &header, slot, err);
out:
	otr__space_release(&space);
	otr__store_release(&store);
	free(slot);
	return status;
}

enum otr_status
otr__lock_replaced(const char *path, int64_t wait_ns, struct otr_io *io, struct otr_error *err)
{
	struct otr__patience patience = { .wait_ns = wait_ns };
	struct otr_error second;
	enum otr_status status;

	io->self = NULL;
	status = otr__io_open(path, true, io, &second);
	if (status == OTR_E_IO && second.sys_errno == ENOENT)
		return OTR_OK;
	if (status != OTR_OK) {
		if (err != NULL)
			*err = second;
		return status == OTR_E_IO && (second.sys_errno == EISDIR || second.sys_errno == ESPIPE || second.sys_errno == ENXIO) ?
		    otr__fail(err, OTR_E_EXISTS, "", "exists and is not a regular file") : status;
	}
	status = otr__wait_for_lock(io, &patience, err);
	if (status != OTR_OK) {
		io->close(io->self);
		io->self = NULL;
	}
	return status;
}

enum otr_status
otr_create(const char *path, const struct otr_schema *wanted, const struct otr_create_options *o, struct otr_error *err)
{
	struct otr_schema *schema = malloc(sizeof *schema);
	struct otr_io io = { .self = NULL }, old = { .self = NULL };
	uint8_t *meta = NULL;
	size_t meta_len = 0;
	enum otr_status status;

	if (schema == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	*schema = *wanted;
	if (schema->page_bytes == 0)
		schema->page_bytes = otr_default_page_bytes(schema->columns);
	status = otr__schema_check(schema, err);
	if (status == OTR_OK)
		status = check_options(schema, o, err);
	if (status == OTR_OK && o->meta_count > 0)
		status = otr__metadata_stream(o->meta, o->meta_count, &meta, &meta_len, err);
	if (status == OTR_OK)
		status = otr__metadata_check(schema, &o->policies, meta_len, err);
	if (status == OTR_OK && o->replace)
		status = otr__lock_replaced(path, o->wait_ns, &old, err);
	if (status == OTR_OK)
		status = otr__io_create(path, &io, err);
	if (status == OTR_OK)
		status = write_file(&io, schema, o, meta, meta_len, err);
	if (status == OTR_OK)
		status = otr__io_publish(&io, o->replace, err);
	if (io.self != NULL)
		io.close(io.self);
	if (old.self != NULL)
		old.close(old.self);
	free(meta);
	free(schema);
	return status;
}
