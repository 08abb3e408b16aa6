/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: patcher.h, "Power cuts", says what lies where. */
#include "patcher/state.h"

#include <string.h>

#if KERF_JOURNAL

#define MARKS 3u /* behind a body, each spare_unit bytes */

/* Bytes of a body, in whole units: the state from the header on to what the decoder wrote beyond the page. */
static uint32_t body_of(size_t page_at, const struct kerf_port *port)
{
    return (uint32_t)(page_at + KERF_STEP_OUT - STATE_BODY + port->spare_unit - 1) & -port->spare_unit;
}

uint32_t kerf_journal_end(size_t page_at, const struct kerf_port *port)
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
    uint32_t sector = port->spare.sector_size;

    return (size_t)2 * ((kerf_journal_end(page_at, port) + sector - 1) / sector * sector);
}

kerf_err kerf_journal_begin(struct kerf_patcher *p)
{
    p->saves++;
    p->page_pos = half_of(p->port, p->saves);
    p->save_left = p->port->interval;
    (void)enter(p, KERF_PHASE_SAVE);
    return kerf_port_flush(p->port); /* what the checkpoint says is written must be */
}

kerf_err kerf_journal_first(struct kerf_patcher *p)
{
    kerf_err err = p->port->spare.erase(p->port->io.ctx, half_of(p->port, 0));

    return err == KERF_OK ? kerf_journal_begin(p) : err;
}

kerf_err kerf_journal_mark(struct kerf_patcher *p)
{
    kerf_err err = kerf_put(p, true, p->digest.b, p->port->spare_unit);

    return err == KERF_OK ? kerf_port_flush(p->port) : err;
}

kerf_err kerf_journal_save(struct kerf_patcher *p)
{
    size_t n = body_of(p->page_at, p->port) - (size_t)p->verified_pos;
    const uint8_t *piece = (uint8_t *)p + STATE_BODY + p->verified_pos;
    kerf_err err;

    if (n > 0) {
        n = n < p->port->page_size ? n : p->port->page_size;
        err = kerf_sum_add(p, piece, n);
        return err == KERF_OK ? kerf_put(p, true, piece, n) : err;
    }
    err = kerf_sum_end(p, p->digest.b, KERF_OK);
    for (unsigned i = 0; i < 2 && err == KERF_OK; i++) {
        err = kerf_journal_mark(p);
    }
#if KERF_IN_PLACE
    /* Its group is copied next, or copied again. */
    if (p->group_len > 0) {
        p->save_left = (uint32_t)p->page_pos;
        p->phase = KERF_PHASE_COPY;
        return err;
    }
#endif
    p->phase = KERF_PHASE_APPLY;
    return err;
}

/*
 * Reads the checkpoint in a half: its number, 0 if there is none, or an error. p->page_pos: how many of its marks are
 * there. Nothing that was read is believed before mark 1 is right, but that the body is inside of workspace and
 * journal.
 */
static int load(struct kerf_patcher *p, unsigned half)
{
    const struct kerf_port *port = p->port;
    kerf_pos pos = half_of(port, half);
    size_t most = port->journal_size / 2;
    uint8_t *body = (uint8_t *)p + STATE_BODY;
    uint8_t mark[KERF_DIGEST_LEN];
    unsigned marks = 0;
    size_t len = p->page_max + port->page_size + KERF_STEP_OUT - STATE_BODY; /* all of the workspace */
    kerf_err err = port->read_spare(port->io.ctx, pos, body, len < most ? len : most);

    if (err != KERF_OK) {
        return err;
    }
    len = kerf_journal_end(p->page_at, port);
    if (p->layout != STATE_LAYOUT || p->page_at > p->page_max || len > most) {
        return 0;
    }
    len -= MARKS * port->spare_unit;
    err = kerf_sum_add(p, body, len);
    if (err == KERF_OK) {
        err = kerf_sum_end(p, p->digest.b, KERF_OK);
    }
    for (pos += (kerf_pos)len; err == KERF_OK && marks < MARKS; pos += port->spare_unit) {
        err = port->read_spare(port->io.ctx, pos, mark, KERF_DIGEST_LEN);
        if (memcmp(mark, p->digest.b, KERF_DIGEST_LEN) != 0) {
            break;
        }
        marks++;
    }
    p->page_pos = marks;
    return err != KERF_OK ? err : marks > 0 ? (int)p->saves : 0;
}

/* Reads the newest valid checkpoint. *other: the number of the one in the other half, 0 if there is none. */
static kerf_err load_newest(struct kerf_patcher *p, int *other)
{
    int found = 0;
    unsigned tries = 0;

    /* Both, and where the first is newer, that again. A mark that was cut may read right once, and never again. */
    do {
        *other = found;
        found = load(p, tries & 1);
        if (found < 0) {
            return (kerf_err)found;
        }
        tries++;
    } while (tries < 2 || (tries < 4 && found < *other));
    return found > 0 ? KERF_OK : KERF_NONE;
}

kerf_err kerf_patcher_load(struct kerf_patcher *p, size_t workspace_len, const struct kerf_port *port,
                           const struct kerf_patcher_expect *expect)
{
    int other = 0;
    kerf_err err = kerf_state_open(p, workspace_len, port);

    if (err != KERF_OK) {
        return err;
    }
    err = port->journal_size > 0 ? load_newest(p, &other) : KERF_NONE;
    if (err != KERF_OK) {
        return err;
    }
    if (expect != NULL && expect->chunk0_known &&
        memcmp(p->payload_digest.b, expect->chunk0_digest.b, KERF_DIGEST_LEN) != 0) {
        return KERF_NONE;
    }
    if (p->page_pos == 1 && other > 0) {
        /* Its mark may be half programmed and not read right again: once more, while the older one still counts. */
        p->saves--;
    }
    if (KERF_IN_PLACE && p->page_pos == MARKS) {
        p->group_len = 0;
    }
    /* A newer one, whose mark is half programmed, may be there and read right the next time: it goes first. */
    return kerf_journal_begin(p);
}

kerf_err kerf_patcher_forget(const struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = KERF_OK;

    for (unsigned i = 1; err == KERF_OK && i <= 2; i++) {
        err = port->spare.erase(port->io.ctx, half_of(port, p->saves + i));
        if (err == KERF_OK) {
            err = kerf_port_flush(port);
        }
    }
    return err;
}

#endif
