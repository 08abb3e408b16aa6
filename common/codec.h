/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h - the native payload codec, both directions from one source (docs/FORMAT.md, "Native payload").
 *
 * The payload is: the address map; then, until the new image is complete, a gap of literals and a segment copied from
 * old (or from new, already written) with references predicted through the map and corrections for what differs.
 *
 * In place, new is produced sector by sector in the order that the payload says ("In place"). What a call hands out
 * lies in one sector, and ends at kerf_codec_new_pos(); KERF_SECTOR says that a sector is complete. read_old() gives
 * what the slot holds at that moment: it changes between a KERF_SECTOR and the next call, where that completes a group
 * of as many sectors as the header says, and by all of the group at once. Sectors may also be made to hold what is
 * still needed of old, some of them behind the slot's end (in scratch): positions up to kerf_header_sectors() sectors
 * are then asked for. read_new() gives sectors of the group in progress and those that are in the slot; a damaged
 * payload may ask for any other position inside new, and what it gets does not matter.
 *
 * The state is one flat block: struct kerf_codec and, right behind it, its tables. It may be copied between calls: what
 * it holds of pointers is set anew by each. Memory comes from the caller. Nothing is read or written outside of old,
 * new and the block, whatever the input; the work is bounded by new_size. Reentrant.
 */
#ifndef KERF_COMMON_CODEC_H
#define KERF_COMMON_CODEC_H

#include "common/container.h"
#include "common/error.h"
#include "common/isa/isa.h"
#include "common/model.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_STEP_MAX 64 /* bytes of input that one decoding step takes at most */
#define KERF_STEP_OUT 16 /* bytes of output that one decoding step writes at most */
#if KERF_POS_BITS == 32 && !KERF_ENCODER && UINTPTR_MAX > UINT32_MAX
#define KERF_CODEC_STATE 480u /* a device's code on a host of 64 bits, for tests */
#else
#define KERF_CODEC_STATE 368u /* bytes of workspace that the formula counts for struct kerf_codec */
#endif
#define KERF_CODEC_WINDOW 64 /* bytes of old kept for looking at */
#define KERF_MAP_UNIT 8      /* starts of map entries are multiples of this */
#define KERF_RECENT 4        /* recent distances between old and new */
#define KERF_PAIRS 8         /* second halves waited for */

/*
 * Where source bytes come from. `pos` and `len` are always inside the old image / what was written of new. In place
 * read_new() is asked for anything inside new, read_old() for what a sector holds that was made to hold old, too.
 */
