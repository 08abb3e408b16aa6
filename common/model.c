/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model.h"

#define BIAS 77              /* the constant input of a mixer, 0.3 */
#define WEIGHT_RATE 10       /* learning rate of weights in 1/512: 0.02 */
#define COUNTER_RATE_MAX 15u /* last index of rates[] */

/*
 * ln((4096 - q) / q) * 256 for q in 1 .. 2048: one entry each below 32, then sixteen an octave. Kept this small for
 * devices; finer steps gain under 0.1 %.
 */
static const int16_t stretch_table[129] = {
    2129, 2129, 1952, 1848, 1774, 1717, 1670, 1631, 1597, 1566, 1539, 1515, 1492, 1472, 1453, 1435, 1419, 1403, 1388,
    1374, 1361, 1349, 1337, 1325, 1314, 1304, 1294, 1284, 1275, 1266, 1257, 1248, 1236, 1221, 1206, 1192, 1179, 1167,
    1155, 1144, 1133, 1122, 1112, 1102, 1093, 1084, 1075, 1067, 1055, 1039, 1025, 1011, 998,  985,  973,  962,  951,
    940,  930,  920,  911,  902,  893,  884,  872,  856,  842,  827,  814,  801,  789,  778,  766,  755,  745,  735,
    725,  716,  707,  698,  685,  669,  654,  639,  625,  612,  599,  587,  575,  564,  553,  542,  532,  522,  512,
    503,  489,  472,  455,  440,  424,  410,  396,  382,  369,  356,  344,  332,  320,  309,  298,  287,  271,  250,
    231,  211,  193,  175,  157,  139,  122,  106,  89,   73,   56,   40,   24,   8,    0,
};

/* 65536 / (1 + e^(i / 4)), the tail of the logistic function in steps of 1/4. */
static const uint16_t squash_table[46] = {
    32768, 28693, 24743, 21025, 17625, 14595, 11955, 9702, 7812, 6249, 4971, 3938, 3108, 2446, 1921, 1506,
    1179,  922,   720,   562,   439,   342,   267,   208,  162,  126,  98,   77,   60,   47,   36,   28,
    22,    17,    13,    10,    8,     6,     5,     4,    3,    2,    2,    1,    1,    1,
};

/* 65536 / (n + 1.6), then slower steps up to 1/60: how far the n-th update of a counter goes. */
static const uint16_t rates[COUNTER_RATE_MAX + 1] = {
    40960, 25206, 18204, 14247, 11703, 9930, 8192, 6554, 5461, 4369, 3641, 2979, 2521, 2048, 1638, 1092,
};

/* ln(p / (4096 - p)) * 256 */
static int32_t stretch(uint32_t p)
{
    uint32_t q = p <= 2048 ? p : 4096 - p;
    uint32_t i = q;

    for (uint32_t octave = 0; i >= 32; octave += 16) {
        i = q >> (octave / 16 + 1);
        if (i < 32) {
            i += octave + 16;
            break;
        }
    }
    return p <= 2048 ? -stretch_table[i] : stretch_table[i];
}

/* 65536 / (1 + e^(-x / 256)), 1 .. 65535 */
static uint32_t squash(int32_t x)
{
    uint32_t t = x < 0 ? (uint32_t)-x : (uint32_t)x;

    if (t > 44 * 64 - 1) {
        t = 44 * 64 - 1;
    }
    uint32_t high = squash_table[t >> 6];
    uint32_t v = high - (((high - squash_table[(t >> 6) + 1]) * (t & 63)) >> 6);

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
    int32_t step = ((bit ? 4096 : 0) - p) * rates[n];

    p += (step + (int32_t)noise) >> 16;
    if (p < 1) {
        p = 1;
    }
    if (p > 4095) {
        p = 4095;
    }
    if (n < (uint32_t)adapt) {
        n++;
    }
    *counter = (uint16_t)((uint32_t)p << 4 | n);
}

unsigned kerf_model_bit(struct kerf_coder *k, uint16_t *counter, unsigned bit)
{
    bit = kerf_rc_bit(&k->rc, (uint32_t)(*counter >> 4) << 4, bit);
    update(counter, KERF_ADAPT_40, bit, draw_noise(k));
    return bit;
}

unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                        enum kerf_adapt adapt, unsigned bit)
{
    int32_t in[KERF_MIX_MAX + 1];
    int32_t dot = 0;

    for (unsigned i = 0; i < n; i++) {
        in[i] = stretch(*counters[i] >> 4);
        dot += in[i] * weights[i];
    }
    in[n] = BIAS;
    dot += BIAS * weights[n];

    uint32_t p1 = squash(dot / KERF_WEIGHT_ONE);

    bit = kerf_rc_bit(&k->rc, p1, bit);
#if KERF_ENCODER
    if (k->frozen) {
        return bit;
    }
#endif

    int32_t err = (bit ? 65536 : 0) - (int32_t)p1;
    uint32_t noise = draw_noise(k);

    for (unsigned i = 0; i <= n; i++) {
        /* |err * in| < 2^28; the quotient is below 2^18, so that the product stays below 2^22. */
        int32_t w = weights[i] + (((err * in[i] / 1024) * WEIGHT_RATE + (int32_t)(noise >> 6)) >> 10);

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
