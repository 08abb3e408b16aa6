/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pack.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/sha256.h"

bool test_quick_digests;

uint64_t test_quick_add(uint64_t state, const uint8_t *data, size_t len)
{
    /* FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo): the same whatever the pieces. */
    for (size_t i = 0; i < len; i++) {
        state = (state ^ data[i]) * 0x100000001b3u;
    }
    return state;
}

void test_quick_end(uint64_t state, struct kerf_sha256_digest *digest)
{
    for (size_t i = 0; i < sizeof digest->b; i++) {
        digest->b[i] = (uint8_t)(state >> (i % 8 * 8));
    }
}

void test_digest(const uint8_t *data, size_t len, struct kerf_sha256_digest *digest)
{
    struct kerf_sha256 s;

    if (test_quick_digests) {
        test_quick_end(test_quick_add(TEST_QUICK_START, data, len), digest);
        return;
    }

    kerf_sha256_init(&s);
    if (len > 0) {
        kerf_sha256_add(&s, data, len);
    }
    kerf_sha256_end(&s, digest);
}

void test_noise(uint8_t *buf, size_t len, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        buf[i] = (uint8_t)(x >> 11);
    }
}

bool test_pack_seal(uint8_t *container, size_t len)
{
    struct kerf_header h;
    struct kerf_chunk first;
    struct kerf_sha256_digest digest;
    size_t start;
    size_t end = len;

    if (kerf_header_parse(container, len, &h) != KERF_OK || kerf_chunk_first(&h, &first) != KERF_OK ||
        first.len > len) {
        return false;
    }
    if (first.last || len == first.len) {
        return true;
    }
    /* From the last chunk back to the second: its digest goes to the front of the one before it. */
    for (start = first.len + (len - 1 - first.len) / h.chunk_size * h.chunk_size; start > first.len;
         start -= h.chunk_size) {
        test_digest(container + start, end - start, &digest);
        memcpy(container + start - KERF_DIGEST_LEN, digest.b, KERF_DIGEST_LEN);
        end = start;
    }
    test_digest(container + start, end - start, &digest);
    memcpy(container + start - KERF_DIGEST_LEN, digest.b, KERF_DIGEST_LEN);
    return true;
}

uint8_t *test_pack(struct kerf_header *header, const struct kerf_region *regions, const struct kerf_range *ranges,
                   const uint8_t *payload, size_t payload_len, size_t *len)
{
    struct kerf_chunk chunk;
    uint8_t *file = malloc(512 + payload_len + payload_len / (KERF_CHUNK_MIN - KERF_DIGEST_LEN) * KERF_DIGEST_LEN);
    size_t pos;
    size_t left = payload_len;

    header->payload_size = (kerf_pos)payload_len;
    header->chunk0_len = 0;
    if (file == NULL || kerf_header_write(header, regions, ranges, file, 256, &pos) != KERF_OK ||
        kerf_chunk_first(header, &chunk) != KERF_OK) {
        free(file);
        return NULL;
    }
    for (;;) {
        if (chunk.payload_len > 0) {
            memcpy(file + pos, payload + (payload_len - left), chunk.payload_len);
        }
        pos += chunk.payload_len;
        left -= chunk.payload_len;
        if (chunk.last) {
            break;
        }
        memset(file + pos, 0, KERF_DIGEST_LEN);
        pos += KERF_DIGEST_LEN;
        kerf_chunk_next(header, (kerf_pos)left, &chunk);
    }
    *len = pos;
    if (!test_pack_seal(file, pos)) {
        abort();
    }
    return file;
}

uint8_t *test_pack_stored(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                          uint32_t chunk_size, size_t *len)
{
    struct kerf_header h;
    struct kerf_sha256_digest digest;

    memset(&h, 0, sizeof h);
    h.codec = KERF_CODEC_STORED;
    h.old_size = (kerf_pos)old_len;
    h.new_size = (kerf_pos)new_len;
    h.chunk_size = chunk_size;
    test_digest(old_image, old_len, &digest);
    memcpy(h.old_digest.b, digest.b, KERF_DIGEST_LEN);
    test_digest(new_image, new_len, &digest);
    memcpy(h.new_digest.b, digest.b, KERF_DIGEST_LEN);
    return test_pack(&h, NULL, NULL, new_image, new_len, len);
}

size_t test_image(uint8_t *image, size_t len, size_t from, size_t shift)
{
    size_t out = 0;

    for (size_t pos = 0; pos < len; pos += 4) {
        uint32_t word;

        if (pos == from) {
            test_noise(image + out, shift, 5);
            out += shift;
        }
        test_noise((uint8_t *)&word, sizeof word, (uint32_t)pos / 40 * 7 + (uint32_t)pos % 40);
        if (pos % 40 == 0) {
            word = 0xb510b500; /* push {lr}; push {r4, lr} */
        } else if (pos % 40 == 36) {
            uint32_t target = (uint32_t)(pos * 7 % len) & ~3u;

            word = 0x08000001u + target + (target >= from ? (uint32_t)shift : 0);
        }
        kerf_store_le32(image + out, word ^ (pos % 1000 == 500 && from < len ? 0x55u : 0));
        out += 4;
    }
    return out;
}
