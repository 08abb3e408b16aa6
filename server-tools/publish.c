/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and publishing what is staged: the second half of release.h. */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/release.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "common/host/file.h"
#include "common/host/hash.h"
#include "server-tools/audit.h"
#include "server-tools/catalogue.h"

/* One product being published. */
struct publishing {
    const struct kerf_repository *repo;
    const struct kerf_publish_request *request;
    struct kerf_publish_report *report;
    struct kerf_why *why;
    const char *product;
    struct kerf_catalogue catalogue; /* before */
    bool published;                  /* something was published before */
    uint64_t *staged;                /* seqs, those of the catalogue left out */
    size_t staged_count;
};

static const char *const role_names[KERF_DOC_TYPES] = {"root", "release", "fresh"};

const char *kerf_release_key_name(enum kerf_doc_type role)
{
    static const char *const names[KERF_DOC_TYPES] = {"root.pem", "release.pem", "fresh.pem"};

    return names[role];
}

void kerf_release_keys_free(struct kerf_release_keys *keys)
{
    for (size_t i = 0; i < KERF_DOC_TYPES; i++) {
        kerf_signing_key_free(&keys->by_role[i]);
    }
}

kerf_err kerf_release_keys_load(struct kerf_release_keys *keys, const char *dir, struct kerf_why *why)
{
    size_t found = 0;

    *keys = (struct kerf_release_keys){0};
    for (size_t i = 0; i < KERF_DOC_TYPES; i++) {
        char path[KERF_PATH_MAX];
        struct stat st;
        int n = snprintf(path, sizeof path, "%s/%s", dir, kerf_release_key_name((enum kerf_doc_type)i));

        if (n < 0 || (size_t)n >= sizeof path || (stat(path, &st) != 0 && errno == ENOENT)) {
            continue;
        }
        kerf_err err = kerf_signing_key_load(&keys->by_role[i], path, why);
        if (err != KERF_OK) {
            kerf_release_keys_free(keys);
            return err;
        }
        found++;
    }
    if (found == 0) {
        kerf_why_set(why, "there are no keys in '%s': make them with kerf-repo keygen", dir);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

/* The key that signs for a role; NULL, with the reason, where it isn't at hand. */
static const struct kerf_signing_key *key_for(const struct publishing *p, enum kerf_doc_type role)
{
    const struct kerf_signing_key *key = &p->request->keys->by_role[role];

    if (key->pkey == NULL) {
        kerf_why_set(
            p->why,
            "%s is missing, and a %s document of '%s' must be signed: add the key, or make one with kerf-repo keygen",
            kerf_release_key_name(role), role_names[role], p->product);
        return NULL;
    }
    return key;
}

/* Is this the key that the product's root names for the role, and is one enough? */
static kerf_err check_key(const struct publishing *p, const struct kerf_root *root, enum kerf_doc_type role)
{
    const struct kerf_signing_key *key = key_for(p, role);

    if (key == NULL) {
        return KERF_ERR_SIGNATURE;
    }
    for (uint32_t i = 0; i < root->key_count; i++) {
        if ((root->roles[role].key_mask >> i & 1u) != 0 && root->roles[role].threshold == 1 &&
            memcmp(root->keys[i].id.b, key->id.b, KERF_KEY_ID_LEN) == 0) {
            return KERF_OK;
        }
    }
    kerf_why_set(p->why,
                 "%s is not the key that the root of '%s' names, or not enough: use the keys the product was first "
                 "published with",
                 kerf_release_key_name(role), p->product);
    return KERF_ERR_SIGNATURE;
}

/* --- root --- */

/* Adds a role's key to a root, each key once, sorted by id. Indexes move, so that roles are set afterwards. */
static void add_root_key(struct kerf_root *root, const struct kerf_signing_key *key)
{
    uint32_t i = 0;

    while (i < root->key_count && memcmp(root->keys[i].id.b, key->id.b, KERF_KEY_ID_LEN) < 0) {
        i++;
    }
    if (i < root->key_count && memcmp(root->keys[i].id.b, key->id.b, KERF_KEY_ID_LEN) == 0) {
        return;
    }
    memmove(&root->keys[i + 1], &root->keys[i], (root->key_count - i) * sizeof root->keys[0]);
    root->keys[i] = (struct kerf_public_key){key->id, key->alg, {key->public_key, key->public_key_len}};
    root->key_count++; /* at most KERF_DOC_TYPES of them */
}

/* A root that names the three keys at hand, each role with threshold 1. */
static kerf_err first_root(const struct publishing *p, struct kerf_root *root)
{
    *root = (struct kerf_root){.version = 1};
    for (size_t role = 0; role < KERF_DOC_TYPES; role++) {
        const struct kerf_signing_key *key = key_for(p, (enum kerf_doc_type)role);

        if (key == NULL) {
            return KERF_ERR_SIGNATURE;
        }
        add_root_key(root, key);
    }
    for (size_t role = 0; role < KERF_DOC_TYPES; role++) {
        for (uint32_t i = 0; i < root->key_count; i++) {
            if (memcmp(root->keys[i].id.b, p->request->keys->by_role[role].id.b, KERF_KEY_ID_LEN) == 0) {
                root->roles[role] = (struct kerf_role){1, 1u << i};
            }
        }
    }
    return KERF_OK;
}

/* Signs and writes one document. `digest` may be NULL. */
static kerf_err write_document(struct publishing *p, enum kerf_doc_type type, uint64_t number, const uint8_t *payload,
                               size_t payload_len, struct kerf_sha256_digest *digest)
{
    const struct kerf_signing_key *key = key_for(p, type);
    char path[KERF_PATH_MAX];
    uint8_t *doc;
    size_t len;

    if (key == NULL) {
        return KERF_ERR_SIGNATURE;
    }
    kerf_err err = kerf_sign_document(type, payload, payload_len, &key, 1, &doc, &len, p->why);
    if (err != KERF_OK) {
        return err;
    }
    if (digest != NULL) {
        err = kerf_hash_bytes(doc, len, digest);
    }
    if (err == KERF_OK) {
        err = kerf_file_write(kerf_repository_document_path(p->repo, p->product, type, number, path), 0, doc, len,
                              p->why);
    }
    free(doc);
    return err;
}

/* The first root, or, where the newest has expired, its successor with the same keys. */
static kerf_err publish_root(struct publishing *p)
{
    bool first = p->catalogue.root_count == 0;
    struct kerf_root root = p->catalogue.root;
    uint8_t payload[4096]; /* KERF_ROOT_MAX_KEYS keys take 85 bytes each, the rest less than 300 */
    size_t len;
    kerf_err err = KERF_OK;

    if (!first && kerf_expiry_check(root.expires, p->request->now) == KERF_OK) {
        return KERF_OK;
    }
    if (first) {
        err = first_root(p, &root);
    } else {
        root.version++;
        err = check_key(p, &root, KERF_DOC_ROOT);
    }
    if (err != KERF_OK) {
        return err;
    }
    root.product = (struct kerf_span){(const uint8_t *)p->product, strlen(p->product)};
    root.expires = p->request->root_expires;
    err = kerf_root_write(&root, payload, sizeof payload, &len);
    if (err != KERF_OK) {
        kerf_why_set(p->why, "the root of '%s' can't be written: check the keys and the expiry", p->product);
        return err;
    }
    p->report->roots++;
    return write_document(p, KERF_DOC_ROOT, root.version, payload, len, NULL);
}

/* --- release, fresh --- */

/* Reads a staged release and checks it, payloads and all. *data is malloc'ed, owned by the caller. */
static kerf_err read_staged(struct publishing *p, uint64_t seq, uint8_t **data, size_t *len)
{
    char path[KERF_PATH_MAX];
    struct kerf_release release;
    struct kerf_audit audit = {0};
    struct kerf_span product = {(const uint8_t *)p->product, strlen(p->product)};
    kerf_err err = kerf_file_read(kerf_repository_staged_path(p->repo, p->product, seq, path), KERF_METADATA_MAX_LEN,
                                  data, len, p->why);

    if (err != KERF_OK) {
        return err;
    }
    err = kerf_release_parse(*data, *len, &release);
    if (err != KERF_OK || release.seq != seq || !kerf_span_equal(release.product, product)) {
        kerf_why_set(p->why, "'%s' is damaged: remove it and add the release again", path);
        err = KERF_ERR_MISMATCH;
    } else {
        err = kerf_audit_release(p->repo, &release, &audit, p->why);
    }
    if (err != KERF_OK) {
        free(*data);
        *data = NULL;
    }
    return err;
}

/* Writes the staged releases, each signed; none of them counts yet. *digest: of the last one. */
static kerf_err publish_releases(struct publishing *p, struct kerf_sha256_digest *digest)
{
    for (size_t i = 0; i < p->staged_count; i++) {
        uint8_t *data;
        size_t len;
        kerf_err err = read_staged(p, p->staged[i], &data, &len);

        if (err != KERF_OK) {
            return err;
        }
        err = write_document(p, KERF_DOC_RELEASE, p->staged[i], data, len, digest);
        free(data);
        if (err != KERF_OK) {
            return err;
        }
    }
    return KERF_OK;
}

static kerf_err publish_fresh(struct publishing *p, uint64_t seq, const struct kerf_sha256_digest *digest)
{
    struct kerf_fresh fresh = {
        .product = {(const uint8_t *)p->product, strlen(p->product)},
        .seq = seq,
        .expires = p->request->fresh_expires,
        .issued = p->request->now,
        .release_digest = *digest,
    };
    uint8_t payload[256];
    size_t len;
    kerf_err err = kerf_fresh_write(&fresh, payload, sizeof payload, &len);

    if (err != KERF_OK) {
        kerf_why_set(p->why, "the fresh document of '%s' can't be written: check its expiry", p->product);
        return err;
    }
    return write_document(p, KERF_DOC_FRESH, 0, payload, len, NULL);
}

/* Everything of one product that can be found wrong before its first document is written. */
static kerf_err prepare(struct publishing *p)
{
    char path[KERF_PATH_MAX];
    size_t kept = 0;
    kerf_err err = kerf_catalogue_load(&p->catalogue, p->repo, p->product, &p->published, p->why);

    if (err == KERF_OK && !p->published) { /* an interrupted publish may have left a root */
        err = kerf_catalogue_load_roots(&p->catalogue, p->repo, p->product, p->why);
    }
    if (err == KERF_OK) {
        err = kerf_repository_staged(p->repo, p->product, &p->staged, &p->staged_count, p->why);
    }
    if (err != KERF_OK) {
        return err;
    }
    for (size_t i = 0; err == KERF_OK && i < p->staged_count; i++) {
        if (p->published && p->staged[i] <= p->catalogue.fresh.seq) { /* an interrupted publish got as far as fresh */
            err = kerf_repository_unstage(p->repo, p->product, p->staged[i], p->why);
        } else {
            uint8_t *data;
            size_t len;

            p->staged[kept++] = p->staged[i];
            err = read_staged(p, p->staged[i], &data, &len);
            if (err == KERF_OK) {
                free(data);
            }
        }
    }
    p->staged_count = kept;
    if (err == KERF_OK && p->catalogue.root_count > 0) {
        err = check_key(p, &p->catalogue.root, KERF_DOC_FRESH);
        if (err == KERF_OK && kept > 0) {
            err = check_key(p, &p->catalogue.root, KERF_DOC_RELEASE);
        }
    }
    if (err == KERF_OK && kept > 0) {
        err = kerf_file_make_dirs(kerf_repository_product_path(p->repo, p->product, false, path), p->why);
    }
    return err;
}

static kerf_err publish_product(struct publishing *p)
{
    struct kerf_sha256_digest digest;
    uint64_t seq;
    kerf_err err = prepare(p);

    if (err != KERF_OK || (!p->published && p->staged_count == 0)) {
        return err;
    }
    err = publish_root(p);
    if (err == KERF_OK) {
        err = publish_releases(p, &digest);
    }
    if (err != KERF_OK) {
        return err;
    }
    if (p->staged_count > 0) {
        seq = p->staged[p->staged_count - 1];
    } else {
        seq = p->catalogue.fresh.seq;
        digest = p->catalogue.fresh.release_digest;
    }
    err = publish_fresh(p, seq, &digest); /* this is the moment */
    for (size_t i = 0; err == KERF_OK && i < p->staged_count; i++) {
        err = kerf_repository_unstage(p->repo, p->product, p->staged[i], p->why);
    }
    if (err == KERF_OK) {
        p->report->products++;
        p->report->releases += p->staged_count;
    }
    return err;
}

/* --- public/metadata/current: what is published, for people, and for servers that watch one file. --- */

static kerf_err describe_product(const struct kerf_repository *repo, const char *product, json_t *products,
                                 struct kerf_why *why)
{
    struct kerf_catalogue catalogue;
    bool found;
    kerf_err err = kerf_catalogue_load(&catalogue, repo, product, &found, why);

    if (err != KERF_OK || !found) {
        kerf_catalogue_free(&catalogue);
        return err;
    }
    struct kerf_span version = kerf_catalogue_current(&catalogue)->release.version;
    json_t *entry = json_pack("{s:I, s:I, s:s%, s:I}", "root", (json_int_t)catalogue.root.version, "seq",
                              (json_int_t)catalogue.fresh.seq, "version", (const char *)version.p, version.len,
                              "issued", (json_int_t)catalogue.fresh.issued);
    kerf_catalogue_free(&catalogue);
    if (json_object_set_new(products, product, entry) != 0) {
        kerf_why_set(why, "out of memory: free some memory");
        return KERF_ERR_RAM;
    }
    return KERF_OK;
}

static kerf_err write_current(const struct kerf_repository *repo, const struct kerf_name_list *names,
                              struct kerf_why *why)
{
    char path[KERF_PATH_MAX];
    json_t *products = json_object();
    json_t *current = json_pack("{s:i, s:O}", "kerf-repo", 0, "products", products);
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < names->count; i++) {
        err = describe_product(repo, names->names[i], products, why);
    }
    char *text = err == KERF_OK ? json_dumps(current, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(current);
    json_decref(products);
    if (err == KERF_OK && text == NULL) {
        kerf_why_set(why, "out of memory: free some memory");
        return KERF_ERR_RAM;
    }
    if (err == KERF_OK) {
        size_t len = strlen(text);

        text[len] = '\n'; /* in place of the NUL, which isn't written */
        err = kerf_file_write(kerf_repository_current_path(repo, path), 0, (const uint8_t *)text, len + 1, why);
    }
    free(text);
    return err;
}

kerf_err kerf_release_publish(const struct kerf_repository *repo, const struct kerf_publish_request *request,
                              struct kerf_publish_report *report, struct kerf_why *why)
{
    struct kerf_name_list names;

    *report = (struct kerf_publish_report){0};
    kerf_err err = kerf_repository_products(repo, true, &names, why);
    for (size_t i = 0; err == KERF_OK && i < names.count; i++) {
        struct publishing p = {
            .repo = repo, .request = request, .report = report, .why = why, .product = names.names[i]};

        err = publish_product(&p);
        free(p.staged);
        kerf_catalogue_free(&p.catalogue);
    }
    if (err == KERF_OK) {
        err = write_current(repo, &names, why);
    }
    kerf_name_list_free(&names);
    return err;
}
