/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flash_port.h - a port over the flash model: the slot, then the spare area. The old image is in memory that never
 * changes, or in place in the slot.
 */
#ifndef KERF_TESTS_FLASH_PORT_H
#define KERF_TESTS_FLASH_PORT_H

#include "common/host/hash.h"
#include "patcher/patcher.h"
#include "tests/flash.h"

struct flash_geometry {
    uint32_t sector, page, unit; /* bytes */
    uint32_t interval;           /* sectors between checkpoints */
};

struct flash_port {
    struct kerf_port port; /* ctx is this struct: not to be moved */
    struct flash *flash;
    const uint8_t *old_image;
    size_t old_len;
    bool in_place;
    uint32_t slot_len;
    struct kerf_hash hash;
};

/*
 * The port for a container with this header, and the flash for it unless `flash` is set up (size is not 0): a slot that
 * holds both images and a spare area that is just large enough. In place the old image is put into the slot. Aborts on
 * failure.
 */
void flash_port_init(struct flash_port *fp, struct flash *flash, const struct kerf_header *header,
                     const struct flash_geometry *geometry, const uint8_t *old_image, size_t old_len);
void flash_port_free(struct flash_port *fp);

#endif
