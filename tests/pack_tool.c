/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack_tool.c - containers for shell tests:
 *     pack_tool stored OLD NEW OUT     a delta whose payload is NEW itself ("-" for OLD: a full payload)
 *     pack_tool lzma2 OLD NEW OUT      the same, packed by liblzma
 *     pack_tool huge OLD NEW OUT       a header that claims sizes near 2^63
 * and prints the SHA-256 of chunk 0.
 */
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "tests/pack.h"

#define CHUNK_SIZE 4096

static void read_or_die(const char *path, uint8_t **data, size_t *len)
{
    struct kerf_why why;

    if (kerf_file_read(path, SIZE_MAX, data, len, &why) != KERF_OK) {
        exit(kerf_cli_fail(KERF_EXIT_IO, "%s", why.text));
    }
}

static uint8_t *pack(const char *mode, const uint8_t *old_image, size_t old_len, const uint8_t *new_image,
                     size_t new_len, size_t *len)
{
    struct kerf_header h;
    struct kerf_sha256_digest digest;
    size_t payload_cap = lzma_stream_buffer_bound(new_len);
    size_t payload_len = 0;
    uint8_t *payload;
    uint8_t *file;

    if (strcmp(mode, "stored") == 0) {
        return test_pack_stored(old_image, old_len, new_image, new_len, CHUNK_SIZE, len);
    }
    memset(&h, 0, sizeof h);
    h.codec = KERF_CODEC_LZMA2;
    h.old_size = old_len;
    h.new_size = new_len;
    h.chunk_size = CHUNK_SIZE;
    test_digest(old_image, old_len, &digest);
    memcpy(h.old_digest.b, digest.b, KERF_DIGEST_LEN);
    test_digest(new_image, new_len, &digest);
    memcpy(h.new_digest.b, digest.b, KERF_DIGEST_LEN);
    payload = malloc(payload_cap);
    if (payload == NULL || lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, new_image, new_len, payload, &payload_len,
                                                   payload_cap) != LZMA_OK) {
        return NULL;
    }
    if (strcmp(mode, "huge") == 0) {
        h.flags = KERF_FLAG_WIDE;
        h.new_size = INT64_MAX;
    }
    file = test_pack(&h, NULL, NULL, payload, payload_len, len);
    free(payload);
    return file;
}

int main(int argc, char **argv)
{
    uint8_t *old_image = NULL;
    uint8_t *new_image = NULL;
    uint8_t *file;
    size_t old_len = 0;
    size_t new_len = 0;
    size_t len = 0;
    struct kerf_header h;
    struct kerf_sha256_digest digest;
    char hex[2 * KERF_SHA256_LEN + 1];

    kerf_cli_begin("pack_tool");
    if (argc != 5) {
        return kerf_cli_fail(KERF_EXIT_USAGE, "stored|lzma2|huge OLD NEW OUT");
    }
    if (strcmp(argv[2], "-") != 0) {
        read_or_die(argv[2], &old_image, &old_len);
    }
    read_or_die(argv[3], &new_image, &new_len);
    file = pack(argv[1], old_image, old_len, new_image, new_len, &len);
    if (file == NULL || kerf_header_parse(file, len, &h) != KERF_OK ||
        kerf_file_write(argv[4], 0, file, len, NULL) != KERF_OK) {
        return kerf_cli_fail(KERF_EXIT_INTERNAL, "no container could be made");
    }
    test_digest(file, h.chunk0_len, &digest);
    (void)puts(kerf_cli_format_hex(digest.b, KERF_SHA256_LEN, hex));
    free(file);
    free(old_image);
    free(new_image);
    return kerf_cli_end(KERF_EXIT_OK);
}
