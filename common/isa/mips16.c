/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MIPS16e, little-endian, found in Wi-Fi and Bluetooth controllers. Source of the encodings: MIPS Architecture for
 * Programmers, Volume IV-a (MD00076), chapter 3. MIPS32 code, which it may be mixed with, is not looked for in a region
 * of it.
 *
 * Instructions are halfwords, or two: JAL, and those behind EXTEND, whose opcode is the second's. JAL holds the lower
 * 28 bits of an address, less the two lowest.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_MIPS16
enum {
    BASE_PC2,
    BASE_PC4,
    BASE_WORD,
    BASE_REGION
};
enum {
    BITS_JAL = 0,
    BITS_B = 3,
    BITS_BEQZ = 4,
    BITS_WORD = 5,
    BITS_EXTEND = 6,
    BITS_EXTEND_BRANCH = 9,
};

static const struct kerf_form_base bases[] = {{2, 0, 0, 0}, {4, 0, 0, 0}, {0, 1, 0, 0}, {2, 14, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {16, 2, 16}, {5, 18, 5}, {0, 23, 5}, /* BITS_JAL */
    {0, 1, 11},                          /* BITS_B */
    {0, 1, 8},                           /* BITS_BEQZ */
    {0, 2, 8},                           /* BITS_WORD */
    {16, 0, 5},  {5, 5, 6},  {0, 11, 5}, /* BITS_EXTEND */
    {16, 1, 5},  {5, 6, 6},  {0, 12, 5}, /* BITS_EXTEND_BRANCH */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xf800, 0x1800, KERF_REF_CALL, 4, BASE_REGION, 0, BITS_JAL, 3),           /* JAL, JALX */
    KERF_FORM(0xf8f8, 0xf010, KERF_REF_JUMP, 4, BASE_PC4, 17, BITS_EXTEND_BRANCH, 3),   /* B */
    KERF_FORM(0xf8f0, 0xf020, KERF_REF_BRANCH, 4, BASE_PC4, 17, BITS_EXTEND_BRANCH, 3), /* BEQZ, BNEZ */
    KERF_FORM(0xf8fe, 0xf060, KERF_REF_BRANCH, 4, BASE_PC4, 17, BITS_EXTEND_BRANCH, 3), /* BTEQZ, BTNEZ */
    KERF_FORM(0xf8f8, 0xf0b0, KERF_REF_LITERAL, 4, BASE_WORD, 16, BITS_EXTEND, 3),      /* LW of pc */
    KERF_FORM(0xf8f8, 0xf008, KERF_REF_LITERAL, 4, BASE_WORD, 16, BITS_EXTEND, 3),      /* ADDIU of pc */
    KERF_FORM_LENGTH(0xf800, 0xf000, 4),
    KERF_FORM(0xf800, 0x1000, KERF_REF_BRANCH2, 2, BASE_PC2, 12, BITS_B, 1),    /* B */
    KERF_FORM(0xf000, 0x2000, KERF_REF_BRANCH2, 2, BASE_PC2, 9, BITS_BEQZ, 1),  /* BEQZ, BNEZ */
    KERF_FORM(0xfe00, 0x6000, KERF_REF_BRANCH2, 2, BASE_PC2, 9, BITS_BEQZ, 1),  /* BTEQZ, BTNEZ */
    KERF_FORM(0xf800, 0xb000, KERF_REF_LITERAL, 2, BASE_WORD, 0, BITS_WORD, 1), /* LW of pc */
    KERF_FORM(0xf800, 0x0800, KERF_REF_LITERAL, 2, BASE_WORD, 0, BITS_WORD, 1), /* ADDIU of pc */
    KERF_FORM_LENGTH(0, 0, 2),
};

const struct kerf_forms kerf_forms_mips16 = {
    .forms = forms, .bits = bits, .bases = bases, .align = 1, .opcode = KERF_FORMS_UPPER, .swept = 2};
#endif
