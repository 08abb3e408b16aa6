/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repository.h - the folder that holds releases: where things are, and putting them there so that a crash at any
 * instant leaves the old state or the new one. Layout: docs/METADATA.md, "The repository". catalogue.h reads it as a
 * whole.
 *
 * Every file is written under a temporary name, synced and renamed (common/host/file.h). Files of DIR/i and
 * DIR/public/p are named by their content; of the others only `fresh` and `current` are ever replaced.
 * Errors: KERF_ERR_FLASH: the operating system refused, or it isn't a repository; KERF_ERR_RAM. `why` may be NULL.
 */
#ifndef KERF_SERVER_TOOLS_REPOSITORY_H
#define KERF_SERVER_TOOLS_REPOSITORY_H

#include "common/host/why.h"
#include "common/metadata.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_PATH_MAX 4096 /* bytes of a path, NUL included */

struct kerf_repository {
    char dir[KERF_PATH_MAX - 256]; /* as given; what lies in it always fits into KERF_PATH_MAX */
};

/* Content-addressed folders. */
enum kerf_store {
    KERF_STORE_PAYLOAD, /* DIR/public/p */
    KERF_STORE_IMAGE,   /* DIR/i */
};

/* Creates an empty repository in a folder that is missing or empty. KERF_ERR_ARGUMENT: it is neither. */
KERF_MUST_USE kerf_err kerf_repository_init(const char *dir, struct kerf_why *why);

/* KERF_ERR_FLASH: missing or not a repository. KERF_ERR_VERSION: of a later version. */
KERF_MUST_USE kerf_err kerf_repository_open(struct kerf_repository *repo, const char *dir, struct kerf_why *why);

/*
 * Keeps other writers out until kerf_repository_unlock(), and removes the temporary files of those that were
 * interrupted. Readers need no lock. KERF_ERR_FLASH: another one is at work. A
 * lock ends with its process, however that ends.
 */
KERF_MUST_USE kerf_err kerf_repository_lock(const struct kerf_repository *repo, int *fd, struct kerf_why *why);
void kerf_repository_unlock(int fd); /* -1: does nothing */

/*
 * Paths, written to path[KERF_PATH_MAX] and returned. `product` must be a valid name. The number is not looked at for
 * KERF_DOC_FRESH.
 */
const char *kerf_repository_object_path(const struct kerf_repository *repo, enum kerf_store store,
                                        const struct kerf_sha256_digest *digest, char *path);
const char *kerf_repository_document_path(const struct kerf_repository *repo, const char *product,
                                          enum kerf_doc_type type, uint64_t number, char *path);
const char *kerf_repository_staged_path(const struct kerf_repository *repo, const char *product, uint64_t seq,
                                        char *path);
const char *kerf_repository_current_path(const struct kerf_repository *repo, char *path);
const char *kerf_repository_product_path(const struct kerf_repository *repo, const char *product, bool staged,
                                         char *path);
const char *kerf_repository_keys_path(const struct kerf_repository *repo, char *path);

/* Puts bytes under their digest, which is returned. What is there already is read and, if damaged, replaced. */
KERF_MUST_USE kerf_err kerf_repository_put(const struct kerf_repository *repo, enum kerf_store store,
                                           const uint8_t *data, size_t len, struct kerf_sha256_digest *digest,
                                           struct kerf_why *why);

/*
 * Gets bytes by digest and checks them: KERF_ERR_MISMATCH when they are not those. *data is malloc'ed, owned by the
 * caller.
 */
KERF_MUST_USE kerf_err kerf_repository_get(const struct kerf_repository *repo, enum kerf_store store,
                                           const struct kerf_sha256_digest *digest, uint8_t **data, size_t *len,
                                           struct kerf_why *why);

/* A sorted list of names; names[i] and names are malloc'ed. */
struct kerf_name_list {
    char **names;
    size_t count;
};

/* Products that have a folder in public/metadata, published or not; with `staged`, in staged. */
KERF_MUST_USE kerf_err kerf_repository_products(const struct kerf_repository *repo, bool staged,
                                                struct kerf_name_list *products, struct kerf_why *why);
void kerf_name_list_free(struct kerf_name_list *list);

/* Numbers of the staged releases of a product, ascending; *seqs is malloc'ed, NULL for none. */
KERF_MUST_USE kerf_err kerf_repository_staged(const struct kerf_repository *repo, const char *product, uint64_t **seqs,
                                              size_t *count, struct kerf_why *why);

/* Numbers of the release documents of a product, published or left by an interrupted publish. The same way. */
KERF_MUST_USE kerf_err kerf_repository_releases(const struct kerf_repository *repo, const char *product,
                                                uint64_t **seqs, size_t *count, struct kerf_why *why);

/* Names in a folder, sorted, without those that begin with a dot; a missing folder is empty. */
KERF_MUST_USE kerf_err kerf_repository_list(const char *dir, struct kerf_name_list *list, struct kerf_why *why);

/* Removes a staged release; a missing one is fine. */
KERF_MUST_USE kerf_err kerf_repository_unstage(const struct kerf_repository *repo, const char *product, uint64_t seq,
                                               struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
