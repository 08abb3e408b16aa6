/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - what codec.c, tables.c and refs.c share: the state of one call. Not for others.
 */
#ifndef KERF_COMMON_RUN_H
#define KERF_COMMON_RUN_H

#include <string.h>

#include "common/codec.h"

/* Numbers and their counters: two runs of num_cap counters each. */
enum kerf_number {
    KERF_NUM_GAP,
    KERF_NUM_JUMP,
    KERF_NUM_LEN_OLD,
    KERF_NUM_LEN_NEW,        /* of a far jump into new, */
    KERF_NUM_LEN_AGAIN,      /* at a recent distance */
    KERF_NUM_DISTANCE,       /* of long segments from new, */
    KERF_NUM_DISTANCE_SHORT, /* below four bytes */
    KERF_NUM_MAP_START,
    KERF_NUM_MAP_SHIFT,
    KERF_NUM_FIX_CALL,
    KERF_NUM_FIX_RAM,
    KERF_NUM_FIX_WORD,
    KERF_NUM_FIX_OTHER,
    KERF_NUM_COUNT,
};

#define KERF_SYM_SOURCE 0 /* 4: by the source before, and whether there were literals since */
#define KERF_SYM_JUMP 4   /* 4 x 8: by the source before; from new: by whether there were literals */
#define KERF_SYM_QUIET 36
#define KERF_SYM_ALIGNED 37 /* 2: far jumps, map shifts */
#define KERF_SYM_RUN 39     /* 2: where a run of sectors lies */
#define KERF_SYM_TO_END 41  /* 3: of gaps, of segments by the source */
#define KERF_SYM_HOW 44     /* 4 for each kind */

#define KERF_BYTE_TABLES 5
#define KERF_REF_TABLES 3
#define KERF_EQUAL_TABLES 4
#define KERF_BYTE_SETS 5 /* weight sets: residues, literals by position modulo 4 */
#define KERF_EQUAL_SETS 2
#define KERF_WEIGHTS_EQUAL (KERF_REF_TABLES + 1)
#define KERF_WEIGHTS_BYTES (KERF_WEIGHTS_EQUAL + KERF_EQUAL_SETS * (KERF_EQUAL_TABLES + 1))

/* Sizes of the counter tables of one flag class, in counters. */
struct kerf_flag_sizes {
    uint8_t num_of[KERF_NUM_COUNT]; /* which run of counters a number uses: small classes share them */
    uint8_t num_cap;                /* counters each */
    uint8_t kinds;                  /* groups of reference kinds told apart */
    uint16_t ref[KERF_REF_TABLES];
    uint16_t equal[KERF_EQUAL_TABLES];               /* powers of two */
    uint16_t symbols_at, ref_at, equal_at, bytes_at; /* counters in front of them; bytes are the last */
};

/* One call's view of the state: tables resolved to pointers, the coder, and where output goes. */
struct kerf_run {
    struct kerf_codec *c;
    struct kerf_coder *k;
    const struct kerf_codec_io *io;
    const struct kerf_flag_sizes *sizes;
#if KERF_POS_BITS == 64
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
#else
    struct kerf_region *regions;
    struct kerf_range *ranges;
#endif
    uint8_t *map;     /* pairs of start and shift, 4 or 8 bytes each */
    uint8_t *learned; /* pairs of target and shift */
    uint8_t *map_history;
    uint16_t *numbers;
    uint16_t *symbols;
    uint16_t *bytes;
    int16_t *weights;   /* of references, KERF_WEIGHTS_EQUAL on of equal flags, KERF_WEIGHTS_BYTES on of bytes */
    const uint8_t *out; /* bytes of new from out_pos on that this call produced */
    kerf_pos out_pos;
    const uint8_t *new_image; /* encoding: the new image, else NULL */
#if KERF_ENCODER
    const uint8_t *old_image; /* all of old, KERF_ISA_VIEW_LEN zero bytes behind it; NULL: through io */
    uint8_t *nothing; /* for each byte of old, what refs.c remembers of it; all zero at first. NULL: no memory */
#endif
};

static inline bool kerf_run_in_place(const struct kerf_codec *c)
{
    return KERF_IN_PLACE && (c->flags & KERF_FLAG_IN_PLACE) != 0;
}

/* In place: bytes from new_pos to the end of its sector; 0 where one begins. */
static inline kerf_pos kerf_run_sector_rest(const struct kerf_codec *c)
{
    return -c->new_pos & (((kerf_pos)1 << c->sector_log2) - 1);
}

#if KERF_IN_PLACE
/*
 * Codes which run of sectors is produced next, start .. start + len - 1, and begins it. in_place.c
 */
KERF_MUST_USE kerf_err kerf_run_sectors(struct kerf_run *run, uint32_t start, uint32_t len);
#endif

/* Resolves the tables of `c`. */
void kerf_run_open(struct kerf_run *run, struct kerf_codec *c);
#if KERF_POS_BITS == 64
/* Writes run->regions and run->ranges to the workspace; where positions have 32 bits they are there. */
void kerf_run_keep_regions(struct kerf_run *run);
#endif
/* Sets every counter and weight to its start value. */
void kerf_run_reset(struct kerf_run *run);

