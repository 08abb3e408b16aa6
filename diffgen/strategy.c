/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kinds of reference, which sizes of tables, which segments: a few of each are tried by what they really cost, and
 * the best is kept. The level says how many.
 */
#include <string.h>

#include "diffgen/work.h"

/* How hard a level tries. */
struct effort {
    uint8_t rounds;       /* of planning by cost */
    uint8_t first_splits; /* splits of RAM tried with bsdiff's plan, */
    uint8_t last_splits;  /* and with the final one */
    uint8_t kinds; /* sets of reference kinds: 0: all; 1: by bsdiff's plan; 2: the near ones by a planned round too */
};

static const struct effort efforts[10] = {
    {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 0, 2, 0}, {1, 1, 2, 1}, {2, 1, 3, 1},
    {2, 2, 3, 2}, {3, 2, 4, 2}, {4, 4, 6, 2}, {5, 8, 8, 2}, {8, 8, 8, 2},
};

#define LARGE_LEN (32u << 20) /* bytes of both images: levels below 7 try less hard from here on */
#define LARGE_LEVEL 3u
#define RAM_FLOOR 65536u /* bytes; a budget is not cut to the images below this */
#define ROUNDS_MAX 12u
#define MEASURED 1u /* rounds in which every byte is priced as a literal too: it takes as long as the rest of a round */
#define KINDS_MARGIN 8u   /* a set of kinds that falls behind by one in this many is given up, */
#define SPLIT_MARGIN 32u  /* and a split, */
#define BUDGET_MARGIN 16u /* and a smaller budget, */
#define SMALL_LEN 2048u   /* unless the delta is no longer than this */
#define DROP_ALL 0x7fffu
#define BRANCHES (1u << KERF_REF_BRANCH | 1u << KERF_REF_BRANCH2)
#define LITERALS (1u << KERF_REF_LITERAL)
#define RAM (1u << KERF_REF_RAM)

/* Sets of kinds to leave out, and the plans made with them. */
#define CANDIDATES 5
static const uint16_t drops[CANDIDATES] = {0, BRANCHES, BRANCHES | LITERALS, RAM, DROP_ALL};

struct search {
    struct kerf_work *w;
    struct kerf_header *header;
    uint64_t ram;
    const struct effort *effort;
    bool large;
    struct kerf_image all; /* with every kind that was recognised */
    unsigned scanned;      /* index in drops[] of what w was scanned for */
    struct kerf_plan plans[CANDIDATES];
    kerf_cost greedy[CANDIDATES]; /* what bsdiff's plan costs */
    size_t len[CANDIDATES]; /* of deltas by these plans, headers included: regions that serve nothing cost bytes */
};

void kerf_plan_free(struct kerf_plan *p)
{
    free(p->segments.list);
    free(p->map.list);
    free(p->payload.data);
    memset(p, 0, sizeof *p);
}

static void tell(const struct kerf_work *w, const char *stage, uint64_t done, uint64_t total)
{
    if (w->options->progress != NULL) {
        w->options->progress(w->options->progress_ctx, stage, done, total);
    }
}

/* Scans both sides for the kinds of drops[index]. */
static kerf_err scan(struct search *s, unsigned index)
{
    struct kerf_work *w = s->w;

    if (s->scanned == index) {
        return KERF_OK;
    }
    kerf_scan_free(&w->old_side);
    kerf_scan_free(&w->new_side);
    w->image = s->all;
    for (unsigned i = 0; i < w->image.region_count; i++) {
        w->image.regions[i].kinds &= (uint16_t)~drops[index];
    }
    if (drops[index] == DROP_ALL) {
        w->image.region_count = 0;
    }
    if ((drops[index] & RAM) != 0) {
        w->image.range_count = 0;
    }
    s->header->region_count = (uint8_t)w->image.region_count;
    s->header->range_count = (uint8_t)w->image.range_count;
    s->scanned = index;
    kerf_err err = kerf_scan_side(&w->old_side, &w->image, false, index == 0);

    return err == KERF_OK ? kerf_scan_side(&w->new_side, &w->image, true, index == 0) : err;
}

