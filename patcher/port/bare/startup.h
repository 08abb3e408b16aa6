/* SPDX-License-Identifier: Apache-2.0 */
/*
 * startup.h - what the start-up code knows about the stack.
 */
#ifndef KERF_PORT_BARE_STARTUP_H
#define KERF_PORT_BARE_STARTUP_H

#include "common/types.h"

/* Fills the unused stack with a pattern; called before main(), and again to begin a measurement. */
void kerf_stack_paint(void);

/* The most bytes of stack that were in use since it was painted, below the frame of the function that painted it. */
uint32_t kerf_stack_peak(void);

/* Bytes of stack there are. */
uint32_t kerf_stack_size(void);

#endif
