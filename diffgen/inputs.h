/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inputs.h - what the commands read before they make a delta: the two images, flattened where that is asked for, and
 * what their ELF files say about them.
 */
#ifndef KERF_DIFFGEN_INPUTS_H
#define KERF_DIFFGEN_INPUTS_H

#include "diffgen/diffgen.h"
#include "diffgen/flatten.h"
#include "diffgen/symbols.h"

/* One side. The caller sets path, names_path and flatten, all else is 0. */
struct kerf_input {
    const char *path;       /* "-": standard input; NULL: there is no image on this side */
    const char *names_path; /* its ELF file or linker's map; NULL: none */
    bool flatten;           /* Intel HEX, S-records, UF2, DfuSe and DFU are to be made flat */
    uint8_t *image;
    size_t len;
    struct kerf_flat
        flat; /* format: what the image was flattened from, NULL: it is as it was; `image` moved to above */
    uint8_t *names;
    size_t names_len;
    struct kerf_symbols symbols; /* placed, if of an ELF file */
    struct kerf_diff_hint hint;
};

/*
 * Reads both sides. KERF_ERR_ARGUMENT or KERF_ERR_FORMAT: a file is not what it is given as, or an ELF file is of
 * another program; else as kerf_file_read(). kerf_input_free() in any case.
 */
KERF_MUST_USE kerf_err kerf_inputs_read(struct kerf_input *old_input, struct kerf_input *new_input, size_t max_len,
                                        struct kerf_why *why);
void kerf_input_free(struct kerf_input *input);

#endif
