/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * db.c - opening a file for reading: which header, which slot, which snapshot (SPEC 3.2, 4.2, 10.4), and what has to be said about it.
 *
 *      otr_open -> otr__read_header -> otr__read_state -> otr__db_snapshot(newest) -> root page read
 *                    | bad: the copy     | torn, older damaged: the other slot, a notice    | bad: the other slot, a notice, fallback
 *                    | both bad: 4       | damaged newest: 4 (but for otr_open_at)          | that root bad too: 4
 *
 * A reader holds no lock.  A page that fails its check may have been reused by a writer: otr__db_recover reads the slots again.
 */
#include "db.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static void
notice(struct otr__notices *notices, bool fallback, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
notice(struct otr__notices *notices, bool fallback, const char *format, ...)
{
	va_list args;

	if (notices == NULL || notices->n == OTR__NOTICES_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(notices->text[notices->n], sizeof notices->text[0], format, args);
	va_end(args);
	notices->fallback[notices->n++] = fallback;
}

enum otr_status
otr__read_header(struct otr_io *io, struct otr__header *header, struct otr__notices *notices, struct otr_error *err)
{
	static const uint8_t magic[8] = { 0x89, 'O', 'T', 'R', '\r', '\n', 0x1a, '\n' };
	uint8_t bytes[OTR__HEADER_BYTES];
	size_t got = 0;
	uint64_t size;
	struct otr_error second;
	enum otr_status status;
	int failure = io->read(io->self, 0, bytes, sizeof bytes, &got);

	if (failure == 0)
		failure = io->size(io->self, &size);
	if (failure != 0)
		return otr__fail_sys(err, failure, "cannot read");
	if (memcmp(bytes, magic, got < sizeof magic ? got : sizeof magic) != 0 || got == 0)
		return otr__fail(err, OTR_E_FORMAT, "3.2-1", got == 0 ? "empty file: not an OTR file, or truncated" : "not an OTR file");
	if (size < OTR__START_BYTES || got < sizeof bytes)
		return otr__fail(err, OTR_E_TRUNCATED, "3.2-2", "truncated: %llu bytes, where an OTR file has at least 16384", (unsigned long long)size);
	status = otr__header_decode(bytes, header, err);
	if (status == OTR_E_CORRUPT) {
		if (otr__io_read(io, OTR__HEADER_COPY, bytes, sizeof bytes, &second) != OTR_OK || otr__header_decode(bytes, header, &second) != OTR_OK)
			return status;
		notice(notices, false, "header damaged; read from its copy at byte 12288");
	}
	return status == OTR_E_CORRUPT ? OTR_OK : status;
}

static bool
usable(enum otr__slot_condition c)
{
	return c == OTR__SLOT_SOUND || c == OTR__SLOT_FLIPPED;
}

/*
 * Reads both slots.  Where one has a fault, both are read again until two readings agree, since a writer may be in the middle of it: a slot of before its commit, beside one
 * of after it, would be taken for a state that there never was (SPEC 4.2).
 */
static enum otr_status
read_slots(struct otr_io *io, const struct otr__header *header, uint8_t bytes[2][OTR__SLOT_BYTES], struct otr__slot *slot[2], enum otr__slot_condition c[2],
    struct otr_error why[2], struct otr_error *err)
{
	uint8_t before[2][OTR__SLOT_BYTES];
	int attempt;
	unsigned i;

	for (attempt = 0; ; attempt++) {
		bool fault = false;

		for (i = 0; i < 2; i++) {
			enum otr_status status = otr__io_read(io, OTR__SLOT_OFFSET(i), bytes[i], OTR__SLOT_BYTES, err);

			if (status != OTR_OK)
				return status;
			c[i] = otr__slot_decode(bytes[i], header, slot[i], &why[i]);
			fault = fault || c[i] == OTR__SLOT_BAD || c[i] == OTR__SLOT_FLIPPED;
		}
		if (!fault || attempt == 8 || (attempt > 0 && memcmp(before, bytes, sizeof before) == 0))
			return OTR_OK;
		memcpy(before, bytes, sizeof before);
		(void)io->pause(io->self, 500000);       /* half a millisecond: a slot is written in microseconds */
	}
}

enum otr_status
otr__read_state(struct otr_io *io, const struct otr__header *header, struct otr__state *state, struct otr__notices *notices, struct otr_error *err)
{
	struct otr__slot *other, *slot[2];
	enum otr__slot_condition c[2];
	struct otr_error why[2];
	enum otr_status status;
	unsigned good, bad;

	other = malloc(sizeof *other);
	if (other == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	*state = (struct otr__state){ .index = 0 };
	slot[0] = &state->slot;
	slot[1] = other;
	status = read_slots(io, header, state->bytes, slot, c, why, err);
	if (status != OTR_OK)
		goto out;
	if (!usable(c[0]) && !usable(c[1])) {
		status = otr__fail(err, OTR_E_CORRUPT, "4.2-7", "both slots are damaged (slot 0: %.60s; slot 1: %.60s)",
		    c[0] == OTR__SLOT_BAD ? why[0].text : "never written", c[1] == OTR__SLOT_BAD ? why[1].text : "never written");
		goto out;
	}
	if (usable(c[0]) && usable(c[1]) && state->slot.version == other->version) {
		if (memcmp(state->bytes[0], state->bytes[1], OTR__SLOT_BYTES) != 0) {
			status = otr__fail(err, OTR_E_CORRUPT, "4.2-1", "both slots say version %llu, and differ", (unsigned long long)other->version);
			goto out;
		}
		notice(notices, false, "both slots hold the same commit, version %llu", (unsigned long long)other->version);
	}
	good = !usable(c[0]) || (usable(c[1]) && other->version > state->slot.version) ? 1 : 0;
	bad = 1 - good;
	if (good == 1)
		state->slot = *other;
	state->index = good;
	state->next_version = state->slot.version + 1;
	state->has_other = usable(c[bad]);
	if (c[good] == OTR__SLOT_FLIPPED)
		notice(notices, false, otr__slot_was_cut(state->bytes[good]) ? "the write of slot %u was cut, and nothing is missing but stamps; version %llu is read"
		    : "slot %u has a damaged stamp; version %llu is read", good, (unsigned long long)state->slot.version);
	if (c[bad] == OTR__SLOT_FLIPPED) {
		uint64_t next;

		/* or it is a tear that changed nothing but stamps: then the number is used up all the same (4.2-8) */
		if (otr__slot_judge(state->bytes[bad], state->slot.version, otr__slot_begins(&state->slot, &header->schema), &next) == OTR__VERDICT_TORN)
			state->next_version = next;
		notice(notices, false, otr__slot_was_cut(state->bytes[bad]) ? "the write of slot %u, an older one, was cut, and nothing is missing but stamps"
		    : "slot %u, an older one, has a damaged stamp", bad);
	}
	if (c[bad] == OTR__SLOT_BAD) {
		switch (otr__slot_judge(state->bytes[bad], state->slot.version, otr__slot_begins(&state->slot, &header->schema), &state->next_version)) {
		case OTR__VERDICT_TORN:
			notice(notices, false, "the newest slot is torn: a commit was cut before it was acknowledged; version %llu is read",
			    (unsigned long long)state->slot.version);
			break;
		case OTR__VERDICT_OLDER:
			notice(notices, false, "slot %u, an older one, is damaged (%.80s)", bad, why[bad].text);
			break;
		case OTR__VERDICT_DAMAGED:
			state->damaged = true;
			break;
		}
	}
out:
	free(other);
	return status;
}

struct otr__snapshot *
otr__snapshot_hold(struct otr__snapshot *snapshot)
{
	snapshot->references++;
	return snapshot;
}

void
otr__snapshot_drop(struct otr__snapshot *snapshot)
{
	if (snapshot == NULL || --snapshot->references > 0)
		return;
	otr__rows_release(&snapshot->ride);
	free(snapshot);
}

/* rows, first_ns, last_ns of a snapshot whose tree and riding rows are set. */
static enum otr_status
measure(struct otr *file, struct otr__snapshot *s, struct otr_error *err)
{
	struct otr__leaf_at at;
	uint64_t from = 0;
	enum otr_status status = OTR_OK;

	if (s->horizon_ns != INT64_MIN)
		status = otr__tree_seek(&s->tree, s->horizon_ns, &file->work, &from, err);
	if (status != OTR_OK)
		return status;
	s->rows = s->tree.rows - from + s->ride.n;
	if (s->rows == 0)
		return OTR_OK;
	if (s->ride.n > 0) {
		s->first_ns = s->ride.time_ns[0];
		s->last_ns = s->ride.time_ns[s->ride.n - 1];
	}
	if (s->tree.rows > from) {
		status = otr__tree_leaf_at(&s->tree, from, &at, err);
		if (status == OTR_OK)
			status = otr__tree_leaf_rows(&s->tree, &at, 0, &file->work, err);
		if (status != OTR_OK)
			return status;
		s->first_ns = file->work.time_ns[from - at.position];
		if (s->ride.n == 0) {
			status = otr__tree_leaf_at(&s->tree, s->tree.rows - 1, &at, err);
			if (status == OTR_OK)
				status = otr__tree_leaf_rows(&s->tree, &at, 0, &file->work, err);
			if (status != OTR_OK)
				return status;
			s->last_ns = file->work.time_ns[s->tree.rows - 1 - at.position];
		}
	}
	return OTR_OK;
}

struct otr__log
otr__db_log(struct otr *file)
{
	return (struct otr__log){ .store = &file->store, .slot = &file->state.slot, .schema = &file->header.schema, .scratch = file->scratch };
}

/* Riding rows that expired: then the whole tree did, and only the rest of them is left (SPEC 8.5). */
static enum otr_status
drop_expired_riding(struct otr *file, struct otr__snapshot *s, struct otr_error *err)
{
	size_t gone = otr__lower_bound(s->ride.time_ns, s->ride.n, s->horizon_ns);
	struct otr__rows left;

	if (gone == 0)
		return OTR_OK;
	if (!otr__rows_init(&left, file->header.schema.columns, s->ride.n - gone + 1))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	otr__rows_append(&left, &s->ride, gone, s->ride.n);
	left.decoded = s->ride.decoded;
	otr__rows_release(&s->ride);
	s->ride = left;
	s->base_row += s->tree.rows + gone;
	s->tree.root = (struct otr__ref){ .page = 0 };
	s->tree.root_rows = s->tree.rows = 0;
	s->tree.level = 0;
	return OTR_OK;
}

/* The newest version: all that the slot says is taken from it, so that an open reads the root page and no leaf. */
static enum otr_status
newest_snapshot(struct otr *file, struct otr__snapshot *s, struct otr_error *err)
{
	const struct otr__slot *slot = &file->state.slot;
	struct otr__record record[OTR__RECORDS_MAX];
	struct otr__rows carried;
	uint32_t records;
	enum otr_status status;

	if (!otr__rows_init(&carried, file->header.schema.columns, 16))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__slot_records(slot, &file->header.schema, &carried, record, &records, err);
	if (status == OTR_OK)
		status = otr__log_riding(slot, &file->header.schema, &carried, record, records, &s->ride, err);
	otr__rows_release(&carried);
	if (status != OTR_OK)
		return status;
	s->version = slot->version;
	s->commit_ns = slot->commit_ns;
	s->time_digits = slot->time_digits;
	s->base_row = slot->base_row;
	s->rows = slot->rows;
	s->first_ns = slot->first_ns;
	s->last_ns = slot->last_ns;
	if (slot->rows_ever - slot->base_row != slot->tree_rows + s->ride.n)
		return otr__fail(err, OTR_E_CORRUPT, "4.1", "rows end at %llu, where tree and riding rows end at %llu", (unsigned long long)slot->rows_ever,
		    (unsigned long long)(slot->base_row + slot->tree_rows + s->ride.n));
	status = otr__tree_open(&s->tree, &file->store, &file->header.schema, file->scratch, &slot->root, slot->tree_rows, slot->tree_rows, err);
	return status == OTR_OK ? drop_expired_riding(file, s, err) : status;
}

static enum otr_status
older_snapshot(struct otr *file, uint64_t number, struct otr__snapshot *s, struct otr_error *err)
{
	struct otr__log log = otr__db_log(file);
	struct otr__version *v = malloc(sizeof *v);
	enum otr_status status;

	if (v == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__log_version(&log, number, v, err);
	if (status == OTR_OK) {
		s->ride = v->ride;
		s->version = number;
		s->commit_ns = v->record.commit_ns;
		s->time_digits = v->record.time_digits;
		s->base_row = v->from.base_row;
		status = otr__tree_open(&s->tree, &file->store, &file->header.schema, file->scratch, &v->from.root, v->from.tree_rows,
		    v->tree_end - v->from.base_row, err);
	}
	free(v);
	if (status == OTR_OK)
		status = drop_expired_riding(file, s, err);
	return status == OTR_OK ? measure(file, s, err) : status;
}

enum otr_status
otr__db_snapshot(struct otr *file, uint64_t number, struct otr__snapshot **snapshot, struct otr_error *err)
{
	struct otr__snapshot *s = calloc(1, sizeof *s);
	enum otr_status status;

	if (s == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	s->references = 1;
	s->horizon_ns = file->state.slot.horizon_ns;
	s->state_version = file->state.slot.version;
	if (number == file->state.slot.version)
		status = newest_snapshot(file, s, err);
	else
		status = older_snapshot(file, number, s, err);
	if (status != OTR_OK) {
		otr__snapshot_drop(s);
		return status;
	}
	*snapshot = s;
	return OTR_OK;
}

static void
forget_meta(struct otr *file)
{
	free(file->meta_bytes);
	free(file->meta);
	file->meta_bytes = NULL;
	file->meta = NULL;
	file->meta_count = 0;
	file->meta_read = false;
}

static void
select_snapshot(struct otr *file, struct otr__snapshot *snapshot)
{
	otr__snapshot_drop(file->snapshot);
	file->snapshot = snapshot;
	forget_meta(file);
}

static enum otr_status
reread(struct otr *file, struct otr__notices *notices, bool *moved, struct otr_error *err)
{
	struct otr__state *state = malloc(sizeof *state);
	enum otr_status status;

	if (state == NULL)
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	status = otr__read_state(&file->io, &file->header, state, notices, err);
	/* what was read before has been damaged since: a handle does not go back */
	if (status == OTR_OK && state->damaged && state->slot.version < file->state.slot.version)
		status = otr__fail(err, OTR_E_CORRUPT, "4.2-6", "the newest slot is damaged; the version before it is %llu", (unsigned long long)state->slot.version);
	if (status == OTR_OK) {
		*moved = state->slot.version != file->state.slot.version && !(file->has_given_up && state->slot.version == file->given_up);
		if (*moved) {
			file->state = *state;
			otr__store_forget(&file->store);
		}
	}
	free(state);
	return status;
}

enum otr_status
otr__db_reread(struct otr *file, bool *moved, struct otr_error *err)
{
	return reread(file, NULL, moved, err);
}

enum otr_status
otr__db_recover(struct otr *file, struct otr__snapshot **snapshot, enum otr_status failure, struct otr_error *err)
{
	struct otr__snapshot *found;
	struct otr_error second;
	uint64_t version = (*snapshot)->version;
	bool moved = false;
	int attempt;

	if (failure != OTR_E_CORRUPT && failure != OTR_E_TRUNCATED)
		return failure;
	for (attempt = 0; attempt < 100; attempt++) {
		enum otr_status status;

		if (otr__db_reread(file, &moved, &second) != OTR_OK)
			return failure;
		/* another cursor of this handle may have seen the newer state first */
		if (attempt == 0) {
			moved = file->state.slot.version != (*snapshot)->state_version;
			if (!moved)
				return failure;
		}
		status = otr__db_snapshot(file, version, &found, &second);
		if (status == OTR_OK) {
			if (*snapshot == file->snapshot)
				select_snapshot(file, otr__snapshot_hold(found));
			otr__snapshot_drop(*snapshot);
			*snapshot = found;
			return OTR_OK;
		}
		if (status != OTR_E_CORRUPT && status != OTR_E_TRUNCATED)
			break;
		if (!moved) {
			/* the same state twice, and still bad: damage */
			if (err != NULL)
				*err = second;
			return status;
		}
	}
	return otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: the pages of version %llu were reused by a writer", (unsigned long long)version);
}

bool
otr__db_again(struct otr *file, unsigned attempt, enum otr_status *status, struct otr_error *err)
{
	uint64_t version = file->snapshot->version;
	struct otr_error second;
	bool moved;

	if ((*status != OTR_E_CORRUPT && *status != OTR_E_TRUNCATED) || attempt >= 100 || otr__db_reread(file, &moved, &second) != OTR_OK)
		return false;
	if (version >= file->state.slot.oldest_version)
		return moved;
	*status = otr__fail(err, OTR_E_EXPIRED, "10.4-5", "snapshot expired: version %llu was pruned, and its pages reused by a writer", (unsigned long long)version);
	return false;
}

static void
release(struct otr *file)
{
	otr__snapshot_drop(file->snapshot);
	forget_meta(file);
	otr__rows_release(&file->work);
	otr__scratch_free(file->scratch);
	otr__store_release(&file->store);
	free(file->commit_text);
	if (file->io.close != NULL)
		file->io.close(file->io.self);
	free(file);
}

/* Goes back to the state of the other slot; false if it is not sound. */
static bool
use_other_slot(struct otr *file)
{
	struct otr__state *state = &file->state;
	struct otr__slot *other;
	bool done = false;

	if (!state->has_other)
		return false;
	other = malloc(sizeof *other);
	if (other != NULL && usable(otr__slot_decode(state->bytes[1 - state->index], &file->header, other, NULL))) {
		state->slot = *other;
		state->index = 1 - state->index;
		state->has_other = false;
		done = true;
	}
	free(other);
	return done;
}

/*
 * Opens the newest snapshot; where its root is bad, that of the other slot (SPEC 10.4-4), but not for one who asks for the very version that is given up.
 * Of the notices the first ones are the header's.
 */
static enum otr_status
open_newest(struct otr *file, bool at, uint64_t version, size_t header_notices, struct otr_error *err)
{
	struct otr__notices fresh;
	struct otr_error first, second;
	uint64_t given_up;
	bool moved = true;
	int attempt;
	enum otr_status status = OTR_OK;

	for (attempt = 0; attempt < 20 && moved; attempt++) {
		status = otr__db_snapshot(file, file->state.slot.version, &file->snapshot, &first);
		if (status != OTR_E_CORRUPT && status != OTR_E_TRUNCATED)
			break;
		fresh = file->notices;
		fresh.n = header_notices;
		if (reread(file, &fresh, &moved, &second) != OTR_OK)
			break;
		if (moved)
			file->notices = fresh;           /* what was said of the slots was of the state before */
	}
	if (status == OTR_E_CORRUPT || status == OTR_E_TRUNCATED) {
		given_up = file->state.slot.version;
		if (!(at && version == given_up) && use_other_slot(file) && otr__db_snapshot(file, file->state.slot.version, &file->snapshot, &second) == OTR_OK) {
			notice(&file->notices, true, "version %llu cannot be read (page %lld: %.90s); version %llu is read", (unsigned long long)given_up,
			    (long long)first.page, first.text, (unsigned long long)file->state.slot.version);
			file->has_given_up = true;
			file->given_up = given_up;
			return OTR_OK;
		}
	}
	if (status != OTR_OK && err != NULL)
		*err = first;
	return status;
}

static enum otr_status
open_file(struct otr *file, bool at, uint64_t version, struct otr_error *err)
{
	struct otr__state *state = &file->state;
	size_t header_notices;
	enum otr_status status = otr__read_header(&file->io, &file->header, &file->notices, err);

	if (status != OTR_OK)
		return status;
	header_notices = file->notices.n;
	status = otr__read_state(&file->io, &file->header, state, &file->notices, err);
	if (status != OTR_OK)
		return status;
	if (state->slot.features.incompat != 0)
		return otr__fail(err, OTR_E_UNSUPPORTED, "3.2-4", "too new: it uses incompat features %#llx, this program reads format %d.%d without any",
		    (unsigned long long)state->slot.features.incompat, OTR_FORMAT_MAJOR, OTR_FORMAT_MINOR);
	if (state->damaged && (!at || version > state->slot.version))
		return otr__fail(err, OTR_E_CORRUPT, "4.2-6",
		    "the newest slot is damaged; the version before it is %llu (--at %llu reads it)", (unsigned long long)state->slot.version,
		    (unsigned long long)state->slot.version);
	if (state->damaged)
		notice(&file->notices, false, "the newest slot is damaged; what is said of the file is as of version %llu", (unsigned long long)state->slot.version);
	file->scratch = otr__scratch_create();
	if (file->scratch == NULL || !otr__store_init(&file->store, &file->io, &file->header) ||
	    !otr__rows_init(&file->work, file->header.schema.columns, 16))
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	if (at && version < state->slot.version) {
		status = otr__db_snapshot(file, version, &file->snapshot, err);
		if (status == OTR_E_NOTFOUND || status == OTR_OK)
			return status;
	}
	status = open_newest(file, at, version, header_notices, err);
	if (status == OTR_OK && at)
		status = otr_select_version(file, version, err);
	return status;
}

enum otr_status
otr__open_io(struct otr_io io, bool at, uint64_t version, struct otr **out, struct otr_error *err)
{
	struct otr *file = calloc(1, sizeof *file);
	enum otr_status status;

	if (file == NULL) {
		io.close(io.self);
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	file->io = io;
	status = open_file(file, at, version, err);
	if (status != OTR_OK) {
		release(file);
		return status;
	}
	*out = file;
	return OTR_OK;
}

enum otr_status
otr_open(const char *path, struct otr **file, struct otr_error *err)
{
	struct otr_io io;
	enum otr_status status = otr__io_open(path, false, &io, err);

	return status == OTR_OK ? otr__open_io(io, false, 0, file, err) : status;
}

enum otr_status
otr_open_fd(int fd, struct otr **file, struct otr_error *err)
{
	struct otr_io io;
	enum otr_status status = otr__io_open_fd(fd, &io, err);

	return status == OTR_OK ? otr__open_io(io, false, 0, file, err) : status;
}

enum otr_status
otr_open_at(const char *path, uint64_t version, struct otr **file, struct otr_error *err)
{
	struct otr_io io;
	enum otr_status status = otr__io_open(path, false, &io, err);

	return status == OTR_OK ? otr__open_io(io, true, version, file, err) : status;
}

void
otr_close(struct otr *file)
{
	if (file != NULL)
		release(file);
}

const char *
otr_notice(const struct otr *file, size_t i, bool *fallback)
{
	if (i >= file->notices.n)
		return NULL;
	if (fallback != NULL)
		*fallback = file->notices.fallback[i];
	return file->notices.text[i];
}

enum otr_status
otr__db_find(struct otr *file, uint64_t version, struct otr__snapshot **snapshot, struct otr_error *err)
{
	enum otr_status status;
	bool moved = true;
	int attempt;

	for (attempt = 0; ; attempt++) {
		struct otr_error second;

		status = otr__db_snapshot(file, version, snapshot, err);
		if ((status != OTR_E_CORRUPT && status != OTR_E_TRUNCATED) || attempt == 20 || !moved)
			break;
		if (otr__db_reread(file, &moved, &second) != OTR_OK)
			break;
	}
	return status;
}

enum otr_status
otr_select_version(struct otr *file, uint64_t version, struct otr_error *err)
{
	struct otr__snapshot *snapshot;
	enum otr_status status;

	if (version == file->snapshot->version)
		return OTR_OK;
	status = otr__db_find(file, version, &snapshot, err);
	if (status == OTR_OK)
		select_snapshot(file, snapshot);
	return status;
}

enum otr_status
otr_select_time(struct otr *file, int64_t time_ns, struct otr_error *err)
{
	struct otr__log log = otr__db_log(file);
	uint64_t version;
	enum otr_status status;
	bool moved = true;
	int attempt;

	for (attempt = 0; ; attempt++) {
		struct otr_error second;

		status = otr__log_as_of(&log, time_ns, &version, err);
		if ((status != OTR_E_CORRUPT && status != OTR_E_TRUNCATED) || attempt == 20 || !moved)
			break;
		if (otr__db_reread(file, &moved, &second) != OTR_OK)
			break;
	}
	return status == OTR_OK ? otr_select_version(file, version, err) : status;
}

enum otr_status
otr_refresh(struct otr *file, struct otr_error *err)
{
	bool moved;
	enum otr_status status = otr__db_reread(file, &moved, err);
	uint64_t version;
	int attempt = 0;

	/* the newest version may be pruned before its pages are read: then there is a newer one */
	do {
		version = file->state.slot.version;
		if (status == OTR_OK)
			status = otr_select_version(file, version, err);
		moved = file->state.slot.version != version;
		if (status == OTR_E_NOTFOUND && moved && attempt < 100)
			status = OTR_OK;
	} while (status == OTR_OK && moved && attempt++ < 100);
	return status;
}

const struct otr_schema *
otr_schema(const struct otr *file)
{
	return &file->header.schema;
}

const struct otr_policies *
otr_policies(const struct otr *file)
{
	return &file->state.slot.policies;
}

void
otr_get_info(const struct otr *file, struct otr_info *info)
{
	const struct otr__slot *slot = &file->state.slot;
	const struct otr__snapshot *s = file->snapshot;
	uint64_t fixed = OTR__START_BYTES / file->header.schema.page_bytes;

	*info = (struct otr_info){ .format_major = file->header.major,
		.format_minor = slot->minor > file->header.minor ? slot->minor : file->header.minor,
		.page_count = slot->page_count, .live_pages = slot->live_pages, .newest_version = slot->version, .oldest_version = slot->oldest_version,
		.version = s->version, .rows = s->rows, .first_ns = s->first_ns, .last_ns = s->last_ns, .time_digits = s->time_digits,
		.depth = s->tree.root.page == 0 ? 0 : s->tree.level + 1u, .riding_rows = s->ride.n };
	memcpy(info->file_id, file->header.file_id, sizeof info->file_id);
	info->free_pages = slot->page_count - (fixed > 0 ? fixed : 1) - slot->live_pages;
	if (file->io.size(file->io.self, &info->file_bytes) != 0)
		info->file_bytes = slot->page_count * file->header.schema.page_bytes;      /* it cannot fail on an open regular file */
}

void
otr_get_counters(const struct otr *file, struct otr_counters *counters)
{
	*counters = file->store.counters;
}

enum otr_status
otr_commit_get(struct otr *file, struct otr_commit *commit, struct otr_error *err)
{
	struct otr__log log = otr__db_log(file);
	struct otr__version *v = malloc(sizeof *v);
	enum otr_status status;
	unsigned attempt = 0;
	char *text;

	text = malloc(OTR_MAX_AUTHOR + OTR_MAX_MESSAGE + 2);
	if (v == NULL || text == NULL) {
		free(v);
		free(text);
		return otr__fail(err, OTR_E_NOMEM, "", "out of memory");
	}
	do
		status = otr__log_version(&log, file->snapshot->version, v, err);
	while (status != OTR_OK && otr__db_again(file, attempt++, &status, err));
	if (status == OTR_OK) {
		const struct otr__record *r = &v->record;

		memcpy(text, r->author, r->author_bytes);
		text[r->author_bytes] = '\0';
		memcpy(text + r->author_bytes + 1, r->message, r->message_bytes);
		text[r->author_bytes + 1 + r->message_bytes] = '\0';
		*commit = (struct otr_commit){ .version = r->version, .time_ns = r->commit_ns, .kind = r->kind, .rows = r->rows, .added = r->added,
			.removed = r->removed, .author = text, .message = text + r->author_bytes + 1 };
		free(file->commit_text);
		file->commit_text = text;
		text = NULL;
		otr__rows_release(&v->ride);
	}
	free(text);
	free(v);
	return status;
}
