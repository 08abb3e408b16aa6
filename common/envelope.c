/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Sign around a document (docs/METADATA.md, "Envelope"): reading, verifying, opening; writing for the tools. */
#include "common/metadata.h"

#include <string.h>

#define COSE_SIGN_TAG 98u
#define COSE_ALG 1
#define COSE_CONTENT_TYPE 3
#define COSE_KID 4

#define SIGNATURE_LEN 64u  /* of both algorithms */
#define BODY_MAX_LEN 48u   /* the encoded body header */
#define SIGNER_MAX_LEN 24u /* the encoded header of one signature */

struct envelope {
    struct kerf_span payload;
    uint32_t signature_count;
    struct kerf_span signatures; /* encoded items */
};

/* One of the signatures. */
struct signature {
    struct kerf_span header; /* protected, encoded */
    struct kerf_key_id id;
    int64_t alg;
    struct kerf_span bytes;
};

/* Encodes the one body header that a document of this type has. */
static size_t make_body(enum kerf_doc_type type, uint8_t buf[BODY_MAX_LEN])
{
    static const struct {
        const char *text;
        size_t len;
    } names[KERF_DOC_TYPES] = {
        {"application/vnd.kerf.root+cbor", 30},
        {"application/vnd.kerf.release+cbor", 33},
        {"application/vnd.kerf.fresh+cbor", 31},
    };
    struct kerf_cbor_writer w;

    kerf_cbor_writer_init(&w, buf, BODY_MAX_LEN);
    kerf_cbor_put_map(&w, 1);
    kerf_cbor_put_uint(&w, COSE_CONTENT_TYPE);
    kerf_cbor_put_text(&w, (const uint8_t *)names[type].text, names[type].len);
    return w.len; /* at most 37 bytes: it fits */
}

static size_t make_signer(const struct kerf_key_id *id, int64_t alg, uint8_t buf[SIGNER_MAX_LEN])
{
    struct kerf_cbor_writer w;

    kerf_cbor_writer_init(&w, buf, SIGNER_MAX_LEN);
    kerf_cbor_put_map(&w, 2);
    kerf_cbor_put_uint(&w, COSE_ALG);
    kerf_cbor_put_int(&w, alg);
    kerf_cbor_put_uint(&w, COSE_KID);
    kerf_cbor_put_bytes(&w, id->b, KERF_KEY_ID_LEN);
    return w.len; /* at most 21 bytes: it fits */
}

/* Writes what a signature is made over: COSE's Sig_structure. */
static kerf_err make_sig_structure(enum kerf_doc_type type, struct kerf_span signer, struct kerf_span payload,
                                   uint8_t *buf, size_t cap, size_t *len)
{
    static const char context[] = "Signature";
    uint8_t body[BODY_MAX_LEN];
    size_t body_len = make_body(type, body);
    struct kerf_cbor_writer w;

    kerf_cbor_writer_init(&w, buf, cap);
    kerf_cbor_put_array(&w, 5);
    kerf_cbor_put_text(&w, (const uint8_t *)context, sizeof context - 1);
    kerf_cbor_put_bytes(&w, body, body_len);
    kerf_cbor_put_bytes(&w, signer.p, signer.len);
    kerf_cbor_put_bytes(&w, NULL, 0);
    kerf_cbor_put_bytes(&w, payload.p, payload.len);
    return kerf_cbor_writer_end(&w, len);
}

/* --- Reading. --- */

/* An unprotected header: always there, always empty, since nothing vouches for it. */
static kerf_err read_empty_map(struct kerf_cbor_reader *r)
{
    uint32_t count;
    kerf_err err = kerf_cbor_read_map(r, &count);

    return err == KERF_OK && count != 0 ? KERF_ERR_FORMAT : err;
}

