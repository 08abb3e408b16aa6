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
#if KERF_CALL_IN_STATE
_Static_assert(sizeof(struct kerf_region) == REGION_BYTES, "used in place");
_Static_assert(sizeof(struct kerf_range) == RANGE_BYTES, "used in place");
#else
_Static_assert(sizeof(struct kerf_region) <= WIDE_REGION_BYTES, "the formula counts too little for a region");
_Static_assert(sizeof(struct kerf_range) <= WIDE_RANGE_BYTES, "the formula counts too little for a range");
#endif

/* Where positions have 32 bits, no header of a wide container is taken. */
static bool is_wide(const struct kerf_header *h)
{
    return KERF_POS_BITS == 64 && (h->flags & KERF_FLAG_WIDE) != 0;
}

/* Nodes of a number's tree: its length has 5 bits, in wide containers 6. */
static unsigned number_nodes(const struct kerf_header *h)
{
    return is_wide(h) ? KERF_NUMBER_NODES : 32;
}

/*
 * Bits of new_pos by which the lowest bits of numbers have their counters: four phases, and one where memory is short, 3
 * or 0. What else is less there follows from that.
 */
static unsigned number_mask(const struct kerf_header *h)
{
    return kerf_flag_class(h) == 0 ? 0 : 3;
}

/* Numbers that have counters of their own: KERF_NUM_COUNT, or 4, so that those share them that are the same modulo 4. */
static unsigned numbers(unsigned mask)
{
    return 4 + 2 * mask;
}

_Static_assert(KERF_NUM_COUNT == 4 + 2 * 3, "numbers()");

/* Counters of a number: its tree, and three for each phase. */
static unsigned number_size(const struct kerf_header *h, unsigned mask)
{
    return number_nodes(h) + 2 + 3 * mask;
}

/* Counters of a table of flags: a power of two. */
static unsigned flag_size(const struct kerf_header *h)
{
    return 16u << 2 * kerf_flag_class(h);
}

#define WEIGHTS (KERF_WEIGHTS_COUNT * (KERF_MIX_MAX + 1))

#if !KERF_CALL_IN_STATE
/* Containers that are not wide keep the tables in 32 bits, as a device does; here they are widened for the call. */
void kerf_run_load_regions(struct kerf_run *run)
{
    const uint8_t *p = (uint8_t *)KERF_STATE(run) + KERF_CODEC_STATE;

    if ((run->h->flags & KERF_FLAG_WIDE) != 0) {
        memcpy(run->regions, p, run->h->region_count * sizeof *run->regions);
        memcpy(run->ranges, p + run->h->region_count * WIDE_REGION_BYTES, run->h->range_count * sizeof *run->ranges);
        return;
    }
    for (unsigned i = 0; i < run->h->region_count; i++, p += REGION_BYTES) {
        struct kerf_region *r = &run->regions[i];
        uint32_t v[REGION_BYTES / 4];

        memcpy(v, p, sizeof v);
        for (unsigned k = 0; k < 6; k++) {
            r->numbers[k] = v[k];
        }
        r->isa = (uint8_t)v[6];
        r->kinds = (uint16_t)(v[6] >> 16);
    }
    for (unsigned i = 0; i < run->h->range_count; i++, p += RANGE_BYTES) {
        uint32_t v[RANGE_BYTES / 4];

        memcpy(v, p, sizeof v);
        run->ranges[i] = (struct kerf_range){v[0], v[1]};
    }
}

void kerf_run_keep_regions(struct kerf_run *run)
{
    uint8_t *p = (uint8_t *)KERF_STATE(run) + KERF_CODEC_STATE;

    if ((run->h->flags & KERF_FLAG_WIDE) != 0) {
        memcpy(p, run->regions, run->h->region_count * sizeof *run->regions);
        memcpy(p + run->h->region_count * WIDE_REGION_BYTES, run->ranges, run->h->range_count * sizeof *run->ranges);
        return;
    }
    for (unsigned i = 0; i < run->h->region_count; i++, p += REGION_BYTES) {
        const struct kerf_region *r = &run->regions[i];
        uint32_t v[REGION_BYTES / 4];

        for (unsigned k = 0; k < 6; k++) {
            v[k] = (uint32_t)r->numbers[k];
        }
        v[6] = r->isa | (uint32_t)r->kinds << 16;
        memcpy(p, v, sizeof v);
    }
    for (unsigned i = 0; i < run->h->range_count; i++, p += RANGE_BYTES) {
        uint32_t v[RANGE_BYTES / 4] = {(uint32_t)run->ranges[i].start, (uint32_t)run->ranges[i].len};

        memcpy(p, v, sizeof v);
    }
}
#endif

