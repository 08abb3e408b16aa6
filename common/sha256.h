/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha256.h - SHA-256 (FIPS 180-4), small, for ports that have no hash of their own. Host programs use OpenSSL.
 * State: 112 bytes; stack: under 128 bytes beside it. Reentrant.
 */
#ifndef KERF_COMMON_SHA256_H
#define KERF_COMMON_SHA256_H

#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_sha256 {
    uint32_t h[8];
    uint64_t total_len; /* bytes added so far */
    uint8_t block[64];  /* the block in progress, total_len % 64 bytes of it used */
};

void kerf_sha256_init(struct kerf_sha256 *s);
void kerf_sha256_add(struct kerf_sha256 *s, const uint8_t *data, size_t len);
/* Writes the digest; `s` must be initialised again before it is used again. */
void kerf_sha256_end(struct kerf_sha256 *s, struct kerf_sha256_digest *out);

/* The three as a port's hash callback (struct kerf_port), `s` being a struct kerf_sha256. Never fails. */
kerf_err kerf_sha256_hook(void *s, enum kerf_hash_op op, const uint8_t *data, size_t len,
                          struct kerf_sha256_digest *digest);

#ifdef __cplusplus
}
#endif

#endif
