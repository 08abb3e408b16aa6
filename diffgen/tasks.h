/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks.h - the same function for several things at once.
 */
#ifndef KERF_DIFFGEN_TASKS_H
#define KERF_DIFFGEN_TASKS_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Calls task(ctx, 0), .. task(ctx, count - 1), each once and at most `jobs` at a time, and returns when all have returned.
 * The caller's thread is one of them; with jobs 1, or where no thread can be had, it does all, in order. What the tasks
 * make must not depend on which is first: each writes only what is its own.
 */
void kerf_tasks_run(unsigned jobs, unsigned count, void (*task)(void *ctx, unsigned index), void *ctx);

#ifdef __cplusplus
}
#endif

#endif
