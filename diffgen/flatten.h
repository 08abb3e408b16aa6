/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flatten.h - files that say for each stretch where it goes (Intel HEX, S-records, UF2, DfuSe), as the one stretch of bytes that a
 * device has in its flash.
 *
 * Nothing of the input is trusted: check sums and lengths are checked, and a file that claims addresses far apart is
 * refused rather than filled up. Sources: Intel, "Hexadecimal Object File Format Specification"; Motorola,
 * M68000 Family Programmer's Reference Manual, appendix C (S-records); Microsoft, "USB
 * Flashing Format (UF2)"; ST UM0391 (DfuSe); USB DFU 1.1, appendix B (the suffix).
 */
#ifndef KERF_DIFFGEN_FLATTEN_H
#define KERF_DIFFGEN_FLATTEN_H

#include "common/error.h"
#include "common/host/why.h"
#include "common/types.h"
#include "diffgen/diffgen.h"

/* What is between stretches is filled with bytes of 0xff, as erased flash has them; more than that is refused. */
#define KERF_FLATTEN_FILL_MAX (16u << 20)

struct kerf_flat {
    const char *
        format; /* "Intel HEX", "S-records", "UF2", "DfuSe", "DFU"; NULL: the file is none of them, and is left as it is */
    uint8_t *image; /* malloc'ed, the caller's; followed by KERF_DIFF_PAD zeros */
    size_t len;     /* bytes */
    bool addressed; /* the file says where the image is loaded: */
    uint64_t base;  /* its first byte's address */
};

/*
 * Flattens a file, if it is one of those. `path` is for messages. KERF_ERR_ARGUMENT: it is one, but damaged, or not to
 * be flattened; KERF_ERR_SPACE: longer than max_len; KERF_ERR_RAM. *flat holds nothing after an error.
 */
KERF_MUST_USE kerf_err kerf_flatten(const char *path, const uint8_t *file, size_t len, size_t max_len,
                                    struct kerf_flat *flat, struct kerf_why *why);

/* What kerf_flatten() would take the file for, by its first bytes (and DFU's last): struct kerf_flat, format. */
const char *kerf_flatten_format(const uint8_t *file, size_t len);

#endif
