/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies any bytes as a container with the core as devices have it: decoding only, positions of 32 bits. Its header parser takes what
 * hosts refuse (numbers that are too large, regions that overlap), so that the decoder meets what fuzz_patcher can't give it. The
 * hash agrees with whatever was expected: no digest stops an input.
 *
 * The port aborts where it is asked for what lies outside of old, slot and spare area; the workspace has just the size that the header
 * declares, so that the sanitizers see the first byte behind it. With some last bytes there is no journal.
 */
#include <stdlib.h>
#include <string.h>

#include "patcher/patcher.h"
#include "patcher/state.h"

#define OLD_MAX 16384u
#define SLOT OLD_MAX
#define SPARE ((size_t)1 << 17)
#define WORKSPACE_MAX ((size_t)1 << 15)
#define UNIT 16u
#define PAGE 64u
#define INTERVAL 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct device {
    struct kerf_port port;
    struct kerf_header header;
    struct kerf_patcher *patcher;
    uint8_t slot[SLOT], spare[SPARE];
};

static void require(bool kept)
{
    if (!kept) {
        abort();
    }
}

/* Half noise, half words that look like pointers and calls. */
static const uint8_t *old_image(void)
{
    static uint8_t image[OLD_MAX];
    uint32_t x = 1;

    for (size_t i = 0; image[0] == 0 && i < sizeof image; i++) {
        static const uint8_t code[] = {0, 0xf0, 0, 0xf8, 0, 0, 0x00, 0x08};

        x = x * 1664525 + 1013904223;
        image[i] = code[i % 8] != 0 || i % 8 == 6 ? code[i % 8] : (uint8_t)(x >> 24);
    }
    image[0] = 1;
    return image;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct device *d = ctx;

    require(pos <= d->header.old_size && len <= d->header.old_size - pos);
    if (pos > OLD_MAX || len > OLD_MAX - pos) {
        return KERF_ERR_FLASH; /* a header may say more than there is */
    }
    memcpy(buf, ((d->header.flags & KERF_FLAG_IN_PLACE) != 0 ? d->slot : old_image()) + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    require(pos <= SLOT && len <= SLOT - pos);
    memcpy(buf, ((struct device *)ctx)->slot + pos, len);
    return KERF_OK;
}

static kerf_err erase_new(void *ctx, kerf_pos pos)
{
    require(pos % PAGE == 0 && pos <= SLOT - PAGE);
    memset(((struct device *)ctx)->slot + pos, 0xff, PAGE);
    return KERF_OK;
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    require(pos % PAGE == 0 && pos <= SLOT && len <= SLOT - pos && len <= PAGE);
    memcpy(((struct device *)ctx)->slot + pos, buf, len);
    return KERF_OK;
}

static kerf_err read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct device *d = ctx;

    require(pos <= d->port.spare_size && len <= d->port.spare_size - pos);
    memcpy(buf, d->spare + pos, len);
    return KERF_OK;
}

static kerf_err erase_spare(void *ctx, kerf_pos pos)
{
    struct device *d = ctx;

    require(pos % PAGE == 0 && pos <= d->port.spare_size - PAGE);
    memset(d->spare + pos, 0xff, PAGE);
    return KERF_OK;
}

static kerf_err write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct device *d = ctx;

    require(pos % UNIT == 0 && pos <= d->port.spare_size && len <= d->port.spare_size - pos && len <= PAGE);
    memcpy(d->spare + pos, buf, len);
    return KERF_OK;
}

static kerf_err agree(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                      struct kerf_sha256_digest *digest)
{
    const struct device *d = ctx;
    volatile uint8_t last;

    if (op == KERF_HASH_ADD && len > 0) {
        last = data[len - 1]; /* all of it must be there */
        (void)last;
    }
    if (op == KERF_HASH_END) {
        memset(digest, 0, sizeof *digest);
        switch (d->patcher->status.phase) {
        case KERF_PHASE_SOURCE:
            memcpy(digest->b, d->header.old_digest.b, KERF_DIGEST_LEN);
            break;
        case KERF_PHASE_DONE: /* as it is set by then */
            memcpy(digest->b, d->header.new_digest.b, KERF_DIGEST_LEN);
            break;
        case KERF_PHASE_CHUNK:
            memcpy(digest->b, next_digest_of(d->patcher), KERF_DIGEST_LEN);
            break;
        default:
            break;
        }
    }
    return KERF_OK;
}

static kerf_err apply(struct device *d, const uint8_t *data, size_t len, size_t workspace_len, size_t piece)
{
    void *workspace = malloc(workspace_len);
    kerf_err err = KERF_ERR_RAM;
    size_t pos = 0;

    if (workspace != NULL) {
        err = kerf_patcher_init(workspace, workspace_len, &d->port, NULL, 0, &d->patcher);
    }
    while (err >= KERF_OK && err != KERF_END) {
        size_t n = len - pos < piece ? len - pos : piece;
        size_t used = 0;

        err = kerf_patcher_feed(d->patcher, &d->port, data + pos, n, &used);
        require(used <= n);
        pos += used;
        if (err == KERF_MORE_INPUT && pos == len) {
            err = kerf_patcher_finish(d->patcher);
        }
    }
    free(workspace);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct device d;
    size_t need;

    d.port = (struct kerf_port){
        .ctx = &d,
        .slot_size = SLOT,
        .sector_size = PAGE,
        .page_size = PAGE,
        .read_old = read_old,
        .read_new = read_new,
        .erase_new = erase_new,
        .write_new = write_new,
        .hash = agree,
        .spare_sector = PAGE,
        .spare_unit = UNIT,
        .interval = INTERVAL,
        .read_spare = read_spare,
        .erase_spare = erase_spare,
        .write_spare = write_spare,
    };
    if (kerf_header_parse(data, len, &d.header) != KERF_OK) {
        return 0;
    }
    need = kerf_patcher_workspace(&d.header, &d.port);
    if (need > WORKSPACE_MAX) {
        return 0;
    }
    if (data[len - 1] % 4 != 1) {
        d.port.journal_size = (uint32_t)kerf_patcher_journal(&d.header, &d.port);
        d.port.spare_size = SPARE;
        require(kerf_port_fits(&d.port));
    }
    memcpy(d.slot, old_image(), sizeof d.slot);
    need = need < kerf_patcher_workspace_min(&d.port) ? kerf_patcher_workspace_min(&d.port) : need;
    /* Chunk 0 waits in the workspace before its header is known: that may take more than the header says. */
    need = need < d.header.chunk0_len + kerf_patcher_workspace_min(&d.port)
               ? d.header.chunk0_len + kerf_patcher_workspace_min(&d.port)
               : need;
    (void)apply(&d, data, len, need, (size_t)data[len - 1] * 4 + 1);
    return 0;
}
