/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/state.h"

#include <string.h>

/* Page_size divides sector_size: a page never reaches over the end of what is erased. */
kerf_err kerf_write_page(struct kerf_patcher *p, const struct kerf_port *port)
{
    size_t n = p->page_len < port->page_size ? p->page_len : port->page_size;
    uint8_t *page = page_of(p);

#if KERF_IN_PLACE
    if (in_place(p) && (p->flags & STATE_SECTOR) == 0) {
        kerf_pos pos = kerf_codec_new_pos(codec_of(p)) - (kerf_pos)p->page_len;

        group_of(p)[p->group_len] = (uint32_t)(pos >> p->header.sector_log2);
        kerf_in_place_begin(p, port, p->group_len++);
    }
#endif
    if ((p->flags & STATE_DRY_RUN) == 0) {
        bool spare = KERF_IN_PLACE && (p->flags & STATE_SPARE) != 0;
        uint32_t sector = spare ? port->spare_sector : port->sector_size;
        kerf_err err;

        if (sector != 0 && p->page_pos >= p->erased_end) {
            kerf_pos pos = p->erased_end;

            p->erased_end += sector;
            return (spare ? port->erase_spare : port->erase_new)(port->ctx, pos);
        }
        err = (spare ? port->write_spare : port->write_new)(port->ctx, p->page_pos, page, n);
        if (err != KERF_OK) {
            return err;
        }
    }
    p->page_pos += (kerf_pos)n;
    p->page_len -= n;
    memmove(page, page + n, p->page_len);
    if (in_place(p)) {
        if (p->page_len == 0 && (p->flags & STATE_COMPLETE) != 0) {
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
