/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of an image that are loaded at addresses of their own: a second program, sections of firmware for several
 * memories, data of a RAM. Words that the image's own address does not explain vote for others, as in detect_base.c;
 * what a candidate's words point to must lie together, and be starts of functions and strings far more often than by
 * chance. That is repeated with the words that are left.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "diffgen/detect_source.h"

#define MAX_LEN ((size_t)8 << 20)
#define MIN_LEN 1024u
#define MAX_PARTS 6u
/* What votes, and what is counted. */
#define MAX_WORDS 32768u
#define MAX_STARTS 4096u
#define MAX_COUNT_BITS 19u
#define MIN_COUNT_BITS 10u
#define TOP 64u
#define MAX_BALLOTS 65536u
/* Addresses are multiples of this, but for the position where words begin. */
#define GRANULE 4u
/* Of words whose neighbours in the address space are fewer, no part can be made. */
#define PAGE_BITS 16u
#define PAGES 65536u
/* Starts that a part's words must point to, in different blocks of so many bytes. */
#define MIN_HITS 24u
#define BLOCK 32u
#define MIN_VOTES (MIN_HITS / 4) /* of some of the words, for some of the starts */
/* A word that points to a start is worth so many that point elsewhere; and how many times the hits of chance there must be. */
#define HIT 8
#define CHANCES 4u
/* Addresses of parts of both images that belong together differ by less. */
#define NEAR 0x400000u

struct part {
    uint32_t pos, len; /* in the span */
    uint32_t base;     /* address less position */
    unsigned score;
};

struct search {
    struct kerf_source s;
    unsigned phase;    /* words are at positions that are this modulo 4 */
    uint32_t own_base; /* where the span is loaded, if `known`; else an address that no word points to */
    bool known;
    size_t word_count;
    uint32_t *words;     /* distinct, ascending */
    uint64_t *explained; /* a bit for each */
    uint64_t *starts;    /* a bit for each position: what points to there points to a start */
    size_t own_count;
    uint32_t *own; /* positions that words at the own address point to, starts alone, ascending */
    unsigned part_count;
    struct part parts[MAX_PARTS + 1]; /* ascending */
    unsigned count_bits;              /* log2 of the counters in use */
    uint16_t *counts;
    uint8_t *is_top; /* for each counter */
    uint32_t *ballots;
};