static kerf_err read_signer(struct kerf_span header, struct signature *sig)
{
    uint8_t expected[SIGNER_MAX_LEN];
    struct kerf_cbor_reader r;
    struct kerf_span id = {NULL, 0};
    uint32_t count;
    uint64_t key;

    kerf_cbor_reader_init(&r, header.p, header.len);
    if (kerf_cbor_read_map(&r, &count) != KERF_OK || kerf_cbor_read_uint(&r, &key) != KERF_OK ||
        kerf_cbor_read_int(&r, &sig->alg) != KERF_OK || kerf_cbor_read_uint(&r, &key) != KERF_OK ||
        kerf_cbor_read_bytes(&r, &id) != KERF_OK || id.len != KERF_KEY_ID_LEN) {
        return KERF_ERR_FORMAT;
    }
    memcpy(sig->id.b, id.p, KERF_KEY_ID_LEN);
    /* There is one encoding of it: whatever else is in there, crit included, makes a difference here. */
    size_t len = make_signer(&sig->id, sig->alg, expected);
    if (len != header.len || memcmp(expected, header.p, len) != 0) {
        return KERF_ERR_FORMAT;
    }
    return KERF_OK;
}

static kerf_err read_signature(struct kerf_cbor_reader *r, struct signature *sig)
{
    uint32_t count;
    kerf_err err = kerf_cbor_read_array(r, &count);

    if (err == KERF_OK && count != 3) {
        return KERF_ERR_FORMAT;
    }
    if (err == KERF_OK) {
        err = kerf_cbor_read_bytes(r, &sig->header);
    }
    if (err == KERF_OK) {
        err = read_signer(sig->header, sig);
    }
    if (err == KERF_OK) {
        err = read_empty_map(r);
    }
    if (err == KERF_OK) {
        err = kerf_cbor_read_bytes(r, &sig->bytes);
    }
    return err;
}

/* Reads all signatures once, so that what comes after can't fail on their form. */
static kerf_err read_signatures(struct kerf_cbor_reader *r, struct envelope *env)
{
    struct signature sig;
    struct kerf_key_id previous = {{0}};
    kerf_err err = kerf_cbor_read_array(r, &env->signature_count);
    size_t start = r->pos;

    if (err == KERF_OK && (env->signature_count == 0 || env->signature_count > KERF_SIGNATURES_MAX)) {
        return KERF_ERR_FORMAT;
    }
    for (uint32_t i = 0; err == KERF_OK && i < env->signature_count; i++) {
        err = read_signature(r, &sig);
        if (err == KERF_OK && i > 0 && memcmp(previous.b, sig.id.b, KERF_KEY_ID_LEN) >= 0) {
            return KERF_ERR_FORMAT;
        }
        previous = sig.id;
    }
    env->signatures = (struct kerf_span){r->buf + start, r->pos - start};
    return err;
}

static kerf_err read_envelope(const uint8_t *doc, size_t len, enum kerf_doc_type type, struct envelope *env)
{
    uint8_t body[BODY_MAX_LEN];
    struct kerf_span expected = {body, make_body(type, body)};
    struct kerf_span found;
    struct kerf_cbor_reader r;
    uint64_t tag;
    uint32_t count;

    if (len > KERF_METADATA_MAX_LEN) {
        return KERF_ERR_FORMAT;
    }
    kerf_cbor_reader_init(&r, doc, len);
    kerf_err err = kerf_cbor_read_tag(&r, &tag);
    if (err == KERF_OK && tag != COSE_SIGN_TAG) {
        return KERF_ERR_FORMAT;
    }
    if (err == KERF_OK) {
        err = kerf_cbor_read_array(&r, &count);
    }
    if (err == KERF_OK && count != 4) {
        return KERF_ERR_FORMAT;
    }
    if (err == KERF_OK) {
        err = kerf_cbor_read_bytes(&r, &found);
    }
    if (err == KERF_OK && !kerf_span_equal(found, expected)) {
        return KERF_ERR_FORMAT;
    }
    if (err == KERF_OK) {
        err = read_empty_map(&r);
    }
    if (err == KERF_OK) {
        err = kerf_cbor_read_bytes(&r, &env->payload);
    }
    if (err == KERF_OK) {
        err = read_signatures(&r, env);
    }
    return err == KERF_OK ? kerf_cbor_reader_end(&r) : err;
}

