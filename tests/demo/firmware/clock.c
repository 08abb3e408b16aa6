/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - dates as text. Release 2 refuses days that don't exist; release 1 took 30 February for 2 March.
 */
#include "board.h"

#include "app.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void clock_print(int64_t seconds, char *text, size_t cap)
{
    const time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || strftime(text, cap, "%a %Y-%m-%d %H:%M:%S, week %V", &tm) == 0) {
        snprintf(text, cap, "?");
    }
}

int64_t clock_parse(const char *text)
{
    struct tm tm;
    memset(&tm, 0, sizeof tm);
    if (sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) !=
        6) {
        return -1;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
#if FIRMWARE_RELEASE >= 2
    const struct tm asked = tm;
    const time_t t = mktime(&tm);
    if (asked.tm_mday != tm.tm_mday || asked.tm_mon != tm.tm_mon) {
        return -1;
    }
    return (int64_t)t;
#else
    return (int64_t)mktime(&tm);
#endif
}
