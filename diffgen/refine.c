/* SPDX-License-Identifier: Apache-2.0 */
/* Once the kinds of reference are chosen: the plan for the RAM that was asked for, and for less where that is shorter. */
#include <string.h>

#include "diffgen/search.h"
#include "diffgen/tasks.h"

#define RACE_MARGIN 16u /* a smaller budget that falls behind by one in this many on the way is given up, */
#define SMALL_LEN 2048u /* unless the delta is no longer than this; */
#define LEN_MARGIN 32u  /* and where its file is longer by one in this many bytes of the payload: rounds gain less */
#define REFINEMENTS 7u

/* The plan for a budget. */
struct refinement {
    uint64_t ram;
    const struct kerf_trial *coded;       /* the plan for the search's budget, already coded; or NULL, and */
    const struct kerf_segments *segments; /* what the plan begins with */
    const uint8_t *costs_before;          /* of literals; rounds change them, in `costs` */
    uint8_t *costs;
    const struct kerf_plan *rival; /* given up where the start shows that it won't be shorter than this one, */
    size_t rival_len;              /* whose file has so many bytes; NULL, 0: none */
    bool wanted;                   /* not given up, but then it must not become shorter than the rival after all */
    struct kerf_header header;
    struct kerf_plan plan; /* encoding.total UINT64_MAX: given up */
    kerf_err err;
};

struct refinements {
    const struct kerf_search *s;
    struct refinement *list; /* the usual one first */
    unsigned from;           /* those from here on are done */
    bool share;              /* nothing else goes on with what the search knows: no copies */
    const struct kerf_diff_options *options;
    uint64_t ram; /* that was asked for */
    pthread_mutex_t lock;
    struct refinement *best; /* of those that are done, what makes the shortest file for it; NULL: none */
    size_t best_len;
};

/* The plan's start for the budget. *lost: it is as clear as it will be that it won't be shorter than the rival. */
static kerf_err begin(struct kerf_search *s, struct refinement *r, bool *lost)
{
    struct kerf_plan *plan = &r->plan;
    /* Above the default a budget gains less over the one below it, and rounds may make good what it is behind. */
    unsigned patience = s->ram > KERF_DIFF_RAM_DEFAULT ? 2 : 1;
    size_t enough = r->rival == NULL ? SIZE_MAX : r->rival_len + r->rival->payload.len / LEN_MARGIN * patience;
    bool race = r->rival_len > (size_t)SMALL_LEN * patience * patience;
    kerf_err err = kerf_params_choose(s->ram, 0, s->header);

    if (err == KERF_OK && r->coded != NULL && (s->w->large || s->ram == KERF_DIFF_RAM_DEFAULT) &&
        kerf_search_same_split(s->header, &r->coded->header)) {
        err = kerf_search_copy(&r->coded->plan, plan);
    } else if (err == KERF_OK) {
        err = kerf_search_copy_segments(r->segments, &plan->segments);
        if (err == KERF_OK) {
            err = kerf_search_race(s, s->header, plan, race ? &r->rival->encoding : NULL, RACE_MARGIN);
        }
    }
    *lost = err == KERF_OK && (plan->encoding.total == UINT64_MAX || kerf_search_len(s, s->header, plan) >= enough);
    return err;
}

/* A race that was given up is run to its end. */
static kerf_err finish_race(struct kerf_search *s, struct kerf_plan *plan)
{
    struct kerf_plan whole = {0};
    kerf_err err = kerf_search_copy_segments(&plan->segments, &whole.segments);

    kerf_plan_free(plan);
    *plan = whole;
    return err == KERF_OK ? kerf_search_race(s, s->header, plan, NULL, 0) : err;
}

static kerf_err refine(struct kerf_search *s, struct refinement *r)
{
    struct kerf_plan *plan = &r->plan;
    struct kerf_plan start = {0};
    struct kerf_header header;
    bool lost = false;
    kerf_err err = begin(s, r, &lost);

    if (err == KERF_OK && lost && !r->wanted) {
        plan->encoding.total = UINT64_MAX;
        return KERF_OK;
    }
    if (err == KERF_OK && lost && plan->encoding.total == UINT64_MAX) {
        err = finish_race(s, plan);
    }
    header = *s->header;
    if (err == KERF_OK && lost) {
        err = kerf_search_copy(plan, &start);
    }
    if (err == KERF_OK && r->coded == NULL) { /* or its split was chosen before */
        err = kerf_search_split(s, s->effort->first_splits, plan);
    }
    if (err == KERF_OK) {
        err = kerf_search_rounds(s, plan);
    }
    if (err == KERF_OK) {
        err = kerf_search_polish(s, plan);
    }
    if (err == KERF_OK && lost && kerf_search_len(s, s->header, plan) < r->rival_len) {
        struct kerf_plan better = *plan;

        *plan = start;
        start = better;
        *s->header = header;
    }
    kerf_plan_free(&start);
    return err;
}

/* How long the file is where the refinement's budget is all the RAM. */
static size_t length_of(const struct kerf_search *s, const struct refinement *r)
{
    struct kerf_search own = *s;

    own.ram = r->ram;
    return kerf_search_len(&own, &r->header, &r->plan);
}

/*
 * A refinement is done. Plans take memory: of all but the usual one, which is the others' rival, only the best is kept.
 * Of two that are as long the first one counts, whichever was done first.
 */
static void keep_best(struct refinements *all, struct refinement *r)
{
    size_t len = r->ram <= all->ram && r->plan.encoding.total != UINT64_MAX ? length_of(all->s, r) : SIZE_MAX;
    struct refinement *loser = r;

    (void)pthread_mutex_lock(&all->lock);
    if (len < all->best_len || (len == all->best_len && all->best != NULL && r < all->best)) {
        loser = all->best;
        all->best = r;
        all->best_len = len;
    }
    (void)pthread_mutex_unlock(&all->lock);
    if (loser != NULL && loser != all->list) {
        kerf_plan_free(&loser->plan);
    }
}

