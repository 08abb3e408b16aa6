/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work.h - what the stages of diffgen hand to each other. diffgen.c knows their order; each stage is a leaf.
 */
#ifndef KERF_DIFFGEN_WORK_H
#define KERF_DIFFGEN_WORK_H

#include <stdlib.h>
#include <string.h>

#include "common/encode.h"
#include "diffgen/diffgen.h"
#include "diffgen/image.h"

/* Costs are bits * 2^-16, as rc.h counts them. */
typedef uint64_t kerf_cost;
#define KERF_BIT ((kerf_cost)1 << 16)

#define KERF_PAD KERF_DIFF_PAD

/* One side: the image, and the references found in it by one linear sweep through each region. */
struct kerf_side {
    const uint8_t *bytes;         /* followed by KERF_PAD zeros, so that looking ahead needs no check */
    uint8_t *copy;                /* the same, or NULL: they are the caller's */
    uint8_t *nothing;             /* where no reference begins (common/run.h); NULL: no memory of it */
    uint8_t *nothing_of_all;      /* the same for all kinds that were recognised */
    const uint8_t *masked;        /* the same with the reference fields constant; followed by KERF_PAD zeros */
    const uint8_t *masked_of_all; /* masked for all kinds that were recognised: what matches are looked for in */
    uint8_t *mask, *mask_of_all;  /* what these two are kept in; NULL: they are `bytes` */
    size_t len;
    /* Its references, by position: a bit for each byte that one covers, and for each where one begins; index: below. */
    uint64_t *covered, *begins;
    uint32_t *before; /* for each word of `begins`, how many begin before it */
    struct kerf_scanned *refs;
    size_t ref_count, ref_cap;
};

/* A reference of one side. */
struct kerf_scanned {
    uint32_t target; /* modulo 2^32, as all addresses are where there are regions; of kind LOW: 0 */
    uint8_t kind, form, len;
    uint8_t region : 7, outside : 1; /* outside: the target lies in no region */
};

static inline bool kerf_side_bit(const uint64_t *bits, size_t pos)
{
    return (bits[pos / 64] >> (pos % 64) & 1) != 0;
}

/* Is the byte at pos inside a reference, but not its first? No segment from old begins or ends there. */
static inline bool kerf_side_inside(const struct kerf_side *side, size_t pos)
{
    return side->covered != NULL && kerf_side_bit(side->covered, pos) && !kerf_side_bit(side->begins, pos);
}

/* The reference that covers a byte, and where it begins; NULL: none does. */
static inline const struct kerf_scanned *kerf_side_ref(const struct kerf_side *side, size_t pos, size_t *start)
{
    if (!kerf_side_bit(side->covered, pos)) {
        return NULL;
    }
    size_t word = pos / 64;
    uint64_t begun = side->begins[word] & (UINT64_MAX >> (63 - pos % 64));
    uint32_t index = side->before[word] + (uint32_t)__builtin_popcountll(begun);

    if (begun == 0) {
        begun = side->begins[--word]; /* no reference is as long as a word has bits */
    }
    *start = word * 64 + 63 - (size_t)__builtin_clzll(begun);
    return &side->refs[index - 1];
}

struct kerf_segments {
    struct kerf_segment *list;
    size_t count, cap;
};

struct kerf_map {
    struct kerf_map_entry *list;
    size_t count;
    bool whole; /* more entries would not have been worth their cost: with more room it is the same */
};

#define KERF_PRICE_BITS 32
#define KERF_PRICE_SYMBOLS (12 + KERF_PRICE_BITS) /* of numbers below 2^32 */
/* How the source of a segment from old is told. */
#define KERF_JUMPS 6
#define KERF_JUMP_MAP 1
#define KERF_JUMP_FAR 2
#define KERF_BETWEEN 4 /* literals before a segment from new: 0, 1, 2, more */

