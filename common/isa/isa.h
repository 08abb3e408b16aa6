/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isa.h - the seam between the codec and instruction sets: how references are found, read and written.
 *
 * A reference is an instruction field (or a pair of them), or a data word, that holds an address. Each instruction set
 * is one file, used in both directions; it sees a few bytes at one position and nothing else, so that a device finds
 * the same references in the old image as the generator did, from local context only (docs/FORMAT.md, "References").
 * Adding one: docs/ARCHITECTURE.md, "A new instruction set".
 */
#ifndef KERF_COMMON_ISA_H
#define KERF_COMMON_ISA_H

#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Build-time choice of instruction sets: 0 leaves one out; a delta that names it is then refused. */
#ifndef KERF_ISA_HAS_THUMB
#define KERF_ISA_HAS_THUMB 1
#endif
#ifndef KERF_ISA_HAS_A32
#define KERF_ISA_HAS_A32 1
#endif
#ifndef KERF_ISA_HAS_AARCH64
#define KERF_ISA_HAS_AARCH64 1
#endif
#ifndef KERF_ISA_HAS_XTENSA
#define KERF_ISA_HAS_XTENSA 1
#endif
#ifndef KERF_ISA_HAS_RISCV
#define KERF_ISA_HAS_RISCV 1
#endif
#ifndef KERF_ISA_HAS_X86
#define KERF_ISA_HAS_X86 1
#endif
#ifndef KERF_ISA_HAS_AVR
#define KERF_ISA_HAS_AVR 1
#endif
#ifndef KERF_ISA_HAS_MIPS
#define KERF_ISA_HAS_MIPS 1
#endif
/* These: not on devices unless they ask for it. */
#ifndef KERF_ISA_HAS_ARC
#define KERF_ISA_HAS_ARC (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_BA2
#define KERF_ISA_HAS_BA2 (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_HEXAGON
#define KERF_ISA_HAS_HEXAGON (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_MCS51
#define KERF_ISA_HAS_MCS51 (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_MIPS16
#define KERF_ISA_HAS_MIPS16 (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_NDS32
#define KERF_ISA_HAS_NDS32 (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_POWERPC
#define KERF_ISA_HAS_POWERPC (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_TC32
#define KERF_ISA_HAS_TC32 (KERF_POS_BITS == 64)
#endif
#ifndef KERF_ISA_HAS_VIDEOCORE
#define KERF_ISA_HAS_VIDEOCORE (KERF_POS_BITS == 64)
#endif
/* Type records of Linux (btf.c): not on devices unless they ask for it. */
#ifndef KERF_ISA_HAS_BTF
#define KERF_ISA_HAS_BTF (KERF_POS_BITS == 64)
#endif

/* ELF files in an image, each with addresses of its own (elf.c): likewise. */
#ifndef KERF_ISA_HAS_ELF
#define KERF_ISA_HAS_ELF (KERF_POS_BITS == 64)
#endif

/* Tables of words that count from themselves (offsets.c): likewise. */
#ifndef KERF_ISA_HAS_OFFSETS
#define KERF_ISA_HAS_OFFSETS (KERF_POS_BITS == 64)
#endif

/* Pointer words of 8 bytes, and big-endian ones (word.c). */
#ifndef KERF_ISA_HAS_WORDS
#define KERF_ISA_HAS_WORDS 1
#endif

/* Do any of them have references of two halves? Those of Thumb are left to the plain bytes. */
#define KERF_PAIRS_IN_BUILD                                                                                            \
    (KERF_ISA_HAS_A32 || KERF_ISA_HAS_AARCH64 || KERF_ISA_HAS_RISCV || KERF_ISA_HAS_AVR || KERF_ISA_HAS_MIPS ||        \
     KERF_ISA_HAS_POWERPC || KERF_ISA_HAS_NDS32 || KERF_ISA_HAS_MCS51 || KERF_ISA_HAS_HEXAGON)

