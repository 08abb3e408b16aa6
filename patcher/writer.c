/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/state.h"

#include <string.h>

/* Page_size divides sector_size: a page never reaches over the end of what is erased. */
kerf_err kerf_write_page(struct kerf_patcher *p, const struct kerf_port *port)
{
    size_t n = p->page_len < port->page_size ? p->page_len : port->page_size;
    uint8_t *page = page_of(p);
    bool copying = KERF_IN_PLACE && p->status.phase == KERF_PHASE_COPY;
    kerf_pos shift = 0; /* from positions in new to those in scratch */
    uint32_t sector = port->sector_size;
    kerf_err (*erase)(void *, kerf_pos) = port->erase_new;
    kerf_err (*write)(void *, kerf_pos, const uint8_t *, size_t) = port->write_new;

    if (in_place(p)) {
        if (!copying && (p->flags & STATE_SECTOR) == 0) {
            p->flags |= STATE_SECTOR;
            p->page_pos = p->erased_end = kerf_codec_new_pos(codec_of(p)) - (kerf_pos)p->page_len;
            group_of(p)[p->group_len++] = (uint32_t)(p->page_pos >> p->header.sector_log2);
        }
        unsigned i = copying ? p->copied : p->group_len - 1u;
        kerf_pos start = (kerf_pos)group_of(p)[i] << p->header.sector_log2;
        kerf_pos spare_pos = copying ? spare_of(p, port, start) : scratch_of(p, port, i);

        if (spare_pos > 0) {
            shift = spare_pos - start;
            sector = port->spare_sector;
            erase = port->erase_spare;
            write = port->write_spare;
        }
    }
    if ((p->flags & STATE_DRY_RUN) == 0) {
        kerf_err err;

        if (sector != 0 && p->page_pos >= p->erased_end) {
            shift += p->erased_end;
            p->erased_end += sector;
            return erase(port->ctx, shift);
        }
        err = write(port->ctx, p->page_pos + shift, page, n);
        if (err != KERF_OK) {
            return err;
        }
    }
    p->page_pos += (kerf_pos)n;
    p->page_len -= n;
    memmove(page, page + n, p->page_len);
    if (in_place(p)) {
        if (!copying && p->page_len == 0 && (p->flags & STATE_COMPLETE) != 0) {
            p->flags &= ~(STATE_COMPLETE | STATE_SECTOR);
            if (p->group_len == p->header.group || (p->flags & STATE_DECODED) != 0) {
                return kerf_journal_begin(p, port);
            }
        }
    } else if (journaled(p)) {
        p->save_left -= (uint32_t)n;
        /* The interval is whole sectors: what was written ends where they do, and nothing behind it is erased. */
        if (p->save_left == 0) {
            return kerf_journal_begin(p, port);
        }
    }
    return KERF_OK;
}