/* Codes the number *v in the context `which`. */
KERF_MUST_USE kerf_err kerf_run_number(struct kerf_run *run, enum kerf_number which, kerf_pos *v);

/*
 * Codes a signed difference, a multiple of 2^scale (0 .. 2). Most are multiples of 4: `aligned` learns whether, and two bits
 * are saved.
 */
KERF_MUST_USE kerf_err kerf_run_signed(struct kerf_run *run, enum kerf_number which, uint16_t *aligned, unsigned scale,
                                       kerf_shift *difference);

/* Entry i of a table of pairs: 4-byte fields, or 8-byte ones in wide containers. */
static inline void kerf_run_pair_get(const struct kerf_run *run, const uint8_t *table, unsigned i, kerf_addr *key,
                                     kerf_shift *shift)
{
#if KERF_POS_BITS == 64
    if ((run->c->flags & KERF_FLAG_WIDE) != 0) {
        uint64_t pair[2];

        memcpy(pair, table + (size_t)i * 16, sizeof pair);
        *key = pair[0];
        *shift = (kerf_shift)pair[1];
        return;
    }
#endif
    uint32_t pair[2];

    (void)run;
    memcpy(pair, table + (size_t)i * 8, sizeof pair);
    *key = pair[0];
    *shift = (int32_t)pair[1];
}

static inline void kerf_run_pair_set(const struct kerf_run *run, uint8_t *table, unsigned i, kerf_addr key,
                                     kerf_shift shift)
{
#if KERF_POS_BITS == 64
    if ((run->c->flags & KERF_FLAG_WIDE) != 0) {
        uint64_t pair[2] = {key, (uint64_t)shift};

        memcpy(table + (size_t)i * 16, pair, sizeof pair);
        return;
    }
#endif
    uint32_t pair[2] = {(uint32_t)key, (uint32_t)shift};

    (void)run;
    memcpy(table + (size_t)i * 8, pair, sizeof pair);
}

/* Addresses modulo 2^32 unless the container is wide. */
static inline kerf_addr kerf_run_addr(const struct kerf_run *run, kerf_addr addr)
{
#if KERF_POS_BITS == 64
    if ((run->c->flags & KERF_FLAG_WIDE) == 0) {
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
    if ((run->c->flags & KERF_FLAG_WIDE) == 0) {
        return (int32_t)(uint32_t)difference;
    }
#endif
    (void)run;
    return (kerf_shift)difference;
}

/* Address of a position; positions outside every region are their own address. */
kerf_addr kerf_run_old_addr(const struct kerf_run *run, kerf_pos old_pos);
kerf_addr kerf_run_new_addr(const struct kerf_run *run, kerf_pos new_pos);

/*
 * The source bytes at src_pos: *view points at KERF_ISA_VIEW_LEN bytes (zeros past the end of old). For a segment from new
 * only bytes already written are there, at least one.
 */
KERF_MUST_USE kerf_err kerf_run_view(struct kerf_run *run, const uint8_t **view);
/*
 * What a literal would be if the segment before went on: the byte of its source's image at the last distance, 0 where there is
 * none.
 */
KERF_MUST_USE kerf_err kerf_run_expected(struct kerf_run *run, uint8_t *byte);
/* One byte of old, 0 outside of it. */
KERF_MUST_USE kerf_err kerf_run_old_byte(struct kerf_run *run, kerf_pos old_pos, uint8_t *byte);

/* Codes a length, at least `min`, that may be "to the end of the run", by to_end[`to_end`] in place. source.c */
KERF_MUST_USE kerf_err kerf_run_span(struct kerf_run *run, enum kerf_number which, unsigned to_end, unsigned min,
                                     kerf_pos *len);
/* Codes from which image a segment is, how its source is told, and its length: c->from_new, jump and left. source.c */
KERF_MUST_USE kerf_err kerf_run_source(struct kerf_run *run, const struct kerf_segment *segment);
/*
 * Codes the rest of where the source is, by what kerf_run_source() left, and sets up the segment. `distance`: encoding, the
 * source's position - new_pos. source.c
 */
KERF_MUST_USE kerf_err kerf_run_place(struct kerf_run *run, kerf_shift distance);

/* Finds the reference at src_pos of a segment from old, if there is one that fits; advances the sweep. refs.c */
KERF_MUST_USE kerf_err kerf_ref_find(struct kerf_run *run, struct kerf_ref *ref, const struct kerf_region **region);
/*
 * Codes the reference: predicts it, and corrects it. Writes ref->len bytes to out; *plain: prediction was given up, and the
 * bytes are to be coded one by one. *right: the prediction held. refs.c
 */
KERF_MUST_USE kerf_err kerf_ref_code(struct kerf_run *run, const struct kerf_ref *ref, const struct kerf_region *region,
                                     uint8_t *out, bool *right, bool *plain);
/* Notes the second halves of a pair without a value: for walking ahead while encoding. refs.c */
void kerf_ref_expect(struct kerf_run *run, const struct kerf_ref *ref);
/* The distance old_pos - new_pos that the address map gives for new_pos; false: none. refs.c */
bool kerf_ref_map_distance(const struct kerf_run *run, kerf_pos new_pos, kerf_shift *distance);

#endif
