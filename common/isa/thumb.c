/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thumb and Thumb-2. Source of the encodings: Arm Architecture Reference Manual ARMv7-M (DDI 0403), A5 and A7.7. The pc reads
 * as the instruction's address + 4.
 *
 * Instructions of 4 bytes are taken at every even position: between code lie literal pools, where the linear sweep loses
 * step, and few data look like BL. The 16-bit forms are taken only where an instruction starts.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_THUMB
enum {
    BASE_PC4,
    BASE_POOL,
    BASE_ZERO
};
enum {
    BITS_BL = 0,
    BITS_BC_W = 5,
    BITS_B = 10,
    BITS_BC = 11,
    BITS_CBZ = 12,
    BITS_LDR = 14,
    BITS_LDR_W = 15,
    BITS_MOVW = 17,
    BITS_MOVT = 21
};

static const struct kerf_form_base bases[] = {{4, 0, 0, 0}, {4, 1, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {16, 1, 11}, {0, 12, 10}, {27, 22, 1}, {29, 23, 1}, {10, 24, 1}, /* BITS_BL: imm11, imm10, J2, J1, S */
    {16, 1, 11}, {0, 12, 6},  {29, 18, 1}, {27, 19, 1}, {10, 20, 1}, /* BITS_BC_W: imm11, imm6, J1, J2, S */
    {0, 1, 11},                                                      /* BITS_B */
    {0, 1, 8},                                                       /* BITS_BC */
    {3, 1, 5},   {9, 6, 1},                                          /* BITS_CBZ: imm5, i */
    {0, 2, 8},                                                       /* BITS_LDR */
    {16, 0, 12}, {7, 12, 1},                                         /* BITS_LDR_W: imm12, U */
    {16, 0, 8},  {28, 8, 3},  {10, 11, 1}, {0, 12, 4},               /* BITS_MOVW: imm8, imm3, i, imm4 */
    {16, 16, 8}, {28, 24, 3}, {10, 27, 1}, {0, 28, 4},               /* BITS_MOVT: the same for the upper half */
};

/* Of 4 bytes, told by bits of both halfwords. */
#define WIDE(mask, match, high_mask, high_match, kind, base, sign, bits, bit_count)                                    \
    {                                                                                                                  \
        mask, match, kind, 4, base, bit_count, sign, bits, high_mask, high_match                                       \
    }

static const struct kerf_form forms[] = {
    WIDE(0xf800, 0xf000, 13, 13, KERF_REF_CALL, BASE_PC4, KERF_FORM_INVERTED | 25, BITS_BL, 5), /* BL */
    WIDE(0xf800, 0xf000, 13, 9, KERF_REF_JUMP, BASE_PC4, KERF_FORM_INVERTED | 25, BITS_BL, 5),  /* B.W */
    KERF_FORM_LENGTH(0xfb80, 0xf380, 4), /* what would be B<cond>.W of conditions 14 and 15 */
    WIDE(0xf800, 0xf000, 13, 8, KERF_REF_BRANCH, BASE_PC4, 21, BITS_BC_W, 5),                         /* B<cond>.W */
    WIDE(0xfbf0, 0xf240, 8, 0, KERF_REF_PAIR, BASE_ZERO, 0, BITS_MOVW, 4),                            /* MOVW */
    WIDE(0xfbf0, 0xf2c0, 8, 0, KERF_REF_LOW, BASE_ZERO, 0, BITS_MOVT, 4),                             /* MOVT */
    KERF_FORM(0xff7f, 0xf85f, KERF_REF_LITERAL, 4, BASE_POOL, KERF_FORM_UP_DOWN | 13, BITS_LDR_W, 2), /* LDR.W */
    KERF_FORM(0xf800, 0xe000, KERF_REF_BRANCH, 2, BASE_PC4, 12, BITS_B, 1),                           /* B */
    KERF_FORM_LENGTH(0xe000, 0xe000, 4),                                       /* all others from e800 on */
    KERF_FORM_LENGTH(0xfe00, 0xde00, 2),                                       /* UDF, SVC */
    KERF_FORM(0xf000, 0xd000, KERF_REF_BRANCH, 2, BASE_PC4, 9, BITS_BC, 1),    /* B<cond> */
    KERF_FORM(0xf500, 0xb100, KERF_REF_BRANCH2, 2, BASE_PC4, 0, BITS_CBZ, 2),  /* CBZ, CBNZ */
    KERF_FORM(0xf800, 0x4800, KERF_REF_LITERAL, 2, BASE_POOL, 0, BITS_LDR, 1), /* LDR (literal) */
    KERF_FORM_LENGTH(0, 0, 2),
};

/* A pair is of one Rd. */
const struct kerf_forms kerf_forms_thumb = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = {24, 24, 24, 15, 0}, .align = 1, .swept = 2};
#endif
