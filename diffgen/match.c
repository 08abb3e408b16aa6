/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest matches through a suffix array of the masked old image (libdivsufsort), and the choice of segments that
 * bsdiff makes (C. Percival, "Naive differences of executable code", 2003): the plan that others must beat.
 */
#include <divsufsort.h>
#include <stdatomic.h>
#include <string.h>

#include "common/bytes.h"
#include "diffgen/tasks.h"
#include "diffgen/work.h"

#define COMPARE_MAX 4096u        /* bytes compared in one step of the binary search */
#define UNKNOWN (UINT32_MAX - 1) /* not looked up yet */
#define PACKED_PAD 8u            /* bytes behind the last one of a packed suffix array: it is read eight at a time */
#define MATCH_MIN 4              /* bytes of a match that is worth a segment */
#define MIN_GAIN 8               /* a new match must be better than the running one by more than this many bytes */
#define HOLD 8                   /* quick: a match that is not better holds for one in so many of its bytes */

/*
 * Plans ask where new changed, round for round the same places: pages of new, made when they are asked for. Threads
 * that plan at the same time share them, since all would find the same.
 */
struct kerf_match_memory {
    size_t count;
    atomic_size_t left;                  /* pages that there is still memory for */
    _Atomic(_Atomic uint32_t *) pages[]; /* KERF_MATCH_PAGE positions in old each; NULL: none yet */
};

/*
 * Where the suffixes that begin with two given bytes lie in the suffix array: from w->buckets[pair] to before the next
 * pair's. The search begins there, which saves the steps that miss the cache most.
 */
static void fill_buckets(struct kerf_work *w)
{
    const uint8_t *bytes = w->old_side.masked_of_all;
    size_t len = w->old_side.len;
    uint32_t start = 0;

    memset(w->buckets, 0, 65537 * sizeof *w->buckets);
    for (size_t i = 0; i + 1 < len; i += w->suffix_step) {
        w->buckets[(size_t)bytes[i] << 8 | bytes[i + 1]]++;
    }
    for (unsigned pair = 0; pair < 65536; pair++) {
        uint32_t count = w->buckets[pair];

        /* The last byte alone comes before all that begin with it. */
        start += len > 0 && (len - 1) % w->suffix_step == 0 && pair == (unsigned)bytes[len - 1] << 8;
        w->buckets[pair] = start;
        start += count;
    }
    w->buckets[65536] = start;
}

kerf_err kerf_match_sort(struct kerf_work *w, bool chains)
{
    size_t len = w->old_side.len;

    if (chains) {
        return kerf_chains_open(&w->old_side, w->new_side.len, &w->chains);
    }
    w->suffixes = malloc((len + 1) * sizeof *w->suffixes);
    if (w->suffixes == NULL || (len > 0 && divsufsort(w->old_side.masked_of_all, w->suffixes, (saidx_t)len) != 0)) {
        return KERF_ERR_RAM;
    }
    w->suffix_step = 1;
    w->suffix_count = len;
    return KERF_OK;
}

kerf_err kerf_match_prepare(struct kerf_work *w)
{
    size_t pages = w->new_side.len / KERF_MATCH_PAGE + 1;
    kerf_err err = KERF_OK;

    w->matches = calloc(1, sizeof *w->matches + pages * sizeof w->matches->pages[0]);
    if (w->matches == NULL) {
        return KERF_ERR_RAM;
    }
    w->matches->count = pages;
    atomic_init(&w->matches->left, w->budget.match_pages);
    if (w->budget.step == 0) {
        free(w->suffixes);
        w->suffixes = NULL;
        return kerf_coarse_open(&w->old_side, w->budget.index, &w->coarse);
    }
    if (w->suffixes == NULL && w->chains == NULL) {
        err = kerf_match_sort(w, w->budget.chains);
    }
    if (err != KERF_OK || w->chains != NULL) {
        return err;
    }
    w->buckets = malloc(65537 * sizeof *w->buckets);
    if (w->buckets == NULL) {
        return KERF_ERR_RAM;
    }
    fill_buckets(w);
    return KERF_OK;
}

