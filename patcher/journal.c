/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: patcher.h, "Power cuts", says what lies where. */
#include "patcher/state.h"

#include <string.h>

#if KERF_JOURNAL

/* Bytes of a mark, and what the length of a body is a multiple of. */
static uint32_t mark_len(const struct kerf_port *port)
{
    return port->spare_unit > KERF_DIGEST_LEN ? port->spare_unit : KERF_DIGEST_LEN;
}

#define MARKS 3u

/* Bytes from the beginning of the workspace to what the decoder wrote beyond the page, which may be the page's first bytes. */
static uint32_t body_len(size_t page, const struct kerf_port *port)
{
    uint32_t unit = mark_len(port);

    return ((uint32_t)page + KERF_STEP_OUT + unit - 1) & ~(unit - 1);
}

/* A checkpoint's bytes end there in the half, all marks included. */
static uint32_t end_of(size_t page, const struct kerf_port *port)
{
    return body_len(page, port) + MARKS * mark_len(port);
}

static uint32_t body_of(struct kerf_patcher *p, const struct kerf_port *port)
{
    return body_len((size_t)(page_of(p) - (uint8_t *)p), port);
}

static kerf_pos half_pos(const struct kerf_port *port, unsigned half)
{
    return half != 0 ? port->journal_size / 2 : 0;
}

size_t kerf_patcher_journal(const struct kerf_header *header, const struct kerf_port *port)
{
    size_t page = kerf_header_workspace(header);

    if (page >= UINT32_MAX / 4) {
        return SIZE_MAX;
    }
    page += sizeof(uint32_t) * header->group;
    return (size_t)2 * ((end_of(page, port) + port->spare_sector - 1) / port->spare_sector * port->spare_sector);
}

bool kerf_journal_fits(const struct kerf_port *port)
{
    uint32_t unit = port->spare_unit;

    return port->read_spare != NULL && port->erase_spare != NULL && port->write_spare != NULL && unit != 0 &&
           (unit & (unit - 1)) == 0 && port->page_size % mark_len(port) == 0 && port->spare_sector != 0 &&
           port->spare_sector % port->page_size == 0 && port->journal_size / 2 % port->spare_sector == 0 &&
           port->journal_size <= port->spare_size && port->interval != 0 && port->interval % port->page_size == 0 &&
           (port->sector_size == 0 || port->interval % port->sector_size == 0);
}

/* Passes an error on; else makes what was written durable. */
static kerf_err flush(const struct kerf_port *port, kerf_err err)
{
    return err == KERF_OK && port->flush_new != NULL ? port->flush_new(port->ctx) : err;
}

static kerf_err more(kerf_err err)
{
    return err == KERF_OK ? KERF_MORE_WORK : err;
}

kerf_err kerf_journal_begin(struct kerf_patcher *p, const struct kerf_port *port)
{
    p->half ^= 1u;
    p->hashed = 0;
    p->erased_end = 0;
    p->save_left = port->interval;
    p->stage = STAGE_SAVE;
    return more(flush(port, KERF_OK)); /* what the checkpoint says is written must be */
}

kerf_err kerf_journal_first(struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = port->erase_spare(port->ctx, half_pos(port, p->half));

    return err == KERF_OK ? kerf_journal_begin(p, port) : err;
}

/*
 * Programs the mark at p->hashed bytes, and makes it durable. The page buffer is free behind what the decoder wrote beyond the
 * page.
 */
static kerf_err save_mark(struct kerf_patcher *p, const struct kerf_port *port)
{
    uint32_t body = body_of(p, port);
    kerf_pos pos = half_pos(port, p->half);
    uint8_t *mark = page_of(p) + KERF_STEP_OUT;
    struct kerf_sha256_digest digest;
    kerf_err err;

    memset(mark, 0xff, mark_len(port));
    if (p->hashed == body) {
        err = port->hash(port->ctx, KERF_HASH_END, NULL, 0, &digest);
        memcpy(mark, digest.b, KERF_DIGEST_LEN);
    } else {
        err = port->read_spare(port->ctx, pos + body, mark, KERF_DIGEST_LEN); /* as the first */
    }
    if (err == KERF_OK) {
        err = port->write_spare(port->ctx, pos + p->hashed, mark, mark_len(port));
    }
    p->hashed += mark_len(port);
    return more(flush(port, err));
}

/* The checkpoint is there. In place its group is copied next, or copied again. */
static void saved(struct kerf_patcher *p)
{
    p->stage = STAGE_DECODE;
    p->erased_end = p->page_pos;
    if (p->group_len > 0) {
        p->stage = STAGE_COPY;
        p->copied = 0;
        p->page_pos = p->erased_end = (kerf_pos)group_of(p)[0] << p->header.sector_log2;
    } else {
        p->hashed = 0;
    }
}

kerf_err kerf_journal_save(struct kerf_patcher *p, const struct kerf_port *port)
{
    uint32_t body = body_of(p, port);
    uint32_t n = body - (uint32_t)p->hashed;
    kerf_pos pos = half_pos(port, p->half);
    const uint8_t *piece = (uint8_t *)p + p->hashed;
    kerf_err err = KERF_OK;

    if (p->erased_end < body + MARKS * mark_len(port)) {
        err = port->erase_spare(port->ctx, pos + p->erased_end);
        p->erased_end += port->spare_sector;
        return more(err);
    }
    if (p->hashed >= body) {
        err = save_mark(p, port);
        if (!in_place(p) || p->hashed > body + mark_len(port)) {
            saved(p);
        }
        return err;
    }
    n = n < port->page_size ? n : port->page_size;
    if (p->hashed == 0) {
        err = port->hash(port->ctx, KERF_HASH_START, NULL, 0, NULL);
    }
    if (err == KERF_OK) {
        err = port->hash(port->ctx, KERF_HASH_ADD, piece, n, NULL);
    }
    if (err == KERF_OK) {
        err = port->write_spare(port->ctx, pos + p->hashed, piece, n);
    }
    p->hashed += n;
    return more(err);
}

