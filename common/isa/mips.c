/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MIPS32 and MIPS64, both byte orders. Source of the encodings: MIPS Architecture for Programmers, Volume II-A
 * (MD00086), revisions up to 5. Not MIPS16e, not microMIPS.
 *
 * J and JAL hold the lower 28 bits of an address in the 256 MiB around the pc. LUI makes the upper half of an address,
 * what follows adds 16 signed bits, so that LUI's base is 0x8000 lower.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_MIPS
enum {
    BASE_PC4,
    BASE_REGION,
    BASE_ROUND,
    BASE_ZERO
};
enum {
    BITS_J = 0,
    BITS_BRANCH = 1,
    BITS_LUI = 2,
    BITS_LOW = 3
};

static const struct kerf_form_base bases[] = {{4, 0, 0, 0}, {4, 14, 0, 0}, {0, 16, 15, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {0, 2, 26},  /* BITS_J */
    {0, 2, 16},  /* BITS_BRANCH */
    {0, 16, 16}, /* BITS_LUI */
    {0, 0, 16},  /* BITS_LOW */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xffe0, 0x3c00, KERF_REF_PAIR, 4, BASE_ROUND, 0, BITS_LUI, 1),     /* LUI */
    KERF_FORM(0xfc00, 0x0c00, KERF_REF_CALL, 4, BASE_REGION, 0, BITS_J, 1),      /* JAL */
    KERF_FORM(0xfc00, 0x0800, KERF_REF_JUMP, 4, BASE_REGION, 0, BITS_J, 1),      /* J */
    KERF_FORM(0xffff, 0x0411, KERF_REF_CALL, 4, BASE_PC4, 18, BITS_BRANCH, 1),   /* BAL: BGEZAL of $zero */
    KERF_FORM(0xb000, 0x1000, KERF_REF_BRANCH, 4, BASE_PC4, 18, BITS_BRANCH, 1), /* BEQ .. BGTZ, BEQL .. BGTZL */
    KERF_FORM(0xfc0c, 0x0400, KERF_REF_BRANCH, 4, BASE_PC4, 18, BITS_BRANCH, 1), /* BLTZ, BGEZ and their kin */
    KERF_FORM(0xfc00, 0x2400, KERF_REF_LOW, 4, BASE_ZERO, 16, BITS_LOW, 1),      /* ADDIU */
    KERF_FORM(0xfc00, 0x6400, KERF_REF_LOW, 4, BASE_ZERO, 16, BITS_LOW, 1),      /* DADDIU */
    KERF_FORM(0x8000, 0x8000, KERF_REF_LOW, 4, BASE_ZERO, 16, BITS_LOW, 1),      /* loads and stores */
    KERF_FORM_LENGTH(0, 0, 4),
};

/* rt of LUI, rs of what adds to it, which writes rt; stores of that register are rare. */
#define PAIRS                                                                                                          \
    {                                                                                                                  \
        16, 21, 16, 31, 0                                                                                              \
    }

const struct kerf_forms kerf_forms_mips_le = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = PAIRS, .align = 3, .opcode = 16};
const struct kerf_forms kerf_forms_mips_be = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = PAIRS, .align = 3, .opcode = 16, .big = true};
#endif
