/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan is polished in two halves, which two threads may do at the same time: the second one's changes are tried with
 * the counters that the first half leaves as it was. What comes of both is coded, and kept if that costs less.
 */
#include <string.h>

#include "diffgen/polish.h"
#include "diffgen/search.h"
#include "diffgen/tasks.h"

#define PARTS 2
#define MANY_LITERALS 16      /* one byte of so many: a literal takes a device some 3000 instructions, */
#define LITERAL_WORK KERF_BIT /* so that one more is to gain so much */

struct parts {
    const struct kerf_search *s;
    const struct kerf_plan *plan;
    bool thorough;
    struct kerf_polish_part list[PARTS];
    kerf_err err[PARTS];
};

static void polish_one(void *ctx, unsigned index)
{
    struct parts *all = ctx;
    struct kerf_header header = *all->s->header;
    struct kerf_work w;
    kerf_err err = kerf_search_share(all->s->w, &w);

    if (err == KERF_OK) {
        err = kerf_polish(&w, &header, &all->plan->map, all->thorough, &all->list[index]);
    }
    free(w.old_side.nothing);
    all->err[index] = err;
}

/* Trying changes takes about so long, in bytes of copies. */
static uint64_t work_of(const struct kerf_segment *s)
{
    return 1024 + s->len;
}

/* The first segment of the second half; 0: there is none. */
static size_t cut(const struct kerf_segments *plan)
{
    uint64_t all = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < plan->count; i++) {
        all += work_of(&plan->list[i]);
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (sum >= all / 2) {
            return i;
        }
        sum += work_of(&plan->list[i]);
    }
    return 0;
}

static kerf_err polish_parts(struct parts *all, struct kerf_segments *segments)
{
    const struct kerf_segments *before = &all->plan->segments;
    size_t at = cut(before);
    struct kerf_segments half = *before;
    struct kerf_polish_part *first = &all->list[0];
    struct kerf_polish_part *second = &all->list[1];

    half.count = at > 0 ? at : half.count;
    kerf_err err = kerf_search_copy_segments(&half, &first->segments);

    if (err == KERF_OK && at > 0) {
        err = kerf_search_copy_segments(before, &second->segments);
    }
    if (err != KERF_OK) {
        return err;
    }
    first->end = second->end = all->s->w->new_side.len;
    if (all->plan->encoding.literals > all->s->w->new_side.len / MANY_LITERALS) {
        first->literal_work = second->literal_work = LITERAL_WORK;
    }
    if (at > 0) {
        first->end = before->list[at].new_pos;
        second->from = at;
    }
    kerf_tasks_run(all->s->jobs, at > 0 ? PARTS : 1, polish_one, all);
    err = all->err[0] != KERF_OK ? all->err[0] : all->err[1];
    *segments = first->segments;
    first->segments.list = NULL;
    for (size_t i = second->from; err == KERF_OK && i < second->segments.count; i++) {
        err = kerf_segments_add(segments, &second->segments.list[i]);
    }
    return err;
}

/* Once. *gains: the plan has become cheaper. */
static kerf_err polish(const struct kerf_search *s, bool thorough, struct kerf_plan *plan, bool *gains)
{
    struct parts all = {.s = s, .plan = plan, .thorough = thorough};
    struct kerf_plan polished = {0};
    kerf_err err = polish_parts(&all, &polished.segments);

    for (unsigned i = 0; i < PARTS; i++) {
        free(all.list[i].segments.list);
    }
    if (err == KERF_OK) {
        err = kerf_search_race(s, s->header, &polished, NULL, 0);
    }
    *gains = err == KERF_OK && polished.encoding.total < plan->encoding.total;
    if (*gains) {
        struct kerf_plan worse = *plan;

        *plan = polished;
        polished = worse;
    }
    kerf_plan_free(&polished);
    return err;
}

kerf_err kerf_search_polish(const struct kerf_search *s, struct kerf_plan *plan)
{
    unsigned times = s->effort->polish > 1 ? s->effort->polish - 1u : s->effort->polish;
    /* Noise takes long to code, and next to nothing is saved. */
    bool noise = plan->encoding.total > s->w->new_side.len * 8 * KERF_BIT / 32 * 31;
    bool gains = !s->w->large && s->w->order == NULL && !noise;
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && gains && i < times; i++) {
        kerf_search_tell(s->w, "polishing", i, times);
        err = polish(s, s->effort->polish > 1, plan, &gains);
    }
    return err;
}
