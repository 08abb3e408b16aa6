/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two images are. Each is laid out by its header, or as one stretch; stretches are paired; the instruction set
 * is voted for over both images; a stretch without an address gets one by votes; RAM is where words point to.
 */
#include "diffgen/image.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diffgen/detect.h"
#include "diffgen/tasks.h"

/* One shift has so many times the votes of the others, or there are parts at several. */
#define SHIFT_LEAD 4u
/* Larger images are not looked at again where nothing is recognised. */
#define MAX_SHIFTED ((size_t)8 << 20)
/* A shorter region costs more header than it can save. */
#define MIN_REGION 64u
/* Regions that follow each other at one displacement become one across a gap of at most this: headers, padding. */
#define MAX_GAP 4096u
/* Old says alone which instruction set it is, where it has so many times the votes that are enough. */
#define CLEAR 4u

#define BIT(kind) (1u << (kind))
#define BRANCHES (BIT(KERF_REF_CALL) | BIT(KERF_REF_JUMP) | BIT(KERF_REF_BRANCH) | BIT(KERF_REF_BRANCH2))
#define PAIRS (BIT(KERF_REF_PAIR) | BIT(KERF_REF_LOW) | BIT(KERF_REF_PAIR2))
#define LITERALS BIT(KERF_REF_LITERAL)
#define WORDS (BIT(KERF_REF_WORD) | BIT(KERF_REF_RAM))
#define WORDS8 BIT(KERF_REF_WORD8)
#define BIG_ENDIAN_WORDS BIT(KERF_REF_BIG_ENDIAN)

struct isa {
    const char *name;   /* as --isa takes it */
    const char *people; /* as reports call it */
    uint16_t kinds;     /* references that its instructions hold */
    uint16_t words;     /* and its pointers */
};

static const struct isa isas[KERF_ISA_COUNT] = {
    [KERF_ISA_NONE] = {"none", "data", 0, WORDS},
    [KERF_ISA_THUMB] = {"thumb", "Thumb-2", BRANCHES | LITERALS | PAIRS, WORDS},
    [KERF_ISA_A32] = {"a32", "A32", BRANCHES | LITERALS | PAIRS, WORDS},
    [KERF_ISA_AARCH64] = {"aarch64", "AArch64", BRANCHES | LITERALS | PAIRS, WORDS8},
    [KERF_ISA_XTENSA_CALL0] = {"xtensa-call0", "Xtensa (call0)", BRANCHES | LITERALS, WORDS},
    [KERF_ISA_XTENSA_WINDOWED] = {"xtensa", "Xtensa (windowed)", BRANCHES | LITERALS, WORDS},
    [KERF_ISA_RISCV32] = {"riscv32", "RISC-V 32", BRANCHES | LITERALS | PAIRS, WORDS},
    [KERF_ISA_RISCV64] = {"riscv64", "RISC-V 64", BRANCHES | LITERALS | PAIRS, WORDS8},
    [KERF_ISA_X86] = {"x86", "x86", BRANCHES | LITERALS, WORDS},
    [KERF_ISA_X86_64] = {"x86-64", "x86-64", BRANCHES | LITERALS, WORDS8},
    [KERF_ISA_AVR] = {"avr", "AVR", BRANCHES | LITERALS | PAIRS, WORDS},
    [KERF_ISA_MIPS32_LE] = {"mips32le", "MIPS32", BRANCHES | LITERALS | PAIRS, WORDS},
    [KERF_ISA_BTF] = {"btf", "data with type records", BIT(KERF_REF_RECORDS), 0},
    [KERF_ISA_MIPS32_BE] = {"mips32be", "MIPS32 (big-endian)", BRANCHES | LITERALS | PAIRS, WORDS | BIG_ENDIAN_WORDS},
    [KERF_ISA_ARC] = {"arc", "ARC", BRANCHES | LITERALS | PAIRS, WORDS},
    [KERF_ISA_VIDEOCORE] = {"videocore4", "VideoCore IV", BRANCHES | LITERALS | BIT(KERF_REF_RAM), WORDS},
    [KERF_ISA_POWERPC_BE] = {"powerpc", "PowerPC", BRANCHES | PAIRS, WORDS | BIG_ENDIAN_WORDS},
    [KERF_ISA_POWERPC_LE] = {"powerpc64le", "PowerPC 64 (little-endian)", BRANCHES | PAIRS, WORDS8},
    [KERF_ISA_NDS32] = {"nds32", "Andes NDS32", BRANCHES | PAIRS, WORDS},
    [KERF_ISA_MIPS16] = {"mips16", "MIPS16e", BRANCHES | LITERALS, WORDS},
    [KERF_ISA_TC32] = {"tc32", "Telink TC32", BRANCHES | LITERALS, WORDS},
    [KERF_ISA_MCS51] = {"8051", "8051", BRANCHES | LITERALS | PAIRS | BIT(KERF_REF_RAM), 0},
    [KERF_ISA_BA2] = {"ba2", "BA2", BRANCHES | BIT(KERF_REF_RAM), WORDS | BIG_ENDIAN_WORDS},
    [KERF_ISA_HEXAGON] = {"hexagon", "Hexagon", BRANCHES | PAIRS, WORDS},
    [KERF_ISA_ELF] = {"elf", "ELF files", BIT(KERF_REF_FILES), WORDS8},
    [KERF_ISA_WORDS] = {"words", "data with big-endian pointers", 0, WORDS | BIG_ENDIAN_WORDS},
};

