/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates in place (patcher.h, "In place"): sectors of new are made in scratch, in the order that the payload says.
 * When a group of them is there, a checkpoint is taken; then they are copied to the slot, as often as it takes; then
 * the checkpoint is marked as committed, and only after that scratch is used again. Sectors that are numbered behind
 * the slot's are in the spare area, behind the group's scratch.
 */
#include "patcher/state.h"

#if KERF_IN_PLACE

#if !KERF_JOURNAL
#error "KERF_IN_PLACE needs KERF_JOURNAL"
#endif

uint8_t kerf_in_place_check(const struct kerf_header *h, const struct kerf_port *port)
{
    /* Powers of 2 that are no larger divide the delta's sector; and a page divides them. */
    if (h->codec != KERF_CODEC_NATIVE || (port->slot.sector_size | port->spare.sector_size) >> h->sector_log2 > 1) {
        return KERF_ERROR(KERF_ERR_UNSUPPORTED);
    }
    return port->slot_size >> h->sector_log2 < kerf_header_slot(h) ||
                   (port->spare_size - port->journal_size) >> h->sector_log2 < h->scratch
               ? KERF_ERROR(KERF_ERR_SPACE)
               : 0;
}

kerf_pos kerf_in_place_scratch(const struct kerf_patcher *p, unsigned i, kerf_pos pos)
{
    unsigned log2 = p->header.sector_log2;

    return p->port->journal_size + ((kerf_pos)i << log2) + (pos & (((kerf_pos)1 << log2) - 1));
}

/* What is at *pos of the slot, or, numbered behind that, in the spare area: says where there, and that it is there. */
__attribute__((noinline)) static bool in_spare(const struct kerf_patcher *p, kerf_pos *pos)
{
    kerf_pos end = (kerf_pos)kerf_header_slot(&p->header) << p->header.sector_log2;

    if (*pos < end) {
        return false;
    }
    *pos = *pos - end + kerf_in_place_scratch(p, p->header.group, 0);
    return true;
}

static kerf_err read_from(struct kerf_patcher *p, bool spare, kerf_pos pos, uint8_t *buf, size_t len)
{
    return kerf_read(p, spare ? p->port->read_spare : p->port->io.read_new, pos, buf, len);
}

kerf_err kerf_in_place_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    bool spare = in_spare(ctx, &pos);

    return read_from(ctx, spare, pos, buf, len);
}

kerf_err kerf_in_place_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct kerf_patcher *p = ctx;
    uint32_t sector = (uint32_t)(pos >> p->header.sector_log2);
    uint32_t *group = group_of(p);
    unsigned i = p->group_len;

    /* The last is the one in progress. */
    group[i] = (uint32_t)(kerf_codec_new_pos(codec_of(p)) >> p->header.sector_log2);
    do {
        if (group[i] == sector) {
            return read_from(p, true, kerf_in_place_scratch(p, i, pos), buf, len);
        }
    } while (i-- > 0);
    return read_from(p, false, pos, buf, len);
}

void kerf_in_place_copy(struct kerf_patcher *p)
{
    unsigned log2 = p->header.sector_log2;
    kerf_pos from = p->verified_pos;
    uint8_t *page = page_of(p);
    size_t n = p->port->page_size;

    (void)read_from(p, true, p->port->journal_size + from, page, n);
    p->page_pos = ((kerf_pos)group_of(p)[from >> log2] << log2) + (from & (((kerf_pos)1 << log2) - 1));
    bool spare = in_spare(p, &p->page_pos);

    kerf_put(p, spare, page, n);
    p->verified_pos = from + (kerf_pos)n;
    if (p->verified_pos >> log2 != p->group_len) {
        return;
    }
    p->verified_pos = 0;
    p->group_len = 0;
    p->page_pos = p->save_left;
    p->phase = KERF_PHASE_APPLY;
    kerf_flush(p);
    kerf_journal_mark(p);
}

#else
/* A file must declare something. */
extern int kerf_in_place_is_left_out_of_the_patcher;
#endif
