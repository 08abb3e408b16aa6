/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image is loaded: each pair of a data word and a place that pointers point to (the start of a function or of
 * a string) votes for the address that would bring them together. Wrong addresses get a few votes each, the right one
 * as many as there are pointers.
 *
 * Multiples of a granule are counted only: then a word and a place need to be compared only if they agree modulo it.
 */
#include "diffgen/detect.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "diffgen/detect_source.h"
#include "diffgen/detect_vectors.h"

/* Distinct words are told apart in a table of twice their number, without chains: what collides is left out. */
#define MAX_WORDS 65536u
#define MAX_SEEN_BITS 17u
#define MAX_STARTS 8192u
#define MAX_GRANULE 256u
#define MAX_COUNT_BITS 19u /* what is counted fits into the caches of a core */
/* Of addresses below 4 GiB. */
#define PAGE_BITS 16u
#define PAGES 65536u
/* The fullest counters, whose votes are then counted one by one. */
#define TOP 8u
#define MAX_BALLOTS 65536u
/* Votes that are enough for an address that the vector table agrees with. */
#define MIN_WITH_VECTORS 3u
/* Zeros that a round address ends with, votes that it must have, and how many times as many as by chance. */
#define ROUND_LEAST 12u
#define ROUND_MOST 28u
#define MIN_ROUND 24u
#define CHANCES 4u
#define MIN_AT_ZERO 6u
#define CHANCES_AT_ZERO 8u
/* How far a vector table is looked for behind the beginning of an image. */
#define MAX_HEADER 0x10000u
/* What an update of a Zigbee device begins with, and what is in front of each element of it: its tag and length. */
#define ZIGBEE_MAGIC 0x0beef11eu
#define ZIGBEE_ELEMENT 6u
/* One start of so many, where they are called, convinces, too: parts of an image may be loaded at addresses of their own. */
#define STARTS_PER_VOTE 8u

/* What is sampled and what convinces. */
struct rules {
    unsigned granule;     /* a power of two, at most MAX_GRANULE */
    size_t words, starts; /* at most; words x starts / granule pairs are compared, twice */
    size_t min_votes;
    unsigned lead; /* the winner has lead / 2 times the votes of the next */
};

static const struct rules coarse = {256, MAX_WORDS, MAX_STARTS, 8, 3};
/* Where it is to be quick, and the image is large: a few of many. */
static const struct rules sparse = {256, MAX_WORDS / 4, MAX_STARTS / 4, 16, 4};
#define SPARSE_LEAST (256u << 10) /* bytes */
/* For images behind a header of any length. More addresses get chance votes, so more is asked of the winner. */
static const struct rules fine = {4, MAX_WORDS / 4, MAX_STARTS / 8, 24, 4};
/* For words of unknown processors. */
static const struct rules blind = {256, MAX_WORDS, MAX_STARTS, 16, 4};

struct tables {
    unsigned count_bits; /* log2 of the counters in use */
    unsigned index_bits; /* log2 of the entries of `seen` that say which starts there are; 0: it does not say that */
    size_t word_count, start_count;
    union {
        uint64_t wide[(size_t)1 << MAX_SEEN_BITS];
        uint32_t narrow[(size_t)1 << MAX_SEEN_BITS];
    } seen;
    uint64_t words[MAX_WORDS];   /* grouped modulo the granule */
    uint64_t starts[MAX_STARTS]; /* likewise: what a pointer to them would be, were the image loaded at 0 */
    uint64_t scratch[MAX_WORDS];
    uint64_t ballots[MAX_BALLOTS];
    uint16_t counts[(size_t)1 << MAX_COUNT_BITS];
    uint64_t top[((size_t)1 << MAX_COUNT_BITS) / 64]; /* a bit for each of the fullest */
    uint32_t word_first[MAX_GRANULE + 1], start_first[MAX_GRANULE + 1];
    uint64_t likely[PAGES / 64]; /* a bit for each page that an image may begin in */
};

struct candidate {
    uint64_t base;
    size_t votes;
};

static uint32_t hash(uint64_t v, unsigned bits)
{
    return (uint32_t)(v * 0x9e3779b97f4a7c15u >> (64 - bits));
}