/* Average prices from the coding of a plan; what the next plan is chosen by. */
struct kerf_prices {
    kerf_cost equal[16][2]; /* by gap class: equal, different */
    kerf_cost residue;
    uint32_t literal_scale; /* real / estimated literal cost, * 2^-10 */
    kerf_cost change;       /* all that a segment from old to a new distance takes */
    /* From old, by how the source is told (docs/FORMAT.md, "Segment": j); without what follows. */
    kerf_cost old_jump[KERF_JUMPS];
    /* From new, by how many literals stand before: to a new distance, to the last one, to one of the three before; without what follows. */
    kerf_cost new_far[KERF_BETWEEN], new_again[KERF_BETWEEN], new_older[KERF_BETWEEN];
    /* By place and kerf_price_symbol(): literals in a row and 1, bytes copied from new. */
    kerf_cost gap[4][KERF_PRICE_SYMBOLS], new_len[4][KERF_PRICE_SYMBOLS], new_len_again[4][KERF_PRICE_SYMBOLS];
    /* Numbers by their length in bits: lengths; distances, in new of segments below four bytes and others. */
    kerf_cost old_len[KERF_PRICE_BITS], old_distance[KERF_PRICE_BITS], new_distance[2][KERF_PRICE_BITS];
    /* The two lowest bits of such distances from four bytes on, by place: what they cost, from 0 to 3. */
    kerf_cost new_low[2][4][4];
    kerf_cost ref_right, ref_wrong, ram_right, ram_wrong;
};

/* Where the price of a number from 1 on is: small ones have their own, others that of their length in bits. */
static inline unsigned kerf_price_symbol(uint64_t v)
{
    return v < 16 ? (unsigned)v : v > UINT32_MAX ? KERF_PRICE_SYMBOLS - 1 : 75u - (unsigned)__builtin_clzll(v);
}

/* Which price of a segment from new counts, by the literals before it. */
static inline unsigned kerf_price_between(size_t literals)
{
    return literals < KERF_BETWEEN ? (unsigned)literals : KERF_BETWEEN - 1;
}

/* A new distance in new, `back` bytes from a place, of a segment that is below four bytes long, or not. */
static inline kerf_cost kerf_price_distance(const struct kerf_prices *prices, unsigned place, uint64_t back,
                                            unsigned is_long)
{
    kerf_cost price = prices->new_distance[is_long][63u - (unsigned)__builtin_clzll(back | 1)];

    return back < 4 ? price : price - 2 * KERF_BIT + prices->new_low[is_long][place][back & 3];
}

/* Bits of a jump of a segment from old: the class of its price. */
static inline unsigned kerf_jump_bits(int64_t jump)
{
    uint64_t z = jump < 0 ? -(uint64_t)jump * 2 - 1 : (uint64_t)jump * 2;
    unsigned bits = 63u - (unsigned)__builtin_clzll((z + 1) | 1);

    return bits < KERF_PRICE_BITS - 1 ? bits : KERF_PRICE_BITS - 1;
}

/* Places in new, evenly spread, where the cost so far is noted. */
#define KERF_MARKS 16

/* What coding a plan gave. */
struct kerf_encoding {
    kerf_cost total; /* UINT64_MAX: given up */
    kerf_cost mark[KERF_MARKS];
    kerf_cost part[KERF_PART_COUNT];
    uint64_t literals, refs, refs_wrong;
    struct kerf_prices prices;
};

/* In place: in which order the sectors of new are produced. */
struct kerf_order {
    size_t new_len; /* bytes */
    unsigned sector_log2;
    size_t group;   /* sectors that are committed together */
    size_t count;   /* sectors of new */
    size_t *sector; /* the order: numbers of sectors */
    size_t *rank;   /* for each sector its place in the order */
    /* What is kept of old, order_keep.c; group is 1 then. */
    size_t old_len;
    size_t sectors; /* that may hold old: kerf_header_sectors() */
    struct kerf_keep *keeps;
    size_t keep_count;
    struct kerf_move *moves;
    size_t move_count;
    int32_t *gone; /* for each byte of old the last rank for which it is there; NULL: nothing is kept */
};

/* In place: before the sector at `rank` is produced, another is made to hold bytes of old. */
struct kerf_keep {
    size_t rank, sector;
    size_t first, count; /* in kerf_order.moves */
};

struct kerf_move {
    size_t old_pos, len;
    size_t pos; /* in the slot; in ascending order */
};

/* One step of coding: what it made, and what it cost. */
struct kerf_trace_step {
    enum kerf_diff_part part;
    kerf_pos new_pos, len; /* bytes of new that it made; 0: what stands before new_pos, or a failed prediction */
    const struct kerf_segment *segment; /* copies: what they are part of; its head: part SEGMENTS, len 0; else NULL */
    kerf_pos src_pos;                   /* copies: where from */
    enum kerf_step what;                /* copies */
    const struct kerf_ref *ref;         /* part REFS; else NULL */
    kerf_cost cost;
};

