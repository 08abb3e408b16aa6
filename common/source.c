/* SPDX-License-Identifier: Apache-2.0 */
/* Where a segment comes from, and how long it is (docs/FORMAT.md, "Order", Segment). */
#include "common/run.h"

/* How the source of a segment is told; the order of the unary code. */
enum jump {
    JUMP_RECENT, /* recent[0] */
    JUMP_MAP,    /* where the address map says */
    JUMP_FAR,    /* a distance follows, from old from where the last segment from there ended */
    JUMP_RECENT1,
    JUMP_LAST = JUMP_RECENT1 + KERF_RECENT - 2,
};

/* Which recent distance a jump means, and which one drops out. */
static const uint8_t recent_of[JUMP_LAST + 1] = {0, KERF_RECENT - 1, KERF_RECENT - 1, 1, 2, 3};

#if KERF_ENCODER
void kerf_run_span(struct kerf_run *run, enum kerf_number which, unsigned to_end, unsigned min, kerf_pos len)
#else
void kerf_run_span_decode(struct kerf_run *run, enum kerf_number which, unsigned to_end, unsigned min)
#endif
{
#if !KERF_ENCODER
    kerf_pos len = 0;
#endif
    struct kerf_codec *c = KERF_STATE(run);
    kerf_pos rest = c->new_end - c->new_pos;

    if (!kerf_run_in_place(run) || !kerf_model_bit(&run->k, &run->t.counters[KERF_SYM_TO_END + to_end], len == rest)) {
        len = kerf_run_number(run, which, len - min) + min;
        if (len > rest) {
            kerf_run_refuse(run);
            len = rest;
        }
        rest = len;
    }
    c->left = rest;
}

/* A new distance of a segment from new. */
static kerf_shift code_distance(struct kerf_run *run, kerf_shift distance)
{
    struct kerf_codec *c = KERF_STATE(run);
    kerf_pos v = (kerf_pos)0 - (kerf_pos)distance - 1;

#if KERF_IN_PLACE
    /* Back to where this run of sectors began; then what lies behind it, and then from the beginning of new on. */
    kerf_pos below = c->new_pos - ((kerf_pos)c->run_start << run->h->sector_log2);

#if KERF_ENCODER
    kerf_pos src_pos = kerf_run_addr(run, c->new_pos + (kerf_pos)distance);

    if (src_pos >= c->new_end) {
        v = below + (src_pos - c->new_end);
    } else if (v >= below) {
        v = below + (run->h->new_size - c->new_end) + src_pos;
    }
#endif
#endif
    v = kerf_run_number(run, c->left < 4 ? KERF_NUM_DISTANCE_SHORT : KERF_NUM_DISTANCE, v);
#if KERF_IN_PLACE
    if (v >= below && kerf_run_in_place(run)) {
        v = c->new_end + (v - below);
        return kerf_run_shift(run, (v < run->h->new_size ? v : v - run->h->new_size) - c->new_pos);
    }
#endif
    return kerf_run_shift(run, (kerf_pos)0 - v - 1);
}

/* How the source of a segment is told. Segments from new are not told by the map. */
static unsigned code_jump(struct kerf_run *run, kerf_shift distance)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned between = c->from_new || c->between == 0 ? c->between : 1;
    uint16_t *counters = run->t.counters + KERF_SYM_JUMP + JUMP_LAST * (2u * c->from_new + between);
    unsigned jump = 0;
    unsigned wanted = 0;

#if KERF_ENCODER
    const kerf_shift *recent = c->recent[c->from_new];

    if (distance != recent[0]) {
        for (wanted = JUMP_LAST; wanted > JUMP_FAR && distance != recent[wanted - JUMP_FAR]; wanted--) {
        }
        if (!c->from_new && distance == kerf_ref_map_distance(run, c->new_pos)) {
            wanted = JUMP_MAP;
        }
    }
#endif
    (void)distance;
    while (jump < JUMP_LAST && kerf_model_bit(&run->k, &counters[jump], jump < wanted)) {
        jump++;
    }
#if KERF_ENCODER
    c->jump = (uint8_t)jump;
#endif
    return jump;
}

#if KERF_ENCODER
void kerf_run_segment(struct kerf_run *run, const struct kerf_segment *segment)
#else
void kerf_run_segment_decode(struct kerf_run *run)
#endif
{
    struct kerf_codec *c = KERF_STATE(run);
#if KERF_ENCODER
    unsigned from_new = segment->from_new;
    kerf_pos len = segment->len;
    kerf_shift distance = kerf_run_shift(run, segment->src_pos - c->new_pos);
#else
    unsigned from_new = 0; /* nothing is computed for the other direction */
    kerf_pos len = 0;
    kerf_shift distance = 0;
#endif

    if (run->h->flags & KERF_FLAG_READS_NEW) {
        c->from_new = (uint8_t)kerf_model_bit(&run->k, &run->t.counters[KERF_SYM_SOURCE + c->from_new], from_new);
    }

    unsigned jump = code_jump(run, distance);
    kerf_shift *recent = c->recent[c->from_new];
    unsigned i = recent_of[jump];
    enum kerf_number which = KERF_NUM_LEN_OLD;

    if (c->from_new) {
        which = jump == JUMP_FAR ? KERF_NUM_LEN_NEW : KERF_NUM_LEN_AGAIN;
    }
    kerf_run_span(run, which, 1u + c->from_new, 1, len);
    if (jump != JUMP_FAR) {
        distance = jump == JUMP_MAP ? kerf_ref_map_distance(run, c->new_pos) : recent[i];
    } else if (c->from_new) {
        distance = code_distance(run, distance);
    } else {
        kerf_pos end = c->old_end - c->new_pos;
        kerf_shift far = kerf_run_shift(run, (kerf_pos)distance - end);

        distance = kerf_run_shift(run, end + kerf_run_unfold(kerf_run_number(run, KERF_NUM_JUMP, kerf_run_fold(far))));
    }
    for (; i > 0; i--) {
        recent[i] = recent[i - 1];
    }
    recent[0] = distance;
    c->src_pos = kerf_run_addr(run, c->new_pos + (kerf_pos)distance);
    c->insn_end = c->src_pos;
    c->raw_end = c->src_pos;
    c->record = 0;
    c->gap = 8;
    c->stretch = 0;

    kerf_pos size = c->from_new ? run->h->new_size : run->h->old_size;

    /* Devices: what does not exist is read as 0. */
    if (KERF_STRICT && (c->src_pos >= size || c->left > size - c->src_pos ||
                        (c->from_new && c->src_pos - c->new_pos < c->new_end - c->new_pos))) {
        kerf_run_refuse(run);
        c->left = 0;
    } else if (!c->from_new) {
        c->seg_start = c->src_pos;
        c->old_end = c->src_pos + c->left;
        c->old_prev = kerf_run_byte(run, KERF_FROM_OLD, c->src_pos - 1);
    }
}
