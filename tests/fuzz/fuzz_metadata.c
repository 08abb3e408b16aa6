/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, taken as each of the three documents and as each of the maps inside them. Signatures all count as valid,
 * so that what lies behind them is reached; the root's keys are those that the seeds name.
 */
#include <stdlib.h>
#include <string.h>

#include "common/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t public_key[32] = {1};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint32_t accept(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                       size_t message_len, const uint8_t *sig, size_t sig_len)
{
    uint8_t sum = 0;

    (void)ctx;
    expect(alg == KERF_ALG_EDDSA ? key_len == 32 : key_len == 65);
    expect(sig_len == 64);
    for (size_t i = 0; i < message_len; i++) { /* all of it may be read */
        sum ^= message[i];
    }
    return sum == key[0] && sum == sig[0] && sum == 1 ? KERF_SIGNATURE_INVALID : KERF_SIGNATURE_VALID;
}

/* Everything that an accepted release gives access to is in the buffer and counts as announced. */
static void walk(const struct kerf_release *release)
{
    struct kerf_component component;
    size_t cursor = 0;
    uint32_t components = 0;

    expect(kerf_name_valid(release->product) && release->seq > 0);
    (void)kerf_release_has_hardware(release, (struct kerf_span){public_key, 1});
    while (kerf_release_next_component(release, &cursor, &component) == KERF_OK) {
        struct kerf_payload payload;
        size_t at = 0;
        uint32_t payloads = 0;

        expect(kerf_name_valid(component.name) && kerf_version_name_valid(component.version));
        while (kerf_component_next_payload(&component, &at, &payload) == KERF_OK) {
            expect(payload.size > 0 && (payload.from_size > 0) == payload.is_delta);
            payloads++;
        }
        expect(at == component.payloads.len && payloads == component.payload_count);
        components++;
    }
    expect(cursor == release->components.len && components == release->component_count);
}

/* What was read can be written, and reads the same again. (Not the same bytes: extensions are skipped.) */
static void rewrite(const uint8_t *data, size_t len)
{
    struct kerf_root root;
    struct kerf_root root_again;
    struct kerf_fresh fresh;
    struct kerf_fresh fresh_again;
    size_t cap = len + 16;
    uint8_t *buf = malloc(cap);
    size_t written;

    expect(buf != NULL);
    if (kerf_root_parse(data, len, &root) == KERF_OK) {
        expect(kerf_root_write(&root, buf, cap, &written) == KERF_OK && written <= len);
        expect(kerf_root_parse(buf, written, &root_again) == KERF_OK && root_again.version == root.version);
    }
    if (kerf_fresh_parse(data, len, &fresh) == KERF_OK) {
        expect(kerf_fresh_write(&fresh, buf, cap, &written) == KERF_OK && written <= len);
        expect(kerf_fresh_parse(buf, written, &fresh_again) == KERF_OK && fresh_again.seq == fresh.seq);
    }
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t scratch[KERF_METADATA_SCRATCH(KERF_METADATA_MAX_LEN)];
    const struct kerf_verifier verifier = {accept, NULL, scratch, sizeof scratch};
    struct kerf_root trusted = {.product = {(const uint8_t *)"T1", 2}, .version = 1, .key_count = 1};
    struct kerf_trust_self self = {.product = trusted.product, .now = 1};
    struct kerf_root root;
    struct kerf_release release;
    struct kerf_fresh fresh;

    memset(trusted.keys[0].id.b, 0x11, KERF_KEY_ID_LEN);
    trusted.keys[0].alg = KERF_ALG_EDDSA;
    trusted.keys[0].key = (struct kerf_span){public_key, sizeof public_key};
    for (unsigned i = 0; i < KERF_DOC_TYPES; i++) {
        trusted.roles[i] = (struct kerf_role){1, 1};
    }
    if (kerf_root_open(data, len, &verifier, &root) == KERF_OK) {
        expect(root.key_count > 0 && root.roles[KERF_DOC_ROOT].threshold > 0);
    }
    if (kerf_root_open_next(data, len, &trusted, &verifier, &root) == KERF_OK) {
        expect(root.version == 2);
    }
    if (kerf_release_open(data, len, &trusted, &verifier, &release) == KERF_OK) {
        walk(&release);
        expect(kerf_release_check(&release, &self) <= 0);
    }
    if (kerf_fresh_open(data, len, &trusted, &verifier, &fresh) == KERF_OK) {
        expect(kerf_fresh_check(&fresh, &self) <= 0);
    }
    if (kerf_release_parse(data, len, &release) == KERF_OK) {
        walk(&release);
    }
    rewrite(data, len);
    return 0;
}
