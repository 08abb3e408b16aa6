/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two images of any bytes: the first byte is how the rest is divided (in 256ths), the second a hint (low 4 bits: an
 * ISA, others none; bit 7: a load address, the next four bytes). What is recognised must fit both images, in either
 * order.
 */
#include "tests/image_check.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                  const struct kerf_diff_options *options)
{
    struct kerf_image image;
    struct kerf_image whole;

    if (kerf_image_recognise(old_image, old_len, new_image, new_len, options, &whole, &image) != KERF_OK ||
        test_image_check(&image, old_len, new_len) != NULL ||
        (image.in_parts && test_image_check(&whole, old_len, new_len) != NULL)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kerf_diff_options options;

    if (len < 6) {
        return 0;
    }
    memset(&options, 0, sizeof(options));
    options.isa = kerf_isa_name(data[1] & 15u);
    options.base_known = data[1] >> 7 != 0;
    options.base = kerf_load_le32(data + 2);

    size_t rest = len - 6;
    size_t old_len = rest * data[0] / 255;
    /* Copies of the exact length, so that a read past the end is seen. */
    uint8_t *old_image = malloc(old_len > 0 ? old_len : 1);
    uint8_t *new_image = malloc(rest > old_len ? rest - old_len : 1);

    if (old_image != NULL && new_image != NULL) {
        memcpy(old_image, data + 6, old_len);
        memcpy(new_image, data + 6 + old_len, rest - old_len);
        check(old_image, old_len, new_image, rest - old_len, &options);
        check(new_image, rest - old_len, old_image, old_len, &options);
    }
    free(old_image);
    free(new_image);
    return 0;
}
