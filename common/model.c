/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model.h"

#if KERF_ENCODER && defined(__SSE2__)
#include <emmintrin.h>
#include <string.h>
#endif

#define BIAS 111 /* the constant input of a mixer, 0.43 bits */

#define BIT_LIMIT 13u /* single counters go as slow as 1/32 */

/* 4096 / (n + 1.6), then slower steps up to 1/64: how far the n-th update of a counter goes, in 1/4096. */
static const uint16_t rates[16] = {2560, 1568, 1136, 896, 736, 624, 512, 416, 336, 272, 224, 192, 160, 128, 96, 64};

/*
 * log2(c / (65536 - c)) * 256 for c in 1 .. 65535; log2 are straight lines between powers of two: as good as tables,
 * since stretch() and squash() undo each other.
 */
static int32_t stretch(uint32_t c)
{
    uint32_t d = 65536 - c;
    int zeros_c = __builtin_clz(c);
    int zeros_d = __builtin_clz(d);

    return (int32_t)(c << zeros_c >> 23) - (int32_t)(d << zeros_d >> 23) + (zeros_d - zeros_c) * 256;
}

/* 65536 / (1 + 2^(-x / 256)), 1 .. 65535 */
static uint32_t squash(int32_t x)
{
    x = x < -4096 ? -4096 : x > 4095 ? 4095 : x;

    /* 2^(-x / 256) in 1/32768, 0 .. 2^31 */
    uint32_t e = (512u - ((uint32_t)x & 255u)) << 22 >> ((x + 4096) >> 8);

    return 0x7fff0000u / (e + 0x8000u) + 1;
}

static int16_t saturate(int32_t w)
{
#ifdef __ARM_FEATURE_SAT
    return (int16_t)__builtin_arm_ssat(w, 16); /* gcc does not find it by itself in a loop */
#else
    return (int16_t)(w < INT16_MIN ? INT16_MIN : w > INT16_MAX ? INT16_MAX : w);
#endif
}

static inline __attribute__((always_inline)) void update(uint16_t *counter, unsigned limit, unsigned bit,
                                                         uint32_t noise)
{
    uint32_t c = *counter;
    uint32_t n = c & 15u;
    /* The probability goes towards 1 or 4095, never beyond: at most 5/8 of the way, rounded to one of the steps beside it. */
    int32_t step = (((bit ? 65520 : 31) - (int32_t)c) * rates[n] + (int32_t)noise) >> 16;

    c += (n - limit) >> 31;
    *counter = (uint16_t)(c + (uint32_t)step * 16);
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

    bit = kerf_rc_bit(&k->rc, *counter, bit);
    update(counter, BIT_LIMIT, bit, kerf_rc_noise(&k->rc));
    return bit;
}

#if KERF_ENCODER
static inline __attribute__((always_inline)) unsigned mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n,
                                                          int16_t *weights, unsigned limit, unsigned bit)
#else
KERF_AS_WRITTEN unsigned kerf_model_mix_decode(struct kerf_coder *k, uint16_t *const *counters, unsigned n,
                                               int16_t *weights, unsigned limit)
#endif
{
#if !KERF_ENCODER
    unsigned bit = 0;
#endif
    int32_t kept[KERF_MIX_MAX + 1]; /* 24 bytes of stack for 100 instructions */
    int32_t in = BIAS;              /* the first input */
    int32_t dot = 0;
    unsigned i = n;

    goto bias; /* it has no counter. Both loops have one branch for each input that way. */
    do {
        in = stretch(*counters[i]);
    bias:
        kept[i] = in;
        dot += in * weights[i];
    } while (i-- > 0);
    uint32_t p1 = squash(dot >> KERF_WEIGHT_BITS);

    bit = kerf_rc_bit(&k->rc, p1, bit);
#if KERF_ENCODER
    if (k->frozen) {
        return bit;
    }
#endif

    int32_t err = ((int32_t)(bit << 16) - (int32_t)p1) >> (2 - (limit >> 2 & 1)); /* 2 of bytes, whose limit is 10 */
    uint32_t noise = kerf_rc_noise(&k->rc);

    i = n;
    goto bias_again;
    do {
        i--;
        update(counters[i], limit, bit, noise);
    bias_again:
        weights[i] = saturate(weights[i] + ((err * kept[i] + (int32_t)noise) >> 16)); /* |err * in| < 2^28 */
    } while (i != 0);
    return bit;
}

