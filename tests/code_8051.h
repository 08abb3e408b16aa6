/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes for image_test.c: hexadecimal ones, and 8051 code, nothing but calls that lead behind a RET, and data that is read. */
#ifndef KERF_TESTS_CODE_8051_H
#define KERF_TESTS_CODE_8051_H

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

/* Bytes that are written in hexadecimal. Returns how many. */
static inline size_t put_hex(uint8_t *p, const char *hex)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};

        p[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

#define BANKS_FIRST 0x1000u /* address of the first byte */
#define BANKS_END 0x14000u  /* where the third bank would go on to 0x18000 */

static inline uint32_t function_of_8051_at(uint32_t i)
{
    return BANKS_FIRST + i * 40u + (i * i * i * 2654435761u >> 29);
}

/* Functions from BANKS_FIRST to `end` that call those of the first bank and read data. */
static inline void make_8051(uint8_t *p, uint32_t end)
{
    uint32_t seed = 1;

    memset(p, 0, end - BANKS_FIRST);
    for (uint32_t i = 0; function_of_8051_at(i + 1) <= end; i++) {
        uint8_t *f = p + function_of_8051_at(i) - BANKS_FIRST;

        seed = seed * 1664525u + 1013904223u;
        uint32_t target = function_of_8051_at((seed >> 8) % 500u);

        put_hex(f, "901234e012"); /* mov dptr, #0x1234; movx a, @dptr; lcall */
        kerf_store_le16(f + 5, target >> 8 | target << 8);
        p[function_of_8051_at(i + 1) - BANKS_FIRST - 1] = 0x22; /* ret */
    }
}

#endif
