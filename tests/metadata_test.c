/* SPDX-License-Identifier: Apache-2.0 */
/* The signed documents with real keys: what is accepted, and everything that must not be. */
#include "common/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/host/hash.h"
#include "common/host/verify.h"
#include "server-tools/sign.h"

#define KEYS 5
#define NOW 1700000000u
#define TEXT(s)                                                                                                        \
    (struct kerf_span)                                                                                                 \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }

/* Keys 0, 1, 2: root (2 of 3); 3: release; 3 and 4: fresh (1 of 2). 1 and 4 are ES256, the others Ed25519. */
static struct kerf_signing_key keys[KEYS];
static struct kerf_verifier verifier;
static uint8_t *scratch;
static uint8_t root_doc[4096];
static size_t root_len;
static struct kerf_root root;

/* A signed document. */
struct doc {
    uint8_t *p;
    size_t len;
};

static struct doc sign_with(enum kerf_doc_type type, const uint8_t *payload, size_t len, unsigned key_mask)
{
    const struct kerf_signing_key *list[KEYS];
    struct doc doc;
    size_t count = 0;

    for (unsigned i = 0; i < KEYS; i++) {
        if ((key_mask >> i & 1u) != 0) {
            list[count++] = &keys[i];
        }
    }
    assert_int_equal(kerf_sign_document(type, payload, len, list, count, &doc.p, &doc.len, NULL), KERF_OK);
    return doc;
}

static int by_id(const void *a, const void *b)
{
    const struct kerf_public_key *x = a;
    const struct kerf_public_key *y = b;

    return memcmp(x->id.b, y->id.b, KERF_KEY_ID_LEN);
}

static uint32_t mask_of(const struct kerf_root *r, unsigned key_mask)
{
    uint32_t mask = 0;

    for (unsigned k = 0; k < KEYS; k++) {
        for (uint32_t i = 0; i < r->key_count; i++) {
            if ((key_mask >> k & 1u) != 0 && memcmp(r->keys[i].id.b, keys[k].id.b, KERF_KEY_ID_LEN) == 0) {
                mask |= 1u << i;
            }
        }
    }
    return mask;
}

static void make_root(struct kerf_root *r, uint64_t version)
{
    *r = (struct kerf_root){.product = TEXT("T1"), .version = version, .expires = NOW + 1000, .key_count = KEYS};
    for (unsigned i = 0; i < KEYS; i++) {
        r->keys[i] = (struct kerf_public_key){keys[i].id, keys[i].alg, {keys[i].public_key, keys[i].public_key_len}};
    }
    qsort(r->keys, KEYS, sizeof r->keys[0], by_id);
    r->roles[KERF_DOC_ROOT] = (struct kerf_role){2, mask_of(r, 7)};
    r->roles[KERF_DOC_RELEASE] = (struct kerf_role){1, mask_of(r, 8)};
    r->roles[KERF_DOC_FRESH] = (struct kerf_role){1, mask_of(r, 24)};
}

static struct doc sign_root(const struct kerf_root *r, unsigned key_mask)
{
    uint8_t payload[4096];
    size_t len;

    assert_int_equal(kerf_root_write(r, payload, sizeof payload, &len), KERF_OK);
    return sign_with(KERF_DOC_ROOT, payload, len, key_mask);
}

static int set_up(void **state)
{
    struct kerf_root r;

    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        assert_int_equal(kerf_signing_key_generate(&keys[i], i == 1 || i == 4 ? KERF_ALG_ES256 : KERF_ALG_EDDSA, NULL),
                         KERF_OK);
    }
    assert_int_equal(kerf_verifier_openssl(&verifier, &scratch), KERF_OK);
    make_root(&r, 1);
    struct doc doc = sign_root(&r, 7);
    assert_true(doc.len <= sizeof root_doc);
    memcpy(root_doc, doc.p, doc.len);
    root_len = doc.len;
    free(doc.p);
    assert_int_equal(kerf_root_open(root_doc, root_len, &verifier, &root), KERF_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        kerf_signing_key_free(&keys[i]);
    }
    free(scratch);
    return 0;
}

