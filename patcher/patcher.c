/* SPDX-License-Identifier: Apache-2.0 */
/* The phases of an apply, one piece of one of them a call; journal.c and inplace.c have those that not every update has. */
#include "patcher/patcher.h"

#include <string.h>

#include "patcher/state.h"

/* --- Beginning --- */

kerf_err kerf_patcher_init(void *workspace, size_t workspace_len, const struct kerf_port *port,
                           const struct kerf_patcher_expect *expect, unsigned options, struct kerf_patcher **patcher)
{
    struct kerf_patcher *p = workspace;

    if (workspace_len < kerf_patcher_workspace_min(port)) {
        return KERF_ERR_RAM;
    }
    memset(p, 0, workspace_len); /* all of it: what a checkpoint copies shall not be what lay there before */
    p->workspace_len = workspace_len < UINT32_MAX ? (uint32_t)workspace_len : UINT32_MAX;
    p->layout = STATE_LAYOUT;
    p->chunk_at = KERF_WORKSPACE_STATE + KERF_STEP_MAX;
    p->in_end = p->chunk_at + KERF_PROLOGUE_LEN;
    p->flags = options;
    if (expect != NULL) {
        p->flags |= (expect->chunk0_known ? STATE_NEXT_KNOWN : 0) | (expect->target_known ? STATE_TARGET_KNOWN : 0);
        kerf_digest_copy(next_digest_of(p), expect->chunk0_digest.b);
        kerf_digest_copy(expected_target_of(p), expect->target_digest.b);
    }
    *patcher = p;
    return KERF_OK;
}

/* The next chunk holds `len` bytes but for a header: all of them payload or, where more is to come, with a digest. */
static void begin_chunk(struct kerf_patcher *p, uint32_t len)
{
    p->payload_left -= len;
    if (p->payload_left != 0) {
        p->payload_left += KERF_DIGEST_LEN;
    }
}

/* KERF_OK if this device can apply what the header says. */
static kerf_err check_header(struct kerf_patcher *p, const struct kerf_port *port)
{
    const struct kerf_header *h = &p->header;
    size_t need = kerf_patcher_workspace(h, port);

    /* The state of LZMA2 is not in the workspace. */
    if (KERF_JOURNAL && port->journal_size != 0 && (p->flags & STATE_DRY_RUN) == 0 &&
        (!KERF_UNPACK || h->codec != KERF_CODEC_LZMA2)) {
        p->flags |= STATE_JOURNAL;
    }
    if ((h->codec == KERF_CODEC_LZMA2 && (!KERF_UNPACK || port->unpack == NULL)) ||
        ((h->flags & KERF_FLAG_READS_NEW) != 0 && (p->flags & STATE_DRY_RUN) != 0) || (in_place(p) && !journaled(p))) {
        return KERF_ERR_UNSUPPORTED;
    }
    if ((p->flags & STATE_TARGET_KNOWN) != 0 && memcmp(expected_target_of(p), h->new_digest.b, KERF_DIGEST_LEN) != 0) {
        return KERF_ERR_MISMATCH;
    }
    if (need > p->workspace_len) {
        return KERF_ERR_RAM;
    }
    p->page_at = (uint32_t)need - port->page_size - KERF_STEP_OUT;
    if ((kerf_pos)h->chunk0_len - h->header_len > h->payload_size) {
        return KERF_ERR_FORMAT;
    }
    if (h->new_size > port->slot_size || (journaled(p) && kerf_patcher_journal(h, port) > port->journal_size)) {
        return KERF_ERR_SPACE;
    }
    return in_place(p) ? kerf_in_place_check(h, port) : KERF_OK;
}

/* Chunk 0 is authenticated: reads the header, lays out the workspace. */
static kerf_err begin(struct kerf_patcher *p, const struct kerf_port *port)
{
    const uint8_t *received = chunk_of(p);
    struct kerf_header *h = &p->header;
    kerf_err err = kerf_header_read(received, h);

    if (err == KERF_OK) {
        err = check_header(p, port);
    }
    if (err != KERF_OK) {
        return err;
    }
    p->status.new_size = h->new_size;
    p->payload_left = h->payload_size;
    begin_chunk(p, h->chunk0_len - h->header_len);
    p->chunk_at = p->page_at - h->chunk_size - (uint32_t)kerf_patcher_group(h);
    p->in_pos = p->chunk_at + h->header_len;
    p->in_end = p->chunk_at + h->chunk0_len;
    memmove(chunk_of(p), received, h->chunk0_len);
    return h->codec == KERF_CODEC_NATIVE ? kerf_codec_init(codec_of(p), chunk_of(p), h) : KERF_OK;
}

/* --- The phases HEADER and CHUNK --- */

