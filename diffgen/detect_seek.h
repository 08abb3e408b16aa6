/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detect_seek.h - the next place that may hold a pattern, by one of its bytes: most places do not, and sixteen are looked
 * at together. For detect_isa.c.
 */
#ifndef KERF_DIFFGEN_DETECT_SEEK_H
#define KERF_DIFFGEN_DETECT_SEEK_H

#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define KERF_SEEK_LEN 16u

/* Of a place every `step` (1, 2 or 4) bytes the byte at `at` is `value` in the bits of `mask`. */
struct kerf_seek {
    uint8_t step, at, mask, value;
};

/* A bit for each of the 16 bytes at p that is `value` in the bits of `mask`. */
static inline unsigned kerf_seek_alike(const uint8_t *p, uint8_t mask, uint8_t value)
{
#ifdef __SSE2__
    __m128i bytes = _mm_and_si128(_mm_loadu_si128((const __m128i *)(const void *)p), _mm_set1_epi8((char)mask));

    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)value)));
#else
    unsigned alike = 0;

    for (unsigned i = 0; i < KERF_SEEK_LEN; i++) {
        alike |= (unsigned)((p[i] & mask) == value) << i;
    }
    return alike;
#endif
}

/* The first such place of i, i + step .. below `to`; else one that is not. p[0 .. len) is readable, up to to + at - 1 at least. */
static inline size_t kerf_seek(const struct kerf_seek *k, const uint8_t *p, size_t len, size_t i, size_t to)
{
    const unsigned places = k->step == 1 ? 0xffff : k->step == 2 ? 0x5555 : 0x1111;

    for (; i < to && i + k->at + KERF_SEEK_LEN <= len; i += KERF_SEEK_LEN) {
        unsigned alike = kerf_seek_alike(p + i + k->at, k->mask, k->value) & places;

        if (alike != 0) {
            return i + (unsigned)__builtin_ctz(alike);
        }
    }
    while (i < to && (p[i + k->at] & k->mask) != k->value) {
        i += k->step;
    }
    return i;
}

#endif