/* Two components, three payloads, two hardware ids. */
static size_t release_payload(uint8_t *buf, size_t cap, uint64_t seq, uint64_t sc)
{
    struct kerf_release release = {.product = TEXT("T1"),
                                   .seq = seq,
                                   .expires = NOW + 500,
                                   .issued = NOW,
                                   .sc = sc,
                                   .version = TEXT("2026.09 \xc3\xa4")};
    const struct kerf_span hardware[] = {TEXT("A"), TEXT("B")};
    struct kerf_payload full = {.digest = {{1}},
                                .size = 5000,
                                .chunk0 = {{2}},
                                .format = TEXT("kerf/0"),
                                .workspace = 8192,
                                .codec = 1,
                                .isas = 2};
    struct kerf_payload both[] = {
        full,
        {.digest = {{3}},
         .size = 70,
         .chunk0 = {{4}},
         .format = TEXT("kerf/0"),
         .workspace = 8192,
         .codec = 1,
         .isas = 2,
         .is_delta = true,
         .from_digest = {{5}},
         .from_size = 9000,
         .from_version = TEXT("1.0"),
         .in_place = true,
         .sector_log2 = 12,
         .scratch = 4,
         .group = 2},
    };
    const struct kerf_component_list components[] = {
        {{.name = TEXT("main"), .version = TEXT("1.1"), .size = 10000, .digest = {{6}}, .order = 1}, both, 2},
        {{.name = TEXT("pack"), .version = TEXT("7"), .size = 1, .digest = {{7}}, .min_from_seq = 3}, &full, 1},
    };
    size_t len;

    assert_int_equal(kerf_release_write(&release, hardware, 2, components, 2, buf, cap, &len), KERF_OK);
    return len;
}

static struct doc sign_release(uint64_t seq, uint64_t sc, unsigned key_mask)
{
    uint8_t payload[4096];
    size_t len = release_payload(payload, sizeof payload, seq, sc);

    return sign_with(KERF_DOC_RELEASE, payload, len, key_mask);
}

static size_t fresh_payload(uint8_t *buf, size_t cap, uint64_t seq, const struct kerf_sha256_digest *digest,
                            struct kerf_span nonce)
{
    const struct kerf_fresh fresh = {.product = TEXT("T1"),
                                     .seq = seq,
                                     .expires = NOW + 100,
                                     .issued = NOW,
                                     .release_digest = *digest,
                                     .nonce = nonce};
    size_t len;

    assert_int_equal(kerf_fresh_write(&fresh, buf, cap, &len), KERF_OK);
    return len;
}

static void a_good_release_opens_and_says_what_was_written(void **state)
{
    struct doc doc = sign_release(41, 7, 8);
    struct kerf_release release;
    struct kerf_component component;
    struct kerf_payload payload;
    size_t cursor = 0;
    size_t at = 0;

    (void)state;
    assert_int_equal(kerf_release_open(doc.p, doc.len, &root, &verifier, &release), KERF_OK);
    assert_int_equal(release.seq, 41);
    assert_int_equal(release.sc, 7);
    assert_true(kerf_span_equal(release.version, TEXT("2026.09 \xc3\xa4")));
    assert_true(kerf_release_has_hardware(&release, TEXT("A")));
    assert_true(kerf_release_has_hardware(&release, TEXT("B")));
    assert_false(kerf_release_has_hardware(&release, TEXT("C")));
    assert_int_equal(kerf_release_next_component(&release, &cursor, &component), KERF_OK);
    assert_true(kerf_span_equal(component.name, TEXT("main")));
    assert_int_equal(component.digest.b[0], 6);
    assert_int_equal(component.order, 1);
    assert_int_equal(kerf_component_next_payload(&component, &at, &payload), KERF_OK);
    assert_false(payload.is_delta);
    assert_int_equal(payload.chunk0.b[0], 2);
    assert_int_equal(kerf_component_next_payload(&component, &at, &payload), KERF_OK);
    assert_true(payload.is_delta && payload.in_place);
    assert_int_equal(payload.from_size, 9000);
    assert_int_equal(payload.group, 2);
    assert_int_equal(kerf_component_next_payload(&component, &at, &payload), KERF_END);
    assert_int_equal(kerf_release_next_component(&release, &cursor, &component), KERF_OK);
    assert_int_equal(component.min_from_seq, 3);
    assert_int_equal(kerf_release_next_component(&release, &cursor, &component), KERF_END);
    cursor = 1;
    assert_int_equal(kerf_release_next_component(&release, &cursor, &component), KERF_ERR_ARGUMENT);
    free(doc.p);
}

