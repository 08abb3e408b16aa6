/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Andes NDS32, V3, found in Wi-Fi and Bluetooth controllers. Source of the encodings: Andes Instruction Set
 * Architecture Specification (UM013), chapters 3 and 5; checked against a MediaTek controller's firmware: of 9941 JAL
 * there 9589 lead into the image.
 *
 * Instructions are big-endian, whatever the order of data: words of 4 bytes, or halfwords whose top bit is set. SETHI
 * makes the upper 20 bits of an address, what follows adds or ors the 12 below: its three
 * upper bits are zeros then, and stay as they are.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_NDS32
enum {
    BASE_PC,
    BASE_ZERO
};
enum {
    BITS_J = 0,
    BITS_BR2 = 1,
    BITS_BR1 = 2,
    BITS_SHORT = 3,
    BITS_SETHI = 4,
    BITS_LOW = 5,
    BITS_LOW2 = 6,
    BITS_LOW4 = 7
};

static const struct kerf_form_base bases[] = {{0, 0, 0, 0}, {0, 16, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {0, 1, 24},  /* BITS_J */
    {0, 1, 16},  /* BITS_BR2 */
    {0, 1, 14},  /* BITS_BR1 */
    {16, 1, 8},  /* BITS_SHORT */
    {0, 12, 20}, /* BITS_SETHI */
    {0, 0, 12},  /* BITS_LOW */
    {0, 1, 11},  /* BITS_LOW2 */
    {0, 2, 10},  /* BITS_LOW4 */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xff00, 0x4900, KERF_REF_CALL, 4, BASE_PC, 25, BITS_J, 1),       /* JAL */
    KERF_FORM(0xff00, 0x4800, KERF_REF_JUMP, 4, BASE_PC, 25, BITS_J, 1),       /* J */
    KERF_FORM(0xfe00, 0x4e00, KERF_REF_BRANCH, 4, BASE_PC, 17, BITS_BR2, 1),   /* BEQZ .. BLEZ, BGEZAL, BLTZAL */
    KERF_FORM(0xfe00, 0x4c00, KERF_REF_BRANCH2, 4, BASE_PC, 15, BITS_BR1, 1),  /* BEQ, BNE */
    KERF_FORM(0xe000, 0xc000, KERF_REF_BRANCH2, 2, BASE_PC, 9, BITS_SHORT, 1), /* BEQZ38, BNEZ38, BEQS38, BNES38, J8 */
    KERF_FORM(0xfe00, 0xe800, KERF_REF_BRANCH2, 2, BASE_PC, 9, BITS_SHORT, 1), /* BEQZS8, BNEZS8 */
    KERF_FORM(0xfe00, 0x4600, KERF_REF_PAIR, 4, BASE_ZERO, 0, BITS_SETHI, 1),  /* SETHI */
    KERF_FORM(0xfe00, 0x5800, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW, 1),     /* ORI */
    KERF_FORM(0xfe00, 0x5000, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW, 1),     /* ADDI */
    KERF_FORM(0xee00, 0x0400, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW4, 1),    /* LWI, SWI */
    KERF_FORM(0xee00, 0x0200, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW2, 1),    /* LHI, SHI */
    KERF_FORM(0xfe00, 0x2200, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW2, 1),    /* LHSI */
    KERF_FORM(0xee00, 0x0000, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW, 1),     /* LBI, SBI */
    KERF_FORM(0xfe00, 0x2000, KERF_REF_LOW, 4, BASE_ZERO, 0, BITS_LOW, 1),     /* LBSI */
    KERF_FORM_LENGTH(0x8000, 0x8000, 2),
    KERF_FORM_LENGTH(0, 0, 4),
};

/* RT of SETHI, RA of what adds to it, which writes RT; stores of that register are rare. */
const struct kerf_forms kerf_forms_nds32 = {.forms = forms,
                                            .bits = bits,
                                            .bases = bases,
                                            .pairs = {20, 15, 20, 31, 0},
                                            .align = 1,
                                            .opcode = 16,
                                            .swept = 2,
                                            .big = true};
#endif
