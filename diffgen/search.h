/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.h - the steps by which strategy.c and refine.c look for the best plan.
 */
#ifndef KERF_DIFFGEN_SEARCH_H
#define KERF_DIFFGEN_SEARCH_H

#include "diffgen/work.h"

/* How hard a level tries. */
struct kerf_effort {
    uint8_t rounds;       /* of planning by cost */
    uint8_t first_splits; /* splits of RAM tried with bsdiff's plan, */
    uint8_t last_splits;  /* and with the final one */
    uint8_t kinds; /* sets of reference kinds: 0: all; 1: by bsdiff's plan; n: the best n by a planned round too */
    uint8_t
        polish; /* how often the plan is polished in the end: 0: not; 1: with the changes that mostly gain; n: n - 1 times with all */
};

/* What one thread works with; several may share images, suffix array and matches. */
struct kerf_search {
    struct kerf_work *w;
    struct kerf_header *header;
    uint64_t ram;   /* that what is made now is made for */
    uint64_t least; /* the least of what is made from it */
    const struct kerf_effort *effort;
    const struct kerf_image *all; /* with every kind that was recognised */
    unsigned jobs;                /* how many trials at a time */
    uint32_t literal_scale;       /* in place of that of a plan's prices; 0: that */
};

/* A set of kinds, and the plan made with it. */
struct kerf_trial {
    struct kerf_work own, *w; /* w: own, but the search's for all kinds */
    struct kerf_header header;
    struct kerf_plan plan;
    bool scanned;
    bool wanted;      /* in the round that goes on */
    kerf_cost greedy; /* what bsdiff's plan costs */
    size_t len;       /* of a delta by this plan, header included: regions that serve nothing cost bytes */
    kerf_err err;
};

void kerf_search_tell(const struct kerf_work *w, const char *stage, uint64_t done, uint64_t total);
/*
 * A view of the same scans, for coding at the same time: what is learned about old on the way is its own, to be freed:
 * own->old_side.nothing.
 */
KERF_MUST_USE kerf_err kerf_search_share(const struct kerf_work *w, struct kerf_work *own);
KERF_MUST_USE kerf_err kerf_search_copy_segments(const struct kerf_segments *from, struct kerf_segments *to);
/* A plan with all that was made of it. */
KERF_MUST_USE kerf_err kerf_search_copy(const struct kerf_plan *from, struct kerf_plan *to);
/* The map for a plan's segments, unless it has one, and what coding both costs; gives up when it loses against `rival` (NULL: never). */
KERF_MUST_USE kerf_err kerf_search_race(const struct kerf_search *s, struct kerf_header *header, struct kerf_plan *plan,
                                        const struct kerf_encoding *rival, unsigned margin);
/*
 * One round of planning from what the last plan cost, or *best where that is empty; *best takes the new plan if it is
 * cheaper, else *last does. `measure`: literal costs are measured anew on the way.
 */
KERF_MUST_USE kerf_err kerf_search_round(struct kerf_search *s, struct kerf_plan *best, struct kerf_plan *last,
                                         bool measure);
/* How long a delta of this plan is; SIZE_MAX: it was given up. */
size_t kerf_search_len(const struct kerf_search *s, const struct kerf_header *header, const struct kerf_plan *plan);
/*
 * Hardly anything is saved, or hardly anything is left but literals that nothing packs: no effort will change that, and
 * coding so many takes long.
 */
bool kerf_search_is_noise(const struct kerf_search *s, const struct kerf_plan *plan);
bool kerf_search_same_split(const struct kerf_header *a, const struct kerf_header *b);
/*
 * The split of the budget that fits this plan best: the same segments, with the map that each has room for. The plan
 * was priced with the split of the header.
 */
KERF_MUST_USE kerf_err kerf_search_split(struct kerf_search *s, unsigned attempts, struct kerf_plan *plan);
/* Rounds of planning from what the plan costs, then the split that fits what came out. */
KERF_MUST_USE kerf_err kerf_search_rounds(struct kerf_search *s, struct kerf_plan *plan);

/* --- polish_parts.c --- */
/* The last changes to a plan: see polish.h. */
KERF_MUST_USE kerf_err kerf_search_polish(const struct kerf_search *s, struct kerf_plan *plan);

/* --- refine.c --- */
/* From a plan for the default budget the one for `ram` bytes, and what goes into s->header. */
KERF_MUST_USE kerf_err kerf_refine(struct kerf_search *s, uint64_t ram, const struct kerf_trial *start,
                                   struct kerf_plan *plan);

#endif
