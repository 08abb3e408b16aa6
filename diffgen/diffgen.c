/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the stages: images, references, matches, plan, encoding, container, self-check. */
#include "diffgen/diffgen.h"

#include <stdio.h>
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/work.h"

/* A plan and what it costs. */
struct plan {
    struct kerf_segments segments;
    struct kerf_map map;
    struct kerf_encoding encoding;
};

static void plan_free(struct plan *p)
{
    free(p->segments.list);
    free(p->map.list);
    memset(p, 0, sizeof *p);
}

static void tell(const struct kerf_work *w, const char *stage, uint64_t done, uint64_t total)
{
    if (w->options->progress != NULL) {
        w->options->progress(w->options->progress_ctx, stage, done, total);
    }
}

/* A copy of the image with zeros behind it. */
static kerf_err side_open(struct kerf_side *side, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len + KERF_PAD);

    if (copy == NULL) {
        return KERF_ERR_RAM;
    }
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    memset(copy + len, 0, KERF_PAD);
    side->bytes = copy;
    side->len = len;
    return KERF_OK;
}

static void side_close(struct kerf_side *side)
{
    kerf_scan_free(side);
    free((void *)(uintptr_t)side->bytes);
    side->bytes = NULL;
}

/* Scans both sides for the reference kinds that the image's regions name, and prepares the matches. */
static kerf_err scan(struct kerf_work *w)
{
    kerf_scan_free(&w->old_side);
    kerf_scan_free(&w->new_side);
    free(w->suffixes);
    free(w->match_pos);
    free(w->match_len);
    w->suffixes = NULL;
    w->match_pos = NULL;
    w->match_len = NULL;
    kerf_err err = kerf_scan_side(&w->old_side, &w->image, false);

    if (err == KERF_OK) {
        err = kerf_scan_side(&w->new_side, &w->image, true);
    }
    return err == KERF_OK ? kerf_match_prepare(w) : err;
}

/* The map for a plan's segments, and what coding both costs. */
static kerf_err price(const struct kerf_work *w, struct kerf_header *header, size_t map_cap, struct plan *plan)
{
    kerf_err err = kerf_addrmap_choose(w, &plan->segments, map_cap, &plan->map);

    return err == KERF_OK ? kerf_encode_plan(w, header, &plan->segments, &plan->map, NULL, &plan->encoding) : err;
}

static unsigned rounds_of(int level)
{
    static const uint8_t rounds[10] = {0, 0, 1, 2, 2, 3, 3, 4, 5, 6};

    return rounds[level == 0 ? KERF_DIFF_LEVEL_DEFAULT : level];
}

/* The best plan that a few rounds find; each round's prices are what the round before really cost. */
static kerf_err find_plan(struct kerf_work *w, struct kerf_header *header, size_t map_cap, struct plan *best)
{
    struct plan plan = {0};
    unsigned rounds = rounds_of(w->options->level);
    kerf_err err = kerf_match_greedy(w, &best->segments);

    if (err == KERF_OK) {
        err = price(w, header, map_cap, best);
    }
    struct kerf_prices prices = best->encoding.prices;

    const struct kerf_map *map = &best->map;
    struct kerf_map last_map = {0};

    for (unsigned i = 0; err == KERF_OK && i < rounds; i++) {
        tell(w, "planning", i, rounds);
        err = kerf_plan_by_cost(w, &prices, map, &plan.segments);
        if (err == KERF_OK) {
            err = price(w, header, map_cap, &plan);
        }
        if (err != KERF_OK) {
            break;
        }
        prices = plan.encoding.prices;
        free(last_map.list);
        last_map = (struct kerf_map){0};
        if (plan.encoding.total < best->encoding.total) {
            plan_free(best);
            *best = plan;
            plan = (struct plan){0};
            map = &best->map;
        } else {
            last_map = plan.map;
            plan.map.list = NULL;
            plan_free(&plan);
            map = &last_map;
        }
    }
    free(last_map.list);
    plan_free(&plan);
    return err;
}

static kerf_err fill_header(const struct kerf_work *w, uint64_t ram, struct kerf_header *header,
                            struct kerf_diff_report *report)
{
    memset(header, 0, sizeof *header);
    header->codec = KERF_CODEC_NATIVE;
    header->old_size = w->old_side.len;
    header->new_size = w->new_side.len;
    header->flags = (uint8_t)(w->options->no_new ? 0 : KERF_FLAG_READS_NEW);
    header->region_count = (uint8_t)w->image.region_count;
    header->range_count = (uint8_t)w->image.range_count;
    kerf_err err = kerf_hash_bytes(w->old_side.bytes, w->old_side.len, &report->old_digest);

    if (err == KERF_OK) {
        err = kerf_hash_bytes(w->new_side.bytes, w->new_side.len, &report->new_digest);
    }
    if (w->old_side.len > 0) {
        memcpy(header->old_digest.b, report->old_digest.b, KERF_DIGEST_LEN);
    }
    memcpy(header->new_digest.b, report->new_digest.b, KERF_DIGEST_LEN);
    return err == KERF_OK ? kerf_params_choose(ram, 0, header) : err;
}