static bool bit(const uint64_t *bits, size_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

static void set_bit(uint64_t *bits, size_t i)
{
    bits[i / 64] |= (uint64_t)1 << (i % 64);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t hash(uint32_t v, unsigned bits)
{
    return (uint32_t)(v * 0x9e3779b1u) >> (32 - bits);
}

static size_t unique(uint32_t *v, size_t count)
{
    size_t kept = 0;

    qsort(v, count, sizeof v[0], compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || v[i] != v[kept - 1]) {
            v[kept++] = v[i];
        }
    }
    return kept;
}

/* The first of the words that is not below v. */
static size_t lower_bound(const struct search *x, uint32_t v)
{
    size_t low = 0;
    size_t high = x->word_count;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (x->words[mid] < v) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void find_starts(struct search *x)
{
    const struct kerf_source *s = &x->s;
    size_t align = kerf_detect_alignment(s->isa);
    size_t odd = kerf_source_is_odd(s);

    for (size_t i = 0; i + 16 <= s->len; i += align) {
        if (kerf_source_function(s, i)) {
            set_bit(x->starts, i + odd);
        }
    }
    for (size_t i = 1; i + 8 <= s->len; i++) {
        if (s->p[i - 1] == 0 && kerf_source_string(s, i)) {
            set_bit(x->starts, i);
        }
    }
}

/* Words that have enough neighbours, and what the own address explains of them. */
static void find_words(struct search *x)
{
    const struct kerf_source *s = &x->s;
    size_t count = 0;
    uint64_t word;

    memset(x->counts, 0, PAGES * sizeof x->counts[0]);
    for (size_t i = x->phase; i + 4 <= s->len; i += 4) {
        if (kerf_source_word(s, i, &word) && word < UINT32_MAX - 15) {
            x->words[count++] = (uint32_t)word;
        }
    }
    count = unique(x->words, count);
    for (size_t i = 0; i < count; i++) {
        uint16_t *c = &x->counts[x->words[i] >> PAGE_BITS];

        *c = (uint16_t)(*c + (*c < UINT16_MAX));
    }
    for (size_t i = 0; i < count; i++) {
        size_t page = x->words[i] >> PAGE_BITS;
        unsigned near = x->counts[page];

        near += page > 0 ? x->counts[page - 1] : 0u;
        near += page + 1 < PAGES ? x->counts[page + 1] : 0u;
        if (near >= MIN_HITS) {
            x->words[x->word_count++] = x->words[i];
        }
    }
    for (size_t i = 0; x->known && i < x->word_count; i++) {
        uint32_t at = x->words[i] - x->own_base;

        if (at < s->len && bit(x->starts, at)) {
            set_bit(x->explained, i);
            x->own[x->own_count++] = at;
        }
    }
    qsort(x->own, x->own_count, sizeof x->own[0], compare);
}

/* The own address of an image that has none: of 16 the one that the fewest words point to. */
static uint32_t quiet_address(const struct search *x)
{
    uint32_t best = 0;
    size_t least = SIZE_MAX;

    for (uint32_t i = 1; i < 15; i++) {
        uint32_t addr = i << 28;
        size_t count = lower_bound(x, addr + (uint32_t)x->s.len) - lower_bound(x, addr);

        if (count < least) {
            least = count;
            best = addr;
        }
    }
    return best;
}

/* How many parts lie below a position; *inside: it is in one. */
static unsigned zone(const struct search *x, uint32_t at, bool *inside)
{
    unsigned n = 0;

    while (n < x->part_count && x->parts[n].pos <= at) {
        n++;
    }
    *inside = n > 0 && at - x->parts[n - 1].pos < x->parts[n - 1].len;
    return n;
}

/* Do so many words hit so many starts in this part by chance? */
static bool is_chance(const struct search *x, const struct part *part, unsigned hits, size_t words)
{
    size_t starts = 0;

    for (uint32_t i = 0; i < part->len; i++) {
        starts += bit(x->starts, part->pos + i);
    }
    return hits < MIN_HITS || (uint64_t)hits * part->len < (uint64_t)words * starts * CHANCES;
}

/* Where in the image is the most that words point to if it is loaded at `base`. Score 0: nowhere. */
static void evaluate(const struct search *x, uint32_t base, struct part *best)
{
    size_t first = lower_bound(x, base);
    size_t own = 0;
    uint32_t block = UINT32_MAX;
    unsigned run_zone = 0;
    size_t words = 0;
    unsigned hits = 0;
    uint32_t from = 0;
    int score = 0;
    size_t best_words = 0;
    unsigned best_hits = 0;

    *best = (struct part){.base = base};
    for (size_t n = 0; n < x->word_count; n++) {
        size_t i = first + n < x->word_count ? first + n : first + n - x->word_count;
        uint32_t at = x->words[i] - base;
        bool inside;

        if (at >= x->s.len) {
            break;
        }
        for (; own < x->own_count && x->own[own] <= at; own++) {
            score -= HIT;
        }
        if (bit(x->explained, i)) {
            continue;
        }
        unsigned z = zone(x, at, &inside);

        if (score <= 0 || inside || z != run_zone) {
            score = 0;
            words = 0;
            hits = 0;
            run_zone = z;
        }
        bool hit = bit(x->starts, at);

        if (inside || (score == 0 && !hit) || (hit && at / BLOCK == block)) {
            continue;
        }
        words++;
        if (!hit) {
            score--;
            continue;
        }
        from = score == 0 ? at : from;
        block = at / BLOCK;
        score += HIT;
        hits++;
        if (score > (int)best->score) {
            *best = (struct part){from, at + 1 - from, base, (unsigned)score};
            best_words = words;
            best_hits = hits;
        }
    }
    if (is_chance(x, best, best_hits, best_words)) {
        best->score = 0;
    }
}

/* Of the starts and of the words that nothing explains evenly some, by their value modulo the granule. */
struct voters {
    size_t count[GRANULE];
    uint32_t *at[GRANULE];
};

static void collect(const struct search *x, struct voters *starts, struct voters *words)
{
    size_t total = 0;
    size_t n = 0;
    bool inside;

    for (size_t i = 0; i < x->s.len; i++) {
        total += bit(x->starts, i);
    }
    size_t rate = total <= MAX_STARTS ? 1 : (total + MAX_STARTS - 1) / MAX_STARTS;

    for (unsigned g = 0; g < GRANULE; g++) {
        starts->count[g] = 0;
        words->count[g] = 0;
    }
    for (size_t i = 0; i < x->s.len; i++) {
        if (bit(x->starts, i) && n++ % rate == 0) {
            (void)zone(x, (uint32_t)i, &inside);
            if (!inside) {
                starts->at[i % GRANULE][starts->count[i % GRANULE]++] = (uint32_t)i;
            }
        }
    }
    rate = (x->word_count + MAX_WORDS - 1) / MAX_WORDS;
    for (size_t i = 0; i < x->word_count; i++) {
        uint32_t w = x->words[i];

        if (!bit(x->explained, i) && (rate <= 1 || hash(w, 32) % rate == 0) && words->count[w % GRANULE] < MAX_WORDS) {
            words->at[w % GRANULE][words->count[w % GRANULE]++] = w;
        }
    }
}

static void mark_top(struct search *x)
{
    uint32_t top[TOP] = {0};
    unsigned count = 0;

    for (uint32_t h = 0; h < (uint32_t)1 << x->count_bits; h++) {
        if (x->counts[h] < MIN_VOTES || (count == TOP && x->counts[h] <= x->counts[top[TOP - 1]])) {
            continue;
        }
        unsigned at = count < TOP ? count++ : TOP - 1;

        for (; at > 0 && x->counts[top[at - 1]] < x->counts[h]; at--) {
            top[at] = top[at - 1];
        }
        top[at] = h;
    }
    for (unsigned i = 0; i < count; i++) {
        x->is_top[top[i]] = 1;
    }
}

static void count_pairs(struct search *x, uint32_t start, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t *c = &x->counts[hash(words[i] - start, x->count_bits)];

        *c = (uint16_t)(*c + (*c < UINT16_MAX));
    }
}

static size_t gather_ballots(struct search *x, uint32_t start, const uint32_t *words, size_t count, size_t ballots)
{
    for (size_t i = 0; i < count && ballots < MAX_BALLOTS; i++) {
        if (x->is_top[hash(words[i] - start, x->count_bits)] != 0) {
            x->ballots[ballots++] = words[i] - start;
        }
    }
    return ballots;
}

/* Each pair of a word and a start counts; then those in the fullest counters are looked at one by one. */
static void elect(struct search *x, const struct voters *starts, const struct voters *words, struct part *best)
{
    uint64_t pairs = 0;
    size_t ballots = 0;

    for (unsigned g = 0; g < GRANULE; g++) {
        pairs += (uint64_t)starts->count[g] * words->count[(g + GRANULE - x->phase) % GRANULE];
    }
    for (x->count_bits = MIN_COUNT_BITS; x->count_bits < MAX_COUNT_BITS && pairs >> x->count_bits > 0;) {
        x->count_bits++;
    }
    memset(x->counts, 0, sizeof x->counts[0] << x->count_bits);
    memset(x->is_top, 0, (size_t)1 << x->count_bits);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned g = 0; g < GRANULE; g++) {
            unsigned h = (g + GRANULE - x->phase) % GRANULE; /* so that its words lie at multiples of 4 */

            for (size_t i = 0; i < starts->count[g]; i++) {
                if (pass == 0) {
                    count_pairs(x, starts->at[g][i], words->at[h], words->count[h]);
                } else {
                    ballots = gather_ballots(x, starts->at[g][i], words->at[h], words->count[h], ballots);
                }
            }
        }
        if (pass == 0) {
            mark_top(x);
        }
    }
    qsort(x->ballots, ballots, sizeof x->ballots[0], compare);
    for (size_t i = 0, n; i < ballots; i += n) {
        struct part part;

        for (n = 1; i + n < ballots && x->ballots[i + n] == x->ballots[i]; n++) {
        }
        if (n >= MIN_VOTES) {
            evaluate(x, x->ballots[i], &part);
            *best = part.score > best->score ? part : *best;
        }
    }
}

