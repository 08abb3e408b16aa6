/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crosscheck.c - the devices' self-test of SHA-256 and byte order, on whatever host it is built for: there is
 * no cmocka for a big-endian machine. Exit status 0 when all is right.
 */
#include "patcher/port/bare/selftest.h"

#include <stdio.h>

int main(void)
{
    if (kerf_selftest() != KERF_OK) {
        (void)fprintf(stderr, "crosscheck: SHA-256 or byte order is wrong on this host\n");
        return 1;
    }
    return 0;
}
