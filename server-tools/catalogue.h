/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue.h - everything that is published of one product, read from a repository, verified, held in memory,
 * immutable.
 *
 * This is what a server answers from; no database. Load a new one when public/metadata/current has changed, swap, free
 * the old one. Any number of threads may read one catalogue.
 */
#ifndef KERF_SERVER_TOOLS_CATALOGUE_H
#define KERF_SERVER_TOOLS_CATALOGUE_H

#include "server-tools/repository.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A file as it is, signatures included: what a device is sent. */
struct kerf_document {
    uint8_t *data; /* malloc'ed */
    size_t len;
    struct kerf_sha256_digest digest; /* SHA-256 of it */
};

struct kerf_catalogue_release {
    struct kerf_document document;
    struct kerf_release release; /* points into document */
};

struct kerf_catalogue {
    char product[KERF_NAME_MAX_LEN + 1];
    size_t root_count;           /* 1 or more */
    struct kerf_document *roots; /* roots[i] is version i + 1 */
    struct kerf_root root;       /* the newest */
    size_t release_count;        /* 1 or more; ascending by seq; the last is the current one */
    struct kerf_catalogue_release *releases;
    struct kerf_document fresh_document;
    struct kerf_fresh fresh;
};

/*
 * Loads a product. *found says whether anything is published of it; false is no error and leaves the catalogue empty.
 * The root chain is checked from version 1, which is taken as trusted. The current release and `fresh` must be signed
 * under the newest root, earlier releases under any root of the chain. Expiry isn't looked at. Releases later than the
 * current one (left by an interrupted publish) are not loaded. Errors of kerf_*_open(), KERF_ERR_MISMATCH (fresh
 * doesn't name the release), KERF_ERR_FLASH, KERF_ERR_RAM; then the catalogue is empty.
 */
KERF_MUST_USE kerf_err kerf_catalogue_load(struct kerf_catalogue *catalogue, const struct kerf_repository *repo,
                                           const char *product, bool *found, struct kerf_why *why);

/* Loads and checks the root chain alone: for a product of which nothing is published yet. None: root_count 0. */
KERF_MUST_USE kerf_err kerf_catalogue_load_roots(struct kerf_catalogue *catalogue, const struct kerf_repository *repo,
                                                 const char *product, struct kerf_why *why);

/* Releases it; safe on {0} and twice. */
void kerf_catalogue_free(struct kerf_catalogue *catalogue);

/* The current release; the catalogue must not be empty. */
const struct kerf_catalogue_release *kerf_catalogue_current(const struct kerf_catalogue *catalogue);

#ifdef __cplusplus
}
#endif

#endif