/* --- Verifying. --- */

/* The key of `root` with this id, if it is one of those in `mask`; NULL otherwise. */
static const struct kerf_public_key *find_key(const struct kerf_root *root, uint32_t mask, const struct kerf_key_id *id)
{
    for (uint32_t i = 0; i < root->key_count; i++) {
        if ((mask >> i & 1u) != 0 && memcmp(root->keys[i].id.b, id->b, KERF_KEY_ID_LEN) == 0) {
            return &root->keys[i];
        }
    }
    return NULL;
}

/* Checks the signatures against the threshold that `root` sets for `type`. Ids differ, so every key counts once. */
static kerf_err verify_threshold(const struct envelope *env, enum kerf_doc_type type, const struct kerf_root *root,
                                 const struct kerf_verifier *verifier)
{
    const struct kerf_role *role = &root->roles[type];
    uint32_t valid = 0;
    size_t pos = 0;

    for (uint32_t i = 0; i < env->signature_count; i++) {
        struct kerf_cbor_reader r;
        struct signature sig;
        size_t message_len;

        kerf_cbor_reader_init(&r, env->signatures.p + pos, env->signatures.len - pos);
        kerf_err err = read_signature(&r, &sig);
        if (err != KERF_OK) {
            return err;
        }
        pos += r.pos;
        const struct kerf_public_key *key = find_key(root, role->key_mask, &sig.id);
        if (key == NULL) {
            continue;
        }
        if (sig.alg != key->alg || sig.bytes.len != SIGNATURE_LEN) {
            return KERF_ERR_SIGNATURE;
        }
        if (make_sig_structure(type, sig.header, env->payload, verifier->scratch, verifier->scratch_cap,
                               &message_len) != KERF_OK) {
            return KERF_ERR_RAM;
        }
        if (verifier->verify(verifier->ctx, key->alg, key->key.p, key->key.len, verifier->scratch, message_len,
                             sig.bytes.p, sig.bytes.len) != KERF_SIGNATURE_VALID) {
            return KERF_ERR_SIGNATURE;
        }
        valid++;
    }
    /* threshold is 1 or more in every root that was parsed; a zeroed root must not pass. */
    return role->threshold > 0 && valid >= role->threshold ? KERF_OK : KERF_ERR_SIGNATURE;
}

kerf_err kerf_root_open(const uint8_t *doc, size_t len, const struct kerf_verifier *verifier, struct kerf_root *root)
{
    struct envelope env;
    kerf_err err = read_envelope(doc, len, KERF_DOC_ROOT, &env);

    if (err == KERF_OK) {
        err = kerf_root_parse(env.payload.p, env.payload.len, root);
    }
    if (err == KERF_OK) {
        err = verify_threshold(&env, KERF_DOC_ROOT, root, verifier);
    }
    if (err != KERF_OK) {
        memset(root, 0, sizeof *root); /* nothing of it may be used */
    }
    return err;
}

kerf_err kerf_root_open_next(const uint8_t *doc, size_t len, const struct kerf_root *trusted,
                             const struct kerf_verifier *verifier, struct kerf_root *next)
{
    struct envelope env;
    kerf_err err = read_envelope(doc, len, KERF_DOC_ROOT, &env);

    if (err == KERF_OK) {
        err = verify_threshold(&env, KERF_DOC_ROOT, trusted, verifier);
    }
    if (err == KERF_OK) {
        err = kerf_root_parse(env.payload.p, env.payload.len, next);
    }
    if (err == KERF_OK) {
        err = verify_threshold(&env, KERF_DOC_ROOT, next, verifier);
    }
    if (err == KERF_OK && !kerf_span_equal(next->product, trusted->product)) {
        err = KERF_ERR_MISMATCH;
    }
    if (err == KERF_OK && (trusted->version == UINT64_MAX || next->version != trusted->version + 1)) {
        err = KERF_ERR_ROLLBACK;
    }
    if (err != KERF_OK) {
        memset(next, 0, sizeof *next);
    }
    return err;
}

