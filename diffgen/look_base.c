/* SPDX-License-Identifier: Apache-2.0 */
/* Where images are loaded that have no header which says it: by the votes of their words, and by hints. */
#include "diffgen/look.h"
#include "diffgen/tasks.h"

/*
 * The addresses that hints say, in place of those that the votes found. Where there is but one hint and the votes
 * missed it, what they said of the other image is worth nothing.
 */
static void take_hints(const struct kerf_diff_options *options, bool found[2], uint64_t base[2])
{
    const struct kerf_diff_hint *hints[2] = {options->old_hint, options->new_hint};
    bool missed = false;

    for (unsigned i = 0; i < 2; i++) {
        if (hints[i] == NULL || !hints[i]->base_known) {
            hints[i] = NULL;
        } else if (!found[i] || base[i] != hints[i]->base) {
            missed = true;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        if (hints[i] != NULL) {
            found[i] = true;
            base[i] = hints[i]->base;
        } else {
            found[i] = found[i] && !missed;
        }
    }
}

#define BESIDE_LEN (32u << 10) /* to start a thread takes longer for fewer bytes */

/* What one image's search for its address looks at. */
struct base_task {
    struct kerf_task task;
    unsigned isa;
    bool wide, quick;
    const struct kerf_look_side *side;
    struct kerf_base_search *search;
    kerf_err err;
};

static void open_base(void *ctx)
{
    struct base_task *t = ctx;

    t->err = kerf_base_open(t->isa, t->wide, kerf_look_big_endian(t->isa, t->side), t->quick, t->side->p, t->side->len,
                            &t->search);
}

/* Of both images, new's with old's to begin with. What each is found by is collected at the same time. */
static kerf_err find_by_words(unsigned isa, const struct kerf_look_side sides[2], bool threads, bool quick,
                              struct kerf_base found[2])
{
    bool wide = kerf_look_wide_words(isa);
    struct base_task tasks[2] = {{.isa = isa, .wide = wide, .quick = quick, .side = &sides[0]},
                                 {.isa = isa, .wide = wide, .quick = quick, .side = &sides[1]}};

    if (!threads || sides[1].len < BESIDE_LEN || !kerf_task_start(&tasks[1].task, open_base, &tasks[1])) {
        open_base(&tasks[1]);
    }
    open_base(&tasks[0]);
    if (tasks[0].err == KERF_OK) {
        kerf_base_find(tasks[0].search, NULL, &found[0]);
    }
    kerf_task_wait(&tasks[1].task);
    if (tasks[0].err == KERF_OK && tasks[1].err == KERF_OK) {
        kerf_base_find(tasks[1].search, &found[0], &found[1]);
    }
    kerf_base_close(tasks[0].search);
    kerf_base_close(tasks[1].search);
    return tasks[0].err != KERF_OK ? tasks[0].err : tasks[1].err;
}

static kerf_err find_one(struct base_task *t, const struct kerf_base *other, struct kerf_base *found)
{
    open_base(t);
    if (t->err == KERF_OK) {
        kerf_base_find(t->search, other, found);
    }
    kerf_base_close(t->search);
    return t->err;
}

/* The same as find_by_words(), quick: new's is mostly old's, and then nothing more is looked at. */
static kerf_err find_quickly(unsigned isa, const struct kerf_look_side sides[2], struct kerf_base found[2])
{
    bool wide = kerf_look_wide_words(isa);
    bool big_endian = kerf_look_big_endian(isa, &sides[0]);
    struct base_task tasks[2] = {{.isa = isa, .wide = wide, .quick = true, .side = &sides[0]},
                                 {.isa = isa, .wide = wide, .quick = true, .side = &sides[1]}};

    kerf_err err = find_one(&tasks[0], NULL, &found[0]);

    if (err != KERF_OK ||
        kerf_base_agrees(isa, wide, big_endian, sides[0].p, sides[0].len, sides[1].p, sides[1].len, &found[0])) {
        found[1] = found[0];
        return err;
    }
    return find_one(&tasks[1], &found[0], &found[1]);
}

/* Of an image that lies at 0, behind a header that then has no address: the header does not belong to it. */
static void cut_header(struct kerf_span *span)
{
    uint64_t header = 0 - span->addr;

    if (span->addr >> 63 != 0 && header < span->len) {
        span->pos += header;
        span->len -= header;
        span->addr = 0;
    }
}

kerf_err kerf_look_bases(struct kerf_look *look, const struct kerf_diff_options *options)
{
    unsigned isa = look->isa;
    uint64_t base[2] = {0, 0};
    bool found[2];
    struct kerf_base by_votes[2] = {{0}};
    bool quick = options->level == 1;
    kerf_err err = quick && (isa == KERF_ISA_THUMB || isa == KERF_ISA_RISCV32 || isa == KERF_ISA_RISCV64)
                       ? find_quickly(isa, look->sides, by_votes)
                       : find_by_words(isa, look->sides, options->jobs > 1, quick, by_votes);

    if (err != KERF_OK) {
        return err;
    }
    for (unsigned i = 0; i < 2; i++) {
        found[i] = by_votes[i].votes > 0;
        base[i] = by_votes[i].addr;
    }
    take_hints(options, found, base);
    /* Few numbers of 8 bytes are less than the image's length by chance: they are worth a look even at address 0. */
    look->words = found[0] || found[1] || (kerf_look_wide_words(isa) && isa != KERF_ISA_NONE);
    for (unsigned i = 0; i < 2; i++) {
        struct kerf_span *span = &look->sides[i].layout.spans[0];

        span->addr = found[i] || !found[1 - i] ? base[i] : base[1 - i];
        cut_header(span);
    }
    return KERF_OK;
}