uint16_t *kerf_run_tables(struct kerf_tables *t, uintptr_t c, const struct kerf_header *h)
{
    size_t pair = is_wide(h) ? 16 : 8;
    unsigned mask = number_mask(h);
    uintptr_t p = c + KERF_CODEC_STATE;

#if KERF_CALL_IN_STATE
    t->regions = (struct kerf_region *)p;
#endif
    p += is_wide(h) ? h->region_count * WIDE_REGION_BYTES + h->range_count * WIDE_RANGE_BYTES
                    : h->region_count * REGION_BYTES + h->range_count * RANGE_BYTES;
    t->map = (uint8_t *)p;
    p += pair * h->model.map_cap;
    t->learned = (uint8_t *)p;
    p += pair * h->model.learned_cap;
    if (KERF_IN_PLACE) {
        t->moves = (struct kerf_move_entry *)p;
        p += (size_t)KERF_MOVE_BYTES * h->moves_cap;
    }
    /* Everything so far is a multiple of four bytes, what follows has two each. */
    t->weights = (int16_t *)p;
    t->counters = (uint16_t *)p + WEIGHTS;
    t->flags = t->counters + KERF_SYM_COUNT + (size_t)numbers(mask) * number_size(h, mask);
    t->bytes = t->flags + (h->old_size == 0 ? 0 : KERF_FLAG_TABLES * flag_size(h));
    return t->bytes + KERF_BYTE_TABLES * (size_t)kerf_table_size(h->model.table_code);
}

size_t kerf_codec_workspace(const struct kerf_header *header)
{
    struct kerf_tables tables;

    if (header->codec != KERF_CODEC_NATIVE) {
        return 0;
    }
    return ((uintptr_t)kerf_run_tables(&tables, 0, header) + 7) & ~(uintptr_t)7;
}

size_t kerf_header_workspace(const struct kerf_header *header)
{
    return kerf_codec_workspace(header) + KERF_WORKSPACE_STATE + KERF_STEP_MAX + header->chunk_size;
}

void kerf_run_reset(struct kerf_run *run, const uint16_t *end)
{
    for (uint16_t *t = (uint16_t *)(void *)run->t.weights; t < end; t++) {
        *t = t < run->t.counters ? KERF_WEIGHT_ONE * 7 / 20 : KERF_COUNTER_INIT;
    }
}

#if KERF_ENCODER
kerf_pos kerf_run_number(struct kerf_run *run, enum kerf_number which, kerf_pos v)
#else
kerf_pos kerf_run_number_decode(struct kerf_run *run, enum kerf_number which)
#endif
{
#if !KERF_ENCODER
    kerf_pos v = 0;
#endif
    unsigned mask = number_mask(run->h);
    unsigned nodes = number_nodes(run->h);
    unsigned place = kerf_run_place(run);
    unsigned phase = (which & 2u) != 0 ? 0 : kerf_length_phases(run->h);
    unsigned n = which & (mask << 2 | 3);
    uint16_t *tree = run->t.counters + KERF_SYM_COUNT - 1 + n * number_size(run->h, mask); /* from 1 on */

    if ((phase & mask) == 2) {
        place = KERF_NUMBER_BY_SIZE; /* and the phase is the same for all */
    } else {
        phase &= place;
        place &= mask;
    }

#if KERF_ENCODER
    run->k.rc.mark -= run->k.rc.cost;
#endif
    v = kerf_model_number(&run->k, tree, nodes, phase, place, v);
#if KERF_ENCODER
    run->k.rc.mark += run->k.rc.cost; /* what numbers cost since it was cleared */
#endif
    return v;
}

#if KERF_ENCODER
unsigned kerf_run_flag(struct kerf_run *run, const unsigned *contexts, unsigned n, unsigned bit)
#else
KERF_AS_WRITTEN unsigned kerf_run_flag_decode(struct kerf_run *run, const unsigned *contexts, unsigned n)
#endif
{
#if !KERF_ENCODER
    unsigned bit = 0;
#endif
    bool wrong = n == KERF_REF_TABLES;
    unsigned size = flag_size(run->h);
    uint16_t *table = run->t.flags + (wrong ? 0 : KERF_REF_TABLES * size);
    int16_t *weights = run->t.weights + (wrong ? KERF_WEIGHTS_REF : KERF_WEIGHTS_EQUAL) * (KERF_MIX_MAX + 1);
    uint16_t *counters[KERF_EQUAL_TABLES];

    for (unsigned i = 0; i < n; i++, table += size) {
        counters[i] = table + (contexts[i] & (size - 1));
    }
    /* The slowest rates (model.c): 1/64, 1/43. */
    return kerf_model_mix(&run->k, counters, n, weights, wrong ? 15 : 14, bit);
}

const struct kerf_region *kerf_run_region(const struct kerf_run *run, enum kerf_place place, kerf_pos at)
{
    const struct kerf_region *r = kerf_run_regions(run);

    for (unsigned left = run->h->region_count; left > 0; left--, r++) {
        kerf_pos start = place == KERF_NEW_POS ? r->new_pos : r->old_pos;

        if (place == KERF_OLD_ADDR) {
            start += kerf_region_old_bias(r);
        }

        if (kerf_run_addr(run, at - start) < (place == KERF_NEW_POS ? r->new_len : r->old_len)) {
            return r;
        }
    }
    return NULL;
}

kerf_addr kerf_run_new_addr(const struct kerf_run *run, kerf_pos new_pos)
{
    const struct kerf_region *r = kerf_run_region(run, KERF_NEW_POS, new_pos);

    return r == NULL ? new_pos : kerf_run_addr(run, new_pos + kerf_region_new_bias(r));
}
