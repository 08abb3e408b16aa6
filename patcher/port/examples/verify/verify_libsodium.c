/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/examples/verify/verify.h"

#include <crypto_sign_ed25519.h>

uint32_t kerf_verify_libsodium(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                               size_t message_len, const uint8_t *sig, size_t sig_len)
{
    (void)ctx;
    if (alg != KERF_ALG_EDDSA || key_len != crypto_sign_ed25519_PUBLICKEYBYTES ||
        sig_len != crypto_sign_ed25519_BYTES ||
        crypto_sign_ed25519_verify_detached(sig, message, message_len, key) != 0) {
        return KERF_SIGNATURE_INVALID;
    }
    return KERF_SIGNATURE_VALID;
}
