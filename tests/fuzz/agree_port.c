/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/agree_port.h"

#include <stdlib.h>
#include <string.h>

#include "patcher/state.h"

#define UNIT 16u
#define INTERVAL 512u

static void require(bool kept)
{
    if (!kept) {
        abort();
    }
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct agree_port *d = ctx;

    require(pos <= d->header.old_size && len <= d->header.old_size - pos);
    if (pos > d->old_len || len > d->old_len - pos) {
        return KERF_ERR_FLASH; /* a header may say more than there is */
    }
    memcpy(buf, ((d->header.flags & KERF_FLAG_IN_PLACE) != 0 ? d->slot : d->old_image) + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    require(pos <= AGREE_SLOT && len <= AGREE_SLOT - pos);
    memcpy(buf, ((struct agree_port *)ctx)->slot + pos, len);
    return KERF_OK;
}

static kerf_err erase_new(void *ctx, kerf_pos pos)
{
    require(pos % AGREE_PAGE == 0 && pos <= AGREE_SLOT - AGREE_PAGE);
    memset(((struct agree_port *)ctx)->slot + pos, 0xff, AGREE_PAGE);
    return KERF_OK;
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    require(pos % AGREE_PAGE == 0 && pos <= AGREE_SLOT && len <= AGREE_SLOT - pos && len <= AGREE_PAGE);
    memcpy(((struct agree_port *)ctx)->slot + pos, buf, len);
    return KERF_OK;
}

static kerf_err read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct agree_port *d = ctx;

    require(pos <= d->port.spare_size && len <= d->port.spare_size - pos);
    memcpy(buf, d->spare + pos, len);
    return KERF_OK;
}

static kerf_err erase_spare(void *ctx, kerf_pos pos)
{
    struct agree_port *d = ctx;

    require(pos % AGREE_PAGE == 0 && pos <= d->port.spare_size - AGREE_PAGE);
    memset(d->spare + pos, 0xff, AGREE_PAGE);
    return KERF_OK;
}

static kerf_err write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct agree_port *d = ctx;

    require(pos % UNIT == 0 && pos <= d->port.spare_size && len <= d->port.spare_size - pos && len <= AGREE_PAGE);
    memcpy(d->spare + pos, buf, len);
    return KERF_OK;
}

static kerf_err agree(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                      struct kerf_sha256_digest *digest)
{
    const struct agree_port *d = ctx;
    volatile uint8_t last;

    if (op == KERF_HASH_ADD && len > 0) {
        last = data[len - 1]; /* all of it must be there */
        (void)last;
    }
    if (op == KERF_HASH_END) {
        memset(digest, 0, sizeof *digest);
        switch ((enum kerf_patcher_phase)d->patcher->phase) {
        case KERF_PHASE_SOURCE:
            memcpy(digest->b, d->header.old_digest.b, KERF_DIGEST_LEN);
            break;
        case KERF_PHASE_VERIFY:
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

static kerf_err feed_all(struct agree_port *d, const uint8_t *data, size_t len, size_t workspace_len, size_t piece)
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

kerf_err agree_apply(struct agree_port *d, const uint8_t *old_image, size_t old_len, const uint8_t *data, size_t len,
                     bool journal, size_t piece)
{
    kerf_err err = kerf_header_parse(data, len, &d->header);
    size_t need;
    size_t least;

    if (err != KERF_OK) {
        return err;
    }
    require(old_len <= AGREE_SLOT);
    d->old_image = old_image;
    d->old_len = old_len;
    d->port = (struct kerf_port){
        .io.ctx = d,
        .slot_size = AGREE_SLOT,
        .slot.sector_size = AGREE_PAGE,
        .page_size = AGREE_PAGE,
        .io.read_old = read_old,
        .io.read_new = read_new,
        .slot.erase = erase_new,
        .slot.write = write_new,
        .hash = agree,
        .spare.sector_size = AGREE_PAGE,
        .spare_unit = UNIT,
        .interval = INTERVAL,
        .read_spare = read_spare,
        .spare.erase = erase_spare,
        .spare.write = write_spare,
    };
    /* Chunk 0 waits in the workspace before its header is known: that may take more than the header says. */
    least = d->header.chunk0_len + kerf_patcher_workspace_min(&d->port);
    need = kerf_patcher_workspace(&d->header, &d->port);
    if (need > AGREE_WORKSPACE) {
        return KERF_ERR_SPACE;
    }
    if (journal) {
        d->port.journal_size = (uint32_t)kerf_patcher_journal(&d->header, &d->port);
        d->port.spare_size = AGREE_SPARE;
        require(kerf_port_fits(&d->port));
    }
    memset(d->slot, 0xff, sizeof d->slot);
    if (old_len > 0) {
        memcpy(d->slot, old_image, old_len);
    }
    return feed_all(d, data, len, need < least ? least : need, piece);
}
