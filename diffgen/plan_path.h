/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_path.h - the paths of the dynamic program in plan.c: how each state that is alive came to be, and the segments
 * that the best one stands for. Many paths end soon; when room is needed, what no state leads to any more is swept away,
 * and what all states have in common is put aside as decided.
 */
#ifndef KERF_DIFFGEN_PLAN_PATH_H
#define KERF_DIFFGEN_PLAN_PATH_H

#include "diffgen/work.h"

#define KERF_PLAN_STATES_MAX 40
#define KERF_PLAN_RECENTS 4
#define KERF_PLAN_NO_NODE UINT32_MAX

enum kerf_plan_source {
    KERF_PLAN_OLD,
    KERF_PLAN_NEW,
    KERF_PLAN_LITERAL
};

/* A source for the next byte of new. */
struct kerf_plan_state {
    int64_t cost;
    int64_t distance; /* source position - new position */
    uint32_t node;    /* its own, or as long as nothing goes on from it the one that it came from */
    uint32_t new_pos; /* where it began */
    bool settled;     /* has a node of its own */
    uint8_t source;
    uint8_t gap;  /* class of bytes since the last mismatch, 0 .. 15 */
    bool again;   /* from new at a recent distance */
    uint32_t len; /* bytes so far */
};

/* Where a path changed its source. */
struct kerf_plan_step {
    uint32_t new_pos, run_end; /* run_end: it ends there at the latest */
    int32_t distance;
    uint8_t source;
};

struct kerf_plan_node {
    struct kerf_plan_step step;
    uint32_t parent;                      /* KERF_PLAN_NO_NODE: what is decided, if anything is */
    int32_t recent[2][KERF_PLAN_RECENTS]; /* distances of the last segments from old and from new, newest first */
    uint32_t old_end;                     /* where in old the last segment before this ended */
};

struct kerf_plan_paths {
    struct kerf_plan_node *nodes;
    size_t node_count, node_cap;
    struct kerf_plan_step *decided; /* by new_pos; in place in the order of the runs */
    size_t decided_count, decided_cap;
    struct kerf_plan_state states[2 * KERF_PLAN_STATES_MAX + 16]; /* the caller's */
    unsigned state_count;
    bool no_memory; /* for a node; from then on nothing is right */
};

/* Frees what it holds. */
void kerf_plan_path_close(struct kerf_plan_paths *paths);
/* Makes the state's node, which ends at run_end at the latest. The indices of nodes change, those in states too. */
void kerf_plan_path_add(struct kerf_plan_paths *paths, struct kerf_plan_state *s, size_t run_end);

/* Most states end without a successor: a node is made for those that have one. */
static inline void kerf_plan_path_settle(struct kerf_plan_paths *paths, struct kerf_plan_state *s, size_t run_end)
{
    if (!s->settled) {
        kerf_plan_path_add(paths, s, run_end);
    }
}

/* The segments from `start` on of the path that ends with a node, by new_pos; in place of what *segments holds. */
KERF_MUST_USE kerf_err kerf_plan_path_collect(const struct kerf_work *w, const struct kerf_plan_paths *paths,
                                              uint32_t last, size_t start, struct kerf_segments *segments);

#endif
