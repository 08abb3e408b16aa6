/* SPDX-License-Identifier: Apache-2.0 */
/* Matches by a suffix array that was thinned, beside those by the whole one; matches by chains, beside the longest there are. */
#include "diffgen/work.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/pack.h"

#define OLD_LEN 20000u
#define NEW_LEN 24000u
/* As match.c has them. */
#define MATCH_MIN 4u
#define COMPARE_MAX 4096u /* as long as this is as good as any longer one */

static uint8_t old_image[OLD_LEN + KERF_PAD], new_image[NEW_LEN + KERF_PAD];

static size_t common(size_t old_pos, size_t new_pos)
{
    size_t len = 0;

    while (old_pos + len < OLD_LEN && new_pos + len < NEW_LEN && old_image[old_pos + len] == new_image[new_pos + len]) {
        len++;
    }
    return len;
}

/* Pieces of old in another order, of 5 to 300 bytes, among noise. */
static void make_noise(void)
{
    uint32_t x = 12345;
    size_t at = 0;

    test_noise(old_image, OLD_LEN, 1);
    test_noise(new_image, NEW_LEN, 2);
    while (at < NEW_LEN) {
        x = x * 1664525 + 1013904223;
        size_t len = 5 + (x >> 16) % 296;
        size_t from = (x >> 8) % (OLD_LEN - len);

        len = len < NEW_LEN - at ? len : NEW_LEN - at;
        memcpy(new_image + at, old_image + from, len);
        at += len + (x >> 28);
    }
}

/* Code that moved, and words of few kinds: many suffixes are alike for long. */
static void make_code(void)
{
    (void)test_image(old_image, OLD_LEN, SIZE_MAX, 0);
    (void)test_image(new_image, NEW_LEN - 300, 8000, 300);
}

static void make_equal(void)
{
    memset(old_image, 0xff, OLD_LEN);
    memset(new_image, 0xff, NEW_LEN);
    new_image[NEW_LEN / 2] = 0;
}

static void open_work(struct kerf_work *w, unsigned step)
{
    memset(w, 0, sizeof *w);
    w->old_side = (struct kerf_side){.bytes = old_image, .len = OLD_LEN, .masked_of_all = old_image};
    w->new_side = (struct kerf_side){.bytes = new_image, .len = NEW_LEN, .masked_of_all = new_image};
    w->budget.step = step;
    w->budget.pack = step > 1;
    w->budget.match_pages = NEW_LEN;
    assert_int_equal(kerf_match_prepare(w), KERF_OK);
    kerf_match_thin(w);
}

/* The longest match by looking everywhere at every `step`-th place of old. */
static size_t longest_of_all(size_t new_pos, unsigned step)
{
    size_t best = 0;

    for (size_t i = 0; i < OLD_LEN; i += step) {
        /* One that is longer has the byte behind the best one, too. */
        if (i + best < OLD_LEN && new_pos + best < NEW_LEN && old_image[i + best] == new_image[new_pos + best]) {
            size_t len = common(i, new_pos);

            best = len > best ? len : best;
        }
    }
    return best;
}

/* kerf_match_longest() finds the longest of what is left, at each of a sample of places. */
static void check_longest(unsigned step)
{
    struct kerf_work w;

    open_work(&w, step);
    assert_int_equal(w.suffix_count, (OLD_LEN + step - 1) / step);
    for (size_t new_pos = 0; new_pos < NEW_LEN; new_pos += 97) {
        size_t at;
        size_t len = kerf_match_longest(&w, new_pos, &at);
        size_t there = common(at, new_pos);

        assert_int_equal(len, there);
        if (len < COMPARE_MAX) {
            assert_int_equal(len, longest_of_all(new_pos, step));
        }
        assert_true(len == 0 || at % step == 0);
    }
    kerf_match_free(&w);
}

/*
 * kerf_match_at() finds one as long as by the whole array, wherever that is long enough to have a place that is left in
 * it, with MATCH_MIN bytes from there on.
 */
static void check_at(unsigned step)
{
    struct kerf_work whole;
    struct kerf_work thin;
    size_t found = 0;

    open_work(&whole, 1);
    open_work(&thin, step);
    for (size_t new_pos = 0; new_pos < NEW_LEN; new_pos++) {
        uint32_t a = kerf_match_at(&whole, new_pos);
        uint32_t b = kerf_match_at(&thin, new_pos);
        size_t a_len = a == KERF_MATCH_NONE ? 0 : common(a, new_pos);
        size_t b_len = b == KERF_MATCH_NONE ? 0 : common(b, new_pos);

        assert_true(b == KERF_MATCH_NONE || b_len >= MATCH_MIN);
        assert_true(b_len <= a_len);
        if (a_len >= step - 1 + MATCH_MIN && b_len < a_len) {
            /* A longer one from a later byte may hide it; it is not lost, as that begins within the step. */
            size_t later = 0;

            for (size_t ahead = 1; ahead < step && new_pos + ahead < NEW_LEN; ahead++) {
                uint32_t c = kerf_match_at(&whole, new_pos + ahead);
                size_t len = c == KERF_MATCH_NONE ? 0 : common(c, new_pos + ahead);

                later = len > later ? len : later;
            }
            assert_true(later > a_len - step);
        }
        found += b_len > 0;
    }
    assert_true(found > NEW_LEN / 2);
    kerf_match_free(&whole);
    kerf_match_free(&thin);
}

