/* SPDX-License-Identifier: Apache-2.0 */
/* Full payloads as one .xz stream (liblzma): larger than native ones, and quicker to apply on a big machine. */
#include <lzma.h>

#include "diffgen/work.h"

/* No check of its own: the chain of digests vouches for every byte. */
kerf_err kerf_lzma2_encode(const uint8_t *image, size_t len, int level, struct kerf_bytes *payload)
{
    uint32_t preset = level == 0 || level >= KERF_DIFF_LEVEL_DEFAULT ? 9 | LZMA_PRESET_EXTREME : (uint32_t)level;
    lzma_options_lzma options;
    lzma_filter filters[2] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    size_t cap = lzma_stream_buffer_bound(len);
    size_t used = 0;

    if (cap == 0 || lzma_lzma_preset(&options, preset)) {
        return KERF_ERR_RAM;
    }
    /* A dictionary larger than the image would only make the decoder take more memory. */
    while (options.dict_size / 2 >= len && options.dict_size / 2 >= LZMA_DICT_SIZE_MIN) {
        options.dict_size /= 2;
    }
    payload->data = malloc(cap);
    if (payload->data == NULL) {
        return KERF_ERR_RAM;
    }
    payload->cap = cap;
    if (lzma_stream_buffer_encode(filters, LZMA_CHECK_NONE, NULL, image, len, payload->data, &used, cap) != LZMA_OK) {
        return KERF_ERR_RAM;
    }
    payload->len = used;
    return KERF_OK;
}

kerf_err kerf_lzma2_unpack(struct kerf_lzma2 *x, const uint8_t *in, size_t in_len, bool last, size_t *in_used,
                           uint8_t *out, size_t out_cap, size_t *out_len)
{
    lzma_stream *xz = x->stream;
    lzma_ret ret = LZMA_OK;

    if (xz == NULL) {
        static const lzma_stream none = LZMA_STREAM_INIT;

        xz = x->stream = malloc(sizeof *xz);
        if (xz == NULL) {
            return KERF_ERR_RAM;
        }
        *xz = none;
        ret = lzma_stream_decoder(xz, UINT64_MAX, 0);
    }
    xz->next_in = in;
    xz->avail_in = in_len;
    xz->next_out = out;
    xz->avail_out = out_cap;
    if (ret == LZMA_OK) {
        ret = lzma_code(xz, last ? LZMA_FINISH : LZMA_RUN);
    }
    *in_used = in_len - xz->avail_in;
    *out_len = out_cap - xz->avail_out;
    return ret == LZMA_OK           ? KERF_OK
           : ret == LZMA_STREAM_END ? KERF_END
           : ret == LZMA_MEM_ERROR  ? KERF_ERR_RAM
                                    : KERF_ERR_CORRUPT;
}

void kerf_lzma2_free(struct kerf_lzma2 *x)
{
    if (x->stream != NULL) {
        lzma_end(x->stream);
        free(x->stream);
        x->stream = NULL;
    }
}
