/* SPDX-License-Identifier: Apache-2.0 */
/*
 * polish.h - the last changes to a plan. Prices are averages; here segments are left out, joined, cut and given other
 * ends by what that costs where they stand, as the coder's counters are there.
 */
#ifndef KERF_DIFFGEN_POLISH_H
#define KERF_DIFFGEN_POLISH_H

#include "diffgen/work.h"

/* A stretch of a plan for new[.. end). */
struct kerf_polish_part {
    struct kerf_segments segments; /* the caller's; polished */
    size_t from;                   /* those before are coded as they are, and stay */
    kerf_pos end;                  /* all of them end there or before */
    kerf_cost literal_work;        /* what one more literal is to gain, for the work that it is to devices */
};

/*
 * Polishes part->segments from number part->from on, as they cost with this header, whose map_cap becomes map->count, and
 * map. `thorough`: many more changes are tried. Not in place. w->old_side.nothing is written to.
 */
KERF_MUST_USE kerf_err kerf_polish(const struct kerf_work *w, struct kerf_header *header, const struct kerf_map *map,
                                   bool thorough, struct kerf_polish_part *part);

#endif
