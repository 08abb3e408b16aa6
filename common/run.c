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

#if KERF_IN_PLACE
void kerf_run_read_old(struct kerf_run *run, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_codec *c = KERF_STATE(run);
    kerf_pos end = c->tail_gone && run->h->new_size < run->h->old_size ? run->h->new_size : run->h->old_size;

    while (len > 0) {
        kerf_pos at = pos;
        kerf_pos n = pos < end ? end - pos : 0; /* bytes that lie together there; 0: there are none */
        kerf_pos most = (kerf_pos)len;

        /* The newest move counts. */
        for (unsigned i = c->moves_len; i-- > 0;) {
            const struct kerf_move_entry *m = &run->t.moves[i];

            if (pos - m->old_pos < m->len) {
                at = m->pos + (pos - m->old_pos);
                n = m->len - (pos - m->old_pos);
                break;
            }
            if (m->old_pos - pos < most) {
                most = m->old_pos - pos;
            }
        }
        if (n == 0) {
            memset(buf, 0, (size_t)most);
        } else {
            most = n < most ? n : most;
            kerf_run_fail(run, (unsigned)run->io->read_old(run->io->ctx, at, buf, (size_t)most));
        }
        pos += most;
        buf += most;
        len -= (size_t)most;
    }
}
#endif

const uint8_t *kerf_run_view_anew(struct kerf_run *run)
{
    struct kerf_codec *c = KERF_STATE(run);
    kerf_pos pos = c->src_pos;

    if (pos - c->window_pos >= c->window_len) {
        kerf_pos len = run->h->old_size - pos;

        c->window_pos = pos;
        c->window_len = KERF_CODEC_WINDOW - KERF_ISA_VIEW_LEN + 1;
        memset(c->window, 0, KERF_CODEC_WINDOW);
        kerf_run_read_old(run, pos, c->window, len < KERF_CODEC_WINDOW ? (size_t)len : KERF_CODEC_WINDOW);
    }
    return run->view = c->window + (size_t)(pos - c->window_pos);
}

uint8_t kerf_run_new_byte(struct kerf_run *run, kerf_pos pos)
{
    uint8_t byte = 0;

#if KERF_ENCODER
    if (run->new_image != NULL) {
        return run->new_image[pos];
    }
#endif
    /* What this call produced is not yet where read_new() finds it. */
    if (pos - run->out_pos < KERF_STATE(run)->new_pos - run->out_pos) {
        return run->out[pos - run->out_pos];
    }
    kerf_run_fail(run, (unsigned)run->io->read_new(run->io->ctx, pos, &byte, 1));
    return byte;
}

uint8_t kerf_run_byte(struct kerf_run *run, bool from_new, kerf_pos pos)
{
    struct kerf_codec *c = KERF_STATE(run);
    uint8_t byte = 0;

    pos = kerf_run_addr(run, pos);
    if (from_new) {
        kerf_pos start = (kerf_pos)c->run_start << run->h->sector_log2;

        /* What lies before, in place, is perhaps not there. */
        return pos - start < c->new_pos - start ? kerf_run_new_byte(run, pos) : 0;
    }
    if (pos < run->h->old_size) {
#if KERF_ENCODER
        if (run->old_image != NULL) {
            return run->old_image[pos];
        }
#endif
        kerf_run_read_old(run, pos, &byte, 1);
    }
    return byte;
}
