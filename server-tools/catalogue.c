/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/catalogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/host/verify.h"

/* What loading needs beside the catalogue. */
struct loading {
    struct kerf_catalogue *catalogue;
    const struct kerf_repository *repo;
    const char *product;
    struct kerf_verifier verifier;
    struct kerf_root *chain; /* chain[i] is version i + 1, opened */
    struct kerf_why *why;
};

static kerf_err no_memory(struct kerf_why *why)
{
    kerf_why_set(why, "out of memory: free some memory");
    return KERF_ERR_RAM;
}

/* Says what is wrong with a document. */
static kerf_err bad_document(kerf_err err, const char *path, struct kerf_why *why)
{
    switch (kerf_err_fault(err)) {
    case KERF_FAULT_TRUST:
        kerf_why_set(why, "'%s' can't be trusted (%s): restore the repository, or check which keys signed it", path,
                     kerf_cli_err_name(err));
        break;
    case KERF_FAULT_DELTA:
        kerf_why_set(why, "'%s' is damaged (%s): restore the repository", path, kerf_cli_err_name(err));
        break;
    case KERF_FAULT_NONE:
    case KERF_FAULT_DEVICE:
    case KERF_FAULT_CALLER:
        kerf_why_set(why, "'%s' can't be read (%s): check the repository", path, kerf_cli_err_name(err));
        break;
    }
    return err;
}

static bool missing(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 && errno == ENOENT;
}

static kerf_err read_document(const char *path, struct kerf_document *document, struct kerf_why *why)
{
    kerf_err err = kerf_file_read(path, KERF_METADATA_MAX_LEN, &document->data, &document->len, why);

    if (err == KERF_OK && kerf_hash_bytes(document->data, document->len, &document->digest) != KERF_OK) {
        free(document->data);
        document->data = NULL;
        return no_memory(why);
    }
    return err;
}

/* Makes room for one more element and clears it. */
static void *grow(void *array, size_t count, size_t size)
{
    char *grown = realloc(array, (count + 1) * size);

    if (grown != NULL) {
        memset(grown + count * size, 0, size);
    }
    return grown;
}

/* Reads root.<root_count + 1>; *more says whether it was there. */
static kerf_err load_root(struct loading *l, bool *more)
{
    struct kerf_catalogue *c = l->catalogue;
    size_t n = c->root_count;
    char path[KERF_PATH_MAX];

    (void)kerf_repository_document_path(l->repo, l->product, KERF_DOC_ROOT, n + 1, path);
    *more = !missing(path);
    if (!*more) {
        return KERF_OK;
    }
    struct kerf_document *roots = grow(c->roots, n, sizeof *roots);
    c->roots = roots != NULL ? roots : c->roots;
    struct kerf_root *chain = grow(l->chain, n, sizeof *chain);
    l->chain = chain != NULL ? chain : l->chain;
    if (roots == NULL || chain == NULL) {
        return no_memory(l->why);
    }
    kerf_err err = read_document(path, &roots[n], l->why);
    if (err != KERF_OK) {
        return err;
    }
    c->root_count++;
    if (n == 0) {
        err = kerf_root_open(roots[0].data, roots[0].len, &l->verifier, &chain[0]);
        if (err == KERF_OK && chain[0].version != 1) {
            err = KERF_ERR_ROLLBACK;
        }
    } else {
        err = kerf_root_open_next(roots[n].data, roots[n].len, &chain[n - 1], &l->verifier, &chain[n]);
    }
    return err == KERF_OK ? KERF_OK : bad_document(err, path, l->why);
}

static kerf_err load_roots(struct loading *l)
{
    struct kerf_span product = {(const uint8_t *)l->product, strlen(l->product)};
    bool more = true;

    while (more) {
        kerf_err err = load_root(l, &more);

        if (err != KERF_OK) {
            return err;
        }
    }
    if (l->catalogue->root_count == 0) {
        return KERF_OK;
    }
    l->catalogue->root = l->chain[l->catalogue->root_count - 1];
    if (!kerf_span_equal(l->catalogue->root.product, product)) {
        kerf_why_set(l->why, "the root of '%s' is that of another product: restore the repository", l->product);
        return KERF_ERR_MISMATCH;
    }
    return KERF_OK;
}

static kerf_err load_fresh(struct loading *l, bool *found)
{
    struct kerf_catalogue *c = l->catalogue;
    char path[KERF_PATH_MAX];

    *found = !missing(kerf_repository_document_path(l->repo, l->product, KERF_DOC_FRESH, 0, path));
    if (!*found) {
        return KERF_OK;
    }
    if (c->root_count == 0) {
        kerf_why_set(l->why, "'%s' has no root beside it: restore the repository", path);
        return KERF_ERR_SIGNATURE;
    }
    kerf_err err = read_document(path, &c->fresh_document, l->why);
    if (err != KERF_OK) {
        return err;
    }
    err = kerf_fresh_open(c->fresh_document.data, c->fresh_document.len, &c->root, &l->verifier, &c->fresh);
    return err == KERF_OK ? KERF_OK : bad_document(err, path, l->why);
}

