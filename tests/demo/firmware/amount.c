/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amount.c - money as text. Release 1 loses the sign of amounts between -0.99 and -0.01; release 2 mends that.
 */
#include "board.h"

#include "app.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void amount_print(int64_t cents, const char *currency, char *text, size_t cap)
{
#if FIRMWARE_RELEASE >= 2
    const char *sign = cents < 0 ? "-" : "";
    const uint64_t size = cents < 0 ? ~(uint64_t)cents + 1 : (uint64_t)cents;
    snprintf(text, cap, "%s%llu.%02u %s", sign, (unsigned long long)(size / 100), (unsigned)(size % 100), currency);
#else
    snprintf(text, cap, "%lld.%02d %s", (long long)(cents / 100), abs((int)(cents % 100)), currency);
#endif
}

int amount_parse(const char *text, int64_t *cents)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    while (isspace((unsigned char)*end)) {
        end++;
    }
    if (end == text || *end != '\0' || !isfinite(value)) {
        return -1;
    }
#if FIRMWARE_RELEASE >= 2
    if (fabs(value) > 1e15) {
        return -1;
    }
#endif
    *cents = (int64_t)llround(value * 100.0);
    return 0;
}
