/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.c - author, message, --wait; one change.
 */
#include "writer.h"

#include "cli.h"
#include "out.h"
#include "timearg.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWD_MAX (256 * 1024)
#define WAIT_DEFAULT INT64_C(10000000000)

/* The name of uid in the text of /etc/passwd: name:password:uid:... */
static bool
find_user(const char *text, unsigned long uid, char *name, size_t room)
{
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t len = strcspn(line, ":\n");
		const char *p = line + len;
		char *end;

		if (*p != ':')
			continue;
		p++;
		p += strcspn(p, ":\n");
		if (*p != ':' || p[1] < '0' || p[1] > '9' || strtoul(p + 1, &end, 10) != uid || *end != ':')
			continue;
		if (len == 0 || len >= room || !cli_is_text(line, len, false))
			return false;
		memcpy(name, line, len);
		name[len] = '\0';
		return true;
	}
	return false;
}

/* The user's name without NSS, which would load modules and ask the network; else the uid. */
static void
default_author(char *name, size_t room)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	char *text = cli_alloc(PASSWD_MAX + 1, 1);
	size_t used = 0;
	ssize_t n = 0;

	while (fd >= 0 && used < PASSWD_MAX && (n = read(fd, text + used, PASSWD_MAX - used)) > 0)
		used += (size_t)n;
	if (fd >= 0)
		(void)close(fd);                     /* it was only read */
	if (!find_user(text, (unsigned long)getuid(), name, room))
		(void)snprintf(name, room, "%lu", (unsigned long)getuid());
	free(text);
}

int
writer_commit(const struct opts_given *g, struct writer_commit *commit)
{
	const char *author = opts_value(g, OPT_AUTHOR), *wait = opts_value(g, OPT_WAIT);
	struct timearg_why why;
	uint64_t ns;

	*commit = (struct writer_commit){ .message = opts_value(g, OPT_MESSAGE), .wait_ns = WAIT_DEFAULT };
	if (commit->message != NULL && (strlen(commit->message) > OTR_MAX_MESSAGE || !cli_is_text(commit->message, strlen(commit->message), true)))
		return opts_refuse(commit->message, OPT_MESSAGE, "cannot be stored", "UTF-8 without control characters, at most 1024 bytes");
	if (author != NULL && (strlen(author) > OTR_MAX_AUTHOR || !cli_is_text(author, strlen(author), false)))
		return opts_refuse(author, OPT_AUTHOR, "cannot be stored", "UTF-8 without control characters, at most 255 bytes");
	if (author != NULL)
		(void)snprintf(commit->author, sizeof commit->author, "%s", author);
	else
		default_author(commit->author, sizeof commit->author);
	if (wait != NULL) {
		if (!timearg_fixed_length(wait, true, &ns, &why))
			return opts_refuse(wait, OPT_WAIT, why.what, why.remedy);
		commit->wait_ns = (int64_t)ns;
	}
	return CLI_OK;
}

/* ---- one change ---- */

int
writer_check_path(const char *path)
{
	return strcmp(path, "-") != 0 ? CLI_OK : cli_usage("a FILE that is written cannot be stdin (./- is a file of that name)");
}

static void
on_waiting(void *arg)
{
	const struct writer_pieces *pieces = arg;

	cli_warning(pieces->path, 0, "waiting for another writer");
}

static void
on_piece(void *arg, const struct otr_commit_result *result)
{
	struct writer_pieces *pieces = arg;

	if (pieces->count++ == 0)
		pieces->first_version = result->version;
	pieces->version = result->version;
	pieces->removed += result->removed;
}

int
writer_open(const char *path, const struct writer_commit *commit, bool verbose, struct writer_pieces *pieces, struct otr_writer **writer)
{
	struct otr_writer_options options = { .wait_ns = commit->wait_ns, .author = commit->author, .message = commit->message,
		.waiting = verbose ? on_waiting : NULL, .piece = on_piece, .arg = pieces };
	struct otr_error err = { 0 };
	const char *notice;
	bool fallback = false;

	*pieces = (struct writer_pieces){ .path = path };
	if (otr_writer_open(path, &options, writer, &err) != OTR_OK)
		return cli_failed(path, &err);
	for (size_t i = 0; (notice = otr_writer_notice(*writer, i, &fallback)) != NULL; i++)
		cli_warning(path, 0, "%s", notice);
	return CLI_OK;
}

int
writer_tell_remedy(const char *path, int status)
{
	struct otr *file = NULL;
	struct otr_info info;
	bool fallback = false;

	if (status != CLI_FILE || otr_open(path, &file, NULL) != OTR_OK)
		return status;
	otr_get_info(file, &info);
	for (size_t i = 0; otr_notice(file, i, &fallback) != NULL && !fallback; i++)
		;
	if (fallback)
		cli_error(path, 0, "nothing was written (otr-rollback %s %llu goes on from the sound version; otr-verify --salvage saves what can be read)", path,
		    (unsigned long long)info.version);
	otr_close(file);
	return status;
}

int
writer_print_versions(uint64_t first, uint64_t last)
{
	struct out o;
	int status = out_open(&o, NULL, false);

	if (status != CLI_OK)
		return status;
	for (uint64_t v = first; v <= last; v++)
		out_format(&o, "%llu\n", (unsigned long long)v);
	return out_close(&o, true);
}

int
writer_print_version(uint64_t version)
{
	return writer_print_versions(version, version);
}
