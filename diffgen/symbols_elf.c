/* SPDX-License-Identifier: Apache-2.0 */
/* Sections and symbols of an ELF file. Source: System V ABI, "Object Files"; ELF for the Arm Architecture (bit 0, $t). */
#include <stdlib.h>
#include <string.h>

#include "common/isa/isa.h"
#include "diffgen/detect.h"
#include "diffgen/symbols.h"

#define SHT_SYMTAB 2u
#define SHT_NOBITS 8u
#define SHT_DYNSYM 11u
#define SHF_WRITE 1u
#define SHF_ALLOC 2u
#define SHF_EXEC 4u
#define PT_LOAD 1u
#define MACHINE_ARM 40u
/* Program headers looked at; real programs have fewer. */
#define MAX_PROGRAM_HEADERS 256u

struct elf {
    const uint8_t *p;
    size_t len;
    bool wide, big_endian;
    unsigned machine;
    uint64_t sections, section_len, section_count; /* the table of sections */
    uint64_t names;                                /* index of the section with their names */
};

/* A field of the section's header. */
struct header {
    uint64_t name, type, flags, addr, pos, len, link, entry_len;
};

/* 0 where it is outside of the file. */
static uint64_t get(const struct elf *e, uint64_t pos, unsigned bytes)
{
    uint64_t v = 0;

    if (pos > e->len || e->len - pos < bytes) {
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | e->p[pos + (e->big_endian ? i : bytes - 1 - i)];
    }
    return v;
}

static struct header section_header(const struct elf *e, uint64_t index)
{
    uint64_t at = e->sections + index * e->section_len;
    unsigned field = e->wide ? 8 : 4;

    return (struct header){
        .name = get(e, at, 4),
        .type = get(e, at + 4, 4),
        .flags = get(e, at + 8, field),
        .addr = get(e, at + (e->wide ? 16 : 12), field),
        .pos = get(e, at + (e->wide ? 24 : 16), field),
        .len = get(e, at + (e->wide ? 32 : 20), field),
        .link = get(e, at + (e->wide ? 40 : 24), 4),
        .entry_len = get(e, at + (e->wide ? 56 : 36), field),
    };
}

/* The string at `pos` of the string table in section `index`; empty where there is none. */
static const char *string(const struct elf *e, uint64_t index, uint64_t pos, size_t *len)
{
    struct header h = section_header(e, index);
    uint64_t start = h.pos + pos;

    *len = 0;
    if (index >= e->section_count || pos >= h.len || h.pos > e->len || start >= e->len || start < h.pos) {
        return "";
    }
    uint64_t most = h.len - pos < e->len - start ? h.len - pos : e->len - start;
    const uint8_t *end = memchr(e->p + start, 0, (size_t)most);

    *len = end == NULL ? (size_t)most : (size_t)(end - (e->p + start));
    return (const char *)e->p + start;
}

/* Where the bytes of a section are loaded: as its segment says, else where the program sees it. */
static uint64_t load_address(const struct elf *e, const struct header *h)
{
    unsigned field = e->wide ? 8 : 4;
    uint64_t table = get(e, e->wide ? 32 : 28, field);
    uint64_t entry_len = get(e, e->wide ? 54 : 42, 2);
    uint64_t count = get(e, e->wide ? 56 : 44, 2);

    for (uint64_t i = 0; i < count && i < MAX_PROGRAM_HEADERS; i++) {
        uint64_t at = table + i * entry_len;
        uint64_t addr = get(e, at + (e->wide ? 16 : 8), field);
        uint64_t load_addr = get(e, at + (e->wide ? 24 : 12), field);
        uint64_t mem_len = get(e, at + (e->wide ? 40 : 20), field);

        if (get(e, at, 4) == PT_LOAD && h->addr >= addr && h->addr - addr < mem_len &&
            h->len <= mem_len - (h->addr - addr)) {
            return load_addr + (h->addr - addr);
        }
    }
    return h->addr;
}

/* `index_of`: for each section of the file its index in the list, UINT32_MAX for those left out. */
static kerf_err read_sections(const struct elf *e, struct kerf_symbols *symbols, uint32_t *index_of)
{
    for (uint64_t i = 0; i < e->section_count; i++) {
        struct header h = section_header(e, i);
        size_t name_len;
        const char *name = string(e, e->names, h.name, &name_len);
        size_t before = symbols->section_count;

        index_of[i] = UINT32_MAX;
        if ((h.flags & SHF_ALLOC) == 0 || h.len == 0 || h.len > UINT64_MAX - h.addr) {
            continue;
        }
        struct kerf_section section = {
            .code = (h.flags & SHF_EXEC) != 0,
            .writable = (h.flags & SHF_WRITE) != 0,
            .filled = h.type != SHT_NOBITS && h.pos <= e->len && h.len <= e->len - h.pos,
            .addr = h.addr,
            .len = h.len,
            .load_addr = load_address(e, &h),
            .file_pos = h.pos,
        };
        kerf_err err = kerf_symbols_add_section(symbols, name, name_len, &section);

        if (err != KERF_OK) {
            return err;
        }
        if (symbols->section_count > before) {
            index_of[i] = (uint32_t)before;
        }
    }
    return KERF_OK;
}

