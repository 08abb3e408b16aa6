/* SPDX-License-Identifier: Apache-2.0 */
#include "diffgen/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "common/host/file.h"
#include "common/isa/isa.h"
#include "diffgen/kerf_diff.h"

static kerf_err flatten(struct kerf_input *in, size_t max_len, struct kerf_why *why)
{
    kerf_err err = kerf_flatten(in->path, in->image, in->len, max_len, &in->flat, why);

    if (err == KERF_OK && in->flat.format != NULL) {
        free(in->image);
        in->image = in->flat.image;
        in->len = in->flat.len;
        in->flat.image = NULL;
        in->hint.base_known = in->flat.addressed;
        in->hint.base = in->flat.base;
    }
    return err;
}

/* RAM that the program's variables take, as ranges; those that overlap or touch are one. */
static void find_ram(struct kerf_input *in)
{
    const struct kerf_symbols *s = &in->symbols;
    struct kerf_diff_hint *hint = &in->hint;

    for (size_t i = 0; i < s->section_count; i++) {
        const struct kerf_section *section = &s->sections[i];
        uint64_t start = section->addr & ~(uint64_t)255;
        uint64_t end = (section->addr + section->len + 255) & ~(uint64_t)255;
        unsigned at = 0;

        if (!section->writable || end <= start) {
            continue;
        }
        while (at < hint->range_count && hint->ranges[at].start + hint->ranges[at].len < start) {
            at++;
        }
        if (at < hint->range_count && hint->ranges[at].start <= end) {
            struct kerf_range *range = &hint->ranges[at];
            uint64_t last = range->start + range->len;

            range->start = (kerf_pos)(start < range->start ? start : range->start);
            range->len = (kerf_pos)(end > last ? end : last) - range->start;
        } else if (hint->range_count < KERF_MAX_RANGES) {
            memmove(&hint->ranges[at + 1], &hint->ranges[at], (hint->range_count - at) * sizeof hint->ranges[0]);
            hint->ranges[at] = (struct kerf_range){(kerf_pos)start, (kerf_pos)(end - start)};
            hint->range_count++;
        }
    }
}

/* Where the image's first byte lies, as its longest section says: code where it runs, data where they are loaded from. */
static void find_base(struct kerf_input *in)
{
    const struct kerf_section *longest = NULL;

    for (size_t i = 0; i < in->symbols.section_count; i++) {
        const struct kerf_section *section = &in->symbols.sections[i];

        if (section->placed && (longest == NULL || section->len > longest->len)) {
            longest = section;
        }
    }
    if (longest != NULL) {
        uint64_t addr = longest->code ? longest->addr : longest->load_addr;

        in->hint.base_known = addr >= longest->pos;
        in->hint.base = addr - longest->pos;
    }
}

static kerf_err read_names(struct kerf_input *in, struct kerf_why *why)
{
    kerf_err err = kerf_file_read(in->names_path, SIZE_MAX, &in->names, &in->names_len, why);

    if (err == KERF_OK) {
        err = kerf_symbols_read(in->names_path, in->names, in->names_len, &in->symbols, why);
    }
    if (err != KERF_OK || !in->symbols.is_elf) {
        return err;
    }
    if (kerf_symbols_place(&in->symbols, in->names, in->names_len, in->image, in->len,
                           in->flat.addressed ? in->flat.base : kerf_symbols_base(&in->symbols)) == 0) {
        kerf_why_set(why, "'%s' is not the program in '%s': none of its sections is in there", in->names_path,
                     in->path);
        return KERF_ERR_ARGUMENT;
    }
    in->hint.isa = in->symbols.isa;
    find_base(in);
    find_ram(in);
    return KERF_OK;
}

static kerf_err read_input(struct kerf_input *in, size_t max_len, struct kerf_why *why)
{
    kerf_err err = KERF_OK;

    in->hint.isa = KERF_ISA_COUNT;
    if (in->path != NULL) {
        err = kerf_file_read(in->path, max_len, &in->image, &in->len, why);
        if (err == KERF_ERR_SPACE && max_len < KERF_DIFF_IMAGE_MAX) {
            kerf_why_set(why,
                         "'%s' is larger than --memory, %zu bytes, and both images are held in memory: give at least a "
                         "third more than their sizes together",
                         in->path, max_len);
        }
    }
    if (err == KERF_OK && in->path != NULL && in->flatten) {
        err = flatten(in, max_len, why);
    }
    return err;
}

kerf_err kerf_inputs_read(struct kerf_input *old_input, struct kerf_input *new_input, size_t max_len,
                          struct kerf_why *why)
{
    kerf_err err = read_input(old_input, max_len, why);

    if (err == KERF_OK) {
        err = read_input(new_input, max_len, why);
    }
    if (err == KERF_OK && new_input->flatten && old_input->flat.format == NULL && new_input->flat.format == NULL) {
        kerf_why_set(why, "--flatten: '%s' is not Intel HEX, S-records, UF2, DfuSe or DFU: leave --flatten out",
                     new_input->path);
        err = KERF_ERR_ARGUMENT;
    }
    if (err == KERF_OK && old_input->names_path != NULL) {
        err = read_names(old_input, why);
    }
    if (err == KERF_OK && new_input->names_path != NULL) {
        err = read_names(new_input, why);
    }
    return err;
}

void kerf_input_free(struct kerf_input *input)
{
    free(input->image);
    free(input->flat.image);
    free(input->names);
    kerf_symbols_free(&input->symbols);
}
