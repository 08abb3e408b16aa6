/* SPDX-License-Identifier: Apache-2.0 */
/* Integers one after the other: what is accepted must be written back as the very same bytes, for one form alone is valid. */
#include "common/varint.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t pos = 0;

    while (pos < len) {
        const size_t start = pos;
        uint8_t again[KERF_VARINT_MAX_LEN];
        size_t again_len = 0;
        uint64_t v;

        if (kerf_varint_get(data, len, &pos, &v) != KERF_OK) {
            if (pos != start) {
                abort();
            }
            break;
        }
        if (kerf_varint_put(again, sizeof(again), &again_len, v) != KERF_OK || again_len != pos - start ||
            memcmp(again, data + start, again_len) != 0 || kerf_zigzag(kerf_unzigzag(v)) != v) {
            abort();
        }
    }
    return 0;
}
