/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update.h - applies one container to the slots of the board, or goes on with one that was cut off, and prints what it
 * took, one "name value" a line:
 *
 *     resumed                                    where in the container it goes on
 *     workspace, stack, stack_port, stack_size   bytes; stack: the core's, without the callbacks' (stack_port)
 *     ticks, hash_ticks, port_ticks, ticks_per_million   the board's clock (board.h); the last calibrates it
 *     delta, new, erases, programs, operations (struct kerf_device), digest       the digest is hashed from the slot by other code than the patcher
 *     failed                                     absolute value of the error
 */
#ifndef KERF_PORT_BARE_UPDATE_H
#define KERF_PORT_BARE_UPDATE_H

#include "patcher/patcher.h"

#define KERF_UPDATE_PIECE_MAX 64u

struct kerf_update_options {
    size_t piece_len; /* bytes fed at a time, 1 .. KERF_UPDATE_PIECE_MAX */
    bool journal;     /* with checkpoints; updates in place have them in any case */
    uint32_t cut;     /* struct kerf_device */
};

/*
 * Applies the container in the semihosting file `path`. `expect`: NULL, by hand. Exit status: 0, or the error's
 * absolute value (10 .. 89).
 */
int kerf_update_run(const char *path, const struct kerf_patcher_expect *expect,
                    const struct kerf_update_options *options);

/* Prints `name`, which ends with a blank, and a number. */
void kerf_print_number(const char *name, uint32_t v);

#endif
