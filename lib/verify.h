/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.h - otr_verify on a backend.
 */
#ifndef OTR_VERIFY_H
#define OTR_VERIFY_H

#include "io.h"

/* Takes io, also when it fails. */
OTR_MUST_CHECK enum otr_status otr__verify_io(struct otr_io io, const struct otr_verify_options *options, uint64_t *faults, struct otr_error *err);

#endif
