/* SPDX-License-Identifier: Apache-2.0 */
/*
 * string.h - all that the core takes from a C library, for compilers that come without one. The product defines the
 * four; a compiler may call them by itself, too.
 */
#ifndef KERF_PORT_RV32_STRING_H
#define KERF_PORT_RV32_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

#endif
