/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "patcher/port/agent_trust.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/host/verify.h"

/* kerf_cli_err_text() speaks of deltas where a document is meant. */
static const char *reason(kerf_err err)
{
    switch ((int)err) {
    case KERF_ERR_FORMAT:
    case KERF_ERR_TRUNCATED:
    case KERF_ERR_TRAILING:
        return "not a signed document of Kerf, or damaged: check that it is the right one";
    case KERF_ERR_VERSION:
        return "written in a version of the format that this program does not know: update kerf-agent";
    case KERF_ERR_RAM:
        return "too large for the memory there is: free some, or check that it is the right one";
    default:
        return kerf_cli_err_text(err);
    }
}

static kerf_err refuse(kerf_err err, const char *what, struct kerf_why *why)
{
    kerf_why_set(why, "%s is refused: %s", what, reason(err));
    return err;
}

kerf_err kerf_agent_trust_open(struct kerf_agent_trust *trust, const char *born_path, const char *kept_path,
                               const char *product, struct kerf_why *why)
{
    const char *path = access(kept_path, F_OK) == 0 ? kept_path : born_path;
    const struct kerf_span name = {(const uint8_t *)product, strlen(product)};
    size_t len = 0;
    kerf_err err;

    memset(trust, 0, sizeof *trust);
    err = kerf_verifier_openssl(&trust->verifier, &trust->scratch);
    if (err != KERF_OK) {
        return refuse(err, "the trusted root", why);
    }
    err = kerf_file_read(path, KERF_METADATA_MAX_LEN, &trust->root_doc, &len, why);
    if (err != KERF_OK) {
        return err;
    }
    err = kerf_root_open(trust->root_doc, len, &trust->verifier, &trust->root);
    if (err != KERF_OK) {
        kerf_why_set(why, "the trusted root '%s' is not usable: %s", path, reason(err));
        return err;
    }
    if (!kerf_span_equal(trust->root.product, name)) {
        kerf_why_set(why, "the trusted root '%s' is for product '%.*s', this device is a '%s': give the right root",
                     path, (int)trust->root.product.len, (const char *)trust->root.product.p, product);
        return KERF_ERR_MISMATCH;
    }
    return KERF_OK;
}

void kerf_agent_trust_close(struct kerf_agent_trust *trust)
{
    free(trust->root_doc);
    free(trust->scratch);
    memset(trust, 0, sizeof *trust);
}

/* Takes the next root: verifies it under the present one, keeps it, and only then stands on it. */
static kerf_err take_root(struct kerf_agent_trust *trust, const struct kerf_blob *blob, const char *kept_path,
                          struct kerf_why *why)
{
    struct kerf_root next;
    kerf_err err;
    uint8_t *copy = malloc(blob->len > 0 ? blob->len : 1);

    if (copy == NULL) {
        return refuse(KERF_ERR_RAM, "the server's newer root", why);
    }
    memcpy(copy, blob->data, blob->len);
    err = kerf_root_open_next(copy, blob->len, &trust->root, &trust->verifier, &next);
    if (err != KERF_OK) {
        free(copy);
        return refuse(err, "the server's newer root", why);
    }
    err = kerf_file_write(kept_path, 0644, copy, blob->len, why);
    if (err != KERF_OK) {
        free(copy);
        return err;
    }
    free(trust->root_doc);
    trust->root_doc = copy;
    trust->root = next;
    return KERF_OK;
}

static kerf_err take_release(struct kerf_agent_trust *trust, const struct kerf_blob *blob,
                             const struct kerf_trust_self *self, struct kerf_why *why)
{
    struct kerf_sha256_digest digest;
    kerf_err err = kerf_release_open(blob->data, blob->len, &trust->root, &trust->verifier, &trust->release);

    if (err == KERF_OK) {
        err = kerf_release_check(&trust->release, self);
    }
    if (err == KERF_OK) {
        err = kerf_hash_bytes(blob->data, blob->len, &digest);
    }
    if (err == KERF_OK) {
        err = kerf_fresh_names(&trust->fresh, &trust->release, &digest);
    }
    if (err != KERF_OK) {
        return refuse(err, "the server's release document", why);
    }
    trust->release_known = true;
    return KERF_OK;
}

kerf_err kerf_agent_trust_accept(struct kerf_agent_trust *trust, const struct kerf_check_answer *answer,
                                 const struct kerf_trust_self *self, const char *kept_path, struct kerf_why *why)
{
    kerf_err err = KERF_OK;

    trust->fresh_known = false;
    trust->release_known = false;
    for (size_t i = 0; i < answer->root_count && err == KERF_OK; i++) {
        err = take_root(trust, &answer->roots[i], kept_path, why);
    }
    if (err != KERF_OK) {
        return err;
    }
    err = kerf_expiry_check(trust->root.expires, self->now);
    if (err != KERF_OK) {
        return refuse(err, "the root of trust", why);
    }
    if (answer->fresh.data == NULL) {
        kerf_why_set(why,
                     "the server sends no signed word on which release is current: it may be holding updates back");
        return KERF_ERR_SIGNATURE;
    }
    err = kerf_fresh_open(answer->fresh.data, answer->fresh.len, &trust->root, &trust->verifier, &trust->fresh);
    if (err == KERF_OK) {
        err = kerf_fresh_check(&trust->fresh, self);
    }
    if (err != KERF_OK) {
        return refuse(err, "the server's fresh document", why);
    }
    trust->fresh_known = true;
    return answer->release.data != NULL ? take_release(trust, &answer->release, self, why) : KERF_OK;
}
