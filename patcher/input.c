/* SPDX-License-Identifier: Apache-2.0 */
/* docs/FORMAT.md, "Chunks": collects a chunk, checks its digest, hands its payload on. */
#include "patcher/state.h"

#include <string.h>

static uint8_t *chunk_of(struct kerf_patcher *p)
{
    return buffer_of(p) + KERF_STEP_MAX;
}

/* The prologue is there: now the length of chunk 0 is known. */
static kerf_err begin_chunk0(struct kerf_patcher *p)
{
    uint16_t header_len;
    kerf_err err = kerf_prologue_parse(chunk_of(p), &p->chunk_len, &header_len);

    if (err == KERF_OK && p->chunk_len > p->workspace_len - KERF_WORKSPACE_STATE - KERF_STEP_MAX) {
        err = KERF_ERR_RAM;
    }
    p->header.chunk0_len = p->chunk_len;
    return err;
}

kerf_err kerf_input_collect(struct kerf_patcher *p, const uint8_t *data, size_t len, size_t *used)
{
    size_t n = p->chunk_len - p->chunk_have;

    n = n < len ? n : len;
    if (n > 0) {
        memcpy(chunk_of(p) + p->chunk_have, data, n);
    }
    p->chunk_have += (uint32_t)n;
    p->delta_pos += (kerf_pos)n;
    *used = n;
    if (p->chunk_have < p->chunk_len) {
        return KERF_MORE_INPUT;
    }
    if (p->header.chunk0_len == 0) {
        kerf_err err = begin_chunk0(p);

        return err == KERF_OK ? KERF_MORE_WORK : err;
    }
    p->stage = STAGE_AUTHENTICATE;
    return KERF_MORE_WORK;
}

kerf_err kerf_input_authenticate(struct kerf_patcher *p, const struct kerf_port *port)
{
    struct kerf_sha256_digest digest;
    bool known = p->header.header_len != 0 || (p->flags & STATE_CHUNK0_KNOWN) != 0;
    kerf_err err = kerf_digest_more(p, port, chunk_of(p), NULL, p->chunk_len, &digest);

    if (err == KERF_OK && known && memcmp(digest.b, p->next.b, KERF_DIGEST_LEN) != 0) {
        err = KERF_ERR_CHUNK;
    }
    if (err == KERF_OK && p->header.header_len == 0) {
        memcpy(p->payload.b, digest.b, KERF_DIGEST_LEN);
    }
    return err;
}

void kerf_input_open(struct kerf_patcher *p, size_t payload_pos)
{
    uint8_t *buffer = buffer_of(p);

    if ((p->flags & STATE_LAST_CHUNK) == 0) {
        memcpy(p->next.b, buffer + KERF_STEP_MAX + payload_pos, KERF_DIGEST_LEN);
        payload_pos += KERF_DIGEST_LEN;
    }
    memmove(buffer + p->in_pos + payload_pos, buffer + p->in_pos, KERF_STEP_MAX - p->in_pos);
    p->in_pos += (uint32_t)payload_pos;
    p->in_end = KERF_STEP_MAX + p->chunk_len;
}

void kerf_input_next(struct kerf_patcher *p)
{
    struct kerf_chunk chunk;
    uint32_t tail = p->in_end - p->in_pos; /* under KERF_STEP_MAX */
    uint8_t *buffer = buffer_of(p);

    memmove(buffer + KERF_STEP_MAX - tail, buffer + p->in_pos, tail);
    p->in_pos = KERF_STEP_MAX - tail;
    kerf_chunk_next(&p->header, p->payload_left, &chunk);
    p->payload_left -= chunk.payload_len;
    p->chunk_len = chunk.len;
    p->chunk_have = 0;
    if (chunk.last) {
        p->flags |= STATE_LAST_CHUNK;
    }
}
