/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - does a repository hold what its documents say? Reads every byte of every payload and image it is asked
 * about.
 */
#ifndef KERF_SERVER_TOOLS_AUDIT_H
#define KERF_SERVER_TOOLS_AUDIT_H

#include "common/container.h"
#include "server-tools/repository.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What was verified. */
struct kerf_audit {
    size_t products, releases, payloads, images; /* counts; a file counts once per mention */
    size_t unused;                               /* files in p and i that no published or staged release mentions */
    uint64_t bytes;                              /* of payloads and images read */
};

/*
 * Everything that a release says of one payload, read from the container itself, but for from_digest and from_version,
 * which a container doesn't have in full. `format` points to static text. `header` is filled too. KERF_ERR_FORMAT and
 * its siblings: not a container. KERF_ERR_RAM.
 */
KERF_MUST_USE kerf_err kerf_audit_payload(const uint8_t *data, size_t len, struct kerf_payload *payload,
                                          struct kerf_header *header);

/*
 * Reads what a release mentions: each component has a full payload and its image; each payload is there, whole, and its
 * header agrees with the release. Adds to *audit. KERF_ERR_MISMATCH or the error of reading; `why` names the file.
 */
KERF_MUST_USE kerf_err kerf_audit_release(const struct kerf_repository *repo, const struct kerf_release *release,
                                          struct kerf_audit *audit, struct kerf_why *why);

/*
 * Reads everything: signatures and chain of every product's documents, every release published or staged as above. The
 * first fault ends it.
 */
KERF_MUST_USE kerf_err kerf_audit_repository(const struct kerf_repository *repo, struct kerf_audit *audit,
                                             struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
