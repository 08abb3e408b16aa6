/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure REPORT COMMAND ARGUMENT...   runs a command and writes what it took to the file REPORT:
 *
 *     wall seconds, user seconds, system seconds, peak memory in KiB, and its exit status (128 + signal where it was
 *     killed)
 *
 * A program of its own because the peak memory that wait4() tells begins with that of the process that forked: here it
 * is about 1 MiB, in a script it would be the interpreter's.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;

    if (argc < 3) {
        (void)fputs("usage: measure REPORT COMMAND ARGUMENT...\n", stderr);
        return 2;
    }
    double start = now();
    pid_t pid = fork();

    if (pid == 0) {
        (void)execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
        perror("measure");
        return 1;
    }
    double wall = now() - start;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE *report = fopen(argv[1], "w");

    if (report == NULL ||
        fprintf(report, "%.6f %.6f %.6f %ld %d\n", wall, seconds(usage.ru_utime), seconds(usage.ru_stime),
                usage.ru_maxrss, code) < 0 ||
        fclose(report) != 0) {
        perror(argv[1]);
        return 1;
    }
    return code;
}
