/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits a RAM budget among chunk buffer, models, address map and learned targets. Which split is best differs: a small
 * update wants its map, a rewritten image its models, a long delta large chunks; so a few are tried (docs/DESIGN.md,
 * "RAM").
 */
#include "diffgen/work.h"

/* Shares of the budget: it is divided by these. */
struct split {
    uint16_t chunk;   /* bytes of chunk */
    uint16_t learned; /* entries of learned targets of either kind */
    uint16_t map;     /* entries of the map, at least; the byte tables take what is left */
    int8_t finer;     /* added to the flag class that the budget suggests */
};

static const struct split splits[] = {
    {8, 256, 80, 0},  {11, 128, 160, 0}, {8, 384, 40, 0},  {14, 128, 40, 0},
    {6, 256, 256, 0}, {8, 256, 80, 1},   {8, 256, 80, -1}, {12, 256, 60, 0},
};

#define TABLE_CODE_MAX 48u /* 65536 counters: more are not told apart */
#define LEARNED_MAX 512u   /* each reference looks through them all */

static unsigned share(uint64_t ram, unsigned part, unsigned most)
{
    uint64_t n = ram / part;

    return (unsigned)(n < most ? n : most);
}

uint16_t kerf_params_map_cap(uint64_t ram, const struct kerf_header *header)
{
    struct kerf_header h = *header;

    h.model.map_cap = 0;

    size_t base = kerf_header_workspace(&h);
    /* An entry is 8 bytes, or 16 with wide positions, and the sum is rounded up to 8. */
    uint64_t entries = base > ram ? 0 : (ram - base) / ((h.flags & KERF_FLAG_WIDE) != 0 ? 16 : 8);

    h.model.map_cap = (uint16_t)(entries > KERF_MAX_MAP ? KERF_MAX_MAP : entries);
    while (h.model.map_cap > 0 && kerf_header_workspace(&h) > ram) {
        h.model.map_cap--;
    }
    return h.model.map_cap;
}

/* Fills in the split; false: it does not fit. */
static bool apply(const struct split *s, uint64_t ram, struct kerf_header *header)
{
    struct kerf_model_params *m = &header->model;
    unsigned lines = m->table_code & KERF_TABLE_LINES;
    int flag_class = (ram < 4600 ? 0 : ram < 14000 ? 1 : 2) + s->finer;

    if (flag_class < 0 || flag_class > 2) {
        return false;
    }
    m->classes = (uint8_t)((m->classes & ~3u) | (unsigned)flag_class);
    m->learned_cap = 0;
    m->map_cap = 0;
    if (header->region_count > 0) {
        m->learned_cap = (uint16_t)(2 * share(ram, s->learned, LEARNED_MAX));
        m->map_cap = (uint16_t)share(ram, s->map, KERF_MAX_MAP);
    }
    header->chunk_size = kerf_chunk_size_floor(share(ram, s->chunk, KERF_CHUNK_MAX));
    m->table_code = (uint8_t)(lines | TABLE_CODE_MAX);
    while (m->table_code > lines && kerf_header_workspace(header) > ram) {
        m->table_code--;
    }
    /* Too tight for the smallest byte tables: half the learned targets, then what map there is room for. */
    if (kerf_header_workspace(header) > ram) {
        m->learned_cap /= 2;
    }
    m->map_cap = kerf_params_map_cap(ram, header);
    return kerf_header_workspace(header) <= ram;
}

kerf_err kerf_params_choose(uint64_t ram, unsigned attempt, struct kerf_header *header)
{
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        if (apply(&splits[i], ram, header) && attempt-- == 0) {
            return KERF_OK;
        }
    }
    return KERF_ERR_RAM;
}

/* Chunks that a payload takes, about: chunk 0 has the header, too, of some 49 bytes and what regions and ranges take. */
static size_t chunks_of(const struct kerf_header *h, size_t payload_len, uint32_t chunk_size)
{
    size_t len = payload_len + 49 + 18u * h->region_count + 9u * h->range_count;

    return len <= chunk_size ? 1 : len / (chunk_size - KERF_DIGEST_LEN) + 1;
}

void kerf_params_fill(uint64_t ram, size_t payload_len, struct kerf_header *header)
{
    size_t used = kerf_header_workspace(header);
    uint64_t most = used < ram ? header->chunk_size + (ram - used) : 0;
    struct kerf_header longer = *header;

    longer.chunk_size = kerf_chunk_size_floor((uint32_t)(most < KERF_CHUNK_MAX ? most : KERF_CHUNK_MAX));
    if (longer.chunk_size <= header->chunk_size || kerf_header_workspace(&longer) > ram) {
        return;
    }
    /* Checkpoints hold all of the workspace: no longer than it takes. */
    size_t fewest = chunks_of(header, payload_len, longer.chunk_size);

    while (chunks_of(header, payload_len, header->chunk_size) > fewest) {
        header->chunk_size += KERF_CHUNK_UNIT;
    }
}

/* What bytes cost, in 1/64 bits for each, in the context of `phases` bits of their position. */
static uint64_t price_bytes(const uint64_t counts[4][256], unsigned phases, uint64_t len)
{
    uint64_t cost = 0;

    for (unsigned phase = 0; phase <= phases; phase++) {
        uint64_t sums[256] = {0};
        uint64_t all = 0;

        for (unsigned i = 0; i < 4; i++) {
            for (unsigned b = 0; b < 256 && (i & phases) == phase; b++) {
                sums[b] += counts[i][b];
                all += counts[i][b];
            }
        }
        for (unsigned b = 0; b < 256; b++) {
            if (sums[b] > 0 && sums[b] < all) {
                cost += sums[b] * (kerf_rc_cost((uint32_t)(sums[b] * 65535 / all) + 1) / 1024);
            }
        }
    }
    return cost / (len + 1);
}

unsigned kerf_params_phases(const uint8_t *image, size_t len)
{
    uint64_t counts[4][256] = {{0}};

    for (size_t i = 0; i < len; i++) {
        counts[i & 3][image[i]]++;
    }
    uint64_t none = price_bytes(counts, 0, len);
    uint64_t two = price_bytes(counts, 1, len);
    uint64_t four = price_bytes(counts, 3, len);

    /* Code of 4-byte instructions gains 0.2 to 0.5 bits by the third phase, that of 2-byte ones 0.01 to 0.05, and 0.1 to 0.5 by the second. */
    return four + 5 < two ? 3 : two + 2 < none ? 1 : 0;
}

uint64_t kerf_params_served(const struct kerf_side *new_side, const struct kerf_segments *segments)
{
    uint64_t counts[4][256] = {{0}};
    uint64_t len = 0;

    for (size_t i = 0; i < segments->count; i++) {
        const struct kerf_segment *s = &segments->list[i];

        for (size_t k = 0; k < s->len && !s->from_new; k++) {
            counts[0][new_side->bytes[s->new_pos + k]]++;
        }
        len += s->from_new ? 0 : s->len;
    }
    return len * price_bytes(counts, 0, len) / 512; /* 1/64 bits */
}
