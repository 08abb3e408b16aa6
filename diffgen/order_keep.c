/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An order of sectors in which what is still needed of old is kept elsewhere when its sector is overwritten: in scratch
 * behind the group's, behind the images, or in a sector whose own bytes are needed no more, or only a few of them,
 * which then move together.
 *
 * It is sought by threshold accepting (G. Dueck, T. Scheuer, "Threshold accepting", 1990): a block of sectors is put
 * elsewhere, and that is kept unless it costs too much more, which is less and less.
 */
#include "diffgen/order_keep.h"

#include <string.h>

#define THRESHOLD (300 * (int64_t)KERF_BIT)
#define WORK (8u << 20) /* of each search, in steps */
#define STARTS 9u
#define TRIES_MIN 100u
#define TRIES_MAX 3000u
#define RAM_OF_MOVE 48u /* bytes of the budget for each move, which takes a quarter of that */

static uint32_t random_below(uint32_t *state, size_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*state >> 8) * n >> 24);
}

/* Puts a block of the line elsewhere. */
static void shuffle(struct kerf_keeper *k, uint32_t *random)
{
    size_t most = random_below(random, 4) == 0 ? k->count / 3 + 1 : 3;
    size_t len = 1 + random_below(random, most);
    size_t from, to;

    len = len < k->count ? len : k->count - 1;
    from = random_below(random, k->count - len + 1);
    to = random_below(random, k->count - len + 1);
    memcpy(k->backup, k->line, k->count * sizeof *k->line);
    kerf_order_move(k->line, k->backup + from, from, to, len);
}

/* Begins with the order in hand. The best of the orders tried is left in `best`. */
static kerf_err search(struct kerf_keeper *k, size_t tries, uint32_t *random, size_t *best, int64_t *best_cost)
{
    int64_t cost;
    kerf_err err = kerf_keeper_walk(k, INT64_MAX, &cost);

    for (size_t i = 0; err == KERF_OK; i++) {
        if (cost < *best_cost) {
            *best_cost = cost;
            memcpy(best, k->line, k->count * sizeof *best);
        }
        if (i == tries || k->count < 3) {
            break;
        }
        int64_t left = (int64_t)((tries - i) * 1024 / tries);
        int64_t limit = cost + THRESHOLD / 1024 * left * left / 1024;
        int64_t tried;

        shuffle(k, random);
        err = kerf_keeper_walk(k, limit, &tried);
        if (tried <= limit) {
            cost = tried;
        } else {
            memcpy(k->line, k->backup, k->count * sizeof *k->line);
        }
    }
    return err;
}

/* The best order for this; `lossy` is one that would be good if nothing were kept. */
static kerf_err find_order(struct kerf_keeper *k, const size_t *lossy, size_t *best, int64_t *best_cost)
{
    size_t tries = WORK / (k->atom_count + k->use_count + 4 * k->count + 1);
    uint32_t random = 1;
    kerf_err err = KERF_OK;

    tries = tries < TRIES_MIN ? TRIES_MIN : tries > TRIES_MAX ? TRIES_MAX : tries;
    *best_cost = INT64_MAX;
    for (unsigned start = 0; err == KERF_OK && start < STARTS; start++) {
        for (size_t i = 0; i < k->count; i++) {
            k->line[i] = start % 3 == 0 ? lossy[i] : start % 3 == 1 ? i : k->count - 1 - i;
        }
        err = search(k, tries, &random, best, best_cost);
    }
    return err;
}

/* Sectors behind the images that hold nothing are not in the header: those of scratch follow the others. */
static void close_up(struct kerf_keeper *k, struct kerf_header *header)
{
    struct kerf_order *o = k->o;
    size_t end = k->images;

    for (size_t i = 0; i < o->keep_count; i++) {
        if (o->keeps[i].sector >= end && o->keeps[i].sector < k->slot) {
            end = o->keeps[i].sector + 1;
        }
    }
    for (size_t i = 0; i < o->keep_count; i++) {
        struct kerf_keep *keep = &o->keeps[i];

        if (keep->sector >= k->slot) {
            keep->sector -= k->slot - end;
            for (size_t m = keep->first; m < keep->first + keep->count; m++) {
                o->moves[m].pos -= (k->slot - end) << o->sector_log2;
            }
        }
    }
    header->beyond = (uint8_t)(end - k->images);
    o->sectors -= k->slot - end;
}

/* Takes the order, and what it keeps. */
static kerf_err take(struct kerf_keeper *k, const size_t *best, struct kerf_header *header)
{
    struct kerf_order *o = k->o;
    int64_t cost;

    memcpy(k->line, best, k->count * sizeof *best);
    k->emit = true;
    kerf_err err = kerf_keeper_walk(k, INT64_MAX, &cost);

    memcpy(o->sector, best, k->count * sizeof *best);
    for (size_t i = 0; i < k->count; i++) {
        o->rank[best[i]] = i;
    }
    header->kept = (uint16_t)o->keep_count;
    header->moves_cap = (uint16_t)o->move_count;
    close_up(k, header);
    return err == KERF_OK ? kerf_order_gone(o) : err;
}

kerf_err kerf_order_keep(const struct kerf_work *w, const struct kerf_segments *segments, uint64_t ram,
                         struct kerf_header *header, struct kerf_order *o)
{
    struct kerf_keeper k = {
        .o = o, .moves_max = ram / RAM_OF_MOVE < KERF_MAX_MOVES ? (size_t)(ram / RAM_OF_MOVE) : KERF_MAX_MOVES};
    size_t *best = malloc((o->count + 1) * sizeof *best);
    int64_t best_cost = INT64_MAX;
    kerf_err err = best == NULL ? KERF_ERR_RAM : KERF_OK;

    o->sectors = kerf_header_sectors(header);
    if (err == KERF_OK) {
        err = kerf_keeper_open(&k, w, header, segments);
    }
    if (err == KERF_OK) {
        err = find_order(&k, w->order->sector, best, &best_cost);
    }
    if (err == KERF_OK) {
        err = take(&k, best, header);
    }
    kerf_keeper_close(&k);
    free(best);
    return err;
}
