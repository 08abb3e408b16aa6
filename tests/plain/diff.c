/* SPDX-License-Identifier: Apache-2.0 */
/* diff OLD NEW DELTA [RAM]: kerf-diff with plain C for libraries (libs.c), for any host with a C compiler. */
#include <stdio.h>
#include <stdlib.h>

#include "diffgen/diffgen.h"

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long end = -1;

    *len = 0;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        end = ftell(file);
        rewind(file);
    }
    if (end >= 0) {
        data = malloc((size_t)end + 1);
        *len = (size_t)end;
    }
    if (data == NULL || fread(data, 1, *len, file) != *len) {
        (void)fprintf(stderr, "diff: can't read '%s'\n", path);
        exit(1);
    }
    (void)fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    struct kerf_diff_options options = {.codec = -1};
    size_t old_len;
    size_t new_len;
    size_t delta_len;
    uint8_t *delta;

    if (argc < 4) {
        (void)fputs("usage: diff OLD NEW DELTA [RAM]\n", stderr);
        return 2;
    }
    options.ram = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    uint8_t *old_image = read_file(argv[1], &old_len);
    uint8_t *new_image = read_file(argv[2], &new_len);
    kerf_err err = kerf_diff_create(old_image, old_len, new_image, new_len, &options, &delta, &delta_len, NULL);
    FILE *file = err == KERF_OK ? fopen(argv[3], "wb") : NULL;

    if (file == NULL || fwrite(delta, 1, delta_len, file) != delta_len || fclose(file) != 0) {
        (void)fprintf(stderr, "diff: error %d\n", (int)err);
        return 1;
    }
    free(old_image);
    free(new_image);
    free(delta);
    return 0;
}
