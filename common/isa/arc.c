/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARC, little-endian: ARCompact and ARCv2, found in Wi-Fi and Bluetooth controllers and in drives. Source of the
 * encodings: ARCompact Instruction Set Architecture Programmer's Reference (2008), chapters 4 and 9.
 *
 * Instructions are one or two halfwords, the one with the opcode first, and perhaps an immediate of two more. A branch
 * counts from the word that its first byte lies in.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_ARC
enum {
    BASE_WORD,
    BASE_ZERO,
};
enum {
    BITS_BL = 0,
    BITS_B = 3,
    BITS_BR = 6,
    BITS_BL_S = 8,
    BITS_B_S = 9,
    BITS_BR_S = 10,
    BITS_LD_S = 11,
    BITS_LONG = 12,
};

static const struct kerf_form_base bases[] = {{0, 1, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {2, 2, 9},   {22, 11, 10}, {16, 21, 4}, /* BITS_BL; without the last if there is a condition */
    {1, 1, 10},  {22, 11, 10}, {16, 21, 4}, /* BITS_B, likewise */
    {1, 1, 7},   {31, 8, 1},                /* BITS_BR */
    {0, 2, 11},                             /* BITS_BL_S */
    {0, 1, 9},                              /* BITS_B_S */
    {0, 1, 7},                              /* BITS_BR_S */
    {0, 2, 8},                              /* BITS_LD_S */
    {16, 0, 16}, {0, 16, 16},               /* BITS_LONG: the upper half first */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xf803, 0x0802, KERF_REF_CALL, 4, BASE_WORD, 25, BITS_BL, 3),     /* BL */
    KERF_FORM(0xf803, 0x0800, KERF_REF_CALL, 4, BASE_WORD, 21, BITS_BL, 2),     /* BL<cond> */
    KERF_FORM(0xf801, 0x0001, KERF_REF_JUMP, 4, BASE_WORD, 25, BITS_B, 3),      /* B */
    KERF_FORM(0xf801, 0x0000, KERF_REF_BRANCH, 4, BASE_WORD, 21, BITS_B, 2),    /* B<cond> */
    KERF_FORM(0xf801, 0x0801, KERF_REF_BRANCH2, 4, BASE_WORD, 9, BITS_BR, 2),   /* BR<cond>, BBIT0, BBIT1 */
    KERF_FORM(0xf800, 0xf800, KERF_REF_CALL, 2, BASE_WORD, 13, BITS_BL_S, 1),   /* BL_S */
    KERF_FORM_LENGTH(0xfe00, 0xf600, 2),                                        /* B<cond>_S of 6 bits */
    KERF_FORM(0xf800, 0xf000, KERF_REF_BRANCH2, 2, BASE_WORD, 10, BITS_B_S, 1), /* B_S, BEQ_S, BNE_S */
    KERF_FORM(0xf800, 0xe800, KERF_REF_BRANCH2, 2, BASE_WORD, 8, BITS_BR_S, 1), /* BREQ_S, BRNE_S */
    KERF_FORM(0xf800, 0xd000, KERF_REF_LITERAL, 2, BASE_WORD, 0, BITS_LD_S, 1), /* LD_S of PCL */
    KERF_FORM(0xf8ff, 0x70cf, KERF_REF_PAIR2, 6, BASE_ZERO, 0, BITS_LONG, 2),   /* MOV_S, 32 bits */
    KERF_FORM_LENGTH(0xc000, 0x0000, 4),
    KERF_FORM_LENGTH(0, 0, 2),
};

const struct kerf_forms kerf_forms_arc = {.forms = forms, .bits = bits, .bases = bases, .align = 1, .swept = 2};
#endif
