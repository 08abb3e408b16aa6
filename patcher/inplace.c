/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates in place (patcher.h, "In place"): sectors of new are made in scratch, in the order that the payload says. When a group
 * of them is there, a checkpoint is taken; then they are copied to the slot, as often as it takes; then the checkpoint is marked
 * as committed, and only after that scratch is used again.
 */
#include "patcher/state.h"

#include <string.h>

#if KERF_IN_PLACE

#if !KERF_JOURNAL
#error "KERF_IN_PLACE needs KERF_JOURNAL"
#endif

kerf_err kerf_in_place_check(const struct kerf_header *h, const struct kerf_port *port)
{
    uint32_t sector = (uint32_t)1 << h->sector_log2;

    /* A page divides both of the port's sectors. */
    if (h->codec != KERF_CODEC_NATIVE || sector % port->spare_sector != 0 ||
        (port->sector_size != 0 && sector % port->sector_size != 0)) {
        return KERF_ERR_UNSUPPORTED;
    }
    return port->slot_size >> h->sector_log2 < kerf_header_slot(h) ||
                   (port->spare_size - port->journal_size) >> h->sector_log2 < h->scratch
               ? KERF_ERR_SPACE
               : KERF_OK;
}

kerf_err kerf_in_place_copy(struct kerf_patcher *p, const struct kerf_port *port)
{
    unsigned log2 = p->header.sector_log2;
    kerf_pos left = p->header.new_size - ((kerf_pos)group_of(p)[p->copied] << log2); /* to the end of new */

    if (p->page_len > 0) {
        return kerf_write_page(p, port);
    }
    /* Whole where it holds old, and `left` is nothing of the kind. */
    left = ((left - 1) >> log2 != 0 ? (kerf_pos)1 << log2 : left) - p->save_left;
    if (left == 0) {
        p->copied++;
        if (p->copied == p->group_len) {
            return kerf_journal_commit(p, port);
        }
        kerf_in_place_begin(p, port, p->copied);
        return KERF_OK;
    }
    left = left < port->page_size ? left : port->page_size;
    p->page_len = (size_t)left;
    p->save_left += (uint32_t)left;
    return port->read_spare(port->ctx, scratch_of(p, port, p->copied) + p->save_left - left, page_of(p), (size_t)left);
}

#endif
