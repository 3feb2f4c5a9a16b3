/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.h - otr_writer_open on a backend, for tests of what a crash leaves.
 */
#ifndef OTR_WRITER_H
#define OTR_WRITER_H

#include "commit.h"

/* Takes io once its options are found right.  io->is_current must always be true. */
OTR_MUST_CHECK enum otr_status otr__writer_open_io(const struct otr_io *io, const struct otr_writer_options *options, struct otr_writer **writer,
    struct otr_error *err);

#endif
