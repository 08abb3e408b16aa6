/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "patcher/port/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A line of /proc/self/status in bytes; 0 where there is none. No stdio: its buffer would count. */
static uint64_t status_line(const char *name)
{
    char text[4096];
    uint64_t kib = 0;
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (len > 0) {
        text[len] = '\0';
        const char *line = strstr(text, name);
        kib = line != NULL ? strtoull(line + strlen(name), NULL, 10) : 0;
    }
    return kib * 1024;
}

uint64_t kerf_memory_now(void)
{
    return status_line("\nVmRSS:");
}

uint64_t kerf_memory_peak(void)
{
    struct rusage usage;
    const uint64_t peak = status_line("\nVmHWM:");
    if (peak != 0 || getrusage(RUSAGE_SELF, &usage) != 0) {
        return peak;
    }
    /* Second choice: on Linux this one includes what the parent had before exec. */
    return usage.ru_maxrss > 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

bool kerf_memory_reset_peak(void)
{
    const int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    const bool done = fd >= 0 && write(fd, "5", 1) == 1;
    if (fd >= 0) {
        (void)close(fd);
    }
    return done;
}
