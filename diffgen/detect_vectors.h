/* SPDX-License-Identifier: Apache-2.0 */
/* detect_vectors.h - the vector table of a Cortex-M (ARMv7-M Architecture Reference Manual, B1.5.3), for detect_base.c. */
#ifndef KERF_DIFFGEN_DETECT_VECTORS_H
#define KERF_DIFFGEN_DETECT_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Vectors that are looked at to tell a table: of the processor itself, the first stack pointer with them. */
#define KERF_VECTORS 16u

/*
 * Does p[0 .. len), 4 * KERF_VECTORS bytes or more, begin with a vector table? One with little that it could be mistaken
 * for: handlers that lie no further apart than the image is long, and the first stack pointer away from them, in RAM.
 */
bool kerf_vectors_are(const uint8_t *p, size_t len);

/*
 * Where an image that begins with a vector table is loaded, by its handlers alone: three of four must begin where another
 * function ends, and at no other address more than three fifths as many. Returns how many do; 0: that tells nothing, and
 * *addr stays.
 */
unsigned kerf_vectors_place(const uint8_t *p, size_t len, uint64_t *addr);

#endif