/* Where it is to be quick starts are looked for in one part of four. */
#define QUICK_LEAST 65536u /* bytes of an image */
#define QUICK_PART 4096u
#define QUICK_MASK (3u * QUICK_PART)

/* Log2 of a table for this many entries. */
static unsigned table_bits(uint64_t entries, unsigned max)
{
    unsigned bits = 8;

    while (bits < max && (uint64_t)1 << bits < entries) {
        bits++;
    }
    return bits;
}

/* Notes a word, at its place; false: that is another's, or it is there already. */
static inline bool note_word(struct tables *t, bool wide, size_t place, uint64_t word)
{
    if (wide) {
        bool unused = t->seen.wide[place] == 0;

        t->seen.wide[place] = unused ? word : t->seen.wide[place];
        return unused;
    }
    bool unused = t->seen.narrow[place] == 0; /* half of the memory, which nobody may have touched yet */

    t->seen.narrow[place] = unused ? (uint32_t)word : t->seen.narrow[place];
    return unused;
}

/* Takes one word of `rate`, chosen by value: all copies of a word or none, wherever they are. */
static void collect_words(const struct kerf_source *s, struct tables *t, size_t max)
{
    size_t width = s->wide ? 8 : 4;
    size_t step = s->calls && s->isa == KERF_ISA_MIPS16 ? 2 : width;
    size_t from;
    size_t to;
    uint64_t word;
    uint64_t total = s->quick ? s->len / width : 0; /* that is the most */
    size_t count = 0;

    for (unsigned w = 0; !s->quick && kerf_detect_window(s->len, w, &from, &to); w++) {
        for (size_t i = from; i + width <= to; i += step) {
            total += kerf_source_word(s, i, &word);
        }
    }
    uint32_t rate = (uint32_t)((total + max - 1) / max);

    unsigned bits = table_bits(2 * (total < max ? total : max), MAX_SEEN_BITS);

    memset(&t->seen, 0, (s->wide ? sizeof t->seen.wide[0] : sizeof t->seen.narrow[0]) << bits);
    for (unsigned w = 0; kerf_detect_window(s->len, w, &from, &to); w++) {
        for (size_t i = from; i + width <= to; i += step) {
            if (!kerf_source_word(s, i, &word) || (rate > 1 && hash(word ^ word >> 32, 32) % rate != 0)) {
                continue;
            }
            if (count < max && note_word(t, s->wide, hash(word, bits), word)) {
                t->words[count++] = word;
            }
        }
    }
    t->word_count = count;
}

/* Notes every `rate`-th start of a function (or string) at `at`, `cap` of them at most. Returns how many there are. */
static size_t find_starts(const struct kerf_source *s, bool strings, size_t rate, uint64_t *at, size_t cap)
{
    size_t step = strings ? 1 : kerf_detect_alignment(s->isa); /* windows start at multiples of it */
    size_t total = 0;
    size_t count = 0;
    size_t from;
    size_t to;

    for (unsigned w = 0; kerf_detect_window(s->len, w, &from, &to); w++) {
        for (size_t i = from; i + 8 <= to; i += step) {
            if (s->quick && (i & QUICK_MASK) != 0) {
                i = (i | (QUICK_MASK | (QUICK_PART - 1))) + 1 - step;
                continue;
            }
            if (strings) { /* the first of a string is the next one behind a zero */
                const uint8_t *zero = i == 0 ? s->p : memchr(s->p + i - 1, 0, to - i);

                if (zero == NULL) {
                    break;
                }
                i = (size_t)(zero - s->p) + 1;
                if (i + 8 > to) {
                    break;
                }
            }
            if ((strings ? kerf_source_string(s, i) : kerf_source_function(s, i)) && total++ % rate == 0 &&
                count < cap) {
                at[count++] = i;
            }
        }
    }
    return total;
}

