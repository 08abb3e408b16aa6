/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan is coded once, from its start to its end. At three kinds of places other ways are tried: before a short
 * segment, near a segment's end, and inside of one where bytes differ. A way is coded from there on until it has come
 * together with the plan as it is and has a segment or two in common with it; the coder then goes back to where it was.
 */
#include "diffgen/polish.h"

#include <string.h>

#include "diffgen/coding.h"

#define WAY_MAX 2u      /* segments that a way has in place of those that are there */
#define SHORT_LEN 64u   /* longer segments are not left out, */
#define TAIL_LEN 64u    /* ways for the end of a segment begin so many bytes before it, */
#define STRETCH_LEN 64u /* or as many more, since none begins inside of a quiet stretch, */
#define QUIET_LEN 128u  /* and one step takes fewer */
#define AGAIN_MAX 4u    /* changes in a row at one place */
/* Segments behind those that change which are coded to compare, and bytes of the last one: usually, and where thorough; */
#define FOLLOW 1u
#define FOLLOW_LEN 12u
#define FOLLOW_MORE 2u
#define FOLLOW_LEN_MORE 32u
#define FOLLOW_MOST 1024u     /* bytes behind those that change, at most; */
#define HOLE_FOLLOW 64u       /* behind a hole */
#define HOLE_APART 4u         /* bytes that differ are one hole where not more between them are equal */
#define MARGIN (8 * KERF_BIT) /* a way that has joined the plan is given up when it is so much behind, */
#define MARGIN_MORE (16 * KERF_BIT)
#define LEAST (KERF_BIT / 2)      /* and must gain so much */
#define DROP_MOST (64 * KERF_BIT) /* a segment is not left out where literals would take more; it takes some 25 bits */
#define CURVE_MAX 4096u

/* Other segments in place of the plan's next `instead`. */
struct way {
    struct kerf_segment list[WAY_MAX];
    unsigned count, instead;
    kerf_pos join; /* from here on it is as the plan */
};

/* What the plan as it is has cost when it had come so far. */
struct point {
    kerf_pos pos;
    kerf_cost cost;
};

/* A state of the coder to come back to. */
struct place {
    struct kerf_encoder e;
    uint8_t *tables;
};

struct polisher {
    const struct kerf_work *w;
    bool thorough;
    struct kerf_coding coding;
    struct kerf_polish_part *part;
    size_t at;          /* the segment in progress, or the next one */
    struct place head;  /* before the head of the segment in progress */
    size_t head_len;    /* bytes of tables that heads may change */
    struct place start; /* where ways begin, */
    bool inside;        /* in the segment in progress, not before it */
    kerf_pos stop;      /* ways are coded up to here at most */
    kerf_cost base;     /* the cost at the start, less what the way's head takes more than the plan's */
    kerf_cost work;     /* what the way's literals are to gain, */
    kerf_cost lowest;   /* what the best way costs; 0: the plan as it is was not coded yet */
    struct way best;    /* instead: 0: the plan as it is */
    kerf_pos join;      /* of the way in progress; KERF_POS_MAX: it is the plan, whose curve is drawn */
    struct point curve[CURVE_MAX];
    size_t points, point; /* how many there are, and the last one that was passed */
    bool goes_on;         /* the curve is that of the plan from the end of the segment in progress on, too */
};

static kerf_pos end_of(const struct kerf_segment *s)
{
    return s->new_pos + s->len;
}

static int64_t distance_of(const struct kerf_segment *s)
{
    return (int64_t)s->src_pos - (int64_t)s->new_pos;
}

static bool same_source(const struct kerf_segment *a, const struct kerf_segment *b)
{
    return a->from_new == b->from_new && distance_of(a) == distance_of(b);
}

static const struct kerf_segment *current(const struct polisher *p)
{
    return &p->part->segments.list[p->at];
}

/* Are there so many segments behind the one in progress? */
static bool has_next(const struct polisher *p, size_t count)
{
    return p->at + count < p->part->segments.count;
}

static void save(const struct kerf_coding *coding, struct place *place, size_t len)
{
    place->e = coding->e;
    memcpy(place->tables, coding->c, len);
    memcpy(place->tables + coding->workspace, coding->order, coding->order_len * sizeof *coding->order);
}

