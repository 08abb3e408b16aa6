/* SPDX-License-Identifier: Apache-2.0 */
/* What each byte of new is and what it cost, by coding a delta again and writing down every step. */
#include <string.h>

#include "diffgen/report.h"

static void add_event(struct kerf_costs *c, const struct kerf_trace_step *step)
{
    if (c->event_count == c->event_cap) {
        size_t cap = c->event_cap * 2 + 4096;
        struct kerf_cost_event *grown = realloc(c->events, cap * sizeof *grown);

        if (grown == NULL) {
            c->failed = true;
            return;
        }
        c->events = grown;
        c->event_cap = cap;
    }
    uint32_t pos = (uint32_t)step->new_pos;

    /* What ends the image (an empty gap) belongs to its last byte. */
    if (pos >= c->new_len && pos > 0) {
        pos = (uint32_t)c->new_len - 1;
    }
    c->events[c->event_count++] = (struct kerf_cost_event){
        .pos = pos,
        .cost = step->cost > UINT32_MAX ? UINT32_MAX : (uint32_t)step->cost,
        .target = step->ref == NULL ? 0 : (uint32_t)step->ref->target,
        .part = (uint8_t)step->part,
        .wrong = step->ref != NULL && step->what == KERF_STEP_REF_WRONG};
}

static enum kerf_origin origin_of(const struct kerf_costs *c, const struct kerf_trace_step *step, size_t i)
{
    size_t from = (size_t)step->src_pos + i;

    if (step->segment == NULL) {
        return KERF_ORIGIN_LITERAL;
    }
    if (step->segment->from_new) {
        return step->what == KERF_STEP_DIFFERENT ? KERF_ORIGIN_CHANGED : KERF_ORIGIN_NEW;
    }
    if (from < c->old_len && c->old_image[from] == c->new_image[step->new_pos + i]) {
        return KERF_ORIGIN_OLD;
    }
    return step->what == KERF_STEP_REF ? KERF_ORIGIN_REF : KERF_ORIGIN_CHANGED;
}

static void note(void *ctx, const struct kerf_trace_step *step)
{
    struct kerf_costs *c = ctx;

    if (step->cost > 0 || step->part == KERF_PART_REFS) {
        add_event(c, step);
    }
    if (step->part == KERF_PART_SEGMENTS && step->segment != NULL &&
        kerf_segments_add(&c->segments, step->segment) != KERF_OK) {
        c->failed = true;
    }
    for (size_t i = 0; i < step->len && step->new_pos + i < c->new_len; i++) {
        enum kerf_origin origin = origin_of(c, step, i);

        c->origin[step->new_pos + i] = (uint8_t)origin;
        c->origin_bytes[origin]++;
    }
}

/* A segment from old while the order is looked for. */
struct link {
    kerf_pos src_pos;
    size_t segment;
    uint64_t best;   /* bytes of the longest chain that ends here, */
    size_t previous; /* and the link before; SIZE_MAX: none */
    size_t place;    /* by src_pos among all */
};

static int by_source(const void *a, const void *b)
{
    const struct link *x = *(const struct link *const *)a;
    const struct link *y = *(const struct link *const *)b;

    if (x->src_pos != y->src_pos) {
        return x->src_pos < y->src_pos ? -1 : 1;
    }
    return x->segment < y->segment ? -1 : x->segment > y->segment;
}

/* Numbers the links by where they come from. */
static kerf_err number_places(struct link *links, size_t count)
{
    struct link **sorted = malloc((count + 1) * sizeof *sorted);

    if (sorted == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &links[i];
    }
    if (count > 0) {
        qsort(sorted, count, sizeof(struct link *), by_source);
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i]->place = i;
    }
    free(sorted);
    return KERF_OK;
}

/*
 * The chain of segments whose sources ascend and that makes most of new; what is not in it has moved. `tree` is a
 * Fenwick tree: for places up to i the link (+ 1) with the longest chain.
 */
static void mark_chain(struct kerf_costs *c, struct link *links, size_t count, size_t *tree)
{
    size_t end = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        uint64_t before = 0;

        links[i].previous = SIZE_MAX;
        for (size_t at = links[i].place + 1; at > 0; at -= at & (~at + 1)) {
            if (tree[at] != 0 && links[tree[at] - 1].best > before) {
                before = links[tree[at] - 1].best;
                links[i].previous = tree[at] - 1;
            }
        }
        links[i].best = before + c->segments.list[links[i].segment].len;
        for (size_t at = links[i].place + 1; at <= count; at += at & (~at + 1)) {
            if (tree[at] == 0 || links[tree[at] - 1].best < links[i].best) {
                tree[at] = i + 1;
            }
        }
        end = end == SIZE_MAX || links[i].best > links[end].best ? i : end;
        c->moved[links[i].segment] = true;
    }
    for (; end != SIZE_MAX; end = links[end].previous) {
        c->moved[links[end].segment] = false;
    }
}