/* Half of the starts are functions, half are strings, each thinned evenly. */
static void collect_starts(const struct kerf_source *s, struct tables *t, size_t max)
{
    uint64_t add[2] = {kerf_source_is_odd(s), 0};
    size_t count = 0;

    /* The data of a 64-bit program are often elsewhere than its code, which then is not where its strings say. */
    for (unsigned k = 0; k < (s->calls || s->wide ? 1 : 2); k++) {
        size_t total = find_starts(s, k == 1, 1, t->scratch, MAX_WORDS);
        size_t rate = total == 0 ? 1 : (total + max / 2 - 1) / (max / 2);

        if (total > MAX_WORDS) {
            (void)find_starts(s, k == 1, rate, t->scratch, MAX_WORDS);
            total = (total + rate - 1) / rate;
            rate = 1;
        }
        for (size_t n = 0; n < total; n += rate) {
            t->starts[count++] = t->scratch[n] + add[k];
        }
    }
    t->start_count = count;
}

/* Sorts v[0 .. n) by value modulo the granule; first[b] .. first[b + 1] are those of remainder b. */
static void group(uint64_t *v, size_t n, unsigned granule, uint64_t *scratch, uint32_t first[MAX_GRANULE + 1])
{
    uint32_t next[MAX_GRANULE];

    memset(first, 0, (granule + 1) * sizeof first[0]);
    for (size_t i = 0; i < n; i++) {
        first[v[i] % granule + 1]++;
        scratch[i] = v[i];
    }
    for (unsigned b = 0; b < granule; b++) {
        first[b + 1] += first[b];
        next[b] = first[b];
    }
    for (size_t i = 0; i < n; i++) {
        v[next[scratch[i] % granule]++] = scratch[i];
    }
}

static void count(uint16_t *counter)
{
    *counter = (uint16_t)(*counter + (*counter < UINT16_MAX));
}

/*
 * Marks the pages in which an image may begin: behind there, as far as it reaches, there are words to vote for it, and
 * more than words of any value would be. Most addresses that a pair gives are none of these, and to count them takes
 * most of the time.
 */
static void mark_likely(const struct kerf_source *s, struct tables *t)
{
    size_t reach = (s->len >> PAGE_BITS) + 2;
    size_t least = (size_t)((uint64_t)t->word_count * s->len * CHANCES >> 32);
    size_t words = 0; /* in pages p .. p + reach - 1 */

    memset(t->likely, s->wide ? 0xff : 0, sizeof t->likely);
    if (s->wide) {
        return;
    }
    if (s->vectors) { /* the reset vector is in the image */
        uint32_t reset = kerf_load_le32(s->p + 4);

        for (size_t p = reset > s->len ? (reset - s->len) >> PAGE_BITS : 0; p <= reset >> PAGE_BITS; p++) {
            t->likely[p / 64] |= (uint64_t)1 << (p % 64);
        }
        return;
    }
    memset(t->counts, 0, PAGES * sizeof t->counts[0]);
    for (size_t i = 0; i < t->word_count; i++) {
        count(&t->counts[t->words[i] >> PAGE_BITS]);
    }
    least = least < MIN_WITH_VECTORS ? MIN_WITH_VECTORS : least;
    for (size_t p = PAGES; p-- > 0;) {
        words += t->counts[p];
        words -= p + reach < PAGES ? t->counts[p + reach] : 0u;
        if (words >= least) {
            t->likely[p / 64] |= (uint64_t)1 << (p % 64);
        }
    }
}

/* Forgets the words that no image that begins in a likely page reaches. */
static void drop_unlikely(const struct kerf_source *s, struct tables *t)
{
    size_t reach = (s->len >> PAGE_BITS) + 2;
    size_t last = SIZE_MAX; /* likely page */
    size_t kept = 0;

    if (s->wide) {
        return;
    }
    for (size_t p = 0; p < PAGES; p++) {
        last = (t->likely[p / 64] >> (p % 64) & 1) != 0 ? p : last;
        t->counts[p] = last != SIZE_MAX && p - last < reach;
    }
    for (size_t i = 0; i < t->word_count; i++) {
        if (t->counts[t->words[i] >> PAGE_BITS] != 0) {
            t->words[kept++] = t->words[i];
        }
    }
    t->word_count = kept;
}

