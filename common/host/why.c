/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "common/host/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    for (char *c = why->text; *c != '\0'; c++) {
        /* Paths and server answers are foreign bytes; bytes from 0x80 up are left alone for the sake of UTF-8. */
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
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
