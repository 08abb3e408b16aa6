/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.h - what lies where in an image, by names: the sections and symbols of an ELF file (32 and 64 bits, either
 * byte order) or of a linker's map (GNU ld, LLVM lld), and where in the image's file their bytes are.
 *
 * Nothing of the input is trusted; what contradicts itself is left out. Memory is malloc'ed, and freed by
 * kerf_symbols_free(), also after an error.
 */
#ifndef KERF_DIFFGEN_SYMBOLS_H
#define KERF_DIFFGEN_SYMBOLS_H

#include "common/error.h"
#include "common/host/why.h"
#include "common/types.h"

/* More than that of either are left out: no program that fits a device has them. */
#define KERF_SYMBOLS_MAX 1000000u
#define KERF_SECTIONS_MAX 4096u

/* A section that takes memory when the program runs. */
struct kerf_section {
    uint32_t name;      /* for kerf_symbols_name() */
    bool code, filled;  /* executable; has bytes in the image (.bss has none) */
    bool writable;      /* data that the program changes: RAM */
    bool placed, tried; /* pos is known; it was looked for */
    uint64_t addr, len; /* where the program sees it; bytes */
    uint64_t load_addr; /* where its bytes are loaded: the image is addressed by these */
    uint64_t file_pos;  /* of an ELF file: where its bytes are in that */
    uint64_t pos;       /* where its bytes are in the image */
};

/* A function, a variable, or an object file's part of a section. */
struct kerf_symbol {
    uint32_t name;
    uint32_t section;   /* index */
    uint64_t addr, len; /* len 0: up to the next one; kerf_symbols_finish() sets it */
    bool part;          /* an object file's part of a section: a symbol at its address names it better */
};

/* A stretch of an image, and where it is loaded. */
struct kerf_symbols_range {
    uint64_t pos, len, addr; /* addr: of its first byte */
};

struct kerf_symbols {
    struct kerf_section *sections;
    size_t section_count, section_cap;
    struct kerf_symbol *list; /* ascending by addr, not overlapping, after kerf_symbols_finish() */
    size_t count, cap;
    char *names;
    size_t names_len, names_cap;
    uint8_t isa;     /* what an ELF file says: enum kerf_isa_id; KERF_ISA_COUNT: it leaves that open */
    bool is_elf;     /* of an ELF file, not of a map */
    bool big_endian; /* as an ELF file says */
};

/*
 * Reads an ELF file or a map: which of the two it is, its first bytes say. `path` is for messages. KERF_ERR_FORMAT:
 * neither, or without sections; KERF_ERR_RAM.
 */
KERF_MUST_USE kerf_err kerf_symbols_read(const char *path, const uint8_t *file, size_t len,
                                         struct kerf_symbols *symbols, struct kerf_why *why);

/*
 * Finds where in the image the sections' bytes are. Of an ELF file (`file`, the same as was read) by what they are: at
 * their load address less `base`, at their place in the ELF file, beside another section, or wherever they are found.
 * Returns how many bytes of the image are placed.
 */
uint64_t kerf_symbols_place(struct kerf_symbols *symbols, const uint8_t *file, size_t file_len, const uint8_t *image,
                            size_t image_len, uint64_t base);

/* The same of a map, which has no bytes to look for: by the first of the ranges that a section is loaded in. */
uint64_t kerf_symbols_place_map(struct kerf_symbols *symbols, const struct kerf_symbols_range *ranges,
                                size_t range_count);

/* The lowest load address of a section with bytes; 0 where there is none. */
uint64_t kerf_symbols_base(const struct kerf_symbols *symbols);

/* Never NULL. Valid until something is added. */
const char *kerf_symbols_name(const struct kerf_symbols *symbols, uint32_t name);
void kerf_symbols_free(struct kerf_symbols *symbols);

/* --- For the readers, symbols_elf.c and symbols_map.c --- */

/* Appends; what is over the maximum is left out silently. `name` need not end with a NUL. */
KERF_MUST_USE kerf_err kerf_symbols_add(struct kerf_symbols *symbols, const char *name, size_t name_len,
                                        const struct kerf_symbol *symbol);
KERF_MUST_USE kerf_err kerf_symbols_add_section(struct kerf_symbols *symbols, const char *name, size_t name_len,
                                                const struct kerf_section *section);
/* Sorts, gives symbols without a length one, and drops what another symbol covers. */
KERF_MUST_USE kerf_err kerf_symbols_finish(struct kerf_symbols *symbols);

KERF_MUST_USE kerf_err kerf_symbols_read_elf(const uint8_t *file, size_t len, struct kerf_symbols *symbols);
/* KERF_ERR_FORMAT: this is no map. */
KERF_MUST_USE kerf_err kerf_symbols_read_map(const char *text, size_t len, struct kerf_symbols *symbols);

#endif
