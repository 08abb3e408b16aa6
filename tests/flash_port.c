/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/flash_port.h"

#include <string.h>

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct flash_port *fp = ctx;

    if (pos > fp->old_len || len > fp->old_len - pos) {
        return KERF_ERR_FLASH; /* a header may say more than there is */
    }
    if (fp->in_place) {
        flash_read(fp->flash, (uint32_t)pos, buf, len);
    } else if (len > 0) {
        memcpy(buf, fp->old_image + pos, len);
    }
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    flash_read(((struct flash_port *)ctx)->flash, (uint32_t)pos, buf, len);
    return KERF_OK;
}

static kerf_err erase_new(void *ctx, kerf_pos pos)
{
    struct flash_port *fp = ctx;

    if (pos >= fp->slot_len) {
        return KERF_ERR_FLASH;
    }
    flash_erase(fp->flash, (uint32_t)pos);
    return KERF_OK;
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct flash_port *fp = ctx;

    if (pos > fp->slot_len || len > fp->slot_len - pos) {
        return KERF_ERR_FLASH;
    }
    flash_program(fp->flash, (uint32_t)pos, buf, len);
    return KERF_OK;
}

static kerf_err read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct flash_port *fp = ctx;

    flash_read(fp->flash, fp->slot_len + (uint32_t)pos, buf, len);
    return KERF_OK;
}

static kerf_err erase_spare(void *ctx, kerf_pos pos)
{
    struct flash_port *fp = ctx;

    flash_erase(fp->flash, fp->slot_len + (uint32_t)pos);
    return KERF_OK;
}

static kerf_err write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct flash_port *fp = ctx;

    flash_program(fp->flash, fp->slot_len + (uint32_t)pos, buf, len);
    return KERF_OK;
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    /* A port may do that. So no checkpoint holds the digest of the one before: a recovery becomes like another sooner. */
    if (op == KERF_HASH_START) {
        memset(digest, 0, sizeof *digest);
    }
    return kerf_hash_hook(&((struct flash_port *)ctx)->hash, op, data, len, digest);
}

void flash_port_init(struct flash_port *fp, struct flash *flash, const struct kerf_header *header,
                     const struct flash_geometry *geometry, const uint8_t *old_image, size_t old_len)
{
    kerf_pos slot = header->new_size;
    uint32_t sector = geometry->sector;

    memset(fp, 0, sizeof *fp);
    fp->flash = flash;
    fp->old_image = old_image;
    fp->old_len = old_len;
    fp->in_place = (header->flags & KERF_FLAG_IN_PLACE) != 0;
    if (fp->in_place) {
        slot = (kerf_pos)kerf_header_slot(header) << header->sector_log2;
    }
    fp->slot_len = ((uint32_t)slot + sector) / sector * sector;
    fp->port = (struct kerf_port){
        .io.ctx = fp,
        .slot_size = fp->slot_len,
        .slot.sector_size = sector,
        .page_size = geometry->page,
        .io.read_old = read_old,
        .io.read_new = read_new,
        .slot.erase = erase_new,
        .slot.write = write_new,
        .hash = hash,
        .spare.sector_size = sector,
        .spare_unit = geometry->unit < 16 ? 16 : geometry->unit,
        .interval = geometry->interval * sector,
        .read_spare = read_spare,
        .spare.erase = erase_spare,
        .spare.write = write_spare,
    };
    fp->port.journal_size = (uint32_t)kerf_patcher_journal(header, &fp->port);
    fp->port.spare_size = fp->port.journal_size;
    if (fp->in_place) {
        fp->port.spare_size += (kerf_pos)header->scratch << header->sector_log2;
    }
    if (flash->size == 0) {
        flash_init(flash, fp->slot_len + (uint32_t)fp->port.spare_size, sector, geometry->unit, 1);
        if (fp->in_place) {
            flash_preset(flash, 0, old_image, old_len);
        }
    }
}

void flash_port_free(struct flash_port *fp)
{
    kerf_hash_free(&fp->hash);
}
