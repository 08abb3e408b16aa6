/* SPDX-License-Identifier: Apache-2.0 */
/* Where in the image the sections of a program are: tried where they should be, looked for otherwise. */
#include <string.h>

#include "diffgen/symbols.h"

/* Shorter sections are not looked for: their bytes are anywhere. */
#define SEARCH_MIN 32u
#define SAMPLE_LEN 32u
#define SAMPLES 8u

struct place {
    struct kerf_symbols *symbols;
    const uint8_t *file, *image;
    size_t image_len;
    uint64_t base;
};

/*
 * Are the section's bytes at `pos`? Most suffice: programs are stamped with digests, versions and check sums after they
 * were linked.
 */
static bool is_at(const struct place *p, const struct kerf_section *section, uint64_t pos)
{
    const uint8_t *bytes = p->file + section->file_pos;
    size_t different = 0;

    if (pos > p->image_len || section->len > p->image_len - pos) {
        return false;
    }
    for (size_t i = 0; i < section->len && different <= section->len / 8; i++) {
        different += bytes[i] != p->image[pos + i];
    }
    return different <= section->len / 8;
}

/* Enough different bytes to be found at one place alone. */
static bool is_telling(const uint8_t *sample)
{
    bool seen[256] = {false};
    unsigned kinds = 0;

    for (unsigned i = 0; i < SAMPLE_LEN; i++) {
        kinds += !seen[sample[i]];
        seen[sample[i]] = true;
    }
    return kinds >= 10;
}

static bool search(const struct place *p, const struct kerf_section *section, uint64_t *pos)
{
    const uint8_t *bytes = p->file + section->file_pos;

    for (unsigned i = 0; i < SAMPLES && section->len >= SEARCH_MIN; i++) {
        size_t at = (size_t)(section->len - SAMPLE_LEN) * i / SAMPLES;
        const uint8_t *from = p->image;
        const uint8_t *end = p->image + p->image_len;

        while (is_telling(bytes + at) && (size_t)(end - from) >= SAMPLE_LEN) {
            const uint8_t *hit = memchr(from, bytes[at], (size_t)(end - from) - (SAMPLE_LEN - 1));

            if (hit == NULL) {
                break;
            }
            if (memcmp(hit, bytes + at, SAMPLE_LEN) == 0 && (size_t)(hit - p->image) >= at) {
                *pos = (uint64_t)(hit - p->image) - at;
                if (is_at(p, section, *pos)) {
                    return true;
                }
                break; /* repeated bytes: another sample may tell more */
            }
            from = hit + 1;
        }
    }
    return false;
}

/* As far from another section's place as their addresses are apart. */
static bool beside(const struct place *p, const struct kerf_section *section, uint64_t *pos)
{
    for (size_t i = 0; i < p->symbols->section_count; i++) {
        const struct kerf_section *other = &p->symbols->sections[i];

        if (other->placed) {
            *pos = section->load_addr - other->load_addr + other->pos;
            if (is_at(p, section, *pos)) {
                return true;
            }
        }
    }
    return false;
}

static bool find(const struct place *p, const struct kerf_section *section, uint64_t *pos)
{
    *pos = section->load_addr - p->base;
    if (is_at(p, section, *pos)) {
        return true;
    }
    *pos = section->file_pos;
    return is_at(p, section, *pos) || beside(p, section, pos) || search(p, section, pos);
}

uint64_t kerf_symbols_place(struct kerf_symbols *symbols, const uint8_t *file, size_t file_len, const uint8_t *image,
                            size_t image_len, uint64_t base)
{
    struct place p = {symbols, file, image, image_len, base};
    uint64_t placed = 0;

    /* The longest first: they are the surest, and the others lie beside them. */
    for (size_t n = 0; n < symbols->section_count; n++) {
        struct kerf_section *longest = NULL;

        for (size_t i = 0; i < symbols->section_count; i++) {
            struct kerf_section *section = &symbols->sections[i];

            if (section->filled && !section->tried && (longest == NULL || section->len > longest->len)) {
                longest = section;
            }
        }
        if (longest == NULL) {
            break;
        }
        longest->tried = true;
        if (longest->file_pos > file_len || longest->len > file_len - longest->file_pos) {
            continue;
        }
        longest->placed = find(&p, longest, &longest->pos);
        placed += longest->placed ? longest->len : 0;
    }
    return placed;
}

uint64_t kerf_symbols_place_map(struct kerf_symbols *symbols, const struct kerf_symbols_range *ranges,
                                size_t range_count)
{
    uint64_t placed = 0;

    for (size_t i = 0; i < symbols->section_count; i++) {
        struct kerf_section *section = &symbols->sections[i];

        for (size_t k = 0; k < range_count && section->filled && !section->placed; k++) {
            uint64_t inside = section->load_addr - ranges[k].addr;

            if (inside < ranges[k].len) {
                section->placed = true;
                section->pos = ranges[k].pos + inside;
                section->len = section->len < ranges[k].len - inside ? section->len : ranges[k].len - inside;
                placed += section->len;
            }
        }
    }
    return placed;
}
