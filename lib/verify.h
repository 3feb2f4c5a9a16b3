/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.h - otr_verify on a backend.
 */
#ifndef OTR_VERIFY_H
#define OTR_VERIFY_H

#include "io.h"

/* Takes io, also when it fails. */
OTR_MUST_CHECK enum otr_status otr__verify_io(struct otr_io io, void (*found)(void *arg, const struct otr_finding *finding), void *arg, uint64_t *faults,
    struct otr_error *err);

#endif
