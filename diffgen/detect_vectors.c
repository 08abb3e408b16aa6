/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small programs have few words that point to functions and strings, but each handler of their vector table begins where
 * a function ends.
 */
#include "diffgen/detect_vectors.h"

#include "common/bytes.h"
#include "diffgen/detect.h"
#include "diffgen/detect_source.h"

#define MIN_VECTORS 5u /* that are set, of those of the processor */
/* Handlers that are looked at, those of a controller's own interrupts included, and how many must differ. */
#define MAX_HANDLERS 64u
#define MIN_HANDLERS 5u
#define GRANULE 256u /* of addresses at which a table may lie */

static bool is_near(uint32_t a, uint32_t b, size_t len)
{
    return (a > b ? a - b : b - a) < len;
}

/* Vectors that hold anything. */
static bool is_reserved(unsigned i)
{
    return (i >= 7 && i <= 10) || i == 13;
}

bool kerf_vectors_are(const uint8_t *p, size_t len)
{
    uint32_t stack = kerf_load_le32(p);
    uint32_t reset = kerf_load_le32(p + 4);
    unsigned set = 0;

    if (stack % 4 != 0 || stack < MIN_POINTER || stack >> 30 != 0 || reset % 2 == 0 || is_near(stack, reset, len)) {
        return false;
    }
    for (unsigned i = 1; i < KERF_VECTORS; i++) {
        uint32_t v = kerf_load_le32(p + (size_t)4 * i);

        if (is_reserved(i) || v == 0) {
            continue;
        }
        if (v % 2 == 0 || !is_near(v, reset, len)) {
            return false;
        }
        set++;
    }
    return set >= MIN_VECTORS;
}

/* The handlers that differ, without bit 0; as far as the table seems to go on. */
static unsigned collect(const uint8_t *p, size_t len, uint32_t handlers[MAX_HANDLERS])
{
    uint32_t reset = kerf_load_le32(p + 4);
    unsigned count = 0;

    for (unsigned i = 1; i < MAX_HANDLERS && (size_t)4 * i + 4 <= len; i++) {
        uint32_t v = kerf_load_le32(p + (size_t)4 * i);
        unsigned k = 0;

        if (v == 0 || (i < KERF_VECTORS && is_reserved(i))) {
            continue;
        }
        if (v % 2 == 0 || !is_near(v, reset, len)) {
            break;
        }
        while (k < count && handlers[k] != v - 1) {
            k++;
        }
        if (k == count) {
            handlers[count++] = v - 1;
        }
    }
    return count;
}

/* Does this word, which may be a literal, point to where RAM or peripherals mostly are, or into the image? */
static bool is_literal(uint32_t word, uint64_t base, size_t len)
{
    uint32_t top = word >> 20;

    return top == 0x100 || top == 0x200 || top == 0x240 || top == 0x400 || top == 0x500 || top == 0xe00 ||
           word >> 16 == 0x1fff || (word != 0 && word - base < len);
}

/* Does a function seem to begin `at`, 4 or more, where another one ends, or its literals do? */
static bool begins_at(const uint8_t *p, size_t len, size_t at, uint64_t base)
{
    uint32_t first = at + 2 <= len ? kerf_load_le16(p + at) : 0;
    uint32_t h = kerf_load_le16(p + at - 2);
    uint32_t before = kerf_load_le16(p + at - 4);

    if (first == 0 || first == 0xffff) {
        return false;
    }
    /* BX; POP {.., PC}; B, of either length; NOP, of either kind; LDM SP!, {.., PC} */
    return (h & 0xff87) == 0x4700 || (h & 0xff00) == 0xbd00 || (h & 0xf800) == 0xe000 ||
           ((before & 0xf800) == 0xf000 && (h & 0xd000) == 0x9000) || h == 0xbf00 || h == 0x46c0 ||
           (before == 0xe8bd && (h & 0x8000) != 0) || (at % 4 == 0 && is_literal(h << 16 | before, base, len));
}

unsigned kerf_vectors_place(const uint8_t *p, size_t len, uint64_t *addr)
{
    uint32_t handlers[MAX_HANDLERS];
    unsigned count = collect(p, len, handlers);
    uint32_t low = UINT32_MAX;
    uint32_t high = 0;
    uint64_t at = 0;
    unsigned best = 0;
    unsigned next = 0;

    for (unsigned k = 0; k < count; k++) {
        low = handlers[k] < low ? handlers[k] : low;
        high = handlers[k] > high ? handlers[k] : high;
    }
    if (count < MIN_HANDLERS || low < 4 * KERF_VECTORS) {
        return 0;
    }
    /* All handlers lie behind the table, and in the image. */
    uint64_t from = high >= len ? (high - len) / GRANULE * GRANULE + GRANULE : 0;

    for (uint64_t base = from; base + 4 * KERF_VECTORS <= low; base += GRANULE) {
        unsigned begin = 0;

        for (unsigned k = 0; k < count; k++) {
            begin += begins_at(p, len, (size_t)(handlers[k] - base), base);
        }
        if (begin > best) {
            next = best;
            best = begin;
            at = base;
        } else if (begin > next) {
            next = begin;
        }
    }
    if (4 * best < 3 * count || best < MIN_HANDLERS || 5 * next > 3 * best) {
        return 0;
    }
    *addr = at;
    return best;
}
