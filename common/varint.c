/* SPDX-License-Identifier: Apache-2.0 */
#include "common/varint.h"

kerf_err kerf_varint_put(uint8_t *buf, size_t cap, size_t *len, uint64_t v)
{
    uint8_t tmp[KERF_VARINT_MAX_LEN];
    size_t n = 0;

    while (v >= 0x80) {
        tmp[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    tmp[n++] = (uint8_t)v;
    if (n > cap - *len) {
        return KERF_ERR_SPACE;
    }
    for (size_t i = 0; i < n; i++) {
        buf[*len + i] = tmp[i];
    }
    *len += n;
    return KERF_OK;
}

kerf_err kerf_varint_get(const uint8_t *buf, size_t len, size_t *pos, uint64_t *v)
{
    uint64_t x = 0;
    unsigned shift = 0;

    for (size_t i = *pos; i < len; i++, shift += 7) {
        uint8_t b = buf[i];

        /* The tenth byte holds the 64th bit alone. */
        if (shift == 63 && b > 1) {
            return KERF_ERR_FORMAT;
        }
        x |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            if (b == 0 && shift > 0) {
                return KERF_ERR_FORMAT;
            }
            *v = x;
            *pos = i + 1;
            return KERF_OK;
        }
    }
    return KERF_ERR_FORMAT;
}
