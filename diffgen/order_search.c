/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A good order of sectors for a plan. Sector i needs old bytes of sector s: i must not come after s. That is a graph;
 * where it has cycles, the cheapest bytes are given up. The order of least cost is sought by the greedy of P. Eades, X.
 * Lin and W. F. Smyth, "A fast and effective heuristic for the feedback arc set problem", 1993, and then by moving
 * single sectors. What of the graph it keeps leaves much freedom, which is used to make long runs.
 */
#include <string.h>

#include "diffgen/work.h"

#define SIFT_ROUNDS 8
#define SIFT_MAX 4096 /* with more sectors than this, moving single ones takes too long */
#define RUN_COST 40   /* bits that a run more costs */
#define EDGE_MIN 48   /* bits; what costs less is not worth another run */
#define MOVE_ROUNDS 6
#define MOVE_EDGES 400 /* edges of a round for which other places are tried */
#define LOSS_MIN 160   /* bits, with those for runs; a plan that loses less is as good as one that loses nothing */
#define EDGES_START 1024u
#define NONE SIZE_MAX

/* `from` needs bytes of `to`. */
struct edge {
    size_t from, to;
    kerf_cost weight; /* what they would cost without */
};

struct graph {
    const struct kerf_work *w;
    size_t count; /* sectors */
    struct edge *edges;
    size_t edge_count, edge_cap;
    size_t *out, *in; /* for each sector, and one more: where its edges begin in by_from, by_to */
    size_t *by_to;    /* indices of edges, sorted by `to`; edges themselves are sorted by `from` */
    kerf_cost *literal_sum;
    size_t *line;  /* sectors in a row */
    size_t *place; /* for each sector its place there */
};

static int compare_edges(const void *a, const void *b)
{
    const struct edge *x = a;
    const struct edge *y = b;

    return x->from != y->from ? (x->from > y->from) - (x->from < y->from) : (x->to > y->to) - (x->to < y->to);
}

static kerf_err add_edge(struct graph *g, const struct edge *edge)
{
    if (g->edge_count == g->edge_cap) {
        size_t cap = g->edge_cap * 2;
        struct edge *grown = realloc(g->edges, cap * sizeof *grown);

        if (grown == NULL) {
            return KERF_ERR_RAM;
        }
        g->edges = grown;
        g->edge_cap = cap;
    }
    g->edges[g->edge_count++] = *edge;
    return KERF_OK;
}

/* The edges of one segment: it is cut wherever a sector of new or of old ends. */
static kerf_err add_segment(struct graph *g, const struct kerf_order *o, const struct kerf_segment *s)
{
    size_t size = (size_t)1 << o->sector_log2;
    kerf_err err = KERF_OK;

    for (size_t at = 0; err == KERF_OK && at < s->len;) {
        size_t new_pos = (size_t)s->new_pos + at;
        size_t src_pos = (size_t)s->src_pos + at;
        size_t len = (size_t)s->len - at;
        size_t new_rest = size - (new_pos & (size - 1));
        size_t src_rest = size - (src_pos & (size - 1));
        struct edge edge = {new_pos >> o->sector_log2, src_pos >> o->sector_log2, 0};

        len = len < new_rest ? len : new_rest;
        len = len < src_rest ? len : src_rest;
        /* What lies behind new is there as long as the sector where new ends. */
        edge.to = edge.to < o->count ? edge.to : o->count - 1;
        edge.weight = g->literal_sum[new_pos + len] - g->literal_sum[new_pos];
        if (edge.from != edge.to) {
            err = add_edge(g, &edge);
        }
        at += len;
    }
    return err;
}

/* Joins edges between the same sectors, and makes the lists. */
static void close_edges(struct graph *g)
{
    size_t n = 0;

    if (g->edge_count > 0) {
        qsort(g->edges, g->edge_count, sizeof *g->edges, compare_edges);
    }
    for (size_t i = 0; i < g->edge_count; i++) {
        if (n > 0 && g->edges[n - 1].from == g->edges[i].from && g->edges[n - 1].to == g->edges[i].to) {
            g->edges[n - 1].weight += g->edges[i].weight;
        } else {
            g->edges[n++] = g->edges[i];
        }
    }
    g->edge_count = n;
    n = 0;
    for (size_t i = 0; i < g->edge_count; i++) {
        if (g->edges[i].weight >= EDGE_MIN * KERF_BIT) {
            g->edges[n++] = g->edges[i];
        }
    }
    g->edge_count = n;
    for (size_t i = 0; i < n; i++) {
        g->out[g->edges[i].from + 1]++;
        g->in[g->edges[i].to + 1]++;
    }
    for (size_t i = 0; i < g->count; i++) {
        g->out[i + 1] += g->out[i];
        g->in[i + 1] += g->in[i];
    }
    for (size_t i = 0; i < n; i++) {
        g->by_to[g->in[g->edges[i].to]++] = i;
    }
    for (size_t i = g->count; i > 0; i--) {
        g->in[i] = g->in[i - 1];
    }
    g->in[0] = 0;
}

