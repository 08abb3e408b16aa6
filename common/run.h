/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - what the files of the codec share: the state of one call. Not for others.
 */
#ifndef KERF_COMMON_RUN_H
#define KERF_COMMON_RUN_H

#include <string.h>

#include "common/codec.h"

/* Contexts of numbers, in an order in which few share their counters well: n modulo 4. */
enum kerf_number {
    KERF_NUM_GAP,
    KERF_NUM_LEN_OLD,
    KERF_NUM_DISTANCE, /* of long segments from new, */
    KERF_NUM_MAP_SHIFT,
    KERF_NUM_MAP_START,
    KERF_NUM_LEN_NEW, /* of a far jump into new, */
    KERF_NUM_JUMP,
    KERF_NUM_DISTANCE_SHORT, /* below four bytes */
    KERF_NUM_FIX,
    KERF_NUM_LEN_AGAIN, /* at a recent distance */
    KERF_NUM_COUNT,
};

/* Single counters. */
#define KERF_SYM_QUIET 0
#define KERF_SYM_RUN 1    /* 3: where a run of sectors lies; does one hold old */
#define KERF_SYM_TO_END 4 /* 3: of gaps, of segments by the source */
#define KERF_SYM_SOURCE 7 /* 2: by the source before */
#define KERF_SYM_JUMP 9   /* 6 x 5: from old without literals before, with; from new by how many, up to 3 */
#define KERF_SYM_COUNT 39

#define KERF_BYTE_TABLES 5
#define KERF_REF_TABLES 3
#define KERF_EQUAL_TABLES 4
#define KERF_FLAG_TABLES (KERF_REF_TABLES + KERF_EQUAL_TABLES)

/* Sets of weights, as many as a mixer may take each. */
enum kerf_weights {
    KERF_WEIGHTS_REF,
    KERF_WEIGHTS_EQUAL,
    KERF_WEIGHTS_RESIDUE,
    KERF_WEIGHTS_LITERAL, /* 4: by the lowest bit of the phase; two more where the bits so far are as expected */
    KERF_WEIGHTS_COUNT = KERF_WEIGHTS_LITERAL + 4,
};

#define KERF_MOVE_BYTES 12u /* of workspace for each */

/* A stretch of old that moved; positions of 32 bits are enough, says the header. */
struct kerf_move_entry {
    uint32_t old_pos, len;
    uint32_t pos; /* where in the slot it is */
};

_Static_assert(sizeof(struct kerf_move_entry) == KERF_MOVE_BYTES, "as counted");

#if KERF_CALL_IN_STATE
#define kerf_run kerf_codec
#define KERF_STATE(run) (run)
#else
/* One call's view of the state. */
struct kerf_run {
    struct kerf_coder k;
    KERF_CALL_FIELDS
    uint8_t err; /* KERF_ERROR(): a step that has failed reads and writes nothing that it may not */
    struct kerf_codec *c;
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
#if KERF_ENCODER
    size_t out_room;          /* decoding: bytes of `out` */
    const uint8_t *new_image; /* encoding: the new image, else NULL */
    const uint8_t *old_image; /* all of old, KERF_ISA_VIEW_LEN zero bytes behind it; NULL: through io */
    enum kerf_step what;      /* the newest step of a segment */
    uint8_t *nothing; /* for each byte of old, what refs.c remembers of it; all zero at first. NULL: no memory */
    /*
     * What begins at a position of old, where a sweep through all of it came to an instruction there, or to a word: its
     * kind, form, length and target, and the region; false: that is not known. NULL: nobody knows.
     */
    bool (*found)(const void *ctx, kerf_pos old_pos, unsigned *region, struct kerf_ref *ref);
    const void *found_ctx;
    /* Decoding: what kerf_ref_pass() knows of a region; NULL: of none. An address that counts lies in `hull`. */
    const struct kerf_region *pass;
    uint8_t pass_lens[KERF_PASS_FORMS];
    struct {
        uint64_t start, len;
    } hull;
    const struct kerf_region *near; /* the region that src_pos lay in last, and the bits of an address there that */
    kerf_addr align;                /* are 0 where something begins; NULL: none */
    uint16_t *order; /* the slots of learned targets by key, room for all; refs.c fills it. NULL: no memory */
#endif
};
#define KERF_STATE(run) ((run)->c)
#endif