void kerf_match_thin(struct kerf_work *w)
{
    if (w->suffixes == NULL || !w->budget.pack) {
        return;
    }
    unsigned step = w->budget.step;
    unsigned bits = kerf_suffix_bits(w->old_side.len, step);
    uint8_t *packed = (uint8_t *)w->suffixes; /* takes the place of what was read */
    uint64_t waiting = 0;
    unsigned waiting_bits = 0;
    size_t count = 0;
    size_t len = 0;

    for (size_t i = 0; i < w->suffix_count; i++) {
        uint32_t at = (uint32_t)w->suffixes[i];

        if (at % step != 0) {
            continue;
        }
        waiting |= (uint64_t)(at / step) << waiting_bits;
        waiting_bits += bits;
        for (; waiting_bits >= 8; waiting_bits -= 8) {
            packed[len++] = (uint8_t)waiting;
            waiting >>= 8;
        }
        count++;
    }
    packed[len++] = (uint8_t)waiting; /* there was room for one position more */
    uint8_t *fewer = realloc(w->suffixes, len + PACKED_PAD);

    w->packed = fewer != NULL ? fewer : packed;
    w->suffixes = NULL;
    w->suffix_count = count;
    w->suffix_step = step;
    w->suffix_bits = bits;
    fill_buckets(w);
}

/* The position of the i-th suffix. */
static inline size_t suffix_at(const struct kerf_work *w, size_t i)
{
    if (w->suffixes != NULL) {
        return (size_t)w->suffixes[i];
    }
    uint64_t bit = (uint64_t)i * w->suffix_bits;
    uint64_t bits = kerf_load_le64(w->packed + bit / 8) >> bit % 8;

    return (size_t)(bits & ((1u << w->suffix_bits) - 1)) * w->suffix_step;
}

void kerf_match_free(struct kerf_work *w)
{
    kerf_chains_close(w->chains);
    kerf_coarse_close(w->coarse);
    free(w->suffixes);
    free(w->packed);
    free(w->buckets);
    for (size_t i = 0; w->matches != NULL && i < w->matches->count; i++) {
        free((void *)atomic_load_explicit(&w->matches->pages[i], memory_order_relaxed));
    }
    free(w->matches);
    w->chains = NULL;
    w->coarse = NULL;
    w->suffixes = NULL;
    w->packed = NULL;
    w->buckets = NULL;
    w->matches = NULL;
}

size_t kerf_match_longest(const struct kerf_work *w, size_t new_pos, size_t *old_pos)
{
    const uint8_t *old_bytes = w->old_side.masked_of_all;
    const uint8_t *p = w->new_side.masked_of_all + new_pos;
    size_t old_len = w->old_side.len;
    size_t p_len = w->new_side.len - new_pos;
    size_t low = 0;
    size_t high = w->suffix_count;
    size_t low_len = 0; /* bytes that suffix[low] and p have in common; those between share the fewer of both */
    size_t high_len = 0;

    *old_pos = 0;
    if (old_len == 0) {
        return 0;
    }
    if (w->coarse != NULL) {
        return kerf_coarse_longest(w->coarse, &w->old_side, &w->new_side, new_pos, old_pos);
    }
    if (p_len >= 2) {
        size_t pair = (size_t)p[0] << 8 | p[1];

        low = w->buckets[pair] > 0 ? w->buckets[pair] - 1 : 0;
        high = w->buckets[pair + 1];
    }
    /* suffix[low] is not greater than p (or the first), suffix[high] is greater. */
    while (high - low >= 2) {
        size_t mid = low + (high - low) / 2;
        size_t at = suffix_at(w, mid);
        size_t n = old_len - at < p_len ? old_len - at : p_len;
        size_t most = n < COMPARE_MAX ? n : COMPARE_MAX;
        size_t len = kerf_match_common(old_bytes + at, p, low_len < high_len ? low_len : high_len, most);

        /* A suffix that p begins with is less than p. */
        if (len < most ? old_bytes[at + len] < p[len] : most < COMPARE_MAX && most < p_len) {
            low = mid;
            low_len = len;
        } else {
            high = mid;
            high_len = len;
        }
    }
    size_t a = suffix_at(w, low);
    size_t b = suffix_at(w, high < w->suffix_count ? high : low);
    size_t a_len = kerf_match_common(old_bytes + a, p, low_len, old_len - a < p_len ? old_len - a : p_len);
    size_t b_len = kerf_match_common(old_bytes + b, p, high < w->suffix_count ? high_len : low_len,
                                     old_len - b < p_len ? old_len - b : p_len);

    *old_pos = a_len > b_len ? a : b;
    return a_len > b_len ? a_len : b_len;
}

