/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image is loaded: each pair of a data word and a function start votes for the address that would make the word
 * point to the function. Wrong addresses get a few votes each, the right one as many as there are function pointers.
 *
 * Only multiples of GRANULE are counted: then a word and a start need to be compared only if their low bytes agree.
 */
#include "diffgen/detect.h"

#include <stdlib.h>

#include "common/bytes.h"

#define GRANULE 256u
/* Samples; at the limit 1 million pairs are compared, twice. */
#define MAX_WORDS 65536u
#define MAX_STARTS 4096u
/* Distinct words are told apart in a table of twice their number, without chains: what collides is left out. */
#define SEEN_BITS 17
#define COUNT_BITS 20
/* The fullest counters, whose votes are then counted one by one. */
#define TOP 8u
#define MAX_BALLOTS 65536u

/* An address needs this many votes, and half as many again as the next. */
#define MIN_VOTES 8u

struct tables {
    uint64_t seen[(size_t)1 << SEEN_BITS];
    uint64_t words[MAX_WORDS];   /* grouped by low byte */
    uint64_t starts[MAX_STARTS]; /* likewise */
    uint64_t scratch[MAX_WORDS];
    uint64_t ballots[MAX_BALLOTS];
    uint32_t counts[(size_t)1 << COUNT_BITS];
    uint32_t word_first[GRANULE + 1], start_first[GRANULE + 1];
};

struct candidate {
    uint64_t base;
    size_t votes;
};

/* How words and starts are found. */
struct source {
    const uint8_t *p;
    size_t len;
    unsigned isa;
    bool wide, big_endian;
};

static uint32_t hash(uint64_t v, unsigned bits)
{
    return (uint32_t)(v * 0x9e3779b97f4a7c15u >> (64 - bits));
}

/* The word at position i, if it might be a function's address. */
static bool word_at(const struct source *s, size_t i, uint64_t *word)
{
    uint64_t v;

    if (s->wide) {
        v = kerf_load_le64(s->p + i);
    } else {
        v = s->big_endian ? kerf_load_be32(s->p + i) : kerf_load_le32(s->p + i);
    }
    if (s->isa == KERF_ISA_THUMB) { /* bit 0 of a pointer to Thumb code is set */
        v ^= 1;
    }
    *word = v;
    return v != 0 && v % kerf_detect_alignment(s->isa) == 0;
}

/* Takes one word of `rate`, chosen by value: all copies of a word or none, wherever they are. */
static size_t collect_words(const struct source *s, struct tables *t)
{
    size_t step = s->wide ? 8 : 4;
    size_t from;
    size_t to;
    uint64_t word;
    uint64_t total = 0;
    size_t count = 0;

    for (unsigned w = 0; kerf_detect_window(s->len, w, &from, &to); w++) {
        for (size_t i = from; i + step <= to; i += step) {
            total += word_at(s, i, &word);
        }
    }
    uint32_t rate = (uint32_t)((total + MAX_WORDS - 1) / MAX_WORDS);

    for (unsigned w = 0; kerf_detect_window(s->len, w, &from, &to); w++) {
        for (size_t i = from; i + step <= to; i += step) {
            if (!word_at(s, i, &word) || (rate > 1 && hash(word ^ word >> 32, 32) % rate != 0)) {
                continue;
            }
            uint64_t *seen = &t->seen[hash(word, SEEN_BITS)];

            if (*seen == 0 && count < MAX_WORDS) {
                *seen = word;
                t->words[count++] = word;
            }
        }
    }
    return count;
}

static size_t collect_starts(const struct source *s, struct tables *t)
{
    /* x86's short patterns mean something only where compilers align functions. */
    unsigned step = kerf_detect_alignment(s->isa) == 1 ? 16 : kerf_detect_alignment(s->isa);
    size_t total = 0;
    size_t count = 0;
    size_t from;
    size_t to;

    for (unsigned w = 0; kerf_detect_window(s->len, w, &from, &to); w++) {
        for (size_t i = from; i + 8 <= to; i += step) {
            total += kerf_detect_prologue(s->isa, s->p + i);
        }
    }
    size_t rate = (total + MAX_STARTS - 1) / MAX_STARTS;
    size_t n = 0;

    for (unsigned w = 0; kerf_detect_window(s->len, w, &from, &to); w++) {
        for (size_t i = from; i + 8 <= to; i += step) {
            if (kerf_detect_prologue(s->isa, s->p + i) && n++ % rate == 0 && count < MAX_STARTS) {
                t->starts[count++] = i;
            }
        }
    }
    return count;
}

