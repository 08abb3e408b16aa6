/* SPDX-License-Identifier: Apache-2.0 */
/* Which sectors of new are produced next in the payload for one slot, and where old is meanwhile (docs/FORMAT.md, "In place"). */
#include "common/run.h"

#if KERF_IN_PLACE

/*
 * The run of sectors, start .. start + len - 1, that is produced next: below the last one and as long, or whatever is
 * said. At the beginning the last one lies, as it were, above new, and is as long as new. Of old in the sector where
 * new ends nothing is sure once that is produced.
 */
void kerf_run_sectors(struct kerf_run *run, uint32_t start, uint32_t len)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned log2 = run->h->sector_log2;
    kerf_pos sectors = ((run->h->new_size - 1) >> log2) + 1;
    kerf_pos most = sectors;
    kerf_pos end = c->run_start;
    kerf_pos n = c->run_len < end ? c->run_len : end;

    if (c->new_pos == run->h->new_size && c->new_pos < c->old_there) {
        c->old_there = c->new_pos;
    }
    c->keeping = run->h->moves_cap > 0 && kerf_model_bit(&run->k, &run->t.counters[KERF_SYM_RUN + 2], len == 0) != 0;
    if (c->keeping) {
        n = 1;
        end = kerf_run_number(run, KERF_NUM_DISTANCE, start) + 1;
        most = kerf_header_sectors(run->h);
    } else if (kerf_model_bit(&run->k, &run->t.counters[KERF_SYM_RUN], start + len != end || len != n)) {
        n = kerf_run_number(run, KERF_NUM_DISTANCE, len - 1u) + 1;
        if (kerf_model_bit(&run->k, &run->t.counters[KERF_SYM_RUN + 1], start + len != end)) {
            end = kerf_run_number(run, KERF_NUM_DISTANCE, start + len);
        }
    }
    if (n - 1 >= c->sectors_left || n > end || end > most) {
        kerf_run_fail(run, KERF_ERROR(KERF_ERR_CORRUPT));
        return;
    }
    c->sectors_left -= (uint32_t)n;
    c->new_pos = (end - n) << log2;
    c->new_end = end == sectors ? run->h->new_size : end << log2;
    c->window_len = 0;
    c->copying = 1;
    run->out_pos = c->new_pos;
    if (!c->keeping) {
        c->run_len = (uint32_t)n;
        c->run_start = (uint32_t)(end - n);
    }
}

void kerf_run_move(struct kerf_run *run, kerf_pos old_pos, kerf_pos len)
{
    struct kerf_codec *c = KERF_STATE(run);
    kerf_shift jump = kerf_run_shift(run, old_pos - c->old_end);
    kerf_pos from = kerf_run_addr(run, c->old_end +
                                           kerf_run_unfold(kerf_run_number(run, KERF_NUM_JUMP, kerf_run_fold(jump))));

    kerf_run_span(run, KERF_NUM_LEN_OLD, 1, 1, len);
    if (c->moves_len == run->h->moves_cap ||
        (KERF_STRICT && (from >= run->h->old_size || c->left > run->h->old_size - from))) {
        kerf_run_fail(run, KERF_ERROR(KERF_ERR_CORRUPT));
        c->left = 0;
        return;
    }
    c->src_pos = from;
    c->seg_start = from;
    c->old_end = from + c->left;
}

unsigned kerf_run_keep(struct kerf_run *run, uint8_t *out)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned n = c->left < KERF_STEP_OUT ? (unsigned)c->left : KERF_STEP_OUT;

    if (!c->copying) {
        kerf_run_fail(run, (unsigned)run->io->read_old(run->io->ctx, c->new_pos, out, n));
    } else {
        kerf_run_read_old(run, c->src_pos, out, n);
        c->src_pos += n;
    }
    c->new_pos += n;
    c->left -= n;
    if (c->copying && c->left == 0) {
        struct kerf_move_entry *m = &run->t.moves[c->moves_len];

        m->old_pos = (uint32_t)c->seg_start;
        m->len = (uint32_t)(c->src_pos - c->seg_start);
        m->pos = (uint32_t)c->new_pos - m->len;
        c->moves_len++;
    }
    return n;
}
#else
/* A file must declare something. */
extern int kerf_in_place_is_left_out;
#endif
