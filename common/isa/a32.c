/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A32, the 32-bit Arm instruction set, little-endian. Source of the encodings: Arm Architecture Reference Manual
 * ARMv7-A and ARMv7-R (DDI 0406C), A5 and A8.8. The pc reads as the instruction's address + 8.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_A32
enum {
    BASE_PC8,
    BASE_ZERO
};
enum {
    BITS_BRANCH = 0,
    BITS_BLX = 1,
    BITS_LDR = 3,
    BITS_VLDR = 5,
    BITS_MOVW = 7,
    BITS_MOVT = 9
};

static const struct kerf_form_base bases[] = {{8, 0, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {0, 2, 24},               /* BITS_BRANCH: imm24 words */
    {24, 1, 1},  {0, 2, 24},  /* BITS_BLX: H, imm24 */
    {0, 0, 12},  {23, 12, 1}, /* BITS_LDR: imm12, U */
    {0, 2, 8},   {23, 10, 1}, /* BITS_VLDR: imm8 words, U */
    {0, 0, 12},  {16, 12, 4}, /* BITS_MOVW: imm12, imm4 */
    {0, 16, 12}, {16, 28, 4}, /* BITS_MOVT: the same for the upper half */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xfe00, 0xfa00, KERF_REF_CALL, 4, BASE_PC8, 26, BITS_BLX, 2),      /* BLX (immediate): to Thumb */
    KERF_FORM_LENGTH(0xf000, 0xf000, 4),                                         /* the other unconditional ones */
    KERF_FORM(0xff00, 0xea00, KERF_REF_JUMP, 4, BASE_PC8, 26, BITS_BRANCH, 1),   /* B */
    KERF_FORM(0x0f00, 0x0a00, KERF_REF_BRANCH, 4, BASE_PC8, 26, BITS_BRANCH, 1), /* B<cond> */
    KERF_FORM(0x0f00, 0x0b00, KERF_REF_CALL, 4, BASE_PC8, 26, BITS_BRANCH, 1),   /* BL */
    KERF_FORM(0x0f3f, 0x051f, KERF_REF_LITERAL, 4, BASE_PC8, KERF_FORM_UP_DOWN | 13, BITS_LDR,
              2), /* LDR, LDRB (literal) */
    KERF_FORM(0x0f3f, 0x0d1f, KERF_REF_LITERAL, 4, BASE_PC8, KERF_FORM_UP_DOWN | 11, BITS_VLDR, 2), /* VLDR (literal) */
    KERF_FORM(0x0ff0, 0x0300, KERF_REF_PAIR, 4, BASE_ZERO, 0, BITS_MOVW, 2),                        /* MOVW */
    KERF_FORM(0x0ff0, 0x0340, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_MOVT, 2),                         /* MOVT */
    KERF_FORM_LENGTH(0, 0, 4),
};

/* A pair is of one Rd. */
const struct kerf_forms kerf_forms_a32 = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = {12, 12, 12, 15, 0}, .align = 3, .opcode = 16};
#endif
