/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - values of JSON (RFC 8259), out.
 */
#ifndef OTR_TOOLS_JSON_H
#define OTR_TOOLS_JSON_H

#include "out.h"
#include "../lib/otr.h"

/* A string; bytes that are no UTF-8 become U+FFFD, controls \u00NN. */
void json_text(struct out *o, const char *text);
/* A value of a column; floats that JSON lacks are strings. */
void json_value(struct out *o, enum otr_type type, uint64_t bits);

#endif
