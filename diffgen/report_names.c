/* SPDX-License-Identifier: Apache-2.0 */
/* What each symbol and each section cost. Every byte of new belongs to one item, so that the items add up. */
#include <string.h>

#include "diffgen/report.h"

/* Sorts the symbols of old by name, to find them by it. */
struct by_name {
    const char *name;
    uint64_t len;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct by_name *)a)->name, ((const struct by_name *)b)->name);
}

static int compare_items(const void *a, const void *b)
{
    const struct kerf_report_item *x = a;
    const struct kerf_report_item *y = b;

    if (x->pos != y->pos) {
        return x->pos < y->pos ? -1 : 1;
    }
    return x->len > y->len ? -1 : x->len < y->len;
}

static kerf_err add_item(struct kerf_report_names *names, const struct kerf_report_item *item)
{
    if (names->count == names->cap) {
        size_t cap = names->cap * 2 + 256;
        struct kerf_report_item *grown = realloc(names->items, cap * sizeof *grown);

        if (grown == NULL) {
            return KERF_ERR_RAM;
        }
        names->items = grown;
        names->cap = cap;
    }
    names->items[names->count++] = *item;
    return KERF_OK;
}

/* Names of placed symbols, in the order of the image. */
static kerf_err add_symbols(struct kerf_report_names *names, const struct kerf_symbols *symbols)
{
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < symbols->count; i++) {
        const struct kerf_symbol *symbol = &symbols->list[i];
        const struct kerf_section *section = &symbols->sections[symbol->section];

        if (section->placed) {
            const struct kerf_report_item item = {.name = kerf_symbols_name(symbols, symbol->name),
                                                  .section = kerf_symbols_name(symbols, section->name),
                                                  .addr = symbol->addr,
                                                  .pos = section->pos + (symbol->addr - section->addr),
                                                  .len = symbol->len,
                                                  .section_index = symbol->section};

            err = add_item(names, &item);
        }
    }
    if (err == KERF_OK && names->count > 0) {
        qsort(names->items, names->count, sizeof *names->items, compare_items);
    }
    return err;
}

/* The placed section that holds `pos`, and *end, up to where that is so; NULL: none does. */
static const struct kerf_section *section_at(const struct kerf_symbols *symbols, uint64_t pos, uint64_t *end)
{
    const struct kerf_section *found = NULL;

    for (size_t i = 0; i < symbols->section_count; i++) {
        const struct kerf_section *section = &symbols->sections[i];

        if (!section->placed || section->pos + section->len <= pos) {
            continue;
        }
        if (section->pos > pos) {
            *end = section->pos < *end ? section->pos : *end;
        } else if (found == NULL) {
            found = section;
        }
    }
    if (found != NULL && found->pos + found->len < *end) {
        *end = found->pos + found->len;
    }
    return found;
}

/* Items for what is between two symbols: bytes of sections, and of none. */
static kerf_err fill_gap(struct kerf_report_names *to, const struct kerf_symbols *symbols, uint64_t from, uint64_t end)
{
    kerf_err err = KERF_OK;

    while (err == KERF_OK && from < end) {
        uint64_t until = end;
        const struct kerf_section *section = section_at(symbols, from, &until);
        struct kerf_report_item item = {.pos = from, .len = until - from, .section_index = UINT32_MAX};

        if (section != NULL) {
            item.section = kerf_symbols_name(symbols, section->name);
            item.addr = section->addr + (from - section->pos);
            item.section_index = (uint32_t)(section - symbols->sections);
        }
        err = add_item(to, &item);
        from = until;
    }
    return err;
}

/* Cuts what overlaps, and fills what is between. */
static kerf_err partition(struct kerf_report_names *names, const struct kerf_symbols *symbols, uint64_t new_len)
{
    struct kerf_report_names all = {0};
    uint64_t done = 0;
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < names->count; i++) {
        struct kerf_report_item item = names->items[i];
        uint64_t end = item.len < new_len - (item.pos < new_len ? item.pos : new_len) ? item.pos + item.len : new_len;

        if (item.pos >= end || end <= done) {
            continue;
        }
        if (item.pos < done) {
            item.addr += done - item.pos;
            item.pos = done;
        }
        item.len = end - item.pos;
        err = fill_gap(&all, symbols, done, item.pos);
        if (err == KERF_OK) {
            err = add_item(&all, &item);
        }
        done = end;
    }
    if (err == KERF_OK) {
        err = fill_gap(&all, symbols, done, new_len);
    }
    free(names->items);
    names->items = all.items;
    names->count = all.count;
    names->cap = all.cap;
    return err;
}

