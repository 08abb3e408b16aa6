/* SPDX-License-Identifier: Apache-2.0 */
/* The phases of an apply, one piece of one of them a call; journal.c and inplace.c have those that not every update has. */
#include "patcher/patcher.h"

#include <string.h>

#include "patcher/state.h"

/* --- Beginning --- */

kerf_err kerf_patcher_start(struct kerf_patcher *p, size_t workspace_len, const struct kerf_port *port,
                            const struct kerf_patcher_expect *expect, unsigned options)
{
    kerf_err err = kerf_state_open(p, workspace_len, port);

    if (err != KERF_OK) {
        return err;
    }
#if KERF_JOURNAL
    p->layout = STATE_LAYOUT;
#endif
    p->chunk_at = KERF_WORKSPACE_STATE + KERF_STEP_MAX;
    p->in_end = p->chunk_at + KERF_PROLOGUE_LEN;
    p->flags = options;
    if (expect != NULL) {
        p->flags |= (expect->chunk0_known ? STATE_NEXT_KNOWN : 0) | (expect->target_known ? STATE_TARGET_KNOWN : 0);
        kerf_digest_copy(next_digest_of(p), expect->chunk0_digest.b);
        kerf_digest_copy(expected_target_of(p), expect->target_digest.b);
    }
    return KERF_OK;
}

_Static_assert(STATE_DRY_RUN == KERF_FLAG_READS_NEW && STATE_JOURNAL == KERF_FLAG_IN_PLACE, "check_header()");

/* KERF_OK if this device can apply what the header says. */
static uint8_t check_header(struct kerf_patcher *p)
{
    const struct kerf_port *port = p->port;
    const struct kerf_header *h = &p->header;

    /* The state of LZMA2 is not in the workspace. */
    if (KERF_JOURNAL && port->journal_size != 0 && (p->flags & STATE_DRY_RUN) == 0 &&
        (!KERF_UNPACK || h->codec != KERF_CODEC_LZMA2)) {
        p->flags |= STATE_JOURNAL;
    }
    /* Reads new in a dry run; in place without a journal. */
    if ((h->flags & (p->flags ^ STATE_JOURNAL) & (STATE_DRY_RUN | STATE_JOURNAL)) != 0 ||
        (h->codec == KERF_CODEC_LZMA2 && (!KERF_UNPACK || port->unpack == NULL))) {
        return KERF_ERROR(KERF_ERR_UNSUPPORTED);
    }
    if ((p->flags & STATE_TARGET_KNOWN) != 0 && memcmp(expected_target_of(p), h->new_digest.b, KERF_DIGEST_LEN) != 0) {
        return KERF_ERROR(KERF_ERR_MISMATCH);
    }
    if (p->page_at > p->page_max) {
        return KERF_ERROR(KERF_ERR_RAM);
    }
    if (h->new_size > port->slot_size ||
        (journaled(p) && kerf_journal_end(p->page_at, port) > port->journal_size / 2)) {
        return KERF_ERROR(KERF_ERR_SPACE);
    }
    return in_place(p) ? kerf_in_place_check(h, port) : 0;
}

/* Chunk 0 is authenticated: reads the header, lays out the workspace. */
static uint8_t begin(struct kerf_patcher *p)
{
    const uint8_t *received = chunk_of(p);
    struct kerf_header *h = &p->header;
    uint8_t err = KERF_ERROR(kerf_header_read(received, h));
    uint32_t at;

    if (err != 0) {
        return err;
    }
    at = (uint32_t)(kerf_header_workspace(h) + kerf_patcher_group(h));
    p->page_at = at;
    err = check_header(p);
    if (err != 0) {
        return err;
    }
    p->payload_left = h->payload_size + h->header_len; /* as if the header were payload */
    at -= h->chunk_size + (uint32_t)kerf_patcher_group(h);
    p->chunk_at = at;
    p->in_pos = at + h->header_len;
    p->in_end = at + h->chunk0_len;
    memmove(chunk_of(p), received, h->chunk0_len);
    return h->codec == KERF_CODEC_NATIVE ? KERF_ERROR(kerf_codec_init(codec_of(p), chunk_of(p), h)) : 0;
}

/* --- The phases HEADER and CHUNK --- */

