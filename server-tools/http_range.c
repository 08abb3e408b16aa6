/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/http_range.h"

#include <string.h>
#include <strings.h>

/*
 * Reads digits; false where there are none. A number beyond 64 bits is as good as the largest: both are outside of any
 * file.
 */
static bool read_number(const char **text, uint64_t *n)
{
    const char *p = *text;

    *n = 0;
    while (*p >= '0' && *p <= '9') {
        const unsigned digit = (unsigned)(*p - '0');

        *n = *n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *n * 10 + digit;
        p++;
    }
    if (p == *text) {
        return false;
    }
    *text = p;
    return true;
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t') {
        p++;
    }
    return p;
}

enum kerf_range kerf_range_read(const char *value, uint64_t size, uint64_t *pos, uint64_t *len)
{
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    bool has_first;
    bool has_last;

    *pos = 0;
    *len = size;
    if (value == NULL || strncasecmp(value, "bytes", 5) != 0) {
        return KERF_RANGE_WHOLE;
    }
    value = skip_blanks(value + 5);
    if (*value != '=') {
        return KERF_RANGE_WHOLE;
    }
    value = skip_blanks(value + 1);
    has_first = read_number(&value, &first);
    if (*value != '-') {
        return KERF_RANGE_WHOLE;
    }
    value++;
    has_last = read_number(&value, &last);
    if (*skip_blanks(value) != '\0' || (!has_first && !has_last) || (has_first && has_last && last < first)) {
        return KERF_RANGE_WHOLE; /* several ranges end here too */
    }
    if (!has_first) { /* the last `last` bytes */
        first = last >= size ? 0 : size - last;
        if (last == 0 || size == 0) {
            first = size;
        }
        last = UINT64_MAX;
    } else if (!has_last) {
        last = UINT64_MAX;
    }
    if (first >= size) {
        *len = 0;
        return KERF_RANGE_NONE;
    }
    *pos = first;
    *len = (last >= size - 1 ? size - 1 : last) - first + 1;
    return KERF_RANGE_PART;
}

bool kerf_range_if(const char *if_range, const char *etag)
{
    return if_range == NULL || strcmp(if_range, etag) == 0;
}

bool kerf_range_none_match(const char *if_none_match, const char *etag)
{
    const size_t etag_len = strlen(etag);
    const char *p = if_none_match;

    if (p == NULL) {
        return false;
    }
    if (strcmp(p, "*") == 0) {
        return true;
    }
    /* An entity tag has no quotes inside, so that its whole text can only be found as a member of the list. */
    for (p = strstr(p, etag); p != NULL; p = strstr(p + 1, etag)) {
        const char after = *skip_blanks(p + etag_len);

        if (after == '\0' || after == ',') {
            return true;
        }
    }
    return false;
}
