/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * create.h - what making an empty file and making a compacted one share.
 */
#ifndef OTR_CREATE_H
#define OTR_CREATE_H

#include "commit.h"

/*
 * Has the lock of the file at path, which is about to be replaced, in *io, the caller's to close; io->self is NULL if there is no such file.
 * Returns OTR_OK; OTR_E_EXISTS (no regular file); OTR_E_BUSY; OTR_E_IO; OTR_E_NOMEM.
 */
OTR_MUST_CHECK enum otr_status otr__lock_replaced(const char *path, int64_t wait_ns, struct otr_io *io, struct otr_error *err);

#endif
