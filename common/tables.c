/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything lies in the workspace behind struct kerf_codec (docs/FORMAT.md, "Workspace"). */
#include <string.h>

#include "common/run.h"

/* The formula counts these for one entry, whatever the width of positions here. */
#define REGION_BYTES 28u
#define RANGE_BYTES 8u
#define WIDE_REGION_BYTES 56u
#define WIDE_RANGE_BYTES 16u

_Static_assert(sizeof(struct kerf_codec) <= KERF_CODEC_STATE, "the formula counts too little for the state");
#if KERF_POS_BITS == 32
_Static_assert(sizeof(struct kerf_region) == REGION_BYTES, "used in place");
_Static_assert(sizeof(struct kerf_range) == RANGE_BYTES, "used in place");
#else
_Static_assert(sizeof(struct kerf_region) <= WIDE_REGION_BYTES, "the formula counts too little for a region");
_Static_assert(sizeof(struct kerf_range) <= WIDE_RANGE_BYTES, "the formula counts too little for a range");
#endif

#define NUMBERS(runs, cap) ((runs) * (2 * (cap) + 3))
#define SYMBOLS(groups) (KERF_SYM_HOW + 4 * (groups))
/* A class: tables one behind the other. */
#define CLASS(runs, cap, groups, r0, r1, r2, e0, e1, e2, e3)                                                           \
    .num_cap = (cap), .kinds = (groups), .ref = {(r0), (r1), (r2)}, .equal = {(e0), (e1), (e2), (e3)},                 \
    .symbols_at = NUMBERS(runs, cap), .ref_at = NUMBERS(runs, cap) + SYMBOLS(groups),                                  \
    .equal_at = NUMBERS(runs, cap) + SYMBOLS(groups) + (r0) + (r1) + (r2),                                             \
    .bytes_at = NUMBERS(runs, cap) + SYMBOLS(groups) + (r0) + (r1) + (r2) + (e0) + (e1) + (e2) + (e3)

static const struct kerf_flag_sizes flag_sizes[3] = {
    {{0, 1, 2, 2, 2, 1, 1, 3, 3, 4, 5, 5, 4}, CLASS(6, 8, 4, 12, 16, 24, 32, 16, 16, 16)},
    {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, CLASS(13, 18, 12, 144, 96, 144, 128, 128, 256, 64)},
    {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, CLASS(13, 22, 12, 576, 192, 576, 256, 256, 512, 256)},
};

#define WEIGHTS                                                                                                        \
    (KERF_REF_TABLES + 1 + KERF_EQUAL_SETS * (KERF_EQUAL_TABLES + 1) + KERF_BYTE_SETS * (KERF_BYTE_TABLES + 1))

/* Counters in front of those of bytes. `full`: nothing is copied from old, and what that takes is left out. */
static size_t bytes_at(const struct kerf_flag_sizes *sizes, bool full)
{
    return full ? sizes->ref_at : sizes->bytes_at;
}

static size_t byte_counters(unsigned table_code)
{
    return (size_t)KERF_BYTE_TABLES * kerf_table_size(table_code);
}

static size_t pair_bytes(unsigned flags)
{
    return (flags & KERF_FLAG_WIDE) != 0 ? 16 : 8;
}

static size_t region_bytes(unsigned flags)
{
    return (flags & KERF_FLAG_WIDE) != 0 ? WIDE_REGION_BYTES : REGION_BYTES;
}

static size_t range_bytes(unsigned flags)
{
    return (flags & KERF_FLAG_WIDE) != 0 ? WIDE_RANGE_BYTES : RANGE_BYTES;
}

size_t kerf_codec_workspace(const struct kerf_header *header)
{
    const struct kerf_model_params *m = &header->model;

    if (header->codec != KERF_CODEC_NATIVE) {
        return 0;
    }
    size_t pairs = (size_t)m->map_cap + m->learned_cap;
    size_t sum = KERF_CODEC_STATE + header->region_count * region_bytes(header->flags) +
                 header->range_count * range_bytes(header->flags) + pairs * pair_bytes(header->flags) +
                 2 * (bytes_at(&flag_sizes[m->flag_class], header->old_size == 0) + byte_counters(m->table_code) +
                      WEIGHTS) +
                 m->map_cap;

    return (sum + 7) & ~(size_t)7;
}

#if KERF_POS_BITS == 64
/* Containers that are not wide keep the tables in 32 bits, as a device does; here they are widened for the call. */
static void load_regions(struct kerf_run *run, const uint8_t *p)
{
    const struct kerf_codec *c = run->c;

    if ((c->flags & KERF_FLAG_WIDE) != 0) {
        memcpy(run->regions, p, c->region_count * sizeof *run->regions);
        memcpy(run->ranges, p + c->region_count * WIDE_REGION_BYTES, c->range_count * sizeof *run->ranges);
        return;
    }
    for (unsigned i = 0; i < c->region_count; i++, p += REGION_BYTES) {
        struct kerf_region *r = &run->regions[i];
        uint32_t v[REGION_BYTES / 4];

        memcpy(v, p, sizeof v);
        *r = (struct kerf_region){v[0], v[1], v[2], v[3], v[4], v[5], (uint8_t)v[6], (uint16_t)(v[6] >> 16)};
    }
    for (unsigned i = 0; i < c->range_count; i++, p += RANGE_BYTES) {
        uint32_t v[RANGE_BYTES / 4];

        memcpy(v, p, sizeof v);
        run->ranges[i] = (struct kerf_range){v[0], v[1]};
    }
}

