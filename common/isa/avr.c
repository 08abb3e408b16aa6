/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVR. Source of the encodings: AVR Instruction Set Manual (DS40002198).
 *
 * Flash is at its byte addresses, as GNU tools have it; instructions count in words of 2 bytes. Data space is at
 * 0x800000: a range for 8 KiB of RAM at 0x2000 starts at 0x802000 (docs/FORMAT.md, "Ranges").
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_AVR
enum {
    BASE_ZERO,
    BASE_PC2,
    BASE_DATA
};
enum {
    BITS_CALL = 0,
    BITS_RJMP = 3,
    BITS_BRANCH = 4,
    BITS_DATA = 5,
    BITS_LDI = 6,
    BITS_LDI_HIGH = 8
};

static const struct kerf_form_base bases[] = {{0, 16, 0, 0}, {2, 0, 0, 0}, {0, 16, 0, 0x20}};

static const struct kerf_form_bits bits[] = {
    {16, 1, 16}, {0, 17, 1}, {4, 18, 5}, /* BITS_CALL */
    {0, 1, 12},                          /* BITS_RJMP */
    {3, 1, 7},                           /* BITS_BRANCH */
    {16, 0, 16},                         /* BITS_DATA */
    {0, 0, 4},   {8, 4, 4},              /* BITS_LDI */
    {0, 8, 4},   {8, 12, 4},             /* BITS_LDI_HIGH */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0xfe0e, 0x940e, KERF_REF_CALL, 4, BASE_ZERO, 0, BITS_CALL, 3),     /* CALL */
    KERF_FORM(0xfe0e, 0x940c, KERF_REF_JUMP, 4, BASE_ZERO, 0, BITS_CALL, 3),     /* JMP */
    KERF_FORM(0xfc0f, 0x9000, KERF_REF_RAM, 4, BASE_DATA, 0, BITS_DATA, 1),      /* LDS, STS */
    KERF_FORM(0xe000, 0xc000, KERF_REF_BRANCH, 2, BASE_PC2, 13, BITS_RJMP, 1),   /* RJMP, RCALL */
    KERF_FORM(0xf800, 0xf000, KERF_REF_BRANCH2, 2, BASE_PC2, 8, BITS_BRANCH, 1), /* BREQ ... */
    KERF_FORM(0xf000, 0xe000, KERF_REF_PAIR, 2, BASE_DATA, 0, BITS_LDI, 2),      /* LDI of the lower byte */
    KERF_FORM(0, 1, KERF_REF_LOW, 2, BASE_ZERO, 0, BITS_LDI_HIGH, 2),            /* LDI of the upper byte */
    KERF_FORM_LENGTH(0, 0, 2),
};

/* The upper byte goes to the next register. */
const struct kerf_forms kerf_forms_avr = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = {4, 4, 4, 15, 1}, .align = 1, .swept = 4};
#endif