/* The map for a plan's segments. */
static kerf_err choose_map(const struct search *s, const struct kerf_header *header, struct kerf_plan *plan)
{
    return kerf_addrmap_choose(s->w, &plan->segments, kerf_params_map_cap(s->ram, header), &plan->map);
}

/* The map for a plan's segments, and what coding both costs; gives up when it loses against `rival` (NULL: never). */
static kerf_err race(const struct search *s, struct kerf_header *header, struct kerf_plan *plan,
                     const struct kerf_encoding *rival, unsigned margin)
{
    kerf_err err = choose_map(s, header, plan);

    return err == KERF_OK ? kerf_encode_race(s->w, header, &plan->segments, &plan->map, rival, margin, &plan->payload,
                                             &plan->encoding)
                          : err;
}

/* bsdiff's plan with all kinds. */
static kerf_err plan_greedy(struct search *s, struct kerf_plan *plan)
{
    kerf_err err = scan(s, 0);

    if (err == KERF_OK) {
        err = kerf_match_prepare(s->w);
    }
    if (err == KERF_OK) {
        err = kerf_match_greedy(s->w, &plan->segments);
    }
    if (err == KERF_OK && s->effort->rounds > 0) {
        err = kerf_encode_literal_costs(s->w, &plan->segments);
    }
    if (err == KERF_OK && s->w->order != NULL) {
        err = kerf_order_choose(s->w, &plan->segments);
    }
    return err == KERF_OK ? race(s, s->header, plan, NULL, 0) : err;
}

static kerf_err copy_segments(const struct kerf_segments *from, struct kerf_segments *to)
{
    to->list = malloc((from->count + 1) * sizeof *from->list);
    if (to->list == NULL) {
        return KERF_ERR_RAM;
    }
    if (from->count > 0) {
        memcpy(to->list, from->list, from->count * sizeof *from->list);
    }
    to->count = from->count;
    to->cap = from->count + 1;
    return KERF_OK;
}

/* Does leaving out drops[index] leave the same kinds as a set before? */
static bool same_kinds(const struct search *s, unsigned index)
{
    uint16_t there = 0;

    for (unsigned i = 0; i < s->all.region_count; i++) {
        there |= s->all.regions[i].kinds;
    }
    if (s->all.range_count == 0) {
        there &= (uint16_t)~RAM;
    }
    for (unsigned i = 0; i < index; i++) {
        if ((drops[i] & there) == (drops[index] & there)) {
            return true;
        }
    }
    return false;
}

/* The same segments with another set of kinds. */
static kerf_err try_kinds(struct search *s, unsigned index, const struct kerf_plan *best)
{
    struct kerf_plan *plan = &s->plans[index];
    const struct kerf_segments *from = &s->plans[0].segments;
    kerf_err err = scan(s, index);

    if (err == KERF_OK) {
        err = copy_segments(from, &plan->segments);
    }
    return err == KERF_OK ? race(s, s->header, plan, &best->encoding, KINDS_MARGIN) : err;
}

/* One round of planning from what the last plan cost; *best takes the new plan if it is cheaper. */
static kerf_err plan_round(struct search *s, struct kerf_plan *best, struct kerf_plan *last, bool measure)
{
    const struct kerf_plan *from = last->segments.list != NULL ? last : best;
    struct kerf_plan plan = {0};
    kerf_err err = kerf_plan_by_cost(s->w, &from->encoding.prices, &from->map, &from->segments, &plan.segments);

    if (err == KERF_OK && !measure) {
        err = race(s, s->header, &plan, NULL, 0);
    } else if (err == KERF_OK) {
        err = choose_map(s, s->header, &plan);
    }
    if (err == KERF_OK && measure) {
        err = kerf_encode_measure(s->w, s->header, &plan.segments, &plan.map, &plan.payload, &plan.encoding);
    }
    kerf_plan_free(last);
    if (err == KERF_OK && plan.encoding.total < best->encoding.total) {
        kerf_plan_free(best);
        *best = plan;
    } else {
        *last = plan;
    }
    return err;
}

/* What a payload of this cost takes in the file, chunk digests included. */
static kerf_cost file_cost(const struct kerf_header *header, kerf_cost payload)
{
    return payload + payload / (header->chunk_size - KERF_DIGEST_LEN) * KERF_DIGEST_LEN;
}

