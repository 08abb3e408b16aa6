/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches without a suffix array, in any amount of memory: the places in old at multiples of a step, by a hash of the
 * bytes that stand there. A match is found where one of its bytes up to the step's length begins such a place; plans
 * then reach back.
 */
#include <string.h>

#include "diffgen/work.h"

#define WAYS 4u        /* places kept for a hash, */
#define BLOCK_LEN 8u   /* of so many bytes */
#define STEP_MAX 4096u /* places further apart are no use */

struct kerf_coarse {
    uint32_t *places; /* WAYS in a row for each hash: 1 + position / step; 0: none */
    size_t hash_max;
    size_t step;
};

/* The same on every machine: deltas depend on it. */
static size_t hash(const struct kerf_coarse *c, const uint8_t *p)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < BLOCK_LEN; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return (size_t)((v * 0x9e3779b97f4a7c15u) >> 24) & c->hash_max;
}

/* Bytes of memory for a step: places for each step of old, rounded up to a power of two. */
static uint64_t memory_for(uint64_t old_len, uint64_t step)
{
    uint64_t hashes = 1024;

    while (hashes * WAYS < old_len / step) {
        hashes *= 2;
    }
    return hashes * WAYS * sizeof(uint32_t);
}

kerf_err kerf_coarse_open(const struct kerf_side *old_side, uint64_t memory, struct kerf_coarse **coarse)
{
    const uint8_t *bytes = old_side->masked_of_all;
    uint64_t step = 1;

    while (step < STEP_MAX && (memory_for(old_side->len, step) > memory || old_side->len / step >= UINT32_MAX)) {
        step *= 2;
    }
    uint64_t len = memory_for(old_side->len, step);
    struct kerf_coarse *c = len > memory ? NULL : calloc(1, sizeof *c);

    *coarse = c;
    if (c == NULL) {
        return KERF_ERR_RAM;
    }
    c->places = calloc(1, (size_t)len);
    if (c->places == NULL) {
        return KERF_ERR_RAM;
    }
    c->step = (size_t)step;
    c->hash_max = (size_t)(len / sizeof(uint32_t) / WAYS) - 1;
    for (size_t at = 0, i = 0; at + BLOCK_LEN <= old_side->len; at += c->step, i++) {
        uint32_t *ways = &c->places[hash(c, bytes + at) * WAYS];
        size_t way = 0;

        while (way < WAYS && ways[way] != 0) {
            way++;
        }
        ways[way < WAYS ? way : i % WAYS] = (uint32_t)(i + 1);
    }
    return KERF_OK;
}

size_t kerf_coarse_longest(const struct kerf_coarse *c, const struct kerf_side *old_side,
                           const struct kerf_side *new_side, size_t new_pos, size_t *old_pos)
{
    const uint8_t *p = new_side->masked_of_all + new_pos;
    size_t p_len = new_side->len - new_pos;
    size_t best = 0;

    *old_pos = 0;
    if (p_len < BLOCK_LEN) {
        return 0;
    }
    const uint32_t *ways = &c->places[hash(c, p) * WAYS];

    for (unsigned way = 0; way < WAYS && ways[way] != 0; way++) {
        size_t at = (size_t)(ways[way] - 1) * c->step;
        size_t n = old_side->len - at < p_len ? old_side->len - at : p_len;
        const uint8_t *o = old_side->masked_of_all + at;
        size_t len;

        if (best < n && best > 0 && o[best] != p[best]) {
            continue;
        }
        len = kerf_match_common(o, p, 0, n);
        if (len > best) {
            best = len;
            *old_pos = at;
        }
    }
    return best < BLOCK_LEN ? 0 : best;
}

void kerf_coarse_close(struct kerf_coarse *c)
{
    if (c != NULL) {
        free(c->places);
        free(c);
    }
}