/* Where the answer for a byte of new is kept; NULL: no memory for it. */
static _Atomic uint32_t *recall(const struct kerf_work *w, size_t new_pos)
{
    _Atomic(_Atomic uint32_t *) *place = &w->matches->pages[new_pos / KERF_MATCH_PAGE];
    _Atomic uint32_t *page = atomic_load_explicit(place, memory_order_acquire);

    if (page == NULL) {
        bool room = atomic_load(&w->matches->left) >
                    0; /* two threads may see the last one: that is one too many, no more */
        _Atomic uint32_t *made = room ? malloc(KERF_MATCH_PAGE * sizeof *made) : NULL;

        for (size_t i = 0; made != NULL && i < KERF_MATCH_PAGE; i++) {
            atomic_init(&made[i], UNKNOWN);
        }
        if (made != NULL && atomic_compare_exchange_strong(place, &page, made)) {
            page = made;
            atomic_fetch_sub(&w->matches->left, 1);
        } else {
            free((void *)made); /* another thread was quicker: its page */
        }
    }
    return page != NULL ? &page[new_pos % KERF_MATCH_PAGE] : NULL;
}

/* What kerf_match_longest() finds there. */
static uint32_t find_at(const struct kerf_work *w, size_t new_pos)
{
    _Atomic uint32_t *known = recall(w, new_pos);
    uint32_t match = known == NULL ? UNKNOWN : atomic_load_explicit(known, memory_order_relaxed);
    size_t at;

    if (match == UNKNOWN) {
        match = kerf_match_longest(w, new_pos, &at) >= MATCH_MIN ? (uint32_t)at : KERF_MATCH_NONE;
        if (known != NULL) {
            atomic_store_explicit(known, match, memory_order_relaxed);
        }
    }
    return match;
}

uint32_t kerf_match_at(const struct kerf_work *w, size_t new_pos)
{
    const uint8_t *p = w->new_side.masked_of_all + new_pos;
    size_t left = w->new_side.len - new_pos < COMPARE_MAX ? w->new_side.len - new_pos : COMPARE_MAX;
    uint32_t best = find_at(w, new_pos);
    size_t best_len = 0;

    /* Of a match between the positions that are left a later byte lies at one of them. */
    for (size_t ahead = 0; w->suffix_step > 1 && ahead < w->suffix_step && ahead < left; ahead++) {
        uint32_t at = find_at(w, new_pos + ahead);

        if (at == KERF_MATCH_NONE || at < ahead) {
            continue;
        }
        size_t start = at - ahead;
        size_t len = kerf_match_common(w->old_side.masked_of_all + start, p, 0,
                                       w->old_side.len - start < left ? w->old_side.len - start : left);

        if (len > best_len && len >= MATCH_MIN) {
            best_len = len;
            best = (uint32_t)start;
        }
    }
    return best;
}

