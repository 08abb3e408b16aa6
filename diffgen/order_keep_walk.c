/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an order of sectors costs, by going through it: what a sector still holds when its turn comes is moved to where
 * that takes the fewest moves, or lost.
 */
#include <string.h>

#include "diffgen/order_keep.h"

#define MOVE_COST (42 * (int64_t)KERF_BIT)
#define KEEP_COST (40 * (int64_t)KERF_BIT)
#define JUMP_COST (30 * (int64_t)KERF_BIT) /* the next sector is not the one above, */
#define DOWN_COST (12 * (int64_t)KERF_BIT) /* but the one below */
#define SOON_COST (60 * (int64_t)KERF_BIT) /* to move what must move again soon */
#define JOIN_LEN 16u                       /* bytes between two stretches: not worth another move */
#define PART_MIN 64u                       /* bytes free in a sector that can take only a part */
#define NONE SIZE_MAX

static void unlink_atom(struct kerf_keeper *k, uint32_t a)
{
    struct kerf_keep_atom *x = &k->atoms[a];

    if (x->holder == KERF_NOWHERE) {
        return;
    }
    if (x->prev != KERF_NOWHERE) {
        k->atoms[x->prev].next = x->next;
    } else {
        k->sectors[x->holder].head = x->next;
    }
    if (x->next != KERF_NOWHERE) {
        k->atoms[x->next].prev = x->prev;
    }
    k->sectors[x->holder].held -= x->end - x->start;
    x->holder = KERF_NOWHERE;
}

/* Puts an atom behind `prev` (KERF_NOWHERE: to the front) in its new holder's list, which is sorted. */
static void link_atom(struct kerf_keeper *k, uint32_t a, size_t sector, uint32_t prev)
{
    struct kerf_keep_atom *x = &k->atoms[a];
    struct kerf_keep_sector *s = &k->sectors[sector];
    uint32_t *from = prev != KERF_NOWHERE ? &k->atoms[prev].next : &s->head;

    x->holder = (uint32_t)sector;
    x->prev = prev;
    x->next = *from;
    if (x->next != KERF_NOWHERE) {
        k->atoms[x->next].prev = a;
    }
    *from = a;
    s->held += x->end - x->start;
}

/* Do two atoms that follow each other in a list move together? Nothing between may be needed: it may lie elsewhere. */
static bool joins(const struct kerf_keeper *k, uint32_t a, uint32_t b)
{
    if (k->atoms[b].start - k->atoms[a].end > JOIN_LEN) {
        return false;
    }
    for (uint32_t i = a + 1; i < b; i++) {
        if (k->atoms[i].left > 0) {
            return false;
        }
    }
    return true;
}

/* The holes of a sector, the longest first. */
static size_t find_holes(struct kerf_keeper *k, size_t sector)
{
    size_t at = sector << k->o->sector_log2;
    size_t count = 0;

    for (uint32_t a = k->sectors[sector].head;; a = k->atoms[a].next) {
        size_t end = a == KERF_NOWHERE ? (sector + 1) << k->o->sector_log2 : k->atoms[a].pos;

        if (end > at) {
            struct kerf_keep_hole hole = {at, end - at};
            size_t i = count++;

            for (; i > 0 && k->holes[i - 1].len < hole.len; i--) {
                k->holes[i] = k->holes[i - 1];
            }
            k->holes[i] = hole;
        }
        if (a == KERF_NOWHERE) {
            break;
        }
        at = end + (k->atoms[a].end - k->atoms[a].start);
    }
    return count;
}

/* How many of k->moving's atoms fit into a sector's holes, and in how many moves. */
static size_t fit(struct kerf_keeper *k, size_t sector, size_t count, size_t *moves)
{
    size_t holes = find_holes(k, sector);
    size_t hole = 0;
    size_t at = k->holes[0].pos;
    size_t left = holes > 0 ? k->holes[0].len : 0;
    size_t i;

    *moves = 0;
    for (i = 0; i < count; i++) {
        const struct kerf_keep_atom *x = &k->atoms[k->moving[i]];
        size_t len = x->end - x->start;
        bool joined = i > 0 && joins(k, k->moving[i - 1], k->moving[i]);
        size_t between = joined ? x->start - k->atoms[k->moving[i - 1]].end : 0;

        if (!joined || between + len > left) {
            between = 0;
            ++*moves;
        }
        if (len > left) {
            if (++hole >= holes || k->holes[hole].len < len) {
                --*moves;
                break;
            }
            at = k->holes[hole].pos;
            left = k->holes[hole].len;
        }
        k->moving_to[i] = at + between;
        at += between + len;
        left -= between + len;
    }
    return i;
}

