/* SPDX-License-Identifier: Apache-2.0 */
/* word.h - pointer words, for isa.c alone. */
#ifndef KERF_COMMON_ISA_WORD_H
#define KERF_COMMON_ISA_WORD_H

#include "common/isa/isa.h"

/* A form is KERF_FORM_WORDS + the word's length in bytes, 4 or 8, + 1 if it is big-endian. */
kerf_addr kerf_word_code(unsigned form, uint8_t *p, const kerf_addr *target);

#endif
