/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies any bytes as a container: first as they are, then with a header and digests mended so that the payload
 * reaches the decoder. The port checks that nothing outside of the images is asked for, the sanitizers the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "common/sha256.h"
#include "tests/memory_port.h"
#include "tests/pack.h"

#define IMAGE_MAX 8192
#define NEW_MAX 1024 /* of what is decoded: many short runs find more than few long ones */
#define WORKSPACE_MAX ((size_t)1 << 15)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The old image is the same for every input: half of it noise, half words that look like pointers and calls. */
static const uint8_t *old_image(void)
{
    static uint8_t image[IMAGE_MAX];

    if (image[0] == 0) {
        test_noise(image, sizeof image, 7);
        for (size_t i = 0; i < sizeof image; i += 8) {
            image[i + 1] = 0xf0; /* Thumb BL */
            image[i + 3] = 0xf8;
            image[i + 6] = 0x00;
            image[i + 7] = 0x08; /* 0x08000000 */
        }
        image[0] = 1;
    }
    return image;
}

/* test_digest() of so many of its bytes: no input has it hash them again. */
static void old_digest(kerf_pos len, struct kerf_sha256_digest *digest)
{
    static uint64_t states[IMAGE_MAX + 1];

    if (states[0] == 0) {
        states[0] = TEST_QUICK_START;
        for (size_t i = 0; i < IMAGE_MAX; i++) {
            states[i + 1] = test_quick_add(states[i], old_image() + i, 1);
        }
    }
    test_quick_end(states[len], digest);
}

static void apply(const uint8_t *delta, size_t len, size_t piece)
{
    struct memory_port m;
    size_t workspace_len;

    memory_port_init(&m, old_image(), IMAGE_MAX, NEW_MAX, 64, 256);
    workspace_len = memory_port_workspace(&m, delta, len);
    if (workspace_len <= WORKSPACE_MAX) {
        (void)memory_port_apply(&m, delta, len, piece, NULL, 0, workspace_len, NULL);
    }
    memory_port_free(&m);
}

/* Makes new no larger than NEW_MAX, and its regions with it. */
static void shrink(struct kerf_header *h, struct kerf_region *regions)
{
    kerf_pos size = h->new_size;

    if (size <= NEW_MAX) {
        return;
    }
    h->new_size = NEW_MAX;
    for (unsigned i = 0; i < h->region_count; i++) {
        regions[i].new_pos = regions[i].new_pos * NEW_MAX / size;
        regions[i].new_len = regions[i].new_len * NEW_MAX / size;
    }
}

/* The same header and payload with sizes and digests that hold. */
static void apply_mended(const uint8_t *data, size_t len, size_t piece)
{
    struct kerf_header h;
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
    struct kerf_sha256_digest digest;
    const uint8_t *payload;
    size_t payload_len;
    uint8_t *delta;

    if (kerf_header_parse(data, len, &h) != KERF_OK || h.old_size > IMAGE_MAX || h.new_size > IMAGE_MAX ||
        kerf_header_tables(data, &h, regions, ranges) != KERF_OK) {
        return;
    }
    shrink(&h, regions);
    payload = data + h.header_len;
    payload_len = len - h.header_len;
    if (h.codec == KERF_CODEC_STORED) {
        h.new_size = (kerf_pos)payload_len;
    }
    old_digest(h.old_size, &digest);
    memcpy(h.old_digest.b, digest.b, KERF_DIGEST_LEN);
    delta = test_pack(&h, regions, ranges, payload, payload_len, &len);
    if (delta != NULL) {
        apply(delta, len, piece);
        free(delta);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    /* The last byte says how the input is cut; it stays part of it. */
    size_t piece = len > 0 ? (size_t)data[len - 1] * 4 + 1 : 1;

    test_quick_digests = true;
    apply(data, len, piece);
    apply_mended(data, len, piece);
    return 0;
}