/* Opens a document of the type under `root` and forgets what it says. */
static kerf_err open_any(enum kerf_doc_type type, const uint8_t *p, size_t len)
{
    struct kerf_root r;
    struct kerf_release release;
    struct kerf_fresh fresh;

    switch (type) {
    case KERF_DOC_ROOT:
        return kerf_root_open(p, len, &verifier, &r);
    case KERF_DOC_RELEASE:
        return kerf_release_open(p, len, &root, &verifier, &release);
    case KERF_DOC_FRESH:
        break;
    }
    return kerf_fresh_open(p, len, &root, &verifier, &fresh);
}

static struct doc sample(enum kerf_doc_type type)
{
    uint8_t payload[512];
    struct kerf_sha256_digest digest = {{9}};

    if (type == KERF_DOC_ROOT) {
        return sign_root(&root, 3); /* no more than the threshold: a signature that can't be assigned is ignored */
    }
    if (type == KERF_DOC_RELEASE) {
        return sign_release(1, 0, 8);
    }
    size_t len = fresh_payload(payload, sizeof payload, 1, &digest, TEXT("nonce"));
    return sign_with(KERF_DOC_FRESH, payload, len, 16);
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < KERF_DOC_TYPES; type++) {
        struct doc doc = sample((enum kerf_doc_type)type);

        assert_int_equal(open_any((enum kerf_doc_type)type, doc.p, doc.len), KERF_OK);
        for (size_t i = 0; i < doc.len; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                doc.p[i] ^= (uint8_t)(1u << bit);
                assert_true(open_any((enum kerf_doc_type)type, doc.p, doc.len) < 0);
                doc.p[i] ^= (uint8_t)(1u << bit);
            }
        }
        free(doc.p);
    }
}

static void every_truncation_and_extension_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < KERF_DOC_TYPES; type++) {
        struct doc doc = sample((enum kerf_doc_type)type);
        uint8_t *longer = calloc(1, doc.len + 1);

        for (size_t len = 0; len < doc.len; len++) {
            assert_int_equal(open_any((enum kerf_doc_type)type, doc.p, len), KERF_ERR_TRUNCATED);
        }
        assert_non_null(longer);
        memcpy(longer, doc.p, doc.len);
        assert_int_equal(open_any((enum kerf_doc_type)type, longer, doc.len + 1), KERF_ERR_TRAILING);
        free(longer);
        free(doc.p);
    }
}

static void a_document_passes_for_no_other_type(void **state)
{
    (void)state;
    for (unsigned type = 0; type < KERF_DOC_TYPES; type++) {
        struct doc doc = sample((enum kerf_doc_type)type);

        for (unsigned other = 0; other < KERF_DOC_TYPES; other++) {
            assert_int_equal(open_any((enum kerf_doc_type)other, doc.p, doc.len) == KERF_OK, other == type);
        }
        free(doc.p);
    }
}

static void only_keys_of_the_role_count(void **state)
{
    static const struct {
        unsigned key_mask;
        kerf_err err;
    } cases[] = {
        {8, KERF_OK},  {16, KERF_ERR_SIGNATURE}, {7, KERF_ERR_SIGNATURE}, {9, KERF_OK},
        {31, KERF_OK}, {23, KERF_ERR_SIGNATURE},
    };
    struct kerf_release release;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct doc doc = sign_release(1, 0, cases[i].key_mask);

        assert_int_equal(kerf_release_open(doc.p, doc.len, &root, &verifier, &release), cases[i].err);
        free(doc.p);
    }
}