static void try_budget(void *ctx, unsigned index)
{
    struct refinements *all = ctx;
    struct refinement *r = &all->list[all->from + index];
    struct kerf_search own = *all->s;
    struct kerf_work w = *own.w;

    own.ram = r->ram;
    own.header = &r->header;
    if (!all->share) {
        r->err = kerf_search_share(own.w, &w);
        r->costs = malloc(w.new_side.len + 1);
        if (r->costs == NULL) {
            r->err = KERF_ERR_RAM;
        } else {
            memcpy(r->costs, r->costs_before, w.new_side.len + 1);
            w.literal_cost = r->costs;
        }
        w.options = all->options;
        own.w = &w;
    }
    if (r->err == KERF_OK) {
        r->err = refine(&own, r);
    }
    if (r->err == KERF_OK) {
        keep_best(all, r);
    }
    if (!all->share) {
        free(w.old_side.nothing);
        if (r->ram != KERF_DIFF_RAM_DEFAULT) { /* nothing goes on from these */
            free(r->costs);
            r->costs = NULL;
        }
    }
}

/* Does list[from .. to). */
static kerf_err refine_some(const struct kerf_search *s, struct refinements *all, unsigned from, unsigned to)
{
    struct kerf_diff_options silent = *s->w->options;

    silent.progress = NULL; /* which is not for several threads */
    all->from = from;
    all->options = to - from == 1 ? s->w->options : &silent;
    kerf_tasks_run(s->jobs, to - from, try_budget, all);
    for (unsigned i = from; i < to; i++) {
        if (all->list[i].err != KERF_OK &&
            !(all->list[i].err == KERF_ERR_RAM && i > 1)) { /* too little for this many regions */
            return all->list[i].err;
        }
    }
    return KERF_OK;
}

static bool is_named(const uint32_t budgets[REFINEMENTS - 2], uint64_t ram)
{
    for (unsigned i = 0; i < REFINEMENTS - 2; i++) {
        if (budgets[i] == ram) {
            return true;
        }
    }
    return false;
}

static void add_rival(const struct kerf_search *s, struct refinement *r, const struct refinement *rival)
{
    r->rival = &rival->plan;
    r->rival_len = length_of(s, rival);
}

/*
 * With more RAM no delta may be larger. Every budget therefore goes on from the plan for the default one, and each
 * named budget below is tried too, exactly as if it had been asked for. For the default budget and above, those below
 * the default are given up where their start shows that they can't win against it; asked for themselves, they keep to
 * what that start promised.
 */
static kerf_err refine_all(const struct kerf_search *s, const struct kerf_trial *start, struct refinements *all)
{
    static const uint32_t budgets[REFINEMENTS - 2] = {65536, 32768, 16384, 4096, 2048};
    uint64_t ram = all->ram;
    struct refinement *list = all->list;
    struct refinement *usual = &list[0];
    struct refinement *asked = &list[1];
    unsigned count = ram == KERF_DIFF_RAM_DEFAULT ? 1 : 2;

    usual->ram = KERF_DIFF_RAM_DEFAULT;
    usual->coded = start;
    usual->segments = &start->plan.segments;
    usual->costs_before = s->w->literal_cost;
    for (unsigned i = 0; i < REFINEMENTS; i++) {
        list[i].header = *s->header;
    }
    kerf_err err = refine_some(s, all, 0, 1);

    if (err == KERF_OK && ram != usual->ram) {
        asked->ram = ram;
        asked->segments = &usual->plan.segments;
        asked->costs_before = usual->costs;
        if (is_named(budgets, ram) && ram < usual->ram) {
            asked->wanted = true;
            add_rival(s, asked, usual);
        }
    }
    for (unsigned i = 0; err == KERF_OK && i < REFINEMENTS - 2; i++) {
        if (budgets[i] < ram && !kerf_search_is_noise(s, &usual->plan)) {
            list[count].ram = budgets[i];
            list[count].segments = &usual->plan.segments;
            list[count].costs_before = usual->costs;
            if (budgets[i] < usual->ram) {
                list[count].wanted = ram < usual->ram;
                add_rival(s, &list[count], usual);
            }
            count++;
        }
    }
    if (err == KERF_OK) {
        err = refine_some(s, all, 1, count); /* that was asked for, and those below, together */
    }
    return err;
}

kerf_err kerf_refine(struct kerf_search *s, uint64_t ram, const struct kerf_trial *start, struct kerf_plan *plan)
{
    struct refinement list[REFINEMENTS] = {0};
    struct refinements all = {.s = s, .list = list, .share = s->w->large, .options = s->w->options, .ram = ram};
    kerf_err err = KERF_OK;

    all.best_len = SIZE_MAX;
    (void)pthread_mutex_init(&all.lock, NULL);
    if (s->w->large) {
        list[0].ram = ram;
        list[0].coded = start;
        list[0].segments = &start->plan.segments;
        list[0].header = *s->header;
        try_budget(&all, 0);
        err = list[0].err;
    } else {
        err = refine_all(s, start, &all);
    }
    (void)pthread_mutex_destroy(&all.lock);
    if (err == KERF_OK) {
        *plan = all.best->plan;
        *s->header = all.best->header;
        all.best->plan = (struct kerf_plan){0};
    }
    for (unsigned i = 0; i < REFINEMENTS; i++) {
        kerf_plan_free(&list[i].plan);
        free(list[i].costs);
    }
    return err;
}