/* How a part grows: words that point to its edges at its address count for it, those at the image's own and bytes against it. */
struct growth {
    int64_t per_word, score, most;
    uint32_t to;
};

static void grow(struct growth *g, uint32_t at, uint32_t bytes, int own)
{
    g->score += g->per_word * (1 - own) - bytes;
    if (g->score > g->most) {
        g->most = g->score;
        g->to = at;
    }
}

/* As long as there are at least half as many as inside. */
static void extend(const struct search *x, struct part *part)
{
    bool inside;
    unsigned z = zone(x, part->pos, &inside);
    uint32_t low = z > 0 ? x->parts[z - 1].pos + x->parts[z - 1].len : 0;
    uint32_t high = z < x->part_count ? x->parts[z].pos : (uint32_t)x->s.len;
    uint32_t end = part->pos + part->len;
    size_t first = lower_bound(x, part->base + part->pos);
    size_t last = lower_bound(x, part->base + end);
    int64_t per_word = 2 * (int64_t)part->len / (int64_t)(last > first ? last - first : 1);
    struct growth down = {per_word, 0, 0, part->pos};
    struct growth up = {per_word, 0, 0, end};
    size_t k = lower_bound(x, x->own_base + part->pos);

    for (uint32_t before = part->pos; first-- > 0;) {
        uint32_t at = x->words[first] - part->base;
        int own = 0;

        if (at < low || at > part->pos) {
            break;
        }
        for (; x->known && k > 0 && x->words[k - 1] >= x->own_base && x->words[k - 1] - x->own_base >= at; k--) {
            own++;
        }
        grow(&down, at, before - at, own);
        before = at;
    }
    k = lower_bound(x, x->own_base + end);
    for (uint32_t before = end; last < x->word_count; last++) {
        uint32_t at = x->words[last] - part->base;
        int own = 0;

        if (at < end || at >= high) {
            break;
        }
        for (; x->known && k < x->word_count && x->words[k] - x->own_base <= at; k++) {
            own++;
        }
        grow(&up, at + 1, at + 1 - before, own);
        before = at + 1;
    }
    /* A word's place: what a pointer to a function points to may be odd. */
    down.to -= (down.to - x->phase) % 4;
    up.to += (x->phase - up.to) % 4;
    part->pos = down.to > low && down.to <= end ? down.to : low;
    part->len = (up.to < high ? up.to : high) - part->pos;
}

