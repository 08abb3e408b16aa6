/* SPDX-License-Identifier: Apache-2.0 */
/* RAM, as the container says it, where words point there; else where the words that instructions load cluster. */
#include "diffgen/detect.h"
#include "diffgen/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "tests/program.h"

#define LEN 8192u
#define PLAIN 16u /* bytes of a function */

static uint8_t image[LEN + 64];

/* Functions that load a word near `ram` each. */
static void make_loads(uint32_t ram)
{
    uint32_t seed = 3;

    for (uint32_t at = 0; at < LEN; at += PLAIN) {
        seed = seed * 1664525u + 1013904223u;
        kerf_store_le32(image + at, 0xbf00bf00);     /* NOP, twice */
        kerf_store_le32(image + at + 4, 0x4770bf00); /* NOP; BX LR */
        kerf_store_le32(image + at + 8, 0x47704800); /* LDR R0, [PC, #0]; BX LR */
        kerf_store_le32(image + at + 12, ram + (seed >> 8) % 0x600 * 4);
    }
}

static void a_window_that_no_word_points_to_is_none(void **state)
{
    struct kerf_layout layout = {.addressed = true, .exact_windows = true, .span_count = 1, .window_count = 1};
    struct kerf_range ranges[KERF_MAX_RANGES];
    unsigned count = 0;

    (void)state;
    layout.spans[0] = (struct kerf_span){0, LEN, 0x08000000, true};
    layout.windows[0] = (struct kerf_range){0x20002000, 0x3000};
    make_loads(0x20003000);
    assert_int_equal(kerf_detect_ram(KERF_ISA_THUMB, image, LEN, &layout, ranges, &count), KERF_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ranges[0].start, 0x20002000); /* as the container has it */
    layout.windows[0].start = 0x08002000;
    layout.windows[0].len = 0x100;
    assert_int_equal(kerf_detect_ram(KERF_ISA_THUMB, image, LEN, &layout, ranges, &count), KERF_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ranges[0].start, 0x20003000);
}

/* Of AVR instructions hold addresses of variables, whatever is known of words: none of them has 4 bytes. */
static void variables_of_an_avr_are_looked_for(void **state)
{
    static uint8_t p[PROGRAM_LEN];
    const struct kerf_diff_options options = {.level = 6};
    struct kerf_image found;

    (void)state;
    make_program(KERF_ISA_AVR, 0, 1, p);
    assert_int_equal(kerf_image_recognise(p, sizeof(p), p, sizeof(p), &options, NULL, &found), KERF_OK);
    assert_int_equal(found.region_count, 1);
    assert_int_equal(found.regions[0].isa, KERF_ISA_AVR);
    assert_int_equal(found.regions[0].kinds >> KERF_REF_RAM & 1, 1);
    assert_int_equal(found.regions[0].kinds >> KERF_REF_WORD & 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_that_no_word_points_to_is_none),
        cmocka_unit_test(variables_of_an_avr_are_looked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
