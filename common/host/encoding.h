/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.h - bytes as text and back: lower-case hexadecimal (digests) and base64 (RFC 4648 section 4, with padding).
 * Both readers are strict: one text per value, nothing skipped. Reentrant, no state.
 */
#ifndef KERF_COMMON_HOST_ENCODING_H
#define KERF_COMMON_HOST_ENCODING_H

#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Characters of a SHA-256 in hexadecimal, the terminating 0 not counted. */
#define KERF_SHA256_HEX_LEN (2 * KERF_SHA256_LEN)

/* Writes 64 lower-case digits and a 0 to `text`. */
void kerf_sha256_to_hex(const struct kerf_sha256_digest *digest, char text[KERF_SHA256_HEX_LEN + 1]);

/* Reads exactly `len` == 64 digits of either case. KERF_ERR_FORMAT otherwise; *digest is then unchanged. */
KERF_MUST_USE kerf_err kerf_sha256_from_hex(const char *text, size_t len, struct kerf_sha256_digest *digest);

/* Characters of `len` bytes (at most SIZE_MAX / 2) in base64, the terminating 0 not counted. */
size_t kerf_base64_len(size_t len);

/* Writes kerf_base64_len(len) characters and a 0 to `text`. */
void kerf_base64_encode(const uint8_t *data, size_t len, char *text);

/*
 * Reads `text_len` characters; `data` needs room for text_len / 4 * 3 bytes, *len says how many were written.
 * KERF_ERR_FORMAT: another alphabet, white space, missing or superfluous padding, spare bits that are not 0.
 */
KERF_MUST_USE kerf_err kerf_base64_decode(const char *text, size_t text_len, uint8_t *data, size_t *len);

#ifdef __cplusplus
}
#endif

#endif
