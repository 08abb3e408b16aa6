/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RISC-V, 32 and 64 bits, with compressed instructions. Source of the encodings: The RISC-V Instruction Set Manual,
 * Volume I (20191213), 2.2 to 2.6 and 16.8.
 *
 * AUIPC and LUI make the upper 20 bits of an address, what follows adds 12 signed bits, so the upper part is rounded to
 * nearest: the bases of the two are 0x800 lower. 1 word in 128 looks like JAL, but compressed code gets back into step
 * within a few instructions, so that only what the sweep finds counts.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_RISCV
enum {
    BASE_PC,
    BASE_ZERO,
    BASE_PC_ROUND,
    BASE_ZERO_ROUND
};
enum {
    BITS_JAL = 0,
    BITS_BRANCH = 4,
    BITS_CJ = 8,
    BITS_CB = 16,
    BITS_UPPER = 21,
    BITS_I = 22,
    BITS_S = 23
};
enum {
    AT_64 = 1
};

static const struct kerf_form_base bases[] = {{0, 0, 0, 0}, {0, 16, 0, 0}, {0, 0, 11, 0}, {0, 16, 11, 0}};

static const struct kerf_form_bits bits[] = {
    {21, 1, 10},  {20, 11, 1}, {12, 12, 8}, {31, 20, 1}, /* BITS_JAL */
    {8, 1, 4},    {25, 5, 6},  {7, 11, 1},  {31, 12, 1}, /* BITS_BRANCH */
    {3, 1, 3},    {11, 4, 1},  {2, 5, 1},   {7, 6, 1},   {6, 7, 1},  {9, 8, 2}, {8, 10, 1}, {12, 11, 1}, /* BITS_CJ */
    {3, 1, 2},    {10, 3, 2},  {2, 5, 1},   {5, 6, 2},   {12, 8, 1},                                     /* BITS_CB */
    {12, 12, 20},             /* BITS_UPPER */
    {20, 0, 12},              /* BITS_I */
    {7, 0, 5},    {25, 5, 7}, /* BITS_S */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xe003, 0x2001, KERF_REF_BRANCH2, 2, BASE_PC, 12, BITS_CJ, 8),        /* C.JAL, not with 64 bits */
    KERF_FORM(0x007f, 0x0017, KERF_REF_PAIR, 4, BASE_PC_ROUND, 32, BITS_UPPER, 1),  /* AUIPC */
    KERF_FORM(0x007f, 0x0037, KERF_REF_PAIR, 4, BASE_ZERO_ROUND, 0, BITS_UPPER, 1), /* LUI */
    KERF_FORM(0x0fff, 0x006f, KERF_REF_JUMP, 4, BASE_PC, 21, BITS_JAL, 4),          /* J: JAL x0 */
    KERF_FORM(0x007f, 0x006f, KERF_REF_CALL, 4, BASE_PC, 21, BITS_JAL, 4),          /* JAL */
    KERF_FORM(0x007f, 0x0063, KERF_REF_BRANCH, 4, BASE_PC, 13, BITS_BRANCH, 4),     /* BEQ ... */
    KERF_FORM(0xc003, 0xc001, KERF_REF_BRANCH2, 2, BASE_PC, 9, BITS_CB, 5),         /* C.BEQZ, C.BNEZ */
    KERF_FORM(0xe003, 0xa001, KERF_REF_BRANCH2, 2, BASE_PC, 12, BITS_CJ, 8),        /* C.J */
    KERF_FORM(0x007b, 0x0003, KERF_REF_LOW, 4, BASE_ZERO, 12, BITS_I, 1),           /* loads */
    KERF_FORM(0x7077, 0x0013, KERF_REF_LOW, 4, BASE_ZERO, 12, BITS_I, 1),           /* ADDI, ADDIW */
    KERF_FORM(0x707f, 0x0067, KERF_REF_LOW, 4, BASE_ZERO, 12, BITS_I, 1),           /* JALR */
    KERF_FORM(0x007b, 0x0023, KERF_REF_LOW, 4, BASE_ZERO, 12, BITS_S, 2),           /* stores */
    KERF_FORM_LENGTH(0x0003, 0x0003, 4),
    KERF_FORM_LENGTH(0, 0, 2),
};

/* rd of AUIPC and LUI, rs1 and rd of what adds to it; stores have 5 bits of their offset where others have rd. */
#define PAIRS                                                                                                          \
    {                                                                                                                  \
        7, 15, 7, 31, 0                                                                                                \
    }

const struct kerf_forms kerf_forms_riscv32 = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = PAIRS, .align = 1, .swept = 4};
const struct kerf_forms kerf_forms_riscv64 = {
    .forms = forms + AT_64, .bits = bits, .bases = bases, .pairs = PAIRS, .align = 1, .swept = 4};
#endif
