/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/sha256.h"
#include "common/host/why.h"

static char folder[] = "/tmp/kerf-host-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return chdir("/") != 0 || rmdir(folder) != 0 ? -1 : 0; /* fails if a test left something */
}

static void sizes_are_digits_and_one_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {
        {"0", 0},
        {"8192", 8192},
        {"8K", 8192},
        {"8k", 8192},
        {"64KiB", 65536},
        {"1M", 1048576},
        {"1MB", 1048576},
        {"2G", (uint64_t)2 << 30},
        {"18446744073709551615", UINT64_MAX},
    };
    static const char *const bad[] = {"",
                                      "K",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "1KK",
                                      "1Kib",
                                      "0x10",
                                      "1.5K",
                                      "1i",
                                      "1KiBB",
                                      "18446744073709551616",
                                      "17179869184G"};
    uint64_t size;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(kerf_cli_parse_size(good[i].text, &size), KERF_OK);
        assert_true(size == good[i].size);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(kerf_cli_parse_size(bad[i], &size), KERF_ERR_ARGUMENT);
    }
}

static void hex_survives_both_ways(void **state)
{
    uint8_t bytes[4];
    char text[9];

    (void)state;
    assert_int_equal(kerf_cli_parse_hex("00aBfF7c", bytes, 4), KERF_OK);
    assert_string_equal(kerf_cli_format_hex(bytes, 4, text), "00abff7c");
    assert_int_equal(kerf_cli_parse_hex("00abff7", bytes, 4), KERF_ERR_ARGUMENT);
    assert_int_equal(kerf_cli_parse_hex("00abff7cc", bytes, 4), KERF_ERR_ARGUMENT);
    assert_int_equal(kerf_cli_parse_hex("00abff7g", bytes, 4), KERF_ERR_ARGUMENT);
    assert_int_equal(kerf_cli_parse_hex("@@@@@@@@", bytes, 4), KERF_ERR_ARGUMENT);
}

static void every_error_has_a_text_and_an_exit_code(void **state)
{
    (void)state;
    for (int err = -71; err < 0; err++) {
        const char *name = kerf_cli_err_name((kerf_err)err);

        assert_true(strlen(kerf_cli_err_text((kerf_err)err)) > 10);
        assert_int_not_equal(kerf_cli_err_exit((kerf_err)err), KERF_EXIT_OK);
        /* Numbers that are none are bugs, and said to be. */
        assert_true(err == KERF_ERR_STATE || strcmp(name, "state") != 0 ||
                    kerf_cli_err_exit((kerf_err)err) == KERF_EXIT_INTERNAL);
    }
    assert_int_equal(kerf_cli_err_exit(KERF_ERR_SOURCE), KERF_EXIT_SOURCE);
    assert_int_equal(kerf_cli_err_exit(KERF_END), KERF_EXIT_OK);
}

static void a_reason_is_one_line_whatever_the_path(void **state)
{
    struct kerf_why why;
    char path[1000];

    (void)state;
    memset(path, '\n', sizeof path);
    path[sizeof path - 1] = '\0';
    kerf_why_set(&why, "can't read '%s'", path);
    assert_null(strchr(why.text, '\n'));
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
    kerf_why_set(NULL, "nothing happens");
}

