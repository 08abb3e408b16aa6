/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that plans must reach: over RAM budgets, with packed parts, with an old image that has nothing to do with new. */
#include "diffgen/diffgen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/pack.h"

#define LEN 24000
#define CAP (LEN + 8000)

static uint8_t old_image[CAP];
static uint8_t new_image[CAP];

static uint64_t random_state;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static size_t delta_len(const uint8_t *old_bytes, size_t old_len, size_t new_len, uint64_t ram)
{
    struct kerf_diff_options options;
    uint8_t *delta;
    size_t len;

    memset(&options, 0, sizeof options);
    options.codec = -1;
    options.ram = ram;
    assert_int_equal(kerf_diff_create(old_bytes, old_len, new_image, new_len, &options, &delta, &len, NULL), KERF_OK);
    free(delta);
    return len;
}

/*
 * Like the output of a packer with literals and tokens in turn: old noise; of new every few bytes follow old at one of
 * two distances, one byte in between is its own, and now and then a piece stands elsewhere.
 */
static size_t make_packed(void)
{
    size_t at = 0;
    bool other = false;

    random_state = 3;
    test_noise(old_image, LEN, 77);
    for (size_t from = 0; from + 40 < LEN; other = !other) {
        size_t len = 3 + next_random(6);

        if (next_random(40) == 0) {
            memcpy(new_image + at, old_image + next_random(LEN - 40), 20);
            at += 20;
            from += 20;
        }
        memcpy(new_image + at, old_image + from + (other ? 1 : 0), len);
        at += len;
        from += len + 1;
        new_image[at++] = (uint8_t)next_random(256);
    }
    return at;
}

#define STRETCH 160u
#define STRETCHES (LEN / STRETCH)

static void check_budgets(size_t old_len, size_t new_len)
{
    static const uint32_t budgets[] = {2048, 3000, 4096, 8192, 16384, 65536, 1 << 20};
    size_t before = SIZE_MAX;

    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
        size_t len = delta_len(old_image, old_len, new_len, budgets[i]);

        assert_true(len <= before);
        before = len;
    }
}

static void more_ram_never_makes_a_delta_larger(void **state)
{
    (void)state;
    size_t old_len = test_image(old_image, LEN, SIZE_MAX, 0);

    check_budgets(old_len, test_image(new_image, LEN, SIZE_MAX, 0));
    check_budgets(old_len, test_image(new_image, LEN, 12000, 8));
    check_budgets(old_len, test_image(new_image, LEN, 800, 2400));
    check_budgets(LEN, make_packed());
    check_budgets(0, test_image(new_image, LEN, 800, 2400));
}

/* One in six bytes is new; to change between two distances costs a few bits, and so does each length. */
static void packed_parts_are_not_copied_with_corrections(void **state)
{
    (void)state;
    size_t new_len = make_packed();

    assert_true(delta_len(old_image, LEN, new_len, 8192) < new_len / 4);
    assert_true(delta_len(old_image, LEN, new_len, 65536) < new_len / 4);
}

static void an_unrelated_old_image_does_no_harm(void **state)
{
    (void)state;
    size_t new_len = test_image(new_image, LEN, 800, 2400);

    test_noise(old_image, LEN, 9);
    for (uint32_t ram = 8192; ram <= 65536; ram *= 8) {
        size_t full = delta_len(old_image, 0, new_len, ram);

        assert_in_range(delta_len(old_image, LEN, new_len, ram), 1, full + full / 100 + 64);
    }
    test_noise(new_image, LEN, 10);
    assert_in_range(delta_len(old_image, LEN, LEN, 8192), LEN, LEN + 64 + 16 * (LEN / 7000));
}

/* In place, what is kept of old is known to the decoder by entries in its RAM: no more of them than there is room for. */
static void little_ram_is_enough_in_place(void **state)
{
    struct kerf_diff_options options = {
        .level = 6, .ram = 2048, .codec = -1, .in_place = true, .sector = 4096, .scratch = 2};

    (void)state;
    test_noise(old_image, LEN, 3);
    /* Stretches of old are exchanged, each by one far away. */
    for (size_t i = 0; i < STRETCHES; i++) {
        memcpy(new_image + i * STRETCH, old_image + (i * 37 + 11) % STRETCHES * STRETCH, STRETCH);
    }

    uint8_t *delta = NULL;
    size_t len = 0;
    struct kerf_diff_report report;

    assert_int_equal(kerf_diff_create(old_image, LEN, new_image, STRETCHES * STRETCH, &options, &delta, &len, &report),
                     KERF_OK);
    free(delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_ram_never_makes_a_delta_larger),
        cmocka_unit_test(packed_parts_are_not_copied_with_corrections),
        cmocka_unit_test(an_unrelated_old_image_does_no_harm),
        cmocka_unit_test(little_ram_is_enough_in_place),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
