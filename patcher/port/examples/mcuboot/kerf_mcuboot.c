/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/examples/mcuboot/kerf_mcuboot.h"
#include "common/bytes.h"

#include <bootutil_public.h>
#include <flash_map_backend.h>

/* MCUboot's image format (docs/design.md there). */
#define IMAGE_MAGIC 0x96f3b83du
#define IMAGE_HEADER_LEN 32u
#define TLV_PROTECTED_MAGIC 0x6908u
#define TLV_MAGIC 0x6907u
#define TLV_INFO_LEN 4u

#define PAGE_SIZE 256u
#define PIECE 64u /* bytes looked at at a time */

static kerf_err done(int status)
{
    return status == 0 ? KERF_OK : KERF_ERR_FLASH;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_mcuboot *m = ctx;

    return done(flash_area_read(m->primary, (uint32_t)pos, buf, (uint32_t)len));
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_mcuboot *m = ctx;

    return done(flash_area_read(m->secondary, (uint32_t)pos, buf, (uint32_t)len));
}

static kerf_err erase_new(void *ctx, kerf_pos pos)
{
    const struct kerf_mcuboot *m = ctx;

    return done(flash_area_erase(m->secondary, (uint32_t)pos, m->map.sector));
}

/* Whole units, and a last one that is filled up with what erased flash holds. */
static kerf_err program(const struct kerf_mcuboot *m, const struct flash_area *area, uint32_t pos, const uint8_t *buf,
                        uint32_t len)
{
    uint8_t last[32];
    uint32_t whole = len - len % m->map.unit;
    kerf_err err = whole == 0 ? KERF_OK : done(flash_area_write(area, pos, buf, whole));

    if (err != KERF_OK || whole == len) {
        return err;
    }
    for (uint32_t i = 0; i < m->map.unit; i++) {
        last[i] = i < len - whole ? buf[whole + i] : 0xff;
    }
    return done(flash_area_write(area, pos + whole, last, m->map.unit));
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    const struct kerf_mcuboot *m = ctx;

    return program(m, m->secondary, (uint32_t)pos, buf, (uint32_t)len);
}

static kerf_err read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_mcuboot *m = ctx;

    return done(flash_area_read(m->spare, (uint32_t)pos, buf, (uint32_t)len));
}

static kerf_err erase_spare(void *ctx, kerf_pos pos)
{
    const struct kerf_mcuboot *m = ctx;

    return done(flash_area_erase(m->spare, (uint32_t)pos, m->map.sector));
}

static kerf_err write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    const struct kerf_mcuboot *m = ctx;

    return program(m, m->spare, (uint32_t)pos, buf, (uint32_t)len);
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    return kerf_sha256_hook(&((struct kerf_mcuboot *)ctx)->sha, op, data, len, digest);
}

kerf_err kerf_mcuboot_open(struct kerf_mcuboot *m, const struct kerf_mcuboot_map *map)
{
    *m = (struct kerf_mcuboot){.map = *map};
    if (map->unit > 32 || flash_area_open(map->primary, &m->primary) != 0 ||
        flash_area_open(map->secondary, &m->secondary) != 0 || flash_area_open(map->spare, &m->spare) != 0) {
        return KERF_ERR_FLASH;
    }
    m->port = (struct kerf_port){
        .io.ctx = m,
        .slot_size = m->secondary->fa_size - map->trailer,
        .slot.sector_size = map->sector,
        .page_size = PAGE_SIZE,
        .io.read_old = read_old,
        .io.read_new = read_new,
        .slot.erase = erase_new,
        .slot.write = write_new,
        .hash = hash,
        .journal_size = m->spare->fa_size,
        .spare_size = m->spare->fa_size,
        .spare.sector_size = map->sector,
        .spare_unit = map->unit < 16 ? 16 : map->unit,
        /* Two or three minutes of a slow link: 16 KiB of new, and a worn-out journal no sooner than the slot. */
        .interval = 4 * map->sector,
        .read_spare = read_spare,
        .spare.erase = erase_spare,
        .spare.write = write_spare,
    };
    return KERF_OK;
}

void kerf_mcuboot_close(struct kerf_mcuboot *m)
{
    flash_area_close(m->primary);
    flash_area_close(m->secondary);
    flash_area_close(m->spare);
}

/* Adds a block of TLVs of this kind at *size, if there is one. */
static kerf_err add_tlvs(struct kerf_mcuboot *m, uint16_t magic, uint32_t *size)
{
    uint8_t info[TLV_INFO_LEN];
    kerf_err err = m->primary->fa_size - *size < TLV_INFO_LEN
                       ? KERF_ERR_SOURCE
                       : done(flash_area_read(m->primary, *size, info, sizeof info));

    if (err == KERF_OK && kerf_load_le16(info) == magic) {
        *size += kerf_load_le16(info + 2); /* this head included; 64 KiB at most: no overflow */
        err = *size > m->primary->fa_size ? KERF_ERR_SOURCE : KERF_OK;
    }
    return err;
}

kerf_err kerf_mcuboot_image_size(struct kerf_mcuboot *m, uint32_t *size)
{
    uint8_t header[IMAGE_HEADER_LEN];
    uint32_t header_len;
    uint32_t body_len;
    kerf_err err = done(flash_area_read(m->primary, 0, header, sizeof header));

    *size = 0;
    if (err != KERF_OK) {
        return err;
    }
    header_len = kerf_load_le16(header + 8);
    body_len = kerf_load_le32(header + 12);
    if (kerf_load_le32(header) != IMAGE_MAGIC || header_len < IMAGE_HEADER_LEN || header_len > m->primary->fa_size ||
        body_len > m->primary->fa_size - header_len) {
        return KERF_ERR_SOURCE;
    }
    *size = header_len + body_len;
    err = add_tlvs(m, TLV_PROTECTED_MAGIC, size);
    if (err == KERF_OK) {
        err = add_tlvs(m, TLV_MAGIC, size);
    }
    return err;
}

/* Is this sector of the secondary slot as erased flash is? */
static kerf_err is_erased(struct kerf_mcuboot *m, uint32_t pos, bool *erased)
{
    uint8_t piece[PIECE];

    *erased = true;
    for (uint32_t i = 0; i < m->map.sector; i += PIECE) {
        kerf_err err = done(flash_area_read(m->secondary, pos + i, piece, PIECE));

        if (err != KERF_OK) {
            return err;
        }
        for (uint32_t k = 0; k < PIECE; k++) {
            *erased = *erased && piece[k] == 0xff;
        }
    }
    return KERF_OK;
}

kerf_err kerf_mcuboot_prepare(struct kerf_mcuboot *m)
{
    uint32_t size = m->secondary->fa_size;

    for (uint32_t pos = size - m->map.trailer; pos < size; pos += m->map.sector) {
        bool erased;
        kerf_err err = is_erased(m, pos, &erased);

        if (err == KERF_OK && !erased) {
            err = done(flash_area_erase(m->secondary, pos, m->map.sector));
        }
        if (err != KERF_OK) {
            return err;
        }
    }
    return KERF_OK;
}

kerf_err kerf_mcuboot_activate(struct kerf_mcuboot *m)
{
    (void)m;
    return done(boot_set_pending(0));
}
