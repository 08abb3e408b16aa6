/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varint.h - unsigned integers in 1 to 10 bytes: seven bits a byte, least significant first, the top
 * bit of a byte says that another follows (docs/FORMAT.md, "Integers"). Only the shortest form is valid.
 */
#ifndef KERF_COMMON_VARINT_H
#define KERF_COMMON_VARINT_H

#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_VARINT_MAX_LEN 10

/* Appends `v` at buf[*len] and moves *len; KERF_ERR_SPACE (nothing written) where it does not fit in `cap` bytes. */
KERF_MUST_USE kerf_err kerf_varint_put(uint8_t *buf, size_t cap, size_t *len, uint64_t v);

/* Reads one integer at buf[*pos] and moves *pos. KERF_ERR_FORMAT: cut off at `len`, over 64 bits, or not the shortest form. */
KERF_MUST_USE kerf_err kerf_varint_get(const uint8_t *buf, size_t len, size_t *pos, uint64_t *v);

/* Signed integers travel as 0, -1, 1, -2, 2 ... -> 0, 1, 2, 3, 4 ... */
static inline uint64_t kerf_zigzag(int64_t v)
{
    return v < 0 ? ~((uint64_t)v << 1) : (uint64_t)v << 1;
}

static inline int64_t kerf_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

#ifdef __cplusplus
}
#endif

#endif
