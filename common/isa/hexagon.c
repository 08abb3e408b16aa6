/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hexagon, Qualcomm's DSP, in firmware of Wi-Fi, audio and modems. Source of the encodings: Hexagon V66 Programmer's
 * Reference Manual (80-N2040-42), chapters 10 and 11.
 *
 * Words of 4 bytes in packets of up to four; bits 14 and 15 tell the last one, and, both 0, two short instructions in
 * one. Branches count from the packet, which a word alone doesn't tell: here from the word, so that all that lead to
 * one place differ by 0, 4, 8 or 12. IMMEXT holds the upper 26 bits of a number whose lower 6 are in the next word.
 * (Form 0 can't be a second half, so CALL is the first: with bit 14 set, as it is but where a loop ends.)
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_HEXAGON
enum {
    BASE_PC,
    BASE_ZERO
};
enum {
    BITS_CALL = 0,
    BITS_CALL_IF = 2,
    BITS_LOOP_IF = 6,
    BITS_COMPARE = 9,
    BITS_EXT = 11,
    BITS_LOW = 13,
    BITS_STORE = 14,
    BITS_SHORT = 15,
    BITS_SET = 16
};

static const struct kerf_form_base bases[] = {{0, 0, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {1, 2, 13}, {16, 15, 9},                            /* BITS_CALL */
    {1, 2, 7},  {13, 9, 1},   {16, 10, 5}, {22, 15, 2}, /* BITS_CALL_IF */
    {1, 2, 11}, {13, 13, 1},  {21, 14, 1},              /* BITS_LOOP_IF */
    {1, 2, 7},  {20, 9, 2},                             /* BITS_COMPARE */
    {0, 6, 14}, {16, 20, 12},                           /* BITS_EXT */
    {5, 0, 6},                                          /* BITS_LOW */
    {0, 0, 6},                                          /* BITS_STORE */
    {20, 0, 6},                                         /* BITS_SHORT */
    {5, 0, 2},  {8, 2, 4},                              /* BITS_SET */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0x40fe, 0x405a, KERF_REF_CALL, 4, BASE_PC, 24, BITS_CALL, 2),       /* CALL */
    KERF_FORM(0xc000, 0x0000, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_SHORT, 1),      /* two short ones */
    KERF_FORM(0x00f0, 0x0000, KERF_REF_PAIR, 4, BASE_ZERO, 0, BITS_EXT, 2),       /* IMMEXT */
    KERF_FORM(0x00fe, 0x0058, KERF_REF_JUMP, 4, BASE_PC, 24, BITS_CALL, 2),       /* JUMP */
    KERF_FORM(0x00ff, 0x005d, KERF_REF_CALL, 4, BASE_PC, 17, BITS_CALL_IF, 4),    /* IF .. CALL */
    KERF_FORM(0x00ff, 0x005c, KERF_REF_BRANCH, 4, BASE_PC, 17, BITS_CALL_IF, 4),  /* IF .. JUMP */
    KERF_FORM(0x00ff, 0x0061, KERF_REF_BRANCH, 4, BASE_PC, 15, BITS_LOOP_IF, 3),  /* IF (Rs != 0) JUMP .. */
    KERF_FORM(0x00f0, 0x0010, KERF_REF_BRANCH2, 4, BASE_PC, 11, BITS_COMPARE, 2), /* P0 = CMP ..; IF .. JUMP; Rd = .. */
    KERF_FORM(0x00f0, 0x0020, KERF_REF_BRANCH2, 4, BASE_PC, 11, BITS_COMPARE, 2), /* IF (CMP (Rs.NEW ..)) JUMP */
    KERF_FORM(0x00fe, 0x003c, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_STORE, 1),      /* stores of a number */
    KERF_FORM(0x00f9, 0x0048, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_STORE, 1),      /* stores by GP */
    KERF_FORM(0x00f0, 0x00a0, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_STORE, 1),      /* stores */
    KERF_FORM(0x00f8, 0x0098, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_SET, 2),        /* loads by a number and a register */
    KERF_FORM(0, 0, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW, 1),
};

/* The word behind IMMEXT completes it, whatever its registers. */
const struct kerf_forms kerf_forms_hexagon = {.forms = forms,
                                              .bits = bits,
                                              .bases = bases,
                                              .pairs = {0, 0, 0, 0, 0},
                                              .align = 3,
                                              .opcode = KERF_FORMS_UPPER,
                                              .swept = 0};
#endif
