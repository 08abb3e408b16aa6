/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define B(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* Reads one item of any kind; the answer of the whole. */
static kerf_err check(const uint8_t *data, size_t len)
{
    struct kerf_cbor_reader r;

    kerf_cbor_reader_init(&r, data, len);
    kerf_err err = kerf_cbor_skip(&r, NULL);
    return err == KERF_OK ? kerf_cbor_reader_end(&r) : err;
}

static void unsigned_integers_of_every_length_are_read_and_written_the_same(void **state)
{
    static const struct {
        uint64_t v;
        uint8_t len;
        uint8_t b[9];
    } samples[] = {
        {0, 1, {0x00}},
        {23, 1, {0x17}},
        {24, 2, {0x18, 0x18}},
        {255, 2, {0x18, 0xff}},
        {256, 3, {0x19, 0x01, 0x00}},
        {65535, 3, {0x19, 0xff, 0xff}},
        {65536, 5, {0x1a, 0x00, 0x01, 0x00, 0x00}},
        {UINT32_MAX, 5, {0x1a, 0xff, 0xff, 0xff, 0xff}},
        {(uint64_t)UINT32_MAX + 1, 9, {0x1b, 0, 0, 0, 1, 0, 0, 0, 0}},
        {UINT64_MAX, 9, {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct kerf_cbor_reader r;
        struct kerf_cbor_writer w;
        uint8_t buf[9];
        uint64_t v;
        size_t len;

        kerf_cbor_reader_init(&r, samples[i].b, samples[i].len);
        assert_int_equal(kerf_cbor_read_uint(&r, &v), KERF_OK);
        assert_true(v == samples[i].v);
        assert_int_equal(kerf_cbor_reader_end(&r), KERF_OK);
        kerf_cbor_writer_init(&w, buf, sizeof buf);
        kerf_cbor_put_uint(&w, samples[i].v);
        assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_OK);
        assert_int_equal(len, samples[i].len);
        assert_memory_equal(buf, samples[i].b, len);
        for (size_t cut = 0; cut < samples[i].len; cut++) {
            assert_int_equal(check(samples[i].b, cut), KERF_ERR_TRUNCATED);
        }
    }
}

static void negative_integers_reach_the_end_of_the_range_and_no_further(void **state)
{
    static const uint8_t lowest[] = {0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t beyond[] = {0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0};
    struct kerf_cbor_reader r;
    struct kerf_cbor_writer w;
    uint8_t buf[9];
    size_t len;
    int64_t v;

    (void)state;
    kerf_cbor_reader_init(&r, lowest, sizeof lowest);
    assert_int_equal(kerf_cbor_read_int(&r, &v), KERF_OK);
    assert_true(v == INT64_MIN);
    kerf_cbor_writer_init(&w, buf, sizeof buf);
    kerf_cbor_put_int(&w, INT64_MIN);
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_OK);
    assert_memory_equal(buf, lowest, sizeof lowest);
    kerf_cbor_reader_init(&r, beyond, sizeof beyond);
    assert_int_equal(kerf_cbor_read_int(&r, &v), KERF_ERR_FORMAT);
}

static void anything_but_the_shortest_form_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check(B(0x18, 0x17)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x19, 0x00, 0xff)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x1a, 0, 0, 0xff, 0xff)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x38, 0x01)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x58, 0x01, 0x00)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x78, 0x01, 'a')), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x98, 0x00)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0xb8, 0x00)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0xd8, 0x02, 0x00)), KERF_ERR_FORMAT);
}

static void what_is_outside_the_subset_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check(B(0xf4)), KERF_ERR_FORMAT);                   /* false */
    assert_int_equal(check(B(0xf6)), KERF_ERR_FORMAT);                   /* null */
    assert_int_equal(check(B(0xf9, 0x3c, 0x00)), KERF_ERR_FORMAT);       /* a float */
    assert_int_equal(check(B(0x5f, 0x41, 0x00, 0xff)), KERF_ERR_FORMAT); /* indefinite lengths */
    assert_int_equal(check(B(0x9f, 0x00, 0xff)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0xbf, 0xff)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0xff)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x1c)), KERF_ERR_FORMAT); /* reserved */
}