static kerf_err open_graph(struct graph *g, const struct kerf_work *w, const struct kerf_segments *segments)
{
    const struct kerf_order *o = w->order;
    kerf_err err = KERF_OK;

    g->w = w;
    g->count = o->count;
    g->out = calloc(o->count + 2, sizeof *g->out);
    g->in = calloc(o->count + 2, sizeof *g->in);
    g->line = calloc(o->count + 1, sizeof *g->line);
    g->place = calloc(o->count + 1, sizeof *g->place);
    g->edge_cap = EDGES_START;
    g->edges = malloc(g->edge_cap * sizeof *g->edges);
    g->literal_sum = kerf_order_literal_sum(w);
    if (g->edges == NULL || g->out == NULL || g->in == NULL || g->line == NULL || g->place == NULL ||
        g->literal_sum == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; err == KERF_OK && i < segments->count; i++) {
        if (!segments->list[i].from_new) {
            err = add_segment(g, o, &segments->list[i]);
        }
    }
    g->by_to = malloc((g->edge_count + 1) * sizeof *g->by_to);
    if (g->by_to == NULL) {
        return KERF_ERR_RAM;
    }
    if (err == KERF_OK) {
        close_edges(g);
    }
    return err;
}

static void close_graph(struct graph *g)
{
    free(g->edges);
    free(g->out);
    free(g->in);
    free(g->by_to);
    free(g->line);
    free(g->place);
    free(g->literal_sum);
}

/* --- A row of sectors --- */

struct degrees {
    int64_t out, in; /* weights of edges to and from sectors that are not placed yet */
    bool placed;
};

static void place(struct graph *g, struct degrees *d, size_t v, size_t at)
{
    g->line[at] = v;
    g->place[v] = at;
    d[v].placed = true;
    for (size_t i = g->out[v]; i < g->out[v + 1]; i++) {
        d[g->edges[i].to].in -= (int64_t)g->edges[i].weight;
    }
    for (size_t i = g->in[v]; i < g->in[v + 1]; i++) {
        d[g->edges[g->by_to[i]].from].out -= (int64_t)g->edges[g->by_to[i]].weight;
    }
}

/* Eades, Lin, Smyth: what nobody must precede comes to the front, what need not precede anybody to the end. */
static kerf_err make_row(struct graph *g)
{
    struct degrees *d = calloc(g->count + 1, sizeof *d);
    size_t front = 0;
    size_t end = g->count;

    if (d == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < g->edge_count; i++) {
        d[g->edges[i].from].out += (int64_t)g->edges[i].weight;
        d[g->edges[i].to].in += (int64_t)g->edges[i].weight;
    }
    while (front < end) {
        size_t best = NONE;
        size_t before = end - front;

        for (size_t v = 0; v < g->count; v++) {
            if (!d[v].placed && d[v].in == 0) {
                place(g, d, v, front++);
            }
        }
        for (size_t v = g->count; v-- > 0;) {
            if (!d[v].placed && d[v].out == 0) {
                place(g, d, v, --end);
            }
        }
        if (end - front < before || front == end) {
            continue;
        }
        for (size_t v = 0; v < g->count; v++) {
            if (!d[v].placed && (best == NONE || d[v].out - d[v].in > d[best].out - d[best].in)) {
                best = v;
            }
        }
        place(g, d, best, front++);
    }
    free(d);
    return KERF_OK;
}

