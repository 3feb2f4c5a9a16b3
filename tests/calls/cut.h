/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cut.h - for test_calls: what a power cut may leave of files and of names (testing.md M1, promise P9).
 *
 *      file      by its inode: the bytes that are on the disk, and the writes since the last sync of it
 *      name      which file it leads to on the disk, and the changes of names since the last sync of their directory
 *      state     any of the changes of names that are pending, and of each file that then has a name any of its pending writes, one of them torn
 *
 * A write that is its own sync is on the disk, whatever was written before it.
 */
#ifndef CUT_H
#define CUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CUT_FILES 16
#define CUT_NAMES 16
#define CUT_OPS 10
#define CUT_NAME 64

struct cut_write {
	uint64_t offset;
	size_t len;
	uint8_t *bytes;
	bool durable;
};

struct cut_file {
	ino_t inode;
	uint8_t *disk;
	size_t size;
	struct cut_write *pending;
	size_t n, waiting;             /* writes; how many of them are not durable */
};

enum cut_change { CUT_NAMED, CUT_RENAMED, CUT_UNNAMED };

struct cut_names {
	size_t n;
	struct {
		char name[CUT_NAME];
		int file;
	} of[CUT_NAMES];
};

static struct cut_file cut_file[CUT_FILES];
static int cut_files;
static struct cut_names cut_disk;
static struct {
	enum cut_change change;
	char from[CUT_NAME], to[CUT_NAME];
	int file;
} cut_op[CUT_OPS];
static size_t cut_ops;

static void *
cut_room(void *p, size_t n)
{
	p = realloc(p, n == 0 ? 1 : n);
	if (p == NULL)
		abort();
	return p;
}

static void
cut_put(uint8_t **bytes, size_t *size, uint64_t offset, const uint8_t *from, size_t len)
{
	size_t end = (size_t)offset + len;

	if (len > 0 && end > *size) {
		*bytes = cut_room(*bytes, end);
		memset(*bytes + *size, 0, end - *size);
		*size = end;
	}
	memcpy(*bytes + offset, from, len);
}

static void
cut_forget(void)
{
	int i;
	size_t k;

	for (i = 0; i < cut_files; i++) {
		for (k = 0; k < cut_file[i].n; k++)
			free(cut_file[i].pending[k].bytes);
		free(cut_file[i].pending);
		free(cut_file[i].disk);
	}
	cut_files = 0;
	cut_ops = 0;
	cut_disk.n = 0;
}

/* The file of an inode; one that is new has nothing on the disk. */
static int
cut_file_of(ino_t inode)
{
	int i;

	for (i = 0; i < cut_files; i++)
		if (cut_file[i].inode == inode)
			return i;
	if (cut_files == CUT_FILES)
		abort();
	cut_file[cut_files] = (struct cut_file){ .inode = inode };
	return cut_files++;
}

static int
cut_file_at(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? cut_file_of(st.st_ino) : -1;
}

static int
cut_file_open(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		abort();
	return cut_file_of(st.st_ino);
}

static void
cut_change_names(struct cut_names *names, enum cut_change change, const char *from, const char *to, int file)
{
	size_t i, at = names->n, target = names->n;

	for (i = 0; i < names->n; i++) {
		if (change != CUT_NAMED && strcmp(names->of[i].name, from) == 0)
			at = i;
		if (change != CUT_UNNAMED && strcmp(names->of[i].name, to) == 0)
			target = i;
	}
	if (change == CUT_RENAMED) {
		if (at == names->n)
			return;                        /* the name that it begins with never came to the disk */
		file = names->of[at].file;
	}
	if (change != CUT_UNNAMED) {
		if (target == CUT_NAMES)
			abort();
		(void)snprintf(names->of[target].name, sizeof names->of[target].name, "%s", to);
		names->of[target].file = file;
		names->n += target == names->n;
	}
	if (change != CUT_NAMED && at < names->n)
		names->of[at] = names->of[--names->n];
}