/* Who is told of every step of kerf_encode_plan(), in order. */
struct kerf_trace {
    void (*step)(void *ctx, const struct kerf_trace_step *step);
    void *ctx;
};

/* Sectors that follow each other in new and in the order: no segment reaches beyond. */
struct kerf_run_of_sectors {
    size_t rank, len;  /* place of the first in the order; how many */
    size_t start, end; /* positions in new */
};

/* What a literal costs is kept in this part of a bit, and up to 255 of them. */
#define KERF_LITERAL_BIT 16u

/* How the host's memory is spent. budget.c */
struct kerf_budget {
    bool pack;          /* the suffix array is packed when plans are made: */
    unsigned step;      /* one suffix of so many stays in it; 0: there is none, */
    bool chains;        /* nor one here: places of old are chained, */
    uint64_t index;     /* but a coarse index of as many bytes */
    size_t lz_window;   /* bytes of new that are looked back at */
    uint64_t copies;    /* bytes for what is remembered of that at most; 0: it is not */
    size_t match_pages; /* pages of matches that are remembered at most */
    bool sets;          /* several sets of kinds are tried, not just all and none, */
    bool keep_scans;    /* and their scans kept at the same time */
    unsigned jobs;      /* threads; at least 1 */
};

#define KERF_MATCH_NONE UINT32_MAX /* of kerf_match_at() */
#define KERF_MATCH_PAGE 256u       /* bytes of new whose matches are remembered together */

struct kerf_work {
    const struct kerf_diff_options *options;
    struct kerf_order *order;       /* NULL: two slots */
    const struct kerf_trace *trace; /* NULL: none */
    struct kerf_beside *beside;     /* beside.h: checks the payload while it is coded; NULL: later */
    struct kerf_image image;
    struct kerf_side old_side, new_side;
    struct kerf_budget budget;
    bool large;                 /* less is tried */
    struct kerf_chains *chains; /* matches by them; NULL: */
    struct kerf_coarse *coarse; /* by it; NULL: by the suffix array */
    int32_t *suffixes;          /* suffix array of old_side.masked_of_all; NULL: */
    uint8_t *packed;            /* the same of its positions at multiples of */
    unsigned suffix_step;       /* this, which they are divided by, */
    unsigned suffix_bits;       /* in so many bits each, the lowest first, */
    size_t suffix_count;        /* and so many */
    uint32_t *buckets;          /* where in it the suffixes of each pair of first bytes start */
    uint8_t *places;            /* kerf_run_place() of each byte of new; NULL: that is its position */
    uint8_t *literal_cost; /* each byte of new as a literal, in bits / KERF_LITERAL_BIT; NULL until the plan needs it */
    struct kerf_lz_memory *copies;     /* where bytes of new stood before, for all plans; NULL: each looks for it */
    struct kerf_match_memory *matches; /* what kerf_match_at() found before; NULL: it was not asked */
};

#define KERF_HUGE_LEN                                                                                                  \
    (256u << 20) /* bytes of both images: from here on a second of time is dearer than a part of a percent */

static inline bool kerf_work_is_huge(const struct kerf_work *w)
{
    return (uint64_t)w->old_side.len + w->new_side.len > KERF_HUGE_LEN;
}

/* Where a byte of new stands, modulo 4: the place that prices go by. */
static inline unsigned kerf_work_place(const struct kerf_work *w, size_t new_pos)
{
    return w->places != NULL ? w->places[new_pos] : new_pos & 3;
}

static inline kerf_cost kerf_literal_cost(const struct kerf_work *w, size_t new_pos)
{
    return w->literal_cost[new_pos] * (KERF_BIT / KERF_LITERAL_BIT);
}

static inline uint8_t kerf_literal_pack(kerf_cost cost)
{
    kerf_cost parts = (cost * KERF_LITERAL_BIT + KERF_BIT / 2) / KERF_BIT;

    return (uint8_t)(parts < UINT8_MAX ? parts : UINT8_MAX);
}

/* A header of type records: its first four bytes, and its length, which comes next. */
#define KERF_BTF_MAGIC 0x0001eb9fu
#define KERF_BTF_HEADER 24u

