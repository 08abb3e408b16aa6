/* SPDX-License-Identifier: Apache-2.0 */
/* Where a segment comes from, and how long it is (docs/FORMAT.md, "Order", Segment). */
#include "common/run.h"

/* How the source of a segment is told; the order of the unary code. */
enum jump {
    JUMP_RECENT,   /* recent[0] */
    JUMP_MAP,      /* where the address map says */
    JUMP_CONTINUE, /* where the last segment from old ended */
    JUMP_FAR,      /* a distance from there follows */
    JUMP_RECENT1,
    JUMP_RECENT2,
    JUMP_RECENT3,
    JUMP_COUNT,
};

kerf_err kerf_run_span(struct kerf_run *run, enum kerf_number which, unsigned to_end, unsigned min, kerf_pos *len)
{
    const struct kerf_codec *c = run->c;
    kerf_pos rest = c->new_end - c->new_pos;
    kerf_err err = KERF_OK;

    if (kerf_run_in_place(c) && kerf_model_bit(run->k, &run->symbols[KERF_SYM_TO_END + to_end], *len == rest)) {
        *len = rest;
        return KERF_OK;
    }
    *len -= min;
    err = kerf_run_number(run, which, len);
    if (err == KERF_OK && *len > rest - min) {
        err = KERF_ERR_CORRUPT;
    }
    *len += min;
    return err;
}

static void recent_use(kerf_shift *recent, unsigned from, kerf_shift distance)
{
    for (; from > 0; from--) {
        recent[from] = recent[from - 1];
    }
    recent[0] = distance;
}

/* Which recent distance a jump means; KERF_RECENT: none. */
static const uint8_t recent_of[JUMP_COUNT] = {0, KERF_RECENT, KERF_RECENT, KERF_RECENT, 1, 2, 3};

/* How the source of a segment is told: enum jump, left in c->jump. Segments from new know no map and no end. */
static void code_jump(struct kerf_run *run, unsigned last_source, kerf_shift distance)
{
    struct kerf_codec *c = run->c;
    const kerf_shift *recent = c->recent[c->from_new];
    uint16_t *counters = run->symbols + KERF_SYM_JUMP + 8 * (size_t)(c->from_new ? 2u + c->joined : last_source);
    kerf_shift by_map = 0;
    bool mapped = !c->from_new && kerf_ref_map_distance(run, c->new_pos, &by_map);
    bool far = distance != recent[1] && distance != recent[2] && distance != recent[3];
    unsigned jump;

    for (jump = 0; jump < JUMP_COUNT - 1; jump++) {
        /* Encoding: an older distance is better than a far jump. */
        bool hit = recent_of[jump] < KERF_RECENT ? distance == recent[recent_of[jump]]
                   : jump == JUMP_MAP            ? mapped && distance == by_map
                   : jump == JUMP_CONTINUE       ? kerf_run_addr(run, c->new_pos + (kerf_pos)distance) == c->old_end
                                                 : far;

        if (c->from_new && (jump == JUMP_MAP || jump == JUMP_CONTINUE)) {
            continue;
        }
        if (!kerf_model_bit(run->k, &counters[jump], !hit)) {
            break;
        }
    }
    c->jump = (uint8_t)jump;
}

static kerf_err code_length(struct kerf_run *run, kerf_pos len)
{
    const struct kerf_codec *c = run->c;
    enum kerf_number which = !c->from_new          ? KERF_NUM_LEN_OLD
                             : c->jump == JUMP_FAR ? KERF_NUM_LEN_NEW
                                                   : KERF_NUM_LEN_AGAIN;
    kerf_err err = kerf_run_span(run, which, 1u + c->from_new, 1, &len);

    run->c->left = len;
    return err;
}