static kerf_err find_moved(struct kerf_costs *c)
{
    size_t all = c->segments.count;
    struct link *links = calloc(all + 1, sizeof *links);
    size_t *tree = calloc(all + 2, sizeof *tree);
    size_t count = 0;

    c->moved = calloc(all + 1, sizeof *c->moved);
    kerf_err err = links == NULL || tree == NULL || c->moved == NULL ? KERF_ERR_RAM : KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < all; i++) {
        if (!c->segments.list[i].from_new) {
            links[count++] = (struct link){.src_pos = c->segments.list[i].src_pos, .segment = i};
        }
    }
    if (err == KERF_OK) {
        err = number_places(links, count);
    }
    if (err == KERF_OK) {
        mark_chain(c, links, count, tree);
    }
    free(links);
    free(tree);
    return err;
}

static int by_pos(const void *a, const void *b)
{
    const struct kerf_cost_event *x = a;
    const struct kerf_cost_event *y = b;

    return (x->pos > y->pos) - (x->pos < y->pos);
}

static int by_new_pos(const void *a, const void *b)
{
    const struct kerf_segment *x = a;
    const struct kerf_segment *y = b;

    return (x->new_pos > y->new_pos) - (x->new_pos < y->new_pos);
}

/* In place new is made in another order than that of its positions, which all that follows goes by. */
static void sort(struct kerf_costs *c)
{
    if (c->event_count > 0) {
        qsort(c->events, c->event_count, sizeof *c->events, by_pos);
    }
    if (c->segments.count > 0) {
        qsort(c->segments.list, c->segments.count, sizeof *c->segments.list, by_new_pos);
    }
}

kerf_err kerf_costs_collect(struct kerf_costs *costs, const uint8_t *delta, size_t delta_len,
                            struct kerf_diff_report *report)
{
    const struct kerf_trace trace = {note, costs};

    costs->origin = malloc(costs->new_len + 1);
    if (costs->origin == NULL) {
        return KERF_ERR_RAM;
    }
    kerf_err err = kerf_diff_recount(costs->old_image, costs->old_len, delta, delta_len, &trace, report);

    if (err == KERF_OK && costs->failed) {
        err = KERF_ERR_RAM;
    }
    if (err == KERF_OK) {
        sort(costs);
        err = find_moved(costs);
    }
    return err;
}

void kerf_costs_free(struct kerf_costs *costs)
{
    free(costs->origin);
    free(costs->events);
    free(costs->segments.list);
    free(costs->moved);
    memset(costs, 0, sizeof *costs);
}

/* The first event at `pos` or behind: they are in the order of positions. */
static size_t first_event(const struct kerf_costs *costs, size_t pos)
{
    size_t low = 0;
    size_t high = costs->event_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (costs->events[middle].pos < pos) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct kerf_cost_sum kerf_costs_sum(const struct kerf_costs *costs, size_t from, size_t to)
{
    struct kerf_cost_sum sum = {0};

    for (size_t i = first_event(costs, from); i < costs->event_count && costs->events[i].pos < to; i++) {
        sum.part[costs->events[i].part] += costs->events[i].cost;
        sum.total += costs->events[i].cost;
    }
    return sum;
}

void kerf_costs_block(const struct kerf_costs *costs, struct kerf_report_block *block)
{
    size_t from = (size_t)block->pos;
    size_t to = (size_t)(block->pos + block->len);

    memset(block->origin, 0, sizeof block->origin);
    for (size_t i = from; i < to && i < costs->new_len; i++) {
        block->origin[costs->origin[i]]++;
    }
    block->sum = kerf_costs_sum(costs, from, to);
}

/* Pieces that places are put together from: at most that many, of 64 bytes or more. */
#define PIECES_MAX 16384u
#define PIECE_MIN 64u

kerf_err kerf_costs_places(const struct kerf_costs *costs, struct kerf_report_block *blocks, size_t max, size_t *count)
{
    size_t piece_len = PIECE_MIN;

    while (costs->new_len / piece_len >= PIECES_MAX) {
        piece_len *= 2;
    }
    size_t pieces = (costs->new_len + piece_len - 1) / piece_len;
    kerf_cost *cost = calloc(pieces + 1, sizeof *cost);

    *count = 0;
    if (cost == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < costs->event_count; i++) {
        cost[costs->events[i].pos / piece_len] += costs->events[i].cost;
    }
    while (*count < max) {
        size_t best = 0;

        for (size_t i = 1; i < pieces; i++) {
            best = cost[i] > cost[best] ? i : best;
        }
        /* Less than two bytes are no place to look at. */
        if (pieces == 0 || cost[best] < 16 * KERF_BIT) {
            break;
        }
        size_t from = best;
        size_t to = best + 1;

        while (from > 0 && cost[from - 1] >= cost[best] / 4) {
            from--;
        }
        while (to < pieces && cost[to] >= cost[best] / 4) {
            to++;
        }
        struct kerf_report_block *block = &blocks[(*count)++];

        block->pos = from * piece_len;
        block->len = (to * piece_len < costs->new_len ? to * piece_len : costs->new_len) - block->pos;
        kerf_costs_block(costs, block);
        memset(cost + from, 0, (to - from) * sizeof *cost);
    }
    free(cost);
    /* What was put together last may have become dearer than what came before. */
    for (size_t i = 1; i < *count; i++) {
        const struct kerf_report_block block = blocks[i];
        size_t at = i;

        for (; at > 0 && blocks[at - 1].sum.total < block.sum.total; at--) {
            blocks[at] = blocks[at - 1];
        }
        blocks[at] = block;
    }
    return KERF_OK;
}
