/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kinds of reference, which sizes of tables, which segments: a few of each are tried by what they really cost,
 * and the best is kept. The level says how many.
 */
#include <string.h>

#include "diffgen/beside.h"
#include "diffgen/search.h"
#include "diffgen/tasks.h"

static const struct kerf_effort efforts[10] = {
    {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {1, 0, 2, 0, 0}, {1, 1, 2, 1, 0}, {2, 1, 3, 1, 0},
    {2, 2, 3, 2, 0}, {3, 1, 4, 1, 1}, {4, 4, 6, 5, 2}, {5, 8, 8, 5, 3}, {8, 8, 8, 5, 5},
};

#define LARGE_LEN (8u << 20)       /* bytes of both images: from here on less is tried, */
#define VERY_LARGE_LEN (32u << 20) /* and from here on at the levels above the default one, too */
#define LARGE_LEVEL 3u
#define RAM_FLOOR 65536u /* bytes; a budget is not cut to the images below this */
#define KINDS_MARGIN 8u  /* a set of kinds that falls behind by one in this many is given up */
#define DROP_ALL 0x7fffu
#define BRANCHES (1u << KERF_REF_BRANCH | 1u << KERF_REF_BRANCH2)
#define LITERALS (1u << KERF_REF_LITERAL)
#define RAM (1u << KERF_REF_RAM)

/* Sets of kinds to leave out, and the plans made with them. */
#define CANDIDATES 5
static const uint16_t drops[CANDIDATES] = {0, BRANCHES, BRANCHES | LITERALS, RAM, DROP_ALL};

/* Another view of the same images, of whose scans it knows nothing yet. */
static void share(const struct kerf_work *w, struct kerf_work *own)
{
    *own = *w;
    kerf_scan_forget(&own->old_side);
    kerf_scan_forget(&own->new_side);
}

/* What is looked for with the kinds of drops[index]. */
static void choose_regions(const struct kerf_search *s, struct kerf_trial *t, unsigned index)
{
    struct kerf_work *w = t->w;

    w->image = *s->all;
    for (unsigned i = 0; i < w->image.region_count; i++) {
        w->image.regions[i].kinds &= (uint16_t)~drops[index];
    }
    if (drops[index] == DROP_ALL) {
        w->image.region_count = 0;
    }
    if ((drops[index] & RAM) != 0) {
        w->image.range_count = 0;
    }
    t->header.region_count = (uint8_t)w->image.region_count;
    t->header.range_count = (uint8_t)w->image.range_count;
    t->scanned = true;
}

/* Scans both sides for the kinds of drops[index]. */
static kerf_err scan(const struct kerf_search *s, struct kerf_trial *t, unsigned index)
{
    struct kerf_work *w = t->w;

    if (t->scanned) {
        return KERF_OK;
    }
    choose_regions(s, t, index);
    kerf_err err = kerf_scan_side(&w->old_side, &w->image, false, index == 0);

    return err == KERF_OK ? kerf_scan_side(&w->new_side, &w->image, true, index == 0) : err;
}

/* The scan of new for all kinds, beside that of old. */
struct new_scan {
    struct kerf_work *w;
    kerf_err err;
};

static void scan_new(void *ctx)
{
    struct new_scan *n = ctx;

    n->err = kerf_scan_side(&n->w->new_side, &n->w->image, true, true);
}

/*
 * Scans both sides for all kinds: at the same time, and while new takes longer old is sorted or chained, where there
 * are threads, and memory for all of it without counting.
 */
static kerf_err scan_first(const struct kerf_search *s, struct kerf_trial *t)
{
    struct kerf_work *w = t->w;
    struct kerf_task task = {0};
    struct new_scan n = {w, KERF_OK};
    bool beside = false;

    if (s->w->large || w->options->memory != 0 || w->options->jobs < 2) {
        return scan(s, t, 0);
    }
    choose_regions(s, t, 0);
    if (w->image.region_count > 0 && w->beside != NULL) { /* whose thread is to be had anyway */
        beside = kerf_beside_do(w->beside, scan_new, &n);
    }
    if (!beside && (w->image.region_count == 0 || !kerf_task_start(&task, scan_new, &n))) {
        scan_new(&n);
    }
    kerf_err err = kerf_scan_side(&w->old_side, &w->image, false, true);

    if (err == KERF_OK) {
        err = kerf_match_sort(w, s->effort->rounds == 0);
    }
    if (beside) {
        kerf_beside_done(w->beside);
    }
    kerf_task_wait(&task);
    return err == KERF_OK ? n.err : err;
}

static void forget_scan(struct kerf_trial *t)
{
    if (t->scanned) {
        kerf_scan_free(&t->w->old_side);
        kerf_scan_free(&t->w->new_side);
        t->scanned = false;
    }
}

/* What the segments cost, at first and after a round of planning, as the header says; *plan becomes the cheaper plan. */
static kerf_err try_round(struct kerf_search *s, struct kerf_header *header, const struct kerf_segments *segments,
                          struct kerf_plan *plan)
{
    struct kerf_header *whole = s->header;
    struct kerf_plan last = {0};
    kerf_err err = kerf_search_copy_segments(segments, &plan->segments);

    s->header = header;
    if (err == KERF_OK) {
        err = kerf_search_race(s, header, plan, NULL, 0);
    }
    if (err == KERF_OK) {
        err = kerf_search_round(s, plan, &last, false);
    }
    kerf_plan_free(&last);
    s->header = whole;
    return err;
}

/* In place: sectors of the slot that neither image reaches, and that may hold old. */
static uint8_t room_behind(const struct kerf_diff_options *options, const struct kerf_header *header)
{
    uint64_t slot = options->slot >> header->sector_log2;
    uint64_t images = kerf_header_slot(header);
    uint64_t room = slot > images ? slot - images : 0;

    return room < UINT8_MAX ? (uint8_t)room : UINT8_MAX;
}

/* Is the order in which old is kept, as `kept` says, better than w->order? It is swapped with that, then, and s->header says so. */
static kerf_err try_keeping(struct kerf_search *s, const struct kerf_plan *two_slots, const struct kerf_header *kept,
                            struct kerf_order *keeping)
{
    struct kerf_work *w = s->w;
    struct kerf_order lossy = *w->order;
    struct kerf_header header = *s->header;
    struct kerf_plan plans[2] = {0};
    kerf_err err = try_round(s, &header, &two_slots->segments, &plans[0]);

    header = *kept;
    if (err == KERF_OK) {
        err = kerf_order_keep(w, &two_slots->segments, s->least, &header, keeping);
    }
    bool fits = err == KERF_OK && kerf_params_choose(s->least, 0, &header) == KERF_OK &&
                kerf_params_choose(s->ram, 0, &header) == KERF_OK;

    if (fits) {
        *w->order = *keeping;
        *keeping = lossy;
        err = try_round(s, &header, &two_slots->segments, &plans[1]);
        if (err == KERF_OK && plans[1].encoding.total + 24 * KERF_BIT < plans[0].encoding.total) {
            *s->header = header;
        } else {
            *keeping = *w->order;
            *w->order = lossy;
        }
    }
    kerf_plan_free(&plans[0]);
    kerf_plan_free(&plans[1]);
    return err == KERF_ERR_RAM && keeping->gone == NULL ? KERF_OK : err;
}

/* In place: what would be best with two slots says what is needed of old, and so which order is good. */
static kerf_err choose_order(struct kerf_search *s, const struct kerf_plan *greedy)
{
    struct kerf_work *w = s->w;
    struct kerf_order *order = w->order;
    struct kerf_header two_slots = *s->header;
    struct kerf_header keeping = *s->header;
    struct kerf_order kept = {0};
    struct kerf_plan plan = {0};
    bool lossy = false;
    kerf_err err;

    if (s->effort->rounds == 0) {
        return kerf_order_choose(w, &greedy->segments, &lossy);
    }
    two_slots.flags &= (uint8_t)~KERF_FLAG_IN_PLACE;
    w->order = NULL;
    err = try_round(s, &two_slots, &greedy->segments, &plan);
    w->order = order;
    if (err == KERF_OK) {
        err = kerf_order_choose(w, &plan.segments, &lossy);
    }
    keeping.group = 1;
    keeping.beyond = room_behind(w->options, &keeping);
    if (err == KERF_OK && lossy && kerf_header_sectors(&keeping) > order->count && w->options->group < 2) {
        err = kerf_order_open(&kept, &keeping);
        if (err == KERF_OK) {
            err = try_keeping(s, &plan, &keeping, &kept);
        }
        kerf_order_close(&kept);
    }
    kerf_plan_free(&plan);
    return err;
}

#define NOISE_LEN 32768u     /* bytes of new: fewer do not tell */
#define NOISE_PAIRS 65536u   /* pairs of bytes that there are */
#define NOISE_INFORMATION 64 /* a pair of bytes tells this part of a nat about each other at most */

/*
 * How often pairs of bytes, `apart` from each other, come is as even as chance makes it: chi square, as information, is
 * next to nothing. So no model packs them by a hundredth.
 */
static bool is_even(const uint8_t *bytes, size_t len, size_t apart, uint32_t *counts)
{
    uint64_t n = len - apart;
    double squares = 0;

    memset(counts, 0, NOISE_PAIRS * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        counts[(size_t)bytes[i] << 8 | bytes[i + apart]]++;
    }
    for (unsigned i = 0; i < NOISE_PAIRS; i++) {
        squares += (double)counts[i] * counts[i];
    }
    return (squares * NOISE_PAIRS / (double)n - (double)n - NOISE_PAIRS) * NOISE_INFORMATION < 2 * (double)n;
}

/* Is nearly all of new without a source, and noise? Compressed or encrypted images are, and coding so many literals takes long. */
static bool is_noise(const struct kerf_work *w, const struct kerf_segments *segments)
{
    size_t len = w->new_side.len;
    uint64_t copied = 0;

    for (size_t i = 0; i < segments->count; i++) {
        copied += segments->list[i].len;
    }
    if (len < NOISE_LEN || copied > len / 32) {
        return false;
    }
    uint32_t *counts = malloc(NOISE_PAIRS * sizeof *counts);
    bool noise = counts != NULL && is_even(w->new_side.bytes, len, 1, counts) &&
                 is_even(w->new_side.bytes, len, 2, counts);

    free(counts);
    return noise;
}

/* By what most of new's code is; 0: that tells nothing. Which way costs least is asked for where there is the time. */
static unsigned usual_phases(const struct kerf_image *image)
{
    kerf_pos most = 0;
    unsigned isa = KERF_ISA_NONE;

    for (unsigned i = 0; i < image->region_count; i++) {
        if (image->regions[i].isa != KERF_ISA_NONE && image->regions[i].new_len > most) {
            most = image->regions[i].new_len;
            isa = image->regions[i].isa;
        }
    }
    switch (isa) {
    case KERF_ISA_THUMB:
        return KERF_CLASSES(0, 3, 3, KERF_PHASE_THUMB);
    case KERF_ISA_RISCV32:
    case KERF_ISA_RISCV64:
        return KERF_CLASSES(0, 3, 3, KERF_PHASE_RISCV);
    case KERF_ISA_XTENSA_CALL0:
    case KERF_ISA_XTENSA_WINDOWED:
        return KERF_CLASSES(0, 3, 3, KERF_PHASE_XTENSA);
    default:
        return 0;
    }
}

/* Where most of new is not in old, its literals, gaps and lengths are many enough to be told apart by where they stand. */
static kerf_err choose_phases(struct kerf_search *s, const struct kerf_segments *segments)
{
    size_t copied = 0;

    for (size_t i = 0; i < segments->count; i++) {
        copied += segments->list[i].len;
    }
    if (copied >= s->w->new_side.len / 2) {
        return KERF_OK;
    }
    if (s->effort->rounds > 0) {
        kerf_err err = kerf_literals_phases(s->w, &s->header->model);

        return err == KERF_OK ? kerf_literals_places(s->w, s->header) : err;
    }
    unsigned classes = usual_phases(&s->w->image);

    if (classes != 0) {
        s->header->model.classes = (uint8_t)(classes | kerf_flag_class(s->header));
    }
    return KERF_OK;
}

/* bsdiff's plan with all kinds. */
static kerf_err plan_greedy(struct kerf_search *s, struct kerf_plan *plan)
{
    kerf_err err = kerf_match_prepare(s->w);

    if (err == KERF_OK) {
        err = kerf_match_greedy(s->w, s->effort->rounds == 0, &plan->segments);
        kerf_match_thin(s->w);
        err = err == KERF_OK ? choose_phases(s, &plan->segments) : err;
    }
    if (err == KERF_OK && s->w->order != NULL) {
        err = s->effort->rounds > 0 ? kerf_literals_price(s->w, &plan->segments) : KERF_OK;
        err = err == KERF_OK ? choose_order(s, plan) : err;
    }
    if (err == KERF_OK && s->effort->rounds == 0 && s->w->options->codec < 0 && s->w->order == NULL &&
        is_noise(s->w, &plan->segments)) {
        plan->encoding.total = UINT64_MAX;
        return KERF_OK;
    }
    return err == KERF_OK ? kerf_search_race(s, s->header, plan, NULL, 0) : err;
}

/* Does leaving out drops[index] leave the same kinds as a set before? */
static bool same_kinds(const struct kerf_search *s, unsigned index)
{
    uint16_t there = 0;

    for (unsigned i = 0; i < s->all->region_count; i++) {
        there |= s->all->regions[i].kinds;
    }
    if (s->all->range_count == 0) {
        there &= (uint16_t)~RAM;
    }
    for (unsigned i = 0; i < index; i++) {
        if ((drops[i] & there) == (drops[index] & there)) {
            return true;
        }
    }
    return false;
}

/* All sets of kinds. */
struct trials {
    struct kerf_search *s;
    struct kerf_trial *list;
    bool keep;            /* there is memory for all scans at once */
    kerf_err prepared[2]; /* what became of prepare() */
};

/* The segments of bsdiff's plan with another set of kinds. */
static void try_kinds(void *ctx, unsigned index)
{
    const struct trials *all = ctx;
    struct kerf_trial *t = &all->list[index];
    struct kerf_search own = *all->s;

    if (!t->wanted) {
        return;
    }
    own.w = t->w;
    t->err = scan(&own, t, index);
    if (t->err == KERF_OK) {
        t->err = kerf_search_copy_segments(&all->list[0].plan.segments, &t->plan.segments);
    }
    if (t->err == KERF_OK) {
        t->err = kerf_search_race(&own, &t->header, &t->plan, &all->list[0].plan.encoding, KINDS_MARGIN);
    }
    t->greedy = t->plan.encoding.total;
    t->len = kerf_search_len(&own, &t->header, &t->plan);
    if (!all->keep) {
        forget_scan(t);
    }
}

/* What plans by cost need beside bsdiff's, in two halves; in *err unless that is well. */
static void prepare(const struct trials *all, unsigned half, kerf_err *err)
{
    struct kerf_work *w = all->s->w;
    const struct kerf_segments *greedy = &all->list[0].plan.segments;

    if (half == 0 && w->literal_cost == NULL) {
        *err = kerf_literals_price(w, greedy);
    }
    if (half == 1 && w->copies == NULL) {
        *err = kerf_literals_copies(w, greedy);
    }
}

/* The same beside sets of kinds. */
static void prepare_or_try(void *ctx, unsigned index)
{
    struct trials *all = ctx;

    if (index < 2) {
        prepare(all, index, &all->prepared[index]);
    } else {
        try_kinds(all, index - 1); /* the first one has its plan */
    }
}

/* Sees to it that all sets of kinds have what was prepared. */
static kerf_err end_preparing(struct trials *all)
{
    const struct kerf_work *w = all->s->w;

    for (unsigned i = 1; i < CANDIDATES; i++) {
        all->list[i].own.literal_cost = w->literal_cost;
        all->list[i].own.copies = w->copies;
    }
    return all->prepared[0] == KERF_OK ? all->prepared[1] : all->prepared[0];
}

static void try_planned(void *ctx, unsigned index)
{
    const struct trials *all = ctx;
    struct kerf_trial *t = &all->list[index];
    struct kerf_search own = *all->s;
    struct kerf_plan last = {0};

    if (!t->wanted) {
        return;
    }
    own.w = t->w;
    own.header = &t->header;
    t->err = scan(&own, t, index);
    if (t->err == KERF_OK) {
        t->err = kerf_search_round(&own, &t->plan, &last, false);
        t->len = kerf_search_len(&own, &t->header, &t->plan);
    }
    kerf_plan_free(&last);
    if (!all->keep && own.w->budget.sets) {
        forget_scan(t);
    }
}

static kerf_err first_error(const struct kerf_trial *list)
{
    for (unsigned i = 0; i < CANDIDATES; i++) {
        if (list[i].err != KERF_OK) {
            return list[i].err;
        }
    }
    return KERF_OK;
}

static unsigned best_trial(const struct kerf_trial *list)
{
    unsigned best = 0;

    for (unsigned i = 1; i < CANDIDATES; i++) {
        if (list[i].len < list[best].len) {
            best = i;
        }
    }
    return best;
}

/* The same cost to the bit, as a set before: the kinds that it leaves out are not there. */
static bool costs_as_before(const struct kerf_trial *list, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (list[i].greedy == list[index].greedy) {
            return true;
        }
    }
    return false;
}

