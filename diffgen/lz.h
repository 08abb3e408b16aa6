/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz.h - earlier places of new's own bytes, for segments copied from new.
 */
#ifndef KERF_DIFFGEN_LZ_H
#define KERF_DIFFGEN_LZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define KERF_LZ_FOUND 12    /* matches told at most */
#define KERF_LZ_LEN_MAX 128 /* a match may be longer than what is told */

struct kerf_lz_match {
    uint32_t len, pos;
};

struct kerf_lz;

/*
 * bytes[0 .. len), len below 2^31, must stay, and a zero byte behind them. Places at least `window` bytes before the
 * one in question are forgotten; where that is less than len, positions must be asked for in ascending order. NULL: out
 * of memory. 8 bytes of memory for each byte of the window, and 1 MiB.
 */
struct kerf_lz *kerf_lz_open(const uint8_t *bytes, size_t len, size_t window);
void kerf_lz_close(struct kerf_lz *lz);

/*
 * Called for each position once, in the order in which new is produced: the places looked at before that match at pos,
 * ever longer and, but for what the depth of the search leaves out, the newest one of each length. Returns how many.
 */
unsigned kerf_lz_find(struct kerf_lz *lz, size_t pos, struct kerf_lz_match found[KERF_LZ_FOUND]);

/* What kerf_lz_find() says of every position, for all plans of an image; threads may ask at the same time. */
struct kerf_lz_memory;

#define KERF_LZ_MEMORY_LEN ((size_t)1 << 25) /* bytes of an image that is remembered so at most */

/*
 * quiet[0 .. len): not 0 where no plan will want a copy, and nothing is remembered. *memory is the caller's, for kerf_lz_forget(); NULL: it would
 * take more than `most` bytes. False: out of memory.
 */
bool kerf_lz_remember(const uint8_t *bytes, size_t len, const uint8_t *quiet, uint64_t most,
                      struct kerf_lz_memory **memory);
/* As kerf_lz_find(), in any order. */
unsigned kerf_lz_recall(const struct kerf_lz_memory *memory, size_t pos, struct kerf_lz_match found[KERF_LZ_FOUND]);
void kerf_lz_forget(struct kerf_lz_memory *memory);

#endif