static inline struct kerf_region *kerf_run_regions(const struct kerf_run *run)
{
#if KERF_CALL_IN_STATE
    return run->t.regions;
#else
    return (struct kerf_region *)(uintptr_t)run->regions;
#endif
}

/* The header's ranges: where positions have 32 bits they are used in the workspace, behind the regions. */
static inline struct kerf_range *kerf_run_ranges(const struct kerf_run *run)
{
#if KERF_CALL_IN_STATE
    return (struct kerf_range *)(void *)(run->t.regions + run->h->region_count);
#else
    return (struct kerf_range *)(uintptr_t)run->ranges;
#endif
}

/* For statistics alone. */
static inline void kerf_run_note(struct kerf_run *run, enum kerf_step what)
{
#if KERF_ENCODER
    run->what = what;
#else
    (void)run;
    (void)what;
#endif
}

/* Where new's next byte stands; the lowest two bits count. */
static inline unsigned kerf_run_place(const struct kerf_run *run)
{
    return (unsigned)KERF_STATE(run)->new_pos + KERF_STATE(run)->slip;
}

/* Goes on by bytes of new. */
static inline void kerf_run_pass(struct kerf_run *run, const uint8_t *bytes, size_t len)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned rule = kerf_phase_rule(run->h);

#if KERF_ENCODER
    /* The last bytes are all that counts. */
    if (rule == KERF_PHASE_POSITION && len > 4 && (run->h->model.table_code & KERF_TABLE_LINES) == 0) {
        c->new_pos += (kerf_pos)(len - 4);
        bytes += len - 4;
        len = 4;
    }
#endif
    for (; len > 0; len--) {
        uint8_t byte = *bytes++;

        c->new_pos++;
        c->new_tail = c->new_tail << 8 | byte;
        if (byte == '\n' && (run->h->model.table_code & KERF_TABLE_LINES) != 0) {
            c->slip = (uint8_t)(0 - c->new_pos);
        }
        if (rule != KERF_PHASE_POSITION) {
            unsigned place = kerf_run_place(run) & 3;

            if (place == 3 && rule == KERF_PHASE_XTENSA) {
                c->slip = (uint8_t)(c->slip + 1); /* no fourth byte; of two bytes the second is 3: */
            }
            if (rule == KERF_PHASE_XTENSA
                    ? place == 1 && (byte & 8) != 0
                    : place == 2 && (rule == KERF_PHASE_THUMB ? byte < 0xe8 : (~c->new_tail & 0x300) != 0)) {
                c->slip = (uint8_t)(c->slip + 2); /* two bytes, not three or four */
            }
        }
    }
}

/* The first error stays. `error`: a kerf_err, of which the lowest eight bits are kept: KERF_ERROR() will do. run.c */
void kerf_run_fail(struct kerf_run *run, unsigned error);

/*
 * Hosts refuse such a payload. On a device nothing comes of it but a wrong image, which is told by its digest: neither an
 * access to what is not there nor more work than new is long.
 */
static inline void kerf_run_refuse(struct kerf_run *run)
{
    if (KERF_STRICT) {
        kerf_run_fail(run, KERF_ERROR(KERF_ERR_CORRUPT));
    }
}

static inline bool kerf_run_in_place(const struct kerf_run *run)
{
    return KERF_IN_PLACE && (run->h->flags & KERF_FLAG_IN_PLACE) != 0;
}

/* In place: bytes from new_pos to the end of its sector; 0 where one begins. */
static inline kerf_pos kerf_run_sector_rest(const struct kerf_run *run)
{
    return -KERF_STATE(run)->new_pos & (((kerf_pos)1 << run->h->sector_log2) - 1);
}

