/* SPDX-License-Identifier: Apache-2.0 */
/* Mixing as docs/FORMAT.md has it, one input after the other, against the library's, which on some machines takes them side by side. */
#include "common/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 200000u
#define BYTE_LIMIT 10u /* of bytes, whose mixers learn half as fast as those of flags */

static uint32_t seed = 1;

static uint32_t any(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static int32_t log2_of(uint32_t c)
{
    int32_t whole = 0;

    for (uint32_t v = c; v > 1; v >>= 1) {
        whole++;
    }
    return whole * 256 + (int32_t)((c << 8 >> whole) - 256);
}

static int32_t stretch(uint32_t c)
{
    return log2_of(c) - log2_of(65536 - c);
}

static uint32_t squash(int32_t x)
{
    x = x < -4096 ? -4096 : x > 4095 ? 4095 : x;
    return (uint32_t)(0x7fff0000LL / (((512LL - ((uint32_t)x & 255)) << 22 >> ((x + 4096) >> 8)) + 32768) + 1);
}

static uint16_t updated(uint16_t c, unsigned limit, unsigned bit, uint32_t noise)
{
    static const int32_t rates[16] = {2560, 1568, 1136, 896, 736, 624, 512, 416, 336, 272, 224, 192, 160, 128, 96, 64};
    int64_t step = ((int64_t)((bit ? 65520 : 31) - c) * rates[c & 15] + noise) >> 16;

    return (uint16_t)(c + step * 16 + ((c & 15u) < limit));
}

static int16_t learned(int16_t weight, int64_t err, int32_t in, uint32_t noise)
{
    int64_t w = weight + ((err * in + noise) >> 16);

    return (int16_t)(w < INT16_MIN ? INT16_MIN : w > INT16_MAX ? INT16_MAX : w);
}

/* Both ends of what a counter and a weight may be, as often as all between. */
static uint16_t any_counter(void)
{
    static const uint16_t ends[] = {1, 15, 16, 31, 47, 0x7fff, 0x8000, 0x8001, 65504, 65520, 65534, 65535};

    return any() % 2 != 0 ? ends[any() % (sizeof ends / sizeof ends[0])] : (uint16_t)(any() % 65535 + 1);
}

static int16_t any_weight(void)
{
    static const int16_t ends[] = {INT16_MIN, INT16_MIN + 1, -1, 0, 1, INT16_MAX - 1, INT16_MAX};

    return any() % 4 == 0 ? ends[any() % (sizeof ends / sizeof ends[0])] : (int16_t)((int32_t)(any() % 65536) - 32768);
}

static void mix_once(unsigned n, unsigned limit, bool frozen)
{
    struct kerf_coder k = {.frozen = frozen};
    uint16_t values[KERF_MIX_MAX], before[KERF_MIX_MAX];
    uint16_t *counters[KERF_MIX_MAX];
    int16_t weights[KERF_MIX_MAX + 2], weights_before[KERF_MIX_MAX + 2];
    unsigned bit = any() % 2;
    int32_t dot = 0;

    kerf_rc_encode_init(&k.rc, NULL, NULL);
    k.rc.s.range = any() << 8 | 1;
    for (unsigned i = 0; i < n; i++) {
        before[i] = values[i] = any_counter();
        counters[i] = &values[i];
    }
    for (unsigned i = 0; i < KERF_MIX_MAX + 2; i++) {
        weights_before[i] = weights[i] = any_weight();
    }
    for (unsigned i = 0; i <= n; i++) {
        dot += (i < n ? stretch(before[i]) : 111) * weights[i];
    }
    uint32_t p1 = squash(dot >> KERF_WEIGHT_BITS);

    assert_int_equal(kerf_model_mix(&k, counters, n, weights, limit, bit), bit);
    assert_int_equal(k.rc.cost, kerf_rc_cost(bit ? p1 : 65536 - p1));

    uint32_t noise = kerf_rc_noise(&k.rc);
    int64_t err = ((int64_t)(bit ? 65536 : 0) - p1) >> (limit == BYTE_LIMIT ? 2 : 1);

    for (unsigned i = 0; i < KERF_MIX_MAX + 2; i++) {
        int16_t w = weights_before[i];

        if (i <= n && !frozen) {
            w = learned(w, err, i < n ? stretch(before[i]) : 111, noise);
        }
        assert_int_equal(weights[i], w);
    }
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(values[i], frozen ? before[i] : updated(before[i], limit, bit, noise));
    }
}

static void inputs_are_mixed_as_the_format_says(void **state)
{
    static const unsigned limits[] = {BYTE_LIMIT, 14, 15};

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        mix_once(2 + i % (KERF_MIX_MAX - 1), limits[i / 4 % 3], false);
    }
}

static void what_is_frozen_learns_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS / 16; i++) {
        mix_once(2 + i % (KERF_MIX_MAX - 1), BYTE_LIMIT, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_are_mixed_as_the_format_says),
        cmocka_unit_test(what_is_frozen_learns_nothing),
    };

    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