/* Puts v where the edges that it breaks weigh least. True: that is a better place. */
static bool sift(struct graph *g, size_t v)
{
    size_t at = g->place[v];
    int64_t cost = 0; /* against where it is now */
    int64_t least = 0;
    size_t to = at;

    for (size_t i = at; i-- > 0;) { /* over line[i], forwards */
        size_t u = g->line[i];

        for (size_t k = g->out[v]; k < g->out[v + 1]; k++) {
            cost -= g->edges[k].to == u ? (int64_t)g->edges[k].weight : 0;
        }
        for (size_t k = g->in[v]; k < g->in[v + 1]; k++) {
            cost += g->edges[g->by_to[k]].from == u ? (int64_t)g->edges[g->by_to[k]].weight : 0;
        }
        if (cost < least) {
            least = cost;
            to = i;
        }
    }
    cost = 0;
    for (size_t i = at + 1; i < g->count; i++) {
        size_t u = g->line[i];

        for (size_t k = g->out[v]; k < g->out[v + 1]; k++) {
            cost += g->edges[k].to == u ? (int64_t)g->edges[k].weight : 0;
        }
        for (size_t k = g->in[v]; k < g->in[v + 1]; k++) {
            cost -= g->edges[g->by_to[k]].from == u ? (int64_t)g->edges[g->by_to[k]].weight : 0;
        }
        if (cost < least) {
            least = cost;
            to = i;
        }
    }
    for (; at > to; at--) {
        g->line[at] = g->line[at - 1];
        g->place[g->line[at]] = at;
    }
    for (; at < to; at++) {
        g->line[at] = g->line[at + 1];
        g->place[g->line[at]] = at;
    }
    g->line[at] = v;
    g->place[v] = at;
    return least < 0;
}

/* --- From the row to groups and runs --- */

struct schedule {
    struct graph *g;
    struct kerf_order *o;
    size_t *missing; /* for each sector: those before it in the row that need it and are not produced */
    bool *done;
    size_t made;
};

static bool keeps(const struct graph *g, const struct edge *e)
{
    return g->place[e->from] < g->place[e->to];
}

/* Do those sectors that must come before start .. start + len - 1 come before, or with them? */
static bool ready(const struct schedule *s, size_t start, size_t len)
{
    const struct graph *g = s->g;

    for (size_t v = start; v < start + len; v++) {
        size_t inside = 0;

        if (s->done[v]) {
            return false;
        }
        for (size_t i = g->in[v]; i < g->in[v + 1]; i++) {
            const struct edge *e = &g->edges[g->by_to[i]];

            inside += keeps(g, e) && e->from - start < len;
        }
        if (s->missing[v] > inside) {
            return false;
        }
    }
    return true;
}

static void produce(struct schedule *s, size_t v)
{
    const struct graph *g = s->g;

    s->done[v] = true;
    s->o->sector[s->made] = v;
    s->o->rank[v] = s->made++;
    for (size_t i = g->out[v]; i < g->out[v + 1]; i++) {
        if (keeps(g, &g->edges[i])) {
            s->missing[g->edges[i].to]--;
        }
    }
}

/* Makes len sectors from start on, if they are ready. */
static bool try_block(struct schedule *s, size_t start, size_t len)
{
    if (len == 0 || start >= s->g->count || len > s->g->count - start || !ready(s, start, len)) {
        return false;
    }
    for (size_t v = start; v < start + len; v++) {
        produce(s, v);
    }
    return true;
}

/* Fills a group: goes on upwards, or below the group before, or wherever the row goes on. */
static void make_group(struct schedule *s, size_t *start)
{
    size_t group = s->o->group;
    size_t room = group;

    if (s->made > 0) {
        size_t last = s->o->sector[s->made - 1];

        if (try_block(s, last + 1, room)) {
            *start = last + 1;
            return;
        }
        for (; room > 0; room--) {
            if (*start >= room && try_block(s, *start - room, room)) {
                *start -= room;
                break;
            }
        }
        room = room > 0 ? group - room : group;
    }
    while (room > 0 && s->made < s->g->count) {
        size_t v = NONE;

        for (size_t i = 0; i < s->g->count && v == NONE; i++) {
            if (!s->done[s->g->line[i]]) {
                v = s->g->line[i];
            }
        }
        for (size_t len = room; len > 0; len--) {
            if (try_block(s, v, len)) {
                *start = v;
                room -= len;
                break;
            }
            if (v + 1 >= len && try_block(s, v + 1 - len, len)) {
                *start = v + 1 - len;
                room -= len;
                break;
            }
        }
    }
}

