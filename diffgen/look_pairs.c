/* SPDX-License-Identifier: Apache-2.0 */
/* Which stretch of old belongs to which of new. */
#include <string.h>

#include "diffgen/look.h"

/* Regions that follow each other at one displacement become one across a gap of at most this: headers, padding. */
#define MAX_GAP 4096u

/* Drops what is too short for a region, unless nothing would be left. */
static void drop_tiny(struct kerf_layout *layout)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < layout->span_count; i++) {
        if (layout->spans[i].len >= KERF_MIN_REGION || (kept == 0 && i + 1 == layout->span_count)) {
            layout->spans[kept++] = layout->spans[i];
        }
    }
    layout->span_count = kept;
}

/* How well two stretches fit: 0 not at all. */
static unsigned likeness(const struct kerf_span *a, const struct kerf_span *b)
{
    uint64_t distance = a->addr > b->addr ? a->addr - b->addr : b->addr - a->addr;

    if (a->code != b->code) {
        return distance == 0;
    }
    return distance == 0 ? 4 : distance < 0x10000 ? 3 : distance < 0x400000 ? 2 : 0;
}

/* The shorter one counts: a long stretch must not be given up for two short ones. */
static uint64_t worth(const struct kerf_span *a, const struct kerf_span *b)
{
    return likeness(a, b) * (a->len < b->len ? a->len : b->len);
}

/* Pairs stretches in order such that what they are worth adds up to the most. */
static void pair_spans(const struct kerf_layout *old_layout, const struct kerf_layout *new_layout,
                       struct kerf_look_pairs *pairs)
{
    static const uint64_t zeros[KERF_MAX_SPANS + 1];
    uint64_t best[KERF_MAX_SPANS + 1][KERF_MAX_SPANS + 1]; /* of the spans from i and from j on */
    unsigned n = old_layout->span_count;
    unsigned m = new_layout->span_count;
    unsigned i = 0;
    unsigned j = 0;

    memcpy(best[n], zeros, sizeof zeros);
    for (i = n; i-- > 0;) {
        best[i][m] = 0;
        for (j = m; j-- > 0;) {
            uint64_t like = worth(&old_layout->spans[i], &new_layout->spans[j]);
            uint64_t v = best[i + 1][j] > best[i][j + 1] ? best[i + 1][j] : best[i][j + 1];

            best[i][j] = like > 0 && best[i + 1][j + 1] + like > v ? best[i + 1][j + 1] + like : v;
        }
    }
    pairs->count = 0;
    for (i = 0, j = 0; i < n && j < m;) {
        if (best[i][j] == best[i + 1][j]) {
            i++;
        } else if (best[i][j] == best[i][j + 1]) {
            j++;
        } else {
            pairs->at[pairs->count++] = (struct kerf_look_pair){old_layout->spans[i++], new_layout->spans[j++]};
        }
    }
}

static bool continues(const struct kerf_span *a, const struct kerf_span *b)
{
    return a->code == b->code && b->addr - a->addr == b->pos - a->pos && b->pos - a->pos - a->len <= MAX_GAP;
}

static void remove_pair(struct kerf_look_pairs *pairs, unsigned i)
{
    pairs->count--;
    memmove(&pairs->at[i], &pairs->at[i + 1], (pairs->count - i) * sizeof pairs->at[0]);
}

/* Joins what is one stretch, and drops the smallest until they fit the header. */
static void reduce(struct kerf_look_pairs *pairs)
{
    for (unsigned i = 0; i + 1 < pairs->count;) {
        struct kerf_look_pair *a = &pairs->at[i];
        const struct kerf_look_pair *b = &pairs->at[i + 1];

        if (continues(&a->old_span, &b->old_span) && continues(&a->new_span, &b->new_span)) {
            a->old_span.len = b->old_span.pos + b->old_span.len - a->old_span.pos;
            a->new_span.len = b->new_span.pos + b->new_span.len - a->new_span.pos;
            remove_pair(pairs, i + 1);
        } else {
            i++;
        }
    }
    while (pairs->count > KERF_MAX_REGIONS) {
        unsigned small = 0;

        for (unsigned i = 1; i < pairs->count; i++) {
            if (pairs->at[i].old_span.len + pairs->at[i].new_span.len <
                pairs->at[small].old_span.len + pairs->at[small].new_span.len) {
                small = i;
            }
        }
        remove_pair(pairs, small);
    }
}

void kerf_look_pair(struct kerf_look_side sides[2], struct kerf_look_pairs *pairs)
{
    drop_tiny(&sides[0].layout);
    drop_tiny(&sides[1].layout);
    pair_spans(&sides[0].layout, &sides[1].layout, pairs);
    reduce(pairs);
}