/* --- scan.c: finds and masks references. --- */
/* `all`: for every kind that was recognised, what the first scan is for; later ones are quicker for what it found. */
KERF_MUST_USE kerf_err kerf_scan_side(struct kerf_side *side, const struct kerf_image *image, bool is_new, bool all);
/* True if the address lies in a region of that side. */
bool kerf_scan_inside(const struct kerf_image *image, bool is_new, kerf_addr addr);
/* For run->found (run.h), ctx: the scanned side. */
bool kerf_scan_find(const void *side, kerf_pos pos, unsigned *region, struct kerf_ref *ref);
void kerf_scan_free(struct kerf_side *side);
/* No more scans of this side: what would have made them quicker goes. */
void kerf_scan_forget_nothing(struct kerf_side *side);
/* Another side has it now: what was made of this one is not this one's any more. */
void kerf_scan_forget(struct kerf_side *side);

/* Bits for a position at a multiple of `step` in an image. */
static inline unsigned kerf_suffix_bits(size_t len, unsigned step)
{
    return len / step < 2 ? 1 : 64 - (unsigned)__builtin_clzll((uint64_t)(len - 1) / step);
}

/* --- budget.c --- */
/* Before the images are scanned: is the memory enough, as far as one can tell? *needed: bytes that would be. */
bool kerf_budget_fits(const struct kerf_work *w, bool plans, uint64_t *needed);
/* w->budget, once the images were scanned for all kinds. `plans`: not bsdiff's plan alone. */
void kerf_budget_set(struct kerf_work *w, bool plans);

/* Bytes that a and b have in common, of at most `max`; the first `len` are known to be. */
static inline size_t kerf_match_common(const uint8_t *a, const uint8_t *b, size_t len, size_t max)
{
    while (len + 8 <= max) {
        uint64_t x;
        uint64_t y;

        memcpy(&x, a + len, 8);
        memcpy(&y, b + len, 8);
        if (x != y) {
            break;
        }
        len += 8;
    }
    while (len < max && a[len] == b[len]) {
        len++;
    }
    return len;
}

/* --- coarse.c: matches in little memory. --- */
/* An index of masked old in at most `memory` bytes; at least old_side->len / 256, and 64 KiB, are needed. */
KERF_MUST_USE kerf_err kerf_coarse_open(const struct kerf_side *old_side, uint64_t memory, struct kerf_coarse **coarse);
/* As kerf_match_longest(), but for what lies between the places of the index. */
size_t kerf_coarse_longest(const struct kerf_coarse *coarse, const struct kerf_side *old_side,
                           const struct kerf_side *new_side, size_t new_pos, size_t *old_pos);
void kerf_coarse_close(struct kerf_coarse *coarse);

/* --- chains.c: matches for one plan. --- */
KERF_MUST_USE kerf_err kerf_chains_open(const struct kerf_side *old_side, size_t new_len, struct kerf_chains **chains);
/* Bytes that chains of an old image take. */
uint64_t kerf_chains_memory(size_t old_len);
/* About as kerf_match_longest(). hint: the place in old that a match in progress would go on with. */
size_t kerf_chains_longest(struct kerf_chains *chains, const struct kerf_side *old_side,
                           const struct kerf_side *new_side, size_t new_pos, size_t hint, size_t *old_pos);
void kerf_chains_close(struct kerf_chains *chains);

/* --- match.c: suffix array of old, longest matches, bsdiff's choice of segments. --- */
/* The suffix array alone, or chains, once old was scanned; kerf_match_prepare() does it otherwise. */
KERF_MUST_USE kerf_err kerf_match_sort(struct kerf_work *w, bool chains);
KERF_MUST_USE kerf_err kerf_match_prepare(struct kerf_work *w);
/* Leaves of the suffix array what the budget has memory for from now on. Before the first kerf_match_at(). */
void kerf_match_thin(struct kerf_work *w);
void kerf_match_free(struct kerf_work *w);
/* Longest match of masked new[new_pos..) in masked old, at the positions that are left: its length, and where. */
size_t kerf_match_longest(const struct kerf_work *w, size_t new_pos, size_t *old_pos);
/*
 * Where the longest match of new[new_pos ..) lies in old; KERF_MATCH_NONE: none that is worth a segment. What was found
 * is remembered, where there is memory for it; threads may ask at the same time.
 */
