/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VideoCore IV, the processor of Raspberry Pi's boot loaders and firmware. Source of the encodings: the community's
 * "VideoCore IV Programmers Manual", checked against start4.elf: 33135 of 36279 BL there lead into the image, 27955 to
 * targets that have three calls or more.
 *
 * Instructions are one to five halfwords, the first one told apart by its upper bits: below 8000 alone, below e000 one
 * more follows, below f800 two, else four. Of those of 6 bytes the last 4 are a distance or an address; data are
 * reached from the pc, or as a distance from R24 that the linker chose: an address in a space of its own.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_VIDEOCORE
enum {
    BASE_PC,
    BASE_ZERO,
};
enum {
    BITS_BL = 0,
    BITS_BC = 3,
    BITS_BC_SHORT = 5,
    BITS_16 = 6,
    BITS_27 = 7,
    BITS_32 = 9,
};

static const struct kerf_form_base bases[] = {{0, 0, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {16, 1, 16}, {0, 17, 7},   {8, 24, 4}, /* BITS_BL */
    {16, 1, 16}, {0, 17, 7},               /* BITS_BC */
    {0, 1, 7},                             /* BITS_BC_SHORT */
    {16, 0, 16},                           /* BITS_16 */
    {0, 0, 16},  {16, 16, 11},             /* BITS_27 */
    {0, 0, 16},  {16, 16, 16},             /* BITS_32 */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xf080, 0x9080, KERF_REF_CALL, 4, BASE_PC, 28, BITS_BL, 3),         /* BL */
    KERF_FORM(0xff80, 0x9e00, KERF_REF_JUMP, 4, BASE_PC, 24, BITS_BC, 2),         /* B */
    KERF_FORM(0xf080, 0x9000, KERF_REF_BRANCH, 4, BASE_PC, 24, BITS_BC, 2),       /* B<cond> */
    KERF_FORM(0xf800, 0x1800, KERF_REF_BRANCH2, 2, BASE_PC, 8, BITS_BC_SHORT, 1), /* B<cond>, short */
    KERF_FORM(0xffe0, 0xbfe0, KERF_REF_LITERAL, 4, BASE_PC, 16, BITS_16, 1),      /* LEA Rd, pc + 16 bits */
    KERF_FORM(0xffe0, 0xe500, KERF_REF_LITERAL, 6, BASE_PC, 0, BITS_32, 2),       /* LEA Rd, pc + 32 bits */
    KERF_FORM(0xff20, 0xe700, KERF_REF_LITERAL, 6, BASE_PC, 27, BITS_27, 2),      /* LD, ST Rd, pc + 27 bits */
    KERF_FORM(0xff00, 0xa800, KERF_REF_RAM, 4, BASE_ZERO, 16, BITS_16, 1),        /* LD, ST Rd, R24 + 16 bits */
    KERF_FORM(0xffe0, 0xb700, KERF_REF_RAM, 4, BASE_ZERO, 16, BITS_16, 1),        /* ADD Rd, R24, 16 bits */
    KERF_FORM(0xffe0, 0xef00, KERF_REF_RAM, 6, BASE_ZERO, 0, BITS_32, 2),         /* ADD Rd, R24, 32 bits */
    KERF_FORM(0xff00, 0xe600, KERF_REF_RAM, 6, BASE_ZERO, 27, BITS_27, 2),        /* LD, ST Rd, Rs + 27 bits */
    KERF_FORM_LENGTH(0x8000, 0x0000, 2),
    KERF_FORM_LENGTH(0xf800, 0xf800, 10),
    KERF_FORM_LENGTH(0xe000, 0xe000, 6),
    KERF_FORM_LENGTH(0, 0, 4),
};

const struct kerf_forms kerf_forms_videocore = {.forms = forms, .bits = bits, .bases = bases, .align = 1, .swept = 2};
#endif
