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

void kerf_journal_begin(struct kerf_patcher *p)
{
    p->saves++;
    p->page_pos = half_of(p->port, p->saves);
    p->save_left = p->port->interval;
    p->phase = KERF_PHASE_SAVE;
    kerf_flush(p); /* what the checkpoint says is written must be */
}

void kerf_journal_first(struct kerf_patcher *p)
{
    if (p->err == 0) {
        p->err = KERF_ERROR(p->port->spare.erase(p->port->io.ctx, half_of(p->port, 0)));
    }
    kerf_journal_begin(p);
}

void kerf_journal_mark(struct kerf_patcher *p)
{
    kerf_put(p, true, p->digest.b, p->port->spare_unit);
    kerf_flush(p);
}

void kerf_journal_save(struct kerf_patcher *p)
{
    size_t n = body_of(p->page_at, p->port) - (size_t)p->verified_pos;
    const uint8_t *piece = (uint8_t *)p + STATE_BODY + p->verified_pos;

    if (n > 0) {
        n = n < p->port->page_size ? n : p->port->page_size;
        kerf_sum_add(p, piece, n);
        kerf_put(p, true, piece, n);
        return;
    }
    kerf_sum_end(p, p->digest.b, 0);
    kerf_journal_mark(p);
    kerf_journal_mark(p);
#if KERF_IN_PLACE
    /* Its group is copied next, or copied again. */
    if (p->group_len > 0) {
        p->save_left = (uint32_t)p->page_pos;
        p->phase = KERF_PHASE_COPY;
        return;
    }
#endif
    p->phase = KERF_PHASE_APPLY;
}

/*
 * Reads the checkpoint in a half: its number, 0 if there is none, or after an error. p->page_pos: how many of its marks
 * are there. Nothing that was read is believed before mark 1 is right, but that the body is inside of workspace and
 * journal.
 */
static uint32_t load(struct kerf_patcher *p, unsigned half)
{
    const struct kerf_port *port = p->port;
    kerf_pos pos = half_of(port, half);
    size_t most = port->journal_size / 2;
    uint8_t *body = (uint8_t *)p + STATE_BODY;
    uint8_t mark[KERF_DIGEST_LEN];
    unsigned marks = 0;
    size_t len = p->page_max + port->page_size + KERF_STEP_OUT - STATE_BODY; /* all of the workspace */
    kerf_err err = kerf_read(p, port->read_spare, pos, body, len < most ? len : most);

    len = kerf_journal_end(p->page_at, port);
    if (err != KERF_OK || p->layout != STATE_LAYOUT || p->page_at > p->page_max || len > most) {
        return 0;
    }
    len -= MARKS * port->spare_unit;
    kerf_sum_add(p, body, len);
    kerf_sum_end(p, p->digest.b, 0);
    for (pos += (kerf_pos)len; marks < MARKS; pos += port->spare_unit) {
        err = kerf_read(p, port->read_spare, pos, mark, KERF_DIGEST_LEN);
        if (err != KERF_OK || memcmp(mark, p->digest.b, KERF_DIGEST_LEN) != 0) {
            break;
        }
        marks++;
    }
    p->page_pos = marks;
    return marks > 0 ? p->saves : 0;
}

/* Reads the newest valid checkpoint: is there one? *other: the number of the one in the other half, 0 if there is none. */
static bool load_newest(struct kerf_patcher *p, uint32_t *other)
{
    uint32_t found = 0;
    unsigned tries = 0;

    /* Both, and where the first is newer, that again. A mark that was cut may read right once, and never again. */
    do {
        *other = found;
        found = load(p, tries & 1);
        tries++;
    } while (tries < 2 || (tries < 4 && found < *other));
    return found > 0;
}

kerf_err kerf_patcher_load(struct kerf_patcher *p, size_t workspace_len, const struct kerf_port *port,
                           const struct kerf_patcher_expect *expect)
{
    uint32_t other = 0;
    kerf_err err = kerf_state_open(p, workspace_len, port);

    if (err != KERF_OK) {
        return err;
    }
    if (port->journal_size == 0 || !load_newest(p, &other) ||
        (expect != NULL && expect->chunk0_known &&
         memcmp(p->payload_digest.b, expect->chunk0_digest.b, KERF_DIGEST_LEN) != 0)) {
        return p->err != 0 ? kerf_error(p->err) : KERF_NONE;
    }
    if (p->page_pos == 1 && other > 0) {
        /* Its mark may be half programmed and not read right again: once more, while the older one still counts. */
        p->saves--;
    }
    if (KERF_IN_PLACE && p->page_pos == MARKS) {
        p->group_len = 0;
    }
    /* A newer one, whose mark is half programmed, may be there and read right the next time: it goes first. */
    kerf_journal_begin(p);
    return kerf_error(p->err);
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
