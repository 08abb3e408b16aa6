/* SPDX-License-Identifier: Apache-2.0 */
/* Once the kinds of reference are chosen: the plan for the RAM that was asked for, and for less where that is shorter. */
#include <limits.h>
#include <string.h>

#include "diffgen/search.h"
#include "diffgen/tasks.h"

#define RACE_MARGIN 16u /* a smaller budget that falls behind by one in this many on the way is given up, */
#define SMALL_LEN 2048u /* unless the delta is no longer than this; */
#define LEN_MARGIN 32u  /* and where its file is longer by one in this many bytes of the payload: rounds gain less */
#define REFINEMENTS 6u

/* The plan for a budget. */
struct refinement {
    uint64_t ram;
    const struct kerf_trial *coded;       /* the plan for the search's budget, already coded; or NULL, and */
    const struct kerf_segments *segments; /* what the plan begins with */
    const uint8_t *costs_before;          /* of literals; rounds change them, in `costs` */
    uint8_t *costs;
    const struct kerf_plan *rival; /* given up where it is clear that it won't be shorter than this one, */
    size_t rival_len;              /* whose file has so many bytes; NULL, 0: none */
    struct kerf_header header;
    struct kerf_plan plan; /* encoding.total UINT64_MAX: given up */
    kerf_err err;
};

struct refinements {
    const struct kerf_search *s;
    struct refinement *list;
    bool share; /* nothing else goes on with what the search knows: no copies */
    const struct kerf_diff_options *options;
};

static kerf_err refine(struct kerf_search *s, struct refinement *r)
{
    struct kerf_plan *plan = &r->plan;
    /* Above the default a budget gains less over the one below it, and rounds may make good what it is behind. */
    unsigned patience = s->ram > KERF_DIFF_RAM_DEFAULT ? 2 : 1;
    size_t enough = r->rival == NULL ? SIZE_MAX : r->rival_len + r->rival->payload.len / LEN_MARGIN * patience;
    kerf_err err = kerf_params_choose(s->ram, 0, s->header);

    if (err == KERF_OK && r->coded != NULL && (s->w->large || s->ram == KERF_DIFF_RAM_DEFAULT) &&
        kerf_search_same_split(s->header, &r->coded->header)) {
        err = kerf_search_copy(&r->coded->plan, plan);
    } else if (err == KERF_OK) {
        err = kerf_search_copy_segments(r->segments, &plan->segments);
        if (err == KERF_OK) {
            err = kerf_search_race(s, s->header, plan,
                                   r->rival_len > (size_t)SMALL_LEN * patience * patience ? &r->rival->encoding : NULL,
                                   RACE_MARGIN);
        }
    }
    if (err == KERF_OK && (plan->encoding.total == UINT64_MAX || kerf_search_len(s, s->header, plan) >= enough)) {
        plan->encoding.total = UINT64_MAX;
        return KERF_OK;
    }
    if (err == KERF_OK && r->coded == NULL) { /* or its split was chosen before */
        err = kerf_search_split(s, s->effort->first_splits, plan);
    }
    return err == KERF_OK ? kerf_search_rounds(s, plan) : err;
}

static void try_budget(void *ctx, unsigned index)
{
    const struct refinements *all = ctx;
    struct refinement *r = &all->list[index];
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
    if (!all->share) {
        free(w.old_side.nothing);
    }
}

/* Does list[from .. to), and keeps in *best the index of what makes the shortest file. */
static kerf_err refine_some(struct kerf_search *s, struct refinement *list, unsigned from, unsigned to, unsigned *best)
{
    struct kerf_search own = *s;
    struct kerf_diff_options silent = *s->w->options;
    struct refinements all = {&own, list + from, false, to - from == 1 ? s->w->options : &silent};

    silent.progress = NULL; /* which is not for several threads */
    own.jobs = to - from == 1 ? s->jobs : 1;
    kerf_tasks_run(s->jobs, to - from, try_budget, &all);
    for (unsigned i = from; i < to; i++) {
        if (list[i].err != KERF_OK) {
            if (list[i].err == KERF_ERR_RAM && list[i].rival != NULL) {
                continue; /* too little for this many regions */
            }
            return list[i].err;
        }
        if (list[i].ram <= list[0].ram && list[i].plan.encoding.total != UINT64_MAX &&
            (*best == UINT_MAX || kerf_search_len(s, &list[i].header, &list[i].plan) <
                                      kerf_search_len(s, &list[*best].header, &list[*best].plan))) {
            *best = i;
        }
    }
    return KERF_OK;
}

/*
 * With more RAM no delta may be larger. Every budget therefore goes on from the plan for the default one, and each named budget
 * below is tried too, exactly as if it had been asked for, unless the plan as it is shows that it can't win.
 */
static kerf_err refine_all(struct kerf_search *s, uint64_t ram, const struct kerf_trial *start, struct refinement *list,
                           unsigned *best)
{
    static const uint32_t budgets[REFINEMENTS - 2] = {65536, 16384, 4096, 2048};
    struct refinement *usual = &list[1]; /* list[0] is what was asked for; where that is the default, it is both */
    unsigned count = 2;

    list[0].ram = ram;
    usual->ram = KERF_DIFF_RAM_DEFAULT;
    usual->coded = start;
    usual->segments = &start->plan.segments;
    usual->costs_before = s->w->literal_cost;
    for (unsigned i = 0; i < REFINEMENTS; i++) {
        list[i].header = *s->header;
    }
    kerf_err err = refine_some(s, list, 1, 2, best);
    struct kerf_segments origin = {0}; /* of the plan for the default budget */

    if (err == KERF_OK && ram != usual->ram) {
        list[0].segments = &usual->plan.segments;
        list[0].costs_before = usual->costs;
        err = refine_some(s, list, 0, 1, best);
    }
    if (err == KERF_OK) {
        err = kerf_search_copy_segments(&usual->plan.segments, &origin);
    }
    for (unsigned i = 0; err == KERF_OK && i < REFINEMENTS - 2; i++) {
        if (budgets[i] < ram && !kerf_search_is_noise(s, &list[*best].plan)) {
            list[count].ram = budgets[i];
            list[count].segments = &origin;
            list[count].costs_before = usual->costs;
            list[count].rival = &list[*best].plan;
            list[count].rival_len = kerf_search_len(s, &list[*best].header, &list[*best].plan);
            count++;
        }
    }
    if (err == KERF_OK) {
        err = refine_some(s, list, 2, count, best);
    }
    free(origin.list);
    return err;
}

kerf_err kerf_refine(struct kerf_search *s, uint64_t ram, const struct kerf_trial *start, struct kerf_plan *plan)
{
    struct refinement list[REFINEMENTS] = {0};
    unsigned best = UINT_MAX;
    kerf_err err = KERF_OK;

    if (s->w->large) {
        struct refinements all = {s, list, true, s->w->options};

        list[0].ram = ram;
        list[0].coded = start;
        list[0].segments = &start->plan.segments;
        list[0].header = *s->header;
        try_budget(&all, 0);
        err = list[0].err;
        best = 0;
    } else {
        err = refine_all(s, ram, start, list, &best);
    }
    if (err == KERF_OK) {
        *plan = list[best].plan;
        *s->header = list[best].header;
        list[best].plan = (struct kerf_plan){0};
    }
    for (unsigned i = 0; i < REFINEMENTS; i++) {
        kerf_plan_free(&list[i].plan);
        free(list[i].costs);
    }
    return err;
}
