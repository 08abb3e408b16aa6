/* SPDX-License-Identifier: Apache-2.0 */
/* FIPS 180-4, sections 4.1.2, 4.2.2, 5.1.1, 5.3.3 and 6.2; the message schedule is kept in 16 words. */
#include "common/sha256.h"

#include <string.h>

#include "common/bytes.h"

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t ror(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void compress(struct kerf_sha256 *s, const uint8_t *block)
{
    uint32_t w[16];
    uint32_t v[8];

    memcpy(v, s->h, sizeof v);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t x;

        if (t < 16) {
            x = kerf_load_be32(block + (size_t)t * 4);
        } else {
            uint32_t a = w[(t + 1) & 15];
            uint32_t b = w[(t + 14) & 15];

            x = w[t & 15] + w[(t + 9) & 15] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
        }
        w[t & 15] = x;
        x += v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
             round_constants[t];
        uint32_t y = x + (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) +
                     ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, sizeof v - sizeof v[0]);
        v[4] += x;
        v[0] = y;
    }
    for (unsigned i = 0; i < 8; i++) {
        s->h[i] += v[i];
    }
}

void kerf_sha256_init(struct kerf_sha256 *s)
{
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(s->h, initial, sizeof initial);
    s->total_len = 0;
}

void kerf_sha256_add(struct kerf_sha256 *s, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t used = (size_t)(s->total_len & 63);
        size_t n = 64 - used < len ? 64 - used : len;

        memcpy(s->block + used, data, n);
        s->total_len += n;
        data += n;
        len -= n;
        if (used + n == 64) {
            compress(s, s->block);
        }
    }
}

void kerf_sha256_end(struct kerf_sha256 *s, struct kerf_sha256_digest *out)
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = s->total_len * 8;
    size_t used = (size_t)(s->total_len & 63);
    uint8_t len_be[8];

    kerf_store_be32(len_be, (uint32_t)(bits >> 32));
    kerf_store_be32(len_be + 4, (uint32_t)bits);
    kerf_sha256_add(s, padding, used < 56 ? 56 - used : 120 - used);
    kerf_sha256_add(s, len_be, sizeof len_be);
    for (unsigned i = 0; i < 8; i++) {
        kerf_store_be32(out->b + (size_t)i * 4, s->h[i]);
    }
}

kerf_err kerf_sha256_hook(void *s, enum kerf_hash_op op, const uint8_t *data, size_t len,
                          struct kerf_sha256_digest *digest)
{
    switch (op) {
    case KERF_HASH_START:
        kerf_sha256_init(s);
        break;
    case KERF_HASH_ADD:
        kerf_sha256_add(s, data, len);
        break;
    case KERF_HASH_END:
        kerf_sha256_end(s, digest);
        break;
    }
    return KERF_OK;
}
