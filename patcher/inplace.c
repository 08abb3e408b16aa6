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

    if (h->codec != KERF_CODEC_NATIVE || sector % port->page_size != 0 || sector % port->spare_sector != 0 ||
        (port->sector_size != 0 && sector % port->sector_size != 0)) {
        return KERF_ERR_UNSUPPORTED;
    }
    return h->old_size > port->slot_size || port->spare_size - port->journal_size < (kerf_pos)sector * h->group
               ? KERF_ERR_SPACE
               : KERF_OK;
}

kerf_pos kerf_in_place_scratch(const struct kerf_patcher *p, const struct kerf_port *port, unsigned i)
{
    return port->journal_size + ((kerf_pos)i << p->header.sector_log2);
}

void kerf_in_place_decoded(struct kerf_patcher *p, size_t len)
{
    if (len > 0 && (p->flags & STATE_SECTOR) == 0) {
        p->flags |= STATE_SECTOR;
        p->page_pos = p->erased_end = kerf_codec_new_pos(codec_of(p)) - (kerf_pos)len;
        group_of(p)[p->group_len++] = (uint32_t)(p->page_pos >> p->header.sector_log2);
    }
}

/* Reads up to *n bytes of new, as far as they lie together; says in *n how many these are. All are of one sector. */
static kerf_err read_piece(struct kerf_patcher *p, const struct kerf_port *port, kerf_pos pos, uint8_t *buf, size_t *n)
{
    kerf_pos sector = pos >> p->header.sector_log2;
    kerf_pos in_page = pos - p->page_pos;
    unsigned i = p->group_len;

    while (i > 0 && group_of(p)[i - 1] != sector) {
        i--;
    }
    if (i > 0 && i == p->group_len && (p->flags & STATE_SECTOR) != 0) {
        /* The sector in progress: scratch up to the page, then the page; what is behind nobody wrote yet. */
        if (pos < p->page_pos) {
            *n = p->page_pos - pos < *n ? (size_t)(p->page_pos - pos) : *n;
        } else if (in_page < p->page_len) {
            *n = p->page_len - in_page < *n ? (size_t)(p->page_len - in_page) : *n;
            memcpy(buf, page_of(p) + (size_t)in_page, *n);
            return KERF_OK;
        } else {
            i = 0;
        }
    }
    if (i == 0) {
        return port->read_new(port->ctx, pos, buf, *n);
    }
    pos -= sector << p->header.sector_log2;
    return port->read_spare(port->ctx, kerf_in_place_scratch(p, port, i - 1) + pos, buf, *n);
}

kerf_err kerf_in_place_read(struct kerf_patcher *p, const struct kerf_port *port, kerf_pos pos, uint8_t *buf,
                            size_t len)
{
    kerf_err err = KERF_OK;

    while (err == KERF_OK && len > 0) {
        kerf_pos left = ((kerf_pos)1 << p->header.sector_log2) - (pos & (((kerf_pos)1 << p->header.sector_log2) - 1));
        size_t n = left < len ? (size_t)left : len;

        err = read_piece(p, port, pos, buf, &n);
        pos += (kerf_pos)n;
        buf += n;
        len -= n;
    }
    return err;
}

kerf_err kerf_in_place_copy(struct kerf_patcher *p, const struct kerf_port *port)
{
    unsigned log2 = p->header.sector_log2;
    uint8_t *page = page_of(p);
    kerf_pos start;
    kerf_pos left; /* of the sector */
    kerf_err err;
    size_t n;

    if (p->copied == p->group_len) {
        return kerf_journal_commit(p, port);
    }
    start = (kerf_pos)group_of(p)[p->copied] << log2;
    left = p->header.new_size - start;
    left = left >> log2 != 0 ? (kerf_pos)1 << log2 : left;
    left -= p->page_pos - start;
    if (port->sector_size != 0 && p->page_pos >= p->erased_end) {
        err = port->erase_new(port->ctx, p->erased_end);
        p->erased_end += port->sector_size;
        return err == KERF_OK ? KERF_MORE_WORK : err;
    }
    n = left < port->page_size ? (size_t)left : port->page_size;
    err = port->read_spare(port->ctx, kerf_in_place_scratch(p, port, p->copied) + (p->page_pos - start), page, n);
    if (err == KERF_OK) {
        err = port->write_new(port->ctx, p->page_pos, page, n);
    }
    p->page_pos += (kerf_pos)n;
    if (n == left) {
        p->copied++;
        if (p->copied < p->group_len) {
            p->page_pos = p->erased_end = (kerf_pos)group_of(p)[p->copied] << log2;
        }
    }
    return err == KERF_OK ? KERF_MORE_WORK : err;
}

#endif
