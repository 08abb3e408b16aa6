/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flash_map_backend.h - stands for the header of this name that MCUboot asks of its ports, so that the example compiles
 * without one: the few functions that it uses, as MCUboot documents them. A product includes its own.
 */
#ifndef KERF_STUB_FLASH_MAP_BACKEND_H
#define KERF_STUB_FLASH_MAP_BACKEND_H

#include <stdint.h>

struct flash_area {
    uint8_t fa_id;
    uint8_t fa_device_id;
    uint16_t pad16;
    uint32_t fa_off;
    uint32_t fa_size;
};

/* 0, or an error. */
int flash_area_open(uint8_t id, const struct flash_area **area);
void flash_area_close(const struct flash_area *area);
int flash_area_read(const struct flash_area *area, uint32_t off, void *dst, uint32_t len);
int flash_area_write(const struct flash_area *area, uint32_t off, const void *src, uint32_t len);
int flash_area_erase(const struct flash_area *area, uint32_t off, uint32_t len);

#endif
