/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References of a whole image, by one linear sweep through each region. The device sweeps from each segment's start, so
 * it may see a few others; what is found here only guides matching and planning, it is not written to the delta.
 */
#include <string.h>

#include "common/bytes.h"
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

/* A reference while the sweep lasts: it finds second halves of pairs before what lies between. */
struct found {
    uint32_t pos;
    struct kerf_scanned ref;
};

/* The names that type records refer to by offset: bytes of the image. */
struct names {
    size_t pos, len;
};

/* What masking makes of 8 bytes of one form: those bits that it keeps, and the others. */
struct mask {
    uint64_t keeps, sets; /* both 0: not known yet */
};

/* One pass through a region. */
struct sweep {
    struct kerf_side *side;
    const struct kerf_image *image;
    struct found *found; /* the side's references so far, by position: side->ref_count of them */
    const struct kerf_region *region;
    unsigned index; /* of the region */
    bool is_new;
    size_t start, end, next; /* next: where the sweep expects an instruction */
    uint8_t record;          /* the type record in progress; 0: none */
    struct kerf_elf elf;     /* of the ELF files that were passed: both places are of this side */
    struct names names;      /* of the type records that the sweep is at */
    struct mask masks[UINT8_MAX + 1];
};

/* The names of the type records whose header lies at pos; none where it is not one. */
static struct names find_names(const struct kerf_side *side, size_t pos)
{
    const uint8_t *p = side->bytes + pos; /* with the padding behind the image there are enough bytes */
    struct names names = {0, 0};

    if (kerf_load_le32(p + 4) == KERF_BTF_HEADER) {
        uint64_t at = pos + KERF_BTF_HEADER + (uint64_t)kerf_load_le32(p + 16);
        uint64_t len = kerf_load_le32(p + 20);

        if (at <= side->len && len <= side->len - at) {
            names = (struct names){(size_t)at, (size_t)len};
        }
    }
    return names;
}

/* A number that equal names have in common, whatever their offsets. */
static uint32_t name_hash(const struct kerf_side *side, const struct names *names, uint32_t at)
{
    uint32_t hash = 1;

    for (; at < names->len && side->bytes[names->pos + at] != 0; at++) {
        hash = (hash ^ side->bytes[names->pos + at]) * 0x01000193u;
    }
    return hash;
}

/* What a form's fields become is the same for all, so two instructions, all 0 and all 1, tell how. */
static const struct mask *find_mask(struct sweep *s, unsigned form)
{
    struct mask *m = &s->masks[form];

    if ((m->keeps | m->sets) == 0) {
        uint8_t bytes[2][16] = {{0}, {0}};
        uint64_t of[2];

        memset(bytes[1], 0xff, sizeof bytes[1]);
        for (unsigned i = 0; i < 2; i++) {
            kerf_isa_put(s->region->isa, form, bytes[i], 0x10000000u, 0x10000000u);
            memcpy(&of[i], bytes[i], sizeof of[i]);
        }
        *m = (struct mask){of[0] ^ of[1], of[0]};
    }
    return m;
}

#define TEXT_MIN 4u
#define TEXT_MAX 32u

/* Of a word that points to text in its file, a number that equal texts have in common; else 0. */
static uint32_t text_hash(const struct sweep *s, kerf_addr target)
{
    const uint8_t *bytes = s->side->bytes;
    size_t at = s->start + (uint32_t)(target - (s->is_new ? s->region->new_addr : s->region->old_addr));
    uint32_t hash = 1;
    size_t len = 0;

    if (at >= s->end || at == s->start || bytes[at - 1] != 0) {
        return 0;
    }
    for (; len < TEXT_MAX && bytes[at + len] >= 0x20 && bytes[at + len] < 0x7f; len++) {
        hash = (hash ^ bytes[at + len]) * 0x01000193u;
    }
    return len < TEXT_MIN || (len < TEXT_MAX && bytes[at + len] != 0) ? 0 : hash;
}

/* The fields of a reference become those of one fixed target seen from one fixed address; the offset of a name, its hash; what points to text in an ELF file, the hash of that. */
static void mask(struct sweep *s, const struct found *found)
{
    uint8_t *p = s->side->mask + found->pos;

    if (found->ref.form == KERF_FORM_BTF && s->names.len > 0) {
        kerf_store_le24(p, name_hash(s->side, &s->names, kerf_load_le24(s->side->bytes + found->pos)));
    } else if (found->ref.form == KERF_FORM_ELF) {
        kerf_store_le32(p, text_hash(s, found->ref.target));
    } else if (found->ref.len > sizeof(uint64_t)) {
        kerf_isa_put(s->region->isa, found->ref.form, p, 0x10000000u, 0x10000000u);
    } else {
        const struct mask *m = find_mask(s, found->ref.form);
        uint64_t bytes;

        memcpy(&bytes, p, sizeof bytes); /* there is padding behind the image */
        bytes = (bytes & m->keeps) | m->sets;
        memcpy(p, &bytes, sizeof bytes);
    }
}