/* A whole chunk is there. */
static kerf_err received(struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = kerf_sum_check(port, next_digest_of(p), (p->flags & STATE_NEXT_KNOWN) != 0, KERF_ERR_CHUNK);

    if (err == KERF_OK && p->status.phase == KERF_PHASE_HEADER) {
        p->flags |= STATE_NEXT_KNOWN;
        kerf_digest_copy(p->status.payload_digest.b, next_digest_of(p));
        err = begin(p, port);
    }
    if (err != KERF_OK) {
        return err;
    }
    if (p->payload_left != 0) {
        p->in_end -= KERF_DIGEST_LEN;
        if (p->in_end < p->in_pos) { /* of chunk 0 */
            return KERF_ERR_FORMAT;
        }
        kerf_digest_copy(next_digest_of(p), (uint8_t *)p + p->in_end);
    }
    return enter(p, p->status.phase == KERF_PHASE_HEADER ? KERF_PHASE_SOURCE : KERF_PHASE_APPLY);
}

static kerf_err receive(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *data, size_t len,
                        size_t *used)
{
    kerf_pos have = p->status.verified_pos;
    size_t left = p->in_end - p->chunk_at - (size_t)have;
    size_t n = left < len ? left : len;
    kerf_err err;

    if (n == 0) {
        return KERF_MORE_INPUT;
    }
    memcpy(chunk_of(p) + (size_t)have, data, n);
    *used = n;
    p->status.delta_pos += (kerf_pos)n;
    err = kerf_sum_add(p, port, data, n);
    if (err != KERF_OK || n < left) {
        return err != KERF_OK ? err : KERF_MORE_INPUT;
    }
    if (p->header.chunk0_len > 0) {
        return received(p, port);
    }
    /* The prologue says how long chunk 0 is. */
    err = kerf_prologue_parse(chunk_of(p), &p->header.chunk0_len, &p->header.header_len);
    p->in_end = p->chunk_at + p->header.chunk0_len;
    return err == KERF_OK && p->in_end > p->workspace_len ? KERF_ERR_RAM : err;
}

/* --- The phases SOURCE and VERIFY --- */

/* Hashes an image, a page at a time. The page buffer is free. */
static kerf_err check_image(struct kerf_patcher *p, const struct kerf_port *port)
{
    bool source = p->status.phase == KERF_PHASE_SOURCE;
    kerf_pos size = source ? p->header.old_size : p->header.new_size;
    kerf_pos left = size - p->status.verified_pos;
    size_t n = left < port->page_size ? (size_t)left : port->page_size;
    kerf_err err = KERF_OK;

    if (n > 0) {
        err = (source ? port->read_old : port->read_new)(port->ctx, p->status.verified_pos, page_of(p), n);
    }
    if (err == KERF_OK) {
        err = kerf_sum_add(p, port, page_of(p), n);
    }
    if (err != KERF_OK || n < left) {
        return err;
    }
    if (source) {
        err = kerf_sum_check(port, p->header.old_digest.b, size > 0, KERF_ERR_SOURCE);
        if (err != KERF_OK) {
            return err;
        }
        /* All is checked, and nothing is written yet. */
        (void)enter(p, KERF_PHASE_APPLY);
        return journaled(p) ? kerf_journal_first(p, port) : KERF_OK;
    }
    p->status.phase = KERF_PHASE_DONE;
    err = kerf_sum_end(port, &p->status.target_digest);
    if (err == KERF_OK && memcmp(p->status.target_digest.b, p->header.new_digest.b, KERF_DIGEST_LEN) != 0) {
        err = KERF_ERR_TARGET;
    }
    return err;
}

/* --- The phase APPLY --- */