static void set_kinds(struct kerf_image *image, const struct kerf_image *all, unsigned drop)
{
    for (unsigned i = 0; i < image->region_count; i++) {
        image->regions[i].kinds = (uint16_t)(all->regions[i].kinds & ~drop);
    }
}

/* Scans with the kinds less `drop`, and prices bsdiff's plan, or with `planned` one by cost. */
static kerf_err try_kinds(struct kerf_work *w, struct kerf_header *header, size_t map_cap, const struct kerf_image *all,
                          unsigned drop, bool planned, kerf_cost *cost)
{
    struct plan plan = {0};

    set_kinds(&w->image, all, drop);
    kerf_err err = scan(w);

    if (err == KERF_OK) {
        err = kerf_match_greedy(w, &plan.segments);
    }
    if (err == KERF_OK) {
        err = price(w, header, map_cap, &plan);
    }
    if (err == KERF_OK && planned) {
        struct kerf_map map = plan.map;
        struct kerf_prices prices = plan.encoding.prices;

        err = kerf_plan_by_cost(w, &prices, &map, &plan.segments);
        plan.map.list = NULL;
        if (err == KERF_OK) {
            err = price(w, header, map_cap, &plan);
        }
        free(map.list);
    }
    *cost = plan.encoding.total;
    plan_free(&plan);
    return err;
}

#define DROP_ALL 0x7fffu

/*
 * Which kinds of reference pay differs from product to product: tries a few sets, and none at all, by what bsdiff's plan
 * costs with them; those that come near the best also by a planned round, which may turn the order around.
 */
static kerf_err choose_kinds(struct kerf_work *w, struct kerf_header *header, size_t map_cap)
{
    const unsigned branches = 1u << KERF_REF_BRANCH | 1u << KERF_REF_BRANCH2;
    const unsigned literals = 1u << KERF_REF_LITERAL;
    const unsigned drops[] = {0, branches, branches | literals, DROP_ALL};
    const size_t count = sizeof drops / sizeof drops[0];
    struct kerf_image all = w->image;
    kerf_cost costs[sizeof drops / sizeof drops[0]];
    size_t best = 0;
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < count; i++) {
        tell(w, "kinds of reference", i, 2 * count);
        err = try_kinds(w, header, map_cap, &all, drops[i], false, &costs[i]);
        if (costs[i] < costs[best]) {
            best = i;
        }
    }
    kerf_cost limit = costs[best] + costs[best] / 16;

    for (size_t i = 0; err == KERF_OK && i < count && rounds_of(w->options->level) > 1; i++) {
        tell(w, "kinds of reference", count + i, 2 * count);
        if (costs[i] <= limit) {
            err = try_kinds(w, header, map_cap, &all, drops[i], true, &costs[i]);
        }
        if (costs[i] < costs[best]) {
            best = i;
        }
    }
    set_kinds(&w->image, &all, drops[best]);
    if (drops[best] == DROP_ALL) {
        w->image.region_count = 0;
        w->image.range_count = 0;
        header->region_count = 0;
        header->range_count = 0;
    }
    return err == KERF_OK ? scan(w) : err;
}

/* What a payload of this cost takes in the file, chunk digests included. */
static kerf_cost file_cost(const struct kerf_header *header, kerf_cost payload)
{
    return payload + payload / (header->chunk_size - KERF_DIGEST_LEN) * KERF_DIGEST_LEN;
}

/* Which split of the budget fits this plan best: the same segments, with the map that each has room for. */
static kerf_err choose_split(struct kerf_work *w, uint64_t ram, struct kerf_header *header, struct plan *plan)
{
    static const uint8_t attempts_of[10] = {0, 1, 2, 3, 4, 6, 8, 8, 8, 8};
    unsigned attempts = attempts_of[w->options->level == 0 ? KERF_DIFF_LEVEL_DEFAULT : w->options->level];
    struct kerf_header best = *header;
    kerf_cost best_cost = file_cost(header, plan->encoding.total);

    for (unsigned i = 0; i < attempts; i++) {
        struct kerf_header tried = *header;
        struct kerf_map map = plan->map;

        tell(w, "sizes of tables", i, attempts);
        if (kerf_params_choose(ram, i, &tried) != KERF_OK) {
            break;
        }
        kerf_err err = price(w, &tried, tried.model.map_cap, plan);

        if (err != KERF_OK) {
            free(map.list);
            return err;
        }
        kerf_cost cost = file_cost(&tried, plan->encoding.total);

        if (cost < best_cost) {
            best_cost = cost;
            best = tried;
            free(map.list);
        } else {
            free(plan->map.list);
            plan->map = map;
        }
    }
    *header = best;
    return KERF_OK;
}

