/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of the native payload share: numbers in their contexts, and the bytes of a segment's source. */
#include "common/run.h"

#include <string.h>

#include "common/varint.h"

kerf_err kerf_run_number(struct kerf_run *run, enum kerf_number which, kerf_pos *v)
{
    unsigned cap = run->sizes->num_cap;
#if KERF_ENCODER
    run->k->rc.mark -= run->k->rc.cost;
#endif
    kerf_err err = kerf_model_number(run->k, run->numbers + (size_t)run->sizes->num_of[which] * (2 * cap + 3), cap, v);

#if KERF_ENCODER
    run->k->rc.mark += run->k->rc.cost; /* what numbers cost since it was cleared */
#endif
#if KERF_POS_BITS == 64
    /* What 32-bit positions can't count, every machine refuses. */
    if (err == KERF_OK && *v >= UINT32_MAX && (run->c->flags & KERF_FLAG_WIDE) == 0) {
        return KERF_ERR_CORRUPT;
    }
#endif
    return err;
}

kerf_err kerf_run_signed(struct kerf_run *run, enum kerf_number which, uint16_t *aligned, unsigned scale,
                         kerf_shift *difference)
{
    kerf_shift d = kerf_run_shift(run, (kerf_pos)*difference);

    if (scale < 2 && kerf_model_bit(run->k, aligned, (d & 3) == 0)) {
        scale = 2;
    }
    kerf_pos v = (kerf_pos)kerf_zigzag(d >> scale);
    kerf_err err = kerf_run_number(run, which, &v);

    *difference = kerf_run_shift(run, (kerf_pos)((uint64_t)kerf_unzigzag(v) << scale));
    return err;
}

static kerf_err read_source(struct kerf_run *run, kerf_pos pos, uint8_t *buf, size_t len)
{
    if (!run->c->from_new) {
        return run->io->read_old(run->io->ctx, pos, buf, len);
    }
    /* What this call produced is not yet where read_new() finds it. */
    kerf_pos from = pos - run->out_pos;
    size_t stored = from < run->c->new_pos - run->out_pos ? 0 : from > -(kerf_pos)len ? (size_t)-from : len;

    if (stored > 0) {
        kerf_err err = run->io->read_new(run->io->ctx, pos, buf, stored);

        if (err != KERF_OK) {
            return err;
        }
    }
    if (stored < len) {
        memcpy(buf + stored, run->out + (pos + stored - run->out_pos), len - stored);
    }
    return KERF_OK;
}

static kerf_err load_window(struct kerf_run *run)
{
    struct kerf_codec *c = run->c;
    kerf_pos end = !c->from_new ? c->old_size : c->src_pos < c->new_pos ? c->new_pos : c->new_size;
    size_t len = end - c->src_pos < KERF_CODEC_WINDOW ? (size_t)(end - c->src_pos) : KERF_CODEC_WINDOW;

    c->window_pos = c->src_pos;
    c->window_len = (uint8_t)len;
    c->window_is_new = c->from_new;
    memset(c->window + len, 0, KERF_CODEC_WINDOW - len);
    return read_source(run, c->src_pos, c->window, len);
}

kerf_err kerf_run_view(struct kerf_run *run, const uint8_t **view)
{
    struct kerf_codec *c = run->c;

#if KERF_ENCODER
    if (run->old_image != NULL && !c->from_new) {
        *view = run->old_image + c->src_pos;
        return KERF_OK;
    }
    if (run->new_image != NULL && c->from_new) {
        *view = run->new_image + c->src_pos;
        return KERF_OK;
    }
#endif
    kerf_pos at = c->src_pos - c->window_pos;
    /* From new, a byte is enough, and no more may be there yet. Past the end of old the window holds zeros. */
    kerf_pos need = c->from_new ? 1 : KERF_ISA_VIEW_LEN;
    kerf_pos have = c->from_new || c->window_pos + c->window_len < c->old_size ? c->window_len : KERF_CODEC_WINDOW;

    if (c->window_is_new != c->from_new || at >= have || have - at < need) {
        kerf_err err = load_window(run);

        if (err != KERF_OK) {
            return err;
        }
        at = 0;
    }
    *view = c->window + (size_t)at;
    return KERF_OK;
}

kerf_err kerf_run_old_byte(struct kerf_run *run, kerf_pos old_pos, uint8_t *byte)
{
    struct kerf_codec *c = run->c;

    *byte = 0;
    old_pos = kerf_run_addr(run, old_pos);
    if (old_pos >= c->old_size) {
        return KERF_OK;
    }
#if KERF_ENCODER
    if (run->old_image != NULL) {
        *byte = run->old_image[old_pos];
        return KERF_OK;
    }
#endif
    if (!c->window_is_new && old_pos - c->window_pos < c->window_len) {
        *byte = c->window[(size_t)(old_pos - c->window_pos)];
        return KERF_OK;
    }
    return run->io->read_old(run->io->ctx, old_pos, byte, 1);
}

kerf_err kerf_run_expected(struct kerf_run *run, uint8_t *byte)
{
    struct kerf_codec *c = run->c;
    kerf_pos pos = kerf_run_addr(run, c->new_pos + (kerf_pos)c->recent[c->from_new][0]);
    kerf_pos start = (kerf_pos)c->run_start << c->sector_log2; /* what lies before, in place, is perhaps not there */

    if (!c->from_new) {
        return kerf_run_old_byte(run, pos, byte);
    }
    *byte = 0;
    return pos - start < c->new_pos - start ? read_source(run, pos, byte, 1) : KERF_OK;
}