static void map_keys_must_ascend_and_be_integers_or_text(void **state)
{
    (void)state;
    assert_int_equal(check(B(0xa0)), KERF_OK);
    assert_int_equal(check(B(0xa4, 0x00, 0x00, 0x18, 0x64, 0x00, 0x20, 0x00, 0x61, 'a', 0x00)), KERF_OK);
    assert_int_equal(check(B(0xa2, 0x01, 0x00, 0x01, 0x00)), KERF_ERR_FORMAT); /* twice */
    assert_int_equal(check(B(0xa2, 0x02, 0x00, 0x01, 0x00)), KERF_ERR_FORMAT); /* descending */
    assert_int_equal(check(B(0xa2, 0x20, 0x00, 0x01, 0x00)), KERF_ERR_FORMAT); /* -1 before 1 */
    assert_int_equal(check(B(0xa2, 0x61, 'b', 0, 0x61, 'a', 0)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0xa2, 0x62, 'a', 'a', 0, 0x61, 'b', 0)), KERF_ERR_FORMAT); /* shorter text sorts first */
    assert_int_equal(check(B(0xa1, 0x41, 0x00, 0x00)), KERF_ERR_FORMAT);                /* bytes, array, map, tag */
    assert_int_equal(check(B(0xa1, 0x80, 0x00)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0xa1, 0xa0, 0x00)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0xa1, 0xc1, 0x00, 0x00)), KERF_ERR_FORMAT);
    /* The order of an outer map goes on after an inner one. */
    assert_int_equal(check(B(0xa2, 0x01, 0xa1, 0x05, 0x00, 0x02, 0x00)), KERF_OK);
    assert_int_equal(check(B(0xa2, 0x02, 0xa1, 0x01, 0x00, 0x02, 0x00)), KERF_ERR_FORMAT);
}

static void nesting_is_bounded(void **state)
{
    uint8_t deep[KERF_CBOR_MAX_DEPTH + 2];

    (void)state;
    memset(deep, 0x81, sizeof deep);
    deep[KERF_CBOR_MAX_DEPTH] = 0x00;
    assert_int_equal(check(deep, KERF_CBOR_MAX_DEPTH + 1), KERF_OK);
    deep[KERF_CBOR_MAX_DEPTH] = 0x81;
    deep[KERF_CBOR_MAX_DEPTH + 1] = 0x00;
    assert_int_equal(check(deep, KERF_CBOR_MAX_DEPTH + 2), KERF_ERR_FORMAT);
}

