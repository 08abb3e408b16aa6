/* SPDX-License-Identifier: Apache-2.0 */
/* word.h - pointer words, for isa.c alone. */
#ifndef KERF_COMMON_ISA_WORD_H
#define KERF_COMMON_ISA_WORD_H

#include "common/isa/isa.h"

enum {
    KERF_FORM_WORD32_LE = KERF_FORM_WORDS,
    KERF_FORM_WORD32_BE,
    KERF_FORM_WORD64_LE,
    KERF_FORM_WORD64_BE,
};

bool kerf_word_get(unsigned form, const uint8_t *p, kerf_addr *target);
void kerf_word_put(unsigned form, uint8_t *p, kerf_addr target);

#endif
