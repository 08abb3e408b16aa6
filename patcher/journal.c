/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: patcher.h, "Power cuts", says what lies where. */
#include "patcher/state.h"

#include <string.h>

#if KERF_JOURNAL

#define MARKS 3u /* behind a body, each spare_unit bytes */

/* Bytes of a body, in whole units: the workspace to what the decoder wrote beyond the page. */
static uint32_t body_of(size_t page_at, const struct kerf_port *port)
{
    return ((uint32_t)page_at + KERF_STEP_OUT + port->spare_unit - 1) & -port->spare_unit;
}

/* The same with its marks. */
static uint32_t end_of(size_t page_at, const struct kerf_port *port)
{
    return body_of(page_at, port) + MARKS * port->spare_unit;
}

/* Where the half with checkpoint number `save` begins. */
static kerf_pos half_of(const struct kerf_port *port, unsigned save)
{
    return (save & 1u) * (port->journal_size / 2);
}

size_t kerf_patcher_journal(const struct kerf_header *header, const struct kerf_port *port)
{
    size_t page_at = kerf_patcher_workspace(header, port) - port->page_size - KERF_STEP_OUT;

    return (size_t)2 * ((end_of(page_at, port) + port->spare_sector - 1) / port->spare_sector * port->spare_sector);
}

kerf_err kerf_journal_begin(struct kerf_patcher *p, const struct kerf_port *port)
{
    p->saves++;
    p->erased_end = 0;
    p->save_left = port->interval;
    (void)enter(p, KERF_PHASE_SAVE);
    return kerf_port_flush(port); /* what the checkpoint says is written must be */
}

kerf_err kerf_journal_first(struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = port->erase_spare(port->ctx, half_of(port, 0));

    return err == KERF_OK ? kerf_journal_begin(p, port) : err;
}

/* The checkpoint is there. In place its group is copied next, or copied again. */
static void saved(struct kerf_patcher *p, const struct kerf_port *port)
{
    p->status.phase = KERF_PHASE_APPLY;
    p->erased_end = p->page_pos;
#if KERF_IN_PLACE
    p->flags &= ~STATE_SECTOR;
    if (p->group_len > 0) {
        p->status.phase = KERF_PHASE_COPY;
        p->copied = 0;
        kerf_in_place_begin(p, port, 0);
        return;
    }
#else
    (void)port;
#endif
    p->status.verified_pos = 0;
}

static kerf_err write_mark(const struct kerf_port *port, kerf_pos pos, const uint8_t *mark)
{
    kerf_err err = port->write_spare(port->ctx, pos, mark, port->spare_unit);

    return err == KERF_OK ? kerf_port_flush(port) : err;
}

kerf_err kerf_journal_save(struct kerf_patcher *p, const struct kerf_port *port)
{
    uint32_t done = (uint32_t)p->status.verified_pos;
    uint32_t body = body_of(p->page_at, port);
    uint32_t n = body - done;
    kerf_pos pos = half_of(port, p->saves);
    const uint8_t *piece = (uint8_t *)p + done;
    uint8_t *mark = page_of(p) + KERF_STEP_OUT; /* behind what the decoder wrote beyond the page, it is free */
    struct kerf_sha256_digest digest;
    kerf_err err;

    if (p->erased_end < end_of(p->page_at, port)) {
        pos += p->erased_end;
        p->erased_end += port->spare_sector;
        return port->erase_spare(port->ctx, pos);
    }
    if (n > 0) {
        n = n < port->page_size ? n : port->page_size;
        err = port->write_spare(port->ctx, pos + done, piece, n);
        return err == KERF_OK ? kerf_sum_add(p, port, piece, n) : err; /* now the count changes, which is in the body */
    }
    err = kerf_sum_end(port, &digest);
    kerf_digest_copy(mark, digest.b);
    if (err == KERF_OK) {
        err = write_mark(port, pos + body, mark);
    }
    if (err == KERF_OK) {
        err = write_mark(port, pos + body + port->spare_unit, mark);
    }
    saved(p, port);
    return err;
}

#if KERF_IN_PLACE
kerf_err kerf_journal_commit(struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = kerf_port_flush(port);

    p->group_len = 0;
    if (err == KERF_OK) {
        err = write_mark(port, half_of(port, p->saves) + body_of(p->page_at, port) + 2 * port->spare_unit,
                         p->status.payload_digest.b);
    }
    saved(p, port);
    return err;
}
#endif

