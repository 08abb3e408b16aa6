/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standalone.c - main() for a fuzz target that is not linked with libFuzzer: replays every file of the folders and
 * files on the command line, then bends each a little in a fixed way (cut short, one byte changed, repeated), so that a
 * run is the same everywhere. Exit 1 when there was nothing to replay: a test that tests nothing must not pass.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    MAX_VARIANTS = 512 /* of each kind per file: keeps long seeds cheap */
};

static size_t runs;

/* Each input lies in a block of its exact size, so that a sanitizer sees one byte too many. */
static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL) {
        (void)fprintf(stderr, "out of memory\n");
        exit(1);
    }
    if (len > 0) {
        memcpy(copy, data, len);
    }
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    runs++;
}

static void run_variants(uint8_t *data, size_t len)
{
    static const uint8_t bend[] = {0x01, 0x80, 0xff, 0x7f};
    size_t step = len / MAX_VARIANTS + 1;

    run(data, len);
    for (size_t cut = 0; cut < len; cut += step) {
        run(data, cut);
    }
    for (size_t i = 0; i < len; i += step) {
        for (size_t b = 0; b < sizeof(bend); b++) {
            data[i] ^= bend[b];
            run(data, len);
            data[i] ^= bend[b];
        }
    }
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *data;
    size_t len;

    if (f == NULL || fstat(fileno(f), &st) != 0) {
        perror(path);
        return 1;
    }
    len = (size_t)st.st_size;
    data = malloc(2 * len + 1);
    if (data == NULL || fread(data, 1, len, f) != len) {
        (void)fprintf(stderr, "%s: can't be read\n", path);
        return 1;
    }
    (void)fclose(f);
    run_variants(data, len);
    memcpy(data + len, data, len); /* trailing bytes */
    run(data, 2 * len);
    free(data);
    return 0;
}

static int run_path(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int bad = 0;

    if (dir == NULL) {
        return run_file(path);
    }
    while (bad == 0 && (entry = readdir(dir)) != NULL) {
        char name[4096];

        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        bad = run_file(name);
    }
    (void)closedir(dir);
    return bad;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (run_path(argv[i]) != 0) {
            return 1;
        }
    }
    if (runs == 0) {
        (void)fprintf(stderr, "nothing to replay: name files or folders of inputs\n");
        return 1;
    }
    (void)printf("%zu inputs replayed\n", runs);
    return 0;
}
