/* SPDX-License-Identifier: Apache-2.0 */
/* Applies a finished delta with the shipped patcher, from memory to memory, in exactly the declared workspace. */
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/work.h"
#include "patcher/patcher.h"

#define PAGE 4096

struct memory_port {
    const uint8_t *old_image, *new_image; /* new_image: what must come out; read back as far as it was written */
    size_t old_len, new_len;
    kerf_pos written;
    struct kerf_hash hash;
    struct kerf_lzma2 lzma2;
};

kerf_err kerf_selfcheck_read(const uint8_t *image, size_t image_len, kerf_pos pos, uint8_t *buf, size_t len)
{
    if (pos > image_len || len > image_len - pos) {
        return KERF_ERR_STATE;
    }
    memcpy(buf, image + pos, len);
    return KERF_OK;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct memory_port *m = ctx;

    return kerf_selfcheck_read(m->old_image, m->old_len, pos, buf, len);
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct memory_port *m = ctx;

    return kerf_selfcheck_read(m->new_image, (size_t)m->written, pos, buf, len);
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct memory_port *m = ctx;

    if (pos != m->written || len > m->new_len - pos) {
        return KERF_ERR_STATE;
    }
    if (memcmp(m->new_image + pos, buf, len) != 0) {
        return KERF_ERR_TARGET;
    }
    m->written += len;
    return KERF_OK;
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    struct memory_port *m = ctx;

    return kerf_hash_hook(&m->hash, op, data, len, digest);
}

static kerf_err unpack(void *ctx, const uint8_t *in, size_t in_len, bool last, size_t *in_used, uint8_t *out,
                       size_t out_cap, size_t *out_len)
{
    struct memory_port *m = ctx;

    return kerf_lzma2_unpack(&m->lzma2, in, in_len, last, in_used, out, out_cap, out_len);
}

kerf_err kerf_selfcheck_feed(struct kerf_patcher *patcher, const struct kerf_port *port, const uint8_t *delta,
                             size_t len)
{
    kerf_err err = KERF_MORE_INPUT;
    size_t pos = 0;

    while (err == KERF_MORE_WORK || (err == KERF_MORE_INPUT && pos < len)) {
        size_t used = 0;

        err = kerf_patcher_feed(patcher, port, delta + pos, len - pos, &used);
        pos += used;
    }
    return err == KERF_END && pos == len ? KERF_OK : err < KERF_OK ? err : KERF_ERR_STATE;
}

kerf_err kerf_selfcheck(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                        const uint8_t *delta, size_t delta_len)
{
    struct memory_port m = {.old_image = old_image, .old_len = old_len, .new_image = new_image, .new_len = new_len};
    struct kerf_port port = {.io.ctx = &m,
                             .slot_size = new_len,
                             .page_size = PAGE,
                             .io.read_old = read_old,
                             .io.read_new = read_new,
                             .slot.write = write_new,
                             .hash = hash,
                             .unpack = unpack};
    struct kerf_order_of_learned order = {0};
    struct kerf_header header;
    struct kerf_patcher *patcher;
    kerf_err err = kerf_header_parse(delta, delta_len, &header);

    if (err != KERF_OK) {
        return err;
    }
    port.io.order = header.model.learned_cap > KERF_SELFCHECK_LEARNED ? &order : NULL;

    size_t workspace_len = kerf_patcher_workspace(&header, &port);
    void *workspace = malloc(workspace_len);

    err = workspace == NULL ? KERF_ERR_RAM : KERF_OK;
    if (err == KERF_OK) {
        err = kerf_patcher_init(workspace, workspace_len, &port, NULL, 0, &patcher);
    }
    if (err == KERF_OK) {
        err = kerf_selfcheck_feed(patcher, &port, delta, delta_len);
    }
    if (err == KERF_OK && m.written != new_len) {
        err = KERF_ERR_TARGET;
    }
    kerf_hash_free(&m.hash);
    kerf_lzma2_free(&m.lzma2);
    free(workspace);
    return err;
}