/* One image while it is looked at. */
struct side {
    const uint8_t *p;
    size_t len;
    struct kerf_layout layout;
};

/* Stretches of the two images that belong together. */
struct pair {
    struct kerf_span old_span, new_span;
};

struct pairs {
    unsigned count;
    struct pair at[KERF_MAX_SPANS];
};

const char *kerf_isa_name(unsigned isa)
{
    return isa < KERF_ISA_COUNT ? isas[isa].name : NULL;
}

static bool is_big_endian(unsigned isa, const struct kerf_layout *layout)
{
    return layout->big_endian || (isas[isa].words & BIG_ENDIAN_WORDS) != 0;
}

static unsigned isa_by_name(const char *name)
{
    unsigned isa = 0;

    while (isa < KERF_ISA_COUNT && strcmp(name, isas[isa].name) != 0) {
        isa++;
    }
    return isa;
}

static void one_span(struct side *side, uint64_t addr)
{
    side->layout.container = NULL;
    side->layout.addressed = false;
    side->layout.big_endian = false;
    side->layout.span_count = 0;
    side->layout.window_count = 0;
    side->layout.exact_windows = false;
    side->layout.isa = KERF_ISA_COUNT;
    kerf_layout_add(&side->layout, side->len, 0, side->len, addr, true);
}

static void vote(const struct side *side, struct kerf_votes *votes)
{
    for (unsigned i = 0; i < side->layout.span_count; i++) {
        const struct kerf_span *span = &side->layout.spans[i];

        if (span->code) {
            kerf_detect_votes(side->p + span->pos, (size_t)span->len, votes);
        }
    }
}

/* Lays out images of 8051 code, both of them or none. */
static kerf_err find_banks(struct side *old_side, struct side *new_side)
{
    kerf_err err = kerf_detect_banks(old_side->p, old_side->len, &old_side->layout);

    if (err == KERF_OK && old_side->layout.addressed) {
        err = kerf_detect_banks(new_side->p, new_side->len, &new_side->layout);
        if (!new_side->layout.addressed) {
            one_span(old_side, 0);
        }
    }
    return err;
}

/* What the votes of old say, and where those are not clear, those of new added. */
static unsigned most_votes(const struct side *new_side, struct kerf_votes votes[2])
{
    unsigned isa = kerf_detect_isa(&votes[0], NULL, CLEAR);

    if (isa == KERF_ISA_NONE) {
        if (votes[1].looked_at == 0) {
            vote(new_side, &votes[1]);
        }
        isa = kerf_detect_isa(&votes[0], &votes[1], 1);
    }
    return isa;
}

