/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kerf_mcuboot.h - updates by delta under MCUboot, two slots: the application runs from the primary one, the new image
 * is made in the secondary one, MCUboot verifies its signature and swaps.
 *
 *     primary slot                             secondary slot
 *     +--------+------+------+ - - +---------+ +--------+------+------+ - - +---------+
 *     | header | body | TLVs |     | trailer | | header | body | TLVs |     | trailer |
 *     +--------+------+------+ - - +---------+ +--------+------+------+ - - +---------+
 *     |<- old image (size) ->|                 |<- new image -------->|
 *
 * Deltas are made between the files that imgtool signs, without --pad: header, body and TLVs, and nothing of the
 * trailer, whose bytes the boot loader changes.
 */
#ifndef KERF_PORT_EXAMPLES_KERF_MCUBOOT_H
#define KERF_PORT_EXAMPLES_KERF_MCUBOOT_H

#include "common/sha256.h"
#include "patcher/patcher.h"

struct flash_area;

/* The board's flash: numbers of the areas, and sizes in bytes. */
struct kerf_mcuboot_map {
    uint8_t primary, secondary; /* areas */
    uint8_t spare;              /* area of the journal */
    uint32_t sector;            /* erase unit of all of them */
    uint32_t unit;              /* program unit: 1, 2, 4 ... 32 */
    uint32_t trailer;           /* bytes at the end of a slot that are the boot loader's; whole sectors */
};

struct kerf_mcuboot {
    struct kerf_port port; /* for kerf_updater_begin(); ctx is this struct, which is not to be moved */
    struct kerf_mcuboot_map map;
    const struct flash_area *primary, *secondary, *spare;
    struct kerf_sha256 sha;
};

/* Opens the areas and fills in the port. KERF_ERR_FLASH: an area can't be opened. */
KERF_MUST_USE kerf_err kerf_mcuboot_open(struct kerf_mcuboot *m, const struct kerf_mcuboot_map *map);
void kerf_mcuboot_close(struct kerf_mcuboot *m);

/*
 * Size of the image in the primary slot, as its header and TLVs say: what the device tells the server together with the
 * digest of that many bytes. KERF_ERR_SOURCE: there is no image.
 */
KERF_MUST_USE kerf_err kerf_mcuboot_image_size(struct kerf_mcuboot *m, uint32_t *size);

/*
 * Before kerf_updater_begin(): erases the secondary slot's trailer, so that no older request to swap stands while the
 * slot is half written. Does nothing where it is erased already.
 */
KERF_MUST_USE kerf_err kerf_mcuboot_prepare(struct kerf_mcuboot *m);

/* After KERF_END: asks for a trial boot of the new image. It confirms itself with boot_set_confirmed() once it works. */
KERF_MUST_USE kerf_err kerf_mcuboot_activate(struct kerf_mcuboot *m);

#endif