static void a_reason_is_utf8_whatever_the_path(void **state)
{
    struct kerf_why why;
    char path[1000];

    (void)state;
    kerf_why_set(&why, "%s", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa7");
    assert_string_equal(why.text, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa7");
    /* A lone byte, an end that is missing, "/" in two bytes, a surrogate, beyond the last character. */
    kerf_why_set(&why, "%s", "\xff \xc3 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80");
    assert_string_equal(why.text, "? ? ?? ??? ????");
    for (size_t i = 0; i < sizeof path; i++) {
        path[i] = i % 2 == 0 ? '\xc3' : '\xa9';
    }
    path[sizeof path - 1] = '\0';
    kerf_why_set(&why, "%s", path);
    assert_int_equal(why.text[sizeof why.text - 2], '?'); /* cut within a character */
}

static void json_carries_every_name(void **state)
{
    (void)state;
    json_t *value = kerf_cli_json_text("a\n\xff\xc3\xa9");

    assert_string_equal(json_string_value(value), "a\n\xef\xbf\xbd\xc3\xa9");
    json_decref(value);
    assert_null(kerf_cli_json_text(NULL));
}

static void written_files_are_read_back(void **state)
{
    static const uint8_t data[] = "some bytes";
    uint8_t *back;
    size_t len;
    struct stat st;

    (void)state;
    assert_int_equal(kerf_file_write("a", 0600, data, sizeof data, NULL), KERF_OK);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(kerf_file_read("a", sizeof data, &back, &len, NULL), KERF_OK);
    assert_int_equal(len, sizeof data);
    assert_memory_equal(back, data, len);
    assert_int_equal(back[len], 0);
    free(back);
    assert_int_equal(kerf_file_read("a", sizeof data - 1, &back, &len, NULL), KERF_ERR_SPACE);
    assert_int_equal(kerf_file_write("a", 0, data, 0, NULL), KERF_OK);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* kept */
    assert_int_equal(kerf_file_read("a", 0, &back, &len, NULL), KERF_OK);
    assert_int_equal(len, 0);
    free(back);
    assert_int_equal(unlink("a"), 0);
}

static void an_aborted_writer_leaves_nothing(void **state)
{
    struct kerf_file_writer w = KERF_FILE_WRITER_NONE;

    (void)state;
    kerf_file_writer_abort(&w);
    assert_int_equal(kerf_file_writer_begin(&w, "b", 0, NULL), KERF_OK);
    assert_int_equal(kerf_file_writer_append(&w, (const uint8_t *)"xyz", 3, NULL), KERF_OK);
    assert_int_not_equal(access("b", F_OK), 0);
    kerf_file_writer_abort(&w);
    assert_int_not_equal(access("b", F_OK), 0);
}

static void what_need_not_be_on_disk_appears_too(void **state)
{
    struct kerf_file_writer w = KERF_FILE_WRITER_NONE;
    uint8_t *back;
    size_t len;

    (void)state;
    assert_int_equal(kerf_file_writer_begin(&w, "b", 0, NULL), KERF_OK);
    assert_false(w.unsynced);
    w.unsynced = true;
    assert_int_equal(kerf_file_writer_append(&w, (const uint8_t *)"xyz", 3, NULL), KERF_OK);
    assert_int_equal(kerf_file_writer_commit(&w, NULL), KERF_OK);
    assert_int_equal(w.fd, -1);
    assert_int_equal(kerf_file_read("b", 3, &back, &len, NULL), KERF_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(back, "xyz", 3);
    free(back);
    assert_int_equal(unlink("b"), 0);
}

static void what_cannot_be_written_says_so(void **state)
{
    struct kerf_why why;

    (void)state;
    assert_int_equal(kerf_file_write("nowhere/a", 0, NULL, 0, &why), KERF_ERR_FLASH);
    assert_string_equal(why.text, "can't write 'nowhere/a': No such file or directory: check the path");
    assert_int_equal(kerf_file_write(".", 0, NULL, 0, &why), KERF_ERR_FLASH);
    assert_int_equal(kerf_file_write("", 0, NULL, 0, &why), KERF_ERR_FLASH);
    assert_int_equal(kerf_file_write("a/", 0, NULL, 0, &why), KERF_ERR_FLASH);
    assert_int_equal(kerf_file_write("/dev/null", 0, NULL, 0, &why), KERF_ERR_FLASH);
}

static void folders_are_made_with_those_above(void **state)
{
    struct kerf_why why;

    (void)state;
    assert_int_equal(kerf_file_make_dirs("x/y//z/", &why), KERF_OK);
    assert_int_equal(kerf_file_make_dirs("x/y/z", &why), KERF_OK);
    assert_int_equal(kerf_file_write("x/file", 0, NULL, 0, &why), KERF_OK);
    assert_int_equal(kerf_file_make_dirs("x/file", &why), KERF_ERR_FLASH);
    assert_int_equal(kerf_file_make_dirs("x/file/z", &why), KERF_ERR_FLASH);
    assert_int_equal(unlink("x/file") + rmdir("x/y/z") + rmdir("x/y") + rmdir("x"), 0);
}

static void hashes_agree_with_fips_180(void **state)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct kerf_sha256_digest digest;
    struct kerf_hash hash = {NULL};
    uint64_t size;
    char text[2 * KERF_SHA256_LEN + 1];

    (void)state;
    assert_int_equal(kerf_hash_bytes((const uint8_t *)"abc", 3, &digest), KERF_OK);
    assert_string_equal(kerf_cli_format_hex(digest.b, KERF_SHA256_LEN, text), abc);
    for (unsigned again = 0; again < 2; again++) {
        assert_int_equal(kerf_hash_hook(&hash, KERF_HASH_START, NULL, 0, &digest), KERF_OK);
        assert_int_equal(kerf_hash_hook(&hash, KERF_HASH_ADD, (const uint8_t *)"a", 1, &digest), KERF_OK);
        assert_int_equal(kerf_hash_hook(&hash, KERF_HASH_ADD, (const uint8_t *)"bc", 2, &digest), KERF_OK);
        assert_int_equal(kerf_hash_hook(&hash, KERF_HASH_END, NULL, 0, &digest), KERF_OK);
        assert_string_equal(kerf_cli_format_hex(digest.b, KERF_SHA256_LEN, text), abc);
    }
    kerf_hash_free(&hash);
    assert_int_equal(kerf_file_write("c", 0, (const uint8_t *)"abc", 3, NULL), KERF_OK);
    assert_int_equal(kerf_hash_file("c", &digest, &size, NULL), KERF_OK);
    assert_true(size == 3);
    assert_string_equal(kerf_cli_format_hex(digest.b, KERF_SHA256_LEN, text), abc);
    assert_int_equal(unlink("c"), 0);
    assert_int_equal(kerf_hash_file("c", &digest, &size, NULL), KERF_ERR_FLASH);
}

/* Lengths and pieces around all ends of blocks, against the one that devices have. */
static void hashes_agree_with_the_small_sha256(void **state)
{
    uint8_t text[300];
    struct kerf_hash hash = {NULL};

    (void)state;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 167 + 13);
    }
    for (size_t len = 0; len <= sizeof text; len++) {
        struct kerf_sha256 small;
        struct kerf_sha256_digest expected;
        struct kerf_sha256_digest digest;
        size_t first = len * 7 % 131 < len ? len * 7 % 131 : len;

        kerf_sha256_init(&small);
        kerf_sha256_add(&small, text, len);
        kerf_sha256_end(&small, &expected);
        assert_int_equal(kerf_hash_bytes(text, len, &digest), KERF_OK);
        assert_memory_equal(digest.b, expected.b, KERF_SHA256_LEN);
        assert_int_equal(kerf_hash_begin(&hash), KERF_OK);
        assert_int_equal(kerf_hash_add(&hash, text, first), KERF_OK);
        assert_int_equal(kerf_hash_add(&hash, text + first, len - first), KERF_OK);
        assert_int_equal(kerf_hash_end(&hash, &digest), KERF_OK);
        assert_memory_equal(digest.b, expected.b, KERF_SHA256_LEN);
    }
    kerf_hash_free(&hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_digits_and_one_unit),
        cmocka_unit_test(hex_survives_both_ways),
        cmocka_unit_test(every_error_has_a_text_and_an_exit_code),
        cmocka_unit_test(a_reason_is_one_line_whatever_the_path),
        cmocka_unit_test(a_reason_is_utf8_whatever_the_path),
        cmocka_unit_test(json_carries_every_name),
        cmocka_unit_test(written_files_are_read_back),
        cmocka_unit_test(an_aborted_writer_leaves_nothing),
        cmocka_unit_test(what_need_not_be_on_disk_appears_too),
        cmocka_unit_test(what_cannot_be_written_says_so),
        cmocka_unit_test(folders_are_made_with_those_above),
        cmocka_unit_test(hashes_agree_with_fips_180),
        cmocka_unit_test(hashes_agree_with_the_small_sha256),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
