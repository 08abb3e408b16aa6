/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telink TC32, found in Zigbee and Bluetooth controllers (TLSR82xx). Source of the encodings: TC32 Machine And
 * Toolchain Specification (github.com/modern-tc32/tc32-architecture), chapter 12; checked against firmware of such
 * controllers: of 6616 TJL in one 5163 lead to a TPUSH.
 *
 * It is Thumb with numbers of its own: instructions of 2 bytes, and TJL of two halves, taken at every even position.
 * The pc reads as the instruction's address + 4.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_TC32
enum {
    BASE_PC4,
    BASE_POOL
};
enum {
    BITS_TJL = 0,
    BITS_TJ = 2,
    BITS_TJC = 3,
    BITS_TLOADR = 4
};

static const struct kerf_form_base bases[] = {{4, 0, 0, 0}, {4, 1, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {16, 1, 11}, {0, 12, 11}, /* BITS_TJL */
    {0, 1, 11},               /* BITS_TJ */
    {0, 1, 8},                /* BITS_TJC */
    {0, 2, 8},                /* BITS_TLOADR */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xf8f8, 0x9098, KERF_REF_CALL, 4, BASE_PC4, 23, BITS_TJL, 2),       /* TJL */
    KERF_FORM(0xf800, 0x8000, KERF_REF_BRANCH, 2, BASE_PC4, 12, BITS_TJ, 1),      /* TJ */
    KERF_FORM_LENGTH(0xfe00, 0xce00, 2),                                          /* no conditions */
    KERF_FORM(0xf000, 0xc000, KERF_REF_BRANCH, 2, BASE_PC4, 9, BITS_TJC, 1),      /* TJEQ .. TJLE */
    KERF_FORM(0xf800, 0x0800, KERF_REF_LITERAL, 2, BASE_POOL, 0, BITS_TLOADR, 1), /* TLOADR of pc */
    KERF_FORM_LENGTH(0, 0, 2),
};

const struct kerf_forms kerf_forms_tc32 = {
    .forms = forms, .bits = bits, .bases = bases, .align = 1, .opcode = KERF_FORMS_UPPER, .swept = 2};
#endif