/* Adds a reference, and masks its fields. */
static kerf_err add_ref(struct sweep *s, const struct found *found)
{
    struct kerf_side *side = s->side;
    size_t at = s->found == NULL ? 0 : side->ref_count;

    for (unsigned i = 0; i < found->ref.len; i++) {
        if (kerf_side_bit(side->covered, found->pos + i)) {
            return KERF_OK;
        }
    }
    if (s->found == NULL || side->ref_count == side->ref_cap) {
        size_t cap = side->ref_cap == 0 ? 4096 : side->ref_cap + side->ref_cap / 2;
        struct found *grown = realloc(s->found, cap * sizeof *grown);

        if (grown == NULL) {
            return KERF_ERR_RAM;
        }
        s->found = grown;
        side->ref_cap = cap;
    }
    for (; at > 0 && s->found[at - 1].pos > found->pos; at--) {
        s->found[at] = s->found[at - 1];
    }
    s->found[at] = *found;
    side->ref_count++;
    for (size_t i = found->pos; i < found->pos + (size_t)found->ref.len; i++) {
        side->covered[i / 64] |= (uint64_t)1 << (i % 64);
    }
    side->begins[found->pos / 64] |= (uint64_t)1 << (found->pos % 64);
    mask(s, found);
    return KERF_OK;
}

static kerf_err add_lows(struct sweep *s, size_t pos, const struct kerf_ref *ref)
{
    kerf_err err = KERF_OK;

    for (unsigned i = 0; err == KERF_OK && i < ref->low_count; i++) {
        struct found low = {(uint32_t)pos + ref->low_at[i],
                            {0, KERF_REF_LOW, ref->low_form[i], ref->len, (uint8_t)(s->index & 127u), 0}};

        if (low.pos + (size_t)low.ref.len <= s->end) {
            err = add_ref(s, &low);
        }
    }
    return err;
}

static bool inside(const struct sweep *s, kerf_addr addr)
{
    for (unsigned i = 0; i < s->image->region_count; i++) {
        const struct kerf_region *r = &s->image->regions[i];

        if ((uint32_t)(addr - (s->is_new ? r->new_addr : r->old_addr)) < (s->is_new ? r->new_len : r->old_len)) {
            return true;
        }
    }
    return false;
}

/* The word at the view's start as a reference, the way refs.c takes it. */
static bool find_word(const struct sweep *s, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    if ((view->pc & 3) != 0 || !kerf_word_read(view, ref) || (view->pc & (ref->len - 1u)) != 0 ||
        ref->target > UINT32_MAX) {
        return false;
    }
    if (!inside(s, ref->target)) {
        ref->kind = in_ranges(s->image, ref->target) ? KERF_REF_RAM : KERF_REF_NONE;
    }
    return ref->kind != KERF_REF_NONE && (view->kinds >> ref->kind & 1) != 0;
}

/* The same of ELF files. */
static bool find_file_word(const struct sweep *s, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    bool is = (view->pc & 3) == 0 && (view->kinds >> KERF_REF_WORD8 & 1) != 0 && kerf_elf_word(view, &s->elf, ref);

    ref->kind = is ? ref->kind : KERF_REF_NONE;
    ref->target = (uint32_t)ref->target;
    return is;
}

static bool has_files(const struct kerf_region *r)
{
    return (r->kinds >> KERF_REF_FILES & 1) != 0;
}

