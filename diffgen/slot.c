/* SPDX-License-Identifier: Apache-2.0 */
/* What the one slot of an in-place update holds at every moment: old, overwritten by new group by group. */
#include <string.h>

#include "diffgen/work.h"

kerf_err kerf_slot_open(struct kerf_slot *slot, const uint8_t *old_image, size_t old_len,
                        const struct kerf_header *header)
{
    size_t len = (size_t)kerf_header_sectors(header) << header->sector_log2;

    memset(slot, 0, sizeof *slot);
    slot->new_len = (size_t)header->new_size;
    slot->sector_log2 = header->sector_log2;
    slot->group = header->group;
    slot->bytes = malloc(len + KERF_PAD);
    slot->waiting = malloc(header->group * sizeof *slot->waiting);
    if (slot->bytes == NULL || slot->waiting == NULL) {
        return KERF_ERR_RAM;
    }
    memset(slot->bytes, 0xff, len + KERF_PAD);
    memcpy(slot->bytes, old_image, old_len);
    return KERF_OK;
}

void kerf_slot_sector(struct kerf_slot *slot, const uint8_t *new_image, size_t sector)
{
    slot->waiting[slot->waiting_len++] = sector;
    if (slot->waiting_len < slot->group) {
        return;
    }
    for (; slot->waiting_len > 0; slot->waiting_len--) {
        size_t pos = slot->waiting[slot->waiting_len - 1] << slot->sector_log2;
        size_t len = slot->new_len - pos < (size_t)1 << slot->sector_log2 ? slot->new_len - pos
                                                                          : (size_t)1 << slot->sector_log2;

        memcpy(slot->bytes + pos, new_image + pos, len);
    }
}

void kerf_slot_keep(struct kerf_slot *slot, const uint8_t *bytes, size_t sector)
{
    memcpy(slot->bytes + (sector << slot->sector_log2), bytes, (size_t)1 << slot->sector_log2);
}

void kerf_slot_close(struct kerf_slot *slot)
{
    free(slot->bytes);
    free(slot->waiting);
    slot->bytes = NULL;
    slot->waiting = NULL;
}