static kerf_err schedule(struct graph *g, struct kerf_order *o)
{
    struct schedule s = {.g = g, .o = o};
    size_t start = 0;

    s.missing = calloc(g->count + 1, sizeof *s.missing);
    s.done = calloc(g->count + 1, sizeof *s.done);
    kerf_err err = s.missing == NULL || s.done == NULL ? KERF_ERR_RAM : KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < g->edge_count; i++) {
        s.missing[g->edges[i].to] += keeps(g, &g->edges[i]);
    }
    while (err == KERF_OK && s.made < g->count) {
        make_group(&s, &start);
    }
    free(s.missing);
    free(s.done);
    return err;
}

/* What an order loses, runs included. */
static kerf_cost cost_of(const struct graph *g, const struct kerf_order *o)
{
    kerf_cost cost = 0;

    for (size_t i = 0; i < g->edge_count; i++) {
        const struct edge *e = &g->edges[i];

        if (o->rank[e->to] / o->group < o->rank[e->from] / o->group) {
            cost += e->weight;
        }
    }
    for (size_t rank = 0; rank < o->count; rank += kerf_order_run(o, rank).len) {
        cost += RUN_COST * KERF_BIT;
    }
    return cost;
}

/* Moves the len sectors at rank `from` so that they begin at rank `to` of the order without them. */
static void move_block(struct kerf_order *o, size_t from, size_t to, size_t len)
{
    size_t block[2];

    memcpy(block, o->sector + from, len * sizeof block[0]);
    kerf_order_move(o->sector, block, from, to, len);
    for (size_t r = from < to ? from : to; r < (from < to ? to : from) + len; r++) {
        o->rank[o->sector[r]] = r;
    }
}

/* Moves the sectors at `from` to one of the places around `to`, if that is better. */
static bool try_moves(const struct graph *g, struct kerf_order *o, size_t from, size_t to, kerf_cost *cost)
{
    for (size_t len = 1; len <= 2; len++) {
        size_t low = to > 2 ? to - 2 : 0;

        for (size_t at = low; at <= to + 2 && from + len <= o->count && at + len <= o->count; at++) {
            if (at == from) {
                continue;
            }
            move_block(o, from, at, len);
            kerf_cost tried = cost_of(g, o);

            if (tried < *cost) {
                *cost = tried;
                return true;
            }
            move_block(o, at, from, len);
        }
    }
    return false;
}

/* Small changes to the order, for as long as they make it better. */
static void improve(const struct graph *g, struct kerf_order *o)
{
    kerf_cost cost = cost_of(g, o);
    bool better = true;

    for (unsigned round = 0; better && round < MOVE_ROUNDS; round++) {
        unsigned tried = 0;

        better = false;
        for (size_t i = 0; i < g->edge_count && tried < MOVE_EDGES; i++) {
            const struct edge *e = &g->edges[i];

            if (o->rank[e->to] / o->group < o->rank[e->from] / o->group) {
                tried++;
                better |= try_moves(g, o, o->rank[e->from], o->rank[e->to], &cost) ||
                          try_moves(g, o, o->rank[e->to], o->rank[e->from], &cost);
            }
        }
    }
}

kerf_err kerf_order_choose(struct kerf_work *w, const struct kerf_segments *segments, bool *lossy)
{
    struct kerf_order *o = w->order;
    struct graph g = {0};
    kerf_err err = open_graph(&g, w, segments);

    *lossy = false;

    if (err == KERF_OK && o->count > 1) {
        kerf_order_set(o, false);
        kerf_cost up = cost_of(&g, o);

        kerf_order_set(o, true);
        kerf_cost down = cost_of(&g, o);

        err = make_row(&g);
        for (unsigned round = 0; g.count <= SIFT_MAX && err == KERF_OK && round < SIFT_ROUNDS; round++) {
            bool better = false;

            for (size_t v = 0; v < g.count; v++) {
                better |= sift(&g, v);
            }
            if (!better) {
                break;
            }
        }
        if (err == KERF_OK) {
            err = schedule(&g, o);
        }
        if (err == KERF_OK && (up < cost_of(&g, o) || down < cost_of(&g, o))) {
            kerf_order_set(o, down < up);
        }
        if (err == KERF_OK) {
            improve(&g, o);
        }
        *lossy = cost_of(&g, o) > LOSS_MIN * KERF_BIT;
    }
    close_graph(&g);
    return err;
}
