/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where bytes of new stood before in new: for each position the nearest earlier place of every length. A binary search
 * tree of positions for each hash of four bytes (the match finder "bt4" of I. Pavlov's LZMA SDK), the newest at the
 * root; for lengths two and three the newest place alone.
 */
#include <string.h>

#include "diffgen/lz.h"
#include "diffgen/work.h"

#define DEPTH 48 /* nodes of a tree looked at */
#define HASH2_BITS 16
#define HASH3_BITS 16
#define HASH4_BITS 17

struct kerf_lz {
    const uint8_t *bytes;
    size_t len;
    int32_t *head2, *head3, *head4; /* newest position by its first bytes, -1: none */
    int32_t *sons;                  /* of each position, modulo window: what comes before and behind it in the tree */
    size_t window;
};

static uint32_t load(const uint8_t *b, unsigned n)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < n; i++) {
        v |= (uint32_t)b[i] << (8 * i);
    }
    return v;
}

static uint32_t hash(uint32_t v, unsigned bits)
{
    return (v * 2654435761u) >> (32 - bits);
}

void kerf_lz_close(struct kerf_lz *lz)
{
    if (lz != NULL) {
        free(lz->head2);
        free(lz->sons);
        free(lz);
    }
}

struct kerf_lz *kerf_lz_open(const uint8_t *bytes, size_t len, size_t window)
{
    struct kerf_lz *lz = calloc(1, sizeof *lz);
    size_t heads = ((size_t)1 << HASH2_BITS) + ((size_t)1 << HASH3_BITS) + ((size_t)1 << HASH4_BITS);

    if (lz == NULL) {
        return NULL;
    }
    lz->bytes = bytes;
    lz->len = len;
    lz->window = window < len ? window : len;
    lz->head2 = malloc(heads * sizeof *lz->head2);
    lz->sons = malloc((lz->window + 1) * 2 * sizeof *lz->sons);
    if (lz->head2 == NULL || lz->sons == NULL) {
        kerf_lz_close(lz);
        return NULL;
    }
    memset(lz->head2, 0xff, heads * sizeof *lz->head2);
    lz->head3 = lz->head2 + ((size_t)1 << HASH2_BITS);
    lz->head4 = lz->head3 + ((size_t)1 << HASH3_BITS);
    return lz;
}

/* Is it a place, and not forgotten? */
static bool is_known(const struct kerf_lz *lz, size_t pos, int32_t at)
{
    return at >= 0 && (lz->window == lz->len || pos - (size_t)at < lz->window);
}

static int32_t *sons_of(const struct kerf_lz *lz, size_t pos)
{
    return &lz->sons[2 * (lz->window == lz->len ? pos : pos % lz->window)];
}

/* Puts pos at the root of its tree; notes what is longer than *best on the way. */
static unsigned visit(struct kerf_lz *lz, size_t pos, size_t max, struct kerf_lz_match *found, unsigned count)
{
    const uint8_t *bytes = lz->bytes;
    uint32_t h = hash(load(bytes + pos, 4), HASH4_BITS);
    int32_t *before = sons_of(lz, pos);
    int32_t *behind = before + 1;
    int32_t at = lz->head4[h];
    size_t before_len = 0;
    size_t behind_len = 0;
    size_t best = count > 0 ? found[count - 1].len : 3;

    lz->head4[h] = (int32_t)pos;
    for (unsigned depth = 0; is_known(lz, pos, at) && depth < DEPTH; depth++) {
        int32_t *sons = sons_of(lz, (size_t)at);
        size_t len = before_len < behind_len ? before_len : behind_len;

        size_t rest = lz->len - (size_t)at; /* in place a place may be behind pos */

        len = kerf_match_common(bytes + at, bytes + pos, len, rest < max ? rest : max);
        if (len > best) {
            best = len;
            if (count == KERF_LZ_FOUND) {
                count--;
            }
            found[count++] = (struct kerf_lz_match){(uint32_t)len, (uint32_t)at};
        }
        if (len == max) {
            /* As good as the same string: its sons take its place. */
            *before = sons[0];
            *behind = sons[1];
            return count;
        }
        if (bytes[(size_t)at + len] < bytes[pos + len]) {
            *before = at;
            before = &sons[1];
            at = *before;
            before_len = len;
        } else {
            *behind = at;
            behind = &sons[0];
            at = *behind;
            behind_len = len;
        }
    }
    *before = -1;
    *behind = -1;
    return count;
}