static void restore(struct kerf_coding *coding, const struct place *place, size_t len)
{
    coding->e = place->e;
    memcpy(coding->c, place->tables, len);
    memcpy(coding->order, place->tables + coding->workspace, coding->order_len * sizeof *coding->order);
}

static void go_back(struct polisher *p)
{
    restore(&p->coding, &p->start, p->coding.workspace);
}

/* What was coded since the start costs; less than nothing where the plan's head was longer. */
static kerf_cost cost_of(const struct polisher *p)
{
    kerf_cost cost = p->coding.e.run.k.rc.cost;

    return (cost > p->base ? cost - p->base : 0) + p->work;
}

/* Bytes of the plan's segments that are literals of the way. */
static kerf_pos literals_more(const struct polisher *p, const struct way *way)
{
    kerf_pos copied = 0;
    kerf_pos before = 0;

    for (unsigned i = 0; i < way->count; i++) {
        copied += way->list[i].len;
    }
    for (unsigned i = 0; i < way->instead; i++) {
        before += current(p)[i].len;
    }
    return before > copied ? before - copied : 0;
}

/* Is it known what is to be known of the way in progress? Draws the plan's curve. */
static bool is_decided(struct polisher *p)
{
    kerf_pos pos = p->coding.c->new_pos;

    if (p->join == KERF_POS_MAX) {
        if (p->points < CURVE_MAX) {
            p->curve[p->points++] = (struct point){pos, cost_of(p)};
        }
        return pos >= p->stop;
    }
    if (pos >= p->join) {
        while (p->point + 1 < p->points && p->curve[p->point + 1].pos <= pos) {
            p->point++;
        }
        if (p->points > 0 && cost_of(p) > p->curve[p->point].cost + (p->thorough ? MARGIN_MORE : MARGIN)) {
            return true;
        }
    }
    return pos >= p->stop || cost_of(p) >= p->lowest;
}

/* KERF_END: decided. */
static kerf_err code_literals(struct polisher *p, kerf_pos len)
{
    kerf_err err = kerf_encode_gap(&p->coding.e, len);

    for (; err == KERF_OK && len > 0; len--) {
        err = kerf_encode_literal(&p->coding.e);
        if (err == KERF_OK && is_decided(p)) {
            return KERF_END;
        }
    }
    return err;
}

/* One step of the segment in progress. `quick`: of many bytes where there is one. */
static kerf_err code_step(struct polisher *p, bool quick)
{
    struct kerf_ref ref = {0};
    enum kerf_step what;
    size_t len = quick ? kerf_encode_quiet(&p->coding.e) : 0;

    return len > 0 ? KERF_OK : kerf_encode_copy(&p->coding.e, &len, &what, &ref);
}

static kerf_err code_body(struct polisher *p, kerf_pos end)
{
    kerf_err err = KERF_OK;

    while (err == KERF_OK && p->coding.c->new_pos < end) {
        err = code_step(p, true);
        if (err == KERF_OK && is_decided(p)) {
            return KERF_END;
        }
    }
    return err;
}

/* The gap before a segment, and the segment. */
static kerf_err code_segment(struct polisher *p, const struct kerf_segment *s)
{
    kerf_err err = code_literals(p, s->new_pos - p->coding.c->new_pos);

    if (err == KERF_OK) {
        err = kerf_encode_segment(&p->coding.e, s);
    }
    return err == KERF_OK ? code_body(p, end_of(s)) : err;
}

/* The segment in progress is to end elsewhere, as if its head had said so. */
static void set_end(struct polisher *p, const struct kerf_segment *s)
{
    struct kerf_codec *c = p->coding.c;

    c->left = end_of(s) - c->new_pos;
    if (!s->from_new) {
        c->old_end = s->src_pos + s->len;
    }
}

/* What a segment's head takes in place of that of the segment in progress. */
static kerf_err head_cost(struct polisher *p, const struct kerf_segment *s, kerf_cost *cost)
{
    restore(&p->coding, &p->head, p->head_len);

    kerf_cost before = p->coding.e.run.k.rc.cost;
    kerf_err err = kerf_encode_segment(&p->coding.e, s);

    *cost = p->coding.e.run.k.rc.cost - before;
    return err;
}

