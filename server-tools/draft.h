/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draft.h - a release being put together: the lists behind kerf_release_write(), owned.
 */
#ifndef KERF_SERVER_TOOLS_DRAFT_H
#define KERF_SERVER_TOOLS_DRAFT_H

#include "common/host/why.h"
#include "common/metadata.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Spans point into whatever they were set from (a parsed document, a request), which must outlive the draft. */
struct kerf_draft {
    struct kerf_release release; /* counts and encoded spans are not looked at */
    struct kerf_span *hardware;  /* owned */
    size_t hardware_count;
    struct kerf_component_list *components; /* owned, and the payloads of each */
    size_t component_count;
};

/* Starts from a parsed release. KERF_ERR_RAM; the draft must be freed all the same. */
KERF_MUST_USE kerf_err kerf_draft_begin(struct kerf_draft *draft, const struct kerf_release *release,
                                        struct kerf_why *why);

/* Replaces the hardware ids; sorted, repeated ones dropped. */
KERF_MUST_USE kerf_err kerf_draft_hardware(struct kerf_draft *draft, const char *const *ids, size_t count,
                                           struct kerf_why *why);

/* Adds a component, or replaces that of the same name. The payloads are copied. */
KERF_MUST_USE kerf_err kerf_draft_component(struct kerf_draft *draft, const struct kerf_component *component,
                                            const struct kerf_payload *payloads, size_t count, struct kerf_why *why);

/*
 * Writes it. *data is malloc'ed, owned by the caller. KERF_ERR_ARGUMENT: a value out of range, or over 64 KiB.
 */
KERF_MUST_USE kerf_err kerf_draft_write(const struct kerf_draft *draft, uint8_t **data, size_t *len,
                                        struct kerf_why *why);

/* Safe on {0} and twice. */
void kerf_draft_free(struct kerf_draft *draft);

#ifdef __cplusplus
}
#endif

#endif
