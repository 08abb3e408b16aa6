/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which words outside the image are pointers to RAM: windows of address space that such chips have, kept where enough
 * aligned words lie in them.
 */
#include "common/bytes.h"
#include "diffgen/detect.h"

/* Words that make a window worth its 4 to 6 bytes of header: each saves about a byte when it moves. */
#define MIN_WORDS 16u

/* SRAM of Cortex-M parts: at 0x20000000, a part of it below on some; CCM or SRAM at 0x10000000. */
static const struct kerf_range cortex_windows[] = {
    {0x10000000, 0x10000},
    {0x1fff0000, 0x110000},
};

static unsigned count_words(const uint8_t *image, size_t len, const struct kerf_range *windows, unsigned window_count,
                            size_t *counts)
{
    size_t from;
    size_t to;

    for (unsigned i = 0; kerf_detect_window(len, i, &from, &to); i++) {
        for (size_t pos = from; pos + 4 <= to; pos += 4) {
            uint32_t word = kerf_load_le32(image + pos);

            for (unsigned w = 0; w < window_count; w++) {
                counts[w] += word - windows[w].start < windows[w].len;
            }
        }
    }
    return window_count;
}

unsigned kerf_detect_ram(unsigned isa, const uint8_t *image, size_t len, const struct kerf_layout *layout,
                         struct kerf_range *ranges)
{
    const struct kerf_range *windows = layout->windows;
    unsigned window_count = layout->window_count;
    size_t counts[KERF_MAX_WINDOWS] = {0};
    unsigned count = 0;

    if (window_count == 0 && isa == KERF_ISA_THUMB) {
        windows = cortex_windows;
        window_count = sizeof cortex_windows / sizeof cortex_windows[0];
    }
    (void)count_words(image, len, windows, window_count, counts);
    for (unsigned i = 0; i < window_count && count < KERF_MAX_RANGES; i++) {
        if (counts[i] >= MIN_WORDS) {
            ranges[count++] = windows[i];
        }
    }
    return count;
}
