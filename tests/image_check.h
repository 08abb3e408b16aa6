/* SPDX-License-Identifier: Apache-2.0 */
/* image_check.h - what any result of kerf_image_recognise() must keep to. */
#ifndef KERF_TESTS_IMAGE_CHECK_H
#define KERF_TESTS_IMAGE_CHECK_H

#include "diffgen/image.h"

/* NULL, or what is wrong with the regions and ranges for images of these lengths. */
const char *test_image_check(const struct kerf_image *image, size_t old_len, size_t new_len);

#endif
