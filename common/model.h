/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - adaptive probabilities: counters, logistic mixing, numbers (docs/FORMAT.md, "Models").
 *
 * A counter is 16 bits: twelve of probability (of a 1, in 1/4096) and four that count how often it was updated, so that a
 * new one learns fast and an old one slowly. A mixer weighs the predictions of several counters in the logistic domain
 * and learns the weights (source: M. Mahoney, "Adaptive weighing of context models for lossless data compression", 2005).
 * Integer arithmetic only; the same on every machine, in both directions.
 */
#ifndef KERF_COMMON_MODEL_H
#define KERF_COMMON_MODEL_H

#include "common/rc.h"
#include "common/types.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_COUNTER_INIT 0x8000u /* probability 1/2, never updated */
#define KERF_MIX_MAX 5            /* counters that one mixer takes at most; it has one weight more, for the bias */
#define KERF_WEIGHT_BITS 13
#define KERF_WEIGHT_ONE (1 << KERF_WEIGHT_BITS) /* a weight of 1.0 */

/* How fast counters may become slow: the last rate they reach, an index into the rates of model.c (1/18, 1/26, 1/40, 1/60). */
enum kerf_adapt {
    KERF_ADAPT_18 = 10,
    KERF_ADAPT_26 = 12,
    KERF_ADAPT_40 = 14,
    KERF_ADAPT_60 = 15,
};

struct kerf_coder {
    struct kerf_rc rc;
    bool frozen;    /* encoding: decisions are priced, nothing is learned */
    uint32_t noise; /* the rounding of counters and weights is dithered, or small steps would be lost; starts at 0 */
};

/* Codes one decision by a single counter, and updates it. */
#if KERF_ENCODER
unsigned kerf_model_bit(struct kerf_coder *k, uint16_t *counter, unsigned bit);
#else
unsigned kerf_model_bit_decode(struct kerf_coder *k, uint16_t *counter);

static inline unsigned kerf_model_bit(struct kerf_coder *k, uint16_t *counter, unsigned bit)
{
    (void)bit; /* and so nothing is computed for it */
    return kerf_model_bit_decode(k, counter);
}
#endif

/*
 * Codes one decision by `n` counters (at most KERF_MIX_MAX) weighed by weights[0..n], the last for the bias, and updates
 * them all.
 */
#if KERF_ENCODER
unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                        enum kerf_adapt adapt, unsigned bit);
#else
unsigned kerf_model_mix_decode(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                               enum kerf_adapt adapt);

static inline unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                                      enum kerf_adapt adapt, unsigned bit)
{
    (void)bit;
    return kerf_model_mix_decode(k, counters, n, weights, adapt);
}
#endif

/*
 * Codes a number with adaptive Exp-Golomb: its bit length in unary by `cap` counters, the bit after the leading one by
 * `cap` more, the rest as they are. counters[0 .. 2 * cap). *v is the number to encode, or receives the decoded one.
 * KERF_ERR_CORRUPT: longer than a position.
 */
KERF_MUST_USE kerf_err kerf_model_number(struct kerf_coder *k, uint16_t *counters, unsigned cap, kerf_pos *v);

#ifdef __cplusplus
}
#endif

#endif
