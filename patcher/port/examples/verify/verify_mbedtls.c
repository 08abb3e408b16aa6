/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sha256.h"
#include "patcher/port/examples/verify/verify.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/memory_buffer_alloc.h>

#define POINT_LEN 65u /* 04, x, y */

void kerf_verify_mbedtls_heap(uint8_t *heap, size_t len)
{
    mbedtls_memory_buffer_alloc_init(heap, len);
}

uint32_t kerf_verify_mbedtls(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                             size_t message_len, const uint8_t *sig, size_t sig_len)
{
    uint32_t verdict = KERF_SIGNATURE_INVALID;
    struct kerf_sha256 sha;
    struct kerf_sha256_digest digest;
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_mpi r;
    mbedtls_mpi s;

    (void)ctx;
    if (alg != KERF_ALG_ES256 || key_len != POINT_LEN || sig_len != KERF_SIGNATURE_LEN) {
        return KERF_SIGNATURE_INVALID;
    }
    kerf_sha256_init(&sha);
    kerf_sha256_add(&sha, message, message_len);
    kerf_sha256_end(&sha, &digest);
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    /* A point that is not on the curve is refused before it is computed with. */
    if (mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
        mbedtls_ecp_point_read_binary(&group, &point, key, key_len) == 0 &&
        mbedtls_ecp_check_pubkey(&group, &point) == 0 &&
        mbedtls_mpi_read_binary(&r, sig, KERF_SIGNATURE_LEN / 2) == 0 &&
        mbedtls_mpi_read_binary(&s, sig + KERF_SIGNATURE_LEN / 2, KERF_SIGNATURE_LEN / 2) == 0 &&
        mbedtls_ecdsa_verify(&group, digest.b, sizeof digest.b, &point, &r, &s) == 0) {
        verdict = KERF_SIGNATURE_VALID;
    }
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&group);
    return verdict;
}
