/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies any bytes as a container with the core as devices have it: decoding only, positions of 32 bits. Its header
 * parser takes what hosts refuse (numbers that are too large, regions that overlap), so that the decoder meets what
 * fuzz_patcher can't give it. With some last bytes there is no journal.
 */
#include "tests/fuzz/agree_port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Half noise, half words that look like pointers and calls. */
static const uint8_t *old_image(void)
{
    static uint8_t image[AGREE_SLOT];
    uint32_t x = 1;

    for (size_t i = 0; image[0] == 0 && i < sizeof image; i++) {
        static const uint8_t code[] = {0, 0xf0, 0, 0xf8, 0, 0, 0x00, 0x08};

        x = x * 1664525 + 1013904223;
        image[i] = code[i % 8] != 0 || i % 8 == 6 ? code[i % 8] : (uint8_t)(x >> 24);
    }
    image[0] = 1;
    return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct agree_port device;

    if (len > 0) {
        (void)agree_apply(&device, old_image(), AGREE_SLOT, data, len, data[len - 1] % 4 != 1,
                          (size_t)data[len - 1] * 4 + 1);
    }
    return 0;
}
