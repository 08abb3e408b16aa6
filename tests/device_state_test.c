/* SPDX-License-Identifier: Apache-2.0 */
/* The device's state file: what is written is read back, and nothing else passes for a state. */
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

#include "common/host/file.h"
#include "patcher/port/state.h"

static struct kerf_device_state example(void)
{
    struct kerf_device_state state;
    memset(&state, 0, sizeof state);
    state.active = 1;
    state.slots[0].valid = true;
    strcpy(state.slots[0].version, "1.0.0");
    state.slots[0].size = 92480;
    memset(state.slots[0].digest.b, 0x11, KERF_SHA256_LEN);
    state.slots[1].valid = true;
    strcpy(state.slots[1].version, "1.1.0");
    state.slots[1].size = 92616;
    state.slots[1].release = 2;
    state.slots[1].sc = 7;
    memset(state.slots[1].digest.b, 0x22, KERF_SHA256_LEN);
    state.release_seq = 2;
    state.sc = 6;
    state.boots = 1;
    strcpy(state.txn, "0a1b2c");
    state.report_seq = 4;
    strcpy(state.last.txn, "0a1b2b");
    strcpy(state.last.component, "main");
    state.last.mode = KERF_MODE_DELTA;
    state.last.phase = KERF_REPORT_FAILED;
    state.last.code = KERF_CODE_CHUNK_HASH;
    state.last.tries = 2;
    state.last.target_known = true;
    memset(state.last.target.b, 0x22, KERF_SHA256_LEN);
    return state;
}

static void what_is_written_is_read_back(void **unused)
{
    struct kerf_device_state state = example();
    struct kerf_device_state again;
    struct kerf_why why;
    char *text;
    size_t len;
    (void)unused;
    assert_int_equal(kerf_state_format(&state, &text, &len), KERF_OK);
    assert_int_equal(kerf_state_parse(text, len, &again, &why), KERF_OK);
    assert_memory_equal(&state, &again, sizeof state);
    free(text);
}

static void a_torn_file_is_refused_wherever_it_ends(void **unused)
{
    struct kerf_device_state state = example();
    struct kerf_device_state again;
    struct kerf_device_state zeros;
    struct kerf_why why;
    char *text;
    size_t len;
    (void)unused;
    memset(&zeros, 0, sizeof zeros);
    assert_int_equal(kerf_state_format(&state, &text, &len), KERF_OK);
    for (size_t cut = 0; cut < len; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, text, cut);
        why.text[0] = '\0';
        assert_int_equal(kerf_state_parse(copy, cut, &again, &why), KERF_ERR_FORMAT);
        assert_memory_equal(&again, &zeros, sizeof zeros);
        assert_true(why.text[0] != '\0');
        free(copy);
    }
    free(text);
}

static void a_changed_bit_never_changes_the_state(void **unused)
{
    struct kerf_device_state state = example();
    struct kerf_device_state again;
    char *text;
    size_t len;
    (void)unused;
    assert_int_equal(kerf_state_format(&state, &text, &len), KERF_OK);
    for (size_t i = 0; i < len * 8; i++) {
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        /* White space that appears or goes away is no change of the state. */
        if (kerf_state_parse(text, len, &again, NULL) == KERF_OK) {
            assert_memory_equal(&state, &again, sizeof state);
        }
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
    }
    free(text);
}

static void garbage_is_refused(void **unused)
{
    static const char *const garbage[] = {
        "",
        "\n",
        "{}",
        "[]",
        "null",
        "{\"sum\":\"0011223344556677\"}",
        "{\"sum\":\"0011223344556677\",\"state\":{}}",
        "{\"sum\":\"0011223344556677\",\"state\":[]}",
        "{\"sum\":17,\"state\":{\"v\":1}}",
        "\xff\xfe\x00\x01",
    };
    struct kerf_device_state state;
    struct kerf_why why;
    (void)unused;
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        why.text[0] = '\0';
        assert_int_equal(kerf_state_parse(garbage[i], strlen(garbage[i]), &state, &why), KERF_ERR_FORMAT);
        assert_true(why.text[0] != '\0');
    }
}

static void the_file_is_replaced_whole_and_a_damaged_one_is_named(void **unused)
{
    struct kerf_device_state state = example();
    struct kerf_device_state again;
    struct kerf_why why = {""};
    char dir[] = "/tmp/kerf-state-XXXXXX";
    char path[64];
    bool found = true;
    (void)unused;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/state", dir);

    assert_int_equal(kerf_state_load(path, &again, &found, &why), KERF_OK);
    assert_false(found);

    assert_int_equal(kerf_state_save(path, &state, &why), KERF_OK);
    state.boots = 2;
    assert_int_equal(kerf_state_save(path, &state, &why), KERF_OK);
    assert_int_equal(kerf_state_load(path, &again, &found, &why), KERF_OK);
    assert_true(found);
    assert_memory_equal(&state, &again, sizeof state);

    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(kerf_state_load(path, &again, &found, &why), KERF_ERR_FORMAT);
    assert_non_null(strstr(why.text, path));

    assert_int_equal(truncate(path, KERF_STATE_MAX + 1), 0);
    assert_int_equal(kerf_state_load(path, &again, &found, &why), KERF_ERR_FORMAT);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_torn_file_is_refused_wherever_it_ends),
        cmocka_unit_test(a_changed_bit_never_changes_the_state),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(the_file_is_replaced_whole_and_a_damaged_one_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
