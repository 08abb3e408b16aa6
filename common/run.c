/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of old, and of new as far as it is there. */
#include "common/run.h"

#include <string.h>

void kerf_run_fail(struct kerf_run *run, unsigned error)
{
    if (run->err == 0) {
        run->err = KERF_ERROR(error);
    }
}

void kerf_run_read_old(struct kerf_run *run, kerf_pos pos, uint8_t *buf, size_t len)
{
    kerf_pos end = pos + (kerf_pos)len;
    kerf_pos from = pos;
    kerf_pos at = pos;
#if KERF_IN_PLACE
    const struct kerf_codec *c = KERF_STATE(run);
    const struct kerf_move_entry *m = run->t.moves;
    unsigned left = c->moves_len;
    kerf_pos to = c->old_there;
#else
    unsigned left = 0;
    kerf_pos to = run->h->old_size;
#endif

    /* First all of old as if nothing had moved, then each stretch that did: the newest counts. */
    memset(buf, 0, len);
    for (;;) {
        to = to < end ? to : end;
        if (from < to) {
            kerf_run_fail(run, (unsigned)run->io->read_old(run->io->ctx, at, buf + (from - pos), (size_t)(to - from)));
        }
        if (left-- == 0) {
            return;
        }
#if KERF_IN_PLACE
        from = m->old_pos > pos ? m->old_pos : pos;
        to = (kerf_pos)m->old_pos + m->len;
        at = m->pos + (from - m->old_pos);
        m++;
#endif
    }
}

const uint8_t *kerf_run_view_anew(struct kerf_run *run)
{
    struct kerf_codec *c = KERF_STATE(run);
    kerf_pos pos = c->src_pos;

    if (pos - c->window_pos >= c->window_len) {
        c->window_pos = pos;
        c->window_len = KERF_CODEC_WINDOW - KERF_ISA_VIEW_LEN + 1;
        kerf_run_read_old(run, pos, c->window, KERF_CODEC_WINDOW);
    }
    return run->view = c->window + (size_t)(pos - c->window_pos);
}

uint8_t kerf_run_byte(struct kerf_run *run, unsigned from, kerf_pos pos)
{
    const struct kerf_codec *c = KERF_STATE(run);
    kerf_pos start = KERF_IN_PLACE ? (kerf_pos)c->run_start << run->h->sector_log2 : 0;
    uint8_t byte = 0;

    pos = kerf_run_addr(run, pos);
    if (from == KERF_FROM_OLD) {
#if KERF_ENCODER
        if (run->old_image != NULL) {
            return pos < run->h->old_size ? run->old_image[pos] : 0;
        }
#endif
        kerf_run_read_old(run, pos, &byte, 1);
    } else if (KERF_IN_PLACE && from == KERF_FROM_MADE ? pos < run->h->new_size : pos - start < c->new_pos - start) {
        /* (In place what lies before is perhaps gone.) */
#if KERF_ENCODER
        if (run->new_image != NULL) {
            return run->new_image[pos];
        }
#endif
        /* What this call produced is not yet where read_new() finds it. */
        if (pos - run->out_pos < c->new_pos - run->out_pos) {
            byte = run->out[pos - run->out_pos];
        } else {
            kerf_run_fail(run, (unsigned)run->io->read_new(run->io->ctx, pos, &byte, 1));
        }
    }
    return byte;
}
