/* SPDX-License-Identifier: Apache-2.0 */
#include "common/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Every address is tried: nothing may depend on alignment. */
#define OFFSETS 8

static const uint8_t pattern[8] = {0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5, 0x96, 0x87};

static void little_endian_loads_put_the_first_byte_lowest(void **state)
{
    (void)state;
    for (size_t at = 0; at < OFFSETS; at++) {
        uint8_t buf[OFFSETS + sizeof(pattern)];

        memcpy(buf + at, pattern, sizeof(pattern));
        assert_true(kerf_load_le16(buf + at) == 0xe1f0u);
        assert_true(kerf_load_le24(buf + at) == 0xd2e1f0u);
        assert_true(kerf_load_le32(buf + at) == 0xc3d2e1f0u);
        assert_true(kerf_load_le64(buf + at) == 0x8796a5b4c3d2e1f0u);
    }
}

static void big_endian_loads_put_the_first_byte_highest(void **state)
{
    (void)state;
    for (size_t at = 0; at < OFFSETS; at++) {
        uint8_t buf[OFFSETS + sizeof(pattern)];

        memcpy(buf + at, pattern, sizeof(pattern));
        assert_true(kerf_load_be32(buf + at) == 0xf0e1d2c3u);
    }
}

/* What lies beside the bytes that a store owns keeps its 0x55. */
static void assert_only_written(const uint8_t *buf, size_t cap, size_t at, const uint8_t *expected, size_t len)
{
    for (size_t i = 0; i < cap; i++) {
        assert_int_equal(buf[i], i >= at && i - at < len ? expected[i - at] : 0x55);
    }
}

static void stores_write_their_bytes_and_no_others(void **state)
{
    static const uint8_t big[4] = {0xc3, 0xd2, 0xe1, 0xf0};
    uint8_t buf[OFFSETS + 16];

    (void)state;
    for (size_t at = 1; at < OFFSETS; at++) {
        memset(buf, 0x55, sizeof(buf));
        kerf_store_le16(buf + at, 0xffffe1f0u); /* upper bits are dropped */
        assert_only_written(buf, sizeof(buf), at, pattern, 2);
        memset(buf, 0x55, sizeof(buf));
        kerf_store_le24(buf + at, 0xffd2e1f0u);
        assert_only_written(buf, sizeof(buf), at, pattern, 3);
        memset(buf, 0x55, sizeof(buf));
        kerf_store_le32(buf + at, 0xc3d2e1f0u);
        assert_only_written(buf, sizeof(buf), at, pattern, 4);
        memset(buf, 0x55, sizeof(buf));
        kerf_store_le64(buf + at, 0x8796a5b4c3d2e1f0u);
        assert_only_written(buf, sizeof(buf), at, pattern, 8);
        memset(buf, 0x55, sizeof(buf));
        kerf_store_be32(buf + at, 0xc3d2e1f0u);
        assert_only_written(buf, sizeof(buf), at, big, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian_loads_put_the_first_byte_lowest),
        cmocka_unit_test(big_endian_loads_put_the_first_byte_highest),
        cmocka_unit_test(stores_write_their_bytes_and_no_others),
    };

    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
