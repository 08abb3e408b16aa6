/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks.h - the same function for several things at once.
 */
#ifndef KERF_DIFFGEN_TASKS_H
#define KERF_DIFFGEN_TASKS_H

#include <pthread.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Calls task(ctx, 0), .. task(ctx, count - 1), each once and at most `jobs` at a time, and returns when all have
 * returned. The caller's thread is one of them; with jobs 1, or where no thread can be had, it does all, in order. What
 * the tasks make must not depend on which is first: each writes only what is its own.
 */
void kerf_tasks_run(unsigned jobs, unsigned count, void (*task)(void *ctx, unsigned index), void *ctx);

/* One function that goes on beside the caller. All zero: none does. */
struct kerf_task {
    void (*run)(void *ctx);
    void *ctx;
    pthread_t thread;
    bool runs;
};

/* Calls run(ctx) in a thread of its own; false where none can be had: nothing was called. The task stays where it is. */
bool kerf_task_start(struct kerf_task *task, void (*run)(void *ctx), void *ctx);
/* Returns when run() has returned, at once where nothing was started. */
void kerf_task_wait(struct kerf_task *task);

#ifdef __cplusplus
}
#endif

#endif
