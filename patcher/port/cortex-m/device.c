/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/cortex-m/device.h"
#include "patcher/port/cortex-m/board.h"

#include <string.h>

uint32_t kerf_device_ticks(void)
{
    return kerf_board.ticks == NULL ? 0 : kerf_board.ticks();
}

/* Copies from a slot. */
static kerf_err read_slot(struct kerf_device *device, const uint8_t *slot, uint32_t slot_size, kerf_pos pos,
                          uint8_t *buf, size_t len)
{
    uint32_t begin = kerf_device_ticks();

    if (len > slot_size || pos > slot_size - len) {
        return KERF_ERR_FLASH;
    }
    memcpy(buf, slot + pos, len);
    device->port_ticks += kerf_device_ticks() - begin;
    return KERF_OK;
}

kerf_err kerf_device_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    return read_slot(ctx, kerf_board.old_slot, kerf_board.old_slot_size, pos, buf, len);
}

kerf_err kerf_device_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    return read_slot(ctx, kerf_board.new_slot, kerf_board.new_slot_size, pos, buf, len);
}

kerf_err kerf_device_erase_new(void *ctx, kerf_pos pos)
{
    struct kerf_device *device = ctx;
    uint32_t begin = kerf_device_ticks();
    kerf_err err = kerf_board.erase(pos);

    device->erases++;
    device->port_ticks += kerf_device_ticks() - begin;
    return err;
}

kerf_err kerf_device_write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct kerf_device *device = ctx;
    uint32_t begin = kerf_device_ticks();
    kerf_err err = kerf_board.program(pos, buf, len);

    device->programs++;
    device->port_ticks += kerf_device_ticks() - begin;
    return err;
}

kerf_err kerf_device_hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                          struct kerf_sha256_digest *digest)
{
    struct kerf_device *device = ctx;
    uint32_t begin = kerf_device_ticks();

    switch (op) {
    case KERF_HASH_START:
        kerf_sha256_init(&device->sha);
        break;
    case KERF_HASH_ADD:
        kerf_sha256_add(&device->sha, data, len);
        break;
    case KERF_HASH_END:
        kerf_sha256_end(&device->sha, digest);
        break;
    }
    device->hash_ticks += kerf_device_ticks() - begin;
    return KERF_OK;
}
