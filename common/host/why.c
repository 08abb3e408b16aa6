/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "common/host/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t kerf_why_char_len(const char *text)
{
    /* The least character of each length: what is less was written with more bytes than it takes, which UTF-8 forbids. */
    static const unsigned long least[] = {0, 0x01, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)text[0];
    size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    unsigned long c = len < 2 ? first : first & (0x7fu >> len);

    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

void kerf_why_set(struct kerf_why *why, const char *format, ...)
{
    va_list args;

    if (why == NULL) {
        return;
    }
    va_start(args, format);
    if (vsnprintf(why->text, sizeof why->text, format, args) < 0) {
        why->text[0] = '\0';
    }
    va_end(args);
    /* Paths and server answers are foreign bytes; a message that was cut may end within a character. */
    for (char *c = why->text; *c != '\0';) {
        const size_t len = kerf_why_char_len(c);

        if (len == 0 || (unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
        c += len == 0 ? 1 : len;
    }
}

static const char *advice(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
        return "check the path";
    case EACCES:
    case EPERM:
        return "check its permissions and those of its folder";
    case EISDIR:
        return "name a file, not a folder";
    case ENOSPC:
    case EDQUOT:
        return "free some space, or write elsewhere";
    case EROFS:
        return "write elsewhere";
    case EFBIG:
        return "raise the file size limit (ulimit -f), or write elsewhere";
    case ENOMEM:
        return "free some memory";
    case EMFILE:
    case ENFILE:
        return "close some files, or raise the limit (ulimit -n)";
    case ESPIPE:
        return "name a regular file, not a pipe";
    case EINTR:
        return "run it again";
    case EPIPE:
        return "the reader has gone";
    default:
        return "check the file and the disk it is on";
    }
}

void kerf_why_errno(struct kerf_why *why, const char *verb, const char *path, int errno_value)
{
    const char *reason = strerror(errno_value);

    if (strcmp(path, "-") == 0) {
        kerf_why_set(why, "can't %s standard %s: %s: %s", verb, verb[0] == 'w' ? "output" : "input", reason,
                     advice(errno_value));
    } else {
        kerf_why_set(why, "can't %s '%s': %s: %s", verb, path, reason, advice(errno_value));
    }
}
