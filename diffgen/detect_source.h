/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detect_source.h - words of an image that may be pointers, and what they may point to: the starts of functions and
 * strings. For detect_base.c and detect_agree.c, which are inside loops of this all the time.
 */
#ifndef KERF_DIFFGEN_DETECT_SOURCE_H
#define KERF_DIFFGEN_DETECT_SOURCE_H

#include "common/bytes.h"
#include "diffgen/detect.h"

/* Printable characters of what is taken for a string. */
#define MIN_STRING 5u
#define MAX_STRING 200u
/* Smaller words are numbers. */
#define MIN_POINTER 0x400u
/* What MIPS jumps reach: their targets are known modulo this. */
#define REGION_LEN 0x10000000u
#define AARCH64_NOPS 0xd503201fd503201fu /* two of them */

/* How words and starts are found. */
struct kerf_source {
    const uint8_t *p;
    size_t len;
    unsigned isa;
    bool wide, big_endian;
    bool vectors; /* a Cortex-M's vector table is in front: its reset vector lies in the image */
    bool quick;   /* a part of the image tells where starts are */
    bool calls; /* the words are the targets of MIPS jumps, 2^28 to 2^29: the image may begin below its first address */
};

/* Pointers to Thumb, TC32 and MIPS16e code have bit 0 set; jumps have not. */
static inline bool kerf_source_is_odd(const struct kerf_source *s)
{
    return s->isa == KERF_ISA_THUMB || s->isa == KERF_ISA_TC32 || (s->isa == KERF_ISA_MIPS16 && !s->calls);
}

/* The word at position i, if it might be a pointer. */
static inline bool kerf_source_word(const struct kerf_source *s, size_t i, uint64_t *word)
{
    if (s->wide) {
        *word = kerf_load_le64(s->p + i);
        /* Addresses have but 48 bits, and the others repeat the highest: hardly ever do two instructions look so. */
        if (*word >> 47 != 0 && *word >> 47 != 0x1ffff) {
            return false;
        }
    } else {
        *word = s->big_endian ? kerf_load_be32(s->p + i) : kerf_load_le32(s->p + i);
    }
    if (s->calls && s->isa == KERF_ISA_MIPS16) {
        bool jal = (*word & 0xfc00) == 0x1800;

        *word = REGION_LEN + ((*word >> 14 & 0x3fffc) | (*word & 0x3e0) << 13 | (*word & 31) << 23);
        return jal;
    }
    if (s->calls) {
        bool jal = *word >> 26 == 3;

        *word = REGION_LEN + ((*word & 0x3ffffff) << 2);
        return jal;
    }
    return *word >= MIN_POINTER;
}

/* Printable characters between zeros. */
static inline bool kerf_source_string(const struct kerf_source *s, size_t i)
{
    size_t n = 0;

    if (i == 0 || s->p[i - 1] != 0) {
        return false;
    }
    while (n <= MAX_STRING && i + n < s->len && (s->p[i + n] >= 32 || (s->p[i + n] >= 9 && s->p[i + n] <= 13)) &&
           s->p[i + n] < 127) {
        n++;
    }
    return n >= MIN_STRING && i + n < s->len && s->p[i + n] == 0;
}

/* i is a multiple of the alignment. */
static inline bool kerf_source_function(const struct kerf_source *s, size_t i)
{
    if (kerf_detect_alignment(s->isa) == 1 &&
        s->isa != KERF_ISA_BA2) { /* x86's usual patterns are too short to mean something alone */
        uint32_t w = kerf_load_le32(s->p + i);

        /* ENDBR64, ENDBR32; PUSH RBP or EBP and MOV */
        return w == 0xfa1e0ff3 || w == 0xfb1e0ff3 || w == 0xe5894855 || (w & 0xffffff) == 0xe58955 ||
               (w & 0xffffff) == 0xec8b55;
    }
    if (s->isa == KERF_ISA_AARCH64 && i + 16 <= s->len && kerf_load_le64(s->p + i) == AARCH64_NOPS) {
        i += 8; /* a tracer's place is in front of the prologue, and that is what pointers point to */
    }
    if ((s->isa == KERF_ISA_POWERPC_BE || s->isa == KERF_ISA_POWERPC_LE) && i >= 4 &&
        kerf_detect_prologue(s->isa, s->p + i - 4)) {
        return false; /* saving LR and moving R1 come in either order */
    }
    return kerf_detect_prologue(s->isa, s->p + i);
}

#endif