/* Numbers in the format; never reused. */
enum kerf_isa_id {
    KERF_ISA_NONE = 0, /* data: words alone */
    KERF_ISA_THUMB = 1,
    KERF_ISA_A32 = 2,
    KERF_ISA_AARCH64 = 3,
    KERF_ISA_XTENSA_CALL0 = 4,
    KERF_ISA_XTENSA_WINDOWED = 5,
    KERF_ISA_RISCV32 = 6,
    KERF_ISA_RISCV64 = 7,
    KERF_ISA_X86 = 8,
    KERF_ISA_X86_64 = 9,
    KERF_ISA_AVR = 10,
    KERF_ISA_MIPS32_LE = 11,
    KERF_ISA_MIPS32_BE = 12,
    KERF_ISA_ARC = 13,
    KERF_ISA_VIDEOCORE = 14,
    KERF_ISA_BTF = 15, /* no instructions: type records, which regions of any set may hold (KERF_REF_RECORDS) */
    KERF_ISA_WORDS =
        16, /* neither: words of 8 bytes, or big-endian ones, which regions of any set may hold; no region says 16 */
    KERF_ISA_POWERPC_BE = 17,
    KERF_ISA_POWERPC_LE = 18,
    KERF_ISA_NDS32 = 19,
    KERF_ISA_MIPS16 = 20,
    KERF_ISA_TC32 = 21,
    KERF_ISA_MCS51 = 22,
    KERF_ISA_BA2 = 23,
    KERF_ISA_HEXAGON = 24,
    KERF_ISA_ELF = 25, /* neither: ELF files, which regions of any set may hold (KERF_REF_FILES); no region says 25 */
    KERF_ISA_OFFSETS = 26, /* no instructions: words of 4 bytes that count from themselves */
    KERF_ISA_COUNT = 27,
};

/* Which of them this build decodes: bit (1 << enum kerf_isa_id). */
#define KERF_ISAS_KNOWN                                                                                                \
    (1u << KERF_ISA_NONE | KERF_ISA_HAS_THUMB * (1u << KERF_ISA_THUMB) | KERF_ISA_HAS_A32 * (1u << KERF_ISA_A32) |     \
     KERF_ISA_HAS_AARCH64 * (1u << KERF_ISA_AARCH64) |                                                                 \
     KERF_ISA_HAS_XTENSA * (1u << KERF_ISA_XTENSA_CALL0 | 1u << KERF_ISA_XTENSA_WINDOWED) |                            \
     KERF_ISA_HAS_RISCV * (1u << KERF_ISA_RISCV32 | 1u << KERF_ISA_RISCV64) |                                          \
     KERF_ISA_HAS_X86 * (1u << KERF_ISA_X86 | 1u << KERF_ISA_X86_64) | KERF_ISA_HAS_AVR * (1u << KERF_ISA_AVR) |       \
     KERF_ISA_HAS_MIPS * (1u << KERF_ISA_MIPS32_LE | 1u << KERF_ISA_MIPS32_BE) |                                       \
     KERF_ISA_HAS_ARC * (1u << KERF_ISA_ARC) | KERF_ISA_HAS_VIDEOCORE * (1u << KERF_ISA_VIDEOCORE) |                   \
     KERF_ISA_HAS_BTF * (1u << KERF_ISA_BTF) | KERF_ISA_HAS_WORDS * (1u << KERF_ISA_WORDS) |                           \
     KERF_ISA_HAS_POWERPC * (1u << KERF_ISA_POWERPC_BE | 1u << KERF_ISA_POWERPC_LE) |                                  \
     KERF_ISA_HAS_NDS32 * (1u << KERF_ISA_NDS32) | KERF_ISA_HAS_MIPS16 * (1u << KERF_ISA_MIPS16) |                     \
     KERF_ISA_HAS_TC32 * (1u << KERF_ISA_TC32) | KERF_ISA_HAS_MCS51 * (1u << KERF_ISA_MCS51) |                         \
     KERF_ISA_HAS_BA2 * (1u << KERF_ISA_BA2) | KERF_ISA_HAS_HEXAGON * (1u << KERF_ISA_HEXAGON) |                       \
     KERF_ISA_HAS_ELF * (1u << KERF_ISA_ELF) | KERF_ISA_HAS_OFFSETS * (1u << KERF_ISA_OFFSETS))

