/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.c - the caller's eye on long work.
 */
#include "watch.h"

enum otr_status
otr__watch_ask(const struct otr__watch *watch, struct otr_error *err)
{
	if (watch->go_on == NULL || watch->go_on(watch->arg, watch->done, watch->total))
		return OTR_OK;
	return otr__fail(err, OTR_END, "", "ended by the caller");
}

enum otr_status
otr__watch_page(struct otr__watch *watch, struct otr_error *err)
{
	watch->done++;
	if (watch->total < watch->done)
		watch->total = watch->done;
	return otr__watch_ask(watch, err);
}