/*
 * Reads old as it was, wherever it lies by now; what is gone reads as anything, behind new's end as 0, and so does what is
 * behind the end of old. run.c
 */
void kerf_run_read_old(struct kerf_run *run, kerf_pos pos, uint8_t *buf, size_t len);
#if KERF_IN_PLACE
/*
 * Codes which run of sectors is produced next, start .. start + len - 1, and begins it. With len 0 it is the sector
 * `start`, which is to hold old. in_place.c
 */
void kerf_run_sectors(struct kerf_run *run, uint32_t start, uint32_t len);
/* Codes which bytes of old come next into a sector that holds such. */
void kerf_run_move(struct kerf_run *run, kerf_pos old_pos, kerf_pos len);
#endif

/*
 * The next bytes of a sector that is to hold old, at most KERF_STEP_OUT: of a move (c->copying), which counts from its
 * last byte on, or those that are there already and stay. Returns how many.
 */
unsigned kerf_run_keep(struct kerf_run *run, uint8_t *out);

/* Says where the tables are of a state at `c`. Returns their end. */
uint16_t *kerf_run_tables(struct kerf_tables *t, uintptr_t c, const struct kerf_header *h);

static inline uint16_t *kerf_run_open(struct kerf_run *run)
{
    return kerf_run_tables(&run->t, (uintptr_t)KERF_STATE(run), run->h);
}

#if !KERF_CALL_IN_STATE
/* Writes run->regions and run->ranges to the workspace, and reads them; on devices they are there. */
void kerf_run_keep_regions(struct kerf_run *run);
void kerf_run_load_regions(struct kerf_run *run);
#else
static inline void kerf_run_keep_regions(struct kerf_run *run)
{
    (void)run;
}

static inline void kerf_run_load_regions(struct kerf_run *run)
{
    (void)run;
}
#endif
/* Sets every counter and weight to its start value. `end`: where run->t.bytes end. */
void kerf_run_reset(struct kerf_run *run, const uint16_t *end);

/* Codes the number v in the context `which`. Here and below: a decoder computes nothing of what there is to encode. */
#if KERF_ENCODER
kerf_pos kerf_run_number(struct kerf_run *run, enum kerf_number which, kerf_pos v);
#else
kerf_pos kerf_run_number_decode(struct kerf_run *run, enum kerf_number which);

static inline kerf_pos kerf_run_number(struct kerf_run *run, enum kerf_number which, kerf_pos v)
{
    (void)v;
    return kerf_run_number_decode(run, which);
}
#endif

/* A signed difference as a number, and back: 0, -1, 1, -2, 2 ... */
static inline kerf_pos kerf_run_fold(kerf_shift d)
{
    return ((kerf_pos)d << 1) ^ (kerf_pos)(d < 0 ? -1 : 0);
}

static inline kerf_pos kerf_run_unfold(kerf_pos v)
{
    return (v >> 1) ^ (0 - (v & 1));
}

/*
 * Codes a flag in n contexts, each cut to the size of the tables: KERF_REF_TABLES, "is this reference predicted
 * wrong?", or KERF_EQUAL_TABLES, "does this byte differ?".
 */
#if KERF_ENCODER
unsigned kerf_run_flag(struct kerf_run *run, const unsigned *contexts, unsigned n, unsigned bit);
#else
unsigned kerf_run_flag_decode(struct kerf_run *run, const unsigned *contexts, unsigned n);

static inline unsigned kerf_run_flag(struct kerf_run *run, const unsigned *contexts, unsigned n, unsigned bit)
{
    (void)bit;
    return kerf_run_flag_decode(run, contexts, n);
}
#endif

/* Bytes of an entry of a table of pairs. */
static inline size_t kerf_run_pair_bytes(const struct kerf_run *run)
{
    (void)run;
    return KERF_POS_BITS == 64 && (run->h->flags & KERF_FLAG_WIDE) != 0 ? 16 : 8;
}

