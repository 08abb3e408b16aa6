/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beyond BA2, of NXP's JN51xx in Zigbee devices. Source of the encodings: the table of its opcodes from a patched
 * binutils, as a plug-in for Binary Ninja has it (beyond_isa); checked against firmware of such devices: 1730 BN.JAL in
 * one of 204 KB lead to a BN.ENTRI.
 *
 * Instructions have 2, 3, 4 or 6 bytes and any position. Their numbers are written from the lowest bit to the highest,
 * so that with the bits of each byte the other way round (.mirrored) all lies in one piece. Targets count from the
 * instruction's address.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_BA2
enum {
    BASE_PC,
    BASE_ZERO
};
enum {
    BITS_JAL = 0,
    BITS_LONG = 1,
    BITS_J = 2,
    BITS_BF = 3,
    BITS_BEQI = 4,
    BITS_SHORT = 5,
    BITS_BEQ = 6,
    BITS_BYTE = 7,
    BITS_HALF = 9,
    BITS_WORD = 10
};

static const struct kerf_form_base bases[] = {{0, 0, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {6, 0, 18},                /* BITS_JAL */
    {8, 0, 24},                /* BITS_LONG */
    {8, 0, 16},                /* BITS_J */
    {12, 0, 12},               /* BITS_BF */
    {16, 0, 8},                /* BITS_BEQI */
    {6, 0, 10},                /* BITS_SHORT */
    {20, 0, 12},               /* BITS_BEQ */
    {0, 0, 16},  {16, 16, 16}, /* BITS_BYTE */
    {1, 1, 31},                /* BITS_HALF */
    {2, 2, 30},                /* BITS_WORD */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0x003f, 0x0012, KERF_REF_CALL, 3, BASE_PC, 18, BITS_JAL, 1),      /* BN.JAL */
    KERF_FORM(0x00ff, 0x002b, KERF_REF_CALL, 4, BASE_PC, 24, BITS_LONG, 1),     /* BG.JAL */
    KERF_FORM(0x00ff, 0x00ab, KERF_REF_JUMP, 4, BASE_PC, 24, BITS_LONG, 1),     /* BG.J */
    KERF_FORM(0x007f, 0x006b, KERF_REF_BRANCH, 4, BASE_PC, 24, BITS_LONG, 1),   /* BG.BF, BG.BNF */
    KERF_FORM(0x00ff, 0x0062, KERF_REF_JUMP, 3, BASE_PC, 16, BITS_J, 1),        /* BN.J */
    KERF_FORM(0x07ff, 0x04e2, KERF_REF_BRANCH, 3, BASE_PC, 12, BITS_BF, 1),     /* BN.BF, BN.BNF */
    KERF_FORM(0x03ff, 0x02e2, KERF_REF_BRANCH, 3, BASE_PC, 12, BITS_BF, 1),     /* BN.BO .. BN.BNC */
    KERF_FORM(0x003f, 0x000b, KERF_REF_BRANCH, 4, BASE_PC, 12, BITS_BEQ, 1),    /* BG.BEQI .. BG.BGTU */
    KERF_FORM(0x003f, 0x0002, KERF_REF_BRANCH2, 3, BASE_PC, 8, BITS_BEQI, 1),   /* BN.BEQI .. BN.BGTSI */
    KERF_FORM(0x007f, 0x0022, KERF_REF_BRANCH2, 3, BASE_PC, 8, BITS_BEQI, 1),   /* BN.BLESI, BN.BLTSI */
    KERF_FORM(0x003f, 0x0030, KERF_REF_BRANCH2, 2, BASE_PC, 10, BITS_SHORT, 1), /* BT.J */
    KERF_FORM(0xf83f, 0x0019, KERF_REF_RAM, 6, BASE_ZERO, 0, BITS_BYTE, 2),     /* BW.ORI of R0 */
    KERF_FORM(0xf81f, 0x0001, KERF_REF_RAM, 6, BASE_ZERO, 0, BITS_BYTE, 2),     /* BW.SB, BW.LBZ of R0 */
    KERF_FORM(0xf83f, 0x0011, KERF_REF_RAM, 6, BASE_ZERO, 0, BITS_HALF, 1),     /* BW.SH, BW.LHZ of R0 */
    KERF_FORM(0xf83f, 0x0031, KERF_REF_RAM, 6, BASE_ZERO, 0, BITS_WORD, 1), /* BW.SW, BW.LWZ of R0, and of 8 bytes */
    KERF_FORM_LENGTH(0x0007, 0x0000, 2),
    KERF_FORM_LENGTH(0x0003, 0x0001, 6),
    KERF_FORM_LENGTH(0x0007, 0x0003, 4),
    KERF_FORM_LENGTH(0x0007, 0x0007, 1), /* none */
    KERF_FORM_LENGTH(0, 0, 3),
};

const struct kerf_forms kerf_forms_ba2 = {.forms = forms, .bits = bits, .bases = bases, .swept = 6, .mirrored = true};
#endif