kerf_err kerf_release_open(const uint8_t *doc, size_t len, const struct kerf_root *root,
                           const struct kerf_verifier *verifier, struct kerf_release *release)
{
    struct envelope env;
    kerf_err err = read_envelope(doc, len, KERF_DOC_RELEASE, &env);

    if (err == KERF_OK) {
        err = verify_threshold(&env, KERF_DOC_RELEASE, root, verifier);
    }
    if (err == KERF_OK) {
        err = kerf_release_parse(env.payload.p, env.payload.len, release);
    }
    if (err == KERF_OK && !kerf_span_equal(release->product, root->product)) {
        err = KERF_ERR_MISMATCH;
    }
    if (err != KERF_OK) {
        memset(release, 0, sizeof *release);
    }
    return err;
}

kerf_err kerf_fresh_open(const uint8_t *doc, size_t len, const struct kerf_root *root,
                         const struct kerf_verifier *verifier, struct kerf_fresh *fresh)
{
    struct envelope env;
    kerf_err err = read_envelope(doc, len, KERF_DOC_FRESH, &env);

    if (err == KERF_OK) {
        err = verify_threshold(&env, KERF_DOC_FRESH, root, verifier);
    }
    if (err == KERF_OK) {
        err = kerf_fresh_parse(env.payload.p, env.payload.len, fresh);
    }
    if (err == KERF_OK && !kerf_span_equal(fresh->product, root->product)) {
        err = KERF_ERR_MISMATCH;
    }
    if (err != KERF_OK) {
        memset(fresh, 0, sizeof *fresh);
    }
    return err;
}

/* --- Writing. --- */

#if KERF_ENCODER
kerf_err kerf_envelope_to_sign(enum kerf_doc_type type, struct kerf_span payload, const struct kerf_key_id *id,
                               int32_t alg, uint8_t *buf, size_t cap, size_t *len)
{
    uint8_t signer[SIGNER_MAX_LEN];
    struct kerf_span header = {signer, make_signer(id, alg, signer)};

    return make_sig_structure(type, header, payload, buf, cap, len);
}

kerf_err kerf_envelope_write(enum kerf_doc_type type, struct kerf_span payload, const struct kerf_signature *signatures,
                             size_t count, uint8_t *buf, size_t cap, size_t *len)
{
    uint8_t body[BODY_MAX_LEN];
    size_t body_len = make_body(type, body);
    struct kerf_cbor_writer w;

    if (count == 0 || count > KERF_SIGNATURES_MAX) {
        return KERF_ERR_ARGUMENT;
    }
    kerf_cbor_writer_init(&w, buf, cap);
    kerf_cbor_put_tag(&w, COSE_SIGN_TAG);
    kerf_cbor_put_array(&w, 4);
    kerf_cbor_put_bytes(&w, body, body_len);
    kerf_cbor_put_map(&w, 0);
    kerf_cbor_put_bytes(&w, payload.p, payload.len);
    kerf_cbor_put_array(&w, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        uint8_t signer[SIGNER_MAX_LEN];
        size_t signer_len = make_signer(&signatures[i].id, signatures[i].alg, signer);

        if (i > 0 && memcmp(signatures[i - 1].id.b, signatures[i].id.b, KERF_KEY_ID_LEN) >= 0) {
            return KERF_ERR_ARGUMENT;
        }
        kerf_cbor_put_array(&w, 3);
        kerf_cbor_put_bytes(&w, signer, signer_len);
        kerf_cbor_put_map(&w, 0);
        kerf_cbor_put_bytes(&w, signatures[i].bytes.p, signatures[i].bytes.len);
    }
    kerf_err err = kerf_cbor_writer_end(&w, len);
    return err == KERF_OK && *len > KERF_METADATA_MAX_LEN ? KERF_ERR_ARGUMENT : err;
}
#endif
