/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - SHA-256 on hosts, by OpenSSL (which takes the processor's instructions where there are any).
 * Errors: KERF_ERR_RAM where there is no memory; nothing else can fail except reading a file.
 */
#ifndef KERF_COMMON_HOST_HASH_H
#define KERF_COMMON_HOST_HASH_H

#include "common/error.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One hash in progress. Set it to {NULL} before first use. */
struct kerf_hash {
    void *state; /* SHA256_CTX, or NULL */
};

/* Begins; a hash that was in progress is dropped. */
KERF_MUST_USE kerf_err kerf_hash_begin(struct kerf_hash *hash);
KERF_MUST_USE kerf_err kerf_hash_add(struct kerf_hash *hash, const uint8_t *data, size_t len);
/* Writes the digest. The memory is kept for the next begin: kerf_hash_free() is still needed. */
KERF_MUST_USE kerf_err kerf_hash_end(struct kerf_hash *hash, struct kerf_sha256_digest *digest);
/* Releases the memory; safe at any time. */
void kerf_hash_free(struct kerf_hash *hash);

/* SHA-256 of data[0..len) at once. */
KERF_MUST_USE kerf_err kerf_hash_bytes(const uint8_t *data, size_t len, struct kerf_sha256_digest *digest);

/* SHA-256 and size of a file ("-": standard input), read in pieces of 64 KiB. `size` may be NULL. */
KERF_MUST_USE kerf_err kerf_hash_file(const char *path, struct kerf_sha256_digest *digest, uint64_t *size,
                                      struct kerf_why *why);

/* The hash callback of struct kerf_port, where port.ctx is a struct kerf_hash; other ports call it from their own. */
KERF_MUST_USE kerf_err kerf_hash_hook(void *hash, enum kerf_hash_op op, const uint8_t *data, size_t len,
                                      struct kerf_sha256_digest *digest);

#ifdef __cplusplus
}
#endif

#endif
