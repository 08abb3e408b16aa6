/* SPDX-License-Identifier: Apache-2.0 */
/* Plans that are worse than they need be, and what polishing makes of them. */
#include "diffgen/polish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/pack.h"

#define LEN 4096u

static uint8_t old_image[LEN + KERF_PAD], new_image[LEN + KERF_PAD];

struct polished {
    struct kerf_segments segments;
    kerf_cost before, after;
};

static kerf_cost cost_of(const struct kerf_work *w, struct kerf_header *h, const struct kerf_segments *segments)
{
    const struct kerf_map map = {0};
    struct kerf_encoding encoding;

    assert_int_equal(kerf_encode_plan(w, h, segments, &map, NULL, &encoding), KERF_OK);
    return encoding.total;
}

static struct polished polish(const struct kerf_segment *list, size_t count, bool thorough)
{
    const struct kerf_diff_options options = {.codec = -1};
    const struct kerf_map map = {0};
    struct kerf_work w = {.options = &options};
    struct kerf_header h = {.codec = KERF_CODEC_NATIVE, .old_size = LEN, .new_size = LEN, .flags = KERF_FLAG_READS_NEW};
    struct kerf_polish_part part = {.end = LEN};
    struct polished p;

    assert_int_equal(kerf_params_choose(8192, 0, &h), KERF_OK);
    w.old_side = (struct kerf_side){.bytes = old_image, .masked = old_image, .len = LEN};
    w.new_side = (struct kerf_side){.bytes = new_image, .masked = new_image, .len = LEN};
    w.literal_cost = malloc(LEN);
    if (w.literal_cost == NULL) {
        abort();
    }
    memset(w.literal_cost, 8 * KERF_LITERAL_BIT, LEN);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(kerf_segments_add(&part.segments, &list[i]), KERF_OK);
    }
    p.before = cost_of(&w, &h, &part.segments);
    assert_int_equal(kerf_polish(&w, &h, &map, thorough, &part), KERF_OK);
    p.after = cost_of(&w, &h, &part.segments);
    p.segments = part.segments;
    free(w.literal_cost);
    return p;
}

static void segments_of_one_source_become_one(void **state)
{
    const struct kerf_segment list[] = {{0, 0, 1000, false}, {1000, 1000, 500, false}, {1504, 1504, 2592, false}};

    (void)state;
    test_noise(old_image, LEN, 1);
    memcpy(new_image, old_image, LEN);
    new_image[1502] ^= 1;
    for (unsigned thorough = 0; thorough < 2; thorough++) {
        struct polished p = polish(list, 3, thorough != 0);

        assert_int_equal(p.segments.count, 1);
        assert_int_equal(p.segments.list[0].len, LEN);
        assert_true(p.after < p.before);
        free(p.segments.list);
    }
}

static void a_segment_that_does_not_pay_goes(void **state)
{
    /* Two bytes from far away, in the midst of what goes on. */
    const struct kerf_segment list[] = {{0, 0, 2000, false}, {2000, 3000, 2, false}, {2002, 2002, 2094, false}};

    (void)state;
    test_noise(old_image, LEN, 2);
    memcpy(new_image, old_image, LEN);
    memcpy(new_image + 2000, old_image + 3000, 2);
    struct polished p = polish(list, 3, false);

    assert_true(p.segments.count < 3);
    assert_true(p.after < p.before);
    free(p.segments.list);
}

static void bytes_that_differ_are_cut_out(void **state)
{
    const struct kerf_segment list[] = {{0, 0, LEN, false}};

    (void)state;
    test_noise(old_image, LEN, 3);
    memcpy(new_image, old_image, LEN);
    memset(new_image + 2000, 0x55, 400); /* cheap as literals, noise as differences */
    struct polished p = polish(list, 1, false);

    assert_int_equal(p.segments.count, 2);
    assert_true(p.segments.list[1].new_pos > 2300);
    assert_true(p.after < p.before);
    free(p.segments.list);
}

static void ends_move_to_where_the_source_serves(void **state)
{
    /* The second begins two bytes late: the first is wrong there. */
    const struct kerf_segment list[] = {{0, 0, 2002, false}, {2002, 2502, 1500, false}};

    (void)state;
    test_noise(old_image, LEN, 5);
    memcpy(new_image, old_image, LEN);
    memcpy(new_image + 2000, old_image + 2500, 1502);
    struct polished p = polish(list, 2, false);

    assert_int_equal(p.segments.count, 2);
    assert_int_equal(p.segments.list[0].len, 2000);
    assert_int_equal(p.segments.list[1].new_pos, 2000);
    assert_true(p.after < p.before);
    free(p.segments.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_of_one_source_become_one),
        cmocka_unit_test(a_segment_that_does_not_pay_goes),
        cmocka_unit_test(bytes_that_differ_are_cut_out),
        cmocka_unit_test(ends_move_to_where_the_source_serves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
