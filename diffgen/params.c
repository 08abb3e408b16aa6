/* SPDX-License-Identifier: Apache-2.0 */
/* Splits a RAM budget among chunk buffer, models, address map and learned targets. */
#include "diffgen/work.h"

/* One split; what is left of the budget goes to the map. */
struct split {
    uint8_t table_bits, flag_class;
    uint16_t learned;
    uint32_t chunk_size;
};

/*
 * From small to large. Which one is best for a budget differs: a small update wants its map, a rewritten image its models,
 * a long delta large chunks. Those that fit are tried from the largest down (docs/DESIGN.md, "RAM").
 */
static const struct split splits[] = {
    {4, 0, 4, 256},      {4, 0, 6, 320},      {5, 0, 8, 320},      {5, 0, 16, 512},     {6, 0, 32, 640},
    {6, 0, 32, 1024},    {7, 1, 32, 512},     {7, 1, 64, 1024},    {8, 1, 32, 768},     {8, 1, 64, 1024},
    {8, 2, 96, 1536},    {9, 2, 64, 2048},    {9, 2, 192, 2048},   {10, 2, 128, 3072},  {10, 2, 256, 4096},
    {11, 2, 384, 4096},  {12, 2, 256, 4096},  {13, 2, 512, 8192},  {14, 2, 512, 16384}, {15, 2, 512, 16384},
    {16, 2, 1024, 16384}, {17, 2, 1024, 32768}, {18, 2, 1024, 32768}, {19, 2, 2048, 61440},
    {20, 2, 2048, 61440},
};

#define SPLITS (sizeof splits / sizeof splits[0])

uint16_t kerf_params_map_cap(uint64_t ram, const struct kerf_header *header)
{
    struct kerf_header h = *header;

    h.model.map_cap = 0;

    size_t base = kerf_header_workspace(&h);
    /* An entry is 9 bytes, or 17 with wide positions, and the sum is rounded up to 8. */
    uint64_t entries = base > ram ? 0 : (ram - base) / ((h.flags & KERF_FLAG_WIDE) != 0 ? 17 : 9);

    h.model.map_cap = (uint16_t)(entries > KERF_MAX_MAP ? KERF_MAX_MAP : entries);
    while (h.model.map_cap > 0 && kerf_header_workspace(&h) > ram) {
        h.model.map_cap--;
    }
    return h.model.map_cap;
}

/* Fills in the split; false: it does not fit. */
static bool apply(const struct split *s, uint64_t ram, struct kerf_header *header)
{
    header->model.table_bits = s->table_bits;
    header->model.flag_class = s->flag_class;
    header->model.learned_cap = s->learned;
    header->chunk_size = s->chunk_size;
    header->model.map_cap = 0;
    if (kerf_header_workspace(header) > ram) {
        return false;
    }
    header->model.map_cap = kerf_params_map_cap(ram, header);
    return true;
}

kerf_err kerf_params_choose(uint64_t ram, unsigned attempt, struct kerf_header *header)
{
    for (size_t i = SPLITS; i > 0; i--) {
        if (apply(&splits[i - 1], ram, header) && attempt-- == 0) {
            return KERF_OK;
        }
    }
    return KERF_ERR_RAM;
}
