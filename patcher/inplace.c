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

kerf_err kerf_in_place_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_port *port = ((struct kerf_in_place *)ctx)->port;
    kerf_pos spare_pos = spare_of(((struct kerf_in_place *)ctx)->p, port, pos);

    return spare_pos > 0 ? port->read_spare(port->ctx, spare_pos, buf, len) : port->read_new(port->ctx, pos, buf, len);
}

kerf_err kerf_in_place_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct kerf_patcher *p = ((struct kerf_in_place *)ctx)->p;
    const struct kerf_port *port = ((struct kerf_in_place *)ctx)->port;
    const kerf_pos size = (kerf_pos)1 << p->header.sector_log2;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && len > 0) {
        kerf_pos offset = pos & (size - 1);
        size_t n = size - offset < len ? (size_t)(size - offset) : len;
        unsigned i = p->group_len;

        while (i > 0 && group_of(p)[i - 1] != pos >> p->header.sector_log2) {
            i--;
        }
        err = i == 0 ? port->read_new(port->ctx, pos, buf, n)
                     : port->read_spare(port->ctx, scratch_of(p, port, i - 1) + offset, buf, n);
        pos += (kerf_pos)n;
        buf += n;
        len -= n;
    }
    return err;
}

kerf_err kerf_in_place_copy(struct kerf_patcher *p, const struct kerf_port *port)
{
    unsigned log2 = p->header.sector_log2;
    kerf_pos start = (kerf_pos)group_of(p)[p->copied] << log2;
    kerf_pos end = p->header.new_size - start;
    kerf_pos left; /* of the sector */

    if (p->page_len > 0) {
        return kerf_write_page(p, port);
    }
    end = (end - 1) >> log2 != 0 ? start + ((kerf_pos)1 << log2) : p->header.new_size; /* whole where it holds old */
    left = end - p->page_pos;
    if (left == 0) {
        p->copied++;
        if (p->copied == p->group_len) {
            return kerf_journal_commit(p, port);
        }
        p->page_pos = p->erased_end = (kerf_pos)group_of(p)[p->copied] << log2;
        return KERF_OK;
    }
    p->page_len = left < port->page_size ? (uint32_t)left : port->page_size;
    return port->read_spare(port->ctx, scratch_of(p, port, p->copied) + (p->page_pos - start), page_of(p), p->page_len);
}

#endif