#if KERF_ENCODER && defined(__SSE2__)
/* stretch() of four: the upper bits of a number as a float are its logarithm in straight lines. */
static inline __m128i stretch_four(__m128i c)
{
    __m128i d = _mm_sub_epi32(_mm_set1_epi32(65536), c);

    return _mm_sub_epi32(_mm_srli_epi32(_mm_castps_si128(_mm_cvtepi32_ps(c)), 15),
                         _mm_srli_epi32(_mm_castps_si128(_mm_cvtepi32_ps(d)), 15));
}

/* rates[] twice as large, and as they are in the upper half */
#define RATE(r) (2u * (r) | (uint32_t)(r) << 16)
static const uint32_t rate_pairs[16] = {RATE(2560), RATE(1568), RATE(1136), RATE(896), RATE(736), RATE(624),
                                        RATE(512),  RATE(416),  RATE(336),  RATE(272), RATE(224), RATE(192),
                                        RATE(160),  RATE(128),  RATE(96),   RATE(64)};

/* update() of four counters, which were c. */
static inline __attribute__((always_inline)) void update_four(uint16_t *const *counters, __m128i c, unsigned limit,
                                                              unsigned bit, uint32_t noise)
{
    __m128i rate = _mm_setr_epi32((int)rate_pairs[*counters[0] & 15u], (int)rate_pairs[*counters[1] & 15u],
                                  (int)rate_pairs[*counters[2] & 15u], (int)rate_pairs[*counters[3] & 15u]);
    /* The way to go takes 17 bits: its half, and above that its last bit. */
    __m128i way = _mm_sub_epi32(_mm_set1_epi32(bit ? 65520 : 31), c);
    __m128i halves = _mm_or_si128(_mm_and_si128(_mm_srai_epi32(way, 1), _mm_set1_epi32(0xffff)),
                                  _mm_slli_epi32(_mm_and_si128(way, _mm_set1_epi32(1)), 16));
    __m128i step = _mm_srai_epi32(_mm_add_epi32(_mm_madd_epi16(halves, rate), _mm_set1_epi32((int)noise)), 16);
    __m128i more = _mm_cmplt_epi32(_mm_and_si128(c, _mm_set1_epi32(15)), _mm_set1_epi32((int)limit));

    c = _mm_add_epi32(_mm_sub_epi32(c, more), _mm_slli_epi32(step, 4));
    *counters[0] = (uint16_t)_mm_extract_epi16(c, 0);
    *counters[1] = (uint16_t)_mm_extract_epi16(c, 2);
    *counters[2] = (uint16_t)_mm_extract_epi16(c, 4);
    *counters[3] = (uint16_t)_mm_extract_epi16(c, 6);
}