/* All names are of one directory. */
static const char *
cut_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static int
cut_look_up(const struct cut_names *names, const char *path)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (strcmp(names->of[i].name, cut_last(path)) == 0)
			return names->of[i].file;
	return -1;
}

/* ---- what happens ------------------------------------------------------------------------------------------------------- */

/* A file that is on the disk under its name, with these bytes. */
static void
cut_begin_with(const char *path, const uint8_t *bytes, size_t n)
{
	int file = cut_file_at(path);

	if (file < 0)
		return;
	cut_put(&cut_file[file].disk, &cut_file[file].size, 0, bytes, n);
	cut_change_names(&cut_disk, CUT_NAMED, "", cut_last(path), file);
}

static void
cut_name(enum cut_change change, const char *from, const char *to, int file)
{
	if (cut_ops == CUT_OPS)
		abort();
	cut_op[cut_ops].change = change;
	(void)snprintf(cut_op[cut_ops].from, CUT_NAME, "%s", cut_last(from));
	(void)snprintf(cut_op[cut_ops].to, CUT_NAME, "%s", cut_last(to));
	cut_op[cut_ops++].file = file;
}

static void
cut_wrote(int fd, uint64_t offset, const void *bytes, size_t len, bool durable)
{
	struct cut_file *f = &cut_file[cut_file_open(fd)];
	struct cut_write *w;

	f->pending = cut_room(f->pending, (f->n + 1) * sizeof *f->pending);
	w = &f->pending[f->n++];
	*w = (struct cut_write){ .offset = offset, .len = len, .bytes = cut_room(NULL, len), .durable = durable };
	memcpy(w->bytes, bytes, len);
	f->waiting += !durable;
}

static void
cut_synced(int fd)
{
	struct cut_file *f = &cut_file[cut_file_open(fd)];
	size_t i;

	for (i = 0; i < f->n; i++) {
		cut_put(&f->disk, &f->size, f->pending[i].offset, f->pending[i].bytes, f->pending[i].len);
		free(f->pending[i].bytes);
	}
	f->n = f->waiting = 0;
}

static void
cut_directory_synced(void)
{
	size_t i;

	for (i = 0; i < cut_ops; i++)
		cut_change_names(&cut_disk, cut_op[i].change, cut_op[i].from, cut_op[i].to, cut_op[i].file);
	cut_ops = 0;
}

/* ---- what may be left --------------------------------------------------------------------------------------------------- */

/* The names if of the pending changes those of members came to the disk. */
static struct cut_names
cut_names_left(unsigned members)
{
	struct cut_names names = cut_disk;
	size_t i;

	for (i = 0; i < cut_ops; i++)
		if ((members >> i & 1) != 0)
			cut_change_names(&names, cut_op[i].change, cut_op[i].from, cut_op[i].to, cut_op[i].file);
	return names;
}

/*
 * The bytes of a file in case number plan: 0 with none of its pending writes, 1 with all, from 2 on with some, of which now and then one is torn between two sectors.
 * The caller frees them.
 */
static uint8_t *
cut_bytes_left(int file, unsigned plan, unsigned long long *seed, size_t *size)
{
	const struct cut_file *f = &cut_file[file];
	uint8_t *bytes = cut_room(NULL, f->size);
	size_t i, torn = f->n;

	*size = f->size;
	if (f->size > 0)
		memcpy(bytes, f->disk, f->size);
	if (plan >= 2 && f->n > 0 && plan % 2 == 1)
		torn = (size_t)((tap_random(seed) >> 11) % f->n);
	for (i = 0; i < f->n; i++) {
		const struct cut_write *w = &f->pending[i];
		size_t len = w->len;
		bool there = plan == 1 || w->durable || i == torn || (plan >= 2 && (tap_random(seed) >> 20 & 1) != 0);

		if (i == torn && !w->durable && len > 512)
			len = 512 * (size_t)(1 + (tap_random(seed) >> 11) % ((len - 1) / 512));
		if (there)
			cut_put(&bytes, size, w->offset, w->bytes, len);
	}
	return bytes;
}

#endif
