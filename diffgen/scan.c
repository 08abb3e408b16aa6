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

/* One pass through a region. */
struct sweep {
    struct kerf_side *side;
    const struct kerf_image *image;
    const struct kerf_region *region;
    unsigned index; /* of the region */
    bool is_new;
    size_t start, end, next; /* next: where the sweep expects an instruction */
};

/* As the codec counts addresses. */
static kerf_addr wrap(const struct kerf_side *side, kerf_addr addr)
{
    return side->wide ? addr : (uint32_t)addr;
}

static bool inside(const struct sweep *s, kerf_addr addr)
{
    for (unsigned i = 0; i < s->image->region_count; i++) {
        const struct kerf_region *r = &s->image->regions[i];

        if (wrap(s->side, addr - (s->is_new ? r->new_addr : r->old_addr)) < (s->is_new ? r->new_len : r->old_len)) {
            return true;
        }
    }
    return false;
}

/* The word at the view's start as a reference, the way refs.c takes it. */
static bool find_word(const struct sweep *s, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    for (unsigned len = (view->kinds >> KERF_REF_WORD8 & 1) != 0 ? 8 : 4; len >= 4; len -= 4) {
        if ((view->pc & (len - 1)) != 0 || !kerf_word_read(view, len, ref) ||
            wrap(s->side, ref->target) != ref->target) {
            continue;
        }
        if (!inside(s, ref->target)) {
            ref->kind = len == 4 && in_ranges(s->image, ref->target) ? KERF_REF_RAM : KERF_REF_NONE;
        }
        if (ref->kind != KERF_REF_NONE && (view->kinds >> ref->kind & 1) != 0) {
            return true;
        }
    }
    return false;
}

/* The reference at pos, or none; returns what kerf_isa_scan() says of the sweep. */
static unsigned find_ref(const struct sweep *s, size_t pos, bool boundary, struct kerf_ref *ref)
{
    const struct kerf_region *r = s->region;
    kerf_addr pc = wrap(s->side, (s->is_new ? r->new_addr : r->old_addr) + (pos - s->start));
    struct kerf_isa_view view = {s->side->bytes + pos, pc, r->kinds, boundary};

    if (find_word(s, &view, ref)) {
        return 0;
    }
    unsigned step = kerf_isa_scan(r->isa, &view, ref);

    if (ref->kind != KERF_REF_NONE) {
        ref->target = wrap(s->side, ref->target);
        if (!inside(s, ref->target) && !ref->anywhere) {
            ref->kind = KERF_REF_NONE;
        }
    }
    return step;
}

static kerf_err take_ref(struct sweep *s, size_t pos, const struct kerf_ref *ref)
{
    struct kerf_side *side = s->side;
    struct kerf_scanned found = {(uint32_t)pos, ref->kind, ref->form, ref->len, (uint8_t)s->index, ref->target};
    size_t count = side->ref_count;
    kerf_err err = add_ref(side, &found);

    if (err == KERF_OK && side->ref_count > count) {
        mask(side, s->region->isa, &found);
        err = add_lows(side, s->region->isa, &found, ref, s->end);
    }
    s->next = pos + ref->len;
    return err;
}

static kerf_err scan_region(struct sweep *s)
{
    struct kerf_side *side = s->side;
    kerf_err err = KERF_OK;

    for (size_t pos = s->start; err == KERF_OK && pos < s->end; pos++) {
        bool boundary = pos >= s->next;
        unsigned known = (unsigned)side->nothing[pos] >> (boundary ? 4 : 0) & 15u;
        struct kerf_ref ref = {0};
        unsigned step = known - 1;

        if (side->ref_at[pos] != 0) {
            s->next = pos + 1 > s->next ? pos + 1 : s->next;
            continue;
        }
        if (known == 0) {
            step = find_ref(s, pos, boundary, &ref);
        }
        if (ref.kind != KERF_REF_NONE && pos + ref.len <= s->end) {
            err = take_ref(s, pos, &ref);
            continue;
        }
        if (known == 0 && ref.kind == KERF_REF_NONE && step < 15) {
            side->nothing[pos] |= (uint8_t)((1 + step) << (boundary ? 4 : 0));
        }
        if (boundary) {
            s->next = pos + (step == 0 ? 1 : step);
        }
    }
    return err;
}

/* What is known of all kinds holds for fewer; what is learned about fewer is forgotten again. */
static kerf_err open_nothing(struct kerf_side *side, bool all)
{
    if (side->nothing_of_all == NULL) {
        side->nothing_of_all = calloc(side->len + 1, 1);
    }
    side->nothing = all ? side->nothing_of_all : malloc(side->len + 1);
    if (side->nothing == NULL || side->nothing_of_all == NULL) {
        return KERF_ERR_RAM;
    }
    if (!all) {
        memcpy(side->nothing, side->nothing_of_all, side->len + 1);
    }
    return KERF_OK;
}

kerf_err kerf_scan_side(struct kerf_side *side, const struct kerf_image *image, bool is_new, bool all)
{
    if (all && side->masked_of_all == NULL) {
        side->masked_of_all = malloc(side->len + KERF_PAD);
    }
    side->masked = all ? side->masked_of_all : malloc(side->len + KERF_PAD);
    side->ref_at = calloc(side->len + 1, sizeof *side->ref_at);
    kerf_err err = open_nothing(side, all);

    if (err != KERF_OK || side->masked == NULL || side->ref_at == NULL) {
        return KERF_ERR_RAM;
    }
    memcpy(side->masked, side->bytes, side->len + KERF_PAD);
    for (unsigned i = 0; err == KERF_OK && i < image->region_count; i++) {
        const struct kerf_region *r = &image->regions[i];
        size_t start = (size_t)(is_new ? r->new_pos : r->old_pos);
        size_t end = start + (size_t)(is_new ? r->new_len : r->old_len);
        struct sweep s = {side, image, r, i, is_new, start, end, start};

        err = scan_region(&s);
    }
    if (is_new && !all) {
        free(side->nothing); /* it is for the encoder, of old */
        side->nothing = NULL;
    }
    return err;
}

void kerf_scan_free(struct kerf_side *side)
{
    if (side->nothing != side->nothing_of_all) {
        free(side->nothing);
    }
    if (side->masked != side->masked_of_all) {
        free(side->masked);
    }
    free(side->ref_at);
    free(side->refs);
    side->nothing = NULL;
    side->masked = NULL;
    side->ref_at = NULL;
    side->refs = NULL;
    side->ref_count = 0;
    side->ref_cap = 0;
}
