/* SPDX-License-Identifier: Apache-2.0 */
/* What bytes of new cost as literals, before there is a plan: all of them, or some by each way to tell their places apart. */
#include <string.h>

#include "diffgen/lz.h"
#include "diffgen/work.h"

#define QUIET_MIN 96  /* bytes of new that equal old: shorter stretches are coded all the same */
#define QUIET_HEAD 32 /* of them coded at the start, */
#define QUIET_TAIL 16 /* and at the end: there a plan might still want literals */
#define QUIET_COST (6 * KERF_LITERAL_BIT)

#define SAMPLE_CODE 20u   /* tables of 512 counters: what 8 KiB have */
#define SAMPLES 8u        /* stretches of new, */
#define SAMPLE_LEN 10240u /* of so many bytes, where it is long */
#define WAYS 8u
#define BETTER 256u /* a way has to gain one part in so many */

/* A coder of literals alone. */
struct literals {
    const struct kerf_work *w;
    struct kerf_header header;
    struct kerf_codec *c;
    struct kerf_encoder e;
};

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct literals *l = ctx;

    memcpy(buf, l->w->new_side.bytes + pos, len);
    return KERF_OK;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    (void)ctx;
    (void)pos;
    memset(buf, 0, len); /* the header says that there is none */
    return KERF_OK;
}

static kerf_err open_literals(struct literals *l, const struct kerf_codec_io *io, const struct kerf_work *w,
                              unsigned classes, unsigned table_code)
{
    uint8_t head[256];
    size_t head_len;

    l->w = w;
    l->header = (struct kerf_header){.codec = KERF_CODEC_NATIVE,
                                     .new_size = w->new_side.len,
                                     .payload_size = KERF_CHUNK_MAX,
                                     .chunk_size = KERF_CHUNK_MIN,
                                     .chunk0_len = KERF_CHUNK_MIN,
                                     .model = {.table_code = (uint8_t)table_code, .classes = (uint8_t)(classes & ~3u)}};
    kerf_err err = kerf_header_write(&l->header, NULL, NULL, head, sizeof head, &head_len);

    l->c = err == KERF_OK ? malloc(kerf_codec_workspace(&l->header)) : NULL;
    if (err == KERF_OK && l->c == NULL) {
        err = KERF_ERR_RAM;
    }
    if (err == KERF_OK) {
        err = kerf_codec_init(l->c, head, &l->header);
    }
    if (err == KERF_OK) {
        kerf_encode_begin(&l->e, l->c, &l->header, io, w->new_side.bytes, NULL, NULL);
        err = kerf_encode_gap(&l->e, w->new_side.len);
    }
    return err;
}

/* Goes on behind bytes that are not coded, by one or at least four of them. */
static void pass_over(struct literals *l, size_t at)
{
    struct kerf_codec *c = l->c;
    const uint8_t *bytes = l->w->new_side.bytes;

    c->left -= at - c->new_pos;
    c->new_pos = at;
    c->slip = (uint8_t)(0 - (at & ~(size_t)1)); /* a phase of 0: instructions begin at even positions */
    c->new_tail = 0;
    for (size_t i = at < 4 ? 0 : at - 4; i < at; i++) {
        c->new_tail = c->new_tail << 8 | bytes[i];
    }
}

/* Fills in QUIET_COST where long stretches equal old, else 0. */
static void find_quiet(const struct kerf_work *w, const struct kerf_segments *segments, uint8_t *cost)
{
    memset(cost, 0, w->new_side.len);
    for (size_t i = 0; i < segments->count; i++) {
        const struct kerf_segment *s = &segments->list[i];
        const uint8_t *source = w->old_side.masked + s->src_pos;
        const uint8_t *target = w->new_side.masked + s->new_pos;
        size_t start = 0;

        for (size_t k = 0; k <= s->len && !s->from_new; k++) {
            if (k < s->len && source[k] == target[k]) {
                continue;
            }
            for (size_t q = start + QUIET_HEAD; k - start >= QUIET_MIN && q < k - QUIET_TAIL; q++) {
                cost[s->new_pos + q] = QUIET_COST;
            }
            start = k + 1;
        }
    }
}

kerf_err kerf_literals_copies(struct kerf_work *w, const struct kerf_segments *segments)
{
    if (w->budget.copies == 0 || w->options->no_new) {
        return KERF_OK;
    }
    uint8_t *quiet = malloc(w->new_side.len + 1);
    bool done = quiet != NULL;

    if (done) {
        find_quiet(w, segments, quiet);
        done = kerf_lz_remember(w->new_side.bytes, w->new_side.len, quiet, w->budget.copies, &w->copies);
    }
    free(quiet);
    return done ? KERF_OK : KERF_ERR_RAM;
}