/* The reference at pos, or none; returns what kerf_isa_scan() says of the sweep. */
static unsigned find_ref(struct sweep *s, size_t pos, bool boundary, struct kerf_ref *ref)
{
    const struct kerf_region *r = s->region;
    kerf_addr pc = (uint32_t)((s->is_new ? r->new_addr : r->old_addr) + (pos - s->start));
    struct kerf_isa_view view = {s->side->bytes + pos, pc, r->kinds, boundary, s->record, (uint32_t)(s->next - pos)};

    if ((r->kinds >> KERF_REF_RECORDS & 1) != 0 && (boundary || s->record < KERF_ELF_FRAME)) {
        unsigned left = kerf_btf_scan(&view, ref);

        if (left != 0) {
            return left;
        }
    }

    if (has_files(r)) {
        unsigned left = kerf_elf_scan(&view, pc, &s->elf, ref);

        ref->target = (uint32_t)ref->target;
        if (left != 0) {
            return left;
        }
    }
    if (has_files(r) ? find_file_word(s, &view, ref) : find_word(s, &view, ref)) {
        return 0;
    }
    unsigned step = kerf_isa_scan(r->isa, &view, ref);

    if (ref->kind != KERF_REF_NONE) {
        ref->target = (uint32_t)ref->target;
        if (!inside(s, ref->target) && !ref->anywhere) {
            ref->kind = KERF_REF_NONE;
        }
    }
    return step;
}

static kerf_err take_ref(struct sweep *s, size_t pos, size_t next, const struct kerf_ref *ref)
{
    struct found found = {
        (uint32_t)pos,
        {(uint32_t)ref->target, ref->kind, ref->form, ref->len, (uint8_t)(s->index & 127u), !inside(s, ref->target)}};
    size_t count = s->side->ref_count;
    kerf_err err = add_ref(s, &found);

    if (err == KERF_OK && s->side->ref_count > count) {
        err = add_lows(s, pos, ref);
    }
    s->next = next;
    return err;
}

/* A position where an instruction or a word may begin, and no reference covers it. */
static kerf_err scan_at(struct sweep *s, size_t pos)
{
    uint8_t *nothing = &s->side->nothing[pos];
    bool boundary = pos >= s->next;
    unsigned shift = boundary ? 4 : 0;
    unsigned known = !boundary && s->record != 0 ? 0 : (unsigned)*nothing >> shift & 15u; /* of records not */

    known = known == KERF_NOTHING_PINNED ? 0 : known;
    unsigned step = known - 1;

    if (known != 0) {
        s->record = 0;
    } else {
        struct kerf_ref ref = {0};

        step = find_ref(s, pos, boundary, &ref);
        s->record = ref.record;
        if (ref.kind != KERF_REF_NONE && pos + ref.len <= s->end) {
            return take_ref(s, pos, ref.record == 0 ? pos + ref.len : boundary ? pos + step : s->next, &ref);
        }
        if (ref.kind == KERF_REF_NONE && ref.record == 0 && step < KERF_NOTHING_PINNED - 1 && *nothing != 0xff) {
            *nothing |= (uint8_t)((1 + step) << shift);
        }
    }
    if (boundary) {
        s->next = pos + (step == 0 ? 1 : step);
    }
    return KERF_OK;
}

/* An address lies in something that references point to only if it is among `len` from `start` on. */
struct hull {
    uint64_t start, len;
};

static void extend(struct hull *hull, uint64_t start, uint64_t len)
{
    uint64_t end = hull->start + hull->len > start + len ? hull->start + hull->len : start + len;

    if (hull->len == 0) {
        *hull = (struct hull){start, len};
    } else {
        hull->start = hull->start < start ? hull->start : start;
        hull->len = end - hull->start;
    }
}

/* Of addresses of 32 bits. */
static struct hull find_hull(const struct sweep *s)
{
    struct hull hull = {0, 0};

    for (unsigned i = 0; i < s->image->region_count; i++) {
        const struct kerf_region *r = &s->image->regions[i];
        uint64_t start = (uint32_t)(s->is_new ? r->new_addr : r->old_addr);
        uint64_t len = s->is_new ? r->new_len : r->old_len;
        bool wraps = start + len > UINT32_MAX;

        extend(&hull, wraps ? 0 : start, wraps ? (uint64_t)UINT32_MAX + 1 : len);
    }
    for (unsigned i = 0; i < s->image->range_count; i++) {
        extend(&hull, s->image->ranges[i].start, s->image->ranges[i].len);
    }
    return hull;
}

/* Nothing is said of the words that are references. addr: of position 0. */
static void find_words(const struct sweep *s, kerf_addr addr)
{
    /* Words of 8 bytes may be anything to it. */
    const struct hull hull = (s->region->kinds >> KERF_REF_WORD8 & 1) != 0 ? (struct hull){0, UINT64_MAX}
                                                                           : find_hull(s);
    const bool big = (s->region->kinds >> KERF_REF_BIG_ENDIAN & 1) != 0;
    struct kerf_isa_view view = {.kinds = s->region->kinds};
    const uint8_t *bytes = s->side->bytes;
    const size_t end = s->end;

    for (size_t pos = s->start + ((0 - addr - s->start) & 3); pos < end; pos += 4) {
        uint64_t word = big ? kerf_load_be32(bytes + pos) : kerf_load_le32(bytes + pos);
        struct kerf_ref ref;

        if (word - hull.start >= hull.len) { /* most */
            continue;
        }
        view.p = bytes + pos;
        view.pc = (uint32_t)(addr + pos);
        if (find_word(s, &view, &ref)) {
            s->side->nothing[pos] = 0;
        }
    }
}