/* How long a delta of this plan is; SIZE_MAX: it was given up. */
static size_t file_len(const struct search *s, const struct kerf_header *header, const struct kerf_plan *plan)
{
    struct kerf_header h = *header;
    uint8_t head[256];
    size_t len = 0;

    h.model.map_cap = (uint16_t)plan->map.count;
    h.payload_size = KERF_CHUNK_MAX; /* any that fits: what its field takes is the same for all that are compared */
    h.chunk0_len = h.chunk_size < KERF_CHUNK_MAX ? h.chunk_size : KERF_CHUNK_MAX - 1;
    if (plan->encoding.total == UINT64_MAX ||
        kerf_header_write(&h, s->w->image.regions, s->w->image.ranges, head, sizeof head, &len) != KERF_OK) {
        return SIZE_MAX;
    }
    len += plan->payload.len;
    return len <= h.chunk_size ? len : len + len / (h.chunk_size - KERF_DIGEST_LEN) * KERF_DIGEST_LEN;
}

/* Hardly anything is saved: no effort will change that, and coding so many literals takes long. */
static bool is_noise(const struct search *s, const struct kerf_plan *plan)
{
    return plan->encoding.total > s->w->new_side.len * 8 * KERF_BIT / 16 * 15;
}

static bool same_split(const struct kerf_header *a, const struct kerf_header *b)
{
    return a->chunk_size == b->chunk_size && a->model.table_code == b->model.table_code &&
           a->model.flag_class == b->model.flag_class && a->model.learned_cap == b->model.learned_cap;
}

/*
 * The split of the budget that fits this plan best: the same segments, with the map that each has room for. The plan was
 * priced with the split of the header.
 */
static kerf_err choose_split(const struct search *s, unsigned attempts, struct kerf_plan *plan)
{
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && i < attempts && !is_noise(s, plan); i++) {
        struct kerf_header tried = *s->header;
        struct kerf_plan other = {.segments = plan->segments};
        /* The last attempt is with far less: in a small delta large tables learn too slowly. */
        bool less = i > 0 && i + 1 == attempts && s->ram / 4 >= KERF_DIFF_RAM_MIN;

        tell(s->w, "sizes of tables", i, attempts);
        if (kerf_params_choose(less ? s->ram / 4 : s->ram, less ? 0 : i, &tried) != KERF_OK) {
            break;
        }
        if (same_split(&tried, s->header)) {
            continue;
        }
        err = race(s, &tried, &other, &plan->encoding, SPLIT_MARGIN);
        if (err == KERF_OK && other.encoding.total != UINT64_MAX &&
            file_cost(&tried, other.encoding.total) < file_cost(s->header, plan->encoding.total)) {
            struct kerf_plan beaten = *plan;

            *plan = other;
            other = beaten;
            *s->header = tried;
        }
        other.segments.list = NULL; /* both plans' */
        kerf_plan_free(&other);
    }
    return err;
}

/* The same cost to the bit, as a set before: the kinds that it leaves out are not there. */
static bool costs_as_before(const struct search *s, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (s->greedy[i] == s->greedy[index]) {
            return true;
        }
    }
    return false;
}

/*
 * Which kinds of reference pay differs from product to product: tries a few sets, and none at all, by what bsdiff's plan
 * costs with them; those that come near the best also by a planned round, which may turn the order around.
 */
