/* SPDX-License-Identifier: Apache-2.0 */
/* What a device checks of opened documents: pure functions. */
#include "common/metadata.h"

#include <string.h>

/* --- Checks of documents. --- */

kerf_err kerf_expiry_check(uint64_t expires, uint64_t now)
{
    return now != 0 && expires != 0 && expires <= now ? KERF_ERR_EXPIRED : KERF_OK;
}

kerf_err kerf_release_check(const struct kerf_release *release, const struct kerf_trust_self *self)
{
    if (!kerf_span_equal(release->product, self->product) || !kerf_release_has_hardware(release, self->hardware)) {
        return KERF_ERR_MISMATCH;
    }
    if (release->seq < self->have.seq || release->sc < self->have.sc) {
        return KERF_ERR_ROLLBACK;
    }
    return kerf_expiry_check(release->expires, self->now);
}

kerf_err kerf_fresh_check(const struct kerf_fresh *fresh, const struct kerf_trust_self *self)
{
    bool echoed = self->nonce.len > 0 && kerf_span_equal(fresh->nonce, self->nonce);

    if (!kerf_span_equal(fresh->product, self->product)) {
        return KERF_ERR_MISMATCH;
    }
    if (fresh->nonce.len > 0 && !echoed) { /* made for another request */
        return KERF_ERR_MISMATCH;
    }
    if (fresh->seq < self->have.seq) {
        return KERF_ERR_ROLLBACK;
    }
    if (self->now == 0) {
        return echoed ? KERF_OK : KERF_ERR_EXPIRED;
    }
    return kerf_expiry_check(fresh->expires, self->now);
}

kerf_err kerf_fresh_names(const struct kerf_fresh *fresh, const struct kerf_release *release,
                          const struct kerf_sha256_digest *doc_digest)
{
    bool same = fresh->seq == release->seq && kerf_span_equal(fresh->product, release->product) &&
                memcmp(fresh->release_digest.b, doc_digest->b, KERF_SHA256_LEN) == 0;

    return same ? KERF_OK : KERF_ERR_MISMATCH;
}
