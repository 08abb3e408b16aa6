/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/sign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/host/file.h"
#include "common/host/hash.h"

#define KEY_FILE_MAX_LEN 16384 /* a key in PEM has 119 or 241 bytes; comments may stand around it */
#define SIGNATURE_LEN KERF_SIGNATURE_LEN
#define DER_MAX_LEN 80 /* an ES256 signature as OpenSSL makes it: at most 72 */

/* Id of a raw public key: the first bytes of its SHA-256. */
static kerf_err key_id_of(const uint8_t *public_key, size_t len, struct kerf_key_id *id)
{
    struct kerf_sha256_digest digest;
    kerf_err err = kerf_hash_bytes(public_key, len, &digest);

    if (err == KERF_OK) {
        memcpy(id->b, digest.b, KERF_KEY_ID_LEN);
    }
    return err;
}

/* What a key signs with; 0: nothing of ours. */
static int32_t alg_of(const EVP_PKEY *pkey)
{
    char group[32];
    size_t len;

    if (pkey == NULL) {
        return 0;
    }
    if (EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519) {
        return KERF_ALG_EDDSA;
    }
    return EVP_PKEY_get_id(pkey) == EVP_PKEY_EC && EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) == 1 &&
                   strcmp(group, "prime256v1") == 0
               ? KERF_ALG_ES256
               : 0;
}

/* The point of a P-256 key as 04, x, y, whatever form its file has it in. */
static bool get_point(const EVP_PKEY *pkey, uint8_t *out, size_t cap, size_t *len)
{
    BIGNUM *x = NULL;
    BIGNUM *y = NULL;
    bool ok = cap == 65 && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
              EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 && BN_bn2binpad(x, out + 1, 32) == 32 &&
              BN_bn2binpad(y, out + 33, 32) == 32;

    BN_free(x);
    BN_free(y);
    out[0] = 4;
    *len = 65;
    return ok;
}

/* Takes `pkey` over and fills in what follows from it. */
static kerf_err adopt(struct kerf_signing_key *key, EVP_PKEY *pkey)
{
    size_t cap = sizeof key->public_key;
    bool ok;

    key->pkey = pkey;
    key->alg = alg_of(pkey);
    key->public_key_len = cap;
    if (key->alg == KERF_ALG_ES256) {
        ok = get_point(pkey, key->public_key, cap, &key->public_key_len);
    } else {
        ok = EVP_PKEY_get_raw_public_key(pkey, key->public_key, &key->public_key_len) == 1;
    }
    if (!ok || key_id_of(key->public_key, key->public_key_len, &key->id) != KERF_OK) {
        kerf_signing_key_free(key);
        return KERF_ERR_STATE;
    }
    return KERF_OK;
}

kerf_err kerf_signing_key_generate(struct kerf_signing_key *key, int32_t alg, struct kerf_why *why)
{
    EVP_PKEY *pkey = alg == KERF_ALG_ES256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    *key = (struct kerf_signing_key){0};
    if (pkey == NULL || adopt(key, pkey) != KERF_OK) {
        kerf_why_set(why, "OpenSSL can't make a key: check its installation");
        return KERF_ERR_STATE;
    }
    return KERF_OK;
}

/* No passphrase is asked for: a command that runs in a script must not wait at a terminal. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

kerf_err kerf_signing_key_load(struct kerf_signing_key *key, const char *path, struct kerf_why *why)
{
    struct stat st;
    uint8_t *pem;
    size_t len;

    *key = (struct kerf_signing_key){0};
    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0) {
        kerf_why_set(why, "the private key '%s' can be read by others: chmod 600 it, and replace it if they might have",
                     path);
        return KERF_ERR_ARGUMENT;
    }
    kerf_err err = kerf_file_read(path, KEY_FILE_MAX_LEN, &pem, &len, why);
    if (err != KERF_OK) {
        return err;
    }
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    OPENSSL_cleanse(pem, len);
    free(pem);
    if (alg_of(pkey) == 0) {
        EVP_PKEY_free(pkey);
        kerf_why_set(
            why,
            "'%s' is not an Ed25519 or P-256 private key in PEM without passphrase: make one with kerf-repo keygen",
            path);
        return KERF_ERR_FORMAT;
    }
    err = adopt(key, pkey);
    if (err != KERF_OK) {
        kerf_why_set(why, "OpenSSL can't use the key '%s': check its installation", path);
    }
    return err;
}

kerf_err kerf_signing_key_save(const struct kerf_signing_key *key, const char *path, struct kerf_why *why)
{
    struct stat st;
    char *pem = NULL;
    kerf_err err = KERF_ERR_STATE;

    if (lstat(path, &st) == 0 || errno != ENOENT) {
        kerf_why_set(why, "'%s' exists and is not replaced: a lost key can't be made again; choose another folder",
                     path);
        return KERF_ERR_ARGUMENT;
    }
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when it is freed */
    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        long len = BIO_get_mem_data(bio, &pem);

        err = kerf_file_write(path, 0600, (const uint8_t *)pem, (size_t)len, why);
    } else {
        kerf_why_set(why, "OpenSSL can't write a key: check its installation");
    }
    BIO_free(bio);
    return err;
}

