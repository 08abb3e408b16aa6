/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rc.h - the binary range coder, both directions (docs/FORMAT.md, "Range coder").
 *
 * A carry-propagating range coder with 32-bit range and 16-bit probabilities. The symbol 1 takes the low part of the
 * range. One decision takes at most two bytes of input, before it. Source: G. N. N. Martin, "Range encoding", 1979, in
 * the byte-wise binary form that LZMA made common.
 */
#ifndef KERF_COMMON_RC_H
#define KERF_COMMON_RC_H

#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero bytes that a decoder may read past the end of its input: the encoder leaves out what they can stand for. */
#define KERF_RC_MAX_STARVED 4

/* What is kept between calls. */
struct kerf_rc_state {
    uint32_t range; /* starts at 1: the first bytes are taken by the first decision */
    uint32_t code;  /* decoding */
};

struct kerf_rc {
    struct kerf_rc_state s;
    const uint8_t *in;     /* decoding: input of this call */
    size_t in_pos, in_len; /* in_pos goes past in_len by the zero bytes that were made up */
#if KERF_ENCODER
    bool encoding;
    bool started;     /* false until the byte that is always 0 has left `low` */
    uint8_t cache;    /* the byte that a carry may still change */
    bool cache_valid; /* false until the first byte is known */
    uint64_t low;
    uint64_t carry_len;                    /* 0xff bytes after cache that a carry would turn over */
    uint64_t cost;                         /* bits * 2^-16 spent so far; needs no output */
    uint64_t mark;                         /* cost at a point inside a step that the codec marks, for statistics */
    void (*emit)(void *ctx, uint8_t byte); /* NULL: count the cost alone */
    void *emit_ctx;
#endif
};

/* 16 bits as good as random, the same in both directions: the lowest of the range as a decision left it. */
static inline uint32_t kerf_rc_noise(const struct kerf_rc *rc)
{
    return rc->s.range & 0xffff;
}

/* x * m / 2^16 for m below 2^16 */
static inline uint32_t kerf_rc_scale(uint32_t x, uint32_t m)
{
#if defined(__ARM_ARCH) && __ARM_ARCH < 7 /* where products have 32 bits */
    return (x >> 16) * m + ((x & 0xffff) * m >> 16);
#else
    return (uint32_t)((uint64_t)x * (m << 16) >> 32);
#endif
}

/*
 * x * m / 2^32 for m up to 2^16. Tables of more counters have larger m: for hosts, and not for an ARMv6-M, which has no
 * RAM for five of them.
 */
static inline uint32_t kerf_rc_part(uint32_t x, uint32_t m)
{
#if defined(__ARM_ARCH) && __ARM_ARCH < 7
    return kerf_rc_scale(x, m) >> 16;
#else
    return (uint32_t)((uint64_t)x * m >> 32);
#endif
}

/* Decodes one decision. p1: probability that it is 1, in 1/65536, 1 .. 65535. Returns the bit. */
unsigned kerf_rc_decode(struct kerf_rc *rc, uint32_t p1);

/* Codes one decision, in whichever direction; `bit`: what to encode. Returns the bit. */
#if KERF_ENCODER
unsigned kerf_rc_bit(struct kerf_rc *rc, uint32_t p1, unsigned bit);
#else
static inline unsigned kerf_rc_bit(struct kerf_rc *rc, uint32_t p1, unsigned bit)
{
    (void)bit; /* and so nothing is computed for it */
    return kerf_rc_decode(rc, p1);
}
#endif

#if KERF_ENCODER
void kerf_rc_encode_init(struct kerf_rc *rc, void (*emit)(void *ctx, uint8_t byte), void *emit_ctx);
/* Ends the stream with as few bytes as identify it. */
void kerf_rc_encode_end(struct kerf_rc *rc);
/* -log2(p / 65536) in bits * 2^-16; p in 1 .. 65535. */
uint32_t kerf_rc_cost(uint32_t p);
#endif

#ifdef __cplusplus
}
#endif

#endif
