/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/sha256_fast.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#include "common/sha256.h"

/* A virtual machine takes thousands of cycles to answer. */
static bool ask_processor(void)
{
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;

    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0) {
        return false;
    }
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

bool kerf_sha256_is_fast(void)
{
    static atomic_int answer; /* 0: not asked yet; 1: no; 2: yes */
    int known = atomic_load_explicit(&answer, memory_order_relaxed);

    if (known == 0) {
        known = ask_processor() ? 2 : 1;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known == 2;
}

/* The instructions want the state as A, B, E, F and C, D, G, H. */
__attribute__((target("sha,sse4.1"))) void kerf_sha256_fast(uint32_t h[8], const uint8_t *data, size_t blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i *state = (__m128i *)(void *)h;
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(state), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(state + 1), 0x1b);
    __m128i abef = _mm_alignr_epi8(badc, hgfe, 8);
    __m128i cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);

    for (; blocks > 0; blocks--, data += 64) {
        const __m128i abef_before = abef;
        const __m128i cdgh_before = cdgh;
        __m128i w[4]; /* the message schedule: words t .. t + 3 are w[t / 4 % 4] */

        for (unsigned i = 0; i < 4; i++) {
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(data + (size_t)16 * i)),
                                    big_endian);
        }
#pragma GCC unroll 16
        for (unsigned i = 0; i < 16; i++) {
            const __m128i *rounds = (const __m128i *)(const void *)(kerf_sha256_rounds + (size_t)4 * i);
            __m128i x = _mm_add_epi32(w[i & 3], _mm_loadu_si128(rounds));

            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, x);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(x, 0x0e));
            if (i < 12) {
                __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]),
                                            _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));

                w[i & 3] = _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);

    _mm_storeu_si128(state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(state + 1, _mm_alignr_epi8(dchg, feba, 8));
}
#else
bool kerf_sha256_is_fast(void)
{
    return false;
}

void kerf_sha256_fast(uint32_t h[8], const uint8_t *data, size_t blocks)
{
    (void)h;
    (void)data;
    (void)blocks;
}
#endif
