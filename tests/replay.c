/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - replay OLD DELTA [PIECE]: applies a container with the core and nothing else, in exactly the workspace
 * that it declares, and prints the SHA-256 of the new image. Needs no library, so that it can be built for any host: 32
 * bit, big endian, 32-bit positions (tests/cross_build.sh). OLD may be "-" for none. PIECE is how many bytes are fed at
 * a time (by default 1000). Exit status: 0, or the error's absolute value.
 */
#include "common/sha256.h"
#include "patcher/patcher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_HOST 1
#define EXIT_USAGE 2
#define PAGE_SIZE 256u

/* Images are held in memory: what tests use is small. */
#define MAX_IMAGE ((kerf_pos)1 << 28)

struct image {
    uint8_t *data; /* malloc'ed */
    size_t len;
};

struct device {
    struct image old_image, new_image;
    struct kerf_sha256 sha;
    size_t written; /* bytes of new */
};

static kerf_err read_image(const struct image *image, kerf_pos pos, uint8_t *buf, size_t len)
{
    if (len > image->len || pos > image->len - len) {
        return KERF_ERR_FLASH;
    }
    memcpy(buf, image->data + pos, len);
    return KERF_OK;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct device *device = ctx;

    return read_image(&device->old_image, pos, buf, len);
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct device *device = ctx;

    return pos + len > device->written ? KERF_ERR_FLASH : read_image(&device->new_image, pos, buf, len);
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct device *device = ctx;

    if (pos != device->written || pos % PAGE_SIZE != 0 || len > device->new_image.len - device->written) {
        return KERF_ERR_FLASH;
    }
    memcpy(device->new_image.data + pos, buf, len);
    device->written += len;
    return KERF_OK;
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    return kerf_sha256_hook(&((struct device *)ctx)->sha, op, data, len, digest);
}

/* Reads a whole file; exits when it can't. */
static struct image load(const char *path)
{
    struct image image = {.data = NULL, .len = 0};
    FILE *f = fopen(path, "rb");
    long len;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
        perror(path);
        exit(EXIT_HOST);
    }
    image.len = (size_t)len;
    image.data = malloc(image.len + 1);
    if (image.data == NULL || fread(image.data, 1, image.len, f) != image.len) {
        (void)fprintf(stderr, "%s: can't be read\n", path);
        exit(EXIT_HOST);
    }
    (void)fclose(f);
    return image;
}

static kerf_err feed_all(struct kerf_patcher *patcher, const struct kerf_port *port, const struct image *delta,
                         size_t piece_len)
{
    size_t pos = 0;

    while (pos < delta->len) {
        size_t len = delta->len - pos < piece_len ? delta->len - pos : piece_len;
        size_t used = 0;
        kerf_err err = kerf_patcher_feed(patcher, port, delta->data + pos, len, &used);

        if (err < 0) {
            return err;
        }
        pos += used;
        while (err == KERF_MORE_WORK && pos == delta->len) {
            err = kerf_patcher_feed(patcher, port, NULL, 0, &used);
            if (err < 0) {
                return err;
            }
        }
    }
    return kerf_patcher_finish(patcher);
}

static kerf_err apply(struct device *device, const struct image *delta, size_t piece_len)
{
    struct kerf_port port = {
        .io.ctx = device,
        .page_size = PAGE_SIZE,
        .io.read_old = read_old,
        .io.read_new = read_new,
        .slot.write = write_new,
        .hash = hash,
    };
    struct kerf_header header;
    struct kerf_patcher *patcher;
    size_t workspace_len;
    void *workspace;
    kerf_err err = kerf_header_parse(delta->data, delta->len, &header);

    if (err != KERF_OK) {
        return err;
    }
    workspace_len = kerf_patcher_workspace(&header, &port);
    if (header.new_size > MAX_IMAGE || workspace_len > MAX_IMAGE) {
        return KERF_ERR_SPACE;
    }
    port.slot_size = header.new_size;
    device->new_image.len = (size_t)header.new_size;
    device->new_image.data = malloc(device->new_image.len + 1);
    workspace = malloc(workspace_len);
    if (workspace == NULL || device->new_image.data == NULL) {
        (void)fprintf(stderr, "replay: out of memory\n");
        exit(EXIT_HOST);
    }
    err = kerf_patcher_init(workspace, workspace_len, &port, NULL, 0, &patcher);
    if (err == KERF_OK) {
        err = feed_all(patcher, &port, delta, piece_len);
    }
    free(workspace);
    return err;
}

int main(int argc, char **argv)
{
    struct device device = {.written = 0};
    struct kerf_sha256_digest digest;
    struct image delta;
    size_t piece_len = argc == 4 ? (size_t)strtoul(argv[3], NULL, 10) : 1000;
    kerf_err err;

    if (argc < 3 || argc > 4 || piece_len == 0) {
        (void)fprintf(stderr, "usage: replay OLD|- DELTA [PIECE]\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "-") != 0) {
        device.old_image = load(argv[1]);
    }
    delta = load(argv[2]);
    err = apply(&device, &delta, piece_len);
    if (err == KERF_END) {
        kerf_sha256_init(&device.sha);
        kerf_sha256_add(&device.sha, device.new_image.data, device.written);
        kerf_sha256_end(&device.sha, &digest);
        for (size_t i = 0; i < sizeof(digest.b); i++) {
            (void)printf("%02x", digest.b[i]);
        }
        (void)printf("\n");
    } else {
        (void)fprintf(stderr, "replay: %s: error %d\n", argv[2], (int)err);
    }
    free(device.old_image.data);
    free(device.new_image.data);
    free(delta.data);
    return err == KERF_END ? 0 : -(int)err;
}