/* The sets that a planned round may make the best: near the best one, and among the `most` first. */
static void choose_near(struct kerf_trial *list, unsigned most)
{
    kerf_cost limit = list[best_trial(list)].plan.encoding.total / 32 * 33;

    for (unsigned i = 0; i < CANDIDATES; i++) {
        unsigned better = 0;

        for (unsigned k = 0; k < CANDIDATES; k++) {
            better += list[k].greedy < list[i].greedy && !costs_as_before(list, k);
        }
        list[i].wanted = list[i].plan.encoding.total <= limit && !costs_as_before(list, i) && better < most;
    }
}

/*
 * Which kinds of reference pay differs from product to product: tries a few sets, and none at all, by what bsdiff's
 * plan costs with them; those that come near the best also by a planned round, which may turn the order around. list[0]
 * has bsdiff's plan with all kinds.
 */
static kerf_err choose_kinds(struct trials *all)
{
    struct kerf_search *s = all->s;
    struct kerf_trial *list = all->list;

    kerf_search_tell(s->w, "kinds of reference", 0, 2);
    for (unsigned i = 1; i < CANDIDATES; i++) {
        list[i].header = *s->header;
        list[i].plan.encoding.total = UINT64_MAX;
        list[i].greedy = UINT64_MAX;
        list[i].len = SIZE_MAX;
        list[i].wanted = !same_kinds(s, i) && (drops[i] == DROP_ALL || s->w->budget.sets);
    }
    list[0].header = *s->header;
    list[0].greedy = list[0].plan.encoding.total;
    list[0].len = kerf_search_len(s, s->header, &list[0].plan);
    if (!all->keep) {
        prepare(all, 0, &all->prepared[0]);
        prepare(all, 1, &all->prepared[1]);
    }
    if (!all->keep && s->w->budget.sets) {
        forget_scan(&list[0]);
    }
    kerf_tasks_run(s->jobs, CANDIDATES + 1, prepare_or_try, all);
    kerf_err err = end_preparing(all);

    err = err == KERF_OK ? first_error(list) : err;

    if (err == KERF_OK && s->effort->kinds > 1) {
        kerf_search_tell(s->w, "kinds of reference", 1, 2);
        choose_near(list, s->effort->kinds);
        kerf_tasks_run(s->jobs, CANDIDATES, try_planned, all);
        err = first_error(list);
    }
    return err;
}

