/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file or a map of any bytes, and an image: the first byte is how much of the rest (in 256ths) is the image, the
 * end of the same bytes. What is read must be in order: symbols ascending, apart from each other, inside their
 * sections, which lie inside the image where they are placed.
 */
#include <stdlib.h>
#include <string.h>

#include "diffgen/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct kerf_symbols *s, size_t image_len)
{
    uint64_t end = 0;

    for (size_t i = 0; i < s->section_count; i++) {
        const struct kerf_section *section = &s->sections[i];

        if (section->placed && (section->pos > image_len || section->len > image_len - section->pos)) {
            abort();
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct kerf_symbol *symbol = &s->list[i];

        if (symbol->section >= s->section_count || symbol->len == 0 || symbol->addr < end ||
            symbol->addr < s->sections[symbol->section].addr || strlen(kerf_symbols_name(s, symbol->name)) > 400) {
            abort();
        }
        end = symbol->addr + symbol->len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kerf_symbols symbols;
    struct kerf_why why;

    if (len < 1) {
        return 0;
    }
    size_t image_len = (len - 1) * data[0] / 255;
    /* Copies of the exact length, so that a read past the end is seen. */
    uint8_t *file = malloc(len > 1 ? len - 1 : 1);
    uint8_t *image = malloc(image_len + 1);

    if (file != NULL && image != NULL) {
        memcpy(file, data + 1, len - 1);
        memcpy(image, data + len - image_len, image_len);
        if (kerf_symbols_read("x", file, len - 1, &symbols, &why) == KERF_OK) {
            uint64_t base = kerf_symbols_base(&symbols);
            const struct kerf_symbols_range ranges[] = {
                {0, image_len / 2, base}, {image_len / 2, image_len - image_len / 2, base + 256u * data[0]}};

            check(&symbols, SIZE_MAX);
            if (symbols.is_elf) {
                (void)kerf_symbols_place(&symbols, file, len - 1, image, image_len, base);
            } else {
                (void)kerf_symbols_place_map(&symbols, ranges, 2);
            }
            check(&symbols, image_len);
        }
        kerf_symbols_free(&symbols);
    }
    free(file);
    free(image);
    return 0;
}
