/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why.h - one line for people that says what went wrong and what to do, next to the kerf_err that says it for programs.
 *
 * Functions that take a struct kerf_why fill it whenever they return an error; it may be NULL. Programs print it with
 * kerf_cli_fail(code, "%s", why.text).
 */
#ifndef KERF_COMMON_HOST_WHY_H
#define KERF_COMMON_HOST_WHY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define KERF_PRINTF(string, first) __attribute__((format(printf, string, first)))
#else
#define KERF_PRINTF(string, first)
#endif

struct kerf_why {
    char text[512]; /* no line break, no program name, NUL-terminated; longer messages are cut */
};

/* Bytes of the UTF-8 character that `text` begins with, 1 to 4; 0 at the end and where none begins. */
size_t kerf_why_char_len(const char *text);

/* Sets the line; does nothing for NULL. Bytes that would break the line, steer a terminal or are not UTF-8 become '?'. */
void kerf_why_set(struct kerf_why *why, const char *format, ...) KERF_PRINTF(2, 3);

/*
 * Sets "can't <verb> '<path>': <reason>: <what to do>" from an errno value, e.g. verb "read". `path` "-" is shown as
 * "standard input" or, for a verb that begins with 'w', "standard output".
 */
void kerf_why_errno(struct kerf_why *why, const char *verb, const char *path, int errno_value);

#ifdef __cplusplus
}
#endif

#endif
