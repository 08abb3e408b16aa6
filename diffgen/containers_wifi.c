/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware of MediaTek's Wi-Fi: patches of its ROM, sections behind a big-endian header; and what is loaded into its RAM,
 * regions from the file's first byte on, told by a table and a trailer at its end. Source: Linux,
 * drivers/net/wireless/mediatek/mt76/mt76_connac_mcu.h (mt76_connac2_patch_hdr, mt76_connac2_fw_trailer).
 */
#include <string.h>

#include "common/bytes.h"
#include "diffgen/detect.h"

/* Bytes of these, and parts looked at; real files have fewer. */
#define PATCH_HEADER 96u
#define PATCH_SECTION 64u
#define RAM_TRAILER 36u
#define RAM_REGION 40u
#define RAM_SUMS 1024u /* at most, between the last region and the table: check sums */
#define MAX_PARTS 16u
#define LOADED 2u    /* lower half of a section's type: it has an address */
#define ENCRYPTED 1u /* of a region's features */
#define LIMITS 2u    /* a region's type: what each country allows, for the driver */

static bool read_patch(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    if (len < PATCH_HEADER || memcmp(image + 16, "ALPS", 4) != 0) {
        return false;
    }
    uint32_t sections = kerf_load_be32(image + 44);

    if (sections == 0 || sections > MAX_PARTS || (len - PATCH_HEADER) / PATCH_SECTION < sections) {
        return false;
    }
    for (uint32_t i = 0; i < sections; i++) {
        const uint8_t *at = image + PATCH_HEADER + (size_t)PATCH_SECTION * i;

        if ((kerf_load_be32(at) & 0xffff) == LOADED) {
            kerf_layout_add(layout, len, kerf_load_be32(at + 4), kerf_load_be32(at + 8), kerf_load_be32(at + 12), true);
        }
    }
    return layout->span_count > 0;
}

static bool read_ram(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    unsigned regions = len < RAM_TRAILER ? 0 : image[len - RAM_TRAILER + 2];
    uint64_t sum = 0;

    if (regions == 0 || regions > MAX_PARTS || (len - RAM_TRAILER) / RAM_REGION < regions) {
        return false;
    }
    const uint8_t *table = image + len - RAM_TRAILER - (size_t)RAM_REGION * regions;

    for (unsigned i = 0; i < regions; i++) {
        sum += kerf_load_le32(table + (size_t)RAM_REGION * i + 20);
    }
    if (sum > (uint64_t)(table - image) || (uint64_t)(table - image) - sum > RAM_SUMS) {
        return false;
    }
    sum = 0;
    for (unsigned i = 0; i < regions; i++) {
        const uint8_t *at = table + (size_t)RAM_REGION * i;
        uint32_t region_len = kerf_load_le32(at + 20);

        if ((at[24] & ENCRYPTED) == 0 && at[25] != LIMITS) {
            kerf_layout_add(layout, len, sum, region_len, kerf_load_le32(at + 16), true);
        }
        sum += region_len;
    }
    return layout->span_count > 0;
}

bool kerf_container_read_wifi(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    if (!read_patch(image, len, layout) && !read_ram(image, len, layout)) {
        return false;
    }
    layout->container = "MediaTek Wi-Fi";
    layout->addressed = true;
    return true;
}