/* Entry i of a table of pairs: 4-byte fields, or 8-byte ones in wide containers. */
static inline void kerf_run_pair_get(const struct kerf_run *run, const uint8_t *table, unsigned i, kerf_addr *key,
                                     kerf_shift *shift)
{
#if KERF_POS_BITS == 64
    if ((run->h->flags & KERF_FLAG_WIDE) != 0) {
        uint64_t pair[2];

        memcpy(pair, table + (size_t)i * 16, sizeof pair);
        *key = pair[0];
        *shift = (kerf_shift)pair[1];
        return;
    }
#endif
    const uint32_t *pair = (const uint32_t *)(const void *)(table + (size_t)i * 8); /* a multiple of four bytes */

    (void)run;
    *key = pair[0];
    *shift = (int32_t)pair[1];
}

static inline void kerf_run_pair_set(const struct kerf_run *run, uint8_t *table, unsigned i, kerf_addr key,
                                     kerf_shift shift)
{
#if KERF_POS_BITS == 64
    if ((run->h->flags & KERF_FLAG_WIDE) != 0) {
        uint64_t pair[2] = {key, (uint64_t)shift};

        memcpy(table + (size_t)i * 16, pair, sizeof pair);
        return;
    }
#endif
    uint32_t *pair = (uint32_t *)(void *)(table + (size_t)i * 8);

    (void)run;
    pair[0] = (uint32_t)key;
    pair[1] = (uint32_t)shift;
}

/* Addresses modulo 2^32 unless the container is wide. */
static inline kerf_addr kerf_run_addr(const struct kerf_run *run, kerf_addr addr)
{
#if KERF_POS_BITS == 64
    if ((run->h->flags & KERF_FLAG_WIDE) == 0) {
        return (uint32_t)addr;
    }
#endif
    (void)run;
    return addr;
}

/* The same, as a signed difference. */
static inline kerf_shift kerf_run_shift(const struct kerf_run *run, kerf_pos difference)
{
#if KERF_POS_BITS == 64
    if ((run->h->flags & KERF_FLAG_WIDE) == 0) {
        return (int32_t)(uint32_t)difference;
    }
#endif
    (void)run;
    return (kerf_shift)difference;
}

/* The region that holds an old position, a position of new, or an old address; NULL: none. */
enum kerf_place {
    KERF_OLD_POS,
    KERF_NEW_POS,
    KERF_OLD_ADDR,
};
const struct kerf_region *kerf_run_region(const struct kerf_run *run, enum kerf_place place, kerf_pos at);
/* Address of a position of new; positions outside every region are their own address. */
kerf_addr kerf_run_new_addr(const struct kerf_run *run, kerf_pos new_pos);

/* The bytes of old at src_pos: KERF_ISA_VIEW_LEN of them (zeros past the end of old). They are run->view then. */
const uint8_t *kerf_run_view_anew(struct kerf_run *run);

static inline const uint8_t *kerf_run_view(struct kerf_run *run)
{
#if KERF_ENCODER /* mostly they are there */
    const struct kerf_codec *c = run->c;

    if (run->old_image != NULL) {
        return run->view = run->old_image + c->src_pos;
    }
    if (c->src_pos - c->window_pos < c->window_len) {
        return run->view = c->window + (size_t)(c->src_pos - c->window_pos);
    }
#endif
    return kerf_run_view_anew(run);
}

#if KERF_ENCODER
/* The region of src_pos: nearly always that of the last one. */
static inline const struct kerf_region *kerf_run_source_region(struct kerf_run *run)
{
    const struct kerf_region *r = run->near;

    if (r == NULL || run->c->src_pos - r->old_pos >= r->old_len) {
        run->near = r = kerf_run_region(run, KERF_OLD_POS, run->c->src_pos);
        run->align = r == NULL || (r->kinds >> KERF_REF_RECORDS & 1) != 0 ? 0 : kerf_isa_align(r->isa);
    }
    return r;
}