/* Decodes a piece into the page buffer. KERF_END: that was the last. */
static kerf_err decode(struct kerf_patcher *p, const struct kerf_port *port)
{
    const uint8_t *in = (uint8_t *)p;
    uint8_t *page = page_of(p);
    bool last = p->payload_left == 0;

    if (p->header.codec == KERF_CODEC_NATIVE) {
        struct kerf_codec_io io = {.ctx = port->ctx, .read_old = port->read_old, .read_new = port->read_new};

#if KERF_IN_PLACE
        struct kerf_in_place source = {p, port};

        if (in_place(p)) {
            io = (struct kerf_codec_io){
                .ctx = &source, .read_old = kerf_in_place_read_old, .read_new = kerf_in_place_read_new};
        }
#endif
#if KERF_ENCODER
        io.order = port->order;
#endif
        return kerf_codec_step(codec_of(p), &p->header, &io, in, p->in_end, last, &p->in_pos, page,
                               port->page_size + KERF_STEP_OUT, &p->page_len);
    }
    in += p->in_pos;
    size_t n = p->in_end - p->in_pos;
    size_t out_len = port->page_size - p->page_len;

    page += p->page_len;
#if KERF_UNPACK
    if (p->header.codec == KERF_CODEC_LZMA2) {
        size_t used = 0;
        size_t cap = out_len;
        kerf_err err;

        out_len = 0;
        err = port->unpack(port->ctx, in, n, last, &used, page, cap, &out_len);
        p->in_pos += (uint32_t)used;
        p->page_len += (uint32_t)out_len;
        /* A step that neither takes nor gives would be taken again for ever. */
        if ((err == KERF_OK && used + out_len == 0) || out_len > p->header.new_size - p->status.new_pos ||
            (err == KERF_END && out_len < p->header.new_size - p->status.new_pos)) {
            err = KERF_ERR_CORRUPT;
        }
        return err;
    }
#endif
    n = n < out_len ? n : out_len;
    memcpy(page, in, n);
    p->in_pos += (uint32_t)n;
    p->page_len += (uint32_t)n;
    return last && p->in_pos == p->in_end ? KERF_END : KERF_OK;
}

static kerf_err apply(struct kerf_patcher *p, const struct kerf_port *port)
{
    size_t before = p->page_len;
    kerf_err err;

    if (before >= port->page_size || (before > 0 && (p->flags & STATE_COMPLETE) != 0)) {
        return kerf_write_page(p, port);
    }
    if ((p->flags & STATE_DECODED) != 0) {
        if ((p->flags & STATE_DRY_RUN) != 0) {
            return enter(p, KERF_PHASE_DONE);
        }
        (void)enter(p, KERF_PHASE_VERIFY);
        return kerf_port_flush(port);
    }
    if (p->in_end - p->in_pos < KERF_STEP_MAX && p->payload_left > 0) {
        /* What was not decoded is kept in front of the next chunk. */
        size_t tail = p->in_end - p->in_pos;
        uint32_t len;

        memmove(chunk_of(p) - tail, (uint8_t *)p + p->in_pos, tail);
        p->in_pos = p->chunk_at - tail;
        len = p->payload_left < p->header.chunk_size ? (uint32_t)p->payload_left : p->header.chunk_size;
        p->in_end = p->chunk_at + len;
        (void)enter(p, KERF_PHASE_CHUNK);
        begin_chunk(p, len);
        return KERF_OK;
    }
    err = decode(p, port);
    p->status.new_pos += (kerf_pos)(p->page_len - before);
    if (in_place(p) && p->status.new_pos > p->header.new_size) {
        p->status.new_pos = p->header.new_size; /* what is kept of old counts too */
    }
    if (err < KERF_OK) {
        return err;
    }
    if (err != KERF_OK) { /* KERF_SECTOR, too */
        p->flags |= STATE_COMPLETE | (err == KERF_END ? STATE_DECODED : 0);
    }
    return KERF_OK;
}

/* --- All of them --- */

kerf_err kerf_patcher_feed(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *data, size_t len,
                           size_t *used)
{
    kerf_err err = KERF_OK;

    *used = 0;
    switch (p->status.phase) {
    case KERF_PHASE_HEADER:
    case KERF_PHASE_CHUNK:
        err = receive(p, port, data, len, used);
        break;
    case KERF_PHASE_SOURCE:
    case KERF_PHASE_VERIFY:
        err = check_image(p, port);
        break;
    case KERF_PHASE_APPLY:
        err = apply(p, port);
        break;
#if KERF_JOURNAL
    case KERF_PHASE_SAVE:
        err = kerf_journal_save(p, port);
        break;
#endif
#if KERF_IN_PLACE
    case KERF_PHASE_COPY:
        err = kerf_in_place_copy(p, port);
        break;
#endif
    case KERF_PHASE_DONE:
        err = len > 0 ? KERF_ERR_TRAILING : KERF_END;
        break;
    default: /* FAILED */
        return p->status.err;
    }
    if (err < KERF_OK) {
        p->status.phase = KERF_PHASE_FAILED;
        p->status.err = err;
    }
    return err == KERF_OK ? KERF_MORE_WORK : err;
}

kerf_err kerf_patcher_finish(struct kerf_patcher *p)
{
    if (p->status.phase == KERF_PHASE_DONE) {
        return KERF_END;
    }
    if (p->status.phase != KERF_PHASE_FAILED) {
        p->status.phase = KERF_PHASE_FAILED;
        p->status.err = KERF_ERR_TRUNCATED;
    }
    return p->status.err;
}

void kerf_patcher_abort(struct kerf_patcher *p)
{
    p->status.phase = KERF_PHASE_FAILED;
    p->status.err = KERF_ERR_STATE;
}