kerf_err kerf_segments_add(struct kerf_segments *segments, const struct kerf_segment *segment)
{
    if (segments->list == NULL || segments->count == segments->cap) {
        size_t cap = segments->cap == 0 ? 256 : segments->cap * 2;
        struct kerf_segment *grown = realloc(segments->list, cap * sizeof *grown);

        if (grown == NULL) {
            return KERF_ERR_RAM;
        }
        segments->list = grown;
        segments->cap = cap;
    }
    segments->list[segments->count++] = *segment;
    return KERF_OK;
}

kerf_err kerf_segments_join(struct kerf_segments *segments, const struct kerf_segments *part)
{
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < part->count; i++) {
        const struct kerf_segment *s = &part->list[i];
        struct kerf_segment *last = segments->count > 0 ? &segments->list[segments->count - 1] : NULL;

        if (last != NULL && last->from_new == s->from_new && last->new_pos + last->len == s->new_pos &&
            last->src_pos + last->len == s->src_pos) {
            last->len += s->len;
        } else {
            err = kerf_segments_add(segments, s);
        }
    }
    return err;
}

/* bsdiff's state between two matches. */
struct greedy {
    const uint8_t *o, *n;
    ptrdiff_t o_len, n_len;
    ptrdiff_t last_scan, last_pos, last_offset;
};

/* How far the last match goes forward towards `scan`. */
static ptrdiff_t extend_forward(const struct greedy *g, ptrdiff_t scan)
{
    ptrdiff_t score = 0;
    ptrdiff_t best = 0;
    ptrdiff_t len = 0;

    for (ptrdiff_t i = 0; g->last_scan + i < scan && g->last_pos + i < g->o_len;) {
        score += g->o[g->last_pos + i] == g->n[g->last_scan + i];
        i++;
        if (score * 2 - i > best * 2 - len) {
            best = score;
            len = i;
        }
    }
    return len;
}

/* How far the next match (at scan, pos) goes backward. */
static ptrdiff_t extend_backward(const struct greedy *g, ptrdiff_t scan, ptrdiff_t pos)
{
    ptrdiff_t score = 0;
    ptrdiff_t best = 0;
    ptrdiff_t len = 0;

    if (scan >= g->n_len) {
        return 0;
    }
    for (ptrdiff_t i = 1; scan >= g->last_scan + i && pos >= i; i++) {
        score += g->o[pos - i] == g->n[scan - i];
        if (score * 2 - i > best * 2 - len) {
            best = score;
            len = i;
        }
    }
    return len;
}

/* Where the two extensions overlap, finds the best point to change over. */
static void share_overlap(const struct greedy *g, ptrdiff_t scan, ptrdiff_t pos, ptrdiff_t *forward,
                          ptrdiff_t *backward)
{
    ptrdiff_t overlap = g->last_scan + *forward - (scan - *backward);
    ptrdiff_t score = 0;
    ptrdiff_t best = 0;
    ptrdiff_t best_at = 0;

    if (overlap <= 0) {
        return;
    }
    for (ptrdiff_t i = 0; i < overlap; i++) {
        score += g->n[g->last_scan + *forward - overlap + i] == g->o[g->last_pos + *forward - overlap + i];
        score -= g->n[scan - *backward + i] == g->o[pos - *backward + i];
        if (score > best) {
            best = score;
            best_at = i + 1;
        }
    }
    *forward += best_at - overlap;
    *backward -= best_at;
}

/* How many bytes of new from `from` to before `to` are what old has at the last offset. */
static ptrdiff_t score(const struct greedy *g, ptrdiff_t from, ptrdiff_t to)
{
    ptrdiff_t first = g->last_offset < 0 && from < -g->last_offset ? -g->last_offset : from;
    ptrdiff_t end = to < g->o_len - g->last_offset ? to : g->o_len - g->last_offset;
    size_t count = 0;

    for (ptrdiff_t i = first; i < end; i++) {
        count += g->o[i + g->last_offset] == g->n[i];
    }
    return (ptrdiff_t)count;
}