kerf_err kerf_literals_price(struct kerf_work *w, const struct kerf_segments *segments)
{
    size_t len = w->new_side.len;
    struct literals l = {0};
    struct kerf_codec_io io = {.ctx = &l, .read_old = read_old, .read_new = read_new};
    kerf_err err = KERF_OK;

    w->literal_cost = malloc(len + 1);
    if (w->literal_cost == NULL) {
        return KERF_ERR_RAM;
    }
    find_quiet(w, segments, w->literal_cost);
    err = open_literals(&l, &io, w, 0, 0);
    for (size_t i = 0; err == KERF_OK && i < len; i++) {
        kerf_cost before = l.e.run.k.rc.cost;

        if (w->literal_cost[i] != 0) {
            continue;
        }
        if (l.c->new_pos != i) {
            pass_over(&l, i);
        }
        err = kerf_encode_literal(&l.e);
        w->literal_cost[i] = kerf_literal_pack(l.e.run.k.rc.cost - before);
    }
    free(l.c);
    return err;
}

/* What a sample of new costs. */
static kerf_err price_sample(const struct kerf_work *w, unsigned classes, unsigned table_code, kerf_cost *cost)
{
    size_t len = w->new_side.len;
    size_t step = len / SAMPLES;
    struct literals l = {0};
    struct kerf_codec_io io = {.ctx = &l, .read_old = read_old, .read_new = read_new};
    kerf_err err = open_literals(&l, &io, w, classes, table_code);

    for (unsigned i = 0; err == KERF_OK && i < SAMPLES; i++) {
        size_t start = (step * i + (step < SAMPLE_LEN ? 0 : (step - SAMPLE_LEN) / 2)) & ~(size_t)3;
        size_t end = step < SAMPLE_LEN ? step * (i + 1) : start + SAMPLE_LEN;

        if (start > l.c->new_pos) {
            pass_over(&l, start);
        }
        while (err == KERF_OK && l.c->new_pos < end) {
            err = kerf_encode_literal(&l.e);
        }
    }
    *cost = l.e.run.k.rc.cost;
    free(l.c);
    return err;
}

kerf_err kerf_literals_phases(const struct kerf_work *w, struct kerf_model_params *m)
{
    static const struct {
        uint8_t classes, lines;
    } ways[WAYS] = {
        {KERF_CLASSES(0, 0, 0, KERF_PHASE_POSITION), 0},
        {KERF_CLASSES(0, 1, 1, KERF_PHASE_POSITION), 0},
        {KERF_CLASSES(0, 3, 3, KERF_PHASE_POSITION), 0},
        {KERF_CLASSES(0, 3, 3, KERF_PHASE_THUMB), 0},
        {KERF_CLASSES(0, 3, 3, KERF_PHASE_RISCV), 0},
        {KERF_CLASSES(0, 3, 3, KERF_PHASE_XTENSA), 0},
        {KERF_CLASSES(0, 3, 3, KERF_PHASE_POSITION), KERF_TABLE_LINES},
        {KERF_CLASSES(0, 0, 2, KERF_PHASE_POSITION), KERF_TABLE_LINES},
    };
    kerf_cost least = UINT64_MAX;
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && i < WAYS; i++) {
        kerf_cost cost;

        err = price_sample(w, ways[i].classes, SAMPLE_CODE | ways[i].lines, &cost);
        if (err == KERF_OK && cost < least) {
            least = cost - cost / BETTER;
            m->classes = (uint8_t)(ways[i].classes | (m->classes & 3u));
            m->table_code = (uint8_t)(ways[i].lines | (m->table_code & ~KERF_TABLE_LINES));
        }
    }
    return err;
}

kerf_err kerf_literals_places(struct kerf_work *w, const struct kerf_header *header)
{
    size_t len = w->new_side.len;
    struct kerf_codec c = {0};
    struct kerf_run run = {.h = header, .c = &c};

    if ((kerf_phase_rule(header) == KERF_PHASE_POSITION && (header->model.table_code & KERF_TABLE_LINES) == 0) ||
        w->order != NULL || w->large) {
        return KERF_OK;
    }
    w->places = malloc(len + 1);
    if (w->places == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < len; i++) {
        w->places[i] = kerf_run_place(&run) & 3;
        kerf_run_pass(&run, w->new_side.bytes + i, 1);
    }
    return KERF_OK;
}