uint32_t kerf_match_at(const struct kerf_work *w, size_t new_pos);
/*
 * bsdiff's plan, of large images by two threads where there are. `quick`: matches are looked for again only some bytes
 * further on, which costs nothing where no plan by cost follows; of large images in any case.
 */
KERF_MUST_USE kerf_err kerf_match_greedy(const struct kerf_work *w, bool quick, struct kerf_segments *segments);
KERF_MUST_USE kerf_err kerf_segments_add(struct kerf_segments *segments, const struct kerf_segment *segment);
/* Adds what makes the part of new behind; where it goes on as the last one does, that grows. */
KERF_MUST_USE kerf_err kerf_segments_join(struct kerf_segments *segments, const struct kerf_segments *part);

/* --- addrmap.c: the address map that serves the references of a plan best, at most `cap` entries. --- */
KERF_MUST_USE kerf_err kerf_addrmap_choose(const struct kerf_work *w, const struct kerf_segments *segments, size_t cap,
                                           struct kerf_map *map);
/*
 * For each reference of old the target that is to be expected in new: the map's, or, outside of the images, what the
 * plan before copied it to.
 */
KERF_MUST_USE kerf_err kerf_addrmap_targets(const struct kerf_work *w, const struct kerf_map *map,
                                            const struct kerf_segments *before, uint32_t *mapped);
/* The entries in the order of where they begin to hold in new, for kerf_addrmap_distance(). */
KERF_MUST_USE kerf_err kerf_addrmap_sort(const struct kerf_work *w, const struct kerf_map *map,
                                         struct kerf_map *sorted);
/* The distance old position - new position that the map gives for new_pos; false: none. */
bool kerf_addrmap_distance(const struct kerf_work *w, const struct kerf_map *sorted, size_t new_pos, int64_t *distance);

/* --- plan_parts.c, plan.c: segments by estimated cost; `before`: those that the prices and the map come from. --- */
KERF_MUST_USE kerf_err kerf_plan_by_cost(struct kerf_work *w, const struct kerf_prices *prices,
                                         const struct kerf_map *map, const struct kerf_segments *before,
                                         struct kerf_segments *segments);

/* --- slot.c: what the slot of an in-place update holds. --- */
struct kerf_slot {
    uint8_t *bytes; /* all sectors that may hold old, and KERF_PAD more */
    size_t new_len;
    unsigned sector_log2;
    size_t group;
    size_t *waiting; /* sectors of the group in progress */
    size_t waiting_len;
};
KERF_MUST_USE kerf_err kerf_slot_open(struct kerf_slot *slot, const uint8_t *old_image, size_t old_len,
                                      const struct kerf_header *header);
/* The sector was produced; its group, once it is complete, comes into the slot. Each sector at most once. */
void kerf_slot_sector(struct kerf_slot *slot, const uint8_t *new_image, size_t sector);
/* The sector was made to hold old. */
void kerf_slot_keep(struct kerf_slot *slot, const uint8_t *bytes, size_t sector);
void kerf_slot_close(struct kerf_slot *slot);

/* --- order.c: the order of sectors in place, and what is left of a plan then. --- */
/* Upwards at first. */
KERF_MUST_USE kerf_err kerf_order_open(struct kerf_order *o, const struct kerf_header *header);
/* All upwards, or downwards by groups. */
void kerf_order_set(struct kerf_order *o, bool downwards);
/* Moves the len entries at `from`, of which `block` is a copy, so that they begin at `to` of the line without them. */
void kerf_order_move(size_t *line, const size_t *block, size_t from, size_t to, size_t len);
/* For each position of new, and its end, what the bytes before it cost as literals; the caller frees it. NULL: no memory. */
KERF_MUST_USE kerf_cost *kerf_order_literal_sum(const struct kerf_work *w);
/* A good order for a plan of two slots: w->order. *lossy: much of what the plan needs is gone too early. order_search.c */
KERF_MUST_USE kerf_err kerf_order_choose(struct kerf_work *w, const struct kerf_segments *segments, bool *lossy);
/*
 * Another order, with groups of one sector, in which what would be gone is kept elsewhere; `o` was opened, and
 * header->group is 1. Fills in what of the header depends on it. It may take a quarter of `ram` bytes for that.
 * order_keep.c
 */