/* The search's own work gets the scans of the plan that is kept. */
static void take_scans(struct kerf_work *w, struct kerf_trial *t)
{
    if (t->w != w) {
        kerf_scan_free(&w->old_side);
        kerf_scan_free(&w->new_side);
        w->old_side = t->w->old_side;
        w->new_side = t->w->new_side;
        w->image = t->w->image;
        t->scanned = false;
    }
}

static kerf_err run(struct kerf_search *s, uint64_t ram, struct trials *all, struct kerf_plan *plan)
{
    struct kerf_trial *list = all->list;
    unsigned best = 0;
    /* Kinds are chosen by the default budget, whatever was asked for, so that all budgets begin with the same plan; but of large images. */
    kerf_err err = kerf_params_choose(s->ram, 0, s->header);

    if (err == KERF_OK) {
        err = scan_first(s, &list[0]);
        s->header->region_count = list[0].header.region_count;
        s->header->range_count = list[0].header.range_count;
    }
    if (err == KERF_OK) {
        kerf_budget_set(s->w, s->effort->rounds > 0);
        s->jobs = s->w->budget.jobs;
        all->keep = s->w->budget.keep_scans;
        if (!s->w->budget.sets) {
            kerf_scan_forget_nothing(&s->w->new_side);
        }
    }
    if (err == KERF_OK) {
        err = plan_greedy(s, &list[0].plan);
    }
    if (err == KERF_OK) {
        err = kerf_search_split(s, s->w->large ? 0 : s->effort->first_splits, &list[0].plan);
    }
    list[0].header = *s->header;
    for (unsigned i = 1; i < CANDIDATES; i++) {
        share(s->w, &list[i].own);
    }
    if (err == KERF_OK && s->effort->kinds > 0 && s->all->region_count > 0) {
        err = choose_kinds(all);
        best = best_trial(list);
    } else if (err == KERF_OK && s->effort->rounds > 0) {
        kerf_tasks_run(s->jobs, 2, prepare_or_try, all);
        err = end_preparing(all);
    }
    if (err == KERF_OK) {
        struct kerf_search own = *s;

        for (unsigned i = 0; i < CANDIDATES; i++) {
            if (i != best) {
                forget_scan(&list[i]);
            }
        }
        own.w = list[best].w;
        *s->header = list[best].header;
        err = scan(&own, &list[best], best);
    }
    if (err == KERF_OK) {
        take_scans(s->w, &list[best]);
        list[best].w = s->w;
    }
    if (err == KERF_OK && s->effort->rounds > 0) {
        err = kerf_refine(s, ram, &list[best], plan);
    } else if (err == KERF_OK) {
        *plan = list[best].plan;
        list[best].plan = (struct kerf_plan){0};
    }
    s->header->model.map_cap = (uint16_t)plan->map.count;
    if (s->effort->rounds > 0) { /* else the header was told when the coding began */
        kerf_params_fill(ram, plan->payload.len, s->header);
    }
    return err;
}