static int compare_moves(const void *a, const void *b)
{
    const struct kerf_move *x = a;
    const struct kerf_move *y = b;

    return (x->pos > y->pos) - (x->pos < y->pos);
}

/* Notes the moves that fit() counted last. */
static kerf_err emit_keep(struct kerf_keeper *k, size_t rank, size_t sector, size_t count, size_t move_count)
{
    struct kerf_order *o = k->o;
    struct kerf_keep *keeps = realloc(o->keeps, (o->keep_count + 1) * sizeof *keeps);

    if (keeps == NULL) {
        return KERF_ERR_RAM;
    }
    o->keeps = keeps;

    struct kerf_move *moves = realloc(o->moves, (o->move_count + move_count) * sizeof *moves);

    if (moves == NULL) {
        return KERF_ERR_RAM;
    }
    o->moves = moves;
    o->keeps[o->keep_count++] = (struct kerf_keep){rank, sector, o->move_count, move_count};
    for (size_t i = 0; i < count; i++) {
        const struct kerf_keep_atom *x = &k->atoms[k->moving[i]];
        struct kerf_move *last = i > 0 ? &moves[o->move_count - 1] : NULL;

        if (last != NULL && joins(k, k->moving[i - 1], k->moving[i]) &&
            k->moving_to[i] - last->pos == x->start - last->old_pos) {
            last->len = x->end - last->old_pos;
        } else {
            moves[o->move_count++] = (struct kerf_move){x->start, x->end - x->start, k->moving_to[i]};
        }
    }
    qsort(moves + o->move_count - move_count, move_count, sizeof *moves, compare_moves);
    return KERF_OK;
}

/* A place for atoms that must move. */
struct target {
    size_t sector; /* NONE */
    size_t fit;    /* how many of them go there, the first ones */
    size_t moves;
    int64_t cost;
};

/* A sector of the slot is erased twice at most: where new will be, it holds old once, behind the images twice. */
static bool may_keep(const struct kerf_keeper *k, size_t sector)
{
    return sector >= k->slot || k->sectors[sector].keeps < (sector < k->count ? 1u : 2u);
}

/* Where the atoms of k->moving go best when line[rank] is produced: all of them, or as many as possible. */
static struct target find_target(struct kerf_keeper *k, size_t rank, size_t count)
{
    struct target best = {.sector = NONE};
    struct target empty = {.sector = NONE}; /* any sector that holds nothing */

    for (size_t q = 0; q < k->o->sectors; q++) {
        size_t moves = 0;
        /* Where new and old end, things are more difficult. */
        bool free = q >= k->images || (q + 1 < k->count && !k->sectors[q].done && q != k->line[rank]);

        if (!free || !may_keep(k, q) || k->sectors[q].held + PART_MIN > k->size) {
            continue;
        }
        struct target t = empty;

        if (k->sectors[q].held > 0 || empty.sector == NONE) {
            t.fit = fit(k, q, count, &moves);
            t.moves = moves;
        }
        t.sector = q;
        if (k->sectors[q].held == 0) {
            empty = t;
        }
        t.cost = KEEP_COST + (int64_t)moves * MOVE_COST;
        if (q < k->count) {
            t.cost += SOON_COST - SOON_COST * (int64_t)(k->place[q] - rank) / (int64_t)k->count;
        }
        if (t.fit > 0 && (best.sector == NONE || t.fit > best.fit || (t.fit == best.fit && t.cost < best.cost))) {
            best = t;
        }
        if (q >= k->images && q < k->slot && k->sectors[q].keeps == 0) {
            q = k->slot - 1; /* the others behind the images are as good as this one */
        }
    }
    return best;
}