/* With these what a position holds depends on what was passed before. */
#define KERF_REFS_OF_PLACES (1u << KERF_REF_RECORDS | 1u << KERF_REF_FILES)
#endif

/*
 * One byte of old, KERF_FROM_OLD, or of new as far as it was produced (in place: in this run of sectors), KERF_FROM_NEW; 0
 * outside. KERF_FROM_MADE: in place, of new wherever it was produced.
 */
enum kerf_from {
    KERF_FROM_OLD, /* these two as in from_new */
    KERF_FROM_NEW,
    KERF_FROM_MADE,
};
uint8_t kerf_run_byte(struct kerf_run *run, unsigned from, kerf_pos pos);

/* Codes a length, at least `min`, that may be "to the end of the run", by to_end[`to_end`] in place: c->left. source.c */
#if KERF_ENCODER
void kerf_run_span(struct kerf_run *run, enum kerf_number which, unsigned to_end, unsigned min, kerf_pos len);
#else
void kerf_run_span_decode(struct kerf_run *run, enum kerf_number which, unsigned to_end, unsigned min);

static inline void kerf_run_span(struct kerf_run *run, enum kerf_number which, unsigned to_end, unsigned min,
                                 kerf_pos len)
{
    (void)len;
    kerf_run_span_decode(run, which, to_end, min);
}
#endif

/* Codes which bytes a segment copies, and begins it. source.c */
#if KERF_ENCODER
void kerf_run_segment(struct kerf_run *run, const struct kerf_segment *segment);
#else
void kerf_run_segment_decode(struct kerf_run *run);

static inline void kerf_run_segment(struct kerf_run *run, const struct kerf_segment *segment)
{
    (void)segment;
    kerf_run_segment_decode(run);
}
#endif

/* Finds the reference in run->view at src_pos of a segment from old, if there is one that fits; advances the sweep. refs.c */
const struct kerf_region *kerf_ref_find(struct kerf_run *run, struct kerf_ref *ref);
/*
 * Codes the reference: predicts it, and corrects it. Writes ref->len bytes to out. False: prediction was given up, and
 * the bytes are to be coded one by one. refs.c
 */
bool kerf_ref_code(struct kerf_run *run, const struct kerf_ref *ref, const struct kerf_region *region, uint8_t *out);
#if KERF_ENCODER
/* For how many bytes from src_pos on, `most` at most, it is remembered that no reference begins there: the sweep was advanced. refs_skip.c */
unsigned kerf_ref_none(struct kerf_run *run, unsigned most);
/*
 * Decoding, with run->view at src_pos: how many bytes, `most` at most, begin no reference, as far as the form of an
 * instruction and the value of a word alone tell; the sweep was advanced. refs_skip.c
 */
unsigned kerf_ref_pass(struct kerf_run *run, unsigned most);
#endif
/* Notes the second halves of a pair without a value: for walking ahead while encoding. refs.c */
void kerf_ref_expect(struct kerf_run *run, const struct kerf_ref *ref);
#if KERF_ENCODER
/* How many of the learned targets in run->order, which are as many as there are, come up to a key; of the same key up to `slot`. refs_order.c */
unsigned kerf_ref_learned_rank(const struct kerf_run *run, unsigned count, kerf_addr key, unsigned slot);
/* A slot gets another key: it moves in run->order. `used`: it had one before. */
void kerf_ref_learned_move(const struct kerf_run *run, unsigned slot, bool used, kerf_addr key);
/* Decoding: has run->order be that of run->io, made anew if it is of another state; and says which state it is of now. refs.c */
void kerf_ref_order_load(struct kerf_run *run);
void kerf_ref_order_keep(const struct kerf_run *run);
#endif
/* The distance old_pos - new_pos that the address map gives for new_pos. refs.c */
kerf_shift kerf_ref_map_distance(const struct kerf_run *run, kerf_pos new_pos);

#endif