void kerf_run_keep_regions(struct kerf_run *run)
{
    const struct kerf_codec *c = run->c;
    uint8_t *p = (uint8_t *)run->c + KERF_CODEC_STATE;

    if ((c->flags & KERF_FLAG_WIDE) != 0) {
        memcpy(p, run->regions, c->region_count * sizeof *run->regions);
        memcpy(p + c->region_count * WIDE_REGION_BYTES, run->ranges, c->range_count * sizeof *run->ranges);
        return;
    }
    for (unsigned i = 0; i < c->region_count; i++, p += REGION_BYTES) {
        const struct kerf_region *r = &run->regions[i];
        uint32_t v[REGION_BYTES / 4] = {(uint32_t)r->old_pos,
                                        (uint32_t)r->old_len,
                                        (uint32_t)r->new_pos,
                                        (uint32_t)r->new_len,
                                        (uint32_t)r->old_addr,
                                        (uint32_t)r->new_addr,
                                        r->isa | (uint32_t)r->kinds << 16};

        memcpy(p, v, sizeof v);
    }
    for (unsigned i = 0; i < c->range_count; i++, p += RANGE_BYTES) {
        uint32_t v[RANGE_BYTES / 4] = {(uint32_t)run->ranges[i].start, (uint32_t)run->ranges[i].len};

        memcpy(p, v, sizeof v);
    }
}
#endif

void kerf_run_open(struct kerf_run *run, struct kerf_codec *c)
{
    uint8_t *p = (uint8_t *)c + KERF_CODEC_STATE;
    const struct kerf_flag_sizes *sizes = &flag_sizes[c->flag_class];
    size_t pair = pair_bytes(c->flags);

    run->c = c;
    run->sizes = sizes;
#if KERF_POS_BITS == 64
    load_regions(run, p);
#else
    run->regions = (struct kerf_region *)(void *)p;
    run->ranges = (struct kerf_range *)(void *)(p + c->region_count * REGION_BYTES);
#endif
    p += c->region_count * region_bytes(c->flags) + c->range_count * range_bytes(c->flags);
    run->map = p;
    p += c->map_cap * pair;
    run->learned = p;
    p += pair * c->learned_cap;

    /* Everything so far is a multiple of four bytes. */
    uint16_t *t = (uint16_t *)(void *)p;

    run->numbers = t;
    run->symbols = t + sizes->symbols_at;
    run->bytes = t + bytes_at(sizes, c->old_size == 0);
    run->weights = (int16_t *)(void *)(run->bytes + byte_counters(c->table_code));
    run->map_history = (uint8_t *)(run->weights + WEIGHTS);
}

void kerf_run_reset(struct kerf_run *run)
{
    int16_t *w = run->weights;
    uint16_t *counters_end = (uint16_t *)(void *)w;

    for (uint16_t *counter = run->numbers; counter < counters_end; counter++) {
        *counter = KERF_COUNTER_INIT;
    }
    memset(run->map_history, 0, run->c->map_cap);
    for (unsigned i = 0; i < WEIGHTS; i++) {
        if (i < KERF_WEIGHTS_EQUAL) {
            w[i] = i < KERF_REF_TABLES ? KERF_WEIGHT_ONE * 13 / 30 : 0;
        } else if (i < KERF_WEIGHTS_BYTES) {
            w[i] = (i - KERF_WEIGHTS_EQUAL) % (KERF_EQUAL_TABLES + 1) < KERF_EQUAL_TABLES ? KERF_WEIGHT_ONE * 7 / 20
                                                                                          : 0;
        } else {
            w[i] = KERF_WEIGHT_ONE * 3 / 10;
        }
    }
}

kerf_addr kerf_run_old_addr(const struct kerf_run *run, kerf_pos old_pos)
{
    for (unsigned i = 0; i < run->c->region_count; i++) {
        const struct kerf_region *r = &run->regions[i];

        if (old_pos - r->old_pos < r->old_len) {
            return kerf_run_addr(run, r->old_addr + (old_pos - r->old_pos));
        }
    }
    return old_pos;
}

kerf_addr kerf_run_new_addr(const struct kerf_run *run, kerf_pos new_pos)
{
    for (unsigned i = 0; i < run->c->region_count; i++) {
        const struct kerf_region *r = &run->regions[i];

        if (new_pos - r->new_pos < r->new_len) {
            return kerf_run_addr(run, r->new_addr + (new_pos - r->new_pos));
        }
    }
    return new_pos;
}
