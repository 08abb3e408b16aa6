/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of large images are made in parts, two of which threads may do at the same time, and so are those of many
 * segments, where it is remembered what is looked back at. The parts meet inside of a copy from old, so that hardly
 * anything is lost; where they meet depends on the images alone.
 */
#include <string.h>

#include "diffgen/plan_part.h"
#include "diffgen/tasks.h"

#define PARTS_LARGE 2
#define PARTS_MOST 8  /* of huge images, so that no thread waits long for the last one; */
#define PLANNERS 2    /* there is memory for so many at a time */
#define MANY 256u     /* segments of a plan */
#define CUT_LEN 1024u /* bytes of a segment that may be cut, */
#define CUT_TRIES 256 /* one of so many */
#define CUT_EQUAL 64u /* bytes that are as in old on both sides of the cut */
#define MANY_LEN 40u  /* the same where there are many segments: the second part knows those before */
#define MANY_EQUAL 12u
#define CUT_STEP 16u /* places that are looked at are that far apart */

/* The work of planning, roughly: literals and the ends of segments take it, not what goes on. */
static uint64_t work_of(const struct kerf_segment *s, kerf_pos end)
{
    return s->new_pos - end + 48 + s->len / 16;
}

/* A place inside of the segment; 0: none. */
static size_t cut_in(const struct kerf_work *w, const struct kerf_segment *s, size_t equal)
{
    for (size_t at = s->len / 2; at + equal < s->len; at += CUT_STEP) {
        size_t n = (size_t)s->new_pos + at;
        size_t o = (size_t)s->src_pos + at;

        if (!kerf_side_inside(&w->new_side, n) && !kerf_side_inside(&w->old_side, o) &&
            memcmp(w->new_side.masked + n - equal, w->old_side.masked + o - equal, 2 * equal) == 0) {
            return n;
        }
    }
    return 0;
}

/* How many parts there are to be. */
static unsigned count_parts(const struct kerf_work *w, const struct kerf_segments *before)
{
    bool is_small = !w->large && (w->copies == NULL || before->count < MANY);

    return is_small || w->order != NULL ? 1 : kerf_work_is_huge(w) ? PARTS_MOST : PARTS_LARGE;
}

/*
 * Where they meet, after as much work each: ends[0 .. count), the last one that of new; all but that one inside of
 * before->list[inside[i]]. Returns count, at most `most`.
 */
static unsigned cut(const struct kerf_work *w, const struct kerf_segments *before, unsigned most, size_t *ends,
                    size_t *inside)
{
    size_t least = w->large ? CUT_LEN : MANY_LEN;
    size_t equal = w->large ? CUT_EQUAL : MANY_EQUAL;
    uint64_t all = 0;
    uint64_t sum = 0;
    kerf_pos end = 0;
    unsigned tries = 0;
    unsigned count = 0;

    for (size_t i = 0; most > 1 && i < before->count; i++) {
        all += work_of(&before->list[i], end);
        end = before->list[i].new_pos + before->list[i].len;
    }
    end = 0;
    for (size_t i = 0; count + 1 < most && i < before->count && tries < CUT_TRIES; i++) {
        const struct kerf_segment *s = &before->list[i];

        sum += work_of(s, end);
        end = s->new_pos + s->len;
        if (sum < all / most * (count + 1)) {
            continue;
        }
        size_t at = s->from_new || s->len < least ? 0 : cut_in(w, s, equal);

        tries = at > 0 ? 0 : tries + 1;
        if (at > 0) {
            inside[count] = i;
            ends[count++] = at;
        }
    }
    ends[count++] = w->new_side.len;
    return count;
}

struct parts {
    struct kerf_plan_part list[PARTS_MOST];
    struct kerf_segments segments[PARTS_MOST];
    kerf_err err[PARTS_MOST];
};

static void plan_one(void *ctx, unsigned index)
{
    struct parts *p = ctx;

    p->err[index] = kerf_plan_part(&p->list[index], &p->segments[index]);
}

kerf_err kerf_plan_by_cost(struct kerf_work *w, const struct kerf_prices *prices, const struct kerf_map *map,
                           const struct kerf_segments *before, struct kerf_segments *segments)
{
    uint32_t *mapped = malloc((w->old_side.ref_count + 1) * sizeof *mapped);
    struct kerf_map by_new = {0};
    struct parts p = {0};
    size_t ends[PARTS_MOST];
    size_t inside[PARTS_MOST];
    unsigned count = cut(w, before, count_parts(w, before), ends, inside);
    unsigned jobs = w->large ? w->options->jobs : w->budget.jobs;
    kerf_err err = mapped == NULL ? KERF_ERR_RAM : kerf_addrmap_targets(w, map, before, mapped);

    if (err == KERF_OK) {
        err = kerf_addrmap_sort(w, map, &by_new);
    }
    for (unsigned i = 0; i < count; i++) {
        p.list[i] = (struct kerf_plan_part){.w = w,
                                            .prices = prices,
                                            .mapped = mapped,
                                            .by_new = &by_new,
                                            .start = i == 0 ? 0 : ends[i - 1],
                                            .end = ends[i]};
        if (i > 0 && !w->large) {
            p.list[i].before = (struct kerf_segments){before->list, inside[i - 1] + 1, 0};
        }
    }
    if (err == KERF_OK) {
        kerf_tasks_run(jobs < PLANNERS ? jobs : PLANNERS, count, plan_one, &p);
    }
    free(segments->list);
    *segments = p.segments[0];
    for (unsigned i = 0; i < count; i++) {
        err = err == KERF_OK ? p.err[i] : err;
    }
    for (unsigned i = 1; i < count; i++) {
        err = err == KERF_OK ? kerf_segments_join(segments, &p.segments[i]) : err;
        free(p.segments[i].list);
    }
    free(mapped);
    free(by_new.list);
    return err;
}
