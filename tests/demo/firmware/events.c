/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - the terminal's log: a ring of lines on the heap, searched by pattern.
 */
#include "board.h"

#include "app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if FIRMWARE_RELEASE >= 3
#define EVENTS_CAP 64
#else
#define EVENTS_CAP 32
#endif

static char *ring[EVENTS_CAP];
static unsigned total;

void events_add(const char *format, ...)
{
    char line[160];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    char *copy = malloc(strlen(line) + 1);
    if (copy == NULL) {
        return;
    }
    strcpy(copy, line);
    free(ring[total % EVENTS_CAP]);
    ring[total % EVENTS_CAP] = copy;
    total++;
}

/* Does `text` begin with what the pattern says? c, ., c*, .*, $; the pattern's length bounds the recursion. */
static int match_here(const char *pattern, const char *text)
{
    if (pattern[0] == '\0' || (pattern[0] == '$' && pattern[1] == '\0')) {
        return pattern[0] == '\0' || *text == '\0';
    }
    if (pattern[1] == '*') {
        do {
            if (match_here(pattern + 2, text)) {
                return 1;
            }
        } while (*text != '\0' && (pattern[0] == *text++ || pattern[0] == '.'));
        return 0;
    }
    return *text != '\0' && (pattern[0] == '.' || pattern[0] == *text) && match_here(pattern + 1, text + 1);
}

static int match(const char *pattern, const char *text)
{
    if (pattern[0] == '^') {
        return match_here(pattern + 1, text);
    }
    do {
        if (match_here(pattern, text)) {
            return 1;
        }
    } while (*text++ != '\0');
    return 0;
}

unsigned events_find(const char *pattern)
{
    unsigned found = 0;
    const unsigned first = total > EVENTS_CAP ? total - EVENTS_CAP : 0;
    for (unsigned i = first; i < total; i++) {
        const char *line = ring[i % EVENTS_CAP];
        if (match(pattern, line)) {
            printf("  %4u  %s\n", i, line);
            found++;
        }
    }
    return found;
}

unsigned events_count(void)
{
    return total;
}
