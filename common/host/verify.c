/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/verify.h"

#include <stdlib.h>

#include <openssl/evp.h>

uint32_t kerf_verify_openssl(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                             size_t message_len, const uint8_t *sig, size_t sig_len)
{
    uint32_t verdict = KERF_SIGNATURE_INVALID;

    (void)ctx;
    if (alg != KERF_ALG_EDDSA) {
        return KERF_SIGNATURE_INVALID;
    }
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, key_len);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (pkey != NULL && md != NULL && EVP_DigestVerifyInit(md, NULL, NULL, NULL, pkey) == 1 &&
        EVP_DigestVerify(md, sig, sig_len, message, message_len) == 1) {
        verdict = KERF_SIGNATURE_VALID;
    }
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    return verdict;
}

kerf_err kerf_verifier_openssl(struct kerf_verifier *verifier, uint8_t **scratch)
{
    size_t cap = KERF_METADATA_SCRATCH(KERF_METADATA_MAX_LEN);

    *scratch = malloc(cap);
    if (*scratch == NULL) {
        return KERF_ERR_RAM;
    }
    *verifier = (struct kerf_verifier){kerf_verify_openssl, NULL, *scratch, cap};
    return KERF_OK;
}