static kerf_err load_release(struct loading *l, uint64_t seq)
{
    struct kerf_catalogue *c = l->catalogue;
    char path[KERF_PATH_MAX];
    kerf_err err;

    struct kerf_catalogue_release *releases = grow(c->releases, c->release_count, sizeof *releases);
    if (releases == NULL) {
        return no_memory(l->why);
    }
    c->releases = releases;
    struct kerf_catalogue_release *entry = &releases[c->release_count];
    (void)kerf_repository_document_path(l->repo, l->product, KERF_DOC_RELEASE, seq, path);
    err = read_document(path, &entry->document, l->why);
    if (err != KERF_OK) {
        return err;
    }
    c->release_count++;
    /* Newest root first; an earlier release may have been signed under an earlier one. */
    size_t oldest = seq == c->fresh.seq ? c->root_count - 1 : 0;
    for (size_t i = c->root_count; i > oldest; i--) {
        err = kerf_release_open(entry->document.data, entry->document.len, &l->chain[i - 1], &l->verifier,
                                &entry->release);
        if (err == KERF_OK) {
            break;
        }
    }
    if (err == KERF_OK && entry->release.seq != seq) {
        err = KERF_ERR_MISMATCH;
    }
    if (err == KERF_OK && seq == c->fresh.seq) {
        err = kerf_fresh_names(&c->fresh, &entry->release, &entry->document.digest);
    }
    return err == KERF_OK ? KERF_OK : bad_document(err, path, l->why);
}

static kerf_err load_releases(struct loading *l)
{
    uint64_t *seqs;
    size_t count;
    kerf_err err = kerf_repository_releases(l->repo, l->product, &seqs, &count, l->why);

    for (size_t i = 0; err == KERF_OK && i < count && seqs[i] <= l->catalogue->fresh.seq; i++) {
        err = load_release(l, seqs[i]);
    }
    free(seqs);
    if (err == KERF_OK && (l->catalogue->release_count == 0 ||
                           kerf_catalogue_current(l->catalogue)->release.seq != l->catalogue->fresh.seq)) {
        char path[KERF_PATH_MAX];

        kerf_why_set(
            l->why, "'%s' is missing, though it is the current release: restore the repository",
            kerf_repository_document_path(l->repo, l->product, KERF_DOC_RELEASE, l->catalogue->fresh.seq, path));
        return KERF_ERR_MISMATCH;
    }
    return err;
}

static kerf_err load(struct kerf_catalogue *catalogue, const struct kerf_repository *repo, const char *product,
                     bool roots_only, bool *found, struct kerf_why *why)
{
    struct loading l = {.catalogue = catalogue, .repo = repo, .product = product, .why = why};
    uint8_t *scratch = NULL;

    *catalogue = (struct kerf_catalogue){0};
    *found = false;
    if (!kerf_name_valid((struct kerf_span){(const uint8_t *)product, strlen(product)})) {
        kerf_why_set(why, "'%s' can't be the name of a product: use 1 to 64 of A-Z a-z 0-9 . _ -", product);
        return KERF_ERR_ARGUMENT;
    }
    memcpy(catalogue->product, product, strlen(product) + 1);
    if (kerf_verifier_openssl(&l.verifier, &scratch) != KERF_OK) {
        return no_memory(why);
    }
    kerf_err err = load_roots(&l);
    if (err == KERF_OK && !roots_only) {
        err = load_fresh(&l, found);
    }
    if (err == KERF_OK && *found) {
        err = load_releases(&l);
    }
    free(l.chain);
    free(scratch);
    if (err != KERF_OK || (!roots_only && !*found)) {
        kerf_catalogue_free(catalogue);
    }
    return err;
}

kerf_err kerf_catalogue_load(struct kerf_catalogue *catalogue, const struct kerf_repository *repo, const char *product,
                             bool *found, struct kerf_why *why)
{
    return load(catalogue, repo, product, false, found, why);
}

kerf_err kerf_catalogue_load_roots(struct kerf_catalogue *catalogue, const struct kerf_repository *repo,
                                   const char *product, struct kerf_why *why)
{
    bool found;

    return load(catalogue, repo, product, true, &found, why);
}

void kerf_catalogue_free(struct kerf_catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->root_count; i++) {
        free(catalogue->roots[i].data);
    }
    for (size_t i = 0; i < catalogue->release_count; i++) {
        free(catalogue->releases[i].document.data);
    }
    free(catalogue->roots);
    free(catalogue->releases);
    free(catalogue->fresh_document.data);
    *catalogue = (struct kerf_catalogue){0};
}

const struct kerf_catalogue_release *kerf_catalogue_current(const struct kerf_catalogue *catalogue)
{
    return &catalogue->releases[catalogue->release_count - 1];
}