/* Codes a way, and the plan behind it, until it is decided. */
static kerf_err code_way(struct polisher *p, const struct way *way)
{
    const struct kerf_segments *plan = &p->part->segments;
    size_t next = p->at + way->instead;
    unsigned i = 0;
    kerf_err err = KERF_OK;

    if (p->inside) {
        const struct kerf_segment *s = way->instead > 0 ? &way->list[i++] : &plan->list[next++];

        set_end(p, s);
        err = code_body(p, end_of(s));
    }
    for (; err == KERF_OK && i < way->count; i++) {
        err = code_segment(p, &way->list[i]);
    }
    for (; err == KERF_OK && next < plan->count; next++) {
        err = code_segment(p, &plan->list[next]);
    }
    if (err == KERF_OK && p->coding.c->new_pos < p->part->end) {
        err = code_literals(p, p->part->end - p->coding.c->new_pos);
    }
    return err == KERF_END ? KERF_OK : err;
}

/* The plan as it is, once for all ways from the same start. */
static kerf_err code_plan(struct polisher *p)
{
    const struct way none = {.count = 0};

    p->base = p->start.e.run.k.rc.cost;
    p->work = 0;
    p->join = KERF_POS_MAX;
    p->points = 0;
    kerf_err err = code_way(p, &none);

    p->lowest = cost_of(p) > LEAST ? cost_of(p) - LEAST : 1;
    go_back(p);
    return err;
}

/* The same where it is known from the ways for the end of the segment before. False: it is not. */
static bool know_plan(struct polisher *p)
{
    size_t first = 0;

    while (first < p->points && p->curve[first].pos < p->coding.c->new_pos) {
        first++;
    }
    if (!p->goes_on || first == p->points || p->points == CURVE_MAX || p->curve[first].pos != p->coding.c->new_pos) {
        return false;
    }
    kerf_cost before = p->curve[first].cost;
    kerf_cost whole = p->curve[p->points - 1].cost - before;

    p->points -= first;
    memmove(p->curve, p->curve + first, p->points * sizeof p->curve[0]);
    for (size_t i = 0; i < p->points; i++) {
        p->curve[i].cost -= before;
    }
    p->lowest = whole > LEAST ? whole - LEAST : 1;
    return true;
}

/* Ways are compared that begin here. None changes segments from number `follow` on. */
static void begin(struct polisher *p, bool inside, size_t follow, kerf_pos most)
{
    const struct kerf_segments *plan = &p->part->segments;
    size_t last = follow + (p->thorough ? FOLLOW_MORE : FOLLOW) - 1;
    kerf_pos len = p->thorough ? FOLLOW_LEN_MORE : FOLLOW_LEN;
    kerf_pos stop = last < plan->count ? plan->list[last].new_pos + len : p->part->end;

    p->stop = stop < most ? stop : most;
    p->inside = inside;
    p->lowest = 0;
    p->best.instead = 0;
    if (!inside) {
        (void)know_plan(p);
    }
    p->goes_on = false;
    save(&p->coding, &p->start, p->coding.workspace);
}

static kerf_err try_way(struct polisher *p, const struct way *way)
{
    kerf_cost own = 0;
    kerf_cost other = 0;
    kerf_err err = p->lowest == 0 ? code_plan(p) : KERF_OK;

    if (err == KERF_OK && p->inside && way->list[0].len != current(p)->len) {
        err = head_cost(p, current(p), &own);
        if (err == KERF_OK) {
            err = head_cost(p, &way->list[0], &other);
        }
        restore(&p->coding, &p->start, p->head_len);
    }
    if (err != KERF_OK) {
        return err;
    }
    p->base = p->start.e.run.k.rc.cost + own - other;
    p->work = literals_more(p, way) * p->part->literal_work;
    p->join = way->join;
    p->point = 0;
    err = code_way(p, way);
    if (p->coding.c->new_pos >= p->stop && cost_of(p) < p->lowest) {
        p->lowest = cost_of(p);
        p->best = *way;
    }
    p->work = 0;
    go_back(p);
    return err;
}

