/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts find one of a thousand learned targets by halves: which slot comes where by its key. */
#include <string.h>

#include "common/run.h"

#if KERF_ENCODER
unsigned kerf_ref_learned_rank(const struct kerf_run *run, unsigned count, kerf_addr key, unsigned slot)
{
    unsigned low = 0;
    unsigned high = count;

    while (low < high) {
        unsigned mid = (low + high) / 2;
        kerf_addr start;
        kerf_shift shift;

        kerf_run_pair_get(run, run->t.learned, run->order[mid], &start, &shift);
        if (start < key || (start == key && run->order[mid] <= slot)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Puts a slot that is to have this key among the `count` in run->order. */
static void learned_insert(const struct kerf_run *run, unsigned count, unsigned slot, kerf_addr key)
{
    unsigned to = kerf_ref_learned_rank(run, count, key, slot);

    memmove(&run->order[to + 1], &run->order[to], (count - to) * sizeof run->order[0]);
    run->order[to] = (uint16_t)slot;
}

void kerf_ref_learned_move(const struct kerf_run *run, unsigned slot, bool used, kerf_addr key)
{
    unsigned count = KERF_STATE(run)->learned_len - !used;

    if (used) {
        kerf_addr before;
        kerf_shift shift;

        kerf_run_pair_get(run, run->t.learned, slot, &before, &shift);
        unsigned from = kerf_ref_learned_rank(run, count--, before, slot) - 1;

        memmove(&run->order[from], &run->order[from + 1], (count - from) * sizeof run->order[0]);
    }
    learned_insert(run, count, slot, key);
}

void kerf_ref_order_load(struct kerf_run *run)
{
    const struct kerf_codec *c = KERF_STATE(run);
    struct kerf_order_of_learned *o = run->io->order;

    if (o == NULL) {
        return;
    }
    run->order = o->slots;
    for (unsigned slot = 0; (o->len != c->learned_len || o->new_pos != c->new_pos) && slot < c->learned_len; slot++) {
        kerf_addr key;
        kerf_shift shift;

        kerf_run_pair_get(run, run->t.learned, slot, &key, &shift);
        learned_insert(run, slot, slot, key);
    }
}

void kerf_ref_order_keep(const struct kerf_run *run)
{
    struct kerf_order_of_learned *o = run->io->order;

    if (o != NULL) {
        o->new_pos = KERF_STATE(run)->new_pos;
        o->len = KERF_STATE(run)->learned_len;
    }
}
#endif