/* thumb[]: functions of A32 and of Thumb. */
static kerf_err read_symbol(const struct elf *e, struct kerf_symbols *symbols, const uint32_t *index_of, uint64_t at,
                            uint64_t names, uint64_t thumb[2])
{
    unsigned type = (unsigned)get(e, at + (e->wide ? 4 : 12), 1) & 15;
    uint64_t section = get(e, at + (e->wide ? 6 : 14), 2);
    struct kerf_symbol symbol = {
        .addr = get(e, at + (e->wide ? 8 : 4), e->wide ? 8 : 4),
        .len = get(e, at + (e->wide ? 16 : 8), e->wide ? 8 : 4),
    };
    size_t name_len;
    const char *name = string(e, names, get(e, at, 4), &name_len);

    /* No type, data, function, indirect function; $a, $t, $d, $x mark what bytes are, .L is the compiler's own. */
    if ((type > 2 && type != 10) || name_len == 0 || name[0] == '$' ||
        (name_len > 1 && name[0] == '.' && name[1] == 'L') || section >= e->section_count ||
        index_of[section] == UINT32_MAX) {
        return KERF_OK;
    }
    symbol.section = index_of[section];
    if (e->machine == MACHINE_ARM && type == 2) {
        thumb[symbol.addr & 1]++;
        symbol.addr &= ~(uint64_t)1;
    }
    return kerf_symbols_add(symbols, name, name_len, &symbol);
}

/* The table of all symbols or, of a stripped file, that of those it shares with others. */
static bool find_symbols(const struct elf *e, struct header *found)
{
    for (unsigned type = SHT_SYMTAB; type != 0; type = type == SHT_SYMTAB ? SHT_DYNSYM : 0) {
        for (uint64_t i = 0; i < e->section_count; i++) {
            *found = section_header(e, i);
            if (found->type == type && found->entry_len >= (e->wide ? 24u : 16u) && found->pos <= e->len) {
                return true;
            }
        }
    }
    return false;
}

static kerf_err read_symbols(const struct elf *e, struct kerf_symbols *symbols, const uint32_t *index_of)
{
    uint64_t thumb[2] = {0, 0};
    struct header h;
    kerf_err err = KERF_OK;

    if (!find_symbols(e, &h)) {
        return KERF_OK;
    }
    uint64_t len = h.len < e->len - h.pos ? h.len : e->len - h.pos;

    for (uint64_t at = 0; err == KERF_OK && len - at >= h.entry_len; at += h.entry_len) {
        err = read_symbol(e, symbols, index_of, h.pos + at, h.link, thumb);
    }
    if (e->machine == MACHINE_ARM && !e->big_endian && thumb[0] + thumb[1] > 0) {
        symbols->isa = thumb[1] > thumb[0] ? KERF_ISA_THUMB : KERF_ISA_A32;
    }
    return err;
}

kerf_err kerf_symbols_read_elf(const uint8_t *file, size_t len, struct kerf_symbols *symbols)
{
    struct elf e = {.p = file, .len = len};

    if (len < 52 || memcmp(file, "\177ELF", 4) != 0 || file[4] < 1 || file[4] > 2 || file[5] < 1 || file[5] > 2) {
        return KERF_ERR_FORMAT;
    }
    e.wide = file[4] == 2;
    e.big_endian = file[5] == 2;
    e.machine = (unsigned)get(&e, 18, 2);
    e.sections = get(&e, e.wide ? 40 : 32, e.wide ? 8 : 4);
    e.section_len = get(&e, e.wide ? 58 : 46, 2);
    e.section_count = get(&e, e.wide ? 60 : 48, 2);
    e.names = get(&e, e.wide ? 62 : 50, 2);
    symbols->isa = kerf_elf_isa(e.machine, e.wide, e.big_endian);
    symbols->big_endian = e.big_endian;
    if (e.section_len < (e.wide ? 64u : 40u) || e.sections >= len) {
        return KERF_ERR_FORMAT;
    }
    if (e.section_count > (len - e.sections) / e.section_len) { /* those inside the file alone */
        e.section_count = (len - e.sections) / e.section_len;
    }
    uint32_t *index_of = malloc((size_t)(e.section_count + 1) * sizeof *index_of);

    if (index_of == NULL) {
        return KERF_ERR_RAM;
    }
    kerf_err err = read_sections(&e, symbols, index_of);

    if (err == KERF_OK) {
        err = read_symbols(&e, symbols, index_of);
    }
    free(index_of);
    return err;
}
