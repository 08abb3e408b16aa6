/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of sections and symbols: made, sorted, cut so that none overlaps another, and found in the image. */
#include "diffgen/symbols.h"

#include <stdlib.h>
#include <string.h>

/* Longer names (C++ templates) are cut. */
#define NAME_MAX_LEN 400u

const char *kerf_symbols_name(const struct kerf_symbols *s, uint32_t name)
{
    return name < s->names_len ? s->names + name : "";
}

void kerf_symbols_free(struct kerf_symbols *s)
{
    free(s->sections);
    free(s->list);
    free(s->names);
    memset(s, 0, sizeof *s);
}

/* Room for `more` elements behind the first `count`; false: out of memory. */
static bool grow(void **list, size_t *cap, size_t count, size_t more, size_t size)
{
    if (*cap - count < more) {
        size_t wanted = (count + more) * 2 + 64;
        void *grown = realloc(*list, wanted * size);

        if (grown == NULL) {
            return false;
        }
        *list = grown;
        *cap = wanted;
    }
    return true;
}

static kerf_err add_name(struct kerf_symbols *s, const char *name, size_t len, uint32_t *at)
{
    void *names = s->names;

    len = len > NAME_MAX_LEN ? NAME_MAX_LEN : len;
    if (s->names_len > UINT32_MAX / 2) { /* without one, then */
        *at = UINT32_MAX;
        return KERF_OK;
    }
    if (!grow(&names, &s->names_cap, s->names_len, len + 1, 1)) {
        return KERF_ERR_RAM;
    }
    s->names = names;
    *at = (uint32_t)s->names_len;
    memcpy(s->names + s->names_len, name, len);
    s->names[s->names_len + len] = '\0';
    s->names_len += len + 1;
    return KERF_OK;
}

kerf_err kerf_symbols_add(struct kerf_symbols *s, const char *name, size_t name_len, const struct kerf_symbol *symbol)
{
    void *list = s->list;

    if (s->count == KERF_SYMBOLS_MAX) {
        return KERF_OK;
    }
    if (!grow(&list, &s->cap, s->count, 1, sizeof *s->list)) {
        return KERF_ERR_RAM;
    }
    s->list = list;
    s->list[s->count] = *symbol;
    kerf_err err = add_name(s, name, name_len, &s->list[s->count].name);

    s->count += err == KERF_OK;
    return err;
}

kerf_err kerf_symbols_add_section(struct kerf_symbols *s, const char *name, size_t name_len,
                                  const struct kerf_section *section)
{
    void *list = s->sections;

    if (s->section_count == KERF_SECTIONS_MAX) {
        return KERF_OK;
    }
    if (!grow(&list, &s->section_cap, s->section_count, 1, sizeof *s->sections)) {
        return KERF_ERR_RAM;
    }
    s->sections = list;
    s->sections[s->section_count] = *section;
    kerf_err err = add_name(s, name, name_len, &s->sections[s->section_count].name);

    s->section_count += err == KERF_OK;
    return err;
}

/* By address; what is longer first, symbols before parts; then in the order of names, which is that of the file. */
static int by_addr(const void *a, const void *b)
{
    const struct kerf_symbol *x = a;
    const struct kerf_symbol *y = b;

    if (x->addr != y->addr) {
        return x->addr < y->addr ? -1 : 1;
    }
    if (x->len != y->len) {
        return x->len > y->len ? -1 : 1;
    }
    if (x->part != y->part) {
        return x->part ? 1 : -1;
    }
    return x->name < y->name ? -1 : x->name > y->name;
}

static uint64_t section_end(const struct kerf_symbols *s, const struct kerf_symbol *symbol)
{
    const struct kerf_section *section = &s->sections[symbol->section];

    return section->addr + section->len;
}

kerf_err kerf_symbols_finish(struct kerf_symbols *s)
{
    size_t kept = 0;
    uint64_t covered = 0; /* symbols before this address are there already */

    if (s->count > 0) {
        qsort(s->list, s->count, sizeof *s->list, by_addr);
    }
    for (size_t i = 0; i < s->count; i++) {
        struct kerf_symbol symbol = s->list[i];
        uint64_t limit = section_end(s, &symbol);
        size_t next = i + 1;

        /* What lies outside of its section is none of it. */
        if (symbol.addr < s->sections[symbol.section].addr || symbol.addr >= limit) {
            continue;
        }
        if (symbol.len == 0) {
            while (next < s->count && s->list[next].addr == symbol.addr) {
                next++;
            }
            symbol.len = (next < s->count && s->list[next].addr < limit ? s->list[next].addr : limit) - symbol.addr;
        }
        if (symbol.len > limit - symbol.addr) {
            symbol.len = limit - symbol.addr;
        }
        if (symbol.addr < covered) {
            uint64_t cut = covered - symbol.addr;

            if (cut >= symbol.len) {
                continue;
            }
            symbol.addr += cut;
            symbol.len -= cut;
        }
        covered = symbol.addr + symbol.len;
        s->list[kept++] = symbol;
    }
    s->count = kept;
    return KERF_OK;
}

uint64_t kerf_symbols_base(const struct kerf_symbols *s)
{
    uint64_t base = UINT64_MAX;

    for (size_t i = 0; i < s->section_count; i++) {
        if (s->sections[i].filled && s->sections[i].load_addr < base) {
            base = s->sections[i].load_addr;
        }
    }
    return base == UINT64_MAX ? 0 : base;
}
