/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver.h - decides what a device should fetch: a pure function of what the device said, what is published, how
 * often which pair failed on this device, and policy. No clock, no database, no network, no memory of its own.
 *
 * The rules, in this order (docs/PROTOCOL.md has them for the device's side):
 * 1. The release must be for this hardware, no older than what the device has accepted, its security counter not below
 * the
 *    device's, and the device must have come as far as the release's minimum.
 * 2. The digest says what the device runs; the version doesn't. Digest known: deltas from exactly that digest. Digest
 * not
 *    known, version known: what runs there is damaged or altered (drift): full payloads only.
 * 3. A payload is offered if its format, features, workspace and target size fit; a delta besides if it is well below
 * the
 *    smallest full payload and this device hasn't failed this pair too often. Deltas first, then full payloads, each by
 *    size: a delta that fails falls back to a full payload without another question.
 * All components are served, or none: one that can't be makes the whole answer a hold.
 */
#ifndef KERF_SERVER_TOOLS_RESOLVER_H
#define KERF_SERVER_TOOLS_RESOLVER_H

#include "common/host/protocol.h"
#include "common/metadata.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An image that was published, or that a published delta starts from. */
struct kerf_known_image {
    struct kerf_span component; /* name */
    struct kerf_span version;
    struct kerf_sha256_digest digest;
};

/* What is published of the product that the device belongs to. */
struct kerf_resolver_view {
    const struct kerf_release *release;    /* the current one */
    const struct kerf_known_image *images; /* of all releases */
    size_t image_count;
};

/* How often this device failed to apply deltas of a pair (kerf_report_blames_payload()). */
struct kerf_pair_failures {
    struct kerf_sha256_digest from, to;
    uint32_t count;
};

struct kerf_policy {
    uint32_t delta_worth_num, delta_worth_den; /* a delta is offered when size * den < full * num */
    uint32_t pair_failures_max;                /* failures after which a pair isn't offered to a device again */
    uint32_t tries_delta, tries_full;          /* as in struct kerf_update, like the next three */
    uint32_t backoff_base, backoff_max;        /* seconds */
    bool full_on_metered;
    uint32_t poll_after; /* seconds */
    double poll_spread;  /* 0 .. 1 */
};

/* What PROTOCOL.md names as defaults. */
extern const struct kerf_policy kerf_policy_default;

/* What a device's word on one component was found to be. */
enum kerf_standing {
    KERF_STANDING_ABSENT,  /* it gave no digest */
    KERF_STANDING_KNOWN,   /* an image that is known, of the version it says (or it says none) */
    KERF_STANDING_RENAMED, /* an image that is known, of another version than it says */
    KERF_STANDING_DRIFT,   /* a version that is known, with a digest that isn't */
    KERF_STANDING_FOREIGN, /* neither version nor digest is known */
};

/* Beside the answer: for the log and the database. */
struct kerf_resolver_notes {
    enum kerf_standing standings[KERF_MAX_COMPONENTS]; /* by index of request->components */
};

/* True when a report of this code and mode says that a delta can't be applied on this device. */
bool kerf_report_blames_payload(enum kerf_mode mode, enum kerf_report_code code);

/*
 * Fills *answer but for txn, URLs (url_count is 0) and metadata, which are the server's; it owns no memory then. *notes
 * says what was found. Reentrant. Cannot fail: whatever doesn't fit is a hold with its reason. `request` is as
 * kerf_check_request_read() leaves it; work is proportional to the payloads of the release plus the known images.
 */
void kerf_resolve(const struct kerf_resolver_view *view, const struct kerf_check_request *request,
                  const struct kerf_pair_failures *failures, size_t failure_count, const struct kerf_policy *policy,
                  struct kerf_check_answer *answer, struct kerf_resolver_notes *notes);

#ifdef __cplusplus
}
#endif

#endif
