/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - adaptive probabilities: counters, logistic mixing, numbers (docs/FORMAT.md, "Models").
 *
 * A counter is 16 bits: twelve of probability (of a 1, in 1/4096) and four that count how often it was updated, so that
 * a new one learns fast and an old one slowly. A mixer weighs the predictions of several counters in the logistic
 * domain and learns the weights (source: M. Mahoney, "Adaptive weighing of context models for lossless data
 * compression", 2005). Integer arithmetic only; the same on every machine, in both directions.
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
#define KERF_NUMBER_NODES (KERF_POS_BITS)       /* nodes of the tree of a number's length, at most */

struct kerf_coder {
    struct kerf_rc rc; /* its noise dithers the rounding of counters and weights, or small steps would be lost */
#if KERF_ENCODER
    bool frozen; /* decisions are priced, nothing is learned */
#endif
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
 * Codes one decision by `n` counters (at most KERF_MIX_MAX) weighed by weights[0..n], the last for the bias, and
 * updates them all. `limit`: how slow they may become, an index of the rates of model.c.
 */
#if KERF_ENCODER
unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights, unsigned limit,
                        unsigned bit);
#else
unsigned kerf_model_mix_decode(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                               unsigned limit);

static inline unsigned kerf_model_mix(struct kerf_coder *k, uint16_t *const *counters, unsigned n, int16_t *weights,
                                      unsigned limit, unsigned bit)
{
    (void)bit;
    return kerf_model_mix_decode(k, counters, n, weights, limit);
}
#endif

/*
 * Codes a number below 2^nodes - 1: its length in bits by the counters tree[1 .. nodes), of what follows the leading
 * one two bits by three of those behind them, the others as they are: the last two bits, by `place`, 0 .. 3; or the
 * first two, by how many follow, up to three. nodes: 32, or 64. Returns the number.
 */
#define KERF_NUMBER_BY_SIZE 4u
#if KERF_ENCODER
kerf_pos kerf_model_number(struct kerf_coder *k, uint16_t *tree, unsigned nodes, unsigned phase, unsigned place,
                           kerf_pos v);
#else
kerf_pos kerf_model_number_decode(struct kerf_coder *k, uint16_t *tree, unsigned nodes, unsigned phase, unsigned place);

static inline kerf_pos kerf_model_number(struct kerf_coder *k, uint16_t *tree, unsigned nodes, unsigned phase,
                                         unsigned place, kerf_pos v)
{
    (void)v;
    return kerf_model_number_decode(k, tree, nodes, phase, place);
}
#endif

#ifdef __cplusplus
}
#endif

#endif
