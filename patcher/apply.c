/* SPDX-License-Identifier: Apache-2.0 */
/* From an authenticated header to decoded bytes in the page buffer. */
#include "patcher/state.h"

#include <string.h>

#define DECODE_MAX 4096u /* bytes of output that one call of feed() decodes at most */

/* What the codec's callbacks are given. */
struct source {
    struct kerf_patcher *p;
    const struct kerf_port *port;
};

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct source *s = ctx;

    return s->port->read_old(s->port->ctx, pos, buf, len);
}

/* The newest bytes of new are still in the page buffer. */
static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct source *s = ctx;
    kerf_pos written = s->p->page_pos;

    if (in_place(s->p)) {
        return kerf_in_place_read(s->p, s->port, pos, buf, len);
    }
    if (pos < written) {
        size_t n = written - pos < len ? (size_t)(written - pos) : len;
        kerf_err err = s->port->read_new(s->port->ctx, pos, buf, n);

        if (err != KERF_OK || n == len) {
            return err;
        }
        pos += (kerf_pos)n;
        buf += n;
        len -= n;
    }
    memcpy(buf, page_of(s->p) + (pos - written), len);
    return KERF_OK;
}

size_t kerf_patcher_workspace(const struct kerf_header *header, const struct kerf_port *port)
{
    size_t declared = kerf_header_workspace(header);
    size_t page = (size_t)port->page_size + KERF_STEP_OUT + sizeof(uint32_t) * header->group;

    return declared > SIZE_MAX - page ? SIZE_MAX : declared + page;
}

/* KERF_OK if this device can apply what the header says. */
static kerf_err check(const struct kerf_patcher *p, const struct kerf_port *port)
{
    const struct kerf_header *h = &p->header;

    if ((h->codec == KERF_CODEC_LZMA2 && port->unpack == NULL) ||
        ((h->flags & KERF_FLAG_READS_NEW) != 0 && (p->flags & STATE_DRY_RUN) != 0)) {
        return KERF_ERR_UNSUPPORTED;
    }
    if ((p->flags & STATE_TARGET_KNOWN) != 0 && memcmp(p->target.b, h->new_digest.b, KERF_DIGEST_LEN) != 0) {
        return KERF_ERR_MISMATCH;
    }
    if (kerf_patcher_workspace(h, port) > p->workspace_len) {
        return KERF_ERR_RAM;
    }
    if (kerf_journal_on(p, port) && kerf_patcher_journal(h, port) > port->journal_size) {
        return KERF_ERR_SPACE;
    }
    if (h->new_size > port->slot_size) {
        return KERF_ERR_SPACE;
    }
    if ((h->flags & KERF_FLAG_IN_PLACE) != 0) {
        return in_place(p) && kerf_journal_on(p, port) ? kerf_in_place_check(h, port) : KERF_ERR_UNSUPPORTED;
    }
    return KERF_OK;
}

kerf_err kerf_apply_begin(struct kerf_patcher *p, const struct kerf_port *port)
{
    struct kerf_chunk chunk;
    const uint8_t *received = buffer_of(p) + KERF_STEP_MAX;
    uint8_t *chunk0;
    kerf_err err = kerf_header_parse(received, p->chunk_len, &p->header);

    if (err == KERF_OK) {
        err = check(p, port);
    }
    if (err == KERF_OK) {
        err = kerf_chunk_first(&p->header, &chunk);
    }
    if (err != KERF_OK) {
        return err;
    }
    p->payload_left = p->header.payload_size - chunk.payload_len;
    if (chunk.last) {
        p->flags |= STATE_LAST_CHUNK;
    }
    p->codec_len = (uint32_t)kerf_codec_workspace(&p->header);
    chunk0 = buffer_of(p) + KERF_STEP_MAX;
    memmove(chunk0, received, p->chunk_len);
    if (p->header.codec == KERF_CODEC_NATIVE) {
        err = kerf_codec_init(codec_of(p), chunk0, &p->header);
    }
    return err;
}

/* Decodes a piece into the page buffer. KERF_END: that was the last. */
static kerf_err decode(struct kerf_patcher *p, const struct kerf_port *port, size_t *in_used, size_t *out_len)
{
    struct source source = {p, port};
    const struct kerf_codec_io io = {&source, read_old, read_new};
    const uint8_t *in = buffer_of(p) + p->in_pos;
    size_t in_len = p->in_end - p->in_pos;
    size_t out_cap = port->page_size - p->page_len;
    uint8_t *out = page_of(p) + p->page_len;
    bool last = (p->flags & STATE_LAST_CHUNK) != 0;

    out_cap = out_cap < DECODE_MAX ? out_cap : DECODE_MAX;
    if (p->header.codec == KERF_CODEC_NATIVE) {
        return kerf_codec_step(codec_of(p), &io, in, in_len, last, in_used, out, out_cap + KERF_STEP_OUT, out_len);
    }
    if (p->header.codec == KERF_CODEC_LZMA2) {
        return port->unpack(port->ctx, in, in_len, last, in_used, out, out_cap, out_len);
    }
    out_cap = out_cap < in_len ? out_cap : in_len;
    memcpy(out, in, out_cap);
    *in_used = *out_len = out_cap;
    return last && out_cap == in_len ? KERF_END : KERF_OK;
}

kerf_err kerf_apply_decode(struct kerf_patcher *p, const struct kerf_port *port)
{
    size_t in_used = 0;
    size_t out_len = 0;
    kerf_err err;

    if (p->in_end - p->in_pos < KERF_STEP_MAX && (p->flags & STATE_LAST_CHUNK) == 0) {
        return KERF_MORE_INPUT;
    }
    err = decode(p, port, &in_used, &out_len);
    if (err < KERF_OK) {
        return err;
    }
    p->in_pos += (uint32_t)in_used;
    p->page_len += (uint32_t)out_len;
    if (in_place(p)) {
        kerf_in_place_decoded(p, out_len);
    }
    /* A step that neither takes nor gives would be taken again for ever. */
    if (p->page_len > p->header.new_size - p->made || (err == KERF_OK && in_used + out_len == 0)) {
        return KERF_ERR_CORRUPT;
    }
    if (err > KERF_OK && p->page_len > 0) { /* KERF_SECTOR, too */
        p->flags |= STATE_COMPLETE;
    }
    if (err == KERF_END) {
        if ((p->flags & STATE_LAST_CHUNK) == 0 || p->in_pos != p->in_end ||
            p->page_len != p->header.new_size - p->made) {
            return KERF_ERR_CORRUPT;
        }
    }
    return err;
}
