/* SPDX-License-Identifier: Apache-2.0 */
/* Places that may hold a pattern are found sixteen at a time as they are one by one, also where a stretch ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "diffgen/detect.h"
#include "diffgen/detect_seek.h"
#include "tests/pack.h"

#define LEN 200u

static size_t one_by_one(const struct kerf_seek *k, const uint8_t *p, size_t i, size_t to)
{
    while (i < to && (p[i + k->at] & k->mask) != k->value) {
        i += k->step;
    }
    return i;
}

static void seeking_finds_what_a_look_at_each_place_does(void **state)
{
    static const struct kerf_seek keys[] = {{1, 0, 0xff, 0x49}, {1, 0, 0x0f, 5},    {2, 1, 0xf8, 0xf0},
                                            {2, 0, 0x87, 0x87}, {4, 3, 0xfc, 0x94}, {4, 0, 0xc0, 0x40}};
    unsigned found = 0;

    (void)state;
    for (size_t len = 8; len < LEN; len++) {
        uint8_t *p = malloc(len); /* so that a sanitizer sees the end */
        size_t to = len - 4;

        assert_non_null(p);
        test_noise(p, len, (uint32_t)len);
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            for (size_t i = 0; i < to; i += keys[k].step) {
                size_t expected = one_by_one(&keys[k], p, i, to);
                size_t at = kerf_seek(&keys[k], p, len, i, to);

                if (expected < to) {
                    assert_int_equal(at, expected);
                    found++;
                } else {
                    assert_true(at >= to);
                }
            }
        }
        free(p);
    }
    assert_true(found > 10000);
}

#define TABLE_POS 0x40000u
#define TABLE_LEN 0xc000u

/* Zeros, and a table of words that point back, `shift` bytes further on. */
static uint8_t *new_image_with_table(size_t len, size_t shift)
{
    uint8_t *p = calloc(1, len);

    assert_non_null(p);
    for (size_t i = TABLE_POS + shift; i < TABLE_POS + shift + TABLE_LEN; i += 8) {
        kerf_store_le32(p + i, (uint32_t)(i / 3 - i)); /* by two thirds of the way */
    }
    return p;
}

static void tables_that_count_from_themselves_get_regions(void **state)
{
    const size_t len = 0x60000;
    const size_t shift = 0x2000;
    uint8_t *old_image = new_image_with_table(len, 0);
    uint8_t *new_image = new_image_with_table(len + shift, shift);
    uint8_t *without = calloc(1, len + shift);
    const struct kerf_region all = {.old_len = len,
                                    .old_addr = 0x8000,
                                    .new_len = len + shift,
                                    .new_addr = 0x8000,
                                    .isa = KERF_ISA_AARCH64,
                                    .kinds = 1u << KERF_REF_CALL};
    struct kerf_image image = {.region_count = 1, .regions = {all}};

    (void)state;
    assert_non_null(without);
    kerf_detect_offsets(old_image, without, &image); /* new has none */
    assert_int_equal(image.region_count, 1);
    kerf_detect_offsets(old_image, new_image, &image);
    assert_int_equal(image.region_count, 3);

    const struct kerf_region *r = image.regions;

    assert_int_equal(r[0].old_len, TABLE_POS);
    assert_int_equal(r[0].new_len, TABLE_POS + shift);
    assert_int_equal(r[1].isa, KERF_ISA_OFFSETS);
    assert_int_equal(r[1].kinds, kerf_isa_kinds(KERF_ISA_OFFSETS, 1u << KERF_REF_CALL | 1u << KERF_REF_LITERAL));
    assert_int_equal(r[1].old_addr, 0x8000 + TABLE_POS);
    assert_int_equal(r[1].new_addr, 0x8000 + TABLE_POS + shift);
    assert_int_equal(r[1].old_len, TABLE_LEN);
    assert_int_equal(r[1].new_len, TABLE_LEN);
    assert_int_equal(r[2].isa, KERF_ISA_AARCH64);
    assert_int_equal(r[2].old_pos + r[2].old_len, len);
    assert_int_equal(r[2].new_pos + r[2].new_len, len + shift);
    free(old_image);
    free(new_image);
    free(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeking_finds_what_a_look_at_each_place_does),
        cmocka_unit_test(tables_that_count_from_themselves_get_regions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
