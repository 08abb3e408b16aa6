/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of words of 4 bytes that hold the distance to what they point to, counted from themselves: of symbols,
 * exceptions, alternatives, jumps, bugs in Linux kernels (PREL32). No instructions, but a region of its own: each word
 * at a multiple of 4 counts, other than small ones, which are numbers. Source: Linux, CONFIG_HAVE_ARCH_PREL32_RELOCATIONS.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_OFFSETS
static const struct kerf_form_base bases[] = {{0, 0, 0, 0}};

static const struct kerf_form_bits bits[] = {{0, 0, 31}, {31, 31, 1}};

static const struct kerf_form forms[] = {
    KERF_FORM_LENGTH(0xffff, 0x0000, 4),               /* below 2^16: a number */
    KERF_FORM_LENGTH(0xffff, 0xffff, 4),               /* the same, negative */
    KERF_FORM(0, 0, KERF_REF_LITERAL, 4, 0, 32, 0, 2), /* a distance */
};

const struct kerf_forms kerf_forms_offsets = {
    .forms = forms, .bits = bits, .bases = bases, .align = 3, .opcode = 16, .swept = 0};
#endif
