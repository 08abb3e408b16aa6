/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - what the server answers on which path: checks, reports, payloads, metadata (docs/PROTOCOL.md). Between
 * http.h, which knows nothing of updates, and resolver, snapshot and fleet, which know nothing of HTTP.
 */
#ifndef KERF_SERVER_TOOLS_SERVICE_H
#define KERF_SERVER_TOOLS_SERVICE_H

#include "server-tools/http.h"
#include "server-tools/log.h"
#include "server-tools/resolver.h"
#include "server-tools/sign.h"
#include "server-tools/snapshot.h"
#include "server-tools/fleet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Since the start. */
struct kerf_service_counts {
    uint64_t checks, updates, holds; /* checks, and those answered with update and hold */
    uint64_t reports;                /* stored */
    uint64_t drifts;                 /* checks in which a component had drifted */
    uint64_t refused;                /* answers from 400 up */
};

struct kerf_service {
    struct kerf_repository repo;
    struct kerf_snapshot *snapshot; /* swapped whole by kerf_service_reload(); never NULL while serving */
    struct kerf_snapshot_stamp stamp;
    struct kerf_fleet *fleet;
    struct kerf_policy policy;
    const char *url_base; /* prefix of payload URLs, without a slash at its end; "": this server */
    const struct kerf_signing_key
        *fresh_key;         /* signs a fresh document per answer, nonce included; NULL: the published one */
    uint64_t fresh_seconds; /* for which such a document is valid */
    struct kerf_log log;
    const struct kerf_http *http; /* for the state of the server */
    struct kerf_service_counts counts;
};

/* A kerf_http_handler; ctx is the struct kerf_service. */
void kerf_service_handle(void *ctx, struct kerf_http_request *request);

/*
 * Loads the repository anew and swaps the snapshot. On an error the old one stays, and the log gets a line; without an
 * old one the caller has to say it.
 */
KERF_MUST_USE kerf_err kerf_service_reload(struct kerf_service *service, struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
