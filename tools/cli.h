/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.h - what each tool says and how it ends: messages, exit statuses, help and version, the escaping of foreign text.
 *
 * A message is one line on stderr, `PROGRAM: OBJECT[:LINE]: what: "value" (remedy)`.  The whole line is escaped as it is written, so
 * that no text of a file, an input or an argument reaches a terminal raw; cli_quote cuts and escapes a value before that.
 * The program's name, the signal that came and the width of the line that has no end yet are the statics here.  Nothing else of the tools is global but what
 * other signal handlers need: out.c's temporary name, and the note of progress.c.
 */
#ifndef OTR_TOOLS_CLI_H
#define OTR_TOOLS_CLI_H

#include "../lib/otr.h"

#if defined(__GNUC__)
#define CLI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CLI_PRINTF(text, first)
#endif

/* Exit statuses, cli.md 1.3.  Of several the highest wins. */
enum cli_exit { CLI_OK = 0, CLI_NO = 1, CLI_USAGE = 2, CLI_INPUT = 3, CLI_FILE = 4, CLI_SYSTEM = 5, CLI_AGAIN = 6 };

/* Names the program, and gives fds 0 to 2, where they are closed, a place holder on which reads of 0, writes to 1 and 2 fail. */
void cli_start(const char *program);
const char *cli_program(void);

/* object: file or "<stdin>", NULL for none.  line: 0 for none. */
void cli_error(const char *object, uint64_t line, const char *format, ...) CLI_PRINTF(3, 4);
void cli_warning(const char *object, uint64_t line, const char *format, ...) CLI_PRINTF(3, 4);
/* A line of -v, --explain. */
void cli_note(const char *object, const char *format, ...) CLI_PRINTF(2, 3);
/* A line on the terminal that the next such line, and any message, takes the place of.  One that would be wider than 79 columns goes without its object. */
void cli_line(const char *object, const char *format, ...) CLI_PRINTF(2, 3);
/* The line goes, if there is one. */
void cli_line_end(void);
/* A wrong command: the message, and where to find help.  Returns CLI_USAGE. */
int cli_usage(const char *format, ...) CLI_PRINTF(1, 2);
/* The library's refusal about object.  Returns the exit status. */
int cli_failed(const char *object, const struct otr_error *err);
/* The exit status of a library status. */
int cli_status(enum otr_status status);

/* The higher of two exit statuses. */
static inline int
cli_worst(int a, int b)
{
	return a > b ? a : b;
}

/*
 * Writes text to out, printable: control characters (C0, DEL, C1), bidirectional controls and invalid UTF-8 as \xNN.  Stops before a
 * character that does not fit whole.  Returns the bytes written, without the NUL that follows them (room > 0).
 */
size_t cli_escape(const char *text, size_t len, char *out, size_t room);

/* Length of the valid UTF-8 character at text (1..4), 0 if there is none. */
size_t cli_utf8(const char *text, size_t len);
/* Whether the character of n bytes at text is a control of a terminal (C0, DEL, C1) or of the reading direction. */
bool cli_is_control(const char *text, size_t n);
/* True if text is UTF-8 without control characters; newline and tab pass where breaks is true. */
bool cli_is_text(const char *text, size_t len, bool breaks);

struct cli_quoted {
	char text[180];    /* 40 bytes, each \xNN at worst, and three dots */
};
/* Up to 40 bytes of an input's text, escaped; a cut one ends in "...".  Returns q->text. */
const char *cli_quote(const char *text, size_t len, struct cli_quoted *q);

/* Memory or the end: out of memory is exit status 5 at once. */
void *cli_alloc(size_t count, size_t bytes);
void *cli_resize(void *old, size_t count, size_t bytes);
char *cli_copy(const char *text, size_t len);

/* A clock that is never set, in nanoseconds since some moment. */
int64_t cli_monotonic_ns(void);
/* True if fd is a terminal. */
bool cli_is_terminal(int fd);
/* Has handler called at INT, TERM and HUP, but for those that are ignored. */
void cli_catch_signals(void (*handler)(int));
/* From here on the first of them is only noted, for cli_caught; the second ends the program. */
void cli_await_signal(void);
/* The signal that was noted; 0: none. */
int cli_caught(void);

/* Restores a signal's default action and dies of it. */
_Noreturn void cli_die_of(int signal_number);

#endif