static void a_root_needs_its_threshold(void **state)
{
    struct kerf_root r;
    struct kerf_root opened;

    (void)state;
    make_root(&r, 1);
    for (unsigned mask = 1; mask < 8; mask++) {
        struct doc doc = sign_root(&r, mask);
        bool enough = (mask & (mask - 1)) != 0; /* two keys or more */

        assert_int_equal(kerf_root_open(doc.p, doc.len, &verifier, &opened), enough ? KERF_OK : KERF_ERR_SIGNATURE);
        free(doc.p);
    }
}

static void the_next_root_carries_the_thresholds_of_both(void **state)
{
    struct kerf_root next;
    struct kerf_root opened;
    struct doc doc;

    (void)state;
    make_root(&next, 2);
    next.roles[KERF_DOC_ROOT] = (struct kerf_role){2, mask_of(&next, 2 | 4 | 8 | 16)}; /* key 0 goes, 3 and 4 come */
    doc = sign_root(&next, 2 | 4);                                                     /* both old and new */
    assert_int_equal(kerf_root_open_next(doc.p, doc.len, &root, &verifier, &opened), KERF_OK);
    assert_int_equal(opened.version, 2);
    free(doc.p);
    doc = sign_root(&next, 8 | 16); /* new alone */
    assert_int_equal(kerf_root_open_next(doc.p, doc.len, &root, &verifier, &opened), KERF_ERR_SIGNATURE);
    assert_int_equal(opened.key_count, 0);
    free(doc.p);
    doc = sign_root(&next, 1 | 2); /* old, but one of new only */
    assert_int_equal(kerf_root_open_next(doc.p, doc.len, &root, &verifier, &opened), KERF_ERR_SIGNATURE);
    free(doc.p);
    doc = sign_root(&next, 31);
    assert_int_equal(kerf_root_open_next(doc.p, doc.len, &root, &verifier, &opened), KERF_OK);
    free(doc.p);
}

static void roots_are_taken_one_by_one_and_for_one_product(void **state)
{
    struct kerf_root r;
    struct kerf_root opened;

    (void)state;
    for (uint64_t version = 1; version <= 3; version++) {
        make_root(&r, version);
        struct doc doc = sign_root(&r, 7);

        assert_int_equal(kerf_root_open_next(doc.p, doc.len, &root, &verifier, &opened),
                         version == 2 ? KERF_OK : KERF_ERR_ROLLBACK);
        free(doc.p);
    }
    make_root(&r, 2);
    r.product = TEXT("T2");
    struct doc doc = sign_root(&r, 7);
    assert_int_equal(kerf_root_open_next(doc.p, doc.len, &root, &verifier, &opened), KERF_ERR_MISMATCH);
    free(doc.p);
}

