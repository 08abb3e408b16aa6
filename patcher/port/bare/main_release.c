/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main_release.c - a device that trusts nothing but the root it was born with: it opens a signed release, picks the
 * payload that was made for what lies in its old slot, and lets the patcher apply it, which then expects what the
 * release says. All bytes come through semihosting files.
 *
 *     command line: kerf ROOT RELEASE      payloads: files in the same folder, named by their digest
 *
 * Prints what update.h says, and before that "verify_ticks" and "payload"; exits with 0 or the error's absolute value.
 */
#include "common/metadata.h"
#include "common/sha256.h"
#include "patcher/port/bare/board.h"
#include "patcher/port/bare/device.h"
#include "patcher/port/bare/semihost.h"
#include "patcher/port/bare/update.h"
#include "patcher/port/examples/verify/verify.h"

#include <string.h>

#define EXIT_USAGE 99
#define EXIT_HEAP 98

/* Documents of a product with one component and a few deltas take 1 to 2 KiB; this is the most the format allows. */
static uint8_t root_doc[KERF_METADATA_MAX_LEN];
static uint8_t release_doc[KERF_METADATA_MAX_LEN];
static uint8_t scratch[KERF_METADATA_SCRATCH(KERF_METADATA_MAX_LEN)];
static _Alignas(8) uint8_t heap[KERF_VERIFY_MBEDTLS_HEAP];

void kerf_mbedtls_exit(int status);

/* mbedtls_config.h */
void kerf_mbedtls_exit(int status)
{
    (void)status;
    kerf_semihost_print("Mbed TLS: its heap is damaged\n");
    kerf_semihost_exit(EXIT_HEAP);
}

/* By what the key says it is for; anything else is not valid. */
static uint32_t verify(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                       size_t message_len, const uint8_t *sig, size_t sig_len)
{
    uint32_t begin = kerf_device_ticks();
    uint32_t verdict = alg == KERF_ALG_ES256
                           ? kerf_verify_mbedtls(NULL, alg, key, key_len, message, message_len, sig, sig_len)
                           : kerf_verify_libsodium(NULL, alg, key, key_len, message, message_len, sig, sig_len);

    *(uint32_t *)ctx += kerf_device_ticks() - begin;
    return verdict;
}

static kerf_err read_file(const char *path, uint8_t *buf, size_t cap, size_t *len)
{
    kerf_semihost_file file = kerf_semihost_open(path);
    kerf_err err;

    if (file < 0) {
        return KERF_ERR_FLASH;
    }
    err = kerf_semihost_read(file, buf, cap, len);
    kerf_semihost_close(file);
    return err;
}

/* SHA-256 of the first `size` bytes of the old slot. */
static struct kerf_sha256_digest old_digest(uint64_t size)
{
    struct kerf_sha256 sha;
    struct kerf_sha256_digest digest;

    kerf_sha256_init(&sha);
    kerf_sha256_add(&sha, kerf_board.old_slot, (size_t)size);
    kerf_sha256_end(&sha, &digest);
    return digest;
}

/* The payload of the only component that this device can take: a delta from what it has, else the full image. */
static kerf_err choose(const struct kerf_release *release, struct kerf_component *component,
                       struct kerf_payload *payload)
{
    struct kerf_payload next;
    size_t cursor = 0;
    bool found = false;
    kerf_err err = kerf_release_next_component(release, &cursor, component);

    cursor = 0;
    while (err == KERF_OK) {
        err = kerf_component_next_payload(component, &cursor, &next);
        /* Full payloads come first. */
        if (err == KERF_OK && !found && !next.is_delta) {
            *payload = next;
            found = true;
        }
        if (err == KERF_OK && next.is_delta && !next.in_place && next.from_size <= kerf_board.old_slot_size) {
            const struct kerf_sha256_digest have = old_digest(next.from_size);

            if (memcmp(have.b, next.from_digest.b, sizeof(have.b)) == 0) {
                *payload = next;
                return KERF_OK;
            }
        }
    }
    if (err == KERF_END) {
        return found ? KERF_OK : KERF_ERR_SOURCE;
    }
    return err;
}

/* Opens both documents and chooses; nothing of them is used before that has succeeded. */
static kerf_err read_release(const char *root_path, const char *release_path, struct kerf_patcher_expect *expect,
                             struct kerf_payload *payload)
{
    static struct kerf_root root; /* 2 KiB that the stack need not have */
    uint32_t ticks = 0;
    const struct kerf_verifier verifier = {verify, &ticks, scratch, sizeof(scratch)};
    const struct kerf_trust_self self = {.product = {(const uint8_t *)"board", 5}, .have = {.seq = 1}};
    struct kerf_release release;
    struct kerf_component component;
    size_t len = 0;
    kerf_err err = read_file(root_path, root_doc, sizeof(root_doc), &len);

    if (err == KERF_OK) {
        err = kerf_root_open(root_doc, len, &verifier, &root);
    }
    if (err == KERF_OK) {
        err = read_file(release_path, release_doc, sizeof(release_doc), &len);
    }
    if (err == KERF_OK) {
        err = kerf_release_open(release_doc, len, &root, &verifier, &release);
    }
    kerf_print_number("verify_ticks ", ticks);
    if (err == KERF_OK) {
        err = kerf_release_check(&release, &self);
    }
    if (err == KERF_OK) {
        err = choose(&release, &component, payload);
    }
    if (err == KERF_OK) {
        *expect = (struct kerf_patcher_expect){true, true, payload->chunk0, component.digest};
    }
    return err;
}

/* The file's name: 64 hexadecimal digits. */
static void payload_name(const struct kerf_payload *payload, char name[2 * KERF_SHA256_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < KERF_SHA256_LEN; i++) {
        name[2 * i] = digits[payload->digest.b[i] >> 4];
        name[2 * i + 1] = digits[payload->digest.b[i] & 15];
    }
    name[2 * KERF_SHA256_LEN] = '\0';
}

int main(void)
{
    char cmdline[256];
    char name[2 * KERF_SHA256_LEN + 1];
    char *words[3] = {cmdline, NULL, NULL};
    size_t count = 1;
    struct kerf_patcher_expect expect;
    struct kerf_payload payload;
    kerf_err err;

    kerf_semihost_cmdline(cmdline, sizeof(cmdline));
    for (char *p = cmdline; *p != '\0'; p++) {
        if (*p == ' ' && count < 3) {
            *p = '\0';
            words[count++] = p + 1;
        }
    }
    if (count != 3) {
        kerf_semihost_print("usage: kerf ROOT RELEASE\n");
        return EXIT_USAGE;
    }
    kerf_verify_mbedtls_heap(heap, sizeof(heap));
    err = read_release(words[1], words[2], &expect, &payload);
    if (err != KERF_OK) {
        kerf_print_number("failed ", (uint32_t)(-(int32_t)err));
        return -(int)err;
    }
    payload_name(&payload, name);
    kerf_semihost_print(payload.is_delta ? "payload delta " : "payload full ");
    kerf_semihost_print(name);
    kerf_semihost_print("\n");
    return kerf_update_run(name, &expect, &(struct kerf_update_options){.piece_len = KERF_UPDATE_PIECE_MAX});
}