/*
 * Reads the checkpoint in a half: its number, 0 if there is none, or an error. p->copied: how many of its marks are there.
 * `page_max`: where a page may be in this workspace. Nothing that was read is believed before mark 1 is right, but that the
 * body is inside of workspace and journal.
 */
static int load(struct kerf_patcher *p, size_t page_max, const struct kerf_port *port, unsigned half)
{
    kerf_pos pos = half_of(port, half);
    struct kerf_sha256_digest digest;
    uint8_t mark[KERF_DIGEST_LEN];
    unsigned marks = 0;
    uint32_t body;
    kerf_err err = port->read_spare(port->ctx, pos, (uint8_t *)p, sizeof *p);

    if (err != KERF_OK) {
        return err;
    }
    if (p->layout != STATE_LAYOUT || p->page_at > page_max || end_of(p->page_at, port) > port->journal_size / 2) {
        return 0;
    }
    body = body_of(p->page_at, port);
    err = port->read_spare(port->ctx, pos, (uint8_t *)p, body);
    p->status.verified_pos = 0; /* as it is in every body */
    if (err == KERF_OK) {
        err = kerf_sum_add(p, port, (uint8_t *)p, body);
    }
    p->status.verified_pos = 0;
    if (err == KERF_OK) {
        err = kerf_sum_end(port, &digest);
    }
    for (pos += body; err == KERF_OK && marks < MARKS; pos += port->spare_unit) {
        err = port->read_spare(port->ctx, pos, mark, KERF_DIGEST_LEN);
        if (memcmp(mark, marks < 2 ? digest.b : p->status.payload_digest.b, KERF_DIGEST_LEN) != 0) {
            break;
        }
        marks++;
    }
    p->copied = marks;
    return err != KERF_OK ? err : marks > 0 ? (int)p->saves : 0;
}

/* Reads the newest valid checkpoint. *other: the number of the one in the other half, 0 if there is none. */
static kerf_err load_newest(struct kerf_patcher *p, size_t page_max, const struct kerf_port *port, int *other)
{
    int found = 0;
    unsigned tries = 0;

    /* Both, and where the first is newer, that again. A mark that was cut may read right once, and never again. */
    do {
        *other = found;
        found = load(p, page_max, port, tries & 1);
        if (found < 0) {
            return (kerf_err)found;
        }
        tries++;
    } while (tries < 2 || (tries < 4 && found < *other));
    return found > 0 ? KERF_OK : KERF_NONE;
}

kerf_err kerf_patcher_resume(void *workspace, size_t workspace_len, const struct kerf_port *port,
                             const struct kerf_patcher_expect *expect, struct kerf_patcher **patcher)
{
    struct kerf_patcher *p = workspace;
    int other = 0;
    kerf_err err = KERF_NONE;

    if (workspace_len < kerf_patcher_workspace_min(port)) {
        return KERF_ERR_RAM;
    }
    if (port->journal_size > 0) {
        err = load_newest(p, workspace_len - port->page_size - KERF_STEP_OUT, port, &other);
    }
    if (err == KERF_OK && expect != NULL && expect->chunk0_known &&
        memcmp(p->status.payload_digest.b, expect->chunk0_digest.b, KERF_DIGEST_LEN) != 0) {
        err = KERF_NONE;
    }
    if (err != KERF_OK) {
        return err;
    }
    *patcher = p;
    if (p->copied == 1 && other > 0) {
        /* Its mark may be half programmed and not read right again: once more, while the older one still counts. */
        p->erased_end = 0;
        return KERF_OK;
    }
    if (KERF_IN_PLACE && p->copied == MARKS) {
        p->group_len = 0;
    }
    /* A newer one, whose mark is half programmed, may be there and read right the next time: it goes first. */
    return kerf_journal_begin(p, port);
}

kerf_err kerf_patcher_forget(const struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = KERF_OK;

    for (unsigned i = 1; err == KERF_OK && i <= 2; i++) {
        err = port->erase_spare(port->ctx, half_of(port, p->saves + i));
        if (err == KERF_OK) {
            err = kerf_port_flush(port);
        }
    }
    return err;
}

#endif
