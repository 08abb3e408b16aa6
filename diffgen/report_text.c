/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and the escapes that make names harmless in it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diffgen/report.h"

static bool room(struct kerf_text *t, size_t more)
{
    if (!t->failed && t->cap - t->len < more) {
        size_t cap = (t->len + more) * 2 + 4096;
        char *grown = realloc(t->data, cap);

        if (grown == NULL) {
            t->failed = true;
        } else {
            t->data = grown;
            t->cap = cap;
        }
    }
    return !t->failed;
}

static void add_bytes(struct kerf_text *t, const char *p, size_t len)
{
    if (room(t, len + 1)) {
        memcpy(t->data + t->len, p, len);
        t->len += len;
        t->data[t->len] = '\0';
    }
}

void kerf_text_add(struct kerf_text *t, const char *format, ...)
{
    va_list args;
    va_list again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);

    if (len < 0) {
        t->failed = true;
    } else if (room(t, (size_t)len + 1)) {
        (void)vsnprintf(t->data + t->len, (size_t)len + 1, format, again);
        t->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

/* The next character of *string: its bytes and how many; what is not UTF-8 or a control becomes U+FFFD. */
static const char *next_char(const char **string, size_t *len)
{
    const char *p = *string;
    size_t n = kerf_why_char_len(p);

    *len = n;
    *string = p + (n == 0 ? 1 : n);
    if (n == 0 || (unsigned char)p[0] < 0x20 || p[0] == 0x7f) {
        *len = 3;
        return "\xef\xbf\xbd";
    }
    return p;
}

void kerf_text_escape(struct kerf_text *t, const char *string)
{
    while (*string != '\0') {
        size_t len;
        const char *p = next_char(&string, &len);

        switch (*p) {
        case '&':
            add_bytes(t, "&amp;", 5);
            break;
        case '<':
            add_bytes(t, "&lt;", 4);
            break;
        case '>':
            add_bytes(t, "&gt;", 4);
            break;
        case '"':
            add_bytes(t, "&quot;", 6);
            break;
        case '\'':
            add_bytes(t, "&#39;", 5);
            break;
        default:
            add_bytes(t, p, len);
        }
    }
}

void kerf_text_json(struct kerf_text *t, const char *string)
{
    add_bytes(t, "\"", 1);
    while (*string != '\0') {
        size_t len;
        const char *p = next_char(&string, &len);

        /* < so that no name ends the script; & for parsers that are in doubt. */
        if (*p == '"' || *p == '\\' || *p == '<' || *p == '>' || *p == '&') {
            kerf_text_add(t, "\\u%04x", (unsigned)*p);
        } else {
            add_bytes(t, p, len);
        }
    }
    add_bytes(t, "\"", 1);
}