unsigned kerf_lz_find(struct kerf_lz *lz, size_t pos, struct kerf_lz_match found[KERF_LZ_FOUND])
{
    const uint8_t *b = lz->bytes + pos;
    size_t left = lz->len - pos;
    unsigned count = 0;

    if (left < 4) {
        return 0;
    }
    uint32_t h2 = load(b, 2);
    uint32_t h3 = hash(load(b, 3), HASH3_BITS);
    int32_t at2 = lz->head2[h2];
    int32_t at3 = lz->head3[h3];

    lz->head2[h2] = (int32_t)pos;
    lz->head3[h3] = (int32_t)pos;
    if (at2 >= 0) {
        found[count++] = (struct kerf_lz_match){2, (uint32_t)at2};
    }
    if (at3 >= 0 && memcmp(lz->bytes + at3, b, 3) == 0) {
        count = at3 == at2 ? 0 : count;
        found[count++] = (struct kerf_lz_match){3, (uint32_t)at3};
    }
    return visit(lz, pos, left < KERF_LZ_LEN_MAX ? left : KERF_LZ_LEN_MAX, found, count);
}

/* Matches in the order of the positions that have them. */
struct kerf_lz_memory {
    uint32_t *page;    /* of each page of positions: where its matches begin, */
    uint16_t *first;   /* and of each position, and behind the last one: how far behind that its own do */
    uint32_t *matches; /* place * 128 + length - 1 */
    size_t cap;
};

#define PAGE 4096u /* positions */

/* Where the matches of a position begin. */
static uint32_t first_of(const struct kerf_lz_memory *m, size_t pos)
{
    return m->page[pos / PAGE] + m->first[pos];
}

void kerf_lz_forget(struct kerf_lz_memory *memory)
{
    if (memory != NULL) {
        free(memory->page);
        free(memory->first);
        free(memory->matches);
        free(memory);
    }
}

/* Room for the matches of one more position; *fits: there may be as much. */
static bool grow(struct kerf_lz_memory *m, size_t count, uint64_t most, bool *fits)
{
    if (count + KERF_LZ_FOUND <= m->cap) {
        return true;
    }
    size_t cap = m->cap + m->cap / 2 + 4096;

    if (cap > most / sizeof *m->matches) {
        cap = (size_t)(most / sizeof *m->matches);
    }
    *fits = count + KERF_LZ_FOUND <= cap;
    if (!*fits) {
        return true;
    }
    uint32_t *grown = realloc(m->matches, cap * sizeof *grown);

    if (grown != NULL) {
        m->matches = grown;
        m->cap = cap;
    }
    return grown != NULL;
}

static bool remember_all(struct kerf_lz_memory *m, struct kerf_lz *lz, const uint8_t *quiet, uint64_t most, bool *fits)
{
    struct kerf_lz_match found[KERF_LZ_FOUND];
    uint32_t count = 0;

    for (size_t n = 0; n < lz->len && *fits; n++) {
        unsigned here = kerf_lz_find(lz, n, found);

        if (!grow(m, count, most, fits)) {
            return false;
        }
        if (n % PAGE == 0) {
            m->page[n / PAGE] = count;
        }
        m->first[n] = (uint16_t)(count - m->page[n / PAGE]);
        for (unsigned i = 0; quiet[n] == 0 && i < here && *fits; i++) {
            m->matches[count++] = found[i].pos << 7 | (found[i].len - 1);
        }
    }
    if (lz->len % PAGE == 0) {
        m->page[lz->len / PAGE] = count;
    }
    m->first[lz->len] = (uint16_t)(count - m->page[lz->len / PAGE]);
    return true;
}

bool kerf_lz_remember(const uint8_t *bytes, size_t len, const uint8_t *quiet, uint64_t most,
                      struct kerf_lz_memory **memory)
{
    size_t pages = len / PAGE + 1;
    uint64_t index = pages * sizeof(uint32_t) + (len + 1) * sizeof(uint16_t);

    *memory = NULL;
    if (len > KERF_LZ_MEMORY_LEN || index > most) {
        return true;
    }
    struct kerf_lz_memory *m = calloc(1, sizeof *m);
    struct kerf_lz *lz = kerf_lz_open(bytes, len, len);
    bool fits = true;

    if (m != NULL) {
        m->page = malloc(pages * sizeof *m->page);
        m->first = malloc((len + 1) * sizeof *m->first);
    }
    bool done = m != NULL && lz != NULL && m->page != NULL && m->first != NULL &&
                remember_all(m, lz, quiet, most - index, &fits);

    kerf_lz_close(lz);
    if (done && fits) {
        *memory = m;
    } else {
        kerf_lz_forget(m);
    }
    return done;
}

unsigned kerf_lz_recall(const struct kerf_lz_memory *memory, size_t pos, struct kerf_lz_match found[KERF_LZ_FOUND])
{
    uint32_t first = first_of(memory, pos);
    unsigned count = first_of(memory, pos + 1) - first;

    for (unsigned i = 0; i < count; i++) {
        uint32_t match = memory->matches[first + i];

        found[i] = (struct kerf_lz_match){(match & 127) + 1, match >> 7};
    }
    return count;
}