/* Most instructions and words are no reference, and known by a look at them alone: sooner than by the sweep. */
static void find_nothing(const struct sweep *s)
{
    const struct kerf_region *r = s->region;
    const uint8_t *bytes = s->side->bytes;
    kerf_addr addr = (s->is_new ? r->new_addr : r->old_addr) - s->start; /* of position 0 */

    kerf_isa_nothing(r->isa, r->kinds, bytes + s->start, s->end - s->start, addr + s->start,
                     s->side->nothing + s->start);
    find_words(s, addr);
}

/* What is in ELF files depends on where they begin, and on tables. */
static void pin_files(const struct sweep *s)
{
    const uint8_t *bytes = s->side->bytes;
    uint8_t *nothing = s->side->nothing;
    struct kerf_elf none = {{0}, {0}, 0};
    size_t table_end = 0;
    kerf_addr addr = (s->is_new ? s->region->new_addr : s->region->old_addr) - s->start; /* of position 0 */

    for (size_t pos = s->start + ((0 - addr - s->start) & 3); pos < s->end; pos += 4) {
        struct kerf_isa_view view = {.p = bytes + pos};
        struct kerf_ref ref = {0};
        bool word = kerf_elf_word(&view, &none, &ref) || ref.len != 0;

        nothing[pos] = word ? 0 : nothing[pos];
        if (pos + 8 < s->end && kerf_elf_is_frame(bytes + pos)) {
            nothing[pos] = nothing[pos + 4] = nothing[pos + 8] = 0;
        }
        if (kerf_elf_pins(bytes + pos)) {
            size_t end = pos + 12 + kerf_elf_table_len(bytes + pos);

            nothing[pos] = 0xff;
            table_end = end > table_end ? end : table_end;
        }
        nothing[pos] = pos < table_end ? 0xff : nothing[pos];
    }
}

/* Where neither an instruction nor a word may begin the sweep goes on by 1 byte. addr: of position 0. */
static void fill_between(const struct sweep *s, kerf_addr addr, unsigned align)
{
    uint8_t *nothing = s->side->nothing;
    const size_t end = s->end;

    for (unsigned k = 1; k <= align; k++) {
        for (size_t pos = s->start + (size_t)((k - addr - s->start) & align); pos < end; pos += align + 1u) {
            nothing[pos] = 0x22;
        }
    }
}