static int compare_indices(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* What may be moved out of the sector before it is overwritten: into k->moving. What is not worth a move is left. */
static size_t list_moving(struct kerf_keeper *k, size_t sector)
{
    size_t count = 0;
    size_t kept = 0;
    size_t use = k->first[sector];
    bool sorted = true;

    for (uint32_t a = k->sectors[sector].head; a != KERF_NOWHERE; a = k->atoms[a].next) {
        sorted &= count == 0 || k->moving[count - 1] < a;
        k->moving[count++] = a;
    }
    if (!sorted) {
        qsort(k->moving, count, sizeof *k->moving, compare_indices);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t a = k->moving[i];

        while (use < k->first[sector + 1] && k->uses[use].atom < a) {
            use++;
        }
        bool own = use < k->first[sector + 1] && k->uses[use].atom == a;

        if (k->atoms[a].left > own) {
            k->moving[kept++] = a;
        }
    }
    count = 0;
    for (size_t i = 0, end; i < kept; i = end) {
        kerf_cost cost = k->atoms[k->moving[i]].cost_left;

        for (end = i + 1; end < kept && joins(k, k->moving[end - 1], k->moving[end]); end++) {
            cost += k->atoms[k->moving[end]].cost_left;
        }
        if ((int64_t)cost > MOVE_COST) {
            memmove(k->moving + count, k->moving + i, (end - i) * sizeof *k->moving);
            count += end - i;
        }
    }
    return count;
}

/* Moves what line[rank]'s sector holds and later ones need. */
static kerf_err save(struct kerf_keeper *k, size_t rank, int64_t *cost)
{
    size_t count = list_moving(k, k->line[rank]);
    kerf_err err = KERF_OK;

    while (err == KERF_OK && count > 0) {
        struct target t = find_target(k, rank, count);
        int64_t gain = 0;

        for (size_t i = 0; t.sector != NONE && i < t.fit; i++) {
            gain += (int64_t)k->atoms[k->moving[i]].cost_left;
        }
        if (gain <= t.cost || t.sector == NONE || t.moves > k->moves_max - k->moves) {
            break;
        }
        k->moves += t.moves;
        (void)fit(k, t.sector, t.fit, &t.moves);
        if (k->emit) {
            err = emit_keep(k, rank, t.sector, t.fit, t.moves);
        }
        *cost += t.cost;
        uint32_t prev = KERF_NOWHERE;

        for (size_t i = 0; i < t.fit; i++) {
            uint32_t a = k->moving[i];

            if (prev != KERF_NOWHERE && k->atoms[prev].pos > k->moving_to[i]) {
                prev = KERF_NOWHERE;
            }
            uint32_t next = prev == KERF_NOWHERE ? k->sectors[t.sector].head : k->atoms[prev].next;

            for (; next != KERF_NOWHERE && k->atoms[next].pos < k->moving_to[i]; next = k->atoms[next].next) {
                prev = next;
            }
            unlink_atom(k, a);
            k->atoms[a].pos = k->moving_to[i];
            link_atom(k, a, t.sector, prev);
            prev = a;
        }
        k->sectors[t.sector].keeps++;
        count -= t.fit;
        memmove(k->moving, k->moving + t.fit, count * sizeof *k->moving);
    }
    return err;
}

static void open_walk(struct kerf_keeper *k)
{
    for (size_t i = 0; i < k->o->sectors; i++) {
        k->sectors[i] = (struct kerf_keep_sector){.head = KERF_NOWHERE};
    }
    for (size_t i = k->atom_count; i-- > 0;) {
        struct kerf_keep_atom *x = &k->atoms[i];
        size_t sector = x->start >> k->o->sector_log2;

        x->left = x->users;
        x->cost_left = x->cost;
        x->holder = KERF_NOWHERE;
        x->pos = x->start;
        x->lost = false;
        if (x->users > 0) {
            /* What lies behind new is there as long as the sector where new ends. */
            link_atom(k, (uint32_t)i, sector < k->count ? sector : k->count - 1, KERF_NOWHERE);
        }
    }
    for (size_t i = 0; i < k->count; i++) {
        k->place[k->line[i]] = i;
    }
}

kerf_err kerf_keeper_walk(struct kerf_keeper *k, int64_t limit, int64_t *cost)
{
    kerf_err err = KERF_OK;

    *cost = 0;
    k->moves = 0;
    open_walk(k);
    for (size_t rank = 0; err == KERF_OK && rank < k->count && *cost <= limit; rank++) {
        size_t sector = k->line[rank];

        if (k->sectors[sector].head != KERF_NOWHERE) {
            err = save(k, rank, cost);
        }
        for (size_t i = k->first[sector]; i < k->first[sector + 1]; i++) {
            struct kerf_keep_atom *x = &k->atoms[k->uses[i].atom];

            x->cost_left -= k->uses[i].cost;
            x->left--;
            if (x->lost) {
                *cost += (int64_t)k->uses[i].cost;
            } else if (x->left == 0) {
                unlink_atom(k, k->uses[i].atom);
            }
        }
        while (k->sectors[sector].head != KERF_NOWHERE) {
            k->atoms[k->sectors[sector].head].lost = true;
            unlink_atom(k, k->sectors[sector].head);
        }
        k->sectors[sector].done = true;
        if (rank > 0 && sector != k->line[rank - 1] + 1) {
            *cost += sector + 1 == k->line[rank - 1] ? DOWN_COST : JUMP_COST;
        }
    }
    return err;
}
