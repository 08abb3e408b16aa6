/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server-tools/http_range.h"

struct range_case {
    const char *value;
    uint64_t size;
    enum kerf_range kind;
    uint64_t pos, len;
};

static void ranges_are_read_as_rfc_9110_says(void **state)
{
    static const struct range_case cases[] = {
        {NULL, 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=0-", 100, KERF_RANGE_PART, 0, 100},
        {"bytes=0-0", 100, KERF_RANGE_PART, 0, 1},
        {"bytes=10-19", 100, KERF_RANGE_PART, 10, 10},
        {"Bytes = 10-19 ", 100, KERF_RANGE_PART, 10, 10},
        {"bytes=99-", 100, KERF_RANGE_PART, 99, 1},
        {"bytes=10-1000", 100, KERF_RANGE_PART, 10, 90},
        {"bytes=10-18446744073709551615", 100, KERF_RANGE_PART, 10, 90},
        {"bytes=10-99999999999999999999999999", 100, KERF_RANGE_PART, 10, 90},
        {"bytes=-1", 100, KERF_RANGE_PART, 99, 1},
        {"bytes=-100", 100, KERF_RANGE_PART, 0, 100},
        {"bytes=-101", 100, KERF_RANGE_PART, 0, 100},
        {"bytes=0-18446744073709551614", UINT64_MAX, KERF_RANGE_PART, 0, UINT64_MAX},
        {"bytes=100-", 100, KERF_RANGE_NONE, 0, 0},
        {"bytes=100-200", 100, KERF_RANGE_NONE, 0, 0},
        {"bytes=99999999999999999999999999-", 100, KERF_RANGE_NONE, 0, 0},
        {"bytes=-0", 100, KERF_RANGE_NONE, 0, 0},
        {"bytes=0-", 0, KERF_RANGE_NONE, 0, 0},
        {"bytes=-5", 0, KERF_RANGE_NONE, 0, 0},
        {"", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=-", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=--5", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=5", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=5-4", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=0x1-5", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=+1-5", 100, KERF_RANGE_WHOLE, 0, 100},
        {"bytes=0-1,5-6", 100, KERF_RANGE_WHOLE, 0, 100},
        {"lines=0-1", 100, KERF_RANGE_WHOLE, 0, 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t pos = 1;
        uint64_t len = 1;
        const enum kerf_range kind = kerf_range_read(cases[i].value, cases[i].size, &pos, &len);

        if (kind != cases[i].kind || len != cases[i].len || (len > 0 && pos != cases[i].pos)) {
            fail_msg("%s of %llu: kind %d, %llu + %llu", cases[i].value, (unsigned long long)cases[i].size, (int)kind,
                     (unsigned long long)pos, (unsigned long long)len);
        }
    }
}

static void only_the_same_strong_tag_matches_if_range(void **state)
{
    (void)state;
    assert_true(kerf_range_if(NULL, "\"a\""));
    assert_true(kerf_range_if("\"a\"", "\"a\""));
    assert_false(kerf_range_if("W/\"a\"", "\"a\""));
    assert_false(kerf_range_if("\"b\"", "\"a\""));
    assert_false(kerf_range_if("Mon, 23 Nov 2026 05:02:00 GMT", "\"a\""));
}

static void any_tag_of_a_list_matches_if_none_match(void **state)
{
    (void)state;
    assert_false(kerf_range_none_match(NULL, "\"a\""));
    assert_false(kerf_range_none_match("", "\"a\""));
    assert_true(kerf_range_none_match("*", "\"a\""));
    assert_true(kerf_range_none_match("\"a\"", "\"a\""));
    assert_true(kerf_range_none_match("\"b\", W/\"a\" , \"c\"", "\"a\""));
    assert_false(kerf_range_none_match("\"b\", \"c\"", "\"a\""));
    assert_false(kerf_range_none_match("\"aa\"", "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read_as_rfc_9110_says),
        cmocka_unit_test(only_the_same_strong_tag_matches_if_range),
        cmocka_unit_test(any_tag_of_a_list_matches_if_none_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
