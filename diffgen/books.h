/* SPDX-License-Identifier: Apache-2.0 */
/*
 * books.h - what the parts of a plan cost when it was coded, and the prices that follow for the next one.
 */
#ifndef KERF_DIFFGEN_BOOKS_H
#define KERF_DIFFGEN_BOOKS_H

#include "diffgen/work.h"

/* A sum and how many it is of; averages lean on a start value until there are enough. */
struct kerf_average {
    kerf_cost sum;
    uint64_t count;
};

static inline void kerf_books_add(struct kerf_average *a, kerf_cost cost)
{
    a->sum += cost;
    a->count++;
}

/* How often numbers were so many bits long. */
struct kerf_histogram {
    uint32_t count[KERF_PRICE_BITS];
};

/* How often numbers were what, by new_pos modulo 4. */
struct kerf_phased {
    uint32_t count[4][KERF_PRICE_SYMBOLS];
};

/* What a segment from new cost beside its numbers. */
enum kerf_books_place {
    KERF_BOOKS_PLACE_FAR,
    KERF_BOOKS_PLACE_AGAIN,
    KERF_BOOKS_PLACE_OLDER,
    KERF_BOOKS_PLACES,
};

/* What a coding cost, for the prices of the next plan. */
struct kerf_books {
    struct kerf_average equal[16][2], residue, far, ref_right, ref_wrong, ram_right, ram_wrong;
    struct kerf_average place[KERF_BOOKS_PLACES][KERF_BETWEEN], jump[KERF_JUMPS]; /* without numbers */
    kerf_cost numbers[2][2]; /* what numbers of segments cost: by source; far and others */
    struct kerf_phased gap, new_len, new_len_again;
    struct kerf_histogram old_len, old_distance, new_distance[2];
    uint32_t new_low[2][4][4]; /* of the latter, what their lowest bits were by new_pos modulo 4 */
    kerf_cost literal, literal_estimate;
};

/* Log2 of a number, KERF_PRICE_BITS - 1 at most: what the histograms count by. */
static inline unsigned kerf_books_bits(uint64_t v)
{
    unsigned n = 0;

    while (v > 1 && n < KERF_PRICE_BITS - 1) {
        v >>= 1;
        n++;
    }
    return n;
}

/* Fills in all prices but the map's and the literals' that are measured one by one. Clears nothing. */
void kerf_books_close(const struct kerf_books *books, struct kerf_prices *prices);
/*
 * What changes cost is not what they cost on average: what is wrong spoils contexts and the map's credit too, and
 * segments from new are cheaper the more there are, so that a plan with few of them would never be left. The latter
 * where most is copied from old alone.
 */
void kerf_books_lean(struct kerf_prices *prices, bool mostly_old);

#endif