static void add(struct search *x, const struct part *part)
{
    unsigned n = x->part_count++;

    for (; n > 0 && x->parts[n - 1].pos > part->pos; n--) {
        x->parts[n] = x->parts[n - 1];
    }
    x->parts[n] = *part;
    for (size_t i = 0; i < x->word_count; i++) {
        uint32_t at = x->words[i] - part->base;

        if (at - part->pos < part->len && at < x->s.len && bit(x->starts, at)) {
            set_bit(x->explained, i);
        }
    }
}

static void find_parts(struct search *x, const struct search *other, struct voters *starts, struct voters *words)
{
    while (x->part_count < MAX_PARTS) {
        struct part best = {0};

        for (unsigned i = 0; other != NULL && i < other->part_count; i++) {
            struct part part;

            evaluate(x, other->parts[i].base, &part);
            best = part.score > best.score ? part : best;
        }
        collect(x, starts, words);
        elect(x, starts, words, &best);
        if (best.score == 0) {
            return;
        }
        extend(x, &best);
        add(x, &best);
    }
}

static void close_search(struct search *x)
{
    free(x->words);
    free(x->explained);
    free(x->starts);
    free(x->own);
    free(x->counts);
    free(x->is_top);
    free(x->ballots);
    memset(x, 0, sizeof *x);
}

