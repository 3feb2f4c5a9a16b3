/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.c - messages, exit statuses, escaping.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 8192      /* the longest path, of which each byte may be shown as four, and what is said of it */
#define QUOTE_MAX 40
#define LINE_MAX_WIDTH 79

static const char *program_name = "otr";

/*
 * A closed descriptor 0, 1 or 2 would be given to the next file opened.  What holds its place fails as the closed one does: nobody is to take
 * output that went nowhere, or input that was not there, for done.
 */
void
cli_start(const char *program)
{
	static const int place[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	program_name = program;
	/* a limit of the size of files is to be an error of the write, with a message and nothing left behind; and it dies of no signal nobody sent */
	(void)signal(SIGXFSZ, SIG_IGN);
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", place[fd]) != fd)
			_exit(CLI_SYSTEM);           /* nowhere to say it, perhaps */
}

const char *
cli_program(void)
{
	return program_name;
}

/* ---- escaping ---- */

size_t
cli_utf8(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = len > 0 && s[0] < 0x80 ? 1 : len > 0 && s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : len > 0 && s[0] >= 0xe0 && s[0] < 0xf0 ? 3 :
	    len > 0 && s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0)))       /* overlong, surrogates */
		return 0;
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)))       /* overlong, beyond U+10FFFF */
		return 0;
	return n;
}

/* Controls of a terminal, and of the reading direction (U+061C, U+200E..F, U+202A..E, U+2066..9). */
bool
cli_is_control(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;

	if (n == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (n == 2)
		return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
	if (n == 3 && s[0] == 0xe2 && s[1] == 0x80)
		return s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xaa && s[2] <= 0xae);
	if (n == 3 && s[0] == 0xe2 && s[1] == 0x81)
		return s[2] >= 0xa6 && s[2] <= 0xa9;
	return false;
}

size_t
cli_escape(const char *text, size_t len, char *out, size_t room)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0, used = 0;

	while (at < len) {
		size_t n = cli_utf8(text + at, len - at);

		if (n > 0 && !cli_is_control(text + at, n)) {
			if (n >= room - used)
				break;
			memcpy(out + used, text + at, n);
			used += n;
		} else {
			n = n == 0 ? 1 : n;
			if (4 * n >= room - used)
				break;
			for (size_t i = 0; i < n; i++) {
				out[used++] = '\\';
				out[used++] = 'x';
				out[used++] = hex[s[at + i] >> 4];
				out[used++] = hex[s[at + i] & 15];
			}
		}
		at += n;
	}
	out[used] = '\0';
	return used;
}

bool
cli_is_text(const char *text, size_t len, bool breaks)
{
	for (size_t at = 0, n; at < len; at += n) {
		n = cli_utf8(text + at, len - at);
		if (n == 0)
			return false;
		if (n <= 2 && cli_is_control(text + at, n) && !(breaks && (text[at] == '\n' || text[at] == '\t')))
			return false;
	}
	return true;
}

const char *
cli_quote(const char *text, size_t len, struct cli_quoted *q)
{
	size_t cut = len, used;

	if (len > QUOTE_MAX) {
		size_t n;

		for (cut = 0; cut < len; cut += n) {        /* not through a character */
			n = cli_utf8(text + cut, len - cut);
			n = n == 0 ? 1 : n;
			if (cut + n > QUOTE_MAX)
				break;
		}
	}
	used = cli_escape(text, cut, q->text, sizeof q->text - 4);
	if (cut < len)
		memcpy(q->text + used, "...", 4);
	return q->text;
}

/* ---- messages ---- */

static size_t line_width;                /* of a line on the terminal that has no end yet; 0: there is none */

/* `PROGRAM: LABEL OBJECT:LINE: text`, escaped.  Returns its length, less than room. */
static size_t
compose(char *shown, size_t room, const char *label, const char *object, uint64_t line, const char *format, va_list args)
{
	char raw[MESSAGE_MAX];
	size_t used;
	int n;

	n = snprintf(raw, sizeof raw, "%s: %s%s", program_name, label, object != NULL ? object : "");
	used = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
	if (line > 0 && used < sizeof raw - 1) {
		n = snprintf(raw + used, sizeof raw - used, ":%llu", (unsigned long long)line);
		used += n < 0 ? 0 : (size_t)n < sizeof raw - used ? (size_t)n : sizeof raw - used - 1;
	}
	if (object != NULL && used < sizeof raw - 1) {
		n = snprintf(raw + used, sizeof raw - used, ": ");
		used += n < 0 ? 0 : (size_t)n < sizeof raw - used ? (size_t)n : sizeof raw - used - 1;
	}
	if (used < sizeof raw - 1) {
		n = vsnprintf(raw + used, sizeof raw - used, format, args);
		used += n < 0 ? 0 : (size_t)n < sizeof raw - used ? (size_t)n : sizeof raw - used - 1;
	}
	return cli_escape(raw, used, shown, room);
}

static void
write_whole(const char *text, size_t len)
{
	for (size_t at = 0; at < len; ) {
		ssize_t wrote = write(STDERR_FILENO, text + at, len - at);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			break;               /* nowhere left to complain */
		at += (size_t)wrote;
	}
}