/* A whole chunk is there. */
static void received(struct kerf_patcher *p)
{
    enum kerf_patcher_phase next = KERF_PHASE_APPLY;
    uint32_t len;
    kerf_pos left;

    kerf_sum_end(p, (p->flags & STATE_NEXT_KNOWN) != 0 ? next_digest_of(p) : p->digest.b, KERF_ERROR(KERF_ERR_CHUNK));
    if (p->err != 0) {
        return;
    }
    if (p->phase == KERF_PHASE_HEADER) {
        next = KERF_PHASE_SOURCE;
        p->flags |= STATE_NEXT_KNOWN;
        kerf_digest_copy(p->payload_digest.b, p->digest.b);
        p->err = begin(p);
    }
    /* Of the last chunk all is payload; else a digest is behind it. */
    p->phase = (uint8_t)next;
    len = p->in_end - p->chunk_at;
    left = p->payload_left - len;
    if (left != 0) {
        left += KERF_DIGEST_LEN;
        p->in_end -= KERF_DIGEST_LEN;
    }
    /* What chunk 0 says of itself may not be so. */
    if (len > p->payload_left || p->in_end < p->in_pos) {
        kerf_fail(p, KERF_ERROR(KERF_ERR_FORMAT));
    }
    p->payload_left = left;
}

static kerf_err receive(struct kerf_patcher *p, const uint8_t *data, size_t len, size_t *used)
{
    uint8_t *to = chunk_of(p) + (size_t)p->verified_pos;
    size_t left = (size_t)((uint8_t *)p + p->in_end - to);
    size_t n = left < len ? left : len;

    if (n == 0) {
        return KERF_MORE_INPUT;
    }
    memcpy(to, data, n);
    *used = n;
    p->delta_pos += (kerf_pos)n;
    kerf_sum_add(p, data, n);
    if (n < left) {
        return KERF_MORE_INPUT;
    }
    if (p->header.chunk0_len > 0) {
        received(p);
    } else {
        /* The prologue says how long chunk 0 is. */
        kerf_err err = kerf_prologue_parse(chunk_of(p), &p->header.chunk0_len, &p->header.header_len);

        p->in_end = p->chunk_at + p->header.chunk0_len;
        kerf_fail(p, err == KERF_OK && p->in_end > p->page_max ? KERF_ERROR(KERF_ERR_RAM) : KERF_ERROR(err));
    }
    return KERF_MORE_WORK;
}

/* --- The phases SOURCE and VERIFY --- */

/* What header and port say of old they say of new right behind it: image i of two. */
static kerf_pos size_of(const struct kerf_header *h, unsigned i)
{
    return *(const kerf_pos *)(const void *)((const uint8_t *)&h->old_size + i * sizeof h->old_size);
}

_Static_assert(offsetof(struct kerf_header, new_size) == offsetof(struct kerf_header, old_size) + sizeof(kerf_pos) &&
                   offsetof(struct kerf_header, new_digest) ==
                       offsetof(struct kerf_header, old_digest) + KERF_DIGEST_LEN,
               "check_image()");

static void done(struct kerf_patcher *p)
{
    p->phase = KERF_PHASE_DONE;
    kerf_fail(p, KERF_END);
}

/* Hashes an image, a page at a time. The page buffer is free. */
static void check_image(struct kerf_patcher *p)
{
    const struct kerf_port *port = p->port;
    unsigned i = p->phase == KERF_PHASE_VERIFY;
    kerf_pos size = size_of(&p->header, i);
    kerf_pos left = size - p->verified_pos;
    size_t n = left < port->page_size ? (size_t)left : port->page_size;

    if (i != 0 || size != 0) {
        p->err = KERF_ERROR(
            (i == 0 ? port->io.read_old : port->io.read_new)(port->io.ctx, p->verified_pos, page_of(p), n));
        kerf_sum_add(p, page_of(p), n);
        if (n < left) {
            return;
        }
        kerf_sum_end(p, p->header.old_digest.b + (size_t)i * KERF_DIGEST_LEN,
                     i == 0 ? KERF_ERROR(KERF_ERR_SOURCE) : KERF_ERROR(KERF_ERR_TARGET));
    }
    if (i == 1) {
        done(p);
        return;
    }
    /* All is checked, and nothing is written yet. */
    p->phase = KERF_PHASE_APPLY;
    if (journaled(p)) {
        kerf_journal_first(p);
    }
}

