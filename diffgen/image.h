/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - what the two images are: instruction sets, load addresses, address ranges, found from the bytes alone.
 */
#ifndef KERF_DIFFGEN_IMAGE_H
#define KERF_DIFFGEN_IMAGE_H

#include "common/container.h"
#include "common/isa/isa.h"
#include "diffgen/diffgen.h"

struct kerf_image {
    unsigned region_count;
    unsigned range_count;
    bool in_parts;                                /* parts of one file seem to be loaded at addresses of their own */
    struct kerf_region regions[KERF_MAX_REGIONS]; /* sorted by old_pos and by new_pos; `kinds`: all that the ISA has */
    struct kerf_range ranges[KERF_MAX_RANGES];    /* start and len are multiples of 256 */
    char recognised[256];                         /* one line for people */
};

/*
 * Recognises both images. The result is a function of the bytes and the hints (options->isa, base). Nothing recognised
 * leaves region_count 0. whole: also parts of one file that are loaded at addresses of their own are looked for, which
 * need not pay: image->in_parts says that there are some, and *whole is the result without them; NULL: they are not.
 * KERF_ERR_ARGUMENT: an unknown ISA name.
 */
KERF_MUST_USE kerf_err kerf_image_recognise(const uint8_t *old_image, size_t old_len, const uint8_t *new_image,
                                            size_t new_len, const struct kerf_diff_options *options,
                                            struct kerf_image *whole, struct kerf_image *image);

/* Name of an ISA as --isa takes it and reports print it; NULL for an unknown number. */
const char *kerf_isa_name(unsigned isa);

#endif
