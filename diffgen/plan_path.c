/* SPDX-License-Identifier: Apache-2.0 */
#include "diffgen/plan_path.h"

#include <string.h>

#define NODES_START 4096u

/* The last node that the paths of all states go through; KERF_PLAN_NO_NODE: there is none. */
static uint32_t common_node(const struct kerf_plan_paths *p)
{
    uint32_t common = p->states[0].node;

    for (unsigned i = 1; i < p->state_count; i++) {
        uint32_t n = p->states[i].node;

        while (n != common && n != KERF_PLAN_NO_NODE && common != KERF_PLAN_NO_NODE) {
            if (n > common) { /* a parent stands before its children */
                n = p->nodes[n].parent;
            } else {
                common = p->nodes[common].parent;
            }
        }
        common = n == common ? common : KERF_PLAN_NO_NODE;
    }
    return common;
}

static bool add_decided(struct kerf_plan_paths *p, const struct kerf_plan_step *step)
{
    if (p->decided == NULL || p->decided_count == p->decided_cap) {
        size_t cap = p->decided_cap == 0 ? NODES_START : p->decided_cap + p->decided_cap / 2;
        struct kerf_plan_step *grown = realloc(p->decided, cap * sizeof *grown);

        if (grown == NULL) {
            return false;
        }
        p->decided = grown;
        p->decided_cap = cap;
    }
    p->decided[p->decided_count++] = *step;
    return true;
}

/* What all paths have in common is decided, but for its last node, from which the others are made. */
static bool decide(struct kerf_plan_paths *p)
{
    uint32_t common = common_node(p);
    size_t first = p->decided_count;

    if (common == KERF_PLAN_NO_NODE) {
        return true;
    }
    for (uint32_t n = p->nodes[common].parent; n != KERF_PLAN_NO_NODE; n = p->nodes[n].parent) {
        if (!add_decided(p, &p->nodes[n].step)) {
            return false;
        }
    }
    for (size_t last = p->decided_count; first + 1 < last; first++) { /* they came last first */
        struct kerf_plan_step step = p->decided[--last];

        p->decided[last] = p->decided[first];
        p->decided[first] = step;
    }
    p->nodes[common].parent = KERF_PLAN_NO_NODE;
    return true;
}

/*
 * Keeps the nodes that a state's path goes through, the others make room. A parent stands before its children, so that
 * what is kept moves down in one pass.
 */
static bool sweep_nodes(struct kerf_plan_paths *p)
{
    uint32_t *moved = calloc(p->node_count, sizeof *moved); /* where a node that is kept goes, and 1 */
    uint32_t count = 0;

    if (moved == NULL) {
        return false;
    }
    for (unsigned i = 0; i < p->state_count; i++) {
        for (uint32_t n = p->states[i].node; n != KERF_PLAN_NO_NODE && moved[n] == 0; n = p->nodes[n].parent) {
            moved[n] = 1;
        }
    }
    for (uint32_t n = 0; n < p->node_count; n++) {
        if (moved[n] != 0) {
            moved[n] = count + 1;
            p->nodes[count] = p->nodes[n];
            if (p->nodes[count].parent != KERF_PLAN_NO_NODE) {
                p->nodes[count].parent = moved[p->nodes[count].parent] - 1;
            }
            count++;
        }
    }
    for (unsigned i = 0; i < p->state_count; i++) {
        if (p->states[i].node != KERF_PLAN_NO_NODE) {
            p->states[i].node = moved[p->states[i].node] - 1;
        }
    }
    p->node_count = count;
    free(moved);
    return true;
}

/* Room for one more node. The indices of nodes change, those in states too. */
static bool make_room(struct kerf_plan_paths *p)
{
    if (p->node_count < p->node_cap ||
        (p->node_cap > 0 && decide(p) && sweep_nodes(p) && p->node_count < p->node_cap / 2)) {
        return true;
    }
    size_t cap = p->node_cap == 0 ? NODES_START : p->node_cap * 2;
    struct kerf_plan_node *grown = cap > KERF_PLAN_NO_NODE ? NULL : realloc(p->nodes, cap * sizeof *grown);

    if (grown == NULL) {
        p->no_memory = true;
        return false;
    }
    p->nodes = grown;
    p->node_cap = cap;
    return true;
}

