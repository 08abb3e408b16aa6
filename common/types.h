/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.h - the few types that everything shares.
 */
#ifndef KERF_COMMON_TYPES_H
#define KERF_COMMON_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * KERF_POS_BITS: width of a position in an image, 32 or 64. Devices take 32 (images up to 4 GiB - 1;
 * larger ones are refused with KERF_ERR_UNSUPPORTED); hosts take 64. It changes no byte of any format.
 */
#ifndef KERF_POS_BITS
#define KERF_POS_BITS 64
#endif
/* KERF_ENCODER: 1 compiles both directions of the shared codec, 0 the decoding one only (devices). */
#ifndef KERF_ENCODER
#define KERF_ENCODER 1
#endif

/* KERF_IN_PLACE: 0 leaves out payloads made for one slot: kerf_codec_init() answers KERF_ERR_UNSUPPORTED. */
#ifndef KERF_IN_PLACE
#define KERF_IN_PLACE 1
#endif

/* For a function with hot loops: gcc -Os would move their bodies to where each turn takes two branches. */
#if defined(__GNUC__) && !defined(__clang__)
#define KERF_AS_WRITTEN __attribute__((optimize("no-reorder-blocks")))
#else
#define KERF_AS_WRITTEN
#endif

#if KERF_POS_BITS == 32
typedef uint32_t kerf_pos;  /* a byte position in an image, or a length of bytes in it */
typedef int32_t kerf_shift; /* a signed difference of two positions or addresses, modulo 2^32 */
#define KERF_POS_MAX UINT32_MAX
#else
typedef uint64_t kerf_pos;
typedef int64_t kerf_shift;
#define KERF_POS_MAX UINT64_MAX
#endif

/* SHA-256 in full, and cut to its first 16 bytes as header and chunk chain carry it. */
#define KERF_SHA256_LEN 32
#define KERF_DIGEST_LEN 16

struct kerf_sha256_digest {
    uint8_t b[KERF_SHA256_LEN];
};

struct kerf_digest {
    uint8_t b[KERF_DIGEST_LEN];
};

/* What a hash callback is asked to do (struct kerf_port, common/host/hash.h). One hash runs at a time. */
enum kerf_hash_op {
    KERF_HASH_START, /* begin SHA-256; data is NULL */
    KERF_HASH_ADD,   /* add data[0..len) */
    KERF_HASH_END,   /* write 32 bytes to digest */
};

#ifdef __cplusplus
}
#endif

#endif
