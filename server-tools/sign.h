/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign.h - private keys in files, and signing documents with them. OpenSSL, Ed25519 or ES256 (ECDSA on P-256
 * with SHA-256); keys are PEM (PKCS#8), mode 0600.
 */
#ifndef KERF_SERVER_TOOLS_SIGN_H
#define KERF_SERVER_TOOLS_SIGN_H

#include "common/host/why.h"
#include "common/metadata.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A private key. Set it to {0} before first use. */
struct kerf_signing_key {
    void *pkey;  /* EVP_PKEY, owned */
    int32_t alg; /* KERF_ALG_ */
    struct kerf_key_id id;
    uint8_t public_key[KERF_PUBLIC_KEY_MAX_LEN]; /* raw, as in a root */
    size_t public_key_len;
};

/* Makes a new key for `alg` from the system's random numbers. KERF_ERR_STATE: OpenSSL refused. */
KERF_MUST_USE kerf_err kerf_signing_key_generate(struct kerf_signing_key *key, int32_t alg, struct kerf_why *why);

/*
 * Loads a key. KERF_ERR_FLASH: can't be read. KERF_ERR_FORMAT: not an unencrypted Ed25519 or P-256 key in PEM.
 * KERF_ERR_ARGUMENT: group or others may read it.
 */
KERF_MUST_USE kerf_err kerf_signing_key_load(struct kerf_signing_key *key, const char *path, struct kerf_why *why);

/* Writes a key, mode 0600, durably; an existing file is never replaced (KERF_ERR_ARGUMENT). */
KERF_MUST_USE kerf_err kerf_signing_key_save(const struct kerf_signing_key *key, const char *path,
                                             struct kerf_why *why);

/* Releases it; safe on {0} and twice. */
void kerf_signing_key_free(struct kerf_signing_key *key);

/*
 * Puts the map payload[0..payload_len) (kerf_root_write() and its siblings) into an envelope signed by each of `count`
 * keys (1 .. KERF_SIGNATURES_MAX, in any order, none twice). With Ed25519 the same input gives the same bytes; ES256
 * signatures differ each time. *doc is malloc'ed and
 * owned by the caller. KERF_ERR_ARGUMENT: too long, or a bad list of keys.
 */
KERF_MUST_USE kerf_err kerf_sign_document(enum kerf_doc_type type, const uint8_t *payload, size_t payload_len,
                                          const struct kerf_signing_key *const *keys, size_t count, uint8_t **doc,
                                          size_t *doc_len, struct kerf_why *why);

/*
 * A signed fresh document, for a server that answers with the device's nonce. *doc as above.
 */
KERF_MUST_USE kerf_err kerf_sign_fresh(const struct kerf_fresh *fresh, const struct kerf_signing_key *key,
                                       uint8_t **doc, size_t *doc_len, struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