/* --- The phase APPLY --- */

/* Decodes a piece into the page buffer. KERF_END: that was the last. */
static kerf_err decode(struct kerf_patcher *p)
{
    const struct kerf_port *port = p->port;
    const uint8_t *in = (uint8_t *)p;
    uint8_t *page = page_of(p);
    bool last = p->payload_left == 0;

    if (p->header.codec == KERF_CODEC_NATIVE) {
        const struct kerf_codec_io *io = &port->io;

#if KERF_IN_PLACE
        struct kerf_codec_io by_sector = {
            .ctx = p, .read_old = kerf_in_place_read_old, .read_new = kerf_in_place_read_new};

#if KERF_ENCODER
        by_sector.order = port->io.order;
#endif
        if (in_place(p)) {
            io = &by_sector;
        }
#endif
        return kerf_codec_step(codec_of(p), &p->header, io, in, p->in_end, last, &p->in_pos, page,
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
        kerf_pos left = p->header.new_size - kerf_patcher_new_pos(p);
        kerf_err err;

        out_len = 0;
        err = port->unpack(port->io.ctx, in, n, last, &used, page, cap, &out_len);
        p->in_pos += (uint32_t)used;
        p->page_len += (uint32_t)out_len;
        /* A step that neither takes nor gives would be taken again for ever. */
        if ((err == KERF_OK && used + out_len == 0) || out_len > left || (err == KERF_END && out_len < left)) {
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

static void apply(struct kerf_patcher *p)
{
    size_t before = p->page_len;
    kerf_err err;

    if (before >= p->port->page_size || (before > 0 && (p->flags & STATE_COMPLETE) != 0)) {
        kerf_write_page(p);
        return;
    }
    if ((p->flags & STATE_DECODED) != 0) {
        if ((p->flags & STATE_DRY_RUN) != 0) {
            done(p);
            return;
        }
        p->phase = KERF_PHASE_VERIFY;
        kerf_flush(p);
        return;
    }
    if (p->in_end - p->in_pos < KERF_STEP_MAX && p->payload_left > 0) {
        /* What was not decoded is kept in front of the next chunk. */
        size_t tail = p->in_end - p->in_pos;
        uint32_t len = p->header.chunk_size;

        kerf_digest_copy(next_digest_of(p), (uint8_t *)p + p->in_end);
        memmove(chunk_of(p) - tail, (uint8_t *)p + p->in_pos, tail);
        p->in_pos = p->chunk_at - tail;
        len = p->payload_left < len ? (uint32_t)p->payload_left : len;
        p->in_end = p->chunk_at + len;
        p->phase = KERF_PHASE_CHUNK;
        return;
    }
    err = decode(p);
    if (err > KERF_OK) {
        p->flags |= STATE_COMPLETE | (err == KERF_END ? STATE_DECODED : 0); /* KERF_SECTOR, too */
        return;
    }
    kerf_fail(p, KERF_ERROR(err));
}

/* --- All of them --- */

kerf_err kerf_patcher_feed(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *data, size_t len,
                           size_t *used)
{
    kerf_err answer = KERF_MORE_WORK;

    *used = 0;
    p->port = port;
    switch ((enum kerf_patcher_phase)p->phase) {
    case KERF_PHASE_HEADER:
    case KERF_PHASE_CHUNK:
        answer = receive(p, data, len, used);
        break;
    case KERF_PHASE_SOURCE:
    case KERF_PHASE_VERIFY:
        check_image(p);
        break;
    case KERF_PHASE_APPLY:
        apply(p);
        break;
#if KERF_JOURNAL
    case KERF_PHASE_SAVE:
        kerf_journal_save(p);
        break;
#endif
#if KERF_IN_PLACE
    case KERF_PHASE_COPY:
        kerf_in_place_copy(p);
        break;
#endif
    default: /* DONE, FAILED */
        if (p->phase == KERF_PHASE_DONE && len > 0) {
            p->err = KERF_ERROR(KERF_ERR_TRAILING);
        }
        answer = kerf_error(p->err);
        break;
    }
    if (kerf_error(p->err) < KERF_OK) {
        p->phase = KERF_PHASE_FAILED;
        answer = kerf_error(p->err);
    }
    return answer;
}
