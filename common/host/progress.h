/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - a progress line on standard error, for people only: silent where that is not a terminal.
 * At most ten updates a second, whatever the number of calls. One line at a time per program; not for several threads.
 */
#ifndef KERF_COMMON_HOST_PROGRESS_H
#define KERF_COMMON_HOST_PROGRESS_H

#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_progress {
    bool on;           /* false: all calls do nothing */
    bool shown;        /* there is a line on the terminal */
    uint64_t next_ms;  /* monotonic time of the next update */
    const char *stage; /* of the last update; a new one is shown at once */
    uint64_t stage_ms; /* monotonic time of its beginning */
};

/* `quiet` silences it even on a terminal. */
void kerf_progress_begin(struct kerf_progress *progress, bool quiet);

/*
 * Shows "stage  42 %  done/total" (bytes or another unit), and once a stage has taken two seconds the time that it will
 * still take if it goes on like that. `stage` must be a literal. `progress` is a struct
 * kerf_progress; it is void so that this can be handed over as a callback (kerf_diff_progress). total 0: not known.
 */
void kerf_progress_show(void *progress, const char *stage, uint64_t done, uint64_t total);

/* Removes the line; call it before anything else is printed. May be called at any time and more than once. */
void kerf_progress_end(struct kerf_progress *progress);

#ifdef __cplusplus
}
#endif

#endif