static kerf_err choose_kinds(struct search *s, unsigned *best)
{
    kerf_err err = KERF_OK;

    *best = 0;
    s->len[0] = file_len(s, s->header, &s->plans[0]);
    for (unsigned i = 1; err == KERF_OK && i < CANDIDATES; i++) {
        if (same_kinds(s, i)) {
            s->plans[i].encoding.total = UINT64_MAX;
            s->len[i] = SIZE_MAX;
            continue;
        }
        tell(s->w, "kinds of reference", i, 2 * CANDIDATES);
        err = try_kinds(s, i, &s->plans[*best]);
        s->len[i] = file_len(s, s->header, &s->plans[i]);
        if (s->len[i] < s->len[*best]) {
            *best = i;
        }
    }
    kerf_cost limit = s->plans[*best].encoding.total / 32 * 33;

    for (unsigned i = 0; i < CANDIDATES; i++) {
        s->greedy[i] = s->plans[i].encoding.total;
    }

    for (unsigned i = 0; err == KERF_OK && i < CANDIDATES && s->effort->kinds > 1; i++) {
        struct kerf_plan last = {0};

        if (s->plans[i].encoding.total > limit || costs_as_before(s, i)) {
            continue;
        }
        tell(s->w, "kinds of reference", CANDIDATES + i, 2 * CANDIDATES);
        err = scan(s, i);
        if (err == KERF_OK) {
            err = plan_round(s, &s->plans[i], &last, false);
            s->len[i] = file_len(s, s->header, &s->plans[i]);
        }
        kerf_plan_free(&last);
    }
    for (unsigned i = 0; i < CANDIDATES; i++) {
        if (s->len[i] < s->len[*best]) {
            *best = i;
        }
    }
    return err;
}

/* Rounds of planning from what the plan costs, then the split that fits what came out. */
static kerf_err plan_rounds(struct search *s, struct kerf_plan *plan)
{
    struct kerf_plan last = {0};
    unsigned rounds = s->effort->rounds;
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && i < rounds; i++) {
        kerf_cost before = plan->encoding.total;

        tell(s->w, "planning", i, rounds);
        err = plan_round(s, plan, &last, i < MEASURED);
        if ((i > 0 && plan->encoding.total > before - before / 512) || is_noise(s, plan)) {
            break;
        }
        /* While a round gains that much, the next is worth its time. */
        if (i + 1 == rounds && rounds < ROUNDS_MAX && plan->encoding.total < before - before / 64) {
            rounds++;
        }
    }
    kerf_plan_free(&last);
    return err == KERF_OK ? choose_split(s, s->effort->last_splits, plan) : err;
}

/*
 * The plan that begins with the segments of `start` and fits a budget. `rival`: given up (encoding.total UINT64_MAX) where it
 * is clear that the plan won't be shorter than that one, coded with s->header.
 */
static kerf_err refine(struct search *s, uint64_t ram, const struct kerf_plan *start, const struct kerf_plan *rival,
                       struct kerf_header *header, struct kerf_plan *plan)
{
    struct kerf_header *whole = s->header;
    size_t rival_len = rival == NULL ? 0 : file_len(s, s->header, rival);
    size_t enough = rival == NULL ? SIZE_MAX : rival_len + rival_len / BUDGET_MARGIN + SMALL_LEN / BUDGET_MARGIN;

    s->ram = ram;
    kerf_err err = kerf_params_choose(ram, 0, header);

    if (err == KERF_OK) {
        err = copy_segments(&start->segments, &plan->segments);
    }
    if (err == KERF_OK) {
        err = race(s, header, plan, rival_len > SMALL_LEN ? &rival->encoding : NULL, BUDGET_MARGIN);
    }
    if (err == KERF_OK && (plan->encoding.total == UINT64_MAX || file_len(s, header, plan) > enough)) {
        plan->encoding.total = UINT64_MAX;
        return KERF_OK;
    }
    s->header = header;
    if (err == KERF_OK) {
        err = choose_split(s, s->effort->first_splits, plan);
    }
    if (err == KERF_OK) {
        err = plan_rounds(s, plan);
    }
    s->header = whole;
    return err;
}

/* *best, coded with s->header, becomes `plan`, coded with `header`, if that gives the shorter file. Frees the other one. */
static void keep_shorter(struct search *s, const struct kerf_header *header, struct kerf_plan *plan,
                         struct kerf_plan *best)
{
    bool shorter = plan->payload.data != NULL && plan->encoding.total != UINT64_MAX &&
                   (best->segments.list == NULL || file_len(s, header, plan) < file_len(s, s->header, best));

    if (shorter) {
        struct kerf_plan beaten = *best;

        *best = *plan;
        *plan = beaten;
        *s->header = *header;
    }
    kerf_plan_free(plan);
}

/*
 * With more RAM no delta may be larger. Every budget therefore goes on from the plan for the default one, and each named budget
 * below is tried too, exactly as if it had been asked for, unless the plan as it is shows that it can't win.
 */
