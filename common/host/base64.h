/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64.h - bytes as text and back: RFC 4648 section 4, with padding. The reader is strict: one text per value,
 * nothing skipped. Reentrant, no state.
 */
#ifndef KERF_COMMON_HOST_BASE64_H
#define KERF_COMMON_HOST_BASE64_H

#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

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