/* The plan takes the best way, if there is one. */
static kerf_err take(struct polisher *p)
{
    struct kerf_segments *plan = &p->part->segments;
    const struct way *way = &p->best;

    for (unsigned i = 0; i < way->count && way->instead > 0; i++) { /* room for as many */
        kerf_err err = kerf_segments_add(plan, &way->list[i]);

        if (err != KERF_OK) {
            return err;
        }
        plan->count--;
    }
    if (way->instead > 0) {
        struct kerf_segment *list = plan->list + p->at;

        memmove(list + way->count, list + way->instead, (plan->count - p->at - way->instead) * sizeof *list);
        memcpy(list, way->list, way->count * sizeof *list);
        plan->count += way->count;
        plan->count -= way->instead;
        if (p->inside) {
            set_end(p, list);
        }
    }
    return KERF_OK;
}

/* The segment with other ends; false: there is none. */
static bool with_ends(const struct polisher *p, const struct kerf_segment *s, kerf_pos start, kerf_pos end,
                      struct kerf_segment *out)
{
    const uint8_t *bytes = p->w->new_side.bytes;
    uint64_t size = s->from_new ? p->w->new_side.len : p->w->old_side.len;
    int64_t from = (int64_t)start + distance_of(s);

    if (end <= start || end > p->part->end || from < 0 || (uint64_t)from + (end - start) > size) {
        return false;
    }
    *out = (struct kerf_segment){start, (kerf_pos)from, end - start, s->from_new};
    if (!s->from_new) {
        return true;
    }
    return (start >= s->new_pos || memcmp(bytes + start, bytes + from, s->new_pos - start) == 0) &&
           (end <= end_of(s) || memcmp(bytes + end_of(s), bytes + s->src_pos + s->len, end - end_of(s)) == 0);
}

static bool differs(const struct polisher *p, const struct kerf_segment *s, kerf_pos at)
{
    size_t from = (size_t)((int64_t)at + distance_of(s));

    return s->from_new ? p->w->new_side.bytes[from] != p->w->new_side.bytes[at]
                       : p->w->old_side.masked[from] != p->w->new_side.masked[at];
}

/* Does the source of a longer segment have at least half of the bytes from .. to? */
static bool serves(const struct polisher *p, const struct kerf_segment *longer, kerf_pos from, kerf_pos to)
{
    kerf_pos wrong = 0;

    for (kerf_pos n = from; n < to; n++) {
        wrong += differs(p, longer, n);
    }
    return wrong * 2 <= to - from;
}

/* The segment in progress ends at `end`, the next one begins at `start`. */
static kerf_err try_boundary(struct polisher *p, kerf_pos end, kerf_pos start)
{
    const struct kerf_segment *a = current(p);
    const struct kerf_segment *b = a + 1;
    struct way way = {.count = 2, .instead = 2, .join = start > b->new_pos ? start : b->new_pos};

    if (end <= p->coding.c->new_pos || end > start || !with_ends(p, a, a->new_pos, end, &way.list[0]) ||
        !with_ends(p, b, start, end_of(b), &way.list[1])) {
        return KERF_OK;
    }
    /* Bytes that become literals seldom gain, nor do such as the source does not have. */
    if (!p->thorough && ((start > end && (end < end_of(a) || start > b->new_pos)) ||
                         !serves(p, &way.list[0], end_of(a), end) || !serves(p, &way.list[1], start, b->new_pos))) {
        return KERF_OK;
    }
    return try_way(p, &way);
}

/* Where the segment in progress and the next one may meet, or nearly so. */
static kerf_err try_boundaries(struct polisher *p)
{
    static const int8_t moves[] = {-1, 1, -2, 2, -4, 4, -3, 3, -8, 8, -6, 6};
    kerf_pos end = end_of(current(p));
    kerf_pos next = current(p)[1].new_pos;
    unsigned count = p->thorough ? sizeof moves : 6;
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && i < count; i++) {
        kerf_pos at = end + (kerf_pos)moves[i];

        if (next == end) {
            err = try_boundary(p, at, at > next ? at : next);
            if (err == KERF_OK) {
                err = at > end ? try_boundary(p, end, at) : try_boundary(p, at, at);
            }
        } else {
            err = try_boundary(p, at, next);
            if (err == KERF_OK) {
                err = try_boundary(p, end, next + (kerf_pos)moves[i]);
            }
        }
    }
    if (err == KERF_OK && next != end) {
        err = try_boundary(p, next, next);
        if (err == KERF_OK) {
            err = try_boundary(p, end, end);
        }
    }
    return err;
}