/* The votes for 8051 count only where calls tell the load address, too. */
static kerf_err voted_isa(struct side *old_side, struct side *new_side, struct kerf_votes votes[2], unsigned *isa)
{
    bool found = false;

    vote(old_side, &votes[0]);
    *isa = most_votes(new_side, votes);
    if (*isa == KERF_ISA_MCS51 && !old_side->layout.addressed) {
        kerf_err err = find_banks(old_side, new_side);

        if (err != KERF_OK) {
            return err;
        }
        found = old_side->layout.addressed;
    }
    while (*isa == KERF_ISA_MCS51 && !found) {
        votes[0].of[KERF_ISA_MCS51] = 0;
        votes[1].of[KERF_ISA_MCS51] = 0;
        *isa = most_votes(new_side, votes);
    }
    return KERF_OK;
}

/* Drops what is too short for a region, unless nothing would be left. */
static void drop_tiny(struct kerf_layout *layout)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < layout->span_count; i++) {
        if (layout->spans[i].len >= MIN_REGION || (kept == 0 && i + 1 == layout->span_count)) {
            layout->spans[kept++] = layout->spans[i];
        }
    }
    layout->span_count = kept;
}

/* How well two stretches fit: 0 not at all. */
static unsigned likeness(const struct kerf_span *a, const struct kerf_span *b)
{
    uint64_t distance = a->addr > b->addr ? a->addr - b->addr : b->addr - a->addr;

    if (a->code != b->code) {
        return distance == 0;
    }
    return distance == 0 ? 4 : distance < 0x10000 ? 3 : distance < 0x400000 ? 2 : 0;
}

/* Pairs stretches in order such that likeness adds up to the most. */
static void pair_spans(const struct kerf_layout *old_layout, const struct kerf_layout *new_layout, struct pairs *pairs)
{
    static const uint16_t zeros[KERF_MAX_SPANS + 1];
    uint16_t best[KERF_MAX_SPANS + 1][KERF_MAX_SPANS + 1]; /* of the spans from i and from j on */
    unsigned n = old_layout->span_count;
    unsigned m = new_layout->span_count;
    unsigned i = 0;
    unsigned j = 0;

    memcpy(best[n], zeros, sizeof zeros);
    for (i = n; i-- > 0;) {
        best[i][m] = 0;
        for (j = m; j-- > 0;) {
            unsigned like = likeness(&old_layout->spans[i], &new_layout->spans[j]);
            unsigned v = best[i + 1][j] > best[i][j + 1] ? best[i + 1][j] : best[i][j + 1];

            best[i][j] = (uint16_t)(like > 0 && best[i + 1][j + 1] + like > v ? best[i + 1][j + 1] + like : v);
        }
    }
    pairs->count = 0;
    for (i = 0, j = 0; i < n && j < m;) {
        if (best[i][j] == best[i + 1][j]) {
            i++;
        } else if (best[i][j] == best[i][j + 1]) {
            j++;
        } else {
            pairs->at[pairs->count++] = (struct pair){old_layout->spans[i++], new_layout->spans[j++]};
        }
    }
}

static bool continues(const struct kerf_span *a, const struct kerf_span *b)
{
    return a->code == b->code && b->addr - a->addr == b->pos - a->pos && b->pos - a->pos - a->len <= MAX_GAP;
}

static void remove_pair(struct pairs *pairs, unsigned i)
{
    pairs->count--;
    memmove(&pairs->at[i], &pairs->at[i + 1], (pairs->count - i) * sizeof pairs->at[0]);
}

/* Joins what is one stretch, and drops the smallest until they fit the header. */
static void reduce(struct pairs *pairs)
{
    for (unsigned i = 0; i + 1 < pairs->count;) {
        struct pair *a = &pairs->at[i];
        const struct pair *b = &pairs->at[i + 1];

        if (continues(&a->old_span, &b->old_span) && continues(&a->new_span, &b->new_span)) {
            a->old_span.len = b->old_span.pos + b->old_span.len - a->old_span.pos;
            a->new_span.len = b->new_span.pos + b->new_span.len - a->new_span.pos;
            remove_pair(pairs, i + 1);
        } else {
            i++;
        }
    }
    while (pairs->count > KERF_MAX_REGIONS) {
        unsigned small = 0;

        for (unsigned i = 1; i < pairs->count; i++) {
            if (pairs->at[i].old_span.len + pairs->at[i].new_span.len <
                pairs->at[small].old_span.len + pairs->at[small].new_span.len) {
                small = i;
            }
        }
        remove_pair(pairs, small);
    }
}

