/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - both images while they are looked at: what image.c and the files of its steps share. Not for others.
 */
#ifndef KERF_DIFFGEN_LOOK_H
#define KERF_DIFFGEN_LOOK_H

#include "diffgen/detect.h"
#include "diffgen/image.h"

/* Old says alone which instruction set it is, where it has so many times the votes that are enough. */
#define KERF_VOTES_CLEAR 4u
/* A shorter region costs more header than it can save. */
#define KERF_MIN_REGION 64u

struct kerf_look_side {
    const uint8_t *p;
    size_t len;
    struct kerf_layout layout;
};

/* What is known so far; [0] is of old, [1] of new. It may be copied. */
struct kerf_look {
    struct kerf_look_side sides[2];
    struct kerf_votes votes[2];
    unsigned isa; /* KERF_ISA_COUNT: not known yet */
    bool wide;    /* positions take 8 bytes */
    bool records; /* there are type records of Linux (BTF), */
    bool files;   /* ELF files */
    bool words;   /* load addresses are known: words may be pointers */
};

/* --- look_isa.c --- */

#define KERF_BIT_OF(kind) (1u << (kind))
#define KERF_WORDS (KERF_BIT_OF(KERF_REF_WORD) | KERF_BIT_OF(KERF_REF_RAM))
#define KERF_WORDS8 KERF_BIT_OF(KERF_REF_WORD8)
#define KERF_BIG_ENDIAN_WORDS KERF_BIT_OF(KERF_REF_BIG_ENDIAN)

/* What an instruction set has: 1 << reference kind each. */
struct kerf_isa_traits {
    const char *name;   /* as --isa takes it */
    const char *people; /* as reports call it */
    uint16_t kinds;     /* references that its instructions hold */
    uint16_t words;     /* and its pointers */
};

extern const struct kerf_isa_traits kerf_isa_traits[KERF_ISA_COUNT];

static inline bool kerf_look_big_endian(unsigned isa, const struct kerf_look_side *side)
{
    return side->layout.big_endian || (kerf_isa_traits[isa].words & KERF_BIG_ENDIAN_WORDS) != 0;
}

static inline bool kerf_look_wide_words(unsigned isa)
{
    return (kerf_isa_traits[isa].words & KERF_WORDS8) != 0;
}

/* The instruction set of this name; KERF_ISA_COUNT: none has it. */
unsigned kerf_isa_by_name(const char *name);

/* Lays a side out as one stretch at `addr`. */
void kerf_look_one_span(struct kerf_look_side *side, uint64_t addr);

/* Has a side's stretches vote for the instruction set. */
void kerf_look_vote(const struct kerf_look_side *side, struct kerf_votes *votes);

/* Sets look->isa where it is not known: what the container says, or the votes, or a hint. */
KERF_MUST_USE kerf_err kerf_look_isa(struct kerf_look *look, const struct kerf_diff_options *options);

/* --- look_base.c --- */

/*
 * Finds the load addresses of images without a header that says them; a hint of an image knows better. look->words:
 * found for one of them at least.
 */
KERF_MUST_USE kerf_err kerf_look_bases(struct kerf_look *look, const struct kerf_diff_options *options);

/* --- look_pairs.c --- */

/* Stretches of the two images that belong together. */
struct kerf_look_pair {
    struct kerf_span old_span, new_span;
};

struct kerf_look_pairs {
    unsigned count;
    struct kerf_look_pair at[KERF_MAX_SPANS];
};

/* Pairs the stretches of both sides: at most KERF_MAX_REGIONS pairs, in order. What is too short is dropped from the sides. */
void kerf_look_pair(struct kerf_look_side sides[2], struct kerf_look_pairs *pairs);

#endif
