/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References of a whole image, by one linear sweep through each region. The device sweeps from each segment's start, so it
 * may see a few others; what is found here only guides matching and planning, it is not written to the delta.
 */
#include <string.h>

#include "diffgen/work.h"

bool kerf_scan_inside(const struct kerf_image *image, bool is_new, kerf_addr addr)
{
    for (unsigned i = 0; i < image->region_count; i++) {
        const struct kerf_region *r = &image->regions[i];

        if (addr - (is_new ? r->new_addr : r->old_addr) < (is_new ? r->new_len : r->old_len)) {
            return true;
        }
    }
    return false;
}

static bool in_ranges(const struct kerf_image *image, kerf_addr addr)
{
    for (unsigned i = 0; i < image->range_count; i++) {
        if (addr - image->ranges[i].start < image->ranges[i].len) {
            return true;
        }
    }
    return false;
}

static kerf_err add_ref(struct kerf_side *side, const struct kerf_scanned *ref)
{
    for (unsigned i = 0; i < ref->len; i++) {
        if (side->ref_at[ref->pos + i] != 0) {
            return KERF_OK;
        }
    }
    if (side->ref_count == side->ref_cap) {
        size_t cap = side->ref_cap == 0 ? 4096 : side->ref_cap * 2;
        struct kerf_scanned *grown = realloc(side->refs, cap * sizeof *grown);

        if (grown == NULL) {
            return KERF_ERR_RAM;
        }
        side->refs = grown;
        side->ref_cap = cap;
    }
    side->refs[side->ref_count++] = *ref;
    for (unsigned i = 0; i < ref->len; i++) {
        side->ref_at[ref->pos + i] = (uint32_t)side->ref_count;
    }
    return KERF_OK;
}

/* The fields of a reference become those of one fixed target seen from one fixed address. */
static void mask(struct kerf_side *side, unsigned isa, const struct kerf_scanned *ref)
{
    kerf_isa_put(isa, ref->form, side->masked + ref->pos, 0x10000000u, 0x10000000u);
}

static kerf_err add_lows(struct kerf_side *side, unsigned isa, const struct kerf_scanned *first,
                         const struct kerf_ref *ref, size_t end)
{
    for (unsigned i = 0; i < ref->low_count; i++) {
        struct kerf_scanned low = {
            first->pos + ref->low_at[i], KERF_REF_LOW, ref->low_form[i], ref->len, first->region, 0};
        size_t count = side->ref_count;

        if (low.pos + low.len > end) {
            continue;
        }
        kerf_err err = add_ref(side, &low);

        if (err != KERF_OK) {
            return err;
        }
        if (side->ref_count > count) {
            mask(side, isa, &low);
        }
    }
    return KERF_OK;
}

static kerf_err scan_region(struct kerf_side *side, const struct kerf_image *image, unsigned index, bool is_new)
{
    const struct kerf_region *r = &image->regions[index];
    size_t pos = (size_t)(is_new ? r->new_pos : r->old_pos);
    size_t start = pos;
    size_t end = pos + (size_t)(is_new ? r->new_len : r->old_len);
    kerf_addr addr = is_new ? r->new_addr : r->old_addr;
    size_t next = pos;

    while (pos < end) {
        struct kerf_isa_view view = {side->bytes + pos, addr + (pos - start), r->kinds, pos >= next};
        struct kerf_ref ref;
        size_t step = 0;

        if (side->ref_at[pos] != 0) {
            pos++;
            next = pos > next ? pos : next;
            continue;
        }
        kerf_word_scan(&view, &ref);
        if (ref.kind != KERF_REF_WORD && !(ref.kind == KERF_REF_WORD8 && kerf_scan_inside(image, is_new, ref.target))) {
            view.kinds &= (uint16_t) ~(1u << KERF_REF_WORD8);
            kerf_word_scan(&view, &ref);
            view.kinds = r->kinds;
        }
        if (ref.kind != KERF_REF_NONE) {
            bool inside = kerf_scan_inside(image, is_new, ref.target);

            if (!inside && ref.kind == KERF_REF_WORD) {
                ref.kind = KERF_REF_RAM;
            }
            if ((r->kinds >> ref.kind & 1) == 0 || !(inside || in_ranges(image, ref.target))) {
                ref.kind = KERF_REF_NONE;
            }
        }
        if (ref.kind == KERF_REF_NONE) {
            step = kerf_isa_scan(r->isa, &view, &ref);
            if (ref.kind != KERF_REF_NONE && !kerf_scan_inside(image, is_new, ref.target) && !ref.anywhere &&
                !((ref.kind == KERF_REF_PAIR || ref.kind == KERF_REF_RAM) && in_ranges(image, ref.target))) {
                ref.kind = KERF_REF_NONE;
            }
        }
        if (ref.kind != KERF_REF_NONE && pos + ref.len <= end) {
            struct kerf_scanned found = {(uint32_t)pos, ref.kind, ref.form, ref.len, (uint8_t)index, ref.target};
            size_t count = side->ref_count;
            kerf_err err = add_ref(side, &found);

            if (err == KERF_OK && side->ref_count > count) {
                mask(side, r->isa, &found);
                err = add_lows(side, r->isa, &found, &ref, end);
            }
            if (err != KERF_OK) {
                return err;
            }
            next = pos + ref.len;
        } else if (view.boundary) {
            next = pos + (step == 0 ? 1 : step);
        }
        pos++;
    }
    return KERF_OK;
}

kerf_err kerf_scan_side(struct kerf_side *side, const struct kerf_image *image, bool is_new)
{
    side->masked = malloc(side->len + KERF_PAD);
    side->ref_at = calloc(side->len + 1, sizeof *side->ref_at);
    side->nothing = is_new ? NULL : calloc(side->len + 1, 1);
    if (side->masked == NULL || side->ref_at == NULL || (!is_new && side->nothing == NULL)) {
        return KERF_ERR_RAM;
    }
    memcpy(side->masked, side->bytes, side->len + KERF_PAD);
    for (unsigned i = 0; i < image->region_count; i++) {
        kerf_err err = scan_region(side, image, i, is_new);

        if (err != KERF_OK) {
            return err;
        }
    }
    return KERF_OK;
}

void kerf_scan_free(struct kerf_side *side)
{
    free(side->nothing);
    side->nothing = NULL;
    free(side->masked);
    free(side->ref_at);
    free(side->refs);
    side->masked = NULL;
    side->ref_at = NULL;
    side->refs = NULL;
    side->ref_count = 0;
    side->ref_cap = 0;
}