/* The segment in progress goes on over the next one, or over that and one behind it which has the same source. */
static kerf_err try_longer(struct polisher *p)
{
    const struct kerf_segment *a = current(p);
    const struct kerf_segment *b = a + 1;
    struct way way = {.count = 1, .instead = 2};
    kerf_err err = KERF_OK;

    if ((b->len <= SHORT_LEN || same_source(a, b)) && with_ends(p, a, a->new_pos, end_of(b), &way.list[0])) {
        way.join = same_source(a, b) ? b->new_pos : end_of(b);
        err = try_way(p, &way);
    }
    if (err == KERF_OK && b->len <= SHORT_LEN && has_next(p, 2) && same_source(a, b + 1) &&
        b[1].new_pos - end_of(a) <= 2 * SHORT_LEN && with_ends(p, a, a->new_pos, end_of(b + 1), &way.list[0])) {
        way.join = b[1].new_pos;
        way.instead = 3;
        err = try_way(p, &way);
    }
    return err;
}

/* Near the end of the segment in progress. */
static kerf_err try_tail(struct polisher *p)
{
    kerf_err err = KERF_OK;

    p->best.instead = 1;
    for (unsigned i = 0; err == KERF_OK && i < AGAIN_MAX && has_next(p, 1) && p->best.instead > 0; i++) {
        begin(p, true, p->at + 2, end_of(current(p) + 1) + FOLLOW_MOST);
        err = try_longer(p);
        if (err == KERF_OK) {
            err = try_boundaries(p);
        }
        if (err == KERF_OK) {
            err = take(p);
        }
        p->goes_on = p->best.instead == 0 && p->lowest > 0;
    }
    return err;
}

/* About what a segment's bytes cost as literals. */
static kerf_cost literals_cost(const struct polisher *p, const struct kerf_segment *s)
{
    kerf_cost sum = 0;

    for (kerf_pos n = s->new_pos; n < end_of(s); n++) {
        sum += kerf_literal_cost(p->w, n);
    }
    return sum;
}

/* Before a short segment: without it, or with the next one from its start on. */
static kerf_err try_without(struct polisher *p)
{
    kerf_err err = KERF_OK;

    p->best.instead = 1;
    for (unsigned i = 0; err == KERF_OK && i < AGAIN_MAX && has_next(p, 0) && p->best.instead > 0; i++) {
        const struct kerf_segment *a = current(p);
        struct way way = {.instead = 1, .join = end_of(a)};

        if (a->len > SHORT_LEN) {
            break;
        }
        begin(p, false, p->at + 1, end_of(a) + FOLLOW_MOST);
        if (p->thorough || literals_cost(p, a) < DROP_MOST) {
            err = try_way(p, &way);
        }
        if (err == KERF_OK && has_next(p, 1) && with_ends(p, a + 1, a->new_pos, end_of(a + 1), &way.list[0])) {
            way.count = 1;
            way.instead = 2;
            way.join = a[1].new_pos;
            err = try_way(p, &way);
        }
        if (err == KERF_OK) {
            err = take(p);
        }
    }
    return err;
}

/* Where a run of bytes that differ begins, inside of the segment: how long it is; 0: none does, or it is a single byte. */
static kerf_pos hole_at(const struct polisher *p, const struct kerf_segment *s, kerf_pos at)
{
    kerf_pos len = 1;

    if (s->from_new || at <= s->new_pos || !differs(p, s, at) || differs(p, s, at - 1)) {
        return 0;
    }
    for (kerf_pos i = 1; at + i < end_of(s) && i <= len + HOLE_APART; i++) {
        if (differs(p, s, at + i)) {
            len = i + 1;
        }
    }
    return len < 2 || at + len >= end_of(s) ? 0 : len;
}