/*
 * Kinds of reference: what they are to the models. A region's `kinds` says with bits (1 << kind) which are looked for.
 * Kind 0 is no reference; bit 0 is set for instruction sets from 16 on (kerf_isa_kinds()): kinds that are 0 stand for a
 * region without any.
 */
enum kerf_ref_kind {
    KERF_REF_NONE = 0,
    KERF_REF_WORD = 1,    /* aligned word that points into the image */
    KERF_REF_RAM = 2,     /* aligned word (or pair) that points into one of the header's ranges */
    KERF_REF_CALL = 3,    /* direct call */
    KERF_REF_JUMP = 4,    /* long unconditional jump */
    KERF_REF_BRANCH = 5,  /* conditional or short branch */
    KERF_REF_BRANCH2 = 6, /* the shortest ones */
    KERF_REF_LITERAL = 7, /* PC-relative load or address of a literal */
    KERF_REF_PAIR = 8,    /* first half of a two-instruction address; its target is coded here in full */
    KERF_REF_LOW = 9,     /* second half: follows from the first */
    KERF_REF_PAIR2 = 10,  /* a first half whose second was not found */
    KERF_REF_WORD8 = 11,  /* aligned 8-byte word that points into the image */
    KERF_REF_KINDS = 12,
    KERF_REF_FILES = 12,      /* not a kind: bit 12 of `kinds` says that ELF files are looked for (elf.c) */
    KERF_REF_RECORDS = 14,    /* not a kind: bit 14 of `kinds` says that type records are looked for (btf.c) */
    KERF_REF_BIG_ENDIAN = 15, /* not a kind: bit 15 of `kinds` says that words are big-endian */
};

/* Bytes at the position in question that a scan may look at; zeros stand for what is past the image's end. */
#define KERF_ISA_VIEW_LEN 32

/* An address in the device's address space, modulo 2^32 for containers that are not wide. */
typedef kerf_pos kerf_addr;

/* Second halves that one first half may have. */
#define KERF_REF_LOWS 3

/* On the stack of a device bytes take longer instructions than words. With Thumb alone all of them are in registers. */
#if KERF_PAIRS_IN_BUILD
typedef uint_fast8_t kerf_ref_byte;
#else
typedef uint8_t kerf_ref_byte;
#endif

struct kerf_ref {
    kerf_ref_byte kind;  /* enum kerf_ref_kind */
    kerf_ref_byte form;  /* which encoding; the instruction set's own number */
    kerf_ref_byte isa;   /* the set, which the codec fills in: second halves may lie in a region of another one */
    kerf_ref_byte len;   /* bytes, 2 .. 8 */
    kerf_ref_byte scale; /* log2 of the unit by which targets differ from each other */
    /* KERF_REF_PAIR: the instructions that complete it, at most KERF_REF_LOWS, the one that `target` includes first. */
    kerf_ref_byte low_count;
    uint8_t low_at[KERF_REF_LOWS];    /* bytes after the start of this reference */
    uint8_t low_form[KERF_REF_LOWS];  /* their forms */
    int16_t low_delta[KERF_REF_LOWS]; /* their targets minus `target`; [0] is 0 */
    kerf_ref_byte low_relative;       /* they hold target - address of the first half, not the target */
    kerf_ref_byte anywhere;           /* the target need not lie in the image or a range */
    uint8_t record;                   /* layout of the type record that this is part of; 0: of none */
    kerf_addr target;
};

/* What a scan looks at. */
struct kerf_isa_view {
    const uint8_t *p; /* KERF_ISA_VIEW_LEN bytes at the position */
    kerf_addr pc;     /* address of the position */
    uint16_t kinds;   /* which kinds are looked for */
    kerf_ref_byte
        boundary;   /* an instruction starts here, as far as the linear sweep from the segment's start can tell */
    uint8_t record; /* not at a boundary: the type record in progress, 0: none, */
    uint32_t rest;  /* and bytes to the next boundary, modulo 2^32 */
};

/*
 * Looks at one position. Returns the bytes that the linear sweep moves on by if an instruction starts here (1 .. 10);
 * when one or more bytes here are a reference of a kind that is looked for, fills *ref, else sets ref->kind to
 * KERF_REF_NONE. Of *ref all is 0 before, but for what kerf_word_read() left.
 * The target is not checked against the image: the codec does that. `isa` must be one that kerf_isa_known() accepts.
 */
