/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - the verify hook of a device (struct kerf_verifier, common/metadata.h) on libraries that are made for
 * devices: ES256 on Mbed TLS (2.28), Ed25519 on libsodium (1.0.18). A product takes the one its keys need; both is
 * rare.
 *
 * Both are kerf_verify_fn, not reentrant in Mbed TLS's case (its heap), and say KERF_SIGNATURE_INVALID to other
 * algorithms.
 */
#ifndef KERF_PORT_EXAMPLES_VERIFY_H
#define KERF_PORT_EXAMPLES_VERIFY_H

#include "common/metadata.h"

/* Bytes of heap that verifying takes, with mbedtls_config.h. */
#define KERF_VERIFY_MBEDTLS_HEAP 6144

/* Gives Mbed TLS its heap, once, before the first signature; aligned to 8. It belongs to the library from then on. */
void kerf_verify_mbedtls_heap(uint8_t *heap, size_t len);

/* ES256. The hash is the project's own SHA-256. `ctx` is not used. */
uint32_t kerf_verify_mbedtls(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                             size_t message_len, const uint8_t *sig, size_t sig_len);

/* Ed25519. No heap; about 3 KiB of stack. `ctx` is not used. */
uint32_t kerf_verify_libsodium(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                               size_t message_len, const uint8_t *sig, size_t sig_len);

#endif
