/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - all that is published, as the server answers from it: immutable, in memory, swapped whole.
 */
#ifndef KERF_SERVER_TOOLS_SNAPSHOT_H
#define KERF_SERVER_TOOLS_SNAPSHOT_H

#include "server-tools/catalogue.h"
#include "server-tools/resolver.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_snapshot_product {
    struct kerf_catalogue catalogue;
    struct kerf_known_image *images; /* owned; their spans point into the catalogue */
    struct kerf_resolver_view view;  /* of the current release */
};

struct kerf_snapshot {
    size_t product_count; /* products of which something is published */
    struct kerf_snapshot_product *products;
};

/*
 * Loads every published product. *snapshot is malloc'ed, owned by the caller (kerf_snapshot_free), and never changes.
 * An empty repository is an empty snapshot. Errors of kerf_catalogue_load(): one product that can't be verified fails
 * the whole, so that a half-copied repository is noticed and never served.
 */
KERF_MUST_USE kerf_err kerf_snapshot_load(struct kerf_snapshot **snapshot, const struct kerf_repository *repo,
                                          struct kerf_why *why);
/* NULL is fine. */
void kerf_snapshot_free(struct kerf_snapshot *snapshot);

/* The product of this name; NULL when there is none. */
const struct kerf_snapshot_product *kerf_snapshot_find(const struct kerf_snapshot *snapshot, const char *product);

/* What is looked at to see that something was published: identity, size and time of public/metadata/current. */
struct kerf_snapshot_stamp {
    uint64_t dev, ino, size;
    int64_t mtime_s, mtime_ns;
};

/* Takes the stamp; all zero when the file isn't there. Take it before loading: a change in between is then seen later. */
void kerf_snapshot_stamp_take(struct kerf_snapshot_stamp *stamp, const struct kerf_repository *repo);
bool kerf_snapshot_stamp_equal(const struct kerf_snapshot_stamp *a, const struct kerf_snapshot_stamp *b);

#ifdef __cplusplus
}
#endif

#endif
