/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AArch64. Source of the encodings: Arm Architecture Reference Manual for A-profile (DDI 0487), C4 and C6.2.
 *
 * ADRP makes the 4 KiB page of an address; the instructions that follow add the 12 bits within it: ADD, and loads and
 * stores with an unsigned offset, whose field counts in units of the access size. One ADRP serves several of them.
 */
#include "common/bytes.h"
#include "common/isa/form.h"

enum {
    BASE_PC,
    BASE_PAGE,
    BASE_ZERO
};
enum {
    BITS_B = 0,
    BITS_19 = 1,
    BITS_14 = 2,
    BITS_ADR = 3,
    BITS_ADRP = 5,
    BITS_LOW = 7
};
enum {
    FORM_ADRP = 0,
    FORM_LOW = 8
};

static const struct kerf_form_base bases[] = {{0, 0, 0}, {0, 12, 0}, {0, 32, 0}};

static const struct kerf_form_bits bits[] = {
    {0, 2, 26},               /* BITS_B */
    {5, 2, 19},               /* BITS_19 */
    {5, 2, 14},               /* BITS_14 */
    {29, 0, 2},  {5, 2, 19},  /* BITS_ADR: immlo, immhi */
    {29, 12, 2}, {5, 14, 18}, /* BITS_ADRP: the same in pages, without the sign bit */
    {10, 0, 12},              /* BITS_LOW */
};

static const struct kerf_form forms[] = {
    {0x9f00, 0x9000, KERF_REF_PAIR, 4, BASE_PAGE, KERF_FORM_SIGNED, BITS_ADRP, 2}, /* ADRP */
    {0xfc00, 0x9400, KERF_REF_CALL, 4, BASE_PC, KERF_FORM_SIGNED, BITS_B, 1},      /* BL */
    {0xfc00, 0x1400, KERF_REF_JUMP, 4, BASE_PC, KERF_FORM_SIGNED, BITS_B, 1},      /* B */
    {0xff00, 0x5400, KERF_REF_BRANCH, 4, BASE_PC, KERF_FORM_SIGNED, BITS_19, 1},   /* B.cond */
    {0x7e00, 0x3400, KERF_REF_BRANCH, 4, BASE_PC, KERF_FORM_SIGNED, BITS_19, 1},   /* CBZ, CBNZ */
    {0x7e00, 0x3600, KERF_REF_BRANCH2, 4, BASE_PC, KERF_FORM_SIGNED, BITS_14, 1},  /* TBZ, TBNZ */
    {0x3b00, 0x1800, KERF_REF_LITERAL, 4, BASE_PC, KERF_FORM_SIGNED, BITS_19, 1},  /* LDR (literal), any register */
    {0x9f00, 0x1000, KERF_REF_LITERAL, 4, BASE_PC, KERF_FORM_SIGNED, BITS_ADR, 2}, /* ADR */
    {0, 1, KERF_REF_LOW, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_LOW, 1},           /* imm12 of what adds to ADRP */
};

static const struct kerf_forms set = {forms, bits, bases, sizeof forms / sizeof forms[0], 16, false};

static bool is_add(uint32_t insn)
{
    return (insn & 0xffc00000u) == 0x91000000u; /* ADD (immediate), 64 bits, no shift */
}

/* log2 of the unit of the imm12 of an ADD, or of a load or store with unsigned offset. */
static unsigned unit_of(uint32_t insn)
{
    unsigned size = insn >> 30;

    if (is_add(insn)) {
        return 0;
    }
    /* LDR and STR of a 16-byte vector register: size 0, and opc's upper bit set. */
    return size == 0 && (insn & 0x04800000u) == 0x04800000u ? 4 : size;
}

/* The ADRP at p alone. Reach is cut to +-2 GiB, so that a page fits 32 bits: the sign bit repeats the one below. */
static bool get_page(const uint8_t *p, kerf_addr pc, kerf_addr *page)
{
    return kerf_form_get(&set, FORM_ADRP, p, pc, page) && ((p[2] >> 7 ^ p[2] >> 6) & 1) == 0;
}

/* The instruction at q adds the 12 low bits to the ADRP at p. */
static bool join(const uint8_t *p, const uint8_t *q, kerf_addr page, kerf_addr *target)
{
    uint32_t insn = kerf_load_le32(q);
    uint32_t low = (insn >> 10 & 0xfff) << unit_of(insn);

    *target = page + low;
    /* An offset of a page and more is not the low part of an address. */
    return (is_add(insn) || (insn & 0x3b000000u) == 0x39000000u) && (insn >> 5 & 31) == (p[0] & 31u) && low < 0x1000;
}

/* The instruction writes register rd, as far as those tell that commonly do so near an ADRP. */
static bool ends(uint32_t insn, uint32_t rd)
{
    bool load = (insn & 0x3f000000u) == 0x39000000u && (insn & 0x00c00000u) != 0;

    return (insn & 31) == rd && (load || is_add(insn) || (insn & 0x9f000000u) == 0x90000000u);
}

static void find_lows(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    kerf_addr page = ref->target;

    for (unsigned at = 4; at < KERF_ISA_VIEW_LEN && ref->low_count < KERF_REF_LOWS; at += 4) {
        kerf_addr target;

        if (join(view->p, view->p + at, page, &target)) {
            kerf_form_pair(ref, at, FORM_LOW, target);
        }
        if (ends(kerf_load_le32(view->p + at), view->p[0] & 31u)) {
            break;
        }
    }
}

unsigned kerf_aarch64_scan(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    if ((view->pc & 3) != 0) {
        return 1;
    }
    (void)kerf_form_scan(&set, view, ref);
    if (ref->kind == KERF_REF_PAIR) {
        ref->kind = KERF_REF_NONE;
        if (get_page(view->p, view->pc, &ref->target)) {
            find_lows(view, ref);
            if (ref->low_count > 0) {
                ref->kind = KERF_REF_PAIR;
                ref->anywhere = true;
            } else if ((view->kinds >> KERF_REF_PAIR2 & 1) != 0) {
                ref->kind = KERF_REF_PAIR2;
            }
        }
    }
    return 4;
}

bool kerf_aarch64_get(const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    if (shape->form != FORM_ADRP) {
        return kerf_form_get(&set, shape->form, p, pc, target);
    }
    return get_page(p, pc, target) && (shape->kind != KERF_REF_PAIR || join(p, p + shape->low_at[0], *target, target));
}

void kerf_aarch64_put(unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    if (form == FORM_LOW) {
        target = (target & 0xfff) >> unit_of(kerf_load_le32(p));
    }
    kerf_form_put(&set, form, p, pc, target);
    if (form == FORM_ADRP) {
        p[2] = (uint8_t)((p[2] & 0x7fu) | (p[2] & 0x40u) << 1);
    }
}