/* Old ends in zeros, fewer than COMPARE_MAX, and new has more of them: most suffixes end inside of what they match. */
static void make_tail(void)
{
    make_noise();
    memset(old_image + OLD_LEN - 600, 0, 600);
    memset(new_image + NEW_LEN / 2, 0, 900);
}

static void (*const makers[])(void) = {make_noise, make_code, make_equal, make_tail};

static void longest_match_is_found_among_what_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        makers[i]();
        for (unsigned step = 1; step <= 8; step++) {
            check_longest(step);
        }
    }
}

static void thinned_array_finds_what_the_whole_one_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        makers[i]();
        for (unsigned step = 2; step <= 8; step++) {
            check_at(step);
        }
    }
}

static void thinned_array_takes_less_memory(void **state)
{
    struct kerf_work w;

    (void)state;
    make_noise();
    open_work(&w, 4);
    size_t bytes = w.suffix_count * kerf_suffix_bits(OLD_LEN, 4) / 8;

    assert_null(w.suffixes);
    assert_in_range(bytes, 1, OLD_LEN / 2);
    assert_in_range(malloc_usable_size(w.packed), bytes, bytes + 64);
    kerf_match_free(&w);
}

#define CHAINED_MIN 6u    /* as chains.c has them: bytes of a match that it finds, */
#define CHAINED_MOST 512u /* and as long as this is as good as any longer one */

static struct kerf_chains *open_chains(struct kerf_work *w)
{
    memset(w, 0, sizeof *w);
    w->old_side = (struct kerf_side){.bytes = old_image, .len = OLD_LEN, .masked_of_all = old_image};
    w->new_side = (struct kerf_side){.bytes = new_image, .len = NEW_LEN, .masked_of_all = new_image};
    assert_int_equal(kerf_chains_open(&w->old_side, NEW_LEN, &w->chains), KERF_OK);
    return w->chains;
}

static void chains_find_the_longest_match(void **state)
{
    struct kerf_work w;

    (void)state;
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        makers[i]();
        (void)open_chains(&w);
        for (size_t new_pos = 0; new_pos < NEW_LEN; new_pos += 97) {
            size_t at;
            size_t hint = new_pos + OLD_LEN / 2; /* often behind old's end */
            size_t len = kerf_chains_longest(w.chains, &w.old_side, &w.new_side, new_pos, hint, &at);

            assert_true(len == 0 || (len >= CHAINED_MIN && len == common(at, new_pos)));
            if (len < CHAINED_MOST) {
                size_t best = longest_of_all(new_pos, 1);

                assert_int_equal(len, best < CHAINED_MIN ? 0 : best);
            }
        }
        kerf_match_free(&w);
    }
}

static void of_matches_alike_chains_find_that_where_old_goes_on(void **state)
{
    struct kerf_work w;
    size_t at;

    (void)state;
    make_noise();
    old_image[100] = 7;
    for (size_t i = 1; i < 5; i++) {
        memcpy(old_image + i * 4000, old_image, 101);
    }
    memcpy(new_image + 50, old_image, 100);
    new_image[150] = 8;
    (void)open_chains(&w);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(kerf_chains_longest(w.chains, &w.old_side, &w.new_side, 50, i * 4000 + 700, &at), 100);
        assert_int_equal(at, i * 4000);
    }
    kerf_match_free(&w);
}

/* Old in which every place begins with the same bytes takes a bounded time, and what is found is a match all the same. */
static void chains_of_few_patterns_end(void **state)
{
    struct kerf_work w;
    size_t at;

    (void)state;
    for (size_t i = 0; i < OLD_LEN; i++) {
        old_image[i] = (uint8_t)(i % 2);
    }
    for (size_t i = 0; i < NEW_LEN; i++) {
        new_image[i] = (uint8_t)(i / 100 % 2 != 0 ? i % 2 : i % 3);
    }
    (void)open_chains(&w);
    for (size_t new_pos = 0; new_pos < NEW_LEN; new_pos++) {
        size_t len = kerf_chains_longest(w.chains, &w.old_side, &w.new_side, new_pos, SIZE_MAX, &at);

        assert_int_equal(len, len == 0 ? 0 : common(at, new_pos));
    }
    kerf_match_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_match_is_found_among_what_is_left),
        cmocka_unit_test(thinned_array_finds_what_the_whole_one_does),
        cmocka_unit_test(thinned_array_takes_less_memory),
        cmocka_unit_test(chains_find_the_longest_match),
        cmocka_unit_test(of_matches_alike_chains_find_that_where_old_goes_on),
        cmocka_unit_test(chains_of_few_patterns_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
