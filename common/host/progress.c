/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "common/host/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UPDATE_MS 100u
#define LEFT_MS 2000u /* of a stage, before its end is guessed */

static uint64_t now_ms(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) {
        return 0;
    }
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void kerf_progress_begin(struct kerf_progress *progress, bool quiet)
{
    const char *term = getenv("TERM");

    memset(progress, 0, sizeof *progress);
    progress->on = !quiet && isatty(STDERR_FILENO) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

void kerf_progress_show(void *context, const char *stage, uint64_t done, uint64_t total)
{
    struct kerf_progress *progress = context;

    if (!progress->on) {
        return;
    }
    uint64_t now = now_ms();
    if (progress->shown && now < progress->next_ms && stage == progress->stage && done < total) {
        return;
    }
    if (!progress->shown || stage != progress->stage) {
        progress->stage_ms = now;
    }
    progress->next_ms = now + UPDATE_MS;
    progress->stage = stage;
    progress->shown = true;
    if (total == 0) {
        (void)fprintf(stderr, "\r\033[K%-10s %" PRIu64, stage, done);
    } else {
        double percent = 100.0 * (double)(done < total ? done : total) / (double)total;

        (void)fprintf(stderr, "\r\033[K%-10s %3.0f %%  %" PRIu64 "/%" PRIu64, stage, percent, done, total);
        if (now - progress->stage_ms >= LEFT_MS && done > 0 && done < total) {
            double left = (double)(now - progress->stage_ms) * (double)(total - done) / (double)done / 1000;

            (void)fprintf(stderr, "  %.0f s left", left);
        }
    }
    (void)fflush(stderr);
}

void kerf_progress_end(struct kerf_progress *progress)
{
    if (progress->on && progress->shown) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        progress->shown = false;
    }
}