/*
 * The addresses that hints say, in place of those that the votes found. Where there is but one hint and the votes
 * missed it, what they said of the other image is worth nothing.
 */
static void take_hints(const struct kerf_diff_options *options, bool found[2], uint64_t base[2])
{
    const struct kerf_diff_hint *hints[2] = {options->old_hint, options->new_hint};
    bool missed = false;

    for (unsigned i = 0; i < 2; i++) {
        if (hints[i] == NULL || !hints[i]->base_known) {
            hints[i] = NULL;
        } else if (!found[i] || base[i] != hints[i]->base) {
            missed = true;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        if (hints[i] != NULL) {
            found[i] = true;
            base[i] = hints[i]->base;
        } else {
            found[i] = found[i] && !missed;
        }
    }
}

#define BESIDE_LEN (32u << 10) /* to start a thread takes longer for fewer bytes */

/* What one image's search for its address looks at. */
struct base_task {
    struct kerf_task task;
    unsigned isa;
    bool wide, quick;
    const struct side *side;
    struct kerf_base_search *search;
    kerf_err err;
};

static void open_base(void *ctx)
{
    struct base_task *t = ctx;

    t->err = kerf_base_open(t->isa, t->wide, is_big_endian(t->isa, &t->side->layout), t->quick, t->side->p,
                            t->side->len, &t->search);
}

/* Of both images, new's with old's to begin with. What each is found by is collected at the same time. */
static kerf_err find_by_words(unsigned isa, const struct side *const sides[2], bool threads, bool quick,
                              struct kerf_base found[2])
{
    bool wide = (isas[isa].words & WORDS8) != 0;
    struct base_task tasks[2] = {{.isa = isa, .wide = wide, .quick = quick, .side = sides[0]},
                                 {.isa = isa, .wide = wide, .quick = quick, .side = sides[1]}};

    if (!threads || sides[1]->len < BESIDE_LEN || !kerf_task_start(&tasks[1].task, open_base, &tasks[1])) {
        open_base(&tasks[1]);
    }
    open_base(&tasks[0]);
    if (tasks[0].err == KERF_OK) {
        kerf_base_find(tasks[0].search, NULL, &found[0]);
    }
    kerf_task_wait(&tasks[1].task);
    if (tasks[0].err == KERF_OK && tasks[1].err == KERF_OK) {
        kerf_base_find(tasks[1].search, &found[0], &found[1]);
    }
    kerf_base_close(tasks[0].search);
    kerf_base_close(tasks[1].search);
    return tasks[0].err != KERF_OK ? tasks[0].err : tasks[1].err;
}

static kerf_err find_one(struct base_task *t, const struct kerf_base *other, struct kerf_base *found)
{
    open_base(t);
    if (t->err == KERF_OK) {
        kerf_base_find(t->search, other, found);
    }
    kerf_base_close(t->search);
    return t->err;
}

/* The same as find_by_words(), quick: new's is mostly old's, and then nothing more is looked at. */
static kerf_err find_quickly(unsigned isa, const struct side *const sides[2], struct kerf_base found[2])
{
    bool wide = (isas[isa].words & WORDS8) != 0;
    bool big_endian = is_big_endian(isa, &sides[0]->layout);
    struct base_task tasks[2] = {{.isa = isa, .wide = wide, .quick = true, .side = sides[0]},
                                 {.isa = isa, .wide = wide, .quick = true, .side = sides[1]}};

    kerf_err err = find_one(&tasks[0], NULL, &found[0]);

    if (err != KERF_OK ||
        kerf_base_agrees(isa, wide, big_endian, sides[0]->p, sides[0]->len, sides[1]->p, sides[1]->len, &found[0])) {
        found[1] = found[0];
        return err;
    }
    return find_one(&tasks[1], &found[0], &found[1]);
}

/* Of an image that lies at 0, behind a header that then has no address: the header does not belong to it. */
static void cut_header(struct kerf_span *span)
{
    uint64_t header = 0 - span->addr;

    if (span->addr >> 63 != 0 && header < span->len) {
        span->pos += header;
        span->len -= header;
        span->addr = 0;
    }
}

/*
 * Finds the load addresses of images without a header that says them; a hint of an image knows better. *known: found
 * for one of them at least.
 */
static kerf_err find_bases(unsigned isa, struct side *old_side, struct side *new_side,
                           const struct kerf_diff_options *options, bool *known)
{
    struct side *sides[2] = {old_side, new_side};
    uint64_t base[2] = {0, 0};
    bool found[2];
    bool wide = (isas[isa].words & WORDS8) != 0;
    struct kerf_base by_votes[2] = {{0}};
    const struct side *const looked_at[2] = {old_side, new_side};
    bool quick = options->level == 1;
    kerf_err err = quick && (isa == KERF_ISA_THUMB || isa == KERF_ISA_RISCV32 || isa == KERF_ISA_RISCV64)
                       ? find_quickly(isa, looked_at, by_votes)
                       : find_by_words(isa, looked_at, options->jobs > 1, quick, by_votes);

    if (err != KERF_OK) {
        return err;
    }
    for (unsigned i = 0; i < 2; i++) {
        found[i] = by_votes[i].votes > 0;
        base[i] = by_votes[i].addr;
    }
    take_hints(options, found, base);
    /* Few numbers of 8 bytes are less than the image's length by chance: they are worth a look even at address 0. */
    *known = found[0] || found[1] || (wide && isa != KERF_ISA_NONE);
    for (unsigned i = 0; i < 2; i++) {
        sides[i]->layout.spans[0].addr = found[i] || !found[1 - i] ? base[i] : base[1 - i];
        cut_header(&sides[i]->layout.spans[0]);
    }
    return KERF_OK;
}

/* Parts at load addresses of their own, where pointers have 4 bytes. *known as find_bases() has it. */
static kerf_err find_parts(unsigned isa, struct side *old_side, struct side *new_side, struct kerf_image *image,
                           bool *known)
{
    const uint8_t *const images[2] = {old_side->p, new_side->p};
    const size_t lens[2] = {old_side->len, new_side->len};
    struct kerf_layout *const layouts[2] = {&old_side->layout, &new_side->layout};

    /* AVR's program is at 0, and what points to it has 2 bytes. */
    if (isa == KERF_ISA_NONE || isa == KERF_ISA_AVR || (isas[isa].words & WORDS) != WORDS) {
        return KERF_OK;
    }
    kerf_err err = kerf_detect_parts(isa, is_big_endian(isa, layouts[0]), images, lens, layouts, known);

    image->in_parts = err == KERF_OK && layouts[0]->span_count > 1;
    return err;
}

/*
 * What is outside of the code of an image without a header, often packed, holds calls by chance: it is left out of the
 * region where it is the larger part of both images. Not where the load address is known: then it may hold pointers.
 */
static void trim(struct side *old_side, struct side *new_side, unsigned isa, struct kerf_votes votes[2])
{
    struct side *sides[2] = {old_side, new_side};
    size_t from[2];
    size_t to[2];

    for (unsigned i = 0; i < 2; i++) {
        if (votes[i].looked_at == 0) {
            vote(sides[i], &votes[i]);
        }
        if (!kerf_detect_extent(&votes[i], isa, sides[i]->len, &from[i], &to[i]) ||
            to[i] - from[i] > sides[i]->len / 2) {
            return;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        struct kerf_span *span = &sides[i]->layout.spans[0];

        span->pos = from[i];
        span->len = to[i] - from[i];
        span->addr += from[i];
    }
}

/* Addresses are modulo 2^32 unless the container is wide. */
static kerf_pos address(uint64_t addr, bool wide)
{
    return (kerf_pos)(wide ? addr : addr & UINT32_MAX);
}

static void make_regions(struct kerf_image *image, const struct pairs *pairs, unsigned isa, bool words, bool big_endian,
                         bool wide)
{
    image->region_count = pairs->count;
    for (unsigned i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->at[i];
        struct kerf_region *r = &image->regions[i];
        bool code = pair->old_span.code || pair->new_span.code;
        unsigned kinds = code ? isas[isa].kinds : 0;

        if (words) {
            /* Of addresses above 4 GiB the lower halves are told apart well enough: no need for wide positions. */
            bool halves = !wide && pair->old_span.addr >> 32 != 0;

            kinds |= halves ? BIT(KERF_REF_WORD) : isas[isa].words;
            kinds |= big_endian ? BIG_ENDIAN_WORDS : 0;
        }
        r->old_pos = (kerf_pos)pair->old_span.pos;
        r->old_len = (kerf_pos)pair->old_span.len;
        r->old_addr = address(pair->old_span.addr, wide);
        r->new_pos = (kerf_pos)pair->new_span.pos;
        r->new_len = (kerf_pos)pair->new_span.len;
        r->new_addr = address(pair->new_span.addr, wide);
        r->isa = (uint8_t)(code ? isa : KERF_ISA_NONE);
        r->kinds = kerf_isa_kinds(r->isa, kinds);
    }
}

/* Ranges as the header takes them: within the address space, ascending, apart from each other. */
static void make_ranges(struct kerf_image *image, struct kerf_range *ranges, unsigned count, bool wide)
{
    uint64_t end = wide ? UINT64_MAX : UINT32_MAX;

    image->range_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct kerf_range range = {address(ranges[i].start, wide), ranges[i].len};
        const struct kerf_range *last = &image->ranges[image->range_count > 0 ? image->range_count - 1 : 0];

        if (range.len == 0 || range.len - 1 > end - range.start ||
            (image->range_count > 0 && range.start < last->start + last->len)) {
            continue;
        }
        image->ranges[image->range_count++] = range;
    }
}

/* What a hint of either image says the instruction set is, where the bytes did not tell. */
static unsigned hinted_isa(const struct kerf_diff_options *options)
{
    const struct kerf_diff_hint *hints[2] = {options->old_hint, options->new_hint};

    for (unsigned i = 0; i < 2; i++) {
        if (hints[i] != NULL && hints[i]->isa < KERF_ISA_COUNT) {
            return hints[i]->isa;
        }
    }
    return KERF_ISA_NONE;
}

/* RAM as a hint says it, old's first: references are looked for in old. */
static void hinted_ranges(const struct kerf_diff_options *options, struct kerf_range *ranges, unsigned *count)
{
    const struct kerf_diff_hint *hint = options->old_hint != NULL && options->old_hint->range_count > 0
                                            ? options->old_hint
                                            : options->new_hint;

    if (hint != NULL) {
        *count = hint->range_count;
        memcpy(ranges, hint->ranges, hint->range_count * sizeof *ranges);
    }
}

/* Appends to the line for people. */
static void say(struct kerf_image *image, const char *format, ...)
{
    size_t used = strlen(image->recognised);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(image->recognised + used, sizeof image->recognised - used, format, args);
    va_end(args);
}

static void describe(struct kerf_image *image, unsigned isa, const struct kerf_layout *layout, bool words)
{
    if (layout->container != NULL) {
        say(image, "%s, ", layout->container);
    }
    say(image, "%s", isas[isa].people);
    if (image->region_count > 1) {
        say(image, " in %u regions", image->region_count);
    } else if (words || image->regions[0].old_addr != 0) {
        say(image, " at 0x%08" PRIx64, (uint64_t)image->regions[0].old_addr);
        if (image->regions[0].new_addr != image->regions[0].old_addr) {
            say(image, " (new: 0x%08" PRIx64 ")", (uint64_t)image->regions[0].new_addr);
        }
    } else if (isa != KERF_ISA_AVR) { /* which is always at 0 */
        say(image, ", load address unknown");
    }
    for (unsigned i = 0; i < image->range_count; i++) {
        say(image, "%s 0x%08" PRIx64 "+0x%" PRIx64, i == 0 ? ", RAM" : ",", (uint64_t)image->ranges[i].start,
            (uint64_t)image->ranges[i].len);
    }
}

/* What the container says, or the votes, or a hint; *isa is KERF_ISA_COUNT where the options don't say it. */
static kerf_err find_isa(struct side *old_side, struct side *new_side, const struct kerf_diff_options *options,
                         struct kerf_votes votes[2], unsigned *isa)
{
    if (*isa == KERF_ISA_COUNT) {
        *isa = old_side->layout.isa;
    }
    if (*isa != KERF_ISA_COUNT) {
        return KERF_OK;
    }
    kerf_err err = voted_isa(old_side, new_side, votes, isa);

    if (err != KERF_OK) {
        return err;
    }
    *isa = *isa == KERF_ISA_NONE ? hinted_isa(options) : *isa;
    if (*isa == KERF_ISA_MCS51 && options->base_known) {
        one_span(old_side, options->base);
        one_span(new_side, options->base);
    }
    return KERF_OK;
}

/* What was found of both images before where they are loaded. */
struct facts {
    unsigned isa;
    bool wide, records, files;
    struct kerf_votes votes[2];
};

/* Makes the regions and ranges, once the spans have addresses; `words`: those are known. */
static kerf_err finish(struct facts *f, const struct kerf_diff_options *options, struct side *old_side,
                       struct side *new_side, bool words, struct kerf_image *image)
{
    struct kerf_range ranges[KERF_MAX_RANGES];
    struct pairs pairs;
    unsigned range_count = 0;

    words |= f->files && (isas[f->isa].words & WORDS8) != 0;
    if (f->isa == KERF_ISA_NONE && !words) {
        if (f->records) {
            image->region_count = 1;
            image->regions[0] = (struct kerf_region){
                .old_len = old_side->len, .new_len = new_side->len, .kinds = (uint16_t)1u << KERF_REF_RECORDS};
            say(image, "type records of Linux (BTF)");
            return KERF_OK;
        }
        say(image, "nothing recognised; general model");
        return KERF_OK;
    }
    if (f->votes[0].looked_at > 0 && old_side->layout.container == NULL && !words) {
        trim(old_side, new_side, f->isa, f->votes);
    }
    drop_tiny(&old_side->layout);
    drop_tiny(&new_side->layout);
    pair_spans(&old_side->layout, &new_side->layout, &pairs);
    reduce(&pairs);
    make_regions(image, &pairs, f->isa, words, is_big_endian(f->isa, &old_side->layout), f->wide);

    kerf_err err = kerf_detect_ram(f->isa, old_side->p, old_side->len, &old_side->layout, ranges, &range_count);

    if (err == KERF_OK && range_count == 0) {
        hinted_ranges(options, ranges, &range_count);
    }
    if (err == KERF_OK) {
        make_ranges(image, ranges, range_count, f->wide);
        describe(image, f->isa, &old_side->layout, words);
    }
    for (unsigned i = 0; i < image->region_count; i++) {
        struct kerf_region *r = &image->regions[i];

        r->kinds |= (uint16_t)(f->records ? BIT(KERF_REF_RECORDS) : 0);
        r->kinds |= (uint16_t)(f->files && (r->kinds & WORDS8) != 0 ? BIT(KERF_REF_FILES) : 0);
    }
    return err;
}

static kerf_err recognise(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                          const struct kerf_diff_options *options, struct kerf_image *whole, struct kerf_image *image)
{
    struct side old_side = {old_image, old_len, {0}};
    struct side new_side = {new_image, new_len, {0}};
    struct facts f = {.isa = KERF_ISA_COUNT,
                      .wide = (uint64_t)old_len >> 32 != 0 || (uint64_t)new_len >> 32 != 0,
                      .records = kerf_detect_btf(old_image, old_len) && kerf_detect_btf(new_image, new_len),
                      .files = kerf_detect_files(old_image, old_len) && kerf_detect_files(new_image, new_len),
                      .votes = {{.quick = options->level == 1}, {.quick = options->level == 1}}};
    bool words = true;

    memset(image, 0, sizeof *image);
    if (options->isa != NULL) {
        f.isa = isa_by_name(options->isa);
        if (f.isa == KERF_ISA_COUNT) {
            return KERF_ERR_ARGUMENT;
        }
    }
    if (f.isa == KERF_ISA_NONE || old_len == 0 || new_len == 0) {
        say(image, f.isa == KERF_ISA_NONE ? "not looked at; general model" : "nothing recognised; general model");
        return KERF_OK;
    }
    kerf_container_read(old_image, old_len, &old_side.layout);
    kerf_container_read(new_image, new_len, &new_side.layout);
    if (options->base_known || old_side.layout.container != new_side.layout.container) {
        one_span(&old_side, options->base_known ? options->base : 0);
        one_span(&new_side, options->base_known ? options->base : 0);
    }
    kerf_err err = find_isa(&old_side, &new_side, options, f.votes, &f.isa);

    if (err != KERF_OK) {
        return err;
    }
    if (!old_side.layout.addressed && !options->base_known) {
        err = find_bases(f.isa, &old_side, &new_side, options, &words);
        if (err == KERF_OK && whole != NULL) {
            struct side sides[2] = {old_side, new_side};
            bool known = words;
            struct facts same = f;

            err = find_parts(f.isa, &old_side, &new_side, image, &words);
            if (err == KERF_OK && image->in_parts) {
                memset(whole, 0, sizeof *whole);
                err = finish(&same, options, &sides[0], &sides[1], known, whole);
            }
        }
        if (err != KERF_OK) {
            return err;
        }
    }
    return finish(&f, options, &old_side, &new_side, words, image);
}

/* How many bytes in front of the code put its words at odd places, as a header or an archive does: 1 .. 3; 0: nothing is seen then either. */
static unsigned shift_of(const uint8_t *p, size_t len, unsigned *isa)
{
    uint64_t most = 0;
    uint64_t others = 0;
    unsigned shift = 0;

    for (unsigned i = 1; i < 4; i++) {
        struct kerf_votes votes = {0};

        kerf_detect_votes(p + i, len - i, &votes);
        votes.of[KERF_ISA_MCS51] = 0; /* whose code may be anywhere */

        unsigned what = kerf_detect_isa(&votes, NULL, CLEAR);

        if (i >= kerf_detect_alignment(what)) {
            continue; /* as it was some bytes before */
        }
        if (votes.of[what] > most) {
            others += most;
            *isa = what;
            most = votes.of[what];
            shift = i;
        } else {
            others += votes.of[what];
        }
    }
    return most >= SHIFT_LEAD * others ? shift : 0;
}

static void move(struct kerf_image *image, unsigned old_shift, unsigned new_shift)
{
    for (unsigned i = 0; i < image->region_count; i++) {
        image->regions[i].old_pos += old_shift;
        image->regions[i].new_pos += new_shift;
    }
}

static bool hints_base(const struct kerf_diff_hint *hint)
{
    return hint != NULL && hint->base_known;
}

kerf_err kerf_image_recognise(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                              const struct kerf_diff_options *options, struct kerf_image *whole,
                              struct kerf_image *image)
{
    if (options->level == 1 || hints_base(options->old_hint) || hints_base(options->new_hint)) {
        whole = NULL;
    }
    kerf_err err = recognise(old_image, old_len, new_image, new_len, options, whole, image);

    if (err != KERF_OK || image->region_count > 0 || options->isa != NULL || options->base_known ||
        options->level == 1 || old_len > MAX_SHIFTED || new_len > MAX_SHIFTED || old_len < MIN_REGION ||
        new_len < MIN_REGION) {
        return err;
    }
    unsigned isa[2] = {KERF_ISA_NONE, KERF_ISA_NONE};
    unsigned old_shift = shift_of(old_image, old_len, &isa[0]);
    unsigned new_shift = old_shift > 0 ? shift_of(new_image, new_len, &isa[1]) : 0;

    if (new_shift == 0 || isa[0] != isa[1]) {
        return KERF_OK;
    }
    err = recognise(old_image + old_shift, old_len - old_shift, new_image + new_shift, new_len - new_shift, options,
                    whole, image);
    move(image, old_shift, new_shift);
    if (image->in_parts) {
        move(whole, old_shift, new_shift);
    }
    return err;
}
