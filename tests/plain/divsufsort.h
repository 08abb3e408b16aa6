/* SPDX-License-Identifier: Apache-2.0 */
/* divsufsort.h - the part of libdivsufsort's interface that diffgen/ uses, where there is no such library (libs.c). */
#ifndef KERF_TESTS_PLAIN_DIVSUFSORT_H
#define KERF_TESTS_PLAIN_DIVSUFSORT_H

#include <stdint.h>

typedef uint8_t sauchar_t;
typedef int32_t saint_t;
typedef int32_t saidx_t;

/* The suffix array of text[0 .. len); 0, or -2 where there is no memory. */
saint_t divsufsort(const sauchar_t *text, saidx_t *suffixes, saidx_t len);

#endif