/* Is an address, of a word less a start, one to count? */
static bool is_likely(const struct tables *t, uint64_t base)
{
    size_t page = (size_t)(base >> PAGE_BITS) % PAGES;

    return (t->likely[page / 64] >> (page % 64) & 1) != 0;
}

/* Counts all pairs. */
static void count_pairs(struct tables *t, unsigned granule)
{
    for (unsigned b = 0; b < granule; b++) {
        for (uint32_t i = t->start_first[b]; i < t->start_first[b + 1]; i++) {
            for (uint32_t j = t->word_first[b]; j < t->word_first[b + 1]; j++) {
                if (t->words[j] >= t->starts[i] && is_likely(t, t->words[j] - t->starts[i])) {
                    count(&t->counts[hash(t->words[j] - t->starts[i], t->count_bits)]);
                }
            }
        }
    }
}

/* Gathers the ballots of the pairs that fall into one of the top counters. */
static size_t gather_ballots(struct tables *t, unsigned granule, const uint32_t *top, unsigned top_count)
{
    size_t ballots = 0;

    memset(t->top, 0, sizeof t->top);
    for (unsigned k = 0; k < top_count; k++) {
        t->top[top[k] / 64] |= (uint64_t)1 << (top[k] % 64);
    }
    for (unsigned b = 0; b < granule; b++) {
        for (uint32_t i = t->start_first[b]; i < t->start_first[b + 1]; i++) {
            for (uint32_t j = t->word_first[b]; j < t->word_first[b + 1]; j++) {
                uint64_t base = t->words[j] - t->starts[i];
                uint32_t at = hash(base, t->count_bits);

                if ((t->top[at / 64] >> (at % 64) & 1) != 0 && t->words[j] >= t->starts[i] && is_likely(t, base) &&
                    ballots < MAX_BALLOTS) {
                    t->ballots[ballots++] = base;
                }
            }
        }
    }
    return ballots;
}

