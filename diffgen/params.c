/* SPDX-License-Identifier: Apache-2.0 */
/* Splits a RAM budget among chunk buffer, models, address map and learned targets. */
#include "diffgen/work.h"

/* One split; the rest of the budget goes to the map. */
struct split {
    uint64_t ram; /* from this many bytes on */
    uint8_t table_bits, flag_class;
    uint16_t learned;
    uint32_t chunk_size;
};

/* Measured on the real pairs of the design study (docs/DESIGN.md, "RAM"). */
static const struct split splits[] = {
    {12u << 20, 20, 2, 2048, 65536},
    {6u << 20, 19, 2, 2048, 65536},
    {3u << 20, 18, 2, 1024, 32768},
    {1536u << 10, 17, 2, 1024, 32768},
    {800u << 10, 16, 2, 1024, 16384},
    {448u << 10, 15, 2, 512, 16384},
    {256u << 10, 14, 2, 512, 16384},
    {128u << 10, 13, 2, 512, 8192},
    {60u << 10, 12, 2, 256, 4096},
    {28u << 10, 10, 2, 128, 3072},
    {15u << 10, 9, 2, 64, 2048},
    {7800, 8, 1, 32, 768},
    {4000, 6, 0, 32, 640},
    {3000, 5, 0, 24, 512},
    {0, 4, 0, 8, 256},
};

kerf_err kerf_params_choose(uint64_t ram, uint64_t payload_len, struct kerf_header *header)
{
    const struct split *s = splits;

    while (ram < s->ram) {
        s++;
    }
    header->model.table_bits = s->table_bits;
    header->model.flag_class = s->flag_class;
    header->model.learned_cap = s->learned;
    header->model.map_cap = 0;
    header->chunk_size = s->chunk_size;
    (void)payload_len;

    size_t base = kerf_header_workspace(header);

    /* Regions and ranges take their share of the smallest budgets. */
    while (base > ram && header->model.learned_cap > 0) {
        header->model.learned_cap--;
        base = kerf_header_workspace(header);
    }
    if (base > ram) {
        return KERF_ERR_RAM;
    }
    /* An entry is 9 bytes, or 17 with wide positions, and the sum is rounded up to 8. */
    uint64_t entries = (ram - base) / ((header->flags & KERF_FLAG_WIDE) != 0 ? 17 : 9);

    header->model.map_cap = (uint16_t)(entries > KERF_MAX_MAP ? KERF_MAX_MAP : entries);
    while (header->model.map_cap > 0 && kerf_header_workspace(header) > ram) {
        header->model.map_cap--;
    }
    return KERF_OK;
}