/* mix() of n = 3 to 5, with the inputs side by side: the same to the bit. */
static inline __attribute__((always_inline)) unsigned mix_beside(struct kerf_coder *k, uint16_t *const *counters,
                                                                 unsigned n, int16_t *weights, unsigned limit,
                                                                 unsigned bit)
{
    const __m128i zero = _mm_setzero_si128();
    uint16_t none = 0x8000; /* of a probability that tells nothing */
    uint16_t *const four[4] = {counters[0], counters[1], counters[2], n > 3 ? counters[3] : &none};
    __m128i c = _mm_setr_epi32(*four[0], *four[1], *four[2], *four[3]);
    __m128i in = stretch_four(c);
    __m128i w = _mm_loadl_epi64((const __m128i *)(const void *)weights);
    uint32_t rest = 0; /* up to two weights more */

    memcpy(&rest, weights + 4, (n - 3) * sizeof *weights);
    w = _mm_unpacklo_epi64(w, _mm_cvtsi32_si128((int)rest));
    in = _mm_packs_epi32(in, n == 5 ? stretch_four(_mm_setr_epi32(*counters[n - 1], 0x8000, 0x8000, 0x8000)) : zero);
    in = n == 5   ? _mm_insert_epi16(in, BIAS, 5)
         : n == 4 ? _mm_insert_epi16(in, BIAS, 4)
                  : _mm_insert_epi16(in, BIAS, 3);

    __m128i dot = _mm_madd_epi16(in, w);

    dot = _mm_add_epi32(dot, _mm_unpackhi_epi64(dot, dot));
    dot = _mm_add_epi32(dot, _mm_shuffle_epi32(dot, 1));
    uint32_t p1 = squash(_mm_cvtsi128_si32(dot) >> KERF_WEIGHT_BITS);

    bit = kerf_rc_bit(&k->rc, p1, bit);
    if (k->frozen) {
        return bit;
    }
    int32_t err = ((int32_t)(bit << 16) - (int32_t)p1) >> (2 - (limit >> 2 & 1)); /* 2 of bytes, whose limit is 10 */
    uint32_t noise = kerf_rc_noise(&k->rc);
    __m128i e = _mm_set1_epi16((int16_t)err); /* |err| <= 2^15 */
    __m128i low = _mm_mullo_epi16(in, e);
    /* The upper half of the product, and one more where noise carries into it. */
    __m128i sum = _mm_add_epi16(low, _mm_set1_epi16((int16_t)(uint16_t)noise));
    __m128i sign = _mm_set1_epi16(INT16_MIN);
    __m128i carry = _mm_cmpgt_epi16(_mm_xor_si128(low, sign), _mm_xor_si128(sum, sign));

    w = _mm_adds_epi16(w, _mm_sub_epi16(_mm_mulhi_epi16(in, e), carry));
    _mm_storel_epi64((__m128i *)(void *)weights, w);
    rest = (uint32_t)_mm_cvtsi128_si32(_mm_unpackhi_epi64(w, w));
    memcpy(weights + 4, &rest, (n - 3) * sizeof *weights);
    update_four(four, c, limit, bit, noise);
    if (n == 5) {
        update(counters[4], limit, bit, noise);
    }
    return bit;
}
#else
#define mix_beside mix
#endif

#if KERF_ENCODER
unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights, unsigned limit,
                        unsigned bit)
{
    /* Code of its own for each usual number of inputs is quicker. */
    return n == KERF_MIX_MAX ? mix_beside(k, counters, KERF_MIX_MAX, weights, limit, bit)
           : n == 4          ? mix_beside(k, counters, 4, weights, limit, bit)
           : n == 3          ? mix_beside(k, counters, 3, weights, limit, bit)
                             : mix(k, counters, n, weights, limit, bit);
}
#endif

#if KERF_ENCODER
kerf_pos kerf_model_number(struct kerf_coder *k, uint16_t *tree, unsigned nodes, unsigned phase, unsigned place,
                           kerf_pos v)
#else
kerf_pos kerf_model_number_decode(struct kerf_coder *k, uint16_t *tree, unsigned nodes, unsigned phase, unsigned place)
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
    unsigned i = (node ^ phase * (nodes / 4)) - nodes;
    unsigned nth = 2 - i; /* the last two are 0 and 1 */

    if (place == KERF_NUMBER_BY_SIZE) {
        place = (i < 4 ? i : 4) - 1;
        nth = 0;
    }
    v = 1;
    for (; i-- > 0; nth++) {
        unsigned bit = (unsigned)(x >> i) & 1;

        bit = nth > 1 ? kerf_rc_bit(&k->rc, 32768, bit)
                      : kerf_model_bit(k, &tree[nodes + 3 * place + (nth == 0 ? 2 : (unsigned)v & 1)], bit);
        v = v << 1 | bit;
    }
    return v - 1;
}