#if KERF_IN_PLACE
kerf_err kerf_journal_commit(struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err;

    p->group_len = 0;
    if (p->hashed == 0) {
        /* Resumed: the third mark may be half programmed. A new checkpoint, in the other half, says the same. */
        return kerf_journal_begin(p, port);
    }
    err = flush(port, KERF_OK);
    if (err == KERF_OK) {
        err = save_mark(p, port);
    }
    saved(p);
    return err;
}
#endif

/*
 * Reads the checkpoint in a half. *marks: how many of its marks are there; 0: there is none of this payload. Nothing that was
 * read is believed before its mark is right, but that the body's length is inside of workspace and journal. Of mark 2 a part is
 * enough: it was begun when mark 1 was complete.
 */
static kerf_err load(struct kerf_patcher *p, uint32_t workspace_len, const struct kerf_port *port,
                     const struct kerf_sha256_digest *payload, unsigned half, unsigned *marks)
{
    kerf_pos pos = half_pos(port, half);
    struct kerf_sha256_digest digest;
    uint8_t *mark = digest.b + KERF_DIGEST_LEN;
    uint32_t body, page;
    kerf_err err = port->read_spare(port->ctx, pos, (uint8_t *)p, sizeof *p);

    *marks = 0;
    if (err != KERF_OK || p->layout != STATE_LAYOUT || p->codec_len > workspace_len ||
        p->header.chunk_size > KERF_CHUNK_MAX ||
        (payload != NULL && memcmp(p->payload.b, payload->b, KERF_DIGEST_LEN) != 0)) {
        return err;
    }
    page = (uint32_t)(page_of(p) - (uint8_t *)p);
    body = body_len(page, port);
    if (page + port->page_size + KERF_STEP_OUT > workspace_len ||
        body + MARKS * mark_len(port) > port->journal_size / 2) {
        return KERF_OK;
    }
    err = port->read_spare(port->ctx, pos, (uint8_t *)p, body);
    if (err == KERF_OK) {
        err = port->hash(port->ctx, KERF_HASH_START, NULL, 0, NULL);
    }
    if (err == KERF_OK) {
        err = port->hash(port->ctx, KERF_HASH_ADD, (uint8_t *)p, body, NULL);
    }
    if (err == KERF_OK) {
        err = port->hash(port->ctx, KERF_HASH_END, NULL, 0, &digest);
    }
    for (pos += body; err == KERF_OK && *marks < MARKS; pos += mark_len(port)) {
        err = port->read_spare(port->ctx, pos, mark, KERF_DIGEST_LEN);
        if (*marks == 1 ? memcmp(mark, mark + 1, KERF_DIGEST_LEN - 1) == 0
                        : memcmp(mark, digest.b, KERF_DIGEST_LEN) != 0) {
            break;
        }
        ++*marks;
    }
    return err;
}

kerf_err kerf_journal_load(struct kerf_patcher *p, uint32_t workspace_len, const struct kerf_port *port,
                           const struct kerf_sha256_digest *payload)
{
    unsigned marks = 0;
    unsigned other_marks;
    unsigned half = 0;
    kerf_pos other_made;
    kerf_err err = load(p, workspace_len, port, payload, 1, &other_marks);
    bool other_settled = p->group_len == 0; /* of the same bytes, the newer one */

    other_made = p->made;
    if (err == KERF_OK) {
        err = load(p, workspace_len, port, payload, 0, &marks);
    }
    if (err == KERF_OK && other_marks > 0 &&
        (marks == 0 || other_made > p->made || (other_made == p->made && other_settled))) {
        half = 1;
        err = load(p, workspace_len, port, payload, 1, &other_marks);
        /* A mark that was cut may read right once, and never again. */
        if (err == KERF_OK && other_marks == 0 && marks != 0) {
            half = 0;
            err = load(p, workspace_len, port, payload, 0, &other_marks);
        }
        marks = other_marks;
    }
    if (err != KERF_OK || marks == 0) {
        return err != KERF_OK ? err : KERF_NONE;
    }
    p->half = (uint8_t)half;
    p->workspace_len = workspace_len;
    p->hashed = 0;
    if (in_place(p)) {
        if (marks == 1) {
            /* Its mark may be half programmed and not read right again: once more, while the older one still counts. */
            p->erased_end = 0;
            p->stage = STAGE_SAVE;
            return KERF_OK;
        }
        if (marks == MARKS && p->group_len > 0) {
            err = kerf_journal_commit(p, port);
            return err == KERF_MORE_WORK ? KERF_OK : err;
        }
    }
    saved(p);
    return KERF_OK;
}

kerf_err kerf_patcher_forget(const struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = flush(port, port->erase_spare(port->ctx, half_pos(port, p->half ^ 1u)));

    if (err == KERF_OK) {
        err = flush(port, port->erase_spare(port->ctx, half_pos(port, p->half)));
    }
    return err;
}

#endif
