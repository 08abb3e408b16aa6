/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedtls_config.h - Mbed TLS 2.28 cut down to verifying ECDSA on P-256, without an operating system: about 16 KB of
 * code on a Cortex-M4, heap from a block that is given to it. For -DMBEDTLS_CONFIG_FILE='"mbedtls_config.h"'.
 */
#ifndef KERF_PORT_EXAMPLES_MBEDTLS_CONFIG_H
#define KERF_PORT_EXAMPLES_MBEDTLS_CONFIG_H

#define MBEDTLS_ASN1_PARSE_C /* ecdsa.c wants both, and the linker drops them */
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_NO_INTERNAL_RNG /* blinding is for private keys; there are none here */
#define MBEDTLS_ECP_WINDOW_SIZE 2
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_EXIT_MACRO kerf_mbedtls_exit
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS

/* Called when its heap is found damaged; does not return. The product's. */
void kerf_mbedtls_exit(int status);

#include <mbedtls/check_config.h>

#endif