unsigned kerf_isa_scan(unsigned isa, const struct kerf_isa_view *view, struct kerf_ref *ref);
#if KERF_ENCODER
/*
 * Of len bytes at address pc: where an instruction would start, of those that hold no reference of these kinds in
 * whatever sweep, `nothing` gets 0x11 * (1 + its length), or 0xff where that never is to be remembered; its other bytes
 * stay. Not of every instruction; words are not looked at.
 */
void kerf_isa_nothing(unsigned isa, unsigned kinds, const uint8_t *p, size_t len, kerf_addr pc, uint8_t *nothing);
/* The bits of an address that are 0 where an instruction starts: elsewhere kerf_isa_scan() finds nothing and returns 1. */
unsigned kerf_isa_align(unsigned isa);
/*
 * The same for a decoder, which comes to each position once. lens: what kerf_isa_pass() knows of a set and the kinds that
 * are looked for. False: of this set nothing.
 */
#define KERF_PASS_FORMS 64 /* KERF_FORM_WORDS */
bool kerf_isa_lens(unsigned isa, unsigned kinds, uint8_t lens[KERF_PASS_FORMS]);
/*
 * How many of len bytes at address pc hold no reference in whatever sweep, words apart, as far as lens tell; behind them
 * a view can be looked at. *next: where, counted from p, the sweep comes to an instruction; it is moved on.
 */
size_t kerf_isa_pass(unsigned isa, const uint8_t lens[KERF_PASS_FORMS], const uint8_t *p, size_t len, kerf_addr pc,
                     size_t *next);
/*
 * A reference of this form, as in kerf_isa_code(), whose instruction moves from one address to another: are its bytes the
 * same with the new target, as its value is? False: that is not known so quickly.
 */
bool kerf_isa_stays(unsigned form, const struct kerf_ref *ref, kerf_addr from, kerf_addr to, kerf_addr target);
/* `scale` of a reference of this form, below KERF_FORM_WORDS, that is no KERF_REF_PAIR. */
unsigned kerf_isa_scale(unsigned isa, unsigned form);
#endif

/*
 * Of an instruction (or a half of a pair, or a word) at address pc, of the form `form` & 0xff in the set `form` >> 8:
 * returns the target that its fields hold. `target`: writes that instead, into fields of p that hold the old encoding;
 * other bits stay.
 */
kerf_addr kerf_isa_code(unsigned form, uint8_t *p, kerf_addr pc, const kerf_addr *target);

static inline kerf_addr kerf_isa_target(unsigned isa, unsigned form, const uint8_t *p, kerf_addr pc)
{
    return kerf_isa_code(isa << 8 | form, (uint8_t *)(uintptr_t)p, pc, NULL); /* written only where there is a target */
}

static inline void kerf_isa_put(unsigned isa, unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    (void)kerf_isa_code(isa << 8 | form, p, pc, &target);
}

#if KERF_ENCODER
/*
 * The same for a whole reference in p (view length readable): the second half of a pair is at p + low_at[0]. False:
 * these bytes are not of this form.
 */
bool kerf_isa_get(unsigned isa, const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target);
#endif

/* True if this build knows the instruction set. */
static inline bool kerf_isa_known(unsigned isa)
{
    return isa < KERF_ISA_COUNT && (KERF_ISAS_KNOWN >> isa & 1) != 0;
}

/* What a region's `kinds` are where these are looked for. */
static inline uint16_t kerf_isa_kinds(unsigned isa, unsigned kinds)
{
    return (uint16_t)((kinds & ~1u) | isa >> 4);
}

/*
 * The sets that a region takes: bit `isa`; KERF_ISA_BTF where its kinds have KERF_REF_RECORDS; KERF_ISA_WORDS where
 * they have KERF_REF_WORD8 or KERF_REF_BIG_ENDIAN, KERF_ISA_ELF where they have KERF_REF_FILES. isa: modulo 32.
 */
