/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_trust.h - which signed documents the agent believes: the device's root, and what a server's answer carries.
 * The order of checks is that of docs/METADATA.md, "What a device checks".
 */
#ifndef KERF_PATCHER_PORT_AGENT_TRUST_H
#define KERF_PATCHER_PORT_AGENT_TRUST_H

#include "common/host/protocol.h"
#include "common/host/why.h"
#include "common/metadata.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_agent_trust {
    struct kerf_root root;       /* the newest the device believes; points into root_doc */
    uint8_t *root_doc;           /* owned */
    bool fresh_known;            /* an answer was accepted: `fresh` is valid */
    struct kerf_fresh fresh;     /* points into the answer */
    bool release_known;          /* `release` is valid, and the one that `fresh` names */
    struct kerf_release release; /* points into the answer */
    struct kerf_verifier verifier;
    uint8_t *scratch; /* owned */
};

/*
 * Opens the device's root: the one kept at `kept_path` if there is one (a later version that was accepted), else the
 * one it was born with. Both are trusted for where they lie. KERF_ERR_MISMATCH: another product. Errors of
 * kerf_root_open() and kerf_file_read(). In any case kerf_agent_trust_close() afterwards.
 */
KERF_MUST_USE kerf_err kerf_agent_trust_open(struct kerf_agent_trust *trust, const char *born_path,
                                             const char *kept_path, const char *product, struct kerf_why *why);
void kerf_agent_trust_close(struct kerf_agent_trust *trust);

/*
 * Verifies everything signed in an answer: newer roots (kept at `kept_path`, each), fresh, release. A release may be
 * absent (release_known is then false), fresh may not. The answer must outlive `trust`. Errors of kerf_*_open() and
 * _check(), KERF_ERR_SIGNATURE where fresh is missing.
 */
KERF_MUST_USE kerf_err kerf_agent_trust_accept(struct kerf_agent_trust *trust, const struct kerf_check_answer *answer,
                                               const struct kerf_trust_self *self, const char *kept_path,
                                               struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