/* The longest match at `scan`, as far as new goes here. */
static ptrdiff_t longest(const struct kerf_work *w, const struct greedy *g, ptrdiff_t scan, size_t *pos)
{
    size_t new_pos = (size_t)scan;
    size_t len = w->chains != NULL ? kerf_chains_longest(w->chains, &w->old_side, &w->new_side, new_pos,
                                                         (size_t)(scan + g->last_offset), pos)
                                   : kerf_match_longest(w, new_pos, pos);

    return (ptrdiff_t)len < g->n_len - scan ? (ptrdiff_t)len : g->n_len - scan;
}

/* From `start` to before `end` of new. */
static kerf_err greedy_part(const struct kerf_work *w, bool quick, size_t start, size_t end,
                            struct kerf_segments *segments)
{
    struct greedy g = {w->old_side.masked_of_all,
                       w->new_side.masked_of_all,
                       (ptrdiff_t)w->old_side.len,
                       (ptrdiff_t)end,
                       (ptrdiff_t)start,
                       (ptrdiff_t)start,
                       0};
    ptrdiff_t scan = (ptrdiff_t)start;
    ptrdiff_t len = 0;
    size_t pos = 0;

    while (scan < g.n_len) {
        ptrdiff_t old_score = 0;
        ptrdiff_t scored = scan += len;
        ptrdiff_t held = 0;

        for (; scan < g.n_len; scan++) {
            if (held > 0) {
                held--;
                len--;
                pos++;
            } else {
                len = longest(w, &g, scan, &pos);
                held = quick ? len / HOLD : 0;
            }
            if (scored < scan + len) {
                old_score += score(&g, scored, scan + len);
                scored = scan + len;
            }
            if ((len == old_score && len != 0) || len > old_score + MIN_GAIN) {
                break;
            }
            ptrdiff_t at = scan + g.last_offset;

            old_score -= at >= 0 && at < g.o_len && g.o[at] == g.n[scan];
        }
        if (len == old_score && scan != g.n_len) {
            continue;
        }
        ptrdiff_t forward = extend_forward(&g, scan);
        ptrdiff_t backward = extend_backward(&g, scan, (ptrdiff_t)pos);

        share_overlap(&g, scan, (ptrdiff_t)pos, &forward, &backward);
        if (forward > 0) {
            struct kerf_segment s = {(kerf_pos)g.last_scan, (kerf_pos)g.last_pos, (kerf_pos)forward, false};
            kerf_err err = kerf_segments_add(segments, &s);

            if (err != KERF_OK) {
                return err;
            }
        }
        g.last_scan = scan - backward;
        g.last_pos = (ptrdiff_t)pos - backward;
        g.last_offset = (ptrdiff_t)pos - scan;
    }
    return KERF_OK;
}

/* Of large images each half is looked at by itself, whatever the number of threads. */
struct halves {
    const struct kerf_work *w;
    bool quick;
    unsigned count;
    struct kerf_segments segments[2];
    kerf_err err[2];
};

static void find_half(void *ctx, unsigned index)
{
    struct halves *h = ctx;
    size_t len = h->w->new_side.len;

    h->err[index] = greedy_part(h->w, h->quick, index == 0 ? 0 : len / 2, index + 1 == h->count ? len : len / 2,
                                &h->segments[index]);
}

kerf_err kerf_match_greedy(const struct kerf_work *w, bool quick, struct kerf_segments *segments)
{
    struct halves h = {.w = w, .quick = quick || w->large, .count = w->large && w->chains == NULL ? 2 : 1};

    if (h.count == 1) {
        return greedy_part(w, h.quick, 0, w->new_side.len, segments);
    }
    kerf_tasks_run(w->options->jobs, h.count, find_half, &h);

    kerf_err err = h.err[0] != KERF_OK ? h.err[0] : h.err[1];

    for (unsigned i = 0; i < h.count; i++) {
        err = err == KERF_OK ? kerf_segments_join(segments, &h.segments[i]) : err;
        free(h.segments[i].list);
    }
    return err;
}
