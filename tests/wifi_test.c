/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware of MediaTek's Wi-Fi as containers: which stretches have addresses, and what is taken for none. */
#include "diffgen/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "tests/pack.h"

#define LEN 4096u
#define SECTION(i) (96u + 64u * (i))
#define TABLE (LEN - 36u - 3u * 40u)
#define REGION(i) (TABLE + 40u * (i))

static uint8_t file[LEN];
static struct kerf_layout layout;

static void section(unsigned i, uint32_t type, uint32_t pos, uint32_t len, uint32_t addr)
{
    kerf_store_be32(file + SECTION(i), type);
    kerf_store_be32(file + SECTION(i) + 4, pos);
    kerf_store_be32(file + SECTION(i) + 8, len);
    kerf_store_be32(file + SECTION(i) + 12, addr);
}

static void sections_of_a_patch_have_addresses(void **state)
{
    (void)state;
    test_noise(file, LEN, 1);
    memcpy(file + 16, "ALPS", 4);
    kerf_store_be32(file + 44, 3);
    section(0, 0x00030002, 0x200, 0x600, 0x00200000);
    section(1, 0x00030001, 0x800, 0x100, 0x00300000); /* another kind of section */
    section(2, 0x00040002, 0x900, 0x9000, 0xe000f000);
    kerf_container_read(file, LEN, &layout);
    assert_non_null(layout.container);
    assert_true(layout.addressed);
    assert_int_equal(layout.span_count, 2);
    assert_int_equal(layout.spans[0].pos, 0x200);
    assert_int_equal(layout.spans[0].addr, 0x00200000);
    assert_int_equal(layout.spans[1].addr, 0xe000f000);
    assert_int_equal(layout.spans[1].len, LEN - 0x900); /* not behind the file's end */
    kerf_store_be32(file + 44, 63);                     /* more than there is room for */
    kerf_container_read(file, LEN, &layout);
    assert_null(layout.container);
    kerf_container_read(file, 95, &layout);
    assert_null(layout.container);
}

static void region(unsigned i, uint32_t addr, uint32_t len, unsigned features, unsigned type)
{
    kerf_store_le32(file + REGION(i) + 16, addr);
    kerf_store_le32(file + REGION(i) + 20, len);
    file[REGION(i) + 24] = (uint8_t)features;
    file[REGION(i) + 25] = (uint8_t)type;
}

static void regions_of_a_ram_image_have_addresses(void **state)
{
    (void)state;
    test_noise(file, LEN, 2);
    file[LEN - 36 + 2] = 3;
    region(0, 0x0021fc00, 0x800, 32, 0);
    region(1, 0x00400000, 0x300, 1, 0);                        /* encrypted */
    region(2, 0xe0022800, TABLE - 0x800 - 0x300 - 0x24, 0, 0); /* 0x24 bytes of check sums follow */
    kerf_container_read(file, LEN, &layout);
    assert_non_null(layout.container);
    assert_int_equal(layout.span_count, 2);
    assert_int_equal(layout.spans[0].addr, 0x0021fc00);
    assert_int_equal(layout.spans[1].pos, 0xb00);
    assert_int_equal(layout.spans[1].addr, 0xe0022800);
    region(0, 0, 0x800, 0, 2); /* no code */
    kerf_container_read(file, LEN, &layout);
    assert_int_equal(layout.span_count, 1);
    region(2, 0xe0022800, TABLE, 0, 0); /* they don't add up */
    kerf_container_read(file, LEN, &layout);
    assert_null(layout.container);
    for (size_t len = 0; len < 80; len++) { /* nothing is looked for in front of the file */
        kerf_container_read(file + LEN - len, len, &layout);
        assert_null(layout.container);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_of_a_patch_have_addresses),
        cmocka_unit_test(regions_of_a_ram_image_have_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
