/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rc.h"

#define TOP 0x1000000u /* range is at least this before a decision, so that 16-bit probabilities resolve */

static uint8_t next_byte(struct kerf_rc *rc)
{
    size_t pos = rc->in_pos++;

    return pos < rc->in_len ? rc->in[pos] : 0;
}

#if KERF_ENCODER

/* log2(1 + i / 128) * 65536, rounded */
static const uint32_t log2_table[129] = {
    0,     736,   1466,  2190,  2909,  3623,  4331,  5034,  5732,  6425,  7112,  7795,  8473,  9146,  9814,
    10477, 11136, 11791, 12440, 13086, 13727, 14363, 14996, 15624, 16248, 16868, 17484, 18096, 18704, 19308,
    19909, 20505, 21098, 21687, 22272, 22854, 23433, 24007, 24579, 25146, 25711, 26272, 26830, 27384, 27936,
    28484, 29029, 29571, 30109, 30645, 31178, 31707, 32234, 32758, 33279, 33797, 34312, 34825, 35334, 35841,
    36346, 36847, 37346, 37842, 38336, 38827, 39316, 39802, 40286, 40767, 41246, 41722, 42196, 42667, 43137,
    43603, 44068, 44530, 44990, 45448, 45904, 46357, 46809, 47258, 47705, 48150, 48593, 49034, 49472, 49909,
    50344, 50776, 51207, 51636, 52063, 52488, 52911, 53332, 53751, 54169, 54584, 54998, 55410, 55820, 56229,
    56635, 57040, 57443, 57845, 58245, 58643, 59039, 59434, 59827, 60219, 60609, 60997, 61384, 61769, 62152,
    62534, 62915, 63294, 63671, 64047, 64421, 64794, 65166, 65536,
};

uint32_t kerf_rc_cost(uint32_t p)
{
    uint32_t shift = (uint32_t)__builtin_clz(p) - 16;

    p <<= shift;
    /* p is in [2^15, 2^16): seven index bits, eight bits between two entries. */
    uint32_t i = (p >> 8) - 128;
    uint32_t low = log2_table[i];
    uint32_t log2 = low + (((log2_table[i + 1] - low) * (p & 255)) >> 8);

    return ((shift + 1) << 16) - log2;
}

void kerf_rc_encode_init(struct kerf_rc *rc, void (*emit)(void *ctx, uint8_t byte), void *emit_ctx)
{
    *rc = (struct kerf_rc){.s.range = TOP, .encoding = true, .emit = emit, .emit_ctx = emit_ctx};
}

/* Moves the top byte of low out; a byte that a later carry may change waits in cache and carry_len. */
static void shift_low(struct kerf_rc *rc)
{
    if (!rc->started) {
        rc->started = true;
    } else if (rc->low < 0xff000000u || rc->low > UINT32_MAX) {
        uint8_t carry = (uint8_t)(rc->low >> 32);

        if (rc->cache_valid) {
            rc->emit(rc->emit_ctx, (uint8_t)(rc->cache + carry));
        }
        for (; rc->carry_len > 0; rc->carry_len--) {
            rc->emit(rc->emit_ctx, (uint8_t)(0xff + carry));
        }
        rc->cache = (uint8_t)(rc->low >> 24);
        rc->cache_valid = true;
    } else {
        rc->carry_len++;
    }
    rc->low = (rc->low & 0x00ffffff) << 8;
}

static void encode(struct kerf_rc *rc, uint32_t p1, uint32_t bound, unsigned bit)
{
    rc->cost += kerf_rc_cost(bit ? p1 : 65536 - p1);
    if (rc->emit == NULL) {
        /* Nobody needs the range, but its lowest bits are noise (xorshift; G. Marsaglia, 2003). */
        rc->s.range ^= rc->s.range << 13;
        rc->s.range ^= rc->s.range >> 17;
        rc->s.range ^= rc->s.range << 5;
        return;
    }
    if (bit) {
        rc->s.range = bound;
    } else {
        rc->low += bound;
        rc->s.range -= bound;
    }
}

void kerf_rc_encode_end(struct kerf_rc *rc)
{
    /* Any value in [low, low + range) will do; the decoder makes up zero bytes, so take one that ends in many. */
    uint64_t high = rc->low + rc->s.range - 1;
    unsigned keep = 32;

    for (unsigned zero_bits = 32; zero_bits > 0; zero_bits -= 8) {
        uint64_t v = high >> zero_bits << zero_bits;

        if (v >= rc->low) {
            rc->low = v;
            keep = 32 - zero_bits;
            break;
        }
    }
    /* The waiting byte and `keep` bits of low must come out, and a carry with them. */
    for (unsigned bits = 0; bits < keep + 8; bits += 8) {
        shift_low(rc);
    }
    /* What still waits is zero: a run of 0xff would have been kept. */
}
#endif

/* range * p1 / 2^16; at least 256, since range >= 2^24 and p1 >= 1. */
static uint32_t bound_of(const struct kerf_rc *rc, uint32_t p1)
{
    return kerf_rc_scale(rc->s.range, p1);
}

unsigned kerf_rc_decode(struct kerf_rc *rc, uint32_t p1)
{
    while (rc->s.range < TOP) {
        rc->s.range <<= 8;
        rc->s.code = rc->s.code << 8 | next_byte(rc);
    }
    uint32_t bound = bound_of(rc, p1);

    if (rc->s.code < bound) {
        rc->s.range = bound;
        return 1;
    }
    rc->s.code -= bound;
    rc->s.range -= bound;
    return 0;
}

#if KERF_ENCODER
unsigned kerf_rc_bit(struct kerf_rc *rc, uint32_t p1, unsigned bit)
{
    if (!rc->encoding) {
        return kerf_rc_decode(rc, p1);
    }
    while (rc->emit != NULL && rc->s.range < TOP) {
        rc->s.range <<= 8;
        shift_low(rc);
    }
    encode(rc, p1, bound_of(rc, p1), bit);
    return bit;
}
#endif
