/* SPDX-License-Identifier: Apache-2.0 */
/* Does an image hold type records of Linux? Their header says how long they are. Source: Linux, Documentation/bpf/btf.rst. */
#include "common/bytes.h"
#include "diffgen/detect.h"

#define MAGIC 0x0001eb9fu /* version 1, no flags */
#define HEADER_LEN 24u

bool kerf_detect_btf(const uint8_t *image, size_t len)
{
    for (size_t i = 0; i + HEADER_LEN <= len; i += 4) {
        if (kerf_load_le32(image + i) != MAGIC || kerf_load_le32(image + i + 4) != HEADER_LEN) {
            continue;
        }
        uint64_t types_len = kerf_load_le32(image + i + 12);

        if (kerf_load_le32(image + i + 8) == 0 && types_len > 0 && types_len % 4 == 0 &&
            types_len <= len - i - HEADER_LEN) {
            return true;
        }
    }
    return false;
}
