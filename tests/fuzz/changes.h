/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.h - changes to a stretch of bytes that a fuzz input says, one after the other: position (2 bytes, little
 * endian, modulo the stretch's length), length, bytes; what is too long ends with the input or with the stretch.
 */
#ifndef KERF_TESTS_FUZZ_CHANGES_H
#define KERF_TESTS_FUZZ_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz_change {
    size_t pos, len;
    const uint8_t *bytes; /* in the input */
};

/* Takes the next change to `size` bytes (> 0) off the input. False: there is none. */
static inline bool fuzz_change_next(const uint8_t **data, size_t *len, size_t size, struct fuzz_change *c)
{
    if (*len < 3) {
        return false;
    }
    c->pos = ((size_t)(*data)[0] | (size_t)(*data)[1] << 8) % size;
    c->len = (*data)[2];
    c->bytes = *data + 3;
    *len -= 3;
    c->len = c->len < *len ? c->len : *len;
    c->len = c->len < size - c->pos ? c->len : size - c->pos;
    *data = c->bytes + c->len;
    *len -= c->len;
    return true;
}

#endif
