/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flash.h - a strict model of NOR flash, whose power can be cut in the middle of an operation.
 *
 * Sectors are erased as a whole; a unit is programmed as a whole, once after it was erased. A breach of that, or an
 * operation outside of the flash, aborts the program. What a cut leaves behind has bits that are neither old nor new:
 * they may be erased, programmed, anything, or different at every read, each by itself or all in common (cells that
 * were just not enough charged: which way they read depends on supply and temperature); such a unit can't be programmed
 * before its sector is erased again.
 *
 * All changes are logged, so that a test can go back to an earlier moment (flash_mark, flash_back). `key` stands for
 * everything that is in the flash: two moments with the same key are the same.
 */
#ifndef KERF_TESTS_FLASH_H
#define KERF_TESTS_FLASH_H

#include "common/types.h"

/* How an operation ends that the power was cut in. */
enum flash_cut {
    FLASH_CUT_BEFORE, /* nothing happened */
    FLASH_CUT_PART, /* program: the first k bytes are right; erase: the first k bytes are erased; others are as before */
    FLASH_CUT_LAST,     /* all but the last byte */
    FLASH_CUT_BITS,     /* program: of the bits to clear, some are; erase: of those to set, some are */
    FLASH_CUT_NOISE,    /* erase: any bits; program: any bits in the unit where it stopped */
    FLASH_CUT_UNSTABLE, /* as BITS, but what is undefined reads differently each time */
    FLASH_CUT_WEAK, /* program: the unit where it stopped, erase: all; reads as a whole now as if done, now as if not begun */
    FLASH_CUT_AFTER, /* all happened, but nobody was told */
    FLASH_CUT_COUNT,
};

#define FLASH_WATCHES 3u /* sectors that are watched at most */

/* What was done first to a sector that is watched. */
enum flash_watch {
    FLASH_WATCH_NOTHING,
    FLASH_WATCH_ERASED,
    FLASH_WATCH_USED, /* read or programmed */
};

struct flash {
    uint32_t size, sector, unit; /* bytes */
    uint8_t *bytes;
    uint8_t *undefined;                 /* bits that read differently each time */
    uint8_t *units;                     /* enum in flash.c: erased, programmed, torn, weak */
    uint32_t *erases;                   /* of each sector, ever (flash_back does not take them back) */
    uint64_t key;                       /* of all blocks */
    uint32_t block;                     /* bytes; what is logged, and has a key, as a whole */
    bool *unstable;                     /* blocks with undefined bits, */
    uint32_t unstable_count;            /* and how many these are */
    uint64_t *block_keys, *erased_keys; /* erased: those that blocks have then */
    uint32_t watched[FLASH_WATCHES];    /* where these sectors begin */
    enum flash_watch watch[FLASH_WATCHES];
    uint64_t noise; /* state of the noise */
    uint32_t weak_reads,
        weak_left; /* what reads of weak bits give: bit 0 that of the next one, so many; then noise says */
    uint64_t erase_count, program_count;
    uint8_t *log;            /* blocks as they were */
    size_t log_len, log_cap; /* blocks */
    /* Called before each operation is done, with ctx; the cuts are made there. */
    void (*before)(void *ctx);
    void *before_ctx;
    /* The operation that `before` is called for. */
    bool erasing;
    uint32_t op_pos, op_len;
    const uint8_t *op_data; /* NULL when erasing */
};

/* Sizes are multiples of each other, a sector one of 64. All units are programmed, with noise, as in a device that was used before. */
void flash_init(struct flash *f, uint32_t size, uint32_t sector, uint32_t unit, uint64_t seed);
void flash_free(struct flash *f);

void flash_read(struct flash *f, uint32_t pos, uint8_t *buf, size_t len);
void flash_erase(struct flash *f, uint32_t pos);
/* A last unit that is not whole is filled up with ff. */
void flash_program(struct flash *f, uint32_t pos, const uint8_t *data, size_t len);
/* Puts bytes there, before the test begins. */
void flash_preset(struct flash *f, uint32_t pos, const uint8_t *data, size_t len);
/* Flips a bit; bit 0 is the lowest of byte 0. */
void flash_flip(struct flash *f, uint64_t bit);

/* Does the operation in progress (called from `before`) as far as the cut lets it. */
void flash_cut(struct flash *f, enum flash_cut how);

/* From now on watch[i] says what is done first to the sector that holds `pos`. */
void flash_watch(struct flash *f, unsigned i, uint32_t pos);
/* Do bits read differently each time outside of the sector that holds `pos`? */
bool flash_unstable_without(const struct flash *f, uint32_t pos);
/* The key of everything but what is in this sector; which sector it is is part of it. */
uint64_t flash_key_without(const struct flash *f, uint32_t pos);
/* A key with `len` more bytes in it. */
uint64_t flash_add_key(uint64_t key, const uint8_t *data, size_t len);

/* A moment to go back to. */
size_t flash_mark(const struct flash *f);
void flash_back(struct flash *f, size_t mark);
/* Forgets how to go back. */
void flash_settle(struct flash *f);

#endif
