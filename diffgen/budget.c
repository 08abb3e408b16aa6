/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host's memory is spent on. The amounts are those of the worst images; what they have less of stays
 * untouched, and so takes none. Everything that decides about bytes of the delta follows from the images and the limit
 * alone, never from the number of threads.
 */
#include "diffgen/work.h"

#define MIB ((uint64_t)1 << 20)
#define PROGRAM (9 * MIB) /* the program, its libraries, and small tables */
#define PLANNER (6 * MIB) /* a planner without what grows with the images: hash tables, nodes, segments */
#define PLAN_BYTE 2u      /* and for each byte of new, where hardly anything goes on for long */
#define HALF (2 * MIB)    /* of the second planner where two make half of a plan each, without its window */
#define SUFFIX_EXTRA (MIB / 2)
#define LZ_BYTE 8u          /* of memory for each byte of new that is looked back at */
#define COPIES_MORE 4u      /* and so much more where what was found is remembered, */
#define LZ_LEAST (1u << 18) /* bytes of new that are looked back at, at least, */
#define LZ_MOST (1u << 22)  /* and at most beside an old image */
#define REF_BYTES 8u        /* of memory for a reference, */
#define MAPPED_BYTES 4u     /* and for its target while a plan is made, */
#define VOTE_BYTES 4u       /* and in large images for its vote while a map is chosen */
#define MATCH_BYTES 4u      /* of memory for each byte of new whose match is remembered */
#define INDEX_LEAST 65536u  /* bytes of the coarse index */
#define DEFAULT_EXTRA 64000000u
#define SCANS 4u     /* that may be kept beside the first */
#define STEP_MOST 8u /* of a suffix array that was thinned: beyond, a coarse index does as well */

static uint64_t limit_of(const struct kerf_work *w)
{
    uint64_t both = (uint64_t)w->old_side.len + w->new_side.len;

    return w->options->memory != 0 ? w->options->memory : 5 * both + DEFAULT_EXTRA;
}

/* Images, their masked copies and bits, what is known of where no reference begins, references. */
static uint64_t scanned(const struct kerf_work *w, uint64_t refs)
{
    uint64_t both = (uint64_t)w->old_side.len + w->new_side.len;
    uint64_t copies = (w->old_side.copy != NULL ? w->old_side.len : 0) +
                      (w->new_side.copy != NULL ? w->new_side.len : 0);

    return both + copies + both * 5 / 16 + (w->image.region_count == 0 ? 0 : both + w->old_side.len + REF_BYTES * refs);
}

/* Memory for each byte of new that is looked back at: plans of large images are made in two halves. */
static uint64_t window_byte(const struct kerf_work *w)
{
    return w->large ? 2 * LZ_BYTE : LZ_BYTE;
}

/* What there must be at least. `refs`, `old_refs`: references of both images, of old. */
static uint64_t least(const struct kerf_work *w, bool plans, uint64_t refs, uint64_t old_refs)
{
    uint64_t both = (uint64_t)w->old_side.len + w->new_side.len;
    /* Segments and payloads of several plans, and what lies between them. */
    uint64_t plan_bytes = w->large ? both / 16 + VOTE_BYTES * old_refs : 0;
    /* For several budgets of RAM literal costs are kept twice more, and what each learns of old is its own. */
    uint64_t budgets = w->large ? 0
                                : (2 + PLAN_BYTE) * (uint64_t)w->new_side.len +
                                      (w->image.region_count > 0 ? w->old_side.len : 0);

    return PROGRAM + scanned(w, refs) + INDEX_LEAST + w->old_side.len / 256 +
           (plans ? w->new_side.len + w->new_side.len / 32 + plan_bytes + budgets + PLANNER + (w->large ? HALF : 0) +
                        MAPPED_BYTES * old_refs + (uint64_t)LZ_LEAST * window_byte(w)
                  : 0);
}

/* Of a whole suffix array; of one that is packed, of one suffix of `step`. */
static uint64_t whole(const struct kerf_work *w)
{
    return 4 * (uint64_t)w->old_side.len + SUFFIX_EXTRA;
}

static uint64_t packed(const struct kerf_work *w, unsigned step)
{
    return ((uint64_t)w->old_side.len / step + 1) * kerf_suffix_bits(w->old_side.len, step) / 8 + SUFFIX_EXTRA;
}