/* One write, so that the lines of two programs do not mix. */
static void
say(const char *label, const char *object, uint64_t line, const char *format, va_list args)
{
	char shown[4 * MESSAGE_MAX + 2];
	size_t used = compose(shown, sizeof shown - 1, label, object, line, format, args);

	cli_line_end();
	shown[used++] = '\n';
	write_whole(shown, used);
}

void
cli_line(const char *object, const char *format, ...)
{
	char shown[4 * MESSAGE_MAX + 2], line[2 * (LINE_MAX_WIDTH + 1)];
	size_t used, width;
	va_list args;

	va_start(args, format);
	used = compose(shown, sizeof shown, "", object, 0, format, args);
	va_end(args);
	if (used > LINE_MAX_WIDTH) {
		va_start(args, format);
		used = compose(shown, sizeof shown, "", NULL, 0, format, args);
		va_end(args);
	}
	if (used > LINE_MAX_WIDTH)
		return;
	line[0] = '\r';
	memcpy(line + 1, shown, used);
	width = used > line_width ? used : line_width;
	memset(line + 1 + used, ' ', width - used);
	write_whole(line, 1 + width);
	line_width = used;
}

void
cli_line_end(void)
{
	char line[LINE_MAX_WIDTH + 2];

	if (line_width == 0)
		return;
	line[0] = '\r';
	memset(line + 1, ' ', line_width);
	line[1 + line_width] = '\r';
	write_whole(line, line_width + 2);
	line_width = 0;
}

void
cli_error(const char *object, uint64_t line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", object, line, format, args);
	va_end(args);
}

void
cli_warning(const char *object, uint64_t line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("warning: ", object, line, format, args);
	va_end(args);
}

void
cli_note(const char *object, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", object, 0, format, args);
	va_end(args);
}

int
cli_usage(const char *format, ...)
{
	va_list args;
	char help[80];

	va_start(args, format);
	say("", NULL, 0, format, args);
	va_end(args);
	(void)snprintf(help, sizeof help, "Try '%s --help'.\n", program_name);
	if (write(STDERR_FILENO, help, strlen(help)) < 0)
		return CLI_USAGE;            /* the status is all that is left to say it */
	return CLI_USAGE;
}

int
cli_status(enum otr_status status)
{
	switch (status) {
	case OTR_OK:
	case OTR_END:
		return CLI_OK;
	case OTR_E_FORMAT:
	case OTR_E_CORRUPT:
	case OTR_E_UNSUPPORTED:
	case OTR_E_TRUNCATED:
		return CLI_FILE;
	case OTR_E_IO:
	case OTR_E_NOMEM:
	case OTR_E_LIMIT:
	case OTR_E_EXISTS:
		return CLI_SYSTEM;
	case OTR_E_BUSY:
	case OTR_E_EXPIRED:
		return CLI_AGAIN;
	case OTR_E_ARG:
	case OTR_E_NOTFOUND:
		return CLI_USAGE;
	case OTR_E_DUPLICATE:
		return CLI_INPUT;
	}
	return CLI_SYSTEM;
}

/* The text of an error tells what it is about; its status' name goes in front unless the text has it already. */
int
cli_failed(const char *object, const struct otr_error *err)
{
	const char *name = otr_status_text(err->status);
	bool named = err->status == OTR_E_IO || err->status == OTR_E_ARG || err->status == OTR_E_NOTFOUND || err->status == OTR_E_LIMIT ||
	    strstr(err->text, name) != NULL;
	bool cited = err->spec[0] == '\0' || strstr(err->text, "SPEC") != NULL;

	cli_error(object, 0, "%s%s%s%s%s%s", named ? "" : name, named || err->text[0] == '\0' ? "" : ": ",
	    named && err->text[0] == '\0' ? name : err->text, cited ? "" : " (SPEC ", cited ? "" : err->spec, cited ? "" : ")");
	return cli_status(err->status);
}

/* ---- memory, terminals, signals ---- */

_Noreturn static void
no_memory(void)
{
	cli_error(NULL, 0, "out of memory");
	exit(CLI_SYSTEM);
}

void *
cli_resize(void *old, size_t count, size_t bytes)
{
	void *p = NULL;

	if (bytes == 0 || count <= SIZE_MAX / bytes)
		p = realloc(old, count * bytes > 0 ? count * bytes : 1);
	if (p == NULL)
		no_memory();
	return p;
}

void *
cli_alloc(size_t count, size_t bytes)
{
	void *p = calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1);

	if (p == NULL)
		no_memory();
	return p;
}

char *
cli_copy(const char *text, size_t len)
{
	char *p = cli_alloc(len + 1, 1);

	memcpy(p, text, len);
	return p;
}

int64_t
cli_monotonic_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);        /* it cannot fail with this clock */
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool
cli_is_terminal(int fd)
{
	return isatty(fd) == 1;
}

_Noreturn void
cli_die_of(int signal_number)
{
	sigset_t set;

	(void)signal(signal_number, SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, signal_number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(signal_number);
	_exit(128 + signal_number);          /* not reached */
}

void
cli_catch_signals(void (*handler)(int))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old, action = { .sa_handler = handler };

	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)       /* nohup stays nohup */
			(void)sigaction(numbers[i], &action, NULL);
}

static volatile sig_atomic_t first_signal;

static void
on_first_signal(int number)
{
	first_signal = number;
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
}

void
cli_await_signal(void)
{
	cli_catch_signals(on_first_signal);
}

int
cli_caught(void)
{
	return first_signal;
}
