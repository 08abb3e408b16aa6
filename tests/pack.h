/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - makes containers for tests and fuzz targets, good ones and bad ones. */
#ifndef KERF_TESTS_PACK_H
#define KERF_TESTS_PACK_H

#include "common/container.h"

/*
 * Writes a container around a payload: header (payload_size and chunk0_len are filled in), chunks, digests. The result
 * is malloc'ed. NULL: the header can't be written.
 */
uint8_t *test_pack(struct kerf_header *header, const struct kerf_region *regions, const struct kerf_range *ranges,
                   const uint8_t *payload, size_t payload_len, size_t *len);

/* A container with a stored payload that turns old into new. */
uint8_t *test_pack_stored(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                          uint32_t chunk_size, size_t *len);

/* Computes the chain of digests anew, after bytes of a container were changed; false: there is no valid header. */
bool test_pack_seal(uint8_t *container, size_t len);

void test_digest(const uint8_t *data, size_t len, struct kerf_sha256_digest *digest);

/*
 * A hash for fuzz targets, a hundred times quicker under sanitizers than SHA-256. Once test_quick_digests is set,
 * test_digest() and the ports of memory_port.h use it in place of SHA-256. `state` starts at TEST_QUICK_START.
 */
#define TEST_QUICK_START 0xcbf29ce484222325u
extern bool test_quick_digests;
uint64_t test_quick_add(uint64_t state, const uint8_t *data, size_t len);
void test_quick_end(uint64_t state, struct kerf_sha256_digest *digest);

/*
 * An image like Thumb code at 0x08000000: functions of 40 bytes that end in a pointer into it. From byte `from` on (a
 * multiple of 4) it is moved by `shift` bytes that are new, and some words are others; SIZE_MAX: the old image. Writes
 * len bytes and `shift`; returns how many.
 */
size_t test_image(uint8_t *image, size_t len, size_t from, size_t shift);

/* Bytes that look like nothing, always the same for a seed. */
void test_noise(uint8_t *buf, size_t len, uint32_t seed);

#endif
