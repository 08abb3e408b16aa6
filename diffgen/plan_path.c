/* SPDX-License-Identifier: Apache-2.0 */
#include "diffgen/plan_path.h"

#include <string.h>

#define NODES_START 4096u

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
    if (p->node_count < p->node_cap || (p->node_cap > 0 && sweep_nodes(p) && p->node_count < p->node_cap / 2)) {
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

    *node = (struct kerf_plan_node){.new_pos = s->new_pos,
                                    .run_end = (uint32_t)run_end,
                                    .parent = s->node,
                                    .distance = (int32_t)s->distance,
                                    .source = s->source};
    if (s->node != KERF_PLAN_NO_NODE) {
        const struct kerf_plan_node *before = &p->nodes[s->node];

        int64_t end = before->run_end == run_end ? (int64_t)s->new_pos : (int64_t)before->run_end;

        memcpy(node->recent, before->recent, sizeof node->recent);
        node->old_end = before->source == KERF_PLAN_OLD ? (uint32_t)(end + before->distance) : before->old_end;
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

kerf_err kerf_plan_path_collect(const struct kerf_work *w, const struct kerf_plan_paths *paths, uint32_t last,
                                size_t start, struct kerf_segments *segments)
{
    size_t next_pos = 0; /* of the node that follows, */
    size_t next_end = 0; /* and the end of its run */
    size_t count = 0;
    kerf_err err = KERF_OK;

    segments->count = 0;
    for (uint32_t i = last; err == KERF_OK && i != KERF_PLAN_NO_NODE; i = paths->nodes[i].parent) {
        const struct kerf_plan_node *node = &paths->nodes[i];

        if (node->new_pos < start) {
            break;
        }
        size_t end = node->run_end == next_end ? next_pos : node->run_end;

        next_pos = node->new_pos;
        next_end = node->run_end;
        if (node->source != KERF_PLAN_LITERAL && end > node->new_pos) {
            struct kerf_segment s = {node->new_pos, (kerf_pos)((int64_t)node->new_pos + node->distance),
                                     end - node->new_pos, node->source == KERF_PLAN_NEW};

            trim(w, &s);
            if (s.len > 0) {
                err = kerf_segments_add(segments, &s);
            }
        }
    }
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
