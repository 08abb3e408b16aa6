/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an image hold type records of Linux? Their header says how long they are. Source: Linux,
 * Documentation/bpf/btf.rst. Or ELF files? So does theirs.
 */
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

/* Bytes of the ELF file of 64 bits whose header lies at p, by where its last table ends; 0: it is none. */
static uint64_t file_len(const uint8_t *p, size_t rest)
{
    if (rest < 64 || kerf_load_le32(p) != 0x464c457fu || kerf_load_le16(p + 4) != 0x0102u ||
        kerf_load_le32(p + 44) != 0) {
        return 0;
    }
    uint64_t len = (uint64_t)kerf_load_le32(p + 40) + (uint64_t)kerf_load_le16(p + 58) * kerf_load_le16(p + 60);

    return len <= rest ? len : 0;
}

bool kerf_detect_files(const uint8_t *image, size_t len)
{
    uint64_t sum = 0;
    unsigned count = 0;

    for (size_t i = 0; i + 64 <= len; i += 4) {
        uint64_t file = file_len(image + i, len - i);

        sum += file;
        count += file > 0;
    }
    return count > 1 && sum >= len / 4;
}