/*
 * What is left of the suffix array when plans are made; what it takes then. For bsdiff's plan there is less in memory
 * than later: then there may be room for a whole one. `wanted`: what others would take. A suffix is worth more than
 * what others can do with its memory.
 */
static uint64_t choose_suffixes(struct kerf_work *w, uint64_t limit, uint64_t refs, uint64_t left, uint64_t wanted)
{
    struct kerf_budget *b = &w->budget;

    if (w->old_side.len > INT32_MAX || PROGRAM + scanned(w, refs) + whole(w) > limit || packed(w, STEP_MOST) > left) {
        b->step = 0;
        return left / 4 * 3;
    }
    b->step = 1;
    b->pack = whole(w) + wanted > left;
    while (b->pack && packed(w, b->step) > left) {
        b->step++;
    }
    return b->pack ? packed(w, b->step) : whole(w);
}

/* Takes at most `most` of what is left. */
static uint64_t take(uint64_t *left, uint64_t most)
{
    uint64_t taken = *left < most ? *left : most;

    *left -= taken;
    return taken;
}

/* Takes `all` of what is left, or nothing. */
static bool take_all(uint64_t *left, uint64_t all)
{
    bool fits = *left >= all;

    *left -= fits ? all : 0;
    return fits;
}

bool kerf_budget_fits(const struct kerf_work *w, bool plans, uint64_t *needed)
{
    uint64_t both = (uint64_t)w->old_side.len + w->new_side.len;

    /* Of references there may be one for each 16 bytes; while they are looked for they take more. */
    *needed = least(w, plans, w->image.region_count == 0 ? 0 : both / 8, both / 32);
    return w->options->memory == 0 || *needed <= w->options->memory;
}

void kerf_budget_set(struct kerf_work *w, bool plans)
{
    struct kerf_budget *b = &w->budget;
    uint64_t old_len = w->old_side.len;
    uint64_t new_len = w->new_side.len;
    uint64_t refs = (uint64_t)w->old_side.ref_count + w->new_side.ref_count;
    uint64_t mapped = MAPPED_BYTES * (uint64_t)w->old_side.ref_count;
    uint64_t fixed = least(w, plans, refs, w->old_side.ref_count);
    uint64_t limit = limit_of(w);
    /* A window of new to look back at, and matches of one byte of new in eight, if that is not too much. */
    uint64_t window = old_len == 0 || new_len < LZ_MOST ? new_len : LZ_MOST;
    uint64_t wanted = window * window_byte(w) + new_len / 8 * MATCH_BYTES;
    uint64_t both = old_len + new_len;
    uint64_t scan = both + both * 5 / 16 + old_len + REF_BYTES * refs; /* of another set of kinds */
    uint64_t left = limit < fixed ? 0 : limit - fixed;

    if (w->order != NULL) {
        left = UINT64_MAX; /* in place, for small devices: everything is looked at again and again */
    }
    b->index = INDEX_LEAST + old_len / 256 + take(&left, choose_suffixes(w, limit, refs, left, wanted));
    b->chains = !plans && b->step == 1 && !b->pack && take_all(&left, kerf_chains_memory(w->old_side.len));
    b->lz_window = (size_t)new_len;
    if (w->order == NULL) {
        b->lz_window = LZ_LEAST + (size_t)(take(&left, window * window_byte(w)) / window_byte(w));
    }
    /* Another set in place of the first: what is masked for it, and where it has no references. */
    b->sets = w->image.region_count > 0 && take_all(&left, 2 * both);
    b->match_pages = (size_t)(take(&left, MATCH_BYTES * new_len) / MATCH_BYTES / KERF_MATCH_PAGE) + 1;
    b->keep_scans = w->image.region_count == 0 || (b->sets && take_all(&left, SCANS * scan));

    uint64_t looked_back = (uint64_t)b->lz_window * window_byte(w);

    b->copies = 0;
    if (plans && !w->large && w->order == NULL && b->lz_window >= new_len) {
        /* What the first planner would look back at makes room for it. */
        b->copies = looked_back + take(&left, COPIES_MORE * new_len);
    }
    /* What one more thread takes: its scan is there; a planner, literal costs, what it learns about old. */
    uint64_t one = PLANNER + mapped + looked_back + (1 + PLAN_BYTE) * new_len + old_len;

    b->jobs = 1;
    while (b->keep_scans && b->jobs < w->options->jobs && left >= one) {
        left -= one;
        b->jobs++;
    }
}
