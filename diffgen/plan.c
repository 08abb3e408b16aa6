/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments by cost: a dynamic program over the positions of new. A state is a source for the next byte: a literal, old
 * at some distance, or new at some distance; every byte is priced as the last coding round paid, and changing the
 * source costs what a segment costs. States that can't win any more are dropped, so only a few are alive at a time.
 */
#include <string.h>

#include "diffgen/lz.h"
#include "diffgen/plan_part.h"
#include "diffgen/plan_path.h"

#define RECENT_MAX 6  /* distances of states that were dropped a while ago: worth another try */
#define SLACK_BITS 10 /* a state may be this much worse than the best one plus the price of a segment */
#define SURE_LEN 48   /* the best state goes on for that long at least: nothing else is looked for */
#define SURE_MAX 1024 /* or offered up to its last SURE_END bytes; so many are looked at */
#define SURE_END 48
#define SURE_STEP 32 /* one place in so many is noted there */
#define HOP_MAX 4    /* bytes between two copies from new at one distance that are tried at once */
#define SURE_SKIP 32 /* literals that go on: so many bytes, since a copy of them may be cheaper */

struct planner {
    struct kerf_work *w;
    const struct kerf_prices *prices;
    const uint32_t *mapped;        /* for each old reference, the target that the map predicts */
    const struct kerf_map *by_new; /* the map's entries in the order of new */
    struct kerf_plan_paths paths;
    int64_t recent[RECENT_MAX];
    unsigned recent_count;
    struct kerf_lz *lz;  /* NULL: w->copies knows, or */
    bool no_new;         /* there is no copying from new */
    size_t search_from;  /* before, nothing is offered: */
    uint8_t sure_source; /* this source goes on */
    int64_t sure_distance;
    size_t run_end; /* of new, in place of the run of sectors */
};

/* The cheapest state; NULL: all copy from old, and `old_too` is false. */
static struct kerf_plan_state *best_of(struct planner *p, bool old_too)
{
    struct kerf_plan_state *best = NULL;

    for (unsigned i = 0; i < p->paths.state_count; i++) {
        if ((old_too || p->paths.states[i].source != KERF_PLAN_OLD) &&
            (best == NULL || p->paths.states[i].cost < best->cost)) {
            best = &p->paths.states[i];
        }
    }
    return best;
}

/* Offers a change from the best state to another source, whose distance is 0 if it is literals, at `cost` in all. */
static void offer(struct planner *p, size_t new_pos, enum kerf_plan_source source, int64_t distance, int64_t cost,
                  uint32_t parent, bool again)
{
    struct kerf_plan_state *s = NULL;

    for (unsigned i = 0; i < p->paths.state_count; i++) {
        if (p->paths.states[i].distance == distance && p->paths.states[i].source == source) {
            s = &p->paths.states[i];
            break;
        }
    }
    if (s != NULL && s->cost <= cost) {
        return;
    }
    if (s == NULL) {
        if (p->paths.state_count == sizeof p->paths.states / sizeof p->paths.states[0]) {
            return;
        }
        s = &p->paths.states[p->paths.state_count++];
    }
    *s = (struct kerf_plan_state){.cost = cost,
                                  .distance = distance,
                                  .node = parent,
                                  .new_pos = (uint32_t)new_pos,
                                  .source = (uint8_t)source,
                                  .gap = 8,
                                  .again = again};
}

/* Has a source its byte for new_pos? */
static bool has_source(const struct planner *p, size_t new_pos, enum kerf_plan_source source, int64_t distance)
{
    const struct kerf_work *w = p->w;
    int64_t at = (int64_t)new_pos + distance;

    if (source == KERF_PLAN_LITERAL) {
        return true;
    }
    if (at < 0 || at >= (int64_t)(source == KERF_PLAN_OLD ? w->old_side.len : w->new_side.len)) {
        return false;
    }
    if (w->order == NULL) {
        return true;
    }
    return source == KERF_PLAN_OLD ? kerf_order_has_old(w->order, new_pos >> w->order->sector_log2, (size_t)at)
                                   : kerf_order_has_new(w->order, new_pos, (size_t)at);
}

static uint64_t length_of(int64_t distance)
{
    return distance < 0 ? (uint64_t)-distance : (uint64_t)distance;
}

