/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.h - the first 16 KiB of a new file (SPEC 3, 4.1): header, one slot, one unwritten slot, header.
 */
#ifndef OTR_START_H
#define OTR_START_H

#include "io.h"
#include "slot.h"

/*
 * Writes them, and the zero bytes up to page 1 where pages are larger.  The slot says that it is self-synced: the whole file is synced before it gets its
 * name (SPEC 10.3).  Returns OTR_OK, OTR_E_IO.
 */
OTR_MUST_CHECK enum otr_status otr__start_write(struct otr_io *io, const struct otr__header *header, struct otr__slot *slot, struct otr_error *err);

#endif
