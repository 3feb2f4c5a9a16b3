/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.c - status codes, their texts, and the one function that fills a struct otr_error.
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
otr_status_text(enum otr_status status)
{
	switch (status) {
	case OTR_OK: return "ok";
	case OTR_END: return "end";
	case OTR_E_FORMAT: return "not an OTR file";
	case OTR_E_CORRUPT: return "damaged";
	case OTR_E_UNSUPPORTED: return "too new";
	case OTR_E_TRUNCATED: return "truncated";
	case OTR_E_IO: return "input or output failed";
	case OTR_E_BUSY: return "busy";
	case OTR_E_NOMEM: return "out of memory";
	case OTR_E_LIMIT: return "limit reached";
	case OTR_E_EXPIRED: return "snapshot expired";
	case OTR_E_ARG: return "bad argument";
	case OTR_E_NOTFOUND: return "not found";
	case OTR_E_EXISTS: return "exists";
	case OTR_E_DUPLICATE: return "duplicate time";
	}
	return "unknown status";
}

static void
reset(struct otr_error *err, enum otr_status status)
{
	*err = (struct otr_error){ .status = status, .offset = -1, .page = -1, .row = -1 };
}

enum otr_status
otr__fail(struct otr_error *err, enum otr_status status, const char *spec, const char *format, ...)
{
	if (err != NULL) {
		va_list args;

		reset(err, status);
		(void)snprintf(err->spec, sizeof err->spec, "%s", spec);     /* a longer one is cut, not lost: the text stands */
		va_start(args, format);
		(void)vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
	}
	return status;
}

enum otr_status
otr__fail_sys(struct otr_error *err, int sys_errno, const char *format, ...)
{
	if (err != NULL) {
		va_list args;
		size_t len;

		reset(err, OTR_E_IO);
		err->sys_errno = sys_errno;
		va_start(args, format);
		(void)vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
		len = strlen(err->text);
		(void)snprintf(err->text + len, sizeof err->text - len, ": %s", strerror(sys_errno));
	}
	return OTR_E_IO;
}

void
otr__fail_place(struct otr_error *err, int64_t page, int64_t offset)
{
	if (err == NULL)
		return;
	if (err->page < 0)
		err->page = page;
	if (err->offset < 0)
		err->offset = offset;
}
