/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "common/host/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* EVP_sha256() loads providers and a configuration first, which takes longer than a small delta. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#define FILE_PIECE 65536

kerf_err kerf_hash_begin(struct kerf_hash *hash)
{
    if (hash->state == NULL) {
        hash->state = malloc(sizeof(SHA256_CTX));
    }
    return hash->state != NULL && SHA256_Init(hash->state) == 1 ? KERF_OK : KERF_ERR_RAM;
}

kerf_err kerf_hash_add(struct kerf_hash *hash, const uint8_t *data, size_t len)
{
    return SHA256_Update(hash->state, data, len) == 1 ? KERF_OK : KERF_ERR_RAM;
}

kerf_err kerf_hash_end(struct kerf_hash *hash, struct kerf_sha256_digest *digest)
{
    return SHA256_Final(digest->b, hash->state) == 1 ? KERF_OK : KERF_ERR_RAM;
}

void kerf_hash_free(struct kerf_hash *hash)
{
    free(hash->state);
    hash->state = NULL;
}

kerf_err kerf_hash_bytes(const uint8_t *data, size_t len, struct kerf_sha256_digest *digest)
{
    SHA256_CTX s;

    return SHA256_Init(&s) == 1 && SHA256_Update(&s, data, len) == 1 && SHA256_Final(digest->b, &s) == 1 ? KERF_OK
                                                                                                         : KERF_ERR_RAM;
}

static kerf_err hash_descriptor(int fd, const char *path, struct kerf_hash *hash, uint64_t *size, struct kerf_why *why)
{
    uint8_t piece[FILE_PIECE];

    *size = 0;
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            kerf_why_errno(why, "read", path, errno);
            return KERF_ERR_FLASH;
        }
        if (n == 0) {
            return KERF_OK;
        }
        kerf_err err = kerf_hash_add(hash, piece, (size_t)n);
        if (err != KERF_OK) {
            kerf_why_set(why, "out of memory: free some memory");
            return err;
        }
        *size += (uint64_t)n;
    }
}

kerf_err kerf_hash_file(const char *path, struct kerf_sha256_digest *digest, uint64_t *size, struct kerf_why *why)
{
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct kerf_hash hash = {NULL};
    uint64_t len = 0;

    if (fd < 0) {
        kerf_why_errno(why, "read", path, errno);
        return KERF_ERR_FLASH;
    }
    kerf_err err = kerf_hash_begin(&hash);
    if (err == KERF_OK) {
        err = hash_descriptor(fd, path, &hash, &len, why);
    } else {
        kerf_why_set(why, "out of memory: free some memory");
    }
    if (err == KERF_OK) {
        err = kerf_hash_end(&hash, digest);
    }
    kerf_hash_free(&hash);
    if (!standard_input) {
        (void)close(fd);
    }
    if (size != NULL) {
        *size = len;
    }
    return err;
}

kerf_err kerf_hash_hook(void *hash, enum kerf_hash_op op, const uint8_t *data, size_t len,
                        struct kerf_sha256_digest *digest)
{
    switch (op) {
    case KERF_HASH_START:
        return kerf_hash_begin(hash);
    case KERF_HASH_ADD:
        return kerf_hash_add(hash, data, len);
    case KERF_HASH_END:
        return kerf_hash_end(hash, digest);
    }
    return KERF_ERR_ARGUMENT;
}
