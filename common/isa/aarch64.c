/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AArch64. Source of the encodings: Arm Architecture Reference Manual for A-profile (DDI 0487), C4 and C6.2.
 *
 * ADRP makes the 4 KiB page of an address; the instructions that follow add the 12 bits within it: ADD, and loads and
 * stores with an unsigned offset, whose field counts in units of the access size. One ADRP serves several of them.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_AARCH64
enum {
    BASE_PC,
    BASE_PAGE,
    BASE_ZERO
};
enum {
    BITS_B = 0,
    BITS_19 = 1,
    BITS_14 = 2,
    BITS_ADR = 3,
    BITS_ADRP = 5,
    BITS_LOW = 8
};

static const struct kerf_form_base bases[] = {{0, 0, 0, 0}, {0, 6, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {0, 2, 26},                                                    /* BITS_B */
    {5, 2, 19},                                                    /* BITS_19 */
    {5, 2, 14},                                                    /* BITS_14 */
    {29, 0, 2},  {5, 2, 19},                                       /* BITS_ADR: immlo, immhi */
    {29, 12, 2}, {5, 14, 18}, {23, 31, 1},                         /* BITS_ADRP: in pages; reach is cut to 2 GiB */
    {10, 0, 12}, {10, 1, 11}, {10, 2, 10}, {10, 3, 9}, {10, 4, 8}, /* BITS_LOW: imm12, by unit */
};

#define LOW(mask, match, unit) KERF_FORM(mask, match, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW + (unit), 1)

static const struct kerf_form forms[] = {
    KERF_FORM(0x9f00, 0x9000, KERF_REF_PAIR, 4, BASE_PAGE, 32, BITS_ADRP, 3), /* ADRP */
    KERF_FORM(0xfc00, 0x9400, KERF_REF_CALL, 4, BASE_PC, 28, BITS_B, 1),      /* BL */
    KERF_FORM(0xfc00, 0x1400, KERF_REF_JUMP, 4, BASE_PC, 28, BITS_B, 1),      /* B */
    KERF_FORM(0xff00, 0x5400, KERF_REF_BRANCH, 4, BASE_PC, 21, BITS_19, 1),   /* B.cond */
    KERF_FORM(0x7e00, 0x3400, KERF_REF_BRANCH, 4, BASE_PC, 21, BITS_19, 1),   /* CBZ, CBNZ */
    KERF_FORM(0x7e00, 0x3600, KERF_REF_BRANCH2, 4, BASE_PC, 16, BITS_14, 1),  /* TBZ, TBNZ */
    KERF_FORM(0x3b00, 0x1800, KERF_REF_LITERAL, 4, BASE_PC, 21, BITS_19, 1),  /* LDR (literal), any register */
    KERF_FORM(0x9f00, 0x1000, KERF_REF_LITERAL, 4, BASE_PC, 21, BITS_ADR, 2), /* ADR */
    LOW(0xffc0, 0x9100, 0),                                                   /* ADD (immediate), 64 bits, no shift */
    LOW(0xff00, 0x3900, 0), /* loads and stores with unsigned offset, below a page: of bytes */
    LOW(0xff80, 0x3d00, 0), /* ... of vector registers of 1 byte */
    LOW(0xffbc, 0x3d80, 4), /* ... of 16 bytes */
    LOW(0xfb20, 0x7900, 1), /* ... of 2 bytes, general and vector registers */
    LOW(0xfb30, 0xb900, 2), /* ... of 4 bytes */
    LOW(0xfb38, 0xf900, 3), /* ... of 8 bytes */
    KERF_FORM_LENGTH(0, 0, 4),
};

/* Rd of ADRP, Rn of what adds to it. That also writes Rd, or is taken to do so: stores of the register are rare. */
const struct kerf_forms kerf_forms_aarch64 = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = {0, 5, 0, 31, 0}, .align = 3, .opcode = 16, .alone = true};
#endif
