/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_part.h - a stretch of new is planned on its own: what plan.c does, and plan_parts.c puts together.
 */
#ifndef KERF_DIFFGEN_PLAN_PART_H
#define KERF_DIFFGEN_PLAN_PART_H

#include "diffgen/work.h"

/* Threads may plan different parts at the same time. */
struct kerf_plan_part {
    struct kerf_work *w;
    const struct kerf_prices *prices;
    const uint32_t *mapped;        /* kerf_addrmap_targets() */
    const struct kerf_map *by_new; /* kerf_addrmap_sort() */
    size_t start, end;             /* of new; in place: all of it */
    /* The plan before, up to the segment from old inside of which this part starts; its count is 0: nothing goes on. */
    struct kerf_segments before;
};

/* In place of what *segments holds. */
KERF_MUST_USE kerf_err kerf_plan_part(const struct kerf_plan_part *part, struct kerf_segments *segments);

#endif