static kerf_err look_up_old(struct kerf_report_names *names, const struct kerf_symbols *old_symbols)
{
    size_t count = old_symbols->count;
    struct by_name *sorted = malloc((count + 1) * sizeof *sorted);

    if (sorted == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct kerf_symbol *symbol = &old_symbols->list[i];

        sorted[i] = (struct by_name){kerf_symbols_name(old_symbols, symbol->name), symbol->len};
    }
    if (count > 0) {
        qsort(sorted, count, sizeof *sorted, compare_names);
    }
    for (size_t i = 0; i < names->count && count > 0; i++) {
        struct kerf_report_item *item = &names->items[i];
        const struct by_name key = {item->name, 0};
        const struct by_name *hit = item->name == NULL ? NULL
                                                       : bsearch(&key, sorted, count, sizeof *sorted, compare_names);

        item->in_old = hit != NULL;
        item->old_len = hit != NULL ? hit->len : 0;
    }
    free(sorted);
    return KERF_OK;
}

static kerf_err sum_sections(struct kerf_report_names *names, const struct kerf_symbols *symbols)
{
    size_t outside = symbols->section_count;

    names->sections = calloc(symbols->section_count + 1, sizeof *names->sections);
    if (names->sections == NULL) {
        return KERF_ERR_RAM;
    }
    names->section_count = symbols->section_count + 1;
    for (size_t i = 0; i < symbols->section_count; i++) {
        names->sections[i].section = kerf_symbols_name(symbols, symbols->sections[i].name);
        names->sections[i].addr = symbols->sections[i].addr;
        names->sections[i].pos = symbols->sections[i].pos;
        names->sections[i].section_index = (uint32_t)i;
    }
    for (size_t i = 0; i < names->count; i++) {
        const struct kerf_report_item *item = &names->items[i];
        struct kerf_report_item
            *section = &names->sections[item->section_index == UINT32_MAX ? outside : item->section_index];

        section->len += item->len;
        section->sum.total += item->sum.total;
        for (unsigned part = 0; part < KERF_PART_COUNT; part++) {
            section->sum.part[part] += item->sum.part[part];
        }
    }
    return KERF_OK;
}

kerf_err kerf_names_collect(struct kerf_report_names *names, const struct kerf_costs *costs,
                            const struct kerf_symbols *symbols, const struct kerf_symbols *old_symbols)
{
    kerf_err err = add_symbols(names, symbols);

    if (err == KERF_OK) {
        err = partition(names, symbols, costs->new_len);
    }
    for (size_t i = 0; err == KERF_OK && i < names->count; i++) {
        struct kerf_report_item *item = &names->items[i];

        item->sum = kerf_costs_sum(costs, (size_t)item->pos, (size_t)(item->pos + item->len));
    }
    if (err == KERF_OK && old_symbols != NULL) {
        err = look_up_old(names, old_symbols);
    }
    return err == KERF_OK ? sum_sections(names, symbols) : err;
}

void kerf_names_free(struct kerf_report_names *names)
{
    free(names->items);
    free(names->sections);
    memset(names, 0, sizeof *names);
}

const struct kerf_report_item *kerf_names_first(const struct kerf_report_names *names)
{
    const struct kerf_report_item *best = NULL;

    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].name != NULL && (best == NULL || names->items[i].sum.total > best->sum.total)) {
            best = &names->items[i];
        }
    }
    return best;
}

const struct kerf_report_item *kerf_names_costliest(const struct kerf_report_names *names,
                                                    const struct kerf_costs *costs, uint64_t from, uint64_t to)
{
    const struct kerf_report_item *best = NULL;
    kerf_cost most = 0;
    size_t low = 0;
    size_t high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (names->items[middle].pos + names->items[middle].len <= from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < names->count && names->items[low].pos < to; low++) {
        const struct kerf_report_item *item = &names->items[low];
        uint64_t start = item->pos > from ? item->pos : from;
        uint64_t end = item->pos + item->len < to ? item->pos + item->len : to;
        kerf_cost cost = kerf_costs_sum(costs, (size_t)start, (size_t)end).total;

        if (best == NULL || cost > most) {
            best = item;
            most = cost;
        }
    }
    return best;
}