void kerf_signing_key_free(struct kerf_signing_key *key)
{
    EVP_PKEY_free(key->pkey);
    *key = (struct kerf_signing_key){0};
}

/* r and s, 32 bytes each, out of OpenSSL's DER. */
static bool raw_signature(const unsigned char *der, size_t len, uint8_t out[SIGNATURE_LEN])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, SIGNATURE_LEN / 2) == SIGNATURE_LEN / 2 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + SIGNATURE_LEN / 2, SIGNATURE_LEN / 2) == SIGNATURE_LEN / 2;

    ECDSA_SIG_free(pair);
    return ok;
}

/* One signature over `message`. */
static kerf_err sign(const struct kerf_signing_key *key, const uint8_t *message, size_t len, uint8_t out[SIGNATURE_LEN])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool es256 = key->alg == KERF_ALG_ES256;
    unsigned char made[DER_MAX_LEN];
    size_t made_len = sizeof made;
    bool ok = md != NULL && EVP_DigestSignInit(md, NULL, es256 ? EVP_sha256() : NULL, NULL, key->pkey) == 1 &&
              EVP_DigestSign(md, made, &made_len, message, len) == 1;

    EVP_MD_CTX_free(md);
    if (ok && es256) {
        ok = raw_signature(made, made_len, out);
    } else if (ok) {
        ok = made_len == SIGNATURE_LEN;
        memcpy(out, made, SIGNATURE_LEN);
    }
    return ok ? KERF_OK : KERF_ERR_STATE;
}

/* Copies a list of keys in ascending order of their ids. */
static void sort_keys(const struct kerf_signing_key *const *keys, size_t count, const struct kerf_signing_key **sorted)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;

        for (; at > 0 && memcmp(sorted[at - 1]->id.b, keys[i]->id.b, KERF_KEY_ID_LEN) > 0; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = keys[i];
    }
}

/* The signatures of `count` keys, sorted, then the envelope, into buf[0..cap). */
static kerf_err make_document(enum kerf_doc_type type, struct kerf_span payload,
                              const struct kerf_signing_key *const *keys, size_t count, uint8_t *buf, size_t cap,
                              size_t *len)
{
    const struct kerf_signing_key *sorted[KERF_SIGNATURES_MAX];
    struct kerf_signature signatures[KERF_SIGNATURES_MAX];
    uint8_t bytes[KERF_SIGNATURES_MAX][SIGNATURE_LEN];

    if (count == 0 || count > KERF_SIGNATURES_MAX || payload.len > KERF_METADATA_MAX_LEN) {
        return KERF_ERR_ARGUMENT;
    }
    sort_keys(keys, count, sorted);
    for (size_t i = 0; i < count; i++) {
        size_t message_len;
        kerf_err err = kerf_envelope_to_sign(type, payload, &sorted[i]->id, sorted[i]->alg, buf, cap, &message_len);

        if (err == KERF_OK) {
            err = sign(sorted[i], buf, message_len, bytes[i]);
        }
        if (err != KERF_OK) {
            return err;
        }
        signatures[i] = (struct kerf_signature){sorted[i]->id, sorted[i]->alg, {bytes[i], SIGNATURE_LEN}};
    }
    return kerf_envelope_write(type, payload, signatures, count, buf, cap, len);
}

kerf_err kerf_sign_document(enum kerf_doc_type type, const uint8_t *payload, size_t payload_len,
                            const struct kerf_signing_key *const *keys, size_t count, uint8_t **doc, size_t *doc_len,
                            struct kerf_why *why)
{
    /* Room for the message to be signed, or the envelope with all its signatures, whichever is longer. */
    size_t cap = KERF_METADATA_SCRATCH(KERF_METADATA_MAX_LEN) + KERF_SIGNATURES_MAX * (SIGNATURE_LEN + 32u);
    uint8_t *buf = malloc(cap);

    if (buf == NULL) {
        kerf_why_set(why, "out of memory: free some memory");
        return KERF_ERR_RAM;
    }
    kerf_err err = make_document(type, (struct kerf_span){payload, payload_len}, keys, count, buf, cap, doc_len);
    if (err != KERF_OK) {
        free(buf);
        kerf_why_set(why, err == KERF_ERR_STATE ? "OpenSSL can't sign: check its installation"
                                                : "the document can't be signed: over 64 KiB, or a bad list of keys");
        return err;
    }
    *doc = buf;
    return KERF_OK;
}

kerf_err kerf_sign_fresh(const struct kerf_fresh *fresh, const struct kerf_signing_key *key, uint8_t **doc,
                         size_t *doc_len, struct kerf_why *why)
{
    uint8_t payload[256]; /* at most 4 * 10 + 67 + 36 + 36 bytes */
    size_t payload_len;
    kerf_err err = kerf_fresh_write(fresh, payload, sizeof payload, &payload_len);

    if (err != KERF_OK) {
        kerf_why_set(why, "the fresh document has a value out of range: check product, seq, expiry and nonce");
        return err;
    }
    return kerf_sign_document(KERF_DOC_FRESH, payload, payload_len, &key, 1, doc, doc_len, why);
}
