/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever kind of file names come in. */
#include "diffgen/symbols.h"

#include <string.h>

#include "common/isa/isa.h"

kerf_err kerf_symbols_read(const char *path, const uint8_t *file, size_t len, struct kerf_symbols *symbols,
                           struct kerf_why *why)
{
    bool elf = len >= 4 && memcmp(file, "\177ELF", 4) == 0;

    memset(symbols, 0, sizeof *symbols);
    symbols->isa = KERF_ISA_COUNT;
    symbols->is_elf = elf;
    kerf_err err = elf ? kerf_symbols_read_elf(file, len, symbols)
                       : kerf_symbols_read_map((const char *)file, len, symbols);

    if (err == KERF_OK) {
        err = kerf_symbols_finish(symbols);
    }
    if (err == KERF_OK && symbols->section_count == 0) {
        err = KERF_ERR_FORMAT;
    }
    if (err == KERF_ERR_FORMAT) {
        kerf_why_set(
            why,
            elf ? "'%s' is an ELF file without sections: give one that was not stripped of them"
                : "'%s' is neither an ELF file nor a map of GNU ld or LLVM lld: give the one the image was made of",
            path);
    }
    return err;
}
