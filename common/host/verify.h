/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - signatures checked by OpenSSL, for the verifier of common/metadata.h on hosts.
 */
#ifndef KERF_COMMON_HOST_VERIFY_H
#define KERF_COMMON_HOST_VERIFY_H

#include "common/metadata.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A kerf_verify_fn: Ed25519 and ES256; any other algorithm is not valid. `ctx` is not used. Reentrant. */
uint32_t kerf_verify_openssl(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                             size_t message_len, const uint8_t *sig, size_t sig_len);

/*
 * A verifier over OpenSSL with scratch for any document. *scratch is malloc'ed and owned by the caller (free) for as
 * long as the verifier is used. KERF_ERR_RAM: no memory.
 */
KERF_MUST_USE kerf_err kerf_verifier_openssl(struct kerf_verifier *verifier, uint8_t **scratch);

#ifdef __cplusplus
}
#endif

#endif