/* The segment in progress without the next bytes. */
static kerf_err try_hole(struct polisher *p, kerf_pos len)
{
    const struct kerf_segment *s = current(p);
    kerf_pos at = p->coding.c->new_pos;
    struct way way = {.count = 2, .instead = 1, .join = at + len};

    if (!with_ends(p, s, s->new_pos, at, &way.list[0]) || !with_ends(p, s, at + len, end_of(s), &way.list[1])) {
        return KERF_OK;
    }
    begin(p, true, p->at + 1, at + len + HOLE_FOLLOW);
    kerf_err err = try_way(p, &way);

    return err == KERF_OK ? take(p) : err;
}

/* Codes the segment in progress, and tries others on the way. */
static kerf_err polish_body(struct polisher *p)
{
    const struct kerf_codec *c = p->coding.c;
    kerf_pos tried = 0; /* the last hole */
    bool at_tail = false;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && c->left > 0) {
        const struct kerf_segment *s = current(p);
        kerf_pos hole = c->new_pos > tried ? hole_at(p, s, c->new_pos) : 0;

        /* What a quiet stretch says of its bytes would be wrong for others. */
        if (!at_tail && c->left <= TAIL_LEN + STRETCH_LEN && (s->from_new || c->stretch < 2)) {
            at_tail = true;
            err = try_tail(p);
        } else if (hole > 0) {
            tried = c->new_pos;
            err = try_hole(p, hole);
        } else {
            err = code_step(p, c->left > TAIL_LEN + STRETCH_LEN + QUIET_LEN);
        }
    }
    return err;
}

static kerf_err polish_segment(struct polisher *p)
{
    kerf_err err = try_without(p);

    if (err != KERF_OK || !has_next(p, 0)) {
        return err;
    }
    p->join = 0; /* what is coded here is not decided upon */
    p->points = 0;
    p->lowest = UINT64_MAX;
    p->stop = KERF_POS_MAX;
    err = code_literals(p, current(p)->new_pos - p->coding.c->new_pos);
    if (err == KERF_OK) {
        save(&p->coding, &p->head, p->head_len);
        err = kerf_encode_segment(&p->coding.e, current(p));
    }
    if (err == KERF_OK) {
        err = polish_body(p);
    }
    p->at++;
    return err;
}

static kerf_err polish_all(struct polisher *p, const struct kerf_map *map)
{
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < map->count; i++) {
        err = kerf_encode_map(&p->coding.e, &map->list[i]);
    }
    p->lowest = UINT64_MAX; /* nothing is decided upon yet */
    p->stop = KERF_POS_MAX;
    while (err == KERF_OK && p->at < p->part->from) {
        err = code_segment(p, &p->part->segments.list[p->at++]);
    }
    while (err == KERF_OK && has_next(p, 0)) {
        err = polish_segment(p);
    }
    return err;
}

kerf_err kerf_polish(const struct kerf_work *w, struct kerf_header *header, const struct kerf_map *map, bool thorough,
                     struct kerf_polish_part *part)
{
    struct polisher *p = calloc(1, sizeof *p);

    if (p == NULL) {
        return KERF_ERR_RAM;
    }
    p->w = w;
    p->thorough = thorough;
    p->part = part;
    kerf_err err = kerf_coding_open(&p->coding, w, header, map->count);

    if (err == KERF_OK) {
        size_t size = p->coding.workspace + p->coding.order_len * sizeof *p->coding.order;

        p->head.tables = malloc(size);
        p->start.tables = malloc(size);
        err = p->head.tables == NULL || p->start.tables == NULL ? KERF_ERR_RAM : KERF_OK;
    }
    if (err == KERF_OK) {
        kerf_coding_begin(&p->coding, w, header, NULL, NULL);
        /* Bytes have their tables behind all others. */
        p->head_len = (size_t)((const uint8_t *)p->coding.e.run.t.bytes - (const uint8_t *)p->coding.c);
        err = polish_all(p, map);
    }
    free(p->head.tables);
    free(p->start.tables);
    kerf_coding_close(&p->coding);
    free(p);
    return err;
}
