/* SPDX-License-Identifier: Apache-2.0 */
/* Which stretch of old belongs to which of new. */
#include "diffgen/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN 0x100000u

static void add(struct kerf_layout *layout, uint64_t pos, uint64_t len, uint64_t addr)
{
    kerf_layout_add(layout, LEN, pos, len, addr, true);
}

/* As a newer linker of the ESP32's has them: what runs from flash moved in front of what runs from RAM. */
static void a_long_stretch_is_not_given_up_for_short_ones(void **state)
{
    static struct kerf_look_side sides[2];
    struct kerf_look_pairs pairs;

    (void)state;
    add(&sides[0].layout, 0x100, 0x400, 0x40080000);
    add(&sides[0].layout, 0x500, 0x300, 0x40080400);
    add(&sides[0].layout, 0x1000, 0x80000, 0x400d0000);
    add(&sides[1].layout, 0x1000, 0x80100, 0x400d0000);
    add(&sides[1].layout, 0x90000, 0x400, 0x40080000);
    add(&sides[1].layout, 0x90400, 0x300, 0x40080400);
    kerf_look_pair(sides, &pairs);
    assert_int_equal(pairs.count, 1);
    assert_int_equal(pairs.at[0].old_span.pos, 0x1000);
    assert_int_equal(pairs.at[0].new_span.pos, 0x1000);
}

/* Of two that are as long the nearer one is it. */
static void addresses_tell_stretches_apart(void **state)
{
    static struct kerf_look_side sides[2];
    struct kerf_look_pairs pairs;

    (void)state;
    add(&sides[0].layout, 0x100, 0x1000, 0x20000000);
    add(&sides[1].layout, 0x100, 0x1000, 0x20100000);
    add(&sides[1].layout, 0x2000, 0x1000, 0x20000000);
    kerf_look_pair(sides, &pairs);
    assert_int_equal(pairs.count, 1);
    assert_int_equal(pairs.at[0].new_span.pos, 0x2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_stretch_is_not_given_up_for_short_ones),
        cmocka_unit_test(addresses_tell_stretches_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
