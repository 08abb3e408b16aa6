/* SPDX-License-Identifier: Apache-2.0 */
/* Payload to container: header, and chunks chained by digest from the last to the first. */
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/work.h"

void kerf_bytes_emit(void *ctx, uint8_t byte)
{
    struct kerf_bytes *b = ctx;

    if (b->failed) {
        return;
    }
    if (b->len == b->cap) {
        size_t cap = b->cap == 0 ? 4096 : b->cap * 2;
        uint8_t *grown = realloc(b->data, cap);

        if (grown == NULL) {
            b->failed = true;
            return;
        }
        b->data = grown;
        b->cap = cap;
    }
    b->data[b->len++] = byte;
}

/* Where the chunks of a container lie; the chain is filled in from the last one back. */
struct layout {
    size_t count, total_len;
    size_t *start; /* of each chunk; start[count] is the end of the file */
};

static kerf_err find_layout(const struct kerf_header *header, struct layout *layout)
{
    struct kerf_chunk chunk;
    kerf_pos left = header->payload_size;
    size_t at = 0;
    kerf_err err = kerf_chunk_first(header, &chunk);

    if (err != KERF_OK) {
        return err;
    }
    layout->start = malloc((size_t)(left / (KERF_CHUNK_MIN - KERF_DIGEST_LEN) + 4) * sizeof *layout->start);
    if (layout->start == NULL) {
        return KERF_ERR_RAM;
    }
    layout->count = 0;
    for (;;) {
        layout->start[layout->count++] = at;
        at += chunk.len;
        left -= chunk.payload_len;
        if (chunk.last) {
            break;
        }
        kerf_chunk_next(header, left, &chunk);
    }
    layout->start[layout->count] = at;
    layout->total_len = at;
    return KERF_OK;
}

static kerf_err fill(const struct kerf_header *header, const struct layout *layout, const uint8_t *head,
                     size_t head_len, const uint8_t *payload, uint8_t *file)
{
    size_t left = (size_t)header->payload_size;
    struct kerf_sha256_digest digest;

    for (size_t i = layout->count; i > 0; i--) {
        size_t start = layout->start[i - 1];
        size_t end = layout->start[i];
        size_t at = start;

        if (i == 1) {
            memcpy(file, head, head_len);
            at += head_len;
        }
        if (i < layout->count) {
            size_t next = layout->start[i];
            kerf_err err = kerf_hash_bytes(file + next, layout->start[i + 1] - next, &digest);

            if (err != KERF_OK) {
                return err;
            }
            end -= KERF_DIGEST_LEN;
            memcpy(file + end, digest.b, KERF_DIGEST_LEN);
        }
        left -= end - at;
        if (end > at) {
            memcpy(file + at, payload + left, end - at);
        }
    }
    return KERF_OK;
}

void kerf_pack_assume(struct kerf_header *header)
{
    header->payload_size = KERF_CHUNK_MAX;
    header->chunk0_len = (uint16_t)(header->chunk_size < KERF_CHUNK_MAX ? header->chunk_size : KERF_CHUNK_MAX - 1);
}

kerf_err kerf_pack(struct kerf_header *header, const struct kerf_image *image, const uint8_t *payload,
                   size_t payload_len, uint8_t **file, size_t *file_len)
{
    uint8_t head[256];
    size_t head_len;
    struct layout layout = {0};

    header->payload_size = payload_len;
    header->chunk0_len = 0;
    kerf_err err = kerf_header_write(header, image->regions, image->ranges, head, sizeof head, &head_len);

    if (err == KERF_OK) {
        err = find_layout(header, &layout);
    }
    *file = err == KERF_OK ? malloc(layout.total_len) : NULL;
    if (err == KERF_OK && *file == NULL) {
        err = KERF_ERR_RAM;
    }
    if (err == KERF_OK) {
        err = fill(header, &layout, head, head_len, payload, *file);
        *file_len = layout.total_len;
    }
    free(layout.start);
    return err;
}

kerf_err kerf_unpack(const struct kerf_header *header, const uint8_t *file, size_t file_len, uint8_t *payload)
{
    struct kerf_chunk chunk;
    size_t pos = 0;
    size_t len = 0;
    kerf_err err = kerf_chunk_first(header, &chunk);

    while (err == KERF_OK) {
        if (chunk.len > file_len - pos) {
            return KERF_ERR_TRUNCATED;
        }
        memcpy(payload + len, file + pos + chunk.payload_pos, chunk.payload_len);
        pos += chunk.len;
        len += chunk.payload_len;
        if (chunk.last) {
            break;
        }
        kerf_chunk_next(header, header->payload_size - len, &chunk);
    }
    return err;
}
