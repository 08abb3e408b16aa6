/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model.h"

#define BIAS 111             /* the constant input of a mixer, 0.43 bits */
#define COUNTER_RATE_MAX 15u /* last index of rates[] */
#define SQUASH_MAX (15 * 256)

/* 65536 / (n + 1.6), then slower steps up to 1/60: how far the n-th update of a counter goes. */
static const uint16_t rates[COUNTER_RATE_MAX + 1] = {
    40960, 25206, 18204, 14247, 11703, 9930, 8192, 6554, 5461, 4369, 3641, 2979, 2521, 2048, 1638, 1092,
};

/* log2(x) * 256, straight lines between powers of two: as good as tables, since stretch() and squash() undo each other. */
static int32_t log2_of(uint32_t x)
{
    unsigned n = 31u - (unsigned)__builtin_clz(x);

    return (int32_t)((n << 8) + ((x << 8) >> n));
}

/* log2(p / (4096 - p)) * 256 for p in 1 .. 4095 */
static int32_t stretch(uint32_t p)
{
    return log2_of(p) - log2_of(4096 - p);
}

/* 65536 / (1 + 2^(-x / 256)), 1 .. 65535 */
static uint32_t squash(int32_t x)
{
    uint32_t t = x < 0 ? (uint32_t)-x : (uint32_t)x;

    if (t > SQUASH_MAX) {
        t = SQUASH_MAX;
    }
    /* 2^(-t / 256) in 1/32768, at least 1 */
    uint32_t e = (32768 - (t & 255) * 64) >> (t >> 8);
    uint32_t v = (e << 16) / (32768 + e);

    return x < 0 ? v : 65536 - v;
}

static uint32_t draw_noise(struct kerf_coder *k)
{
    k->noise = k->noise * 1664525u + 1013904223u;
    return k->noise >> 16;
}

static void update(uint16_t *counter, enum kerf_adapt adapt, unsigned bit, uint32_t noise)
{
    uint32_t n = *counter & 15u;
    int32_t p = *counter >> 4;

    /* Towards 1 or 4095, and never beyond: the step is less than 5/8 of the way, rounded to one of its neighbours. */
    p += (((bit ? 4095 : 1) - p) * rates[n] + (int32_t)noise) >> 16;
    if (n < (uint32_t)adapt) {
        n++;
    }
    *counter = (uint16_t)((uint32_t)p << 4 | n);
}

#if KERF_ENCODER
unsigned kerf_model_bit(struct kerf_coder *k, uint16_t *counter, unsigned bit)
#else
unsigned kerf_model_bit_decode(struct kerf_coder *k, uint16_t *counter)
#endif
{
#if !KERF_ENCODER
    unsigned bit = 0;
#endif

    bit = kerf_rc_bit(&k->rc, (uint32_t)(*counter >> 4) << 4, bit);
    update(counter, KERF_ADAPT_40, bit, draw_noise(k));
    return bit;
}

#if KERF_ENCODER
unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                        enum kerf_adapt adapt, unsigned bit)
#else
unsigned kerf_model_mix_decode(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                               enum kerf_adapt adapt)
#endif
{
#if !KERF_ENCODER
    unsigned bit = 0;
#endif
    int32_t in[KERF_MIX_MAX + 1];
    int32_t dot = 0;

    for (unsigned i = 0; i < n; i++) {
        in[i] = stretch(*counters[i] >> 4);
        dot += in[i] * weights[i];
    }
    in[n] = BIAS;
    dot += BIAS * weights[n];

    uint32_t p1 = squash(dot >> KERF_WEIGHT_BITS);

    bit = kerf_rc_bit(&k->rc, p1, bit);
#if KERF_ENCODER
    if (k->frozen) {
        return bit;
    }
#endif

    int32_t err = (bit ? 65536 : 0) - (int32_t)p1;
    uint32_t noise = draw_noise(k);

    for (unsigned i = 0; i <= n; i++) {
        /* |err * in| < 2^28 */
        int32_t w = weights[i] + ((err * in[i] + (int32_t)(noise << 1)) >> 17);

        weights[i] = (int16_t)(w > INT16_MAX ? INT16_MAX : w < INT16_MIN ? INT16_MIN : w);
    }
    for (unsigned i = 0; i < n; i++) {
        update(counters[i], adapt, bit, noise);
    }
    return bit;
}

kerf_err kerf_model_number(struct kerf_coder *k, uint16_t *counters, unsigned cap, kerf_pos *v)
{
    kerf_pos x = *v + 1; /* encoding: numbers stay below KERF_POS_MAX */
    unsigned bits = 0;   /* after the leading one */

    for (;; bits++) {
        unsigned i = bits < cap ? bits : cap - 1;

        if (!kerf_model_bit(k, &counters[i], bits < KERF_POS_BITS - 1 && x >> 1 >> bits != 0)) {
            break;
        }
        if (bits >= KERF_POS_BITS - 1) {
            return KERF_ERR_CORRUPT;
        }
    }
    kerf_pos y = 1;

    for (unsigned i = bits; i > 0; i--) {
        unsigned bit = (unsigned)(x >> (i - 1)) & 1;

        if (i == bits) {
            bit = kerf_model_bit(k, &counters[cap + (bits < cap ? bits : cap - 1)], bit);
        } else if (i <= 2) {
            bit = kerf_model_bit(k, &counters[2 * cap + (i == 2 ? 0 : 1 + (y & 1))], bit);
        } else {
            bit = kerf_rc_bit(&k->rc, 32768, bit);
        }
        y = y << 1 | bit;
    }
    *v = y - 1;
    return KERF_OK;
}