/* Sorts v[0 .. n) by low byte; first[b] .. first[b + 1] are those of byte b. */
static void group(uint64_t *v, size_t n, uint64_t *scratch, uint32_t first[GRANULE + 1])
{
    uint32_t next[GRANULE];

    for (unsigned b = 0; b <= GRANULE; b++) {
        first[b] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        first[v[i] % GRANULE + 1]++;
        scratch[i] = v[i];
    }
    for (unsigned b = 0; b < GRANULE; b++) {
        first[b + 1] += first[b];
        next[b] = first[b];
    }
    for (size_t i = 0; i < n; i++) {
        v[next[scratch[i] % GRANULE]++] = scratch[i];
    }
}

/* Counts all pairs (`top` NULL), or gathers the ballots of those that fall into one of the top counters. */
static size_t count_pairs(struct tables *t, const uint32_t *top, unsigned top_count)
{
    size_t ballots = 0;

    for (unsigned b = 0; b < GRANULE; b++) {
        for (uint32_t i = t->start_first[b]; i < t->start_first[b + 1]; i++) {
            for (uint32_t j = t->word_first[b]; j < t->word_first[b + 1]; j++) {
                if (t->words[j] < t->starts[i]) {
                    continue;
                }
                uint64_t base = t->words[j] - t->starts[i];
                uint32_t h = hash(base, COUNT_BITS);

                if (top == NULL) {
                    t->counts[h]++;
                }
                for (unsigned k = 0; k < top_count; k++) {
                    if (top[k] == h && ballots < MAX_BALLOTS) {
                        t->ballots[ballots++] = base;
                    }
                }
            }
        }
    }
    return ballots;
}

static unsigned find_top(const struct tables *t, uint32_t top[TOP])
{
    unsigned count = 0;

    for (uint32_t h = 0; h < (uint32_t)1 << COUNT_BITS; h++) {
        if (t->counts[h] < 2 || (count == TOP && t->counts[h] <= t->counts[top[TOP - 1]])) {
            continue;
        }
        unsigned at = count < TOP ? count++ : TOP - 1;

        for (; at > 0 && t->counts[top[at - 1]] < t->counts[h]; at--) {
            top[at] = top[at - 1];
        }
        top[at] = h;
    }
    return count;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The two addresses with the most votes; the lower one first where they have as many. */
static void elect(struct tables *t, size_t ballots, struct candidate best[2])
{
    qsort(t->ballots, ballots, sizeof t->ballots[0], compare);
    for (size_t i = 0, n; i < ballots; i += n) {
        struct candidate c = {t->ballots[i], 0};

        for (n = 1; i + n < ballots && t->ballots[i + n] == c.base; n++) {
        }
        c.votes = n;
        if (c.votes > best[0].votes) {
            best[1] = best[0];
            best[0] = c;
        } else if (c.votes > best[1].votes) {
            best[1] = c;
        }
    }
}

/* A Cortex-M vector table: a stack pointer, and a reset vector inside the image. */
static bool has_vectors(const struct source *s, uint64_t base)
{
    uint32_t stack = kerf_load_le32(s->p);
    uint32_t reset = kerf_load_le32(s->p + 4);

    return stack % 4 == 0 && (reset & 1) != 0 && reset >= base && reset - base < s->len;
}

kerf_err kerf_detect_base(unsigned isa, bool wide, bool big_endian, const uint8_t *p, size_t len, bool *found,
                          uint64_t *base)
{
    struct source s = {p, len, isa, wide, big_endian};
    struct candidate best[2] = {{0, 0}, {0, 0}};
    uint32_t top[TOP];

    *found = false;
    if (len < 64 || isa == KERF_ISA_NONE || isa == KERF_ISA_AVR) {
        return KERF_OK;
    }
    struct tables *t = calloc(1, sizeof *t);

    if (t == NULL) {
        return KERF_ERR_RAM;
    }
    size_t words = collect_words(&s, t);
    size_t starts = collect_starts(&s, t);

    group(t->words, words, t->scratch, t->word_first);
    group(t->starts, starts, t->scratch, t->start_first);
    (void)count_pairs(t, NULL, 0);

    unsigned top_count = find_top(t, top);

    elect(t, count_pairs(t, top, top_count), best);
    free(t);
    if (best[0].votes >= MIN_VOTES &&
        (2 * best[0].votes >= 3 * best[1].votes || (isa == KERF_ISA_THUMB && has_vectors(&s, best[0].base)))) {
        *found = true;
        *base = best[0].base;
    } else if (best[1].votes >= MIN_VOTES && isa == KERF_ISA_THUMB && has_vectors(&s, best[1].base)) {
        *found = true;
        *base = best[1].base;
    }
    return KERF_OK;
}
