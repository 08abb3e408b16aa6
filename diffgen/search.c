/* SPDX-License-Identifier: Apache-2.0 */
#include "diffgen/search.h"

#include <string.h>

#include "diffgen/beside.h"
#include "diffgen/tasks.h"

#define ROUNDS_MAX 12u
#define ROUNDS_LARGE 2u  /* of large images, where nothing is measured; one alone tells little, */
#define ROUNDS_HUGE 1u   /* but of huge ones a second one gains 3 % for a third of the time */
#define SPLIT_MARGIN 32u /* a split that falls behind by one in this many is given up */
#define SPLITS_MAX 8u
#define ENOUGH 128u       /* a round that gains less than one in so many is the last one, */
#define ENOUGH_SMALL 256u /* of the levels that try hardest, */
#define ENOUGH_NEW 4096u  /* where most is copied from new: such plans take longer to settle, */
#define ROUNDS_NEW 4u     /* and so many rounds more; */
#define SETTLED 2u        /* after this one literals are taken */
#define SCALE_LOW 930u    /* at so much, * 2^-10, in place of 970, */
#define SCALE_STEP 25u    /* less by so much in each round */
#define PAYS_LOW 1024u    /* while one gains one in so many, */
#define SCALE_HIGH 1000u  /* then at this */

void kerf_plan_free(struct kerf_plan *p)
{
    free(p->segments.list);
    free(p->map.list);
    free(p->payload.data);
    memset(p, 0, sizeof *p);
}

void kerf_search_tell(const struct kerf_work *w, const char *stage, uint64_t done, uint64_t total)
{
    if (w->options->progress != NULL) {
        w->options->progress(w->options->progress_ctx, stage, done, total);
    }
}

kerf_err kerf_search_share(const struct kerf_work *w, struct kerf_work *own)
{
    *own = *w;
    own->old_side.nothing = NULL;
    if (w->old_side.nothing != NULL) {
        own->old_side.nothing = malloc(w->old_side.len + 1);
        if (own->old_side.nothing == NULL) {
            return KERF_ERR_RAM;
        }
        memcpy(own->old_side.nothing, w->old_side.nothing, w->old_side.len + 1);
    }
    return KERF_OK;
}

/* The map for a plan's segments. */
static kerf_err choose_map(const struct kerf_search *s, const struct kerf_header *header, struct kerf_plan *plan)
{
    return kerf_addrmap_choose(s->w, &plan->segments, kerf_params_map_cap(s->ram, header), &plan->map);
}

kerf_err kerf_search_race(const struct kerf_search *s, struct kerf_header *header, struct kerf_plan *plan,
                          const struct kerf_encoding *rival, unsigned margin)
{
    kerf_err err = plan->map.list != NULL ? KERF_OK : choose_map(s, header, plan);

    return err == KERF_OK ? kerf_encode_race(s->w, header, &plan->segments, &plan->map, rival, margin, &plan->payload,
                                             &plan->encoding)
                          : err;
}

kerf_err kerf_search_copy_segments(const struct kerf_segments *from, struct kerf_segments *to)
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

static kerf_err copy_map(const struct kerf_map *from, struct kerf_map *to)
{
    *to = *from;
    to->list = malloc((from->count + 1) * sizeof *from->list);
    if (to->list == NULL) {
        return KERF_ERR_RAM;
    }
    if (from->count > 0) {
        memcpy(to->list, from->list, from->count * sizeof *from->list);
    }
    return KERF_OK;
}

kerf_err kerf_search_copy(const struct kerf_plan *from, struct kerf_plan *to)
{
    kerf_err err = kerf_search_copy_segments(&from->segments, &to->segments);

    to->encoding = from->encoding;
    err = err == KERF_OK ? copy_map(&from->map, &to->map) : err;
    to->payload.cap = from->payload.len + 1;
    to->payload.len = from->payload.len;
    to->payload.data = malloc(to->payload.cap);
    if (err != KERF_OK || to->payload.data == NULL) {
        return KERF_ERR_RAM;
    }
    if (from->payload.len > 0) {
        memcpy(to->payload.data, from->payload.data, from->payload.len);
    }
    return KERF_OK;
}