static kerf_err scan_region(struct sweep *s)
{
    struct kerf_side *side = s->side;
    bool records = (s->region->kinds >> KERF_REF_RECORDS & 1) != 0;
    kerf_addr addr = (s->is_new ? s->region->new_addr : s->region->old_addr) - s->start; /* of position 0 */
    unsigned align = records ? 0 : kerf_isa_align(s->region->isa);
    const uint8_t *nothing = side->nothing;
    const uint64_t *covered = side->covered;
    const size_t end = s->end;
    size_t next = s->next;
    kerf_err err = KERF_OK;

    if (side->nothing == side->nothing_of_all && !records) {
        find_nothing(s);
    }
    fill_between(s, addr, align);
    if (side->nothing == side->nothing_of_all && has_files(s->region)) {
        pin_files(s);
    }
    for (size_t pos = s->start + (size_t)((0 - addr - s->start) & align); err == KERF_OK && pos < end;
         pos += align + 1u) {
        unsigned known = nothing[pos];

        if (records && kerf_load_le32(side->bytes + pos) == KERF_BTF_MAGIC) {
            s->names = find_names(side, pos);
        }
        if (kerf_side_bit(covered, pos)) {
            next = pos + 1 > next ? pos + 1 : next;
        } else if (!records && s->record == 0 && known != 0xff && (known & 15u) != 0 &&
                   known >> 4 != 0) { /* as mostly */
            next = pos < next ? next : pos + (known >= 0x20 ? (known >> 4) - 1 : 1);
        } else {
            s->next = pos > next ? pos : next;
            err = scan_at(s, pos);
            next = s->next;
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

/* Room for the masked image; without regions it is the image. */
static kerf_err open_masked(struct kerf_side *side, bool all, bool regions)
{
    if (all && side->masked_of_all != NULL) {
        side->mask = side->mask_of_all; /* as the first scan left it */
        side->masked = side->masked_of_all;
        return KERF_OK;
    }
    uint8_t *copy = regions ? malloc(side->len + KERF_PAD) : NULL;

    if (regions && copy == NULL) {
        return KERF_ERR_RAM;
    }
    if (copy != NULL) {
        memcpy(copy, side->bytes, side->len + KERF_PAD);
    }
    side->mask = copy;
    side->masked = copy != NULL ? copy : side->bytes;
    if (all) {
        side->mask_of_all = copy;
        side->masked_of_all = side->masked;
    }
    return KERF_OK;
}

/* The references without their positions, which the bits tell. In the same memory: nothing can fail. */
static void close_index(struct kerf_side *side, struct found *found)
{
    uint32_t count = 0;
    uint8_t *bytes = (uint8_t *)found;

    for (size_t i = 0; found != NULL && i < side->ref_count; i++) {
        struct kerf_scanned ref = found[i].ref;

        memcpy(bytes + i * sizeof ref, &ref, sizeof ref);
    }
    side->refs = (void *)bytes;

    void *fewer = realloc(bytes, (side->ref_count + 1) * sizeof *side->refs);

    if (fewer != NULL) { /* else it did not get smaller */
        side->refs = fewer;
    }
    side->ref_cap = side->ref_count + 1;
    for (size_t i = 0; i <= side->len / 64; i++) {
        side->before[i] = count;
        count += (uint32_t)__builtin_popcountll(side->begins[i]);
    }
}

kerf_err kerf_scan_side(struct kerf_side *side, const struct kerf_image *image, bool is_new, bool all)
{
    struct sweep s = {.side = side, .image = image, .is_new = is_new};
    size_t words = side->len / 64 + 1;

    kerf_err err = open_masked(side, all, image->region_count > 0);

    side->covered = calloc(words, sizeof *side->covered);
    side->begins = calloc(words, sizeof *side->begins);
    side->before = malloc(words * sizeof *side->before);
    if (err == KERF_OK && image->region_count > 0) {
        err = open_nothing(side, all);
    }
    if (err != KERF_OK || side->covered == NULL || side->begins == NULL || side->before == NULL) {
        return KERF_ERR_RAM;
    }
    for (unsigned i = 0; err == KERF_OK && i < image->region_count; i++) {
        s.region = &image->regions[i];
        s.index = i;
        s.start = (size_t)(is_new ? s.region->new_pos : s.region->old_pos);
        s.end = s.start + (size_t)(is_new ? s.region->new_len : s.region->old_len);
        s.next = s.start;
        s.record = 0;
        s.names = (struct names){0, 0};
        memset(s.masks, 0, sizeof s.masks); /* this set's forms */
        s.elf = (struct kerf_elf){{0}, {0}, 0};
        err = scan_region(&s);
    }
    close_index(side, s.found);
    if (is_new && !all) {
        free(side->nothing); /* it is for the encoder, of old */
        side->nothing = NULL;
    }
    return err;
}

bool kerf_scan_find(const void *side, kerf_pos pos, unsigned *region, struct kerf_ref *ref)
{
    const struct kerf_side *s = side;
    size_t word = (size_t)pos / 64;
    uint64_t bit = (uint64_t)1 << (pos % 64);

    if ((s->begins[word] & bit) == 0) {
        return false;
    }
    const struct kerf_scanned
        *r = &s->refs[s->before[word] + (uint32_t)__builtin_popcountll(s->begins[word] & (bit - 1))];

    ref->kind = r->kind;
    ref->form = r->form;
    ref->len = r->len;
    ref->target = r->target;
    *region = r->region;
    return true;
}

void kerf_scan_free(struct kerf_side *side)
{
    if (side->nothing != side->nothing_of_all) {
        free(side->nothing);
    }
    if (side->mask != side->mask_of_all) {
        free(side->mask);
    }
    free(side->covered);
    free(side->begins);
    free(side->before);
    free(side->refs);
    kerf_scan_forget(side);
}

void kerf_scan_forget_nothing(struct kerf_side *side)
{
    free(side->nothing_of_all);
    side->nothing_of_all = NULL;
    side->nothing = NULL;
}

void kerf_scan_forget(struct kerf_side *side)
{
    side->nothing = NULL;
    side->mask = NULL;
    side->masked = NULL;
    side->covered = NULL;
    side->begins = NULL;
    side->before = NULL;
    side->refs = NULL;
    side->ref_count = 0;
    side->ref_cap = 0;
}
