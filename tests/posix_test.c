/* SPDX-License-Identifier: Apache-2.0 */
/* The port for files, where it is more than reads and writes: in place, and what the state remembers. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "patcher/port/journal_file.h"
#include "patcher/port/posix.h"

/* An open file without a name that holds `len` bytes of 'o'. */
static int temporary(size_t len)
{
    char path[] = "/tmp/kerf-posix-test-XXXXXX";
    int fd = mkstemp(path);
    char bytes[256];

    assert_true(fd >= 0 && len <= sizeof bytes);
    (void)unlink(path);
    memset(bytes, 'o', sizeof bytes);
    assert_int_equal(write(fd, bytes, len), len);
    return fd;
}

/* A window of new may reach behind what was written so far, and behind the end of a file that is to grow. */
static void in_place_what_the_file_lacks_may_be_read(void **state)
{
    struct kerf_posix posix;
    struct kerf_why why = {{0}};
    int fd = temporary(100);
    uint8_t buf[64];

    (void)state;
    assert_int_equal(kerf_posix_init(&posix, fd, "slot", fd, "slot", UINT64_MAX, &why), KERF_OK);
    posix.in_place = true;
    posix.new_cache.size = posix.old_cache.size;
    assert_int_equal(posix.port.io.read_new(&posix, 80, buf, sizeof buf), KERF_OK);
    assert_true(buf[0] == 'o' && buf[19] == 'o');
    assert_int_equal(posix.port.io.read_new(&posix, 100, buf, sizeof buf), KERF_OK);
    assert_int_equal(posix.port.io.read_new(&posix, 5000, buf, sizeof buf), KERF_OK);
    memset(buf, 'n', sizeof buf);
    assert_int_equal(posix.port.slot.write(&posix, 160, buf, 16), KERF_OK);
    assert_int_equal(posix.port.io.read_new(&posix, 128, buf, sizeof buf), KERF_OK);
    assert_true(buf[31] == 0 && buf[32] == 'n' && buf[47] == 'n');
    /* Of old nothing may be read that was never there. */
    assert_int_equal(posix.port.io.read_old(&posix, 50, buf, 64), KERF_ERR_SOURCE);
    kerf_posix_free(&posix);
    (void)close(fd);
}

static void with_two_slots_it_may_not(void **state)
{
    struct kerf_posix posix;
    struct kerf_why why = {{0}};
    int old_fd = temporary(100);
    int new_fd = temporary(0);
    uint8_t buf[64] = {0};

    (void)state;
    assert_int_equal(kerf_posix_init(&posix, old_fd, "old", new_fd, "new", UINT64_MAX, &why), KERF_OK);
    assert_int_equal(posix.port.slot.write(&posix, 0, buf, 32), KERF_OK);
    assert_int_equal(posix.port.io.read_new(&posix, 0, buf, 32), KERF_OK);
    assert_int_equal(posix.port.io.read_new(&posix, 0, buf, 33), KERF_ERR_FLASH);
    assert_non_null(strstr(posix.why.text, "shorter than it should be"));
    kerf_posix_free(&posix);
    (void)close(old_fd);
    (void)close(new_fd);
}

static void the_state_remembers_how_long_a_slot_is(void **state)
{
    struct kerf_posix posix;
    struct kerf_why why = {{0}};
    struct kerf_header header = {.codec = KERF_CODEC_NATIVE,
                                 .flags = KERF_FLAG_IN_PLACE,
                                 .old_size = 100,
                                 .new_size = 100,
                                 .chunk_size = 256,
                                 .sector_log2 = 12,
                                 .scratch = 1,
                                 .group = 1};
    char path[] = "/tmp/kerf-posix-test-XXXXXX";
    int state_fd = mkstemp(path);
    bool found = false;
    size_t len = 0;

    (void)state;
    assert_true(state_fd >= 0);
    for (uint64_t slot_len = 0; slot_len <= 1u << 20; slot_len += 1u << 20) {
        assert_int_equal(kerf_posix_init(&posix, -1, "", -1, "", UINT64_MAX, &why), KERF_OK);
        posix.slot_len = slot_len;
        assert_int_equal(kerf_journal_file_create(&posix, &state_fd, path, &header, 0), KERF_OK);
        kerf_posix_free(&posix);
        assert_int_equal(kerf_posix_init(&posix, -1, "", -1, "", UINT64_MAX, &why), KERF_OK);
        assert_int_equal(kerf_journal_file_open(&posix, state_fd, path, &found, &len), KERF_OK);
        assert_true(found && posix.slot_len == slot_len);
        kerf_posix_free(&posix);
    }
    (void)unlink(path);
    (void)close(state_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_place_what_the_file_lacks_may_be_read),
        cmocka_unit_test(with_two_slots_it_may_not),
        cmocka_unit_test(the_state_remembers_how_long_a_slot_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
