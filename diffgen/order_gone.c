/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of old in an order that keeps some of it (order_keep.c). */
#include "diffgen/work.h"

#define NOWHERE UINT32_MAX

/* The bytes of old that were at start .. end - 1 of the slot and are nowhere else are there up to `rank`. */
static void overwrite(struct kerf_order *o, uint32_t *at, size_t start, size_t end, size_t rank)
{
    for (size_t b = start; b < end && b < o->old_len; b++) {
        if (at[b] == b) {
            at[b] = NOWHERE;
            o->gone[b] = (int32_t)rank;
        }
    }
    for (size_t m = 0; m < o->move_count; m++) {
        const struct kerf_move *move = &o->moves[m];

        for (size_t b = move->old_pos;
             move->pos < end && move->pos + move->len > start && b < move->old_pos + move->len; b++) {
            if (at[b] >= start && at[b] < end) {
                at[b] = NOWHERE;
                o->gone[b] = (int32_t)rank;
            }
        }
    }
}

static void keep(struct kerf_order *o, uint32_t *at, const struct kerf_keep *keep)
{
    for (size_t m = keep->first; m < keep->first + keep->count; m++) {
        for (size_t i = 0; i < o->moves[m].len; i++) {
            uint32_t *where = &at[o->moves[m].old_pos + i];

            *where = *where != NOWHERE ? NOWHERE - 1 : NOWHERE; /* read before anything is overwritten */
        }
    }
    for (size_t m = keep->first; m < keep->first + keep->count; m++) {
        overwrite(o, at, o->moves[m].pos, o->moves[m].pos + o->moves[m].len, keep->rank - 1);
    }
    for (size_t m = keep->first; m < keep->first + keep->count; m++) {
        for (size_t i = 0; i < o->moves[m].len; i++) {
            uint32_t *where = &at[o->moves[m].old_pos + i];

            *where = *where != NOWHERE ? (uint32_t)(o->moves[m].pos + i) : NOWHERE;
        }
    }
}

kerf_err kerf_order_gone(struct kerf_order *o)
{
    uint32_t *at = malloc((o->old_len + 1) * sizeof *at);
    size_t next = 0;

    o->gone = malloc((o->old_len + 1) * sizeof *o->gone);
    if (at == NULL || o->gone == NULL) {
        free(at);
        return KERF_ERR_RAM;
    }
    for (size_t b = 0; b < o->old_len; b++) {
        at[b] = (uint32_t)b;
        o->gone[b] = INT32_MAX;
    }
    for (size_t rank = 0; rank < o->count; rank++) {
        for (; next < o->keep_count && o->keeps[next].rank == rank; next++) {
            keep(o, at, &o->keeps[next]);
        }
        overwrite(o, at, o->sector[rank] << o->sector_log2, (o->sector[rank] + 1) << o->sector_log2, rank);
        for (size_t b = o->new_len; o->sector[rank] + 1 == o->count && b < o->old_len; b++) {
            if (at[b] == b) {
                at[b] = NOWHERE;
                o->gone[b] = (int32_t)rank;
            }
        }
    }
    free(at);
    return KERF_OK;
}
