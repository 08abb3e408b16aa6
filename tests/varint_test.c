/* SPDX-License-Identifier: Apache-2.0 */
#include "common/varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct sample {
    uint64_t v;
    uint8_t len;
    uint8_t b[KERF_VARINT_MAX_LEN];
};

/* Both ends of each length, and the biggest there is. */
static const struct sample samples[] = {
    {0, 1, {0x00}},
    {1, 1, {0x01}},
    {0x7f, 1, {0x7f}},
    {0x80, 2, {0x80, 0x01}},
    {300, 2, {0xac, 0x02}},
    {0x3fff, 2, {0xff, 0x7f}},
    {0x4000, 3, {0x80, 0x80, 0x01}},
    {UINT32_MAX, 5, {0xff, 0xff, 0xff, 0xff, 0x0f}},
    {(uint64_t)1 << 32, 5, {0x80, 0x80, 0x80, 0x80, 0x10}},
    {UINT64_MAX >> 1, 9, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}},
    {(uint64_t)1 << 63, 10, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}},
    {UINT64_MAX, 10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void assert_refused(const uint8_t *data, size_t len)
{
    size_t pos = 0;
    uint64_t v = 42;

    assert_int_equal(kerf_varint_get(data, len, &pos, &v), KERF_ERR_FORMAT);
    assert_int_equal(pos, 0);
    assert_int_equal(v, 42);
}

static void each_value_is_written_in_its_shortest_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t buf[KERF_VARINT_MAX_LEN + 1];
        size_t len = 1;

        memset(buf, 0xee, sizeof(buf));
        assert_int_equal(kerf_varint_put(buf, sizeof(buf), &len, samples[i].v), KERF_OK);
        assert_int_equal(len, 1u + samples[i].len);
        assert_int_equal(buf[0], 0xee);
        assert_memory_equal(buf + 1, samples[i].b, samples[i].len);
    }
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t pos = 0;
        uint64_t v = ~samples[i].v;

        assert_int_equal(kerf_varint_get(samples[i].b, samples[i].len, &pos, &v), KERF_OK);
        assert_true(v == samples[i].v);
        assert_int_equal(pos, samples[i].len);
    }
}

static void a_full_buffer_is_refused_and_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t buf[KERF_VARINT_MAX_LEN];

        for (size_t room = 0; room < samples[i].len; room++) {
            size_t len = sizeof(buf) - room;
            const size_t before = len;

            memset(buf, 0xee, sizeof(buf));
            assert_int_equal(kerf_varint_put(buf, sizeof(buf), &len, samples[i].v), KERF_ERR_SPACE);
            assert_int_equal(len, before);
            for (size_t k = 0; k < sizeof(buf); k++) {
                assert_int_equal(buf[k], 0xee);
            }
        }
    }
}

static void an_integer_cut_off_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t len = 0; len < samples[i].len; len++) {
            assert_refused(samples[i].b, len);
        }
    }
}

static void longer_forms_of_the_same_value_are_refused(void **state)
{
    static const uint8_t zero_in_two[] = {0x80, 0x00};
    static const uint8_t one_in_three[] = {0x81, 0x80, 0x00};
    static const uint8_t zero_in_ten[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};

    (void)state;
    assert_refused(zero_in_two, sizeof(zero_in_two));
    assert_refused(one_in_three, sizeof(one_in_three));
    assert_refused(zero_in_ten, sizeof(zero_in_ten));
}

static void values_over_64_bits_are_refused(void **state)
{
    static const uint8_t two_to_64[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02};
    static const uint8_t eleven_bytes[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const uint8_t tenth_goes_on[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x00};

    (void)state;
    assert_refused(two_to_64, sizeof(two_to_64));
    assert_refused(eleven_bytes, sizeof(eleven_bytes));
    assert_refused(tenth_goes_on, sizeof(tenth_goes_on));
}

static void integers_follow_each_other(void **state)
{
    uint8_t buf[SAMPLES * KERF_VARINT_MAX_LEN];
    size_t len = 0;
    size_t pos = 0;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        assert_int_equal(kerf_varint_put(buf, sizeof(buf), &len, samples[i].v), KERF_OK);
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t v;

        assert_int_equal(kerf_varint_get(buf, len, &pos, &v), KERF_OK);
        assert_true(v == samples[i].v);
    }
    assert_int_equal(pos, len);
}

static void signed_values_alternate_from_zero(void **state)
{
    static const int64_t order[] = {0, -1, 1, -2, 2, -3};

    (void)state;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_true(kerf_zigzag(order[i]) == i);
        assert_true(kerf_unzigzag(i) == order[i]);
    }
}

static void the_extremes_of_signed_values_come_back(void **state)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT32_MIN, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
        assert_true(kerf_unzigzag(kerf_zigzag(extremes[i])) == extremes[i]);
    }
    assert_true(kerf_zigzag(INT64_MIN) == UINT64_MAX);
    assert_true(kerf_zigzag(INT64_MAX) == UINT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_is_written_in_its_shortest_form),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_full_buffer_is_refused_and_left_alone),
        cmocka_unit_test(an_integer_cut_off_is_refused),
        cmocka_unit_test(longer_forms_of_the_same_value_are_refused),
        cmocka_unit_test(values_over_64_bits_are_refused),
        cmocka_unit_test(integers_follow_each_other),
        cmocka_unit_test(signed_values_alternate_from_zero),
        cmocka_unit_test(the_extremes_of_signed_values_come_back),
    };

    return cmocka_run_group_tests_name("varint", tests, NULL, NULL);
}
