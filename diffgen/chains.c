/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches where one plan is all there is: each place in old is chained to the last one before it whose first bytes have
 * the same hash, which takes far less time than to sort all places. Of matches that are as long as each other the one
 * nearest to where old goes on counts, which a suffix array can't tell.
 */
#include <string.h>

#include "common/bytes.h"
#include "diffgen/work.h"

#define BLOCK_LEN 6u /* bytes that are hashed */
#define HASH_BITS_LEAST 10u
#define HASH_BITS_MOST 24u
#define DEPTH 1024u     /* places of a chain that are looked at, at most, */
#define DEPTH_LATE 16u  /* and when too many were */
#define EFFORT_BYTE 64u /* for each byte of new: images of few patterns would take for ever */
#define ENOUGH_LEN 512u /* a match that is so long is as good as any */

struct kerf_chains {
    void *heads;     /* by hash: 1 + the last place; 0: none */
    void *before;    /* by place: the one before it, likewise */
    bool narrow;     /* they are uint16_t, not uint32_t: memory that nobody has touched yet costs time */
    unsigned shift;  /* of the hash */
    uint64_t effort; /* places that may still be looked at */
};

/* The match that is looked for. */
struct search {
    const struct kerf_side *old_side;
    const uint8_t *p; /* bytes of new, */
    size_t p_len;
    size_t hint;              /* and where old goes on */
    size_t len, at, distance; /* the best so far; from the hint */
};

/* The same on every machine: deltas depend on it. */
static inline size_t hash(const struct kerf_chains *c, uint64_t first)
{
    return (size_t)((first << (64 - 8 * BLOCK_LEN)) * 0x9e3779b97f4a7c15u >> c->shift);
}

static unsigned hash_bits(size_t old_len)
{
    unsigned bits = HASH_BITS_LEAST;

    while (bits < HASH_BITS_MOST && (size_t)1 << bits < old_len / 2) {
        bits++;
    }
    return bits;
}

uint64_t kerf_chains_memory(size_t old_len)
{
    return ((uint64_t)old_len + 1 + ((uint64_t)1 << hash_bits(old_len))) * sizeof(uint32_t);
}

static inline uint32_t entry(const struct kerf_chains *c, const void *table, size_t i)
{
    return c->narrow ? ((const uint16_t *)table)[i] : ((const uint32_t *)table)[i];
}

static inline void set_entry(const struct kerf_chains *c, void *table, size_t i, size_t place)
{
    if (c->narrow) {
        ((uint16_t *)table)[i] = (uint16_t)place;
    } else {
        ((uint32_t *)table)[i] = (uint32_t)place;
    }
}

kerf_err kerf_chains_open(const struct kerf_side *old_side, size_t new_len, struct kerf_chains **chains)
{
    const uint8_t *bytes = old_side->masked_of_all;
    size_t len = old_side->len;
    unsigned bits = hash_bits(len);
    struct kerf_chains *c = calloc(1, sizeof *c);
    uint64_t last = 0;

    *chains = c;
    if (c == NULL) {
        return KERF_ERR_RAM;
    }
    c->shift = 64 - bits;
    c->effort = (uint64_t)new_len * EFFORT_BYTE;
    c->narrow = len < UINT16_MAX;
    size_t entry_len = c->narrow ? sizeof(uint16_t) : sizeof(uint32_t);

    c->heads = calloc((size_t)1 << bits, entry_len);
    c->before = malloc((len + 1) * entry_len);
    if (c->heads == NULL || c->before == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t at = 0; at + BLOCK_LEN <= len; at++) {
        uint64_t first = kerf_load_le64(bytes + at); /* padding is behind the image */

        if (at > 0 && first == last) {
            continue; /* in a run of equal bytes, of which the first place is enough */
        }
        last = first;
        size_t h = hash(c, first);

        set_entry(c, c->before, at, entry(c, c->heads, h));
        set_entry(c, c->heads, h, at + 1);
    }
    return KERF_OK;
}

static inline void consider(struct search *s, size_t at)
{
    const uint8_t *o = s->old_side->masked_of_all + at;
    size_t most = s->old_side->len - at < s->p_len ? s->old_side->len - at : s->p_len;
    size_t distance = at > s->hint ? at - s->hint : s->hint - at;

    /* It must be as long as the best, whose last bytes differ the most, and longer where that is nearer. */
    if (most < s->len || kerf_load_le32(o + s->len - 4) != kerf_load_le32(s->p + s->len - 4) ||
        (distance >= s->distance && (most == s->len || o[s->len] != s->p[s->len]))) {
        return;
    }
    size_t len = kerf_match_common(o, s->p, 0, most);

    if (len > s->len || (len == s->len && distance < s->distance)) {
        s->len = len;
        s->at = at;
        s->distance = distance;
    }
}

size_t kerf_chains_longest(struct kerf_chains *c, const struct kerf_side *old_side, const struct kerf_side *new_side,
                           size_t new_pos, size_t hint, size_t *old_pos)
{
    struct search s = {.old_side = old_side,
                       .p = new_side->masked_of_all + new_pos,
                       .p_len = new_side->len - new_pos,
                       .hint = hint,
                       .len = BLOCK_LEN - 1};

    *old_pos = 0;
    if (s.p_len < BLOCK_LEN) {
        return 0;
    }
    if (hint < old_side->len) {
        consider(&s, hint);
    }
    uint32_t next = entry(c, c->heads, hash(c, kerf_load_le64(s.p)));
    unsigned left = c->effort > 0 ? DEPTH : DEPTH_LATE;
    unsigned depth = left;

    for (; left > 0 && next != 0 && s.len < ENOUGH_LEN; left--) {
        consider(&s, next - 1);
        next = entry(c, c->before, next - 1);
    }
    c->effort -= c->effort < depth - left ? c->effort : depth - left;
    *old_pos = s.len < BLOCK_LEN ? 0 : s.at;
    return s.len < BLOCK_LEN ? 0 : s.len;
}

void kerf_chains_close(struct kerf_chains *c)
{
    if (c != NULL) {
        free(c->heads);
        free(c->before);
        free(c);
    }
}
