/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - where the slots of a board lie and how its flash is written. One board_<name>.c each; an integrator's own
 * board is one more of them.
 */
#ifndef KERF_PORT_CORTEX_M_BOARD_H
#define KERF_PORT_CORTEX_M_BOARD_H

#include "common/error.h"
#include "common/types.h"

struct kerf_board {
    const char *name;
    const uint8_t *old_slot; /* memory-mapped; holds the old image from the start */
    uint32_t old_slot_size;  /* bytes */
    const uint8_t *new_slot; /* memory-mapped for reading */
    uint32_t new_slot_size;  /* bytes */
    uint32_t sector_size;    /* bytes, unit of erase */
    uint32_t page_size;      /* bytes given to program() at a time, a multiple of the program unit */
    uint8_t *workspace;      /* aligned to KERF_WORKSPACE_ALIGN */
    uint32_t workspace_size; /* bytes */

    /* Erases the sector of the new slot at pos, a multiple of sector_size. */
    kerf_err (*erase)(uint32_t pos);
    /* Programs erased bytes of the new slot; pos is a multiple of page_size, len at most page_size. */
    kerf_err (*program)(uint32_t pos, const uint8_t *data, size_t len);
    /* A free-running clock, which the first call starts; NULL: there is none. Under QEMU's -icount it counts instructions. */
    uint32_t (*ticks)(void);
};

extern const struct kerf_board kerf_board;

#endif
