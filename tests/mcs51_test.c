/* SPDX-License-Identifier: Apache-2.0 */
/* 8051 programs of a few KB: told by their vectors and by what calls lead to. */
#include "tests/image_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "diffgen/detect.h"
#include "tests/code_8051.h"
#include "tests/pack.h"

#define LEN 2048u
#define CODE 0x80u
#define FUNCTIONS 12u

static uint8_t p[LEN + 64];

static uint32_t start_of(uint32_t i)
{
    return CODE + 100u * i + i % 3;
}

/* Functions that call the next but four; vectors that jump to some, return, and are not set. */
static void make_small(void)
{
    test_noise(p, LEN, 3);
    memset(p, 0xff, CODE);
    put_hex(p, "020080"); /* ljmp */
    put_hex(p + 3, "0200e4");
    put_hex(p + 19, "32"); /* reti */
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        uint32_t target = start_of((i + 5) % FUNCTIONS);

        put_hex(p + start_of(i) - 1, "22c2af12"); /* ret; clr ea; lcall */
        kerf_store_le16(p + start_of(i) + 3, target >> 8 | target << 8);
    }
    p[CODE - 1] = 0xff;
}

static unsigned isa_found(void)
{
    const struct kerf_diff_options options = {.level = 6};
    struct kerf_image image;

    assert_int_equal(kerf_image_recognise(p, LEN, p, LEN, &options, NULL, &image), KERF_OK);
    assert_null(test_image_check(&image, LEN, LEN));
    assert_true(image.region_count <= 1);
    assert_int_equal(image.region_count == 0 ? 0 : image.regions[0].old_addr, 0);
    return image.region_count == 0 ? KERF_ISA_NONE : image.regions[0].isa;
}

static void a_small_program_is_told_by_its_vectors(void **state)
{
    (void)state;
    make_small();
    assert_int_equal(isa_found(), KERF_ISA_MCS51);
    p[19] = 0x74; /* code where a vector would be: one vector is too few */
    assert_int_equal(isa_found(), KERF_ISA_NONE);
}

static void vectors_alone_do_not_tell(void **state)
{
    (void)state;
    make_small();
    for (uint32_t i = 0; i < FUNCTIONS; i++) { /* nothing ends where calls lead to */
        p[start_of(i) - 1] = 0;
    }
    assert_int_equal(isa_found(), KERF_ISA_NONE);
    make_small();
    p[1] = 0x10; /* the reset vector leads behind the image */
    assert_int_equal(isa_found(), KERF_ISA_NONE);
    for (size_t len = 0; len < 16; len++) {
        assert_false(kerf_detect_mcs51(p, len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_program_is_told_by_its_vectors),
        cmocka_unit_test(vectors_alone_do_not_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