KERF_MUST_USE kerf_err kerf_order_keep(const struct kerf_work *w, const struct kerf_segments *segments, uint64_t ram,
                                       struct kerf_header *header, struct kerf_order *o);
/* Fills in o->gone. order_gone.c */
KERF_MUST_USE kerf_err kerf_order_gone(struct kerf_order *o);
/* Is the byte of old still there while the sector is produced? The byte of new already, when new_pos is? */
bool kerf_order_has_old(const struct kerf_order *o, size_t sector, size_t old_pos);
bool kerf_order_has_new(const struct kerf_order *o, size_t new_pos, size_t src_pos);
/* The run that begins at a place in the order. */
struct kerf_run_of_sectors kerf_order_run(const struct kerf_order *o, size_t rank);
/* The plan as it is coded: cut at the ends of runs, in their order, without what has no source. By new_pos before. */
KERF_MUST_USE kerf_err kerf_order_cut(const struct kerf_order *o, const struct kerf_segments *segments,
                                      struct kerf_segments *pieces);
void kerf_order_close(struct kerf_order *o);

/* --- pack.c: payload bytes as they come. --- */
struct kerf_bytes {
    uint8_t *data;
    size_t len, cap;
    bool failed; /* out of memory */
};
void kerf_bytes_emit(void *bytes, uint8_t byte);

/* --- coding.c: an encoder with all that it needs (coding.h). --- */
/* Where the codec finds its sources, and the io that reads them: `sources` stay. */
struct kerf_sources {
    const uint8_t *old_bytes; /* in place: what the slot holds */
    const uint8_t *new_bytes;
};
struct kerf_codec_io kerf_sources_io(struct kerf_sources *sources);

/* --- encode.c: a plan to payload bytes, or to its cost alone. --- */
/* `header` has sizes, flags and model; payload NULL: cost alone. */
KERF_MUST_USE kerf_err kerf_encode_plan(const struct kerf_work *w, struct kerf_header *header,
                                        const struct kerf_segments *segments, const struct kerf_map *map,
                                        struct kerf_bytes *payload, struct kerf_encoding *encoding);
/* Gives up when it has become clear that the plan will cost more than 1 + 1 / `margin` times the rival (NULL: never). */
KERF_MUST_USE kerf_err kerf_encode_race(const struct kerf_work *w, struct kerf_header *header,
                                        const struct kerf_segments *segments, const struct kerf_map *map,
                                        const struct kerf_encoding *rival, unsigned margin, struct kerf_bytes *payload,
                                        struct kerf_encoding *encoding);
/* The same, the cost alone; w->literal_cost becomes what every byte of new would cost as a literal where it stands. */
KERF_MUST_USE kerf_err kerf_encode_measure(struct kerf_work *w, struct kerf_header *header,
                                           const struct kerf_segments *segments, const struct kerf_map *map,
                                           struct kerf_bytes *payload, struct kerf_encoding *encoding);

/* --- literals.c: literals before there is a plan. --- */
/*
 * Fills in w->literal_cost, by small tables: larger ones find cheap what copies will replace. Rough where the segments
 * give long stretches that equal old.
 */
KERF_MUST_USE kerf_err kerf_literals_price(struct kerf_work *w, const struct kerf_segments *segments);
/* Fills in w->copies, where the budget has memory for it. */
KERF_MUST_USE kerf_err kerf_literals_copies(struct kerf_work *w, const struct kerf_segments *segments);
/* Chooses the phases by which a sample of new's bytes costs least, and KERF_TABLE_LINES; of *m nothing else changes. */
KERF_MUST_USE kerf_err kerf_literals_phases(const struct kerf_work *w, struct kerf_model_params *m);
/* Fills in w->places by the header's rule, where that is not the position and new is made from its start to its end. */
KERF_MUST_USE kerf_err kerf_literals_places(struct kerf_work *w, const struct kerf_header *header);

/* --- strategy.c: the best plan, and the header's tables for it. --- */
/* A plan and what became of it. */
struct kerf_plan {
    struct kerf_segments segments;
    struct kerf_map map;
    struct kerf_bytes payload;
    struct kerf_encoding encoding;
};
void kerf_plan_free(struct kerf_plan *plan);
/*
 * Scans, plans and prices as the level says. Leaves w->image and w's sides as the plan needs them, and in *header the
 * model parameters. *plan is the caller's. KERF_ERR_SPACE: options.memory is too little; *memory_needed bytes would do.
 */