static kerf_err refine_all(struct search *s, uint64_t ram, const struct kerf_plan *start, struct kerf_plan *best)
{
    static const uint32_t budgets[] = {65536, 16384, 8192, 4096, 2048};
    struct kerf_work *w = s->w;
    size_t costs_len = w->new_side.len + 1;
    uint8_t *costs = s->large ? NULL : malloc(costs_len); /* as every budget finds them; rounds change them */
    struct kerf_header usual = *s->header;
    struct kerf_plan common = {0};
    struct kerf_plan origin = {0};
    kerf_err err = costs == NULL ? KERF_ERR_RAM : KERF_OK;

    if (s->large) {
        return refine(s, ram, start, NULL, s->header, best);
    }
    if (err == KERF_OK) {
        err = refine(s, KERF_DIFF_RAM_DEFAULT, start, NULL, &usual, &common);
    }
    if (err == KERF_OK) {
        memcpy(costs, w->literal_cost, costs_len);
        err = copy_segments(&common.segments, &origin.segments);
    }
    if (err == KERF_OK && ram != KERF_DIFF_RAM_DEFAULT) {
        err = refine(s, ram, &origin, NULL, s->header, best);
    }
    for (size_t i = 0; err == KERF_OK && i < sizeof budgets / sizeof budgets[0]; i++) {
        struct kerf_header header = *s->header;
        struct kerf_plan plan = {0};

        if (budgets[i] == KERF_DIFF_RAM_DEFAULT && budgets[i] <= ram) {
            keep_shorter(s, &usual, &common, best);
        } else if (budgets[i] < ram && !is_noise(s, best)) {
            memcpy(w->literal_cost, costs, costs_len);
            err = refine(s, budgets[i], &origin, best, &header, &plan);
            keep_shorter(s, &header, &plan, best);
            err = err == KERF_ERR_RAM ? KERF_OK : err; /* too little for this many regions */
        }
    }
    kerf_plan_free(&origin);
    kerf_plan_free(&common);
    free(costs);
    return err;
}

static kerf_err run(struct search *s, uint64_t ram, struct kerf_plan *plan)
{
    unsigned best = 0;
    /* Kinds are chosen by the default budget, whatever was asked for, so that all budgets begin with the same plan. */
    kerf_err err = kerf_params_choose(s->ram, 0, s->header);

    if (err == KERF_OK) {
        err = plan_greedy(s, &s->plans[0]);
    }
    if (err == KERF_OK) {
        err = choose_split(s, s->effort->first_splits, &s->plans[0]);
    }
    if (err == KERF_OK && s->effort->kinds > 0 && s->all.region_count > 0) {
        err = choose_kinds(s, &best);
    }
    if (err == KERF_OK) {
        err = scan(s, best);
    }
    if (err == KERF_OK && s->effort->rounds > 0) {
        err = refine_all(s, ram, &s->plans[best], plan);
    } else {
        *plan = s->plans[best];
        s->plans[best] = (struct kerf_plan){0};
    }
    s->header->model.map_cap = (uint16_t)plan->map.count;
    return err;
}

kerf_err kerf_strategy_run(struct kerf_work *w, uint64_t ram, struct kerf_header *header, struct kerf_plan *plan)
{
    unsigned level = w->options->level == 0 ? KERF_DIFF_LEVEL_DEFAULT : (unsigned)w->options->level;
    struct search s = {.w = w, .header = header, .effort = &efforts[level], .all = w->image, .scanned = CANDIDATES};

    uint64_t most = (uint64_t)w->old_side.len + w->new_side.len;

    s.large = most > LARGE_LEN;
    if (s.large && level > LARGE_LEVEL && level < 7) {
        s.effort = &efforts[LARGE_LEVEL];
    }

    /* No more than the images could fill. */
    if (ram > most) {
        ram = most > RAM_FLOOR ? most : ram > RAM_FLOOR ? RAM_FLOOR : ram;
    }
    s.ram = s.effort->rounds > 0 ? KERF_DIFF_RAM_DEFAULT : ram;
    kerf_err err = run(&s, ram, plan);

    for (unsigned i = 0; i < CANDIDATES; i++) {
        kerf_plan_free(&s.plans[i]);
    }
    return err;
}
