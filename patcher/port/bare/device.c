/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/bare/device.h"
#include "patcher/port/bare/board.h"
#include "patcher/port/bare/semihost.h"

#include <string.h>

#define EXIT_SAVE 96

uint32_t kerf_device_ticks(void)
{
    return kerf_board.ticks == NULL ? 0 : kerf_board.ticks();
}

static _Noreturn void power_cut(void)
{
    kerf_err err = kerf_semihost_save("flash", kerf_board.flash, kerf_board.flash_size);

    kerf_semihost_exit(err == KERF_OK ? KERF_DEVICE_CUT_STATUS : EXIT_SAVE);
}

/* Copies from an area of the flash. */
static kerf_err read_area(struct kerf_device *device, const uint8_t *area, uint32_t size, kerf_pos pos, uint8_t *buf,
                          size_t len)
{
    uint32_t begin = kerf_device_ticks();

    if (len > size || pos > size - len) {
        return KERF_ERR_FLASH;
    }
    memcpy(buf, area + pos, len);
    device->port_ticks += kerf_device_ticks() - begin;
    return KERF_OK;
}

/* Erases a sector; a cut in it: nothing happened, or all of it. */
static kerf_err erase(struct kerf_device *device, const uint8_t *sector)
{
    uint32_t begin = kerf_device_ticks();
    bool cut = ++device->operations == device->cut;
    kerf_err err = KERF_OK;

    if (!cut || device->cut % 2 == 0) {
        err = kerf_board.erase(sector);
    }
    if (cut) {
        power_cut();
    }
    device->port_ticks += kerf_device_ticks() - begin;
    return err;
}

/* Programs a piece; a cut in it: the first half. */
static kerf_err program(struct kerf_device *device, const uint8_t *to, const uint8_t *buf, size_t len)
{
    uint32_t begin = kerf_device_ticks();
    bool cut = ++device->operations == device->cut;
    kerf_err err = kerf_board.program(to, buf, cut ? len / 2 / kerf_board.unit * kerf_board.unit : len);

    if (cut) {
        power_cut();
    }
    device->port_ticks += kerf_device_ticks() - begin;
    return err;
}

kerf_err kerf_device_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct kerf_device *device = ctx;

    if (device->in_place) {
        return kerf_device_read_new(ctx, pos, buf, len);
    }
    return read_area(device, kerf_board.old_slot, kerf_board.old_slot_size, pos, buf, len);
}

kerf_err kerf_device_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    return read_area(ctx, kerf_board.new_slot, kerf_board.new_slot_size, pos, buf, len);
}

kerf_err kerf_device_erase_new(void *ctx, kerf_pos pos)
{
    struct kerf_device *device = ctx;

    device->erases++;
    return erase(device, kerf_board.new_slot + pos);
}

kerf_err kerf_device_write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct kerf_device *device = ctx;

    device->programs++;
    return program(device, kerf_board.new_slot + pos, buf, len);
}

kerf_err kerf_device_read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    return read_area(ctx, kerf_board.spare, kerf_board.spare_size, pos, buf, len);
}

kerf_err kerf_device_erase_spare(void *ctx, kerf_pos pos)
{
    return erase(ctx, kerf_board.spare + pos);
}

kerf_err kerf_device_write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    return program(ctx, kerf_board.spare + pos, buf, len);
}

kerf_err kerf_device_hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                          struct kerf_sha256_digest *digest)
{
    struct kerf_device *device = ctx;
    uint32_t begin = kerf_device_ticks();
    kerf_err err = kerf_sha256_hook(&device->sha, op, data, len, digest);

    device->hash_ticks += kerf_device_ticks() - begin;
    return err;
}
