/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "diffgen/tasks.h"

#include <stdatomic.h>

#define THREADS_MAX 64u

struct tasks {
    void (*task)(void *ctx, unsigned index);
    void *ctx;
    unsigned count;
    atomic_uint next;
};

static void *work(void *arg)
{
    struct tasks *t = arg;

    for (;;) {
        unsigned index = atomic_fetch_add(&t->next, 1);

        if (index >= t->count) {
            return NULL;
        }
        t->task(t->ctx, index);
    }
}

void kerf_tasks_run(unsigned jobs, unsigned count, void (*task)(void *ctx, unsigned index), void *ctx)
{
    struct tasks t = {.task = task, .ctx = ctx, .count = count};
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    unsigned wanted = jobs < count ? jobs : count;

    atomic_init(&t.next, 0);
    while (started + 1 < wanted && started < THREADS_MAX && pthread_create(&threads[started], NULL, work, &t) == 0) {
        started++;
    }
    (void)work(&t);
    while (started > 0) {
        (void)pthread_join(threads[--started], NULL);
    }
}

static void *run_task(void *arg)
{
    struct kerf_task *t = arg;

    t->run(t->ctx);
    return NULL;
}

bool kerf_task_start(struct kerf_task *task, void (*run)(void *ctx), void *ctx)
{
    task->run = run;
    task->ctx = ctx;
    task->runs = pthread_create(&task->thread, NULL, run_task, task) == 0;
    return task->runs;
}

void kerf_task_wait(struct kerf_task *task)
{
    if (task->runs) {
        (void)pthread_join(task->thread, NULL);
        task->runs = false;
    }
}
