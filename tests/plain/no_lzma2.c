/* SPDX-License-Identifier: Apache-2.0 */
/* In place of diffgen/lzma2.c: no payload that diff.c makes is LZMA2. */
#include "diffgen/work.h"

kerf_err kerf_lzma2_encode(const uint8_t *image, size_t len, int level, struct kerf_bytes *payload)
{
    (void)image;
    (void)len;
    (void)level;
    (void)payload;
    return KERF_ERR_UNSUPPORTED;
}

kerf_err kerf_lzma2_unpack(struct kerf_lzma2 *x, const uint8_t *in, size_t in_len, bool last, size_t *in_used,
                           uint8_t *out, size_t out_cap, size_t *out_len)
{
    (void)x;
    (void)in;
    (void)in_len;
    (void)last;
    (void)in_used;
    (void)out;
    (void)out_cap;
    (void)out_len;
    return KERF_ERR_UNSUPPORTED;
}

void kerf_lzma2_free(struct kerf_lzma2 *x)
{
    (void)x;
}
