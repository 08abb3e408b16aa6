/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/bare/selftest.h"
#include "common/bytes.h"
#include "common/sha256.h"

#include <string.h>

/* FIPS 180-4's example: SHA-256 of "abc". */
static const uint8_t sha256_abc[KERF_SHA256_LEN] = {
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};

static bool sha256_works(void)
{
    static const uint8_t abc[3] = {'a', 'b', 'c'};
    struct kerf_sha256 sha;
    struct kerf_sha256_digest digest;

    kerf_sha256_init(&sha);
    for (size_t i = 0; i < sizeof(abc); i++) {
        kerf_sha256_add(&sha, abc + i, 1);
    }
    kerf_sha256_end(&sha, &digest);
    return memcmp(digest.b, sha256_abc, sizeof(digest.b)) == 0;
}

static bool bytes_work(void)
{
    uint8_t b[8];

    kerf_store_le64(b, 0x0123456789abcdefu);
    return b[0] == 0xef && kerf_load_le32(b + 4) == 0x01234567u && kerf_load_be32(b) == 0xefcdab89u;
}

kerf_err kerf_selftest(void)
{
    return sha256_works() && bytes_work() ? KERF_OK : KERF_ERR_STATE;
}