KERF_MUST_USE kerf_err kerf_strategy_run(struct kerf_work *w, uint64_t ram, struct kerf_header *header,
                                         struct kerf_plan *plan, uint64_t *memory_needed);

/* --- params.c: table sizes for a RAM budget. --- */
/*
 * Chooses chunk size, byte tables, flag class and learned targets, and the largest map_cap that fits beside. attempt 0
 * is the usual split of the budget; others follow. KERF_ERR_RAM: there is no such split.
 */
KERF_MUST_USE kerf_err kerf_params_choose(uint64_t ram, unsigned attempt, struct kerf_header *header);
/* The most map entries that fit into the budget beside a header's other tables. */
uint16_t kerf_params_map_cap(uint64_t ram, const struct kerf_header *header);
/* What is left of the budget, once the map is known, makes chunks longer, so far as a payload takes fewer. */
void kerf_params_fill(uint64_t ram, size_t payload_len, struct kerf_header *header);
/* Bits of the position that tell bytes of an image apart, as the length of its instructions has it: 0, 1 or 3. */
unsigned kerf_params_phases(const uint8_t *image, size_t len);
/* What the bytes that come from old would take, each by how often it occurs among them: bytes. */
uint64_t kerf_params_served(const struct kerf_side *new_side, const struct kerf_segments *segments);

/* --- pack.c: payload to container, and back. --- */
/* payload_size and chunk0_len that fit, for a header whose payload is not there yet. */
void kerf_pack_assume(struct kerf_header *header);
/* Fills in payload_size and chunk0_len; *file is malloc'ed and the caller's. */
KERF_MUST_USE kerf_err kerf_pack(struct kerf_header *header, const struct kerf_image *image, const uint8_t *payload,
                                 size_t payload_len, uint8_t **file, size_t *file_len);

/* The payload bytes of all chunks in a row; `payload` has room for header->payload_size. The chain was checked before. */
KERF_MUST_USE kerf_err kerf_unpack(const struct kerf_header *header, const uint8_t *file, size_t file_len,
                                   uint8_t *payload);

/* --- lzma2.c: .xz streams. --- */
/* payload->data is the caller's, also on failure. */
KERF_MUST_USE kerf_err kerf_lzma2_encode(const uint8_t *image, size_t len, int level, struct kerf_bytes *payload);
struct kerf_lzma2 {
    void *stream; /* NULL: not begun */
};
/* As kerf_port's hook. */
KERF_MUST_USE kerf_err kerf_lzma2_unpack(struct kerf_lzma2 *x, const uint8_t *in, size_t in_len, bool last,
                                         size_t *in_used, uint8_t *out, size_t out_cap, size_t *out_len);
void kerf_lzma2_free(struct kerf_lzma2 *x);

/* --- selfcheck.c: the shipped decoder makes new from old and the delta, in the declared workspace. --- */
#define KERF_SELFCHECK_LEARNED 512 /* up to so many learned targets are found as devices do, one by one */
KERF_MUST_USE kerf_err kerf_selfcheck(const uint8_t *old_image, size_t old_len, const uint8_t *new_image,
                                      size_t new_len, const uint8_t *delta, size_t delta_len);
/* Feeds all of a delta to a patcher that was initialised. */
struct kerf_patcher;
struct kerf_port;
KERF_MUST_USE kerf_err kerf_selfcheck_feed(struct kerf_patcher *patcher, const struct kerf_port *port,
                                           const uint8_t *delta, size_t len);
/* Copies image[pos .. pos + len) for a callback of the decoder; KERF_ERR_STATE: that is not all inside. */
KERF_MUST_USE kerf_err kerf_selfcheck_read(const uint8_t *image, size_t image_len, kerf_pos pos, uint8_t *buf,
                                           size_t len);
/* --- selfcheck_in_place.c: the same on one slot, no sector of which may be erased more than twice (KERF_ERR_STATE). --- */
KERF_MUST_USE kerf_err kerf_selfcheck_in_place(const uint8_t *old_image, size_t old_len, const uint8_t *new_image,
                                               size_t new_len, const uint8_t *delta, size_t delta_len,
                                               struct kerf_diff_erases *erases);

#endif
