/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the demo terminal: says what it is, runs its power-on checks, goes off again.
 */
#include "board.h"

#include "app.h"

#include <stdio.h>

#if FIRMWARE_RELEASE == 1
#define FIRMWARE_VERSION "1.0.0"
#elif FIRMWARE_RELEASE == 2
#define FIRMWARE_VERSION "1.1.0"
#else
#define FIRMWARE_VERSION "1.2.0"
#endif

static const char *const power_on[] = {
    "image",
    "amount -0.50",
    "tariff 1 95",
    "temperature 12345",
    "date 2026-02-30 08:00:00",
    "show Gr\xc3\xbc\xc3\x9f Gott",
    "calc 2*(3+sin(1))^2",
#if FIRMWARE_RELEASE >= 3
    "temperature 11980",
    "statistics",
#endif
    "find ^.*: ok$",
};

int main(void)
{
    int failed = 0;
    printf("terminal %s\n", FIRMWARE_VERSION);
    events_add("power on, firmware %s", FIRMWARE_VERSION);
    for (unsigned i = 0; i < sizeof power_on / sizeof power_on[0]; i++) {
        failed |= shell_run(power_on[i]) != 0;
    }
    printf("%s\n", failed ? "power-on checks failed" : "power-on checks passed");
    return failed;
}
