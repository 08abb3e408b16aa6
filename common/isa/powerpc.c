/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PowerPC, 32 and 64 bits, both byte orders. Source of the encodings: Power ISA, Version 2.07 B, Book I, 1.6 and 2.4.
 *
 * The opcode is the upper six bits; the lowest two of branches say that the target is absolute (none of these is
 * taken), and that it is a call. ADDIS makes the upper half of an address, what follows adds 16 signed bits, so that
 * ADDIS's base is 0x8000 lower. It may add to a register: to the TOC's of 64-bit code, so that the target is a distance
 * from there.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_POWERPC
enum {
    BASE_PC,
    BASE_ROUND,
    BASE_ZERO
};
enum {
    BITS_B = 0,
    BITS_BC = 1,
    BITS_UPPER = 2,
    BITS_LOW = 3,
    BITS_LOW4 = 4
};

static const struct kerf_form_base bases[] = {{0, 0, 0, 0}, {0, 16, 15, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {2, 2, 24},  /* BITS_B */
    {2, 2, 14},  /* BITS_BC */
    {0, 16, 16}, /* BITS_UPPER */
    {0, 0, 16},  /* BITS_LOW */
    {2, 2, 14},  /* BITS_LOW4: the lowest two bits are part of the opcode */
};

/* The opcode: bits 0-5 are those from 26 on, then come the lowest. */
static const struct kerf_form forms[] = {
    KERF_FORM(0x00ff, 0x0052, KERF_REF_CALL, 4, BASE_PC, 26, BITS_B, 1),       /* BL */
    KERF_FORM(0x00ff, 0x0012, KERF_REF_JUMP, 4, BASE_PC, 26, BITS_B, 1),       /* B */
    KERF_FORM(0x00bf, 0x0010, KERF_REF_BRANCH, 4, BASE_PC, 16, BITS_BC, 1),    /* BC, BCL */
    KERF_FORM(0x003f, 0x000f, KERF_REF_PAIR, 4, BASE_ROUND, 0, BITS_UPPER, 1), /* ADDIS, LIS */
    KERF_FORM(0x003f, 0x000e, KERF_REF_LOW, 4, BASE_ZERO, 16, BITS_LOW, 1),    /* ADDI */
    KERF_FORM(0x0030, 0x0020, KERF_REF_LOW, 4, BASE_ZERO, 16, BITS_LOW, 1),    /* loads and stores */
    KERF_FORM(0x0038, 0x0030, KERF_REF_LOW, 4, BASE_ZERO, 16, BITS_LOW, 1),    /* of floating point */
    KERF_FORM(0x003b, 0x003a, KERF_REF_LOW, 4, BASE_ZERO, 16, BITS_LOW4, 1),   /* LD, LDU, LWA, STD, STDU */
    KERF_FORM_LENGTH(0, 0, 4),
};

/* RT of ADDIS, RA of what adds to it, which writes RT; stores of that register are rare. */
#define PAIRS                                                                                                          \
    {                                                                                                                  \
        21, 16, 21, 31, 0                                                                                              \
    }

const struct kerf_forms kerf_forms_powerpc_be = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = PAIRS, .align = 3, .opcode = 26, .big = true};
const struct kerf_forms kerf_forms_powerpc_le = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = PAIRS, .align = 3, .opcode = 26};
#endif
