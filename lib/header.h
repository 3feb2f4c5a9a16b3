/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * header.h - the file header and schema (SPEC 3): pure codec.
 */
#ifndef OTR_HEADER_H
#define OTR_HEADER_H

#include "error.h"
#include "format.h"

struct otr__features {
	uint64_t compat, ro_compat, incompat;
};

struct otr__header {
	uint16_t major, minor;
	struct otr__features features;
	uint8_t file_id[16];
	int64_t created_ns;
	struct otr_schema schema;
	uint64_t unsupported_columns;          /* bit c: its type is unknown; schema.column[c].type is then 0 */
};

/* Checks a schema of a caller against SPEC 2.5 (page_bytes must be set).  Returns OTR_OK or OTR_E_ARG. */
OTR_MUST_CHECK enum otr_status otr__schema_check(const struct otr_schema *schema, struct otr_error *err);

/* Writes 4096 bytes. */
void otr__header_encode(uint8_t bytes[OTR__HEADER_BYTES], const struct otr__header *header);

/* In the order of SPEC 3.2.  Returns OTR_OK, OTR_E_FORMAT (magic), OTR_E_CORRUPT, OTR_E_UNSUPPORTED. */
OTR_MUST_CHECK enum otr_status otr__header_decode(const uint8_t bytes[OTR__HEADER_BYTES], struct otr__header *header, struct otr_error *err);

#endif
