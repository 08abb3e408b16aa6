/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thumb and Thumb-2. Source of the encodings: Arm Architecture Reference Manual ARMv7-M (DDI 0403), A5 and A7.7. The pc
 * reads as the instruction's address + 4.
 *
 * Instructions of 4 bytes are taken at every even position: between code lie literal pools, where the linear sweep
 * loses step, and few data look like BL. The 16-bit forms are taken only where an instruction starts.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_THUMB
enum {
    BASE_PC4,
    BASE_POOL,
};
enum {
    BITS_BL = 0,
    BITS_BC_W = 2,
    BITS_B = 7,
    BITS_BC = 8,
    BITS_CBZ = 9,
    BITS_LDR = 11,
};

static const struct kerf_form_base bases[] = {{4, 0, 0, 0}, {4, 1, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {16, 1, 11}, {0, 12, 11},                                        /* BITS_BL: imm11, S and imm10 */
    {16, 1, 11}, {0, 12, 6},  {29, 18, 1}, {27, 19, 1}, {10, 20, 1}, /* BITS_BC_W: imm11, imm6, J1, J2, S */
    {0, 1, 11},                                                      /* BITS_B */
    {0, 1, 8},                                                       /* BITS_BC */
    {3, 1, 5},   {9, 6, 1},                                          /* BITS_CBZ: imm5, i */
    {0, 2, 8},                                                       /* BITS_LDR */
};

/* The opcode is the upper bytes of both halfwords; those of 2 bytes are told by the first. */
static const struct kerf_form forms[] = {
    KERF_FORM(0xf8f8, 0xf0f8, KERF_REF_CALL, 4, BASE_PC4, 23, BITS_BL, 2),     /* BL of J1 = J2 = 1 */
    KERF_FORM(0xf8f8, 0xf0b8, KERF_REF_JUMP, 4, BASE_PC4, 23, BITS_BL, 2),     /* B.W, likewise */
    KERF_FORM(0xf8d0, 0xf080, KERF_REF_BRANCH, 4, BASE_PC4, 21, BITS_BC_W, 5), /* B<cond>.W */
    KERF_FORM(0xf800, 0xe000, KERF_REF_BRANCH, 2, BASE_PC4, 12, BITS_B, 1),    /* B */
    KERF_FORM_LENGTH(0xe000, 0xe000, 4),                                       /* all others from e800 on */
    KERF_FORM_LENGTH(0xfe00, 0xde00, 2),                                       /* UDF, SVC */
    KERF_FORM(0xf000, 0xd000, KERF_REF_BRANCH, 2, BASE_PC4, 9, BITS_BC, 1),    /* B<cond> */
    KERF_FORM(0xf500, 0xb100, KERF_REF_BRANCH2, 2, BASE_PC4, 0, BITS_CBZ, 2),  /* CBZ, CBNZ */
    KERF_FORM(0xf800, 0x4800, KERF_REF_LITERAL, 2, BASE_POOL, 0, BITS_LDR, 1), /* LDR (literal) */
    KERF_FORM_LENGTH(0, 0, 2),
};

const struct kerf_forms kerf_forms_thumb = {
    .forms = forms, .bits = bits, .bases = bases, .align = 1, .opcode = KERF_FORMS_UPPER, .swept = 2};
#endif
