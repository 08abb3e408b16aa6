/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of words that count from themselves, as Linux kernels have of symbols, exceptions and alternatives. They point
 * back to code for the most part, and hardly anything else is a negative number of that size.
 */
#include "common/bytes.h"
#include "diffgen/detect.h"

#define BLOCK 4096u  /* bytes that are looked at together */
#define PART 10u     /* one word of so many points back, at least, */
#define APART 8u     /* in all but so many blocks in a row, */
#define BLOCKS 8u    /* and in as many of a table, at least */
#define TABLES_MAX 3 /* the longest ones */

struct table {
    size_t pos, len;
};

/* Words in [pos, pos + BLOCK) that point back into the image, by 2^16 at least. */
static unsigned count_back(const uint8_t *image, size_t pos)
{
    unsigned count = 0;

    for (size_t i = pos; i < pos + BLOCK; i += 4) {
        uint32_t back = 0 - kerf_load_le32(image + i);

        count += back > 0x10000 && back <= i;
    }
    return count;
}

static void add(struct table *tables, unsigned *count, struct table t)
{
    unsigned least = 0;

    if (t.len < (size_t)BLOCKS * BLOCK) {
        return;
    }
    if (*count == TABLES_MAX) { /* the shortest goes, the others stay in order */
        for (unsigned i = 1; i < *count; i++) {
            least = tables[i].len < tables[least].len ? i : least;
        }
        if (tables[least].len >= t.len) {
            return;
        }
        for (unsigned i = least; i + 1 < *count; i++) {
            tables[i] = tables[i + 1];
        }
        --*count;
    }
    tables[(*count)++] = t;
}

static unsigned find(const uint8_t *image, size_t from, size_t to, struct table tables[TABLES_MAX])
{
    struct table t = {0, 0};
    unsigned count = 0;

    for (size_t pos = from; pos + BLOCK <= to; pos += BLOCK) {
        if (count_back(image, pos) < BLOCK / 4 / PART) {
            continue;
        }
        if (t.len == 0 || pos - (t.pos + t.len) > (size_t)APART * BLOCK) {
            add(tables, &count, t);
            t.pos = pos;
        }
        t.len = pos + BLOCK - t.pos;
    }
    add(tables, &count, t);
    return count;
}

/* Linux has such tables on these; on smaller devices, which could not decode them, they would be something else. */
static bool has_kernels(unsigned isa)
{
    return isa == KERF_ISA_AARCH64 || isa == KERF_ISA_X86_64 || isa == KERF_ISA_RISCV64;
}

/* The part of a region from where the one before ends up to an end in old and new. */
static struct kerf_region part_of(const struct kerf_region *whole, const struct kerf_region *before, kerf_pos old_end,
                                  kerf_pos new_end)
{
    struct kerf_region r = *whole;

    if (before != NULL) {
        r.old_pos = before->old_pos + before->old_len;
        r.new_pos = before->new_pos + before->new_len;
    }
    r.old_len = old_end - r.old_pos;
    r.new_len = new_end - r.new_pos;
    r.old_addr = whole->old_addr + (r.old_pos - whole->old_pos);
    r.new_addr = whole->new_addr + (r.new_pos - whole->new_pos);
    return r;
}

void kerf_detect_offsets(const uint8_t *old_image, const uint8_t *new_image, struct kerf_image *image)
{
    struct kerf_region whole = image->regions[0];
    struct table tables[2][TABLES_MAX];
    struct kerf_region *r = image->regions;
    const struct kerf_region *before = NULL;

    /* Frames in ELF files count from themselves, too, and are told as such. */
    if (image->region_count != 1 || !has_kernels(whole.isa) || (whole.kinds >> KERF_REF_FILES & 1) != 0 ||
        ((whole.old_pos | whole.new_pos) & 3) != 0) {
        return;
    }
    unsigned count = find(old_image, (size_t)whole.old_pos, (size_t)(whole.old_pos + whole.old_len), tables[0]);

    if (count == 0 ||
        find(new_image, (size_t)whole.new_pos, (size_t)(whole.new_pos + whole.new_len), tables[1]) != count) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        const struct table *o = &tables[0][i];
        const struct table *n = &tables[1][i];

        if (before == NULL || o->pos > before->old_pos + before->old_len) {
            *r = part_of(&whole, before, (kerf_pos)o->pos, (kerf_pos)n->pos);
            before = r++;
        }
        *r = part_of(&whole, before, (kerf_pos)(o->pos + o->len), (kerf_pos)(n->pos + n->len));
        r->isa = KERF_ISA_OFFSETS;
        r->kinds = kerf_isa_kinds(r->isa, whole.kinds | 1u << KERF_REF_LITERAL);
        before = r++;
    }
    *r = part_of(&whole, before, whole.old_pos + whole.old_len, whole.new_pos + whole.new_len);
    image->region_count = (unsigned)(r - image->regions) + 1;
}