/* A new distance of a segment from new. */
static kerf_err code_distance(struct kerf_run *run, kerf_shift *distance)
{
    struct kerf_codec *c = run->c;
    kerf_pos v = (kerf_pos) - *distance - 1;
    kerf_err err;

#if KERF_IN_PLACE
    /* Back to where this run of sectors began; then what lies behind it, and then from the beginning of new on. */
    kerf_pos below = c->new_pos - ((kerf_pos)c->run_start << c->sector_log2);

#if KERF_ENCODER
    kerf_pos src_pos = kerf_run_addr(run, c->new_pos + (kerf_pos)*distance);

    if (src_pos >= c->new_end) {
        v = below + (src_pos - c->new_end);
    } else if (v >= below) {
        v = below + (c->new_size - c->new_end) + src_pos;
    }
#endif
#endif
    err = kerf_run_number(run, c->left < 4 ? KERF_NUM_DISTANCE_SHORT : KERF_NUM_DISTANCE, &v);
    if (err == KERF_OK && v >= (kerf_run_in_place(c) ? c->new_size : c->new_pos)) {
        err = KERF_ERR_CORRUPT;
    }
    *distance = kerf_run_shift(run, (kerf_pos)0 - v - 1);
#if KERF_IN_PLACE
    if (v >= below) {
        v = c->new_end + (v - below);
        *distance = kerf_run_shift(run, (v < c->new_size ? v : v - c->new_size) - c->new_pos);
    }
#endif
    return err;
}

kerf_err kerf_run_source(struct kerf_run *run, const struct kerf_segment *segment)
{
    struct kerf_codec *c = run->c;
    unsigned last_source = c->from_new;
    unsigned from_new = segment->from_new;

    if (c->flags & KERF_FLAG_READS_NEW) {
        from_new = kerf_model_bit(run->k, &run->symbols[KERF_SYM_SOURCE + last_source + 2 * c->joined], from_new);
    }
    c->from_new = (uint8_t)from_new;
    code_jump(run, last_source, kerf_run_shift(run, segment->src_pos - c->new_pos));
    return code_length(run, segment->len);
}

kerf_err kerf_run_place(struct kerf_run *run, kerf_shift distance)
{
    struct kerf_codec *c = run->c;
    kerf_shift *recent = c->recent[c->from_new];
    unsigned from = recent_of[c->jump];
    kerf_shift end = kerf_run_shift(run, c->old_end - c->new_pos);
    kerf_err err = KERF_OK;

    if (from < KERF_RECENT) {
        distance = recent[from];
    } else if (c->jump == JUMP_MAP) {
        (void)kerf_ref_map_distance(run, c->new_pos, &distance);
    } else if (c->jump == JUMP_CONTINUE) {
        distance = end;
    } else if (c->from_new) {
        err = code_distance(run, &distance);
    } else {
        kerf_shift far = kerf_run_shift(run, (kerf_pos)distance - (kerf_pos)end);

        err = kerf_run_signed(run, KERF_NUM_JUMP, &run->symbols[KERF_SYM_ALIGNED], 0, &far);
        distance = kerf_run_shift(run, (kerf_pos)end + (kerf_pos)far);
    }
    if (err != KERF_OK) {
        return err;
    }
    recent_use(recent, from < KERF_RECENT ? from : KERF_RECENT - 1, distance);
    c->src_pos = kerf_run_addr(run, c->new_pos + (kerf_pos)distance);

    kerf_pos size = c->from_new ? c->new_size : c->old_size;

    if (c->src_pos >= size || c->left > size - c->src_pos ||
        (c->from_new && c->src_pos - c->new_pos < c->new_end - c->new_pos)) {
        return KERF_ERR_CORRUPT;
    }
    c->insn_end = c->src_pos;
    c->record = 0;
    c->gap = 8;
    c->equal_history = 0;
    c->quiet_left = 0;
    c->probe_left = 0;
    c->raw_left = 0;
    c->old_prev = 0;
    if (!c->from_new) {
        c->seg_start = c->src_pos;
        c->old_end = c->src_pos + c->left;
        if (c->src_pos > 0) {
            err = kerf_run_old_byte(run, c->src_pos - 1, &c->old_prev);
        }
    }
    return err;
}
