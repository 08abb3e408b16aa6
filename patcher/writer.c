/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/state.h"

#include <string.h>

kerf_err kerf_writer_step(struct kerf_patcher *p, const struct kerf_port *port)
{
    uint32_t n = p->page_len < port->page_size ? p->page_len : port->page_size;
    uint8_t *page = page_of(p);

    if ((p->flags & STATE_DRY_RUN) == 0) {
        kerf_err err;

        /* page_size divides sector_size: a page never reaches over the end of what is erased. */
        if (port->sector_size != 0 && p->page_pos >= p->erased_end) {
            err = port->erase_new(port->ctx, p->erased_end);
            p->erased_end += port->sector_size;
            return err == KERF_OK ? KERF_MORE_WORK : err;
        }
        err = port->write_new(port->ctx, p->page_pos, page, n);
        if (err != KERF_OK) {
            return err;
        }
    }
    p->page_pos += n;
    p->page_len -= n;
    memmove(page, page + n, p->page_len);
    if (kerf_journal_on(p, port)) {
        p->save_left -= n;
        /* The interval is whole sectors: what was written ends where they do, and nothing behind it is erased. */
        if (p->save_left == 0) {
            return kerf_journal_begin(p, port);
        }
    }
    return KERF_MORE_WORK;
}