static void a_root_that_contradicts_itself_is_not_written(void **state)
{
    uint8_t buf[4096];
    struct kerf_root r;
    size_t len;

    (void)state;
    make_root(&r, 1);
    r.roles[KERF_DOC_FRESH].threshold = 3; /* of two keys */
    assert_int_equal(kerf_root_write(&r, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);
    r.roles[KERF_DOC_FRESH].threshold = 0;
    assert_int_equal(kerf_root_write(&r, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);
    make_root(&r, 0);
    assert_int_equal(kerf_root_write(&r, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);
    make_root(&r, 1);
    r.keys[1].key = r.keys[0].key; /* one key under two ids */
    assert_int_equal(kerf_root_write(&r, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);
    make_root(&r, 1);
    r.keys[1].id = r.keys[0].id;
    assert_int_equal(kerf_root_write(&r, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);
    make_root(&r, 1);
    r.keys[2].alg = -99;
    assert_int_equal(kerf_root_write(&r, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);
    make_root(&r, 1);
    r.roles[0].key_mask |= 1u << KEYS; /* a key that isn't there */
    assert_int_equal(kerf_root_write(&r, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);
}

/* Signs a fresh map whose first byte (the number of pairs) is changed and to which `suffix` is added. */
static kerf_err open_extended(uint8_t pairs, const uint8_t *suffix, size_t suffix_len, struct kerf_fresh *fresh)
{
    uint8_t payload[512];
    struct kerf_sha256_digest digest = {{9}};
    size_t len = fresh_payload(payload, sizeof payload - suffix_len, 1, &digest, TEXT("n"));

    payload[0] = (uint8_t)(0xa0 + pairs);
    if (suffix_len > 0) {
        memcpy(payload + len, suffix, suffix_len);
    }
    struct doc doc = sign_with(KERF_DOC_FRESH, payload, len + suffix_len, 8);
    kerf_err err = kerf_fresh_open(doc.p, doc.len, &root, &verifier, fresh);
    free(doc.p);
    return err;
}

static void unknown_critical_keys_are_refused_and_extensions_skipped(void **state)
{
    static const uint8_t critical[] = {0x07, 0x00};
    static const uint8_t text[] = {0x61, 'x', 0x00};
    static const uint8_t extension[] = {0x20, 0x82, 0xa1, 0x01, 0x02, 0x41, 0x00, 0x39, 0x01, 0x00, 0x00};
    struct kerf_fresh fresh;

    (void)state;
    assert_int_equal(open_extended(7, NULL, 0, &fresh), KERF_OK);
    assert_int_equal(open_extended(8, critical, sizeof critical, &fresh), KERF_ERR_FORMAT);
    assert_int_equal(open_extended(8, text, sizeof text, &fresh), KERF_ERR_FORMAT);
    assert_int_equal(open_extended(9, extension, sizeof extension, &fresh), KERF_OK);
    assert_int_equal(fresh.seq, 1);
}

static void a_later_version_is_told_from_a_damaged_document(void **state)
{
    static const uint8_t later[] = {0xa1, 0x00, 0x01};
    static const uint8_t none[] = {0xa1, 0x01, 0x62, 'T', '1'};
    struct kerf_fresh fresh;
    struct kerf_release release;
    struct kerf_root r;

    (void)state;
    assert_int_equal(kerf_fresh_parse(later, sizeof later, &fresh), KERF_ERR_VERSION);
    assert_int_equal(kerf_release_parse(later, sizeof later, &release), KERF_ERR_VERSION);
    assert_int_equal(kerf_root_parse(later, sizeof later, &r), KERF_ERR_VERSION);
    assert_int_equal(kerf_fresh_parse(none, sizeof none, &fresh), KERF_ERR_FORMAT);
}

/* An envelope as the writer would not make it: `signer` as the protected header of its one signature. */
static kerf_err open_with_signer(const uint8_t *signer, size_t signer_len, bool unprotected)
{
    static const uint8_t body[] = "\xa1\x03\x78\x1f"
                                  "application/vnd.kerf.fresh+cbor";
    uint8_t payload[256];
    uint8_t doc[1024];
    uint8_t sig[64] = {0};
    struct kerf_sha256_digest digest = {{9}};
    size_t payload_len = fresh_payload(payload, sizeof payload, 1, &digest, TEXT("n"));
    struct kerf_cbor_writer w;
    struct kerf_fresh fresh;
    size_t len;

    kerf_cbor_writer_init(&w, doc, sizeof doc);
    kerf_cbor_put_tag(&w, 98);
    kerf_cbor_put_array(&w, 4);
    kerf_cbor_put_bytes(&w, body, sizeof body - 1);
    kerf_cbor_put_map(&w, 0);
    kerf_cbor_put_bytes(&w, payload, payload_len);
    kerf_cbor_put_array(&w, 1);
    kerf_cbor_put_array(&w, 3);
    kerf_cbor_put_bytes(&w, signer, signer_len);
    kerf_cbor_put_map(&w, unprotected ? 1 : 0);
    if (unprotected) {
        kerf_cbor_put_uint(&w, 4);
        kerf_cbor_put_uint(&w, 0);
    }
    kerf_cbor_put_bytes(&w, sig, sizeof sig);
    assert_int_equal(kerf_cbor_writer_end(&w, &len), KERF_OK);
    return kerf_fresh_open(doc, len, &root, &verifier, &fresh);
}

static void header_parameters_that_are_not_known_are_refused(void **state)
{
    uint8_t plain[] = {0xa2, 0x01, 0x27, 0x04, 0x48, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t crit[] = {0xa3, 0x01, 0x27, 0x02, 0x81, 0x18, 0x63, 0x04, 0x48, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t extra[] = {0xa3, 0x01, 0x27, 0x04, 0x48, 0, 0, 0, 0, 0, 0, 0, 0, 0x05, 0x00};
    uint8_t no_kid[] = {0xa1, 0x01, 0x27};

    (void)state;
    memcpy(plain + 5, keys[3].id.b, 8);
    memcpy(crit + 9, keys[3].id.b, 8);
    memcpy(extra + 5, keys[3].id.b, 8);
    assert_int_equal(open_with_signer(plain, sizeof plain, false), KERF_ERR_SIGNATURE); /* well formed */
    assert_int_equal(open_with_signer(plain, sizeof plain, true), KERF_ERR_FORMAT);
    assert_int_equal(open_with_signer(crit, sizeof crit, false), KERF_ERR_FORMAT);
    assert_int_equal(open_with_signer(extra, sizeof extra, false), KERF_ERR_FORMAT);
    assert_int_equal(open_with_signer(no_kid, sizeof no_kid, false), KERF_ERR_FORMAT);
    plain[2] = 0x26; /* the right key, another algorithm */
    assert_int_equal(open_with_signer(plain, sizeof plain, false), KERF_ERR_SIGNATURE);
}

/* Counts calls; says VALID to all, or something that is neither. */
struct liar {
    unsigned calls;
    uint32_t answer;
};

static uint32_t lie(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                    size_t message_len, const uint8_t *sig, size_t sig_len)
{
    struct liar *liar = ctx;

    (void)alg;
    (void)key;
    (void)message;
    (void)message_len;
    (void)sig;
    assert_int_equal(key_len, 32);
    assert_int_equal(sig_len, 64);
    liar->calls++;
    return liar->answer;
}

static void only_the_one_word_counts_as_valid(void **state)
{
    static const uint32_t words[] = {0, 1, UINT32_MAX, KERF_SIGNATURE_INVALID, KERF_SIGNATURE_VALID ^ 1u};
    struct doc doc = sign_release(1, 0, 8);
    struct liar liar = {0, KERF_SIGNATURE_VALID};
    struct kerf_verifier v = {lie, &liar, scratch, KERF_METADATA_SCRATCH(doc.len)};
    struct kerf_release release;

    (void)state;
    assert_int_equal(kerf_release_open(doc.p, doc.len, &root, &v, &release), KERF_OK);
    assert_int_equal(liar.calls, 1);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        liar.answer = words[i];
        assert_int_equal(kerf_release_open(doc.p, doc.len, &root, &v, &release), KERF_ERR_SIGNATURE);
        assert_int_equal(release.component_count, 0);
    }
    v.scratch_cap = 100;
    assert_int_equal(kerf_release_open(doc.p, doc.len, &root, &v, &release), KERF_ERR_RAM);
    struct kerf_root zero = {0};
    liar.answer = KERF_SIGNATURE_VALID;
    assert_int_equal(kerf_release_open(doc.p, doc.len, &zero, &v, &release), KERF_ERR_SIGNATURE);
    free(doc.p);
}

static struct kerf_trust_self self_of(uint64_t seq, uint64_t sc, uint64_t now)
{
    return (struct kerf_trust_self){TEXT("T1"), TEXT("A"), {seq, sc}, now, {NULL, 0}};
}

/* RFC 6979, A.2.5: P-256, SHA-256, message "sample". */
static const char es256_key[] = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char es256_sig[] = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                                "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

static void from_hex(const char *hex, uint8_t *out)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

static bool es256_verifies(const uint8_t *key, const char *message, const uint8_t *sig)
{
    return kerf_verify_openssl(NULL, KERF_ALG_ES256, key, 65, (const uint8_t *)message, strlen(message), sig, 64) ==
           KERF_SIGNATURE_VALID;
}

static void es256_is_verified_as_the_standards_say(void **state)
{
    uint8_t key[65];
    uint8_t sig[64];
    uint8_t bad[64];

    (void)state;
    from_hex(es256_key, key);
    from_hex(es256_sig, sig);
    assert_true(es256_verifies(key, "sample", sig));
    assert_false(es256_verifies(key, "samplf", sig));
    for (size_t i = 0; i < sizeof sig; i++) {
        sig[i] ^= 1;
        assert_false(es256_verifies(key, "sample", sig));
        sig[i] ^= 1;
    }
    /* r or s of 0, or both: what some verifiers took for anything's signature. */
    for (unsigned zero = 1; zero < 4; zero++) {
        memcpy(bad, sig, sizeof bad);
        memset(bad, (zero & 1u) != 0 ? 0 : bad[0], 32 * (zero & 1u));
        memset(bad + 32, 0, (zero & 2u) != 0 ? 32 : 0);
        assert_false(es256_verifies(key, "sample", bad));
    }
    /* A key that is no point of the curve, and one in the compressed form. */
    key[64] ^= 1;
    assert_false(es256_verifies(key, "sample", sig));
    key[64] ^= 1;
    key[0] = 3;
    assert_false(es256_verifies(key, "sample", sig));
}

static void a_release_is_checked_for_device_rollback_and_expiry(void **state)
{
    struct doc doc = sign_release(41, 7, 8);
    struct kerf_release release;
    struct kerf_trust_self self = self_of(41, 7, NOW);

    (void)state;
    assert_int_equal(kerf_release_open(doc.p, doc.len, &root, &verifier, &release), KERF_OK);
    assert_int_equal(kerf_release_check(&release, &self), KERF_OK);
    self = self_of(42, 7, NOW);
    assert_int_equal(kerf_release_check(&release, &self), KERF_ERR_ROLLBACK);
    self = self_of(41, 8, NOW);
    assert_int_equal(kerf_release_check(&release, &self), KERF_ERR_ROLLBACK);
    self = self_of(0, 0, NOW + 499);
    assert_int_equal(kerf_release_check(&release, &self), KERF_OK);
    self = self_of(0, 0, NOW + 500);
    assert_int_equal(kerf_release_check(&release, &self), KERF_ERR_EXPIRED);
    self = self_of(0, 0, 0); /* no clock */
    assert_int_equal(kerf_release_check(&release, &self), KERF_OK);
    self.hardware = TEXT("C");
    assert_int_equal(kerf_release_check(&release, &self), KERF_ERR_MISMATCH);
    self.hardware = (struct kerf_span){NULL, 0};
    assert_int_equal(kerf_release_check(&release, &self), KERF_ERR_MISMATCH);
    self = self_of(0, 0, NOW);
    self.product = TEXT("T2");
    assert_int_equal(kerf_release_check(&release, &self), KERF_ERR_MISMATCH);
    free(doc.p);
}

static kerf_err check_fresh(struct kerf_span echoed, struct kerf_span sent, uint64_t seq, uint64_t now)
{
    uint8_t payload[256];
    struct kerf_sha256_digest digest = {{9}};
    struct kerf_fresh fresh;
    struct kerf_trust_self self = self_of(seq, 0, now);
    size_t len = fresh_payload(payload, sizeof payload, 41, &digest, echoed);

    self.nonce = sent;
    assert_int_equal(kerf_fresh_parse(payload, len, &fresh), KERF_OK);
    return kerf_fresh_check(&fresh, &self);
}

static void fresh_is_checked_by_clock_or_by_nonce(void **state)
{
    const struct kerf_span none = {NULL, 0};

    (void)state;
    assert_int_equal(check_fresh(none, none, 41, NOW), KERF_OK);
    assert_int_equal(check_fresh(none, none, 42, NOW), KERF_ERR_ROLLBACK);
    assert_int_equal(check_fresh(none, none, 41, NOW + 99), KERF_OK);
    assert_int_equal(check_fresh(none, none, 41, NOW + 100), KERF_ERR_EXPIRED);
    assert_int_equal(check_fresh(none, TEXT("x"), 41, NOW), KERF_OK); /* a static one, with a clock */
    assert_int_equal(check_fresh(none, TEXT("x"), 41, 0), KERF_ERR_EXPIRED);
    assert_int_equal(check_fresh(none, none, 41, 0), KERF_ERR_EXPIRED);
    assert_int_equal(check_fresh(TEXT("x"), TEXT("x"), 41, 0), KERF_OK);
    assert_int_equal(check_fresh(TEXT("y"), TEXT("x"), 41, 0), KERF_ERR_MISMATCH);
    assert_int_equal(check_fresh(TEXT("y"), TEXT("x"), 41, NOW), KERF_ERR_MISMATCH);
    assert_int_equal(check_fresh(TEXT("x"), none, 41, NOW), KERF_ERR_MISMATCH);
}

static void fresh_names_exactly_one_release(void **state)
{
    struct doc doc = sign_release(41, 7, 8);
    struct kerf_release release;
    struct kerf_sha256_digest digest;
    struct kerf_fresh fresh = {.product = TEXT("T1"), .seq = 41};

    (void)state;
    assert_int_equal(kerf_release_open(doc.p, doc.len, &root, &verifier, &release), KERF_OK);
    assert_int_equal(kerf_hash_bytes(doc.p, doc.len, &digest), KERF_OK);
    fresh.release_digest = digest;
    assert_int_equal(kerf_fresh_names(&fresh, &release, &digest), KERF_OK);
    fresh.seq = 42;
    assert_int_equal(kerf_fresh_names(&fresh, &release, &digest), KERF_ERR_MISMATCH);
    fresh.seq = 41;
    fresh.product = TEXT("T2");
    assert_int_equal(kerf_fresh_names(&fresh, &release, &digest), KERF_ERR_MISMATCH);
    fresh.product = TEXT("T1");
    fresh.release_digest.b[31] ^= 1;
    assert_int_equal(kerf_fresh_names(&fresh, &release, &digest), KERF_ERR_MISMATCH);
    free(doc.p);
}

static void names_that_could_leave_a_folder_are_refused(void **state)
{
    uint8_t longest[KERF_NAME_MAX_LEN + 1];

    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_true(kerf_name_valid(TEXT("T1-x_y.9")));
    assert_true(kerf_name_valid((struct kerf_span){longest, KERF_NAME_MAX_LEN}));
    assert_false(kerf_name_valid((struct kerf_span){longest, KERF_NAME_MAX_LEN + 1}));
    assert_false(kerf_name_valid(TEXT("")));
    assert_false(kerf_name_valid(TEXT(".")));
    assert_false(kerf_name_valid(TEXT("..")));
    assert_false(kerf_name_valid(TEXT("a/b")));
    assert_false(kerf_name_valid(TEXT("a b")));
    assert_false(kerf_name_valid(TEXT("a\n")));
    assert_true(kerf_version_name_valid(TEXT("1.0 (beta)")));
    assert_false(kerf_version_name_valid(TEXT("1\x1b[2J")));
    assert_false(kerf_version_name_valid(TEXT("1\xc2\x9b")));
    assert_false(kerf_version_name_valid(TEXT("1\x7f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_release_opens_and_says_what_was_written),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(a_document_passes_for_no_other_type),
        cmocka_unit_test(only_keys_of_the_role_count),
        cmocka_unit_test(a_root_needs_its_threshold),
        cmocka_unit_test(the_next_root_carries_the_thresholds_of_both),
        cmocka_unit_test(roots_are_taken_one_by_one_and_for_one_product),
        cmocka_unit_test(a_root_that_contradicts_itself_is_not_written),
        cmocka_unit_test(unknown_critical_keys_are_refused_and_extensions_skipped),
        cmocka_unit_test(a_later_version_is_told_from_a_damaged_document),
        cmocka_unit_test(header_parameters_that_are_not_known_are_refused),
        cmocka_unit_test(only_the_one_word_counts_as_valid),
        cmocka_unit_test(es256_is_verified_as_the_standards_say),
        cmocka_unit_test(a_release_is_checked_for_device_rollback_and_expiry),
        cmocka_unit_test(fresh_is_checked_by_clock_or_by_nonce),
        cmocka_unit_test(fresh_names_exactly_one_release),
        cmocka_unit_test(names_that_could_leave_a_folder_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
