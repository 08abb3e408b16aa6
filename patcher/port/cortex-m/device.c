/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/cortex-m/device.h"
#include "patcher/port/cortex-m/board.h"

#include <string.h>

kerf_err kerf_device_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    (void)ctx;
    if (len > kerf_board.old_slot_size || pos > kerf_board.old_slot_size - len) {
        return KERF_ERR_FLASH;
    }
    memcpy(buf, kerf_board.old_slot + pos, len);
    return KERF_OK;
}

kerf_err kerf_device_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    (void)ctx;
    if (len > kerf_board.new_slot_size || pos > kerf_board.new_slot_size - len) {
        return KERF_ERR_FLASH;
    }
    memcpy(buf, kerf_board.new_slot + pos, len);
    return KERF_OK;
}

kerf_err kerf_device_erase_new(void *ctx, kerf_pos pos)
{
    struct kerf_device *device = ctx;

    device->erases++;
    return kerf_board.erase(pos);
}

kerf_err kerf_device_write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct kerf_device *device = ctx;

    device->programs++;
    return kerf_board.program(pos, buf, len);
}

kerf_err kerf_device_hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                          struct kerf_sha256_digest *digest)
{
    struct kerf_device *device = ctx;

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
    return KERF_OK;
}