struct kerf_codec_io {
    void *ctx;
    kerf_err (*read_old)(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
    kerf_err (*read_new)(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
#if KERF_ENCODER
    struct kerf_order_of_learned *order; /* NULL: none */
#endif
};

#if KERF_ENCODER
/*
 * Hosts: which learned target comes where by its key, kept between the steps of a payload, so that one of a thousand is
 * found by halves. All zero when a payload begins or is resumed; nothing that is decoded depends on it.
 */
struct kerf_order_of_learned {
    kerf_pos new_pos; /* the state that it is of: where it is in new, */
    uint16_t len;     /* and how many targets it knows */
    uint16_t slots[KERF_MAX_LEARNED];
};
#endif

/* A second half that is expected at an old position. */
struct kerf_pair {
    uint32_t old_pos; /* modulo 2^32 */
    uint32_t value;   /* what it should hold, modulo 2^32 */
};

/*
 * A copy of len bytes to new_pos: of old, with references and corrections, or of new already written, as they are.
 * Segments from new may overlap what they write.
 */
struct kerf_segment {
    kerf_pos new_pos, src_pos, len;
    bool from_new;
};

/* What the next bytes of a segment turned out to be; for statistics. */
enum kerf_step {
    KERF_STEP_QUIET,     /* a byte that equals its source inside a quiet stretch, or of a segment from new */
    KERF_STEP_EQUAL,     /* a byte that equals its source */
    KERF_STEP_DIFFERENT, /* a byte that does not */
    KERF_STEP_REF,       /* a reference that was predicted right */
    KERF_STEP_REF_WRONG, /* a reference that was corrected, or left to plain bytes */
};

/* Where only devices decode, a call's fields are in the state, so that one pointer leads to all. */
#define KERF_CALL_IN_STATE (KERF_POS_BITS == 32 && !KERF_ENCODER)

/* Where the state's tables are. Pairs take 4 or 8 bytes each. */
struct kerf_tables {
#if KERF_CALL_IN_STATE
    struct kerf_region *regions; /* the ranges follow */
#endif
    uint8_t *map;     /* pairs of start and shift */
    uint8_t *learned; /* pairs of target and shift */
    struct kerf_move_entry *moves;
    int16_t *weights;
    uint16_t *counters; /* single ones, then those of numbers */
    uint16_t *flags;    /* of one size, of references and of equal bytes */
    uint16_t *bytes;
};

/*
 * What a call has besides: set at its beginning, of no meaning behind its end.
 *   k                     the coder; on a device the first, so that one pointer leads to it, too
 *   h, io, out, out_pos   from the call; out: bytes of new from out_pos on that this call produced
 *   view                  kerf_run_view()
 */
#define KERF_CALL_FIELDS                                                                                               \
    const struct kerf_header *h;                                                                                       \
    const uint8_t *view;                                                                                               \
    uint8_t *out;                                                                                                      \
    kerf_pos out_pos;                                                                                                  \
    struct kerf_tables t;                                                                                              \
    const struct kerf_codec_io *io;

/* On a device the nearest fields take the shortest instructions: bytes come first, tables last. */
struct kerf_codec {
#if KERF_CALL_IN_STATE
    struct kerf_coder k;
#endif
    uint8_t window_len; /* positions in window that a view may begin at; 0: it is empty */
    uint8_t copying;    /* `left` is of a segment, not of a gap */
    uint8_t from_new;   /* the segment's source is new */
    uint8_t between;    /* literals between the last two segments, 3: or more */
#if KERF_ENCODER
    uint8_t jump; /* for statistics: enum jump in source.c */
#endif
    uint8_t old_prev;  /* source byte before src_pos */
    uint8_t last_diff; /* newest nonzero difference of a byte */
    uint8_t equal_history, ref_history;
    uint8_t
        stretch; /* twice the bytes that one flag still speaks for, and 0: they equal their source, 1: it is told of each */
    uint8_t slip; /* how far phases are from new_pos, by the header's rule */
#if KERF_CALL_IN_STATE
    uint8_t err; /* of the call (run.h) */
#endif
    uint8_t keeping; /* in place: the sector in progress is to hold old */
    uint8_t record;  /* of a set with records: the one in progress (isa/isa.h) */
    uint8_t pair_next;
    uint16_t map_len;                   /* map entries known so far */
    uint16_t learned_len, learned_next; /* learned targets; where the next one goes */
    uint16_t moves_len;                 /* stretches of old that moved */
#if KERF_ISA_HAS_ELF
    struct kerf_elf elf; /* of the ELF files that were passed */
#endif
    uint32_t gap;                /* plain bytes and references since the last mismatch, modulo 2^32 */
    kerf_pos new_pos;            /* where the next byte of new goes */
    kerf_pos new_end;            /* end of the run of sectors in progress; of new, where not in place */
    kerf_pos left;               /* bytes left of the gap or segment in progress */
    kerf_pos src_pos;            /* next byte of the segment's source */
    kerf_pos seg_start, old_end; /* old positions where the last segment from old starts and ends */
    kerf_pos insn_end;           /* old position where the sweep expects the next instruction */
    kerf_pos raw_end;            /* no references begin at old positions before this */
#if KERF_CALL_IN_STATE
    KERF_CALL_FIELDS
#endif
    kerf_shift recent[2][KERF_RECENT]; /* source - new_pos of recent segments from old and from new, newest first */
    uint32_t new_tail;                 /* newest four bytes of new, the newest lowest */
    kerf_pos window_pos;               /* position of window[0] in old */
    uint32_t pair_high;                /* the largest old_pos in pairs */
    uint32_t sectors_left;             /* in place: sectors after the run in progress, else 0 */
    uint32_t run_start, run_len;       /* in place: the run in progress, in sectors */
    kerf_pos old_there;                /* in place: of old, nothing is left behind this */
#if !KERF_CALL_IN_STATE
    struct kerf_rc_state coder; /* between calls */
#endif
    struct kerf_pair pairs[KERF_PAIRS];
    uint8_t pair_form[KERF_PAIRS], pair_isa[KERF_PAIRS];
    uint8_t window[KERF_CODEC_WINDOW];
};

/*
 * Bytes for struct kerf_codec and its tables: the codec's part of kerf_header_workspace(), the same number on every
 * machine. 0 for payloads that are not native.
 */
size_t kerf_codec_workspace(const struct kerf_header *header);

/*
 * Bytes of workspace that the decoder needs for this header, page buffer of the port apart: FORMAT.md's formula, the
 * same number on every machine. SIZE_MAX when it exceeds the address space. The header must come from parse or write.
 */
size_t kerf_header_workspace(const struct kerf_header *header);

/*
 * Sets up the state in a block of kerf_codec_workspace() bytes, aligned to 8; chunk0 is what `header` was parsed from.
 * KERF_ERR_UNSUPPORTED: a region of an ISA that this build lacks, or in place without KERF_IN_PLACE. KERF_ERR_FORMAT:
 * bad tables.
 */
KERF_MUST_USE kerf_err kerf_codec_init(struct kerf_codec *c, const uint8_t *chunk0, const struct kerf_header *header);

/*
 * Decodes as much as `in` and `out` allow; `header` is that of kerf_codec_init(). in[*in_pos .. in_len) is payload that
 * was not used before; `last`: none follows it. out[0 .. *out_len) are the newest bytes of new, which read_new() is not
 * asked for; out_cap - *out_len >= KERF_STEP_OUT. Moves *in_pos and *out_len past what it took and wrote. Without
 * `last` it stops before fewer than KERF_STEP_MAX bytes of input remain; with it *in_pos may come to lie behind in_len, by
 * the zero bytes that were made up there.
 *   KERF_OK      more input, or room for output, is needed
 *   KERF_SECTOR  in place: a sector is complete, and another follows
 *   KERF_END     the new image is complete and the input used up
 *   KERF_ERR_CORRUPT (devices: seldom, run.h), KERF_ERR_TRAILING (input left over), or an error of `io`: the state is of no
 *   more use
 */
KERF_MUST_USE kerf_err kerf_codec_step(struct kerf_codec *c, const struct kerf_header *header,
                                       const struct kerf_codec_io *io, const uint8_t *in, size_t in_len, bool last,
                                       size_t *in_pos, uint8_t *out, size_t out_cap, size_t *out_len);

/* Bytes to come that equal their source, references apart, as a flag has told. */
static inline unsigned kerf_codec_quiet(const struct kerf_codec *c)
{
    return (c->stretch & 1) != 0 ? 0 : c->stretch / 2u;
}

/* The end, in new, of what the last call of kerf_codec_step() produced; after KERF_SECTOR and KERF_END that of a sector. */
static inline kerf_pos kerf_codec_new_pos(const struct kerf_codec *c)
{
    return c->new_pos;
}

#ifdef __cplusplus
}
#endif

#endif
