/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.h - filling a struct otr_error: once, by one function, where the fault is seen.  It is passed on untouched.
 */
#ifndef OTR_ERROR_H
#define OTR_ERROR_H

#include "otr.h"

/*
 * Fills *err (which may be NULL) with status, the SPEC section or rule (may be "") and a formatted sentence; offset, page, row are set to -1.
 * Returns status, so that a caller may say: return otr__fail(err, OTR_E_CORRUPT, "5.5-2", "...", ...).
 */
enum otr_status otr__fail(struct otr_error *err, enum otr_status status, const char *spec, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for OTR_E_IO: keeps errno's value in sys_errno and its text behind the sentence. */
enum otr_status otr__fail_sys(struct otr_error *err, int sys_errno, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds the place to an error that a pure decoder could not know; keeps what is set already.  err may be NULL. */
void otr__fail_place(struct otr_error *err, int64_t page, int64_t offset);

#endif
