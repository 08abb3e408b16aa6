/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model.h"

#define BIAS 111 /* the constant input of a mixer, 0.43 bits */
#define SQUASH_MAX (15 * 256)

#define BIT_LIMIT 13u  /* single counters go as slow as 1/32 */
#define BYTE_LIMIT 12u /* mixers of slower counters learn their weights twice as fast */

/* 256 / (n + 1.6), then slower steps up to 1/64: how far the n-th update of a counter goes. */
static const uint8_t rates[16] = {160, 98, 71, 56, 46, 39, 32, 26, 21, 17, 14, 12, 10, 8, 6, 4};

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
    k->rc.s.noise = k->rc.s.noise * 1664525u + 1013904223u;
    return k->rc.s.noise >> 16;
}

static inline __attribute__((always_inline)) void update(uint16_t *counter, unsigned limit, unsigned bit,
                                                         uint32_t noise)
{
    uint32_t n = *counter & 15u;
    int32_t p = *counter >> 4;

    /* Towards 1 or 4095, and never beyond: the step is at most 5/8 of the way, rounded to one of its neighbours. */
    p += (((bit ? 4095 : 1) - p) * rates[n] + (int32_t)(noise >> 8)) >> 8;
    n += n < limit;
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
    update(counter, BIT_LIMIT, bit, draw_noise(k));
    return bit;
}

#if KERF_ENCODER
static inline __attribute__((always_inline)) unsigned mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n,
                                                          int16_t *weights, unsigned limit, unsigned bit)
#else
unsigned kerf_model_mix_decode(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                               unsigned limit)
#endif
{
#if !KERF_ENCODER
    unsigned bit = 0;
#endif
    int32_t dot = 0;
    int32_t kept[KERF_MIX_MAX + 1]; /* 24 bytes of stack for 100 instructions */

    for (unsigned i = 0; i <= n; i++) {
        kept[i] = i < n ? stretch(*counters[i] >> 4) : BIAS; /* the last input is the bias */
        dot += kept[i] * weights[i];
    }
    uint32_t p1 = squash(dot >> KERF_WEIGHT_BITS);

    bit = kerf_rc_bit(&k->rc, p1, bit);
#if KERF_ENCODER
    if (k->frozen) {
        return bit;
    }
#endif

    int32_t err = ((bit ? 65536 : 0) - (int32_t)p1) >> (limit <= BYTE_LIMIT);
    uint32_t noise = draw_noise(k);

    for (unsigned i = 0; i <= n; i++) {
        int32_t w = weights[i] + ((err * kept[i] + (int32_t)(noise << 1)) >> 17); /* |err * in| < 2^28 */

        if (w == (int16_t)w) {
            weights[i] = (int16_t)w;
        }
        if (i < n) {
            update(counters[i], limit, bit, noise);
        }
    }
    return bit;
}

#if KERF_ENCODER
unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights, unsigned limit,
                        unsigned bit)
{
    /* Code of its own for each usual number of inputs is quicker. */
    return n == KERF_MIX_MAX ? mix(k, counters, KERF_MIX_MAX, weights, limit, bit)
           : n == 4          ? mix(k, counters, 4, weights, limit, bit)
                             : mix(k, counters, n, weights, limit, bit);
}
#endif

#if KERF_ENCODER
kerf_pos kerf_model_number(struct kerf_coder *k, uint16_t *tree, uint16_t *low, unsigned nodes, unsigned phase,
                           kerf_pos v)
#else
kerf_pos kerf_model_number_decode(struct kerf_coder *k, uint16_t *tree, uint16_t *low, unsigned nodes, unsigned phase)
#endif
{
#if KERF_ENCODER
    const kerf_pos x = v + 1;                                                  /* numbers stay below KERF_POS_MAX */
    unsigned len = 63u - (unsigned)__builtin_clzll((unsigned long long)x | 1); /* after the leading one */
#else
    const kerf_pos x = 0;
    unsigned len = 0;
    kerf_pos v;
#endif
    unsigned node = 1;

    while (node < nodes) {
        if (node >> 2 == 1) {
            node ^= phase;
        }
        len <<= 1;
        node = node << 1 | kerf_model_bit(k, &tree[node], (len & nodes) != 0);
    }
    v = 1;
    for (unsigned i = (node ^ phase * (nodes / 4)) - nodes; i-- > 0;) {
        unsigned bit = (unsigned)(x >> i) & 1;

        bit = i > 1 ? kerf_rc_bit(&k->rc, 32768, bit) : kerf_model_bit(k, &low[i == 1 ? 2 : (unsigned)v & 1], bit);
        v = v << 1 | bit;
    }
    return v - 1;
}
