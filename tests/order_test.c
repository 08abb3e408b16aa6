/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of sectors that the generator would not choose: what its own check says of them, and how they are counted. */
#include "diffgen/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diffgen/kerf_diff.h"
#include "tests/pack.h"

#define SECTOR 512u
#define LEN (4 * SECTOR)

static uint8_t old_image[LEN + KERF_PAD], new_image[LEN + KERF_PAD];

/* A delta that makes one sector hold old `keeps` times before the first of new is made, and what the check says of it. */
static kerf_err check(size_t sector, size_t keeps, struct kerf_diff_erases *erases)
{
    struct kerf_diff_options options = {.codec = -1};
    struct kerf_work w = {.options = &options};
    struct kerf_header h = {.codec = KERF_CODEC_NATIVE,
                            .old_size = LEN,
                            .new_size = LEN,
                            .flags = KERF_FLAG_IN_PLACE,
                            .sector_log2 = 9,
                            .scratch = 2,
                            .group = 1,
                            .kept = (uint16_t)keeps,
                            .moves_cap = (uint16_t)keeps,
                            .beyond = 1};
    struct kerf_order order;
    struct kerf_segments segments = {0};
    struct kerf_map map = {0};
    struct kerf_bytes payload = {0};
    struct kerf_encoding encoding;
    struct kerf_diff_report report;
    struct kerf_sha256_digest digest;
    /* The second sector of new takes what was moved out of the first. */
    const struct kerf_segment segment = {SECTOR, 0, 8, false};
    uint8_t *delta;
    size_t len;

    test_digest(old_image, LEN, &digest);
    memcpy(h.old_digest.b, digest.b, sizeof h.old_digest.b);
    test_digest(new_image, LEN, &digest);
    memcpy(h.new_digest.b, digest.b, sizeof h.new_digest.b);
    assert_int_equal(kerf_params_choose(4096, 0, &h), KERF_OK);
    w.old_side = (struct kerf_side){.bytes = old_image, .len = LEN};
    w.new_side = (struct kerf_side){.bytes = new_image, .len = LEN};
    assert_int_equal(kerf_order_open(&order, &h), KERF_OK);
    w.order = &order;
    order.sectors = kerf_header_sectors(&h);
    order.keeps = calloc(keeps, sizeof *order.keeps);
    order.moves = calloc(keeps, sizeof *order.moves);
    if (order.keeps == NULL || order.moves == NULL) {
        abort();
    }
    order.keep_count = order.move_count = keeps;
    for (size_t i = 0; i < keeps; i++) {
        order.keeps[i] = (struct kerf_keep){0, sector, i, 1};
        order.moves[i] = (struct kerf_move){0, 8 + i, sector * SECTOR + 16 * i};
    }
    assert_int_equal(kerf_order_gone(&order), KERF_OK);
    assert_int_equal(kerf_segments_add(&segments, &segment), KERF_OK);
    assert_int_equal(kerf_encode_plan(&w, &h, &segments, &map, &payload, &encoding), KERF_OK);
    assert_int_equal(kerf_pack(&h, &w.image, payload.data, payload.len, &delta, &len), KERF_OK);

    /* The shipped decoder makes new of it in any case; the count, too. */
    assert_int_equal(kerf_diff_recount(old_image, LEN, delta, len, NULL, &report), KERF_OK);
    assert_int_equal(report.segments, 1);
    kerf_err err = kerf_selfcheck_in_place(old_image, LEN, new_image, LEN, delta, len, erases);

    free(delta);
    free(payload.data);
    free(segments.list);
    kerf_order_close(&order);
    return err;
}

static void a_sector_of_the_slot_is_erased_twice_at_most(void **state)
{
    struct kerf_diff_erases erases;

    (void)state;
    test_noise(old_image, LEN, 1);
    test_noise(new_image, LEN, 2);
    memcpy(new_image + SECTOR, old_image, 8);
    /* Where new comes in the end ... */
    assert_int_equal(check(2, 1, &erases), KERF_OK);
    assert_int_equal(erases.slot, 2);
    assert_int_equal(check(2, 2, &erases), KERF_ERR_STATE);
    assert_int_equal(erases.slot, 3);
    /* ... behind the images ... */
    assert_int_equal(check(4, 2, &erases), KERF_OK);
    assert_int_equal(erases.slot, 2);
    assert_int_equal(check(4, 3, &erases), KERF_ERR_STATE);
    /* ... and in scratch, where that is not counted. */
    assert_int_equal(check(5, 3, &erases), KERF_OK);
    assert_int_equal(erases.slot, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sector_of_the_slot_is_erased_twice_at_most),
    };

    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
