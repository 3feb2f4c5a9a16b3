/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.c - see start.h.
 */
#include "start.h"

#include <string.h>

static enum otr_status
write_bytes(struct otr_io *io, uint64_t offset, const uint8_t *bytes, size_t len, struct otr_error *err)
{
	int failure = io->write(io->self, offset, bytes, len);

	return failure == 0 ? OTR_OK : otr__fail_sys(err, failure, "cannot write");
}

enum otr_status
otr__start_write(struct otr_io *io, const struct otr__header *header, struct otr__slot *slot, struct otr_error *err)
{
	uint32_t page_bytes = header->schema.page_bytes;
	uint8_t bytes[OTR__SLOT_BYTES];
	enum otr_status status = OTR_OK;

	slot->self_synced = true;
	/* 32 and 64 KiB pages: the bytes up to page 1 are zero, and there */
	if (page_bytes > OTR__START_BYTES) {
		memset(bytes, 0, sizeof bytes);
		status = write_bytes(io, page_bytes - sizeof bytes, bytes, sizeof bytes, err);
	}
	otr__header_encode(bytes, header);
	if (status == OTR_OK)
		status = write_bytes(io, 0, bytes, sizeof bytes, err);
	if (status == OTR_OK)
		status = write_bytes(io, OTR__HEADER_COPY, bytes, sizeof bytes, err);
	if (status == OTR_OK) {
		otr__slot_encode(bytes, slot, header->file_id);
		status = write_bytes(io, OTR__SLOT_OFFSET(0), bytes, sizeof bytes, err);
	}
	if (status == OTR_OK) {
		otr__slot_encode_unwritten(bytes, header->file_id);
		status = write_bytes(io, OTR__SLOT_OFFSET(1), bytes, sizeof bytes, err);
	}
	return status;
}