static unsigned log2_of(uint64_t v)
{
    return 63u - (unsigned)__builtin_clzll(v | 1);
}

static void offer_new(struct planner *p, size_t n, const struct kerf_plan_state *best,
                      const struct kerf_lz_match *found, unsigned count)
{
    const struct kerf_prices *prices = p->prices;
    const uint8_t *bytes = p->w->new_side.bytes;
    const int32_t *recent = p->paths.nodes[best->node].recent[KERF_PLAN_NEW];
    unsigned place = kerf_work_place(p->w, n);
    int32_t again[KERF_PLAN_RECENTS];
    unsigned between = kerf_price_between(best->source == KERF_PLAN_LITERAL ? n - best->new_pos : 0);

    memcpy(again, recent, sizeof again);
    for (unsigned i = 0; i < KERF_PLAN_RECENTS; i++) {
        if (again[i] != 0 && has_source(p, n, KERF_PLAN_NEW, again[i]) && bytes[(int64_t)n + again[i]] == bytes[n] &&
            (i == 0 || bytes[(int64_t)n + again[i] + 1] == bytes[n + 1])) {
            offer(p, n, KERF_PLAN_NEW, again[i],
                  best->cost + (int64_t)((i == 0 ? prices->new_again : prices->new_older)[between] +
                                         prices->new_len_again[place][1]),
                  best->node, true);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        int64_t distance = (int64_t)found[i].pos - (int64_t)n;

        offer(p, n, KERF_PLAN_NEW, distance,
              best->cost + (int64_t)(prices->new_far[between] + prices->new_len[place][2] +
                                     kerf_price_distance(prices, place, length_of(distance), 0)),
              best->node, false);
    }
}

/* What it takes to change from the best state to old at a distance. */
static int64_t price_change(const struct planner *p, size_t n, const struct kerf_plan_state *best, bool mapped,
                            int64_t by_map, int64_t distance)
{
    const struct kerf_prices *prices = p->prices;
    const struct kerf_plan_node *node = &p->paths.nodes[best->node];
    int64_t end = best->source == KERF_PLAN_OLD ? (int64_t)n + best->distance : (int64_t)node->old_end;
    int64_t jump = (int64_t)n + distance - end;
    int64_t price = (int64_t)prices->old_len[0];

    if (distance == node->recent[KERF_PLAN_OLD][0]) {
        return price + (int64_t)prices->old_jump[0];
    }
    if (mapped && distance == by_map) {
        return price + (int64_t)prices->old_jump[KERF_JUMP_MAP];
    }
    for (unsigned i = 1; i < KERF_PLAN_RECENTS; i++) {
        if (distance == node->recent[KERF_PLAN_OLD][i]) {
            return price + (int64_t)prices->old_jump[KERF_JUMP_FAR + i];
        }
    }
    return price + (int64_t)(prices->old_jump[KERF_JUMP_FAR] + prices->old_distance[kerf_jump_bits(jump)]);
}

/* Offers old at a distance, if `least` bytes, two at most, are as there. */
static void offer_at(struct planner *p, size_t n, const struct kerf_plan_state *best, bool mapped, int64_t by_map,
                     int64_t distance, unsigned least)
{
    const struct kerf_work *w = p->w;
    const uint8_t *target = w->new_side.masked + n;
    int64_t at = (int64_t)n + distance;

    if (at >= 0 && at + least <= (int64_t)w->old_side.len && (least < 1 || w->old_side.masked[at] == target[0]) &&
        (least < 2 || w->old_side.masked[at + 1] == target[1])) {
        offer(p, n, KERF_PLAN_OLD, distance, best->cost + price_change(p, n, best, mapped, by_map, distance),
              best->node, false);
    }
}

static void offer_old(struct planner *p, size_t n, const struct kerf_plan_state *best)
{
    struct kerf_work *w = p->w;
    const struct kerf_plan_node *node = &p->paths.nodes[best->node];
    int64_t by_map = 0;
    bool mapped = kerf_addrmap_distance(w, p->by_new, n, &by_map);

    uint32_t match = kerf_match_at(w, n);

    if (match != KERF_MATCH_NONE) {
        offer_at(p, n, best, mapped, by_map, (int64_t)match - (int64_t)n, 0);
    }
    for (unsigned i = 0; i < p->recent_count; i++) {
        offer_at(p, n, best, mapped, by_map, p->recent[i], 2);
    }
    for (unsigned i = best->source == KERF_PLAN_OLD; i < KERF_PLAN_RECENTS; i++) {
        offer_at(p, n, best, mapped, by_map, node->recent[KERF_PLAN_OLD][i], i == 0 ? 1 : 2);
    }
    if (mapped) {
        offer_at(p, n, best, mapped, by_map, by_map, 2);
    }
    if (best->source != KERF_PLAN_OLD) {
        offer_at(p, n, best, mapped, by_map, (int64_t)node->old_end - (int64_t)n, 2);
    }
}

/*
 * How many bytes the best state surely goes on for; 0: fewer than SURE_LEN. Looking for another is a waste there, and
 * in long runs of one byte a slow one.
 */
static size_t goes_on(const struct planner *p, size_t n, const struct kerf_plan_state *best)
{
    const struct kerf_work *w = p->w;
    enum kerf_plan_source kind = (enum kerf_plan_source)best->source;
    size_t most = p->run_end - n < SURE_MAX ? p->run_end - n : SURE_MAX;

    if (most < SURE_LEN || !has_source(p, n, kind, best->distance) ||
        !has_source(p, n + SURE_LEN - 1, kind, best->distance)) {
        return 0;
    }
    if (kind == KERF_PLAN_LITERAL) {
        const uint8_t *bytes = w->new_side.bytes + n;

        return n > 0 && w->literal_cost[n] < KERF_LITERAL_BIT / 8 && memcmp(bytes - 1, bytes, SURE_LEN) == 0 ? SURE_LEN
                                                                                                             : 0;
    }
    const uint8_t *target = kind == KERF_PLAN_OLD ? w->new_side.masked + n : w->new_side.bytes + n;
    const uint8_t *source = kind == KERF_PLAN_OLD ? w->old_side.masked + (int64_t)n + best->distance
                                                  : target + best->distance;

    if (memcmp(source, target, SURE_LEN) != 0) {
        return 0;
    }
    /* In place what lies behind may not be there. */
    if (w->order != NULL) {
        most = SURE_LEN;
    } else if (kind == KERF_PLAN_OLD && (int64_t)w->old_side.len - best->distance < (int64_t)(n + most)) {
        most = (size_t)((int64_t)w->old_side.len - best->distance) - n;
    }
    return kerf_match_common(source, target, SURE_LEN, most);
}

/*
 * Offers everything that may begin at n. Inside a reference of new, no segment from old begins or ends (unless old
 * itself ends): there its bytes are compared without their fields.
 */
static void offer_all(struct planner *p, size_t n)
{
    struct kerf_work *w = p->w;
    bool inside = kerf_side_inside(&w->new_side, n);
    struct kerf_lz_match found[KERF_LZ_FOUND];
    unsigned count = p->lz != NULL && n >= p->search_from ? kerf_lz_find(p->lz, n, found) : 0;
    struct kerf_plan_state *from = best_of(p, !inside);

    if (from == NULL) {
        from = best_of(p, true);
        if (has_source(p, n, KERF_PLAN_OLD, from->distance)) {
            return;
        }
    }
    kerf_plan_path_settle(&p->paths, from, p->run_end);
    if (p->paths.no_memory) {
        return;
    }
    struct kerf_plan_state best = *from;

    best.cost += best.source == KERF_PLAN_LITERAL ? 0 : (int64_t)p->prices->gap[kerf_work_place(w, n)][1];

    offer(p, n, KERF_PLAN_LITERAL, 0, best.cost, best.node, false);
    if (n < p->search_from) {
        return;
    }

    size_t sure = goes_on(p, n, &best);

    if (sure > 0) {
        p->search_from = n + (best.source == KERF_PLAN_LITERAL ? SURE_SKIP : sure - SURE_END);
        p->sure_source = best.source;
        p->sure_distance = best.distance;
        return;
    }
    if (!inside) {
        offer_old(p, n, &best);
    }
    if (w->copies != NULL && !p->no_new) {
        count = kerf_lz_recall(w->copies, n, found);
    }
    if (!p->no_new) {
        offer_new(p, n, &best, found, count);
    }
}

#define AHEAD 4096 /* bytes that a segment is taken to go on for, as long as its end isn't known */

/* What a reference costs that a state copies from x, at old position o, to y. */
static int64_t price_ref(const struct planner *p, const struct kerf_plan_state *s, size_t o,
                         const struct kerf_scanned *x, const struct kerf_scanned *y)
{
    const struct kerf_prices *prices = p->prices;
    const struct kerf_work *w = p->w;
    const struct kerf_region *r = &w->image.regions[x->region];
    uint32_t at = x->target - (uint32_t)r->old_addr;
    bool right = p->mapped[x - w->old_side.refs] == y->target;

    if (x->outside) {
        return (int64_t)(right ? prices->ram_right : prices->ram_wrong);
    }
    if (at < r->old_len) {
        int64_t to = (int64_t)(r->old_pos + at);
        bool local = y->target - (uint32_t)r->new_addr + (uint32_t)r->new_pos == (uint32_t)to - (uint32_t)s->distance;

        if (to >= (int64_t)s->new_pos + s->distance && to <= (int64_t)o) {
            right = local; /* a target in the segment itself moves with it */
        } else if (to > (int64_t)o && to < (int64_t)o + AHEAD) {
            right = right || local;
        }
    }
    return (int64_t)(right ? prices->ref_right : prices->ref_wrong);
}

/* What byte n costs a state that copies from old position o, and whether it counts as equal. */
static int64_t price_old(const struct planner *p, const struct kerf_plan_state *s, size_t n, size_t o, bool *equal)
{
    const struct kerf_work *w = p->w;
    if (kerf_side_bit(w->old_side.covered, o) && kerf_side_bit(w->new_side.covered, n)) {
        size_t x_start;
        size_t y_start;
        const struct kerf_scanned *x = kerf_side_ref(&w->old_side, o, &x_start);
        const struct kerf_scanned *y = kerf_side_ref(&w->new_side, n, &y_start);

        if (x->form == y->form && x->region == y->region && o - x_start == n - y_start) {
            *equal = w->old_side.masked[o] == w->new_side.masked[n];
            if (o != x_start || x->kind == KERF_REF_LOW) {
                return 0;
            }
            return price_ref(p, s, o, x, y);
        }
    }
    *equal = w->old_side.bytes[o] == w->new_side.bytes[n];
    return 0;
}

/* What byte n costs such a state in all, but for the segment's length. */
static int64_t price_copy(const struct planner *p, struct kerf_plan_state *s, size_t n, size_t o)
{
    const struct kerf_prices *prices = p->prices;
    bool equal;
    int64_t cost = price_old(p, s, n, o, &equal) + (int64_t)prices->equal[s->gap][!equal];

    if (!equal) {
        int64_t differs = (int64_t)kerf_literal_cost(p->w, n) + 4 * (int64_t)KERF_BIT;

        cost += differs > (int64_t)prices->residue ? (int64_t)prices->residue : differs;
    }
    s->gap = (uint8_t)(!equal ? 0 : s->gap < 15 ? s->gap + 1 : 15);
    return cost;
}

/* What a number's price grows by when it becomes v. */
static int64_t longer(const kerf_cost prices[KERF_PRICE_BITS], uint32_t v)
{
    unsigned bits = log2_of(v);

    return v > 1 && (v & (v - 1)) == 0 ? (int64_t)prices[bits] - (int64_t)prices[bits - 1] : 0;
}

/* The same of a number that is priced by where it stands. */
static int64_t longer_at(const kerf_cost prices[KERF_PRICE_SYMBOLS], uint32_t v)
{
    return (int64_t)(prices[kerf_price_symbol(v)] - prices[kerf_price_symbol(v - 1)]);
}

/* Is one of the HOP_MAX bytes behind the first one as in another place? */
static bool is_any_equal(const uint8_t *a, const uint8_t *b)
{
    uint32_t x;
    uint32_t y;

    memcpy(&x, a + 1, HOP_MAX);
    memcpy(&y, b + 1, HOP_MAX);
    x ^= y;
    return ((x - 0x01010101u) & ~x & 0x80808080u) != 0; /* a zero byte is in x */
}

/*
 * What copies from new up to a byte that differs may go on behind it, at the same distance: that is tried for all such
 * states, where literals begin at the best one's end alone.
 */
static void hop(struct planner *p, size_t n)
{
    const struct kerf_work *w = p->w;
    const struct kerf_prices *prices = p->prices;
    const uint8_t *bytes = w->new_side.bytes;
    int64_t limit = -1;

    for (unsigned i = 0; i < p->paths.state_count; i++) {
        struct kerf_plan_state *s = &p->paths.states[i];
        const uint8_t *source = bytes + (int64_t)n + s->distance;
        kerf_cost literals = 0;
        unsigned k = 0;

        if (s->source != KERF_PLAN_NEW || s->len == 0 || *source == bytes[n] || !is_any_equal(source, bytes + n)) {
            continue;
        }
        if (limit < 0) {
            limit = best_of(p, true)->cost + (int64_t)prices->change + SLACK_BITS * (int64_t)KERF_BIT;
        }
        for (; k < HOP_MAX && n + k + 1 < p->run_end && (k == 0 || source[k] != bytes[n + k]); k++) {
            literals += kerf_literal_cost(w, n + k);
        }
        kerf_cost price = literals * prices->literal_scale / 1024 +
                          prices->gap[kerf_work_place(w, n)][kerf_price_symbol(k + 1)] +
                          prices->new_again[kerf_price_between(k)] +
                          prices->new_len_again[kerf_work_place(w, n + k)][1];
        struct kerf_plan_state again = {.cost = s->cost + (int64_t)price,
                                        .distance = s->distance,
                                        .new_pos = (uint32_t)(n + k),
                                        .source = KERF_PLAN_NEW,
                                        .gap = 8,
                                        .again = true};

        if (source[k] != bytes[n + k] || again.cost > limit) {
            continue;
        }
        kerf_plan_path_settle(&p->paths, s, p->run_end);
        *s = (struct kerf_plan_state){.node = s->node, .new_pos = (uint32_t)n, .source = KERF_PLAN_LITERAL};
        kerf_plan_path_settle(&p->paths, s, p->run_end);
        again.node = s->node;
        *s = again;
    }
}

/* Lets a state copy byte n from new: false if it can't. */
static bool take_new(const struct planner *p, struct kerf_plan_state *s, size_t n)
{
    const struct kerf_work *w = p->w;
    const struct kerf_prices *prices = p->prices;

    /* In place it may lie behind new's end. */
    if ((w->order != NULL && !has_source(p, n, KERF_PLAN_NEW, s->distance)) ||
        w->new_side.bytes[(int64_t)n + s->distance] != w->new_side.bytes[n]) {
        return false;
    }
    unsigned place = kerf_work_place(w, s->new_pos);

    if (s->len > (s->again ? 1 : 2)) {
        s->cost += longer_at((s->again ? prices->new_len_again : prices->new_len)[place], s->len);
    }
    if (s->len == 4 && !s->again) {
        s->cost += (int64_t)kerf_price_distance(prices, place, length_of(s->distance), 1) -
                   (int64_t)kerf_price_distance(prices, place, length_of(s->distance), 0);
    }
    return true;
}

/* Lets every state take byte n; drops those that can't. Returns the lowest cost. */
static int64_t consume(struct planner *p, size_t n)
{
    const struct kerf_work *w = p->w;
    const struct kerf_prices *prices = p->prices;
    const int64_t literal = (int64_t)kerf_literal_cost(w, n) * (int64_t)prices->literal_scale / 1024;
    int64_t lowest = INT64_MAX;
    unsigned kept = 0;

    for (unsigned i = 0; i < p->paths.state_count; i++) {
        struct kerf_plan_state *s = &p->paths.states[i];
        bool hops = s->new_pos > n; /* over this byte */

        s->len += !hops;
        if (hops) {
            /* it was paid for */
        } else if (s->source == KERF_PLAN_LITERAL) {
            s->cost += literal + longer_at(prices->gap[kerf_work_place(w, s->new_pos)], s->len + 1);
        } else if (s->source == KERF_PLAN_NEW) {
            if (!take_new(p, s, n)) {
                continue;
            }
        } else if (has_source(p, n, KERF_PLAN_OLD, s->distance)) {
            s->cost += price_copy(p, s, n, (size_t)((int64_t)n + s->distance)) + longer(prices->old_len, s->len);
        } else {
            continue;
        }
        if (!hops && s->cost < lowest) {
            lowest = s->cost;
        }
        if (kept != i) {
            p->paths.states[kept] = *s;
        }
        kept++;
    }
    p->paths.state_count = kept;
    return lowest;
}

static void remember(struct planner *p, int64_t distance)
{
    for (unsigned i = 0; i < p->recent_count; i++) {
        if (p->recent[i] == distance) {
            return;
        }
    }
    if (p->recent_count < RECENT_MAX) {
        p->recent_count++;
    }
    memmove(p->recent + 1, p->recent, (p->recent_count - 1) * sizeof p->recent[0]);
    p->recent[0] = distance;
}

/* Drops states above the limit, then the worst ones beyond KERF_PLAN_STATES_MAX. */
static void prune(struct planner *p, int64_t lowest)
{
    int64_t limit = lowest + (int64_t)p->prices->change + SLACK_BITS * (int64_t)KERF_BIT;
    unsigned kept = 0;

    for (unsigned i = 0; i < p->paths.state_count; i++) {
        if (p->paths.states[i].cost <= limit) {
            p->paths.states[kept++] = p->paths.states[i];
        } else if (p->paths.states[i].source == KERF_PLAN_OLD) {
            remember(p, p->paths.states[i].distance);
        }
    }
    p->paths.state_count = kept;
    while (p->paths.state_count > KERF_PLAN_STATES_MAX) {
        unsigned worst = 0;

        for (unsigned i = 1; i < p->paths.state_count; i++) {
            if (p->paths.states[i].cost > p->paths.states[worst].cost) {
                worst = i;
            }
        }
        p->paths.states[worst] = p->paths.states[--p->paths.state_count];
    }
}

static kerf_err open_lz(struct planner *p, size_t start)
{
    struct kerf_work *w = p->w;
    size_t window = w->budget.lz_window;
    struct kerf_lz_match found[KERF_LZ_FOUND];

    p->no_new = w->options->no_new;
    if (p->no_new || w->copies != NULL) {
        return KERF_OK;
    }
    /* In place new is not made from its start to its end, so nothing may be forgotten. */
    p->lz = kerf_lz_open(w->new_side.bytes, w->new_side.len, window);
    if (p->lz == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t n = start > window ? start - window : 0; n < start; n += SURE_STEP) {
        (void)kerf_lz_find(p->lz, n, found);
    }
    return KERF_OK;
}

/* Is the source that surely goes on still among the states? It may have become too dear: its references are all wrong. */
static bool is_sure(const struct planner *p)
{
    for (unsigned i = 0; i < p->paths.state_count; i++) {
        const struct kerf_plan_state *s = &p->paths.states[i];

        if (s->source == p->sure_source && (s->source == KERF_PLAN_LITERAL || s->distance == p->sure_distance)) {
            return true;
        }
    }
    return false;
}

/* Goes on from n while nothing is offered, up to the next step, the one state that there is copying from old. Returns how far. */
static size_t coast(struct planner *p, size_t n)
{
    const struct kerf_work *w = p->w;
    const int64_t equal_price = (int64_t)p->prices->equal[15][0];
    size_t step = n - n % SURE_STEP + SURE_STEP;
    size_t end = step < p->search_from ? step : p->search_from;
    struct kerf_plan_state s = p->paths.states[0];

    for (; n < end; n++) {
        size_t from = (size_t)((int64_t)n + s.distance);

        s.len++;
        if (s.gap < 15 || kerf_side_bit(w->old_side.covered, from) || kerf_side_bit(w->new_side.covered, n)) {
            s.cost += price_copy(p, &s, n, from);
        } else {
            s.cost += equal_price;
        }
        s.cost += longer(p->prices->old_len, s.len);
    }
    p->paths.states[0] = s;
    return n;
}

/* From n up to the end of the run. */
static kerf_err walk(struct planner *p, size_t n)
{
    struct kerf_lz_match found[KERF_LZ_FOUND];

    while (n < p->run_end && !p->paths.no_memory) {
        /* These places are noted for copies from new. */
        if (n < p->search_from && n % SURE_STEP == 0 && p->lz != NULL && p->w->order == NULL) {
            (void)kerf_lz_find(p->lz, n, found);
        }
        if (n < p->search_from && p->paths.state_count == 1 && p->paths.states[0].source == KERF_PLAN_OLD &&
            p->w->order == NULL) {
            n = coast(p, n);
            continue;
        }
        /* In place what goes on may be gone on the way, so that literals must be among the states. */
        if (n >= p->search_from || p->w->order != NULL) {
            offer_all(p, n);
            if (!p->no_new && p->w->order == NULL && !p->paths.no_memory) {
                hop(p, n);
            }
        }
        prune(p, consume(p, n));
        n++;
        if (n < p->search_from && !is_sure(p)) {
            p->search_from = n;
        }
    }
    return p->paths.no_memory ? KERF_ERR_RAM : KERF_OK;
}

/* In place: run by run. What copies goes on behind the end of a run, as a segment of its own. */
static kerf_err walk_runs(struct planner *p)
{
    const struct kerf_order *o = p->w->order;
    struct kerf_run_of_sectors run;
    kerf_err err = KERF_OK;

    for (size_t rank = 0; err == KERF_OK && rank < o->count; rank += run.len) {
        run = kerf_order_run(o, rank);
        for (unsigned i = 0; i < p->paths.state_count; i++) {
            struct kerf_plan_state *s = &p->paths.states[i];
            kerf_cost price = s->source == KERF_PLAN_OLD ? p->prices->old_jump[0] + p->prices->old_len[0]
                              : s->source == KERF_PLAN_NEW
                                  ? p->prices->new_again[0] +
                                        p->prices->new_len_again[kerf_work_place(p->w, run.start)][1]
                                  : 0;

            kerf_plan_path_settle(&p->paths, s, p->run_end);
            s->settled = false;
            s->new_pos = (uint32_t)run.start;
            s->cost += (int64_t)(price + p->prices->gap[kerf_work_place(p->w, run.start)][1]);
            s->gap = 8;
            s->again = true;
            s->len = 0;
        }
        p->run_end = run.end;
        p->search_from = 0;
        err = walk(p, run.start);
    }
    return err;
}

#define BEFORE 16 /* segments of the plan before that a part knows of */

/* The one state that a part starts with: literals, or what the segment that it starts inside of goes on with. */
static void start_part(struct planner *p, const struct kerf_plan_part *part)
{
    const struct kerf_segments *before = &part->before;
    struct kerf_plan_state s = {.node = KERF_PLAN_NO_NODE};

    for (size_t i = before->count > BEFORE ? before->count - BEFORE : 0; i < before->count; i++) {
        const struct kerf_segment *segment = &before->list[i];

        s.new_pos = (uint32_t)segment->new_pos;
        s.source = segment->from_new ? KERF_PLAN_NEW : KERF_PLAN_OLD;
        s.distance = (int64_t)segment->src_pos - (int64_t)segment->new_pos;
        s.len = (uint32_t)(part->start - segment->new_pos);
        if (i + 1 < before->count) {
            kerf_plan_path_add(&p->paths, &s, p->run_end);
        }
    }
    s.new_pos = (uint32_t)part->start;
    s.source = before->count > 0 ? s.source : KERF_PLAN_LITERAL;
    s.gap = 15;
    s.settled = false;
    p->paths.states[0] = s;
    p->paths.state_count = 1;
}

kerf_err kerf_plan_part(const struct kerf_plan_part *part, struct kerf_segments *segments)
{
    struct planner *p = calloc(1, sizeof *p);

    if (p == NULL) {
        return KERF_ERR_RAM;
    }
    p->w = part->w;
    p->prices = part->prices;
    p->mapped = part->mapped;
    p->by_new = part->by_new;
    p->run_end = part->end;
    start_part(p, part);
    kerf_err err = p->paths.no_memory ? KERF_ERR_RAM : open_lz(p, part->start);

    if (err == KERF_OK) {
        err = p->w->order != NULL ? walk_runs(p) : walk(p, part->start);
    }
    if (err == KERF_OK) {
        struct kerf_plan_state *best = best_of(p, true);

        kerf_plan_path_settle(&p->paths, best, p->run_end);
        err = p->paths.no_memory ? KERF_ERR_RAM
                                 : kerf_plan_path_collect(p->w, &p->paths, best->node, part->start, segments);
    }
    kerf_lz_close(p->lz);
    kerf_plan_path_close(&p->paths);
    free(p);
    return err;
}
