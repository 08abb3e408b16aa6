/* SPDX-License-Identifier: Apache-2.0 */
/* Places that may hold a pattern are found sixteen at a time as they are one by one, also where a stretch ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeking_finds_what_a_look_at_each_place_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