static unsigned find_top(const struct tables *t, uint32_t top[TOP])
{
    unsigned count = 0;

    for (uint32_t h = 0; h < (uint32_t)1 << t->count_bits; h++) {
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

static void collect(const struct kerf_source *s, struct tables *t, const struct rules *rules)
{
    t->word_count = 0;
    t->start_count = 0;
    t->index_bits = 0;
    collect_starts(s, t, rules->starts);
    if (t->start_count > 0) {
        collect_words(s, t, rules->words);
    }
}

/* The two addresses with the most votes of what was collected; the lower one first where they have as many. */
static void elect(const struct kerf_source *s, struct tables *t, const struct rules *rules, struct candidate best[2])
{
    size_t starts = t->start_count;
    uint32_t top[TOP] = {0};

    best[0] = best[1] = (struct candidate){0, 0};
    if (starts == 0) {
        return;
    }
    mark_likely(s, t);
    drop_unlikely(s, t);

    size_t words = t->word_count;

    group(t->starts, starts, rules->granule, t->scratch, t->start_first);
    group(t->words, words, rules->granule, t->scratch, t->word_first);
    t->count_bits = table_bits(4 * (uint64_t)words * starts / rules->granule, MAX_COUNT_BITS);
    memset(t->counts, 0, sizeof t->counts[0] << t->count_bits);
    count_pairs(t, rules->granule);

    unsigned top_count = find_top(t, top);
    size_t ballots = gather_ballots(t, rules->granule, top, top_count);

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
static bool has_vectors(const struct kerf_source *s, const struct candidate *c)
{
    uint32_t stack = kerf_load_le32(s->p);
    uint32_t reset = kerf_load_le32(s->p + 4);

    return s->isa == KERF_ISA_THUMB && c->votes >= MIN_WITH_VECTORS && stack % 4 == 0 && (reset & 1) != 0 &&
           reset >= c->base && reset - c->base < s->len;
}

static bool convinces(const struct rules *rules, const struct candidate best[2])
{
    return best[0].votes >= rules->min_votes && 2 * best[0].votes >= rules->lead * best[1].votes;
}

static bool elect_by_jumps(const struct kerf_source *s, struct tables *t, const struct rules *rules, uint64_t *base)
{
    struct candidate best[2];

    collect(s, t, rules);
    elect(s, t, rules, best);
    *base = best[0].base;
    return convinces(rules, best) ||
           (best[0].votes >= rules->min_votes && best[0].votes * STARTS_PER_VOTE >= t->start_count);
}

/*
 * MIPS jumps hold 28 bits of their target: votes for those of the load address. The other four are those of most LUI
 * whose upper half of an address is near the image, or of words that point to functions; 0 where there are none.
 */
static bool find_by_jumps(struct kerf_source s, struct tables *t, uint64_t *base)
{
    size_t segments[16] = {0};
    uint64_t best;
    unsigned most = 0;
    size_t from;
    size_t to;

    s.calls = true;
    if (!elect_by_jumps(&s, t, &coarse, &best) && !elect_by_jumps(&s, t, &fine, &best)) {
        return false;
    }
    *base = best % REGION_LEN;
    for (unsigned w = 0; kerf_detect_window(s.len, w, &from, &to); w++) {
        for (size_t i = from; i + 4 <= to; i += 4) {
            uint32_t insn = s.big_endian ? kerf_load_be32(s.p + i) : kerf_load_le32(s.p + i);
            uint64_t upper = (insn & 0xfff) << 16;

            if (s.isa == KERF_ISA_MIPS16) { /* MIPS16e has no LUI: words that point to functions */
                uint64_t at = (insn - *base) % REGION_LEN;

                segments[insn >> 28] += at % 4 == 1 && at + 8 <= s.len && kerf_source_function(&s, (size_t)at - 1);
                continue;
            }
            segments[insn >> 12 & 15] += (insn & 0xffe00000) == 0x3c000000 &&
                                         (upper + 0xffff - *base) % REGION_LEN < s.len + 0xffff;
        }
    }
    for (unsigned i = 1; i < 16; i++) {
        most = segments[i] > segments[most] ? i : most;
    }
    /* Some of the image may lie below the first address of the code. */
    most -= most > 0 && *base + s.len > REGION_LEN;
    *base += (uint64_t)most * REGION_LEN;
    return true;
}

/* The entry for a start: 1 more than it where it is there, else 0. */
static uint64_t *find_start(struct tables *t, uint64_t start)
{
    size_t at = hash(start, t->index_bits);

    while (t->seen.wide[at] != 0 && t->seen.wide[at] != start + 1) {
        at = (at + 1) & (((size_t)1 << t->index_bits) - 1);
    }
    return &t->seen.wide[at];
}

/* Makes of the words' table, which is free by then, one of the starts. */
static void index_starts(struct tables *t)
{
    t->index_bits = table_bits(2 * (uint64_t)t->start_count, MAX_SEEN_BITS);
    memset(t->seen.wide, 0, sizeof t->seen.wide[0] << t->index_bits);
    for (size_t i = 0; i < t->start_count; i++) {
        *find_start(t, t->starts[i]) = t->starts[i] + 1;
    }
}

/* The votes for one address. `words`: how many would have one if all that it points into were starts. */
static size_t count_votes(struct tables *t, uint64_t base, size_t len, size_t *words)
{
    size_t votes = 0;

    if (t->index_bits == 0) {
        index_starts(t);
    }
    *words = 0;
    for (size_t i = 0; i < t->word_count; i++) {
        uint64_t start = t->words[i] - base;

        if (start > len) {
            continue;
        }
        votes += *find_start(t, start) != 0;
        ++*words;
    }
    return votes;
}

/* Are there `times` the votes that so many words get by chance? */
static bool beats_chance(const struct kerf_source *s, const struct tables *t, size_t votes, size_t words,
                         unsigned times)
{
    return (uint64_t)votes * s->len >= (uint64_t)words * t->start_count * times;
}

/* Is the other image's address this one's too? */
static bool is_others(const struct kerf_source *s, struct tables *t, const struct rules *rules,
                      const struct kerf_base *other, struct kerf_base *base)
{
    if (other == NULL || !other->by_words) {
        return false;
    }
    size_t words;
    size_t votes = count_votes(t, other->addr, s->len, &words);
    const struct candidate c = {other->addr, votes};

    *base = (struct kerf_base){other->addr, votes, true};
    return 4 * votes >= 3 * other->votes && (votes >= rules->min_votes || has_vectors(s, &c));
}

/*
 * Much firmware lies at 0, where small numbers look like pointers. Few that point to functions and strings are enough
 * for that one address, if by chance there were next to none.
 */
static bool is_at_zero(const struct kerf_source *s, struct tables *t, struct kerf_base *base)
{
    if (s->wide || t->start_count == 0) {
        return false;
    }
    size_t words;
    size_t votes = count_votes(t, 0, s->len, &words);

    if (votes < MIN_AT_ZERO || !beats_chance(s, t, votes, words, CHANCES_AT_ZERO)) {
        return false;
    }
    *base = (struct kerf_base){0, votes, true};
    return true;
}

/*
 * Firmware of a Cortex-M mostly lies at a round address, which then is that of its reset vector without some of the
 * lower bits. One that far more words agree with than do by chance needs no election.
 */
static bool find_by_reset(const struct kerf_source *s, struct tables *t, struct kerf_base *base)
{
    uint32_t reset = kerf_load_le32(s->p + 4);

    if (s->isa != KERF_ISA_THUMB || t->start_count == 0) {
        return false;
    }
    for (unsigned zeros = ROUND_LEAST; zeros <= ROUND_MOST; zeros++) {
        uint64_t addr = (uint64_t)reset >> zeros << zeros;
        const struct candidate c = {addr, MIN_WITH_VECTORS};
        size_t words;

        if (!has_vectors(s, &c) || (addr == base->addr && base->votes > 0)) {
            continue;
        }
        size_t votes = count_votes(t, addr, s->len, &words);

        if (votes >= MIN_ROUND && beats_chance(s, t, votes, words, CHANCES) && votes > base->votes) {
            *base = (struct kerf_base){addr, votes, true};
        }
    }
    return base->votes > 0;
}

/* A small program of a Cortex-M has fewer. */
static bool find_by_handlers(const struct kerf_source *s, struct kerf_base *base)
{
    base->votes = kerf_vectors_place(s->p, s->len, &base->addr);
    return base->votes > 0;
}

/* What tells the beginning of an image behind a header: the vector table of a Cortex-M, or the mark that Telink's or NXP's boot loader looks for. */
static bool begins(unsigned isa, const uint8_t *p, size_t len)
{
    if (isa == KERF_ISA_BA2) {
        return memcmp(p, "\x12\x34\x56\x78\x11\x22\x33\x44\x55\x66\x77\x88", 12) == 0;
    }
    return isa == KERF_ISA_TC32 ? memcmp(p + 8, "KNLT", 4) == 0 : isa == KERF_ISA_THUMB && kerf_vectors_are(p, len);
}

/* Bytes in front of an update of a Zigbee device, and the first of its elements; 0: it is none. len > 8 */
static size_t zigbee_header(const uint8_t *p, size_t len)
{
    size_t header = (size_t)kerf_load_le16(p + 6) + ZIGBEE_ELEMENT;

    return kerf_load_le32(p) == ZIGBEE_MAGIC && header < len / 4 ? header : 0;
}

/* Bytes in front of an image, a header or a small program, if its beginning is found behind them. */
static size_t header_len(unsigned isa, const uint8_t *p, size_t len)
{
    size_t end = len < 4 * KERF_VECTORS ? 0 : len - 4 * KERF_VECTORS;

    if (end == 0 || begins(isa, p, len)) {
        return 0;
    }
    if (isa != KERF_ISA_THUMB && isa != KERF_ISA_TC32 && isa != KERF_ISA_BA2) {
        return zigbee_header(p, len);
    }
    end = end < len / 4 ? end : len / 4;
    end = end < MAX_HEADER ? end : MAX_HEADER;
    for (size_t i = 2; i <= end; i += 2) {
        if (begins(isa, p + i, len)) {
            return i;
        }
    }
    return zigbee_header(p, len);
}

static bool tells_by_jumps(unsigned isa)
{
    return isa == KERF_ISA_MIPS32_LE || isa == KERF_ISA_MIPS32_BE || isa == KERF_ISA_MIPS16;
}

struct kerf_base_search {
    size_t skip;   /* bytes of the image in front of what is looked at */
    bool quick;    /* what did not convince for the other image is not tried */
    bool not_fine; /* those of `fine` did not convince */
    struct kerf_source source;
    const struct rules *rules;
    struct tables tables;
};

kerf_err kerf_base_open(unsigned isa, bool wide, bool big_endian, bool quick, const uint8_t *p, size_t len,
                        struct kerf_base_search **search)
{
    struct kerf_base_search *b = NULL;

    if (len >= 64 && isa != KERF_ISA_AVR) {
        b = malloc(sizeof *b);
        if (b == NULL) {
            return KERF_ERR_RAM;
        }
        b->quick = quick;
        b->not_fine = false;
        b->skip = header_len(isa, p, len);
        b->source = (struct kerf_source){
            .p = p + b->skip, .len = len - b->skip, .isa = isa, .wide = wide, .big_endian = big_endian};
        b->source.vectors = isa == KERF_ISA_THUMB && b->source.len >= 4 * KERF_VECTORS &&
                            kerf_vectors_are(b->source.p, b->source.len);
        b->source.quick = quick && b->source.vectors && len >= QUICK_LEAST;
        b->rules = isa == KERF_ISA_NONE                                   ? &blind
                   : quick && len >= SPARSE_LEAST && !tells_by_jumps(isa) ? &sparse
                                                                          : &coarse;
        collect(&b->source, &b->tables, b->rules);
    }
    *search = b;
    return KERF_OK;
}

/* What kerf_base_find() does, for the address of what is behind a header. */
static void find(struct kerf_base_search *search, const struct kerf_base *other, struct kerf_base *base)
{
    struct candidate best[2];
    const struct kerf_source *s = &search->source;
    const struct rules *rules = search->rules;
    struct tables *t = &search->tables;

    if (is_others(s, t, rules, other, base)) {
        return;
    }
    *base = (struct kerf_base){0, 0, false};
    if (find_by_reset(s, t, base) || (s->vectors && find_by_handlers(s, base))) {
        return;
    }
    bool by_fine = search->quick && other != NULL && other->votes > 0 && !other->by_words;
    bool jumps = tells_by_jumps(s->isa);

    best[0] = best[1] = (struct candidate){0, 0};
    if (!by_fine || jumps) {
        elect(s, t, rules, best);
    }
    bool by_vectors = !s->quick && (has_vectors(s, &best[0]) || has_vectors(s, &best[1]));

    if (by_vectors || convinces(rules, best)) {
        const struct candidate *c = &best[by_vectors && !has_vectors(s, &best[0])];

        *base = (struct kerf_base){c->base, c->votes, true};
    } else if (s->quick) {
        return;
    } else if (jumps) {
        base->votes = find_by_jumps(*s, t, &base->addr);
    } else if (rules != &sparse && (s->isa == KERF_ISA_NONE || is_at_zero(s, t, base))) {
        return;
    } else if (!search->not_fine && (other == NULL || other->votes > 0)) {
        collect(s, t, &fine);
        elect(s, t, &fine, best);
        search->not_fine = !convinces(&fine, best);
        if (!search->not_fine) {
            *base = (struct kerf_base){best[0].base, best[0].votes, false};
        }
    }
}

void kerf_base_find(struct kerf_base_search *search, const struct kerf_base *other, struct kerf_base *base)
{
    struct kerf_base behind = {0, 0, false};

    *base = (struct kerf_base){0, 0, false};
    if (search == NULL) {
        return;
    }
    if (other != NULL) {
        behind = *other;
        behind.addr += search->skip;
    }
    find(search, other != NULL ? &behind : NULL, base);
    if (base->votes == 0 && (search->source.quick || search->rules == &sparse)) {
        search->source.quick = false;
        search->rules = search->rules == &sparse ? &coarse : search->rules;
        collect(&search->source, &search->tables, search->rules);
        find(search, other != NULL ? &behind : NULL, base);
    }
    if (base->votes > 0) {
        base->addr -= search->skip;
    }
}

void kerf_base_close(struct kerf_base_search *search)
{
    free(search);
}
