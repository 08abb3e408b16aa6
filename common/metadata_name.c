/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a name valid, and when two are the same. */
#include "common/metadata.h"

#include <string.h>

bool kerf_span_equal(struct kerf_span a, struct kerf_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool kerf_name_valid(struct kerf_span name)
{
    if (name.len == 0 || name.len > KERF_NAME_MAX_LEN || name.p[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

bool kerf_version_name_valid(struct kerf_span name)
{
    if (name.len == 0 || name.len > KERF_NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        bool c1 = name.p[i] == 0xC2 && i + 1 < name.len && name.p[i + 1] < 0xA0; /* U+0080 .. U+009F in UTF-8 */

        if (name.p[i] < 0x20 || name.p[i] == 0x7F || c1) {
            return false;
        }
    }
    return true;
}
