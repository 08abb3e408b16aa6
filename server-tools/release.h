/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release.h - plans a release: the full payload and the deltas from earlier releases, made and staged; then publishes
 * what is staged. The same repository, images, options, keys and times give the same bytes.
 */
#ifndef KERF_SERVER_TOOLS_RELEASE_H
#define KERF_SERVER_TOOLS_RELEASE_H

#include "diffgen/diffgen.h"
#include "server-tools/repository.h"
#include "server-tools/sign.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_RELEASE_DELTAS_DEFAULT 5
#define KERF_RELEASE_DELTAS_MAX 64
#define KERF_RELEASE_COMPONENT_DEFAULT "main"
#define KERF_RELEASE_DAYS_DEFAULT 365
#define KERF_FRESH_DAYS_DEFAULT 7
#define KERF_ROOT_DAYS_DEFAULT 3650
/* A delta is published only when 10 * its size < 7 * the full payload's. */
#define KERF_DELTA_WORTH_NUM 7u
#define KERF_DELTA_WORTH_DEN 10u

struct kerf_release_request {
    const char *product;   /* name */
    const char *version;   /* of the release and of the component */
    const char *component; /* name */
    const uint8_t *image;
    size_t image_len; /* bytes, 1 or more */
    uint64_t ram;     /* bytes of workspace on the device; 0: KERF_DIFF_RAM_DEFAULT */
    unsigned deltas;  /* from how many earlier releases, 0 .. KERF_RELEASE_DELTAS_MAX */
    bool sc_given;    /* false: the sc of the release before */
    uint64_t sc;
    const char *const *hardware; /* ids in any order; none: every hardware */
    size_t hardware_count;
    uint64_t now;                 /* seconds since 1970 */
    uint64_t expires;             /* seconds since 1970; 0: never */
    uint64_t order;               /* of the component */
    kerf_diff_progress *progress; /* NULL: none */
    void *progress_ctx;
};

/* One payload that was made, or a delta that wasn't worth it. */
struct kerf_release_payload {
    bool is_delta;
    bool published; /* false: dropped, not well below the full payload */
    char from_version[KERF_NAME_MAX_LEN + 1];
    struct kerf_sha256_digest digest;
    uint64_t size, workspace; /* bytes */
};

struct kerf_release_report {
    uint64_t seq;
    struct kerf_sha256_digest image_digest;
    uint64_t image_size;
    bool replaced;        /* another image of this component was staged for this version */
    size_t payload_count; /* the full one first */
    struct kerf_release_payload payloads[KERF_RELEASE_DELTAS_MAX + 1];
};

/*
 * Makes the payloads of one component and stages the release. A release of the same product and version that is staged
 * already gets this component added, or replaced. Nothing becomes visible before kerf_release_publish().
 * KERF_ERR_ARGUMENT: a bad name, an empty image, the version is published already, sc below the one before. Others: as
 * kerf_diff_create() and the repository.
 */
KERF_MUST_USE kerf_err kerf_release_add(const struct kerf_repository *repo, const struct kerf_release_request *request,
                                        struct kerf_release_report *report, struct kerf_why *why);

/* The keys that sign; each role has one. */
struct kerf_release_keys {
    struct kerf_signing_key by_role[KERF_DOC_TYPES]; /* by enum kerf_doc_type */
};

/* Names of the key files of a folder: "root.pem", "release.pem", "fresh.pem". */
const char *kerf_release_key_name(enum kerf_doc_type role);

/* Loads the three keys of a folder. */
KERF_MUST_USE kerf_err kerf_release_keys_load(struct kerf_release_keys *keys, const char *dir, struct kerf_why *why);
void kerf_release_keys_free(struct kerf_release_keys *keys);

struct kerf_publish_request {
    const struct kerf_release_keys *keys;
    uint64_t now;           /* seconds since 1970 */
    uint64_t fresh_expires; /* seconds since 1970 */
    uint64_t root_expires;  /* for a new root; 0: never */
};

struct kerf_publish_report {
    size_t products; /* whose fresh document was signed anew */
    size_t releases; /* newly published */
    size_t roots;    /* newly signed */
};

/*
 * Signs and publishes everything that is staged, and signs `fresh` anew for every product. Per product, in this order:
 * what is staged is checked (a component without a full payload, or with a missing or damaged payload, is refused);
 * root, where there is none yet or it has expired; release.<seq>; then `fresh` replaces its predecessor, which is the
 * moment it counts; then staged files are removed. KERF_ERR_SIGNATURE: the keys are not those of the product's root.
 * KERF_ERR_MISMATCH: a staged release without a full payload, or damaged.
 */
KERF_MUST_USE kerf_err kerf_release_publish(const struct kerf_repository *repo,
                                            const struct kerf_publish_request *request,
                                            struct kerf_publish_report *report, struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