static uint32_t add_node(struct kerf_plan_paths *p, const struct kerf_plan_state *s, size_t run_end)
{
    struct kerf_plan_node *node = &p->nodes[p->node_count];

    *node = (struct kerf_plan_node){.step = {.new_pos = s->new_pos,
                                             .run_end = (uint32_t)run_end,
                                             .distance = (int32_t)s->distance,
                                             .source = s->source},
                                    .parent = s->node};
    if (s->node != KERF_PLAN_NO_NODE) {
        const struct kerf_plan_node *before = &p->nodes[s->node];
        const struct kerf_plan_step *last = &before->step;
        int64_t end = last->run_end == run_end ? (int64_t)s->new_pos : (int64_t)last->run_end;

        memcpy(node->recent, before->recent, sizeof node->recent);
        node->old_end = last->source == KERF_PLAN_OLD ? (uint32_t)(end + last->distance) : before->old_end;
    }
    if (s->source != KERF_PLAN_LITERAL) {
        int32_t *recent = node->recent[s->source];
        unsigned i = 0;

        while (i < KERF_PLAN_RECENTS - 1 && recent[i] != s->distance) {
            i++;
        }
        memmove(recent + 1, recent, i * sizeof recent[0]);
        recent[0] = (int32_t)s->distance;
    }
    return (uint32_t)p->node_count++;
}

void kerf_plan_path_add(struct kerf_plan_paths *paths, struct kerf_plan_state *s, size_t run_end)
{
    if (make_room(paths)) {
        s->node = add_node(paths, s, run_end);
        s->settled = true;
    }
}

/* A segment's ends that don't match are cheaper as literals. */
static void trim(const struct kerf_work *w, struct kerf_segment *s)
{
    const uint8_t *source = s->from_new ? w->new_side.bytes : w->old_side.masked;
    const uint8_t *target = s->from_new ? w->new_side.bytes : w->new_side.masked;

    while (s->len > 0 && source[s->src_pos + s->len - 1] != target[s->new_pos + s->len - 1]) {
        s->len--;
    }
    while (s->len > 0 && source[s->src_pos] != target[s->new_pos]) {
        s->src_pos++;
        s->new_pos++;
        s->len--;
    }
}

static int compare_new_pos(const void *a, const void *b)
{
    kerf_pos x = ((const struct kerf_segment *)a)->new_pos;
    kerf_pos y = ((const struct kerf_segment *)b)->new_pos;

    return (x > y) - (x < y);
}

/* They came last first, or in place in any order. */
static void put_in_order(const struct kerf_work *w, struct kerf_segments *segments)
{
    size_t count = segments->count;

    if (w->order != NULL && count > 0) {
        qsort(segments->list, count, sizeof segments->list[0], compare_new_pos);
    }
    for (size_t i = 0; w->order == NULL && i < count / 2; i++) {
        const struct kerf_segment s = segments->list[i];

        segments->list[i] = segments->list[count - 1 - i];
        segments->list[count - 1 - i] = s;
    }
}

/* Steps of a path, the last one first. */
struct collecting {
    const struct kerf_work *w;
    size_t start;    /* those before it are not wanted */
    size_t next_pos; /* of the step that follows, */
    size_t next_end; /* and the end of its run */
    struct kerf_segments *segments;
};

/* KERF_END: this one is not wanted, nor those before it. */
static kerf_err collect_step(struct collecting *c, const struct kerf_plan_step *step)
{
    if (step->new_pos < c->start) {
        return KERF_END;
    }
    size_t end = step->run_end == c->next_end ? c->next_pos : step->run_end;

    c->next_pos = step->new_pos;
    c->next_end = step->run_end;
    if (step->source == KERF_PLAN_LITERAL || end <= step->new_pos) {
        return KERF_OK;
    }
    struct kerf_segment s = {step->new_pos, (kerf_pos)((int64_t)step->new_pos + step->distance), end - step->new_pos,
                             step->source == KERF_PLAN_NEW};

    trim(c->w, &s);
    return s.len > 0 ? kerf_segments_add(c->segments, &s) : KERF_OK;
}

kerf_err kerf_plan_path_collect(const struct kerf_work *w, const struct kerf_plan_paths *paths, uint32_t last,
                                size_t start, struct kerf_segments *segments)
{
    struct collecting c = {w, start, 0, 0, segments};
    size_t count = 0;
    kerf_err err = KERF_OK;

    segments->count = 0;
    for (uint32_t i = last; err == KERF_OK && i != KERF_PLAN_NO_NODE; i = paths->nodes[i].parent) {
        err = collect_step(&c, &paths->nodes[i].step);
    }
    for (size_t i = paths->decided_count; err == KERF_OK && i > 0; i--) {
        err = collect_step(&c, &paths->decided[i - 1]);
    }
    err = err == KERF_END ? KERF_OK : err;
    put_in_order(w, segments);
    /* Neighbours that go on at the same distance become one. */
    for (size_t i = 0; i < segments->count; i++) {
        const struct kerf_segment *s = &segments->list[i];
        struct kerf_segment *q = count > 0 ? &segments->list[count - 1] : NULL;

        if (q != NULL && q->from_new == s->from_new && q->new_pos + q->len == s->new_pos &&
            q->src_pos + q->len == s->src_pos) {
            q->len += s->len;
        } else {
            segments->list[count++] = *s;
        }
    }
    segments->count = count;
    return err;
}

void kerf_plan_path_close(struct kerf_plan_paths *paths)
{
    free(paths->nodes);
    free(paths->decided);
}
