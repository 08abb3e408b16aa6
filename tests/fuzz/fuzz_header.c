/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any bytes as a header; what is accepted must be written and read back as the same. */
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kerf_header h;
    struct kerf_header again;
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
    struct kerf_chunk chunk;
    uint8_t buf[KERF_PROLOGUE_LEN + KERF_HEADER_MAX_LEN];
    size_t again_len;

    if (kerf_header_parse(data, len, &h) != KERF_OK) {
        return 0;
    }
    require(kerf_header_tables(data, &h, regions, ranges) == KERF_OK);
    require(kerf_chunk_first(&h, &chunk) == KERF_OK);
    require(kerf_header_workspace(&h) < SIZE_MAX);
    for (unsigned i = 0; i < h.region_count; i++) {
        require(regions[i].old_len <= h.old_size && regions[i].old_pos <= h.old_size - regions[i].old_len);
        require(regions[i].new_len <= h.new_size && regions[i].new_pos <= h.new_size - regions[i].new_len);
    }
    again = h;
    require(kerf_header_write(&again, regions, ranges, buf, sizeof buf, &again_len) == KERF_OK);
    require(again_len <= h.header_len);
    require(kerf_header_parse(buf, again_len, &again) == KERF_OK);
    require(again.old_size == h.old_size && again.new_size == h.new_size && again.payload_size == h.payload_size);
    require(memcmp(&again.new_digest, &h.new_digest, sizeof h.new_digest) == 0);
    return 0;
}
