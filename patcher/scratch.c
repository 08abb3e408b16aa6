/* SPDX-License-Identifier: Apache-2.0 */
/* In place: where sectors are, in the slot, in scratch, or kept in the rest of it. */
#include "patcher/state.h"

#if KERF_IN_PLACE
/* Where in the spare area what is at `pos` lies, in a sector that is numbered behind the slot's; 0: it is in the slot. */
__attribute__((noinline)) static kerf_pos spare_of(const struct kerf_patcher *p, const struct kerf_port *port,
                                                   kerf_pos pos)
{
    kerf_pos end = (kerf_pos)kerf_header_slot(&p->header) << p->header.sector_log2;

    return pos < end ? 0 : pos - end + scratch_of(p, port, p->header.group);
}

/* Reads what is in the spare area at `spare_pos`, or in the slot at `pos` where that is 0. */
static kerf_err read_from(const struct kerf_port *port, kerf_pos spare_pos, kerf_pos pos, uint8_t *buf, size_t len)
{
    return spare_pos > 0 ? port->read_spare(port->ctx, spare_pos, buf, len) : port->read_new(port->ctx, pos, buf, len);
}

kerf_err kerf_in_place_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_in_place *s = ctx;

    return read_from(s->port, spare_of(s->p, s->port, pos), pos, buf, len);
}

kerf_err kerf_in_place_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_in_place *s = ctx;
    unsigned log2 = s->p->header.sector_log2;
    kerf_pos spare_pos = 0;

    for (unsigned i = 0; i < s->p->group_len; i++) {
        if (group_of(s->p)[i] == pos >> log2) {
            spare_pos = scratch_of(s->p, s->port, i) + (pos & (((kerf_pos)1 << log2) - 1));
        }
    }
    return read_from(s->port, spare_pos, pos, buf, len);
}

void kerf_in_place_begin(struct kerf_patcher *p, const struct kerf_port *port, unsigned i)
{
    kerf_pos pos = (kerf_pos)group_of(p)[i] << p->header.sector_log2;
    kerf_pos spare_pos = p->status.phase == KERF_PHASE_COPY ? spare_of(p, port, pos) : scratch_of(p, port, i);

    p->flags = (p->flags & ~STATE_SPARE) | STATE_SECTOR | (spare_pos > 0 ? STATE_SPARE : 0);
    p->page_pos = p->erased_end = spare_pos > 0 ? spare_pos : pos;
    p->save_left = 0;
}
#else
/* A file must declare something. */
extern int kerf_scratch_is_left_out;
#endif
