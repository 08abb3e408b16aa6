/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/verify.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

/* A P-256 key from its point; NULL unless the point is on the curve. */
static EVP_PKEY *p256_key(const uint8_t *point, size_t len)
{
    char group[] = "P-256";
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, len),
        OSSL_PARAM_construct_end(),
    };

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* r and s, 32 bytes each, as the DER that OpenSSL takes; its length, or -1. *der is OpenSSL's, to be freed. */
static int der_signature(const uint8_t *sig, unsigned char **der)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, KERF_SIGNATURE_LEN / 2, NULL);
    BIGNUM *s = BN_bin2bn(sig + KERF_SIGNATURE_LEN / 2, KERF_SIGNATURE_LEN / 2, NULL);
    int len = -1;

    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = NULL; /* the pair's now */
        s = NULL;
        len = i2d_ECDSA_SIG(pair, der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return len;
}

/* Verifies by a key that it takes over; `md_type` NULL: the algorithm's own. */
static uint32_t verify(EVP_PKEY *pkey, const EVP_MD *md_type, const uint8_t *message, size_t message_len,
                       const uint8_t *sig, size_t sig_len)
{
    uint32_t verdict = KERF_SIGNATURE_INVALID;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (pkey != NULL && md != NULL && EVP_DigestVerifyInit(md, NULL, md_type, NULL, pkey) == 1 &&
        EVP_DigestVerify(md, sig, sig_len, message, message_len) == 1) {
        verdict = KERF_SIGNATURE_VALID;
    }
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    return verdict;
}

uint32_t kerf_verify_openssl(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                             size_t message_len, const uint8_t *sig, size_t sig_len)
{
    (void)ctx;
    if (alg == KERF_ALG_EDDSA) {
        EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, key_len);

        return verify(pkey, NULL, message, message_len, sig, sig_len);
    }
    if (alg == KERF_ALG_ES256 && sig_len == KERF_SIGNATURE_LEN) {
        unsigned char *der = NULL;
        int der_len = der_signature(sig, &der);
        uint32_t verdict = der_len <= 0 ? KERF_SIGNATURE_INVALID
                                        : verify(p256_key(key, key_len), EVP_sha256(), message, message_len, der,
                                                 (size_t)der_len);

        OPENSSL_free(der);
        return verdict;
    }
    return KERF_SIGNATURE_INVALID;
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