/* The level that is asked for, or less, with references or without: what the memory is enough for. */
static bool choose_level(struct kerf_work *w, unsigned *level, uint64_t *memory_needed)
{
    uint64_t most = (uint64_t)w->old_side.len + w->new_side.len;
    bool long_image = w->old_side.len > INT32_MAX || w->new_side.len > INT32_MAX; /* longer than plans reach */
    bool by_cost = *level > 1 && !long_image;

    w->large = most > (*level > KERF_DIFF_LEVEL_DEFAULT ? VERY_LARGE_LEN : LARGE_LEN);
    if (w->large && *level > LARGE_LEVEL && *level <= KERF_DIFF_LEVEL_DEFAULT) {
        *level = LARGE_LEVEL;
    }
    if (by_cost && kerf_budget_fits(w, true, memory_needed)) {
        return true;
    }
    if (w->image.region_count > 0 && !kerf_budget_fits(w, by_cost, memory_needed)) {
        w->image.region_count = 0;
        w->image.range_count = 0;
    }
    if (by_cost && kerf_budget_fits(w, true, memory_needed)) {
        return true;
    }
    *level = 1;
    return kerf_budget_fits(w, false, memory_needed);
}

kerf_err kerf_strategy_run(struct kerf_work *w, uint64_t ram, struct kerf_header *header, struct kerf_plan *plan,
                           uint64_t *memory_needed)
{
    unsigned level = w->options->level == 0 ? KERF_DIFF_LEVEL_DEFAULT : (unsigned)w->options->level;
    bool fits = choose_level(w, &level, memory_needed);
    const unsigned phases = kerf_params_phases(w->new_side.bytes, w->new_side.len);
    const struct kerf_image all = w->image;
    struct kerf_trial list[CANDIDATES] = {{.w = w, .header = *header}};
    struct kerf_search s = {.w = w, .header = header, .effort = &efforts[level], .all = &all, .jobs = 1};
    struct trials trials = {.s = &s, .list = list};

    uint64_t most = (uint64_t)w->old_side.len + w->new_side.len;

    if (!fits) {
        return KERF_ERR_SPACE;
    }
    *memory_needed = 0;
    header->model.classes = (uint8_t)KERF_CLASSES(0, phases, 0, KERF_PHASE_POSITION);
    /* No more than the images could fill. */
    if (ram > most) {
        ram = most > RAM_FLOOR ? most : ram > RAM_FLOOR ? RAM_FLOOR : ram;
    }
    s.ram = s.effort->rounds > 0 && !w->large ? KERF_DIFF_RAM_DEFAULT : ram;
    s.least = ram < s.ram ? ram : s.ram;
    for (unsigned i = 1; i < CANDIDATES; i++) {
        list[i].w = &list[i].own;
    }
    /* One coding is all there is. */
    if (s.effort->rounds + s.effort->first_splits + s.effort->kinds == 0 && w->order == NULL && w->options->jobs > 1) {
        w->beside = kerf_beside_open();
    }
    kerf_err err = run(&s, ram, &trials, plan);

    if (err != KERF_OK) {
        kerf_beside_close(w->beside); /* before the payload that it reads */
        w->beside = NULL;
    }
    for (unsigned i = 0; i < CANDIDATES; i++) {
        if (list[i].w != w) {
            forget_scan(&list[i]);
        }
        kerf_plan_free(&list[i].plan);
    }
    return err;
}