static void counts_and_lengths_larger_than_the_buffer_are_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(check(B(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), KERF_ERR_TRUNCATED);
    assert_int_equal(check(B(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), KERF_ERR_TRUNCATED);
    assert_int_equal(check(B(0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), KERF_ERR_TRUNCATED);
    assert_int_equal(check(B(0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0)), KERF_ERR_TRUNCATED);
    assert_int_equal(check(B(0xba, 0x80, 0, 0, 0)), KERF_ERR_TRUNCATED);
    assert_int_equal(check(B(0x9a, 0xff, 0xff, 0xff, 0xff)), KERF_ERR_TRUNCATED);
}

static void text_must_be_utf8(void **state)
{
    (void)state;
    assert_int_equal(check(B(0x62, 0xc3, 0xa4)), KERF_OK);
    assert_int_equal(check(B(0x63, 0xe2, 0x82, 0xac)), KERF_OK);
    assert_int_equal(check(B(0x64, 0xf0, 0x9f, 0x98, 0x80)), KERF_OK);
    assert_int_equal(check(B(0x64, 0xf4, 0x8f, 0xbf, 0xbf)), KERF_OK);
    assert_int_equal(check(B(0x61, 0x80)), KERF_ERR_FORMAT);
    assert_int_equal(check(B(0x62, 0xc0, 0x80)), KERF_ERR_FORMAT);             /* overlong */
    assert_int_equal(check(B(0x63, 0xe0, 0x9f, 0xbf)), KERF_ERR_FORMAT);       /* overlong */
    assert_int_equal(check(B(0x63, 0xed, 0xa0, 0x80)), KERF_ERR_FORMAT);       /* surrogate */
    assert_int_equal(check(B(0x64, 0xf4, 0x90, 0x80, 0x80)), KERF_ERR_FORMAT); /* over U+10FFFF */
    assert_int_equal(check(B(0x62, 0xe2, 0x82)), KERF_ERR_FORMAT);             /* cut off */
    assert_int_equal(check(B(0x62, 0xc3, 'a')), KERF_ERR_FORMAT);
}

/* A document with everything in it: [1, {1: h'0102', -1: "ab"}, 98([])] */
static const uint8_t sample[] = {0x83, 0x01, 0xa2, 0x01, 0x42, 0x01, 0x02, 0x20, 0x62, 'a', 'b', 0xd8, 0x62, 0x80};

static void every_truncation_and_every_extension_is_refused(void **state)
{
    uint8_t longer[sizeof sample + 1] = {0};

    (void)state;
    assert_int_equal(check(sample, sizeof sample), KERF_OK);
    for (size_t len = 0; len < sizeof sample; len++) {
        assert_int_equal(check(sample, len), KERF_ERR_TRUNCATED);
    }
    memcpy(longer, sample, sizeof sample);
    assert_int_equal(check(longer, sizeof longer), KERF_ERR_TRAILING);
}

static void items_are_read_one_by_one_and_a_failed_reader_stays_failed(void **state)
{
    struct kerf_cbor_reader r;
    enum kerf_cbor_type type;
    struct kerf_span span;
    uint32_t count;
    uint64_t u;
    int64_t i;

    (void)state;
    kerf_cbor_reader_init(&r, sample, sizeof sample);
    assert_int_equal(kerf_cbor_peek(&r, &type), KERF_OK);
    assert_int_equal(type, KERF_CBOR_ARRAY);
    assert_int_equal(kerf_cbor_read_array(&r, &count), KERF_OK);
    assert_int_equal(count, 3);
    assert_int_equal(kerf_cbor_reader_end(&r), KERF_ERR_TRUNCATED);
    assert_int_equal(kerf_cbor_read_uint(&r, &u), KERF_OK);
    assert_int_equal(kerf_cbor_read_map(&r, &count), KERF_OK);
    assert_int_equal(count, 2);
    assert_int_equal(kerf_cbor_read_int(&r, &i), KERF_OK);
    assert_int_equal(kerf_cbor_read_bytes(&r, &span), KERF_OK);
    assert_int_equal(span.len, 2);
    assert_ptr_equal(span.p, sample + 5);
    assert_int_equal(kerf_cbor_read_int(&r, &i), KERF_OK);
    assert_int_equal(i, -1);
    assert_int_equal(kerf_cbor_read_text(&r, &span), KERF_OK);
    assert_int_equal(kerf_cbor_read_tag(&r, &u), KERF_OK);
    assert_int_equal(u, 98);
    assert_int_equal(kerf_cbor_read_array(&r, &count), KERF_OK);
    assert_int_equal(count, 0);
    assert_int_equal(kerf_cbor_reader_end(&r), KERF_OK);
    /* Nothing is left. */
    assert_int_equal(kerf_cbor_read_uint(&r, &u), KERF_ERR_FORMAT);
    assert_int_equal(kerf_cbor_read_array(&r, &count), KERF_ERR_FORMAT);
    assert_int_equal(kerf_cbor_skip(&r, &span), KERF_ERR_FORMAT);
    assert_int_equal(kerf_cbor_reader_end(&r), KERF_ERR_FORMAT);
    /* A wrong type fails it for good, too. */
    kerf_cbor_reader_init(&r, sample, sizeof sample);
    assert_int_equal(kerf_cbor_read_text(&r, &span), KERF_ERR_FORMAT);
    assert_int_equal(kerf_cbor_read_array(&r, &count), KERF_ERR_FORMAT);
}

static void skip_returns_just_the_item(void **state)
{
    struct kerf_cbor_reader r;
    struct kerf_span item;
    uint32_t count;
    uint64_t u;

    (void)state;
    kerf_cbor_reader_init(&r, sample, sizeof sample);
    assert_int_equal(kerf_cbor_read_array(&r, &count), KERF_OK);
    assert_int_equal(kerf_cbor_read_uint(&r, &u), KERF_OK);
    assert_int_equal(kerf_cbor_skip(&r, &item), KERF_OK);
    assert_ptr_equal(item.p, sample + 2);
    assert_int_equal(item.len, 9);
    assert_int_equal(kerf_cbor_skip(&r, &item), KERF_OK);
    assert_int_equal(item.len, 3);
    assert_int_equal(kerf_cbor_reader_end(&r), KERF_OK);
}

static void write_sample(struct kerf_cbor_writer *w, uint8_t *buf, size_t cap)
{
    static const uint8_t bytes[] = {1, 2};
    static const uint8_t text[] = {'a', 'b'};

    kerf_cbor_writer_init(w, buf, cap);
    kerf_cbor_put_array(w, 3);
    kerf_cbor_put_uint(w, 1);
    kerf_cbor_put_map(w, 2);
    kerf_cbor_put_int(w, 1);
    kerf_cbor_put_bytes(w, bytes, sizeof bytes);
    kerf_cbor_put_int(w, -1);
    kerf_cbor_put_text(w, text, sizeof text);
    kerf_cbor_put_tag(w, 98);
    kerf_cbor_put_array(w, 0);
}

static void the_writer_says_when_the_buffer_is_full_and_writes_no_further(void **state)
{
    struct kerf_cbor_writer w;
    uint8_t buf[sizeof sample + 1];
    size_t len;

    (void)state;
    for (size_t cap = 0; cap <= sizeof sample; cap++) {
        memset(buf, 0xEE, sizeof buf);
        write_sample(&w, buf, cap);
        assert_int_equal(kerf_cbor_writer_end(&w, &len), cap < sizeof sample ? KERF_ERR_SPACE : KERF_OK);
        assert_int_equal(buf[cap], 0xEE);
    }
    assert_int_equal(len, sizeof sample);
    assert_memory_equal(buf, sample, sizeof sample);
}

static void the_writer_refuses_what_the_reader_would(void **state)
{
    static const uint8_t bad[] = {0xc3};
    struct kerf_cbor_writer w;
    uint8_t buf[64];
    size_t len;

    (void)state;
    kerf_cbor_writer_init(&w, buf, sizeof buf); /* nothing */
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_ERR_ARGUMENT);
    kerf_cbor_put_array(&w, 1); /* an item is missing */
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_ERR_ARGUMENT);
    kerf_cbor_put_uint(&w, 1);
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_OK);
    kerf_cbor_put_uint(&w, 1); /* one too many */
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_ERR_ARGUMENT);
    kerf_cbor_writer_init(&w, buf, sizeof buf); /* order */
    kerf_cbor_put_map(&w, 2);
    kerf_cbor_put_uint(&w, 2);
    kerf_cbor_put_uint(&w, 0);
    kerf_cbor_put_uint(&w, 1);
    kerf_cbor_put_uint(&w, 0);
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_ERR_ARGUMENT);
    kerf_cbor_writer_init(&w, buf, sizeof buf); /* a key of a wrong type */
    kerf_cbor_put_map(&w, 1);
    kerf_cbor_put_bytes(&w, bad, sizeof bad);
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_ERR_ARGUMENT);
    kerf_cbor_writer_init(&w, buf, sizeof buf);
    kerf_cbor_put_text(&w, bad, sizeof bad);
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_ERR_ARGUMENT);
    kerf_cbor_writer_init(&w, buf, sizeof buf); /* too deep */
    for (int i = 0; i <= KERF_CBOR_MAX_DEPTH; i++) {
        kerf_cbor_put_array(&w, 1);
    }
    kerf_cbor_put_uint(&w, 0);
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_integers_of_every_length_are_read_and_written_the_same),
        cmocka_unit_test(negative_integers_reach_the_end_of_the_range_and_no_further),
        cmocka_unit_test(anything_but_the_shortest_form_is_refused),
        cmocka_unit_test(what_is_outside_the_subset_is_refused),
        cmocka_unit_test(map_keys_must_ascend_and_be_integers_or_text),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(counts_and_lengths_larger_than_the_buffer_are_refused_at_once),
        cmocka_unit_test(text_must_be_utf8),
        cmocka_unit_test(every_truncation_and_every_extension_is_refused),
        cmocka_unit_test(items_are_read_one_by_one_and_a_failed_reader_stays_failed),
        cmocka_unit_test(skip_returns_just_the_item),
        cmocka_unit_test(the_writer_says_when_the_buffer_is_full_and_writes_no_further),
        cmocka_unit_test(the_writer_refuses_what_the_reader_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