static bool open_search(struct search *x, unsigned isa, bool big_endian, bool known, const uint8_t *image,
                        const struct kerf_span *span)
{
    size_t len = (size_t)span->len;

    memset(x, 0, sizeof *x);
    x->s = (struct kerf_source){.p = image + span->pos, .len = len, .isa = isa, .big_endian = big_endian};
    x->known = known;
    x->own_base = (uint32_t)span->addr;
    x->phase = known ? (unsigned)(0 - span->addr) % 4 : 0;
    x->words = calloc(len / 4 + 1, sizeof x->words[0]);
    x->explained = calloc(len / 256 + 1, sizeof x->explained[0]);
    x->starts = calloc(len / 64 + 1, sizeof x->starts[0]);
    x->own = calloc(len / 4 + 1, sizeof x->own[0]);
    x->counts = malloc(sizeof x->counts[0] << MAX_COUNT_BITS);
    x->is_top = malloc((size_t)1 << MAX_COUNT_BITS);
    x->ballots = malloc(MAX_BALLOTS * sizeof x->ballots[0]);
    if (x->words == NULL || x->explained == NULL || x->starts == NULL || x->own == NULL || x->counts == NULL ||
        x->is_top == NULL || x->ballots == NULL) {
        return false;
    }
    find_starts(x);
    find_words(x);
    if (!known) {
        x->own_base = quiet_address(x);
    }
    return true;
}

/* Drops the parts that the other image has not: those that belong together are in the same order, at about one address. */
static void match(struct search *a, struct search *b)
{
    unsigned count = 0;
    unsigned from = 0;

    for (unsigned i = 0; i < a->part_count; i++) {
        for (unsigned k = from; k < b->part_count; k++) {
            uint32_t d = a->parts[i].base + a->parts[i].pos - b->parts[k].base - b->parts[k].pos + NEAR;

            if (d < 2 * NEAR) {
                a->parts[count] = a->parts[i];
                b->parts[count++] = b->parts[k];
                from = k + 1;
                break;
            }
        }
    }
    a->part_count = count;
    b->part_count = count;
}

/* The parts, and what is between them, in place of the one span. */
static void lay_out(const struct search *x, size_t image_len, struct kerf_layout *layout)
{
    uint64_t pos = layout->spans[0].pos;
    uint64_t end = layout->spans[0].pos + layout->spans[0].len;
    uint64_t at = pos;

    layout->span_count = 0;
    for (unsigned i = 0; i <= x->part_count; i++) {
        const struct part *part = &x->parts[i];
        uint64_t next = i < x->part_count ? pos + part->pos : end;

        if (next > at) {
            kerf_layout_add(layout, image_len, at, next - at, (uint32_t)(x->own_base + (uint32_t)(at - pos)), true);
        }
        if (i < x->part_count) {
            kerf_layout_add(layout, image_len, next, part->len, (uint32_t)(part->base + part->pos), true);
            at = next + part->len;
        }
    }
}

kerf_err kerf_detect_parts(unsigned isa, bool big_endian, const uint8_t *const images[2], const size_t lens[2],
                           struct kerf_layout *const layouts[2], bool *known)
{
    struct search x[2];
    struct voters starts = {{0}, {NULL}};
    struct voters words = {{0}, {NULL}};
    bool fits = layouts[0]->span_count == 1 && layouts[1]->span_count == 1;
    kerf_err err = KERF_OK;

    for (unsigned i = 0; i < 2 && fits; i++) {
        fits = layouts[i]->spans[0].len >= MIN_LEN && layouts[i]->spans[0].len <= MAX_LEN;
    }
    if (!fits) {
        return KERF_OK;
    }
    memset(x, 0, sizeof x);

    uint32_t *room = malloc(GRANULE * (size_t)(MAX_STARTS + MAX_WORDS) * sizeof room[0]);

    if (room == NULL || !open_search(&x[0], isa, big_endian, *known, images[0], &layouts[0]->spans[0]) ||
        !open_search(&x[1], isa, big_endian, *known, images[1], &layouts[1]->spans[0])) {
        err = KERF_ERR_RAM;
    } else {
        for (unsigned g = 0; g < GRANULE; g++) {
            starts.at[g] = room + g * (size_t)MAX_STARTS;
            words.at[g] = room + GRANULE * (size_t)MAX_STARTS + g * (size_t)MAX_WORDS;
        }
        find_parts(&x[0], NULL, &starts, &words);
        if (x[0].part_count > 0) {
            find_parts(&x[1], &x[0], &starts, &words);
            match(&x[0], &x[1]);
        }
        if (x[0].part_count > 0) {
            x[1].own_base = *known ? x[1].own_base : x[0].own_base;
            lay_out(&x[0], lens[0], layouts[0]);
            lay_out(&x[1], lens[1], layouts[1]);
            *known = true;
        }
    }
    close_search(&x[0]);
    close_search(&x[1]);
    free(room);
    return err;
}