static kerf_err make_native(struct kerf_work *w, uint64_t ram, struct kerf_header *header, uint8_t **delta,
                            size_t *delta_len, struct kerf_diff_report *report)
{
    struct plan plan = {0};
    struct kerf_bytes payload = {0};
    kerf_err err = fill_header(w, ram, header, report);

    if (err == KERF_ERR_RAM && w->image.region_count > 0) {
        /* Too many regions for so little RAM: none, then. */
        w->image.region_count = 0;
        w->image.range_count = 0;
        err = fill_header(w, ram, header, report);
    }
    if (err == KERF_OK && rounds_of(w->options->level) > 0) {
        err = kerf_encode_literal_costs(w);
    }
    if (err == KERF_OK) {
        err = scan(w);
    }
    /* The tables first, by bsdiff's plan: how much map there is room for decides which references pay. */
    if (err == KERF_OK) {
        err = kerf_match_greedy(w, &plan.segments);
    }
    if (err == KERF_OK) {
        err = price(w, header, header->model.map_cap, &plan);
    }
    if (err == KERF_OK) {
        err = choose_split(w, ram, header, &plan);
    }
    plan_free(&plan);

    size_t map_cap = kerf_params_map_cap(ram, header);

    if (err == KERF_OK && w->image.region_count > 0) {
        err = choose_kinds(w, header, map_cap);
    }
    if (err == KERF_OK) {
        err = find_plan(w, header, map_cap, &plan);
    }
    if (err == KERF_OK) {
        err = choose_split(w, ram, header, &plan);
    }
    if (err == KERF_OK) {
        tell(w, "encoding", 0, 1);
        err = kerf_encode_plan(w, header, &plan.segments, &plan.map, &payload, &plan.encoding);
    }
    if (err == KERF_OK) {
        err = kerf_pack(header, &w->image, payload.data, payload.len, delta, delta_len);
    }
    if (err == KERF_OK) {
        memcpy(report->part_cost, plan.encoding.part, sizeof report->part_cost);
        report->segments = plan.segments.count;
        report->literals = plan.encoding.literals;
        report->refs = plan.encoding.refs;
        report->refs_wrong = plan.encoding.refs_wrong;
        report->chain_len = *delta_len - payload.len - header->header_len;
    }
    plan_free(&plan);
    free(payload.data);
    return err;
}

static void work_close(struct kerf_work *w)
{
    side_close(&w->old_side);
    side_close(&w->new_side);
    free(w->suffixes);
    free(w->match_pos);
    free(w->match_len);
    free(w->literal_cost);
}

static kerf_err check_options(const struct kerf_diff_options *options)
{
    if (options->level < 0 || options->level > 9 || options->codec < -1 || options->codec > KERF_CODEC_LZMA2) {
        return KERF_ERR_ARGUMENT;
    }
    return options->ram != 0 && options->ram < KERF_DIFF_RAM_MIN ? KERF_ERR_RAM : KERF_OK;
}

kerf_err kerf_diff_create(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                          const struct kerf_diff_options *options, uint8_t **delta, size_t *delta_len,
                          struct kerf_diff_report *report)
{
    struct kerf_work w = {.options = options};
    struct kerf_diff_report own_report;
    struct kerf_header header = {0};
    kerf_err err = check_options(options);

    *delta = NULL;
    *delta_len = 0;
    if (report == NULL) {
        report = &own_report;
    }
    memset(report, 0, sizeof *report);
    if (err != KERF_OK) {
        return err;
    }
    err = side_open(&w.old_side, old_image, old_len);
    if (err == KERF_OK) {
        err = side_open(&w.new_side, new_image, new_len);
    }
    if (err == KERF_OK && old_len > 0) {
        err = kerf_image_recognise(old_image, old_len, new_image, new_len, options, &w.image);
    }
    for (unsigned i = 0; i < w.image.region_count; i++) {
        if (!kerf_isa_known(w.image.regions[i].isa)) {
            w.image.regions[i].isa = KERF_ISA_NONE;
        }
    }
    if (err == KERF_OK) {
        err = make_native(&w, options->ram == 0 ? KERF_DIFF_RAM_DEFAULT : options->ram, &header, delta, delta_len,
                          report);
    }
    if (err == KERF_OK) {
        tell(&w, "self-check", 0, 1);
        err = kerf_selfcheck(old_image, old_len, new_image, new_len, *delta, *delta_len);
        err = err == KERF_OK || err == KERF_ERR_RAM ? err : KERF_ERR_STATE;
    }
    if (err == KERF_OK) {
        err = kerf_hash_bytes(*delta, header.chunk0_len, &report->chunk0_digest);
    }
    report->delta_len = *delta_len;
    report->header_len = header.header_len;
    report->workspace = kerf_header_workspace(&header);
    (void)snprintf(report->recognised, sizeof report->recognised, "%s", w.image.recognised);
    if (err != KERF_OK) {
        free(*delta);
        *delta = NULL;
        *delta_len = 0;
    }
    work_close(&w);
    return err;
}