static inline uint32_t kerf_isa_needs(unsigned isa, unsigned kinds)
{
    const unsigned words = 1u << KERF_REF_WORD8 | 1u << KERF_REF_BIG_ENDIAN;

    return (uint32_t)1 << (isa & 31u) | (uint32_t)(kinds >> KERF_REF_RECORDS & 1u) << KERF_ISA_BTF |
           (uint32_t)((kinds & words) != 0) << KERF_ISA_WORDS |
           (uint32_t)(kinds >> KERF_REF_FILES & 1u) << KERF_ISA_ELF;
}

/* True if this build has all sets that such a region takes. */
static inline bool kerf_isa_takes(unsigned isa, unsigned kinds)
{
    return (kerf_isa_needs(isa, kinds) & ~KERF_ISAS_KNOWN) == 0;
}

/* --- The instruction sets, one file each. Forms below KERF_FORM_WORDS are an ISA's own. --- */
#define KERF_FORM_WORDS 64 /* word.c's forms start here, */
#define KERF_FORM_ELF 80   /* elf.c's: 8 bytes from the file's header, 4 from the table, back, from here */
#define KERF_FORM_BTF 96   /* and btf.c's: a name, a type */

/* `wide`: x86-64. The other instruction sets are tables (form.h). */
unsigned kerf_x86_scan(bool wide, const struct kerf_isa_view *view, struct kerf_ref *ref);
kerf_addr kerf_x86_code(unsigned form, uint8_t *p, kerf_addr pc, const kerf_addr *target);
bool kerf_x86_is(bool wide, unsigned form, const uint8_t *p);
/* How many of len bytes at p begin no reference of any kind. */
size_t kerf_x86_pass(bool wide, const uint8_t *p, size_t len);

/*
 * Type records (btf.c), for regions with KERF_REF_RECORDS. *ref is all 0. Returns the bytes to the end of the record
 * that lies here and fills in ref->record, and all of *ref where the word is a reference; 0: there is no record here.
 */
unsigned kerf_btf_scan(const struct kerf_isa_view *view, struct kerf_ref *ref);
kerf_addr kerf_btf_code(unsigned form, uint8_t *p, const kerf_addr *target);

/* Where the ELF header, and the table of frames, that were passed last are: addresses of old and of new, modulo 2^32. */
struct kerf_elf {
    uint32_t file[2], table[2];
    uint32_t table_len; /* bytes of the table's entries; 0: none is in progress */
};

#define KERF_ELF_FRAME 8 /* of `record`: the frame of a function, up to where that is told */

/*
 * ELF files (elf.c), for regions with KERF_REF_FILES. *ref is all 0; new_pc: the address of new that the position comes
 * to. Passes headers, and returns what the sweep goes on by where an entry of a table or a frame lies; 0: there is
 * neither. ref->record is KERF_ELF_FRAME in a frame, and ref->kind not 0 where the word is a reference.
 */
unsigned kerf_elf_scan(const struct kerf_isa_view *view, kerf_addr new_pc, struct kerf_elf *elf, struct kerf_ref *ref);
/* The word of 8 bytes here as an address of its file. False: it is none; ref->len is 8 where only its place is wrong. */
bool kerf_elf_word(const struct kerf_isa_view *view, const struct kerf_elf *elf, struct kerf_ref *ref);
/* What such a reference counts from in new, and kerf_isa_code() of it with that base. */
kerf_addr kerf_elf_base(unsigned form, kerf_addr new_pc, const struct kerf_elf *elf);
kerf_addr kerf_elf_code(unsigned form, uint8_t *p, kerf_addr base, const kerf_addr *target);
/* Is this a header? Of a table: bytes of its entries, behind 12 of its own; else 0. */
bool kerf_elf_pins(const uint8_t *p);
bool kerf_elf_is_frame(const uint8_t *p);
size_t kerf_elf_table_len(const uint8_t *p);

/*
 * The pointer word at a position (word.c): of 8 bytes where `kinds` has KERF_REF_WORD8, else of 4. The codec asks for
 * it first. Fields of *ref that no word needs stay.
 * False: it is none, since it does not fit a position. Whether it is aligned, and points anywhere, is for the codec to
 * check.
 */
bool kerf_word_read(const struct kerf_isa_view *view, struct kerf_ref *ref);

#ifdef __cplusplus
}
#endif

#endif
