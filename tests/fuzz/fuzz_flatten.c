/* SPDX-License-Identifier: Apache-2.0 */
/* A file of any bytes. What comes out is an image within the limit, or nothing and a line that says why. */
#include <stdlib.h>
#include <string.h>

#include "diffgen/flatten.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MAX_LEN ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kerf_flat flat;
    struct kerf_why why = {""};
    uint8_t *file = malloc(len > 0 ? len : 1); /* of the exact length, so that a read past the end is seen */

    if (file == NULL) {
        return 0;
    }
    if (len > 0) {
        memcpy(file, data, len);
    }
    kerf_err err = kerf_flatten("x", file, len, MAX_LEN, &flat, &why);

    if (err == KERF_OK && flat.format == NULL && flat.image != NULL) {
        abort();
    }
    if (err == KERF_OK && flat.format != NULL &&
        (flat.image == NULL || flat.len == 0 || flat.len > MAX_LEN || flat.base > UINT32_MAX)) {
        abort();
    }
    if (err != KERF_OK && (flat.image != NULL || why.text[0] == '\0')) {
        abort();
    }
    free(flat.image);
    free(file);
    return 0;
}
