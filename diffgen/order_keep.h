/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_keep.h - an order of sectors that keeps what is still needed of old: what is shared by order_keep.c, which
 * seeks it, order_keep_needs.c, which says what a plan needs, and order_keep_walk.c, which prices an order.
 *
 * Old is cut into atoms, bytes that the same sectors of new need. Each lies in one sector and moves as one; a sector
 * holds a list of those in it, by where they are.
 */
#ifndef KERF_DIFFGEN_ORDER_KEEP_H
#define KERF_DIFFGEN_ORDER_KEEP_H

#include "diffgen/work.h"

#define KERF_NOWHERE UINT32_MAX /* no atom, no sector */

/* Bytes of old that the same sectors of new need; in one sector of old. */
struct kerf_keep_atom {
    size_t start, end;
    uint32_t users;      /* sectors */
    kerf_cost cost;      /* of all that need it, as literals */
    uint32_t left;       /* users to come, while an order is gone through, */
    kerf_cost cost_left; /* and what they would cost */
    uint32_t holder;     /* sector where it is; KERF_NOWHERE: not needed any more, or lost */
    size_t pos;          /* and where in the slot */
    bool lost;
    uint32_t next, prev; /* in its holder */
};

/* A sector of new needs an atom. Sorted by sector, then by atom. */
struct kerf_keep_use {
    size_t sector;
    uint32_t atom;  /* index */
    kerf_cost cost; /* of what it makes of it, as literals */
};

/* What a sector holds while an order is gone through. */
struct kerf_keep_sector {
    uint32_t head;  /* its first atom; KERF_NOWHERE: none */
    size_t held;    /* bytes of them */
    uint32_t keeps; /* how often it was made to hold old that moved */
    bool done;      /* it holds new */
};

/* Bytes of a sector that are not needed. */
struct kerf_keep_hole {
    size_t pos, len;
};

struct kerf_keeper {
    struct kerf_order *o;    /* the caller's */
    size_t moves, moves_max; /* that the order in hand takes; that there may be, the caller's */
    bool emit;               /* the caller's: note what is kept in o */
    size_t size;             /* bytes of a sector, */
    size_t atom_max;         /* and of an atom */
    size_t slot;             /* sectors of the slot that may be used; those behind are of scratch */
    size_t images;           /* sectors of the larger image, */
    size_t count;            /* and of new */
    struct kerf_keep_atom *atoms;
    size_t atom_count;
    struct kerf_keep_use *uses;
    size_t use_count;
    size_t *first; /* for each sector of new, and one more: where its uses begin */
    struct kerf_keep_sector *sectors;
    size_t *line, *place; /* the order in hand, the caller's, and for each sector its place there */
    size_t *backup;       /* room for another */
    uint32_t *moving;     /* indices of atoms, ascending */
    size_t *moving_to;    /* where each goes, as was found last */
    struct kerf_keep_hole *holes;
    kerf_cost *literal_sum; /* kerf_order_literal_sum() */
};

/* --- order_keep_needs.c --- */
/*
 * What the plan needs of old, which sector of new and at what price. `k` is zero but for what is the caller's. It is to
 * be closed whatever this returns.
 */
KERF_MUST_USE kerf_err kerf_keeper_open(struct kerf_keeper *k, const struct kerf_work *w,
                                        const struct kerf_header *header, const struct kerf_segments *segments);
void kerf_keeper_close(struct kerf_keeper *k);

/* --- order_keep_walk.c --- */
/*
 * Goes through the order of k->line. *cost: what it loses, moves and jumps included; where that is over the limit, not
 * all of it. With k->emit what is kept is added to k->o.
 */
KERF_MUST_USE kerf_err kerf_keeper_walk(struct kerf_keeper *k, int64_t limit, int64_t *cost);

#endif
