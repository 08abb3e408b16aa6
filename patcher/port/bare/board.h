/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - where the slots of a board lie and how its flash is written. One board_<name>.c each; an integrator's own
 * board is one more of them.
 */
#ifndef KERF_PORT_BARE_BOARD_H
#define KERF_PORT_BARE_BOARD_H

#include "common/error.h"
#include "common/types.h"

/* All of the flash is memory-mapped for reading. */
struct kerf_board {
    const char *name;
    const uint8_t *old_slot; /* holds the old image from the start */
    uint32_t old_slot_size;  /* bytes */
    const uint8_t *new_slot; /* updates in place: holds the old image from the start */
    uint32_t new_slot_size;  /* bytes */
    const uint8_t *spare;    /* journal, then scratch */
    uint32_t spare_size;     /* bytes */
    const uint8_t *flash;    /* all three */
    uint32_t flash_size;     /* bytes */
    uint32_t sector_size;    /* bytes, unit of erase */
    uint32_t page_size;      /* bytes given to program() at a time, a multiple of unit */
    uint32_t unit;           /* bytes, programmed once after each erase */
    uint32_t interval;       /* bytes of new between checkpoints */
    uint8_t *workspace;      /* aligned to KERF_WORKSPACE_ALIGN */
    uint32_t workspace_size; /* bytes */

    /* Erases the sector of new slot or spare area that begins there. */
    kerf_err (*erase)(const uint8_t *sector);
    /* Programs erased bytes of new slot or spare area; `to` is aligned to the unit, len at most page_size. */
    kerf_err (*program)(const uint8_t *to, const uint8_t *data, size_t len);
    /* A free-running clock, which the first call starts; NULL: there is none. Under QEMU's -icount it counts instructions. */
    uint32_t (*ticks)(void);
};

extern const struct kerf_board kerf_board;

#endif
