/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a name valid, and what a device checks of opened documents: pure functions. */
#include "common/metadata.h"

#include <string.h>

bool kerf_span_equal(struct kerf_span a, struct kerf_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool kerf_name_valid(struct kerf_span name)
{
    if (name.len == 0 || name.len > KERF_NAME_MAX_LEN || name.p[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

bool kerf_version_name_valid(struct kerf_span name)
{
    if (name.len == 0 || name.len > KERF_NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        bool c1 = name.p[i] == 0xC2 && i + 1 < name.len && name.p[i + 1] < 0xA0; /* U+0080 .. U+009F in UTF-8 */

        if (name.p[i] < 0x20 || name.p[i] == 0x7F || c1) {
            return false;
        }
    }
    return true;
}

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