kerf_err kerf_search_round(struct kerf_search *s, struct kerf_plan *best, struct kerf_plan *last, bool measure)
{
    const struct kerf_plan *from = last->segments.list != NULL ? last : best;
    struct kerf_plan plan = {0};
    struct kerf_prices prices = from->encoding.prices;

    if (s->literal_scale > 0) {
        prices.literal_scale = s->literal_scale;
    }
    kerf_err err = kerf_plan_by_cost(s->w, &prices, &from->map, &from->segments, &plan.segments);

    if (err == KERF_OK && !measure) {
        err = kerf_search_race(s, s->header, &plan, NULL, 0);
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

/* The header that the plan will have. */
static struct kerf_header final_header(const struct kerf_search *s, const struct kerf_header *header,
                                       const struct kerf_plan *plan)
{
    struct kerf_header h = *header;

    h.model.map_cap = (uint16_t)plan->map.count;
    kerf_params_fill(s->ram, plan->payload.len, &h);
    return h;
}

/* What the plan's payload takes in the file, chunk digests included. */
static kerf_cost file_cost(const struct kerf_search *s, const struct kerf_header *header, const struct kerf_plan *plan)
{
    const struct kerf_header h = final_header(s, header, plan);
    kerf_cost payload = plan->encoding.total;

    return payload + payload / (h.chunk_size - KERF_DIGEST_LEN) * KERF_DIGEST_LEN;
}

size_t kerf_search_len(const struct kerf_search *s, const struct kerf_header *header, const struct kerf_plan *plan)
{
    struct kerf_header h = final_header(s, header, plan);
    uint8_t head[256];
    size_t len = 0;

    kerf_pack_assume(&h); /* what their fields take is the same for all that are compared */
    if (plan->encoding.total == UINT64_MAX ||
        kerf_header_write(&h, s->w->image.regions, s->w->image.ranges, head, sizeof head, &len) != KERF_OK) {
        return SIZE_MAX;
    }
    len += plan->payload.len;
    return len <= h.chunk_size ? len : len + len / (h.chunk_size - KERF_DIGEST_LEN) * KERF_DIGEST_LEN;
}

bool kerf_search_is_noise(const struct kerf_search *s, const struct kerf_plan *plan)
{
    const struct kerf_encoding *e = &plan->encoding;
    kerf_cost literals = e->part[KERF_PART_LITERALS];

    return e->total > s->w->new_side.len * 8 * KERF_BIT / 16 * 15 ||
           (literals > e->literals * 8 * KERF_BIT / 32 * 31 && literals > e->total / 32 * 31);
}

bool kerf_search_same_split(const struct kerf_header *a, const struct kerf_header *b)
{
    return a->chunk_size == b->chunk_size && a->model.table_code == b->model.table_code &&
           a->model.classes == b->model.classes && a->model.learned_cap == b->model.learned_cap;
}

/* Another split of the budget for the same plan. */
struct split_trial {
    struct kerf_header header;
    struct kerf_plan plan; /* its segments are the plan's */
    bool tried;
    kerf_err err;
};

struct split_trials {
    const struct kerf_search *s;
    const struct kerf_plan *plan;
    struct split_trial *list;
};

static void try_split(void *ctx, unsigned index)
{
    const struct split_trials *all = ctx;
    struct split_trial *t = &all->list[index];
    struct kerf_search own = *all->s;
    struct kerf_work w;

    if (!t->tried) {
        return;
    }
    if (all->s->jobs > 1) {
        t->err = kerf_search_share(all->s->w, &w);
        own.w = &w;
    }
    if (t->err == KERF_OK && all->plan->map.whole && all->plan->map.count <= kerf_params_map_cap(own.ram, &t->header)) {
        t->err = copy_map(&all->plan->map, &t->plan.map);
    }
    if (t->err == KERF_OK) {
        t->err = kerf_search_race(&own, &t->header, &t->plan, &all->plan->encoding, SPLIT_MARGIN);
    }
    if (own.w == &w) {
        free(w.old_side.nothing);
    }
}

static kerf_err try_splits(struct kerf_search *s, unsigned attempts, struct kerf_plan *plan)
{
    struct split_trial list[SPLITS_MAX] = {0};
    struct split_trials all = {s, plan, list};
    struct kerf_plan *best = plan;
    kerf_err err = KERF_OK;

    kerf_search_tell(s->w, "sizes of tables", 0, 1);
    for (unsigned i = 0; i < attempts; i++) {
        /* The last attempt is with far less: in a small delta large tables learn too slowly. */
        bool less = i > 0 && i + 1 == attempts && s->ram / 4 >= KERF_DIFF_RAM_MIN;

        list[i].header = *s->header;
        list[i].plan.segments = plan->segments;
        list[i].tried = kerf_params_choose(less ? s->ram / 4 : s->ram, less ? 0 : i, &list[i].header) == KERF_OK &&
                        !kerf_search_same_split(&list[i].header, s->header);
    }
    kerf_tasks_run(s->jobs, attempts, try_split, &all);
    for (unsigned i = 0; i < attempts; i++) {
        struct split_trial *t = &list[i];

        err = err == KERF_OK ? t->err : err;
        if (t->tried && t->err == KERF_OK && t->plan.encoding.total != UINT64_MAX &&
            file_cost(s, &t->header, &t->plan) < file_cost(s, s->header, best)) {
            best = &t->plan;
            *s->header = t->header;
        }
    }
    if (best != plan) {
        struct kerf_plan beaten = *plan;

        *plan = *best;
        *best = beaten;
    }
    for (unsigned i = 0; i < attempts; i++) {
        list[i].plan.segments.list = NULL; /* all plans' */
        kerf_plan_free(&list[i].plan);
    }
    return err;
}

kerf_err kerf_search_split(struct kerf_search *s, unsigned attempts, struct kerf_plan *plan)
{
    return attempts == 0 || kerf_search_is_noise(s, plan) ? KERF_OK : try_splits(s, attempts, plan);
}

/* Rounds in which every byte is priced as a literal too, which takes time: more where much of new has no source. */
static unsigned measured_rounds(const struct kerf_search *s, const struct kerf_plan *plan)
{
    if (s->w->large) {
        return 0;
    }
    return s->w->old_side.len == 0 || plan->encoding.total > s->w->new_side.len * 8 * KERF_BIT / 2 ? 3 : 1;
}

/*
 * Where most of new has no source: every round measures, and how dear literals are to be taken, which differs from
 * image to image, is tried: lower once plans have settled, on and on while that gains, else higher.
 */
static kerf_err rounds_of_new(struct kerf_search *s, struct kerf_plan *plan, struct kerf_plan *last)
{
    unsigned rounds = s->effort->rounds + ROUNDS_NEW;
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && i < rounds; i++) {
        kerf_cost before = plan->encoding.total;

        kerf_search_tell(s->w, "planning", i, rounds);
        err = kerf_search_round(s, plan, last, true);
        if (kerf_search_is_noise(s, plan) || (i > SETTLED + 1 && plan->encoding.total > before - before / ENOUGH_NEW)) {
            break;
        }
        if (i == SETTLED) {
            s->literal_scale = SCALE_LOW;
        } else if (i > SETTLED && s->literal_scale < SCALE_HIGH) {
            bool pays = plan->encoding.total < before - before / PAYS_LOW;

            s->literal_scale = pays ? s->literal_scale - SCALE_STEP : SCALE_HIGH;
        }
    }
    s->literal_scale = 0;
    return err;
}

static unsigned rounds_of_large(const struct kerf_work *w)
{
    return kerf_work_is_huge(w) && w->options->level <= KERF_DIFF_LEVEL_DEFAULT ? ROUNDS_HUGE : ROUNDS_LARGE;
}

/* Where old serves: the first `measured` rounds measure, and they end where one gains little. */
static kerf_err rounds_of_old(struct kerf_search *s, struct kerf_plan *plan, struct kerf_plan *last, unsigned rounds,
                              unsigned measured)
{
    unsigned most = s->w->large ? rounds : ROUNDS_MAX;
    unsigned enough = s->effort->rounds < 4 ? ENOUGH : ENOUGH_SMALL;
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && i < rounds; i++) {
        kerf_cost before = plan->encoding.total;

        kerf_search_tell(s->w, "planning", i, rounds);
        if (s->w->large && i + 1 == rounds && s->w->options->jobs > 1 && s->w->order == NULL) {
            s->w->beside = kerf_beside_open(); /* what it makes is the delta, if it is better */
        }
        err = kerf_search_round(s, plan, last, i < measured);
        /* What was measured in a round is known to the next alone. */
        if ((i > 0 && i >= measured && plan->encoding.total > before - before / enough) ||
            kerf_search_is_noise(s, plan)) {
            break;
        }
        /* While a round gains that much, the next is worth its time. */
        if (i + 1 == rounds && rounds < most && plan->encoding.total < before - before / 64) {
            rounds++;
        }
    }
    return err;
}

kerf_err kerf_search_rounds(struct kerf_search *s, struct kerf_plan *plan)
{
    struct kerf_plan last = {0};
    unsigned rounds = s->w->large ? rounds_of_large(s->w) : s->effort->rounds;
    unsigned measured = measured_rounds(s, plan);
    kerf_err err = measured > 1 && rounds > 2 ? rounds_of_new(s, plan, &last)
                                              : rounds_of_old(s, plan, &last, rounds, measured);

    if (last.payload.data != NULL) { /* it was not better */
        kerf_beside_close(s->w->beside);
        s->w->beside = NULL;
    }
    kerf_plan_free(&last);
    /* Of a large image's RAM hardly anything is worth another coding of all of it. */
    return err == KERF_OK && !s->w->large ? kerf_search_split(s, s->effort->last_splits, plan) : err;
}
