/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - how much memory this process has in use, as the system counts it (resident pages, libraries included).
 */
#ifndef KERF_PATCHER_PORT_MEMORY_H
#define KERF_PATCHER_PORT_MEMORY_H

#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes resident now; 0: the system doesn't say. */
uint64_t kerf_memory_now(void);

/* Most bytes ever resident since the start or the last kerf_memory_reset_peak(); 0: the system doesn't say. */
uint64_t kerf_memory_peak(void);

/* Begins a new peak at what is resident now. False: the system can't, and the old peak stays. */
bool kerf_memory_reset_peak(void);

#ifdef __cplusplus
}
#endif

#endif
